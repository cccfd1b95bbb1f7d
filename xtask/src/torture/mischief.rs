//! What happens to a host between its runs, beside what falls while it runs: files that are torn or stale, a clock that
//! jumps, a remote that is not as it was. Each kind has its promise, which every round holds the host to, and which the
//! book's table is made of.

use std::path::{Path, PathBuf};

use wb_core::system::files::{self, Lock};
use wb_core::system::{Command, Output, environment};

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
    /// The runner of a signed change is for another machine.
    ForeignRunner,
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
    /// The copy belongs to another user. Only root can do that.
    ForeignCopy,
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
    /// It keeps the runner that it has, says this, and comes to its target once people have deployed another one.
    Refuses(&'static [&'static str]),
    /// It stops, changes nothing, says this, and comes to its target once people have put things right.
    Stops(&'static [&'static str]),
}

impl Mischief {
    /// All of it.
    pub const ALL: [Self; 23] = [
        Self::RemoteAway,
        Self::RemoteSlow,
        Self::RemoteReadOnly,
        Self::RemoteTruncated,
        Self::RemoteRolledBack,
        Self::ForgedChange,
        Self::SwappedRunner,
        Self::ForeignRunner,
        Self::TornRef,
        Self::TornPackedRefs,
        Self::TornConfig,
        Self::NoHead,
        Self::TornPack,
        Self::StaleLock,
        Self::StaleCopy,
        Self::ForeignCopy,
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

    fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::RemoteAway => ("remote_away", "the remote can't be reached"),
            Self::RemoteSlow => ("remote_slow", "the remote answers late"),
            Self::RemoteReadOnly => ("remote_read_only", "the remote refuses every push"),
            Self::RemoteTruncated => ("remote_truncated", "the remote's objects are cut short"),
            Self::RemoteRolledBack => ("remote_rolled_back", "the remote is put back to an older copy of itself"),
            Self::ForgedChange => ("forged_change", "a change that nobody allowed has signed is on the remote"),
            Self::SwappedRunner => {
                ("swapped_runner", "the runner on the remote is another file than the one that was signed")
            }
            Self::ForeignRunner => ("foreign_runner", "the runner that was deployed is for another machine"),
            Self::TornRef => ("torn_ref", "a ref of the host's copy of the herd is empty"),
            Self::TornPackedRefs => ("torn_packed_refs", "the copy's packed refs are cut short"),
            Self::TornConfig => ("torn_git_config", "the copy's configuration is cut short"),
            Self::NoHead => ("no_head", "the copy's `HEAD` is gone"),
            Self::TornPack => ("torn_pack", "a pack of the copy is cut short"),
            Self::StaleLock => ("stale_git_lock", "a lock of git was left behind in the copy"),
            Self::StaleCopy => ("stale_copy", "the copy is put back to an older one"),
            Self::ForeignCopy => ("foreign_copy", "the copy belongs to another user"),
            Self::Leftover => ("leftover_file", "a half-written file lies beside the record"),
            Self::TornRecord => ("torn_record", "the record is cut short"),
            Self::NewerRecord => ("newer_record", "the record is of a newer runner"),
            Self::TornConfiguration => ("torn_host_toml", "`host.toml` is cut short"),
            Self::HeldLock => ("held_lock", "another agent of the host is at work"),
            Self::ClockForward => ("clock_forward", "the clock goes forward by a day"),
            Self::ClockBack => ("clock_back", "the clock goes back by a day"),
        }
    }

    /// What the host does then.
    #[must_use]
    pub fn promise(self) -> Promise {
        use Promise::{GoesOn, Refuses, Stops, Waits};
        match self {
            Self::RemoteAway => Waits(&["could not reach the remote"]),
            Self::RemoteReadOnly => Waits(&["refuses", "could not reach the remote"]),
            Self::RemoteTruncated => Waits(&["could not reach the remote", "refuses"]),
            Self::RemoteRolledBack => {
                Waits(&["does not contain", "the log of changes is gone", "is not on the remote", "refuses"])
            }
            Self::ForgedChange => Waits(&["the signature is by nobody in `allowed_signers`"]),
            Self::SwappedRunner => Refuses(&["but the change says"]),
            Self::ForeignRunner => Refuses(&["is for s390x, and this is"]),
            Self::ForeignCopy => Stops(&["belongs to"]),
            Self::TornRecord => Stops(&["record.json, can't be read or written"]),
            Self::NewerRecord => Stops(&["has the format", "and this runner knows"]),
            Self::TornConfiguration => Stops(&["host.toml"]),
            Self::HeldLock => Stops(&["another agent of this host is running"]),
            Self::RemoteSlow
            | Self::TornRef
            | Self::TornPackedRefs
            | Self::TornConfig
            | Self::NoHead
            | Self::TornPack
            | Self::StaleLock
            | Self::StaleCopy
            | Self::Leftover
            | Self::ClockForward
            | Self::ClockBack => GoesOn,
        }
    }

    /// Whether it means something before the first run only.
    #[must_use]
    pub fn is_early(self) -> bool {
        matches!(self, Self::SwappedRunner | Self::ForeignRunner)
    }

    /// Whether who tortures may do it.
    #[must_use]
    pub fn is_allowed(self) -> bool {
        self != Self::ForeignCopy || environment::user() == 0
    }

    /// Whether an output is what was promised while this lasts.
    #[must_use]
    pub fn is_kept(self, output: &Output) -> bool {
        let said = format!("{}{}", output.error_text(), output.text());
        let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
        match self.promise() {
            Promise::GoesOn => output.code != UNREACHABLE,
            Promise::Waits(words) => output.code != UNREACHABLE || says(words),
            Promise::Refuses(words) => output.code == UNHEALTHY && says(words) && said.contains("hint: "),
            Promise::Stops(words) => output.code == UNREACHABLE && says(words) && said.contains("hint: "),
        }
    }
}

