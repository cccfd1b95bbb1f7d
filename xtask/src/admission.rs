//! Admitting a machine: an operator's signed word that this key bears that name.

use wb_core::change::{ChangeKind, Identity, Manifest, Retired};
use wb_core::herd::HostEntry;
use wb_core::registry::{SigningKey, VerifiedChange};
use wb_core::report::Report;
use wb_core::system::{Command, CommandError};

use crate::deploy::plan;
use crate::known::Known;
use crate::operator::{Operator, OperatorError};
use crate::shell::Shell;
use crate::tell::{NotTold, tell};

/// Why a machine is not admitted.
#[derive(Debug, thiserror::Error)]
pub enum AdmitError {
    /// `herd.toml` has no such host.
    #[error("herd.toml has no host `{name}`{}", crate::named::did_you_mean(meant.as_deref()))]
    NotInHerd {
        /// The name.
        name: String,
        /// The host that is called almost so.
        meant: Option<String>,
    },
    /// No machine enrolled under that name.
    #[error("no machine enrolled as `{name}`")]
    NotEnrolled {
        /// The name.
        name: String,
    },
    /// Several did, and only people can tell which is the right one.
    #[error("{} machines enrolled as `{name}`, with the keys {}", fingerprints.len(), fingerprints.join(", "))]
    Several {
        /// The name.
        name: String,
        /// The fingerprints of their keys.
        fingerprints: Vec<String>,
    },
    /// Another machine bears that name.
    #[error("`{name}` is another machine, admitted before, with the key {fingerprint}")]
    Taken {
        /// The name.
        name: String,
        /// The fingerprint of its key.
        fingerprint: String,
    },
    /// The fingerprint of a key can't be told.
    #[error("could not read the key of `{name}`")]
    Fingerprint {
        /// The name.
        name: String,
        /// Why.
        source: CommandError,
    },
    /// The remote, the log or the key.
    #[error(transparent)]
    Operator(#[from] OperatorError),
}

/// What came of an admission.
#[derive(Debug, Clone, PartialEq)]
pub enum Admitted {
    /// The machine is part of the herd by this change.
    Now {
        /// The change.
        change: Box<VerifiedChange>,
        /// The fingerprint of the machine's key.
        fingerprint: String,
    },
    /// It was part of the herd before.
    Before {
        /// The fingerprint of the machine's key.
        fingerprint: String,
    },
}

/// Which of the machines that enrolled under a name is meant, and why.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// The one whose key has this fingerprint.
    pub fingerprint: Option<&'a str>,
    /// One that takes the place of the machine that has the name now.
    pub replaces: bool,
    /// In a line, why it is admitted.
    pub why: Option<&'a str>,
}

/// Admits the machine that enrolled as `name`.
///
/// # Errors
/// When there is none or more than one, or the change can't be appended.
pub fn admit(
    operator: &Operator,
    name: &str,
    entry: &HostEntry,
    wanted: Wanted<'_>,
    key: &SigningKey,
    shell: &Shell,
) -> Result<Admitted, AdmitError> {
    let next = |known: &Known| {
        let before = known.newest.as_ref().map(|change| &change.manifest);
        let machines = operator.registry().newcomers(before).map_err(OperatorError::from)?;
        match chosen(name, before, &machines, wanted)? {
            Chosen::Newcomer(machine) => {
                let mut manifest = admitting(before, name, entry, machine);
                manifest.message += &wanted.why.map(|why| format!(": {why}")).unwrap_or_default();
                Ok(manifest)
            }
            Chosen::Admitted(fingerprint) => Err(NotNow::Before { fingerprint }),
        }
    };
    // The name and the fingerprint say all of it.
    match tell(operator, Known::ask(operator, shell)?, key, shell, next, |_, _| Vec::new()) {
        Ok(told) => {
            let change = told.change();
            let identity = change.manifest.hosts.get(name).and_then(|host| host.identity.as_ref());
            let key = identity.map(|identity| identity.key.clone()).unwrap_or_default();
            Ok(Admitted::Now { fingerprint: fingerprint_of(name, &key)?, change })
        }
        Err(NotTold::Refused(NotNow::Before { fingerprint })) => Ok(Admitted::Before { fingerprint }),
        Err(NotTold::Refused(NotNow::Never(error))) => Err(error),
        Err(NotTold::Operator(error)) => Err(error.into()),
    }
}

