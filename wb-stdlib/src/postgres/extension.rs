//! Extensions.

use anyhow::Result;
use wb_core::context::Outcome;

use super::change::Change;
use super::facts::{ExtensionFacts, Inside};
use super::psql::Patience;
use super::{Postgres, PostgresError, database, quoting};
use crate::{Host, Look};

/// What is wanted of an extension. What nobody said stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Wanted {
    version: Option<String>,
    schema: Option<String>,
}

/// An extension in a database. [`Database::extension`](super::Database::extension) makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn search_by_similarity(host: &Host) -> Result<()> {
///     host.packages(["postgresql-contrib"]).installed()?;
///     let shop = host.postgres().database("shop");
///     shop.extension("pg_trgm").version("1.6").schema("public").present()?;
///     shop.extension("hstore").absent()?;
///     Ok(())
/// }
///
/// fn it_can(host: &View) -> Result<()> {
///     host.postgres().database("shop").extension("pg_trgm").is_installed()
/// }
/// # use wb_stdlib::testing::{samples::POSTGRES_WITH_SHOP, web1};
/// # web1().answer("setpriv", 0, POSTGRES_WITH_SHOP).rehearse(search_by_similarity).asks(it_can);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct Extension<A> {
    postgres: Postgres<A>,
    database: String,
    name: String,
    wanted: Wanted,
}

impl<A: Look> Extension<A> {
    pub(super) fn new(postgres: Postgres<A>, database: String, name: String) -> Self {
        Self { postgres, database, name, wanted: Wanted::default() }
    }

    /// Checks that the database has it.
    ///
    /// # Errors
    /// When it has not, or there is no such database, or the server does not answer.
    pub fn is_installed(&self) -> Result<()> {
        self.postgres.seen.forget();
        let inside = self.postgres.inside(&self.database, Patience::None)?;
        let (name, database) = (&self.name, &self.database);
        anyhow::ensure!(
            inside.extension(name).is_some(),
            "expected the extension `{name}` in the PostgreSQL database `{database}`, found none"
        );
        Ok(())
    }
}

impl Extension<Host<'_>> {
    /// In this version. Without this, a new one has the newest of which there are files, and an old one stays.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.wanted.version = Some(version.into());
        self
    }

    /// What it brings lies in this schema. Without this, a new one's lies in `public`, or where it says itself.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.wanted.schema = Some(schema.into());
        self
    }

    /// The database has it.
    ///
    /// # Errors
    /// When there is no such database, or this host has no files of such an extension, or the server refuses.
    pub fn present(self) -> Result<Outcome, PostgresError> {
        self.check()?;
        self.postgres.ensure(&format!("extension {} in {} present", self.name, self.database), || {
            let (name, wanted) = (&self.name, &self.wanted);
            self.change(|inside| change(&self.database, inside, name, wanted))
        })
    }

    /// The database does not have it.
    ///
    /// # Errors
    /// When there is no such database, or something in it needs the extension.
    pub fn absent(self) -> Result<Outcome, PostgresError> {
        self.check()?;
        self.postgres.ensure(&format!("extension {} in {} absent", self.name, self.database), || {
            self.change(|inside| {
                let mut change = Change::within(&self.database);
                if inside.extension(&self.name).is_some() {
                    change.add("extension dropped", format!("DROP EXTENSION {};", quoting::name(&self.name)));
                }
                Ok(change)
            })
        })
    }

    fn check(&self) -> Result<(), PostgresError> {
        database::check_name(&self.database)?;
        let names = [("extension", Some(&self.name)), ("schema", self.wanted.schema.as_ref())];
        for (kind, name) in names.into_iter().filter_map(|(kind, name)| Some((kind, name?))) {
            if !quoting::is_name(name) {
                return Err(PostgresError::BadName { kind, name: name.clone() });
            }
        }
        match self.wanted.version.as_ref().filter(|version| version.is_empty() || version.contains(char::is_control)) {
            Some(version) => Err(PostgresError::BadName { kind: "version", name: version.clone() }),
            None => Ok(()),
        }
    }

    fn change(&self, of: impl Fn(&Inside) -> Result<Change, PostgresError>) -> Result<Change, PostgresError> {
        let cluster = self.postgres.cluster(self.postgres.patience())?;
        self.postgres.expect_database(&cluster, &self.database)?;
        let change = of(&*self.postgres.inside(&self.database, Patience::None)?)?;
        self.postgres.refuse_on_standby(&cluster, change)
    }
}

