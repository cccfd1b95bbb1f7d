//! The macros, with their documentation.

/// Declares a migration: one step in the life of a role, in a file of its own under `src/chain/`, introduced by a
/// commit of its own. The function has the name of its file.
///
/// `role` names whose hosts run it. With `wait = all("database")` a host waits, in load, until all hosts of that role
/// are at or past the link before it.
///
/// ```
/// # mod chain {
/// # pub(crate) const fn __wb_link(_: &str) {}
/// # pub(crate) const fn __wb_role(_: &str) {}
/// # mod install_nginx {
/// use wb_stdlib::prelude::*;
///
/// /// nginx, before it has anything to serve.
/// #[migration(role = "web", wait = all("database"))]
/// fn install_nginx(host: &Host) -> Result<()> {
///     host.packages(["nginx"]).installed()?;
///     host.service("nginx").running()?;
///     Ok(())
/// }
///
/// #[spec]
/// fn nginx_listens(host: &View) -> Result<()> {
///     host.port(80).is_listening()
/// }
/// # }
/// # }
/// ```
pub use wb_macros::migration;

/// Declares a check that is true after the migration in whose file it stands. It runs after the migration, in tests
/// and in production, and it can look, not act. See [`migration`] for one.
pub use wb_macros::spec;

/// Declares a role, in `src/roles.rs`: what a host can be. `LoadBalancer` is the role `load_balancer`, unless
/// `name = "…"` says otherwise.
///
/// `max_out` is how many of its hosts may be out of load at once: a number, or a share that is rounded down, and at
/// least 1.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// /// One primary, any number of standbys.
/// #[role(max_out = 1)]
/// pub struct Database;
///
/// impl Role for Database {}
///
/// /// Serves pages.
/// #[role(max_out = "25%", name = "www")]
/// pub struct Web;
///
/// impl Role for Web {
///     fn leave(host: &Host) -> Result<()> {
///         host.file("/var/www/health").absent()?;
///         Ok(())
///     }
///
///     fn rejoin(host: &Host) -> Result<()> {
///         host.file("/var/www/health").content("healthy").present()?;
///         Ok(())
///     }
/// }
/// ```
pub use wb_macros::role;

/// Fills in a file of `assets/`, beside the crate's `Cargo.toml`: `{{ name }}` stands for the value of `name`. A
/// placeholder without a value does not build, nor does a value without a placeholder. The file is part of the
/// migration: an edit after it landed is an edit of the migration.
///
/// ```text
/// let memory = host.facts().memory_mib / 4;
/// host.file("/etc/postgresql/15/main/conf.d/tuning.conf").template(template!("tuning.conf", memory = memory)).present()?;
/// ```
pub use wb_macros::template;

/// The bytes of a file of `assets/`, beside the crate's `Cargo.toml`, as a `&'static [u8]`.
///
/// ```text
/// host.file("/var/www/index.html").content(asset!("index.html")).present()?;
/// ```
pub use wb_macros::asset;

/// Registers the links of the chain, each in its place, and checks them against git. It stands in `src/chain.rs`, below
/// the `mod` lines, whose order is the order of the chain.
///
/// ```text
/// mod base_packages;
/// mod install_nginx;
///
/// wb_stdlib::chain!();
/// ```
pub use wb_macros::chain;

/// Defines `main`: the command line of a host.
///
/// ```text
/// mod chain;
/// mod roles;
///
/// wb_stdlib::runner!();
/// ```
pub use wb_macros::runner;
