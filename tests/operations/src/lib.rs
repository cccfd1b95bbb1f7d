//! What the standard library does, as [cases](Case) that real hosts run: see `tests/tests/sandbox/operations.rs`.
//!
//! The program of this package is what a host gets. `plan CASE` and `apply CASE` print what the operations
//! said, in JSON; `apply` can be killed on its way. `snapshot CASE` prints what every file of the host is like.
//! `differential run MODULE` and `differential look MODULE` are for what Ansible does, too: see [`differential`].
//! `beside NAME …` is what goes on beside a case: see [`beside`].

mod archive;
mod balancers;
pub mod beside;
pub mod case;
mod certificate;
mod command;
mod cron;
#[expect(clippy::needless_update, reason = "what an input does not say is as in the default, be that nothing")]
pub mod differential;
mod download;
mod edits;
mod facts;
mod files;
mod firewall;
mod git;
mod hostname;
mod hosts;
mod http;
pub mod journal;
mod kernel_module;
mod locale;
mod looks;
mod mount;
mod mysql;
mod packages;
mod postgres;
mod refusals;
mod services;
pub mod snapshot;
mod swap;
mod sysctl;
mod timezone;
mod users;
mod waiting;

pub use case::{Case, Init};

/// A room of the standard library, and its cases.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// The name of its module.
    pub name: &'static str,
    /// What is tried.
    pub cases: &'static [Case],
}

/// All rooms that have cases.
pub static ROOMS: &[Room] = &[
    Room { name: "edits", cases: edits::CASES },
    Room { name: "files", cases: files::CASES },
    Room { name: "facts", cases: facts::CASES },
    Room { name: "looks", cases: looks::CASES },
    Room { name: "command", cases: command::CASES },
    Room { name: "waiting", cases: waiting::CASES },
    Room { name: "download", cases: download::CASES },
    Room { name: "archive", cases: archive::CASES },
    Room { name: "git", cases: git::CASES },
    Room { name: "http", cases: http::CASES },
    Room { name: "postgres", cases: postgres::CASES },
    Room { name: "mysql", cases: mysql::CASES },
    Room { name: "nftables", cases: firewall::NFTABLES },
    Room { name: "ufw", cases: firewall::UFW },
    Room { name: "firewalld", cases: firewall::FIREWALLD },
    Room { name: "trust_anchor", cases: certificate::TRUST_ANCHORS },
    Room { name: "certificate", cases: certificate::CERTIFICATES },
    Room { name: "users", cases: users::CASES },
    Room { name: "balancers", cases: balancers::CASES },
    Room { name: "services", cases: services::CASES },
    Room { name: "cron", cases: cron::CASES },
    Room { name: "hostname", cases: hostname::CASES },
    Room { name: "hosts", cases: hosts::CASES },
    Room { name: "kernel_module", cases: kernel_module::CASES },
    Room { name: "locale", cases: locale::CASES },
    Room { name: "mount", cases: mount::CASES },
    Room { name: "swap", cases: swap::CASES },
    Room { name: "sysctl", cases: sysctl::CASES },
    Room { name: "timezone", cases: timezone::CASES },
    Room { name: "packages", cases: packages::CASES },
    Room { name: "zypper", cases: packages::ZYPPER },
    Room { name: "refusals", cases: refusals::CASES },
];

/// The case of this name, which is `room::case`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Case> {
    let (room, case) = name.split_once("::")?;
    ROOMS.iter().find(|other| other.name == room)?.cases.iter().find(|other| other.name == case)
}
