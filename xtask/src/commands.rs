//! The command line: one file for each command.

mod adopt;
mod amend;
mod apply;
mod baseline;
mod bench;
mod book;
mod build;
mod chain;
mod changes;
mod check;
mod ci;
mod demo;
mod deploy;
mod hold;
mod host;
mod init;
mod judge;
mod new;
mod order;
mod promote;
mod rechain;
mod release;
mod retry;
mod sandbox;
mod status;
mod test;
mod torture;
mod try_draft;
mod waive;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use wb_core::system::environment;

use crate::failure::{EXIT_CODES, Ended, Failure};
use crate::shell::Shell;

/// The operator's commands: write migrations, check them, and tell the herd.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, after_help = EXIT_CODES)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Demo(demo::Demo),
    New(new::New),
    Apply(apply::Apply),
    Baseline(baseline::Baseline),
    Check(check::Check),
    Test(test::Test),
    Try(try_draft::Try),
    Rechain(rechain::Rechain),
    Amend(amend::Amend),
    Ci(ci::Ci),
    Book(book::BuildBook),
    Chain(chain::Chain),
    Host(host::Host),
    Build(build::Build),
    Deploy(deploy::Deploy),
    Status(status::Status),
    Changes(changes::Changes),
    Retry(retry::Retry),
    Adopt(adopt::Adopt),
    Promote(promote::Promote),
    Hold(hold::Hold),
    Resume(hold::Resume),
    Release(release::Release),
    Waive(waive::Waive),
    Sandbox(sandbox::Sandbox),
    Bench(bench::Bench),
    Torture(torture::Torture),
}

impl Command {
    fn run(self, shell: &Shell) -> Ended {
        match self {
            Self::Init(command) => done(command.run(shell)),
            Self::New(command) => done(command.run(shell)),
            Self::Apply(command) => done(command.run(shell)),
            Self::Baseline(command) => done(command.run(shell)),
            Self::Check(command) => command.run(shell),
            Self::Test(command) => command.run(shell),
            Self::Try(command) => command.run(shell),
            Self::Amend(command) => done(command.run(shell)),
            Self::Rechain(command) => command.run(shell),
            Self::Chain(command) => done(command.run(shell)),
            Self::Host(command) => done(command.run(shell)),
            Self::Build(command) => done(command.run(shell)),
            Self::Changes(command) => done(command.run(shell)),
            Self::Retry(command) => done(command.run(shell)),
            Self::Adopt(command) => done(command.run(shell)),
            Self::Promote(command) => done(command.run(shell)),
            Self::Hold(command) => done(command.run(shell)),
            Self::Resume(command) => done(command.run(shell)),
            Self::Release(command) => done(command.run(shell)),
            Self::Waive(command) => done(command.run(shell)),
            Self::Book(command) => done(command.run(shell)),
            Self::Sandbox(command) => command.run(shell),
            Self::Bench(command) => command.run(shell),
            Self::Ci(command) => command.run(shell),
            Self::Demo(command) => command.run(shell),
            Self::Deploy(command) => command.run(shell),
            Self::Status(command) => command.run(shell),
            Self::Torture(command) => command.run(shell),
        }
    }
}

fn done(result: Result<(), Failure>) -> Ended {
    result.map(|()| ExitCode::SUCCESS)
}

/// Runs the command that the command line names.
pub(crate) fn run(shell: &Shell) -> ExitCode {
    let line = match CommandLine::try_parse_from(environment::args()) {
        Ok(line) => line,
        Err(error) => {
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    line.command.run(shell).unwrap_or_else(|failure| {
        shell.fail(&failure);
        failure.exit_code()
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }
    #[test]
    fn every_command_explains_itself() {
        let mut all = CommandLine::command();
        all.build();
        insta::assert_snapshot!(help(&mut all));
    }

    fn help(command: &mut clap::Command) -> String {
        let text = command.render_long_help();
        let own = format!("$ {} --help\n{text}\n", command.get_bin_name().unwrap_or_default());
        let inner = command.get_subcommands_mut().filter(|inner| inner.get_name() != "help");
        inner.fold(own, |text, inner| text + &help(inner))
    }
}
