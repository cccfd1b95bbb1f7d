use clap::Args;
use serde::Serialize;
use wb_core::chain::{Link, Mistake, Reach, Sha1};
use wb_core::context::Unfit;
use wb_core::plan::deadlock::Deadlock;
use wb_core::registry::{Resolved, resolve_strictly, waits_elsewhere};
use wb_core::system::quoted;

use super::judge;
use crate::deploy::plan::Refusal;
use crate::failure::{Ended, Failure, Kind, NO, Problem};
use crate::fleet::{Fleet, HERD_FILE};
use crate::shell::Shell;
use crate::soundness::{self, Flaw, OF_DEADLOCKS};

/// Check the chain, strictly
///
/// What every build checks, and more: the order of the migrations against git, each file against what it said when it
/// landed (read out of history, whatever chain.lock says), the roles, and the hosts of herd.toml; where the fleet has types of
/// settings, its runner is built, and the settings of all hosts are checked by it. No wait may keep a new
/// herd, a lone host or a restored one from its end. All mistakes are told at once, each with what to do. Nothing is
/// written.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Check {
    /// Print the mistakes as JSON
    #[arg(long)]
    json: bool,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  the chain holds, so does herd.toml, and no wait can last for ever
  1  there are mistakes
  2  wrong usage
  3  a file, cargo or git failed, and nothing is known";

/// A mistake, for programs.
#[derive(Debug, Serialize)]
struct Told {
    kind: &'static str,
    link: Option<String>,
    sha1: Option<Sha1>,
    file: String,
    message: String,
    help: String,
}

impl Check {
    pub(super) fn run(self, shell: &Shell) -> Ended {
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let resolved = resolve_strictly(&fleet.crate_dir)?;
        unseen(&resolved.reach).into_iter().for_each(|what| shell.warn(what));
        computed(&fleet, &resolved).into_iter().for_each(|what| shell.warn(what));
        hasty(&resolved).into_iter().for_each(|what| shell.warn(what));
        if self.json {
            let told = told(&fleet, &resolved, shell)?;
            shell.print_json(&told);
            return Ok(if told.is_empty() { 0.into() } else { NO.into() });
        }
        let failures = failures(&fleet, &resolved, shell);
        if !failures.is_empty() {
            return Err(Failure::all(failures));
        }
        shell.print(summary(&resolved.links));
        Ok(0.into())
    }
}

impl Told {
    fn of(mistake: &Mistake, resolved: &Resolved) -> Self {
        let landed = mistake.link().and_then(|link| resolved.landed.get(link));
        Self {
            kind: mistake.kind(),
            link: mistake.link().map(str::to_owned),
            sha1: landed.map(|landed| landed.sha1),
            file: mistake.file(),
            message: mistake.to_string(),
            help: mistake.help(),
        }
    }
}

impl Told {
    fn of_deadlock(deadlock: &Deadlock) -> Self {
        let link = deadlock.cycle.first().map(|blocked| &blocked.link);
        Self {
            kind: "deadlock",
            link: link.map(|link| link.name.clone()),
            sha1: link.map(|link| link.sha1),
            file: link.map_or_else(String::new, |link| format!("src/chain/{}.rs", link.name)),
            message: deadlock.to_string(),
            help: OF_DEADLOCKS.to_owned(),
        }
    }

    /// What is wrong with herd.toml. A file that can't be read is no mistake, but a failure.
    fn of_herd(checked: Result<(), Failure>) -> Result<Vec<Self>, Failure> {
        let told = |problem: &Problem| Self {
            kind: "herd",
            link: None,
            sha1: None,
            file: HERD_FILE.to_owned(),
            message: problem.message.clone(),
            help: problem.hints.join("\n"),
        };
        match checked {
            Ok(()) => Ok(Vec::new()),
            Err(failure) if failure.kind == Kind::Refused => Ok(failure.problems.iter().map(told).collect()),
            Err(failure) => Err(failure),
        }
    }
}

/// All that is wrong, for programs.
fn told(fleet: &Fleet, resolved: &Resolved, shell: &Shell) -> Result<Vec<Told>, Failure> {
    let mut told: Vec<Told> = resolved.mistakes.iter().map(|mistake| Told::of(mistake, resolved)).collect();
    let unread = Told::of_herd(check_file(fleet))?;
    if unread.is_empty() {
        told.extend(soundness::deadlocks(fleet, resolved).map_err(judge::fleet)?.iter().map(Told::of_deadlock));
        told.extend(Told::of_herd(check_herd(fleet, resolved))?);
        told.extend(Told::of_herd(check_settings(fleet, resolved, shell))?);
    }
    told.extend(unread);
    Ok(told)
}

/// All that is wrong, for people.
fn failures(fleet: &Fleet, resolved: &Resolved, shell: &Shell) -> Vec<Failure> {
    let mut checked = vec![mistakes(&resolved.mistakes), check_file(fleet)];
    if checked.last().is_some_and(Result::is_ok) {
        checked.push(check_waits(fleet, resolved));
        checked.push(check_herd(fleet, resolved));
        checked.push(check_settings(fleet, resolved, shell));
    }
    checked.into_iter().filter_map(Result::err).collect()
}

