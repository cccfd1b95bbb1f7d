//! The phases as a page of the book shows them: every phase is asked about every event, and what
//! [`Phase::next`](super::Phase::next) answers is drawn and listed.

use std::fmt::Write as _;
use std::time::Duration;

use uuid::Uuid;

use super::{Event, Held, Leg, Phase};
use crate::agent::pace;
use crate::chain::{Digest, Sha1};
use crate::report::Failure;

/// One way from a phase to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// The name of the phase before it.
    pub from: &'static str,
    /// The name of the event.
    pub event: &'static str,
    /// The event in a sentence.
    pub sentence: &'static str,
    /// The name of the phase after it.
    pub to: &'static str,
    /// Where it depends on that: whether the host has a claim. Without one are those that were never in service, and
    /// those that run a link in load.
    pub claimed: Option<bool>,
}

/// One phase of each kind, of a host with a claim, in the order of a leg.
#[must_use]
pub fn phases() -> Vec<Phase> {
    list(|last| phase_after(last, true))
}

/// All there are: phase by phase, in the order of a leg.
#[must_use]
pub fn transitions() -> Vec<Transition> {
    let kinds = list(|last| phase_after(last, true)).into_iter().zip(list(|last| phase_after(last, false)));
    kinds.flat_map(|(claimed, new)| from(&claimed, &new)).collect()
}

/// The drawing and the tables, as Markdown.
#[must_use]
pub fn page() -> String {
    let transitions = transitions();
    format!("```text\n{}```\n\n{}\n{}", tree(&transitions), phase_table(), event_table(&transitions))
}

/// What can happen in a phase, asked for a host with a claim and for one without.
fn from(claimed: &Phase, new: &Phase) -> Vec<Transition> {
    let with = list(|last| event_after(last, true));
    let without = list(|last| event_after(last, false));
    let ways = with.into_iter().zip(without).flat_map(|(with, without)| {
        let (from, event, sentence) = (claimed.name(), with.name(), with.sentence());
        let to = |phase: &Phase, event| phase.next(event).ok().map(|next| next.name());
        let way = |claimed| move |to| Transition { from, event, sentence, to, claimed };
        match (to(claimed, with), to(new, without)) {
            (one, other) if one == other => [one.map(way(None)), None],
            (one, other) => [one.map(way(Some(true))), other.map(way(Some(false)))],
        }
    });
    ways.flatten().collect()
}

/// The list that begins with what comes after nothing.
fn list<T>(after: impl Fn(Option<&T>) -> Option<T>) -> Vec<T> {
    std::iter::successors(after(None), |last| after(Some(last))).collect()
}

/// The phase that a page shows after this one: a new one has no place until it is given one here.
fn phase_after(last: Option<&Phase>, claimed: bool) -> Option<Phase> {
    let leg = leg(claimed);
    Some(match last {
        None => Phase::InLoad,
        Some(Phase::InLoad) => Phase::Claiming { leg },
        Some(Phase::Claiming { .. }) => Phase::Leaving { leg },
        Some(Phase::Leaving { .. }) => Phase::Out { leg },
        Some(Phase::Out { .. }) => Phase::Running { leg, link: sha1() },
        Some(Phase::Running { .. }) => Phase::Failed { leg, failure: failure() },
        Some(Phase::Failed { .. }) => Phase::Rejoining { held: leg.held },
        Some(Phase::Rejoining { .. }) => Phase::Returning { held: held() },
        Some(Phase::Returning { .. }) => return None,
    })
}

/// The event that a page shows after this one.
fn event_after(last: Option<&Event>, claimed: bool) -> Option<Event> {
    Some(match last {
        None => Event::LegPlanned(leg(claimed)),
        Some(Event::LegPlanned(_)) => Event::AtTarget,
        Some(Event::AtTarget) => Event::ClaimFound(held()),
        Some(Event::ClaimFound(_)) => Event::ClaimWon,
        Some(Event::ClaimWon) => Event::ClaimLost,
        Some(Event::ClaimLost) => Event::Left,
        Some(Event::Left) => Event::TurnedBack,
        Some(Event::TurnedBack) => Event::LinkStarts(sha1()),
        Some(Event::LinkStarts(_)) => Event::LinkDone,
        Some(Event::LinkDone) => Event::LinkFailed(failure()),
        Some(Event::LinkFailed(_)) => Event::TryAgain,
        Some(Event::TryAgain) => Event::Adopted,
        Some(Event::Adopted) => Event::AdoptionRefused(failure()),
        Some(Event::AdoptionRefused(_)) => Event::LegDone,
        Some(Event::LegDone) => Event::Rejoined,
        Some(Event::Rejoined) => Event::Returned,
        Some(Event::Returned) => return None,
    })
}

