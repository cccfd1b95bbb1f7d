use wb_core::context::Debts as _;
use wb_core::system::files;

use super::*;
use crate::machine::{Machine, changed};

fn sshd() -> Machine {
    Machine::new().file("/etc/ssh/sshd_config", "#PermitRootLogin yes\nX11Forwarding yes\n")
}

fn harden(host: &Host) -> Result<Outcome> {
    let ssh = host.service("ssh");
    let edit = host.edit("/etc/ssh/sshd_config").directive("PermitRootLogin", "no").directive("X11Forwarding", "no");
    Ok(edit.reloads(&ssh).present()?)
}

const HARDENED: &str = "#PermitRootLogin yes\nPermitRootLogin no\nX11Forwarding no\n";

#[test]
fn all_edits_of_a_file_are_one_change() {
    let machine = sshd();
    let outcome = machine.apply(harden).unwrap();
    let diff = "--- /etc/ssh/sshd_config\n+++ /etc/ssh/sshd_config\n@@ -1,2 +1,3 @@\n #PermitRootLogin yes\n-X11Forwarding \
                yes\n+PermitRootLogin no\n+X11Forwarding no";
    assert_eq!(outcome, changed(diff));
    assert_eq!(machine.read("/etc/ssh/sshd_config").as_deref(), Some(HARDENED));
    assert_eq!(machine.journal.owed().len(), 1);
}

#[test]
fn the_second_time_changes_nothing() {
    let machine = sshd();
    machine.apply(harden).unwrap();
    let before = machine.stat("/etc/ssh/sshd_config");
    assert_eq!(machine.apply(harden).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.stat("/etc/ssh/sshd_config"), before);
    assert_eq!(machine.said(), "= edit /etc/ssh/sshd_config present");
}

#[test]
fn a_plan_shows_the_change_and_touches_nothing() {
    let machine = sshd();
    let before = machine.snapshot();
    let planned = machine.plan(harden).unwrap();
    assert_eq!(machine.snapshot(), before);
    assert_eq!(machine.apply(harden).unwrap(), planned);
}

#[test]
fn an_edited_file_keeps_its_mode_and_a_new_one_gets_one() {
    let machine = Machine::new().file("/etc/a", "x\n");
    files::set_mode(machine.path("/etc/a"), 0o640).unwrap();
    machine.apply(|host| Ok(host.edit("/etc/a").line("y").or_create(0o600).present()?)).unwrap();
    assert_eq!(machine.stat("/etc/a").unwrap().mode, 0o640);
    machine.apply(|host| Ok(host.edit("/etc/b").line("y").or_create(0o600).present()?)).unwrap();
    assert_eq!((machine.stat("/etc/b").unwrap().mode, machine.read("/etc/b")), (0o600, Some("y\n".into())));
}

#[test]
fn a_file_that_is_not_there_is_an_error_and_unknown_to_a_plan() {
    let machine = Machine::new().dir("/etc");
    let add = |host: &Host| Ok(host.edit("/etc/a").line("x").present()?);
    let error = machine.apply(add).unwrap_err().to_string();
    assert_eq!(error, "there is no file /etc/a to edit\nhint: `.or_create(0o644)` makes it");
    machine.plan(add).unwrap();
    assert_eq!(machine.said(), "? edit /etc/a present (cannot know: there is no file /etc/a yet)");
    let remove = |host: &Host| Ok(host.edit("/etc/a").without_line("x").without_json("a").present()?);
    assert_eq!(machine.apply(remove).unwrap(), Outcome::Unchanged);
}

#[test]
fn a_missing_directory_is_named() {
    let machine = Machine::new();
    let create = |host: &Host| Ok(host.edit("/srv/a").line("x").or_create(0o644).present()?);
    let error = machine.apply(create).unwrap_err().to_string();
    assert!(error.starts_with("there is no directory /srv for /srv/a\nhint: "), "{error}");
    machine.plan(create).unwrap();
    assert_eq!(machine.said(), "? edit /srv/a present (cannot know: there is no directory /srv yet)");
}

#[test]
fn a_plan_sees_what_operations_before_would_write() {
    let machine = Machine::new().file("/etc/a", "old\n");
    let all = |host: &Host| {
        host.file("/etc/a").content("new\n").present()?;
        host.edit("/etc/a").line("x").present()?;
        host.edit("/etc/b").line("y").or_create(0o644).present()?;
        host.edit("/etc/b").line("z").after("^y").present()?;
        Ok(())
    };
    machine.plan(all).unwrap();
    let planned = machine.said();
    machine.apply(all).unwrap();
    assert_eq!(machine.said(), planned);
    assert_eq!(machine.read("/etc/a").as_deref(), Some("new\nx\n"));
    assert_eq!(machine.read("/etc/b").as_deref(), Some("y\nz\n"));
}

#[test]
fn a_place_that_is_not_there_is_an_error_and_unknown_to_a_plan() {
    let machine = Machine::new().file("/etc/a", "old\n");
    let add = |host: &Host| Ok(host.edit("/etc/a").line("x").after("^y").present()?);
    let error = machine.apply(add).unwrap_err();
    assert_eq!(format!("{error:#}"), "could not edit /etc/a: a line: no line matches `^y`");
    machine.plan(add).unwrap();
    assert_eq!(machine.said(), "? edit /etc/a present (cannot know: no line matches `^y` yet)");
}

