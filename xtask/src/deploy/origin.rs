//! Where the runner of a deploy comes from: it is built here, or given, or it is the one that was built and tested elsewhere.

use std::path::PathBuf;

use wb_core::chain::{Chain, Sha1};
use wb_core::runner::platform;

use super::DeployError;
use super::carried::Carried;
use super::fetched::Fetched;
use super::plan::Refusal;
use crate::attestation::{self, AttestationError, Found};
use crate::build;
use crate::fleet::Fleet;
use crate::git::WorkTree;
use crate::operator::Operator;
use crate::shell::Shell;

/// Where it comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Origin {
    /// It is built, of what is committed.
    #[default]
    Build,
    /// It lies in this file, and is taken as it is.
    Given(PathBuf),
    /// It lies on the remote: the newest one with this chain that was tested, as somebody signed whose word counts. Nothing
    /// is built, and no compiler is needed.
    Ci,
}

/// A runner that was had from there.
pub(super) struct Had {
    /// Where it lies.
    pub(super) path: PathBuf,
    /// The commit that it was built from.
    pub(super) source: Sha1,
    /// What is known of its test already.
    found: Option<Found>,
    /// Its file, where it goes with this value.
    _fetched: Option<Fetched>,
}

impl Origin {
    /// Gets the runner of a fleet with this chain, of whose repository this commit is checked out.
    pub(super) fn get(
        &self,
        fleet: &Fleet,
        operator: &Operator,
        (chain, head): (&Chain, Sha1),
        shell: &Shell,
    ) -> Result<Had, DeployError> {
        let here = |path| Had { path, source: head, found: None, _fetched: None };
        match self {
            Self::Build => {
                let built = build::runner(fleet, shell)?;
                refuse_moved(&fleet.work_tree()?, head)?;
                Ok(here(built.path))
            }
            Self::Given(path) => Ok(here(path.clone())),
            Self::Ci => tested(operator, chain, head, shell),
        }
    }
}

impl Had {
    /// What is attested of it, whether that counts or not.
    pub(super) fn attested(&self, operator: &Operator, carried: &Carried) -> Result<Option<Found>, AttestationError> {
        match &self.found {
            Some(found) => Ok(Some(found.clone())),
            None => attestation::of(operator, &carried.says.platform, carried.sha256),
        }
    }
}

/// Refuses where the sources are not those of this commit any more: what was edited or committed while the runner was built
/// may be in it.
fn refuse_moved(tree: &WorkTree, head: Sha1) -> Result<(), DeployError> {
    let (files, now) = (tree.dirty()?, tree.head()?);
    let dirty = (!files.is_empty()).then_some(Refusal::Dirty { files });
    match dirty.or_else(|| (now != head).then_some(Refusal::Moved { from: head, to: now })) {
        Some(refusal) => Err(DeployError::Refused(vec![refusal])),
        None => Ok(()),
    }
}

/// The runner that was tested elsewhere. One that was built from the very commit that is checked out goes before newer ones.
fn tested(operator: &Operator, chain: &Chain, head: Sha1, shell: &Shell) -> Result<Had, DeployError> {
    let _progress = shell.begin(format!("asking {} for a tested runner", operator.registry().url()));
    let all = attestation::newest_for(operator, &platform(), chain)?;
    let (signed, strange): (Vec<Found>, Vec<Found>) = all.into_iter().partition(|found| found.signer.is_some());
    let best = signed.into_iter().max_by_key(|found| (found.attestation.source == head, found.attestation.time));
    let none = || DeployError::NoneFromCi {
        platform: platform(),
        tip: chain.tip().cloned().map(Box::new),
        strangers: strange.len(),
    };
    let found = best.ok_or_else(none)?;
    let source = found.attestation.source;
    if source != head {
        let (source, head, what) = (source.short(), head.short(), "of what differs only herd.toml is deployed");
        shell.note(format_args!("the runner is of the commit {source}, and {head} is checked out: {what}"));
    }
    let fetched = Fetched::put(&attestation::runner(operator, &found.attestation)?, operator.place())?;
    Ok(Had { path: fetched.path().to_owned(), source, found: Some(found), _fetched: Some(fetched) })
}
