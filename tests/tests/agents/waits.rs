//! Herds that take turns and wait for each other, over real git, with a clock that moves when somebody waits and when a
//! test says so. What happens while a link runs, or while one waits, is said by the test too.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use wb_core::Uuid;
use wb_core::agent::{Agent, AgentError, Next, preview};
use wb_core::chain::OnCatchup;
use wb_core::change::{Canary, ChangeKind, Hold, Manifest, Release, Retired, Waiver, Whom};
use wb_core::context::{Context, MaxOut, Migration, Role, StaticWait, StaticWho, Terms};
use wb_core::pool::{Claim, Pool};
use wb_core::registry::{Mirror as _, RefName, RefUpdate};
use wb_core::runner::Catalog;
use wb_core::system::clock::{Clock, Stepping};
use wb_core::system::{Command, System, command, files};
use wb_stdlib::Host;
use wb_stdlib::wait::{Until, all};
use wb_tests::herd::{TestHerd, runner};
use wb_tests::hook;
use wb_tests::links::{Act, migration, write};

/// 2030-01-07, a Monday, at midnight.
const MONDAY: Duration = Duration::from_secs(1_893_974_400);

/// The clock of all machines. Whoever waits lets the others go on.
struct Hand(Arc<Stepping>);

impl Clock for Hand {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn passed(&self) -> Duration {
        self.0.passed()
    }

    fn sleep(&self, duration: Duration) {
        self.0.sleep(duration);
        happen(&MEANWHILE);
    }
}

type Event = RefCell<Option<Box<dyn FnMut()>>>;

thread_local! {
    /// What happens while a link runs.
    static DURING: Event = const { RefCell::new(None) };
    /// What happens whenever somebody waits.
    static MEANWHILE: Event = const { RefCell::new(None) };
}

/// Lets it happen; what it does itself does not make it happen again.
fn happen(event: &'static std::thread::LocalKey<Event>) {
    if let Some(mut act) = event.take() {
        act();
        event.set(Some(act));
    }
}

/// A herd, and what its links are.
struct Scene {
    herd: TestHerd,
    clock: Arc<Stepping>,
    catalog: RefCell<Catalog>,
}

impl Drop for Scene {
    fn drop(&mut self) {
        drop((DURING.take(), MEANWHILE.take()));
    }
}

