//! From a failure to a healthy herd, by every way out: the cause is mended and an operator says `retry`, the link is done
//! by hand and adopted, it is amended, or the host's settings change. And what failed is not tried again before.

use std::time::Duration;

use wb_core::agent::phase::Phase;
use wb_core::agent::{Agent, How, Next, Store};
use wb_core::chain::Sha1;
use wb_core::change::{Adoption, ChangeKind, Release};
use wb_core::context::{Code, Context, Debt, DebtAction, Debts as _, MaxOut, Migration, Role, Run, Spec, StaticWait};
use wb_core::registry::RefName;
use wb_core::runner::{Catalog, HostConfig, platform};
use wb_core::system::Command;
use wb_core::system::clock::{Clock as _, Real, wait_until};
use wb_core::system::files::{self, Attributes};
use wb_tests::desk::Desk;
use wb_tests::herd::TestHerd;
use wb_tests::links::{migration, write};

const OTHER_DIGEST: &str = "ffb0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const PAGE_SHA1: &str = "3333333333333333333333333333333333333333";

fn has(context: &Context<'_>, path: &str) -> anyhow::Result<bool> {
    Ok(context.system().read_file(path)?.is_some())
}

static SCHEMA: Migration =
    migration("schema", "database", 0, "1111111111111111111111111111111111111111", |context| write(context, "schema"));
static FIRST: Migration =
    migration("first", "web", 1, "2222222222222222222222222222222222222222", |context| write(context, "first"));
/// Fails where there is neither a file `mended` nor a setting `mended`.
static PAGE: Migration = migration("page", "web", 2, PAGE_SHA1, |context| {
    write(context, "page")?;
    let is_set = context.herd().myself().is_some_and(|member| member.settings.contains_key("mended"));
    anyhow::ensure!(is_set || has(context, "/mended")?, "nginx -t says no");
    Ok(context.system().write_file("/page", "page", Attributes::mode(0o644))?)
});
static PAGE_AMENDED: Migration = Migration {
    digest: OTHER_DIGEST,
    ..migration("page", "web", 2, PAGE_SHA1, |context| {
        write(context, "amended")?;
        Ok(context.system().write_file("/page", "page", Attributes::mode(0o644))?)
    })
};
static AFTER: Migration = Migration {
    wait: Some(StaticWait::all("web")),
    ..migration("after", "database", 3, "4444444444444444444444444444444444444444", |context| write(context, "after"))
};
static PAGE_SPEC: Spec = Spec::new("fleet::chain::page", "is_there", |context| {
    let asked = context.system().read_file("/asked")?.unwrap_or_default();
    context.system().write_file("/asked", [asked, b"x".to_vec()].concat(), Attributes::mode(0o644))?;
    anyhow::ensure!(has(context, "/page")?, "expected a page, found none");
    Ok(())
});

static WEB: Role = Role {
    name: "web",
    max_out: MaxOut::Hosts(1),
    leave: |context| {
        anyhow::ensure!(!has(context, "/stuck")?, "no answer");
        write(context, "leave")
    },
    rejoin: |context| write(context, "rejoin"),
    ..Role::PLAIN
};
static DATABASE: Role =
    Role { name: "database", max_out: MaxOut::Hosts(1), leave: |_| Ok(()), rejoin: |_| Ok(()), ..Role::PLAIN };

