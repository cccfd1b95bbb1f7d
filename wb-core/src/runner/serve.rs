//! The loop of a host, and one turn of it.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::catalog::Catalog;
use super::cli::{Failure, hint, with_causes};
use super::home::Home;
use super::log::Log;
use super::ready::Ready;
use super::signals::{self, Wake};
use crate::agent::{Agent, AgentError, Next, pace};
use crate::chain::Digest;
use crate::system::ending::ending;
use crate::system::fault::{self, Subject};
use crate::system::files::Lock;
use crate::system::{Command, System, environment, files};

/// Follows the herd until a signal says to end.
pub(super) fn forever(
    home: Home,
    catalog: &Catalog,
    system: &System,
    log: &Arc<Log>,
    ready: Ready,
) -> Result<ExitCode, Failure> {
    let say = |line: &str| log.say(line);
    let woken = signals::listen(Arc::clone(log)).map_err(Failure::Signals)?;
    let _lock = lock(&home)?;
    let mut agent = open(home, catalog, system, &say)?;
    say(&format!("{} follows {}", agent.config().name, agent.config().remote));
    ready.once(|| leave_after_boot(&mut agent, &woken));
    let mut errors = 0;
    while !ending().is_asked() {
        let next = agent.tick();
        log.call(&agent.config().name);
        errors = if next.is_ok() { 0 } else { errors + 1 };
        let pause = match next {
            Ok(Next::Exec) if !ending().is_asked() => return Err(exec(&agent)),
            Ok(Next::Exec | Next::Again) => Duration::ZERO,
            Ok(Next::Poll) => pace::until_poll(agent.config().uuid, agent.config().poll, system.clock().now()),
            Err(error) => {
                let pause = pace::after_error(agent.config().poll, errors, chance());
                complain(error, pause, &say);
                pause
            }
        };
        wait(&woken, pause, &say);
    }
    say("ended");
    Ok(ExitCode::SUCCESS)
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
    for _ in 0..LEAVE_TRIES {
        if !matches!(agent.leave_after_boot(), Ok(false)) || woken.recv_timeout(LEAVE_PAUSE) == Ok(Wake::End) {
            return;
        }
    }
}

const LEAVE_TRIES: u32 = 20;
const LEAVE_PAUSE: Duration = Duration::from_secs(1);

fn complain(error: AgentError, pause: Duration, log: &dyn Fn(&str)) {
    log(&format!("error: {}; tries again in {} s", with_causes(&error), pause.as_secs()));
    if let Some(hint) = hint(&Failure::Agent(error)) {
        log(&format!("hint: {hint}"));
    }
}

/// Does what there is to do now.
pub(super) fn once(home: Home, catalog: &Catalog, system: &System, log: &Arc<Log>) -> Result<ExitCode, Failure> {
    let say = |line: &str| log.say(line);
    let _woken = signals::listen(Arc::clone(log)).map_err(Failure::Signals)?;
    let _lock = lock(&home)?;
    let mut agent = open(home, catalog, system, &say)?;
    while !ending().is_asked() {
        match agent.tick()? {
            Next::Again => {}
            Next::Exec => return Err(exec(&agent)),
            Next::Poll => return Ok(ExitCode::from(u8::from(!agent.is_healthy()))),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The agent, with the sha256 of the program that runs.
pub(super) fn open<'a>(
    home: Home,
    catalog: &'a Catalog,
    system: &'a System,
    log: &'a dyn Fn(&str),
) -> Result<Agent<'a>, Failure> {
    let runner = Digest::of(&files::read("/proc/self/exe")?);
    Ok(Agent::open(home, catalog, system, runner, log)?)
}

fn lock(home: &Home) -> Result<Lock, Failure> {
    files::create_dir(home.state())?;
    home.lock()?.ok_or(Failure::Running)
}

/// The path is the installed one: after the rename this process's own ends in ` (deleted)`.
fn exec(agent: &Agent<'_>) -> Failure {
    let _during = fault::during(Subject::Runner);
    let args = environment::args().into_iter().skip(1);
    Failure::Agent(AgentError::Runner(Command::new(&agent.config().runner).args(args).exec()))
}

fn chance() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}
