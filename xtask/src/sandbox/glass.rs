//! A host behind glass: a command sees all of it, and what it writes is seen and gone afterwards.
//!
//! The command has an overlay over the host's root in a mount namespace of its own. What it touched is exactly what
//! lies in that overlay, whatever daemons do beside it. What is mounted elsewhere is the host's own; of `/run` and `/tmp`
//! it is told what came and went.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use wb_core::system::files::{self, FileError};
use wb_core::system::{Command, Output};

use super::disk::{below, kind_below};
use super::entry::{Entry, Kind};
use super::restless::is_restless;
use super::{Host, SandboxError, elevation, while_doing};

/// A path of a host that a command touched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Touched {
    /// Which.
    pub path: PathBuf,
    /// What came of it.
    pub how: Touch,
}

/// What came of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touch {
    /// There was nothing.
    Made,
    /// It is another one now, or is of others.
    Changed,
    /// There is nothing any more.
    Removed,
}

const GLASS: &str = include_str!("glass.sh");

impl Host {
    /// Runs a command as [`Host::run`] does, behind glass, and says what it touched: of a file that it wrote anew and left
    /// as it was, nothing. What changes by itself is passed over.
    ///
    /// # Errors
    /// As [`Host::run`]; [`SandboxError::NoGlass`] where the kernel can't do it, and the command did not run.
    pub fn behind_glass(&self, command: Command) -> Result<(Output, Vec<Touched>), SandboxError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let place = format!("/run/wildebeest-glass-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let options = if elevation::in_user_namespace() { ",userxattr" } else { "" };
        let starter = ["unshare", "--mount", "/bin/sh", "-ec", GLASS, "glass", &place, options];
        let output = self.enter_through(command, &starter)?.run();
        let output = output.map_err(while_doing(format!("run a command behind glass in host {}", self.name())));
        let seen = output.and_then(|output| self.seen_through(&place, output));
        // What is left there is in the host's memory, and in nobody's way.
        drop(self.read(Command::new("rm").args(["-rf", &place])));
        seen
    }

    fn seen_through(&self, place: &str, output: Output) -> Result<(Output, Vec<Touched>), SandboxError> {
        let root = self.root()?;
        let glass = root.join(place.trim_start_matches('/'));
        let names = |list: &str| files::read_optional(glass.join(list));
        let (Some(before), Some(after)) = (names("before")?, names("after")?) else {
            return Err(SandboxError::NoGlass { name: self.name().to_owned(), why: output.error_text() });
        };
        let mut touched = written(&glass.join("upper"), &root)?;
        touched.extend(came_and_went(&before, &after));
        touched.retain(|touched| !is_restless(&touched.path));
        touched.sort();
        Ok((output, touched))
    }
}

/// What the layer says of the root below it.
fn written(upper: &Path, lower: &Path) -> Result<Vec<Touched>, FileError> {
    let mut touched = Vec::new();
    for path in below(upper)? {
        if let Some(how) = touch(upper, lower, &path)? {
            touched.push(Touched { path: Path::new("/").join(path), how });
        }
    }
    Ok(touched)
}

fn touch(upper: &Path, lower: &Path, path: &Path) -> Result<Option<Touch>, FileError> {
    let Some(now) = Entry::read(&upper.join(path))? else { return Ok(None) };
    let before = match kind_below(lower, path)? {
        Some(_) => Entry::read(&lower.join(path))?,
        None => None,
    };
    // A device without permissions is how overlayfs marks what is gone.
    let is_gone = now.kind == Kind::Other && now.mode == 0;
    Ok(match before {
        None if is_gone => None,
        None => Some(Touch::Made),
        Some(_) if is_gone => Some(Touch::Removed),
        // It was copied to be opened, or because of something in it.
        Some(before) if before == now && !is_opaque(&upper.join(path))? => None,
        Some(_) => Some(Touch::Changed),
    })
}

/// Whether a directory took the place of another one.
fn is_opaque(path: &Path) -> Result<bool, FileError> {
    let value = match files::xattr(path, "trusted.overlay.opaque")? {
        Some(value) => Some(value),
        None => files::xattr(path, "user.overlay.opaque")?,
    };
    Ok(value.is_some_and(|value| value == b"y"))
}

fn came_and_went(before: &[u8], after: &[u8]) -> Vec<Touched> {
    let (before, after) = (paths(before), paths(after));
    let all = |paths: BTreeSet<PathBuf>, how| paths.into_iter().map(move |path| Touched { path, how });
    let (made, removed) = (&after - &before, &before - &after);
    all(made, Touch::Made).chain(all(removed, Touch::Removed)).collect()
}

fn paths(list: &[u8]) -> BTreeSet<PathBuf> {
    let names = list.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.map(|name| PathBuf::from(OsStr::from_bytes(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_told_from_what_was_only_copied() {
        let dir = tempfile::tempdir().unwrap();
        let [upper, lower] = ["upper", "lower"].map(|name| dir.path().join(name));
        let write = |top: &Path, path: &str, text: &str| {
            files::create_dir(top.join(path).parent().unwrap()).unwrap();
            files::write(top.join(path), text, 0o644).unwrap();
        };
        for path in ["etc/same", "etc/changed", "etc/gone"] {
            write(&lower, path, "one");
        }
        write(&upper, "etc/same", "one");
        write(&upper, "etc/changed", "two");
        write(&upper, "srv/new", "one");
        for mark in ["etc/gone", "etc/never"] {
            Command::new("mkfifo").args(["--mode", "0"]).arg(upper.join(mark)).read().unwrap();
        }
        let mut touched = written(&upper, &lower).unwrap();
        touched.sort();
        let expect = [
            ("/etc/changed", Touch::Changed),
            ("/etc/gone", Touch::Removed),
            ("/srv", Touch::Made),
            ("/srv/new", Touch::Made),
        ];
        assert_eq!(touched, expect.map(|(path, how)| Touched { path: path.into(), how }));
    }

    #[test]
    fn names_that_came_and_went_are_told() {
        let expect = [("/run/new", Touch::Made), ("/run/old", Touch::Removed)];
        let expect = expect.map(|(path, how)| Touched { path: path.into(), how });
        assert_eq!(came_and_went(b"/run\0/run/old\0", b"/run\0/run/new\0"), expect);
        assert!(came_and_went(b"", b"").is_empty());
    }
}
