//! Privileges of roles on a database, its schemas, tables and sequences.

use serde::Deserialize;
use wb_core::context::Outcome;

use super::change::Change;
use super::psql::Patience;
use super::{Postgres, PostgresError, database, quoting, role, schema};
use crate::{Host, Look};

/// Everybody, in place of a role.
const EVERYBODY: &str = "public";

/// On what.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Database,
    Schema(String),
    Tables { schema: String, tables: Vec<String> },
    AllTables { schema: String },
    AllSequences { schema: String },
}

/// Privileges on a database, or on what is in it. [`Database::privileges`](super::Database::privileges) makes it.
///
/// Only those that are named are granted or revoked; what else a role has stays. What it has because everybody has it, or
/// a group that it is a member of, does not count. All tables of a schema are those that there are when this runs.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn let_reports_read(host: &Host) -> Result<()> {
///     let shop = host.postgres().database("shop");
///     shop.privileges(["CONNECT"]).granted_to("reports")?;
///     shop.privileges(["USAGE"]).on_schema("public").granted_to("reports")?;
///     shop.privileges(["SELECT"]).on_tables("public", ["orders", "items"]).granted_to("reports")?;
///     shop.privileges(["USAGE"]).on_all_sequences("public").granted_to("shop")?;
///     shop.privileges(["CREATE"]).on_schema("public").revoked_from("public")?; // from everybody
///     Ok(())
/// }
/// # use wb_stdlib::testing::{samples::POSTGRES_WITH_SHOP, web1};
/// # web1().answer("setpriv", 0, POSTGRES_WITH_SHOP).rehearse(let_reports_read);
/// ```
#[must_use = "say what is to be so: `.granted_to(role)?` or `.revoked_from(role)?`"]
pub struct Privileges<A> {
    postgres: Postgres<A>,
    database: String,
    privileges: Vec<String>,
    target: Target,
}

impl<A: Look> Privileges<A> {
    pub(super) fn new<P: Into<String>>(
        postgres: Postgres<A>,
        database: String,
        privileges: impl IntoIterator<Item = P>,
    ) -> Self {
        let privileges = privileges.into_iter().map(|privilege| plain(&privilege.into())).collect();
        Self { postgres, database, privileges, target: Target::Database }
    }

    /// On a schema: `USAGE`, `CREATE`.
    pub fn on_schema(mut self, schema: impl Into<String>) -> Self {
        self.target = Target::Schema(schema.into());
        self
    }

    /// On tables and views of a schema: `SELECT`, `INSERT`, `UPDATE`, `DELETE`, `TRUNCATE`, `REFERENCES`, `TRIGGER`.
    pub fn on_tables<T: Into<String>>(
        mut self,
        schema: impl Into<String>,
        tables: impl IntoIterator<Item = T>,
    ) -> Self {
        self.target = Target::Tables { schema: schema.into(), tables: tables.into_iter().map(Into::into).collect() };
        self
    }

    /// On all tables and views that the schema has now.
    pub fn on_all_tables(mut self, schema: impl Into<String>) -> Self {
        self.target = Target::AllTables { schema: schema.into() };
        self
    }

    /// On all sequences that the schema has now: `USAGE`, `SELECT`, `UPDATE`.
    pub fn on_all_sequences(mut self, schema: impl Into<String>) -> Self {
        self.target = Target::AllSequences { schema: schema.into() };
        self
    }
}

