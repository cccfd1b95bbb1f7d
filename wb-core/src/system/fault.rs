//! Faults on demand: what a host does when it is killed, loses power, or meets a disk that is full or broken, at any
//! moment.
//!
//! Moments are made countable: every change to the machine passes a *point*, which is what is done (write, fsync,
//! rename, spawn, publish …) to what (the record of a link that starts, the new runner, a file of a migration …).
//! [`POINTS`] is the table of them. What is done is known where it happens, in `system::disk`, `system::command` and
//! `registry::remote`; to what is known further up, where a caller says so for as long as it is at it ([`during`]).
//! A pair that the table does not have counts as the first one of its kind, so that nothing is ever passed that has no
//! number.
//!
//! A process that was armed with a [`Plan`] counts its passages, and at the chosen ones falls: by SIGKILL, or in that
//! one operation. A kill alone forgives a missing fsync, because the kernel has the data still; so a power cut first
//! takes back what no fsync had made safe (see `recorder`). Faults follow from the plan and its seed alone.
//!
//! All of this is there with the feature `faults` only. Without it no process can be armed, and the hooks, which are
//! then functions that do nothing, leave no trace in the program.

mod point;

#[cfg(feature = "faults")]
mod armed;
#[cfg(feature = "faults")]
mod chance;
#[cfg(feature = "faults")]
mod jumping;
#[cfg(feature = "faults")]
mod plan;
#[cfg(feature = "faults")]
mod recorder;
#[cfg(test)]
mod tests;
#[cfg(not(feature = "faults"))]
mod unarmed;

#[cfg(feature = "faults")]
pub(crate) use armed::{Change, pass, strike, synced, synced_dir, unsynced, will_set_attributes};
#[cfg(feature = "faults")]
pub use armed::{During, arm, during, passed, plant, plant_here, planted};
#[cfg(feature = "faults")]
pub use jumping::Jumping;
#[cfg(feature = "faults")]
pub use plan::{Fault, Injected, Jump, Plan, When};
pub use point::{Bug, Kind, POINTS, Point, Subject};
#[cfg(not(feature = "faults"))]
pub(crate) use unarmed::{Change, pass, strike, synced, synced_dir, unsynced, will_set_attributes};
#[cfg(not(feature = "faults"))]
pub use unarmed::{During, during, passed, planted};
