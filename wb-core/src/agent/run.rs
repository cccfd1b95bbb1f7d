//! Running the code of links, specs and roles. Nothing that it does, a panic included, takes the agent down.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use super::preview::Preview;
use super::store::standing;
use super::{Record, Store, incarnation};
use crate::chain::Link;
use crate::context::{Attempt, Context, Heard, HerdView, Journal, Lookout, MemoryJournal, Mode, Operation};
use crate::runner::Catalog;
use crate::system::fault::{self, Subject};
use crate::system::{OutOfTime, System};

/// What a link did.
#[derive(Debug)]
pub struct Run {
    /// Its operations, in order.
    pub operations: Vec<Operation>,
    /// Whether it and its specs succeeded; else the error with its causes.
    pub result: Result<(), String>,
}

/// Runs a link in this boot and then its specs, which wait for a reboot that it asked for.
#[must_use]
pub fn run_link(
    catalog: &Catalog,
    link: &Link,
    system: &System,
    herd: &HerdView,
    journal: Rc<dyn Journal>,
    boot_id: &str,
    lookout: Rc<dyn Lookout + '_>,
) -> Run {
    let _during = fault::during(Subject::Migration);
    let system = system.within(catalog.terms(link.sha1).timeout);
    let attempt = Attempt::new(link, boot_id, Rc::clone(&journal));
    let context = Context::new(&system, Mode::Apply, herd, journal).of(Rc::clone(&attempt)).with_lookout(lookout);
    let result = act(catalog, link, &context, &attempt);
    let result = match attempt.awaits_reboot() {
        true => result,
        false => result.and_then(|()| specs(catalog, link, &context)),
    };
    Run { operations: context.operations(), result }
}

/// Runs a link, and not its specs; `heard` gets each operation as soon as it is recorded.
pub(crate) fn act_link(
    catalog: &Catalog,
    link: &Link,
    system: &System,
    herd: &HerdView,
    journal: Rc<dyn Journal>,
    lookout: Rc<dyn Lookout + '_>,
    heard: Heard<'_>,
) -> Result<(), String> {
    let _during = fault::during(Subject::Migration);
    let boot_id = incarnation::read(system).boot_id;
    let system = system.within(catalog.terms(link.sha1).timeout);
    let attempt = Attempt::new(link, boot_id, Rc::clone(&journal));
    let context = Context::new(&system, Mode::Apply, herd, journal).of(Rc::clone(&attempt));
    act(catalog, link, &context.with_lookout(lookout).heard_by(heard), &attempt)
}

fn act(catalog: &Catalog, link: &Link, context: &Context<'_>, attempt: &Rc<Attempt>) -> Result<(), String> {
    match catalog.code(link.sha1) {
        None => Err("it is not in this runner".to_owned()),
        Some(code) => attempt.run(|| guarded(context, |context| code.run(context))),
    }
}

/// Whether a link that was done by hand is as it should be: its specs say so. What is owed is paid before, where the host
/// has `left`; in load, a service may not be restarted.
pub(super) fn vouch_for(
    catalog: &Catalog,
    link: &Link,
    system: &System,
    herd: &HerdView,
    journal: Rc<dyn Journal>,
    left: bool,
) -> Result<(), String> {
    let context = Context::new(system, Mode::Apply, herd, journal);
    if let Some(code) = catalog.code(link.sha1).filter(|_| left) {
        guarded(&context, |context| code.pay(context))?;
    }
    specs(catalog, link, &context)
}

/// Runs a link in plan mode, on a host with this record: it only looks.
pub(crate) fn preview_link(
    catalog: &Catalog,
    link: &Link,
    system: &System,
    herd: &HerdView,
    record: &Record,
    lookout: Rc<dyn Lookout + '_>,
) -> Preview {
    let steps = standing(&record.steps, link, catalog.terms(link.sha1));
    let journal: Rc<dyn Journal> = Rc::new(MemoryJournal::new(record.debts.clone(), steps));
    let attempt = Attempt::new(link, incarnation::read(system).boot_id, Rc::clone(&journal));
    let context = Context::new(system, Mode::Plan, herd, journal).of(Rc::clone(&attempt)).with_lookout(lookout);
    let ends = act(catalog, link, &context, &attempt).err();
    Preview { name: link.name.clone(), sha1: link.sha1, operations: context.operations(), ends }
}

/// Runs a role's `leave` or `rejoin`.
pub(super) fn enter(
    system: &System,
    herd: &HerdView,
    journal: Rc<Store>,
    act: fn(&Context<'_>) -> anyhow::Result<()>,
) -> Result<(), String> {
    guarded(&Context::new(system, Mode::Apply, herd, journal), act)
}

fn specs(catalog: &Catalog, link: &Link, context: &Context<'_>) -> Result<(), String> {
    let _during = fault::during(Subject::Spec);
    for spec in catalog.specs_of(&link.name) {
        guarded(context, spec.check).map_err(|error| format!("spec `{}`: {error}", spec.name))?;
    }
    Ok(())
}

pub(super) fn guarded(context: &Context<'_>, act: impl Fn(&Context<'_>) -> anyhow::Result<()>) -> Result<(), String> {
    match catch_unwind(AssertUnwindSafe(|| act(context))) {
        Ok(result) => result.map_err(|error| format!("{error:#}")),
        Err(panic) => Err(match panic.downcast_ref::<OutOfTime>() {
            Some(error) => error.to_string(),
            None => format!("panicked: {}", panic_message(panic.as_ref())),
        }),
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
