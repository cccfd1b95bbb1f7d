//! What herds in the simulator run: chains over four roles, with waits before links and in their code, baselines, links that
//! reboot and links that run in load, and roles with maintenance windows.
//!
//! A [`Build`] is one runner: so many links of one fleet, some of them amended. Its bytes say which one it is; a runner that
//! was tampered with has one space more, and starts all the same. What is compiled into runners is static, and so builds are
//! made once and kept for the life of the process; there are few fleets, and so there are few of them.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use wb_core::chain::{Digest, OnCatchup, Sha1};
use wb_core::context::{Code, Context, MaxOut, Migration, Role, Run, Spec, StaticWait, StaticWho, Terms};
use wb_core::runner::Catalog;
use wb_core::system::Command;

use super::inside::{Inside, LIMITS};
use crate::torture::chance::Chance;

/// The roles that there are.
pub const ROLES: [&str; 4] = ["balancer", "cache", "database", "web"];

/// The longest chain.
pub const LONGEST: usize = 14;

/// How many fleets there are.
pub const FLEETS: u64 = 48;

/// A runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Build {
    /// Of which fleet.
    pub fleet: u64,
    /// How many links of the chain it has.
    pub links: usize,
    /// Which of them were amended, and how often at most: two bits for each.
    pub amended: u32,
}

impl Build {
    /// The bytes of the runner.
    #[must_use]
    pub fn bytes(self) -> Vec<u8> {
        format!("{} {} {}", self.fleet, self.links, self.amended).into_bytes()
    }

    /// What is laid in the place of the runner by somebody who may not do so.
    #[must_use]
    pub fn tampered(self) -> Vec<u8> {
        [&self.bytes()[..], b" "].concat()
    }

    /// The runner that these bytes are.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut words = text.split_whitespace();
        let fleet = words.next()?.parse().ok()?;
        let (links, amended) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        words.next().is_none().then_some(Self { fleet, links, amended })
    }

    /// How often a link was amended.
    #[must_use]
    pub fn version(self, link: usize) -> u32 {
        (self.amended >> (2 * link)) & 3
    }

    /// With a link amended once more, where it can be.
    #[must_use]
    pub fn amending(self, link: usize) -> Option<Self> {
        (self.version(link) < 3).then(|| Self { amended: self.amended + (1 << (2 * link)), ..self })
    }

    /// What is compiled into it.
    #[must_use]
    pub fn catalog(self) -> &'static Catalog {
        static BUILT: Mutex<BTreeMap<Build, &'static Catalog>> = Mutex::new(BTreeMap::new());
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        built.entry(self).or_insert_with(|| compile(self))
    }
}

/// How many links the chain of a fleet has.
#[must_use]
pub fn length(fleet: u64) -> usize {
    sketches(fleet).len()
}

/// Whether a link asks for a reboot in its middle.
#[must_use]
pub fn reboots(fleet: u64, link: usize) -> bool {
    sketches(fleet).get(link).is_some_and(|sketch| sketch.reboots)
}

/// A link, before it is compiled.
#[derive(Debug, Clone)]
struct Sketch {
    name: &'static str,
    role: &'static str,
    wait: Option<StaticWait>,
    inside: Option<Inside>,
    /// The places of the first and the last link that it stands for, where it is a baseline.
    replaces: Option<(usize, usize)>,
    in_load: bool,
    reboots: bool,
}

fn sketches(fleet: u64) -> &'static [Sketch] {
    static ALL: LazyLock<Vec<Vec<Sketch>>> = LazyLock::new(|| (0..FLEETS).map(sketch).collect());
    &ALL[usize::try_from(fleet % FLEETS).unwrap_or(0)]
}

/// Most roles have links near the start and near the end; a wait is for a role that has links before. Waits in code are drawn
/// apart, so that fleets without them are what they were before there were any.
fn sketch(fleet: u64) -> Vec<Sketch> {
    let mut chance = Chance(fleet.wrapping_mul(0x5851_f42d_4c95_7f2d));
    let mut aside = Chance(!fleet);
    let length = LONGEST - 8 + chance.below(9);
    let mut sketches: Vec<Sketch> = Vec::new();
    for index in 0..length {
        let role = ROLES[chance.below(ROLES.len())];
        let name: &'static str = format!("{role}_{index}").leak();
        let wait = (index > 0 && chance.one_in(4)).then(|| wait(&sketches, &mut chance));
        let inside = waits_in_code(fleet).then(|| in_code(&sketches, &mut aside)).flatten();
        let replaces = chance.one_in(5).then(|| replaced(&sketches, role, &mut chance)).flatten();
        let in_load = chance.one_in(8) || (inside.is_some() && aside.one_in(2));
        // What runs in load may not reboot its host.
        let reboots = chance.one_in(12) && !in_load;
        sketches.push(Sketch { name, role, wait, inside, replaces, in_load, reboots });
    }
    sketches
}

/// Whether the code of some links of a fleet waits for others.
fn waits_in_code(fleet: u64) -> bool {
    fleet % 3 == 1
}

