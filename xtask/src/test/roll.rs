//! The roll: a herd with more hosts of each role than may be out of load at once goes from what was told last to the newest
//! link, over real git, and takes turns as it will where it counts.
//!
//! A herd that came through is kept whole: the disks of all machines at one moment, and the operator's key. The next roll with
//! the same links behind it begins there, as hosts in production begin where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::time::Duration;

use serde::Serialize;
use wb_core::chain::{Chain, Link, Sha1};
use wb_core::change::{Manifest, Member};
use wb_core::plan::{Course, Past};
use wb_core::pool::Pool;
use wb_core::runner::with_causes;
use wb_core::system::clock::Stopwatch;
use wb_core::system::files;

use super::cast::{Player, SUBNET};
use super::diary::Diary;
use super::judge::Difference;
use super::outcome::{Check, Tested, Verdict};
use super::patience::Patience;
use super::rehearsal::Rehearsal;
use super::{Event, TestError, crowd, drive};
use crate::at_once;
use crate::deploy::aim::Aim;
use crate::deploy::{DeployError, Origin, Request};
use crate::fleet::Fleet;
use crate::git::{WorkTree, git};
use crate::operator::{self, Operator, OperatorError, SIGNERS_FILE};
use crate::shell::Shell;
use crate::stage::{Keys, Machines, Setting, Stage, StageError, herd_toml};
use crate::status::HerdStatus;

/// A roll.
#[derive(Debug, Clone, Copy)]
pub struct Roll<'a> {
    /// The fleet, of which all is committed.
    pub fleet: &'a Fleet,
    /// Where the runner lies that ships.
    pub runner: &'a Path,
    /// What it says, and what hosts are made of.
    pub rehearsal: &'a Rehearsal,
    /// Who rolls.
    pub players: &'a [Player],
    /// Whether no herd that was kept is used.
    pub from_scratch: bool,
    /// Whether a herd that did not come through stays.
    pub keep: bool,
    /// Where sandboxes have their disks.
    pub place: &'a Path,
    /// Where it is written down.
    pub diary: &'a Diary,
    /// Who hears of each check.
    pub told: &'a Sender<Event>,
}

/// A herd that is on, and has been told nothing yet.
#[derive(Debug)]
pub struct Opened {
    stage: Stage,
    legs: Vec<Leg>,
    /// What it is kept under once it came through.
    key: Option<String>,
}

/// A herd that was kept.
struct Base {
    /// The place of the link that it is at.
    at: usize,
    disks: BTreeMap<String, PathBuf>,
}

/// A way that the herd is told to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Leg {
    /// The place of the link behind all hosts; nothing: they are new.
    from: Option<usize>,
    /// That of the last link.
    to: usize,
}

/// What is written down beside a herd that is kept.
#[derive(Debug, Serialize)]
struct About<'a> {
    host: String,
    link: &'a Link,
    hosts: Vec<&'a str>,
}

/// How often hosts look at the remote at most, and at least, in milliseconds.
const POLLS: (usize, usize) = (300, 1000);

/// So many hosts at most look at the remote in a second, as long as each may look seldom enough.
const LOOKS: usize = 10;

/// However often somebody comes further, a roll ends then.
const LONGEST: Duration = Duration::from_secs(4 * 60 * 60);

