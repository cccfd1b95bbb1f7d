//! What really happens to the machines of a herd, whatever hosts believe or claim, and the rules that it is held to.
//!
//! The simulator tells each effect to the ledger as it comes about: a link runs, a role leaves load, a record is written, a
//! report is handed to the network, a claim stands on the server. [`Ledger::next`] is all there is: from what was and what
//! happens to what is, or to the rule that was broken.

use std::collections::BTreeMap;
use std::rc::Rc;

use uuid::Uuid;
use wb_core::agent::phase::{Leg, Phase};
use wb_core::agent::{How, Record};
use wb_core::chain::{Chain, Digest, Sha1};
use wb_core::change::{HostManifest, Manifest};
use wb_core::context::MaxOut;
use wb_core::plan::settings_digest;
use wb_core::report::Report;

use super::fleet::ROLES;
use crate::torture::rule::{Rule, Violation, broken};

/// Something that happens to a machine, or to the herd.
#[derive(Debug)]
pub enum Effect<'a> {
    /// It starts anew. What had taken it out of load may be forgotten.
    Boots {
        /// Whether it is.
        forgets: bool,
    },
    /// A role's `leave` has taken it out of load.
    Leaves {
        /// The place of the role.
        role: usize,
    },
    /// A role's `leave` failed.
    StaysIn,
    /// A role's `rejoin` has put it into load.
    Rejoins {
        /// The place of the role.
        role: usize,
    },
    /// The code of a link begins.
    Begins {
        /// The place of the link.
        link: usize,
        /// Of its code.
        digest: Digest,
    },
    /// The specs of a link have passed.
    Passes {
        /// The place of the link.
        link: usize,
    },
    /// Its record changes.
    Writes {
        /// What it was.
        old: &'a Record,
        /// What it is.
        new: &'a Record,
    },
    /// It hands a report to the network.
    Pushes {
        /// What the report says.
        report: &'a Report,
        /// What its disk says.
        disk: &'a Record,
    },
    /// It asks the network.
    Asks {
        /// What its disk says.
        disk: &'a Record,
    },
    /// A claim of it stands on the server, made with this limit.
    Claims {
        /// The place of the role.
        role: usize,
        /// Of the claim.
        nonce: Uuid,
        /// How many may be out.
        limit: usize,
    },
    /// A runner is started on it.
    Starts {
        /// Its sha256.
        runner: Digest,
    },
    /// Its disk is put back to what it was.
    Restores {
        /// What was known of it then.
        saved: Saved,
        /// The claim that it then held.
        nonce: Option<Uuid>,
        /// Whether it is amid a leg whose claim was given back since.
        freed: bool,
    },
    /// It gets another identity.
    IsNow {
        /// Who it is.
        uuid: Uuid,
    },
    /// An operator says that it is the one.
    IsKept,
}

/// What a disk, and the machine around it, have done so far.
#[derive(Debug, Clone, Default)]
pub struct Saved {
    done: u32,
    passed: u32,
    /// The links that began, and whose specs have not passed since: a bit each.
    begun: u32,
    failed: BTreeMap<usize, (Digest, Digest)>,
    accepted: Option<Sha1>,
}

/// A machine, as it is.
#[derive(Debug, Clone, Default)]
struct Truth {
    uuid: Uuid,
    runner: Option<Digest>,
    /// The roles that are out of load because of us, a bit each.
    out: u32,
    /// Whether it was ever in load.
    served: bool,
    /// Whether it is out without a claim, and nobody's fault.
    freed: bool,
    /// Whether `leave` failed since the last boot.
    kept_in: bool,
    /// Whether its disk is a copy of another machine's.
    is_copy: bool,
    /// Whether the hardware looks the same too: then it passes for a machine that was restored, once.
    is_twin: bool,
    nonce: Option<Uuid>,
    saved: Saved,
}

/// What is true of all machines.
#[derive(Debug)]
pub struct Ledger {
    chain: &'static Chain,
    machines: Vec<Truth>,
    changes: Vec<(Sha1, Rc<Manifest>)>,
    limits: BTreeMap<(usize, Uuid), usize>,
    actors: BTreeMap<Uuid, usize>,
}

type Judged = Result<(), Violation>;

impl Ledger {
    /// Nothing has happened to hosts of this chain.
    #[must_use]
    pub fn new(chain: &'static Chain) -> Self {
        Self { chain, machines: Vec::new(), changes: Vec::new(), limits: BTreeMap::new(), actors: BTreeMap::new() }
    }

    /// There is one more machine, which may be in load, and have a record.
    pub fn appears(&mut self, uuid: Uuid, record: &Record, in_load: bool) {
        let done = self.done(record);
        let saved = Saved { done, passed: done, accepted: record.accepted, ..Saved::default() };
        self.machines.push(Truth { uuid, served: in_load, saved, ..Truth::default() });
    }

