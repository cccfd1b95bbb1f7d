//! The operator's commands, run for real.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod authoring;
mod baseline;
mod book;
mod ci_files;
mod deploy;
mod engine;
mod failure;
mod fleet;
mod herd;
mod members;
mod office;
mod orders;
mod page;
mod rechain;
mod recover;
mod support;
mod tested;
