//! Who may log in as a user with a key: the file `~/.ssh/authorized_keys`.
//!
//! The home is the user's, and so is all that lies in it: a user could put a symbolic link in place of `~/.ssh`, and so let
//! root write to another place, or show what only root can read. Nothing of the kind is followed here: `~/.ssh` is held
//! open while it is worked on, and where it or the file is a link, or the file has another name, too, the operation
//! fails and leaves all as it is. Only the way to the home itself is trusted, which root decides on in `/etc/passwd`.

mod key;

use anyhow::Result;
use wb_core::context::{Context, Outcome};
use wb_core::system::files::{Attributes, FileError, Stat};
use wb_core::system::{Pinned, System};

use crate::account::{AccountError, Subject, user_elsewhere};
use crate::ensure::{Difference, ensure};
use crate::foresight;
use crate::owner::{self, Account};
use crate::{Host, Look};
pub use key::Key;
use key::Line;

/// No file of keys is so long, in bytes.
const LONGEST: u64 = 1024 * 1024;
const DIRECTORY: &str = ".ssh";
const FILE: &str = "authorized_keys";

/// What can go wrong with the keys of a user.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The name is none, or the users can't be looked at.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// There is no such user.
    #[error("there is no user `{user}` whose keys these could be\nhint: `host.user({user:?}).present()?` makes it")]
    NoUser {
        /// The user.
        user: String,
    },
    /// The user has no home.
    #[error("the user `{user}` has no home at {home}\nhint: `host.user({user:?}).with_home().present()?` makes it")]
    NoHome {
        /// The user.
        user: String,
        /// Where it should be.
        home: String,
    },
    /// A key is none. It is not shown: it may be a private one.
    #[error(
        "one of the keys for `{user}` is none: {why}\nhint: a public key is one line, as `ssh-keygen -y -f FILE` shows it: \
         `ssh-ed25519 AAAA… anna@laptop`"
    )]
    BadKey {
        /// The user.
        user: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Nobody could log in with a key any more, and nobody said that this is meant.
    #[error(
        "`{user}` is to have exactly these keys, and there are none\nhint: `.even_none()` before `.exactly()?` says that nobody \
         is to log in with a key"
    )]
    NoKeys {
        /// The user.
        user: String,
    },
    /// What the user has there can't be worked on safely.
    #[error(
        "could not work on the keys of `{user}`\nhint: root follows no links in a home, since whoever owns it could lead \
         it anywhere; look at {home}/.ssh, and move away what does not belong there"
    )]
    Unsafe {
        /// The user.
        user: String,
        /// The home.
        home: String,
        /// What is wrong.
        source: FileError,
    },
    /// Somebody else owns what is there.
    #[error(
        "{path} belongs to the uid {uid}, and not to the user `{user}`\nhint: see whose it is, and move it away or give it to them"
    )]
    Foreign {
        /// The user.
        user: String,
        /// The path.
        path: String,
        /// Who has it.
        uid: u32,
    },
    /// The file is no text, and can't be edited.
    #[error(
        "the keys of `{user}` are no UTF-8 text, so no line of them can be told from others\nhint: `.exactly()?` replaces the file"
    )]
    NoText {
        /// The user.
        user: String,
    },
}

/// The keys of a user. [`Look::authorized_keys`] makes it.
///
/// ```
/// use wb_stdlib::authorized_keys::Key;
/// use wb_stdlib::prelude::*;
///
/// const ANNA: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICcND7mvhy1ZxWiyqpEPx/8V+EKIGmUq3lP6Mqj05qxy anna@laptop";
///
/// fn let_anna_in(host: &Host) -> Result<()> {
///     host.user("anna").present()?;
///     host.authorized_keys("anna").key(ANNA).present()?;
///     host.authorized_keys("backup").key(Key::new(ANNA).restrict().command("/usr/bin/rrsync /srv")).exactly()?;
///     Ok(())
/// }
///
/// fn anna_can_come_in(host: &View) -> Result<()> {
///     host.authorized_keys("anna").has(ANNA)
/// }
/// # wb_stdlib::testing::web1().rehearse(let_anna_in);
/// # wb_stdlib::testing::web1().user("anna").asks(anna_can_come_in);
/// ```
#[must_use = "say what is to be so: `.present()?`, `.exactly()?` or `.absent()?`"]
pub struct AuthorizedKeys<A> {
    access: A,
    user: String,
    keys: Vec<Key>,
    even_none: bool,
}

