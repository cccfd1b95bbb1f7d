use clap::Args;
use wb_core::system::quoted;

use super::judge;
use super::order::{Order, Telling};
use crate::canary::{PromoteError, follow, promoting};
use crate::failure::Failure;
use crate::hold::held;
use crate::shell::Shell;

/// Tell everyone what the canaries were told
///
/// One signed change. It is refused while a canary has not passed: each must be where it was told to go, in load and well,
/// or wait in load for hosts that are no canaries.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask promote
  cargo xtask promote --now -m 'a hole is open, and web1 is slow'

Exit codes: 0 told; 1 no canaries go first, or one has not passed; 2 wrong usage; 3 no key, no remote")]
pub(super) struct Promote {
    /// In a line, why
    #[arg(long, short, value_name = "WHY")]
    message: Option<String>,
    /// Do not wait until all canaries have passed; the change says so
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    telling: Telling,
}

impl Promote {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let Self { message, now, telling } = self;
        let why = judge::said_if(message.as_deref())?;
        let next = |known: &_| promoting(known, now, why);
        let meaning = |known: &_, after: &_| {
            let held = held(after).into_iter().map(|held| held.to_string());
            follow(known, after).into_iter().chain(held).collect()
        };
        let order = Order { next: &next, meaning: &meaning, judged: &|error| judged(&error), again: line(now, why) };
        telling.carry_out(order, shell)
    }
}

fn line(now: bool, why: Option<&str>) -> String {
    let why = why.map(|why| format!(" --message {}", quoted(why))).unwrap_or_default();
    format!("cargo xtask promote{}{why}", if now { " --now" } else { "" })
}

fn judged(error: &PromoteError) -> Failure {
    let refused = Failure::refused(error);
    match error {
        PromoteError::NothingPending { .. } => refused.hint("cargo xtask deploy --canary HOST"),
        PromoteError::NotPassed(_) => {
            refused.hint("cargo xtask status").hint("cargo xtask promote --now --message WHY")
        }
    }
}
