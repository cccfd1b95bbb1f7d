//! What a user is to be like.

use super::day;
use super::password::{self, Password};
use crate::account::{AccountError, Subject};
use crate::owner::{Account, Secret};

/// Users of people have numbers from here on, in every distribution.
const FIRST: u32 = 1000;
/// `nobody`, who is no person.
const NOBODY: u32 = 65_534;

/// The groups that a user is in, beside the primary one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Groups {
    pub(super) names: Vec<String>,
    /// And no others.
    pub(super) only: bool,
}

/// Until when the account is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expiry {
    Never,
    /// As said: checked when it is needed.
    On(String),
}

impl Expiry {
    /// In days since 1970, as /etc/shadow has it.
    pub(super) fn days(&self) -> Option<u32> {
        match self {
            Self::Never => None,
            Self::On(text) => day::parse(text),
        }
    }

    /// As `useradd` and `usermod` take it.
    pub(super) fn argument(&self) -> &str {
        match self {
            Self::Never => "",
            Self::On(text) => text,
        }
    }
}

/// What somebody said of a user. What nobody said stays as it is, or as the distribution has it for new users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) uid: Option<u32>,
    /// The primary group, by name or number.
    pub(super) group: Option<String>,
    pub(super) groups: Option<Groups>,
    pub(super) home: Option<String>,
    pub(super) shell: Option<String>,
    pub(super) comment: Option<String>,
    pub(super) system: bool,
    pub(super) makes_home: Option<bool>,
    pub(super) password: Option<Password>,
    pub(super) locked: Option<bool>,
    pub(super) expiry: Option<Expiry>,
}

impl Wanted {
    pub(super) fn set_groups<N: Into<String>>(&mut self, names: impl IntoIterator<Item = N>, only: bool) {
        let groups = self.groups.get_or_insert_with(|| Groups { names: Vec::new(), only });
        groups.only |= only;
        for name in names.into_iter().map(Into::into) {
            if !groups.names.contains(&name) {
                groups.names.push(name);
            }
        }
    }

    /// All of it is what the files of users can hold.
    pub(super) fn check(&self, user: Subject<'_>) -> Result<(), AccountError> {
        user.check()?;
        user.check_number(self.uid)?;
        for group in self.all_groups().filter(|group| group.parse::<u32>().is_err()) {
            Subject::group(group).check()?;
        }
        check_path(user, "home", self.home.as_deref())?;
        check_path(user, "shell", self.shell.as_deref())?;
        check_text(user, "comment", self.comment.as_deref().unwrap_or_default())?;
        self.check_secrets(user)
    }

    fn check_secrets(&self, user: Subject<'_>) -> Result<(), AccountError> {
        if let Some(Password::Hash(hash)) = &self.password
            && !password::is_hash(hash.text())
        {
            return Err(AccountError::BadHash { name: user.name.to_owned() });
        }
        match &self.expiry {
            Some(Expiry::On(text)) if day::parse(text).is_none() => Err(user.bad_value(
                "day of expiry",
                text,
                "it is written like 2027-01-31, and is there in the calendar",
            )),
            _ => Ok(()),
        }
    }

    fn all_groups(&self) -> impl Iterator<Item = &String> {
        self.group.iter().chain(self.groups.iter().flat_map(|groups| &groups.names))
    }

    /// Whether /etc/shadow has to be looked at.
    pub(super) fn has_secrets(&self) -> bool {
        self.password.is_some() || self.locked.is_some() || self.expiry.is_some()
    }

    /// Whether the home is to be there: that of people, and of others only where somebody said so.
    pub(super) fn has_home(&self, account: &Account) -> bool {
        let is_person = !self.system && account.uid >= FIRST && account.uid != NOBODY;
        self.makes_home.unwrap_or(is_person && account.home != "/nonexistent")
    }

    /// Whether a new user of whom nothing else is known gets a home.
    pub(super) fn has_new_home(&self) -> bool {
        let is_person = !self.system && self.uid.is_none_or(|uid| uid >= FIRST && uid != NOBODY);
        self.makes_home.unwrap_or(is_person && self.home.as_deref() != Some("/nonexistent"))
    }

    pub(super) fn hash(hash: String) -> Password {
        Password::Hash(Secret::new(hash))
    }
}

