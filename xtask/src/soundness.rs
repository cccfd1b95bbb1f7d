//! Whether a fleet is sound: all that can be said against it without a host.

use std::fmt;

use wb_core::chain::{Chain, Mistake};
use wb_core::plan::deadlock::{self, Deadlock};
use wb_core::registry::Resolved;
use wb_core::system::files::{self, FileError};

use crate::build::{self, BuildError};
use crate::deploy::plan::{Refusal, unknown_roles};
use crate::fleet::{Fleet, FleetError};
use crate::settings::{self, SettingsError};
use crate::shell::Shell;

/// What is wrong with a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// With its chain.
    Mistake(Box<Mistake>),
    /// With what migrations wait for.
    Deadlock(Deadlock),
    /// With herd.toml.
    Herd(Refusal),
}

/// Why nobody knows what is wrong.
#[derive(Debug, thiserror::Error)]
pub enum SoundnessError {
    /// The fleet can't be read.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// A file of it can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no runner to ask.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The runner does not say.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

/// What to do where waits keep hosts from their end.
pub const OF_DEADLOCKS: &str = "let a migration wait only for migrations that come before it";

/// All that is wrong by what the sources say, for which nothing is compiled. [`unfit`] says what else is wrong.
///
/// # Errors
/// When something can't be read.
pub fn flaws_of_sources(fleet: &Fleet, resolved: &Resolved) -> Result<Vec<Flaw>, SoundnessError> {
    let mistakes = resolved.mistakes.iter().cloned().map(|mistake| Flaw::Mistake(Box::new(mistake)));
    let deadlocks = deadlocks(fleet, resolved)?.into_iter().map(Flaw::Deadlock);
    let strangers = strangers(fleet, resolved)?.into_iter().map(Flaw::Herd);
    Ok(mistakes.chain(deadlocks).chain(strangers).collect())
}

/// The waits that can keep the herd of herd.toml from its end for ever, each cycle once.
///
/// # Errors
/// When herd.toml can't be read.
pub fn deadlocks(fleet: &Fleet, resolved: &Resolved) -> Result<Vec<Deadlock>, FleetError> {
    // What is no chain has mistakes of its own.
    let Ok(chain) = Chain::new(resolved.links.clone()) else { return Ok(Vec::new()) };
    let herd = fleet.herd()?;
    let hosts = herd.hosts.into_iter().map(|(name, host)| (name, host.roles)).collect();
    let inside = resolved.written.files.iter().map(|(name, source)| (name.clone(), source.inside.waits.clone()));
    let mut found: Vec<Deadlock> = Vec::new();
    for deadlock in deadlock::deadlocks(&chain, &hosts, &inside.collect()) {
        if !found.iter().any(|known| known.cycle == deadlock.cycle) {
            found.push(deadlock);
        }
    }
    Ok(found)
}

/// The roles in herd.toml that no code knows.
///
/// # Errors
/// When herd.toml can't be read.
pub fn strangers(fleet: &Fleet, resolved: &Resolved) -> Result<Vec<Refusal>, SoundnessError> {
    let herd = fleet.herd()?;
    let text = files::read_text(fleet.herd_path())?;
    Ok(unknown_roles(&herd, &text, &resolved.written.roles.clone().unwrap_or_default()))
}

/// The settings that do not fit, where the fleet has types of settings. Its code must be compiled for that; with mistakes in
/// the chain it is not.
///
/// # Errors
/// When it does not compile, or the runner does not say.
pub fn unfit(fleet: &Fleet, resolved: &Resolved, shell: &Shell) -> Result<Vec<Refusal>, SoundnessError> {
    if !resolved.mistakes.is_empty() || !settings::are_typed(&fleet.crate_dir) {
        return Ok(Vec::new());
    }
    let unfit = settings::unfit(&build::runner(fleet, shell)?.path, &fleet.herd_path())?;
    Ok(unfit.into_iter().map(Refusal::Unfit).collect())
}

impl Flaw {
    /// What to do.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Mistake(mistake) => mistake.help(),
            Self::Deadlock(_) => OF_DEADLOCKS.to_owned(),
            Self::Herd(refusal) => refusal.hint(),
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The compiler shows where an unknown role is named; here the message has to.
            Self::Mistake(mistake) if matches!(**mistake, Mistake::UnknownRole { .. }) => {
                write!(f, "{}: {mistake}", mistake.file())
            }
            Self::Mistake(mistake) => write!(f, "{mistake}"),
            Self::Deadlock(deadlock) => write!(f, "{deadlock}"),
            Self::Herd(refusal) => write!(f, "{refusal}"),
        }
    }
}
