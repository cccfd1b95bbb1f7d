//! Watching the herd until all hosts are where they should be.

use std::collections::BTreeMap;
use std::time::Duration;

use wb_core::chain::Sha1;
use wb_core::system::clock::{Clock as _, Real, Stopwatch};

use super::balancer::Sampler;
use super::load::Load;
use super::{DemoError, hosts};
use crate::fleet::Fleet;
use crate::operator::Operator;
use crate::sandbox::Host;
use crate::shell::Shell;
use crate::status::{self, HerdStatus, HostStatus, Phase};

/// What is shown while the herd rolls.
#[derive(Clone, Copy)]
pub(super) struct Scenery<'a> {
    pub(super) load: &'a Load,
    pub(super) sampler: &'a Sampler,
}

const EVERY: Duration = Duration::from_millis(500);

/// Waits until all hosts are at `target` and in load, at most for `bound`; shows each step that a host takes.
pub(super) fn until_all_at(
    target: Sha1,
    bound: Duration,
    fleet: &Fleet,
    hosts: &[Host],
    scenery: Option<Scenery<'_>>,
    shell: &Shell,
) -> Result<HerdStatus, DemoError> {
    let (operator, watch) = (Operator::of(fleet)?, Stopwatch::start());
    let progress = shell.begin_steps("hosts at the target", hosts.len() as u64);
    let mut shown = BTreeMap::new();
    loop {
        if super::story::interrupted() {
            return Err(DemoError::Interrupted);
        }
        let status = status::of(&operator)?;
        show(&status, &mut shown, scenery, shell);
        let there = |host: &&HostStatus| host.state == Some(target) && host.is_settled() && host.in_service;
        let count = status.hosts.iter().filter(there).count();
        progress.reached(count as u64);
        if let Some(failed) = status.hosts.iter().find(|host| matches!(host.phase, Phase::Failed | Phase::Stopped)) {
            let (host, why) = (failed.name.clone(), failed.detail.clone());
            return Err(DemoError::Host { log: hosts::log(hosts, &host), host, why });
        }
        if count == hosts.len() {
            return Ok(status);
        }
        if watch.elapsed() > bound {
            let (seconds, target) = (bound.as_secs(), target.short());
            return Err(DemoError::Late { seconds, target, status: status.text() });
        }
        Real.sleep(EVERY);
    }
}

fn show(
    status: &HerdStatus,
    shown: &mut BTreeMap<String, (Option<Sha1>, Phase)>,
    scenery: Option<Scenery<'_>>,
    shell: &Shell,
) {
    if let Some(scenery) = scenery {
        let (requests, failed) = scenery.load.so_far();
        for turn in scenery.sampler.turns() {
            let what = if turn.out { "out of load" } else { "back in load" };
            shell
                .done(&turn.server, format_args!("{what}, says HAProxy ({requests} requests so far, {failed} failed)"));
        }
    }
    for host in &status.hosts {
        let now = (host.state, host.phase);
        if shown.insert(host.name.clone(), now) != Some(now) {
            shell.done(&host.name, host.outline());
        }
    }
}
