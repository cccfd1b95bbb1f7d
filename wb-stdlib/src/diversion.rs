//! Diversions: files of packages that dpkg puts elsewhere, so that their paths are free for files of one's own.

mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use wb_core::context::Outcome;
use wb_core::system::files::{self, FileError};
use wb_core::system::{Command, CommandError, System};

use crate::ensure::{Difference, ensure};
use crate::file::check_path;
use crate::{Host, Look};
use table::{Entry, Table};

/// Where dpkg keeps them.
const TABLE: &str = "/var/lib/dpkg/diversions";
const RUN_BOUND: Duration = Duration::from_secs(60);

/// What can go wrong with diversions.
#[derive(Debug, thiserror::Error)]
pub enum DiversionError {
    /// The path would mean something else in another directory, or in dpkg's list.
    #[error("the path `{}` is not absolute, leads through `..`, or has a line break", .path.display())]
    BadPath {
        /// The path.
        path: PathBuf,
    },
    /// Somebody else diverts the file, or diverts it to somewhere else.
    #[error(
        "{} is diverted {found} already, and not {wanted}\nhint: `dpkg-divert --list {}` on the host shows it; \
         `.absent()?` first, if nobody needs it", .path.display(), .path.display()
    )]
    Diverted {
        /// The path.
        path: PathBuf,
        /// How it is.
        found: String,
        /// How it is to be.
        wanted: String,
    },
    /// There is a file where the package's file would go, or come back to.
    #[error("{} can't be moved to {}: there is a file\nhint: remove it first, if nobody needs it", .path.display(), .to.display())]
    InTheWay {
        /// The path.
        path: PathBuf,
        /// Where it would go.
        to: PathBuf,
    },
    /// It can't be looked at.
    #[error("could not see whether {} is diverted", .path.display())]
    Look {
        /// The path.
        path: PathBuf,
        /// Why.
        source: FileError,
    },
    /// The file can't be moved to where it belongs.
    #[error("could not move {} to where its diversion has it", .path.display())]
    Move {
        /// The path.
        path: PathBuf,
        /// Why.
        source: FileError,
    },
    /// dpkg-divert did not do it.
    #[error("could not {action} the diversion of {}", .path.display())]
    Act {
        /// What was being done.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// Why.
        source: CommandError,
    },
    /// dpkg-divert ended well, and it is not so.
    #[error("dpkg-divert was to {action} the diversion of {}, and ended well, but it is not so", .path.display())]
    NotSo {
        /// What was being done.
        action: &'static str,
        /// The path.
        path: PathBuf,
    },
}

/// A diversion of a file of a package. [`Look::diversion`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn wrap_psql(host: &Host) -> Result<()> {
///     host.diversion("/usr/bin/psql").to("/usr/bin/psql.real").present()?;
///     host.file("/usr/bin/psql").content("#!/bin/sh\nPGAPPNAME=people exec psql.real \"$@\"\n").mode(0o755).present()?;
///     host.diversion("/usr/bin/pg_dump").by("shop-tools").absent()?; // one that the package `shop-tools` left
///     Ok(())
/// }
///
/// fn psql_is_wrapped(host: &View) -> Result<()> {
///     host.diversion("/usr/bin/psql").to("/usr/bin/psql.real").exists()
/// }
/// # wb_stdlib::testing::web1().rehearse(wrap_psql).asks(psql_is_wrapped);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct Diversion<A> {
    access: A,
    path: PathBuf,
    to: Option<PathBuf>,
    package: Option<String>,
}

impl<A: Look> Diversion<A> {
    pub(crate) fn new(access: A, path: &Path) -> Self {
        Self { access, path: path.to_owned(), to: None, package: None }
    }

    /// Where the package's file goes, by its absolute path. Without this, it is beside its old place, with `.distrib`
    /// after its name.
    pub fn to(mut self, path: impl AsRef<Path>) -> Self {
        self.to = Some(path.as_ref().to_owned());
        self
    }

