//! Two clones of a fleet, at two places, make the same runner: what was tested of one is known of the other.
//!
//! Each is built out of nothing, all crates of others and their C included, with a target directory of its own. What can
//! differ from place to place is where sources lie, where build scripts write, how crates and their symbols are named, and
//! in which order all is linked: it does so at any level of optimisation. So both are built as for a deploy, by the same
//! command, with the same flags, for the same target, but without what makes the compiler take its time. That an optimiser
//! makes the same of the same is rustc's own promise, which is looked at only where somebody says
//! `WB_REPRODUCIBLE=production`, and has ten minutes. What another compiler, or another machine, makes is looked at nowhere.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use wb_core::system::{Command, environment, files};
use wb_xtask::scaffold::{Dependencies, Scaffold};
use wb_xtask::shell::Shell;

#[test]
fn two_clones_at_two_places_build_the_same_bytes() {
    let scratch = tempfile::tempdir().unwrap();
    let (fleet, clone) = (scratch.path().join("fleet"), scratch.path().join("a/longer/way/to/the/clone"));
    let (shell, said) = Shell::captured();
    let made = Scaffold::new(&fleet, Dependencies::Vendored).create(&shell);
    assert!(made.is_ok(), "{made:?}\n{}", said.text());
    Command::new("git").args(["clone", "--quiet"]).args([&fleet, &clone]).read().unwrap();
    let (one, other) = (built(&fleet), built(&clone));
    let place = scratch.path().as_os_str().as_bytes();
    let named = one.windows(place.len()).position(|words| words == place);
    assert!(named.is_none(), "the runner names the place where it was built: {}", around(&one, named.unwrap_or(0)));
    assert!(one == other, "{}", difference(&one, &other));
}

/// What is optimised for hosts, and costs nine tenths of the time.
const QUICK: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
];

fn profile() -> &'static [(&'static str, &'static str)] {
    match environment::var("WB_REPRODUCIBLE").as_deref() {
        Some("production") => &[],
        _ => &QUICK,
    }
}

/// The runner of the fleet in `dir`, with nothing left of the build.
fn built(dir: &Path) -> Vec<u8> {
    let (target, runner) = (dir.join("target"), dir.with_extension("runner"));
    let build = Command::new(env!("CARGO_BIN_EXE_wb-operator")).arg("build").arg("--out").arg(&runner).dir(dir);
    let build = build.env("CARGO_TARGET_DIR", &target).env("CARGO_NET_OFFLINE", "true");
    let build = profile().iter().fold(build, |build, (name, value)| build.env(name, value));
    let output = build.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").run().unwrap();
    assert_eq!(output.code, 0, "{}", output.error_text());
    files::remove_tree(&target).unwrap();
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
