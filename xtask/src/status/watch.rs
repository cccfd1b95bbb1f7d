//! Watching the herd: a page that takes the place of the one before on a terminal, elsewhere a line for each thing that
//! changed, or for programs the whole status as JSON, a line each.

use std::time::Duration;

use serde::Serialize;
use wb_core::runner::with_causes;
use wb_core::system::{Clock, FileError};

use super::{HerdStatus, HostStatus, Verdict};
use crate::calendar::moment;
use crate::operator::OperatorError;
use crate::shell::{Canvas, Screen, Shell};
use crate::table::one_line;

/// How to watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watching {
    /// How long to wait between two looks.
    pub every: Duration,
    /// To end when the herd is settled, or can't be before somebody acts, or after so long.
    pub until: Option<Duration>,
}

/// What was seen at last.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The herd.
    pub status: HerdStatus,
    /// Why the last look gave nothing newer.
    pub missed: Option<String>,
    /// Whether the time was over.
    pub late: bool,
}

/// Where it is shown.
pub enum View<'a> {
    /// On a terminal.
    Screen {
        /// It.
        screen: Screen<'a>,
        /// Whether all hosts are listed.
        all: bool,
    },
    /// In lines: what changed.
    Lines,
    /// In lines: the whole status, whenever it changed.
    Json,
}

/// Why nothing can be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The first look failed.
    #[error(transparent)]
    Look(#[from] OperatorError),
    /// Somebody asked for the end before the first look gave anything.
    #[error("ended before anything was seen")]
    Ended,
    /// What was seen can't be written down.
    #[error(transparent)]
    Keep(#[from] FileError),
}

/// How soon somebody who wants to end it is heard.
const TICK: Duration = Duration::from_millis(100);

/// Looks again and again, until the end that was wished for, or somebody asks for it. Whoever can't look at all is told so
/// at once; later looks may fail. `show` gets what was seen before, if anything, and what is seen now.
///
/// # Errors
/// When the first look fails, or `show` does.
pub fn watch(
    watching: Watching,
    clock: &dyn Clock,
    is_asked: &dyn Fn() -> bool,
    mut look: impl FnMut() -> Result<HerdStatus, OperatorError>,
    mut show: impl FnMut(Option<&Seen>, &Seen) -> Result<(), FileError>,
) -> Result<Seen, WatchError> {
    let begun = clock.passed();
    let mut before: Option<Seen> = None;
    loop {
        let seen = match seen_by(look(), before.as_ref()) {
            Err(_) if is_asked() => return Err(WatchError::Ended),
            seen => seen?,
        };
        // What was under way when somebody asked for the end is none of the herd's failures.
        if let Some(before) = before.take_if(|_| is_asked() && seen.missed.is_some()) {
            return Ok(before);
        }
        show(before.as_ref(), &seen)?;
        let end = watching.until.map(|until| begun.saturating_add(until));
        let late = end.is_some_and(|end| clock.passed() >= end);
        if late || (end.is_some() && seen.is_over()) {
            return Ok(Seen { late: late && !seen.is_over(), ..seen });
        }
        let next = clock.passed().saturating_add(watching.every);
        let next = end.map_or(next, |end| end.min(next));
        while clock.passed() < next && !is_asked() {
            clock.sleep(TICK);
        }
        if is_asked() {
            return Ok(seen);
        }
        before = Some(seen);
    }
}

fn seen_by(look: Result<HerdStatus, OperatorError>, before: Option<&Seen>) -> Result<Seen, OperatorError> {
    match (look, before) {
        (Ok(status), _) => Ok(Seen { status, missed: None, late: false }),
        (Err(error), Some(before)) => Ok(Seen { missed: Some(with_causes(&error)), ..before.clone() }),
        (Err(error), None) => Err(error),
    }
}

impl Seen {
    /// Whether waiting brings no more.
    fn is_over(&self) -> bool {
        self.missed.is_none() && self.status.verdict != Verdict::OnItsWay
    }
}

impl View<'_> {
    /// Shows what there is before anything was seen.
    pub fn begin(&self, what: &str) {
        if let Self::Screen { screen, .. } = self {
            screen.show(what);
        }
    }

    /// Shows what is seen now, after what was seen before.
    pub fn show(&self, before: Option<&Seen>, now: &Seen, shell: &Shell) {
        match self {
            Self::Screen { screen, all } => screen.show(&frame(now, *all, &shell.canvas())),
            Self::Lines => {
                let at = moment(now.status.time);
                news(before, now).iter().for_each(|line| shell.print(format_args!("{at} {line}")));
            }
            Self::Json => {
                if before.map(timeless).as_ref() != Some(&timeless(now)) {
                    let line = Line { status: &now.status, missed: now.missed.as_deref() };
                    shell.print(serde_json::to_string(&line).unwrap_or_default());
                }
            }
        }
    }
}

