//! The one seam to git.
//!
//! The network is always the `git` command, since it brings what libgit2 has not: ssh configuration, credential
//! helpers, protocol v2, atomic pushes, and leases. git2 reads and writes local objects of the herd; the history of the
//! sources is read by the `git` command too, which is faster at that. Every update of a shared ref
//! names the value that it expects there, and every shared value carries a nonce: a push of an object that the ref
//! already points to would otherwise count as won, whatever the lease says.

#[cfg(feature = "runtime")]
mod commit;
#[cfg(feature = "history")]
mod contents;
#[cfg(feature = "runtime")]
mod git;
#[cfg(feature = "runtime")]
mod herd;
#[cfg(feature = "history")]
mod history;
#[cfg(feature = "runtime")]
mod introduction;
#[cfg(feature = "runtime")]
mod log;
#[cfg(feature = "history")]
mod memory;
#[cfg(feature = "runtime")]
mod mirror;
#[cfg(feature = "runtime")]
mod objects;
#[cfg(feature = "history")]
mod parsed;
#[cfg(feature = "runtime")]
mod plain;
#[cfg(feature = "runtime")]
mod porcelain;
mod reader;
#[cfg(feature = "history")]
mod records;
#[cfg(feature = "runtime")]
mod refs;
#[cfg(feature = "runtime")]
mod remote;
#[cfg(feature = "history")]
mod repository;
#[cfg(feature = "history")]
mod resolve;
#[cfg(feature = "runtime")]
mod signature;
#[cfg(feature = "history")]
mod sources;
mod track;
#[cfg(feature = "history")]
mod walk;

pub use track::track;
#[cfg(feature = "history")]
pub use {
    resolve::{Resolved, Walker, resolve, resolve_as, resolve_strictly},
    sources::waits_elsewhere,
};

#[cfg(feature = "runtime")]
pub(crate) use git::NETWORK_TIMEOUT;

#[cfg(feature = "runtime")]
pub use {
    commit::Commit,
    git::{Access, Git},
    introduction::{Byline, Introduction, bylines, file_in, introductions, introductions_elsewhere},
    log::{ChangeLog, LogError, VerifiedChange},
    mirror::{Answer, Mirror, ReportCache},
    objects::{NewCommit, ObjectError, Objects},
    porcelain::{PushLine, Verdict, parse_push},
    refs::{ROOT, RefName},
    remote::{Pushed, RefUpdate, Registry, RegistryError},
    signature::{AllowedSigners, SignatureError, SigningKey, generate, public_key},
};
