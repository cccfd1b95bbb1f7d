//! Databases.

use anyhow::Result;
use wb_core::context::Outcome;

use super::change::Change;
use super::facts::DatabaseFacts;
use super::{Extension, Postgres, PostgresError, Privileges, Query, Schema, quoting, role};
use crate::{Host, Look};

/// A database that was half dropped has this for its limit of connections.
const HALF_DROPPED: i32 = -2;

/// What is wanted of a database. What nobody said stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Wanted {
    owner: Option<String>,
    encoding: Option<String>,
    locale: Option<String>,
    template: Option<String>,
    connection_limit: Option<i32>,
}

/// A database. [`Postgres::database`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn databases(host: &Host) -> Result<()> {
///     let postgres = host.postgres();
///     postgres.database("shop").owner("shop").template("template0").encoding("UTF8").locale("C.UTF-8").present()?;
///     postgres.database("reports").connection_limit(20).present()?;
///     postgres.database("old_shop").disconnecting().absent()?;
///     Ok(())
/// }
/// # wb_stdlib::testing::web1().rehearse(databases);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
#[derive(Clone)]
pub struct Database<A> {
    postgres: Postgres<A>,
    name: String,
    wanted: Wanted,
    disconnecting: bool,
}

impl<A: Look> Database<A> {
    pub(super) fn new(postgres: Postgres<A>, name: String) -> Self {
        Self { postgres, name, wanted: Wanted::default(), disconnecting: false }
    }

    /// An extension in this database, as in `pg_trgm`.
    pub fn extension(&self, name: impl Into<String>) -> Extension<A> {
        Extension::new(self.postgres.clone(), self.name.clone(), name.into())
    }

    /// A schema of this database.
    pub fn schema(&self, name: impl Into<String>) -> Schema<A> {
        Schema::new(self.postgres.clone(), self.name.clone(), name.into())
    }

    /// Privileges on this database, or on what is in it: `["SELECT", "INSERT"]`, or `["ALL"]`.
    pub fn privileges<P: Into<String>>(&self, these: impl IntoIterator<Item = P>) -> Privileges<A> {
        Privileges::new(self.postgres.clone(), self.name.clone(), these)
    }

    /// A query that only looks.
    pub fn query(&self, sql: impl Into<String>) -> Query<A> {
        Query::new(self.postgres.clone(), self.name.clone(), sql.into())
    }

    /// Checks that there is such a database.
    ///
    /// # Errors
    /// When there is none, or the server does not answer.
    pub fn exists(&self) -> Result<()> {
        let there = self.postgres.fresh_cluster()?.database(&self.name).is_some();
        anyhow::ensure!(there, "expected the PostgreSQL database `{}`, found none", self.name);
        Ok(())
    }
}

impl Database<Host<'_>> {
    /// The role that owns it. Without this, a new one is owned by `postgres`.
    pub fn owner(mut self, role: impl Into<String>) -> Self {
        self.wanted.owner = Some(role.into());
        self
    }

    /// Its encoding, as in `UTF8`. It can't be changed later.
    pub fn encoding(mut self, encoding: impl Into<String>) -> Self {
        self.wanted.encoding = Some(encoding.into());
        self
    }

    /// How it sorts and what it takes for letters, as in `C.UTF-8`. It can't be changed later.
    pub fn locale(mut self, locale: impl Into<String>) -> Self {
        self.wanted.locale = Some(locale.into());
        self
    }

    /// The database that a new one is a copy of; otherwise `template1`. Another encoding or locale than that has wants
    /// `template0`.
    pub fn template(mut self, template: impl Into<String>) -> Self {
        self.wanted.template = Some(template.into());
        self
    }

    /// How many sessions it may have at once: 0 for none, and -1 for any number.
    pub fn connection_limit(mut self, sessions: i32) -> Self {
        self.wanted.connection_limit = Some(sessions);
        self
    }

    /// Ends the sessions that others have in it, for [`Database::absent`]. PostgreSQL 13 and later can.
    pub fn disconnecting(mut self) -> Self {
        self.disconnecting = true;
        self
    }

    /// There is such a database, with what was said of it.
    ///
    /// # Errors
    /// When the server does not answer, the owner is not there, an encoding or locale is another one, or the server
    /// refuses.
    pub fn present(self) -> Result<Outcome, PostgresError> {
        check_name(&self.name)?;
        self.wanted.owner.as_deref().map_or(Ok(()), role::check_name)?;
        self.wanted.template.as_deref().map_or(Ok(()), check_name)?;
        self.postgres.ensure(&called(&self.name), || {
            let cluster = self.postgres.cluster(self.postgres.patience())?;
            if let Some(owner) = &self.wanted.owner {
                self.postgres.expect_role(&cluster, owner)?;
            }
            let change = change(&self.name, cluster.database(&self.name), &self.wanted)?;
            self.postgres.refuse_on_standby(&cluster, change)
        })
    }

    /// There is no such database. All that is in it is gone.
    ///
    /// # Errors
    /// When the server does not answer, or others have sessions in it and [`Database::disconnecting`] was not said.
    pub fn absent(self) -> Result<Outcome, PostgresError> {
        check_name(&self.name)?;
        self.postgres.ensure(&format!("database {} absent", self.name), || {
            let cluster = self.postgres.cluster(self.postgres.patience())?;
            let mut change = Change::within("postgres");
            if cluster.database(&self.name).is_some() {
                let force = if self.disconnecting { " WITH (FORCE)" } else { "" };
                change.add("database dropped", format!("DROP DATABASE {}{force};", quoting::name(&self.name)));
            }
            self.postgres.refuse_on_standby(&cluster, change)
        })
    }
}

