//! How the peers are had: from Debian, PyPI and crates.io. This machine gets all that they need, since hosts may have
//! no way out, and the hosts install it.

use std::env::consts::ARCH;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wb_core::system::{Command, files};

use super::super::host::{self, BOUND};
use super::Peer;
use crate::bench::{BenchError, failed};
use crate::fleet::cargo;
use crate::sandbox::{Host, Image};

/// What a peer needs beside Debian's packages.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rest {
    /// Nothing.
    Nothing,
    /// Packages of PyPI.
    Wheels {
        /// Those that PyPI has as sources only, and not what they depend on.
        built: &'static [&'static str],
        /// Those that it has as wheels, with all that they depend on.
        ready: &'static [&'static str],
    },
    /// A program of a crate.
    Crate {
        /// The crate.
        name: &'static str,
        /// Which one.
        version: &'static str,
        /// Its program.
        program: &'static str,
    },
}

/// What this machine has got of it.
#[derive(Debug, Default)]
pub(super) struct Had {
    wheels: Vec<PathBuf>,
    program: Option<PathBuf>,
}

/// The Python of the hosts, and the youngest C library of version 2 that their wheels may want.
const PYTHON: &str = "3.11";
const GLIBC: u32 = 36;

/// What many packages want where Python is as old as that of the hosts. pip asks that of the Python that it runs in, which may
/// be a younger one, and would leave it out then.
pub(super) const BACKPORTS: &str = "typing-extensions";

/// How long it may take to get one thing.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// Younger ones have no longer what the sources of some packages are built with.
const CONSTRAINTS: &str = "setuptools<72\n";

/// The versions were chosen when the wheels were got.
const ENVIRONMENT: &str =
    "python3 -m venv venv && venv/bin/pip install --quiet --no-index --no-deps wheels/*.whl && rm -r wheels";

impl Had {
    /// Gets what the peer needs. What was compiled stays in `target_dir` for the next time.
    pub(super) fn get(peer: &Peer, image: &Image, scratch: &Path, target_dir: &Path) -> Result<Self, BenchError> {
        if !peer.debs.is_empty() {
            image.download(peer.debs)?;
        }
        match peer.rest {
            Rest::Nothing => Ok(Self::default()),
            Rest::Wheels { built, ready } => {
                let wheels = wheels(&scratch.join(peer.name), built, ready)?;
                Ok(Self { wheels, ..Self::default() })
            }
            Rest::Crate { name, version, program } => {
                let program = compiled(name, version, target_dir)?.join(program);
                Ok(Self { program: Some(program), ..Self::default() })
            }
        }
    }

    /// Puts it on a host whose apt still knows Debian's packages.
    pub(super) fn install(&self, peer: &Peer, host: &Host) -> Result<(), BenchError> {
        if !peer.debs.is_empty() {
            host::install(host, peer.debs)?;
        }
        for wheel in &self.wheels {
            host.put(&format!("{}/wheels/{}", peer.dir(), name_of(wheel)), files::read(wheel)?, 0o644)?;
        }
        if !self.wheels.is_empty() {
            host.read(Command::shell(ENVIRONMENT).dir(peer.dir()).timeout(BOUND))?;
        }
        if let Some(program) = &self.program {
            host.put(&format!("/usr/local/bin/{}", name_of(program)), files::read(program)?, 0o755)?;
        }
        if !peer.afterwards.is_empty() {
            host.read(Command::shell(peer.afterwards).timeout(BOUND))?;
        }
        Ok(())
    }
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn wheels(dir: &Path, built: &[&str], ready: &[&str]) -> Result<Vec<PathBuf>, BenchError> {
    files::create_dir(dir)?;
    if !built.is_empty() {
        files::write(dir.join("constraints"), CONSTRAINTS, 0o644)?;
        build(dir, built).read().map_err(failed("build packages of PyPI"))?;
    }
    if !ready.is_empty() {
        download(dir, ready).read().map_err(failed("download packages of PyPI"))?;
    }
    let is_wheel = |file: &PathBuf| file.extension() == Some(OsStr::new("whl"));
    Ok(files::list(dir)?.into_iter().filter(is_wheel).collect())
}

fn build(dir: &Path, packages: &[&str]) -> Command {
    let constraints = dir.join("constraints");
    let command = pip("wheel").args(["--no-deps", "--wheel-dir"]).arg(dir).args(packages);
    // Of the two, each pip has one that holds where it builds.
    command.env("PIP_CONSTRAINT", &constraints).env("PIP_BUILD_CONSTRAINT", &constraints)
}

fn download(dir: &Path, packages: &[&str]) -> Command {
    let command = pip("download").args(["--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON]);
    let platforms = platforms(ARCH).flat_map(|platform| ["--platform".to_owned(), platform]);
    command.args(platforms).arg("--dest").arg(dir).args(packages)
}

fn pip(verb: &str) -> Command {
    let command = Command::new("python3").args(["-m", "pip", "--quiet", "--disable-pip-version-check", verb]);
    command.timeout(PATIENCE)
}

/// All that wheels for the hosts may call themselves, the best first.
fn platforms(machine: &str) -> impl Iterator<Item = String> {
    let numbered = (5..=GLIBC).rev().map(|minor| format!("_2_{minor}"));
    let named = ["2014", "2010", "1"].map(str::to_owned);
    let all: Vec<String> = numbered.chain(named).collect();
    let machine = machine.to_owned();
    all.into_iter().map(move |version| format!("manylinux{version}_{machine}"))
}

/// Compiles a program of a crate; gives the directory that it is in.
fn compiled(name: &str, version: &str, target_dir: &Path) -> Result<PathBuf, BenchError> {
    let root = target_dir.join("peers");
    files::create_dir(&root)?;
    let command = cargo().dir(&root).args(["install", "--quiet", "--locked", "--version", version, name]);
    let command = command.arg("--root").arg(&root).arg("--target-dir").arg(root.join("target")).timeout(PATIENCE);
    command.read().map_err(failed("compile a program of crates.io"))?;
    Ok(root.join("bin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wheels_are_for_the_hosts_whatever_this_machine_is() {
        let all: Vec<String> = platforms("x86_64").collect();
        let last = ["manylinux_2_5_x86_64", "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"];
        assert_eq!(all[0], "manylinux_2_36_x86_64");
        assert_eq!(all[all.len() - 4..], last);
        let line = download(Path::new("/wheels"), &["pyinfra~=3.0"]).line();
        assert!(line.contains(" --python-version 3.11 --platform manylinux_2_36_"), "{line}");
        assert!(line.ends_with(" --dest /wheels 'pyinfra~=3.0'"), "{line}");
    }

    #[test]
    fn what_is_built_is_built_by_tools_that_still_can() {
        let command = build(Path::new("/wheels"), &["salt~=3007.0"]);
        assert!(command.line().ends_with(" wheel --no-deps --wheel-dir /wheels 'salt~=3007.0'"), "{}", command.line());
        let expect = Some(OsStr::new("/wheels/constraints"));
        assert_eq!(["PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT"].map(|name| command.variable(name)), [expect, expect]);
    }
}
