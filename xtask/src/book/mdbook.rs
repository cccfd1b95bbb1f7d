//! mdBook: the one that is installed where it fits, else one of a fixed version, built once for all clones on a machine.

use std::path::{Path, PathBuf};

use wb_core::system::{Command, CommandError};

use crate::fleet;
use crate::sandbox::{self, SandboxError};
use crate::shell::Shell;

/// The mdBook that is installed where there is none that fits.
pub const VERSION: &str = "0.5.4";

/// The versions that understand the book's `book.toml`.
const FITS: &str = "0.5.";

/// Why there is no mdBook.
#[derive(Debug, thiserror::Error)]
pub enum MdbookError {
    /// There is no place for it.
    #[error(transparent)]
    Place(#[from] SandboxError),
    /// Cargo could not build it.
    #[error("could not install mdBook {VERSION}")]
    Install {
        /// What cargo said.
        source: CommandError,
    },
}

/// The program to run: `mdbook`, or one of our own.
///
/// # Errors
/// When there is none, and none can be installed.
pub(super) fn program(shell: &Shell) -> Result<PathBuf, MdbookError> {
    let installed = PathBuf::from("mdbook");
    if answers(&installed) {
        return Ok(installed);
    }
    // Clones that want another one have theirs beside it.
    let root = sandbox::tools_dir()?.join(format!("mdbook-{VERSION}"));
    let own = root.join("bin/mdbook");
    if !answers(&own) {
        install(&root, shell)?;
    }
    Ok(own)
}

/// Builds it, in the place of one that may be there and does not run.
fn install(root: &Path, shell: &Shell) -> Result<(), MdbookError> {
    let _progress = shell.begin(format!("installing mdBook {VERSION}, once; this takes some minutes"));
    let version = format!("={VERSION}");
    let install = ["install", "mdbook", "--version", &version, "--locked", "--no-default-features", "--quiet"];
    // Nobody debugs it.
    let command = fleet::cargo().args(install).args(["--debug", "--force"]).env("CARGO_PROFILE_DEV_DEBUG", "0");
    command.arg("--root").arg(root).read().map(drop).map_err(|source| MdbookError::Install { source })
}

fn answers(program: &Path) -> bool {
    let said = Command::new(program).arg("--version").read();
    said.is_ok_and(|version| fits(&version))
}

fn fits(version: &str) -> bool {
    version.strip_prefix("mdbook v").is_some_and(|number| number.starts_with(FITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versions_that_understand_the_book_fit() {
        let check = |said: &str, expect| assert_eq!(fits(said), expect, "{said}");
        check("mdbook v0.5.4", true);
        check("mdbook v0.5.0-beta.1", true);
        check("mdbook v0.4.52", false);
        check("mdbook v0.50.0", false);
        check("another program 0.5.4", false);
    }

    #[test]
    fn what_is_installed_fits() {
        assert!(fits(&format!("mdbook v{VERSION}")));
    }
}
