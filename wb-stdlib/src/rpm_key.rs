//! Keys that rpm trusts, for dnf and zypper: packages that one of them signed are installed, from whichever repository
//! they come. rpm has no keys for one repository only.
//!
//! rpm keeps each key as a package, `gpg-pubkey`, whose version is the end of the key's fingerprint. Only rpm can read
//! its database: a look costs one program.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use wb_core::context::Outcome;
use wb_core::system::files::{Attributes, FileError};
use wb_core::system::{Command, CommandError, System};

use crate::ensure::{Difference, ensure};
use crate::openpgp::{self, PublicKey};
use crate::temporary::{TemporaryDir, TemporaryError};
use crate::{Host, Look};

const RUN_BOUND: Duration = Duration::from_secs(300);
/// The format that [`is_of`] reads.
const FORMAT: &str = "%{VERSION}-%{RELEASE}\n";
/// What rpm says when it has none.
const NONE: &str = "package gpg-pubkey is not installed";

/// What can go wrong with the keys that rpm trusts.
#[derive(Debug, thiserror::Error)]
pub enum RpmKeyError {
    /// It is no key that rpm reads.
    #[error("what is to be a key for rpm is {found}\nhint: `gpg --armor --export KEY` writes one that is")]
    BadKey {
        /// What it is.
        found: &'static str,
    },
    /// By its fingerprint alone it can't be trusted.
    #[error("rpm does not have the key {fingerprint}, of which only the fingerprint is said\nhint: say the key itself")]
    OnlyFingerprint {
        /// The fingerprint.
        fingerprint: String,
    },
    /// It is not known which there are.
    #[error("could not see which keys rpm trusts")]
    Look {
        /// Why.
        source: CommandError,
    },
    /// rpm did not do it.
    #[error("could not {action} the keys {}", keys.join(", "))]
    Act {
        /// What was being done.
        action: &'static str,
        /// The fingerprints.
        keys: Vec<String>,
        /// Why.
        source: CommandError,
    },
    /// rpm ended well, and it is not so.
    #[error("rpm was to {action} the keys {}, and ended well, but it is not so", keys.join(", "))]
    NotSo {
        /// What was being done.
        action: &'static str,
        /// The fingerprints.
        keys: Vec<String>,
    },
    /// There is no place from which rpm could read it.
    #[error(transparent)]
    Temporary(#[from] TemporaryError),
    /// The file system failed.
    #[error(transparent)]
    File(#[from] FileError),
}

impl RpmKeyError {
    /// Whether rpm itself is missing, which an operation before may bring.
    pub(crate) fn is_for_want_of_rpm(&self) -> bool {
        matches!(self, Self::Look { source: CommandError::NotFound { .. } })
    }
}

/// A key, or several, for rpm. [`Look::rpm_key`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn trust_ourselves(host: &Host, key: &[u8]) -> Result<()> {
///     host.rpm_key(key).present()?; // such as `asset!("packages.asc")`
///     host.rpm_key("9D61 2A10 4F1B 6E6B 4C36  0D37 5B6A 73C9 F4A8 0EB5").absent()?;
///     Ok(())
/// }
///
/// fn we_are_trusted(host: &View) -> Result<()> {
///     host.rpm_key("1F3C 6B0D 52E4 7A98 0C1D  9E27 44B5 D8A6 F013 7C2E").is_trusted()
/// }
/// # let key = wb_stdlib::testing::samples::OPENPGP_KEY.as_bytes();
/// # wb_stdlib::testing::fedora().rehearse(|host| trust_ourselves(host, key)).asks(we_are_trusted);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct RpmKey<A> {
    access: A,
    said: Vec<u8>,
}

impl<A: Look> RpmKey<A> {
    pub(crate) fn new(access: A, said: Vec<u8>) -> Self {
        Self { access, said }
    }

