//! The loop of a host, and one turn of it.

use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::catalog::Catalog;
use super::cli::{Failure, hint, with_causes};
use super::home::Home;
use crate::agent::{Agent, AgentError, Next, pace};
use crate::chain::Digest;
use crate::system::files::Lock;
use crate::system::{Command, System, environment, files};

/// Follows the herd until a signal says to end.
pub(super) fn forever(home: Home, catalog: &Catalog, system: &System, log: &dyn Fn(&str)) -> Result<ExitCode, Failure> {
    let signals = signals()?;
    let _lock = lock(&home)?;
    let mut agent = open(home, catalog, system, log)?;
    log(&format!("{} follows {}", agent.config().name, agent.config().remote));
    let mut errors = 0;
    loop {
        let next = agent.tick();
        errors = if next.is_ok() { 0 } else { errors + 1 };
        let pause = match next {
            Ok(Next::Exec) => return Err(exec(&agent)),
            Ok(Next::Again) => Duration::ZERO,
            Ok(Next::Poll) => pace::until_poll(agent.config().uuid, agent.config().poll, system.clock().now()),
            Err(error) => {
                let pause = pace::after_error(agent.config().poll, errors, chance());
                complain(error, pause, log);
                pause
            }
        };
        match signals.recv_timeout(pause) {
            Ok(SIGHUP) | Err(RecvTimeoutError::Timeout) => {}
            Ok(_) | Err(RecvTimeoutError::Disconnected) => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn complain(error: AgentError, pause: Duration, log: &dyn Fn(&str)) {
    log(&format!("error: {}; tries again in {} s", with_causes(&error), pause.as_secs()));
    if let Some(hint) = hint(&Failure::Agent(error)) {
        log(&format!("hint: {hint}"));
    }
}

/// Does what there is to do now.
pub(super) fn once(home: Home, catalog: &Catalog, system: &System, log: &dyn Fn(&str)) -> Result<ExitCode, Failure> {
    let _lock = lock(&home)?;
    let mut agent = open(home, catalog, system, log)?;
    loop {
        match agent.tick()? {
            Next::Again => {}
            Next::Exec => return Err(exec(&agent)),
            Next::Poll => return Ok(ExitCode::from(u8::from(!agent.is_healthy()))),
        }
    }
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
    let args = environment::args().into_iter().skip(1);
    Failure::Agent(AgentError::Runner(Command::new(&agent.config().runner).args(args).exec()))
}

fn signals() -> Result<Receiver<i32>, Failure> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(Failure::Signals)?;
    let (send, receive) = channel();
    let forward = move || signals.forever().take_while(|signal| send.send(*signal).is_ok()).for_each(drop);
    std::thread::Builder::new().name("signals".into()).spawn(forward).map_err(Failure::Signals)?;
    Ok(receive)
}

fn chance() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}
