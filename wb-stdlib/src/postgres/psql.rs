//! The one way to `psql`. It reads nobody's startup file, asks nothing, gets SQL on its standard input, and stops at the
//! first error.

use std::path::PathBuf;
use std::time::Duration;

use wb_core::system::clock;

use super::PostgresError;
use super::change::Change;
use crate::Look;
use crate::command::{self, Command};

/// How long a server that was just started may take to answer.
const START_BOUND: Duration = Duration::from_secs(15);
const START_PAUSE: Duration = Duration::from_millis(250);
/// How long a look may take.
const LOOK_BOUND: Duration = Duration::from_secs(60);

/// `psql` can't connect.
const NO_CONNECTION: i32 = 2;
/// `env` finds no program.
const NO_PROGRAM: i32 = 127;

/// Functions and operators are those of the system, whatever a schema of somebody else has. A lock that others hold is
/// waited for, but not for ever.
const OPTIONS: &str = "-c search_path=pg_catalog -c lock_timeout=60s";
/// The same for what only looks.
const LOOKING: &str = "-c default_transaction_read_only=on";

/// Between columns and after rows of an answer: neither stands in a text of a database, but for people who want it.
const OPEN_ANSWER: [&str; 3] = ["-0", "-F", "\u{1f}"];

/// Which server, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) user: String,
    pub(super) port: Option<u16>,
    pub(super) socket: Option<PathBuf>,
}

impl Default for Server {
    fn default() -> Self {
        Self { user: "postgres".into(), port: None, socket: None }
    }
}

impl Server {
    /// Where it is, for messages, when that is not where one expects it: ` at port 5433`.
    pub(super) fn place(&self) -> String {
        let port = self.port.map(|port| format!(" at port {port}"));
        let socket = self.socket.as_ref().map(|socket| format!(" in {}", socket.display()));
        port.into_iter().chain(socket).collect()
    }

    /// Everything but fixed words is in the environment: a name with `=` would be a connection string elsewhere.
    fn psql<A: Look>(&self, access: A, database: &str, options: &str) -> Command<A> {
        let psql = Command::new(access, "psql -X -A -t -q -v ON_ERROR_STOP=1")
            .user(&self.user)
            .env("LC_ALL", "C.UTF-8")
            .env("PGCLIENTENCODING", "UTF8")
            .env("PGAPPNAME", "wildebeest")
            .env("PGCONNECT_TIMEOUT", "10")
            .env("PGOPTIONS", options)
            .env("PGDATABASE", database);
        let psql = match self.port {
            Some(port) => psql.env("PGPORT", port.to_string()),
            None => psql,
        };
        match &self.socket {
            Some(socket) => psql.env("PGHOST", socket.display().to_string()),
            None => psql,
        }
    }
}

/// Whether a server that does not answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    None,
    UntilItStarted,
}

/// The answer to a question of ours.
pub(super) fn ask<A: Look>(
    access: A,
    server: &Server,
    database: &str,
    sql: &str,
    patience: Patience,
) -> Result<String, PostgresError> {
    let psql = server.psql(access, database, &format!("{OPTIONS} {LOOKING}")).stdin(sql).timeout(LOOK_BOUND);
    let bound = if patience == Patience::None { Duration::ZERO } else { START_BOUND };
    let mut last = None;
    let clock = access.context().system().clock();
    let said = clock::wait_until(clock, bound, START_PAUSE, || match run(server, &psql) {
        Err(error @ PostgresError::Unreachable { .. }) => {
            last = Some(error);
            None
        }
        said => Some(said),
    });
    said.or(last.map(Err)).unwrap_or(Err(PostgresError::NoClient))
}

/// The answer to a query of others, in columns and rows.
pub(super) fn answer<A: Look>(access: A, server: &Server, database: &str, sql: &str) -> Result<String, PostgresError> {
    let psql = server.psql(access, database, LOOKING).args(OPEN_ANSWER).stdin(sql);
    run(server, &psql)
}

/// Does it.
pub(super) fn act<A: Look>(access: A, server: &Server, change: &Change) -> Result<(), PostgresError> {
    let psql = server.psql(access, &change.database, OPTIONS).timeout(command::TIMEOUT);
    // A terse message does not repeat the statement.
    let psql = if change.secret { psql.args(["-v", "VERBOSITY=terse"]) } else { psql };
    run(server, &psql.stdin(script(change))).map(drop)
}

/// Statements that nobody may read are kept out of the server's own log, too.
fn script(change: &Change) -> String {
    const UNLOGGED: &str = "SET log_statement = 'none';\nSET log_min_error_statement = 'panic';\n\
                            SET log_min_duration_statement = -1;\n";
    let start = if change.secret { UNLOGGED } else { "" };
    format!("{start}{}\n", change.sql.join("\n"))
}

fn run<A: Look>(server: &Server, psql: &Command<A>) -> Result<String, PostgresError> {
    let output = psql.output().map_err(|error| PostgresError::Client(Box::new(error)))?;
    let said = || output.error_text().trim().to_owned();
    match output.code {
        0 => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        NO_PROGRAM => Err(PostgresError::NoClient),
        NO_CONNECTION => Err(PostgresError::Unreachable { server: server.place(), said: said() }),
        _ => Err(PostgresError::Refused { what: "a look".into(), said: said() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_is_kept_out_of_logs() {
        let mut change = Change::within("postgres");
        change.add("x", "ALTER ROLE \"a\" PASSWORD 'b';");
        assert_eq!(script(&change), "ALTER ROLE \"a\" PASSWORD 'b';\n");
        change.secret = true;
        let logged = "SET log_statement = 'none';\nSET log_min_error_statement = 'panic';\nSET log_min_duration_statement = -1;\n";
        assert_eq!(script(&change), format!("{logged}ALTER ROLE \"a\" PASSWORD 'b';\n"));
    }

    #[test]
    fn a_server_says_where_it_is_when_that_is_not_clear() {
        assert_eq!(Server::default().place(), "");
        let server = Server { port: Some(5433), socket: Some("/run/other".into()), ..Server::default() };
        assert_eq!(server.place(), " at port 5433 in /run/other");
    }
}
