//! The time zone of the machine.

use std::path::{Path, PathBuf};

use anyhow::Result;
use wb_core::context::{Context, DebtAction, DebtError, Outcome};
use wb_core::system::System;
use wb_core::system::files::{self, FileError, Kind, Stat};

use crate::ensure::{Difference, ensure};
use crate::file::KindWord;
use crate::foresight::{self, Thing};
use crate::look::Access as _;
use crate::owed::Owes;
use crate::service::Service;
use crate::text_file::{TextFile, TextFileError};
use crate::{Host, Look};

const ZONES: &str = "/usr/share/zoneinfo";
const LOCALTIME: &str = "/etc/localtime";
/// Where Debian says it once more, up to its version 12.
const NAME_FILE: &str = "/etc/timezone";
/// How every file of a zone begins, see tzfile(5).
const MAGIC: &[u8] = b"TZif";

/// What can go wrong with the time zone.
#[derive(Debug, thiserror::Error)]
pub enum TimezoneError {
    /// No zone can be called so.
    #[error("`{}` is no name of a time zone\nhint: names are like `Europe/Berlin` and `UTC`", .name.escape_debug())]
    BadName {
        /// What was asked for.
        name: String,
    },
    /// This host knows no such zone.
    #[error(
        "this host knows no time zone `{name}`: there is no {}\nhint: {}", .path.display(),
        "`host.packages([\"tzdata\"]).installed()?` brings them, and `ls /usr/share/zoneinfo` on the host shows those \
         that there are"
    )]
    NoSuchZone {
        /// The zone.
        name: String,
        /// Where it would be.
        path: PathBuf,
    },
    /// Something else is there.
    #[error("{LOCALTIME} is to lead to a time zone, and is {found}")]
    InTheWay {
        /// What is there.
        found: KindWord,
    },
    /// What the change makes necessary can't be written down, so it was not made.
    #[error("could not write down what another time zone makes necessary, so it was not set")]
    Owe(#[from] DebtError),
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] TextFileError),
}

impl From<FileError> for TimezoneError {
    fn from(error: FileError) -> Self {
        Self::File(error.into())
    }
}

/// The time zone of the machine. [`Look::timezone`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn live_in_utc(host: &Host) -> Result<()> {
///     let cron = host.service("cron");
///     host.timezone("UTC").restarts(&cron).set()?;
///     Ok(())
/// }
///
/// fn it_is_utc(host: &View) -> Result<()> {
///     host.timezone("UTC").is_set()
/// }
/// # wb_stdlib::testing::web1().file("/usr/share/zoneinfo/UTC", "TZif2").rehearse(live_in_utc).asks(it_is_utc);
/// ```
#[must_use = "say what is to be so: `.set()?`"]
pub struct Timezone<A> {
    access: A,
    name: String,
    owes: Owes,
}

/// What `/etc/localtime` is now.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    Nothing,
    /// A copy of a zone, whose name nobody knows any more.
    Copy,
    /// A link, to the zone of this name where it leads to one.
    Link(String),
}

impl<A: Look> Timezone<A> {
    pub(crate) fn new(access: A, name: &str) -> Self {
        Self { access, name: name.to_owned(), owes: Owes::default() }
    }

