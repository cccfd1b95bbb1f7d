//! The agent: the loop that carries plans out.
//!
//! One [`Agent::tick`] looks at the remote, accepts changes, takes over a new runner when the host may, and then acts
//! until there is nothing to do but wait. What it does next is decided by [`crate::plan`] and by the [`phase`] on
//! disk; the code here makes no choices of its own. Every step writes its intent before it acts.

mod act;
mod adopt;
mod claim;
mod dispute;
pub mod identity;
pub mod incarnation;
mod look;
mod lookout;
mod machine;
mod notices;
pub mod pace;
pub mod phase;
pub mod preview;
mod publish;
mod reboot;
mod run;
mod self_check;
mod store;
mod trial;
mod upgrade;
pub mod verify;
mod watch;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

pub use crate::results::How;
pub use act::Rest;
use machine::Housed;
pub use machine::Machine;
use notices::Board;
pub use notices::{Away, Notices};
pub use run::run_link;
pub(crate) use run::{act_link, preview_link};
#[cfg(feature = "faults")]
pub use store::subject;
pub use store::{FORMAT, LinkRecord, Record, Refused, Reports, Shelf, Store, StoreError, Trial};
pub use trial::{STARTS, starts, uncount};
pub use upgrade::RUNNER_FILE;

use self::identity::Foreign;
use reboot::Asked;

use crate::chain::{Digest, Sha1};
use crate::change::Retired;
use crate::plan::{Stop, Wait};
use crate::registry::{
    AllowedSigners, LogError, Mirror, ObjectError, RefName, Registry, RegistryError, ReportCache, SigningKey,
    VerifiedChange,
};
use crate::report::{Doing, Drift, Report};
use crate::runner::{Catalog, Home, HomeError, HostConfig, with_causes};
use crate::system::{CommandError, FileError, System};
use upgrade::Unfit;
use watch::Watch;

/// One host.
pub struct Agent<'a> {
    home: Home,
    config: HostConfig,
    catalog: &'a Catalog,
    system: &'a System,
    store: Rc<Store>,
    registry: Box<dyn Mirror + 'a>,
    machine: Rc<dyn Machine + 'a>,
    allowed: AllowedSigners,
    key: SigningKey,
    public: String,
    runner: Digest,
    unfit: RefCell<Option<Unfit>>,
    change: Option<VerifiedChange>,
    distrust: Option<String>,
    cache: RefCell<ReportCache>,
    /// Of those of whom a share may be out with this host, the machines that were ever in load.
    served: RefCell<BTreeSet<uuid::Uuid>>,
    claims: RefCell<ReportCache>,
    published: Option<Report>,
    said: Option<Said>,
    left: Option<Retired>,
    looked: Cell<Option<Looked>>,
    /// When it asked for pools last, in seconds since 1970, UTC.
    saw_pools: Cell<Option<u64>>,
    watch: Watch,
    mute: bool,
    journal: Journal<'a>,
    board: Board<'a>,
    unrecorded: Option<Ran>,
    reboot: Option<Asked>,
    races: Races,
}

/// What an agent is made of, on a real machine or in memory.
pub struct Parts<'a> {
    /// Where the host's files lie.
    pub home: Home,
    /// Who it is.
    pub config: HostConfig,
    /// Its record.
    pub store: Store,
    /// What it knows of the herd.
    pub registry: Box<dyn Mirror + 'a>,
    /// What else it has of its machine.
    pub machine: Rc<dyn Machine + 'a>,
    /// Whose changes count.
    pub allowed: AllowedSigners,
    /// Its private key.
    pub key: SigningKey,
    /// Its public key.
    pub public: String,
}

/// What the agent wants after a tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Look again at the next poll.
    Poll,
    /// Look again at once.
    Again,
    /// Somebody else was faster: look again in a moment.
    Overtaken,
    /// A role could not leave or rejoin: try it again, sooner than at the next poll.
    Retry,
    /// The new runner is installed: run it in place of this one.
    Exec,
}

