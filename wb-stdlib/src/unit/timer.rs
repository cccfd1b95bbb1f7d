//! Timers of systemd: what starts, and when.

use std::time::Duration;

use wb_core::context::Outcome;

use super::{UnitError, verify};
use crate::{Host, Look as _};

/// A timer with the service that it starts. [`Host::timer`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn back_up_at_night(host: &Host) -> Result<()> {
///     host.timer("backup").on_calendar("*-*-* 03:00").runs("/usr/local/bin/backup --all").user("backup").present()?;
///     Ok(())
/// }
/// # wb_stdlib::testing::web1().rehearse(back_up_at_night);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct Timer<'a> {
    host: Host<'a>,
    name: String,
    calendar: Vec<String>,
    runs: Option<String>,
    user: Option<String>,
    service: Option<Vec<u8>>,
    delay: Duration,
    is_persistent: bool,
    is_verified: bool,
}

impl<'a> Host<'a> {
    /// The timer `name` of systemd, with the service of that name, which it starts: `backup` is `backup.timer` and
    /// `backup.service`.
    pub fn timer(&self, name: &str) -> Timer<'a> {
        Timer {
            host: *self,
            name: name.trim_end_matches(".timer").to_owned(),
            calendar: Vec::new(),
            runs: None,
            user: None,
            service: None,
            delay: Duration::ZERO,
            is_persistent: true,
            is_verified: true,
        }
    }
}

impl Timer<'_> {
    /// When it elapses, as systemd.time(7) has it: `daily`, `Mon *-*-* 03:00`, `*:0/15`. Times are the host's own,
    /// unless `UTC` or a zone stands behind. It may be said more than once.
    pub fn on_calendar(mut self, expression: &str) -> Self {
        self.calendar.push(expression.to_owned());
        self
    }

    /// What it runs, as in `ExecStart=`: a program by its absolute path, and arguments. No shell looks at it, and `%`
    /// is written `%%`.
    pub fn runs(mut self, line: &str) -> Self {
        self.runs = Some(line.to_owned());
        self
    }

    /// Whom it runs as; otherwise root.
    pub fn user(mut self, name: &str) -> Self {
        self.user = Some(name.to_owned());
        self
    }

    /// What stands in the unit of its service, all of it, in place of what [`Timer::runs`] and [`Timer::user`] make.
    pub fn service(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.service = Some(content.into());
        self
    }

    /// Each time it waits for up to so long, by chance, so that not all hosts start at once. Whole seconds count.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn clean_up(host: &Host) -> Result<()> {
    ///     host.timer("cleanup")
    ///         .on_calendar("daily")
    ///         .service("[Service]\nType=oneshot\nExecStart=/usr/local/bin/cleanup\nNice=19\n")
    ///         .within(Duration::from_mins(30))
    ///         .not_made_up_for()
    ///         .unverified() // the program comes later
    ///         .present()?;
    ///     host.timer("old-cleanup").absent()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(clean_up);
    /// ```
    pub fn within(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// What a host missed while it was down is not made up for when it comes up.
    pub fn not_made_up_for(mut self) -> Self {
        self.is_persistent = false;
        self
    }

    /// As [`Unit::unverified`](super::Unit::unverified), for both units.
    pub fn unverified(mut self) -> Self {
        self.is_verified = false;
        self
    }

    /// Both units are there, and the timer starts with the host and runs now. Its times are checked by
    /// `systemd-analyze calendar`, where that is installed, also in a plan.
    ///
    /// # Errors
    /// Those of [`Unit::present`](super::Unit::present) and of
    /// [`Service::enabled_and_running`](crate::service::Service::enabled_and_running); and when there is no such time.
    pub fn present(self) -> Result<Outcome, UnitError> {
        let (host, service, timer) = (self.host, self.service_unit(), self.timer_unit());
        let (service_text, timer_text) = (self.service_text()?, self.timer_text()?);
        for expression in &self.calendar {
            verify::calendar(host.system(), &timer, expression)?;
        }
        let unit = |name: &str| match self.is_verified {
            true => host.unit(name),
            false => host.unit(name).unverified(),
        };
        let started = host.service(&timer);
        // A new one is started below.
        let timer = match host.unit(&timer).is_there()? {
            true => unit(&timer).restarts(&started),
            false => unit(&timer),
        };
        Ok(together([
            unit(&service).content(service_text).present()?,
            timer.content(timer_text).present()?,
            started.enabled_and_running()?,
        ]))
    }

    /// Neither unit is there. What the timer started last is stopped, too.
    ///
    /// # Errors
    /// Those of [`Unit::absent`](super::Unit::absent).
    pub fn absent(self) -> Result<Outcome, UnitError> {
        let timer = self.host.unit(&self.timer_unit()).absent()?;
        Ok(together([timer, self.host.unit(&self.service_unit()).absent()?]))
    }

    fn timer_unit(&self) -> String {
        format!("{}.timer", self.name)
    }

    fn service_unit(&self) -> String {
        format!("{}.service", self.name)
    }

    fn service_text(&self) -> Result<Vec<u8>, UnitError> {
        if let Some(content) = &self.service {
            return Ok(content.clone());
        }
        let Some(runs) = &self.runs else { return Err(self.incomplete("program to run", "runs")) };
        let user = self.user.as_ref().map(|user| format!("User={user}\n")).unwrap_or_default();
        for value in [Some(runs), self.user.as_ref()].into_iter().flatten() {
            if value.trim().is_empty() || value.contains(char::is_control) {
                return Err(UnitError::BadValue { unit: self.service_unit(), value: value.clone() });
            }
        }
        let timer = self.timer_unit();
        Ok(format!("[Unit]\nDescription=What {timer} starts\n\n[Service]\nType=oneshot\n{user}ExecStart={runs}\n")
            .into())
    }

    fn timer_text(&self) -> Result<String, UnitError> {
        if self.calendar.is_empty() {
            return Err(self.incomplete("time", "on_calendar"));
        }
        let times: String = self.calendar.iter().map(|time| format!("OnCalendar={time}\n")).collect();
        let delay = match self.delay.as_secs() {
            0 => String::new(),
            seconds => format!("RandomizedDelaySec={seconds}\n"),
        };
        let (service, persistent) = (self.service_unit(), self.is_persistent);
        Ok(format!(
            "[Unit]\nDescription=When {service} starts\n\n[Timer]\n{times}{delay}Persistent={persistent}\n\n\
             [Install]\nWantedBy=timers.target\n"
        ))
    }

    fn incomplete(&self, what: &'static str, hint: &'static str) -> UnitError {
        UnitError::Incomplete { timer: self.timer_unit(), what, hint }
    }
}

