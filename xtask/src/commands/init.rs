use std::path::PathBuf;

use clap::Args;
use wb_core::system::{Command, environment};

use crate::failure::Failure;
use crate::git::{TOOL_NAME, WorkTree};
use crate::scaffold::{Dependencies, Scaffold, ScaffoldError};
use crate::shell::Shell;
use crate::signers::{self, Signer};

/// Make a fleet repository of one's own
///
/// A cargo workspace with a crate of migrations, the operator's commands, tests and CI files for GitHub and GitLab, in a git
/// repository whose branch is `main`, and a first migration in a commit of its own. Nothing is asked. The crates of
/// Wildebeest are copied into it, as long as they are not on crates.io.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// Where it goes: a directory that is not there yet, or empty
    dir: PathBuf,
    /// Use the sources that this program was compiled from by their path, instead of a copy
    #[arg(long, conflicts_with = "published")]
    path_dependencies: bool,
    /// Use the crates of this version on crates.io, instead of a copy
    #[arg(long)]
    published: bool,
    /// Make a repository of its own, though the directory lies in another one
    #[arg(long)]
    nested: bool,
}

impl Init {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        self.refuse_nested()?;
        let dependencies = self.dependencies();
        let mut scaffold = Scaffold::new(&self.dir, dependencies);
        let signer = Signer::of_this_machine(None, &WorkTree::at("."));
        if let Ok(signer) = &signer {
            scaffold.signers = signers::with(&scaffold.signers, signer);
        }
        scaffold.create(shell).map_err(|error| self.judged(error))?;
        explain(shell, dependencies, signer.ok().as_ref());
        // The alias keeps cargo quiet, or it would say two lines before each later command.
        shell.note("the first command in the fleet compiles for some minutes, and says nothing meanwhile");
        let cd = Command::new("cd").arg(&self.dir).line();
        shell.print(format_args!("next: {cd} && cargo xtask host add NAME --role server"));
        Ok(())
    }

    fn dependencies(&self) -> Dependencies {
        match (self.path_dependencies, self.published) {
            (true, _) => Dependencies::Paths,
            (false, true) => Dependencies::Published,
            (false, false) => Dependencies::Vendored,
        }
    }

    /// A chain is the history of its repository, and the repository around would have no part in this one.
    fn refuse_nested(&self) -> Result<(), Failure> {
        let here = environment::current_dir().unwrap_or_default();
        match WorkTree::that_would_have(&here.join(&self.dir)) {
            Some(around) if !self.nested => {
                let (dir, around) = (self.dir.display(), around.dir().display());
                let what = format!("{dir} lies in the repository {around}, and a fleet is a repository of its own");
                Err(Failure::usage(what).hint("cargo xtask init ANOTHER_DIR").hint(self.again("--nested")))
            }
            _ => Ok(()),
        }
    }

    fn judged(&self, error: ScaffoldError) -> Failure {
        match error {
            ScaffoldError::NotEmpty { .. } => Failure::usage(error).hint("cargo xtask init ANOTHER_DIR"),
            ScaffoldError::Vendor(_) => Failure::from(error).hint(self.again("--published")),
            ScaffoldError::Lock { .. } if self.published => {
                Failure::from(error).hint(Command::new("cargo").args(["xtask", "init"]).arg(&self.dir).line())
            }
            error => error.into(),
        }
    }

    fn again(&self, option: &str) -> String {
        Command::new("cargo").args(["xtask", "init"]).arg(&self.dir).arg(option).line()
    }
}

fn explain(shell: &Shell, dependencies: Dependencies, signer: Option<&Signer>) {
    match dependencies {
        Dependencies::Vendored => shell.note(
            "the crates of Wildebeest are copied to vendor/wildebeest, since they are not on crates.io yet: \
             the fleet builds from its own repository alone",
        ),
        Dependencies::Paths => {
            shell.note("the fleet builds only where the sources of Wildebeest are: it is for their development")
        }
        Dependencies::Published => {}
    }
    if WorkTree::at(".").identity().name == TOOL_NAME {
        shell.note(
            "git does not know who you are, so the first commits are wildebeest's: \
             git config --global user.name NAME && git config --global user.email ADDRESS",
        );
    }
    match signer {
        Some(signer) => shell.note(format_args!("migrations/allowed_signers names the key of {}", signer.principal)),
        None => shell.note("no SSH key was found; name who may deploy in migrations/allowed_signers"),
    }
}
