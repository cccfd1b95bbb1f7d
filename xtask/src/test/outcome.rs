//! What came of a test: each check that was made, and each that was not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wb_core::chain::Link;

use super::judge::Difference;
use crate::attestation::Told;
use crate::ci::Tally;

/// All that was tested.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Outcome {
    /// The checks, in the order in which they ended.
    pub tested: Vec<Tested>,
    /// What hosts said, by their names; what they said in a herd of its own, by the names of that and of the host.
    pub logs: BTreeMap<String, Log>,
    /// The commands that lead into hosts that were kept.
    pub kept: Vec<String>,
    /// How long all of it took.
    pub seconds: f64,
    /// How long cargo took of that, for the runner and its twin.
    pub build_seconds: f64,
    /// Why it did not come to its end, and not all is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_short: Option<String>,
}

/// What a host said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Log {
    /// Where all of it lies.
    pub path: PathBuf,
    /// The end of it.
    #[serde(skip)]
    pub tail: String,
}

/// A check and its verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tested {
    /// The host; empty where it is about the fleet or the herd as a whole.
    pub host: String,
    /// The host's roles.
    pub roles: BTreeSet<String>,
    /// The link, where it is about one.
    pub link: Option<Link>,
    /// What was checked.
    pub check: Check,
    /// What came of it.
    pub verdict: Verdict,
    /// What else there is to know.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The log that tells of it; none: that of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// How long it took.
    pub seconds: f64,
    /// When it ended, in seconds since the first host came into play.
    #[serde(default)]
    pub ended: f64,
    /// Whether it was in an earlier test, of whose host there is a layer.
    #[serde(default)]
    pub from_layer: bool,
}

/// What is checked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The chain, its waits, herd.toml and the settings in it.
    Chain,
    /// A plan says what the run does, and touches nothing.
    Plan,
    /// A link comes to its end.
    Run,
    /// This spec holds.
    Spec(String),
    /// A link that is run once more changes nothing.
    Rerun,
    /// A link that is killed there, and run again, comes to the same end.
    Interrupted(String),
    /// A herd that rolls to the tip does this.
    Roll(String),
    /// A baseline comes to what it replaces.
    Baseline,
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is so.
    Passed,
    /// It is not so.
    Failed {
        /// The difference, in lines.
        what: String,
        /// What helps.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// It is not asked for.
    Ignored {
        /// Why not.
        why: String,
    },
    /// It could not be asked.
    NotRun {
        /// Why not.
        why: String,
    },
}

impl Outcome {
    /// How many checks passed and failed. What was ignored or not run was skipped.
    #[must_use]
    pub fn tally(&self) -> Tally {
        count(&self.tested)
    }

    /// Whether nothing failed, and a herd rolled at the end, or it is said of it why none can.
    #[must_use]
    pub fn came_through(&self) -> bool {
        let mut rolls = self.tested.iter().filter(|tested| matches!(tested.check, Check::Roll(_))).peekable();
        let is_well = |roll: &Tested| matches!(roll.verdict, Verdict::Passed | Verdict::Ignored { .. });
        let has_rolled = rolls.peek().is_some() && rolls.all(is_well);
        has_rolled && self.tally().failed == 0
    }

    /// All of it, as an attestation says it.
    #[must_use]
    pub fn told(&self) -> Vec<Told> {
        self.tested.iter().map(Tested::told).collect()
    }

    /// How many plans did not foresee all that was done, and passed since they could not; and of how many.
    #[must_use]
    pub fn unforeseen(&self) -> (usize, usize) {
        let was_asked = |plan: &&Tested| !matches!(plan.verdict, Verdict::NotRun { .. });
        let plans = || self.tested.iter().filter(|tested| tested.check == Check::Plan).filter(was_asked);
        let has_notes = |plan: &&Tested| plan.verdict == Verdict::Passed && !plan.notes.is_empty();
        (plans().filter(has_notes).count(), plans().count())
    }

    /// The log that tells of a check.
    #[must_use]
    pub fn log_of(&self, tested: &Tested) -> Option<&Log> {
        self.logs.get(tested.log.as_ref().unwrap_or(&tested.host))
    }

    /// What failed, in its order.
    pub fn failures(&self) -> impl Iterator<Item = &Tested> {
        self.tested.iter().filter(|tested| matches!(tested.verdict, Verdict::Failed { .. }))
    }
}

/// How many of these passed and failed.
pub(super) fn count<'a>(tested: impl IntoIterator<Item = &'a Tested>) -> Tally {
    let mut tally = Tally::default();
    for tested in tested {
        match tested.verdict {
            Verdict::Passed => tally.passed += 1,
            Verdict::Failed { .. } => tally.failed += 1,
            Verdict::Ignored { .. } | Verdict::NotRun { .. } => tally.skipped += 1,
        }
    }
    tally
}

