//! What `retire`, `rename` and `tag` share: a signed change and an edit of `herd.toml`, both shown before they are made.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use wb_core::change::Manifest;
use wb_core::registry::SigningKey;
use wb_core::system::{files, quoted};

use super::not_edited;
use crate::commands::judge;
use crate::deploy::difference::Difference;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::herd_file::EditError;
use crate::members::{self, Known, MembersError};
use crate::operator::{Operator, OperatorError};
use crate::shell::Shell;
use crate::signing_key;

/// How a change of the herd is made.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// In a line, why
    #[arg(long, short, value_name = "WHY")]
    message: Option<String>,
    /// The SSH key to sign with; else git's user.signingkey (with gpg.format=ssh), else one of ~/.ssh
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
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
    /// The number of the change; none where nothing was told.
    change: Option<u64>,
    /// Whether nothing was meant to be changed.
    dry_run: bool,
    /// What is different, a line each.
    difference: Vec<String>,
    /// What it comes to for hosts, a line each.
    meaning: Vec<String>,
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

fn failed(error: MembersError) -> Failure {
    match error {
        MembersError::Operator(error) => judge::operator(error),
        error @ MembersError::Overtaken { .. } => Failure::refused(error).hint("cargo xtask status"),
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
        let mut outcome = self.outcome(&known, wish, edited != text)?;
        if !self.json {
            outcome.difference.iter().chain(&outcome.meaning).for_each(|line| shell.print(line));
        }
        if !self.dry_run {
            if let Some(operator) = operator.filter(|_| !outcome.difference.is_empty()) {
                outcome.change = self.tell(&operator, wish, shell)?;
            }
            if edited != text {
                files::write(&path, edited, 0o644)?;
            }
        }
        self.show(&outcome, wish, &path, shell);
        Ok(())
    }

    fn outcome(&self, known: &Known, wish: &Wish<'_>, herd_toml: bool) -> Result<Outcome, Failure> {
        let after = (wish.next)(known)?;
        let difference = Difference::between(&known.manifest, &after).hosts;
        let meaning = (wish.meaning)(known, &after);
        Ok(Outcome { change: None, dry_run: self.dry_run, difference, meaning, herd_toml })
    }

    fn tell(&self, operator: &Operator, wish: &Wish<'_>, shell: &Shell) -> Result<Option<u64>, Failure> {
        let key = signing_key::find(self.key.clone(), operator.tree()).map_err(judge::key)?;
        let next = |known: &Known| {
            let mut next = (wish.next)(known)?;
            let why = self.message.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            next.message = format!("{}{why}", wish.whom);
            Ok((next.hosts != known.manifest.hosts).then_some(next))
        };
        let told = members::tell(operator, &SigningKey::new(key), shell, &next, &failed)?;
        if let Some(change) = told.as_ref().filter(|_| !self.json) {
            shell.print(format_args!("change {}, signed by {}", change.manifest, change.signer));
        }
        Ok(told.map(|change| change.manifest.number))
    }

    fn show(&self, outcome: &Outcome, wish: &Wish<'_>, path: &Path, shell: &Shell) {
        if self.json {
            return shell.print_json(outcome);
        }
        match (outcome.herd_toml, self.dry_run) {
            (false, false) if outcome.change.is_none() => shell.print("nothing to do: it is so already"),
            (false, false) => shell.print("next: cargo xtask status"),
            (true, false) => {
                shell.done("edited", path.display());
                let path = quoted(&path.to_string_lossy());
                shell.print(format_args!("next: git commit --message '{}' -- {path}", wish.commit));
            }
            (_, true) => shell.print(format_args!("nothing was told or written; next: {}", wish.again)),
        }
    }
}
