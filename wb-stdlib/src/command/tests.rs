use super::*;
use crate::View;
use crate::machine::Machine;

#[test]
fn words_of_a_line_are_arguments_and_an_argument_keeps_its_blanks() {
    let machine = Machine::new().answer("git", 0, "git version 2.39.5\n");
    let output = machine.view(|host| Ok(host.command("git --version").arg("a b").output()?)).unwrap();
    assert_eq!(output.text(), "git version 2.39.5");
    assert_eq!(machine.calls(), ["git --version 'a b'"]);
}

const POSTGRES: &str = "root:x:0:0:root:/root:/bin/bash\npostgres:x:104:111::/var/lib/postgresql:\n";

#[test]
fn a_user_gets_their_own_environment_which_stands_on_no_line() {
    let check = |user: &str, env: &[(&str, &str)], words: &str, expect: &[(&str, &str)]| {
        let mut expect = expect
            .iter()
            .fold(system::Command::new("setpriv").env_clear(), |expect, (name, value)| expect.env(name, value));
        expect = expect.args(words.split(' ')).called(format!("psql` as `{user}")).dir("/").timeout(TIMEOUT);
        let machine = Machine::new().file("/etc/passwd", POSTGRES);
        let machine = machine.does("setpriv", move |_, found| assert_eq!(*found, expect));
        let found = machine.view(|host| {
            env.iter()
                .fold(host.command("psql").user(user), |command, (name, value)| command.env(*name, *value))
                .succeeds()
        });
        found.unwrap();
    };
    let (words, path) = ("--reuid=104 --regid=111 --init-groups --", ("PATH", PATH));
    let (home, shell) = (("HOME", "/var/lib/postgresql"), ("SHELL", "/bin/sh"));
    let (user, logname) = (("USER", "postgres"), ("LOGNAME", "postgres"));
    let login = [home, shell, user, logname, path];
    check("postgres", &[], &format!("{words} psql"), &login);
    check("104", &[], &format!("{words} psql"), &login);
    let secret = [("PGPASSWORD", "swordfish"), ("HOME", "/tmp")];
    check("postgres", &secret, &format!("{words} psql"), &[secret[1], shell, user, logname, path, secret[0]]);
    let with_path = format!("{words} env PATH=/opt/bin psql");
    check("postgres", &[("PATH", "/opt/bin")], &with_path, &login);
    let root = [("HOME", "/root"), ("SHELL", "/bin/bash"), ("USER", "root"), ("LOGNAME", "root"), ("PATH", ROOTS_PATH)];
    check("root", &[], "--reuid=0 --regid=0 --init-groups -- psql", &root);
}

#[test]
fn what_is_in_the_environment_is_in_no_error() {
    let machine = Machine::new().file("/etc/passwd", POSTGRES).answer("setpriv", 1, "no");
    let secret = |host: &View| host.command("psql").user("postgres").env("PGPASSWORD", "swordfish").succeeds();
    let expect = "expected `psql` as `postgres` to end with exit code 0, found 1: no";
    assert_eq!(machine.view(secret).unwrap_err().to_string(), expect);
}

