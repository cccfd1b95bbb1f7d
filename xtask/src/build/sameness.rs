//! The same sources make the same bytes, on whichever machine and at whichever place they are built: only then can anybody
//! say of a runner which was built here that it is the one which was tested there.
//!
//! What differs from place to place are paths and dates. What lies in the fleet's own repository cargo compiles by
//! relative paths, the copy of Wildebeest in it, too. What lies elsewhere gets a name in place of its path: the crates that
//! cargo has fetched, what build scripts write into the target directory, the sources of Rust's own library where these are
//! installed. The fleet's own place is named nowhere: fleets that share a target directory have the same flags then, and
//! cargo compiles for all of them once. So a crate that is a dependency by a path out of the repository is as its place is.
//!
//! Dates are one date, and not that of the commit: what build scripts compile is compiled again when it moves.

use std::path::PathBuf;

use wb_core::system::{Command, environment, files};

use super::Machine;
use crate::fleet::{self, Fleet, FleetError};

/// The date of all that is built, in seconds since 1970: the first day that every format can say, 1980-01-01.
const DATE: &str = "315532800";

/// The name of the target directory.
const TARGET: &str = "/target";

/// What lies elsewhere on another machine, each with the name that it gets everywhere. The longest path stands last: of
/// several that fit rustc takes that one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sameness(Vec<(PathBuf, String)>);

impl Sameness {
    /// Where things lie for `fleet` on this machine.
    pub(super) fn look(fleet: &Fleet, machine: &Machine) -> Result<Self, FleetError> {
        let target = fleet::metadata(&fleet.crate_dir)?.target_directory.into_std_path_buf();
        Ok(Self::of(cargo_home(), target, machine))
    }

    pub(super) fn of(cargo_home: Option<PathBuf>, target: PathBuf, machine: &Machine) -> Self {
        let library = machine.sysroot.join("lib/rustlib/src/rust");
        // Where these sources are not installed, the compiler has this name for them by itself.
        let library = (library, format!("/rustc/{}", machine.commit));
        let named = cargo_home.map(|home| (home, "/cargo".to_owned()));
        let mut named: Vec<_> = named.into_iter().chain([(target, TARGET.to_owned()), library]).collect();
        named.sort_by_key(|(place, _)| place.as_os_str().len());
        Self(named)
    }

    /// Whether no runner was built for this target yet, so that all is to be compiled.
    pub(super) fn is_first(&self, triple: &str) -> bool {
        let target = self.0.iter().find(|(_, name)| name == TARGET);
        target.is_some_and(|(target, _)| !files::exists(target.join(triple).join("release")))
    }

    /// The flags that tell rustc.
    pub(super) fn rustflags(&self) -> Vec<String> {
        self.0.iter().map(|(place, name)| format!("--remap-path-prefix={}={name}", place.display())).collect()
    }

    /// Tells cargo, and through it compilers of C. `cflags` are those that the environment has for this target.
    pub(super) fn apply(&self, cargo: Command, triple: &str, cflags: Option<&str>) -> Command {
        let all: Vec<String> = cflags.map(str::to_owned).into_iter().chain(self.cflags()).collect();
        cargo
            .env("CARGO_INCREMENTAL", "0")
            .env("SOURCE_DATE_EPOCH", DATE)
            .env("TZ", "UTC")
            .env("LC_ALL", "C")
            .env(cflags_of(triple), all.join(" "))
    }

    /// The flags that tell a compiler of C. Spaces part them, so that a path with one can't be told.
    fn cflags(&self) -> Vec<String> {
        let told = self.0.iter().map(|(place, name)| format!("-ffile-prefix-map={}={name}", place.display()));
        told.filter(|flag| !flag.contains(char::is_whitespace)).collect()
    }
}

/// The variable with the flags of C for a target.
pub(super) fn cflags_of(triple: &str) -> String {
    format!("CFLAGS_{}", triple.replace(['-', '.'], "_"))
}

/// Where cargo keeps what it has fetched.
fn cargo_home() -> Option<PathBuf> {
    let home = || Some(PathBuf::from(environment::var("HOME")?).join(".cargo"));
    environment::var("CARGO_HOME").map(PathBuf::from).or_else(home)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            host: "x86_64-unknown-linux-gnu".into(),
            musl_libraries: true,
            musl_compiler: true,
            sysroot: "/rust".into(),
            own_linker: true,
            commit: "abc".into(),
        }
    }

    fn check(cargo_home: Option<&str>, target: &str, expect: &[&str]) {
        let sameness = Sameness::of(cargo_home.map(PathBuf::from), target.into(), &machine());
        let expect: Vec<String> = expect.iter().map(|map| format!("--remap-path-prefix={map}")).collect();
        assert_eq!(sameness.rustflags(), expect);
    }

    #[test]
    fn what_lies_elsewhere_has_a_name() {
        let library = "/rust/lib/rustlib/src/rust=/rustc/abc";
        check(Some("/c"), "/fleet/target", &["/c=/cargo", "/fleet/target=/target", library]);
        check(None, "/fleet/target", &["/fleet/target=/target", library]);
        check(Some("/t/cargo"), "/t", &["/t=/target", "/t/cargo=/cargo", library]);
    }

    #[test]
    fn the_first_runner_is_one_where_none_was_built_for_its_target() {
        let dir = tempfile::tempdir().unwrap();
        let sameness = Sameness::of(None, dir.path().into(), &machine());
        let check = |made: &str, expect: bool| {
            files::create_dir(dir.path().join(made)).unwrap();
            assert_eq!(sameness.is_first("x86_64-unknown-linux-musl"), expect, "{made}");
        };
        check("release", true);
        check("x86_64-unknown-linux-musl/debug", true);
        check("x86_64-unknown-linux-musl/release", false);
    }

    #[test]
    fn compilers_of_c_are_told_too() {
        let check = |cargo_home: &str, own: Option<&str>, expect: &str| {
            let sameness = Sameness::of(Some(cargo_home.into()), "/t".into(), &machine());
            let command = sameness.apply(Command::new("cargo"), "x86_64-unknown-linux-musl", own);
            let said = command.variable("CFLAGS_x86_64_unknown_linux_musl").and_then(|flags| flags.to_str());
            assert_eq!(said, Some(expect));
            assert_eq!(command.variable("SOURCE_DATE_EPOCH").and_then(|date| date.to_str()), Some(DATE));
        };
        let rest = "-ffile-prefix-map=/rust/lib/rustlib/src/rust=/rustc/abc";
        let two = format!("-ffile-prefix-map=/t=/target -ffile-prefix-map=/cc=/cargo {rest}");
        check("/cc", None, &two);
        check("/cc", Some("-O2 -g"), &format!("-O2 -g {two}"));
        check("/my cargo", None, &format!("-ffile-prefix-map=/t=/target {rest}"));
    }
}
