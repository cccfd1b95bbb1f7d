//! What happens to a host between its runs, beside what falls while it runs: files that are torn or stale, a clock that
//! jumps, a remote that is not as it was. Each kind has its promise, which every round holds the host to, and which the
//! book's table is made of.

use std::path::{Path, PathBuf};

use wb_core::system::files::{self, Lock};
use wb_core::system::{Command, Output};

use super::TortureError;
use super::chance::Chance;
use super::links::Generation;
use super::operator::Operator;
use super::stage::{Place, Stage};

/// Something that is not as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mischief {
    /// The remote can't be reached.
    RemoteAway,
    /// It takes its time.
    RemoteSlow,
    /// It can be read only.
    RemoteReadOnly,
    /// Its objects are cut short.
    RemoteTruncated,
    /// It is as it was before the newest changes and reports.
    RemoteRolledBack,
    /// Somebody whose signature does not count appended a change.
    ForgedChange,
    /// The runner of a signed change is another file than the one that was signed.
    SwappedRunner,
    /// A ref in the host's copy is empty.
    TornRef,
    /// The packed refs of the copy are cut short.
    TornPackedRefs,
    /// The configuration of the copy is cut short.
    TornConfig,
    /// The copy has no `HEAD`.
    NoHead,
    /// A pack of the copy is cut short.
    TornPack,
    /// A lock of git was left behind.
    StaleLock,
    /// The copy is as it was before the round.
    StaleCopy,
    /// A half-written file lies beside the record.
    Leftover,
    /// The record is cut short.
    TornRecord,
    /// The record is of a newer format.
    NewerRecord,
    /// `host.toml` has a mistake.
    TornConfiguration,
    /// Another process has the agent's lock.
    HeldLock,
    /// The clock goes forward by a day.
    ClockForward,
    /// The clock goes back by a day.
    ClockBack,
}

/// What a host does about it, and how it comes to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// It goes on as if nothing had happened.
    GoesOn,
    /// It goes on as far as it can without, says what it misses, and comes to its target once that is back.
    Waits(&'static [&'static str]),
    /// It stops, changes nothing, says this, and comes to its target once people have put things right.
    Stops(&'static [&'static str]),
}

impl Mischief {
    /// All of it.
    pub const ALL: [Self; 21] = [
        Self::RemoteAway,
        Self::RemoteSlow,
        Self::RemoteReadOnly,
        Self::RemoteTruncated,
        Self::RemoteRolledBack,
        Self::ForgedChange,
        Self::SwappedRunner,
        Self::TornRef,
        Self::TornPackedRefs,
        Self::TornConfig,
        Self::NoHead,
        Self::TornPack,
        Self::StaleLock,
        Self::StaleCopy,
        Self::Leftover,
        Self::TornRecord,
        Self::NewerRecord,
        Self::TornConfiguration,
        Self::HeldLock,
        Self::ClockForward,
        Self::ClockBack,
    ];

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.described().0
    }

    /// What is done, for people.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.described().1
    }

    /// What the host does then.
    #[must_use]
    pub fn promise(self) -> Promise {
        self.described().2
    }

    fn described(self) -> (&'static str, &'static str, Promise) {
        use Promise::{GoesOn, Stops, Waits};
        match self {
            Self::RemoteAway => ("remote_away", "the remote can't be reached", Waits(&["could not reach the remote"])),
            Self::RemoteSlow => ("remote_slow", "the remote answers late", GoesOn),
            Self::RemoteReadOnly => {
                ("remote_read_only", "the remote refuses every push", Waits(&["refuses", "could not reach the remote"]))
            }
            Self::RemoteTruncated => (
                "remote_truncated",
                "the remote's objects are cut short",
                Waits(&["could not reach the remote", "refuses"]),
            ),
            Self::RemoteRolledBack => (
                "remote_rolled_back",
                "the remote is put back to an older copy of itself",
                Waits(&["does not contain", "the log of changes is gone", "is not on the remote", "refuses"]),
            ),
            Self::ForgedChange => (
                "forged_change",
                "a change that nobody allowed has signed is on the remote",
                Waits(&["the signature is by nobody in `allowed_signers`"]),
            ),
            Self::SwappedRunner => (
                "swapped_runner",
                "the runner on the remote is another file than the one that was signed",
                Waits(&["but the change says"]),
            ),
            Self::TornRef => ("torn_ref", "a ref of the host's copy of the herd is empty", GoesOn),
            Self::TornPackedRefs => ("torn_packed_refs", "the copy's packed refs are cut short", GoesOn),
            Self::TornConfig => ("torn_git_config", "the copy's configuration is cut short", GoesOn),
            Self::NoHead => ("no_head", "the copy's `HEAD` is gone", GoesOn),
            Self::TornPack => ("torn_pack", "a pack of the copy is cut short", GoesOn),
            Self::StaleLock => ("stale_git_lock", "a lock of git was left behind in the copy", GoesOn),
            Self::StaleCopy => ("stale_copy", "the copy is put back to an older one", GoesOn),
            Self::Leftover => ("leftover_file", "a half-written file lies beside the record", GoesOn),
            Self::TornRecord => {
                ("torn_record", "the record is cut short", Stops(&["record.json, can't be read or written"]))
            }
            Self::NewerRecord => {
                ("newer_record", "the record is of a newer runner", Stops(&["has the format", "and this runner knows"]))
            }
            Self::TornConfiguration => ("torn_host_toml", "`host.toml` is cut short", Stops(&["host.toml"])),
            Self::HeldLock => {
                ("held_lock", "another agent of the host is at work", Stops(&["another agent of this host is running"]))
            }
            Self::ClockForward => ("clock_forward", "the clock goes forward by a day", GoesOn),
            Self::ClockBack => ("clock_back", "the clock goes back by a day", GoesOn),
        }
    }

    /// Whether it means something before the first run only.
    #[must_use]
    pub fn is_early(self) -> bool {
        self == Self::SwappedRunner
    }

    /// Whether an output is what was promised while this lasts.
    #[must_use]
    pub fn is_kept(self, output: &Output) -> bool {
        let said = format!("{}{}", output.error_text(), output.text());
        match self.promise() {
            Promise::GoesOn => output.code != UNREACHABLE,
            Promise::Waits(words) => output.code != UNREACHABLE || words.iter().any(|word| said.contains(word)),
            Promise::Stops(words) => {
                output.code == UNREACHABLE && words.iter().any(|word| said.contains(word)) && said.contains("hint: ")
            }
        }
    }
}

