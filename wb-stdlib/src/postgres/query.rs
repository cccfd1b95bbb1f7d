//! Queries that only look.

use anyhow::Result;

use super::{Postgres, PostgresError, psql};
use crate::Look;

/// A query that only looks. [`Database::query`](super::Database::query) and [`Postgres::query`] make it.
///
/// The server is told that the transaction reads only, and refuses what would change something.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn all_is_replicated(host: &View) -> Result<()> {
///     let lag = host.postgres().query("SELECT coalesce(max(replay_lag), '0') < interval '10 s' FROM pg_stat_replication");
///     lag.gives("t")
/// }
/// # wb_stdlib::testing::web1().answer("setpriv", 0, "t").sees(all_is_replicated);
/// ```
#[must_use = "a query is asked by `.rows()?`, `.value()?` or `.gives(…)?`"]
pub struct Query<A> {
    postgres: Postgres<A>,
    database: String,
    sql: String,
}

impl<A: Look> Query<A> {
    pub(super) fn new(postgres: Postgres<A>, database: String, sql: String) -> Self {
        Self { postgres, database, sql }
    }

    /// What it gives: rows of columns, as PostgreSQL writes values. A NULL is an empty text.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn who_is_connected(host: &View) -> Result<Vec<String>> {
    ///     let postgres = host.postgres();
    ///     ensure!(postgres.query("SELECT pg_is_in_recovery()").value()? == "f", "the server is a standby");
    ///     let rows = postgres.query("SELECT usename, client_addr FROM pg_stat_activity").rows()?;
    ///     Ok(rows.iter().map(|row| row.join(" from ")).collect())
    /// }
    /// # let host = wb_stdlib::testing::web1().answers("setpriv", &[(0, "f"), (0, "shop\u{1f}192.0.2.11\0")]);
    /// # assert_eq!(host.sees(who_is_connected), ["shop from 192.0.2.11"]);
    /// ```
    ///
    /// # Errors
    /// When the server does not answer, or refuses the query.
    pub fn rows(&self) -> Result<Vec<Vec<String>>, PostgresError> {
        let said = psql::answer(self.postgres.access, &self.postgres.server, &self.database, &self.sql);
        said.map(|said| parse(&said)).map_err(|error| error.at("a query"))
    }

    /// The first column of its first row; nothing where there is no row.
    ///
    /// # Errors
    /// As [`Query::rows`].
    pub fn value(&self) -> Result<String, PostgresError> {
        let first = self.rows()?.into_iter().next().and_then(|row| row.into_iter().next());
        Ok(first.unwrap_or_default())
    }

    /// Checks that the first column of its first row is this: `t` and `f` are true and false.
    ///
    /// # Errors
    /// When it is something else, or the query is refused.
    pub fn gives(&self, expected: &str) -> Result<()> {
        let found = self.value()?;
        anyhow::ensure!(found == expected, "expected `{}` to give {expected}, it gave {found}", self.sql.trim());
        Ok(())
    }
}

/// Reads rows, each ended by a zero byte, of columns with a unit separator between them.
fn parse(said: &str) -> Vec<Vec<String>> {
    let rows = said.split_terminator('\0');
    rows.map(|row| row.split('\u{1f}').map(str::to_owned).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_are_told_apart() {
        assert_eq!(parse(""), Vec::<Vec<String>>::new());
        assert_eq!(parse("\0"), [[""]]);
        assert_eq!(parse("a\u{1f}b\nc\0d\u{1f}\0"), [["a", "b\nc"], ["d", ""]]);
    }
}