/// Why a tick failed. The next one tries again.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The host's own record.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The host's own files.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The remote.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The host's key.
    #[error(transparent)]
    Key(#[from] crate::registry::SignatureError),
    /// Somebody has put something else in the place of a role's pool.
    #[error("the pool of {role} can't be read")]
    Pool {
        /// The role.
        role: String,
        /// Why.
        source: Box<ObjectError>,
    },
    /// Others wrote first, again and again.
    #[error("others were faster, {tries} times in a row")]
    Overtaken {
        /// How often it was tried.
        tries: u32,
    },
    /// Somebody else reports under this host's identity.
    #[error("this machine has no right to act as `{name}`: {why}")]
    TakenOver {
        /// The host's name.
        name: String,
        /// Why.
        why: Foreign,
    },
    /// This host's identity left the herd.
    #[error("`{name}` left the herd by change {change}, or another machine took its place")]
    Retired {
        /// The host's name.
        name: String,
        /// The number of the change.
        change: u64,
    },
    /// The installed runner can't be started.
    #[error("the installed runner does not start")]
    Runner(#[source] CommandError),
    /// The newest accepted change is here, and this runner can't read it.
    #[error("the change {} that was accepted last can't be read", change.short())]
    Unreadable {
        /// The change.
        change: Sha1,
        /// Why.
        source: Box<LogError>,
    },
}

impl AgentError {
    /// Whether only people can end this: whatever is under way stops too.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::TakenOver { .. } | Self::Retired { .. })
    }

    /// Whether it is only that the remote gave no answer.
    fn is_of_the_network(&self) -> bool {
        matches!(self, Self::Registry(RegistryError::Unreachable { .. }))
    }
}

impl<'a> Agent<'a> {
    /// The agent of the host whose files are in `home`, for who has its lock.
    ///
    /// # Errors
    /// When the machine is not enrolled, or its files can't be read.
    pub fn open(
        home: Home,
        catalog: &'a Catalog,
        system: &'a System,
        runner: Digest,
        log: &'a dyn Fn(&str),
    ) -> Result<Self, AgentError> {
        let config = home.read_config()?;
        let registry = home.registry(&config.remote)?;
        Self::with(home, config, registry, catalog, system, runner, log)
    }

    /// The agent of the host whose files are in `home`, for who only looks: another one may be at work.
    ///
    /// # Errors
    /// As [`Agent::open`], and when the copy of the refs is broken.
    pub fn open_beside(
        home: Home,
        catalog: &'a Catalog,
        system: &'a System,
        runner: Digest,
        log: &'a dyn Fn(&str),
    ) -> Result<Self, AgentError> {
        let config = home.read_config()?;
        let registry = home.registry_beside(&config.remote)?;
        Self::with(home, config, registry, catalog, system, runner, log)
    }

    fn with(
        home: Home,
        config: HostConfig,
        registry: Registry,
        catalog: &'a Catalog,
        system: &'a System,
        runner: Digest,
        log: &'a dyn Fn(&str),
    ) -> Result<Self, AgentError> {
        let parts = Parts {
            store: Store::open(&home.record())?,
            allowed: home.read_allowed_signers()?,
            key: SigningKey::new(home.key()),
            public: crate::registry::public_key(&home.key())?,
            registry: Box::new(registry),
            machine: Rc::new(Housed::new(&home, &config.runner, system)),
            home,
            config,
        };
        Ok(Self::of(parts, catalog, system, runner, log))
    }

    /// The agent that is made of these parts.
    #[must_use]
    pub fn of(
        parts: Parts<'a>,
        catalog: &'a Catalog,
        system: &'a System,
        runner: Digest,
        log: &'a dyn Fn(&str),
    ) -> Self {
        let mut agent = Self {
            board: Board::of(Rc::clone(&parts.machine)),
            key: parts.key,
            public: parts.public,
            watch: Watch::new(&parts.config),
            home: parts.home,
            config: parts.config,
            catalog,
            system,
            store: Rc::new(parts.store),
            registry: parts.registry,
            machine: parts.machine,
            allowed: parts.allowed,
            runner,
            unfit: RefCell::default(),
            change: None,
            distrust: None,
            cache: RefCell::default(),
            served: RefCell::default(),
            claims: RefCell::new(ReportCache::of_claims()),
            published: None,
            said: None,
            left: None,
            looked: Cell::new(None),
            saw_pools: Cell::new(None),
            mute: false,
            journal: Journal { log, tail: RefCell::default(), quiet: Cell::new(None) },
            unrecorded: None,
            reboot: None,
            races: Races::default(),
        };
        agent.recall();
        agent.recall_said();
        agent
    }

    /// Looks, thinks and acts until there is nothing to do but wait.
    ///
    /// # Errors
    /// When the remote or the disk is out of reach, or another machine reports under this identity. Nothing is lost:
    /// the next tick goes on where this one stopped.
    pub fn tick(&mut self) -> Result<Next, AgentError> {
        let turn = self.turn();
        if let Err(error) = &turn {
            self.missed(error);
        }
        turn
    }

