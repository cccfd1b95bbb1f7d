use clap::Args;
use wb_core::system::quoted;

use super::judge;
use super::order::{Order, Telling};
use crate::failure::Failure;
use crate::release::{ReleaseError, releasing, what_follows};
use crate::shell::Shell;

/// Free by force the places that a host holds in pools
///
/// For a host that is gone and does not come back soon. One signed change, with the nonces of the claims: they count for
/// nothing from then on, so that others may leave load. The host may still be out of load itself. When it comes back it
/// begins no further link, and rejoins if its specs pass. A host that is gone for good is retired instead.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask release web2 -m 'its power supply burnt'
  cargo xtask release web2 --force -m 'its provider has cut it off'

Exit codes: 0 told; 1 it holds no place, or may be alive; 2 no such host; 3 no key, no remote")]
pub(super) struct Release {
    /// The host
    host: String,
    /// In a line, why
    #[arg(long, short, value_name = "WHY")]
    message: String,
    /// Even if the host reported a moment ago, and so may be alive and out of load
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    telling: Telling,
}

impl Release {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let Self { host, message, force, telling } = self;
        let why = judge::said(&message)?;
        let line = |force: bool| {
            let force = if force { " --force" } else { "" };
            format!("cargo xtask release {}{force} --message {}", quoted(&host), quoted(why))
        };
        let next = |known: &_| releasing(known, &host, why, force);
        let judged = |error: ReleaseError| match &error {
            ReleaseError::Unknown(unknown) => judge::unknown(unknown, &line(force)),
            ReleaseError::HoldsNone { .. } => Failure::refused(&error).hint("cargo xtask status"),
            ReleaseError::MayBeAlive { .. } => Failure::refused(&error).hint("cargo xtask status").hint(line(true)),
        };
        let order = Order { next: &next, meaning: &what_follows, judged: &judged, again: line(force) };
        telling.carry_out(order, shell)
    }
}
