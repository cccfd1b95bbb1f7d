//! What the tool itself costs, measured: the chain in a build (the walk through git's history, and a rebuild after one
//! more migration), an idle agent on a host, herds, what the standard library does on a host, and the test of a fleet.
//!
//! Machines differ, and so does one machine from minute to minute. So everything is a ratio of two things that are
//! measured in turns in the same run, and of each the median counts. Herds are too
//! large for that.

mod agent;
mod herd;
mod rebuild;
mod stdlib;
mod test;
mod walk;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use wb_core::registry::{LogError, RegistryError, SignatureError};
use wb_core::runner::HomeError;
use wb_core::system::clock::{Clock as _, Real};
use wb_core::system::files::{self, FileError};
use wb_core::system::{CommandError, environment};

use crate::attempt::TryError;
use crate::build::BuildError;
use crate::sandbox::{NotReady, SandboxError, SubnetError};
use crate::scaffold::ScaffoldError;
use crate::shell::Shell;
use crate::test::TestError;

pub use agent::{FETCH_TARGET, IDLE_TARGET, POLL_TARGET, Polled, measure as agent};
pub use herd::{Deployed, HOST_PLACE, HerdOptions, Herds, Measured, Way, measure as herd, measure_with as herd_with};
pub use rebuild::Rebuild;
pub use stdlib::{
    Applied, Bound, Compared, Cost, FILES_TARGET, FIRST_TARGET, Goal, LEAST_ROUNDS, MIXED_TARGET, PEAK_TARGET, Raced,
    StdlibOptions, measure as stdlib, profile as stdlib_profile,
};
pub use test::{Rehearsed, TEST_TARGET, TRY_TARGET, TestOptions, measure as test};
pub use walk::Walked;

/// The walk after one more link may take as long as `git log`.
pub const WARM_TARGET: f64 = 1.0;
/// The first walk may take twice as long as `git log`.
pub const COLD_TARGET: f64 = 2.0;
/// A rebuild may take so many times as long as that of the plain crate.
pub const REBUILD_TARGET: f64 = 1.3;

