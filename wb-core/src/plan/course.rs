//! What a host does with the links before it: which it runs, and which it passes over.
//!
//! It runs the links of its roles. Where a baseline stands for some of these, it runs either them or the baseline: them,
//! once it has begun any of them, and else the baseline. So a host that was there before the baseline never notices.
//!
//! A host that gains a role has passed over links that it would run now. Nothing but its record and its present roles
//! tells that, so nothing has to be remembered: it goes back to before the first such link, and what it had done after
//! that stands ahead of it and is not run again.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::chain::{Chain, Link, Sha1};
use crate::change::{HostManifest, Manifest, Runner};

/// What a host has behind it, as its record says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// The links that it has begun to run, most of them done. What it passed over is none of them.
    pub begun: BTreeSet<Sha1>,
    /// Those of them that are done and lie after its state, since it gained a role.
    pub ahead: BTreeSet<Sha1>,
    /// The links up to its state that it passed over.
    pub passed: BTreeSet<Sha1>,
}

impl Past {
    /// What a host of these roles has behind it, as far as its state tells: it ran every link of its roles up to there,
    /// and passed the others over.
    #[must_use]
    pub fn told_by(chain: &Chain, roles: &BTreeSet<String>, state: Option<Sha1>) -> Self {
        let behind = state.and_then(|state| chain.position(state)).map_or(0, |place| place + 1);
        let (mine, others): (Vec<&Link>, Vec<&Link>) =
            chain.links()[..behind].iter().partition(|link| roles.contains(&link.role));
        let all = |links: Vec<&Link>| links.into_iter().map(|link| link.sha1).collect();
        Self { begun: all(mine), passed: all(others), ..Self::default() }
    }
}

/// What one host does with each link.
#[derive(Debug, Clone)]
pub struct Course<'a> {
    chain: &'a Chain,
    roles: &'a BTreeSet<String>,
    ahead: BTreeSet<Sha1>,
    passed: BTreeSet<Sha1>,
    target: Option<usize>,
    /// What it passes over: baselines of its roles stand for it, and it has begun nothing of it.
    spared: Vec<(&'a str, RangeInclusive<usize>)>,
    /// The baselines that it has no need of: it has begun what they stand for, and so it ends that.
    needless: BTreeSet<Sha1>,
}

impl<'a> Course<'a> {
    /// The course of a host with this past, which is to reach `goal`. A baseline beyond the goal is none yet, unless the
    /// host has begun it.
    #[must_use]
    pub fn new(manifest: &'a Manifest, goal: Option<Sha1>, host: &'a HostManifest, past: &Past) -> Self {
        Self::along(&manifest.chain, goal, &host.roles, past)
    }

    /// The course of a host with this past, if the herd were told to reach this target of this chain.
    #[must_use]
    pub fn along(chain: &'a Chain, target: Option<Sha1>, roles: &'a BTreeSet<String>, past: &Past) -> Self {
        let target = target.and_then(|target| chain.position(target));
        let has_begun = |(link, span): &(&Link, RangeInclusive<usize>)| {
            chain.links()[span.clone()].iter().any(|other| other.role == link.role && past.begun.contains(&other.sha1))
        };
        let mine = chain.baselines().filter(|(link, _)| roles.contains(&link.role));
        let (needless, needed): (Vec<_>, Vec<_>) = mine.partition(has_begun);
        let is_told = |link: &Link| chain.position(link.sha1) <= target || past.begun.contains(&link.sha1);
        let told = needed.into_iter().filter(|(link, _)| is_told(link));
        Self {
            chain,
            roles,
            ahead: past.ahead.clone(),
            passed: past.passed.clone(),
            target,
            spared: told.map(|(link, span)| (link.role.as_str(), span)).collect(),
            needless: needless.into_iter().map(|(link, _)| link.sha1).collect(),
        }
    }

    /// Whether the host runs a link when it comes to it.
    #[must_use]
    pub fn runs(&self, link: &Link) -> bool {
        let mine = self.roles.contains(&link.role) && !self.ahead.contains(&link.sha1);
        mine && !self.needless.contains(&link.sha1) && !self.is_spared(link)
    }

