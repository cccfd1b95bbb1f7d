//! The loop of a host, and one turn of it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::cli::{Failure, hint, with_causes};
use super::enroll::refuse_drilled;
use super::home::Home;
use super::log::Log;
use super::program::Program;
use super::ready::Ready;
use super::signals::{self, Wake};
use crate::agent::pace::{Outcome, Streak, Turn};
use crate::agent::{Agent, AgentError, Next, pace, uncount};
use crate::system::ending::ending;
use crate::system::fault::{self, Subject};
use crate::system::files::Lock;
use crate::system::{Command, CommandError, files};

/// Follows the herd until a signal says to end.
pub(super) fn forever(home: &Home, program: &Program, log: &Arc<Log>, ready: Ready) -> Result<ExitCode, Failure> {
    let say = |line: &str| log.say(line);
    let woken = listen(home, program, log)?;
    let lock = lock_of_host(home)?;
    let mut agent = start(home.clone(), program, &lock, &say)?;
    say(&format!("{} follows {}", agent.config().name, agent.config().remote));
    ready.once(|| leave_after_boot(&mut agent, &woken));
    let mut voice = Voice::default();
    let mut streak = Streak::default();
    while !ending().is_asked() {
        let begun = program.system.clock().passed();
        let turn = agent.tick();
        log.call(&agent.config().name);
        if matches!(turn, Ok(Next::Exec)) && !ending().is_asked() {
            return Err(take_over(program, &agent, &lock));
        }
        let (record, outcome) = (agent.record(), Outcome::from(&turn));
        let phase = &record.phase;
        streak = streak.and(phase, outcome);
        let pause = pace::after(phase, outcome, streak.failures, agent.polls(outcome), over(program, begun), chance());
        voice.judge(turn.err(), home, pause, &say);
        wait(&woken, pause, &say);
    }
    uncount(home, program.sha256()?, &say);
    say("ended");
    Ok(ExitCode::SUCCESS)
}

/// A turn that is over now, and began when so much had passed.
fn over(program: &Program, begun: Duration) -> Turn {
    let clock = program.system.clock();
    Turn { ended: clock.now(), took: clock.passed().saturating_sub(begun) }
}

/// Hears signals. A runner on trial that rests because it was told to end has not had its start.
fn listen(home: &Home, program: &Program, log: &Arc<Log>) -> Result<Receiver<Wake>, Failure> {
    let (home, runner, of_rest) = (home.clone(), program.sha256()?, Arc::clone(log));
    let at_rest = move || uncount(&home, runner, &|line| of_rest.say(line));
    signals::listen(Arc::clone(log), Box::new(at_rest)).map_err(Failure::Signals)
}

/// Waits for the next turn, or for a signal.
fn wait(woken: &Receiver<Wake>, pause: Duration, say: &dyn Fn(&str)) {
    if let Ok(Wake::Look) = woken.recv_timeout(pause) {
        say("looks at once: it was told to");
    }
}

/// Services that are started after this one come up only when a host that was out of load has left it again, or has
/// tried for a while. An error is no reason to wait: the first turn meets it too, and says it.
fn leave_after_boot(agent: &mut Agent<'_>, woken: &Receiver<Wake>) {
    let budget = pace::leave_after_boot();
    for _ in 0..budget.tries {
        if !matches!(agent.leave_after_boot(), Ok(false)) || woken.recv_timeout(budget.pause) == Ok(Wake::End) {
            return;
        }
    }
}

/// What the loop says of its errors: each once, with what is done about it, until another one comes or all is well.
#[derive(Default)]
struct Voice {
    said: Option<String>,
}

impl Voice {
    fn judge(&mut self, error: Option<AgentError>, home: &Home, pause: Duration, log: &dyn Fn(&str)) {
        let text = error.as_ref().map(|error| with_causes(error));
        if let (Some(error), Some(text)) = (error, text.as_ref().filter(|text| self.said.as_ref() != Some(text))) {
            log(&format!("error: {text}; tries again in {} s", pause.as_secs()));
            if let Some(hint) = hint(&Failure::Agent(error), home) {
                log(&format!("hint: {hint}"));
            }
        }
        self.said = text;
    }
}

