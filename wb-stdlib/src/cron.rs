//! cron: entries and variables of crontabs, and of `/etc/cron.d`.

mod crontab;
mod error;
mod schedule;
mod spool;

use std::path::{Path, PathBuf};

use anyhow::Result;
use wb_core::context::Outcome;
use wb_core::system::System;
use wb_core::system::files::{self, Attributes};

use crate::ensure::{Difference, ensure};
use crate::foresight;
use crate::look::Access as _;
use crate::owner::OwnerError;
use crate::text_file::{TextFile, changed_lines};
use crate::{Host, Look};
pub use error::CronError;
pub use schedule::{Schedule, ScheduleError, Weekday};
use spool::Spooled;

const CRON_D: &str = "/etc/cron.d";

/// An entry of cron, known by a name. [`Look::cron`] makes it.
///
/// It stands in the crontab of root, or of [the user](CronEntry::user) that it runs as, below a line with its name;
/// what else is in there stays byte for byte. [`CronEntry::in_cron_d`] gives it a file of its own instead.
///
/// ```
/// use wb_stdlib::cron::Schedule;
/// use wb_stdlib::prelude::*;
///
/// fn back_up_each_night(host: &Host) -> Result<()> {
///     host.cron("backup of the shop")
///         .user("postgres")
///         .schedule("30 2 * * mon-sat")
///         .command("pg_dump shop > /var/backups/shop.sql")
///         .present()?;
///     host.cron("shop-cleanup")
///         .in_cron_d()
///         .variable("MAILTO", "ops@example.org")
///         .schedule(Schedule::daily_at(4, 15))
///         .command("/usr/local/bin/cleanup --older-than 30")
///         .present()?;
///     host.cron("the old backup").absent()?;
///     Ok(())
/// }
///
/// fn the_backup_is_planned(host: &View) -> Result<()> {
///     host.cron("backup of the shop").user("postgres").is_present()
/// }
/// # wb_stdlib::testing::web1().rehearse(back_up_each_night).asks(the_backup_is_planned);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct CronEntry<A> {
    access: A,
    name: String,
    user: String,
    in_cron_d: bool,
    schedule: Option<Schedule>,
    command: Option<String>,
    variables: Vec<(String, String)>,
    disabled: bool,
}

impl<A: Look> CronEntry<A> {
    pub(crate) fn new(access: A, name: &str) -> Self {
        Self {
            access,
            name: name.to_owned(),
            user: "root".into(),
            in_cron_d: false,
            schedule: None,
            command: None,
            variables: Vec::new(),
            disabled: false,
        }
    }

