use wb_core::context::{Code, Migration, Spec, Terms};

use super::*;
use crate::__private::{OfHost, spec};
use crate::{Look as _, Outcome, View};

const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const fn migration(name: &'static str, index: usize, code: &'static OfHost) -> Migration {
    const SHA1S: [&str; 4] = [
        "a000000000000000000000000000000000000000",
        "b000000000000000000000000000000000000000",
        "c000000000000000000000000000000000000000",
        "d000000000000000000000000000000000000000",
    ];
    let run = Some(Code::Wrapped(code));
    let (wait, replaces, terms) = (None, None, Terms::NONE);
    Migration { name, role: "web", sha1: SHA1S[index], digest: DIGEST, index, wait, replaces, terms, run }
}

static INSTALLS: OfHost = OfHost(install);
static REBOOTS_ONCE: OfHost = OfHost(reboot);
static WAITS: OfHost = OfHost(wait);
const FIVE_SECONDS: Terms = Terms { timeout: Some(Duration::from_secs(5)), ..Terms::NONE };

static INSTALL: Migration = migration("install", 0, &INSTALLS);
static REBOOT: Migration = migration("reboot", 1, &REBOOTS_ONCE);
static WAIT: Migration = Migration { terms: FIVE_SECONDS, ..migration("wait", 2, &WAITS) };
static GONE: Migration = Migration { run: None, ..migration("gone", 3, &WAITS) };
static GREETS: Spec = Spec::new("fleet::chain::install", "greets", |context| spec(context, greets));
static NAMED: Spec = Spec::new("fleet::chain::install", "is_named", |context| spec(context, greets)).of_role("web");
static ROOM: Spec = Spec::new("fleet::roles", "has_room", |context| spec(context, has_room)).of_role("web");

fn install(host: &Host) -> Result<()> {
    host.packages(["nginx"]).installed()?;
    let nginx = host.service("nginx");
    host.file("/etc/nginx/nginx.conf").content(format!("name {};\n", host.name())).reloads(&nginx).present()?;
    nginx.enabled_and_running()?;
    Ok(())
}

fn greets(host: &View) -> Result<()> {
    host.file("/etc/nginx/nginx.conf").contains(host.name())
}

fn has_room(host: &View) -> Result<()> {
    host.directory("/srv/logs").exists()
}

fn reboot(host: &Host) -> Result<()> {
    let first: String = host.step("boot", |host| Ok(host.command("uptime").output()?.text()))?;
    host.reboot()?;
    host.file("/srv/first").content(first).present()?;
    Ok(())
}

fn wait(host: &Host) -> Result<()> {
    host.wait_up_to(Duration::from_mins(1)).for_file("/srv/never")?;
    Ok(())
}

fn catalog() -> Catalog {
    Catalog::new([&INSTALL, &REBOOT, &WAIT, &GONE], [], [&GREETS]).unwrap()
}

fn with_specs_of_roles() -> Catalog {
    Catalog::new([&INSTALL, &REBOOT, &WAIT, &GONE], [], [&GREETS, &NAMED, &ROOM]).unwrap()
}

fn web1() -> FakeHost {
    FakeHost::new("web1", &["web"]).directory("/etc/nginx").offers("nginx", "1.22.1-9").service("nginx")
}

#[test]
fn a_migration_runs_and_the_second_time_finds_all_as_it_is() {
    let host = web1();
    let first = host.run_of(&catalog(), "install").unwrap();
    assert_eq!(changed(&first)[..2], ["package nginx installed", "file /etc/nginx/nginx.conf present"]);
    assert_eq!(host.read("/etc/nginx/nginx.conf").as_deref(), Some("name web1;\n"));
    assert!(host.calls().contains(&"/etc/init.d/nginx reload".to_owned()), "what is owed is paid: {:?}", host.calls());
    assert_eq!(changed(&host.run_of(&catalog(), "install").unwrap()), [""; 0]);
    host.spec_of(&catalog(), "install", "greets").unwrap();
}

