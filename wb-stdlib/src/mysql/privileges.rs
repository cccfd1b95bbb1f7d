//! Privileges of users, read from `SHOW GRANTS`.

use std::collections::BTreeSet;
use std::rc::Rc;

use wb_core::context::Outcome;

use super::change::Change;
use super::client::{self, Patience};
use super::facts::Version;
use super::{Mysql, MysqlError, database, quoting, user};
use crate::look::Access as _;
use crate::{Host, Look};

const ALL: &str = "ALL PRIVILEGES";
const GRANT_OPTION: &str = "GRANT OPTION";

/// What MySQL 8 lists in place of `ALL PRIVILEGES` on everything. Others that it has beside these, the dynamic ones, come and
/// go with its plugins: each is there where it is listed.
const STATIC: [&str; 31] = [
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "CREATE",
    "DROP",
    "RELOAD",
    "SHUTDOWN",
    "PROCESS",
    "FILE",
    "REFERENCES",
    "INDEX",
    "ALTER",
    "SHOW DATABASES",
    "SUPER",
    "CREATE TEMPORARY TABLES",
    "LOCK TABLES",
    "EXECUTE",
    "REPLICATION SLAVE",
    "REPLICATION CLIENT",
    "CREATE VIEW",
    "SHOW VIEW",
    "CREATE ROUTINE",
    "ALTER ROUTINE",
    "CREATE USER",
    "EVENT",
    "TRIGGER",
    "CREATE TABLESPACE",
    "CREATE ROLE",
    "DROP ROLE",
    "USAGE",
];

/// On what.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Everything,
    Database(String),
    Table { database: String, table: String },
}

/// Privileges on everything, a database or a table. [`Mysql::privileges`] makes it.
///
/// Only those that are named are granted or revoked; what else a user has stays, and what they have on something wider
/// does not count. The name of a database stands for itself, also where it has `_` or `%`.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn let_reports_read(host: &Host) -> Result<()> {
///     let mysql = host.mysql();
///     mysql.privileges(["SELECT"]).on_table("shop", "orders").granted_to("reports", "10.%")?;
///     mysql.privileges(["ALL"]).on_database("reports").granted_to("reports", "10.%")?;
///     mysql.privileges(["PROCESS"]).granted_to("exporter", "localhost")?; // on everything
///     mysql.privileges(["DROP"]).on_database("shop").revoked_from("shop", "10.%")?;
///     Ok(())
/// }
/// # use wb_stdlib::testing::{samples::MYSQL_WITH_REPORTS, web1};
/// # web1().answer("mysql ", 0, MYSQL_WITH_REPORTS).rehearse(let_reports_read);
/// ```
#[must_use = "say what is to be so: `.granted_to(user, host)?` or `.revoked_from(user, host)?`"]
pub struct Privileges<A> {
    mysql: Mysql<A>,
    privileges: Vec<String>,
    target: Target,
}

impl<A: Look> Privileges<A> {
    pub(super) fn new<P: Into<String>>(mysql: Mysql<A>, privileges: impl IntoIterator<Item = P>) -> Self {
        let privileges = privileges.into_iter().map(|privilege| plain(&privilege.into())).collect();
        Self { mysql, privileges, target: Target::Everything }
    }

    /// On all that is in a database.
    pub fn on_database(mut self, database: impl Into<String>) -> Self {
        self.target = Target::Database(database.into());
        self
    }

    /// On one table.
    pub fn on_table(mut self, database: impl Into<String>, table: impl Into<String>) -> Self {
        self.target = Target::Table { database: database.into(), table: table.into() };
        self
    }
}

