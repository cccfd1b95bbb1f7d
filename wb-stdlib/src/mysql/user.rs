//! Users.

use anyhow::Result;
use wb_core::context::Outcome;

use super::change::Change;
use super::facts::{Facts, UserFacts, Version};
use super::hash;
use super::{Mysql, MysqlError, quoting};
use crate::{Host, Look};

const NATIVE: &str = "mysql_native_password";
const CACHING: &str = "caching_sha2_password";

/// How a user proves who they are.
#[derive(Clone, PartialEq, Eq)]
enum Authentication {
    Password(String),
    Hash(String),
    Socket,
    Plugin { name: String, hash: String },
}

/// A user, and where they come from. [`Mysql::user`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn users(host: &Host, hash: &str) -> Result<()> {
///     let mysql = host.mysql();
///     mysql.user("backup", "localhost").socket_login().present()?; // the user `backup` of this host
///     mysql.user("shop", "10.%").password_hash("*14E65567ABDB5135D0CFD9A70B3032C179A49EE7").present()?;
///     mysql.user("anna", "192.0.2.7").authenticated_by("ed25519", hash).present()?;
///     mysql.user("old_shop", "%").absent()?;
///     Ok(())
/// }
///
/// fn the_shop_is_known(host: &View) -> Result<()> {
///     host.mysql().user("shop", "10.%").exists()
/// }
/// # let hash = "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY";
/// # wb_stdlib::testing::web1().rehearse(|host| users(host, hash)).asks(the_shop_is_known);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct User<A> {
    mysql: Mysql<A>,
    name: String,
    host: String,
    authentication: Option<Authentication>,
}

impl<A: Look> User<A> {
    pub(super) fn new(mysql: Mysql<A>, name: String, host: String) -> Self {
        Self { mysql, name, host, authentication: None }
    }

    /// Checks that there is such a user.
    ///
    /// # Errors
    /// When there is none, or the server does not answer.
    pub fn exists(&self) -> Result<()> {
        let there = self.mysql.fresh_facts()?.user(&self.name, &self.host).is_some();
        anyhow::ensure!(there, "expected the MySQL user {}, found none", quoting::account(&self.name, &self.host));
        Ok(())
    }
}

impl User<Host<'_>> {
    /// They have this password. The server never sees it: it gets a hash, as MySQL 8 and later make it for themselves
    /// (`caching_sha2_password`), and as MariaDB and older servers do (`mysql_native_password`).
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.authentication = Some(Authentication::Password(password.into()));
        self
    }

    /// The hash of their password, as `mysql.user` has it: `*94BD…` or `$A$005$…`.
    pub fn password_hash(mut self, hash: impl Into<String>) -> Self {
        self.authentication = Some(Authentication::Hash(hash.into()));
        self
    }

    /// They have no password: whoever is the user of that name on this host, and comes by the socket, is let in.
    pub fn socket_login(mut self) -> Self {
        self.authentication = Some(Authentication::Socket);
        self
    }

    /// They prove who they are in another way: `.authenticated_by("ed25519", hash)`.
    pub fn authenticated_by(mut self, plugin: impl Into<String>, hash: impl Into<String>) -> Self {
        self.authentication = Some(Authentication::Plugin { name: plugin.into(), hash: hash.into() });
        self
    }

    /// There is such a user, with what was said of them.
    ///
    /// # Errors
    /// When the server does not answer or refuses, and when the user is new and nothing says how they prove who they are.
    pub fn present(self) -> Result<Outcome, MysqlError> {
        check(&self.name, &self.host)?;
        self.check_authentication()?;
        let salt = wb_core::system::random().map_err(MysqlError::Salt)?;
        self.mysql.ensure(&called(&self.name, &self.host), || {
            let facts = self.mysql.facts(self.mysql.patience())?;
            change(&facts, &self.name, &self.host, self.authentication.as_ref(), &salt)
        })
    }

    /// There is no such user.
    ///
    /// # Errors
    /// When the server does not answer, or refuses.
    pub fn absent(self) -> Result<Outcome, MysqlError> {
        check(&self.name, &self.host)?;
        let account = quoting::account(&self.name, &self.host);
        self.mysql.ensure(&format!("user {account} absent"), || {
            let mut change = Change::default();
            if self.mysql.facts(self.mysql.patience())?.user(&self.name, &self.host).is_some() {
                change.add("user dropped", format!("DROP USER {account};"));
            }
            Ok(change)
        })
    }

    fn check_authentication(&self) -> Result<(), MysqlError> {
        let is_line = |text: &str| !text.contains(char::is_control);
        let good = match &self.authentication {
            None | Some(Authentication::Socket) => true,
            Some(Authentication::Password(password)) => !password.is_empty() && !password.contains('\0'),
            Some(Authentication::Hash(hash)) => hash::is_native(hash) || hash::is_caching(hash),
            Some(Authentication::Plugin { name, hash }) => {
                is_line(hash) && !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            }
        };
        if good { Ok(()) } else { Err(MysqlError::BadHash { account: quoting::account(&self.name, &self.host) }) }
    }
}

