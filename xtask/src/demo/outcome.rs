//! What the demo came to, and whether that is what it promises.

use serde::Serialize;
use wb_core::chain::{Chain, Sha1};

use super::load::{Answer, Request};

/// What the demo came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The hosts at the end.
    pub hosts: Vec<HostOutcome>,
    /// The last link of the chain.
    pub tip: Sha1,
    /// How many requests were made during the roll.
    pub requests: usize,
    /// How many of them failed.
    pub failed_requests: usize,
    /// How many web servers were out of load at once, at the most.
    pub max_out_seen: usize,
    /// How many may be.
    pub max_out: usize,
    /// From the first deploy until all hosts were there.
    pub seconds_first_deploy: f64,
    /// From the second deploy until all hosts were there.
    pub seconds_roll: f64,
    /// Whether all went as promised.
    pub ok: bool,
    /// What did not.
    #[serde(skip)]
    pub complaints: Vec<String>,
    /// All links, oldest first.
    #[serde(skip)]
    pub chain: Chain,
}

/// A host at the end of the demo.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HostOutcome {
    /// Its name.
    pub name: String,
    /// What it is.
    pub roles: Vec<String>,
    /// The last link that it completed or passed over.
    pub state: Option<Sha1>,
    /// That link's name.
    pub migration: Option<String>,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    pub(super) hosts: Vec<HostOutcome>,
    pub(super) chain: Chain,
    pub(super) tip: Sha1,
    pub(super) requests: Vec<Request>,
    /// From the first request to the last.
    pub(super) seconds_load: f64,
    /// When all hosts were at the tip, since 1970.
    pub(super) rolled: std::time::Duration,
    pub(super) max_out_seen: usize,
    pub(super) max_out: usize,
    pub(super) seconds_first_deploy: f64,
    pub(super) seconds_roll: f64,
}

/// So many requests at least, or the demo has shown nothing.
pub(super) const LEAST_REQUESTS: usize = 200;
const LEAST_PER_SECOND: f64 = 20.0;

impl Measured {
    /// Judges what was measured.
    pub(super) fn judge(self) -> Outcome {
        let complaints = self.complaints();
        Outcome {
            requests: self.requests.len(),
            failed_requests: self.count(Answer::is_failed),
            ok: complaints.is_empty(),
            complaints,
            hosts: self.hosts,
            chain: self.chain,
            tip: self.tip,
            max_out_seen: self.max_out_seen,
            max_out: self.max_out,
            seconds_first_deploy: self.seconds_first_deploy,
            seconds_roll: self.seconds_roll,
        }
    }

    fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut expect = |holds: bool, complaint: String| {
            if !holds {
                complaints.push(complaint);
            }
        };
        for host in &self.hosts {
            expect(host.state == Some(self.tip), format!("{} is not at the tip", host.name));
        }
        let failed = self.count(Answer::is_failed);
        let what = self.requests.iter().find_map(|request| match &request.answer {
            Answer::Failed(said) => Some(said.as_str()),
            Answer::Old | Answer::New => None,
        });
        expect(failed == 0, format!("{failed} requests failed: {}", what.unwrap_or_default()));
        let after = self.requests.iter().filter(|request| request.began > self.rolled);
        let stale = after.clone().filter(|request| request.answer != Answer::New).count();
        expect(stale == 0, format!("{stale} answers after the roll are not the new page"));
        expect(after.count() > 0, "nobody asked after the roll".into());
        expect(self.count(|answer| *answer == Answer::Old) > 0, "nobody asked before the roll".into());
        let (requests, rate) = (self.requests.len(), self.requests.len() as f64 / self.seconds_load);
        expect(requests >= LEAST_REQUESTS, format!("only {requests} requests"));
        expect(rate >= LEAST_PER_SECOND, format!("only {rate:.1} requests a second"));
        expect(self.max_out_seen >= 1, "no web server was ever out of load".into());
        let (seen, limit) = (self.max_out_seen, self.max_out);
        expect(seen <= limit, format!("{seen} web servers were out at once, {limit} may be"));
        complaints
    }

    fn count(&self, is_meant: impl Fn(&Answer) -> bool) -> usize {
        self.requests.iter().filter(|request| is_meant(&request.answer)).count()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn measured() -> Measured {
        let tip = Sha1::from_bytes([7; 20]);
        let host = HostOutcome { name: "web1".into(), roles: vec!["web".into()], state: Some(tip), migration: None };
        let request = |n: u64| {
            let answer = if n < 150 { Answer::Old } else { Answer::New };
            Request { began: Duration::from_millis(n * 30), answer }
        };
        Measured {
            hosts: vec![host],
            chain: Chain::default(),
            tip,
            requests: (0..300).map(request).collect(),
            seconds_load: 9.0,
            rolled: Duration::from_millis(6000),
            max_out_seen: 1,
            max_out: 1,
            seconds_first_deploy: 60.0,
            seconds_roll: 9.0,
        }
    }

    fn check(change: impl FnOnce(&mut Measured), expect: &[&str]) {
        let mut measured = measured();
        change(&mut measured);
        let outcome = measured.judge();
        assert_eq!(outcome.complaints, expect);
        assert_eq!(outcome.ok, expect.is_empty());
    }

    #[test]
    fn what_is_promised() {
        check(|_| {}, &[]);
        check(|m| m.hosts[0].state = None, &["web1 is not at the tip"]);
        check(|m| m.requests[3].answer = Answer::Failed("nothing".into()), &["1 requests failed: nothing"]);
        check(|m| m.requests[250].answer = Answer::Old, &["1 answers after the roll are not the new page"]);
        check(|m| m.seconds_load = 30.0, &["only 10.0 requests a second"]);
        check(|m| m.max_out_seen = 2, &["2 web servers were out at once, 1 may be"]);
        check(|m| m.max_out_seen = 0, &["no web server was ever out of load"]);
        check(|m| m.rolled = Duration::from_secs(60), &["nobody asked after the roll"]);
    }

    #[test]
    fn few_requests_show_nothing() {
        check(
            |m| {
                m.requests.drain(..140);
                m.seconds_load = 4.0;
            },
            &["only 160 requests"],
        );
    }

    #[test]
    fn the_result_has_full_sha1s() {
        let json = serde_json::to_value(measured().judge()).unwrap();
        assert_eq!(json["tip"], "07".repeat(20));
        assert_eq!(json["hosts"][0]["state"], "07".repeat(20));
        assert_eq!(json["ok"], true);
    }
}
