//! Waiving: an operator's signed word that a link does not wait for a host, which is left out of the wait.

use wb_core::chain::{Link, Wait};
use wb_core::change::{ChangeKind, HostManifest, Manifest, Waiver};
use wb_core::plan::{lagging_for, needed};
use wb_core::report::Doing;

use crate::known::Known;
use crate::named::{self, Unknown};

/// Why nothing is waived.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WaiveError {
    /// The herd has no such host, or no such link was deployed.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// It waits for nobody.
    #[error("{link} waits for nobody")]
    NoWait {
        /// The link.
        link: Box<Link>,
    },
    /// It waits for others.
    #[error("{link} has the wait `{wait}`, and `{host}` has no role `{}`", wait.role())]
    NotAwaited {
        /// The link.
        link: Box<Link>,
        /// Its wait.
        wait: Box<Wait>,
        /// The host.
        host: String,
    },
    /// Nobody waits for a host that no machine was admitted as.
    #[error("`{host}` is not admitted, so nobody waits for it")]
    NotAdmitted {
        /// The host.
        host: String,
    },
    /// It waits for the host no longer.
    #[error("{link} does not wait for `{host}`, as change {change} says")]
    Already {
        /// The link.
        link: Box<Link>,
        /// The host.
        host: String,
        /// The change that says so.
        change: u64,
    },
    /// The wait holds.
    #[error("{link} does not wait for `{host}` any more: {}", there(at.as_deref()))]
    Holds {
        /// The link.
        link: Box<Link>,
        /// The host.
        host: String,
        /// Where the host is, where that is far enough.
        at: Option<Box<Link>>,
    },
}

/// The manifest by which the link of this name does not wait for `host`.
///
/// # Errors
/// When it does not wait for it.
pub fn waiving(known: &Known, link: &str, host: &str, why: &str) -> Result<Manifest, WaiveError> {
    let before = &known.manifest;
    let (link, entry) = (named::link(before, link)?, named::host(before, host)?);
    refuse(known, link, host, entry)?;
    let mut manifest = before.next(ChangeKind::Waive);
    manifest.message = format!("{link} does not wait for {host}: {why}");
    manifest.waived.push(Waiver { change: manifest.number, link: link.sha1, host: host.to_owned() });
    Ok(manifest)
}

fn refuse(known: &Known, link: &Link, host: &str, entry: &HostManifest) -> Result<(), WaiveError> {
    let (boxed, name) = (|| Box::new(link.clone()), || host.to_owned());
    if entry.identity.is_none() {
        return Err(WaiveError::NotAdmitted { host: name() });
    }
    let waivers = &known.manifest.waived;
    if let Some(waiver) = waivers.iter().rfind(|waiver| waiver.link == link.sha1 && waiver.host == host) {
        return Err(WaiveError::Already { link: boxed(), host: name(), change: waiver.change });
    }
    if says_so(known, link, host) {
        return Ok(());
    }
    let first = link.waits().next().ok_or_else(|| WaiveError::NoWait { link: boxed() })?;
    let waits: Vec<&Wait> = link.waits().filter(|wait| entry.roles.contains(wait.role())).collect();
    if waits.is_empty() {
        return Err(WaiveError::NotAwaited { link: boxed(), wait: Box::new(first.clone()), host: name() });
    }
    match waits.iter().any(|wait| is_awaited(known, link, wait, host)) {
        true => Ok(()),
        false => {
            let at = at(known, link, &waits, host).map(Box::new);
            Err(WaiveError::Holds { link: boxed(), host: name(), at })
        }
    }
}

/// Whether this wait of the link, be it in its attribute or in its code, does not hold because of the host.
fn is_awaited(known: &Known, link: &Link, wait: &Wait, host: &str) -> bool {
    lagging_for(&known.manifest, &known.reports, "", wait, link.sha1).iter().any(|lag| lag.host == host)
}

/// Whether a host says that it waits for this one with that link: what code computes that it waits for stands in no
/// manifest.
fn says_so(known: &Known, link: &Link, host: &str) -> bool {
    let mut reports = known.reports.values();
    reports.any(|report| match &report.doing {
        Doing::Waiting { on, key, .. } => on.iter().any(|on| on == host) && key.contains(&link.sha1.to_string()),
        _ => false,
    })
}

/// Where a host is that is at or past all that these waits of `link` want.
fn at(known: &Known, link: &Link, waits: &[&Wait], host: &str) -> Option<Link> {
    let chain = &known.manifest.chain;
    let state = known.reports.get(host)?.state?;
    let is_there = |wait: &&Wait| chain.position(state) >= needed(chain, wait, link.sha1);
    chain.get(state).filter(|_| waits.iter().all(is_there)).cloned()
}

fn there(at: Option<&Link>) -> String {
    at.map_or_else(|| "enough others are there".to_owned(), |at| format!("it is at {at}"))
}

