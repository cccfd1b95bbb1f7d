//! Queries that only look.

use anyhow::Result;

use super::{Mysql, MysqlError, client};
use crate::Look;

/// A query that only looks. [`Mysql::query`] and [`Database::query`](super::Database::query) make it.
///
/// The session reads only: the server refuses what would change tables.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn there_are_orders(host: &View) -> Result<()> {
///     host.mysql().database("shop").query("SELECT count(*) > 0 FROM orders").gives("1")
/// }
/// # wb_stdlib::testing::web1().answer("mysql ", 0, "1\n").sees(there_are_orders);
/// ```
#[must_use = "a query is asked by `.rows()?`, `.value()?` or `.gives(…)?`"]
pub struct Query<A> {
    mysql: Mysql<A>,
    database: Option<String>,
    sql: String,
}

impl<A: Look> Query<A> {
    pub(super) fn new(mysql: Mysql<A>, database: Option<String>, sql: String) -> Self {
        Self { mysql, database, sql }
    }

    /// What it gives: rows of columns, as MySQL writes values. A NULL is `NULL`.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn who_is_connected(host: &View) -> Result<Vec<String>> {
    ///     let mysql = host.mysql();
    ///     ensure!(mysql.query("SELECT @@read_only").value()? == "0", "the server is read-only");
    ///     let rows = mysql.query("SELECT user, host FROM information_schema.processlist").rows()?;
    ///     Ok(rows.iter().map(|row| row.join(" from ")).collect())
    /// }
    /// # let host = wb_stdlib::testing::web1().answers("mysql ", &[(0, "0\n"), (0, "shop\t192.0.2.11\n")]);
    /// # assert_eq!(host.sees(who_is_connected), ["shop from 192.0.2.11"]);
    /// ```
    ///
    /// # Errors
    /// When the server does not answer, or refuses the query.
    pub fn rows(&self) -> Result<Vec<Vec<String>>, MysqlError> {
        let said = client::answer(self.mysql.access, &self.mysql.server, self.database.as_deref(), &self.sql);
        said.map(|said| parse(&said)).map_err(|error| error.at("a query"))
    }

    /// The first column of its first row; nothing where there is no row.
    ///
    /// # Errors
    /// As [`Query::rows`].
    pub fn value(&self) -> Result<String, MysqlError> {
        let first = self.rows()?.into_iter().next().and_then(|row| row.into_iter().next());
        Ok(first.unwrap_or_default())
    }

    /// Checks that the first column of its first row is this: `1` and `0` are true and false.
    ///
    /// # Errors
    /// When it is something else, or the query is refused.
    pub fn gives(&self, expected: &str) -> Result<()> {
        let found = self.value()?;
        anyhow::ensure!(found == expected, "expected `{}` to give {expected}, it gave {found}", self.sql.trim());
        Ok(())
    }
}

/// Reads lines of columns with tabs between them.
fn parse(said: &str) -> Vec<Vec<String>> {
    said.lines().map(|line| line.split('\t').map(unescaped).collect()).collect()
}

/// Takes `\t`, `\n`, `\0` and `\\` for what they stand for.
fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => plain.extend(chars.next().map(|c| match c {
                't' => '\t',
                'n' => '\n',
                '0' => '\0',
                other => other,
            })),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_are_told_apart() {
        assert_eq!(parse(""), Vec::<Vec<String>>::new());
        assert_eq!(parse("\n"), [[""]]);
        assert_eq!(parse("a\tb\\nc\\td\\\\n\nNULL\t\n"), [["a", "b\nc\td\\n"], ["NULL", ""]]);
    }
}
