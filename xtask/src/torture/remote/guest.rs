//! The process of one round. It gives inputs and makes a visit; when it dies of that, it has left on the disk which input
//! it was given last.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};
use wb_core::system::{environment, files};

use super::super::TortureError;
use super::super::journal::DIR;
use super::super::stage::{EXE, Place, Stage};
use super::inputs::{Counts, give};
use super::kind::Kind;
use super::visit::{Visited, visit};

/// What a process is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What all of it follows from.
    pub seed: u64,
    /// How many inputs of each kind.
    pub inputs: usize,
    /// Which kinds.
    pub kinds: Vec<Kind>,
    /// Where the stage is and on which port its server, for a visit.
    pub visit: Option<(PathBuf, u16)>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// How many inputs were given.
    pub given: Counts,
    /// The inputs with which something is wrong: the kind, the file that has the input, and what.
    pub bad: Vec<(String, PathBuf, String)>,
    /// What came of the visit.
    pub visited: Visited,
}

/// No round needs so much memory, in bytes.
const MEMORY: u64 = 4 << 30;

/// Does what the task says, in the round that the environment names.
///
/// # Errors
/// When it is started by anything else than a round, or a visit can't be made.
pub fn run(task: &Task) -> Result<Done, TortureError> {
    let dir = environment::var(DIR).map(PathBuf::from).ok_or(TortureError::NoRound)?;
    let exe = environment::var(EXE).map(PathBuf::from).ok_or(TortureError::NoRound)?;
    setrlimit(Resource::As, Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) }).ok();
    let mut done = Done::default();
    let last = Last::begin(&dir)?;
    for kind in &task.kinds {
        let (given, bad) = give(*kind, task.seed, task.inputs, &|kind, input| last.is(kind, input));
        done.given.insert(kind.name().to_owned(), given);
        for (place, bad) in bad.into_iter().take(MOST_BAD).enumerate() {
            let file = dir.join(format!("bad-{kind}-{place}"));
            files::write(&file, &bad.input, 0o644)?;
            done.bad.push((kind.name().to_owned(), file, bad.what));
        }
    }
    files::remove(file(&dir))?;
    if let Some((stage, server)) = &task.visit {
        done.visited = visit(&Stage::found(stage, &exe)?, &Place::at(&dir, &exe), *server, task.seed)?;
    }
    Ok(done)
}

/// One mistake of a reader makes many bad inputs.
const MOST_BAD: usize = 5;

/// The input that was given last, on the disk.
struct Last(RefCell<File>);

impl Last {
    fn begin(round: &Path) -> Result<Self, TortureError> {
        let open = OpenOptions::new().write(true).create(true).truncate(true).open(file(round));
        open.map(|file| Self(RefCell::new(file))).map_err(|source| TortureError::Wire { source })
    }

    fn is(&self, kind: Kind, input: &[u8]) {
        let mut file = self.0.borrow_mut();
        let text = [kind.name().as_bytes(), b"\n", input].concat();
        let written = file.seek(SeekFrom::Start(0)).and_then(|_| file.set_len(0)).and_then(|()| file.write_all(&text));
        drop(written);
    }
}

fn file(round: &Path) -> PathBuf {
    round.join("input")
}

/// The input that a round was at when it ended, with its kind.
#[must_use]
pub fn last_input(round: &Path) -> Option<(Kind, Vec<u8>)> {
    let text = files::read(file(round)).ok()?;
    let end = text.iter().position(|byte| *byte == b'\n')?;
    let kind = String::from_utf8_lossy(&text[..end]).parse().ok()?;
    Some((kind, text[end + 1..].to_vec()))
}
