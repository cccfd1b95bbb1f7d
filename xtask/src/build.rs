//! Building the runner: one binary that needs nothing of the host that it runs on, the same wherever it is built.

mod flags;
pub mod quick;
mod sameness;
mod target;

use std::path::PathBuf;

use cargo_metadata::Message;
use wb_core::system::{Command, CommandError, FileError, environment};

use crate::at_once;
use crate::fleet::{self, Fleet, FleetError};
use crate::shell::Shell;
use sameness::{Sameness, cflags_of};

pub use target::{Machine, Target};

/// Why there is no runner.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The compiler can't be asked what it builds for.
    #[error("could not ask rustc which machine this is")]
    Rustc {
        /// What went wrong.
        source: CommandError,
    },
    /// Cargo does not say where it builds.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// Cargo could not be started.
    #[error("could not run cargo")]
    Cargo {
        /// What went wrong.
        source: CommandError,
    },
    /// It does not compile.
    #[error("{what} does not compile for {triple}:\n{said}")]
    Compile {
        /// The runner, or its twin.
        what: &'static str,
        /// The target.
        triple: String,
        /// What cargo said.
        said: String,
    },
    /// It can't be put where nobody overwrites it.
    #[error(transparent)]
    Aside(#[from] FileError),
    /// Cargo built something, but not the runner.
    #[error("cargo built no binary `{binary}` of the package `{package}`")]
    NoBinary {
        /// The binary's name.
        binary: String,
        /// The package's name.
        package: String,
    },
}

/// A runner that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The target triple.
    pub triple: String,
    /// Where it lies.
    pub path: PathBuf,
}

/// What can be built of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// What hosts run.
    Runner,
    /// The same sources, compiled quickly, and with crash points.
    Probe,
    /// The same, where the runner itself is compiled quickly.
    QuickProbe,
}

impl What {
    fn called(self) -> &'static str {
        match self {
            Self::Runner => "the runner",
            Self::Probe | Self::QuickProbe => "the runner's twin with crash points",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Runner => &["--release"],
            Self::Probe => &["--features", "wb-stdlib/faults"],
            Self::QuickProbe => &["--release", "--features", "wb-stdlib/faults"],
        }
    }

    /// What its name ends with, where the runner and its twin lie in one directory.
    fn ending(self) -> &'static str {
        match self {
            Self::Runner => "runner",
            Self::Probe | Self::QuickProbe => "twin",
        }
    }
}

/// Builds the runner of `fleet` for servers of this machine's kind: the same bytes wherever that is done.
///
/// # Errors
/// When it does not compile.
pub fn runner(fleet: &Fleet, shell: &Shell) -> Result<Built, BuildError> {
    build(What::Runner, fleet, shell)
}

/// Builds the twin of the runner: the same sources for the same target, with crash points, so that it can be killed at each
/// of them; and in the profile for everyday builds, which is quick, unless that of the runner is told to be ([`quick`]).
/// No host runs it.
///
/// # Errors
/// When it does not compile.
pub fn probe(fleet: &Fleet, shell: &Shell) -> Result<Built, BuildError> {
    build(if quick::is_told() { What::QuickProbe } else { What::Probe }, fleet, shell)
}

/// Builds the runner and its twin at the same time: cargo has the two profiles in two directories, and each build has
/// long parts that keep one processor busy. Where they share all but a few parts ([`quick`]), one comes after the other.
///
/// # Errors
/// When one of them does not compile.
pub fn runner_and_probe(fleet: &Fleet, shell: &Shell) -> Result<(Built, Built), BuildError> {
    let machine = Machine::look(shell)?;
    if quick::is_told() {
        let probe = build_on(&machine, What::QuickProbe, fleet, shell)?;
        return Ok((build_on(&machine, What::Runner, fleet, shell)?, probe));
    }
    // What there is to say of the machine, one of them says.
    let probe = || build_on(&machine, What::Probe, fleet, &Shell::captured().0);
    let (probe, runner) = at_once::both(probe, || build_on(&machine, What::Runner, fleet, shell));
    Ok((runner?, probe?))
}

fn build(what: What, fleet: &Fleet, shell: &Shell) -> Result<Built, BuildError> {
    build_on(&Machine::look(shell)?, what, fleet, shell)
}

fn build_on(machine: &Machine, what: What, fleet: &Fleet, shell: &Shell) -> Result<Built, BuildError> {
    let target = target::choose(machine);
    if let Some(why) = target.why() {
        shell.note(format_args!("building for {}, linked statically, because {why}", target.triple()));
    }
    let sameness = match what {
        What::Runner | What::QuickProbe => Some(Sameness::look(fleet, machine)?),
        What::Probe => None,
    };
    let is_first = sameness.as_ref().is_some_and(|sameness| sameness.is_first(target.triple()));
    let begun = beginning(what, target.triple(), is_first);
    let progress = shell.begin(begun.clone());
    let (mut found, mut compiled) = (None, 0);
    let command = match &sameness {
        Some(sameness) => same(what, fleet, &target, sameness),
        None => told(command(what, fleet, &target), &target, &target.rustflags()),
    };
    let _turn = quick::turn()?;
    let output = command.run_lines(|line| {
        found = executable(line, &fleet.binary).or(found.take());
        compiled += 1;
        progress.at(format!("{begun}: {compiled} parts"));
    });
    let (output, triple) = (output.map_err(|source| BuildError::Cargo { source })?, target.triple().to_owned());
    if output.code != 0 {
        return Err(BuildError::Compile { what: what.called(), triple, said: output.error_text() });
    }
    let no_binary = || BuildError::NoBinary { binary: fleet.binary.clone(), package: fleet.package.clone() };
    let path = found.ok_or_else(no_binary)?;
    let path = if quick::is_told() { quick::keep(&path, fleet, what.ending())? } else { path };
    Ok(Built { triple, path })
}

