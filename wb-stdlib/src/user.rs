//! Users.
//!
//! They are those of the host's own files, `/etc/passwd` and its companions: these are read here, and changed by
//! `useradd`, `usermod`, `userdel` and `chpasswd`, or, on Alpine without its package `shadow`, by BusyBox: `adduser`,
//! `addgroup`, `deluser`, `delgroup`, `passwd` and `chpasswd`. BusyBox makes users and removes them, but of one who is there
//! it changes the groups and the password alone; all else is an error that names the package. A user who is as wanted costs
//! no program. Users of other sources (LDAP, say) are respected: where all is as wanted, nothing is said, and what is not
//! can't be changed from here.

mod busybox;
mod commands;
mod day;
mod difference;
mod home;
mod password;
mod processes;
mod wanted;

use std::path::{Path, PathBuf};

use anyhow::Result;
use wb_core::context::{Context, Outcome};
use wb_core::system::files::{self, Kind, Stat};
use wb_core::system::{Command, System};

pub use crate::account::AccountError;
use crate::account::{self, Programs, Subject, listed, tools};
use crate::ensure::{Difference, ensure};
use crate::file::mounted_below;
use crate::foresight::{self, Thing};
use crate::owner::{self, Account};
use crate::{Host, Look};
pub(crate) use difference::signed;
use difference::{Change, Facts, diff, lines};
use password::Password;
use wanted::{Expiry, Wanted};

/// A user. [`Look::user`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn let_anna_in(host: &Host) -> Result<()> {
///     host.user("anna").uid(2001).groups(["sudo"]).shell("/bin/bash").comment("Anna Berg").present()?;
///     host.user("shop").system().home("/srv/shop").shell("/usr/sbin/nologin").present()?;
///     host.user("carl").absent()?;
///     Ok(())
/// }
///
/// fn anna_may_do_all(host: &View) -> Result<()> {
///     host.user("anna").is_in("sudo")
/// }
/// # wb_stdlib::testing::web1().rehearse(let_anna_in).asks(anna_may_do_all);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct User<A> {
    access: A,
    name: String,
    wanted: Wanted,
}

impl<A: Look> User<A> {
    pub(crate) fn new(access: A, name: &str) -> Self {
        Self { access, name: name.to_owned(), wanted: Wanted::default() }
    }

    /// Checks that there is such a user, of whatever source.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn everybody_is_as_said(host: &View) -> Result<()> {
    ///     let anna = host.user("anna");
    ///     anna.exists()?;
    ///     anna.has_uid(2001)?;
    ///     anna.has_shell("/bin/bash")?;
    ///     anna.has_home("/home/anna")?;
    ///     host.user("shop").is_locked()?;
    ///     host.user("carl").is_absent()
    /// }
    /// # wb_stdlib::testing::web1().asks(everybody_is_as_said);
    /// ```
    ///
    /// # Errors
    /// When there is none, or the host can't say.
    pub fn exists(&self) -> Result<()> {
        self.known().map(drop)
    }

    /// Checks that there is no such user, of whatever source.
    ///
    /// # Errors
    /// When there is one, or the host can't say.
    pub fn is_absent(&self) -> Result<()> {
        let found = self.account()?;
        anyhow::ensure!(found.is_none(), "expected no user `{}`, found one", self.name);
        Ok(())
    }

    /// Checks that the user has this number.
    ///
    /// # Errors
    /// When that is not so, or there is no such user.
    pub fn has_uid(&self, uid: u32) -> Result<()> {
        self.expect("uid", &uid.to_string(), &self.known()?.uid.to_string())
    }

    /// Checks that the user has this shell, as in `/bin/bash`.
    ///
    /// # Errors
    /// When that is not so, or there is no such user.
    pub fn has_shell(&self, shell: &str) -> Result<()> {
        self.expect("shell", shell, &self.known()?.shell)
    }

    /// Checks that the user has this home, and that it is there.
    ///
    /// # Errors
    /// When that is not so, or there is no such user.
    pub fn has_home(&self, home: &str) -> Result<()> {
        self.expect("home", home, &self.known()?.home)?;
        anyhow::ensure!(self.machine().stat(home)?.is_some(), "expected the home {home}, found nothing there");
        Ok(())
    }

