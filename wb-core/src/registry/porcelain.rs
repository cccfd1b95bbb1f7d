//! What `git push --porcelain` says, for each ref, its three parts separated by tabs:
//!
//! ```text
//! To ssh://git@git.example.org/herd.git
//! * b10f…:refs/wildebeest/out/web [new reference]
//! ! c33a…:refs/wildebeest/changes [rejected] (stale info)
//! = d71e…:refs/wildebeest/out/db [up to date]
//! Done
//! ```

/// One line about one ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushLine {
    /// The full name of the ref.
    pub name: String,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of one ref of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The ref was moved, made or removed by this push.
    Written,
    /// The ref pointed at this very object before: whoever wrote it, it was not this push.
    Identical,
    /// Somebody else moved the ref first.
    Stale,
    /// The server refuses, for a reason that trying again does not change.
    Refused(String),
}

/// Reads the lines about refs; all other lines are passed over.
///
/// ```
/// use wb_core::registry::{PushLine, Verdict};
/// # use wb_core::registry::parse_push;
/// let lines = parse_push("To x\n!\tabc:refs/wildebeest/changes\t[rejected] (stale info)\nDone\n");
/// assert_eq!(lines, [PushLine { name: "refs/wildebeest/changes".into(), verdict: Verdict::Stale }]);
/// ```
#[must_use]
pub fn parse_push(output: &str) -> Vec<PushLine> {
    output.lines().filter_map(line).collect()
}

fn line(text: &str) -> Option<PushLine> {
    let mut parts = text.splitn(3, '\t');
    let (flag, pair, summary) = (parts.next()?, parts.next()?, parts.next()?);
    let name = pair.rsplit_once(':')?.1.to_owned();
    let verdict = match flag {
        "*" | " " | "+" | "-" => Verdict::Written,
        "=" => Verdict::Identical,
        "!" if is_lost_race(summary) => Verdict::Stale,
        "!" => Verdict::Refused(summary.to_owned()),
        _ => return None,
    };
    Some(PushLine { name, verdict })
}

/// A push that lost says so in different words, depending on when the other one won.
fn is_lost_race(summary: &str) -> bool {
    const WORDS: [&str; 9] = [
        "stale info",
        "fetch first",
        "non-fast-forward",
        "failed to update ref",
        "atomic transaction failed",
        "atomic push failed",
        "reference already exists",
        "cannot lock ref",
        "incorrect old value provided",
    ];
    WORDS.iter().any(|words| summary.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Verdict) {
        let lines = parse_push(&format!("To origin\n{text}\nDone\n"));
        assert_eq!(lines, [PushLine { name: "refs/wildebeest/out/web".into(), verdict: expect }]);
    }

    #[test]
    fn flags_of_a_win() {
        check("*\tb1:refs/wildebeest/out/web\t[new reference]", Verdict::Written);
        check(" \tb1:refs/wildebeest/out/web\ta1..b1", Verdict::Written);
        check("+\tb1:refs/wildebeest/out/web\ta1...b1 (forced update)", Verdict::Written);
        check("-\t:refs/wildebeest/out/web\t[deleted]", Verdict::Written);
    }

    #[test]
    fn an_identical_object_is_no_win() {
        check("=\tb1:refs/wildebeest/out/web\t[up to date]", Verdict::Identical);
    }

    #[test]
    fn the_words_of_a_lost_race() {
        check("!\tb1:refs/wildebeest/out/web\t[rejected] (stale info)", Verdict::Stale);
        check("!\tb1:refs/wildebeest/out/web\t[remote rejected] (failed to update ref)", Verdict::Stale);
        check("!\tb1:refs/wildebeest/out/web\t[remote rejected] (atomic transaction failed)", Verdict::Stale);
        check("!\tb1:refs/wildebeest/out/web\t[rejected] (atomic push failed)", Verdict::Stale);
    }

    #[test]
    fn a_refusal_is_told() {
        let summary = "[remote rejected] (pre-receive hook declined)";
        check(&format!("!\tb1:refs/wildebeest/out/web\t{summary}"), Verdict::Refused(summary.into()));
    }

    #[test]
    fn anything_else_is_passed_over() {
        assert_eq!(parse_push("fatal: no\n\t\t\nx\ty\tz\n!\tno-colon\t[rejected]\n"), []);
    }
}