impl Privileges<Host<'_>> {
    /// The user has them.
    ///
    /// # Errors
    /// When the server does not answer, there is no such user, or there are no such privileges.
    pub fn granted_to(self, name: &str, host: &str) -> Result<Outcome, MysqlError> {
        self.ensure(name, host, true)
    }

    /// The user does not have them.
    ///
    /// # Errors
    /// As [`Privileges::granted_to`].
    pub fn revoked_from(self, name: &str, host: &str) -> Result<Outcome, MysqlError> {
        self.ensure(name, host, false)
    }

    fn ensure(self, name: &str, host: &str, wanted: bool) -> Result<Outcome, MysqlError> {
        self.check()?;
        user::check(name, host)?;
        let account = quoting::account(name, host);
        let (list, how) = (self.privileges.join(", "), if wanted { "granted to" } else { "revoked from" });
        self.mysql.ensure(&format!("privileges {list} on {} {how} {account}", self.target.described()), || {
            let facts = self.mysql.facts(self.mysql.patience())?;
            let grants = match facts.user(name, host) {
                Some(_) => self.mysql.grants(&account)?,
                None if self.mysql.comes(&user::called(name, host)) => Rc::default(),
                None => {
                    let (user, host) = (name.to_owned(), host.to_owned());
                    return Err(MysqlError::NoSuchUser { account: account.clone(), user, host });
                }
            };
            Ok(change(&grants, facts.version, &self.target, &self.privileges, &account, wanted))
        })
    }

    fn check(&self) -> Result<(), MysqlError> {
        if let Target::Database(database) | Target::Table { database, .. } = &self.target {
            database::check(database)?;
        }
        if let Target::Table { table, .. } = &self.target
            && !quoting::is_name(table, 64)
        {
            return Err(MysqlError::BadName {
                kind: "table",
                name: table.clone(),
                hint: "names have 1 to 64 characters",
            });
        }
        let is_word =
            |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || c == ' ' || c == '_');
        match self.privileges.iter().find(|privilege| !is_word(privilege)) {
            Some(privilege) => {
                let hint = "`SHOW PRIVILEGES` shows those that there are";
                Err(MysqlError::BadName { kind: "privilege", name: privilege.clone(), hint })
            }
            None => Ok(()),
        }
    }
}

impl Mysql<Host<'_>> {
    /// What a user, who is there, was granted.
    fn grants(&self, account: &str) -> Result<Rc<Vec<Grant>>, MysqlError> {
        let changes = self.access.context().changes();
        if let Some(grants) = self.seen.grants(changes, account) {
            return Ok(grants);
        }
        let said = client::ask(self.access, &self.server, &format!("SHOW GRANTS FOR {account};\n"), Patience::None)?;
        let grants = Rc::new(said.lines().filter_map(Grant::parse).collect());
        self.seen.keep_grants(changes, account, &grants);
        Ok(grants)
    }
}

/// A line of `SHOW GRANTS`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Grant {
    privileges: BTreeSet<String>,
    /// As it stands there: ``*.*``, `` `shop`.* ``, `` `shop`.`orders` ``.
    on: String,
}

impl Grant {
    /// Reads `GRANT SELECT, INSERT ON `shop`.* TO `app`@`10.%` WITH GRANT OPTION`. A role that was granted is none.
    fn parse(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("GRANT ")?;
        let (privileges, rest) = split_at_word(rest, " ON ")?;
        let (on, rest) = split_at_word(rest, " TO ")?;
        let mut privileges: BTreeSet<String> = split_at_commas(privileges).iter().map(|word| plain(word)).collect();
        privileges.remove("USAGE");
        if rest.contains(" WITH GRANT OPTION") {
            privileges.insert(GRANT_OPTION.into());
        }
        Some(Self { privileges, on: on.to_owned() })
    }
}

/// Splits at the first such word outside of quotes and brackets.
fn split_at_word<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let at = outside(text).find(|at| text[*at..].starts_with(word))?;
    Some((&text[..at], &text[at + word.len()..]))
}

fn split_at_commas(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for at in outside(text).filter(|at| text[*at..].starts_with(',')) {
        parts.push(&text[start..at]);
        start = at + 1;
    }
    parts.push(&text[start..]);
    parts
}

/// The places of a text that are outside of quotes and brackets.
fn outside(text: &str) -> impl Iterator<Item = usize> {
    let (mut quote, mut depth) = (None, 0_u32);
    text.char_indices().filter_map(move |(at, c)| {
        let is_outside = quote.is_none() && depth == 0;
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '`' | '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
        is_outside.then_some(at)
    })
}

impl Target {
    fn described(&self) -> String {
        match self {
            Self::Everything => "everything".into(),
            Self::Database(database) => format!("the database {database}"),
            Self::Table { database, table } => format!("the table {database}.{table}"),
        }
    }

    /// As `GRANT` has it.
    fn sql(&self) -> String {
        match self {
            Self::Everything => "*.*".into(),
            Self::Database(database) => format!("{}.*", quoting::pattern(database)),
            Self::Table { database, table } => format!("{}.{}", quoting::name(database), quoting::name(table)),
        }
    }

