use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use wb_core::system::quoted;

use super::judge;
use super::order::{show_known, show_told};
use crate::attestation::AttestationError;
use crate::calendar;
use crate::canary::Stop;
use crate::deploy::aim::Aim;
use crate::deploy::plan::Stuck;
use crate::deploy::{self, DeployError, Deployed, End, Origin, Request};
use crate::failure::{Ended, Failure, NO};
use crate::fleet::Fleet;
use crate::hold::Held;
use crate::shell::Shell;
use crate::signing_key::KeyError;
use crate::status::ways_out;

/// Build the runner, and tell the herd what to do
///
/// One signed change with all that is committed: the chain, the runner, the hosts of herd.toml. It is appended to the
/// log only if nobody else appended something first. Refused are files that are not committed, mistakes in the chain,
/// a chain that does not continue the deployed one, hosts that vanished from herd.toml without being named, a target
/// before one that was told, and a runner that no run of `cargo xtask test` attests.
///
/// With canaries only these go to the new target, until `cargo xtask promote` or the end of the bake; everyone else stays
/// where they were told to go. A new deploy to the same canaries replaces their target, and one to everyone includes them.
/// The runner itself goes to all hosts at once.
///
/// The runner is built here. With --from-ci it comes from the remote, and no compiler is needed: the newest one with this
/// chain that is attested, signed by somebody in allowed_testers or allowed_signers.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask deploy
  cargo xtask deploy --canary web1 db2            these two first, everyone else by `cargo xtask promote`
  cargo xtask deploy --role web --bake 30m        all web servers, and half an hour after all are well, everyone else
  cargo xtask deploy --until install_nginx        everyone, but no further than this migration
  cargo xtask deploy --from-ci                    the runner that was built and tested elsewhere

Exit codes: 0 told, or known already; 1 refused, or somebody else was first; 2 wrong usage; 3 no key, no remote, no runner")]
pub(super) struct Deploy {
    /// In a line, what and why
    #[arg(long, short)]
    message: Option<String>,
    /// Hosts that go first
    #[arg(long, value_name = "HOST", num_args = 1..)]
    canary: Vec<String>,
    /// A role whose hosts all go first; may be given several times
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// When all canaries have been well for that long, everyone follows by itself, as in 30m or 2h
    #[arg(long, value_name = "TIME", value_parser = bake)]
    bake: Option<std::time::Duration>,
    /// Go no further than this migration
    #[arg(long, value_name = "MIGRATION")]
    until: Option<String>,
    /// The SSH key to sign with; else git's user.signingkey (with gpg.format=ssh), else one of ~/.ssh
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// A host that leaves the herd
    #[arg(long, value_name = "HOST")]
    remove: Vec<String>,
    /// Build nothing: deploy the runner that was built and tested elsewhere, from the remote
    #[arg(long, conflicts_with = "untested")]
    from_ci: bool,
    /// Deploy a runner that no test attests; the change says so
    #[arg(long)]
    untested: bool,
    /// Build, check and show the difference, and tell the herd nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Said<'a> {
    /// The number of the change that says it, new or not; none where nothing was told.
    change: Option<u64>,
    /// Whether the herd knew it all.
    known: bool,
    dry_run: bool,
    /// What is different, a line each; where somebody else was first, what they said.
    difference: Vec<String>,
    /// What it comes to for hosts, a line each.
    meaning: Vec<String>,
    /// Whether somebody else was first.
    overtaken: bool,
    /// Whether a test attests the runner.
    tested: bool,
    /// Where canaries will stop.
    stops: &'a [Stop],
    /// The canaries that have nothing to run.
    idle: &'a [String],
    /// Who is held.
    held: &'a [Held],
    /// The hosts that stay failed, each with the migration.
    stuck: Vec<Failed<'a>>,
}

/// A host that stays failed.
#[derive(Debug, Serialize)]
struct Failed<'a> {
    host: &'a str,
    migration: &'a str,
}

fn bake(text: &str) -> Result<std::time::Duration, String> {
    let bake = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if bake.as_secs() == 0 { Err("a bake lasts 1s at least".to_owned()) } else { Ok(bake) }
}

