//! A fake host, for unit tests of migrations: with the feature `testing`, by plain `cargo test`.
//!
//! Its files are real ones in a temporary directory, its commands say what they were told to say, and its clock moves
//! only when somebody waits. So a test sees which files a migration writes, which commands it runs and what it asks for,
//! within milliseconds and without root. What packages bring and what services do, it does not see.
//!
//! A migration is a private function, and a test in its file would be part of it: an edit of the test would be one of
//! the migration. So tests stand in `src/tests.rs`, and run migrations by their names.
//!
//! ```
//! use wb_stdlib::prelude::*;
//! use wb_stdlib::testing::{FakeHost, changed};
//!
//! fn nginx_is_installed_once() -> Result<()> {
//!     let host = FakeHost::new("web1", &["web"]).directory("/etc/nginx/conf.d");
//!     let host = host.offers("nginx", "1.22.1-9").service("nginx");
//!     assert_eq!(changed(&host.plan("install_nginx")?)[0], "package nginx installed");
//!
//!     host.run("install_nginx")?;
//!     assert_eq!(host.read("/etc/nginx/conf.d/quiet.conf").as_deref(), Some("server_tokens off;\n"));
//!     assert!(host.calls().contains(&"/etc/init.d/nginx reload".to_owned()));
//!     assert_eq!(changed(&host.run("install_nginx")?), [""; 0]);
//!
//!     let host = host.answer("nginx -t", 1, "unknown directive");
//!     assert!(host.spec("install_nginx", "the_configuration_is_valid").is_err());
//!     host.role_spec("web", "there_is_room_for_logs")?;
//!     Ok(())
//! }
//! # let _ = nginx_is_installed_once as fn() -> Result<()>;
//! ```

mod commands;
mod debian;
mod others;
mod rehearsal;
#[doc(hidden)]
pub mod samples;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use wb_core::chain::{Digest, Link, Sha1};
use wb_core::change::Member;
pub use wb_core::context::Operation;
use wb_core::context::{Attempt, Context, Debts as _, HerdView, Journal, MemoryJournal, Mode, Spec};
use wb_core::runner::{Catalog, with_causes};
use wb_core::system::clock::Stepping;
use wb_core::system::command::{Command, Output};
use wb_core::system::{OutOfTime, System, files};

use crate::{Host, owed};
use commands::Commands;
use others::Others;
#[doc(hidden)]
pub use rehearsal::{fedora, web1};

/// How often a migration may reboot its host in one run of a test.
const REBOOTS: u32 = 10;

/// A host that is none.
///
/// Of two answers for one command, the later one counts. What goes wrong in making it is a panic, since a test is to
/// fail then.
#[must_use = "run a migration on it: `.run(\"install_nginx\")?`"]
pub struct FakeHost {
    pub(crate) root: tempfile::TempDir,
    pub(crate) commands: Commands,
    pub(crate) system: System,
    pub(crate) herd: HerdView,
    pub(crate) journal: Rc<MemoryJournal>,
    boots: Cell<u32>,
    began: Duration,
    offered: String,
}

/// What a run of a migration came to.
struct Ran<T> {
    operations: Vec<Operation>,
    result: Result<T>,
    awaits_reboot: bool,
}

impl FakeHost {
    /// A bare Debian 12 with 2 GiB of memory and init scripts, which was admitted to the herd by this name, in these
    /// roles.
    ///
    /// # Panics
    /// When there is no room for its files.
    pub fn new(name: &str, roles: &[&str]) -> Self {
        let mut host = Self::bare(name);
        host.herd.members.push(member(name, roles));
        let host = debian::DIRECTORIES.iter().fold(host, |host, path| host.directory(path));
        debian::FILES.iter().fold(host, |host, (path, text)| host.file(path, text)).named(name)
    }

    /// A host with no file, which nobody admitted.
    pub(crate) fn bare(name: &str) -> Self {
        let (root, commands) = (must(tempfile::tempdir()), Commands::default());
        let system = System::new(root.path(), commands.clone(), Stepping::default());
        let (herd, began) = (HerdView { me: name.to_owned(), members: Vec::new() }, system.clock().passed());
        let (journal, boots, offered) = (Rc::default(), Cell::default(), String::new());
        Self { root, commands, system, herd, journal, boots, began, offered }
    }

