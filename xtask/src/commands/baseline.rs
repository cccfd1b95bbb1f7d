use clap::Args;
use wb_core::chain::{Replaces, nearest};
use wb_core::system::quoted;

use super::judge;
use crate::baseline::{self, BaselineError};
use crate::chain_file::ChainFileError;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::shell::Shell;

/// Write a baseline: new hosts start there
///
/// A migration that stands for earlier ones of its role. New hosts run it in place of these; a host that has begun any of
/// them runs them to their end, and passes the baseline over. chain.lock keeps the names and places of what it replaces,
/// so that the files may be deleted, with their lines in src/chain.rs, in any later commit or the same. Nothing is
/// committed or deleted here.
#[derive(Debug, Args)]
pub(super) struct Baseline {
    /// Its name, as that of a function: web_as_of_june
    name: String,
    /// Whose migrations it stands for
    #[arg(long)]
    role: String,
    /// The first and the last migration that it stands for, by their sha1s; else all of the role that have landed
    #[arg(long, value_name = "FROM..TO")]
    replaces: Option<Replaces>,
}

impl Baseline {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let added = baseline::add(&fleet.crate_dir, &self.name, &self.role, self.replaces.clone());
        let written = added.map_err(|error| judged(error, &self, &fleet))?;
        shell.done("wrote", written.path.display());
        if let (Some(first), Some(last)) = (written.replaced.first(), written.replaced.last()) {
            shell.print(format_args!("{} stands for {first} to {last}; their files may go:", self.name));
        }
        for link in written.replaced.iter().filter(|link| !link.gone) {
            shell.print(format_args!("  src/chain/{}.rs, with `mod {};`", link.name, link.name));
        }
        shell.print(format_args!(
            "next: write it, then git add --all && git commit -m 'Add the baseline {}'",
            self.name
        ));
        Ok(())
    }
}

fn judged(error: BaselineError, said: &Baseline, fleet: &Fleet) -> Failure {
    let command = |role: &str| format!("cargo xtask baseline {} --role {}", quoted(&said.name), quoted(role));
    match error {
        BaselineError::Chain(ChainFileError::Mistakes(mistakes)) => judge::all_mistakes(&mistakes),
        BaselineError::Chain(ChainFileError::Draft { ref draft }) => {
            let hint = format!("git add --all && git commit -m 'Add the migration {draft}'");
            Failure::refused(error).hint(hint)
        }
        BaselineError::Chain(ChainFileError::UnknownRole { ref role, ref known }) => {
            let instead = nearest(role, known.iter().map(String::as_str)).map(command);
            Failure::usage(&error).hint(instead.unwrap_or_else(|| judge::edit_roles(fleet)))
        }
        BaselineError::Chain(ChainFileError::Taken { .. }) => Failure::usage(error).hint("cargo xtask chain"),
        BaselineError::Chain(ChainFileError::Name { .. }) => Failure::usage(error),
        BaselineError::Nothing { ref role } => {
            let hint = format!("cargo xtask new {} --role {}", quoted(&said.name), quoted(role));
            Failure::usage(error).hint(hint)
        }
        BaselineError::Range { .. } => Failure::usage(error).hint(command(&said.role)),
        BaselineError::Chain(error) => error.into(),
        BaselineError::File(error) => error.into(),
    }
}