    /// Checks that rpm trusts it.
    ///
    /// # Errors
    /// When it does not, or does not say.
    pub fn is_trusted(&self) -> Result<()> {
        match missing(self.system(), &self.keys()?)?.first() {
            None => Ok(()),
            Some(key) => anyhow::bail!("expected rpm to trust the {key}, found that it does not"),
        }
    }

    fn keys(&self) -> Result<Vec<PublicKey>, RpmKeyError> {
        let keys = openpgp::said(&self.said).map_err(|found| RpmKeyError::BadKey { found })?;
        match openpgp::is_fingerprint(&self.said) || openpgp::is_armored(&self.said) {
            true => Ok(keys),
            false => Err(RpmKeyError::BadKey { found: "no armored public key of OpenPGP" }),
        }
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl RpmKey<Host<'_>> {
    /// rpm trusts it: for all packages.
    ///
    /// # Errors
    /// When it is no armored key, or rpm does not take it.
    pub fn present(self) -> Result<Outcome, RpmKeyError> {
        let keys = self.keys()?;
        let what = format!("rpm key {} present", fingerprints(&keys).join(", "));
        let missing = match missing(self.system(), &keys) {
            Err(error) if self.access.plans() && error.is_for_want_of_rpm() => return self.unknown(&what),
            missing => missing?,
        };
        match missing.first() {
            // An operation before may bring the key itself.
            Some(key) if openpgp::is_fingerprint(&self.said) && self.access.plans() => {
                let why = format!("rpm does not have the key {} yet", key.fingerprint);
                return ensure(self.access, &what, Difference::Unknown(why), || Ok(()));
            }
            Some(key) if openpgp::is_fingerprint(&self.said) => {
                return Err(RpmKeyError::OnlyFingerprint { fingerprint: key.fingerprint.clone() });
            }
            // The last run may have been killed when rpm had it.
            None if !self.access.plans() => TemporaryDir::tidy(self.system())?,
            _ => {}
        }
        let lines = missing.iter().map(|key| format!("+ {key}"));
        ensure(self.access, &what, Difference::of_lines(lines), || self.import(&missing))
    }

    /// rpm does not trust it. Packages that it signed stay.
    ///
    /// # Errors
    /// When it is neither an armored key nor a fingerprint, or rpm does not let it go.
    pub fn absent(self) -> Result<Outcome, RpmKeyError> {
        let keys = self.keys()?;
        let what = format!("rpm key {} absent", fingerprints(&keys).join(", "));
        let installed = match installed(self.system()) {
            Err(error) if self.access.plans() && error.is_for_want_of_rpm() => return self.unknown(&what),
            installed => installed?,
        };
        let of_keys = |package: &&String| keys.iter().any(|key| is_of(package, key));
        let going = installed.iter().filter(of_keys).map(|package| format!("gpg-pubkey-{package}"));
        let going: Vec<String> = going.collect();
        let lines = going.iter().map(|package| format!("- {package}"));
        ensure(self.access, &what, Difference::of_lines(lines), || remove(self.system(), &going, &keys))
    }

    fn unknown(&self, what: &str) -> Result<Outcome, RpmKeyError> {
        let why = "the program `rpm` is not installed yet".into();
        ensure(self.access, what, Difference::Unknown(why), || Ok(()))
    }

    fn import(&self, missing: &[PublicKey]) -> Result<(), RpmKeyError> {
        let place = TemporaryDir::make(self.system(), None)?;
        let file = place.path().join("key.asc");
        self.system().write_file(&file, ended(&self.said), Attributes::mode(0o600))?;
        import(self.system(), &file, missing)
    }
}

/// Those of these keys that rpm does not trust.
pub(crate) fn missing(system: &System, keys: &[PublicKey]) -> Result<Vec<PublicKey>, RpmKeyError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let installed = installed(system)?;
    let is_missing = |key: &&PublicKey| !installed.iter().any(|package| is_of(package, key));
    Ok(keys.iter().filter(is_missing).cloned().collect())
}

/// Lets rpm trust the keys in a file, of which these are missing.
pub(crate) fn import(system: &System, path: &Path, keys: &[PublicKey]) -> Result<(), RpmKeyError> {
    let action = "import";
    let imported = system.read_command(&rpm().arg("--import").arg(path));
    imported.map_err(|source| RpmKeyError::Act { action, keys: fingerprints(keys), source })?;
    let left = missing(system, keys)?;
    if left.is_empty() { Ok(()) } else { Err(RpmKeyError::NotSo { action, keys: fingerprints(&left) }) }
}

/// An armored key as rpm reads it: some versions want a line break at its end.
pub(crate) fn ended(armored: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(armored).into_owned();
    crate::text_file::end_line(&mut text);
    text
}

fn remove(system: &System, packages: &[String], keys: &[PublicKey]) -> Result<(), RpmKeyError> {
    let action = "remove";
    let removed = system.read_command(&rpm().args(["-e", "--"]).args(packages));
    removed.map_err(|source| RpmKeyError::Act { action, keys: fingerprints(keys), source })?;
    let installed = installed(system)?;
    let is_left = |key: &&PublicKey| installed.iter().any(|package| is_of(package, key));
    let left: Vec<PublicKey> = keys.iter().filter(is_left).cloned().collect();
    if left.is_empty() { Ok(()) } else { Err(RpmKeyError::NotSo { action, keys: fingerprints(&left) }) }
}

fn fingerprints(keys: &[PublicKey]) -> Vec<String> {
    keys.iter().map(|key| key.fingerprint.clone()).collect()
}

/// The packages as which rpm keeps its keys, each by its version and release.
fn installed(system: &System) -> Result<Vec<String>, RpmKeyError> {
    let look = |source| RpmKeyError::Look { source };
    let query = rpm().args(["-q", "--qf", FORMAT, "gpg-pubkey"]);
    let output = system.run(&query).map_err(look)?;
    // Its exit code is the same when it can't read its database.
    if output.text() == NONE && !output.error_text().lines().any(|line| line.starts_with("error:")) {
        return Ok(Vec::new());
    }
    let said = output.success(&query).map_err(look)?.text();
    Ok(said.lines().map(str::to_owned).collect())
}

/// Whether a package is this key: its version is eight digits of the fingerprint, and all of them from rpm 6 on.
fn is_of(package: &str, key: &PublicKey) -> bool {
    let version = package.split('-').next().unwrap_or_default().to_ascii_uppercase();
    version.len() >= 8 && key.fingerprint.ends_with(&version)
}

fn rpm() -> Command {
    Command::new("rpm").env("LC_ALL", "C.UTF-8").timeout(RUN_BOUND)
}

#[cfg(test)]
mod tests {
    use wb_core::system::files;

