//! Watching the herd until all hosts are where they should be.
//!
//! Two tell of it. Hosts report, and their reports are asked for a few times a second; HAProxy is asked far more often.
//! So by the time that reports are here, HAProxy may have seen what comes after them. Lines stand in the order in which
//! things happen on a host: it reports that it leaves, it is out of load, it does its work, it is back in load, it
//! reports that it is there.

use std::collections::BTreeMap;
use std::time::Duration;

use wb_core::chain::Sha1;

use super::DemoError;
use super::balancer::{Sampler, Turn};
use super::load::Load;
use crate::shell::Shell;
use crate::stage::{Stage, StageError, is_there};
use crate::status::{HerdStatus, HostStatus, Phase};

/// What is shown while the herd rolls.
#[derive(Clone, Copy)]
pub(super) struct Scenery<'a> {
    pub(super) load: &'a Load,
    pub(super) sampler: &'a Sampler,
}

/// Waits until all hosts are at `target` and in load, at most for `bound`; shows each step that a host takes.
pub(super) fn until_all_at(
    target: Sha1,
    bound: Duration,
    stage: &Stage,
    scenery: Option<Scenery<'_>>,
    shell: &Shell,
) -> Result<HerdStatus, DemoError> {
    let progress = shell.begin_steps("hosts at the target", stage.hosts().len() as u64);
    let mut story = Story::default();
    let turns = || scenery.map_or_else(Vec::new, |scenery| scenery.sampler.turns());
    let mut seen = |status: &HerdStatus| {
        if super::story::interrupted() {
            return Err(StageError::Interrupted);
        }
        show(story.goes_on(status, turns()), scenery, shell);
        let there = status.hosts.iter().filter(|host| is_there(host, target));
        progress.reached(there.count() as u64);
        Ok(())
    };
    let status = stage.until(target, bound, &mut seen)?;
    show(in_order(Vec::new(), story.held, turns()).0, scenery, shell);
    Ok(status)
}

fn show(lines: Vec<Line>, scenery: Option<Scenery<'_>>, shell: &Shell) {
    let (requests, failed) = scenery.map_or((0, 0), |scenery| scenery.load.so_far());
    for line in lines {
        match line {
            Line::News { host, outline } => shell.done(&host, outline),
            Line::Turn(Turn { server, out }) => {
                let what = if out { "out of load" } else { "back in load" };
                shell.done(&server, format_args!("{what}, says HAProxy ({requests} requests so far, {failed} failed)"));
            }
        }
    }
}

/// What was told so far.
#[derive(Debug, Default)]
struct Story {
    shown: BTreeMap<String, (Option<Sha1>, Phase)>,
    held: Vec<Turn>,
}

/// What there is to tell.
#[derive(Debug)]
enum Line {
    News { host: String, outline: String },
    Turn(Turn),
}

/// What a host reports: where it is, and in words if that is new.
#[derive(Debug)]
struct Report {
    host: String,
    way: Way,
    news: Option<String>,
}

/// How far a host is, in the order in which it gets there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// It has not begun, as far as it has reported.
    Before,
    /// It is about to leave load.
    Leaves,
    /// It does what it left load for.
    Out,
    /// It is through.
    There,
}

impl Story {
    /// What there is to tell once the herd was asked for this status, and these servers turned meanwhile.
    fn goes_on(&mut self, status: &HerdStatus, turns: Vec<Turn>) -> Vec<Line> {
        let reports = status.hosts.iter().map(|host| self.report(host)).collect();
        let (lines, held) = in_order(reports, std::mem::take(&mut self.held), turns);
        self.held = held;
        lines
    }

    fn report(&mut self, host: &HostStatus) -> Report {
        let now = (host.state, host.phase);
        let is_new = self.shown.insert(host.name.clone(), now) != Some(now);
        Report { host: host.name.clone(), way: Way::of(host), news: is_new.then(|| host.outline()) }
    }
}

impl Way {
    fn of(host: &HostStatus) -> Self {
        match host.phase {
            Phase::Leaving => Self::Leaves,
            Phase::Running | Phase::Rebooting | Phase::Rejoining | Phase::Failed => Self::Out,
            _ if host.is_well() => Self::There,
            _ => Self::Before,
        }
    }
}

impl Report {
    fn tell(&mut self) -> Option<Line> {
        Some(Line::News { outline: self.news.take()?, host: self.host.clone() })
    }
}

