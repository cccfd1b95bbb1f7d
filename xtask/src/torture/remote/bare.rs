//! The remote of a visit, as somebody has it who may write there whatever git stores.

use std::path::{Path, PathBuf};

use wb_core::chain::Sha1;
use wb_core::registry::{Access, Git, SigningKey};
use wb_core::system::{Command, files};

use super::super::TortureError;

/// A bare repository.
#[derive(Debug, Clone)]
pub struct Bare {
    path: PathBuf,
}

/// Who signs a commit, if anybody does.
pub type Signer<'a> = Option<&'a SigningKey>;

impl Bare {
    /// The one at `path`.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// `git` in it.
    #[must_use]
    pub fn git(&self) -> Command {
        Git::new(Access::Operator { ssh_command: None }).local(&self.path)
    }

    /// Stores an object as it is, right or wrong.
    ///
    /// # Errors
    /// When git does not even store it.
    pub fn object(&self, kind: &str, content: &[u8]) -> Result<Sha1, TortureError> {
        let store = self.git().args(["hash-object", "-w", "--stdin", "--literally", "-t", kind]).stdin(content);
        sha1(&store.read().map_err(TortureError::Command)?)
    }

    /// A tree of entries as `git mktree` takes them: `100644 blob <sha1>\t<name>`.
    ///
    /// # Errors
    /// When git does not take them.
    pub fn tree(&self, entries: &str) -> Result<Sha1, TortureError> {
        sha1(&self.git().args(["mktree", "--missing"]).stdin(entries).read().map_err(TortureError::Command)?)
    }

    /// A tree of one file.
    ///
    /// # Errors
    /// When git does not store it.
    pub fn tree_of(&self, name: &str, content: &[u8]) -> Result<Sha1, TortureError> {
        let blob = self.object("blob", content)?;
        self.tree(&format!("100644 blob {blob}\t{name}\n"))
    }

    /// The text of a commit, signed by `signer`.
    ///
    /// # Errors
    /// When it can't be signed.
    pub fn commit_text(
        &self,
        tree: Sha1,
        parents: &[Sha1],
        message: &str,
        signer: Signer<'_>,
    ) -> Result<String, TortureError> {
        let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
        let who = "Ada <ada@example.org> 2000000000 +0000";
        let head = format!("tree {tree}\n{parents}author {who}\ncommitter {who}\n");
        let Some(signer) = signer else { return Ok(format!("{head}\n{message}")) };
        let signature = signer.sign(format!("{head}\n{message}").as_bytes())?;
        Ok(format!("{head}gpgsig {}\n\n{message}", signature.trim_end().replace('\n', "\n ")))
    }

    /// What an object has in it; nothing where it can't be read.
    ///
    /// # Errors
    /// When git can't be run.
    pub fn content(&self, kind: &str, name: &str) -> Result<Option<Vec<u8>>, TortureError> {
        let output = self.git().args(["cat-file", kind, name]).run().map_err(TortureError::Command)?;
        Ok((output.code == 0).then_some(output.stdout))
    }

    /// Where a ref points, if that can be told.
    ///
    /// # Errors
    /// When git can't be run.
    pub fn target(&self, reference: &str) -> Result<Option<Sha1>, TortureError> {
        let output = self.git().args(["rev-parse", "--quiet", "--verify", reference]).run();
        Ok(output.map_err(TortureError::Command)?.text().parse().ok())
    }

    /// Writes the file of a ref, whatever that makes of it.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn aim(&self, reference: &str, content: &str) -> Result<(), TortureError> {
        let path = self.file(reference);
        if let Some(parent) = path.parent() {
            files::create_dir(parent)?;
        }
        Ok(files::write(path, content, 0o644)?)
    }
}

fn sha1(text: &str) -> Result<Sha1, TortureError> {
    text.trim().parse().map_err(|_| TortureError::NoRound)
}
