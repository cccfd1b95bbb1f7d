//! What happens, in order.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use wb_core::chain::Sha1;
use wb_core::change::Manifest;
use wb_core::herd::Herd as HerdFile;
use wb_core::registry::{SigningKey, generate, public_key};
use wb_core::system::clock::{Clock as _, Real, Stopwatch};
use wb_core::system::{Command, files};

use super::balancer::Sampler;
use super::load::{Load, Pages};
use super::outcome::{HostOutcome, LEAST_REQUESTS, Measured, Outcome};
use super::watch::{self, Scenery};
use super::{DemoError, cast, example, hosts};
use crate::admission;
use crate::build;
use crate::deploy::{self, Request};
use crate::fleet::Fleet;
use crate::operator::Operator;
use crate::sandbox::{self, Elevation, GitServer, Herd, Host, Image, Network};
use crate::scaffold::{self, Dependencies, Scaffold};
use crate::shell::Shell;
use crate::status::HerdStatus;

/// What a user may ask of the demo.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Where to write the result, as JSON.
    pub json: Option<PathBuf>,
    /// Whether the herd stays when all is done.
    pub keep: bool,
    /// Where everything of it goes; else where [`stop`] looks.
    pub scratch: Option<PathBuf>,
}

const PAGES: Pages = Pages { old: "The first page", new: "The second page" };

/// Enough for the first deploy, which downloads and installs packages.
const FIRST: Duration = Duration::from_secs(420);
const ROLL: Duration = Duration::from_secs(180);

/// Runs the demo from nothing to its result.
///
/// # Errors
/// When this machine can't do it, or the herd did not come through. All is cleaned up.
pub fn run(options: &Options, shell: &Shell) -> Result<Outcome, DemoError> {
    let played = play(options, shell);
    // What was under way when somebody interrupted the demo fails in words of its own.
    played.map_err(|error| if interrupted() { DemoError::Interrupted } else { error })
}

fn play(options: &Options, shell: &Shell) -> Result<Outcome, DemoError> {
    let scratch = options.scratch.clone().unwrap_or_else(scratch);
    prepare(&scratch, shell)?;
    let say = |line: &str| shell.done("sandbox", line);
    let image = {
        let _progress = shell.begin("preparing the hosts' root file system");
        Image::debian12(&sandbox::cache_dir(), &say)?
    };
    go_on()?;
    let (place, say) = (scratch.join("herd"), |line: &str| shell.note(line));
    let herd = Herd::start_stocked(&image, &place, subnet()?, &example::PACKAGES, &say)?;
    let stage = Stage::set(&herd, &scratch, shell)?;
    let outcome = stage.play(shell)?;
    if let Some(path) = &options.json {
        let json =
            serde_json::to_vec_pretty(&outcome).map_err(|source| DemoError::Result { path: path.clone(), source })?;
        files::write(path, json, 0o644)?;
    }
    match options.keep {
        true => stage.leave(herd, shell)?,
        false => drop((stage, herd)),
    }
    Ok(outcome)
}

/// Ends a herd that was kept. True when there was one.
///
/// # Errors
/// When it does not end, or a demo is running.
pub fn stop() -> Result<bool, DemoError> {
    elevate()?;
    Ok(Herd::stop(&scratch().join("herd"))?)
}

fn scratch() -> PathBuf {
    sandbox::scratch_dir("demo")
}

/// Whether somebody wants the demo to end.
pub(super) fn interrupted() -> bool {
    flag().load(Ordering::Relaxed)
}

/// Between two steps: whoever wants the demo to end need not wait, and all is cleaned up.
fn go_on() -> Result<(), DemoError> {
    if interrupted() { Err(DemoError::Interrupted) } else { Ok(()) }
}

fn flag() -> &'static Arc<AtomicBool> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    FLAG.get_or_init(Arc::default)
}

/// Checks all that is needed before anything is downloaded.
fn prepare(scratch: &Path, shell: &Shell) -> Result<(), DemoError> {
    elevate()?;
    for signal in [SIGINT, SIGTERM] {
        // A second signal ends at once; the herd then ends with this process, and the next start tidies its disks.
        drop(signal_hook::flag::register_conditional_default(signal, Arc::clone(flag())));
        drop(signal_hook::flag::register(signal, Arc::clone(flag())));
    }
    // Nothing is installed on a machine that can't do it anyway.
    let bare = sandbox::probe_bare(scratch);
    if !bare.possible() {
        return Err(DemoError::Missing { missing: bare.missing });
    }
    let say = |line: &str| shell.done("machine", line);
    sandbox::ensure_tools(&say)?;
    go_on()?;
    if let Err(error) = sandbox::ensure_musl_compiler(&say) {
        shell.note(format_args!("the runner is built for glibc: {error}"));
    }
    let probe = sandbox::probe(scratch);
    for missing in probe.missing.iter().filter(|missing| !missing.essential) {
        shell.warn(missing);
    }
    match probe.possible() {
        true => Ok(()),
        false => Err(DemoError::Missing { missing: probe.missing }),
    }
}