/// What is to become of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Present,
    Absent,
    Exactly,
}

impl Wanted {
    fn words(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Absent => "absent",
            Self::Exactly => "exactly as said",
        }
    }

    /// What the file is to hold.
    fn content(self, old: &str, lines: &[Line]) -> String {
        match self {
            Self::Present => key::with(old, lines),
            Self::Absent => key::without(old, lines),
            Self::Exactly => key::with("", lines),
        }
    }
}

/// What there is of a user's keys.
struct Facts {
    account: Account,
    home: Pinned,
    directory: Option<(Pinned, Stat)>,
    file: Option<(Vec<u8>, Stat)>,
}

impl<A: Look> AuthorizedKeys<A> {
    pub(crate) fn new(access: A, user: &str) -> Self {
        Self { access, user: user.to_owned(), keys: Vec::new(), even_none: false }
    }

    /// Checks that this key lets its holder in, with whatever options and comment.
    ///
    /// # Errors
    /// When it is not there, or the file can't be read.
    pub fn has(&self, key: impl Into<Key>) -> Result<()> {
        let line = self.line(&key.into())?;
        let has = self.lines()?.iter().any(|found| found.is_same_key(&line));
        anyhow::ensure!(has, "expected the key {} among those of `{}`, found it not there", line.shown(), self.user);
        Ok(())
    }

    /// Checks that this key lets nobody in.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn carl_is_out(host: &View, carl: &str) -> Result<()> {
    ///     host.authorized_keys("deploy").lacks(carl)
    /// }
    /// # wb_stdlib::testing::web1().sees(|host| carl_is_out(host, wb_stdlib::testing::samples::SSH_KEY));
    /// ```
    ///
    /// # Errors
    /// When it is there, or the file can't be read.
    pub fn lacks(&self, key: impl Into<Key>) -> Result<()> {
        let line = self.line(&key.into())?;
        let has = self.lines()?.iter().any(|found| found.is_same_key(&line));
        anyhow::ensure!(
            !has,
            "expected the key {} not to be among those of `{}`, found it there",
            line.shown(),
            self.user
        );
        Ok(())
    }

    fn lines(&self) -> Result<Vec<Line>, KeysError> {
        let file = match self.account()? {
            Some(account) => self.facts(account)?.and_then(|facts| facts.file),
            None => return Err(KeysError::NoUser { user: self.user.clone() }),
        };
        let (content, _) = file.unzip();
        Ok(key::lines(&String::from_utf8_lossy(&content.unwrap_or_default())))
    }

    fn line(&self, key: &Key) -> Result<Line, KeysError> {
        key.line().map_err(|why| KeysError::BadKey { user: self.user.clone(), why })
    }

    fn account(&self) -> Result<Option<Account>, KeysError> {
        let subject = Subject::user(&self.user);
        subject.check()?;
        let accounts = owner::accounts(self.machine()).map_err(|source| subject.look(source))?;
        match accounts.named(&self.user) {
            Some(account) => Ok(Some(account.clone())),
            None => Ok(user_elsewhere(self.machine(), subject, &self.user)?),
        }
    }

    /// What there is, or nothing where there is no home.
    fn facts(&self, account: Account) -> Result<Option<Facts>, KeysError> {
        let unsafe_ = |source| self.is_unsafe(&account, source);
        let Some(home) = self.machine().pinned(&account.home).map_err(unsafe_)? else { return Ok(None) };
        let Some(directory) = home.directory(DIRECTORY).map_err(unsafe_)? else {
            return Ok(Some(Facts { account, home, directory: None, file: None }));
        };
        let stat = directory.stat().map_err(unsafe_)?;
        self.check_owner(&account, DIRECTORY, &stat)?;
        let file = directory.read(FILE, LONGEST).map_err(unsafe_)?;
        if let Some((_, stat)) = &file {
            self.check_owner(&account, &format!("{DIRECTORY}/{FILE}"), stat)?;
        }
        Ok(Some(Facts { account, home, directory: Some((directory, stat)), file }))
    }

