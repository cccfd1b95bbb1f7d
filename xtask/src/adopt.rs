//! Adopting: an operator's signed word that a host's next link was done there by hand. Who, when and why stand in the
//! change; the host counts the link as completed only when its specs pass.

use wb_core::chain::Link;
use wb_core::change::{Adoption, ChangeKind, HostManifest, Manifest};
use wb_core::plan::{Course, Past};
use wb_core::report::{Doing, Report};

use crate::known::Known;
use crate::named::{self, Unknown};
use crate::table::one_line;

/// What an operator says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// On which host.
    pub host: String,
    /// Which link, by its name; else the host's next one.
    pub link: Option<String>,
    /// What was done, and why.
    pub why: String,
}

/// Why nothing is adopted.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The herd has no such host, or no such link was deployed.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// Nobody knows where the host is.
    #[error("no report of `{host}` counts, so nobody knows what its next migration is")]
    Silent {
        /// The host.
        host: String,
    },
    /// The host has nothing before it.
    #[error("`{host}` has no migration before it; it says: {says}")]
    NothingNext {
        /// The host.
        host: String,
        /// What it says.
        says: String,
    },
    /// It is not the next link.
    #[error("{link} is not the next migration of `{host}`: that is {}", listed(next))]
    NotNext {
        /// The host.
        host: String,
        /// The link.
        link: Box<Link>,
        /// Those that may be.
        next: Vec<Link>,
    },
    /// Only the host knows which one is next.
    #[error("the next migration of `{host}` is {}: only the host knows", listed(next))]
    Several {
        /// The host.
        host: String,
        /// Those that may be.
        next: Vec<Link>,
    },
}

/// The manifest that says it, and changes nothing else.
///
/// # Errors
/// When the link is not the next one of the host.
pub fn adopting(known: &Known, word: &Word) -> Result<Manifest, AdoptError> {
    let link = meant(known, word)?;
    let mut manifest = known.manifest.next(ChangeKind::Adopt);
    manifest.message = format!("{}, {link}: {}", word.host, word.why);
    let adoption = Adoption { change: manifest.number, link: link.sha1 };
    manifest.hosts.entry(word.host.clone()).and_modify(|host| host.adopt = Some(adoption));
    Ok(manifest)
}

/// What comes of it on the host, in a line.
#[must_use]
pub fn what_follows(known: &Known, after: &Manifest) -> Vec<String> {
    let asked = after.hosts.iter().filter_map(|(name, host)| {
        let adoption = host.adopt.as_ref().filter(|adoption| adoption.change == after.number)?;
        Some((name, after.chain.get(adoption.link)?, known.reports.get(name)?))
    });
    let lines = asked.map(|(name, link, report)| {
        let failed = matches!(&report.doing, Doing::Failed(failure) if failure.link == link.sha1);
        let otherwise = if failed { "stays failed" } else { "runs it" };
        let says = one_line(&report.doing.to_string());
        format!("`{name}` asks the specs of {link}, if it has any, and goes on after it, or {otherwise}; it says now: {says}")
    });
    lines.collect()
}

fn meant(known: &Known, word: &Word) -> Result<Link, AdoptError> {
    let (manifest, host) = (&known.manifest, word.host.clone());
    let entry = named::host(manifest, &host)?;
    let named = word.link.as_ref().map(|name| named::link(manifest, name)).transpose()?;
    let Some(report) = known.reports.get(&host) else { return Err(AdoptError::Silent { host }) };
    let next = next(manifest, &host, entry, report);
    match (named, next.as_slice()) {
        (_, []) => Err(AdoptError::NothingNext { host, says: report.doing.to_string() }),
        (Some(named), next) if next.contains(named) => Ok(named.clone()),
        (Some(link), _) => Err(AdoptError::NotNext { host, link: Box::new(link.clone()), next }),
        (None, [link]) => Ok(link.clone()),
        (None, _) => Err(AdoptError::Several { host, next }),
    }
}

/// The link that comes next on a host, as its report says. Where it failed, that is certain; else it may depend on whether
/// it ran what a baseline stands for, and no report says that.
fn next(manifest: &Manifest, name: &str, host: &HostManifest, report: &Report) -> Vec<Link> {
    let chain = &manifest.chain;
    if let Doing::Failed(failure) = &report.doing {
        return chain.get(failure.link).cloned().into_iter().collect();
    }
    let mut found: Vec<Link> = Vec::new();
    for past in [Past::told_by(chain, &host.roles, report.state), Past::default()] {
        let next = Course::new(manifest, manifest.told(name), host, &past).next(report.state).cloned();
        let wanted = manifest.told(name).and_then(|target| chain.position(target));
        found.extend(next.filter(|next| chain.position(next.sha1) <= wanted && !found.contains(next)));
    }
    found
}

