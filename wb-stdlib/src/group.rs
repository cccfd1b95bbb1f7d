//! Groups.
//!
//! They are those of the host's own file, `/etc/group`: it is read here, and changed by `groupadd`, `groupmod`,
//! `groupdel` and `gpasswd`, or, on Alpine without its package `shadow`, by `addgroup` and `delgroup` of BusyBox, which can't
//! change a number. A group that is as wanted costs no program. Groups of other sources (LDAP, say) are respected:
//! where all is as wanted, nothing is said, and what is not can't be changed from here.

mod commands;

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use wb_core::context::{Context, Outcome};
use wb_core::system::{Command, System};

pub use crate::account::AccountError;
use crate::account::{self, Programs, Subject, listed, tools};
use crate::ensure::{Difference, ensure};
use crate::user::signed;
use crate::{Host, Look, foresight, owner};

/// How often members are said: gpasswd writes what it read before it had the lock, so that one that outlived a run may undo
/// what the next run's did.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// What somebody said of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Wanted {
    gid: Option<u32>,
    system: bool,
    members: Option<Members>,
}

/// Who is in the group, beside those whose primary group it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Members {
    names: Vec<String>,
    /// And nobody else.
    only: bool,
}

/// One thing that is not as wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    New,
    Gid { from: u32, to: u32 },
    Members { added: Vec<String>, removed: Vec<String> },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("new"),
            Self::Gid { from, to } => write!(f, "gid {from} -> {to}"),
            Self::Members { added, removed } => f.write_str(&signed("members", added, removed)),
        }
    }
}

/// What is to change. A group that is not there yet is one change: the rest is seen when that is made.
fn diff(found: Option<&owner::Group>, wanted: &Wanted) -> Vec<Change> {
    let Some(found) = found else { return vec![Change::New] };
    let gid = wanted.gid.filter(|gid| *gid != found.gid).map(|to| Change::Gid { from: found.gid, to });
    let members = wanted.members.as_ref().and_then(|members| members_differ(&found.members, members));
    gid.into_iter().chain(members).collect()
}

fn members_differ(found: &[String], Members { names, only }: &Members) -> Option<Change> {
    let added: Vec<String> = names.iter().filter(|name| !found.contains(name)).cloned().collect();
    let removed: Vec<String> = found.iter().filter(|name| *only && !names.contains(name)).cloned().collect();
    (!added.is_empty() || !removed.is_empty()).then_some(Change::Members { added, removed })
}

/// The lines of a difference. A new group comes with all that is wanted of it.
fn lines(changes: &[Change], wanted: &Wanted) -> Vec<String> {
    let lines = changes.iter().map(ToString::to_string);
    if changes != [Change::New] {
        return lines.collect();
    }
    let gid = wanted.gid.map(|gid| format!("gid {gid}"));
    let members = wanted.members.as_ref().map(|members| format!("members {}", listed(&members.names)));
    lines.chain(gid).chain(members).collect()
}

/// A group. [`Look::group`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn make_groups(host: &Host) -> Result<()> {
///     host.group("shop").gid(3000).members(["anna", "carl"]).present()?;
///     host.group("backup-readers").system().only_members(["backup"]).present()?;
///     host.group("games").absent()?;
///     Ok(())
/// }
///
/// fn anna_works_for_the_shop(host: &View) -> Result<()> {
///     let shop = host.group("shop");
///     shop.exists()?;
///     shop.has_gid(3000)?;
///     shop.has_member("anna")?;
///     host.group("games").is_absent()
/// }
/// # wb_stdlib::testing::web1().user("anna").user("carl").rehearse(make_groups).asks(anna_works_for_the_shop);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct Group<A> {
    access: A,
    name: String,
    wanted: Wanted,
}

impl<A: Look> Group<A> {
    pub(crate) fn new(access: A, name: &str) -> Self {
        Self { access, name: name.to_owned(), wanted: Wanted::default() }
    }

    /// Checks that there is such a group, of whatever source.
    ///
    /// # Errors
    /// When there is none, or the host can't say.
    pub fn exists(&self) -> Result<()> {
        self.known().map(drop)
    }

    /// Checks that there is no such group, of whatever source.
    ///
    /// # Errors
    /// When there is one, or the host can't say.
    pub fn is_absent(&self) -> Result<()> {
        let found = self.found()?;
        anyhow::ensure!(found.is_none(), "expected no group `{}`, found one", self.name);
        Ok(())
    }

    /// Checks that the group has this number.
    ///
    /// # Errors
    /// When that is not so, or there is no such group.
    pub fn has_gid(&self, gid: u32) -> Result<()> {
        let found = self.known()?.gid;
        anyhow::ensure!(found == gid, "expected the group `{}` to have the gid {gid}, found {found}", self.name);
        Ok(())
    }

