//! What passes, and what is said of what does not.

use super::*;

/// An operation, as it is printed: `+ a` changed, `= a` did not, `? a` could not know.
fn operation(line: &str) -> Operation {
    let (sign, what) = line.split_once(' ').unwrap();
    let outcome = match sign {
        "+" => Outcome::Changed { diff: None },
        "=" => Outcome::Unchanged,
        _ => Outcome::Unknown { why: "nobody knows".into() },
    };
    Operation { what: what.into(), outcome }
}

/// Operations, a line each.
fn operations(text: &str) -> Vec<Operation> {
    text.lines().map(operation).collect()
}

fn said<T>(result: Result<T, Difference>, good: impl FnOnce(T) -> String) -> String {
    result.map_or_else(|difference| difference.to_string(), good)
}

#[test]
fn a_plan_says_what_is_done() {
    let check = |planned: &str, ends, done: &str, expect: &str| {
        let (planned, done) = (operations(planned), operations(done));
        let said = said(plan(&planned, ends, &done, &|_| true), |notes| format!("ok: {}", notes.join("; ")));
        assert_eq!(said, expect, "{planned:?} {done:?}");
    };
    check("", None, "", "ok: ");
    check("+ a\n= b", None, "+ a\n= b", "ok: ");
    check("? a\n+ b", None, "= a\n+ b", "ok: ");
    check("+ a", Some("no b"), "+ a", "ok: the plan ends after 1 operation: no b");
    check("", Some("no b"), "+ a\n+ b", "ok: the plan says nothing: no b");
    check("= a\n= b", Some("no c"), "= a\n= b\n+ c", "ok: the plan ends after 2 operations: no c");
    check("= a", None, "+ a", "the plan said:\n  = a\nand this was done:\n  + a");
    check(
        "+ a\n= b",
        None,
        "+ a",
        "the plan said:\n  = b\nand this was done:\n  nothing more\n1 operation before that came as the plan said",
    );
    check("", None, "+ a", "the plan said:\n  nothing more\nand this was done:\n  + a");
    check("+ a", Some("no b"), "", "the plan said:\n  + a\nand this was done:\n  nothing more");
    check("? a", None, "+ b", "the plan said:\n  ? a (cannot know: nobody knows)\nand this was done:\n  + b");
}

#[test]
fn what_a_plan_could_not_foresee_is_named() {
    let check = |planned: &str, done: &str, expect: &str| {
        let notes = plan(&operations(planned), None, &operations(done), &|_| true).unwrap();
        let from = "from `a` on, which the plan marked with `?` (nobody knows), the run did";
        assert_eq!(notes, [format!("{from} {expect}")], "{planned:?} {done:?}");
    };
    check("? a\n+ b\n+ d", "+ a\n+ b\n+ c", "what the plan could not foresee: `+ c`");
    check("? a\n= b", "+ a\n+ b", "what the plan could not foresee: `+ b`");
    check("? a\n+ b", "+ a\n+ b\n+ b", "what the plan could not foresee: `+ b`");
    check("? a\n? b\n+ c", "+ a\n+ d\n+ b\n+ c", "what the plan could not foresee: `+ d`");
    check("? a", "= a\n+ b\n= c\n+ d\n+ e", "what the plan could not foresee: `+ b`, `= c` and 2 more");
    check("? a\n+ b\n+ c\n= d", "+ a\n+ c", "not come to what the plan says: `+ b`, `= d`");
    check("? a\n+ b\n+ c", "+ a\n+ c\n+ b", "what the plan says, in another order");
    let with_diff = Operation { what: "a".into(), outcome: Outcome::Changed { diff: Some("-1\n+2".into()) } };
    assert_eq!(named(&[&with_diff]), "`+ a`");
}

#[test]
fn what_a_plan_may_not_know_is_asked() {
    let check = |planned: &str, expect| {
        let is_foreseen = plan(&operations(planned), None, &operations("+ a\n+ b"), &|unknown| unknown.what == "a");
        assert_eq!(is_foreseen.is_ok(), expect, "{planned}");
    };
    check("? a\n+ b", true);
    check("+ a\n? b", false);
}