    /// A file with this text, and the directories that it lies in.
    ///
    /// ```
    /// use wb_stdlib::testing::FakeHost;
    ///
    /// let host = FakeHost::new("db1", &["database"])
    ///     .file("/proc/meminfo", "MemTotal: 524288 kB\n")
    ///     .directory("/etc/postgresql/15/main/conf.d")
    ///     .user("postgres");
    /// assert_eq!(host.read("/etc/passwd").unwrap().lines().count(), 2);
    /// ```
    ///
    /// # Panics
    /// When it can't be written.
    pub fn file(self, path: &str, text: &str) -> Self {
        put(&self.path(path), text);
        self
    }

    /// A directory, and those that it lies in.
    ///
    /// # Panics
    /// When it can't be made.
    pub fn directory(self, path: &str) -> Self {
        must(files::create_dir(self.path(path)));
        self
    }

    /// A user, and a group of the same name. Files can be given to them: their number is that of who runs the test.
    ///
    /// # Panics
    /// When that can't be written.
    pub fn user(self, name: &str) -> Self {
        let (uid, gid) = must(files::stat(self.root.path())).map_or((0, 0), |me| (me.uid, me.gid));
        let text = |path: &str| self.read(path).unwrap_or_default();
        let users = text("/etc/passwd") + &format!("{name}:x:{uid}:{gid}::/home/{name}:/bin/sh\n");
        let groups = text("/etc/group") + &format!("{name}:x:{gid}:\n");
        self.file("/etc/passwd", &users).file("/etc/group", &groups)
    }

    /// A package that is installed.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    /// use wb_stdlib::testing::FakeHost;
    ///
    /// let host = FakeHost::new("web1", &["web"]).package("git", "1:2.39.5").offers("curl", "7.88.1-10");
    /// host.with(|host| Ok(host.packages(["git", "curl"]).installed()?))?;
    /// assert!(host.calls().iter().any(|line| line.starts_with("apt-get ") && line.ends_with(" -- curl")));
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Panics
    /// When that can't be written.
    pub fn package(self, name: &str, version: &str) -> Self {
        debian::install(self.root.path(), name, version);
        self
    }

    /// A package that the repositories have: `apt-get install` installs it. None of its files come with it.
    ///
    /// # Panics
    /// When that can't be written.
    pub fn offers(mut self, name: &str, version: &str) -> Self {
        self.offered += &debian::policy(name, version);
        let (policy, name, version) = (self.offered.clone(), name.to_owned(), version.to_owned());
        let install = move |root: &Path, command: &Command| {
            if debian::installs(&command.line(), &name) {
                debian::install(root, &name, &version);
            }
        };
        self.plays("apt-get", install).answer("apt-cache policy", 0, &policy).file(debian::LISTS, "")
    }

    /// A service with an init script, which runs, starts with the host, and does all that it is told.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    /// use wb_stdlib::testing::FakeHost;
    ///
    /// let host = FakeHost::new("web1", &["web"]).service("nginx");
    /// let host = host.answers("/etc/init.d/nginx status", &[(3, "not running"), (0, "running")]);
    /// host.with(|host| Ok(host.service("nginx").running()?))?;
    /// assert!(host.calls().contains(&"/etc/init.d/nginx start".to_owned()));
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Panics
    /// When that can't be written.
    pub fn service(self, name: &str) -> Self {
        let script = format!("/etc/init.d/{name}");
        self.file(&script, "#!/bin/sh\n").file(&format!("/etc/rc2.d/S01{name}"), "#!/bin/sh\n").answer(
            &format!("{script} "),
            0,
            "",
        )
    }

    /// Where others reach the host: its `address` in `herd.toml`.
    pub fn address(self, address: &str) -> Self {
        let me = self.herd.me.clone();
        self.altered(&me, |member| member.address = Some(address.to_owned()))
    }

    /// The host's settings, as JSON: its `settings` in `herd.toml`.
    ///
    /// # Panics
    /// When it is no table of JSON.
    pub fn settings(self, json: &str) -> Self {
        let me = self.herd.me.clone();
        self.settings_of(&me, json)
    }

