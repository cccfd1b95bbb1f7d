//! Two clones of a fleet, at two places, make the same runner: what was tested of one is known of the other.
//!
//! The fleet is the example of this repository. One runner is built where the repository lies, into the directory of the
//! runners of all tests: what others have compiled there already, of the same sources with the same flags, is taken. The other
//! is built of a clone with the same files, out of nothing, all crates of others and their C included, with a target directory
//! of its own, at the end of a longer path, and with cargo's home under another name. So what is compared is a whole runner of
//! each, and every part of both was compiled at its own place. What can differ from place to place is where sources lie, where
//! build scripts write, how crates and their symbols are named, and in which order all is linked: it does so at any level of
//! optimisation. So both are built as for a deploy, by the same command, with the same flags, for the same target, but without
//! what makes the compiler take its time. That an optimiser makes the same of the same is rustc's own promise, which is looked
//! at only where somebody says `WB_REPRODUCIBLE=production`, and has ten minutes. What another compiler, or another machine,
//! makes is looked at nowhere.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use wb_core::system::{Command, environment, files};
use wb_xtask::build::quick;
use wb_xtask::sandbox::{Elevation, elevation};

#[test]
fn two_clones_at_two_places_build_the_same_bytes() {
    let scratch = tempfile::tempdir().unwrap();
    let repository = files::canonical(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).unwrap();
    let (clone, renamed) = (scratch.path().join("a/longer/way/to/the/clone"), scratch.path().join("of-cargo"));
    copy(&repository, &clone);
    files::link(cargo_home(), &renamed).unwrap();
    let build = |dir: &Path, target: &Path, cargo_home: &Path| built(dir, target, cargo_home, scratch.path());
    let one = build(&repository, &shared(scratch.path()), &cargo_home());
    let other = build(&clone, &clone.join("target"), &renamed);
    let place = scratch.path().as_os_str().as_bytes();
    let named = other.windows(place.len()).position(|words| words == place);
    assert!(named.is_none(), "the runner names the place where it was built: {}", around(&other, named.unwrap_or(0)));
    assert!(one == other, "{}", difference(&one, &other));
}

/// A clone, with the files as they are by now: what is not committed yet is compiled, too.
fn copy(repository: &Path, clone: &Path) {
    let git = |args: &[&str]| Command::new("git").args(args);
    git(&["clone", "--quiet", "--no-checkout"]).args([repository, clone]).read().unwrap();
    git(&["reset", "--quiet"]).dir(clone).read().unwrap();
    let list = git(&["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).dir(repository).read().unwrap();
    let there = |path: &&str| !path.is_empty() && files::exists(repository.join(path));
    for path in list.split('\0').filter(there) {
        let to = clone.join(path);
        files::create_dir(to.parent().unwrap()).unwrap();
        files::copy(repository.join(path), to).unwrap();
    }
}

/// Where all runners of tests are built. Where it is by sudo that hosts are made, what was built for them belongs to root.
fn shared(scratch: &Path) -> PathBuf {
    // This program lies in `<target>/debug/deps`.
    let exe = environment::current_exe().unwrap();
    match elevation() {
        Elevation::Sudo => scratch.join("target"),
        _ => quick::target_dir(exe.ancestors().nth(3).unwrap()),
    }
}

/// Where cargo keeps what it has fetched.
fn cargo_home() -> PathBuf {
    let home = || PathBuf::from(environment::var("HOME").unwrap()).join(".cargo");
    environment::var("CARGO_HOME").map_or_else(home, PathBuf::from)
}

/// What is optimised for hosts costs most of the time. What this test runs in may have that left out for all builds.
fn in_the_profile(build: Command) -> Command {
    match environment::var("WB_REPRODUCIBLE").as_deref() {
        Some("production") => quick::PROFILE.iter().fold(build, |build, (name, _)| build.env_remove(name)),
        _ => quick::PROFILE.iter().fold(build, |build, (name, value)| build.env(name, value)),
    }
}

/// The runner of the example in this repository.
fn built(repository: &Path, target: &Path, cargo_home: &Path, scratch: &Path) -> Vec<u8> {
    let (fleet, runner) = (repository.join("migrations-crate"), scratch.join("runner"));
    let build = Command::new(env!("CARGO_BIN_EXE_wb-operator")).arg("build").arg("--out").arg(&runner).dir(fleet);
    let build = build.env("CARGO_TARGET_DIR", target).env("CARGO_HOME", cargo_home).env("CARGO_NET_OFFLINE", "true");
    let build = in_the_profile(build).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let output = build.run().unwrap();
    assert_eq!(output.code, 0, "{}", output.error_text());
    files::read(runner).unwrap()
}

/// Where two files differ first, and the words around that.
fn difference(one: &[u8], other: &[u8]) -> String {
    let differs = one.iter().zip(other).position(|(one, other)| one != other);
    let at = differs.unwrap_or(one.len().min(other.len()));
    let (here, there) = (around(one, at), around(other, at));
    format!("{} and {} bytes, which differ first at {at}:\n{here}\n{there}", one.len(), other.len())
}

/// What can be read of a file around a place.
fn around(bytes: &[u8], at: usize) -> String {
    const REACH: usize = 200;
    let piece = &bytes[at.saturating_sub(REACH)..bytes.len().min(at + REACH)];
    piece.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect()
}
