//! What a real runner says of broken files, and that it touches none of them.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wb_core::system::clock::{Real, wait_until};
use wb_core::system::command::Child;
use wb_core::system::{Command, Output, files};
use wb_tests::herd::TestHerd;

/// A host that is enrolled, and the program that runs it.
struct Host {
    herd: TestHerd,
}

impl Host {
    fn new() -> Self {
        let herd = TestHerd::on_this_machine();
        herd.enroll("web1").unwrap();
        Self { herd }
    }

    fn etc(&self, file: &str) -> PathBuf {
        self.herd.home("web1").host_toml().with_file_name(file)
    }

    fn var(&self, file: &str) -> PathBuf {
        self.herd.home("web1").record().with_file_name(file)
    }

    fn command(&self, args: &[&str]) -> Command {
        let (etc, var) = (self.etc(""), self.var(""));
        let command = Command::new(env!("CARGO_BIN_EXE_wb-runner")).args(args);
        let command = command.arg("--config").arg(etc).arg("--state").arg(var).timeout(Duration::from_secs(120));
        command
            .env("HOME", self.herd.root("web1"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).run().unwrap()
    }

    /// What `once` says, where paths and numbers that differ from run to run have names; nothing is touched.
    fn refuses(&self) -> String {
        let before = self.content();
        let said = ["once", "status", "agent"].map(|command| self.said(&self.run(&[command])));
        assert_eq!(self.content(), before, "something was touched");
        let [once, others @ ..] = &said;
        assert!(others.iter().all(|other| other == once), "{said:#?}");
        once.clone()
    }

    fn said(&self, output: &Output) -> String {
        let dir = self.herd.remote().parent().unwrap().display().to_string();
        let said = format!("{}\n{}", output.text(), output.error_text()).replace(&dir, "DIR");
        let lines = said.lines().map(|line| line.split_once("Z  ").map_or(line, |(_, said)| said).trim_end());
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        format!("{}\nexit code {}", lines.join("\n"), output.code)
    }

    /// All files of the host but the lock, which says who had it last.
    fn content(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        gather(&self.etc(""), &mut found);
        gather(&self.var(""), &mut found);
        found.remove(&self.var("agent.lock"));
        found
    }
}

fn gather(path: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    match files::stat(path).unwrap().map(|stat| stat.kind) {
        Some(files::Kind::Directory) => {
            files::list(path).unwrap().iter().for_each(|path| gather(path, found));
        }
        Some(_) => drop(found.insert(path.to_owned(), files::read(path).unwrap())),
        None => {}
    }
}

/// An agent that is at work, until this is dropped.
struct Running(Child);

impl Running {
    fn on(host: &Host) -> Self {
        let log = host.herd.root("web1").join("log");
        let child = host.command(&["agent"]).start(Some(&log)).unwrap();
        let follows = || files::read_text(&log).unwrap_or_default().contains(" follows ").then_some(());
        wait_until(&Real, Duration::from_secs(60), Duration::from_millis(20), follows).expect("an agent at work");
        Self(child)
    }

