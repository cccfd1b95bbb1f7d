//! Keys that apk trusts: files of `/etc/apk/keys`, by the names that signatures give them.

use std::path::Path;

use anyhow::Result;
use wb_core::context::{Context, Outcome};
use wb_core::system::System;
use wb_core::system::files::{self, FileError};

use crate::ensure::{Difference, ensure};
use crate::foresight::{self, Thing};
use crate::look::Access as _;
use crate::pem;
use crate::text_file::{TextFile, TextFileError, end_line};
use crate::{Host, Look};

const KEYS: &str = "/etc/apk/keys";

/// What can go wrong with the keys that apk trusts.
#[derive(Debug, thiserror::Error)]
pub enum ApkKeyError {
    /// No key can be called so.
    #[error("`{name}` is no name of a key for apk\nhint: names are like `packages@example.org-5f3a1b2c.rsa.pub`")]
    BadName {
        /// What was asked for.
        name: String,
    },
    /// The key itself was not said.
    #[error("no key is said for `{name}`\nhint: say it with `.key(asset!(\"{name}\"))` before `.present()?`")]
    NoKey {
        /// The name.
        name: String,
    },
    /// It is no public key.
    #[error(
        "the key `{name}` for apk is no public key in PEM\nhint: `abuild-keygen` writes one that is, beside a private \
         one"
    )]
    BadKey {
        /// The name.
        name: String,
    },
    /// A file can't be read or written.
    #[error(transparent)]
    Text(#[from] TextFileError),
}

impl From<FileError> for ApkKeyError {
    fn from(error: FileError) -> Self {
        Self::Text(error.into())
    }
}

/// A key for apk. [`Look::apk_key`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn trust_ourselves(host: &Host, key: &[u8]) -> Result<()> {
///     host.apk_key("shop@example.org-5f3a1b2c.rsa.pub").key(key).present()?; // such as `asset!("shop.rsa.pub")`
///     host.apk_key("shop@example.org-4a6a0840.rsa.pub").absent()?;
///     Ok(())
/// }
///
/// fn we_are_trusted(host: &View) -> Result<()> {
///     host.apk_key("shop@example.org-5f3a1b2c.rsa.pub").exists()
/// }
/// # let key = wb_stdlib::testing::samples::APK_KEY.as_bytes();
/// # wb_stdlib::testing::web1().rehearse(|host| trust_ourselves(host, key)).asks(we_are_trusted);
/// ```
#[must_use = "say what is to be so: `.key(…).present()?` or `.absent()?`"]
pub struct ApkKey<A> {
    access: A,
    name: String,
    key: Option<Vec<u8>>,
}

impl<A: Look> ApkKey<A> {
    pub(crate) fn new(access: A, name: &str) -> Self {
        Self { access, name: name.to_owned(), key: None }
    }

    /// Checks that apk has a key of this name.
    ///
    /// # Errors
    /// When it has none.
    pub fn exists(&self) -> Result<()> {
        let path = path(&self.name)?;
        let found = self.system().stat(&path)?;
        anyhow::ensure!(found.is_some(), "expected the key `{}` in {path}, found no such file", self.name);
        Ok(())
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl ApkKey<Host<'_>> {
    /// The key: one public key, in PEM.
    pub fn key(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.key = Some(pem.into());
        self
    }

    /// apk trusts it, for all repositories.
    ///
    /// # Errors
    /// When its name or the key is none, or its file can't be written.
    pub fn present(self) -> Result<Outcome, ApkKeyError> {
        let key = self.key.as_deref().ok_or_else(|| ApkKeyError::NoKey { name: self.name.clone() })?;
        let context = self.access.context();
        let wanted = Wanted::read(context, &self.name, key)?;
        let what = format!("apk key {} present", self.name);
        wanted.foresee(context)?;
        ensure(self.access, &what, Difference::of_lines(wanted.difference()), || wanted.write())
    }

    /// apk does not trust it. Packages that it signed stay.
    ///
    /// # Errors
    /// When its name is none, or its file can't be removed.
    pub fn absent(self) -> Result<Outcome, ApkKeyError> {
        let path = path(&self.name)?;
        let line = foresight::stat(self.access.context(), Path::new(&path))?.map(|_| format!("- {path}"));
        if line.is_some() {
            foresight::put(self.access.context(), Path::new(&path), Thing::Nothing);
        }
        ensure(self.access, &format!("apk key {} absent", self.name), Difference::of_lines(line), || {
            Ok(files::remove(self.system().path(&path)).map(drop)?)
        })
    }
}

/// A key as it is to be in its file.
pub(crate) struct Wanted {
    path: String,
    found: TextFile,
    text: String,
}

impl Wanted {
    /// Checks a key, and reads what there is of its file.
    pub(crate) fn read(context: &Context<'_>, name: &str, key: &[u8]) -> Result<Self, ApkKeyError> {
        let path = path(name)?;
        let blocks = pem::blocks(key);
        if !matches!(blocks.as_slice(), [block] if block.label == "PUBLIC KEY" && block.bytes().is_some()) {
            return Err(ApkKeyError::BadKey { name: name.to_owned() });
        }
        let mut text = String::from_utf8_lossy(key).into_owned();
        end_line(&mut text);
        let found = TextFile::by_now(context, &path)?;
        Ok(Self { path, found, text })
    }

