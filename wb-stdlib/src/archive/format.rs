//! How archives are packed, as their first bytes say, and reading through that.

use std::io::{self, BufRead as _, BufReader, Read};

use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

/// How much memory reading what is packed may take, in bytes: as much as `xz -9` and `zstd -19 --long` need, and no more
/// than a host can spare.
const MEMORY: u32 = 128 << 20;

/// How many bytes tell the format.
pub(super) const START: usize = 512;

/// What an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Tar(Packing),
    Zip,
}

/// What a tar is packed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Xz,
    Zstd,
    Bzip2,
}

impl Format {
    /// The format of what starts so.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        let magic: [(&[u8], Self); 6] = [
            (b"\x1f\x8b\x08", Self::Tar(Packing::Gzip)),
            (b"\xfd7zXZ\0", Self::Tar(Packing::Xz)),
            (b"\x28\xb5\x2f\xfd", Self::Tar(Packing::Zstd)),
            (b"BZh", Self::Tar(Packing::Bzip2)),
            (b"PK\x03\x04", Self::Zip),
            (b"PK\x05\x06", Self::Zip),
        ];
        let known = magic.into_iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, format)| format);
        known.or_else(|| is_tar(start).then_some(Self::Tar(Packing::Plain)))
    }
}

/// Whether it starts with a header of tar: the sum of its bytes stands in it.
fn is_tar(start: &[u8]) -> bool {
    let Some(header) = start.get(..START).filter(|header| header.iter().any(|byte| *byte != 0)) else { return false };
    let sum: u32 =
        header.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) }).sum();
    let text = String::from_utf8_lossy(&header[148..156]).into_owned();
    u32::from_str_radix(text.trim_matches([' ', '\0']), 8) == Ok(sum)
}

/// What is packed in it.
pub(super) fn unpacked<'r, R: Read + 'r>(packing: Packing, packed: R) -> io::Result<Box<dyn Read + 'r>> {
    Ok(match packing {
        Packing::Plain => Box::new(BufReader::new(packed)),
        Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(packed)),
        Packing::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(BufReader::new(packed), true, MEMORY >> 10)),
        Packing::Zstd => Box::new(Frames::new(packed)?),
        Packing::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(packed)),
    })
}

/// All frames of zstd, one after the other.
struct Frames<R: Read> {
    frame: Option<StreamingDecoder<BufReader<R>, FrameDecoder>>,
}

impl<R: Read> Frames<R> {
    fn new(packed: R) -> io::Result<Self> {
        Ok(Self { frame: Some(frame(BufReader::new(packed))?) })
    }

    /// After the end of a frame: it is what was packed, and there may be another one.
    fn next(&mut self) -> io::Result<()> {
        let Some(ended) = self.frame.take() else { return Ok(()) };
        let (mut rest, decoder) = ended.into_parts();
        let sums = (decoder.get_checksum_from_data(), decoder.get_calculated_checksum());
        if let (Some(wanted), Some(found)) = sums
            && wanted != found
        {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the checksum of a frame is wrong"));
        }
        if !rest.fill_buf()?.is_empty() {
            self.frame = Some(frame(rest)?);
        }
        Ok(())
    }
}

fn frame<R: Read>(packed: BufReader<R>) -> io::Result<StreamingDecoder<BufReader<R>, FrameDecoder>> {
    StreamingDecoder::new_with_max_window_size(packed, u64::from(MEMORY)).map_err(io::Error::other)
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        while let Some(frame) = &mut self.frame {
            match frame.read(piece)? {
                0 if !piece.is_empty() => self.next()?,
                length => return Ok(length),
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_format() {
        let check = |start: &[u8], expect| assert_eq!(Format::of(start), expect, "{start:?}");
        check(b"\x1f\x8b\x08\0", Some(Format::Tar(Packing::Gzip)));
        check(b"\xfd7zXZ\0\0", Some(Format::Tar(Packing::Xz)));
        check(b"\x28\xb5\x2f\xfd\0", Some(Format::Tar(Packing::Zstd)));
        check(b"BZh91AY", Some(Format::Tar(Packing::Bzip2)));
        check(b"PK\x03\x04", Some(Format::Zip));
        check(b"<html>", None);
        check(b"", None);
        check(&[0; START], None);
        check(&[b'a'; START], None);
    }

    #[test]
    fn a_header_of_tar_has_its_sum() {
        let mut header = tar::Header::new_old();
        header.set_path("a").unwrap();
        header.set_size(0);
        header.set_cksum();
        assert_eq!(Format::of(header.as_bytes()), Some(Format::Tar(Packing::Plain)));
    }
}