#[test]
fn the_file_that_a_link_leads_to_is_edited_and_the_link_stays() {
    let machine = Machine::new().file("/run/real", "x\n").dir("/etc/dir");
    files::link("../../run/real", machine.path("/etc/dir/one")).unwrap();
    files::link("dir/one", machine.path("/etc/two")).unwrap();
    let outcome = machine.apply(|host| Ok(host.edit("/etc/two").line("y").present()?)).unwrap();
    assert_eq!(outcome, changed("--- /run/real\n+++ /run/real\n@@ -1 +1,2 @@\n x\n+y"));
    assert_eq!(machine.read("/run/real").as_deref(), Some("x\ny\n"));
    assert_eq!(machine.stat("/etc/two").unwrap().kind, files::Kind::Link);
    assert_eq!(machine.stat("/etc/dir/one").unwrap().kind, files::Kind::Link);
}

#[test]
fn links_that_lead_nowhere_are_errors() {
    let machine = Machine::new().dir("/etc");
    files::link("b", machine.path("/etc/a")).unwrap();
    files::link("a", machine.path("/etc/b")).unwrap();
    let error = machine.apply(|host| Ok(host.edit("/etc/a").line("y").present()?)).unwrap_err().to_string();
    assert!(error.starts_with("/etc/a leads through symbolic links that lead to each other\nhint: "), "{error}");
}

#[test]
fn what_can_not_be_edited_is_left_alone() {
    let check = |path: &str, prepare: fn(&Machine), expect: &str| {
        let machine = Machine::new().dir("/etc/d").file("/etc/a", "x\n");
        prepare(&machine);
        let error = machine.apply(|host| Ok(host.edit(path).line("y").present()?)).unwrap_err().to_string();
        assert!(error.starts_with(expect), "{error}");
        assert_eq!(machine.read("/etc/a").as_deref(), Some("x\n"));
    };
    check("/etc/d", |_| {}, "/etc/d is to be a file, and is a directory");
    check("/etc/a/b", |_| {}, "there is no file /etc/a/b to edit");
    check("etc/a", |_| {}, "the path `etc/a` is not absolute");
    let huge = |machine: &Machine| {
        files::open_to_append(machine.path("/etc/huge"), 0o644).unwrap().set_len(2 << 30).unwrap();
    };
    check("/etc/huge", huge, "/etc/huge has 2147483648 bytes; files of at most 16777216 bytes are edited");
    let utf16 = |machine: &Machine| files::write(machine.path("/etc/u"), b"\xff\xfex\0\n\0", 0o644).unwrap();
    check("/etc/u", utf16, "/etc/u is in UTF-16, which is not edited");
}

#[test]
fn bytes_that_are_no_text_and_the_mark_of_utf8_stay() {
    let machine = Machine::new().dir("/etc");
    let check = |before: &[u8], after: &[u8]| {
        files::write(machine.path("/etc/a"), before, 0o644).unwrap();
        let outcome = machine.apply(|host| {
            Ok(host.edit("/etc/a").line("k=2").matching("^k=").variable("V", "1").replace("old", "new").present()?)
        });
        assert!(outcome.unwrap().changed());
        assert_eq!(files::read(machine.path("/etc/a")).unwrap(), after);
    };
    check(b"# caf\xe9 old\r\nk=1", b"# caf\xe9 new\r\nk=2\r\nV=1\r\n");
    check(b"\xef\xbb\xbfk=1\n", b"\xef\xbb\xbfk=2\nV=1\n");
}

#[test]
fn edits_that_never_come_to_rest_are_refused() {
    let machine = Machine::new().file("/etc/a", "a\n");
    let error = machine.apply(|host| Ok(host.edit("/etc/a").replace("a", "aa").present()?)).unwrap_err().to_string();
    let expect = "could not edit /etc/a: done a second time, it would change again: all that matches `a`, replaced";
    assert_eq!(error, expect);
    assert_eq!(machine.read("/etc/a").as_deref(), Some("a\n"));
    machine.apply(|host| Ok(host.edit("/etc/a").replace("^a$", "aa").present()?)).unwrap();

    // `deeper` would become a part of the value, and go with it the second time.
    let text = "[s]\na\n  a = 3\n  deeper";
    let machine = Machine::new().file("/etc/a", text);
    let edit = machine.apply(|host| Ok(host.edit("/etc/a").section("s").option("a", "1").present()?));
    let expect = "could not edit /etc/a: done a second time, it would change again: section `[s]`: `a`";
    assert_eq!(edit.unwrap_err().to_string(), expect);
    assert_eq!(machine.read("/etc/a").as_deref(), Some(text));
}

