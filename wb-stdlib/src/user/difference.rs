//! How a user differs from what is wanted.

use std::fmt;

use super::day;
use super::password;
use super::wanted::{Expiry, Groups, Wanted};
use crate::account::listed;
use crate::owner::{Account, Secret, Shadow};

/// What there is of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) account: Option<Account>,
    /// Another source than this host's files knows the user.
    pub(super) is_elsewhere: bool,
    /// The name of the primary group; none where no group has its number.
    pub(super) group: Option<String>,
    /// There is a group that is called like the user.
    pub(super) has_namesake: bool,
    /// The groups that list the user.
    pub(super) groups: Vec<String>,
    /// What is known of the password, where it was looked at: then nothing is a line that is missing.
    pub(super) shadow: Option<Option<Shadow>>,
    pub(super) has_home: bool,
}

/// One thing that is not as wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// There is no such user.
    New,
    Uid {
        from: u32,
        to: u32,
    },
    Group {
        from: String,
        to: String,
    },
    Groups {
        added: Vec<String>,
        removed: Vec<String>,
    },
    Comment {
        from: String,
        to: String,
    },
    Home {
        from: String,
        to: String,
    },
    Shell {
        from: String,
        to: String,
    },
    Expiry {
        from: Option<u32>,
        to: Option<u32>,
    },
    Locked(bool),
    /// The whole field of /etc/shadow.
    Password(Secret),
    /// useradd was cut short before it wrote this line.
    ShadowLine,
    /// useradd was cut short before it made the user's own group, of this number.
    OwnGroup(u32),
    /// There is nothing at this path.
    NoHome(String),
}

impl Change {
    /// Whether it is no trace of a useradd that was cut short.
    pub(super) fn is_ordinary(&self) -> bool {
        !matches!(self, Self::OwnGroup(_) | Self::NoHome(_))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expiry = |days: &Option<u32>| days.map_or_else(|| "never".to_owned(), day::format);
        match self {
            Self::New => f.write_str("new"),
            Self::Uid { from, to } => write!(f, "uid {from} -> {to}"),
            Self::Group { from, to } => write!(f, "group {from} -> {to}"),
            Self::Groups { added, removed } => f.write_str(&signed("groups", added, removed)),
            Self::Comment { from, to } => write!(f, "comment {from:?} -> {to:?}"),
            Self::Home { from, to } => write!(f, "home {from} -> {to}"),
            Self::Shell { from, to } => write!(f, "shell {from} -> {to}"),
            Self::Expiry { from, to } => write!(f, "expires {} -> {}", expiry(from), expiry(to)),
            Self::Locked(true) => f.write_str("password locked"),
            Self::Locked(false) => f.write_str("password unlocked"),
            Self::Password(_) => f.write_str("password differs; it is not shown"),
            Self::ShadowLine => f.write_str("no line in /etc/shadow"),
            Self::OwnGroup(gid) => write!(f, "no group {gid}"),
            Self::NoHome(home) => write!(f, "no home {home}"),
        }
    }
}

/// Names that come and go, as `groups +adm +sudo -games`.
pub(crate) fn signed(what: &str, added: &[String], removed: &[String]) -> String {
    let added = added.iter().map(|name| format!(" +{name}"));
    added.chain(removed.iter().map(|name| format!(" -{name}"))).fold(what.to_owned(), |line, name| line + &name)
}

/// What is to change. A user who is not there yet is one change: the rest is seen when that is made.
pub(super) fn diff(facts: &Facts, wanted: &Wanted) -> Vec<Change> {
    let Some(account) = &facts.account else { return vec![Change::New] };
    let changes = [
        own_group(facts, account, wanted),
        uid(account, wanted),
        group(account, facts, wanted),
        groups(facts, wanted),
        differs(&account.comment, wanted.comment.as_ref()).map(|(from, to)| Change::Comment { from, to }),
        differs(&account.home, wanted.home.as_ref()).map(|(from, to)| Change::Home { from, to }),
        differs(&account.shell, wanted.shell.as_ref()).map(|(from, to)| Change::Shell { from, to }),
    ];
    let secrets = facts.shadow.as_ref().map(|shadow| secrets(shadow.as_ref(), wanted)).unwrap_or_default();
    let home = (!facts.has_home && !facts.is_elsewhere && wanted.has_home(account))
        .then(|| Change::NoHome(wanted.home.clone().unwrap_or_else(|| account.home.clone())));
    changes.into_iter().flatten().chain(secrets).chain(home).collect()
}

/// A user whose group was never made gets it, unless another one is wanted, or somebody else is called so.
fn own_group(facts: &Facts, account: &Account, wanted: &Wanted) -> Option<Change> {
    let is_missing = facts.group.is_none() && !facts.has_namesake && !facts.is_elsewhere && wanted.group.is_none();
    is_missing.then_some(Change::OwnGroup(account.gid))
}

