//! Where a host is in a leg. The phase is on disk before the act that it names begins, so that after a crash the
//! agent knows what it may have half done. The drawing of all this in the book is made by [`drawing`].
//!
//! A host never in service has nothing to leave: it goes from `InLoad` to `Out` at once, and back from `Out` to
//! `InLoad` until it enters service. So does one that runs a link in load: it has no claim.

pub mod drawing;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::chain::Sha1;
use crate::report::Failure;

/// A claim on a place in the pools of some roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Of the claim, in each of the pools.
    pub nonce: Uuid,
    /// Whose pools.
    pub roles: Vec<String>,
    /// When it was claimed, in seconds since 1970; 0 in records from before that was kept.
    #[serde(default)]
    pub since: u64,
}

/// What a host is about to run, in one stay out of load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// Its last link.
    pub until: Sha1,
    /// The claim that it is run under; none for a host never in service, and for links that are run in load.
    pub held: Option<Held>,
}

/// Where a host is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// Nothing is under way.
    #[default]
    InLoad,
    /// A claim may have been pushed.
    Claiming {
        /// For what.
        leg: Leg,
    },
    /// The claim is held; the roles' `leave` may have run.
    Leaving {
        /// For what.
        leg: Leg,
    },
    /// Between links; out of load where there is a claim.
    Out {
        /// In which leg.
        leg: Leg,
    },
    /// A link may have run in part.
    Running {
        /// In which leg.
        leg: Leg,
        /// Which link.
        link: Sha1,
    },
    /// The roles' `rejoin` may have run.
    Rejoining {
        /// The claim that is given back after it; none on entering service.
        held: Option<Held>,
    },
    /// In load again; the claim may have been given back.
    Returning {
        /// The claim.
        held: Held,
    },
    /// A link failed. The host stays out of load and keeps its claim.
    Failed {
        /// In which leg.
        leg: Leg,
        /// What failed.
        failure: Failure,
    },
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A leg was planned.
    LegPlanned(Leg),
    /// A pool lists this host as out, though it is in load: after a restore, or a push whose end nobody saw.
    ClaimFound(Held),
    /// The push of the claim won.
    ClaimWon,
    /// It lost.
    ClaimLost,
    /// All roles have left.
    Left,
    /// An operator freed the claim, or holds the host, before all had.
    TurnedBack,
    /// A link is about to run.
    LinkStarts(Sha1),
    /// It was run, and its specs passed.
    LinkDone,
    /// It failed.
    LinkFailed(Failure),
    /// What failed may be tried again.
    TryAgain,
    /// What failed was done by hand, and its specs passed.
    Adopted,
    /// What failed was not done by hand after all, or nobody can tell yet: this is what is remembered of it now.
    AdoptionRefused(Failure),
    /// All links of the leg are done.
    LegDone,
    /// The host is at the target and was never in service, or has a role again that it left load with.
    AtTarget,
    /// All roles have rejoined.
    Rejoined,
    /// The claim was given back.
    Returned,
}

impl Event {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::LegPlanned(_) => "LegPlanned",
            Self::ClaimFound(_) => "ClaimFound",
            Self::ClaimWon => "ClaimWon",
            Self::ClaimLost => "ClaimLost",
            Self::Left => "Left",
            Self::TurnedBack => "TurnedBack",
            Self::LinkStarts(_) => "LinkStarts",
            Self::LinkDone => "LinkDone",
            Self::LinkFailed(_) => "LinkFailed",
            Self::TryAgain => "TryAgain",
            Self::Adopted => "Adopted",
            Self::AdoptionRefused(_) => "AdoptionRefused",
            Self::LegDone => "LegDone",
            Self::AtTarget => "AtTarget",
            Self::Rejoined => "Rejoined",
            Self::Returned => "Returned",
        }
    }

    /// What happened, in a sentence.
    #[must_use]
    pub fn sentence(&self) -> &'static str {
        match self {
            Self::LegPlanned(_) => "A leg was planned.",
            Self::ClaimFound(_) => "A pool lists this host as out, though it is in load.",
            Self::ClaimWon => "The push of the claim won.",
            Self::ClaimLost => "The claim was not won: there is no place, or another host was faster.",
            Self::Left => "All roles have left.",
            Self::TurnedBack => "An operator freed the place, or holds the host, before all roles had left.",
            Self::LinkStarts(_) => "A link is about to run.",
            Self::LinkDone => "The link was run, and its specs passed.",
            Self::LinkFailed(_) => "The link or one of its specs failed.",
            Self::TryAgain => "What failed changed, or somebody asked for another try.",
            Self::Adopted => "What failed was done by hand, and its specs passed.",
            Self::AdoptionRefused(_) => "It was said to be done by hand, and a spec failed, or nobody can tell yet.",
            Self::LegDone => "All links of the leg are done.",
            Self::AtTarget => {
                "The host is at the target and was never in service, or has a role again that it left load with."
            }
            Self::Rejoined => "All roles have rejoined.",
            Self::Returned => "The place in the pool was given back, together with the new state.",
        }
    }
}

