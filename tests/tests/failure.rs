//! From a failure to a healthy herd, by every way out: the cause is mended and an operator says `retry`, the link is done
//! by hand and adopted, it is amended, or the host's settings change. And what failed is not tried again before.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use wb_core::agent::phase::Phase;
use wb_core::agent::{How, Store};
use wb_core::chain::Sha1;
use wb_core::change::{Adoption, ChangeKind};
use wb_core::context::{Code, Context, Debt, DebtAction, Debts as _, MaxOut, Migration, Role, Run, Spec, StaticWait};
use wb_core::runner::Catalog;
use wb_core::system::files::{self, Attributes};
use wb_tests::desk::Desk;
use wb_tests::herd::TestHerd;

const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const OTHER_DIGEST: &str = "ffb0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const PAGE_SHA1: &str = "3333333333333333333333333333333333333333";

type Act = fn(&Context<'_>) -> anyhow::Result<()>;

const fn migration(name: &'static str, role: &'static str, index: usize, sha1: &'static str, run: Act) -> Migration {
    Migration { name, role, sha1, digest: DIGEST, index, wait: None, replaces: None, run: Some(Code::Bare(run)) }
}

/// Adds a word to the host's file `written`.
fn write(context: &Context<'_>, word: &str) -> anyhow::Result<()> {
    let mut text = context.system().read_file("/written")?.unwrap_or_default();
    text.extend(format!("{word} ").bytes());
    Ok(context.system().write_file("/written", text, Attributes::mode(0o644))?)
}

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
    wait: Some(StaticWait::All("web")),
    ..migration("after", "database", 3, "4444444444444444444444444444444444444444", |context| write(context, "after"))
};
static PAGE_SPEC: Spec = Spec {
    module: "fleet::chain::page",
    name: "is_there",
    check: |context| {
        let asked = context.system().read_file("/asked")?.unwrap_or_default();
        context.system().write_file("/asked", [asked, b"x".to_vec()].concat(), Attributes::mode(0o644))?;
        anyhow::ensure!(has(context, "/page")?, "expected a page, found none");
        Ok(())
    },
};

static WEB: Role = Role {
    name: "web",
    max_out: MaxOut::Hosts(1),
    leave: |context| {
        anyhow::ensure!(!has(context, "/stuck")?, "no answer");
        write(context, "leave")
    },
    rejoin: |context| write(context, "rejoin"),
};
static DATABASE: Role = Role { name: "database", max_out: MaxOut::Hosts(1), leave: |_| Ok(()), rejoin: |_| Ok(()) };

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

const ALL: [&str; 4] = ["db1", "web1", "web2", "web3"];

/// Four hosts in service, of which only `web1` lacks what the link `page` needs.
fn in_service() -> TestHerd {
    let herd = TestHerd::new();
    herd.add(&[("db1", &["database"]), ("web1", &["web"]), ("web2", &["web"]), ("web3", &["web"])]);
    let base = catalog(&[&SCHEMA, &FIRST]);
    herd.deploy(&base);
    herd.settle(&ALL, &base, 20);
    for host in ["web2", "web3"] {
        put(&herd, host, "mended");
    }
    herd
}

/// The same after `web1` failed at `page`.
fn failed() -> TestHerd {
    let herd = in_service();
    herd.deploy(&next());
    herd.settle(&ALL, &next(), 9);
    let waits = "waits: `page` (3333333) failed on web1";
    assert_eq!(
        herd.said(&ALL),
        [
            "db1 waits: `after` (4444444) waits for web1 at `first` (2222222), web2 at `first` (2222222), web3 at `first` \
             (2222222)",
            "web1 failed at `page` (3333333): nginx -t says no",
            &format!("web2 {waits}"),
            &format!("web3 {waits}"),
        ]
    );
    herd
}

/// Puts an empty file onto a host.
fn put(herd: &TestHerd, host: &str, file: &str) {
    files::write(herd.root(host).join(file), "", 0o644).unwrap();
}