    fn pid(&self) -> u32 {
        self.0.pid().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill();
    }
}

#[test]
fn a_record_that_is_broken() {
    let host = Host::new();
    for broken in ["", "[]", "{\"phase\": {\"phase\": \"dancing\"}}", "\0\0\0"] {
        files::write(host.var("record.json"), broken, 0o600).unwrap();
        let said = host.refuses();
        let start = "error: the record of this host, DIR/web1/var/record.json, can't be read or written: ";
        let hint = "\nhint: nothing was touched; restore ";
        assert!(said.starts_with(start) && said.contains(hint) && said.ends_with("exit code 3"), "{said}");
    }
}

#[test]
fn a_record_that_was_cut_in_half() {
    let host = Host::new();
    let record = files::read_text(host.var("record.json")).unwrap();
    let cut = record.find("\"links\": [").unwrap();
    files::write(host.var("record.json"), &record[..cut + 10], 0o600).unwrap();
    insta::assert_snapshot!(host.refuses());
}

#[test]
fn a_record_of_a_newer_runner() {
    let host = Host::new();
    files::write(host.var("record.json"), "{\"format\": 99, \"phase\": \"new\"}", 0o600).unwrap();
    insta::assert_snapshot!(host.refuses());
}

#[test]
fn a_key_of_host_toml_that_is_misspelt() {
    let host = Host::new();
    let text = files::read_text(host.etc("host.toml")).unwrap().replace("poll =", "pol =");
    files::write(host.etc("host.toml"), text, 0o644).unwrap();
    insta::assert_snapshot!(host.refuses());
}

#[test]
fn a_host_toml_that_is_no_toml() {
    let host = Host::new();
    files::write(host.etc("host.toml"), "uuid = \n", 0o644).unwrap();
    insta::assert_snapshot!(host.refuses());
}

#[test]
fn a_machine_that_is_not_enrolled() {
    let host = Host::new();
    files::remove(host.etc("host.toml")).unwrap();
    insta::assert_snapshot!(host.refuses());
}

#[test]
fn a_key_that_is_gone() {
    let host = Host::new();
    files::remove(host.etc("host_key")).unwrap();
    insta::assert_snapshot!(host.refuses());
}

#[test]
fn a_repository_of_another_user() {
    let host = Host::new();
    if wb_core::system::environment::user() != 0 {
        return eprintln!("skipped: only root can give a file away");
    }
    Command::new("chown").args(["-R", "65534"]).arg(host.var("herd.git")).read().unwrap();
    insta::assert_snapshot!(host.refuses());
}

#[test]
fn a_repository_that_is_broken_is_made_anew() {
    let host = Host::new();
    files::remove(host.var("herd.git/HEAD")).unwrap();
    files::write(host.var("herd.git/config"), "[broken", 0o644).unwrap();
    let said = host.said(&host.run(&["once"]));
    assert!(said.ends_with("exit code 0"), "{said}");
}

#[test]
fn a_state_directory_that_can_not_be_written() {
    let host = Host::new();
    let state = host.var("");
    files::remove_tree(&state).unwrap();
    files::write(state.to_string_lossy().trim_end_matches('/'), "in the way", 0o644).unwrap();
    insta::assert_snapshot!(host.said(&host.run(&["once"])));
}

#[test]
fn an_agent_that_runs_keeps_others_out_by_its_process() {
    let host = Host::new();
    let agent = Running::on(&host);
    for command in ["once", "agent"] {
        let said = host.said(&host.run(&[command])).replace(&agent.pid().to_string(), "PID");
        insta::assert_snapshot!("an_agent_that_runs", said);
    }
    assert!(!agent.0.ended());
}

#[test]
fn the_lock_of_a_dead_agent_is_no_obstacle() {
    let host = Host::new();
    let agent = Running::on(&host);
    let pid = agent.pid();
    drop(agent);
    assert_eq!(files::read_text(host.var("agent.lock")).unwrap(), format!("{pid}\n"));
    let said = host.said(&host.run(&["once"]));
    assert!(said.ends_with("exit code 0"), "{said}");
}

#[test]
fn a_host_drills_nothing() {
    let host = Host::new();
    let script = r#"{"me": "web1", "members": [{"name": "web1", "roles": []}]}"#;
    files::write(host.etc("drill.json"), script, 0o644).unwrap();
    let before = host.content();
    for act in [&["plan", "page"][..], &["run", "page"], &["specs"], &["done", "page"]] {
        let said = host.said(&host.run(&[&["drill"][..], act].concat()));
        let start = "error: this machine is a host of a herd, or was one, and nothing is drilled there: ";
        let there = "there is DIR/web1/etc/host.toml\n";
        assert!(said.starts_with(&format!("{start}{there}")) && said.ends_with("exit code 3"), "{said}");
    }
    assert_eq!(host.content(), before, "something was touched");
}

#[test]
fn a_machine_that_links_were_drilled_on_is_no_host() {
    let host = Host::new();
    files::write(host.etc("drill.json"), "{}", 0o644).unwrap();
    let before = host.content();
    for command in ["once", "agent", "keep"] {
        let said = host.said(&host.run(&[command]));
        let start = "error: links were drilled on this machine, and no host is made of it: there is DIR/web1/etc/drill.json\n\
                     hint: make the machine anew; or, where nothing of that is to count as done, \
                     `rm -rf DIR/web1/etc/drill.json DIR/web1/var";
        assert!(said.starts_with(start) && said.ends_with("exit code 3"), "{command}: {said}");
    }
    assert_eq!(host.content(), before, "something was touched");
}

#[test]
fn a_remote_that_is_away_is_told_by_status() {
    let host = Host::new();
    files::rename(host.herd.remote(), host.herd.remote().with_extension("away")).unwrap();
    let once = host.run(&["once"]);
    assert_eq!(once.code, 3);
    let status = host.run(&["status"]).text();
    assert!(status.contains("\nphase    waiting\n") && status.contains("\nremote   not reached for "), "{status}");
    assert!(status.contains("\nnext     waits for the remote, then looks for changes, and plans\n"), "{status}");
    let json: serde_json::Value = serde_json::from_str(&host.run(&["status", "--json"]).text()).unwrap();
    assert_eq!(json["phase"], "InLoad");
    assert!(json["remote"]["away"]["since"].is_u64(), "{json}");
    files::rename(host.herd.remote().with_extension("away"), host.herd.remote()).unwrap();
    assert_eq!(host.run(&["once"]).code, 0);
    assert!(!host.run(&["status"]).text().contains("\nremote "));
}
