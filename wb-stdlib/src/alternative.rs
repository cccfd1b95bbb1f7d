//! Alternatives: which of several programs has the common name, as in `editor` or `java`.

mod group;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use wb_core::context::Outcome;
use wb_core::system::files::{self, FileError};
use wb_core::system::{Command, CommandError, System};

use crate::ensure::{Difference, ensure};
use crate::{Host, Look};
use group::Group;

/// Where dpkg keeps what there is to choose from.
const GROUPS: &str = "/var/lib/dpkg/alternatives";
/// Where the chosen ones are linked from.
const LINKS: &str = "/etc/alternatives";
const RUN_BOUND: Duration = Duration::from_secs(60);

/// What can go wrong with alternatives.
#[derive(Debug, thiserror::Error)]
pub enum AlternativeError {
    /// It is no name of one.
    #[error("`{name}` is no name of an alternative\nhint: `ls {GROUPS}` on the host shows those that there are")]
    BadName {
        /// What was said.
        name: String,
    },
    /// No package offers anything for it.
    #[error(
        "there is no alternative `{name}` on this host\nhint: `ls {GROUPS}` on the host shows those that there are"
    )]
    NoSuchAlternative {
        /// What was asked for.
        name: String,
    },
    /// It can't be chosen.
    #[error("`{}` is no choice for the alternative `{name}`\nhint: there is {}", .path.display(), .choices.join(", "))]
    NoSuchChoice {
        /// The alternative.
        name: String,
        /// What was to be chosen.
        path: PathBuf,
        /// What there is.
        choices: Vec<String>,
    },
    /// It can't be looked at.
    #[error("could not look at the alternative `{name}`")]
    Look {
        /// The alternative.
        name: String,
        /// Why.
        source: FileError,
    },
    /// update-alternatives did not do it.
    #[error("could not set the alternative `{name}`")]
    Set {
        /// The alternative.
        name: String,
        /// Why.
        source: CommandError,
    },
    /// update-alternatives ended well, and it is not so.
    #[error("the alternative `{name}` is {found} after `update-alternatives`, which ended well")]
    NotSo {
        /// The alternative.
        name: String,
        /// What it is.
        found: String,
    },
}

/// An alternative of Debian. [`Look::alternative`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn edit_with_vim(host: &Host) -> Result<()> {
///     host.packages(["vim"]).installed()?;
///     host.alternative("editor").set("/usr/bin/vim.basic")?;
///     host.alternative("pager").auto()?;
///     Ok(())
/// }
///
/// fn vim_edits(host: &View) -> Result<()> {
///     ensure!(host.alternative("pager").value()?.is_some(), "there is no pager");
///     host.alternative("editor").is("/usr/bin/vim.basic")
/// }
/// # let editor = "auto\n/usr/bin/editor\n\n/bin/nano\n40\n/usr/bin/vim.basic\n30\n\n";
/// # let host = wb_stdlib::testing::web1().file("/var/lib/dpkg/alternatives/editor", editor);
/// # host.rehearse(edit_with_vim).asks(vim_edits);
/// ```
#[must_use = "say what is to be so: `.set(path)?` or `.auto()?`"]
pub struct Alternative<A> {
    access: A,
    name: String,
}

/// What an alternative is: chosen by people or by priority, and where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    group: Group,
    value: Option<PathBuf>,
}

impl<A: Look> Alternative<A> {
    pub(crate) fn new(access: A, name: &str) -> Self {
        Self { access, name: name.to_owned() }
    }

    /// What is chosen, where there is such an alternative and it leads anywhere.
    ///
    /// # Errors
    /// When it can't be looked at.
    pub fn value(&self) -> Result<Option<PathBuf>, AlternativeError> {
        Ok(self.facts()?.and_then(|facts| facts.value))
    }

