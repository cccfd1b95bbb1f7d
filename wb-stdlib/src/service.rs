//! Services: of init scripts (LSB), and of systemd where it is the init system.

mod initd;
mod systemd;

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use wb_core::context::{DebtAction, DebtError, Outcome};
use wb_core::system::files::{FileError, Kind};
use wb_core::system::{Command, CommandError, System, clock};

use crate::ensure::{Difference, ensure};
use crate::{Host, Look, owed};

/// How long an action of a service may take.
const ACTION_BOUND: Duration = Duration::from_secs(600);
/// How long a service may take to become what it was told to be, after the action ended.
const SETTLE_BOUND: Duration = Duration::from_secs(30);
const SETTLE_PAUSE: Duration = Duration::from_millis(250);

/// What can go wrong with a service.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// No service can be called so.
    #[error("`{name}` is no name of a service")]
    BadName {
        /// What was asked for.
        name: String,
    },
    /// There is neither an init script nor a unit.
    #[error("there is no service `{name}` on this host\nhint: {}", .manager.hint())]
    NoSuchService {
        /// What was asked for.
        name: String,
        /// Who was asked.
        manager: Manager,
    },
    /// Its state can't be seen.
    #[error("could not look at the service `{name}`")]
    Look {
        /// The service.
        name: String,
        /// Why.
        source: CommandError,
    },
    /// The links of the runlevels can't be seen.
    #[error("could not see whether the service `{name}` is enabled")]
    Links {
        /// The service.
        name: String,
        /// Why.
        source: FileError,
    },
    /// The action failed.
    #[error("could not {action} the service `{name}`")]
    Act {
        /// What was being done.
        action: Action,
        /// The service.
        name: String,
        /// Why.
        source: CommandError,
    },
    /// The action ended well, and the service is not what it was told to be.
    #[error("the service `{name}` is {found} after `{action}`, which ended well")]
    NotSo {
        /// What was done.
        action: Action,
        /// The service.
        name: String,
        /// What it is.
        found: &'static str,
    },
    /// An owed action could not be struck.
    #[error("could not note that the service `{name}` got what was owed to it")]
    Debt {
        /// The service.
        name: String,
        /// Why.
        source: DebtError,
    },
}

/// Who starts services on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// Init scripts, under whatever init runs them.
    Initd,
    /// systemd.
    Systemd,
}

impl Manager {
    pub(crate) fn of(system: &System) -> Self {
        // systemd's own test, see sd_booted(3).
        match system.stat("/run/systemd/system") {
            Ok(Some(stat)) if stat.kind == Kind::Directory => Self::Systemd,
            _ => Self::Initd,
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Initd => "`ls /etc/init.d` on the host shows those that there are",
            Self::Systemd => "`systemctl list-unit-files` on the host shows those that there are",
        }
    }

    fn commands(self, action: Action, name: &str) -> Vec<Command> {
        match self {
            Self::Initd => initd::commands(action, name),
            Self::Systemd => systemd::commands(action, name),
        }
    }
}

/// Whether a service runs, as far as its manager knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It runs.
    Running,
    /// It does not.
    Stopped,
    /// Its init script does not say, or it is on its way from one to the other.
    Unknown,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Unknown => "in an unknown state",
        }
    }
}

/// What can be done with a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Start it now.
    Start,
    /// Stop it now.
    Stop,
    /// Stop and start it.
    Restart,
    /// Let it read its configuration again.
    Reload,
    /// Let it start with the host.
    Enable,
    /// Don't let it start with the host.
    Disable,
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Enable => "enable",
            Self::Disable => "disable",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What there is of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    status: Status,
    enabled: bool,
}

/// What a service can be told to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Running,
    Stopped,
    Restarted,
    Reloaded,
    Enabled,
    Disabled,
}

impl Wanted {
    fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Restarted => "restarted",
            Self::Reloaded => "reloaded",
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
        }
    }
}

/// What is to be done so that a service is as wanted. Where the status is unknown, the action is done: it changes
/// nothing when it was not needed.
fn diff(facts: Facts, wanted: Wanted) -> Option<Action> {
    match wanted {
        Wanted::Running => (facts.status != Status::Running).then_some(Action::Start),
        Wanted::Stopped => (facts.status != Status::Stopped).then_some(Action::Stop),
        Wanted::Restarted => Some(Action::Restart),
        Wanted::Reloaded => (facts.status != Status::Stopped).then_some(Action::Reload),
        Wanted::Enabled => (!facts.enabled).then_some(Action::Enable),
        Wanted::Disabled => facts.enabled.then_some(Action::Disable),
    }
}

/// Whether a service is what the action was to make it.
fn achieved(facts: Facts, action: Action) -> bool {
    match action {
        Action::Start | Action::Restart | Action::Reload => facts.status != Status::Stopped,
        Action::Stop => facts.status != Status::Running,
        Action::Enable => facts.enabled,
        Action::Disable => !facts.enabled,
    }
}

/// A service. [`Look::service`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn run_nginx(host: &Host) -> Result<()> {
///     let nginx = host.service("nginx");
///     nginx.enabled()?;
///     nginx.running()?;
///     Ok(())
/// }
/// # let _ = run_nginx as fn(&Host) -> Result<()>;
/// ```
#[must_use]
#[derive(Clone)]
pub struct Service<A> {
    access: A,
    name: String,
}

