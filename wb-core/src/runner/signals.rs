//! What signals say to a host's loop: SIGHUP looks at once; SIGTERM and SIGINT end it, in bounded time.
//!
//! Who is told to end finishes its present operation, for [`FINISH`] at most; then the commands that still run are
//! ended, with [`GIVE_WAY`] for that; and then the process ends whatever happens. A second SIGTERM shortens all of it.
//! What was cut short goes on at the next start.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::log::Log;
use crate::system::ending::ending;

/// How long the present operation may take.
pub(super) const FINISH: Duration = Duration::from_secs(20);

/// How long commands may take to end when they are told to.
pub(super) const GIVE_WAY: Duration = Duration::from_secs(5);

/// What the loop is to do when it next waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    /// Look at once.
    Look,
    /// End.
    End,
}

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody asked for it.
    Following,
    /// The present operation may come to its end.
    Finishing,
    /// The commands that run were told to end.
    Cutting,
    /// Nothing more is waited for.
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    /// SIGHUP.
    HangUp,
    /// SIGTERM or SIGINT.
    Terminate,
    /// The work came to a place where it may end.
    AtRest,
    /// It did not, in the time that it had.
    TooLong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Nothing,
    Look,
    Finish,
    Cut,
    /// The next start goes on at a boundary, or in the middle of what was cut.
    End {
        at_boundary: bool,
    },
}

fn next(state: State, event: Event) -> (State, Act) {
    match (state, event) {
        (State::Following, Event::HangUp) => (State::Following, Act::Look),
        (State::Following, Event::Terminate) => (State::Finishing, Act::Finish),
        (State::Finishing, Event::TooLong) => (State::Cutting, Act::Cut),
        (State::Finishing, Event::AtRest) => (State::Over, Act::End { at_boundary: true }),
        (State::Finishing, Event::Terminate) | (State::Cutting, Event::AtRest | Event::TooLong | Event::Terminate) => {
            (State::Over, Act::End { at_boundary: false })
        }
        (state, _) => (state, Act::Nothing),
    }
}

/// Hears signals from now on. When the work rests because this process was told to end, `at_rest` comes before the end.
pub(super) fn listen(log: Arc<Log>, at_rest: Box<dyn Fn() + Send + Sync>) -> io::Result<Receiver<Wake>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let (wake, woken) = channel();
    let conductor = Arc::new(Conductor { state: Mutex::new(State::Following), wake, log, at_rest });
    let hear = move || {
        for signal in signals.forever() {
            conductor.on(if signal == SIGHUP { Event::HangUp } else { Event::Terminate });
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(hear)?;
    Ok(woken)
}

struct Conductor {
    state: Mutex<State>,
    wake: Sender<Wake>,
    log: Arc<Log>,
    at_rest: Box<dyn Fn() + Send + Sync>,
}

impl Conductor {
    fn on(self: &Arc<Self>, event: Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (then, act) = next(*state, event);
        *state = then;
        if event == Event::AtRest {
            (self.at_rest)();
        }
        match act {
            Act::Nothing => {}
            Act::Look => self.say_to_loop(Wake::Look),
            Act::Finish => self.finish(),
            Act::Cut => {
                self.log.say(&format!("ends what still runs after {} s", FINISH.as_secs()));
                ending().cut();
            }
            Act::End { at_boundary: true } => self.end("ended: the next start goes on from here"),
            Act::End { at_boundary: false } => self.end("ended in the middle of its work: the next start takes it up"),
        }
    }

    fn finish(self: &Arc<Self>) {
        self.log.say("was told to end");
        ending().ask();
        self.say_to_loop(Wake::End);
        let conductor = Arc::clone(self);
        let watch = move || {
            for bound in [FINISH, GIVE_WAY] {
                conductor.on(if ending().rests_within(bound) { Event::AtRest } else { Event::TooLong });
            }
        };
        if std::thread::Builder::new().name("end".into()).spawn(watch).is_err() {
            self.end("ended at once: there is no thread to wait in");
        }
    }

    fn end(&self, words: &str) {
        self.log.say(words);
        ending().kill();
        std::process::exit(0);
    }

    fn say_to_loop(&self, wake: Wake) {
        // A loop that is over has no more need of it.
        self.wake.send(wake).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_an_answer_to_each_event() {
        let check = |state, [hang_up, terminate, at_rest, too_long]: [(State, Act); 4]| {
            assert_eq!(next(state, Event::HangUp), hang_up, "{state:?}");
            assert_eq!(next(state, Event::Terminate), terminate, "{state:?}");
            assert_eq!(next(state, Event::AtRest), at_rest, "{state:?}");
            assert_eq!(next(state, Event::TooLong), too_long, "{state:?}");
        };
        use State::{Cutting, Finishing, Following, Over};
        let stays = |state| (state, Act::Nothing);
        let [cut, over] = [false, true].map(|at_boundary| (Over, Act::End { at_boundary }));
        check(Following, [(Following, Act::Look), (Finishing, Act::Finish), stays(Following), stays(Following)]);
        check(Finishing, [stays(Finishing), cut, over, (Cutting, Act::Cut)]);
        check(Cutting, [stays(Cutting), cut, cut, cut]);
        check(Over, [stays(Over), stays(Over), stays(Over), stays(Over)]);
    }
}
