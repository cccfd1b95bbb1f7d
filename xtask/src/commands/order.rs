//! What the commands share that tell the herd one thing: it is shown, then told, and looked at by programs as JSON.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use wb_core::change::Manifest;
use wb_core::registry::{SigningKey, VerifiedChange};
use wb_core::system::quoted;

use super::judge;
use crate::deploy::difference::Difference;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::known::Known;
use crate::operator::Operator;
use crate::shell::Shell;
use crate::signing_key;
use crate::tell::{Told, tell};

/// How it is told.
#[derive(Debug, Args)]
pub(super) struct Telling {
    /// The SSH key to sign with; else git's user.signingkey (with gpg.format=ssh), else one of ~/.ssh
    #[arg(long, value_name = "FILE")]
    pub(super) key: Option<PathBuf>,
    /// Show what would change, and tell the herd nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What is to be told.
pub(super) struct Order<'a, E> {
    /// The next manifest.
    pub(super) next: &'a dyn Fn(&Known) -> Result<Manifest, E>,
    /// What it comes to for hosts, a line each.
    pub(super) meaning: &'a dyn Fn(&Known, &Manifest) -> Vec<String>,
    /// A refusal, with the command that helps.
    pub(super) judged: &'a dyn Fn(E) -> Failure,
    /// The command line, for whoever must say it again.
    pub(super) again: String,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    /// The number of the change that says it, new or not; none where nothing was told.
    pub(super) change: Option<u64>,
    /// Whether the herd knew it all.
    pub(super) known: bool,
    /// Whether nothing was meant to be changed.
    pub(super) dry_run: bool,
    /// What is different, a line each.
    pub(super) difference: Vec<String>,
    /// What it comes to for hosts, a line each.
    pub(super) meaning: Vec<String>,
}

impl Outcome {
    /// What is different and what it comes to, told or not.
    pub(super) fn show(&self, shell: &Shell) {
        self.difference.iter().chain(&self.meaning).for_each(|line| shell.print(line));
    }
}

impl Outcome {
    /// Notes by which change the herd is told, and says so, but for programs.
    pub(super) fn end(&mut self, told: &Told, for_programs: bool, shell: &Shell) {
        let (Told::Now(change) | Told::Before(change)) = told;
        (self.change, self.known) = (Some(change.manifest.number), matches!(told, Told::Before(_)));
        match told {
            _ if for_programs => {}
            Told::Now(change) => show_told(change, shell),
            Told::Before(change) => show_known(change.manifest.number, shell),
        }
    }
}

/// Nothing had to be told.
pub(super) fn show_known(number: u64, shell: &Shell) {
    shell.print(format_args!("nothing new: the herd knows all of it since change {number}"));
}

/// A change that was told.
pub(super) fn show_told(change: &VerifiedChange, shell: &Shell) {
    shell.print(format_args!("change {}, signed by {}", change.manifest, change.signer));
}

impl Telling {
    /// The key to sign with.
    pub(super) fn key(&self, operator: &Operator) -> Result<SigningKey, Failure> {
        let key = signing_key::find(self.key.clone(), operator.tree()).map_err(judge::key)?;
        Ok(SigningKey::new(key))
    }

    /// A command line with the key to sign with, as it was given.
    pub(super) fn signed(&self, line: &str) -> String {
        let key = self.key.as_ref().map(|key| format!(" --key {}", quoted(&key.to_string_lossy())));
        format!("{line}{}", key.unwrap_or_default())
    }

    /// Shows what is different, and tells the herd of the fleet around.
    pub(super) fn carry_out<E>(self, order: Order<'_, E>, shell: &Shell) -> Result<(), Failure> {
        let Order { next, meaning, judged, again } = order;
        let order = Order { next, meaning, judged, again: self.signed(&again) };
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let operator = Operator::of(&fleet).map_err(judge::operator)?;
        let key = if self.dry_run { None } else { Some(self.key(&operator)?) };
        let known = Known::ask(&operator, shell).map_err(judge::operator)?;
        let mut outcome = order.outcome(&known, self.dry_run)?;
        if !self.json {
            outcome.show(shell);
        }
        let told = key.map(|key| order.tell(&operator, known, &key, shell)).transpose()?;
        told.iter().for_each(|told| outcome.end(told, self.json, shell));
        match (told, self.json) {
            (_, true) => shell.print_json(&outcome),
            (None, false) => shell.print(format_args!("nothing was told; next: {}", order.again)),
            (Some(_), false) => shell.print("next: cargo xtask status"),
        }
        Ok(())
    }
}

impl<E> Order<'_, E> {
    /// What it comes to, as the herd is.
    pub(super) fn outcome(&self, known: &Known, dry_run: bool) -> Result<Outcome, Failure> {
        let after = (self.next)(known).map_err(self.judged)?;
        let difference = Difference::between(&known.manifest, &after).lines();
        let meaning = (self.meaning)(known, &after);
        Ok(Outcome { change: None, known: false, dry_run, difference, meaning })
    }

    /// Tells it, once, as it was shown.
    pub(super) fn tell(
        &self,
        operator: &Operator,
        known: Known,
        key: &SigningKey,
        shell: &Shell,
    ) -> Result<Told, Failure> {
        let shown = |known: &Known, after: &Manifest| {
            [Difference::between(&known.manifest, after).lines(), (self.meaning)(known, after)].concat()
        };
        let told = tell(operator, known, key, shell, self.next, shown);
        told.map_err(|error| judge::not_told(error, &self.again, self.judged))
    }
}

/// Nothing beyond the difference itself.
pub(super) fn no_meaning(_: &Known, _: &Manifest) -> Vec<String> {
    Vec::new()
}
