//! How far the herd is: made of the newest change, of what hosts report, and of the pools. What people read and what
//! programs read is made of one value.

mod hints;
mod host;
mod metrics;
mod obstacle;
mod page;
mod pools;
#[cfg(test)]
mod tests;
mod told;
pub mod watch;

use std::collections::BTreeSet;

use serde::Serialize;
use wb_core::chain::Sha1;
use wb_core::herd::{Herd, is_name};
use wb_core::plan::has_baked;

use crate::fleet::Fleet;
use crate::known::Known;
use crate::operator::{Operator, OperatorError};
use crate::shell::Shell;

use obstacle::Obstacles;

pub use host::{HostStatus, Phase};
pub use pools::{Damage, HolderStatus, PoolStatus};
pub use told::{CanaryStatus, HoldStatus, WaiverStatus};

/// The herd at one moment. All times are in seconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HerdStatus {
    /// The number of the newest change; none when the herd was told nothing yet.
    pub change: Option<u64>,
    /// The link that the herd is to reach: the one of the canaries, once these have baked.
    pub target: Option<Sha1>,
    /// That link's name.
    pub migration: Option<String>,
    /// Whether every host has heard the newest change, is well and at the target of everyone, and no canary is pending.
    pub settled: bool,
    /// The same, and whether time alone may bring it about.
    pub verdict: Verdict,
    /// The hosts, by name.
    pub hosts: Vec<HostStatus>,
    /// The pools of all roles, by role.
    pub pools: Vec<PoolStatus>,
    /// The hosts that go first, as long as the others do not follow.
    pub canary: Option<CanaryStatus>,
    /// Who is to begin nothing.
    pub holds: Vec<HoldStatus>,
    /// Whom links do not wait for.
    pub waived: Vec<WaiverStatus>,
    /// Whether a runner was deployed though no test attested it.
    pub untested: bool,
    /// The number of a change that was seen from this machine, and that the remote has lost.
    pub lost_change: Option<u64>,
    /// The names of the hosts that left the herd, the last one last.
    pub retired: Vec<String>,
    /// The machines that enrolled and wait to be admitted, by name.
    pub newcomers: BTreeSet<String>,
    /// The hosts that stand in `herd.toml` only: the herd was told nothing of them yet. By name.
    pub unannounced: BTreeSet<String>,
    /// When this was.
    pub time: u64,
    /// Where it was asked for, as git knows it.
    #[serde(skip)]
    remote: String,
    /// The target's name, where the chain goes on after it.
    #[serde(skip)]
    until: Option<String>,
}

/// Whether the herd is where it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is.
    Settled,
    /// It is not there yet, or nobody knows; time alone may bring it there.
    OnItsWay,
    /// It does not get there before somebody acts: something failed, stopped, drifted, is held, is to be promoted, or to be
    /// deployed in the first place, the remote has lost changes, or nobody can claim from a pool.
    NeedsPeople,
}

/// Asks the remote how far the herd of `fleet` is.
///
/// # Errors
/// When the remote can't be reached, or the newest change does not count.
pub fn status(fleet: &Fleet, shell: &Shell) -> Result<HerdStatus, OperatorError> {
    let (operator, herd) = (Operator::of(fleet)?, fleet.herd()?);
    let _progress = shell.begin(format!("asking {}", operator.registry().url()));
    Ok(of(&operator)?.beside(&herd))
}

/// Asks the remote how far this operator's herd is.
///
/// # Errors
/// When the remote can't be reached, or the newest change does not count.
pub fn of(operator: &Operator) -> Result<HerdStatus, OperatorError> {
    let known = Known::see(operator)?;
    let manifest = known.newest.as_ref().map(|change| &change.manifest);
    // Anybody may enrol under any name, and names stand in commands to paste.
    let newcomers = operator.registry().newcomers(manifest)?.into_iter().map(|report| report.name);
    Ok(HerdStatus::of(&known, newcomers.filter(|name| is_name(name)).collect()))
}

