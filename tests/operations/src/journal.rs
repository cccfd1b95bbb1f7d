//! What is owed and which steps are finished, in a file: as much of a host's record as these cases need.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wb_core::context::{Debt, DebtError, Debts, Journal, JournalError, Step};
use wb_core::system::files;

/// A journal that outlives its process.
#[derive(Debug)]
pub struct FileJournal {
    path: PathBuf,
    kept: RefCell<Kept>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Kept {
    debts: Vec<Debt>,
    steps: Vec<Step>,
}

impl FileJournal {
    /// The journal at `path`, empty where there is none.
    ///
    /// # Errors
    /// When it is there and can't be read.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let kept = files::read_optional(path)?.map(|bytes| serde_json::from_slice(&bytes)).transpose()?;
        Ok(Self { path: path.to_owned(), kept: RefCell::new(kept.unwrap_or_default()) })
    }

    fn change(&self, change: impl FnOnce(&mut Kept)) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut next = self.kept.borrow().clone();
        change(&mut next);
        let directory = self.path.parent().unwrap_or(&self.path);
        if !files::exists(directory) {
            files::create_private_dir(directory)?;
        }
        files::write(&self.path, serde_json::to_vec(&next)?, 0o600)?;
        self.kept.replace(next);
        Ok(())
    }
}

impl Debts for FileJournal {
    fn owe(&self, debt: Debt) -> Result<(), DebtError> {
        if self.kept.borrow().debts.contains(&debt) {
            return Ok(());
        }
        self.change(|kept| kept.debts.push(debt)).map_err(DebtError)
    }

    fn owed(&self) -> Vec<Debt> {
        self.kept.borrow().debts.clone()
    }

    fn paid(&self, debt: &Debt) -> Result<(), DebtError> {
        self.change(|kept| kept.debts.retain(|other| other != debt)).map_err(DebtError)
    }
}

impl Journal for FileJournal {
    fn steps(&self) -> Vec<Step> {
        self.kept.borrow().steps.clone()
    }

    fn finish(&self, step: Step) -> Result<(), JournalError> {
        let finish = |kept: &mut Kept| {
            kept.steps.retain(|other| !other.is_same(&step));
            kept.steps.push(step);
        };
        self.change(finish).map_err(JournalError)
    }
}
