//! A round: how many hosts, which fleet, and what is done to them when. All of it follows from a seed.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use wb_core::chain::Digest;
use wb_core::change::{ChangeKind, HostManifest, Identity, Manifest, Runner};
use wb_core::registry::RefName;
use wb_core::runner::platform;

use super::deed::{Deed, some_roles};
use super::faults::{Blow, Faults, Spot};
use super::fleet::{Build, FLEETS, LONGEST, ROLES, length};
use super::ledger::{Effect, Ledger};
use super::server::{Object, Server};
use super::world::{Later, Loss, World};
use crate::torture::chance::Chance;

/// How long things go wrong, in milliseconds.
const STORM: u64 = 900_000;

/// A round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// What it follows from.
    pub seed: u64,
    /// How many hosts there are in the beginning.
    pub hosts: usize,
    /// What is done to them, and when, in milliseconds.
    pub deeds: Vec<(u64, Deed)>,
}

impl Round {
    /// The round of a seed.
    #[must_use]
    pub fn drawn(seed: u64, hosts: usize) -> Self {
        let mut chance = Chance(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let mut deeds = vec![(chance.below(30_000) as u64, Deed::Deploys(1 + chance.below(4), 0, false))];
        let many = 30 + chance.below(30);
        for _ in 0..many {
            let at = chance.below(usize::try_from(STORM).unwrap_or(usize::MAX)) as u64;
            deeds.push((at, deed(&mut chance)));
        }
        deeds.sort_by_key(|(at, _)| *at);
        Self { seed, hosts, deeds }
    }

    /// When nothing goes wrong any more.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.deeds.iter().map(|(at, _)| at + 60_000).max().unwrap_or(0)
    }

    /// The world in which it begins: a herd in service, at some link of its chain.
    #[must_use]
    pub fn world(&self, in_words: bool) -> World {
        let mut chance = Chance(self.seed);
        let fleet = chance.next() % FLEETS;
        let (whole, links) = (length(fleet), 1 + chance.below(length(fleet) / 2));
        let chain = Build { fleet, links: whole, amended: 0 }.catalog().chain();
        let mut world = World {
            now: 0,
            chance,
            fleet,
            chain,
            build: Build { fleet, links, amended: 0 },
            server: Server::default(),
            machines: Vec::new(),
            ledger: Ledger::new(chain),
            turns: BTreeSet::new(),
            later: BTreeMap::new(),
            numbered: 0,
            down: 0,
            read_only: 0,
            gates: [0; ROLES.len()],
            tampered: false,
            deeds: self.deeds.clone(),
            poison: Vec::new(),
            alone: None,
            calm: false,
            depth: 0,
            deadline: u64::MAX,
            events: 0,
            turned: 0,
            faults: Faults::default(),
            violation: None,
            trace: in_words.then(Vec::new),
        };
        world.settles(self.hosts);
        for (index, (at, _)) in self.deeds.iter().enumerate() {
            world.will(*at, Later::Act(index));
        }
        world
    }
}

impl World {
    /// Hosts that were there before, and the change that they follow.
    fn settles(&mut self, hosts: usize) {
        let mut counts = [0; ROLES.len()];
        for _ in 0..hosts {
            let roles = some_roles(self.chance.below(usize::MAX >> 8));
            let first = roles.first().and_then(|role| ROLES.iter().position(|name| name == role)).unwrap_or(0);
            counts[first] += 1;
            let name = format!("{}{}", ROLES[first], counts[first]);
            let record = self.veteran(&roles, self.build.links, None);
            let machine = self.appears(&name, record, true);
            self.machines[machine].wants = roles;
        }
        let first = self.first_change();
        self.tell(Some(first));
        let commit = self.server.get(&RefName::Changes);
        for machine in 0..self.machines.len() {
            let old = Rc::clone(&self.machines[machine].disk.record);
            let new = wb_core::agent::Record { accepted: commit, ..wb_core::agent::Record::clone(&old) };
            self.witness(machine, &Effect::Writes { old: &old, new: &new });
            self.machines[machine].disk.record = new.into();
            let after = self.chance.below(30_000) as u64;
            self.turn(machine, after);
        }
    }