/// Does what there is to do now.
pub(super) fn once(home: &Home, program: &Program, log: &Arc<Log>) -> Result<ExitCode, Failure> {
    let say = |line: &str| log.say(line);
    let woken = listen(home, program, log)?;
    let lock = lock_of_host(home)?;
    let mut agent = start(home.clone(), program, &lock, &say)?;
    let mut streak = Streak::default();
    while !ending().is_asked() {
        let begun = program.system.clock().passed();
        let next = agent.tick();
        let (outcome, record) = (Outcome::from(&next), agent.record());
        streak = streak.and(&record.phase, outcome);
        match next? {
            Next::Again => {}
            Next::Overtaken => {
                let (lost, turn) = (streak.failures, over(program, begun));
                wait(&woken, pace::after(&record.phase, outcome, lost, agent.polls(outcome), turn, chance()), &say);
            }
            Next::Exec if ending().is_asked() => {}
            Next::Exec => return Err(take_over(program, &agent, &lock)),
            Next::Poll | Next::Retry => return Ok(ExitCode::from(u8::from(!agent.is_healthy()))),
        }
    }
    uncount(home, program.sha256()?, &say);
    Ok(ExitCode::SUCCESS)
}

/// The agent that a program is, which has the lock.
pub(super) fn open<'a>(home: Home, program: &'a Program, log: &'a dyn Fn(&str)) -> Result<Agent<'a>, Failure> {
    Ok(Agent::open(home, &program.catalog, &program.system, program.sha256()?, log)?)
}

/// The agent that a program would be, for a look at this host while another one may be at work.
pub(super) fn look<'a>(home: Home, program: &'a Program, log: &'a dyn Fn(&str)) -> Result<Agent<'a>, Failure> {
    Ok(Agent::open_beside(home, &program.catalog, &program.system, program.sha256()?, log)?)
}

/// The agent of a runner that is to follow the herd, or, where it had all its starts, the previous runner in its place.
fn start<'a>(home: Home, program: &'a Program, lock: &Lock, log: &'a dyn Fn(&str)) -> Result<Agent<'a>, Failure> {
    match crate::agent::starts(&home, &program.system, program.sha256()?, log) {
        Some(previous) => Err(exec(program, &previous, lock).into()),
        None => open(home, program, log),
    }
}

/// The chain of this runner, after all that it does up to and with its first poll.
pub(super) fn self_check(home: Home, program: &Program) -> Result<String, Failure> {
    let quiet = |_: &str| {};
    look(home, program, &quiet)?.rehearse()?;
    Ok(serde_json::to_string(program.catalog.chain()).unwrap_or_default())
}

/// The lock of a machine that is a host.
pub(super) fn lock_of_host(home: &Home) -> Result<Lock, Failure> {
    let lock = lock(home)?;
    refuse_drilled(home)?;
    Ok(lock)
}

pub(super) fn lock(home: &Home) -> Result<Lock, Failure> {
    files::create_dir(home.state())?;
    home.lock()?.ok_or_else(|| Failure::Running { pid: home.holder() })
}

/// Runs the new runner in place of this one. Where that fails, this one is put back, and starts anew; unless it was for
/// want of room, which the next start may have.
fn take_over(program: &Program, agent: &Agent<'_>, lock: &Lock) -> Failure {
    let path = &agent.config().runner;
    let error = exec(program, path, lock);
    if error.is_for_want_of_room() {
        return error.into();
    }
    match agent.put_back(&error) {
        Ok(true) => exec(program, path, lock).into(),
        Ok(false) => error.into(),
        Err(worse) => worse.into(),
    }
}

/// The path is the installed one: after the rename this process's own ends in ` (deleted)`.
fn exec(program: &Program, runner: &Path, lock: &Lock) -> CommandError {
    let _during = fault::during(Subject::Runner);
    let args = program.args.iter().skip(1);
    Command::new(runner).args(args).exec_with(lock)
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        Self::Agent(AgentError::Runner(error))
    }
}

fn chance() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}
