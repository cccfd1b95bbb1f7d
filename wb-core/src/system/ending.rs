//! Ending in good order: this process is told to end while commands run.
//!
//! A host's commands run in process groups of their own, and are known here while they do. Who is told to end first
//! lets what it does come to its end: at the next [`boundary`](Ending::boundary) the work rests, for ever, and the
//! process may end. Where that takes too long, the groups are signalled. From then on no command gives a result any
//! more: a migration must not take for a failure what was only an interruption. Nothing is lost by that, because the
//! intent is on disk, and the next start goes on from there.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// The commands that run now, and whether this process is about to end.
#[derive(Debug, Default)]
pub struct Ending {
    state: Mutex<State>,
    rested: Condvar,
}

#[derive(Debug)]
struct State {
    stage: Stage,
    at_rest: bool,
    running: Vec<(Pid, Loss)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Nobody asked.
    Working,
    /// At the next boundary.
    Soon,
    /// Whatever is lost.
    Now,
}

/// What is lost when a command is cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// Nothing: it only looks, or is done once more.
    Nothing,
    /// Work that was half done.
    Work,
}

static OF_THIS_PROCESS: Ending = Ending::new();

/// That of this process.
#[must_use]
pub fn ending() -> &'static Ending {
    &OF_THIS_PROCESS
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    const fn new() -> Self {
        Self { stage: Stage::Working, at_rest: false, running: Vec::new() }
    }

    /// Whether a command of that kind neither starts nor gives a result any more.
    fn cuts(&self, loss: Loss) -> bool {
        match loss {
            Loss::Nothing => self.stage >= Stage::Soon,
            Loss::Work => self.stage >= Stage::Now,
        }
    }

    fn signal(&self, signal: Signal) {
        for (group, _) in self.running.iter().filter(|(_, loss)| self.cuts(*loss)) {
            // A group that has ended meanwhile is no error.
            kill_process_group(*group, signal).ok();
        }
    }
}

impl Ending {
    const fn new() -> Self {
        Self { state: Mutex::new(State::new()), rested: Condvar::new() }
    }

    /// Asks the work to end at its next boundary, and ends at once the commands that lose nothing by it.
    pub fn ask(&self) {
        self.advance(Stage::Soon);
    }

    /// Ends the commands that run, by SIGTERM, whatever they do.
    pub fn cut(&self) {
        self.advance(Stage::Now);
    }

    /// Ends what is left of the commands, by SIGKILL.
    pub fn kill(&self) {
        self.advance(Stage::Now);
        self.state().signal(Signal::KILL);
    }

    /// Whether somebody asked.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.state().stage > Stage::Working
    }

    /// Between two steps of the work: comes back only when nobody asked this process to end.
    pub fn boundary(&self) {
        if self.is_asked() {
            self.rest();
        }
    }

    /// Waits until the work rests; false when it does not within `bound`.
    #[must_use]
    pub fn rests_within(&self, bound: Duration) -> bool {
        let waited = self.rested.wait_timeout_while(self.state(), bound, |state| !state.at_rest);
        waited.unwrap_or_else(PoisonError::into_inner).0.at_rest
    }

    /// Before a command starts.
    pub(super) fn start(&self, loss: Loss) {
        if self.state().cuts(loss) {
            self.rest();
        }
    }

    /// A command has started, as the leader of `group`.
    pub(super) fn started(&self, group: Pid, loss: Loss) {
        let mut state = self.state();
        state.running.push((group, loss));
        if state.cuts(loss) {
            kill_process_group(group, Signal::TERM).ok();
        }
    }

    /// A command has ended. Comes back only when it did so by itself.
    pub(super) fn ended(&self, group: Pid, loss: Loss) {
        let mut state = self.state();
        if state.cuts(loss) {
            drop(state);
            self.rest();
        }
        state.running.retain(|(running, _)| *running != group);
    }

    fn advance(&self, stage: Stage) {
        let mut state = self.state();
        state.stage = state.stage.max(stage);
        state.signal(Signal::TERM);
    }

    fn rest(&self) -> ! {
        self.state().at_rest = true;
        self.rested.notify_all();
        loop {
            std::thread::park();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::Command;
    use super::*;

    const LONG: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(30);

    /// Work in a thread: gives whether it came to its end.
    fn work(ending: &Arc<Ending>, act: impl FnOnce(&Ending) + Send + 'static) -> Arc<AtomicBool> {
        let (ending, done) = (Arc::clone(ending), Arc::new(AtomicBool::new(false)));
        let end = Arc::clone(&done);
        std::thread::spawn(move || {
            act(&ending);
            end.store(true, Ordering::SeqCst);
        });
        done
    }

    /// Waits until a command runs.
    fn running(ending: &Ending) {
        while ending.state().running.is_empty() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn nobody_asked_and_the_work_goes_on() {
        let ending = Ending::default();
        ending.boundary();
        ending.start(Loss::Work);
        ending.start(Loss::Nothing);
        assert!(!ending.is_asked() && !ending.rests_within(Duration::ZERO));
    }

    #[test]
    fn work_rests_at_a_boundary() {
        let ending = Arc::new(Ending::default());
        ending.ask();
        let done = work(&ending, Ending::boundary);
        assert!(ending.rests_within(LONG) && !done.load(Ordering::SeqCst));
    }

    #[test]
    fn a_command_that_works_ends_by_itself_where_it_can() {
        let ending = Arc::new(Ending::default());
        ending.ask();
        let done = work(&ending, |ending| {
            Command::shell("true").run_under(ending, Loss::Work).unwrap();
            ending.boundary();
        });
        assert!(ending.rests_within(LONG) && !done.load(Ordering::SeqCst));
    }

    #[test]
    fn a_command_that_only_looks_is_cut_at_once() {
        let ending = Arc::new(Ending::default());
        let done = work(&ending, |ending| drop(Command::new("sleep").arg("60").run_under(ending, Loss::Nothing)));
        running(&ending);
        ending.ask();
        assert!(ending.rests_within(LONG) && !done.load(Ordering::SeqCst));
    }

    #[test]
    fn a_command_that_works_is_cut_when_it_takes_too_long_and_gives_no_result() {
        let ending = Arc::new(Ending::default());
        let done = work(&ending, |ending| drop(Command::shell("sleep 60; true").run_under(ending, Loss::Work)));
        running(&ending);
        ending.ask();
        assert!(!ending.rests_within(SHORT));
        ending.cut();
        assert!(ending.rests_within(LONG) && !done.load(Ordering::SeqCst));
    }

    #[test]
    fn a_command_that_ignores_it_is_killed() {
        let ending = Arc::new(Ending::default());
        let deaf = Command::shell("trap '' TERM; while :; do sleep 0.01; done");
        work(&ending, move |ending| drop(deaf.run_under(ending, Loss::Work)));
        running(&ending);
        ending.cut();
        ending.kill();
        assert!(ending.rests_within(LONG));
    }
}
