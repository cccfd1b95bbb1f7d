//! The operator's commands, run for real.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod authoring;
mod baseline;
mod fleet;
mod herd;
mod rechain;
mod support;
