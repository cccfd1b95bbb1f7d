//! Where a link can be cut: at the crash points on its way, of which each of its boots leaves a trace.

use std::collections::{BTreeMap, BTreeSet};

use wb_core::context::Operation;
use wb_core::system::fault::{Fault, Injected, POINTS, Plan, Subject, When};

use crate::test::drive::Heard;

/// A moment at which a link is killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    /// In which of its boots, the first of which is 0.
    pub(super) leg: usize,
    /// The number of the crash point.
    pub(super) point: usize,
    /// Which passage of it in that boot, the first of which is 0.
    pub(super) nth: u64,
    /// How many operations of that boot are over by then.
    pub(super) over: usize,
    /// The operation that pays what was owed, and is over by then, though nobody was told of it: no run does it once more.
    pub(super) paid: Vec<Operation>,
    /// Where that is, in words.
    pub(super) place: String,
}

impl Cut {
    /// What befalls the process of a boot.
    pub(super) fn faults(&self, leg: usize) -> Option<Plan> {
        let at = When::Point { point: self.point, nth: self.nth };
        let plan = || Plan { faults: vec![Injected { fault: Fault::Kill, at }], ..Plan::default() };
        (leg == self.leg).then(plan)
    }
}

/// The moments at which a link is killed: by what each of its boots passed, a line for each point, and by what it did there.
/// Where an operation passes a point several times, the first counts, unless each does.
pub(super) fn cuts(traces: &[String], legs: &[Heard], every_point: bool) -> Vec<Cut> {
    let legs = traces.iter().zip(legs).enumerate();
    legs.flat_map(|(number, (trace, leg))| of_leg(trace, number, leg, every_point)).collect()
}

fn of_leg(trace: &str, number: usize, leg: &Heard, every_point: bool) -> Vec<Cut> {
    let (mut seen, mut passages) = (BTreeSet::new(), BTreeMap::<usize, u64>::new());
    let mut cuts = Vec::new();
    for (line, hit) in trace.lines().zip(0..) {
        let Some(point) = line.split(' ').next().and_then(|number| number.parse::<usize>().ok()) else { continue };
        let passage = passages.entry(point).or_default();
        let nth = *passage;
        *passage += 1;
        let over = leg.passed.iter().take_while(|passed| **passed <= hit).count();
        if is_of_link(point) && (seen.insert((over, point)) || every_point) {
            let at = if every_point { format!(" ({hit})") } else { String::new() };
            let operation = leg.operations.get(over);
            let paid = operation.filter(|_| is_paid(point)).cloned().into_iter().collect();
            let place = place(point, operation, number) + &at;
            cuts.push(Cut { leg: number, point, nth, over, paid, place });
        }
    }
    cuts
}

/// What the record of a host passes by itself is tested once for all links, and elsewhere.
fn is_of_link(point: usize) -> bool {
    let subject = POINTS.get(point).map(|point| point.subject);
    let of_link = [Subject::Any, Subject::Migration, Subject::Owed, Subject::Paid, Subject::StepDone];
    subject.is_some_and(|subject| of_link.contains(&subject))
}

fn is_paid(point: usize) -> bool {
    POINTS.get(point).is_some_and(|point| point.subject == Subject::Paid)
}

/// `at "migration: rename" of file /a present after reboot 1`: the operation that was under way, in which boot.
pub(super) fn place(point: usize, operation: Option<&Operation>, leg: usize) -> String {
    let name = POINTS.get(point).map_or("", |point| point.name);
    let when = match operation {
        Some(operation) => format!("of {}", operation.what),
        None => "after its last operation".to_owned(),
    };
    let boot = if leg == 0 { String::new() } else { format!(" after reboot {leg}") };
    format!("at \"{name}\" {when}{boot}")
}

#[cfg(test)]
mod tests {
    use wb_core::context::Outcome;

    use super::*;

