//! Reports: what a host says of itself, signed with its key. A report never says more than the host's disk.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::chain::{Digest, Sha1};
use crate::change::Manifest;
use crate::plan::pool_key;

/// What a host says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Its name.
    pub name: String,
    /// Who it is.
    pub uuid: Uuid,
    /// Its OpenSSH public key.
    pub key: String,
    /// When this was written, in seconds since 1970, UTC.
    pub time: u64,
    /// The last link that it completed or passed over.
    #[serde(default)]
    pub state: Option<Sha1>,
    /// That link's name.
    #[serde(default)]
    pub link: Option<String>,
    /// Whether it has rejoined at least once.
    #[serde(default)]
    pub in_service: bool,
    /// What it is doing.
    pub doing: Doing,
    /// Since when it does that, in seconds since 1970, UTC; 0 in reports from before it was said.
    #[serde(default)]
    pub since: u64,
    /// The number of the newest change that it accepted.
    #[serde(default)]
    pub accepted: Option<u64>,
    /// That change's commit.
    #[serde(default)]
    pub accepted_commit: Option<Sha1>,
    /// Since when it knows what the canaries are told now, in seconds since 1970, UTC; 0: it does not, there are none, or the
    /// report is from before it was said.
    #[serde(default)]
    pub heard: u64,
    /// The end of the newest bake that it saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baked: Option<Baked>,
    /// The state that the herd knew of it before it was restored from a backup, as long as it has not come so far again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<Sha1>,
    /// The runner that it runs.
    pub runner: Digest,
    /// Which machine, and which boot of it.
    pub incarnation: Incarnation,
    /// Whether this machine saw another one report under its identity, and stopped. Both do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub contested: bool,
    /// The links that were done by hand here, as an operator said, and whose specs passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_hand: Vec<Sha1>,
    /// What the host completed once and what does not hold here any more, as its specs say; bounded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Drift>,
    /// When all specs were asked last while it had nothing else to do, in seconds since 1970, UTC; 0: they never were.
    #[serde(default)]
    pub verified: u64,
    /// This report's nonce.
    pub nonce: Uuid,
    /// The nonces of the reports before it, newest first, bounded.
    #[serde(default)]
    pub last_nonces: Vec<Uuid>,
    /// Its place among all reports of this identity: the line that it is in, then the lines before that, each up to where
    /// it was left. Bounded.
    #[serde(default)]
    pub lines: Vec<Line>,
    /// How often this host looks at the remote, in seconds; 0 in reports from before it was said.
    #[serde(default)]
    pub poll: u64,
}

/// That canaries have baked. It stays so, whatever becomes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baked {
    /// The number of the change that told them to go first.
    pub change: u64,
    /// When their bake was over, in seconds since 1970, UTC.
    pub at: u64,
}

/// A spec that held when its link was completed, or when the host came into load as its role, and that does not hold
/// any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// The name of the link in whose file it stands; empty where that is no link's.
    pub link: String,
    /// The role that it is of; nothing: it is the link's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The spec's name.
    pub spec: String,
    /// What it said at last, with its causes.
    pub error: String,
    /// Since when, in seconds since 1970, UTC.
    pub since: u64,
}

impl Drift {
    /// Which spec it is, in words.
    #[must_use]
    pub fn named(&self) -> String {
        named(&self.spec, self.role.as_deref(), &self.link)
    }

    /// Whether both are of one spec, whatever it said.
    #[must_use]
    pub fn is_of_same_spec(&self, other: &Self) -> bool {
        (&self.link, &self.role, &self.spec) == (&other.link, &other.role, &other.spec)
    }
}

/// A spec in words: `` `runs` of `install_nginx` ``, or `` `answers` of role web ``.
pub(crate) fn named(spec: &str, role: Option<&str>, link: &str) -> String {
    match role {
        Some(role) => format!("`{spec}` of role {role}"),
        None => format!("`{spec}` of `{link}`"),
    }
}