    /// Whether a line of `SHOW GRANTS` is on this. A database may stand there with or without its backslashes.
    fn is(&self, on: &str) -> bool {
        match self {
            Self::Database(database) => on == self.sql() || on == format!("{}.*", quoting::name(database)),
            _ => on == self.sql(),
        }
    }
}

fn change(
    grants: &[Grant],
    version: Version,
    target: &Target,
    privileges: &[String],
    account: &str,
    wanted: bool,
) -> Change {
    let on_this: Vec<&Grant> = grants.iter().filter(|grant| target.is(&grant.on)).collect();
    if wanted {
        let held: BTreeSet<&str> = on_this.iter().flat_map(|grant| &grant.privileges).map(String::as_str).collect();
        return grant(&held, version, target, privileges, account);
    }
    let mut change = Change::default();
    let places: BTreeSet<&str> = on_this.iter().map(|grant| grant.on.as_str()).collect();
    for on in places {
        let held = on_this.iter().filter(|grant| grant.on == on).flat_map(|grant| &grant.privileges);
        revoke(&held.map(String::as_str).collect(), on, privileges, account, &mut change);
    }
    change
}

fn grant(held: &BTreeSet<&str>, version: Version, target: &Target, privileges: &[String], account: &str) -> Change {
    let missing = privileges.iter().filter(|privilege| !has(held, version, target, privilege));
    let missing = missing.cloned().collect::<Vec<_>>().join(", ");
    let mut change = Change::default();
    if !missing.is_empty() {
        change.add(format!("+ {missing}"), format!("GRANT {missing} ON {} TO {account};", target.sql()));
    }
    change
}

fn has(held: &BTreeSet<&str>, version: Version, target: &Target, privilege: &str) -> bool {
    let lists_all = !version.is_mariadb && *target == Target::Everything;
    let is_held = |privilege: &str| privilege == "USAGE" || held.contains(privilege);
    match privilege {
        ALL => held.contains(ALL) || lists_all && STATIC.into_iter().all(is_held),
        GRANT_OPTION => held.contains(GRANT_OPTION),
        privilege => is_held(privilege) || held.contains(ALL),
    }
}

/// From what includes all, each can be taken. All of it is what there is.
fn revoke(held: &BTreeSet<&str>, on: &str, privileges: &[String], account: &str, change: &mut Change) {
    let everything = privileges.iter().any(|privilege| privilege == ALL);
    let is_held = |privilege: &&String| {
        let all = held.contains(ALL) && *privilege != GRANT_OPTION;
        held.contains(privilege.as_str())
            || all
            || everything && *privilege == ALL && held.iter().any(|one| *one != GRANT_OPTION)
    };
    let gone = privileges.iter().filter(is_held).cloned().collect::<Vec<_>>().join(", ");
    if !gone.is_empty() {
        change.add(format!("- {gone}"), format!("REVOKE {gone} ON {on} FROM {account};"));
    }
}

