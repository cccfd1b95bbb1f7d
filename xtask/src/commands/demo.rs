use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::demo::{self, DemoError, Options, Outcome};
use crate::failure::{Ended, Failure, NO};
use crate::sandbox::{Missing, NotReady, SandboxError};
use crate::shell::Shell;
use crate::stage::StageError;
use crate::table::Table;

/// Show a herd of five real hosts on this machine that rolls without a failed request
///
/// A load balancer, three web servers and a database, each with a root file system, an init and an address of its own,
/// follow a git server that only they can reach. The chain of the example fleet is deployed; then, under steady
/// requests, one link more that changes the page. Needs root, or a machine where users may make namespaces. Nothing
/// outside the scratch directory changes, but for missing programs, which are installed and named.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Write the result to FILE as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Leave the herd running, and say how to enter a host and how to deploy to it
    #[arg(long)]
    keep: bool,
    /// End a herd that was left running
    #[arg(long, conflicts_with_all = ["json", "keep"])]
    stop: bool,
}

impl Demo {
    pub(super) fn run(self, shell: &Shell) -> Ended {
        if self.stop {
            let stopped = demo::stop().map_err(judged)?;
            shell.print(if stopped { "The herd has ended." } else { "No herd was running." });
            return Ok(ExitCode::SUCCESS);
        }
        let outcome = demo::run(&Options { json: self.json, keep: self.keep, scratch: None }, shell).map_err(judged)?;
        Ok(show(&outcome, shell))
    }
}

fn show(outcome: &Outcome, shell: &Shell) -> ExitCode {
    let mut table = Table::new(&["host", "roles", "state", "migration"]);
    for host in &outcome.hosts {
        let state = host.state.map(|state| state.short()).unwrap_or_default();
        table.row([host.name.clone(), host.roles.join("+"), state, host.migration.clone().unwrap_or_default()]);
    }
    shell.print_text(format_args!("\n{table}\n{}\n", chain(outcome)));
    let Outcome { requests, failed_requests, max_out_seen, max_out, .. } = outcome;
    shell.print(format_args!(
        "{requests} requests, {failed_requests} failed; at most {max_out_seen} of the web servers out at once, {max_out} may be"
    ));
    let (first, roll) = (outcome.seconds_first_deploy, outcome.seconds_roll);
    shell.print(format_args!("first deploy {first:.1} s, roll {roll:.1} s"));
    for complaint in &outcome.complaints {
        shell.warn(complaint);
    }
    match outcome.ok {
        true => shell.print("The herd rolled. Next: cargo xtask init DIR, for a fleet of your own."),
        false => shell.print("The herd did not keep its promises."),
    }
    ExitCode::from(if outcome.ok { 0 } else { NO })
}

fn chain(outcome: &Outcome) -> Table {
    let mut table = Table::new(&["#", "sha1", "migration", "role", "waits for"]);
    for (index, link) in outcome.chain.links().iter().enumerate() {
        let wait = link.wait.as_ref().map(ToString::to_string).unwrap_or_default();
        table.row([(index + 1).to_string(), link.sha1.short(), link.name.clone(), link.role.clone(), wait]);
    }
    table
}

fn judged(error: DemoError) -> Failure {
    match &error {
        DemoError::Stage(StageError::Late { .. } | StageError::Host { .. }) => Failure::refused(&error),
        DemoError::NotReady(NotReady::Missing { missing }) => {
            let problem = |missing: &Missing| Failure::environment(format_args!("{}: {}", missing.what, missing.why));
            Failure::all(missing.iter().map(|missing| problem(missing).hint(&missing.remedy)))
        }
        DemoError::Stage(StageError::Sandbox(SandboxError::Busy { .. }))
        | DemoError::Sandbox(SandboxError::Busy { .. }) => Failure::from(error).hint("cargo xtask demo --stop"),
        _ => error.into(),
    }
}