/// What is said of a build that begins.
fn beginning(what: What, triple: &str, is_first: bool) -> String {
    let patience = if is_first { ", which takes some minutes the first time" } else { "" };
    format!("building {} for {triple}{patience}", what.called())
}

/// The command that builds the runner, or what shares its parts, with all that makes it the same everywhere.
fn same(what: What, fleet: &Fleet, target: &Target, sameness: &Sameness) -> Command {
    let flags = [target.rustflags(), sameness.rustflags()].concat();
    let (cargo, cflags) = (command(what, fleet, target), environment::var(&cflags_of(target.triple())));
    sameness.apply(told(cargo, target, &flags), target.triple(), cflags.as_deref())
}

fn told(cargo: Command, target: &Target, flags: &[String]) -> Command {
    flags::told(cargo, target.triple(), flags, flags::own().as_deref())
}

fn command(what: What, fleet: &Fleet, target: &Target) -> Command {
    let cargo = fleet::cargo().dir(&fleet.crate_dir).arg("build").args(what.arguments());
    let cargo = cargo.args(["--package", &fleet.package, "--bin", &fleet.binary, "--target", target.triple()]);
    cargo.args(["--message-format", "json-render-diagnostics"])
}

/// The path in a message of cargo that names what it built, if it is the binary `name`.
pub(crate) fn executable(message: &str, name: &str) -> Option<PathBuf> {
    match serde_json::from_str(message).ok()? {
        Message::CompilerArtifact(artifact) if artifact.target.name == name => Some(artifact.executable?.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet() -> Fleet {
        Fleet { crate_dir: "/fleet/migrations".into(), package: "migrations".into(), binary: "wildebeest".into() }
    }

    fn check(what: What, target: &Target, flags: &[&str], expect: &str) {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let cargo = flags::told(command(what, &fleet(), target), target.triple(), &flags, None);
        let line = cargo.line();
        assert_eq!(line.split_once(" build ").map_or("", |(_, arguments)| arguments), expect);
    }

    #[test]
    fn cargo_is_told_the_target_and_how_to_link() {
        let common = "--package migrations --bin wildebeest --target x86_64-unknown-linux";
        let musl = Target::Musl { triple: "x86_64-unknown-linux-musl".into(), own_linker: true };
        let json = "--message-format json-render-diagnostics";
        check(What::Runner, &musl, &[], &format!("--release {common}-musl {json}"));
        check(What::Probe, &musl, &[], &format!("--features wb-stdlib/faults {common}-musl {json}"));
        check(What::QuickProbe, &musl, &[], &format!("--release --features wb-stdlib/faults {common}-musl {json}"));
        let gnu = Target::Static { triple: "x86_64-unknown-linux-gnu".into(), why: String::new() };
        let config = r#"--config 'target.x86_64-unknown-linux-gnu.rustflags=["-Ctarget-feature=+crt-static"]'"#;
        let flags = gnu.rustflags();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        check(What::Runner, &gnu, &flags, &format!("--release {common}-gnu {json} {config}"));
    }

    #[test]
    fn who_builds_for_the_first_time_is_told_to_be_patient() {
        let check = |is_first: bool, expect: &str| assert_eq!(beginning(What::Runner, "riscv", is_first), expect);
        check(false, "building the runner for riscv");
        check(true, "building the runner for riscv, which takes some minutes the first time");
    }

    #[test]
    fn the_runner_is_the_same_everywhere() {
        let machine = Machine {
            host: String::new(),
            musl_libraries: false,
            musl_compiler: false,
            sysroot: "/rust".into(),
            own_linker: true,
            commit: "abc".into(),
        };
        let sameness = Sameness::of(Some("/c".into()), "/t".into(), &machine);
        let musl = Target::Musl { triple: "x86_64-unknown-linux-musl".into(), own_linker: true };
        let command = same(What::Runner, &fleet(), &musl, &sameness);
        let told = format!("{}{:?}", command.line(), command.variable("CARGO_ENCODED_RUSTFLAGS"));
        assert!(told.contains("-Clinker=rust-lld") && told.contains("--remap-path-prefix=/c=/cargo"), "{told}");
        assert_eq!(command.variable("CARGO_INCREMENTAL").and_then(|value| value.to_str()), Some("0"));
    }

    #[test]
    fn the_binary_is_found_in_cargos_messages() {
        let message = |name: &str, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"p","manifest_path":"/f/Cargo.toml","target":{{"kind":["bin"],
                "crate_types":["bin"],"name":"{name}","src_path":"/f/main.rs","edition":"2024"}},"profile":{{"opt_level":"3",
                "debug_assertions":false,"overflow_checks":false,"test":false}},"features":[],"filenames":[],
                "executable":{executable},"fresh":true}}"#
            )
        };
        let check = |message: &str, expect: Option<&str>| {
            assert_eq!(executable(message, "wildebeest"), expect.map(PathBuf::from), "{message}");
        };
        check(&message("wildebeest", "\"/t/wildebeest\""), Some("/t/wildebeest"));
        check(&message("wildebeest", "null"), None);
        check(&message("serde", "\"/t/serde\""), None);
        check(r#"{"reason":"build-finished","success":true}"#, None);
        check("no json", None);
    }
}