/// What a terminal shows: when this was, what is wrong with looking, and the page.
fn frame(now: &Seen, all: bool, canvas: &Canvas) -> String {
    let missed = now.missed.as_ref().map(|why| format!("{}\n", away(why)));
    format!("{}\n{}{}", moment(now.status.time), missed.unwrap_or_default(), now.status.page(all, canvas))
}

/// What programs read.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    status: &'a HerdStatus,
    /// Why there is nothing newer.
    #[serde(skip_serializing_if = "Option::is_none")]
    missed: Option<&'a str>,
}

/// What was seen, but for what changes with time alone; and whether it was the newest.
fn timeless(seen: &Seen) -> (HerdStatus, bool) {
    let mut status = HerdStatus { time: 0, ..seen.status.clone() };
    status.canary.iter_mut().for_each(|canary| canary.left = None);
    (status, seen.missed.is_some())
}

fn away(why: &str) -> String {
    format!("no newer state: {}", one_line(why))
}

/// What is different, a line each. At first, whatever is not well.
fn news(before: Option<&Seen>, now: &Seen) -> Vec<String> {
    let old = before.map(|before| &before.status);
    if before.is_some_and(|before| before.missed.is_none())
        && let Some(why) = &now.missed
    {
        return vec![away(why)];
    }
    let told = |host: &HostStatus| old.and_then(|old| old.hosts.iter().find(|other| other.name == host.name));
    let is_news = |host: &&HostStatus| match told(host) {
        Some(before) => before.outline() != host.outline(),
        None => old.is_some() || !host.is_settled(),
    };
    let line = |host: &HostStatus| one_line(&format!("{} {}", host.name, host.outline()));
    let hosts = now.status.hosts.iter().filter(is_news).map(line);
    let is_here = |host: &&HostStatus| now.status.hosts.iter().any(|other| other.name == host.name);
    let gone = old.into_iter().flat_map(|old| &old.hosts).filter(|host| !is_here(host));
    let gone = gone.map(|host| format!("{} is in the herd no more", host.name));
    let summary = now.status.summary();
    let summary = (old.map(HerdStatus::summary).as_ref() != Some(&summary)).then_some(summary);
    let back = before.is_some_and(|before| before.missed.is_some()) && now.missed.is_none();
    let back = back.then(|| "the newest state again".to_owned());
    back.into_iter().chain(hosts).chain(gone).chain(summary).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use wb_core::system::clock::Stepping;

    use super::super::tests::Herd;
    use super::*;
    use crate::shell::tests::shown;

    /// What a look finds: hosts, or no remote.
    type Look<'a> = Option<&'a [&'a str]>;

    /// What is printed, and what is seen at last, of these looks; the last one is found again and again. Somebody asks for
    /// the end after so many looks.
    fn watched(watching: Watching, looks: &[Look<'_>], asked_after: usize) -> (String, Result<Seen, WatchError>) {
        viewed(&View::Lines, watching, looks, asked_after)
    }

    fn viewed(
        view: &View<'_>,
        watching: Watching,
        looks: &[Look<'_>],
        asked_after: usize,
    ) -> (String, Result<Seen, WatchError>) {
        let ((shell, captured), count) = (Shell::captured(), Cell::new(0));
        let look = || {
            let found = looks[count.replace(count.get() + 1).min(looks.len() - 1)];
            found.map(|hosts| Herd::new(hosts).status()).ok_or(OperatorError::NoRemote)
        };
        let is_asked = || count.get() >= asked_after;
        let seen = watch(watching, &Stepping::default(), &is_asked, look, |before, now| {
            view.show(before, now, &shell);
            Ok(())
        });
        (captured.text(), seen)
    }

    const EVERY: Duration = Duration::from_secs(5);
    const ON: Watching = Watching { every: EVERY, until: None };
    const UNTIL: Watching = Watching { every: EVERY, until: Some(Duration::from_secs(60)) };

    const BEFORE: Look<'static> = Some(&["web1@2", "web2@2"]);
    const AMID: Look<'static> = Some(&["web1@2 runs", "web2@2 waits"]);
    const AFTER: Look<'static> = Some(&["web1@3", "web2@3"]);
    const FAILED: Look<'static> = Some(&["web1@2 failed", "web2@2 waits"]);

    #[test]
    fn without_a_terminal_only_what_changed_is_said() {
        let looks = [BEFORE, BEFORE, AMID, None, None, AMID, AFTER, Some(&["web1@3"])];
        insta::assert_snapshot!(watched(ON, &looks, looks.len()).0);
    }

    #[test]
    fn on_a_terminal_the_newest_page_stands_alone() {
        let (shell, captured) = Shell::captured_screen();
        let view = View::Screen { screen: shell.screen().unwrap(), all: false };
        view.begin("asking the remote");
        let check = |before: Option<&Seen>, now: &Seen, expect: &[&str]| {
            view.show(before, now, &shell);
            assert_eq!(shown(&captured.text()), expect);
        };
        let seen = |hosts: &[&str]| Seen { status: Herd::new(hosts).status(), missed: None, late: false };
        let (amid, after) = (seen(&["web1@2 runs", "web2@2"]), seen(&["web1@3"]));
        let head = "host  roles  state                  behind  phase       since  last seen";
        let amid_page = [
            "1970-01-12T13:48:10Z",
            head,
            "web1  web    0202020 install_nginx  1       running     10m    1m ago     `second_page`",
            "web2  web    0202020 install_nginx  1       up to date  10m    1m ago",
            "change 4: 0 of 2 hosts are at `second_page` (0303030)",
        ];
        check(None, &amid, &amid_page);
        let missed = Seen { missed: Some("no route\nto host".into()), ..amid.clone() };
        let mut missed_page = amid_page.to_vec();
        missed_page.insert(1, "no newer state: no route to host");
        check(Some(&amid), &missed, &missed_page);
        check(
            Some(&missed),
            &after,
            &[
                "1970-01-12T13:48:10Z",
                "host  roles  state                behind  phase       since  last seen",
                "web1  web    0303030 second_page  0       up to date  10m    1m ago",
                "change 4: 1 of 1 hosts are at `second_page` (0303030)",
            ],
        );
    }

    #[test]
    fn who_waits_for_the_herd_hears_how_it_ended() {
        let check = |looks: &[Look<'_>], expect: (Verdict, bool, bool)| {
            let seen = watched(UNTIL, looks, usize::MAX).1.unwrap();
            assert_eq!((seen.status.verdict, seen.late, seen.missed.is_some()), expect, "{looks:?}");
        };
        check(&[AFTER], (Verdict::Settled, false, false));
        check(&[BEFORE, AMID, AFTER], (Verdict::Settled, false, false));
        check(&[BEFORE, None, AFTER], (Verdict::Settled, false, false));
        check(&[BEFORE, FAILED, AFTER], (Verdict::NeedsPeople, false, false));
        check(&[BEFORE], (Verdict::OnItsWay, true, false));
        check(&[BEFORE, None], (Verdict::OnItsWay, true, true));
    }

    #[test]
    fn who_asks_for_the_end_gets_it_with_what_was_seen_last() {
        let check = |looks: &[Look<'_>], expect: (Verdict, bool)| {
            let seen = watched(ON, looks, looks.len()).1.unwrap();
            assert_eq!((seen.status.verdict, seen.missed.is_some()), expect, "{looks:?}");
        };
        check(&[AFTER], (Verdict::Settled, false));
        check(&[BEFORE, FAILED], (Verdict::NeedsPeople, false));
        check(&[FAILED, AFTER, None], (Verdict::Settled, false));
    }

    #[test]
    fn programs_get_a_line_when_something_changed_or_the_remote_went_away() {
        let looks = [BEFORE, BEFORE, AMID, None, None, AMID, AFTER];
        let (said, _) = viewed(&View::Json, ON, &looks, looks.len());
        let lines: Vec<serde_json::Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let told: Vec<_> =
            lines.iter().map(|line| (line["hosts"][0]["phase"].as_str(), line["missed"].is_null())).collect();
        let expect =
            [("up to date", true), ("running", true), ("running", false), ("running", true), ("up to date", true)];
        assert_eq!(told, expect.map(|(phase, is_new)| (Some(phase), is_new)));
    }

    #[test]
    fn a_bake_that_goes_on_is_no_news() {
        let (shell, captured) = Shell::captured();
        let seen = |now| {
            let mut herd = Herd::new(&["web1@3", "web2@2"]);
            herd.known.manifest.target = Some(super::super::tests::link(2).sha1);
            let (hosts, target) = (["web1".to_owned()].into(), super::super::tests::link(3).sha1);
            herd.known.manifest.canary = Some(wb_core::change::Canary { hosts, target, change: 0, bake: Some(3600) });
            herd.known.now = now;
            Seen { status: herd.status(), missed: None, late: false }
        };
        let (one, other) = (seen(1_000_090), seen(1_000_095));
        assert_ne!(one.status.canary, other.status.canary);
        View::Json.show(None, &one, &shell);
        View::Json.show(Some(&one), &other, &shell);
        assert_eq!(captured.text().lines().count(), 1);
    }

    #[test]
    fn a_time_without_end_is_waited_for() {
        let watching = Watching { every: Duration::MAX, until: Some(Duration::MAX) };
        assert!(watched(watching, &[BEFORE], 1).1.is_ok());
    }

    #[test]
    fn who_can_not_look_at_all_is_told_so() {
        assert!(matches!(watched(UNTIL, &[None], 9).1, Err(WatchError::Look(OperatorError::NoRemote))));
        assert!(matches!(watched(UNTIL, &[None], 1).1, Err(WatchError::Ended)), "nothing is wrong with the remote");
    }
}
