//! What this machine and the hosts remember of the log, should the remote forget: a git server that was restored from a
//! backup has an older log, or none.

use std::collections::{BTreeMap, BTreeSet};

use wb_core::agent::RUNNER_FILE;
use wb_core::chain::{Digest, Sha1};
use wb_core::change::{Manifest, Runner};
use wb_core::registry::{LogError, Mirror as _, Pushed, RefName, RefUpdate, RegistryError, VerifiedChange};
use wb_core::report::Report;

use super::{Operator, OperatorError};
use crate::shell::Shell;

/// Who knows what was seen from here.
pub const HERE: &str = "this machine";

/// A log that somebody knows: who, and where it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recalled {
    /// Where it ends.
    pub tip: Sha1,
    /// Who knows it: hosts, in quotes, or this machine.
    pub witnesses: Vec<String>,
}

/// Who knows a log that is nowhere to be found, each with the commit where it ends.
pub type Nowhere = Vec<(String, Sha1)>;

/// A runner that the remote lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostRunner {
    /// The platform that it is for.
    pub platform: String,
    /// The runner.
    pub runner: Runner,
    /// Whether this machine has it.
    pub is_here: bool,
}

impl Operator {
    /// Refuses to go on from a log that lacks what hosts have accepted, or what was seen from here: the hosts would
    /// refuse all that follows. A host that names a change that nobody signed, or that is nowhere to be found, is only
    /// warned of: its word alone must not stop all others.
    ///
    /// # Errors
    /// When the log does not contain a change that was signed.
    pub fn refuse_rewound(&self, newest: Option<&VerifiedChange>, shell: &Shell) -> Result<(), OperatorError> {
        let lacks = |commit| newest.is_none_or(|newest| !self.contains(newest.sha1, commit));
        if let Some(seen) = self.lost(newest) {
            return Err(rewound("was seen from here before".to_owned(), &seen));
        }
        for (host, commit) in self.accepted(newest)?.into_iter().filter(|(_, commit)| lacks(*commit)) {
            match self.found(commit) {
                Some(change) => return Err(rewound(format!("`{host}` has accepted"), &change)),
                None => shell.warn(format_args!(
                    "`{host}` says that it accepted {}, and no signed change is found there: it will follow no deploy",
                    commit.short()
                )),
            }
        }
        Ok(())
    }

    /// The newest change that was seen from here, where the log that was fetched has it no longer.
    #[must_use]
    pub fn lost(&self, newest: Option<&VerifiedChange>) -> Option<VerifiedChange> {
        let seen = self.remembered()?;
        let is_there = newest.is_some_and(|newest| self.contains(newest.sha1, seen));
        self.log().read(seen).ok().filter(|_| !is_there)
    }

    /// The logs that this machine and the hosts know of, as far as a change that counts is found where they end; and the
    /// others, each with the commit that was named.
    ///
    /// # Errors
    /// When the local copy can't be read.
    pub fn recalled(&self) -> Result<(Vec<Recalled>, Nowhere), OperatorError> {
        let newest = self.tip()?.and_then(|tip| self.log().read(tip).ok());
        let told = self.accepted(newest.as_ref())?;
        // A remote that was put back knows hosts of later days as newcomers only.
        let strangers = self.registry.newcomers(newest.as_ref().map(|newest| &newest.manifest))?;
        let strangers = strangers.into_iter().filter_map(|report| Some((report.name, report.accepted_commit?)));
        let own = self.remembered().map(|seen| (HERE.to_owned(), seen));
        let named = told.into_iter().chain(strangers).map(|(host, commit)| (format!("`{host}`"), commit));
        let (mut known, mut nowhere): (BTreeMap<Sha1, BTreeSet<String>>, _) = (BTreeMap::new(), Vec::new());
        for (witness, commit) in own.into_iter().chain(named) {
            match self.found(commit) {
                Some(_) => drop(known.entry(commit).or_default().insert(witness)),
                None => nowhere.push((witness, commit)),
            }
        }
        let recalled = known.into_iter().map(|(tip, who)| Recalled { tip, witnesses: who.into_iter().collect() });
        Ok((recalled.collect(), nowhere))
    }

    /// The whole log that ends there, oldest first, as far as it counts, and why it ends before, where it does.
    #[must_use]
    pub fn verified(&self, tip: Sha1) -> (Vec<VerifiedChange>, Option<LogError>) {
        self.log().since(None, tip)
    }

    /// Whether a log that ends at `newest` has the change `older`.
    #[must_use]
    pub fn contains(&self, newest: Sha1, older: Sha1) -> bool {
        let objects = self.registry.objects();
        objects.contains(older) && objects.descends(newest, older).unwrap_or(false)
    }

