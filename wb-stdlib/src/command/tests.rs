use super::*;
use crate::machine::Machine;

#[test]
fn words_of_a_line_are_arguments_and_an_argument_keeps_its_blanks() {
    let machine = Machine::new().answer("git", 0, "git version 2.39.5\n");
    let output = machine.view(|host| Ok(host.command("git --version").arg("a b").output()?)).unwrap();
    assert_eq!(output.text(), "git version 2.39.5");
    assert_eq!(machine.calls(), ["git --version 'a b'"]);
}

#[test]
fn a_user_gets_their_own_environment() {
    let machine = Machine::new().file("/etc/passwd", "postgres:x:104:111::/var/lib/postgresql:/bin/bash\n");
    let machine = machine.answer("setpriv", 0, "");
    machine.view(|host| host.command("psql").user("postgres").env("PGPORT", "5433").succeeds()).unwrap();
    let expect = "setpriv --reuid=104 --regid=111 --init-groups --reset-env -- env PGPORT=5433 psql";
    assert_eq!(machine.calls(), [expect]);
}

#[test]
fn a_failure_says_what_the_command_said() {
    let machine = Machine::new().answer("pg_isready", 2, "no response");
    let error = machine.view(|host| host.command("pg_isready").succeeds()).unwrap_err();
    assert_eq!(error.to_string(), "`pg_isready` ended with exit code 2: no response");
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
    assert!(error.to_string().ends_with("/script` ended with exit code 3: no table"), "{error}");
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
