//! What the macros register: migrations, roles, specs. All of it is `const`, since inventory collects it before `main`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Context;
use crate::chain::{OnCatchup, Wait, Who};

/// A compiled migration. `chain!()` gives each link its place.
#[derive(Debug)]
pub struct Migration {
    /// The name of the file and the function.
    pub name: &'static str,
    /// Whose hosts run it.
    pub role: &'static str,
    /// The introducing commit, 40 hex digits; empty for a draft.
    pub sha1: &'static str,
    /// The digest of its code and assets, 64 hex digits.
    pub digest: &'static str,
    /// Its place in the chain; the first is 0.
    pub index: usize,
    /// What it waits for.
    pub wait: Option<StaticWait>,
    /// The first and the last link that it stands for, 40 hex digits each, where it is a baseline.
    pub replaces: Option<(&'static str, &'static str)>,
    /// On what terms it runs.
    pub terms: Terms,
    /// Runs it, and pays what it owes. Its code is gone where a baseline stands for it.
    pub run: Option<Code>,
}

/// On what terms a link runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// The finished steps that stand although the link was amended since.
    pub keeps: &'static [&'static str],
    /// How long one run of it may take.
    pub timeout: Option<Duration>,
    /// Whether it is run in load, without a claim.
    pub in_load: bool,
    /// What its code waits for, as far as that stands there in full.
    pub inside: &'static [StaticWait],
    /// Why it may change something when it is run once more. Hosts never do that; tests do.
    pub rerun: Option<&'static str>,
}

impl Terms {
    /// No step is kept, no time is too long, it is run out of load, its code waits for nobody, and run once more it
    /// changes nothing.
    pub const NONE: Self = Self { keeps: &[], timeout: None, in_load: false, inside: &[], rerun: None };
}