fn listed(links: &[Link]) -> String {
    links.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use wb_core::chain::{Chain, Digest, Range, Sha1};

    use super::*;
    use crate::retry::tests::{failed_at, report};

    fn sha1(name: &str) -> Sha1 {
        Sha1::from_bytes([name.as_bytes()[0]; 20])
    }

    /// The links `a`, `b` (of another role), `c`, and `z`, a baseline for the former where one is wanted.
    fn herd(baseline: bool) -> Manifest {
        let link = |name: &str| {
            let role = if name == "b" { "database" } else { "web" };
            Link::new(name, sha1(name), role, Digest::of(name.as_bytes()))
        };
        let replaces = baseline.then(|| Range { from: sha1("a"), to: sha1("c") });
        let links = vec![link("a"), link("b"), link("c"), Link { replaces, ..link("z") }];
        let host = HostManifest { roles: ["web".to_owned()].into(), ..HostManifest::default() };
        let hosts = ["web1", "web2"].map(|name| (name.to_owned(), host.clone())).into();
        Manifest { number: 4, chain: Chain::new(links).unwrap(), target: Some(sha1("z")), hosts, ..Manifest::default() }
    }

    fn said(state: Option<&str>, doing: Doing, link: Option<&str>, baseline: bool) -> Result<Manifest, String> {
        let word = Word { host: "web1".into(), link: link.map(str::to_owned), why: "the disk was full".into() };
        let reports = [("web1".to_owned(), report(state.map(sha1), doing))].into();
        let known = Known { manifest: herd(baseline), reports, ..Known::default() };
        adopting(&known, &word).map_err(|error| error.to_string())
    }

    fn check(state: Option<&str>, doing: Doing, link: Option<&str>, expect: Result<&str, &str>) {
        let said = said(state, doing, link, false).map(|manifest| manifest.to_string());
        assert_eq!(said, expect.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn the_link_that_failed_is_adopted_and_the_change_says_why() {
        let failed = || failed_at("c", sha1("c"));
        let manifest = said(Some("a"), failed(), None, false).unwrap();
        assert_eq!(manifest.hosts["web1"].adopt, Some(Adoption { change: 5, link: sha1("c") }));
        assert_eq!(manifest.hosts["web2"].adopt, None);
        assert!(manifest.follows(Some(&herd(false))).is_ok());
        check(Some("a"), failed(), Some("c"), Ok("5 adopt: web1, `c` (6363636): the disk was full"));
        let not_next = "`z` (7a7a7a7) is not the next migration of `web1`: that is `c` (6363636)";
        check(Some("a"), failed(), Some("z"), Err(not_next));
    }

    #[test]
    fn who_did_not_fail_may_adopt_its_next_link_only() {
        let waits = || Doing::waiting("for its turn");
        check(Some("a"), waits(), None, Ok("5 adopt: web1, `c` (6363636): the disk was full"));
        check(None, waits(), None, Ok("5 adopt: web1, `a` (6161616): the disk was full"));
        check(
            Some("c"),
            waits(),
            Some("a"),
            Err("`a` (6161616) is not the next migration of `web1`: that is `z` (7a7a7a7)"),
        );
        check(
            Some("a"),
            waits(),
            Some("b"),
            Err("`b` (6262626) is not the next migration of `web1`: that is `c` (6363636)"),
        );
        check(Some("z"), Doing::UpToDate, None, Err("`web1` has no migration before it; it says: up to date"));
        check(Some("a"), waits(), Some("y"), Err("no migration `y` is deployed"));
    }

    #[test]
    fn what_comes_of_it_is_told() {
        let check = |doing: Doing, expect: &str| {
            let reports = [("web1".to_owned(), report(Some(sha1("a")), doing))].into();
            let known = Known { manifest: herd(false), reports, ..Known::default() };
            let word = Word { host: "web1".into(), link: None, why: "the disk was full".into() };
            assert_eq!(what_follows(&known, &adopting(&known, &word).unwrap()), [expect]);
        };
        let asks = "`web1` asks the specs of `c` (6363636), if it has any, and goes on after it, or";
        let failed = format!("{asks} stays failed; it says now: failed at `c` (6363636): no luck");
        check(failed_at("c", sha1("c")), &failed);
        check(Doing::waiting("for its turn"), &format!("{asks} runs it; it says now: waits: for its turn"));
    }

    #[test]
    fn where_only_the_host_knows_its_next_link_it_must_be_named() {
        let waits = || Doing::waiting("for its turn");
        let several = "the next migration of `web1` is `c` (6363636) or `z` (7a7a7a7): only the host knows";
        assert_eq!(said(Some("a"), waits(), None, true).unwrap_err(), several);
        assert!(said(Some("a"), waits(), Some("z"), true).is_ok());
        let failed = said(Some("a"), failed_at("c", sha1("c")), None, true).unwrap();
        assert_eq!(failed.hosts["web1"].adopt, Some(Adoption { change: 5, link: sha1("c") }));
    }

    #[test]
    fn a_host_of_which_nobody_knows_is_refused() {
        let refused = |host: &str| {
            let word = Word { host: host.into(), link: None, why: "why".into() };
            let known = Known { manifest: herd(false), ..Known::default() };
            adopting(&known, &word).unwrap_err().to_string()
        };
        assert_eq!(refused("wbe1"), "the herd has no host `wbe1`, did you mean `web1`?");
        assert_eq!(refused("web1"), "no report of `web1` counts, so nobody knows what its next migration is");
    }
}
