//! Owed actions: written down before the change that makes them necessary, paid at the end of the migration, and by
//! the next run when this one does not come to its end.

use wb_core::context::{Context, Debt, DebtAction, DebtError, Outcome};

use crate::look::Access as _;
use crate::service::{self, Action, ServiceError};
use crate::{Host, service::Service};

/// An owed action could not be done.
#[derive(Debug, thiserror::Error)]
#[error(
    "could not {} the service `{}`, which an earlier change made necessary",
    word(*action),
    service::name_of(service)
)]
pub(crate) struct OwedError {
    action: DebtAction,
    service: String,
    source: OwedErrorKind,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum OwedErrorKind {
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Debt(#[from] DebtError),
}

/// What the changes of an operation make necessary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Owes(Vec<Debt>);

impl Owes {
    pub(crate) fn add(&mut self, action: DebtAction, service: &Service<Host<'_>>) {
        self.0.push(Debt { action, service: service::owed_name(service) });
    }

    /// Writes it down: to be called before the change is made, and in a plan when it would be.
    pub(crate) fn write_down(&self, context: &Context<'_>) -> Result<(), DebtError> {
        self.0.iter().try_for_each(|debt| context.debts().owe(debt.clone()))
    }
}

/// Pays all that is owed: each service once, with the greatest of its debts.
///
/// A service that is not there is an error to the run that owes it, since nobody may have meant it. What `earlier` runs
/// have left is struck then: the service has gone meanwhile, and nobody could ever pay that.
pub(crate) fn pay(host: Host<'_>, earlier: &[Debt]) -> Result<(), OwedError> {
    let_units_be_read(host)?;
    let owed = host.context().debts().owed();
    for Debt { action, service } in payments(&owed) {
        let failed = |source| OwedError { action, service: service.clone(), source };
        let debts = || owed.iter().filter(|debt| debt.service == service);
        match service::pay(host, action, &service) {
            Err(ServiceError::NoSuchService { name, .. }) if debts().all(|debt| earlier.contains(debt)) => {
                let (debt, is_gone) = (word(action), "and there is no such service any more");
                host.record(&format!("service {name}: owed to {debt}, {is_gone}"), Outcome::Unchanged);
            }
            paid => paid.map_err(|error| failed(error.into()))?,
        }
        for debt in debts() {
            host.context().debts().paid(debt).map_err(|error| failed(error.into()))?;
        }
    }
    Ok(())
}

/// Units that were changed are read at the end of a migration, if not before.
fn let_units_be_read(host: Host<'_>) -> Result<(), OwedError> {
    if host.plans() {
        return Ok(());
    }
    let failed =
        |error: ServiceError| OwedError { action: DebtAction::Reload, service: "systemd".into(), source: error.into() };
    service::systemd::pay_reload(host.system()).map_err(failed)
}

/// Strikes what `action` on `service` has paid.
pub(crate) fn strike(host: Host<'_>, action: Action, service: &str) -> Result<(), DebtError> {
    let debts = host.context().debts();
    let mut owed = debts.owed().into_iter().filter(|debt| service::name_of(&debt.service) == service);
    owed.try_for_each(|debt| if pays(action, debt.action) { debts.paid(&debt) } else { Ok(()) })
}

/// Strikes all that is owed to services that are no more: those whose names are such.
pub(crate) fn release(host: Host<'_>, is_gone: impl Fn(&str) -> bool) -> Result<(), ServiceError> {
    let debts = host.context().debts();
    let mut owed = debts.owed().into_iter().filter(|debt| is_gone(service::name_of(&debt.service)));
    owed.try_for_each(|debt| {
        let name = || service::name_of(&debt.service).to_owned();
        debts.paid(&debt).map_err(|source| ServiceError::Debt { name: name(), source })
    })
}

fn pays(action: Action, debt: DebtAction) -> bool {
    match action {
        Action::Start | Action::Restart => true,
        Action::Reload => debt == DebtAction::Reload,
        Action::Stop | Action::Enable | Action::Disable | Action::Mask | Action::Unmask => false,
    }
}

/// One payment for each service, in the order of their first debts.
fn payments(owed: &[Debt]) -> Vec<Debt> {
    let mut payments: Vec<Debt> = Vec::new();
    for debt in owed {
        match payments.iter_mut().find(|payment| payment.service == debt.service) {
            Some(payment) => payment.action = payment.action.max(debt.action),
            None => payments.push(debt.clone()),
        }
    }
    payments
}

fn word(action: DebtAction) -> &'static str {
    match action {
        DebtAction::Reload => "reload",
        DebtAction::Restart => "restart",
    }
}

#[cfg(test)]
mod tests {
    use wb_core::context::Run as _;
    use wb_core::context::{Debts as _, Mode};

    use super::*;
    use crate::__private as glue;
    use crate::Look as _;
    use crate::machine::Machine;

    fn debt(action: DebtAction, service: &str) -> Debt {
        Debt { action, service: service.into() }
    }

    fn running(service: &str) -> Machine {
        let script = format!("/etc/init.d/{service}");
        Machine::new().file(&script, "").dir("/etc/nginx").answer(&script, 0, "")
    }

    fn change_twice(host: &Host) -> anyhow::Result<()> {
        let nginx = host.service("nginx");
        host.file("/etc/nginx/a").content("a").reloads(&nginx).present()?;
        host.file("/etc/nginx/b").content("b").restarts(&nginx).present()?;
        Ok(())
    }

