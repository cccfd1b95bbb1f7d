//! Where a program lies that is said by its name alone.
#![expect(clippy::disallowed_methods, reason = "this is the seam that the rest must use")]

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use rustix::fs::{Access, access};

/// The program that the system would start for this name where the variable `PATH` is this. Nothing where there is none,
/// and where that hangs on more, such as a file that can't be started: the system passes over it, or does not.
pub(super) fn in_path(name: &OsStr, path: &OsStr) -> Option<PathBuf> {
    if name.is_empty() || name.as_bytes().contains(&b'/') {
        return None;
    }
    for directory in std::env::split_paths(path) {
        if !directory.is_absolute() {
            return None;
        }
        let program = directory.join(name);
        match fs::metadata(&program) {
            Ok(found) => return (found.is_file() && access(&program, Access::EXEC_OK).is_ok()).then_some(program),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(_) => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::files;

    #[test]
    fn the_first_program_of_the_path_is_the_one_unless_something_is_in_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let at = |place: &str| dir.path().join(place);
        for (place, mode) in [("plain/shop", 0o644), ("one/shop", 0o755), ("two/shop", 0o755)] {
            files::create_dir(at(place).parent().unwrap()).unwrap();
            files::write(at(place), "", mode).unwrap();
        }
        files::create_dir(at("room/shop")).unwrap();
        let check = |name: &str, places: &[&str], expect: Option<&str>| {
            let path = std::env::join_paths(places.iter().map(|place| at(place))).unwrap();
            assert_eq!(in_path(OsStr::new(name), &path), expect.map(at), "{name} {places:?}");
        };
        check("shop", &["one", "two"], Some("one/shop"));
        check("shop", &["two", "one"], Some("two/shop"));
        check("shop", &["none", "one"], Some("one/shop"));
        check("shop", &["plain", "one"], None);
        check("shop", &["room", "one"], None);
        check("shop", &["one/shop", "two"], None);
        check("other", &["one", "two"], None);
        check("one/shop", &["", "one"], None);
        check("", &["one"], None);
        assert_eq!(in_path(OsStr::new("shop"), OsStr::new("")), None);
        assert_eq!(in_path(OsStr::new("sh"), OsStr::new("bin:/bin")), None);
    }
}