    fn first_change(&mut self) -> Manifest {
        let catalog = self.build.catalog();
        let bytes = self.build.bytes();
        let sha256 = Digest::of(&bytes);
        let commit = self.server.add(Object::Runner(bytes));
        let name = RefName::Runner { platform: platform(), id: commit.to_string() };
        self.server.point(&name, Some(commit));
        let host = |machine: &super::world::Machine| {
            let identity = Some(Identity { uuid: machine.disk.config.uuid, key: machine.disk.key.clone() });
            (machine.name.clone(), HostManifest { roles: machine.wants.clone(), identity, ..HostManifest::default() })
        };
        Manifest {
            number: 1,
            kind: ChangeKind::Deploy,
            message: "the beginning".into(),
            chain: catalog.chain().clone(),
            target: catalog.chain().tip().map(|link| link.sha1),
            roles: catalog.policies().clone(),
            runners: [(platform(), Runner { sha256, commit, reference: name.to_string() })].into(),
            hosts: self.machines.iter().map(host).collect(),
            ..Manifest::default()
        }
    }
}

/// One more thing that is done to the herd.
fn deed(chance: &mut Chance) -> Deed {
    let which = chance.below(usize::MAX >> 8);
    let long = |chance: &mut Chance, longest: usize| 1_000 + chance.below(longest) as u64;
    match chance.below(100) {
        0..22 => Deed::Falls(which, blow(chance)),
        22..28 => Deed::Cut(which, long(chance, 240_000)),
        28..36 => Deed::Loses(which, loss(chance)),
        36..38 => Deed::Full(which, long(chance, 60_000)),
        38..42 => Deed::Boots(which, chance.one_in(2)),
        42..46 => Deed::BacksUp(which),
        46..50 => Deed::Restores(which, chance.below(8), chance.one_in(2)),
        50..53 => Deed::Clones(which, chance.one_in(3)),
        53..55 => Deed::KeepsIn(which, 1 + chance.below(3) as u32),
        55..57 => Deed::KeepsOut(which, 1 + chance.below(3) as u32),
        57..58 => Deed::ClosesGate(which, long(chance, 120_000)),
        58..62 => Deed::Poisons(chance.below(LONGEST), chance.one_in(2).then_some(which)),
        62..63 => Deed::Down(long(chance, 90_000)),
        63..64 => Deed::ReadOnly(long(chance, 90_000)),
        64..65 => Deed::Rewinds(1 + chance.below(3), long(chance, 90_000)),
        65..67 => Deed::Forges(long(chance, 60_000)),
        67..72 => Deed::Deploys(1 + chance.below(4), chance.below(3), chance.one_in(5)),
        72..74 => Deed::Promotes,
        74..75 => Deed::Holds(which),
        75..78 => Deed::Resumes,
        78..81 => Deed::Retries,
        81..83 => Deed::Adopts(!chance.one_in(4)),
        83..85 => Deed::Amends(which),
        85..87 => Deed::Releases(which),
        87..88 => Deed::Waives,
        88..91 => Deed::Joins(which),
        91..92 => Deed::Retires(which),
        92..94 => Deed::Tags(which, chance.below(100)),
        94..95 => Deed::Renames(which),
        95..96 => Deed::Replaces(which),
        _ => Deed::StandsStill(which),
    }
}

fn blow(chance: &mut Chance) -> Blow {
    let spot = Spot::ALL[chance.below(Spot::ALL.len())];
    let passes = match spot {
        Spot::BeforeWrite | Spot::AfterWrite => chance.below(12),
        Spot::Fetch | Spot::BeforePush | Spot::AfterPush => chance.below(5),
        Spot::Leave | Spot::Link | Spot::Rejoin | Spot::Install => chance.below(4),
    };
    let power = chance.one_in(3).then(|| chance.one_in(2));
    Blow { spot, passes: u32::try_from(passes).unwrap_or(0), power }
}

fn loss(chance: &mut Chance) -> Loss {
    match chance.below(3) {
        0 => Loss::Request,
        1 => Loss::Answer,
        _ => Loss::Late(1_000 + chance.below(120_000) as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_round() {
        assert_eq!(Round::drawn(7, 20), Round::drawn(7, 20));
        assert_ne!(Round::drawn(7, 20).deeds, Round::drawn(8, 20).deeds);
    }
}
