//! The book: Markdown under `docs/`, out of which mdBook makes pages.
//!
//! mdBook takes a link to a page or a heading that is not there without a word, so the links between pages are followed
//! before it runs, and what it says about anything else is a failure too.

mod generated;
mod links;
mod mdbook;

use std::path::{Path, PathBuf};

use cargo_metadata::Metadata;
use wb_core::system::files::{self, FileError};
use wb_core::system::{Command, CommandError, environment};

use crate::fleet::{self, FleetError};
use crate::shell::Shell;

pub use generated::Stale;
pub use links::Broken;
pub use mdbook::{MdbookError, VERSION};

/// The sources of a book, and where its pages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Book {
    /// The directory with `book.toml`.
    pub dir: PathBuf,
    /// Cargo's target directory.
    pub target: PathBuf,
}

/// Why there are no pages.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// Nobody knows where the workspace is.
    #[error(transparent)]
    Workspace(#[from] FleetError),
    /// The workspace has no book.
    #[error("there is no docs/book.toml in {}: the book is part of Wildebeest's own repository", root.display())]
    None {
        /// The workspace.
        root: PathBuf,
    },
    /// Links lead nowhere.
    #[error("{} links of the book lead nowhere: {}", broken.len(), broken.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Broken {
        /// All of them.
        broken: Vec<Broken>,
    },
    /// A page does not say what the code says.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// mdBook could not be had.
    #[error(transparent)]
    Mdbook(#[from] MdbookError),
    /// mdBook is not content.
    #[error("mdBook says:\n{said}")]
    Said {
        /// Its own words.
        said: String,
    },
    /// A file of the book can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// mdBook could not be run.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Book {
    /// The book of the workspace around the current directory.
    ///
    /// # Errors
    /// When there is no workspace, or it has no book.
    pub fn current() -> Result<Self, BookError> {
        Self::around(&environment::current_dir().unwrap_or_else(|_| ".".into()))
    }

    /// The book of the workspace around `dir`.
    ///
    /// # Errors
    /// When there is no workspace, or it has no book.
    pub fn around(dir: &Path) -> Result<Self, BookError> {
        let metadata = fleet::metadata(dir)?;
        Self::of(&metadata).ok_or_else(|| BookError::None { root: metadata.workspace_root.into_std_path_buf() })
    }

    /// The book of this workspace, where it has one.
    pub(crate) fn of(metadata: &Metadata) -> Option<Self> {
        let (root, target) = (metadata.workspace_root.as_std_path(), metadata.target_directory.as_std_path());
        let book = Self { dir: root.join("docs"), target: target.to_owned() };
        files::exists(book.dir.join("book.toml")).then_some(book)
    }

    /// Follows the links, and makes the pages; gives the first one. mdBook is installed where there is none.
    ///
    /// # Errors
    /// When a link leads nowhere, mdBook can't be installed, or it says anything.
    pub fn build(&self, shell: &Shell) -> Result<PathBuf, BookError> {
        self.compare()?;
        self.follow_links()?;
        let mdbook = mdbook::program(shell)?;
        let pages = self.target.join("book");
        let command = Command::new(mdbook).arg("build").arg("--dest-dir").arg(&pages).arg(&self.dir);
        let output = command.env("MDBOOK_LOG", "error").run()?;
        match output.error_text() {
            said if output.code != 0 || !said.is_empty() => Err(BookError::Said { said }),
            _ => Ok(pages.join("index.html")),
        }
    }

    /// Writes anew what pages have from the code.
    ///
    /// # Errors
    /// When a page has no place for it, or can't be read or written.
    pub fn generate(&self) -> Result<(), BookError> {
        let path = self.dir.join("src").join(generated::PAGE);
        let text = files::read_text(&path)?;
        let new = generated::page(&text)?;
        if new != text {
            files::write(&path, new, 0o644)?;
        }
        Ok(())
    }

    /// Whether pages say what the code says.
    ///
    /// # Errors
    /// When one does not, or can't be read.
    pub fn compare(&self) -> Result<(), BookError> {
        let text = files::read_text(self.dir.join("src").join(generated::PAGE))?;
        Ok(generated::compare(&text)?)
    }

    /// Follows every link between the pages.
    ///
    /// # Errors
    /// When one leads nowhere, or a page can't be read.
    pub fn follow_links(&self) -> Result<(), BookError> {
        let source = self.dir.join("src");
        let mut pages = links::Pages::new();
        for path in files::list(&source)?.into_iter().filter(|path| path.extension().is_some_and(|end| end == "md")) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            pages.insert(name, files::read_text(&path)?);
        }
        match links::broken(&pages) {
            broken if broken.is_empty() => Ok(()),
            broken => Err(BookError::Broken { broken }),
        }
    }
}