impl Roll<'_> {
    /// Boots the herd that is to roll. Until that is known to be of use, it costs little; nothing, where it is not wanted any
    /// more once its machines are up.
    ///
    /// # Errors
    /// When it can't be had.
    pub fn open(&self, is_wanted: &dyn Fn() -> bool) -> Result<Option<Opened>, TestError> {
        let chain = &self.rehearsal.says.chain;
        let (mut keys, target) = (self.keys(), target(chain, self.told_last()));
        let base = target.filter(|_| !self.from_scratch).and_then(|target| self.base(&keys, target));
        let legs = legs(chain.links().len(), target, base.as_ref().map(|base| base.at));
        let stage = self.stage(base, is_wanted)?;
        Ok(stage.map(|stage| Opened { stage, legs, key: keys.pop() }))
    }

    /// Rolls, and tells what came of it.
    ///
    /// # Errors
    /// When the herd can't be asked, or told something.
    pub fn hold(&self, opened: Opened) -> Result<(), TestError> {
        let Opened { stage, legs, key } = opened;
        self.note_what_is_not_shown();
        let rolled = self.roll(&stage, &legs, &Shell::captured().0);
        let written = self.write_down(&stage);
        match (rolled, key) {
            (Ok(true), Some(key)) => written.and_then(|()| self.preserve(&stage, &key)),
            (Ok(true), None) => written,
            (rolled, _) if self.keep => {
                let left = self.leave(stage);
                rolled.and(written).and(left)
            }
            (rolled, _) => rolled.and(written),
        }
    }

    /// What the fleet's own herd was told last. Where this machine knows nothing of it, as in CI, the remote is asked.
    fn told_last(&self) -> Option<Sha1> {
        told(self.fleet).or_else(|| {
            match ask(self.fleet) {
                Ok(()) | Err(OperatorError::NoRemote) => {}
                Err(error) => self.note(&format!("nobody says what the herd was told last: {}", with_causes(&error))),
            }
            told(self.fleet)
        })
    }

    /// The newest herd that was kept, and is not beyond this place.
    fn base(&self, keys: &[String], most: usize) -> Option<Base> {
        let found = |at: usize| Some(Base { at, disks: self.rehearsal.layers.find_herd(keys.get(at)?)? });
        (0..=most).rev().find_map(found)
    }

    /// What such a herd is kept under after each link.
    fn keys(&self) -> Vec<String> {
        let members: Vec<Member> = self.players.iter().map(Player::member).collect();
        self.rehearsal.keys_of_herd(&drive::json(&("herd", members, poll(self.players.len()), machine())))
    }

    /// Boots it; a new one joins first.
    fn stage(&self, base: Option<Base>, is_wanted: &dyn Fn() -> bool) -> Result<Option<Stage>, TestError> {
        let (stock, bases) = (self.rehearsal.stock(), base.map(|base| base.disks).unwrap_or_default());
        let setting = Setting {
            place: self.place,
            subnet: SUBNET.parse()?,
            image: &self.rehearsal.image,
            stock: &stock,
            players: self.players,
            poll: &poll(self.players.len()),
            bases,
        };
        let (machines, place) = (Machines::boot(&setting, &|line| self.note(line))?, self.place.join("keys"));
        if !is_wanted() {
            return Ok(None);
        }
        let is_new = setting.bases.is_empty();
        let keys = if is_new { Keys::make(&place)? } else { Keys::kept(&setting.bases, &place)? };
        let fleet = self.fleet_of(&machines.remote(), &keys)?;
        let stage = Stage::set(machines, keys, fleet, &files::read(self.runner)?)?;
        if is_new {
            stage.server().git(["config", "core.logAllRefUpdates", "always"])?;
            let names: Vec<&str> = self.players.iter().map(|player| player.name.as_str()).collect();
            stage.join(&names, &Shell::captured().0)?;
        }
        Ok(Some(stage))
    }

    /// A clone of the fleet, whose herd is this one. Its chain is the same.
    fn fleet_of(&self, remote: &str, keys: &Keys) -> Result<Fleet, StageError> {
        let dir = self.place.join("fleet");
        files::remove_tree(&dir)?;
        let clone = self.fleet.work_tree()?.clone_into(&dir)?;
        let crate_dir = dir.join(WorkTree::place_of(&self.fleet.crate_dir)?);
        let fleet = Fleet { crate_dir, ..self.fleet.clone() };
        files::write(fleet.herd_path(), herd_toml(remote, self.players)?, 0o644)?;
        files::write(fleet.crate_dir.join(SIGNERS_FILE), keys.signers(), 0o644)?;
        clone.commit_all("A herd of sandboxes")?;
        Ok(fleet)
    }

    /// Goes all ways, and judges the herd at their end; says whether it came through.
    fn roll(&self, stage: &Stage, legs: &[Leg], shell: &Shell) -> Result<bool, TestError> {
        let (before, mut all_held) = (self.pools(stage)?, true);
        for (gone, leg) in legs.iter().enumerate() {
            let Some(status) = self.go(stage, self.link(leg.to), shell)? else {
                legs[gone + 1..].iter().for_each(|leg| self.tell_not_run(self.link(leg.to)));
                return Ok(false);
            };
            all_held &= self.once(stage, *leg);
            if gone + 1 == legs.len() {
                let (places, specs) = (self.places(stage, &status, &before)?, self.specs(stage)?);
                all_held &= places && specs;
            }
        }
        Ok(all_held)
    }

    /// Tells the herd to go to a link, and waits until all are there. Nothing where they don't all come.
    fn go(&self, stage: &Stage, link: &Link, shell: &Shell) -> Result<Option<HerdStatus>, TestError> {
        let (watch, mut patience) = (Stopwatch::start(), Patience::begin());
        let aim = Aim { until: Some(link.name.clone()), ..Aim::default() };
        let runner = Origin::Given(self.runner.to_owned());
        let request = Request { aim, runner, untested: true, ..Request::default() };
        let mut seen = |status: &HerdStatus| patience.judge(status);
        let gone = stage.deploy(&request, shell).and_then(|_| stage.until(link.sha1, LONGEST, &mut seen));
        let (arrived, verdict) = match gone {
            Ok(status) => (Some(status), Verdict::Passed),
            Err(error) => (None, Verdict::from(difference(error)?)),
        };
        self.tell(Tested { verdict, seconds: watch.elapsed().as_secs_f64(), ..coming_to(link) });
        Ok(arrived)
    }

    /// Whether each host ran each of its links once, as its log says.
    fn once(&self, stage: &Stage, leg: Leg) -> bool {
        let mut all_held = true;
        for player in self.players {
            let ran = ran(&self.rehearsal.says.chain, &player.roles, leg);
            if !ran.is_empty() {
                let verdict = done_once(&stage.log(&player.name), &ran).into();
                all_held &= self.tell_of(player, "each migration runs once", verdict);
            }
        }
        all_held
    }

    /// Whether no more hosts of a role were out of load at once than may be, as the server saw it.
    fn places(&self, stage: &Stage, status: &HerdStatus, before: &BTreeMap<String, usize>) -> Result<bool, TestError> {
        let mut all_held = true;
        for pool in &status.pools {
            let values = stage.pools(&pool.role)?;
            let new = values.len().saturating_sub(before.get(&pool.role).copied().unwrap_or_default());
            if new > 0 {
                let check = Check::Roll(format!("places of {}", pool.role));
                let verdict = kept_to(pool.limit, &values[..new]).into();
                all_held &= self.tell(Tested { verdict, ..Tested::new(check) });
            }
        }
        Ok(all_held)
    }

    /// Whether all that hosts completed holds.
    fn specs(&self, stage: &Stage) -> Result<bool, TestError> {
        let asked = at_once::each(self.players, |player| stage.verify(&player.name));
        let mut all_held = true;
        for (player, output) in self.players.iter().zip(asked) {
            let output = output?;
            let verdict = match output.code {
                0 => Verdict::Passed,
                _ => Difference::of("`wildebeest verify` says:", [output.text(), output.error_text()]).into(),
            };
            all_held &= self.tell_of(player, "specs hold", verdict);
        }
        Ok(all_held)
    }

    /// How many values each pool had so far.
    fn pools(&self, stage: &Stage) -> Result<BTreeMap<String, usize>, TestError> {
        let count = |role: &String| -> Result<_, TestError> { Ok((role.clone(), stage.pools(role)?.len())) };
        self.rehearsal.says.roles.keys().map(count).collect()
    }

    /// Keeps the herd, for the next roll.
    fn preserve(&self, stage: &Stage, key: &str) -> Result<(), TestError> {
        let (layers, chain) = (&self.rehearsal.layers, &self.rehearsal.says.chain);
        let Some(link) = chain.tip().filter(|_| layers.find_herd(key).is_none()) else { return Ok(()) };
        let hosts: Vec<&str> = self.players.iter().map(|player| player.name.as_str()).collect();
        let about = About { host: format!("a herd of {}", hosts.len()), link, hosts };
        Ok(stage.keep(layers, key, &about)?)
    }

    /// Leaves it running, and says how to look at it.
    fn leave(&self, stage: Stage) -> Result<(), TestError> {
        stage.leave_running()?;
        for player in self.players {
            drop(self.told.send(Event::Kept(player.enter(self.place))));
        }
        Ok(())
    }

    fn write_down(&self, stage: &Stage) -> Result<(), TestError> {
        for Player { name, .. } in self.players {
            self.diary.write(name, &format!("== in the roll\n{}\n", stage.log(name)))?;
        }
        Ok(())
    }

    fn note_what_is_not_shown(&self) {
        let roles = crowd::beyond(self.players, &self.rehearsal.says.roles);
        if !roles.is_empty() {
            let (count, roles) = (self.players.len(), roles.join(", "));
            self.note(&format!("a herd of {count} does not come to how many may be out of load at once as {roles}"));
        }
    }

    fn link(&self, place: usize) -> &Link {
        &self.rehearsal.says.chain.links()[place]
    }

    fn tell_of(&self, player: &Player, what: &str, verdict: Verdict) -> bool {
        let Player { name: host, roles, .. } = player.clone();
        self.tell(Tested { host, roles, verdict, ..Tested::new(Check::Roll(what.to_owned())) })
    }

    fn tell_not_run(&self, link: &Link) {
        let why = "the herd did not come there".to_owned();
        self.tell(Tested { verdict: Verdict::NotRun { why }, ..coming_to(link) });
    }

    /// Hands on a check; says whether it held.
    fn tell(&self, tested: Tested) -> bool {
        let held = !matches!(tested.verdict, Verdict::Failed { .. });
        // Who does not listen any more has an error of its own.
        drop(self.told.send(Event::Tested(Box::new(tested))));
        held
    }

    fn note(&self, what: &str) {
        drop(self.told.send(Event::Note(what.to_owned())));
    }
}

