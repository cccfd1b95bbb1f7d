//! What tells a file from another one: what it is, whose, and what is in it. Not when it was written, nor where it lies.

use std::path::Path;

use wb_core::chain::Digest;
use wb_core::system::files::{self, FileError};

/// Something at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its permission bits. Of a link, 0: it has none of its own.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Of a file, the hash of what is in it, and of a link where it leads; then the attributes that say who may do what,
    /// where it has any.
    pub content: String,
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, a socket, a pipe.
    Other,
    /// Nothing any more: the image has something there.
    Gone,
}

/// What a mode and an owner do not tell of who may do what.
const ATTRIBUTES: [&str; 3] = ["security.capability", "system.posix_acl_access", "system.posix_acl_default"];

impl Entry {
    /// What stands for something that is no more there.
    pub(super) const GONE: Self = Self { kind: Kind::Gone, mode: 0, uid: 0, gid: 0, content: String::new() };

    /// What is at `path`, which is no link to it; nothing where there is nothing.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, FileError> {
        let Some(stat) = files::stat(path)? else { return Ok(None) };
        let kind = Kind::from(stat.kind);
        let content = match kind {
            Kind::File => Digest::of(&files::read(path)?).to_string(),
            Kind::Link => files::read_link(path)?.display().to_string(),
            Kind::Directory | Kind::Other | Kind::Gone => String::new(),
        };
        let mode = if kind == Kind::Link { 0 } else { stat.mode };
        Ok(Some(Self { kind, mode, uid: stat.uid, gid: stat.gid, content: content + &attributes(path)? }))
    }
}

impl From<files::Kind> for Kind {
    fn from(kind: files::Kind) -> Self {
        match kind {
            files::Kind::File => Self::File,
            files::Kind::Directory => Self::Directory,
            files::Kind::Link => Self::Link,
            files::Kind::Other => Self::Other,
        }
    }
}

fn attributes(path: &Path) -> Result<String, FileError> {
    let mut said = String::new();
    for name in ATTRIBUTES {
        if let Some(value) = files::xattr(path, name)? {
            said += &format!(" {name}={value:02x?}");
        }
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_alike_is_equal() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let read = |name: &str| Entry::read(&at(name)).unwrap().unwrap();
        for (name, text, mode) in [("a", "x", 0o644), ("b", "x", 0o644), ("c", "y", 0o644), ("d", "x", 0o600)] {
            files::write(at(name), text, mode).unwrap();
        }
        assert_eq!(read("a"), read("b"));
        assert!(read("a") != read("c") && read("a") != read("d"));
        files::link("a", at("link")).unwrap();
        assert_eq!((read("link").kind, read("link").content.as_str()), (Kind::Link, "a"));
        assert_eq!(Entry::read(dir.path()).unwrap().unwrap().kind, Kind::Directory);
        assert_eq!(Entry::read(&at("none")).unwrap(), None);
    }
}