    /// Checks that this user is in the group; it may be the user's primary group, too.
    ///
    /// # Errors
    /// When that is not so, or there is no such group.
    pub fn has_member(&self, user: &str) -> Result<()> {
        let group = self.known()?;
        let accounts = owner::accounts(self.machine()).map_err(|source| self.subject().look(source))?;
        let is_primary = accounts.named(user).is_some_and(|account| account.gid == group.gid);
        let (name, members) = (&self.name, listed(&group.members));
        anyhow::ensure!(is_primary || group.has(user), "expected `{user}` in the group `{name}`, found {members}");
        Ok(())
    }

    fn known(&self) -> Result<owner::Group> {
        let found = self.found()?;
        found.ok_or_else(|| anyhow::anyhow!("expected the group `{}`, found none of that name", self.name))
    }

    fn found(&self) -> Result<Option<owner::Group>, AccountError> {
        self.subject().check()?;
        match self.local()? {
            Some(group) => Ok(Some(group)),
            None => self.elsewhere(),
        }
    }

    /// As the host's own file has it.
    fn local(&self) -> Result<Option<owner::Group>, AccountError> {
        let groups = owner::groups(self.machine()).map_err(|source| self.subject().look(source))?;
        Ok(groups.named(&self.name).cloned())
    }

    fn elsewhere(&self) -> Result<Option<owner::Group>, AccountError> {
        owner::group_elsewhere(self.machine(), &self.name).map_err(|source| self.subject().ask(source))
    }

    fn subject(&self) -> Subject<'_> {
        Subject::group(&self.name)
    }

    fn machine(&self) -> &System {
        self.context().system()
    }

    fn context(&self) -> &Context<'_> {
        self.access.context()
    }
}

