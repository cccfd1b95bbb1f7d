use clap::Args;
use wb_core::system::quoted;

use super::judge;
use super::order::{Order, Telling};
use crate::adopt::{AdoptError, Word, adopting, what_follows};
use crate::failure::Failure;
use crate::shell::Shell;

/// Say that a host's next migration was done there by hand
///
/// One signed change that alters nothing else; who said it, when and why stand in it. The host does not run the migration:
/// it pays what a failed run owes, asks the migration's specs, and counts it as done by hand when they pass. When they
/// fail, a host that failed there stays as it is, and one that had not begun runs the migration. It acts on this once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask adopt web4 -m 'moved the page by hand: the old path was a mount'
  cargo xtask adopt db1 --link schema -m 'restored from a dump that has it'

Exit codes: 0 told; 1 it is not the next migration there, or no report of the host counts; 2 no such host or migration;
3 no key, no remote")]
pub(super) struct Adopt {
    /// The host
    host: String,
    /// The migration; else the one that failed there, or the next one of the host's roles
    #[arg(long, value_name = "NAME")]
    link: Option<String>,
    /// In a line, what was done and why
    #[arg(long, short, value_name = "WHY")]
    message: String,
    #[command(flatten)]
    telling: Telling,
}

impl Adopt {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let why = judge::said(&self.message)?.to_owned();
        let word = Word { host: self.host, link: self.link, why };
        let next = |known: &_| adopting(known, &word);
        let judged = |error| judged(&error, &word);
        let again = line(&word, word.link.as_deref());
        self.telling.carry_out(Order { next: &next, meaning: &what_follows, judged: &judged, again }, shell)
    }
}

fn line(word: &Word, link: Option<&str>) -> String {
    let link = link.map(|link| format!(" --link {}", quoted(link))).unwrap_or_default();
    format!("cargo xtask adopt {}{link} --message {}", quoted(&word.host), quoted(&word.why))
}

fn judged(error: &AdoptError, word: &Word) -> Failure {
    match error {
        AdoptError::Unknown(unknown) => judge::unknown(unknown, &line(word, word.link.as_deref())),
        AdoptError::Silent { .. } | AdoptError::NothingNext { .. } => {
            Failure::refused(error).hint("cargo xtask status")
        }
        AdoptError::NotNext { next, .. } | AdoptError::Several { next, .. } => {
            next.iter().fold(Failure::refused(error), |failure, next| failure.hint(line(word, Some(&next.name))))
        }
    }
}
