//! Schemas.

use anyhow::Result;
use wb_core::context::Outcome;

use super::change::Change;
use super::facts::SchemaFacts;
use super::psql::Patience;
use super::{Postgres, PostgresError, database, quoting, role};
use crate::{Host, Look};

/// A schema in a database. [`Database::schema`](super::Database::schema) makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn keep_an_audit(host: &Host) -> Result<()> {
///     let shop = host.postgres().database("shop");
///     shop.schema("audit").owner("auditor").present()?;
///     shop.schema("scratch").absent()?;
///     Ok(())
/// }
///
/// fn there_is_an_audit(host: &View) -> Result<()> {
///     host.postgres().database("shop").schema("audit").exists()
/// }
/// # use wb_stdlib::testing::{samples::POSTGRES_WITH_SHOP, web1};
/// # web1().answer("setpriv", 0, POSTGRES_WITH_SHOP).rehearse(keep_an_audit).asks(there_is_an_audit);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct Schema<A> {
    postgres: Postgres<A>,
    database: String,
    name: String,
    owner: Option<String>,
}

impl<A: Look> Schema<A> {
    pub(super) fn new(postgres: Postgres<A>, database: String, name: String) -> Self {
        Self { postgres, database, name, owner: None }
    }

    /// Checks that the database has it.
    ///
    /// # Errors
    /// When it has not, or there is no such database, or the server does not answer.
    pub fn exists(&self) -> Result<()> {
        self.postgres.seen.forget();
        let inside = self.postgres.inside(&self.database, Patience::None)?;
        let (name, database) = (&self.name, &self.database);
        anyhow::ensure!(
            inside.schema(name).is_some(),
            "expected the schema `{name}` in the PostgreSQL database `{database}`, found none"
        );
        Ok(())
    }
}

impl Schema<Host<'_>> {
    /// The role that owns it. Without this, a new one is owned by `postgres`, and an old one stays.
    pub fn owner(mut self, role: impl Into<String>) -> Self {
        self.owner = Some(role.into());
        self
    }

    /// The database has it.
    ///
    /// # Errors
    /// When there is no such database or owner, or the server refuses.
    pub fn present(self) -> Result<Outcome, PostgresError> {
        let what = called(&self.name, &self.database);
        self.ensure(&what, |found| change(&self.database, found, &self.name, self.owner.as_deref()))
    }

    /// The database does not have it.
    ///
    /// # Errors
    /// When there is no such database, or something is in the schema.
    pub fn absent(self) -> Result<Outcome, PostgresError> {
        let what = format!("schema {} of {} absent", self.name, self.database);
        self.ensure(&what, |found| {
            let mut change = Change::within(&self.database);
            if found.is_some() {
                change.add("schema dropped", format!("DROP SCHEMA {};", quoting::name(&self.name)));
            }
            change
        })
    }

    fn ensure(&self, what: &str, of: impl Fn(Option<&SchemaFacts>) -> Change) -> Result<Outcome, PostgresError> {
        database::check_name(&self.database)?;
        if !quoting::is_name(&self.name) {
            return Err(PostgresError::BadName { kind: "schema", name: self.name.clone() });
        }
        self.owner.as_deref().map_or(Ok(()), role::check_name)?;
        self.postgres.ensure(what, || {
            let cluster = self.postgres.cluster(self.postgres.patience())?;
            self.postgres.expect_database(&cluster, &self.database)?;
            if let Some(owner) = &self.owner {
                self.postgres.expect_role(&cluster, owner)?;
            }
            let inside = self.postgres.inside(&self.database, Patience::None)?;
            self.postgres.refuse_on_standby(&cluster, of(inside.schema(&self.name)))
        })
    }
}

/// What the operation is called that makes a schema.
pub(super) fn called(schema: &str, database: &str) -> String {
    format!("schema {schema} of {database} present")
}

fn change(database: &str, found: Option<&SchemaFacts>, name: &str, owner: Option<&str>) -> Change {
    let quoted = quoting::name(name);
    let mut change = Change::within(database);
    match (found, owner) {
        (None, None) => change.add("new schema", format!("CREATE SCHEMA {quoted};")),
        (None, Some(owner)) => {
            let sql = format!("CREATE SCHEMA {quoted} AUTHORIZATION {};", quoting::name(owner));
            change.add(format!("new schema, owned by {owner}"), sql);
        }
        (Some(found), Some(owner)) if found.owner != owner => {
            let sql = format!("ALTER SCHEMA {quoted} OWNER TO {};", quoting::name(owner));
            change.add(format!("owner {} -> {owner}", found.owner), sql);
        }
        (Some(_), _) => {}
    }
    change
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_made_or_given_to_its_owner() {
        let found = SchemaFacts { name: "audit".into(), owner: "postgres".into() };
        let check = |found: Option<&SchemaFacts>, owner: Option<&str>, line: &str, sql: &str| {
            let change = change("shop", found, "audit", owner);
            assert_eq!((change.lines.join("\n").as_str(), change.sql.join("\n").as_str()), (line, sql));
        };
        check(None, None, "new schema", r#"CREATE SCHEMA "audit";"#);
        check(None, Some("a"), "new schema, owned by a", r#"CREATE SCHEMA "audit" AUTHORIZATION "a";"#);
        check(Some(&found), None, "", "");
        check(Some(&found), Some("postgres"), "", "");
        check(Some(&found), Some("a"), "owner postgres -> a", r#"ALTER SCHEMA "audit" OWNER TO "a";"#);
    }
}