#[test]
fn differences_of_texts_are_shown() {
    let with = |diff: &str| [Operation { what: "a".into(), outcome: Outcome::Changed { diff: Some(diff.into()) } }];
    let difference = plan(&with("-1\n+2"), None, &with("-1\n+3"), &|_| true).unwrap_err();
    insta::assert_snapshot!(difference.to_string(), @r"
    the plan said:
      + a
          -1
          +2
    and this was done:
      + a
          -1
          +3
    ");
}

#[test]
fn what_was_done_in_several_boots_is_one_run() {
    let check = |legs: &[&str], expect: &str| {
        let legs: Vec<Vec<Operation>> = legs.iter().map(|leg| operations(leg)).collect();
        let said: Vec<String> = joined(&legs).iter().map(ToString::to_string).collect();
        assert_eq!(said.join("\n"), expect);
    };
    check(&[], "");
    check(&["+ a\n= b"], "+ a\n= b");
    check(&["+ a", "= a\n= host rebooted\n+ b"], "+ a\n+ host rebooted\n+ b");
    check(&["+ a\n+ b\n+ c", "= a\n= c\n= host rebooted\n= a"], "+ a\n+ b\n+ c\n+ host rebooted\n= a");
    let (second, third) = ("= a\n= host rebooted\n+ b", "= a\n= host rebooted\n= b\n= host rebooted");
    check(&["+ a", second, third], "+ a\n+ host rebooted\n+ b\n+ host rebooted");
    check(&["+ a", "= other"], "+ a\n= other");
}

#[test]
fn a_second_run_changes_nothing() {
    let check = |done: &str, expect: &str| {
        assert_eq!(said(again(&operations(done)), |()| "ok".into()), expect);
    };
    check("", "ok");
    check("= a\n= b", "ok");
    check("= a\n+ b\n+ c", "it was run once more, and changed something:\n  + b\n  + c");
}

#[test]
fn a_plan_touches_nothing() {
    let check = |touched: &[(&str, Touch)], expect: &str| {
        let touched = touched.iter().map(|(path, how)| Touched { path: path.into(), how: *how });
        assert_eq!(said(glass(&touched.collect::<Vec<_>>()), |()| "ok".into()), expect);
    };
    check(&[], "ok");
    check(
        &[("/a", Touch::Made), ("/b", Touch::Changed), ("/c", Touch::Removed)],
        "the plan touched:\n  + /a\n  ~ /b\n  - /c",
    );
}

#[test]
fn paths_are_as_they_were() {
    let check = |before, after, expect: &str| assert_eq!(said(untouched(before, after), |()| "ok".into()), expect);
    check("/a File\n/b File", "/b File\n/a File\n", "ok");
    check("/a File\n/b 1", "/a File\n/b 2", "the plan touched:\n  /b 1\n  /b 2");
}

#[test]
fn what_a_whole_run_does_is_not_lost() {
    let check = |whole: &str, cut: &str, resumed: &str, expect: &str| {
        let (whole, cut, resumed) = (operations(whole), operations(cut), operations(resumed));
        let said = said(lost(&whole, &[&cut, &resumed], "at a rename"), |()| "ok".into());
        assert_eq!(said.replace("it was killed at a rename, and the run after that never came to:\n", ""), expect);
    };
    check("+ a\n+ b", "+ a", "= a\n+ b", "ok");
    check("+ a\n+ b", "", "+ a\n+ b", "ok");
    check("+ a\n+ b", "+ a\n+ b", "", "ok");
    check("+ a\n= b", "+ a", "= a", "ok");
    check("+ a\n+ b", "+ a", "= a", "  + b");
    check("+ a\n+ b", "", "= a", "  + b");
    check("+ a\n+ r\n+ b\n+ r", "+ a\n+ r\n+ b", "= a\n= b", "  + r");
    check("+ a\n+ r\n+ b\n+ r", "+ a\n+ r", "= a\n+ b\n+ r", "ok");
}

#[test]
fn what_is_called_otherwise_each_time_is_no_loss() {
    let check = |one: &str, other: &str, expect: &str| {
        assert_eq!(always(&operations(one), &operations(other)), operations(expect), "{one:?} {other:?}");
    };
    check("+ a\n+ b", "+ a\n+ b", "+ a\n+ b");
    check("+ a 1\n= b\n+ c", "+ a 2\n+ b\n+ c", "= b\n+ c");
    check("+ r\n+ r", "+ r", "+ r");
    check("", "+ a", "");
}

fn tree(lines: &str) -> Tree {
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let [path, kind, mode, uid, content] = words.as_slice() else { panic!("{line}") };
        let kind = match *kind {
            "f" => Kind::File,
            "d" => Kind::Directory,
            "l" => Kind::Link,
            _ => Kind::Gone,
        };
        let (mode, uid) = (u32::from_str_radix(mode, 8).unwrap(), uid.parse().unwrap());
        (PathBuf::from(path), Entry { kind, mode, uid, gid: 0, content: (*content).into() })
    };
    lines.lines().map(line).collect()
}

