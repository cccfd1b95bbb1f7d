//! The one way to the server's client: it asks nothing, gets SQL on its standard input, and stops at the first error.

use std::path::PathBuf;
use std::time::Duration;

use wb_core::system::{CommandError as SystemError, System, clock, files};

use super::MysqlError;
use super::change::Change;
use crate::Look;
use crate::command::{self, Command, CommandError};

/// How long a server that was just started may take to answer.
const START_BOUND: Duration = Duration::from_secs(15);
const START_PAUSE: Duration = Duration::from_millis(250);
/// How long a look may take.
const LOOK_BOUND: Duration = Duration::from_secs(60);

/// What SQL means depends on this, so it is the same everywhere: a value out of its bounds is refused, where the server would
/// take the nearest one. A lock that others hold is not waited for without end.
const START: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES', lock_wait_timeout = 60;\n";
/// The same for queries of others.
const LOOKING: &str = "SET SESSION TRANSACTION READ ONLY;\n";

/// Which server, and who says as whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) socket: Option<PathBuf>,
    pub(super) defaults_file: Option<PathBuf>,
}

impl Server {
    /// Where it is, for messages, when that is not where one expects it: ` at /run/mysqld/other.sock`.
    pub(super) fn place(&self) -> String {
        self.socket.as_ref().map(|socket| format!(" at {}", socket.display())).unwrap_or_default()
    }

    fn client<A: Look>(&self, access: A) -> Command<A> {
        let mut client = Command::new(access, program(access.context().system()));
        // The client wants this one first.
        if let Some(file) = &self.defaults_file {
            client = client.arg(format!("--defaults-file={}", file.display()));
        }
        if let Some(socket) = &self.socket {
            client = client.arg(format!("--socket={}", socket.display()));
        }
        let options = ["--batch", "--skip-column-names", "--connect-timeout=10", "--default-character-set=utf8mb4"];
        client.args(options).env("LC_ALL", "C.UTF-8")
    }
}

/// MariaDB's own name for it, where there is one: the other will go.
fn program(system: &System) -> &'static str {
    if files::exists(system.path("/usr/bin/mariadb")) { "mariadb" } else { "mysql" }
}

/// Whether a server that does not answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    None,
    UntilItStarted,
}

/// The answer to a question of ours.
pub(super) fn ask<A: Look>(access: A, server: &Server, sql: &str, patience: Patience) -> Result<String, MysqlError> {
    let client = server.client(access).arg("--raw").stdin(format!("{START}{sql}")).timeout(LOOK_BOUND);
    let bound = if patience == Patience::None { Duration::ZERO } else { START_BOUND };
    let mut last = None;
    let clock = access.context().system().clock();
    let said = clock::wait_until(clock, bound, START_PAUSE, || match run(server, &client) {
        Err(error @ MysqlError::Unreachable { .. }) => {
            last = Some(error);
            None
        }
        said => Some(said),
    });
    said.or(last.map(Err)).unwrap_or(Err(MysqlError::NoClient))
}

/// The answer to a query of others: lines of columns, in which tabs and line breaks are escaped.
pub(super) fn answer<A: Look>(
    access: A,
    server: &Server,
    database: Option<&str>,
    sql: &str,
) -> Result<String, MysqlError> {
    let client = server.client(access).args(database.map(|database| format!("--database={database}")));
    run(server, &client.stdin(format!("{LOOKING}{sql}\n")))
}

/// Does it.
pub(super) fn act<A: Look>(access: A, server: &Server, change: &Change) -> Result<(), MysqlError> {
    if change.sql.is_empty() {
        return Ok(());
    }
    let client = server.client(access).stdin(script(change)).timeout(command::TIMEOUT);
    run(server, &client).map(drop).map_err(|error| withheld(error, change))
}

/// Statements that nobody may read are kept out of the server's general log, too.
fn script(change: &Change) -> String {
    let unlogged = if change.secret.is_some() { "SET SESSION sql_log_off = 1;\n" } else { "" };
    format!("{START}{unlogged}{}\n", change.sql.join("\n"))
}

/// A server repeats what it does not understand.
fn withheld(error: MysqlError, change: &Change) -> MysqlError {
    match (error, change.secret.as_deref()) {
        (MysqlError::Refused { what, code, said }, Some(secret)) => {
            let is_near = secret.len() >= 8 && said.contains(&secret[..8]);
            let said = if is_near { format!("error {code}; it has a hash in it, and is not shown") } else { said };
            MysqlError::Refused { what, code, said }
        }
        (error, _) => error,
    }
}

fn run<A: Look>(server: &Server, client: &Command<A>) -> Result<String, MysqlError> {
    let output = client.output().map_err(|error| match error {
        CommandError::System(SystemError::NotFound { .. }) => MysqlError::NoClient,
        error => MysqlError::Client(Box::new(error)),
    })?;
    match output.code {
        0 => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        _ => Err(MysqlError::of(&server.place(), &output.error_text())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        let mut change = Change::default();
        change.add("x", "SET GLOBAL max_connections = 1;");
        assert!(script(&change).starts_with("SET SESSION sql_mode = 'STRICT_ALL_TABLES', "));
    }

    #[test]
    fn what_is_secret_is_kept_out_of_logs_and_errors() {
        let mut change = Change::default();
        change.add("x", "ALTER USER 'a'@'b' IDENTIFIED VIA mysql_native_password USING '*14E65567AB';");
        assert!(!script(&change).contains("sql_log_off"));
        change.secret = Some("*14E65567AB".into());
        assert!(script(&change).contains("sql_log_off = 1"));
        let refused = |said: &str| MysqlError::Refused { what: "x".into(), code: 1064, said: said.into() };
        assert!(!withheld(refused("near '*14E65567AB'"), &change).to_string().contains("14E6"));
        assert!(withheld(refused("no such plugin"), &change).to_string().contains("no such plugin"));
    }
}
