//! Support for tests that need more than plain data: drawn git histories, and herds of agents in one process over real
//! git repositories.

pub mod drawing;
pub mod herd;