/// The exit code of a runner that misses something.
pub const UNREACHABLE: i32 = 3;

const DAY: u64 = 86_400;

/// What takes mischief back.
#[derive(Debug)]
pub enum Undo {
    /// Nothing does: the host lives with it.
    Nothing,
    /// A path takes another's place again.
    Rename(PathBuf, PathBuf),
    /// A file goes.
    Remove(PathBuf),
    /// A file gets its content back.
    Write(PathBuf, Vec<u8>),
    /// The newest change is this one again.
    Change(wb_core::chain::Sha1),
    /// The generation is deployed as it should have been.
    Deploy(Generation),
    /// The lock is given back.
    Release(Lock),
}

impl Mischief {
    /// Does it.
    ///
    /// # Errors
    /// When the files of the round can't be changed.
    pub fn done(
        self,
        stage: &Stage,
        place: &Place,
        newest: Generation,
        chance: &mut Chance,
    ) -> Result<Undo, TortureError> {
        let (remote, copy, home) = (place.remote(), place.copy(), place.home());
        match self {
            Self::RemoteAway => moved(&remote, &place.dir.join("away.git")),
            Self::RemoteSlow => hook(&remote, "sleep 0.2"),
            Self::RemoteReadOnly => hook(&remote, "echo 'error: this server is read-only' >&2; exit 1"),
            Self::RemoteTruncated => cut_largest(&remote, chance),
            Self::RemoteRolledBack => roll_back(&remote, &place.dir.join("ahead.git"), &place.dir.join("older.git")),
            Self::ForgedChange => forge(stage, place),
            Self::SwappedRunner => stage.operator(place).deploy_another(newest).map(|_| Undo::Deploy(newest)),
            Self::TornRef => cut(&copy.join("refs/seen/changes"), chance).map(|_| Undo::Nothing),
            Self::TornPackedRefs => cut(&copy.join("packed-refs"), chance).map(|_| Undo::Nothing),
            Self::TornConfig => cut(&copy.join("config"), chance).map(|_| Undo::Nothing),
            Self::NoHead => Ok(files::remove(copy.join("HEAD")).map(|_| Undo::Nothing)?),
            Self::TornPack => cut_largest(&copy, chance).map(|_| Undo::Nothing),
            Self::StaleLock => {
                let locks = ["packed-refs.lock", "refs/seen/changes.lock", "config.lock", "HEAD.lock", "shallow.lock"];
                let lock = copy.join(chance.of(&locks).unwrap_or(locks[0]));
                Ok(files::write(lock, "", 0o644).map(|()| Undo::Nothing)?)
            }
            Self::StaleCopy => stale(&copy, &place.dir.join("older-copy.git")),
            Self::Leftover => {
                let name = format!(".record.json.{}.new", 1 + chance.below(30_000));
                Ok(files::write(home.state().join(name), "{\"format\":", 0o600).map(|()| Undo::Nothing)?)
            }
            Self::TornRecord => cut(&home.record(), chance),
            Self::NewerRecord => {
                let path = home.record();
                let content = files::read(&path)?;
                let text = String::from_utf8_lossy(&content).replacen("\"format\": 1", "\"format\": 999", 1);
                files::write(&path, text, 0o600)?;
                Ok(Undo::Write(path, content))
            }
            Self::TornConfiguration => cut(&place.dir.join("host/etc/host.toml"), chance),
            Self::HeldLock => {
                let lock = files::try_lock(home.state().join("agent.lock"))?;
                Ok(lock.map_or(Undo::Nothing, Undo::Release))
            }
            Self::ClockForward => place.set_clock(place.now() + DAY).map(|()| Undo::Nothing),
            Self::ClockBack => place.set_clock(place.now() - DAY).map(|()| Undo::Nothing),
        }
    }
}

