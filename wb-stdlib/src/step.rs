//! What a migration does once, whatever cuts it short: steps, and reboots.

use anyhow::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wb_core::context::{Attempt, Outcome, StepError};

use crate::Host;
use crate::look::Access as _;

impl Host<'_> {
    /// A durable step: what `act` gives is on disk before the migration goes on. When a crash, a kill or a reboot cuts
    /// the migration short, it starts again, and a finished step gives what it stored, without running.
    ///
    /// A step is known by its name and by how many of that name came before it in the run. What it gives goes through
    /// serde and comes back from it, also the first time. A step has no steps in it. What a service is owed by a step is
    /// paid at the end of the migration, as ever.
    ///
    /// Where the migration was amended in between, its steps run again, but for those that the amendment keeps:
    /// `#[migration(role = "database", amended = "why", keeps = ["initdb"])]`. A migration that failed and is tried again
    /// keeps its steps. A plan runs what a step would do, in plan mode.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn install_the_shop(host: &Host) -> Result<()> {
    ///     let password: String = host.step("password", |host| Ok(host.command("openssl rand -hex 16").output()?.text()))?;
    ///     host.step("initdb", |host| {
    ///         host.shell("createdb shop && psql shop -f /srv/schema.sql").user("postgres").run()?;
    ///         Ok(())
    ///     })?;
    ///     host.file("/etc/shop.conf").content(format!("password = {password}\n")).mode(0o600).present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(install_the_shop);
    /// ```
    ///
    /// # Errors
    /// Those of `act`; and when the result can't be stored, or what was stored is no `T`.
    pub fn step<T>(&self, name: &str, act: impl FnOnce(&Host<'_>) -> Result<T>) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        let place = self.attempt(name)?.step(name)?;
        if let Some(value) = place.found()? {
            self.record(&format!("step {name} finished"), Outcome::Unchanged);
            return Ok(value);
        }
        let value = place.act(|| act(self))?;
        // What a plan saw is no result.
        if self.plans() { Ok(value) } else { Ok(place.finish(&value)?) }
    }

    /// Reboots the host, out of load, and goes on after it: the migration starts again in the next boot, and there this
    /// is done. Give the error on, with `?`; the host does nothing else until it goes down.
    ///
    /// Ask for it whatever the operations before it changed: in a run after a crash they may find all as it should be.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn boot_with_huge_pages(host: &Host) -> Result<()> {
    ///     host.file("/etc/default/grub.d/pages.cfg").content("GRUB_CMDLINE_LINUX=hugepages=64\n").present()?;
    ///     host.command("update-grub").run()?; // in both boots: it does no harm
    ///     host.reboot()?;
    ///     host.service("postgresql").running()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(boot_with_huge_pages);
    /// ```
    ///
    /// # Errors
    /// [`StepError::Rebooting`], before the reboot; when the migration is run in load, with `rolling = false`; and when it
    /// can't be stored, or nothing tells one boot from the next.
    pub fn reboot(&self) -> Result<(), StepError> {
        let attempt = self.attempt("reboot")?;
        let outcome = match self.plans() {
            true if !attempt.has_rebooted()? => Outcome::Changed { diff: None },
            true => Outcome::Unchanged,
            false => attempt.reboot().map(|()| Outcome::Unchanged)?,
        };
        self.record("host rebooted", outcome);
        Ok(())
    }

    fn attempt(&self, name: &str) -> Result<&std::rc::Rc<Attempt>, StepError> {
        self.context().attempt().ok_or_else(|| StepError::Outside { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use wb_core::context::{DebtAction, Debts as _, Journal as _};

    use super::*;
    use crate::Look as _;
    use crate::machine::Machine;

    /// Counts how often it runs.
    struct Counter(Cell<u32>);

    impl Counter {
        fn new() -> Self {
            Self(Cell::new(0))
        }

        fn next(&self) -> u32 {
            self.0.set(self.0.get() + 1);
            self.0.get()
        }
    }

    #[test]
    fn a_finished_step_gives_what_it_stored_and_does_not_run() {
        let (machine, runs) = (Machine::new(), Counter::new());
        let migration = |host: &Host| host.step("count", |_| Ok(runs.next()));
        assert_eq!(machine.run(migration).unwrap(), 1);
        assert_eq!(machine.run(migration).unwrap(), 1);
        assert_eq!((runs.0.get(), machine.said()), (1, "= step count finished".into()));
    }

    #[test]
    fn a_step_that_failed_runs_again() {
        let (machine, runs) = (Machine::new(), Counter::new());
        let migration = |host: &Host| {
            host.step("second time lucky", |_| {
                anyhow::ensure!(runs.next() == 2, "no luck");
                Ok(())
            })
        };
        assert_eq!(machine.run(migration).unwrap_err().to_string(), "no luck");
        machine.run(migration).unwrap();
        assert_eq!(runs.0.get(), 2);
    }

    #[test]
    fn a_step_that_panicked_runs_again() {
        let machine = Machine::new();
        let panics = |host: &Host| host.step("one", |_| -> Result<()> { panic!("out of luck") });
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| machine.run(panics))).unwrap_err();
        machine.run(|host| host.step("one", |_| Ok(()))).unwrap();
    }

    #[test]
    fn a_name_used_twice_is_two_steps() {
        let (machine, runs) = (Machine::new(), Counter::new());
        let migration = |host: &Host| {
            let counts = (0..3).map(|_| host.step("count", |_| Ok(runs.next())));
            counts.collect::<Result<Vec<_>>>()
        };
        assert_eq!(machine.run(migration).unwrap(), [1, 2, 3]);
        assert_eq!(machine.run(migration).unwrap(), [1, 2, 3]);
    }

    #[test]
    fn a_step_in_a_step_is_refused() {
        let nested = |host: &Host| host.step("outer", |host| host.step("inner", |_| Ok(())));
        assert_eq!(
            Machine::new().run(nested).unwrap_err().to_string(),
            "the step `inner` stands within the step `outer`: a step is kept as a whole, so it has none of its own"
        );
        let reboots = |host: &Host| host.step("outer", |host| Ok(host.reboot()?));
        assert!(Machine::new().run(reboots).unwrap_err().to_string().starts_with("the step `reboot` stands within"));
    }

    #[test]
    fn only_a_migration_has_steps() {
        let machine = Machine::new();
        let expect = "is no step of a migration: only a migration that runs has steps, and can reboot its host";
        let step = machine.apply(|host| host.step("one", |_| Ok(()))).unwrap_err();
        assert_eq!(step.to_string(), format!("`one` {expect}"));
        let reboot = machine.apply(|host| Ok(host.reboot()?)).unwrap_err();
        assert_eq!(reboot.to_string(), format!("`reboot` {expect}"));
    }

    #[test]
    fn some_names_are_taken() {
        for name in ["reboot", "require!(x)"] {
            let error = Machine::new().run(|host| host.step(name, |_| Ok(()))).unwrap_err().to_string();
            assert_eq!(error, format!("`{name}` is no name for a step: reboots and preconditions are kept under it"));
        }
    }

    #[test]
    fn what_was_stored_as_another_type_stops_the_migration() {
        let machine = Machine::new();
        machine.run(|host| host.step("port", |_| Ok("8080".to_owned()))).unwrap();
        let error = machine.run(|host| host.step("port", |_| Ok(8080_u16))).unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "the step `port` of `link` (0101010) stored a text, which is no `u16`; hint: let the step give what it gave \
             before, or amend the migration without keeping `port`, so that it runs again: invalid type: string \
             \"8080\", expected u16"
        );
    }

    #[test]
    fn what_would_not_come_back_is_refused_the_first_time() {
        let error = Machine::new().run(|host| host.step("ratio", |_| Ok(f64::NAN))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "what the step `ratio` of `link` (0101010) gave, a `f64`, can't be stored and read again"
        );
    }

    #[test]
    fn a_plan_stores_nothing_and_shows_what_a_step_would_do() {
        let machine = Machine::new().dir("/srv");
        let migration =
            |host: &Host| host.step("page", |host| Ok(host.file("/srv/page").content("page").present()?.changed()));
        assert!(machine.rehearse(migration).unwrap());
        assert!(machine.said().starts_with("+ file /srv/page"), "{}", machine.said());
        assert_eq!((machine.read("/srv/page"), machine.journal.steps().len()), (None, 0));
        machine.run(migration).unwrap();
        assert!(machine.rehearse(migration).unwrap());
        assert_eq!(machine.said(), "= step page finished");
    }

    #[test]
    fn what_a_step_owes_outlives_it() {
        let machine = Machine::new().dir("/etc/nginx");
        let migration = |host: &Host| {
            host.step("page", |host| {
                let nginx = host.service("nginx");
                Ok(host.file("/etc/nginx/a").content("a").restarts(&nginx).present()?.changed())
            })
        };
        machine.run(migration).unwrap();
        machine.run(migration).unwrap();
        assert_eq!(machine.journal.owed().iter().map(|debt| debt.action).collect::<Vec<_>>(), [DebtAction::Restart]);
    }

    #[test]
    fn a_reboot_ends_the_run_and_is_done_in_the_next_boot() {
        let (machine, runs) = (Machine::new(), Counter::new());
        let migration = |host: &Host| {
            let count = host.step("count", |_| Ok(runs.next()))?;
            host.reboot()?;
            Ok(count)
        };
        for _ in 0..2 {
            let error = machine.run(migration).unwrap_err();
            assert!(matches!(error.downcast_ref(), Some(StepError::Rebooting)), "{error}");
        }
        let machine = machine.rebooted();
        assert_eq!(machine.run(migration).unwrap(), 1);
        assert_eq!(machine.said(), "= step count finished\n= host rebooted");
    }

    #[test]
    fn each_reboot_of_a_migration_comes_once() {
        let twice = |host: &Host| {
            host.reboot()?;
            host.reboot()
        };
        let machine = Machine::new();
        machine.run(|host| Ok(twice(host)?)).unwrap_err();
        let machine = machine.rebooted();
        machine.run(|host| Ok(twice(host)?)).unwrap_err();
        machine.rebooted().run(|host| Ok(twice(host)?)).unwrap();
    }

    #[test]
    fn a_plan_shows_a_reboot_and_goes_on() {
        let machine = Machine::new();
        machine.rehearse(|host| Ok(host.reboot()?)).unwrap();
        assert_eq!((machine.said(), machine.journal.steps().len()), ("+ host rebooted".into(), 0));
    }

    #[test]
    fn what_is_run_in_load_reboots_nothing() {
        let machine = Machine::new().in_load();
        let expect = "`link` (0101010) is run in load (`rolling = false`), where a reboot would take load away unasked; hint: \
                      without `rolling = false` it is run out of load, and may reboot its host";
        assert_eq!(machine.run(|host| Ok(host.reboot()?)).unwrap_err().to_string(), expect);
        assert_eq!(machine.rehearse(|host| Ok(host.reboot()?)).unwrap_err().to_string(), expect);
        assert_eq!(machine.journal.steps(), []);
    }

    #[test]
    fn where_boots_look_all_the_same_no_reboot_is_asked_for() {
        let machine = Machine::new().in_boot("");
        let error = machine.run(|host| Ok(host.reboot()?)).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(StepError::NoBootId)), "{error}");
        assert_eq!(machine.journal.steps(), []);
    }
}
