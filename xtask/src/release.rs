//! Freeing by force the places that a host holds in pools: an operator's signed word that it is gone, or that the role can
//! do without it. The host may be out of load all the same.

use std::collections::BTreeSet;

use wb_core::change::{ChangeKind, Manifest, Release};
use wb_core::pool::Claim;
use wb_core::report::{Report, Standing, serving};

use crate::calendar::{ago, span};
use crate::known::Known;
use crate::named::{self, Unknown};
use crate::outlook::freed;

/// Why nothing is freed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// The herd has no such host.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// It holds no place.
    #[error("`{host}` holds no place in any pool{}", freed.map(|change| format!(" that counts: change {change} freed it")).unwrap_or_default())]
    HoldsNone {
        /// The host.
        host: String,
        /// The change that freed its place before.
        freed: Option<u64>,
    },
    /// It may be alive, and out of load.
    #[error("`{host}` reported {reported}, so it may be alive and out of load; it says: {says}")]
    MayBeAlive {
        /// The host.
        host: String,
        /// When, as `40s ago`, or by what clock.
        reported: String,
        /// What it says it does.
        says: String,
    },
}

/// The manifest by which the claims of `host` count for nothing. `force`: even if it may be alive.
///
/// # Errors
/// When there is no such host, it holds no place, or it may be alive.
pub fn releasing(known: &Known, host: &str, why: &str, force: bool) -> Result<Manifest, ReleaseError> {
    named::host(&known.manifest, host)?;
    let claims = claims(known, host);
    let nonces: BTreeSet<_> = claims.iter().map(|(_, claim)| claim.nonce).collect();
    let is_new = |nonce: &_| !known.manifest.is_released(*nonce);
    if !nonces.iter().any(is_new) {
        let freed = known.manifest.released.iter().rfind(|release| nonces.contains(&release.nonce));
        return Err(ReleaseError::HoldsNone { host: host.to_owned(), freed: freed.map(|release| release.change) });
    }
    let is_late = |report: &Report| matches!(report.standing(known.now), Standing::Late { .. });
    let alive = known.reports.get(host).filter(|report| !is_late(report));
    let mut manifest = known.manifest.next(ChangeKind::Release);
    manifest.message = match alive {
        None => format!("{host}: {why}"),
        Some(report) => {
            let (reported, says) = (reported(report, known.now), report.doing.to_string());
            if !force {
                return Err(ReleaseError::MayBeAlive { host: host.to_owned(), reported, says });
            }
            format!("{host}, which reported {reported}: {why}")
        }
    };
    let change = manifest.number;
    let new = nonces.into_iter().filter(is_new).map(|nonce| Release { change, host: host.to_owned(), nonce });
    manifest.released.extend(new);
    Ok(manifest)
}

fn reported(report: &Report, now: u64) -> String {
    match report.standing(now) {
        Standing::Ahead { by } => format!("by a clock that is {} ahead of the one here", span(by)),
        Standing::Fresh | Standing::Late { .. } => ago(now, report.time),
    }
}

/// The claims of a host, each with the role whose pool has it.
fn claims<'a>(known: &'a Known, host: &str) -> Vec<(&'a str, &'a Claim)> {
    let machine = known.manifest.hosts.get(host).and_then(|host| host.identity.as_ref());
    let is_its = |claim: &&Claim| machine.is_some_and(|identity| identity.uuid == claim.uuid);
    let pools = known.pools.iter();
    pools.flat_map(|(role, pool)| pool.holders.iter().filter(is_its).map(|claim| (role.as_str(), claim))).collect()
}

