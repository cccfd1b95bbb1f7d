//! A new fleet repository: its files, its first commit, and a commit for each of its migrations.

mod templates;
mod vendor;

use std::path::{Path, PathBuf};

use wb_core::chain::Sha1;
use wb_core::system::files::{self, FileError};
use wb_core::system::{Command, CommandError, environment};

use crate::chain_file::{self, ChainFileError};
use crate::fleet::{self, Fleet, FleetError};
use crate::git::{GitError, WorkTree};
use crate::shell::Shell;

pub use templates::dev_profile;
pub(crate) use templates::profiles;
pub use vendor::VendorError;
pub(crate) use vendor::sources;

/// What a new fleet consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scaffold {
    /// Where it goes. It must not be there, or be empty.
    pub dir: PathBuf,
    /// Where it gets Wildebeest from.
    pub dependencies: Dependencies,
    /// The text of `herd.toml`.
    pub herd: String,
    /// The text of `src/roles.rs`.
    pub roles: String,
    /// The text of `allowed_signers`.
    pub signers: String,
    /// The text of `src/tests.rs`: unit tests of its migrations, by their names.
    pub tests: String,
    /// Other files of the crate of migrations, by their path in it.
    pub files: Vec<SourceFile>,
    /// Its migrations, oldest first.
    pub links: Vec<LinkSource>,
}

/// Where a fleet gets the crates of Wildebeest from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependencies {
    /// The very sources that this program was compiled from, by their path.
    Paths,
    /// A copy of them in the fleet, under `vendor/wildebeest/`.
    Vendored,
    /// The crates of the same version on crates.io.
    Published,
}

/// A file, by its path in the crate of migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Relative to the crate.
    pub path: PathBuf,
    /// All of it.
    pub content: Vec<u8>,
}

/// A migration to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSource {
    /// Its name.
    pub name: String,
    /// The text of `src/chain/NAME.rs`.
    pub source: String,
    /// The files that come with it, by their path in the crate.
    pub files: Vec<SourceFile>,
}

/// Why there is no new fleet.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// Something is there already.
    #[error("{} exists and is not empty", dir.display())]
    NotEmpty {
        /// Where the fleet was to go.
        dir: PathBuf,
    },
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// What was written is no fleet.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The sources of Wildebeest could not be copied.
    #[error(transparent)]
    Vendor(#[from] VendorError),
    /// A migration could not be added.
    #[error(transparent)]
    Chain(#[from] ChainFileError),
    /// Cargo found no set of versions.
    #[error("could not write Cargo.lock")]
    Lock {
        /// What cargo said.
        source: CommandError,
    },
}

impl Scaffold {
    /// A fleet with one role and one migration, ready for the first host.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, dependencies: Dependencies) -> Self {
        let first =
            LinkSource { name: "base_packages".into(), source: templates::FIRST_LINK.into(), files: Vec::new() };
        Self {
            dir: dir.into(),
            dependencies,
            herd: templates::HERD.into(),
            roles: templates::ROLES.into(),
            signers: templates::SIGNERS.into(),
            tests: templates::TESTS.into(),
            files: Vec::new(),
            links: vec![first],
        }
    }

    /// Makes the repository: all files in a first commit, then a commit for each migration. When it fails, nothing of
    /// it stays.
    ///
    /// # Errors
    /// When something is there already, and when a file can't be written or git fails.
    pub fn create(&self, shell: &Shell) -> Result<Fleet, ScaffoldError> {
        if files::exists(&self.dir) && !files::list(&self.dir)?.is_empty() {
            return Err(ScaffoldError::NotEmpty { dir: self.dir.clone() });
        }
        let created = self.create_in_empty(shell);
        if created.is_err() {
            drop(files::remove_tree(&self.dir));
        }
        created
    }

    fn create_in_empty(&self, shell: &Shell) -> Result<Fleet, ScaffoldError> {
        files::create_dir(&self.dir)?;
        let tree = WorkTree::create(&self.dir)?;
        self.write_files(shell)?;
        let sha1 = tree.commit_all("Start a fleet")?;
        shell.done("committed", format_args!("{} the files of a fleet", sha1.short()));
        let fleet = Fleet::around(&self.dir)?;
        for link in &self.links {
            let sha1 = commit_link(&fleet, &tree, link)?;
            shell.done("committed", format_args!("{} the migration `{}`", sha1.short(), link.name));
        }
        Ok(fleet)
    }

    fn write_files(&self, shell: &Shell) -> Result<(), ScaffoldError> {
        let sources = vendor::sources();
        let wildebeest = match self.dependencies {
            Dependencies::Paths => Some(sources.clone()),
            Dependencies::Vendored => Some(vendor::copy(&sources, &self.dir.join(vendor::PLACE))?),
            Dependencies::Published => None,
        };
        for (path, content) in templates::files(self, wildebeest.as_deref()) {
            write(&self.dir.join(path), &content)?;
        }
        let crate_dir = self.dir.join(templates::CRATE);
        self.files.iter().try_for_each(|file| write(&crate_dir.join(&file.path), &file.content))?;
        if let Some(lock) = files::read_optional(sources.join("Cargo.lock"))? {
            write(&self.dir.join("Cargo.lock"), &lock)?;
        }
        lock_versions(&self.dir, shell)
    }
}

