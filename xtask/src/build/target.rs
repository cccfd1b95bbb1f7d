//! What the runner is built for: musl where it can be had, since that needs nothing at all on the host; else glibc,
//! linked statically.

use std::path::PathBuf;

use wb_core::system::{Command, environment, files};

use super::{BuildError, flags};
use crate::at_once;
use crate::shell::Shell;

/// What is known of the machine that builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// What its compiler builds for by itself, as in `x86_64-unknown-linux-gnu`.
    pub host: String,
    /// Whether Rust's own libraries for musl are installed.
    pub musl_libraries: bool,
    /// Whether C can be compiled for musl, which libgit2 needs.
    pub musl_compiler: bool,
    /// Where its compiler and Rust's own libraries lie.
    pub sysroot: PathBuf,
    /// Whether Rust's own linker came with it.
    pub own_linker: bool,
    /// The commit that this compiler was made of; nothing where it does not say so.
    pub commit: String,
}

/// What to build for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A musl target.
    Musl {
        /// Its triple.
        triple: String,
        /// Whether Rust's own linker links it.
        own_linker: bool,
    },
    /// The machine's own target, linked statically.
    Static {
        /// Its triple.
        triple: String,
        /// Why not musl.
        why: String,
    },
}

/// The best target that this machine can build for.
pub(super) fn choose(machine: &Machine) -> Target {
    let triple = musl(&machine.host);
    let why = match (machine.musl_libraries, machine.musl_compiler) {
        (true, true) => return Target::Musl { triple, own_linker: machine.own_linker },
        (false, _) => format!("the target {triple} is not installed (rustup target add {triple})"),
        (true, false) => "no C compiler for musl is installed (apt-get install musl-tools)".to_owned(),
    };
    Target::Static { triple: machine.host.clone(), why }
}

impl Target {
    /// Its triple.
    #[must_use]
    pub fn triple(&self) -> &str {
        match self {
            Self::Musl { triple, .. } | Self::Static { triple, .. } => triple,
        }
    }

    /// Why it is not musl.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Musl { .. } => None,
            Self::Static { why, .. } => Some(why),
        }
    }

    /// The flags that tell rustc how to link. All that is linked for musl comes with Rust, and its own linker is so much quicker
    /// than binutils' that a build after a change takes half of the time; and it is the same one wherever the compiler is.
    pub(super) fn rustflags(&self) -> Vec<String> {
        let flag = match self {
            Self::Musl { own_linker: true, .. } => "-Clinker=rust-lld",
            Self::Musl { own_linker: false, .. } => return Vec::new(),
            Self::Static { .. } => "-Ctarget-feature=+crt-static",
        };
        vec![flag.to_owned()]
    }
}

impl Machine {
    /// Looks at this machine, and has rustup install the libraries for musl where they are missing.
    pub(super) fn look(shell: &Shell) -> Result<Self, BuildError> {
        let rustc = |args: &[&str]| Command::new(rustc()).args(args).read();
        let (about, sysroot) = at_once::both(|| rustc(&["--version", "--verbose"]), || rustc(&["--print", "sysroot"]));
        let about = about.map_err(|source| BuildError::Rustc { source })?;
        let sysroot = sysroot.map_err(|source| BuildError::Rustc { source })?;
        let said = |key: &str| about.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().to_owned();
        let (host, commit, sysroot) = (said("host: "), said("commit-hash: "), PathBuf::from(sysroot));
        let triple = musl(&host);
        // Elsewhere nobody tried it yet.
        let is_known = host.starts_with("x86_64-");
        let linker = sysroot.join("lib/rustlib").join(&host).join("bin/rust-lld");
        let own_linker = is_known && files::exists(linker) && !is_linked(&triple);
        let installed = || files::exists(sysroot.join("lib/rustlib").join(&triple).join("lib"));
        if !installed() {
            let _progress = shell.begin(format!("installing the target {triple}"));
            drop(Command::new("rustup").args(["target", "add", &triple]).run());
        }
        let (musl_libraries, musl_compiler) = (installed(), compiles_for(&triple));
        Ok(Self { host, musl_libraries, musl_compiler, sysroot, own_linker, commit })
    }
}

