//! The core of Wildebeest.
//!
//! The pure part decides: [`chain`] (which migrations there are, in which order), [`herd`] (which hosts there are),
//! [`change`] (what an operator decided), [`plan`] (what a host does next). The rest acts: [`system`] is the one seam
//! to the machine, [`registry`] the one seam to git, [`agent`] the loop that carries plans out, and [`runner`] the
//! command line of a host. See `ARCHITECTURE.md` at the root of the repository.

#[cfg(feature = "runtime")]
pub mod agent;
#[cfg(feature = "runtime")]
pub mod calendar;
pub mod chain;
#[cfg(feature = "runtime")]
pub mod change;
#[cfg(feature = "runtime")]
pub mod context;
#[cfg(feature = "runtime")]
pub mod drill;
pub mod foreign;
pub mod herd;
#[cfg(feature = "runtime")]
pub mod plan;
#[cfg(feature = "runtime")]
pub mod pool;
pub mod registry;
#[cfg(feature = "runtime")]
pub mod report;
pub mod results;
#[cfg(feature = "runtime")]
pub mod runner;
pub mod system;
pub mod window;

#[cfg(feature = "runtime")]
pub use uuid::Uuid;