/// What the operation is called that makes a database.
pub(super) fn called(database: &str) -> String {
    format!("database {database} present")
}

pub(super) fn check_name(name: &str) -> Result<(), PostgresError> {
    match quoting::is_name(name) {
        true => Ok(()),
        false => Err(PostgresError::BadName { kind: "database", name: name.to_owned() }),
    }
}

fn change(name: &str, found: Option<&DatabaseFacts>, wanted: &Wanted) -> Result<Change, PostgresError> {
    match found {
        None => Ok(made(name, wanted)),
        Some(found) if found.connection_limit == HALF_DROPPED => {
            Err(PostgresError::HalfDropped { database: name.to_owned() })
        }
        Some(found) => changed(name, found, wanted),
    }
}

fn made(name: &str, wanted: &Wanted) -> Change {
    let mut line = "new database".to_owned();
    let mut sql = format!("CREATE DATABASE {}", quoting::name(name));
    let mut option = |word: &str, shown: &str, value: &str, quoted: String| {
        line.push_str(&format!(", {shown} {value}"));
        sql.push_str(&format!(" {word} {quoted}"));
    };
    if let Some(owner) = &wanted.owner {
        option("OWNER", "owned by", owner, quoting::name(owner));
    }
    if let Some(template) = &wanted.template {
        option("TEMPLATE", "a copy of", template, quoting::name(template));
    }
    if let Some(encoding) = &wanted.encoding {
        option("ENCODING", "encoding", encoding, quoting::text(encoding));
    }
    if let Some(locale) = &wanted.locale {
        option("LC_COLLATE", "locale", locale, quoting::text(locale));
        sql.push_str(&format!(" LC_CTYPE {}", quoting::text(locale)));
    }
    if let Some(limit) = wanted.connection_limit {
        line.push_str(&format!(", connection limit {limit}"));
        sql.push_str(&format!(" CONNECTION LIMIT {limit}"));
    }
    let mut change = Change::within("postgres");
    change.add(line, sql + ";");
    change
}

fn changed(name: &str, found: &DatabaseFacts, wanted: &Wanted) -> Result<Change, PostgresError> {
    let fixed = |property, found: &str, wanted: &Option<String>, same: fn(&str, &str) -> bool| match wanted {
        Some(wanted) if !same(found, wanted) => Err(PostgresError::Fixed {
            database: name.to_owned(),
            property,
            found: found.to_owned(),
            wanted: wanted.clone(),
        }),
        _ => Ok(()),
    };
    fixed("encoding", &found.encoding, &wanted.encoding, same_encoding)?;
    fixed("collation", &found.collate, &wanted.locale, same_locale)?;
    fixed("character type", &found.ctype, &wanted.locale, same_locale)?;
    let (quoted, mut change) = (quoting::name(name), Change::within("postgres"));
    if let Some(owner) = wanted.owner.as_ref().filter(|owner| **owner != found.owner) {
        let sql = format!("ALTER DATABASE {quoted} OWNER TO {};", quoting::name(owner));
        change.add(format!("owner {} -> {owner}", found.owner), sql);
    }
    if let Some(limit) = wanted.connection_limit.filter(|limit| *limit != found.connection_limit) {
        let sql = format!("ALTER DATABASE {quoted} CONNECTION LIMIT {limit};");
        change.add(format!("connection limit {} -> {limit}", found.connection_limit), sql);
    }
    Ok(role::in_one(change))
}

