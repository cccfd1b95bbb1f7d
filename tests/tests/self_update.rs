//! One runner takes the place of another, with real processes: a runner without migrations, and the same with another
//! line at its end, which is another runner that does the same. Where one must fail in its first poll, git, as the hosts
//! here have it, kills who calls it, or hangs.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use wb_core::agent::{Record, Refused, Store, Trial};
use wb_core::chain::Digest;
use wb_core::change::{ChangeKind, Hold, RolePolicy, Runner, Whom};
use wb_core::context::MaxOut;
use wb_core::registry::{Mirror as _, NewCommit, RefName, RefUpdate};
use wb_core::runner::platform;
use wb_core::system::clock::{Real, wait_until};
use wb_core::system::{Command, Output, files};
use wb_tests::herd::TestHerd;

/// What stands at the end of a runner that dies in its first poll.
const FATAL: &str = "fatal";

/// What stands at the end of a runner whose first poll does not come back.
const HANGS: &str = "hangs";

/// Without what only debuggers read, where that can be taken away: a runner is read and hashed at each of its starts.
static BINARY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let (dir, built) = (tempfile::tempdir().unwrap(), env!("CARGO_BIN_EXE_wb-runner"));
    let small = dir.path().join("runner");
    let stripped = Command::new("strip").arg(built).arg("-o").arg(&small).read();
    files::read(stripped.map_or(PathBuf::from(built), |_| small)).unwrap()
});

fn runner(line: &str) -> Vec<u8> {
    [BINARY.as_slice(), b"\n", line.as_bytes()].concat()
}

/// A runner that says in its self-check what a real one says, and does `more` then.
fn script(more: &str) -> Vec<u8> {
    format!("#!/bin/sh\necho '[]'\n{more}\n").into_bytes()
}

/// One host, in service of a herd without migrations.
struct Stage {
    herd: TestHerd,
    tools: tempfile::TempDir,
}

impl Stage {
    /// A host that runs the runner `first`.
    fn new() -> Self {
        let stage = Self { herd: TestHerd::on_this_machine(), tools: tempfile::tempdir().unwrap() };
        stage.herd.add(&[("web1", &[])]);
        put(&stage.installed(), &runner("first"));
        put(&stage.tools.path().join("git"), GIT.as_bytes());
        stage.deploy(&runner("first"));
        stage.check(&stage.once(), 0, "");
        stage
    }

    fn installed(&self) -> PathBuf {
        self.herd.home("web1").read_config().unwrap().runner
    }

    fn previous(&self) -> PathBuf {
        self.herd.home("web1").previous_runner()
    }

    /// A change that names this runner.
    fn deploy(&self, runner: &[u8]) {
        self.deploy_as(runner, Digest::of(runner));
    }

    fn deploy_as(&self, runner: &[u8], sha256: Digest) {
        let objects = self.herd.operator().objects();
        let files = [("wildebeest".to_owned(), runner.to_owned())].into();
        let author = ("m".into(), "m@x".into());
        let commit =
            objects.write(&NewCommit { message: "runner".into(), files, author, ..NewCommit::default() }, None);
        let commit = commit.unwrap();
        let id = self.herd.newest().map_or(0, |change| change.manifest.number).to_string();
        let name = RefName::Runner { platform: platform(), id };
        let reference = name.to_string();
        self.herd.operator().push(&[RefUpdate { name, expected: None, new: Some(commit) }]).unwrap();
        self.name(Runner { sha256, commit, reference });
    }

    fn name(&self, runner: Runner) {
        self.herd.change(ChangeKind::Deploy, |manifest| manifest.runners = [(platform(), runner)].into());
    }

    /// The number of the newest change.
    fn change(&self) -> u64 {
        self.herd.newest().unwrap().manifest.number
    }

    fn command(&self, words: &[&str]) -> Command {
        let home = self.herd.home("web1");
        let path = format!("{}:{}", self.tools.path().display(), std::env!("PATH"));
        let command = Command::new(self.installed()).args(words).arg("--state").arg(home.state());
        let config = home.host_toml();
        command.arg("--config").arg(config.parent().unwrap()).env("PATH", path).env("HOME", self.tools.path())
    }

    fn once(&self) -> Output {
        self.command(&["once"]).timeout(Duration::from_secs(120)).run().unwrap()
    }

    /// The process ended so, and said that.
    fn check(&self, output: &Output, code: i32, said: &str) {
        let all = output.error_text();
        assert_eq!(output.code, code, "{all}");
        assert!(all.contains(said), "{all}");
    }

    fn record(&self) -> Record {
        self.herd.record("web1")
    }

    fn edit(&self, change: impl FnOnce(&mut Record)) {
        Store::open(&self.herd.home("web1").record()).unwrap().update(change).unwrap();
    }

