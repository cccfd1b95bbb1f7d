//! Where rounds are played: the stage, and what is passed there when nothing falls.

use std::path::{Path, PathBuf};

use wb_core::system::{environment, files};

use super::TortureError;
use super::play::play;
use super::round::{self, Passages, Round, Scenario};
use super::stage::Stage;

/// What all rounds start from. Its files go with it.
#[derive(Debug)]
pub struct Ground {
    pub(super) stage: Stage,
    pub(super) passages: Passages,
    scratch: Scratch,
}

impl Ground {
    /// Sets the stage for hosts that run the program at `exe`, and plays each scenario on it once.
    ///
    /// # Errors
    /// When one of them goes wrong though nothing falls.
    pub fn set(exe: &Path) -> Result<Self, TortureError> {
        let scratch = Scratch::new()?;
        // With an option, so that ssh-keygen is asked: its moments are among those to fall at.
        let stage = Stage::set(&scratch.0, exe, "namespaces=\"git\" ")?;
        let play = |scenario| calm(&stage, scenario);
        let calm = std::thread::scope(|scope| {
            let playing = Scenario::ALL.map(|scenario| scope.spawn(move || play(scenario)));
            playing.map(|playing| playing.join().unwrap_or(Err(TortureError::NoRound)))
        });
        let passages = Scenario::ALL.into_iter().zip(calm).map(|(scenario, passed)| Ok((scenario, passed?)));
        let passages = passages.collect::<Result<_, TortureError>>()?;
        Ok(Self { stage, passages, scratch })
    }

    /// The points that are passed at all.
    #[must_use]
    pub fn points(&self) -> Vec<usize> {
        round::points(&self.passages)
    }

    /// Leaves its files where they are, and tells where.
    #[must_use]
    pub fn keep(self) -> PathBuf {
        self.scratch.keep()
    }
}

/// The points that each process passes in a round in which nothing happens.
fn calm(stage: &Stage, scenario: Scenario) -> Result<Vec<Vec<usize>>, TortureError> {
    let place = stage.place(&format!("calm-{}", scenario.name().replace(' ', "-")))?;
    let played = play(stage, &place, &Round::calm(scenario), None)?;
    place.remove();
    match played.violations.first() {
        None => Ok(played.passed),
        Some(violation) => Err(TortureError::NoCalm { scenario: scenario.name(), what: violation.to_string() }),
    }
}

/// A directory in memory, where there is room for it.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Leaves it where it is, and tells where.
    pub(super) fn keep(mut self) -> PathBuf {
        std::mem::take(&mut self.0)
    }

    pub(super) fn new() -> Result<Self, TortureError> {
        let name = format!("wildebeest-torture-{}", uuid::Uuid::new_v4());
        let memory = Path::new("/dev/shm").join(&name);
        let dir = match files::create_private_dir(&memory) {
            Ok(()) => memory,
            Err(_) => {
                let dir = environment::temp_dir().join(name);
                files::create_private_dir(&dir)?;
                dir
            }
        };
        Ok(Self(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            drop(files::remove_tree(&self.0));
        }
    }
}
