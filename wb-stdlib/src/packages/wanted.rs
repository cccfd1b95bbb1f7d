//! What is wanted of packages, and how what there is differs from it.

use std::fmt;

use wb_core::system::CommandError;

use super::backend::Target;
use super::facts::{Facts, Found, PackageState};
use super::offer::Offers;
use super::version;
use super::{Manager, PackageError};

/// What packages can be told to be, besides being there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Absent,
    Purged,
    Held,
    Unheld,
}

impl Wanted {
    pub(super) fn action(self) -> &'static str {
        match self {
            Self::Absent => "remove",
            Self::Purged => "purge",
            Self::Held => "hold",
            Self::Unheld => "release",
        }
    }

    /// Whether a package is so.
    pub(super) fn is_so(self, facts: &Facts) -> bool {
        match self {
            Self::Absent => facts.state == PackageState::Absent,
            Self::Purged => facts.state == PackageState::Absent && !facts.left,
            Self::Held => facts.held && !facts.loose,
            Self::Unheld => !facts.held && !facts.loose,
        }
    }

    /// Those that are not so.
    pub(super) fn differing(self, found: &Found) -> Vec<String> {
        found.iter().filter(|(_, facts)| !self.is_so(facts)).map(|(name, _)| name.clone()).collect()
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "absent",
            Self::Purged => "purged",
            Self::Held => "held",
            Self::Unheld => "unheld",
        })
    }
}

/// A package that is wanted, in which version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) name: String,
    /// A version, or a pattern of versions; without it, any.
    pub(super) version: Option<String>,
}

impl Wish {
    /// Whether it is there, in a version that is meant.
    pub(super) fn is_met(&self, found: &Found) -> bool {
        let pattern = self.version.as_deref();
        let is_meant = |version| pattern.is_none_or(|pattern| version::matches(pattern, version));
        found.get(&self.name).and_then(Facts::version).is_some_and(is_meant)
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{} {version}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// How a host is to come from what there is to what is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change<'a> {
    pub(super) manager: Manager,
    pub(super) found: &'a Found,
    pub(super) may_downgrade: bool,
}

impl Change<'_> {
    /// Which versions are to be installed so that each wish has the newest that it means.
    pub(super) fn targets(&self, wishes: &[Wish], offers: &Offers) -> Result<Vec<Target>, PackageError> {
        let targets = wishes.iter().map(|wish| self.target(wish, offers));
        targets.filter_map(Result::transpose).collect()
    }

    fn target(&self, wish: &Wish, offers: &Offers) -> Result<Option<Target>, PackageError> {
        let from = self.found.get(&wish.name).and_then(Facts::version);
        let Some(offer) = offers.get(&wish.name) else {
            return if from.is_some() && wish.version.is_none() { Ok(None) } else { Err(self.no_such_package(wish)) };
        };
        let Some(to) = offer.chosen(wish.version.as_deref()) else {
            let (name, wanted) = (wish.name.clone(), wish.version.clone().unwrap_or_default());
            return Err(PackageError::NoSuchVersion { name, wanted, offered: offer.versions.clone() });
        };
        match from {
            Some(from) if from == to => Ok(None),
            // What is newer than all that the repositories have stays, unless somebody asks for an older version.
            Some(from) if !self.may_downgrade && (self.manager.order())(to, from).is_lt() => match &wish.version {
                None => Ok(None),
                Some(_) => Err(would_downgrade(&wish.name, from, to)),
            },
            _ => {
                let version = wish.version.as_ref().map(|_| to.to_owned());
                Ok(Some(Target { name: wish.name.clone(), to: to.to_owned(), version }))
            }
        }
    }

    fn no_such_package(&self, wish: &Wish) -> PackageError {
        PackageError::NoSuchPackage { manager: self.manager, name: wish.name.clone() }
    }

