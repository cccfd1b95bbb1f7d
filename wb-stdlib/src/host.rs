//! A host, as migrations and as specs see it.

use std::path::Path;

use wb_core::context::{Context, Mode, Operation, Outcome};
use wb_core::system::System;

use crate::haproxy::Balancer;
use crate::herd::HerdError;
use crate::look::{Access, Look};
use crate::packages::Packages;
use crate::path::Place;

/// The host that a migration runs on: it can look and act.
///
/// What it can look at, it has in common with [`View`]; see [`Look`], which the prelude brings.
#[derive(Clone, Copy)]
pub struct Host<'a> {
    context: &'a Context<'a>,
}

/// The host that a spec checks: it can look, not act.
///
/// ```compile_fail
/// use wb_stdlib::prelude::*;
///
/// fn a_spec_that_acts(host: &View) -> Result<()> {
///     host.service("nginx").running()?;      // there is no such method on a view
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy)]
pub struct View<'a> {
    context: &'a Context<'a>,
}

impl<'a> Host<'a> {
    /// The host of a context.
    #[must_use]
    pub fn new(context: &'a Context<'a>) -> Self {
        Self { context }
    }

    /// Packages by name, to be [installed](Packages::installed) or [absent](Packages::absent).
    pub fn packages<N: Into<String>>(&self, names: impl IntoIterator<Item = N>) -> Packages<'a> {
        Packages::new(*self, names)
    }

    /// Whatever is at `path`, which is absolute, to be [absent](Place::absent).
    pub fn path(&self, path: impl AsRef<Path>) -> Place<'a> {
        Place::new(*self, path.as_ref())
    }

    /// The HAProxy whose runtime API listens at `address`, as in `192.0.2.10:9999`, or at the path of a socket on this
    /// host, as in `/run/haproxy/admin.sock`.
    pub fn haproxy(&self, address: impl Into<String>) -> Balancer<'a> {
        Balancer::new(*self, address)
    }

    /// The HAProxies of all hosts of `role`, at [`haproxy::PORT`](crate::haproxy::PORT).
    ///
    /// # Errors
    /// When one of these hosts has no address in `herd.toml`.
    pub fn balancers(&self, role: &str) -> Result<Vec<Balancer<'a>>, HerdError> {
        Balancer::of(*self, role)
    }

    pub(crate) fn system(&self) -> &'a System {
        self.context.system()
    }

    pub(crate) fn plans(&self) -> bool {
        self.context.mode() == Mode::Plan
    }

    /// Whether an operation before, called so, changed something, or would have.
    pub(crate) fn comes(&self, what: &str) -> bool {
        self.context.operations().iter().any(|operation| operation.what == what && operation.outcome.changed())
    }

    pub(crate) fn record(&self, what: &str, outcome: Outcome) -> Outcome {
        self.context.record(Operation { what: what.to_owned(), outcome: outcome.clone() });
        outcome
    }
}

impl<'a> View<'a> {
    /// The host of a context.
    #[must_use]
    pub fn new(context: &'a Context<'a>) -> Self {
        Self { context }
    }
}

impl Access for Host<'_> {
    fn context(&self) -> &Context<'_> {
        self.context
    }
}

impl Access for View<'_> {
    fn context(&self) -> &Context<'_> {
        self.context
    }
}

impl Look for Host<'_> {}
impl Look for View<'_> {}