fn uid(account: &Account, wanted: &Wanted) -> Option<Change> {
    let to = wanted.uid.filter(|uid| *uid != account.uid)?;
    Some(Change::Uid { from: account.uid, to })
}

fn group(account: &Account, facts: &Facts, wanted: &Wanted) -> Option<Change> {
    let to = wanted.group.as_ref()?;
    if to.parse() == Ok(account.gid) || facts.group.as_ref() == Some(to) {
        return None;
    }
    let from = facts.group.clone().unwrap_or_else(|| account.gid.to_string());
    Some(Change::Group { from, to: to.clone() })
}

/// Who has a group as the primary one is in it already.
fn groups(facts: &Facts, wanted: &Wanted) -> Option<Change> {
    let Groups { names, only } = wanted.groups.as_ref()?;
    let primary = wanted.group.as_ref().or(facts.group.as_ref());
    let added = names.iter().filter(|name| !facts.groups.contains(name) && Some(*name) != primary);
    let removed = facts.groups.iter().filter(|name| *only && !names.contains(name));
    let (added, removed) = (added.cloned().collect::<Vec<_>>(), removed.cloned().collect::<Vec<_>>());
    (!added.is_empty() || !removed.is_empty()).then_some(Change::Groups { added, removed })
}

fn differs(found: &str, wanted: Option<&String>) -> Option<(String, String)> {
    wanted.filter(|wanted| *wanted != found).map(|wanted| (found.to_owned(), wanted.clone()))
}

fn secrets(found: Option<&Shadow>, wanted: &Wanted) -> Vec<Change> {
    let password = wanted.password.as_ref().map(|password| password::field(found, password, wanted.locked));
    let has_password = password.is_some();
    let password = password.filter(|wanted| !found.is_some_and(|found| password::is_so(found, wanted)));
    let line = (found.is_none() && password.is_none()).then_some(Change::ShadowLine);
    let is_locked = found.is_none_or(Shadow::is_locked);
    let locked = wanted.locked.filter(|locked| !has_password && *locked != is_locked).map(Change::Locked);
    let expires = found.and_then(|found| found.expires);
    let expiry = wanted.expiry.as_ref().map(Expiry::days).filter(|to| *to != expires);
    let expiry = expiry.map(|to| Change::Expiry { from: expires, to });
    [line, password.map(Change::Password), locked, expiry].into_iter().flatten().collect()
}

