//! What a server says of itself: one question for all that is common to its databases, one for each database.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Deserialize;

use super::PostgresError;

/// Asks for a [`Cluster`].
pub(super) const CLUSTER: &str = "
SELECT json_build_object(
  'version', current_setting('server_version_num')::int,
  'standby', pg_is_in_recovery(),
  'roles', (SELECT coalesce(json_agg(json_build_object(
      'name', r.rolname, 'superuser', r.rolsuper, 'inherit', r.rolinherit, 'create_role', r.rolcreaterole,
      'create_database', r.rolcreatedb, 'login', r.rolcanlogin, 'replication', r.rolreplication,
      'bypass_rls', r.rolbypassrls, 'connection_limit', r.rolconnlimit, 'verifier', r.rolpassword,
      'member_of', (SELECT coalesce(json_agg(DISTINCT g.rolname), '[]')
        FROM pg_auth_members m JOIN pg_authid g ON g.oid = m.roleid WHERE m.member = r.oid))), '[]')
    FROM pg_authid r),
  'databases', (SELECT coalesce(json_agg(json_build_object(
      'name', datname, 'owner', pg_get_userbyid(datdba), 'encoding', pg_encoding_to_char(encoding),
      'collate', datcollate, 'ctype', datctype, 'connection_limit', datconnlimit)), '[]')
    FROM pg_database),
  'settings', (SELECT coalesce(json_agg(json_build_object(
      'name', name, 'context', context)), '[]')
    FROM pg_settings),
  'set', (SELECT coalesce(json_agg(json_build_object('name', name, 'value', setting) ORDER BY seqno), '[]')
    FROM pg_file_settings WHERE sourcefile LIKE '%/postgresql.auto.conf'),
  'unread', (SELECT modification > pg_conf_load_time()
    FROM pg_stat_file(current_setting('data_directory') || '/postgresql.auto.conf', true)));
";

/// Asks for an [`Inside`].
pub(super) const INSIDE: &str = "
SELECT json_build_object(
  'extensions', (SELECT coalesce(json_agg(json_build_object(
      'name', extname, 'version', extversion, 'schema', nspname)), '[]')
    FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace),
  'available', (SELECT coalesce(json_agg(json_build_object('name', name, 'version', version)), '[]')
    FROM pg_available_extension_versions),
  'schemas', (SELECT coalesce(json_agg(json_build_object('name', nspname, 'owner', pg_get_userbyid(nspowner))), '[]')
    FROM pg_namespace));
";

