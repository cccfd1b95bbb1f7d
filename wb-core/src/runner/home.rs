//! Where a host keeps what is its own: its configuration, its record, its copy of the herd's refs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::chain::nearest;
use crate::registry::{Access, AllowedSigners, ObjectError, Registry, RegistryError};
use crate::system::clock::{Real, wait_until};
use crate::system::fault::{self, Subject};
use crate::system::files::Lock;
use crate::system::{CommandError, FileError, environment, files};

/// The directories of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    config: PathBuf,
    state: PathBuf,
}

/// What `host.toml` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostConfig {
    /// Who this machine is.
    pub uuid: Uuid,
    /// What people call it.
    pub name: String,
    /// The git repository that the herd lives in.
    pub remote: String,
    /// How often to look for changes, as `30s`.
    #[serde(default = "default_poll", with = "duration")]
    pub poll: Duration,
    /// Where the runner is installed.
    pub runner: PathBuf,
    /// How often a host that is up to date asks the specs of what it completed whether that still holds, as `1h`; never:
    /// `0s`. An older runner refuses the key, so that it stands there only where somebody wants something unusual.
    #[serde(default = "default_verify", with = "duration", skip_serializing_if = "is_default_verify")]
    pub verify: Duration,
}

impl HostConfig {
    /// How often hosts ask their specs, where nobody says otherwise.
    pub const VERIFY: Duration = Duration::from_secs(3600);
}

impl HostConfig {
    /// Reads the text of a `host.toml`.
    ///
    /// # Errors
    /// With line and column, what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| mistake(text, &error))
    }
}

/// Why a host's own files can't be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// It is no host yet.
    #[error("this machine is not enrolled: there is no {}", path.display())]
    NotEnrolled {
        /// The missing file.
        path: PathBuf,
    },
    /// It was being given another identity.
    #[error("this machine was being given another identity, and that did not end: there is {}", path.display())]
    Unfinished {
        /// What the new identity says of itself.
        path: PathBuf,
    },
    /// The configuration can't be understood.
    #[error("{}: {what}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        what: String,
    },
    /// Git and we do not touch what somebody else may have put there.
    #[error("the repository {} belongs to the user {owner}, and this is the user {me}", path.display())]
    Foreign {
        /// The repository.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who runs this.
        me: u32,
    },
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The copy of the refs can't be opened.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// An identity that is prepared beside the present one. It counts from when its `host.toml` is written: whatever happens
/// then, it is put in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Next {
    /// Its files.
    pub(super) home: Home,
    /// Where they go when all of them are in place.
    pub(super) done: PathBuf,
}

/// Where hosts have their configuration.
pub(super) const DEFAULT_CONFIG: &str = "/etc/wildebeest";

/// Where hosts keep their record.
pub(super) const DEFAULT_STATE: &str = "/var/lib/wildebeest";

/// The directory of the sockets of kept connections.
const CONNECTIONS: &str = "ssh";

/// The path of a socket has at most 107 bytes, of which ssh takes 59 for the name that it gives one while it is made.
const LONGEST_CONNECTIONS: usize = 107 - 59;
/// The name of the runner before this one, beside the record.
pub(super) const PREVIOUS_RUNNER: &str = "runner.previous";

impl Home {
    /// The home in these two directories.
    pub fn new(config: impl Into<PathBuf>, state: impl Into<PathBuf>) -> Self {
        Self { config: config.into(), state: state.into() }
    }

    /// The arguments that name these directories, where they are not the ones that everybody expects.
    pub(crate) fn args(&self) -> Vec<String> {
        let given = [("--config", &self.config, DEFAULT_CONFIG), ("--state", &self.state, DEFAULT_STATE)];
        let unusual = given.into_iter().filter(|(_, path, usual)| *path != Path::new(usual));
        unusual.flat_map(|(option, path, _)| [option.to_owned(), path.display().to_string()]).collect()
    }

    /// The file that says who this host is.
    #[must_use]
    pub fn host_toml(&self) -> PathBuf {
        self.config.join("host.toml")
    }

    /// What links are to see of a herd on a machine that belongs to none, and that they are drilled on.
    #[must_use]
    pub fn drill_json(&self) -> PathBuf {
        self.config.join("drill.json")
    }

