//! The operator's commands of Wildebeest, as a library: a fleet's own `xtask` crate is three lines around [`main`].
//!
//! A command lives in the file of its name under `commands/`. What commands share lies beside it, a noun each.

pub mod admission;
pub mod adopt;
pub mod amendment;
pub mod at_once;
pub mod attempt;
pub mod attestation;
pub mod baseline;
pub mod bench;
pub mod book;
pub mod build;
pub mod calendar;
pub mod canary;
pub mod chain_file;
pub mod chain_list;
pub mod changes;
pub mod ci;
mod commands;
pub mod demo;
pub mod deploy;
pub mod diff;
pub mod draft;
pub mod failure;
pub mod fleet;
pub mod foresight;
pub mod git;
mod glob;
pub mod herd_file;
pub mod hold;
pub mod known;
pub mod members;
pub mod named;
pub mod operator;
pub mod outlook;
mod processor;
pub mod rechain;
pub mod release;
pub mod retry;
pub mod reusable;
pub mod sandbox;
pub mod scaffold;
pub mod settings;
pub mod shell;
pub mod signers;
pub mod signing_key;
pub mod soundness;
pub mod stage;
pub mod status;
pub mod table;
pub mod tell;
pub mod test;
pub mod torture;
pub mod waive;

use std::process::ExitCode;

/// Runs the command that the command line names.
#[must_use]
pub fn main() -> ExitCode {
    commands::run(&shell::Shell::standard())
}
