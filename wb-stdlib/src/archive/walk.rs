//! Reading an archive from one end to the other.

use std::io::{self, Read, SeekFrom};
use std::time::Duration;

use wb_core::system::System;

use super::entry::{Entry, Gate, Raw, RawKind};
use super::format::{Format, Packing, START, unpacked};
use super::source::Input;
use super::{ArchiveError, Source};

/// Is given each entry, and its content.
pub(super) type Each<'e> = dyn FnMut(&Entry, &mut dyn Read) -> Result<(), ArchiveError> + 'e;

/// A walk through an archive.
pub(super) struct Walk<'a> {
    source: &'a Source,
    gate: Gate,
}

impl<'a> Walk<'a> {
    pub(super) fn new(source: &'a Source, strip: usize) -> Self {
        Self { source, gate: Gate::new(strip) }
    }

    /// Hands over each entry that may be unpacked. What may not ends the walk.
    pub(super) fn go(mut self, system: &System, each: &mut Each<'_>) -> Result<(), ArchiveError> {
        let mut input = self.source.open(system)?;
        let format = format_of(input.as_mut()).map_err(|error| self.broken(error))?;
        match format.ok_or_else(|| ArchiveError::NoArchive { archive: self.source.to_string() })? {
            Format::Tar(packing) => self.tar(packing, input.as_mut(), each),
            Format::Zip => self.zip(input.as_mut(), each),
        }
    }

    fn tar(&mut self, packing: Packing, input: &mut dyn Input, each: &mut Each<'_>) -> Result<(), ArchiveError> {
        let mut reader = unpacked(packing, input).map_err(|error| self.broken(error))?;
        let mut tar = tar::Archive::new(reader.as_mut());
        for entry in tar.entries().map_err(|error| self.broken(error))? {
            let mut entry = entry.map_err(|error| self.broken(error))?;
            let (path, link) = (entry.path_bytes().into_owned(), entry.link_name_bytes().map(|link| link.into_owned()));
            let Some(kind) = tar_kind(entry.header().entry_type(), link.as_deref().unwrap_or_default()) else {
                continue;
            };
            let mode = entry.header().mode().map_err(|error| self.broken(error))?;
            let modified = entry.header().mtime().ok().map(Duration::from_secs);
            if let Some(passed) = self.pass(&Raw { path: &path, kind, mode, modified })? {
                each(&passed, &mut entry)?;
            }
        }
        // The sums of what is packed stand at its end.
        io::copy(&mut reader, &mut io::sink()).map(drop).map_err(|error| self.broken(error))
    }

    fn zip(&mut self, input: &mut dyn Input, each: &mut Each<'_>) -> Result<(), ArchiveError> {
        let mut zip = zip::ZipArchive::new(input).map_err(|error| self.broken(error.into()))?;
        for at in 0..zip.len() {
            let mut entry = zip.by_index(at).map_err(|error| self.broken(error.into()))?;
            let (path, mode) = (entry.name_raw().to_vec(), entry.unix_mode());
            let modified = entry.last_modified().map(|time| moment(time.into()));
            let mut target = Vec::new();
            if entry.is_symlink() {
                let mut start = Read::take(&mut entry, LONGEST_TARGET);
                start.read_to_end(&mut target).map_err(|error| self.broken(error))?;
            }
            let kind = zip_kind(entry.is_dir(), entry.is_symlink(), mode, &target);
            let mode = mode.unwrap_or(if entry.is_dir() { 0o755 } else { 0o644 });
            if let Some(passed) = self.pass(&Raw { path: &path, kind, mode, modified })? {
                each(&passed, &mut entry)?;
            }
        }
        Ok(())
    }

    fn pass(&mut self, raw: &Raw<'_>) -> Result<Option<Entry>, ArchiveError> {
        let refused = |why| ArchiveError::Refused {
            archive: self.source.to_string(),
            entry: String::from_utf8_lossy(raw.path).into_owned(),
            why,
        };
        self.gate.pass(raw).map_err(refused)
    }

    fn broken(&self, source: io::Error) -> ArchiveError {
        ArchiveError::Broken { archive: self.source.to_string(), source }
    }
}

/// The longest path that the kernel knows.
const LONGEST_TARGET: u64 = 4096;

fn format_of(input: &mut dyn Input) -> io::Result<Option<Format>> {
    let mut start = Vec::new();
    Read::take(&mut *input, START as u64).read_to_end(&mut start)?;
    input.seek(SeekFrom::Start(0))?;
    Ok(Format::of(&start))
}

/// Nothing for what only says something about the entries that follow.
fn tar_kind(kind: tar::EntryType, link: &[u8]) -> Option<RawKind<'_>> {
    use tar::EntryType;
    match kind {
        EntryType::XGlobalHeader | EntryType::XHeader => None,
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Some(RawKind::File),
        EntryType::Directory => Some(RawKind::Directory),
        EntryType::Symlink => Some(RawKind::Link(link)),
        EntryType::Link => Some(RawKind::Name(link)),
        _ => Some(RawKind::Other),
    }
}

/// The mode has the kind in it, where the archive was made on a Unix.
fn zip_kind(is_dir: bool, is_link: bool, mode: Option<u32>, target: &[u8]) -> RawKind<'_> {
    const FILE: u32 = 0o100_000;
    const DIRECTORY: u32 = 0o040_000;
    match mode.unwrap_or_default() & 0o170_000 {
        _ if is_link => RawKind::Link(target),
        0 | FILE | DIRECTORY if is_dir => RawKind::Directory,
        0 | FILE => RawKind::File,
        _ => RawKind::Other,
    }
}

/// Date and time as MS-DOS has them, taken for UTC: time since 1970.
fn moment((date, time): (u16, u16)) -> Duration {
    let (date, time) = (u64::from(date), u64::from(time));
    let (year, month, day) = (1980 + (date >> 9), (date >> 5 & 15).clamp(1, 12), (date & 31).max(1));
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let months = [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days: u64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum::<u64>()
        + months.iter().zip(1..month).map(|(days, _)| days).sum::<u64>()
        + day
        - 1;
    Duration::from_secs(days * 86_400 + (time >> 11) * 3600 + (time >> 5 & 63) * 60 + (time & 31) * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_zip_are_moments() {
        let check = |year: u16, month: u16, day: u16, time: u16, expect| {
            assert_eq!(moment(((year - 1980) << 9 | month << 5 | day, time)).as_secs(), expect);
        };
        check(1980, 1, 1, 0, 315_532_800);
        check(2000, 3, 1, 0, 951_868_800);
        check(2024, 2, 29, 12 << 11 | 30 << 5 | 1, 1_709_209_802);
        check(2107, 12, 31, 0, 4_354_732_800);
    }

    #[test]
    fn what_zip_has_beside_files_is_known_by_its_mode() {
        let check = |is_dir, is_link, mode, expect: &str| {
            assert_eq!(format!("{:?}", zip_kind(is_dir, is_link, mode, b"x")), expect);
        };
        check(false, false, None, "File");
        check(false, false, Some(0o100_644), "File");
        check(true, false, Some(0o040_755), "Directory");
        check(true, false, None, "Directory");
        check(false, true, Some(0o120_777), "Link([120])");
        check(false, false, Some(0o020_666), "Other");
    }
}