fn elevate() -> Result<(), DemoError> {
    match sandbox::elevate()? {
        Elevation::Impossible(line) => Err(DemoError::NotAllowed { line }),
        _ => Ok(()),
    }
}

fn subnet() -> Result<sandbox::Subnet, DemoError> {
    cast::SUBNET.parse().map_err(|error: sandbox::SubnetError| DemoError::NotAllowed { line: error.to_string() })
}

/// The scene: a git server, a fleet repository, and hosts that follow it.
struct Stage {
    fleet: Fleet,
    dir: PathBuf,
    key: PathBuf,
    hosts: Vec<Host>,
    network: Network,
}

/// What an earlier demo compiled, which the next one need not compile again.
struct Built(PathBuf);

impl Built {
    fn keep(fleet: &Path, scratch: &Path) -> Result<Self, DemoError> {
        let (target, kept) = (fleet.join("target"), scratch.join("target"));
        if files::exists(&target) {
            files::remove_tree(&kept)?;
            files::rename(&target, &kept)?;
        }
        Ok(Self(kept))
    }

    fn give_back(&self, fleet: &Path) -> Result<(), DemoError> {
        match files::exists(&self.0) {
            true => Ok(files::rename(&self.0, fleet.join("target"))?),
            false => Ok(()),
        }
    }
}

impl Stage {
    fn set(herd: &Herd, scratch: &Path, shell: &Shell) -> Result<Self, DemoError> {
        let (dir, keys) = (scratch.join("fleet"), scratch.join("keys"));
        let built = Built::keep(&dir, scratch)?;
        for old in [&dir, &keys] {
            files::remove_tree(old)?;
        }
        let public = hosts::keys(&keys)?;
        let key = generate(&keys.join("operator"), "operator")?.path().to_owned();
        let operator = public_key(&key)?;
        let (server, hosts) = boot(herd, shell)?;
        go_on()?;
        server.authorise(public.iter().chain([&operator]))?;
        let signers = format!("operator@demo {operator}\n");
        let fleet = make_fleet(&dir, &server.url(), &signers, shell)?;
        built.give_back(&dir)?;
        let network = herd.network();
        connect(&fleet, network, &server, &key, &keys)?;
        go_on()?;
        let built = build::runner(&fleet, shell)?;
        go_on()?;
        {
            let _progress = shell.begin("enrolling the hosts");
            hosts::enroll(&hosts, &built.path, &keys, &signers, &server)?;
        }
        go_on()?;
        admit(&fleet, &key, shell)?;
        go_on()?;
        hosts::start_agents(&hosts)?;
        Ok(Self { fleet, dir, key, hosts, network })
    }

    /// The first deploy, then the roll under load.
    fn play(&self, shell: &Shell) -> Result<Outcome, DemoError> {
        let watch = Stopwatch::start();
        self.deploy("the first page", FIRST, None, shell)?;
        let seconds_first_deploy = watch.elapsed().as_secs_f64();
        let socket = self.hosts[0].root()?.join("run/haproxy/admin.sock");
        let sampler = Sampler::start(socket);
        let load = Load::start(self.network, cast::balancer(), PAGES);
        let load_watch = Stopwatch::start();
        let requests = |at_least: usize| (load.so_far().0 >= at_least).then_some(());
        wait("requests to be answered", || requests(20))?;
        let second = example::second_page().into_iter();
        second.map(|link| scaffold::add_link(&self.fleet, &link)).collect::<Result<Vec<_>, _>>()?;
        let watch = Stopwatch::start();
        let (tip, status) =
            self.deploy("the second page", ROLL, Some(Scenery { load: &load, sampler: &sampler }), shell)?;
        let seconds_roll = watch.elapsed().as_secs_f64();
        let rolled = Real.now();
        let enough = LEAST_REQUESTS.max(load.so_far().0 + 40);
        wait("more requests", || requests(enough))?;
        let (seconds_load, most_out) = (load_watch.elapsed().as_secs_f64(), sampler.most_out(|_| true));
        let manifest = self.manifest()?;
        let measured = Measured {
            hosts: status.hosts.iter().map(HostOutcome::from).collect(),
            tip,
            requests: load.end()?,
            seconds_load,
            rolled,
            max_out_seen: most_out,
            max_out: status.pools.iter().find(|pool| pool.role == "web").map_or(1, |pool| pool.limit),
            chain: manifest.chain,
            seconds_first_deploy,
            seconds_roll,
        };
        Ok(measured.judge())
    }

