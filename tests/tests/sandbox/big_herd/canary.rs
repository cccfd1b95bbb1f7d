//! One of the databases goes first, and is cloned while it is out of load.

use wb_core::system::Command;
use wb_tests::sight::{Status, says};
use wb_tests::stage::Stage;

use super::boot_with;
use super::cast::{CANARY, CLONE, DATABASES, HERD, WEBS};

/// Nobody follows before the operator says so, who is not heard before the canary has passed.
pub(super) fn goes_first(stage: &Stage) {
    let deployed = stage.operate(&["deploy", "--untested", "--canary", CANARY]);
    says(&deployed, 0, &["next: cargo xtask status, then cargo xtask promote"]);
    stage.diary_says(CANARY, "rejoin leave data");
    a_clone_stops(stage);
    assert_eq!(stage.status().canaries(), [(CANARY, false)]);
    says(&stage.operate(&["promote"]), 1, &[&format!("the canaries have not passed yet: `{CANARY}`")]);

    stage.on(CANARY, "touch /srv/open");
    stage.watch("the canary to pass", |status| (status.canaries() == [(CANARY, true)]).then_some(()));
    assert_eq!(stage.diary(CANARY), "rejoin leave data prepared rejoin");
    let all_heard = |status: &Status| HERD.iter().all(|host| status.has_heard(host));
    stage.watch("all hosts to have heard of it", |status| all_heard(status).then_some(()));
    let expect = ["12 of 13 hosts are at `begin`", "canary: up to `serve_second_page`", "hint: cargo xtask promote"];
    says(&stage.operate(&["status"]), 4, &expect);
    WEBS.iter().for_each(|web| assert_eq!(stage.diary(web), "begin rejoin", "{web} follows"));

    says(&stage.operate(&["promote"]), 0, &["go to `serve_second_page`"]);
    assert_eq!(stage.status().canaries(), []);
    DATABASES.iter().for_each(|host| drop(stage.on(host, "touch /srv/open")));
    DATABASES.iter().for_each(|host| stage.diary_says(host, "rejoin leave data prepared rejoin"));
}

/// The disk of a host that is out of load boots on other hardware. The clone runs nothing, and does not leave in the name
/// of its original, which goes on.
fn a_clone_stops(stage: &Stage) {
    stage.host(CANARY).keep_disk("clone").unwrap();
    boot_with(stage, CLONE, "clone", true);
    stage.log_says(CLONE, &format!("this machine has no right to act as `{CANARY}`"));
    assert_eq!(stage.diary(CLONE), "rejoin leave data");
}

/// Under a name of its own it goes on where its disk was copied.
pub(super) fn the_clone_joins(stage: &Stage) {
    assert_eq!(stage.diary(CLONE), "rejoin leave data", "it did nothing all that time");
    stage.on(CLONE, "touch /srv/open; service wildebeest stop");
    let rekey = || stage.host(CLONE).run(Command::shell(format!("wildebeest rekey --name {CLONE}"))).unwrap();
    says(&rekey(), 3, &["next/host_key.pub, then run this again"]);
    stage.authorise_key(CLONE, "/etc/wildebeest/next/host_key.pub");
    says(&rekey(), 0, &[&format!("{CLONE} is enrolled")]);
    says(&stage.operate(&["host", "admit", CLONE]), 0, &[&format!("admitted `{CLONE}`")]);
    stage.on(CLONE, "service wildebeest start");
    stage.diary_says(CLONE, "rejoin leave data data prepared rejoin");
}
