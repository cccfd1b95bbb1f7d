//! Roles of hosts each of which has one migration, with a fault that the host's settings ask for.

use wb_stdlib::prelude::*;

/// Runs once more what is done.
#[role(max_out = 1)]
pub struct Again;

impl Role for Again {}

/// Plans something else than it does.
#[role(max_out = 1)]
pub struct Liar;

impl Role for Liar {}

/// Writes while it plans.
#[role(max_out = 1)]
pub struct Writer;

impl Role for Writer {}

/// Keeps no promise.
#[role(max_out = 1)]
pub struct Promiser;

impl Role for Promiser {}

/// Loses what it owes.
#[role(max_out = 1)]
pub struct Loser;

impl Role for Loser {}

/// Whether the fault is asked for.
pub fn planted(host: &impl Look) -> bool {
    host.settings_value("planted").unwrap_or_default()
}
