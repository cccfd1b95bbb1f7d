//! What an operator knows of the herd: what it was told last, and what its hosts say.

use std::collections::BTreeMap;

use wb_core::change::Manifest;
use wb_core::pool::Pool;
use wb_core::registry::{Mirror as _, VerifiedChange};
use wb_core::report::Report;
use wb_core::system::clock::{Clock as _, Real};

use crate::operator::{Operator, OperatorError};
use crate::shell::Shell;

/// The herd at one moment. A herd that was told nothing yet has an empty manifest.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The newest change.
    pub newest: Option<VerifiedChange>,
    /// What it says.
    pub manifest: Manifest,
    /// What hosts report, by name.
    pub reports: BTreeMap<String, Report>,
    /// The pools by role.
    pub pools: BTreeMap<String, Pool>,
    /// Why the pools of roles of the herd can't be read, where something else is in their place.
    pub damaged: BTreeMap<String, String>,
    /// Where all of it was read, as git knows it.
    pub remote: String,
    /// The number of a change that was seen from this machine, and that the remote has lost.
    pub lost: Option<u64>,
    /// What time it is, in seconds since 1970, UTC.
    pub now: u64,
}

impl Known {
    /// Asks the remote.
    ///
    /// # Errors
    /// When it can't be reached, or has lost changes.
    pub fn ask(operator: &Operator, shell: &Shell) -> Result<Self, OperatorError> {
        let known = Self::see(operator)?;
        operator.refuse_rewound(known.newest.as_ref(), shell)?;
        Ok(known)
    }

    /// Asks the remote, whatever it has lost: for who tells the herd nothing.
    ///
    /// # Errors
    /// When it can't be reached, or the newest change does not count.
    pub fn see(operator: &Operator) -> Result<Self, OperatorError> {
        operator.fetch()?;
        let newest = operator.newest()?;
        let manifest = newest.as_ref().map(|change| change.manifest.clone()).unwrap_or_default();
        let reports = operator.reports(&manifest)?;
        let (pools, now) = (operator.registry().pools()?, Real.now().as_secs());
        let lost = operator.lost(newest.as_ref()).map(|change| change.manifest.number);
        let (damaged, remote) = (damaged(operator, &manifest)?, operator.registry().url().to_owned());
        Ok(Self { newest, manifest, reports, pools, damaged, remote, lost, now })
    }
}

impl Known {
    /// Asks the remote, whatever stands at the end of its log: what hosts say is judged by the newest change that counts.
    ///
    /// # Errors
    /// When it can't be reached.
    pub fn look(operator: &Operator) -> Result<Self, OperatorError> {
        match Self::see(operator) {
            Err(OperatorError::Newest { .. }) => {
                let counts = operator.newest_that_counts()?.map(|change| change.manifest);
                let reports = counts.as_ref().map(|manifest| operator.reports(manifest)).transpose()?;
                let tip = operator.tip()?.and_then(|tip| operator.logged(tip).ok()).map(|logged| logged.manifest);
                let (manifest, reports) = (counts.or(tip).unwrap_or_default(), reports.unwrap_or_default());
                Ok(Self { manifest, reports, now: Real.now().as_secs(), ..Self::default() })
            }
            seen => seen,
        }
    }
}

/// What anybody puts in the place of another pool moves nobody.
fn damaged(operator: &Operator, manifest: &Manifest) -> Result<BTreeMap<String, String>, OperatorError> {
    let mut damaged = BTreeMap::new();
    for role in manifest.roles_in_use() {
        if let Err(why) = operator.registry().pool_or_damage(role)? {
            damaged.insert(role.to_owned(), why);
        }
    }
    Ok(damaged)
}

#[cfg(test)]
pub(crate) mod tests {
    use uuid::Uuid;
    use wb_core::chain::{Chain, Digest, Link, Sha1, Wait};
    use wb_core::change::{HostManifest, Identity};
    use wb_core::plan;
    use wb_core::report::Doing;

    use super::*;
    use crate::retry::tests::report;

    /// Lets the code of `theme` wait for the databases instead of the link itself; gives that wait for db1.
    pub(crate) fn lets_code_wait(known: &mut Known) -> plan::Wait {
        let mut links = known.manifest.chain.links().to_vec();
        links[3].inside = links[3].wait.take().into_iter().collect();
        links[3].in_load = true;
        let (link, lagging) = (links[3].clone(), vec![plan::Lag { host: "db1".into(), at: None }]);
        known.manifest.chain = Chain::new(links).unwrap();
        plan::Wait::Others { link, lagging }
    }

    /// The links `schema` and `tuning` of the role database and `page` and `theme` of the role web, in turn; `theme`
    /// waits for the databases. Hosts are `web1@page`, each admitted and in service; `?` has no report.
    pub(crate) fn known(hosts: &str) -> Known {
        let link = |(n, name, role): (u8, &str, &str)| {
            Link::new(name, Sha1::from_bytes([n; 20]), role, Digest::of(name.as_bytes()))
        };
        let named = [(1, "schema", "database"), (2, "page", "web"), (3, "tuning", "database"), (4, "theme", "web")];
        let mut links = named.map(link).to_vec();
        links[3].wait = Some(Wait::all("database"));
        let chain = Chain::new(links).unwrap();
        let mut manifest = Manifest { number: 11, target: chain.tip().map(|link| link.sha1), ..Manifest::default() };
        let mut reports = BTreeMap::new();
        for (host, n) in hosts.split_whitespace().zip(1u128..) {
            let (name, at) = host.split_once('@').unwrap();
            let role = if name.starts_with("web") { "web" } else { "database" };
            let identity = Some(Identity { uuid: Uuid::from_u128(n), key: String::new() });
            let entry = HostManifest { roles: [role.to_owned()].into(), identity, ..HostManifest::default() };
            manifest.hosts.insert(name.to_owned(), entry);
            let state = chain.links().iter().find(|link| link.name == at).map(|link| link.sha1);
            if at != "?" {
                reports.insert(name.to_owned(), report(state, Doing::UpToDate));
            }
        }
        manifest.chain = chain;
        Known { manifest, reports, ..Known::default() }
    }
}