    /// The package whose own file stays at the path, as packages divert files of others. Without this, it is a local
    /// diversion: of all packages.
    pub fn by(mut self, package: impl Into<String>) -> Self {
        self.package = Some(package.into());
        self
    }

    /// Checks that the file is diverted so.
    ///
    /// # Errors
    /// When it is not, or that can't be seen.
    pub fn exists(&self) -> Result<()> {
        let (path, found) = (self.path.display(), self.found()?);
        anyhow::ensure!(
            found.as_ref() == Some(&self.entry()),
            "expected {path} to be diverted {}, found it {}",
            self.entry(),
            found.map_or_else(|| "not diverted".to_owned(), |found| format!("diverted {found}"))
        );
        Ok(())
    }

    fn entry(&self) -> Entry {
        let beside = || {
            let mut name = self.path.clone().into_os_string();
            name.push(".distrib");
            PathBuf::from(name)
        };
        Entry { to: self.to.clone().unwrap_or_else(beside), package: self.package.clone() }
    }

    fn found(&self) -> Result<Option<Entry>, DiversionError> {
        for path in [Some(&self.path), self.to.as_ref()].into_iter().flatten() {
            if check_path(path).is_err() || path.as_os_str().as_encoded_bytes().contains(&b'\n') {
                return Err(DiversionError::BadPath { path: path.clone() });
            }
        }
        let table = self.system().read_file(TABLE).map_err(self.looked())?.unwrap_or_default();
        Ok(Table::new(&table).find(&self.path))
    }

