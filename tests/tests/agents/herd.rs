//! Herds of agents over real git: they roll one by one, stop at failures, and believe only what is signed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wb_core::Uuid;
use wb_core::agent::phase::{Leg, Phase};
use wb_core::agent::{Agent, AgentError, How, Next, verify};
use wb_core::chain::{Digest, Sha1};
use wb_core::change::{ChangeKind, Runner};
use wb_core::context::{MaxOut, Migration, Role, Spec, StaticWait};
use wb_core::pool::{Claim, Pool};
use wb_core::registry::{AllowedSigners, ChangeLog, Mirror as _, NewCommit, RefName, RefUpdate, generate};
use wb_core::runner::{Catalog, platform};
use wb_core::system::files::{self, Attributes};
use wb_core::system::{System, clock, command};
use wb_stdlib::{Host, Look as _};
use wb_tests::herd::TestHerd;
use wb_tests::hook;
use wb_tests::links::{WEB, migration, write};

const OTHER_DIGEST: &str = "ffb0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static DATABASE: Migration =
    migration("schema", "database", 0, "1111111111111111111111111111111111111111", |context| write(context, "schema"));
static FIRST: Migration =
    migration("first", "web", 1, "2222222222222222222222222222222222222222", |context| write(context, "first"));
static FIRST_AMENDED: Migration = Migration {
    digest: OTHER_DIGEST,
    ..migration("first", "web", 1, "2222222222222222222222222222222222222222", |context| write(context, "amended"))
};
static SECOND: Migration = Migration {
    wait: Some(StaticWait::all("database")),
    ..migration("second", "web", 2, "3333333333333333333333333333333333333333", |context| write(context, "second"))
};
static THIRD: Migration =
    migration("third", "web", 3, "4444444444444444444444444444444444444444", |context| write(context, "third"));
static BROKEN: Migration = migration("broken", "web", 3, "5555555555555555555555555555555555555555", |context| {
    write(context, "broken")?;
    anyhow::bail!("the page is missing")
});
static MENDED: Migration = Migration {
    digest: OTHER_DIGEST,
    ..migration("broken", "web", 3, "5555555555555555555555555555555555555555", |context| write(context, "mended"))
};
static PANICS: Migration =
    migration("panics", "web", 3, "6666666666666666666666666666666666666666", |_| panic!("out of luck"));

static FOURTH: Migration =
    migration("fourth", "web", 4, "7777777777777777777777777777777777777777", |context| write(context, "fourth"));
static LAME: Migration =
    migration("fourth", "web", 4, "7777777777777777777777777777777777777777", |context| write(context, "lame"));

static DATABASE_ROLE: Role =
    Role { name: "database", max_out: MaxOut::Hosts(1), leave: |_| Ok(()), rejoin: |_| Ok(()), ..Role::PLAIN };
static FAILING_SPEC: Spec = Spec::new("fleet::chain::third", "answers", |_| anyhow::bail!("expected 200, found 502"));

/// What hosts of the role `web` are to be like from `first` on: without a file `unfit`.
static FIT: Spec = Spec::new("fleet::chain::first", "is_fit", |context| {
    anyhow::ensure!(context.system().read_file("/unfit")?.is_none(), "expected an answer, found none");
    Ok(())
})
.of_role("web");

/// What stands in no migration's file, and what `fourth` alone brings about.
static READY: Spec = Spec::new("fleet::roles", "is_ready", |context| {
    let written = context.system().read_file("/written")?.unwrap_or_default();
    let is_there = String::from_utf8_lossy(&written).contains("fourth");
    anyhow::ensure!(is_there, "expected what `fourth` brings, found none");
    Ok(())
})
.of_role("web");

