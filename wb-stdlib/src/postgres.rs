//! PostgreSQL: roles, databases, extensions, privileges and settings of a server on this host.
//!
//! The server is asked through `psql`, as the user `postgres`, over its Unix socket. What there is of roles, databases
//! and settings comes in one question, and is kept by a [`Postgres`] until something was changed: all operations of a
//! migration that find everything as it should be start one `psql`, and one more for each database that they look into.
//!
//! No password stands in a command line, a log or a report. The server gets a SCRAM-SHA-256 verifier, made here, and the
//! wanted password is compared with the verifier that it has. PostgreSQL 10 and later are known.

mod change;
mod database;
mod error;
mod extension;
mod facts;
mod grant;
mod psql;
mod query;
mod quoting;
mod role;
mod schema;
mod scram;
mod setting;

use std::path::PathBuf;
use std::rc::Rc;

use anyhow::Result;
use wb_core::context::Outcome;

use crate::ensure::{Difference, ensure};
use crate::look::Access as _;
use crate::{Host, Look};
use change::Change;
pub use database::Database;
pub use error::PostgresError;
pub use extension::Extension;
use facts::{Cluster, Inside, Seen};
pub use grant::Privileges;
use psql::{Patience, Server};
pub use query::Query;
pub use role::{Attribute, Role};
pub use schema::Schema;
pub use setting::Setting;

/// A PostgreSQL server of this host. [`Look::postgres`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn make_the_shop(host: &Host) -> Result<()> {
///     let password = host.step("password", |host| Ok(host.command("openssl rand -hex 16").output()?.text()))?;
///     let postgres = host.postgres();
///     postgres.role("shop").login().password(&password).present()?;
///     postgres.role("reports").login().present()?;
///     let shop = postgres.database("shop");
///     shop.clone().owner("shop").encoding("UTF8").present()?;
///     shop.extension("pg_trgm").present()?;
///     shop.privileges(["USAGE"]).on_schema("public").granted_to("reports")?;
///     shop.privileges(["SELECT"]).on_all_tables("public").granted_to("reports")?;
///     postgres.setting("max_connections").to("200").restarts(&host.service("postgresql")).set()?;
///     Ok(())
/// }
///
/// fn the_shop_has_its_database(host: &View) -> Result<()> {
///     host.postgres().database("shop").exists()?;
///     host.postgres().database("shop").query("SELECT count(*) > 0 FROM pg_tables").gives("t")
/// }
/// # wb_stdlib::testing::web1().rehearse(make_the_shop).asks(the_shop_has_its_database);
/// ```
#[must_use]
#[derive(Clone)]
pub struct Postgres<A> {
    access: A,
    server: Server,
    seen: Rc<Seen>,
}

impl<A: Look> Postgres<A> {
    pub(crate) fn new(access: A) -> Self {
        Self { access, server: Server::default(), seen: Rc::default() }
    }

    /// The one that listens at this port, from 1 to 65535, where there are several; otherwise the one at 5432.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn the_second_server_answers(host: &View) -> Result<()> {
    ///     host.postgres().port(5433).socket("/run/second").user("second").answers()
    /// }
    /// # wb_stdlib::testing::web1().user("second").answer("setpriv", 0, "1").sees(the_second_server_answers);
    /// ```
    pub fn port(mut self, port: u16) -> Self {
        self.server.port = Some(port);
        self.seen = Rc::default();
        self
    }

    /// Its socket lies in this directory; otherwise in that which `psql` was built for, as in `/var/run/postgresql`.
    pub fn socket(mut self, directory: impl Into<PathBuf>) -> Self {
        self.server.socket = Some(directory.into());
        self.seen = Rc::default();
        self
    }

