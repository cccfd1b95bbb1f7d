//! Fetching: try after try, each of which goes on where the last one was cut short.

use std::path::{Path, PathBuf};
use std::time::Duration;

use wb_core::system::Growing;
use wb_core::system::files::{self, Attributes};
use wb_core::system::growing::PIECE;
use wb_core::system::http::{self, Answer, Roots, shown};

use super::{Download, DownloadError};
use crate::file::FileError;
use crate::http::roots;
use crate::look::Access as _;
use crate::sha256::{Hasher, Sha256};

/// How long a server may be silent.
const SILENCE: Duration = Duration::from_secs(30);
/// How many redirections are followed.
const REDIRECTS: u32 = 10;
/// How often it is tried without a single new byte.
const TRIES: u32 = 5;

/// How long to wait before the next try, after so many that brought nothing: 1, 2, 4, 8 seconds.
fn delay(in_vain: u32) -> Duration {
    Duration::from_secs(1 << in_vain.saturating_sub(1).min(5))
}

/// What there is of the file so far.
struct Part {
    file: Growing,
    hasher: Hasher,
}

impl Part {
    fn open(path: &Path) -> Result<Self, files::FileError> {
        let (mut file, mut hasher) = (Growing::again(path)?, Hasher::default());
        file.read_each(|piece| hasher.add(piece))?;
        Ok(Self { file, hasher })
    }

    fn begin_anew(&mut self) -> Result<(), files::FileError> {
        if self.file.length() > 0 {
            *self = Self { file: Growing::anew(self.file.path())?, hasher: Hasher::default() };
        }
        Ok(())
    }

    fn add(&mut self, piece: &[u8]) -> Result<(), files::FileError> {
        self.file.add(piece)?;
        self.hasher.add(piece);
        Ok(())
    }
}

/// What one try came to.
enum Try {
    Whole,
    /// What there was of it is of another file: it begins anew, at once.
    Anew,
}

