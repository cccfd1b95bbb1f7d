use std::process::ExitCode;

use clap::Args;

use crate::ci::{self, CiError};
use crate::failure::{Ended, Failure, NO};
use crate::shell::Shell;

/// Check all: formatting, lints, documentation, the chain, its migrations, and every test
///
/// Programs that tests on sandboxes need are installed and named. Where sandboxes can't start, their tests are skipped
/// and it is said why; with CI=true in the environment that is a failure. Migrations run on hosts of their own, as by
/// `cargo xtask test`, and only the newest is killed. The last line is `N passed, N failed`.
#[derive(Debug, Args)]
pub(super) struct Ci {}

impl Ci {
    pub(super) fn run(self, shell: &Shell) -> Ended {
        let tally = ci::run(shell).map_err(judged)?;
        shell.print(tally);
        Ok(ExitCode::from(if tally.failed == 0 { 0 } else { NO }))
    }
}

fn judged(error: CiError) -> Failure {
    match &error {
        CiError::Missing { remedy, .. } => {
            let hint = (*remedy).to_owned();
            Failure::from(error).hint(hint)
        }
        _ => error.into(),
    }
}