    /// What belongs to a third user is not given to this one.
    fn check_owner(&self, account: &Account, path: &str, stat: &Stat) -> Result<(), KeysError> {
        if stat.uid == account.uid || stat.uid == 0 {
            return Ok(());
        }
        Err(KeysError::Foreign { user: self.user.clone(), path: format!("{}/{path}", account.home), uid: stat.uid })
    }

    fn is_unsafe(&self, account: &Account, source: FileError) -> KeysError {
        KeysError::Unsafe { user: self.user.clone(), home: account.home.clone(), source }
    }

    fn machine(&self) -> &System {
        self.context().system()
    }

    fn context(&self) -> &Context<'_> {
        self.access.context()
    }
}

impl AuthorizedKeys<Host<'_>> {
    /// A key: a line as it stands in the file, or a [`Key`] with options.
    pub fn key(mut self, key: impl Into<Key>) -> Self {
        self.keys.push(key.into());
        self
    }

    /// Keys, as with [`AuthorizedKeys::key`].
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn let_the_team_deploy(host: &Host, anna: &str, bert: &str, carl: &str) -> Result<()> {
    ///     host.authorized_keys("deploy").keys([anna, bert]).present()?;
    ///     host.authorized_keys("deploy").key(carl).absent()?;
    ///     Ok(())
    /// }
    /// # let key = wb_stdlib::testing::samples::SSH_KEY;
    /// # wb_stdlib::testing::web1().rehearse(|host| let_the_team_deploy(host, key, key, key));
    /// ```
    pub fn keys<K: Into<Key>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.keys.extend(keys.into_iter().map(Into::into));
        self
    }

    /// With [`AuthorizedKeys::exactly`], there may be no keys at all: then nobody can log in as the user with one.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn let_nobody_in_as_root(host: &Host) -> Result<()> {
    ///     host.authorized_keys("root").even_none().exactly()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(let_nobody_in_as_root);
    /// ```
    pub fn even_none(mut self) -> Self {
        self.even_none = true;
        self
    }

    /// These keys let their holders in, each with the options that were said and no others. Other keys stay.
    ///
    /// `~/.ssh` and the file are made where they are not there. Both belong to the user, and nobody else can read them.
    ///
    /// # Errors
    /// When there is no such user or home, a key is none, or what is there can't be worked on safely.
    pub fn present(self) -> Result<Outcome, KeysError> {
        self.ensure(Wanted::Present)
    }

    /// These keys let nobody in, with whatever options. Other keys stay.
    ///
    /// # Errors
    /// As with [`AuthorizedKeys::present`].
    pub fn absent(self) -> Result<Outcome, KeysError> {
        self.ensure(Wanted::Absent)
    }

    /// The file holds these keys and nothing else, comments of others included.
    ///
    /// # Errors
    /// As with [`AuthorizedKeys::present`], and when there are no keys without [`AuthorizedKeys::even_none`].
    pub fn exactly(self) -> Result<Outcome, KeysError> {
        if self.keys.is_empty() && !self.even_none {
            return Err(KeysError::NoKeys { user: self.user });
        }
        self.ensure(Wanted::Exactly)
    }

    fn ensure(self, wanted: Wanted) -> Result<Outcome, KeysError> {
        let what = format!("authorized_keys {} {}", self.user, wanted.words());
        let lines = self.keys.iter().map(|key| self.line(key)).collect::<Result<Vec<_>, _>>()?;
        let Some(facts) = self.facts_or_plan()? else {
            return ensure(self.access, &what, self.foreseen(wanted, &lines), || Ok(()));
        };
        let old = self.text(&facts, wanted)?;
        let content = wanted.content(&old, &lines);
        let difference = match diff(&facts, &content) {
            _ if wanted == Wanted::Absent && content == old => Difference::None,
            lines if lines.is_empty() => Difference::None,
            lines => Difference::Some(Some(lines.join("\n"))),
        };
        ensure(self.access, &what, difference, || self.write(&facts, &content))
    }

    /// What a plan knows of the keys of somebody who has no home yet.
    fn foreseen(&self, wanted: Wanted, lines: &[Line]) -> Difference {
        if !foresight::takes_keys(self.context(), &self.user) {
            return Difference::Unknown(format!("there is no home of `{}` yet", self.user));
        }
        let content = wanted.content("", lines);
        match wanted == Wanted::Absent && content.is_empty() {
            true => Difference::None,
            false => Difference::of_lines(key_lines(None, &content)),
        }
    }

    /// What there is; nothing only in a plan, where an operation before may make the user.
    fn facts_or_plan(&self) -> Result<Option<Facts>, KeysError> {
        let Some(account) = self.account()? else {
            let missing = KeysError::NoUser { user: self.user.clone() };
            return if self.access.plans() { Ok(None) } else { Err(missing) };
        };
        let home = account.home.clone();
        match self.facts(account)? {
            None if !self.access.plans() => Err(KeysError::NoHome { user: self.user.clone(), home }),
            facts => Ok(facts),
        }
    }

    /// The text of the file. One that is to be replaced may be no text.
    fn text(&self, facts: &Facts, wanted: Wanted) -> Result<String, KeysError> {
        let content = facts.file.as_ref().map(|(content, _)| content.as_slice()).unwrap_or_default();
        match std::str::from_utf8(content) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) if wanted == Wanted::Exactly => Ok(String::new()),
            Err(_) => Err(KeysError::NoText { user: self.user.clone() }),
        }
    }

    /// The directory comes first, and is nobody else's before there is anything in it.
    fn write(&self, facts: &Facts, content: &str) -> Result<(), KeysError> {
        let account = &facts.account;
        let unsafe_ = |source| self.is_unsafe(account, source);
        let new;
        let directory = match &facts.directory {
            Some((directory, _)) => directory,
            None => {
                facts.home.create(DIRECTORY).map_err(unsafe_)?;
                new = self.opened(facts)?;
                &new
            }
        };
        directory.set(attributes(account, 0o700)).map_err(unsafe_)?;
        directory.write(FILE, content, attributes(account, 0o600)).map_err(unsafe_)
    }

    /// The directory that was made a moment ago, unless the user has put another one in its place.
    fn opened(&self, facts: &Facts) -> Result<Pinned, KeysError> {
        let unsafe_ = |source| self.is_unsafe(&facts.account, source);
        let gone = || KeysError::NoHome { user: self.user.clone(), home: facts.account.home.clone() };
        let directory = facts.home.directory(DIRECTORY).map_err(unsafe_)?.ok_or_else(gone)?;
        self.check_owner(&facts.account, DIRECTORY, &directory.stat().map_err(unsafe_)?)?;
        Ok(directory)
    }
}

