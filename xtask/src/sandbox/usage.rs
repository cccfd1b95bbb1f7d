//! Who uses a cache: nobody removes what hosts boot from, or may boot from at any moment, wherever their herd has its
//! disks.
//!
//! There are two locks, each of which many hold at once. A process has the one for as long as it has an image; the keeper
//! of a herd has the other one for as long as there is the herd, also when the process that started it has long ended.
//! Who holds both alone is alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use wb_core::system::files::{self, Lock};

use super::{SandboxError, lock_soon};

/// A use of a cache by this process. It ends with the last copy of this.
#[derive(Debug, Clone)]
pub(super) struct Usage {
    _lock: Arc<Lock>,
}

/// Nobody uses a cache while there is this.
#[derive(Debug)]
pub(super) struct Alone {
    _locks: [Lock; 2],
}

/// The lock of processes that have an image.
const PROCESSES: &str = "in-use";

/// The lock of keepers.
const HERDS: &str = "booted";

/// How long removing all that there is may take.
const REMOVING: Duration = Duration::from_secs(10 * 60);

impl Usage {
    /// Begins one. Whoever is just removing things is waited for.
    pub(super) fn begin(cache: &Path) -> Result<Self, SandboxError> {
        let free = || files::try_lock_shared(cache.join(PROCESSES)).transpose();
        let lock = super::wait("another process that removes images", REMOVING, free)??;
        Ok(Self { _lock: Arc::new(lock) })
    }
}

/// The file whose lock a keeper holds.
pub(super) fn of_herds(cache: &Path) -> Result<PathBuf, SandboxError> {
    let path = cache.join(HERDS);
    // That makes it where it is not there.
    drop(files::try_lock_shared(&path)?);
    Ok(path)
}

/// The right to remove what hosts boot from; nothing where somebody uses it.
pub(super) fn alone(cache: &Path) -> Result<Option<Alone>, SandboxError> {
    let Some(processes) = lock_soon(&cache.join(PROCESSES))? else { return Ok(None) };
    let herds = lock_soon(&cache.join(HERDS))?;
    Ok(herds.map(|herds| Alone { _locks: [processes, herds] }))
}

/// Whether no herd is running that could have booted from a cache.
pub(super) fn has_no_herds(cache: &Path) -> Result<bool, SandboxError> {
    Ok(lock_soon(&cache.join(HERDS))?.is_some())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A keeper's hold on a cache.
    pub(crate) fn keep(cache: &Path) -> Lock {
        files::try_lock_shared(of_herds(cache).unwrap()).unwrap().unwrap()
    }

    #[test]
    fn who_uses_a_cache_keeps_others_from_being_alone() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path();
        let is_alone = || alone(cache).unwrap().is_some();
        assert!(is_alone());
        let (first, second) = (Usage::begin(cache).unwrap(), Usage::begin(cache).unwrap());
        let copy = first.clone();
        drop((first, second));
        assert!(!is_alone() && has_no_herds(cache).unwrap());
        drop(copy);
        let keepers = [keep(cache), keep(cache)];
        assert!(!is_alone() && !has_no_herds(cache).unwrap());
        drop(keepers);
        assert!(is_alone() && has_no_herds(cache).unwrap());
    }
}
