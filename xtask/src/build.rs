//! Building the runner: one binary that needs nothing of the host that it runs on, the same wherever it is built.

mod flags;
mod sameness;
mod target;

use std::path::PathBuf;

use cargo_metadata::Message;
use wb_core::system::{Command, CommandError, environment};

use crate::fleet::{self, Fleet, FleetError};
use crate::shell::{Progress, Shell};
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
    #[error("the runner does not compile for {triple}:\n{said}")]
    Compile {
        /// The target.
        triple: String,
        /// What cargo said.
        said: String,
    },
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

/// Builds the runner of `fleet` for servers of this machine's kind.
///
/// # Errors
/// When it does not compile.
pub fn runner(fleet: &Fleet, shell: &Shell) -> Result<Built, BuildError> {
    let machine = Machine::look(shell)?;
    let (target, sameness) = (target::choose(&machine), Sameness::look(fleet, &machine)?);
    if let Some(why) = target.why() {
        shell.note(format_args!("building for {}, linked statically, because {why}", target.triple()));
    }
    let progress = shell.begin(format!("building the runner for {}", target.triple()));
    let mut found = None;
    let mut compiled = 0;
    let cflags = environment::var(&cflags_of(target.triple()));
    let command = command(fleet, &target, &sameness, flags::own().as_deref());
    let command = sameness.apply(command, target.triple(), cflags.as_deref());
    let output = command.run_lines(|line| {
        found = executable(line, &fleet.binary).or(found.take());
        compiled += 1;
        show(&progress, &target, compiled);
    });
    let output = output.map_err(|source| BuildError::Cargo { source })?;
    if output.code != 0 {
        return Err(BuildError::Compile { triple: target.triple().to_owned(), said: output.error_text() });
    }
    let no_binary = || BuildError::NoBinary { binary: fleet.binary.clone(), package: fleet.package.clone() };
    Ok(Built { triple: target.triple().to_owned(), path: found.ok_or_else(no_binary)? })
}

fn show(progress: &Progress, target: &Target, compiled: u32) {
    progress.at(format!("building the runner for {}: {compiled} parts", target.triple()));
}

fn command(fleet: &Fleet, target: &Target, sameness: &Sameness, own_flags: Option<&[String]>) -> Command {
    let cargo = fleet::cargo().dir(&fleet.crate_dir).args([
        "build",
        "--release",
        "--package",
        &fleet.package,
        "--bin",
        &fleet.binary,
        "--target",
        target.triple(),
        "--message-format",
        "json-render-diagnostics",
    ]);
    flags::told(cargo, target.triple(), &[target.rustflags(), sameness.rustflags()].concat(), own_flags)
}

/// The path in a message of cargo that names what it built, if it is the binary `name`.
fn executable(message: &str, name: &str) -> Option<PathBuf> {
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

    #[test]
    fn cargo_is_told_the_target_and_how_to_link() {
        let machine = Machine {
            host: String::new(),
            musl_libraries: false,
            musl_compiler: false,
            sysroot: "/rust".into(),
            commit: "abc".into(),
        };
        let sameness = Sameness::of(Some("/c".into()), "/t".into(), &machine);
        let same = r#""--remap-path-prefix=/c=/cargo", "--remap-path-prefix=/t=/target", "#.to_owned()
            + r#""--remap-path-prefix=/rust/lib/rustlib/src/rust=/rustc/abc""#;
        let check = |target: &Target, linked: &str| {
            let line = command(&fleet(), target, &sameness, None).line();
            let arguments = line.split_once(" --bin wildebeest ").map_or("", |(_, rest)| rest);
            let (triple, says) = (target.triple(), "--message-format json-render-diagnostics");
            let expect = format!("--target {triple} {says} --config 'target.{triple}.rustflags=[{linked}{same}]'");
            assert_eq!(arguments, expect);
        };
        check(&Target::Musl { triple: "x86_64-unknown-linux-musl".into() }, "");
        let gnu = Target::Static { triple: "x86_64-unknown-linux-gnu".into(), why: String::new() };
        check(&gnu, r#""-Ctarget-feature=+crt-static", "#);
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
