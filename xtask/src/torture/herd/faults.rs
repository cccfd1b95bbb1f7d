//! What goes wrong, by its name, and how often it did.

use std::collections::BTreeMap;

/// How often what went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(BTreeMap<&'static str, usize>);

impl Faults {
    /// It went wrong once more.
    pub fn count(&mut self, kind: &'static str) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// Those of another round too.
    pub fn add(&mut self, other: &Self) {
        for (kind, times) in &other.0 {
            *self.0.entry(kind).or_default() += times;
        }
    }

    /// All kinds, with 0 for what never happened.
    #[must_use]
    pub fn all(&self) -> BTreeMap<&'static str, usize> {
        KINDS.iter().map(|kind| (*kind, self.0.get(kind).copied().unwrap_or_default())).collect()
    }
}

/// Where an agent falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// Before its record changes.
    BeforeWrite,
    /// Right after its record has changed.
    AfterWrite,
    /// Before a push leaves.
    BeforePush,
    /// After a push arrived, and before its answer came.
    AfterPush,
    /// At a fetch.
    Fetch,
    /// At a role's `leave`.
    Leave,
    /// At the code of a link, or at its specs.
    Link,
    /// At a role's `rejoin`.
    Rejoin,
    /// While a runner is taken over.
    Install,
}

impl Spot {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::BeforeWrite,
        Self::AfterWrite,
        Self::BeforePush,
        Self::AfterPush,
        Self::Fetch,
        Self::Leave,
        Self::Link,
        Self::Rejoin,
        Self::Install,
    ];

    /// The name of a fall there.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BeforeWrite => "crash_before_write",
            Self::AfterWrite => "crash_after_write",
            Self::BeforePush => "crash_before_push",
            Self::AfterPush => "crash_after_push",
            Self::Fetch => "crash_in_fetch",
            Self::Leave => "crash_in_leave",
            Self::Link => "crash_in_link",
            Self::Rejoin => "crash_in_rejoin",
            Self::Install => "crash_in_upgrade",
        }
    }
}

/// A fall that waits for its moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blow {
    /// Where.
    pub spot: Spot,
    /// How often that is passed before.
    pub passes: u32,
    /// Whether the machine falls, and not only its agent; and whether what took it out of load is forgotten then.
    pub power: Option<bool>,
}

/// The names of all that is counted.
pub const KINDS: &[&str] = &[
    "adopt",
    "amend",
    "canary",
    "clone",
    "crash_after_push",
    "crash_after_write",
    "crash_before_push",
    "crash_before_write",
    "crash_in_fetch",
    "crash_in_leave",
    "crash_in_link",
    "crash_in_rejoin",
    "crash_in_upgrade",
    "closed_gate",
    "closed_window",
    "cut_wait",
    "delayed_view",
    "deploy",
    "failed_leave",
    "failed_link",
    "failed_rejoin",
    "failed_spec",
    "failed_wait",
    "forged_change",
    "full_disk",
    "hold",
    "keep",
    "late_push",
    "lost_answer",
    "lost_race",
    "lost_request",
    "new_host",
    "partition",
    "policy",
    "power_cut",
    "promote",
    "reboot",
    "refused_push",
    "rekey",
    "release",
    "rename",
    "replace",
    "restore",
    "resume",
    "retire",
    "retry",
    "rewound_log",
    "server_down",
    "stand_still",
    "tag",
    "tampered_runner",
    "torn_view",
    "waive",
];
