//! The locales in the archive of the GNU C library, `/usr/lib/locale/locale-archive`.

use std::io::{self, Read, Seek, SeekFrom};

const MAGIC: u32 = 0xde02_0109;
/// Numbers of the header, of four bytes each, in the byte order of the machine.
const NUMBERS: usize = 8;
/// Where in the header it stands where the names begin, and how many bytes of them there are.
const NAMES: [usize; 2] = [5, 6];
/// More than all names of all locales take.
const LARGEST: u32 = 1024 * 1024;

/// The names that an archive has. It may have hundreds of MiB, of which this reads the names only.
pub(super) fn names(archive: &mut (impl Read + Seek)) -> io::Result<Vec<String>> {
    let mut header = [0; 4 * NUMBERS];
    archive.read_exact(&mut header)?;
    let number = |at: usize| {
        let bytes: [u8; 4] = header[4 * at..4 * at + 4].try_into().unwrap_or_default();
        u32::from_ne_bytes(bytes)
    };
    let (offset, length) = (number(NAMES[0]), number(NAMES[1]));
    if number(0) != MAGIC || length > LARGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut text = Vec::new();
    archive.seek(SeekFrom::Start(offset.into()))?;
    archive.take(length.into()).read_to_end(&mut text)?;
    let names = text.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn archive(magic: u32, length: u32, text: &[u8]) -> Vec<u8> {
        let numbers = [magic, 9, 56, 2, 7, 100, length, 4096];
        let mut bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
        bytes.resize(100, 7);
        bytes.extend(text);
        bytes
    }

    #[test]
    fn names_are_read_from_where_the_header_says() {
        let bytes = archive(MAGIC, 24, b"de_DE.utf8\0en_US.utf8\0\0\0garbage");
        assert_eq!(names(&mut Cursor::new(bytes)).unwrap(), ["de_DE.utf8", "en_US.utf8"]);
    }

    #[test]
    fn what_is_no_archive_is_an_error() {
        let check = |bytes: Vec<u8>| assert!(names(&mut Cursor::new(bytes)).is_err());
        check(archive(1, 24, b"de_DE.utf8\0"));
        check(archive(MAGIC, u32::MAX, b"de_DE.utf8\0"));
        check(b"short".to_vec());
        let cut = archive(MAGIC, 24, b"de_DE.ut");
        assert_eq!(names(&mut Cursor::new(cut)).unwrap(), ["de_DE.ut"]);
    }
}
