//! Support for tests that need more than plain data: drawn git histories and fleets that are compiled, herds of agents
//! in one process over real git repositories, herds on sandboxes, and the standard library on trial, alone and beside
//! Ansible.

pub mod alone;
#[cfg(doctest)]
mod book;
pub mod desk;
pub mod differential;
pub mod drawing;
pub mod editor;
pub mod fleet;
pub mod herd;
pub mod hook;
pub mod inits;
pub mod links;
pub mod repair;
mod shared;
pub mod sight;
pub mod stage;
pub mod trial;