    /// The settings of a host of the herd, as JSON.
    ///
    /// # Panics
    /// When it is no table of JSON, or there is no such host.
    pub fn settings_of(self, name: &str, json: &str) -> Self {
        let settings = must(serde_json::from_str(json));
        self.altered(name, |member| member.settings = settings)
    }

    /// Another host of the herd.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    /// use wb_stdlib::testing::FakeHost;
    ///
    /// let host = FakeHost::new("lb1", &["load_balancer"])
    ///     .address("192.0.2.10")
    ///     .settings(r#"{"network": {"hostname": "lb1.example.org"}}"#)
    ///     .with_other("web1", &["web"], "192.0.2.11")
    ///     .settings_of("web1", r#"{"network": {"hostname": "web1.example.org"}}"#);
    /// let webs = host.with(|host| Ok(host.herd().role("web").addresses()?.join(" ")))?;
    /// assert_eq!(webs, "192.0.2.11");
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn with_other(mut self, name: &str, roles: &[&str], address: &str) -> Self {
        self.herd.members.push(Member { address: Some(address.to_owned()), ..member(name, roles) });
        self.herd.members.sort_by(|one, other| one.name.cmp(&other.name));
        self
    }

    /// Each command whose line starts so ends with this exit code, and writes this to standard output. A command that
    /// nobody told of is not installed.
    pub fn answer(self, line_start: &str, code: i32, stdout: &str) -> Self {
        self.answers(line_start, &[(code, stdout)])
    }

    /// Commands whose line starts so end like this one after the other, and like the last one from then on.
    pub fn answers(self, line_start: &str, turns: &[(i32, &str)]) -> Self {
        let output = |(code, stdout): &(i32, &str)| Output { code: *code, stdout: (*stdout).into(), stderr: vec![] };
        self.commands.answer(line_start, turns.iter().map(output).collect());
        self
    }