/// How often so many hosts look at the remote: a few may do that often, and many would keep this machine from all else.
fn poll(hosts: usize) -> String {
    let (shortest, longest) = POLLS;
    format!("{}ms", (hosts * 1000 / LOOKS).clamp(shortest, longest))
}

fn coming_to(link: &Link) -> Tested {
    Tested { link: Some(link.clone()), ..Tested::new(Check::Roll("all come there".to_owned())) }
}

/// What the fleet's own herd was told last, as far as this machine knows. Nobody is asked, and nothing is written.
fn told(fleet: &Fleet) -> Option<Sha1> {
    let here = operator::place(&fleet.work_tree().ok()?).ok()?;
    let manifest = git(&here).args(["cat-file", "blob", "refs/seen/changes:manifest.json"]).read().ok()?;
    Manifest::decode(&manifest).ok()?.target
}

/// Asks the remote what the herd was told. What root writes into somebody's repository is theirs.
fn ask(fleet: &Fleet) -> Result<(), OperatorError> {
    let asked = Operator::of(fleet)?.fetch();
    let tree = fleet.work_tree()?;
    let place = operator::place(&tree)?;
    tree.give_back(place.parent().unwrap_or(&place))?;
    asked
}

/// The place from where the herd is to roll: of what was told, or, where that is not known or is all, of the link before the
/// newest.
fn target(chain: &Chain, told: Option<Sha1>) -> Option<usize> {
    let last = chain.links().len().checked_sub(1)?;
    told.and_then(|told| chain.position(told)).filter(|place| *place < last).or(last.checked_sub(1))
}