impl Deploy {
    pub(super) fn run(self, shell: &Shell) -> Ended {
        judge::said_if(self.message.as_deref())?;
        if self.bake.is_some() && self.canary.is_empty() && self.roles.is_empty() {
            let usage = Failure::usage("--bake is for canaries, and there are none");
            return Err(usage.hint(format!("{} --canary HOST", self.line())));
        }
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let (line, json) = (self.line(), self.json);
        let again = self.aim();
        let aim = Aim {
            canaries: self.canary.into_iter().collect(),
            roles: self.roles.into_iter().collect(),
            until: self.until,
            bake: self.bake.map(|bake| bake.as_secs()),
        };
        let remove = self.remove.into_iter().collect();
        let runner = if self.from_ci { Origin::Ci } else { Origin::Build };
        let (dry_run, untested) = (self.dry_run, self.untested);
        let request = Request { message: self.message, key: self.key, remove, aim, dry_run, runner, untested };
        let deployed = deploy::deploy(&fleet, &request, shell).map_err(|error| judged(error, &line))?;
        match json {
            true => shell.print_json(&said(&deployed)),
            false => show(&deployed, &again, shell),
        }
        deployed.keyless.iter().for_each(|error| miss_key(error, shell));
        Ok(end(&deployed.end, &line, json, shell))
    }

    /// The command line, without what is of no use a second time.
    fn line(&self) -> String {
        let message = self.message.as_ref().map(|message| format!(" --message {}", quoted(message)));
        let key = self.key.as_ref().map(|key| format!(" --key {}", quoted(&key.to_string_lossy())));
        let (message, key) = (message.unwrap_or_default(), key.unwrap_or_default());
        let runner = match (self.from_ci, self.untested) {
            (true, _) => " --from-ci",
            (false, true) => " --untested",
            (false, false) => "",
        };
        format!("{}{}{runner}{message}{key}", self.aim(), options("remove", &self.remove))
    }

    /// Its beginning, which says who goes how far.
    fn aim(&self) -> String {
        let bake = self.bake.map(|bake| format!(" --bake {}", calendar::word(bake.as_secs()))).unwrap_or_default();
        let hosts: String = self.canary.iter().map(|host| format!(" {}", quoted(host))).collect();
        let canary = if hosts.is_empty() { hosts } else { format!(" --canary{hosts}") };
        let until = options("until", self.until.as_slice());
        format!("cargo xtask deploy{canary}{}{bake}{until}", options("role", &self.roles))
    }
}

fn options(name: &str, values: &[String]) -> String {
    values.iter().map(|value| format!(" --{name} {}", quoted(value))).collect()
}

fn show(Deployed { difference, stuck, stops, idle, held, tested, .. }: &Deployed, again: &str, shell: &Shell) {
    shell.print_text(difference);
    stops.iter().for_each(|stop| shell.print(stop));
    for host in idle {
        shell.print(format_args!("`{host}` has nothing to run, so that it shows nothing as a canary"));
    }
    held.iter().for_each(|held| shell.print(held));
    tested.iter().for_each(|found| shell.print(found));
    stuck.iter().for_each(|stuck| offer(stuck, again, shell));
}

/// Who only asks needs no key.
fn miss_key(error: &KeyError, shell: &Shell) {
    let hints = judge::key(error.clone()).problems.into_iter().flat_map(|problem| problem.hints);
    shell.warn(format_args!("{error}; the deploy itself needs one: {}", hints.collect::<Vec<_>>().join(", or ")));
}

/// Says how it ended. A program has read that already, but for a failure.
fn end(end: &End, line: &str, json: bool, shell: &Shell) -> ExitCode {
    match end {
        End::Overtaken(meanwhile) => {
            meanwhile.iter().for_each(|meanwhile| shell.note(meanwhile));
            let message = "somebody else told the herd something first, and nothing of this deploy was told";
            shell.fail(&Failure::refused(message).hint(format_args!("git pull --rebase && {line}")));
            return ExitCode::from(NO);
        }
        _ if json => {}
        End::Told(change) => {
            show_told(change, shell);
            let promote = if change.manifest.canary.is_some() { ", then cargo xtask promote" } else { "" };
            shell.print(format_args!("next: cargo xtask status{promote}"));
        }
        End::KnownSince(number) => {
            show_known(*number, shell);
        }
        End::DryRun => shell.print(format_args!("nothing was told; next: {line}")),
    }
    ExitCode::SUCCESS
}

