mod recover;

use clap::{Args, Subcommand};

use super::judge;
use crate::changes::{self, ChangesError, Full};
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::known::Known;
use crate::operator::Operator;
use crate::shell::Shell;

/// Show what the herd was told: all changes, or one in full
///
/// The newest first: when, who, who signed it, what and why, and how many hosts have it behind them. With a number: that change in full, what it changed, and what
/// came of it on each host and when, as the hosts' newest reports tell. With --full: each of them like that.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  cargo xtask changes            the newest twenty
  cargo xtask changes --all
  cargo xtask changes 12         what change 12 changed, and what came of it on each host
  cargo xtask changes --full     the newest twenty, each like that

Exit codes: 0 shown; 2 no such change; 3 no remote"
)]
pub(super) struct Changes {
    #[command(subcommand)]
    command: Option<ChangesCommand>,
    /// The number of a change, to show it in full
    number: Option<u64>,
    /// All changes, not only the newest twenty
    #[arg(long)]
    all: bool,
    /// Each change in full: what it changed, and what came of it on each host, and when
    #[arg(long)]
    full: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum ChangesCommand {
    Recover(recover::Recover),
}

/// So many are shown where nobody wants all.
const NEWEST: usize = 20;

impl Changes {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let operator = Operator::of(&fleet).map_err(judge::operator)?;
        match (&self.command, self.number) {
            (Some(ChangesCommand::Recover(recover)), _) => recover.run(&operator, shell),
            (None, Some(number)) => self.full(&operator, number, shell),
            (None, None) => self.list(&operator, shell),
        }
    }

    fn list(&self, operator: &Operator, shell: &Shell) -> Result<(), Failure> {
        let known = Known::look(operator).map_err(judge::operator)?;
        let most = if self.all { usize::MAX } else { NEWEST };
        let (listed, more) = changes::newest(operator, &known, most).map_err(judged)?;
        if self.json {
            shell.print_json(&listed);
            return Ok(());
        }
        let Some(newest) = listed.first() else {
            shell.print("the herd was told nothing yet; next: cargo xtask deploy");
            return Ok(());
        };
        let all = if more { "; cargo xtask changes --all shows the older ones" } else { "" };
        if self.full {
            listed.iter().for_each(|full| show(full, "\n", shell));
            shell.print(format_args!("next: cargo xtask status{all}"));
            return Ok(());
        }
        shell.print_text(changes::table(&listed));
        shell.print(format_args!("next: cargo xtask changes {}{all}", newest.entry.number));
        Ok(())
    }

    fn full(&self, operator: &Operator, number: u64, shell: &Shell) -> Result<(), Failure> {
        let known = Known::look(operator).map_err(judge::operator)?;
        let full = changes::full(operator, &known, number).map_err(judged)?;
        match self.json {
            true => shell.print_json(&full),
            false => show(&full, "; next: cargo xtask status", shell),
        }
        Ok(())
    }
}

fn show(full: &Full, end: &str, shell: &Shell) {
    shell.print(full.heading());
    full.difference.iter().for_each(|line| shell.print(line));
    if !full.hosts.is_empty() {
        shell.print_text(full.table());
    }
    shell.print(format_args!("{}{end}", full.summary()));
}

fn judged(error: ChangesError) -> Failure {
    match error {
        ChangesError::NoSuch { .. } => Failure::usage(error).hint("cargo xtask changes"),
        ChangesError::Operator(error) => judge::operator(error),
        error @ ChangesError::Log { .. } => error.into(),
    }
}