fn leg(claimed: bool) -> Leg {
    Leg { until: sha1(), held: claimed.then(held) }
}

fn held() -> Held {
    Held { nonce: Uuid::nil(), roles: Vec::new(), since: 0 }
}

fn failure() -> Failure {
    let digest = Digest::of(b"");
    Failure { link: sha1(), name: String::new(), digest, settings: digest, error: String::new() }
}

fn sha1() -> Sha1 {
    Sha1::from_bytes([0; 20])
}

/// Each phase with the ways out of it, as lines of one length.
fn tree(transitions: &[Transition]) -> String {
    let longest = transitions.iter().map(|way| label(way).len()).max().unwrap_or_default();
    let mut text = String::new();
    for phase in phases() {
        let ways: Vec<&Transition> = transitions.iter().filter(|way| way.from == phase.name()).collect();
        let _ = writeln!(text, "{}", phase.name());
        for (index, way) in ways.iter().enumerate() {
            let corner = if index + 1 == ways.len() { '└' } else { '├' };
            let label = label(way);
            let line = "─".repeat(longest - label.len() + 1);
            let _ = writeln!(text, "  {corner}─ {label} {line}> {}", way.to);
        }
    }
    text
}

fn label(way: &Transition) -> String {
    match way.claimed {
        None => way.event.to_owned(),
        Some(true) => format!("{}, with a claim", way.event),
        Some(false) => format!("{}, without one", way.event),
    }
}

fn phase_table() -> String {
    let mut text = "| phase | what the host does | after a boot | without the remote | what fails is tried again |\n\
        | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for phase in phases() {
        let boot = if phase.is_out() { "leaves load again first" } else { "does just that" };
        let alone = if phase.needs_remote() { "waits for it" } else { "goes on" };
        let (name, act, again) = (phase.name(), phase.act(), again(&phase));
        let _ = writeln!(text, "| `{name}` | {act} | {boot} | {alone} | {again} |");
    }
    text
}

fn again(phase: &Phase) -> String {
    let retry = pace::retry(phase, Duration::from_secs(30));
    format!("after {} s, then up to {} s", retry.first.as_secs(), retry.longest.as_secs())
}

fn event_table(transitions: &[Transition]) -> String {
    let mut text = "| in | event | what happened | then |\n| --- | --- | --- | --- |\n".to_owned();
    for way in transitions {
        let Transition { from, event, sentence, to, claimed } = way;
        let whose = match claimed {
            None => "",
            Some(true) => " (With a claim.)",
            Some(false) => " (Without one.)",
        };
        let _ = writeln!(text, "| `{from}` | `{event}` | {sentence}{whose} | `{to}` |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_can_be_entered_and_left() {
        let transitions = transitions();
        for phase in phases() {
            assert!(transitions.iter().any(|way| way.to == phase.name()), "{phase:?} is never entered");
            assert!(transitions.iter().any(|way| way.from == phase.name()), "{phase:?} is never left");
        }
    }

    #[test]
    fn every_event_happens_somewhere() {
        let transitions = transitions();
        for event in list(|last| event_after(last, true)) {
            assert!(transitions.iter().any(|way| way.event == event.name()), "{event:?} never happens");
        }
    }

    #[test]
    fn what_depends_on_a_claim_is_told_for_both() {
        let check = |from, event, expect: &[(&str, Option<bool>)]| {
            let transitions = transitions();
            let ways = transitions.iter().filter(|way| way.from == from && way.event == event);
            assert_eq!(ways.map(|way| (way.to, way.claimed)).collect::<Vec<_>>(), expect, "{from} {event}");
        };
        check("InLoad", "LegPlanned", &[("Claiming", Some(true)), ("Out", Some(false))]);
        check("Out", "LegDone", &[("Rejoining", Some(true)), ("InLoad", Some(false))]);
        check("Claiming", "ClaimLost", &[("InLoad", None)]);
        check("Failed", "Rejoined", &[]);
    }
}
