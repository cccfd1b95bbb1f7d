//! A herd of real hosts, with all that belongs to it: a git server, a fleet repository, an operator.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use wb_core::registry::{SigningKey, generate, public_key};
use wb_core::system::clock::{Real, Stopwatch, wait_until};
use wb_core::system::{Command, Output, files};
pub use wb_xtask::at_once::each;
use wb_xtask::build;
use wb_xtask::fleet::Fleet;
use wb_xtask::sandbox::{GitServer, Herd, Host, Image, Network, cache_dir, scratch_dir};
use wb_xtask::scaffold::{self, Dependencies, LinkSource, Scaffold};
use wb_xtask::shell::Shell;

/// A herd on this machine.
pub struct Stage {
    hosts: Vec<Host>,
    server: GitServer,
    fleet: Fleet,
    signers: String,
    runner: Vec<u8>,
    authorised: Mutex<Vec<String>>,
    operator: PathBuf,
    poll: String,
    roles_of: RolesOf,
    herd: Herd,
}

const SUBNET: &str = "10.78.0.0/24";
const GIT: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 2);
const RUNNER: &str = "/usr/local/bin/wildebeest";

/// Long enough for each thing that a test waits for, on a busy machine.
pub(crate) const BOUND: Duration = Duration::from_secs(120);

/// The roles of a host, by its name.
pub type RolesOf = fn(&str) -> &'static [&'static str];

/// What a stage is set for. What is not said: the hosts are of one role `web` and keep a diary, which the first migration
/// begins.
#[derive(Debug, Clone)]
pub struct Play<'a> {
    /// Of its scratch directory.
    pub name: &'a str,
    /// The hosts, by name.
    pub hosts: &'a [&'a str],
    /// The roles of each.
    pub roles_of: RolesOf,
    /// The text of `src/roles.rs`.
    pub roles: &'a str,
    /// The first migrations.
    pub links: Vec<LinkSource>,
    /// The settings of every host, as an inline table without its braces.
    pub settings: &'a str,
    /// How often hosts look at the remote.
    pub poll: &'a str,
    /// What hosts will install, for a machine on which they have no way out to the mirrors.
    pub packages: &'a [&'a str],
    /// The program with the operator's commands.
    pub operator: &'a str,
}

impl Default for Play<'_> {
    fn default() -> Self {
        Self {
            name: "test",
            hosts: &[],
            roles_of: |_| &["web"],
            roles: include_str!("../fleet/roles.rs"),
            links: vec![link("begin", include_str!("../fleet/begin.rs"))],
            settings: "",
            poll: "1s",
            packages: &[],
            operator: "",
        }
    }
}

/// A migration that brings no files with it.
#[must_use]
pub fn link(name: &str, source: &str) -> LinkSource {
    LinkSource { name: name.into(), source: source.into(), files: Vec::new() }
}

impl Stage {
    /// Boots a git server and the hosts, makes a fleet, and builds its runner.
    ///
    /// # Panics
    /// When that fails.
    #[must_use]
    pub fn set(play: Play<'_>) -> Self {
        let (shell, scratch) = (Shell::standard(), scratch_dir(play.name));
        let image = Image::debian12(&cache_dir(), &|line| shell.note(line)).expect("an image");
        let (subnet, place) = (SUBNET.parse().expect("a subnet"), scratch.join("herd"));
        let herd = Herd::start_stocked(&image, &place, subnet, play.packages, &|line| shell.note(line));
        let herd = herd.expect("a herd");
        let server = herd.git_server("git", GIT).expect("a git server");
        let hosts = each(play.hosts.iter().zip(11..), |(name, last)| boot(&herd, name, last));
        let (key, public) = key_of_operator(&scratch.join("keys"));
        server.authorise([&public]).expect("an authorised operator");
        let signers = format!("operator@example.org {public}\n");
        let (operator, poll, roles_of) = (play.operator.into(), play.poll.to_owned(), play.roles_of);
        let fleet = make_fleet(play, &scratch.join("fleet"), herd_of(&server, &hosts, roles_of), &signers, &shell);
        connect(&fleet, &herd, &server, &key);
        let runner = build::runner(&fleet, &shell).expect("a runner");
        let runner = files::read(runner.path).expect("a runner");
        let authorised = Mutex::new(vec![public]);
        Self { hosts, server, fleet, signers, runner, authorised, operator, poll, roles_of, herd }
    }

