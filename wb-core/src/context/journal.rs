//! What a migration finds again after an interruption: what it owes, and the steps that it has finished.

use std::cell::RefCell;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::debt::{Debt, DebtError, Debts};
use crate::chain::{Digest, Sha1};

/// A finished step of a link, and what it gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Whose.
    pub link: Sha1,
    /// The link's digest when it ran.
    pub digest: Digest,
    /// Its name.
    pub name: String,
    /// Which one of that name, counted from 0.
    pub occurrence: usize,
    /// What it gave.
    pub value: Value,
}

impl Step {
    /// Whether it is the same step of the same link, whatever it gave.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.link, &self.name, self.occurrence) == (other.link, &other.name, other.occurrence)
    }
}

/// Where debts and finished steps are written down.
pub trait Journal: Debts {
    /// The steps that are finished.
    fn steps(&self) -> Vec<Step>;
    /// Writes a finished step down, in place of an earlier one of the same link, name and occurrence.
    ///
    /// # Errors
    /// When it can't be stored; the migration must not go on then.
    fn finish(&self, step: Step) -> Result<(), JournalError>;
}

/// A step could not be written down.
#[derive(Debug, thiserror::Error)]
#[error("could not write down what is done")]
pub struct JournalError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// A journal in memory: for plans and tests.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    debts: RefCell<Vec<Debt>>,
    steps: RefCell<Vec<Step>>,
}

impl MemoryJournal {
    /// These debts, oldest first, and these finished steps.
    #[must_use]
    pub fn new(owed: Vec<Debt>, steps: Vec<Step>) -> Self {
        Self { debts: RefCell::new(owed), steps: RefCell::new(steps) }
    }
}

impl Debts for MemoryJournal {
    fn owe(&self, debt: Debt) -> Result<(), DebtError> {
        let mut debts = self.debts.borrow_mut();
        if !debts.contains(&debt) {
            debts.push(debt);
        }
        Ok(())
    }

    fn owed(&self) -> Vec<Debt> {
        self.debts.borrow().clone()
    }

    fn paid(&self, debt: &Debt) -> Result<(), DebtError> {
        self.debts.borrow_mut().retain(|other| other != debt);
        Ok(())
    }
}

impl Journal for MemoryJournal {
    fn steps(&self) -> Vec<Step> {
        self.steps.borrow().clone()
    }

    fn finish(&self, step: Step) -> Result<(), JournalError> {
        let mut steps = self.steps.borrow_mut();
        steps.retain(|other| !other.is_same(&step));
        steps.push(step);
        Ok(())
    }
}