fn catalog(migrations: &[&'static Migration]) -> Catalog {
    Catalog::new(migrations.iter().copied(), [&WEB, &DATABASE], [&PAGE_SPEC]).unwrap()
}

fn next() -> Catalog {
    catalog(&[&SCHEMA, &FIRST, &PAGE, &AFTER])
}

fn amended() -> Catalog {
    catalog(&[&SCHEMA, &FIRST, &PAGE_AMENDED, &AFTER])
}

fn page() -> Sha1 {
    PAGE_SHA1.parse().unwrap()
}

const ALL: [&str; 3] = ["db1", "web1", "web2"];

/// Hosts in service at the link before `page`, each of which runs what its role has.
fn in_service(hosts: &[&str]) -> TestHerd {
    let herd = TestHerd::new();
    let role = |host: &str| if host.starts_with("db") { "database" } else { "web" };
    hosts.iter().for_each(|host| herd.add(&[(host, &[role(host)])]));
    let base = catalog(&[&SCHEMA, &FIRST]);
    herd.deploy(&base);
    herd.settle(hosts, &base, 20);
    herd
}

/// Three hosts, of which only `web1` lacks what `page` needs, after it failed there.
fn failed() -> TestHerd {
    let herd = in_service(&ALL);
    put(&herd, "web2", "mended");
    herd.deploy(&next());
    herd.settle(&ALL, &next(), 9);
    assert_eq!(
        herd.said(&ALL),
        [
            "db1 waits: `after` (4444444) waits for web1 at `first` (2222222), web2 at `first` (2222222)",
            "web1 failed at `page` (3333333): nginx -t says no",
            "web2 waits: `page` (3333333) failed on web1",
        ]
    );
    herd
}

/// A host that failed at `page`, and nobody else.
fn alone() -> TestHerd {
    let herd = in_service(&["web1"]);
    herd.deploy(&next());
    settle(&herd, &next());
    assert_eq!(herd.said(&["web1"]), [FAILED]);
    herd
}

const FAILED: &str = "web1 failed at `page` (3333333): nginx -t says no";

/// Lets `web1` do all that there is to do.
fn settle(herd: &TestHerd, catalog: &Catalog) {
    herd.settle(&["web1"], catalog, 9);
}

/// Puts an empty file onto a host.
fn put(herd: &TestHerd, host: &str, file: &str) {
    files::write(herd.root(host).join(file), "", 0o644).unwrap();
}

/// Every host is at the tip and in load, no place is taken, the specs passed, and `web1` did just this.
fn healthy(herd: &TestHerd, hosts: &[&str], catalog: &Catalog, web1: &str) {
    herd.settle(hosts, catalog, 20);
    let all: Vec<String> = hosts.iter().map(|host| format!("{host} up to date")).collect();
    assert_eq!(herd.said(hosts), all);
    assert_eq!(herd.written("web1"), format!("first rejoin leave page {web1}"));
    for host in hosts {
        let record = herd.record(host);
        assert_eq!((record.state(), record.phase), (catalog.chain().tip().map(|link| link.sha1), Phase::InLoad));
        assert!(record.in_service && (*host == "db1" || files::exists(herd.root(host).join("page"))), "{host}");
    }
    assert!(["web", "database"].into_iter().all(|role| herd.out(role).is_empty()));
    assert!(Desk::of(herd).status().settled);
}

/// As [`healthy`], and the others ran each of their links once.
fn all_healthy(herd: &TestHerd, catalog: &Catalog, web1: &str, web2: &str) {
    healthy(herd, &ALL, catalog, web1);
    assert_eq!(
        [herd.written("web2"), herd.written("db1")],
        [format!("first rejoin leave {web2} rejoin"), "schema after".into()]
    );
}

/// How often the spec was asked on a host.
fn asked(herd: &TestHerd, host: &str) -> usize {
    files::read_optional(herd.root(host).join("asked")).unwrap().unwrap_or_default().len()
}

fn how(herd: &TestHerd, host: &str) -> Option<How> {
    herd.record(host).links.into_iter().find(|link| link.sha1 == page()).map(|link| link.how)
}

fn store(herd: &TestHerd, host: &str) -> Store {
    Store::open(&herd.home(host).record()).unwrap()
}

#[test]
fn the_cause_is_mended_and_an_operator_says_retry() {
    let herd = failed();
    let desk = Desk::of(&herd);
    let refused =
        "nothing failed on `web2`, so there is nothing to try again; it says: waits: `page` (3333333) failed on web1";
    assert_eq!(desk.retry(&["web2"]).unwrap_err(), refused);
    put(&herd, "web1", "mended");
    settle(&herd, &next());
    assert_eq!(herd.written("web1"), "first rejoin leave page", "nobody has asked yet");
    assert_eq!(desk.retry(&["web1"]).unwrap(), "6 retry: web1");
    all_healthy(&herd, &next(), "page rejoin", "page");
    assert_eq!(how(&herd, "web1"), Some(How::Done));
    assert!(desk.retry(&["web1"]).unwrap_err().ends_with("it says: up to date"));
}

#[test]
fn the_link_is_done_by_hand_and_adopted() {
    let herd = failed();
    put(&herd, "web1", "page");
    let desk = Desk::of(&herd);
    assert_eq!(desk.adopt("web1", None).unwrap(), "6 adopt: web1, `page` (3333333): done by hand");
    all_healthy(&herd, &next(), "rejoin", "page");
    assert_eq!((how(&herd, "web1"), how(&herd, "web2")), (Some(How::Adopted), Some(How::Done)));
    assert_eq!(asked(&herd, "web1"), 1);
    let status = desk.status();
    let by_hand: Vec<_> = status.hosts.iter().filter(|host| host.by_hand == [page()]).map(|host| &host.name).collect();
    assert_eq!(by_hand, ["web1"]);
}

/// Lets the agent of `web1` go on until this is said of its drift.
fn drifts(herd: &TestHerd, agent: &mut Agent<'_>, expect: &[&str]) {
    let said = || herd.reports()["web1"].drift.iter().map(|drift| drift.error.clone()).collect::<Vec<_>>();
    let found = wait_until(&Real, Duration::from_secs(60), Duration::from_millis(50), || {
        agent.tick().unwrap();
        (said() == expect).then_some(())
    });
    assert!(found.is_some(), "{:?}", agent.drift());
}

#[test]
fn what_was_undone_on_a_host_is_drift_until_somebody_mends_it() {
    let herd = in_service(&["web1"]);
    put(&herd, "web1", "mended");
    herd.deploy(&next());
    settle(&herd, &next());
    let before = (herd.record("web1"), asked(&herd, "web1"));
    let home = herd.home("web1");
    home.write_config(&HostConfig { verify: Duration::from_secs(1), ..home.read_config().unwrap() }).unwrap();
    files::remove(herd.root("web1").join("page")).unwrap();
    herd.with_agent("web1", &next(), |agent| {
        drifts(&herd, agent, &["expected a page, found none"]);
        assert!(!agent.is_healthy() && asked(&herd, "web1") > before.1);
    });
    herd.with_agent("web1", &next(), |agent| {
        assert_eq!(agent.drift().len(), 1, "who is started anew knows it");
        put(&herd, "web1", "page");
        drifts(&herd, agent, &[]);
        assert!(agent.is_healthy());
    });
    assert_eq!(herd.record("web1").links, before.0.links);
    assert_eq!(herd.written("web1"), "first rejoin leave page rejoin", "nothing was run");
}

#[test]
fn the_link_is_amended() {
    let herd = failed();
    let stuck = Desk::of(&herd).deploy(&amended(), &[page()], |_| {}).unwrap();
    assert_eq!(stuck, [""; 0]);
    all_healthy(&herd, &amended(), "amended rejoin", "amended");
}

#[test]
fn the_settings_of_the_host_change() {
    let herd = failed();
    let stuck = Desk::of(&herd).deploy(&next(), &[], |hosts| {
        hosts.get_mut("web1").unwrap().settings.insert("mended".into(), true.into());
    });
    assert_eq!(stuck.unwrap(), [""; 0]);
    all_healthy(&herd, &next(), "page rejoin", "page");
}

#[test]
fn what_failed_is_not_tried_again_by_itself() {
    let herd = alone();
    put(&herd, "web1", "mended");
    let check = |expect: &str| {
        settle(&herd, &next());
        assert_eq!(herd.written("web1"), format!("first rejoin leave page{expect}"));
        assert_eq!(herd.said(&["web1"]), [FAILED]);
    };
    check("");
    assert_eq!(Desk::of(&herd).deploy(&next(), &[], |_| {}).unwrap(), ["web1"], "a change that does not touch it");
    check("");
    herd.add(&[("web4", &["web"])]);
    check("");
    store(&herd, "web1").update(|record| record.boot_id = "another boot".into()).unwrap();
    check(" leave");
}

#[test]
fn who_can_not_leave_load_after_a_boot_is_still_the_one_that_failed() {
    let herd = alone();
    put(&herd, "web1", "stuck");
    store(&herd, "web1").update(|record| record.boot_id = "another boot".into()).unwrap();
    settle(&herd, &next());
    let why = "and now: can't leave load: leave of role web: no answer";
    assert_eq!(herd.said(&["web1"]), [format!("{FAILED}; {why}")]);
}

#[test]
fn who_can_not_leave_load_after_a_boot_takes_over_the_runner_that_mends_it() {
    let herd = alone();
    put(&herd, "web1", "stuck");
    store(&herd, "web1").update(|record| record.boot_id = "another boot".into()).unwrap();
    let (away, trouble) = (herd.remote().with_extension("away"), "leave of role web: no answer");
    files::rename(herd.remote(), &away).unwrap();
    herd.tick("web1", &next()).unwrap_err();
    let notices = herd.notices("web1", &next());
    assert!(notices.away.is_some(), "{notices:?}");
    assert_eq!(notices.trouble.as_deref(), Some(trouble));
    files::rename(&away, herd.remote()).unwrap();
    assert_eq!(herd.tick("web1", &next()).unwrap(), Next::Retry);
    let notices = herd.notices("web1", &next());
    assert_eq!((notices.away, notices.trouble.as_deref()), (None, Some(trouble)));
    let mended = herd.publish(&next());
    herd.change(ChangeKind::Deploy, |manifest| manifest.runners = [(platform(), mended)].into());
    assert_eq!(herd.tick("web1", &next()).unwrap(), Next::Exec);
}

#[test]
fn who_failed_keeps_its_place_whatever_the_remote_loses_until_it_is_freed() {
    let herd = alone();
    let lose = || {
        let git = Command::new("git").arg("-C").arg(herd.remote());
        git.args(["update-ref", "-d", "refs/wildebeest/out/web"]).read().unwrap();
        settle(&herd, &next());
        herd.out("web")
    };
    assert_eq!(lose(), ["web1"]);
    assert_eq!(herd.said(&["web1"]), [FAILED]);
    let nonce = herd.record("web1").phase.held().unwrap().nonce;
    herd.change(ChangeKind::Release, |manifest| {
        manifest.released.push(Release { change: manifest.number, host: "web1".into(), nonce });
    });
    assert_eq!(lose(), Vec::<String>::new());
}

#[test]
fn who_failed_says_so_again_where_the_remote_has_lost_it() {
    let herd = in_service(&["web1", "web2"]);
    let uuid = herd.home("web1").read_config().unwrap().uuid;
    let git = |args: &[&str]| Command::new("git").arg("-C").arg(herd.remote()).args(args).read().unwrap();
    let report = RefName::Report(uuid).to_string();
    let backup = git(&["rev-parse", &report]);
    herd.deploy(&next());
    herd.with_agent("web1", &next(), |agent| {
        (0..9).for_each(|_| assert_ne!(agent.tick().unwrap(), Next::Exec));
        assert_eq!(herd.said(&["web1"]), [FAILED]);
        let failed = RefName::Failed(uuid).to_string();
        for lose in [&["update-ref", &report, &backup][..], &["update-ref", "-d", &report]] {
            git(lose);
            git(&["update-ref", "-d", &failed]);
            agent.tick().unwrap();
            assert_eq!(herd.said(&["web1"]), [FAILED], "{lose:?}");
            git(&["rev-parse", "--verify", &failed]);
        }
    });
    herd.settle(&["web2"], &next(), 9);
    assert_eq!(herd.written("web2"), "first rejoin", "it keeps from what failed");
}

#[test]
fn a_retry_is_good_for_one_more_try() {
    let herd = alone();
    let desk = Desk::of(&herd);
    for expect in ["first rejoin leave page page", "first rejoin leave page page page"] {
        desk.retry(&["web1"]).unwrap();
        settle(&herd, &next());
        assert_eq!(herd.written("web1"), expect);
        desk.deploy(&next(), &[], |_| {}).unwrap();
        settle(&herd, &next());
        assert_eq!(herd.written("web1"), expect);
    }
}

#[test]
fn what_came_of_a_retry_is_told() {
    let herd = alone();
    let desk = Desk::of(&herd);
    // Hosts tell in whole seconds when they did what.
    Real.sleep(Duration::from_secs(1));
    assert_eq!(desk.retry(&["web1"]).unwrap(), "4 retry: web1");
    assert_eq!(desk.outcomes(4), ["web1 not seen yet; it is at change 3"]);
    settle(&herd, &next());
    assert_eq!(desk.outcomes(4), ["web1 failed at `page`: nginx -t says no"]);
    assert_eq!(desk.retry(&["web1"]).unwrap(), "5 retry: web1");
    assert_eq!(desk.outcomes(4), ["web1 failed at `page`: nginx -t says no"], "it has not heard of the second one");
    put(&herd, "web1", "mended");
    settle(&herd, &next());
    assert_eq!(desk.outcomes(4), ["web1 failed again, and asked once more by change 5"]);
    assert_eq!(desk.outcomes(5), ["web1 done: `page`"]);
}

#[test]
fn a_retry_waits_for_a_host_that_is_away() {
    let herd = alone();
    let desk = Desk::of(&herd);
    desk.retry(&["web1"]).unwrap();
    let again = desk.retry(&["web1"]).unwrap_err();
    let asked = "`web1` is about to try again what failed: change 4 asked it to, and it has not heard of that yet";
    assert_eq!(again, asked);
    desk.deploy(&next(), &[], |_| {}).unwrap();
    put(&herd, "web1", "mended");
    healthy(&herd, &["web1"], &next(), "page rejoin");
}

#[test]
fn a_host_of_several_roles_is_healed_in_all_of_them() {
    let herd = TestHerd::new();
    herd.add(&[("web1", &["database", "web"])]);
    let base = catalog(&[&SCHEMA, &FIRST]);
    herd.deploy(&base);
    settle(&herd, &base);
    herd.deploy(&next());
    settle(&herd, &next());
    assert_eq!([herd.out("web"), herd.out("database")], [["web1"], ["web1"]]);
    put(&herd, "web1", "mended");
    Desk::of(&herd).retry(&["web1"]).unwrap();
    settle(&herd, &next());
    assert_eq!(herd.written("web1"), "schema first rejoin leave page page after rejoin");
    assert_eq!([herd.out("web"), herd.out("database")], [[""; 0], [""; 0]]);
    assert_eq!(herd.said(&["web1"]), ["web1 up to date"]);
}

#[test]
fn a_new_host_that_failed_enters_service_all_the_same() {
    let herd = TestHerd::new();
    herd.add(&[("web1", &["web"])]);
    herd.deploy(&next());
    settle(&herd, &next());
    assert_eq!(herd.written("web1"), "first page");
    put(&herd, "web1", "page");
    Desk::of(&herd).adopt("web1", None).unwrap();
    settle(&herd, &next());
    assert_eq!((herd.written("web1").as_str(), how(&herd, "web1")), ("first page rejoin", Some(How::Adopted)));
    assert!(herd.record("web1").in_service);
}

const REFUSED: &str = "web1 failed at `page` (3333333): adopting it, as change 4 says, was refused: spec `is_there`: expected \
                       a page, found none";

#[test]
fn an_adoption_whose_specs_fail_is_refused_and_not_looked_at_again() {
    let herd = alone();
    let desk = Desk::of(&herd);
    desk.adopt("web1", Some("page")).unwrap();
    settle(&herd, &next());
    assert_eq!(herd.said(&["web1"]), [REFUSED]);
    put(&herd, "web1", "page");
    settle(&herd, &next());
    assert_eq!((asked(&herd, "web1"), herd.said(&["web1"])), (1, vec![REFUSED.to_owned()]));
    assert_eq!(herd.out("web"), ["web1"]);
    desk.adopt("web1", Some("page")).unwrap();
    healthy(&herd, &["web1"], &next(), "rejoin");
    assert_eq!(asked(&herd, "web1"), 2);
}

#[test]
fn after_a_refused_adoption_all_other_ways_are_open() {
    let refused = || {
        let herd = alone();
        Desk::of(&herd).adopt("web1", None).unwrap();
        settle(&herd, &next());
        assert_eq!(herd.said(&["web1"]), [REFUSED]);
        herd
    };
    let herd = refused();
    put(&herd, "web1", "mended");
    Desk::of(&herd).retry(&["web1"]).unwrap();
    healthy(&herd, &["web1"], &next(), "page rejoin");
    let herd = refused();
    Desk::of(&herd).deploy(&amended(), &[page()], |_| {}).unwrap();
    healthy(&herd, &["web1"], &amended(), "amended rejoin");
}

#[test]
fn of_what_was_said_while_a_host_was_away_the_newest_counts() {
    let herd = alone();
    let desk = Desk::of(&herd);
    desk.retry(&["web1"]).unwrap();
    desk.adopt("web1", None).unwrap();
    settle(&herd, &next());
    assert_eq!((herd.written("web1").as_str(), asked(&herd, "web1")), ("first rejoin leave page", 1));
    desk.adopt("web1", None).unwrap();
    desk.retry(&["web1"]).unwrap();
    settle(&herd, &next());
    assert_eq!((herd.written("web1").as_str(), asked(&herd, "web1")), ("first rejoin leave page page", 1));
}

#[test]
fn an_adoption_that_a_crash_cut_short_is_not_repeated() {
    let herd = alone();
    let desk = Desk::of(&herd);
    desk.adopt("web1", None).unwrap();
    put(&herd, "web1", "page");
    let Phase::Failed { failure, .. } = herd.record("web1").phase else { panic!("{:?}", herd.record("web1")) };
    store(&herd, "web1").adopts(4, Some(failure)).unwrap();
    settle(&herd, &next());
    assert_eq!((asked(&herd, "web1"), how(&herd, "web1")), (0, None));
    desk.adopt("web1", None).unwrap();
    healthy(&herd, &["web1"], &next(), "rejoin");
}

#[test]
fn who_has_not_begun_adopts_without_leaving_load() {
    let herd = in_service(&["web1"]);
    herd.deploy(&next());
    put(&herd, "web1", "page");
    Desk::of(&herd).adopt("web1", None).unwrap();
    settle(&herd, &next());
    assert_eq!((how(&herd, "web1"), herd.written("web1").as_str()), (Some(How::Adopted), "first rejoin"));
    assert_eq!(herd.said(&["web1"]), ["web1 up to date"]);
}

#[test]
fn who_has_not_begun_runs_what_was_not_done_by_hand() {
    let herd = in_service(&["web1"]);
    herd.deploy(&next());
    put(&herd, "web1", "mended");
    Desk::of(&herd).adopt("web1", None).unwrap();
    healthy(&herd, &["web1"], &next(), "rejoin");
    assert_eq!(how(&herd, "web1"), Some(How::Done));
    assert_eq!(asked(&herd, "web1"), 2, "once before it ran, and once after");
}

#[test]
fn without_a_spec_only_a_failed_link_is_adopted() {
    let untold = Catalog::new([&SCHEMA, &FIRST, &PAGE, &AFTER], [&WEB, &DATABASE], []).unwrap();
    let herd = in_service(&["web1"]);
    herd.deploy(&untold);
    let desk = Desk::of(&herd);
    desk.adopt("web1", None).unwrap();
    settle(&herd, &untold);
    assert_eq!(herd.said(&["web1"]), [FAILED], "it ran");
    desk.adopt("web1", None).unwrap();
    settle(&herd, &untold);
    assert_eq!(
        (how(&herd, "web1"), herd.written("web1").as_str()),
        (Some(How::Adopted), "first rejoin leave page rejoin")
    );
}

#[test]
fn only_the_next_link_is_adopted_whatever_the_change_says() {
    let herd = alone();
    let after = next().chain().tip().unwrap().sha1;
    herd.change(ChangeKind::Adopt, |manifest| {
        let change = manifest.number;
        manifest.hosts.get_mut("web1").unwrap().adopt = Some(Adoption { change, link: after });
    });
    settle(&herd, &next());
    assert_eq!(herd.said(&["web1"]), [FAILED]);
    assert_eq!((asked(&herd, "web1"), herd.record("web1").acted), (0, 0));
}

/// A link that owes a restart, and is cut short.
#[derive(Debug)]
struct Owing;

impl Run for Owing {
    fn run(&self, context: &Context<'_>) -> anyhow::Result<()> {
        context.debts().owe(Debt { action: DebtAction::Restart, service: "nginx".into() })?;
        anyhow::bail!("cut short")
    }

    fn pay(&self, context: &Context<'_>) -> anyhow::Result<()> {
        anyhow::ensure!(!has(context, "/unpayable")?, "nginx does not start");
        for debt in context.debts().owed() {
            write(context, "paid")?;
            context.debts().paid(&debt)?;
        }
        Ok(())
    }
}

static OWING: Migration =
    Migration { run: Some(Code::Wrapped(&Owing)), ..migration("page", "web", 2, PAGE_SHA1, |_| Ok(())) };

#[test]
fn what_a_failed_link_owes_is_paid_before_its_specs_are_asked() {
    let herd = in_service(&["web1"]);
    let owing = catalog(&[&SCHEMA, &FIRST, &OWING, &AFTER]);
    herd.deploy(&owing);
    settle(&herd, &owing);
    for file in ["page", "unpayable"] {
        put(&herd, "web1", file);
    }
    let desk = Desk::of(&herd);
    desk.adopt("web1", None).unwrap();
    settle(&herd, &owing);
    let refused = "web1 failed at `page` (3333333): adopting it, as change 4 says, was refused: nginx does not start";
    assert_eq!((herd.said(&["web1"]), asked(&herd, "web1")), (vec![refused.to_owned()], 0));
    assert_eq!(store(&herd, "web1").owed().len(), 1);
    files::remove(herd.root("web1").join("unpayable")).unwrap();
    desk.adopt("web1", None).unwrap();
    settle(&herd, &owing);
    assert_eq!(herd.written("web1"), "first rejoin leave paid rejoin");
    assert_eq!((how(&herd, "web1"), store(&herd, "web1").owed().len()), (Some(How::Adopted), 0));
}
