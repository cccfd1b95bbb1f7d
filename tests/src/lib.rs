//! Support for tests that need more than plain data: drawn git histories, fleets that the compiler judges, and herds of
//! agents in one process over real git repositories.

pub mod drawing;
pub mod fleet;
pub mod herd;
