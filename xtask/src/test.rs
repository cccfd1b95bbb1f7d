//! `cargo xtask test`: what a fleet does on hosts of its own before any other host has it.
//!
//! Each set of roles of the herd has a host in a sandbox, and all of them go along the chain together. Every link is planned,
//! run, asked for its specs, and run once more, by the very runner that ships; the newest links are killed on their way, too.
//! What hosts come to is kept, so that the next test begins there.

pub mod allow;
pub mod cast;
pub mod diary;
pub mod judge;
pub mod junit;
pub mod key;
pub mod outcome;
pub mod page;
pub mod stock;