/// What a link runs.
#[derive(Debug, Clone, Copy)]
pub enum Code {
    /// A function of the context itself.
    Bare(fn(&Context<'_>) -> anyhow::Result<()>),
    /// A function of what the standard library makes of a context. A closure around each of a thousand migrations would
    /// be a thousand functions more to compile.
    Wrapped(&'static (dyn Run + Sync)),
}

impl Code {
    /// Runs it.
    ///
    /// # Errors
    /// Those of the link.
    pub fn run(self, context: &Context<'_>) -> anyhow::Result<()> {
        match self {
            Self::Bare(code) => code(context),
            Self::Wrapped(code) => code.run(context),
        }
    }

    /// Pays what is owed, and does nothing else.
    ///
    /// # Errors
    /// When something can't be paid; it stays owed.
    pub fn pay(self, context: &Context<'_>) -> anyhow::Result<()> {
        match self {
            Self::Bare(_) => Ok(()),
            Self::Wrapped(code) => code.pay(context),
        }
    }
}

/// A function, and how it is called in a context.
pub trait Run: std::fmt::Debug {
    /// Calls it.
    ///
    /// # Errors
    /// Those of the function.
    fn run(&self, context: &Context<'_>) -> anyhow::Result<()>;

    /// Pays what is owed, by it or by what was cut short before it, without calling it.
    ///
    /// # Errors
    /// When something can't be paid; it stays owed.
    fn pay(&self, context: &Context<'_>) -> anyhow::Result<()>;
}

/// The links of a chain, as `chain!()` registers them: all at once, since each registration costs the linker.
#[derive(Debug)]
pub struct Links(pub &'static [Migration]);

/// [`crate::chain::Wait`], as a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaticWait {
    /// For whom.
    pub who: StaticWho,
    /// The name of the link that these are to be at or past; nothing: the one right before.
    pub reached: Option<&'static str>,
    /// What it means to a host that catches up.
    pub on_catchup: OnCatchup,
    /// After how many seconds it is overdue.
    pub overdue: Option<u64>,
}

/// [`crate::chain::Who`], as a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaticWho {
    /// All hosts of this role.
    All(&'static str),
    /// At least one of them.
    Any(&'static str),
    /// At least so many of them.
    Count(&'static str, u32),
}

impl StaticWait {
    /// For all hosts of a role, to be at or past the link before.
    #[must_use]
    pub const fn all(role: &'static str) -> Self {
        Self { who: StaticWho::All(role), reached: None, on_catchup: OnCatchup::Wait, overdue: None }
    }
}

impl From<StaticWait> for Wait {
    fn from(wait: StaticWait) -> Self {
        let who = match wait.who {
            StaticWho::All(role) => Who::All { role: role.to_owned() },
            StaticWho::Any(role) => Who::Any { role: role.to_owned() },
            StaticWho::Count(role, hosts) => Who::Count { role: role.to_owned(), hosts },
        };
        let reached = wait.reached.map(str::to_owned);
        Self { who, reached, on_catchup: wait.on_catchup, overdue: wait.overdue }
    }
}

/// A compiled role.
#[derive(Debug)]
pub struct Role {
    /// Its name in `herd.toml` and in `#[migration(role = "…")]`.
    pub name: &'static str,
    /// How many of its hosts in service may be out of load at once.
    pub max_out: MaxOut,
    /// How many of them may fail at a link before no other begins it.
    pub max_failed: u32,
    /// When its hosts may leave load, as [`crate::window::Window`] reads it; at any time where there is none.
    pub windows: &'static [&'static str],
    /// Says whether the role as a whole is well enough for one more host to leave it.
    pub gate: fn(&Context<'_>) -> anyhow::Result<()>,
    /// Takes the host out of load.
    pub leave: fn(&Context<'_>) -> anyhow::Result<()>,
    /// Puts the host back into load.
    pub rejoin: fn(&Context<'_>) -> anyhow::Result<()>,
}

impl Role {
    /// A role without a name, with nothing to leave and nothing to ask: what a real one is made from.
    pub const PLAIN: Self = Self {
        name: "",
        max_out: MaxOut::Hosts(1),
        max_failed: 1,
        windows: &[],
        gate: |_| Ok(()),
        leave: |_| Ok(()),
        rejoin: |_| Ok(()),
    };
}

/// A compiled spec.
#[derive(Debug)]
pub struct Spec {
    /// The module path of the file that it stands in; its last part is the link's name, where it is of a link.
    pub module: &'static str,
    /// The name of the function.
    pub name: &'static str,
    /// The role on whose hosts it is to hold; nothing: it is of the link in whose file it stands.
    pub role: Option<&'static str>,
    /// Checks, and changes nothing.
    pub check: fn(&Context<'_>) -> anyhow::Result<()>,
}

impl Spec {
    /// The spec `name` of the link in whose file it stands.
    #[must_use]
    pub const fn new(module: &'static str, name: &'static str, check: fn(&Context<'_>) -> anyhow::Result<()>) -> Self {
        Self { module, name, role: None, check }
    }

    /// This one, for all hosts of a role.
    #[must_use]
    pub const fn of_role(self, role: &'static str) -> Self {
        Self { role: Some(role), ..self }
    }

    /// The link whose file it stands in.
    #[must_use]
    pub fn link(&self) -> &'static str {
        self.module.rsplit("::").next().unwrap_or(self.module)
    }

    /// The name of the link from which on it is of its role, where it stands in the file of one: these are the modules
    /// of the crate's `chain`.
    #[must_use]
    pub fn since(&self) -> Option<&'static str> {
        let mut modules = self.module.split("::").skip(1);
        modules.next().filter(|module| *module == "chain")?;
        modules.next()
    }
}

inventory::collect!(Links);
inventory::collect!(Role);
inventory::collect!(Spec);

/// A limit on the hosts of a role that are out of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxOut {
    /// So many hosts.
    Hosts(u32),
    /// So many of a hundred in service, rounded down.
    Percent(u32),
}

impl MaxOut {
    /// The limit for a role of so many hosts: at least 1, or nothing could ever be updated.
    ///
    /// ```
    /// use wb_core::context::MaxOut;
    /// assert_eq!(MaxOut::Percent(25).of(3), 1);
    /// assert_eq!(MaxOut::Percent(25).of(10), 2);
    /// assert_eq!(MaxOut::Hosts(2).of(3), 2);
    /// ```
    #[must_use]
    pub fn of(self, hosts: usize) -> usize {
        let limit = match self {
            Self::Hosts(limit) => limit as usize,
            Self::Percent(share) => hosts * share as usize / 100,
        };
        limit.max(1)
    }
}

impl std::fmt::Display for MaxOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hosts(limit) => write!(f, "{limit}"),
            Self::Percent(share) => write!(f, "{share}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_of_a_role_begins_with_the_link_in_whose_file_it_stands() {
        let check = |module, expect| {
            let spec = Spec::new(module, "runs", |_| Ok(())).of_role("web");
            assert_eq!((spec.since(), spec.role), (expect, Some("web")), "{module}");
        };
        check("fleet::chain::nginx", Some("nginx"));
        check("fleet::chain::nginx::helpers", Some("nginx"));
        check("chain::chain::nginx", Some("nginx"));
        check("fleet::chain", None);
        check("fleet::roles", None);
        check("fleet::roles::chain::nginx", None);
        check("fleet", None);
    }
}
