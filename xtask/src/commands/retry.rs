use std::path::PathBuf;

use clap::Args;
use wb_core::registry::SigningKey;

use super::judge;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::operator::{Operator, OperatorError};
use crate::retry::{self, RetryError};
use crate::shell::Shell;
use crate::signing_key;

/// Ask hosts to try again what failed
///
/// One signed change that alters nothing else. What failed is tried once more; when it fails again, the host stops as
/// before. Mend the cause first. A host on which nothing failed is refused.
#[derive(Debug, Args)]
pub(super) struct Retry {
    /// The hosts to ask
    #[arg(required = true, value_name = "HOST")]
    hosts: Vec<String>,
    /// The SSH key to sign with; else git's user.signingkey (with gpg.format=ssh), else one of ~/.ssh
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

impl Retry {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let operator = Operator::of(&fleet).map_err(judge::operator)?;
        let key = SigningKey::new(signing_key::find(self.key, operator.tree()).map_err(judge::key)?);
        let change = retry::retry(&operator, &self.hosts, &key, shell).map_err(|error| judged(error, &self.hosts))?;
        shell.print(format_args!("change {}, signed by {}", change.manifest, change.signer));
        shell.print("next: cargo xtask status");
        Ok(())
    }
}

fn judged(error: RetryError, hosts: &[String]) -> Failure {
    match error {
        RetryError::Unknown { .. } => Failure::usage(error).hint("cargo xtask status"),
        RetryError::NotFailed { .. } => Failure::refused(error).hint("cargo xtask status"),
        RetryError::Operator(OperatorError::Overtaken { .. }) => {
            Failure::refused(error).hint(format_args!("cargo xtask retry {}", hosts.join(" ")))
        }
        RetryError::Operator(error) => judge::operator(error),
    }
}
