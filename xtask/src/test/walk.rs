//! The walk: all players go along the chain together, link by link, so that a link finds the others as far as it is itself.
//!
//! What a player has on its disk after a link is kept as a layer. The next walk begins at the newest link after which
//! all players have one, and says of the links before what was found then. A link that is run anew has no layer until
//! it has passed again, and one that does not hold what it promised makes place for another one: nobody is told that
//! all is well on the word of a test that has been proved wrong since.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::mpsc::Sender;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wb_core::chain::{Chain, Digest, Link};
use wb_core::plan::{Course, Past};
use wb_core::system::clock::{Clock as _, Real, Stopwatch};

use super::cast::Player;
use super::diary::Diary;
use super::drive::{Driver, Heard};
use super::key::{Ground, Ran, keys};
use super::link::Trial;
use super::outcome::{Check, Tested, Verdict};
use super::scene::{Bases, Props, Scene};
use super::{Event, TestError};
use crate::at_once;
use crate::sandbox::{Layer, Layers};

/// What a player does.
#[derive(Debug, Clone, PartialEq)]
pub struct Part<'a> {
    /// Who.
    pub player: &'a Player,
    /// The links that it runs, by their place in the chain.
    pub runs: Vec<usize>,
    /// The keys of the layers after each of them.
    pub keys: Vec<String>,
}

/// A walk along the chain.
#[derive(Debug, Clone, Copy)]
pub struct Walk<'a> {
    /// What hosts have.
    pub props: Props<'a>,
    /// The runner.
    pub runner: &'a [u8],
    /// Which one that is.
    pub actor: Actor,
    /// Who does what.
    pub parts: &'a [Part<'a>],
    /// The links, from the first one to the last that is tested.
    pub links: &'a [Link],
    /// The first link that is to be tested anew, by its place, even where there are layers after it.
    pub most: usize,
    /// Why links may change something when they are run once more, by their names.
    pub reruns: &'a BTreeMap<String, String>,
    /// Where disks are kept.
    pub layers: &'a Layers,
    /// How many hosts may act at once.
    pub jobs: usize,
    /// Where sandboxes have their disks.
    pub place: &'a Path,
    /// Where it is written down.
    pub diary: &'a Diary,
    /// Who hears of each check.
    pub told: &'a Sender<Event>,
}

/// A link that a player passed in this walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Which of the parts.
    pub part: usize,
    /// The place of the link.
    pub place: usize,
}

/// Who runs links on hosts. What it leaves on their disks is the same; what it says of the runner that ships is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// The runner that ships.
    Runner,
    /// Its twin, which goes on from what either of them left, and keeps what it comes to for itself.
    Twin,
}

impl Actor {
    /// What a disk is kept under that has this key.
    fn keeps(self, key: &str) -> String {
        match self {
            Self::Runner => key.to_owned(),
            Self::Twin => format!("twin-{key}"),
        }
    }

    /// All that a disk may be kept under which it goes on from, the best first.
    fn takes(self, key: &str) -> Vec<String> {
        match self {
            Self::Runner => vec![Self::Runner.keeps(key)],
            Self::Twin => [Self::Runner, Self::Twin].map(|actor| actor.keeps(key)).into(),
        }
    }
}

/// What is written down beside a layer.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct About {
    host: String,
    roles: BTreeSet<String>,
    link: Link,
    results: Vec<Tested>,
}

impl About {
    /// What stands beside a layer, where it says what was found then: another version may have written it.
    fn of(layer: Layer) -> Option<Self> {
        let about: Self = serde_json::from_value(layer.about).ok()?;
        (!about.results.is_empty()).then_some(about)
    }
}

impl<'a> Part<'a> {
    /// What a player does on the way to `goal`, which is a new host; `helpers` says what of the crate a link calls.
    #[must_use]
    pub fn of(
        player: &'a Player,
        chain: &Chain,
        goal: Option<&Link>,
        ground: &Ground<'_>,
        helpers: &dyn Fn(&Link) -> Option<Digest>,
    ) -> Self {
        let (links, goal, past) = (chain.links(), goal.map(|link| link.sha1), Past::default());
        let all_roles: BTreeSet<String> = links.iter().map(|link| link.role.clone()).collect();
        let course_of = |roles| Course::along(chain, goal, roles, &past);
        let (own, all) = (course_of(&player.roles), course_of(&all_roles));
        let runs = (0..links.len()).filter(|place| own.runs(&links[*place])).collect();
        let ran = links.iter().filter(|link| all.runs(link));
        let ran = ran.map(|link| Ran { link, here: own.runs(link), helpers: helpers(link) });
        let keys = keys(ground, &ran.collect::<Vec<_>>());
        Self { player, runs, keys }
    }

