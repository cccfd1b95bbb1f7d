//! Settings of the whole server: in effect now, and in a configuration file for its next start.

use std::path::{Path, PathBuf};

use anyhow::Result;
use wb_core::context::{DebtAction, Outcome};
use wb_core::system::System;
use wb_core::system::files::Kind;

use super::change::Change;
use super::facts::Facts;
use super::{Mysql, MysqlError, quoting};
use crate::owed::Owes;
use crate::service::Service;
use crate::{Host, Look};

/// Where servers look for more configuration, the first that is there: Debian's for MariaDB and for MySQL, Red Hat's.
const DIRECTORIES: [&str; 4] =
    ["/etc/mysql/mariadb.conf.d", "/etc/mysql/mysql.conf.d", "/etc/mysql/conf.d", "/etc/my.cnf.d"];

/// A setting of the whole server. [`Mysql::setting`] makes it.
///
/// It is in effect at once, through `SET GLOBAL`, and stands in a file of its own beside the server's configuration, for
/// the next start. One that takes effect with a restart only is refused, unless [`Setting::restarts`] says whose.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn tune(host: &Host) -> Result<()> {
///     let (mysql, service) = (host.mysql(), host.service("mariadb"));
///     mysql.setting("max_connections").to("200").set()?;
///     mysql.setting("max_allowed_packet").to("64M").set()?;
///     mysql.setting("innodb_log_file_size").to("256M").restarts(&service).set()?;
///     mysql.setting("slow_query_log").unset()?; // from the next start on it is what other files say
///     Ok(())
/// }
///
/// fn it_is_tuned(host: &View) -> Result<()> {
///     host.mysql().setting("max_allowed_packet").is("64M")
/// }
/// # wb_stdlib::testing::web1().rehearse(tune).asks(it_is_tuned);
/// ```
#[must_use = "say what is to be so: `.to(value).set()?` or `.unset()?`"]
pub struct Setting<A> {
    mysql: Mysql<A>,
    name: String,
    value: Option<String>,
    owes: Owes,
    at_start: bool,
}

impl<A: Look> Setting<A> {
    pub(super) fn new(mysql: Mysql<A>, name: String) -> Self {
        Self { mysql, name, value: None, owes: Owes::default(), at_start: false }
    }

    /// Checks that this is in effect now: `200`, `64M`, `ON`.
    ///
    /// # Errors
    /// When something else is, or the server knows no such setting, or does not answer.
    pub fn is(&self, value: &str) -> Result<()> {
        check_name(&self.name)?;
        let facts = self.mysql.fresh_facts()?;
        let found = in_effect(&facts, &self.name)?;
        anyhow::ensure!(
            is_same(found, value),
            "expected the MySQL setting `{}` to be {value}, found {found}",
            self.name
        );
        Ok(())
    }
}

impl Setting<Host<'_>> {
    /// Its value, as in a configuration file: `200`, `64M`, `ON`.
    pub fn to(mut self, value: impl Into<String>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// It takes effect with a restart only: when its file changes, the service is restarted at the end of the migration.
    pub fn restarts(mut self, service: &Service<Host<'_>>) -> Self {
        self.owes.add(DebtAction::Restart, service);
        self.at_start = true;
        self
    }

    /// It has this value, now and after each start.
    ///
    /// # Errors
    /// When the server does not answer, knows no such setting, or refuses the value, and when there is nowhere to write it.
    pub fn set(self) -> Result<Outcome, MysqlError> {
        let bad = || MysqlError::BadValue { setting: self.name.clone() };
        let value = self.value.clone().filter(|value| !value.contains(char::is_control)).ok_or_else(bad)?;
        check_name(&self.name)?;
        self.mysql.ensure(&format!("setting {} set", self.name), || {
            let facts = self.mysql.facts(self.mysql.patience())?;
            let found = in_effect(&facts, &self.name)?;
            let file = self.file()?;
            let found = (!self.at_start).then_some(found);
            let change = change(&self.name, found, file.text.as_deref(), &value);
            let file = change.file.map(|(_, text)| (file.path, text));
            Ok(Change { file, owes: self.owes.clone(), ..change })
        })
    }

    /// No file of ours has it. What is in effect stays until the next start.
    ///
    /// # Errors
    /// When its file can't be removed.
    pub fn unset(self) -> Result<Outcome, MysqlError> {
        check_name(&self.name)?;
        self.mysql.ensure(&format!("setting {} unset", self.name), || {
            let file = self.file()?;
            match file.text {
                None => Ok(Change::default()),
                Some(_) => Ok(Change {
                    lines: vec![format!("{} removed", file.path.display())],
                    file: Some((file.path, None)),
                    owes: self.owes.clone(),
                    ..Change::default()
                }),
            }
        })
    }

    fn file(&self) -> Result<File, MysqlError> {
        let system = self.mysql.access.system();
        let directory = directory(system)?;
        let path = Path::new(directory).join(format!("zz-{}.cnf", self.name));
        match system.stat(&path)?.map(|stat| stat.kind) {
            None => Ok(File { path, text: None }),
            Some(Kind::File) => {
                let text = system.read_file(&path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                Ok(File { path, text })
            }
            Some(_) => Err(MysqlError::InTheWay { path }),
        }
    }
}

/// The file of a setting, and what stands in it.
struct File {
    path: PathBuf,
    text: Option<String>,
}

fn directory(system: &System) -> Result<&'static str, MysqlError> {
    for directory in DIRECTORIES {
        if system.stat(directory)?.is_some_and(|stat| stat.kind == Kind::Directory) {
            return Ok(directory);
        }
    }
    Err(MysqlError::NoDirectory { looked_for: DIRECTORIES.join(", ") })
}

