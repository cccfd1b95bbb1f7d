//! Services: of init scripts (LSB), and of systemd, OpenRC or runit where one of these is the init system.

mod error;
mod initd;
mod openrc;
mod probe;
pub(crate) mod runit;
mod state;
pub(crate) mod systemd;

use std::cell::OnceCell;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use wb_core::context::{DebtAction, Outcome};
use wb_core::system::init::{self, Init};
use wb_core::system::{Command, System, clock};

use crate::ensure::{Difference, ensure};
use crate::look::Access as _;
use crate::{Host, Look, foresight, owed};
pub use error::ServiceError;
use probe::Probe;
pub use state::{Action, Status};
pub(crate) use state::{Found, Question};
use state::{Wanted, achieved, after, diff};

/// How long an action of a service may take.
const ACTION_BOUND: Duration = Duration::from_secs(600);
/// How long a service may take to become what it was told to be, after the action ended.
const SETTLE_BOUND: Duration = Duration::from_secs(30);
/// How long it is left alone at most before it is looked at again.
const SETTLE_PAUSE: Duration = Duration::from_millis(250);

/// Who starts services on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// Init scripts, under whatever init runs them.
    Initd,
    /// systemd.
    Systemd,
    /// OpenRC.
    Openrc,
    /// runit.
    Runit,
}

impl Manager {
    pub(crate) fn of(system: &System) -> Self {
        match init::Facts::of(system).ok().as_ref().and_then(init::detect) {
            Some(Init::Systemd) => Self::Systemd,
            Some(Init::Openrc) => Self::Openrc,
            Some(Init::Runit) => Self::Runit,
            Some(Init::Lsb) | None => Self::Initd,
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Initd | Self::Openrc => "`ls /etc/init.d` on the host shows those that there are",
            Self::Systemd => "`systemctl list-unit-files` on the host shows those that there are",
            Self::Runit => "`ls /etc/sv` on the host shows those that there are",
        }
    }
}

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initd => "an init that runs scripts",
            Self::Systemd => "systemd",
            Self::Openrc => "OpenRC",
            Self::Runit => "runit",
        })
    }
}

/// A service. [`Look::service`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn run_nginx(host: &Host) -> Result<()> {
///     host.service("nginx").enabled_and_running()?;
///     host.service("apache2").stopped()?;
///     host.service("apache2").disabled()?;
///     Ok(())
/// }
/// # wb_stdlib::testing::web1().service("apache2").rehearse(run_nginx);
/// ```
///
/// Its manager is the init system that runs: a unit of systemd, a script of OpenRC, a directory of runit, an init
/// script. Under runit, a service that has an init script and no directory is one of init scripts, as Debian has it.
#[must_use]
#[derive(Clone)]
pub struct Service<A> {
    access: A,
    name: String,
    probe: Probe,
    manager: OnceCell<Manager>,
}