/// What came of several operations: a change when one changed something, and nothing is known when one is not.
fn together<const N: usize>(outcomes: [Outcome; N]) -> Outcome {
    let mut diffs = Vec::new();
    let mut unknown = None;
    let mut changed = false;
    for outcome in outcomes {
        match outcome {
            Outcome::Changed { diff } => {
                changed = true;
                diffs.extend(diff);
            }
            Outcome::Unknown { why } => unknown = unknown.or(Some(why)),
            Outcome::Unchanged => {}
        }
    }
    match (changed, unknown) {
        (true, _) => Outcome::Changed { diff: (!diffs.is_empty()).then(|| diffs.join("\n")) },
        (false, Some(why)) => Outcome::Unknown { why },
        (false, None) => Outcome::Unchanged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;

    fn texts(make: impl FnOnce(&Host) -> (String, String)) -> (String, String) {
        Machine::new().apply(|host| Ok(make(host))).unwrap()
    }

    #[test]
    fn a_timer_is_two_units() {
        let (service, timer) = texts(|host| {
            let timer = host.timer("backup").on_calendar("daily").on_calendar("Sun 12:00").runs("/bin/true").user("me");
            let timer = timer.within(Duration::from_mins(5));
            (String::from_utf8(timer.service_text().unwrap()).unwrap(), timer.timer_text().unwrap())
        });
        let expect =
            "[Unit]\nDescription=What backup.timer starts\n\n[Service]\nType=oneshot\nUser=me\nExecStart=/bin/true\n";
        assert_eq!(service, expect);
        let expect = "[Unit]\nDescription=When backup.service starts\n\n[Timer]\nOnCalendar=daily\nOnCalendar=Sun 12:00\n\
                      RandomizedDelaySec=300\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n";
        assert_eq!(timer, expect);
    }

    #[test]
    fn outcomes_are_put_together() {
        let changed = |diff: &str| Outcome::Changed { diff: Some(diff.into()) };
        let unknown = || Outcome::Unknown { why: "w".into() };
        assert_eq!(together([Outcome::Unchanged, Outcome::Unchanged]), Outcome::Unchanged);
        assert_eq!(together([changed("a"), Outcome::Unchanged, changed("b")]), changed("a\nb"));
        assert_eq!(together([Outcome::Unchanged, unknown()]), unknown());
        assert_eq!(together([unknown(), changed("a")]), changed("a"));
    }
}
