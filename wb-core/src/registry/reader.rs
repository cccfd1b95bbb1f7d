//! The one builder of `git` commands that read the repository of a fleet's sources.
//!
//! What somebody has configured must not change what is read: neither a variable that points elsewhere, nor a setting
//! that changes an output, nor replaced objects and grafts, which only one clone has.

use std::path::Path;

use crate::system::Command;

const INHERITED: [&str; 13] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_SHALLOW_FILE",
];

const SETTINGS: [&str; 4] =
    ["log.showSignature=false", "log.follow=false", "log.showRoot=true", "advice.graftFileDeprecated=false"];

/// `git -C dir …`.
pub(super) fn git(dir: &Path) -> Command {
    let mut command = Command::new("git").arg("-C").arg(dir);
    for setting in SETTINGS {
        command = command.args(["-c", setting]);
    }
    for name in INHERITED {
        command = command.env_remove(name);
    }
    command.env("LC_ALL", "C").env("GIT_NO_REPLACE_OBJECTS", "1").env("GIT_GRAFT_FILE", "/dev/null")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_its_directory_first() {
        let line = git(Path::new("/srv/fleet")).arg("log").line();
        assert!(line.starts_with("git -C /srv/fleet -c log.showSignature=false "), "{line}");
        assert!(line.ends_with(" log"), "{line}");
    }
}
