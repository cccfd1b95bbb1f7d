//! Where the crontabs of users are.
//!
//! They are read from there, which costs no program. A new text goes through `crontab`, which checks it and tells cron:
//! once for each operation, since that is done when it returns. Where none is found, `crontab -l` is asked first: a
//! `crontab` that keeps them elsewhere would put the new text in the place of one that nobody has seen.

use std::path::{Path, PathBuf};
use std::time::Duration;

use wb_core::context::Context;
use wb_core::system::files::{FileError, Kind, Stat};
use wb_core::system::{Command, CommandError, System};

use super::{CronError, crontab};
use crate::foresight;
use crate::text_file::{TextFile, TextFileError};

/// On Debian, Alpine, SUSE and Red Hat. The first that is there is the one: those of Debian and SUSE lie in that of Red Hat.
const PLACES: [&str; 4] = ["/var/spool/cron/crontabs", "/etc/crontabs", "/var/spool/cron/tabs", "/var/spool/cron"];
/// How long `crontab` may take.
const BOUND: Duration = Duration::from_secs(60);

/// The crontab of a user, as it was found.
#[derive(Debug)]
pub(super) struct Spooled {
    user: String,
    file: TextFile,
}

impl Spooled {
    /// The crontab of `user`, or nothing where there is no cron.
    pub(super) fn of(system: &System, user: &str) -> Result<Option<Self>, CronError> {
        Self::found(user, |path| TextFile::read(system, path), |place| system.stat(place))
    }

    /// [`Spooled::of`], with what operations before would have done to it in a plan.
    pub(super) fn by_now(context: &Context<'_>, user: &str) -> Result<Option<Self>, CronError> {
        Self::found(user, |path| TextFile::by_now(context, path), |place| foresight::stat(context, place))
    }

    fn found(
        user: &str,
        read: impl Fn(PathBuf) -> Result<TextFile, TextFileError>,
        look: impl Fn(&Path) -> Result<Option<Stat>, FileError>,
    ) -> Result<Option<Self>, CronError> {
        for place in PLACES.map(Path::new) {
            let file = read(place.join(user))?;
            let is_directory = |stat: Stat| matches!(stat.kind, Kind::Directory | Kind::Link);
            if file.is_there() || look(place)?.is_some_and(is_directory) {
                return Ok(Some(Self { user: user.to_owned(), file }));
            }
        }
        Ok(None)
    }

    /// Lets operations that come later in a plan see it with this text. Of an empty one nothing is left.
    pub(super) fn foresee(&self, context: &Context<'_>, text: &str) -> Result<(), FileError> {
        match text.trim().is_empty() {
            true => self.file.foresee_gone(context),
            false => self.file.foresee(context, text)?,
        }
        Ok(())
    }

    pub(super) fn is_there(&self) -> bool {
        self.file.is_there()
    }

    pub(super) fn text(&self) -> &str {
        crontab::without_header(self.file.text())
    }

    /// Installs another text, and looks whether that is there then. Of an empty one nothing is left.
    pub(super) fn install(&self, system: &System, text: &str) -> Result<(), CronError> {
        let user = || self.user.clone();
        let failed = |source| CronError::Install { user: user(), source };
        if !self.is_there() && self.is_elsewhere(system).map_err(failed)? {
            return Err(CronError::Elsewhere { user: user() });
        }
        let crontab = self.crontab();
        let crontab = if text.trim().is_empty() { crontab.arg("-r") } else { crontab.arg("-").stdin(text) };
        system.read_command(&crontab).map_err(failed)?;
        let now = Self::of(system, &self.user)?;
        let is_so = now.is_some_and(|now| now.text().trim() == text.trim());
        if is_so { Ok(()) } else { Err(CronError::NotSo { user: user() }) }
    }

    /// Whether `crontab` knows of a crontab where none was found: another text would take its place unseen.
    fn is_elsewhere(&self, system: &System) -> Result<bool, CommandError> {
        let listed = system.run(&self.crontab().arg("-l"))?;
        Ok(listed.code == 0 && !listed.text().trim().is_empty())
    }

    fn crontab(&self) -> Command {
        Command::new("crontab").args(["-u", &self.user]).env("LC_ALL", "C.UTF-8").timeout(BOUND)
    }
}