    /// A line for each package: new, or with the version that it had.
    pub(super) fn lines(&self, targets: &[Target]) -> String {
        let line = |target: &Target| match target.from(self.found) {
            Some(from) => format!("{} {from} -> {}", target.name, target.to),
            None => format!("+ {} {}", target.name, target.to),
        };
        targets.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

fn would_downgrade(name: &str, found: &str, wanted: &str) -> PackageError {
    PackageError::WouldDowngrade { name: name.to_owned(), found: found.to_owned(), wanted: wanted.to_owned() }
}

/// What a plan can't know yet, of what is an error to who acts.
pub(super) fn unknown_yet(manager: Manager, error: &PackageError) -> Option<String> {
    let update = manager.update();
    match error {
        PackageError::NoSuchPackage { name, .. } => {
            Some(format!("{manager} knows no package `{name}` yet; it may after `{update}`"))
        }
        PackageError::NoSuchVersion { name, wanted, .. } => {
            Some(format!("{manager} knows no version {wanted} of `{name}` yet; it may after `{update}`"))
        }
        PackageError::Look { source: CommandError::NotFound { program, .. }, .. }
        | PackageError::Act { source: CommandError::NotFound { program, .. }, .. } => {
            Some(format!("the program `{program}` is not installed yet"))
        }
        PackageError::Unsolvable { said, .. } => Some(unforeseen(manager, said)),
        PackageError::Held { source, .. } | PackageError::Locked { source, .. } | PackageError::Act { source, .. } => {
            match source {
                CommandError::Failed { said, .. } => Some(unforeseen(manager, said)),
                source => Some(unforeseen(manager, &source.to_string())),
            }
        }
        PackageError::NoPlugin { plugin, .. } => Some(format!("the plugin `{plugin}` is not installed yet")),
        _ => None,
    }
}

/// The manager was asked what would go, and has no answer: in one line.
fn unforeseen(manager: Manager, said: &str) -> String {
    let words: Vec<&str> = said.split_whitespace().collect();
    format!("{manager} can't say what would go: {}", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::offer;

    fn wish(name: &str, version: Option<&str>) -> Wish {
        Wish { name: name.into(), version: version.map(Into::into) }
    }

    fn check(wish: &Wish, may_downgrade: bool, expect: Result<&str, &str>) {
        let found = Found::from([
            ("old".into(), Facts::installed("1.0-1")),
            ("new".into(), Facts::installed("9.0-1")),
            ("own".into(), Facts::installed("1.0")),
            ("cut".into(), Facts { state: PackageState::Unfinished, ..Facts::default() }),
        ]);
        let versions = |name| ["1.0-1", "1.1-1", "2.0-1"].map(|version| (name, version.to_owned()));
        let all = ["old", "new", "cut", "absent"].into_iter().flat_map(versions);
        let offers = offer::offers(all, version::dpkg);
        let change = Change { manager: Manager::Apt, found: &found, may_downgrade };
        let lines = change.targets(std::slice::from_ref(wish), &offers).map(|targets| change.lines(&targets));
        let lines = lines.map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned());
        assert_eq!(lines.as_deref().map_err(String::as_str), expect, "{wish}");
    }

    #[test]
    fn the_newest_that_is_meant_is_the_target() {
        check(&wish("absent", None), false, Ok("+ absent 2.0-1"));
        check(&wish("absent", Some("1.*")), false, Ok("+ absent 1.1-1"));
        check(&wish("old", None), false, Ok("old 1.0-1 -> 2.0-1"));
        check(&wish("old", Some("1.0-1")), false, Ok(""));
        check(&wish("old", Some("1.*")), false, Ok("old 1.0-1 -> 1.1-1"));
        check(&wish("cut", Some("1.1-1")), false, Ok("+ cut 1.1-1"));
    }

    #[test]
    fn what_is_newer_goes_back_only_where_that_is_allowed() {
        check(&wish("new", None), false, Ok(""));
        check(&wish("new", Some("1.*")), false, Err("the package `new` would go back from 9.0-1 to 1.1-1"));
        check(&wish("new", Some("1.*")), true, Ok("new 9.0-1 -> 1.1-1"));
    }

    #[test]
    fn what_no_repository_has_is_an_error_unless_it_is_there() {
        check(&wish("own", None), false, Ok(""));
        check(&wish("ngnix", None), false, Err("there is no package `ngnix` in the repositories of this host"));
        let none = "no repository of this host has a version 3.* of the package `old`";
        check(&wish("old", Some("3.*")), false, Err(none));
    }

    #[test]
    fn a_wish_is_met_by_a_version_that_it_means() {
        let found = Found::from([("a".into(), Facts::installed("1:1.22.1-9"))]);
        let check = |wish: Wish, expect| assert_eq!(wish.is_met(&found), expect, "{wish}");
        check(wish("a", None), true);
        check(wish("a", Some("1.22.*")), true);
        check(wish("a", Some("1.23.*")), false);
        check(wish("b", None), false);
    }

    #[test]
    fn purged_is_more_than_absent() {
        let left = Facts { left: true, ..Facts::default() };
        assert!(Wanted::Absent.is_so(&left) && !Wanted::Purged.is_so(&left));
        assert!(Wanted::Purged.is_so(&Facts::default()));
        assert!(!Wanted::Absent.is_so(&Facts { state: PackageState::Unfinished, ..Facts::default() }));
    }

    #[test]
    fn what_was_let_go_is_neither_held_nor_free() {
        for held in [true, false] {
            let loose = Facts { held, loose: true, ..Facts::installed("1") };
            assert!(!Wanted::Held.is_so(&loose) && !Wanted::Unheld.is_so(&loose), "{held}");
        }
    }
}