    use super::*;
    use crate::machine::{Machine, changed};
    use crate::openpgp::fixtures::{FINGERPRINT, KEY, OTHER_FINGERPRINT};

    /// rpm 4.18 and rpm 6.
    const INSTALLED: &str = "97965a9a-53f35f0b\n";
    const INSTALLED_BY_6: &str = "c959bdbafa32a2f89a153b678cfde12197965a9a-53f35f0b\n";

    fn present(host: &Host) -> Result<Outcome> {
        Ok(host.rpm_key(KEY).present()?)
    }

    fn absent(host: &Host) -> Result<Outcome> {
        Ok(host.rpm_key(FINGERPRINT).absent()?)
    }

    fn line() -> String {
        format!("+ key {FINGERPRINT} of Shop <shop@example.org>")
    }

    #[test]
    fn one_that_is_there_costs_one_look() {
        let check = |said: &str| {
            let machine = Machine::new().answer("rpm -q", 0, &format!("f4a80eb5-53a7ff4b\n{said}"));
            assert_eq!(machine.apply(present).unwrap(), Outcome::Unchanged, "{said}");
            assert_eq!(machine.calls().len(), 1);
            assert_eq!(machine.said(), format!("= rpm key {FINGERPRINT} present"));
            machine.view(|host| host.rpm_key(FINGERPRINT).is_trusted()).unwrap();
        };
        check(INSTALLED);
        check(INSTALLED_BY_6);
    }

