use clap::Args;
use serde::Serialize;
use wb_core::registry::VerifiedChange;
use wb_core::system::quoted;

use super::judge;
use super::order::{Telling, show_told};
use crate::adopt::{AdoptError, Intent, Word, adopting, intent};
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::known::Known;
use crate::operator::Operator;
use crate::shell::Shell;
use crate::table::Table;
use crate::tell::tell;

/// Say that a host's next migration was done there by hand
///
/// One signed change that alters nothing else; who said it, when and why stand in it. The host does not run the migration:
/// it pays what a failed run owes, asks the migration's specs, and counts it as done by hand when they pass. When they
/// fail, a host that failed there stays as it is, and one that had not begun runs the migration. It acts on this once.
#[derive(Debug, Args)]
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
    options: Telling,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Said<'a> {
    #[serde(flatten)]
    intent: &'a Intent,
    /// The number of the change that says it; nothing in a dry run.
    change: Option<u64>,
    signer: Option<&'a str>,
}

impl Adopt {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let why = judge::said(&self.message)?.to_owned();
        let word = Word { host: self.host, link: self.link, why };
        let (again, options) = (line(&word, word.link.as_deref()), self.options);
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let operator = Operator::of(&fleet).map_err(judge::operator)?;
        let known = Known::ask(&operator, shell).map_err(judge::operator)?;
        let intent = intent(&known, &word).map_err(|error| judged(&error, &word))?;
        if !options.json {
            shell.print_text(table(&intent));
        }
        let change = match options.dry_run {
            true => None,
            false => {
                let told = tell(&operator, known, &options.key(&operator)?, shell, |known| adopting(known, &word));
                Some(told.map_err(|error| judge::not_told(error, &again, |error| judged(&error, &word)))?)
            }
        };
        show(&intent, change.as_deref(), &again, options.json, shell);
        Ok(())
    }
}

fn table(intent: &Intent) -> Table {
    let mut table = Table::new(&["host", "migration", "now", "then"]);
    let then = match intent.failed {
        true => "asks its specs; goes on after it, or stays failed",
        false => "asks its specs; passes to the next one, or runs it",
    };
    let migration = format!("{} {}", intent.sha1.short(), intent.migration);
    table.row([intent.host.clone(), migration, intent.now.clone(), then.to_owned()]);
    table
}

fn show(intent: &Intent, change: Option<&VerifiedChange>, again: &str, as_json: bool, shell: &Shell) {
    if as_json {
        let (number, signer) = (change.map(|change| change.manifest.number), change.map(|change| &*change.signer));
        return shell.print_json(&Said { intent, change: number, signer });
    }
    match change {
        Some(change) => {
            show_told(change, shell);
            shell.print("next: cargo xtask status");
        }
        None => shell.print(format_args!("nothing was told; next: {again}")),
    }
}

fn line(word: &Word, link: Option<&str>) -> String {
    let link = link.map(|link| format!(" --link {}", quoted(link))).unwrap_or_default();
    format!("cargo xtask adopt {}{link} --message {}", quoted(&word.host), quoted(&word.why))
}

fn judged(error: &AdoptError, word: &Word) -> Failure {
    match error {
        AdoptError::Unknown(unknown) => judge::unknown(unknown, &line(word, word.link.as_deref())),
        AdoptError::Silent { .. } => Failure::usage(error).hint("cargo xtask status"),
        AdoptError::NothingNext { .. } => Failure::refused(error).hint("cargo xtask status"),
        AdoptError::NotNext { next, .. } | AdoptError::Several { next, .. } => {
            next.iter().fold(Failure::refused(error), |failure, next| failure.hint(line(word, Some(&next.name))))
        }
    }
}
