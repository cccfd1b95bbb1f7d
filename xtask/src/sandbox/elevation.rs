//! The right to make sandboxes, for who is not root.

use wb_core::system::{Command, CommandError, environment, files};

use super::{SandboxError, while_doing};

/// How this process can get the right to mount and to make networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Elevation {
    /// It has it.
    Root,
    /// By `sudo`, which asks for no password.
    Sudo,
    /// In a user namespace, in which this user and its subordinate ids are root and others.
    UserNamespaces,
    /// Not at all: a line that says what to run.
    Impossible(String),
}

/// Looks which way there is.
#[must_use]
pub fn elevation() -> Elevation {
    if rustix::process::geteuid().is_root() {
        return Elevation::Root;
    }
    if works(&sudo().arg("true")) {
        return Elevation::Sudo;
    }
    if works(&user_namespace().arg("true")) {
        return Elevation::UserNamespaces;
    }
    Elevation::Impossible(impossible())
}

/// Makes this process one that may make sandboxes: where it is not, the same command is started again in its place,
/// by the way that [`elevation`] finds. Call it first thing, before any thread starts. Returns `Root`, or `Impossible`
/// with the line to show before exit code 3.
///
/// # Errors
/// When the command can't be started again.
pub fn elevate() -> Result<Elevation, SandboxError> {
    let way = elevation();
    let outer = match &way {
        Elevation::Root | Elevation::Impossible(_) => return Ok(way),
        Elevation::Sudo => sudo().arg("env").arg(path_assignment()),
        Elevation::UserNamespaces => user_namespace(),
    };
    Err(while_doing("start this command again with more rights")(again(outer)?.exec()))
}

/// Whether this process is root only in a user namespace.
pub(super) fn in_user_namespace() -> bool {
    files::read_text("/proc/self/uid_map").is_ok_and(|map| is_partial(&map))
}

fn is_partial(uid_map: &str) -> bool {
    !uid_map.split_whitespace().eq(["0", "0", "4294967295"])
}

fn user_namespace() -> Command {
    Command::new("unshare").args(["--user", "--map-root-user", "--map-auto"])
}

fn sudo() -> Command {
    Command::new("sudo").args(["-n", "--preserve-env"])
}

/// sudo takes another `PATH` than the caller's, in which there is no cargo.
fn path_assignment() -> String {
    format!("PATH={}", environment::var("PATH").unwrap_or_default())
}

fn again(outer: Command) -> Result<Command, SandboxError> {
    let failed = |source| while_doing("find this program")(CommandError::Start { line: "self".into(), source });
    let program = environment::current_exe().map_err(failed)?;
    Ok(outer.arg(program).args(environment::args().into_iter().skip(1)))
}

fn works(command: &Command) -> bool {
    command.run().is_ok_and(|output| output.code == 0)
}

fn impossible() -> String {
    let args = environment::args();
    let words: Vec<_> = args.iter().map(|word| word.to_string_lossy()).collect();
    format!(
        "sandboxes need root, or user namespaces (package uidmap and lines in /etc/subuid); run: sudo {}",
        words.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_map_is_no_user_namespace() {
        assert!(!is_partial("         0          0 4294967295\n"));
        assert!(is_partial("0 1000 1\n1 100000 65536\n"));
    }
}
