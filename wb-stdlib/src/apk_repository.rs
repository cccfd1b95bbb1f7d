//! Repositories that apk takes packages from: lines of `/etc/apk/repositories`, and the key that they are signed with.

use anyhow::Result;
use wb_core::context::Outcome;
use wb_core::system::System;
use wb_core::system::files::FileError;

use crate::apk_key::{self, ApkKeyError};
use crate::ensure::{Difference, ensure};
use crate::look::Access as _;
use crate::text_file::{TextFile, TextFileError, end_line};
use crate::{Host, Look};

const PATH: &str = "/etc/apk/repositories";

/// What can go wrong with a repository for apk.
#[derive(Debug, thiserror::Error)]
pub enum ApkRepositoryError {
    /// It is neither an address nor a path.
    #[error(
        "`{uri}` is no address of a repository\nhint: it is like `https://dl-cdn.alpinelinux.org/alpine/v3.20/main`, or a \
         path"
    )]
    BadUri {
        /// What was said.
        uri: String,
    },
    /// No tag can be called so.
    #[error("`{tag}` is no tag of a repository\nhint: tags have letters, digits, `-`, `_` and `.`; the `@` is added")]
    BadTag {
        /// What was said.
        tag: String,
    },
    /// The key is none, or can't be written.
    #[error(transparent)]
    Key(#[from] ApkKeyError),
    /// A file can't be read or written.
    #[error(transparent)]
    Text(#[from] TextFileError),
}

impl From<FileError> for ApkRepositoryError {
    fn from(error: FileError) -> Self {
        Self::Text(error.into())
    }
}

/// A repository of packages for apk, by its address. [`Look::apk_repository`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn follow_ourselves(host: &Host, key: &[u8]) -> Result<()> {
///     host.apk_repository("https://packages.example.org/alpine/v3.20")
///         .key("packages@example.org-5f3a1b2c.rsa.pub", key) // such as `asset!("packages.rsa.pub")`
///         .present()?;
///     host.apk_repository("https://dl-cdn.alpinelinux.org/alpine/edge/testing").tag("testing").present()?;
///     host.apk_repository("https://packages.example.org/alpine/v3.19").absent()?;
///     host.packages(["shop"]).installed()?;
///     Ok(())
/// }
///
/// fn we_are_followed(host: &View) -> Result<()> {
///     host.apk_repository("https://packages.example.org/alpine/v3.20").exists()
/// }
/// # let key = wb_stdlib::testing::samples::APK_KEY.as_bytes();
/// # wb_stdlib::testing::web1().rehearse(|host| follow_ourselves(host, key)).asks(we_are_followed);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct ApkRepository<A> {
    access: A,
    uri: String,
    tag: Option<String>,
    key: Option<(String, Vec<u8>)>,
}

impl<A: Look> ApkRepository<A> {
    pub(crate) fn new(access: A, uri: &str) -> Self {
        Self { access, uri: uri.to_owned(), tag: None, key: None }
    }

    /// Its packages count only for who asks for them with this tag: `apk add shop@testing`.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// Checks that apk takes packages from it: with this tag, or with none.
    ///
    /// # Errors
    /// When it does not.
    pub fn exists(&self) -> Result<()> {
        let line = self.line()?;
        let file = TextFile::read(self.system(), PATH)?;
        let is_there = file.text().lines().any(|found| words(found) == words(&line));
        anyhow::ensure!(is_there, "expected the repository `{line}` in {PATH}, found no such line");
        Ok(())
    }

