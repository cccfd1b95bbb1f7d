//! The macros, with their documentation.

/// Declares a migration: one step in the life of a role, in a file of its own under `src/chain/`, introduced by a
/// commit of its own. The function has the name of its file.
///
/// `role` names whose hosts run it. With `wait = all("database")` a host waits, in load, until all hosts of that role
/// are at or past the link before it; `any("database")` waits for one of them, `count("database", 2)` for two, and
/// `all("database", reached("install_postgres"))` for an earlier link than that. `overdue = "30m"` says when such a
/// wait is a trouble, and `on_catchup = pass` that a host which catches up need not wait (`fail`: that it must not run
/// this late). With `rolling = false` hosts run it in load, without taking turns; there it may wait in its middle, by
/// [`Host::wait_until`](crate::Host::wait_until). With `timeout = "10m"` one run of it may take ten minutes, in `s`,
/// `m` or `h`: then its command is killed with all that this started, and it has failed; otherwise only each command
/// has a bound. An edit after it landed says `amended = "why"`, and perhaps `keeps = ["initdb"]`: which finished
/// [steps](crate::Host::step) stand on hosts that are in the middle of it. With `rerun = "why"` it may change something
/// when a test runs it once more, which no host does. rust-analyzer jumps from the name of a role to the role, and
/// finds a name that no role has.
///
/// ```
/// # mod chain {
/// # pub(crate) const __WB_VERDICTS: wb_stdlib::__private::Verdicts = wb_stdlib::__private::Verdicts::NONE;
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

/// Declares a baseline: a migration that stands for earlier ones of its role. New hosts of the role start here, and pass
/// over what it replaces; a host that has begun any of that runs it to its end, and passes the baseline over.
///
/// `replaces` names the first and the last migration that it stands for, by the sha1s of their commits; the last must be
/// the last one of the role before the baseline. `cargo xtask baseline NAME --role ROLE` writes all of it, and marks the
/// replaced links in `chain.lock`: their files may go, and their names and places stay.
///
/// ```
/// # mod chain {
/// # pub(crate) const __WB_VERDICTS: wb_stdlib::__private::Verdicts = wb_stdlib::__private::Verdicts::NONE;
/// # mod web_as_of_june {
/// use wb_stdlib::prelude::*;
///
/// /// A web server as it is after all that June brought.
/// #[baseline(role = "web", replaces = "a1b2c3d..9f8e7d6")]
/// fn web_as_of_june(host: &Host) -> Result<()> {
///     host.packages(["nginx", "certbot"]).installed()?;
///     Ok(())
/// }
/// # }
/// # }
/// ```
pub use wb_macros::baseline;

/// Declares a check that is true after the migration in whose file it stands. It runs after the migration, in tests
/// and in production, and it can look, not act.
///
/// With `role = "web"` it is of that role instead: it is to hold on all hosts that have the role, from the migration on
/// in whose file it stands, and at the end of the chain where it stands elsewhere, as in `src/roles.rs`: that one is
/// asked of hosts that have run all that their runner has for them. It is asked before a host rejoins as that role, which
/// it does not while the spec does not hold.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// #[spec]
/// fn the_shop_is_served(host: &View) -> Result<()> {
///     host.service("nginx").is_running()?;
///     host.http("http://127.0.0.1/").with_body("<h1>Shop</h1>").answers(200)
/// }
///
/// #[spec(role = "web")]
/// fn nginx_listens(host: &View) -> Result<()> {
///     host.port(80).is_listening()
/// }
/// ```
pub use wb_macros::spec;

/// Declares the body of many migrations: a function that is none of the chain by itself, anywhere in the crate but in
/// `src/chain`. `cargo xtask apply rotate_certs --role web -- directory=/etc/ssl/own days=30` writes a migration that
/// calls it, so that every application has a sha1 of its own.
///
/// It takes the host, and one struct with named fields if it has arguments. `apply` checks each value against the type
/// of its field, and writes it into the migration, as Rust:
///
/// ```
/// # mod chain {
/// # pub(crate) const __WB_VERDICTS: wb_stdlib::__private::Verdicts = wb_stdlib::__private::Verdicts::NONE;
/// # mod certificates {
/// // src/certificates.rs, with `mod certificates;` in src/main.rs
/// use wb_stdlib::prelude::*;
///
/// pub struct RotateArgs {
///     pub directory: String,
///     pub days: u32,
/// }
///
/// /// A new key and a certificate for it.
/// #[reusable]
/// pub fn rotate_certs(host: &Host, args: RotateArgs) -> Result<()> {
///     let RotateArgs { directory, days } = args;
///     host.directory(&directory).mode(0o700).present()?;
///     host.command("openssl req -x509 -nodes -newkey rsa:2048 -subj /CN=own")
///         .args(["-days", &days.to_string()])
///         .args(["-keyout", &format!("{directory}/own.key"), "-out", &format!("{directory}/own.crt")])
///         .run()?;
///     Ok(())
/// }
/// # }
/// # use certificates as crate_certificates;
/// # mod rotate_certs_1 {
/// # use super::crate_certificates as certificates;
///
/// // src/chain/rotate_certs_1.rs
/// use wb_stdlib::prelude::*;
///
/// /// Applies `rotate_certs`: A new key and a certificate for it.
/// #[migration(role = "web")]
/// fn rotate_certs_1(host: &Host) -> Result<()> {
///     # /*
///     let args = crate::certificates::RotateArgs { directory: "/etc/ssl/own".into(), days: 30 };
///     crate::certificates::rotate_certs(host, args)
///     # */
///     # let args = certificates::RotateArgs { directory: "/etc/ssl/own".into(), days: 30 };
///     # certificates::rotate_certs(host, args)
/// }
/// # }
/// # }
/// ```
///
/// The values are part of the migration: to alter one after it landed is to edit the migration. The function itself is
/// not, as no helper is: an edit of it holds for the hosts that have still to run a migration that calls it, and hosts
/// that completed one never see it. What all hosts shall get is one more application.
pub use wb_macros::reusable;

