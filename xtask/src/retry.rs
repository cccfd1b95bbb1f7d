//! Asking hosts to try again what failed: an operator's signed word, good for one more try.

use wb_core::change::{ChangeKind, Hold, Manifest};
use wb_core::plan::still_failed;
use wb_core::report::Doing;

use crate::known::Known;
use crate::named::{self, Unknown};

/// Why nobody is asked.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// The herd has no such host.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// Nothing failed there.
    #[error("nothing failed on `{host}`, so there is nothing to try again{}", it_says(says.as_deref()))]
    NotFailed {
        /// The host.
        host: String,
        /// What it says it does; nothing where no report of it counts.
        says: Option<String>,
    },
    /// It tries nothing before the hold ends.
    #[error("`{host}` tries nothing again as long as {} is held, by change {}: {}", hold.whom, hold.change, hold.why)]
    Held {
        /// The host.
        host: String,
        /// What holds it.
        hold: Box<Hold>,
    },
    /// What failed there is about to be tried again.
    #[error("`{host}` is about to try again what failed: {}", since(*asked))]
    NotTriedYet {
        /// The host.
        host: String,
        /// The change that asked for it, where the host has not heard of that yet.
        asked: Option<u64>,
    },
}

/// The manifest that asks these hosts to try again what failed, and changes nothing else.
///
/// # Errors
/// When one of them is unknown, nothing failed there, or what failed is about to be tried again.
pub fn retrying(known: &Known, hosts: &[String], why: Option<&str>) -> Result<Manifest, RetryError> {
    let mut manifest = known.manifest.next(ChangeKind::Retry);
    manifest.message = hosts.join(", ") + &why.map(|why| format!(": {why}")).unwrap_or_default();
    for host in hosts {
        let (entry, report) = (named::host(&known.manifest, host)?, known.reports.get(host));
        match report.map(|report| &report.doing) {
            Some(Doing::Failed(failure)) if still_failed(failure, &known.manifest, entry) => {}
            Some(Doing::Failed(_)) if let Some(hold) = known.manifest.hold_of(host) => {
                return Err(RetryError::Held { host: host.clone(), hold: Box::new(hold.clone()) });
            }
            Some(Doing::Failed(_)) => {
                let heard = report.and_then(|report| report.accepted);
                let asked = Some(entry.retry).filter(|retry| Some(*retry) > heard.or(Some(0)));
                return Err(RetryError::NotTriedYet { host: host.clone(), asked });
            }
            other => {
                return Err(RetryError::NotFailed { host: host.clone(), says: other.map(ToString::to_string) });
            }
        }
        let number = manifest.number;
        manifest.hosts.entry(host.clone()).and_modify(|entry| entry.retry = number);
    }
    Ok(manifest)
}

fn it_says(doing: Option<&str>) -> String {
    doing.map_or_else(|| ": no report of it counts".to_owned(), |doing| format!("; it says: {doing}"))
}

