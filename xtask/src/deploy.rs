//! Telling the herd what to do: from a clean commit to one more signed change.

pub mod aim;
mod carried;
pub mod difference;
mod fetched;
mod origin;
pub mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use wb_core::chain::{Chain, ChainError, Link, Mistake, Sha1};
use wb_core::change::{Manifest, RolePolicy};
use wb_core::context::MaxOut;
use wb_core::herd::Herd;
use wb_core::plan::has_baked;
use wb_core::registry::{ObjectError, Resolved, SigningKey, VerifiedChange, resolve_strictly};
use wb_core::report::served;
use wb_core::system::clock::{Clock as _, Real};
use wb_core::system::{CommandError, FileError, files};

use crate::attestation::{self, AttestationError, Found};
use crate::build::BuildError;
use crate::canary::{self, Stop};
use crate::fleet::{Fleet, FleetError};
use crate::git::GitError;
use crate::hold::{self, Held};
use crate::known::Known;
use crate::operator::{Appended, Operator, OperatorError};
use crate::settings::{self, SettingsError};
use crate::shell::Shell;
use crate::signing_key::{self, KeyError};
use crate::tell::{Meanwhile, traces};

use aim::Aim;
use carried::Carried;
use difference::Difference;
use origin::Had;
use plan::{Proposal, Refusal, Stuck};

pub use origin::Origin;

/// What an operator says about a deploy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// In a line, what and why; else the name of the newest link.
    pub message: Option<String>,
    /// The key to sign with; else the one that is found.
    pub key: Option<PathBuf>,
    /// The hosts that leave the herd.
    pub remove: BTreeSet<String>,
    /// How far to go, and who goes first.
    pub aim: Aim,
    /// Whether to stop before anything is told.
    pub dry_run: bool,
    /// Where the runner comes from.
    pub runner: Origin,
    /// Whether the runner may be one that no test attests; else it is refused. The change says so then.
    pub untested: bool,
}

/// What came of a deploy.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployed {
    /// What is told, or would be.
    pub difference: Difference,
    /// The hosts that failed at a link that is as it was, and stay failed.
    pub stuck: Vec<Stuck>,
    /// Where canaries will stop.
    pub stops: Vec<Stop>,
    /// The canaries that have nothing to run.
    pub idle: Vec<String>,
    /// Who is held, and so begins nothing of it.
    pub held: Vec<Held>,
    /// Who attests that the runner was tested, if anybody does whose word counts.
    pub tested: Option<Found>,
    /// Why nobody could sign it, where it was only asked what would be told.
    pub keyless: Option<KeyError>,
    /// How it ended.
    pub end: End,
}

/// How a deploy ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// The herd is told, by this change.
    Told(Box<VerifiedChange>),
    /// The herd knew all of it, since the change of this number.
    KnownSince(u64),
    /// It was only asked what would be told.
    DryRun,
    /// Somebody else told the herd something first, perhaps this change. Nothing was changed.
    Overtaken(Option<Meanwhile>),
}

/// Why nothing was deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// It is refused, for these reasons.
    #[error("the deploy is refused")]
    Refused(Vec<Refusal>),
    /// The chain has mistakes.
    #[error("the chain has mistakes")]
    Mistakes(Vec<Mistake>),
    /// The links are no chain.
    #[error("the migrations are no chain")]
    Chain {
        /// Why.
        source: ChainError,
    },
    /// What was built is another fleet's runner, or an older one.
    #[error("the runner that was built has another chain than this fleet, up to {}: do two fleets share a target directory?", ended(tip.as_deref()))]
    RunnerDiffers {
        /// The last link of its chain.
        tip: Option<Box<Link>>,
    },
    /// The fleet can't be read.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The remote, the log or the key.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// There is no key to sign with.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There is no runner.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A file can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The runner does not start.
    #[error("the runner that was built does not say which chain it has")]
    RunnerFails {
        /// Why.
        source: CommandError,
    },
    /// The runner says something that is no chain.
    #[error("the runner that was built says something else than its chain")]
    RunnerSays {
        /// What does not parse.
        source: serde_json::Error,
    },
    /// The runner does not check the settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// What is attested of runners can't be told.
    #[error(transparent)]
    Attestation(#[from] AttestationError),
    /// None was tested elsewhere, as far as anybody's word counts.
    #[error("no tested runner for {platform} is on the remote with the chain up to {}{}", ended(tip.as_deref()), strange(*strangers))]
    NoneFromCi {
        /// What it would have to run on.
        platform: String,
        /// The last link of the chain.
        tip: Option<Box<Link>>,
        /// How many were attested by nobody whose word counts.
        strangers: usize,
    },
    /// The runner can't be put into the local repository.
    #[error("could not store the runner")]
    Store {
        /// Why.
        source: ObjectError,
    },
}

