//! Support for tests that need more than plain data: herds of agents in one process over real git repositories.

pub mod herd;
