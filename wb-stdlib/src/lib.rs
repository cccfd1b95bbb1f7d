//! What Wildebeest's migrations are written with.
//!
//! A migration gets a [`Host`] and says what is to be so; a spec gets a [`View`] and checks that it is. Every operation
//! states the wanted end state, looks first, acts only when needed, and returns an [`Outcome`] that says whether and what
//! it changed. Each noun has a room of its own:
//!
//! - files: [`file`](mod@file), [`edit`], [`directory`], [`link`], [`path`], [`temporary`], [`download`], [`archive`], [`git`]
//! - packages: [`packages`], [`apt_repository`], [`debconf`], [`alternative`], [`diversion`]; for dnf and zypper
//!   [`rpm_repository`], [`rpm_key`]; for pacman [`pacman_repository`], [`pacman_key`]; for apk [`apk_repository`],
//!   [`apk_key`]
//! - services: [`service`], [`unit`](mod@unit), [`init_script`], [`cron`]
//! - people: [`user`], [`group`], [`authorized_keys`], [`sudoers`], [`limits`]
//! - the machine: [`facts`], [`sysctl`], [`hostname`], [`hosts`], [`timezone`], [`mount`], [`swap`], [`kernel_module`],
//!   [`locale`]
//! - security: [`nftables`], [`ufw`], [`firewalld`], [`selinux`], [`trust_anchor`], [`certificate`]
//! - databases: [`postgres`], [`mysql`]
//! - load: [`herd`], [`haproxy`], [`nginx`], [`keepalived`], [`health_file`], [`alerts`], [`wait`] (for other hosts)
//! - all else: [`command`], [`process`], [`port`], [`http`], [`log`], [`waiting`] (for something on this host)
//! - unit tests of migrations: `testing`, with the feature of that name
//!
//! ```
//! use wb_stdlib::prelude::*;
//!
//! fn serve_a_page(host: &Host) -> Result<()> {
//!     host.packages(["nginx"]).installed()?;
//!     let nginx = host.service("nginx");
//!     host.directory("/var/www/shop").owner("www-data").present()?;
//!     host.file("/var/www/shop/index.html").content("<h1>Shop</h1>\n").present()?;
//!     host.file("/etc/nginx/conf.d/shop.conf").content("gzip on;\n").mode(0o644).reloads(&nginx).present()?;
//!     nginx.enabled()?;
//!     nginx.running()?;
//!     Ok(())
//! }
//!
//! fn the_page_is_served(host: &View) -> Result<()> {
//!     host.http("http://127.0.0.1/").with_body("<h1>Shop</h1>").answers(200)
//! }
//! # wb_stdlib::testing::web1().rehearse(serve_a_page);
//! # let _ = the_page_is_served as fn(&View) -> Result<()>;
//! ```

// The macros write `::wb_stdlib::…`; this lets them be used in this crate, too.
extern crate self as wb_stdlib;

#[doc(hidden)]
pub mod __private;
pub mod account;
pub mod alerts;
pub mod alternative;
pub mod apk_key;
pub mod apk_repository;
pub mod apt_repository;
pub mod archive;
pub mod authorized_keys;
pub mod certificate;
mod assets;
pub mod command;
pub mod cron;
pub mod debconf;
pub mod directory;
pub mod diversion;
pub mod download;
pub mod edit;
mod ensure;
pub mod facts;
pub mod file;
pub mod firewalld;
mod foresight;
pub mod git;
pub mod group;
pub mod haproxy;
pub mod health_file;
pub mod herd;
mod host;
pub mod hostname;
pub mod hosts;
pub mod http;
pub mod init_script;
pub mod keepalived;
pub mod kernel_module;
pub mod limits;
pub mod link;
pub mod locale;
pub mod log;
mod look;
#[cfg(test)]
mod machine;
mod macros;
pub mod mount;
pub mod mysql;
pub mod nftables;
pub mod nginx;
mod openpgp;
mod owed;
pub mod owner;
pub mod packages;
mod pacman_conf;
pub mod pacman_key;
pub mod pacman_repository;
mod pem;
pub mod path;
pub mod port;
pub mod postgres;
pub mod prelude;
pub mod process;
mod processes;
pub mod repository;
mod requirement;
mod role;
pub mod rpm_key;
pub mod rpm_repository;
pub mod selinux;
pub mod service;
mod sha256;
mod signal;
mod sshd;
mod step;
pub mod sudoers;
pub mod swap;
pub mod sysctl;
mod template;
pub mod temporary;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text_file;
pub mod timezone;
pub mod trust_anchor;
pub mod ufw;
pub mod unit;
pub mod user;
pub mod wait;
pub mod waiting;

pub use assets::Assets;
pub use host::{Host, View};
pub use look::Look;
pub use macros::{asset, assets, baseline, chain, migration, reusable, role, runner, settings, spec, template};
pub use requirement::Unmet;
pub use role::Role;
pub use template::Template;
pub use wb_core::context::{Outcome, StepError};
