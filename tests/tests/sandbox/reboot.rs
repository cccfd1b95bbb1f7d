//! A migration that reboots its host in the middle, on hosts with a real init: steps before it and after it are done
//! once, what it owes is paid, and the hosts take turns as ever.

use wb_tests::alone::{alone, fleets_of};
use wb_tests::stage::{Play, Stage};
use wb_xtask::scaffold::LinkSource;

const HOSTS: [&str; 2] = ["web1", "web2"];

/// The runner is that of the bad day as far as its parts go.
const FLEETS_OF: &str = "bad_day::a_bad_day";

#[test]
fn a_migration_goes_on_after_its_reboot() {
    let target = fleets_of(FLEETS_OF).display().to_string();
    let variables = [&super::bad_day::QUICK_BUILDS[..], &[("CARGO_TARGET_DIR", target.as_str())]].concat();
    alone("reboot::a_migration_goes_on_after_its_reboot", &variables, || {
        let stage = Stage::set(Play {
            name: "test-reboot",
            hosts: &HOSTS,
            roles: include_str!("../../fleet/roles.rs"),
            links: vec![link("begin", include_str!("../../fleet/begin.rs"))],
            settings: "",
            operator: env!("CARGO_BIN_EXE_wb-operator"),
        });
        stage.part("two hosts join", both_join);
        let boots = HOSTS.map(|host| stage.host(host).boot_id().unwrap());
        stage.add_links(&[link("reboot_in_the_middle", include_str!("../../fleet/reboot_in_the_middle.rs"))]);
        stage.part("both reboot in turn", |stage| {
            deploy(stage);
            HOSTS.iter().for_each(|host| until(stage, host, "begin rejoin leave before leave after restart rejoin"));
        });
        for (host, before) in HOSTS.iter().zip(boots) {
            assert_ne!(stage.host(host).boot_id().unwrap(), before, "{host}");
            let log = stage.on(host, "cat /var/log/wildebeest.log");
            assert_eq!(log.matches("reboots, as `reboot_in_the_middle`").count(), 1, "{log}");
        }
        stage.wait("a healthy herd", || (stage.operate(&["status"]).code == 0).then_some(()));
    });
}

fn both_join(stage: &Stage) {
    for host in HOSTS {
        stage.equip(host);
        assert_eq!(stage.enroll(host, host).code, 3, "the server does not know the key yet");
        stage.authorise(host);
        assert_eq!(stage.enroll(host, host).code, 0);
        assert_eq!(stage.operate(&["host", "admit", host]).code, 0);
        stage.start_agent(host);
    }
    deploy(stage);
    HOSTS.iter().for_each(|host| until(stage, host, "begin rejoin"));
}

fn until(stage: &Stage, host: &str, diary: &str) {
    let read = || stage.host(host).read(wb_core::system::Command::new("cat").arg("/srv/diary"));
    // A host that reboots can't be asked.
    stage.wait(&format!("`{diary}` on {host}"), || {
        read().is_ok_and(|said| said.replace('\n', " ") == diary).then_some(())
    });
}

fn deploy(stage: &Stage) {
    let deployed = stage.operate(&["deploy"]);
    assert_eq!(deployed.code, 0, "{deployed:?}");
}

fn link(name: &str, source: &str) -> LinkSource {
    LinkSource { name: name.into(), source: source.into(), files: Vec::new() }
}
