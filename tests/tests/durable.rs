//! Migrations that are cut short, over real git: agents are killed in the middle of them, hosts reboot, links are amended
//! and tried again. What was done once is not done twice, and what is owed is paid.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use wb_core::agent::phase::Phase;
use wb_core::agent::{Agent, Next, Store};
use wb_core::chain::Digest;
use wb_core::change::ChangeKind;
use wb_core::context::{Code, DebtAction, Debts as _, MaxOut, Migration, Role, Terms};
use wb_core::runner::{Catalog, platform};
use wb_core::system::{Command, Script, System, environment, files};
use wb_stdlib::__private::OfHost;
use wb_stdlib::prelude::*;
use wb_tests::herd::{TestHerd, runner, tick_at};

const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const OTHER_DIGEST: &str = "ffb0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ONE: &str = "1111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222";

const fn migration(name: &'static str, index: usize, sha1: &'static str, run: &'static OfHost) -> Migration {
    let run = Some(Code::Wrapped(run));
    Migration { name, role: "web", sha1, digest: DIGEST, index, wait: None, replaces: None, terms: Terms::NONE, run }
}

/// Adds a word to the host's file `written`.
fn write(host: &Host, word: &str) -> Result<()> {
    host.file("/written").content(format!("{}{word} ", written(host)?)).present()?;
    Ok(())
}

fn written(host: &Host) -> Result<String> {
    Ok(String::from_utf8(host.file("/written").read()?.unwrap_or_default())?)
}

/// Whether a file of this name is in the host's root.
fn has(host: &Host, name: &str) -> bool {
    host.file(format!("/{name}")).exists().is_ok()
}

/// Set in the process that a test kills, to where the herd lies.
const KILLED: &str = "WB_TEST_KILLED";

/// Kills the process that a test wants dead here.
fn dies(host: &Host, place: &str) -> Result<()> {
    if environment::var(KILLED).is_some() && has(host, &format!("dies-{place}")) {
        host.shell("kill -KILL $PPID").run()?;
    }
    Ok(())
}

/// A migration with all that outlives an interruption.
fn install(host: &Host) -> Result<()> {
    require!(is_suitable(host)?, "a suitable host");
    let password: u32 = host.step("password", |host| {
        write(host, "password")?;
        Ok(42)
    })?;
    dies(host, "after-a-step")?;
    let app = host.service("app");
    host.file("/app.conf").content(format!("password = {password}\n")).restarts(&app).present()?;
    dies(host, "after-a-file")?;
    host.step("initdb", |host| {
        write(host, "initdb")?;
        dies(host, "in-a-step")
    })?;
    anyhow::ensure!(!has(host, "fails"), "out of luck");
    host.reboot()?;
    dies(host, "after-a-reboot")?;
    write(host, "end")
}

fn is_suitable(host: &Host) -> Result<bool> {
    write(host, "asked")?;
    Ok(!has(host, "unsuitable"))
}

fn install_anew(host: &Host) -> Result<()> {
    let password: u32 = host.step("password", |_| anyhow::bail!("it is kept"))?;
    host.step("initdb", |host| write(host, "anew"))?;
    write(host, &password.to_string())
}

static INSTALL: Migration = migration("install", 0, ONE, &OfHost(install));
static AMENDED: Migration = Migration {
    digest: OTHER_DIGEST,
    terms: Terms { keeps: &["password"], ..Terms::NONE },
    ..migration("install", 0, ONE, &OfHost(install_anew))
};
static LATER: Migration = migration("later", 1, TWO, &OfHost(|host| write(host, "later")));

static WEB: Role =
    Role { name: "web", max_out: MaxOut::Hosts(1), leave: |_| Ok(()), rejoin: |_| Ok(()), ..Role::PLAIN };

