//! The hooks of a process that can be armed.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::io::Errno;

use super::chance::Chance;
use super::plan::{Fault, Plan, When};
use super::point::{Bug, Kind, POINTS, Subject, number};
use super::recorder::{Names, Recorder};

static ARMED: OnceLock<Armed> = OnceLock::new();

static PLANTED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static SUBJECT: Cell<Subject> = const { Cell::new(Subject::Any) };
    static PLANTED_HERE: Cell<u64> = const { Cell::new(0) };
}

/// Arms this process: once, before anything else. A second plan is not heard.
pub fn arm(plan: Plan) {
    plan.bugs.iter().for_each(|bug| plant(*bug));
    drop(ARMED.set(Armed::new(plan)));
}

/// Lets this process make a mistake.
pub fn plant(bug: Bug) {
    PLANTED.fetch_or(1 << bug as u64, Ordering::Relaxed);
}

/// Lets this thread make a mistake, or none.
pub fn plant_here(bug: Option<Bug>) {
    PLANTED_HERE.set(bug.map_or(0, |bug| 1 << bug as u64));
}

/// Whether a mistake is to be made.
#[must_use]
pub fn planted(bug: Bug) -> bool {
    with(|armed| armed.plan.bugs.contains(&bug)).unwrap_or_default()
        || (PLANTED.load(Ordering::Relaxed) | PLANTED_HERE.get()) & (1 << bug as u64) != 0
}

/// How many points this process has passed since it was armed. The next one is passed at [`When::Hit`] of this.
#[must_use]
pub fn passed() -> u64 {
    with(|armed| armed.hits.load(Ordering::Relaxed)).unwrap_or_default()
}

/// What is being changed, for as long as this value lives.
#[derive(Debug)]
#[must_use]
pub struct During(Subject);

/// Says what is being changed, until the value is dropped.
pub fn during(subject: Subject) -> During {
    During(SUBJECT.replace(subject))
}

impl Drop for During {
    fn drop(&mut self) {
        SUBJECT.set(self.0);
    }
}

/// What happens at a point that is being passed.
pub(crate) struct Strike {
    kind: Kind,
    fault: Option<Fault>,
}

impl Strike {
    /// As much of `content` as is written before it happens.
    pub(crate) fn part<'a>(&self, content: &'a [u8]) -> &'a [u8] {
        let length = |armed: &Armed| armed.chance().end_or_between(content.len() as u64);
        match self.fault.and_then(|_| with(length)) {
            Some(length) => &content[..usize::try_from(length).unwrap_or(content.len())],
            None => content,
        }
    }

    /// Lets it happen.
    pub(crate) fn fall(self) -> io::Result<()> {
        match self.fault {
            None => Ok(()),
            Some(Fault::Kill) => die(),
            Some(Fault::PowerCut) => {
                kill_children();
                with(|armed| armed.recorder().cut(&mut armed.chance()));
                die()
            }
            Some(Fault::NoSpace) => Err(error(self.kind, Errno::NOSPC, Errno::NOMEM)),
            Some(Fault::InputOutput) => Err(error(self.kind, Errno::IO, Errno::AGAIN)),
        }
    }
}

/// Passes a point, and says what will happen there.
pub(crate) fn strike(kind: Kind) -> Strike {
    let fault = with(|armed| armed.passed(SUBJECT.get(), kind)).flatten();
    Strike { kind, fault: fault.filter(|fault| kind.can_fail() || matches!(fault, Fault::Kill | Fault::PowerCut)) }
}

/// Passes a point. An error is the fault of that point.
pub(crate) fn pass(kind: Kind) -> io::Result<()> {
    strike(kind).fall()
}

/// Names in a directory that are about to mean something else.
pub(crate) struct Change(Option<Names>);

impl Change {
    pub(crate) fn of(names: &[&Path]) -> Self {
        Self(with(|_| Names::of(names)).flatten())
    }

    /// It was made, and is not safe yet.
    pub(crate) fn made(self) {
        with(|armed| armed.recorder().changed(self.0));
    }
}

/// What a file has from `from` on is not safe yet.
pub(crate) fn unsynced(file: &File, from: u64) {
    with(|armed| armed.recorder().wrote(file, from));
}

/// A file is safe.
pub(crate) fn synced(file: &File) {
    with(|armed| armed.recorder().synced(file));
}