#[test]
fn a_plan_says_it_and_does_nothing() {
    let host = web1();
    let planned = host.plan_of(&catalog(), "install").unwrap();
    assert_eq!(changed(&planned)[..2], ["package nginx installed", "file /etc/nginx/nginx.conf present"]);
    assert_eq!(host.read("/etc/nginx/nginx.conf"), None);
    assert!(!host.calls().iter().any(|line| line.starts_with("apt-get")), "{:?}", host.calls());
    assert_eq!(host.journal.owed(), [], "a plan owes nothing");
}

#[test]
fn a_reboot_comes_at_once_and_steps_are_done_once() {
    let host = FakeHost::new("web1", &["web"]).answers("uptime", &[(0, "one day"), (0, "one minute")]);
    host.run_of(&catalog(), "reboot").unwrap();
    assert_eq!(host.read("/srv/first").as_deref(), Some("one day"));
    assert_eq!(host.calls(), ["uptime"]);
    assert_eq!(changed(&host.run_of(&catalog(), "reboot").unwrap()), [""; 0]);
}

#[test]
fn time_passes_by_waiting_and_a_migration_has_its_own() {
    let host = FakeHost::new("web1", &["web"]);
    let error = host.run_of(&catalog(), "wait").unwrap_err();
    assert!(error.to_string().contains("within the 5 s that it may take as a whole"), "{error}");
    assert!(host.passed() >= Duration::from_secs(5) && host.passed() < Duration::from_mins(1), "{:?}", host.passed());
}

#[test]
fn what_there_is_not_is_named() {
    let host = web1();
    let check = |error: anyhow::Error, expect: &str| assert_eq!(error.to_string(), expect);
    check(host.run_of(&catalog(), "instal").unwrap_err(), "the chain has no migration `instal`");
    let error = host.plan_of(&catalog(), "gone").unwrap_err();
    check(error, "the code of `gone` (d000000) is gone: a baseline stands for it");
    let error = host.spec_of(&catalog(), "install", "greet").unwrap_err();
    check(error, "`install` has no spec `greet`; it has `greets`");
    let error = host.spec_of(&catalog(), "wait", "greets").unwrap_err();
    check(error, "`wait` has no spec `greets`; it has none");
    check(host.run("install").unwrap_err(), "the chain has no migration `install`");
    let error = FakeHost::new("db1", &["database"]).run_of(&catalog(), "install").unwrap_err();
    check(error, "`install` (a000000) is run by hosts of the role `web`, and `db1` is none");
}

#[test]
fn a_command_that_nobody_told_of_is_not_installed_and_the_test_is_told_how() {
    let host = FakeHost::new("web1", &["web"]);
    let error = host.with(|host| host.command("redis-cli ping").succeeds()).unwrap_err();
    let expect = "the program `redis-cli` is not installed: no test has told this fake host what `redis-cli ping` \
                  says, as in .answer(\"redis-cli\", 0, \"\")";
    assert_eq!(format!("{error:#}"), expect);
}

#[test]
fn a_spec_that_fails_says_so() {
    let host = web1().file("/etc/nginx/nginx.conf", "name web2;\n");
    assert!(host.spec_of(&catalog(), "install", "greets").unwrap_err().to_string().contains("expected `web1` in"));
}

#[test]
fn specs_of_roles_are_asked_by_their_migration_and_by_their_role() {
    let (host, catalog) = (web1().file("/etc/nginx/nginx.conf", "name web1;\n"), with_specs_of_roles());
    host.spec_of(&catalog, "install", "greets").unwrap();
    host.spec_of(&catalog, "install", "is_named").unwrap();
    host.role_spec_of(&catalog, "web", "is_named").unwrap();
    assert!(host.role_spec_of(&catalog, "web", "has_room").unwrap_err().to_string().contains("found nothing there"));
    host.directory("/srv/logs").role_spec_of(&catalog, "web", "has_room").unwrap();
}