/// Which of these hosts say that they were ever in load, by name.
#[must_use]
pub fn serving(reports: &BTreeMap<String, Report>) -> BTreeSet<String> {
    reports.iter().filter(|(_, report)| report.in_service).map(|(name, _)| name.clone()).collect()
}

/// The machines of the herd that were ever in load, as a manifest or these reports say.
#[must_use]
pub fn served(manifest: &Manifest, reports: &BTreeMap<String, Report>) -> BTreeSet<Uuid> {
    let say_so = reports.values().filter(|report| report.in_service).map(|report| report.uuid);
    let served: BTreeSet<Uuid> = say_so.chain(manifest.served.iter().copied()).collect();
    let machines = manifest.hosts.values().filter_map(|host| host.identity.as_ref()).map(|identity| identity.uuid);
    machines.filter(|uuid| served.contains(uuid)).collect()
}

/// A place in a row of reports that one machine wrote, each after the one before. A line begins when a machine enrols,
/// and whenever one goes on from a report that is not its own: so, of two copies of a disk, each has lines that the other
/// has not. However old a backup is, its place in its line tells whether a report comes after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Which line: a nonce of whoever began it.
    pub id: Uuid,
    /// How many reports there are in it so far.
    pub count: u64,
}

/// What tells one machine from another that has the same disk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Incarnation {
    /// Of the hardware and the installation.
    pub fingerprint: String,
    /// Of this boot.
    pub boot_id: String,
}

/// What a host is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "doing", rename_all = "snake_case")]
pub enum Doing {
    /// It enrolled, and waits to be admitted.
    Enrolled,
    /// Nothing is to be done.
    UpToDate,
    /// It waits in load, or before it ever was.
    Waiting {
        /// For what, in words.
        why: String,
        /// The hosts that it waits for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        on: Vec<String>,
        /// What tells this wait from another one.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        key: String,
        /// Whether it waits for longer than the link says that it should.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        overdue: bool,
    },
    /// It leaves the load.
    Leaving {
        /// The last error, when it did not succeed yet.
        #[serde(default)]
        trouble: Option<String>,
    },
    /// It runs a link.
    Running {
        /// Its name.
        link: String,
    },
    /// A link asked for a reboot, and goes on after it.
    Rebooting {
        /// The link's name.
        link: String,
        /// Why the machine is still up, when that is known.
        #[serde(default)]
        trouble: Option<String>,
    },
    /// It goes back into load.
    Rejoining {
        /// The last error, when it did not succeed yet.
        #[serde(default)]
        trouble: Option<String>,
    },
    /// A link failed. It stays out of load.
    Failed(Failure),
    /// Something is wrong that only people can mend; it does nothing.
    Stopped {
        /// What, in words.
        why: String,
        /// The hosts that it must not go on without.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        on: Vec<String>,
    },
}

/// What failed, and under which key it is not tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The link.
    pub link: Sha1,
    /// Its name.
    pub name: String,
    /// The link's digest when it failed.
    pub digest: Digest,
    /// The digest of the host's settings when it failed.
    pub settings: Digest,
    /// The error with its causes.
    pub error: String,
}

/// How many nonces of older reports a report names.
pub const LAST_NONCES: usize = 8;

/// The longest text that stands in a report, in bytes.
const LONGEST_TEXT: usize = 32 << 10;

/// A text of at most so many bytes; where something is left out, that is said.
///
/// ```
/// use wb_core::report::shortened;
/// assert_eq!((&*shortened("größer", 7), &*shortened("größer", 20)), ("grö…", "größer"));
/// ```
#[must_use]
pub fn shortened(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end =
        text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| end + '…'.len_utf8() <= most).last();
    format!("{}…", &text[..end.unwrap_or(0)])
}

/// How many lines a report names. One comes with each restore.
pub const LINES: usize = 64;

/// How many specs that hold no more a report names.
pub const DRIFTS: usize = 16;