fn rustc() -> String {
    environment::var("RUSTC").unwrap_or_else(|| "rustc".into())
}

/// `x86_64-unknown-linux-gnu` to `x86_64-unknown-linux-musl`.
fn musl(host: &str) -> String {
    host.replace("-gnu", "-musl")
}

/// Whether there is one of the C compilers that the build of libgit2 looks for.
fn compiles_for(triple: &str) -> bool {
    let architecture = triple.split('-').next().unwrap_or_default();
    let there = |program: &str| Command::shell(format!("command -v {program}")).run().is_ok_and(|out| out.code == 0);
    let named = format!("CC_{}", triple.replace('-', "_"));
    environment::var(&named).is_some() || there("musl-gcc") || there(&format!("{architecture}-linux-musl-gcc"))
}

/// Whether the environment says what links for this target.
fn is_linked(triple: &str) -> bool {
    let named = format!("CARGO_TARGET_{}_LINKER", triple.replace('-', "_").to_uppercase());
    environment::var(&named).is_some() || flags::own().is_some_and(|flags| tell_how_to_link(&flags))
}

/// Whether flags name a linker, or say something to the one that rustc takes by itself: another one need not know it.
fn tell_how_to_link(flags: &[String]) -> bool {
    let words = ["linker", "link-arg", "link-self-contained"];
    flags.iter().any(|flag| words.iter().any(|word| flag.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(musl_libraries: bool, musl_compiler: bool, expect: &str, why: Option<&str>) {
        let host = "x86_64-unknown-linux-gnu".into();
        let (sysroot, commit) = (PathBuf::new(), String::new());
        let machine = Machine { host, musl_libraries, musl_compiler, sysroot, own_linker: true, commit };
        let target = choose(&machine);
        assert_eq!((target.triple(), target.why()), (expect, why));
    }

    #[test]
    fn musl_is_taken_where_it_can_be_had() {
        let (gnu, musl) = ("x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl");
        check(true, true, musl, None);
        check(true, false, gnu, Some("no C compiler for musl is installed (apt-get install musl-tools)"));
        let missing =
            "the target x86_64-unknown-linux-musl is not installed (rustup target add x86_64-unknown-linux-musl)";
        check(false, true, gnu, Some(missing));
        check(false, false, gnu, Some(missing));
    }

    #[test]
    fn rusts_own_linker_is_taken_where_it_is() {
        let check = |target: Target, expect: &[&str]| assert_eq!(target.rustflags(), expect, "{target:?}");
        let triple = "x86_64-unknown-linux-musl".to_owned();
        check(Target::Musl { triple: triple.clone(), own_linker: true }, &["-Clinker=rust-lld"]);
        check(Target::Musl { triple: triple.clone(), own_linker: false }, &[]);
        check(Target::Static { triple, why: String::new() }, &["-Ctarget-feature=+crt-static"]);
    }

    #[test]
    fn who_says_how_to_link_keeps_the_linker_that_it_is_for() {
        let check = |flags: &[&str], expect| {
            let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
            assert_eq!(tell_how_to_link(&flags), expect, "{flags:?}");
        };
        check(&[], false);
        check(&["-g", "-Ctarget-cpu=native"], false);
        check(&["-Clinker=musl-gcc"], true);
        check(&["-C", "linker=musl-gcc"], true);
        check(&["-Clinker-flavor=gcc"], true);
        check(&["-C", "link-arg=-fuse-ld=mold"], true);
        check(&["-Clink-args=-Wl,-z,now -s"], true);
        check(&["-Clink-self-contained=no"], true);
    }

    #[test]
    fn the_machines_own_musl_stays() {
        assert_eq!(musl("aarch64-unknown-linux-gnu"), "aarch64-unknown-linux-musl");
        assert_eq!(musl("x86_64-unknown-linux-musl"), "x86_64-unknown-linux-musl");
    }
}
