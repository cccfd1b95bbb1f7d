//! What happened in a round, for people: who did what when, and as much of it as somebody will read.

use std::fmt;

/// How many lines are told of the beginning, and of the end.
const TOLD: (usize, usize) = (40, 80);

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When, in milliseconds since the round began.
    pub at: u64,
    /// To whom, or who did it.
    pub who: String,
    /// What.
    pub what: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6}.{} s  {:<12} {}", self.at / 1000, self.at % 1000 / 100, self.who, self.what)
    }
}

/// The beginning and the end; what comes again and again is told once.
#[must_use]
pub fn in_short(lines: &[Line]) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for run in lines.chunk_by(|one, next| one.who == next.who && words(&one.what) == words(&next.what)) {
        let Some(last) = run.last() else { continue };
        let times = if run.len() > 1 { format!(" (and {} times before)", run.len() - 1) } else { String::new() };
        told.push(format!("{last}{times}"));
    }
    let (head, tail) = TOLD;
    if let Some(left_out) = told.len().checked_sub(head + tail).filter(|left_out| *left_out > 0) {
        told.splice(head..head + left_out, [format!("          … {left_out} lines …")]);
    }
    told
}

/// What a line says, whatever its numbers.
fn words(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Vec<Line> {
        (0..).zip(texts).map(|(at, text)| Line { at: at * 1500, who: "web1".into(), what: (*text).into() }).collect()
    }

    #[test]
    fn what_comes_again_is_told_once() {
        let told = in_short(&lines(&["boots", "change 7 retry", "change 8 retry", "change 9 retry", "in load"]));
        let expect = [
            "     0.0 s  web1         boots",
            "     4.5 s  web1         change 9 retry (and 2 times before)",
            "     6.0 s  web1         in load",
        ];
        assert_eq!(told, expect);
    }

    #[test]
    fn of_a_long_round_the_beginning_and_the_end_are_told() {
        let long: Vec<&str> = ["boots", "in load"].into_iter().cycle().take(1000).collect();
        let told = in_short(&lines(&long));
        assert_eq!((told.len(), told[40].as_str()), (121, "          … 880 lines …"));
        assert!(told[39].contains("58.5 s") && told[41].contains("1380.0 s") && told[120].contains("1498.5 s"));
    }
}
