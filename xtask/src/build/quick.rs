//! Runners that no host outside of this machine ever runs: those of tests. They are compiled as quickly as can be, with the
//! same flags as all others.
//!
//! All of them lie in one directory, so that what fleets share is compiled once, whoever is first. It is a directory of
//! their own: cargo lets one build at a time into what a profile has in a target directory, and who waits for a runner, or
//! for its twin, would wait for whatever else is compiled there.

use std::path::{Path, PathBuf};

use wb_core::system::{Command, environment};

/// The variables that make cargo quick with a runner: for production it takes ten times as long. What a runner spends its
/// time with is compiled with care all the same, by the profile of each fleet. Assertions for development are compiled in:
/// without them no twin lets itself be armed, and with them in both the runner and its twin share the crates of others.
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
}
