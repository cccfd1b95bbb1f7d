//! The container in which sandboxes of a fleet are made, for who may use podman or docker and nothing else.
//!
//! It may make namespaces, for it is privileged; it has a network, a process namespace and a root file system of its own,
//! with the programs that sandboxes need. The fleet's repository and Rust lie at their own paths in it, and cargo
//! compiles there, so that it does not matter which C library the machine has. Images and layers lie in a volume that all
//! fleets share, disks of hosts in one that goes with the container. All commands for a fleet run in one container, so
//! that one finds what another one left running. It ends within a minute of the last process in it.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use wb_core::system::{Command, CommandError, environment, files};

use super::engine::{Engine, EngineError};
use super::tools;
use crate::fleet;

/// The variable that tells a command that it runs in one.
pub(super) const INSIDE: &str = "WILDEBEEST_CONTAINER";

/// The variable that names another image of Debian to begin with.
const BASE: &str = "WILDEBEEST_CONTAINER_BASE";

const DEBIAN: &str = "docker.io/library/debian:12-slim";

/// What is compiled with in it, beside Rust.
const COMPILERS: [&str; 3] = ["ca-certificates", "gcc", "libc6-dev"];

/// The volume with images, layers and packages.
const CACHE: &str = "wildebeest-cache";

/// Waits until nobody else is there. It also buries those whose parents are gone.
const IDLE: &str = "while sleep 60; do set -- /proc/[0-9]*; [ $# -gt 1 ] || exit 0; done";

const BEGIN: &str = include_str!("container.sh");

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a command in it knows of the environment.
const PASSED: [&str; 7] = ["CI", "TERM", "RUSTUP_TOOLCHAIN", "RUSTFLAGS", "http_proxy", "https_proxy", "no_proxy"];

/// How long its image may take, downloads included.
const BUILD: Duration = Duration::from_secs(30 * 60);

/// A container, whether it is there yet or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Container {
    engine: Engine,
    /// Where this command runs.
    dir: PathBuf,
    cargo: PathBuf,
    rustup: PathBuf,
    /// Where cargo builds in it.
    target: PathBuf,
    /// What it has of the machine, each at its own path.
    places: Vec<PathBuf>,
    /// The image that its own one is made of.
    base: String,
}

impl Container {
    /// That of the fleet around the current directory.
    pub(super) fn here(engine: Engine) -> Result<Self, EngineError> {
        let answers = Command::new(engine.to_string()).args(["ps", "--quiet"]).read();
        answers.map_err(|source| EngineError::Unusable { engine, source })?;
        let dir = environment::current_dir().map_err(|source| EngineError::Nowhere { source })?;
        let (cargo, rustup) = (home("CARGO_HOME", ".cargo")?, home("RUSTUP_HOME", ".rustup")?);
        // Beside what cargo builds for this machine, so that what it says of tests is found.
        let target = fleet::metadata(&dir)?.target_directory.into_std_path_buf().join(format!("in-{engine}"));
        files::create_dir(&target)?;
        let mut places = repository(&dir)?;
        places.extend([cargo.clone(), rustup.clone(), target.clone()]);
        let base = environment::var(BASE).unwrap_or_else(|| DEBIAN.to_owned());
        Ok(Self { engine, dir, cargo, rustup, target, places: outermost(places), base })
    }

    /// Whether it is there.
    pub(super) fn is_up(&self) -> bool {
        let asked = self.command().args(["container", "inspect", "--format", "{{.State.Running}}", &self.name()]);
        asked.read().is_ok_and(|said| said == "true")
    }

    /// Brings it up, where it is not there.
    pub(super) fn up(&self, say: &dyn Fn(&str)) -> Result<(), EngineError> {
        if self.is_up() {
            return Ok(());
        }
        if self.command().args(["image", "inspect", &self.image()]).read().is_err() {
            say(&format!("building an image of {} with the programs that sandboxes need, once", self.base));
            self.build()?.read().map_err(while_doing("build the image of the container"))?;
        }
        // One that has just ended has the name for a moment. Not one that another command has brought up meanwhile.
        drop(self.command().args(["container", "rm", &self.name()]).run());
        match self.start().read() {
            Err(_) if self.is_up() => Ok(()),
            started => started.map(drop).map_err(while_doing("start the container")),
        }
    }

