use std::collections::BTreeSet;

use clap::Args;
use wb_core::change::Whom;
use wb_core::system::quoted;

use super::judge;
use super::order::{Order, Telling};
use crate::failure::Failure;
use crate::hold::{HoldError, begin_nothing, ended_by, go_on, holding, resuming};
use crate::shell::Shell;

/// Let hosts begin nothing
///
/// One signed change. Who is held ends the link that it is at, with its specs, rejoins, gives its place back, and begins
/// nothing, until `cargo xtask resume` says the same part of the herd. What failed there is not tried again meanwhile. A
/// host that is held counts for others who wait for it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask hold -m 'the provider has trouble'    the whole herd
  cargo xtask hold --role web -m 'a sale is on'     all hosts of a role, those that get it later too
  cargo xtask hold web1 web2 -m 'a look at both'

Exit codes: 0 told; 1 held already; 2 no such host or role; 3 no key, no remote")]
pub(super) struct Hold {
    #[command(flatten)]
    part: Part,
    /// In a line, why
    #[arg(long, short, value_name = "WHY")]
    message: String,
    #[command(flatten)]
    telling: Telling,
}

/// Let hosts go on that were held
///
/// One signed change. It ends a hold of the same words: who holds a role lets that role go on, not one host of it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask resume                the whole herd
  cargo xtask resume --role web
  cargo xtask resume web1 web2

Exit codes: 0 told; 1 not held; 2 no such host or role; 3 no key, no remote")]
pub(super) struct Resume {
    #[command(flatten)]
    part: Part,
    /// In a line, why
    #[arg(long, short, value_name = "WHY")]
    message: Option<String>,
    #[command(flatten)]
    telling: Telling,
}

/// A part of the herd; nothing named: all of it.
#[derive(Debug, Args)]
struct Part {
    /// Hosts; without hosts and roles, the whole herd
    #[arg(value_name = "HOST")]
    hosts: Vec<String>,
    /// All hosts of a role; may be given several times
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
}

impl Hold {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let why = judge::said(&self.message)?;
        let (whom, again) = (self.part.whom(), self.part.line("hold", Some(why)));
        let next = |known: &_| holding(known, &whom, why);
        let judged = |error| judged(&error, &again);
        let order = Order { next: &next, meaning: &begin_nothing, judged: &judged, again: again.clone() };
        self.telling.carry_out(order, shell)
    }
}

impl Resume {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let why = judge::said_if(self.message.as_deref())?;
        let (whom, again) = (self.part.whom(), self.part.line("resume", why));
        let next = |known: &_| resuming(known, &whom, why);
        let judged = |error| judged(&error, &again);
        let order = Order { next: &next, meaning: &go_on, judged: &judged, again: again.clone() };
        self.telling.carry_out(order, shell)
    }
}

impl Part {
    fn whom(&self) -> BTreeSet<Whom> {
        let roles = self.roles.iter().cloned().map(Whom::Role);
        roles.chain(self.hosts.iter().cloned().map(Whom::Host)).collect()
    }

    fn line(&self, command: &str, why: Option<&str>) -> String {
        let hosts = self.hosts.iter().map(|host| format!(" {}", quoted(host)));
        let roles = self.roles.iter().map(|role| format!(" --role {}", quoted(role)));
        let why = why.map(|why| format!(" --message {}", quoted(why)));
        hosts.chain(roles).chain(why).fold(format!("cargo xtask {command}"), |line, word| line + &word)
    }
}

fn judged(error: &HoldError, again: &str) -> Failure {
    match error {
        HoldError::Unknown(unknown) => judge::unknown(unknown, again),
        HoldError::Already(hold) => Failure::refused(error).hint(ended_by(&hold.whom)),
        HoldError::NotHeld { others, .. } => {
            let ways = others.iter().map(|hold| ended_by(&hold.whom));
            ways.fold(Failure::refused(error), Failure::hint)
        }
    }
}