#[cfg(test)]
mod tests {
    use wb_core::chain::Chain;
    use wb_core::plan::lagging;

    use super::*;
    use crate::known::tests::known;

    fn check(known: &Known, link: &str, host: &str, expect: Result<&str, &str>) {
        let said = waiving(known, link, host, "its disk died").map(|manifest| manifest.to_string());
        let said = said.map_err(|error| error.to_string());
        assert_eq!(said, expect.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn a_host_that_is_waited_for_is_waived() {
        let said = "12 waive: `theme` (0404040) does not wait for db1: its disk died";
        check(&known("db1@schema web1@page"), "theme", "db1", Ok(said));
        check(&known("db1@? web1@page"), "theme", "db1", Ok(said));
        let before = known("db1@schema web1@tuning");
        let after = waiving(&before, "theme", "db1", "it died").unwrap();
        assert_eq!(after.waived, [Waiver { change: 12, link: after.chain.links()[3].sha1, host: "db1".into() }]);
        assert!(lagging(&before.manifest, &before.reports, "web1", &after.chain.links()[3]).len() == 1);
        assert!(lagging(&after, &before.reports, "web1", &after.chain.links()[3]).is_empty());
        let again = Known { manifest: after, ..before };
        check(&again, "theme", "db1", Err("`theme` (0404040) does not wait for `db1`, as change 12 says"));
    }

    #[test]
    fn who_is_not_waited_for_is_refused() {
        let herd = || known("db1@tuning db2@schema web1@page web2@page");
        let there = "`theme` (0404040) does not wait for `db1` any more: it is at `tuning` (0303030)";
        check(&herd(), "theme", "db1", Err(there));
        check(&herd(), "tuning", "db1", Err("`tuning` (0303030) waits for nobody"));
        let others = "`theme` (0404040) has the wait `all(\"database\")`, and `web2` has no role `database`";
        check(&herd(), "theme", "web2", Err(others));
        check(&herd(), "teme", "db2", Err("no migration `teme` is deployed, did you mean `theme`?"));
        check(&herd(), "theme", "db7", Err("the herd has no host `db7`, did you mean `db1`?"));
        let mut expected = herd();
        expected.manifest.hosts.get_mut("db2").unwrap().identity = None;
        check(&expected, "theme", "db2", Err("`db2` is not admitted, so nobody waits for it"));
    }

    #[test]
    fn a_wait_that_holds_without_a_host_needs_no_waiver() {
        let mut herd = known("db1@tuning db2@schema web1@page");
        let mut links = herd.manifest.chain.links().to_vec();
        links[3].wait = Some("any(\"database\")".parse().unwrap());
        herd.manifest.chain = Chain::new(links).unwrap();
        let others = "`theme` (0404040) does not wait for `db2` any more: enough others are there";
        check(&herd, "theme", "db2", Err(others));
    }

    #[test]
    fn what_code_waits_for_in_full_is_waived_before_anybody_waits() {
        let mut herd = known("db1@schema db2@tuning web1@page");
        let mut links = herd.manifest.chain.links().to_vec();
        links[3].inside = links[3].wait.take().into_iter().collect();
        herd.manifest.chain = Chain::new(links).unwrap();
        check(&herd, "theme", "db1", Ok("12 waive: `theme` (0404040) does not wait for db1: its disk died"));
        let there = "`theme` (0404040) does not wait for `db2` any more: it is at `tuning` (0303030)";
        check(&herd, "theme", "db2", Err(there));
        let others = "`theme` (0404040) has the wait `all(\"database\")`, and `web1` has no role `database`";
        check(&herd, "theme", "web1", Err(others));
    }

    #[test]
    fn a_host_that_a_link_waits_for_twice_is_waived_until_it_is_past_both() {
        let check_at = |at: &str, expect: Result<&str, &str>| {
            let mut herd = known(&format!("db1@{at} web1@page"));
            let mut links = herd.manifest.chain.links().to_vec();
            links[3].inside = vec!["all(\"database\", reached(\"schema\"))".parse().unwrap()];
            herd.manifest.chain = Chain::new(links).unwrap();
            check(&herd, "theme", "db1", expect);
        };
        check_at("schema", Ok("12 waive: `theme` (0404040) does not wait for db1: its disk died"));
        check_at("tuning", Err("`theme` (0404040) does not wait for `db1` any more: it is at `tuning` (0303030)"));
    }

    #[test]
    fn what_only_a_host_says_that_it_waits_for_is_waived_too() {
        let mut herd = known("db1@schema web1@page");
        let key = format!("code {}", herd.manifest.chain.links()[1].sha1);
        herd.reports.get_mut("web1").unwrap().doing =
            Doing::Waiting { why: "for the data".into(), on: vec!["db1".into()], key, overdue: false };
        check(&herd, "page", "db1", Ok("12 waive: `page` (0202020) does not wait for db1: its disk died"));
    }
}