/// Gets the runner of `fleet` and tells the herd: one change, signed, appended only if no other came first.
///
/// # Errors
/// When it is refused, and when something on the way fails. The herd is told nothing then.
pub fn deploy(fleet: &Fleet, request: &Request, shell: &Shell) -> Result<Deployed, DeployError> {
    let source = Source::read(fleet)?;
    let operator = Operator::of(fleet)?;
    let key = signer(&operator, request)?;
    let known = ask(&operator, shell)?;
    let before = known.newest.as_ref().map(|change| &change.manifest);
    let proposal = |chain, roles| source.proposal(chain, roles, request, &known);
    // Refusing costs a moment, building minutes: the whole plan is made with what the source says first.
    plan::plan(before, &proposal(&source.chain, &source.roles)).map_err(DeployError::Refused)?;
    let runner = request.runner.get(fleet, &operator, (&source.chain, source.commit), shell)?;
    let built = source.carried_by(&runner)?;
    let found = runner.attested(&operator, &built)?;
    let refusal = Refusal::Untested { sha256: built.sha256, strange: found.is_some() };
    let tested = found.filter(Found::counts);
    refuse_unfit(&runner, fleet, (tested.is_none() && !request.untested).then_some(refusal))?;
    let untested = tested.is_none() || keeps_untested(&operator, before, &built)?;
    let proposal = Proposal { source: runner.source, untested, ..proposal(&built.says.chain, &built.says.roles) };
    let (mut manifest, difference) = plan::plan(before, &proposal).map_err(DeployError::Refused)?;
    manifest.served = served(&manifest, &known.reports);
    let (stuck, stops) = (plan::stuck(&manifest, &known.reports), canary::stops(&manifest, &known.reports));
    let same = before.filter(|before| difference.is_empty() && built.is_in(before));
    let lost = same.map_or(Ok(false), |before| built.is_lost(&operator, before))?;
    let (idle, held) = (canary::idle(&manifest, &known.reports), hold::held(&manifest));
    let end = match (same.filter(|_| !lost), key) {
        (Some(before), _) => End::KnownSince(before.number),
        (None, None) => End::DryRun,
        (None, Some(key)) => {
            sign_off(&mut manifest, &operator, request.message.as_deref());
            tell(&operator, known.newest.as_ref(), manifest, &built, lost, &key)?
        }
    };
    let keyless = keyless(&end, &operator, request);
    Ok(Deployed { difference, stuck, stops, idle, held, tested, keyless, end })
}

/// What the fleet says, all of it committed.
struct Source {
    commit: Sha1,
    chain: Chain,
    amended: BTreeSet<Sha1>,
    roles: BTreeMap<String, RolePolicy>,
    herd: Herd,
    herd_text: String,
}

impl Source {
    fn read(fleet: &Fleet) -> Result<Self, DeployError> {
        let resolved = resolve_strictly(&fleet.crate_dir)?;
        if !resolved.mistakes.is_empty() {
            return Err(DeployError::Mistakes(resolved.mistakes));
        }
        let tree = fleet.work_tree()?;
        refuse_unclean(&resolved, tree.dirty()?)?;
        // How a role takes turns is code, and only the runner knows it.
        let unknown = RolePolicy::new(MaxOut::Hosts(1));
        let roles = resolved.written.roles.unwrap_or_default();
        let amended = resolved.lock.pins.iter().filter(|pin| pin.amended.is_some()).map(|pin| pin.sha1);
        Ok(Self {
            commit: tree.head()?,
            amended: amended.collect(),
            chain: Chain::new(resolved.links).map_err(|source| DeployError::Chain { source })?,
            roles: roles.into_iter().map(|role| (role, unknown.clone())).collect(),
            herd: fleet.herd()?,
            herd_text: files::read_text(fleet.herd_path())?,
        })
    }

    /// What the runner says, which must be of this very chain.
    fn carried_by(&self, runner: &Had) -> Result<Carried, DeployError> {
        let built = Carried::read(&runner.path)?;
        match built.says.chain == self.chain {
            true => Ok(built),
            false => Err(DeployError::RunnerDiffers { tip: built.says.chain.tip().cloned().map(Box::new) }),
        }
    }