fn since(asked: Option<u64>) -> String {
    asked.map_or_else(
        || "the migration or what the host is told is another since then".to_owned(),
        |change| format!("change {change} asked it to, and it has not heard of that yet"),
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use uuid::Uuid;
    use wb_core::chain::{Digest, Sha1};
    use wb_core::change::{HostManifest, Whom};
    use wb_core::plan::settings_digest;
    use wb_core::report::{Failure, Incarnation, Report};

    use super::*;

    pub(crate) fn report(state: Option<Sha1>, doing: Doing) -> Report {
        Report {
            name: String::new(),
            uuid: Uuid::nil(),
            key: String::new(),
            time: 0,
            state,
            link: None,
            in_service: true,
            doing,
            accepted: None,
            accepted_commit: None,
            runner: Digest::of(b""),
            incarnation: Incarnation::default(),
            contested: false,
            by_hand: Vec::new(),
            drift: Vec::new(),
            verified: 0,
            since: 0,
            lines: Vec::new(),
            poll: 30,
            nonce: Uuid::nil(),
            heard: 0,
            baked: None,
            announced: None,
            last_nonces: Vec::new(),
        }
    }

    pub(crate) fn failed_at(name: &str, link: Sha1) -> Doing {
        let digest = Digest::of(b"");
        Doing::Failed(Failure { link, name: name.into(), digest, settings: digest, error: "no luck".into() })
    }

    /// Failed with the settings of [`herd`].
    fn failed_here() -> Doing {
        let Doing::Failed(failure) = failed_at("page", Sha1::ZERO) else { return Doing::UpToDate };
        Doing::Failed(Failure { settings: settings_digest(&HostManifest::default()), ..failure })
    }

    fn herd() -> Manifest {
        let hosts = ["db1", "web1", "web2", "web3"].map(|name| (name.to_owned(), HostManifest::default()));
        Manifest { number: 4, hosts: hosts.into(), ..Manifest::default() }
    }

    fn retried(hosts: &[&str]) -> Result<Manifest, String> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let failed = || report(None, failed_here());
        let reports = [("db1", failed()), ("web1", failed()), ("web2", report(None, Doing::UpToDate))];
        let reports = reports.map(|(name, report)| (name.to_owned(), report)).into();
        let known = Known { manifest: herd(), reports, ..Known::default() };
        retrying(&known, &hosts, None).map_err(|error| error.to_string())
    }

    #[test]
    fn the_named_hosts_are_asked_by_the_number_of_the_change() {
        let manifest = retried(&["web1", "db1"]).unwrap();
        assert_eq!(manifest.to_string(), "5 retry: web1, db1");
        assert_eq!(manifest.hosts.values().map(|host| host.retry).collect::<Vec<_>>(), [5, 5, 0, 0]);
        assert!(manifest.follows(Some(&herd())).is_ok());
        let key = |manifest: &Manifest, host: &str| settings_digest(&manifest.hosts[host]);
        assert_ne!(key(&manifest, "web1"), key(&herd(), "web1"), "it is tried again");
        assert_eq!(key(&manifest, "web2"), key(&herd(), "web2"), "others are left alone");
    }

    #[test]
    fn the_change_may_say_why() {
        let reports = [("web1".to_owned(), report(None, failed_here()))].into();
        let known = Known { manifest: herd(), reports, ..Known::default() };
        let manifest = retrying(&known, &["web1".to_owned()], Some("the mirror is back")).unwrap();
        assert_eq!(manifest.to_string(), "5 retry: web1: the mirror is back");
    }

    #[test]
    fn who_was_asked_is_not_asked_again_before_it_has_tried() {
        let check = |accepted, expect: &str| {
            let mut known = Known { manifest: herd(), ..Known::default() };
            known.manifest.hosts.get_mut("web1").unwrap().retry = 4;
            known.reports.insert("web1".into(), Report { accepted, ..report(None, failed_here()) });
            let refused = retrying(&known, &["web1".to_owned()], None).unwrap_err();
            assert_eq!(refused.to_string(), format!("`web1` is about to try again what failed: {expect}"));
        };
        check(None, "change 4 asked it to, and it has not heard of that yet");
        check(Some(3), "change 4 asked it to, and it has not heard of that yet");
        check(Some(4), "the migration or what the host is told is another since then");
    }

    #[test]
    fn who_is_held_is_let_go_first() {
        let check = |retry, expect: Option<&str>| {
            let mut known = Known { manifest: herd(), ..Known::default() };
            known.manifest.holds.push(Hold { whom: Whom::Herd, change: 3, why: "a look".into() });
            known.manifest.hosts.get_mut("web1").unwrap().retry = retry;
            known.reports.insert("web1".into(), report(None, failed_here()));
            let refused = retrying(&known, &["web1".to_owned()], None).err().map(|refused| refused.to_string());
            assert_eq!(refused.as_deref(), expect);
        };
        check(4, Some("`web1` tries nothing again as long as the herd is held, by change 3: a look"));
        check(0, None);
    }

    #[test]
    fn a_host_that_there_is_not_is_refused() {
        assert_eq!(retried(&["web1", "wbe2"]).unwrap_err(), "the herd has no host `wbe2`, did you mean `web2`?");
        assert_eq!(retried(&["balancer"]).unwrap_err(), "the herd has no host `balancer`");
    }

    #[test]
    fn a_host_on_which_nothing_failed_is_refused() {
        let nothing = |host: &str| format!("nothing failed on `{host}`, so there is nothing to try again");
        assert_eq!(retried(&["web1", "web2"]).unwrap_err(), format!("{}; it says: up to date", nothing("web2")));
        assert_eq!(retried(&["web3"]).unwrap_err(), format!("{}: no report of it counts", nothing("web3")));
    }
}
