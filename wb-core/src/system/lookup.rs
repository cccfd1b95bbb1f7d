//! Where a program lies that is called by its name alone.
//!
//! The C library can start a program without a copy of this process's tables of memory, which takes the longer the more memory
//! it has; but not one that it must look for in the `PATH` of the child. So it is looked for here.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// The first program of that name in the directories of `path`. None where there is none, where `name` is no bare name, or
/// where a directory that comes earlier depends on where the program is started. One whose own interpreter is missing counts:
/// it can't be started, and no later one is taken in its place.
pub(super) fn program(name: &OsStr, path: &OsStr) -> Option<PathBuf> {
    if name.is_empty() || name.as_bytes().contains(&b'/') {
        return None;
    }
    let dirs = std::env::split_paths(path).take_while(|dir| dir.is_absolute());
    dirs.map(|dir| dir.join(name)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.is_file() && access(file, Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::files;
    use super::*;

    #[test]
    fn the_first_that_can_be_run_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let place = |path: &str, mode| {
            files::create_dir(dir.join(path).parent().unwrap()).unwrap();
            files::write(dir.join(path), "#!/bin/sh\n", mode).unwrap();
        };
        place("a/plain", 0o644);
        place("b/plain", 0o755);
        place("c/plain", 0o755);
        place("b/folder", 0o755);
        files::create_dir(dir.join("a/folder")).unwrap();
        let check = |name: &str, path: &str, expect: Option<&str>| {
            let path = path.replace('~', dir.to_str().unwrap());
            let found = program(OsStr::new(name), OsStr::new(&path));
            assert_eq!(found, expect.map(|file| dir.join(file)), "{name} in {path}");
        };
        check("plain", "~/a:~/b:~/c", Some("b/plain"));
        check("plain", "~/c:~/b", Some("c/plain"));
        check("folder", "~/nowhere:~/a:~/b", Some("b/folder"));
        check("plain", "~/a", None);
        check("plain", "", None);
        check("plain", "~/a::~/b", None);
        check("plain", "here:~/b", None);
        check("plain", "~/b:here", Some("b/plain"));
        check("b/plain", "~", None);
        check("", "~/b", None);
    }
}