    fn change_and_fail(host: &Host) -> anyhow::Result<()> {
        change_twice(host)?;
        anyhow::bail!("cut short")
    }

    #[test]
    fn a_restart_beats_a_reload_and_each_service_is_paid_once() {
        let owed = [
            debt(DebtAction::Reload, "a"),
            debt(DebtAction::Restart, "b"),
            debt(DebtAction::Restart, "a"),
            debt(DebtAction::Reload, "b"),
        ];
        assert_eq!(payments(&owed), [debt(DebtAction::Restart, "a"), debt(DebtAction::Restart, "b")]);
    }

    #[test]
    fn what_a_migration_owes_is_paid_at_its_end() {
        let machine = running("nginx");
        machine.with(Mode::Apply, |context| glue::OfHost(change_twice).run(context)).unwrap();
        let acts: Vec<String> = machine.calls().into_iter().filter(|line| !line.ends_with("status")).collect();
        assert_eq!(acts, ["/etc/init.d/nginx restart"]);
        assert_eq!(machine.journal.owed(), []);
    }

    #[test]
    fn what_a_migration_that_was_cut_short_owes_is_paid_by_the_next_run() {
        let machine = running("nginx");
        machine.with(Mode::Apply, |context| glue::OfHost(change_and_fail).run(context)).unwrap_err();
        assert_eq!(machine.journal.owed().len(), 2);
        machine.with(Mode::Apply, |context| glue::OfHost(|_| Ok(())).run(context)).unwrap();
        assert!(machine.calls().contains(&"/etc/init.d/nginx restart".to_owned()));
        assert_eq!(machine.journal.owed(), []);
    }

    #[test]
    fn what_is_owed_is_paid_without_the_migration() {
        let machine = running("nginx");
        machine.with(Mode::Apply, |context| glue::OfHost(change_and_fail).run(context)).unwrap_err();
        machine.with(Mode::Apply, |context| glue::OfHost(|_| panic!("it ran")).pay(context)).unwrap();
        assert!(machine.calls().contains(&"/etc/init.d/nginx restart".to_owned()));
        assert_eq!(machine.journal.owed(), []);
    }

    #[test]
    fn a_payment_that_fails_stays_owed() {
        let machine = Machine::new().file("/etc/init.d/nginx", "").answer("/etc/init.d/nginx", 1, "");
        let machine = machine.answer("/etc/init.d/nginx status", 0, "").owing(DebtAction::Reload, "nginx");
        let error = machine.with(Mode::Apply, |context| glue::OfHost(|_| Ok(())).run(context)).unwrap_err();
        assert_eq!(error.to_string(), "could not reload the service `nginx`, which an earlier change made necessary");
        assert_eq!(machine.journal.owed().len(), 1);
    }

    #[test]
    fn what_an_earlier_run_owes_to_a_service_that_has_gone_is_struck_and_said() {
        let machine = Machine::new().owing(DebtAction::Reload, "nginx").owing(DebtAction::Restart, "nginx");
        machine.with(Mode::Apply, |context| glue::OfHost(|_| Ok(())).run(context)).unwrap();
        assert_eq!(machine.journal.owed(), []);
        assert_eq!(machine.said(), "= service nginx: owed to restart, and there is no such service any more");
        let machine = Machine::new().owing(DebtAction::Restart, "nginx");
        machine.with(Mode::Apply, |context| glue::OfHost(|_| panic!("it ran")).pay(context)).unwrap();
        assert_eq!(machine.journal.owed(), []);
    }

    #[test]
    fn a_service_that_nobody_knows_is_an_error_to_the_run_that_owes_it() {
        let machine = Machine::new().dir("/etc/nginx");
        let run = || machine.with(Mode::Apply, |context| glue::OfHost(change_twice).run(context));
        let error = format!("{:#}", run().unwrap_err());
        assert!(error.contains("there is no service `nginx` on this host"), "{error}");
        assert_eq!(machine.journal.owed().len(), 2);
        run().unwrap();
        assert_eq!(machine.journal.owed(), []);
    }

    #[test]
    fn what_goes_is_owed_nothing() {
        let machine = Machine::new()
            .file("/etc/init.d/nginx", "#!/bin/sh\n")
            .answer("/etc/init.d/nginx status", 3, "")
            .answer("update-rc.d", 0, "")
            .owing(DebtAction::Restart, "nginx")
            .owing(DebtAction::Reload, "haproxy");
        machine.apply(|host| Ok(host.init_script("nginx").absent()?)).unwrap();
        assert_eq!(machine.journal.owed(), [debt(DebtAction::Reload, "haproxy")]);
    }

    #[test]
    fn a_start_pays_what_its_service_is_owed() {
        let machine = Machine::new()
            .file("/etc/init.d/nginx", "")
            .answers("/etc/init.d/nginx status", &[(3, ""), (0, "")])
            .answer("/etc/init.d/nginx start", 0, "")
            .owing(DebtAction::Reload, "nginx");
        machine.apply(|host| Ok(host.service("nginx").running()?)).unwrap();
        assert_eq!(machine.journal.owed(), []);
    }

    #[test]
    fn a_plan_shows_what_would_be_paid() {
        let machine = running("nginx");
        machine.with(Mode::Plan, |context| glue::OfHost(change_twice).run(context)).unwrap();
        assert!(
            machine.said().ends_with("+ service nginx restarted\n    restart (it was running)"),
            "{}",
            machine.said()
        );
        assert!(machine.calls().iter().all(|line| line.ends_with("status")));
        assert_eq!(machine.read("/etc/nginx/a"), None);
    }
}
