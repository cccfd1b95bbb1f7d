//! What is on what is to be swapped to.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use wb_core::system::files::{self, FileError};

/// The last bytes of the first page of a swap space; pages have 4, 16 or 64 KiB.
const SIGNATURE: &[u8] = b"SWAPSPACE2";
const PAGES: [u64; 3] = [4096, 16384, 65536];
/// Every file system, partition table and volume says within so many bytes what it is.
const START: u64 = 1024 * 1024;

/// What a file or device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// A swap space, in use or not.
    Swap,
    /// Nothing but zeros, as far as anything would show itself.
    Nothing,
    /// Something else.
    Other,
}

/// Looks into the file or device at `path`, which is seen from this process.
pub(super) fn content(path: &Path) -> Result<Content, FileError> {
    let mut file = files::open(path)?;
    judge(&mut file).map_err(|source| FileError { action: "read", path: path.to_owned(), source })
}

fn judge(file: &mut (impl Read + Seek)) -> io::Result<Content> {
    for page in PAGES {
        if has_signature(file, page)? {
            return Ok(Content::Swap);
        }
    }
    file.seek(SeekFrom::Start(0))?;
    let mut left = file.take(START);
    let mut piece = vec![0; 64 * 1024];
    loop {
        match left.read(&mut piece)? {
            0 => return Ok(Content::Nothing),
            read if piece[..read].iter().any(|byte| *byte != 0) => return Ok(Content::Other),
            _ => {}
        }
    }
}

fn has_signature(file: &mut (impl Read + Seek), page: u64) -> io::Result<bool> {
    let mut found = [0; SIGNATURE.len()];
    file.seek(SeekFrom::Start(page - SIGNATURE.len() as u64))?;
    match file.read_exact(&mut found) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| found == SIGNATURE),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn contents_are_told_apart_by_their_start() {
        let check = |bytes: &[u8], expect: Content| assert_eq!(judge(&mut Cursor::new(bytes)).unwrap(), expect);
        let swap = |page: usize| [&vec![7; page - 10], SIGNATURE, &[0; 100]].concat();
        check(&swap(4096), Content::Swap);
        check(&swap(65536), Content::Swap);
        check(&[0; 200_000], Content::Nothing);
        check(b"", Content::Nothing);
        check(b"an old diary", Content::Other);
        check(&[&vec![0; 1024][..], b"\x53\xef"].concat(), Content::Other);
    }
}
