//! What a host asks of the remote: its own refs, who failed, and the reports of those whom its links wait for. The cost of
//! a host does not grow with the herd.

use std::path::Path;

use wb_core::context::{MaxOut, Migration, Role, StaticWait};
use wb_core::runner::Catalog;
use wb_core::system::Command;
use wb_tests::herd::TestHerd;
use wb_tests::links::{migration, write};

const OTHER_DIGEST: &str = "ffb0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static SCHEMA: Migration =
    migration("schema", "database", 0, "1111111111111111111111111111111111111111", |context| write(context, "schema"));
static PAGE: Migration = Migration {
    wait: Some(StaticWait::all("database")),
    ..migration("page", "web", 1, "2222222222222222222222222222222222222222", |context| write(context, "page"))
};
static BROKEN: Migration = migration("broken", "web", 2, "3333333333333333333333333333333333333333", |context| {
    write(context, "broken")?;
    anyhow::bail!("the page is missing")
});
static MENDED: Migration = Migration {
    digest: OTHER_DIGEST,
    ..migration("broken", "web", 2, "3333333333333333333333333333333333333333", |context| write(context, "mended"))
};

static SHARED: Role = Role { name: "web", max_out: MaxOut::Percent(50), ..Role::PLAIN };

/// More than one at a time, so that it is not the pool that keeps the others from what failed.
static WEB: Role = Role { name: "web", max_out: MaxOut::Hosts(2), ..Role::PLAIN };
static DATABASE: Role = Role { name: "database", ..Role::PLAIN };

const WEBS: [&str; 4] = ["web1", "web2", "web3", "web4"];
const ALL: [&str; 5] = ["db1", "web1", "web2", "web3", "web4"];

