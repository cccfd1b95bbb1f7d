//! One link on one host: its plan, its run, its specs, and the same once more.

use std::sync::mpsc::Sender;

use wb_core::chain::Link;
use wb_core::context::Operation;
use wb_core::drill::{Answer, Ended};
use wb_core::system::clock::Stopwatch;

use super::cast::Player;
use super::drive::{Driver, Heard, Seen};
use super::judge::{self, Difference};
use super::outcome::{Check, Tested, Verdict};
use super::{Event, TestError};

/// A link that is tested on a host.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'a> {
    /// The host.
    pub driver: Driver<'a>,
    /// Who it plays.
    pub player: &'a Player,
    /// The link.
    pub link: &'a Link,
    /// Why it may change something when it is run once more.
    pub rerun: Option<&'a str>,
    /// Who hears of each check.
    pub told: &'a Sender<Event>,
}

/// The checks of a link so far.
struct Results<'a> {
    trial: Trial<'a>,
    tested: Vec<Tested>,
    watch: Stopwatch,
}

impl Trial<'_> {
    /// Makes all checks, until one fails; gives them in their order.
    ///
    /// # Errors
    /// When the host can't be driven.
    pub fn hold(self) -> Result<Vec<Tested>, TestError> {
        let mut results = Results { trial: self, tested: Vec::new(), watch: Stopwatch::start() };
        let _all_held = results.plan_and_run()? && results.specs()? && results.rerun()? && results.done()?;
        Ok(results.tested)
    }
}

impl Results<'_> {
    /// What a plan says can be judged only after the run.
    fn plan_and_run(&mut self) -> Result<bool, TestError> {
        let Trial { driver, link, .. } = self.trial;
        let (planned, seen) = driver.plan(&link.name)?;
        let plan_seconds = self.lap();
        let legs = driver.run(&link.name)?;
        let run_seconds = self.lap();
        let done = joined(&legs);
        let failed = failure(&legs);
        let (verdict, notes) = match failed {
            None => judged(&planned, &seen, &done),
            Some(_) => (unproved(&planned, &seen), Vec::new()),
        };
        let plan_held = self.tell(Tested { notes, seconds: plan_seconds, ..verdict_of(Check::Plan, verdict) });
        let verdict = failed.map_or(Verdict::Passed, Verdict::from);
        Ok(self.tell(Tested { seconds: run_seconds, ..verdict_of(Check::Run, verdict) }) && plan_held)
    }

    /// Those that the link brings.
    fn specs(&mut self) -> Result<bool, TestError> {
        let heard = self.trial.driver.specs(Some(&self.trial.link.name))?;
        Ok(self.judge_specs(&heard, |_| true))
    }

    fn rerun(&mut self) -> Result<bool, TestError> {
        if let Some(why) = self.trial.rerun {
            self.tell(verdict_of(Check::Rerun, Verdict::Ignored { why: why.to_owned() }));
            return Ok(true);
        }
        let legs = self.trial.driver.run(&self.trial.link.name)?;
        let verdict = match failure(&legs) {
            Some(difference) => difference.under("it was run once more:").into(),
            None => legs.iter().try_for_each(|leg| judge::again(&leg.operations)).into(),
        };
        Ok(self.tell(verdict_of(Check::Rerun, verdict)))
    }

    /// It is behind the host now, and nothing that was promised before is broken by it.
    fn done(&mut self) -> Result<bool, TestError> {
        let heard = self.trial.driver.done(&self.trial.link.name)?;
        if let Some(error) = heard.error() {
            let difference = Difference::of("it could not be recorded as done:", [error]);
            return Ok(self.tell(verdict_of(Check::Run, difference.into())));
        }
        let heard = self.trial.driver.specs(None)?;
        Ok(self.judge_specs(&heard, |answer| answer.error.is_some()))
    }

    fn judge_specs(&mut self, heard: &Heard, is_told: impl Fn(&Answer) -> bool) -> bool {
        let mut all_hold = true;
        for answer in heard.answers.iter().filter(|answer| is_told(answer)) {
            let verdict = self.of_spec(answer);
            all_hold &= self.tell(verdict_of(Check::Spec(answer.spec.clone()), verdict));
        }
        if heard.ended.is_some() {
            return all_hold;
        }
        let difference = Difference::of("the specs could not be asked:", heard.error());
        self.tell(verdict_of(Check::Spec("all".to_owned()), difference.into()))
    }

    fn of_spec(&self, answer: &Answer) -> Verdict {
        let Some(error) = &answer.error else { return Verdict::Passed };
        let older = answer.link.as_ref().filter(|link| **link != self.trial.link.name);
        let heading = match older {
            Some(older) => format!("the spec `{}` of `{older}` does not hold any more:", answer.spec),
            None => format!("the spec `{}` does not hold:", answer.spec),
        };
        Difference::of(heading, [error]).into()
    }

    /// Hands on a check; says whether it held. What nobody said took the time since the last one.
    fn tell(&mut self, tested: Tested) -> bool {
        let seconds = if tested.seconds > 0.0 { tested.seconds } else { self.lap() };
        let Trial { player, link, told, .. } = self.trial;
        let (host, roles, link) = (player.name.clone(), player.roles.clone(), Some(link.clone()));
        let tested = Tested { host, roles, link, seconds, ..tested };
        let held = !matches!(tested.verdict, Verdict::Failed { .. });
        // Who does not listen any more has an error of its own.
        drop(told.send(Event::Tested(Box::new(tested.clone()))));
        self.tested.push(tested);
        held
    }

    fn lap(&mut self) -> f64 {
        let seconds = self.watch.elapsed().as_secs_f64();
        self.watch = Stopwatch::start();
        seconds
    }
}

