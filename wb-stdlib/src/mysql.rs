//! MySQL and MariaDB: users, databases, privileges and settings of a server on this host.
//!
//! The server is asked through its own client (`mariadb`, or `mysql`), over its socket, as whoever runs this: root, whom
//! both let in without a password, or as an option file says ([`Mysql::defaults_file`]). What there is of users, databases
//! and settings comes in one question, and is kept by a [`Mysql`] until something was changed; the privileges of a user are
//! one more.
//!
//! No password stands in a command line, a log or a report. The server gets a hash, made here, and the wanted password is
//! compared with the hash that it has. MariaDB 10.4 and MySQL 5.7, and later ones, are known; where they differ, the
//! server's version decides.

mod change;
mod client;
mod database;
mod error;
mod facts;
mod hash;
mod privileges;
mod query;
mod quoting;
mod setting;
mod user;

use std::path::PathBuf;
use std::rc::Rc;

use anyhow::Result;
use wb_core::context::Outcome;

use crate::ensure::{Difference, ensure};
use crate::look::Access as _;
use crate::{Host, Look};
use change::Change;
use client::{Patience, Server};
pub use database::Database;
pub use error::MysqlError;
use facts::{Facts, Seen};
pub use privileges::Privileges;
pub use query::Query;
pub use setting::Setting;
pub use user::User;

/// A MySQL or MariaDB server of this host. [`Look::mysql`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn make_the_shop(host: &Host) -> Result<()> {
///     let password = host.step("password", |host| Ok(host.command("openssl rand -hex 16").output()?.text()))?;
///     let mysql = host.mysql();
///     mysql.database("shop").charset("utf8mb4").present()?;
///     mysql.user("shop", "10.%").password(&password).present()?;
///     mysql.privileges(["SELECT", "INSERT", "UPDATE", "DELETE"]).on_database("shop").granted_to("shop", "10.%")?;
///     mysql.setting("max_connections").to("200").set()?;
///     Ok(())
/// }
///
/// fn the_shop_has_its_database(host: &View) -> Result<()> {
///     host.mysql().database("shop").exists()?;
///     host.mysql().query("SELECT 1 + 1").gives("2")
/// }
/// # wb_stdlib::testing::web1().rehearse(make_the_shop).asks(the_shop_has_its_database);
/// ```
#[must_use]
#[derive(Clone)]
pub struct Mysql<A> {
    access: A,
    server: Server,
    seen: Rc<Seen>,
}

impl<A: Look> Mysql<A> {
    pub(crate) fn new(access: A) -> Self {
        Self { access, server: Server::default(), seen: Rc::default() }
    }

    /// The one that listens at this socket; otherwise where the client's own configuration says.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn the_second_server_answers(host: &View) -> Result<()> {
    ///     host.mysql().socket("/run/mysqld/second.sock").defaults_file("/root/second.cnf").answers()
    /// }
    /// # wb_stdlib::testing::web1().answer("mysql ", 0, "1\n").sees(the_second_server_answers);
    /// ```
    pub fn socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.server.socket = Some(path.into());
        self.seen = Rc::default();
        self
    }

    /// The option file, by its absolute path, that says as whom to ask, with which password: only that one is read.
    /// Make it with mode `0o600`.
    pub fn defaults_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.server.defaults_file = Some(path.into());
        self.seen = Rc::default();
        self
    }

    /// The user `name` who comes from `host`: `localhost`, an address, or a pattern like `10.%`.
    pub fn user(&self, name: impl Into<String>, host: impl Into<String>) -> User<A> {
        User::new(self.clone(), name.into(), host.into())
    }

    /// The database `name`.
    pub fn database(&self, name: impl Into<String>) -> Database<A> {
        Database::new(self.clone(), name.into())
    }

    /// Privileges on everything, if nothing else is said: `["SELECT", "INSERT"]`, or `["ALL"]`.
    pub fn privileges<P: Into<String>>(&self, these: impl IntoIterator<Item = P>) -> Privileges<A> {
        Privileges::new(self.clone(), these)
    }

    /// The setting `name` of the whole server, as in `max_connections`.
    pub fn setting(&self, name: impl Into<String>) -> Setting<A> {
        Setting::new(self.clone(), name.into())
    }

    /// A query that only looks.
    pub fn query(&self, sql: impl Into<String>) -> Query<A> {
        Query::new(self.clone(), None, sql.into())
    }

    /// Checks that the server answers.
    ///
    /// # Errors
    /// When it does not: with what the client said.
    pub fn answers(&self) -> Result<()> {
        self.query("SELECT 1").gives("1")
    }

    /// What there is, as it was when this was last asked for, but for changes made since.
    fn facts(&self, patience: Patience) -> Result<Rc<Facts>, MysqlError> {
        let changes = self.access.context().changes();
        if let Some(facts) = self.seen.facts(changes) {
            return Ok(facts);
        }
        let said = client::ask(self.access, &self.server, facts::QUESTION, patience)?;
        let facts = Rc::new(Facts::parse(&said)?);
        self.seen.keep_facts(changes, &facts);
        Ok(facts)
    }

    fn fresh_facts(&self) -> Result<Rc<Facts>, MysqlError> {
        self.seen.forget();
        self.facts(Patience::None)
    }
}

impl Mysql<Host<'_>> {
    /// The one way to change something: what `look` finds to be done is shown, done, and looked for once more.
    fn ensure(&self, what: &str, look: impl Fn() -> Result<Change, MysqlError>) -> Result<Outcome, MysqlError> {
        let what = self.called(what);
        let change = match look() {
            Ok(change) => change,
            Err(error) => match error.why_not_yet().filter(|_| self.access.plans()) {
                Some(why) => return ensure(self.access, &what, Difference::Unknown(why), || Ok(())),
                None => return Err(error),
            },
        };
        change.write_debts_down(self.access).map_err(|source| MysqlError::Owe { what: what.clone(), source })?;
        let outcome = ensure(self.access, &what, change.difference(), || {
            let done = self.act(&what, &change, &look);
            self.seen.forget();
            match (done, look()) {
                // Also what a run before this one told the server, and was killed over, may come about meanwhile.
                (_, Ok(left)) if left.is_nothing() => Ok(()),
                (Err(error), _) => Err(error.at(&what)),
                (Ok(()), left) => Err(MysqlError::NotSo { what: what.clone(), left: left?.shown() }),
            }
        })?;
        self.seen.holds_after(self.access.context().changes());
        Ok(outcome)
    }

    /// What the server refuses, or takes for something else, leaves its configuration as it was, so that comes last.
    fn act(
        &self,
        what: &str,
        change: &Change,
        look: impl Fn() -> Result<Change, MysqlError>,
    ) -> Result<(), MysqlError> {
        client::act(self.access, &self.server, change)?;
        if change.file.is_some() && !change.sql.is_empty() {
            self.seen.forget();
            let left = look()?;
            if !left.sql.is_empty() {
                return Err(MysqlError::NotSo { what: what.to_owned(), left: left.shown() });
            }
        }
        change.write_file(self.access)
    }

    fn patience(&self) -> Patience {
        if self.access.plans() { Patience::None } else { Patience::UntilItStarted }
    }

    fn called(&self, what: &str) -> String {
        format!("MySQL {what}{}", self.server.place())
    }

    /// Whether an operation of this plan, called so, makes what is not there yet.
    fn comes(&self, what: &str) -> bool {
        self.access.plans() && self.access.comes(&self.called(what))
    }
}

#[cfg(test)]
mod tests;