    fn looked(&self) -> impl Fn(FileError) -> DiversionError + use<A> {
        let path = self.path.clone();
        move |source| DiversionError::Look { path: path.clone(), source }
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl Diversion<Host<'_>> {
    /// It is diverted, and the file that is there goes to its new place.
    ///
    /// # Errors
    /// When somebody else diverts it, a file is where it would go, or dpkg-divert does not do it.
    pub fn present(self) -> Result<Outcome, DiversionError> {
        let what = format!("diversion {} present", self.path.display());
        let wanted = self.entry();
        match self.found()? {
            None => match self.refusal(&self.path, &wanted.to)? {
                Some(error) => self.unknown(&what, error),
                None => {
                    let difference = Difference::Some(Some(format!("+ {wanted}")));
                    ensure(self.access, &what, difference, || self.add(&wanted))
                }
            },
            Some(found) if found == wanted => self.moved(&what, &self.path, &wanted.to),
            Some(found) => {
                let (path, found, wanted) = (self.path.clone(), found.to_string(), wanted.to_string());
                self.unknown(&what, DiversionError::Diverted { path, found, wanted })
            }
        }
    }

    /// It is not diverted, and the package's file is back at its place.
    ///
    /// What is at that place must be gone before: it is one's own.
    ///
    /// # Errors
    /// When one's own file is still there, or dpkg-divert does not do it.
    pub fn absent(self) -> Result<Outcome, DiversionError> {
        let what = format!("diversion {} absent", self.path.display());
        let Some(found) = self.found()? else { return self.moved(&what, &self.entry().to, &self.path) };
        match self.refusal(&found.to, &self.path)? {
            Some(error) => self.unknown(&what, error),
            None => ensure(self.access, &what, Difference::Some(Some(format!("- {found}"))), || self.remove(&found)),
        }
    }

    /// What a plan can't know, because an operation before may change it, and who acts fails at.
    fn unknown(&self, what: &str, error: DiversionError) -> Result<Outcome, DiversionError> {
        if !self.access.plans() {
            return Err(error);
        }
        let why = error.to_string().lines().next().unwrap_or_default().to_owned();
        ensure(self.access, what, Difference::Unknown(why), || Ok(()))
    }

    /// The list is as wanted. Where dpkg-divert was killed after it wrote that, the package's file is still to be moved.
    fn moved(&self, what: &str, from: &Path, to: &Path) -> Result<Outcome, DiversionError> {
        let difference = match self.was_cut_short(from, to)? {
            true => Difference::Some(Some(format!("{} -> {}", from.display(), to.display()))),
            false => Difference::None,
        };
        let failed = |source| DiversionError::Move { path: from.to_owned(), source };
        let (real_from, real_to) = (self.system().path(from), self.system().path(to));
        ensure(self.access, what, difference, || files::rename(real_from, real_to).map_err(failed))
    }

    fn add(&self, wanted: &Entry) -> Result<(), DiversionError> {
        self.divert("add", wanted)?;
        if self.found()?.as_ref() == Some(wanted) { Ok(()) } else { Err(self.not_so("add")) }
    }

    fn remove(&self, found: &Entry) -> Result<(), DiversionError> {
        self.divert("remove", found)?;
        if self.found()?.is_some() { Err(self.not_so("remove")) } else { Ok(()) }
    }

    fn divert(&self, action: &'static str, entry: &Entry) -> Result<(), DiversionError> {
        let command = Command::new("dpkg-divert").env("LC_ALL", "C.UTF-8").timeout(RUN_BOUND);
        let whose = entry.package.as_deref().map_or_else(|| vec!["--local"], |package| vec!["--package", package]);
        let command = command.args(whose).arg("--divert").arg(&entry.to);
        let command = command.args(["--rename", &format!("--{action}")]).arg(&self.path);
        let said = self.system().read_command(&command);
        said.map(drop).map_err(|source| DiversionError::Act { action, path: self.path.clone(), source })
    }

    /// Whether the file that would be moved is there, its new place is empty, and a package has it. One's own file stays.
    fn was_cut_short(&self, from: &Path, to: &Path) -> Result<bool, DiversionError> {
        if !self.is_there(from)? || self.is_there(to)? {
            return Ok(false);
        }
        let search = Command::new("dpkg-query").env("LC_ALL", "C.UTF-8").timeout(RUN_BOUND).arg("-S").arg(&self.path);
        let output = self.system().run(&search);
        let output = output.map_err(|source| DiversionError::Act { action: "see", path: self.path.clone(), source })?;
        Ok(owner(&output.text()).is_some_and(|owner| Some(owner) != self.package.as_deref()))
    }

    /// Why the file can't be moved: dpkg-divert overwrites nothing.
    fn refusal(&self, from: &Path, to: &Path) -> Result<Option<DiversionError>, DiversionError> {
        let is_refused = self.is_there(to)? && self.is_there(from)?;
        Ok(is_refused.then(|| DiversionError::InTheWay { path: from.to_owned(), to: to.to_owned() }))
    }

    fn is_there(&self, path: &Path) -> Result<bool, DiversionError> {
        self.system().stat(path).map(|found| found.is_some()).map_err(self.looked())
    }

    fn not_so(&self, action: &'static str) -> DiversionError {
        DiversionError::NotSo { action, path: self.path.clone() }
    }
}

/// Reads `package: /path`, without the lines about the diversion itself.
fn owner(said: &str) -> Option<&str> {
    let line = said.lines().find(|line| !line.starts_with("diversion by ") && !line.starts_with("local diversion "))?;
    line.split_once(": ").map(|(packages, _)| packages.split([',', ':']).next().unwrap_or(packages))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Machine, changed};

    const DIVERTED: &str = "/usr/bin/psql\n/usr/bin/psql.distrib\n:\n";

    fn present(host: &Host) -> Result<Outcome> {
        Ok(host.diversion("/usr/bin/psql").present()?)
    }

    fn absent(host: &Host) -> Result<Outcome> {
        Ok(host.diversion("/usr/bin/psql").absent()?)
    }

    #[test]
    fn a_diversion_that_is_there_costs_no_program() {
        let machine = Machine::new().file(TABLE, DIVERTED).file("/usr/bin/psql.distrib", "");
        assert_eq!(machine.apply(present).unwrap(), Outcome::Unchanged);
        machine.view(|host| host.diversion("/usr/bin/psql").exists()).unwrap();
        assert_eq!(machine.calls(), [""; 0]);
    }

