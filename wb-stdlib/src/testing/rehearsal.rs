//! How the examples of this documentation are run: planned on a fake host, and their specs asked of it.
//!
//! What only a run finds wrong in an example is found here, and an example that would change nothing shows nothing. This
//! is not for people: their migrations have names, and are planned and run by them.

use anyhow::{Error, Result};
use wb_core::chain::{Digest, Link, Sha1};
use wb_core::context::{Context, Mode, Operation, Outcome};
use wb_core::runner::Catalog;
use wb_core::system::files;

use super::{FakeHost, in_time, must, paying};
use crate::{Host, View};

/// Directories that examples take for granted.
const DIRECTORIES: [&str; 22] = [
    "/etc/default/grub.d",
    "/etc/docker",
    "/etc/haproxy",
    "/etc/keepalived",
    "/etc/mysql/mariadb.conf.d",
    "/etc/nginx/conf.d",
    "/etc/nginx/sites-enabled",
    "/etc/postgresql/15/main/conf.d",
    "/etc/security/limits.d",
    "/etc/shop",
    "/etc/ssl/private",
    "/etc/sudoers.d",
    "/etc/systemd/system",
    "/home/backup",
    "/home/deploy",
    "/opt",
    "/srv/shop",
    "/usr/bin",
    "/usr/local/share/ca-certificates",
    "/usr/sbin",
    "/var/spool/cron/crontabs",
    "/var/www",
];

/// Files that examples take for granted.
const FILES: [(&str, &str); 3] =
    [("/bin/bash", ""), ("/usr/sbin/nologin", ""), ("/etc/ssh/sshd_config", "PermitRootLogin yes\n")];

const USERS: [&str; 5] = ["backup", "deploy", "postgres", "shop", "www-data"];
const GROUPS: [&str; 5] = ["docker", "ops", "ssl-cert", "staff", "sudo"];
const SERVICES: [&str; 5] = ["cron", "mariadb", "nginx", "postgresql", "shop"];

/// What its repositories have.
const OFFERED: [(&str, &str); 16] = [
    ("ca-certificates", "20230311+deb12u1"),
    ("curl", "7.88.1-10"),
    ("git", "1:2.39.5-0+deb12u2"),
    ("libssl3", "3.0.16-1"),
    ("locales", "2.36-9"),
    ("nftables", "1.0.6-2"),
    ("nginx", "1.22.1-9"),
    ("openssl", "3.0.16-1"),
    ("pgbouncer", "1.24.1-1"),
    ("postfix", "3.7.11-0"),
    ("postgresql-15", "15.8-0+deb12u1"),
    ("postgresql-contrib", "15+248"),
    ("ssl-cert", "1.1.2"),
    ("sudo", "1.9.13p3-1"),
    ("ufw", "0.36.2-1"),
    ("vim", "2:9.0.1378-2"),
];

const SETTINGS: &str = r#"{
    "network": {"hostname": "web1.example.org"},
    "site": {"hostname": "shop.example.org"},
    "backend": {"port": 8080}
}"#;

/// What a server of PostgreSQL says of itself that nobody has made anything in.
const POSTGRES: &str = r#"{
    "version": 150013,
    "roles": [{"name": "postgres"}],
    "databases": [{"name": "postgres"}],
    "settings": [
        {"name": "log_min_duration_statement", "context": "superuser"},
        {"name": "max_connections", "context": "postmaster"},
        {"name": "shared_preload_libraries", "context": "postmaster"},
        {"name": "work_mem", "context": "user"}
    ]
}"#;

/// What a server of MariaDB says of itself that nobody has made anything in.
const MYSQL: &str = "#version\t10.11.6-MariaDB-0+deb12u1\nmax_connections\t151\nmax_allowed_packet\t16777216\n\
                     innodb_log_file_size\t100663296\nslow_query_log\tOFF\n";

/// The files of a SELinux that only warns.
const SELINUX: [(&str, &str); 4] = [
    ("/etc/selinux/config", "SELINUX=permissive\nSELINUXTYPE=targeted\n"),
    ("/sys/fs/selinux/enforce", "0"),
    ("/sys/fs/selinux/booleans/httpd_can_network_connect", "0 0"),
    ("/sys/fs/selinux/booleans/httpd_can_sendmail", "1 1"),
];