/// Declares a role, in `src/roles.rs`: what a host can be. `LoadBalancer` is the role `load_balancer`, unless
/// `name = "…"` says otherwise.
///
/// `max_out` is how many of its hosts may be out of load at once: a number, or a share that is rounded down, and at
/// least 1. `max_failed` is how many of them fail at a migration before no other begins it; 1 without it. `windows` says
/// when hosts may leave load, in UTC: at any time without it.
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
/// #[role(max_out = "25%", max_failed = 2, windows = ["Sat,Sun 22:00-04:00", "Mon-Fri 02:00-05:00"], name = "www")]
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
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn tune(host: &Host) -> Result<()> {
///     let tuning = template!("tuning.conf", memory = host.facts().memory_mib / 4); // shared_buffers = {{ memory }}MB
///     host.file("/etc/postgresql/15/main/conf.d/tuning.conf").template(tuning).present()?;
///     Ok(())
/// }
/// # wb_stdlib::testing::web1().rehearse(tune);
/// ```
pub use wb_macros::template;

/// The bytes of a file of `assets/`, beside the crate's `Cargo.toml`, as a `&'static [u8]`.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn serve_the_page(host: &Host) -> Result<()> {
///     host.file("/var/www/index.html").content(asset!("index.html")).present()?;
///     Ok(())
/// }
/// # wb_stdlib::testing::web1().rehearse(serve_the_page);
/// ```
pub use wb_macros::asset;

/// A directory of `assets/`, beside the crate's `Cargo.toml`, with all files below it, as [`Assets`](crate::Assets). All of
/// them are in the runner, and are part of the migration: to edit, add or remove one after it landed is to edit the
/// migration. What editors leave beside files (`~`, `.swp`, `.#`, `.DS_Store`) is none of them; links can't be embedded.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn serve_the_site(host: &Host) -> Result<()> {
///     host.directory("/srv/site").owner("www-data").synced(assets!("site")).exactly().present()?;
///     Ok(())
/// }
/// # wb_stdlib::testing::web1().rehearse(serve_the_site);
/// assert_eq!(assets!("site").get("css/shop.css"), Some(&b"body { margin: 0 }\n"[..]));
/// ```
pub use wb_macros::assets;

/// Declares the type of a table of settings in `herd.toml`: `NetworkSettings` is the table
/// `[hosts.NAME.settings.network]`, unless `name = "…"` says otherwise. With `role = "web"` hosts of that role have it, and
/// all hosts without. [`Look::settings`](crate::Look::settings) reads it, and
/// [`Peer::settings`](crate::herd::Peer::settings) that of another host.
///
/// It is a struct with named fields, each of a type that serde knows; its attributes are serde's. What is in a table is of
/// such a type too, with `#[settings(part)]`, which may be an enum. `cargo xtask check` and `cargo xtask deploy` ask the
/// runner, before anything happens, whether `herd.toml` fits: a host whose table is missing, has a key that is misspelt or a
/// value of another type, is refused with its line and column.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// /// [hosts.web1.settings.site]
/// #[settings(role = "web")]
/// struct SiteSettings {
///     hostname: String,
///     #[serde(default)]
///     plan: Plan,
/// }
///
/// #[settings(part)]
/// #[derive(Default, PartialEq)]
/// #[serde(rename_all = "lowercase")]
/// enum Plan {
///     #[default]
///     Small,
///     Large,
/// }
///
/// fn configure(host: &Host) -> Result<()> {
///     let site: SiteSettings = host.settings()?;
///     let workers = if site.plan == Plan::Large { 16 } else { 4 };
///     host.file("/etc/shop.conf").content(format!("host = {}\nworkers = {workers}\n", site.hostname)).present()?;
///     Ok(())
/// }
/// # wb_stdlib::testing::web1().rehearse(configure);
/// ```
pub use wb_macros::settings;

/// Registers the links of the chain, each in its place, and checks them against git. It stands in `src/chain.rs`, below
/// the `mod` lines, whose order is the order of the chain.
///
/// ```standalone_crate
/// # mod base_packages {}
/// # mod install_nginx {}
/// # /*
/// mod base_packages;
/// mod install_nginx;
/// # */
///
/// wb_stdlib::chain!();
/// ```
pub use wb_macros::chain;

/// Defines `main`: the command line of a host.
///
/// ```
/// # mod chain {}
/// # mod roles {}
/// # /*
/// mod chain;
/// mod roles;
/// # */
///
/// wb_stdlib::runner!();
/// ```
pub use wb_macros::runner;
