//! What keeps a host that waits. For what it waits, the host says; for whom, the reports of the others and the pools tell:
//! in a large herd a host says that so seldom that it may be long over.

use std::collections::BTreeMap;

use wb_core::chain::Link;
use wb_core::plan::{Lag, Wait, failed_elsewhere, needed};
use wb_core::pool::{NoPlace, Pool};
use wb_core::report::{Doing, serving};

use crate::known::Known;

/// Where all hosts are, and who is out of load.
pub(super) struct Obstacles<'a> {
    known: &'a Known,
    /// The places of hosts in the chain.
    places: BTreeMap<&'a str, usize>,
    /// By role, whose claims count, and how many may be out.
    out: BTreeMap<&'a str, (Vec<String>, usize)>,
}

impl<'a> Obstacles<'a> {
    pub(super) fn of(known: &'a Known) -> Self {
        let Known { manifest, reports, pools, .. } = known;
        let places = reports.iter().filter_map(|(name, report)| {
            let place = manifest.chain.position(report.state?)?;
            Some((name.as_str(), place))
        });
        let serving = serving(reports);
        let holders = |pool: &Pool| -> Vec<String> {
            pool.counting(manifest).holders.into_iter().map(|claim| claim.host).collect()
        };
        let out = pools.iter().map(|(role, pool)| (role.as_str(), (holders(pool), manifest.limit(role, &serving))));
        Self { known, places: places.collect(), out: out.collect() }
    }

    /// What keeps this host, which says that it does that. Nothing where no other host does, or none does any more, as
    /// far as is known here: the host has not heard of that yet.
    pub(super) fn keeping(&self, name: &str, doing: &Doing) -> Option<Wait> {
        let Doing::Waiting { on, key, .. } = doing else { return None };
        let (_, what) = key.split_once(' ')?;
        let Known { manifest, reports, .. } = self.known;
        let link = || manifest.chain.get(what.parse().ok()?);
        let is_it = |wait: &Wait| wait.key() == *key;
        let pool = || self.pool(name, what, on).filter(is_it);
        let others = || self.others(link()?, on).filter(is_it);
        let failed = || failed_elsewhere(manifest, reports, name, link()?).filter(is_it);
        pool().or_else(others).or_else(failed)
    }

    /// That the pool of a role is full. Who waits for its turn to claim names nobody.
    fn pool(&self, name: &str, role: &str, on: &[String]) -> Option<Wait> {
        let (out, limit) = self.out.get(role).filter(|_| !on.is_empty())?;
        let holders: Vec<String> = out.iter().filter(|host| *host != name).cloned().collect();
        let is_full = holders.len() >= *limit;
        is_full.then(|| Wait::Pool { role: role.to_owned(), no_place: NoPlace::Full { limit: *limit, holders } })
    }

    /// Those whom the host named, as far as they are still to come to where the link wants them.
    fn others(&self, link: &Link, on: &[String]) -> Option<Wait> {
        let chain = &self.known.manifest.chain;
        let waits: Vec<(&str, Option<usize>)> =
            link.waits().map(|wait| (wait.role(), needed(chain, wait, link.sha1))).collect();
        let at = |host: &str| self.places.get(host).map(|place| chain.links()[*place].clone());
        let awaited = on.iter().filter(|host| self.is_awaited(link, &waits, host));
        let lagging: Vec<Lag> = awaited.map(|host| Lag { host: host.clone(), at: at(host) }).collect();
        (!lagging.is_empty()).then(|| Wait::Others { link: link.clone(), lagging })
    }

    /// Whether a host that was named is still awaited. For whom code computes that it waits, and where these are to be,
    /// stands in no manifest.
    fn is_awaited(&self, link: &Link, waits: &[(&str, Option<usize>)], host: &str) -> bool {
        let manifest = &self.known.manifest;
        let entry = manifest.hosts.get(host).filter(|_| !manifest.is_waived(link.sha1, host));
        let Some(roles) = entry.map(|entry| &entry.roles) else { return false };
        let place = self.places.get(host).copied();
        let mut mine = waits.iter().filter(|(role, _)| roles.contains(*role)).peekable();
        mine.peek().is_none() || mine.any(|(_, needed)| place < *needed)
    }
}