/// What to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How often each thing is measured.
    pub rounds: usize,
    /// Links and commits of each history.
    pub histories: Vec<(usize, usize)>,
    /// Migrations of the crate that is built again; none, and nothing is built.
    pub migrations: Option<usize>,
    /// Where cargo builds; what it needs besides the crate stays there for the next time.
    pub target_dir: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rounds: 7,
            histories: vec![(1000, 1000), (1000, 51_000)],
            migrations: Some(1000),
            target_dir: target_dir(),
        }
    }
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The walk after one more link, by the time of `git log`; of several histories the worse.
    pub walk_warm_ratio: f64,
    /// The same with nothing kept and nothing pinned.
    pub walk_cold_ratio: f64,
    /// A rebuild after one more migration, by that of the crate with plain functions.
    pub rebuild_ratio: Option<f64>,
    /// How often each thing was measured.
    pub rounds: usize,
    /// The walks by themselves.
    pub histories: Vec<Walked>,
    /// The rebuilds by themselves.
    pub rebuild: Option<Rebuild>,
}

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A file of what is measured could not be made.
    #[error(transparent)]
    File(#[from] FileError),
    /// Git or cargo failed.
    #[error("could not {action}")]
    Command {
        /// What was being done.
        action: &'static str,
        /// What it said.
        source: CommandError,
    },
    /// A key can't be made.
    #[error("could not make a key")]
    Key(#[source] SignatureError),
    /// The herd that is measured.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Its refs.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Its log of changes.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The runner says nonsense of its chain.
    #[error("the runner's self-check is no chain")]
    SelfCheck(#[from] serde_json::Error),
    /// The runner of a herd can't be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Its fleet can't be made.
    #[error(transparent)]
    Fleet(#[from] ScaffoldError),
    /// A sandbox failed, or a program that is needed is missing.
    #[error(transparent)]
    Tools(#[from] SandboxError),
    /// No port of this machine can be listened at.
    #[error("could not listen at a port of this machine")]
    Listen {
        /// Why.
        source: std::io::Error,
    },
    /// The server of the repository does not answer.
    #[error("the git server does not come up: {said}")]
    Server {
        /// What it said.
        said: String,
    },
    /// There are no sandboxes.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// A test of a fleet did not come to its end.
    #[error(transparent)]
    Test(#[from] TestError),
    /// A try did not come to its end.
    #[error(transparent)]
    Try(#[from] TryError),
    /// A test of a fleet, or a try, failed.
    #[error("what is measured fails:\n{said}")]
    Failed {
        /// What it said at its end.
        said: String,
    },
    /// The network of the races.
    #[error(transparent)]
    Subnet(#[from] SubnetError),
    /// A peer of the standard library changes something in each run, or fails.
    #[error("{peer} is not at rest in run {runs}: {said}")]
    Restless {
        /// Its name.
        peer: &'static str,
        /// How often it ran.
        runs: usize,
        /// The end of what it said.
        said: String,
    },
    /// A program on the host said something else than what it is to say.
    #[error("the host of the races said `{said}`")]
    Unread {
        /// What it said.
        said: String,
    },
    /// Two deploys need two links.
    #[error("the runner of a herd needs two links at least")]
    FewLinks,
    /// Nobody else tells the herd that is measured what to do.
    #[error("somebody else told the herd something")]
    Foreign,
    /// What is measured must be right.
    #[error("the chain in {} is wrong: {what}", dir.display())]
    Wrong {
        /// Where it is.
        dir: PathBuf,
        /// What the check says.
        what: String,
    },
}

/// Measures it all, in directories that are removed at the end.
///
/// # Errors
/// When git or cargo can't do what is measured.
pub fn chain(options: &Options, shell: &Shell) -> Result<Outcome, BenchError> {
    let scratch = Scratch::new()?;
    let mut histories = Vec::new();
    for (number, (links, commits)) in options.histories.iter().enumerate() {
        let dir = scratch.0.join(format!("history-{number}"));
        histories.push(walk::measure(&dir, *links, *commits, options.rounds, shell)?);
    }
    let rebuild = options
        .migrations
        .map(|migrations| rebuild::measure(&scratch.0, migrations, options.rounds, &options.target_dir, shell));
    let rebuild = rebuild.transpose()?;
    let worst = |ratio: fn(&Walked) -> f64| histories.iter().map(ratio).fold(0.0, f64::max);
    Ok(Outcome {
        walk_warm_ratio: worst(|walked| walked.warm_seconds / walked.git_log_seconds),
        walk_cold_ratio: worst(|walked| walked.cold_seconds / walked.git_log_seconds),
        rebuild_ratio: rebuild.as_ref().map(|rebuild| rebuild.chain_seconds / rebuild.plain_seconds),
        rounds: options.rounds,
        histories,
        rebuild,
    })
}

/// The directory that this program was built in, and in it one of the bench's own.
fn target_dir() -> PathBuf {
    let exe = environment::current_exe().unwrap_or_default();
    exe.ancestors().nth(2).map_or_else(environment::temp_dir, Path::to_owned).join("bench")
}

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, BenchError> {
        // Short: the path of a kept connection's socket is limited.
        let name = uuid::Uuid::new_v4().simple().to_string();
        let dir = environment::temp_dir().join(format!("wb-bench-{}", &name[..8]));
        files::create_private_dir(&dir)?;
        Ok(Self(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(files::remove_tree(&self.0));
    }
}

fn failed(action: &'static str) -> impl FnOnce(CommandError) -> BenchError {
    move |source| BenchError::Command { action, source }
}

/// How long something takes.
fn timed<T, E>(act: impl FnOnce() -> Result<T, E>) -> Result<f64, E> {
    let start = Real.now();
    act()?;
    Ok(seconds(Real.now().saturating_sub(start)))
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// The text of a migration, or of a plain function with the same body.
fn source(number: usize, attribute: &str) -> String {
    format!(
        "use wb_stdlib::prelude::*;\n\n/// Installs package {number}.\n{attribute}fn m{number:05}(host: &Host) -> Result<()> {{\n    \
         host.packages([\"package-{number}\"]).installed()?;\n    \
         let service = host.service(\"service-{number}\");\n    \
         host.file(\"/etc/package-{number}.conf\").content(\"number = {number}\\n\").reloads(&service).present()?;\n    \
         service.enabled()?;\n    service.running()?;\n    Ok(())\n}}\n"
    )
}

const MIGRATION: &str = "#[migration(role = \"web\")]\n";

const ROLES: &str = "use wb_stdlib::prelude::*;\n\n#[role(max_out = 1)]\npub struct Web;\n\nimpl Role for Web {}\n";

/// The text of `chain.rs` with so many links.
fn chain_file(links: usize) -> String {
    mod_lines(links) + "\nwb_stdlib::chain!();\n"
}

fn mod_lines(links: usize) -> String {
    (0..links).map(|number| format!("mod m{number:05};\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(Vec::new()), 0.0);
    }

    #[test]
    fn walks_are_measured() {
        let options = Options { rounds: 2, histories: vec![(3, 3), (3, 20)], migrations: None, ..Options::default() };
        let (shell, _) = Shell::captured();
        let outcome = chain(&options, &shell).unwrap();
        assert_eq!(
            outcome.histories.iter().map(|walked| (walked.links, walked.commits)).collect::<Vec<_>>(),
            options.histories
        );
        assert!(outcome.walk_warm_ratio > 0.0 && outcome.walk_cold_ratio > 0.0, "{outcome:?}");
        assert_eq!(outcome.rebuild_ratio, None);
    }
}
