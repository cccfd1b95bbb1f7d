//! What was tested: a word about one runner, which a run of `cargo xtask test` that passes leaves behind.
//!
//! An attestation is a commit without parents, whose tree is one file. It names the runner by the sha256 of its bytes, so
//! that it says nothing of any other one, and it stands under a ref of that sha256. This machine keeps its own; one that is
//! pushed lies beside the herd, and the runner with it, for whoever builds nothing.
//!
//! People sign commits of the fleet with the same keys, and any file may lie in those. So only a commit of just that form
//! is one, whose message names these very bytes: what somebody signed for another purpose attests nothing.
//!
//! Who may push may put anything there, and that is no authority: what lies on the remote counts only where somebody signed
//! it whom the fleet's `allowed_testers` name, or its `allowed_signers`. Those who only test have a list of their own, for a
//! key in the other one tells the herd what to do. What this machine keeps needs no signature: who can write there can
//! deploy from there. What would count for nobody else is not pushed: it would take the place of a word that does.

use std::cmp::Reverse;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wb_core::agent::RUNNER_FILE;
use wb_core::chain::{Chain, Digest, Sha1};
use wb_core::change::Runner;
use wb_core::registry::{
    Commit, Mirror as _, NewCommit, ObjectError, Objects, Pushed, ROOT, RefName, RefUpdate, Registry, RegistryError,
    SignatureError, SigningKey,
};

use crate::calendar::moment;
use crate::fleet::Fleet;
use crate::git::{GitError, Identity, TOOL_EMAIL, TOOL_NAME};
use crate::operator::{self, Operator, OperatorError};

/// The file in the tree of such a commit.
const FILE: &str = "attestation.json";

/// That a runner was tested, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attestation {
    /// Of the runner's bytes.
    pub sha256: Digest,
    /// What it runs on, as in `x86_64-linux`.
    pub platform: String,
    /// The target triple that it was built for.
    pub triple: String,
    /// The commit of the fleet that it was built from.
    pub source: Sha1,
    /// All links that it has.
    pub chain: Chain,
    /// The last one of them.
    pub tip: Option<Sha1>,
    /// Where it lies on the remote, if it was pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<Runner>,
    /// What the hosts of the test were made of.
    pub image: String,
    /// The version of Wildebeest that tested it.
    pub wildebeest: String,
    /// When, in seconds since 1970, UTC.
    pub time: u64,
    /// Why no herd rolled, where the fleet's `herd.toml` says that none can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_roll: Option<String>,
    /// Each check, and what came of it.
    pub results: Vec<Told>,
}

/// A check of a test, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// On which host.
    pub host: String,
    /// Of which link, by its name, if of one.
    pub link: Option<String>,
    /// What was checked.
    pub check: String,
    /// Whether it passed; else it was left out, for a reason that the test says.
    pub ok: bool,
    /// Whether that was seen by an earlier run, whose host this one went on with.
    pub layer: bool,
    /// How long it took.
    pub seconds: f64,
}

/// An attestation that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its commit.
    pub commit: Sha1,
    /// What it says.
    pub attestation: Attestation,
    /// Who signed it, as the fleet's lists name them; nothing where nobody did whose word counts.
    pub signer: Option<String>,
    /// Whether it was made on this machine.
    pub is_own: bool,
}

/// Why nothing is known of what was tested, or it can't be written down.
#[derive(Debug, thiserror::Error)]
pub enum AttestationError {
    /// The fleet, its remote, its lists.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The repository of the fleet.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The remote, or what was fetched of it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Nobody else would believe it.
    #[error("what is pushed for others to believe has to be signed, and there is no key")]
    Unsigned,
    /// It can't be written or signed.
    #[error("could not write the attestation of the runner {}", sha256.short())]
    Write {
        /// Of the runner's bytes.
        sha256: Digest,
        /// Why.
        source: Box<ObjectError>,
    },
    /// Nobody knows who signed it.
    #[error("could not tell who signed the attestation {}", commit.short())]
    Signer {
        /// Its commit.
        commit: Sha1,
        /// Why.
        source: Box<ObjectError>,
    },
    /// Others pushed theirs, again and again.
    #[error("others attested the runner {} at the same time, {tries} times in a row; nothing was pushed", sha256.short())]
    Overtaken {
        /// Of the runner's bytes.
        sha256: Digest,
        /// How often it was tried.
        tries: u32,
    },
    /// The runner can't be had.
    #[error("the runner {} was tested, and is not on the remote", sha256.short())]
    NoRunner {
        /// Of its bytes.
        sha256: Digest,
    },
    /// The remote has another file in its place.
    #[error("the runner {} was tested, and the remote has {} in its place", sha256.short(), found.short())]
    OtherRunner {
        /// Of its bytes.
        sha256: Digest,
        /// Of those that are there.
        found: Digest,
    },
}