impl Privileges<Host<'_>> {
    /// The role has them; `public` is everybody.
    ///
    /// # Errors
    /// When the server does not answer, the role or what they are on is not there, or there are no such privileges.
    pub fn granted_to(self, role: &str) -> Result<Outcome, PostgresError> {
        self.ensure(role, true)
    }

    /// The role does not have them; `public` is everybody.
    ///
    /// # Errors
    /// As [`Privileges::granted_to`].
    pub fn revoked_from(self, role: &str) -> Result<Outcome, PostgresError> {
        self.ensure(role, false)
    }

    fn ensure(self, role: &str, wanted: bool) -> Result<Outcome, PostgresError> {
        self.check()?;
        role::check_name(role)?;
        let list = self.privileges.join(", ");
        let target = self.target.described(&self.database);
        let how = if wanted { "granted to" } else { "revoked from" };
        self.postgres.ensure(&format!("privileges {list} on {target} {how} {role}"), || {
            let cluster = self.postgres.cluster(self.postgres.patience())?;
            if role != EVERYBODY {
                self.postgres.expect_role(&cluster, role)?;
            }
            let facts = self.facts(role, cluster.database(&self.database).is_some())?;
            let change = self.target.change(&self.database, &facts, &self.privileges, role, wanted)?;
            self.postgres.refuse_on_standby(&cluster, change)
        })
    }

    fn facts(&self, role: &str, is_there: bool) -> Result<Facts, PostgresError> {
        if !is_there {
            let comes = self.target == Target::Database && self.postgres.comes(&database::called(&self.database));
            let missing = PostgresError::NoSuchDatabase { database: self.database.clone() };
            return if comes { Ok(Facts::of_new(&self.database, role)) } else { Err(missing) };
        }
        let question = self.target.question(role);
        let said = self.postgres.ask(&self.database, &question, Patience::None)?;
        let facts: Facts = serde_json::from_str(&said).map_err(PostgresError::Misread)?;
        match &self.target {
            Target::Schema(name) if !facts.schema && self.postgres.comes(&schema::called(name, &self.database)) => {
                let objects = vec![Object { name: name.clone(), held: Vec::new() }];
                Ok(Facts { schema: true, objects, ..facts })
            }
            _ => Ok(facts),
        }
    }

    fn check(&self) -> Result<(), PostgresError> {
        database::check_name(&self.database)?;
        let names = self.target.names();
        if let Some((kind, name)) = names.into_iter().find(|(_, name)| !quoting::is_name(name)) {
            return Err(PostgresError::BadName { kind, name: name.to_owned() });
        }
        let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || c == ' ');
        match self.privileges.iter().find(|privilege| !is_word(privilege)) {
            Some(privilege) => Err(PostgresError::BadName { kind: "privilege", name: privilege.clone() }),
            None => Ok(()),
        }
    }
}

/// What a role has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Facts {
    /// Whether the schema is there.
    schema: bool,
    /// All privileges that there are on such objects.
    all: Vec<String>,
    objects: Vec<Object>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Object {
    name: String,
    held: Vec<String>,
}

impl Facts {
    /// Those of a database that only comes. Everybody may connect to a new one, and make temporary tables there.
    fn of_new(database: &str, role: &str) -> Self {
        let held: &[&str] = if role == EVERYBODY { &["CONNECT", "TEMPORARY"] } else { &[] };
        let held = held.iter().map(|privilege| (*privilege).to_owned()).collect();
        Self { schema: true, all: Vec::new(), objects: vec![Object { name: database.to_owned(), held }] }
    }
}

impl Target {
    fn described(&self, database: &str) -> String {
        match self {
            Self::Database => format!("the database {database}"),
            Self::Schema(schema) => format!("the schema {schema} of {database}"),
            Self::Tables { schema, tables } => format!("{} in {schema} of {database}", tables.join(", ")),
            Self::AllTables { schema } => format!("all tables in {schema} of {database}"),
            Self::AllSequences { schema } => format!("all sequences in {schema} of {database}"),
        }
    }

    fn schema(&self) -> Option<&str> {
        match self {
            Self::Database => None,
            Self::Schema(schema) | Self::Tables { schema, .. } => Some(schema),
            Self::AllTables { schema } | Self::AllSequences { schema } => Some(schema),
        }
    }

    fn names(&self) -> Vec<(&'static str, &str)> {
        let tables: &[String] = if let Self::Tables { tables, .. } = self { tables } else { &[] };
        let schema = self.schema().map(|schema| ("schema", schema));
        schema.into_iter().chain(tables.iter().map(|table| ("table", table.as_str()))).collect()
    }

    /// Which objects, with their access lists, and what kind they are of for `acldefault`.
    fn objects(&self) -> (&'static str, String) {
        let relations = |kind: &str, kinds: &str, schema: &str| {
            format!(
                "SELECT relname AS name, coalesce(relacl, acldefault('{kind}', relowner)) AS acl FROM pg_class JOIN \
                 pg_namespace n ON n.oid = relnamespace WHERE nspname = {} AND relkind IN ({kinds})",
                quoting::text(schema)
            )
        };
        const TABLES: &str = "'r', 'p', 'v', 'm', 'f'";
        match self {
            Self::Database => {
                let sql = "SELECT datname AS name, coalesce(datacl, acldefault('d', datdba)) AS acl FROM pg_database \
                           WHERE datname = current_database()";
                ("d", sql.into())
            }
            Self::Schema(schema) => {
                let sql = "SELECT nspname AS name, coalesce(nspacl, acldefault('n', nspowner)) AS acl FROM pg_namespace \
                           WHERE nspname = ";
                ("n", format!("{sql}{}", quoting::text(schema)))
            }
            Self::Tables { schema, tables } => {
                let these: Vec<String> = tables.iter().map(|table| quoting::text(table)).collect();
                let sql = relations("r", TABLES, schema);
                ("r", format!("{sql} AND relname = ANY (ARRAY[{}]::name[])", these.join(", ")))
            }
            Self::AllTables { schema } => ("r", relations("r", TABLES, schema)),
            Self::AllSequences { schema } => ("s", relations("s", "'S'", schema)),
        }
    }

