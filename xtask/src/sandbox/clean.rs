//! Removing what sandboxes leave on a machine: herds that nobody holds, and what is kept to be quicker the next time.

use std::path::Path;

use serde::Serialize;
use wb_core::system::files;

use super::{Herd, Layers, SandboxError, cache_dir, census, image};

/// What is removed besides herds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cleaning {
    /// The root file systems that hosts boot from.
    pub images: bool,
    /// The disks that were kept.
    pub layers: bool,
    /// The packages that hosts downloaded.
    pub packages: bool,
}

/// What was removed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Cleaned {
    /// Herds that ran, and were left by who started them.
    pub ended: Vec<String>,
    /// Herds that ran no more, and whose disks were left.
    pub removed: Vec<String>,
    /// Herds that a process holds. They stay, and with them all that hosts may have booted from.
    pub busy: Vec<String>,
    /// Whether images, layers and packages stay though no herd is held here: a process uses them, or a herd elsewhere.
    pub in_use: bool,
    /// The images.
    pub images: Vec<String>,
    /// How many layers.
    pub layers: usize,
    /// Whether the packages are gone, too.
    pub packages: bool,
}

/// Removes what is left, and what else is wished where no herd is busy.
///
/// # Errors
/// When something can't be removed.
pub fn clean(wished: Cleaning) -> Result<Cleaned, SandboxError> {
    let mut cleaned = Cleaned::default();
    for seen in census() {
        match Herd::stop(&seen.place) {
            Ok(true) => cleaned.ended.push(seen.herd),
            Ok(false) => cleaned.removed.push(seen.herd),
            Err(SandboxError::Busy { .. }) => cleaned.busy.push(seen.herd),
            Err(error) => return Err(error),
        }
    }
    if cleaned.busy.is_empty() {
        cleaned.forget(wished, &cache_dir())?;
    }
    Ok(cleaned)
}

impl Cleaned {
    /// Whether nothing stays that was to go.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.busy.is_empty() && !self.in_use
    }

    fn forget(&mut self, wished: Cleaning, cache: &Path) -> Result<(), SandboxError> {
        if wished == Cleaning::default() || !files::exists(cache) {
            return Ok(());
        }
        // Nobody begins to use any of it before all of it is gone.
        let Some(_alone) = image::alone(cache)? else {
            self.in_use = true;
            return Ok(());
        };
        if wished.layers {
            self.layers = Layers::open(cache)?.clear()?.layers;
        }
        if wished.images {
            self.images = image::remove_all(cache)?;
        }
        if wished.packages {
            self.packages = image::remove_packages(cache)?;
        }
        Ok(())
    }

    /// A line for each thing.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let told = |names: &[String], what: &str| names.iter().map(|name| what.replace('X', name)).collect::<Vec<_>>();
        let mut lines = told(&self.ended, "ended the herd X");
        lines.extend(told(&self.removed, "removed the disks of the herd X"));
        lines.extend(told(&self.images, "removed the image X"));
        if self.layers > 0 {
            lines.push(format!("removed {} layers", self.layers));
        }
        if self.packages {
            lines.push("removed the packages that hosts downloaded".to_owned());
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::usage::{Usage, tests::keep};

    #[test]
    fn what_somebody_uses_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (cache, all) = (dir.path(), Cleaning { images: true, layers: true, packages: true });
        let packages = cache.join("packages");
        files::create_dir(&packages).unwrap();
        let check = |wished: Cleaning, in_use: bool, is_gone: bool| {
            let mut cleaned = Cleaned::default();
            cleaned.forget(wished, cache).unwrap();
            assert_eq!((cleaned.in_use, cleaned.packages, files::exists(&packages)), (in_use, is_gone, !is_gone));
            assert_eq!(cleaned.is_whole(), !in_use);
        };
        let usage = Usage::begin(cache).unwrap();
        check(all, true, false);
        check(Cleaning::default(), false, false);
        drop(usage);
        let keeper = keep(cache);
        check(all, true, false);
        drop(keeper);
        let building = crate::sandbox::lock_soon(&cache.join("lock")).unwrap().unwrap();
        check(all, true, false);
        drop(building);
        check(all, false, true);
        let mut nothing = Cleaned::default();
        nothing.forget(all, &cache.join("none")).unwrap();
        assert_eq!(nothing, Cleaned::default());
    }

    #[test]
    fn each_thing_has_a_line() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let cleaned = Cleaned {
            ended: names(&["demo"]),
            removed: names(&["a", "b"]),
            images: names(&["debian12"]),
            layers: 3,
            packages: true,
            ..Cleaned::default()
        };
        let expect = [
            "ended the herd demo",
            "removed the disks of the herd a",
            "removed the disks of the herd b",
            "removed the image debian12",
            "removed 3 layers",
            "removed the packages that hosts downloaded",
        ];
        assert_eq!(cleaned.lines(), expect);
        assert_eq!(Cleaned::default().lines(), [""; 0]);
    }
}