fn verdict_of(check: Check, verdict: Verdict) -> Tested {
    Tested { verdict, ..Tested::new(check) }
}

/// What all legs of a run did.
pub(crate) fn joined(legs: &[Heard]) -> Vec<Operation> {
    judge::joined(&legs.iter().map(|leg| leg.operations.clone()).collect::<Vec<_>>())
}

/// Why a run did not come to its end, and the last that it did.
pub(crate) fn failure(legs: &[Heard]) -> Option<Difference> {
    const SHOWN: usize = 10;
    let last = legs.last()?;
    let rebooting = || last.reboots().then(|| format!("it asked for a reboot {} times", legs.len()));
    let error = last.error().or_else(rebooting).or_else(|| last.owes())?;
    let shown = &last.operations[last.operations.len().saturating_sub(SHOWN)..];
    let difference = Difference::of("it failed:", [error]);
    match shown {
        [] => Some(difference),
        shown => Some(difference.and(Difference::of("the last that it did:", shown))),
    }
}

/// A plan that foretold the run, and touched nothing.
pub(crate) fn judged(planned: &Heard, seen: &Seen, done: &[Operation]) -> (Verdict, Vec<String>) {
    let foretold =
        end_of(planned).and_then(|end| judge::plan(&planned.operations, end.ends.as_deref(), done, &|_| true));
    both(foretold, of_glass(seen))
}

/// The plan of a run that failed: only what is wrong with it by itself is known.
fn unproved(planned: &Heard, seen: &Seen) -> Verdict {
    match both(end_of(planned).map(|_| Vec::new()), of_glass(seen)) {
        (failed @ Verdict::Failed { .. }, _) => failed,
        _ => Verdict::NotRun { why: "its run failed, so that nothing can be held against it".to_owned() },
    }
}

/// The end of a plan, without which there is none.
fn end_of(planned: &Heard) -> Result<&Ended, Difference> {
    planned.ended.as_ref().ok_or_else(|| Difference::of("there is no plan:", planned.error()))
}

fn of_glass(seen: &Seen) -> Verdict {
    match seen {
        Seen::Touched(touched) => judge::glass(touched).into(),
        Seen::Nothing { why } => Verdict::Ignored { why: format!("nobody saw what the plan touched: {why}") },
    }
}

