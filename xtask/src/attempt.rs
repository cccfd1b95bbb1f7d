//! A try: the migration that is being written, on real hosts that are where it will find them. Its plan, its run, its
//! specs.
//!
//! Hosts boot on the layers that tests keep, and what runs on them is the runner's twin: the same sources, compiled in a
//! moment. So it takes seconds from a saved file to what it does. What is missing before it, a silent test makes first,
//! and keeps; for that, what nobody used for long makes room.

mod page;
mod tried;
mod watch;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use wb_core::chain::{Link, nearest};
use wb_core::herd::Herd;
use wb_core::registry::resolve;
use wb_core::runner::with_causes;
use wb_core::system::clock::Stopwatch;
use wb_core::system::files;

use crate::at_once;
use crate::build;
use crate::failure::Failure;
use crate::fleet::{self, Fleet};
use crate::foresight;
use crate::named::{Kind, Unknown};
use crate::sandbox::{self, Distribution, Image, Init, cache_dir, scratch_dir};
use crate::shell::Shell;
use crate::test::cast::{self, Player};
use crate::test::diary::Diary;
use crate::test::drive::Driver;
use crate::test::link::{failure, joined, judged};
use crate::test::outcome::{Tested, Verdict};
use crate::test::rehearsal::{Rehearsal, Says};
use crate::test::scene::{Props, Scene, script};
use crate::test::walk::{Actor, Part, Step, Walk};
use crate::test::{Event, TestError};
pub use tried::{Tried, TriedOn};
use watch::Watch;

/// What is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The migration; else the draft.
    pub name: Option<String>,
    /// On hosts with one of these roles; none: on a host for each set of roles.
    pub roles: BTreeSet<String>,
    /// On the host that is like this one.
    pub host: Option<String>,
    /// Whether the hosts stay.
    pub keep: bool,
    /// Whether it is tried again whenever a file of the crate is saved. It does not end by itself then.
    pub watch: bool,
    /// What hosts are.
    pub image: Distribution,
    /// What runs as their process 1.
    pub init: Init,
}

impl Default for Options {
    /// The draft, once, on hosts as those of a test are.
    fn default() -> Self {
        let image = Distribution::Debian12;
        let roles = BTreeSet::new();
        Self { name: None, roles, host: None, keep: false, watch: false, image, init: image.init() }
    }
}

impl Options {
    /// Whether it is to be tried on the host of this player.
    fn want(&self, player: &Player) -> bool {
        let has_role = self.roles.is_empty() || !self.roles.is_disjoint(&player.roles);
        has_role && self.host.as_ref().is_none_or(|host| *host == player.name)
    }
}

/// Why nothing was tried. A migration that fails is none.
#[derive(Debug, thiserror::Error)]
pub enum TryError {
    /// There are no hosts, or nothing to run on them.
    #[error(transparent)]
    Test(#[from] TestError),
    /// There is no migration, or no host, of a name.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// Nobody said which, and all are committed.
    #[error("there is no draft: all migrations are committed")]
    NoDraft,
    /// A baseline stands for it, and its file is not there any more.
    #[error("the code of `{name}` is gone")]
    Gone {
        /// Its name.
        name: String,
    },
    /// Nobody runs it.
    #[error("no host that is tried runs `{name}`")]
    Nobody {
        /// Its name.
        name: String,
    },
    /// Hosts don't come to where it would find them.
    #[error("{check}, which comes before it, fails:\n{what}")]
    Before {
        /// Which check of which migration.
        check: String,
        /// How.
        what: String,
    },
}

/// Tries a migration, and prints what it would do, what it does, and whether its specs hold; says what came of it.
///
/// # Errors
/// When there is nothing to try, or no host to try it on.
pub fn attempt(fleet: &Fleet, options: &Options, shell: &Shell) -> Result<Tried, TryError> {
    sandbox::ready(&scratch_dir("try"), shell).map_err(TestError::from)?;
    let attempt = Attempt { fleet, options, shell };
    let mut watch = Watch::begin(&fleet.crate_dir);
    loop {
        match attempt.stay(&mut watch) {
            tried if !options.watch => return tried,
            Ok(_) => shell.note("what comes before it is another one: other hosts"),
            Err(error) => {
                shell.fail(&Failure::from(error));
                watch.wait();
            }
        }
    }
}

/// What somebody wants tried.
#[derive(Clone, Copy)]
struct Attempt<'a> {
    fleet: &'a Fleet,
    options: &'a Options,
    shell: &'a Shell,
}