    /// Runs in it what this process was started for, in its place. It comes back only when that failed.
    pub(super) fn enter(&self) -> EngineError {
        let args: Vec<OsString> = environment::args().into_iter().skip(1).collect();
        while_doing("run this command in the container")(self.inside(&args, at_a_terminal()).exec())
    }

    fn command(&self) -> Command {
        Command::new(self.engine.to_string())
    }

    /// Its recipe is read from standard input, and takes no file from anywhere.
    fn build(&self) -> Result<Command, EngineError> {
        let nothing = self.target.join("no-files");
        files::create_dir(&nothing)?;
        let proxies = PASSED.into_iter().filter(|name| name.ends_with("_proxy") && environment::var(name).is_some());
        let proxies = proxies.flat_map(|name| ["--build-arg", name]);
        let command = self.command().args(["build", "--tag", &self.image()]).args(proxies).args(["--file", "-"]);
        Ok(command.arg(nothing).stdin(self.recipe()).timeout(BUILD))
    }

    fn start(&self) -> Command {
        let volumes = self.volumes().into_iter().flat_map(|volume| ["--volume".to_owned(), volume]);
        let command = self.command().args(["run", "--detach", "--rm", "--privileged", "--name", &self.name()]);
        command.args(volumes).arg(self.image()).args(["sh", "-c", IDLE])
    }

    fn inside(&self, args: &[OsString], is_terminal: bool) -> Command {
        let variables = self.variables().into_iter();
        let variables = variables.flat_map(|(name, value)| ["--env".to_owned(), format!("{name}={value}")]);
        let command = self.command().args(["exec", "--interactive"]).args(is_terminal.then_some("--tty"));
        let command = command.args(variables).arg("--workdir").arg(&self.dir).arg(self.name());
        command.args(["sh", "-c", BEGIN, "begin"]).args(args)
    }

    /// The caches are named so that root has the same ones whether it is one of the machine or of a user namespace.
    fn variables(&self) -> Vec<(&'static str, String)> {
        let places: Vec<String> = self.places.iter().map(|place| place.display().to_string()).collect();
        let own = [
            (INSIDE, self.engine.to_string()),
            ("WILDEBEEST_PLACES", places.join("\n")),
            ("XDG_CACHE_HOME", "/var/cache".to_owned()),
            ("CARGO_HOME", self.cargo.display().to_string()),
            ("RUSTUP_HOME", self.rustup.display().to_string()),
            ("CARGO_TARGET_DIR", self.target.display().to_string()),
            ("PATH", format!("{}:{PATH}", self.cargo.join("bin").display())),
        ];
        let passed = PASSED.into_iter().filter_map(|name| Some((name, environment::var(name)?)));
        own.into_iter().chain(passed).collect()
    }

    fn volumes(&self) -> Vec<String> {
        let places = self.places.iter().map(|place| format!("{0}:{0}", place.display()));
        places.chain([format!("{CACHE}:/var/cache/wildebeest"), "/var/lib/wildebeest-sandboxes".to_owned()]).collect()
    }

    fn recipe(&self) -> String {
        let packages = [tools::all_packages().as_slice(), &COMPILERS].concat().join(" ");
        format!(
            "FROM {}\nRUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes \
             --no-install-recommends {packages} && rm -rf /var/lib/apt/lists/*\n",
            self.base
        )
    }

    /// Its image, by all that is in it.
    fn image(&self) -> String {
        format!("localhost/wildebeest-sandbox:{}", short(&self.recipe()))
    }

    /// By its image, and by what it has of the machine: one that has other things is another one.
    fn name(&self) -> String {
        format!("wildebeest-{}", short(&format!("{}\n{}", self.image(), self.volumes().join("\n"))))
    }
}

/// Whether somebody sits there. What goes into a file or a pipe comes without a terminal, which would mix up its two streams.
fn at_a_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal()
}

/// Where a program of Rust's keeps its things.
fn home(variable: &'static str, usual: &str) -> Result<PathBuf, EngineError> {
    let below_home = || Some(PathBuf::from(environment::var("HOME")?).join(usual));
    let dir = environment::var(variable).map(PathBuf::from).or_else(below_home).unwrap_or_default();
    match files::exists(&dir) {
        true => Ok(dir),
        false => Err(EngineError::NoRust { variable, dir }),
    }
}

