//! Keys that pacman trusts: they are in its keyring, `/etc/pacman.d/gnupg`, and signed there by the host's own key.

use std::time::Duration;

use anyhow::Result;
use wb_core::context::Outcome;
use wb_core::system::files::{Attributes, FileError};
use wb_core::system::{Command, CommandError, System};

use crate::ensure::{Difference, ensure};
use crate::openpgp::{self, PublicKey};
use crate::temporary::{TemporaryDir, TemporaryError};
use crate::{Host, Look};

const KEYRING: &str = "/etc/pacman.d/gnupg";
/// Without this there is no keyring yet.
const TRUST: &str = "/etc/pacman.d/gnupg/trustdb.gpg";
const RUN_BOUND: Duration = Duration::from_secs(600);

/// What can go wrong with the keys that pacman trusts.
#[derive(Debug, thiserror::Error)]
pub enum PacmanKeyError {
    /// It is no key.
    #[error("what is to be a key for pacman is {found}\nhint: `gpg --armor --export KEY` writes one that is")]
    BadKey {
        /// What it is.
        found: &'static str,
    },
    /// By its fingerprint alone it can't be trusted.
    #[error(
        "pacman's keyring does not have the key {fingerprint}, of which only the fingerprint is said\n\
         hint: say the key itself"
    )]
    OnlyFingerprint {
        /// The fingerprint.
        fingerprint: String,
    },
    /// It is not known whether it is trusted.
    #[error("could not see whether pacman trusts the key {fingerprint}")]
    Look {
        /// The fingerprint.
        fingerprint: String,
        /// Why.
        source: CommandError,
    },
    /// pacman-key did not do it.
    #[error("could not {action} keys of pacman")]
    Act {
        /// What was being done.
        action: &'static str,
        /// Why.
        source: CommandError,
    },
    /// pacman-key ended well, and it is not so.
    #[error("pacman-key was to {action} the key {fingerprint}, and ended well, but it is not so")]
    NotSo {
        /// What was being done.
        action: &'static str,
        /// The fingerprint.
        fingerprint: String,
    },
    /// There is no place from which pacman-key could read it.
    #[error(transparent)]
    Temporary(#[from] TemporaryError),
    /// The file system failed.
    #[error(transparent)]
    File(#[from] FileError),
}

impl PacmanKeyError {
    /// The program that is missing to look, which an operation before may bring.
    pub(crate) fn lacks(&self) -> Option<String> {
        match self {
            Self::Look { source: CommandError::NotFound { program, .. }, .. } => {
                Some(format!("the program `{program}` is not installed yet"))
            }
            _ => None,
        }
    }
}

/// What pacman's keyring says of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Absent,
    /// It is there, and nothing that it signed is taken.
    Known,
    Trusted,
}

/// A key, or several, for pacman. [`Look::pacman_key`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn trust_ourselves(host: &Host, key: &[u8]) -> Result<()> {
///     host.pacman_key(key).present()?; // such as `asset!("packages.asc")`
///     host.pacman_key("9D61 2A10 4F1B 6E6B 4C36  0D37 5B6A 73C9 F4A8 0EB5").absent()?;
///     Ok(())
/// }
///
/// fn we_are_trusted(host: &View) -> Result<()> {
///     host.pacman_key("1F3C 6B0D 52E4 7A98 0C1D  9E27 44B5 D8A6 F013 7C2E").is_trusted()
/// }
/// # let key = wb_stdlib::testing::samples::OPENPGP_KEY.as_bytes();
/// # wb_stdlib::testing::web1().rehearse(|host| trust_ourselves(host, key)).asks(we_are_trusted);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct PacmanKey<A> {
    access: A,
    said: Vec<u8>,
}

impl<A: Look> PacmanKey<A> {
    pub(crate) fn new(access: A, said: Vec<u8>) -> Self {
        Self { access, said }
    }

    /// Checks that pacman trusts it.
    ///
    /// # Errors
    /// When it does not, or does not say.
    pub fn is_trusted(&self) -> Result<()> {
        match untrusted(self.system(), &self.keys()?)?.first() {
            None => Ok(()),
            Some(key) => anyhow::bail!("expected pacman to trust the {key}, found that it does not"),
        }
    }

