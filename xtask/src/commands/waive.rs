use clap::Args;
use wb_core::system::quoted;

use super::judge;
use super::order::{Order, Telling};
use crate::failure::Failure;
use crate::outlook::freed;
use crate::shell::Shell;
use crate::waive::{WaiveError, waiving};

/// Let a migration not wait for a host
///
/// One signed change: for this one migration the host counts as being there. It is refused where the migration does not
/// wait for that host. A host that is gone for good is retired instead.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask waive create_application_database db2 -m 'db2 is under repair, and holds no data of it'

Exit codes: 0 told; 1 the migration does not wait for the host; 2 no such migration or host; 3 no key, no remote")]
pub(super) struct Waive {
    /// The migration that waits
    #[arg(value_name = "MIGRATION")]
    link: String,
    /// The host that it shall not wait for
    host: String,
    /// In a line, why
    #[arg(long, short, value_name = "WHY")]
    message: String,
    #[command(flatten)]
    telling: Telling,
}

impl Waive {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let Self { link, host, message, telling } = self;
        let why = judge::said(&message)?;
        let again = format!("cargo xtask waive {} {} --message {}", quoted(&link), quoted(&host), quoted(why));
        let next = |known: &_| waiving(known, &link, &host, why);
        let meaning = |known: &_, after: &_| freed(known, after).into_iter().collect();
        let judged = |error: WaiveError| match &error {
            WaiveError::Unknown(unknown) => judge::unknown(unknown, &again),
            WaiveError::NoWait { .. } | WaiveError::NotAwaited { .. } => {
                Failure::refused(&error).hint("cargo xtask chain")
            }
            WaiveError::NotAdmitted { .. } | WaiveError::Already { .. } | WaiveError::Holds { .. } => {
                Failure::refused(&error).hint("cargo xtask status")
            }
        };
        let order = Order { next: &next, meaning: &meaning, judged: &judged, again: again.clone() };
        telling.carry_out(order, shell)
    }
}
