use clap::Args;
use wb_core::system::clock::Stopwatch;
use wb_core::system::fault::Bug;

use super::rounds::Rounds;
use crate::failure::{Ended, Failure};
use crate::shell::Shell;
use crate::torture::herd::{self, Options, optimised};

/// Let many hosts act at once in a simulated world, and see that they break no rule and come to their target
///
/// In each round a herd follows deploys with the agent that real hosts run; git, disks, machines and time are in memory.
/// Meanwhile agents are killed at any point, machines lose their power, boot, are restored from backups and cloned, links
/// and hooks fail, the code of links waits for others, also in vain, messages are lost, late and out of order, hosts are cut
/// off, the server is away, read-only or rewound, changes are forged, and operators hold, retry, adopt, release, waive,
/// admit, retire, tag and rename. After everything that happens the invariants must hold, and in the end, when nothing goes
/// wrong any more, every host must come to where it was told to be.
///
/// The same seed gives the same rounds; each round has the seed of the first plus its number. Of the first round in which a
/// rule is broken, the shortest form that still breaks it is told. The exit code is 0 where no rule was broken, and 1 where
/// one was, or where in 1,000 rounds or more some kind of fault never happened.
///
/// For many rounds cargo first compiles the simulator with optimisation, once, which takes some minutes. A round takes a
/// fifth of the time then.
#[derive(Debug, Args)]
#[command(mut_arg("rounds", |rounds| rounds.default_value("1000")))]
pub(super) struct Herd {
    #[command(flatten)]
    rounds: Rounds,
    /// How many hosts
    #[arg(long, value_name = "H", default_value_t = 20)]
    hosts: usize,
    /// Let agents make a mistake, and end where it is found
    #[arg(long, value_name = "NAME", hide = true, value_parser = super::bug)]
    bug: Option<Bug>,
}

impl Herd {
    pub(super) fn run(self, shell: &Shell) -> Ended {
        let options = Options {
            seed: self.rounds.seed,
            rounds: self.rounds.rounds,
            hosts: self.hosts,
            jobs: self.rounds.jobs(),
            bug: self.bug,
        };
        if let Some(again) = optimised::again(&options, shell) {
            return Err(Failure::environment("no round could be played").because(&again.exec()));
        }
        let watch = Stopwatch::start();
        let outcome = herd::torture(&options, shell);
        let minutes = watch.elapsed().as_secs_f64().max(f64::EPSILON) / 60.0;
        shell.print_text(herd::told(&outcome, &options));
        shell.note(format_args!("{:.0} rounds a minute", outcome.rounds as f64 / minutes));
        self.rounds.end(&outcome, outcome.ok)
    }
}
