//! Agents over real git: herds of them in this process, and what each of them does with its remote. They are one program,
//! since each of their files would be linked with as much as all of them.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod failure;
mod herd;
mod hostile;
mod identity;
mod informants;
mod local_copy;
mod members;
mod orders;
mod slow_remote;
mod transport;
mod waits;