fn said(Deployed { difference, stuck, stops, idle, held, tested, keyless: _, end }: &Deployed) -> Said<'_> {
    let change = match end {
        End::Told(change) => Some(change.manifest.number),
        End::KnownSince(number) => Some(*number),
        End::DryRun | End::Overtaken(_) => None,
    };
    let difference = match end {
        End::Overtaken(Some(meanwhile)) => meanwhile.difference.lines(),
        _ => difference.lines(),
    };
    Said {
        change,
        known: matches!(end, End::KnownSince(_)),
        dry_run: *end == End::DryRun,
        difference,
        meaning: stops.iter().map(ToString::to_string).chain(held.iter().map(ToString::to_string)).collect(),
        overtaken: matches!(end, End::Overtaken(_)),
        tested: tested.is_some(),
        stops,
        idle,
        held,
        stuck: stuck.iter().map(|stuck| Failed { host: &stuck.host, migration: &stuck.link.name }).collect(),
    }
}

/// What failed stays failed, unless somebody says what to do.
fn offer(Stuck { host, link }: &Stuck, again: &str, shell: &Shell) {
    shell.warn(format_args!("`{host}` failed at {link}, which stays as it was: it is not tried again by itself"));
    ways_out(host, &link.name, again).iter().for_each(|way| shell.print(format_args!("hint: {way}")));
}

fn judged(error: DeployError, line: &str) -> Failure {
    match error {
        DeployError::Refused(refusals) => judge::refusals(&refusals, line),
        DeployError::Mistakes(mistakes) => judge::all_mistakes(&mistakes),
        DeployError::RunnerDiffers { .. } => Failure::from(error).hint(format_args!("CARGO_TARGET_DIR=target {line}")),
        DeployError::NoneFromCi { strangers, .. } => {
            let list = (strangers > 0).then_some("git log -p -- '*allowed_testers'");
            Failure::refused(error).hint_if(list).hint(built_here(line))
        }
        DeployError::Attestation(
            error @ (AttestationError::NoRunner { .. } | AttestationError::OtherRunner { .. }),
        ) => Failure::from(error).hint(built_here(line)),
        DeployError::Attestation(error) => judge::attestation(error),
        DeployError::Fleet(error) => judge::fleet(error),
        DeployError::Operator(error) => judge::operator(error),
        DeployError::Key(error) => judge::key(error),
        error => error.into(),
    }
}

/// The command line of a deploy that builds its runner.
fn built_here(line: &str) -> String {
    line.replacen(" --from-ci", "", 1)
}

#[cfg(test)]
mod tests {
    use wb_core::chain::Digest;

    use super::*;
    use crate::failure::Kind;

    #[test]
    fn where_a_tested_runner_is_not_to_be_had_one_can_be_built() {
        let check = |error: DeployError, kind: Kind, expect: &[&str]| {
            let failure = judged(error, "cargo xtask deploy --until page --from-ci --key key");
            assert_eq!((failure.kind, failure.problems.len()), (kind, 1));
            assert_eq!(failure.problems[0].hints, expect);
        };
        let (sha256, found) = (Digest::of(b"tested"), Digest::of(b"other"));
        let here = "cargo xtask deploy --until page --key key";
        check(AttestationError::NoRunner { sha256 }.into(), Kind::Environment, &[here]);
        check(AttestationError::OtherRunner { sha256, found }.into(), Kind::Environment, &[here]);
        let none = |strangers| DeployError::NoneFromCi { platform: "x86_64-linux".into(), tip: None, strangers };
        check(none(0), Kind::Refused, &[here]);
        check(none(1), Kind::Refused, &["git log -p -- '*allowed_testers'", here]);
    }
}