    fn deploy(
        &self,
        what: &str,
        bound: Duration,
        scenery: Option<Scenery<'_>>,
        shell: &Shell,
    ) -> Result<(Sha1, HerdStatus), DemoError> {
        let request = Request { message: Some(what.to_owned()), key: Some(self.key.clone()), ..Request::default() };
        let deployed = deploy::deploy(&self.fleet, &request, shell)?;
        shell.done("deployed", format_args!("{what}\n{}", deployed.difference));
        let target = self.manifest()?.target.unwrap_or(Sha1::ZERO);
        let status = watch::until_all_at(target, bound, &self.fleet, &self.hosts, scenery, shell)?;
        Ok((target, status))
    }

    fn manifest(&self) -> Result<Manifest, DemoError> {
        let operator = Operator::of(&self.fleet)?;
        operator.fetch()?;
        Ok(operator.newest()?.map(|change| change.manifest).unwrap_or_default())
    }

    fn leave(&self, herd: Herd, shell: &Shell) -> Result<(), DemoError> {
        for host in &self.hosts {
            shell.print(format_args!("{:<5} {}", host.name(), host.shell_line()?));
        }
        let dir = self.dir.display();
        shell.print(format_args!("The herd stays. Its fleet is in {dir}: there, change something and commit it, then"));
        shell.print(format_args!("  cd {dir} && cargo xtask deploy && cargo xtask status"));
        shell.print("To end it: cargo xtask demo --stop");
        Ok(herd.leave_running()?)
    }
}

fn boot(herd: &Herd, shell: &Shell) -> Result<(GitServer, Vec<Host>), DemoError> {
    let _progress = shell.begin("booting a git server and five hosts");
    let server = herd.git_server("git", cast::GIT)?;
    let hosts = hosts::boot(herd)?;
    for host in &hosts {
        shell.done("booted", format_args!("{} at {}", host.name(), host.address()));
    }
    Ok((server, hosts))
}

fn make_fleet(dir: &Path, remote: &str, signers: &str, shell: &Shell) -> Result<Fleet, DemoError> {
    let scaffold = Scaffold {
        herd: cast::herd_toml(remote),
        roles: example::ROLES.to_owned(),
        signers: signers.to_owned(),
        tests: example::TESTS.to_owned(),
        files: example::settings(),
        links: example::up_to_the_first_page().into_iter().chain(example::names()).collect(),
        ..Scaffold::new(dir, Dependencies::Paths)
    };
    Ok(scaffold.create(shell)?)
}

/// Tells git in the fleet how to reach the server, and with which key to sign; and gives the server the fleet.
fn connect(fleet: &Fleet, network: Network, server: &GitServer, key: &Path, keys: &Path) -> Result<(), DemoError> {
    let known_hosts = keys.join("known_hosts");
    files::write(&known_hosts, server.known_hosts()?, 0o644)?;
    let ssh = format!(
        "{} -F /dev/null -o BatchMode=yes -o UserKnownHostsFile={} -i {}",
        network.ssh_command(),
        known_hosts.display(),
        key.display()
    );
    let key = key.display().to_string();
    let settings = [("core.sshCommand", ssh.as_str()), ("gpg.format", "ssh"), ("user.signingkey", &key)];
    for (name, value) in settings {
        git(fleet).args(["config", name, value]).read()?;
    }
    git(fleet).args(["remote", "add", "origin", &server.url()]).read()?;
    git(fleet).args(["push", "--quiet", "origin", "main"]).read()?;
    Ok(())
}

fn git(fleet: &Fleet) -> Command {
    Command::new("git").arg("-C").arg(&fleet.crate_dir)
}

fn admit(fleet: &Fleet, key: &Path, shell: &Shell) -> Result<(), DemoError> {
    let operator = Operator::of(fleet)?;
    let herd: HerdFile = fleet.herd()?;
    let key = SigningKey::new(key);
    for (name, entry) in &herd.hosts {
        let admitted = admission::admit(&operator, name, entry, admission::Wanted::default(), &key, shell);
        admitted.map_err(|source| DemoError::Admit { host: name.clone(), source: Box::new(source) })?;
        shell.done("admitted", name);
    }
    Ok(())
}

fn wait(what: &str, ready: impl FnMut() -> Option<()>) -> Result<(), DemoError> {
    let waited = wb_core::system::clock::wait_until(&Real, ROLL, Duration::from_millis(100), ready);
    waited.ok_or_else(|| DemoError::Waited { what: what.to_owned(), seconds: ROLL.as_secs() })
}

impl From<&crate::status::HostStatus> for HostOutcome {
    fn from(host: &crate::status::HostStatus) -> Self {
        let roles: &BTreeSet<String> = &host.roles;
        Self {
            name: host.name.clone(),
            roles: roles.iter().cloned().collect(),
            state: host.state,
            migration: host.migration.clone(),
        }
    }
}
