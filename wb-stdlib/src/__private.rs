//! What the macros write calls to. Nothing here is for people.

pub use wb_core::context::{Context, MaxOut, Migration, Role as RoleDefinition, Spec, StaticWait, inventory};
pub use wb_core::runner::main;

use anyhow::Result;

use crate::{Host, Role, View, owed};

/// Runs a migration, and then pays what is owed: by it, and by an earlier run that was cut short.
///
/// # Errors
/// The migration's, or that of a payment; what is owed stays owed then.
pub fn run(context: &Context<'_>, migration: fn(&Host) -> Result<()>) -> Result<()> {
    let host = Host::new(context);
    migration(&host)?;
    Ok(owed::pay(host)?)
}

/// Runs a spec.
///
/// # Errors
/// The spec's.
pub fn spec(context: &Context<'_>, spec: fn(&View) -> Result<()>) -> Result<()> {
    spec(&View::new(context))
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
