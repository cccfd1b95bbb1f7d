//! Waiting for other hosts in the middle of a migration.
//!
//! A wait in the attribute, `#[migration(wait = all("web"))]`, is over before the migration begins, and is all that most
//! migrations need. The waits of this room are for those that do something before it, and wait where they are: in load,
//! or before they ever were. Whoever is out of load never waits for others, since these may be waiting for its place.

use std::time::Duration;

use wb_core::chain::{Wait, Who};
use wb_core::context::{Lookout, NoSuch, Outcome};
use wb_core::plan::Lag;

use crate::Host;
use crate::look::Access as _;

/// Why a migration does not go on.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// Roles' `leave` and `rejoin` wait for nobody.
    #[error("only a migration that runs can wait for other hosts, and {wait} was to be waited for elsewhere")]
    Outside {
        /// What was to be waited for.
        wait: Box<Wait>,
    },
    /// This host is out of load.
    #[error(
        "{wait} does not hold: {}; and this host is out of load, where it waits for nobody\n\
         hint: let it wait before it begins, with `wait = {wait}` in its attribute; or `rolling = false` there runs it in \
         load, where it may wait, on hosts that have not begun it",
        list(lagging)
    )]
    OutOfLoad {
        /// What was to be waited for.
        wait: Box<Wait>,
        /// Who is not there.
        lagging: Vec<Lag>,
    },
    /// It took longer than it may.
    #[error("{wait} did not hold within {} s: {}{}", limit.as_secs(), list(lagging), since(away.as_deref()))]
    TooLong {
        /// What was waited for.
        wait: Box<Wait>,
        /// How long.
        limit: Duration,
        /// Who is not there.
        lagging: Vec<Lag>,
        /// Why the remote could not be asked in the end, if that was so.
        away: Option<String>,
    },
    /// It names what there is not.
    #[error(transparent)]
    NoSuch(#[from] NoSuch),
}

/// Hosts to be waited for. [`all`], [`any`] and [`count`] make it; [`Others::within`] says for how long.
///
/// ```
/// # mod chain {
/// # pub(crate) const __WB_VERDICTS: wb_stdlib::__private::Verdicts = wb_stdlib::__private::Verdicts::NONE;
/// # mod fill_the_cache {
/// use wb_stdlib::prelude::*;
///
/// #[migration(role = "web", rolling = false)]
/// fn fill_the_cache(host: &Host) -> Result<()> {
///     host.wait_until(any("database").within(Duration::from_mins(30)))?;
///     host.wait_until(count("cache", 2).reached("install_cache").within(Duration::from_hours(1)))?;
///     host.command("shop fill-cache").run()?;
///     Ok(())
/// }
/// # }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "say for how long, `.within(Duration::from_mins(30))`, and give it to `host.wait_until`"]
pub struct Others(Wait);

/// A wait with its end. [`Host::wait_until`] takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "give it to `host.wait_until`"]
pub struct Until {
    wait: Wait,
    limit: Duration,
}

/// All hosts of a role but this one.
pub fn all(role: &str) -> Others {
    Others::of(Who::All { role: role.to_owned() })
}

/// At least one other host of a role, if there is another.
pub fn any(role: &str) -> Others {
    Others::of(Who::Any { role: role.to_owned() })
}

/// At least so many other hosts of a role, or all where there are fewer.
pub fn count(role: &str, hosts: u32) -> Others {
    Others::of(Who::Count { role: role.to_owned(), hosts })
}

impl Others {
    fn of(who: Who) -> Self {
        Self(Wait::new(who))
    }

    /// These are to have the migration of this name behind them. Without it that is the link before the one that waits.
    pub fn reached(self, migration: &str) -> Self {
        Self(Wait { reached: Some(migration.to_owned()), ..self.0 })
    }

    /// How long this may take. After that the migration fails. One that is cut short and starts again has the whole time
    /// again.
    pub fn within(self, limit: Duration) -> Until {
        Until { wait: self.0, limit }
    }
}

impl Host<'_> {
    /// Waits until other hosts are *at or past* a migration: who has gone further counts too. The remote is asked once at
    /// each poll interval, and `cargo xtask status` says who waits for whom, since when.
    ///
    /// Only a host that takes no claim waits: in a migration with `rolling = false`, or one that was never in service. Who
    /// is out of load, as a restored host is that catches up, looks once, and goes on where the wait holds. A plan can't
    /// know when it will hold, and goes on.
    ///
    /// ```
    /// # mod chain {
    /// # pub(crate) const __WB_VERDICTS: wb_stdlib::__private::Verdicts = wb_stdlib::__private::Verdicts::NONE;
    /// # mod move_the_primary {
    /// use wb_stdlib::prelude::*;
    ///
    /// #[migration(role = "database", rolling = false)]
    /// fn move_the_primary(host: &Host) -> Result<()> {
    ///     host.file("/etc/postgresql/accepts_writes").absent()?;
    ///     host.wait_until(all("web").reached("read_from_standbys").within(Duration::from_mins(30)))?;
    ///     host.command("pg_ctl promote").run()?;
    ///     Ok(())
    /// }
    /// # }
    /// # }
    /// ```
    ///
    /// # Errors
    /// When it does not hold in time, or not at once out of load, with the hosts that are not there; when it names a role
    /// or a migration that there is not; and outside of migrations.
    pub fn wait_until(&self, until: Until) -> Result<(), WaitError> {
        let Until { wait, limit } = until;
        let lookout = self.context().lookout().ok_or_else(|| WaitError::Outside { wait: Box::new(wait.clone()) })?;
        let end = self.system().clock().passed().saturating_add(limit);
        loop {
            let sight = lookout.look(&wait)?;
            if sight.lagging.is_empty() || self.plans() {
                self.saw(&wait, &sight.lagging);
                return Ok(());
            }
            if !lookout.may_wait() {
                return Err(WaitError::OutOfLoad { wait: Box::new(wait), lagging: sight.lagging });
            }
            let left = end.saturating_sub(self.system().clock().passed());
            if left.is_zero() {
                let (wait, lagging, away) = (Box::new(wait), sight.lagging, sight.away);
                return Err(WaitError::TooLong { wait, limit, lagging, away });
            }
            self.context().pause(left.min(every(lookout)));
        }
    }

    fn saw(&self, wait: &Wait, lagging: &[Lag]) {
        let outcome = match lagging {
            [] => Outcome::Unchanged,
            _ => Outcome::Unknown { why: list(lagging) },
        };
        self.record(&format!("wait for {wait}"), outcome);
    }
}