    /// There is one more machine, with a copy of another one's disk.
    pub fn is_copied(&mut self, saved: Saved, uuid: Uuid, is_twin: bool) {
        self.machines.push(Truth { uuid, is_copy: true, is_twin, saved, ..Truth::default() });
    }

    /// An operator has told the herd something.
    pub fn tells(&mut self, commit: Sha1, manifest: Rc<Manifest>) {
        self.changes.push((commit, manifest));
    }

    /// The newest change that an operator made.
    #[must_use]
    pub fn newest(&self) -> Option<(Sha1, Rc<Manifest>)> {
        self.changes.last().cloned()
    }

    /// What to keep with a copy of a disk.
    #[must_use]
    pub fn save(&self, machine: usize) -> Saved {
        self.machines[machine].saved.clone()
    }

    /// The roles that are out of load because of us.
    #[must_use]
    pub fn out(&self, machine: usize) -> Vec<&'static str> {
        (0..)
            .zip(ROLES)
            .filter(|(role, _)| self.machines[machine].out & (1 << role) != 0)
            .map(|(_, name)| name)
            .collect()
    }

    /// Whether it was ever in load.
    #[must_use]
    pub fn has_served(&self, machine: usize) -> bool {
        self.machines[machine].served
    }

    /// Whether a machine has really done a link.
    #[must_use]
    pub fn has_done(&self, machine: usize, link: usize) -> bool {
        self.machines[machine].saved.done & (1 << link) != 0
    }

    /// What comes of an effect on a machine.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn next(&mut self, machine: usize, effect: &Effect<'_>) -> Judged {
        let here = &mut self.machines[machine];
        match effect {
            Effect::Boots { forgets } => {
                here.kept_in = false;
                here.out &= if *forgets { 0 } else { u32::MAX };
            }
            Effect::StaysIn => here.kept_in = true,
            Effect::Claims { role, nonce, limit } => {
                here.freed = false;
                self.limits.insert((*role, *nonce), *limit);
            }
            Effect::Starts { runner } => here.runner = Some(*runner),
            Effect::Restores { saved, nonce, freed } => {
                (here.saved, here.nonce, here.freed) = (saved.clone(), *nonce, *freed);
            }
            Effect::IsNow { uuid } => {
                *here = Truth { uuid: *uuid, runner: here.runner, saved: here.saved.clone(), ..Truth::default() };
            }
            Effect::IsKept => {
                (here.is_copy, here.is_twin) = (false, false);
                self.actors.insert(here.uuid, machine);
            }
            Effect::Leaves { role } => return self.leaves(machine, *role),
            Effect::Rejoins { role } => return self.rejoins(machine, *role),
            Effect::Begins { link, digest } => return self.begins(machine, *link, *digest),
            Effect::Passes { link } => {
                here.saved.passed |= 1 << link;
                here.saved.begun &= !(1 << link);
            }
            Effect::Writes { old, new } => return self.writes(machine, old, new),
            Effect::Pushes { report, disk } => return self.pushes(report, disk),
            Effect::Asks { disk } => return self.is_out_amid_leg(machine, disk),
        }
        Ok(())
    }

    fn leaves(&mut self, machine: usize, role: usize) -> Judged {
        self.runs_code_of_a_change(machine)?;
        self.machines[machine].out |= 1 << role;
        let out: Vec<usize> = (0..self.machines.len()).filter(|other| self.counts(*other, role)).collect();
        let limit = out.iter().map(|other| self.limit(*other, role)).max().unwrap_or(1);
        match out.contains(&machine) && out.len() > limit {
            true => Err(broken(
                Rule::Invariant(3),
                format!("{} hosts of {} are out, and {limit} may be", out.len(), ROLES[role]),
            )),
            false => Ok(()),
        }
    }

    /// Whether it is a host of this role in service that is out of load because of us.
    fn counts(&self, machine: usize, role: usize) -> bool {
        let here = &self.machines[machine];
        let manifest = self.changes.last().map(|(_, manifest)| manifest);
        let host = manifest.and_then(|manifest| manifest.host_of(here.uuid));
        let is_released = here.nonce.zip(manifest).is_some_and(|(nonce, manifest)| manifest.is_released(nonce));
        let has_role = host.is_some_and(|(_, host)| host.roles.contains(ROLES[role]));
        here.out & (1 << role) != 0 && here.served && !here.freed && !here.is_copy && has_role && !is_released
    }

    fn limit(&self, machine: usize, role: usize) -> usize {
        let claimed = self.machines[machine].nonce.and_then(|nonce| self.limits.get(&(role, nonce)));
        claimed.copied().or_else(|| Some(self.may_leave(role, &self.changes.last()?.1))).unwrap_or(1)
    }

    /// How many hosts of a role may be out at once by what a change says: a share is one of those that were ever in load,
    /// whatever hosts report.
    #[must_use]
    pub fn may_leave(&self, role: usize, manifest: &Manifest) -> usize {
        let has_served = |uuid: Uuid| self.machines.iter().any(|machine| machine.uuid == uuid && machine.served);
        let hosts = manifest.hosts.values().filter(|host| host.roles.contains(ROLES[role]));
        let serving = hosts.filter(|host| host.identity.as_ref().is_some_and(|identity| has_served(identity.uuid)));
        let max_out = manifest.roles.get(ROLES[role]).map_or(MaxOut::Hosts(1), |policy| policy.max_out);
        max_out.of(serving.count())
    }

    fn rejoins(&mut self, machine: usize, role: usize) -> Judged {
        self.runs_code_of_a_change(machine)?;
        let here = &mut self.machines[machine];
        here.out &= !(1 << role);
        here.freed = false;
        here.served = true;
        match self.unended(machine).next() {
            Some(link) => {
                Err(broken(Rule::Invariant(6), format!("it rejoins after {}, which did not end", self.name(link))))
            }
            None => Ok(()),
        }
    }

    fn begins(&mut self, machine: usize, link: usize, digest: Digest) -> Judged {
        self.runs_code_of_a_change(machine)?;
        let here = &self.machines[machine];
        let Saved { done, failed, .. } = &here.saved;
        if done & (1 << link) != 0 {
            return Err(broken(Rule::Invariant(2), format!("{} runs again, though it is done", self.name(link))));
        }
        if let Some(before) = self.unended(machine).find(|before| *before < link) {
            let what = format!("{} runs after {}, which did not end", self.name(link), self.name(before));
            return Err(broken(Rule::Invariant(6), what));
        }
        let role = &self.chain.links()[link].role;
        let before = self.chain.links()[..link].iter().enumerate().filter(|(_, before)| before.role == *role);
        if let Some((missed, _)) = before.into_iter().find(|(place, _)| done & (1 << place) == 0) {
            let what = format!("{} runs before {}", self.name(link), self.name(missed));
            return Err(broken(Rule::Invariant(1), what));
        }
        if let Some(key) = failed.get(&link)
            && *key == (digest, self.settings(machine))
        {
            return Err(broken(
                Rule::Invariant(6),
                format!("{} is tried again, though nothing changed", self.name(link)),
            ));
        }
        self.machines[machine].saved.begun |= 1 << link;
        Ok(())
    }

    /// The links that began and did not end, of roles that the host still has, as far as it knows.
    fn unended(&self, machine: usize) -> impl Iterator<Item = usize> {
        let here = &self.machines[machine];
        let is_mine = move |link: &usize| {
            let role = self.chain.links().get(*link).map(|link| &link.role);
            self.host(machine).is_none_or(|host| role.is_some_and(|role| host.roles.contains(role)))
        };
        (0..self.chain.links().len()).filter(move |link| here.saved.begun & (1 << link) != 0).filter(is_mine)
    }

    /// The host that a machine is, by the newest change that it accepted.
    fn host(&self, machine: usize) -> Option<&HostManifest> {
        let here = &self.machines[machine];
        let accepted = self.changes.iter().find(|(commit, _)| Some(*commit) == here.saved.accepted);
        accepted.and_then(|(_, manifest)| manifest.host_of(here.uuid)).map(|(_, host)| host)
    }

    /// What the host's settings are, by the newest change that it accepted.
    fn settings(&self, machine: usize) -> Digest {
        self.host(machine).map_or(Digest::of(b""), settings_digest)
    }

    fn writes(&mut self, machine: usize, old: &Record, new: &Record) -> Judged {
        if old.links.len() != new.links.len() || old.ahead != new.ahead {
            self.completes(machine, new)?;
        }
        if old.accepted != new.accepted {
            self.accepts(machine, old.accepted, new.accepted)?;
        }
        if old.phase != new.phase {
            self.moves(machine, &old.phase, &new.phase)?;
        }
        Ok(())
    }

    fn completes(&mut self, machine: usize, record: &Record) -> Judged {
        let done = self.done(record);
        let passed = self.machines[machine].saved.passed;
        let missing = |mask: u32| (0..self.chain.links().len()).find(|link| mask & (1 << link) != 0);
        if let Some(link) = missing(done & !passed) {
            return Err(broken(
                Rule::Invariant(1),
                format!("{} is done by the record, and never ran", self.name(link)),
            ));
        }
        for role in ROLES {
            let mine = self.chain.links().iter().enumerate().filter(|(_, link)| link.role == role);
            let mut gap = None;
            for (place, _) in mine {
                match (done & (1 << place) != 0, gap) {
                    (false, None) => gap = Some(place),
                    (true, Some(gap)) => {
                        let what = format!("{} is done, and {} before it is not", self.name(place), self.name(gap));
                        return Err(broken(Rule::Invariant(1), what));
                    }
                    _ => {}
                }
            }
        }
        self.machines[machine].saved.done = done;
        Ok(())
    }

    fn done(&self, record: &Record) -> u32 {
        let all = record.links.iter().chain(&record.ahead).filter(|link| link.how != How::PassedOver);
        all.filter_map(|link| self.chain.position(link.sha1)).fold(0, |done, place| done | 1 << place)
    }

    fn accepts(&mut self, machine: usize, old: Option<Sha1>, new: Option<Sha1>) -> Judged {
        let number = |commit: Option<Sha1>| self.changes.iter().position(|(known, _)| Some(*known) == commit);
        match (number(new), old.map(|old| number(Some(old)))) {
            (None, _) => return Err(broken(Rule::Invariant(5), "it accepts a change that no operator signed")),
            (Some(new), Some(Some(old))) if new < old => {
                return Err(broken(Rule::Invariant(5), "it accepts a change that does not come after the last one"));
            }
            _ => {}
        }
        self.machines[machine].saved.accepted = new;
        Ok(())
    }

    fn moves(&mut self, machine: usize, old: &Phase, new: &Phase) -> Judged {
        if let Phase::Failed { failure, .. } = new
            && let Some(link) = self.chain.position(failure.link)
        {
            let key = (failure.digest, failure.settings);
            self.machines[machine].saved.failed.insert(link, key);
        }
        self.machines[machine].nonce = new.held().map(|held| held.nonce);
        let begins = matches!(
            (old, new),
            (Phase::Claiming { .. }, Phase::Leaving { .. })
                | (Phase::InLoad, Phase::Out { leg: Leg { held: None, .. } })
        );
        if begins { self.begins_leg(machine) } else { Ok(()) }
    }

    fn begins_leg(&mut self, machine: usize) -> Judged {
        let here = &mut self.machines[machine];
        let actor = self.actors.entry(here.uuid).or_insert(machine);
        if std::mem::take(&mut here.is_twin) {
            *actor = machine;
        }
        match *actor == machine {
            true => Ok(()),
            false => Err(broken(Rule::Invariant(8), "two machines with one identity have begun a leg")),
        }
    }

    fn pushes(&self, report: &Report, disk: &Record) -> Judged {
        let place = |state: Option<Sha1>| state.and_then(|state| self.chain.position(state));
        let known = |commit: Option<Sha1>| self.changes.iter().position(|(known, _)| Some(*known) == commit);
        let more =
            |about: &str| Err(broken(Rule::Invariant(4), format!("the report says more than the disk about {about}")));
        if place(report.state) > place(disk.state()) {
            return more("the state");
        }
        if report.in_service && !disk.in_service {
            return more("being in service");
        }
        if known(report.accepted_commit) > known(disk.accepted) {
            return more("what was accepted");
        }
        if !disk.reports.nonces.contains(&report.nonce) {
            return more("which report it is");
        }
        Ok(())
    }

    /// Whoever is amid a leg is out of load when it asks the network or runs a link, after a boot too.
    fn is_out_amid_leg(&self, machine: usize, disk: &Record) -> Judged {
        let here = &self.machines[machine];
        let is_claimed = disk.phase.is_out() && !matches!(disk.phase, Phase::Leaving { .. });
        if !is_claimed || here.kept_in || here.is_copy {
            return Ok(());
        }
        let roles = disk.phase.held().map(|held| &held.roles[..]).unwrap_or_default();
        let in_load =
            |role: &&String| ROLES.iter().position(|name| name == role).is_some_and(|role| here.out & (1 << role) == 0);
        let rule = if matches!(disk.phase, Phase::Failed { .. }) { Rule::Invariant(6) } else { Rule::OutOfLoad };
        match roles.iter().find(in_load) {
            Some(role) => Err(broken(rule, format!("it goes on amid a leg, and is in load as {role}"))),
            None => Ok(()),
        }
    }

    fn runs_code_of_a_change(&self, machine: usize) -> Judged {
        let here = &self.machines[machine];
        let newest = self.changes.iter().position(|(commit, _)| Some(*commit) == here.saved.accepted);
        let accepted = &self.changes[..newest.map_or(0, |newest| newest + 1)];
        let is_named = |runner: Digest| {
            let mut named = accepted.iter().flat_map(|(_, manifest)| manifest.runners.values());
            named.any(|named| named.sha256 == runner)
        };
        match here.runner.is_some_and(is_named) {
            true => Ok(()),
            false => Err(broken(Rule::Invariant(5), "it runs a runner that no change names which it accepted")),
        }
    }

    fn name(&self, link: usize) -> &str {
        self.chain.links().get(link).map_or("?", |link| link.name.as_str())
    }
}
