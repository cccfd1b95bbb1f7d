//! What a server says of itself: one question for users, databases and settings.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::MysqlError;
use super::hash::unhex;
use super::privileges::Grant;

/// Asks for [`Facts`]. What may have any characters comes in hex.
pub(super) const QUESTION: &str = "
SELECT '#version', VERSION();
SELECT '#user', HEX(User), HEX(Host), HEX(plugin), HEX(authentication_string) FROM mysql.user;
SELECT '#database', HEX(SCHEMA_NAME), DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA;
SHOW GLOBAL VARIABLES;
";

/// What there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) version: Version,
    pub(super) users: Vec<UserFacts>,
    pub(super) databases: Vec<DatabaseFacts>,
    pub(super) settings: BTreeMap<String, String>,
}

/// Whose server it is, and which one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) is_mariadb: bool,
    pub(super) major: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct UserFacts {
    pub(super) name: String,
    pub(super) host: String,
    /// How they prove who they are.
    pub(super) plugin: String,
    pub(super) hash: Vec<u8>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct DatabaseFacts {
    pub(super) name: String,
    pub(super) charset: String,
    pub(super) collation: String,
}

impl Facts {
    /// Reads lines of columns. Those of `SHOW GLOBAL VARIABLES` have no mark in front.
    pub(super) fn parse(said: &str) -> Result<Self, MysqlError> {
        let mut facts = Self::default();
        for line in said.lines() {
            let columns: Vec<&str> = line.split('\t').collect();
            let misread = || MysqlError::Misread { said: columns[0].to_owned() };
            match columns[..] {
                ["#version", version] => facts.version = Version::parse(version),
                ["#user", name, host, plugin, hash] => facts.users.push(UserFacts {
                    name: text(name).ok_or_else(misread)?,
                    host: text(host).ok_or_else(misread)?,
                    plugin: text(plugin).unwrap_or_default(),
                    hash: unhex(hash).unwrap_or_default(),
                }),
                ["#database", name, charset, collation] => facts.databases.push(DatabaseFacts {
                    name: text(name).ok_or_else(misread)?,
                    charset: charset.to_owned(),
                    collation: collation.to_owned(),
                }),
                [name, ..] if name.starts_with('#') => return Err(misread()),
                [name, value] => drop(facts.settings.insert(name.to_ascii_lowercase(), value.to_owned())),
                // A value of many lines, or of columns: none of those that can be set here.
                _ => {}
            }
        }
        match facts.version {
            Version { major: 0, .. } => Err(MysqlError::Misread { said: "it has no version".into() }),
            _ => Ok(facts),
        }
    }

    /// Names are as they are written, hosts are in any case.
    pub(super) fn user(&self, name: &str, host: &str) -> Option<&UserFacts> {
        self.users.iter().find(|user| user.name == name && user.host.eq_ignore_ascii_case(host))
    }

    pub(super) fn database(&self, name: &str) -> Option<&DatabaseFacts> {
        self.databases.iter().find(|database| database.name == name)
    }
}

fn text(hex: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&unhex(hex)?).into_owned())
}

impl Version {
    /// Reads `10.11.6-MariaDB-0+deb12u1`, `8.0.36-0ubuntu0.22.04.1`, and `5.5.5-10.11.6-MariaDB`, as some say.
    fn parse(text: &str) -> Self {
        let is_mariadb = text.contains("MariaDB");
        let text = if is_mariadb { text.strip_prefix("5.5.5-").unwrap_or(text) } else { text };
        let major = text.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
        Self { is_mariadb, major }
    }
}

/// What was seen, for as long as nothing has changed since: neither by an operation of this room nor by any other.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// How many operations of the run had changed something then.
    changes: Cell<usize>,
    facts: RefCell<Option<Rc<Facts>>>,
    grants: RefCell<BTreeMap<String, Rc<Vec<Grant>>>>,
}

impl Seen {
    pub(super) fn forget(&self) {
        self.facts.replace(None);
        self.grants.take();
    }

    /// What was seen after a change of ours is not out of date by it.
    pub(super) fn holds_after(&self, changes: usize) {
        self.changes.set(changes);
    }

    pub(super) fn facts(&self, changes: usize) -> Option<Rc<Facts>> {
        self.as_of(changes);
        self.facts.borrow().clone()
    }

    pub(super) fn keep_facts(&self, changes: usize, facts: &Rc<Facts>) {
        self.as_of(changes);
        self.facts.replace(Some(Rc::clone(facts)));
    }

    pub(super) fn grants(&self, changes: usize, account: &str) -> Option<Rc<Vec<Grant>>> {
        self.as_of(changes);
        self.grants.borrow().get(account).cloned()
    }

    pub(super) fn keep_grants(&self, changes: usize, account: &str, grants: &Rc<Vec<Grant>>) {
        self.as_of(changes);
        self.grants.borrow_mut().insert(account.to_owned(), Rc::clone(grants));
    }