impl Undo {
    /// Takes it back. True when a change was published for it.
    ///
    /// # Errors
    /// When the files of the round can't be changed.
    pub fn done(self, stage: &Stage, place: &Place) -> Result<(), TortureError> {
        match self {
            Self::Nothing => {}
            Self::Rename(from, to) => {
                files::remove_tree(&to)?;
                files::rename(from, to)?;
            }
            Self::Remove(path) => drop(files::remove(path)?),
            Self::Write(path, content) => {
                let mode = files::stat(&path)?.map_or(0o600, |stat| stat.mode);
                files::write(path, content, mode)?;
            }
            Self::Change(commit) => stage.operator(place).point("refs/wildebeest/changes", commit)?,
            Self::Deploy(generation) => {
                stage.operator(place).deploy(generation, stage.runner(generation))?;
            }
            Self::Release(lock) => drop(lock),
        }
        Ok(())
    }
}

fn moved(from: &Path, to: &Path) -> Result<Undo, TortureError> {
    files::rename(from, to)?;
    Ok(Undo::Rename(to.to_owned(), from.to_owned()))
}

fn hook(remote: &Path, does: &str) -> Result<Undo, TortureError> {
    let path = remote.join("hooks/pre-receive");
    files::write(&path, format!("#!/bin/sh\n{does}\n"), 0o755)?;
    Ok(Undo::Remove(path))
}

/// Cuts a file short, anywhere; one that is not there stays so.
fn cut(path: &Path, chance: &mut Chance) -> Result<Undo, TortureError> {
    let Some(content) = files::read_optional(path)? else { return Ok(Undo::Nothing) };
    let mode = files::stat(path)?.map_or(0o644, |stat| stat.mode);
    files::write(path, &content[..chance.below(content.len().saturating_sub(1))], mode)?;
    Ok(Undo::Write(path.to_owned(), content))
}

/// Cuts the largest pack short.
fn cut_largest(repository: &Path, chance: &mut Chance) -> Result<Undo, TortureError> {
    let packs = files::list(repository.join("objects/pack"))?;
    let packs = packs.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "pack"));
    let largest = packs.max_by_key(|path| files::stat(path).ok().flatten().map_or(0, |stat| stat.size));
    largest.map_or(Ok(Undo::Nothing), |path| cut(&path, chance))
}

fn roll_back(remote: &Path, ahead: &Path, older: &Path) -> Result<Undo, TortureError> {
    if !files::exists(older) {
        return Ok(Undo::Nothing);
    }
    files::rename(remote, ahead)?;
    files::rename(older, remote)?;
    Ok(Undo::Rename(ahead.to_owned(), remote.to_owned()))
}

fn stale(copy: &Path, older: &Path) -> Result<Undo, TortureError> {
    if files::exists(older) {
        files::remove_tree(copy)?;
        files::rename(older, copy)?;
    }
    Ok(Undo::Nothing)
}

fn forge(stage: &Stage, place: &Place) -> Result<Undo, TortureError> {
    let forger: Operator = stage.forger(place);
    let Some(tip) = forger.tip()? else { return Ok(Undo::Nothing) };
    forger.deploy_forged()?;
    Ok(Undo::Change(tip))
}

/// Keeps what [`Mischief::RemoteRolledBack`] and [`Mischief::StaleCopy`] put back later.
///
/// # Errors
/// When it can't be copied.
pub fn keep_older(place: &Place, mischief: &[Mischief]) -> Result<(), TortureError> {
    let all = [
        (Mischief::RemoteRolledBack, place.remote(), "older.git"),
        (Mischief::StaleCopy, place.copy(), "older-copy.git"),
    ];
    for (_, path, name) in all.into_iter().filter(|(kind, _, _)| mischief.contains(kind)) {
        let copy = Command::new("cp").arg("-a").arg(path).arg(place.dir.join(name));
        copy.read().map_err(TortureError::Command)?;
    }
    Ok(())
}
