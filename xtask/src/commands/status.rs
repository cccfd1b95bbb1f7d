use std::process::ExitCode;

use clap::Args;

use super::judge;
use crate::failure::{Ended, NO};
use crate::fleet::Fleet;
use crate::shell::Shell;
use crate::status::{self, HerdStatus, ways_out};

/// Show how far the herd is
///
/// One line for each host: where it is, how many migrations are before it, what it is doing, and what it waits for or
/// what is wrong. The exit code is 0 only when every host is at the target and nothing is wrong.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) fn run(self, shell: &Shell) -> Ended {
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let status = status::status(&fleet, shell).map_err(judge::operator)?;
        match self.json {
            true => shell.print_json(&status),
            false => show(&status, shell),
        }
        Ok(if status.settled { ExitCode::SUCCESS } else { ExitCode::from(NO) })
    }
}

fn show(status: &HerdStatus, shell: &Shell) {
    shell.print_text(status.table());
    shell.print(status.summary());
    for (host, migration) in status.failed() {
        ways_out(host, migration).iter().for_each(|way| shell.print(format_args!("hint: {way}")));
    }
    for name in &status.newcomers {
        match status.hosts.iter().any(|host| host.admitted && host.name == *name) {
            true => shell.print(format_args!(
                "another machine enrolled as `{name}`; if that takes the place of a lost one: cargo xtask host admit {name} --replace"
            )),
            false => shell.print(format_args!("`{name}` enrolled and waits; next: cargo xtask host admit {name}")),
        }
    }
}