/// Why there is nothing to tell.
enum NotNow {
    /// It was told before.
    Before {
        fingerprint: String,
    },
    Never(AdmitError),
}

impl<E: Into<AdmitError>> From<E> for NotNow {
    fn from(error: E) -> Self {
        Self::Never(error.into())
    }
}

/// The fingerprint of an OpenSSH public key, as `SHA256:…`.
///
/// # Errors
/// When it is no key.
pub fn fingerprint_of(name: &str, public_key: &str) -> Result<String, AdmitError> {
    let command = Command::new("ssh-keygen").args(["-l", "-f", "/dev/stdin"]).stdin(format!("{public_key}\n"));
    let line = command.read().map_err(|source| AdmitError::Fingerprint { name: name.to_owned(), source })?;
    Ok(line.split_whitespace().nth(1).unwrap_or(&line).to_owned())
}

enum Chosen<'a> {
    Newcomer(&'a Report),
    Admitted(String),
}

fn chosen<'a>(
    name: &str,
    before: Option<&Manifest>,
    machines: &'a [Report],
    wanted: Wanted<'_>,
) -> Result<Chosen<'a>, AdmitError> {
    let named = machines.iter().filter(|machine| machine.name == name);
    let keyed = named.map(|machine| Ok((fingerprint_of(name, &machine.key)?, machine)));
    let found = keyed.collect::<Result<Vec<_>, AdmitError>>()?;
    let is_wanted = |print: &String| wanted.fingerprint.is_none_or(|wanted| wanted == print);
    let found: Vec<_> = found.into_iter().filter(|(print, _)| is_wanted(print)).collect();
    let identity = before.and_then(|manifest| manifest.hosts.get(name)).and_then(|host| host.identity.as_ref());
    match (identity, &found[..]) {
        (Some(identity), []) => Ok(Chosen::Admitted(fingerprint_of(name, &identity.key)?)),
        (Some(identity), _) if !wanted.replaces => {
            Err(AdmitError::Taken { name: name.to_owned(), fingerprint: fingerprint_of(name, &identity.key)? })
        }
        (_, []) => Err(AdmitError::NotEnrolled { name: name.to_owned() }),
        (_, [(_, machine)]) => Ok(Chosen::Newcomer(machine)),
        (_, several) => {
            let fingerprints = several.iter().map(|(print, _)| print.clone()).collect();
            Err(AdmitError::Several { name: name.to_owned(), fingerprints })
        }
    }
}

