//! What a host may never do, whatever happens to it: the invariants, as pure functions of what was seen.

use std::collections::{BTreeMap, BTreeSet};

use wb_core::agent::{How, Record};
use wb_core::chain::Sha1;

use super::history::{History, Look};
use super::journal::Entry;
use super::links::owes;
use super::order::Walk;
use super::rule::{Rule, Violation, broken};

impl History {
    /// All that was broken so far.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        let mut all = self.once();
        all.extend(self.order());
        all.extend(self.steps());
        for look in &self.looks {
            all.extend(self.prefix(look));
            all.extend(self.report(look));
            all.extend(self.runner(look));
        }
        all.dedup();
        all
    }

    /// What was broken at the end: the host is where its operator wants it, and owes nothing.
    #[must_use]
    pub fn incomplete(&self, target: Option<Sha1>) -> Vec<Violation> {
        let Some(look) = self.looks.last() else { return vec![broken(Rule::Completes, "nothing was seen")] };
        let mut all = Vec::new();
        if !look.is_at_rest(target) {
            let doing = look.report.as_ref().map_or("nothing".to_owned(), |report| report.doing.to_string());
            let what = format!("phase {:?}, debts {:?}, says {doing}", look.record.phase, look.record.debts);
            all.push(broken(Rule::Completes, what));
        }
        all.extend(self.unpaid());
        all
    }

    /// 1: what is done is a prefix of the chain, was really done, and is on the disk.
    fn prefix(&self, look: &Look) -> Vec<Violation> {
        let mut all = Vec::new();
        let links: Vec<Sha1> = look.record.links.iter().map(|link| link.sha1).collect();
        let chain: Vec<Sha1> = self.chain.links().iter().map(|link| link.sha1).collect();
        if !chain.starts_with(&links) {
            all.push(broken(
                Rule::Invariant(1),
                format!("the record is no prefix of the chain: {}", names(&look.record)),
            ));
        }
        let ended: BTreeSet<&str> = self.entries[..look.entries].iter().filter_map(ended).collect();
        for link in look.record.links.iter().filter(|link| link.how == How::Done && link.name != "base") {
            if !ended.contains(link.name.as_str()) {
                all.push(broken(Rule::Invariant(1), format!("`{}` is done by the record, and never ran", link.name)));
            }
        }
        let entries = &self.entries[..look.entries];
        for link in look.record.links.iter().filter(|link| link.how == How::Adopted) {
            let told = [Entry::ByHand(link.name.clone()), Entry::Vouched(link.name.clone())];
            if !told.iter().all(|entry| entries.contains(entry)) {
                all.push(broken(Rule::Invariant(1), format!("`{}` is done by hand, and nobody vouched", link.name)));
            }
        }
        let gone = look.missing.iter();
        all.extend(
            gone.map(|link| broken(Rule::Invariant(1), format!("`{link}` is done, and its work is not on the disk"))),
        );
        all
    }

    /// 2: what is done never runs again.
    fn once(&self) -> Vec<Violation> {
        let mut all = Vec::new();
        let mut done: BTreeMap<String, &str> = BTreeMap::new();
        let mut looks = self.looks.iter().peekable();
        for (at, entry) in self.entries.iter().enumerate() {
            while let Some(look) = looks.next_if(|look| look.entries <= at) {
                done.extend(look.record.links.iter().map(|link| (link.name.clone(), "by the record")));
            }
            let Entry::Began(link) = entry else { continue };
            if let Some(how) = done.get(link) {
                all.push(broken(Rule::Invariant(2), format!("`{link}` ran again, though it was done {how}")));
            }
            for before in self.chain.links().iter().take_while(|other| other.name != *link) {
                done.insert(before.name.clone(), "before a later link began");
            }
        }
        all
    }

    /// A step that was stored never runs again, and a link that has one asks for no precondition again, unless people
    /// let it start anew. A step was stored when the record has it, or the link went on to its next one.
    fn steps(&self) -> Vec<Violation> {
        let mut all = Vec::new();
        let (mut seen, mut stored, mut anew): (Vec<&str>, BTreeSet<String>, bool) = Default::default();
        let mut looks = self.looks.iter().peekable();
        for (at, entry) in self.entries.iter().enumerate() {
            while let Some(look) = looks.next_if(|look| look.entries <= at) {
                stored.extend(
                    look.record
                        .steps
                        .iter()
                        .filter_map(|step| Some(format!("{}/{}", self.chain.get(step.link)?.name, step.name))),
                );
            }
            match entry {
                Entry::Step(step) => {
                    if stored.contains(step) {
                        all.push(broken(Rule::Steps, format!("`{step}` ran again")));
                    }
                    stored.extend(seen.iter().filter(|other| *other != step).map(|other| (*other).to_owned()));
                    seen.push(step);
                }
                Entry::Required(link) if !anew && stored.iter().any(|step| step.starts_with(&format!("{link}/"))) => {
                    all.push(broken(Rule::Steps, format!("`{link}` asked for its precondition again")));
                }
                Entry::Mended => anew = true,
                _ => {}
            }
        }
        all
    }

    /// 4: a report says no more than the disk.
    fn report(&self, look: &Look) -> Vec<Violation> {
        let Some(report) = &look.report else { return Vec::new() };
        let mut all = Vec::new();
        let place = |state: Option<Sha1>| state.and_then(|state| self.chain.position(state));
        let number = |change: Option<Sha1>| self.changes.iter().position(|(commit, ..)| Some(*commit) == change);
        let mut check = |less: bool, what: &str| {
            if less {
                all.push(broken(Rule::Invariant(4), format!("the report says more than the disk about {what}")));
            }
        };
        check(place(report.state) > place(look.record.state()), "the state");
        check(number(report.accepted_commit) > number(look.record.accepted), "the newest change");
        check(report.in_service && !look.record.in_service, "being in service");
        check(!look.record.reports.nonces.contains(&report.nonce), "which report it is");
        all
    }

    /// 5: only verified runners of accepted changes are installed and run.
    fn runner(&self, look: &Look) -> Vec<Violation> {
        let newest = match look.record.accepted {
            None => Some(0),
            Some(accepted) => self.changes.iter().position(|(commit, ..)| *commit == accepted),
        };
        let Some(newest) = newest else {
            let what = format!("it accepted {:?}, which does not count", look.record.accepted);
            return vec![broken(Rule::Invariant(5), what)];
        };
        let accepted = &self.changes[..=newest];
        let mut all = Vec::new();
        if !accepted.iter().any(|(_, _, sha256)| *sha256 == look.installed) {
            all.push(broken(Rule::Invariant(5), "the installed runner is none that an accepted change names"));
        }
        for entry in &self.entries[..look.entries] {
            if let Entry::Runner(generation) = entry
                && !accepted.iter().any(|(_, name, _)| name == generation)
            {
                all.push(broken(
                    Rule::Invariant(5),
                    format!("the runner `{generation}` ran, which no accepted change names"),
                ));
            }
        }
        all
    }

    /// 6, and that links run out of load: who begins and who comes back when.
    fn order(&self) -> Vec<Violation> {
        let mut walk = Walk::of(self.is_new);
        let mut looks = self.looks.iter().peekable();
        let mut all = Vec::new();
        for (at, entry) in self.entries.iter().enumerate() {
            while let Some(look) = looks.next_if(|look| look.entries <= at) {
                walk.sees(look);
            }
            all.extend(walk.goes(entry));
        }
        all
    }

    /// What a link owes is paid after it began and before the host is back in load.
    fn unpaid(&self) -> Vec<Violation> {
        let mut all = Vec::new();
        for link in self.chain.links() {
            let Some(action) = owes(&link.name) else { continue };
            let began = Entry::Began(link.name.clone());
            let Some(at) = self.entries.iter().position(|entry| *entry == began) else { continue };
            let until = self.entries[at..].iter().take_while(|entry| **entry != Entry::Rejoin);
            if !until.into_iter().any(|entry| *entry == Entry::Service(action.to_owned())) {
                all.push(broken(Rule::Owed, format!("`{action}` of `{}` was never paid", link.name)));
            }
        }
        all
    }
}

