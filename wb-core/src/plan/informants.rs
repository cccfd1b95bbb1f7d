//! Whose reports a plan depends on: a host asks the remote for no others, so that what it costs does not grow with the
//! herd, unless it waits for the herd.
//!
//! Beside them a plan depends on who failed, and those have refs of their own; and a share on how many hosts were ever in
//! load, which a host asks of each other one until that has said so, and then no more.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::chain::{Link, OnCatchup, Sha1};
use crate::change::Manifest;

/// The hosts whose reports tell what this machine, which is at `state`, does next: those that a link ahead of it waits for,
/// and everybody while canaries bake, which it awaits.
#[must_use]
pub fn informants(manifest: &Manifest, uuid: Uuid, state: Option<Sha1>) -> BTreeSet<&str> {
    let Some((_, host)) = manifest.host_of(uuid) else { return BTreeSet::new() };
    let ahead = manifest.chain.after(state).unwrap_or_default().iter();
    let mine = ahead.filter(|link| host.roles.contains(&link.role));
    // Whoever saw the end of a bake says so, and canaries may be gone since.
    let bakes = manifest.canary.iter().any(|canary| canary.bake.is_some());
    let witnesses = manifest.hosts.keys().filter(|_| bakes).map(String::as_str);
    mine.flat_map(|link| awaited(manifest, link)).chain(witnesses).collect()
}

/// The hosts of whom a share may leave load together with this machine. Of them counts only whether they were ever in load.
#[must_use]
pub fn peers(manifest: &Manifest, uuid: Uuid) -> BTreeSet<&str> {
    let Some((_, host)) = manifest.host_of(uuid) else { return BTreeSet::new() };
    manifest.admitted_as_any(host.roles.iter().filter(|role| manifest.has_share(role)))
}

/// Those that a link waits for, and those that tell whether a new host catches up on it, where that matters.
fn awaited<'m>(manifest: &'m Manifest, link: &'m Link) -> impl Iterator<Item = &'m str> {
    let waits = link.waits().flat_map(|wait| manifest.admitted(wait.role()));
    let catching_up = link.wait.iter().filter(|wait| wait.on_catchup != OnCatchup::Wait);
    waits.chain(catching_up.flat_map(|_| manifest.admitted(&link.role)))
}