    /// Checks that the machine has it.
    ///
    /// # Errors
    /// When it has another one.
    pub fn is_set(&self) -> Result<()> {
        let found = found(self.system())?;
        anyhow::ensure!(
            found == Found::Link(self.name.clone()),
            "expected the time zone `{}`, found {}",
            self.name,
            described(&found)
        );
        Ok(())
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl Timezone<Host<'_>> {
    /// When it changes, the service is restarted at the end of the migration, as with
    /// [`File::restarts`](crate::file::File::restarts): programs ask for the time zone once. cron and loggers want
    /// that.
    pub fn restarts(mut self, service: &Service<Host<'_>>) -> Self {
        self.owes.add(DebtAction::Restart, service);
        self
    }

    /// The machine has it: `/etc/localtime` leads to it, and `/etc/timezone`, where there is one, says so too.
    ///
    /// # Errors
    /// When this host knows no such zone, or a file can't be written.
    pub fn set(self) -> Result<Outcome, TimezoneError> {
        let (context, what) = (self.access.context(), format!("timezone {} set", self.name));
        if let Err(error) = self.check() {
            return match error {
                TimezoneError::NoSuchZone { path, .. } if self.access.plans() => {
                    let why = format!("there is no {} yet", path.display());
                    ensure(self.access, &what, Difference::Unknown(why), || Ok(()))
                }
                error => Err(error),
            };
        }
        let (found, file) = (found_by_now(context)?, TextFile::by_now(context, NAME_FILE)?);
        let link = (found != Found::Link(self.name.clone())).then(|| format!("{} -> {}", described(&found), self.name));
        let text = format!("{}\n", self.name);
        let named = (file.is_there() && file.text().trim() != self.name).then(|| file.diff(&text)).flatten();
        let lines: Vec<String> = link.iter().chain(&named).cloned().collect();
        if lines.is_empty() {
            return ensure(self.access, &what, Difference::None, || Ok(()));
        }
        self.owes.write_down(context)?;
        self.foresee(&file, named.as_ref().map(|_| text.as_str()))?;
        ensure(self.access, &what, file.known(Difference::Some(Some(lines.join("\n")))), || {
            if named.is_some() {
                file.write(&text)?;
            }
            if link.is_some() { self.link() } else { Ok(()) }
        })
    }

    fn check(&self) -> Result<(), TimezoneError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_+".contains(c);
        let is_name = self.name.split('/').all(|part| !part.is_empty() && part.chars().all(plain));
        if !is_name || self.name.starts_with('-') {
            return Err(TimezoneError::BadName { name: self.name.clone() });
        }
        let path = Path::new(ZONES).join(&self.name);
        let missing = || TimezoneError::NoSuchZone { name: self.name.clone(), path: path.clone() };
        match self.system().stat(&path)?.map(|stat| stat.kind) {
            Some(Kind::File | Kind::Link) => {}
            _ => return Err(missing()),
        }
        let zone = self.system().read_file(&path)?.unwrap_or_default();
        if zone.starts_with(MAGIC) { Ok(()) } else { Err(missing()) }
    }

    /// Lets operations that come later in a plan see it, with this text in the file of its name.
    fn foresee(&self, file: &TextFile, text: Option<&str>) -> Result<(), FileError> {
        let context = self.access.context();
        let link = Thing::Link(foresight::new_stat(Kind::Link, 0o777), Path::new(ZONES).join(&self.name));
        foresight::put(context, Path::new(LOCALTIME), link);
        text.map_or(Ok(()), |text| file.foresee(context, text))
    }

    /// The new link takes the place of the old one, or of a copy, at once.
    fn link(&self) -> Result<(), TimezoneError> {
        let path = self.system().path(LOCALTIME);
        let new = path.with_file_name(".localtime.new");
        files::remove(&new)?;
        files::link(Path::new(ZONES).join(&self.name), &new)?;
        Ok(files::rename(&new, &path)?)
    }
}

fn found(system: &System) -> Result<Found, TimezoneError> {
    of(system.stat(LOCALTIME)?, || files::read_link(system.path(LOCALTIME)))
}

/// What there is, or would be by now in a plan.
fn found_by_now(context: &Context<'_>) -> Result<Found, TimezoneError> {
    let path = Path::new(LOCALTIME);
    of(foresight::stat(context, path)?, || foresight::target(context, path))
}

fn of(stat: Option<Stat>, target: impl FnOnce() -> Result<PathBuf, FileError>) -> Result<Found, TimezoneError> {
    match stat.map(|stat| stat.kind) {
        None => Ok(Found::Nothing),
        Some(Kind::File) => Ok(Found::Copy),
        Some(Kind::Link) => Ok(Found::Link(zone_of(&target()?))),
        Some(kind) => Err(TimezoneError::InTheWay { found: KindWord(kind) }),
    }
}

/// The zone that a link to `/usr/share/zoneinfo/Europe/Berlin`, or `../usr/share/…`, leads to.
fn zone_of(target: &Path) -> String {
    let target = target.to_string_lossy();
    target.split_once("/zoneinfo/").map_or(&*target, |(_, zone)| zone).to_owned()
}

fn described(found: &Found) -> &str {
    match found {
        Found::Nothing => "none, which is UTC",
        Found::Copy => "a copy of one, without a name",
        Found::Link(zone) => zone,
    }
}

#[cfg(test)]
mod tests {
    use wb_core::context::Debts as _;

    use super::*;
    use crate::machine::{Machine, changed};

    fn machine() -> Machine {
        let zones = ["UTC", "Europe/Berlin", "Etc/GMT+5"].map(|zone| format!("{ZONES}/{zone}"));
        zones.iter().fold(Machine::new().dir("/etc"), |machine, zone| machine.file(zone, "TZif2"))
    }

    fn with_zone(machine: Machine, target: &str) -> Machine {
        files::link(target, machine.path(LOCALTIME)).unwrap();
        machine
    }