fn catalog(migrations: &[&'static Migration]) -> Catalog {
    Catalog::new(migrations.iter().copied(), [&WEB], []).unwrap()
}

/// A herd of one host.
struct Play {
    herd: TestHerd,
    _turn: Turn,
}

/// A script that one thread has just written can't be started while another one, amid starting a process of its own,
/// still has it open: so who takes a runner over is alone.
static TURN: RwLock<()> = RwLock::new(());

enum Turn {
    WithOthers { _held: RwLockReadGuard<'static, ()> },
    Alone { _held: RwLockWriteGuard<'static, ()> },
}

impl Turn {
    fn with_others() -> Self {
        Self::WithOthers { _held: TURN.read().unwrap_or_else(PoisonError::into_inner) }
    }

    fn alone() -> Self {
        Self::Alone { _held: TURN.write().unwrap_or_else(PoisonError::into_inner) }
    }
}

impl Play {
    fn new(migrations: &[&'static Migration]) -> Self {
        Self::set(Turn::with_others(), migrations)
    }

    fn alone(migrations: &[&'static Migration]) -> Self {
        Self::set(Turn::alone(), migrations)
    }

    fn set(turn: Turn, migrations: &[&'static Migration]) -> Self {
        let herd = TestHerd::new();
        herd.add(&[("web1", &["web"])]);
        herd.deploy(&catalog(migrations));
        files::create_dir(herd.root("web1").join("etc/init.d")).unwrap();
        files::write(herd.root("web1").join("etc/init.d/app"), "", 0o755).unwrap();
        Self { herd, _turn: turn }
    }

    fn with(self, file: &str) -> Self {
        files::write(self.herd.root("web1").join(file), "", 0o644).unwrap();
        self
    }

    fn without(self, file: &str) -> Self {
        files::remove(self.herd.root("web1").join(file)).unwrap();
        self
    }

    fn tick(&self, migrations: &[&'static Migration]) -> Next {
        self.herd.tick("web1", &catalog(migrations)).unwrap()
    }

    /// Ticks until there is nothing to do.
    fn follow(&self, migrations: &[&'static Migration]) {
        while self.tick(migrations) == Next::Again {}
    }

    /// Ticks in a process that is killed at this place.
    fn killed(self, place: &str) -> Self {
        let play = self.with(&format!("dies-{place}"));
        play.is_killed();
        play.without(&format!("dies-{place}"))
    }

    fn is_killed(&self) {
        let this = Command::new(environment::current_exe().unwrap()).env(KILLED, self.herd.dir());
        let output = this.args(["--exact", "the_process_that_is_killed"]).run().unwrap();
        assert_eq!(output.code, 128 + 9, "{output:?}");
    }

    fn check(&self, written: &str, asked: &[&str], said: &str) {
        assert_eq!(self.herd.written("web1"), written);
        assert_eq!(self.herd.asked("web1"), asked);
        assert_eq!(self.herd.said(&["web1"]), [format!("web1 {said}")]);
    }

    /// Asks the host to try again what failed.
    fn retry(&self) {
        self.herd.change(ChangeKind::Retry, |manifest| manifest.hosts.get_mut("web1").unwrap().retry = manifest.number);
    }

    /// Deploys a chain with a runner of its own.
    fn deploy(&self, migrations: &[&'static Migration]) -> Digest {
        let catalog = catalog(migrations);
        let runner = self.herd.publish(&catalog);
        let sha256 = runner.sha256;
        self.herd.change(ChangeKind::Deploy, |manifest| {
            manifest.chain = catalog.chain().clone();
            manifest.target = catalog.chain().tip().map(|link| link.sha1);
            manifest.runners = [(platform(), runner)].into();
        });
        sha256
    }

    fn store(&self) -> Store {
        Store::open(&self.herd.home("web1").record()).unwrap()
    }
}

/// Not a test of its own: what [`Play::killed`] starts.
#[test]
fn the_process_that_is_killed() {
    let Some(dir) = environment::var(KILLED) else { return };
    while tick_at(Path::new(&dir), "web1", &catalog(&[&INSTALL]), runner()).unwrap() == Next::Again {}
}

const REBOOT: &str = "shutdown -r now";
const RESTART: &str = "/etc/init.d/app restart";

#[test]
fn what_was_done_once_is_not_done_again_wherever_the_agent_is_killed() {
    let check = |place: &str, written: &str| {
        let play = Play::new(&[&INSTALL]).killed(place);
        play.follow(&[&INSTALL]);
        play.check(written, &[REBOOT], "running `install`, rebooting");
        play.herd.boot_again("web1");
        play.follow(&[&INSTALL]);
        play.check(&format!("{written} end"), &[REBOOT, RESTART], "up to date");
        assert_eq!((play.store().owed(), &*play.store().record().steps), (vec![], &[][..]));
    };
    check("after-a-step", "asked password initdb");
    check("after-a-file", "asked password initdb");
    check("in-a-step", "asked password initdb initdb");
}

#[test]
fn a_host_that_does_not_go_down_is_asked_again_and_nothing_else_is_done() {
    let play = Play::new(&[&INSTALL]);
    play.follow(&[&INSTALL]);
    play.follow(&[&INSTALL]);
    play.check("asked password initdb", &[REBOOT, REBOOT], "running `install`, rebooting");
    assert!(matches!(play.store().record().phase, Phase::Running { .. }));
}

#[test]
fn a_machine_that_stays_up_is_asked_again_after_five_minutes() {
    static REBOOTS: Migration = migration("install", 0, ONE, &OfHost(|host| Ok(host.reboot()?)));
    let play = Play::new(&[&REBOOTS]);
    let script = Script::new().answer("shutdown", 0, "");
    let (system, quiet) = (System::fake(play.herd.root("web1"), script.clone()), |_: &str| {});
    let catalog = catalog(&[&REBOOTS]);
    let mut agent = Agent::open(play.herd.home("web1"), &catalog, &system, runner(), &quiet).unwrap();
    let mut check = |asked: usize, said: &str| {
        while agent.tick().unwrap() == Next::Again {}
        assert_eq!(script.calls(), vec![REBOOT; asked]);
        play.check("", &[], said);
        system.clock().sleep(Duration::from_secs(150));
    };
    check(1, "running `install`, rebooting");
    check(1, "running `install`, rebooting");
    check(2, "can't reboot for `install`: was asked to 300 s ago, and is still up");
    check(2, "running `install`, rebooting");
}

#[test]
fn a_host_that_can_not_reboot_says_so() {
    let play = Play::new(&[&INSTALL]);
    files::write(play.herd.dir().join("web1/broken"), "", 0o644).unwrap();
    play.follow(&[&INSTALL]);
    let why = "`shutdown -r now` ended with exit code 1; `reboot` ended with exit code 1";
    play.check("asked password initdb", &[REBOOT, "reboot"], &format!("can't reboot for `install`: {why}"));
}

#[test]
fn killed_after_the_reboot_it_does_not_reboot_again() {
    let play = Play::new(&[&INSTALL]);
    play.follow(&[&INSTALL]);
    play.herd.boot_again("web1");
    let play = play.killed("after-a-reboot");
    play.follow(&[&INSTALL]);
    play.check("asked password initdb end", &[REBOOT, RESTART], "up to date");
}

#[test]
fn a_reboot_whose_error_is_swallowed_is_waited_for_all_the_same() {
    static CARELESS: Migration = migration(
        "install",
        0,
        ONE,
        &OfHost(|host| {
            drop(host.reboot());
            write(host, "careless")
        }),
    );
    let play = Play::new(&[&CARELESS]);
    play.follow(&[&CARELESS]);
    play.check("careless", &[REBOOT], "running `install`, rebooting");
    assert_eq!(play.store().record().state(), None);
    play.herd.boot_again("web1");
    play.follow(&[&CARELESS]);
    play.check("careless careless", &[REBOOT], "up to date");
}

#[test]
fn what_is_required_counts_at_each_start_and_not_in_between() {
    let play = Play::new(&[&INSTALL]).with("unsuitable");
    play.follow(&[&INSTALL]);
    play.check("asked", &[], "failed at `install` (1111111): required: a suitable host");
    let play = play.without("unsuitable").with("fails");
    play.retry();
    play.follow(&[&INSTALL]);
    play.check("asked asked password initdb", &[], "failed at `install` (1111111): out of luck");
    let play = play.without("fails");
    play.retry();
    play.follow(&[&INSTALL]);
    play.check("asked asked password initdb asked", &[REBOOT], "running `install`, rebooting");
    let play = play.with("unsuitable");
    play.herd.boot_again("web1");
    play.follow(&[&INSTALL]);
    play.check("asked asked password initdb asked end", &[REBOOT, RESTART], "up to date");
}

#[test]
fn a_started_link_ends_with_the_runner_that_started_it() {
    let play = Play::alone(&[&INSTALL]).killed("after-a-step");
    play.deploy(&[&INSTALL, &LATER]);
    play.follow(&[&INSTALL]);
    play.check("asked password initdb", &[REBOOT], "running `install`, rebooting");
    play.herd.boot_again("web1");
    assert_eq!(play.tick(&[&INSTALL]), Next::Again);
    assert_eq!(play.tick(&[&INSTALL]), Next::Exec);
    assert_eq!(play.herd.written("web1"), "asked password initdb end");
}

#[test]
fn a_started_link_that_was_amended_goes_on_with_the_new_runner_and_what_it_keeps() {
    let play = Play::alone(&[&INSTALL]).killed("after-a-file");
    let sha256 = play.deploy(&[&AMENDED, &LATER]);
    assert_eq!(play.tick(&[&INSTALL]), Next::Exec);
    let amended = catalog(&[&AMENDED, &LATER]);
    while play.herd.tick_with("web1", &amended, sha256).unwrap() == Next::Again {}
    play.check("asked password anew 42 later", &[RESTART], "up to date");
}

#[test]
fn a_link_that_failed_and_is_amended_goes_on_with_what_it_keeps() {
    let play = Play::new(&[&INSTALL]).with("fails");
    play.follow(&[&INSTALL]);
    play.herd.deploy(&catalog(&[&AMENDED]));
    play.follow(&[&AMENDED]);
    play.check("asked password initdb anew 42", &[RESTART], "up to date");
}

#[test]
fn a_started_link_goes_on_with_the_new_runner_where_somebody_asks_for_another_try() {
    let play = Play::alone(&[&INSTALL]).killed("after-a-step");
    play.deploy(&[&INSTALL, &LATER]);
    play.retry();
    assert_eq!(play.tick(&[&INSTALL]), Next::Exec);
}

#[test]
fn what_was_stored_as_something_else_stops_the_host_and_says_the_way_out() {
    static OTHER: Migration = Migration {
        digest: OTHER_DIGEST,
        terms: Terms { keeps: &["password"], ..Terms::NONE },
        ..migration("install", 0, ONE, &OfHost(|host| host.step("password", |_| Ok(String::new())).map(drop)))
    };
    let play = Play::new(&[&INSTALL]).killed("after-a-step");
    play.herd.deploy(&catalog(&[&OTHER]));
    play.follow(&[&OTHER]);
    insta::assert_snapshot!(play.herd.said(&["web1"]).join("\n"));
}

#[test]
fn a_migration_that_takes_too_long_is_ended() {
    static SLOW: Migration = Migration {
        terms: Terms { timeout: Some(Duration::from_secs(1)), ..Terms::NONE },
        ..migration("install", 0, ONE, &OfHost(|host| Ok(host.command("sleep 60").run().map(drop)?)))
    };
    let play = Play::new(&[&SLOW]);
    play.follow(&[&SLOW]);
    let why = "`sleep 60` was cut short: it did not end within the 1 s that it may take as a whole";
    play.check("", &[], &format!("failed at `install` (1111111): {why}"));
}

#[test]
fn a_migration_that_goes_on_after_its_time_is_ended_after_its_operation() {
    static DEAF: Migration = Migration {
        terms: Terms { timeout: Some(Duration::from_secs(1)), ..Terms::NONE },
        ..migration(
            "install",
            0,
            ONE,
            &OfHost(|host| {
                drop(host.command("sleep 60").run());
                write(host, "first")?;
                write(host, "second")
            }),
        )
    };
    let play = Play::new(&[&DEAF]);
    play.follow(&[&DEAF]);
    let why = "it did not end within the 1 s that it may take as a whole";
    play.check("first", &[], &format!("failed at `install` (1111111): {why}"));
}

/// A link that owes a restart, and its host where that can't be paid.
fn owing() -> Play {
    let play = Play::new(&[&OWING]);
    files::write(play.herd.dir().join("web1/broken"), "", 0o644).unwrap();
    play.follow(&[&OWING]);
    let why = "could not restart the service `app`, which an earlier change made necessary: ";
    assert!(play.herd.said(&["web1"])[0].starts_with(&format!("web1 failed at `install` (1111111): {why}")));
    assert_eq!(play.store().owed().len(), 1);
    files::remove(play.herd.dir().join("web1/broken")).unwrap();
    files::remove(play.herd.dir().join("web1/asked")).unwrap();
    play
}

static OWING: Migration = migration(
    "install",
    0,
    ONE,
    &OfHost(|host| {
        host.file("/app.conf").content("owes\n").restarts(&host.service("app")).present()?;
        Ok(())
    }),
);
static OWES_NOTHING: Migration =
    Migration { digest: OTHER_DIGEST, ..migration("install", 0, ONE, &OfHost(|host| write(host, "nothing"))) };

#[test]
fn what_could_not_be_paid_fails_the_link_and_is_paid_when_it_is_tried_again() {
    let play = owing();
    play.retry();
    play.follow(&[&OWING]);
    play.check("", &[RESTART], "up to date");
    assert_eq!(play.store().owed(), []);
}

#[test]
fn a_payment_that_is_cut_short_is_made_again() {
    let play = Play::new(&[&INSTALL]);
    play.follow(&[&INSTALL]);
    play.herd.boot_again("web1");
    files::write(play.herd.dir().join("web1/kills"), "", 0o644).unwrap();
    play.is_killed();
    files::remove(play.herd.dir().join("web1/kills")).unwrap();
    play.follow(&[&INSTALL]);
    play.check("asked password initdb end end", &[REBOOT, RESTART, RESTART], "up to date");
    assert_eq!(play.store().owed(), []);
}

#[test]
fn what_is_owed_outlives_the_code_that_owes_it() {
    let play = owing();
    play.herd.deploy(&catalog(&[&OWES_NOTHING]));
    play.follow(&[&OWES_NOTHING]);
    play.check("nothing", &[RESTART], "up to date");
    assert_eq!(play.store().owed(), []);
}

#[test]
fn what_an_earlier_link_left_owed_is_paid_by_the_next() {
    let play = Play::new(&[&OWES_NOTHING]);
    play.follow(&[&OWES_NOTHING]);
    play.store().owe(wb_core::context::Debt { action: DebtAction::Restart, service: "app".into() }).unwrap();
    play.herd.deploy(&catalog(&[&OWES_NOTHING, &LATER]));
    play.follow(&[&OWES_NOTHING, &LATER]);
    play.check("nothing later", &[RESTART], "up to date");
    assert_eq!(play.store().owed(), []);
}