impl<A: Look> Service<A> {
    pub(crate) fn new(access: A, name: &str) -> Self {
        Self { access, name: name.to_owned() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it runs.
    ///
    /// # Errors
    /// When there is no such service, or it can't be asked.
    pub fn status(&self) -> Result<Status, ServiceError> {
        self.known().map(|facts| facts.status)
    }

    /// Checks that it runs.
    ///
    /// # Errors
    /// When it does not, or there is no such service.
    pub fn is_running(&self) -> Result<()> {
        let found = self.status()?;
        anyhow::ensure!(
            found == Status::Running,
            "expected the service `{}` to be running, found it {found}",
            self.name
        );
        Ok(())
    }

    /// Checks that it starts with the host.
    ///
    /// # Errors
    /// When it does not, or there is no such service.
    pub fn is_enabled(&self) -> Result<()> {
        anyhow::ensure!(self.known()?.enabled, "expected the service `{}` to be enabled, found it disabled", self.name);
        Ok(())
    }

    fn known(&self) -> Result<Facts, ServiceError> {
        let missing = || ServiceError::NoSuchService { name: self.name.clone(), manager: self.manager() };
        self.facts()?.ok_or_else(missing)
    }

    fn facts(&self) -> Result<Option<Facts>, ServiceError> {
        let name = &self.name;
        if name.is_empty() || name.contains('/') || name.starts_with(['-', '.']) {
            return Err(ServiceError::BadName { name: name.clone() });
        }
        match self.manager() {
            Manager::Initd => initd::facts(self.system(), name),
            Manager::Systemd => systemd::facts(self.system(), name),
        }
    }

    fn manager(&self) -> Manager {
        Manager::of(self.system())
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl Service<Host<'_>> {
    /// It runs.
    ///
    /// # Errors
    /// When there is no such service, or it does not start.
    pub fn running(&self) -> Result<Outcome, ServiceError> {
        self.ensure(Wanted::Running)
    }

    /// It does not run.
    ///
    /// # Errors
    /// When there is no such service, or it does not stop.
    pub fn stopped(&self) -> Result<Outcome, ServiceError> {
        self.ensure(Wanted::Stopped)
    }

    /// It was restarted now, or started when it did not run.
    ///
    /// What is to be restarted *because a file changed*, say with [`File::restarts`](crate::file::File::restarts):
    /// that is done after a crash too, and once.
    ///
    /// # Errors
    /// When there is no such service, or it does not run afterwards.
    pub fn restarted(&self) -> Result<Outcome, ServiceError> {
        self.ensure(Wanted::Restarted)
    }

    /// If it runs, it read its configuration again now. A stopped service reads it when it starts.
    ///
    /// # Errors
    /// When there is no such service, or it refuses.
    pub fn reloaded(&self) -> Result<Outcome, ServiceError> {
        self.ensure(Wanted::Reloaded)
    }

    /// It starts with the host.
    ///
    /// # Errors
    /// When there is no such service, or it can't be enabled.
    pub fn enabled(&self) -> Result<Outcome, ServiceError> {
        self.ensure(Wanted::Enabled)
    }

    /// It does not start with the host.
    ///
    /// # Errors
    /// When there is no such service, or it can't be disabled.
    pub fn disabled(&self) -> Result<Outcome, ServiceError> {
        self.ensure(Wanted::Disabled)
    }

    fn ensure(&self, wanted: Wanted) -> Result<Outcome, ServiceError> {
        let what = format!("service {} {}", self.name, wanted.word());
        let Some(facts) = self.facts_or_plan()? else {
            let why = format!("there is no service `{}` yet", self.name);
            return ensure(self.access, &what, Difference::Unknown(why), || Ok(()));
        };
        match diff(facts, wanted) {
            None => ensure(self.access, &what, Difference::None, || Ok(())),
            Some(action) => {
                let was = format!("{} (it was {})", action, described(facts, action));
                ensure(self.access, &what, Difference::Some(Some(was)), || self.act(action))
            }
        }
    }

    /// What there is of it; nothing only in a plan, where a package may bring it.
    fn facts_or_plan(&self) -> Result<Option<Facts>, ServiceError> {
        if self.access.plans() { self.facts() } else { self.known().map(Some) }
    }

    fn act(&self, action: Action) -> Result<(), ServiceError> {
        for command in self.manager().commands(action, &self.name) {
            let ended = self.system().read_command(&command.timeout(ACTION_BOUND));
            ended.map_err(|source| ServiceError::Act { action, name: self.name.clone(), source })?;
        }
        self.settle(action)?;
        owed::strike(self.access, action, &self.name)
            .map_err(|source| ServiceError::Debt { name: self.name.clone(), source })
    }

    /// Waits until the service is what the action was to make it: scripts end before daemons have begun.
    fn settle(&self, action: Action) -> Result<(), ServiceError> {
        let settled = clock::wait_until(self.system().clock(), SETTLE_BOUND, SETTLE_PAUSE, || match self.known() {
            Ok(facts) if achieved(facts, action) => Some(Ok(())),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        });
        settled.unwrap_or_else(|| {
            let found = described(self.known()?, action);
            Err(ServiceError::NotSo { action, name: self.name.clone(), found })
        })
    }
}

/// The side of a service that an action is about.
fn described(facts: Facts, action: Action) -> &'static str {
    match (action, facts.enabled) {
        (Action::Enable | Action::Disable, true) => "enabled",
        (Action::Enable | Action::Disable, false) => "disabled",
        _ => facts.status.word(),
    }
}

/// Pays an owed action, as far as the service runs: a stopped one reads its configuration when it starts.
pub(crate) fn pay(host: Host<'_>, action: DebtAction, name: &str) -> Result<(), ServiceError> {
    let service = Service::new(host, name);
    let wanted = match (action, service.facts_or_plan()?) {
        (DebtAction::Restart, Some(Facts { status: Status::Stopped, .. })) => return Ok(()),
        (DebtAction::Restart, _) => Wanted::Restarted,
        (DebtAction::Reload, _) => Wanted::Reloaded,
    };
    service.ensure(wanted).map(drop)
}

#[cfg(test)]
mod tests;
