//! Repositories that apt takes packages from: `/etc/apt/sources.list.d/NAME.sources`, and the key that they are signed
//! with.

mod error;
mod key;
mod source;
mod trial;

use std::path::PathBuf;

use anyhow::Result;
use similar::TextDiff;
use wb_core::context::Outcome;
use wb_core::system::System;
use wb_core::system::files::{self, Attributes, FileError, Kind};

use crate::ensure::{Difference, ensure};
use crate::{Host, Look};
pub use error::AptRepositoryError;
use key::Key;
use source::Source;
use trial::Trial;

const SOURCES: &str = "/etc/apt/sources.list.d";
const KEYRINGS: &str = "/etc/apt/keyrings";
/// The largest file, in bytes, that is compared line by line.
const LARGEST: u64 = 256 * 1024;

/// A repository of packages for apt. [`Look::apt_repository`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn follow_docker(host: &Host) -> Result<()> {
///     let codename = &host.facts().distribution.codename;
///     host.apt_repository("docker")
///         .uri("https://download.docker.com/linux/debian")
///         .suite(codename)
///         .component("stable")
///         .key("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQINBFit…\n-----END PGP PUBLIC KEY BLOCK-----\n")
///         .present()?;
///     host.packages(["docker-ce"]).installed()?;
///     Ok(())
/// }
/// # wb_stdlib::testing::web1().rehearse(follow_docker);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct AptRepository<A> {
    access: A,
    name: String,
    source: Source,
    key: Key,
}

impl<A: Look> AptRepository<A> {
    pub(crate) fn new(access: A, name: &str) -> Self {
        Self { access, name: name.to_owned(), source: Source::default(), key: Key::None }
    }

    /// Checks that apt has a file of that name for it.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn docker_is_followed(host: &View) -> Result<()> {
    ///     host.apt_repository("docker").exists()
    /// }
    /// # wb_stdlib::testing::web1().asks(docker_is_followed);
    /// ```
    ///
    /// # Errors
    /// When there is none.
    pub fn exists(&self) -> Result<()> {
        self.check_name()?;
        let path = self.path();
        let found = self.system().stat(&path)?;
        anyhow::ensure!(found.is_some(), "expected the repository `{}` in {path}, found no such file", self.name);
        Ok(())
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }

    fn path(&self) -> String {
        format!("{SOURCES}/{}.sources", self.name)
    }

    /// apt reads no files of other names.
    fn check_name(&self) -> Result<(), AptRepositoryError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        match self.name.starts_with(|c: char| c.is_ascii_alphanumeric()) && self.name.chars().all(allowed) {
            true => Ok(()),
            false => Err(AptRepositoryError::BadName { name: self.name.clone() }),
        }
    }
}