    /// As whom it runs, and in whose crontab it is if it is in one. Without this, root.
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.user = name.into();
        self
    }

    /// It is the file of its name in `/etc/cron.d`, all of it, and no entry of a crontab. Its name then has letters,
    /// digits, `-` and `_` only: cron passes over other files.
    pub fn in_cron_d(mut self) -> Self {
        self.in_cron_d = true;
        self
    }

    /// Checks that it is there, and not disabled.
    ///
    /// # Errors
    /// When it is not, or there is no cron.
    pub fn is_present(&self) -> Result<()> {
        self.check_names()?;
        let place = if self.in_cron_d { CRON_D.to_owned() } else { format!("the crontab of {}", self.user) };
        let text = if self.in_cron_d { self.file()?.text().to_owned() } else { self.crontab()? };
        let line = crontab::find(&text, &self.name);
        let Some(line) = line else { anyhow::bail!("expected the entry `{}` in {place}, found none", self.name) };
        anyhow::ensure!(!line.starts_with('#'), "expected the entry `{}` in {place}, found it disabled", self.name);
        Ok(())
    }

    fn crontab(&self) -> Result<String, CronError> {
        let spooled = Spooled::of(self.system(), &self.user)?;
        Ok(spooled.map(|spooled| spooled.text().to_owned()).unwrap_or_default())
    }

    fn file(&self) -> Result<TextFile, CronError> {
        Ok(TextFile::read(self.system(), self.path())?)
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(CRON_D).join(&self.name)
    }

    fn check_names(&self) -> Result<(), CronError> {
        check_user(&self.user)?;
        let bad = |why| Err(CronError::BadName { name: self.name.clone(), why });
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        match self.name.as_str() {
            name if name.trim() != name || name.is_empty() => bad("it is empty, or has blanks at an end"),
            name if name.contains(char::is_control) => bad("it is to stand in a line"),
            name if self.in_cron_d && !name.chars().all(plain) => {
                bad("cron reads only files of letters, digits, `-` and `_`")
            }
            _ => Ok(()),
        }
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl CronEntry<Host<'_>> {
    /// When it runs: `"30 2 * * *"`, `"@daily"`, or what [`Schedule`] makes of numbers.
    pub fn schedule(mut self, schedule: impl Into<Schedule>) -> Self {
        self.schedule = Some(schedule.into());
        self
    }

    /// What `/bin/sh` runs, one line. A `%` ends it, as crontab(5) says, and what follows is its input: write `\%` for
    /// one.
    pub fn command(mut self, line: impl Into<String>) -> Self {
        self.command = Some(line.into());
        self
    }

    /// A variable of its environment, or for cron itself, such as `MAILTO`. Only for [`CronEntry::in_cron_d`]: in a
    /// crontab it would hold for the entries of others too. See [`Crontab::variable`].
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// It is there, and does not run: a comment, until it is present without this.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn pause_the_cleanup(host: &Host) -> Result<()> {
    ///     host.cron("cleanup").schedule("@daily").command("/usr/local/bin/cleanup").disabled().present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(pause_the_cleanup);
    /// ```
    pub fn disabled(mut self) -> Self {
        self.disabled = true;
        self
    }

    /// It is there, with this schedule, command, user and variables.
    ///
    /// `crontab` installs it, which makes cron read it; nothing is started when it is there already.
    ///
    /// # Errors
    /// When the schedule is none, the user or cron is not there, or `crontab` refuses. The crontab is then as it was.
    pub fn present(self) -> Result<Outcome, CronError> {
        self.check_names()?;
        let wanted = self.wanted()?;
        if self.in_cron_d { self.file_is(Some(&wanted)) } else { self.entry_is(Some(&wanted)) }
    }

    /// It is not there.
    ///
    /// # Errors
    /// When the crontab can't be read, or `crontab` refuses.
    pub fn absent(self) -> Result<Outcome, CronError> {
        self.check_names()?;
        if self.in_cron_d { self.file_is(None) } else { self.entry_is(None) }
    }

    /// All that is to be written.
    fn wanted(&self) -> Result<String, CronError> {
        let name = || self.name.clone();
        let missing = |missing| CronError::Incomplete { name: name(), missing };
        let schedule = self.schedule.as_ref().ok_or_else(|| missing("schedule"))?;
        let command = self.command.as_deref().ok_or_else(|| missing("command"))?.trim();
        schedule.check().map_err(|source| CronError::BadSchedule { name: name(), source })?;
        if command.is_empty() || command.contains(char::is_control) {
            return Err(CronError::BadCommand { name: name() });
        }
        let sign = if self.disabled { "#" } else { "" };
        if self.in_cron_d {
            let entry = crontab::entry(&self.name, &format!("{sign}{schedule} {} {command}", self.user));
            return Ok(format!("{}{entry}", self.assignments()?));
        }
        match self.variables.is_empty() {
            true => Ok(crontab::entry(&self.name, &format!("{sign}{schedule} {command}"))),
            false => Err(CronError::SharedEnvironment { name: name(), user: self.user.clone() }),
        }
    }

    fn assignments(&self) -> Result<String, CronError> {
        self.variables.iter().map(|(name, value)| checked_assignment(name, value)).collect()
    }

    fn what(&self, wanted: Option<&str>) -> String {
        let state = match wanted {
            None => "absent",
            Some(_) if self.disabled => "disabled",
            Some(_) => "present",
        };
        if self.in_cron_d {
            format!("cron {}/{} {state}", CRON_D, self.name)
        } else {
            format!("cron {} of {} {state}", self.name, self.user)
        }
    }

    fn entry_is(&self, wanted: Option<&str>) -> Result<Outcome, CronError> {
        let change = |text: &str| crontab::with_entry(text, &self.name, wanted);
        edit(self.access, &self.what(wanted), &self.user, wanted.is_some(), change)
    }

    fn file_is(&self, wanted: Option<&str>) -> Result<Outcome, CronError> {
        let (context, system, what) = (self.access.context(), self.access.system(), self.what(wanted));
        let file = TextFile::by_now(context, self.path())?;
        let Some(wanted) = wanted else {
            let difference = if file.is_there() { Difference::Some(None) } else { Difference::None };
            file.foresee_gone(context);
            let path = system.path(self.path());
            return ensure(self.access, &what, file.known(difference), || Ok(files::remove(path).map(drop)?));
        };
        if !file.is_there() && foresight::stat(context, Path::new(CRON_D))?.is_none() {
            return missing(self.access, &what, CRON_D);
        }
        let difference = match file.difference(wanted) {
            Difference::None => Difference::None,
            // cron says nothing to anybody about a user whom it does not know, and passes over the file.
            different => missing_user(self.access, &self.user)?.map_or(different, Difference::Unknown),
        };
        if matches!(difference, Difference::Some(_)) {
            file.foresee(context, wanted)?;
        }
        ensure(self.access, &what, difference, || {
            // cron passes over files that others than root may write.
            Ok(system.write_file(self.path(), wanted, Attributes::mode(0o644))?)
        })
    }
}

/// The crontab of a user: its variables. [`Look::crontab`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn send_mail_to_us(host: &Host) -> Result<()> {
///     let crontab = host.crontab("postgres");
///     crontab.variable("MAILTO", "ops@example.org")?;
///     crontab.variable("PATH", "/usr/local/bin:/usr/bin:/bin")?;
///     crontab.without_variable("SHELL")?;
///     Ok(())
/// }
///
/// fn we_get_mail(host: &View) -> Result<()> {
///     ensure!(host.crontab("shop").read()?.is_none(), "the shop has a crontab");
///     host.crontab("postgres").contains("MAILTO=ops@example.org")
/// }
/// # wb_stdlib::testing::web1().rehearse(send_mail_to_us).asks(we_get_mail);
/// ```
#[must_use = "say what is to be so: `.variable(name, value)?`"]
pub struct Crontab<A> {
    access: A,
    user: String,
}