/// The ways of a herd that is at a link, or new: to the target, and from there to the last of so many links.
fn legs(links: usize, target: Option<usize>, at: Option<usize>) -> Vec<Leg> {
    let stops = target.filter(|target| Some(*target) != at).into_iter().chain(links.checked_sub(1));
    stops.scan(at, |from, to| Some(Leg { from: from.replace(to), to })).collect()
}

/// The links that a host of these roles runs on a way.
fn ran<'c>(chain: &'c Chain, roles: &BTreeSet<String>, leg: Leg) -> Vec<&'c Link> {
    let links = chain.links();
    let past = Past::told_by(chain, roles, leg.from.map(|from| links[from].sha1));
    let course = Course::along(chain, Some(links[leg.to].sha1), roles, &past);
    let ahead = &links[leg.from.map_or(0, |from| from + 1)..=leg.to];
    ahead.iter().filter(|link| course.runs(link)).collect()
}

fn done_once(log: &str, ran: &[&Link]) -> Result<(), Difference> {
    let times = ran.iter().map(|link| (link, log.matches(&format!("done {link}")).count()));
    let wrong = times.filter(|(_, times)| *times != 1).map(|(link, times)| format!("{link}: {times} times"));
    let wrong: Vec<String> = wrong.collect();
    if wrong.is_empty() { Ok(()) } else { Err(Difference::of("its log says how often it was done with:", wrong)) }
}

