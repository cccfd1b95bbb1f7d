//! What happens, in order.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use wb_core::chain::Sha1;
use wb_core::system::clock::{Clock as _, Real, Stopwatch};
use wb_core::system::{Command, files};

use super::balancer::Sampler;
use super::load::{Load, Pages};
use super::outcome::{HostOutcome, LEAST_REQUESTS, Measured, Outcome};
use super::watch::{self, Scenery};
use super::{DemoError, cast, example};
use crate::build;
use crate::deploy::Request;
use crate::fleet::Fleet;
use crate::sandbox::{self, Elevation, Herd, Image, NotReady};
use crate::scaffold::{self, Dependencies, Scaffold};
use crate::shell::Shell;
use crate::stage::{Keys, Machines, Setting, Stage, StageError, herd_toml};
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
    let players = cast::players();
    let setting = Setting {
        place: &scratch,
        subnet: cast::SUBNET.parse()?,
        image: &image,
        stock: &example::PACKAGES,
        players: &players,
        poll: cast::POLL,
        bases: BTreeMap::new(),
    };
    let show = Show::open(&setting, shell)?;
    let outcome = show.play(shell)?;
    if let Some(path) = &options.json {
        let json =
            serde_json::to_vec_pretty(&outcome).map_err(|source| DemoError::Result { path: path.clone(), source })?;
        files::write(path, json, 0o644)?;
    }
    match options.keep {
        true => show.leave(shell)?,
        false => drop(show),
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
    for signal in [SIGINT, SIGTERM] {
        // A second signal ends at once; the herd then ends with this process, and the next start tidies its disks.
        drop(signal_hook::flag::register_conditional_default(signal, Arc::clone(flag())));
        drop(signal_hook::flag::register(signal, Arc::clone(flag())));
    }
    Ok(sandbox::ready(scratch, shell)?)
}

fn elevate() -> Result<(), DemoError> {
    match sandbox::elevate()? {
        Elevation::Impossible(line) => Err(NotReady::NotAllowed { line }.into()),
        _ => Ok(()),
    }
}

/// The herd on its stage, and where its fleet is.
struct Show {
    stage: Stage,
    dir: PathBuf,
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

impl Show {
    fn open(setting: &Setting<'_>, shell: &Shell) -> Result<Self, DemoError> {
        let (machines, dir) = (boot(setting, shell)?, setting.place.join("fleet"));
        go_on()?;
        let keys = Keys::make(&setting.place.join("keys"))?;
        let built = Built::keep(&dir, setting.place)?;
        files::remove_tree(&dir)?;
        let herd = herd_toml(&machines.remote(), setting.players)?;
        let fleet = make_fleet(&dir, herd, keys.signers(), shell)?;
        built.give_back(&dir)?;
        go_on()?;
        let runner = files::read(build::runner(&fleet, shell)?.path)?;
        let stage = Stage::set(machines, keys, fleet, &runner)?;
        go_on()?;
        publish(&stage)?;
        join(&stage, shell)?;
        go_on()?;
        Ok(Self { stage, dir })
    }

    /// The first deploy, then the roll under load.
    fn play(&self, shell: &Shell) -> Result<Outcome, DemoError> {
        let watch = Stopwatch::start();
        self.deploy("the first page", FIRST, None, shell)?;
        let seconds_first_deploy = watch.elapsed().as_secs_f64();
        let sampler = Sampler::start(self.socket_of_balancer()?);
        let load = Load::start(self.stage.network(), cast::balancer().address(), PAGES);
        let load_watch = Stopwatch::start();
        let requests = |at_least: usize| (load.so_far().0 >= at_least).then_some(());
        wait("requests to be answered", || requests(20))?;
        let second = example::second_page().into_iter();
        second.map(|link| scaffold::add_link(self.stage.fleet(), &link)).collect::<Result<Vec<_>, _>>()?;
        let watch = Stopwatch::start();
        let (tip, status) =
            self.deploy("the second page", ROLL, Some(Scenery { load: &load, sampler: &sampler }), shell)?;
        let seconds_roll = watch.elapsed().as_secs_f64();
        let rolled = Real.now();
        let enough = LEAST_REQUESTS.max(load.so_far().0 + 40);
        wait("more requests", || requests(enough))?;
        let (seconds_load, most_out) = (load_watch.elapsed().as_secs_f64(), sampler.most_out(|_| true));
        let chain = self.stage.told()?.chain;
        let measured = Measured {
            hosts: status.hosts.iter().map(HostOutcome::from).collect(),
            tip,
            requests: load.end()?,
            seconds_load,
            rolled,
            max_out_seen: most_out,
            max_out: status.pools.iter().find(|pool| pool.role == "web").map_or(1, |pool| pool.limit),
            chain,
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
        // The demo is the test.
        let request = Request { message: Some(what.to_owned()), untested: true, ..Request::default() };
        let deployed = self.stage.deploy(&request, shell)?;
        shell.done("deployed", format_args!("{what}\n{}", deployed.difference));
        let target = self.stage.told()?.target.unwrap_or(Sha1::ZERO);
        let status = watch::until_all_at(target, bound, &self.stage, scenery, shell)?;
        Ok((target, status))
    }

    fn socket_of_balancer(&self) -> Result<PathBuf, DemoError> {
        let name = cast::balancer().name;
        let host = self.stage.host(name).ok_or_else(|| StageError::NoHost { name: name.to_owned() })?;
        Ok(host.root()?.join("run/haproxy/admin.sock"))
    }

    fn leave(self, shell: &Shell) -> Result<(), DemoError> {
        for host in self.stage.hosts().values() {
            shell.print(format_args!("{:<5} {}", host.name(), host.shell_line()?));
        }
        let dir = self.dir.display();
        shell.print(format_args!("The herd stays. Its fleet is in {dir}: there, change something and commit it, then"));
        shell.print(format_args!("  cd {dir} && cargo xtask deploy --untested && cargo xtask status"));
        shell.print("To end it: cargo xtask demo --stop");
        Ok(self.stage.leave_running()?)
    }
}

fn boot(setting: &Setting<'_>, shell: &Shell) -> Result<Machines, DemoError> {
    let _progress = shell.begin("booting a git server and five hosts");
    let machines = Machines::boot(setting, &|line| shell.note(line))?;
    for player in setting.players {
        shell.done("booted", format_args!("{} at {}", player.name, player.address));
    }
    Ok(machines)
}

fn make_fleet(dir: &Path, herd: String, signers: String, shell: &Shell) -> Result<Fleet, DemoError> {
    let scaffold = Scaffold {
        herd,
        roles: example::ROLES.to_owned(),
        signers,
        tests: example::TESTS.to_owned(),
        files: example::settings(),
        links: example::up_to_the_first_page().into_iter().chain(example::names()).collect(),
        ..Scaffold::new(dir, Dependencies::Paths)
    };
    Ok(scaffold.create(shell)?)
}

/// Gives the server the fleet, too: for who goes on with it.
fn publish(stage: &Stage) -> Result<(), DemoError> {
    let git = || Command::new("git").arg("-C").arg(&stage.fleet().crate_dir);
    git().args(["remote", "add", "origin", &stage.server().url()]).read()?;
    git().args(["push", "--quiet", "origin", "main"]).read()?;
    Ok(())
}

fn join(stage: &Stage, shell: &Shell) -> Result<(), DemoError> {
    let names: Vec<&str> = cast::CAST.iter().map(|part| part.name).collect();
    let progress = shell.begin("enrolling the hosts");
    stage.join(&names, shell)?;
    drop(progress);
    names.iter().for_each(|name| shell.done("admitted", name));
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