    fn keys(&self) -> Result<Vec<PublicKey>, PacmanKeyError> {
        openpgp::said(&self.said).map_err(|found| PacmanKeyError::BadKey { found })
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl PacmanKey<Host<'_>> {
    /// pacman trusts it: for the packages of all repositories.
    ///
    /// # Errors
    /// When it is no key, or pacman-key does not take it.
    pub fn present(self) -> Result<Outcome, PacmanKeyError> {
        let keys = self.keys()?;
        let what = self.what(&keys, "present");
        let untrusted = match untrusted(self.system(), &keys) {
            Err(error) if self.access.plans() && error.lacks().is_some() => return self.unknown(&what, &error),
            untrusted => untrusted?,
        };
        match untrusted.first() {
            // An operation before may bring the key itself.
            Some(key) if openpgp::is_fingerprint(&self.said) && self.access.plans() => {
                let why = format!("pacman does not trust the key {} yet", key.fingerprint);
                return ensure(self.access, &what, Difference::Unknown(why), || Ok(()));
            }
            Some(key) if openpgp::is_fingerprint(&self.said) => {
                return Err(PacmanKeyError::OnlyFingerprint { fingerprint: key.fingerprint.clone() });
            }
            // The last run may have been killed when pacman had it.
            None if !self.access.plans() => TemporaryDir::tidy(self.system())?,
            _ => {}
        }
        let lines = untrusted.iter().map(|key| format!("+ {key}"));
        ensure(self.access, &what, Difference::of_lines(lines), || trust(self.system(), &self.said, &untrusted))
    }

    /// It is not in pacman's keyring. Packages that it signed stay.
    ///
    /// # Errors
    /// When it is neither a key nor a fingerprint, or pacman-key does not let it go.
    pub fn absent(self) -> Result<Outcome, PacmanKeyError> {
        let keys = self.keys()?;
        let what = self.what(&keys, "absent");
        let known = match known(self.system(), &keys) {
            Err(error) if self.access.plans() && error.lacks().is_some() => return self.unknown(&what, &error),
            known => known?,
        };
        let lines = known.iter().map(|key| format!("- {key}"));
        ensure(self.access, &what, Difference::of_lines(lines), || remove(self.system(), &known))
    }

    fn what(&self, keys: &[PublicKey], word: &str) -> String {
        let fingerprints: Vec<&str> = keys.iter().map(|key| key.fingerprint.as_str()).collect();
        format!("pacman key {} {word}", fingerprints.join(", "))
    }

    fn unknown(&self, what: &str, error: &PacmanKeyError) -> Result<Outcome, PacmanKeyError> {
        let why = error.lacks().unwrap_or_default();
        ensure(self.access, what, Difference::Unknown(why), || Ok(()))
    }
}

/// Those of these keys that pacman does not trust.
pub(crate) fn untrusted(system: &System, keys: &[PublicKey]) -> Result<Vec<PublicKey>, PacmanKeyError> {
    those(system, keys, |state| state != State::Trusted)
}

/// Those of these keys that are in its keyring.
fn known(system: &System, keys: &[PublicKey]) -> Result<Vec<PublicKey>, PacmanKeyError> {
    those(system, keys, |state| state != State::Absent)
}

fn those(
    system: &System,
    keys: &[PublicKey],
    is_one: impl Fn(State) -> bool,
) -> Result<Vec<PublicKey>, PacmanKeyError> {
    let mut those = Vec::new();
    for key in keys {
        if is_one(state(system, &key.fingerprint)?) {
            those.push(key.clone());
        }
    }
    Ok(those)
}

/// Lets pacman trust keys, which this content has. The host gets a keyring, and a key of its own to sign them with,
/// where it has none.
pub(crate) fn trust(system: &System, content: &[u8], keys: &[PublicKey]) -> Result<(), PacmanKeyError> {
    let place = TemporaryDir::make(system, None)?;
    let file = place.path().join("key");
    system.write_file(&file, content, Attributes::mode(0o600))?;
    act(system, "add", &pacman_key("--init"))?;
    act(system, "add", &pacman_key("--add").arg(&file))?;
    for key in keys {
        act(system, "sign", &pacman_key("--lsign-key").arg(&key.fingerprint))?;
    }
    match untrusted(system, keys)?.first() {
        None => Ok(()),
        Some(key) => Err(PacmanKeyError::NotSo { action: "sign", fingerprint: key.fingerprint.clone() }),
    }
}

fn remove(system: &System, keys: &[PublicKey]) -> Result<(), PacmanKeyError> {
    for key in keys {
        act(system, "remove", &pacman_key("--delete").arg(&key.fingerprint))?;
    }
    match known(system, keys)?.first() {
        None => Ok(()),
        Some(key) => Err(PacmanKeyError::NotSo { action: "remove", fingerprint: key.fingerprint.clone() }),
    }
}

fn act(system: &System, action: &'static str, command: &Command) -> Result<(), PacmanKeyError> {
    system.read_command(command).map(drop).map_err(|source| PacmanKeyError::Act { action, source })
}

fn state(system: &System, fingerprint: &str) -> Result<State, PacmanKeyError> {
    if system.stat(TRUST)?.is_none() {
        return Ok(State::Absent);
    }
    let look = |source| PacmanKeyError::Look { fingerprint: fingerprint.to_owned(), source };
    let list = list(fingerprint);
    let output = system.run(&list).map_err(look)?;
    match output.code {
        0 => Ok(parse(&output.text())),
        _ if output.error_text().contains("No public key") => Ok(State::Absent),
        _ => output.success(&list).map(|_| State::Absent).map_err(look),
    }
}

/// Asks gpg, which writes nothing then.
fn list(fingerprint: &str) -> Command {
    quiet(Command::new("gpg"))
        .args(["--homedir", KEYRING, "--batch", "--no-permission-warning", "--no-auto-check-trustdb", "--lock-never"])
        .args(["--with-colons", "--list-keys", fingerprint])
}

fn pacman_key(action: &str) -> Command {
    quiet(Command::new("pacman-key")).arg(action)
}

fn quiet(command: Command) -> Command {
    command.env("LC_ALL", "C.UTF-8").timeout(RUN_BOUND)
}

/// Reads `pub:f:3072:1:678CFDE12197965A:…`: the second field tells how valid it is. pacman takes what is fully or
/// ultimately so.
fn parse(text: &str) -> State {
    let validity = text.lines().find_map(|line| line.strip_prefix("pub:")?.split(':').next());
    match validity {
        None => State::Absent,
        Some("f" | "u") => State::Trusted,
        Some(_) => State::Known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Machine, changed};
    use crate::openpgp::fixtures::{FINGERPRINT, KEY};

    /// gpg 2.2.40, after `pacman-key --lsign-key`, and before it.
    const TRUSTED: &str = "tru::1:1764420000:0:3:1:5\n\
                           pub:f:256:22:678CFDE12197965A:1408464651:::-:::scSC:::::ed25519:::0:\n\
                           fpr:::::::::C959BDBAFA32A2F89A153B678CFDE12197965A9A:\n\
                           uid:f::::1408464651::0A::Shop:::::::::0:\n";
    const KNOWN: &str = "pub:-:256:22:678CFDE12197965A:1408464651:::-:::scSC:::::ed25519:::0:\n";
    const NOBODY: &str = "gpg: error reading key: No public key";

    fn present(host: &Host) -> Result<Outcome> {
        Ok(host.pacman_key(KEY).present()?)
    }

    fn arch() -> Machine {
        Machine::new().file(TRUST, "")
    }

    fn line() -> String {
        format!("+ key {FINGERPRINT} of Shop <shop@example.org>")
    }

    #[test]
    fn how_valid_a_key_is_is_read_from_what_gpg_says() {
        let check = |text: &str, expect| assert_eq!(parse(text), expect, "{text}");
        check(TRUSTED, State::Trusted);
        check(KNOWN, State::Known);
        check("pub:u:3072:1:678CFDE12197965A:1:::u:::scESC::::::23::0:\n", State::Trusted);
        check("pub:r:3072:1:678CFDE12197965A:1:::-:::sc::::::23::0:\n", State::Known);
        check("", State::Absent);
    }

    #[test]
    fn one_that_is_trusted_costs_one_look() {
        let machine = arch().answer("gpg", 0, TRUSTED);
        assert_eq!(machine.apply(present).unwrap(), Outcome::Unchanged);
        assert_eq!(machine.calls().len(), 1);
        assert_eq!(machine.said(), format!("= pacman key {FINGERPRINT} present"));
        machine.view(|host| host.pacman_key(FINGERPRINT).is_trusted()).unwrap();
    }

    #[test]
    fn a_new_one_is_added_and_signed() {
        let machine = Machine::new().answer("gpg", 0, TRUSTED).answer("pacman-key", 0, "");
        let machine = machine.does("pacman-key --init", |root, _| {
            let trust = root.join(TRUST.trim_start_matches('/'));
            wb_core::system::files::create_dir(trust.parent().unwrap()).unwrap();
            wb_core::system::files::write(trust, "", 0o644).unwrap();
        });
        assert_eq!(machine.plan(present).unwrap(), changed(&line()));
        assert_eq!(machine.calls(), [""; 0]);
        assert_eq!(machine.apply(present).unwrap(), changed(&line()));
        let calls = machine.calls();
        assert!(calls[1].starts_with("pacman-key --add /var/cache/wildebeest/"), "{calls:?}");
        assert_eq!(calls[2], format!("pacman-key --lsign-key {FINGERPRINT}"));
        assert_eq!(machine.stat("/var/cache/wildebeest"), None);
    }

    #[test]
    fn one_that_was_added_and_not_signed_is_signed() {
        let machine = arch().answers("gpg", &[(0, KNOWN), (0, TRUSTED)]).answer("pacman-key", 0, "");
        assert_eq!(machine.apply(present).unwrap(), changed(&line()));
        let machine = arch().answer("gpg", 0, KNOWN).answer("pacman-key", 0, "");
        let error = machine.apply(present).unwrap_err().to_string();
        assert_eq!(error, format!("pacman-key was to sign the key {FINGERPRINT}, and ended well, but it is not so"));
    }

    #[test]
    fn one_is_taken_away_by_its_fingerprint() {
        let absent = |host: &Host| Ok(host.pacman_key(FINGERPRINT).absent()?);
        let machine = arch().complains("gpg", &[(2, NOBODY)]);
        assert_eq!(machine.apply(absent).unwrap(), Outcome::Unchanged);
        let machine = arch().answer("gpg", 0, TRUSTED).answer("pacman-key", 0, "");
        assert_eq!(machine.plan(absent).unwrap(), changed(&format!("- key {FINGERPRINT}")));
        let error = machine.apply(absent).unwrap_err().to_string();
        assert_eq!(error, format!("pacman-key was to remove the key {FINGERPRINT}, and ended well, but it is not so"));
        assert!(machine.calls().contains(&format!("pacman-key --delete {FINGERPRINT}")));
    }

    #[test]
    fn a_keyring_that_can_not_be_read_is_an_error() {
        let machine = arch().complains("gpg", &[(2, "gpg: keydb_search failed: Broken pipe")]);
        let error = machine.apply(present).unwrap_err();
        assert_eq!(error.to_string(), format!("could not see whether pacman trusts the key {FINGERPRINT}"));
        let why = "the program `gpg` is not installed yet".into();
        assert_eq!(arch().plan(present).unwrap(), Outcome::Unknown { why });
        assert!(arch().apply(present).is_err());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let check = |said: &'static str, expect: &str| {
            let error = Machine::new().apply(|host| Ok(host.pacman_key(said).present()?)).unwrap_err().to_string();
            assert!(error.starts_with(expect), "{error}");
        };
        check("<html>404", "what is to be a key for pacman is no public key of OpenPGP\nhint: ");
        check(FINGERPRINT, &format!("pacman's keyring does not have the key {FINGERPRINT}, of which only"));
        let why = format!("pacman does not trust the key {FINGERPRINT} yet");
        let planned = Machine::new().plan(|host| Ok(host.pacman_key(FINGERPRINT).present()?));
        assert_eq!(planned.unwrap(), Outcome::Unknown { why });
    }
}