/// What follows, a line each.
#[must_use]
pub fn what_follows(known: &Known, after: &Manifest) -> Vec<String> {
    let new = after.released.iter().filter(|release| !known.manifest.is_released(release.nonce));
    let hosts: BTreeSet<&str> = new.map(|release| release.host.as_str()).collect();
    let of_host = |host: &str| {
        let roles: Vec<&str> = claims(known, host).into_iter().map(|(role, _)| role).collect();
        let free = roles.iter().map(|role| {
            let out = after.limit(role, &serving(&known.reports)) + 1;
            format!("a place in the pool of {role} is free; as `{host}` may be out of load too, {out} of {role} may be out at once")
        });
        let then = format!("when `{host}` comes back it begins no further link, and rejoins if its specs pass");
        free.chain([then]).collect::<Vec<_>>()
    };
    hosts.into_iter().flat_map(of_host).chain(freed(known, after)).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use wb_core::pool::Pool;
    use wb_core::report::Doing;

    use super::*;
    use crate::known::tests::known;

    /// Two web servers, of which the first holds places since long ago, when it reported last.
    fn herd(pools: &[&str]) -> Known {
        let mut known = known("db1@theme web1@tuning web2@tuning");
        known.now = 10_000;
        let claim = Claim { host: "web1".into(), uuid: Uuid::from_u128(2), nonce: Uuid::from_u128(9), since: 0 };
        for role in pools {
            known.pools.insert((*role).to_owned(), Pool { holders: vec![claim.clone()], ..Pool::default() });
        }
        known
    }

    fn check(known: &Known, host: &str, force: bool, expect: Result<&str, &str>) -> Option<Manifest> {
        let result = releasing(known, host, "its power supply burnt", force);
        let said = result.as_ref().map(ToString::to_string).map_err(ToString::to_string);
        assert_eq!(said, expect.map(str::to_owned).map_err(str::to_owned));
        result.ok()
    }

    #[test]
    fn all_claims_of_a_host_are_freed_by_their_nonce() {
        let known = herd(&["web", "server"]);
        let after = check(&known, "web1", false, Ok("12 release: web1: its power supply burnt")).unwrap();
        let release = Release { change: 12, host: "web1".into(), nonce: Uuid::from_u128(9) };
        assert_eq!(after.released, [release]);
        let again = Known { manifest: after, ..known };
        check(&again, "web1", false, Err("`web1` holds no place in any pool that counts: change 12 freed it"));
    }

    #[test]
    fn who_holds_nothing_is_refused() {
        check(&herd(&["web"]), "web2", false, Err("`web2` holds no place in any pool"));
        check(&herd(&[]), "web1", true, Err("`web1` holds no place in any pool"));
        check(&herd(&[]), "wbe1", true, Err("the herd has no host `wbe1`, did you mean `web1`?"));
    }

    #[test]
    fn who_may_be_alive_is_freed_by_force_only() {
        let mut known = herd(&["web"]);
        let mut reported = |time, poll| {
            let report = known.reports.get_mut("web1").unwrap();
            (report.time, report.poll, report.doing) = (time, poll, Doing::Running { link: "theme".into() });
            known.clone()
        };
        let alive = "`web1` reported 40s ago, so it may be alive and out of load; it says: running `theme`";
        check(&reported(9_960, 30), "web1", false, Err(alive));
        let forced = "12 release: web1, which reported 40s ago: its power supply burnt";
        check(&reported(9_960, 30), "web1", true, Ok(forced));
        check(&reported(1_000, 30), "web1", false, Ok("12 release: web1: its power supply burnt"));
        let amid_a_leg = "`web1` reported 50m ago, so it may be alive and out of load; it says: running `theme`";
        check(&reported(7_000, 30), "web1", false, Err(amid_a_leg));
        let by_its_clock = "`web1` reported by a clock that is 2d ahead of the one here, so it may be alive and out of load; \
                            it says: running `theme`";
        check(&reported(200_000, 30), "web1", false, Err(by_its_clock));
        let forced =
            "12 release: web1, which reported by a clock that is 2d ahead of the one here: its power supply burnt";
        check(&reported(200_000, 30), "web1", true, Ok(forced));
    }

    #[test]
    fn what_follows_is_told() {
        let known = herd(&["web"]);
        let after = releasing(&known, "web1", "it burnt", false).unwrap();
        let free = "a place in the pool of web is free; as `web1` may be out of load too, 2 of web may be out at once";
        let then = "when `web1` comes back it begins no further link, and rejoins if its specs pass";
        assert_eq!(what_follows(&known, &after), [free, then, "go on: `web2`"]);
    }
}