/// What the check could not look at.
fn unseen(reach: &Reach) -> Option<&'static str> {
    match reach {
        Reach::Absent => Some("there is no git repository here: links are compared with chain.lock alone"),
        Reach::Shallow => {
            Some("this clone is shallow: older links are compared with chain.lock alone (git fetch --unshallow)")
        }
        Reach::Complete | Reach::Unreadable { .. } => None,
    }
}

/// The files whose code waits for others in a way that nobody can judge before it runs.
fn computed(fleet: &Fleet, resolved: &Resolved) -> Vec<String> {
    let files = resolved.written.files.iter().filter(|(_, source)| source.inside.computed > 0);
    let chain = files.map(|(name, _)| format!("src/chain/{name}.rs"));
    let files = chain.chain(waits_elsewhere(&fleet.crate_dir));
    files.map(|file| format!("{file} computes what it waits for, {UNJUDGED}; {IN_FULL}")).collect()
}

const UNJUDGED: &str = "so nobody can say whether others ever come there: where they don't, the migration fails after the \
                        time of `.within(…)`";

const IN_FULL: &str = "write it in the migration, as `host.wait_until(all(\"web\").reached(\"page\").within(…))`";

/// The links whose code computes what it waits for while their host is out of load, where it only looks once. For what stands
/// there in full a host waits before it leaves. A baseline is for hosts that never bore load, and these do wait.
fn hasty(resolved: &Resolved) -> Vec<String> {
    let computes = |link: &Link| resolved.written.files.get(&link.name).is_some_and(|file| file.inside.computed > 0);
    let rolling = resolved.links.iter().filter(|link| !link.in_load && !link.gone && link.replaces.is_none());
    let hasty = rolling.filter(|link| computes(link));
    hasty.map(|link| format!("the code of {link} waits for others while its host is out of load: {ONCE}")).collect()
}

const ONCE: &str = "there it looks once, and fails where they have not come; let it wait before it begins, by `wait = …` \
                    in its attribute, or run in load, by `rolling = false`";

fn mistakes(mistakes: &[Mistake]) -> Result<(), Failure> {
    let flaws = mistakes.iter().cloned().map(|mistake| Flaw::Mistake(Box::new(mistake)));
    all(flaws.map(|flaw| Failure::refused(&flaw).hint(flaw.help())).collect())
}

/// Whether herd.toml can be read. The checks below all read it, and each would tell the same again: where it can't be, they
/// are left out.
fn check_file(fleet: &Fleet) -> Result<(), Failure> {
    fleet.herd().map(drop).map_err(judge::fleet)
}

fn check_waits(fleet: &Fleet, resolved: &Resolved) -> Result<(), Failure> {
    let deadlocks = soundness::deadlocks(fleet, resolved).map_err(judge::fleet)?;
    all(deadlocks.iter().map(|deadlock| Failure::refused(deadlock).hint(OF_DEADLOCKS)).collect())
}

fn check_herd(fleet: &Fleet, resolved: &Resolved) -> Result<(), Failure> {
    all(of_herd(fleet, &soundness::strangers(fleet, resolved).map_err(judge::soundness)?))
}

fn check_settings(fleet: &Fleet, resolved: &Resolved, shell: &Shell) -> Result<(), Failure> {
    all(of_herd(fleet, &soundness::unfit(fleet, resolved, shell).map_err(judge::soundness)?))
}

/// Each with its line in herd.toml.
fn of_herd(fleet: &Fleet, refusals: &[Refusal]) -> Vec<Failure> {
    let path = fleet.herd_path();
    let hint = |refusal: &Refusal| match refusal {
        Refusal::UnknownRole { line, .. } | Refusal::Unfit(Unfit { line, .. }) => {
            format!("vi +{line} {}", quoted(&path.to_string_lossy()))
        }
        refusal => refusal.hint(),
    };
    refusals.iter().map(|refusal| Failure::refused(refusal).hint(hint(refusal))).collect()
}

/// All of these as one, where there are any.
fn all(failures: Vec<Failure>) -> Result<(), Failure> {
    if failures.is_empty() { Ok(()) } else { Err(Failure::all(failures)) }
}

fn summary(links: &[Link]) -> String {
    let mut landed = links.iter().filter(|link| !link.is_draft());
    let count = landed.clone().count();
    let holds = match landed.next_back() {
        None => "the chain is empty".to_owned(),
        Some(tip) if count == 1 => format!("the chain holds: 1 migration, {tip}"),
        Some(tip) => format!("the chain holds: {count} migrations up to {tip}"),
    };
    match links.last().filter(|link| link.is_draft()) {
        None => holds,
        Some(draft) => format!("{holds}; {draft} is not committed yet"),
    }
}

#[cfg(test)]
mod tests {
    use wb_core::chain::{Digest, Sha1};

    use super::*;

    #[test]
    fn the_summary_counts_what_landed() {
        let link = |name: &str, n| Link::new(name, Sha1::from_bytes([n; 20]), "web", Digest::of(b""));
        let check = |links: &[Link], expect: &str| assert_eq!(summary(links), expect);
        check(&[], "the chain is empty");
        check(&[link("a", 1)], "the chain holds: 1 migration, `a` (0101010)");
        let all = [link("a", 1), link("b", 2), link("c", 0)];
        check(&all[..2], "the chain holds: 2 migrations up to `b` (0202020)");
        check(&all, "the chain holds: 2 migrations up to `b` (0202020); `c` (draft) is not committed yet");
        check(&all[2..], "the chain is empty; `c` (draft) is not committed yet");
    }
}
