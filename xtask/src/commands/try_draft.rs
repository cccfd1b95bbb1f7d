use std::process::ExitCode;

use clap::Args;

use super::{judge, test};
use crate::attempt::{self, Options, TryError};
use crate::failure::{Ended, Failure, NO};
use crate::fleet::Fleet;
use crate::sandbox::{self, Distribution, Engine, Init};
use crate::shell::Shell;

/// Try a migration, while it is being written, on hosts of its own
///
/// Shows what it would do, with diffs, then what it does, then whether its specs hold, on a real host for each set of
/// roles that runs it. The hosts are where it will find them: they boot on what `cargo xtask test` kept of those that ran
/// all that comes before it; what was not kept is made first. What runs is not the runner that ships, but its twin, which
/// is compiled in a moment; only the first try of a fleet compiles for minutes. A migration or a host that there is not is
/// refused before that. Needs root, or a machine where users may make namespaces, or have containers.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask try                          the draft
  cargo xtask try --watch                  the draft, again whenever a file is saved
  cargo xtask try install_nginx --keep     this one; then look at the host with `cargo xtask sandbox enter try/web1`

Exit codes: 0 all is well; 1 it failed, a spec does not hold, or the plan was none; 2 wrong usage; 3 there are no hosts")]
pub(super) struct Try {
    /// The migration [default: the draft]
    name: Option<String>,
    /// Try it only on hosts with ROLE; may be named several times
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// Try it only on the host that has the name, the roles and the settings of HOST
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Leave the hosts running, and say how to enter them
    #[arg(long, conflicts_with = "watch")]
    keep: bool,
    /// Try it again whenever a file of the crate is saved, until it is interrupted
    #[arg(long)]
    watch: bool,
    /// What hosts are
    #[arg(long, value_name = "IMAGE", value_enum, default_value_t = Distribution::Debian12)]
    image: Distribution,
    /// What runs as their process 1 [default: sysv, and systemd where there is no sysvinit]
    #[arg(long, value_name = "INIT", value_enum)]
    init: Option<Init>,
    /// What sandboxes are made with
    #[arg(long, value_name = "ENGINE", value_enum, default_value_t = Engine::Namespaces)]
    engine: Engine,
}

impl Try {
    pub(super) fn run(self, shell: &Shell) -> Ended {
        let Self { name, roles, host, keep, watch, image, init, engine } = self;
        sandbox::within(engine, &|line| shell.done("engine", line))?;
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let (roles, init) = (roles.into_iter().collect(), init.unwrap_or(image.init()));
        let options = Options { name, roles, host, keep, watch, image, init };
        let is_well = attempt::attempt(&fleet, &options, shell).map_err(judged)?;
        Ok(ExitCode::from(if is_well { 0 } else { NO }))
    }
}

fn judged(error: TryError) -> Failure {
    match error {
        TryError::Test(error) => test::judged(error),
        TryError::NoDraft => {
            Failure::usage(error).hint("cargo xtask new NAME --role ROLE").hint("cargo xtask try MIGRATION")
        }
        TryError::Unknown(unknown) => Failure::usage(unknown).hint("cargo xtask chain"),
        TryError::Nobody { .. } => Failure::usage(error).hint("cargo xtask host list"),
        TryError::Gone { .. } => Failure::refused(error),
        TryError::Before { .. } => Failure::refused(error).hint("cargo xtask test"),
    }
}
