//! Settings of the whole server, as `ALTER SYSTEM` writes them.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use wb_core::context::{DebtAction, Outcome};
use wb_core::system::clock;

use super::change::Change;
use super::facts::Cluster;
use super::{Postgres, PostgresError, psql, quoting};
use crate::owed::Owes;
use crate::service::Service;
use crate::{Host, Look};

/// Settings that take effect with a restart only.
const AT_START: &str = "postmaster";
/// Lists of which the server quotes each item when it writes them: `'a,b'` would be one item with a comma.
const QUOTED_LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];
/// Of these, those of names, which have small letters where they are not quoted, and of which an empty one means something.
const LISTS_OF_NAMES: [&str; 2] = ["search_path", "temp_tablespaces"];

const RELOAD: &str = "SELECT pg_reload_conf();";
/// How long the server may take to read its files.
const READ_BOUND: Duration = Duration::from_secs(5);
const READ_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    One(String),
    List(Vec<String>),
}

/// A setting of the whole server. [`Postgres::setting`] makes it.
///
/// It is written to `postgresql.auto.conf`, which counts more than `postgresql.conf` and `conf.d`, and the server reads it
/// at once. Some settings take effect with a restart only: say whose, with [`Setting::restarts`].
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn tune(host: &Host) -> Result<()> {
///     let (postgres, service) = (host.postgres(), host.service("postgresql"));
///     postgres.setting("work_mem").to("16MB").set()?;
///     postgres.setting("max_connections").to("200").restarts(&service).set()?;
///     postgres.setting("shared_preload_libraries").to_list(["pg_stat_statements"]).restarts(&service).set()?;
///     postgres.setting("log_min_duration_statement").unset()?;
///     Ok(())
/// }
///
/// fn it_is_tuned(host: &View) -> Result<()> {
///     host.postgres().setting("work_mem").is("16MB")
/// }
/// # wb_stdlib::testing::web1().rehearse(tune).asks(it_is_tuned);
/// ```
#[must_use = "say what is to be so: `.to(value).set()?` or `.unset()?`"]
pub struct Setting<A> {
    postgres: Postgres<A>,
    name: String,
    value: Option<Value>,
    owes: Owes,
}

impl<A: Look> Setting<A> {
    pub(super) fn new(postgres: Postgres<A>, name: String) -> Self {
        Self { postgres, name, value: None, owes: Owes::default() }
    }

    /// Checks that this is in effect now, as `SHOW` writes it: `16MB`, `on`.
    ///
    /// # Errors
    /// When something else is, or the server knows no such setting, or does not answer.
    pub fn is(&self, value: &str) -> Result<()> {
        check_name(&self.name)?;
        let found = self.postgres.query(format!("SHOW {}", quoted(&self.name))).value()?;
        anyhow::ensure!(found == value, "expected the PostgreSQL setting `{}` to be {value}, found {found}", self.name);
        Ok(())
    }
}

impl Setting<Host<'_>> {
    /// Its value, as in `postgresql.conf`: `200`, `16MB`, `on`, and for a setting that is a list, `auto_explain, "my lib"`.
    pub fn to(mut self, value: impl Into<String>) -> Self {
        self.value = Some(Value::One(value.into()));
        self
    }

    /// Its values, for a setting that is a list: `shared_preload_libraries`, `search_path`.
    pub fn to_list<V: Into<String>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        self.value = Some(Value::List(values.into_iter().map(Into::into).collect()));
        self
    }

    /// When it changes, and takes effect with a restart only, the service is restarted at the end of the migration. Without
    /// this it waits for the next restart.
    pub fn restarts(mut self, service: &Service<Host<'_>>) -> Self {
        self.owes.add(DebtAction::Restart, service);
        self
    }

    /// `postgresql.auto.conf` has it at this value, and the server has read that.
    ///
    /// # Errors
    /// When the server does not answer, knows no such setting, or refuses the value, or no value was said, or one that the
    /// server would not start with. Where it wrote something else than it was told, the old value is written again.
    pub fn set(self) -> Result<Outcome, PostgresError> {
        let Some(value) = self.value.clone() else {
            let what = format!("setting `{}`", self.name);
            return Err(PostgresError::BadValue { what, value: "nothing".into(), hint: "`.to(…)` says its value" });
        };
        let value = match value {
            Value::One(text) => Value::of(&self.name, &text),
            list @ Value::List(_) => list,
        };
        self.ensure(Some(&value), "set")
    }

    /// `postgresql.auto.conf` does not have it: it is as the other files say.
    ///
    /// # Errors
    /// When the server does not answer, or refuses.
    pub fn unset(self) -> Result<Outcome, PostgresError> {
        self.ensure(None, "unset")
    }

    fn ensure(self, value: Option<&Value>, word: &str) -> Result<Outcome, PostgresError> {
        check_name(&self.name)?;
        check_value(&self.name, value)?;
        let (before, is_told) = (OnceCell::new(), Cell::new(false));
        let outcome = self.postgres.ensure(&format!("setting {} {word}", self.name), || {
            let cluster = self.cluster(is_told.get())?;
            before.get_or_init(|| cluster.set_to(&self.name).map(|found| Value::of(&self.name, found)));
            let change = change(&cluster, &self.name, value, is_told.replace(true))?;
            Ok(Change {
                owes: if at_start(&cluster, &self.name) { self.owes.clone() } else { Owes::default() },
                ..change
            })
        });
        match outcome {
            Err(PostgresError::NotSo { what, left }) => {
                let before = before.get().and_then(Option::as_ref);
                let again = match self.write_back(before) {
                    Ok(()) => "what it had before is written again".to_owned(),
                    Err(error) => format!("what it had before could not be written again: {error}"),
                };
                Err(PostgresError::NotSo { what, left: format!("{left}\n{again}") })
            }
            outcome => outcome,
        }
    }

    /// What the server says of itself: once it was told to read its files, after it did, which takes it a moment.
    fn cluster(&self, is_told: bool) -> Result<Rc<Cluster>, PostgresError> {
        if !is_told {
            return self.postgres.cluster(self.postgres.patience());
        }
        let clock = self.postgres.access.system().clock();
        let read = clock::wait_until(clock, READ_BOUND, READ_PAUSE, || match self.postgres.fresh_cluster() {
            Ok(cluster) if cluster.unread == Some(true) => None,
            cluster => Some(cluster),
        });
        read.unwrap_or_else(|| self.postgres.fresh_cluster())
    }

    /// A value that the server has misread could keep it from its next start.
    fn write_back(&self, before: Option<&Value>) -> Result<(), PostgresError> {
        let sql = vec![sql(&self.name, before), RELOAD.into()];
        let change = Change { sql, secret: is_secret(&self.name), ..Change::within("postgres") };
        let done = psql::act(self.postgres.access, &self.postgres.server, &change);
        self.postgres.seen.forget();
        done
    }
}

