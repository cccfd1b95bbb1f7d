use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use wb_core::chain::Digest;
use wb_core::system::files;

use super::judge;
use crate::build;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::shell::Shell;

/// Build the runner, as a deploy does
///
/// For servers of this machine's kind, linked statically. It is what a host needs before it enrols; all later ones it takes
/// from the herd. `cargo build --release` at the top of a fleet compiles the operator's commands along, and what these
/// ask of the crates that they share: that is another program than the one that is deployed.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 built; 2 wrong usage; 3 it does not compile, or can't be written")]
pub(super) struct Build {
    /// Write it to FILE, too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Said {
    /// Where it lies.
    runner: PathBuf,
    /// The target triple.
    target: String,
    sha256: Digest,
}

impl Build {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let built = build::runner(&fleet, shell)?;
        let bytes = files::read(&built.path)?;
        if let Some(out) = &self.out {
            files::write(out, &bytes, 0o755)?;
        }
        let runner = self.out.unwrap_or(built.path);
        let said = Said { runner, target: built.triple, sha256: Digest::of(&bytes) };
        match self.json {
            true => shell.print_json(&said),
            // As `sha256sum --check` reads it.
            false => shell.print(format_args!("{}  {}", said.sha256, said.runner.display())),
        }
        Ok(())
    }
}
