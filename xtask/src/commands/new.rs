use clap::Args;
use wb_core::chain::nearest;

use super::judge;
use crate::chain_file::{self, ChainFileError};
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::shell::Shell;

const TEMPLATE: &str = include_str!("../../templates/migration.rs");

/// Write a new migration
///
/// A file under src/chain whose body compiles and does nothing, its line in src/chain.rs, and in chain.lock the pins of
/// the migrations before it. Nothing is committed.
#[derive(Debug, Args)]
pub(super) struct New {
    /// What it does, as the name of a function: install_nginx
    name: String,
    /// Whose hosts run it
    #[arg(long)]
    role: String,
}

impl New {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let source = TEMPLATE.replace("{{role}}", &self.role).replace("{{name}}", &self.name);
        let added = chain_file::add(&fleet.crate_dir, &self.name, Some(&self.role), &source);
        let path = added.map_err(|error| judged(error, &self.name, &fleet))?;
        shell.done("wrote", path.display());
        shell.print(format_args!(
            "next: write it, then git add --all && git commit -m 'Add the migration {}'",
            self.name
        ));
        Ok(())
    }
}

fn judged(error: ChainFileError, name: &str, fleet: &Fleet) -> Failure {
    match error {
        ChainFileError::Mistakes(mistakes) => judge::all_mistakes(&mistakes),
        ChainFileError::Draft { ref draft } => {
            let hint = format!("git add --all && git commit -m 'Add the migration {draft}'");
            Failure::refused(error).hint(hint)
        }
        ChainFileError::Taken { .. } => Failure::usage(error).hint("cargo xtask chain"),
        ChainFileError::UnknownRole { ref role, ref known } => {
            let meant = nearest(role, known.iter().map(String::as_str));
            let instead = meant.map(|meant| format!("cargo xtask new {name} --role {meant}"));
            Failure::usage(&error).hint(instead.unwrap_or_else(|| judge::edit_roles(fleet)))
        }
        ChainFileError::Name { .. } => Failure::usage(error),
        error => error.into(),
    }
}
