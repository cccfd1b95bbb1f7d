//! A role's pool: who of its hosts is out of load. It is moved by compare-and-swap only, so that two hosts never
//! hold the same place; every value carries a nonce, so that no two hosts ever write the same one.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::chain::some_of;
use crate::change::Manifest;

/// All who are out, and the newest change that any of them had seen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pool {
    /// Who is out.
    pub holders: Vec<Claim>,
    /// The highest number of a change that a claimant had seen; who has not seen it may not claim.
    pub change: u64,
    /// Of this value.
    pub nonce: Uuid,
}

/// A place in a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The host's name.
    pub host: String,
    /// Which machine.
    pub uuid: Uuid,
    /// Of this claim.
    pub nonce: Uuid,
    /// Since when, in seconds since 1970, UTC.
    pub since: u64,
}

/// Why there is no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// As many as may be are out.
    #[error("{} of {limit} out already: {}", holders.len(), some_of(holders))]
    Full {
        /// How many may be out.
        limit: usize,
        /// Who is out.
        holders: Vec<String>,
    },
    /// Somebody has seen a newer change, which may say otherwise.
    #[error("change {newest} is not here yet")]
    Behind {
        /// The newest change that anybody claimed with.
        newest: u64,
    },
}

impl Pool {
    /// The pool with one more holder.
    ///
    /// A host that holds a place already (an unclear push, a restart) gets no second one: its old claim is replaced.
    ///
    /// # Errors
    /// When there is no place.
    pub fn claim(&self, claim: Claim, limit: usize, change: u64, nonce: Uuid) -> Result<Self, NoPlace> {
        if self.change > change {
            return Err(NoPlace::Behind { newest: self.change });
        }
        let mut others: Vec<Claim> = self.without(claim.uuid);
        if others.len() >= limit {
            return Err(NoPlace::Full { limit, holders: others.into_iter().map(|claim| claim.host).collect() });
        }
        others.push(claim);
        Ok(Self { holders: others, change, nonce })
    }

    /// The pool with only the claims that count: those of admitted hosts, by the names that they bear now, which no operator
    /// freed. So a host that left the herd holds nobody up.
    #[must_use]
    pub fn counting(&self, manifest: &Manifest) -> Self {
        let counts = |claim: &Claim| {
            let (name, _) = manifest.host_of(claim.uuid).filter(|_| !manifest.is_released(claim.nonce))?;
            Some(Claim { host: name.to_owned(), ..claim.clone() })
        };
        Self { holders: self.holders.iter().filter_map(counts).collect(), ..self.clone() }
    }

    /// The pool without this claim. No other is touched.
    #[must_use]
    pub fn release(&self, claim: Uuid, nonce: Uuid) -> Self {
        let others = self.holders.iter().filter(|holder| holder.nonce != claim).cloned().collect();
        Self { holders: others, change: self.change, nonce }
    }

    /// The pool with this claim, whatever the limit: its host is out, though the pool has lost that. Who has not seen the
    /// `change` that the host has seen may not claim any more, as before the loss.
    #[must_use]
    pub fn put_back(&self, claim: Claim, change: u64, nonce: Uuid) -> Self {
        let mut holders = self.without(claim.uuid);
        holders.push(claim);
        Self { holders, change: self.change.max(change), nonce }
    }

    /// Whether this very claim stands there.
    #[must_use]
    pub fn holds(&self, claim: Uuid) -> bool {
        self.holders.iter().any(|holder| holder.nonce == claim)
    }

    /// The commit message: a line for people, then all of it as JSON.
    #[must_use]
    pub fn message(&self, role: &str) -> String {
        let names: Vec<String> = self.holders.iter().map(|claim| claim.host.clone()).collect();
        let out = if names.is_empty() { "nobody".to_owned() } else { some_of(&names) };
        let subject = format!("{role}: {out} out").replace(char::is_control, " ");
        format!("{subject}\n\n{}\n", serde_json::to_string_pretty(self).unwrap_or_default())
    }

    /// Reads the body of such a message.
    ///
    /// # Errors
    /// When it is no pool.
    pub fn decode(body: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(body)
    }