fn catalog(migrations: &[&'static Migration]) -> Catalog {
    Catalog::new(migrations.iter().copied(), [&WEB, &DATABASE_ROLE], []).unwrap()
}

fn base() -> Catalog {
    catalog(&[&DATABASE, &FIRST, &SECOND])
}

const WEBS: [&str; 3] = ["web1", "web2", "web3"];
const ALL: [&str; 4] = ["db1", "web1", "web2", "web3"];

/// Four hosts in service at the tip of [`base`].
fn herd() -> TestHerd {
    let herd = TestHerd::new();
    herd.add(&[("db1", &["database"]), ("web1", &["web"]), ("web2", &["web"]), ("web3", &["web"])]);
    herd.deploy(&base());
    herd.settle(&ALL, &base(), 20);
    herd
}

#[test]
fn a_new_herd_comes_to_the_tip_and_enters_service() {
    let herd = herd();
    for host in WEBS {
        assert_eq!(herd.written(host), "first second rejoin", "{host}");
        let record = herd.record(host);
        assert_eq!(record.state().unwrap().to_string(), "3".repeat(40));
        assert_eq!(
            record.links.iter().map(|link| link.how).collect::<Vec<_>>(),
            [How::PassedOver, How::Done, How::Done]
        );
        assert!(record.in_service && record.phase == Phase::InLoad);
    }
    assert_eq!(herd.written("db1"), "schema");
    assert_eq!(herd.said(&ALL), ALL.map(|host| format!("{host} up to date")));
}

#[test]
fn a_link_waits_for_the_other_role() {
    let herd = TestHerd::new();
    herd.add(&[("db1", &["database"]), ("web1", &["web"])]);
    herd.deploy(&base());
    herd.settle(&["web1"], &base(), 9);
    assert_eq!(herd.written("web1"), "first");
    assert_eq!(herd.said(&["web1"]), ["web1 waits: `second` (3333333) waits for db1 at the start"]);
    herd.settle(&["db1", "web1"], &base(), 9);
    assert_eq!(herd.written("web1"), "first second rejoin");
}

#[test]
fn hosts_in_service_roll_one_by_one() {
    let herd = herd();
    let next = catalog(&[&DATABASE, &FIRST, &SECOND, &THIRD]);
    herd.deploy(&next);
    for _ in 0..12 {
        for host in ALL {
            herd.tick(host, &next).unwrap();
            assert!(herd.out("web").len() <= 1, "{:?}", herd.out("web"));
        }
    }
    for host in WEBS {
        assert_eq!(herd.written(host), "first second rejoin leave third rejoin", "{host}");
    }
    assert_eq!(herd.said(&ALL), ALL.map(|host| format!("{host} up to date")));
    assert_eq!(herd.out("web"), Vec::<String>::new());
}

#[test]
fn state_refs_show_where_hosts_are() {
    let herd = herd();
    herd.operator().fetch(&["refs/wildebeest/".into()]).unwrap();
    let uuid = herd.home("web1").read_config().unwrap().uuid;
    let state = herd.operator().get(&RefName::State(uuid)).unwrap().unwrap();
    let commit = herd.operator().objects().read(state).unwrap();
    assert_eq!(commit.subject(), "web1 at `second` (3333333)");
}

#[test]
fn a_failure_stops_the_host_out_of_load_and_keeps_the_others_in() {
    let herd = herd();
    let broken = catalog(&[&DATABASE, &FIRST, &SECOND, &BROKEN]);
    herd.deploy(&broken);
    herd.settle(&ALL, &broken, 9);
    assert_eq!(herd.out("web"), ["web1"]);
    assert_eq!(herd.written("web1"), "first second rejoin leave broken");
    assert_eq!(herd.written("web2"), "first second rejoin");
    let why = "waits: `broken` (5555555) failed on web1";
    let failed = "web1 failed at `broken` (5555555): the page is missing";
    assert_eq!(herd.said(&WEBS), [failed.to_owned(), format!("web2 {why}"), format!("web3 {why}")]);
}

#[test]
fn what_failed_is_not_tried_again_until_it_changes() {
    let herd = herd();
    let broken = catalog(&[&DATABASE, &FIRST, &SECOND, &BROKEN]);
    herd.deploy(&broken);
    herd.settle(&ALL, &broken, 9);
    herd.settle(&ALL, &broken, 3);
    assert_eq!(herd.written("web1"), "first second rejoin leave broken");
    let mended = catalog(&[&DATABASE, &FIRST, &SECOND, &MENDED]);
    herd.deploy(&mended);
    herd.settle(&ALL, &mended, 20);
    assert_eq!(herd.written("web1"), "first second rejoin leave broken mended rejoin");
    assert_eq!(herd.written("web3"), "first second rejoin leave mended rejoin");
    assert_eq!(herd.out("web"), Vec::<String>::new());
}

#[test]
fn who_completed_a_link_never_sees_its_amendment() {
    let herd = herd();
    let amended = catalog(&[&DATABASE, &FIRST_AMENDED, &SECOND, &THIRD]);
    herd.deploy(&amended);
    herd.settle(&ALL, &amended, 20);
    assert_eq!(herd.written("web1"), "first second rejoin leave third rejoin");
}

#[test]
fn a_panic_is_a_failure() {
    let herd = herd();
    let panics = catalog(&[&DATABASE, &FIRST, &SECOND, &PANICS]);
    herd.deploy(&panics);
    herd.settle(&ALL, &panics, 9);
    assert_eq!(herd.said(&["web1"]), ["web1 failed at `panics` (6666666): panicked: out of luck"]);
}

#[test]
fn a_spec_that_does_not_hold_is_a_failure() {
    let herd = herd();
    let migrations = [&DATABASE, &FIRST, &SECOND, &THIRD];
    let next = Catalog::new(migrations, [&WEB, &DATABASE_ROLE], [&FAILING_SPEC]).unwrap();
    herd.deploy(&next);
    herd.settle(&ALL, &next, 9);
    let expect = "web1 failed at `third` (4444444): spec `answers`: expected 200, found 502";
    assert_eq!(herd.said(&["web1"]), [expect]);
    assert_eq!(herd.record("web1").state().unwrap().to_string(), "3".repeat(40));
}

/// Says that hosts are, or are not, what their roles promise.
fn unfit(herd: &TestHerd, hosts: &[&str], unfit: bool) {
    for path in hosts.iter().map(|host| herd.root(host).join("unfit")) {
        match unfit {
            true => files::write(path, "", 0o644).unwrap(),
            false => drop(files::remove(path).unwrap()),
        }
    }
}

#[test]
fn who_is_not_what_its_role_promises_stays_out_of_load_until_it_is() {
    let herd = herd();
    let next = Catalog::new([&DATABASE, &FIRST, &SECOND, &THIRD], [&WEB, &DATABASE_ROLE], [&FIT]).unwrap();
    unfit(&herd, &["db1", "web1"], true);
    herd.deploy(&next);
    herd.settle(&ALL, &next, 9);
    assert_eq!(herd.written("web1"), "first second rejoin leave third");
    assert_eq!(herd.out("web"), ["web1"]);
    let said = ["db1 up to date", "web1 can't rejoin: spec `is_fit` of role web: expected an answer, found none"];
    assert_eq!(herd.said(&["db1", "web1"]), said);
    assert_eq!(herd.written("web2"), "first second rejoin", "nobody else takes its place");
    unfit(&herd, &["web1"], false);
    herd.settle(&ALL, &next, 20);
    for host in WEBS {
        assert_eq!(herd.written(host), "first second rejoin leave third rejoin", "{host}");
    }
    assert_eq!(herd.out("web"), Vec::<String>::new());
}

#[test]
fn who_is_new_enters_service_as_what_its_role_promises() {
    let herd = TestHerd::new();
    herd.add(&[("db1", &["database"]), ("web1", &["web"])]);
    unfit(&herd, &["web1"], true);
    let next = Catalog::new([&DATABASE, &FIRST, &SECOND], [&WEB, &DATABASE_ROLE], [&FIT]).unwrap();
    herd.deploy(&next);
    herd.settle(&["db1", "web1"], &next, 20);
    assert_eq!((herd.written("web1"), herd.record("web1").in_service), ("first second".into(), false));
    unfit(&herd, &["web1"], false);
    herd.settle(&["db1", "web1"], &next, 20);
    assert_eq!((herd.written("web1"), herd.record("web1").in_service), ("first second rejoin".into(), true));
}

/// Up to `last`, of whom the role `web` promises in no migration's file what `fourth` alone brings about.
fn ready_by(last: &'static Migration) -> Catalog {
    let links = [&DATABASE, &FIRST, &SECOND, &THIRD, last];
    Catalog::new(links, [&WEB, &DATABASE_ROLE], [&READY]).unwrap()
}

/// Deploys all of a catalog, and lets the herd go no further than to this link.
fn deploy_until(herd: &TestHerd, catalog: &Catalog, link: &Migration) {
    herd.change(ChangeKind::Deploy, |manifest| {
        manifest.chain = catalog.chain().clone();
        manifest.target = Some(link.sha1.parse().unwrap());
        manifest.roles = catalog.policies().clone();
    });
}

/// What is not asked yet of a host, as it says of itself.
fn not_yet(herd: &TestHerd, host: &str, catalog: &Catalog) -> Vec<String> {
    let later = herd.with_agent(host, catalog, |agent| {
        agent.tick().unwrap();
        verify::later(agent, catalog)
    });
    later.iter().map(ToString::to_string).collect()
}

#[test]
fn who_is_to_stop_before_what_its_role_promises_comes_back_into_load_all_the_same() {
    let (herd, next) = (herd(), ready_by(&FOURTH));
    deploy_until(&herd, &next, &THIRD);
    herd.settle(&ALL, &next, 20);
    for host in WEBS {
        assert_eq!(herd.written(host), "first second rejoin leave third rejoin", "{host}");
    }
    assert_eq!((herd.out("web"), herd.said(&["web1"])), (vec![], vec!["web1 up to date".to_owned()]));
    let expect = "not yet role web  is_ready: it is asked from `fourth` (7777777) on";
    assert_eq!(not_yet(&herd, "web1", &next), [expect]);
    herd.deploy(&next);
    herd.settle(&ALL, &next, 20);
    for host in WEBS {
        assert_eq!(herd.written(host), "first second rejoin leave third rejoin leave fourth rejoin", "{host}");
    }
    assert_eq!(not_yet(&herd, "web1", &next), [""; 0]);
}

#[test]
fn who_is_new_and_is_to_stop_before_what_its_role_promises_enters_service_all_the_same() {
    let (herd, next) = (TestHerd::new(), ready_by(&FOURTH));
    herd.add(&[("db1", &["database"]), ("web1", &["web"])]);
    deploy_until(&herd, &next, &THIRD);
    herd.settle(&["db1", "web1"], &next, 20);
    assert_eq!((herd.written("web1"), herd.record("web1").in_service), ("first second third rejoin".into(), true));
    assert_eq!(herd.said(&["web1"]), ["web1 up to date"]);
}

#[test]
fn who_is_at_the_end_of_the_chain_and_is_not_what_its_role_promises_stays_out_of_load() {
    let (herd, next) = (herd(), ready_by(&LAME));
    deploy_until(&herd, &next, &THIRD);
    herd.settle(&ALL, &next, 20);
    herd.deploy(&next);
    herd.settle(&ALL, &next, 9);
    assert_eq!(herd.written("web1"), "first second rejoin leave third rejoin leave lame");
    assert_eq!(herd.out("web"), ["web1"]);
    let expect = "web1 can't rejoin: spec `is_ready` of role web: expected what `fourth` brings, found none";
    assert_eq!(herd.said(&["web1"]), [expect]);
}

/// Ends before `fourth`, without which no host is what its role promises.
fn never_ready() -> Catalog {
    Catalog::new([&DATABASE, &FIRST, &SECOND, &THIRD], [&WEB, &DATABASE_ROLE], [&READY]).unwrap()
}

#[test]
fn who_was_kept_out_at_the_end_of_a_chain_does_not_bear_load_because_a_link_came_but_runs_it_first() {
    let (herd, before, next) = (herd(), never_ready(), ready_by(&FOURTH));
    herd.deploy(&before);
    herd.settle(&ALL, &before, 9);
    assert_eq!(herd.written("web1"), "first second rejoin leave third");
    assert_eq!(herd.record("web1").kept_out_by.into_iter().collect::<Vec<_>>(), ["`is_ready` of role web"]);
    deploy_until(&herd, &next, &THIRD);
    herd.settle(&ALL, &next, 9);
    assert_eq!(herd.written("web1"), "first second rejoin leave third");
    assert_eq!(herd.out("web"), ["web1"]);
    let expect = "web1 can't rejoin: spec `is_ready` of role web: expected what `fourth` brings, found none";
    assert_eq!(herd.said(&["web1"]), [expect]);
    herd.deploy(&next);
    herd.settle(&ALL, &next, 20);
    assert_eq!(herd.written("web1"), "first second rejoin leave third leave fourth rejoin");
    assert_eq!(herd.written("web2"), "first second rejoin leave third fourth rejoin");
    assert!(herd.record("web1").kept_out_by.is_empty() && herd.out("web").is_empty());
}

#[test]
fn who_is_new_and_was_kept_out_of_service_runs_a_link_that_came_before_it_enters() {
    let (herd, before, next) = (TestHerd::new(), never_ready(), ready_by(&FOURTH));
    herd.add(&[("db1", &["database"]), ("web1", &["web"])]);
    herd.deploy(&before);
    herd.settle(&["db1", "web1"], &before, 20);
    assert_eq!((herd.written("web1"), herd.record("web1").in_service), ("first second third".into(), false));
    herd.deploy(&next);
    herd.settle(&["db1", "web1"], &next, 20);
    assert_eq!(herd.written("web1"), "first second third fourth rejoin");
    assert!(herd.record("web1").in_service);
}

#[test]
fn after_a_boot_who_was_out_leaves_again_first() {
    let herd = herd();
    let broken = catalog(&[&DATABASE, &FIRST, &SECOND, &BROKEN]);
    herd.deploy(&broken);
    herd.tick("web1", &broken).unwrap();
    let store = wb_core::agent::Store::open(&herd.home("web1").record()).unwrap();
    store.update(|record| record.boot_id = "another boot".into()).unwrap();
    herd.tick("web1", &broken).unwrap();
    assert_eq!(herd.written("web1"), "first second rejoin leave broken leave");
    herd.tick("web1", &broken).unwrap();
    assert_eq!(herd.written("web1"), "first second rejoin leave broken leave");
}

#[test]
fn a_host_that_left_the_herd_holds_nobody_up() {
    let herd = herd();
    let broken = catalog(&[&DATABASE, &FIRST, &SECOND, &BROKEN]);
    herd.deploy(&broken);
    herd.tick("web1", &broken).unwrap();
    assert_eq!(herd.out("web"), ["web1"]);
    let mended = catalog(&[&DATABASE, &FIRST, &SECOND, &MENDED]);
    herd.change(ChangeKind::Deploy, |manifest| {
        manifest.hosts.remove("web1");
        manifest.chain = mended.chain().clone();
    });
    herd.settle(&["db1", "web2", "web3"], &mended, 20);
    assert_eq!(herd.written("web3"), "first second rejoin leave mended rejoin");
    assert_eq!(herd.out("web"), Vec::<String>::new());
}

/// Puts a host back into the phase that it was in when it crashed, as its disk would have it, and goes on.
fn goes_on_from(phase: impl FnOnce(Leg) -> Phase, expect: &str) {
    let herd = herd();
    let broken = catalog(&[&DATABASE, &FIRST, &SECOND, &BROKEN]);
    herd.deploy(&broken);
    herd.tick("web1", &broken).unwrap();
    let Phase::Failed { leg, .. } = herd.record("web1").phase else { panic!("{:?}", herd.record("web1").phase) };
    let store = wb_core::agent::Store::open(&herd.home("web1").record()).unwrap();
    // In most of these phases it has not begun the link.
    store
        .update(|record| (record.phase, record.started, record.unended) = (phase(leg), None, BTreeMap::new()))
        .unwrap();
    let mended = catalog(&[&DATABASE, &FIRST, &SECOND, &MENDED]);
    herd.deploy(&mended);
    herd.settle(&ALL, &mended, 20);
    assert_eq!(herd.written("web1"), format!("first second rejoin leave broken {expect}"));
    assert_eq!(herd.out("web"), Vec::<String>::new());
    assert_eq!(herd.said(&ALL), ALL.map(|host| format!("{host} up to date")));
}

#[test]
fn a_host_goes_on_from_every_phase_in_which_it_may_crash() {
    let link: Sha1 = "5555555555555555555555555555555555555555".parse().unwrap();
    goes_on_from(|leg| Phase::Claiming { leg }, "leave mended rejoin");
    goes_on_from(|leg| Phase::Leaving { leg }, "leave mended rejoin");
    goes_on_from(|leg| Phase::Out { leg }, "mended rejoin");
    goes_on_from(|leg| Phase::Running { leg, link }, "mended rejoin");
    goes_on_from(|leg| Phase::Rejoining { held: leg.held }, "rejoin leave mended rejoin");
    goes_on_from(|leg| Phase::Returning { held: leg.held.unwrap() }, "leave mended rejoin");
}

#[test]
fn a_host_that_a_pool_lists_as_out_rejoins_and_gives_its_place_back() {
    goes_on_from(|_| Phase::InLoad, "rejoin leave mended rejoin");
}

fn stopped(herd: &TestHerd, host: &str, expect: &str) {
    herd.tick(host, &base()).unwrap();
    let said = herd.said(&[host]).remove(0);
    assert!(said.contains("stopped") && said.contains(expect), "{said}");
    assert_eq!(herd.written(host), "first second rejoin");
}

/// Moves the log of changes to a commit that somebody else made.
fn usurp(herd: &TestHerd, commit: Sha1) {
    let expected = herd.operator().get(&RefName::Changes).unwrap();
    herd.operator().push(&[RefUpdate { name: RefName::Changes, expected, new: Some(commit) }]).unwrap();
}

fn forged(herd: &TestHerd, dir: &Path) -> Sha1 {
    let newest = herd.newest().unwrap();
    let mut manifest = newest.manifest.clone();
    manifest.number += 1;
    let key = generate(&dir.join("mallory"), "mallory").unwrap();
    let allowed = AllowedSigners::new("");
    ChangeLog::new(herd.operator().objects(), &allowed).write(Some(&newest), &manifest, &key).unwrap()
}

#[test]
fn a_change_signed_by_a_stranger_is_refused() {
    let (herd, dir) = (herd(), tempfile::tempdir().unwrap());
    let commit = forged(&herd, dir.path());
    usurp(&herd, commit);
    let accepted = herd.record("web1").accepted;
    herd.tick("web1", &base()).unwrap();
    assert_eq!(herd.record("web1").accepted, accepted);
    let report = host_report(&herd, "web1");
    assert!(report.contains("is by nobody in `allowed_signers`"), "{report}");
}

#[test]
fn an_unsigned_change_is_refused() {
    let herd = herd();
    let newest = herd.newest().unwrap();
    let manifest = newest.manifest.encode().into_bytes();
    let new = NewCommit {
        message: "a change".into(),
        files: [("manifest.json".to_owned(), manifest)].into(),
        parent: Some(newest.sha1),
        author: ("m".into(), "m@x".into()),
        ..NewCommit::default()
    };
    let commit = herd.operator().objects().write(&new, None).unwrap();
    usurp(&herd, commit);
    herd.tick("web1", &base()).unwrap();
    let report = host_report(&herd, "web1");
    assert!(report.contains(&format!("the commit {} is not signed", commit.short())), "{report}");
}

/// What a host says, read without a look at the log, which these tests break.
fn host_report(herd: &TestHerd, host: &str) -> String {
    herd.operator().fetch(&["refs/wildebeest/".into()]).unwrap();
    let uuid = herd.home(host).read_config().unwrap().uuid;
    let sha1 = herd.operator().get(&RefName::Report(uuid)).unwrap().unwrap();
    herd.operator().objects().read(sha1).unwrap().message
}

#[test]
fn a_log_that_was_rewound_is_refused() {
    let herd = herd();
    let newest = herd.newest().unwrap();
    let parent = herd.operator().objects().read(newest.sha1).unwrap().parents[0];
    usurp(&herd, parent);
    let expect = format!("does not contain {}, which was accepted before", newest.sha1.short());
    stopped(&herd, "web1", &expect);
}

#[test]
fn a_log_that_is_gone_is_noticed() {
    let herd = herd();
    let expected = herd.operator().get(&RefName::Changes).unwrap();
    herd.operator().push(&[RefUpdate { name: RefName::Changes, expected, new: None }]).unwrap();
    herd.tick("web1", &base()).unwrap();
    assert!(host_report(&herd, "web1").contains("the log of changes is gone"));
}

/// Names a runner that has another sha256 than these tests believe to run.
fn deploy_runner(herd: &TestHerd, bytes: &[u8], sha256: Digest) {
    let file = [("wildebeest".to_owned(), bytes.to_vec())].into();
    let author = ("m".to_owned(), "m@x".to_owned());
    let new = NewCommit { message: "runner".into(), files: file, author, ..NewCommit::default() };
    let commit = herd.operator().objects().write(&new, None).unwrap();
    let name = RefName::Runner { platform: platform(), id: "bad".into() };
    herd.operator().push(&[RefUpdate { name: name.clone(), expected: None, new: Some(commit) }]).unwrap();
    herd.change(ChangeKind::Deploy, |manifest| {
        manifest.runners.insert(platform(), Runner { sha256, commit, reference: name.to_string() });
    });
}

#[test]
fn a_runner_with_another_sha256_is_refused() {
    let herd = herd();
    deploy_runner(&herd, b"something else", Digest::of(b"what was signed"));
    stopped(&herd, "web1", "the runner has sha256");
}

#[test]
fn a_runner_for_another_machine_is_refused() {
    let herd = herd();
    let mut program = vec![0; 64];
    program[..6].copy_from_slice(b"\x7fELF\x02\x01");
    program[18] = if cfg!(target_arch = "aarch64") { 62 } else { 183 };
    deploy_runner(&herd, &program, Digest::of(&program));
    let installed = herd.home("web1").read_config().unwrap().runner;
    stopped(&herd, "web1", " is for ");
    assert!(!files::exists(installed.with_extension("new")) && !files::exists(installed), "nothing was installed");
}

#[test]
fn a_state_outside_the_chain_stops_the_host_and_changes_nothing() {
    let herd = herd();
    let store = wb_core::agent::Store::open(&herd.home("web1").record()).unwrap();
    store.update(|record| record.links.last_mut().unwrap().sha1 = Sha1::from_bytes([9; 20])).unwrap();
    stopped(&herd, "web1", "the state 0909090 is not in the chain");
}

#[test]
fn a_name_that_is_taken_is_refused() {
    let herd = herd();
    let error = herd.enroll_as("another", "web1", "ada ssh-ed25519 AAAA").unwrap_err();
    assert!(error.to_string().contains("does not count") || error.to_string().contains("taken"), "{error}");
    let allowed = files::read_text(herd.home("web1").allowed_signers()).unwrap();
    let error = herd.enroll_as("third", "web1", &allowed).unwrap_err();
    assert_eq!(error.to_string(), "the name `web1` is taken by another machine");
}

#[test]
fn who_could_not_enrol_may_take_another_name_and_other_signers() {
    let herd = herd();
    let allowed = files::read_text(herd.home("web1").allowed_signers()).unwrap();
    herd.enroll_as("fourth", "web1", "ada ssh-ed25519 AAAA").unwrap_err();
    herd.enroll_as("fourth", "web1", &allowed).unwrap_err();
    herd.enroll_as("fourth", "web4", &allowed).unwrap();
    assert_eq!(herd.home("fourth").read_config().unwrap().name, "web4");
    assert_eq!(files::read_text(herd.home("fourth").allowed_signers()).unwrap(), allowed);
    let error = herd.enroll_as("fourth", "web5", &allowed).unwrap_err();
    assert!(error.to_string().starts_with("this machine is enrolled already, as `web4`"), "{error}");
}

#[test]
fn nobody_enrols_without_signers() {
    let herd = TestHerd::new();
    let error = herd.enroll_as("web1", "web1", "# nobody yet\n\n").unwrap_err();
    assert_eq!(error.to_string(), "the list of allowed signers is empty");
}

#[test]
fn enrolling_twice_is_enrolling_once() {
    let herd = TestHerd::new();
    let first = herd.enroll("web1").unwrap();
    assert_eq!(herd.enroll("web1").unwrap(), first);
    let error = herd.enroll_as("web1", "web2", "ada ssh-ed25519 AAAA").unwrap_err();
    assert!(error.to_string().starts_with("this machine is enrolled already, as `web1`"), "{error}");
}

#[test]
fn who_finds_its_report_moved_does_nothing() {
    let herd = herd();
    let uuid = herd.home("web1").read_config().unwrap().uuid;
    let name = RefName::Report(uuid);
    let new = NewCommit { message: "usurped".into(), author: ("m".into(), "m@x".into()), ..NewCommit::default() };
    let commit = herd.operator().objects().write(&new, None).unwrap();
    herd.operator().fetch(&["refs/wildebeest/".into()]).unwrap();
    let expected = herd.operator().get(&name).unwrap();
    herd.operator().push(&[RefUpdate { name, expected, new: Some(commit) }]).unwrap();
    let error = herd.tick("web1", &base()).unwrap_err();
    assert!(matches!(error, AgentError::TakenOver { .. }), "{error}");
}

/// Moves the remote away, or back.
fn move_remote(herd: &TestHerd, away: bool) {
    let (here, there) = (herd.remote(), herd.remote().with_extension("away"));
    if away { files::rename(here, there).unwrap() } else { files::rename(there, here).unwrap() }
}

/// The log that goes along with a host's newest report.
fn log_of(herd: &TestHerd, host: &str) -> String {
    herd.operator().fetch(&["refs/wildebeest/".into()]).unwrap();
    let uuid = herd.home(host).read_config().unwrap().uuid;
    let report = herd.operator().get(&RefName::Report(uuid)).unwrap().unwrap();
    let objects = herd.operator().objects();
    let log = objects.file(&objects.read(report).unwrap(), "log").unwrap().unwrap_or_default();
    String::from_utf8(log).unwrap()
}

/// A link in the middle of which the remote goes away.
static CUT_OFF: Migration = migration("cut_off", "web", 3, "7777777777777777777777777777777777777777", |context| {
    let remote = context.system().path("/").join("../../remote.git");
    files::rename(&remote, remote.with_extension("away"))?;
    write(context, "cut_off")
});
static AFTER_IT: Migration =
    migration("after_it", "web", 4, "8888888888888888888888888888888888888888", |context| write(context, "after_it"));

/// A herd whose first host is cut off in the middle of a leg.
fn cut_off() -> (TestHerd, Catalog) {
    let herd = herd();
    let next = catalog(&[&DATABASE, &FIRST, &SECOND, &CUT_OFF, &AFTER_IT]);
    herd.deploy(&next);
    let error = herd.tick("web1", &next).unwrap_err();
    assert!(matches!(error, AgentError::Registry(_)), "{error}");
    (herd, next)
}

#[test]
fn who_is_cut_off_in_a_leg_finishes_it_and_keeps_its_place_until_the_remote_is_back() {
    let (herd, next) = cut_off();
    assert_eq!(herd.written("web1"), "first second rejoin leave cut_off after_it rejoin");
    assert_eq!(herd.record("web1").phase.name(), "Returning");
    herd.tick("web1", &next).unwrap_err();
    move_remote(&herd, false);
    assert_eq!(herd.out("web"), ["web1"]);
    herd.tick("web1", &next).unwrap();
    assert_eq!(herd.out("web"), Vec::<String>::new());
    assert_eq!(herd.written("web1"), "first second rejoin leave cut_off after_it rejoin");
    assert_eq!(herd.record("web1").state().unwrap().to_string(), "8".repeat(40));
}

#[test]
fn since_when_the_remote_is_away_is_kept_and_told_when_it_is_back() {
    let (herd, next) = cut_off();
    let first = herd.notices("web1", &next).away.unwrap();
    assert!(first.error.starts_with("could not reach the remote "), "{}", first.error);
    herd.tick("web1", &next).unwrap_err();
    assert_eq!(herd.notices("web1", &next).away.unwrap().since, first.since);
    move_remote(&herd, false);
    while herd.tick("web1", &next).unwrap() != Next::Poll {}
    assert_eq!(herd.notices("web1", &next), wb_core::agent::Notices::default());
    assert!(!files::exists(herd.home("web1").notices()));
    herd.settle(&["web1"], &next, 9);
    assert!(herd.said(&["web1"])[0].ends_with("web1 up to date"));
}

#[test]
fn since_when_the_remote_refuses_is_kept_until_it_takes_something() {
    let (herd, said) = (herd(), std::cell::RefCell::new(Vec::new()));
    hook::hang(&herd.remote(), "pre-receive", "exit 1");
    let (catalog, system) = (base(), herd.system("web1"));
    let log = |line: &str| said.borrow_mut().push(line.to_owned());
    let mut agent = Agent::open(herd.home("web1"), &catalog, &system, wb_tests::herd::runner(), &log).unwrap();
    agent.tick().unwrap_err();
    let before = files::open(herd.home("web1").notices()).unwrap();
    assert!(agent.notices().away.as_ref().unwrap().refuses);
    agent.tick().unwrap_err();
    assert!(files::leads_to(herd.home("web1").notices(), &before), "nothing is news");
    assert_eq!(said.take(), Vec::<String>::new());
    files::remove(herd.remote().join("hooks/pre-receive")).unwrap();
    agent.tick().unwrap();
    assert!(!files::exists(herd.home("web1").notices()));
    assert!(said.take()[0].starts_with("the remote is back after "));
}

#[test]
fn a_host_that_was_cut_off_says_so_in_its_report() {
    let (herd, next) = cut_off();
    move_remote(&herd, false);
    herd.tick("web1", &next).unwrap();
    let log = log_of(&herd, "web1");
    assert!(log.contains("the remote is back after "), "{log}");
}

/// Lets others be faster at the pool of the role web whenever a host pushes, until the text that is given back stands in
/// the file again: the script that its git takes for the remote writes the same pool anew before it answers a push.
fn outrun(herd: &TestHerd, host: &str) -> (PathBuf, String) {
    let (remote, script) = (herd.remote().display().to_string(), herd.place("outrun.sh"));
    let lines = format!(
        "unset $(git rev-parse --local-env-vars)\n\
         cd {remote}\n\
         pool=refs/wildebeest/out/web\n\
         if [ \"$1\" = receive-pack ]; then\n\
         printf x >>../races\n\
         export GIT_COMMITTER_DATE=\"@$((1000000000 + $(wc -c <../races))) +0000\"\n\
         new=$(git log -1 --format=%B $pool | git -c user.name=m -c user.email=m@x commit-tree $pool^{{tree}})\n\
         git update-ref $pool $new\n\
         fi\n\
         exec git $1 .\n"
    );
    files::write(&script, lines, 0o644).unwrap();
    let config = herd.home(host).state().join("herd.git/config");
    let before = files::read_text(&config).unwrap();
    let url = format!("[url \"ext::sh {} %s\"]\n insteadOf = {remote}\n", script.display());
    files::write(&config, format!("{before}[protocol \"ext\"]\n allow = always\n{url}"), 0o644).unwrap();
    (config, before)
}

#[test]
fn who_loses_races_while_it_gives_its_place_back_tries_again_and_has_not_failed() {
    let (herd, said) = (herd(), std::cell::RefCell::new(Vec::new()));
    let broken = catalog(&[&DATABASE, &FIRST, &SECOND, &BROKEN]);
    herd.deploy(&broken);
    herd.tick("web1", &broken).unwrap();
    let store = wb_core::agent::Store::open(&herd.home("web1").record()).unwrap();
    let held = store.record().phase.held().cloned().unwrap();
    store.update(|record| record.phase = Phase::Returning { held }).unwrap();
    let (config, before) = outrun(&herd, "web1");
    let (system, log) = (herd.system("web1"), |line: &str| said.borrow_mut().push(line.to_owned()));
    let mut agent = Agent::open(herd.home("web1"), &broken, &system, wb_tests::herd::runner(), &log).unwrap();
    assert_eq!(agent.tick().unwrap(), Next::Overtaken);
    assert_eq!(files::read_text(herd.place("races")).unwrap(), "xx", "it tries twice in a turn");
    assert_eq!(agent.record().phase.name(), "Returning");
    assert_eq!(*agent.notices(), wb_core::agent::Notices::default());
    assert_eq!(said.take(), [""; 0]);
    files::write(&config, before, 0o644).unwrap();
    assert_eq!(agent.tick().unwrap(), Next::Again);
    assert_eq!(agent.record().phase, Phase::InLoad);
    assert_eq!(herd.out("web"), [""; 0]);
}

static STREAMS: Migration = migration("streams", "web", 3, "9999999999999999999999999999999999999999", |context| {
    Host::new(context).shell("echo for the shop; echo for nobody >&2").streamed().run()?;
    Ok(())
});

#[test]
fn what_a_streamed_command_writes_goes_along_with_the_report() {
    let herd = herd();
    let next = catalog(&[&DATABASE, &FIRST, &SECOND, &STREAMS]);
    herd.deploy(&next);
    herd.tick("web1", &next).unwrap();
    let log = log_of(&herd, "web1");
    assert!(log.contains("runs `streams` (9999999)\n  for the shop\n  for nobody\n"), "{log}");
}

#[test]
fn who_is_cut_off_in_load_takes_no_place() {
    let herd = herd();
    let next = catalog(&[&DATABASE, &FIRST, &SECOND, &THIRD]);
    herd.deploy(&next);
    move_remote(&herd, true);
    herd.tick("web1", &next).unwrap_err();
    assert_eq!(herd.record("web1").phase, Phase::InLoad);
    assert!(herd.notices("web1", &next).away.is_some());
}

static STUCK: Role = Role {
    rejoin: |context| match context.system().read_file("/well")? {
        Some(_) => write(context, "rejoin"),
        None => anyhow::bail!("no answer"),
    },
    ..WEB
};

#[test]
fn who_can_not_rejoin_tries_soon_again_with_the_remote_or_without() {
    let (herd, file) = (herd(), Attributes::mode(0o644));
    let stuck = Catalog::new([&DATABASE, &FIRST, &SECOND, &THIRD], [&STUCK, &DATABASE_ROLE], []).unwrap();
    herd.deploy(&stuck);
    assert_eq!(herd.tick("web1", &stuck).unwrap(), Next::Retry);
    let trouble = "rejoin of role web: no answer";
    assert_eq!(herd.said(&["web1"]), [format!("web1 can't rejoin: {trouble}")]);
    assert_eq!(herd.notices("web1", &stuck).trouble.as_deref(), Some(trouble));
    move_remote(&herd, true);
    herd.tick("web1", &stuck).unwrap_err();
    assert_eq!(herd.record("web1").phase.name(), "Rejoining");
    files::write_with(herd.root("web1").join("well"), "", file).unwrap();
    herd.tick("web1", &stuck).unwrap_err();
    assert_eq!(herd.record("web1").phase.name(), "Returning");
    move_remote(&herd, false);
    herd.settle(&["web1"], &stuck, 9);
    assert_eq!(herd.notices("web1", &stuck), wb_core::agent::Notices::default());
    assert_eq!(herd.written("web1"), "first second rejoin leave third rejoin");
}

#[test]
fn a_poll_that_finds_nothing_writes_nothing() {
    let herd = herd();
    let system = System::new(herd.root("web1"), command::Real, clock::Real);
    let (catalog, quiet) = (base(), |_: &str| {});
    let mut agent = Agent::open(herd.home("web1"), &catalog, &system, wb_tests::herd::runner(), &quiet).unwrap();
    agent.tick().unwrap();
    let record = herd.home("web1").record();
    let before = files::open(&record).unwrap();
    agent.tick().unwrap();
    assert!(files::leads_to(&record, &before), "each write of the record puts another file in its place");
    assert!(!files::exists(herd.home("web1").notices()));
}

#[test]
fn without_the_remote_an_idle_host_waits() {
    let herd = herd();
    move_remote(&herd, true);
    assert!(matches!(herd.tick("web1", &base()).unwrap_err(), AgentError::Registry(_)));
    move_remote(&herd, false);
    assert_eq!(herd.tick("web1", &base()).unwrap(), Next::Poll);
}

#[test]
fn an_idle_host_that_a_pool_lists_as_out_gives_its_place_back() {
    let herd = herd();
    let uuid = herd.home("web1").read_config().unwrap().uuid;
    let claim = Claim { host: "web1".into(), uuid, nonce: Uuid::new_v4(), since: 0 };
    let pool = Pool { holders: vec![claim], nonce: Uuid::new_v4(), ..Pool::default() };
    assert_eq!(herd.out("web"), Vec::<String>::new());
    let expected = herd.operator().get(&RefName::Out("web".into())).unwrap();
    let new = Some(herd.operator().write_pool("web", &pool, "web1", Duration::ZERO).unwrap());
    herd.operator().push(&[RefUpdate { name: RefName::Out("web".into()), expected, new }]).unwrap();
    assert_eq!(herd.out("web"), ["web1"]);
    herd.settle(&["web1"], &base(), 5);
    assert_eq!(herd.out("web"), Vec::<String>::new());
    assert_eq!(herd.written("web1"), "first second rejoin rejoin");
}

#[test]
fn an_own_report_of_an_earlier_boot_is_no_other_machine_s() {
    let herd = herd();
    let name = RefName::Report(herd.home("web1").read_config().unwrap().uuid);
    let report = || {
        herd.operator().fetch(&["refs/wildebeest/".into()]).unwrap();
        herd.operator().get(&name).unwrap()
    };
    let before = report();
    let boot_id = herd.root("web1").join("proc/sys/kernel/random/boot_id");
    files::create_dir(boot_id.parent().unwrap()).unwrap();
    files::write(boot_id, "the next boot", 0o644).unwrap();
    herd.tick("web1", &base()).unwrap();
    let expected = report();
    assert_ne!(expected, before);
    herd.operator().push(&[RefUpdate { name: name.clone(), expected, new: before }]).unwrap();
    herd.tick("web1", &base()).unwrap();
    assert_eq!(herd.said(&["web1"]), ["web1 up to date"]);
}