    fn proposal<'a>(
        &'a self,
        chain: &'a Chain,
        roles: &'a BTreeMap<String, RolePolicy>,
        request: &'a Request,
        known: &Known,
    ) -> Proposal<'a> {
        let Self { commit, amended, herd, herd_text, .. } = self;
        let Request { remove, aim, .. } = request;
        let canary = known.manifest.canary.as_ref();
        let has_baked = canary.is_some_and(|canary| has_baked(&known.manifest, canary, &known.reports, known.now));
        let (source, untested) = (*commit, false);
        Proposal { source, untested, chain, roles, herd, herd_text, remove, amended, aim, has_baked }
    }
}

fn refuse_unclean(resolved: &Resolved, dirty: Vec<String>) -> Result<(), DeployError> {
    let draft = resolved.links.last().filter(|link| link.is_draft());
    let draft = draft.map(|link| Refusal::Draft { link: Box::new(link.clone()) });
    let dirty = Some(dirty).filter(|files| !files.is_empty()).map(|files| Refusal::Dirty { files });
    let refusals: Vec<Refusal> = draft.into_iter().chain(dirty).collect();
    if refusals.is_empty() { Ok(()) } else { Err(DeployError::Refused(refusals)) }
}

/// Refuses a runner that is `untested`, and one whose code can't read the settings of the hosts.
fn refuse_unfit(runner: &Had, fleet: &Fleet, untested: Option<Refusal>) -> Result<(), DeployError> {
    let unfit = settings::unfit(&runner.path, &fleet.herd_path())?.into_iter().map(Refusal::Unfit);
    let refusals: Vec<Refusal> = untested.into_iter().chain(unfit).collect();
    if refusals.is_empty() { Ok(()) } else { Err(DeployError::Refused(refusals)) }
}

/// Whether a runner of another platform stays beside the one that was built, as it does with the same chain, and no test
/// attests it: then the herd still has one that nobody tested.
fn keeps_untested(operator: &Operator, before: Option<&Manifest>, built: &Carried) -> Result<bool, AttestationError> {
    let Some(before) = before.filter(|before| before.untested && before.chain == built.says.chain) else {
        return Ok(false);
    };
    for (platform, runner) in before.runners.iter().filter(|(platform, _)| **platform != built.says.platform) {
        let found = attestation::of(operator, platform, runner.sha256)?;
        if !found.is_some_and(|found| found.counts()) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn ask(operator: &Operator, shell: &Shell) -> Result<Known, OperatorError> {
    let _progress = shell.begin(format!("asking {}", operator.registry().url()));
    Known::ask(operator, shell)
}

/// A dry run needs no key.
fn signer(operator: &Operator, request: &Request) -> Result<Option<SigningKey>, DeployError> {
    if request.dry_run {
        return Ok(None);
    }
    let key = SigningKey::new(signing_key::find(request.key.clone(), operator.tree())?);
    operator.refuse_stranger(&key)?;
    Ok(Some(key))
}

/// Why nobody could sign what was only asked for.
fn keyless(end: &End, operator: &Operator, request: &Request) -> Option<KeyError> {
    match end {
        End::DryRun => signing_key::find(request.key.clone(), operator.tree()).err(),
        _ => None,
    }
}

fn sign_off(manifest: &mut Manifest, operator: &Operator, message: Option<&str>) {
    manifest.message = message.map_or_else(|| aim::said(manifest), str::to_owned);
    manifest.author = operator.tree().identity().to_string();
    manifest.time = Real.now().as_secs();
}

fn tell(
    operator: &Operator,
    newest: Option<&VerifiedChange>,
    mut manifest: Manifest,
    built: &Carried,
    lost: bool,
    key: &SigningKey,
) -> Result<End, DeployError> {
    let mut others = newest.map_or(Ok(Vec::new()), |newest| traces(operator, &newest.manifest, &manifest))?;
    if lost || !built.is_in(&manifest) {
        let (runner, update) = built.store(operator, &manifest)?;
        let others_fit = newest.is_some_and(|newest| newest.manifest.chain == manifest.chain);
        manifest.runners = plan::runners(&manifest.runners, others_fit, &built.says.platform, runner);
        others.push(update);
    }
    match operator.append(newest, &manifest, key, others)? {
        Appended::Won(change) => Ok(End::Told(change)),
        Appended::Lost => {
            operator.fetch()?;
            Ok(End::Overtaken(Meanwhile::since(operator, newest, operator.newest()?.as_ref())))
        }
    }
}

fn strange(strangers: usize) -> String {
    match strangers {
        0 => String::new(),
        1 => "; one is attested by nobody who counts".to_owned(),
        _ => format!("; {strangers} are attested by nobody who counts"),
    }
}

fn ended(tip: Option<&Link>) -> String {
    tip.map_or_else(|| "no migration".to_owned(), ToString::to_string)
}
