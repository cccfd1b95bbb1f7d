//! What the macros register: migrations, roles, specs. All of it is `const`, since inventory collects it before `main`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Context;

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
}

impl Terms {
    /// No step is kept, and no time is too long.
    pub const NONE: Self = Self { keeps: &[], timeout: None };
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
#[derive(Debug, Clone, Copy)]
pub enum StaticWait {
    /// All admitted hosts of this role.
    All(&'static str),
}

/// A compiled role.
#[derive(Debug)]
pub struct Role {
    /// Its name in `herd.toml` and in `#[migration(role = "…")]`.
    pub name: &'static str,
    /// How many of its hosts in service may be out of load at once.
    pub max_out: MaxOut,
    /// Takes the host out of load.
    pub leave: fn(&Context<'_>) -> anyhow::Result<()>,
    /// Puts the host back into load.
    pub rejoin: fn(&Context<'_>) -> anyhow::Result<()>,
}

/// A compiled spec.
#[derive(Debug)]
pub struct Spec {
    /// The module path of the file that it stands in; its last part is the link's name.
    pub module: &'static str,
    /// The name of the function.
    pub name: &'static str,
    /// Checks, and changes nothing.
    pub check: fn(&Context<'_>) -> anyhow::Result<()>,
}

impl Spec {
    /// The link whose file it stands in.
    #[must_use]
    pub fn link(&self) -> &'static str {
        self.module.rsplit("::").next().unwrap_or(self.module)
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
    /// So many of a hundred, rounded down.
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
