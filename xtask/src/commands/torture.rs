mod herd;
mod rounds;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use wb_core::system::fault::Bug;
use wb_core::system::{environment, files};

use crate::failure::{Ended, Failure, NO};
use crate::shell::Shell;
use crate::torture::outcome::Outcome;
use crate::torture::remote::examination::Fate;
use crate::torture::remote::guest::{self, Task};
use crate::torture::remote::kind::Kind;
use crate::torture::{self, Options, TortureError, remote, runner};
use rounds::Rounds;

/// Show what a host survives, on hosts of its own
#[derive(Debug, Args)]
pub(super) struct Torture {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Host(Host),
    Herd(herd::Herd),
    Remote(Remote),
    /// Print what is done to a host and what it promises, as the table in the book
    Table,
    /// One round of `torture remote`
    #[command(hide = true)]
    Guest(Guest),
    /// A host's runner, in a round
    #[command(hide = true)]
    Runner(Runner),
}

/// Kill a host at every write, fsync, rename, spawn and publish, and see that it comes to its target
///
/// In each round a host in a directory of its own, with a remote of its own, has links to run: with owed reloads,
/// files of many kinds, and some that fail. Meanwhile it is killed, loses its power with all that was not synced, meets
/// a full or a broken disk, torn and stale files, a clock that jumps, and a remote that is away, slow, read-only, cut
/// short or rolled back. After each run the invariants must hold, and in the end the host must be where it was told to
/// be. Nothing of this machine's own is touched.
///
/// The same seed gives the same rounds; each round has the seed of the first plus its number, and `--seed S --rounds 1`
/// repeats it alone. The exit code is 0 where no rule was broken, and 1 where one was.
#[derive(Debug, Args)]
struct Host {
    #[command(flatten)]
    rounds: Rounds,
    /// Leave the directories of rounds in which a rule was broken
    #[arg(long)]
    keep: bool,
    /// Let the host make a mistake, and end where it is found
    #[arg(long, value_name = "NAME", hide = true, value_parser = bug)]
    bug: Option<Bug>,
}

/// Give hosts what a broken or hostile remote may have, and see that they neither panic nor lose anything
///
/// In each round, readers of what comes from elsewhere (git's output, refs, commits, manifests, reports, pools, files that
/// a disk has torn) get a thousand inputs of each kind, most of them valid ones made wrong. Then a real agent looks at a
/// real repository that somebody plays tricks on: refs that point to anything, torn objects, odd commits and trees, forged
/// and mutated changes, a network that garbles. It must not panic, must keep what it had, run nothing that was not signed,
/// and come to its target once the remote is right again. Nothing of this machine's own is touched.
///
/// The same seed gives the same inputs and the same tricks; what is broken comes with the arguments that repeat it. The
/// exit code is 0 where nothing was, and 1 where something was.
#[derive(Debug, Args)]
struct Remote {
    #[command(flatten)]
    rounds: Rounds,
    /// How many inputs of each kind in a round
    #[arg(long, value_name = "M", default_value_t = 1_000)]
    inputs: usize,
    /// Give inputs of this kind only, and visit no remote; may be given several times
    #[arg(long, value_name = "KIND")]
    kind: Vec<Kind>,
    /// Give this file as one input of the kind, and say what comes of it
    #[arg(long, value_name = "FILE", requires = "kind")]
    input: Option<PathBuf>,
    /// Leave the directories of rounds that went wrong
    #[arg(long)]
    keep: bool,
}

/// All is given by the command that starts it.
#[derive(Debug, Args)]
struct Guest {
    #[arg(long)]
    seed: u64,
    #[arg(long)]
    inputs: usize,
    #[arg(long)]
    kind: Vec<Kind>,
    #[arg(long, requires = "server")]
    stage: Option<PathBuf>,
    #[arg(long)]
    server: Option<u16>,
}

