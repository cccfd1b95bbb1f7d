//! A herd in one process: every host has its own directories and its own root, git and signatures are real, and each
//! tick opens the agent anew, as after a restart.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wb_core::Uuid;
use wb_core::agent::{Agent, AgentError, Next, Notices, Record, Store};
use wb_core::chain::Digest;
use wb_core::change::{ChangeKind, HostManifest, Identity, Manifest, Runner};
use wb_core::pool::Pool;
use wb_core::registry::{
    Access, AllowedSigners, ChangeLog, Mirror as _, NewCommit, Pushed, RefName, RefUpdate, Registry, ReportCache,
    SigningKey, VerifiedChange, generate, public_key,
};
use wb_core::report::{Report, served};
use wb_core::runner::{Catalog, EnrollError, Enrollment, Home, enroll, platform};
use wb_core::system::command::{CommandError, Output, Processes, Real};
use wb_core::system::{Command, System, clock, files};

/// A remote, an operator, and hosts.
pub struct TestHerd {
    dir: tempfile::TempDir,
    operator: Registry,
    key: SigningKey,
    allowed: String,
    here: bool,
}

impl Default for TestHerd {
    fn default() -> Self {
        Self::new()
    }
}

/// Real processes; but the init of the machine that the tests run on is left alone. It does nothing where there is a file
/// `broken`, and who asks it for something dies where there is a file `kills`.
struct Spared {
    dir: PathBuf,
}

impl Processes for Spared {
    fn run(&self, command: &Command) -> Result<Output, CommandError> {
        let line = command.line();
        if !["shutdown", "reboot", "systemctl", "/etc/init.d/"].iter().any(|start| line.starts_with(start)) {
            return Real.run(command);
        }
        if line.ends_with(" status") {
            return Ok(Output::default());
        }
        let mut asked = files::read_optional(self.dir.join("asked")).expect("a file").unwrap_or_default();
        asked.extend(format!("{line}\n").bytes());
        files::write(self.dir.join("asked"), asked, 0o600).expect("a file");
        if files::exists(self.dir.join("kills")) {
            Command::shell("kill -KILL $PPID").run()?;
        }
        Ok(Output { code: i32::from(files::exists(self.dir.join("broken"))), ..Output::default() })
    }
}

/// The sha256 that hosts of these tests believe to run.
#[must_use]
pub fn runner() -> Digest {
    Digest::of(b"runner")
}