    /// Each command whose line starts so does this, with the directory of the host's files, and ends well.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    /// use wb_stdlib::testing::FakeHost;
    ///
    /// let host = FakeHost::new("web1", &["web"])
    ///     .does("openssl dhparam", |root| std::fs::write(root.join("srv/dh.pem"), "parameters").unwrap());
    /// host.with(|host| Ok(host.command("openssl dhparam -out /srv/dh.pem 2048").creates("/srv/dh.pem").run()?))?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn does(self, line_start: &str, effect: impl Fn(&Path) + Send + 'static) -> Self {
        self.plays(line_start, move |root, _| effect(root))
    }

    /// Each command whose line starts so leaves a file with this text, and ends well.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    /// use wb_stdlib::testing::FakeHost;
    ///
    /// let host = FakeHost::new("web1", &["web"]).writes("hostname ", "/proc/sys/kernel/hostname", "shop\n");
    /// host.with(|host| Ok(host.hostname("shop").set()?))?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn writes(self, line_start: &str, path: &str, text: &str) -> Self {
        let (path, text) = (self.path(path), text.to_owned());
        self.plays(line_start, move |_, _| put(&path, &text))
    }

    /// [`FakeHost::does`], for who asks the command, too.
    pub(crate) fn plays(self, line_start: &str, effect: impl Fn(&Path, &Command) + Send + 'static) -> Self {
        let root = self.root.path().to_owned();
        self.commands.act(line_start, Box::new(move |command: &Command| effect(&root, command)));
        self.answer(line_start, 0, "")
    }

    /// What a migration would do, which is done to nothing.
    ///
    /// # Errors
    /// That of the migration, and when there is none of this name.
    pub fn plan(&self, link: &str) -> Result<Vec<Operation>> {
        self.plan_of(&Catalog::compiled()?, link)
    }

    fn plan_of(&self, catalog: &Catalog, name: &str) -> Result<Vec<Operation>> {
        let ran = self.ran(Mode::Plan, catalog, name)?;
        ran.result.map(|()| ran.operations)
    }

    /// Runs a migration to its end, without its specs, and gives what it did. A reboot that it asks for comes at once.
    /// When it is run again, it finds the host as it left it, with the steps that are done: so it should change nothing
    /// then.
    ///
    /// Nobody is waited for: all other hosts are as far as anybody may ask.
    ///
    /// # Errors
    /// That of the migration, and when there is none of this name. What is owed then stays owed, to the next run.
    pub fn run(&self, link: &str) -> Result<Vec<Operation>> {
        self.run_of(&Catalog::compiled()?, link)
    }

    fn run_of(&self, catalog: &Catalog, name: &str) -> Result<Vec<Operation>> {
        let mut operations = Vec::new();
        for _ in 0..=REBOOTS {
            let ran = self.ran(Mode::Apply, catalog, name)?;
            operations.extend(ran.operations);
            if !ran.awaits_reboot {
                return ran.result.map(|()| operations);
            }
            self.boots.set(self.boots.get() + 1);
        }
        bail!("`{name}` has rebooted its host {REBOOTS} times, and asks for it once more")
    }

    /// Asks one of the specs in a migration's file: of the migration, or of a role from there on.
    ///
    /// # Errors
    /// That of the spec, and when there is none of this name, or the host has not the role that it is of.
    pub fn spec(&self, link: &str, spec: &str) -> Result<()> {
        self.spec_of(&Catalog::compiled()?, link, spec)
    }

    fn spec_of(&self, catalog: &Catalog, link: &str, name: &str) -> Result<()> {
        let link = &found(catalog, link)?.name;
        let begins = |since: Option<&Link>| since.is_some_and(|since| since.name == *link);
        let of_roles = catalog.specs_of_roles().filter(|(_, since)| begins(*since)).map(|(spec, _)| spec);
        let specs: Vec<&'static Spec> = catalog.specs_of(link).chain(of_roles).collect();
        self.ask(&format!("`{link}`"), &specs, name)
    }

    /// Asks one spec of a role, in whatever file it stands.
    ///
    /// # Errors
    /// That of the spec, and when there is none of this name, or the host has not the role.
    pub fn role_spec(&self, role: &str, spec: &str) -> Result<()> {
        self.role_spec_of(&Catalog::compiled()?, role, spec)
    }

    fn role_spec_of(&self, catalog: &Catalog, role: &str, name: &str) -> Result<()> {
        let specs = catalog.specs_of_roles().map(|(spec, _)| spec).filter(|spec| spec.role == Some(role));
        self.ask(&format!("the role `{role}`"), &specs.collect::<Vec<_>>(), name)
    }

    /// Asks the spec of this name, as it is among these of somebody's.
    fn ask(&self, whose: &str, specs: &[&'static Spec], name: &str) -> Result<()> {
        let Some(spec) = specs.iter().find(|spec| spec.name == name) else {
            let there = specs.iter().map(|spec| format!("`{}`", spec.name)).collect::<Vec<_>>().join(", ");
            bail!("{whose} has no spec `{name}`; it has {}", if there.is_empty() { "none" } else { &there });
        };
        if let Some(role) = spec.role {
            let me = &self.herd.me;
            ensure!(self.is_a(role), "`{name}` is asked of hosts of the role `{role}`, and `{me}` is none");
        }
        let context = Context::new(&self.system, Mode::Apply, &self.herd, self.own_journal());
        in_time(|| (spec.check)(&context))
    }

    /// Does something as a migration would: for functions that migrations call. What it owes is paid.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    /// use wb_stdlib::testing::FakeHost;
    ///
    /// let host = FakeHost::new("web1", &["web"]).answer("pg_isready", 2, "no response");
    /// let minute = Duration::from_mins(1);
    /// let waited = host.with(|host| Ok(host.wait_up_to(minute).for_success(&host.command("pg_isready"))?));
    /// assert!(waited.is_err() && host.passed() >= minute);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// That of `act`.
    pub fn with<T>(&self, act: impl FnOnce(&Host) -> Result<T>) -> Result<T> {
        let catalog = Catalog::compiled()?;
        let link = Link::new("a test", Sha1::from_bytes([1; 20]), "", Digest::of(b""));
        self.attempt(Mode::Apply, &catalog, &link, |context| paying(context, act)).result
    }

    /// The text of a file, if there is one.
    ///
    /// # Panics
    /// When it is there and can't be read.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<String> {
        let bytes = must(files::read_optional(self.path(path)))?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The lines of all commands so far, those that only looked included.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.commands.calls().iter().map(Command::line).collect()
    }

    /// How much time has passed on the host: what was waited for.
    #[must_use]
    pub fn passed(&self) -> Duration {
        self.system.clock().passed().saturating_sub(self.began)
    }

    fn ran(&self, mode: Mode, catalog: &Catalog, name: &str) -> Result<Ran<()>> {
        let (link, me) = (found(catalog, name)?, &self.herd.me);
        ensure!(self.is_a(&link.role), "{link} is run by hosts of the role `{}`, and `{me}` is none", link.role);
        let code = catalog.code(link.sha1);
        let code = code.with_context(|| format!("the code of {link} is gone: a baseline stands for it"))?;
        Ok(self.attempt(mode, catalog, link, |context| code.run(context)))
    }

    fn attempt<T>(
        &self,
        mode: Mode,
        catalog: &Catalog,
        link: &Link,
        act: impl FnOnce(&Context<'_>) -> Result<T>,
    ) -> Ran<T> {
        let system = self.system.within(catalog.terms(link.sha1).timeout);
        let journal: Rc<dyn Journal> = match mode {
            Mode::Apply => self.own_journal(),
            Mode::Plan => Rc::new(MemoryJournal::new(self.journal.owed(), self.journal.steps())),
        };
        let attempt = Attempt::new(link, format!("boot {}", self.boots.get()), Rc::clone(&journal));
        let context = Context::new(&system, mode, &self.herd, journal)
            .of(Rc::clone(&attempt))
            .with_lookout(Rc::new(Others { catalog, herd: &self.herd }));
        let result = attempt.run(|| in_time(|| act(&context)));
        Ran { operations: context.operations(), result, awaits_reboot: attempt.awaits_reboot() }
    }

    fn is_a(&self, role: &str) -> bool {
        self.herd.myself().is_some_and(|me| me.roles.contains(role))
    }

    pub(crate) fn own_journal(&self) -> Rc<dyn Journal> {
        Rc::clone(&self.journal) as Rc<dyn Journal>
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    fn named(self, name: &str) -> Self {
        let line = format!("{name}\n");
        self.file("/etc/hostname", &line).file("/proc/sys/kernel/hostname", &line)
    }

    fn altered(mut self, name: &str, alter: impl FnOnce(&mut Member)) -> Self {
        match self.herd.members.iter_mut().find(|member| member.name == name) {
            Some(member) => alter(member),
            None => panic!("there is no host `{name}` in the herd of this fake host: .with_other({name:?}, …)"),
        }
        self
    }
}

/// What of some operations changed something, or would.
#[must_use]
pub fn changed(operations: &[Operation]) -> Vec<&str> {
    let changed = operations.iter().filter(|operation| operation.outcome.changed());
    changed.map(|operation| operation.what.as_str()).collect()
}

fn found<'c>(catalog: &'c Catalog, name: &str) -> Result<&'c Link> {
    let link = catalog.chain().links().iter().find(|link| link.name == name);
    link.with_context(|| format!("the chain has no migration `{name}`"))
}

fn member(name: &str, roles: &[&str]) -> Member {
    Member { name: name.to_owned(), roles: roles.iter().map(|role| (*role).to_owned()).collect(), ..Member::default() }
}

/// Does something as a migration does, and pays what it owes by then.
fn paying<T>(context: &Context<'_>, act: impl FnOnce(&Host) -> Result<T>) -> Result<T> {
    let (host, earlier) = (Host::new(context), context.debts().owed());
    let value = act(&host)?;
    owed::pay(host, &earlier)?;
    Ok(value)
}

/// Its own panics reach the test; the end of its time is an error, as on hosts.
fn in_time<T>(act: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(result) => result,
        Err(panic) => match panic.downcast::<OutOfTime>() {
            Ok(error) => Err((*error).into()),
            Err(panic) => resume_unwind(panic),
        },
    }
}

/// Writes a file that need not survive anything.
fn put(path: &Path, text: &str) {
    if let Some(parent) = path.parent() {
        must(files::create_dir(parent));
    }
    must(files::replace(path, text));
}

fn must<T, E: Error>(made: Result<T, E>) -> T {
    made.unwrap_or_else(|error| panic!("a fake host can't be made so: {}", with_causes(&error)))
}
