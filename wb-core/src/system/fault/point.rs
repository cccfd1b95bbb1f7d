//! The points: what is done to what.

/// A moment at which a process may fall. Its number is its index in [`POINTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// What people read.
    pub name: &'static str,
    /// To what.
    pub subject: Subject,
    /// What is done.
    pub kind: Kind,
}

macro_rules! kinds {
    ($($kind:ident $word:literal $text:literal;)*) => {
        /// What is done at a point.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[cfg_attr(feature = "faults", derive(serde::Serialize, serde::Deserialize))]
        pub enum Kind { $(#[doc = $text] $kind,)* }

        macro_rules! word { $(($kind) => { $word };)* }
    };
}

macro_rules! points {
    ($($subject:ident $text:literal: $($kind:ident)*;)*) => {
        /// To what something is done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Subject { $(#[doc = $text] $subject,)* }

        /// All points, in order.
        pub const POINTS: &[Point] = &[$($(
            Point { name: concat!($text, ": ", word!($kind)), subject: Subject::$subject, kind: Kind::$kind },
        )*)*];
    };
}

kinds! {
    Make "make" "A directory, or an empty file, is made.";
    Write "write" "A new file is written beside the one that it will replace. Who falls here leaves a part of it.";
    Append "append" "Something is added to a file.";
    Attributes "attributes" "Mode or owner are set.";
    Sync "fsync" "A file is brought to the disk.";
    Rename "rename" "A file takes its place.";
    Link "link" "A link is made.";
    Remove "remove" "A file or a directory is removed.";
    SyncDir "fsync of the directory" "The names in a directory are brought to the disk.";
    Spawn "spawn" "A command is about to be started.";
    Spawned "runs" "It was started.";
    Ended "ended" "It has ended, and nobody has looked at what came of it.";
    Exec "exec" "This process is about to become another program.";
    Publish "publish" "Refs of the remote are about to be moved.";
    Published "published" "They may have been moved, and nobody has looked.";
}

points! {
    Any "any other": Make SyncDir Spawn Spawned Ended;
    Migration "migration": Make Write Attributes Sync Rename Link Remove SyncDir Spawn Spawned Ended;
    Spec "spec": Spawn Spawned Ended;
    Leave "leave": Spawn Spawned Ended;
    Gate "gate": Spawn Spawned Ended;
    Rejoin "rejoin": Spawn Spawned Ended;

    LegPlanned "record, leg planned": Write Sync Rename SyncDir;
    ClaimFound "record, claim found": Write Sync Rename SyncDir;
    ClaimWon "record, claim won": Write Sync Rename SyncDir;
    ClaimLost "record, claim lost": Write Sync Rename SyncDir;
    Left "record, left": Write Sync Rename SyncDir;
    LinkStarts "record, link starts": Write Sync Rename SyncDir;
    LinkDone "record, link done": Write Sync Rename SyncDir;
    LinkFailed "record, link failed": Write Sync Rename SyncDir;
    TriesAgain "record, tries again": Write Sync Rename SyncDir;
    LegDone "record, leg done": Write Sync Rename SyncDir;
    AtTarget "record, at target": Write Sync Rename SyncDir;
    Rejoined "record, rejoined": Write Sync Rename SyncDir;
    Returned "record, returned": Write Sync Rename SyncDir;
    PassedOver "record, passed over": Write Sync Rename SyncDir;
    Accepted "record, change accepted": Write Sync Rename SyncDir;
    ReportIntended "record, report intended": Write Sync Rename SyncDir;
    ReportWritten "record, report written": Write Sync Rename SyncDir;
    Owed "record, owed": Write Sync Rename SyncDir;
    Paid "record, paid": Write Sync Rename SyncDir;
    StepDone "record, step done": Write Sync Rename SyncDir;
    Booted "record, booted": Write Sync Rename SyncDir;
    Acted "record, command acted on": Write Sync Rename SyncDir;
    Adopted "record, link adopted": Write Sync Rename SyncDir;
    OnTrial "record, runner on trial": Write Sync Rename SyncDir;
    Proved "record, runner proved": Write Sync Rename SyncDir;
    PutBack "record, runner put back": Write Sync Rename SyncDir;
    OtherRecord "record, any other": Write Sync Rename SyncDir;

    HostToml "host.toml": Write Sync Rename SyncDir;
    AllowedSigners "allowed_signers": Write Sync Rename SyncDir;
    HostKey "host_key": Spawn Spawned Ended Sync SyncDir;
    AgentLock "agent lock": Make Write;
    Log "log": Make Append;

    NewRunner "new runner": Write Sync SyncDir Spawn Spawned Ended Remove;
    PreviousRunner "previous runner": Write Sync Rename SyncDir;
    Runner "runner": Rename SyncDir Exec;

    Fetch "fetch": Spawn Spawned Ended;
    Push "push": Spawn Spawned Ended;
    Repository "repository": Make Write Sync Rename SyncDir Spawn Spawned Ended;
    Refs "refs": Write;
    Objects "objects": Write SyncDir;
    Signature "signature": Make Write Rename Remove Spawn Spawned Ended;

    Claim "claim": Publish Published;
    Release "release": Publish Published;
    Progress "progress": Publish Published;
    Report "report": Publish Published;
}

/// A mistake that is made on purpose, to see that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "faults", derive(serde::Serialize, serde::Deserialize))]
pub enum Bug {
    /// Files are not brought to the disk.
    MissingFsync,
    /// Names in directories are not brought to the disk.
    MissingDirSync,
    /// A link is done by the record before it runs.
    StateBeforeAct,
    /// That a link is done, and that it runs no more, is written in two writes.
    TwoWrites,
    /// A report is on the remote before the disk knows of it.
    ReportBeforeRecord,
    /// A runner is installed that has another sha256 than the signed one.
    UnverifiedRunner,
    /// A host rejoins although a link failed.
    RejoinAfterFailure,
    /// A host passes over one link more than it may.
    PassesTooFar,
    /// A claim is written over whatever the pool has by then.
    BlindClaim,
    /// A place is claimed by the limit that the host's runner was made with, whatever the herd was told since.
    StaleLimit,
    /// A claim is given back before the host rejoins.
    EarlyRelease,
    /// A change counts whoever signed it.
    AnySigner,
    /// What failed is tried again for no reason.
    TriesForEver,
    /// A host that failed does not leave load again after a boot.
    StaysInAfterBoot,
    /// A host that was never in service claims a place, as others do.
    NewHostsClaim,
    /// A report is taken for this machine's own, whoever wrote it.
    AnyMachine,
    /// A host leaves load for a link whose code waits for others, and waits there.
    WaitsOutOfLoad,
}

/// The number of the point at which `kind` is done to `subject`.
#[cfg(feature = "faults")]
pub(super) const fn number(subject: Subject, kind: Kind) -> usize {
    let (mut at, mut any) = (0, POINTS.len());
    while at < POINTS.len() {
        if POINTS[at].kind as u8 == kind as u8 {
            if POINTS[at].subject as u8 == subject as u8 {
                return at;
            }
            if any == POINTS.len() {
                any = at;
            }
        }
        at += 1;
    }
    any
}

#[cfg(test)]
#[cfg(feature = "faults")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_number_leads_to_its_point_and_no_name_is_there_twice() {
        for (at, point) in POINTS.iter().enumerate() {
            assert_eq!(number(point.subject, point.kind), at, "{}", point.name);
        }
        let names: BTreeSet<&str> = POINTS.iter().map(|point| point.name).collect();
        assert!(names.len() == POINTS.len() && names.len() >= 30, "{}", names.len());
    }

    #[test]
    fn what_the_table_does_not_have_counts_as_another_of_its_kind() {
        let check = |subject, kind, expect| assert_eq!(POINTS[number(subject, kind)].name, expect);
        check(Subject::LinkDone, Kind::Sync, "record, link done: fsync");
        check(Subject::LinkDone, Kind::Link, "migration: link");
        check(Subject::LinkDone, Kind::Spawn, "any other: spawn");
        check(Subject::Migration, Kind::Publish, "claim: publish");
    }
}