impl Group<Host<'_>> {
    /// The number, from 0 to 4294967294. Without this, a new group gets the next one that is free. Files keep the
    /// number that they had.
    pub fn gid(mut self, gid: u32) -> Self {
        self.wanted.gid = Some(gid);
        self
    }

    /// A new group is one of the system: its number is below 1000. One that is there stays as it is.
    pub fn system(mut self) -> Self {
        self.wanted.system = true;
        self
    }

    /// Users who are in it, and have to be there. Where there are others, these stay.
    pub fn members<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        self.with_members(names, false)
    }

    /// The users who are in it, and nobody else, but for those whose primary group it is.
    pub fn only_members<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        self.with_members(names, true)
    }

    fn with_members<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>, only: bool) -> Self {
        let members = self.wanted.members.get_or_insert_default();
        members.only |= only;
        for name in names.into_iter().map(Into::into) {
            if !members.names.contains(&name) {
                members.names.push(name);
            }
        }
        self
    }

    /// There is such a group, and is so. What nobody said stays as it is.
    ///
    /// # Errors
    /// When a member is not there, the number is taken, the group comes from elsewhere, or a program fails.
    pub fn present(self) -> Result<Outcome, AccountError> {
        self.check()?;
        let what = format!("group {} present", self.name);
        let local = self.local()?;
        let found = if local.is_some() { local.clone() } else { self.elsewhere()? };
        if let Some(why) = self.changes_before(found.is_some()) {
            return ensure(self.access, &what, Difference::Unknown(why), || Ok(()));
        }
        let changes = diff(found.as_ref(), &self.wanted);
        if local.is_none() && found.is_some() && !changes.is_empty() {
            return Err(self.subject().elsewhere(lines(&changes, &self.wanted)));
        }
        let difference = match self.obstacle(&changes)? {
            Some(obstacle) if self.access.plans() => Difference::Unknown(obstacle.as_unknown()),
            Some(obstacle) => return Err(obstacle),
            None if changes.is_empty() => Difference::None,
            None => Difference::Some(Some(lines(&changes, &self.wanted).join("\n"))),
        };
        if matches!(difference, Difference::Some(_)) {
            self.foresee(&changes);
        }
        ensure(self.access, &what, difference, || self.achieve(&changes))
    }

    /// There is no such group in the host's own file.
    ///
    /// # Errors
    /// When it is the primary group of a user, or groupdel fails.
    pub fn absent(self) -> Result<Outcome, AccountError> {
        self.subject().check()?;
        let what = format!("group {} absent", self.name);
        let local = self.local()?;
        if let Some(why) = self.changes_before(local.is_some()) {
            return ensure(self.access, &what, Difference::Unknown(why), || Ok(()));
        }
        let Some(found) = local else {
            return ensure(self.access, &what, Difference::None, || Ok(()));
        };
        let difference = match self.has_as_primary(found.gid)? {
            Some(user) if self.access.plans() => Difference::Unknown(self.primary(user).as_unknown()),
            Some(user) => return Err(self.primary(user)),
            None => Difference::Some(Some(format!("- {}, gid {}", found.name, found.gid))),
        };
        if matches!(difference, Difference::Some(_)) {
            foresight::no_group(self.context(), &self.name);
        }
        ensure(self.access, &what, difference, || self.take_away())
    }

    fn changes_before(&self, is_there: bool) -> Option<String> {
        self.subject().changes_before(is_there, foresight::has_group(self.context(), &self.name))
    }

    /// Lets operations that come later in a plan know of it.
    fn foresee(&self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::New => foresight::group(self.context(), &self.name, self.wanted.gid),
                Change::Gid { to, .. } => foresight::group(self.context(), &self.name, Some(*to)),
                Change::Members { .. } => {}
            }
        }
    }

    fn check(&self) -> Result<(), AccountError> {
        self.subject().check()?;
        self.subject().check_number(self.wanted.gid)?;
        let mut members = self.wanted.members.iter().flat_map(|members| &members.names);
        members.try_for_each(|member| Subject::user(member).check())
    }

    /// What keeps the changes from being made. An operation before this one may take it away, so that a plan can't know.
    fn obstacle(&self, changes: &[Change]) -> Result<Option<AccountError>, AccountError> {
        let is_new = *changes == [Change::New];
        let takes_number = is_new || changes.iter().any(|change| matches!(change, Change::Gid { .. }));
        if let Some(gid) = self.wanted.gid.filter(|_| takes_number)
            && let Some(by) = self.who_has(gid)?
        {
            return Ok(Some(self.subject().taken(gid, &by)));
        }
        let members = || self.wanted.members.iter().flat_map(|members| members.names.clone()).collect();
        let needed = changes.iter().flat_map(|change| match change {
            Change::New => members(),
            Change::Members { added, .. } => added.clone(),
            Change::Gid { .. } => Vec::new(),
        });
        for member in needed {
            if !account::has_user(self.access, self.subject(), &member)? {
                return Ok(Some(AccountError::NoMember { name: self.name.clone(), member }));
            }
        }
        let beyond = commands::beyond_busybox(changes);
        let is_beyond = !beyond.is_empty() && Programs::of(self.machine()) == Programs::BusyBox;
        Ok(is_beyond.then(|| self.subject().beyond_busybox(beyond)))
    }

    fn who_has(&self, gid: u32) -> Result<Option<String>, AccountError> {
        let groups = owner::groups(self.machine()).map_err(|source| self.subject().look(source))?;
        let by = groups.numbered(gid).filter(|other| other.name != self.name);
        let by = by.filter(|other| foresight::has_group(self.context(), &other.name) != Some(false));
        Ok(by.map(|other| other.name.clone()))
    }

    fn achieve(&self, changes: &[Change]) -> Result<(), AccountError> {
        let (mut changes, programs) = (changes.to_owned(), Programs::of(self.machine()));
        if changes == [Change::New] {
            let added = self.run("add", commands::add(&self.name, &self.wanted, programs));
            // A groupadd that outlived the run that began it may have been quicker.
            if self.local()?.is_none() {
                added?;
            }
            changes = diff(self.local()?.as_ref(), &self.wanted);
        }
        for _ in 0..TRIES {
            let of = |change: &Change| commands::change(&self.name, change, &self.wanted, programs);
            for command in changes.iter().flat_map(of) {
                self.run("change", command)?;
            }
            changes = diff(self.local()?.as_ref(), &self.wanted);
            if changes.is_empty() {
                return Ok(());
            }
            self.machine().clock().sleep(PAUSE);
        }
        Err(self.subject().not_so(lines(&changes, &self.wanted)))
    }

    /// A user of this host whose primary group has this number.
    fn has_as_primary(&self, gid: u32) -> Result<Option<String>, AccountError> {
        let accounts = owner::accounts(self.machine()).map_err(|source| self.subject().look(source))?;
        let user = accounts.iter().find(|account| account.gid == gid);
        Ok(user.map(|account| account.name.clone()))
    }

    fn primary(&self, user: String) -> AccountError {
        AccountError::Primary { name: self.name.clone(), user }
    }

    fn take_away(&self) -> Result<(), AccountError> {
        let programs = Programs::of(self.machine());
        let removed = self.run("remove", commands::remove(&self.name, programs));
        match self.local()? {
            None => Ok(()),
            Some(_) => removed.and(Err(self.subject().not_so(vec!["it is still there".into()]))),
        }
    }

    fn run(&self, action: &'static str, command: Command) -> Result<(), AccountError> {
        tools::run(self.machine(), self.subject(), action, command)
    }
}

#[cfg(test)]
mod tests;