    /// Checks that the user is in this group, as the primary one or another.
    ///
    /// # Errors
    /// When that is not so, or there is no such user or group.
    pub fn is_in(&self, group: &str) -> Result<()> {
        let account = self.known()?;
        let groups = owner::groups(self.machine()).map_err(|source| self.subject().look(source))?;
        let found = match groups.named(group) {
            Some(found) => Some(found.clone()),
            None => owner::group_elsewhere(self.machine(), group).map_err(|source| self.subject().ask(source))?,
        };
        let Some(found) = found else { anyhow::bail!("expected the group `{group}`, found none of that name") };
        let is_in = found.has(&self.name) || found.gid == account.gid;
        let (name, others) = (&self.name, groups.around(&account));
        anyhow::ensure!(is_in, "expected the user `{name}` to be in the group `{group}`, found {}", listed(&others));
        Ok(())
    }

    /// Checks that the user's password is locked: nobody gets in with it.
    ///
    /// # Errors
    /// When that is not so, or `/etc/shadow` does not know the user.
    pub fn is_locked(&self) -> Result<()> {
        let shadows = owner::shadows(self.machine()).map_err(|source| self.subject().look(source))?;
        let found = match shadows.named(&self.name) {
            Some(shadow) if shadow.is_locked() => return Ok(()),
            Some(_) => "found it without a lock",
            None => "found nobody of that name in /etc/shadow",
        };
        anyhow::bail!("expected the password of `{}` to be locked, {found}", self.name)
    }

    fn expect(&self, what: &str, expected: &str, found: &str) -> Result<()> {
        let name = &self.name;
        anyhow::ensure!(expected == found, "expected the user `{name}` to have the {what} {expected}, found {found}");
        Ok(())
    }

    fn known(&self) -> Result<Account> {
        let found = self.account()?;
        found.ok_or_else(|| anyhow::anyhow!("expected the user `{}`, found nobody of that name", self.name))
    }

    fn account(&self) -> Result<Option<Account>, AccountError> {
        self.subject().check()?;
        match self.local()? {
            Some(account) => Ok(Some(account)),
            None => account::user_elsewhere(self.machine(), self.subject(), &self.name),
        }
    }

    /// As the host's own file has it.
    fn local(&self) -> Result<Option<Account>, AccountError> {
        let accounts = owner::accounts(self.machine()).map_err(|source| self.subject().look(source))?;
        Ok(accounts.named(&self.name).cloned())
    }

    fn subject(&self) -> Subject<'_> {
        Subject::user(&self.name)
    }

    fn machine(&self) -> &System {
        self.context().system()
    }

    fn context(&self) -> &Context<'_> {
        self.access.context()
    }
}

