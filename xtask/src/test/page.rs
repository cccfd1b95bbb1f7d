//! An outcome as people read it: a line for each check, as cargo's tests have them, then what failed and how, then the count.

use wb_core::system::quoted;

use super::outcome::{Outcome, Tested, Verdict};
use crate::shell::{Canvas, Tone, plain};

/// All of it.
#[must_use]
pub fn page(outcome: &Outcome, canvas: &Canvas) -> String {
    outcome.tested.iter().map(|tested| line(tested, canvas)).collect::<String>() + &closing(outcome, canvas)
}

/// The line of one check, with its end.
#[must_use]
pub fn line(tested: &Tested, canvas: &Canvas) -> String {
    let (tone, said) = match &tested.verdict {
        Verdict::Passed if tested.from_layer => (Tone::Good, "ok (layer)".to_owned()),
        Verdict::Passed => (Tone::Good, "ok".to_owned()),
        Verdict::Failed { .. } => (Tone::Bad, "FAILED".to_owned()),
        Verdict::Ignored { why } => (Tone::Careful, format!("ignored, {}", in_a_line(why))),
        Verdict::NotRun { why } => (Tone::Careful, format!("not run, {}", in_a_line(why))),
    };
    format!("test {} ... {}\n", in_a_line(&tested.name()), canvas.paint(tone, &said))
}

/// What comes after the lines: how checks failed, what else there is to know, how to look at hosts, and, alone on the last
/// line, how many passed and failed.
#[must_use]
pub fn closing(outcome: &Outcome, canvas: &Canvas) -> String {
    let unforeseen = match outcome.unforeseen() {
        (0, _) => String::new(),
        (count, plans) => format!("{count} of {plans} plans did not foresee all that was done\n"),
    };
    format!("{}\n{unforeseen}{}\n", so_far(outcome, canvas), outcome.tally())
}

/// The same of a test that did not come to its end, and has no count.
#[must_use]
pub fn so_far(outcome: &Outcome, canvas: &Canvas) -> String {
    let failures: Vec<String> = outcome.failures().map(|tested| failure(tested, outcome, canvas)).collect();
    let noted = outcome.tested.iter().filter(|tested| !tested.notes.is_empty());
    let note = |tested: &Tested| format!("{}\n{}", heading(tested), indented(&tested.notes.join("\n")));
    let notes: Vec<String> = noted.map(note).collect();
    let kept: String = outcome.kept.iter().map(|command| format!("{command}\n")).collect();
    [part("failures", &failures), part("notes", &notes), part("hosts that were kept", &[kept])].concat()
}

/// Paragraphs below a heading; nothing where there are none.
fn part(name: &str, paragraphs: &[String]) -> String {
    match paragraphs.concat().is_empty() {
        true => String::new(),
        false => format!("\n{name}:\n\n{}", paragraphs.join("\n")),
    }
}

fn failure(tested: &Tested, outcome: &Outcome, canvas: &Canvas) -> String {
    let Verdict::Failed { what, hint } = &tested.verdict else { return String::new() };
    let log = outcome.log_of(tested).map(|log| format!("log: {}\n", quoted(&log.path.to_string_lossy())));
    let hint = hint.as_ref().map(|hint| format!("hint: {}\n", in_a_line(hint)));
    let heading = canvas.paint(Tone::Bad, &heading(tested));
    format!("{heading}\n{}{}{}", indented(what), log.unwrap_or_default(), hint.unwrap_or_default())
}

/// ``web1 (server, web) at `install_nginx` (a1b2c3d), rerun:``.
fn heading(tested: &Tested) -> String {
    let roles = tested.roles.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let host = match roles.is_empty() {
        true => tested.host.clone(),
        false => format!("{} ({roles})", tested.host),
    };
    let link = tested.link.as_ref().map(|link| format!("at {link}")).unwrap_or_default();
    let whose = format!("{host} {link}");
    match whose.trim() {
        "" => in_a_line(&format!("{}:", tested.check)),
        whose => in_a_line(&format!("{whose}, {}:", tested.check)),
    }
}

fn indented(text: &str) -> String {
    plain(text).lines().map(|line| format!("  {line}\n")).collect()
}

fn in_a_line(text: &str) -> String {
    plain(text).replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::super::outcome::tests::{outcome, tested};
    use super::super::outcome::{Check, Log};
    use super::*;

    #[test]
    fn an_outcome_reads_as_cargos_tests_do() {
        insta::assert_snapshot!(page(&outcome(), &Canvas::default()), @r"
        test chain ... ok
        test web1::a::run ... ok (layer)
        test web1::b::plan ... ok
        test web1::b::spec runs ... ok
        test web1::b::rerun ... FAILED
        test web2::b::rerun ... ignored, it adds & adds
        test web1::c::run ... not run, web1 failed before

        failures:

        web1 (server, web) at `b` (0101010), rerun:
          it was run once more, and changed something:
            + file /a <b>
        log: target/wildebeest/test/logs/web1.log
        hint: look first

        notes:

        web1 (server, web) at `b` (0101010), plan:
          the plan ends after 1 operation: no user `shop`

        1 of 1 plans did not foresee all that was done
        2 skipped
        4 passed, 1 failed
        ");
    }

    #[test]
    fn where_all_is_well_the_count_comes_alone() {
        let outcome = Outcome { tested: vec![tested("", None, Check::Chain, Verdict::Passed)], ..Outcome::default() };
        assert_eq!(page(&outcome, &Canvas::default()), "test chain ... ok\n\n1 passed, 0 failed\n");
    }

    #[test]
    fn hosts_that_were_kept_can_be_entered() {
        let kept = vec!["cargo xtask sandbox enter test/web1".into()];
        let outcome = Outcome { kept, ..Outcome::default() };
        let expect = "\nhosts that were kept:\n\ncargo xtask sandbox enter test/web1\n";
        assert_eq!(so_far(&outcome, &Canvas::default()), expect);
        assert_eq!(closing(&outcome, &Canvas::default()), format!("{expect}\n0 passed, 0 failed\n"));
        assert_eq!(so_far(&Outcome::default(), &Canvas::default()), "");
    }

    #[test]
    fn a_heading_says_whose_check_it_is() {
        let check = |host: &str, link, check, expect: &str| {
            assert_eq!(heading(&tested(host, link, check, Verdict::Passed)), expect);
        };
        check("", None, Check::Chain, "chain:");
        check("", Some("a"), Check::Baseline, "at `a` (0101010), baseline:");
        check("web1", None, Check::Roll("claims".into()), "web1 (server, web), roll: claims:");
    }

    #[test]
    fn what_hosts_say_commands_no_terminal() {
        let verdict = Verdict::Failed { what: "a\x1b[2J\nb".into(), hint: None };
        let logs = [("web1".to_owned(), Log { path: "a b.log".into(), ..Log::default() })].into();
        let outcome = Outcome { tested: vec![tested("web1", None, Check::Run, verdict)], logs, ..Outcome::default() };
        let said = closing(&outcome, &Canvas { colour: true, ..Canvas::default() });
        assert!(said.contains("\x1b[1;31mweb1 (server, web), run:\x1b[0m\n  a[2J\n  b\nlog: 'a b.log'\n"), "{said}");
    }
}