/// A privilege by the name that `GRANT` takes with both servers; some have two.
fn plain(privilege: &str) -> String {
    match privilege.trim() {
        // Of single columns: these keep their names.
        columns if columns.contains('(') => columns.to_owned(),
        word => match word.to_ascii_uppercase().as_str() {
            "ALL" => ALL.into(),
            "BINLOG MONITOR" => "REPLICATION CLIENT".into(),
            "REPLICATION REPLICA" => "REPLICATION SLAVE".into(),
            "REPLICA MONITOR" => "SLAVE MONITOR".into(),
            "DELETE VERSIONING ROWS" => "DELETE HISTORY".into(),
            other => other.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARIADB: Version = Version { is_mariadb: true, major: 10 };
    const MYSQL: Version = Version { is_mariadb: false, major: 8 };

    /// As MariaDB 10.11 says it.
    const SAID: &str = "GRANT USAGE ON *.* TO `app`@`10.%` IDENTIFIED BY PASSWORD '*14E65567ABDB5135D0CFD9A70B3032C179A49EE7'\n\
        GRANT `readers` TO `app`@`10.%`\n\
        GRANT SELECT, INSERT ON `shop`.* TO `app`@`10.%`\n\
        GRANT ALL PRIVILEGES ON `my\\_shop`.* TO `app`@`10.%` WITH GRANT OPTION\n\
        GRANT SELECT (`id`, `on ( TO x`), UPDATE ON `shop`.`orders` TO `app`@`10.%`\n\
        GRANT BINLOG MONITOR ON *.* TO `app`@`10.%`\n";

    fn grants() -> Vec<Grant> {
        SAID.lines().filter_map(Grant::parse).collect()
    }

    fn check(target: &Target, privileges: &[&str], wanted: bool, lines: &[&str], sql: &[&str]) {
        let privileges: Vec<String> = privileges.iter().map(|privilege| plain(privilege)).collect();
        let change = change(&grants(), MARIADB, target, &privileges, "'app'@'10.%'", wanted);
        assert_eq!(change.lines, lines);
        assert_eq!(change.sql, sql);
    }

    fn database(name: &str) -> Target {
        Target::Database(name.into())
    }

    #[test]
    fn grants_are_read() {
        let grant = |on: &str, privileges: &[&str]| Grant {
            on: on.into(),
            privileges: privileges.iter().map(|privilege| (*privilege).to_owned()).collect(),
        };
        let expect = [
            grant("*.*", &[]),
            grant("`shop`.*", &["INSERT", "SELECT"]),
            grant("`my\\_shop`.*", &["ALL PRIVILEGES", "GRANT OPTION"]),
            grant("`shop`.`orders`", &["SELECT (`id`, `on ( TO x`)", "UPDATE"]),
            grant("*.*", &["REPLICATION CLIENT"]),
        ];
        assert_eq!(grants(), expect);
        assert_eq!(Grant::parse("something else"), None);
        assert_eq!(Grant::parse("GRANT `x` ON"), None);
        assert_eq!(Grant::parse("GRANT SELECT ON 'a"), None);
    }

    /// Of the shapes that MySQL 8.0 has: names of roles and accounts in backticks, dynamic privileges without spaces, what was
    /// revoked of a part.
    const SAID_BY_8: &str = "GRANT USAGE ON *.* TO `app`@`%`\n\
        GRANT BACKUP_ADMIN,XA_RECOVER_ADMIN ON *.* TO `app`@`%`\n\
        GRANT SELECT, INSERT ON `my\\_shop`.* TO `app`@`%` WITH GRANT OPTION\n\
        GRANT SELECT (`id`), UPDATE ON `shop`.`orders` TO `app`@`%`\n\
        GRANT EXECUTE ON PROCEDURE `shop`.`sum up` TO `app`@`%`\n\
        REVOKE INSERT ON `mysql`.* FROM `app`@`%`\n\
        GRANT ` ON x TO `@`%`,`readers`@`%` TO `app`@`%` WITH ADMIN OPTION\n\
        GRANT PROXY ON ``@`` TO `app`@`%` WITH GRANT OPTION\n";

    /// Of those that MySQL 5.7 has: accounts in single quotes.
    const SAID_BY_5: &str = "GRANT ALL PRIVILEGES ON *.* TO 'app'@'%' WITH GRANT OPTION\n\
        GRANT SELECT ON `my\\_shop`.* TO 'app'@'%'\nGRANT PROXY ON ''@'' TO 'app'@'%' WITH GRANT OPTION\n";

    #[test]
    fn grants_of_mysql_are_read() {
        let check = |said: &str, expect: &[(&str, &[&str])]| {
            let found: Vec<Grant> = said.lines().filter_map(Grant::parse).collect();
            let plain = |grant: &Grant| (grant.on.clone(), grant.privileges.iter().cloned().collect::<Vec<_>>());
            let expect = expect.iter().map(|(on, privileges)| {
                ((*on).to_owned(), privileges.iter().map(|privilege| (*privilege).to_owned()).collect::<Vec<_>>())
            });
            assert_eq!(found.iter().map(plain).collect::<Vec<_>>(), expect.collect::<Vec<_>>());
        };
        let expect: [(&str, &[&str]); 6] = [
            ("*.*", &[]),
            ("*.*", &["BACKUP_ADMIN", "XA_RECOVER_ADMIN"]),
            ("`my\\_shop`.*", &["GRANT OPTION", "INSERT", "SELECT"]),
            ("`shop`.`orders`", &["SELECT (`id`)", "UPDATE"]),
            ("PROCEDURE `shop`.`sum up`", &["EXECUTE"]),
            ("``@``", &["GRANT OPTION", "PROXY"]),
        ];
        check(SAID_BY_8, &expect);
        let expect: [(&str, &[&str]); 3] = [
            ("*.*", &["ALL PRIVILEGES", "GRANT OPTION"]),
            ("`my\\_shop`.*", &["SELECT"]),
            ("''@''", &["GRANT OPTION", "PROXY"]),
        ];
        check(SAID_BY_5, &expect);
    }

    #[test]
    fn what_is_missing_is_granted() {
        check(&database("shop"), &["select"], true, &[], &[]);
        let sql = "GRANT DELETE ON `shop`.* TO 'app'@'10.%';";
        check(&database("shop"), &["SELECT", "DELETE"], true, &["+ DELETE"], &[sql]);
        check(&database("my_shop"), &["SELECT", "GRANT OPTION"], true, &[], &[]);
        let sql = r"GRANT SELECT ON `her\_shop`.* TO 'app'@'10.%';";
        check(&database("her_shop"), &["SELECT"], true, &["+ SELECT"], &[sql]);
        check(&Target::Everything, &["REPLICATION CLIENT"], true, &[], &[]);
        let table = Target::Table { database: "shop".into(), table: "orders".into() };
        let sql = "GRANT SELECT ON `shop`.`orders` TO 'app'@'10.%';";
        check(&table, &["SELECT", "UPDATE"], true, &["+ SELECT"], &[sql]);
    }

    #[test]
    fn what_is_there_is_revoked() {
        check(&database("shop"), &["DELETE"], false, &[], &[]);
        let sql = "REVOKE SELECT ON `shop`.* FROM 'app'@'10.%';";
        check(&database("shop"), &["SELECT", "DELETE"], false, &["- SELECT"], &[sql]);
        let sql = r"REVOKE DROP ON `my\_shop`.* FROM 'app'@'10.%';";
        check(&database("my_shop"), &["DROP"], false, &["- DROP"], &[sql]);
        let sql = "REVOKE ALL PRIVILEGES ON `shop`.* FROM 'app'@'10.%';";
        check(&database("shop"), &["ALL"], false, &["- ALL PRIVILEGES"], &[sql]);
        check(&database("other"), &["ALL"], false, &[], &[]);
    }

    #[test]
    fn mysql_lists_all_privileges_on_everything() {
        let line = format!("GRANT {} ON *.* TO `app`@`%` WITH GRANT OPTION", STATIC[..30].join(", "));
        let dynamic = "GRANT BACKUP_ADMIN,CLONE_ADMIN ON *.* TO `app`@`%` WITH GRANT OPTION";
        let listed = [Grant::parse(&line).unwrap(), Grant::parse(dynamic).unwrap()];
        let check = |version, privilege: &str, wanted, expect: &[&str]| {
            let change = change(&listed, version, &Target::Everything, &[plain(privilege)], "'app'@'%'", wanted);
            assert_eq!(change.sql, expect);
        };
        check(MYSQL, "ALL", true, &[]);
        check(MARIADB, "ALL", true, &["GRANT ALL PRIVILEGES ON *.* TO 'app'@'%';"]);
        check(MYSQL, "CLONE_ADMIN", true, &[]);
        // All of the others say nothing of one that a plugin brought later.
        check(MYSQL, "XA_RECOVER_ADMIN", true, &["GRANT XA_RECOVER_ADMIN ON *.* TO 'app'@'%';"]);
        check(MYSQL, "CLONE_ADMIN", false, &["REVOKE CLONE_ADMIN ON *.* FROM 'app'@'%';"]);
        check(MYSQL, "ALL", false, &["REVOKE ALL PRIVILEGES ON *.* FROM 'app'@'%';"]);
    }

    #[test]
    fn all_of_mysql_5_is_all() {
        let all = [Grant::parse("GRANT ALL PRIVILEGES ON *.* TO 'app'@'%'").unwrap()];
        let check = |privilege: &str, expect: bool| {
            let version = Version { is_mariadb: false, major: 5 };
            let change = change(&all, version, &Target::Everything, &[plain(privilege)], "'app'@'%'", true);
            assert_eq!(change.is_nothing(), expect, "{privilege}");
        };
        check("ALL", true);
        check("SELECT", true);
        check("GRANT OPTION", false);
    }
}