    /// A host by its name.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn host(&self, name: &str) -> &Host {
        self.hosts.iter().find(|host| host.name() == name).expect("a host of that name")
    }

    /// The git server.
    #[must_use]
    pub fn server(&self) -> &Host {
        self.server.host()
    }

    /// The network that all of them are in.
    #[must_use]
    pub fn network(&self) -> Network {
        self.herd.network()
    }

    /// The output of a line of shell on a host.
    ///
    /// # Panics
    /// When it fails.
    pub fn on(&self, host: &str, line: &str) -> String {
        self.host(host).read(Command::shell(line)).expect("a command that succeeds")
    }

    /// Puts on a host what it needs to enrol: the runner, the list of signers, the git server's key.
    ///
    /// # Panics
    /// When that fails.
    pub fn equip(&self, host: &str) {
        let put = |path: &str, content: Vec<u8>, mode| self.host(host).put(path, content, mode).expect("a file there");
        put(RUNNER, self.runner.clone(), 0o755);
        put("/etc/ssh/ssh_known_hosts", self.server.known_hosts().expect("a key").into_bytes(), 0o644);
        put("/root/allowed_signers", self.signers.clone().into_bytes(), 0o644);
    }

    /// Enrols a host under `name`.
    ///
    /// # Panics
    /// When the command can't be run.
    #[must_use]
    pub fn enroll(&self, host: &str, name: &str) -> Output {
        let command = Command::new(RUNNER).args(["enroll", "--name", name, "--remote", &self.server.url()]);
        let command = command.args(["--allowed-signers", "/root/allowed_signers", "--poll", &self.poll]);
        self.host(host).run(command).expect("a command that runs")
    }

    /// Lets a host, which has a key, read and write on the git server.
    ///
    /// # Panics
    /// When it has none.
    pub fn authorise(&self, host: &str) {
        self.authorise_key(host, "/etc/wildebeest/host_key.pub");
    }

    /// Lets whoever has the private half of this file on a host read and write on the git server.
    ///
    /// # Panics
    /// When there is none.
    pub fn authorise_key(&self, host: &str, path: &str) {
        let mut keys = self.authorised.lock().unwrap_or_else(PoisonError::into_inner);
        keys.push(self.on(host, &format!("cat {path}")));
        self.server.authorise(keys.iter()).expect("authorised keys");
    }

    /// Starts a host's agent, now and at each boot.
    pub fn start_agent(&self, host: &str) {
        self.on(host, "wildebeest install-service");
    }

    /// Enrols hosts under their names, all at once, admits them, and starts their agents.
    ///
    /// # Panics
    /// When that fails.
    pub fn join(&self, hosts: &[&str]) {
        each(hosts, |host| {
            self.equip(host);
            assert_eq!(self.enroll(host, host).code, 3, "the server does not know the key of {host} yet");
            self.authorise(host);
            assert_eq!(self.enroll(host, host).code, 0, "{host}");
        });
        for host in hosts {
            assert_eq!(self.operate(&["host", "admit", host]).code, 0, "{host}");
        }
        each(hosts, |host| self.start_agent(host));
    }

    /// One of the operator's commands.
    ///
    /// # Panics
    /// When it can't be run.
    #[must_use]
    pub fn operate(&self, args: &[&str]) -> Output {
        let command = Command::new(&self.operator).args(args).dir(&self.fleet.crate_dir);
        command.run().expect("a command of the operator")
    }

    /// Does one part of a test, and says how long it took.
    pub fn part<T>(&self, what: &str, act: impl FnOnce(&Self) -> T) -> T {
        let watch = Stopwatch::start();
        let result = act(self);
        self.note(&format!("{what}: {:.1} s", watch.elapsed().as_secs_f64()));
        result
    }

    /// Says something for who reads what a test did.
    pub fn note(&self, line: &str) {
        Shell::standard().note(line);
    }

    /// Adds migrations, a commit each.
    ///
    /// # Panics
    /// When that fails.
    pub fn add_links(&self, links: &[LinkSource]) {
        for link in links {
            scaffold::add_link(&self.fleet, link).expect("a link");
        }
    }

    /// Gives all hosts other settings.
    ///
    /// # Panics
    /// When that fails.
    pub fn set_settings(&self, settings: &str) {
        let text = herd_of(&self.server, &self.hosts, self.roles_of)(settings);
        files::write(self.fleet.herd_path(), text, 0o644).expect("herd.toml");
        self.fleet.work_tree().expect("a repository").commit_all("Other settings").expect("a commit");
    }

    /// Who is out of load, as the pool on the server has it. It is read on the server itself: no network is needed.
    ///
    /// # Panics
    /// When it can't be read.
    #[must_use]
    pub fn pool(&self) -> String {
        self.git_log("-1 refs/wildebeest/out/web")
    }

    /// All that the pool of a role ever was, the newest first, where the server keeps a log of its refs.
    ///
    /// # Panics
    /// When it can't be read.
    #[must_use]
    pub fn pools(&self, role: &str) -> Vec<String> {
        self.git_log(&format!("--walk-reflogs refs/wildebeest/out/{role}")).lines().map(str::to_owned).collect()
    }

    fn git_log(&self, args: &str) -> String {
        let log = format!("git -c safe.directory='*' -C /srv/git/herd.git log --format=%s {args}");
        self.server.host().read(Command::shell(&log)).expect("a pool")
    }

    /// Waits until `ready` gives a value, and not for ever.
    ///
    /// # Panics
    /// When it does not; then with what there is to know of the herd.
    pub fn wait<T>(&self, what: &str, ready: impl FnMut() -> Option<T>) -> T {
        self.wait_so(BOUND, Duration::from_millis(100), what, ready)
    }

    /// The same, for `bound` at most, and with a pause before it is asked again.
    pub(crate) fn wait_so<T>(
        &self,
        bound: Duration,
        pause: Duration,
        what: &str,
        ready: impl FnMut() -> Option<T>,
    ) -> T {
        let found = wait_until(&Real, bound, pause, ready);
        found.unwrap_or_else(|| panic!("waited {} s in vain for {what}\n{}", bound.as_secs(), self.logs()))
    }

    fn logs(&self) -> String {
        let log = |host: &Host| {
            let tail = Command::shell("tail -n 40 /var/log/wildebeest.log; echo; cat /srv/diary");
            let said = host.run(tail).map(|output| output.text()).unwrap_or_else(|error| error.to_string());
            format!("== {}\n{said}\n", host.name())
        };
        self.hosts.iter().map(log).collect()
    }
}