/// A host that has nothing new to say says so again after this many seconds, so that people see it is alive.
pub const HEARTBEAT: u64 = 600;

/// For how many seconds a host may say nothing while it is in a leg: nobody hears of it while a link runs.
const LEG: u64 = 3600;

/// By how many seconds clocks, and ways to the remote, may differ.
const TOLERANCE: u64 = 60;

/// What a host that does not say so takes between two polls, in seconds.
const USUAL_POLL: u64 = 30;

/// How much a report still tells of its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// What it does.
    Fresh,
    /// Nothing: the next report should have come at this time, in seconds since 1970, UTC.
    Late {
        /// That time.
        since: u64,
    },
    /// Nothing: it comes from the future, so that nobody knows how old it is.
    Ahead {
        /// By how many seconds.
        by: u64,
    },
}

impl Doing {
    /// Why the roles did not leave or rejoin yet.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        match self {
            Self::Leaving { trouble } | Self::Rejoining { trouble } => trouble.as_deref(),
            _ => None,
        }
    }

    /// Waiting, for no host in particular.
    #[must_use]
    pub fn waiting(why: impl Into<String>) -> Self {
        Self::Waiting { why: why.into(), on: Vec::new(), key: String::new(), overdue: false }
    }

    /// Waiting for its turn to claim a place in the pool of a role: the same wait as for the place.
    #[must_use]
    pub fn awaiting_turn(role: &str) -> Self {
        let why = format!("for its turn to claim a place in the pool of {role}: others are at it");
        Self::Waiting { why, on: Vec::new(), key: pool_key(role), overdue: false }
    }

    /// Stopped, because of no host in particular.
    #[must_use]
    pub fn stopped(why: impl Into<String>) -> Self {
        Self::Stopped { why: why.into(), on: Vec::new() }
    }

    /// The hosts that it waits for, or must not go on without.
    #[must_use]
    pub fn on(&self) -> &[String] {
        match self {
            Self::Waiting { on, .. } | Self::Stopped { on, .. } => on,
            _ => &[],
        }
    }

    /// What it does in a word, as `cargo xtask status` says it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Enrolled => "enrolled",
            Self::UpToDate => "up to date",
            Self::Waiting { overdue: true, .. } => "overdue",
            Self::Waiting { .. } if self.is_held() => "held",
            Self::Waiting { .. } => "waiting",
            Self::Leaving { .. } => "leaving",
            Self::Running { .. } => "running",
            Self::Rebooting { .. } => "rebooting",
            Self::Rejoining { .. } => "rejoining",
            Self::Failed(_) => "failed",
            Self::Stopped { .. } => "stopped",
        }
    }

    /// Whether an operator's word keeps it waiting, as [`crate::plan::Wait::key`] tells.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Waiting { key, .. } if key.starts_with("hold "))
    }

    /// Whether this is the same as `other`, though perhaps further on, or with other trouble.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Waiting { key, .. }, Self::Waiting { key: other, .. }) => key == other,
            (Self::Running { link }, Self::Running { link: other })
            | (Self::Rebooting { link, .. }, Self::Rebooting { link: other, .. }) => link == other,
            (Self::Failed(failure), Self::Failed(other)) => failure.link == other.link,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }

    /// With what stands in words cut short: a report that is too large is read by nobody.
    #[must_use]
    pub fn shortened(&self) -> Self {
        let short = |text: &String| shortened(text, LONGEST_TEXT);
        let mut doing = self.clone();
        match &mut doing {
            Self::Waiting { why, .. } | Self::Stopped { why, .. } => *why = short(why),
            Self::Leaving { trouble } | Self::Rejoining { trouble } | Self::Rebooting { trouble, .. } => {
                *trouble = trouble.as_ref().map(short);
            }
            Self::Failed(failure) => failure.error = short(&failure.error),
            Self::Enrolled | Self::UpToDate | Self::Running { .. } => {}
        }
        doing
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        !matches!(
            self,
            Self::Failed(_)
                | Self::Stopped { .. }
                | Self::Waiting { overdue: true, .. }
                | Self::Leaving { trouble: Some(_) }
                | Self::Rebooting { trouble: Some(_), .. }
                | Self::Rejoining { trouble: Some(_) }
        )
    }
}