fn in_effect<'a>(facts: &'a Facts, name: &str) -> Result<&'a str, MysqlError> {
    let found = facts.settings.get(&name.to_ascii_lowercase().replace('-', "_"));
    found.map(String::as_str).ok_or_else(|| MysqlError::NoSuchSetting { setting: name.to_owned() })
}

fn text(name: &str, value: &str) -> String {
    format!("# Written by Wildebeest.\n[mysqld]\n{name} = {value}\n")
}

/// Without what is in effect, that does not count.
fn change(name: &str, in_effect: Option<&str>, file: Option<&str>, wanted: &str) -> Change {
    let mut change = Change::default();
    if let Some(found) = in_effect.filter(|found| !is_same(found, wanted)) {
        change.add(format!("{found} -> {wanted}"), format!("SET GLOBAL {name} = {};", literal(wanted)));
    }
    let text = text(name, wanted);
    if file != Some(&text) {
        let is_new = if file.is_some() { "changed" } else { "new" };
        change.lines.push(format!("for each start: {name} = {wanted} ({is_new} file)"));
        change.file = Some((PathBuf::new(), Some(text)));
    }
    change
}

/// A number as `SET GLOBAL` takes it, or a text.
fn literal(value: &str) -> String {
    match bytes(value) {
        Some(number) => number.to_string(),
        None if value.parse::<f64>().is_ok() => value.to_owned(),
        None => quoting::text(value),
    }
}

/// Reads `200`, `64M`.
fn bytes(value: &str) -> Option<u64> {
    let (digits, factor) = match value.char_indices().last()? {
        (at, 'k' | 'K') => (&value[..at], 1 << 10),
        (at, 'm' | 'M') => (&value[..at], 1 << 20),
        (at, 'g' | 'G') => (&value[..at], 1 << 30),
        (at, 't' | 'T') => (&value[..at], 1 << 40),
        _ => (value, 1),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits.parse::<u64>().ok()?.checked_mul(factor) } else { None }
}

/// `64M` is `67108864`, `ON` is `1`, `10` is `10.000000`.
fn is_same(found: &str, wanted: &str) -> bool {
    let plain = |value: &str| match value.trim().to_ascii_uppercase().as_str() {
        "ON" | "TRUE" | "YES" => "1".to_owned(),
        "OFF" | "FALSE" | "NO" => "0".to_owned(),
        _ => bytes(value.trim()).map_or_else(|| value.trim().to_owned(), |number| number.to_string()),
    };
    let (found, wanted) = (plain(found), plain(wanted));
    let numbers = found.parse::<f64>().ok().zip(wanted.parse::<f64>().ok());
    found == wanted || numbers.is_some_and(|(found, wanted)| (found - wanted).abs() < f64::EPSILON)
}

fn check_name(name: &str) -> Result<(), MysqlError> {
    let good = !name.is_empty()
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.');
    match good && !name.starts_with('.') {
        true => Ok(()),
        false => {
            let hint = "names have small letters, digits and `_`, as `SHOW GLOBAL VARIABLES` writes them";
            Err(MysqlError::BadName { kind: "setting", name: name.to_owned(), hint })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(in_effect: Option<&str>, file: Option<&str>, wanted: &str, lines: &[&str], sql: &[&str]) {
        let change = change("max_connections", in_effect, file, wanted);
        assert_eq!(change.lines, lines);
        assert_eq!(change.sql, sql);
    }

    const FILE: &str = "# Written by Wildebeest.\n[mysqld]\nmax_connections = 200\n";

    #[test]
    fn a_setting_is_in_effect_and_in_its_file() {
        check(Some("200"), Some(FILE), "200", &[], &[]);
        let lines = ["151 -> 200", "for each start: max_connections = 200 (new file)"];
        check(Some("151"), None, "200", &lines, &["SET GLOBAL max_connections = 200;"]);
        let lines = ["for each start: max_connections = 200 (changed file)"];
        check(Some("200"), Some("other"), "200", &lines, &[]);
        check(Some("151"), Some(FILE), "200", &["151 -> 200"], &["SET GLOBAL max_connections = 200;"]);
    }

    #[test]
    fn one_that_takes_effect_with_a_restart_is_in_its_file() {
        check(None, Some(FILE), "200", &[], &[]);
        check(None, None, "200", &["for each start: max_connections = 200 (new file)"], &[]);
    }

    #[test]
    fn values_have_many_spellings() {
        let check = |found: &str, wanted: &str, expect| assert_eq!(is_same(found, wanted), expect, "{found} {wanted}");
        check("67108864", "64M", true);
        check("67108864", "64m", true);
        check("ON", "1", true);
        check("OFF", "false", true);
        check("10.000000", "10", true);
        check("utf8mb4", "utf8mb4", true);
        check("utf8mb4", "latin1", false);
        check("", "", true);
        check("M", "0", false);
    }

    #[test]
    fn numbers_are_numbers_and_all_else_is_text() {
        assert_eq!(
            [literal("64M"), literal("0.5"), literal("ON"), literal("it's")],
            ["67108864", "0.5", "'ON'", "'it''s'"]
        );
        assert_eq!(bytes("99999999999999999999"), None);
        assert_eq!(bytes("9999999999T"), None);
    }
}