    fn is_installed(&self, runner: &[u8]) {
        assert_eq!(Digest::of(&files::read(self.installed()).unwrap()), Digest::of(runner));
        let stat = files::stat(self.installed()).unwrap().unwrap();
        assert_eq!(stat.mode, 0o755);
        assert!(!files::exists(self.installed().with_extension("new")), "nothing is left beside it");
    }

    /// What the host tells the herd, which says `what`, and its own status.
    fn says(&self, what: &str) {
        let said = self.herd.said(&["web1"]).remove(0);
        assert!(said.contains(what), "{said}");
        let status = self.command(&["status"]).run().unwrap().text();
        assert!(status.contains(what), "{status}");
    }

    fn stopped(&self, why: &str) {
        self.says(&format!("stopped: {why}"));
    }

    /// The runner in place is the first one, and keeps saying why it does not take over the newest.
    fn refuses(&self, why: &str) {
        self.check(&self.once(), 1, "");
        let said = self.herd.said(&["web1"]).remove(0);
        assert!(said.starts_with("web1 stopped: ") && said.contains(why), "{said}");
        self.is_installed(&runner("first"));
        assert_eq!(self.record().trial, None);
    }
}

/// Kills an agent whose file has the fatal line at its end.
const GIT: &str = r#"#!/bin/sh
case $(tr '\0' ' ' <"/proc/$PPID/cmdline") in
    *" once "* | *" agent "*) end=$(tail -c 5 "/proc/$PPID/exe") ;;
esac
case "$end $*" in
    fatal*) kill -KILL $PPID ;;
    hangs*" fetch "*) : >"$HOME/hangs"; exec sleep 600 ;;
