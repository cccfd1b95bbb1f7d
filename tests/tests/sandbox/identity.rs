//! Disks of hosts are copied: to another machine, as clones of virtual machines are made, and back, as backups are.

use wb_core::system::{Command, Output};
use wb_tests::alone::beside_others;
use wb_tests::sight::says;
use wb_tests::stage::{Play, Stage, link};

#[test]
fn clones_and_restores() {
    beside_others("identity::clones_and_restores", || {
        let stage = Stage::set(Play {
            name: "test-identity",
            hosts: &["web1", "web2", "web3"],
            operator: env!("CARGO_BIN_EXE_wb-operator"),
            ..Play::default()
        });
        stage.part("a host joins, and its disk is kept", a_host_joins);
        stage.part("a clone gets an identity of its own", a_clone);
        stage.part("a backup is put back", a_backup_is_put_back);
        stage.part("a backup is put on another machine while the original runs", two_with_one_identity);
    });
}

fn a_host_joins(stage: &Stage) {
    stage.equip("web1");
    assert_eq!(stage.enroll("web1", "web1").code, 3, "the server does not know the key yet");
    stage.authorise("web1");
    says(&stage.enroll("web1", "web1"), 0, &["web1 is enrolled"]);
    says(&stage.operate(&["host", "admit", "web1"]), 0, &[]);
    stage.deploy();
    stage.start_agent("web1");
    stage.diary_says("web1", "begin rejoin");
    stage.up_to_date(&["web1"]);
    stage.host("web1").keep_disk("backup").unwrap();
}

/// The disk of `web1` on other hardware: its agent starts with the machine, and stops.
fn a_clone(stage: &Stage) {
    boot_with_backup(stage, "web2", true);
    let log = stage.log_says("web2", "this machine has no right to act as `web1`");
    assert!(log.contains("the last report came from a machine with the fingerprint"), "{log}");
    assert!(log.contains("wildebeest rekey --name NEW_NAME"), "{log}");
    says(&run(stage, "web2", "wildebeest rekey --name web2"), 3, &["an agent of this machine is running", "hint: "]);
    stage.on("web2", "service wildebeest stop");
    says(&run(stage, "web2", "wildebeest once"), 1, &["has no right to act as `web1`"]);
    says(&run(stage, "web2", "wildebeest rekey --name web1"), 3, &["next/host_key.pub, then run this again"]);
    stage.authorise_key("web2", "/etc/wildebeest/next/host_key.pub");
    says(&run(stage, "web2", "wildebeest rekey --name web1"), 3, &["the name `web1` is taken"]);
    says(&run(stage, "web2", "wildebeest rekey --name web2"), 0, &["web2 is enrolled", "host admit web2"]);
    says(&stage.operate(&["host", "admit", "web2"]), 0, &["admitted `web2`"]);
    stage.on("web2", "service wildebeest start");
    stage.diary_says("web2", "begin rejoin rejoin");
    stage.add_links(&[link("go_on", include_str!("../../fleet/go_on.rs"))]);
    stage.deploy();
    stage.diary_says("web1", "begin rejoin leave on rejoin");
    stage.diary_says("web2", "begin rejoin rejoin leave on rejoin");
    stage.up_to_date(&["web1", "web2"]);
}

fn a_backup_is_put_back(stage: &Stage) {
    boot_with_backup(stage, "web1", false);
    let log = stage.log_says("web1", "takes its identity over, after a restore");
    assert!(log.contains("waits: 2 s for another machine with its identity to object"), "{log}");
    stage.diary_says("web1", "begin rejoin leave on rejoin");
    stage.up_to_date(&["web1", "web2"]);
}

/// The hardware of sandboxes is that of the machine: what tells them apart is on their disks.
fn two_with_one_identity(stage: &Stage) {
    boot_with_backup(stage, "web3", false);
    stage.watch("web1 to be contested", |status| (status.phase("web1").0 == "contested").then_some(()));
    for host in ["web1", "web3"] {
        stage.log_says(host, "this machine has no right to act as `web1`: two machines claim it");
    }
    let status = stage.operate(&["status"]);
    says(&status, 4, &["two machines report as `web1`", "wildebeest keep", "wildebeest rekey --name NEW_NAME"]);
    says(&run(stage, "web1", "wildebeest status"), 1, &["two machines report as `web1`"]);
    stage.on("web1", "service wildebeest stop");
    says(&run(stage, "web1", "wildebeest keep"), 0, &["This machine is `web1`"]);
    stage.on("web1", "service wildebeest start");
    stage.up_to_date(&["web1", "web2"]);
    says(&run(stage, "web3", "wildebeest status"), 1, &["another machine reports as `web1` too"]);
    stage.up_to_date(&["web1", "web2"]);
}

fn boot_with_backup(stage: &Stage, host: &str, other_hardware: bool) {
    let host = stage.host(host);
    host.kill().unwrap();
    host.put_disk("backup", other_hardware).unwrap();
    host.start().unwrap();
}

fn run(stage: &Stage, host: &str, line: &str) -> Output {
    stage.host(host).run(Command::shell(line)).unwrap()
}
