//! What operators tell a herd beside deploys, over real git: canaries, holds, claims that are freed and waits that are
//! waived, also for hosts that were away and learn of several changes at once.

use std::collections::BTreeSet;
use std::time::Duration;

use wb_core::change::{ChangeKind, Whom};
use wb_core::context::{MaxOut, Migration, Role, StaticWait};
use wb_core::runner::Catalog;
use wb_core::system::clock::{Real, wait_until};
use wb_core::system::{Command, files};
use wb_tests::desk::Desk;
use wb_tests::herd::TestHerd;
use wb_tests::links::{migration, write};
use wb_xtask::canary::promoting;
use wb_xtask::deploy::aim::Aim;
use wb_xtask::hold::{holding, resuming};
use wb_xtask::release::releasing;
use wb_xtask::waive::waiving;

static FIRST: Migration =
    migration("first", "web", 0, "1111111111111111111111111111111111111111", |context| write(context, "first"));
static SECOND: Migration =
    migration("second", "web", 1, "2222222222222222222222222222222222222222", |context| write(context, "second"));
static TUNING: Migration =
    migration("tuning", "database", 2, "3333333333333333333333333333333333333333", |context| write(context, "tuning"));
static THEME: Migration = Migration {
    wait: Some(StaticWait::all("database")),
    ..migration("theme", "web", 3, "4444444444444444444444444444444444444444", |context| write(context, "theme"))
};

/// Who has a file `stuck` can't leave.
static WEB: Role = Role {
    name: "web",
    max_out: MaxOut::Hosts(1),
    leave: |context| {
        anyhow::ensure!(context.system().read_file("/stuck")?.is_none(), "no answer");
        write(context, "leave")
    },
    rejoin: |context| write(context, "rejoin"),
    ..Role::PLAIN
};
static DATABASE: Role =
    Role { name: "database", max_out: MaxOut::Hosts(1), leave: |_| Ok(()), rejoin: |_| Ok(()), ..Role::PLAIN };