fn ended(entry: &Entry) -> Option<&str> {
    match entry {
        Entry::Ended(link) => Some(link),
        _ => None,
    }
}

fn names(record: &Record) -> String {
    record.links.iter().map(|link| link.name.as_str()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use wb_core::chain::{Chain, Digest};
    use wb_core::pool::Pool;
    use wb_core::report::Report;

    use super::*;
    use crate::torture::links::Generation;

    fn look(entries: usize, done: usize) -> Look {
        let chain = Generation::Third.catalog().unwrap().chain().clone();
        let links = chain.links()[..done].iter().map(|link| {
            let how = if link.role == "web" { How::Done } else { How::PassedOver };
            wb_core::agent::LinkRecord { sha1: link.sha1, name: link.name.clone(), how, time: 0 }
        });
        let record = Record { links: links.collect(), in_service: true, ..Record::default() };
        let installed = Digest::of(b"first");
        Look { entries, record, report: None, pool: Pool::default(), installed, missing: Vec::new() }
    }

    /// The rules that a journal breaks, when the record had so many links after the entries before `|`.
    fn check(journal: &str, done: usize, expect: &str) {
        let (before, after) = journal.split_once('|').unwrap_or((journal, ""));
        let read = |part: &str| -> Vec<Entry> { part.split(',').filter_map(|line| line.trim().parse().ok()).collect() };
        let mut entries = read(before);
        let seen = entries.len();
        entries.extend(read(after));
        let history = History {
            looks: vec![look(seen, done)],
            entries,
            chain: Generation::Third.catalog().unwrap().chain().clone(),
            changes: vec![(Sha1::ZERO, "1".into(), Digest::of(b"first"))],
            ..History::default()
        };
        let broken: Vec<String> = history.violations().iter().map(ToString::to_string).collect();
        assert_eq!(broken.join("; "), expect, "{journal}");
    }

    #[test]
    fn a_leg_breaks_no_rule() {
        check("runner 1, leave, began config, ended config, | began tables, ended tables, rejoin", 3, "");
        check("leave, began config, | began config, ended config, rejoin", 2, "");
    }

    #[test]
    fn what_is_done_was_run() {
        check("leave, began config", 3, "invariant 1: `config` is done by the record, and never ran");
    }

    #[test]
    fn what_is_done_runs_no_more() {
        let again = "invariant 2: `config` ran again, though it was done";
        check("leave, began config, ended config | began config, ended config", 3, &format!("{again} by the record"));
        let journal = "leave, began config, ended config, began tables, ended tables, began config, ended config";
        check(journal, 2, &format!("{again} before a later link began"));
    }

    #[test]
    fn what_is_finished_of_a_link_is_not_done_again() {
        let begun = "leave, began tables, required tables, step tables/create";
        check(&format!("{begun} | began tables, step tables/create, step tables/fill"), 2, "");
        check(
            &format!("{begun}, step tables/fill | began tables, step tables/create"),
            2,
            "a finished step runs no more: `tables/create` ran again",
        );
        check(
            &format!("{begun}, step tables/fill | began tables, required tables"),
            2,
            "a finished step runs no more: `tables` asked for its precondition again",
        );
    }

    #[test]
    fn an_unknown_runner_is_found() {
        check("runner 2", 2, "invariant 5: the runner `2` ran, which no accepted change names");
    }

    #[test]
    fn after_a_failure_nothing_runs_and_nobody_rejoins() {
        check("leave, began config, rejoin", 2, "invariant 6: it rejoined after `config`, which did not end");
        check("leave, began config, began tables", 2, "invariant 6: `tables` ran after `config`, which did not end");
    }

    #[test]
    fn what_was_done_by_hand_and_passed_its_specs_needs_no_end() {
        let begun = "leave, began config";
        check(&format!("{begun}, by-hand config, vouched config, began tables"), 2, "");
        let early = "invariant 6: `tables` ran after `config`, which did not end";
        check(&format!("{begun}, by-hand config, began tables"), 2, early);
        check(&format!("{begun}, vouched config, began tables"), 2, early);
    }

    #[test]
    fn what_is_adopted_was_vouched_for() {
        let check = |journal: &str, expect: usize| {
            let mut look = look(2, 3);
            look.record.links[2].how = How::Adopted;
            let entries = journal.split(", ").map(|line| line.parse().unwrap()).collect();
            let history = History { entries, chain: look.chain(), ..History::default() };
            assert_eq!(history.prefix(&look).len(), expect, "{journal}");
        };
        check("by-hand config, vouched config", 0);
        check("by-hand config, leave", 1);
        check("leave, vouched config", 1);
    }

    #[test]
    fn links_run_out_of_load_also_after_a_boot() {
        check("began config", 2, "links run out of load: `config` ran in load");
        check("leave, boot, began config", 2, "links run out of load: `config` ran in load");
        check("leave, boot, leave, began config", 2, "");
    }

    #[test]
    fn a_report_says_no_more_than_the_disk() {
        let mut history = History { chain: look(0, 0).chain(), ..History::default() };
        history.changes.push((Sha1::ZERO, "1".into(), Digest::of(b"first")));
        let mut look = look(0, 2);
        let nonce = Uuid::from_u128(1);
        look.record.reports.nonces = vec![nonce];
        let state = history.chain.links()[2].sha1;
        look.report = Some(Report { state: Some(state), ..report(nonce) });
        let broken = history.report(&look);
        assert_eq!(broken[0].to_string(), "invariant 4: the report says more than the disk about the state");
        look.report = Some(report(nonce));
        assert_eq!(history.report(&look), []);
        look.report = Some(report(Uuid::from_u128(2)));
        assert_eq!(
            history.report(&look)[0].to_string(),
            "invariant 4: the report says more than the disk about which report it is"
        );
    }

    impl Look {
        fn chain(&self) -> Chain {
            Generation::Third.catalog().unwrap().chain().clone()
        }
    }

    fn report(nonce: Uuid) -> Report {
        let json = serde_json::json!({
            "name": "web1", "uuid": Uuid::nil(), "key": "", "time": 0, "doing": { "doing": "up_to_date" },
            "runner": Digest::of(b"first"), "incarnation": { "fingerprint": "", "boot_id": "" }, "nonce": nonce,
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn what_is_owed_is_paid_before_the_host_rejoins() {
        let check = |journal: &str, expect: usize| {
            let entries = journal.split(", ").map(|line| line.parse().unwrap()).collect();
            let history = History { entries, chain: look(0, 0).chain(), ..History::default() };
            assert_eq!(history.unpaid().len(), expect, "{journal}");
        };
        check("leave, began config, ended config, service app reload, rejoin", 0);
        check("leave, began config, began config, service app reload, rejoin", 0);
        check("leave, began config, ended config, rejoin, service app reload", 1);
    }
}
