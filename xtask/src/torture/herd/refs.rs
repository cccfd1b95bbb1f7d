//! Refs, and where they point: of a server, or of a mirror as it was when it looked last. Those of one kind are shared for
//! as long as none of them moves, so that a look copies nothing.

use std::collections::BTreeMap;
use std::rc::Rc;

use uuid::Uuid;
use wb_core::chain::Sha1;
use wb_core::registry::RefName;

/// Refs, and where they point.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refs {
    changes: Option<Sha1>,
    out: Rc<BTreeMap<String, Sha1>>,
    failed: Rc<BTreeMap<Uuid, Sha1>>,
    reports: Rc<BTreeMap<Uuid, Sha1>>,
    runners: Rc<BTreeMap<(String, String), Sha1>>,
    states: Rc<BTreeMap<Uuid, Sha1>>,
}

/// All refs whose names start so.
enum Start<'s> {
    Changes,
    Failure(Uuid),
    Failures,
    Report(Uuid),
    Reports,
    State(Uuid),
    States,
    /// Those of roles whose names start so.
    Out(&'s str),
    Other(&'s str),
}

impl<'s> Start<'s> {
    fn of(start: &'s str) -> Self {
        let rest = start.strip_prefix("refs/wildebeest/").unwrap_or_default();
        let known = match rest.split_once('/') {
            None if rest == "changes" => Some(Self::Changes),
            Some(("failed", "")) => Some(Self::Failures),
            Some(("failed", uuid)) => uuid.parse().map(Self::Failure).ok(),
            Some(("report", "")) => Some(Self::Reports),
            Some(("report", uuid)) => uuid.parse().map(Self::Report).ok(),
            Some(("state", "")) => Some(Self::States),
            Some(("state", uuid)) => uuid.parse().map(Self::State).ok(),
            Some(("out", role)) => Some(Self::Out(role)),
            _ => None,
        };
        known.unwrap_or(Self::Other(start))
    }
}

impl Refs {
    /// Where a ref points.
    #[must_use]
    pub fn get(&self, name: &RefName) -> Option<Sha1> {
        match name {
            RefName::Changes => self.changes,
            RefName::Failed(uuid) => self.failed.get(uuid).copied(),
            RefName::Out(role) => self.out.get(role).copied(),
            RefName::Report(uuid) => self.reports.get(uuid).copied(),
            RefName::Runner { platform, id } => self.runners.get(&(platform.clone(), id.clone())).copied(),
            RefName::State(uuid) => self.states.get(uuid).copied(),
            // No host ever asks for these.
            RefName::Tested { .. } => None,
        }
    }

    /// Points a ref somewhere, whatever it pointed to.
    pub fn point(&mut self, name: &RefName, to: Option<Sha1>) {
        match name {
            RefName::Changes => self.changes = to,
            RefName::Failed(uuid) => put(&mut self.failed, uuid, to),
            RefName::Out(role) => put(&mut self.out, role, to),
            RefName::Report(uuid) => put(&mut self.reports, uuid, to),
            RefName::Runner { platform, id } => put(&mut self.runners, &(platform.clone(), id.clone()), to),
            RefName::State(uuid) => put(&mut self.states, uuid, to),
            RefName::Tested { .. } => {}
        }
    }

    /// The refs whose names start so.
    #[must_use]
    pub fn under(&self, start: &str) -> BTreeMap<RefName, Sha1> {
        let one = |name: RefName, sha1: Option<Sha1>| sha1.map(|sha1| (name, sha1)).into_iter().collect();
        match Start::of(start) {
            Start::Changes => one(RefName::Changes, self.changes),
            Start::Failure(uuid) => one(RefName::Failed(uuid), self.failed.get(&uuid).copied()),
            Start::Failures => self.failed.iter().map(|(uuid, sha1)| (RefName::Failed(*uuid), *sha1)).collect(),
            Start::Report(uuid) => one(RefName::Report(uuid), self.reports.get(&uuid).copied()),
            Start::Reports => self.reports.iter().map(|(uuid, sha1)| (RefName::Report(*uuid), *sha1)).collect(),
            Start::State(uuid) => one(RefName::State(uuid), self.states.get(&uuid).copied()),
            Start::States => self.states.iter().map(|(uuid, sha1)| (RefName::State(*uuid), *sha1)).collect(),
            Start::Out(role) => {
                let out = self.out.iter().filter(|(name, _)| name.starts_with(role));
                out.map(|(role, sha1)| (RefName::Out(role.clone()), *sha1)).collect()
            }
            Start::Other(start) => self.all().filter(|(name, _)| name.to_string().starts_with(start)).collect(),
        }
    }

    /// The names that start so, in their order.
    #[must_use]
    pub fn named(&self, starts: &[String]) -> Vec<RefName> {
        let found = starts.iter().flat_map(|start| self.under(start));
        let named: BTreeMap<String, RefName> = found.map(|(name, _)| (name.to_string(), name)).collect();
        named.into_values().collect()
    }

    fn all(&self) -> impl Iterator<Item = (RefName, Sha1)> {
        let runner = |((platform, id), sha1): (&(String, String), &Sha1)| {
            (RefName::Runner { platform: platform.clone(), id: id.clone() }, *sha1)
        };
        let changes = self.changes.map(|sha1| (RefName::Changes, sha1));
        let others = ["failed", "report", "state", "out"].map(|kind| self.under(&format!("refs/wildebeest/{kind}/")));
        changes.into_iter().chain(others.into_iter().flatten()).chain(self.runners.iter().map(runner))
    }

    /// Whether the refs whose names start so point where the others do.
    #[must_use]
    pub fn agree(&self, others: &Self, starts: &[String]) -> bool {
        starts.iter().all(|start| match Start::of(start) {
            Start::Changes => self.changes == others.changes,
            Start::Failure(uuid) => self.failed.get(&uuid) == others.failed.get(&uuid),
            Start::Failures => are_same(&self.failed, &others.failed),
            Start::Report(uuid) => self.reports.get(&uuid) == others.reports.get(&uuid),
            Start::Reports => are_same(&self.reports, &others.reports),
            Start::State(uuid) => self.states.get(&uuid) == others.states.get(&uuid),
            Start::States => are_same(&self.states, &others.states),
            Start::Out("") => are_same(&self.out, &others.out),
            Start::Out(_) | Start::Other(_) => self.under(start) == others.under(start),
        })
    }

    /// Makes the refs whose names start so what the others are.
    pub fn take(&mut self, others: &Self, starts: &[String]) {
        for start in starts {
            match Start::of(start) {
                Start::Changes => self.changes = others.changes,
                Start::Failure(uuid) => put(&mut self.failed, &uuid, others.failed.get(&uuid).copied()),
                Start::Failures => self.failed = Rc::clone(&others.failed),
                Start::Report(uuid) => put(&mut self.reports, &uuid, others.reports.get(&uuid).copied()),
                Start::Reports => self.reports = Rc::clone(&others.reports),
                Start::State(uuid) => put(&mut self.states, &uuid, others.states.get(&uuid).copied()),
                Start::States => self.states = Rc::clone(&others.states),
                Start::Out("") => self.out = Rc::clone(&others.out),
                Start::Out(_) | Start::Other(_) => {
                    let (old, new) = (self.under(start), others.under(start));
                    old.keys().filter(|name| !new.contains_key(name)).for_each(|name| self.point(name, None));
                    new.iter().for_each(|(name, sha1)| self.point(name, Some(*sha1)));
                }
            }
        }
    }
}

fn put<K: Ord + Clone>(refs: &mut Rc<BTreeMap<K, Sha1>>, name: &K, to: Option<Sha1>) {
    match to {
        _ if refs.get(name).copied() == to => {}
        Some(to) => drop(Rc::make_mut(refs).insert(name.clone(), to)),
        None => drop(Rc::make_mut(refs).remove(name)),
    }
}

fn are_same<K: Ord>(a: &Rc<BTreeMap<K, Sha1>>, b: &Rc<BTreeMap<K, Sha1>>) -> bool {
    Rc::ptr_eq(a, b) || a == b
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARTS: [&str; 11] = [
        "refs/wildebeest/changes",
        "refs/wildebeest/report/",
        "refs/wildebeest/state/",
        "refs/wildebeest/failed/",
        "refs/wildebeest/failed/00000000-0000-0000-0000-000000000001",
        "refs/wildebeest/out/",
        "refs/wildebeest/out/web",
        "refs/wildebeest/report/00000000-0000-0000-0000-000000000001",
        "refs/wildebeest/runners/x/1",
        "refs/wildebeest/runners/",
        "refs/",
    ];

    fn names() -> Vec<RefName> {
        let hosts = (1..3).flat_map(|n| RefName::of_host(Uuid::from_u128(n)));
        let roles = ["cache", "web", "web2"].map(|role| RefName::Out(role.into()));
        let runners = ["1", "12", "2"].map(|id| RefName::Runner { platform: "x".into(), id: id.into() });
        [RefName::Changes].into_iter().chain(hosts).chain(roles).chain(runners).collect()
    }

    fn sha1(n: u8) -> Sha1 {
        Sha1::from_bytes([n; 20])
    }

    fn all() -> Refs {
        let mut refs = Refs::default();
        names().iter().zip(1..).for_each(|(name, n)| refs.point(name, Some(sha1(n))));
        refs
    }

    #[test]
    fn refs_are_found_by_how_their_names_start() {
        for start in STARTS {
            let named = names().into_iter().filter(|name| name.to_string().starts_with(start));
            let expect: Vec<RefName> = named.collect();
            let mut found: Vec<RefName> = all().under(start).into_keys().collect();
            found.sort_by_key(|name| names().iter().position(|other| other == name));
            assert_eq!(found, expect, "{start}");
        }
    }

    #[test]
    fn what_is_taken_agrees_and_nothing_else_moves() {
        for start in STARTS {
            let starts = [start.to_owned()];
            for (mut mirror, server) in [(Refs::default(), all()), (all(), Refs::default())] {
                let before = mirror.clone();
                assert!(!mirror.agree(&server, &starts), "{start}");
                mirror.take(&server, &starts);
                assert!(mirror.agree(&server, &starts), "{start}");
                for name in names() {
                    let source = if name.to_string().starts_with(start) { &server } else { &before };
                    assert_eq!(mirror.get(&name), source.get(&name), "{start} {name}");
                }
            }
        }
    }

    #[test]
    fn a_ref_that_moves_does_not_move_in_a_mirror() {
        let (mut server, mut mirror) = (all(), Refs::default());
        mirror.take(&server, &["refs/wildebeest/report/".to_owned()]);
        let name = RefName::Report(Uuid::from_u128(1));
        let old = server.get(&name);
        server.point(&name, Some(sha1(99)));
        assert_eq!((mirror.get(&name), server.get(&name)), (old, Some(sha1(99))));
    }
}
