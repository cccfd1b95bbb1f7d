//! keepalived: giving an address to another host, and taking it back.
//!
//! Each host of a pair decides by itself what priority it announces, so a host that goes out of load lowers its own. A
//! track file is made for that: keepalived sees that it was written at once, and reads it when it starts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use wb_core::context::Outcome;

use crate::file::FileError;
use crate::signal::{Signal, found, say};
use crate::{Host, Look};

/// Nothing is the matter.
const UP: &[u8] = b"0\n";
/// What puts an instance into the state FAULT, with a weight of 0 and with one of 1: it gives up its address.
const DOWN: &[u8] = b"-254\n";
/// After so many announcements that did not come, another host takes the address; and one more, for their skew.
const ANNOUNCEMENTS: u32 = 4;

/// A track file of keepalived. [`Look::track_file`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn leave(host: &Host) -> Result<()> {
///     host.track_file("/etc/keepalived/out").down()?;
///     Ok(())
/// }
///
/// fn rejoin(host: &Host) -> Result<()> {
///     host.track_file("/etc/keepalived/out").announced_every(Duration::from_millis(500)).up()?;
///     Ok(())
/// }
///
/// fn it_is_kept_from_nothing(host: &View) -> Result<()> {
///     host.track_file("/etc/keepalived/out").is_up()
/// }
/// # wb_stdlib::testing::web1().rehearse(leave).rehearse(rejoin).sees(it_is_kept_from_nothing);
/// ```
#[must_use = "say what is to be so: `.up()?` or `.down()?`"]
pub struct TrackFile<A> {
    access: A,
    path: PathBuf,
    interval: Duration,
}

impl<A: Look> TrackFile<A> {
    pub(crate) fn new(access: A, path: &Path) -> Self {
        Self { access, path: path.to_owned(), interval: Duration::from_secs(1) }
    }

    /// Hosts announce themselves so often, `advert_int`; otherwise every second.
    pub fn announced_every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Checks that it keeps this host from nothing: it is not there, or says 0.
    ///
    /// # Errors
    /// When it says something else, or can't be read.
    pub fn is_up(&self) -> Result<()> {
        let found = found(self.access.context().system(), &self.path)?;
        let said = String::from_utf8_lossy(found.as_deref().unwrap_or(UP)).trim().to_owned();
        anyhow::ensure!(said == "0", "expected the track file {} to say 0, found `{said}`", self.path.display());
        Ok(())
    }
}

impl TrackFile<Host<'_>> {
    /// keepalived gives its address up, and another host had the time to take it: 4 announcements.
    ///
    /// # Errors
    /// When something other than a file is at its path, its directory is not there, or it can't be written.
    pub fn down(&self) -> Result<Outcome, FileError> {
        self.say("down", DOWN)
    }

    /// keepalived has its own priority again, and had the time to take its address.
    ///
    /// # Errors
    /// As [`TrackFile::down`].
    pub fn up(&self) -> Result<Outcome, FileError> {
        self.say("up", UP)
    }

    fn say(&self, word: &str, content: &[u8]) -> Result<Outcome, FileError> {
        let what = format!("track file {} {word}", self.path.display());
        let seen_after = self.interval.saturating_mul(ANNOUNCEMENTS);
        say(self.access, &what, Signal { path: &self.path, content: Some(content), seen_after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Machine, changed};

    const OUT: &str = "/etc/keepalived/out";

    #[test]
    fn a_host_gives_its_address_up_and_takes_it_back() {
        let machine = Machine::new().dir("/etc/keepalived");
        machine.view(|host| host.track_file(OUT).is_up()).unwrap();
        assert_eq!(machine.apply(|host| Ok(host.track_file(OUT).down()?)).unwrap(), changed("it was not there"));
        assert_eq!(machine.read(OUT).as_deref(), Some("-254\n"));
        assert_eq!(machine.apply(|host| Ok(host.track_file(OUT).down()?)).unwrap(), Outcome::Unchanged);
        let error = machine.view(|host| host.track_file(OUT).is_up()).unwrap_err();
        assert_eq!(error.to_string(), "expected the track file /etc/keepalived/out to say 0, found `-254`");
        assert_eq!(machine.apply(|host| Ok(host.track_file(OUT).up()?)).unwrap(), changed("it said `-254`"));
        machine.view(|host| host.track_file(OUT).is_up()).unwrap();
    }

    #[test]
    fn a_plan_writes_nothing() {
        let machine = Machine::new().dir("/etc/keepalived");
        machine.plan(|host| Ok(host.track_file(OUT).down()?)).unwrap();
        assert_eq!(machine.read(OUT), None);
    }
}
