//! What the macros write calls to. Nothing here is for people.

pub use serde;
pub use wb_core::chain::OnCatchup;
pub use wb_core::context::{
    Code, Context, Links, MaxOut, Migration, Requirement, Role as RoleDefinition, Settings as SettingsDefinition, Spec,
    StaticWait, StaticWho, Terms, Verdicts, fits, inventory,
};
pub use wb_core::runner::main;

use anyhow::Result;
use wb_core::context::Run;

use crate::{Host, Role, View, owed};

/// A migration's function.
#[derive(Debug)]
pub struct OfHost(pub fn(&Host) -> Result<()>);

impl Run for OfHost {
    /// Runs it, and then pays what is owed: by it, and by an earlier run that was cut short. What is not paid stays owed.
    fn run(&self, context: &Context<'_>) -> Result<()> {
        let host = Host::new(context);
        let earlier = context.debts().owed();
        (self.0)(&host)?;
        Ok(owed::pay(host, &earlier)?)
    }

    fn pay(&self, context: &Context<'_>) -> Result<()> {
        Ok(owed::pay(Host::new(context), &context.debts().owed())?)
    }
}

/// Runs a spec.
///
/// # Errors
/// The spec's.
pub fn spec(context: &Context<'_>, spec: fn(&View) -> Result<()>) -> Result<()> {
    spec(&View::new(context))
}

/// Asks whether a role as a whole is well enough for one more host to leave it.
///
/// # Errors
/// The role's.
pub fn gate<R: Role>(context: &Context<'_>) -> Result<()> {
    R::gate(&View::new(context))
}

/// Takes the host out of the load of a role.
///
/// # Errors
/// The role's.
pub fn leave<R: Role>(context: &Context<'_>) -> Result<()> {
    R::leave(&Host::new(context))
}

/// Puts the host back into the load of a role.
///
/// # Errors
/// The role's.
pub fn rejoin<R: Role>(context: &Context<'_>) -> Result<()> {
    R::rejoin(&Host::new(context))
}