impl Attestation {
    /// The ref that it stands under on the remote.
    #[must_use]
    pub fn name(&self) -> RefName {
        RefName::Tested { platform: self.platform.clone(), sha256: self.sha256 }
    }

    /// Puts it into a commit, and moves no ref.
    fn write(&self, objects: &Objects, who: Identity, key: Option<&SigningKey>) -> Result<Sha1, ObjectError> {
        let new = NewCommit {
            message: self.message(),
            files: [(FILE.to_owned(), self.encode().into_bytes())].into(),
            parent: None,
            author: (who.name, who.email),
            time: Duration::from_secs(self.time),
        };
        objects.write(&new, key)
    }

    /// What its commit says. People sign commits of the fleet with the same keys: none of those names a runner's bytes.
    fn message(&self) -> String {
        format!("Tested the runner {} for {}\n", self.sha256, self.platform)
    }

    fn encode(&self) -> String {
        // It is made of strings, numbers, lists and structs: serde_json never fails on these.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

impl Found {
    /// Whether it is a reason to believe that the runner was tested.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.is_own || self.signer.is_some()
    }
}

impl fmt::Display for Found {
    /// `the runner 3f1c9a2 was tested at 2026-11-28T14:02:13Z, 42 checks, attested by ci@example.org`: what was left out
    /// is no check. Where no herd rolled, that stands at the end, with the reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Attestation { sha256, time, results, no_roll, .. } = &self.attestation;
        let passed = results.iter().filter(|told| told.ok).count();
        let checks = if passed == 1 { "1 check".to_owned() } else { format!("{passed} checks") };
        let who = match (&self.signer, self.is_own) {
            (Some(signer), _) => signer.as_str(),
            (None, true) => "this machine",
            (None, false) => "nobody who counts",
        };
        write!(f, "the runner {} was tested at {}, {checks}, attested by {who}", sha256.short(), moment(*time))?;
        no_roll.as_ref().map_or(Ok(()), |why| write!(f, "; no herd rolled: {why}"))
    }
}

/// Refuses to push what would count for nobody but this machine.
///
/// # Errors
/// When there is no key, or one that the fleet's lists don't name, or that does not sign.
pub fn refuse_unbelievable(operator: &Operator, key: Option<&SigningKey>) -> Result<(), AttestationError> {
    Ok(operator.refuse_strange_tester(key.ok_or(AttestationError::Unsigned)?)?)
}

/// Writes down that these bytes were tested, signed where there is a key; gives the commit. This machine keeps it, and with
/// `push` it goes to the remote, where that is known, with the runner.
///
/// # Errors
/// When it can't be written, or it is to be pushed and would count for nobody, or the remote does not take it.
pub fn record(
    operator: Option<&Operator>,
    fleet: &Fleet,
    made: &Attestation,
    runner: &[u8],
    key: Option<&SigningKey>,
    push: bool,
) -> Result<Sha1, AttestationError> {
    match operator {
        Some(operator) if push => refuse_unbelievable(operator, key)?,
        None if push => return Err(OperatorError::NoRemote.into()),
        _ => {}
    }
    let tree = fleet.work_tree()?;
    let alone;
    let registry = match operator {
        Some(operator) => operator.registry(),
        None => {
            alone = operator::alone(&tree)?;
            &alone
        }
    };
    let (objects, sha256) = (registry.objects(), Digest::of(runner));
    let failed = |source| AttestationError::Write { sha256, source: Box::new(source) };
    let stored = push.then(|| store(objects, &made.platform, runner)).transpose().map_err(failed)?;
    let made = Attestation { sha256, runner: stored, ..made.clone() };
    let commit = made.write(objects, tree.identity(), key).map_err(failed)?;
    registry.keep(&kept(&made.platform, sha256), commit)?;
    if let Some(stored) = &made.runner {
        publish(registry, &made, stored.commit, commit)?;
    }
    Ok(commit)
}

