//! What an image had when it was built, as hashes beside it.
//!
//! One is of all names, with kind, mode, owner and size. It is compared each time. Another one is of what is in the
//! files. To read all of these takes seconds: that is done once a day, which finds what a disk has lost by itself, and at
//! once where a file has another time than when they were read last, which finds what somebody wrote.

use std::path::{Path, PathBuf};
use std::time::Duration;

use wb_core::system::{Clock as _, Command, clock, files};

use crate::at_once;
use crate::sandbox::{SandboxError, while_doing};

/// How the name of the file ends that has the hash of all names.
const NAMES: &str = ".sum";

/// How the name of the file ends that has those of times and bytes. Its own time is when the files were read last.
const READ: &str = ".read";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long reading all files may take.
const READING: Duration = Duration::from_secs(10 * 60);

/// Writes down what `built` has, which is to be the image at `root`.
pub(super) fn write(root: &Path, built: &Path) -> Result<(), SandboxError> {
    Known { times: times(built)?, bytes: bytes(built)? }.write(root)?;
    Ok(files::write(place(root, NAMES), names(built)?, 0o644)?)
}

/// Whether an image has all that it was built with.
pub(super) fn verify(root: &Path) -> Result<(), SandboxError> {
    verify_at(root, clock::Real.now())
}

/// Removes what was written down of an image, which is damaged without that.
pub(super) fn remove(root: &Path) -> Result<(), SandboxError> {
    files::remove(place(root, NAMES))?;
    files::remove(place(root, READ))?;
    Ok(())
}

/// What the image is called of which something is written down in a file of that name.
pub(super) fn image_of(name: &str) -> Option<&str> {
    name.strip_suffix(NAMES).or_else(|| name.strip_suffix(READ))
}

fn verify_at(root: &Path, now: Duration) -> Result<(), SandboxError> {
    let (names, times) = at_once::both(|| names(root), || times(root));
    let (built, names, times) = (files::read_optional(place(root, NAMES))?, names?, times?);
    let has_all = built.is_some_and(|built| built == names.as_bytes());
    match has_all && is_whole(root, times, now)? {
        true => Ok(()),
        false => Err(SandboxError::Damaged { path: root.to_owned() }),
    }
}

/// Whether the files, which have these times now, are what they were. They are read where that is due.
fn is_whole(root: &Path, times: String, now: Duration) -> Result<bool, SandboxError> {
    let known = Known::of(root)?;
    let is_new = |(known, read): &(Known, Duration)| known.times == times && now.saturating_sub(*read) < DAY;
    if known.as_ref().is_some_and(is_new) {
        return Ok(true);
    }
    let found = Known { times, bytes: bytes(root)? };
    if known.is_some_and(|(known, _)| known.bytes != found.bytes) {
        return Ok(false);
    }
    found.write(root)?;
    Ok(true)
}

/// What was found when the files of an image were read last.
struct Known {
    times: String,
    bytes: String,
}

impl Known {
    /// That, and when it was. Of an image that an older Wildebeest has built nothing is known.
    fn of(root: &Path) -> Result<Option<(Self, Duration)>, SandboxError> {
        let place = place(root, READ);
        let (Some(text), Some(stat)) = (files::read_optional(&place)?, files::stat(&place)?) else { return Ok(None) };
        let text = String::from_utf8_lossy(&text);
        let known = text.split_once('\n');
        let known = known.map(|(times, bytes)| Self { times: times.to_owned(), bytes: bytes.to_owned() });
        Ok(known.map(|known| (known, stat.modified)))
    }

    fn write(&self, root: &Path) -> Result<(), SandboxError> {
        Ok(files::replace(place(root, READ), format!("{}\n{}", self.times, self.bytes))?)
    }
}

fn place(root: &Path, end: &str) -> PathBuf {
    let name = root.file_name().unwrap_or_default().to_string_lossy();
    root.with_file_name(format!("{name}{end}"))
}

fn names(root: &Path) -> Result<String, SandboxError> {
    hash(root, r"found -type d -printf '%y %m %U:%G %p\0' -o -printf '%y %m %U:%G %s %l %p\0' | LC_ALL=C sort -z")
}

fn times(root: &Path) -> Result<String, SandboxError> {
    hash(root, r"found -type f -printf '%T@ %p\0' | LC_ALL=C sort -z")
}

fn bytes(root: &Path) -> Result<String, SandboxError> {
    hash(root, "found -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum --")
}

/// A hash of what a line of the shell prints. `found` is find there, in the image, and passes over what apt notes when
/// it is asked for packages.
fn hash(root: &Path, line: &str) -> Result<String, SandboxError> {
    const FOUND: &str = r#"cd "$1"
        found() {
            find . \( -path ./var/cache -o -path ./var/log -o -path ./var/lib/apt -o -path './var/lib/dpkg/lock*' \) \
                -prune -o "$@"
        }"#;
    let script = format!("{FOUND}\n{line} | sha256sum");
    let sum = Command::new("sh").args(["-ec", script.as_str(), "sum"]).arg(root).timeout(READING);
    sum.read().map_err(while_doing(format!("look at the image {}", root.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image with one file.
    fn image() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("image");
        files::create_dir(root.join("usr/bin")).unwrap();
        put(&root, "x", "@1");
        write(&root, &root).unwrap();
        (dir, root)
    }

    /// Writes the file anew, at that time.
    fn put(root: &Path, text: &str, time: &str) {
        let path = root.join("usr/bin/x");
        files::write(&path, text, 0o755).unwrap();
        Command::new("touch").args(["-d", time]).arg(path).read().unwrap();
    }

    fn is_well(root: &Path, days: u32) -> bool {
        match verify_at(root, clock::Real.now() + DAY * days) {
            Ok(()) => true,
            Err(SandboxError::Damaged { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn what_somebody_wrote_is_seen_at_once() {
        let check = |text: &str, time: &str, expect| {
            let (_dir, root) = image();
            put(&root, text, time);
            assert_eq!(is_well(&root, 0), expect, "{text} {time}");
        };
        check("x", "@1", true);
        check("x", "@2", true);
        check("y", "@2", false);
        check("", "@1", false);
    }

    #[test]
    fn what_a_disk_lost_is_seen_within_a_day() {
        let (_dir, root) = image();
        put(&root, "y", "@1");
        assert!(is_well(&root, 0), "nobody has read it");
        assert!(!is_well(&root, 1));
        put(&root, "x", "@1");
        assert!(is_well(&root, 1));
    }

    #[test]
    fn what_an_older_wildebeest_built_is_taken_as_it_is() {
        let (_dir, root) = image();
        files::remove(place(&root, READ)).unwrap();
        assert!(is_well(&root, 0) && files::exists(place(&root, READ)));
        put(&root, "y", "@2");
        assert!(!is_well(&root, 0));
    }

    #[test]
    fn without_it_an_image_is_damaged() {
        let (_dir, root) = image();
        let (names, read) = (place(&root, NAMES), place(&root, READ));
        let image = |path: &Path| image_of(path.file_name()?.to_str()?).map(str::to_owned);
        assert_eq!([image(&names), image(&read)], [Some("image".to_owned()), Some("image".to_owned())]);
        assert_eq!(image_of("image"), None);
        remove(&root).unwrap();
        assert!(![names, read].iter().any(files::exists) && !is_well(&root, 0));
    }
}