/// What the operation is called that makes a user.
pub(super) fn called(name: &str, host: &str) -> String {
    format!("user {} present", quoting::account(name, host))
}

pub(super) fn check(name: &str, host: &str) -> Result<(), MysqlError> {
    if !quoting::is_name(name, 80) {
        return Err(MysqlError::BadName { kind: "user", name: name.to_owned(), hint: "names have 1 to 80 characters" });
    }
    if !quoting::is_name(host, 255) {
        let hint = "where users come from is `localhost`, an address, or a pattern like `10.%`";
        return Err(MysqlError::BadName { kind: "host", name: host.to_owned(), hint });
    }
    Ok(())
}

fn change(
    facts: &Facts,
    name: &str,
    host: &str,
    authentication: Option<&Authentication>,
    salt: &[u8; 20],
) -> Result<Change, MysqlError> {
    let account = quoting::account(name, host);
    let mut change = Change::default();
    let found = facts.user(name, host);
    match (found, authentication) {
        (None, None) => return Err(MysqlError::NoAuthentication { account }),
        (Some(_), None) => {}
        (Some(found), Some(wanted)) if wanted.fits(found, facts.version) => {}
        (_, Some(wanted)) => {
            let (plugin, hash) = wanted.made(facts.version, salt);
            let verb = if found.is_some() { "ALTER" } else { "CREATE" };
            change
                .add(line(found, &plugin), format!("{verb} USER {account} {};", clause(facts.version, &plugin, &hash)));
            change.secret = Some(hash).filter(|hash| !hash.is_empty());
        }
    }
    Ok(change)
}

fn line(found: Option<&UserFacts>, plugin: &str) -> String {
    match found {
        None => format!("new user, by {plugin}"),
        Some(found) if found.plugin == plugin => "password differs; it is not shown".into(),
        Some(found) => format!("{} -> {plugin}", found.plugin),
    }
}

/// As the two say it.
fn clause(version: Version, plugin: &str, hash: &str) -> String {
    let (with, by) = if version.is_mariadb { ("VIA", "USING") } else { ("WITH", "AS") };
    match hash {
        "" => format!("IDENTIFIED {with} {plugin}"),
        hash => format!("IDENTIFIED {with} {plugin} {by} {}", quoting::text(hash)),
    }
}

impl Authentication {
    fn fits(&self, found: &UserFacts, version: Version) -> bool {
        match self {
            Self::Password(password) if found.plugin == CACHING => hash::is_caching_of(password, &found.hash),
            Self::Password(password) => found.plugin == NATIVE && found.hash == hash::native(password).as_bytes(),
            // That is hex; the other one is not.
            Self::Hash(hash) if hash::is_native(hash) => {
                found.plugin == NATIVE && found.hash.eq_ignore_ascii_case(hash.as_bytes())
            }
            Self::Hash(hash) => found.plugin == CACHING && found.hash == hash.as_bytes(),
            Self::Socket => found.plugin == socket_plugin(version),
            Self::Plugin { name, hash } => found.plugin == *name && found.hash == hash.as_bytes(),
        }
    }

    /// The plugin, and what it keeps.
    fn made(&self, version: Version, salt: &[u8; 20]) -> (String, String) {
        match self {
            Self::Password(password) if !version.is_mariadb && version.major >= 8 => {
                (CACHING.into(), hash::caching(password, salt))
            }
            Self::Password(password) => (NATIVE.into(), hash::native(password)),
            Self::Hash(hash) => (plugin_of(hash).into(), hash.clone()),
            Self::Socket => (socket_plugin(version).into(), String::new()),
            Self::Plugin { name, hash } => (name.clone(), hash.clone()),
        }
    }
}

fn plugin_of(hash: &str) -> &'static str {
    if hash::is_native(hash) { NATIVE } else { CACHING }
}

