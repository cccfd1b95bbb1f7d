//! What Wildebeest's migrations are written with.
//!
//! A migration gets a [`Host`] and says what is to be so; a spec gets a [`View`] and checks that it is. Each noun has a
//! room of its own: [`packages`], [`apt_repository`], [`debconf`], [`alternative`], [`diversion`], [`service`],
//! [`file`](mod@file), [`edit`], [`directory`], [`link`], [`command`], [`temporary`], [`download`], [`archive`], [`git`], [`facts`],
//! [`herd`], [`haproxy`], [`port`], [`process`], [`log`], [`http`], [`alerts`], [`wait`] (for other hosts), [`waiting`]
//! (for this one), [`postgres`], [`mysql`], [`nftables`], [`ufw`], [`firewalld`],
//! [`trust_anchor`], [`certificate`], [`selinux`], [`user`], [`group`], [`authorized_keys`], [`sudoers`], [`limits`]. Every operation states the wanted end state, looks first, acts only when
//! room of its own: [`file`](mod@file), [`directory`], [`link`], [`command`], [`temporary`], [`download`], [`archive`],
//! [`git`], [`facts`], [`herd`], [`haproxy`], [`port`], [`process`], [`log`], [`http`], [`alerts`], [`wait`],
//! [`waiting`], [`postgres`], [`mysql`], [`nftables`], [`ufw`], [`firewalld`], [`trust_anchor`], [`certificate`],
//! [`selinux`], [`unit`], [`init_script`], [`nginx`], [`health_file`], [`keepalived`]. Every operation states the
//! wanted end state, looks first, acts only when
//! needed, and returns an [`Outcome`] that says whether and what it changed.
//! The machine and its clockwork are [`cron`], [`sysctl`], [`hostname`], [`hosts`], [`timezone`], [`mount`], [`swap`],
//! [`kernel_module`], [`locale`].
//! [`unit`], [`init_script`], [`file`](mod@file), [`directory`], [`link`], [`command`], [`temporary`], [`download`],
//! [`archive`], [`git`], [`facts`], [`herd`], [`haproxy`], [`nginx`], [`health_file`], [`keepalived`], [`port`],
//! [`process`], [`log`], [`http`], [`alerts`], [`wait`] (for other hosts), [`waiting`] (for this one), [`postgres`],
//! [`mysql`], [`nftables`], [`ufw`], [`firewalld`], [`trust_anchor`], [`certificate`], [`selinux`]. Every operation
//! states the wanted end state, looks first, acts only when needed, and returns an [`Outcome`] that says whether and
//! what it changed.
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
//! # let (_, _) = (serve_a_page as fn(&Host) -> Result<()>, the_page_is_served as fn(&View) -> Result<()>);
//! ```

// The macros write `::wb_stdlib::…`; this lets them be used in this crate, too.
extern crate self as wb_stdlib;

#[doc(hidden)]
pub mod __private;
pub mod account;
pub mod alerts;
pub mod alternative;
pub mod apt_repository;
pub mod certificate;
pub mod archive;
pub mod authorized_keys;
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
pub mod git;
pub mod group;
pub mod haproxy;
pub mod health_file;
pub mod herd;
mod host;
pub mod hostname;
pub mod hosts;
pub mod http;
pub mod kernel_module;
pub mod limits;
pub mod init_script;
pub mod keepalived;
pub mod link;
pub mod locale;
pub mod log;
mod look;
mod macros;
#[cfg(test)]
mod machine;
pub mod mount;
pub mod mysql;
pub mod nftables;
pub mod nginx;
mod owed;
pub mod owner;
pub mod packages;
mod pem;
pub mod port;
pub mod postgres;
pub mod prelude;
pub mod process;
mod processes;
mod requirement;
mod role;
pub mod selinux;
pub mod service;
mod sha256;
mod signal;
mod step;
pub mod swap;
pub mod sysctl;
pub mod sudoers;
mod template;
pub mod text_file;
pub mod timezone;
pub mod trust_anchor;
pub mod ufw;
pub mod temporary;
pub mod user;
pub mod unit;
pub mod wait;
pub mod waiting;

pub use host::{Host, View};
pub use look::Look;
pub use macros::{asset, baseline, chain, migration, reusable, role, runner, spec, template};
pub use requirement::Unmet;
pub use role::Role;
pub use template::Template;
pub use wb_core::context::{Outcome, StepError};
