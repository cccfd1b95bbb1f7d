//! Names in which `?` stands for a letter and `*` for any of them, and paths in which a part `**` stands for any number of
//! directories, none as well.

use std::path::{Path, PathBuf};

use wb_core::system::files;

/// Whether a path is one that is meant.
pub(crate) fn matches(glob: &str, path: &Path) -> bool {
    let path = path.to_string_lossy();
    let parts = |text: &str| text.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    leads_to(&parts(glob), &parts(&path))
}

/// What is meant of all that is below a directory, sorted; where no part of it is a glob, that, be it there or not.
pub(crate) fn below(dir: &Path, glob: &str) -> Vec<PathBuf> {
    let parts = glob.split('/').filter(|part| !part.is_empty() && *part != ".");
    parts.fold(vec![dir.to_owned()], |dirs, part| dirs.iter().flat_map(|dir| inside(dir, part)).collect())
}

fn inside(dir: &Path, part: &str) -> Vec<PathBuf> {
    if !part.contains(['*', '?']) {
        return vec![dir.join(part)];
    }
    let is_meant = |path: &PathBuf| path.file_name().is_some_and(|name| fits(part, &name.to_string_lossy()));
    files::list(dir).unwrap_or_default().into_iter().filter(is_meant).collect()
}

fn leads_to(glob: &[String], path: &[String]) -> bool {
    match (glob, path) {
        ([], []) => true,
        ([first, rest @ ..], _) if first == "**" => (0..=path.len()).any(|skipped| leads_to(rest, &path[skipped..])),
        ([first, rest @ ..], [name, below @ ..]) => fits(first, name) && leads_to(rest, below),
        _ => false,
    }
}

fn fits(glob: &str, name: &str) -> bool {
    let mut letters = glob.chars();
    match letters.next() {
        None => name.is_empty(),
        Some('*') => {
            let mut ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.any(|at| fits(letters.as_str(), &name[at..]))
        }
        Some(letter) => {
            let mut left = name.chars();
            let is_same = left.next().is_some_and(|next| letter == '?' || letter == next);
            is_same && fits(letters.as_str(), left.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_stands_for_paths() {
        let check = |glob, path: &str, expect| assert_eq!(matches(glob, Path::new(path)), expect, "{glob} {path}");
        check("/etc/shop", "/etc/shop", true);
        check("/etc/shop", "/etc/shop/a", false);
        check("/etc/shop", "/etc", false);
        check("/etc/*", "/etc/shop", true);
        check("/etc/*", "/etc/shop/a", false);
        check("/etc/*.conf", "/etc/a.conf", true);
        check("/etc/*.conf", "/etc/.conf", true);
        check("/etc/*.conf", "/etc/a.config", false);
        check("/etc/*-", "/etc/passwd-", true);
        check("/etc/*-", "/etc/passwd", false);
        check("/etc/a?c", "/etc/aäc", true);
        check("/etc/a?c", "/etc/ac", false);
        check("/srv/**", "/srv", true);
        check("/srv/**", "/srv/a/b", true);
        check("/srv/**", "/srvs", false);
        check("/srv/**/key", "/srv/key", true);
        check("/srv/**/key", "/srv/a/b/key", true);
        check("/srv/**/key", "/srv/a/b/keys", false);
        check("/srv/", "/srv", true);
    }

    #[test]
    fn what_is_meant_is_looked_for_below_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["a/one", "a/two", "b/one", "note"] {
            files::create_dir(dir.path().join(path)).unwrap();
        }
        let check = |glob: &str, expect: &[&str]| {
            let expect: Vec<PathBuf> = expect.iter().map(|path| dir.path().join(path)).collect();
            assert_eq!(below(dir.path(), glob), expect, "{glob}");
        };
        check("a", &["a"]);
        check("./a/one/", &["a/one"]);
        check("gone", &["gone"]);
        check("*", &["a", "b", "note"]);
        check("?/one", &["a/one", "b/one"]);
        check("a/t*", &["a/two"]);
        check("gone/*", &[]);
    }
}
