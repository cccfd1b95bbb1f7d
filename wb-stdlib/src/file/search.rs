//! Looking for a text in a file, piece by piece: the file may be larger than memory.

use std::path::Path;

use wb_core::system::System;
use wb_core::system::files::FileError;
use wb_core::system::growing;

/// How much of a file is kept for messages, in bytes.
const START: usize = 4096;

/// What a search found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) has_it: bool,
    /// How many bytes were read: all of them where it has not.
    pub(crate) length: u64,
    /// Whether nobody but its owner may read it.
    is_private: bool,
    /// The start of the file.
    start: Vec<u8>,
    lines: usize,
}

impl Found {
    /// The start of the file, as much of it as helps in a message, unless it is private: then it has no place there.
    pub(super) fn shown(&self) -> String {
        if self.is_private {
            return format!(" {} bytes without it; they are private, and not shown", self.length);
        }
        let start = super::difference::start(&String::from_utf8_lossy(&self.start), self.lines);
        match self.length > self.start.len() as u64 {
            true => format!(":\n{start}\n({} bytes in all)", self.length),
            false => format!(":\n{start}"),
        }
    }
}

/// Looks for `text` in the file at `path`; nothing where there is none. It is read no further than needed.
pub(crate) fn search(system: &System, path: &Path, text: &str) -> Result<Option<Found>, FileError> {
    let mut found = Found { has_it: text.is_empty(), length: 0, is_private: true, start: Vec::new(), lines: 0 };
    let mut window = Vec::new();
    let read = growing::read_while(system.path(path), |piece| {
        found.add(piece);
        window.extend_from_slice(piece);
        found.has_it |= String::from_utf8_lossy(&window).contains(text);
        // The text may begin at the end of this piece.
        window.drain(..window.len().saturating_sub(text.len()));
        !found.has_it
    })?;
    Ok(read.map(|stat| Found { is_private: stat.mode & 0o077 == 0, ..found }))
}

impl Found {
    fn add(&mut self, piece: &[u8]) {
        let room = START - self.start.len();
        self.start.extend_from_slice(&piece[..piece.len().min(room)]);
        self.length += piece.len() as u64;
        self.lines += piece.iter().filter(|byte| **byte == b'\n').count();
    }
}

#[cfg(test)]
mod tests {
    use wb_core::system::Script;
    use wb_core::system::files;
    use wb_core::system::growing::PIECE;

    use super::*;

    fn check(content: &[u8], text: &str, has_it: bool) {
        let dir = tempfile::tempdir().unwrap();
        files::write(dir.path().join("a"), content, 0o644).unwrap();
        let found = search(&System::fake(dir.path(), Script::new()), Path::new("/a"), text).unwrap().unwrap();
        assert_eq!(found.has_it, has_it, "{text}");
    }

    #[test]
    fn a_text_is_found_wherever_it_stands() {
        check(b"one two\n", "two", true);
        check(b"one two\n", "three", false);
        check(b"", "", true);
        check(b"", "x", false);
        for before in PIECE - 5..PIECE + 2 {
            let content = ["x".repeat(before).as_bytes(), "\u{e4}needle\u{e4}".as_bytes(), b"y"].concat();
            check(&content, "\u{e4}needle\u{e4}", true);
            check(&content, "needles", false);
        }
        check(&[vec![0xff; PIECE - 1], b"needle".to_vec()].concat(), "needle", true);
    }

    #[test]
    fn a_file_is_read_no_further_than_needed() {
        let dir = tempfile::tempdir().unwrap();
        files::write(dir.path().join("a"), [b"needle".to_vec(), vec![b'x'; 3 * PIECE]].concat(), 0o644).unwrap();
        let system = System::fake(dir.path(), Script::new());
        let length = |text| search(&system, Path::new("/a"), text).unwrap().unwrap().length;
        assert_eq!((length("needle"), length("none")), (PIECE as u64, 3 * PIECE as u64 + 6));
        assert!(search(&system, Path::new("/none"), "x").unwrap().is_none());
    }
}