    fn turn(&mut self) -> Result<Next, AgentError> {
        let kept_in = self.after_boot()?;
        let away = match self.poll() {
            Err(error) if kept_in.is_some() || self.stops_at(&error)? => return Err(error),
            Err(error) => {
                self.refuse_retired()?;
                self.go_on_without(&error);
                Some(error)
            }
            Ok(()) => {
                self.reached();
                self.follow_name();
                self.claim_again()?;
                let upgraded = self.upgrade()?;
                self.board.keep(self.board.notices().distrusting(self.distrust.clone()));
                if upgraded {
                    return Ok(Next::Exec);
                }
                None
            }
        };
        if let Some(doing) = kept_in {
            self.publish(&self.besides(doing))?;
            return Ok(Next::Retry);
        }
        match (self.act()?, away) {
            (Rest::Again, _) => Ok(Next::Again),
            (Rest::Overtaken, _) => Ok(Next::Overtaken),
            (Rest::Until(doing), None) => self.rest(&doing),
            (Rest::Until(doing), Some(error)) => {
                self.note_trouble(&doing);
                Err(error)
            }
        }
    }

    /// Whether nothing is to be done after a look that ended so. A host in a leg goes on without the remote.
    fn stops_at(&self, error: &AgentError) -> Result<bool, AgentError> {
        Ok(!error.is_of_the_network() || self.needs_remote() || !self.is_itself()?)
    }

    /// Between two links what operators say counts too, where it can be asked for.
    fn look_amid_leg(&mut self) -> Result<(), AgentError> {
        match self.poll() {
            Err(error) if self.stops_at(&error)? => return Err(error),
            Err(error) => self.go_on_without(&error),
            Ok(()) => {
                self.reached();
                self.follow_name();
                self.claim_again()?;
            }
        }
        Ok(())
    }

    fn poll(&mut self) -> Result<(), AgentError> {
        let looked = self.look();
        self.end_trial();
        looked
    }

    /// Leaves load again where a boot may have brought this host back into it. False when it is still to be tried.
    ///
    /// # Errors
    /// When the disk is out of reach.
    pub fn leave_after_boot(&mut self) -> Result<bool, AgentError> {
        self.after_boot().map(|trouble| trouble.is_none())
    }

    /// What keeps this host from going on, as far as its last turn met it.
    #[must_use]
    pub fn notices(&self) -> &Notices {
        self.board.notices()
    }

    /// Who this host is.
    #[must_use]
    pub fn config(&self) -> &HostConfig {
        &self.config
    }

    /// Whether the last tick left nothing that people must look at.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        let is_well = self.published.as_ref().is_none_or(|report| report.doing.is_healthy());
        self.retirement().is_none() && is_well && self.drift().is_empty()
    }

    /// What this host completed once and what does not hold here any more, as far as it has looked.
    #[must_use]
    pub fn drift(&self) -> &[Drift] {
        self.watch.drift()
    }

    /// What to do next, from what was fetched last.
    ///
    /// # Errors
    /// When the local copy of the refs can't be read.
    pub fn upcoming(&mut self) -> Result<crate::plan::Plan, AgentError> {
        self.plan()
    }

    /// Whether the remote has changes that this host has not accepted yet. Asking changes nothing here.
    ///
    /// # Errors
    /// When the remote can't be reached.
    pub fn has_news(&self) -> Result<bool, AgentError> {
        self.registry.fetch(&[RefName::Changes.to_string()])?;
        let tip = self.registry.get(&RefName::Changes)?;
        Ok(tip.is_some() && tip != self.store.record().accepted)
    }

    /// What the disk says.
    #[must_use]
    pub fn record(&self) -> Rc<Record> {
        self.store.record()
    }

    /// When this host polls, after a turn of which this came: only a lost race makes it count who else may have been in it.
    #[must_use]
    pub fn polls(&self, outcome: pace::Outcome) -> pace::Polls {
        let race = self.change.as_ref().zip(self.host()).filter(|_| outcome == pace::Outcome::Overtaken);
        let peers = race.map_or(1, |(change, (_, host))| change.manifest.admitted_as_any(&host.roles).len());
        pace::Polls { host: self.config.uuid, every: self.config.poll, peers }
    }

    /// The newest accepted change.
    #[must_use]
    pub fn change(&self) -> Option<&VerifiedChange> {
        self.change.as_ref()
    }
}