    /// Whether all that it runs before this place has its code still.
    fn can_be_repeated(&self, links: &[Link], place: usize) -> bool {
        self.runs.iter().take_while(|run| **run < place).all(|run| !links[*run].gone)
    }

    /// Whether it runs the link at this place.
    #[must_use]
    pub fn has(&self, place: usize) -> bool {
        self.runs.binary_search(&place).is_ok()
    }

    /// The key of the layer that it has before this place; none before its first link.
    #[must_use]
    pub fn before(&self, place: usize) -> Option<&str> {
        let count = self.runs.partition_point(|run| *run < place);
        Some(self.keys.get(count.checked_sub(1)?)?)
    }
}

const DOES_NOT_LAST: &str = "what a link starts by hand is gone after a boot, and a service that is enabled is not";

/// Why nobody knows what was found.
const LOST: &str = "what was found then is not there any more";

/// How many of these links all players have behind them, on layers that there are: as many as can be, and at most so
/// many. There are to be all layers before, too: each says what was found then. Only what can't be found anew is done
/// without.
fn start(parts: &[Part<'_>], links: &[Link], most: usize, is_there: impl Fn(&str) -> bool) -> usize {
    let first_without = |part: &Part<'_>| {
        let mut own = part.runs.iter().zip(&part.keys).filter(|(place, _)| **place < most);
        own.find(|(place, key)| !links[**place].gone && !is_there(key.as_str())).map(|(place, _)| *place)
    };
    let most = parts.iter().filter_map(first_without).min().unwrap_or(most);
    let all_there = |place: &usize| parts.iter().all(|part| part.before(*place).is_none_or(&is_there));
    (0..=most).rev().find(all_there).unwrap_or(0)
}

/// What all specs say on a host that has just booted: a server may be there before it answers.
fn settled(driver: Driver<'_>) -> Result<Heard, TestError> {
    const PATIENCE: Duration = Duration::from_secs(15);
    const LONGEST: Duration = Duration::from_secs(1);
    let (watch, mut pause) = (Stopwatch::start(), Duration::from_millis(200));
    loop {
        let heard = driver.specs(None)?;
        if heard.error().is_none() || watch.elapsed() > PATIENCE {
            return Ok(heard);
        }
        Real.sleep(pause);
        pause = (2 * pause).min(LONGEST);
    }
}

impl<'a> Walk<'a> {
    /// Walks; gives the scene as it is then, and what was passed on the way.
    ///
    /// # Errors
    /// When hosts can't be had or driven.
    pub fn walk(&self) -> Result<(Scene<'a>, Vec<Step>), TestError> {
        self.walk_calling(&mut || {})
    }

    /// As [`Walk::walk`]; before the last link is tested, if all went well until then, `last` is called, for whoever
    /// has something to prepare meanwhile.
    ///
    /// # Errors
    /// As [`Walk::walk`].
    pub fn walk_calling(&self, last: &mut dyn FnMut()) -> Result<(Scene<'a>, Vec<Step>), TestError> {
        let (scene, start) = self.begin()?;
        self.tell_of_layers(start);
        let (mut passed, mut failed) = (Vec::new(), BTreeSet::<usize>::new());
        let mut newest: Vec<Option<Layer>> = self.parts.iter().map(|part| self.layer(part.before(start))).collect();
        for place in start..self.links.len() {
            if place + 1 == self.links.len() && failed.is_empty() {
                last();
            }
            let acting = (0..self.parts.len()).filter(|part| self.parts[*part].has(place) && !failed.contains(part));
            let acting: Vec<usize> = acting.collect();
            let act = |part: usize| self.one(&scene, &self.parts[part], place, newest[part].as_ref());
            let ended = at_once::at_most(self.jobs, acting.iter().copied(), act);
            for (part, layer) in acting.into_iter().zip(ended) {
                if let Some(layer) = layer? {
                    newest[part] = Some(layer);
                    passed.push(Step { part, place });
                } else {
                    failed.insert(part);
                    self.tell_of_the_rest(&self.parts[part], place);
                }
            }
        }
        scene.keep_packages()?;
        Ok((scene, passed))
    }