fn kept_to(limit: usize, pools: &[Pool]) -> Result<(), Difference> {
    let names = |pool: &Pool| pool.holders.iter().map(|claim| claim.host.as_str()).collect::<Vec<_>>().join(", ");
    let over: Vec<String> = pools.iter().filter(|pool| pool.holders.len() > limit).map(names).collect();
    let heading = || format!("{limit} of them may be out of load at once, and these were:");
    if over.is_empty() { Ok(()) } else { Err(Difference::of(heading(), over)) }
}

/// What a herd says that does not come through. What else fails is not the herd's.
fn difference(error: StageError) -> Result<Difference, StageError> {
    match error {
        StageError::Host { host, why, log } => {
            let fallen = Difference::of("a host fails, and the others go no further:", [format!("{host}: {why}")]);
            Ok(fallen.and(Difference::of(format!("the log of {host} ends with:"), [log])))
        }
        StageError::Late { seconds, status, .. } | StageError::Still { seconds, status } => {
            Ok(Difference::of(format!("they did not all come there; after {seconds} s:"), [status]))
        }
        StageError::Deploy(error) => match *error {
            DeployError::Refused(refusals) => Ok(Difference::of("the deploy is refused:", refusals)),
            error => Err(error.into()),
        },
        error => Err(error),
    }
}