impl<A: Look> Crontab<A> {
    pub(crate) fn new(access: A, user: &str) -> Self {
        Self { access, user: user.to_owned() }
    }

    /// What stands in it, or nothing where the user has none.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read(&self) -> Result<Option<String>, CronError> {
        check_user(&self.user)?;
        let spooled = Spooled::of(self.access.context().system(), &self.user)?;
        Ok(spooled.filter(Spooled::is_there).map(|spooled| spooled.text().to_owned()))
    }

    /// Checks that `text` stands in it.
    ///
    /// # Errors
    /// When it does not.
    pub fn contains(&self, text: &str) -> Result<()> {
        let found = self.read()?.unwrap_or_default();
        anyhow::ensure!(found.contains(text), "expected `{text}` in the crontab of {}, found:\n{found}", self.user);
        Ok(())
    }
}

impl Crontab<Host<'_>> {
    /// It gives this variable to all its entries, or to cron itself: `MAILTO`, `PATH`, `SHELL`, `CRON_TZ`. The value is
    /// taken as it is; cron replaces no variables in it.
    ///
    /// # Errors
    /// When no line can say that, the user or cron is not there, or `crontab` refuses.
    pub fn variable(&self, name: &str, value: &str) -> Result<Outcome, CronError> {
        let line = checked_assignment(name, value)?;
        self.variable_is(name, Some(&line))
    }

    /// It does not give this variable to its entries.
    ///
    /// # Errors
    /// When it can't be read, or `crontab` refuses.
    pub fn without_variable(&self, name: &str) -> Result<Outcome, CronError> {
        self.variable_is(name, None)
    }

    fn variable_is(&self, name: &str, line: Option<&str>) -> Result<Outcome, CronError> {
        check_user(&self.user)?;
        let state = if line.is_some() { "set" } else { "absent" };
        let what = format!("crontab of {}: variable {name} {state}", self.user);
        let is_so = |text: &str| match line {
            Some(line) => crontab::variable(text, name) == line.trim_end().split_once('=').map(|(_, value)| value),
            None => crontab::variable(text, name).is_none(),
        };
        let change = |text: &str| match is_so(text) {
            true => text.to_owned(),
            false => crontab::with_variable(text, name, line),
        };
        edit(self.access, &what, &self.user, line.is_some(), change)
    }
}

/// Changes the crontab of `user`, who need not be there when something is to go.
fn edit(
    host: Host<'_>,
    what: &str,
    user: &str,
    adds: bool,
    change: impl FnOnce(&str) -> String,
) -> Result<Outcome, CronError> {
    let Some(spooled) = Spooled::by_now(host.context(), user)? else {
        return if adds {
            missing(host, what, "/var/spool/cron")
        } else {
            ensure(host, what, Difference::None, || Ok(()))
        };
    };
    let new = change(spooled.text());
    if new == spooled.text() {
        return ensure(host, what, Difference::None, || Ok(()));
    }
    // Who has a crontab is there.
    if !spooled.is_there()
        && let Some(why) = missing_user(host, user)?
    {
        return ensure(host, what, Difference::Unknown(why), || Ok(()));
    }
    let diff = changed_lines(spooled.text(), &new);
    spooled.foresee(host.context(), &new)?;
    ensure(host, what, Difference::Some(Some(diff)), || spooled.install(host.system(), &new))
}

/// That a user is not there: an error, and in a plan the reason why it can't tell.
fn missing_user(host: Host<'_>, name: &str) -> Result<Option<String>, CronError> {
    match foresight::uid(host.context(), name) {
        Err(OwnerError::Nobody { kind, name }) if host.plans() => Ok(Some(format!("there is no {kind} `{name}` yet"))),
        found => Ok(found.map(|_| None)?),
    }
}

/// What is said where there is no cron: in a plan, a package may bring it.
fn missing(host: Host<'_>, what: &str, place: &'static str) -> Result<Outcome, CronError> {
    match host.plans() {
        true => ensure(host, what, Difference::Unknown(format!("there is no {place} yet")), || Ok(())),
        false => Err(CronError::NotInstalled { place }),
    }
}

fn checked_assignment(name: &str, value: &str) -> Result<String, CronError> {
    let bad = |why| CronError::BadVariable { variable: name.to_owned(), why };
    let is_name = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err(bad("names have letters, digits and `_`"));
    }
    crontab::assignment(name, value).ok_or_else(|| bad("no line of a crontab can say its value"))
}

fn check_user(name: &str) -> Result<(), CronError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.$@".contains(c);
    let is_name = !name.is_empty() && !name.starts_with(['-', '.']) && name.chars().all(plain);
    if is_name { Ok(()) } else { Err(CronError::BadUser { name: name.to_owned() }) }
}

#[cfg(test)]
mod tests;
