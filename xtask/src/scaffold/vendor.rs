//! A copy of the crates of Wildebeest inside a fleet, so that it builds from its own repository alone.

use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, TomlError, value};
use wb_core::system::files::{self, FileError};

use crate::git::{GitError, WorkTree};

/// Where the copy goes in a fleet.
pub(super) const PLACE: &str = "vendor/wildebeest";

const CRATES: [&str; 4] = ["wb-core", "wb-macros", "wb-stdlib", "xtask"];

/// Why the crates could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum VendorError {
    /// The sources that this program was compiled from are gone.
    #[error("the sources that this program was compiled from are gone: {}", dir.display())]
    Gone {
        /// Where they were.
        dir: PathBuf,
    },
    /// They are in no repository, so nobody knows which files belong to them.
    #[error("could not list the files of Wildebeest in {}", dir.display())]
    Untracked {
        /// Where they are.
        dir: PathBuf,
        /// What git said.
        source: GitError,
    },
    /// A file could not be copied.
    #[error(transparent)]
    File(#[from] FileError),
    /// Their workspace could not be read.
    #[error("{} is not TOML that can be edited", path.display())]
    Workspace {
        /// Its Cargo.toml.
        path: PathBuf,
        /// The mistake.
        source: TomlError,
    },
}

/// The sources that this program was compiled from.
pub(crate) fn sources() -> PathBuf {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_dir.parent().unwrap_or(crate_dir).to_owned()
}

/// Copies the tracked files of the crates to `to`, with a workspace of their own; gives `to` back.
pub(super) fn copy(sources: &Path, to: &Path) -> Result<PathBuf, VendorError> {
    let manifest = sources.join("Cargo.toml");
    if !files::exists(&manifest) {
        return Err(VendorError::Gone { dir: sources.to_owned() });
    }
    for path in tracked(sources)? {
        let target = to.join(&path);
        files::create_dir(target.parent().unwrap_or(to))?;
        files::copy(sources.join(&path), &target)?;
    }
    let workspace = workspace(&files::read_text(&manifest)?);
    let workspace = workspace.map_err(|source| VendorError::Workspace { path: manifest, source })?;
    files::write(to.join("Cargo.toml"), workspace, 0o644)?;
    Ok(to.to_owned())
}

fn tracked(sources: &Path) -> Result<Vec<PathBuf>, VendorError> {
    let tracked = WorkTree::tracked(sources);
    let tracked = tracked.map_err(|source| VendorError::Untracked { dir: sources.to_owned(), source })?;
    Ok(tracked.into_iter().filter(|path| belongs(path) && files::exists(sources.join(path))).collect())
}

/// The crates, and what stands beside them and holds for them.
fn belongs(path: &Path) -> bool {
    let first = path.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
    let first = first.unwrap_or_default();
    CRATES.contains(&first.as_str()) || first.starts_with("LICENSE") || first == "Cargo.lock"
}

/// The workspace of the copy: that of the sources, with the members that were copied.
fn workspace(manifest: &str) -> Result<String, TomlError> {
    let mut document: DocumentMut = manifest.parse()?;
    document["workspace"]["members"] = value(CRATES.into_iter().collect::<Array>());
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_of_the_copy_has_its_members_only() {
        let text =
            workspace("[workspace]\nmembers = [\"wb-core\", \"tests\"]\n[workspace.package]\nedition = \"2024\"\n");
        let expect = "[workspace]\nmembers = [\"wb-core\", \"wb-macros\", \"wb-stdlib\", \"xtask\"]\n\
                      [workspace.package]\nedition = \"2024\"\n";
        assert_eq!(text.unwrap(), expect);
    }

    #[test]
    fn only_the_crates_are_copied() {
        let check = |path: &str, expect| assert_eq!(belongs(Path::new(path)), expect, "{path}");
        check("wb-core/src/lib.rs", true);
        check("xtask/templates/ci.yml", true);
        check("LICENSE-MIT", true);
        check("tests/src/lib.rs", false);
        check("migrations-crate/src/main.rs", false);
    }
}