#[test]
fn disks_are_compared_path_by_path() {
    let check = |one: &str, other: &str, allowed: &str, expect: &str| {
        let allowed = Allowed::parse(allowed).unwrap();
        assert_eq!(said(trees(&tree(one), &tree(other), &allowed), |()| "ok".into()), expect);
    };
    check("", "", "", "ok");
    check("/a f 644 0 x", "/a f 644 0 x", "", "ok");
    check("/a f 644 0 x", "", "", "- /a: file 0644 0:0");
    check("", "/a d 755 7 x", "", "+ /a: directory 0755 7:0");
    let all = "~ /a: mode 0644 and mode 0600; owner 0:0 and owner 7:0; another content";
    check("/a f 644 0 x", "/a f 600 7 y", "", all);
    check("/a f 644 0 x", "/a l 0 7 y", "", "~ /a: file 0644 0:0 and link 0000 7:0");
    check("/a l 0 0 x", "/a l 0 0 y", "", "~ /a: leads to x and leads to y");
    check("/a f 644 0 x", "/a g 0 0 x", "", "~ /a: file 0644 0:0 and gone");
    check("/a g 0 0 x", "", "", "- /a: gone");
    check("/b d 755 0 x", "/a d 755 0 x", "", "+ /a: directory 0755 0:0\n- /b: directory 0755 0:0");
    check("/a d 755 0 x\n/a/b f 644 0 x", "", "/a # why", "- /a/b: file 0644 0:0");
    check("/a d 755 0 x\n/a/b f 644 0 x", "", "/a/** # why", "ok");
    check("/var/log/a f 644 0 x\n/etc/machine-id f 444 0 x", "", "", "ok");
    check(
        "/a f 644 0 x",
        "/a f 644 0 x",
        "# old\n/a # why",
        "line 2 of the list allows `/a`, and nothing that differs is called so",
    );
}

#[test]
fn of_many_paths_some_are_listed() {
    let many: String = (100..150).map(|n| format!("/{n} f 644 0 x\n")).collect();
    let difference = trees(&tree(&many), &Tree::new(), &Allowed::default()).unwrap_err();
    let (first, last) = (difference.lines.first().unwrap(), difference.lines.last().unwrap());
    assert_eq!((difference.lines.len(), first.as_str(), last.as_str()), (41, "- /100: file 0644 0:0", "and 10 more"));
}

#[test]
fn packages_are_compared_by_version_and_state() {
    let status = |packages: &[(&str, &str, &str)]| {
        let one = |(name, version, state): &(&str, &str, &str)| {
            format!("Package: {name}\nStatus: {state}\nArchitecture: amd64\nVersion: {version}\nDescription: a\n b\n")
        };
        packages.iter().map(one).collect::<Vec<_>>().join("\n")
    };
    let check = |one: &[_], other: &[_], expect: &str| {
        assert_eq!(said(packages(&status(one), &status(other)), |()| "ok".into()), expect);
    };
    let (a, b) = (("a", "1", "install ok installed"), ("b", "2", "install ok installed"));
    check(&[a, b], &[b, a], "ok");
    check(&[a, b], &[a], "- package b:amd64 2 (install ok installed)");
    check(
        &[a],
        &[("a", "1", "install ok half-configured")],
        "- package a:amd64 1 (install ok installed)\n+ package a:amd64 1 (install ok half-configured)",
    );
}