    #[test]
    fn a_plan_says_where_the_file_would_go() {
        let machine = Machine::new().file("/usr/bin/psql", "");
        assert_eq!(machine.plan(present).unwrap(), changed("+ to /usr/bin/psql.distrib, locally"));
        assert_eq!(machine.apply(absent).unwrap(), Outcome::Unchanged);
        let machine = Machine::new().file(TABLE, DIVERTED);
        assert_eq!(machine.plan(absent).unwrap(), changed("- to /usr/bin/psql.distrib, locally"));
        assert_eq!(machine.calls(), [""; 0]);
    }

    #[test]
    fn what_did_not_become_so_is_an_error() {
        let machine = Machine::new().answer("dpkg-divert", 0, "");
        let error = machine.apply(present).unwrap_err().to_string();
        assert_eq!(error, "dpkg-divert was to add the diversion of /usr/bin/psql, and ended well, but it is not so");
        let expect = "dpkg-divert --local --divert /usr/bin/psql.distrib --rename --add /usr/bin/psql";
        assert_eq!(machine.calls(), [expect]);
    }

    #[test]
    fn one_of_somebody_else_stays() {
        let machine = Machine::new().file(TABLE, "/usr/bin/psql\n/usr/bin/psql.other\nwrapper\n");
        let error = machine.apply(present).unwrap_err().to_string();
        let expect = "/usr/bin/psql is diverted to /usr/bin/psql.other by wrapper already, and not to \
                      /usr/bin/psql.distrib, locally\nhint: ";
        assert!(error.starts_with(expect), "{error}");
        let by = |host: &Host| Ok(host.diversion("/usr/bin/psql").to("/usr/bin/psql.other").by("wrapper").present()?);
        assert_eq!(machine.apply(by).unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn a_file_in_the_way_stays() {
        let machine = Machine::new().file("/usr/bin/psql", "new").file("/usr/bin/psql.distrib", "old");
        let error = machine.apply(present).unwrap_err().to_string();
        assert!(error.starts_with("/usr/bin/psql can't be moved to /usr/bin/psql.distrib: there is a file"), "{error}");
        let machine = machine.file(TABLE, DIVERTED);
        let error = machine.apply(absent).unwrap_err().to_string();
        assert!(error.starts_with("/usr/bin/psql.distrib can't be moved to /usr/bin/psql: there is a file"), "{error}");
        assert_eq!(machine.read("/usr/bin/psql").as_deref(), Some("new"));
    }

    #[test]
    fn a_file_that_was_not_moved_is_moved() {
        let said = "local diversion from: /usr/bin/psql\nlocal diversion to: /usr/bin/psql.distrib\n\
                    postgresql-client-common: /usr/bin/psql\n";
        let machine = Machine::new().file(TABLE, DIVERTED).file("/usr/bin/psql", "theirs");
        let cut_short = machine.answer("dpkg-query -S /usr/bin/psql", 0, said);
        assert_eq!(cut_short.apply(present).unwrap(), changed("/usr/bin/psql -> /usr/bin/psql.distrib"));
        assert_eq!(cut_short.read("/usr/bin/psql.distrib").as_deref(), Some("theirs"));
        let own = Machine::new().file(TABLE, DIVERTED).file("/usr/bin/psql", "own");
        let own = own.answer("dpkg-query", 1, "");
        assert_eq!(own.apply(present).unwrap(), Outcome::Unchanged);
        let left =
            Machine::new().file("/usr/bin/psql.distrib", "theirs").answer("dpkg-query -S /usr/bin/psql", 0, said);
        assert_eq!(left.apply(absent).unwrap(), changed("/usr/bin/psql.distrib -> /usr/bin/psql"));
        assert_eq!(left.apply(absent).unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn a_path_says_plainly_where_it_leads() {
        for path in ["usr/bin/psql", "/usr/../psql", "/usr/bin/psql\n/x"] {
            assert!(Machine::new().apply(|host| Ok(host.diversion(path).present()?)).is_err(), "{path}");
        }
    }
}