    /// Asks for the [`Facts`] of a role.
    fn question(&self, role: &str) -> String {
        let (kind, objects) = self.objects();
        let grantee = match role {
            EVERYBODY => "0".to_owned(),
            role => format!("(SELECT oid FROM pg_authid WHERE rolname = {})", quoting::text(role)),
        };
        let schema = match self.schema() {
            None => "true".to_owned(),
            Some(schema) => format!("EXISTS (SELECT FROM pg_namespace WHERE nspname = {})", quoting::text(schema)),
        };
        format!(
            "SELECT json_build_object('schema', {schema}, 'all', (SELECT coalesce(json_agg(privilege_type), '[]') FROM \
             aclexplode(acldefault('{kind}', 10)) WHERE grantee = 10), 'objects', (SELECT \
             coalesce(json_agg(json_build_object('name', name, 'held', (SELECT coalesce(json_agg(DISTINCT privilege_type), \
             '[]') FROM aclexplode(acl) WHERE grantee = {grantee})) ORDER BY name), '[]') FROM ({objects}) o));\n"
        )
    }

    /// An object, as `GRANT` has it.
    fn sql(&self, object: &str) -> String {
        let object = quoting::name(object);
        match self {
            Self::Database => format!("DATABASE {object}"),
            Self::Schema(_) => format!("SCHEMA {object}"),
            Self::Tables { schema, .. } | Self::AllTables { schema } => {
                format!("TABLE {}.{object}", quoting::name(schema))
            }
            Self::AllSequences { schema } => format!("SEQUENCE {}.{object}", quoting::name(schema)),
        }
    }

    fn change(
        &self,
        database: &str,
        facts: &Facts,
        privileges: &[String],
        role: &str,
        wanted: bool,
    ) -> Result<Change, PostgresError> {
        self.expect_objects(database, facts)?;
        let all = privileges.iter().any(|privilege| privilege == "ALL") && !facts.all.is_empty();
        let privileges = if all { &facts.all } else { privileges };
        let grantee = if role == EVERYBODY { "PUBLIC".to_owned() } else { quoting::name(role) };
        let mut change = Change::within(database);
        for object in &facts.objects {
            let differing = privileges.iter().filter(|privilege| object.held.contains(privilege) != wanted);
            let differing = differing.cloned().collect::<Vec<_>>().join(", ");
            if differing.is_empty() {
                continue;
            }
            let (sign, sql) = match wanted {
                true => ('+', format!("GRANT {differing} ON {} TO {grantee};", self.sql(&object.name))),
                false => ('-', format!("REVOKE {differing} ON {} FROM {grantee};", self.sql(&object.name))),
            };
            change.add(format!("{sign} {differing} on {}", object.name), sql);
        }
        Ok(role::in_one(change))
    }

    fn expect_objects(&self, database: &str, facts: &Facts) -> Result<(), PostgresError> {
        let missing = |object: String| Err(PostgresError::NoSuchObject { object, database: database.to_owned() });
        if let Some(schema) = self.schema().filter(|_| !facts.schema) {
            return missing(format!("schema `{schema}`"));
        }
        let Self::Tables { schema, tables } = self else { return Ok(()) };
        match tables.iter().find(|table| !facts.objects.iter().any(|object| object.name == **table)) {
            Some(table) => missing(format!("table `{schema}.{table}`")),
            None => Ok(()),
        }
    }
}

