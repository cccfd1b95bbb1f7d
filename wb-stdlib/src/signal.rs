//! Files by which a host says whether it wants load, and that others look at again and again.

use std::path::Path;
use std::time::Duration;

use wb_core::context::{Context, Outcome};
use wb_core::system::System;
use wb_core::system::files::{self, Attributes, Kind, Stat};

use crate::Host;
use crate::ensure::{Difference, ensure};
use crate::file::{FileError, KindWord, check_path, missing_parent};
use crate::foresight::{self, Thing};
use crate::look::Access as _;

const MODE: u32 = 0o644;
/// No such file is longer than that.
const LONGEST: u64 = 4096;
/// Files keep the second of their last change.
const RESOLUTION: Duration = Duration::from_secs(1);

/// What a file is to say, and how long others may take to see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signal<'a> {
    pub(crate) path: &'a Path,
    /// Nothing when the file is not to be there.
    pub(crate) content: Option<&'a [u8]>,
    pub(crate) seen_after: Duration,
}

/// Lets the file say so, and comes back when others had the time to see it. A run that was cut short while it waited
/// waits for what is left of that time.
pub(crate) fn say(host: Host<'_>, what: &str, signal: Signal<'_>) -> Result<Outcome, FileError> {
    let (context, system) = (host.context(), host.system());
    let found = by_now(context, signal.path)?;
    if let Some(why) = unknown(context, signal) {
        return ensure(host, what, Difference::Unknown(why), || Ok(()));
    }
    let is_so = found.as_deref() == signal.content;
    if !is_so
        && found.is_none()
        && let Some(why) = missing_parent(host, signal.path)?
    {
        return ensure(host, what, Difference::Unknown(why), || Ok(()));
    }
    let difference = if is_so { Difference::None } else { Difference::Some(Some(was(found.as_deref()))) };
    if !is_so {
        foresight::put(context, signal.path, signal.thing());
    }
    let outcome = ensure(host, what, difference, || put(system, signal))?;
    if !host.plans() {
        host.context().pause(left(system, signal, outcome.changed())?);
    }
    Ok(outcome)
}

impl Signal<'_> {
    /// What there is when the file says so.
    fn thing(&self) -> Thing {
        let stat = foresight::new_stat(Kind::File, MODE);
        let file = |content: &[u8]| Thing::File(Stat { size: content.len() as u64, ..stat }, content.to_vec());
        self.content.map_or(Thing::Nothing, file)
    }
}

/// What the file says; nothing where it is not there.
pub(crate) fn found(system: &System, path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    check_path(path)?;
    said(path, system.stat(path)?, || system.read_file(path))
}

/// [`found`], with what operations before would have done in a plan.
fn by_now(context: &Context<'_>, path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    check_path(path)?;
    said(path, foresight::stat(context, path)?, || foresight::read(context, path))
}

fn said(
    path: &Path,
    found: Option<Stat>,
    read: impl FnOnce() -> Result<Option<Vec<u8>>, files::FileError>,
) -> Result<Option<Vec<u8>>, FileError> {
    match found {
        None => Ok(None),
        Some(stat) if stat.kind != Kind::File => {
            Err(FileError::InTheWay { path: path.to_owned(), wanted: "a file", found: KindWord(stat.kind) })
        }
        Some(stat) if stat.size > LONGEST => Ok(Some(format!("{} bytes", stat.size).into_bytes())),
        Some(_) => Ok(read()?),
    }
}

/// Why nobody knows yet whether the file says so.
fn unknown(context: &Context<'_>, signal: Signal<'_>) -> Option<String> {
    match signal.content {
        Some(_) => foresight::unknown_in(context, signal.path),
        None => foresight::unknown_at(context, signal.path),
    }
}

fn was(found: Option<&[u8]>) -> String {
    match found {
        None => "it was not there".to_owned(),
        Some(text) => format!("it said `{}`", String::from_utf8_lossy(text).trim()),
    }
}

fn put(system: &System, signal: Signal<'_>) -> Result<(), FileError> {
    match signal.content {
        Some(content) => Ok(system.write_file(signal.path, content, Attributes::mode(MODE))?),
        None => Ok(files::remove(system.path(signal.path)).map(drop)?),
    }
}

fn left(system: &System, signal: Signal<'_>, changed_now: bool) -> Result<Duration, FileError> {
    if changed_now || signal.seen_after.is_zero() {
        return Ok(signal.seen_after);
    }
    // Of a file that is not there, its directory knows.
    let path = if signal.content.is_some() { Some(signal.path) } else { signal.path.parent() };
    let stat = path.map(|path| system.stat(path)).transpose()?.flatten();
    Ok(stat.map_or(Duration::ZERO, |stat| remaining(system.clock().now(), stat.modified, signal.seen_after)))
}

/// What is left of `whole` that began at `since`. A time that lies in the future is that of a clock that was set.
fn remaining(now: Duration, since: Duration, whole: Duration) -> Duration {
    let passed = now.saturating_sub(since);
    if passed.is_zero() { whole } else { whole.saturating_add(RESOLUTION).saturating_sub(passed).min(whole) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_left_of_the_time_is_waited_for() {
        let check = |passed: u64, whole: u64, expect: u64| {
            let (now, whole) = (Duration::from_secs(1000 + passed), Duration::from_secs(whole));
            assert_eq!(remaining(now, Duration::from_secs(1000), whole), Duration::from_secs(expect), "{passed}");
        };
        check(0, 10, 10);
        check(1, 10, 10);
        check(4, 10, 7);
        check(11, 10, 0);
        check(5000, 10, 0);
        assert_eq!(remaining(Duration::from_secs(1), Duration::from_secs(9), RESOLUTION), RESOLUTION);
    }
}