    fn point(name: &str) -> usize {
        POINTS.iter().position(|point| point.name == name).unwrap()
    }

    /// What was passed, by the names of points.
    fn trace(names: &[&str]) -> String {
        names.iter().map(|name| format!("{} {name}\n", point(name))).collect()
    }

    /// A boot in which operations were over after so many points.
    fn leg(operations: &[(&str, u64)]) -> Heard {
        let operation = |what: &str| Operation { what: what.into(), outcome: Outcome::Changed { diff: None } };
        Heard {
            operations: operations.iter().map(|(what, _)| operation(what)).collect(),
            passed: operations.iter().map(|(_, passed)| *passed).collect(),
            ..Heard::default()
        }
    }

    #[test]
    fn what_was_paid_is_over_though_nobody_was_told() {
        let passed = ["record, owed: write", "record, paid: write"];
        let cuts = cuts(&[trace(&passed)], &[leg(&[("a", 1), ("b", 2)])], false);
        let paid: Vec<Vec<&str>> =
            cuts.iter().map(|cut| cut.paid.iter().map(|operation| operation.what.as_str()).collect()).collect();
        assert_eq!(paid, [vec![], vec!["b"]]);
    }

    #[test]
    fn each_operation_is_killed_once_at_each_of_its_points() {
        let passed = [
            "record, link starts: write",
            "migration: write",
            "migration: rename",
            "migration: write",
            "record, owed: write",
            "migration: write",
            "migration: spawn",
        ];
        let check = |every_point, expect: &[(u64, usize, &str)]| {
            let cuts = cuts(&[trace(&passed)], &[leg(&[("a", 4), ("b", 6)])], every_point);
            let found: Vec<_> = cuts.iter().map(|cut| (cut.nth, cut.over, cut.place.as_str())).collect();
            assert_eq!(found, expect);
        };
        check(
            false,
            &[
                (0, 0, "at \"migration: write\" of a"),
                (0, 0, "at \"migration: rename\" of a"),
                (0, 1, "at \"record, owed: write\" of b"),
                (2, 1, "at \"migration: write\" of b"),
                (0, 2, "at \"migration: spawn\" after its last operation"),
            ],
        );
        check(
            true,
            &[
                (0, 0, "at \"migration: write\" of a (1)"),
                (0, 0, "at \"migration: rename\" of a (2)"),
                (1, 0, "at \"migration: write\" of a (3)"),
                (0, 1, "at \"record, owed: write\" of b (4)"),
                (2, 1, "at \"migration: write\" of b (5)"),
                (0, 2, "at \"migration: spawn\" after its last operation (6)"),
            ],
        );
    }

    #[test]
    fn what_comes_after_a_reboot_is_killed_too() {
        let traces = [trace(&["migration: write"]), trace(&["migration: spawn", "migration: write"])];
        let legs = [leg(&[("a", 1)]), leg(&[("a", 0), ("b", 2)])];
        let cuts = cuts(&traces, &legs, false);
        let found: Vec<_> = cuts.iter().map(|cut| (cut.leg, cut.point, cut.over, cut.place.as_str())).collect();
        let (write, spawn) = (point("migration: write"), point("migration: spawn"));
        let expect = [
            (0, write, 0, "at \"migration: write\" of a"),
            (1, spawn, 1, "at \"migration: spawn\" of b after reboot 1"),
            (1, write, 1, "at \"migration: write\" of b after reboot 1"),
        ];
        assert_eq!(found, expect);
    }

    #[test]
    fn one_boot_is_killed_and_no_other() {
        let cut = Cut { leg: 1, point: 7, nth: 3, over: 0, paid: Vec::new(), place: String::new() };
        assert_eq!([cut.faults(0), cut.faults(2)], [None, None]);
        let kill = Injected { fault: Fault::Kill, at: When::Point { point: 7, nth: 3 } };
        assert_eq!(cut.faults(1).unwrap().faults, [kill]);
    }
}