/// Puts a runner into a commit, which is a function of its bytes alone: however often it is tested, the remote has it once.
fn store(objects: &Objects, platform: &str, bytes: &[u8]) -> Result<Runner, ObjectError> {
    let sha256 = Digest::of(bytes);
    let new = NewCommit {
        message: format!("Runner {}\n", sha256.short()),
        files: [(RUNNER_FILE.to_owned(), bytes.to_vec())].into(),
        parent: None,
        author: (TOOL_NAME.to_owned(), TOOL_EMAIL.to_owned()),
        time: Duration::ZERO,
    };
    let commit = objects.write(&new, None)?;
    Ok(Runner { sha256, commit, reference: name_of_runner(platform, commit).to_string() })
}

fn name_of_runner(platform: &str, commit: Sha1) -> RefName {
    RefName::Runner { platform: platform.to_owned(), id: commit.to_string() }
}

/// Pushes an attestation, and the runner beside it where the remote has it not. It takes the place of an older one of the
/// same runner, whoever signed that: this one counts, as was looked at before.
fn publish(registry: &Registry, made: &Attestation, runner: Sha1, commit: Sha1) -> Result<(), AttestationError> {
    const TRIES: u32 = 3;
    let (name, stored) = (made.name(), name_of_runner(&made.platform, runner));
    for _ in 0..TRIES {
        registry.fetch(&[name.to_string(), stored.to_string()])?;
        let mut updates = Vec::new();
        // Whoever may push may have put something else in the runner's place, too.
        for (name, new) in [(&name, Some(commit)), (&stored, Some(runner))] {
            let expected = registry.get(name)?;
            if expected != new {
                updates.push(RefUpdate { name: name.clone(), expected, new });
            }
        }
        if updates.is_empty() || registry.push(&updates)? == Pushed::Won {
            return Ok(());
        }
    }
    Err(AttestationError::Overtaken { sha256: made.sha256, tries: TRIES })
}

/// What is attested of the runner with these bytes: here, or on the remote. Whether it counts is another question.
///
/// # Errors
/// When the remote can't be asked, or signatures can't be checked.
pub fn of(operator: &Operator, platform: &str, sha256: Digest) -> Result<Option<Found>, AttestationError> {
    let name = RefName::Tested { platform: platform.to_owned(), sha256 };
    let registry = operator.registry();
    let own = operator.kept(&kept(platform, sha256)).and_then(|commit| read(registry.objects(), &name, commit));
    if let Some((attestation, commit)) = own {
        return judged(operator, attestation, &commit, true).map(Some);
    }
    registry.fetch(&[name.to_string()])?;
    let there = registry.get(&name)?.and_then(|commit| read(registry.objects(), &name, commit));
    there.map(|(attestation, commit)| judged(operator, attestation, &commit, false)).transpose()
}

/// What the remote has on runners with this very chain, the newest first, whether it counts or not.
///
/// # Errors
/// When the remote can't be asked, or signatures can't be checked.
pub fn newest_for(operator: &Operator, platform: &str, chain: &Chain) -> Result<Vec<Found>, AttestationError> {
    let (registry, start) = (operator.registry(), format!("{ROOT}tested/{platform}/"));
    registry.fetch(std::slice::from_ref(&start))?;
    let all = registry.refs(&start)?.into_iter();
    let all = all.filter_map(|(name, commit)| read(registry.objects(), &name, commit));
    // To check a signature takes far longer than to compare two chains.
    let fitting = all.filter(|(attestation, _)| attestation.chain == *chain);
    let found = fitting.map(|(attestation, commit)| judged(operator, attestation, &commit, false));
    let mut found = found.collect::<Result<Vec<Found>, AttestationError>>()?;
    found.sort_by_key(|found| Reverse(found.attestation.time));
    Ok(found)
}

/// The very bytes that were tested, from the remote.
///
/// # Errors
/// When they are not there, or others are in their place.
pub fn runner(operator: &Operator, attestation: &Attestation) -> Result<Vec<u8>, AttestationError> {
    let (registry, sha256) = (operator.registry(), attestation.sha256);
    let no_runner = || AttestationError::NoRunner { sha256 };
    let stored = attestation.runner.as_ref().ok_or_else(no_runner)?;
    let name = name_of_runner(&attestation.platform, stored.commit);
    registry.fetch(&[name.to_string()])?;
    let bytes = registry.file(stored.commit, RUNNER_FILE).ok_or_else(no_runner)?;
    match Digest::of(&bytes) {
        found if found == sha256 => Ok(bytes),
        found => Err(AttestationError::OtherRunner { sha256, found }),
    }
}

/// What this machine keeps one under.
fn kept(platform: &str, sha256: Digest) -> String {
    format!("tested/{platform}/{sha256}")
}

