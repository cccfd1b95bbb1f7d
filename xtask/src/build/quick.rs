//! Runners that no host outside of this machine ever runs: those of tests. They are compiled as quickly as can be, with the
//! same flags as all others.
//!
//! All of them lie in one directory, so that what fleets share is compiled once, whoever is first. It is a directory of
//! their own: cargo lets one build at a time into what a profile has in a target directory, and who waits for a runner, or
//! for its twin, would wait for whatever else is compiled there.
//!
//! Cargo gives the runners of all fleets one name there, and those of the twins are the same. Tests build at the same time,
//! and read what was built long after: so whoever builds waits for its turn, and gives what it built a name of its own
//! before the next one builds.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wb_core::chain::Digest;
use wb_core::system::clock::{Clock as _, Real};
use wb_core::system::files::{self, FileError, Lock};
use wb_core::system::{Command, environment};

use crate::fleet::Fleet;

/// The variables that make cargo quick with a runner, whatever the profile of its fleet says: what takes its time is to
/// optimise. What a runner spends its time with is compiled with care all the same, by that profile. Assertions for
/// development are compiled in: without them no twin lets itself be armed, and with them in both the runner and its twin
/// share the crates of others.
pub const PROFILE: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true"),
];

/// Where they are built, in the target directory of the workspace whose tests these are.
#[must_use]
pub fn target_dir(target: &Path) -> PathBuf {
    target.join("runners")
}

/// Has a command build its runners so, and all that it calls.
#[must_use]
pub fn builds(command: Command, target: &Path) -> Command {
    let command = PROFILE.iter().fold(command, |command, (name, value)| command.env(name, value));
    command.env("CARGO_TARGET_DIR", target_dir(target))
}

/// Whether this process was told so. Then the runner's twin is compiled as the runner is, since that is as quick as the profile
/// for everyday builds, and all that the two share is compiled once.
pub(super) fn is_told() -> bool {
    PROFILE.iter().all(|&(name, value)| environment::var(name).as_deref() == Some(value))
}

/// Waits until nobody else builds so in this directory, and keeps others from it until it is dropped. Cargo's own lock is
/// free again before anybody could take what was built. Where nobody was told to build so, nobody waits.
pub(super) fn turn() -> Result<Option<Lock>, FileError> {
    const PAUSE: Duration = Duration::from_millis(100);
    let Some(target) = environment::var("CARGO_TARGET_DIR").filter(|_| is_told()) else { return Ok(None) };
    files::create_dir(&target)?;
    let path = Path::new(&target).join("turn");
    loop {
        if let Some(lock) = files::try_lock(&path)? {
            return Ok(Some(lock));
        }
        Real.sleep(PAUSE);
    }
}

/// Gives what was built of a fleet a name of its own, and that name. It takes no room: cargo writes no file anew that has
/// another name, too.
pub(super) fn keep(built: &Path, fleet: &Fleet, ending: &str) -> Result<PathBuf, FileError> {
    let whose = Digest::of(fleet.crate_dir.as_os_str().as_bytes()).short();
    let named = |ending: &str| built.with_extension(format!("{whose}.{ending}"));
    let (new, own) = (named("new"), named(ending));
    files::remove(&new)?;
    files::hard_link(built, &new)?;
    files::rename(&new, &own)?;
    // Where it had that name already, the kernel leaves it both.
    files::remove(&new)?;
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_told_where_and_how() {
        let command = builds(Command::new("cargo"), Path::new("/t"));
        let variable = |name: &str| command.variable(name).and_then(|value| value.to_str());
        assert_eq!(variable("CARGO_TARGET_DIR"), Some("/t/runners"));
        assert!(PROFILE.iter().all(|&(name, value)| variable(name) == Some(value)));
    }

    #[test]
    fn the_next_build_takes_nobodys_runner_away() {
        let dir = tempfile::tempdir().unwrap();
        let built = dir.path().join("wildebeest");
        let kept = |content: &str, crate_dir: &str, ending: &str| {
            files::remove(&built).unwrap();
            files::write(&built, content, 0o755).unwrap();
            let fleet = Fleet { crate_dir: crate_dir.into(), package: "m".into(), binary: "wildebeest".into() };
            assert_eq!(keep(&built, &fleet, ending).unwrap(), keep(&built, &fleet, ending).unwrap());
            keep(&built, &fleet, ending).unwrap()
        };
        let one = kept("one", "/one", "runner");
        let (twin, other) = (kept("twin", "/one", "twin"), kept("other", "/other", "runner"));
        let read = |path: &Path| files::read_text(path).unwrap();
        assert_eq!([&one, &twin, &other].map(|path| read(path)), ["one", "twin", "other"]);
        assert_eq!(kept("newer", "/one", "runner"), one);
        assert_eq!(read(&one), "newer");
        assert_eq!(files::list(dir.path()).unwrap().len(), 4);
    }
}
