//! Repositories that dnf and zypper take packages from: `/etc/yum.repos.d/NAME.repo` or `/etc/zypp/repos.d/NAME.repo`,
//! and the key that their packages are signed with.
//!
//! rpm trusts a key for all packages, from whichever repository they come: see [`rpm_key`].

mod error;
mod key;
mod section;

use std::path::Path;

use anyhow::Result;
use wb_core::context::Outcome;
use wb_core::system::System;
use wb_core::system::files;

use crate::ensure::{Difference, ensure};
use crate::foresight::{self, Thing};
use crate::look::Access as _;
use crate::openpgp::PublicKey;
use crate::packages::Manager;
use crate::rpm_key;
use crate::text_file::TextFile;
use crate::{Host, Look};
pub use error::RpmRepositoryError;
use key::Key;
use section::{Reader, Section, has_section};

/// A repository of packages for dnf or zypper. [`Look::rpm_repository`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn follow_docker(host: &Host, key: &[u8]) -> Result<()> {
///     host.rpm_repository("docker-ce")
///         .title("Docker CE")
///         .uri("https://download.docker.com/linux/fedora/$releasever/$basearch/stable")
///         .key(key) // such as `asset!("docker.asc")`
///         .present()?;
///     host.packages(["docker-ce"]).installed()?;
///     host.rpm_repository("docker-ce-test").absent()?;
///     Ok(())
/// }
///
/// fn docker_is_followed(host: &View) -> Result<()> {
///     host.rpm_repository("docker-ce").exists()
/// }
/// # let key = wb_stdlib::testing::samples::OPENPGP_KEY.as_bytes();
/// # wb_stdlib::testing::fedora().rehearse(|host| follow_docker(host, key)).asks(docker_is_followed);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct RpmRepository<A> {
    access: A,
    name: String,
    section: Section,
    key: Key,
    manager: Option<Manager>,
}

/// A file that is to be there.
struct Wanted {
    path: String,
    found: TextFile,
    text: String,
}

impl<A: Look> RpmRepository<A> {
    pub(crate) fn new(access: A, name: &str) -> Self {
        Self { access, name: name.to_owned(), section: Section::default(), key: Key::None, manager: None }
    }

    /// It is one of this manager, [`Manager::Dnf`] or [`Manager::Zypper`]. Without this, of the distribution's own.
    pub fn by(mut self, manager: Manager) -> Self {
        self.manager = Some(manager);
        self
    }

    /// Checks that there is a file of that name for it.
    ///
    /// # Errors
    /// When there is none.
    pub fn exists(&self) -> Result<()> {
        let path = self.path(self.reader()?);
        let found = self.system().stat(&path)?;
        anyhow::ensure!(found.is_some(), "expected the repository `{}` in {path}, found no such file", self.name);
        Ok(())
    }

