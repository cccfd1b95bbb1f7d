//! What says which archive a directory was made of: a file in it, so that both take their place at once.

use std::fmt;
use std::path::Path;

use wb_core::system::System;
use wb_core::system::files::FileError;
use wb_core::system::growing;

use crate::sha256::Sha256;

/// The file's name.
pub(super) const NAME: &str = ".wildebeest-archive";

/// What a directory was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) sum: Sha256,
    pub(super) strip: usize,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sha256 {}", self.sum)?;
        let numbers = [("strip_components", u32::try_from(self.strip).ok()), ("owner", self.uid), ("group", self.gid)];
        let given = numbers.into_iter().filter_map(|(name, number)| number.map(|number| (name, number)));
        given.into_iter().try_for_each(|(name, number)| writeln!(f, "{name} {number}"))
    }
}

/// The text of the marker in a directory. Whoever owns that may have put anything there: a longer file is no marker of ours,
/// and its first piece says so.
pub(super) fn text(system: &System, dir: &Path) -> Result<Option<String>, FileError> {
    let mut bytes = Vec::new();
    let read = growing::read_while(system.path(dir.join(NAME)), |piece| {
        bytes.extend_from_slice(piece);
        false
    })?;
    Ok(read.map(|_| String::from_utf8_lossy(&bytes).into_owned()))
}

impl Marker {
    /// The first digits of the sum in the text of a marker.
    pub(super) fn short_sum(text: &str) -> Option<String> {
        let sum = text.lines().find_map(|line| line.strip_prefix("sha256 "))?;
        Sha256::parse(sum).map(Sha256::short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_says_what_was_unpacked_and_how() {
        let sum = Sha256::of(b"");
        let marker = Marker { sum, strip: 1, uid: Some(33), gid: None };
        assert_eq!(marker.to_string(), format!("sha256 {sum}\nstrip_components 1\nowner 33\n"));
        assert_eq!(Marker::short_sum(&marker.to_string()), Some(sum.short()));
        assert_eq!(Marker::short_sum("sha256 abc\n"), None);
        assert_eq!(Marker::short_sum(""), None);
    }
}
