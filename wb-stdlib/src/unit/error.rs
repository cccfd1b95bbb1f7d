//! What can go wrong with units.

use wb_core::system::{CommandError, files};

use crate::file::FileError;
use crate::service::ServiceError;

/// What can go wrong with a unit, a drop-in or a timer.
#[derive(Debug, thiserror::Error)]
pub enum UnitError {
    /// No unit can be called so.
    #[error("`{name}` is no name of a unit\nhint: it ends with what it is, as in `shop.service` or `backup.timer`")]
    BadName {
        /// What was asked for.
        name: String,
    },
    /// No drop-in can be called so.
    #[error("`{name}` is no name of a drop-in of the unit `{unit}`")]
    BadDropin {
        /// The unit.
        unit: String,
        /// What was asked for.
        name: String,
    },
    /// Nothing stands in it.
    #[error(
        "the unit `{unit}` is to have no content\nhint: systemd takes an empty unit for a masked one; \
         `host.service(…).masked()?` says so"
    )]
    Empty {
        /// The unit.
        unit: String,
    },
    /// systemd could not load it. The old one is still there.
    #[error(
        "the new content of the unit `{unit}` is refused\nhint: `.unverified()` keeps `systemd-analyze` out of it, say for a \
         program that is not there yet"
    )]
    Refused {
        /// The unit.
        unit: String,
        /// What `systemd-analyze verify` said.
        source: CommandError,
    },
    /// systemd would ignore a part of it. The old one is still there.
    #[error(
        "systemd would ignore what stands in the new content of the unit `{unit}`: {said}\nhint: `.unverified()` is for \
         settings that only newer versions know"
    )]
    Ignored {
        /// The unit.
        unit: String,
        /// Its words.
        said: String,
    },
    /// There is no such time.
    #[error(
        "`{expression}` is no time of a calendar for the timer `{timer}`\nhint: `man systemd.time` has them, as in `Mon *-*-* 03:00`"
    )]
    BadCalendar {
        /// The timer.
        timer: String,
        /// What was wanted.
        expression: String,
        /// What `systemd-analyze calendar` said, where it was asked.
        source: Option<CommandError>,
    },
    /// A timer that never elapses, or that has nothing to start.
    #[error("the timer `{timer}` has no {what}\nhint: say `.{hint}(…)`")]
    Incomplete {
        /// The timer.
        timer: String,
        /// What it lacks.
        what: &'static str,
        /// How to say it.
        hint: &'static str,
    },
    /// A value would be more than one line.
    #[error("{value:?} can't stand in the unit `{unit}`: it has more than one line, or none")]
    BadValue {
        /// The unit.
        unit: String,
        /// The value.
        value: String,
    },
    /// It could not be shown to `systemd-analyze`.
    #[error("could not let `systemd-analyze` look at the unit `{unit}`")]
    Verify {
        /// The unit.
        unit: String,
        /// Why.
        source: CommandError,
    },
    /// Its file.
    #[error(transparent)]
    File(#[from] FileError),
    /// systemd refused what it was told.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<files::FileError> for UnitError {
    fn from(error: files::FileError) -> Self {
        Self::File(error.into())
    }
}
