//! What things in the directory of layers are called. Whatever is called otherwise was put there by somebody else, and
//! stays: that directory may be one of a disk with other things on it.

use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The layer of a whole herd.
pub(super) const HERD: &str = "herd-";

/// What another program than the runner that ships has left of hosts.
const TWIN: &str = "twin-";

/// The digits of a key.
const DIGITS: usize = 32;

/// What one of them is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name<'a> {
    /// A layer in its place.
    Layer(&'a str),
    /// One that is being made.
    New {
        /// The process that makes it.
        by: u32,
    },
    /// One that has lost its place.
    Gone,
}

impl<'a> Name<'a> {
    /// What is at a path. Nothing where that is not of ours.
    pub(super) fn of(path: &'a Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let Some((layer, rest)) = name.split_once('.') else { return is_of_layer(name).then_some(Self::Layer(name)) };
        let (by, rest) = rest.split_once('.')?;
        let (number, end) = rest.split_once('.')?;
        let by = by.parse::<u32>().ok().filter(|_| is_of_layer(layer) && number.parse::<usize>().is_ok())?;
        match end {
            "new" => Some(Self::New { by }),
            "gone" => Some(Self::Gone),
            _ => None,
        }
    }
}

/// Whether a layer can be called so.
pub(super) fn is_of_layer(name: &str) -> bool {
    let key = name.strip_prefix(HERD).unwrap_or(name);
    let key = key.strip_prefix(TWIN).unwrap_or(key);
    key.len() == DIGITS && key.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What a layer of this name is called while it is made, by this process and this time.
pub(super) fn new(layer: &str) -> String {
    beside(layer, "new")
}

/// What a layer of this name is called once it has lost its place.
pub(super) fn gone(layer: &str) -> String {
    beside(layer, "gone")
}

fn beside(layer: &str, end: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("{layer}.{}.{}.{end}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn check(name: &str, expect: Option<Name<'_>>) {
        assert_eq!(Name::of(&Path::new("/cache/layers").join(name)), expect, "{name}");
    }

    #[test]
    fn what_is_of_ours_is_known_by_its_name() {
        for layer in [KEY.to_owned(), format!("herd-{KEY}"), format!("twin-{KEY}")] {
            check(&layer, Some(Name::Layer(&layer)));
            check(&new(&layer), Some(Name::New { by: process::id() }));
            check(&gone(&layer), Some(Name::Gone));
        }
    }

    #[test]
    fn what_is_of_others_is_not() {
        let others = ["lock", "photos", "herd-", "0123", "lost+found", ".Trash-1000", "a.1.2.new", "."];
        others.iter().for_each(|name| check(name, None));
        for name in [
            format!("{KEY}0"),
            KEY.to_uppercase(),
            format!("web-{KEY}"),
            format!("{KEY}.tar"),
            format!("{KEY}.x.1.new"),
            format!("{KEY}.1.x.gone"),
            format!("{KEY}.1.2.old"),
            format!("{KEY}.1.2.3.gone"),
        ] {
            check(&name, None);
        }
    }

    #[test]
    fn no_two_are_called_the_same() {
        assert_ne!(new(KEY), new(KEY));
    }
}
