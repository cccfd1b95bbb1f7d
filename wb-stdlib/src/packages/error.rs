//! What can go wrong with packages.

use std::path::PathBuf;

use wb_core::system::CommandError;
use wb_core::system::files::FileError;

use super::Manager;
use crate::text_file::TextFileError;

/// What can go wrong with packages.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// No package is called so, and asking for it could mean something else to the manager.
    #[error("`{name}` is no name of a package\nhint: names have lower-case letters, digits, `+`, `-` and `.`")]
    BadName {
        /// What was asked for.
        name: String,
    },
    /// No version is written so.
    #[error(
        "`{version}` is no version of the package `{name}`\nhint: a version is written as the manager writes it, as in \
         `1.22.1-9`, or with `*` for anything, as in `1.22.*`"
    )]
    BadVersion {
        /// Of which package.
        name: String,
        /// What was asked for.
        version: String,
    },
    /// A version was said for a package that is not among those that are to be there.
    #[error("a version is wanted of `{name}`, which is not among the packages\nhint: `host.packages([\"{name}\", …])`")]
    NotAmong {
        /// The package.
        name: String,
    },
    /// The package is in none of the host's repositories.
    #[error(
        "there is no package `{name}` in the repositories of this host\nhint: {}; a package of another repository needs \
         that repository first",
        manager.search(name)
    )]
    NoSuchPackage {
        /// Who was asked.
        manager: Manager,
        /// What was asked for.
        name: String,
    },
    /// No repository has such a version of it.
    #[error(
        "no repository of this host has a version {wanted} of the package `{name}`\nhint: there is {}",
        if offered.is_empty() { "none".to_owned() } else { offered.join(", ") }
    )]
    NoSuchVersion {
        /// The package.
        name: String,
        /// The version, or the pattern of versions.
        wanted: String,
        /// The versions that there are, newest first.
        offered: Vec<String>,
    },
    /// What is wanted is older than what is installed.
    #[error(
        "the package `{name}` would go back from {found} to {wanted}\nhint: `.may_downgrade()` allows it; packages seldom \
         undo what a newer version did to their data"
    )]
    WouldDowngrade {
        /// The package.
        name: String,
        /// The version that is installed.
        found: String,
        /// The version that is wanted.
        wanted: String,
    },
    /// A package that is not installed can't be held.
    #[error("the package `{name}` is not installed, so there is nothing to hold\nhint: `.installed()?` comes first")]
    NotInstalled {
        /// The package.
        name: String,
    },
    /// It is not known which packages there are.
    #[error("could not look for the packages {}", listed(names))]
    Look {
        /// The packages.
        names: Vec<String>,
        /// Why.
        source: CommandError,
    },
    /// The database of packages can't be read.
    #[error("could not see in {} which packages there are", path.display())]
    Read {
        /// The database.
        path: PathBuf,
        /// Why.
        source: FileError,
    },
    /// The manager did not do it.
    #[error("could not {action} the packages {}", listed(names))]
    Act {
        /// What was being done.
        action: &'static str,
        /// The packages.
        names: Vec<String>,
        /// Why.
        source: CommandError,
    },
    /// Somebody else used the manager all the time.
    #[error(
        "could not {action} the packages {}: {manager} was locked for too long\nhint: its words below name who holds the \
         lock",
        listed(names)
    )]
    Locked {
        /// Whose lock it is.
        manager: Manager,
        /// What was being done.
        action: &'static str,
        /// The packages.
        names: Vec<String>,
        /// Why.
        source: CommandError,
    },
    /// A package that would change is held.
    #[error(
        "could not {action} the packages {}: {manager} would have to change a package that is held\nhint: \
         `.version(…)` of that package changes it all the same, and `.unheld()?` lets it go",
        listed(names)
    )]
    Held {
        /// Who holds it.
        manager: Manager,
        /// What was being done.
        action: &'static str,
        /// The packages.
        names: Vec<String>,
        /// Why.
        source: CommandError,
    },
    /// A package that is held would get a version that nobody said.
    #[error(
        "the package `{name}` is held in {found}, and would come to {wanted}\nhint: `.version(…)` changes it all the same, \
         and `.unheld()?` lets it go"
    )]
    StaysHeld {
        /// The package.
        name: String,
        /// The version that is installed.
        found: String,
        /// The version that it would come to.
        wanted: String,
    },
    /// The manager holds packages by a plugin, which is not there, or is off.
    #[error(
        "{manager} holds no packages without its plugin `{plugin}`\nhint: `host.packages([\"{package}\"]).installed()?` \
         brings it; on Debian it is in `dnf-plugins-core`"
    )]
    NoPlugin {
        /// The manager.
        manager: Manager,
        /// The plugin.
        plugin: &'static str,
        /// The package that has it, on the manager's own distributions.
        package: &'static str,
    },
    /// A pattern holds the package, and may hold others.
    #[error(
        "the package `{name}` is held by a pattern in {0}, which may hold others, too\nhint: `host.edit(\"{0}\")` changes \
         it",
        path.display()
    )]
    HeldByPattern {
        /// The package.
        name: String,
        /// Where the pattern stands.
        path: PathBuf,
    },
    /// The file that says which packages are held can't be edited.
    #[error("could not change which packages are held, in {}", path.display())]
    Holds {
        /// The file.
        path: PathBuf,
        /// Why.
        source: TextFileError,
    },
    /// The file that says which packages are held is no such file.
    #[error("{} does not say which packages are held in a form that is known: {said}", path.display())]
    BadHolds {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        said: String,
    },
    /// What is wanted can't be together: packages conflict, or need what there is not.
    #[error("could not {action} the packages {}; {manager} says:\n{said}", listed(names))]
    Unsolvable {
        /// Who says so.
        manager: Manager,
        /// What was being done.
        action: &'static str,
        /// The packages.
        names: Vec<String>,
        /// What it says.
        said: String,
        /// How it ended.
        source: CommandError,
    },
    /// Others would have to go for them.
    #[error(
        "could not {action} the packages {}: others would have to go for them; {manager} says:\n{said}\nhint: \
         `.may_remove()` lets them go",
        listed(names)
    )]
    WouldRemove {
        /// Who says so.
        manager: Manager,
        /// What was being done.
        action: &'static str,
        /// The packages.
        names: Vec<String>,
        /// What it says: which would go.
        said: String,
        /// How it ended.
        source: CommandError,
    },
    /// The lists of packages can't be brought up to date.
    #[error("could not update the lists of packages")]
    Update {
        /// Why.
        source: CommandError,
    },
    /// Services can't be kept from being started.
    #[error("could not keep the services of packages from being started, or let them start again")]
    Starts {
        /// Why.
        source: FileError,
    },
    /// This manager can't do that, or we can't tell it to.
    #[error("{manager} can't be told to {what}")]
    NotSupported {
        /// The manager.
        manager: Manager,
        /// What was wanted.
        what: &'static str,
    },
    /// The manager succeeded, and its database says otherwise.
    #[error("{manager} was to {action} the packages {}, and ended well, but it is not so", listed(names))]
    NotSo {
        /// The manager.
        manager: Manager,
        /// What was being done.
        action: &'static str,
        /// The packages.
        names: Vec<String>,
    },
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "that nobody needs".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
