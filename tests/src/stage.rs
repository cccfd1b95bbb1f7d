//! A herd of real hosts, with all that belongs to it, for tests: what goes wrong on the stage ends them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};
use wb_core::system::clock::{Real, Stopwatch, wait_until};
use wb_core::system::{Command, Output, files};
pub use wb_xtask::at_once::each;
use wb_xtask::build;
use wb_xtask::fleet::Fleet;
use wb_xtask::sandbox::{Host, Image, Network, cache_dir, scratch_dir};
use wb_xtask::scaffold::{self, Dependencies, LinkSource, Scaffold};
use wb_xtask::shell::Shell;
use wb_xtask::stage::{self, Keys, Machines, Setting, herd_toml};
use wb_xtask::test::cast::Player;

/// A herd on this machine.
pub struct Stage {
    stage: stage::Stage,
    players: Vec<Player>,
    operator: PathBuf,
}

const SUBNET: &str = "10.78.0.0/24";

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
        let image = Image::debian12(&cache_dir(), &note).expect("an image");
        let players = play.players();
        let setting = Setting {
            place: &scratch,
            subnet: SUBNET.parse().expect("a subnet"),
            image: &image,
            stock: play.packages,
            players: &players,
            poll: play.poll,
            bases: BTreeMap::new(),
        };
        let machines = Machines::boot(&setting, &note).expect("machines");
        let keys = Keys::make(&scratch.join("keys")).expect("keys");
        let herd = herd_toml(&machines.remote(), &players).expect("a herd.toml");
        let operator = play.operator.into();
        let fleet = make_fleet(play, &scratch.join("fleet"), herd, keys.signers(), &shell);
        let runner = build::runner(&fleet, &shell).expect("a runner");
        let runner = files::read(runner.path).expect("a runner");
        let stage = stage::Stage::set(machines, keys, fleet, &runner).expect("a stage");
        Self { stage, players, operator }
    }

    /// A host by its name.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn host(&self, name: &str) -> &Host {
        self.stage.host(name).expect("a host of that name")
    }

    /// The git server.
    #[must_use]
    pub fn server(&self) -> &Host {
        self.stage.server().host()
    }

    /// The network that all of them are in.
    #[must_use]
    pub fn network(&self) -> Network {
        self.stage.network()
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
        self.stage.equip(host).expect("a machine that is equipped");
    }

    /// Enrols a host under `name`.
    ///
    /// # Panics
    /// When the command can't be run.
    #[must_use]
    pub fn enroll(&self, host: &str, name: &str) -> Output {
        self.stage.enroll(host, name).expect("a command that runs")
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
        self.stage.authorise([self.on(host, &format!("cat {path}"))]).expect("authorised keys");
    }

    /// Starts a host's agent, now and at each boot.
    ///
    /// # Panics
    /// When that fails.
    pub fn start_agent(&self, host: &str) {
        self.stage.start_agent(host).expect("an agent");
    }

    /// Enrols hosts under their names, all at once, admits them, and starts their agents.
    ///
    /// # Panics
    /// When that fails.
    pub fn join(&self, hosts: &[&str]) {
        self.stage.join(hosts, &Shell::standard()).expect("hosts of the herd");
    }

    /// One of the operator's commands.
    ///
    /// # Panics
    /// When it can't be run.
    #[must_use]
    pub fn operate(&self, args: &[&str]) -> Output {
        let command = Command::new(&self.operator).args(args).dir(&self.stage.fleet().crate_dir);
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
        note(line);
    }

    /// Adds migrations, a commit each.
    ///
    /// # Panics
    /// When that fails.
    pub fn add_links(&self, links: &[LinkSource]) {
        for link in links {
            scaffold::add_link(self.stage.fleet(), link).expect("a link");
        }
    }

    /// Gives all hosts other settings.
    ///
    /// # Panics
    /// When that fails.
    pub fn set_settings(&self, settings: &str) {
        let (fleet, settings) = (self.stage.fleet(), settings_of(settings));
        let with_others = |player: &Player| Player { settings: settings.clone(), ..player.clone() };
        let players: Vec<Player> = self.players.iter().map(with_others).collect();
        let text = herd_toml(&self.stage.server().url(), &players).expect("a herd.toml");
        files::write(fleet.herd_path(), text, 0o644).expect("herd.toml");
        fleet.work_tree().expect("a repository").commit_all("Other settings").expect("a commit");
    }

    /// Who is out of load, as the pool on the server has it. It is read on the server itself: no network is needed.
    ///
    /// # Panics
    /// When it can't be read.
    #[must_use]
    pub fn pool(&self) -> String {
        self.stage.server().git(["log", "-1", "--format=%s", "refs/wildebeest/out/web"]).expect("a pool")
    }

    /// All that the pool of a role ever was, the newest first, where the server keeps a log of its refs.
    ///
    /// # Panics
    /// When it can't be read.
    #[must_use]
    pub fn pools(&self, role: &str) -> Vec<String> {
        let subject = |message: String| message.lines().next().unwrap_or_default().to_owned();
        self.stage.pools(role).expect("pools").iter().map(|pool| subject(pool.message(role))).collect()
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
        self.stage.hosts().values().map(log).collect()
    }
}

impl Play<'_> {
    fn players(&self) -> Vec<Player> {
        let settings = settings_of(self.settings);
        let player = |(name, last): (&&str, u8)| Player {
            name: (*name).to_owned(),
            roles: (self.roles_of)(name).iter().map(|role| (*role).to_owned()).collect::<BTreeSet<_>>(),
            address: Ipv4Addr::new(10, 78, 0, last),
            settings: settings.clone(),
        };
        self.hosts.iter().zip(11..).map(player).collect()
    }
}

/// What an inline table without its braces says.
fn settings_of(text: &str) -> Map<String, Value> {
    let herd = format!("[hosts.one]\nroles = []\nsettings = {{ {text} }}\n");
    let mut herd = wb_core::herd::Herd::parse(&herd).expect("settings");
    herd.hosts.remove("one").expect("a host").settings
}

fn note(line: &str) {
    Shell::standard().note(line);
}

fn make_fleet(play: Play<'_>, dir: &Path, herd: String, signers: String, shell: &Shell) -> Fleet {
    files::remove_tree(dir).expect("the old fleet removed");
    let scaffold = Scaffold {
        herd,
        roles: play.roles.to_owned(),
        signers,
        tests: String::new(),
        links: play.links,
        ..Scaffold::new(dir, Dependencies::Paths)
    };
    scaffold.create(shell).expect("a fleet")
}
