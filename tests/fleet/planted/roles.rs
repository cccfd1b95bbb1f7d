//! The role of all hosts, others that part them, and the faults that their settings ask for.

use wb_stdlib::prelude::*;

/// Has a migration for each fault.
#[role(max_out = 1)]
pub struct Web;

impl Role for Web {}

/// Tells a web server from the others: of those with the same roles one stands for all in a test. It has no migration.
#[role(max_out = 1)]
pub struct Second;

impl Role for Second {}

/// The same.
#[role(max_out = 1)]
pub struct Third;

impl Role for Third {}

/// The same.
#[role(max_out = 1)]
pub struct Fourth;

impl Role for Fourth {}

/// Whether this fault is asked for.
pub fn planted(host: &impl Look, fault: &str) -> bool {
    let faults: Vec<String> = host.settings_value("planted").unwrap_or_default();
    faults.iter().any(|planted| planted == fault)
}