/// What the code of the next link waits for, if it does.
fn in_code(before: &[Sketch], chance: &mut Chance) -> Option<Inside> {
    let waits = !before.is_empty() && chance.one_in(3);
    waits.then(|| Inside {
        wait: StaticWait { on_catchup: OnCatchup::Wait, ..wait(before, chance) },
        limit: Duration::from_secs(LIMITS[chance.below(LIMITS.len())]),
    })
}

/// What a baseline of this role may stand for: its links up to the last one, without a cut into an older baseline.
fn replaced(before: &[Sketch], role: &str, chance: &mut Chance) -> Option<(usize, usize)> {
    let mine: Vec<usize> = (0..before.len()).filter(|place| before[*place].role == role).collect();
    let is_cut = |from: usize| {
        mine.iter().any(|older| before[*older].replaces.is_some_and(|(first, _)| first < from && from <= *older))
    };
    let whole: Vec<usize> = mine.iter().copied().filter(|from| !is_cut(*from)).collect();
    Some((*whole.get(chance.below(whole.len().max(1)))?, *mine.last()?))
}

fn wait(before: &[Sketch], chance: &mut Chance) -> StaticWait {
    let role = ROLES[chance.below(ROLES.len())];
    let who = match chance.below(4) {
        0 => StaticWho::Any(role),
        1 => StaticWho::Count(role, 2),
        _ => StaticWho::All(role),
    };
    let reached = chance.one_in(3).then(|| before[chance.below(before.len())].name);
    let on_catchup = match chance.below(6) {
        0 | 1 => OnCatchup::Pass,
        2 => OnCatchup::Fail,
        _ => OnCatchup::Wait,
    };
    StaticWait { who, reached, on_catchup, overdue: None }
}

fn compile(build: Build) -> &'static Catalog {
    let sketches = &sketches(build.fleet)[..build.links];
    let migrations: Vec<&'static Migration> =
        (0..).zip(sketches).map(|(i, s)| &*Box::leak(Box::new(migration(build, i, s)))).collect();
    let roles: Vec<&'static Role> =
        (0..).zip(ROLES).map(|(i, name)| &*Box::leak(Box::new(role(build.fleet, i, name)))).collect();
    let of_links = (0..).zip(sketches).map(|(i, s)| spec(i, s));
    let of_roles = (0..).zip(ROLES).map(|(i, role)| spec_of_role(i, role));
    let specs: Vec<&'static Spec> = of_links.chain(of_roles).map(|spec| &*Box::leak(Box::new(spec))).collect();
    let catalog = Catalog::new(migrations, roles, specs).unwrap_or_default();
    Box::leak(Box::new(catalog))
}

fn migration(build: Build, index: usize, sketch: &Sketch) -> Migration {
    let digest = Digest::of(format!("{} {index} {}", build.fleet, build.version(index)).as_bytes());
    let inside: &'static [StaticWait] = Vec::from_iter(sketch.inside.map(|inside| inside.wait)).leak();
    let link: &'static Link = Box::leak(Box::new(Link { place: index, inside: sketch.inside }));
    Migration {
        name: sketch.name,
        role: sketch.role,
        sha1: named(build.fleet, index),
        digest: digest.to_string().leak(),
        index,
        wait: sketch.wait,
        replaces: sketch.replaces.map(|(from, to)| (named(build.fleet, from), named(build.fleet, to))),
        terms: Terms { in_load: sketch.in_load, inside, ..Terms::NONE },
        run: Some(Code::Wrapped(link)),
    }
}

/// The sha1 of a link.
fn named(fleet: u64, index: usize) -> &'static str {
    let digits = Digest::of(format!("{fleet} {index}").as_bytes()).to_string();
    digits[..40].to_owned().leak()
}

/// When the hosts of some roles may leave load. The time of a round begins on a Tuesday at 22:13, and no window stays
/// closed for longer than a host's patience.
const WINDOWS: [&[&str]; 3] = [
    &["Tue,Wed 22:15-22:21", "daily 22:26-22:36", "daily 22:40-22:10"],
    &["Mon-Sat 22:00-22:14", "daily 22:18-22:22", "Tue-Fri 22:31-22:00"],
    &["daily 22:20-22:10"],
];

fn role(fleet: u64, index: usize, name: &'static str) -> Role {
    let mut chance = Chance(fleet ^ ((index as u64 + 1) << 32));
    let (max_out, max_failed) = (max_out(&mut chance), 1 + u32::from(chance.one_in(3)));
    let windows = windows(&mut chance);
    let [gate, leave, rejoin] = HOOKS[index];
    Role { name, max_out, max_failed, windows, gate, leave, rejoin }
}

/// How many hosts of a role may be out.
pub fn max_out(chance: &mut Chance) -> MaxOut {
    match chance.below(4) {
        0 => MaxOut::Hosts(1),
        1 => MaxOut::Hosts(2),
        2 => MaxOut::Percent(25),
        _ => MaxOut::Percent(50),
    }
}

