//! Clones, restores and replacements: disks are copied and put back, on the same and on other hardware, while the
//! original runs and while it does not.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use wb_core::agent::phase::{Leg, Phase};
use wb_core::agent::preview::doing;
use wb_core::agent::{AgentError, Next, Store};
use wb_core::chain::Digest;
use wb_core::change::{ChangeKind, HostManifest, Identity, Retired, Runner};
use wb_core::context::{MaxOut, Migration, Role};
use wb_core::registry::{Mirror as _, Pushed, RefName, RefUpdate, public_key};
use wb_core::report::Report;
use wb_core::runner::{Catalog, Enrollment, platform, rekey, replace};
use wb_core::system::Command;
use wb_core::system::files;
use wb_tests::herd::TestHerd;
use wb_tests::links::{WEB, migration, write};

static FIRST: Migration =
    migration("first", "web", 0, "1111111111111111111111111111111111111111", |context| write(context, "first"));
static SECOND: Migration =
    migration("second", "web", 1, "2222222222222222222222222222222222222222", |context| write(context, "second"));
static BROKEN: Migration = migration("second", "web", 1, "2222222222222222222222222222222222222222", |context| {
    write(context, "broken")?;
    anyhow::bail!("no luck")
});

fn catalog(migrations: &[&'static Migration]) -> Catalog {
    Catalog::new(migrations.iter().copied(), [&WEB], []).unwrap()
}

fn first() -> Catalog {
    catalog(&[&FIRST])
}

fn second() -> Catalog {
    catalog(&[&FIRST, &SECOND])
}

/// The host `web1` in service at `first`, on the hardware `a`, in the boot `a1`; its disk then, as `backup`.
fn herd() -> TestHerd {
    let herd = TestHerd::new();
    herd.hardware("web1", "a", "a1", 100);
    herd.add(&[("web1", &["web"])]);
    herd.deploy(&first());
    herd.settle(&["web1"], &first(), 9);
    assert_eq!(herd.written("web1"), "first rejoin");
    herd.copy("web1", "backup");
    herd
}

/// Brings `web1` to `second`.
fn go_on(herd: &TestHerd) {
    herd.deploy(&second());
    herd.settle(&["web1"], &second(), 9);
    assert_eq!(herd.written("web1"), "first rejoin leave second rejoin");
}

fn refused(herd: &TestHerd, machine: &str, expect: &str) {
    let error = herd.tick(machine, &second()).unwrap_err();
    assert!(error.is_final() && error.to_string().ends_with(expect), "{error}");
}

const CONTESTED: &str = "`web1`: two machines claim it";
const UNKNOWN: &str = "the last report does not come after this machine's own";

/// Ticks until nothing happens, with a clock that goes on.
fn catch_up(herd: &TestHerd, machine: &str, id: &str, boot: &str) {
    for uptime in 1..12 {
        herd.hardware(machine, id, boot, uptime);
        herd.tick(machine, &second()).unwrap();
    }
}

fn report(herd: &TestHerd) -> Report {
    herd.reports().remove("web1").unwrap()
}

fn admit(herd: &TestHerd, machine: &str, kind: ChangeKind) {
    let config = herd.home(machine).read_config().unwrap();
    let key = public_key(&herd.home(machine).key()).unwrap();
    herd.change(kind, |manifest| {
        let identity = Some(Identity { uuid: config.uuid, key });
        let host = HostManifest { roles: ["web".to_owned()].into(), identity, ..HostManifest::default() };
        let lost = manifest.hosts.insert(config.name.clone(), host).and_then(|host| host.identity);
        let retired = lost.map(|lost| Retired { uuid: lost.uuid, name: config.name, change: manifest.number });
        manifest.retired.extend(retired);
    });
}

/// The host `web1` amid a leg whose next link is `second`, and why it is not done is forgotten.
fn amid_a_leg(herd: &TestHerd, phase: impl FnOnce(Leg) -> Phase) {
    let broken = catalog(&[&FIRST, &BROKEN]);
    herd.deploy(&broken);
    herd.tick("web1", &broken).unwrap();
    assert_eq!(herd.written("web1"), "first rejoin leave broken");
    let store = Store::open(&herd.home("web1").record()).unwrap();
    let leg = store.record().phase.leg().cloned().unwrap();
    store.update(|record| record.phase = phase(leg)).unwrap();
}

#[test]
fn a_clone_on_other_hardware_stops_and_the_original_goes_on() {
    let herd = herd();
    herd.copy("backup", "clone");
    herd.hardware("clone", "b", "b1", 5);
    let why = format!("and this one has {}", herd.with_agent("clone", &first(), |_| fingerprint(&herd, "clone")));
    refused(&herd, "clone", &why);
    go_on(&herd);
    refused(&herd, "clone", &why);
    assert_eq!(herd.written("clone"), "first rejoin");
}

fn fingerprint(herd: &TestHerd, machine: &str) -> String {
    wb_core::agent::incarnation::read(&herd.system(machine)).fingerprint
}

#[test]
fn a_restored_host_catches_up_by_itself() {
    let herd = herd();
    go_on(&herd);
    herd.copy("backup", "web1");
    herd.hardware("web1", "a", "a2", 1);
    assert_eq!(herd.tick("web1", &second()).unwrap(), Next::Poll);
    let said = report(&herd);
    assert_eq!((said.link.as_deref(), said.lines.len()), (Some("first"), 2));
    assert_eq!(said.doing.to_string(), "waits: 2 s for another machine with its identity to object: it was restored");
    herd.tick("web1", &second()).unwrap();
    assert_eq!(herd.written("web1"), "first rejoin", "it waits by a clock that nobody sets");
    catch_up(&herd, "web1", "a", "a2");
    assert_eq!(herd.written("web1"), "first rejoin leave second rejoin");
    assert_eq!(herd.said(&["web1"]), ["web1 up to date"]);
    assert!(herd.record("web1").taking_over.is_none());
}

/// What `wildebeest status` says.
fn status(herd: &TestHerd, machine: &str, catalog: &Catalog) -> String {
    herd.with_agent(machine, catalog, |agent| {
        let next = agent.upcoming().unwrap();
        doing(agent, &next, catalog).to_string()
    })
}

#[test]
fn status_says_what_the_report_says_while_a_host_takes_its_identity_over() {
    let herd = herd();
    go_on(&herd);
    herd.copy("backup", "web1");
    herd.hardware("web1", "a", "a2", 1);
    herd.tick("web1", &second()).unwrap();
    let expect = "waits: 2 s for another machine with its identity to object: it was restored";
    assert_eq!(status(&herd, "web1", &second()), expect);
    assert_eq!(herd.said(&["web1"]), [format!("web1 {expect}")]);
    catch_up(&herd, "web1", "a", "a2");
    assert_eq!(status(&herd, "web1", &second()), "up to date");
}

#[test]
fn status_says_what_the_report_says_of_a_runner_that_does_not_count() {
    let herd = herd();
    let runner = Runner { sha256: Digest::of(b"another"), ..herd.publish(&first()) };
    herd.change(ChangeKind::Deploy, |manifest| manifest.runners = [(platform(), runner)].into());
    herd.tick("web1", &first()).unwrap();
    let said = status(&herd, "web1", &first());
    assert!(said.starts_with("stopped: the runner has sha256 "), "{said}");
    assert_eq!(herd.said(&["web1"]), [format!("web1 {said}")]);
    herd.change(ChangeKind::Deploy, |manifest| manifest.runners.clear());
    herd.tick("web1", &first()).unwrap();
    assert_eq!(status(&herd, "web1", &first()), "up to date");
}

#[test]
fn a_host_may_be_restored_again_and_to_before_it_was_restored() {
    let herd = herd();
    go_on(&herd);
    herd.copy("web1", "later");
    for (backup, boot) in [("backup", "a2"), ("backup", "a3"), ("later", "a4"), ("backup", "a5")] {
        herd.copy(backup, "web1");
        catch_up(&herd, "web1", "a", boot);
        assert_eq!(herd.said(&["web1"]), ["web1 up to date"], "{boot}");
    }
    assert_eq!(report(&herd).lines.len(), 5);
}

#[test]
fn who_is_restored_again_still_knows_how_far_it_had_come() {
    let herd = herd();
    go_on(&herd);
    let had = report(&herd).state;
    for boot in ["a2", "a3"] {
        herd.copy("backup", "web1");
        herd.hardware("web1", "a", boot, 1);
        herd.tick("web1", &second()).unwrap();
        assert_eq!((report(&herd).link.as_deref(), report(&herd).announced), (Some("first"), had), "{boot}");
        assert_eq!(herd.record("web1").announced, had, "{boot}");
    }
    catch_up(&herd, "web1", "a", "a3");
    assert_eq!(herd.written("web1"), "first rejoin leave second rejoin");
    assert_eq!((report(&herd).announced, herd.record("web1").announced), (None, None), "it has come so far again");
}

/// `web1` and a machine with its backup both run, and `web1` has objected.
fn contested() -> TestHerd {
    let herd = herd();
    go_on(&herd);
    herd.copy("backup", "restored");
    herd.hardware("restored", "a", "a2", 1);
    herd.tick("restored", &second()).unwrap();
    refused(&herd, "web1", CONTESTED);
    herd
}

/// The ref of the report of `web1`.
fn own(herd: &TestHerd) -> String {
    RefName::Report(herd.home("web1").read_config().unwrap().uuid).to_string()
}

/// Git, on the server.
fn git(herd: &TestHerd, args: &[&str]) -> String {
    Command::new("git").arg("-C").arg(herd.remote()).args(args).read().unwrap()
}

#[test]
fn a_restored_host_and_the_original_that_runs_both_stop() {
    let herd = contested();
    assert!(report(&herd).contested);
    for _ in 0..2 {
        refused(&herd, "restored", CONTESTED);
        refused(&herd, "web1", CONTESTED);
    }
    assert_eq!(herd.written("restored"), "first rejoin");
    herd.hardware("restored", "a", "a3", 1);
    refused(&herd, "restored", CONTESTED);

    git(&herd, &["update-ref", "-d", &own(&herd)]);
    for machine in ["restored", "web1"] {
        refused(&herd, machine, CONTESTED);
        assert!(report(&herd).contested, "where the remote has lost it, it is said once more");
    }
    assert_eq!(herd.written("restored"), "first rejoin");
    assert!(herd.with_agent("restored", &second(), |agent| agent.keep().unwrap()));
    catch_up(&herd, "restored", "a", "a3");
    assert_eq!(herd.written("restored"), "first rejoin leave second rejoin");
    refused(&herd, "web1", CONTESTED);
    git(&herd, &["update-ref", "-d", &own(&herd)]);
    refused(&herd, "web1", CONTESTED);
    catch_up(&herd, "restored", "a", "a3");
    assert_eq!(herd.said(&["web1"]), ["web1 up to date"], "whom people did not choose is silent");
}

#[test]
fn an_objection_that_the_remote_has_lost_is_made_again() {
    let herd = herd();
    go_on(&herd);
    herd.copy("backup", "restored");
    let before = git(&herd, &["rev-parse", &own(&herd)]);
    herd.hardware("restored", "a", "a2", 1);
    herd.tick("restored", &second()).unwrap();
    refused(&herd, "web1", CONTESTED);
    git(&herd, &["update-ref", &own(&herd), &before]);
    refused(&herd, "web1", CONTESTED);
    assert!(report(&herd).contested);
    refused(&herd, "restored", CONTESTED);
    assert_eq!(herd.written("restored"), "first rejoin");
    git(&herd, &["update-ref", &own(&herd), &before]);
    assert!(herd.with_agent("web1", &second(), |agent| agent.keep().unwrap()));
    catch_up(&herd, "web1", "a", "a1");
    refused(&herd, "restored", CONTESTED);
    assert_eq!(herd.said(&["web1"]), ["web1 up to date"], "whom people chose is not stopped again");
}

#[test]
fn people_choose_the_true_one_of_two() {
    let herd = contested();
    assert!(herd.with_agent("restored", &second(), |agent| agent.keep().unwrap()));
    refused(&herd, "web1", CONTESTED);
    catch_up(&herd, "restored", "a", "a2");
    refused(&herd, "web1", CONTESTED);
    assert_eq!(herd.written("restored"), "first rejoin leave second rejoin");
    assert_eq!(herd.said(&["web1"]), ["web1 up to date"]);
    assert!(!herd.with_agent("restored", &second(), |agent| agent.keep().unwrap()), "nothing to settle");
}

#[test]
fn whose_hardware_was_changed_is_asked_and_kept() {
    let herd = herd();
    herd.hardware("web1", "new board", "a2", 1);
    herd.tick("web1", &second()).unwrap_err();
    assert!(herd.with_agent("web1", &second(), |agent| agent.keep().unwrap()));
    herd.deploy(&second());
    catch_up(&herd, "web1", "new board", "a2");
    assert_eq!(herd.written("web1"), "first rejoin leave second rejoin");
}

#[test]
fn an_objection_that_did_not_arrive_is_made_again() {
    let herd = herd();
    herd.copy("backup", "clone");
    herd.hardware("clone", "a", "a2", 1);
    go_on(&herd);
    herd.tick("clone", &second()).unwrap();
    let (remote, away) = (herd.remote(), herd.remote().with_extension("away"));
    let contest = wb_core::agent::identity::Contest { why: "two".into(), announced: false, place: None, lost: false };
    Store::open(&herd.home("web1").record()).unwrap().update(|record| record.contested = Some(contest)).unwrap();
    files::rename(&remote, &away).unwrap();
    assert!(matches!(herd.tick("web1", &second()).unwrap_err(), AgentError::Registry(_)));
    files::rename(&away, &remote).unwrap();
    refused(&herd, "web1", CONTESTED);
    assert!(herd.record("web1").contested.unwrap().announced);
    refused(&herd, "clone", CONTESTED);
}

/// An original that runs and a clone with the same fingerprint, in every order of their first ticks.
#[test]
fn of_two_machines_with_one_identity_at_most_one_begins_a_leg() {
    for order in 0u8..16 {
        let herd = herd();
        herd.copy("backup", "clone");
        herd.hardware("clone", "a", "a2", 1);
        herd.deploy(&second());
        for turn in 0..4 {
            let machine = if order >> turn & 1 == 0 { "web1" } else { "clone" };
            herd.tick(machine, &second()).ok();
        }
        for uptime in [1, 5, 9] {
            herd.hardware("clone", "a", "a2", uptime);
            herd.tick("clone", &second()).ok();
            herd.tick("web1", &second()).ok();
        }
        let began = ["web1", "clone"].map(|machine| herd.written(machine).contains("leave"));
        assert_ne!(began, [true, true], "{order:04b}");
        let contested = ["web1", "clone"].map(|machine| herd.record(machine).contested.is_some());
        assert_eq!(contested, [true, true], "{order:04b}");
    }
}

#[test]
fn a_leg_goes_on_only_under_a_claim_that_is_held() {
    let herd = TestHerd::new();
    for (host, id) in [("web1", "a"), ("web2", "w2")] {
        herd.hardware(host, id, "a1", 100);
    }
    herd.add(&[("web1", &["web"]), ("web2", &["web"])]);
    herd.deploy(&first());
    herd.settle(&["web1", "web2"], &first(), 9);
    let broken = catalog(&[&FIRST, &BROKEN]);
    herd.deploy(&broken);
    herd.tick("web1", &broken).unwrap();
    herd.copy("web1", "backup");
    // The claim is given back, and another host gets it.
    let store = Store::open(&herd.home("web1").record()).unwrap();
    let held = store.record().phase.held().cloned().unwrap();
    store.update(|record| record.phase = Phase::Rejoining { held: Some(held) }).unwrap();
    herd.tick("web1", &first()).unwrap();
    herd.change(ChangeKind::Retry, |manifest| manifest.hosts.get_mut("web2").unwrap().retry = 9);
    herd.tick("web1", &first()).unwrap();
    herd.tick("web2", &broken).unwrap();
    assert_eq!(herd.out("web"), ["web2"]);
    herd.copy("backup", "web1");
    herd.hardware("web1", "a", "a2", 1);
    // The last report of web1 was not amid a leg: two polls are enough.
    catch_up(&herd, "web1", "a", "a2");
    let said = herd.said(&["web1"]).remove(0);
    assert!(said.contains("; and now: waits: for a place in the pool of web: it was restored amid a leg"), "{said}");
    assert_eq!(herd.written("web1"), "first rejoin leave broken leave");
    assert_eq!(herd.out("web"), ["web2"]);
}

#[test]
fn a_restored_disk_that_believes_itself_in_load_rejoins_and_gives_back() {
    let herd = herd();
    let broken = catalog(&[&FIRST, &BROKEN]);
    herd.deploy(&broken);
    herd.tick("web1", &broken).unwrap();
    assert_eq!(herd.out("web"), ["web1"]);
    herd.copy("backup", "web1");
    herd.deploy(&second());
    catch_up(&herd, "web1", "a", "a2");
    assert_eq!(herd.written("web1"), "first rejoin rejoin leave second rejoin");
    assert_eq!(herd.out("web"), Vec::<String>::new());
}

#[test]
fn a_restored_host_does_not_go_on_without_the_remote() {
    let herd = herd();
    let broken = catalog(&[&FIRST, &BROKEN]);
    herd.deploy(&broken);
    herd.tick("web1", &broken).unwrap();
    herd.copy("web1", "backup");
    herd.change(ChangeKind::Deploy, |_| {});
    herd.tick("web1", &broken).unwrap();
    herd.copy("backup", "web1");
    let store = Store::open(&herd.home("web1").record()).unwrap();
    let leg = store.record().phase.leg().cloned().unwrap();
    store.update(|record| record.phase = Phase::Out { leg }).unwrap();
    herd.hardware("web1", "a", "a2", 1);
    herd.tick("web1", &second()).unwrap();
    let (remote, away) = (herd.remote(), herd.remote().with_extension("away"));
    files::rename(&remote, &away).unwrap();
    herd.hardware("web1", "a", "a2", 50);
    assert!(matches!(herd.tick("web1", &second()).unwrap_err(), AgentError::Registry(_)));
    assert_eq!(herd.written("web1"), "first rejoin leave broken leave");
    files::rename(&away, &remote).unwrap();
    catch_up(&herd, "web1", "a", "a2");
    assert_eq!(herd.written("web1"), "first rejoin leave broken leave second rejoin");
}

#[test]
fn a_clone_amid_a_leg_does_not_go_on_without_the_remote_either() {
    for looked_before in [false, true] {
        let herd = herd();
        amid_a_leg(&herd, |leg| Phase::Out { leg });
        herd.copy("web1", "clone");
        herd.hardware("clone", "b", "b1", 5);
        let expect = format!("and this one has {}", fingerprint(&herd, "clone"));
        if looked_before {
            refused(&herd, "clone", &expect);
        }
        files::rename(herd.remote(), herd.remote().with_extension("away")).unwrap();
        refused(&herd, "clone", &expect);
        assert_eq!(herd.written("clone"), "first rejoin leave broken");
        assert_eq!(herd.record("clone").phase.name(), "Out");
    }
}

/// The remote while it is away, and where it comes back to.
static AWAY: Mutex<Option<(PathBuf, PathBuf)>> = Mutex::new(None);

/// When it leaves, the remote comes back.
static RECONNECTING: Role = Role {
    leave: |context| {
        if let Some((away, remote)) = AWAY.lock().unwrap().take() {
            files::rename(away, remote)?;
        }
        write(context, "leave")
    },
    ..WEB
};

#[test]
fn a_host_that_learns_amid_its_leg_that_it_was_restored_stops_there() {
    let herd = herd();
    amid_a_leg(&herd, |leg| Phase::Leaving { leg });
    herd.copy("web1", "backup");
    herd.change(ChangeKind::Retry, |manifest| manifest.hosts.get_mut("web1").unwrap().retry = 9);
    herd.tick("web1", &catalog(&[&FIRST, &BROKEN])).unwrap();
    herd.copy("backup", "web1");
    herd.hardware("web1", "a", "a2", 1);
    // It has left since the boot.
    Store::open(&herd.home("web1").record()).unwrap().update(|record| record.boot_id = "a2".into()).unwrap();
    let (remote, away) = (herd.remote(), herd.remote().with_extension("away"));
    files::rename(&remote, &away).unwrap();
    *AWAY.lock().unwrap() = Some((away, remote));
    let good = Catalog::new([&FIRST, &SECOND], [&RECONNECTING], []).unwrap();
    let error = herd.tick("web1", &good).unwrap_err();
    assert!(matches!(error, AgentError::Overtaken { .. }), "{error}");
    assert_eq!(herd.written("web1"), "first rejoin leave broken leave", "neither the link nor `rejoin`");
    assert!(herd.record("web1").taking_over.is_some());
    catch_up(&herd, "web1", "a", "a2");
    assert_eq!(herd.written("web1"), "first rejoin leave broken leave second rejoin");
}

/// A pool of two places, and hosts in it of which `web1` failed at `second`.
fn failed_of_two() -> (TestHerd, Catalog) {
    static WIDE: Role = Role { max_out: MaxOut::Hosts(2), ..WEB };
    let catalog = |migrations: &[&'static Migration]| Catalog::new(migrations.iter().copied(), [&WIDE], []).unwrap();
    let (herd, base, broken) = (TestHerd::new(), catalog(&[&FIRST]), catalog(&[&FIRST, &BROKEN]));
    herd.hardware("web1", "a", "a1", 100);
    herd.hardware("web2", "w", "w1", 100);
    herd.add(&[("web1", &["web"]), ("web2", &["web"])]);
    herd.deploy(&base);
    herd.settle(&["web1", "web2"], &base, 9);
    herd.deploy(&broken);
    herd.tick("web1", &broken).unwrap();
    (herd, broken)
}

/// Others see that `web1` failed, and why it does nothing else, and start no leg with that link.
fn still_failed(herd: &TestHerd, broken: &Catalog, besides: &str) {
    let said = herd.said(&["web1"]).remove(0);
    assert!(said.starts_with("web1 failed at `second` (2222222): no luck; "), "{said}");
    assert!(said.contains(besides), "{said}");
    herd.tick("web2", broken).unwrap();
    assert_eq!(herd.written("web2"), "first rejoin");
}

#[test]
fn who_failed_is_still_the_one_that_failed_while_it_takes_its_identity_over() {
    let (herd, broken) = failed_of_two();
    herd.copy("web1", "backup");
    herd.change(ChangeKind::Deploy, |_| {});
    herd.tick("web1", &broken).unwrap();
    herd.copy("backup", "web1");
    herd.hardware("web1", "a", "a2", 1);
    herd.tick("web1", &broken).unwrap();
    still_failed(&herd, &broken, "waits: 2 s for another machine");
}

#[test]
fn who_failed_is_still_the_one_that_failed_while_two_claim_its_identity() {
    let (herd, broken) = failed_of_two();
    herd.copy("web1", "backup");
    herd.change(ChangeKind::Deploy, |_| {});
    herd.tick("web1", &broken).unwrap();
    herd.copy("backup", "restored");
    herd.hardware("restored", "a", "a2", 1);
    herd.tick("restored", &broken).unwrap();
    refused(&herd, "web1", CONTESTED);
    still_failed(&herd, &broken, "stopped: two machines report as `web1`");
}

#[test]
fn who_failed_is_still_the_one_that_failed_when_people_keep_it() {
    let (herd, broken) = failed_of_two();
    herd.hardware("web1", "new board", "a2", 1);
    herd.tick("web1", &broken).unwrap_err();
    assert!(herd.with_agent("web1", &broken, |agent| agent.keep()).unwrap());
    still_failed(&herd, &broken, "waits: for its next look");
}

#[test]
fn who_was_restored_accepts_nothing_older_than_what_reports_name() {
    let herd = herd();
    let older = herd.newest().unwrap().sha1;
    go_on(&herd);
    let expected = herd.newest().map(|change| change.sha1);
    let rollback = RefUpdate { name: RefName::Changes, expected, new: Some(older) };
    assert_eq!(herd.operator().push(&[rollback]).unwrap(), Pushed::Won);
    herd.copy("backup", "web1");
    catch_up(&herd, "web1", "a", "a2");
    let said = herd.said(&["web1"]).remove(0);
    assert!(said.contains("stopped: the log of changes has lost change 3, which this host had accepted"), "{said}");
    let back = RefUpdate { name: RefName::Changes, expected: Some(older), new: expected };
    assert_eq!(herd.operator().push(&[back]).unwrap(), Pushed::Won);
    catch_up(&herd, "web1", "a", "a2");
    assert_eq!(herd.written("web1"), "first rejoin leave second rejoin");
}

#[test]
fn a_host_goes_on_from_a_remote_that_lost_its_last_reports() {
    let herd = herd();
    let name = RefName::Report(herd.home("web1").read_config().unwrap().uuid);
    let older = herd.operator().get(&name).unwrap();
    go_on(&herd);
    assert!(herd.reports().contains_key("web1"));
    let rollback = RefUpdate { expected: herd.operator().get(&name).unwrap(), name, new: older };
    assert_eq!(herd.operator().push(&[rollback]).unwrap(), Pushed::Won);
    herd.tick("web1", &second()).unwrap();
    assert_eq!(herd.said(&["web1"]), ["web1 up to date"]);
}

#[test]
fn a_machine_that_was_put_back_to_before_it_enrolled_has_forgotten_itself() {
    let herd = herd();
    files::remove(herd.home("web1").record()).unwrap();
    let error = herd.enroll("web1").unwrap_err().to_string();
    assert_eq!(error, "this machine's identity, `web1`, has reported before, and its disk knows nothing of it");
    herd.hardware("web1", "a", "a2", 1);
    refused(&herd, "web1", UNKNOWN);
}

#[test]
fn a_clone_gets_an_identity_of_its_own_and_joins_at_its_state() {
    let herd = herd();
    herd.copy("backup", "clone");
    herd.hardware("clone", "b", "b1", 5);
    let (home, system) = (herd.home("clone"), herd.system("clone"));
    let error = rekey(&home, "web1", &system).unwrap_err().to_string();
    assert_eq!(error, "the name `web1` is taken by another machine");
    refused(&herd, "clone", &format!("and this one has {}", fingerprint(&herd, "clone")));
    let key = rekey(&home, "web4", &system).unwrap();
    assert_eq!(rekey(&home, "web4", &system).unwrap(), key, "twice is once");
    assert_ne!(home.read_config().unwrap().uuid, herd.home("web1").read_config().unwrap().uuid);
    herd.tick("clone", &first()).unwrap();
    admit(&herd, "clone", ChangeKind::Admit);
    herd.settle(&["clone"], &first(), 9);
    assert_eq!(herd.written("clone"), "first rejoin rejoin");
    assert_eq!(herd.said(&["web1", "web4"]), ["web1 up to date", "web4 up to date"]);
}

#[test]
fn a_clone_made_amid_a_leg_runs_the_link_again_as_a_new_host() {
    let herd = herd();
    let broken = catalog(&[&FIRST, &BROKEN]);
    herd.deploy(&broken);
    herd.tick("web1", &broken).unwrap();
    herd.copy("web1", "clone");
    herd.hardware("clone", "b", "b1", 5);
    herd.tick("clone", &broken).unwrap_err();
    assert_eq!(herd.written("clone"), "first rejoin leave broken", "it does not leave in the original's name");
    rekey(&herd.home("clone"), "web4", &herd.system("clone")).unwrap();
    let record = herd.record("clone");
    assert_eq!((record.phase, record.in_service), (Phase::InLoad, false));
    assert!(record.started.is_some());
    admit(&herd, "clone", ChangeKind::Admit);
    herd.change(ChangeKind::Deploy, |manifest| drop(manifest.hosts.remove("web1")));
    herd.settle(&["clone"], &second(), 9);
    assert_eq!(herd.written("clone"), "first rejoin leave broken second rejoin");
    assert_eq!(herd.out("web"), ["web1"], "the claim of the original is none of the clone's");
}

/// Cuts a change of identity short after each of its files, as a kill does, and runs it again.
#[test]
fn a_change_of_identity_is_ended_wherever_it_was_cut_short() {
    let herd = herd();
    herd.copy("backup", "clone");
    herd.hardware("clone", "b", "b1", 5);
    let old = herd.home("clone");
    let etc = old.host_toml().parent().unwrap().to_owned();
    let key = rekey(&old, "web4", &herd.system("clone")).unwrap();
    // What the new identity's directory had before it went.
    for done in 0..4 {
        herd.copy("backup", "cut");
        herd.hardware("cut", "b", "b1", 5);
        let home = herd.home("cut");
        let next = home.host_toml().with_file_name("next");
        files::create_private_dir(&next).unwrap();
        let fresh = format!("web{}", done + 5);
        let config = wb_core::runner::HostConfig {
            uuid: format!("00000000-0000-4000-8000-00000000000{done}").parse().unwrap(),
            name: fresh.clone(),
            ..old.read_config().unwrap()
        };
        for name in ["host_key", "host_key.pub"] {
            files::copy(etc.join(name), next.join(name)).unwrap();
        }
        files::write(next.join("record.json"), "{\"links\": []}", 0o600).unwrap();
        wb_core::runner::Home::new(&next, &next).write_config(&config).unwrap();
        let files_done = [
            (next.join("record.json"), home.record()),
            (next.join("host_key"), home.key()),
            (next.join("host.toml"), home.host_toml()),
        ];
        files_done.into_iter().take(done).for_each(|(from, to)| files::copy(from, to).unwrap());
        let error = herd.tick("cut", &first()).unwrap_err().to_string();
        assert!(error.starts_with("this machine was being given another identity"), "{error}");
        assert_eq!(rekey(&home, &fresh, &herd.system("cut")).unwrap(), key);
        assert_eq!(home.read_config().unwrap(), config);
        assert!(!files::exists(&next) && herd.record("cut").links.is_empty());
    }
}

fn replacement(herd: &TestHerd) -> Enrollment {
    Enrollment {
        name: "web1".into(),
        remote: herd.remote().display().to_string(),
        allowed_signers: herd.allowed_signers().into(),
        poll: Duration::from_secs(1),
        runner: herd.root("fresh").with_file_name("wildebeest"),
    }
}

#[test]
fn a_fresh_machine_takes_the_place_of_a_lost_one_which_does_not_come_back() {
    let herd = herd();
    herd.hardware("fresh", "c", "c1", 5);
    let (home, system) = (herd.home("fresh"), herd.system("fresh"));
    let key = replace(&home, &replacement(&herd), &system).unwrap();
    assert_eq!(replace(&home, &replacement(&herd), &system).unwrap(), key, "twice is once");
    go_on(&herd);
    admit(&herd, "fresh", ChangeKind::Replace);
    herd.settle(&["fresh"], &second(), 9);
    assert_eq!(herd.written("fresh"), "first second rejoin");
    let error = herd.tick("web1", &second()).unwrap_err();
    assert!(matches!(&error, AgentError::Retired { name, change: 4 } if name == "web1"), "{error}");
    let before = report(&herd);
    herd.copy("backup", "web1");
    herd.hardware("web1", "a", "a2", 1);
    herd.tick("web1", &second()).unwrap_err();
    assert_eq!(report(&herd), before);
    // It may come back as another host, or in the place of the one that has its name now.
    replace(&herd.home("web1"), &replacement(&herd), &herd.system("web1")).unwrap();
    assert_eq!(herd.record("web1").links, []);
    admit(&herd, "web1", ChangeKind::Replace);
    herd.settle(&["web1"], &second(), 9);
    assert!(matches!(herd.tick("fresh", &second()).unwrap_err(), AgentError::Retired { .. }));
}
