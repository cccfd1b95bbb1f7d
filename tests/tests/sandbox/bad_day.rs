//! A bad day of one small herd: each mishap is survived, and the next one begins where it ended.

use serde_json::Value;
use wb_tests::alone::beside_others;
use wb_tests::sight::says;
use wb_tests::stage::{self, Play, Stage};
use wb_xtask::scaffold::LinkSource;

const HOSTS: [&str; 3] = ["web1", "web2", "web3"];

const WRONG: &str = "tool = \"no-such-package\", calm = false";
const NOT_CALM: &str = "tool = \"hello\", calm = false";
const RIGHT: &str = "tool = \"hello\", calm = true";

#[test]
fn a_bad_day() {
    beside_others("bad_day::a_bad_day", || {
        let stage = Stage::set(Play {
            name: "test-bad-day",
            hosts: &HOSTS,
            settings: WRONG,
            operator: env!("CARGO_BIN_EXE_wb-operator"),
            ..Play::default()
        });
        stage.part("a key that the server does not know", a_key_that_the_server_does_not_know);
        stage.part("a name that is taken", a_name_that_is_taken);
        stage.part("the herd comes up", the_herd_comes_up);
        let login = stage.part("a connection that is kept", connection);
        let first = stage.part("a package that does not exist", a_package_that_does_not_exist);
        assert_eq!(connection(&stage), login, "one login serves all polls");
        stage.part("a panic", |stage| a_panic(stage, &first));
        stage.part("an agent that is killed", |stage| an_agent_that_is_killed(stage, &first));
        stage.part("a cable that is pulled", |stage| a_cable_that_is_pulled(stage, &first));
        let second = stage.part("a full disk", |stage| a_full_disk(stage, &first));
        let third = HOSTS.into_iter().find(|host| ![&*first, &*second].contains(host)).unwrap();
        stage.part("a power cut", |stage| a_power_cut_while_the_server_is_away(stage, third));
        stage.part("the herd is well", the_herd_is_well);
    });
}

fn a_key_that_the_server_does_not_know(stage: &Stage) {
    stage.equip("web1");
    let refused = stage.enroll("web1", "web1");
    says(&refused, 3, &["error: could not reach the remote ssh://git@", "Permission denied", "hint: ", "host_key.pub"]);
    stage.authorise("web1");
    says(&stage.enroll("web1", "web1"), 0, &["web1 is enrolled with the key"]);
}

fn a_name_that_is_taken(stage: &Stage) {
    stage.equip("web2");
    says(&stage.enroll("web2", "web2"), 3, &["hint: "]);
    stage.authorise("web2");
    let taken = stage.enroll("web2", "web1");
    says(&taken, 3, &["error: the name `web1` is taken by another machine", "hint: ", "--name"]);
    says(&stage.enroll("web2", "web2"), 0, &["web2 is enrolled with the key"]);
}

fn the_herd_comes_up(stage: &Stage) {
    stage.equip("web3");
    says(&stage.enroll("web3", "web3"), 3, &["hint: "]);
    stage.authorise("web3");
    says(&stage.enroll("web3", "web3"), 0, &[]);
    for host in HOSTS {
        says(&stage.operate(&["host", "admit", host]), 0, &["admitted"]);
        stage.start_agent(host);
    }
    stage.deploy();
    stage.up_to_date(&HOSTS);
    for host in HOSTS {
        assert_eq!(stage.diary(host), "begin rejoin", "{host}");
    }
}

/// The ssh connection of a host, as its master tells.
fn connection(stage: &Stage) -> String {
    let check = "cd /var/lib/wildebeest/ssh && ssh -O check -o ControlPath=$PWD/$(ls) git 2>&1";
    let said = stage.on("web1", check);
    assert!(said.starts_with("Master running (pid="), "{said}");
    said
}

/// Gives the host that failed.
fn a_package_that_does_not_exist(stage: &Stage) -> String {
    stage.add_links(&["install_tool", "keep_calm", "pass_the_gate"].map(link));
    stage.deploy();
    let (name, sha1) = failed(stage, "install_tool", "no-such-package");
    let others = HOSTS.iter().filter(|host| **host != name);
    let why = format!("`install_tool` ({sha1}) failed on {name}");
    stage.watch("the others to wait", |status| {
        others.clone().all(|host| status.phase(host) == ("waiting", &why)).then_some(())
    });
    let table = stage.operate(&["status"]);
    says(&table, 4, &[&format!("`install_tool` ({sha1})"), "`no-such-package`", "failed", &why]);
    assert_eq!(stage.pool(), format!("web: {name} out"));
    assert_eq!(stage.diary(&name), "begin rejoin leave");
    others.for_each(|host| assert_eq!(stage.diary(host), "begin rejoin", "{host}"));
    name
}