/// Both are given by the round that starts it.
#[derive(Debug, Args)]
struct Runner {
    generation: String,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

fn bug(name: &str) -> Result<Bug, String> {
    serde_json::from_value(name.into()).map_err(|_| format!("there is no mistake `{name}`"))
}

impl Torture {
    pub(super) fn run(self, shell: &Shell) -> Ended {
        let failed = |error| Failure::environment("no round could be played").because(&error);
        match self.what {
            What::Host(host) => host.run(shell),
            What::Herd(herd) => herd.run(shell),
            What::Remote(remote) => remote.run(shell),
            What::Guest(guest) => guest.run(shell).map_err(failed),
            What::Table => {
                shell.print_text(torture::matrix::table());
                Ok(ExitCode::SUCCESS)
            }
            What::Runner(Runner { generation, args }) => runner::run(&generation, args).map_err(failed),
        }
    }
}

impl Host {
    fn run(self, shell: &Shell) -> Ended {
        let failed = |error| Failure::environment("no round could be played").because(&error);
        let exe = environment::current_exe()
            .map_err(|error| Failure::environment("no round could be played").because(&error))?;
        let options = Options {
            seed: self.rounds.seed,
            rounds: self.rounds.rounds,
            jobs: self.rounds.jobs(),
            keep: self.keep,
            bug: self.bug,
        };
        let outcome = torture::torture(&exe, &options, shell).map_err(failed)?;
        shell.print_text(summary(&outcome));
        if !outcome.missed.is_empty() && outcome.missed.len() < 20 {
            shell.note(format_args!("not hit: {}", outcome.missed.join("; ")));
        }
        if !outcome.unpassed.is_empty() {
            shell.note(format_args!("never passed: {}", outcome.unpassed.join("; ")));
        }
        self.rounds.end(&outcome, outcome.ok)
    }
}

impl Remote {
    fn run(self, shell: &Shell) -> Ended {
        let failed = |error| Failure::environment("no round could be played").because(&error);
        if let Some(file) = &self.input {
            return Ok(one_input(&self.kind, &files::read(file)?, shell));
        }
        let exe = environment::current_exe()
            .map_err(|error| Failure::environment("no round could be played").because(&error))?;
        let visits = self.kind.is_empty();
        let options = remote::Options {
            seed: self.rounds.seed,
            rounds: self.rounds.rounds,
            jobs: self.rounds.jobs(),
            inputs: self.inputs,
            kinds: if visits { Kind::ALL.to_vec() } else { self.kind },
            visits,
            keep: self.keep,
        };
        let outcome = remote::torture(&exe, &options, shell).map_err(failed)?;
        shell.print_text(remote_summary(&outcome));
        self.rounds.end(&outcome, outcome.ok)
    }
}

fn one_input(kinds: &[Kind], input: &[u8], shell: &Shell) -> ExitCode {
    let mut ok = true;
    for kind in kinds {
        match remote::inputs::look_at(*kind, input) {
            Ok(Fate::Accepted) => shell.print(format_args!("{kind}: it is read, and nothing is wrong")),
            Ok(Fate::Refused) => shell.print(format_args!("{kind}: it is refused, and nothing is wrong")),
            Err(what) => {
                ok = false;
                shell.print(format_args!("{kind}: {what}"));
            }
        }
    }
    ExitCode::from(if ok { 0 } else { NO })
}

impl Guest {
    fn run(self, shell: &Shell) -> Result<ExitCode, TortureError> {
        let Self { seed, inputs, kind, stage, server } = self;
        let done = guest::run(&Task { seed, inputs, kinds: kind, visit: stage.zip(server) })?;
        shell.print(serde_json::to_string(&done).unwrap_or_default());
        Ok(ExitCode::SUCCESS)
    }
}

fn remote_summary(outcome: &remote::outcome::Outcome) -> String {
    let mut text = String::new();
    for (kind, given) in &outcome.kinds {
        text += &format!("{:>9}  {kind}, of which {} were read\n", given.given, given.accepted);
    }
    for (name, times) in &outcome.tricks {
        text += &format!("{times:>9}  {}\n", name.replace('_', " "));
    }
    for found in outcome.violations.iter().take(10) {
        text +=
            &format!("{}: {}\n  repeat it with `cargo xtask torture remote {}`\n", found.rule, found.what, found.again);
    }
    let broken = match outcome.violations.len() {
        0 => "nothing was broken".to_owned(),
        many => format!("rules were broken {many} times"),
    };
    let remote::outcome::Outcome { rounds, inputs, ticks, errors, seconds, .. } = outcome;
    let looks = format!("{ticks} looks of hosts at remotes, {errors} of them refused");
    text + &format!("{rounds} rounds, {inputs} inputs, {looks}, in {seconds:.0} s, {broken}\n")
}

fn summary(outcome: &Outcome) -> String {
    let mut text = String::new();
    if let Some(found) = outcome.violations.first() {
        text += &format!("repeat it with `cargo xtask torture host --seed {} --rounds 1`\n", found.seed);
    }
    for (name, times) in &outcome.faults {
        text += &format!("{times:>6}  {}\n", name.replace('_', " "));
    }
    let Outcome { rounds, crash_points, crash_points_hit, .. } = outcome;
    let broken = match outcome.violations.len() {
        0 => "no rule was broken".to_owned(),
        many => format!("rules were broken {many} times"),
    };
    text + &format!("{rounds} rounds, {crash_points_hit} of {crash_points} crash points hit, {broken}\n")
}
