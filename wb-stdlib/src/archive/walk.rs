//! Reading an archive from one end to the other.

use std::cell::Cell;
use std::io::{self, Read, SeekFrom};
use std::rc::Rc;
use std::time::Duration;

use super::entry::{Entry, Gate, LONGEST, Raw, RawKind};
use super::format::{Format, Packing, START, unpacked};
use super::source::Input;
use super::{ArchiveError, Unpacked};
use crate::look::Access as _;

/// Is given each entry, and its content.
pub(super) type Each<'e> = dyn FnMut(&Entry, &mut dyn Read) -> Result<(), ArchiveError> + 'e;

/// How much an archive may say of one entry beside its content, in bytes: names, attributes, where a file has holes. The
/// crate keeps it in memory.
const MOST_SAID: u64 = 1 << 20;

/// A file takes whole blocks, and whatever there is takes one.
const BLOCK: u64 = 4096;

/// A walk through an archive.
pub(super) struct Walk<'a> {
    of: &'a Unpacked<'a>,
    gate: Gate,
    /// How many bytes there is room for, and how many are needed for what has come so far.
    free: u64,
    needed: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(of: &'a Unpacked<'a>, free: u64) -> Self {
        Self { of, gate: Gate::new(of.archive.strip), free, needed: 0 }
    }

    /// Hands over each entry that may be unpacked. What may not ends the walk, and so does what there is no room for: a few
    /// bytes can say that they mean more than any disk has.
    pub(super) fn go(mut self, each: &mut Each<'_>) -> Result<(), ArchiveError> {
        let mut input = self.of.archive.source.open(self.of.archive.host.system())?;
        let format = format_of(input.as_mut()).map_err(|error| self.broken(error))?;
        match format.ok_or_else(|| ArchiveError::NoArchive { archive: self.name() })? {
            Format::Tar(packing) => self.tar(packing, input.as_mut(), each),
            Format::Zip => self.zip(input.as_mut(), each),
        }
    }

    fn tar(&mut self, packing: Packing, input: &mut dyn Input, each: &mut Each<'_>) -> Result<(), ArchiveError> {
        let left = Rc::new(Cell::new(u64::MAX));
        let reader = unpacked(packing, input).map_err(|error| self.broken(error))?;
        let mut reader = Bounded { reader, left: Rc::clone(&left) };
        let mut tar = tar::Archive::new(&mut reader);
        let mut entries = tar.entries().map_err(|error| self.broken(error))?;
        loop {
            left.set(MOST_SAID);
            let entry = entries.next();
            left.set(u64::MAX);
            let Some(entry) = entry else { break };
            self.tar_entry(&mut entry.map_err(|error| self.broken(error))?, each)?;
        }
        // The sums of what is packed stand at its end.
        self.rest(&mut reader)
    }

    fn tar_entry<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>, each: &mut Each<'_>) -> Result<(), ArchiveError> {
        let (path, link) = (entry.path_bytes().into_owned(), entry.link_name_bytes().map(|link| link.into_owned()));
        if let Some(kind) = tar_kind(entry.header().entry_type(), link.as_deref().unwrap_or_default()) {
            let mode = entry.header().mode().map_err(|error| self.broken(error))?;
            let modified = entry.header().mtime().ok().map(Duration::from_secs);
            let passed = self.pass(&Raw { path: &path, kind, mode, modified })?;
            self.takes(kind, entry.size())?;
            if let Some(passed) = passed {
                each(&passed, entry)?;
            }
        }
        // What nobody read would count as said of the next entry.
        self.rest(entry)
    }

    fn zip(&mut self, input: &mut dyn Input, each: &mut Each<'_>) -> Result<(), ArchiveError> {
        let mut zip = zip::ZipArchive::new(input).map_err(|error| self.broken(error.into()))?;
        for at in 0..zip.len() {
            let mut entry = zip.by_index(at).map_err(|error| self.broken(error.into()))?;
            let (path, mode) = (entry.name_raw().to_vec(), entry.unix_mode());
            let modified = entry.last_modified().map(|time| moment(time.into()));
            let mut target = Vec::new();
            if entry.is_symlink() {
                let mut start = Read::take(&mut entry, LONGEST as u64);
                start.read_to_end(&mut target).map_err(|error| self.broken(error))?;
            }
            let kind = zip_kind(entry.is_dir(), entry.is_symlink(), mode, &target);
            let mode = mode.unwrap_or(if entry.is_dir() { 0o755 } else { 0o644 });
            let passed = self.pass(&Raw { path: &path, kind, mode, modified })?;
            self.takes(kind, entry.size())?;
            if let Some(passed) = passed {
                // It is no longer than it says: the crate sees to that.
                each(&passed, &mut entry)?;
            }
        }
        Ok(())
    }

    /// Counts an entry.
    fn takes(&mut self, kind: RawKind<'_>, size: u64) -> Result<(), ArchiveError> {
        self.of.archive.host.context().pause(Duration::ZERO);
        let content = if matches!(kind, RawKind::File) { size } else { 0 };
        self.needed = self.needed.saturating_add(content).saturating_add(BLOCK);
        match self.needed > self.free {
            true => Err(ArchiveError::NoRoom { dir: self.of.dir.clone(), needed: self.needed, free: self.free }),
            false => Ok(()),
        }
    }

    /// Reads to the end of what nobody wants.
    fn rest(&self, reader: &mut dyn Read) -> Result<(), ArchiveError> {
        let mut piece = [0; 8192];
        while reader.read(&mut piece).map_err(|error| self.broken(error))? > 0 {
            self.of.archive.host.context().pause(Duration::ZERO);
        }
        Ok(())
    }

    fn pass(&mut self, raw: &Raw<'_>) -> Result<Option<Entry>, ArchiveError> {
        let archive = self.name();
        let refused =
            |why| ArchiveError::Refused { archive, entry: String::from_utf8_lossy(raw.path).into_owned(), why };
        self.gate.pass(raw).map_err(refused)
    }

    fn broken(&self, source: io::Error) -> ArchiveError {
        ArchiveError::Broken { archive: self.name(), source }
    }

    fn name(&self) -> String {
        self.of.archive.source.to_string()
    }
}

/// Reading, of no more than is left.
struct Bounded<R> {
    reader: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(piece)?;
        let too_much = || io::Error::new(io::ErrorKind::InvalidData, "it says more than 1 MiB of one entry");
        self.left.set(self.left.get().checked_sub(length as u64).ok_or_else(too_much)?);
        Ok(length)
    }
}

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
