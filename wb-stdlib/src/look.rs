//! What a host and a view of it have in common.

use std::path::Path;

use serde::de::DeserializeOwned;
use wb_core::context::Context;

use crate::alerts::Alerts;
use crate::alternative::Alternative;
use crate::apk_key::ApkKey;
use crate::apk_repository::ApkRepository;
use crate::apt_repository::AptRepository;
use crate::authorized_keys::AuthorizedKeys;
use crate::certificate::Certificate;
use crate::command::Command;
use crate::cron::{CronEntry, Crontab};
use crate::debconf::Debconf;
use crate::directory::Directory;
use crate::diversion::Diversion;
use crate::edit::Edit;
use crate::facts::Facts;
use crate::file::File;
use crate::firewalld::Firewalld;
use crate::group::Group;
use crate::health_file::HealthFile;
use crate::herd::{Herd, HerdError, Settings};
use crate::hostname::Hostname;
use crate::hosts::HostsEntry;
use crate::http::Request;
use crate::keepalived::TrackFile;
use crate::kernel_module::KernelModule;
use crate::limits::Limits;
use crate::link::Link;
use crate::locale::Locale;
use crate::mount::Mount;
use crate::mysql::Mysql;
use crate::nftables::Nftables;
use crate::nginx::Upstream;
use crate::packages::Package;
use crate::pacman_key::PacmanKey;
use crate::pacman_repository::PacmanRepository;
use crate::port::Port;
use crate::postgres::Postgres;
use crate::process::Process;
use crate::rpm_key::RpmKey;
use crate::rpm_repository::RpmRepository;
use crate::selinux::Selinux;
use crate::service::Service;
use crate::sudoers::Sudoers;
use crate::swap::Swap;
use crate::sysctl::Sysctl;
use crate::timezone::Timezone;
use crate::trust_anchor::TrustAnchor;
use crate::ufw::Ufw;
use crate::unit::Unit;
use crate::user::User;

/// Looking at a host. [`Host`](crate::Host) and [`View`](crate::View) can do all of this, and nothing here changes the
/// host.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn accepts_connections(host: &View) -> Result<()> {
///     host.service("postgresql").is_running()?;
///     host.port(5432).is_listening()?;
///     host.command("pg_isready").arg(format!("--host={}", host.address()?)).succeeds()
/// }
/// # wb_stdlib::testing::web1().asks(accepts_connections);
/// ```
pub trait Look: Access + Copy {
    /// The host's name in `herd.toml`.
    fn name(&self) -> &str {
        &self.context().herd().me
    }

    /// Where other hosts reach this one: an IP address or a name.
    ///
    /// # Errors
    /// When `herd.toml` does not say.
    fn address(&self) -> Result<&str, HerdError> {
        self.herd().host(self.name()).ok_or_else(|| HerdError::no_address(self.name()))?.address()
    }