    /// The runners that a change names and the remote lacks.
    ///
    /// # Errors
    /// When the remote can't be asked.
    pub fn lost_runners(&self, manifest: &Manifest) -> Result<Vec<LostRunner>, OperatorError> {
        let full = manifest.full_runners.iter().flat_map(|full| &full.runners);
        let named: BTreeMap<&str, (&String, &Runner)> =
            full.chain(&manifest.runners).map(|named| (named.1.reference.as_str(), named)).collect();
        let there = self.there(&named.keys().copied().collect::<Vec<_>>())?;
        let lost = named.into_iter().filter(|(reference, _)| !there.contains(*reference));
        let lost = lost.map(|(_, (platform, runner))| LostRunner {
            platform: platform.clone(),
            runner: runner.clone(),
            is_here: self.has(runner),
        });
        Ok(lost.collect())
    }

    fn has(&self, runner: &Runner) -> bool {
        let bytes = self.registry.file(runner.commit, RUNNER_FILE);
        bytes.is_some_and(|bytes| Digest::of(&bytes) == runner.sha256)
    }

    /// Those of these refs that the remote has. Nothing is fetched.
    fn there(&self, names: &[&str]) -> Result<BTreeSet<String>, OperatorError> {
        if names.is_empty() {
            return Ok(BTreeSet::new());
        }
        let list = self.git.network(&self.here).args(["ls-remote", "--", self.registry.url()]).args(names);
        let unreachable = |source| RegistryError::Unreachable { url: self.registry.url().to_owned(), source };
        let listed = list.read().map_err(unreachable)?;
        Ok(listed.lines().filter_map(|line| line.split_whitespace().nth(1)).map(str::to_owned).collect())
    }

    /// Lets the log end at `tip` again (with nothing: be none) where it ends at `expected` now, and puts runners back beside it; all or nothing.
    ///
    /// # Errors
    /// When the remote can't be reached or refuses.
    pub fn put_back(
        &self,
        expected: Option<Sha1>,
        tip: Option<Sha1>,
        runners: &[Runner],
    ) -> Result<Pushed, OperatorError> {
        let back = |runner: &Runner| {
            let name = runner.reference.parse().ok()?;
            Some(RefUpdate { name, expected: None, new: Some(runner.commit) })
        };
        let mut updates: Vec<RefUpdate> = runners.iter().filter_map(back).collect();
        if expected != tip {
            updates.push(RefUpdate { name: RefName::Changes, expected, new: tip });
        }
        let pushed = if updates.is_empty() { Pushed::Won } else { self.registry.push(&updates)? };
        if let Some(tip) = tip.filter(|_| pushed == Pushed::Won) {
            self.registry.keep(&self.memory(), tip)?;
        }
        Ok(pushed)
    }

    /// The newest changes that hosts say they accepted. Without a log nobody is admitted, and every report counts.
    fn accepted(&self, newest: Option<&VerifiedChange>) -> Result<Vec<(String, Sha1)>, OperatorError> {
        let reports: Vec<(String, Report)> = match newest {
            Some(newest) => self.reports(&newest.manifest)?.into_iter().collect(),
            None => self.registry.newcomers(None)?.into_iter().map(|report| (report.name.clone(), report)).collect(),
        };
        Ok(reports.into_iter().filter_map(|(host, report)| Some((host, report.accepted_commit?))).collect())
    }

    /// A change that may be here, or on the remote without a name.
    fn found(&self, commit: Sha1) -> Option<VerifiedChange> {
        if !self.registry.objects().contains(commit) {
            let fetch = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--"];
            let fetch = self.git.network(&self.here).args(fetch).arg(self.registry.url()).arg(commit.to_string());
            fetch.read().ok()?;
        }
        self.log().read(commit).ok()
    }

    /// The newest change of this remote that was ever seen from here.
    pub(super) fn remembered(&self) -> Option<Sha1> {
        self.kept(&self.memory())
    }

    /// What this machine keeps under a name, if anything.
    pub(crate) fn kept(&self, name: &str) -> Option<Sha1> {
        let name = format!("refs/kept/{name}");
        self.git.local(&self.here).args(["rev-parse", "--verify", "--quiet", &name]).read().ok()?.trim().parse().ok()
    }

    /// The name that the newest change is kept under.
    pub(super) fn memory(&self) -> String {
        format!("changes/{}", Digest::of(self.registry.url().as_bytes()))
    }
}

fn rewound(witness: String, lost: &VerifiedChange) -> OperatorError {
    OperatorError::Rewound { witness, number: lost.manifest.number, commit: lost.sha1 }
}