fn change(database: &str, inside: &Inside, name: &str, wanted: &Wanted) -> Result<Change, PostgresError> {
    let found = inside.extension(name);
    let version = wanted.version.as_deref();
    if found.is_none_or(|found| version.is_some_and(|version| version != found.version))
        && !inside.has_files_of(name, version)
    {
        return Err(PostgresError::NoSuchExtension { extension: name.to_owned(), version: wanted.version.clone() });
    }
    let mut change = Change::within(database);
    match found {
        None => make(name, wanted, &mut change),
        Some(found) => alter(name, found, wanted, &mut change),
    }
    Ok(change)
}

/// Without a schema it goes into the first of the search path, or where its own files say.
fn make(name: &str, wanted: &Wanted, change: &mut Change) {
    let mut line = "new extension".to_owned();
    let mut sql = format!("SET search_path = public; CREATE EXTENSION {}", quoting::name(name));
    if let Some(schema) = &wanted.schema {
        line.push_str(&format!(" in the schema {schema}"));
        sql.push_str(&format!(" SCHEMA {}", quoting::name(schema)));
    }
    if let Some(version) = &wanted.version {
        line.push_str(&format!(" of version {version}"));
        sql.push_str(&format!(" VERSION {}", quoting::text(version)));
    }
    change.add(line, sql + ";");
}

fn alter(name: &str, found: &ExtensionFacts, wanted: &Wanted, change: &mut Change) {
    let quoted = quoting::name(name);
    if let Some(version) = wanted.version.as_ref().filter(|version| **version != found.version) {
        let sql = format!("ALTER EXTENSION {quoted} UPDATE TO {};", quoting::text(version));
        change.add(format!("version {} -> {version}", found.version), sql);
    }
    if let Some(schema) = wanted.schema.as_ref().filter(|schema| **schema != found.schema) {
        let sql = format!("ALTER EXTENSION {quoted} SET SCHEMA {};", quoting::name(schema));
        change.add(format!("schema {} -> {schema}", found.schema), sql);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside() -> Inside {
        let said = r#"{"extensions" : [{"name" : "plpgsql", "version" : "1.0", "schema" : "pg_catalog"},
            {"name" : "pg_trgm", "version" : "1.5", "schema" : "public"}],
            "available" : [{"name" : "pg_trgm", "version" : "1.5"}, {"name" : "pg_trgm", "version" : "1.6"},
            {"name" : "uuid-ossp", "version" : "1.1"}]}"#;
        Inside::parse(said).unwrap()
    }

    fn check(name: &str, version: Option<&str>, schema: Option<&str>, lines: &[&str], sql: &[&str]) {
        let wanted = Wanted { version: version.map(Into::into), schema: schema.map(Into::into) };
        let change = change("shop", &inside(), name, &wanted).unwrap();
        assert_eq!(change.lines, lines);
        assert_eq!(change.sql, sql);
        assert_eq!(change.database, "shop");
    }

    #[test]
    fn an_extension_is_made_where_it_is_missing() {
        let sql = r#"SET search_path = public; CREATE EXTENSION "uuid-ossp";"#;
        check("uuid-ossp", None, None, &["new extension"], &[sql]);
        let sql = r#"SET search_path = public; CREATE EXTENSION "uuid-ossp" SCHEMA "extra" VERSION '1.1';"#;
        check("uuid-ossp", Some("1.1"), Some("extra"), &["new extension in the schema extra of version 1.1"], &[sql]);
    }

    #[test]
    fn one_that_is_there_is_brought_to_a_version_and_a_schema() {
        check("pg_trgm", None, None, &[], &[]);
        check("pg_trgm", Some("1.5"), Some("public"), &[], &[]);
        let sql = [r#"ALTER EXTENSION "pg_trgm" UPDATE TO '1.6';"#, r#"ALTER EXTENSION "pg_trgm" SET SCHEMA "extra";"#];
        check("pg_trgm", Some("1.6"), Some("extra"), &["version 1.5 -> 1.6", "schema public -> extra"], &sql);
    }

    #[test]
    fn one_without_files_is_named() {
        let check = |name: &str, version: Option<&str>| {
            let wanted = Wanted { version: version.map(Into::into), schema: None };
            let error = change("shop", &inside(), name, &wanted).unwrap_err();
            assert!(matches!(error, PostgresError::NoSuchExtension { .. }), "{error}");
        };
        check("postgis", None);
        check("pg_trgm", Some("2.0"));
    }
}