    /// Who reads it, once its name is known to be one.
    fn reader(&self) -> Result<Reader, RpmRepositoryError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        let is_name = self.name.starts_with(|c: char| c.is_ascii_alphanumeric()) && self.name.chars().all(allowed);
        // dnf's own settings may stand in any of its files, in a section of this name.
        if !is_name || self.name == "main" {
            return Err(RpmRepositoryError::BadName { name: self.name.clone() });
        }
        match self.manager.unwrap_or_else(|| Manager::of(self.system())) {
            Manager::Dnf => Ok(Reader::Dnf),
            Manager::Zypper => Ok(Reader::Zypper),
            manager => Err(RpmRepositoryError::OtherManager { name: self.name.clone(), manager }),
        }
    }

    fn path(&self, reader: Reader) -> String {
        format!("{}/{}.repo", reader.directory(), self.name)
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl RpmRepository<Host<'_>> {
    /// What people read, as in `Docker CE`. Without this, its name.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.section.title = Some(title.into());
        self
    }

    /// Where it is: `https://rpm.example.org/fedora/$releasever/$basearch`, or `file:///srv/repository`. Called again, it
    /// adds a mirror.
    #[doc(alias = "baseurl")]
    pub fn uri(mut self, uri: impl Into<String>) -> Self {
        self.section.uris.push(uri.into());
        self
    }

    /// Where there is a list of its mirrors, in place of [`uri`](Self::uri) or beside it.
    ///
    /// ```
    /// use wb_stdlib::packages::Manager;
    /// use wb_stdlib::prelude::*;
    ///
    /// fn follow_others(host: &Host) -> Result<()> {
    ///     host.rpm_repository("tools")
    ///         .mirror_list("https://tools.example.org/mirrors?arch=$basearch")
    ///         .signed_by("/etc/pki/rpm-gpg/RPM-GPG-KEY-tools")
    ///         .with_signed_lists()
    ///         .priority(50)
    ///         .option("module_hotfixes", "1")
    ///         .disabled()
    ///         .present()?;
    ///     host.rpm_repository("here").by(Manager::Dnf).uri("file:///srv/repository").trusted().present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::fedora().rehearse(follow_others);
    /// ```
    #[doc(alias = "mirrorlist")]
    pub fn mirror_list(mut self, uri: impl Into<String>) -> Self {
        self.section.mirror_list = Some(uri.into());
        self
    }

    /// The armored OpenPGP key that its packages are signed with: `asset!("docker.asc")`. It is written to
    /// `/etc/pki/rpm-gpg/NAME.asc`, and rpm trusts it, for packages of other repositories, too.
    #[doc(alias = "gpgkey")]
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Key::Own(key.into());
        self
    }

    /// The key that its packages are signed with, by its path, where it is on the host already:
    /// `/etc/pki/rpm-gpg/RPM-GPG-KEY-rockyofficial`; or by its address (`https://…`). dnf lets rpm trust it when it
    /// first installs a package of the repository; zypper asks, and so installs none, unless rpm trusts it before.
    pub fn signed_by(mut self, key: impl Into<String>) -> Self {
        self.key = Key::Known(key.into());
        self
    }

    /// Its packages are signed with nothing, and trusted all the same: for repositories on this very host.
    pub fn trusted(mut self) -> Self {
        self.key = Key::Trusted;
        self
    }

    /// Its lists of packages are signed, too, and refused where they are not.
    #[doc(alias = "repo_gpgcheck")]
    pub fn with_signed_lists(mut self) -> Self {
        self.section.has_signed_lists = true;
        self
    }

    /// Packages come from repositories with lower numbers first. Without this, it is 99.
    pub fn priority(mut self, priority: u32) -> Self {
        self.section.priority = Some(priority);
        self
    }

    /// It is known, and packages come from it only where somebody asks for that, as with `dnf --enablerepo`.
    pub fn disabled(mut self) -> Self {
        self.section.is_disabled = true;
        self
    }

    /// Another option of its section, as in `module_hotfixes`: see dnf.conf(5).
    pub fn option(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.section.options.push((key.into(), value.into()));
        self
    }

    /// dnf or zypper takes packages from it.
    ///
    /// The key comes first, so that a file that is there has a key that is trusted, after a crash, too.
    ///
    /// # Errors
    /// When what is said of it is no name, address, option or key, another file has a repository of that name, or rpm
    /// does not take the key.
    pub fn present(self) -> Result<Outcome, RpmRepositoryError> {
        let reader = self.reader()?;
        self.section.check(&self.name)?;
        let keys = self.key.check(&self.name)?;
        let what = format!("rpm repository {} present", self.name);
        let missing = match rpm_key::missing(self.system(), &keys) {
            Err(error) if self.access.plans() && error.is_for_want_of_rpm() => {
                let why = "the program `rpm` is not installed yet".into();
                return ensure(self.access, &what, Difference::Unknown(why), || Ok(()));
            }
            missing => missing?,
        };
        let (key, section) = (self.wanted_key()?, self.wanted_section(reader)?);
        let imports = missing.iter().map(|key| format!("+ {key}"));
        let lines = key.iter().filter_map(Wanted::difference_of_key).chain(imports);
        let difference = section.found.known(Difference::of_lines(lines.chain(section.found.diff(&section.text))));
        for wanted in key.iter().chain([&section]) {
            wanted.found.foresee(self.access.context(), &wanted.text)?;
        }
        ensure(self.access, &what, difference, || self.write(reader, key.as_ref(), &missing, &section))
    }

    /// Neither takes packages from it. Packages that came from it stay, and rpm still trusts its key:
    /// [`RpmKey::absent`](crate::rpm_key::RpmKey::absent) ends that.
    ///
    /// # Errors
    /// When its name is none, or its files can't be removed.
    pub fn absent(self) -> Result<Outcome, RpmRepositoryError> {
        let paths = [self.path(self.reader()?), key::path(&self.name)];
        let mut there = Vec::new();
        for path in paths {
            there.extend(foresight::stat(self.access.context(), Path::new(&path))?.map(|_| path));
        }
        let difference = Difference::of_lines(there.iter().map(|path| format!("- {path}")));
        for path in &there {
            foresight::put(self.access.context(), Path::new(path), Thing::Nothing);
        }
        ensure(self.access, &format!("rpm repository {} absent", self.name), difference, || {
            there.iter().try_for_each(|path| Ok(files::remove(self.system().path(path)).map(drop)?))
        })
    }

    fn wanted_key(&self) -> Result<Option<Wanted>, RpmRepositoryError> {
        let Key::Own(key) = &self.key else { return Ok(None) };
        self.wanted(key::path(&self.name), rpm_key::ended(key)).map(Some)
    }

    fn wanted_section(&self, reader: Reader) -> Result<Wanted, RpmRepositoryError> {
        self.wanted(self.path(reader), self.section.text(&self.name, reader, &self.key))
    }

    fn wanted(&self, path: String, text: String) -> Result<Wanted, RpmRepositoryError> {
        let found = TextFile::by_now(self.access.context(), &path)?;
        Ok(Wanted { path, found, text })
    }

    fn write(
        &self,
        reader: Reader,
        key: Option<&Wanted>,
        missing: &[PublicKey],
        section: &Wanted,
    ) -> Result<(), RpmRepositoryError> {
        self.check_alone(reader)?;
        if let Some(key) = key {
            key.found.write(&key.text)?;
            if !missing.is_empty() {
                rpm_key::import(self.system(), Path::new(&key.path), missing)?;
            }
        }
        Ok(section.found.write(&section.text)?)
    }

    /// Of two repositories of one name, in two files, only one would count.
    fn check_alone(&self, reader: Reader) -> Result<(), RpmRepositoryError> {
        let directory = self.system().path(reader.directory());
        if !files::exists(&directory) {
            return Ok(());
        }
        let own = format!("{}.repo", self.name);
        for path in files::list(&directory)? {
            let Some(file) = path.file_name().filter(|name| *name != own.as_str()) else { continue };
            let path_there = Path::new(reader.directory()).join(file);
            if path_there.extension().is_none_or(|extension| extension != "repo") {
                continue;
            }
            let content = self.system().read_file(&path_there)?.unwrap_or_default();
            if has_section(&String::from_utf8_lossy(&content), &self.name) {
                return Err(RpmRepositoryError::Elsewhere { name: self.name.clone(), path: path_there });
            }
        }
        Ok(())
    }
}

impl Wanted {
    /// Of a key, only that it differs: it says nothing to people.
    fn difference_of_key(&self) -> Option<String> {
        match (self.found.is_there(), self.found.text() == self.text) {
            (_, true) => None,
            (true, false) => Some(format!("{}: another key", self.path)),
            (false, false) => Some(format!("+ {}", self.path)),
        }
    }
}

#[cfg(test)]
mod tests;