fn catalog(migrations: &[&'static Migration]) -> Catalog {
    Catalog::new(migrations.iter().copied(), [&WEB, &DATABASE], []).unwrap()
}

fn two() -> Catalog {
    catalog(&[&FIRST, &SECOND])
}

fn all() -> Catalog {
    catalog(&[&FIRST, &SECOND, &TUNING, &THEME])
}

/// Hosts in service at `first`, each with the role of its name.
fn herd(hosts: &[&str]) -> TestHerd {
    let herd = TestHerd::new();
    let role = |host: &str| if host.starts_with("db") { "database" } else { "web" };
    hosts.iter().for_each(|host| herd.add(&[(host, &[role(host)])]));
    let first = catalog(&[&FIRST]);
    herd.deploy(&first);
    herd.settle(hosts, &first, 20);
    herd
}

fn whom(hosts: &[&str]) -> BTreeSet<Whom> {
    hosts.iter().map(|host| Whom::Host((*host).to_owned())).collect()
}

fn canaries(hosts: &[&str], bake: Option<u64>) -> Aim {
    Aim { canaries: hosts.iter().map(|host| (*host).to_owned()).collect(), bake, ..Aim::default() }
}

fn stick(herd: &TestHerd, host: &str) {
    files::write(herd.root(host).join("stuck"), "", 0o644).unwrap();
}

fn unstick(herd: &TestHerd, host: &str) {
    files::remove(herd.root(host).join("stuck")).unwrap();
}

#[test]
fn canaries_go_first_and_everyone_follows_when_they_are_promoted() {
    let herd = herd(&["web1", "web2", "web3"]);
    let desk = Desk::of(&herd);
    desk.deploy_as(&two(), &[], &canaries(&["web1"], None), |_| {}).unwrap();
    let not_yet = desk.tell(|known| promoting(known, false, None)).unwrap_err();
    let unheard = "`web1` at `first` (1111111), up to date, and has not heard of change 5 yet";
    assert_eq!(not_yet, format!("the canaries have not passed yet: {unheard}"));
    herd.settle(&["web1", "web2"], &two(), 20);
    assert_eq!((herd.written("web1").ends_with("second rejoin"), &*herd.written("web2")), (true, "first rejoin"));
    assert_eq!(desk.tell(|known| promoting(known, false, None)).unwrap(), "6 promote: `second` (2222222)");
    herd.settle(&["web1", "web2", "web3"], &two(), 20);
    for host in ["web1", "web2", "web3"] {
        assert_eq!(herd.written(host), "first rejoin leave second rejoin", "{host}, once, whatever it missed");
    }
    let nothing = desk.tell(|known| promoting(known, false, None)).unwrap_err();
    assert!(nothing.starts_with("no canaries go first now"), "{nothing}");
}

#[test]
fn canaries_that_baked_are_followed_by_everyone() {
    let herd = herd(&["web1", "web2"]);
    let desk = Desk::of(&herd);
    desk.deploy_as(&two(), &[], &canaries(&["web1"], Some(0)), |_| {}).unwrap();
    herd.tick("web2", &two()).unwrap();
    assert_eq!(herd.written("web2"), "first rejoin", "web1 is not there yet");
    herd.settle(&["web1", "web2"], &two(), 20);
    assert_eq!(herd.written("web2"), "first rejoin leave second rejoin");
}

#[test]
fn nobody_follows_canaries_before_their_bake_is_over() {
    let herd = herd(&["web1", "web2"]);
    let desk = Desk::of(&herd);
    desk.deploy_as(&two(), &[], &canaries(&["web1"], Some(3600)), |_| {}).unwrap();
    herd.settle(&["web1", "web2"], &two(), 20);
    let written = || [herd.written("web1"), herd.written("web2")];
    let (first, second) = ("first rejoin", "first rejoin leave second rejoin");
    assert_eq!(written(), [second, first], "web1 is well, and not for an hour");
    desk.deploy_as(&two(), &[], &canaries(&["web1"], Some(1)), |_| {}).unwrap();
    let both = || {
        herd.settle(&["web1", "web2"], &two(), 20);
        (written() == [second; 2]).then_some(())
    };
    wait_until(&Real, Duration::from_secs(60), Duration::from_millis(200), both).unwrap();
}

#[test]
fn a_role_goes_first_and_the_others_follow_when_it_is_promoted() {
    let (hosts, three) = (["db1", "web1", "web2"], || catalog(&[&FIRST, &SECOND, &TUNING]));
    let herd = herd(&hosts);
    let desk = Desk::of(&herd);
    let web = Aim { roles: ["web".to_owned()].into(), ..Aim::default() };
    let told = desk.deploy_as(&three(), &[], &web, |_| {}).unwrap();
    let first: BTreeSet<String> = ["web1", "web2"].map(str::to_owned).into();
    assert_eq!(told.manifest.canary.map(|canary| canary.hosts), Some(first));
    herd.settle(&hosts, &three(), 30);
    let second = "first rejoin leave second rejoin";
    assert_eq!(hosts.map(|host| herd.written(host)), ["", second, second], "db1 has another role");
    assert_eq!(desk.tell(|known| promoting(known, false, None)).unwrap(), "6 promote: `tuning` (3333333)");
    herd.settle(&hosts, &three(), 30);
    assert_eq!(hosts.map(|host| herd.written(host)), ["tuning", second, second]);
}

#[test]
fn everyone_stops_at_the_named_link_and_goes_on_with_the_next_deploy() {
    let hosts = ["db1", "web1", "web2"];
    let herd = herd(&hosts);
    let desk = Desk::of(&herd);
    let until = Aim { until: Some("second".into()), ..Aim::default() };
    desk.deploy_as(&all(), &[], &until, |_| {}).unwrap();
    herd.settle(&hosts, &all(), 30);
    let second = "first rejoin leave second rejoin";
    assert_eq!(hosts.map(|host| herd.written(host)), ["", second, second]);
    assert_eq!(herd.said(&hosts), ["db1 up to date", "web1 up to date", "web2 up to date"], "and nobody waits");
    desk.deploy_as(&all(), &[], &Aim::default(), |_| {}).unwrap();
    herd.settle(&hosts, &all(), 40);
    let theme = "first rejoin leave second rejoin leave theme rejoin";
    assert_eq!(hosts.map(|host| herd.written(host)), ["tuning", theme, theme]);
}

#[test]
fn nobody_deploys_behind_a_canary() {
    let herd = herd(&["web1", "web2"]);
    let desk = Desk::of(&herd);
    let until = |aim: Aim| Aim { until: Some("second".into()), ..aim };
    desk.deploy_as(&all(), &[], &canaries(&["web1"], None), |_| {}).unwrap();
    let behind = desk.deploy_as(&all(), &[], &until(Aim::default()), |_| {}).unwrap_err().to_string();
    assert_eq!(behind, "web1 was told to reach `theme` (4444444), and `second` (2222222) is before it");
    let other = desk.deploy_as(&all(), &[], &canaries(&["web2"], None), |_| {}).unwrap_err().to_string();
    assert_eq!(other, "`web1` goes first since an earlier deploy: name it too, or promote that first");
    desk.deploy_as(&all(), &[], &Aim::default(), |_| {}).unwrap();
    herd.settle(&["web1", "web2"], &all(), 20);
    assert_eq!(herd.said(&["web1", "web2"]), ["web1 up to date", "web2 up to date"]);
}

#[test]
fn a_canary_that_can_only_wait_for_the_others_has_passed() {
    let herd = herd(&["db1", "web1", "web2"]);
    let desk = Desk::of(&herd);
    desk.deploy_as(&all(), &[], &canaries(&["web1"], None), |_| {}).unwrap();
    herd.settle(&["db1", "web1", "web2"], &all(), 20);
    let waits = "web1 waits: `theme` (4444444) waits for db1 at `first` (1111111)";
    assert_eq!(herd.said(&["web1"]), [waits]);
    assert_eq!(desk.tell(|known| promoting(known, false, None)).unwrap(), "6 promote: `theme` (4444444)");
    herd.settle(&["db1", "web1", "web2"], &all(), 30);
    let done = ["db1 up to date", "web1 up to date", "web2 up to date"];
    assert_eq!(herd.said(&["db1", "web1", "web2"]), done);
}

#[test]
fn a_host_that_was_away_knows_whether_it_is_held() {
    let herd = herd(&["web1", "web2"]);
    let desk = Desk::of(&herd);
    let hold = |hosts: &[&str]| desk.tell(|known| holding(known, &whom(hosts), "a look")).unwrap();
    let resume = |hosts: &[&str]| desk.tell(|known| resuming(known, &whom(hosts), None)).unwrap();
    assert_eq!(hold(&["web1"]), "4 hold: web1: a look");
    herd.deploy(&two());
    assert_eq!(hold(&[]), "6 hold: the herd: a look");
    herd.settle(&["web1", "web2"], &two(), 9);
    let held = ["web1 waits: the herd is held by change 6: a look", "web2 waits: the herd is held by change 6: a look"];
    assert_eq!(herd.said(&["web1", "web2"]), held);
    resume(&[]);
    herd.settle(&["web1", "web2"], &two(), 20);
    assert_eq!(herd.said(&["web1", "web2"]), ["web1 waits: web1 is held by change 4: a look", "web2 up to date"]);
    assert_eq!(herd.written("web1"), "first rejoin");
    resume(&["web1"]);
    hold(&["web2"]);
    resume(&["web2"]);
    herd.settle(&["web1", "web2"], &two(), 20);
    assert_eq!([herd.written("web1"), herd.written("web2")], ["first rejoin leave second rejoin"; 2]);
}

#[test]
fn a_freed_claim_lets_others_go_and_its_holder_comes_back_later() {
    let herd = herd(&["web1", "web2"]);
    let desk = Desk::of(&herd);
    stick(&herd, "web1");
    herd.deploy(&two());
    herd.settle(&["web1", "web2"], &two(), 9);
    assert_eq!(
        (herd.out("web"), &*herd.said(&["web1"])[0]),
        (vec!["web1".to_owned()], "web1 can't leave load: leave of role web: no answer")
    );
    let alive = desk.tell(|known| releasing(known, "web1", "it hangs", false)).unwrap_err();
    assert!(alive.starts_with("`web1` reported ") && alive.contains("so it may be alive and out of load"), "{alive}");
    let freed = desk.tell(|known| releasing(known, "web1", "it hangs", true)).unwrap();
    assert!(freed.starts_with("5 release: web1, which reported ") && freed.ends_with(" ago: it hangs"), "{freed}");
    let again = desk.tell(|known| releasing(known, "web1", "it hangs", true)).unwrap_err();
    assert_eq!(again, "`web1` holds no place in any pool that counts: change 5 freed it");
    herd.settle(&["web2"], &two(), 12);
    assert_eq!((&*herd.written("web2"), herd.out("web")), ("first rejoin leave second rejoin", vec![]));
    desk.tell(|known| holding(known, &whom(&["web2"]), "a look")).unwrap();
    desk.tell(|known| resuming(known, &whom(&["web2"]), None)).unwrap();
    unstick(&herd, "web1");
    herd.settle(&["web1", "web2"], &two(), 20);
    let once = "first rejoin rejoin leave second rejoin";
    assert_eq!(herd.written("web1"), once, "it does not leave under the freed claim, and takes another one");
    assert_eq!((herd.said(&["web1"]), herd.out("web")), (vec!["web1 up to date".to_owned()], vec![]));
    let nothing = desk.tell(|known| releasing(known, "web1", "it hangs", true)).unwrap_err();
    assert_eq!(nothing, "`web1` holds no place in any pool");
}

#[test]
fn who_is_out_of_load_claims_its_place_again_where_the_remote_has_lost_it() {
    let herd = herd(&["web1", "web2", "web3"]);
    ["web1", "web2"].into_iter().for_each(|host| stick(&herd, host));
    herd.deploy(&two());
    herd.settle(&["web1"], &two(), 9);
    herd.lose_pool("web");
    herd.settle(&["web1", "web2", "web3"], &two(), 9);
    assert_eq!(herd.out("web"), ["web1"], "nobody was faster");
    herd.lose_pool("web");
    herd.tick("web2", &two()).unwrap();
    herd.settle(&["web1", "web2", "web3"], &two(), 9);
    assert_eq!(herd.out("web"), ["web2", "web1"], "both are out, whatever the limit");
    assert_eq!(herd.written("web3"), "first rejoin");
    ["web1", "web2"].into_iter().for_each(|host| unstick(&herd, host));
    herd.settle(&["web1", "web2", "web3"], &two(), 30);
    for host in ["web1", "web2", "web3"] {
        assert_eq!(herd.written(host), "first rejoin leave second rejoin");
    }
    assert_eq!(herd.out("web"), Vec::<String>::new());
}

#[test]
fn a_waived_host_is_waited_for_no_longer_and_does_its_part_later() {
    let herd = herd(&["db1", "web1", "web2"]);
    let desk = Desk::of(&herd);
    let waive = |link: &str, host: &str| desk.tell(|known| waiving(known, link, host, "it is under repair"));
    herd.deploy(&all());
    herd.settle(&["web1"], &all(), 20);
    assert_eq!(herd.said(&["web1"]), ["web1 waits: `theme` (4444444) waits for db1 at `first` (1111111)"]);
    assert_eq!(waive("second", "db1").unwrap_err(), "`second` (2222222) waits for nobody");
    let said = "6 waive: `theme` (4444444) does not wait for db1: it is under repair";
    assert_eq!(waive("theme", "db1").unwrap(), said);
    herd.settle(&["web1", "web2"], &all(), 20);
    assert_eq!(herd.said(&["web1", "web2"]), ["web1 up to date", "web2 up to date"], "web2 was away until now");
    herd.settle(&["db1"], &all(), 20);
    assert_eq!((&*herd.written("db1"), &*herd.said(&["db1"])[0]), ("tuning", "db1 up to date"));
}

#[test]
fn what_came_of_a_change_is_told_by_the_hosts() {
    let herd = herd(&["db1", "web1", "web2"]);
    let desk = Desk::of(&herd);
    herd.deploy(&all());
    assert_eq!(desk.outcomes(5)[0], "db1 not seen yet; it is at change 4");
    herd.settle(&["db1", "web1"], &all(), 20);
    let said = ["db1 done: `tuning`", "web1 done: `theme`", "web2 not seen yet; it is at change 4"];
    assert_eq!(desk.outcomes(5), said);
    let said = ["db1 passed over", "web1 done: `first`", "web2 done: `first`"];
    assert_eq!(desk.outcomes(4), said);
    desk.tell(|known| holding(known, &whom(&["web2"]), "a look")).unwrap();
    herd.settle(&["web2"], &all(), 20);
    assert_eq!(
        desk.outcomes(6),
        ["db1 not seen yet; it is at change 5", "web1 not seen yet; it is at change 5", "web2 seen"]
    );
    let waits = "web2 on its way: waits: web2 is held by change 6: a look";
    assert_eq!(desk.outcomes(5)[2], waits);
}

#[test]
fn a_log_is_brought_back_that_only_hosts_know_of() {
    let herd = herd(&["web1", "web2"]);
    herd.deploy(&two());
    herd.change(ChangeKind::Hold, |manifest| manifest.message = "nothing".into());
    herd.settle(&["web1"], &two(), 20);
    let backup = herd.newest().unwrap().manifest.number - 2;
    let git = |args: &[&str]| Command::new("git").arg("-C").arg(herd.remote()).args(args).read().unwrap();
    git(&["update-ref", "refs/wildebeest/changes", "refs/wildebeest/changes~2"]);
    let desk = Desk::of(&herd);
    let held = desk.tell(|known| holding(known, &whom(&["web1"]), "a look")).unwrap_err();
    assert_eq!(held, "the remote has lost change 5, which `web1` has accepted: the log of changes was rewound");
    herd.tick("web1", &two()).unwrap();
    assert!(herd.said(&["web1"])[0].ends_with("hint: an operator brings it back by `cargo xtask changes recover`"));
    assert_eq!((backup, desk.recover().unwrap()), (3, vec!["4 deploy: ".to_owned(), "5 hold: nothing".to_owned()]));
    assert_eq!(desk.recover().unwrap(), [""; 0], "nothing is lost any more");
    herd.settle(&["web1", "web2"], &two(), 20);
    assert_eq!(herd.said(&["web1", "web2"]), ["web1 up to date", "web2 up to date"]);
    git(&["update-ref", "-d", "refs/wildebeest/changes"]);
    assert_eq!(desk.recover().unwrap().len(), 5);
}