impl User<Host<'_>> {
    /// The number, from 0 to 4294967294. Without this, a new user gets the next one that is free.
    pub fn uid(mut self, uid: u32) -> Self {
        self.wanted.uid = Some(uid);
        self
    }

    /// The primary group, by name or number, which has to be there. Without this, a new user gets the group that is called
    /// like the user, which is made if need be, or what the distribution gives to new users.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn people_and_programs(host: &Host) -> Result<()> {
    ///     host.user("anna").group("staff").only_groups(["sudo", "docker"]).present()?;
    ///     host.user("shop").system().home("/srv/shop").with_home().present()?;
    ///     host.user("metrics").system().without_home().present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(people_and_programs);
    /// ```
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.wanted.group = Some(group.into());
        self
    }

    /// Groups that the user is in, beside the primary one. Where there are others, these stay.
    pub fn groups<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.wanted.set_groups(names, false);
        self
    }

    /// The groups that the user is in, beside the primary one, and no others.
    pub fn only_groups<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.wanted.set_groups(names, true);
        self
    }

    /// The home, an absolute path without `..` and `:`. What lies in another one that the user had stays there. Without
    /// this, a new user gets what the distribution gives, which is `/home/NAME`.
    pub fn home(mut self, path: impl Into<String>) -> Self {
        self.wanted.home = Some(path.into());
        self
    }

    /// The home is to be there, also that of a system user.
    ///
    /// Where there is nothing at its path, it is made with what is in `/etc/skel`, for the user, in the mode that
    /// `/etc/login.defs` gives to homes. People (whose uid is 1000 or more) have theirs without this.
    pub fn with_home(mut self) -> Self {
        self.wanted.makes_home = Some(true);
        self
    }

    /// No home is made.
    pub fn without_home(mut self) -> Self {
        self.wanted.makes_home = Some(false);
        self
    }

    /// The shell, an absolute path, which has to be there.
    pub fn shell(mut self, path: impl Into<String>) -> Self {
        self.wanted.shell = Some(path.into());
        self
    }

    /// The comment, which most programs take for the full name (GECOS): one line without `:`.
    pub fn comment(mut self, text: impl Into<String>) -> Self {
        self.wanted.comment = Some(text.into());
        self
    }

    /// A new user is one of the system: the number is below 1000, and no home is made. One that is there stays as it is.
    pub fn system(mut self) -> Self {
        self.wanted.system = true;
        self
    }

    /// The hash of the password: `$6$…` (`openssl passwd -6` makes it) or `$y$…` (`mkpasswd`). It is shown nowhere,
    /// and goes to `chpasswd` through standard input. The code that it stands in is no place for it, though: anybody who
    /// reads a hash can guess passwords against it.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn who_gets_in(host: &Host, hash: &str) -> Result<()> {
    ///     host.user("anna").password_hash(hash).unlocked().never_expires().present()?;
    ///     host.user("deploy").without_password().present()?; // with a key alone
    ///     host.user("bert").locked().expires("2031-01-31").present()?;
    ///     host.user("carl").absent_with_home()?;
    ///     Ok(())
    /// }
    /// # let hash = format!("$6$salt${}", "x".repeat(86));
    /// # wb_stdlib::testing::web1().rehearse(|host| who_gets_in(host, &hash));
    /// ```
    pub fn password_hash(mut self, hash: impl Into<String>) -> Self {
        self.wanted.password = Some(Wanted::hash(hash.into()));
        self
    }

    /// No password lets the user in. Unlike [`User::locked`], keys do in every configuration of sshd.
    pub fn without_password(mut self) -> Self {
        self.wanted.password = Some(Password::None);
        self
    }

    /// The password is locked: it stays, and lets nobody in. An sshd without PAM does not let in who has a key either.
    pub fn locked(mut self) -> Self {
        self.wanted.locked = Some(true);
        self
    }

    /// The password is not locked.
    pub fn unlocked(mut self) -> Self {
        self.wanted.locked = Some(false);
        self
    }

    /// The account is closed from this day on, `YYYY-MM-DD`, as in `2031-01-31`: one that the calendar has.
    pub fn expires(mut self, day: impl Into<String>) -> Self {
        self.wanted.expiry = Some(Expiry::On(day.into()));
        self
    }

    /// The account stays open.
    pub fn never_expires(mut self) -> Self {
        self.wanted.expiry = Some(Expiry::Never);
        self
    }

    /// There is such a user, and is so. What nobody said stays as it is.
    ///
    /// `/etc/shadow` is looked at only when the password, its lock or the expiry are wanted. A home that is missing is made.
    ///
    /// # Errors
    /// When a group or the shell is not there, the number is taken, the user is in use or comes from elsewhere, or a program
    /// fails.
    pub fn present(self) -> Result<Outcome, AccountError> {
        self.wanted.check(self.subject())?;
        let what = format!("user {} present", self.name);
        let facts = self.facts()?;
        if let Some(why) = self.changes_before(facts.account.is_some()) {
            return ensure(self.access, &what, Difference::Unknown(why), || Ok(()));
        }
        let changes = diff(&facts, &self.wanted);
        if facts.is_elsewhere && !changes.is_empty() {
            return Err(self.subject().elsewhere(lines(&changes, &self.wanted)));
        }
        let difference = match self.obstacle(&facts, &changes)? {
            Some(obstacle) if self.access.plans() => Difference::Unknown(obstacle.as_unknown()),
            Some(obstacle) => return Err(obstacle),
            None if changes.is_empty() => Difference::None,
            None => Difference::Some(Some(lines(&changes, &self.wanted).join("\n"))),
        };
        if self.access.plans() && matches!(difference, Difference::Some(_)) {
            self.foresee(&facts, &changes)?;
        }
        ensure(self.access, &what, difference, || self.achieve(&facts, changes))
    }

    /// There is no such user in the host's own files. The home and all other files stay.
    ///
    /// # Errors
    /// When the user is in use, or userdel fails.
    pub fn absent(self) -> Result<Outcome, AccountError> {
        self.remove(false)
    }

    /// There is no such user in the host's own files, and neither the home nor the mail of one who was there. All other
    /// files stay.
    ///
    /// # Errors
    /// When the user is in use, the home belongs to somebody else, holds the home of another user or what is mounted there,
    /// or it can't be removed.
    pub fn absent_with_home(self) -> Result<Outcome, AccountError> {
        self.remove(true)
    }

    fn facts(&self) -> Result<Facts, AccountError> {
        let look = |source| self.subject().look(source);
        let groups = owner::groups(self.machine()).map_err(look)?;
        let local = self.local()?;
        let is_elsewhere = local.is_none();
        let account = match local {
            Some(account) => Some(account),
            None => account::user_elsewhere(self.machine(), self.subject(), &self.name)?,
        };
        let has_namesake = groups.named(&self.name).is_some();
        let Some(account) = account else { return Ok(Facts { has_namesake, ..Facts::default() }) };
        let home = self.wanted.home.as_ref().unwrap_or(&account.home);
        let mut facts = Facts {
            is_elsewhere,
            group: self.group_of(&account, &groups)?,
            has_namesake,
            groups: groups.of(&self.name),
            shadow: None,
            has_home: self.machine().stat(home).map_err(look)?.is_some(),
            account: Some(account),
        };
        // A useradd that was cut short leaves out the last of its work first.
        if self.wanted.has_secrets() || !diff(&facts, &self.wanted).iter().all(Change::is_ordinary) {
            let shadows = owner::shadows(self.machine()).map_err(look)?;
            facts.shadow = Some(shadows.named(&self.name).cloned());
        }
        Ok(facts)
    }

    /// The name of the primary group.
    fn group_of(&self, account: &Account, groups: &owner::Groups) -> Result<Option<String>, AccountError> {
        if let Some(group) = groups.numbered(account.gid) {
            return Ok(Some(group.name.clone()));
        }
        let found = owner::group_elsewhere(self.machine(), &account.gid.to_string());
        Ok(found.map_err(|source| self.subject().ask(source))?.map(|group| group.name))
    }

    fn changes_before(&self, is_there: bool) -> Option<String> {
        self.subject().changes_before(is_there, foresight::has_user(self.context(), &self.name))
    }

    /// Lets operations that come later in a plan know of the user.
    fn foresee(&self, facts: &Facts, changes: &[Change]) -> Result<(), AccountError> {
        for change in changes {
            match change {
                Change::New => self.foresee_new(facts)?,
                Change::Uid { to, .. } => foresight::user(self.context(), &self.name, Some(*to)),
                _ => {}
            }
        }
        Ok(())
    }

    /// A new user comes with a group, perhaps, and with a home.
    fn foresee_new(&self, facts: &Facts) -> Result<(), AccountError> {
        let (context, name) = (self.context(), self.name.as_str());
        let look = |source| self.subject().look(source);
        foresight::user(context, name, self.wanted.uid);
        let is_busybox = Programs::of(self.machine()) == Programs::BusyBox;
        let has_namesake = foresight::has_group(context, name).unwrap_or(facts.has_namesake);
        let gets_group = self.wanted.group.is_none() && !has_namesake;
        if gets_group && (is_busybox || home::has_own_groups(self.machine()).map_err(look)?) {
            foresight::group(context, name, None);
        }
        if !self.wanted.has_new_home() {
            return Ok(());
        }
        let home = match &self.wanted.home {
            Some(home) => PathBuf::from(home),
            None => home::default_of(self.machine(), name).map_err(look)?,
        };
        if foresight::stat(context, &home).map_err(look)?.is_some() {
            return Ok(());
        }
        let (uid, group) = (foresight::uid(context, name), self.wanted.group.as_deref().unwrap_or(name));
        let gid = foresight::gid(context, group).unwrap_or(foresight::ANYBODY);
        let stat = foresight::new_stat(Kind::Directory, home::new_mode(self.machine()).map_err(look)?);
        let stat = Stat { uid: uid.unwrap_or(foresight::ANYBODY), gid, ..stat };
        if !home::has_keys(self.machine()).map_err(look)? {
            foresight::home_without_keys(context, name);
        }
        foresight::make_directory(context, &home, Thing::Later(stat)).map_err(look)
    }

    /// What keeps the changes from being made. An operation before this one may take it away, so that a plan can't know.
    fn obstacle(&self, facts: &Facts, changes: &[Change]) -> Result<Option<AccountError>, AccountError> {
        let is_new = *changes == [Change::New];
        let changes_any = |is: fn(&Change) -> bool| is_new || changes.iter().any(is);
        if changes_any(|change| matches!(change, Change::Uid { .. }))
            && let Some(taken) = self.taken()?
        {
            return Ok(Some(taken));
        }
        if let Some(missing) = self.missing_group(changes)? {
            return Ok(Some(missing));
        }
        if changes_any(|change| matches!(change, Change::Shell { .. }))
            && let Some(missing) = self.missing_shell()?
        {
            return Ok(Some(missing));
        }
        let unlocks = match is_new {
            true => self.wanted.locked == Some(false) && self.wanted.password.is_none(),
            false => changes.contains(&Change::Locked(false)),
        };
        let has_password = facts.shadow.iter().flatten().any(|shadow| !shadow.unlocked().is_empty());
        if unlocks && !has_password {
            return Ok(Some(AccountError::NothingToUnlock { name: self.name.clone() }));
        }
        Ok(self.beyond_busybox(changes))
    }

    fn beyond_busybox(&self, changes: &[Change]) -> Option<AccountError> {
        let beyond = busybox::beyond(changes, &self.wanted);
        let is_beyond = !beyond.is_empty() && Programs::of(self.machine()) == Programs::BusyBox;
        is_beyond.then(|| self.subject().beyond_busybox(beyond))
    }

    fn taken(&self) -> Result<Option<AccountError>, AccountError> {
        let Some(uid) = self.wanted.uid else { return Ok(None) };
        let accounts = owner::accounts(self.machine()).map_err(|source| self.subject().look(source))?;
        let by = accounts.numbered(uid).filter(|other| other.name != self.name);
        let by = by.filter(|other| foresight::has_user(self.context(), &other.name) != Some(false));
        Ok(by.map(|other| self.subject().taken(uid, &other.name)))
    }

    fn missing_group(&self, changes: &[Change]) -> Result<Option<AccountError>, AccountError> {
        for group in self.groups_needed(changes) {
            if !account::has_group(self.access, self.subject(), group)? {
                return Ok(Some(AccountError::NoGroup { name: self.name.clone(), group: group.clone() }));
            }
        }
        Ok(None)
    }

    /// The groups that have to be there for these changes.
    fn groups_needed<'c>(&'c self, changes: &'c [Change]) -> Vec<&'c String> {
        let all = || self.wanted.group.iter().chain(self.wanted.groups.iter().flat_map(|groups| &groups.names));
        let needed = |change: &'c Change| match change {
            Change::New => all().collect(),
            Change::Group { to, .. } => vec![to],
            Change::Groups { added, .. } => added.iter().collect(),
            _ => Vec::new(),
        };
        changes.iter().flat_map(needed).collect()
    }

    fn missing_shell(&self) -> Result<Option<AccountError>, AccountError> {
        let Some(shell) = &self.wanted.shell else { return Ok(None) };
        let found = self.machine().stat(shell).map_err(|source| self.subject().look(source))?;
        Ok(found.is_none().then(|| AccountError::NoShell { name: self.name.clone(), shell: shell.clone() }))
    }

    fn achieve(&self, facts: &Facts, changes: Vec<Change>) -> Result<(), AccountError> {
        let mut changes = changes;
        if changes == [Change::New] {
            let added = self.add(facts);
            // A useradd that outlived the run that began it may have been quicker.
            if self.local()?.is_none() {
                added?;
            }
            changes = diff(&self.facts()?, &self.wanted);
        }
        self.change(&changes)?;
        let left = diff(&self.facts()?, &self.wanted);
        if left.is_empty() { Ok(()) } else { Err(self.subject().not_so(lines(&left, &self.wanted))) }
    }

    fn add(&self, facts: &Facts) -> Result<(), AccountError> {
        if Programs::of(self.machine()) == Programs::Shadow {
            return self.run("add", commands::add(&self.name, facts, &self.wanted));
        }
        let wanted = self.wanted.group.as_deref().map(|group| self.named_group(group)).transpose()?;
        let makes_group = wanted.is_none() && !facts.has_namesake && self.wanted.system;
        if makes_group {
            self.run("make the group of", busybox::system_group(&self.name))?;
        }
        let group = wanted.or((facts.has_namesake || makes_group).then(|| self.name.clone()));
        self.run("add", busybox::add(&self.name, group, &self.wanted))
    }

    /// The name of a group that was said by its name or its number.
    fn named_group(&self, group: &str) -> Result<String, AccountError> {
        let Ok(gid) = group.parse() else { return Ok(group.to_owned()) };
        let groups = owner::groups(self.machine()).map_err(|source| self.subject().look(source))?;
        if let Some(found) = groups.numbered(gid) {
            return Ok(found.name.clone());
        }
        let found = owner::group_elsewhere(self.machine(), group).map_err(|source| self.subject().ask(source))?;
        let none = || AccountError::NoGroup { name: self.name.clone(), group: group.to_owned() };
        found.map(|group| group.name).ok_or_else(none)
    }

    fn change(&self, changes: &[Change]) -> Result<(), AccountError> {
        match Programs::of(self.machine()) {
            Programs::Shadow => self.modify(changes)?,
            Programs::BusyBox => self.modify_by_busybox(changes)?,
        }
        if let Some(command) = commands::password(&self.name, changes) {
            self.run("set the password of", command)?;
        }
        if changes.iter().any(|change| matches!(change, Change::NoHome(_))) {
            self.make_home()?;
        }
        Ok(())
    }

    fn modify(&self, changes: &[Change]) -> Result<(), AccountError> {
        if let Some(command) = commands::own_group(&self.name, changes) {
            self.run("make the group of", command)?;
        }
        match commands::modify(&self.name, changes, &self.wanted) {
            Some(command) => self.run("change", command),
            None => Ok(()),
        }
    }

    fn modify_by_busybox(&self, changes: &[Change]) -> Result<(), AccountError> {
        if let Some(beyond) = self.beyond_busybox(changes) {
            return Err(beyond);
        }
        let writes_password = |change: &Change| matches!(change, Change::Password(_) | Change::ShadowLine);
        if changes.iter().any(writes_password) {
            let look = |source| self.subject().look(source);
            if owner::shadows(self.machine()).map_err(look)?.named(&self.name).is_none() {
                busybox::write_shadow_line(self.machine(), &self.name).map_err(look)?;
            }
        }
        busybox::modify(&self.name, changes).into_iter().try_for_each(|command| self.run("change", command))
    }

    fn run(&self, action: &'static str, command: Command) -> Result<(), AccountError> {
        tools::run(self.machine(), self.subject(), action, command)
    }

    /// The numbers are those that the user has by now.
    fn make_home(&self) -> Result<(), AccountError> {
        let Some(account) = self.local()? else { return Ok(()) };
        let failed = |source| AccountError::Home { action: "make", name: self.name.clone(), source };
        home::make(self.machine(), &account).map_err(failed)?;
        let label = |source| {
            let (action, kind, name) = ("label the home of", "user", self.name.clone());
            AccountError::Act { action, kind, name, source: Box::new(source) }
        };
        home::label(self.machine(), &account.home).map_err(label)
    }

    fn remove(self, with_home: bool) -> Result<Outcome, AccountError> {
        self.subject().check()?;
        let what = format!("user {} absent{}", self.name, if with_home { " with its home" } else { "" });
        let local = self.local()?;
        if let Some(why) = self.changes_before(local.is_some()) {
            return ensure(self.access, &what, Difference::Unknown(why), || Ok(()));
        }
        let Some(account) = local else {
            return ensure(self.access, &what, Difference::None, || Ok(()));
        };
        let home = if with_home { self.own_home(&account)? } else { None };
        let user = format!("- {}, uid {}", account.name, account.uid);
        let lines: Vec<String> = [user].into_iter().chain(home.iter().map(|home| format!("- {home}"))).collect();
        foresight::no_user(self.context(), &self.name);
        if let Some(home) = &home {
            foresight::put(self.context(), Path::new(home), Thing::Nothing);
        }
        ensure(self.access, &what, Difference::Some(Some(lines.join("\n"))), || {
            self.take_away(&account, home, with_home)
        })
    }

    /// The home that goes with the user: there, and of nobody else.
    fn own_home(&self, account: &Account) -> Result<Option<String>, AccountError> {
        let look = |source| self.subject().look(source);
        let Some(stat) = self.machine().stat(&account.home).map_err(look)? else { return Ok(None) };
        let foreign = |why: String| AccountError::ForeignHome {
            name: self.name.clone(),
            path: PathBuf::from(&account.home),
            why,
        };
        if stat.uid != account.uid || stat.kind != Kind::Directory {
            return Err(foreign("it is no directory that belongs to them".into()));
        }
        if let Some(mount) = mounted_below(self.machine(), Path::new(&account.home)).map_err(look)? {
            return Err(foreign(format!("a file system is mounted at {}", mount.display())));
        }
        let accounts = owner::accounts(self.machine()).map_err(look)?;
        let lives_here =
            |other: &&Account| other.name != self.name && PathBuf::from(&other.home).starts_with(&account.home);
        match accounts.iter().find(lives_here) {
            Some(other) => Err(foreign(format!("the user `{}` has a home there, too", other.name))),
            None => Ok(Some(account.home.clone())),
        }
    }

    /// The home goes first: without the user, nobody would know where it is when this is cut short.
    fn take_away(&self, account: &Account, home: Option<String>, with_home: bool) -> Result<(), AccountError> {
        if with_home {
            self.refuse_processes(account)?;
            let failed = |source| AccountError::Home { action: "remove", name: self.name.clone(), source };
            if let Some(home) = home {
                files::remove_tree(self.machine().path(home)).map_err(failed)?;
            }
            files::remove(self.machine().path(format!("/var/mail/{}", self.name))).map_err(failed)?;
        }
        let removed = match Programs::of(self.machine()) {
            Programs::Shadow => self.run("remove", Command::new("userdel").args(["--", &self.name])),
            Programs::BusyBox => self.remove_by_busybox(account),
        };
        match self.local()? {
            None => Ok(()),
            Some(_) => removed.and(Err(self.subject().not_so(vec!["it is still there".into()]))),
        }
    }

    /// What userdel refuses, deluser does not.
    fn remove_by_busybox(&self, account: &Account) -> Result<(), AccountError> {
        self.refuse_processes(account)?;
        let groups = owner::groups(self.machine()).map_err(|source| self.subject().look(source))?;
        let commands = busybox::remove(&self.name, &groups.of(&self.name));
        commands.into_iter().try_for_each(|command| self.run("remove", command))
    }

    fn refuse_processes(&self, account: &Account) -> Result<(), AccountError> {
        match processes::one_of(self.machine(), account.uid) {
            Some(said) => Err(AccountError::Busy { name: self.name.clone(), said: format!("{said} is theirs") }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
