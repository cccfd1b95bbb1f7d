//! What would happen, without doing it.

use std::fmt;
use std::rc::Rc;

use serde::Serialize;

use super::dispute::objections;
use super::lookout::Glance;
use super::phase::Phase;
use super::run::preview_link;
use super::{Agent, Notices, Record};
use crate::chain::{Link, Sha1};
use crate::context::{Operation, awaits_reboot};
use crate::plan::{Course, Plan, Stop};
use crate::report::Doing;
use crate::runner::Catalog;
use crate::system::System;

/// What a link would do here, as far as can be known.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    /// The link's name.
    pub name: String,
    /// The link.
    pub sha1: Sha1,
    /// Its operations, in order.
    pub operations: Vec<Operation>,
    /// Why nothing is known of what comes after them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<String>,
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.name, self.sha1.short())?;
        for operation in &self.operations {
            write!(f, "\n  {}", operation.to_string().replace('\n', "\n  "))?;
        }
        match &self.ends {
            Some(why) => write!(f, "\n  ? what comes after (cannot know: {why})"),
            None => Ok(()),
        }
    }
}

/// The links that this host would run if the herd were told to reach the tip of this runner, each in plan mode.
#[must_use]
pub fn links(agent: &Agent<'_>, catalog: &Catalog, system: &System) -> Vec<Preview> {
    let herd = agent.view();
    let record = agent.record();
    let (chain, roles) = (catalog.chain(), roles(agent).into_iter().collect());
    let past = record.past();
    let course = Course::along(chain, chain.tip().map(|tip| tip.sha1), &roles, &past);
    let mine = course.run_from(record.state());
    // What an interrupted run owes is paid by the first link.
    let without_debts = Record { debts: Vec::new(), ..Record::clone(&record) };
    let records = std::iter::once(&*record).chain(std::iter::repeat(&without_debts));
    let preview = |(link, record): (&Link, _)| {
        preview_link(catalog, link, system, &herd, record, Rc::new(Glance { agent, link }))
    };
    mine.zip(records).map(preview).collect()
}

/// The roles of this host, as the newest accepted change has them.
#[must_use]
pub fn roles(agent: &Agent<'_>) -> Vec<String> {
    let view = agent.view();
    view.myself().map(|member| member.roles.iter().cloned().collect()).unwrap_or_default()
}

/// What a host with this plan is doing, in the words of its report.
#[must_use]
pub fn doing(agent: &Agent<'_>, next: &Plan, catalog: &Catalog) -> Doing {
    if let Plan::Stop(stop @ Stop::Retired(_)) = next {
        return stop.clone().into();
    }
    let record = agent.record();
    if let Some(taking_over) = record.taking_over.as_ref().filter(|taking_over| taking_over.grace > 0) {
        return agent.besides(objections(taking_over));
    }
    let Notices { trouble, distrust, .. } = agent.notices().clone();
    let name = |link: Sha1| catalog.chain().get(link).map_or_else(|| link.short(), |link| link.name.clone());
    match &record.phase {
        Phase::InLoad => agent.refusal().or(distrust).map_or_else(|| planned(agent, next), Doing::stopped),
        Phase::Claiming { .. } => Doing::Leaving { trouble: None },
        Phase::Leaving { .. } => Doing::Leaving { trouble },
        Phase::Out { .. } => Doing::Running { link: "the next link".into() },
        Phase::Running { link, .. } if awaits_reboot(&record.steps, *link, &record.boot_id) => {
            Doing::Rebooting { link: name(*link), trouble: None }
        }
        Phase::Running { link, .. } => agent.waits_amid(*link).unwrap_or_else(|| Doing::Running { link: name(*link) }),
        Phase::Rejoining { .. } => Doing::Rejoining { trouble },
        Phase::Returning { .. } => Doing::Rejoining { trouble: None },
        Phase::Failed { failure, .. } => Doing::Failed(failure.clone()),
    }
}

/// What a host in this phase would do next, and what it waits for.
#[must_use]
pub fn outlook(phase: &Phase, notices: &Notices) -> String {
    match &notices.away {
        Some(_) if phase.needs_remote() => format!("waits for the remote, then {}", phase.act()),
        _ => phase.act().to_owned(),
    }
}

fn planned(agent: &Agent<'_>, next: &Plan) -> Doing {
    match next {
        Plan::UpToDate => Doing::UpToDate,
        Plan::Wait(wait) => agent.waiting(wait),
        Plan::Stop(stop) => stop.clone().into(),
        Plan::PassOver(_) | Plan::Regain(_) | Plan::EnterService | Plan::Leg { .. } => {
            Doing::waiting("for its next poll")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::phase::drawing::phases;
    use super::*;

    #[test]
    fn who_needs_the_remote_waits_for_it() {
        let away = Notices::default().lost(100, "no route");
        let said = phases().into_iter().map(|phase| format!("{}: {}", phase.name(), outlook(&phase, &away)));
        insta::assert_snapshot!(said.collect::<Vec<_>>().join("\n"), @r"
        InLoad: waits for the remote, then looks for changes, and plans
        Claiming: waits for the remote, then looks whether it holds the claim that it pushed
        Leaving: leaves load, role by role
        Out: goes on to the next link of the leg, and after the last one rejoins
        Running: runs the link, and then its specs
        Failed: waits until the link or its settings change, or somebody asks for another try
        Rejoining: asks the specs of its roles, then rejoins, role by role
        Returning: waits for the remote, then gives its place in the pool back
        ");
        assert_eq!(outlook(&Phase::InLoad, &Notices::default()), "looks for changes, and plans");
    }
}