#[test]
fn a_spec_of_a_role_that_there_is_not_is_named_with_those_that_there_are() {
    let (host, catalog) = (web1(), with_specs_of_roles());
    let check = |asked: Result<()>, expect: &str| assert_eq!(asked.unwrap_err().to_string(), expect);
    let expect = "`install` has no spec `has_room`; it has `greets`, `is_named`";
    check(host.spec_of(&catalog, "install", "has_room"), expect);
    let expect = "the role `web` has no spec `greets`; it has `is_named`, `has_room`";
    check(host.role_spec_of(&catalog, "web", "greets"), expect);
    check(host.role_spec_of(&catalog, "wbe", "greets"), "the role `wbe` has no spec `greets`; it has none");
    let db1 = FakeHost::new("db1", &["database"]);
    let expect = "`is_named` is asked of hosts of the role `web`, and `db1` is none";
    check(db1.role_spec_of(&catalog, "web", "is_named"), expect);
    check(db1.spec_of(&catalog, "install", "is_named"), expect);
}

#[test]
#[should_panic(expected = "no such thing")]
fn a_panic_reaches_the_test() {
    let nothing: Result<()> = FakeHost::new("web1", &[]).with(|_| panic!("no such thing"));
    drop(nothing);
}

#[test]
#[should_panic(expected = "there is no host `web2` in the herd of this fake host")]
fn settings_are_of_a_host_that_there_is() {
    drop(FakeHost::new("web1", &["web"]).settings_of("web2", "{}"));
}