    /// Only that it differs: it says nothing to people.
    pub(crate) fn difference(&self) -> Option<String> {
        match (self.found.is_there(), self.found.text() == self.text) {
            (_, true) => None,
            (true, false) => Some(format!("{}: another key", self.path)),
            (false, false) => Some(format!("+ {}", self.path)),
        }
    }

    /// Lets operations that come later in a plan see it.
    pub(crate) fn foresee(&self, context: &Context<'_>) -> Result<(), ApkKeyError> {
        Ok(self.found.foresee(context, &self.text)?)
    }

    pub(crate) fn write(&self) -> Result<(), ApkKeyError> {
        Ok(self.found.write(&self.text)?)
    }
}

fn path(name: &str) -> Result<String, ApkKeyError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.@+".contains(c);
    let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(allowed);
    match is_name && name.ends_with(".pub") {
        true => Ok(format!("{KEYS}/{name}")),
        false => Err(ApkKeyError::BadName { name: name.to_owned() }),
    }
}

/// A key for the tests of the rooms.
#[cfg(test)]
pub(crate) mod fixtures {
    pub(crate) use crate::testing::samples::APK_KEY as PEM;

    pub(crate) const NAME: &str = "shop@example.org-5f3a1b2c.rsa.pub";
}

#[cfg(test)]
mod tests {
    use super::fixtures::{NAME, PEM};
    use super::*;
    use crate::machine::{Machine, changed};

    const FILE: &str = "/etc/apk/keys/shop@example.org-5f3a1b2c.rsa.pub";

    fn present(host: &Host) -> Result<Outcome> {
        Ok(host.apk_key(NAME).key(PEM).present()?)
    }

    #[test]
    fn a_key_is_a_file() {
        let machine = Machine::new();
        let diff = changed(&format!("+ {FILE}"));
        assert_eq!(machine.plan(present).unwrap(), diff);
        assert_eq!(machine.read(FILE), None);
        assert_eq!(machine.apply(present).unwrap(), diff);
        assert_eq!(machine.read(FILE).as_deref(), Some(PEM));
        assert_eq!(machine.apply(present).unwrap(), Outcome::Unchanged);
        machine.view(|host| host.apk_key(NAME).exists()).unwrap();
        let other = Machine::new().file(FILE, "old");
        assert_eq!(other.apply(present).unwrap(), changed(&format!("{FILE}: another key")));
    }

    #[test]
    fn it_can_be_absent() {
        let machine = Machine::new().file(FILE, PEM);
        let absent = |host: &Host| Ok(host.apk_key(NAME).absent()?);
        assert_eq!(machine.apply(absent).unwrap(), changed(&format!("- {FILE}")));
        assert_eq!(machine.apply(absent).unwrap(), Outcome::Unchanged);
        assert!(machine.view(|host| host.apk_key(NAME).exists()).is_err());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let check = |name: &str, key: &str, expect: &str| {
            let said = Machine::new().apply(|host| Ok(host.apk_key(name).key(key).present()?));
            let error = said.unwrap_err().to_string();
            assert!(error.starts_with(expect), "{error}");
        };
        let bad = "the key `shop@example.org-5f3a1b2c.rsa.pub` for apk is no public key in PEM";
        check(NAME, "<html>404", bad);
        check(NAME, &PEM.replace("PUBLIC", "PRIVATE"), bad);
        check(NAME, &PEM.repeat(2), bad);
        check("../x.pub", PEM, "`../x.pub` is no name of a key for apk");
        check("shop.rsa", PEM, "`shop.rsa` is no name of a key for apk");
        let error = Machine::new().apply(|host| Ok(host.apk_key(NAME).present()?)).unwrap_err().to_string();
        assert!(error.starts_with("no key is said for `shop@example.org-5f3a1b2c.rsa.pub`"), "{error}");
    }
}
