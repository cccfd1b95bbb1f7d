//! Roles: users, and groups of users.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use wb_core::context::Outcome;

use super::change::Change;
use super::facts::{Cluster, RoleFacts};
use super::scram::{self, Salt};
use super::{Postgres, PostgresError, quoting};
use crate::{Host, Look};

/// What a role may do, beyond what it is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attribute {
    /// Open a session.
    Login,
    /// Everything.
    Superuser,
    /// Make databases.
    CreateDatabase,
    /// Make, change and drop other roles.
    CreateRole,
    /// Use the privileges of the roles that it is a member of. A new role has this.
    Inherit,
    /// Stream the changes of the whole server.
    Replication,
    /// See rows that policies hide.
    BypassRowSecurity,
}

impl Attribute {
    /// As `CREATE ROLE` has it; with `NO` in front it is taken away.
    fn sql(self) -> &'static str {
        match self {
            Self::Login => "LOGIN",
            Self::Superuser => "SUPERUSER",
            Self::CreateDatabase => "CREATEDB",
            Self::CreateRole => "CREATEROLE",
            Self::Inherit => "INHERIT",
            Self::Replication => "REPLICATION",
            Self::BypassRowSecurity => "BYPASSRLS",
        }
    }

    fn of(self, role: &RoleFacts) -> bool {
        match self {
            Self::Login => role.login,
            Self::Superuser => role.superuser,
            Self::CreateDatabase => role.create_database,
            Self::CreateRole => role.create_role,
            Self::Inherit => role.inherit,
            Self::Replication => role.replication,
            Self::BypassRowSecurity => role.bypass_rls,
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sql())
    }
}

/// What is wanted of a role. What nobody said stays as it is.
#[derive(Clone, Default, PartialEq, Eq)]
struct Wanted {
    attributes: BTreeMap<Attribute, bool>,
    password: Option<Password>,
    connection_limit: Option<i32>,
    member_of: BTreeMap<String, bool>,
}

#[derive(Clone, PartialEq, Eq)]
enum Password {
    Plain(String),
    Verifier(String),
}

impl Password {
    fn fits(&self, stored: Option<&str>) -> bool {
        match self {
            Self::Plain(password) => stored.is_some_and(|stored| scram::fits(password, stored)),
            Self::Verifier(verifier) => stored == Some(verifier),
        }
    }

    fn verifier(&self, salt: &Salt) -> String {
        match self {
            Self::Plain(password) => scram::verifier(password, salt),
            Self::Verifier(verifier) => verifier.clone(),
        }
    }
}

/// A role. [`Postgres::role`] makes it.
///
/// ```
/// use wb_stdlib::postgres::Attribute;
/// use wb_stdlib::prelude::*;
///
/// fn people_and_programs(host: &Host) -> Result<()> {
///     let postgres = host.postgres();
///     postgres.role("readers").present()?;
///     postgres.role("anna").login().member_of("readers").with(Attribute::CreateDatabase).present()?;
///     postgres.role("bert").without(Attribute::Superuser).not_member_of("readers").present()?;
///     postgres.role("old_shop").absent()?;
///     Ok(())
/// }
///
/// fn anna_makes_databases(host: &View) -> Result<()> {
///     host.postgres().role("readers").exists()?;
///     host.postgres().role("anna").has(Attribute::CreateDatabase)
/// }
/// # wb_stdlib::testing::web1().rehearse(people_and_programs).asks(anna_makes_databases);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct Role<A> {
    postgres: Postgres<A>,
    name: String,
    wanted: Wanted,
}

impl<A: Look> Role<A> {
    pub(super) fn new(postgres: Postgres<A>, name: String) -> Self {
        Self { postgres, name, wanted: Wanted::default() }
    }

    /// Checks that there is such a role.
    ///
    /// # Errors
    /// When there is none, or the server does not answer.
    pub fn exists(&self) -> Result<()> {
        let there = self.postgres.fresh_cluster()?.role(&self.name).is_some();
        anyhow::ensure!(there, "expected the PostgreSQL role `{}`, found none", self.name);
        Ok(())
    }

