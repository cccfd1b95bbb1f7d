use clap::Args;
use wb_core::system::quoted;

use super::judge;
use super::order::{Order, Telling, no_meaning};
use crate::failure::Failure;
use crate::hold;
use crate::retry::{RetryError, retrying};
use crate::shell::Shell;

/// Ask hosts to try again what failed
///
/// One signed change that alters nothing else. What failed is tried once more; when it fails again, the host stops as
/// before. Mend the cause first. A host on which nothing failed is refused, and one that was asked and has not tried yet.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask retry web4
  cargo xtask retry web4 web5 -m 'the mirror is back'

Exit codes: 0 told; 1 nothing failed there, or it is about to try again; 2 no such host; 3 no key, no remote")]
pub(super) struct Retry {
    /// The hosts to ask
    #[arg(required = true, value_name = "HOST")]
    hosts: Vec<String>,
    /// In a line, why: what was mended
    #[arg(long, short, value_name = "WHY")]
    message: Option<String>,
    #[command(flatten)]
    options: Telling,
}

impl Retry {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let Self { hosts, message, options } = self;
        let why = judge::said_if(message.as_deref())?;
        let again = line(&hosts, why);
        let judged = |error: RetryError| match error {
            RetryError::Unknown(unknown) => judge::unknown(&unknown, &again),
            RetryError::Held { ref hold, .. } => {
                let resume = hold::ended_by(&hold.whom);
                Failure::refused(error).hint(resume)
            }
            error @ (RetryError::NotFailed { .. } | RetryError::NotTriedYet { .. }) => {
                Failure::refused(error).hint("cargo xtask status")
            }
        };
        let next = |known: &_| retrying(known, &hosts, why);
        let order = Order { next: &next, meaning: &no_meaning, judged: &judged, again: again.clone() };
        options.carry_out(order, shell)
    }
}

fn line(hosts: &[String], why: Option<&str>) -> String {
    let why = why.map(|why| format!(" --message {}", quoted(why))).unwrap_or_default();
    format!("cargo xtask retry {}{why}", hosts.join(" "))
}