fn at_start(cluster: &Cluster, name: &str) -> bool {
    cluster.setting(name).is_some_and(|setting| setting.context == AT_START)
}

fn change(cluster: &Cluster, name: &str, wanted: Option<&Value>, is_told: bool) -> Result<Change, PostgresError> {
    if wanted.is_some() && cluster.setting(name).is_none() && !name.contains('.') {
        return Err(PostgresError::NoSuchSetting { setting: name.to_owned() });
    }
    let found = cluster.set_to(name);
    let mut change = Change::within("postgres");
    let same = match (found, wanted) {
        (None, None) => true,
        (Some(found), Some(wanted)) => wanted.is(name, found),
        _ => false,
    };
    if !same {
        change.add(line(cluster, name, found, wanted), sql(name, wanted));
    } else if cluster.unread == Some(true) && !is_told {
        change.lines.push("not read yet".into());
    }
    if !change.is_nothing() {
        change.sql.push(RELOAD.into());
    }
    Ok(change)
}

fn sql(name: &str, wanted: Option<&Value>) -> String {
    match wanted {
        Some(value) => format!("ALTER SYSTEM SET {} = {};", quoted(name), value.sql()),
        None => format!("ALTER SYSTEM RESET {};", quoted(name)),
    }
}

fn line(cluster: &Cluster, name: &str, found: Option<&str>, wanted: Option<&Value>) -> String {
    let later = if at_start(cluster, name) { ", in effect with a restart" } else { "" };
    let shown = |text: Option<String>| text.unwrap_or_else(|| "unset".into());
    match is_secret(name) {
        true => format!("value differs; it is not shown{later}"),
        false => format!("{} -> {}{later}", shown(found.map(Into::into)), shown(wanted.map(Value::shown))),
    }
}

/// These may have a password in them.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["conninfo", "passphrase", "password", "secret"].iter().any(|word| name.contains(word))
}

impl Value {
    /// A value as a file has it.
    fn of(name: &str, text: &str) -> Self {
        if is_among(&QUOTED_LISTS, name) { Self::List(items(name, text)) } else { Self::One(text.to_owned()) }
    }

