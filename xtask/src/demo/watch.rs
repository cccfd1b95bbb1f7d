//! Watching the herd until all hosts are where they should be.

use std::collections::BTreeMap;
use std::time::Duration;

use wb_core::chain::Sha1;

use super::DemoError;
use super::balancer::Sampler;
use super::load::Load;
use crate::shell::Shell;
use crate::stage::{Stage, StageError, is_there};
use crate::status::{HerdStatus, Phase};

/// What is shown while the herd rolls.
#[derive(Clone, Copy)]
pub(super) struct Scenery<'a> {
    pub(super) load: &'a Load,
    pub(super) sampler: &'a Sampler,
}

/// Waits until all hosts are at `target` and in load, at most for `bound`; shows each step that a host takes.
pub(super) fn until_all_at(
    target: Sha1,
    bound: Duration,
    stage: &Stage,
    scenery: Option<Scenery<'_>>,
    shell: &Shell,
) -> Result<HerdStatus, DemoError> {
    let progress = shell.begin_steps("hosts at the target", stage.hosts().len() as u64);
    let mut shown = BTreeMap::new();
    let mut seen = |status: &HerdStatus| {
        if super::story::interrupted() {
            return Err(StageError::Interrupted);
        }
        show(status, &mut shown, scenery, shell);
        let there = status.hosts.iter().filter(|host| is_there(host, target));
        progress.reached(there.count() as u64);
        Ok(())
    };
    Ok(stage.until(target, bound, &mut seen)?)
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