impl<A: Look> Service<A> {
    pub(crate) fn new(access: A, name: &str) -> Self {
        Self { access, name: name.to_owned(), probe: Probe::default(), manager: OnceCell::new() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// For a service whose init script has no `status`, or one that lies: it runs when the process does whose number
    /// stands in the file at `path`, which is absolute. systemd and runit know better, and are asked all the same.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn run_the_shop(host: &Host) -> Result<()> {
    ///     host.service("shop").pidfile("/run/shop.pid").process("shopd").running()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(run_the_shop);
    /// ```
    pub fn pidfile(mut self, path: impl AsRef<Path>) -> Self {
        self.probe.pidfile = Some(path.as_ref().to_owned());
        self
    }

    /// As [`Service::pidfile`]: it runs when a process with this name does, as `ps -o comm` shows names, of which the
    /// first 15 bytes count. Together with a file of its number, that process must be called so.
    pub fn process(mut self, name: &str) -> Self {
        self.probe.process = Some(name.to_owned());
        self
    }

    /// Whether it runs.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    /// use wb_stdlib::service::Status;
    ///
    /// fn nginx_serves(host: &View) -> Result<()> {
    ///     let nginx = host.service("nginx");
    ///     ensure!(nginx.status()? != Status::Unknown, "the script of {} does not say whether it runs", nginx.name());
    ///     nginx.is_running()?;
    ///     nginx.is_enabled()?;
    ///     host.service("apache2").is_stopped()?;
    ///     host.service("apache2").is_disabled()?;
    ///     host.service("rpcbind").is_masked()
    /// }
    /// # wb_stdlib::testing::web1().service("apache2").asks(nginx_serves);
    /// ```
    ///
    /// # Errors
    /// When there is no such service, or it can't be asked.
    pub fn status(&self) -> Result<Status, ServiceError> {
        match self.known(Question::Status)? {
            Found::Status(status) => Ok(status),
            _ => Ok(Status::Unknown),
        }
    }

    /// Checks that it runs.
    ///
    /// # Errors
    /// When it does not, or there is no such service.
    pub fn is_running(&self) -> Result<()> {
        self.expect(Found::Status(Status::Running))
    }

    /// Checks that it does not run.
    ///
    /// # Errors
    /// When it does, or does not say, or there is no such service.
    pub fn is_stopped(&self) -> Result<()> {
        self.expect(Found::Status(Status::Stopped))
    }

    /// Checks that it starts with the host.
    ///
    /// # Errors
    /// When it does not, or there is no such service.
    pub fn is_enabled(&self) -> Result<()> {
        self.expect(Found::Enabled(true))
    }

    /// Checks that it does not start with the host.
    ///
    /// # Errors
    /// When it does, or there is no such service.
    pub fn is_disabled(&self) -> Result<()> {
        self.expect(Found::Enabled(false))
    }

    /// Checks that nobody can start it.
    ///
    /// # Errors
    /// When somebody can.
    pub fn is_masked(&self) -> Result<()> {
        self.expect(Found::Masked(true))
    }

    fn expect(&self, wanted: Found) -> Result<()> {
        let expected = || format!("expected the service `{}` to be {}", self.name, wanted.word());
        let found = self.known(wanted.question()).map_err(|error| match error {
            error @ ServiceError::BadName { .. } => anyhow::Error::new(error),
            error => anyhow::Error::new(error).context(expected()),
        })?;
        anyhow::ensure!(found == wanted, "{}, found it {}", expected(), found.word());
        Ok(())
    }

    fn known(&self, question: Question) -> Result<Found, ServiceError> {
        let missing = || ServiceError::NoSuchService { name: self.name.clone(), manager: self.manager() };
        self.look(question)?.ok_or_else(missing)
    }

    /// What is found; nothing where there is no such service.
    fn look(&self, question: Question) -> Result<Option<Found>, ServiceError> {
        if !is_name(&self.name) {
            return Err(ServiceError::BadName { name: self.name.clone() });
        }
        let (system, name) = (self.system(), self.name.as_str());
        match self.manager() {
            Manager::Systemd => systemd::look(system, name, question),
            Manager::Runit if runit::exists(system, name)? => self.found(question).map(Some),
            Manager::Initd | Manager::Openrc if initd::exists(system, name)? => self.found(question).map(Some),
            _ => Ok(None),
        }
    }

    /// What is found of a service that is there.
    fn found(&self, question: Question) -> Result<Found, ServiceError> {
        let (system, name) = (self.system(), self.name.as_str());
        Ok(match (question, self.manager()) {
            (Question::Masked, _) => Found::Masked(false),
            (Question::Enabled, Manager::Runit) => Found::Enabled(runit::is_enabled(system, name)?),
            (Question::Enabled, Manager::Openrc) => Found::Enabled(openrc::is_enabled(system, name)?),
            (Question::Enabled, _) => Found::Enabled(initd::is_enabled(system, name)?),
            (Question::Status, Manager::Runit) => Found::Status(runit::status(system, name)?),
            (Question::Status, _) if !self.probe.is_none() => Found::Status(self.probed()?),
            (Question::Status, Manager::Openrc) => Found::Status(openrc::status(system, name)?),
            (Question::Status, _) => Found::Status(initd::status(system, name)?),
        })
    }

    fn probed(&self) -> Result<Status, ServiceError> {
        let status = self.probe.status(self.system());
        status.map_err(|source| ServiceError::Process { name: self.name.clone(), source })
    }

    /// It is found out once: an init system does not change before the host is rebooted.
    fn manager(&self) -> Manager {
        let scripts = || {
            let (system, name) = (self.system(), self.name.as_str());
            matches!((runit::exists(system, name), initd::exists(system, name)), (Ok(false), Ok(true)))
        };
        *self.manager.get_or_init(|| match Manager::of(self.system()) {
            Manager::Runit if scripts() => Manager::Initd,
            manager => manager,
        })
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

pub(crate) fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c != '/' && !c.is_whitespace() && !c.is_control();
    !name.is_empty() && !name.starts_with(['-', '.']) && name.chars().all(is_plain)
}

impl Service<Host<'_>> {
    /// It runs.
    ///
    /// # Errors
    /// When there is no such service, or it does not start.
    pub fn running(&self) -> Result<Outcome, ServiceError> {
        self.ensure(&[Wanted::Running])
    }

    /// It does not run.
    ///
    /// # Errors
    /// When there is no such service, or it does not stop.
    pub fn stopped(&self) -> Result<Outcome, ServiceError> {
        self.ensure(&[Wanted::Stopped])
    }

    /// It was restarted now, or started when it did not run.
    ///
    /// What is to be restarted *because a file changed*, say with [`File::restarts`](crate::file::File::restarts):
    /// that is done after a crash too, and once.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn take_the_new_schema(host: &Host) -> Result<()> {
    ///     host.command("shop migrate").run()?;
    ///     host.service("shop").restarted()?; // without an `if`: a run that was killed before it would never do it
    ///     host.service("nginx").reloaded()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(take_the_new_schema);
    /// ```
    ///
    /// # Errors
    /// When there is no such service, or it does not run afterwards.
    pub fn restarted(&self) -> Result<Outcome, ServiceError> {
        self.ensure(&[Wanted::Restarted])
    }

    /// If it runs, it read its configuration again now. A stopped service reads it when it starts.
    ///
    /// # Errors
    /// When there is no such service, or it refuses.
    pub fn reloaded(&self) -> Result<Outcome, ServiceError> {
        self.ensure(&[Wanted::Reloaded])
    }

    /// It starts with the host.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn start_with_the_host(host: &Host) -> Result<()> {
    ///     host.service("nginx").enabled()?;
    ///     host.service("rpcbind").masked()?;
    ///     host.service("nfs-server").unmasked()?;
    ///     Ok(())
    /// }
    /// # let said = "LoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\n";
    /// # let host = wb_stdlib::testing::web1().directory("/run/systemd/system").answer("systemctl", 0, said);
    /// # host.rehearse(start_with_the_host);
    /// ```
    ///
    /// # Errors
    /// When there is no such service, or it can't be enabled.
    pub fn enabled(&self) -> Result<Outcome, ServiceError> {
        self.ensure(&[Wanted::Enabled])
    }

    /// It does not start with the host.
    ///
    /// # Errors
    /// When there is no such service, or it can't be disabled.
    pub fn disabled(&self) -> Result<Outcome, ServiceError> {
        self.ensure(&[Wanted::Disabled])
    }

    /// It starts with the host, and runs now: [`Service::enabled`] and [`Service::running`] as one operation.
    ///
    /// # Errors
    /// When there is no such service, it can't be enabled, or it does not start.
    pub fn enabled_and_running(&self) -> Result<Outcome, ServiceError> {
        self.ensure(&[Wanted::Enabled, Wanted::Running])
    }

    /// Nobody can start it, neither by hand nor as what another one needs; also before there is such a service. One
    /// that runs goes on. Only systemd has that.
    ///
    /// # Errors
    /// When the init system has nothing like it, or a unit of the host's own is in the way.
    pub fn masked(&self) -> Result<Outcome, ServiceError> {
        match self.manager() {
            Manager::Systemd => self.ensure(&[Wanted::Masked]),
            manager => Err(ServiceError::NoMask { name: self.name.clone(), manager }),
        }
    }

    /// It can be started. Where the init system can't mask services, that is so.
    ///
    /// # Errors
    /// When there is no such service, or it can't be unmasked.
    pub fn unmasked(&self) -> Result<Outcome, ServiceError> {
        self.ensure(&[Wanted::Unmasked])
    }

    fn ensure(&self, wanted: &[Wanted]) -> Result<Outcome, ServiceError> {
        let words: Vec<&str> = wanted.iter().map(|wanted| wanted.word()).collect();
        let what = format!("service {} {}", self.name, words.join(" and "));
        self.let_units_be_read()?;
        let mut acts = Vec::new();
        for wanted in wanted {
            let Some(found) = self.found_or_plan(wanted.question())? else {
                let why = format!("there is no service `{}` yet", self.name);
                return ensure(self.access, &what, Difference::Unknown(why), || Ok(()));
            };
            acts.extend(diff(found, *wanted).map(|action| (action, found)));
        }
        let act = || acts.iter().try_for_each(|(action, _)| self.act(*action));
        let outcome = ensure(self.access, &what, difference(&acts), act)?;
        if self.access.plans() {
            acts.iter().for_each(|(action, found)| self.foresee(after(*found, *action)));
            acts.iter().try_for_each(|(action, _)| self.strike(*action))?;
        }
        Ok(outcome)
    }

    /// Lets operations that come later in a plan find it so.
    fn foresee(&self, found: Found) {
        foresight::service(self.access.context(), &self.asked_as(found.question()), found);
    }

    /// Whom a question is about: systemd takes `nginx` for `nginx.service`. Whether it runs depends on how that is told.
    fn asked_as(&self, question: Question) -> String {
        let name = match self.manager() {
            Manager::Systemd => systemd::unit_name(&self.name),
            Manager::Initd | Manager::Openrc | Manager::Runit => self.name.clone(),
        };
        if question == Question::Status { self.probe.write(&name) } else { name }
    }

    /// A unit that was written a moment ago is read before systemd is asked for it.
    fn let_units_be_read(&self) -> Result<(), ServiceError> {
        match self.manager() {
            Manager::Systemd if !self.access.plans() => systemd::pay_reload(self.system()),
            _ => Ok(()),
        }
    }

    /// What there is of it, or would be by now in a plan; nothing only there, where a package may bring it.
    fn found_or_plan(&self, question: Question) -> Result<Option<Found>, ServiceError> {
        if !self.access.plans() {
            return self.known(question).map(Some);
        }
        match foresight::found_of_service(self.access.context(), &self.asked_as(question), question) {
            Some(found) => Ok(Some(found)),
            None => self.look(question),
        }
    }

    fn act(&self, action: Action) -> Result<(), ServiceError> {
        let (system, name) = (self.system(), self.name.as_str());
        match self.manager() {
            Manager::Initd => initd::act(system, name, action),
            Manager::Systemd => systemd::act(system, name, action),
            Manager::Openrc => openrc::act(system, name, action),
            Manager::Runit => runit::act(system, name, action),
        }?;
        self.settle(action)?;
        self.strike(action)
    }

    /// What the action has paid is owed no more. A plan has debts of its own, of which that is true as well.
    fn strike(&self, action: Action) -> Result<(), ServiceError> {
        let struck = owed::strike(self.access, action, &self.name);
        struck.map_err(|source| ServiceError::Debt { name: self.name.clone(), source })
    }

    /// Waits until the service is what the action was to make it: scripts end before daemons have begun.
    fn settle(&self, action: Action) -> Result<(), ServiceError> {
        let look = || self.known(action.question());
        let settled = clock::soon_or_until(self.system().clock(), SETTLE_BOUND, SETTLE_PAUSE, || match look() {
            Ok(found) if achieved(found, action) => Some(Ok(())),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        });
        settled.unwrap_or_else(|| {
            let found = look()?.word();
            Err(ServiceError::NotSo { action, name: self.name.clone(), found, manager: self.manager() })
        })
    }
}

/// A line for each action, with what made it necessary.
fn difference(acts: &[(Action, Found)]) -> Difference {
    let lines: Vec<String> = acts.iter().map(|(action, found)| format!("{action} (it was {})", found.word())).collect();
    if lines.is_empty() { Difference::None } else { Difference::Some(Some(lines.join("\n"))) }
}

/// Runs a command of an action.
fn run(system: &System, name: &str, action: Action, command: Command) -> Result<(), ServiceError> {
    let ended = system.read_command(&command.timeout(ACTION_BOUND));
    ended.map(drop).map_err(|source| ServiceError::Act { action, name: name.to_owned(), source })
}

/// Takes a service whose script is about to be removed out of what starts with the host.
pub(crate) fn forget(service: &Service<Host<'_>>) -> Result<(), ServiceError> {
    let (system, name) = (service.system(), service.name.as_str());
    match service.manager() {
        Manager::Initd | Manager::Systemd => initd::forget(system, name),
        Manager::Openrc => openrc::forget(system, name),
        Manager::Runit => runit::forget(system, name),
    }
}

/// What a debt to a service is written down under: whoever pays it must find out as the service says whether it runs.
pub(crate) fn owed_name(service: &Service<Host<'_>>) -> String {
    service.probe.write(&service.name)
}

/// The name of the service in [`owed_name`].
pub(crate) fn name_of(owed: &str) -> &str {
    Probe::read(owed).0
}

/// Pays an owed action, as far as the service runs: a stopped one reads its configuration when it starts.
pub(crate) fn pay(host: Host<'_>, action: DebtAction, owed: &str) -> Result<(), ServiceError> {
    let (name, probe) = Probe::read(owed);
    let service = Service { probe, ..Service::new(host, name) };
    let wanted = match (action, service.found_or_plan(Question::Status)?) {
        (DebtAction::Restart, Some(Found::Status(Status::Stopped))) => return Ok(()),
        (DebtAction::Restart, _) => Wanted::Restarted,
        (DebtAction::Reload, _) => Wanted::Reloaded,
    };
    service.ensure(&[wanted]).map(drop)
}

#[cfg(test)]
mod tests;