/// What tells this machine from others. Hosts take disks of another one for copies, and begin nothing.
fn machine() -> String {
    let read = |name: &str| {
        let text = files::read_optional(Path::new("/sys/class/dmi/id").join(name)).ok().flatten();
        String::from_utf8_lossy(&text.unwrap_or_default()).trim().to_owned()
    };
    ["product_uuid", "board_serial"].map(read).join(" ")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use wb_core::chain::Digest;
    use wb_core::pool::Claim;

    use super::*;

    /// A chain of links of these roles.
    fn chain(roles: &[&str]) -> Chain {
        let link =
            |(role, n): (&&str, u8)| Link::new(format!("m{n}"), Sha1::from_bytes([n; 20]), *role, Digest::of(&[n]));
        Chain::new(roles.iter().zip(1..).map(link).collect()).unwrap()
    }

    #[test]
    fn a_roll_begins_before_the_newest_link_or_where_all_were_told_to_be() {
        let check = |links: &[&str], told: Option<u8>, expect| {
            let told = told.map(|n| Sha1::from_bytes([n; 20]));
            assert_eq!(target(&chain(links), told), expect, "{links:?} {told:?}");
        };
        check(&[], None, None);
        check(&["web"], None, None);
        check(&["web"; 3], None, Some(1));
        check(&["web"; 3], Some(1), Some(0));
        check(&["web"; 3], Some(3), Some(1));
        check(&["web"; 3], Some(9), Some(1));
    }

    #[test]
    fn the_remote_knows_what_was_told_where_nobody_here_does() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (package, binary) = ("migrations".to_owned(), "wildebeest".to_owned());
        let fleet = Fleet { crate_dir: here.path().to_owned(), package, binary };
        WorkTree::create(here.path()).unwrap();
        files::write(fleet.herd_path(), "", 0o644).unwrap();
        assert!(matches!(ask(&fleet), Err(OperatorError::NoRemote)));

        let (chain, remote) = (chain(&["web", "web"]), there.path().join("herd.git"));
        let target = chain.links()[0].sha1;
        let manifest = Manifest { target: Some(target), chain, ..Manifest::default() };
        files::write(there.path().join("manifest.json"), manifest.encode(), 0o644).unwrap();
        WorkTree::create(there.path()).unwrap().commit_all("Told").unwrap();
        let in_git = |words: &[&str], last: &str| git(there.path()).args(words).arg(&remote).arg(last).read().unwrap();
        in_git(&["init", "--quiet", "--bare"], "--initial-branch=main");
        in_git(&["push", "--quiet"], "HEAD:refs/wildebeest/changes");
        let herd = format!("[herd]\nremote = \"{}\"\n", remote.display());
        files::write(fleet.herd_path(), herd, 0o644).unwrap();
        assert_eq!(told(&fleet), None);
        ask(&fleet).unwrap();
        assert_eq!(told(&fleet), Some(target));
    }

    #[test]
    fn the_more_hosts_there_are_the_less_often_each_looks() {
        let check = |hosts, expect: &str| assert_eq!(poll(hosts), expect, "{hosts}");
        check(0, "300ms");
        check(3, "300ms");
        check(6, "600ms");
        check(10, "1000ms");
        check(40, "1000ms");
    }

    #[test]
    fn a_herd_goes_to_the_target_and_from_there_to_the_end() {
        let check = |target, at, expect: &[(Option<usize>, usize)]| {
            let legs: Vec<_> = legs(5, target, at).into_iter().map(|leg| (leg.from, leg.to)).collect();
            assert_eq!(legs, expect, "{target:?} {at:?}");
        };
        check(Some(3), None, &[(None, 3), (Some(3), 4)]);
        check(Some(3), Some(3), &[(Some(3), 4)]);
        check(Some(3), Some(1), &[(Some(1), 3), (Some(3), 4)]);
        check(None, None, &[(None, 4)]);
        assert_eq!(legs(0, None, None), []);
    }

    #[test]
    fn hosts_run_the_links_of_their_roles() {
        let chain = chain(&["web", "database", "web", "web"]);
        let check = |from, to, expect: &[&str]| {
            let ran = ran(&chain, &["web".to_owned()].into(), Leg { from, to });
            assert_eq!(ran.iter().map(|link| link.name.as_str()).collect::<Vec<_>>(), expect, "{from:?} {to}");
        };
        check(None, 3, &["m1", "m3", "m4"]);
        check(None, 1, &["m1"]);
        check(Some(1), 2, &["m3"]);
        check(Some(0), 1, &[]);
    }

    #[test]
    fn a_log_says_that_each_was_done_once() {
        let chain = chain(&["web", "web"]);
        let links: Vec<&Link> = chain.links().iter().collect();
        let check = |log: &str, expect: &str| {
            let said = done_once(log, &links).map_or_else(|difference| difference.lines.join(";"), |()| "ok".into());
            assert_eq!(said, expect, "{log}");
        };
        let (one, two) = ("12:00 done `m1` (0101010)\n", "12:01 done `m2` (0202020)\n");
        let heading = "its log says how often it was done with:;";
        check(&format!("{one}{two}"), "ok");
        check(one, &format!("{heading}  `m2` (0202020): 0 times"));
        check(&format!("{one}{two}{one}"), &format!("{heading}  `m1` (0101010): 2 times"));
    }

    #[test]
    fn no_more_may_be_out_than_the_limit() {
        let claim = |host: &&str| Claim { host: (*host).to_owned(), uuid: Uuid::nil(), nonce: Uuid::nil(), since: 0 };
        let pool = |hosts: &[&str]| Pool { holders: hosts.iter().map(claim).collect(), ..Pool::default() };
        let check = |limit, expect: &str| {
            let pools = [pool(&[]), pool(&["web1", "web2"]), pool(&["web1"])];
            let said = kept_to(limit, &pools).map_or_else(|difference| difference.to_string(), |()| "ok".into());
            assert_eq!(said, expect);
        };
        check(2, "ok");
        check(1, "1 of them may be out of load at once, and these were:\n  web1, web2");
    }

    #[test]
    fn what_a_herd_says_is_a_difference() {
        let check = |error: StageError, expect: &str| assert_eq!(difference(error).unwrap().to_string(), expect);
        let fallen = "a host fails, and the others go no further:\n  web2: no\nthe log of web2 ends with:\n  a\n  b";
        check(StageError::Host { host: "web2".into(), why: "no".into(), log: "a\nb".into() }, fallen);
        let late = "they did not all come there; after 9 s:\n  web1 waits";
        check(StageError::Still { seconds: 9, status: "web1 waits".into() }, late);
        let refused = DeployError::Refused(Vec::new());
        check(refused.into(), "the deploy is refused:");
        assert!(difference(StageError::NoHost { name: "web9".into() }).is_err());
    }
}
