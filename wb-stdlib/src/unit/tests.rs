use wb_core::context::{DebtAction, Debts as _, Outcome};

use super::*;
use crate::machine::Machine;
use crate::owed;

const SYSTEMCTL: &str = "systemctl --no-ask-password --no-pager";
const PATH: &str = "/etc/systemd/system/shop.service";
const SHOP: &str = "[Service]\nExecStart=/bin/true\n";
const STALE: &str = "/run/wildebeest/daemon-reload";

fn systemd() -> Machine {
    let machine = Machine::new().dir("/run/systemd/system").dir("/etc/systemd/system").answer("systemctl", 0, "");
    machine.answer(&format!("{SYSTEMCTL} show"), 0, "LoadState=loaded\nActiveState=active\n")
}

fn present(machine: &Machine) -> Result<Outcome> {
    machine.apply(|host| Ok(host.unit("shop.service").content(SHOP).present()?))
}

fn told(machine: &Machine) -> Vec<String> {
    let told = machine.calls().into_iter().filter_map(|line| line.strip_prefix(SYSTEMCTL).map(str::to_owned));
    told.filter(|line| !line.starts_with(" show")).collect()
}

#[test]
fn a_unit_is_written_and_systemd_reads_it_once() {
    let machine = systemd();
    assert!(present(&machine).unwrap().changed());
    assert_eq!(machine.read(PATH).as_deref(), Some(SHOP));
    assert!(told(&machine).is_empty() && machine.read(STALE).is_some());
    machine.apply(|host| Ok(owed::pay(*host, &[])?)).unwrap();
    machine.apply(|host| Ok(owed::pay(*host, &[])?)).unwrap();
    assert_eq!(told(&machine), [" daemon-reload"]);
    assert_eq!(machine.read(STALE), None);
}

#[test]
fn a_unit_that_is_there_owes_nothing() {
    let machine = systemd().file(PATH, SHOP);
    assert_eq!(present(&machine).unwrap(), Outcome::Unchanged);
    assert_eq!((machine.calls().len(), machine.read(STALE)), (0, None));
}

#[test]
fn a_new_service_is_read_before_it_is_started() {
    let machine = systemd();
    machine
        .apply(|host| {
            let shop = host.service("shop");
            host.unit("shop.service").content(SHOP).restarts(&shop).present()?;
            shop.restarted()?;
            Ok(owed::pay(*host, &[])?)
        })
        .unwrap();
    assert_eq!(told(&machine), [" daemon-reload", " restart -- shop"]);
}

#[test]
fn a_plan_writes_nothing_and_asks_nobody() {
    let machine = systemd();
    let before = machine.snapshot();
    let outcome = machine.plan(|host| Ok(host.unit("shop.service").content(SHOP).present()?)).unwrap();
    assert!(outcome.changed());
    machine.plan(|host| Ok(host.unit("nginx.service").dropin("a").content(SHOP).present()?)).unwrap();
    assert_eq!((machine.snapshot(), machine.calls().len()), (before, 0));
}

#[test]
fn what_systemd_would_not_load_is_refused() {
    let machine = systemd().file(PATH, "old").answer("systemd-analyze verify", 1, "bad unit file setting");
    let error = present(&machine).unwrap_err();
    assert!(error.to_string().starts_with("the new content of the unit `shop.service` is refused\nhint: "), "{error}");
    assert_eq!(machine.read(PATH).as_deref(), Some("old"));
    assert_eq!((machine.stat("/run/wildebeest/units"), machine.read(STALE)), (None, None));
    machine.apply(|host| Ok(host.unit("shop.service").content(SHOP).unverified().present()?)).unwrap();
}

#[test]
fn a_candidate_lies_where_its_name_counts() {
    let machine = systemd().file("/lib/systemd/system/nginx.service", SHOP).answer("systemd-analyze", 0, "");
    present(&machine).unwrap();
    machine.apply(|host| Ok(host.unit("nginx.service").dropin("a.conf").content(SHOP).present()?)).unwrap();
    let asked: Vec<String> = machine.calls().into_iter().filter(|line| line.starts_with("systemd-analyze")).collect();
    let line = |unit: &str| format!("systemd-analyze verify --man=no -- /run/wildebeest/units/{unit}");
    assert_eq!(asked, [line("shop.service"), line("nginx.service")]);
    assert_eq!(machine.read("/etc/systemd/system/nginx.service.d/a.conf").as_deref(), Some(SHOP));
}