    /// The line that it has, once its parts are known to be such.
    fn line(&self) -> Result<String, ApkRepositoryError> {
        let is_word = self.uri.chars().all(|c| !c.is_whitespace() && !c.is_control());
        if !is_word || !(self.uri.starts_with('/') || self.uri.contains("://")) || self.uri.starts_with(['#', '@']) {
            return Err(ApkRepositoryError::BadUri { uri: self.uri.clone() });
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        match &self.tag {
            None => Ok(self.uri.clone()),
            Some(tag) if !tag.is_empty() && tag.chars().all(allowed) => Ok(format!("@{tag} {}", self.uri)),
            Some(tag) => Err(ApkRepositoryError::BadTag { tag: tag.clone() }),
        }
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl ApkRepository<Host<'_>> {
    /// The key that it is signed with, in PEM, and the name of its file in `/etc/apk/keys`, which is that of the file it
    /// was signed with. apk trusts it, for other repositories, too.
    pub fn key(mut self, name: impl Into<String>, pem: impl Into<Vec<u8>>) -> Self {
        self.key = Some((name.into(), pem.into()));
        self
    }

    /// apk takes packages from it: with this tag, or with none. The key comes first, so that a line that is there has a
    /// key that is trusted, after a crash, too.
    ///
    /// # Errors
    /// When what is said is no address, tag or key, or its files can't be written.
    pub fn present(self) -> Result<Outcome, ApkRepositoryError> {
        let line = self.line()?;
        let context = self.access.context();
        let key = self.key.as_ref().map(|(name, pem)| apk_key::Wanted::read(context, name, pem)).transpose()?;
        let file = TextFile::by_now(context, PATH)?;
        let text = with_line(file.text(), &self.uri, &line);
        let lines = key.iter().filter_map(apk_key::Wanted::difference).chain(file.diff(&text));
        let difference = file.known(Difference::of_lines(lines));
        key.iter().try_for_each(|key| key.foresee(context))?;
        file.foresee(context, &text)?;
        ensure(self.access, &format!("apk repository {line} present"), difference, || {
            key.iter().try_for_each(apk_key::Wanted::write)?;
            Ok(file.write(&text)?)
        })
    }

    /// apk takes no packages from it, with whatever tag. Packages that came from it stay, and so does its key.
    ///
    /// # Errors
    /// When it is no address, or the file can't be written.
    pub fn absent(self) -> Result<Outcome, ApkRepositoryError> {
        self.line()?;
        let file = TextFile::by_now(self.access.context(), PATH)?;
        let text = without(file.text(), &self.uri);
        file.foresee(self.access.context(), &text)?;
        let what = format!("apk repository {} absent", self.uri);
        ensure(self.access, &what, file.difference(&text), || Ok(file.write(&text)?))
    }
}

/// The text in which the repository at an address has this line, and no other.
fn with_line(text: &str, uri: &str, line: &str) -> String {
    let mut is_said = false;
    let mut lines: Vec<String> = Vec::new();
    for found in text.split_inclusive('\n') {
        match (is_of(found, uri), is_said) {
            (false, _) => lines.push(found.to_owned()),
            (true, true) => {}
            (true, false) => {
                is_said = true;
                lines.push(if words(found) == words(line) { found.to_owned() } else { format!("{line}\n") });
            }
        }
    }
    let mut text = lines.concat();
    if !is_said {
        end_line(&mut text);
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn without(text: &str, uri: &str) -> String {
    text.split_inclusive('\n').filter(|line| !is_of(line, uri)).collect()
}

/// Whether a line has the repository at this address, with or without a tag.
fn is_of(line: &str, uri: &str) -> bool {
    match words(line).as_slice() {
        [tag, rest @ ..] if tag.starts_with('@') => rest == [uri],
        all => all == [uri],
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apk_key::fixtures::{NAME, PEM};
    use crate::machine::{Machine, changed};

    /// Alpine 3.20, as its installer leaves it.
    const CAPTURED: &str = "#/media/cdrom/apks\nhttp://dl-cdn.alpinelinux.org/alpine/v3.20/main\n\
                            #http://dl-cdn.alpinelinux.org/alpine/v3.20/community\n";
    const SHOP: &str = "https://packages.example.org/alpine";
    const KEY_FILE: &str = "/etc/apk/keys/shop@example.org-5f3a1b2c.rsa.pub";

    #[test]
    fn a_repository_has_one_line() {
        let check = |text: &str, line: &str, expect: &str| {
            assert_eq!(with_line(text, SHOP, line), expect, "{text}");
            assert_eq!(with_line(expect, SHOP, line), expect, "a second time");
        };
        let tagged = format!("@shop {SHOP}");
        check(CAPTURED, SHOP, &format!("{CAPTURED}{SHOP}\n"));
        check(CAPTURED, &tagged, &format!("{CAPTURED}{tagged}\n"));
        check(&format!("a\n{SHOP}\nb\n{tagged}"), &tagged, &format!("a\n{tagged}\nb\n"));
        check(&format!("@shop\t{SHOP}  \n"), &tagged, &format!("@shop\t{SHOP}  \n"));
        check("", SHOP, &format!("{SHOP}\n"));
        check("a", SHOP, &format!("a\n{SHOP}\n"));
        check(&format!("#{SHOP}\n{SHOP}/main\n"), SHOP, &format!("#{SHOP}\n{SHOP}/main\n{SHOP}\n"));
        assert_eq!(without(&format!("a\n{tagged}\n#{SHOP}\n{SHOP}\n"), SHOP), format!("a\n#{SHOP}\n"));
    }

    #[test]
    fn a_repository_is_written_with_its_key() {
        let machine = Machine::new().file(PATH, CAPTURED);
        let present = |host: &Host| Ok(host.apk_repository(SHOP).key(NAME, PEM).present()?);
        let diff = changed(&format!("+ {KEY_FILE}\n{PATH}\n+ {SHOP}"));
        assert_eq!(machine.plan(present).unwrap(), diff);
        assert_eq!((machine.read(PATH).as_deref(), machine.read(KEY_FILE)), (Some(CAPTURED), None));
        assert_eq!(machine.apply(present).unwrap(), diff);
        assert_eq!(machine.read(KEY_FILE).as_deref(), Some(PEM));
        assert_eq!(machine.apply(present).unwrap(), Outcome::Unchanged);
        assert_eq!(machine.calls(), [""; 0]);
    }

    #[test]
    fn a_tag_is_a_part_of_what_it_is() {
        let machine = Machine::new().file(PATH, CAPTURED);
        let tagged = |host: &Host| Ok(host.apk_repository(SHOP).tag("shop").present()?);
        assert!(machine.apply(tagged).unwrap().changed());
        assert_eq!(machine.said().lines().next().unwrap(), format!("+ apk repository @shop {SHOP} present"));
        machine.view(|host| host.apk_repository(SHOP).tag("shop").exists()).unwrap();
        let error = machine.view(|host| host.apk_repository(SHOP).exists()).unwrap_err().to_string();
        assert_eq!(error, format!("expected the repository `{SHOP}` in {PATH}, found no such line"));
        let absent = |host: &Host| Ok(host.apk_repository(SHOP).absent()?);
        assert_eq!(machine.apply(absent).unwrap(), changed(&format!("{PATH}\n- @shop {SHOP}")));
        assert_eq!(machine.apply(absent).unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn what_would_mean_something_else_is_refused() {
        let check = |uri: &str, tag: &str, expect: &str| {
            let said = Machine::new().apply(|host| Ok(host.apk_repository(uri).tag(tag).present()?));
            let error = said.unwrap_err().to_string();
            assert!(error.starts_with(expect), "{error}");
        };
        check("v3.20/main", "a", "`v3.20/main` is no address of a repository");
        check("https://a b", "a", "`https://a b` is no address of a repository");
        check("@a https://b", "a", "`@a https://b` is no address of a repository");
        check("", "a", "`` is no address of a repository");
        check(SHOP, "@shop", "`@shop` is no tag of a repository");
        check(SHOP, "", "`` is no tag of a repository");
    }
}