/// Every host is at the tip and in load, no place is taken, the specs passed, and `web1` did just this.
fn healthy(herd: &TestHerd, catalog: &Catalog, web1: &str) {
    herd.settle(&ALL, catalog, 20);
    assert_eq!(herd.said(&ALL), ALL.map(|host| format!("{host} up to date")));
    assert_eq!(herd.written("web1"), format!("first rejoin leave page {web1}"));
    for host in ["web2", "web3"] {
        let last = if herd.written(host).contains("amended") { "amended" } else { "page" };
        assert_eq!(herd.written(host), format!("first rejoin leave {last} rejoin"), "{host}");
    }
    assert_eq!(herd.written("db1"), "schema after");
    for host in ALL {
        let record = herd.record(host);
        assert_eq!((record.state(), record.phase), (catalog.chain().tip().map(|link| link.sha1), Phase::InLoad));
        assert!(record.in_service && (host == "db1" || files::exists(herd.root(host).join("page"))), "{host}");
    }
    assert!(["web", "database"].into_iter().all(|role| herd.out(role).is_empty()));
    assert!(Desk::of(herd).status().settled);
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
    herd.settle(&ALL, &next(), 3);
    assert_eq!(herd.written("web1"), "first rejoin leave page", "nobody has asked yet");
    assert_eq!(desk.retry(&["web1"]).unwrap(), "7 retry: web1");
    healthy(&herd, &next(), "page rejoin");
    assert_eq!(how(&herd, "web1"), Some(How::Done));
    assert!(desk.retry(&["web1"]).unwrap_err().ends_with("it says: up to date"));
}

#[test]
fn the_link_is_done_by_hand_and_adopted() {
    let herd = failed();
    put(&herd, "web1", "page");
    let desk = Desk::of(&herd);
    assert_eq!(desk.adopt("web1", None).unwrap(), "7 adopt: web1, `page` (3333333): done by hand");
    healthy(&herd, &next(), "rejoin");
    assert_eq!((how(&herd, "web1"), how(&herd, "web2")), (Some(How::Adopted), Some(How::Done)));
    assert_eq!(asked(&herd, "web1"), 1);
    let status = desk.status();
    let by_hand: Vec<_> = status.hosts.iter().filter(|host| host.by_hand == [page()]).map(|host| &host.name).collect();
    assert_eq!(by_hand, ["web1"]);
}

#[test]
fn the_link_is_amended() {
    let herd = failed();
    let stuck = Desk::of(&herd).deploy(&amended(), &[page()], |_| {}).unwrap();
    assert_eq!(stuck, [""; 0]);
    healthy(&herd, &amended(), "amended rejoin");
}

#[test]
fn the_settings_of_the_host_change() {
    let herd = failed();
    let stuck = Desk::of(&herd).deploy(&next(), &[], |hosts| {
        hosts.get_mut("web1").unwrap().settings.insert("mended".into(), true.into());
    });
    assert_eq!(stuck.unwrap(), [""; 0]);
    healthy(&herd, &next(), "page rejoin");
}