fn every(lookout: &dyn Lookout) -> Duration {
    lookout.every().max(Duration::from_secs(1))
}

fn list(lagging: &[Lag]) -> String {
    lagging.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn since(away: Option<&str>) -> String {
    away.map(|why| format!(", as far as is known: the remote could not be asked, {why}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use anyhow::Result;
    use wb_core::context::Sight;

    use super::*;
    use crate::machine::Machine;

    /// The others, as each look finds them; the last one stays so.
    struct Looks {
        turns: RefCell<Vec<Sight>>,
        asked: RefCell<Vec<String>>,
        waits: bool,
    }

    fn looks(turns: &[&str], waits: bool) -> Rc<Looks> {
        let lag = |host: &str| Lag { host: host.to_owned(), at: None };
        let turns = turns.iter().map(|hosts| {
            let (away, hosts) = hosts.strip_prefix("away ").map_or((None, *hosts), |hosts| (Some("no route"), hosts));
            let lagging = hosts.split_whitespace().map(lag).collect();
            Sight { lagging, away: away.map(str::to_owned) }
        });
        Rc::new(Looks { turns: RefCell::new(turns.collect()), asked: RefCell::default(), waits })
    }

    impl Lookout for Looks {
        fn may_wait(&self) -> bool {
            self.waits
        }

        fn every(&self) -> Duration {
            Duration::from_secs(30)
        }

        fn look(&self, wait: &Wait) -> Result<Sight, NoSuch> {
            self.asked.borrow_mut().push(wait.to_string());
            let mut turns = self.turns.borrow_mut();
            Ok(if turns.len() > 1 { turns.remove(0) } else { turns[0].clone() })
        }
    }

    fn until() -> Until {
        all("web").reached("page").within(Duration::from_mins(1))
    }

    fn waited(looks: &Rc<Looks>) -> (Machine, Result<()>) {
        let machine = Machine::new().among(Rc::clone(looks) as Rc<dyn Lookout>);
        let result = machine.run(|host| Ok(host.wait_until(until())?));
        (machine, result)
    }

    fn error(turns: &[&str], waits: bool) -> String {
        waited(&looks(turns, waits)).1.unwrap_err().to_string()
    }

    #[test]
    fn what_is_waited_for_is_said_as_in_an_attribute() {
        let check = |others: Others, expect: &str| assert_eq!(others.0.to_string(), expect);
        check(all("web"), r#"all("web")"#);
        check(any("web").reached("page"), r#"any("web", reached("page"))"#);
        check(count("web", 2), r#"count("web", 2)"#);
    }

    #[test]
    fn a_migration_goes_on_when_the_others_are_there() {
        let looks = looks(&["web2 web3", "away web2 web3", ""], true);
        let (machine, result) = waited(&looks);
        result.unwrap();
        assert_eq!(machine.said(), r#"= wait for all("web", reached("page"))"#);
        assert_eq!(looks.asked.borrow().len(), 3);
    }

    #[test]
    fn a_wait_may_have_no_end() {
        let machine = Machine::new().among(looks(&["web2", ""], true) as Rc<dyn Lookout>);
        machine.run(|host| Ok(host.wait_until(all("web").within(Duration::MAX))?)).unwrap();
    }

    #[test]
    fn a_wait_ends() {
        let text = r#"all("web", reached("page")) did not hold within 60 s: web2 at the start"#;
        assert_eq!(error(&["web2 web3", "web2"], true), text);
        let expect = format!("{text}, as far as is known: the remote could not be asked, no route");
        assert_eq!(error(&["away web2"], true), expect);
    }

    #[test]
    fn who_is_out_of_load_looks_once() {
        waited(&looks(&[""], false)).1.unwrap();
        let expect = "all(\"web\", reached(\"page\")) does not hold: web2 at the start; and this host is out of load, where \
                      it waits for nobody\nhint: let it wait before it begins, with `wait = all(\"web\", \
                      reached(\"page\"))` in its attribute; or `rolling = false` there runs it in load, where it may wait, \
                      on hosts that have not begun it";
        assert_eq!(error(&["web2", ""], false), expect);
    }

    #[test]
    fn a_plan_cannot_know_when() {
        let check = |turns: &[&str], expect: &str| {
            let machine = Machine::new().among(looks(turns, false));
            machine.rehearse(|host| Ok(host.wait_until(until())?)).unwrap();
            assert_eq!(machine.said(), expect);
        };
        check(&[""], r#"= wait for all("web", reached("page"))"#);
        check(&["web2"], r#"? wait for all("web", reached("page")) (cannot know: web2 at the start)"#);
    }

    #[test]
    fn only_migrations_wait() {
        let error = Machine::new().apply(|host| Ok(host.wait_until(until())?)).unwrap_err().to_string();
        assert!(error.starts_with("only a migration that runs can wait for other hosts"), "{error}");
    }
}
