//! What can go wrong with files, directories and links.

use std::fmt;
use std::path::PathBuf;

use wb_core::context::DebtError;
use wb_core::system::CommandError;
use wb_core::system::files::{self, Cause, Kind};

use crate::owner::OwnerError;

/// What can go wrong with a file, a directory or a link.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The path would mean something else in another directory.
    #[error("the path `{}` is not absolute, or leads through `..`", .path.display())]
    BadPath {
        /// The path.
        path: PathBuf,
    },
    /// Something of another kind is there. It is not replaced unless somebody says so: that could lose it.
    #[error("{} is to be {wanted}, and is {found}\nhint: if nobody needs that, `.replacing()` lets it go", .path.display())]
    InTheWay {
        /// The path.
        path: PathBuf,
        /// What is to be there.
        wanted: &'static str,
        /// What is there.
        found: KindWord,
    },
    /// A directory is there, with something in it. It is not replaced, whatever anybody says.
    #[error("{0} is to be {wanted}, and is a directory with something in it\nhint: `host.directory(\"{0}\").absent()?` removes it with all of that", .path.display())]
    NotEmpty {
        /// The path.
        path: PathBuf,
        /// What is to be there.
        wanted: &'static str,
    },
    /// Another file system is mounted at or below what is to go.
    #[error("{0} is to go, and a file system is mounted at {1}\nhint: `umount {1}` first, so that what is in it stays", .path.display(), .mount.display())]
    Mounted {
        /// The path.
        path: PathBuf,
        /// Where it is mounted.
        mount: PathBuf,
    },
    /// What is to be kept is told by a path that is not one below its directory.
    #[error("`{}`, which is to be kept, is no path below {}\nhint: say it from there: `.keeping(\"uploads\")`", .kept.display(), .path.display())]
    BadKept {
        /// The directory.
        path: PathBuf,
        /// What is to be kept.
        kept: PathBuf,
    },
    /// A mode is said of what the assets do not have.
    #[error("the assets `{assets}` have no `{}`, which is to have a mode of its own, for {}\nhint: name it by its path in them: `.mode_of(\"bin/run\", 0o755)`", .named.display(), .path.display())]
    NoAsset {
        /// The directory.
        path: PathBuf,
        /// The name of the assets.
        assets: &'static str,
        /// What is to have the mode.
        named: PathBuf,
    },
    /// What is to be kept would go with what is in the way.
    #[error("{} is to be {wanted}, and {} is to be kept\nhint: move it to where nothing of the assets is to be, and keep it there", .path.display(), .kept.display())]
    Kept {
        /// The path.
        path: PathBuf,
        /// What is to be there.
        wanted: &'static str,
        /// What is to be kept.
        kept: PathBuf,
    },
    /// What was said can only be of a directory alone, and it was said of all that is in it.
    #[error("`{word}` is of a directory alone, not of all that is in it, for {0}\nhint: say it in an operation of its own: `host.directory(\"{0}\"){word}.present()?`", .path.display())]
    NotOfTrees {
        /// The directory.
        path: PathBuf,
        /// What was said, as in `.replacing()`.
        word: &'static str,
    },
    /// The directory that it is to be in is not there.
    #[error("there is no directory {} for {}\nhint: `host.directory(…).present()?` makes it", .parent.display(), .path.display())]
    NoDirectory {
        /// The directory.
        parent: PathBuf,
        /// The path.
        path: PathBuf,
    },
    /// It is to be in something that is no directory.
    #[error("{0} can't be there: {1} is no directory\nhint: `ls -ld {1}` shows what it is", .path.display(), .file.display())]
    Through {
        /// The path.
        path: PathBuf,
        /// What is no directory.
        file: PathBuf,
    },
    /// Symbolic links lead to each other.
    #[error("{0} leads through symbolic links that lead to each other\nhint: `namei -l {0}` shows them", .path.display())]
    LinkLoop {
        /// The path.
        path: PathBuf,
        /// The system's error, where it was the system that met them.
        source: Option<files::FileError>,
    },
    /// Somebody leads root to what is not theirs.
    #[error(
        "the symbolic link {} belongs to user {uid}, and {} does not\nhint: name {} itself, or let root own the link",
        .link.display(), .target.display(), .target.display()
    )]
    ForeignLink {
        /// The link.
        link: PathBuf,
        /// Whose it is.
        uid: u32,
        /// Where it leads.
        target: PathBuf,
    },
    /// The disk is full. What was there before is still there.
    #[error("the disk of {0} is full: what is there was left as it was\nhint: see `df -h {0}` and `df -i {0}`", place(.path).display())]
    Full {
        /// The path.
        path: PathBuf,
        /// The system's error.
        source: files::FileError,
    },
    /// The file system is mounted read-only.
    #[error("the file system of {0} is mounted read-only\nhint: see `findmnt -T {0}` and `dmesg`", place(.path).display())]
    ReadOnly {
        /// The path.
        path: PathBuf,
        /// The system's error.
        source: files::FileError,
    },
    /// The file system has no such attributes.
    #[error("the file system of {} has no {what}", .path.display())]
    Without {
        /// The path.
        path: PathBuf,
        /// Which.
        what: &'static str,
        /// The system's error.
        source: files::FileError,
    },
    /// Nobody has so much memory for a file.
    #[error(
        "{} has {size} bytes, too many to be read at once\nhint: `.contains(…)` reads a file of any size, and a command tells \
         the part that is needed", .path.display()
    )]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
    /// What is said of rights is none.
    #[error("`{entry}` is no entry of an access control list, for {}\nhint: {why}", .path.display())]
    BadAcl {
        /// The path.
        path: PathBuf,
        /// The entry.
        entry: String,
        /// What is wrong, and how it is written.
        why: &'static str,
    },
    /// What is said of capabilities is none.
    #[error("`{text}` are no capabilities, for {}: {why}\nhint: capabilities(7) has their names", .path.display())]
    BadCapabilities {
        /// The path.
        path: PathBuf,
        /// What was said.
        text: String,
        /// What is wrong.
        why: String,
    },
    /// The template of its content says nothing.
    #[error("the template `{template}` renders to nothing, for {}\nhint: where that is meant, `.content(\"\")` empties a file", .path.display())]
    Blank {
        /// The path.
        path: PathBuf,
        /// The template's name in `assets/`.
        template: &'static str,
    },
    /// A user or group is not there.
    #[error(transparent)]
    Owner(#[from] OwnerError),
    /// The new content was refused. The old is still there, or there again.
    #[error("the new content of {} is refused", .path.display())]
    Refused {
        /// The path.
        path: PathBuf,
        /// By which command, and what it said.
        source: CommandError,
    },
    /// What the change makes necessary can't be written down, so it was not made.
    #[error("could not write down what a change of {} makes necessary, so it was not made", .path.display())]
    Owe {
        /// The path.
        path: PathBuf,
        /// Why.
        source: DebtError,
    },
    /// The file system failed.
    #[error(transparent)]
    System(files::FileError),
}

impl From<files::FileError> for FileError {
    fn from(source: files::FileError) -> Self {
        let path = source.path.clone();
        match source.cause() {
            Cause::LinkLoop => Self::LinkLoop { path, source: Some(source) },
            Cause::Full => Self::Full { path, source },
            Cause::ReadOnly => Self::ReadOnly { path, source },
            Cause::ThroughFile | Cause::Other => Self::System(source),
        }
    }
}

/// Where a path lies: what is not there yet has no file system that anybody could ask for.
fn place(path: &std::path::Path) -> &std::path::Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(path)
}

/// What is at a path, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindWord(pub(crate) Kind);

impl fmt::Display for KindWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::File => "a file",
            Kind::Directory => "a directory",
            Kind::Link => "a symbolic link",
            Kind::Other => "a device, socket or pipe",
        })
    }
}