/// What is tried on whom.
struct Subject<'a> {
    link: Link,
    players: Vec<&'a Player>,
}

/// How soon it is seen that hosts are there.
const SOON: Duration = Duration::from_millis(20);

impl Attempt<'_> {
    /// Tries it; where it is watched, again and again on the same hosts, until these would be others.
    fn stay(&self, watch: &mut Watch) -> Result<Tried, TryError> {
        let clock = Stopwatch::start();
        self.foresee()?;
        let (twin, image, diary) = self.build()?;
        let rehearsal = self.rehearsal(&twin, image)?;
        let links = rehearsal.says.chain.links();
        let place = chosen(links, self.options.name.as_deref())?;
        let only = BTreeSet::from([links[place].role.clone()]);
        let company = cast::company(&rehearsal.players, &links[..=place], &only);
        let parts = rehearsal.parts(&company, Some(&links[place]));
        let mut subject = self.subject(links, place, &parts)?;
        let (runner, stock) = (files::read(&twin).map_err(TestError::from)?, rehearsal.stock());
        let (told, events) = channel();
        let goal = (place + 1 < links.len()).then_some(links[place].name.as_str());
        let (image, members) = (&rehearsal.image, rehearsal.members.as_slice());
        let walk = Walk {
            props: Props { image, company: &company, members, stock: &stock, goal },
            runner: &runner,
            actor: Actor::Twin,
            parts: &parts,
            links: &links[..place],
            most: place,
            reruns: &rehearsal.says.reruns,
            layers: &rehearsal.layers,
            jobs: thread::available_parallelism().map_or(1, usize::from),
            place: &scratch_dir("try"),
            diary: &diary,
            told: &told,
        };
        let (scene, made) = self.come_there(&walk, &events)?;
        let tried = self.show(&scene, &subject, &clock)?;
        if !made.is_empty()
            && let Err(error) = rehearsal.prune(&parts)
        {
            self.shell.warn(format_args!("could not remove what nobody used for long: {}", with_causes(&error)));
        }
        if !self.options.watch {
            self.close(scene, &company)?;
            return Ok(tried);
        }
        watch.wait();
        while self.again(&walk, &scene, &rehearsal, &mut subject)? {
            watch.wait();
        }
        Ok(tried)
    }

    /// Tries it once more, on hosts that are as they were; `false` where they would be others by now.
    fn again(
        &self,
        walk: &Walk<'_>,
        scene: &Scene<'_>,
        before: &Rehearsal,
        subject: &mut Subject<'_>,
    ) -> Result<bool, TryError> {
        let clock = Stopwatch::start();
        let twin = match build::probe(self.fleet, self.shell) {
            Ok(twin) => twin.path,
            Err(error) => {
                self.shell.fail(&Failure::from(error));
                return Ok(true);
            }
        };
        let now = self.rehearsal(&twin, before.image.clone())?;
        let place = walk.links.len();
        let Some(link) = same(before, &now, place, self.options.name.as_deref()) else { return Ok(false) };
        subject.link = link.clone();
        let Some(bases) = walk.all_bases(place) else { return Ok(false) };
        let runner = files::read(&twin).map_err(TestError::from)?;
        for player in &subject.players {
            scene.reset(player, bases.get(&player.name).map(PathBuf::as_path))?;
            scene.driver(player)?.equip(&runner, &script(&player.name, &before.members))?;
        }
        self.show(scene, subject, &clock)?;
        Ok(true)
    }

    /// Refuses what the sources say already that there is not, before anything is built.
    fn foresee(&self) -> Result<(), TryError> {
        let herd = self.herd()?;
        let resolved = resolve(&self.fleet.crate_dir).map_err(TestError::from)?;
        foresight::links(&resolved).map_or(Ok(()), |links| can_be_tried(self.options, &herd, links))
    }

    /// The twin, and, meanwhile, what hosts are made of, and where it is written down what they do.
    fn build(&self) -> Result<(PathBuf, Image, Diary), TestError> {
        let ((say, said), crate_dir) = (channel::<String>(), self.fleet.crate_dir.as_path());
        let Options { image, init, .. } = *self.options;
        let prepare = move || {
            let image = Image::of(image, init, &cache_dir(), &|line| drop(say.send(line.to_owned())))?;
            Ok::<_, TestError>((image, diary(crate_dir)?))
        };
        let compile = || {
            let twin = build::probe(self.fleet, self.shell);
            said.into_iter().for_each(|line| self.shell.done("sandbox", line));
            twin
        };
        let (prepared, twin) = at_once::both(prepare, compile);
        let (image, diary) = prepared?;
        Ok((twin?.path, image, diary))
    }

    fn rehearsal(&self, twin: &Path, image: Image) -> Result<Rehearsal, TryError> {
        let (herd, says) = (self.herd()?, Says::of(twin)?);
        Ok(Rehearsal::of(&self.fleet.crate_dir, &herd, says, image)?)
    }

    fn herd(&self) -> Result<Herd, TryError> {
        let herd = self.fleet.herd().map_err(TestError::from)?;
        Ok(with_wanted(herd, self.options.host.as_deref())?)
    }

    fn subject<'p>(&self, links: &[Link], place: usize, parts: &[Part<'p>]) -> Result<Subject<'p>, TryError> {
        let acting = parts.iter().filter(|part| part.has(place)).map(|part| part.player);
        let players: Vec<&'p Player> = acting.filter(|player| self.options.want(player)).collect();
        let link = links[place].clone();
        match players.is_empty() {
            true => Err(TryError::Nobody { name: link.name }),
            false => Ok(Subject { link, players }),
        }
    }

    /// Boots all players where they are before it; says, too, which links they had to run for that.
    fn come_there<'w>(&self, walk: &Walk<'w>, events: &Receiver<Event>) -> Result<(Scene<'w>, Vec<Step>), TryError> {
        let progress = self.shell.begin("hosts that are where it finds them");
        let mut failed = None;
        let mut hear = |event: Event| match event {
            Event::Note(note) => self.shell.note(note),
            Event::Kept(_) => {}
            Event::Tested(tested) if matches!(tested.verdict, Verdict::Failed { .. }) => failed = Some(*tested),
            Event::Tested(tested) if tested.from_layer => {}
            Event::Tested(tested) => progress.at(tested.name()),
        };
        let walked = thread::scope(|scope| {
            let walking = scope.spawn(|| walk.walk());
            while !walking.is_finished() {
                events.recv_timeout(SOON).into_iter().for_each(&mut hear);
            }
            walking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        events.try_iter().for_each(&mut hear);
        let there = walked?;
        failed.map_or(Ok(there), |tested| Err(TryError::before(&tested)))
    }

    fn show(&self, scene: &Scene<'_>, subject: &Subject<'_>, clock: &Stopwatch) -> Result<Tried, TestError> {
        let (link, mut hosts) = (&subject.link, Vec::new());
        for player in &subject.players {
            self.shell.print_page(&page::heading(player, link));
            let faults = self.one(scene.driver(player)?, link)?;
            hosts.push(TriedOn { host: player.name.clone(), enter: player.enter(&scratch_dir("try")), faults });
        }
        self.shell.print(format_args!("in {:.1} s", clock.elapsed().as_secs_f64()));
        let tried = Tried { name: link.name.clone(), is_draft: link.is_draft(), hosts };
        if self.options.watch {
            self.judge(&tried);
        }
        Ok(tried)
    }

    /// Who watches is told each time whether it failed, and not what to do then, which is what they are doing.
    fn judge(&self, tried: &Tried) {
        if let Some(verdict) = tried.verdict(&self.shell.canvas()) {
            self.shell.print_page(&format!("{verdict}\n"));
        }
    }

    /// What is wrong on one host. Each part is shown before the next one begins.
    fn one(&self, driver: Driver<'_>, link: &Link) -> Result<Vec<String>, TestError> {
        let canvas = self.shell.canvas();
        let (planned, seen) = driver.plan(&link.name)?;
        self.shell.print_page(&page::plan(&planned, &canvas));
        let legs = driver.run(&link.name)?;
        let (done, failed) = (joined(&legs), failure(&legs));
        self.shell.print_page(&page::run(&done, failed.as_ref(), &canvas));
        if failed.is_some() {
            return Ok(vec!["the run failed".to_owned()]);
        }
        let ((verdict, notes), asked) = (judged(&planned, &seen, &done), driver.specs(Some(&link.name))?);
        self.shell.print_page(&page::end(&asked, &verdict, &notes, &canvas));
        Ok(tried::faults(&asked, &verdict))
    }

    fn close(&self, scene: Scene<'_>, company: &[&Player]) -> Result<(), TestError> {
        if self.options.keep {
            for player in company {
                self.shell.print(player.enter(&scratch_dir("try")));
            }
        }
        scene.close(self.options.keep)
    }
}

fn diary(crate_dir: &Path) -> Result<Diary, TestError> {
    let target = fleet::metadata(crate_dir)?.target_directory.into_std_path_buf();
    Ok(Diary::begin(&target.join("wildebeest/try/logs"))?)
}

impl TryError {
    fn before(tested: &Tested) -> Self {
        let what = match &tested.verdict {
            Verdict::Failed { what, .. } => what.clone(),
            _ => String::new(),
        };
        Self::Before { check: tested.name(), what }
    }
}

/// The herd, in which no other host stands for the one that is wanted.
fn with_wanted(mut herd: Herd, wanted: Option<&str>) -> Result<Herd, Unknown> {
    let Some(name) = wanted else { return Ok(herd) };
    let Some(roles) = herd.hosts.get(name).map(|host| host.roles.clone()) else {
        let meant = nearest(name, herd.hosts.keys().map(String::as_str)).map(str::to_owned);
        return Err(Unknown { kind: Kind::Host, name: name.to_owned(), meant });
    };
    herd.hosts.retain(|other, host| other == name || host.roles != roles);
    Ok(herd)
}

/// Whether there is a link to try, and a host that may run it and is wanted. Whether that one does run it, only its
/// whole course says: a baseline may stand for the link.
fn can_be_tried(options: &Options, herd: &Herd, links: &[Link]) -> Result<(), TryError> {
    let link = &links[chosen(links, options.name.as_deref())?];
    let may_run = |player: &Player| player.roles.contains(&link.role) && options.want(player);
    match cast::cast(herd, links).iter().any(may_run) {
        true => Ok(()),
        false => Err(TryError::Nobody { name: link.name.clone() }),
    }
}

/// The place of the link that is meant: of that name, or the draft.
fn chosen(links: &[Link], name: Option<&str>) -> Result<usize, TryError> {
    let Some(name) = name else {
        let last = links.len().checked_sub(1).filter(|last| links[*last].is_draft());
        return last.ok_or(TryError::NoDraft);
    };
    match links.iter().position(|link| link.name == name) {
        Some(place) if links[place].gone => Err(TryError::Gone { name: name.to_owned() }),
        Some(place) => Ok(place),
        None => {
            let meant = nearest(name, links.iter().map(|link| link.name.as_str())).map(str::to_owned);
            Err(Unknown { kind: Kind::Written, name: name.to_owned(), meant }.into())
        }
    }
}

/// The link that is tried now, where all that hosts have behind them is what it was.
fn same<'n>(before: &Rehearsal, now: &'n Rehearsal, place: usize, name: Option<&str>) -> Option<&'n Link> {
    let behind = |rehearsal: &Rehearsal| rehearsal.keys_of_herd("").into_iter().take(place).collect::<Vec<String>>();
    let role = |rehearsal: &Rehearsal| rehearsal.says.chain.links().get(place).map(|link| link.role.clone());
    let is_there = chosen(now.says.chain.links(), name).is_ok_and(|chosen| chosen == place);
    let is_same = before.players == now.players && role(before) == role(now) && behind(before) == behind(now);
    now.says.chain.links().get(place).filter(|_| is_there && is_same)
}