impl HerdStatus {
    /// The herd as it is known, and the names of the machines that enrolled.
    #[must_use]
    pub fn of(known: &Known, newcomers: BTreeSet<String>) -> Self {
        let Known { manifest, reports, now, .. } = known;
        let pending = manifest.canary.as_ref().filter(|canary| !has_baked(manifest, canary, reports, *now));
        let baked = manifest.canary.as_ref().filter(|_| pending.is_none());
        let target = baked.map(|canary| canary.target).or(manifest.target);
        let target = target.and_then(|target| manifest.chain.get(target));
        let obstacles = Obstacles::of(known);
        let hosts = manifest.hosts.keys().map(|name| HostStatus::of(name, known, &obstacles, pending));
        let hosts: Vec<HostStatus> = hosts.collect();
        let canary = pending.map(|canary| CanaryStatus::of(canary, known));
        let is_deployed = target.is_some() || canary.is_some();
        let pools = pools::all(known, &hosts);
        let is_damaged = pools.iter().any(|pool| pool.damage.is_some());
        let verdict = match known.lost.is_none() && is_deployed && !is_damaged {
            true => verdict(&hosts, canary.as_ref()),
            false => Verdict::NeedsPeople,
        };
        Self {
            change: (manifest.number > 0).then_some(manifest.number),
            target: target.map(|link| link.sha1),
            migration: target.map(|link| link.name.clone()),
            settled: verdict == Verdict::Settled,
            verdict,
            pools,
            canary,
            holds: manifest.holds.iter().map(HoldStatus::of).collect(),
            waived: manifest.waived.iter().filter_map(|waiver| WaiverStatus::of(waiver, known)).collect(),
            hosts,
            untested: manifest.untested,
            lost_change: known.lost,
            retired: manifest.retired.iter().map(|retired| retired.name.clone()).collect(),
            newcomers,
            unannounced: BTreeSet::new(),
            time: *now,
            remote: known.remote.clone(),
            until: target.filter(|target| manifest.chain.tip() != Some(target)).map(|target| target.name.clone()),
        }
    }

    /// The same, where these hosts stand in `herd.toml`.
    #[must_use]
    pub fn beside(self, herd: &Herd) -> Self {
        let told: BTreeSet<&str> = self.hosts.iter().map(|host| host.name.as_str()).collect();
        let untold = herd.hosts.keys().filter(|name| !told.contains(name.as_str()));
        let unannounced = untold.cloned().collect();
        Self { unannounced, ..self }
    }

    /// The hosts on which something failed, each with that link's name.
    pub fn failed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.hosts.iter().filter_map(|host| Some((host.name.as_str(), host.failed_at.as_deref()?)))
    }

    /// All of it in a line.
    #[must_use]
    pub fn summary(&self) -> String {
        let Some(number) = self.change else { return "the herd was told nothing yet".to_owned() };
        let Some((name, sha1)) = self.migration.as_ref().zip(self.target) else {
            return format!("change {number} has no migrations yet");
        };
        let (there, all) = (self.hosts.iter().filter(|host| host.is_where_all_are_to_be()), self.hosts.len());
        let (there, unheard) = (there.clone().count(), there.filter(|host| !host.heard).count());
        let unsettled = match self.canary {
            _ if unheard > 0 => format!(", {unheard} of them without having heard of this change yet"),
            Some(_) if there < all => String::new(),
            Some(_) if self.hosts.iter().all(HostStatus::is_well) => ", and the canaries are ahead of it".to_owned(),
            Some(_) => ", and the canaries are to go further".to_owned(),
            None => String::new(),
        };
        format!("change {number}: {there} of {all} hosts are at `{name}` ({}){unsettled}", sha1.short())
    }

    /// The status as a page of text, for a file or a pipe.
    #[must_use]
    pub fn text(&self) -> String {
        self.page(true, &crate::shell::Canvas::default())
    }
}

fn verdict(hosts: &[HostStatus], canary: Option<&CanaryStatus>) -> Verdict {
    let all_settled = hosts.iter().all(HostStatus::is_settled);
    match canary {
        None if all_settled => Verdict::Settled,
        Some(canary) if canary.needs_people() => Verdict::NeedsPeople,
        _ if hosts.iter().any(|host| host.needs_people) => Verdict::NeedsPeople,
        _ => Verdict::OnItsWay,
    }
}

/// What ends a failure: the commands, in the order in which to think of them. `deploy` is the one that brings a migration
/// that was mended to this host.
#[must_use]
pub fn ways_out(host: &str, migration: &str, deploy: &str) -> [String; 3] {
    [
        format!("mend the cause on {host}, then cargo xtask retry {host}"),
        format!("or mend the migration, then cargo xtask amend {migration} --why '…', and {deploy}"),
        format!("or do by hand what it does, then cargo xtask adopt {host} --message '…'"),
    ]
}