/// The exit code of a runner that misses something.
pub const UNREACHABLE: i32 = 3;

/// The exit code of a runner that people should look at.
const UNHEALTHY: i32 = 1;

/// The number of a user who is nobody here.
const NOBODY: u32 = 65_534;

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
    /// A path belongs to this user again.
    Own(PathBuf),
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
        let remote = place.remote();
        match self {
            Self::RemoteAway => moved(&remote, &place.dir.join("away.git")),
            Self::RemoteSlow => hook(&remote, "sleep 0.2"),
            Self::RemoteReadOnly => hook(&remote, "echo 'error: this server is read-only' >&2; exit 1"),
            Self::RemoteTruncated => cut_largest(&remote, chance),
            Self::RemoteRolledBack => roll_back(&remote, &place.dir.join("ahead.git"), &place.dir.join("older.git")),
            Self::ForgedChange => forge(stage, place),
            Self::SwappedRunner => stage.operator(place).deploy_another(newest).map(|_| Undo::Deploy(newest)),
            Self::ForeignRunner => stage.operator(place).deploy_foreign(newest).map(|_| Undo::Deploy(newest)),
            Self::ClockForward => place.set_clock(place.now() + DAY).map(|()| Undo::Nothing),
            Self::ClockBack => place.set_clock(place.now() - DAY).map(|()| Undo::Nothing),
            Self::Leftover | Self::TornRecord | Self::NewerRecord | Self::TornConfiguration | Self::HeldLock => {
                self.done_to_home(place, chance)
            }
            _ => self.done_to_copy(place, chance),
        }
    }

    /// To the host's own files.
    fn done_to_home(self, place: &Place, chance: &mut Chance) -> Result<Undo, TortureError> {
        let home = place.home();
        match self {
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
            _ => {
                let lock = files::try_lock(home.state().join("agent.lock"))?;
                Ok(lock.map_or(Undo::Nothing, Undo::Release))
            }
        }
    }

    /// To the host's copy of the herd's refs, which it makes anew, unless it is not its own.
    fn done_to_copy(self, place: &Place, chance: &mut Chance) -> Result<Undo, TortureError> {
        let copy = place.copy();
        match self {
            Self::ForeignCopy => {
                own(&copy, NOBODY)?;
                return Ok(Undo::Own(copy));
            }
            Self::StaleCopy => stale(&copy, &place.dir.join("older-copy.git"))?,
            Self::TornRef => drop(cut(&copy.join("refs/seen/changes"), chance)?),
            Self::TornPackedRefs => drop(cut(&copy.join("packed-refs"), chance)?),
            Self::TornConfig => drop(cut(&copy.join("config"), chance)?),
            Self::NoHead => drop(files::remove(copy.join("HEAD"))?),
            Self::TornPack => drop(cut_largest(&copy, chance)?),
            _ => {
                let locks = ["packed-refs.lock", "refs/seen/changes.lock", "config.lock", "HEAD.lock", "shallow.lock"];
                let lock = copy.join(chance.of(&locks).unwrap_or(locks[0]));
                files::write(lock, "", 0o644)?;
            }
        }
        Ok(Undo::Nothing)
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
            Self::Own(path) => own(&path, environment::user())?,
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

fn stale(copy: &Path, older: &Path) -> Result<(), TortureError> {
    if files::exists(older) {
        files::remove_tree(copy)?;
        files::rename(older, copy)?;
    }
    Ok(())
}

/// Only what lies at the path itself: who owns it is asked before anything in it is.
fn own(path: &Path, user: u32) -> Result<(), TortureError> {
    let chown = Command::new("chown").arg(user.to_string()).arg(path);
    chown.read().map(drop).map_err(TortureError::Command)
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