impl TestHerd {
    /// An empty remote, and an operator with a key.
    ///
    /// # Panics
    /// When git or ssh-keygen do not work here.
    #[must_use]
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let remote = dir.path().join("remote.git");
        Command::new("git").args(["init", "--quiet", "--bare"]).arg(&remote).read().expect("git init");
        // A process less for each push. There is nothing to tidy.
        configure(&remote, "[receive]\n\tautogc = false\n");
        let key = generate(&dir.path().join("operator"), "ada@example.org").expect("a key");
        let public = public_key(key.path()).expect("a public key");
        let operator = registry(dir.path(), "operator.git");
        // Runners of tests are tens of megabytes, and nobody sends them anywhere.
        for repository in [&remote, &dir.path().join("operator.git")] {
            configure(repository, "[core]\n\tcompression = 0\n");
        }
        Self { operator, key, allowed: format!("ada@example.org {public}\n"), dir, here: false }
    }

    /// As [`TestHerd::new`], with hosts that are this very machine, as runners in processes of their own take them for.
    ///
    /// # Panics
    /// When git or ssh-keygen do not work here.
    #[must_use]
    pub fn on_this_machine() -> Self {
        Self { here: true, ..Self::new() }
    }

    /// Where the remote is.
    #[must_use]
    pub fn remote(&self) -> PathBuf {
        self.dir.path().join("remote.git")
    }

    /// The operator's key.
    #[must_use]
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Whose changes count.
    #[must_use]
    pub fn allowed_signers(&self) -> &str {
        &self.allowed
    }

    /// A directory for what belongs to the herd and is no host.
    #[must_use]
    pub fn place(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The operator's view of the remote.
    #[must_use]
    pub fn operator(&self) -> &Registry {
        &self.operator
    }

    /// The directories of a host.
    #[must_use]
    pub fn home(&self, host: &str) -> Home {
        let dir = self.dir.path().join(host);
        Home::new(dir.join("etc"), dir.join("var"))
    }

    /// The root of a host's files.
    #[must_use]
    pub fn root(&self, host: &str) -> PathBuf {
        self.dir.path().join(host).join("root")
    }

    /// Copies a machine's disk, as a backup or a clone of it, over whatever is in its place.
    ///
    /// # Panics
    /// When it can't be copied.
    pub fn copy(&self, machine: &str, to: &str) {
        let (from, to) = (self.dir.path().join(machine), self.dir.path().join(to));
        files::remove_tree(&to).expect("an empty place");
        Command::new("cp").arg("--archive").args([from, to]).read().expect("a copy");
    }

    /// Says which hardware a machine has, which boot this is, and for how many seconds it lasts.
    ///
    /// # Panics
    /// When the files can't be written.
    pub fn hardware(&self, machine: &str, id: &str, boot: &str, uptime: u64) {
        for (path, text) in [
            ("etc/machine-id", id.to_owned()),
            ("proc/sys/kernel/random/boot_id", boot.to_owned()),
            ("proc/uptime", format!("{uptime}.00 0.00")),
        ] {
            let path = self.root(machine).join(path);
            files::create_dir(path.parent().expect("a parent")).expect("a directory");
            files::write(path, text, 0o644).expect("a file");
        }
    }

    /// An agent of a host, started anew, for `act`.
    ///
    /// # Panics
    /// When it does not start.
    pub fn with_agent<T>(&self, host: &str, catalog: &Catalog, act: impl FnOnce(&mut Agent<'_>) -> T) -> T {
        let system = self.system(host);
        let quiet = |_: &str| {};
        act(&mut Agent::open(self.home(host), catalog, &system, runner(), &quiet).expect("an agent"))
    }

    /// A host's files, and this machine's programs.
    #[must_use]
    pub fn system(&self, host: &str) -> System {
        system(&self.dir.path().join(host))
    }

    /// Enrols a machine.
    ///
    /// # Errors
    /// As [`enroll`].
    pub fn enroll(&self, host: &str) -> Result<String, EnrollError> {
        self.enroll_as(host, host, &self.allowed)
    }

    /// Enrols the machine in the directory `machine` under the name `host`.
    ///
    /// # Errors
    /// As [`enroll`].
    pub fn enroll_as(&self, machine: &str, host: &str, allowed_signers: &str) -> Result<String, EnrollError> {
        files::create_dir(self.root(machine))?;
        if !files::exists(self.root(machine).join("proc/sys/kernel/random/boot_id")) {
            self.boot_again(machine);
        }
        let wanted = Enrollment {
            name: host.into(),
            remote: self.remote().display().to_string(),
            allowed_signers: allowed_signers.into(),
            poll: Duration::from_secs(1),
            runner: self.dir.path().join(machine).join("wildebeest"),
        };
        let system = if self.here { System::real() } else { self.system(machine) };
        enroll(&self.home(machine), &wanted, &system)
    }

    /// Enrols hosts and admits them with one change each.
    ///
    /// # Panics
    /// When that fails.
    pub fn add(&self, hosts: &[(&str, &[&str])]) {
        for (host, roles) in hosts {
            let key = self.enroll(host).expect("enrolled");
            let uuid = self.home(host).read_config().expect("host.toml").uuid;
            self.change(ChangeKind::Admit, |manifest| {
                let roles = roles.iter().map(|role| (*role).to_owned()).collect();
                let identity = Some(Identity { uuid, key });
                manifest.hosts.insert((*host).into(), HostManifest { roles, identity, ..HostManifest::default() });
            });
        }
    }

    /// Deploys all of a catalog.
    ///
    /// # Panics
    /// When that fails.
    pub fn deploy(&self, catalog: &Catalog) {
        self.deploy_by(catalog, &BTreeMap::new());
    }

    /// Deploys all of a catalog, by what hosts report.
    ///
    /// # Panics
    /// When that fails.
    pub fn deploy_by(&self, catalog: &Catalog, reports: &BTreeMap<String, Report>) {
        self.change(ChangeKind::Deploy, |manifest| {
            manifest.served = served(manifest, reports);
            manifest.chain = catalog.chain().clone();
            manifest.target = catalog.chain().tip().map(|link| link.sha1);
            manifest.roles = catalog.policies().clone();
        });
    }

    /// Appends a change, signed by the operator.
    ///
    /// # Panics
    /// When that fails.
    pub fn change(&self, kind: ChangeKind, delta: impl FnOnce(&mut Manifest)) {
        let newest = self.newest();
        let mut manifest = newest.as_ref().map(|change| change.manifest.clone()).unwrap_or_default();
        manifest.number += 1;
        manifest.kind = kind;
        manifest.author = "Ada <ada@example.org>".into();
        delta(&mut manifest);
        let allowed = AllowedSigners::new(&self.allowed);
        let log = ChangeLog::new(self.operator.objects(), &allowed);
        let commit = log.write(newest.as_ref(), &manifest, &self.key).expect("a change");
        let update =
            RefUpdate { name: RefName::Changes, expected: newest.map(|change| change.sha1), new: Some(commit) };
        assert_eq!(self.operator.push(&[update]).expect("a push"), Pushed::Won);
    }

    /// The newest change on the remote.
    ///
    /// # Panics
    /// When it does not count.
    #[must_use]
    pub fn newest(&self) -> Option<VerifiedChange> {
        self.operator.fetch(&["refs/wildebeest/".into()]).expect("a fetch");
        let tip = self.operator.get(&RefName::Changes).expect("refs")?;
        let allowed = AllowedSigners::new(&self.allowed);
        Some(ChangeLog::new(self.operator.objects(), &allowed).read(tip).expect("a change that counts"))
    }

    /// One tick of a host's agent, started anew.
    ///
    /// # Errors
    /// As [`Agent::tick`].
    pub fn tick(&self, host: &str, catalog: &Catalog) -> Result<Next, AgentError> {
        self.tick_with(host, catalog, runner())
    }

    /// One tick of a host's agent, started anew, which believes to run the runner with this sha256.
    ///
    /// # Errors
    /// As [`Agent::tick`].
    pub fn tick_with(&self, host: &str, catalog: &Catalog, runner: Digest) -> Result<Next, AgentError> {
        tick_at(self.dir.path(), host, catalog, runner)
    }

    /// Where all of it lies.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Pushes a runner whose self-check says what a real one's would.
    ///
    /// # Panics
    /// When that fails.
    #[must_use]
    pub fn publish(&self, catalog: &Catalog) -> Runner {
        let says = serde_json::to_string(catalog.chain()).expect("a chain");
        let script = format!("#!/bin/sh\ncat <<'END'\n{says}\nEND\n").into_bytes();
        let sha256 = Digest::of(&script);
        let new = NewCommit {
            message: "runner".into(),
            files: [("wildebeest".to_owned(), script)].into(),
            author: ("m".into(), "m@x".into()),
            ..NewCommit::default()
        };
        let commit = self.operator.objects().write(&new, None).expect("a commit");
        let name = RefName::Runner { platform: platform(), id: commit.to_string() };
        let reference = name.to_string();
        self.operator.push(&[RefUpdate { name, expected: None, new: Some(commit) }]).expect("a push");
        Runner { sha256, commit, reference }
    }

    /// What a host asked of its machine's init: for reboots, and of services, but how these are.
    ///
    /// # Panics
    /// When that can't be read.
    #[must_use]
    pub fn asked(&self, host: &str) -> Vec<String> {
        let asked = files::read_optional(self.dir.path().join(host).join("asked")).expect("a file").unwrap_or_default();
        String::from_utf8_lossy(&asked).lines().map(str::to_owned).collect()
    }

    /// Lets a host be in another boot than before.
    ///
    /// # Panics
    /// When that can't be written.
    pub fn boot_again(&self, host: &str) {
        let path = self.root(host).join("proc/sys/kernel/random/boot_id");
        files::create_dir(path.parent().expect("a parent")).expect("a directory");
        files::write(path, Uuid::new_v4().to_string(), 0o644).expect("a boot id");
    }

    /// Ticks hosts in turn until none of them has anything to do, at most `rounds` times.
    ///
    /// # Panics
    /// When a tick fails, or after `rounds` there is still something to do.
    pub fn settle(&self, hosts: &[&str], catalog: &Catalog, rounds: usize) {
        for _ in 0..rounds {
            let before = self.said(hosts);
            let nexts: Vec<Next> = hosts.iter().map(|host| self.tick(host, catalog).expect("a tick")).collect();
            if nexts.iter().all(|next| matches!(next, Next::Poll | Next::Retry)) && self.said(hosts) == before {
                return;
            }
        }
        panic!("still busy after {rounds} rounds: {:?}", self.said(hosts));
    }

    /// What a host's disk says.
    ///
    /// # Panics
    /// When it can't be read.
    #[must_use]
    pub fn record(&self, host: &str) -> Record {
        Record::clone(&Store::open(&self.home(host).record()).expect("a record").record())
    }

    /// What keeps a host from going on.
    ///
    /// # Panics
    /// When its files can't be read.
    #[must_use]
    pub fn notices(&self, host: &str, catalog: &Catalog) -> Notices {
        let system = self.system(host);
        let quiet = |_: &str| {};
        let agent = Agent::open(self.home(host), catalog, &system, runner(), &quiet).expect("an agent");
        agent.notices().clone()
    }

    /// The signed reports of admitted hosts.
    ///
    /// # Panics
    /// When they can't be read.
    #[must_use]
    pub fn reports(&self) -> BTreeMap<String, Report> {
        let manifest = self.newest().map(|change| change.manifest).unwrap_or_default();
        self.operator.reports(&manifest, &mut ReportCache::default()).expect("reports")
    }

    /// What hosts say they do.
    #[must_use]
    pub fn said(&self, hosts: &[&str]) -> Vec<String> {
        let reports = self.reports();
        let said = |host: &&str| reports.get(*host).map_or("nothing".into(), |report| report.doing.to_string());
        hosts.iter().map(|host| format!("{host} {}", said(host))).collect()
    }

    /// Who is out of a role's pool.
    ///
    /// # Panics
    /// When the pool can't be read.
    #[must_use]
    pub fn out(&self, role: &str) -> Vec<String> {
        self.pool(role).holders.into_iter().map(|claim| claim.host).collect()
    }

    /// A role's pool.
    ///
    /// # Panics
    /// When it can't be read.
    #[must_use]
    pub fn pool(&self, role: &str) -> Pool {
        self.operator.fetch(&["refs/wildebeest/".into()]).expect("a fetch");
        self.operator.pool(role).expect("a pool").1
    }

    /// Lets the remote lose a role's pool.
    ///
    /// # Panics
    /// When git does not do that.
    pub fn lose_pool(&self, role: &str) {
        let git = Command::new("git").arg("-C").arg(self.remote());
        git.args(["update-ref", "-d", &format!("refs/wildebeest/out/{role}")]).read().expect("a ref");
        assert_eq!(self.out(role), Vec::<String>::new());
    }

    /// What migrations of these tests wrote on a host, a word each.
    #[must_use]
    pub fn written(&self, host: &str) -> String {
        files::read_text(self.root(host).join("written")).unwrap_or_default().trim().to_owned()
    }
}

/// Adds a section to what a repository has from git.
fn configure(repository: &Path, section: &str) {
    let path = repository.join("config");
    let config = files::read_text(&path).expect("git's own file");
    files::write(path, config + section, 0o644).expect("a file");
}

fn system(dir: &Path) -> System {
    System::new(dir.join("root"), Spared { dir: dir.to_owned() }, clock::Real)
}

/// One tick of the agent of a host whose herd lies in `dir`, started anew: see [`TestHerd::tick_with`].
///
/// # Errors
/// As [`Agent::tick`].
pub fn tick_at(dir: &Path, host: &str, catalog: &Catalog, runner: Digest) -> Result<Next, AgentError> {
    let dir = dir.join(host);
    let system = system(&dir);
    let quiet = |_: &str| {};
    Agent::open(Home::new(dir.join("etc"), dir.join("var")), catalog, &system, runner, &quiet)?.tick()
}

/// A local copy of the remote's refs in `dir`.
///
/// # Panics
/// When it can't be made.
#[must_use]
pub fn registry(dir: &Path, name: &str) -> Registry {
    let remote = dir.join("remote.git").display().to_string();
    Registry::open(&dir.join(name), &remote, Access::Operator { ssh_command: None }).expect("a registry")
}