    /// The disks that players have before this place. Who has none there, or not any more, begins with the image.
    #[must_use]
    pub fn bases(&self, place: usize) -> Bases {
        let base = |part: &Part<'_>| Some((part.player.name.clone(), self.layer(part.before(place))?.root));
        self.parts.iter().filter_map(base).collect()
    }

    /// The disks that players have before this place; nothing where one is not there that should be: its host would
    /// begin with less than it seems to have.
    #[must_use]
    pub fn all_bases(&self, place: usize) -> Option<Bases> {
        Some(self.bases(place)).filter(|bases| bases.len() == self.on_layers(place).len())
    }

    /// Whether all players have passed all their links, now or in an earlier walk. Who failed at one may have a layer
    /// after a later one, of another day.
    #[must_use]
    pub fn all_came_through(&self) -> bool {
        let (all, is_there) = (self.links.len(), |key: &str| self.layer(Some(key)).is_some());
        start(self.parts, self.links, all, is_there) == all
    }

    /// Says something to know.
    pub fn note(&self, what: impl Into<String>) {
        // Who does not listen any more has an error of its own.
        drop(self.told.send(Event::Note(what.into())));
    }

    /// Who boots from layers must still hold what was promised there; where that is not so, it goes on from older ones.
    fn begin(&self) -> Result<(Scene<'a>, usize), TestError> {
        let mut doubted = BTreeSet::<String>::new();
        loop {
            let is_there = |key: &str| !doubted.contains(key) && self.about(Some(key)).is_some();
            let start = start(self.parts, self.links, self.most, is_there);
            // Another process may have done without one meanwhile.
            let Some(bases) = self.all_bases(start) else { continue };
            let say = |line: &str| self.note(line);
            let scene = Scene::open(self.props, self.runner, &bases, self.place, self.diary.clone(), &say)?;
            let doubts = self.doubts(&scene, self.on_layers(start))?;
            if doubts.is_empty() {
                return Ok((scene, start));
            }
            // No host runs on any of them from here on.
            drop(scene);
            for (part, key) in doubts {
                self.do_without(part, key, start)?;
                doubted.insert(key.to_owned());
            }
        }
    }

    /// Who has run something before this place, with the key of the layer after it.
    fn on_layers(&self, place: usize) -> Vec<(&Part<'_>, &str)> {
        self.parts.iter().filter_map(|part| Some((part, part.before(place)?))).collect()
    }

    /// Those whose layers do not hold what they did.
    fn doubts<'p>(
        &self,
        scene: &Scene<'_>,
        on_layers: Vec<(&'p Part<'p>, &'p str)>,
    ) -> Result<Vec<(&'p Part<'p>, &'p str)>, TestError> {
        let asked = at_once::at_most(self.jobs, on_layers, |(part, key)| -> Result<_, TestError> {
            let heard = settled(scene.driver(part.player)?)?;
            let broken = heard.answers.iter().filter(|answer| answer.error.is_some());
            let broken: Vec<String> = broken.map(|answer| format!("`{}`", answer.spec)).collect();
            let Some(error) = heard.error() else { return Ok(None) };
            let (name, what) = (&part.player.name, if broken.is_empty() { error } else { broken.join(", ") });
            self.note(format!("{name} boots from its layer and does not hold {what}: it goes back; {DOES_NOT_LAST}"));
            Ok(Some((part, key)))
        });
        let doubts = asked.into_iter().collect::<Result<Vec<_>, TestError>>()?;
        Ok(doubts.into_iter().flatten().collect())
    }

    /// Lets a layer go that does not hold, so that another one can take its place. What can't be made anew stays: a
    /// baseline is held against what hosts came to whose links have no code any more.
    fn do_without(&self, part: &Part<'_>, key: &str, start: usize) -> Result<(), TestError> {
        match self.layer(Some(key)).filter(|_| part.can_be_repeated(self.links, start)) {
            Some(layer) => Ok(self.layers.forget(&layer.key)?),
            None => Ok(()),
        }
    }

