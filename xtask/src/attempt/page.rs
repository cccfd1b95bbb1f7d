//! What a try shows: the operations of plan and run with their diffs, the specs, and how the run was not as planned.

use wb_core::chain::Link;
use wb_core::context::Operation;
use wb_core::drill::Answer;

use crate::shell::{Canvas, Tone, plain};
use crate::test::cast::Player;
use crate::test::drive::Heard;
use crate::test::judge::Difference;
use crate::test::outcome::Verdict;

/// On whom what is tried.
pub(super) fn heading(player: &Player, link: &Link) -> String {
    let roles = player.roles.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let link = if link.is_draft() { format!("`{}`, a draft", link.name) } else { link.to_string() };
    format!("\n{} ({roles}) at {link}\n", player.name)
}

/// What it would do.
pub(super) fn plan(planned: &Heard, canvas: &Canvas) -> String {
    let ends = planned.ended.as_ref().and_then(|ended| ended.ends.as_deref());
    let ends = ends.map(|why| format!("  what comes then can't be known before it runs: {why}\n"));
    let error = planned.error().map(|error| format!("  {}\n", canvas.paint(Tone::Bad, &plain(error))));
    let (ends, error) = (plain(ends.unwrap_or_default()), error.unwrap_or_default());
    format!("plan:\n{}{ends}{error}", operations(&planned.operations, canvas))
}

/// What it did.
pub(super) fn run(done: &[Operation], failed: Option<&Difference>, canvas: &Canvas) -> String {
    let failed = failed.map(|difference| indented(&difference.to_string(), Tone::Bad, canvas));
    format!("run:\n{}{}", operations(done, canvas), failed.unwrap_or_default())
}

/// Whether its specs hold, and whether it did what it had said.
pub(super) fn end(asked: &Heard, verdict: &Verdict, notes: &[String], canvas: &Canvas) -> String {
    let specs: String = asked.answers.iter().map(|answer| spec(answer, canvas)).collect();
    let unasked = asked.ended.is_none().then(|| asked.error()).flatten();
    let unasked = unasked.map(|error| indented(&error, Tone::Bad, canvas)).unwrap_or_default();
    let none = if specs.is_empty() && unasked.is_empty() { "  it has none\n" } else { "" };
    let notes: String = notes.iter().map(|note| format!("note: {}\n", plain(note))).collect();
    format!("specs:\n{specs}{unasked}{none}{notes}{}", judgement(verdict, canvas))
}

fn spec(answer: &Answer, canvas: &Canvas) -> String {
    let role = answer.role.as_ref().map(|role| format!(" of {role}")).unwrap_or_default();
    let (tone, said) = match &answer.error {
        None => (Tone::Good, "holds".to_owned()),
        Some(error) => (Tone::Bad, plain(error)),
    };
    format!("  `{}`{role}: {}\n", plain(&answer.spec), canvas.paint(tone, &said))
}

fn judgement(verdict: &Verdict, canvas: &Canvas) -> String {
    match verdict {
        Verdict::Passed => String::new(),
        Verdict::Failed { what, hint } => {
            let hint = hint.as_ref().map(|hint| format!("hint: {}\n", plain(hint))).unwrap_or_default();
            format!("the plan is none:\n{}{hint}", indented(what, Tone::Bad, canvas))
        }
        Verdict::Ignored { why } | Verdict::NotRun { why } => format!("note: {}\n", plain(why)),
    }
}

fn operations(operations: &[Operation], canvas: &Canvas) -> String {
    if operations.is_empty() {
        return "  nothing\n".to_owned();
    }
    let lines = operations.iter().map(|operation| plain(operation.to_string()));
    lines.map(|lines| lines.lines().map(|line| format!("  {}\n", painted(line, canvas))).collect::<String>()).collect()
}