/// Adds a migration to a fleet and commits it, with all else that differs in the work tree.
///
/// # Errors
/// When a file can't be written, or git fails.
pub fn add_link(fleet: &Fleet, link: &LinkSource) -> Result<Sha1, ScaffoldError> {
    commit_link(fleet, &fleet.work_tree()?, link)
}

fn commit_link(fleet: &Fleet, tree: &WorkTree, link: &LinkSource) -> Result<Sha1, ScaffoldError> {
    link.files.iter().try_for_each(|file| write(&fleet.crate_dir.join(&file.path), &file.content))?;
    chain_file::add(&fleet.crate_dir, &link.name, None, &link.source)?;
    Ok(tree.commit_all(&format!("Add the migration {}", link.name))?)
}

fn write(path: &Path, content: &[u8]) -> Result<(), ScaffoldError> {
    if let Some(parent) = path.parent() {
        files::create_dir(parent)?;
    }
    Ok(files::write(path, content, 0o644)?)
}

/// Cargo.lock is committed complete, or the first build would make the work tree dirty. The versions are those that
/// this program was built with, as far as they are known: then nothing is downloaded.
fn lock_versions(dir: &Path, shell: &Shell) -> Result<(), ScaffoldError> {
    let update = || fleet::cargo().dir(dir).args(["update", "--workspace", "--quiet"]);
    if update().arg("--offline").read().is_ok() {
        return Ok(());
    }
    let _progress = shell.begin("looking for versions of all dependencies");
    update().read().map(drop).map_err(|source| ScaffoldError::Lock { source })
}

/// The toolchain that a fleet is pinned to: the one that runs now, where its name means the same on other machines.
fn toolchain() -> Option<String> {
    let active = || Command::new("rustup").args(["show", "active-toolchain"]).read().ok();
    let name = environment::var("RUSTUP_TOOLCHAIN").or_else(active)?;
    channel(&name).map(str::to_owned)
}

/// `stable-x86_64-unknown-linux-gnu (default)` to `stable`.
fn channel(toolchain: &str) -> Option<&str> {
    let channel = toolchain.split_once('-').map_or(toolchain, |(channel, _)| channel);
    let numbered = channel.split('.').count() >= 2 && channel.chars().all(|c| c.is_ascii_digit() || c == '.');
    (channel == "stable" || numbered).then_some(channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_what_other_machines_know_too() {
        let check = |toolchain, expect| assert_eq!(channel(toolchain), expect, "{toolchain}");
        check("stable-x86_64-unknown-linux-gnu", Some("stable"));
        check("1.95.0-x86_64-unknown-linux-gnu", Some("1.95.0"));
        check("1.95", Some("1.95"));
        check("stable-x86_64-unknown-linux-gnu (default)", Some("stable"));
        check("my-build", None);
        check("nightly-2026-01-01-x86_64-unknown-linux-gnu", None);
    }

    #[test]
    fn a_directory_with_something_in_it_is_refused_and_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        files::write(dir.path().join("mine"), "precious", 0o644).unwrap();
        let (shell, _) = Shell::captured();
        let error = Scaffold::new(dir.path(), Dependencies::Paths).create(&shell).unwrap_err();
        assert_eq!(error.to_string(), format!("{} exists and is not empty", dir.path().display()));
        assert_eq!(files::read_text(dir.path().join("mine")).unwrap(), "precious");
    }
}
