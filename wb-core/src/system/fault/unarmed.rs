//! The hooks of a process that can't be armed: they do nothing, and vanish.

use std::fs::File;
use std::io;
use std::path::Path;

use super::point::{Bug, Kind, Subject};

/// See the feature `faults`.
#[derive(Debug)]
#[must_use]
pub struct During;

/// Says what is being changed, until the value is dropped. Does nothing without the feature `faults`.
#[inline]
pub fn during(_subject: Subject) -> During {
    During
}

/// Whether a mistake is made on purpose: never, without the feature `faults`.
#[inline]
#[must_use]
pub const fn planted(_bug: Bug) -> bool {
    false
}

/// How many points this process has passed since it was armed: none, without the feature `faults`.
#[inline]
#[must_use]
pub const fn passed() -> u64 {
    0
}

pub(crate) struct Strike;

impl Strike {
    #[inline]
    pub(crate) fn part<'a>(&self, content: &'a [u8]) -> &'a [u8] {
        content
    }

    #[inline]
    pub(crate) fn fall(self) -> io::Result<()> {
        Ok(())
    }
}

#[inline]
pub(crate) fn strike(_kind: Kind) -> Strike {
    Strike
}

#[inline]
pub(crate) fn pass(_kind: Kind) -> io::Result<()> {
    Ok(())
}

pub(crate) struct Change;

impl Change {
    #[inline]
    pub(crate) fn of(_names: &[&Path]) -> Self {
        Self
    }

    #[inline]
    pub(crate) fn made(self) {}
}

#[inline]
pub(crate) fn unsynced(_file: &File, _from: u64) {}

#[inline]
pub(crate) fn synced(_file: &File) {}

#[inline]
pub(crate) fn synced_dir(_dir: &Path) {}

#[inline]
pub(crate) fn will_set_attributes(_path: &Path) {}