    fn without(&self, uuid: Uuid) -> Vec<Claim> {
        self.holders.iter().filter(|claim| claim.uuid != uuid).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::change::{HostManifest, Identity, Release};

    fn claim(n: u128) -> Claim {
        Claim { host: format!("web{n}"), uuid: Uuid::from_u128(n), nonce: Uuid::from_u128(n + 100), since: 0 }
    }

    fn admitted(name: &str, n: u128) -> Manifest {
        let identity = Some(Identity { uuid: Uuid::from_u128(n), key: String::new() });
        let hosts = [(name.to_owned(), HostManifest { identity, ..HostManifest::default() })].into();
        Manifest { hosts, ..Manifest::default() }
    }

    fn pool(ns: &[u128]) -> Pool {
        Pool { holders: ns.iter().copied().map(claim).collect(), change: 4, nonce: Uuid::nil() }
    }

    #[test]
    fn a_claim_needs_a_place_and_the_newest_change() {
        let check = |holders: &[u128], limit, change, expect: &str| {
            let said = match pool(holders).claim(claim(9), limit, change, Uuid::nil()) {
                Ok(pool) => pool.message("web").lines().next().unwrap().to_owned(),
                Err(no) => no.to_string(),
            };
            assert_eq!(said, expect);
        };
        check(&[], 1, 4, "web: web9 out");
        check(&[1], 2, 5, "web: web1, web9 out");
        check(&[1], 1, 4, "1 of 1 out already: web1");
        check(&[1, 2], 1, 4, "2 of 1 out already: web1, web2");
        check(&[], 1, 3, "change 4 is not here yet");
        check(&[9], 1, 4, "web: web9 out");
    }

    #[test]
    fn a_release_touches_nobody_else() {
        assert_eq!(pool(&[1, 2]).release(Uuid::from_u128(101), Uuid::nil()), pool(&[2]));
        assert_eq!(pool(&[2]).release(Uuid::from_u128(101), Uuid::nil()), pool(&[2]));
    }

    #[test]
    fn what_was_lost_is_put_back_whatever_the_limit() {
        let back = pool(&[1, 2]).put_back(claim(9), 3, Uuid::nil());
        assert_eq!(back, pool(&[1, 2, 9]));
        assert_eq!(
            back.claim(claim(3), 2, 4, Uuid::nil()).unwrap_err().to_string(),
            "3 of 2 out already: web1, web2, web9"
        );
        let renewed = Claim { nonce: Uuid::from_u128(7), ..claim(1) };
        assert_eq!(pool(&[1]).put_back(renewed.clone(), 4, Uuid::nil()).holders, [renewed]);
    }

    #[test]
    fn what_was_put_back_tells_who_is_behind() {
        let back = pool(&[]).put_back(claim(1), 20, Uuid::nil());
        let check = |change, expect: &str| {
            let refused = back.claim(claim(2), 1, change, Uuid::nil()).unwrap_err();
            assert_eq!(refused.to_string(), expect);
        };
        check(15, "change 20 is not here yet");
        check(20, "1 of 1 out already: web1");
    }

    #[test]
    fn who_left_the_herd_holds_nobody_up() {
        assert_eq!(pool(&[1, 2]).counting(&admitted("web2", 2)), pool(&[2]));
        let renamed = pool(&[2]).counting(&admitted("cache2", 2));
        assert_eq!(renamed.message("web").lines().next(), Some("web: cache2 out"));
    }

    #[test]
    fn a_claim_that_an_operator_freed_counts_for_nothing() {
        let mut manifest = admitted("web2", 2);
        let release = |n| Release { change: 5, host: "web2".into(), nonce: Uuid::from_u128(n) };
        manifest.released = vec![release(101)];
        assert_eq!(pool(&[2]).counting(&manifest), pool(&[2]));
        manifest.released.push(release(102));
        assert_eq!(pool(&[2]).counting(&manifest), pool(&[]));
    }

    #[test]
    fn a_pool_is_read_back_whatever_its_holders_are_called() {
        let mut pool = pool(&[1, 2]);
        pool.holders[0].host = "web\n\n1".into();
        assert_eq!(Pool::decode(pool.message("web").split_once("\n\n").unwrap().1).unwrap(), pool);
    }

    proptest! {
        #[test]
        fn never_more_than_the_limit(limit in 1usize..5, moves in prop::collection::vec((0u128..8, any::<bool>()), 0..60)) {
            let mut pool = Pool::default();
            for (n, claims) in moves {
                match claims {
                    true => pool = pool.claim(claim(n), limit, 1, Uuid::nil()).unwrap_or(pool),
                    false => pool = pool.release(Uuid::from_u128(n + 100), Uuid::nil()),
                }
                prop_assert!(pool.holders.len() <= limit);
            }
        }
    }
}