    fn berlin(host: &Host) -> Result<Outcome> {
        Ok(host.timezone("Europe/Berlin").set()?)
    }

    #[test]
    fn a_zone_is_set_once() {
        let machine = with_zone(machine(), "/usr/share/zoneinfo/Etc/UTC").file(NAME_FILE, "Etc/UTC\n");
        let diff = "Etc/UTC -> Europe/Berlin\n/etc/timezone\n- Etc/UTC\n+ Europe/Berlin";
        assert_eq!(machine.apply(berlin).unwrap(), changed(diff));
        assert_eq!(files::read_link(machine.path(LOCALTIME)).unwrap(), Path::new("/usr/share/zoneinfo/Europe/Berlin"));
        assert_eq!(machine.read(NAME_FILE).as_deref(), Some("Europe/Berlin\n"));
        assert_eq!(machine.apply(berlin).unwrap(), Outcome::Unchanged);
        machine.view(|host| host.timezone("Europe/Berlin").is_set()).unwrap();
    }

    #[test]
    fn links_lead_to_the_same_zone_either_way() {
        let machine = with_zone(machine(), "../usr/share/zoneinfo/Europe/Berlin");
        assert_eq!(machine.apply(berlin).unwrap(), Outcome::Unchanged);
        assert_eq!(machine.read(NAME_FILE), None);
    }

    #[test]
    fn a_copy_gives_way_to_a_link() {
        let machine = machine().file(LOCALTIME, "TZif2");
        let outcome = machine.apply(berlin).unwrap();
        assert_eq!(outcome, changed("a copy of one, without a name -> Europe/Berlin"));
        assert_eq!(machine.stat(LOCALTIME).unwrap().kind, Kind::Link);
    }

    #[test]
    fn a_plan_sets_nothing() {
        let machine = machine();
        assert_eq!(machine.plan(berlin).unwrap(), changed("none, which is UTC -> Europe/Berlin"));
        assert_eq!(machine.stat(LOCALTIME), None);
    }

    #[test]
    fn who_knows_the_old_zone_is_restarted() {
        let machine = machine();
        let set = || {
            machine.apply(|host| {
                let cron = host.service("cron");
                Ok(host.timezone("UTC").restarts(&cron).set()?)
            })
        };
        set().unwrap();
        assert_eq!(machine.journal.owed().len(), 1);
    }

    #[test]
    fn a_zone_that_is_not_there_is_an_error_and_unknown_in_a_plan() {
        let machine = machine().file("/usr/share/zoneinfo/tzdata.zi", "# version 2026a");
        let check = |name: &str| {
            let error = machine.apply(|host| Ok(host.timezone(name).set()?)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("this host knows no time zone `{name}`: there is no ")), "{error}");
        };
        check("Europe/Berlim");
        check("Europe");
        let bad = machine.apply(|host| Ok(host.timezone("tzdata.zi").set()?)).unwrap_err().to_string();
        assert!(bad.starts_with("`tzdata.zi` is no name of a time zone"), "{bad}");
        machine.plan(|host| Ok(host.timezone("Europe/Kyiv").set()?)).unwrap();
        let expect = "? timezone Europe/Kyiv set (cannot know: there is no /usr/share/zoneinfo/Europe/Kyiv yet)";
        assert_eq!(machine.said(), expect);
    }

    #[test]
    fn what_leads_out_is_no_zone() {
        let machine = machine();
        let check = |name: &str| {
            let error = machine.apply(|host| Ok(host.timezone(name).set()?)).unwrap_err().to_string();
            assert!(error.contains("is no name of a time zone\nhint: "), "{error}");
        };
        check("../../../etc/passwd");
        check("/etc/passwd");
        check("");
        check("Europe/");
        check("a\nb");
        assert!(machine.apply(|host| Ok(host.timezone("Etc/GMT+5").set()?)).is_ok());
    }

    #[test]
    fn a_directory_in_its_place_stays() {
        let machine = machine().dir(LOCALTIME);
        let error = machine.apply(berlin).unwrap_err();
        assert_eq!(error.to_string(), "/etc/localtime is to lead to a time zone, and is a directory");
    }

    #[test]
    fn a_spec_says_what_it_found() {
        let machine = with_zone(machine(), "/usr/share/zoneinfo/UTC");
        let error = machine.view(|host| host.timezone("Europe/Berlin").is_set()).unwrap_err();
        assert_eq!(error.to_string(), "expected the time zone `Europe/Berlin`, found UTC");
    }
}
