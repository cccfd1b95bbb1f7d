//! Where file systems are mounted: what is in them is no part of the directory around them.
#![expect(clippy::disallowed_methods, reason = "this is the seam that the rest must use")]

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

/// Where a file system is mounted, at `top` or below it; nothing where none is. Links are not followed.
pub(super) fn mounted_in(top: &Path) -> io::Result<Option<PathBuf>> {
    if !fs::symlink_metadata(top)?.is_dir() {
        return Ok(None);
    }
    let mut left = vec![top.to_owned()];
    while let Some(dir) = left.pop() {
        match look(&dir, &mut left) {
            Ok(true) => return Ok(Some(dir)),
            // Somebody else removes it, too.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            looked => drop(looked?),
        }
    }
    Ok(None)
}

/// Whether a file system is mounted at a directory; the directories in it are left to look at.
fn look(dir: &Path, left: &mut Vec<PathBuf>) -> io::Result<bool> {
    if is_mount(dir)? {
        return Ok(true);
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            left.push(entry.path());
        }
    }
    Ok(false)
}

fn is_mount(dir: &Path) -> io::Result<bool> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    match statx(CWD, dir, flags, StatxFlags::TYPE) {
        Ok(found) if found.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT) => {
            Ok(found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
        }
        // A kernel before 5.8 does not say. It is then seen where another device begins, as behind no bind mount.
        _ => Ok(fs::symlink_metadata(dir)?.dev() != fs::symlink_metadata(dir.join(".."))?.dev()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let proc = Path::new("/proc");
        std::os::unix::fs::symlink(proc, dir.path().join("link")).unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        assert_eq!(mounted_in(dir.path()).unwrap(), None);
        assert_eq!(mounted_in(&dir.path().join("link")).unwrap(), None);
        assert_eq!(mounted_in(proc).unwrap().as_deref(), Some(proc));
        assert_eq!(mounted_in(&dir.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_in_a_directory_is_left_to_look_at() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        fs::write(dir.path().join("b"), "").unwrap();
        let mut left = Vec::new();
        assert!(!look(dir.path(), &mut left).unwrap());
        assert_eq!(left, [dir.path().join("a")]);
    }
}