fn boot(herd: &Herd, name: &str, last: u8) -> Host {
    let [a, b, c, _] = GIT.octets();
    herd.boot(name, Ipv4Addr::new(a, b, c, last)).expect("a host")
}

fn key_of_operator(dir: &Path) -> (SigningKey, String) {
    files::remove_tree(dir).expect("the old keys removed");
    files::create_dir(dir).expect("a directory for keys");
    let key = generate(&dir.join("operator"), "operator").expect("a key");
    let public = public_key(key.path()).expect("a public key");
    (key, public)
}

fn make_fleet(play: Play<'_>, dir: &Path, herd: impl Fn(&str) -> String, signers: &str, shell: &Shell) -> Fleet {
    files::remove_tree(dir).expect("the old fleet removed");
    let scaffold = Scaffold {
        herd: herd(play.settings),
        roles: play.roles.to_owned(),
        signers: signers.to_owned(),
        tests: String::new(),
        links: play.links,
        ..Scaffold::new(dir, Dependencies::Paths)
    };
    scaffold.create(shell).expect("a fleet")
}

/// The text of `herd.toml`, for any settings.
fn herd_of(server: &GitServer, hosts: &[Host], roles_of: RolesOf) -> impl Fn(&str) -> String {
    let host = |host: &Host| (host.name().to_owned(), host.address());
    let (remote, hosts) = (server.url(), hosts.iter().map(host).collect::<Vec<_>>());
    move |settings| {
        let entry = |(name, address): &(String, Ipv4Addr)| {
            let roles = roles_of(name);
            format!("\n[hosts.{name}]\nroles = {roles:?}\naddress = \"{address}\"\nsettings = {{ {settings} }}\n")
        };
        format!("[herd]\nremote = \"{remote}\"\n") + &hosts.iter().map(entry).collect::<String>()
    }
}

/// Tells git in the fleet how to reach the server, and with which key to sign.
fn connect(fleet: &Fleet, herd: &Herd, server: &GitServer, key: &SigningKey) {
    let known_hosts = key.path().with_extension("known_hosts");
    files::write(&known_hosts, server.known_hosts().expect("the server's key"), 0o644).expect("a file");
    let (key, known_hosts) = (key.path().display(), known_hosts.display());
    let options = format!("-F /dev/null -o BatchMode=yes -o UserKnownHostsFile={known_hosts} -i {key}");
    let ssh = format!("{} {options}", herd.network().ssh_command());
    let key = key.to_string();
    for (name, value) in [("core.sshCommand", &*ssh), ("gpg.format", "ssh"), ("user.signingkey", &key)] {
        let config = Command::new("git").arg("-C").arg(&fleet.crate_dir).args(["config", name, value]);
        config.read().expect("git config");
    }
}