    fn sql(&self) -> String {
        match self {
            Self::One(value) => quoting::text(value),
            Self::List(values) => values.iter().map(|value| quoting::text(value)).collect::<Vec<_>>().join(", "),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::One(value) => value.clone(),
            Self::List(values) => values.join(", "),
        }
    }

    /// Whether this is what `postgresql.auto.conf` has. Items of a list may be quoted there.
    fn is(&self, name: &str, found: &str) -> bool {
        match self {
            Self::One(value) => value == found,
            Self::List(values) => items(name, found) == *values,
        }
    }
}

fn is_among(names: &[&str], name: &str) -> bool {
    names.iter().any(|one| one.eq_ignore_ascii_case(name))
}

/// Splits `a, "b, c"` at its commas, and unquotes.
fn items(name: &str, list: &str) -> Vec<String> {
    let mut is_quoted = false;
    let items = list.split(|c: char| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    });
    let item = |item: &str| match item.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None if is_among(&LISTS_OF_NAMES, name) => item.to_ascii_lowercase(),
        None => item.to_owned(),
    };
    items.map(|one| item(one.trim())).collect()
}

/// A name as `ALTER SYSTEM` has it; those of extensions have a dot.
fn quoted(name: &str) -> String {
    name.split('.').map(quoting::name).collect::<Vec<_>>().join(".")
}

fn check_name(name: &str) -> Result<(), PostgresError> {
    let is_part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match name.split('.').all(is_part) && name.len() <= 128 {
        true => Ok(()),
        false => Err(PostgresError::BadName { kind: "setting", name: name.to_owned() }),
    }
}

