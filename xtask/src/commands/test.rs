use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::judge;
use crate::failure::{Ended, Failure, NO};
use crate::fleet::Fleet;
use crate::sandbox::{self, Distribution, Engine, Init, Missing, NotReady, SandboxError};
use crate::shell::Shell;
use crate::stage::StageError;
use crate::test::{self, Options, TestError, page};

/// Test all migrations on hosts of their own, before any other host runs them
///
/// Each set of roles in herd.toml, and each role of the chain, has a real host on this machine, and all go along the chain
/// together. Each migration is planned, and the plan may touch nothing and must say what the run then does; it is run, asked
/// for its specs, and run once more, which must change nothing. The newest ones are killed at each point of their way and run
/// again, and must come to the same end. Then a herd with at least three hosts of each kind, and two more than may be out of
/// load at once, follows signed changes from what was told last to the newest migration, and takes turns. What hosts come to is
/// kept, so that the next test goes on from there. The runner is the one that a deploy ships; once all was tested that
/// there is, and passed, a deploy finds it attested. A migration or a role that there is not is refused before anything is
/// built. Needs root, or a machine where users may make namespaces, or have containers.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Test {
    /// Test only hosts with ROLE, and those whom their migrations wait for; may be named several times
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// Test MIGRATION anew, also where a layer tells what came of it, and none after it; may be named several times
    #[arg(long = "migration", value_name = "MIGRATION")]
    migrations: Vec<String>,
    /// How many hosts may act at once [default: as many as there are processors]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Begin with empty hosts, whatever was kept
    #[arg(long)]
    from_scratch: bool,
    /// Leave the hosts running, those that failed above all, and say how to enter them
    #[arg(long)]
    keep: bool,
    /// Kill the N newest migrations, unless they came through that in an earlier test
    #[arg(long, value_name = "N", default_value_t = 3)]
    interrupt: usize,
    /// Kill them each time that they pass a point, not only the first time in each operation
    #[arg(long)]
    every_point: bool,
    /// Let no herd roll
    #[arg(long)]
    no_roll: bool,
    /// What hosts are
    #[arg(long, value_name = "IMAGE", value_enum, default_value_t = Distribution::Debian12)]
    image: Distribution,
    /// What runs as their process 1 [default: sysv, and systemd where there is no sysvinit]
    #[arg(long, value_name = "INIT", value_enum)]
    init: Option<Init>,
    /// Write the result to FILE as JUnit's XML, too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the result to FILE as JSON, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Sign what is attested once all passed with the SSH key in FILE, which allowed_testers or allowed_signers name
    #[arg(long, value_name = "FILE", conflicts_with_all = PARTS)]
    key: Option<PathBuf>,
    /// Push what is attested once all passed, with the runner, for `cargo xtask deploy --from-ci`; it has to be signed
    #[arg(long, requires = "key", conflicts_with_all = PARTS)]
    push: bool,
    /// What sandboxes are made with
    #[arg(long, value_name = "ENGINE", value_enum, default_value_t = Engine::Namespaces)]
    engine: Engine,
}

/// Options that leave out what an attestation says.
const PARTS: [&str; 3] = ["roles", "migrations", "no_roll"];

const EXIT_CODES: &str = "\
Exit codes:
  0  all checks passed
  1  a check failed
  2  wrong usage
  3  this machine can't have such hosts, or cargo, a file or a host failed, and not all is known

Logs of the hosts, JUnit's XML and JSON lie in wildebeest/test of cargo's target directory.";

impl Test {
    pub(super) fn run(self, shell: &Shell) -> Ended {
        if self.interrupt == 0 && self.key.is_some() {
            let what = "`--interrupt 0` leaves out what is to be attested: how migrations bear a kill";
            return Err(Failure::usage(what).hint("leave out `--interrupt 0`, or `--key` with `--push`"));
        }
        sandbox::within(self.engine, &|line| shell.done("engine", line))?;
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let outcome = test::run(&fleet, &self.options(), shell).map_err(judged)?;
        shell.print_page(&page::closing(&outcome, &shell.canvas()));
        Ok(ExitCode::from(if outcome.tally().failed == 0 { 0 } else { NO }))
    }

