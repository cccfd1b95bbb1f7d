//! Owed actions. A change that makes a reload or restart necessary writes the debt down first, so that it is paid
//! even when the host crashes between the change and the payment.

use std::io;

use serde::{Deserialize, Serialize};

/// An action that a change made necessary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debt {
    /// What is owed.
    pub action: DebtAction,
    /// To which service.
    pub service: String,
}

/// What can be owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DebtAction {
    /// Read the configuration again.
    Reload,
    /// Stop and start. It pays a reload too.
    Restart,
}

/// The debts could not be written down.
#[derive(Debug, thiserror::Error)]
#[error("could not write down what is owed")]
pub struct DebtError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl From<io::Error> for DebtError {
    fn from(error: io::Error) -> Self {
        Self(Box::new(error))
    }
}

/// Where debts are written down.
pub trait Debts {
    /// Writes a debt down, before the change that owes it. One that stands there already stays once.
    ///
    /// # Errors
    /// When it can't be stored; the change must not be made then.
    fn owe(&self, debt: Debt) -> Result<(), DebtError>;
    /// What is owed, oldest first.
    fn owed(&self) -> Vec<Debt>;
    /// Strikes a debt that was paid.
    ///
    /// # Errors
    /// When that can't be stored.
    fn paid(&self, debt: &Debt) -> Result<(), DebtError>;
}
