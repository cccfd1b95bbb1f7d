use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{ArgGroup, Args};
use signal_hook::consts::{SIGINT, SIGTERM};
use wb_core::system::clock::Real;
use wb_core::system::{FileError, files};

use super::judge;
use crate::failure::{Ended, Failure, NO};
use crate::fleet::Fleet;
use crate::operator::Operator;
use crate::shell::Shell;
use crate::status::watch::{Seen, View, WatchError, Watching, watch};
use crate::status::{self, HerdStatus, Verdict};

/// The herd does not get to its target before somebody acts.
const NEEDS_PEOPLE: u8 = 4;

/// What was seen last is not the newest.
const UNREACHED: u8 = 3;

const EXIT_CODES: &str = "\
Exit codes:
  0  settled: every host has heard the newest change, is well and at the target of everyone, and no canary is pending
  1  not there yet, or not known: time alone may bring it there; with --until-settled: the time is over; when watching:
     ended before anything was seen
  2  wrong usage
  3  the remote, or something else that is needed, could not be reached, or was not at last
  4  somebody must act: a host failed, stopped, drifted, is contested, held or not admitted, canaries are to be promoted,
     nothing is deployed yet, or the remote has lost changes; the hints say what to do";

/// Show how far the herd is
///
/// Each host with where it is, how many migrations are before it, what it does and since when, when it was seen last, and
/// what it waits for or what is wrong; who is out of load; what operators told beside the target. A host is unknown when
/// its last report is older than it should be, by the clock of this machine. Those that need people come first.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, group = ArgGroup::new("watching").args(["watch", "until_settled"]).multiple(true))]
pub(super) struct Status {
    /// List all hosts, also those of a large herd that are well
    #[arg(long)]
    all: bool,
    /// Print JSON; when watching, on a line each time something changed
    #[arg(long)]
    json: bool,
    /// Look again and again: a page in place on a terminal, elsewhere a line for each change. Ctrl-C ends it
    #[arg(long)]
    watch: bool,
    /// How long to wait between two looks
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = every, requires = "watching")]
    every: Duration,
    /// Watch until the herd is settled, or can't be before somebody acts, or the time is over
    #[arg(long)]
    until_settled: bool,
    /// How long --until-settled waits
    #[arg(
        long,
        value_name = "TIME",
        default_value = "1h",
        value_parser = humantime::parse_duration,
        requires = "until_settled"
    )]
    timeout: Duration,
    /// Write metrics to this file at each look, for the textfile collector of Prometheus' node_exporter
    #[arg(long, value_name = "FILE")]
    prometheus: Option<PathBuf>,
}

fn every(text: &str) -> Result<Duration, String> {
    let every = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if every < Duration::from_secs(1) { Err("a look takes time, so wait at least 1s".to_owned()) } else { Ok(every) }
}

impl Status {
    pub(super) fn run(self, shell: &Shell) -> Ended {
        let fleet = Fleet::current().map_err(judge::fleet)?;
        if self.watch || self.until_settled {
            return self.watch(&fleet, shell);
        }
        let status = status::status(&fleet, shell).map_err(judge::operator)?;
        self.keep(&status)?;
        match self.json {
            true => shell.print_json(&status),
            false => shell.print_page(&status.page(self.all, &shell.canvas())),
        }
        Ok(code(status.verdict))
    }

    fn watch(&self, fleet: &Fleet, shell: &Shell) -> Ended {
        let operator = Operator::of(fleet).map_err(judge::operator)?;
        let herd = fleet.herd().map_err(judge::fleet)?;
        let (asked, look) = (asked_to_end(), || status::of(&operator).map(|status| status.beside(&herd)));
        let watching = Watching { every: self.every, until: self.until_settled.then_some(self.timeout) };
        let view = self.view(shell);
        view.begin(&format!("asking {} …", operator.registry().url()));
        let seen = watch(watching, &Real, &|| asked.load(Ordering::SeqCst), look, |before, now| {
            view.show(before, now, shell);
            if now.missed.is_none() { self.keep(&now.status) } else { Ok(()) }
        });
        let on_screen = matches!(view, View::Screen { .. });
        drop(view);
        let seen = seen.map_err(|error| match error {
            WatchError::Look(error) => judge::operator(error),
            WatchError::Keep(error) => error.into(),
            WatchError::Ended => Failure::refused(error),
        })?;
        match on_screen {
            true => shell.print_page(&seen.status.page(self.all, &shell.canvas())),
            false if self.json => {}
            false => seen.status.hints().iter().for_each(|hint| shell.print(format_args!("hint: {hint}"))),
        }
        Ok(self.conclude(&seen, shell))
    }

    fn view<'a>(&self, shell: &'a Shell) -> View<'a> {
        if self.json {
            return View::Json;
        }
        shell.screen().map_or(View::Lines, |screen| View::Screen { screen, all: self.all })
    }

    /// The last word of whoever watched.
    fn conclude(&self, seen: &Seen, shell: &Shell) -> ExitCode {
        if let Some(why) = &seen.missed {
            shell.warn(format_args!("this is not the newest state: {why}"));
            return ExitCode::from(UNREACHED);
        }
        if seen.late {
            shell.warn(format_args!("not settled within {}", humantime::format_duration(self.timeout)));
        }
        code(seen.status.verdict)
    }

    fn keep(&self, status: &HerdStatus) -> Result<(), FileError> {
        self.prometheus.as_ref().map_or(Ok(()), |path| files::write(path, status.metrics(), 0o644))
    }
}

fn code(verdict: Verdict) -> ExitCode {
    ExitCode::from(match verdict {
        Verdict::Settled => 0,
        Verdict::OnItsWay => NO,
        Verdict::NeedsPeople => NEEDS_PEOPLE,
    })
}

/// Whether somebody at the terminal, or the system, wants an end.
fn asked_to_end() -> Arc<AtomicBool> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Where signals can't be heard, they end the process as ever.
        drop(signal_hook::flag::register(signal, Arc::clone(&asked)));
    }
    asked
}
