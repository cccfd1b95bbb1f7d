use super::*;
use crate::machine::{Machine, changed};

#[test]
fn a_new_file_gets_content_and_mode() {
    let machine = Machine::new().dir("/etc");
    let outcome = machine.apply(|host| Ok(host.file("/etc/motd").content("hi\n").mode(0o640).present()?)).unwrap();
    assert_eq!(outcome, changed("--- /dev/null\n+++ /etc/motd\n@@ -0,0 +1 @@\n+hi"));
    assert_eq!(machine.read("/etc/motd").as_deref(), Some("hi\n"));
    assert_eq!(machine.stat("/etc/motd").unwrap().mode, 0o640);
}

#[test]
fn the_second_time_changes_nothing() {
    let machine = Machine::new().dir("/etc").with_me();
    let ensure = || {
        machine
            .apply(|host| Ok(host.file("/etc/motd").content("hi\n").owner("me").group("us").mode(0o600).present()?))
    };
    assert!(ensure().unwrap().changed());
    let before = machine.stat("/etc/motd");
    assert_eq!(ensure().unwrap(), Outcome::Unchanged);
    assert_eq!(machine.stat("/etc/motd"), before);
}

#[test]
fn a_plan_shows_the_change_and_touches_nothing() {
    let machine = Machine::new().file("/etc/motd", "old\n");
    let before = machine.snapshot();
    let outcome = machine.plan(|host| Ok(host.file("/etc/motd").content("new\n").mode(0o640).present()?)).unwrap();
    let diff = "--- /etc/motd\n+++ /etc/motd\n@@ -1 +1 @@\n-old\n+new\nmode 0644 -> 0640";
    assert_eq!(outcome, changed(diff));
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn what_only_the_owner_may_read_is_not_shown() {
    let machine = Machine::new().dir("/etc");
    let secret = |host: &crate::Host| Ok(host.file("/etc/secret").content("swordfish").mode(0o600).present()?);
    machine.plan(secret).unwrap();
    assert!(!machine.said().contains("swordfish"), "{}", machine.said());
    machine.apply(secret).unwrap();
    assert!(!machine.said().contains("swordfish") && machine.said().contains("private"), "{}", machine.said());
    machine.apply(|host| Ok(host.file("/etc/secret").content("sailfish").present()?)).unwrap();
    assert!(!machine.said().contains("fish"), "{}", machine.said());
}

#[test]
fn a_mode_alone_leaves_the_content() {
    let machine = Machine::new().file("/etc/motd", "old\n");
    let outcome = machine.apply(|host| Ok(host.file("/etc/motd").mode(0o600).present()?)).unwrap();
    assert_eq!(outcome, changed("mode 0644 -> 0600"));
    assert_eq!(machine.read("/etc/motd").as_deref(), Some("old\n"));
    assert_eq!(machine.stat("/etc/motd").unwrap().mode, 0o600);
}

#[test]
fn content_alone_leaves_the_mode() {
    let machine = Machine::new().file("/etc/secret", "old\n");
    machine.apply(|host| Ok(host.file("/etc/secret").mode(0o600).present()?)).unwrap();
    machine.apply(|host| Ok(host.file("/etc/secret").content("new\n").present()?)).unwrap();
    assert_eq!(machine.stat("/etc/secret").unwrap().mode, 0o600);
}

#[test]
fn the_debt_is_written_down_before_the_file_changes() {
    use wb_core::context::Debts as _;
    let machine = Machine::new().dir("/etc").answer("false", 1, "");
    let failed = machine.apply(|host| {
        let nginx = host.service("nginx");
        Ok(host.file("/etc/a").content("x").reloads(&nginx).validated_by(["false"]).present()?)
    });
    assert!(failed.is_err());
    assert_eq!(machine.journal.owed().len(), 1);
}

#[test]
fn a_missing_directory_is_named() {
    let error = Machine::new().apply(|host| Ok(host.file("/srv/a").content("x").present()?)).unwrap_err();
    let expect = "there is no directory /srv for /srv/a\nhint: `host.directory(…).present()?` makes it";
    assert_eq!(error.to_string(), expect);
}

#[test]
fn a_file_that_is_as_wanted_owes_nothing() {
    use wb_core::context::Debts as _;
    let machine = Machine::new().file("/etc/a", "x");
    machine
        .apply(|host| {
            let nginx = host.service("nginx");
            Ok(host.file("/etc/a").content("x").restarts(&nginx).present()?)
        })
        .unwrap();
    assert_eq!(machine.journal.owed(), []);
}

#[test]
fn what_is_in_the_way_is_not_replaced() {
    let machine = Machine::new().dir("/etc/motd");
    let error = machine.apply(|host| Ok(host.file("/etc/motd").content("x").present()?)).unwrap_err().to_string();
    assert!(error.starts_with("/etc/motd is to be a file, and is a directory\nhint: "), "{error}");
    assert!(machine.apply(|host| Ok(host.file("/etc/motd").absent()?)).is_err());
}

#[test]
fn refused_content_leaves_the_old_file_and_nothing_beside_it() {
    let machine = Machine::new().file("/etc/haproxy.cfg", "old\n").answer("haproxy -c -f", 1, "[ALERT] bad");
    let before = machine.snapshot();
    let error = machine.apply(|host| {
        Ok(host.file("/etc/haproxy.cfg").content("new\n").validated_by(["haproxy", "-c", "-f"]).present()?)
    });
    assert_eq!(error.unwrap_err().to_string(), "the new content of /etc/haproxy.cfg is refused");
    assert_eq!(machine.snapshot(), before);
    assert_eq!(machine.calls(), ["haproxy -c -f /etc/.haproxy.cfg.candidate"]);
}

#[test]
fn a_plan_cannot_know_what_a_package_would_bring() {
    let machine = Machine::new().dir("/etc").answer("getent", 2, "");
    machine.plan(|host| Ok(host.file("/etc/nginx/a").content("x").present()?)).unwrap();
    assert_eq!(machine.said(), "? file /etc/nginx/a present (cannot know: there is no directory /etc/nginx yet)");
    machine.plan(|host| Ok(host.file("/etc/a").content("x").owner("postgres").present()?)).unwrap();
    assert_eq!(machine.said(), "? file /etc/a present (cannot know: there is no user `postgres` yet)");
}

#[test]
fn a_plan_knows_the_directory_that_it_would_make() {
    let machine = Machine::new();
    let outcome = machine.plan(|host| {
        host.directory("/srv/shop").present()?;
        Ok(host.file("/srv/shop/a").content("x\n").present()?)
    });
    assert!(outcome.unwrap().changed());
}

#[test]
fn an_owner_that_is_not_there_is_an_error() {
    let machine = Machine::new().dir("/etc").answer("getent", 2, "");
    let error = machine.apply(|host| Ok(host.file("/etc/a").owner("postgres").present()?)).unwrap_err();
    assert_eq!(error.to_string(), "there is no user `postgres` on this host");
}

#[test]
fn a_path_says_plainly_where_it_leads() {
    let machine = Machine::new();
    let check = |path: &str| {
        let error = machine.apply(|host| Ok(host.file(path).absent()?)).unwrap_err();
        assert_eq!(error.to_string(), format!("the path `{path}` is not absolute, or leads through `..`"));
    };
    check("etc/motd");
    check("/etc/../motd");
}

#[test]
fn a_file_can_be_absent() {
    let machine = Machine::new().file("/etc/motd", "x");
    assert!(machine.apply(|host| Ok(host.file("/etc/motd").absent()?)).unwrap().changed());
    assert_eq!(machine.read("/etc/motd"), None);
    assert_eq!(machine.apply(|host| Ok(host.file("/etc/motd").absent()?)).unwrap(), Outcome::Unchanged);
}

#[test]
fn specs_say_what_they_found() {
    let machine = Machine::new().file("/etc/motd", "one\ntwo\n");
    machine.view(|host| host.file("/etc/motd").exists()).unwrap();
    machine.view(|host| host.file("/etc/motd").contains("two")).unwrap();
    let error = machine.view(|host| host.file("/etc/motd").contains("three")).unwrap_err();
    assert_eq!(error.to_string(), "expected `three` in /etc/motd, found:\none\ntwo\n");
    let error = machine.view(|host| host.file("/etc/issue").exists()).unwrap_err();
    assert_eq!(error.to_string(), "expected the file /etc/issue, found nothing there");
}

#[test]
fn large_files_are_compared_by_their_lengths_first() {
    let machine = Machine::new().file("/large", &"x".repeat(300_000));
    let ensure = |text: String| machine.apply(move |host| Ok(host.file("/large").content(text).present()?));
    assert_eq!(ensure("x".repeat(300_000)).unwrap(), Outcome::Unchanged);
    assert_eq!(ensure("y".repeat(300_000)).unwrap(), changed("300000 bytes -> 300000 bytes, content differs"));
    assert_eq!(ensure("z".into()).unwrap(), changed("300000 bytes -> 1 bytes, content differs"));
    assert_eq!(machine.read("/large").as_deref(), Some("z"));
}
