//! A migration that reboots its host in the middle, on hosts with a real init: steps before it and after it are done
//! once, what it owes is paid, and the hosts take turns as ever.

use wb_tests::alone::beside_others;
use wb_tests::stage::{Play, Stage, link};

const HOSTS: [&str; 2] = ["web1", "web2"];

#[test]
fn a_migration_goes_on_after_its_reboot() {
    beside_others("reboot::a_migration_goes_on_after_its_reboot", || {
        let stage = Stage::set(Play {
            name: "test-reboot",
            hosts: &HOSTS,
            operator: env!("CARGO_BIN_EXE_wb-operator"),
            ..Play::default()
        });
        stage.part("two hosts join", |stage| {
            stage.join(&HOSTS);
            stage.deploy();
            HOSTS.iter().for_each(|host| stage.diary_says(host, "begin rejoin"));
        });
        let boots = HOSTS.map(|host| stage.host(host).boot_id().unwrap());
        stage.add_links(&[link("reboot_in_the_middle", include_str!("../../fleet/reboot_in_the_middle.rs"))]);
        stage.part("both reboot in turn", |stage| {
            stage.deploy();
            HOSTS
                .iter()
                .for_each(|host| stage.diary_says(host, "begin rejoin leave before leave after restart rejoin"));
        });
        for (host, before) in HOSTS.iter().zip(boots) {
            assert_ne!(stage.host(host).boot_id().unwrap(), before, "{host}");
            let log = stage.log(host);
            assert_eq!(log.matches("reboots, as `reboot_in_the_middle`").count(), 1, "{log}");
        }
        stage.wait("a healthy herd", || (stage.operate(&["status"]).code == 0).then_some(()));
    });
}
