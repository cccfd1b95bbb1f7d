//! The role of all hosts, and the faults that their settings ask for.

use wb_stdlib::prelude::*;

/// Has a migration for each fault.
#[role(max_out = 1)]
pub struct Web;

impl Role for Web {}

/// Whether this fault is asked for.
pub fn planted(host: &impl Look, fault: &str) -> bool {
    let faults: Vec<String> = host.settings_value("planted").unwrap_or_default();
    faults.iter().any(|planted| planted == fault)
}
