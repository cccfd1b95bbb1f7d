//! What came of a try: on each host, what is wrong, if anything is.

use crate::shell::{Canvas, Tone, plain};
use crate::test::drive::Heard;
use crate::test::outcome::Verdict;

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The name of the migration.
    pub name: String,
    /// Whether it is a draft.
    pub is_draft: bool,
    /// The hosts on which it was tried.
    pub hosts: Vec<TriedOn>,
}

/// What came of it on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriedOn {
    /// What the host is called.
    pub host: String,
    /// The command that leads into it, as long as it runs.
    pub enter: String,
    /// What is wrong.
    pub faults: Vec<String>,
}

impl Tried {
    /// Whether all is well.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.failed().next().is_none()
    }

    /// The hosts on which something is wrong.
    pub fn failed(&self) -> impl Iterator<Item = &TriedOn> {
        self.hosts.iter().filter(|on| !on.faults.is_empty())
    }

    /// What is wrong, if anything is, in one line without its end.
    #[must_use]
    pub fn verdict(&self, canvas: &Canvas) -> Option<String> {
        let told: Vec<String> = self.failed().map(|on| self.told(on)).collect();
        let failed = canvas.paint(Tone::Bad, "FAILED");
        (!told.is_empty()).then(|| format!("{failed}: {}", plain(told.join("; "))))
    }

    /// Where there is but one host, it needs no name.
    fn told(&self, on: &TriedOn) -> String {
        let faults = on.faults.join(", and ");
        if self.hosts.len() == 1 { faults } else { format!("{}: {faults}", on.host) }
    }
}

/// What is wrong after a run that came to its end.
pub(super) fn faults(asked: &Heard, verdict: &Verdict) -> Vec<String> {
    let plan = matches!(verdict, Verdict::Failed { .. }).then(|| "the plan is none".to_owned());
    of_specs(asked).into_iter().chain(plan).collect()
}

fn of_specs(asked: &Heard) -> Option<String> {
    let all = asked.answers.len();
    match asked.answers.iter().filter(|answer| answer.error.is_some()).count() {
        0 => asked.error().map(|_| "the specs could not be asked".to_owned()),
        1 if all == 1 => Some("its spec does not hold".to_owned()),
        1 => Some(format!("1 of {all} specs does not hold")),
        broken => Some(format!("{broken} of {all} specs do not hold")),
    }
}

#[cfg(test)]
mod tests {
    use wb_core::drill::{Answer, Ended};

    use super::*;

    fn answer(is_broken: bool) -> Answer {
        let error = is_broken.then(|| "404".to_owned());
        Answer { link: None, role: None, spec: "served".into(), error }
    }

    #[test]
    fn what_is_wrong_is_counted() {
        let check = |broken: &[bool], verdict: &Verdict, expect: &[&str]| {
            let error = broken.contains(&true).then(|| "some do not hold".to_owned());
            let ended = Some(Ended { error, ..Ended::default() });
            let asked = Heard { answers: broken.iter().copied().map(answer).collect(), ended, ..Heard::default() };
            assert_eq!(faults(&asked, verdict), expect);
        };
        let lie = Verdict::Failed { what: "the plan touched:".into(), hint: None };
        check(&[], &Verdict::Passed, &[]);
        check(&[false, false], &Verdict::Ignored { why: "nobody saw it".into() }, &[]);
        check(&[true], &Verdict::Passed, &["its spec does not hold"]);
        check(&[false, true], &Verdict::Passed, &["1 of 2 specs does not hold"]);
        check(&[true, false, true], &Verdict::Passed, &["2 of 3 specs do not hold"]);
        check(&[false], &lie, &["the plan is none"]);
        check(&[false, true], &lie, &["1 of 2 specs does not hold", "the plan is none"]);
        let cut_short = Heard { answers: vec![answer(false)], ..Heard::default() };
        assert_eq!(faults(&cut_short, &Verdict::Passed), ["the specs could not be asked"]);
    }

    #[test]
    fn one_line_says_what_is_wrong_and_where() {
        let check = |hosts: &[(&str, &[&str])], expect: Option<&str>| {
            let on = |(host, faults): &(&str, &[&str])| TriedOn {
                host: (*host).to_owned(),
                enter: String::new(),
                faults: faults.iter().copied().map(str::to_owned).collect(),
            };
            let tried = Tried { name: "page".into(), is_draft: true, hosts: hosts.iter().map(on).collect() };
            assert_eq!(tried.verdict(&Canvas::default()).as_deref(), expect);
            assert_eq!(tried.is_well(), expect.is_none());
        };
        let (run, spec, plan) = ("the run failed", "its spec does not hold", "the plan is none");
        check(&[("web1", &[])], None);
        check(&[("web1", &[run])], Some("FAILED: the run failed"));
        check(&[("web1", &[spec, plan])], Some("FAILED: its spec does not hold, and the plan is none"));
        check(&[("web1", &[]), ("web2", &[run])], Some("FAILED: web2: the run failed"));
        let both = "FAILED: web1: its spec does not hold; web2: the run failed";
        check(&[("web1", &[spec]), ("web2", &[run])], Some(both));
    }
}
