//! Who was killed, and what is to come of it.

use wb_core::context::Outcome;
use wb_core::drill::{Answer, Ended};

use super::*;

fn leg(operations: &[&str]) -> Heard {
    let operation = |what: &&str| Operation { what: (*what).into(), outcome: Outcome::Changed { diff: None } };
    let operations = operations.iter().map(operation).collect();
    Heard { operations, ended: Some(Ended::default()), ..Heard::default() }
}

/// One that came to no end.
fn cut_short(operations: &[&str], code: i32) -> Heard {
    Heard { ended: None, code, ..leg(operations) }
}

fn cut_at(leg: usize, over: usize) -> Cut {
    Cut { leg, point: 0, nth: 0, over, paid: Vec::new(), place: "at \"x\"".into() }
}

fn ended(operations: &[&str], packages: &str) -> End {
    End { legs: vec![leg(operations)], tree: Tree::new(), packages: packages.into() }
}

fn whole(operations: &[&str], packages: &str) -> Whole {
    let end = ended(operations, packages);
    Whole { operations: joined(&end.legs), end, allowed: Allowed::default() }
}

#[test]
fn only_the_signal_kills() {
    let check = |legs: &[Heard], cut: &Cut, expect: Fall| assert_eq!(fall(legs, cut), expect, "{legs:?}");
    check(&[cut_short(&["a"], KILLED)], &cut_at(0, 1), Fall::There);
    check(&[cut_short(&["a", "b"], KILLED)], &cut_at(0, 1), Fall::Elsewhere { leg: 0, over: 2 });
    check(&[leg(&["a"]), cut_short(&[], KILLED)], &cut_at(1, 0), Fall::There);
    check(&[leg(&["a"])], &cut_at(0, 1), Fall::Nowhere);
    check(&[], &cut_at(0, 1), Fall::Nowhere);
    let failed = |legs: &[Heard], expect: &str| match fall(legs, &cut_at(0, 1)) {
        Fall::Failed(difference) => assert_eq!(difference.lines[..3].join("\n"), expect),
        other => panic!("{other:?}"),
    };
    let itself = "it was to be killed at \"x\", and ended by itself:\n  it failed:\n";
    for code in [1, 101, 124, 139] {
        let expect = format!("{itself}    it was cut short, with exit code {code}: ");
        failed(&[cut_short(&["a"], code)], &expect);
    }
    let no = Some(Ended { error: Some("no".into()), ..Ended::default() });
    failed(&[Heard { ended: no, ..leg(&["a"]) }], &format!("{itself}    no"));
}

#[test]
fn who_passes_no_point_has_not_come_through() {
    let trace = |code, text: &str| Output { code, stdout: text.into(), stderr: "no such file\n".into() };
    let check = |traces: &[Output], expect: Result<&[&str], &str>| {
        let said = passed(traces).map_err(|difference| difference.to_string());
        let expect = expect.map(|texts| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(said, expect.map_err(str::to_owned));
    };
    check(&[trace(0, "1 a\n2 b\n"), trace(0, "")], Ok(&["1 a\n2 b", ""]));
    check(&[trace(0, "1 a\n"), trace(1, "")], Err("it is not known which points it passes:\n  no such file"));
    let unarmed = "it can't be killed:\n  the twin of the runner has no crash points";
    check(&[trace(0, "")], Err(unarmed));
    check(&[], Err(unarmed));
}

#[test]
fn who_was_never_killed_has_not_come_through() {
    let of = |verdict: Verdict| Tested { verdict, ..Tested::new(Check::Interrupted("at \"x\"".into())) };
    let spared = || of(Verdict::NotRun { why: String::new() });
    let killed = || of(Verdict::Passed);
    assert!(matches!(of_all(&[]), Some(Verdict::Ignored { .. })));
    assert_eq!(of_all(&[killed()]), None);
    assert_eq!(of_all(&[spared(), killed()]), None);
    let lines = "it was never killed where it was to be:\n  interrupted at \"x\"\n  interrupted at \"x\"";
    let failed = Verdict::Failed { what: lines.into(), hint: None };
    assert_eq!(of_all(&[spared(), spared()]), Some(failed));
}

#[test]
fn where_a_host_is_kept_the_rest_is_said() {
    let killed = |results: usize, kept: &[usize], left| Killed {
        results: vec![Tested::new(Check::Interrupted("at \"x\"".into())); results],
        kept: kept.to_vec(),
        left,
    };
    let whole = killed(2, &[], 0).and(killed(1, &[1], 3)).and(killed(1, &[0], 0));
    assert_eq!((whole.results.len(), &whole.kept[..], whole.left), (4, &[1, 0][..], 3));
    let why = "3 more points are left: a host that did not come through is kept as it is".to_owned();
    assert_eq!(whole.rest(), Some(Verdict::NotRun { why }));
    assert_eq!(killed(1, &[0], 0).rest(), None);
}

#[test]
fn where_somebody_fell_instead_is_said() {
    let check = |leg, over, expect: &str| {
        assert_eq!(elsewhere(&whole(&["a", "b"], ""), cut_at(0, 0).point, leg, over), expect);
    };
    let point = wb_core::system::fault::POINTS[0].name;
    let other = "its way is another one each time: it was killed at";
    check(0, 1, &format!("{other} \"{point}\" of b"));
    check(0, 2, &format!("{other} \"{point}\" after its last operation"));
    check(1, 0, &format!("{other} \"{point}\" after its last operation after reboot 1"));
}

#[test]
fn who_was_killed_is_to_come_to_the_same_end() {
    let package = "Package: a\nVersion: 1\n";
    let check = |killed: &[&str], resumed: &End, specs: &Heard, expect: &str| {
        let killed = [cut_short(killed, KILLED)];
        let verdict = judged(&whole(&["a", "b"], package), &cut_at(0, 0), &killed, resumed, specs);
        assert_eq!(verdict.map_or_else(|difference| difference.lines[0].clone(), |()| "ok".to_owned()), expect);
    };
    let well = leg(&[]);
    let answer =
        |error: Option<&str>| Answer { link: None, role: None, spec: "runs".into(), error: error.map(str::to_owned) };
    let broken = Heard { answers: vec![answer(None), answer(Some("no"))], ..leg(&[]) };
    check(&["a"], &ended(&["b"], package), &well, "ok");
    let lost = "it was killed at \"x\", and the run after that never came to:";
    check(&["a"], &ended(&["a"], package), &well, lost);
    let unheld = "it was killed at \"x\", run again, and does not hold:";
    check(&["a"], &ended(&["b"], package), &broken, unheld);
    check(&["a"], &ended(&["b"], package), &cut_short(&[], 101), unheld);
    let other = "it was killed at \"x\", run again, and has (+) what it has not else (-):";
    check(&["a"], &ended(&["b"], ""), &well, other);

    let paid = Cut { paid: ended(&["b"], "").legs[0].operations.clone(), ..cut_at(0, 0) };
    let again = ended(&["a"], package);
    judged(&whole(&["a", "b"], package), &paid, &[cut_short(&["a"], KILLED)], &again, &well).unwrap();
}