fn attributes(account: &Account, mode: u32) -> Attributes {
    Attributes { mode, uid: Some(account.uid), gid: Some(account.gid) }
}

/// A line for each key that comes or goes, and for each attribute that is not as it should be.
fn diff(facts: &Facts, content: &str) -> Vec<String> {
    let lines = key_lines(facts.file.as_ref().map(|(old, _)| old.as_slice()), content);
    let directory = facts.directory.as_ref().map(|(_, stat)| (".ssh", stat, 0o700));
    let file = facts.file.as_ref().map(|(_, stat)| (FILE, stat, 0o600));
    let stats = directory.into_iter().chain(file);
    lines
        .into_iter()
        .chain(stats.flat_map(|(name, stat, mode)| attribute_lines(name, *stat, &facts.account, mode)))
        .collect()
}

/// A line for each key that comes or goes.
fn key_lines(old: Option<&[u8]>, content: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(old.unwrap_or_default());
    let mut lines = key::diff(&text, content);
    if lines.is_empty() && (old.is_none() || text != content) {
        lines.push(if old.is_none() { "new, empty" } else { "lines that are no keys" }.into());
    }
    lines
}

fn attribute_lines(name: &str, found: Stat, account: &Account, mode: u32) -> Vec<String> {
    let number =
        |what: &str, found: u32, wanted: u32| (found != wanted).then(|| format!("{name}: {what} {found} -> {wanted}"));
    let mode = (found.mode != mode).then(|| format!("{name}: mode {:04o} -> {mode:04o}", found.mode));
    [number("owner", found.uid, account.uid), number("group", found.gid, account.gid), mode]
        .into_iter()
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests;
