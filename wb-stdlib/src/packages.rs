//! Packages of the distribution, through apt and dpkg.

mod apt;
mod dpkg;

use std::collections::BTreeMap;

use anyhow::Result;
use wb_core::context::Outcome;
use wb_core::system::CommandError;

use crate::ensure::{Difference, ensure};
use crate::{Host, Look};
use apt::Apt;
pub use dpkg::PackageState;

/// What can go wrong with packages.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// No package is called so, and asking for it could mean something else to apt.
    #[error("`{name}` is no name of a package\nhint: names have lower-case letters, digits, `+`, `-` and `.`")]
    BadName {
        /// What was asked for.
        name: String,
    },
    /// The package is in none of the host's repositories.
    #[error(
        "there is no package `{name}` in the repositories of this host\nhint: `apt-cache search {name}` on the host \
         finds names that are like it, and `apt-cache showpkg {name}` what provides it if it is virtual; a package of \
         another repository needs that repository first"
    )]
    NoSuchPackage {
        /// What was asked for.
        name: String,
    },
    /// dpkg did not say which packages there are.
    #[error("could not look for the packages {}", listed(names))]
    Look {
        /// The packages.
        names: Vec<String>,
        /// Why.
        source: CommandError,
    },
    /// apt did not do it.
    #[error("could not {action} the packages {}", listed(names))]
    Apt {
        /// What was being done.
        action: &'static str,
        /// The packages.
        names: Vec<String>,
        /// Why.
        source: CommandError,
    },
    /// The lists of packages can't be brought up to date.
    #[error("could not update the lists of packages")]
    Update {
        /// Why.
        source: CommandError,
    },
    /// apt succeeded, and dpkg says otherwise.
    #[error("apt was to {action} the packages {}, and ended well, but it is not so", listed(names))]
    NotSo {
        /// What was being done.
        action: &'static str,
        /// The packages.
        names: Vec<String>,
    },
}

/// Some packages, to be installed or absent. [`Host::packages`] makes it.
#[must_use = "say what is to be so: `.installed()?` or `.absent()?`"]
pub struct Packages<'a> {
    host: Host<'a>,
    names: Vec<String>,
    recommended: bool,
}

impl<'a> Packages<'a> {
    pub(crate) fn new<N: Into<String>>(host: Host<'a>, names: impl IntoIterator<Item = N>) -> Self {
        Self { host, names: names.into_iter().map(Into::into).collect(), recommended: true }
    }

    /// Installs only what the packages need, not what they recommend.
    pub fn without_recommended(mut self) -> Self {
        self.recommended = false;
        self
    }

    /// They are installed, in whatever version.
    ///
    /// apt is asked only when one is missing. Its lists are updated first when they are older than a day, or don't
    /// know the package. It never asks questions: files of `/etc` that were edited stay as they are.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn install_nginx(host: &Host) -> Result<()> {
    ///     let nginx = host.packages(["nginx", "ssl-cert"]).installed()?;
    ///     if nginx.changed() {
    ///         host.file("/etc/nginx/sites-enabled/default").absent()?;
    ///     }
    ///     Ok(())
    /// }
    /// # let _ = install_nginx as fn(&Host) -> Result<()>;
    /// ```
    ///
    /// # Errors
    /// When there is no such package, or apt fails for longer than its retries last.
    pub fn installed(self) -> Result<Outcome, PackageError> {
        self.ensure(Wanted::Installed)
    }

    /// They are not installed. What they wrote to `/etc` stays.
    ///
    /// # Errors
    /// When apt fails for longer than its retries last.
    pub fn absent(self) -> Result<Outcome, PackageError> {
        self.ensure(Wanted::Absent)
    }

    fn ensure(self, wanted: Wanted) -> Result<Outcome, PackageError> {
        check_names(&self.names)?;
        let apt = Apt::new(self.host.system());
        let differing = diff(&apt.states(&self.names)?, &self.names, wanted);
        let difference = self.difference(&apt, &differing, wanted)?;
        let what =
            format!("package{} {} {wanted}", if self.names.len() == 1 { "" } else { "s" }, self.names.join(", "));
        ensure(self.host, &what, difference, || self.achieve(&apt, &differing, wanted))
    }

