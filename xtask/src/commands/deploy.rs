use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::judge;
use crate::deploy::plan::Stuck;
use crate::deploy::{self, DeployError, Deployed, End, Request};
use crate::failure::{Ended, Failure, NO};
use crate::fleet::Fleet;
use crate::shell::Shell;
use crate::status::ways_out;

/// Build the runner, and tell the herd what to do
///
/// One signed change with all that is committed: the chain, the runner, the hosts of herd.toml. It is appended to the
/// log only if nobody else appended something first. Refused are files that are not committed, mistakes in the chain,
/// a chain that does not continue the deployed one, and hosts that vanished from herd.toml without being named.
#[derive(Debug, Args)]
pub(super) struct Deploy {
    /// In a line, what and why
    #[arg(long, short)]
    message: Option<String>,
    /// The SSH key to sign with; else git's user.signingkey (with gpg.format=ssh), else one of ~/.ssh
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// A host that leaves the herd
    #[arg(long, value_name = "HOST")]
    remove: Vec<String>,
    /// Build, check and show the difference, and tell the herd nothing
    #[arg(long)]
    dry_run: bool,
}

impl Deploy {
    pub(super) fn run(self, shell: &Shell) -> Ended {
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let remove = self.remove.into_iter().collect();
        let request = Request { message: self.message, key: self.key, remove, dry_run: self.dry_run };
        let deployed = deploy::deploy(&fleet, &request, shell).map_err(judged)?;
        Ok(show(&deployed, shell))
    }
}

fn show(Deployed { difference, stuck, end }: &Deployed, shell: &Shell) -> ExitCode {
    shell.print_text(difference);
    stuck.iter().for_each(|stuck| offer(stuck, shell));
    match end {
        End::Told(change) => {
            shell.print(format_args!("change {}, signed by {}", change.manifest, change.signer));
            shell.print("next: cargo xtask status");
        }
        End::KnownSince(number) => {
            shell.print(format_args!("nothing new: the herd knows all of it since change {number}"))
        }
        End::DryRun => shell.print("nothing was told; next: cargo xtask deploy"),
        End::Overtaken(meanwhile) => {
            meanwhile.iter().for_each(|meanwhile| shell.note(meanwhile));
            let message = "somebody else told the herd something first, and nothing of this deploy was told";
            shell.fail(&Failure::refused(message).hint("git pull --rebase && cargo xtask deploy"));
            return ExitCode::from(NO);
        }
    }
    ExitCode::SUCCESS
}

/// What failed stays failed, unless somebody says what to do.
fn offer(Stuck { host, link }: &Stuck, shell: &Shell) {
    shell.warn(format_args!("`{host}` failed at {link}, which stays as it was: it is not tried again by itself"));
    ways_out(host, &link.name).iter().for_each(|way| shell.print(format_args!("hint: {way}")));
}

fn judged(error: DeployError) -> Failure {
    match error {
        DeployError::Refused(refusals) => judge::refusals(&refusals),
        DeployError::Mistakes(mistakes) => judge::all_mistakes(&mistakes),
        DeployError::RunnerDiffers { .. } => Failure::from(error).hint("CARGO_TARGET_DIR=target cargo xtask deploy"),
        DeployError::Fleet(error) => judge::fleet(error),
        DeployError::Operator(error) => judge::operator(error),
        DeployError::Key(error) => judge::key(error),
        error => error.into(),
    }
}