/// The lines of a difference. A new user comes with all that is wanted of it.
pub(super) fn lines(changes: &[Change], wanted: &Wanted) -> Vec<String> {
    let lines = changes.iter().map(ToString::to_string);
    if changes != [Change::New] {
        return lines.collect();
    }
    let some = |word: &str, value: Option<String>| value.map(|value| format!("{word} {value}"));
    let about = [
        some("uid", wanted.uid.map(|uid| uid.to_string())),
        some("group", wanted.group.clone()),
        some("groups", wanted.groups.as_ref().map(|groups| listed(&groups.names))),
        some("comment", wanted.comment.as_ref().map(|comment| format!("{comment:?}"))),
        some("home", wanted.home.clone()),
        some("shell", wanted.shell.clone()),
        some("expires", wanted.expiry.as_ref().and_then(Expiry::days).map(day::format)),
        wanted.password.as_ref().map(|_| "a password, which is not shown".to_owned()),
        wanted.locked.filter(|locked| *locked).map(|_| "password locked".to_owned()),
    ];
    lines.chain(about.into_iter().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::{Accounts, Shadows};

    fn facts() -> Facts {
        let line = b"anna:x:2001:2001:Anna:/home/anna:/bin/bash\n";
        Facts {
            account: Accounts::parse(line).named("anna").cloned(),
            group: Some("anna".into()),
            has_namesake: true,
            groups: vec!["adm".into(), "games".into()],
            has_home: true,
            ..Facts::default()
        }
    }

    fn with_shadow(password: &str) -> Facts {
        let line = format!("anna:{password}:20786:0:99999:7::20849:\n");
        Facts { shadow: Some(Shadows::parse(line.as_bytes()).named("anna").cloned()), ..facts() }
    }

    fn check(facts: &Facts, wanted: &Wanted, expect: &[&str]) {
        assert_eq!(lines(&diff(facts, wanted), wanted), expect, "{wanted:?}");
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn groups(names: &[&str], only: bool) -> Option<Groups> {
        Some(Groups { names: names.iter().map(|name| (*name).to_owned()).collect(), only })
    }

    #[test]
    fn who_is_not_there_is_new_with_all_that_is_wanted() {
        check(&Facts::default(), &Wanted::default(), &["new"]);
        let wanted = Wanted {
            uid: Some(2001),
            groups: groups(&["adm", "sudo"], false),
            shell: some("/bin/zsh"),
            comment: some("Anna"),
            password: Some(Wanted::hash("$6$secret".into())),
            expiry: Some(Expiry::On("2027-01-31".into())),
            ..Wanted::default()
        };
        let expect =
            ["new", "uid 2001", "groups adm, sudo", "comment \"Anna\"", "shell /bin/zsh", "expires 2027-01-31"];
        check(&Facts::default(), &wanted, &[&expect[..], &["a password, which is not shown"]].concat());
    }

    #[test]
    fn what_nobody_said_is_as_it_should_be() {
        check(&facts(), &Wanted::default(), &[]);
        let wanted = Wanted {
            uid: Some(2001),
            group: some("anna"),
            groups: groups(&["adm"], false),
            home: some("/home/anna"),
            shell: some("/bin/bash"),
            comment: some("Anna"),
            ..Wanted::default()
        };
        check(&facts(), &wanted, &[]);
        check(&facts(), &Wanted { group: some("2001"), ..Wanted::default() }, &[]);
    }

    #[test]
    fn each_thing_that_differs_is_a_line() {
        let wanted = Wanted {
            uid: Some(2002),
            group: some("staff"),
            home: some("/srv/anna"),
            shell: some("/bin/sh"),
            comment: some(""),
            ..Wanted::default()
        };
        let expect =
            ["uid 2001 -> 2002", "group anna -> staff", "comment \"Anna\" -> \"\"", "home /home/anna -> /srv/anna"];
        check(&facts(), &wanted, &[&expect[..], &["shell /bin/bash -> /bin/sh"]].concat());
    }

    #[test]
    fn groups_are_added_and_only_taken_away_where_no_others_may_be() {
        let wanted = |names: &[&str], only| Wanted { groups: groups(names, only), ..Wanted::default() };
        check(&facts(), &wanted(&["sudo", "adm"], false), &["groups +sudo"]);
        check(&facts(), &wanted(&["sudo", "adm"], true), &["groups +sudo -games"]);
        check(&facts(), &wanted(&["games", "adm"], true), &[]);
        check(&facts(), &wanted(&[], true), &["groups -adm -games"]);
        check(&facts(), &wanted(&["anna"], false), &[]);
        check(&facts(), &Wanted { group: some("staff"), ..wanted(&["staff"], false) }, &["group anna -> staff"]);
    }

    #[test]
    fn passwords_locks_and_expiry_are_seen_where_they_are_wanted() {
        let wanted = |hash: &str| Wanted { password: Some(Wanted::hash(hash.into())), ..Wanted::default() };
        check(&with_shadow("$6$x"), &wanted("$6$x"), &[]);
        check(&with_shadow("!$6$x"), &wanted("$6$x"), &[]);
        check(&with_shadow("!"), &wanted("$6$x"), &["password differs; it is not shown"]);
        check(
            &with_shadow("$6$x"),
            &Wanted { locked: Some(true), ..wanted("$6$x") },
            &["password differs; it is not shown"],
        );
        let locked = |locked| Wanted { locked: Some(locked), ..Wanted::default() };
        check(&with_shadow("$6$x"), &locked(true), &["password locked"]);
        check(&with_shadow("!$6$x"), &locked(true), &[]);
        check(&with_shadow("!$6$x"), &locked(false), &["password unlocked"]);
        let expiry = |expiry| Wanted { expiry: Some(expiry), ..Wanted::default() };
        check(&with_shadow("!"), &expiry(Expiry::On("2027-01-31".into())), &[]);
        check(&with_shadow("!"), &expiry(Expiry::Never), &["expires 2027-01-31 -> never"]);
        let none = Wanted { password: Some(super::super::password::Password::None), ..Wanted::default() };
        check(&with_shadow("*"), &none, &[]);
        check(&with_shadow("!"), &none, &["password differs; it is not shown"]);
    }

    #[test]
    fn what_a_useradd_that_was_cut_short_left_is_finished() {
        let cut =
            Facts { group: None, has_namesake: false, groups: vec![], shadow: Some(None), has_home: false, ..facts() };
        check(&cut, &Wanted::default(), &["no group 2001", "no line in /etc/shadow", "no home /home/anna"]);
        let wanted = Wanted { password: Some(Wanted::hash("$6$x".into())), ..Wanted::default() };
        check(&cut, &wanted, &["no group 2001", "password differs; it is not shown", "no home /home/anna"]);
    }

    #[test]
    fn a_home_that_is_to_be_elsewhere_is_missed_there() {
        let wanted = Wanted { home: some("/srv/anna"), ..Wanted::default() };
        let facts = Facts { has_home: false, ..facts() };
        check(&facts, &wanted, &["home /home/anna -> /srv/anna", "no home /srv/anna"]);
    }
}