/// An event that can't happen in a phase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event {event:?} can't happen in the phase {phase:?}")]
pub struct IllegalEvent {
    phase: Box<Phase>,
    event: Box<Event>,
}

impl Phase {
    /// The phase after `event`.
    ///
    /// # Errors
    /// When the event can't happen here.
    pub fn next(&self, event: Event) -> Result<Self, IllegalEvent> {
        use Phase::{Claiming, Failed, InLoad, Leaving, Out, Rejoining, Returning, Running};
        match (self.clone(), event) {
            (InLoad, Event::LegPlanned(leg)) if leg.held.is_some() => Ok(Claiming { leg }),
            (InLoad, Event::LegPlanned(leg)) => Ok(Out { leg }),
            (InLoad, Event::AtTarget) => Ok(Rejoining { held: None }),
            (InLoad, Event::ClaimFound(held)) => Ok(Rejoining { held: Some(held) }),
            // A role may have rejoined before another one could not: who goes on leaves again, under the claim that it has.
            (Rejoining { held: Some(held) }, Event::LegPlanned(leg)) if leg.held.as_ref() == Some(&held) => {
                Ok(Leaving { leg })
            }
            (Rejoining { held: None }, Event::LegPlanned(leg)) if leg.held.is_none() => Ok(Out { leg }),
            (Claiming { leg }, Event::ClaimWon) => Ok(Leaving { leg }),
            (Claiming { .. }, Event::ClaimLost) => Ok(InLoad),
            (Leaving { leg }, Event::Left) => Ok(Out { leg }),
            (Leaving { leg }, Event::TurnedBack) => Ok(Rejoining { held: leg.held }),
            (Out { leg }, Event::LinkStarts(link)) => Ok(Running { leg, link }),
            (Out { leg: Leg { held: Some(held), .. } }, Event::LegDone) => Ok(Rejoining { held: Some(held) }),
            (Out { leg: Leg { held: None, .. } }, Event::LegDone) => Ok(InLoad),
            (Running { leg, .. }, Event::LinkDone) => Ok(Out { leg }),
            (Running { leg, .. }, Event::LinkFailed(failure)) => Ok(Failed { leg, failure }),
            (Failed { leg, .. }, Event::TryAgain | Event::Adopted) => Ok(Out { leg }),
            (Failed { leg, .. }, Event::AdoptionRefused(failure)) => Ok(Failed { leg, failure }),
            (Rejoining { held: Some(held) }, Event::Rejoined) => Ok(Returning { held }),
            (Rejoining { held: None }, Event::Rejoined) => Ok(InLoad),
            (Returning { .. }, Event::Returned) => Ok(InLoad),
            (phase, event) => Err(IllegalEvent { phase: Box::new(phase), event: Box::new(event) }),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::InLoad => "InLoad",
            Self::Claiming { .. } => "Claiming",
            Self::Leaving { .. } => "Leaving",
            Self::Out { .. } => "Out",
            Self::Running { .. } => "Running",
            Self::Rejoining { .. } => "Rejoining",
            Self::Returning { .. } => "Returning",
            Self::Failed { .. } => "Failed",
        }
    }

