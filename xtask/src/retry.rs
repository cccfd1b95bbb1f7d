//! Asking hosts to try again what failed: an operator's signed word, good for one more try.

use wb_core::chain::nearest;
use wb_core::change::{ChangeKind, Manifest};
use wb_core::registry::{SigningKey, VerifiedChange};
use wb_core::system::clock::{Clock as _, Real};

use crate::operator::{Appended, Operator, OperatorError};
use crate::shell::Shell;

/// Why nobody is asked.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// The herd has no such host.
    #[error("the herd has no host `{host}`{}", did_you_mean(meant.as_deref()))]
    Unknown {
        /// The name.
        host: String,
        /// The host that was perhaps meant.
        meant: Option<String>,
    },
    /// Others were faster, again and again.
    #[error("others told the herd something first, {tries} times in a row; nothing was changed")]
    Overtaken {
        /// How often it was tried.
        tries: u32,
    },
    /// The remote, the log or the key.
    #[error(transparent)]
    Operator(#[from] OperatorError),
}

/// Tells the herd that `hosts` shall try again what failed, and gives the change that says so.
///
/// # Errors
/// When one of them is unknown, or the change can't be appended.
pub fn retry(
    operator: &Operator,
    hosts: &[String],
    key: &SigningKey,
    shell: &Shell,
) -> Result<Box<VerifiedChange>, RetryError> {
    const TRIES: u32 = 5;
    operator.refuse_stranger(key)?;
    for _ in 0..TRIES {
        operator.fetch()?;
        let newest = operator.newest()?;
        operator.refuse_rewound(newest.as_ref(), shell)?;
        let mut manifest = retrying(newest.as_ref().map(|change| &change.manifest), hosts)?;
        manifest.author = operator.tree().identity().to_string();
        manifest.time = Real.now().as_secs();
        if let Appended::Won(change) = operator.append(newest.as_ref(), &manifest, key, Vec::new())? {
            return Ok(change);
        }
    }
    Err(RetryError::Overtaken { tries: TRIES })
}

/// The manifest that asks these hosts, and changes nothing else.
fn retrying(before: Option<&Manifest>, hosts: &[String]) -> Result<Manifest, RetryError> {
    let mut manifest = before.cloned().unwrap_or_default();
    manifest.number += 1;
    manifest.kind = ChangeKind::Retry;
    manifest.message = hosts.join(", ");
    for host in hosts {
        if !manifest.hosts.contains_key(host) {
            let meant = nearest(host, manifest.hosts.keys().map(String::as_str)).map(str::to_owned);
            return Err(RetryError::Unknown { host: host.clone(), meant });
        }
        manifest.hosts.entry(host.clone()).and_modify(|entry| entry.retry = manifest.number);
    }
    Ok(manifest)
}

fn did_you_mean(meant: Option<&str>) -> String {
    meant.map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use wb_core::change::HostManifest;
    use wb_core::plan::settings_digest;

    use super::*;

    fn herd() -> Manifest {
        let hosts = ["db1", "web1", "web2"].map(|name| (name.to_owned(), HostManifest::default()));
        Manifest { number: 4, hosts: hosts.into(), ..Manifest::default() }
    }

    fn retried(hosts: &[&str]) -> Result<Manifest, String> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        retrying(Some(&herd()), &hosts).map_err(|error| error.to_string())
    }

    #[test]
    fn the_named_hosts_are_asked_by_the_number_of_the_change() {
        let manifest = retried(&["web1", "db1"]).unwrap();
        assert_eq!(manifest.to_string(), "5 retry: web1, db1");
        assert_eq!(manifest.hosts.values().map(|host| host.retry).collect::<Vec<_>>(), [5, 5, 0]);
        assert!(manifest.follows(Some(&herd())).is_ok());
        let key = |manifest: &Manifest, host: &str| settings_digest(&manifest.hosts[host]);
        assert_ne!(key(&manifest, "web1"), key(&herd(), "web1"), "it is tried again");
        assert_eq!(key(&manifest, "web2"), key(&herd(), "web2"), "others are left alone");
    }

    #[test]
    fn a_host_that_there_is_not_is_refused() {
        assert_eq!(retried(&["web1", "wbe2"]).unwrap_err(), "the herd has no host `wbe2`, did you mean `web2`?");
        assert_eq!(retried(&["balancer"]).unwrap_err(), "the herd has no host `balancer`");
    }
}
