//! What can go wrong with MySQL and MariaDB.

use std::path::PathBuf;

use wb_core::context::DebtError;
use wb_core::system::FileError;

use crate::command::CommandError;

/// What can go wrong with MySQL and MariaDB.
#[derive(Debug, thiserror::Error)]
pub enum MysqlError {
    /// Nothing can be called so.
    #[error("`{}` is no name of a MySQL {kind}\nhint: {hint}", name.escape_debug())]
    BadName {
        /// Of what: `user`, `database` …
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// What would do.
        hint: &'static str,
    },
    /// A value that no configuration file can have.
    #[error(
        "the MySQL setting `{setting}` can't have that value\nhint: a value is of one line, and is said with `.to(…)`"
    )]
    BadValue {
        /// Which one.
        setting: String,
    },
    /// A hash that no server would take for one.
    #[error(
        "what was given as the hash of the password of {account} is none\nhint: hashes are like `*94BD…` of 41 characters, or \
         `$A$005$…`; `.authenticated_by(plugin, hash)` takes any other"
    )]
    BadHash {
        /// Whose.
        account: String,
    },
    /// Everybody could come in.
    #[error(
        "the MySQL user {account} is new, and nothing says how they prove who they are\nhint: `.password(…)`, \
         `.password_hash(…)` or `.socket_login()` before `.present()?`"
    )]
    NoAuthentication {
        /// Who.
        account: String,
    },
    /// There is no salt for a password.
    #[error("could not get a salt for a password from the kernel")]
    Salt(#[source] std::io::Error),
    /// There is no client.
    #[error(
        "neither the program `mariadb` nor `mysql` is installed\nhint: Debian has them in the packages `mariadb-client` and \
         `default-mysql-client`"
    )]
    NoClient,
    /// The client can't be run.
    #[error("could not run the client of MySQL")]
    Client(#[source] Box<CommandError>),
    /// Nobody answers.
    #[error(
        "MySQL{server} does not answer: {said}\nhint: see that its service runs, and that `.socket(…)` is where it listens"
    )]
    Unreachable {
        /// Which one, as in ` at /run/mysqld/other.sock`.
        server: String,
        /// What the client said.
        said: String,
    },
    /// It does not let us in.
    #[error(
        "MySQL{server} lets nobody in: {said}\nhint: where root has a password, write it to an option file that only root may \
         read, and say `.defaults_file(…)`"
    )]
    Denied {
        /// Which one.
        server: String,
        /// What the client said.
        said: String,
    },
    /// The server refused.
    #[error("MySQL refused it ({what}): {said}{}", hint(*code))]
    Refused {
        /// What was being done.
        what: String,
        /// The number of its error.
        code: u32,
        /// What it said.
        said: String,
    },
    /// Its answer can't be read.
    #[error("what MySQL said of itself can't be read: {said}")]
    Misread {
        /// The line.
        said: String,
    },
    /// No such user.
    #[error("there is no MySQL user {account}\nhint: `mysql.user({user:?}, {host:?}).present()?` makes them")]
    NoSuchUser {
        /// As in `'app'@'10.%'`.
        account: String,
        /// Their name.
        user: String,
        /// Where they come from.
        host: String,
    },
    /// No such setting.
    #[error("MySQL knows no setting `{setting}`\nhint: `SHOW GLOBAL VARIABLES` shows those that there are")]
    NoSuchSetting {
        /// What was asked for.
        setting: String,
    },
    /// There is nowhere to write settings.
    #[error("there is none of the directories {looked_for} on this host, where MySQL's settings would be written")]
    NoDirectory {
        /// Where was looked.
        looked_for: String,
    },
    /// Something else than a plain file is there.
    #[error("{} is to be a file, and is something else", .path.display())]
    InTheWay {
        /// Where.
        path: PathBuf,
    },
    /// A configuration file can't be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// All ended well, and it is not so.
    #[error("{what}: MySQL was told, and ended well, but it is not so:\n{left}")]
    NotSo {
        /// What was wanted.
        what: String,
        /// What still differs.
        left: String,
    },
    /// What the change makes necessary can't be written down, so it was not made.
    #[error("could not write down what a change makes necessary, so it was not made ({what})")]
    Owe {
        /// What was being done.
        what: String,
        /// Why.
        source: DebtError,
    },
}

impl MysqlError {
    /// Why a plan can't know yet, where something before it may mend this.
    pub(super) fn why_not_yet(&self) -> Option<String> {
        match self {
            Self::NoClient => Some("there is no client of MySQL yet".into()),
            Self::Unreachable { server, .. } => Some(format!("MySQL{server} does not answer yet")),
            Self::NoSuchUser { account, .. } => Some(format!("there is no user {account} yet")),
            Self::NoSuchSetting { setting } => Some(format!("MySQL knows no setting `{setting}` yet")),
            Self::NoDirectory { .. } => Some("there is no directory for its settings yet".into()),
            _ => None,
        }
    }

    /// This one, of an operation.
    pub(super) fn at(self, operation: &str) -> Self {
        match self {
            Self::Refused { said, code, .. } => Self::Refused { what: operation.to_owned(), code, said },
            other => other,
        }
    }

    /// What the client said at its bad end. It begins `ERROR 1045 (28000): …`, or `ERROR 1045 (28000) at line 1: …`.
    pub(super) fn of(server: &str, said: &str) -> Self {
        let said = said.lines().find(|line| line.starts_with("ERROR")).unwrap_or(said).trim().to_owned();
        let server = server.to_owned();
        let code = said.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        match code {
            2002 | 2003 | 2005 | 2006 | 2013 => Self::Unreachable { server, said },
            1044 | 1045 | 1698 => Self::Denied { server, said },
            _ => Self::Refused { what: "a look".into(), code, said },
        }
    }
}

/// What helps where the server refuses what people want most often.
fn hint(code: u32) -> &'static str {
    match code {
        1231 => {
            "\nhint: it is none of the values of this setting, out of its bounds, or no multiple of its step: see the manual"
        }
        1238 => "\nhint: this takes effect with a restart only: say `.restarts(&service)`",
        1524 => "\nhint: the server has no such way to log in; `SHOW PLUGINS` shows those that it has",
        1146 => "\nhint: privileges on a table want the table first",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_is_told_apart() {
        let check = |said: &str, expect: &str| {
            let error = MysqlError::of("", said).to_string();
            assert!(error.starts_with(expect), "{error}");
        };
        let socket = "ERROR 2002 (HY000): Can't connect to local server through socket '/run/mysqld/mysqld.sock' (2)";
        check(socket, "MySQL does not answer: ERROR 2002 (HY000)");
        check("ERROR 1698 (28000): Access denied for user 'root'@'localhost'", "MySQL lets nobody in: ERROR 1698");
        check(
            "ERROR 1064 (42000) at line 3: You have an error",
            "MySQL refused it (a look): ERROR 1064 (42000) at line 3",
        );
        check(
            "mysql: [Warning] x\nERROR 1238 (HY000) at line 1: y",
            "MySQL refused it (a look): ERROR 1238 (HY000) at line 1: y",
        );
        check("mysql: unknown option", "MySQL refused it (a look): mysql: unknown option");
    }
}
