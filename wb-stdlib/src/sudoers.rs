//! Who may do what with sudo: files of `/etc/sudoers.d`.
//!
//! A file with a mistake can keep sudo from doing anything for anybody. So each is checked by `visudo -c` before it takes
//! its place, and a name that sudo would pass over is refused.

mod grant;

use anyhow::Result;
use wb_core::context::Outcome;

use crate::file::FileError;
use crate::{Host, Look};
pub use grant::Grant;

const DIRECTORY: &str = "/etc/sudoers.d";
/// As sudo wants its files.
const MODE: u32 = 0o440;

/// What can go wrong with sudo's files.
#[derive(Debug, thiserror::Error)]
pub enum SudoersError {
    /// sudo would not read a file that is called so.
    #[error(
        "{name:?} is no name for a file of /etc/sudoers.d\nhint: sudo passes over names that have a `.` or end in `~`; take \
         letters, digits, `_` and `-`"
    )]
    BadName {
        /// What was said.
        name: String,
    },
    /// A grant that sudo would not understand, or not as it was meant.
    #[error("the file `{name}` of /etc/sudoers.d can't grant that: {value:?} is no {field}: {why}")]
    BadGrant {
        /// The file.
        name: String,
        /// What it was to be, in words.
        field: &'static str,
        /// What was said.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is nothing to write.
    #[error(
        "the file `{name}` of /etc/sudoers.d grants nothing\nhint: `.grant(…)` or `.text(…)` says what, `.absent()?` removes it"
    )]
    Empty {
        /// The file.
        name: String,
    },
    /// sudo is not there.
    #[error("there is no /etc/sudoers.d for `{name}`\nhint: `host.packages([\"sudo\"]).installed()?` before this")]
    NoSudo {
        /// The file.
        name: String,
    },
    /// The file can't be written, or visudo refuses it. The old one is still there.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A file of `/etc/sudoers.d`. [`Look::sudoers`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
/// use wb_stdlib::sudoers::Grant;
///
/// fn let_the_shop_be_deployed(host: &Host) -> Result<()> {
///     host.packages(["sudo"]).installed()?;
///     host.sudoers("deploy")
///         .grant(Grant::to_user("deploy").command("/usr/sbin/service shop restart").without_password())
///         .grant(Grant::to_group("ops").all_commands())
///         .text("Defaults:deploy !requiretty\n")
///         .present()?;
///     host.sudoers("old-admins").absent()?;
///     Ok(())
/// }
///
/// fn it_can_be(host: &View) -> Result<()> {
///     host.sudoers("deploy").exists()?;
///     host.sudoers("deploy").contains("NOPASSWD")
/// }
/// # wb_stdlib::testing::web1().rehearse(let_the_shop_be_deployed).asks(it_can_be);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct Sudoers<A> {
    access: A,
    name: String,
    grants: Vec<Grant>,
    text: String,
}

impl<A: Look> Sudoers<A> {
    pub(crate) fn new(access: A, name: &str) -> Self {
        Self { access, name: name.to_owned(), grants: Vec::new(), text: String::new() }
    }

    /// Checks that the file is there.
    ///
    /// # Errors
    /// When it is not.
    pub fn exists(&self) -> Result<()> {
        self.access.file(self.path()?).exists()
    }

    /// Checks that `text` stands in the file.
    ///
    /// # Errors
    /// When it does not, or there is no file.
    pub fn contains(&self, text: &str) -> Result<()> {
        self.access.file(self.path()?).contains(text)
    }

    fn path(&self) -> Result<String, SudoersError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if self.name.is_empty() || self.name.starts_with('-') || !self.name.chars().all(is_plain) {
            return Err(SudoersError::BadName { name: self.name.clone() });
        }
        Ok(format!("{DIRECTORY}/{}", self.name))
    }
}

