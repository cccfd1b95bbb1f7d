//! Chains that are read out of git: the verdict on drawn and on random histories, in repositories of every kind, and what a
//! digest of a link sees.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod baseline;
mod chain;
mod chain_property;
mod digest;
mod repositories;