    /// Checks that this is chosen, by whomever.
    ///
    /// # Errors
    /// When something else is, or there is no such alternative.
    pub fn is(&self, path: impl AsRef<Path>) -> Result<()> {
        let (wanted, found) = (path.as_ref(), self.value()?);
        let shown = found.as_ref().map_or_else(|| "nothing".to_owned(), |found| found.display().to_string());
        let is_so = found.as_deref() == Some(wanted);
        anyhow::ensure!(is_so, "expected the alternative `{}` to be {}, found {shown}", self.name, wanted.display());
        Ok(())
    }

    fn facts(&self) -> Result<Option<Facts>, AlternativeError> {
        let name = &self.name;
        if name.is_empty() || name.starts_with(['-', '.']) || name.contains(['/', '\n', ' ']) {
            return Err(AlternativeError::BadName { name: name.clone() });
        }
        let looked = |source| AlternativeError::Look { name: name.clone(), source };
        let content = self.system().read_file(Path::new(GROUPS).join(name)).map_err(looked)?;
        let group = content.and_then(|content| Group::parse(&String::from_utf8_lossy(&content)));
        let value = files::read_link(self.system().path(Path::new(LINKS).join(name))).ok();
        Ok(group.map(|group| Facts { group, value }))
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl Alternative<Host<'_>> {
    /// This path, which is absolute, is chosen, whatever else comes.
    ///
    /// # Errors
    /// When no package offers it, or it can't be set.
    pub fn set(self, path: impl AsRef<Path>) -> Result<Outcome, AlternativeError> {
        let path = path.as_ref();
        self.ensure(Wanted::Chosen(path), &format!("alternative {} set to {}", self.name, path.display()))
    }

    /// The one with the highest priority is chosen, as where nobody ever chose.
    ///
    /// # Errors
    /// When there is no such alternative, or it can't be set.
    pub fn auto(self) -> Result<Outcome, AlternativeError> {
        self.ensure(Wanted::Best, &format!("alternative {} auto", self.name))
    }

    fn ensure(&self, wanted: Wanted<'_>, what: &str) -> Result<Outcome, AlternativeError> {
        let Some(facts) = self.facts()? else {
            let error = AlternativeError::NoSuchAlternative { name: self.name.clone() };
            return self.unknown(what, format!("there is no alternative `{}` yet", self.name), error);
        };
        if let Wanted::Chosen(path) = wanted
            && !facts.group.has(path)
        {
            let (name, choices) = (self.name.clone(), facts.group.paths());
            let why = format!("{} is no choice for the alternative `{name}` yet", path.display());
            return self.unknown(what, why, AlternativeError::NoSuchChoice { name, path: path.to_owned(), choices });
        }
        let difference = match wanted.difference(&facts) {
            None => Difference::None,
            Some(line) => Difference::Some(Some(line)),
        };
        ensure(self.access, what, difference, || self.act(wanted))
    }

    /// What a plan can't know, and who acts fails at.
    fn unknown(&self, what: &str, why: String, error: AlternativeError) -> Result<Outcome, AlternativeError> {
        if !self.access.plans() {
            return Err(error);
        }
        ensure(self.access, what, Difference::Unknown(why), || Ok(()))
    }

    fn act(&self, wanted: Wanted<'_>) -> Result<(), AlternativeError> {
        let name = self.name.clone();
        let command = Command::new("update-alternatives").env("LC_ALL", "C.UTF-8").timeout(RUN_BOUND);
        let command = match wanted {
            Wanted::Chosen(path) => command.args(["--set", &name]).arg(path),
            Wanted::Best => command.args(["--auto", &name]),
        };
        self.system().read_command(&command).map_err(|source| AlternativeError::Set { name: name.clone(), source })?;
        match self.facts()? {
            Some(facts) if wanted.difference(&facts).is_none() => Ok(()),
            found => {
                let found = found.map_or_else(|| "gone".to_owned(), |facts| facts.to_string());
                Err(AlternativeError::NotSo { name, found })
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Wanted<'a> {
    Chosen(&'a Path),
    Best,
}

impl Wanted<'_> {
    /// How it is otherwise.
    fn difference(self, facts: &Facts) -> Option<String> {
        let (is_auto, path) = match self {
            Self::Chosen(path) => (false, Some(path)),
            Self::Best => (true, facts.group.best()),
        };
        let is_so = facts.group.is_auto == is_auto && facts.value.as_deref() == path;
        (!is_so).then(|| format!("{facts} -> {}", shown(is_auto, path)))
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self.group.is_auto, self.value.as_deref()))
    }
}

fn shown(is_auto: bool, value: Option<&Path>) -> String {
    let value = value.map_or_else(|| "nothing".to_owned(), |value| value.display().to_string());
    format!("{value} ({})", if is_auto { "auto" } else { "manual" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Machine, changed};

    const EDITOR: &str = "/usr/bin/editor\n\n/bin/ed\n-100\n/usr/bin/vim.basic\n30\n/usr/bin/vim.tiny\n15\n\n";

    fn machine(status: &str, link: &str) -> Machine {
        let machine = Machine::new()
            .file("/var/lib/dpkg/alternatives/editor", &format!("{status}\n{EDITOR}"))
            .dir("/etc/alternatives");
        files::link(link, machine.path("/etc/alternatives/editor")).unwrap();
        machine
    }

    fn set(host: &Host) -> Result<Outcome> {
        Ok(host.alternative("editor").set("/bin/ed")?)
    }

    fn auto(host: &Host) -> Result<Outcome> {
        Ok(host.alternative("editor").auto()?)
    }

    #[test]
    fn what_is_chosen_costs_no_program() {
        let chosen = machine("manual", "/bin/ed");
        assert_eq!(chosen.apply(set).unwrap(), Outcome::Unchanged);
        chosen.view(|host| host.alternative("editor").is("/bin/ed")).unwrap();
        assert_eq!(chosen.calls(), [""; 0]);
        assert_eq!(machine("auto", "/usr/bin/vim.basic").apply(auto).unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn a_plan_says_what_it_would_choose() {
        let best = machine("auto", "/usr/bin/vim.basic");
        assert_eq!(best.plan(set).unwrap(), changed("/usr/bin/vim.basic (auto) -> /bin/ed (manual)"));
        let chosen = machine("manual", "/bin/ed");
        assert_eq!(chosen.plan(auto).unwrap(), changed("/bin/ed (manual) -> /usr/bin/vim.basic (auto)"));
        let broken = machine("auto", "/bin/ed");
        assert_eq!(broken.plan(auto).unwrap(), changed("/bin/ed (auto) -> /usr/bin/vim.basic (auto)"));
        assert_eq!(best.calls(), [""; 0]);
    }

    #[test]
    fn what_did_not_become_so_is_an_error() {
        let machine = machine("auto", "/usr/bin/vim.basic").answer("update-alternatives --set editor /bin/ed", 0, "");
        let expect =
            "the alternative `editor` is /usr/bin/vim.basic (auto) after `update-alternatives`, which ended well";
        assert_eq!(machine.apply(set).unwrap_err().to_string(), expect);
    }

    #[test]
    fn what_is_not_offered_yet_is_unknown_to_a_plan_and_an_error() {
        let best = machine("auto", "/usr/bin/vim.basic");
        let nano = |host: &Host| Ok(host.alternative("editor").set("/bin/nano")?);
        assert!(matches!(best.plan(nano).unwrap(), Outcome::Unknown { .. }));
        let expect = "`/bin/nano` is no choice for the alternative `editor`\nhint: there is /bin/ed, /usr/bin/vim.basic, \
                      /usr/bin/vim.tiny";
        assert_eq!(best.apply(nano).unwrap_err().to_string(), expect);
        assert!(matches!(Machine::new().plan(set).unwrap(), Outcome::Unknown { .. }));
        let error = Machine::new().apply(set).unwrap_err().to_string();
        assert!(error.starts_with("there is no alternative `editor` on this host\nhint: "), "{error}");
    }

    #[test]
    fn a_name_is_one_of_a_file() {
        for name in ["", "../x", "-x", ".", "a b"] {
            assert!(Machine::new().apply(|host| Ok(host.alternative(name).auto()?)).is_err(), "{name}");
        }
    }
}
