//! What hosts can be. Migrations are written for roles, never for hosts.

use wb_stdlib::prelude::*;

/// Any server: it has no load that it would have to leave before a migration runs.
#[role(max_out = "25%")]
pub struct Server;

impl Role for Server {}
