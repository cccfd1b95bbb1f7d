use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use wb_core::registry::{SigningKey, VerifiedChange};
use wb_core::system::quoted;

use super::judge;
use crate::adopt::{self, AdoptError, Intent, Word};
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::operator::{Operator, OperatorError};
use crate::shell::Shell;
use crate::signing_key;
use crate::table::Table;

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
    /// The SSH key to sign with; else git's user.signingkey (with gpg.format=ssh), else one of ~/.ssh
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Check and show what would be said, and tell the herd nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
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
        let why = self.message.trim().to_owned();
        if why.is_empty() {
            return Err(Failure::usage("--message says nothing"));
        }
        let word = Word { host: self.host, link: self.link, why };
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let operator = Operator::of(&fleet).map_err(judge::operator)?;
        let intent = adopt::look(&operator, &word, shell).map_err(|error| judged(error, &word))?;
        if !self.json {
            shell.print_text(table(&intent));
        }
        let change = match self.dry_run {
            true => None,
            false => {
                let key = SigningKey::new(signing_key::find(self.key, operator.tree()).map_err(judge::key)?);
                Some(adopt::adopt(&operator, &word, &key, shell).map_err(|error| judged(error, &word))?)
            }
        };
        show(&intent, change.as_deref(), &word, self.json, shell);
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

fn show(intent: &Intent, change: Option<&VerifiedChange>, word: &Word, as_json: bool, shell: &Shell) {
    if as_json {
        let (number, signer) = (change.map(|change| change.manifest.number), change.map(|change| &*change.signer));
        return shell.print_json(&Said { intent, change: number, signer });
    }
    match change {
        Some(change) => {
            shell.print(format_args!("change {}, signed by {}", change.manifest, change.signer));
            shell.print("next: cargo xtask status");
        }
        None => shell.print(format_args!("nothing was told; next: {}", line(word, word.link.as_deref()))),
    }
}

fn line(word: &Word, link: Option<&str>) -> String {
    let link = link.map(|link| format!(" --link {}", quoted(link))).unwrap_or_default();
    format!("cargo xtask adopt {}{link} --message {}", quoted(&word.host), quoted(&word.why))
}

fn judged(error: AdoptError, word: &Word) -> Failure {
    match &error {
        AdoptError::Unknown { .. } | AdoptError::Silent { .. } => Failure::usage(&error).hint("cargo xtask status"),
        AdoptError::NoSuchLink { meant, .. } => {
            let hint = meant.as_ref().map(|meant| line(word, Some(meant)));
            Failure::usage(&error).hint(hint.unwrap_or_else(|| "cargo xtask chain".to_owned()))
        }
        AdoptError::NothingNext { .. } => Failure::refused(&error).hint("cargo xtask status"),
        AdoptError::NotNext { next, .. } | AdoptError::Several { next, .. } => {
            next.iter().fold(Failure::refused(&error), |failure, next| failure.hint(line(word, Some(&next.name))))
        }
        AdoptError::Operator(OperatorError::Overtaken { .. }) => {
            Failure::refused(&error).hint(line(word, word.link.as_deref()))
        }
        AdoptError::Operator(_) => match error {
            AdoptError::Operator(error) => judge::operator(error),
            error => error.into(),
        },
    }
}