impl std::fmt::Display for Doing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Enrolled => write!(f, "waits to be admitted"),
            Self::UpToDate => write!(f, "up to date"),
            Self::Waiting { why, overdue: false, .. } => write!(f, "waits: {why}"),
            Self::Waiting { why, overdue: true, .. } => write!(f, "waits too long: {why}"),
            Self::Leaving { trouble: None } => write!(f, "leaving load"),
            Self::Leaving { trouble: Some(trouble) } => write!(f, "can't leave load: {trouble}"),
            Self::Running { link } => write!(f, "running `{link}`"),
            Self::Rebooting { link, trouble: None } => write!(f, "running `{link}`, rebooting"),
            Self::Rebooting { link, trouble: Some(trouble) } => write!(f, "can't reboot for `{link}`: {trouble}"),
            Self::Rejoining { trouble: None } => write!(f, "rejoining"),
            Self::Rejoining { trouble: Some(trouble) } => write!(f, "can't rejoin: {trouble}"),
            Self::Failed(failure) => {
                write!(f, "failed at `{}` ({}): {}", failure.name, failure.link.short(), failure.error)
            }
            Self::Stopped { why, .. } => write!(f, "stopped: {why}"),
        }
    }
}

impl Report {
    /// The commit message: a line for people, then all of it as JSON.
    #[must_use]
    pub fn message(&self) -> String {
        let state = match (&self.link, self.state) {
            (Some(link), Some(state)) => format!("`{link}` ({})", state.short()),
            _ => "the start of the chain".to_owned(),
        };
        let doing: String = self.doing.to_string().lines().next().unwrap_or_default().chars().take(200).collect();
        let subject = format!("{} at {state}, {doing}", self.name).replace(char::is_control, " ");
        format!("{subject}\n\n{}\n", serde_json::to_string_pretty(self).unwrap_or_default())
    }

    /// How much this tells at `now`, in seconds since 1970, UTC, by the clock of who reads it.
    #[must_use]
    pub fn standing(&self, now: u64) -> Standing {
        let since = self.time.saturating_add(self.patience());
        match self.time.saturating_sub(now) {
            by if by > self.patience() => Standing::Ahead { by },
            _ if now > since => Standing::Late { since },
            _ => Standing::Fresh,
        }
    }

    /// For how many seconds after a report the next one may keep people waiting: two polls longer than a host ever keeps
    /// silent, since one of them may fail.
    fn patience(&self) -> u64 {
        let silence = match self.doing {
            Doing::Leaving { .. } | Doing::Running { .. } | Doing::Rebooting { .. } | Doing::Rejoining { .. } => LEG,
            Doing::Enrolled | Doing::UpToDate | Doing::Waiting { .. } | Doing::Failed(_) | Doing::Stopped { .. } => {
                HEARTBEAT
            }
        };
        let poll = if self.poll == 0 { USUAL_POLL } else { self.poll };
        silence.saturating_add(poll.saturating_mul(2)).saturating_add(TOLERANCE)
    }