/// When the hosts of a role may leave load; mostly at any time.
pub fn windows(chance: &mut Chance) -> &'static [&'static str] {
    if chance.one_in(4) { WINDOWS[chance.below(WINDOWS.len())] } else { &[] }
}

fn spec(index: usize, sketch: &Sketch) -> Spec {
    Spec::new(sketch.name, "holds", SPECS[index])
}

fn spec_of_role(index: usize, role: &'static str) -> Spec {
    Spec::new("torture::roles", "fit", FIT[index]).of_role(role)
}

/// What a link does is up to the machine, which knows its place in the chain.
#[derive(Debug)]
struct Link {
    place: usize,
    inside: Option<Inside>,
}

impl Run for Link {
    fn run(&self, context: &Context<'_>) -> anyhow::Result<()> {
        ask(context, "begin", self.place)?;
        if ask(context, "reboots", self.place).is_ok()
            && let Some(attempt) = context.attempt()
        {
            attempt.reboot()?;
        }
        if let Some(inside) = self.inside {
            inside.pass(context, self.place)?;
        }
        ask(context, "end", self.place)
    }

    fn pay(&self, _: &Context<'_>) -> anyhow::Result<()> {
        Ok(())
    }
}

/// Asks the machine for something, or whether something is so.
pub(super) fn ask(context: &Context<'_>, what: &str, which: usize) -> anyhow::Result<()> {
    let command = Command::new(what).arg(which.to_string());
    Ok(context.system().run(&command)?.success(&command).map(drop)?)
}

type Hook = fn(&Context<'_>) -> anyhow::Result<()>;

fn gate<const ROLE: usize>(context: &Context<'_>) -> anyhow::Result<()> {
    ask(context, "gate", ROLE)
}

fn leave<const ROLE: usize>(context: &Context<'_>) -> anyhow::Result<()> {
    ask(context, "leave", ROLE)
}

fn rejoin<const ROLE: usize>(context: &Context<'_>) -> anyhow::Result<()> {
    ask(context, "rejoin", ROLE)
}

fn holds<const LINK: usize>(context: &Context<'_>) -> anyhow::Result<()> {
    ask(context, "spec", LINK)
}

fn fit<const ROLE: usize>(context: &Context<'_>) -> anyhow::Result<()> {
    ask(context, "fit", ROLE)
}

const HOOKS: [[Hook; 3]; 4] = [
    [gate::<0>, leave::<0>, rejoin::<0>],
    [gate::<1>, leave::<1>, rejoin::<1>],
    [gate::<2>, leave::<2>, rejoin::<2>],
    [gate::<3>, leave::<3>, rejoin::<3>],
];

const FIT: [Hook; 4] = [fit::<0>, fit::<1>, fit::<2>, fit::<3>];

const SPECS: [Hook; LONGEST] = [
    holds::<0>,
    holds::<1>,
    holds::<2>,
    holds::<3>,
    holds::<4>,
    holds::<5>,
    holds::<6>,
    holds::<7>,
    holds::<8>,
    holds::<9>,
    holds::<10>,
    holds::<11>,
    holds::<12>,
    holds::<13>,
];

/// The place in its chain of a link of any fleet.
#[must_use]
pub fn place(fleet: u64, link: Sha1) -> Option<usize> {
    let build = Build { fleet, links: length(fleet), amended: 0 };
    build.catalog().chain().position(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fleet_compiles_and_all_that_chains_and_roles_may_have_is_there() {
        let catalogs: Vec<&Catalog> =
            (0..FLEETS).map(|fleet| Build { fleet, links: length(fleet), amended: 0 }.catalog()).collect();
        assert!((0..).zip(&catalogs).all(|(fleet, catalog)| catalog.chain().links().len() == length(fleet)));
        let links = || catalogs.iter().flat_map(|catalog| catalog.chain().links());
        let catches_up = |word| links().any(|link| link.wait.as_ref().is_some_and(|wait| wait.on_catchup == word));
        assert!([OnCatchup::Wait, OnCatchup::Pass, OnCatchup::Fail].into_iter().all(catches_up));
        assert!(links().any(|link| link.replaces.is_some()) && links().any(|link| link.in_load));
        let waits_in_code = |in_load| links().any(|link| !link.inside.is_empty() && link.in_load == in_load);
        assert!(waits_in_code(true) && waits_in_code(false));
        let policies = || catalogs.iter().flat_map(|catalog| catalog.policies().values());
        assert!(policies().any(|policy| !policy.windows.is_empty()) && policies().any(|policy| policy.max_failed > 1));
    }

    #[test]
    fn a_tampered_runner_starts_and_is_another_one() {
        let build = Build { fleet: 3, links: 2, amended: 5 };
        assert_eq!([Build::read(&build.bytes()), Build::read(&build.tampered())], [Some(build); 2]);
        assert_ne!(Digest::of(&build.bytes()), Digest::of(&build.tampered()));
        assert_eq!(Build::read(b"3 2"), None);
    }
}
