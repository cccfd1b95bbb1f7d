//! The log of changes as people look at it: who said what, when and why, the newest first; and of one change what it
//! changed, and what came of it on each host.

pub mod outcome;
pub mod recover;

use std::collections::BTreeMap;

use serde::Serialize;
use wb_core::chain::Sha1;
use wb_core::change::{ChangeKind, Manifest};
use wb_core::registry::LogError;
use wb_core::results::Results;

use crate::calendar::moment;
use crate::deploy::difference::Difference;
use crate::known::Known;
use crate::operator::{Logged, Operator, OperatorError};
use crate::table::Table;
use outcome::{HostOutcome, Outcome, outcomes};

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum ChangesError {
    /// There is no change of that number.
    #[error("there is no change {number}: {}", ends(*newest))]
    NoSuch {
        /// The number.
        number: u64,
        /// That of the newest one; 0: there is none.
        newest: u64,
    },
    /// The log can't be read so far back.
    #[error("the log of changes can't be read")]
    Log {
        /// Why.
        source: LogError,
    },
    /// The remote.
    #[error(transparent)]
    Operator(#[from] OperatorError),
}

/// A change, in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its number.
    pub number: u64,
    /// What kind of decision it was.
    pub kind: String,
    /// When, in seconds since 1970, UTC, as its author says.
    pub time: u64,
    /// Who, as they say.
    pub author: String,
    /// Who signed it, as `allowed_signers` names them; nothing where nobody did whose word counts.
    pub signer: Option<String>,
    /// In a line, what and why.
    pub message: String,
    /// The commit.
    pub commit: Sha1,
    /// Whether it is a deploy with a runner that no test attested.
    pub untested: bool,
}

impl Entry {
    fn of(logged: &Logged) -> Self {
        let Manifest { number, kind, time, author, message, untested, .. } = &logged.manifest;
        Self {
            number: *number,
            kind: kind.to_string(),
            time: *time,
            author: author.clone(),
            signer: logged.signer.clone(),
            message: message.lines().next().unwrap_or_default().to_owned(),
            commit: logged.commit,
            // Changes that bring no runner say it on.
            untested: *untested && *kind == ChangeKind::Deploy,
        }
    }

    /// The kind, and of a deploy whether nobody tested it.
    fn kind(&self) -> String {
        format!("{}{}", self.kind, if self.untested { ", untested" } else { "" })
    }

    fn signer(&self) -> &str {
        self.signer.as_deref().unwrap_or("nobody who counts")
    }
}

/// The newest changes, at most so many, the newest first; and whether there are more.
///
/// # Errors
/// When the log can't be read.
pub fn newest(operator: &Operator, known: &Known, most: usize) -> Result<(Vec<Full>, bool), ChangesError> {
    let read = |commit| operator.logged(commit).map_err(|source| ChangesError::Log { source });
    let results = operator.results(&known.manifest, &known.reports)?;
    let (mut listed, mut next) = (Vec::new(), operator.tip()?.map(read).transpose()?);
    while let Some(logged) = next.take_if(|_| listed.len() < most) {
        next = logged.parent.map(read).transpose()?;
        let parent = next.as_ref().map(|parent| parent.manifest.clone()).unwrap_or_default();
        listed.push(Full::of(&logged, &parent, known, &results));
    }
    Ok((listed, next.is_some()))
}

/// Changes in lines.
#[must_use]
pub fn table(changes: &[Full]) -> Table {
    let mut table = Table::new(&["#", "when", "author", "signed by", "kind", "hosts", "message"]);
    for full in changes {
        let entry = &full.entry;
        let author = entry.author.split('<').next().unwrap_or_default();
        table.row([
            entry.number.to_string(),
            moment(entry.time),
            author.to_owned(),
            entry.signer().to_owned(),
            entry.kind(),
            full.counts(),
            entry.message.clone(),
        ]);
    }
    table
}

/// A change in full.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Full {
    /// The change.
    #[serde(flatten)]
    pub entry: Entry,
    /// The commit of the source repository that its runner was built from.
    pub source: Option<Sha1>,
    /// What it changed, a line each.
    pub difference: Vec<String>,
    /// What came of it on each host that was admitted then.
    pub hosts: Vec<HostOutcome>,
}

/// The change of this number in full, as the hosts' reports tell that were fetched.
///
/// # Errors
/// When there is none, or the log can't be read.
pub fn full(operator: &Operator, known: &Known, number: u64) -> Result<Full, ChangesError> {
    let read = |commit| operator.logged(commit).map_err(|source| ChangesError::Log { source });
    let tip = operator.tip()?.map(read).transpose()?;
    let newest = tip.as_ref().map_or(0, |tip| tip.manifest.number);
    let mut next = tip.filter(|_| (1..=newest).contains(&number)).map(|tip| tip.commit);
    let no_such = || ChangesError::NoSuch { number, newest };
    let logged = loop {
        let logged = read(next.ok_or_else(no_such)?)?;
        if logged.manifest.number == number {
            break logged;
        }
        next = logged.parent;
    };
    let parent = logged.parent.map(read).transpose()?.map(|parent| parent.manifest).unwrap_or_default();
    let results = operator.results(&known.manifest, &known.reports)?;
    Ok(Full::of(&logged, &parent, known, &results))
}