/// What there is to tell now, and the turns that are held until the next reports: those of servers whose reports are
/// older. The `held` ones were, and are told now: reports that were asked for after a turn are not older.
fn in_order(mut reports: Vec<Report>, held: Vec<Turn>, turns: Vec<Turn>) -> (Vec<Line>, Vec<Turn>) {
    let is_ahead = |turn: &Turn| reports.iter().any(|report| report.host == turn.server && report.way == Way::Before);
    let (ahead, turns): (Vec<Turn>, Vec<Turn>) = turns.into_iter().partition(is_ahead);
    let mut lines = Vec::new();
    for turn in held.into_iter().chain(turns) {
        lines.extend(before(&turn, &mut reports));
        lines.push(Line::Turn(turn));
    }
    lines.extend(reports.into_iter().filter_map(|mut report| report.tell()));
    (lines, ahead)
}

/// The news of a server that are older than its turn.
fn before(turn: &Turn, reports: &mut [Report]) -> Option<Line> {
    let last = if turn.out { Way::Leaves } else { Way::Out };
    reports.iter_mut().find(|report| report.host == turn.server && report.way <= last)?.tell()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turns are written `web1 out` and `web1 back`.
    fn turns(lines: &[&str]) -> Vec<Turn> {
        let turn = |line: &&str| {
            let (server, way) = line.split_once(' ').unwrap();
            Turn { server: server.to_owned(), out: way == "out" }
        };
        lines.iter().map(turn).collect()
    }

    fn reports(lines: &[(&str, Way, bool)]) -> Vec<Report> {
        let report = |&(host, way, is_new): &(&str, Way, bool)| Report {
            host: host.to_owned(),
            way,
            news: is_new.then(|| format!("{way:?}")),
        };
        lines.iter().map(report).collect()
    }

    fn text(line: &Line) -> String {
        match line {
            Line::News { host, outline } => format!("{host} {outline}"),
            Line::Turn(Turn { server, out }) => format!("{server} {}", if *out { "out" } else { "back" }),
        }
    }

    fn check(said: &[(&str, Way, bool)], held: &[&str], turned: &[&str], expect: &[&str], kept: &[&str]) {
        let (lines, later) = in_order(reports(said), turns(held), turns(turned));
        assert_eq!(lines.iter().map(text).collect::<Vec<_>>(), expect);
        assert_eq!(later, turns(kept));
    }

    #[test]
    fn a_host_leaves_before_it_is_out() {
        let leaves = ("web2", Way::Leaves, true);
        check(&[leaves], &[], &["web2 out"], &["web2 Leaves", "web2 out"], &[]);
        check(&[leaves], &[], &["web2 out", "web2 back"], &["web2 Leaves", "web2 out", "web2 back"], &[]);
        let (there, turned) = (("web1", Way::There, true), ["web1 back", "web2 out"]);
        check(&[there, leaves], &[], &turned, &["web1 back", "web2 Leaves", "web2 out", "web1 There"], &[]);
    }

    #[test]
    fn what_a_host_does_out_of_load_stands_between_and_where_it_is_then_after_it() {
        let both = ["web2 out", "web2 back"];
        check(&[("web2", Way::Out, true)], &[], &both, &["web2 out", "web2 Out", "web2 back"], &[]);
        check(&[("web2", Way::There, true)], &[], &both, &["web2 out", "web2 back", "web2 There"], &[]);
    }

    #[test]
    fn a_turn_that_is_newer_than_the_report_waits_for_the_next_one_and_no_longer() {
        let (old, both) = (("web2", Way::Before, false), ["web2 out", "web2 back"]);
        check(&[old], &[], &both, &[], &both);
        check(&[("web2", Way::Leaves, true)], &both, &[], &["web2 Leaves", "web2 out", "web2 back"], &[]);
        check(&[old], &both, &[], &both, &[]);
    }

    #[test]
    fn at_the_end_nothing_is_held() {
        check(&[], &["web2 out"], &["web2 back"], &["web2 out", "web2 back"], &[]);
    }

    #[test]
    fn what_is_no_news_is_not_told() {
        check(&[("web1", Way::There, false)], &[], &["web1 out"], &["web1 out"], &[]);
        check(&[("web1", Way::Leaves, false)], &[], &["web1 out"], &["web1 out"], &[]);
    }
}
