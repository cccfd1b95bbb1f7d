//! What a host does with the links before it: which it runs, and which it passes over.
//!
//! It runs the links of its roles. Where a baseline stands for some of these, it runs either them or the baseline: them,
//! once it has begun any of them, and else the baseline. So a host that was there before the baseline never notices.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::chain::{Chain, Link, Sha1};
use crate::change::{HostManifest, Manifest, Runner};

/// What one host does with each link.
#[derive(Debug, Clone)]
pub struct Course<'a> {
    chain: &'a Chain,
    roles: &'a BTreeSet<String>,
    /// What it passes over: baselines of its roles stand for it, and it has begun nothing of it.
    spared: Vec<(&'a str, RangeInclusive<usize>)>,
    /// The baselines that it has no need of: it has begun what they stand for, and so it ends that.
    needless: BTreeSet<Sha1>,
}

impl<'a> Course<'a> {
    /// The course of a host that has begun these links, as the herd is told. A baseline beyond the target is none yet.
    #[must_use]
    pub fn new(manifest: &'a Manifest, host: &'a HostManifest, begun: &BTreeSet<Sha1>) -> Self {
        Self::along(&manifest.chain, manifest.target, &host.roles, begun)
    }

    /// The course of a host that has begun these links, if the herd were told to reach this target of this chain.
    #[must_use]
    pub fn along(chain: &'a Chain, target: Option<Sha1>, roles: &'a BTreeSet<String>, begun: &BTreeSet<Sha1>) -> Self {
        let target = target.and_then(|target| chain.position(target));
        let has_begun = |(link, span): &(&Link, RangeInclusive<usize>)| {
            chain.links()[span.clone()].iter().any(|other| other.role == link.role && begun.contains(&other.sha1))
        };
        let mine = chain.baselines().filter(|(link, _)| roles.contains(&link.role));
        let (needless, needed): (Vec<_>, Vec<_>) = mine.partition(has_begun);
        let told = needed.into_iter().filter(|(link, _)| chain.position(link.sha1) <= target);
        Self {
            chain,
            roles,
            spared: told.map(|(link, span)| (link.role.as_str(), span)).collect(),
            needless: needless.into_iter().map(|(link, _)| link.sha1).collect(),
        }
    }

    /// Whether the host runs a link when it comes to it.
    #[must_use]
    pub fn runs(&self, link: &Link) -> bool {
        self.roles.contains(&link.role) && !self.needless.contains(&link.sha1) && !self.is_spared(link)
    }

    /// A baseline stands for it.
    fn is_spared(&self, link: &Link) -> bool {
        let mut spared = self.spared.iter().filter(|(role, _)| *role == link.role).peekable();
        let place = spared.peek().and_then(|_| self.chain.position(link.sha1));
        spared.any(|(_, span)| place.is_some_and(|place| span.contains(&place)))
    }

    /// The next link that the host runs.
    #[must_use]
    pub fn next(&self, state: Option<Sha1>) -> Option<&'a Link> {
        self.chain.after(state).unwrap_or_default().iter().find(|link| self.runs(link))
    }
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
            Self::Newest(_) => *compiled == manifest.chain,
            Self::Full { link, .. } => {
                let code = compiled.get(link.sha1).is_some_and(|known| !known.gone && known.digest == link.digest);
                code && manifest.chain.extends(compiled)
            }
        }
    }
}