fn both(foretold: Result<Vec<String>, Difference>, of_glass: Verdict) -> (Verdict, Vec<String>) {
    match (foretold, of_glass) {
        (Ok(notes), verdict) => (verdict, notes),
        (Err(difference), Verdict::Failed { what, hint }) => {
            let touched = Difference { lines: what.lines().map(str::to_owned).collect(), hint };
            (difference.and(touched).into(), Vec::new())
        }
        (Err(difference), _) => (difference.into(), Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use wb_core::context::{Debt, DebtAction, Outcome};

    use super::*;
    use crate::sandbox::{Touch, Touched};

    fn operation(what: &str, outcome: Outcome) -> Operation {
        Operation { what: what.into(), outcome }
    }

    fn leg(operations: &[&str], ended: Option<Ended>) -> Heard {
        let operations = operations.iter().map(|what| operation(what, Outcome::Changed { diff: None })).collect();
        Heard { operations, ended, ..Heard::default() }
    }

    fn ended() -> Option<Ended> {
        Some(Ended::default())
    }

    #[test]
    fn a_run_that_fails_says_why_and_how_far_it_came() {
        let check = |legs: &[Heard], expect: Option<&str>| {
            assert_eq!(failure(legs).map(|difference| difference.to_string()).as_deref(), expect);
        };
        let error = |error: &str| Some(Ended { error: Some(error.into()), ..Ended::default() });
        let reboot = || Some(Ended { reboot: true, ..Ended::default() });
        check(&[leg(&["a"], ended())], None);
        check(&[leg(&["a"], reboot()), leg(&["a"], ended())], None);
        check(&[leg(&[], error("no"))], Some("it failed:\n  no"));
        let last = "it failed:\n  no\n  way\nthe last that it did:\n  + a\n  + b";
        check(&[leg(&["a", "b"], error("no\nway"))], Some(last));
        let asked = "it failed:\n  it asked for a reboot 2 times";
        check(&[leg(&[], reboot()), leg(&[], reboot())], Some(asked));
        check(&[leg(&[], None)], Some("it failed:\n  it was cut short, with exit code 0: "));
        let owed = vec![Debt { action: DebtAction::Restart, service: "nginx".into() }];
        let owes = Ended { owed, ..Ended::default() };
        check(
            &[leg(&[], Some(owes.clone()))],
            Some("it failed:\n  it came to its end and still owes a restart of nginx"),
        );
        let waiting = Some(Ended { reboot: true, ..owes });
        check(&[leg(&[], waiting), leg(&[], ended())], None);
    }

    fn touched(paths: &[&str]) -> Seen {
        let touched = |path: &&str| Touched { path: path.into(), how: Touch::Made };
        Seen::Touched(paths.iter().map(touched).collect())
    }

    fn nothing() -> Seen {
        Seen::Nothing { why: "no overlay".into() }
    }

    fn said(verdict: Verdict) -> String {
        match verdict {
            Verdict::Passed => "ok".to_owned(),
            Verdict::Failed { what, .. } => what,
            Verdict::Ignored { why } => format!("ignored: {why}"),
            Verdict::NotRun { why } => format!("not run: {why}"),
        }
    }

    const LIE: &str = "the plan said:\n  + b\nand this was done:\n  + a";
    const NO_PLAN: &str = "there is no plan:\n  it was cut short, with exit code 0: ";

    #[test]
    fn a_plan_is_judged_by_what_it_said_and_what_it_touched() {
        let check = |planned: &Heard, seen: &Seen, expect: &str| {
            let (verdict, _) = judged(planned, seen, &[operation("a", Outcome::Changed { diff: None })]);
            assert_eq!(said(verdict), expect);
        };
        check(&leg(&["a"], ended()), &touched(&[]), "ok");
        check(&leg(&["a"], ended()), &touched(&["/x"]), "the plan touched:\n  + /x");
        check(&leg(&["b"], ended()), &touched(&[]), LIE);
        check(&leg(&["b"], ended()), &touched(&["/x"]), &format!("{LIE}\nthe plan touched:\n  + /x"));
        check(&leg(&[], None), &touched(&[]), NO_PLAN);
    }

    #[test]
    fn a_plan_that_nobody_watched_has_not_passed() {
        let check = |planned: &[&str], expect: &str| {
            let done = [operation("a", Outcome::Changed { diff: None })];
            assert_eq!(said(judged(&leg(planned, ended()), &nothing(), &done).0), expect);
        };
        check(&["a"], "ignored: nobody saw what the plan touched: no overlay");
        check(&["b"], LIE);
    }

    #[test]
    fn of_the_plan_of_a_run_that_failed_little_is_known() {
        let check = |planned: &Heard, seen: &Seen, expect: &str| assert_eq!(said(unproved(planned, seen)), expect);
        let unknown = "not run: its run failed, so that nothing can be held against it";
        check(&leg(&["a"], ended()), &touched(&[]), unknown);
        check(&leg(&["a"], ended()), &nothing(), unknown);
        check(&leg(&["a"], ended()), &touched(&["/x"]), "the plan touched:\n  + /x");
        check(&leg(&[], None), &touched(&[]), NO_PLAN);
    }
}