type Hosts<'a> = &'a [(&'a str, &'a [&'a str])];

impl Scene {
    /// Hosts that are admitted, and were told of these links.
    fn new(hosts: Hosts<'_>, links: &[&'static Migration]) -> Rc<Self> {
        let clock = Arc::new(Stepping::default());
        clock.sleep(MONDAY - clock.now());
        let scene = Self { herd: TestHerd::new(), clock, catalog: RefCell::new(catalog(&[], &WEB)) };
        for (host, _) in hosts {
            scene.herd.hardware(host, host, "first boot", 100);
        }
        scene.herd.add(hosts);
        scene.deploy(links, &WEB);
        Rc::new(scene)
    }

    /// These hosts in service at `base`.
    fn in_service(hosts: Hosts<'_>) -> Rc<Self> {
        let scene = Self::new(hosts, &[&BASE]);
        scene.settle(&hosts.iter().map(|(host, _)| *host).collect::<Vec<_>>());
        scene
    }

    fn deploy(&self, links: &[&'static Migration], web: &'static Role) {
        self.catalog.replace(catalog(links, web));
        self.herd.deploy(&self.catalog.borrow());
    }

    fn change(&self, kind: ChangeKind, delta: impl FnOnce(&mut Manifest)) {
        self.herd.change(kind, delta);
    }

    fn passes(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds));
    }

    fn try_tick(&self, host: &str) -> Result<Next, AgentError> {
        let system = System::new(self.herd.root(host), command::Real, Hand(Arc::clone(&self.clock)));
        let (home, catalog) = (self.herd.home(host), self.catalog.borrow());
        Agent::open(home, &catalog, &system, runner(), &|_: &str| {})?.tick()
    }

    fn tick(&self, host: &str) -> Next {
        self.try_tick(host).unwrap()
    }

    /// Ticks hosts in turn until none of them has anything to do.
    fn settle(&self, hosts: &[&str]) {
        for _ in 0..30 {
            let before = self.herd.said(hosts);
            let nexts: Vec<Next> = hosts.iter().map(|host| self.tick(host)).collect();
            if nexts.iter().all(|next| matches!(next, Next::Poll | Next::Retry)) && self.herd.said(hosts) == before {
                return;
            }
        }
        panic!("still busy: {:?}", self.herd.said(hosts));
    }

    fn said(&self, host: &str) -> String {
        self.herd.said(&[host]).remove(0)
    }

    fn says(&self, host: &str, expect: &str) {
        assert_eq!(self.said(host), format!("{host} {expect}"));
    }

    /// What a host says itself, asked there beside its agent.
    fn says_here(&self, host: &str) -> String {
        let (system, quiet, catalog) = (self.herd.system(host), |_: &str| {}, self.catalog.borrow());
        let home = self.herd.home(host);
        let mut agent = Agent::open_beside(home, &catalog, &system, runner(), &quiet).unwrap();
        let next = agent.upcoming().unwrap();
        preview::doing(&agent, &next, &catalog).to_string()
    }

    fn wrote(&self, host: &str, expect: &str) {
        assert_eq!(self.herd.written(host), expect, "{host}");
    }

    /// Puts a file onto a host, for the code of roles to see.
    fn lay(&self, host: &str, name: &str) {
        files::write(self.herd.root(host).join(name), "", 0o644).unwrap();
    }

    fn take_away(&self, host: &str, name: &str) {
        files::remove(self.herd.root(host).join(name)).unwrap();
    }
}

fn catalog(links: &[&'static Migration], web: &'static Role) -> Catalog {
    Catalog::new(links.iter().copied(), [web, &DATABASE], []).unwrap()
}

fn is_there(context: &Context<'_>, name: &str) -> anyhow::Result<bool> {
    Ok(context.system().read_file(format!("/{name}"))?.is_some())
}

const fn web(max_out: u32) -> Role {
    Role {
        name: "web",
        max_out: MaxOut::Hosts(max_out),
        gate: |context| {
            anyhow::ensure!(!is_there(context, "unwell")?, "the balancer answers 502");
            Ok(())
        },
        leave: |context| {
            anyhow::ensure!(!is_there(context, "stuck")?, "a session is open");
            write(context, "leave")
        },
        rejoin: |context| write(context, "rejoin"),
        ..Role::PLAIN
    }
}

static WEB: Role = web(1);
static THREE_WEBS: Role = Role { max_failed: 2, ..web(3) };
static AT_NIGHT: Role = Role { windows: &["Mon 02:00-04:00"], ..web(1) };
static DATABASE: Role = Role { name: "database", max_out: MaxOut::Hosts(3), ..Role::PLAIN };
static CACHE: Role = Role {
    name: "cache",
    leave: |context| {
        anyhow::ensure!(!is_there(context, "stuck")?, "a key is locked");
        write(context, "leave-cache")
    },
    rejoin: |context| write(context, "rejoin-cache"),
    ..Role::PLAIN
};

/// The link at this place, counted from 0, which writes its name.
const fn link(role: &'static str, place: usize) -> Migration {
    const WRITES: [Act; 6] = [
        |context| write(context, "zero"),
        |context| write(context, "one"),
        |context| write(context, "two"),
        |context| write(context, "three"),
        |context| write(context, "four"),
        |context| write(context, "five"),
    ];
    running(role, place, WRITES[place])
}

const fn running(role: &'static str, place: usize, run: Act) -> Migration {
    const LINKS: [(&str, &str); 6] = [
        ("zero", "0101010101010101010101010101010101010101"),
        ("one", "1111111111111111111111111111111111111111"),
        ("two", "2222222222222222222222222222222222222222"),
        ("three", "3333333333333333333333333333333333333333"),
        ("four", "4444444444444444444444444444444444444444"),
        ("five", "5555555555555555555555555555555555555555"),
    ];
    migration(LINKS[place].0, role, place, LINKS[place].1, run)
}

#[expect(clippy::needless_pass_by_value, reason = "what it becomes has all of its parts")]
const fn waiting(wait: StaticWait, link: Migration) -> Migration {
    Migration { wait: Some(wait), ..link }
}

#[expect(clippy::needless_pass_by_value, reason = "what it becomes has all of its parts")]
const fn in_load(link: Migration) -> Migration {
    Migration { terms: Terms { in_load: true, ..Terms::NONE }, ..link }
}

const ALL: StaticWait = StaticWait::all("database");

static BASE: Migration = link("web", 0);
static WEB_1: Migration = link("web", 1);
static WEB_2: Migration = link("web", 2);
static WEB_3: Migration = link("web", 3);
static WEB_4: Migration = link("web", 4);
static DB_1: Migration = link("database", 1);
static DB_2: Migration = link("database", 2);
static DB_2_FAILS: Migration = running("database", 2, |_| anyhow::bail!("no disk"));
static FAILS_1: Migration = running("web", 1, |context| {
    write(context, "fails")?;
    anyhow::bail!("no page")
});

static ONE_DB: Hosts<'_> = &[("db1", &["database"]), ("web1", &["web"])];
static TWO_DBS: Hosts<'_> = &[("db1", &["database"]), ("db2", &["database"]), ("web1", &["web"])];
static THREE_DBS: Hosts<'_> =
    &[("db1", &["database"]), ("db2", &["database"]), ("db3", &["database"]), ("web1", &["web"])];
static WEBS: Hosts<'_> = &[("web1", &["web"]), ("web2", &["web"])];
static FOUR_WEBS: Hosts<'_> = &[("web1", &["web"]), ("web2", &["web"]), ("web3", &["web"]), ("web4", &["web"])];

#[test]
fn one_of_several_is_enough_for_any() {
    static LINK: Migration = waiting(StaticWait { who: StaticWho::Any("database"), ..ALL }, link("web", 2));
    let scene = Scene::new(TWO_DBS, &[&BASE, &DB_1, &LINK]);
    scene.settle(&["web1"]);
    scene.says("web1", "waits: `two` (2222222) waits for db1 at the start, db2 at the start");
    scene.settle(&["db2", "web1"]);
    scene.wrote("web1", "zero two rejoin");
}

#[test]
fn so_many_are_enough_for_a_number() {
    static LINK: Migration = waiting(StaticWait { who: StaticWho::Count("database", 2), ..ALL }, link("web", 2));
    let scene = Scene::new(THREE_DBS, &[&BASE, &DB_1, &LINK]);
    scene.settle(&["db1", "web1"]);
    scene.says("web1", "waits: `two` (2222222) waits for db2 at the start, db3 at the start");
    scene.settle(&["db3", "web1"]);
    scene.wrote("web1", "zero two rejoin");
}

#[test]
fn an_earlier_link_may_be_what_is_waited_for() {
    static LINK: Migration = waiting(StaticWait { reached: Some("one"), ..ALL }, link("web", 3));
    static LAST: Migration = waiting(ALL, link("web", 3));
    let scene = Scene::new(ONE_DB, &[&BASE, &DB_1, &DB_2_FAILS, &LINK]);
    scene.settle(&["web1"]);
    scene.says("web1", "waits: `three` (3333333) waits for db1 at the start");
    scene.settle(&["db1", "web1"]);
    scene.says("db1", "failed at `two` (2222222): no disk");
    scene.wrote("web1", "zero three rejoin");
    let scene = Scene::new(ONE_DB, &[&BASE, &DB_1, &DB_2_FAILS, &LAST]);
    scene.settle(&["db1", "web1"]);
    scene.says("web1", "waits: `three` (3333333) waits for db1 at `one` (1111111)");
}

#[test]
fn who_is_past_it_is_there() {
    static LINK: Migration = waiting(ALL, link("web", 2));
    let scene = Scene::new(ONE_DB, &[&BASE, &DB_1, &LINK]);
    scene.settle(&["db1"]);
    scene.says("db1", "up to date");
    scene.settle(&["web1"]);
    scene.wrote("web1", "zero two rejoin");
}

#[test]
fn legs_end_before_a_wait() {
    static LINK: Migration = waiting(ALL, link("web", 3));
    let scene = Scene::in_service(ONE_DB);
    scene.deploy(&[&BASE, &WEB_1, &DB_2, &LINK, &WEB_4], &WEB);
    scene.settle(&["web1"]);
    scene.wrote("web1", "zero rejoin leave one rejoin");
    scene.says("web1", "waits: `three` (3333333) waits for db1 at `zero` (0101010)");
    assert_eq!(scene.herd.out("web"), Vec::<String>::new());
    scene.settle(&["db1", "web1"]);
    scene.wrote("web1", "zero rejoin leave one rejoin leave three four rejoin");
}

/// `web1` at the tip; then a database server comes that never does anything, and a new web server, and `web1` is restored
/// to a state before. What the two web servers have done in the end.
fn catches_up(last: &'static Migration) -> (String, String, String) {
    let scene = Scene::in_service(ONE_DB);
    scene.herd.copy("web1", "backup");
    scene.deploy(&[&BASE, &DB_1, last], &WEB);
    scene.settle(&["db1", "web1"]);
    scene.wrote("web1", "zero rejoin leave two rejoin");
    scene.herd.add(&[("db2", &["database"]), ("web2", &["web"])]);
    scene.settle(&["web2"]);
    scene.herd.copy("backup", "web1");
    for uptime in 1..16 {
        scene.herd.hardware("web1", "web1", "second boot", uptime);
        scene.passes(2);
        scene.tick("web1");
    }
    (scene.herd.written("web2"), scene.herd.written("web1"), scene.said("web2"))
}

#[test]
fn who_catches_up_waits_as_others_do() {
    static LINK: Migration = waiting(ALL, link("web", 2));
    let (new, restored, said) = catches_up(&LINK);
    assert_eq!((new.as_str(), restored.as_str()), ("zero", "zero rejoin"));
    assert_eq!(said, "web2 waits: `two` (2222222) waits for db2 at the start");
}

#[test]
fn who_catches_up_may_pass() {
    static LINK: Migration = waiting(StaticWait { on_catchup: OnCatchup::Pass, ..ALL }, link("web", 2));
    let (new, restored, said) = catches_up(&LINK);
    assert_eq!((new.as_str(), restored.as_str()), ("zero two rejoin", "zero rejoin leave two rejoin"));
    assert_eq!(said, "web2 up to date");
}

#[test]
fn who_catches_up_may_have_to_stop() {
    static LINK: Migration = waiting(StaticWait { on_catchup: OnCatchup::Fail, ..ALL }, link("web", 2));
    let (new, restored, said) = catches_up(&LINK);
    assert_eq!((new.as_str(), restored.as_str()), ("zero", "zero rejoin"));
    let waive = "hint: it goes on once they are there; or `cargo xtask waive two db2 -m '…'`";
    let stopped = "web2 stopped: `two` (2222222) is not to be caught up on while it waits for db2 at the start";
    assert_eq!(said, format!("{stopped}; {waive}"));
}

#[test]
fn what_is_run_in_load_needs_no_place_and_makes_one_leg() {
    static ONE: Migration = in_load(link("web", 1));
    static TWO: Migration = in_load(link("web", 2));
    let scene = Scene::in_service(WEBS);
    scene.lay("web2", "stuck");
    scene.deploy(&[&BASE, &WEB_1], &WEB);
    scene.tick("web2");
    assert_eq!(scene.herd.out("web"), ["web2"]);
    scene.deploy(&[&BASE, &ONE, &TWO, &WEB_3], &WEB);
    scene.tick("web1");
    scene.wrote("web1", "zero rejoin one two");
    scene.settle(&["web1"]);
    scene.says("web1", "waits: for a place in the pool of web: 1 of 1 out already: web2");
    scene.take_away("web2", "stuck");
    scene.settle(&["web2", "web1"]);
    scene.wrote("web1", "zero rejoin one two leave three rejoin");
}

#[test]
fn what_fails_in_load_stops_the_host_there() {
    static LINK: Migration = in_load(running("web", 1, |_| anyhow::bail!("no page")));
    let scene = Scene::in_service(WEBS);
    scene.deploy(&[&BASE, &LINK], &WEB);
    scene.settle(&["web1", "web2"]);
    scene.says("web1", "failed at `one` (1111111): no page");
    scene.says("web2", "waits: `one` (1111111) failed on web1");
    scene.wrote("web1", "zero rejoin");
    assert_eq!(scene.herd.out("web"), Vec::<String>::new());
}

/// The link as an operator amends it: under another digest, and with nothing left to fail at.
#[expect(clippy::needless_pass_by_value, reason = "what it becomes has all of its parts")]
const fn amended(link: Migration) -> Migration {
    Migration { digest: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", ..link }
}

#[test]
fn what_failed_in_load_and_needs_a_turn_now_gets_one() {
    static FAILS: Migration = in_load(running("web", 1, |_| anyhow::bail!("no page")));
    static ROLLS: Migration = amended(link("web", 1));
    let scene = Scene::in_service(WEBS);
    scene.deploy(&[&BASE, &FAILS], &WEB);
    scene.settle(&["web1"]);
    scene.says("web1", "failed at `one` (1111111): no page");
    scene.lay("web2", "stuck");
    scene.deploy(&[&BASE, &ROLLS], &WEB);
    scene.settle(&["web2", "web1"]);
    scene.says("web1", "waits: for a place in the pool of web: 1 of 1 out already: web2");
    scene.take_away("web2", "stuck");
    scene.settle(&["web2", "web1"]);
    scene.wrote("web1", "zero rejoin leave one rejoin");
}

#[test]
fn what_needs_no_turn_any_more_is_run_in_load_by_who_has_not_begun_it() {
    static MENDED: Migration = amended(link("web", 1));
    static MENDED_IN_LOAD: Migration = in_load(amended(link("web", 1)));
    static TWO_IN_LOAD: Migration = in_load(link("web", 2));
    for (links, expect) in [
        ([&BASE, &MENDED, &TWO_IN_LOAD], "zero rejoin leave fails one rejoin two"),
        ([&BASE, &MENDED_IN_LOAD, &WEB_2], "zero rejoin leave fails one two rejoin"),
    ] {
        let scene = Scene::in_service(WEBS);
        scene.deploy(&[&BASE, &FAILS_1, &WEB_2], &WEB);
        scene.settle(&["web1"]);
        scene.deploy(&links, &WEB);
        scene.settle(&["web1"]);
        scene.wrote("web1", expect);
    }
}

/// For twenty seconds at most.
fn for_the_databases() -> Until {
    all("database").reached("one").within(Duration::from_secs(20))
}

fn waits_inside(context: &Context<'_>) -> anyhow::Result<()> {
    write(context, "first")?;
    Host::new(context).wait_until(for_the_databases())?;
    write(context, "then")
}

static INSIDE: Migration = in_load(running("web", 2, waits_inside));
static INSIDE_OUT_OF_LOAD: Migration = running("web", 2, waits_inside);

/// Lets this happen whenever somebody waits, with how often somebody has waited; and tells what a host says then.
fn meanwhile(scene: &Rc<Scene>, act: impl Fn(&Scene, u32) + 'static) -> Rc<RefCell<Vec<String>>> {
    let said = Rc::new(RefCell::new(Vec::new()));
    let (scene, says, mut times) = (Rc::downgrade(scene), Rc::clone(&said), 0);
    MEANWHILE.set(Some(Box::new(move || {
        let scene = scene.upgrade().unwrap();
        times += 1;
        let now = scene.said("web1");
        if says.borrow().last() != Some(&now) {
            says.borrow_mut().push(now);
        }
        act(&scene, times);
    })));
    said
}

#[test]
fn what_code_waits_for_is_told_before_the_next_link() {
    static LONG: Migration = running("database", 2, |context| {
        happen(&DURING);
        write(context, "long")
    });
    static LATER: Migration = Migration {
        terms: Terms { in_load: true, inside: &[StaticWait { reached: Some("one"), ..ALL }], ..Terms::NONE },
        ..running("web", 3, waits_inside)
    };
    let scene = Scene::in_service(ONE_DB);
    scene.deploy(&[&BASE, &DB_1, &LONG, &LATER], &WEB);
    let told = Rc::new(RefCell::new(None));
    amid(&scene, {
        let told = Rc::clone(&told);
        move |scene| drop(told.replace(scene.herd.reports()["db1"].link.clone()))
    });
    scene.settle(&["db1"]);
    scene.wrote("db1", "one long");
    assert_eq!(told.borrow().as_deref(), Some("one"));
}

const WAITS: &str = "web1 waits: `two` (2222222) waits for db1 at the start";

#[test]
fn a_link_that_is_run_in_load_waits_where_it_is() {
    let scene = Scene::in_service(&[("web1", &["web"])]);
    scene.herd.add(&[("db1", &["database"])]);
    scene.deploy(&[&BASE, &DB_1, &INSIDE], &WEB);
    let said = meanwhile(&scene, |scene, times| {
        if times == 3 {
            scene.settle(&["db1"]);
        }
    });
    scene.settle(&["web1"]);
    scene.wrote("web1", "zero rejoin first then");
    assert_eq!(*said.borrow(), [WAITS]);
    scene.says("web1", "up to date");
}

#[test]
fn a_host_never_in_service_waits_where_it_is() {
    let scene = Scene::new(ONE_DB, &[&BASE, &DB_1, &INSIDE_OUT_OF_LOAD]);
    let said = meanwhile(&scene, |scene, times| {
        if times == 2 {
            scene.settle(&["db1"]);
        }
    });
    scene.settle(&["web1"]);
    scene.wrote("web1", "zero first then rejoin");
    assert_eq!(*said.borrow(), [WAITS]);
}

#[test]
fn a_host_whose_code_waits_says_so_on_the_host_too() {
    let scene = Scene::in_service(&[("web1", &["web"])]);
    scene.herd.add(&[("db1", &["database"])]);
    scene.deploy(&[&BASE, &DB_1, &INSIDE], &WEB);
    let here = Rc::new(RefCell::new(String::new()));
    meanwhile(&scene, {
        let here = Rc::clone(&here);
        move |scene, times| match times {
            1 => drop(here.replace(scene.says_here("web1"))),
            2 => scene.settle(&["db1"]),
            _ => {}
        }
    });
    scene.settle(&["web1"]);
    assert_eq!(format!("web1 {}", here.borrow()), WAITS);
    assert_eq!(scene.says_here("web1"), "up to date");
}

#[test]
fn who_is_out_of_load_looks_once() {
    let scene = Scene::in_service(&[("web1", &["web"])]);
    scene.herd.add(&[("db1", &["database"])]);
    scene.deploy(&[&BASE, &DB_1, &INSIDE_OUT_OF_LOAD], &WEB);
    let said = meanwhile(&scene, |_, _| {});
    scene.settle(&["web1"]);
    let expect = "failed at `two` (2222222): all(\"database\", reached(\"one\")) does not hold: db1 at the start; and this host \
                  is out of load, where it waits for nobody\nhint: let it wait before it begins";
    assert!(scene.said("web1").contains(expect), "{}", scene.said("web1"));
    assert_eq!(*said.borrow(), Vec::<String>::new());
    scene.settle(&["db1"]);
    scene.change(ChangeKind::Retry, |manifest| manifest.hosts.get_mut("web1").unwrap().retry = manifest.number);
    scene.settle(&["web1"]);
    scene.wrote("web1", "zero rejoin leave first first then rejoin");
}

#[test]
fn who_knows_what_the_code_of_a_link_waits_for_leaves_load_once_it_holds() {
    static LINK: Migration = Migration {
        terms: Terms { inside: &[StaticWait { reached: Some("one"), ..ALL }], ..Terms::NONE },
        ..running("web", 2, waits_inside)
    };
    let scene = Scene::in_service(&[("web1", &["web"])]);
    scene.herd.add(&[("db1", &["database"])]);
    scene.deploy(&[&BASE, &DB_1, &LINK], &WEB);
    scene.settle(&["web1"]);
    scene.says("web1", "waits: `two` (2222222) waits for db1 at the start");
    scene.wrote("web1", "zero rejoin");
    scene.settle(&["db1"]);
    scene.settle(&["web1"]);
    scene.wrote("web1", "zero rejoin leave first then rejoin");
}

#[test]
fn a_leg_ends_before_code_that_would_wait_for_who_has_come_since() {
    static LINK: Migration = Migration {
        terms: Terms { inside: &[StaticWait { reached: Some("one"), ..ALL }], ..Terms::NONE },
        ..running("web", 2, waits_inside)
    };
    let scene = Scene::in_service(&[("web1", &["web"])]);
    amid(&scene, |scene| scene.herd.add(&[("db1", &["database"])]));
    scene.deploy(&[&BASE, &EVENTFUL, &LINK], &WEB);
    scene.settle(&["web1"]);
    scene.wrote("web1", "zero rejoin leave one rejoin");
    scene.says("web1", "waits: `two` (2222222) waits for db1 at the start");
    assert_eq!(scene.herd.out("web"), Vec::<String>::new());
    scene.settle(&["db1", "web1"]);
    scene.wrote("web1", "zero rejoin leave one rejoin leave first then rejoin");
}

#[test]
fn a_wait_in_a_link_ends_and_names_who_is_not_there() {
    let scene = Scene::in_service(&[("web1", &["web"])]);
    scene.herd.add(&[("db1", &["database"])]);
    scene.deploy(&[&BASE, &DB_1, &INSIDE], &WEB);
    scene.settle(&["web1"]);
    let expect =
        "failed at `two` (2222222): all(\"database\", reached(\"one\")) did not hold within 20 s: db1 at the start";
    scene.says("web1", expect);
    scene.wrote("web1", "zero rejoin first");
}

#[test]
fn the_time_of_a_link_is_that_of_its_waits_too() {
    static LINK: Migration = Migration {
        terms: Terms { in_load: true, timeout: Some(Duration::from_secs(5)), ..Terms::NONE },
        ..running("web", 2, waits_inside)
    };
    let scene = Scene::in_service(&[("web1", &["web"])]);
    scene.herd.add(&[("db1", &["database"])]);
    scene.deploy(&[&BASE, &DB_1, &LINK], &WEB);
    scene.settle(&["web1"]);
    scene.says("web1", "failed at `two` (2222222): it did not end within the 5 s that it may take as a whole");
}

#[test]
fn a_wait_in_a_link_hears_of_a_waiver() {
    let scene = Scene::in_service(&[("web1", &["web"])]);
    scene.herd.add(&[("db1", &["database"])]);
    scene.deploy(&[&BASE, &DB_1, &INSIDE], &WEB);
    meanwhile(&scene, |scene, times| {
        if times == 2 {
            scene.change(ChangeKind::Waive, |manifest| {
                let link = manifest.chain.links()[2].sha1;
                manifest.waived.push(Waiver { change: manifest.number, link, host: "db1".into() });
            });
        }
    });
    scene.settle(&["web1"]);
    scene.wrote("web1", "zero rejoin first then");
}

#[test]
fn who_is_retired_while_it_waits_says_nothing_any_more() {
    let scene = Scene::in_service(&[("web1", &["web"])]);
    scene.herd.add(&[("db1", &["database"])]);
    scene.deploy(&[&BASE, &DB_1, &INSIDE], &WEB);
    let report = RefName::Report(scene.herd.home("web1").read_config().unwrap().uuid);
    let removed = report.to_string();
    meanwhile(&scene, move |scene, times| {
        if times == 1 {
            scene.change(ChangeKind::Retire, |manifest| {
                let (name, change) = ("web1".to_owned(), manifest.number);
                let uuid = manifest.hosts.remove(&name).unwrap().identity.unwrap().uuid;
                manifest.retired.push(Retired { uuid, name, change });
            });
            let git = Command::new("git").arg("-C").arg(scene.herd.remote());
            git.args(["update-ref", "-d", &removed]).read().unwrap();
        }
    });
    let error = scene.try_tick("web1").map(drop);
    scene.herd.operator().fetch(&["refs/wildebeest/".into()]).unwrap();
    assert_eq!(scene.herd.operator().get(&report).unwrap(), None, "{error:?}");
    assert!(matches!(scene.try_tick("web1"), Err(AgentError::Retired { .. })));
}

#[test]
fn a_remote_that_is_away_does_not_end_a_wait() {
    let scene = Scene::in_service(&[("web1", &["web"])]);
    scene.herd.add(&[("db1", &["database"])]);
    scene.deploy(&[&BASE, &DB_1, &INSIDE], &WEB);
    MEANWHILE.set(Some({
        let (scene, mut times) = (Rc::downgrade(&scene), 0);
        Box::new(move || {
            let scene = scene.upgrade().unwrap();
            let (here, away) = (scene.herd.remote(), scene.herd.place("elsewhere"));
            times += 1;
            match times {
                1 => files::rename(here, away).unwrap(),
                4 => {
                    files::rename(away, here).unwrap();
                    scene.settle(&["db1"]);
                }
                _ => {}
            }
        })
    }));
    scene.settle(&["web1"]);
    scene.wrote("web1", "zero rejoin first then");
}

#[test]
fn a_plan_says_who_is_not_there_now() {
    static WAITS: Migration =
        in_load(running("web", 2, |context| Ok(Host::new(context).wait_until(for_the_databases())?)));
    let scene = Scene::in_service(&[("web1", &["web"])]);
    scene.herd.add(&[("db1", &["database"])]);
    let next = catalog(&[&BASE, &DB_1, &WAITS], &WEB);
    let plan = || {
        scene.tick("web1");
        let system = System::new(scene.herd.root("web1"), command::Real, Hand(Arc::clone(&scene.clock)));
        let agent = Agent::open(scene.herd.home("web1"), &next, &system, runner(), &|_: &str| {}).unwrap();
        preview::links(&agent, &next, &system).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    // The chain goes on, and nobody is told to go there yet.
    scene.change(ChangeKind::Deploy, |manifest| {
        manifest.chain = next.chain().clone();
        manifest.canary = Some(Canary {
            hosts: ["db1".to_owned()].into(),
            target: next.chain().links()[1].sha1,
            change: 0,
            bake: None,
        });
        manifest.roles = next.policies().clone();
    });
    let wait = "wait for all(\"database\", reached(\"one\"))";
    assert_eq!(plan(), format!("`two` (2222222)\n  ? {wait} (cannot know: db1 at the start)"));
}

#[test]
fn a_wait_for_a_role_that_there_is_not_is_an_error() {
    static LINK: Migration = in_load(running("web", 1, |context| {
        Ok(Host::new(context).wait_until(all("databse").within(Duration::from_secs(60)))?)
    }));
    let scene = Scene::in_service(&[("web1", &["web"])]);
    scene.deploy(&[&BASE, &LINK], &WEB);
    scene.settle(&["web1"]);
    scene.says("web1", "failed at `one` (1111111): there is no role `databse` to wait for");
}

#[test]
fn a_wait_that_takes_too_long_is_said_to_and_goes_on() {
    static LINK: Migration = waiting(StaticWait { overdue: Some(60), ..ALL }, link("web", 2));
    let scene = Scene::new(ONE_DB, &[&BASE, &DB_1, &LINK]);
    scene.settle(&["web1"]);
    scene.passes(59);
    scene.settle(&["web1"]);
    scene.says("web1", "waits: `two` (2222222) waits for db1 at the start");
    assert!(scene.herd.reports()["web1"].doing.is_healthy());
    scene.passes(1);
    scene.settle(&["web1"]);
    scene.says("web1", "waits too long: `two` (2222222) waits for db1 at the start");
    assert!(!scene.herd.reports()["web1"].doing.is_healthy());
    scene.settle(&["db1", "web1"]);
    scene.says("web1", "up to date");
}

#[test]
fn a_closed_gate_keeps_hosts_in_load() {
    let scene = Scene::in_service(WEBS);
    scene.lay("web1", "unwell");
    scene.deploy(&[&BASE, &WEB_1], &WEB);
    scene.settle(&["web1"]);
    scene.says("web1", "waits: for the gate of web: the balancer answers 502");
    assert_eq!(scene.herd.out("web"), Vec::<String>::new());
    scene.wrote("web1", "zero rejoin");
    scene.take_away("web1", "unwell");
    scene.settle(&["web1"]);
    scene.wrote("web1", "zero rejoin leave one rejoin");
}

#[test]
fn the_gate_is_asked_before_each_next_host() {
    let scene = Scene::in_service(WEBS);
    amid(&scene, |scene| scene.lay("web2", "unwell"));
    scene.deploy(&[&BASE, &EVENTFUL], &WEB);
    scene.settle(&["web1", "web2"]);
    scene.wrote("web1", "zero rejoin leave one rejoin");
    scene.wrote("web2", "zero rejoin");
    scene.says("web2", "waits: for the gate of web: the balancer answers 502");
    assert_eq!(scene.herd.out("web"), Vec::<String>::new());
    scene.take_away("web2", "unwell");
    scene.settle(&["web2"]);
    scene.wrote("web2", "zero rejoin leave one rejoin");
}

#[test]
fn a_gate_that_takes_too_long_is_closed() {
    static SLOW: Role = Role {
        gate: |context| {
            context.system().clock().sleep(Duration::from_secs(61));
            context.system().must_be_in_time();
            Ok(())
        },
        ..web(1)
    };
    let scene = Scene::in_service(WEBS);
    scene.deploy(&[&BASE, &WEB_1], &SLOW);
    scene.tick("web1");
    let said = scene.said("web1");
    assert!(said.starts_with("web1 waits: for the gate of web: "), "{said}");
    assert_eq!(scene.herd.out("web"), Vec::<String>::new());
}

#[test]
fn nobody_asks_the_gate_for_a_new_host() {
    let scene = Scene::new(&[("web1", &["web"])], &[&BASE]);
    scene.lay("web1", "unwell");
    scene.settle(&["web1"]);
    scene.wrote("web1", "zero rejoin");
}

#[test]
fn hosts_leave_load_in_a_window_and_end_their_leg_after_it() {
    static LONG: Migration = running("web", 1, |context| {
        context.system().clock().sleep(Duration::from_secs(7200));
        write(context, "long")
    });
    let scene = Scene::in_service(WEBS);
    scene.deploy(&[&BASE, &LONG, &WEB_2], &AT_NIGHT);
    scene.settle(&["web1", "web2"]);
    let waits = "waits: for the maintenance window of web, which opens at ";
    scene.says("web1", &format!("{waits}2030-01-07T02:00:00Z"));
    scene.passes(3 * 3600);
    scene.settle(&["web1"]);
    scene.wrote("web1", "zero rejoin leave long two rejoin");
    scene.settle(&["web2"]);
    scene.says("web2", &format!("{waits}2030-01-14T02:00:00Z"));
    scene.wrote("web2", "zero rejoin");
}

#[test]
fn as_many_hosts_fail_as_the_role_says() {
    let scene = Scene::in_service(FOUR_WEBS);
    scene.deploy(&[&BASE, &FAILS_1], &THREE_WEBS);
    scene.settle(&["web1", "web2", "web3", "web4"]);
    for host in ["web1", "web2"] {
        scene.says(host, "failed at `one` (1111111): no page");
    }
    for host in ["web3", "web4"] {
        scene.says(host, "waits: `one` (1111111) failed on web1, web2");
        scene.wrote(host, "zero rejoin");
    }
    assert_eq!(scene.herd.out("web"), ["web1", "web2"]);
}

/// A link in the middle of which something happens; then a poll is due.
static EVENTFUL: Migration = running("web", 1, |context| {
    write(context, "one")?;
    happen(&DURING);
    context.system().clock().sleep(Duration::from_secs(2));
    Ok(())
});

/// Lets this happen once, amid the next link that is [`EVENTFUL`].
fn amid(scene: &Rc<Scene>, act: impl Fn(&Scene) + 'static) {
    let (scene, mut was) = (Rc::downgrade(scene), false);
    DURING.set(Some(Box::new(move || {
        if !std::mem::replace(&mut was, true) {
            act(&scene.upgrade().unwrap());
        }
    })));
}

#[test]
fn a_host_that_is_held_in_the_middle_of_a_leg_ends_its_link_and_rejoins() {
    let scene = Scene::in_service(WEBS);
    amid(&scene, |scene| {
        scene.change(ChangeKind::Hold, |manifest| {
            let (change, why) = (manifest.number, "a sale".to_owned());
            manifest.holds.push(Hold { whom: Whom::Role("web".into()), change, why });
        });
    });
    scene.deploy(&[&BASE, &EVENTFUL, &WEB_2, &WEB_3], &WEB);
    let number = scene.herd.newest().unwrap().manifest.number + 1;
    scene.settle(&["web1", "web2"]);
    scene.wrote("web1", "zero rejoin leave one rejoin");
    scene.wrote("web2", "zero rejoin");
    for host in ["web1", "web2"] {
        scene.says(host, &format!("waits: the role web is held by change {number}: a sale"));
    }
    assert_eq!(scene.herd.out("web"), Vec::<String>::new());
    scene.change(ChangeKind::Resume, |manifest| manifest.holds.clear());
    scene.settle(&["web1", "web2"]);
    scene.wrote("web1", "zero rejoin leave one rejoin leave two three rejoin");
    scene.wrote("web2", "zero rejoin leave one two three rejoin");
}

#[test]
fn who_is_held_before_it_has_left_stays() {
    let scene = Scene::in_service(WEBS);
    scene.lay("web1", "stuck");
    scene.deploy(&[&BASE, &WEB_1], &WEB);
    scene.settle(&["web1"]);
    scene.says("web1", "can't leave load: leave of role web: a session is open");
    scene.change(ChangeKind::Hold, |manifest| {
        let (change, why) = (manifest.number, "a sale".to_owned());
        manifest.holds.push(Hold { whom: Whom::Host("web1".into()), change, why });
    });
    scene.take_away("web1", "stuck");
    scene.settle(&["web1", "web2"]);
    scene.wrote("web1", "zero rejoin rejoin");
    scene.wrote("web2", "zero rejoin leave one rejoin");
}

#[test]
fn a_holder_whose_place_was_freed_ends_its_link_and_leaves_the_next_one_alone() {
    let scene = Scene::in_service(WEBS);
    scene.lay("web2", "stuck");
    amid(&scene, |scene| {
        scene.herd.operator().fetch(&["refs/wildebeest/".into()]).unwrap();
        let nonce = scene.herd.operator().pool("web").unwrap().1.holders[0].nonce;
        scene.change(ChangeKind::Release, |manifest| {
            manifest.released.push(Release { change: manifest.number, host: "web1".into(), nonce });
        });
        scene.tick("web2");
        assert_eq!(scene.herd.out("web"), ["web2"], "what was freed counts for nothing");
    });
    scene.deploy(&[&BASE, &EVENTFUL, &WEB_2], &WEB);
    scene.tick("web1");
    scene.settle(&["web1"]);
    scene.wrote("web1", "zero rejoin leave one rejoin");
    scene.says("web1", "waits: for a place in the pool of web: 1 of 1 out already: web2");
    assert_eq!(scene.herd.out("web"), ["web2"]);
    scene.take_away("web2", "stuck");
    scene.settle(&["web2", "web1"]);
    scene.wrote("web1", "zero rejoin leave one rejoin leave two rejoin");
    scene.wrote("web2", "zero rejoin leave one two rejoin");
}

/// Lets the remote write down which refs each push moves, in a line each.
fn note_pushes(scene: &Scene) {
    let lines = "while read -r old new ref; do printf '%s ' \"$ref\"; done >>pushes\necho >>pushes";
    hook::hang(&scene.herd.remote(), "pre-receive", lines);
}

#[test]
fn a_host_of_two_roles_claims_a_place_in_each_at_once_and_leaves_each() {
    static BOTH: Hosts<'_> = &[("both", &["cache", "web"]), ("cache1", &["cache"])];
    static CACHE_0: Migration = link("cache", 0);
    static CACHE_1: Migration = link("cache", 1);
    let scene = Scene::new(BOTH, &[]);
    let deploy = |links: &[&'static Migration]| {
        scene.catalog.replace(Catalog::new(links.iter().copied(), [&WEB, &CACHE, &DATABASE], []).unwrap());
        scene.herd.deploy(&scene.catalog.borrow());
    };
    deploy(&[&CACHE_0]);
    scene.settle(&["both", "cache1"]);
    scene.wrote("both", "zero rejoin-cache rejoin");

    scene.lay("cache1", "stuck");
    deploy(&[&CACHE_0, &CACHE_1]);
    scene.settle(&["cache1", "both"]);
    scene.says("both", "waits: for a place in the pool of cache: 1 of 1 out already: cache1");
    assert_eq!(scene.herd.out("web"), Vec::<String>::new(), "no place is kept while another is missing");
    scene.take_away("cache1", "stuck");
    scene.settle(&["cache1"]);

    note_pushes(&scene);
    scene.lay("both", "stuck");
    scene.settle(&["both"]);
    scene.says("both", "can't leave load: leave of role cache: a key is locked");
    assert_eq!([scene.herd.out("web"), scene.herd.out("cache")], [["both"], ["both"]]);
    let nonce = |role: &str| scene.herd.pool(role).holders[0].nonce;
    assert_eq!(nonce("web"), nonce("cache"), "it is one claim");
    scene.take_away("both", "stuck");
    scene.settle(&["both"]);
    scene.wrote("both", "zero rejoin-cache rejoin leave-cache leave one rejoin-cache rejoin");
    assert_eq!([scene.herd.out("web"), scene.herd.out("cache")], [[""; 0], [""; 0]]);

    let pushed = files::read_text(scene.herd.remote().join("pushes")).unwrap();
    let claims: Vec<&str> = pushed.lines().filter(|refs| refs.contains("refs/wildebeest/out/")).collect();
    let is_whole = |refs: &&str| ["out/cache ", "out/web ", "report/"].iter().all(|name| refs.contains(name));
    assert!(claims.len() == 2 && claims.iter().all(is_whole), "claimed and given back, a push each: {pushed}");
}

#[test]
fn what_was_amended_amid_a_leg_is_not_begun_in_its_old_form() {
    static MENDED: Migration = Migration {
        digest: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ..running("web", 2, |context| write(context, "mended"))
    };
    let scene = Scene::in_service(WEBS);
    amid(&scene, |scene| {
        let mended = catalog(&[&BASE, &EVENTFUL, &MENDED], &WEB);
        scene.change(ChangeKind::Deploy, |manifest| manifest.chain = mended.chain().clone());
    });
    scene.deploy(&[&BASE, &EVENTFUL, &WEB_2], &WEB);
    scene.settle(&["web1"]);
    scene.wrote("web1", "zero rejoin leave one rejoin");
    scene.says("web1", "waits: for the runner that has `two` (2222222)");
    scene.deploy(&[&BASE, &EVENTFUL, &MENDED], &WEB);
    scene.settle(&["web1"]);
    scene.wrote("web1", "zero rejoin leave one rejoin leave mended rejoin");
}

#[test]
fn what_fails_elsewhere_amid_a_leg_is_not_begun() {
    static TWO_WEBS: Role = web(2);
    static FRAGILE: Migration = running("web", 2, |context| {
        anyhow::ensure!(!is_there(context, "broken")?, "no page");
        write(context, "two")
    });
    let scene = Scene::in_service(WEBS);
    scene.lay("web2", "broken");
    amid(&scene, |scene| scene.settle(&["web2"]));
    scene.deploy(&[&BASE, &EVENTFUL, &FRAGILE], &TWO_WEBS);
    scene.settle(&["web1"]);
    scene.says("web2", "failed at `two` (2222222): no page");
    scene.says("web1", "waits: `two` (2222222) failed on web2");
    scene.wrote("web1", "zero rejoin leave one rejoin");
}

/// All web servers at `base`, which the first of them leaves as a canary for these links.
fn with_canary(links: &[&'static Migration], bake: Option<u64>) -> Rc<Scene> {
    let scene = Scene::in_service(WEBS);
    scene.catalog.replace(catalog(links, &WEB));
    scene.change(ChangeKind::Deploy, |manifest| {
        manifest.chain = scene.catalog.borrow().chain().clone();
        let (target, hosts) = (manifest.chain.tip().unwrap().sha1, ["web1".to_owned()].into());
        manifest.canary = Some(Canary { hosts, target, change: manifest.number, bake });
    });
    scene.settle(&["web1", "web2"]);
    scene.wrote("web2", "zero rejoin");
    scene
}

const WELL: [&Migration; 3] = [&BASE, &WEB_1, &WEB_2];

#[test]
fn everyone_follows_a_canary_that_is_promoted() {
    let scene = with_canary(&WELL, None);
    scene.wrote("web1", "zero rejoin leave one two rejoin");
    scene.passes(1_000_000);
    scene.settle(&["web1", "web2"]);
    scene.wrote("web2", "zero rejoin");
    scene.change(ChangeKind::Promote, |manifest| {
        manifest.target = manifest.canary.take().map(|canary| canary.target);
    });
    scene.settle(&["web1", "web2"]);
    scene.wrote("web2", "zero rejoin leave one two rejoin");
}

#[test]
fn everyone_follows_a_canary_that_has_baked() {
    let scene = with_canary(&WELL, Some(600));
    scene.passes(599);
    scene.settle(&["web1", "web2"]);
    scene.wrote("web2", "zero rejoin");
    scene.passes(1);
    scene.settle(&["web1", "web2"]);
    scene.wrote("web2", "zero rejoin leave one two rejoin");
}

#[test]
fn canaries_that_have_baked_may_go_away_and_those_that_come_later_follow() {
    let scene = with_canary(&WELL, Some(600));
    scene.passes(600);
    scene.settle(&["web1"]);
    scene.passes(1_000_000);
    scene.herd.add(&[("web3", &["web"])]);
    scene.settle(&["web2", "web3"]);
    scene.wrote("web2", "zero rejoin leave one two rejoin");
    scene.wrote("web3", "zero one two rejoin");
}

#[test]
fn a_canary_that_has_nothing_to_run_bakes_from_when_it_heard_of_it() {
    let scene = Scene::in_service(WEBS);
    scene.passes(1_000_000);
    scene.settle(&["web1", "web2"]);
    scene.catalog.replace(catalog(&[&BASE, &DB_1], &WEB));
    scene.change(ChangeKind::Deploy, |manifest| {
        manifest.chain = scene.catalog.borrow().chain().clone();
        let (target, hosts) = (manifest.chain.tip().unwrap().sha1, ["web1".to_owned()].into());
        manifest.canary = Some(Canary { hosts, target, change: manifest.number, bake: Some(600) });
    });
    let are_at = |expect: [&str; 2]| {
        scene.settle(&["web1", "web2"]);
        let reports = scene.herd.reports();
        assert_eq!(["web1", "web2"].map(|host| reports[host].link.clone().unwrap()), expect);
    };
    are_at(["one", "zero"]);
    scene.passes(599);
    are_at(["one", "zero"]);
    scene.passes(1);
    are_at(["one", "one"]);
}

#[test]
fn a_canary_that_fails_keeps_everyone_away() {
    let scene = with_canary(&[&BASE, &FAILS_1], Some(600));
    scene.passes(1_000_000);
    scene.settle(&["web1", "web2"]);
    scene.says("web1", "failed at `one` (1111111): no page");
    scene.says("web2", "up to date");
}

#[test]
fn a_wait_passes_without_a_host_that_is_waived() {
    static LINK: Migration = waiting(ALL, link("web", 2));
    let scene = Scene::new(TWO_DBS, &[&BASE, &DB_1, &LINK]);
    scene.settle(&["db1", "web1"]);
    scene.says("web1", "waits: `two` (2222222) waits for db2 at the start");
    scene.change(ChangeKind::Waive, |manifest| {
        let link = manifest.chain.links()[2].sha1;
        manifest.waived.push(Waiver { change: manifest.number, link, host: "db2".into() });
    });
    scene.settle(&["web1"]);
    scene.wrote("web1", "zero two rejoin");
}

#[test]
fn a_limit_that_falls_while_places_are_held_takes_none_of_them_and_lets_nobody_more_leave() {
    static TWO_WEBS: Role = web(2);
    let scene = Scene::in_service(FOUR_WEBS);
    ["web1", "web2"].into_iter().for_each(|host| scene.lay(host, "stuck"));
    scene.deploy(&[&BASE, &WEB_1], &TWO_WEBS);
    scene.settle(&["web1", "web2"]);
    assert_eq!(scene.herd.out("web"), ["web1", "web2"]);
    scene.deploy(&[&BASE, &WEB_1], &WEB);
    scene.settle(&["web1", "web2", "web3"]);
    scene.says("web3", "waits: for a place in the pool of web: 2 of 1 out already: web1, web2");
    assert_eq!(scene.herd.out("web"), ["web1", "web2"]);

    scene.take_away("web1", "stuck");
    scene.settle(&["web1"]);
    scene.wrote("web1", "zero rejoin leave one rejoin");
    // Who else is out is told once a minute.
    scene.passes(60);
    scene.settle(&["web3"]);
    scene.says("web3", "waits: for a place in the pool of web: 1 of 1 out already: web2");
    assert_eq!(scene.herd.out("web"), ["web2"]);

    scene.deploy(&[&BASE, &WEB_1], &TWO_WEBS);
    scene.settle(&["web3"]);
    scene.wrote("web3", "zero rejoin leave one rejoin");
    assert_eq!(scene.herd.out("web"), ["web2"], "whose place was never touched");
    scene.wrote("web2", "zero rejoin");
}

#[test]
fn who_claims_its_place_again_has_been_out_since_it_first_did() {
    let scene = Scene::in_service(&[("web1", &["web"])]);
    scene.deploy(&[&BASE, &WEB_1], &WEB);
    scene.lay("web1", "stuck");
    scene.settle(&["web1"]);
    let since = || scene.herd.pool("web").holders[0].since;
    let claimed = since();
    scene.herd.lose_pool("web");
    scene.passes(100);
    scene.settle(&["web1"]);
    assert_eq!((scene.herd.out("web"), since()), (vec!["web1".to_owned()], claimed));
}

/// Somebody who can push lists a host as out.
fn list_as_out(scene: &Scene, host: &str) {
    let uuid = scene.herd.home(host).read_config().unwrap().uuid;
    let claim = Claim { host: host.to_owned(), uuid, nonce: Uuid::new_v4(), since: 0 };
    let pool = Pool { holders: vec![claim], nonce: Uuid::new_v4(), ..scene.herd.pool("web") };
    let (operator, name) = (scene.herd.operator(), RefName::Out("web".into()));
    let expected = operator.get(&name).unwrap();
    let new = Some(operator.write_pool("web", &pool, host, Duration::ZERO).unwrap());
    operator.push(&[RefUpdate { name, expected, new }]).unwrap();
}

#[test]
fn who_has_nothing_to_do_asks_for_the_pools_every_ten_minutes() {
    let scene = Scene::in_service(WEBS);
    let (catalog, quiet) = (catalog(&[&BASE], &WEB), |_: &str| {});
    let system = System::new(scene.herd.root("web1"), command::Real, Hand(Arc::clone(&scene.clock)));
    let mut agent = Agent::open(scene.herd.home("web1"), &catalog, &system, runner(), &quiet).unwrap();
    let mut after = |seconds: u64| {
        scene.passes(seconds);
        for _ in 0..4 {
            agent.tick().unwrap();
        }
        scene.herd.out("web")
    };
    assert_eq!(after(1), Vec::<String>::new());
    list_as_out(&scene, "web1");
    assert_eq!(after(590), ["web1"], "it has not asked again");
    assert_eq!(after(10), Vec::<String>::new());
    scene.wrote("web1", "zero rejoin rejoin");
}