    /// The private key that this host signs and connects with.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.config.join("host_key")
    }

    /// The identity that this machine is about to get.
    #[must_use]
    pub(super) fn next(&self) -> Next {
        Next {
            home: Self::new(self.config.join("next"), self.config.join("next")),
            done: self.config.join("next.done"),
        }
    }

    /// Whose changes count.
    #[must_use]
    pub fn allowed_signers(&self) -> PathBuf {
        self.config.join("allowed_signers")
    }

    /// The record of what this host has done.
    #[must_use]
    pub fn record(&self) -> PathBuf {
        self.state.join("record.json")
    }

    /// What keeps this host from going on: for `wildebeest status`.
    #[must_use]
    pub fn notices(&self) -> PathBuf {
        self.state.join("notices.json")
    }

    /// The directory for everything that changes.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The runner before the present one.
    #[must_use]
    pub fn previous_runner(&self) -> PathBuf {
        self.state.join(PREVIOUS_RUNNER)
    }

    /// The configuration.
    ///
    /// # Errors
    /// When the machine is not enrolled, or the file can't be understood.
    pub fn read_config(&self) -> Result<HostConfig, HomeError> {
        let (path, next) = (self.host_toml(), self.next().home.host_toml());
        if files::exists(&next) {
            return Err(HomeError::Unfinished { path: next });
        }
        let bytes = files::read_optional(&path)?.ok_or_else(|| HomeError::NotEnrolled { path: path.clone() })?;
        HostConfig::parse(&String::from_utf8_lossy(&bytes)).map_err(|what| HomeError::Syntax { path, what })
    }

    /// Writes the configuration.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write_config(&self, config: &HostConfig) -> Result<(), HomeError> {
        let what = |error: toml::ser::Error| HomeError::Syntax { path: self.host_toml(), what: error.to_string() };
        let _during = fault::during(Subject::HostToml);
        Ok(files::write(self.host_toml(), toml::to_string(config).map_err(what)?, 0o644)?)
    }

    /// Whose changes count.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn read_allowed_signers(&self) -> Result<AllowedSigners, HomeError> {
        Ok(AllowedSigners::new(files::read_text(self.allowed_signers())?))
    }

    /// The copy of the herd's refs, for who has the [lock](Self::lock): one that is broken is made anew, since all of it is
    /// on the remote.
    ///
    /// # Errors
    /// When it can't be made or opened, or belongs to another user.
    pub fn registry(&self, remote: &str) -> Result<Registry, HomeError> {
        self.registry_as(remote, &self.key())
    }

    /// The copy of the herd's refs, for whoever has the lock and this private key.
    ///
    /// # Errors
    /// As [`Home::registry`].
    pub(super) fn registry_as(&self, remote: &str, key: &Path) -> Result<Registry, HomeError> {
        let opened = match self.open_registry(remote, key) {
            Err(HomeError::Registry(
                RegistryError::Object(ObjectError::Open { .. })
                | RegistryError::Broken { .. }
                | RegistryError::Init { source: CommandError::Failed { .. }, .. },
            )) => {
                files::remove_tree(self.refs())?;
                self.open_registry(remote, key)
            }
            opened => opened,
        };
        Ok(opened?.mending()?)
    }

    /// The copy of the herd's refs, for who only looks, while an agent may be at work in it.
    ///
    /// # Errors
    /// When it is broken, can't be opened, or belongs to another user.
    pub fn registry_beside(&self, remote: &str) -> Result<Registry, HomeError> {
        self.open_registry(remote, &self.key())
    }

    fn open_registry(&self, remote: &str, key: &Path) -> Result<Registry, HomeError> {
        let path = self.refs();
        let (owner, me) = (files::stat(&path)?.map(|stat| stat.uid), environment::user());
        if let Some(owner) = owner.filter(|owner| *owner != me) {
            return Err(HomeError::Foreign { path, owner, me });
        }
        // A connection was opened with a key, and is good for no other.
        let connections = if *key == *self.key() { self.connections()? } else { None };
        let registry = Registry::open(&path, remote, Access::Host { key: key.to_owned(), connections })?;
        registry.check()?;
        Ok(registry)
    }

    fn refs(&self) -> PathBuf {
        self.state.join("herd.git")
    }

    /// Lets the next connection be a new one: those that are open were opened with another key.
    ///
    /// # Errors
    /// When their sockets can't be removed.
    pub(super) fn forget_connections(&self) -> Result<(), FileError> {
        files::remove_tree(self.state.join(CONNECTIONS)).map(drop)
    }

    /// Where the sockets of kept ssh connections lie, if their paths are not too long for that.
    fn connections(&self) -> Result<Option<PathBuf>, FileError> {
        let path = self.state.join(CONNECTIONS);
        if path.as_os_str().len() > LONGEST_CONNECTIONS {
            return Ok(None);
        }
        if !files::exists(&path) {
            files::create_private_dir(&path)?;
        }
        Ok(Some(path))
    }

    /// The right to change this host's record, or nothing where another process has it. A runner that was taken over has
    /// it from the one before. It ends with the process that has it, however that ends.
    ///
    /// # Errors
    /// When the lock can't be made.
    pub fn lock(&self) -> Result<Option<Lock>, FileError> {
        let path = self.lock_file();
        if let Some(lock) = Lock::inherited(&path) {
            return Ok(Some(lock));
        }
        // A process that is just being started holds copies of our files for a moment.
        let _during = fault::during(Subject::AgentLock);
        let free = || files::try_lock(&path).transpose();
        let lock = wait_until(&Real, Duration::from_secs(2), Duration::from_millis(20), free).transpose()?;
        Ok(lock.inspect(|lock| lock.sign(&format!("{}\n", std::process::id()))))
    }

    /// Which process took the lock last.
    #[must_use]
    pub fn holder(&self) -> Option<u32> {
        files::read_text(self.lock_file()).ok()?.trim().parse().ok()
    }

    fn lock_file(&self) -> PathBuf {
        self.state.join("agent.lock")
    }
}

