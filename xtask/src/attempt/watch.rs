//! Watching the sources of a crate: whoever saves a file wants to see what it does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wb_core::system::clock::{Clock as _, Real};
use wb_core::system::files::{self, Fingerprint};

/// What the files were when somebody looked last.
#[derive(Debug)]
pub(super) struct Watch {
    crate_dir: PathBuf,
    seen: BTreeMap<PathBuf, Fingerprint>,
}

/// The directories that count, with all that is in them.
const DIRS: [&str; 2] = ["src", "assets"];

/// The files that count beside them.
const FILES: [&str; 4] = ["Cargo.toml", "build.rs", "chain.lock", "herd.toml"];

/// How often it is looked.
const EVERY: Duration = Duration::from_millis(300);

/// Editors save several files, and each in several steps.
const REST: Duration = Duration::from_millis(200);

impl Watch {
    /// Looks for the first time.
    pub(super) fn begin(crate_dir: &Path) -> Self {
        Self { crate_dir: crate_dir.to_owned(), seen: look(crate_dir) }
    }

    /// Waits until a file is another one than it was, and all have been at rest for a moment. What was saved since the
    /// last look counts.
    pub(super) fn wait(&mut self) {
        while look(&self.crate_dir) == self.seen {
            Real.sleep(EVERY);
        }
        loop {
            self.seen = look(&self.crate_dir);
            Real.sleep(REST);
            if look(&self.crate_dir) == self.seen {
                return;
            }
        }
    }
}

/// What goes while it is looked for is not there.
fn look(crate_dir: &Path) -> BTreeMap<PathBuf, Fingerprint> {
    let inside = |dir: &&str| {
        let below = files::below(crate_dir.join(dir)).unwrap_or_default();
        let dir = PathBuf::from(dir);
        below.into_iter().map(move |(path, _)| dir.join(path))
    };
    let paths = DIRS.iter().flat_map(inside).chain(FILES.iter().map(PathBuf::from));
    let printed = paths.filter_map(|path| {
        let print = files::fingerprint(crate_dir.join(&path)).ok()??;
        Some((path, print))
    });
    printed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            files::create_dir(dir.path().join(path).parent().unwrap()).unwrap();
            files::write(dir.path().join(path), text, 0o644).unwrap();
        };
        write("src/chain/a.rs", "1");
        write("herd.toml", "1");
        let mut before = look(dir.path());
        let paths: Vec<&Path> = before.keys().map(PathBuf::as_path).collect();
        assert_eq!(paths, [Path::new("herd.toml"), Path::new("src/chain/a.rs")]);
        write("target/debug/a", "1");
        assert_eq!(look(dir.path()), before);
        for (path, text) in [("src/chain/a.rs", "22"), ("assets/page.html", "1"), ("herd.toml", "22")] {
            write(path, text);
            let now = look(dir.path());
            assert_ne!(now, before, "{path}");
            before = now;
        }
    }

    #[test]
    fn what_was_saved_before_it_was_waited_for_counts() {
        let dir = tempfile::tempdir().unwrap();
        let mut watch = Watch::begin(dir.path());
        files::write(dir.path().join("herd.toml"), "1", 0o644).unwrap();
        watch.wait();
        assert_eq!(watch.seen, look(dir.path()));
    }
}
