//! A health file: while it is there, balancers that check for it give this host load.
//!
//! It is the way out of load for whom no balancer can be told: hosts pull, and none reaches into another. The host's
//! own web server answers a check with this file, and with an error when it is not there; each balancer finds that out
//! by itself, some checks later.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use wb_core::context::Outcome;

use crate::file::FileError;
use crate::signal::{Signal, found, say};
use crate::{Host, Look};

/// What stands in a health file.
const CONTENT: &[u8] = b"up\n";

/// A health file. [`Look::health_file`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn leave(host: &Host) -> Result<()> {
///     let health = host.health_file("/var/www/health").checked_every(Duration::from_secs(2)).fall(3);
///     health.drain(Duration::from_secs(10)).down()?;
///     Ok(())
/// }
///
/// fn rejoin(host: &Host) -> Result<()> {
///     host.health_file("/var/www/health").checked_every(Duration::from_secs(2)).rise(2).up()?;
///     Ok(())
/// }
///
/// fn it_wants_load(host: &View) -> Result<()> {
///     host.health_file("/var/www/health").is_up()?;
///     host.health_file("/var/www/health-of-old").is_down()
/// }
/// # wb_stdlib::testing::web1().file("/var/www/health", "up\n").rehearse(leave);
/// # wb_stdlib::testing::web1().rehearse(rejoin).asks(it_wants_load);
/// ```
#[must_use = "say what is to be so: `.up()?` or `.down()?`"]
pub struct HealthFile<A> {
    access: A,
    path: PathBuf,
    interval: Duration,
    fall: u32,
    rise: u32,
    drain: Duration,
}

impl<A: Look> HealthFile<A> {
    pub(crate) fn new(access: A, path: &Path) -> Self {
        let interval = Duration::from_secs(2);
        Self { access, path: path.to_owned(), interval, fall: 3, rise: 2, drain: Duration::ZERO }
    }

    /// Balancers look at it so often, HAProxy's `inter`; otherwise every 2 seconds. How long a check itself may take
    /// goes on top of it.
    pub fn checked_every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Balancers give no more load after so many checks that failed, HAProxy's `fall`; otherwise after 3.
    pub fn fall(mut self, checks: u32) -> Self {
        self.fall = checks;
        self
    }

    /// Balancers give load again after so many checks that went well, HAProxy's `rise`; otherwise after 2.
    pub fn rise(mut self, checks: u32) -> Self {
        self.rise = checks;
        self
    }

    /// How long what this host serves by then may take to end; otherwise no time at all.
    pub fn drain(mut self, time: Duration) -> Self {
        self.drain = time;
        self
    }

    /// Checks that it says that this host wants load.
    ///
    /// # Errors
    /// When it does not, or can't be read.
    pub fn is_up(&self) -> Result<()> {
        let is_there = found(self.access.context().system(), &self.path)?.is_some();
        anyhow::ensure!(is_there, "expected the health file {} to be there, found nothing", self.path.display());
        Ok(())
    }

    /// Checks that it says that this host wants no load.
    ///
    /// # Errors
    /// When it does not, or can't be looked at.
    pub fn is_down(&self) -> Result<()> {
        let is_there = found(self.access.context().system(), &self.path)?.is_some();
        anyhow::ensure!(!is_there, "expected no health file {}, found it", self.path.display());
        Ok(())
    }
}

impl HealthFile<Host<'_>> {
    /// It is gone, every balancer had the time to see that, and then what was being served had the time to end:
    /// `interval × (fall + 1) + drain` after it went, since a check may have been made just before.
    ///
    /// # Errors
    /// When something other than a file is at its path, or it can't be removed.
    pub fn down(&self) -> Result<Outcome, FileError> {
        let seen_after = checks(self.interval, self.fall).saturating_add(self.drain);
        let what = format!("health file {} down", self.path.display());
        say(self.access, &what, Signal { path: &self.path, content: None, seen_after })
    }

    /// It is there, and every balancer had the time to see that: `interval × (rise + 1)` after it came.
    ///
    /// # Errors
    /// When something other than a file is at its path, its directory is not there, or it can't be written.
    pub fn up(&self) -> Result<Outcome, FileError> {
        let seen_after = checks(self.interval, self.rise);
        let what = format!("health file {} up", self.path.display());
        say(self.access, &what, Signal { path: &self.path, content: Some(CONTENT), seen_after })
    }
}

/// How long so many checks take at most, with one that was made just before.
fn checks(interval: Duration, number: u32) -> Duration {
    interval.saturating_mul(number.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Access as _;
    use crate::machine::{Machine, changed};

    const HEALTH: &str = "/var/www/health";

    /// How long an operation waits.
    fn waits(machine: &Machine, act: impl FnOnce(&Host) -> Result<Outcome, FileError>) -> (Outcome, u64) {
        let timed = |host: &Host| {
            let before = host.context().system().clock().now();
            let outcome = act(host)?;
            Ok((outcome, (host.context().system().clock().now() - before).as_secs()))
        };
        machine.apply(timed).unwrap()
    }

    #[test]
    fn it_goes_and_balancers_have_the_time_to_see_that() {
        let machine = Machine::new().file(HEALTH, "up\n");
        let down = |host: &Host| host.health_file(HEALTH).fall(2).drain(Duration::from_secs(5)).down();
        assert_eq!(waits(&machine, down), (changed("it said `up`"), 11));
        machine.view(|host| host.health_file(HEALTH).is_down()).unwrap();
        // Whoever was cut short does not know how long ago that was: the clock of this machine lies in the past.
        assert_eq!(waits(&machine, down), (Outcome::Unchanged, 11));
    }

    #[test]
    fn it_comes_back() {
        let machine = Machine::new().dir("/var/www");
        let up = |host: &Host| host.health_file(HEALTH).checked_every(Duration::from_secs(1)).up();
        assert_eq!(waits(&machine, up), (changed("it was not there"), 3));
        assert_eq!(machine.read(HEALTH).as_deref(), Some("up\n"));
        assert_eq!(waits(&machine, up).0, Outcome::Unchanged);
        machine.view(|host| host.health_file(HEALTH).is_up()).unwrap();
    }

    #[test]
    fn a_plan_says_so_and_waits_for_nothing() {
        let machine = Machine::new().file(HEALTH, "up\n");
        machine.plan(|host| Ok(host.health_file(HEALTH).down()?)).unwrap();
        assert_eq!(machine.said(), "+ health file /var/www/health down\n    it said `up`");
        assert_eq!(machine.read(HEALTH).as_deref(), Some("up\n"));
        let nowhere = Machine::new();
        nowhere.plan(|host| Ok(host.health_file(HEALTH).up()?)).unwrap();
        assert!(nowhere.said().starts_with("? health file /var/www/health up"), "{}", nowhere.said());
        assert!(nowhere.apply(|host| Ok(host.health_file(HEALTH).up()?)).is_err());
    }

    #[test]
    fn a_directory_in_its_place_stays() {
        let machine = Machine::new().dir(HEALTH);
        let error = machine.apply(|host| Ok(host.health_file(HEALTH).down()?)).unwrap_err().to_string();
        assert!(error.starts_with("/var/www/health is to be a file, and is a directory"), "{error}");
        assert!(machine.apply(|host| Ok(host.health_file("health").up()?)).is_err());
    }
}