    /// What the host does in it, again after a crash.
    #[must_use]
    pub fn act(&self) -> &'static str {
        match self {
            Self::InLoad => "looks for changes, and plans",
            Self::Claiming { .. } => "looks whether it holds the claim that it pushed",
            Self::Leaving { .. } => "leaves load, role by role",
            Self::Out { .. } => "goes on to the next link of the leg, and after the last one rejoins",
            Self::Running { .. } => "runs the link, and then its specs",
            Self::Rejoining { .. } => "asks the specs of its roles, then rejoins, role by role",
            Self::Returning { .. } => "gives its place in the pool back",
            Self::Failed { .. } => "waits until the link or its settings change, or somebody asks for another try",
        }
    }

    /// Whether nothing useful can be done here without the remote. Who is in a leg may finish it and rejoin.
    #[must_use]
    pub fn needs_remote(&self) -> bool {
        matches!(self, Self::InLoad | Self::Claiming { .. } | Self::Returning { .. })
    }

    /// Whether the roles' `leave` has run, or may have.
    #[must_use]
    pub fn is_out(&self) -> bool {
        let out = matches!(self, Self::Leaving { .. } | Self::Out { .. } | Self::Running { .. } | Self::Failed { .. });
        out && self.held().is_some()
    }

    /// The claim that may be held in this phase.
    #[must_use]
    pub fn held(&self) -> Option<&Held> {
        match self {
            Self::InLoad => None,
            Self::Claiming { leg } | Self::Leaving { leg } | Self::Out { leg } => leg.held.as_ref(),
            Self::Running { leg, .. } | Self::Failed { leg, .. } => leg.held.as_ref(),
            Self::Rejoining { held } => held.as_ref(),
            Self::Returning { held } => Some(held),
        }
    }

    /// The leg that is under way out of load.
    #[must_use]
    pub fn leg(&self) -> Option<&Leg> {
        match self {
            Self::Leaving { leg } | Self::Out { leg } | Self::Running { leg, .. } | Self::Failed { leg, .. } => {
                Some(leg)
            }
            _ => None,
        }
    }

    /// Whether another runner may take over: not while a link is under way, nor between the links of one leg. Who can't
    /// leave or rejoin may need another runner for just that.
    #[must_use]
    pub fn may_upgrade(&self) -> bool {
        match self {
            Self::Running { .. } => false,
            Self::Out { leg } => leg.held.is_none(),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Digest;

    fn sha1(n: u8) -> Sha1 {
        Sha1::from_bytes([n; 20])
    }

    fn leg(claimed: bool) -> Leg {
        let held = claimed.then(|| Held { nonce: Uuid::from_u128(1), roles: vec!["web".into()], since: 0 });
        Leg { until: sha1(3), held }
    }

    fn failure() -> Failure {
        let digest = Digest::of(b"");
        Failure { link: sha1(2), name: "page".into(), digest, settings: digest, error: "no".into() }
    }

    fn walk(events: Vec<Event>) -> String {
        let mut phase = Phase::InLoad;
        let mut names = Vec::new();
        for event in events {
            phase = phase.next(event).unwrap();
            names.push(serde_json::to_value(&phase).unwrap()["phase"].as_str().unwrap().to_owned());
        }
        names.join(" ")
    }

    #[test]
    fn a_leg_of_a_host_in_service() {
        use Event::{ClaimWon, Left, LegDone, LegPlanned, LinkDone, LinkStarts, Rejoined, Returned};
        let events =
            vec![LegPlanned(leg(true)), ClaimWon, Left, LinkStarts(sha1(2)), LinkDone, LegDone, Rejoined, Returned];
        assert_eq!(walk(events), "claiming leaving out running out rejoining returning in_load");
    }

    #[test]
    fn who_is_called_back_before_it_has_left_rejoins_and_runs_nothing() {
        use Event::{ClaimWon, Left, LegPlanned, Rejoined, Returned, TurnedBack};
        let events = vec![LegPlanned(leg(true)), ClaimWon, TurnedBack, Rejoined, Returned];
        assert_eq!(walk(events), "claiming leaving rejoining returning in_load");
        assert!(Phase::Leaving { leg: leg(true) }.next(Left).unwrap().next(TurnedBack).is_err());
    }

    #[test]
    fn who_is_kept_out_goes_on_under_the_claim_that_it_has_and_no_other() {
        use Event::{AtTarget, ClaimWon, Left, LegDone, LegPlanned};
        let events = vec![LegPlanned(leg(true)), ClaimWon, Left, LegDone, LegPlanned(leg(true)), Left];
        assert_eq!(walk(events), "claiming leaving out rejoining leaving out");
        assert_eq!(walk(vec![AtTarget, LegPlanned(leg(false)), LegDone]), "rejoining out in_load");
        let other = Leg { held: leg(true).held.map(|held| Held { nonce: Uuid::from_u128(2), ..held }), ..leg(true) };
        let kept_out = Phase::Rejoining { held: leg(true).held };
        assert!(kept_out.next(LegPlanned(other)).is_err());
        assert!(kept_out.next(LegPlanned(leg(false))).is_err());
        assert!(Phase::Rejoining { held: None }.next(LegPlanned(leg(true))).is_err());
    }

    #[test]
    fn a_leg_of_a_new_host_needs_no_claim() {
        use Event::{AtTarget, LegDone, LegPlanned, LinkDone, LinkStarts, Rejoined};
        let events = vec![LegPlanned(leg(false)), LinkStarts(sha1(2)), LinkDone, LegDone, AtTarget, Rejoined];
        assert_eq!(walk(events), "out running out in_load rejoining in_load");
    }

    #[test]
    fn a_failure_keeps_the_claim_until_it_is_tried_again() {
        use Event::{ClaimWon, Left, LegPlanned, LinkFailed, LinkStarts, TryAgain};
        let mut phase = Phase::InLoad;
        for event in [LegPlanned(leg(true)), ClaimWon, Left, LinkStarts(sha1(2)), LinkFailed(failure())] {
            phase = phase.next(event).unwrap();
        }
        assert_eq!(phase.held(), leg(true).held.as_ref());
        assert!(phase.next(Event::LegDone).is_err());
        assert!(phase.next(Event::Rejoined).is_err());
        assert_eq!(phase.next(TryAgain).unwrap(), Phase::Out { leg: leg(true) });
    }

    #[test]
    fn what_was_done_by_hand_ends_a_failure_and_only_a_failure() {
        let failed = Phase::Failed { leg: leg(true), failure: failure() };
        assert_eq!(failed.next(Event::Adopted).unwrap(), Phase::Out { leg: leg(true) });
        let refused = Failure { error: "a spec says no".into(), ..failure() };
        let still = Phase::Failed { leg: leg(true), failure: refused.clone() };
        assert_eq!(failed.next(Event::AdoptionRefused(refused)).unwrap(), still);
        for phase in [Phase::InLoad, Phase::Out { leg: leg(true) }, Phase::Running { leg: leg(true), link: sha1(2) }] {
            assert!(phase.next(Event::Adopted).is_err(), "{phase:?}");
        }
    }

    #[test]
    fn who_has_left_is_out() {
        let check = |phase: Phase, expect| assert_eq!(phase.is_out(), expect, "{phase:?}");
        check(Phase::InLoad, false);
        check(Phase::Claiming { leg: leg(true) }, false);
        check(Phase::Leaving { leg: leg(true) }, true);
        check(Phase::Running { leg: leg(true), link: sha1(1) }, true);
        check(Phase::Running { leg: leg(false), link: sha1(1) }, false);
        check(Phase::Failed { leg: leg(true), failure: failure() }, true);
    }

    #[test]
    fn what_can_not_happen_is_an_error() {
        let error = Phase::InLoad.next(Event::LinkDone).unwrap_err();
        assert_eq!(error.to_string(), "the event LinkDone can't happen in the phase InLoad");
    }

    #[test]
    fn a_runner_is_replaced_between_legs() {
        let check = |phase: Phase, expect| assert_eq!(phase.may_upgrade(), expect, "{phase:?}");
        check(Phase::InLoad, true);
        check(Phase::Failed { leg: leg(true), failure: failure() }, true);
        check(Phase::Out { leg: leg(false) }, true);
        check(Phase::Out { leg: leg(true) }, false);
        check(Phase::Running { leg: leg(false), link: sha1(1) }, false);
        check(Phase::Leaving { leg: leg(true) }, true);
        check(Phase::Rejoining { held: None }, true);
    }
}