impl Tested {
    /// A check that passed, of nobody yet.
    #[must_use]
    pub fn new(check: Check) -> Self {
        Self {
            host: String::new(),
            roles: BTreeSet::new(),
            link: None,
            check,
            verdict: Verdict::Passed,
            notes: Vec::new(),
            log: None,
            seconds: 0.0,
            ended: 0.0,
            from_layer: false,
        }
    }

    /// Its name: `web1::install_nginx::plan`.
    #[must_use]
    pub fn name(&self) -> String {
        let host = Some(self.host.as_str()).filter(|host| !host.is_empty());
        host.map(|host| format!("{host}::")).unwrap_or_default() + &self.name_on_host()
    }

    /// Its name, but for the host's: `install_nginx::plan`.
    #[must_use]
    pub fn name_on_host(&self) -> String {
        match &self.link {
            Some(link) => format!("{}::{}", link.name, self.check),
            None => self.check.to_string(),
        }
    }

    fn told(&self) -> Told {
        Told {
            host: self.host.clone(),
            link: self.link.as_ref().map(|link| link.name.clone()),
            check: self.check.to_string(),
            ok: self.verdict == Verdict::Passed,
            layer: self.from_layer,
            seconds: self.seconds,
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain => f.write_str("chain"),
            Self::Plan => f.write_str("plan"),
            Self::Run => f.write_str("run"),
            Self::Spec(name) => write!(f, "spec {name}"),
            Self::Rerun => f.write_str("rerun"),
            Self::Interrupted(place) => write!(f, "interrupted {place}"),
            Self::Roll(what) => write!(f, "roll: {what}"),
            Self::Baseline => f.write_str("baseline"),
        }
    }
}

impl From<Difference> for Verdict {
    fn from(difference: Difference) -> Self {
        let what = difference.to_string();
        Self::Failed { what, hint: difference.hint }
    }
}