/// The keys of `host.toml`.
pub(super) const KEYS: [&str; 6] = ["uuid", "name", "remote", "poll", "runner", "verify"];

/// What is wrong with a configuration, and where.
fn mistake(text: &str, error: &toml::de::Error) -> String {
    let span = error.span().unwrap_or_default();
    let before = text.get(..span.start).unwrap_or(text);
    let (line, column) =
        (before.matches('\n').count() + 1, before.chars().rev().take_while(|c| *c != '\n').count() + 1);
    let written = text.get(span).unwrap_or_default();
    let said = error.message().lines().collect::<Vec<_>>().join(": ");
    match nearest(written, KEYS) {
        Some(near) if near != written && said.starts_with("unknown field") => {
            format!("line {line}, column {column}: there is no key `{written}`; did you mean `{near}`?")
        }
        _ => format!("line {line}, column {column}: {said}"),
    }
}

fn default_poll() -> Duration {
    Duration::from_secs(30)
}

fn default_verify() -> Duration {
    HostConfig::VERIFY
}

fn is_default_verify(verify: &Duration) -> bool {
    *verify == HostConfig::VERIFY
}

mod duration {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&humantime::format_duration(*duration).to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map_err(|error| D::Error::custom(format!("`{text}`: {error}, write `30s`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(text: &str) -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path(), dir.path());
        files::write(home.host_toml(), text, 0o644).unwrap();
        (dir, home)
    }

    #[test]
    fn a_configuration_is_read_back() {
        let (_dir, home) = home("");
        let config = HostConfig {
            uuid: Uuid::from_u128(1),
            name: "web1".into(),
            remote: "/srv/herd.git".into(),
            poll: Duration::from_secs(2),
            runner: "/usr/local/bin/wildebeest".into(),
            verify: HostConfig::VERIFY,
        };
        for config in [HostConfig { verify: Duration::ZERO, ..config.clone() }, config] {
            home.write_config(&config).unwrap();
            assert_eq!(home.read_config().unwrap(), config);
        }
        assert!(!files::read_text(home.host_toml()).unwrap().contains("verify"), "older runners refuse the key");
    }

    #[test]
    fn a_mistake_is_named_with_its_place() {
        let uuid = Uuid::nil();
        let (_dir, home) = home(&format!("uuid = '{uuid}'\nname = 'a'\nremote = 'x'\nrunner = 'x'\npoll = 'soon'\n"));
        let error = home.read_config().unwrap_err().to_string();
        assert!(error.contains("line 5") && error.contains("`soon`"), "{error}");
    }

    #[test]
    fn a_copy_of_the_refs_with_a_torn_ref_is_made_anew() {
        let (dir, home) = home("");
        home.registry("/srv/herd.git").unwrap();
        let (kept, torn) = (dir.path().join("herd.git/kept"), dir.path().join("herd.git/refs/seen/changes"));
        files::write(&kept, "", 0o644).unwrap();
        home.registry("/srv/herd.git").unwrap();
        assert!(files::exists(&kept));
        files::create_dir(torn.parent().unwrap()).unwrap();
        files::write(&torn, "", 0o644).unwrap();
        let error = home.registry_beside("/srv/herd.git").unwrap_err().to_string();
        assert!(error.contains(" is broken: ") && files::exists(&kept), "who only looks mends nothing: {error}");
        home.registry("/srv/herd.git").unwrap();
        assert_eq!((files::exists(&kept), files::exists(&torn)), (false, false));
    }

    #[test]
    fn a_misspelt_key_is_named_with_the_one_that_was_meant() {
        let check = |text: &str, expect: &str| {
            let (_dir, home) = home(text);
            let error = home.read_config().unwrap_err().to_string();
            assert_eq!(error.split_once("host.toml: ").unwrap().1, expect, "{text}");
        };
        let uuid = format!("uuid = '{}'\n", Uuid::nil());
        check(&format!("{uuid}nmae = 'a'\n"), "line 2, column 1: there is no key `nmae`; did you mean `name`?");
        check(
            &format!("{uuid}  remotes = 'a'\n"),
            "line 2, column 3: there is no key `remotes`; did you mean `remote`?",
        );
        check(
            &format!("{uuid}zzzzzz = 'a'\n"),
            "line 2, column 1: unknown field `zzzzzz`, expected one of `uuid`, `name`, `remote`, `poll`, `runner`, `verify`",
        );
        check("uuid = 'a'\n", "line 1, column 8: UUID parsing failed: invalid length: found 1");
        check(&format!("{uuid}name = 'a'\n"), "line 1, column 1: missing field `remote`");
    }

    #[test]
    fn only_unusual_directories_are_named() {
        assert!(Home::new(DEFAULT_CONFIG, DEFAULT_STATE).args().is_empty());
        assert_eq!(Home::new(DEFAULT_CONFIG, "/srv/wb").args(), ["--state", "/srv/wb"]);
    }

    #[test]
    fn a_machine_that_is_not_enrolled_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let error = Home::new(dir.path(), dir.path()).read_config().unwrap_err().to_string();
        assert!(error.starts_with("this machine is not enrolled: there is no "), "{error}");
    }
}