impl Agent<'_> {
    /// Nothing is left to do but to say so. Who is up to date may see whether it still is what it was made.
    fn rest(&mut self, doing: &Doing) -> Result<Next, AgentError> {
        let trouble = self.note_trouble(doing);
        let is_watched = *doing != Doing::UpToDate || self.watch_for_drift();
        self.publish(doing)?;
        Ok(match trouble {
            true => Next::Retry,
            false if is_watched => Next::Poll,
            false => Next::Again,
        })
    }

    fn note_trouble(&mut self, doing: &Doing) -> bool {
        let trouble = doing.trouble().map(str::to_owned);
        let troubled = trouble.is_some();
        self.board.keep(self.board.notices().troubled(trouble));
        troubled
    }

    /// The remote may be away; what this host waits for is said once, here and by `wildebeest status`.
    fn missed(&mut self, error: &AgentError) {
        let (notices, now, said) = (self.board.notices(), self.now(), with_causes(error));
        let missed = match error {
            AgentError::Registry(RegistryError::Unreachable { .. }) => notices.lost(now, &said),
            AgentError::Registry(RegistryError::Refused { .. }) => notices.refused(now, &said),
            _ => return,
        };
        self.board.keep(missed);
    }

    fn go_on_without(&mut self, error: &AgentError) {
        self.missed(error);
        self.journal.say_once(&format!("going on without the remote: {}", with_causes(error)));
    }

    /// The remote was read.
    fn reached(&mut self) {
        self.mute = false;
        self.back(self.board.notices().reached());
    }

    /// The remote took what this host wrote.
    fn heard(&mut self) {
        self.back(self.board.notices().heard());
    }

    /// Whether the remote was away is said once more, for the log that goes along with the next report.
    fn back(&mut self, notices: Notices) {
        if let Some(away) = self.board.notices().away.as_ref().filter(|_| notices.away.is_none()) {
            let (lasted, error) = (away.lasted(self.now()), &away.error);
            self.journal.say(&format!("the remote is back after {lasted}: {error}"));
            self.board.keep(notices);
        }
    }
}

impl std::fmt::Debug for Agent<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent").field("config", &self.config).field("record", &self.record()).finish_non_exhaustive()
    }
}

impl From<&Wait> for Doing {
    /// Waiting for that, as long as it is not overdue.
    fn from(wait: &Wait) -> Self {
        Self::Waiting { why: wait.to_string(), on: wait.on(), key: wait.key(), overdue: false }
    }
}

impl From<Stop> for Doing {
    fn from(stop: Stop) -> Self {
        Self::Stopped { why: stop.to_string(), on: stop.on() }
    }
}

/// What this host said last of what it does, since when it does that, and where it was.
#[derive(Debug, Clone)]
struct Said {
    doing: Doing,
    since: u64,
    state: Option<Sha1>,
}

/// The races for a place that it lost, one after another.
#[derive(Debug, Clone, Copy, Default)]
struct Races {
    lost: u32,
    /// When it lost the last one, in seconds since 1970, UTC.
    at: u64,
}

/// The last look at the remote.
#[derive(Debug, Clone, Copy)]
struct Looked {
    /// When it ended, in seconds since 1970, UTC.
    ended: u64,
    /// How many seconds it took, where nothing came of it.
    lost: u64,
}

/// How a link ended, as long as that is not on disk: a full disk must not make it run once more.
struct Ran {
    link: Sha1,
    result: Result<(), String>,
}

/// What the agent says: to its own log, and, as a bounded tail, in its report.
struct Journal<'a> {
    log: &'a dyn Fn(&str),
    tail: RefCell<String>,
    quiet: Cell<Option<Digest>>,
}

const TAIL: usize = 32 << 10;

impl Journal<'_> {
    fn say(&self, line: &str) {
        (self.log)(line);
        let mut tail = self.tail.borrow_mut();
        tail.push_str(line);
        tail.push('\n');
        if tail.len() > TAIL {
            let cut = tail.char_indices().map(|(at, _)| at).find(|at| *at >= tail.len() - TAIL / 2).unwrap_or(0);
            tail.drain(..cut);
        }
    }

    /// Says what is only news when it differs from the last such line.
    fn say_once(&self, line: &str) {
        let digest = Digest::of(line.as_bytes());
        if self.quiet.replace(Some(digest)) != Some(digest) {
            self.say(line);
        }
    }
}