/// Its file has one line for each setting, and the server starts with it.
fn check_value(name: &str, value: Option<&Value>) -> Result<(), PostgresError> {
    let values: &[String] = match value {
        None => return Ok(()),
        Some(Value::One(value)) => std::slice::from_ref(value),
        Some(Value::List(values)) => values,
    };
    let is_of_files = is_among(&QUOTED_LISTS, name) && !is_among(&LISTS_OF_NAMES, name);
    let (value, hint) = match values {
        _ if values.iter().any(|value| value.contains(['\0', '\n', '\r'])) => {
            ("of many lines", "a value is of one line")
        }
        _ if is_of_files && values.iter().all(String::is_empty) => {
            ("empty", "`ALTER SYSTEM` can't say that; `.unset()?` leaves the setting to the other files")
        }
        _ if is_of_files && values.iter().any(String::is_empty) => ("a list with an empty item", "each item is a file"),
        [] => ("a list of nothing", "`.to(\"\")` is an empty value"),
        _ => return Ok(()),
    };
    Err(PostgresError::BadValue { what: format!("setting `{name}`"), value: value.into(), hint })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> Cluster {
        let said = r#"{"version" : 150013, "settings" : [{"name" : "max_connections", "context" : "postmaster"},
            {"name" : "work_mem", "context" : "user"}, {"name" : "primary_conninfo", "context" : "sighup"},
            {"name" : "shared_preload_libraries", "context" : "postmaster"}],
            "set" : [{"name" : "work_mem", "value" : "8MB"}, {"name" : "shared_preload_libraries",
            "value" : "auto_explain, \"my lib\""}], "unread" : false}"#;
        Cluster::parse(said).unwrap()
    }

    fn one(value: &str) -> Value {
        Value::One(value.into())
    }

    fn check(name: &str, wanted: Option<&Value>, lines: &[&str], sql: &[&str]) {
        let change = change(&cluster(), name, wanted, false).unwrap();
        assert_eq!(change.lines, lines);
        assert_eq!(change.sql, sql);
    }

    #[test]
    fn a_setting_is_set_and_read() {
        check("work_mem", Some(&one("8MB")), &[], &[]);
        check("WORK_MEM", Some(&one("8MB")), &[], &[]);
        let sql = [r#"ALTER SYSTEM SET "work_mem" = '16MB';"#, RELOAD];
        check("work_mem", Some(&one("16MB")), &["8MB -> 16MB"], &sql);
        let sql = [r#"ALTER SYSTEM SET "max_connections" = '200';"#, RELOAD];
        check("max_connections", Some(&one("200")), &["unset -> 200, in effect with a restart"], &sql);
        let sql = [r#"ALTER SYSTEM SET "auto_explain"."log_format" = 'json';"#, RELOAD];
        check("auto_explain.log_format", Some(&one("json")), &["unset -> json"], &sql);
    }

    #[test]
    fn a_list_has_items() {
        let list = |items: &[&str]| Value::List(items.iter().map(|item| (*item).to_owned()).collect());
        check("shared_preload_libraries", Some(&list(&["auto_explain", "my lib"])), &[], &[]);
        let sql = [r#"ALTER SYSTEM SET "shared_preload_libraries" = 'auto_explain', 'x';"#, RELOAD];
        let line = "auto_explain, \"my lib\" -> auto_explain, x, in effect with a restart";
        check("shared_preload_libraries", Some(&list(&["auto_explain", "x"])), &[line], &sql);
        let name = "shared_preload_libraries";
        assert_eq!(items(name, r#"a,"b""c", d"#), ["a", "b\"c", "d"]);
        assert_eq!(items(name, r#" a b , "c, d","#), ["a b", "c, d", ""]);
        assert_eq!(items(name, "A"), ["A"]);
        assert_eq!(items("Search_Path", r#""$user", Shop, "Shop""#), ["$user", "shop", "Shop"]);
        assert_eq!(items(name, ""), [""]);
    }

    #[test]
    fn a_list_may_be_said_in_one_text() {
        let name = "shared_preload_libraries";
        check(name, Some(&Value::of(name, "auto_explain,\"my lib\"")), &[], &[]);
        let sql = [r#"ALTER SYSTEM SET "shared_preload_libraries" = 'auto_explain', 'x';"#, RELOAD];
        let line = "auto_explain, \"my lib\" -> auto_explain, x, in effect with a restart";
        check(name, Some(&Value::of(name, "auto_explain, x")), &[line], &sql);
        assert_eq!(Value::of("listen_addresses", "a,b"), one("a,b"));
    }

    #[test]
    fn a_list_with_which_the_server_would_not_start_is_refused() {
        let check = |name: &str, value: &str, expect: Option<&str>| {
            let refused = check_value(name, Some(&Value::of(name, value))).err();
            let said = refused.map(|error| error.to_string().lines().next().unwrap().to_owned());
            assert_eq!(said.as_deref(), expect);
        };
        check("shared_preload_libraries", "", Some("the setting `shared_preload_libraries` can't be empty"));
        let expect = "the setting `session_preload_libraries` can't be a list with an empty item";
        check("session_preload_libraries", "a,", Some(expect));
        check("search_path", "", None);
        check("listen_addresses", "", None);
    }

    #[test]
    fn a_setting_is_unset() {
        check("max_connections", None, &[], &[]);
        check("work_mem", None, &["8MB -> unset"], &[r#"ALTER SYSTEM RESET "work_mem";"#, RELOAD]);
    }

    #[test]
    fn what_was_written_and_not_read_is_read() {
        let unread = Cluster { unread: Some(true), ..cluster() };
        let first = change(&unread, "work_mem", Some(&one("8MB")), false).unwrap();
        assert_eq!((first.lines, first.sql), (vec!["not read yet".to_owned()], vec![RELOAD.to_owned()]));
        assert!(change(&unread, "work_mem", Some(&one("8MB")), true).unwrap().is_nothing());
        let unset = change(&unread, "max_connections", None, false).unwrap();
        assert_eq!((unset.lines, unset.sql), (vec!["not read yet".to_owned()], vec![RELOAD.to_owned()]));
        assert!(change(&unread, "max_connections", None, true).unwrap().is_nothing());
    }

    #[test]
    fn what_may_have_a_password_is_not_shown() {
        let change = change(&cluster(), "primary_conninfo", Some(&one("password=swordfish")), false).unwrap();
        assert_eq!(change.lines, ["value differs; it is not shown"]);
    }

    #[test]
    fn a_setting_that_nobody_knows_is_named() {
        let error = change(&cluster(), "work_men", Some(&one("8MB")), false).unwrap_err().to_string();
        assert!(error.starts_with("PostgreSQL knows no setting `work_men`\nhint: "), "{error}");
    }

    #[test]
    fn only_names_and_values_of_one_line_are_taken() {
        let check = |name: &str, value: &str, expect: bool| {
            let taken = check_name(name).is_ok() && check_value(name, Some(&one(value))).is_ok();
            assert_eq!(taken, expect, "{name} {value}");
        };
        check("work_mem", "8MB", true);
        check("auto_explain.log_format", "", true);
        check("work mem", "8MB", false);
        check("work_mem;", "8MB", false);
        check(".x", "8MB", false);
        check("work_mem", "8MB\nssl = off", false);
        assert!(check_value("work_mem", Some(&Value::List(vec![]))).is_err());
    }
}
