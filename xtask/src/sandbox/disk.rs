//! What a host's disk has over its image.
//!
//! The layers of overlayfs say where to look: a path that is in none of them is as in the image. What is there is told
//! by the root that they make together, and never by the marks in them (whiteouts, opaque directories), of which there
//! are several kinds.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use wb_core::system::files::{self, FileError, Kind};

use super::entry::Entry;

/// The disk of a host that is on.
#[derive(Debug)]
pub(super) struct Disk {
    /// Its root, as its processes see it.
    pub(super) root: PathBuf,
    /// The root of its image.
    pub(super) image: PathBuf,
    /// What lies between: the disk that it was booted on, and its own.
    pub(super) layers: Vec<PathBuf>,
}

/// Paths below the root that may not be as in the image.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// What there is.
    pub(super) there: BTreeSet<PathBuf>,
    /// What only the image has. Of a directory that is gone, only itself is named.
    pub(super) gone: BTreeSet<PathBuf>,
}

/// What other file systems hide at the top of the root.
const HIDDEN: [&str; 5] = ["dev", "proc", "run", "sys", "tmp"];

/// Packages that apt downloaded: herds have a store for them.
const ARCHIVES: &str = "var/cache/apt/archives";

impl Disk {
    /// All that may be different.
    pub(super) fn changes(&self) -> Result<Changes, FileError> {
        let (mut found, mut directories) = (Changes::default(), BTreeSet::from([PathBuf::new()]));
        // A directory comes before what is in it.
        for path in self.named()? {
            if !path.parent().is_some_and(|parent| directories.contains(parent)) {
                continue;
            }
            match kind(&self.root.join(&path))? {
                Some(kind) => {
                    if kind == Kind::Directory {
                        found.gone.extend(self.gone_from(&path)?);
                        directories.insert(path.clone());
                    }
                    found.there.insert(path);
                }
                None if kind_below(&self.image, &path)?.is_some() => {
                    found.gone.insert(path);
                }
                None => {}
            }
        }
        Ok(found)
    }

    /// What the image has at a path.
    pub(super) fn in_image(&self, path: &Path) -> Result<Option<Entry>, FileError> {
        match kind_below(&self.image, path)? {
            Some(_) => Entry::read(&self.image.join(path)),
            None => Ok(None),
        }
    }

    /// All paths that the layers have, whatever they say of them.
    fn named(&self) -> Result<BTreeSet<PathBuf>, FileError> {
        let mut named = BTreeSet::new();
        for layer in &self.layers {
            named.extend(below(layer)?.into_iter().filter(|path| !is_passed_over(path)));
        }
        Ok(named)
    }

    /// What the image has in a directory that the host has, too, without it.
    fn gone_from(&self, dir: &Path) -> Result<Vec<PathBuf>, FileError> {
        if kind_below(&self.image, dir)? != Some(Kind::Directory) {
            return Ok(Vec::new());
        }
        let there = names(&self.root.join(dir))?;
        let gone = names(&self.image.join(dir))?.into_iter().filter(|name| !there.contains(name));
        Ok(gone.map(|name| dir.join(name)).filter(|path| !is_passed_over(path)).collect())
    }
}

/// All that lies below a directory, directories included. Links are not followed.
pub(super) fn below(top: &Path) -> Result<Vec<PathBuf>, FileError> {
    let (mut found, mut left) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(dir) = left.pop() {
        for name in names(&top.join(&dir))? {
            let path = dir.join(name);
            if kind(&top.join(&path))? == Some(Kind::Directory) {
                left.push(path.clone());
            }
            found.push(path);
        }
    }
    Ok(found)
}

/// What is at a path below `top`, which no link leads away from.
pub(super) fn kind_below(top: &Path, path: &Path) -> Result<Option<Kind>, FileError> {
    for above in path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
        if kind(&top.join(above))? != Some(Kind::Directory) {
            return Ok(None);
        }
    }
    kind(&top.join(path))
}

fn kind(path: &Path) -> Result<Option<Kind>, FileError> {
    Ok(files::stat(path)?.map(|stat| stat.kind))
}

fn names(dir: &Path) -> Result<BTreeSet<OsString>, FileError> {
    let paths = files::list(dir)?;
    Ok(paths.iter().filter_map(|path| path.file_name()).map(OsStr::to_owned).collect())
}

fn is_passed_over(path: &Path) -> bool {
    let is_package = || path.extension() == Some(OsStr::new("deb")) && path.starts_with(ARCHIVES);
    HIDDEN.iter().any(|hidden| path.starts_with(hidden)) || is_package()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes files and, where a path ends with `/`, directories.
    fn fill(top: &Path, paths: &[&str]) {
        for path in paths {
            let (at, is_dir) = (top.join(path), path.ends_with('/'));
            files::create_dir(if is_dir { at.as_path() } else { at.parent().unwrap() }).unwrap();
            if !is_dir {
                files::write(at, "", 0o644).unwrap();
            }
        }
    }

    fn paths(paths: &[&str]) -> BTreeSet<PathBuf> {
        paths.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn what_is_different_is_found_by_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let [root, image, base, own] = ["root", "image", "base", "own"].map(|name| dir.path().join(name));
        fill(&image, &["etc/a", "etc/b", "usr/d/x", "usr/d/y", "usr/e/z", "var/f"]);
        fill(&root, &["etc/a", "etc/b", "usr/d/x", "usr/d/n", "var/f", "run/r", "opt/"]);
        // The marks of what is gone are files here.
        fill(&base, &["usr/d/n", "etc/new", "opt/"]);
        fill(&own, &["usr/e", "etc/new", "etc/a", "run/r", "var/cache/apt/archives/a.deb"]);
        fill(&root, &["var/cache/apt/archives/a.deb"]);
        let disk = Disk { root, image, layers: vec![base, own] };
        let changes = disk.changes().unwrap();
        let there = ["etc", "etc/a", "opt", "usr", "usr/d", "usr/d/n", "var", "var/cache", "var/cache/apt"];
        assert_eq!(changes.there, paths(&[there.as_slice(), &["var/cache/apt/archives"]].concat()));
        assert_eq!(changes.gone, paths(&["usr/d/y", "usr/e"]));
    }

    #[test]
    fn what_was_under_something_else_is_not_looked_for() {
        let dir = tempfile::tempdir().unwrap();
        let [root, image, base, own] = ["root", "image", "base", "own"].map(|name| dir.path().join(name));
        fill(&image, &["srv/a/x"]);
        fill(&base, &["srv/a/y"]);
        fill(&own, &["srv/a"]);
        fill(&root, &["srv/", "elsewhere/y"]);
        files::link("../elsewhere", root.join("srv/a")).unwrap();
        let changes = Disk { root, image: image.clone(), layers: vec![base, own] }.changes().unwrap();
        assert_eq!((changes.there, changes.gone), (paths(&["srv", "srv/a"]), BTreeSet::new()));
        files::link("srv", image.join("link")).unwrap();
        assert_eq!(kind_below(&image, Path::new("link/a")).unwrap(), None);
        assert_eq!(kind_below(&image, Path::new("srv/a")).unwrap(), Some(Kind::Directory));
    }
}