#[test]
fn a_unit_goes_after_its_service() {
    let machine = systemd().file(PATH, SHOP).owing(DebtAction::Restart, "shop");
    let absent = || machine.apply(|host| Ok(host.unit("shop.service").absent()?));
    assert!(absent().unwrap().changed());
    assert_eq!(told(&machine), [" disable --now -- shop.service"]);
    assert!(machine.read(PATH).is_none() && machine.read(STALE).is_some());
    assert_eq!(machine.journal.owed(), [], "what is owed to it goes with it");
    assert_eq!(absent().unwrap(), Outcome::Unchanged);
}

#[test]
fn what_a_package_has_goes_on_without_what_was_put_before_it() {
    let machine = systemd().file(PATH, SHOP).file("/lib/systemd/system/shop.service", SHOP);
    let machine = machine.file("/etc/systemd/system/shop.service.d/a.conf", SHOP).owing(DebtAction::Restart, "shop");
    machine.apply(|host| Ok(host.unit("shop.service").absent()?)).unwrap();
    machine.apply(|host| Ok(host.unit("shop.service").dropin("a").absent()?)).unwrap();
    assert!(told(&machine).is_empty());
    assert!(machine.read(PATH).is_none() && machine.read("/etc/systemd/system/shop.service.d/a.conf").is_none());
    assert_eq!(machine.journal.owed().len(), 1);
}

#[test]
fn without_systemd_there_is_a_file() {
    let machine = Machine::new().dir("/etc/systemd/system");
    assert!(present(&machine).unwrap().changed());
    assert_eq!(machine.read(STALE), None);
    machine.view(|host| host.unit("shop.service").contains("ExecStart")).unwrap();
}

#[test]
fn what_is_no_unit_is_refused() {
    let check = |error: anyhow::Error, expect: &str| assert!(error.to_string().starts_with(expect), "{error}");
    let refused = |name: &'static str, content: &'static str| {
        systemd().apply(move |host| Ok(host.unit(name).content(content).present()?)).unwrap_err()
    };
    check(refused("shop", SHOP), "`shop` is no name of a unit\nhint: ");
    check(refused("../shop.service", SHOP), "`../shop.service` is no name of a unit");
    check(refused("-shop.service", SHOP), "`-shop.service` is no name of a unit");
    check(refused("shop.service", " \n"), "the unit `shop.service` is to have no content\nhint: ");
    let dropin = systemd().apply(|host| Ok(host.unit("a.service").dropin("b/c").content(SHOP).present()?)).unwrap_err();
    check(dropin, "`b/c` is no name of a drop-in of the unit `a.service`");
}

#[test]
fn a_timer_is_there_with_its_service() {
    let machine = systemd().file("/etc/systemd/system/timers.target.wants/backup.timer", "");
    let timer = |host: &Host| Ok(host.timer("backup").on_calendar("daily").runs("/bin/true").present()?);
    assert!(machine.apply(timer).unwrap().changed());
    assert!(machine.read("/etc/systemd/system/backup.service").unwrap().contains("ExecStart=/bin/true"));
    assert!(machine.read("/etc/systemd/system/backup.timer").unwrap().contains("OnCalendar=daily"));
    assert_eq!(machine.apply(timer).unwrap(), Outcome::Unchanged);
    machine.apply(|host| Ok(host.timer("backup").absent()?)).unwrap();
    assert_eq!(machine.read("/etc/systemd/system/backup.timer"), None);
}

#[test]
fn a_timer_says_what_and_when() {
    let check = |error: anyhow::Error, expect: &str| assert!(error.to_string().starts_with(expect), "{error}");
    let machine = systemd().answer("systemd-analyze calendar", 1, "Failed to parse calendar expression");
    let error = machine.apply(|host| Ok(host.timer("a").on_calendar("dayly").runs("/bin/true").present()?));
    check(error.unwrap_err(), "`dayly` is no time of a calendar for the timer `a.timer`\nhint: ");
    let error = machine.apply(|host| Ok(host.timer("a").runs("/bin/true").present()?));
    check(error.unwrap_err(), "the timer `a.timer` has no time\nhint: say `.on_calendar(…)`");
    let error = machine.apply(|host| Ok(host.timer("a").on_calendar("daily").present()?));
    check(error.unwrap_err(), "the timer `a.timer` has no program to run\nhint: say `.runs(…)`");
    let error = machine.apply(|host| Ok(host.timer("a").on_calendar("daily").runs("/bin/a\nUser=b").present()?));
    check(error.unwrap_err(), "\"/bin/a\\nUser=b\" can't stand in the unit `a.service`");
    assert_eq!(machine.read("/etc/systemd/system/a.service"), None);
}