impl Sudoers<Host<'_>> {
    /// A line that grants something.
    pub fn grant(mut self, grant: Grant) -> Self {
        self.grants.push(grant);
        self
    }

    /// Lines in sudo's own words, see sudoers(5). They come before all grants: aliases and defaults are written so.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// The file is there and holds this, for root alone to read, once visudo has found no mistake in it.
    ///
    /// # Errors
    /// When sudo would pass over its name, visudo refuses it, sudo is not there, or it can't be written; the old file is
    /// then as it was.
    pub fn present(self) -> Result<Outcome, SudoersError> {
        let path = self.path()?;
        let content = self.content()?;
        let is_there = self.access.system().stat(DIRECTORY).map_err(FileError::from)?.is_some();
        if !is_there && !self.access.plans() {
            return Err(SudoersError::NoSudo { name: self.name });
        }
        let file = self.access.file(path).content(content).owner("root").group("root").mode(MODE).shown();
        Ok(file.validated_by(["visudo", "-c", "-f"]).present()?)
    }

    /// The file is not there.
    ///
    /// # Errors
    /// When it can't be removed.
    pub fn absent(self) -> Result<Outcome, SudoersError> {
        Ok(self.access.file(self.path()?).absent()?)
    }

    fn content(&self) -> Result<String, SudoersError> {
        if self.grants.is_empty() && self.text.trim().is_empty() {
            return Err(SudoersError::Empty { name: self.name.clone() });
        }
        let text = self.text.lines().map(str::to_owned);
        let bad = |(field, value, why)| SudoersError::BadGrant { name: self.name.clone(), field, value, why };
        let grants = self.grants.iter().map(|grant| grant.line().map_err(bad)).collect::<Result<Vec<_>, _>>()?;
        Ok(text.chain(grants).map(|line| line + "\n").collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;

    const PATH: &str = "/etc/sudoers.d/deploy";

    /// A host whose root is whoever runs the tests.
    fn machine() -> Machine {
        let machine = Machine::new().dir("/etc/sudoers.d").answer("visudo", 0, "");
        let me = machine.stat("/").unwrap();
        let machine = machine.file("/etc/passwd", &format!("root:x:{}:{}:root:/root:/bin/bash\n", me.uid, me.gid));
        machine.file("/etc/group", &format!("root:x:{}:\n", me.gid))
    }

    fn deploy(host: &Host) -> Result<Outcome> {
        let grant = Grant::to_user("deploy").command("/usr/sbin/service shop restart").without_password();
        Ok(host.sudoers("deploy").text("Defaults:deploy !requiretty").grant(grant).present()?)
    }

    #[test]
    fn a_file_takes_its_place_once_visudo_has_seen_it() {
        let machine = machine();
        assert!(machine.plan(deploy).unwrap().changed());
        assert_eq!((machine.read(PATH), machine.calls()), (None, vec![]));
        assert!(machine.apply(deploy).unwrap().changed());
        let expect = "Defaults:deploy !requiretty\ndeploy ALL=(ALL) NOPASSWD: /usr/sbin/service shop restart\n";
        assert_eq!(machine.read(PATH).as_deref(), Some(expect));
        assert_eq!(machine.stat(PATH).unwrap().mode, 0o440);
        assert_eq!(machine.calls(), ["visudo -c -f /etc/sudoers.d/.deploy.candidate"]);
        assert_eq!(machine.apply(deploy).unwrap(), Outcome::Unchanged);
        assert_eq!(machine.calls().len(), 1);
    }

    #[test]
    fn what_visudo_refuses_changes_nothing() {
        let machine = machine().file(PATH, "old\n").answer(
            "visudo",
            1,
            "parse error in /etc/sudoers.d/.deploy.candidate near line 1",
        );
        let before = machine.snapshot();
        let error = machine.apply(|host| Ok(host.sudoers("deploy").text("deploy ALL=(").present()?)).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.starts_with("the new content of /etc/sudoers.d/deploy is refused"), "{error}");
        assert!(error.contains("near line 1"), "{error}");
        assert_eq!(machine.snapshot(), before);
    }

    #[test]
    fn names_that_sudo_passes_over_are_refused() {
        let machine = machine();
        for name in ["", "deploy.conf", "deploy~", "../sudoers", "a b", "-f", ".deploy", "a/b"] {
            let error = machine.apply(|host| Ok(host.sudoers(name).text("x").present()?)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name:?} is no name for a file of /etc/sudoers.d\nhint: ")), "{error}");
        }
    }

    #[test]
    fn a_file_that_grants_nothing_is_a_mistake() {
        let error = machine().apply(|host| Ok(host.sudoers("deploy").present()?)).unwrap_err().to_string();
        assert!(error.starts_with("the file `deploy` of /etc/sudoers.d grants nothing\nhint: "), "{error}");
    }

    #[test]
    fn without_sudo_there_is_no_place_for_it() {
        let error = Machine::new().apply(deploy).unwrap_err().to_string();
        assert!(error.starts_with("there is no /etc/sudoers.d for `deploy`\nhint: "), "{error}");
        assert!(matches!(Machine::new().plan(deploy).unwrap(), Outcome::Unknown { .. }));
    }

    #[test]
    fn a_grant_that_is_none_names_its_file() {
        let grant = || Grant::to_user("deploy").command("service shop restart");
        let error = machine().apply(|host| Ok(host.sudoers("deploy").grant(grant()).present()?)).unwrap_err();
        let expect = "the file `deploy` of /etc/sudoers.d can't grant that: \"service shop restart\" is no command: its \
                      program has no absolute path";
        assert_eq!(error.to_string(), expect);
    }

    #[test]
    fn a_file_goes() {
        let machine = machine().file(PATH, "old\n");
        let ensure = |host: &Host| Ok(host.sudoers("deploy").absent()?);
        assert!(machine.apply(ensure).unwrap().changed());
        assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn specs_look_at_the_file() {
        let machine = machine().file(PATH, "deploy ALL=(ALL) ALL\n");
        machine.view(|host| host.sudoers("deploy").exists()).unwrap();
        machine.view(|host| host.sudoers("deploy").contains("deploy ALL")).unwrap();
        assert!(machine.view(|host| host.sudoers("other").exists()).is_err());
    }
}