#[test]
fn what_failed_is_not_tried_again_by_itself() {
    let herd = failed();
    put(&herd, "web1", "mended");
    let check = |expect: &str| {
        herd.settle(&ALL, &next(), 5);
        assert_eq!(herd.written("web1"), format!("first rejoin leave page{expect}"));
        assert_eq!(herd.said(&["web1"]), ["web1 failed at `page` (3333333): nginx -t says no"]);
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
    let herd = failed();
    put(&herd, "web1", "stuck");
    store(&herd, "web1").update(|record| record.boot_id = "another boot".into()).unwrap();
    herd.settle(&ALL, &next(), 5);
    let failed = "web1 failed at `page` (3333333): nginx -t says no; and since a boot it can't leave load: leave of role web: \
                  no answer";
    let waits = ["web2 waits: `page` (3333333) failed on web1", "web3 waits: `page` (3333333) failed on web1"];
    assert_eq!(herd.said(&["web1", "web2", "web3"]), [failed, waits[0], waits[1]]);
}

#[test]
fn a_retry_is_good_for_one_more_try() {
    let herd = failed();
    let desk = Desk::of(&herd);
    desk.retry(&["web1"]).unwrap();
    herd.settle(&ALL, &next(), 9);
    assert_eq!(herd.written("web1"), "first rejoin leave page page");
    herd.add(&[("web4", &["web"])]);
    herd.settle(&ALL, &next(), 9);
    assert_eq!(herd.written("web1"), "first rejoin leave page page");
    desk.retry(&["web1"]).unwrap();
    herd.settle(&ALL, &next(), 9);
    assert_eq!(herd.written("web1"), "first rejoin leave page page page");
}

#[test]
fn a_retry_waits_for_a_host_that_is_away() {
    let herd = failed();
    let desk = Desk::of(&herd);
    for _ in 0..2 {
        desk.retry(&["web1"]).unwrap();
    }
    herd.add(&[("web4", &["web"])]);
    desk.deploy(&next(), &[], |_| {}).unwrap();
    herd.settle(&["db1", "web2", "web3"], &next(), 9);
    put(&herd, "web1", "mended");
    healthy(&herd, &next(), "page rejoin");
}

#[test]
fn a_host_of_several_roles_is_healed_in_all_of_them() {
    let herd = TestHerd::new();
    herd.add(&[("both", &["database", "web"])]);
    let base = catalog(&[&SCHEMA, &FIRST]);
    herd.deploy(&base);
    herd.settle(&["both"], &base, 9);
    herd.deploy(&next());
    herd.settle(&["both"], &next(), 9);
    assert_eq!([herd.out("web"), herd.out("database")], [["both"], ["both"]]);
    put(&herd, "both", "mended");
    Desk::of(&herd).retry(&["both"]).unwrap();
    herd.settle(&["both"], &next(), 9);
    assert_eq!(herd.written("both"), "schema first rejoin leave page page after rejoin");
    assert_eq!([herd.out("web"), herd.out("database")], [[""; 0], [""; 0]]);
    assert_eq!(herd.said(&["both"]), ["both up to date"]);
}

#[test]
fn a_new_host_that_failed_enters_service_all_the_same() {
    let herd = in_service();
    herd.deploy(&next());
    herd.settle(&["web2", "web3"], &next(), 9);
    herd.add(&[("web4", &["web"])]);
    herd.settle(&["web4"], &next(), 9);
    assert_eq!(herd.written("web4"), "first page");
    put(&herd, "web4", "page");
    Desk::of(&herd).adopt("web4", None).unwrap();
    herd.settle(&["web4"], &next(), 9);
    assert_eq!(herd.written("web4"), "first page");
    assert_eq!(how(&herd, "web4"), Some(How::Adopted));
}

const REFUSED: &str = "web1 failed at `page` (3333333): adopting it, as change 7 says, was refused: spec `is_there`: expected \
                       a page, found none";

#[test]
fn an_adoption_whose_specs_fail_is_refused_and_not_looked_at_again() {
    let herd = failed();
    let desk = Desk::of(&herd);
    desk.adopt("web1", Some("page")).unwrap();
    herd.settle(&ALL, &next(), 9);
    assert_eq!(herd.said(&["web1"]), [REFUSED]);
    put(&herd, "web1", "page");
    herd.settle(&ALL, &next(), 3);
    assert_eq!((asked(&herd, "web1"), herd.said(&["web1"])), (1, vec![REFUSED.to_owned()]));
    assert_eq!(herd.out("web"), ["web1"]);
    desk.adopt("web1", Some("page")).unwrap();
    healthy(&herd, &next(), "rejoin");
    assert_eq!(asked(&herd, "web1"), 2);
}

#[test]
fn after_a_refused_adoption_all_other_ways_are_open() {
    let refused = || {
        let herd = failed();
        Desk::of(&herd).adopt("web1", None).unwrap();
        herd.settle(&ALL, &next(), 9);
        assert_eq!(herd.said(&["web1"]), [REFUSED]);
        herd
    };
    let herd = refused();
    put(&herd, "web1", "mended");
    Desk::of(&herd).retry(&["web1"]).unwrap();
    healthy(&herd, &next(), "page rejoin");
    let herd = refused();
    Desk::of(&herd).deploy(&amended(), &[page()], |_| {}).unwrap();
    healthy(&herd, &amended(), "amended rejoin");
}

#[test]
fn of_what_was_said_while_a_host_was_away_the_newest_counts() {
    let herd = failed();
    let desk = Desk::of(&herd);
    desk.retry(&["web1"]).unwrap();
    desk.adopt("web1", None).unwrap();
    herd.settle(&ALL, &next(), 9);
    assert_eq!((herd.written("web1").as_str(), asked(&herd, "web1")), ("first rejoin leave page", 1));
    let herd = failed();
    let desk = Desk::of(&herd);
    desk.adopt("web1", None).unwrap();
    desk.retry(&["web1"]).unwrap();
    herd.settle(&ALL, &next(), 9);
    assert_eq!((herd.written("web1").as_str(), asked(&herd, "web1")), ("first rejoin leave page page", 0));
}

#[test]
fn an_adoption_that_a_crash_cut_short_is_not_repeated() {
    let herd = failed();
    let desk = Desk::of(&herd);
    desk.adopt("web1", None).unwrap();
    put(&herd, "web1", "page");
    let Phase::Failed { failure, .. } = herd.record("web1").phase else { panic!("{:?}", herd.record("web1")) };
    store(&herd, "web1").adopts(7, Some(failure)).unwrap();
    herd.settle(&ALL, &next(), 9);
    assert_eq!((asked(&herd, "web1"), how(&herd, "web1")), (0, None));
    desk.adopt("web1", None).unwrap();
    healthy(&herd, &next(), "rejoin");
}

#[test]
fn who_has_not_begun_adopts_without_leaving_load() {
    let herd = failed();
    put(&herd, "web2", "page");
    Desk::of(&herd).adopt("web2", None).unwrap();
    herd.settle(&ALL, &next(), 9);
    assert_eq!((how(&herd, "web2"), herd.written("web2").as_str()), (Some(How::Adopted), "first rejoin"));
    assert_eq!(herd.said(&["web2"]), ["web2 up to date"]);
    assert_eq!(herd.out("web"), ["web1"]);
}

#[test]
fn who_has_not_begun_runs_what_was_not_done_by_hand() {
    let herd = in_service();
    herd.deploy(&next());
    Desk::of(&herd).adopt("web2", None).unwrap();
    herd.settle(&["web2"], &next(), 9);
    assert_eq!(
        (how(&herd, "web2"), herd.written("web2").as_str()),
        (Some(How::Done), "first rejoin leave page rejoin")
    );
    assert_eq!(asked(&herd, "web2"), 2, "once before it ran, and once after");
}

#[test]
fn without_a_spec_only_a_failed_link_is_adopted() {
    let untold = || Catalog::new([&SCHEMA, &FIRST, &PAGE, &AFTER], [&WEB, &DATABASE], []).unwrap();
    let herd = in_service();
    herd.deploy(&untold());
    let desk = Desk::of(&herd);
    desk.adopt("web2", None).unwrap();
    herd.settle(&["web2"], &untold(), 9);
    assert_eq!(how(&herd, "web2"), Some(How::Done));
    herd.settle(&["web1"], &untold(), 9);
    desk.adopt("web1", None).unwrap();
    herd.settle(&["web1"], &untold(), 9);
    assert_eq!(how(&herd, "web1"), Some(How::Adopted));
}

#[test]
fn only_the_next_link_is_adopted_whatever_the_change_says() {
    let herd = failed();
    let after = next().chain().tip().unwrap().sha1;
    herd.change(ChangeKind::Adopt, |manifest| {
        let change = manifest.number;
        manifest.hosts.get_mut("web1").unwrap().adopt = Some(Adoption { change, link: after });
    });
    herd.settle(&ALL, &next(), 9);
    assert_eq!(herd.said(&["web1"]), ["web1 failed at `page` (3333333): nginx -t says no"]);
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
    let herd = in_service();
    let owing = catalog(&[&SCHEMA, &FIRST, &OWING, &AFTER]);
    herd.deploy(&owing);
    herd.settle(&["web1"], &owing, 9);
    for file in ["page", "unpayable"] {
        put(&herd, "web1", file);
    }
    let desk = Desk::of(&herd);
    desk.adopt("web1", None).unwrap();
    herd.settle(&["web1"], &owing, 9);
    let refused = "web1 failed at `page` (3333333): adopting it, as change 7 says, was refused: nginx does not start";
    assert_eq!((herd.said(&["web1"]), asked(&herd, "web1")), (vec![refused.to_owned()], 0));
    assert_eq!(store(&herd, "web1").owed().len(), 1);
    files::remove(herd.root("web1").join("unpayable")).unwrap();
    desk.adopt("web1", None).unwrap();
    herd.settle(&["web1"], &owing, 9);
    assert_eq!(herd.written("web1"), "first rejoin leave paid rejoin");
    assert_eq!((how(&herd, "web1"), store(&herd, "web1").owed().len()), (Some(How::Adopted), 0));
}