/// `UTF8`, `utf-8` and `UTF_8` are one encoding.
fn same_encoding(found: &str, wanted: &str) -> bool {
    let plain = |text: &str| text.to_uppercase().replace(['-', '_', ' '], "");
    plain(found) == plain(wanted)
}

/// `C.UTF-8` and `C.utf8` are one locale.
fn same_locale(found: &str, wanted: &str) -> bool {
    let plain = |text: &str| match text.split_once('.') {
        Some((name, codeset)) => format!("{name}.{}", codeset.to_lowercase().replace('-', "")),
        None => text.to_owned(),
    };
    plain(found) == plain(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> DatabaseFacts {
        DatabaseFacts {
            name: "shop".into(),
            owner: "postgres".into(),
            encoding: "UTF8".into(),
            collate: "en_US.UTF-8".into(),
            ctype: "en_US.UTF-8".into(),
            connection_limit: -1,
        }
    }

    fn full() -> Wanted {
        Wanted {
            owner: Some("shop".into()),
            encoding: Some("utf-8".into()),
            locale: Some("en_US.utf8".into()),
            template: Some("template0".into()),
            connection_limit: Some(50),
        }
    }

    #[test]
    fn a_database_is_made_in_one_statement() {
        let change = change("shop", None, &full()).unwrap();
        let sql = "CREATE DATABASE \"shop\" OWNER \"shop\" TEMPLATE \"template0\" ENCODING 'utf-8' LC_COLLATE 'en_US.utf8' \
                   LC_CTYPE 'en_US.utf8' CONNECTION LIMIT 50;";
        assert_eq!(change.sql, [sql]);
        let line =
            "new database, owned by shop, a copy of template0, encoding utf-8, locale en_US.utf8, connection limit 50";
        assert_eq!(change.lines, [line]);
    }

    #[test]
    fn owner_and_limit_can_be_changed() {
        let changed = change("shop", Some(&found()), &full()).unwrap();
        let sql = [
            "BEGIN;",
            r#"ALTER DATABASE "shop" OWNER TO "shop";"#,
            r#"ALTER DATABASE "shop" CONNECTION LIMIT 50;"#,
            "COMMIT;",
        ];
        assert_eq!(changed.sql, sql);
        assert_eq!(changed.lines, ["owner postgres -> shop", "connection limit -1 -> 50"]);
        let done = DatabaseFacts { owner: "shop".into(), connection_limit: 50, ..found() };
        assert!(change("shop", Some(&done), &full()).unwrap().is_nothing());
        assert!(change("shop", Some(&found()), &Wanted::default()).unwrap().is_nothing());
    }

    #[test]
    fn encoding_and_locale_cannot() {
        let check = |wanted: Wanted, expect: &str| {
            let error = change("shop", Some(&found()), &wanted).unwrap_err().to_string();
            assert_eq!(error.lines().next().unwrap(), expect);
        };
        let latin = Wanted { encoding: Some("LATIN1".into()), ..Wanted::default() };
        check(latin, "the encoding of the PostgreSQL database `shop` is UTF8, not LATIN1, and can't be changed");
        let c = Wanted { locale: Some("C".into()), ..Wanted::default() };
        check(c, "the collation of the PostgreSQL database `shop` is en_US.UTF-8, not C, and can't be changed");
    }

    #[test]
    fn what_was_half_dropped_is_no_database() {
        let half = DatabaseFacts { connection_limit: HALF_DROPPED, ..found() };
        let error = change("shop", Some(&half), &Wanted::default()).unwrap_err();
        assert!(matches!(error, PostgresError::HalfDropped { .. }), "{error}");
    }
}