    /// Checks that the role has this attribute.
    ///
    /// # Errors
    /// When it has not, or there is no such role.
    pub fn has(&self, attribute: Attribute) -> Result<()> {
        let cluster = self.postgres.fresh_cluster()?;
        let has = cluster.role(&self.name).is_some_and(|role| attribute.of(role));
        anyhow::ensure!(has, "expected the PostgreSQL role `{}` with {attribute}, found it without", self.name);
        Ok(())
    }
}

impl Role<Host<'_>> {
    /// It may open a session: it is a user.
    pub fn login(self) -> Self {
        self.with(Attribute::Login)
    }

    /// It has this attribute.
    pub fn with(mut self, attribute: Attribute) -> Self {
        self.wanted.attributes.insert(attribute, true);
        self
    }

    /// It does not have this attribute.
    pub fn without(mut self, attribute: Attribute) -> Self {
        self.wanted.attributes.insert(attribute, false);
        self
    }

    /// Its password, of printable ASCII. The server never sees it: it gets a SCRAM-SHA-256 verifier.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.wanted.password = Some(Password::Plain(password.into()));
        self
    }

    /// The verifier of its password, as `pg_authid` has it: `SCRAM-SHA-256$4096:…` or `md5…`.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn move_the_shop_here(host: &Host, verifier: &str) -> Result<()> {
    ///     host.postgres().role("shop").login().verifier(verifier).connection_limit(40).present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(|host| move_the_shop_here(host, "md55f4dcc3b5aa765d61d8327deb882cf99"));
    /// ```
    pub fn verifier(mut self, verifier: impl Into<String>) -> Self {
        self.wanted.password = Some(Password::Verifier(verifier.into()));
        self
    }

    /// How many sessions it may have at once: 0 for none, and -1 for any number.
    pub fn connection_limit(mut self, sessions: i32) -> Self {
        self.wanted.connection_limit = Some(sessions);
        self
    }

    /// It is a member of the role `group`.
    pub fn member_of(mut self, group: impl Into<String>) -> Self {
        self.wanted.member_of.insert(group.into(), true);
        self
    }

    /// It is no member of the role `group`.
    pub fn not_member_of(mut self, group: impl Into<String>) -> Self {
        self.wanted.member_of.insert(group.into(), false);
        self
    }

    /// There is such a role, with what was said of it.
    ///
    /// # Errors
    /// When the server does not answer, a group is not there, a password can't be one, or the server refuses.
    pub fn present(self) -> Result<Outcome, PostgresError> {
        check_name(&self.name)?;
        self.wanted.member_of.keys().try_for_each(|group| check_name(group))?;
        check_password(&self.name, self.wanted.password.as_ref())?;
        let salt = wb_core::system::random().map_err(PostgresError::Salt)?;
        self.postgres.ensure(&called(&self.name), || {
            let cluster = self.postgres.cluster(self.postgres.patience())?;
            let groups = self.wanted.member_of.iter().filter(|(_, member)| **member);
            groups.map(|(group, _)| group).try_for_each(|group| self.postgres.expect_role(&cluster, group))?;
            let change = change(&self.name, cluster.role(&self.name), &self.wanted, &salt);
            self.postgres.refuse_on_standby(&cluster, change)
        })
    }

    /// There is no such role.
    ///
    /// # Errors
    /// When the server does not answer, or something still belongs to the role.
    pub fn absent(self) -> Result<Outcome, PostgresError> {
        check_name(&self.name)?;
        self.postgres.ensure(&format!("role {} absent", self.name), || {
            let cluster = self.postgres.cluster(self.postgres.patience())?;
            let mut change = Change::within("postgres");
            if cluster.role(&self.name).is_some() {
                change.add("role dropped", format!("DROP ROLE {};", quoting::name(&self.name)));
            }
            self.postgres.refuse_on_standby(&cluster, change)
        })
    }
}

impl Postgres<Host<'_>> {
    /// What is as wanted needs no change, also on a standby.
    pub(super) fn refuse_on_standby(&self, cluster: &Cluster, change: Change) -> Result<Change, PostgresError> {
        if cluster.standby && !change.is_nothing() {
            return Err(PostgresError::Standby { server: self.server.place() });
        }
        Ok(change)
    }
}

/// What the operation is called that makes a role.
pub(super) fn called(role: &str) -> String {
    format!("role {role} present")
}

pub(super) fn check_name(name: &str) -> Result<(), PostgresError> {
    match quoting::is_name(name) {
        true => Ok(()),
        false => Err(PostgresError::BadName { kind: "role", name: name.to_owned() }),
    }
}