    /// Reads the body of such a message.
    ///
    /// # Errors
    /// When it is no report.
    pub fn decode(body: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(body)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn report(doing: Doing) -> Report {
        Report {
            name: "web1".into(),
            uuid: Uuid::from_u128(1),
            key: "ssh-ed25519 AAAA".into(),
            time: 5,
            state: Some(Sha1::from_bytes([1; 20])),
            link: Some("install_nginx".into()),
            in_service: true,
            doing,
            since: 4,
            accepted: Some(3),
            accepted_commit: None,
            heard: 3,
            baked: Some(Baked { change: 3, at: 4 }),
            announced: Some(Sha1::from_bytes([5; 20])),
            runner: Digest::of(b"runner"),
            incarnation: Incarnation::default(),
            contested: false,
            by_hand: Vec::new(),
            drift: Vec::new(),
            verified: 0,
            nonce: Uuid::from_u128(2),
            last_nonces: vec![Uuid::from_u128(3)],
            lines: vec![Line { id: Uuid::from_u128(4), count: 9 }],
            poll: 30,
        }
    }

    #[test]
    fn a_report_is_read_back() {
        let failure = Failure {
            link: Sha1::from_bytes([2; 20]),
            name: "page".into(),
            digest: Digest::of(b"page"),
            settings: Digest::of(b"{}"),
            error: "no\nsuch\nluck".into(),
        };
        let stopped = Doing::Stopped { why: "y".into(), on: vec!["db1".into()] };
        for doing in [Doing::UpToDate, Doing::waiting("x"), Doing::stopped("y"), stopped, Doing::Failed(failure)] {
            let report = report(doing);
            let message = report.message();
            assert_eq!(Report::decode(message.split_once("\n\n").unwrap().1).unwrap(), report);
        }
    }

    #[test]
    fn a_report_tells_less_with_time() {
        let leg = || Doing::Running { link: "page".into() };
        let check = |doing, poll, now, expect| {
            let report = Report { time: 10_000, poll, ..report(doing) };
            assert_eq!(report.standing(now), expect, "{report:?} at {now}");
        };
        check(Doing::UpToDate, 30, 10_720, Standing::Fresh);
        check(Doing::UpToDate, 30, 10_721, Standing::Late { since: 10_720 });
        check(Doing::UpToDate, 0, 10_721, Standing::Late { since: 10_720 });
        check(Doing::UpToDate, 900, 12_460, Standing::Fresh);
        check(Doing::UpToDate, u64::MAX, u64::MAX, Standing::Fresh);
        check(leg(), 30, 10_721, Standing::Fresh);
        check(leg(), 30, 13_721, Standing::Late { since: 13_720 });
        check(Doing::UpToDate, 30, 9_280, Standing::Fresh);
        check(Doing::UpToDate, 30, 9_279, Standing::Ahead { by: 721 });
    }

    #[test]
    fn the_first_line_is_for_people() {
        let message = report(Doing::Running { link: "page".into() }).message();
        assert_eq!(message.lines().next(), Some("web1 at `install_nginx` (0101010), running `page`"));
    }

    #[test]
    fn no_name_cuts_the_message() {
        let report = Report { name: "a\n\nb".into(), link: Some("c\n\nd".into()), ..report(Doing::UpToDate) };
        let message = report.message();
        assert_eq!(Report::decode(message.split_once("\n\n").unwrap().1).unwrap(), report);
    }

    #[test]
    fn what_a_host_says_has_an_end() {
        let long = || "x".repeat(1 << 20);
        let failure = Failure {
            link: Sha1::from_bytes([2; 20]),
            name: "page".into(),
            digest: Digest::of(b"page"),
            settings: Digest::of(b"{}"),
            error: long(),
        };
        for doing in [Doing::waiting(long()), Doing::Leaving { trouble: Some(long()) }, Doing::Failed(failure)] {
            let size = report(doing.shortened()).message().len();
            assert!(size > LONGEST_TEXT && size < LONGEST_TEXT + 4_000, "{size}");
        }
        let short = Doing::stopped("no");
        assert_eq!(short.shortened(), short);
    }

    #[test]
    fn trouble_is_not_healthy() {
        assert!(Doing::Leaving { trouble: None }.is_healthy());
        assert!(!Doing::Leaving { trouble: Some("no answer".into()) }.is_healthy());
        assert!(!Doing::stopped("x").is_healthy());
        assert!(Doing::Rebooting { link: "page".into(), trouble: None }.is_healthy());
        assert!(!Doing::Rebooting { link: "page".into(), trouble: Some("still up".into()) }.is_healthy());
    }
}