/// The top of the repository around a directory, and, of another work tree, where git's own things lie.
fn repository(dir: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let ask = ["rev-parse", "--path-format=absolute", "--show-toplevel", "--git-common-dir"];
    let said = Command::new("git").dir(dir).args(ask).read();
    let said = said.map_err(while_doing("find the repository that this command runs in"))?;
    Ok(said.lines().map(PathBuf::from).collect())
}

/// Those that lie in no other one.
fn outermost(mut places: Vec<PathBuf>) -> Vec<PathBuf> {
    places.sort();
    let mut kept: Vec<PathBuf> = Vec::new();
    for place in places {
        if !kept.iter().any(|above| place.starts_with(above)) {
            kept.push(place);
        }
    }
    kept
}

fn while_doing(doing: &'static str) -> impl FnOnce(CommandError) -> EngineError {
    move |source| EngineError::Command { doing, source }
}

fn short(text: &str) -> String {
    Sha256::digest(text).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container() -> Container {
        Container {
            engine: Engine::Podman,
            dir: "/fleet/migrations".into(),
            cargo: "/home/a/.cargo".into(),
            rustup: "/home/a/.rustup".into(),
            target: "/fleet/target/in-podman".into(),
            places: vec!["/fleet".into(), "/home/a/.cargo".into(), "/home/a/.rustup".into()],
            base: DEBIAN.to_owned(),
        }
    }

    #[test]
    fn it_is_started_with_what_it_needs_of_the_machine() {
        let container = container();
        let (name, image) = (container.name(), container.image());
        let line = container.start().line();
        let begin = format!("podman run --detach --rm --privileged --name {name} --volume /fleet:/fleet ");
        assert!(line.starts_with(&begin), "{line}");
        let own = "--volume wildebeest-cache:/var/cache/wildebeest --volume /var/lib/wildebeest-sandboxes";
        assert!(line.contains(&format!("{own} {image} sh -c 'while sleep 60;")), "{line}");
        assert!(!line.contains("--net") && !line.contains("--pid"), "the machine's own are not given away: {line}");
    }

    #[test]
    fn a_command_runs_in_it_as_it_was_said_here() {
        let args = ["sandbox", "list", "--engine", "podman"].map(OsString::from);
        let line = container().inside(&args, true).line();
        assert!(line.starts_with("podman exec --interactive --tty --env WILDEBEEST_CONTAINER=podman "), "{line}");
        assert!(line.contains("--env PATH=/home/a/.cargo/bin:/usr/local/sbin:"), "{line}");
        let name = container().name();
        assert!(line.contains(&format!("--workdir /fleet/migrations {name} sh -c ")), "{line}");
        assert!(line.ends_with(" begin sandbox list --engine podman"), "{line}");
        assert!(!container().inside(&args, false).line().contains("--tty"));
    }

    #[test]
    fn its_image_has_all_that_sandboxes_need() {
        let recipe = container().recipe();
        assert!(recipe.starts_with("FROM docker.io/library/debian:12-slim\nRUN apt-get update && "), "{recipe}");
        for package in ["mmdebstrap", "slirp4netns", "musl-tools", "openssh-server", "gcc"] {
            assert!(recipe.contains(&format!(" {package} ")), "{package}: {recipe}");
        }
    }

    #[test]
    fn what_has_other_things_is_another_one() {
        let (one, other) = (container(), Container { base: "debian:13".to_owned(), ..container() });
        assert!(one.image() != other.image() && one.name() != other.name());
        let elsewhere = Container { places: vec!["/other".into()], ..container() };
        assert!(one.image() == elsewhere.image() && one.name() != elsewhere.name());
        assert_eq!(one.name(), Container { dir: "/fleet".into(), ..container() }.name());
    }

    #[test]
    fn what_lies_in_another_place_comes_along() {
        let check = |places: &[&str], expect: &[&str]| {
            let paths = |places: &[&str]| places.iter().map(PathBuf::from).collect::<Vec<_>>();
            assert_eq!(outermost(paths(places)), paths(expect));
        };
        check(&["/fleet", "/fleet/.git", "/fleet/target/x", "/home/a/.cargo"], &["/fleet", "/home/a/.cargo"]);
        check(&["/b/c", "/b", "/b"], &["/b"]);
        check(&["/fleet-2", "/fleet"], &["/fleet", "/fleet-2"]);
    }
}