/// What is common to all databases of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Cluster {
    /// As in 150013.
    pub(super) version: u32,
    pub(super) standby: bool,
    pub(super) roles: Vec<RoleFacts>,
    pub(super) databases: Vec<DatabaseFacts>,
    pub(super) settings: Vec<SettingFacts>,
    /// What `ALTER SYSTEM` has written, the last line of a setting last.
    pub(super) set: Vec<SetFacts>,
    /// Whether that is younger than the last reload.
    pub(super) unread: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct RoleFacts {
    pub(super) name: String,
    pub(super) superuser: bool,
    pub(super) inherit: bool,
    pub(super) create_role: bool,
    pub(super) create_database: bool,
    pub(super) login: bool,
    pub(super) replication: bool,
    pub(super) bypass_rls: bool,
    pub(super) connection_limit: i32,
    pub(super) verifier: Option<String>,
    pub(super) member_of: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct DatabaseFacts {
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) encoding: String,
    pub(super) collate: String,
    pub(super) ctype: String,
    pub(super) connection_limit: i32,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct SettingFacts {
    pub(super) name: String,
    /// When it can be changed: `postmaster` for a restart.
    pub(super) context: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct SetFacts {
    pub(super) name: String,
    #[serde(default)]
    pub(super) value: Option<String>,
}

/// What is in one database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Inside {
    pub(super) extensions: Vec<ExtensionFacts>,
    /// Extensions of which this host has the files.
    pub(super) available: Vec<Available>,
    pub(super) schemas: Vec<SchemaFacts>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct SchemaFacts {
    pub(super) name: String,
    pub(super) owner: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct ExtensionFacts {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) schema: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Available {
    pub(super) name: String,
    pub(super) version: String,
}

impl Cluster {
    pub(super) fn parse(said: &str) -> Result<Self, PostgresError> {
        serde_json::from_str(said).map_err(PostgresError::Misread)
    }

    pub(super) fn role(&self, name: &str) -> Option<&RoleFacts> {
        self.roles.iter().find(|role| role.name == name)
    }

    pub(super) fn database(&self, name: &str) -> Option<&DatabaseFacts> {
        self.databases.iter().find(|database| database.name == name)
    }

    /// A setting by its name, in whatever case.
    pub(super) fn setting(&self, name: &str) -> Option<&SettingFacts> {
        self.settings.iter().find(|setting| setting.name.eq_ignore_ascii_case(name))
    }

    /// What `ALTER SYSTEM` has a setting at.
    pub(super) fn set_to(&self, name: &str) -> Option<&str> {
        let last = self.set.iter().rev().find(|set| set.name.eq_ignore_ascii_case(name));
        last.map(|set| set.value.as_deref().unwrap_or_default())
    }
}

impl Inside {
    pub(super) fn parse(said: &str) -> Result<Self, PostgresError> {
        serde_json::from_str(said).map_err(PostgresError::Misread)
    }

    pub(super) fn extension(&self, name: &str) -> Option<&ExtensionFacts> {
        self.extensions.iter().find(|extension| extension.name == name)
    }

    pub(super) fn schema(&self, name: &str) -> Option<&SchemaFacts> {
        self.schemas.iter().find(|schema| schema.name == name)
    }

    pub(super) fn has_files_of(&self, name: &str, version: Option<&str>) -> bool {
        let is_it = |one: &&Available| one.name == name && version.is_none_or(|version| one.version == version);
        self.available.iter().any(|one| is_it(&one))
    }
}

/// What was seen, for as long as nothing has changed since: neither by an operation of this room nor by any other.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// How many operations of the run had changed something then.
    changes: Cell<usize>,
    cluster: RefCell<Option<Rc<Cluster>>>,
    inside: RefCell<BTreeMap<String, Rc<Inside>>>,
}

impl Seen {
    pub(super) fn forget(&self) {
        self.cluster.replace(None);
        self.inside.take();
    }

    /// What was seen after a change of ours is not out of date by it.
    pub(super) fn holds_after(&self, changes: usize) {
        self.changes.set(changes);
    }

    pub(super) fn cluster(&self, changes: usize) -> Option<Rc<Cluster>> {
        self.as_of(changes);
        self.cluster.borrow().clone()
    }

    pub(super) fn inside(&self, changes: usize, database: &str) -> Option<Rc<Inside>> {
        self.as_of(changes);
        self.inside.borrow().get(database).cloned()
    }

    pub(super) fn keep_cluster(&self, changes: usize, cluster: &Rc<Cluster>) {
        self.as_of(changes);
        self.cluster.replace(Some(Rc::clone(cluster)));
    }

    pub(super) fn keep_inside(&self, changes: usize, database: &str, inside: &Rc<Inside>) {
        self.as_of(changes);
        self.inside.borrow_mut().insert(database.to_owned(), Rc::clone(inside));
    }

    fn as_of(&self, changes: usize) {
        if self.changes.replace(changes) != changes {
            self.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_read() {
        let said = r#"{"version" : 150013, "standby" : false, "roles" : [{"name" : "postgres", "superuser" : true,
            "inherit" : true, "create_role" : true, "create_database" : true, "login" : true, "replication" : true,
            "bypass_rls" : true, "connection_limit" : -1, "verifier" : null, "member_of" : []},
 {"name" : "pg_monitor", "superuser" : false, "login" : false, "connection_limit" : -1,
            "verifier" : null, "member_of" : ["pg_read_all_settings", "pg_read_all_stats", "pg_stat_scan_tables"]}],
            "databases" : [{"name" : "postgres", "owner" : "postgres", "encoding" : "UTF8", "collate" : "C.UTF-8",
            "ctype" : "C.UTF-8", "connection_limit" : -1}], "settings" : [{"name" : "max_connections",
            "context" : "postmaster"}, {"name": "TimeZone", "context": "user"}],
            "set" : [{"name" : "work_mem", "value" : "8MB"}, {"name" : "work_mem", "value" : "16MB"}], "unread" : false}
        "#;
        let cluster = Cluster::parse(said).unwrap();
        assert_eq!(cluster.version, 150_013);
        assert!(cluster.role("postgres").unwrap().superuser);
        assert_eq!(cluster.role("pg_monitor").unwrap().member_of.len(), 3);
        assert_eq!(cluster.database("postgres").unwrap().collate, "C.UTF-8");
        assert_eq!(cluster.setting("timezone").unwrap().context, "user");
        assert_eq!(cluster.set_to("work_mem"), Some("16MB"));
        assert_eq!(cluster.set_to("max_connections"), None);
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for said in ["", "psql: something", "{\"version\": \"15\"}"] {
            assert!(matches!(Cluster::parse(said), Err(PostgresError::Misread(_))), "{said}");
        }
    }

    #[test]
    fn what_was_seen_is_forgotten_once_something_changes() {
        let (seen, cluster) = (Seen::default(), Rc::new(Cluster::default()));
        seen.keep_cluster(0, &cluster);
        seen.keep_inside(0, "shop", &Rc::default());
        assert!(seen.cluster(0).is_some() && seen.inside(0, "shop").is_some() && seen.inside(0, "other").is_none());
        assert!(seen.cluster(1).is_none() && seen.inside(1, "shop").is_none());
        seen.keep_cluster(1, &cluster);
        seen.holds_after(2);
        assert!(seen.cluster(2).is_some());
        seen.forget();
        assert!(seen.cluster(2).is_none());
    }
}