    fn as_of(&self, changes: usize) {
        if self.changes.replace(changes) != changes {
            self.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mysql::hash::hex;

    /// As MariaDB 10.11 of Debian 12 says it: `root`, `app` of `10.%` with the password `secret`, and a setting of lines.
    const MARIADB: &str = "#version\t10.11.6-MariaDB-0+deb12u1\n\
        #user\t726F6F74\t6C6F63616C686F7374\t756E69785F736F636B6574\t\n\
        #user\t617070\t31302E25\t6D7973716C5F6E61746976655F70617373776F7264\t2A31344536\n\
        #user\t726F6C65\t\tNULL\tNULL\n\
        #database\t6D7973716C\tutf8mb4\tutf8mb4_general_ci\n\
        #database\t73686F70\tlatin1\tlatin1_swedish_ci\n\
        ft_boolean_syntax\t+ -><()~*:\"\"&|\ninit_connect\tSET a = 1;\nSET b = 2;\nmax_connections\t151\nversion\t10.11.6\n";

    #[test]
    fn what_a_server_says_is_read() {
        let facts = Facts::parse(MARIADB).unwrap();
        assert_eq!(facts.version, Version { is_mariadb: true, major: 10 });
        let app = facts.user("app", "10.%").unwrap();
        assert_eq!((app.plugin.as_str(), app.hash.as_slice()), ("mysql_native_password", &b"*14E6"[..]));
        assert_eq!(facts.user("root", "LOCALHOST").unwrap().plugin, "unix_socket");
        assert_eq!(facts.user("app", "localhost"), None);
        assert_eq!(facts.database("shop").unwrap().charset, "latin1");
        assert_eq!(facts.settings["max_connections"], "151");
    }

    /// A user, where they come from, their plugin, and what it keeps.
    type User<'a> = (&'a str, &'a str, &'a str, &'a [u8]);

    fn said(version: &str, users: &[User<'_>], rest: &str) -> String {
        let line = |(name, host, plugin, kept): &User<'_>| {
            let columns = [name.as_bytes(), host.as_bytes(), plugin.as_bytes(), *kept].map(hex);
            format!("#user\t{}\n", columns.join("\t"))
        };
        format!("#version\t{version}\n{}{rest}", users.iter().map(line).collect::<String>())
    }

    /// Of the shape that MySQL 8.0 has: a hash whose salt is any bytes, an account that nobody can use, a role, which is a user.
    #[test]
    fn what_mysql_8_says_is_read() {
        let kept = [&b"$A$005$"[..], b"\t\n\r\x1b'\"\\`0123456789ab", &[b'x'; 43]].concat();
        let locked = b"$A$005$THISISACOMBINATIONOFINVALIDSALTANDPASSWORDTHATMUSTNEVERBRBEUSED";
        let users: [User<'_>; 4] = [
            ("mysql.infoschema", "localhost", "caching_sha2_password", locked),
            ("root", "localhost", "auth_socket", b""),
            ("app", "10.%", "caching_sha2_password", &kept),
            ("readers", "%", "caching_sha2_password", b""),
        ];
        let rest = "#database\t73686F70\tutf8mb4\tutf8mb4_0900_ai_ci\nauthentication_policy\t*,,\n\
                    ft_boolean_syntax\t+ -><()~*:\"\"&|\nmax_connections\t151\nversion_comment\t(Ubuntu)\n";
        let facts = Facts::parse(&said("8.0.36-0ubuntu0.22.04.1", &users, rest)).unwrap();
        assert_eq!(facts.version, Version { is_mariadb: false, major: 8 });
        let app = facts.user("app", "10.%").unwrap();
        assert_eq!((app.plugin.as_str(), &app.hash), ("caching_sha2_password", &kept));
        assert_eq!(facts.user("root", "localhost").unwrap().plugin, "auth_socket");
        assert!(facts.user("readers", "%").unwrap().hash.is_empty());
        assert_eq!(facts.users.len(), 4);
        assert_eq!(facts.database("shop").unwrap().collation, "utf8mb4_0900_ai_ci");
        assert_eq!([&facts.settings["max_connections"], &facts.settings["version_comment"]], ["151", "(Ubuntu)"]);
    }

    #[test]
    fn what_mysql_5_says_is_read() {
        let hash = b"*14E65567ABDB5135D0CFD9A70B3032C179A49EE7";
        let users: [User<'_>; 2] =
            [("root", "localhost", "auth_socket", b""), ("app", "10.%", "mysql_native_password", hash)];
        let rest = "#database\t73686F70\tlatin1\tlatin1_swedish_ci\nquery_cache_size\t1048576\nsecure_auth\tON\n";
        let facts = Facts::parse(&said("5.7.44-log", &users, rest)).unwrap();
        assert_eq!(facts.version, Version { is_mariadb: false, major: 5 });
        assert_eq!(facts.user("app", "10.%").unwrap().hash, hash);
        assert_eq!(facts.settings["query_cache_size"], "1048576");
    }

    #[test]
    fn versions_say_whose_they_are() {
        let check = |text: &str, is_mariadb, major| assert_eq!(Version::parse(text), Version { is_mariadb, major });
        check("11.4.2-MariaDB", true, 11);
        check("5.5.5-10.5.23-MariaDB-log", true, 10);
        check("8.0.36-0ubuntu0.22.04.1", false, 8);
        check("9.1.0", false, 9);
        check("5.7.44-log", false, 5);
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for said in ["", "something\telse\n", "#version\tx\n", "#version\t8.0\n#user\tzz\t\t\t\n"] {
            assert!(matches!(Facts::parse(said), Err(MysqlError::Misread { .. })), "{said}");
        }
    }
}