fn check_password(role: &str, password: Option<&Password>) -> Result<(), PostgresError> {
    let good = match password {
        None => true,
        // What else SASLprep makes the same or refuses, it leaves alone here.
        Some(Password::Plain(password)) => !password.is_empty() && password.chars().all(is_printable),
        Some(Password::Verifier(verifier)) => return check_verifier(role, verifier),
    };
    if good { Ok(()) } else { Err(PostgresError::BadPassword { role: role.to_owned() }) }
}

/// The server would take anything else for a password.
fn check_verifier(role: &str, verifier: &str) -> Result<(), PostgresError> {
    let md5 =
        verifier.strip_prefix("md5").is_some_and(|hex| hex.len() == 32 && hex.chars().all(|c| c.is_ascii_hexdigit()));
    if md5 || scram::is_verifier(verifier) {
        return Ok(());
    }
    Err(PostgresError::BadValue {
        what: format!("verifier of the role `{role}`"),
        value: "what was given".into(),
        hint: "`SELECT rolpassword FROM pg_authid` shows those of a server: `SCRAM-SHA-256$4096:…` or `md5…`",
    })
}

fn is_printable(c: char) -> bool {
    c == ' ' || c.is_ascii_graphic()
}

/// A role as `CREATE ROLE` makes it.
fn plain() -> RoleFacts {
    RoleFacts { inherit: true, connection_limit: -1, ..RoleFacts::default() }
}

fn change(name: &str, found: Option<&RoleFacts>, wanted: &Wanted, salt: &Salt) -> Change {
    let (quoted, new) = (quoting::name(name), plain());
    let role = found.unwrap_or(&new);
    let mut change = Change::within("postgres");
    let mut options = options(role, wanted, salt, &mut change);
    if found.is_none() {
        change.lines.insert(0, "new role".into());
        options.insert(0, format!("CREATE ROLE {quoted}"));
    } else if !options.is_empty() {
        options.insert(0, format!("ALTER ROLE {quoted}"));
    }
    if !options.is_empty() {
        change.sql.push(format!("{};", options.join(" ")));
    }
    for (group, member) in &wanted.member_of {
        let group_quoted = quoting::name(group);
        match (role.member_of.contains(group), *member) {
            (false, true) => change.add(format!("+ member of {group}"), format!("GRANT {group_quoted} TO {quoted};")),
            (true, false) => {
                change.add(format!("- member of {group}"), format!("REVOKE {group_quoted} FROM {quoted};"))
            }
            _ => {}
        }
    }
    in_one(change)
}

/// The options of `CREATE ROLE` or `ALTER ROLE` that make the role what is wanted.
fn options(role: &RoleFacts, wanted: &Wanted, salt: &Salt, change: &mut Change) -> Vec<String> {
    let mut options = Vec::new();
    for (attribute, wanted) in wanted.attributes.iter().filter(|(attribute, wanted)| attribute.of(role) != **wanted) {
        let sql = format!("{}{attribute}", if *wanted { "" } else { "NO" });
        change.lines.push(format!("{} {attribute}", if *wanted { "+" } else { "-" }));
        options.push(sql);
    }
    if let Some(limit) = wanted.connection_limit.filter(|limit| *limit != role.connection_limit) {
        change.lines.push(format!("connection limit {} -> {limit}", role.connection_limit));
        options.push(format!("CONNECTION LIMIT {limit}"));
    }
    if let Some(password) = wanted.password.as_ref().filter(|password| !password.fits(role.verifier.as_deref())) {
        let word = if role.verifier.is_some() { "differs" } else { "is set" };
        change.lines.push(format!("password {word}; it is not shown"));
        change.secret = true;
        options.push(format!("PASSWORD {}", quoting::text(&password.verifier(salt))));
    }
    options
}

