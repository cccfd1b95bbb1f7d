//! A runner on trial: one that was taken over and has not come to its first poll yet.
//!
//! That it is on trial is on disk before it is put in place, and each of its starts is counted there before anything else
//! that could end it; who is told to end in good order takes that back. The first poll that comes back ends the trial, whatever it brought: who is alive after it will look
//! again, and takes over what is deployed next. The start after [`STARTS`] that came to no poll puts the previous runner
//! back instead. What can't even count its starts does not pass its self-check.

use std::path::PathBuf;

use super::machine::{Housed, Machine};
use super::store::{Record, Refused, Store, Trial};
use super::{Agent, AgentError, self_check};
use crate::chain::Digest;
use crate::runner::{Home, with_causes};
use crate::system::{CommandError, System};

/// How often a runner is started that does not come to its first poll.
pub const STARTS: u32 = 3;

/// What the trial on disk means to a runner that starts.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Start {
    /// Nobody is on trial.
    Ordinary,
    /// One more start of this runner.
    Counted(Trial),
    /// This runner had all its starts.
    PutsBack(Refused),
    /// Another one had all its starts, and this one is in its place again.
    WasPutBack(Refused),
    /// Another one was on trial, and never came in place.
    Void,
}

impl Trial {
    fn refused(&self, what: &str) -> Refused {
        let why = format!("{} {what} and was put back", named(self.runner, self.change));
        Refused { runner: self.runner, change: self.change, why }
    }
}

/// A runner, for messages.
pub(super) fn named(runner: Digest, change: u64) -> String {
    format!("the runner {} of change {change}", runner.short())
}

fn start(trial: Option<&Trial>, runner: Digest) -> Start {
    let Some(trial) = trial else { return Start::Ordinary };
    let refused = || trial.refused(&format!("did not reach its first poll in {STARTS} starts"));
    match (trial.runner == runner, trial.starts < STARTS) {
        (true, true) => Start::Counted(Trial { starts: trial.starts + 1, ..trial.clone() }),
        (true, false) => Start::PutsBack(refused()),
        (false, false) => Start::WasPutBack(refused()),
        (false, true) => Start::Void,
    }
}

/// Counts this start of the runner with this sha256, if it is on trial. Gives the file to run in place of this process
/// where the previous runner was put back. What fails here is only said: a host does what it can with the runner it has.
pub fn starts(home: &Home, system: &System, runner: Digest, say: &dyn Fn(&str)) -> Option<PathBuf> {
    // A record that can't be read is met again, and told, by who needs it.
    let store = Store::open(&home.record()).ok()?;
    let put_back = begin(home, system, &store, runner, say);
    put_back.unwrap_or_else(|error| {
        say(&format!("the trial of this runner goes on: {}", with_causes(&error)));
        None
    })
}

/// Takes back that this start was counted: it ended because it was told to, and that is no fault of the runner.
pub fn uncount(home: &Home, runner: Digest, say: &dyn Fn(&str)) {
    let Ok(store) = Store::open(&home.record()) else { return };
    let trial = store.record().trial.clone().filter(|trial| trial.runner == runner);
    let Some(starts) = trial.and_then(|trial| trial.starts.checked_sub(1)) else { return };
    let taken_back = store.update(|record| {
        if let Some(trial) = &mut record.trial {
            trial.starts = starts;
        }
    });
    if let Err(error) = taken_back {
        say(&format!("this start counts, though it was told to end: {}", with_causes(&error)));
    }
}

fn begin(
    home: &Home,
    system: &System,
    store: &Store,
    runner: Digest,
    say: &dyn Fn(&str),
) -> Result<Option<PathBuf>, AgentError> {
    match start(store.record().trial.as_ref(), runner) {
        Start::Ordinary => Ok(None),
        Start::Counted(trial) => {
            say(&format!("start {} of {STARTS} at most without a poll", trial.starts));
            store.update(|record| record.trial = Some(trial))?;
            Ok(None)
        }
        Start::PutsBack(refused) => {
            let path = home.read_config()?.runner;
            let put_back = put_back(&Housed::new(home, &path, system), store, &refused)?;
            say(if put_back { &refused.why } else { "there is no other runner to put back" });
            Ok(put_back.then_some(path))
        }
        Start::WasPutBack(refused) => Ok(store.update(|record| record.refuse(refused)).map(|()| None)?),
        Start::Void => Ok(store.update(|record| record.trial = None).map(|()| None)?),
    }
}

