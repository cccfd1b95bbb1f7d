use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::git::WorkTree;
use crate::scaffold::{Dependencies, Scaffold, ScaffoldError};
use crate::shell::Shell;
use crate::signers::{self, Signer};

/// Make a fleet repository of one's own
///
/// A cargo workspace with a crate of migrations, the operator's commands and a CI file, in a git repository whose branch
/// is `main`, and a first migration in a commit of its own. Nothing is asked. The crates of Wildebeest are copied into
/// it.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// Where it goes: a directory that is not there yet, or empty
    dir: PathBuf,
    /// Use the sources that this program was compiled from by their path, instead of a copy
    #[arg(long)]
    path_dependencies: bool,
}

impl Init {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let dependencies = if self.path_dependencies { Dependencies::Paths } else { Dependencies::Vendored };
        let mut scaffold = Scaffold::new(&self.dir, dependencies);
        let signer = Signer::of_this_machine(None, &WorkTree::at("."));
        if let Ok(signer) = &signer {
            scaffold.signers = signers::with(&scaffold.signers, signer);
        }
        scaffold.create(shell).map_err(judged)?;
        explain(shell, dependencies, signer.ok().as_ref());
        shell.print(format_args!("next: cd {} && cargo xtask host add NAME --role server", self.dir.display()));
        Ok(())
    }
}

fn explain(shell: &Shell, dependencies: Dependencies, signer: Option<&Signer>) {
    if dependencies == Dependencies::Vendored {
        shell.note(
            "the crates of Wildebeest are copied to vendor/wildebeest: the fleet builds from its own repository alone",
        );
    }
    match signer {
        Some(signer) => shell.note(format_args!("migrations/allowed_signers names the key of {}", signer.principal)),
        None => shell.note("no SSH key was found; name who may deploy in migrations/allowed_signers"),
    }
}

fn judged(error: ScaffoldError) -> Failure {
    match error {
        ScaffoldError::NotEmpty { .. } => Failure::usage(error).hint("cargo xtask init ANOTHER_DIR"),
        ScaffoldError::Vendor(_) => Failure::from(error).hint("cargo xtask init DIR --path-dependencies"),
        error => error.into(),
    }
}
