//! Herds whose members change: hosts that are retired, that get another name, that gain and lose roles.

use std::time::Duration;

use wb_core::agent::identity::Contest;
use wb_core::agent::phase::{Event, Held, Leg};
use wb_core::agent::{AgentError, How, Next, Reports, Store};
use wb_core::change::{ChangeKind, Hold, HostManifest, Identity, Manifest, Retired, Whom};
use wb_core::context::{MaxOut, Migration, Role, StaticWait};
use wb_core::pool::Claim;
use wb_core::registry::{Mirror as _, Pushed, RefName, RefUpdate};
use wb_core::runner::Catalog;
use wb_core::system::Command;
use wb_core::system::files;
use wb_tests::herd::TestHerd;
use wb_tests::links::{WEB, migration, write};

static SCHEMA: Migration =
    migration("schema", "database", 0, "1111111111111111111111111111111111111111", |context| write(context, "schema"));
static PAGE: Migration =
    migration("page", "web", 1, "2222222222222222222222222222222222222222", |context| write(context, "page"));
static TUNING: Migration =
    migration("tuning", "database", 2, "3333333333333333333333333333333333333333", |context| write(context, "tuning"));
static THEME: Migration = Migration {
    wait: Some(StaticWait::all("database")),
    ..migration("theme", "web", 3, "4444444444444444444444444444444444444444", |context| write(context, "theme"))
};
static INDEXES: Migration =
    migration("indexes", "database", 4, "5555555555555555555555555555555555555555", |c| write(c, "indexes"));
static BROKEN: Migration =
    migration("broken", "web", 4, "6666666666666666666666666666666666666666", |_| anyhow::bail!("the page is missing"));
/// It fails where there is a stone, half done.
static STUMBLE: Migration = migration("stumble", "web", 1, "7777777777777777777777777777777777777777", |context| {
    write(context, "half")?;
    anyhow::ensure!(context.system().read_file("/stone")?.is_none(), "there is a stone");
    write(context, "stumble")
});
static MARCH: Migration = Migration {
    replaces: Some((STUMBLE.sha1, STUMBLE.sha1)),
    ..migration("march", "web", 2, "8888888888888888888888888888888888888888", |context| write(context, "march"))
};
static MENDED: Migration = Migration {
    digest: "0123456789012345678901234567890123456789012345678901234567890123",
    ..migration("broken", "web", 4, BROKEN.sha1, |context| write(context, "mended"))
};
static SIZES: Migration =
    migration("sizes", "database", 5, "9999999999999999999999999999999999999999", |context| write(context, "sizes"));

static DATABASE: Role = Role {
    name: "database",
    max_out: MaxOut::Hosts(1),
    leave: |context| write(context, "stop"),
    rejoin: |context| write(context, "start"),
    ..Role::PLAIN
};