    /// The user of this host, and superuser of the server, that asks; otherwise `postgres`.
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.server.user = name.into();
        self.seen = Rc::default();
        self
    }

    /// The role `name`: a user, or a group of users.
    pub fn role(&self, name: impl Into<String>) -> Role<A> {
        Role::new(self.clone(), name.into())
    }

    /// The database `name`.
    pub fn database(&self, name: impl Into<String>) -> Database<A> {
        Database::new(self.clone(), name.into())
    }

    /// The setting `name` of the whole server, as in `work_mem`.
    pub fn setting(&self, name: impl Into<String>) -> Setting<A> {
        Setting::new(self.clone(), name.into())
    }

    /// A query that only looks, in the database `postgres`.
    pub fn query(&self, sql: impl Into<String>) -> Query<A> {
        Query::new(self.clone(), "postgres".into(), sql.into())
    }

    /// Checks that the server answers.
    ///
    /// # Errors
    /// When it does not: with what `psql` said.
    pub fn answers(&self) -> Result<()> {
        self.query("SELECT 1").gives("1")
    }

    /// What there is, as it was when this was last asked for, but for changes made since.
    fn cluster(&self, patience: Patience) -> Result<Rc<Cluster>, PostgresError> {
        let changes = self.access.context().changes();
        if let Some(cluster) = self.seen.cluster(changes) {
            return Ok(cluster);
        }
        let said = self.ask("postgres", facts::CLUSTER, patience)?;
        let cluster = Rc::new(Cluster::parse(&said)?);
        self.seen.keep_cluster(changes, &cluster);
        Ok(cluster)
    }

    /// What there is in a database, as [`Postgres::cluster`].
    fn inside(&self, database: &str, patience: Patience) -> Result<Rc<Inside>, PostgresError> {
        let changes = self.access.context().changes();
        if let Some(inside) = self.seen.inside(changes, database) {
            return Ok(inside);
        }
        let said = self.ask(database, facts::INSIDE, patience)?;
        let inside = Rc::new(Inside::parse(&said)?);
        self.seen.keep_inside(changes, database, &inside);
        Ok(inside)
    }

    /// What there is now.
    fn fresh_cluster(&self) -> Result<Rc<Cluster>, PostgresError> {
        self.seen.forget();
        self.cluster(Patience::None)
    }

    fn ask(&self, database: &str, sql: &str, patience: Patience) -> Result<String, PostgresError> {
        psql::ask(self.access, &self.server, database, sql, patience)
    }
}

impl Postgres<Host<'_>> {
    /// The one way to change something: what `look` finds to be done is shown, done, and looked for once more.
    fn ensure(&self, what: &str, look: impl Fn() -> Result<Change, PostgresError>) -> Result<Outcome, PostgresError> {
        let what = format!("PostgreSQL {what}{}", self.server.place());
        let change = match look() {
            Ok(change) => change,
            Err(error) => match error.why_not_yet().filter(|_| self.access.plans()) {
                Some(why) => return ensure(self.access, &what, Difference::Unknown(why), || Ok(())),
                None => return Err(error),
            },
        };
        change.write_debts_down(self.access).map_err(|source| PostgresError::Owe { what: what.clone(), source })?;
        let outcome = ensure(self.access, &what, change.difference(), || {
            let said = psql::act(self.access, &self.server, &change);
            self.seen.forget();
            match (said, look()) {
                // Also what a run before this one told the server, and was killed over, may come about meanwhile.
                (_, Ok(left)) if left.is_nothing() => Ok(()),
                (Err(error), _) => Err(error.at(&what)),
                (Ok(()), left) => Err(PostgresError::NotSo { what: what.clone(), left: left?.shown() }),
            }
        })?;
        self.seen.holds_after(self.access.context().changes());
        Ok(outcome)
    }

    fn patience(&self) -> Patience {
        if self.access.plans() { Patience::None } else { Patience::UntilItStarted }
    }

    /// Whether an operation of this plan, called so, makes what is not there yet.
    fn comes(&self, what: &str) -> bool {
        let what = format!("PostgreSQL {what}{}", self.server.place());
        self.access.plans() && self.access.comes(&what)
    }

    /// The role is there, or will be.
    fn expect_role(&self, cluster: &Cluster, role: &str) -> Result<(), PostgresError> {
        let there = cluster.role(role).is_some() || self.comes(&role::called(role));
        if there { Ok(()) } else { Err(PostgresError::NoSuchRole { role: role.to_owned() }) }
    }

    /// The database is there. One that only comes can't be looked into.
    fn expect_database(&self, cluster: &Cluster, database: &str) -> Result<(), PostgresError> {
        match cluster.database(database) {
            Some(_) => Ok(()),
            None => Err(PostgresError::NoSuchDatabase { database: database.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests;