/// Puts the previous runner in place again, by an atomic rename as well. False where there is none.
fn put_back(machine: &dyn Machine, store: &Store, refused: &Refused) -> Result<bool, AgentError> {
    let previous = machine.kept_runner()?.filter(|bytes| Digest::of(bytes) != refused.runner);
    let Some(previous) = previous else { return Ok(false) };
    machine.lay(&previous)?;
    machine.install()?;
    store.update(|record| record.refuse(refused.clone()))?;
    Ok(true)
}

impl Record {
    fn refuse(&mut self, refused: Refused) {
        self.trial = None;
        self.refused = Some(refused);
    }
}

impl Agent<'_> {
    /// This runner has come to its first poll, and back.
    pub(super) fn end_trial(&self) {
        let record = self.store.record();
        if record.trial.as_ref().is_none_or(|trial| trial.runner != self.runner) {
            return;
        }
        let ended = self.store.update(|record| {
            record.trial = None;
            record.refused = None;
        });
        match ended {
            Ok(()) => self.journal.say(&format!("the runner {} has come to its first poll", self.runner.short())),
            Err(error) => self.journal.say_once(&format!("this runner stays on trial: {}", with_causes(&error))),
        }
    }

    /// Puts this runner back in place of the one that was taken over and could not be started. False where it is not there
    /// any more.
    ///
    /// # Errors
    /// When the disk is out of reach.
    pub fn put_back(&self, error: &CommandError) -> Result<bool, AgentError> {
        let Some(trial) = self.store.record().trial.clone() else { return Ok(false) };
        let refused = trial.refused(&format!("could not be started ({})", with_causes(error)));
        self.journal.say(&refused.why);
        put_back(self.machine.as_ref(), &self.store, &refused)
    }

    /// Why the runner that the newest accepted change names is not tried: it was put back, and no change came since.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let (manifest, refused) = (&self.change.as_ref()?.manifest, self.store.record().refused.clone()?);
        let wanted = self.wanted_runner(manifest).ok()??.runner().sha256;
        let stands = wanted == refused.runner && wanted != self.runner && manifest.number <= refused.change;
        stands.then(|| format!("{}; {}", refused.why, self_check::HINT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(starts: u32) -> Trial {
        Trial { runner: Digest::of(b"new"), change: 7, starts }
    }

    #[test]
    fn three_starts_are_counted_and_the_fourth_puts_the_previous_runner_back() {
        let check = |starts, expect| assert_eq!(start(Some(&trial(starts)), Digest::of(b"new")), expect);
        for starts in 0..STARTS {
            check(starts, Start::Counted(trial(starts + 1)));
        }
        check(3, Start::PutsBack(trial(3).refused("did not reach its first poll in 3 starts")));
    }

    #[test]
    fn another_runner_knows_by_the_count_whether_it_was_put_back() {
        let check = |trial: Option<Trial>, expect| assert_eq!(start(trial.as_ref(), Digest::of(b"old")), expect);
        check(None, Start::Ordinary);
        check(Some(trial(0)), Start::Void);
        check(Some(trial(2)), Start::Void);
        check(Some(trial(3)), Start::WasPutBack(trial(3).refused("did not reach its first poll in 3 starts")));
    }

    #[test]
    fn a_refusal_says_what_and_why() {
        let said = trial(3).refused("did not reach its first poll in 3 starts").why;
        let name = Digest::of(b"new").short();
        assert_eq!(
            said,
            format!("the runner {name} of change 7 did not reach its first poll in 3 starts and was put back")
        );
    }
}
