//! What can go wrong with a service.

use wb_core::context::DebtError;
use wb_core::system::CommandError;
use wb_core::system::files::FileError;

use super::{Action, Manager};

/// What can go wrong with a service.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// No service can be called so.
    #[error("`{name}` is no name of a service")]
    BadName {
        /// What was asked for.
        name: String,
    },
    /// There is neither an init script nor a unit nor a directory of a service.
    #[error("there is no service `{name}` on this host\nhint: {}", .manager.hint())]
    NoSuchService {
        /// What was asked for.
        name: String,
        /// Who was asked.
        manager: Manager,
    },
    /// Its state can't be seen.
    #[error("could not look at the service `{name}`")]
    Look {
        /// The service.
        name: String,
        /// Why.
        source: CommandError,
    },
    /// The links of the runlevels can't be seen.
    #[error("could not see whether the service `{name}` is enabled")]
    Links {
        /// The service.
        name: String,
        /// Why.
        source: FileError,
    },
    /// Its processes can't be seen.
    #[error("could not see whether a process of the service `{name}` runs")]
    Process {
        /// The service.
        name: String,
        /// Why.
        source: FileError,
    },
    /// The action failed.
    #[error("could not {action} the service `{name}`")]
    Act {
        /// What was being done.
        action: Action,
        /// The service.
        name: String,
        /// Why.
        source: CommandError,
    },
    /// A file or a link that belongs to the action can't be made or removed.
    #[error("could not {action} the service `{name}`")]
    Files {
        /// What was being done.
        action: Action,
        /// The service.
        name: String,
        /// Why.
        source: FileError,
    },
    /// runit does not take the service over.
    #[error(
        "runit does not supervise the service `{name}`, 15 s after it was linked\nhint: see that `runsvdir` runs on the \
         host, and watches that directory"
    )]
    NotSupervised {
        /// The service.
        name: String,
    },
    /// The init system has nothing like it.
    #[error(
        "the service `{name}` can't be masked: {manager} has no such thing\nhint: `stopped` and `disabled` keep it down, \
         unless somebody starts it"
    )]
    NoMask {
        /// The service.
        name: String,
        /// Who starts services here.
        manager: Manager,
    },
    /// Nothing says when it starts, neither its unit nor another one.
    #[error(
        "the service `{name}` can't be enabled: its unit does not say when it starts, and nothing else starts it\n\
         hint: the unit needs `[Install]` with `WantedBy=multi-user.target`, or a timer or a socket that starts it"
    )]
    NoInstall {
        /// The service.
        name: String,
    },
    /// The action ended well, and the service is not what it was told to be.
    #[error("the service `{name}` is {found} after `{action}`, which ended well{}", truth(*action, *manager))]
    NotSo {
        /// What was done.
        action: Action,
        /// The service.
        name: String,
        /// What it is.
        found: &'static str,
        /// Who says so.
        manager: Manager,
    },
    /// An owed action could not be struck.
    #[error("could not note that the service `{name}` got what was owed to it")]
    Debt {
        /// The service.
        name: String,
        /// Why.
        source: DebtError,
    },
}

/// A script that always says that its service runs is found out when that is stopped.
fn truth(action: Action, manager: Manager) -> &'static str {
    match (action, manager) {
        (Action::Stop, Manager::Initd | Manager::Openrc) => {
            "\nhint: where its script does not tell the truth, `.pidfile(…)` or `.process(…)` says how to find it out"
        }
        (Action::Disable, Manager::Systemd) => {
            "\nhint: `systemctl show -p WantedBy,RequiredBy,TriggeredBy` on the host names what starts it; `.masked()` keeps \
             it down all the same"
        }
        _ => "",
    }
}
