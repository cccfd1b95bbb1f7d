//! Where the time of a no-op goes: what strace counts and what callgrind sees, on a host of its own, where nothing is timed.

use std::path::Path;

use wb_core::system::files;

use super::super::{BenchError, target_dir};
use super::KINDS;
use super::host::{self, Racetrack, Symbols};
use crate::shell::Shell;

/// Writes it into a directory, of each kind of work.
///
/// # Errors
/// When this machine can have no sandboxes, the program does not compile, or its host can't install valgrind.
pub fn profile(dir: &Path, shell: &Shell) -> Result<(), BenchError> {
    let program = host::program(&target_dir(), Symbols::Kept, shell)?;
    let track = Racetrack::open(&program, &["valgrind"], shell)?;
    files::create_dir(dir)?;
    for kind in KINDS {
        let _progress = shell.begin(format!("{kind}: where the time goes"));
        track.apply(kind)?;
        for (name, text) in of(&track, kind)? {
            files::write(dir.join(format!("{kind}.{name}")), text + "\n", 0o644)?;
        }
    }
    Ok(())
}

fn of(track: &Racetrack, kind: &str) -> Result<[(&'static str, String); 5], BenchError> {
    let [seen, readable] = track.callgrind(kind)?;
    Ok([
        ("strace", track.strace(&["-f"], "apply", kind)?),
        ("own.strace", track.strace(&[], "apply", kind)?),
        ("floor.strace", track.strace(&["-f"], "floor", kind)?),
        ("callgrind.out", seen),
        ("callgrind.txt", readable),
    ])
}