impl Full {
    fn of(logged: &Logged, parent: &Manifest, known: &Known, results: &BTreeMap<String, Results>) -> Self {
        Self {
            entry: Entry::of(logged),
            source: logged.manifest.source,
            difference: Difference::between(parent, &logged.manifest).lines(),
            hosts: outcomes(&logged.manifest, parent, known, results),
        }
    }

    /// How many hosts have it behind them, and on how many it failed.
    fn counts(&self) -> String {
        let failed = self.hosts.iter().filter(|host| matches!(host.outcome, Outcome::Failed { .. })).count();
        let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
        format!("{} of {}{failed}", over(&self.hosts), self.hosts.len())
    }

    /// Who said it, when and why.
    #[must_use]
    pub fn heading(&self) -> String {
        let Entry { number, time, author, message, commit, .. } = &self.entry;
        let source = self.source.map(|source| format!(", of the source {}", source.short())).unwrap_or_default();
        let (signer, kind) = (self.entry.signer(), self.entry.kind());
        format!(
            "change {number} {kind}: {message}\nby {author}, signed by {signer}, at {}, commit {}{source}",
            moment(*time),
            commit.short()
        )
    }

    /// The hosts in lines.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table = Table::new(&["host", "outcome", "when"]);
        for host in &self.hosts {
            table.row([host.called(), host.outcome.to_string(), host.outcome.when()]);
        }
        table
    }

    /// All of it in a line.
    #[must_use]
    pub fn summary(&self) -> String {
        format!("{} of {} hosts have it behind them", over(&self.hosts), self.hosts.len())
    }
}

fn over(hosts: &[HostOutcome]) -> usize {
    hosts.iter().filter(|host| host.outcome.is_over()).count()
}

fn ends(newest: u64) -> String {
    match newest {
        0 => "the herd was told nothing yet".to_owned(),
        newest => format!("they go from 1 to {newest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64, signer: Option<&str>) -> Entry {
        Entry {
            number,
            kind: "hold".into(),
            time: 1_000_000_000,
            author: "Ana <ana@example.org>".into(),
            signer: signer.map(str::to_owned),
            message: "web1: a look".into(),
            commit: Sha1::from_bytes([1; 20]),
            untested: false,
        }
    }

    #[test]
    fn the_log_is_a_table() {
        let host = |host: &str, outcome| HostOutcome { host: host.to_owned(), now: None, outcome };
        let failed = Outcome::Failed { migration: "page".into(), at: None, error: "no luck".into() };
        let hosts =
            vec![host("web1", Outcome::Seen { at: None }), host("web2", failed), host("web3", Outcome::Unknown)];
        let full = |entry, hosts| Full { entry, source: None, difference: vec![], hosts };
        let listed = [full(entry(12, Some("ana@example.org")), hosts[..1].to_vec()), full(entry(11, None), hosts)];
        insta::assert_snapshot!(table(&listed), @"
        #   when                  author  signed by          kind  hosts             message
        12  2001-09-09T01:46:40Z  Ana     ana@example.org    hold  1 of 1            web1: a look
        11  2001-09-09T01:46:40Z  Ana     nobody who counts  hold  1 of 3, 1 failed  web1: a look
        ");
    }

    #[test]
    fn a_change_in_full_has_a_heading() {
        let full = Full {
            entry: entry(12, Some("ana@example.org")),
            source: Some(Sha1::from_bytes([2; 20])),
            difference: vec![],
            hosts: vec![],
        };
        insta::assert_snapshot!(full.heading(), @"
        change 12 hold: web1: a look
        by Ana <ana@example.org>, signed by ana@example.org, at 2001-09-09T01:46:40Z, commit 0101010, of the source 0202020
        ");
        assert_eq!(full.summary(), "0 of 0 hosts have it behind them");
    }

    #[test]
    fn a_deploy_that_nobody_tested_says_so() {
        let entry = Entry { kind: "deploy".into(), untested: true, ..entry(12, None) };
        let full = Full { entry, source: None, difference: vec![], hosts: vec![] };
        assert!(full.heading().starts_with("change 12 deploy, untested: web1: a look\n"), "{}", full.heading());
        let listed = table(&[full]).to_string();
        assert!(listed.contains("  deploy, untested  0 of 0  web1: a look"), "{listed}");
    }

    #[test]
    fn a_number_that_there_is_not_is_told() {
        let check = |newest, expect: &str| {
            assert_eq!(ChangesError::NoSuch { number: 9, newest }.to_string(), expect);
        };
        check(4, "there is no change 9: they go from 1 to 4");
        check(0, "there is no change 9: the herd was told nothing yet");
    }
}