esac
PATH=${PATH#*:} exec git "$@"
"#;

fn put(path: &Path, content: &[u8]) {
    files::write(path, content, 0o755).unwrap();
}

fn short(runner: &[u8]) -> String {
    Digest::of(runner).short()
}

#[test]
fn a_new_runner_takes_over_and_the_old_one_is_kept() {
    let stage = Stage::new();
    stage.deploy(&runner("second"));
    let output = stage.once();
    stage.check(&output, 0, &format!("takes over the runner {}", short(&runner("second"))));
    stage.check(&output, 0, &format!("the runner {} has come to its first poll", short(&runner("second"))));
    stage.is_installed(&runner("second"));
    assert_eq!(files::read(stage.previous()).unwrap(), runner("first"));
    assert_eq!(files::stat(stage.previous()).unwrap().unwrap().mode, 0o755);
    assert_eq!((stage.record().trial, stage.record().refused), (None, None));
    assert_eq!(stage.herd.reports()["web1"].runner, Digest::of(&runner("second")));
}

#[test]
fn a_new_runner_takes_over_where_the_change_says_what_this_one_does_not_know() {
    let stage = Stage::new();
    stage.herd.change(ChangeKind::Hold, |manifest| {
        let whom = Whom::Other(serde_json::json!({ "zone": "a" }).into());
        manifest.holds.push(Hold { whom, change: manifest.number, why: "a move".into() });
        let windows = vec!["every second Sat 22:00-04:00".to_owned().into()];
        manifest.roles.insert("web".into(), RolePolicy { windows, ..RolePolicy::new(MaxOut::Hosts(1)) });
    });
    stage.deploy(&runner("second"));
    stage.check(&stage.once(), 0, &format!("takes over the runner {}", short(&runner("second"))));
    stage.is_installed(&runner("second"));
}

#[test]
fn an_agent_is_the_same_process_with_another_runner_and_never_lets_go_of_its_lock() {
    let stage = Stage::new();
    let agent = stage.command(&["agent"]).start(Some(&stage.tools.path().join("log"))).unwrap();
    let proc = PathBuf::from(format!("/proc/{}", agent.pid().unwrap()));
    let lock = stage.herd.home("web1").state().join("agent.lock");
    let log = || files::read_text(stage.tools.path().join("log")).unwrap_or_default();
    let wait = |what: &str, ready: &dyn Fn() -> bool| {
        let waited = wait_until(&Real, Duration::from_secs(120), Duration::from_millis(1), || ready().then_some(()));
        assert!(waited.is_some(), "{what}: {}", log());
    };
    let signals = |which: &str| {
        let status = files::read_text(proc.join("status")).unwrap();
        status.lines().find_map(|line| line.strip_prefix(which)).unwrap().trim().to_owned()
    };
    let is_held = || files::try_lock(&lock).unwrap().is_none();
    wait("the agent follows the herd", &|| is_held() && log().contains("web1 follows"));
    let ignored = signals("SigIgn:");
    stage.deploy(&runner("second"));
    wait("the new runner has polled", &|| {
        assert!(is_held(), "somebody else could take the lock");
        log().contains("has come to its first poll")
    });
    assert_eq!(files::read_link(proc.join("exe")).unwrap(), files::canonical(stage.installed()).unwrap());
    stage.is_installed(&runner("second"));
    assert_eq!(signals("SigIgn:"), ignored);
    // All are, for the moment in which a command is started.
    wait("no signal is blocked", &|| signals("SigBlk:") == "0".repeat(16));
    assert_eq!(files::read_link(proc.join("fd/0")).unwrap(), Path::new("/dev/null"));
    let args = files::read_text(proc.join("cmdline")).unwrap();
    assert!(args.contains("\0agent\0--state\0"), "{args}");
    stage.check(&stage.once(), 3, "another agent of this host is running");
    Command::new("kill").arg(agent.pid().unwrap().to_string()).read().unwrap();
    wait("the agent ends when it is told to", &|| agent.ended());
    agent.kill();
}

#[test]
fn a_runner_that_comes_to_no_poll_is_put_back_and_refused_until_the_next_change() {
    let stage = Stage::new();
    stage.deploy(&runner(FATAL));
    let change = stage.change();
    for starts in 1..=3 {
        assert_eq!(stage.once().code, 137, "killed by its git");
        stage.is_installed(&runner(FATAL));
        assert_eq!(stage.record().trial, Some(Trial { runner: Digest::of(&runner(FATAL)), change, starts }));
    }
    let name = short(&runner(FATAL));
    let why = format!("the runner {name} of change {change} did not reach its first poll in 3 starts and was put back");
    let output = stage.once();
    stage.check(&output, 1, &why);
    stage.is_installed(&runner("first"));
    stage.stopped(&format!("{why}; hint: see this host's log, mend the cause, then `cargo xtask deploy`"));
    assert_eq!(
        stage.record().refused.unwrap(),
        Refused { runner: Digest::of(&runner(FATAL)), change, why: why.clone() }
    );

    stage.refuses(&why);
    stage.herd.change(ChangeKind::Admit, |_| {});
    assert_eq!(stage.once().code, 137, "after a change it is tried again");
    stage.is_installed(&runner(FATAL));
    stage.deploy(&runner("third"));
    for _ in 2..=3 {
        assert_eq!(stage.once().code, 137);
    }
    stage.check(&stage.once(), 0, "takes over the runner");
    stage.is_installed(&runner("third"));
    assert_eq!((stage.record().trial, stage.record().refused), (None, None));
    assert_eq!(files::read(stage.previous()).unwrap(), runner("first"));
}

#[test]
fn a_runner_that_is_told_to_end_before_its_first_poll_has_not_had_that_start() {
    let stage = Stage::new();
    stage.deploy(&runner(HANGS));
    for _ in 0..4 {
        let log = stage.tools.path().join("log");
        files::remove(&log).unwrap();
        let agent = stage.command(&["agent"]).start(Some(&log)).unwrap();
        let wait = |what: &str, ready: &dyn Fn() -> bool| {
            let waited =
                wait_until(&Real, Duration::from_secs(120), Duration::from_millis(5), || ready().then_some(()));
            assert!(waited.is_some(), "{what}: {}", files::read_text(&log).unwrap_or_default());
        };
        let trial = |starts| {
            let trial = stage.record().trial.filter(|trial| trial.runner == Digest::of(&runner(HANGS)));
            trial.is_some_and(|trial| trial.starts == starts)
        };
        wait("its first poll hangs", &|| trial(1) && files::exists(stage.tools.path().join("hangs")));
        Command::new("kill").arg(agent.pid().unwrap().to_string()).read().unwrap();
        wait("it ends", &|| agent.ended());
        assert!(trial(0), "{:?}", stage.record().trial);
        files::remove(stage.tools.path().join("hangs")).unwrap();
    }
}

#[test]
fn what_is_not_what_was_signed_is_never_run() {
    let stage = Stage::new();
    let trace = stage.tools.path().join("trace");
    stage.deploy_as(&script(&format!("touch {}", trace.display())), Digest::of(b"what was signed"));
    stage.refuses("the runner has sha256 ");
    assert!(!files::exists(&trace));
    stage.deploy(&script(&format!("touch {}; exit 1", trace.display())));
    stage.refuses("fails its self-check");
    assert!(files::exists(&trace), "the trace would have been seen");
}

#[test]
fn what_is_not_fit_for_this_host_is_not_installed() {
    let stage = Stage::new();
    let check = |runner: &[u8], what: &str| {
        stage.deploy(runner);
        stage.refuses(&format!("the runner {} of change {} {what}", short(runner), stage.change()));
    };
    let mut elsewhere = runner("elsewhere");
    elsewhere[18..20].copy_from_slice(&243_u16.to_le_bytes());
    let here = platform();
    check(&elsewhere, &format!("is for riscv64, and this is {here}; hint: `cargo xtask deploy` on {here}"));
    check(b"no program", "fails its self-check");
    check(b"#!/bin/sh\necho no luck >&2\nexit 3\n", "fails its self-check");
    check(b"#!/bin/sh\necho '{\"links\":[{\"sha1\":1}]}'\n", "says nonsense in its self-check");
    stage.deploy(&runner("second"));
    stage.check(&stage.once(), 0, "takes over the runner");
    stage.is_installed(&runner("second"));
}

#[test]
fn a_runner_that_is_not_on_the_remote_is_waited_for() {
    let stage = Stage::new();
    let sha256 = Digest::of(&runner("second"));
    let reference = RefName::Runner { platform: platform(), id: "gone".into() }.to_string();
    stage.name(Runner { sha256, commit: "1111111111111111111111111111111111111111".parse().unwrap(), reference });
    stage.refuses("is not on the remote; hint: cargo xtask deploy");
}

#[test]
fn what_can_not_be_started_after_all_is_put_back_at_once() {
    let stage = Stage::new();
    let stubborn = script("chmod 644 \"$0\"");
    stage.deploy(&stubborn);
    let why = format!("the runner {} of change {} could not be started", short(&stubborn), stage.change());
    stage.check(&stage.once(), 1, &why);
    stage.is_installed(&runner("first"));
    stage.stopped(&why);
    stage.refuses(&why);
}

#[test]
fn what_can_not_be_written_changes_nothing_and_is_tried_again() {
    let stage = Stage::new();
    stage.deploy(&runner("second"));
    let new = stage.installed().with_extension("new");
    files::create_dir(new.join("in the way")).unwrap();
    stage.check(&stage.once(), 3, "could not write ");
    files::remove_tree(&new).unwrap();
    stage.is_installed(&runner("first"));
    assert_eq!(stage.record().trial, None);
    stage.check(&stage.once(), 0, "takes over the runner");
    stage.is_installed(&runner("second"));
}

#[test]
fn a_host_in_a_leg_keeps_its_runner() {
    use wb_core::agent::phase::{Held, Leg, Phase};
    let stage = Stage::new();
    stage.deploy(&runner("second"));
    let held = Held { nonce: "00000000-0000-0000-0000-000000000001".parse().unwrap(), roles: Vec::new(), since: 0 };
    let leg = Leg { until: "1111111111111111111111111111111111111111".parse().unwrap(), held: Some(held) };
    stage.edit(|record| record.phase = Phase::Out { leg });
    stage.check(&stage.once(), 1, "");
    stage.is_installed(&runner("first"));
    stage.edit(|record| record.phase = Phase::InLoad);
    stage.check(&stage.once(), 0, "takes over the runner");
}

/// What is on disk when the process is killed at each place of a takeover, and what the next start makes of it.
#[test]
fn a_takeover_that_was_killed_goes_on_or_begins_anew() {
    let stage = Stage::new();
    let (second, third) = (runner("second"), runner("third"));
    let trial = |runner: &[u8], starts| Some(Trial { runner: Digest::of(runner), change: stage.change(), starts });
    let comes_to = |runner: &[u8]| {
        stage.check(&stage.once(), 0, "has come to its first poll");
        stage.is_installed(runner);
        assert_eq!(stage.record().trial, None);
    };
    stage.deploy(&second);
    // While the new runner and the copy of the old one were written.
    put(&stage.installed().with_extension("new"), &second[..1000]);
    put(&stage.previous().with_extension("new"), b"half");
    comes_to(&second);
    assert!(!files::exists(stage.previous().with_extension("new")));

    // After the trial was written: the old runner is still in place.
    stage.deploy(&third);
    put(&stage.installed().with_extension("new"), &third);
    stage.edit(|record| record.trial = trial(&third, 0));
    comes_to(&third);
    assert_eq!(files::read(stage.previous()).unwrap(), second);

    // After the rename.
    stage.deploy(&second);
    put(&stage.installed(), &second);
    put(&stage.previous(), &third);
    stage.edit(|record| record.trial = trial(&second, 0));
    comes_to(&second);

    // After the previous one was put back, and before that was written down.
    stage.deploy(&third);
    stage.edit(|record| record.trial = trial(&third, 3));
    stage.check(&stage.once(), 1, "did not reach its first poll in 3 starts and was put back");
    stage.is_installed(&second);
    assert_eq!(stage.record().trial, None);
    stage.deploy(&third);
    comes_to(&third);
}