impl From<Result<(), Difference>> for Verdict {
    fn from(result: Result<(), Difference>) -> Self {
        result.map_or_else(Self::from, |()| Self::Passed)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use wb_core::chain::{Digest, Sha1};

    use super::*;

    /// A check of a host that serves pages.
    pub(crate) fn tested(host: &str, link: Option<&str>, check: Check, verdict: Verdict) -> Tested {
        let link = link.map(|name| Link::new(name, Sha1::from_bytes([1; 20]), "web", Digest::of(b"")));
        let roles: &[&str] = if host.is_empty() { &[] } else { &["server", "web"] };
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        Tested { host: host.into(), roles, link, verdict, seconds: 0.25, ..Tested::new(check) }
    }

    /// One of each kind.
    pub(crate) fn outcome() -> Outcome {
        let changed = Difference::of("it was run once more, and changed something:", ["+ file /a <b>"]);
        let why = "web1 failed before".to_owned();
        let note = "the plan ends after 1 operation: no user `shop`".to_owned();
        let tested = vec![
            tested("", None, Check::Chain, Verdict::Passed),
            Tested { from_layer: true, ..tested("web1", Some("a"), Check::Run, Verdict::Passed) },
            Tested { notes: vec![note], ..tested("web1", Some("b"), Check::Plan, Verdict::Passed) },
            tested("web1", Some("b"), Check::Spec("runs".into()), Verdict::Passed),
            tested("web1", Some("b"), Check::Rerun, changed.hint("look first").into()),
            tested("web2", Some("b"), Check::Rerun, Verdict::Ignored { why: "it adds & adds".into() }),
            tested("web1", Some("c"), Check::Run, Verdict::NotRun { why }),
        ];
        let log = Log { path: "target/wildebeest/test/logs/web1.log".into(), tail: "b failed\x1b[1m\n".into() };
        Outcome { tested, logs: [("web1".to_owned(), log)].into(), seconds: 2.0, ..Outcome::default() }
    }

    #[test]
    fn checks_are_counted() {
        assert_eq!(outcome().tally(), Tally { passed: 4, failed: 1, skipped: 2 });
        assert_eq!(outcome().failures().map(Tested::name).collect::<Vec<_>>(), ["web1::b::rerun"]);
    }

    #[test]
    fn plans_that_could_not_know_are_counted() {
        let plan = |verdict: Verdict, notes: &[&str]| {
            let notes = notes.iter().map(|note| (*note).to_owned()).collect();
            Tested { notes, ..tested("web1", Some("a"), Check::Plan, verdict) }
        };
        let (failed, why) = (Verdict::Failed { what: String::new(), hint: None }, String::new());
        let not_run = Verdict::NotRun { why };
        let run = Tested { notes: vec!["slow".into()], ..tested("web1", Some("a"), Check::Run, Verdict::Passed) };
        let check = |tested: &[Tested], expect| {
            assert_eq!(Outcome { tested: tested.to_vec(), ..Outcome::default() }.unforeseen(), expect);
        };
        let (known, unknown) = (plan(Verdict::Passed, &[]), plan(Verdict::Passed, &["it ends"]));
        check(&[], (0, 0));
        check(&[known.clone(), run], (0, 1));
        check(&[known, unknown.clone()], (1, 2));
        check(&[unknown, plan(failed, &["it ends"]), plan(not_run, &[])], (1, 2));
    }

    #[test]
    fn a_check_is_told_by_its_own_log() {
        let log = |path: &str| Log { path: path.into(), ..Log::default() };
        let logs = [("web1".to_owned(), log("a")), ("page-0/web1".to_owned(), log("b"))].into();
        let outcome = Outcome { logs, ..Outcome::default() };
        let check = |host: &str, named: Option<&str>, expect: Option<&str>| {
            let tested = tested(host, None, Check::Run, Verdict::Passed);
            let tested = Tested { log: named.map(str::to_owned), ..tested };
            assert_eq!(outcome.log_of(&tested), expect.map(log).as_ref());
        };
        check("web1", None, Some("a"));
        check("web1", Some("page-0/web1"), Some("b"));
        check("web1", Some("page-1/web1"), None);
        check("", None, None);
    }

    #[test]
    fn an_attestation_has_all_checks() {
        let told = outcome().told();
        let of = |told: &Told| (told.check.clone(), told.ok, told.layer);
        let expect = [("chain", true, false), ("run", true, true), ("plan", true, false), ("spec runs", true, false)];
        let expect = expect.map(|(check, ok, layer)| (check.to_owned(), ok, layer));
        assert_eq!(told.iter().take(4).map(of).collect::<Vec<_>>(), expect);
        let [first, second] = [&told[0], &told[1]];
        assert_eq!((first.host.as_str(), first.link.as_deref()), ("", None));
        assert_eq!((second.host.as_str(), second.link.as_deref()), ("web1", Some("a")));
        assert!(told[4..].iter().all(|told| !told.ok));
    }

    #[test]
    fn a_whole_test_ends_with_a_roll() {
        let check = |verdicts: &[(Check, Verdict)], expect| {
            let tested = verdicts.iter().map(|(check, verdict)| tested("", None, check.clone(), verdict.clone()));
            let outcome = Outcome { tested: tested.collect(), ..Outcome::default() };
            assert_eq!(outcome.came_through(), expect, "{verdicts:?}");
        };
        let (chain, roll) = (Check::Chain, || Check::Roll("all come there".into()));
        let failed = || Verdict::Failed { what: String::new(), hint: None };
        let not_run = || Verdict::NotRun { why: "files are not committed yet: a".into() };
        check(&[], false);
        check(&[(chain.clone(), Verdict::Passed)], false);
        check(&[(chain.clone(), Verdict::Passed), (roll(), Verdict::Passed)], true);
        check(&[(chain.clone(), failed()), (roll(), Verdict::Passed)], false);
        check(&[(roll(), Verdict::Passed), (roll(), failed())], false);
        check(&[(roll(), Verdict::Passed), (roll(), not_run())], false);
        let ignored = || Verdict::Ignored { why: "the balancer is hardware".into() };
        check(&[(chain.clone(), Verdict::Passed), (roll(), ignored())], true);
        check(&[(chain.clone(), failed()), (roll(), ignored())], false);
        check(&[(roll(), Verdict::Passed), (chain, Verdict::Ignored { why: String::new() })], true);
    }

    #[test]
    fn a_check_has_a_name() {
        let check = |host: &str, link, check: Check, expect: &str| {
            assert_eq!(tested(host, link, check, Verdict::Passed).name(), expect);
        };
        check("", None, Check::Chain, "chain");
        check("web1", None, Check::Roll("in service".into()), "web1::roll: in service");
        check("web1", Some("a"), Check::Spec("runs".into()), "web1::a::spec runs");
        check("web1", Some("a"), Check::Interrupted("at rename".into()), "web1::a::interrupted at rename");
        check("", Some("a"), Check::Baseline, "a::baseline");
    }

    #[test]
    fn json_keeps_a_check() {
        for tested in outcome().tested {
            let json = serde_json::to_string(&tested).unwrap();
            assert_eq!(serde_json::from_str::<Tested>(&json).unwrap(), tested);
        }
    }
}
