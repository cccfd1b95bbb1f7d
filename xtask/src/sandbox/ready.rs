//! All that must be so before a command starts sandboxes.

use std::path::Path;

use super::probe::probe_beyond;
use super::{Elevation, Missing, SandboxError, elevate, ensure_musl_compiler, ensure_tools, probe_bare};
use crate::shell::Shell;

/// Why a command can't have sandboxes.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// This user may not make them.
    #[error("{line}")]
    NotAllowed {
        /// What to run instead.
        line: String,
    },
    /// This machine can't have them.
    #[error("this machine can't run sandboxes: {}", missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Missing {
        /// All that is missing.
        missing: Vec<Missing>,
    },
    /// What is missing can't be installed from here.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

/// Gets the right to make sandboxes, by starting this command again where it must, installs what is missing, and looks
/// for all else that they need with their disks in `scratch`. Nothing is installed on a machine that can't have them.
///
/// # Errors
/// When there can be no sandboxes. That runners can be built for glibc only, or that hosts have no way out to the package
/// mirrors, is said, and no error.
pub fn ready(scratch: &Path, shell: &Shell) -> Result<(), NotReady> {
    if let Elevation::Impossible(line) = elevate()? {
        return Err(NotReady::NotAllowed { line });
    }
    let bare = probe_bare(scratch);
    if !bare.possible() {
        return Err(NotReady::Missing { missing: bare.missing });
    }
    let say = |line: &str| shell.done("machine", line);
    ensure_tools(&say)?;
    if let Err(error) = ensure_musl_compiler(&say) {
        shell.note(format_args!("the runner is built for glibc: {error}"));
    }
    let beyond = probe_beyond();
    if !beyond.possible() {
        return Err(NotReady::Missing { missing: beyond.missing });
    }
    beyond.missing.iter().for_each(|missing| shell.warn(missing));
    Ok(())
}