impl AptRepository<Host<'_>> {
    /// Where it is: `https://download.docker.com/linux/debian`, or `file:/srv/repository`. Called again, it adds a mirror.
    pub fn uri(mut self, uri: impl Into<String>) -> Self {
        self.source.uris.push(uri.into());
        self
    }

    /// A suite of it, as in `bookworm`; or, with a `/` at its end, the directory of one that has no components.
    pub fn suite(mut self, suite: impl Into<String>) -> Self {
        self.source.suites.push(suite.into());
        self
    }

    /// Several suites.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn follow_the_shop(host: &Host) -> Result<()> {
    ///     host.apt_repository("shop")
    ///         .uri("https://packages.example.org/debian")
    ///         .suites(["bookworm", "bookworm-updates"])
    ///         .components(["main", "contrib"])
    ///         .architectures(["amd64", "arm64"])
    ///         .with_sources()
    ///         .signed_by("/usr/share/keyrings/shop.gpg")
    ///         .present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(follow_the_shop);
    /// ```
    pub fn suites<N: Into<String>>(mut self, suites: impl IntoIterator<Item = N>) -> Self {
        self.source.suites.extend(suites.into_iter().map(Into::into));
        self
    }

    /// A component of it, as in `main`.
    pub fn component(mut self, component: impl Into<String>) -> Self {
        self.source.components.push(component.into());
        self
    }

    /// Several components.
    pub fn components<N: Into<String>>(mut self, components: impl IntoIterator<Item = N>) -> Self {
        self.source.components.extend(components.into_iter().map(Into::into));
        self
    }

    /// Only packages of these architectures, as in `amd64`. Without this, of all that the host has.
    pub fn architectures<N: Into<String>>(mut self, architectures: impl IntoIterator<Item = N>) -> Self {
        self.source.architectures.extend(architectures.into_iter().map(Into::into));
        self
    }

    /// Its source packages, too.
    pub fn with_sources(mut self) -> Self {
        self.source.has_sources = true;
        self
    }

    /// The OpenPGP key that it is signed with, armored or binary: `asset!("docker.asc")`. It is written to
    /// `/etc/apt/keyrings/NAME.asc` (or `.gpg`), and trusted for this repository only.
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Key::File(key.into());
        self
    }

    /// The armored key that it is signed with, kept in the same file as the rest. apt can read that from version 2.4 on.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn follow_others(host: &Host, key: &str) -> Result<()> {
    ///     let tools = host.apt_repository("tools").uri("https://tools.example.org/apt").suite("stable");
    ///     tools.component("main").embedded_key(key).present()?;
    ///     host.apt_repository("here").uri("file:/srv/repository").suite("./").trusted().present()?;
    ///     host.apt_repository("old-shop").absent()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(|host| follow_others(host, wb_stdlib::testing::samples::OPENPGP_KEY));
    /// ```
    pub fn embedded_key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Key::Embedded(key.into());
        self
    }

    /// The keyring that it is signed with, which is on the host already:
    /// `/usr/share/keyrings/debian-archive-keyring.gpg`.
    pub fn signed_by(mut self, keyring: impl Into<String>) -> Self {
        self.key = Key::Keyring(keyring.into());
        self
    }

    /// It is signed with nothing, and trusted all the same: for repositories on this very host.
    pub fn trusted(mut self) -> Self {
        self.key = Key::Trusted;
        self
    }

    /// apt takes packages from it.
    ///
    /// Its file takes its place only after apt could read the lists of the repository, trusted their signature, and found
    /// nothing against it in its other files. So a file that is there has its lists, after a crash, too; and a repository
    /// that is wrong leaves the old one whole.
    ///
    /// # Errors
    /// When what is said of it is no name, address, suite or key, or apt can't read it or does not trust it.
    pub fn present(self) -> Result<Outcome, AptRepositoryError> {
        self.check_name()?;
        self.source.check(&self.name)?;
        self.key.check(&self.name)?;
        let wanted = self.files();
        let mut lines = Vec::new();
        for file in &wanted {
            lines.extend(file.difference(self.system())?);
        }
        let difference = if lines.is_empty() { Difference::None } else { Difference::Some(Some(lines.join("\n"))) };
        let what = format!("apt repository {} present", self.name);
        ensure(self.access, &what, difference, || self.write(&wanted))
    }

    /// apt takes no packages from it. Packages that came from it stay.
    ///
    /// # Errors
    /// When its name is none, or its files can't be removed.
    pub fn absent(self) -> Result<Outcome, AptRepositoryError> {
        self.check_name()?;
        let keys = ["asc", "gpg"].map(|extension| format!("{KEYRINGS}/{}.{extension}", self.name));
        let mut there = Vec::new();
        for path in std::iter::once(self.path()).chain(keys) {
            there.extend(self.system().stat(&path)?.map(|_| path));
        }
        let lines = there.iter().map(|path| format!("- {path}")).collect::<Vec<_>>().join("\n");
        let difference = if there.is_empty() { Difference::None } else { Difference::Some(Some(lines)) };
        ensure(self.access, &format!("apt repository {} absent", self.name), difference, || {
            there.iter().try_for_each(|path| Ok(files::remove(self.system().path(path)).map(drop)?))
        })
    }

    /// The files that are to be there: the key, and the source that names it.
    fn files(&self) -> Vec<Wanted> {
        let key = self.key.file(KEYRINGS, &self.name);
        let source = self.source.stanza(&self.key.lines(KEYRINGS, &self.name));
        key.into_iter().chain([Wanted { path: self.path().into(), content: source.into_bytes() }]).collect()
    }

    fn write(&self, wanted: &[Wanted]) -> Result<(), AptRepositoryError> {
        let system = self.system();
        Trial::new(system, &self.name).hold(&self.source, &self.key)?;
        if wanted.len() > 1 && system.stat(KEYRINGS)?.is_none() {
            files::create_dir(system.path(KEYRINGS))?;
            files::set_mode(system.path(KEYRINGS), 0o755)?; // apt reads it as a user of its own
        }
        Ok(wanted.iter().try_for_each(|file| file.write(system))?)
    }
}

/// A file that is to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    path: PathBuf,
    content: Vec<u8>,
}

impl Wanted {
    /// How what is there differs from it.
    fn difference(&self, system: &System) -> Result<Option<String>, AptRepositoryError> {
        let path = self.path.display();
        let old = match system.stat(&self.path)? {
            None => None,
            Some(stat) if stat.kind != Kind::File => {
                return Err(AptRepositoryError::InTheWay { path: self.path.clone() });
            }
            Some(stat) if stat.size > LARGEST => return Ok(Some(format!("{path}: another content"))),
            Some(_) => system.read_file(&self.path)?,
        };
        Ok(match old {
            Some(old) if old == self.content => None,
            old => Some(self.lines(old.as_deref())),
        })
    }

    /// Of a key, only that it differs: it says nothing to people.
    fn lines(&self, old: Option<&[u8]>) -> String {
        let path = self.path.display().to_string();
        if self.path.starts_with(KEYRINGS) {
            return if old.is_none() { format!("+ {path}") } else { format!("{path}: another key") };
        }
        let (before, after) =
            (String::from_utf8_lossy(old.unwrap_or_default()), String::from_utf8_lossy(&self.content));
        let header = if old.is_none() { "/dev/null" } else { path.as_str() };
        let diff = TextDiff::from_lines(before.as_ref(), after.as_ref());
        diff.unified_diff().context_radius(3).header(header, &path).to_string().trim_end().to_owned()
    }

    fn write(&self, system: &System) -> Result<(), FileError> {
        system.write_file(&self.path, &self.content, Attributes::mode(0o644))
    }
}

#[cfg(test)]
mod tests;