fn catalog(migrations: &[&'static Migration]) -> Catalog {
    Catalog::new(migrations.iter().copied(), [&WEB, &DATABASE], []).unwrap()
}

fn base() -> Catalog {
    catalog(&[&SCHEMA, &PAGE, &TUNING, &THEME])
}

fn longer() -> Catalog {
    catalog(&[&SCHEMA, &PAGE, &TUNING, &THEME, &INDEXES])
}

const ALL: [&str; 3] = ["db1", "web1", "web2"];

/// A database and two web servers in service at the tip of [`base`].
fn herd() -> TestHerd {
    let herd = TestHerd::new();
    herd.add(&[("db1", &["database"]), ("web1", &["web"]), ("web2", &["web"])]);
    herd.deploy(&base());
    herd.settle(&ALL, &base(), 20);
    herd
}

/// The change that `cargo xtask host retire` makes, with the refs that it removes.
fn retire(herd: &TestHerd, host: &str) {
    let uuid = herd.home(host).read_config().unwrap().uuid;
    herd.change(ChangeKind::Retire, |manifest| {
        manifest.hosts.remove(host);
        manifest.retired.push(Retired { uuid, name: host.to_owned(), change: manifest.number });
    });
    let _ = herd.newest();
    let there = RefName::of_host(uuid).map(|name| (herd.operator().get(&name).unwrap(), name)).into_iter();
    let there = there.filter(|(there, _)| there.is_some());
    let gone: Vec<_> = there.map(|(expected, name)| RefUpdate { name, expected, new: None }).collect();
    assert_eq!(herd.operator().push(&gone).unwrap(), Pushed::Won);
}

fn tag(herd: &TestHerd, host: &str, roles: &[&str]) {
    herd.change(ChangeKind::Tag, |manifest| {
        manifest.hosts.get_mut(host).unwrap().roles = roles.iter().map(|role| (*role).to_owned()).collect();
    });
}

fn refs(herd: &TestHerd, host: &str) -> usize {
    let uuid = herd.home(host).read_config().unwrap().uuid;
    let _ = herd.newest();
    let there = |name: RefName| herd.operator().get(&name).unwrap().is_some();
    RefName::of_host(uuid).into_iter().filter(|name| there(name.clone())).count()
}

#[test]
fn retiring_a_dead_host_frees_who_waited_for_it_and_for_its_place() {
    let herd = herd();
    herd.add(&[("db2", &["database"]), ("web3", &["web"])]);
    herd.deploy(&catalog(&[&SCHEMA, &PAGE, &TUNING, &THEME, &BROKEN]));
    let broken = catalog(&[&SCHEMA, &PAGE, &TUNING, &THEME, &BROKEN]);
    herd.settle(&["db1", "web1", "web2", "web3"], &broken, 30);
    let waits = "web3 waits: `theme` (4444444) waits for db2 at the start";
    assert_eq!(herd.said(&["web3"]), [waits], "db2 never came");
    assert_eq!(herd.out("web"), ["web1"], "web1 failed, and keeps its place");
    assert_eq!(herd.said(&["web2"]), ["web2 waits: `broken` (6666666) failed on web1"]);
    retire(&herd, "db2");
    herd.settle(&["web3"], &broken, 9);
    assert!(herd.written("web3").starts_with("page theme"), "{}", herd.written("web3"));
    retire(&herd, "web1");
    for _ in 0..4 {
        herd.tick("web2", &broken).unwrap();
    }
    assert_eq!(herd.out("web"), ["web2"], "the place of web1 is free, and so is the link that it failed at");
}

#[test]
fn a_retired_host_does_nothing_and_its_refs_stay_away() {
    let herd = herd();
    retire(&herd, "web2");
    herd.deploy(&longer());
    let before = (herd.written("web2"), herd.record("web2").links);
    for _ in 0..3 {
        assert!(matches!(herd.tick("web2", &longer()), Err(AgentError::Retired { .. })));
    }
    assert_eq!((herd.written("web2"), herd.record("web2").links), before);
    assert_eq!(refs(&herd, "web2"), 0);
    let manifest = herd.newest().unwrap().manifest;
    assert!(herd.operator().newcomers(Some(&manifest)).unwrap().is_empty());
}

#[test]
fn a_host_that_is_retired_in_a_leg_stops_where_it_is() {
    let herd = herd();
    let uuid = herd.home("db1").read_config().unwrap().uuid;
    herd.deploy(&longer());
    herd.tick("db1", &longer()).unwrap();
    let store = Store::open(&herd.home("db1").record()).unwrap();
    assert!(store.record().phase.held().is_none());
    let leg = Leg {
        until: longer().chain().tip().unwrap().sha1,
        held: Some(Held { nonce: uuid, roles: vec!["database".into()], since: 0 }),
    };
    for event in [Event::LegPlanned(leg), Event::ClaimWon, Event::Left] {
        store.happened(event).unwrap();
    }
    let before = (herd.written("db1"), store.record().phase.clone());
    retire(&herd, "db1");
    assert!(matches!(herd.tick("db1", &longer()), Err(AgentError::Retired { .. })));
    assert_eq!((herd.written("db1"), herd.record("db1").phase), before);
    assert_eq!(refs(&herd, "db1"), 0);
}

#[test]
fn a_retired_machine_enrolls_anew_and_runs_nothing_twice() {
    let herd = herd();
    let old = herd.home("web2").read_config().unwrap().uuid;
    let key = files::read_text(herd.home("web2").key()).unwrap();
    retire(&herd, "web2");
    assert!(matches!(herd.tick("web2", &base()), Err(AgentError::Retired { .. })));
    let public = herd.enroll_as("web2", "web9", herd.allowed_signers()).unwrap();
    let config = herd.home("web2").read_config().unwrap();
    assert_ne!((config.uuid, files::read_text(herd.home("web2").key()).unwrap()), (old, key));
    let newcomers = herd.operator().newcomers(Some(&herd.newest().unwrap().manifest)).unwrap();
    assert_eq!(newcomers.iter().map(|report| report.name.as_str()).collect::<Vec<_>>(), ["web9"]);
    herd.change(ChangeKind::Admit, |manifest| {
        let mut host = manifest.hosts["web1"].clone();
        host.identity = Some(Identity { uuid: config.uuid, key: public });
        manifest.hosts.insert("web9".into(), host);
    });
    herd.settle(&["web2"], &base(), 9);
    assert_eq!(herd.written("web2"), "page theme rejoin rejoin");
    assert_eq!(herd.said(&["web9"]), ["web9 up to date"]);
}

/// Lets the retired `web2` enrol as `web9`, and join.
fn enrolls_anew(herd: &TestHerd) {
    let old = herd.home("web2").read_config().unwrap().uuid;
    let key = herd.enroll_as("web2", "web9", herd.allowed_signers()).unwrap();
    let uuid = herd.home("web2").read_config().unwrap().uuid;
    assert_ne!(uuid, old);
    herd.change(ChangeKind::Admit, |manifest| {
        let host = HostManifest { identity: Some(Identity { uuid, key }), ..manifest.hosts["web1"].clone() };
        manifest.hosts.insert("web9".into(), host);
    });
    herd.settle(&["web2"], &base(), 9);
    assert_eq!(herd.said(&["web9"]), ["web9 up to date"]);
}

#[test]
fn what_was_contested_of_a_retired_machine_is_not_what_it_enrolls_as() {
    let herd = herd();
    let contest = Contest { why: "two machines claim it".into(), announced: true, place: None, lost: false };
    Store::open(&herd.home("web2").record()).unwrap().update(|record| record.contested = Some(contest)).unwrap();
    retire(&herd, "web2");
    enrolls_anew(&herd);
}

#[test]
fn a_retired_machine_whose_reports_were_forgotten_enrolls_anew() {
    let herd = herd();
    retire(&herd, "web2");
    let store = Store::open(&herd.home("web2").record()).unwrap();
    store.update(|record| record.reports = Reports::default()).unwrap();
    enrolls_anew(&herd);
}

#[test]
fn a_renamed_host_goes_on_under_its_new_name() {
    let herd = herd();
    herd.change(ChangeKind::Rename, |manifest| {
        let host = manifest.hosts.remove("web2").unwrap();
        manifest.hosts.insert("shop1".into(), host);
    });
    assert_eq!(herd.reports().keys().collect::<Vec<_>>(), ["db1", "shop1", "web1"], "its report is known at once");
    herd.settle(&ALL, &base(), 9);
    assert_eq!(herd.home("web2").read_config().unwrap().name, "shop1");
    assert_eq!(herd.reports()["shop1"].name, "shop1");
    assert_eq!(herd.said(&["shop1"]), ["shop1 up to date"]);
    assert_eq!(herd.written("web2"), "page theme rejoin", "a name is no reason to run anything");
}

#[test]
fn a_host_whose_files_can_not_be_written_goes_on_under_its_new_name() {
    let herd = herd();
    herd.change(ChangeKind::Rename, |manifest| {
        let host = manifest.hosts.remove("web2").unwrap();
        manifest.hosts.insert("shop1".into(), host);
    });
    let etc = herd.home("web2").host_toml().parent().unwrap().display().to_string();
    if Command::new("mount").args(["--bind", &etc, &etc]).read().is_err() {
        return eprintln!("skipped: only root can mount");
    }
    Command::new("mount").args(["-o", "remount,ro,bind", &etc]).read().unwrap();
    let turn = herd.tick("web2", &base());
    Command::new("umount").arg(&etc).read().unwrap();
    assert_eq!(turn.unwrap(), Next::Poll);
    assert_eq!(herd.said(&["shop1"]), ["shop1 up to date"]);
    assert_eq!(herd.home("web2").read_config().unwrap().name, "web2");
    herd.tick("web2", &base()).unwrap();
    assert_eq!(herd.home("web2").read_config().unwrap().name, "shop1");
}

/// Sets who is out of a role's pool, as if that host had claimed.
fn set_out(herd: &TestHerd, role: &str, host: Option<&str>) {
    let _ = herd.newest();
    let (expected, mut pool) = herd.operator().pool(role).unwrap();
    let claim = |host: &str| {
        let uuid = herd.home(host).read_config().unwrap().uuid;
        Claim { host: host.to_owned(), uuid, nonce: uuid, since: 0 }
    };
    pool.holders = host.map(claim).into_iter().collect();
    let commit =
        herd.operator().write_pool(role, &pool, "somebody", Duration::from_secs(u64::from(host.is_some()))).unwrap();
    let update = RefUpdate { name: RefName::Out(role.to_owned()), expected, new: Some(commit) };
    assert_eq!(herd.operator().push(&[update]).unwrap(), Pushed::Won);
}

#[test]
fn a_host_that_gains_a_role_catches_up_out_of_load_and_runs_nothing_twice() {
    let herd = herd();
    set_out(&herd, "database", Some("db1"));
    tag(&herd, "web1", &["database", "web"]);
    herd.settle(&["web1"], &base(), 9);
    herd.add(&[("web3", &["web"])]);
    herd.settle(&["web1", "web3"], &base(), 9);
    assert_eq!((herd.record("web1").state(), herd.record("web1").ahead.len()), (None, 2), "it went back");
    let waiting = [
        "web1 waits: for a place in the pool of database: 1 of 1 out already: db1",
        "web2 up to date",
        "web3 waits: `theme` (4444444) waits for web1 at the start",
    ];
    assert_eq!(herd.said(&["web1", "web2", "web3"]), waiting);
    set_out(&herd, "database", None);
    herd.settle(&["web1", "web3"], &base(), 12);
    assert_eq!(herd.written("web1"), "page theme rejoin stop leave schema tuning start rejoin");
    let record = herd.record("web1");
    assert_eq!(record.links.iter().map(|link| link.how).collect::<Vec<_>>(), [How::Done; 4]);
    assert!(record.ahead.is_empty());
    assert_eq!(herd.said(&["web1", "web3"]), ["web1 up to date", "web3 up to date"]);
    assert_eq!((herd.out("web"), herd.out("database")), (vec![], vec![]));
}

#[test]
fn a_host_never_in_service_gains_a_role_without_claims() {
    let herd = TestHerd::new();
    herd.add(&[("db1", &["database"]), ("web1", &["web"])]);
    herd.deploy(&base());
    herd.settle(&["web1"], &base(), 9);
    assert_eq!(herd.written("web1"), "page", "it waits for db1");
    tag(&herd, "web1", &["database", "web"]);
    for _ in 0..20 {
        herd.tick("web1", &base()).unwrap();
        herd.tick("db1", &base()).unwrap();
        assert!(herd.out("web").is_empty() && herd.out("database").is_empty());
    }
    assert_eq!(herd.written("web1"), "page schema tuning theme start rejoin");
}

#[test]
fn a_host_that_loses_a_role_passes_its_links_over() {
    let herd = herd();
    tag(&herd, "db1", &[]);
    herd.deploy(&longer());
    herd.settle(&ALL, &longer(), 12);
    assert_eq!(herd.written("db1"), "schema tuning start");
    assert_eq!(herd.record("db1").links.last().unwrap().how, How::PassedOver);
    tag(&herd, "db1", &["database"]);
    herd.settle(&ALL, &longer(), 12);
    assert_eq!(herd.written("db1"), "schema tuning start stop indexes start");
}

#[test]
fn a_role_that_is_lost_in_a_leg_is_given_back_and_not_rejoined() {
    let herd = herd();
    tag(&herd, "web1", &["database", "web"]);
    herd.settle(&ALL, &base(), 12);
    herd.deploy(&longer());
    // It has claimed and left, and dies.
    let store = Store::open(&herd.home("web1").record()).unwrap();
    let nonce = herd.home("web1").read_config().unwrap().uuid;
    let held = Held { nonce, roles: vec!["database".into(), "web".into()], since: 0 };
    let leg = Leg { until: longer().chain().tip().unwrap().sha1, held: Some(held) };
    for event in [Event::LegPlanned(leg), Event::ClaimWon, Event::Left] {
        store.happened(event).unwrap();
    }
    tag(&herd, "web1", &["web"]);
    herd.settle(&["web1"], &longer(), 12);
    assert_eq!(herd.written("web1"), "page theme rejoin stop leave schema tuning start rejoin rejoin");
    assert_eq!((herd.out("web"), herd.out("database")), (vec![], vec![]));
}

#[test]
fn what_was_begun_before_a_role_was_gained_is_ended_although_a_baseline_stands_for_it() {
    let herd = TestHerd::new();
    herd.add(&[("web1", &["web"])]);
    let (before, after) = (catalog(&[&SCHEMA, &STUMBLE]), catalog(&[&SCHEMA, &STUMBLE, &MARCH]));
    files::write(herd.root("web1").join("stone"), "", 0o644).unwrap();
    herd.deploy(&before);
    herd.settle(&["web1"], &before, 9);
    assert_eq!(herd.said(&["web1"]), ["web1 failed at `stumble` (7777777): there is a stone"]);
    files::remove(herd.root("web1").join("stone")).unwrap();
    herd.deploy(&after);
    tag(&herd, "web1", &["database", "web"]);
    herd.settle(&["web1"], &after, 12);
    assert_eq!(herd.written("web1"), "half schema half stumble start rejoin");
    assert_eq!(herd.record("web1").unended.len(), 0);
}

/// `web1` has both roles, and failed amid the link `broken` of web, which it passed over when web was lost. Web was given
/// back. Its leg is for both roles.
fn amid_a_link(herd: &TestHerd, after: &Catalog) -> Store {
    tag(herd, "web1", &["database", "web"]);
    herd.settle(&ALL, &base(), 12);
    herd.deploy(after);
    let store = Store::open(&herd.home("web1").record()).unwrap();
    let [.., broken, sizes] = after.chain().links() else { panic!("six links") };
    store.passed_over(std::slice::from_ref(broken), 1).unwrap();
    store.update(|record| record.unended.extend([(broken.sha1, true)])).unwrap();
    let nonce = herd.home("web1").read_config().unwrap().uuid;
    let held = Held { nonce, roles: vec!["database".into(), "web".into()], since: 0 };
    for event in [Event::LegPlanned(Leg { until: sizes.sha1, held: Some(held) }), Event::ClaimWon] {
        store.happened(event).unwrap();
    }
    store
}

const BEFORE: &str = "page theme rejoin stop leave schema tuning start rejoin";
const FAILED: &str = "web1 failed at `broken` (6666666): the page is missing";

#[test]
fn nobody_comes_back_as_a_role_amid_a_link_of_it() {
    let (herd, after) = (herd(), catalog(&[&SCHEMA, &PAGE, &TUNING, &THEME, &BROKEN, &SIZES]));
    amid_a_link(&herd, &after);
    let hold = |manifest: &mut Manifest| {
        manifest.holds.push(Hold { whom: Whom::Herd, change: manifest.number, why: "a sale".into() });
    };
    herd.change(ChangeKind::Hold, hold);
    herd.settle(&["web1"], &after, 12);
    assert_eq!(herd.written("web1"), format!("{BEFORE} start"), "it turns back, but not as web");
    assert_eq!([herd.out("web"), herd.out("database")], [[""; 0], [""; 0]]);
    herd.boot_again("web1");
    herd.settle(&["web1"], &after, 12);
    assert_eq!(herd.written("web1"), format!("{BEFORE} start leave"), "a boot brings it back as web no more");
    herd.change(ChangeKind::Resume, |manifest| manifest.holds.clear());
    herd.settle(&["web1"], &after, 12);
    assert_eq!(herd.written("web1"), format!("{BEFORE} start leave stop leave"));
    assert_eq!(herd.said(&["web1"]), [FAILED]);

    let mended = catalog(&[&SCHEMA, &PAGE, &TUNING, &THEME, &MENDED, &SIZES]);
    herd.deploy(&mended);
    herd.settle(&["web1"], &mended, 12);
    assert_eq!(herd.written("web1"), format!("{BEFORE} start leave stop leave mended sizes start rejoin"));
    assert_eq!(herd.record("web1").left_behind.len(), 0);
}