fn a_panic(stage: &Stage, host: &str) {
    stage.set_settings(NOT_CALM);
    stage.deploy();
    assert_eq!(failed(stage, "keep_calm", "panicked: this host is not calm").0, host);
    assert_eq!(stage.pool(), format!("web: {host} out"));
    assert_eq!(stage.diary(host), "begin rejoin leave tool");
    stage.set_settings(RIGHT);
    stage.deploy();
    stage.diary_says(host, "begin rejoin leave tool calm gate");
}

fn an_agent_that_is_killed(stage: &Stage, host: &str) {
    stage.on(host, "kill -KILL $(cat /run/wildebeest.pid)");
    stage.wait("the agent to die", || (!agent_runs(stage, host)).then_some(()));
    stage.on(host, "service wildebeest start");
    stage.diary_says(host, "begin rejoin leave tool calm gate gate");
}

fn a_cable_that_is_pulled(stage: &Stage, host: &str) {
    stage.host(host).partition(true).unwrap();
    open_the_gate(stage, host);
    stage.diary_says(host, "begin rejoin leave tool calm gate gate through rejoin");
    assert_eq!(stage.pool(), format!("web: {host} out"), "nobody can know yet");
    stage.host(host).partition(false).unwrap();
    stage.up_to_date(&[host]);
}

/// Gives the host that it happened to.
fn a_full_disk(stage: &Stage, first: &str) -> String {
    let at_gate = |host: &&&str| stage.diary(host).ends_with("gate");
    let host = stage.wait("the next host at the gate", || {
        HOSTS.iter().filter(|host| **host != first).find(at_gate).map(|host| (*host).to_owned())
    });
    stage.on(&host, ON_A_SMALL_DISK);
    stage.on(&host, "cat /dev/zero >/var/lib/wildebeest/filler 2>/dev/null || true");
    let before = record(stage, &host);
    open_the_gate(stage, &host);
    let log = stage.wait("an error", || {
        let log = stage.on(&host, "cat /var/log/wildebeest.log");
        log.contains("the record of this host is not safe on disk").then_some(log)
    });
    assert!(log.contains("No space left on device") && log.contains("hint: the disk is full"), "{log}");
    assert_eq!(record(stage, &host), before, "nothing is lost, and nothing is half written");
    assert_eq!(stage.pool(), format!("web: {host} out"));
    stage.on(&host, "rm /var/lib/wildebeest/filler");
    stage.up_to_date(&[&host]);
    assert_eq!(stage.diary(&host), "begin rejoin leave tool calm gate through rejoin");
    host
}

const ON_A_SMALL_DISK: &str = "set -e; cd /var/lib; mkdir small
    mount -t tmpfs -o size=$(($(du -sk wildebeest | cut -f1) + 2048))k tmpfs small
    cp -a wildebeest/. small; mount --move small wildebeest";

fn a_power_cut_while_the_server_is_away(stage: &Stage, host: &str) {
    stage.diary_says(host, "begin rejoin leave tool calm gate");
    stage.host(host).kill().unwrap();
    stage.server().partition(true).unwrap();
    stage.host(host).start().unwrap();
    stage.diary_says(host, "begin rejoin leave tool calm gate leave gate");
    open_the_gate(stage, host);
    stage.diary_says(host, "begin rejoin leave tool calm gate leave gate through rejoin");
    assert_eq!(stage.pool(), format!("web: {host} out"));
    stage.server().partition(false).unwrap();
    stage.up_to_date(&[host]);
}

fn the_herd_is_well(stage: &Stage) {
    stage.up_to_date(&HOSTS);
    assert_eq!(stage.pool(), "web: nobody out");
    says(&stage.operate(&["status"]), 0, &["3 of 3 hosts are at `pass_the_gate`"]);
}

/// Waits until a host failed at `link` because of `why`; gives its name and the link's short sha1.
fn failed(stage: &Stage, link: &str, why: &str) -> (String, String) {
    let name = stage.watch("a host that failed", |status| {
        let at_link = |host: &&&str| status.phase(host).0 == "failed" && status.phase(host).1.contains(link);
        HOSTS.iter().find(at_link).map(|host| (*host).to_owned())
    });
    let status = stage.status();
    let detail = status.phase(&name).1;
    assert!(detail.contains(why), "{detail}");
    let sha1 = detail.split(['(', ')']).nth(1).unwrap();
    assert_eq!(sha1.len(), 7, "{detail}");
    (name, sha1.to_owned())
}

fn open_the_gate(stage: &Stage, host: &str) {
    stage.on(host, "touch /srv/open");
}

fn agent_runs(stage: &Stage, host: &str) -> bool {
    stage.on(host, "service wildebeest status >/dev/null && echo yes || true") == "yes"
}

fn record(stage: &Stage, host: &str) -> Value {
    serde_json::from_str(&stage.on(host, "cat /var/lib/wildebeest/record.json")).unwrap()
}

fn link(name: &str) -> LinkSource {
    let source = match name {
        "install_tool" => include_str!("../../fleet/install_tool.rs"),
        "keep_calm" => include_str!("../../fleet/keep_calm.rs"),
        _ => include_str!("../../fleet/pass_the_gate.rs"),
    };
    stage::link(name, source)
}