    fn options(self) -> Options {
        let processors = || std::thread::available_parallelism().map_or(1, |count| count.get());
        Options {
            roles: self.roles.into_iter().collect(),
            migrations: self.migrations.into_iter().collect(),
            jobs: self.jobs.unwrap_or_else(processors).max(1),
            from_scratch: self.from_scratch,
            keep: self.keep,
            interrupt: self.interrupt,
            every_point: self.every_point,
            no_roll: self.no_roll,
            image: self.image,
            init: self.init.unwrap_or(self.image.init()),
            junit: self.junit,
            json: self.json,
            key: self.key,
            push: self.push,
        }
    }
}

fn is_busy(error: &TestError) -> bool {
    match error {
        TestError::Sandbox(SandboxError::Busy { .. }) => true,
        TestError::Stage(error) => matches!(**error, StageError::Sandbox(SandboxError::Busy { .. })),
        _ => false,
    }
}

pub(super) fn judged(error: TestError) -> Failure {
    match error {
        TestError::NotReady(NotReady::Missing { missing }) => {
            let problem = |missing: &Missing| Failure::environment(format_args!("{}: {}", missing.what, missing.why));
            Failure::all(missing.iter().map(|missing| problem(missing).hint(&missing.remedy)))
        }
        error if is_busy(&error) => {
            let until = "a process holds it: another test or try is under way, and this one can begin after it";
            Failure::environment(format_args!("{error}; {until}")).hint("cargo xtask sandbox list")
        }
        TestError::Soundness(error) => judge::soundness(error),
        TestError::Fleet(error) => judge::fleet(error),
        TestError::Key(error) => judge::key(error),
        TestError::Attestation(error) => judge::attestation(*error),
        TestError::Uncommitted { .. } => Failure::refused(error).hint("git status"),
        TestError::Unknown(unknown) => Failure::usage(unknown).hint("cargo xtask chain"),
        TestError::Nobody { .. } => Failure::usage(error).hint("cargo xtask chain"),
        TestError::Nothing => Failure::from(error).hint("cargo xtask new NAME"),
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        test: Test,
    }

    #[test]
    fn who_is_in_the_way_is_waited_for() {
        let failure = judged(SandboxError::Busy { scratch: "/srv/test".into() }.into());
        let said = &failure.problems[0];
        assert!(said.message.starts_with("another herd is running in /srv/test; a process holds it"), "{said:?}");
        assert_eq!(said.hints, ["cargo xtask sandbox list"]);
    }

    #[test]
    fn hosts_have_the_init_that_there_is() {
        let check = |words: &[&str], expect: Init| {
            let line = Line::parse_from(["test"].iter().chain(words).copied());
            assert_eq!(line.test.options().init, expect, "{words:?}");
        };
        check(&[], Init::Sysv);
        check(&["--init", "systemd"], Init::Systemd);
        check(&["--image", "ubuntu2404"], Init::Systemd);
        check(&["--image", "debian13", "--init", "sysv"], Init::Sysv);
    }

    #[test]
    fn what_is_attested_leaves_nothing_out() {
        let check = |words: &[&str]| {
            let line = Line::parse_from(["test", "--interrupt", "0"].iter().chain(words).copied());
            let failure = line.test.run(&Shell::captured().0).unwrap_err();
            assert_eq!(format!("{:?}", failure.exit_code()), format!("{:?}", ExitCode::from(2)), "{words:?}");
            assert_eq!(failure.problems[0].hints, ["leave out `--interrupt 0`, or `--key` with `--push`"]);
        };
        check(&["--key", "ci_key", "--push"]);
        check(&["--key", "ci_key"]);
    }
}
