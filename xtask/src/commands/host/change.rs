//! What `retire`, `rename` and `tag` share: a signed change and an edit of `herd.toml`, both shown before they are made.

use std::path::Path;

use clap::Args;
use serde::Serialize;
use wb_core::change::Manifest;
use wb_core::system::files;

use super::{commit_line, not_edited};
use crate::commands::judge;
use crate::commands::order::{self, Order};
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::herd_file::EditError;
use crate::known::Known;
use crate::operator::{Operator, OperatorError};
use crate::shell::Shell;

/// How a change of the herd is made.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// In a line, why
    #[arg(long, short, value_name = "WHY")]
    message: Option<String>,
    #[command(flatten)]
    how: order::Telling,
}

/// What is to be changed.
pub(super) struct Wish<'a> {
    /// Whom it is about, for the log of changes.
    pub(super) whom: String,
    /// The commit that keeps the edit of `herd.toml`, in a line.
    pub(super) commit: String,
    /// The next manifest; one with the same hosts where the herd needs to be told nothing.
    pub(super) next: &'a dyn Fn(&Known) -> Result<Manifest, Failure>,
    /// What it comes to, a line each.
    pub(super) meaning: &'a dyn Fn(&Known, &Manifest) -> Vec<String>,
    /// The new text of `herd.toml`.
    pub(super) edit: &'a dyn Fn(&str) -> Result<String, EditError>,
    /// The command line, for whoever must say it again.
    pub(super) again: String,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Outcome {
    #[serde(flatten)]
    told: order::Outcome,
    /// Whether `herd.toml` is another one now, or would be.
    herd_toml: bool,
}

/// A herd without a remote has a herd.toml too.
fn reached(fleet: &Fleet) -> Result<Option<Operator>, Failure> {
    match Operator::of(fleet) {
        Ok(operator) => Ok(Some(operator)),
        Err(OperatorError::NoRemote) => Ok(None),
        Err(error) => Err(judge::operator(error)),
    }
}

impl Options {
    /// Shows what is different, tells the herd, and edits `herd.toml`, in this order: what fails changes nothing, and
    /// what was told may be said again.
    pub(super) fn carry_out(self, fleet: &Fleet, wish: &Wish<'_>, shell: &Shell) -> Result<(), Failure> {
        let path = fleet.herd_path();
        let text = files::read_text(&path)?;
        let edited = (wish.edit)(&text).map_err(|error| not_edited(error, &path))?;
        let operator = reached(fleet)?;
        let known = operator.as_ref().map(|operator| Known::ask(operator, shell).map_err(judge::operator));
        let known = known.transpose()?.unwrap_or_default();
        let next = |known: &Known| self.next(known, wish);
        let order = Order {
            next: &next,
            meaning: wish.meaning,
            judged: &|failure| failure,
            again: self.how.signed(&wish.again),
        };
        let mut outcome = Outcome { told: order.outcome(&known, self.how.dry_run)?, herd_toml: edited != text };
        if !self.how.json {
            outcome.told.show(shell);
        }
        if !self.how.dry_run {
            if let Some(operator) = operator.filter(|_| !outcome.told.difference.is_empty()) {
                let told = order.tell(&operator, known, &self.how.key(&operator)?, shell)?;
                outcome.told.end(&told, self.how.json, shell);
            }
            if edited != text {
                files::write(&path, edited, 0o644)?;
            }
        }
        self.show(&outcome, wish, &path, shell);
        Ok(())
    }

    fn next(&self, known: &Known, wish: &Wish<'_>) -> Result<Manifest, Failure> {
        let why = judge::said_if(self.message.as_deref())?.map(|why| format!(": {why}")).unwrap_or_default();
        Ok(Manifest { message: format!("{}{why}", wish.whom), ..(wish.next)(known)? })
    }

    fn show(&self, outcome: &Outcome, wish: &Wish<'_>, path: &Path, shell: &Shell) {
        if self.how.json {
            return shell.print_json(outcome);
        }
        match (outcome.herd_toml, self.how.dry_run) {
            (false, false) if outcome.told.change.is_none() => shell.print("nothing to do: it is so already"),
            (false, false) => shell.print("next: cargo xtask status"),
            (true, false) => {
                shell.done("edited", path.display());
                shell.print(format_args!("next: {}", commit_line(&wish.commit, path)));
            }
            (_, true) => {
                shell.print(format_args!("nothing was told or written; next: {}", self.how.signed(&wish.again)))
            }
        }
    }
}