/// The names in a directory are safe.
pub(crate) fn synced_dir(dir: &Path) {
    with(|armed| armed.recorder().synced_dir(dir));
}

/// Mode and owner of what is at `path` are about to be set.
pub(crate) fn will_set_attributes(path: &Path) {
    with(|armed| armed.recorder().will_set_attributes(path));
}

/// By how many seconds the clock is off now.
pub(super) fn offset() -> i64 {
    with(Armed::offset).unwrap_or_default()
}

struct Armed {
    plan: Plan,
    trace: Option<File>,
    hits: AtomicU64,
    passages: Vec<AtomicU64>,
    chance: Mutex<Chance>,
    recorder: Mutex<Recorder>,
}

impl Armed {
    fn new(plan: Plan) -> Self {
        let open = |path| File::options().append(true).create(true).open(path).ok();
        Self {
            trace: plan.trace.as_ref().and_then(open),
            hits: AtomicU64::new(0),
            passages: POINTS.iter().map(|_| AtomicU64::new(0)).collect(),
            chance: Mutex::new(Chance(plan.seed)),
            recorder: Mutex::default(),
            plan,
        }
    }

    fn passed(&self, subject: Subject, kind: Kind) -> Option<Fault> {
        let point = number(subject, kind);
        let hit = self.hits.fetch_add(1, Ordering::Relaxed);
        let nth = self.passages[point].fetch_add(1, Ordering::Relaxed);
        if let Some(mut trace) = self.trace.as_ref() {
            drop(trace.write_all(format!("{point} {}\n", POINTS[point].name).as_bytes()));
        }
        let now = |when| when == When::Hit(hit) || when == When::Point { point, nth };
        self.plan.faults.iter().find(|injected| now(injected.at)).map(|injected| injected.fault)
    }

    fn offset(&self) -> i64 {
        let hits = self.hits.load(Ordering::Relaxed);
        self.plan.clock.iter().filter(|jump| jump.hits <= hits).fold(0, |sum, jump| sum.saturating_add(jump.seconds))
    }

    fn chance(&self) -> MutexGuard<'_, Chance> {
        self.chance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kind {
    /// What has happened already can't fail any more. Of a push the answer may be lost.
    fn can_fail(self) -> bool {
        !matches!(self, Self::Spawned | Self::Ended)
    }
}

fn error(kind: Kind, of_disk: Errno, of_processes: Errno) -> io::Error {
    match kind {
        Kind::Spawn | Kind::Exec => of_processes.into(),
        Kind::Publish | Kind::Published => Errno::TIMEDOUT.into(),
        _ => of_disk.into(),
    }
}

#[cfg(not(test))]
fn with<T>(ask: impl FnOnce(&Armed) -> T) -> Option<T> {
    ARMED.get().map(ask)
}

#[cfg(not(test))]
fn die() -> ! {
    loop {
        // Only who may not signal itself would come back from this.
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).ok();
        std::thread::park();
    }
}

#[cfg(not(test))]
fn kill_children() {
    super::recorder::kill_children();
}

#[cfg(test)]
pub(in crate::system) use of_threads::{Died, dying};
#[cfg(test)]
use of_threads::{die, kill_children, with};

/// In tests a thread is armed, not the process, and dies by unwinding.
#[cfg(test)]
mod of_threads {
    use std::cell::RefCell;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    use super::{Armed, Plan};

    thread_local! {
        static ARMED: RefCell<Option<&'static Armed>> = const { RefCell::new(None) };
    }

    /// The end of an armed thread.
    #[derive(Debug, PartialEq, Eq)]
    pub(in crate::system) struct Died;

    /// Runs `act` under `plan`.
    pub(in crate::system) fn dying<T>(plan: Plan, act: impl FnOnce() -> T) -> Result<T, Died> {
        ARMED.set(Some(Box::leak(Box::new(Armed::new(plan)))));
        let ended = catch_unwind(AssertUnwindSafe(act));
        ARMED.set(None);
        ended.map_err(|end| if end.is::<Died>() { Died } else { resume_unwind(end) })
    }

    pub(super) fn with<T>(ask: impl FnOnce(&Armed) -> T) -> Option<T> {
        ARMED.with_borrow(|armed| *armed).map(ask)
    }

    pub(super) fn die() -> ! {
        resume_unwind(Box::new(Died))
    }

    pub(super) fn kill_children() {}
}