    fn difference(&self, apt: &Apt<'_>, differing: &[String], wanted: Wanted) -> Result<Difference, PackageError> {
        if differing.is_empty() {
            return Ok(Difference::None);
        }
        if wanted == Wanted::Absent {
            return Ok(Difference::Some(Some(lines("-", differing, &BTreeMap::new()))));
        }
        let candidates = apt.candidates(differing)?;
        Ok(match differing.iter().find(|name| !candidates.contains_key(*name)) {
            Some(name) if self.host.plans() => {
                Difference::Unknown(format!("apt knows no package `{name}` yet; it may after `apt-get update`"))
            }
            _ => Difference::Some(Some(lines("+", differing, &candidates))),
        })
    }

    fn achieve(&self, apt: &Apt<'_>, names: &[String], wanted: Wanted) -> Result<(), PackageError> {
        match wanted {
            Wanted::Installed => apt.install(names, self.recommended)?,
            Wanted::Absent => apt.remove(names)?,
        }
        let left = diff(&apt.states(names)?, names, wanted);
        if left.is_empty() { Ok(()) } else { Err(PackageError::NotSo { action: wanted.action(), names: left }) }
    }
}

/// One package, to be looked at. [`Look::package`] makes it.
#[must_use]
pub struct Package<A> {
    access: A,
    name: String,
}

impl<A: Look> Package<A> {
    pub(crate) fn new(access: A, name: &str) -> Self {
        Self { access, name: name.to_owned() }
    }

    /// Whether it is installed, and in which version.
    ///
    /// # Errors
    /// When dpkg does not say.
    pub fn state(&self) -> Result<PackageState, PackageError> {
        let names = [self.name.clone()];
        check_names(&names)?;
        let states = Apt::new(self.access.context().system()).states(&names)?;
        Ok(states.get(&self.name).cloned().unwrap_or(PackageState::Absent))
    }

    /// Checks that it is installed.
    ///
    /// # Errors
    /// When it is not, or dpkg does not say.
    pub fn is_installed(&self) -> Result<()> {
        match self.state()? {
            PackageState::Installed { .. } => Ok(()),
            found => anyhow::bail!("expected the package `{}` to be installed, found it {found}", self.name),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Installed,
    Absent,
}

impl Wanted {
    fn action(self) -> &'static str {
        match self {
            Self::Installed => "install",
            Self::Absent => "remove",
        }
    }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Installed => "installed",
            Self::Absent => "absent",
        })
    }
}

/// The packages that are not as wanted.
fn diff(states: &BTreeMap<String, PackageState>, names: &[String], wanted: Wanted) -> Vec<String> {
    let installed = |name: &&String| matches!(states.get(*name), Some(PackageState::Installed { .. }));
    let absent = |name: &&String| matches!(states.get(*name), None | Some(PackageState::Absent));
    match wanted {
        Wanted::Installed => names.iter().filter(|name| !installed(name)).cloned().collect(),
        Wanted::Absent => names.iter().filter(|name| !absent(name)).cloned().collect(),
    }
}

fn check_names(names: &[String]) -> Result<(), PackageError> {
    match names.iter().find(|name| !is_name(name)) {
        Some(name) => Err(PackageError::BadName { name: name.clone() }),
        None => Ok(()),
    }
}

fn is_name(name: &str) -> bool {
    let (name, architecture) = name.split_once(':').unwrap_or((name, "any"));
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(allowed)
        && name.chars().all(|c| allowed(c) || "+-.".contains(c))
        && !name.ends_with('-')
        && !architecture.is_empty()
        && architecture.chars().all(|c| allowed(c) || c == '-')
}

fn lines(sign: &str, names: &[String], versions: &BTreeMap<String, String>) -> String {
    let line = |name: &String| match versions.get(name) {
        Some(version) => format!("{sign} {name} {version}"),
        None => format!("{sign} {name}"),
    };
    names.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
