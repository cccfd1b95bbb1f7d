//! Two clones of a fleet, at two places, make the same runner: what was tested of one is known of the other.
//!
//! Each is built in a process of its own, with a target directory of its own, out of nothing: that takes a minute or two.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use wb_core::system::{Command, files};
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

/// The runner of the fleet in `dir`, with nothing left of the build.
fn built(dir: &Path) -> Vec<u8> {
    let (target, runner) = (dir.join("target"), dir.with_extension("runner"));
    let build = Command::new(env!("CARGO_BIN_EXE_wb-operator")).arg("build").arg("--out").arg(&runner).dir(dir);
    let build = build.env("CARGO_TARGET_DIR", &target).env("CARGO_NET_OFFLINE", "true");
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