/// A privilege as `aclexplode` calls it.
fn plain(privilege: &str) -> String {
    match privilege.trim().to_ascii_uppercase().as_str() {
        "ALL PRIVILEGES" => "ALL".into(),
        "TEMP" => "TEMPORARY".into(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables() -> Target {
        Target::Tables { schema: "public".into(), tables: vec!["items".into(), "orders".into()] }
    }

    fn facts() -> Facts {
        let said = r#"{"schema" : true, "all" : ["INSERT", "SELECT", "UPDATE"], "objects" : [{"name" : "items",
            "held" : ["SELECT"]}, {"name" : "orders", "held" : []}]}"#;
        serde_json::from_str(said).unwrap()
    }

    fn check(target: &Target, privileges: &[&str], wanted: bool, lines: &[&str], sql: &[&str]) {
        let privileges: Vec<String> = privileges.iter().map(|privilege| plain(privilege)).collect();
        let change = target.change("shop", &facts(), &privileges, "reports", wanted).unwrap();
        assert_eq!(change.lines, lines);
        assert_eq!(change.sql, sql);
    }

    #[test]
    fn what_is_missing_is_granted() {
        let sql = r#"GRANT SELECT ON TABLE "public"."orders" TO "reports";"#;
        check(&tables(), &["select"], true, &["+ SELECT on orders"], &[sql]);
        let sql = [
            "BEGIN;",
            r#"GRANT INSERT, UPDATE ON TABLE "public"."items" TO "reports";"#,
            r#"GRANT INSERT, SELECT, UPDATE ON TABLE "public"."orders" TO "reports";"#,
            "COMMIT;",
        ];
        let lines = ["+ INSERT, UPDATE on items", "+ INSERT, SELECT, UPDATE on orders"];
        check(&tables(), &["ALL PRIVILEGES"], true, &lines, &sql);
    }

    #[test]
    fn what_is_there_is_revoked() {
        let sql = r#"REVOKE SELECT ON TABLE "public"."items" FROM "reports";"#;
        check(&tables(), &["SELECT", "DELETE"], false, &["- SELECT on items"], &[sql]);
        check(&tables(), &["DELETE"], false, &[], &[]);
    }

    #[test]
    fn everybody_is_no_role() {
        let facts = Facts { objects: vec![Object { name: "shop".into(), held: vec!["CONNECT".into()] }], ..facts() };
        let change = Target::Database.change("shop", &facts, &["CONNECT".into()], EVERYBODY, false).unwrap();
        assert_eq!(change.sql, [r#"REVOKE CONNECT ON DATABASE "shop" FROM PUBLIC;"#]);
        assert!(Target::Database.question(EVERYBODY).contains("WHERE grantee = 0"));
        assert!(Target::Database.question("it's").contains("rolname = 'it''s'"));
    }

    #[test]
    fn everybody_may_connect_to_a_new_database() {
        let check = |role: &str, wanted: bool, expect: &[&str]| {
            let facts = Facts::of_new("shop", role);
            let change = Target::Database.change("shop", &facts, &["CONNECT".into()], role, wanted).unwrap();
            assert_eq!(change.lines, expect);
        };
        check(EVERYBODY, true, &[]);
        check(EVERYBODY, false, &["- CONNECT on shop"]);
        check("reports", true, &["+ CONNECT on shop"]);
        check("reports", false, &[]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let check = |target: &Target, facts: Facts, expect: &str| {
            let error = target.change("shop", &facts, &["SELECT".into()], "reports", true).unwrap_err();
            assert_eq!(error.to_string(), expect);
        };
        let one = Facts { objects: vec![Object { name: "items".into(), held: vec![] }], ..facts() };
        check(&tables(), one, "there is no table `public.orders` in the PostgreSQL database `shop`");
        let none = Facts { schema: false, objects: vec![], ..facts() };
        let target = Target::AllSequences { schema: "audit".into() };
        check(&target, none, "there is no schema `audit` in the PostgreSQL database `shop`");
    }

    #[test]
    fn each_target_is_asked_for_and_granted_on_in_its_words() {
        let check = |target: Target, kind: &str, sql: &str| {
            assert_eq!((target.objects().0, target.sql("a\"b").as_str()), (kind, sql));
        };
        check(Target::Database, "d", r#"DATABASE "a""b""#);
        check(Target::Schema("x".into()), "n", r#"SCHEMA "a""b""#);
        check(Target::AllTables { schema: "x".into() }, "r", r#"TABLE "x"."a""b""#);
        check(Target::AllSequences { schema: "x".into() }, "s", r#"SEQUENCE "x"."a""b""#);
        assert!(tables().objects().1.ends_with("relname = ANY (ARRAY['items', 'orders']::name[])"));
    }

    #[test]
    fn privileges_have_many_spellings() {
        let check = |privilege: &str, expect: &str| assert_eq!(plain(privilege), expect);
        check("select", "SELECT");
        check(" All Privileges ", "ALL");
        check("TEMP", "TEMPORARY");
    }
}
