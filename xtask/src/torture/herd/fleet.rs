//! What herds in the simulator run: chains over four roles, with waits, links that reboot and links that run in load.
//!
//! A [`Build`] is one runner: so many links of one fleet, some of them amended. Its bytes say which one it is, so that a
//! runner that was tampered with is another one. What is compiled into runners is static, and so builds are made once and
//! kept for the life of the process; there are few fleets, and so there are few of them.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use wb_core::chain::{Digest, OnCatchup, Sha1};
use wb_core::context::{Code, Context, MaxOut, Migration, Role, Run, Spec, StaticWait, StaticWho, Terms};
use wb_core::runner::Catalog;
use wb_core::system::Command;

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

    /// The runner that these bytes are.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut words = text.split(' ');
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
    in_load: bool,
    reboots: bool,
}

fn sketches(fleet: u64) -> &'static [Sketch] {
    static ALL: LazyLock<Vec<Vec<Sketch>>> = LazyLock::new(|| (0..FLEETS).map(sketch).collect());
    &ALL[usize::try_from(fleet % FLEETS).unwrap_or(0)]
}

/// Most roles have links near the start and near the end; a wait is for a role that has links before.
fn sketch(fleet: u64) -> Vec<Sketch> {
    let mut chance = Chance(fleet.wrapping_mul(0x5851_f42d_4c95_7f2d));
    let length = LONGEST - 8 + chance.below(9);
    let mut sketches: Vec<Sketch> = Vec::new();
    for index in 0..length {
        let role = ROLES[chance.below(ROLES.len())];
        let name: &'static str = format!("{role}_{index}").leak();
        let wait = (index > 0 && chance.one_in(4)).then(|| wait(&sketches, &mut chance));
        // What runs in load may not reboot its host.
        let (in_load, reboots) = (chance.one_in(8), chance.one_in(12));
        sketches.push(Sketch { name, role, wait, in_load, reboots: reboots && !in_load });
    }
    sketches
}

fn wait(before: &[Sketch], chance: &mut Chance) -> StaticWait {
    let role = ROLES[chance.below(ROLES.len())];
    let who = match chance.below(4) {
        0 => StaticWho::Any(role),
        1 => StaticWho::Count(role, 2),
        _ => StaticWho::All(role),
    };
    let reached = chance.one_in(3).then(|| before[chance.below(before.len())].name);
    let on_catchup = if chance.one_in(3) { OnCatchup::Pass } else { OnCatchup::Wait };
    StaticWait { who, reached, on_catchup, overdue: None }
}

fn compile(build: Build) -> &'static Catalog {
    let sketches = &sketches(build.fleet)[..build.links];
    let migrations: Vec<&'static Migration> =
        (0..).zip(sketches).map(|(i, s)| &*Box::leak(Box::new(migration(build, i, s)))).collect();
    let roles: Vec<&'static Role> =
        (0..).zip(ROLES).map(|(i, name)| &*Box::leak(Box::new(role(build.fleet, i, name)))).collect();
    let specs: Vec<&'static Spec> = (0..).zip(sketches).map(|(i, s)| &*Box::leak(Box::new(spec(i, s)))).collect();
    let catalog = Catalog::new(migrations, roles, specs).unwrap_or_default();
    Box::leak(Box::new(catalog))
}

fn migration(build: Build, index: usize, sketch: &Sketch) -> Migration {
    let named = Digest::of(format!("{} {index}", build.fleet).as_bytes()).to_string();
    let digest = Digest::of(format!("{} {index} {}", build.fleet, build.version(index)).as_bytes());
    Migration {
        name: sketch.name,
        role: sketch.role,
        sha1: named[..40].to_owned().leak(),
        digest: digest.to_string().leak(),
        index,
        wait: sketch.wait,
        replaces: None,
        terms: Terms { in_load: sketch.in_load, ..Terms::NONE },
        run: Some(Code::Wrapped(&LINKS[index])),
    }
}

fn role(fleet: u64, index: usize, name: &'static str) -> Role {
    let mut chance = Chance(fleet ^ ((index as u64 + 1) << 32));
    let max_out = match chance.below(4) {
        0 => MaxOut::Hosts(1),
        1 => MaxOut::Hosts(2),
        2 => MaxOut::Percent(25),
        _ => MaxOut::Percent(50),
    };
    let max_failed = 1 + u32::from(chance.one_in(3));
    let [gate, leave, rejoin] = HOOKS[index];
    Role { name, max_out, max_failed, gate, leave, rejoin, ..Role::PLAIN }
}

fn spec(index: usize, sketch: &Sketch) -> Spec {
    Spec { module: sketch.name, name: "holds", check: SPECS[index] }
}

/// What a link does is up to the machine, which knows its place in the chain.
#[derive(Debug)]
struct Link(usize);

impl Run for Link {
    fn run(&self, context: &Context<'_>) -> anyhow::Result<()> {
        ask(context, "begin", self.0)?;
        if ask(context, "reboots", self.0).is_ok()
            && let Some(attempt) = context.attempt()
        {
            attempt.reboot()?;
        }
        ask(context, "end", self.0)
    }

    fn pay(&self, _: &Context<'_>) -> anyhow::Result<()> {
        Ok(())
    }
}

fn ask(context: &Context<'_>, what: &str, which: usize) -> anyhow::Result<()> {
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

const HOOKS: [[Hook; 3]; 4] = [
    [gate::<0>, leave::<0>, rejoin::<0>],
    [gate::<1>, leave::<1>, rejoin::<1>],
    [gate::<2>, leave::<2>, rejoin::<2>],
    [gate::<3>, leave::<3>, rejoin::<3>],
];

static LINKS: [Link; LONGEST] = [
    Link(0),
    Link(1),
    Link(2),
    Link(3),
    Link(4),
    Link(5),
    Link(6),
    Link(7),
    Link(8),
    Link(9),
    Link(10),
    Link(11),
    Link(12),
    Link(13),
];

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
