//! A host behind glass: a command sees all of it, and what it writes is seen and gone afterwards.
//!
//! The command has overlays over the host's disk, `/run` and `/tmp` in a mount namespace of its own. What it touched there
//! is exactly what lies in them, whatever daemons do beside it. What daemons listen on is theirs, and answers. Not behind
//! glass is what is mounted elsewhere, and what others do because the command asks them: a service that it restarts,
//! restarts.

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

/// Makes the place for the layers, which others see, too, and goes on where nobody else does. Arguments: the place,
/// options of the overlays, what goes on, the command.
const BEGIN: &str = r#"PATH=/usr/sbin:/usr/bin:/sbin:/bin
place=$1 options=$2 glass=$3
shift 3
mkdir -m 700 "$place"
mount -t tmpfs -o mode=700,nodev tmpfs "$place"
exec unshare --mount /bin/sh -ec "$glass" glass "$place" "$options" "$@""#;

/// Removes the place.
const END: &str = r#"umount "$1" && rmdir "$1""#;

/// What has a layer of its own: its name, and the directory below the root that it lies over.
const LAYERS: [(&str, &str); 3] = [("disk", ""), ("run", "run"), ("tmp", "tmp")];

impl Host {
    /// Runs a command as [`Host::run`] does, behind glass, and says what it touched: of a file that it wrote anew and left
    /// as it was, nothing. What changes by itself is passed over.
    ///
    /// # Errors
    /// As [`Host::run`]; [`SandboxError::NoGlass`] where the kernel can't do it, and the command did not run.
    pub fn behind_glass(&self, command: Command) -> Result<(Output, Vec<Touched>), SandboxError> {
        let place = new_place();
        let options = if elevation::in_user_namespace() { ",userxattr" } else { "" };
        let starter = ["/bin/sh", "-ec", BEGIN, "begin", &place, options, GLASS];
        let output = self.enter_through(command, &starter)?.run();
        let output = output.map_err(while_doing(format!("run a command behind glass in host {}", self.name())));
        let seen = output.and_then(|output| self.seen_through(&place, output));
        // What is left there is in the host's memory, and in nobody's way.
        drop(self.run(Command::new("/bin/sh").args(["-c", END, "end", &place])));
        seen
    }

    fn seen_through(&self, place: &str, output: Output) -> Result<(Output, Vec<Touched>), SandboxError> {
        let root = self.root()?;
        let glass = root.join(place.trim_start_matches('/'));
        if files::stat(glass.join("there"))?.is_none() {
            return Err(SandboxError::NoGlass { name: self.name().to_owned(), why: output.error_text() });
        }
        let mut touched = Vec::new();
        for (name, dir) in LAYERS {
            touched.extend(written(&glass.join(name).join("upper"), &root, Path::new(dir))?);
        }
        touched.retain(|touched| !is_restless(&touched.path));
        touched.sort();
        Ok((output, touched))
    }
}

/// A path that no other plan has, of this process or of one that was killed in the middle of it.
fn new_place() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("/run/wildebeest-glass-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// What the layer over a directory of the root says of that.
fn written(upper: &Path, root: &Path, dir: &Path) -> Result<Vec<Touched>, FileError> {
    let (mut touched, lower) = (Vec::new(), root.join(dir));
    for path in below(upper)? {
        if let Some(how) = touch(upper, &lower, &path)? {
            touched.push(Touched { path: Path::new("/").join(dir).join(path), how });
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
        let mut touched = written(&upper, &lower, Path::new("")).unwrap();
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
    fn what_is_below_a_layer_of_its_own_has_its_whole_path() {
        let dir = tempfile::tempdir().unwrap();
        let [upper, root] = ["upper", "root"].map(|name| dir.path().join(name));
        files::create_dir(root.join("run/sshd")).unwrap();
        files::create_dir(upper.join("sshd")).unwrap();
        files::write(upper.join("sshd/pid"), "7", 0o644).unwrap();
        let touched = written(&upper, &root, Path::new("run")).unwrap();
        assert_eq!(touched, [Touched { path: "/run/sshd/pid".into(), how: Touch::Made }]);
    }

    #[test]
    fn each_plan_has_a_place_of_its_own() {
        assert_ne!(new_place(), new_place());
    }
}
