//! What files say, parsed once.
//!
//! Many operations of a migration look at the same file: the users, the packages that are installed. Parsing it anew
//! for each would cost more than all else, and a copy that nobody renews would lie after the first change. So a parsed
//! file is kept with its [`Fingerprint`], and stands for as long as that is the same. A file that was changed just now
//! could change once more within the same tick of the kernel's clock, and is parsed anew the next time.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::System;
use super::clock::{Clock as _, Real};
use super::files::{self, FileError, Fingerprint};

/// The kernel stamps files with the time of its last tick: 10 ms at most, and as much again to be safe.
const TICK: Duration = Duration::from_millis(20);

#[derive(Default)]
pub(super) struct Parsed(Mutex<HashMap<(TypeId, PathBuf), Kept>>);

struct Kept {
    of: Fingerprint,
    value: Arc<dyn Any + Send + Sync>,
}

impl Parsed {
    fn find<T: Send + Sync + 'static>(&self, path: &Path, fingerprint: Fingerprint) -> Option<Arc<T>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(&(TypeId::of::<T>(), path.to_owned())).filter(|kept| kept.of == fingerprint)?;
        Arc::downcast(Arc::clone(&found.value)).ok()
    }

    fn keep<T: Send + Sync + 'static>(&self, path: &Path, of: Fingerprint, value: Arc<T>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert((TypeId::of::<T>(), path.to_owned()), Kept { of, value });
    }
}

impl System {
    /// What `parse` makes of the file at `path`, or nothing where there is none. It is parsed again only when the file
    /// has changed since. A file has one parser for each type.
    ///
    /// ```
    /// # use wb_core::system::{Script, System, files};
    /// # let root = std::env::temp_dir().join("wb-parsed-example");
    /// # files::create_dir(root.join("etc")).unwrap();
    /// # files::write(root.join("etc/shells"), "/bin/sh\n/bin/bash\n", 0o644).unwrap();
    /// # let system = System::fake(&root, Script::new());
    /// struct Shells(Vec<String>);
    ///
    /// let parse = |bytes: &[u8]| Shells(String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect());
    /// let shells = system.parsed("/etc/shells", parse)?.expect("a list of shells");
    /// assert_eq!(shells.0, ["/bin/sh", "/bin/bash"]);
    /// # Ok::<(), wb_core::system::FileError>(())
    /// ```
    ///
    /// # Errors
    /// When it is there and can't be read.
    pub fn parsed<T: Send + Sync + 'static>(
        &self,
        path: impl AsRef<Path>,
        parse: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<Arc<T>>, FileError> {
        let path = self.path(path);
        let Some(fingerprint) = files::fingerprint(&path)? else { return Ok(None) };
        if let Some(value) = self.parsed.find(&path, fingerprint) {
            return Ok(Some(value));
        }
        let Some(content) = files::read_optional(&path)? else { return Ok(None) };
        let value = Arc::new(parse(&content));
        if fingerprint.is_older_than(TICK, Real.now()) {
            self.parsed.keep(&path, fingerprint, Arc::clone(&value));
        }
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::Script;
    use super::super::clock::wait_until;
    use super::*;

    struct Machine {
        root: tempfile::TempDir,
        system: System,
        parsings: Cell<u32>,
    }

    impl Machine {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let system = System::fake(root.path(), Script::new());
            Self { root, system, parsings: Cell::new(0) }
        }

        fn write(&self, content: &str) {
            files::write(self.root.path().join("a"), content, 0o644).unwrap();
        }

        fn look(&self) -> Option<String> {
            let parse = |bytes: &[u8]| {
                self.parsings.set(self.parsings.get() + 1);
                String::from_utf8_lossy(bytes).into_owned()
            };
            self.system.parsed("/a", parse).unwrap().map(|text| text.as_str().to_owned())
        }

        /// Until the file is old enough to be kept.
        fn rest(&self) {
            let path = self.root.path().join("a");
            let old = || files::fingerprint(&path).unwrap().unwrap().is_older_than(TICK, Real.now()).then_some(());
            wait_until(&Real, Duration::from_secs(5), Duration::from_millis(5), old).unwrap();
        }
    }

    #[test]
    fn a_file_is_parsed_once_until_it_changes() {
        let machine = Machine::new();
        assert_eq!(machine.look(), None);
        machine.write("one");
        machine.rest();
        assert_eq!((machine.look().as_deref(), machine.look().as_deref()), (Some("one"), Some("one")));
        assert_eq!(machine.parsings.get(), 1);
        machine.write("two");
        assert_eq!(machine.look().as_deref(), Some("two"));
        files::remove(machine.root.path().join("a")).unwrap();
        assert_eq!(machine.look(), None);
    }

    #[test]
    fn what_changed_just_now_is_not_kept() {
        let machine = Machine::new();
        machine.write("one");
        machine.look();
        files::replace(machine.root.path().join("a"), "two").unwrap();
        assert_eq!(machine.look().as_deref(), Some("two"));
    }

    #[test]
    fn each_type_has_a_value_of_its_own() {
        let machine = Machine::new();
        machine.write("17");
        machine.rest();
        assert_eq!(machine.look().as_deref(), Some("17"));
        let number = machine.system.parsed("/a", |bytes| bytes.len()).unwrap();
        assert_eq!(number.as_deref(), Some(&2));
    }
}