fn catalog(migrations: &[&'static Migration]) -> Catalog {
    Catalog::new(migrations.iter().copied(), [&WEB, &DATABASE], []).unwrap()
}

fn base() -> Catalog {
    catalog(&[&SCHEMA, &PAGE])
}

fn new_herd() -> TestHerd {
    let herd = TestHerd::new();
    let web: [&str; 1] = ["web"];
    let webs = WEBS.map(|host| (host, &web[..]));
    herd.add(&[("db1", &["database"])]);
    herd.add(&webs);
    herd
}

fn in_service() -> TestHerd {
    let herd = new_herd();
    herd.deploy(&base());
    herd.settle(&ALL, &base(), 20);
    herd
}

/// The refs of hosts that a host knows as they are now, `report/web1`, in order. As they were when it enrolled it may know
/// others.
fn knows(herd: &TestHerd, host: &str) -> Vec<String> {
    let copy = herd.home(host).state().join("herd.git");
    let (known, all) = (refs(&copy, "refs/seen/"), refs(&herd.remote(), "refs/wildebeest/"));
    let is_host_s = |known: &String| known.contains('/') && !known.starts_with("out/");
    let known = known.into_iter().filter(|known| all.contains(known) && is_host_s(known));
    let named = |known: String| {
        let name = known.split(' ').next().unwrap_or_default().to_owned();
        ALL.iter().fold(name, |name, host| name.replace(&herd.home(host).read_config().unwrap().uuid.to_string(), host))
    };
    let mut known: Vec<String> = known.map(named).collect();
    known.sort();
    known
}

/// Names without `start`, and where they lead.
fn refs(repository: &Path, start: &str) -> Vec<String> {
    let list = ["for-each-ref", "--format=%(refname) %(objectname)", start];
    let listed = Command::new("git").arg("-C").arg(repository).args(list).read().unwrap();
    listed.lines().map(|line| line.replacen(start, "", 1)).collect()
}

#[test]
fn a_host_asks_whom_its_links_wait_for_and_nobody_else() {
    let herd = new_herd();
    herd.deploy(&base());
    herd.settle(&["web1"], &base(), 9);
    assert_eq!(herd.said(&["web1"]), ["web1 waits: `page` (2222222) waits for db1 at the start"]);
    assert_eq!(knows(&herd, "web1"), ["report/db1", "report/web1", "state/web1"]);
    herd.settle(&ALL, &base(), 20);
    assert_eq!(herd.said(&ALL), ALL.map(|host| format!("{host} up to date")));
    assert_eq!(knows(&herd, "db1"), ["report/db1", "state/db1"]);
    assert_eq!(knows(&herd, "web4"), ["report/web4", "state/web4"]);
}

#[test]
fn who_failed_is_known_without_asking_everybody() {
    let herd = in_service();
    let (next, mended) = (catalog(&[&SCHEMA, &PAGE, &BROKEN]), catalog(&[&SCHEMA, &PAGE, &MENDED]));
    herd.deploy(&next);
    herd.settle(&ALL, &next, 20);
    let said = herd.said(&WEBS);
    assert_eq!(said[0], "web1 failed at `broken` (3333333): the page is missing");
    for (host, said) in WEBS.iter().zip(&said).skip(1) {
        assert_eq!(*said, format!("{host} waits: `broken` (3333333) failed on web1"));
        let own = [format!("report/{host}"), format!("state/{host}")];
        assert_eq!(knows(&herd, host), [vec!["failed/web1".to_owned()], own.to_vec()].concat());
    }
    herd.deploy(&mended);
    herd.settle(&ALL, &mended, 30);
    assert_eq!(herd.said(&ALL), ALL.map(|host| format!("{host} up to date")));
    assert_eq!(herd.written("web4"), "page mended");
}

#[test]
fn a_new_host_that_fails_keeps_other_new_hosts_from_it() {
    let herd = new_herd();
    let next = catalog(&[&SCHEMA, &PAGE, &BROKEN]);
    herd.deploy(&next);
    herd.settle(&["db1", "web1"], &next, 20);
    herd.settle(&["web2"], &next, 9);
    assert_eq!((herd.written("web1"), herd.written("web2")), ("page broken".into(), "page".into()));
    assert_eq!(herd.said(&["web2"]), ["web2 waits: `broken` (3333333) failed on web1"]);
}

#[test]
fn of_whom_a_deploy_says_that_they_were_in_load_nobody_is_asked() {
    let shared =
        |migrations: &[&'static Migration]| Catalog::new(migrations.iter().copied(), [&SHARED, &DATABASE], []).unwrap();
    let (before, broken) = (shared(&[&SCHEMA, &PAGE]), shared(&[&SCHEMA, &PAGE, &BROKEN]));
    let herd = new_herd();
    herd.deploy(&before);
    herd.settle(&["db1", "web1", "web2", "web3"], &before, 20);
    herd.deploy_by(&broken, &herd.reports());
    herd.settle(&["web1"], &broken, 9);
    herd.settle(&["web2"], &broken, 2);
    assert_eq!(herd.said(&["web2"]), ["web2 waits: `broken` (3333333) failed on web1"]);
    let asked = |host: &&str| knows(&herd, "web2").contains(&format!("report/{host}"));
    assert_eq!(WEBS.into_iter().filter(asked).collect::<Vec<_>>(), ["web2", "web4"], "web4 was never in load");
}

#[test]
fn of_whom_a_share_may_be_out_is_asked_until_it_says_that_it_was_in_load() {
    let shared =
        |migrations: &[&'static Migration]| Catalog::new(migrations.iter().copied(), [&SHARED, &DATABASE], []).unwrap();
    let (before, broken) = (shared(&[&SCHEMA, &PAGE]), shared(&[&SCHEMA, &PAGE, &BROKEN]));
    let mended = shared(&[&SCHEMA, &PAGE, &MENDED]);
    let herd = new_herd();
    herd.deploy(&before);
    herd.settle(&["db1", "web1", "web2", "web3"], &before, 20);
    herd.deploy(&broken);
    herd.settle(&["web1"], &broken, 9);
    herd.settle(&["web2"], &broken, 2);
    let asked = |host: &str| knows(&herd, "web2").contains(&format!("report/{host}"));
    assert!(WEBS.into_iter().all(asked), "{:?}", knows(&herd, "web2"));
    herd.deploy(&mended);
    herd.settle(&["web1", "web4"], &mended, 9);
    herd.settle(&["web2"], &mended, 9);
    assert!(!asked("web1") && asked("web4"), "{:?}", knows(&herd, "web2"));
    herd.settle(&ALL, &mended, 30);
    assert_eq!(herd.said(&ALL), ALL.map(|host| format!("{host} up to date")));
}