#[test]
fn errors_show_what_was_written_and_not_what_it_takes() {
    let machine = Machine::new().file("/etc/passwd", POSTGRES).answer("setpriv", 1, "no").answer("/bin/sh", 1, "no");
    let check = |say: fn(Command<View<'_>>) -> Command<View<'_>>, expect: &str| {
        let error = machine.view(|host| say(host.command("touch").arg("a b")).succeeds()).unwrap_err();
        assert_eq!(error.to_string(), format!("expected {expect} to end with exit code 0, found 1: no"));
    };
    check(|command| command.user("postgres").umask(0o77).env("PATH", "/opt/bin"), "`touch 'a b'` as `postgres`");
    check(|command| command.umask(0o77), "`touch 'a b'`");
}

#[test]
fn a_user_that_nobody_knows_is_named() {
    let machine = Machine::new().file("/etc/passwd", POSTGRES);
    let check = |user: &str| {
        let error = machine.view(|host| host.command("id").user(user).succeeds()).unwrap_err();
        let expect = format!("could not run `id` as another user: there is no user `{user}` on this host");
        assert_eq!(format!("{error:#}"), expect);
    };
    check("anna");
    check("4711");
}

#[test]
fn a_failure_says_what_was_expected_and_what_the_command_said() {
    let machine = Machine::new().answer("pg_isready", 2, "no response").answer("grep", 2, "");
    let error = machine.view(|host| host.command("pg_isready").succeeds()).unwrap_err();
    assert_eq!(error.to_string(), "expected `pg_isready` to end with exit code 0, found 2: no response");
    let check = |codes: &[i32], expect: &str| {
        let error = machine.view(|host| host.command("grep x").expects(codes.iter().copied()).succeeds()).unwrap_err();
        assert_eq!(error.to_string(), format!("expected `grep x` to end with exit code {expect}, found 2"));
    };
    check(&[1], "1");
    check(&[0, 1], "0 or 1");
    check(&[0, 1, 3], "0, 1 or 3");
}

#[test]
fn what_it_prints_is_compared_but_for_line_breaks_at_the_end() {
    let check = |code: i32, said: &str, expect: &str| {
        let machine = Machine::new().answer("redis-cli", code, said);
        let error = machine.view(|host| host.command("redis-cli ping").prints("PONG")).unwrap_err().to_string();
        assert_eq!(error, expect);
    };
    check(0, "NOAUTH\nagain\n", r#"expected `redis-cli ping` to print "PONG", found "NOAUTH\nagain""#);
    check(0, "\n", r#"expected `redis-cli ping` to print "PONG", found nothing"#);
    check(1, "no server", "expected `redis-cli ping` to end with exit code 0, found 1: no server");
    let long = format!(r#"expected `redis-cli ping` to print "PONG", found "{}" (700 bytes in all)"#, "a".repeat(500));
    check(0, &"a".repeat(700), &long);
    let machine = Machine::new().answer("redis-cli", 0, "PONG\n");
    machine.view(|host| host.command("redis-cli ping").prints("PONG")).unwrap();
    machine.view(|host| host.command("redis-cli ping").prints("PONG\n")).unwrap();
}

#[test]
fn without_a_guard_it_always_runs_and_a_plan_cannot_know() {
    let machine = Machine::new().answer("make", 0, "");
    assert!(machine.apply(|host| Ok(host.command("make all").run()?)).unwrap().changed());
    machine.plan(|host| Ok(host.command("make all").run()?)).unwrap();
    assert_eq!(machine.said(), "? command make all run (cannot know: only running it tells)");
    assert_eq!(machine.calls(), ["make all"]);
}

#[test]
fn a_guard_that_holds_leaves_it_out() {
    let machine = Machine::new().answer("test -e /x", 0, "").answer("make", 0, "");
    let run = |host: &Host| Ok(host.command("make").unless(host.command("test -e /x")).run()?);
    assert_eq!(machine.apply(run).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.plan(run).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls(), ["test -e /x", "test -e /x"]);
}

#[test]
fn a_guard_that_cannot_be_asked_is_an_error_and_unknown_in_a_plan() {
    let machine = Machine::new().answer("make", 0, "");
    let run = |host: &Host| Ok(host.command("make").unless(host.command("psql -l")).run()?);
    assert_eq!(machine.apply(run).unwrap_err().to_string(), "the program `psql` is not installed");
    assert!(matches!(machine.plan(run).unwrap(), Outcome::Unknown { .. }));
}

#[test]
fn what_it_creates_is_its_guard_and_must_be_there_then() {
    let machine = Machine::new().answer("make", 0, "").file("/there", "");
    let run = |path: &'static str| machine.apply(move |host| Ok(host.command("make").creates(path).run()?));
    assert_eq!(run("/there").unwrap(), Outcome::Unchanged);
    assert_eq!(
        run("/not/there").unwrap_err().to_string(),
        "`make` ended well, and there is nothing at /not/there all the same"
    );
    assert_eq!(machine.calls(), ["make"]);
}

#[test]
fn what_it_removes_is_its_guard_and_must_be_gone_then() {
    let machine = Machine::new().answer("rm", 0, "").file("/there", "");
    let run = |path: &'static str| machine.apply(move |host| Ok(host.command("rm").removes(path).run()?));
    assert_eq!(run("/not/there").unwrap(), Outcome::Unchanged);
    assert_eq!(
        run("/there").unwrap_err().to_string(),
        "`rm` ended well, and there is something at /there all the same"
    );
}

#[test]
fn all_guards_must_say_that_it_is_needed() {
    let machine = Machine::new().answer("make", 0, "").answer("yes", 0, "").answer("no", 1, "");
    let check = |only_if: &'static str, unless: &'static str, expect: bool| {
        let run = |host: &Host| {
            let command = host.command("make").only_if(host.command(only_if)).unless(host.command(unless));
            Ok(command.run()?.changed())
        };
        assert_eq!((machine.apply(run).unwrap(), machine.plan(run).unwrap()), (expect, expect));
    };
    check("yes", "no", true);
    check("no", "no", false);
    check("yes", "yes", false);
}

#[test]
fn other_exit_codes_may_be_a_good_end() {
    let machine = Machine::new().answer("grep", 1, "").answer("make", 0, "");
    machine.view(|host| host.command("grep x").expects([0, 1]).succeeds()).unwrap();
    let error = machine.apply(|host| Ok(host.command("grep x").expects([0, 2]).run()?)).unwrap_err();
    assert_eq!(error.to_string(), "`grep x` ended with exit code 1");
    let guarded = machine.apply(|host| Ok(host.command("make").unless(host.command("grep x").expects([1])).run()?));
    assert_eq!(guarded.unwrap(), Outcome::Unchanged);
}

#[test]
fn what_it_writes_may_tell_whether_it_changed_anything() {
    let machine = Machine::new().answers("migrate", &[(0, "1 applied\n"), (0, "nothing to do\n")]);
    let run = |host: &Host| {
        let command = host.command("migrate").changed_when(|output| !output.text().contains("nothing"));
        Ok(command.run()?)
    };
    assert!(matches!(machine.plan(run).unwrap(), Outcome::Unknown { .. }));
    assert!(machine.apply(run).unwrap().changed());
    assert_eq!(machine.apply(run).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.said(), "= command migrate run");
    assert_eq!(machine.calls().len(), 2);
}

#[test]
fn a_mask_is_set_by_a_shell_in_between() {
    let machine = Machine::new().answer("/bin/sh", 0, "");
    machine.apply(|host| Ok(host.command("touch /a").umask(0o77).run()?)).unwrap();
    assert_eq!(machine.calls(), [r#"/bin/sh -c 'umask 0077 && exec "$@"' sh touch /a"#]);
    assert_eq!(machine.said(), "+ command touch /a run");
}

/// A log that is listened to.
#[derive(Default)]
struct Heard(std::cell::RefCell<Vec<String>>);

impl wb_core::context::Lookout for Heard {
    fn may_wait(&self) -> bool {
        false
    }

    fn every(&self) -> Duration {
        Duration::ZERO
    }

    fn look(&self, _: &wb_core::chain::Wait) -> Result<wb_core::context::Sight, wb_core::context::NoSuch> {
        Ok(wb_core::context::Sight::default())
    }

    fn say(&self, line: &str) {
        self.0.borrow_mut().push(line.to_owned());
    }
}

#[test]
fn what_it_writes_goes_into_the_log_when_it_is_to() {
    let heard = std::rc::Rc::new(Heard::default());
    let machine = Machine::new().answer("make", 0, "one\ntwo\n").among(std::rc::Rc::clone(&heard) as _);
    machine.run(|host| Ok(host.command("make").run()?)).unwrap();
    assert_eq!(*heard.0.borrow(), [] as [&str; 0]);
    machine.run(|host| Ok(host.command("make").streamed().run()?)).unwrap();
    assert_eq!(*heard.0.borrow(), ["  one", "  two"]);
}

#[test]
fn a_script_is_run_by_its_interpreter_from_a_file_that_is_gone_then() {
    let machine = Machine::new().answer("/usr/bin/python3", 0, "");
    let script = |host: &Host| Ok(host.script("fill", "#!/usr/bin/python3\nprint(1)\n").arg("a b").run()?);
    machine.apply(script).unwrap();
    let calls = machine.calls();
    let place = calls[0].strip_prefix("/usr/bin/python3 ").and_then(|call| call.strip_suffix("/script 'a b'")).unwrap();
    assert!(place.starts_with("/var/cache/wildebeest/"), "{place}");
    assert_eq!(machine.stat(place), None);
    assert_eq!(machine.said(), "+ script fill 'a b' run");
    machine.plan(script).unwrap();
    assert_eq!(machine.calls().len(), 1);
}

#[test]
fn a_script_that_fails_is_gone_too_and_says_why() {
    let machine = Machine::new().answer("/bin/sh", 3, "no table");
    let error = machine.apply(|host| Ok(host.script("fill", "echo no table; exit 3\n").run()?)).unwrap_err();
    assert_eq!(error.to_string(), "`fill` ended with exit code 3: no table");
    assert_eq!(machine.snapshot().len(), 0);
}

#[test]
fn what_a_script_left_that_was_killed_goes_when_it_is_needed_no_more() {
    let machine = Machine::new()
        .file("/made", "")
        .file("/var/cache/wildebeest/1-0/script", "")
        .file("/var/cache/wildebeest/1-0.lock", "");
    let run = |host: &Host| Ok(host.script("make", "touch /made\n").creates("/made").run()?);
    assert_eq!(machine.plan(run).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.snapshot().len(), 3);
    assert_eq!(machine.apply(run).unwrap(), Outcome::Unchanged);
    assert_eq!((machine.snapshot().len(), machine.stat("/var/cache/wildebeest")), (1, None));
}