#[test]
fn the_herd_is_as_it_was_told() {
    let host = FakeHost::new("web2", &["server", "web"])
        .address("192.0.2.12")
        .settings(r#"{"port": 80}"#)
        .with_other("web1", &["web"], "192.0.2.11")
        .settings_of("web1", r#"{"port": 8080}"#);
    let seen = host.with(|host| {
        let webs = host.herd().role("web");
        let ports: Result<Vec<u16>, _> = webs.hosts().map(|web| web.settings_value("port")).collect();
        Ok((webs.addresses()?.join(" "), ports?, host.settings_value::<u16>("port")?))
    });
    assert_eq!(seen.unwrap(), ("192.0.2.11 192.0.2.12".to_owned(), vec![8080, 80], 80));
}

#[test]
fn nobody_is_waited_for_but_who_is_not_there_is_named() {
    use crate::wait::all;
    let host = FakeHost::new("web1", &["web"]).with_other("db1", &["database"], "192.0.2.20");
    let minute = Duration::from_mins(1);
    host.with(|host| Ok(host.wait_until(all("database").within(minute))?)).unwrap();
    assert_eq!(host.passed(), Duration::ZERO);
    let error = host.with(|host| Ok(host.wait_until(all("databse").within(minute))?)).unwrap_err();
    assert_eq!(error.to_string(), "there is no role `databse` to wait for");
    let error = host.with(|host| Ok(host.wait_until(all("database").reached("none").within(minute))?)).unwrap_err();
    assert_eq!(error.to_string(), "the chain has no migration `none` to wait for");
}

#[test]
fn it_is_a_bare_debian() {
    let host = FakeHost::new("db1", &["database"]).user("postgres");
    host.with(|host| {
        let facts = host.facts();
        assert_eq!((facts.distribution.codename.as_str(), facts.memory_mib, facts.cpus), ("bookworm", 2048, 2));
        assert_eq!(facts.hostname, "db1");
        host.file("/srv/dump").content("").owner("postgres").group("postgres").present()?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_package_is_installed_in_one_version() {
    let host = FakeHost::new("web1", &[]).package("nginx", "1.20").package("git", "2").package("nginx", "1.22");
    host.with(|host| host.package("nginx").has_version("1.22")).unwrap();
    host.with(|host| host.package("git").has_version("2")).unwrap();
    let outcome = host.with(|host| Ok(host.packages(["nginx", "git"]).installed()?)).unwrap();
    assert_eq!((outcome, host.calls().len()), (Outcome::Unchanged, 0));
}

#[test]
fn apt_installs_what_a_line_says() {
    let check = |line: &str, expect| assert_eq!(debian::installs(line, "nginx"), expect, "{line}");
    check("apt-get -y -q install --no-remove -- curl nginx", true);
    check("apt-get -y -q install -- nginx=1.22.1-9", true);
    check("apt-get -y -q install -s -- nginx", false);
    check("apt-get -y -q install --no-remove -- nginx-light", false);
    check("apt-get -y -q remove -- nginx", false);
    check("apt-get -y -q install --no-remove --fix-broken", false);
}

#[test]
fn effects_get_the_directory_of_the_files() {
    let host = FakeHost::new("web1", &[]).does("make", |root: &Path| put(&root.join("srv/made"), "made\n"));
    host.with(|host| Ok(host.command("make all").creates("/srv/made").run()?)).unwrap();
    assert_eq!(host.read("/srv/made").as_deref(), Some("made\n"));
}

fn configure(host: &Host) -> Result<()> {
    host.file("/etc/shop.conf").content("port = 80\n").present()?;
    Ok(())
}

#[test]
fn an_example_is_planned_and_its_spec_is_asked() {
    let host = web1();
    let planned = host.planned(configure);
    assert_eq!(changed(&planned), ["file /etc/shop.conf present"]);
    host.rehearse(configure).asks(|host| host.file("/etc/shop.conf").contains("port"));
    assert_eq!(host.read("/etc/shop.conf"), None);
    assert_eq!(host.finds(|host| Ok(host.name().to_owned())), "web1");
    host.sees(|host| host.service("nginx").is_running());
}

#[test]
fn the_hosts_of_examples_have_what_those_take_for_granted() {
    let operations = rehearsal::web1().planned(|host| {
        host.file("/srv/shop/a").content("a").owner("shop").group("ssl-cert").present()?;
        host.packages(["nginx"]).installed()?;
        host.mysql().database("shop").present()?;
        host.postgres().database("shop").present()?;
        Ok(())
    });
    assert_eq!(changed(&operations).len(), 4, "{operations:?}");
    fedora().rehearse(|host| Ok(host.selinux().boolean("httpd_can_network_connect").on()?));
}

#[test]
#[should_panic(expected = "the example would change nothing:\n= file /etc/shop.conf present")]
fn an_example_that_changes_nothing_shows_nothing() {
    web1().file("/etc/shop.conf", "port = 80\n").rehearse(configure);
}

#[test]
#[should_panic(expected = "the example fails: `not absolute`")]
fn an_example_that_fails_is_told_of_with_the_cause() {
    web1().rehearse(|_| -> Result<()> { bail!("`not absolute`") });
}

#[test]
#[should_panic(expected = "the example is to look, and would do this:\n+ file /etc/shop.conf present")]
fn who_looks_does_nothing() {
    web1().finds(configure);
}

#[test]
#[should_panic(expected = "the spec does not come to a verdict: the program `redis-cli` is not installed")]
fn a_spec_that_could_not_look_has_no_verdict() {
    web1().asks(|host| host.command("redis-cli ping").succeeds());
}

#[test]
#[should_panic(expected = "the spec does not come to a verdict: expected the service `apache2` to be stopped: ")]
fn a_spec_that_says_why_it_could_not_look_has_no_verdict() {
    web1().asks(|host| host.service("apache2").is_stopped());
}

#[test]
#[should_panic(expected = "the spec does not hold: expected `redis-cli ping` to print \"PONG\", found nothing")]
fn a_spec_that_does_not_hold_is_not_seen() {
    web1().answer("redis-cli", 0, "").sees(|host| host.command("redis-cli ping").prints("PONG"));
}
