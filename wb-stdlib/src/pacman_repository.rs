//! Repositories that pacman takes packages from: sections of `/etc/pacman.conf`, and the key that their packages are
//! signed with.

use anyhow::Result;
use wb_core::context::Outcome;
use wb_core::system::System;
use wb_core::system::files::FileError;

use crate::ensure::{Difference, ensure};
use crate::look::Access as _;
use crate::openpgp::{self, PublicKey};
use crate::pacman_conf::{self, PATH};
use crate::pacman_key::{self, PacmanKeyError};
use crate::repository::RepositoryMistake;
use crate::temporary::TemporaryDir;
use crate::text_file::{TextFile, TextFileError};
use crate::{Host, Look};

/// What can go wrong with a repository for pacman.
#[derive(Debug, thiserror::Error)]
pub enum PacmanRepositoryError {
    /// No repository can be called so.
    #[error("`{name}` is no name of a repository\nhint: names have letters, digits, `-`, `_` and `.`")]
    BadName {
        /// What was asked for.
        name: String,
    },
    /// What is said of it is not enough, or would mean something else.
    #[error(transparent)]
    Mistake(#[from] RepositoryMistake),
    /// The repository that it is to stand before is not there.
    #[error("the repository `{name}` is to come before `{other}`, and there is no such repository in /etc/pacman.conf")]
    NoOther {
        /// The repository.
        name: String,
        /// The other one.
        other: String,
    },
    /// pacman does not take the key.
    #[error(transparent)]
    Key(#[from] PacmanKeyError),
    /// A file can't be read or written.
    #[error(transparent)]
    Text(#[from] TextFileError),
}

impl From<FileError> for PacmanRepositoryError {
    fn from(error: FileError) -> Self {
        Self::Text(error.into())
    }
}

/// What the packages of a repository are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    /// What pacman.conf says of all repositories.
    None,
    /// Nothing.
    Trusted,
    Own(Vec<u8>),
}

/// A repository of packages for pacman. [`Look::pacman_repository`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn follow_ourselves(host: &Host, key: &[u8]) -> Result<()> {
///     host.pacman_repository("shop")
///         .uri("https://packages.example.org/$repo/os/$arch")
///         .key(key) // such as `asset!("packages.asc")`
///         .before("core")
///         .present()?;
///     host.packages(["shop"]).installed()?;
///     host.pacman_repository("shop-testing").absent()?;
///     Ok(())
/// }
///
/// fn we_are_followed(host: &View) -> Result<()> {
///     host.pacman_repository("shop").exists()
/// }
/// # let key = wb_stdlib::testing::samples::OPENPGP_KEY.as_bytes();
/// # let host = wb_stdlib::testing::web1().file("/etc/pacman.conf", "[core]\nInclude = /etc/pacman.d/mirrorlist\n");
/// # host.rehearse(|host| follow_ourselves(host, key)).asks(we_are_followed);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct PacmanRepository<A> {
    access: A,
    name: String,
    uris: Vec<String>,
    mirror_list: Option<String>,
    key: Key,
    has_signed_lists: bool,
    before: Option<String>,
}

impl<A: Look> PacmanRepository<A> {
    pub(crate) fn new(access: A, name: &str) -> Self {
        let (name, uris, mirror_list, key) = (name.to_owned(), Vec::new(), None, Key::None);
        Self { access, name, uris, mirror_list, key, has_signed_lists: false, before: None }
    }

    /// Checks that pacman.conf has it.
    ///
    /// # Errors
    /// When it has not.
    pub fn exists(&self) -> Result<()> {
        self.check_name()?;
        let file = TextFile::read(self.system(), PATH)?;
        let is_there = pacman_conf::has_section(file.text(), &self.name);
        anyhow::ensure!(is_there, "expected the repository `{}` in {PATH}, found none", self.name);
        Ok(())
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }

    /// `options` is no repository, and `local` is what pacman calls the packages that are installed.
    fn check_name(&self) -> Result<(), PacmanRepositoryError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_name = self.name.starts_with(|c: char| c.is_ascii_alphanumeric()) && self.name.chars().all(allowed);
        match is_name && !["options", "local"].contains(&self.name.as_str()) {
            true => Ok(()),
            false => Err(PacmanRepositoryError::BadName { name: self.name.clone() }),
        }
    }
}