    /// All hosts, by role, with their addresses.
    fn herd(&self) -> Herd<'_> {
        Herd::new(self.context().herd())
    }

    /// This host's value at `path` in its `settings` of `herd.toml`, as in `network.hostname`.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn hostname(host: &Host) -> Result<String> {
    ///     Ok(host.settings_value("network.hostname")?)
    /// }
    /// # assert_eq!(wb_stdlib::testing::web1().finds(hostname), "web1.example.org");
    /// ```
    ///
    /// # Errors
    /// When there is no such value, or it is of another type.
    fn settings_value<T: DeserializeOwned>(&self, path: &str) -> Result<T, HerdError> {
        let no_setting = || HerdError::NoSetting { host: self.name().to_owned(), path: path.to_owned() };
        crate::herd::myself(self.context().herd()).ok_or_else(no_setting)?.settings_value(path)
    }

    /// This host's settings of a type that `#[settings]` registered: its table in `herd.toml`.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// /// `[hosts.web1.settings.network]`
    /// #[settings]
    /// struct NetworkSettings {
    ///     hostname: String,
    /// }
    ///
    /// fn call_it_so(host: &Host) -> Result<()> {
    ///     let network: NetworkSettings = host.settings()?;
    ///     host.file("/etc/hostname").content(network.hostname + "\n").present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(call_it_so);
    /// ```
    ///
    /// # Errors
    /// When there is no such table, or it is none of this type. `cargo xtask deploy` refuses both beforehand.
    fn settings<T: Settings>(&self) -> Result<T, HerdError> {
        let no_setting = || HerdError::NoSetting { host: self.name().to_owned(), path: T::TABLE.to_owned() };
        crate::herd::myself(self.context().herd()).ok_or_else(no_setting)?.settings()
    }

    /// What kind of machine this is. Each fact is read when it is first asked for, once in a migration.
    fn facts(&self) -> Facts<'_> {
        Facts::of(self.context())
    }

    /// A command: a program and, after blanks, plain arguments, as in `git --version`. No shell looks at it; add
    /// arguments that have blanks of their own with [`Command::arg`].
    fn command(&self, line: &str) -> Command<Self> {
        Command::new(*self, line)
    }

    /// A line for `/bin/sh -c`.
    fn shell(&self, line: &str) -> Command<Self> {
        Command::shell(*self, line)
    }

    /// A script: text, or an asset, that the interpreter of its `#!` line runs, or the shell without one. It lies in a
    /// private file while it runs. `name` is what it is called in reports.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn fill_the_shop(host: &Host) -> Result<()> {
    ///     let fill = "#!/usr/bin/python3\nimport sys\nopen(sys.argv[1], 'w').write('full')\n";
    ///     host.script("fill", fill).arg("/srv/shop/state").user("shop").creates("/srv/shop/state").run()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(fill_the_shop);
    /// ```
    fn script(&self, name: &str, text: impl Into<Vec<u8>>) -> Command<Self> {
        Command::scripted(*self, name, text.into())
    }

    /// The processes called `name`, as `ps -C` knows them.
    fn process(&self, name: &str) -> Process<Self> {
        Process::named(*self, name)
    }

    /// The process whose number stands in the file at `path`.
    fn pidfile(&self, path: impl AsRef<Path>) -> Process<Self> {
        Process::of_pidfile(*self, path.as_ref())
    }

    /// The entry of cron that is known by this name, in the crontab of root if nothing else is said.
    fn cron(&self, name: &str) -> CronEntry<Self> {
        CronEntry::new(*self, name)
    }

    /// The crontab of `user`.
    fn crontab(&self, user: &str) -> Crontab<Self> {
        Crontab::new(*self, user)
    }

    /// A setting of the kernel, as in `vm.swappiness`.
    fn sysctl(&self, key: &str) -> Sysctl<Self> {
        Sysctl::new(*self, vec![(key.to_owned(), None)])
    }

    /// Settings of the kernel with their values, as one.
    fn sysctls<K: Into<String>, V: Into<String>>(&self, settings: impl IntoIterator<Item = (K, V)>) -> Sysctl<Self> {
        let said = |(key, value): (K, V)| (key.into(), Some(value.into()));
        Sysctl::new(*self, settings.into_iter().map(said).collect())
    }

    /// The name of the machine, as in `web1` or `web1.example.org`.
    fn hostname(&self, name: &str) -> Hostname<Self> {
        Hostname::new(*self, name)
    }

    /// The name of a host in `/etc/hosts`.
    fn hosts_entry(&self, name: &str) -> HostsEntry<Self> {
        HostsEntry::new(*self, name)
    }

    /// The time zone of the machine, as in `Europe/Berlin` or `UTC`.
    fn timezone(&self, name: &str) -> Timezone<Self> {
        Timezone::new(*self, name)
    }

    /// What is mounted at `path`, which is absolute.
    fn mount(&self, path: impl AsRef<Path>) -> Mount<Self> {
        Mount::new(*self, path.as_ref())
    }

    /// The swap space in the file or on the device at `path`, which is absolute.
    fn swap(&self, path: impl AsRef<Path>) -> Swap<Self> {
        Swap::new(*self, path.as_ref())
    }

    /// A module of the kernel, as in `br_netfilter`.
    fn kernel_module(&self, name: &str) -> KernelModule<Self> {
        KernelModule::new(*self, name)
    }

    /// A locale, as in `de_DE.UTF-8`.
    fn locale(&self, name: &str) -> Locale<Self> {
        Locale::new(*self, name)
    }

    /// The service `name`: of an init script, of a unit of systemd, or of a directory of runit.
    fn service(&self, name: &str) -> Service<Self> {
        Service::new(*self, name)
    }

    /// The unit `name` of systemd, with what it is: `shop.service`, `backup.timer`.
    fn unit(&self, name: &str) -> Unit<Self> {
        Unit::new(*self, name)
    }

    /// The file at `path`, which is absolute, by which this host tells balancers whether it wants load.
    fn health_file(&self, path: impl AsRef<Path>) -> HealthFile<Self> {
        HealthFile::new(*self, path.as_ref())
    }

    /// The track file of keepalived at `path`, which is absolute.
    fn track_file(&self, path: impl AsRef<Path>) -> TrackFile<Self> {
        TrackFile::new(*self, path.as_ref())
    }

    /// The file at `path`, which is absolute, with upstreams of the nginx on this host.
    fn nginx_upstream(&self, path: impl AsRef<Path>) -> Upstream<Self> {
        Upstream::new(*self, path.as_ref())
    }

    /// The package `name`.
    fn package(&self, name: &str) -> Package<Self> {
        Package::new(*self, name)
    }

    /// The repository `name` of apt: a file of that name in `/etc/apt/sources.list.d`.
    fn apt_repository(&self, name: &str) -> AptRepository<Self> {
        AptRepository::new(*self, name)
    }

    /// The repository `name` of dnf or zypper: a file of that name in `/etc/yum.repos.d` or `/etc/zypp/repos.d`.
    fn rpm_repository(&self, name: &str) -> RpmRepository<Self> {
        RpmRepository::new(*self, name)
    }

    /// A key that rpm trusts: armored, or its fingerprint of 40 hex digits.
    fn rpm_key(&self, key: impl Into<Vec<u8>>) -> RpmKey<Self> {
        RpmKey::new(*self, key.into())
    }

    /// The repository `name` of pacman: a section of that name in `/etc/pacman.conf`.
    fn pacman_repository(&self, name: &str) -> PacmanRepository<Self> {
        PacmanRepository::new(*self, name)
    }

    /// A key that pacman trusts: armored, binary, or its fingerprint of 40 hex digits.
    fn pacman_key(&self, key: impl Into<Vec<u8>>) -> PacmanKey<Self> {
        PacmanKey::new(*self, key.into())
    }

    /// The repository of apk at an address, as in `https://dl-cdn.alpinelinux.org/alpine/v3.20/main`, or at a path: a line
    /// of `/etc/apk/repositories`.
    fn apk_repository(&self, uri: &str) -> ApkRepository<Self> {
        ApkRepository::new(*self, uri)
    }

    /// The key `name` of apk: a file of that name in `/etc/apk/keys`.
    fn apk_key(&self, name: &str) -> ApkKey<Self> {
        ApkKey::new(*self, name)
    }

    /// The answers to the questions that a package of Debian asks when it is installed.
    fn debconf(&self, package: &str) -> Debconf<Self> {
        Debconf::new(*self, package)
    }

    /// The alternative `name` of Debian, as in `editor`.
    fn alternative(&self, name: &str) -> Alternative<Self> {
        Alternative::new(*self, name)
    }

    /// The diversion of the file of a package at `path`, which is absolute.
    fn diversion(&self, path: impl AsRef<Path>) -> Diversion<Self> {
        Diversion::new(*self, path.as_ref())
    }

    /// The file at `path`, which is absolute.
    fn file(&self, path: impl AsRef<Path>) -> File<Self> {
        File::new(*self, path.as_ref())
    }

    /// The user `name`.
    fn user(&self, name: &str) -> User<Self> {
        User::new(*self, name)
    }

    /// The group `name`.
    fn group(&self, name: &str) -> Group<Self> {
        Group::new(*self, name)
    }

    /// The keys that let their holders log in as `user`: those of `~/.ssh/authorized_keys`.
    fn authorized_keys(&self, user: &str) -> AuthorizedKeys<Self> {
        AuthorizedKeys::new(*self, user)
    }

    /// The file `name` of `/etc/sudoers.d`.
    fn sudoers(&self, name: &str) -> Sudoers<Self> {
        Sudoers::new(*self, name)
    }

    /// The file `name.conf` of `/etc/security/limits.d`.
    fn limits(&self, name: &str) -> Limits<Self> {
        Limits::new(*self, name)
    }

    /// Edits of the file at `path`, which is absolute: say what is to be so in it.
    fn edit(&self, path: impl AsRef<Path>) -> Edit<Self> {
        Edit::new(*self, path.as_ref())
    }

    /// The directory at `path`, which is absolute.
    fn directory(&self, path: impl AsRef<Path>) -> Directory<Self> {
        Directory::new(*self, path.as_ref())
    }

    /// The link at `path`, which is absolute.
    fn link(&self, path: impl AsRef<Path>) -> Link<Self> {
        Link::new(*self, path.as_ref())
    }

    /// A TCP port of this host, from 1 to 65535.
    fn port(&self, number: u16) -> Port<Self> {
        Port::new(*self, number)
    }

    /// The PostgreSQL server of this host, asked as the user `postgres`.
    fn postgres(&self) -> Postgres<Self> {
        Postgres::new(*self)
    }

    /// The MySQL or MariaDB server of this host.
    fn mysql(&self) -> Mysql<Self> {
        Mysql::new(*self)
    }

    /// The ruleset of nftables.
    fn nftables(&self) -> Nftables<Self> {
        Nftables::new(*self)
    }

    /// ufw, Ubuntu's firewall.
    fn ufw(&self) -> Ufw<Self> {
        Ufw::new(*self)
    }

    /// firewalld, Red Hat's firewall.
    fn firewalld(&self) -> Firewalld<Self> {
        Firewalld::new(*self)
    }

    /// SELinux.
    fn selinux(&self) -> Selinux<Self> {
        Selinux::new(*self)
    }

    /// The trust anchor `name`: the certificate of an authority that the whole host believes.
    fn trust_anchor(&self, name: impl Into<String>) -> TrustAnchor<Self> {
        TrustAnchor::new(*self, name.into())
    }

    /// The certificate at `path`, which is absolute.
    fn certificate(&self, path: impl AsRef<Path>) -> Certificate<Self> {
        Certificate::new(*self, path.as_ref())
    }

    /// A request to a web server, as in `http://127.0.0.1/health` or `https://example.org/`.
    fn http(&self, url: &str) -> Request<Self> {
        Request::new(*self, url)
    }

    /// The alerts of the Prometheus at `url`, as in `http://prometheus.example.org:9090`.
    fn alerts(&self, url: &str) -> Alerts<Self> {
        Alerts::new(*self, url)
    }
}

/// Sealed: the way to the context, which only this crate takes.
#[doc(hidden)]
pub trait Access {
    fn context(&self) -> &Context<'_>;
}