    /// The first link up to the target that the host passed over, and that it runs now: it has gained a role since.
    #[must_use]
    pub fn regained(&self) -> Option<&'a Link> {
        self.missed().next()
    }

    fn missed(&self) -> impl Iterator<Item = &'a Link> {
        let told = self.target.map_or(0, |target| target + 1);
        let passed = self.chain.links()[..told].iter().filter(|link| self.passed.contains(&link.sha1));
        passed.filter(|link| self.runs(link))
    }

    /// A baseline stands for it.
    fn is_spared(&self, link: &Link) -> bool {
        let mut spared = self.spared.iter().filter(|(role, _)| *role == link.role).peekable();
        let place = spared.peek().and_then(|_| self.chain.position(link.sha1));
        spared.any(|(_, span)| place.is_some_and(|place| span.contains(&place)))
    }

    /// What comes next in a leg whose claim is for the pools of these roles (none: it is run without one), where
    /// `link` is next. A role that was gained since counts after a leg with a claim; one without may end anywhere.
    #[must_use]
    pub fn onward(&self, link: Option<&Link>, claimed: Option<&[String]>) -> Onward {
        match link {
            None => Onward::End,
            Some(_) if claimed.is_none() && self.regained().is_some() => Onward::End,
            Some(link) => {
                let counts = claimed.is_none_or(|roles| roles.contains(&link.role));
                let in_order = !self.missed().any(|missed| missed.role == link.role);
                if counts && in_order && self.runs(link) {
                    Onward::Run(link.clone())
                } else {
                    Onward::PassOver(link.clone())
                }
            }
        }
    }

    /// The links that the host runs, from its state on, or from where it goes back to.
    pub fn run_from(&self, state: Option<Sha1>) -> impl Iterator<Item = &'a Link> {
        let back = self.regained().and_then(|link| self.chain.position(link.sha1));
        let links =
            back.map_or_else(|| self.chain.after(state).unwrap_or_default(), |from| &self.chain.links()[from..]);
        links.iter().filter(|link| self.runs(link))
    }

    /// Whether links of this role are still to be run up to the target.
    #[must_use]
    pub fn has_to_run(&self, role: &str, state: Option<Sha1>) -> bool {
        let mut told = self.run_from(state).take_while(|link| self.chain.position(link.sha1) <= self.target);
        told.any(|link| link.role == role)
    }

    /// The next link that the host runs.
    #[must_use]
    pub fn next(&self, state: Option<Sha1>) -> Option<&'a Link> {
        self.run_from(state).next()
    }
}

/// What a host does next in a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Onward {
    /// It ends the leg.
    End,
    /// It runs this link.
    Run(Link),
    /// It passes this link over.
    PassOver(Link),
}

/// The runner that a host is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// The newest one.
    Newest(&'a Runner),
    /// An older one, which still has the code of the next link.
    Full {
        /// The runner.
        runner: &'a Runner,
        /// The link.
        link: &'a Link,
    },
}

impl<'a> Wanted<'a> {
    /// The runner for a platform and a host at `state`: the newest one, unless the next link is in an older one only.
    #[must_use]
    pub fn of(manifest: &'a Manifest, platform: &str, course: &Course<'a>, state: Option<Sha1>) -> Option<Self> {
        let gone = course.next(state).filter(|link| link.gone);
        let full = gone.and_then(|link| Some((link, manifest.full_runner(link.sha1, platform)?)));
        match full {
            Some((link, runner)) => Some(Self::Full { runner, link }),
            None => manifest.runners.get(platform).map(Self::Newest),
        }
    }

    /// The runner.
    #[must_use]
    pub fn runner(&self) -> &'a Runner {
        match self {
            Self::Newest(runner) | Self::Full { runner, .. } => runner,
        }
    }

    /// Whether a runner with this chain is the wanted one: the newest has the chain that was signed, an older one its
    /// beginning, and the code of the link that it is wanted for.
    #[must_use]
    pub fn fits(&self, manifest: &Manifest, compiled: &Chain) -> bool {
        match self {
            Self::Newest(_) => compiled.says_the_same(&manifest.chain),
            Self::Full { link, .. } => {
                let code = compiled.get(link.sha1).is_some_and(|known| !known.gone && known.digest == link.digest);
                code && manifest.chain.extends(compiled)
            }
        }
    }
}
