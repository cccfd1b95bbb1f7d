//! Herds of real Debian hosts: the demo, a bad day, clones and restores, reboots, a herd of twelve under load, the roll of
//! a test, a draft that is tried, the agent as a service, faults that a fleet's tests find, and the standard library, alone
//! and beside Ansible. Where a machine can't have sandboxes, these tests say so on a line of standard error and pass;
//! where `CI` is `true`, they fail.
//!
//! The harness begins them in the order of their names. The longest of those that share the machine with no other herd is early
//! there, so that no processor is idle in the end.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod attempt;
mod bad_day;
mod big_herd;
mod demo;
mod differential;
mod identity;
mod operations;
mod planted;
mod reboot;
mod roll;
mod service;
mod speed;
mod traces;
