//! Databases.

use anyhow::Result;
use wb_core::context::Outcome;

use super::change::Change;
use super::facts::DatabaseFacts;
use super::{Mysql, MysqlError, Query, quoting};
use crate::{Host, Look};

/// What is wanted of a database. What nobody said stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Wanted {
    charset: Option<String>,
    collation: Option<String>,
}

/// A database. [`Mysql::database`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn databases(host: &Host) -> Result<()> {
///     host.mysql().database("shop").charset("utf8mb4").collation("utf8mb4_unicode_ci").present()?;
///     host.mysql().database("old_shop").absent()?;
///     Ok(())
/// }
/// # wb_stdlib::testing::web1().rehearse(databases);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct Database<A> {
    mysql: Mysql<A>,
    name: String,
    wanted: Wanted,
}

impl<A: Look> Database<A> {
    pub(super) fn new(mysql: Mysql<A>, name: String) -> Self {
        Self { mysql, name, wanted: Wanted::default() }
    }

    /// A query that only looks, in this database.
    pub fn query(&self, sql: impl Into<String>) -> Query<A> {
        Query::new(self.mysql.clone(), Some(self.name.clone()), sql.into())
    }

    /// Checks that there is such a database.
    ///
    /// # Errors
    /// When there is none, or the server does not answer.
    pub fn exists(&self) -> Result<()> {
        let there = self.mysql.fresh_facts()?.database(&self.name).is_some();
        anyhow::ensure!(there, "expected the MySQL database `{}`, found none", self.name);
        Ok(())
    }
}

impl Database<Host<'_>> {
    /// The character set of new tables, as in `utf8mb4`. Those that are there keep theirs.
    pub fn charset(mut self, charset: impl Into<String>) -> Self {
        self.wanted.charset = Some(charset.into());
        self
    }

    /// How new tables sort, as in `utf8mb4_unicode_ci`. Those that are there keep theirs.
    pub fn collation(mut self, collation: impl Into<String>) -> Self {
        self.wanted.collation = Some(collation.into());
        self
    }

    /// There is such a database, with what was said of it.
    ///
    /// # Errors
    /// When the server does not answer, or knows no such character set or collation.
    pub fn present(self) -> Result<Outcome, MysqlError> {
        check(&self.name)?;
        let words = [("charset", &self.wanted.charset), ("collation", &self.wanted.collation)];
        for (kind, word) in words.into_iter().filter_map(|(kind, word)| Some((kind, word.as_ref()?))) {
            if word.is_empty() || !word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                let hint = "`SHOW CHARACTER SET` and `SHOW COLLATION` show those that there are";
                return Err(MysqlError::BadName { kind, name: word.clone(), hint });
            }
        }
        self.mysql.ensure(&format!("database {} present", self.name), || {
            let facts = self.mysql.facts(self.mysql.patience())?;
            Ok(change(&self.name, facts.database(&self.name), &self.wanted))
        })
    }

    /// There is no such database. All that is in it is gone.
    ///
    /// # Errors
    /// When the server does not answer, or refuses.
    pub fn absent(self) -> Result<Outcome, MysqlError> {
        check(&self.name)?;
        self.mysql.ensure(&format!("database {} absent", self.name), || {
            let mut change = Change::default();
            if self.mysql.facts(self.mysql.patience())?.database(&self.name).is_some() {
                change.add("database dropped", format!("DROP DATABASE {};", quoting::name(&self.name)));
            }
            Ok(change)
        })
    }
}

pub(super) fn check(name: &str) -> Result<(), MysqlError> {
    match quoting::is_name(name, 64) && !name.ends_with(' ') {
        true => Ok(()),
        false => Err(MysqlError::BadName {
            kind: "database",
            name: name.to_owned(),
            hint: "names have 1 to 64 characters, no line breaks, and no blank at the end",
        }),
    }
}

fn change(name: &str, found: Option<&DatabaseFacts>, wanted: &Wanted) -> Change {
    let (mut lines, mut options) = (Vec::new(), String::new());
    let mut compare = |word: &str, sql: &str, found: Option<&str>, wanted: &Option<String>| {
        let Some(wanted) = wanted.as_ref().filter(|wanted| !found.is_some_and(|found| is_same(found, wanted))) else {
            return;
        };
        options.push_str(&format!(" {sql} {wanted}"));
        lines.push(match found {
            Some(found) => format!("{word} {found} -> {wanted}"),
            None => format!("{word} {wanted}"),
        });
    };
    compare("charset", "CHARACTER SET", found.map(|found| found.charset.as_str()), &wanted.charset);
    compare("collation", "COLLATE", found.map(|found| found.collation.as_str()), &wanted.collation);
    let quoted = quoting::name(name);
    match found {
        None => {
            lines.insert(0, "new database".into());
            Change { lines, sql: vec![format!("CREATE DATABASE {quoted}{options};")], ..Change::default() }
        }
        Some(_) if lines.is_empty() => Change::default(),
        Some(_) => Change { lines, sql: vec![format!("ALTER DATABASE {quoted}{options};")], ..Change::default() },
    }
}

/// `utf8` is `utf8mb3`, with newer servers.
fn is_same(found: &str, wanted: &str) -> bool {
    let plain = |name: &str| match name.to_ascii_lowercase() {
        name if name == "utf8" => "utf8mb3".to_owned(),
        name => name.strip_prefix("utf8_").map(|rest| format!("utf8mb3_{rest}")).unwrap_or(name),
    };
    plain(found) == plain(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: Option<[&str; 2]>, wanted: [Option<&str>; 2], lines: &[&str], sql: &[&str]) {
        let found = found.map(|[charset, collation]| DatabaseFacts {
            name: "shop".into(),
            charset: charset.into(),
            collation: collation.into(),
        });
        let [charset, collation] = wanted.map(|word| word.map(str::to_owned));
        let change = change("shop", found.as_ref(), &Wanted { charset, collation });
        assert_eq!(change.lines, lines);
        assert_eq!(change.sql, sql);
    }

    #[test]
    fn a_database_is_made_or_altered() {
        check(None, [None, None], &["new database"], &["CREATE DATABASE `shop`;"]);
        let sql = "CREATE DATABASE `shop` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;";
        let lines = ["new database", "charset utf8mb4", "collation utf8mb4_unicode_ci"];
        check(None, [Some("utf8mb4"), Some("utf8mb4_unicode_ci")], &lines, &[sql]);
        let sql = "ALTER DATABASE `shop` CHARACTER SET utf8mb4;";
        check(Some(["latin1", "latin1_swedish_ci"]), [Some("utf8mb4"), None], &["charset latin1 -> utf8mb4"], &[sql]);
    }

    #[test]
    fn what_is_the_same_by_another_name_stays() {
        check(Some(["utf8mb3", "utf8mb3_general_ci"]), [Some("utf8"), Some("utf8_general_ci")], &[], &[]);
        check(Some(["utf8mb4", "utf8mb4_bin"]), [None, None], &[], &[]);
    }
}