/// All of it or nothing.
pub(super) fn in_one(mut change: Change) -> Change {
    if change.sql.len() > 1 {
        change.sql.insert(0, "BEGIN;".into());
        change.sql.push("COMMIT;".into());
    }
    change
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: Salt = [7; 16];

    fn check(found: Option<&RoleFacts>, wanted: &Wanted, lines: &[&str], sql: &[&str]) {
        let change = change("shop", found, wanted, &SALT);
        assert_eq!((change.lines, change.sql), (strings(lines), strings(sql)));
    }

    fn strings(these: &[&str]) -> Vec<String> {
        these.iter().map(|this| (*this).to_owned()).collect()
    }

    fn found() -> RoleFacts {
        RoleFacts { name: "shop".into(), login: true, member_of: vec!["readers".into()], ..plain() }
    }

    #[test]
    fn a_role_is_made_with_what_differs_from_a_plain_one() {
        check(None, &Wanted::default(), &["new role"], &[r#"CREATE ROLE "shop";"#]);
        let wanted = Wanted {
            attributes: [(Attribute::Login, true), (Attribute::Superuser, false), (Attribute::Inherit, false)].into(),
            connection_limit: Some(5),
            member_of: [("readers".into(), true), ("writers".into(), false)].into(),
            password: None,
        };
        let sql = [
            "BEGIN;",
            r#"CREATE ROLE "shop" LOGIN NOINHERIT CONNECTION LIMIT 5;"#,
            r#"GRANT "readers" TO "shop";"#,
            "COMMIT;",
        ];
        let lines = ["new role", "+ LOGIN", "- INHERIT", "connection limit -1 -> 5", "+ member of readers"];
        check(None, &wanted, &lines, &sql);
    }

    #[test]
    fn what_nobody_said_stays() {
        check(Some(&found()), &Wanted::default(), &[], &[]);
        let wanted = Wanted { attributes: [(Attribute::Login, true)].into(), ..Wanted::default() };
        check(Some(&found()), &wanted, &[], &[]);
    }

    #[test]
    fn only_what_differs_is_changed() {
        let wanted = Wanted {
            attributes: [(Attribute::Login, false), (Attribute::CreateDatabase, true)].into(),
            member_of: [("readers".into(), false)].into(),
            ..Wanted::default()
        };
        let sql = ["BEGIN;", r#"ALTER ROLE "shop" NOLOGIN CREATEDB;"#, r#"REVOKE "readers" FROM "shop";"#, "COMMIT;"];
        check(Some(&found()), &wanted, &["- LOGIN", "+ CREATEDB", "- member of readers"], &sql);
    }

    #[test]
    fn a_password_is_sent_as_a_verifier_and_shown_to_nobody() {
        let wanted = Wanted { password: Some(Password::Plain("swordfish".into())), ..Wanted::default() };
        let made = change("shop", Some(&found()), &wanted, &SALT);
        assert_eq!(made.lines, ["password is set; it is not shown"]);
        assert!(made.secret && !made.sql[0].contains("swordfish"), "{made:?}");
        let stored = made.sql[0].strip_prefix("ALTER ROLE \"shop\" PASSWORD '").unwrap().strip_suffix("';").unwrap();
        let with_it = RoleFacts { verifier: Some(stored.to_owned()), ..found() };
        check(Some(&with_it), &wanted, &[], &[]);
        let other = Wanted { password: Some(Password::Plain("sailfish".into())), ..Wanted::default() };
        assert!(!change("shop", Some(&with_it), &other, &SALT).is_nothing());
    }

    #[test]
    fn a_verifier_is_taken_as_it_is() {
        let verifier = "md5a3556571e93b0d20722ba62be61e8c2d";
        let wanted = Wanted { password: Some(Password::Verifier(verifier.into())), ..Wanted::default() };
        check(Some(&RoleFacts { verifier: Some(verifier.into()), ..found() }), &wanted, &[], &[]);
        let sql = format!("ALTER ROLE \"shop\" PASSWORD '{verifier}';");
        check(Some(&found()), &wanted, &["password is set; it is not shown"], &[&sql]);
    }

    #[test]
    fn only_passwords_and_verifiers_pass_for_them() {
        let check = |password: Password, expect: bool| {
            assert_eq!(check_password("shop", Some(&password)).is_ok(), expect);
        };
        check(Password::Plain("s3cret with blanks ~".into()), true);
        check(Password::Plain(String::new()), false);
        check(Password::Plain("schl\u{fc}ssel".into()), false);
        check(Password::Plain("a\nb".into()), false);
        check(Password::Verifier("md5a3556571e93b0d20722ba62be61e8c2d".into()), true);
        check(Password::Verifier("swordfish".into()), false);
        check(Password::Verifier("SCRAM-SHA-256$x".into()), false);
    }
}
