use clap::Args;
use wb_core::chain::Sha1;
use wb_core::registry::{bylines, resolve};
use wb_core::runner::with_causes;
use wb_core::system::clock::{Clock as _, Real};

use super::judge;
use crate::calendar::ago;
use crate::chain_list::{Herd, list, table};
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::operator::{Operator, OperatorError};
use crate::shell::Shell;

/// Show the chain, oldest migration first
///
/// Who wrote each migration, on which day (UTC), and how many of the admitted hosts are at or past it, as far as was
/// heard when the remote was asked last: `cargo xtask status` asks it, and `--fetch` does. Without a remote nobody is
/// asked. With mistakes in the chain it shows what there is, tells the mistakes, and ends with exit code 1. No file is
/// written.
#[derive(Debug, Args)]
pub(super) struct Chain {
    /// Print JSON, with full sha1s, digests, and times in UTC
    #[arg(long)]
    json: bool,
    /// Ask the remote how far the hosts are now
    #[arg(long)]
    fetch: bool,
}

/// What is known of the herd, and since when.
#[derive(Default)]
struct Heard {
    herd: Option<Herd>,
    asked: Option<u64>,
}

impl Chain {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let resolved = resolve(&fleet.crate_dir)?;
        let landed: Vec<Sha1> = resolved.links.iter().filter(|link| !link.is_draft()).map(|link| link.sha1).collect();
        // Where git reads nothing, that is among the mistakes.
        let bylines = bylines(&fleet.crate_dir, &landed).unwrap_or_default();
        let heard = hear(&fleet, self.fetch, shell);
        let herd = heard.as_ref().ok().and_then(|heard| heard.herd.as_ref());
        let listed = list(&resolved, &bylines, herd);
        match self.json {
            true => shell.print_json(&listed),
            false => shell.print_text(table(&listed)),
        }
        self.say_how_old(heard, shell)?;
        judge::mistakes(&resolved.mistakes)
    }

    /// The last line. Without `--fetch`, a herd that nobody can ask of is no reason to fail.
    fn say_how_old(&self, heard: Result<Heard, OperatorError>, shell: &Shell) -> Result<(), Failure> {
        match heard {
            Err(error) if self.fetch => return Err(judge::operator(error)),
            Ok(_) if self.fetch => {}
            Err(OperatorError::NoRemote) => {}
            Err(error) => shell.warn(format_args!("how far hosts are is not known: {}", with_causes(&error))),
            Ok(Heard { asked: Some(then), .. }) => {
                shell.note(format_args!(
                    "hosts as of {}; cargo xtask chain --fetch asks again",
                    ago(Real.now().as_secs(), then)
                ));
            }
            Ok(_) => shell.note("nobody asked the remote yet how far hosts are: cargo xtask chain --fetch"),
        }
        Ok(())
    }
}

fn hear(fleet: &Fleet, fetch: bool, shell: &Shell) -> Result<Heard, OperatorError> {
    let operator = Operator::of(fleet)?;
    if fetch {
        let _progress = shell.begin(format!("asking {}", operator.registry().url()));
        operator.fetch()?;
    }
    let asked = operator.asked();
    let Some(newest) = operator.newest()? else { return Ok(Heard { herd: None, asked }) };
    let reports = operator.reports(&newest.manifest)?;
    Ok(Heard { herd: Some(Herd { manifest: newest.manifest, reports, asked }), asked })
}