/// As a diff is painted.
fn painted(line: &str, canvas: &Canvas) -> String {
    let tone = match line.trim_start().chars().next() {
        Some('+') => Tone::Good,
        Some('-') => Tone::Bad,
        Some('?') => Tone::Careful,
        _ => Tone::Plain,
    };
    canvas.paint(tone, line)
}

fn indented(text: &str, tone: Tone, canvas: &Canvas) -> String {
    plain(text).lines().map(|line| format!("  {}\n", canvas.paint(tone, line))).collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use serde_json::Map;
    use wb_core::chain::{Digest, Sha1};
    use wb_core::context::Outcome;
    use wb_core::drill::Ended;

    use super::*;

    fn operation(what: &str, outcome: Outcome) -> Operation {
        Operation { what: what.into(), outcome }
    }

    fn changes() -> Vec<Operation> {
        vec![
            operation("file /etc/motd present", Outcome::Changed { diff: Some("-a\n+b".into()) }),
            operation("service nginx running", Outcome::Unknown { why: "a package may bring it".into() }),
            operation("package curl installed", Outcome::Unchanged),
        ]
    }

    #[test]
    fn a_try_reads_as_plans_do() {
        let canvas = Canvas::default();
        let roles = ["server", "web"].map(str::to_owned).into();
        let player = Player { name: "web1".into(), roles, address: Ipv4Addr::LOCALHOST, settings: Map::new() };
        let link = Link::new("page", Sha1::ZERO, "web", Digest::of(b""));
        assert_eq!(heading(&player, &link), "\nweb1 (server, web) at `page`, a draft\n");
        let ended = Some(Ended { ends: Some("no user `shop`".into()), ..Ended::default() });
        let planned = Heard { operations: changes(), ended, ..Heard::default() };
        insta::assert_snapshot!(plan(&planned, &canvas), @r"
        plan:
          + file /etc/motd present
              -a
              +b
          ? service nginx running (cannot know: a package may bring it)
          = package curl installed
          what comes then can't be known before it runs: no user `shop`
        ");
        let failed = Difference::of("it failed:", ["no room"]);
        assert_eq!(run(&[], Some(&failed), &canvas), "run:\n  nothing\n  it failed:\n    no room\n");
    }

    #[test]
    fn specs_and_lies_are_shown() {
        let canvas = Canvas::default();
        let answer = |role: Option<&str>, error: Option<&str>| Answer {
            link: Some("page".into()),
            role: role.map(str::to_owned),
            spec: "served".into(),
            error: error.map(str::to_owned),
        };
        let asked = |answers: Vec<Answer>| Heard { answers, ended: Some(Ended::default()), ..Heard::default() };
        let two = asked(vec![answer(None, None), answer(Some("web"), Some("404"))]);
        let held = "specs:\n  `served`: holds\n  `served` of web: 404\n";
        assert_eq!(end(&two, &Verdict::Passed, &[], &canvas), held);
        let lie = Difference::of("the plan touched:", ["+ /x"]).hint("only look");
        let said = end(&asked(Vec::new()), &lie.into(), &["nobody looked".into()], &canvas);
        let none = "specs:\n  it has none\nnote: nobody looked\n";
        assert_eq!(said, format!("{none}the plan is none:\n  the plan touched:\n    + /x\nhint: only look\n"));
        let unseen = Verdict::Ignored { why: "nobody saw it".into() };
        assert_eq!(end(&two, &unseen, &[], &canvas), format!("{held}note: nobody saw it\n"));
    }

    #[test]
    fn a_terminal_shows_what_changes() {
        let canvas = Canvas { colour: true, ..Canvas::default() };
        let said = operations(&changes()[..1], &canvas);
        let lines = [("1;32", "+ file /etc/motd present"), ("1;31", "    -a"), ("1;32", "    +b")];
        let expect: String = lines.iter().map(|(tone, line)| format!("  \x1b[{tone}m{line}\x1b[0m\n")).collect();
        assert_eq!(said, expect);
    }
}
