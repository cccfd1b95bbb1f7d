//! `cargo xtask test`: what a fleet does on hosts of its own before any other host has it.

pub mod allow;
pub mod cast;
pub mod judge;
pub mod junit;
pub mod key;
pub mod outcome;
pub mod page;
pub mod stock;