    /// One link on one host; the layer after it, where all is well. What is tested anew has none until then.
    fn one(
        &self,
        scene: &Scene<'_>,
        part: &Part<'_>,
        place: usize,
        before: Option<&Layer>,
    ) -> Result<Option<Layer>, TestError> {
        let (player, link) = (part.player, &self.links[place]);
        let Some(key) = part.before(place + 1).map(|key| self.actor.keeps(key)) else { return Ok(None) };
        // A link whose code is gone is not run, and its layer is the last of its kind.
        if !link.gone {
            self.layers.forget(&key)?;
        }
        let rerun = self.reruns.get(&link.name).map(String::as_str);
        let driver = scene.driver(player)?;
        let results = Trial { driver, player, link, rerun, told: self.told }.hold()?;
        if results.iter().any(|tested| matches!(tested.verdict, Verdict::Failed { .. })) {
            return Ok(None);
        }
        let (host, roles, link) = (player.name.clone(), player.roles.clone(), link.clone());
        let about = About { host, roles, link, results };
        Ok(Some(self.layers.keep(driver.host, &key, before, &about)?))
    }

    fn layer(&self, key: Option<&str>) -> Option<Layer> {
        self.actor.takes(key?).iter().find_map(|key| self.layers.find(key))
    }

    fn about(&self, key: Option<&str>) -> Option<About> {
        About::of(self.layer(key)?)
    }

    /// What was found when the layers were made. Of what can't be read nobody knows whether it passed.
    fn tell_of_layers(&self, start: usize) {
        for place in 0..start {
            for part in self.parts.iter().filter(|part| part.has(place)) {
                let unknown = || vec![self.not_run(part, place, LOST)];
                let results = self.about(part.before(place + 1)).map_or_else(unknown, |about| about.results);
                for tested in results {
                    self.tell(Tested { from_layer: true, ..tested });
                }
            }
        }
    }

    /// What a player that failed does not come to.
    fn tell_of_the_rest(&self, part: &Part<'_>, failed: usize) {
        let why = format!("{} failed at `{}`", part.player.name, self.links[failed].name);
        let rest = part.runs.iter().filter(|place| (failed + 1..self.links.len()).contains(*place));
        for place in rest {
            self.tell(self.not_run(part, *place, &why));
        }
    }

    fn not_run(&self, part: &Part<'_>, place: usize, why: &str) -> Tested {
        let Player { name: host, roles, .. } = part.player.clone();
        let (link, verdict) = (Some(self.links[place].clone()), Verdict::NotRun { why: why.to_owned() });
        Tested { host, roles, link, verdict, ..Tested::new(Check::Run) }
    }

