//! Building the runner: one binary that needs nothing of the host that it runs on.

mod target;

use std::path::PathBuf;

use cargo_metadata::Message;
use wb_core::system::{Command, CommandError, environment};

use crate::fleet::{self, Fleet};
use crate::shell::{Progress, Shell};

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
    let target = target::choose(&Machine::look(shell)?);
    if let Some(why) = target.why() {
        shell.note(format_args!("building for {}, linked statically, because {why}", target.triple()));
    }
    let progress = shell.begin(format!("building the runner for {}", target.triple()));
    let mut found = None;
    let mut compiled = 0;
    let command = command(fleet, &target, environment::var("RUSTFLAGS").as_deref());
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

fn command(fleet: &Fleet, target: &Target, rustflags: Option<&str>) -> Command {
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
    target.apply(cargo, rustflags)
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

    fn check(target: &Target, rustflags: Option<&str>, expect: &str) {
        let line = command(&fleet(), target, rustflags).line();
        let arguments = line.split_once(" --bin wildebeest ").map_or("", |(_, rest)| rest);
        assert_eq!(arguments, expect);
    }

    #[test]
    fn cargo_is_told_the_target_and_how_to_link() {
        let musl = Target::Musl { triple: "x86_64-unknown-linux-musl".into() };
        check(&musl, None, "--target x86_64-unknown-linux-musl --message-format json-render-diagnostics");
        let gnu = Target::Static { triple: "x86_64-unknown-linux-gnu".into(), why: String::new() };
        let flags = r#"'target.x86_64-unknown-linux-gnu.rustflags=["-Ctarget-feature=+crt-static"]'"#;
        let common = "--target x86_64-unknown-linux-gnu --message-format json-render-diagnostics";
        check(&gnu, None, &format!("{common} --config {flags}"));
        check(&gnu, Some("-Cdebuginfo=1"), common);
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