#[cfg(test)]
mod tests {
    use wb_core::chain::{Digest, Sha1};

    use super::*;

    #[test]
    fn the_draft_is_tried_or_what_is_named() {
        let link = |(name, n): (&str, u8)| Link::new(name, Sha1::from_bytes([n; 20]), "web", Digest::of(&[n]));
        let gone = Link { gone: true, ..link(("old_page", 1)) };
        let links = [gone, link(("install_nginx", 2)), link(("page", 0))];
        let check = |links: &[Link], name, expect: &str| {
            let said = chosen(links, name).map_or_else(|error| error.to_string(), |place| links[place].name.clone());
            assert_eq!(said, expect);
        };
        check(&links, None, "page");
        check(&links, Some("install_nginx"), "install_nginx");
        check(&links[..2], None, "there is no draft: all migrations are committed");
        check(&[], None, "there is no draft: all migrations are committed");
        check(&links, Some("old_page"), "the code of `old_page` is gone");
        let meant = "the chain has no migration `instal_nginx`, did you mean `install_nginx`?";
        check(&links, Some("instal_nginx"), meant);
    }

    const HERD: &str = "hosts.db1.roles = ['database']\nhosts.web1.roles = ['web']\nhosts.web2.roles = ['web']\n";

    /// What is asked for: a migration, `--role ROLE` or `--host HOST`; nothing: the draft.
    fn options(line: &str) -> Options {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["--role", role] => Options { roles: [(*role).to_owned()].into(), ..Options::default() },
            ["--host", host] => Options { host: Some((*host).to_owned()), ..Options::default() },
            names => Options { name: names.first().map(|name| (*name).to_owned()), ..Options::default() },
        }
    }

    #[test]
    fn what_the_sources_do_not_have_is_refused() {
        let link = |(name, n): (&str, u8)| Link::new(name, Sha1::from_bytes([n; 20]), "web", Digest::of(&[n]));
        let (landed, all) = ([link(("install_nginx", 1))], [link(("install_nginx", 1)), link(("page", 0))]);
        let check = |links: &[Link], line: &str, expect: &str| {
            let options = options(line);
            let herd = with_wanted(Herd::parse(HERD).unwrap(), options.host.as_deref()).map_err(TryError::from);
            let said = herd.and_then(|herd| can_be_tried(&options, &herd, links));
            assert_eq!(said.map_or_else(|error| error.to_string(), |()| "ok".to_owned()), expect, "{line}");
        };
        check(&all, "", "ok");
        check(&landed, "", "there is no draft: all migrations are committed");
        check(&landed, "install_nginx", "ok");
        check(&all, "no_such", "the chain has no migration `no_such`");
        check(&all, "--role web", "ok");
        check(&all, "--role wbe", "no host that is tried runs `page`");
        check(&all, "--role database", "no host that is tried runs `page`");
        check(&all, "--host web2", "ok");
        check(&all, "--host web9", "the herd has no host `web9`, did you mean `web1`?");
        check(&all, "--host db1", "no host that is tried runs `page`");
    }
}
