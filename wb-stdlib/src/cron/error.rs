//! What can go wrong with cron.

use wb_core::system::{CommandError, FileError};

use super::ScheduleError;
use crate::owner::OwnerError;
use crate::text_file::TextFileError;

/// What can go wrong with an entry of cron, or with a variable of a crontab. The crontab is then as it was.
#[derive(Debug, thiserror::Error)]
pub enum CronError {
    /// No entry can be called so.
    #[error("`{}` is no name of an entry of cron: {why}", .name.escape_debug())]
    BadName {
        /// What was asked for.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// No user can be called so.
    #[error("`{}` is no name of a user, for the crontab of one", .name.escape_debug())]
    BadUser {
        /// What was asked for.
        name: String,
    },
    /// The schedule is none.
    #[error("the schedule of the entry `{name}` of cron is none")]
    BadSchedule {
        /// The entry.
        name: String,
        /// Where, and why.
        source: ScheduleError,
    },
    /// Something is not said that must be.
    #[error("the entry `{name}` of cron has no {missing}\nhint: say it with `.{missing}(…)` before `.present()?`")]
    Incomplete {
        /// The entry.
        name: String,
        /// What is missing.
        missing: &'static str,
    },
    /// The command would be read as something else.
    #[error(
        "the command of the entry `{name}` of cron is empty, or has a line break\n\
         hint: put more than a line into a script"
    )]
    BadCommand {
        /// The entry.
        name: String,
    },
    /// The variable would be read as something else.
    #[error("cron can't be given the variable `{}` like this: {why}", .variable.escape_debug())]
    BadVariable {
        /// The variable.
        variable: String,
        /// Why not.
        why: &'static str,
    },
    /// A variable in a crontab is for all entries below it, those of others too.
    #[error(
        "the entry `{name}` of cron can't have variables of its own in the crontab of {user}\nhint: `.in_cron_d()` \
         gives it a file of its own, and `host.crontab({user:?}).variable(…)` is for all entries"
    )]
    SharedEnvironment {
        /// The entry.
        name: String,
        /// Whose crontab.
        user: String,
    },
    /// There is no cron.
    #[error(
        "there is no {place} on this host, so there is no cron\n\
         hint: `host.packages([\"cron\"]).installed()?` brings it"
    )]
    NotInstalled {
        /// What is missing.
        place: &'static str,
    },
    /// The user is not there.
    #[error(transparent)]
    Owner(#[from] OwnerError),
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] TextFileError),
    /// `crontab` did not take it.
    #[error("could not install the crontab of {user}")]
    Install {
        /// Whose crontab.
        user: String,
        /// Why.
        source: CommandError,
    },
    /// There is a crontab where nobody looked for it, and its text would be lost.
    #[error(
        "`crontab -u {user} -l` shows a crontab, and none is where cron is known to keep them, so it is not edited\n\
         hint: `.in_cron_d()` gives an entry a file of its own"
    )]
    Elsewhere {
        /// Whose crontab.
        user: String,
    },
    /// `crontab` took it, and it is not there.
    #[error("`crontab` was to install the crontab of {user}, and ended well, but it is not so")]
    NotSo {
        /// Whose crontab.
        user: String,
    },
}

impl From<FileError> for CronError {
    fn from(error: FileError) -> Self {
        Self::File(error.into())
    }
}