fn socket_plugin(version: Version) -> &'static str {
    if version.is_mariadb { "unix_socket" } else { "auth_socket" }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARIADB: Version = Version { is_mariadb: true, major: 10 };
    const MYSQL: Version = Version { is_mariadb: false, major: 8 };
    const SECRET: &str = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7";

    fn with(version: Version, plugin: &str, hash: &str) -> Facts {
        let (name, host, plugin, hash) = ("app".into(), "10.%".into(), plugin.into(), hash.into());
        Facts { version, users: vec![UserFacts { name, host, plugin, hash }], ..Facts::default() }
    }

    fn none(version: Version) -> Facts {
        Facts { version, ..Facts::default() }
    }

    fn check(facts: &Facts, wanted: &Authentication, lines: &[&str], sql: &[&str]) {
        let change = change(facts, "app", "10.%", Some(wanted), &[0; 20]).unwrap();
        assert_eq!(change.lines, lines);
        assert_eq!(change.sql, sql);
    }

    #[test]
    fn a_user_is_made_as_each_server_has_it() {
        let hash = Authentication::Hash(SECRET.into());
        let sql = format!("CREATE USER 'app'@'10.%' IDENTIFIED VIA mysql_native_password USING '{SECRET}';");
        check(&none(MARIADB), &hash, &["new user, by mysql_native_password"], &[&sql]);
        let sql = format!("CREATE USER 'app'@'10.%' IDENTIFIED WITH mysql_native_password AS '{SECRET}';");
        check(&none(MYSQL), &hash, &["new user, by mysql_native_password"], &[&sql]);
        let sql = "CREATE USER 'app'@'10.%' IDENTIFIED VIA unix_socket;";
        check(&none(MARIADB), &Authentication::Socket, &["new user, by unix_socket"], &[sql]);
        let sql = "CREATE USER 'app'@'10.%' IDENTIFIED WITH auth_socket;";
        check(&none(MYSQL), &Authentication::Socket, &["new user, by auth_socket"], &[sql]);
    }

    #[test]
    fn a_password_becomes_the_hash_of_its_server_and_is_known_again() {
        let password = Authentication::Password("secret".into());
        check(&with(MARIADB, NATIVE, SECRET), &password, &[], &[]);
        let sql = format!("ALTER USER 'app'@'10.%' IDENTIFIED VIA mysql_native_password USING '{SECRET}';");
        check(&with(MARIADB, NATIVE, "*94BD"), &password, &["password differs; it is not shown"], &[&sql]);
        check(&with(MARIADB, "unix_socket", ""), &password, &["unix_socket -> mysql_native_password"], &[&sql]);
        let made = change(&none(MYSQL), "app", "10.%", Some(&password), &[7; 20]).unwrap();
        assert_eq!(made.lines, ["new user, by caching_sha2_password"]);
        check(&with(MYSQL, CACHING, &made.secret.unwrap()), &password, &[], &[]);
    }

    #[test]
    fn a_hash_of_mysql_8_is_known_again_to_the_letter() {
        let made = hash::caching("secret", &[7; 20]);
        let wanted = Authentication::Hash(made.clone());
        check(&with(MYSQL, CACHING, &made), &wanted, &[], &[]);
        let sql = format!("ALTER USER 'app'@'10.%' IDENTIFIED WITH caching_sha2_password AS '{made}';");
        let other = made.to_ascii_lowercase();
        check(&with(MYSQL, CACHING, &other), &wanted, &["password differs; it is not shown"], &[&sql]);
        check(&with(MYSQL, NATIVE, SECRET), &wanted, &["mysql_native_password -> caching_sha2_password"], &[&sql]);
        let native = Authentication::Hash(SECRET.to_ascii_lowercase());
        check(&with(MYSQL, NATIVE, SECRET), &native, &[], &[]);
    }

    #[test]
    fn mysql_5_has_hashes_of_the_older_kind() {
        let (old, password) = (Version { is_mariadb: false, major: 5 }, Authentication::Password("secret".into()));
        let sql = format!("CREATE USER 'app'@'10.%' IDENTIFIED WITH mysql_native_password AS '{SECRET}';");
        check(&none(old), &password, &["new user, by mysql_native_password"], &[&sql]);
        check(&with(old, NATIVE, SECRET), &password, &[], &[]);
    }

    #[test]
    fn what_nobody_said_stays_but_nobody_new_comes_without_it() {
        assert!(change(&with(MARIADB, NATIVE, SECRET), "app", "10.%", None, &[0; 20]).unwrap().is_nothing());
        let error = change(&none(MARIADB), "app", "10.%", None, &[0; 20]).unwrap_err();
        assert!(matches!(error, MysqlError::NoAuthentication { .. }), "{error}");
    }

    #[test]
    fn another_plugin_is_taken_as_it_is() {
        let wanted = Authentication::Plugin {
            name: "ed25519".into(),
            hash: "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY".into(),
        };
        let sql =
            "CREATE USER 'app'@'10.%' IDENTIFIED VIA ed25519 USING 'ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY';";
        check(&none(MARIADB), &wanted, &["new user, by ed25519"], &[sql]);
        check(&with(MARIADB, "ed25519", "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY"), &wanted, &[], &[]);
    }
}
