//! All that makes a host's disk another one than its image's: to tell two hosts apart that came to be in different ways.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::disk::{Disk, below};
use super::entry::{Entry, Kind};
use super::restless::is_restless;
use super::{Host, SandboxError};

/// What a host has at each absolute path at which it is not as its image; what is gone has an entry, too. Two hosts of one
/// image with the same tree have the same disk.
pub type Tree = BTreeMap<PathBuf, Entry>;

impl Host {
    /// Its tree, without what changes by itself. Where it is to be that of one moment, it must be frozen.
    ///
    /// # Errors
    /// When it is down, or something on its disk can't be read.
    pub fn tree(&self) -> Result<Tree, SandboxError> {
        of(&self.disk()?)
    }
}

fn of(disk: &Disk) -> Result<Tree, SandboxError> {
    let changes = disk.changes()?;
    let mut tree = Tree::new();
    for path in changes.there.iter().filter(|path| !is_restless(&absolute(path))) {
        let now = Entry::read(&disk.root.join(path))?;
        if now != disk.in_image(path)? {
            tree.extend(now.map(|now| (absolute(path), now)));
        }
    }
    for path in &changes.gone {
        let is_dir = disk.in_image(path)?.is_some_and(|entry| entry.kind == Kind::Directory);
        let inside = if is_dir { below(&disk.image.join(path))? } else { Vec::new() };
        let all = inside.iter().map(|inside| path.join(inside)).chain([path.clone()]);
        tree.extend(all.map(|gone| (absolute(&gone), Entry::GONE)).filter(|(path, _)| !is_restless(path)));
    }
    Ok(tree)
}

fn absolute(path: &Path) -> PathBuf {
    Path::new("/").join(path)
}

#[cfg(test)]
mod tests {
    use wb_core::system::files;

    use super::*;

    fn write(top: &Path, paths: &[(&str, &str)]) {
        for (path, text) in paths {
            files::create_dir(top.join(path).parent().unwrap()).unwrap();
            files::write(top.join(path), text, 0o644).unwrap();
        }
    }

    #[test]
    fn only_what_is_not_as_in_the_image_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let [root, image, own] = ["root", "image", "own"].map(|name| dir.path().join(name));
        write(&image, &[("etc/same", "1"), ("etc/other", "1"), ("usr/d/x/y", "1"), ("srv/z", "1")]);
        write(&root, &[("etc/same", "1"), ("etc/other", "2"), ("srv/new", "1"), ("var/log/x", "1")]);
        write(&own, &[("etc/same", ""), ("etc/other", ""), ("srv/new", ""), ("srv/z", ""), ("var/log/x", "")]);
        // What says of a directory that it is gone.
        write(&own, &[("usr/d", "")]);
        files::create_dir(root.join("usr")).unwrap();
        let tree = of(&Disk { root, image, layers: vec![own] }).unwrap();
        let found: Vec<(&str, Kind)> = tree.iter().map(|(path, entry)| (path.to_str().unwrap(), entry.kind)).collect();
        let expect = [
            ("/etc/other", Kind::File),
            ("/srv/new", Kind::File),
            ("/srv/z", Kind::Gone),
            ("/usr/d", Kind::Gone),
            ("/usr/d/x", Kind::Gone),
            ("/usr/d/x/y", Kind::Gone),
            ("/var", Kind::Directory),
        ];
        assert_eq!(found, expect);
    }
}