/// The manifest with one more admitted host, or with another machine in its place. Of `herd.toml` it takes this host's
/// entry only.
pub(crate) fn admitting(before: Option<&Manifest>, name: &str, entry: &HostEntry, machine: &Report) -> Manifest {
    let mut manifest = before.cloned().unwrap_or_default();
    let mut host = plan::host(entry, None);
    host.identity = Some(Identity { uuid: machine.uuid, key: machine.key.clone() });
    manifest.number += 1;
    manifest.kind = ChangeKind::Admit;
    if let Some(lost) = manifest.hosts.insert(name.to_owned(), host).and_then(|host| host.identity) {
        manifest.kind = ChangeKind::Replace;
        manifest.retired.push(Retired { uuid: lost.uuid, name: name.to_owned(), change: manifest.number });
    }
    manifest.message = name.to_owned();
    manifest
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use wb_core::chain::Digest;
    use wb_core::change::HostManifest;
    use wb_core::report::{Doing, Incarnation};

    use super::*;

    const ANA: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPuJm2yqbzgEqUyb0hI4pd1mJEGSmlYWGq3fLB4vT1Kr";
    const BEN: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGQ6e0lZb3s1cQv0mC1N0Jw2dP7oX5bT8yR4kU9hE6aF";

    fn machine(name: &str, n: u128, key: &str) -> Report {
        Report {
            name: name.into(),
            uuid: Uuid::from_u128(n),
            key: key.into(),
            time: 0,
            state: None,
            link: None,
            in_service: false,
            doing: Doing::Enrolled,
            accepted: None,
            accepted_commit: None,
            runner: Digest::of(b""),
            incarnation: Incarnation::default(),
            contested: false,
            by_hand: Vec::new(),
            drift: Vec::new(),
            verified: 0,
            since: 0,
            nonce: Uuid::nil(),
            heard: 0,
            baked: None,
            announced: None,
            last_nonces: Vec::new(),
            lines: Vec::new(),
            poll: 0,
        }
    }

    fn check(before: Option<&Manifest>, machines: &[Report], wanted: Option<&str>, expect: &str) {
        let wanted = Wanted { fingerprint: wanted, ..Wanted::default() };
        let said = match chosen("web1", before, machines, wanted) {
            Ok(Chosen::Newcomer(machine)) => format!("newcomer {}", machine.uuid.as_u128()),
            Ok(Chosen::Admitted(_)) => "admitted".to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(said.starts_with(expect), "{said}");
    }

    fn admitted() -> Manifest {
        admitting(None, "web1", &HostEntry::default(), &machine("web1", 7, ANA))
    }

    #[test]
    fn the_machine_is_found_by_its_name() {
        check(None, &[machine("web2", 1, ANA), machine("web1", 2, BEN)], None, "newcomer 2");
        check(None, &[machine("web2", 1, ANA)], None, "no machine enrolled as `web1`");
    }

    #[test]
    fn of_several_the_fingerprint_tells() {
        let machines = [machine("web1", 1, ANA), machine("web1", 2, BEN)];
        check(None, &machines, None, "2 machines enrolled as `web1`, with the keys SHA256:");
        check(None, &machines, Some(&fingerprint_of("web1", BEN).unwrap()), "newcomer 2");
    }

    #[test]
    fn a_name_is_admitted_once() {
        check(Some(&admitted()), &[], None, "admitted");
        check(Some(&admitted()), &[machine("web1", 2, BEN)], None, "`web1` is another machine, admitted before");
    }

    #[test]
    fn another_machine_takes_a_name_only_when_that_is_wanted() {
        let (before, machines) = (admitted(), [machine("web1", 2, BEN)]);
        let wanted = Wanted { replaces: true, ..Wanted::default() };
        let Ok(Chosen::Newcomer(new)) = chosen("web1", Some(&before), &machines, wanted) else { panic!("not chosen") };
        let after = admitting(Some(&before), "web1", &HostEntry::default(), new);
        assert_eq!((after.kind, after.hosts.len(), after.number), (ChangeKind::Replace, 1, 2));
        assert_eq!(after.host_of(Uuid::from_u128(2)).unwrap().0, "web1");
        assert_eq!(after.retired, [Retired { uuid: Uuid::from_u128(7), name: "web1".into(), change: 2 }]);
        assert!(matches!(chosen("web1", Some(&before), &[], wanted), Ok(Chosen::Admitted(_))));
        assert!(matches!(chosen("web2", Some(&before), &[], wanted), Err(AdmitError::NotEnrolled { .. })));
    }

    #[test]
    fn an_admission_changes_one_host() {
        let mut before = admitted();
        before.hosts.insert("db1".into(), HostManifest::default());
        let entry = HostEntry { roles: ["web".to_owned()].into(), ..HostEntry::default() };
        let after = admitting(Some(&before), "web2", &entry, &machine("web2", 9, BEN));
        assert_eq!((after.number, after.kind, after.hosts.len()), (2, ChangeKind::Admit, 3));
        assert_eq!(after.hosts["web2"].identity.as_ref().unwrap().uuid, Uuid::from_u128(9));
        assert_eq!(after.hosts["db1"], before.hosts["db1"]);
    }
}
