//! What each manager of packages can be asked for and told.

use std::time::Duration;

use super::facts::Found;
use super::offer::Offers;
use super::version::Order;
use super::{Manager, PackageError};

/// How packages are to be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// With what they recommend.
    pub(super) recommended: bool,
    /// Their services are started, as packages do.
    pub(super) starts: bool,
    pub(super) may_downgrade: bool,
    /// What can't be beside them goes.
    pub(super) may_remove: bool,
    /// The release of the distribution that versions are taken from.
    pub(super) release: Option<String>,
    /// It is for a plan: nothing is touched, and what keeps the manager from an answer is not mended.
    pub(super) only_looks: bool,
}

impl Options {
    /// The words that tell apt of the release.
    pub(super) fn release(&self) -> Vec<String> {
        let option = self.release.iter().map(|release| format!("APT::Default-Release={release}"));
        option.flat_map(|option| ["-o".to_owned(), option]).collect()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            recommended: true,
            starts: true,
            may_downgrade: false,
            may_remove: false,
            release: None,
            only_looks: false,
        }
    }
}

/// A package that is to be installed, or to have another version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(super) name: String,
    /// The version that it will have.
    pub(super) to: String,
    /// That version, where it is not for the manager to choose.
    pub(super) version: Option<String>,
}

impl Target {
    pub(super) fn names(targets: &[Self]) -> Vec<String> {
        targets.iter().map(|target| target.name.clone()).collect()
    }

    /// Whether it is there already, in another version.
    pub(super) fn is_there(&self, found: &Found) -> bool {
        self.from(found).is_some()
    }

    pub(super) fn is_held(&self, found: &Found) -> bool {
        found.get(&self.name).is_some_and(|facts| facts.held)
    }

    /// Whether it is held, or was until a run was cut short.
    pub(super) fn is_to_stay(&self, found: &Found) -> bool {
        found.get(&self.name).is_some_and(|facts| facts.held || facts.loose)
    }

    /// Whether it is held, and is to have a version that somebody said.
    pub(super) fn is_pinned(&self, found: &Found) -> bool {
        self.version.is_some() && self.is_held(found)
    }

    /// The names of those that are pinned.
    pub(super) fn pinned(targets: &[Self], found: &Found) -> Vec<String> {
        targets.iter().filter(|target| target.is_pinned(found)).map(|target| target.name.clone()).collect()
    }

    /// Whether the version that it has is newer.
    pub(super) fn is_older(&self, found: &Found, order: Order) -> bool {
        self.from(found).is_some_and(|from| order(&self.to, from).is_lt())
    }

    pub(super) fn from<'a>(&self, found: &'a Found) -> Option<&'a str> {
        found.get(&self.name)?.version()
    }
}

/// What there is of lists of what repositories have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lists {
    None,
    /// They were brought up to date so long ago.
    Aged(Duration),
    /// The manager brings them up to date when it reads them.
    RenewThemselves,
}

impl Lists {
    pub(super) fn are_older_than(self, bound: Duration) -> bool {
        match self {
            Self::None => true,
            Self::Aged(age) => age > bound,
            Self::RenewThemselves => false,
        }
    }
}

/// A manager of packages, on a host.
pub(crate) trait Backend {
    fn manager(&self) -> Manager;

    /// What there is of these packages, each by the name that was asked for.
    fn facts(&self, names: &[String]) -> Result<Found, PackageError>;

    /// What the repositories have of these packages. Lists that the manager keeps itself are refreshed first, if asked.
    fn offers(&self, names: &[String], refreshed: bool) -> Result<Offers, PackageError>;

    fn lists(&self) -> Lists;

    /// Brings the lists of all repositories up to date; it succeeds when all of them could be read.
    fn update(&self) -> Result<(), PackageError>;

    /// Installs packages, of which these facts were found. Those of them that are held, and have a version that somebody
    /// said, may be free afterwards: who calls this holds them again.
    fn install(&self, targets: &[Target], found: &Found) -> Result<(), PackageError>;

    /// What would go if these packages were installed, where that is allowed. It is an error where the manager does not
    /// say.
    fn displaced(&self, _targets: &[Target], _found: &Found) -> Result<Vec<String>, PackageError> {
        Ok(Vec::new())
    }

    fn remove(&self, names: &[String], purge: bool) -> Result<(), PackageError>;

    /// What would go if these packages were removed, as [`Backend::displaced`]. Some managers remove nothing else.
    fn removed(&self, names: &[String], _purge: bool) -> Result<Vec<String>, PackageError> {
        Ok(names.to_vec())
    }

    /// Whether it could hold packages, on this host.
    fn can_hold(&self) -> Result<(), PackageError> {
        Ok(())
    }

    fn hold(&self, names: &[String], held: bool) -> Result<(), PackageError>;

    /// What was installed for packages that are gone.
    fn unneeded(&self) -> Result<Vec<String>, PackageError> {
        Err(PackageError::NotSupported { manager: self.manager(), what: "tell which packages nobody needs" })
    }

    fn remove_unneeded(&self, _names: &[String], _purge: bool) -> Result<(), PackageError> {
        Err(PackageError::NotSupported { manager: self.manager(), what: "remove packages that nobody needs" })
    }

    /// What is to be done about what a run left that was cut short, in a line.
    fn leftover(&self) -> Result<Option<String>, PackageError> {
        Ok(None)
    }

    /// Does it.
    fn tidy(&self) -> Result<(), PackageError> {
        Ok(())
    }
}

/// Lets the targets go that are pinned, for a manager that changes nothing that is held.
pub(super) fn let_go(backend: &dyn Backend, targets: &[Target], found: &Found) -> Result<(), PackageError> {
    let pinned = Target::pinned(targets, found);
    if pinned.is_empty() { Ok(()) } else { backend.hold(&pinned, false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_stale_after_a_day_or_when_there_are_none() {
        let day = Duration::from_secs(24 * 3600);
        assert!(Lists::None.are_older_than(day));
        assert!(Lists::Aged(day + Duration::from_secs(1)).are_older_than(day));
        assert!(!Lists::Aged(day).are_older_than(day));
        assert!(!Lists::RenewThemselves.are_older_than(day));
    }
}