/// What a commit attests under this name; nothing where it is none, or about something else: anybody can put that there.
fn read(objects: &Objects, name: &RefName, commit: Sha1) -> Option<(Attestation, Commit)> {
    let commit = objects.read(commit).ok()?;
    let attestation: Attestation = serde_json::from_str(&objects.text(&commit, FILE).ok()??).ok()?;
    let is_alone = commit.parents.is_empty() && objects.has_only(&commit, FILE).ok()?;
    let is_one = is_alone && commit.message.trim_end() == attestation.message().trim_end();
    (is_one && attestation.name() == *name).then_some((attestation, commit))
}

/// What was found, and who signed it.
fn judged(
    operator: &Operator,
    attestation: Attestation,
    commit: &Commit,
    is_own: bool,
) -> Result<Found, AttestationError> {
    let is_of_stranger = |error: &ObjectError| match error {
        ObjectError::Unsigned { .. } => true,
        ObjectError::Signature { source, .. } => matches!(source, SignatureError::NotAllowed { .. }),
        _ => false,
    };
    let signer = match commit.verify(operator.testers()) {
        Ok(signer) => Some(signer),
        Err(error) if is_of_stranger(&error) => None,
        Err(source) => return Err(AttestationError::Signer { commit: commit.sha1, source: Box::new(source) }),
    };
    Ok(Found { commit: commit.sha1, attestation, signer, is_own })
}

#[cfg(test)]
mod tests {
    use wb_core::chain::Link;

    use super::*;

    fn attestation() -> Attestation {
        let page = Link::new("page", Sha1::from_bytes([1; 20]), "web", Digest::of(b"page"));
        let told = |check: &str, link: Option<&str>, ok| Told {
            host: "web1".into(),
            link: link.map(str::to_owned),
            check: check.into(),
            ok,
            layer: false,
            seconds: 0.25,
        };
        Attestation {
            sha256: Digest::of(b""),
            platform: "x86_64-linux".into(),
            triple: "x86_64-unknown-linux-musl".into(),
            source: Sha1::from_bytes([2; 20]),
            tip: Some(page.sha1),
            chain: Chain::new(vec![page]).unwrap(),
            runner: None,
            image: "debian12".into(),
            wildebeest: "0.1.0".into(),
            time: 1_000_000_000,
            no_roll: None,
            results: vec![
                told("run", Some("page"), true),
                told("rerun", Some("page"), false),
                told("roll", None, true),
            ],
        }
    }

    #[test]
    fn it_is_read_back() {
        let check = |made: &Attestation| {
            assert_eq!(serde_json::from_str::<Attestation>(&made.encode()).unwrap(), *made);
        };
        check(&attestation());
        let runner = Runner { sha256: Digest::of(b""), commit: Sha1::ZERO, reference: "refs/runner".into() };
        check(&Attestation { runner: Some(runner), results: Vec::new(), ..attestation() });
    }

    #[test]
    fn only_what_passed_is_a_check() {
        let check = |results: &[Told], expect: &str| {
            let attestation = Attestation { results: results.to_vec(), ..attestation() };
            let found = Found { commit: Sha1::ZERO, attestation, signer: None, is_own: true };
            assert!(found.to_string().contains(expect), "{found}");
        };
        let all = attestation().results;
        check(&all, ", 2 checks, ");
        check(&all[..2], ", 1 check, ");
        check(&all[1..2], ", 0 checks, ");
    }

    #[test]
    fn it_says_who_attests_what() {
        let check = |signer: Option<&str>, is_own, expect: &str, counts| {
            let signer = signer.map(str::to_owned);
            let found = Found { commit: Sha1::ZERO, attestation: attestation(), signer, is_own };
            let said = "the runner e3b0c44 was tested at 2001-09-09T01:46:40Z, 2 checks, attested by ";
            assert_eq!((found.to_string(), found.counts()), (format!("{said}{expect}"), counts));
        };
        check(Some("ci@example.org"), false, "ci@example.org", true);
        check(Some("ana@example.org"), true, "ana@example.org", true);
        check(None, true, "this machine", true);
        check(None, false, "nobody who counts", false);
    }

    #[test]
    fn that_no_herd_rolled_is_said() {
        let attestation = Attestation { no_roll: Some("the balancer is hardware".into()), ..attestation() };
        assert_eq!(serde_json::from_str::<Attestation>(&attestation.encode()).unwrap(), attestation);
        let found = Found { commit: Sha1::ZERO, attestation, signer: None, is_own: true }.to_string();
        assert!(found.ends_with("attested by this machine; no herd rolled: the balancer is hardware"), "{found}");
    }
}