impl PacmanRepository<Host<'_>> {
    /// Where it is: `https://packages.example.org/$repo/os/$arch`, or `file:///srv/repository`. Called again, it adds a
    /// mirror.
    #[doc(alias = "Server")]
    pub fn uri(mut self, uri: impl Into<String>) -> Self {
        self.uris.push(uri.into());
        self
    }

    /// The file of this host that has its mirrors, as in `/etc/pacman.d/mirrorlist`.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn follow_others(host: &Host) -> Result<()> {
    ///     let multilib = host.pacman_repository("multilib").mirror_list("/etc/pacman.d/mirrorlist");
    ///     multilib.with_signed_lists().present()?;
    ///     host.pacman_repository("here").uri("file:///srv/repository").trusted().present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(follow_others);
    /// ```
    #[doc(alias = "Include")]
    pub fn mirror_list(mut self, path: impl Into<String>) -> Self {
        self.mirror_list = Some(path.into());
        self
    }

    /// The OpenPGP key that its packages are signed with, armored or binary: `asset!("packages.asc")`. pacman trusts it,
    /// for packages of other repositories, too.
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Key::Own(key.into());
        self
    }

    /// Its packages are signed with nothing, and trusted all the same: for repositories on this very host.
    pub fn trusted(mut self) -> Self {
        self.key = Key::Trusted;
        self
    }

    /// Its lists of packages are signed, too, and refused where they are not.
    #[doc(alias = "SigLevel")]
    pub fn with_signed_lists(mut self) -> Self {
        self.has_signed_lists = true;
        self
    }

    /// It comes before this repository, so that a package that both have comes from it. Without this, a new one is the
    /// last.
    pub fn before(mut self, other: impl Into<String>) -> Self {
        self.before = Some(other.into());
        self
    }

    /// pacman takes packages from it.
    ///
    /// Its section has these options, and no others. The key comes first, so that a section that is there has a key that
    /// is trusted, after a crash, too.
    ///
    /// # Errors
    /// When what is said of it is no name, address or key, there is no repository that it is to come before, or pacman
    /// does not take the key.
    pub fn present(self) -> Result<Outcome, PacmanRepositoryError> {
        let (keys, options) = (self.checked_keys()?, self.options()?);
        let what = format!("pacman repository {} present", self.name);
        let file = TextFile::by_now(self.access.context(), PATH)?;
        if let Some(other) = self.before.as_deref().filter(|other| !pacman_conf::has_section(file.text(), other)) {
            return self.without_other(&what, other);
        }
        let untrusted = match pacman_key::untrusted(self.system(), &keys) {
            Err(error) if self.access.plans() && error.lacks().is_some() => {
                return ensure(self.access, &what, Difference::Unknown(error.lacks().unwrap_or_default()), || Ok(()));
            }
            untrusted => untrusted?,
        };
        // The last run may have been killed when pacman had the key.
        if untrusted.is_empty() && !keys.is_empty() && !self.access.plans() {
            TemporaryDir::tidy(self.system()).map_err(PacmanKeyError::from)?;
        }
        let text = pacman_conf::with_section(file.text(), &self.name, &options, self.before.as_deref());
        let lines = untrusted.iter().map(|key| format!("+ {key}")).chain(file.diff(&text));
        file.foresee(self.access.context(), &text)?;
        ensure(self.access, &what, file.known(Difference::of_lines(lines)), || {
            self.trust(&untrusted)?;
            Ok(file.write(&text)?)
        })
    }

    /// pacman takes no packages from it. Packages that came from it stay, and pacman still trusts its key:
    /// [`PacmanKey::absent`](crate::pacman_key::PacmanKey::absent) ends that.
    ///
    /// # Errors
    /// When its name is none, or the file can't be edited.
    pub fn absent(self) -> Result<Outcome, PacmanRepositoryError> {
        self.check_name()?;
        let file = TextFile::by_now(self.access.context(), PATH)?;
        let text = pacman_conf::without_section(file.text(), &self.name);
        file.foresee(self.access.context(), &text)?;
        let what = format!("pacman repository {} absent", self.name);
        ensure(self.access, &what, file.difference(&text), || Ok(file.write(&text)?))
    }

    /// The keys that pacman is to trust for it.
    fn checked_keys(&self) -> Result<Vec<PublicKey>, PacmanRepositoryError> {
        self.check_name()?;
        let Key::Own(key) = &self.key else { return Ok(Vec::new()) };
        Ok(openpgp::keys(key).map_err(|found| RepositoryMistake::BadKey { name: self.name.clone(), found })?)
    }

    /// The options of its section.
    fn options(&self) -> Result<Vec<(&'static str, String)>, RepositoryMistake> {
        let bad = |what, value: &String| {
            Err(RepositoryMistake::BadValue { name: self.name.clone(), what, value: value.clone() })
        };
        if let Some(uri) = self.uris.iter().find(|uri| !is_word(uri) || !uri.contains("://")) {
            return bad("address", uri);
        }
        if let Some(path) = self.mirror_list.iter().find(|path| !is_word(path) || !path.starts_with('/')) {
            return bad("path of a list of mirrors", path);
        }
        if self.uris.is_empty() && self.mirror_list.is_none() {
            let (what, hint) = ("address", "`.uri(\"https://…\")`, or `.mirror_list(\"/etc/…\")`");
            return Err(RepositoryMistake::Lacks { name: self.name.clone(), what, hint });
        }
        let level = self.level().map(|level| ("SigLevel", level.to_owned()));
        let servers = self.uris.iter().map(|uri| ("Server", uri.clone()));
        let mirrors = self.mirror_list.iter().map(|path| ("Include", path.clone()));
        Ok(level.into_iter().chain(servers).chain(mirrors).collect())
    }

    fn level(&self) -> Option<&'static str> {
        match (&self.key, self.has_signed_lists) {
            (Key::Trusted, _) => Some("Never"),
            (Key::None | Key::Own(_), true) => Some("Required"),
            (Key::Own(_), false) => Some("Required DatabaseOptional"),
            (Key::None, false) => None,
        }
    }

    /// In a plan, an operation before may bring the other repository.
    fn without_other(&self, what: &str, other: &str) -> Result<Outcome, PacmanRepositoryError> {
        if self.access.plans() {
            let why = format!("there is no repository `{other}` in {PATH} yet");
            return ensure(self.access, what, Difference::Unknown(why), || Ok(()));
        }
        Err(PacmanRepositoryError::NoOther { name: self.name.clone(), other: other.to_owned() })
    }

    fn trust(&self, untrusted: &[PublicKey]) -> Result<(), PacmanRepositoryError> {
        match &self.key {
            Key::Own(key) if !untrusted.is_empty() => Ok(pacman_key::trust(self.system(), key, untrusted)?),
            _ => Ok(()),
        }
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Machine, changed};
    use crate::openpgp::fixtures::{FINGERPRINT, KEY};

    const CONF: &str = "[options]\nArchitecture = auto\n\n[core]\nInclude = /etc/pacman.d/mirrorlist\n";
    const TRUST: &str = "/etc/pacman.d/gnupg/trustdb.gpg";

    fn arch() -> Machine {
        Machine::new().file(PATH, CONF)
    }

    fn trusted(host: &Host) -> Result<Outcome> {
        Ok(host.pacman_repository("shop").uri("file:///srv/shop").trusted().present()?)
    }

    fn signed(host: &Host) -> Result<Outcome> {
        Ok(host.pacman_repository("shop").uri("https://shop.example.org/$arch").key(KEY).before("core").present()?)
    }

    #[test]
    fn a_repository_is_the_last_and_costs_no_program() {
        let machine = arch();
        let diff = changed("/etc/pacman.conf\n+ \n+ [shop]\n+ SigLevel = Never\n+ Server = file:///srv/shop");
        assert_eq!(machine.plan(trusted).unwrap(), diff);
        assert_eq!(machine.read(PATH).as_deref(), Some(CONF));
        assert_eq!(machine.apply(trusted).unwrap(), diff);
        let expect = format!("{CONF}\n[shop]\nSigLevel = Never\nServer = file:///srv/shop\n");
        assert_eq!(machine.read(PATH), Some(expect));
        assert_eq!(machine.apply(trusted).unwrap(), Outcome::Unchanged);
        machine.view(|host| host.pacman_repository("shop").exists()).unwrap();
        assert_eq!(machine.calls(), [""; 0]);
    }

    #[test]
    fn its_key_is_trusted_first() {
        let machine = arch().file(TRUST, "").answers("gpg", &[(0, "pub:-:256:22:x:"), (0, "pub:f:256:22:x:")]);
        let machine = machine.answer("pacman-key", 0, "").does("pacman-key --lsign-key", |root, _| {
            let conf = wb_core::system::files::read_text(root.join("etc/pacman.conf")).unwrap();
            assert_eq!(conf, CONF, "the section comes last");
        });
        let Outcome::Changed { diff: Some(diff) } = machine.apply(signed).unwrap() else { panic!("it did not change") };
        assert!(diff.starts_with(&format!("+ key {FINGERPRINT} of Shop")), "{diff}");
        let section = "[shop]\nSigLevel = Required DatabaseOptional\nServer = https://shop.example.org/$arch\n";
        assert_eq!(machine.read(PATH), Some(CONF.replace("[core]", &format!("{section}\n[core]"))));
        assert_eq!(machine.apply(signed).unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn what_a_killed_run_left_of_its_key_goes() {
        let machine = arch().file(TRUST, "").answer("gpg", 0, "pub:f:");
        let machine = machine.file("/var/cache/wildebeest/1-0/key", KEY).file("/var/cache/wildebeest/1-0.lock", "");
        machine.plan(signed).unwrap();
        assert!(machine.stat("/var/cache/wildebeest/1-0/key").is_some());
        machine.apply(signed).unwrap();
        assert_eq!(machine.stat("/var/cache/wildebeest"), None);
    }

    #[test]
    fn the_repository_that_it_comes_before_must_be_there() {
        let machine = Machine::new().file(PATH, "[options]\n");
        let why = "there is no repository `core` in /etc/pacman.conf yet".into();
        assert_eq!(machine.plan(signed).unwrap(), Outcome::Unknown { why });
        let error = machine.apply(signed).unwrap_err().to_string();
        let expect = "the repository `shop` is to come before `core`, and there is no such repository in \
                      /etc/pacman.conf";
        assert_eq!(error, expect);
    }

    #[test]
    fn it_can_be_absent() {
        let machine = arch();
        let absent = |host: &Host| Ok(host.pacman_repository("shop").absent()?);
        assert_eq!(machine.apply(absent).unwrap(), Outcome::Unchanged);
        machine.apply(trusted).unwrap();
        assert!(machine.apply(absent).unwrap().changed());
        assert!(machine.view(|host| host.pacman_repository("shop").exists()).is_err());
    }

    #[test]
    fn each_way_to_sign_has_its_level() {
        let check = |say: fn(PacmanRepository<Host<'_>>) -> PacmanRepository<Host<'_>>, expect: &str| {
            let machine = arch().file(TRUST, "").answer("gpg", 0, "pub:f:");
            machine.apply(|host| Ok(say(host.pacman_repository("shop").mirror_list("/x")).present()?)).unwrap();
            let conf = machine.read(PATH).unwrap();
            assert!(conf.ends_with(&format!("\n[shop]\n{expect}Include = /x\n")), "{conf}");
        };
        check(|shop| shop, "");
        check(|shop| shop.trusted(), "SigLevel = Never\n");
        check(|shop| shop.with_signed_lists(), "SigLevel = Required\n");
        check(|shop| shop.key(KEY), "SigLevel = Required DatabaseOptional\n");
        check(|shop| shop.key(KEY).with_signed_lists(), "SigLevel = Required\n");
    }

    #[test]
    fn what_would_mean_something_else_is_refused() {
        let check = |name: &str, uri: &str, expect: &str| {
            let said = arch().apply(|host| Ok(host.pacman_repository(name).uri(uri).present()?));
            let error = said.unwrap_err().to_string();
            assert_eq!(error.lines().next(), Some(expect));
        };
        check("options", "file:///x", "`options` is no name of a repository");
        check("local", "file:///x", "`local` is no name of a repository");
        check("a]b", "file:///x", "`a]b` is no name of a repository");
        check("shop", "/srv/shop", "the repository `shop` can't have the address `/srv/shop`");
        check("shop", "file:///a b", "the repository `shop` can't have the address `file:///a b`");
        let nowhere = arch().apply(|host| Ok(host.pacman_repository("shop").present()?)).unwrap_err().to_string();
        assert!(nowhere.starts_with("the repository `shop` has no address\nhint: "), "{nowhere}");
        let bad = arch().apply(|host| Ok(host.pacman_repository("shop").uri("file:///x").key("x").present()?));
        assert!(bad.unwrap_err().to_string().starts_with("the key of the repository `shop` is no public key"));
    }
}