#[test]
fn a_refused_file_is_as_it_was() {
    let machine = sshd().answer("sshd -t -f", 255, "bad");
    let before = machine.snapshot();
    let error = machine.apply(|host| {
        Ok(host.edit("/etc/ssh/sshd_config").directive("X", "y").validated_by(["sshd", "-t", "-f"]).present()?)
    });
    assert_eq!(error.unwrap_err().to_string(), "the new content of /etc/ssh/sshd_config is refused");
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn an_edit_that_is_refused_in_its_place_is_none() {
    let machine = sshd().answers("sshd -t", &[(255, "bad"), (0, "")]);
    let before = machine.snapshot();
    let edit = |host: &Host| {
        Ok(host.edit("/etc/ssh/sshd_config").line("X y").validated_in_place_by(["sshd", "-t"]).present()?)
    };
    assert!(machine.apply(edit).is_err());
    assert_eq!(machine.snapshot(), before);
    assert!(machine.apply(edit).unwrap().changed());
    assert_eq!(machine.apply(edit).unwrap(), Outcome::Unchanged);
    let machine = sshd().answer("sshd -t", 0, "").file("/etc/ssh/.sshd_config.before-check", "older\n");
    let nothing = |host: &Host| {
        let edit = host.edit("/etc/ssh/sshd_config").line("X11Forwarding yes");
        Ok(edit.validated_in_place_by(["sshd", "-t"]).present()?)
    };
    assert!(machine.apply(nothing).unwrap().changed());
    assert_eq!(machine.apply(nothing).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls(), ["sshd -t"]);
}

#[test]
fn what_not_everybody_may_read_is_not_shown() {
    let machine = Machine::new().dir("/etc");
    let set = |host: &Host| Ok(host.edit("/etc/s").variable("PASSWORD", "swordfish").or_create(0o600).present()?);
    machine.plan(set).unwrap();
    assert!(!machine.said().contains("fish"), "{}", machine.said());
    machine.apply(set).unwrap();
    machine.apply(|host| Ok(host.edit("/etc/s").line("sailfish").present()?)).unwrap();
    assert!(!machine.said().contains("fish"), "{}", machine.said());
    let error = machine.view(|host| host.edit("/etc/s").line("catfish").is_present()).unwrap_err();
    assert!(!format!("{error:#}").contains("fish"), "{error:#}");
    machine.plan(|host| Ok(host.edit("/etc/s").line("herring").shown().present()?)).unwrap();
    assert!(machine.said().contains("+herring"), "{}", machine.said());
    let machine = Machine::new().file("/etc/open", "");
    machine.apply(|host| Ok(host.edit("/etc/open").line("swordfish").private().present()?)).unwrap();
    assert!(!machine.said().contains("fish"), "{}", machine.said());
}

#[test]
fn specs_say_what_is_otherwise() {
    let machine = sshd();
    machine.view(|host| host.edit("/etc/ssh/sshd_config").line("X11Forwarding yes").is_present()).unwrap();
    let check = |error: Result<()>, expect: &str| assert_eq!(error.unwrap_err().to_string(), expect);
    check(
        machine.view(|host| host.edit("/etc/ssh/sshd_config").directive("X11Forwarding", "no").is_present()),
        "expected the directive `X11Forwarding` in /etc/ssh/sshd_config, found it otherwise",
    );
    check(
        machine.view(|host| host.edit("/etc/motd").line("x").is_present()),
        "expected /etc/motd, found nothing there",
    );
    machine.view(|host| host.edit("/etc/motd").without_line("x").is_present()).unwrap();
}

#[test]
fn values_of_all_formats_are_said_alike() {
    let machine = Machine::new().file("/etc/a.toml", "").file("/etc/a.json", "").file("/etc/a.yaml", "");
    let set = |host: &Host| {
        host.edit("/etc/a.toml").toml("a.b", 1).without_toml("c").present()?;
        host.edit("/etc/a.json").json("a.b", 1).without_json("c").present()?;
        Ok(host.edit("/etc/a.yaml").yaml("a.b", 1).without_yaml("c").present()?)
    };
    machine.apply(set).unwrap();
    assert_eq!(machine.read("/etc/a.toml").as_deref(), Some("[a]\nb = 1\n"));
    assert_eq!(machine.read("/etc/a.json").as_deref(), Some("{\n  \"a\": {\n    \"b\": 1\n  }\n}\n"));
    assert_eq!(machine.read("/etc/a.yaml").as_deref(), Some("a:\n  b: 1\n"));
    let before = machine.snapshot();
    machine.apply(set).unwrap();
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn a_block_of_another_tool_is_taken_over() {
    let machine =
        Machine::new().file("/etc/hosts", "a\n# BEGIN ANSIBLE MANAGED BLOCK\nb\n# END ANSIBLE MANAGED BLOCK\n");
    let replace = |host: &Host| {
        let edit = host.edit("/etc/hosts").block("all", "c");
        Ok(edit.between("# BEGIN ANSIBLE MANAGED BLOCK", "# END ANSIBLE MANAGED BLOCK").present()?)
    };
    machine.apply(replace).unwrap();
    let expect = "a\n# BEGIN ANSIBLE MANAGED BLOCK\nc\n# END ANSIBLE MANAGED BLOCK\n";
    assert_eq!(machine.read("/etc/hosts").as_deref(), Some(expect));
}