fn check_path(user: Subject<'_>, field: &'static str, path: Option<&str>) -> Result<(), AccountError> {
    let Some(path) = path else { return Ok(()) };
    if !path.starts_with('/') || path.split('/').any(|part| part == "..") {
        return Err(user.bad_value(field, path, "it is not absolute, or leads through `..`"));
    }
    check_text(user, field, path)
}

fn check_text(user: Subject<'_>, field: &'static str, text: &str) -> Result<(), AccountError> {
    if text.contains(|c: char| c == ':' || c.is_control()) {
        return Err(user.bad_value(field, text, "a `:` or a control character would end it in /etc/passwd"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wanted: &Wanted, expect: &str) {
        let error = wanted.check(Subject::user("anna")).unwrap_err().to_string();
        assert_eq!(error.lines().next(), Some(expect));
    }

    #[test]
    fn values_that_no_file_can_hold_are_refused() {
        let some = |text: &str| Some(text.to_owned());
        let path = "it is not absolute, or leads through `..`";
        let text = "a `:` or a control character would end it in /etc/passwd";
        check(
            &Wanted { home: some("anna"), ..Wanted::default() },
            &format!("\"anna\" is no home for the user `anna`: {path}"),
        );
        check(
            &Wanted { home: some("/home/../root"), ..Wanted::default() },
            &format!("\"/home/../root\" is no home for the user `anna`: {path}"),
        );
        check(
            &Wanted { shell: some("/bin/sh:x"), ..Wanted::default() },
            &format!("\"/bin/sh:x\" is no shell for the user `anna`: {text}"),
        );
        check(
            &Wanted { comment: some("A\nB"), ..Wanted::default() },
            &format!("\"A\\nB\" is no comment for the user `anna`: {text}"),
        );
        check(&Wanted { group: some("-r"), ..Wanted::default() }, "\"-r\" is no name of a group");
        check(
            &Wanted { uid: Some(u32::MAX), ..Wanted::default() },
            "\"4294967295\" is no number for the user `anna`: programs take it for none",
        );
        let day = "it is written like 2027-01-31, and is there in the calendar";
        check(
            &Wanted { expiry: Some(Expiry::On("soon".into())), ..Wanted::default() },
            &format!("\"soon\" is no day of expiry for the user `anna`: {day}"),
        );
    }

    #[test]
    fn a_plain_password_is_refused_and_not_shown() {
        let wanted = Wanted { password: Some(Wanted::hash("swordfish".into())), ..Wanted::default() };
        let error = wanted.check(Subject::user("anna")).unwrap_err();
        assert!(matches!(error, AccountError::BadHash { .. }), "{error}");
        assert!(!format!("{error} {error:?} {wanted:?}").contains("swordfish"));
    }

    #[test]
    fn people_have_homes_and_others_where_somebody_says_so() {
        let account = |uid: u32, home: &str| Account {
            name: "anna".into(),
            uid,
            gid: uid,
            comment: String::new(),
            home: home.into(),
            shell: String::new(),
        };
        let check = |wanted: &Wanted, uid: u32, home: &str, expect| {
            assert_eq!(wanted.has_home(&account(uid, home)), expect, "{wanted:?} {uid} {home}");
        };
        let said = |makes_home: bool| Wanted { makes_home: Some(makes_home), ..Wanted::default() };
        check(&Wanted::default(), 1000, "/home/anna", true);
        check(&Wanted::default(), 200_001, "/home/anna", true);
        check(&Wanted::default(), 33, "/var/www", false);
        check(&Wanted::default(), 65_534, "/nonexistent", false);
        check(&Wanted::default(), 1000, "/nonexistent", false);
        check(&Wanted { system: true, ..Wanted::default() }, 1000, "/srv/anna", false);
        check(&said(true), 33, "/var/www", true);
        check(&said(false), 1000, "/home/anna", false);
    }

    #[test]
    fn groups_are_collected() {
        let mut wanted = Wanted::default();
        wanted.set_groups(["sudo", "adm"], false);
        wanted.set_groups(["adm", "shop"], false);
        let expect = Groups { names: vec!["sudo".into(), "adm".into(), "shop".into()], only: false };
        assert_eq!(wanted.groups, Some(expect));
    }
}