/// The host of most examples: a Debian that serves a shop, with init scripts, and servers as they were installed.
#[doc(hidden)]
pub fn web1() -> FakeHost {
    let host = FakeHost::new("web1", &["web"]).address("192.0.2.11").settings(SETTINGS);
    let host = host.with_other("db1", &["database"], "192.0.2.21").with_other("web2", &["web"], "192.0.2.12");
    let host = host.settings_of("db1", r#"{"postgres": {"port": 5432}}"#);
    let host = host.settings_of("web2", r#"{"backend": {"port": 8080}}"#);
    let host = DIRECTORIES.iter().fold(host, |host, path| host.directory(path));
    let host = FILES.iter().fold(host, |host, (path, text)| host.file(path, text));
    let host = USERS.iter().fold(host, |host, name| host.user(name));
    let host = GROUPS.iter().fold(host, |host, name| host.group(name));
    let host = SERVICES.iter().fold(host, |host, name| host.service(name));
    OFFERED.iter().fold(host, |host, (name, version)| host.offers(name, version)).with_servers()
}

/// The same one as a Fedora, with SELinux.
#[doc(hidden)]
pub fn fedora() -> FakeHost {
    let host = web1().file("/var/lib/dpkg/status", "").file("/etc/os-release", "ID=fedora\n");
    let host = SELINUX.iter().fold(host, |host, (path, text)| host.file(path, text));
    let host = host.directory("/etc/selinux/targeted/contexts/files");
    host.answer("rpm", 0, "package docker-ce is not installed\n")
}

impl FakeHost {
    /// What an example would do.
    #[doc(hidden)]
    #[must_use]
    pub fn planned<T>(&self, example: impl FnOnce(&Host) -> Result<T>) -> Vec<Operation> {
        self.gone_through(example).0
    }

    /// Plans an example, which is to change something.
    #[doc(hidden)]
    pub fn rehearse<T>(&self, example: impl FnOnce(&Host) -> Result<T>) -> &Self {
        let operations = self.planned(example);
        let shows = |operation: &Operation| operation.outcome != Outcome::Unchanged;
        assert!(operations.iter().any(shows), "the example would change nothing:\n{}", listed(&operations));
        self
    }

    /// What an example gives that only looks.
    #[doc(hidden)]
    pub fn finds<T>(&self, example: impl FnOnce(&Host) -> Result<T>) -> T {
        let (operations, found) = self.gone_through(example);
        assert!(operations.is_empty(), "the example is to look, and would do this:\n{}", listed(&operations));
        found
    }

    /// Asks a spec: whether it holds or not, it is to tell.
    #[doc(hidden)]
    pub fn asks<T>(&self, spec: impl FnOnce(&View) -> Result<T>) -> &Self {
        if let Err(error) = self.asked(spec) {
            assert!(is_verdict(&error), "the spec does not come to a verdict: {error:#}");
        }
        self
    }

    /// What a spec gives that holds.
    #[doc(hidden)]
    pub fn sees<T>(&self, spec: impl FnOnce(&View) -> Result<T>) -> T {
        self.asked(spec).unwrap_or_else(|error| panic!("the spec does not hold: {error:#}"))
    }

    fn gone_through<T>(&self, example: impl FnOnce(&Host) -> Result<T>) -> (Vec<Operation>, T) {
        let catalog = must(Catalog::new([], [], []));
        let link = Link::new("an example", Sha1::from_bytes([1; 20]), "", Digest::of(b""));
        let ran = self.attempt(Mode::Plan, &catalog, &link, |context| paying(context, example));
        let found = ran.result.unwrap_or_else(|error| panic!("the example fails: {error:#}"));
        (ran.operations, found)
    }

    fn asked<T>(&self, spec: impl FnOnce(&View) -> Result<T>) -> Result<T> {
        let context = Context::new(&self.system, Mode::Apply, &self.herd, self.own_journal());
        in_time(|| spec(&View::new(&context)))
    }

    /// A group that nobody is in by name. Files can be given to it: its number is that of who runs the test.
    fn group(self, name: &str) -> Self {
        let (_, gid) = self.tester();
        let groups = self.read("/etc/group").unwrap_or_default() + &format!("{name}:x:{gid}:\n");
        self.file("/etc/group", &groups)
    }

    /// Servers of databases, and a program that gives the same password each time.
    fn with_servers(self) -> Self {
        let (uid, gid) = self.tester();
        let psql = format!("setpriv --reuid={uid} --regid={gid} --init-groups -- psql -X");
        self.answer(&psql, 0, POSTGRES).answer("mysql ", 0, MYSQL).answer("openssl rand", 0, "4be1d2c07a93\n")
    }

    /// The numbers of who runs the test, and of their group: all users of the host have them.
    fn tester(&self) -> (u32, u32) {
        must(files::stat(self.path("/"))).map_or((0, 0), |me| (me.uid, me.gid))
    }
}

/// Whether an error is what a spec says of the host, and not that something could not be looked at: this has a type, or a
/// cause that has one.
fn is_verdict(error: &Error) -> bool {
    error.chain().count() == 1 && (error.is::<String>() || error.is::<&'static str>())
}

fn listed(operations: &[Operation]) -> String {
    operations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