impl Download<'_> {
    pub(super) fn fetch(&self, sum: Sha256, attributes: Attributes) -> Result<(), DownloadError> {
        let path = self.host.system().path(&self.path);
        let place = part_of(&path, sum);
        remove_others(&path, &place)?;
        let fetched = Part::open(&place).map_err(DownloadError::from).and_then(|mut part| {
            self.fill(&mut part, sum)?;
            part.file.settle(attributes)?;
            Ok(files::rename(&place, &path)?)
        });
        fetched.map_err(|error| self.give_up(error, &place))
    }

    /// What may yet become the file stays for the next run; what can't, or what fills the disk, goes.
    pub(super) fn give_up(&self, error: DownloadError, place: &Path) -> DownloadError {
        match error {
            DownloadError::File(FileError::Full { source, .. }) => {
                drop(files::remove(place));
                DownloadError::NoRoom { path: self.path.clone(), source }
            }
            DownloadError::WrongSum { .. } => {
                drop(files::remove(place));
                error
            }
            error => error,
        }
    }

    fn fill(&self, part: &mut Part, sum: Sha256) -> Result<(), DownloadError> {
        let roots = roots(self.host.system(), self.trusted.as_deref())?;
        let end = self.now().saturating_add(self.bound);
        let (mut tries, mut in_vain) = (0, 0);
        while part.hasher.sum() != sum || part.file.length() == 0 {
            let before = part.file.length();
            tries += 1;
            match self.attempt(part, sum, &roots, end) {
                Ok(Try::Whole) => return Ok(()),
                Ok(Try::Anew) => {}
                Err(error) if error.is_passing() => {
                    in_vain = if part.file.length() > before { 1 } else { in_vain + 1 };
                    let wait = delay(in_vain);
                    if in_vain >= TRIES || self.now().saturating_add(wait) >= end {
                        return Err(self.too_long(error, tries, part));
                    }
                    self.host.context().pause(wait);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn now(&self) -> Duration {
        self.host.system().clock().passed()
    }

    fn too_long(&self, error: DownloadError, tries: u32, part: &Part) -> DownloadError {
        let (url, length, source) = (shown(&self.url), part.file.length(), Box::new(error));
        DownloadError::TooLong { url, tries, length, bound: self.bound, source }
    }

    fn wrong(&self, part: &Part, sum: Sha256) -> DownloadError {
        let (found, wanted) = (part.hasher.sum().to_string(), sum.to_string());
        DownloadError::WrongSum { url: shown(&self.url), found, wanted }
    }

    fn attempt(&self, part: &mut Part, sum: Sha256, roots: &Roots, end: Duration) -> Result<Try, DownloadError> {
        let from = part.file.length();
        let mut answer = self.ask(from, roots, end)?;
        let goes_on = match answer.status {
            206 if from > 0 && starts_at(&answer, from) => true,
            200 => false,
            // There is no more than what is here, or the answer is of another place.
            206 | 416 if from > 0 => {
                part.begin_anew()?;
                return Ok(Try::Anew);
            }
            status => return Err(DownloadError::Status { url: shown(&self.url), status }),
        };
        if !goes_on {
            part.begin_anew()?;
        }
        self.receive(&mut answer, part)?;
        match part.hasher.sum() == sum {
            true => Ok(Try::Whole),
            false if goes_on => {
                part.begin_anew()?;
                Ok(Try::Anew)
            }
            false => Err(self.wrong(part, sum)),
        }
    }

    fn ask(&self, from: u64, roots: &Roots, end: Duration) -> Result<Answer, DownloadError> {
        // What a server would pack on the way is not what the sum is of.
        let mut neutral = vec![("Accept-Encoding".to_owned(), "identity".to_owned())];
        if from > 0 {
            neutral.push(("Range".to_owned(), format!("bytes={from}-")));
        }
        let left = end.saturating_sub(self.now()).max(Duration::from_secs(1));
        let bound = self.host.system().left().map_or(left, |most| left.min(most));
        Ok(http::ask(&http::Request {
            method: "GET",
            url: &self.url,
            headers: &self.headers,
            neutral: &neutral,
            body: None,
            bound,
            silence: bound.min(SILENCE),
            redirects: REDIRECTS,
            proxy: self.proxy.as_deref(),
            roots,
        })?)
    }

    fn receive(&self, answer: &mut Answer, part: &mut Part) -> Result<(), DownloadError> {
        let mut piece = vec![0; PIECE];
        loop {
            match answer.read(&mut piece)? {
                0 => return Ok(()),
                length => part.add(&piece[..length])?,
            }
            // Here the process may end, or the time of the migration be over: the next run goes on from here.
            self.host.context().pause(Duration::ZERO);
        }
    }
}

/// Where an answer of `206` begins, as in `Content-Range: bytes 100-199/200`.
fn starts_at(answer: &Answer, from: u64) -> bool {
    answer.header("content-range").and_then(start_of_range) == Some(from)
}

fn start_of_range(range: &str) -> Option<u64> {
    range.trim().strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}

fn part_of(path: &Path, sum: Sha256) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.part", sum.short()))
}

/// Removes parts of what was once to be downloaded to the same path.
fn remove_others(path: &Path, place: &Path) -> Result<(), files::FileError> {
    let start = format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy());
    let is_other = |found: &Path| {
        let name = found.file_name().unwrap_or_default().to_string_lossy();
        let sum = name.strip_prefix(&start).and_then(|rest| rest.strip_suffix(".part"));
        found != place && sum.is_some_and(|sum| sum.len() == 12 && sum.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let found = files::list(path.parent().unwrap_or(Path::new("/")))?;
    found.iter().filter(|found| is_other(found)).try_for_each(|found| files::remove(found).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_try_that_brings_nothing_is_repeated_later_and_later() {
        assert_eq!([1, 2, 3, 4, 99].map(|in_vain| delay(in_vain).as_secs()), [1, 2, 4, 8, 32]);
    }

    #[test]
    fn a_range_says_where_it_begins() {
        let check = |range: &str, expect| assert_eq!(start_of_range(range), expect, "{range}");
        check("bytes 100-199/200", Some(100));
        check("bytes 0-9/*", Some(0));
        check("bytes */200", None);
        check("items 1-2/3", None);
        check("", None);
    }
}