    #[test]
    fn a_new_one_is_imported_from_a_file_that_is_gone_afterwards() {
        let machine = Machine::new().answers("rpm -q", &[(1, NONE), (1, NONE), (0, INSTALLED)]);
        let machine = machine.does("rpm --import", |root, command| {
            let path = command.line().replace("rpm --import /", "");
            let key = files::read(root.join(path)).unwrap();
            files::write(root.join("seen"), key, 0o644).unwrap();
        });
        assert_eq!(machine.plan(present).unwrap(), changed(&line()));
        assert_eq!(machine.calls().len(), 1);
        assert_eq!(machine.apply(present).unwrap(), changed(&line()));
        assert_eq!(machine.read("/seen").as_deref(), Some(KEY));
        assert_eq!(machine.stat("/var/cache/wildebeest"), None);
    }

    #[test]
    fn what_rpm_did_not_do_is_an_error() {
        let machine = Machine::new().answer("rpm -q", 1, NONE).answer("rpm --import", 0, "");
        let error = machine.apply(present).unwrap_err().to_string();
        assert_eq!(error, format!("rpm was to import the keys {FINGERPRINT}, and ended well, but it is not so"));
        assert!(machine.view(|host| host.rpm_key(KEY).is_trusted()).is_err());
    }

    #[test]
    fn one_is_taken_away_by_its_fingerprint() {
        let machine =
            Machine::new().answers("rpm -q", &[(0, INSTALLED), (0, INSTALLED), (1, NONE)]).answer("rpm -e", 0, "");
        assert_eq!(machine.plan(absent).unwrap(), changed("- gpg-pubkey-97965a9a-53f35f0b"));
        assert!(machine.apply(absent).unwrap().changed());
        assert!(machine.calls().contains(&"rpm -e -- gpg-pubkey-97965a9a-53f35f0b".to_owned()));
        assert_eq!(machine.apply(absent).unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn a_database_that_can_not_be_read_is_not_one_without_keys() {
        let machine = Machine::new().complains("rpm -q", &[(1, "error: cannot open Packages database in /x")]);
        for error in [machine.apply(present).unwrap_err(), machine.plan(present).unwrap_err()] {
            assert_eq!(error.to_string(), "could not see which keys rpm trusts");
        }
    }

    #[test]
    fn without_rpm_a_plan_cannot_know() {
        let machine = Machine::new();
        let why = "the program `rpm` is not installed yet";
        assert_eq!(machine.plan(present).unwrap(), Outcome::Unknown { why: why.into() });
        assert_eq!(machine.plan(absent).unwrap(), Outcome::Unknown { why: why.into() });
        assert!(machine.apply(present).is_err());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let machine = Machine::new().answer("rpm -q", 1, NONE);
        let check = |said: &'static str, expect: &str| {
            let error = machine.apply(|host| Ok(host.rpm_key(said).present()?)).unwrap_err().to_string();
            assert_eq!(error.lines().next(), Some(expect));
        };
        check("<html>404", "what is to be a key for rpm is no public key of OpenPGP");
        check("-----BEGIN PGP PRIVATE KEY BLOCK-----", "what is to be a key for rpm is a private key");
        let only = format!("rpm does not have the key {OTHER_FINGERPRINT}, of which only the fingerprint is said");
        check(OTHER_FINGERPRINT, &only);
        let why = format!("rpm does not have the key {OTHER_FINGERPRINT} yet");
        let planned = machine.plan(|host| Ok(host.rpm_key(OTHER_FINGERPRINT).present()?));
        assert_eq!(planned.unwrap(), Outcome::Unknown { why });
    }
}
