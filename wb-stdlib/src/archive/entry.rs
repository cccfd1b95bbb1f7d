//! What is in an archive, and what of it is let through.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::marker;

/// The longest path that the kernel knows, in bytes.
pub(super) const LONGEST: usize = 4096;

/// Why something in an archive is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Escape {
    /// Its path begins at the root.
    Absolute,
    /// Its path leads through `..`.
    Parent,
    /// Its path leads through a symbolic link of the same archive.
    ThroughLink,
    /// It is a link that leads out of the directory, or nobody knows where.
    LinkOut {
        /// Where it leads.
        target: String,
    },
    /// It is neither file, directory nor link.
    Device,
    /// Its name can't be one.
    BadName,
}

impl fmt::Display for Escape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absolute => f.write_str("whose path is absolute"),
            Self::Parent => f.write_str("whose path leads through `..`"),
            Self::ThroughLink => f.write_str("whose path leads through a link"),
            Self::LinkOut { target } => write!(f, "a link that leads out of its directory, to `{target}`"),
            Self::Device => f.write_str("which is a device, a pipe, or of an unknown kind"),
            Self::BadName => f.write_str("whose name can't be one here"),
        }
    }
}

/// An entry, as it stands in an archive.
#[derive(Debug, Clone)]
pub(super) struct Raw<'a> {
    pub(super) path: &'a [u8],
    pub(super) kind: RawKind<'a>,
    pub(super) mode: u32,
    pub(super) modified: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum RawKind<'a> {
    Directory,
    File,
    Link(&'a [u8]),
    /// Another name of an earlier file.
    Name(&'a [u8]),
    Other,
}

/// An entry that may be unpacked. Its paths lead nowhere but into the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) content: Content,
    pub(super) mode: u32,
    pub(super) modified: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Directory,
    File,
    Link(PathBuf),
    Name(PathBuf),
}

/// Who lets entries through, one after the other. It knows the links so far: what leads through one is not let through, so
/// that each path is where it seems to be.
#[derive(Debug, Default)]
pub(super) struct Gate {
    strip: usize,
    links: BTreeSet<PathBuf>,
}

impl Gate {
    pub(super) fn new(strip: usize) -> Self {
        Self { strip, links: BTreeSet::new() }
    }

    /// The entry; nothing where nothing of its path is left.
    pub(super) fn pass(&mut self, raw: &Raw<'_>) -> Result<Option<Entry>, Escape> {
        let Some(path) = self.stripped(raw.path)? else { return Ok(None) };
        let content = match raw.kind {
            RawKind::Directory if self.links.contains(&path) => return Err(Escape::ThroughLink),
            RawKind::Directory => Content::Directory,
            RawKind::File => Content::File,
            RawKind::Link(target) => Content::Link(inside(&path, target)?),
            RawKind::Name(target) => match self.stripped(target)? {
                Some(target) if !self.links.contains(&target) => Content::Name(target),
                _ => return Err(Escape::LinkOut { target: String::from_utf8_lossy(target).into_owned() }),
            },
            RawKind::Other => return Err(Escape::Device),
        };
        match content {
            Content::Link(_) => self.links.insert(path.clone()),
            _ => self.links.remove(&path),
        };
        Ok(Some(Entry { path, content, mode: mode(raw), modified: raw.modified }))
    }

    fn stripped(&self, path: &[u8]) -> Result<Option<PathBuf>, Escape> {
        let path: PathBuf = plain(path)?.iter().skip(self.strip).collect();
        if path.as_os_str().is_empty() {
            return Ok(None);
        }
        if path == Path::new(marker::NAME) {
            return Err(Escape::BadName);
        }
        let leads_through_link = path.ancestors().skip(1).any(|above| self.links.contains(above));
        if leads_through_link { Err(Escape::ThroughLink) } else { Ok(Some(path)) }
    }
}

/// A path without `.`, which leads down and nowhere else.
fn plain(path: &[u8]) -> Result<PathBuf, Escape> {
    if path.contains(&0) || path.len() > LONGEST {
        return Err(Escape::BadName);
    }
    let mut plain = PathBuf::new();
    for part in Path::new(OsStr::from_bytes(path)).components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::CurDir => {}
            Component::ParentDir => return Err(Escape::Parent),
            Component::RootDir | Component::Prefix(_) => return Err(Escape::Absolute),
        }
    }
    Ok(plain)
}

/// Where a link at `path` leads, when that is surely inside: first up, no further than to the directory itself, then down.
/// A `..` after a name could lead out, where that name is a link.
fn inside(path: &Path, target: &[u8]) -> Result<PathBuf, Escape> {
    let found = PathBuf::from(OsStr::from_bytes(target));
    let out = || Escape::LinkOut { target: String::from_utf8_lossy(target).into_owned() };
    let depth = path.components().count() - 1;
    let (mut ups, mut goes_down) = (0, false);
    for part in found.components() {
        match part {
            Component::ParentDir if goes_down => return Err(out()),
            Component::ParentDir => ups += 1,
            Component::Normal(_) => goes_down = true,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return Err(out()),
        }
    }
    let is_inside = ups <= depth && !target.is_empty() && !target.contains(&0);
    if is_inside { Ok(found) } else { Err(out()) }
}