    fn tell(&self, tested: Tested) {
        drop(self.told.send(Event::Tested(Box::new(tested))));
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use wb_core::chain::Sha1;

    use super::*;

    fn player(name: &str, roles: &[&str]) -> Player {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        Player { name: name.into(), roles, address: Ipv4Addr::LOCALHOST, settings: serde_json::Map::new() }
    }

    /// A chain of links of these roles.
    fn chain(roles: &[&str]) -> Chain {
        let link =
            |(role, n): (&&str, u8)| Link::new(format!("m{n}"), Sha1::from_bytes([n; 20]), *role, Digest::of(&[n]));
        Chain::new(roles.iter().zip(1..).map(link).collect()).unwrap()
    }

    fn part<'a>(player: &'a Player, chain: &Chain) -> Part<'a> {
        let ground = Ground { image: "i", wildebeest: "w", script: &player.name };
        Part::of(player, chain, chain.tip(), &ground, &|_| None)
    }

    #[test]
    fn a_player_runs_the_links_of_its_roles() {
        let (web, chain) = (player("web1", &["web", "server"]), chain(&["server", "database", "web"]));
        let part = part(&web, &chain);
        assert_eq!((&part.runs[..], part.keys.len()), (&[0, 2][..], 2));
        assert_eq!([0, 1, 2, 3].map(|place| part.has(place)), [true, false, true, false]);
        let keys = [None, Some(&*part.keys[0]), Some(&*part.keys[0]), Some(&*part.keys[1])];
        assert_eq!([0, 1, 2, 3].map(|place| part.before(place)), keys);
    }

    #[test]
    fn what_others_ran_before_counts() {
        let (web, all) = (player("web1", &["web"]), chain(&["web", "database", "web"]));
        let own = Chain::new(vec![all.links()[0].clone(), all.links()[2].clone()]).unwrap();
        let [with, without] = [&all, &own].map(|chain| part(&web, chain).keys);
        assert_eq!((with.len(), &with[0]), (2, &without[0]));
        assert_ne!(with[1], without[1]);
    }

    #[test]
    fn what_has_no_code_any_more_can_not_be_repeated() {
        let (web, chain) = (player("web1", &["web"]), chain(&["web", "database", "web", "web"]));
        let (part, mut links) = (part(&web, &chain), chain.links().to_vec());
        let check = |links: &[Link], expect: [bool; 4]| {
            assert_eq!([0, 1, 3, 4].map(|place| part.can_be_repeated(links, place)), expect);
        };
        links[1].gone = true;
        check(&links, [true, true, true, true]);
        links[2].gone = true;
        check(&links, [true, true, false, false]);
        links[0].gone = true;
        check(&links, [true, false, false, false]);
    }

    #[test]
    fn a_test_takes_nothing_from_what_the_twin_did() {
        let check = |actor: Actor, keeps: &str, takes: &[&str]| {
            assert_eq!(actor.keeps("ab"), keeps);
            assert_eq!(actor.takes("ab"), takes);
        };
        check(Actor::Runner, "ab", &["ab"]);
        check(Actor::Twin, "twin-ab", &["ab", "twin-ab"]);
    }

    #[test]
    fn a_layer_counts_where_it_says_what_was_found() {
        let link = chain(&["web"]).links()[0].clone();
        let passed = Tested { host: "web1".into(), link: Some(link.clone()), ..Tested::new(Check::Run) };
        let about = About { host: "web1".into(), roles: BTreeSet::new(), link, results: vec![passed] };
        let json = |about: &About| serde_json::to_value(about).unwrap();
        let read = |about| About::of(Layer { key: String::new(), root: "/none".into(), about });
        assert_eq!(read(json(&about)).as_ref(), Some(&about));
        let mut other = json(&about);
        other["results"][0]["check"] = "a check of another version".into();
        assert_eq!(read(other), None);
        assert_eq!(read(json(&About { results: Vec::new(), ..about })), None);
        assert_eq!(read(serde_json::Value::Null), None);
    }

    #[test]
    fn a_walk_begins_where_all_have_layers() {
        let (web, database) = (player("web1", &["web"]), player("db1", &["database"]));
        let chain = chain(&["web", "database", "web"]);
        let parts = [part(&web, &chain), part(&database, &chain)];
        let [first, second] = [&*parts[0].keys[0], &*parts[0].keys[1]];
        let of_database = &*parts[1].keys[0];
        let check = |there: &[&str], most, expect| {
            assert_eq!(start(&parts, chain.links(), most, |key| there.contains(&key)), expect, "{there:?} {most}");
        };
        check(&[], 3, 0);
        check(&[first], 3, 1);
        check(&[first, of_database], 3, 2);
        check(&[first, second, of_database], 3, 3);
        check(&[first, second], 3, 1);
        check(&[of_database, second], 3, 0);
        check(&[of_database, second], 0, 0);
        check(&[of_database], 3, 0);
        check(&[first, second, of_database], 2, 2);
        check(&[first, second, of_database], 0, 0);
    }

    #[test]
    fn what_has_no_code_any_more_is_behind_who_has_a_later_layer() {
        let (web, chain) = (player("web1", &["web"]), chain(&["web", "web", "web"]));
        let (parts, mut links) = ([part(&web, &chain)], chain.links().to_vec());
        (links[0].gone, links[1].gone) = (true, true);
        let check = |there: &[usize], expect| {
            let is_there = |key: &str| there.iter().any(|place| parts[0].keys[*place] == key);
            assert_eq!(start(&parts, &links, 3, is_there), expect, "{there:?}");
        };
        check(&[2], 3);
        check(&[1], 2);
        check(&[0], 1);
        check(&[], 0);
    }
}