/// The permission bits, without those that would let others act as the owner, or write. Who owns a directory can enter it.
fn mode(raw: &Raw<'_>) -> u32 {
    let mode = raw.mode & 0o755;
    match raw.kind {
        RawKind::Directory => mode | 0o700,
        _ => mode | 0o400,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw<'a>(path: &'a str, kind: RawKind<'a>) -> Raw<'a> {
        Raw { path: path.as_bytes(), kind, mode: 0o4777, modified: None }
    }

    fn check(strip: usize, path: &str, expect: Result<Option<&str>, Escape>) {
        let found = Gate::new(strip).pass(&raw(path, RawKind::File));
        assert_eq!(
            found.map(|entry| entry.map(|entry| entry.path)),
            expect.map(|path| path.map(PathBuf::from)),
            "{path}"
        );
    }

    #[test]
    fn paths_lead_down() {
        check(0, "a/b", Ok(Some("a/b")));
        check(0, "./a//b/", Ok(Some("a/b")));
        check(0, "./", Ok(None));
        check(0, "", Ok(None));
        check(0, "/etc/passwd", Err(Escape::Absolute));
        check(0, "../a", Err(Escape::Parent));
        check(0, "a/../../b", Err(Escape::Parent));
        check(0, "a/..", Err(Escape::Parent));
        check(0, "a\0b", Err(Escape::BadName));
        check(0, marker::NAME, Err(Escape::BadName));
        check(0, &"a/".repeat(2049), Err(Escape::BadName));
        check(0, "a..b/...", Ok(Some("a..b/...")));
    }

    #[test]
    fn directories_are_left_out_of_the_beginning() {
        check(1, "shop-1.2/bin/shop", Ok(Some("bin/shop")));
        check(1, "shop-1.2", Ok(None));
        check(2, "shop-1.2/bin", Ok(None));
        check(1, "../shop", Err(Escape::Parent));
    }

    #[test]
    fn links_lead_inside() {
        let check = |path: &str, target: &str, is_inside: bool| {
            assert_eq!(inside(Path::new(path), target.as_bytes()).is_ok(), is_inside, "{path} -> {target}");
        };
        check("a", "b", true);
        check("a/b", "../c", true);
        check("a/b/c", "../../d/e", true);
        check("a/b", "./c", true);
        check("a", "..", false);
        check("a", "../b", false);
        check("a/b", "../../c", false);
        check("a", "/etc/passwd", false);
        check("a", "b/../c", false);
        check("a", "", false);
    }

    #[test]
    fn nothing_leads_through_a_link() {
        let mut gate = Gate::new(0);
        gate.pass(&raw("d/up", RawKind::Link(b".."))).unwrap();
        let refused = |gate: &mut Gate, path: &str, kind| gate.pass(&raw(path, kind)).unwrap_err();
        assert_eq!(refused(&mut gate, "d/up/x", RawKind::File), Escape::ThroughLink);
        assert_eq!(refused(&mut gate, "d/up/x/y", RawKind::Directory), Escape::ThroughLink);
        assert_eq!(refused(&mut gate, "d/up", RawKind::Directory), Escape::ThroughLink);
        assert_eq!(refused(&mut gate, "x", RawKind::Name(b"d/up/x")), Escape::ThroughLink);
        // A file in its place is one.
        gate.pass(&raw("d/up", RawKind::File)).unwrap();
        gate.pass(&raw("x", RawKind::Name(b"d/up"))).unwrap();
    }

    #[test]
    fn second_names_are_of_files_inside() {
        let name = |strip, target: &'static str| Gate::new(strip).pass(&raw("p/x", RawKind::Name(target.as_bytes())));
        assert_eq!(name(1, "p/y").unwrap().unwrap().content, Content::Name("y".into()));
        assert_eq!(name(0, "/etc/passwd").unwrap_err(), Escape::Absolute);
        assert_eq!(name(0, "../y").unwrap_err(), Escape::Parent);
        assert!(matches!(name(1, "p").unwrap_err(), Escape::LinkOut { .. }));
        assert_eq!(Gate::new(0).pass(&raw("tty", RawKind::Other)).unwrap_err(), Escape::Device);
    }

    #[test]
    fn nobody_acts_as_the_owner_or_writes() {
        let mode = |kind, bits| mode(&Raw { mode: bits, ..raw("a", kind) });
        assert_eq!(mode(RawKind::File, 0o4777), 0o755);
        assert_eq!(mode(RawKind::File, 0o664), 0o644);
        assert_eq!(mode(RawKind::File, 0), 0o400);
        assert_eq!(mode(RawKind::Directory, 0o1777), 0o755);
        assert_eq!(mode(RawKind::Directory, 0), 0o700);
    }
}
