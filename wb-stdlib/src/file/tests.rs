use super::*;
use crate::machine::{Machine, changed};

#[test]
fn a_new_file_gets_content_and_mode() {
    let machine = Machine::new().dir("/etc");
    let outcome = machine.apply(|host| Ok(host.file("/etc/motd").content("hi\n").mode(0o664).present()?)).unwrap();
    assert_eq!(outcome, changed("--- /dev/null\n+++ /etc/motd\n@@ -0,0 +1 @@\n+hi"));
    assert_eq!(machine.read("/etc/motd").as_deref(), Some("hi\n"));
    assert_eq!(machine.stat("/etc/motd").unwrap().mode, 0o664);
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
    let outcome = machine.plan(|host| Ok(host.file("/etc/motd").content("new\n").mode(0o664).present()?)).unwrap();
    let diff = "--- /etc/motd\n+++ /etc/motd\n@@ -1 +1 @@\n-old\n+new\nmode 0644 -> 0664";
    assert_eq!(outcome, changed(diff));
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn what_not_everybody_may_read_is_not_shown() {
    let check = |mode| {
        let machine = Machine::new().dir("/etc");
        let secret = |host: &crate::Host| Ok(host.file("/etc/secret").content("swordfish").mode(mode).present()?);
        machine.plan(secret).unwrap();
        assert!(!machine.said().contains("swordfish"), "{}", machine.said());
        machine.apply(secret).unwrap();
        assert!(!machine.said().contains("swordfish") && machine.said().contains("private"), "{}", machine.said());
        machine.apply(|host| Ok(host.file("/etc/secret").content("sailfish").present()?)).unwrap();
        assert!(!machine.said().contains("fish"), "{}", machine.said());
        machine.plan(|host| Ok(host.file("/etc/secret").content("cod").mode(0o644).present()?)).unwrap();
        assert!(!machine.said().contains("fish"), "what it had: {}", machine.said());
    };
    check(0o600);
    check(0o640);
    check(0o440);
}

#[test]
fn who_knows_better_says_what_may_be_shown() {
    let machine = Machine::new().dir("/etc");
    machine.apply(|host| Ok(host.file("/etc/open").content("swordfish").mode(0o644).private().present()?)).unwrap();
    assert!(!machine.said().contains("swordfish") && machine.said().contains("private"), "{}", machine.said());
    machine.apply(|host| Ok(host.file("/etc/hba").content("local\n").mode(0o640).shown().present()?)).unwrap();
    assert!(machine.said().contains("+local"), "{}", machine.said());
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

const PART: &str = "/etc/nginx/conf.d/shop.conf";

fn tried_in_place(content: &'static str) -> impl Fn(&crate::Host) -> anyhow::Result<Outcome> {
    move |host| Ok(host.file(PART).content(content).mode(0o640).validated_in_place_by(["nginx", "-t"]).present()?)
}

/// A machine whose nginx sees what stands in its place, writes that down, and ends so.
fn judging(machine: Machine, code: i32) -> Machine {
    let look = |root: &Path, _: &Command| {
        let seen = files::read(root.join(PART.trim_start_matches('/'))).unwrap();
        files::write(root.join("seen"), seen, 0o644).unwrap();
    };
    machine.does("nginx -t", look).answer("nginx -t", code, "[emerg] bad")
}

fn is_alone(machine: &Machine) -> bool {
    files::list(machine.path("/etc/nginx/conf.d")).unwrap().iter().all(|path| path.ends_with("shop.conf"))
}

#[test]
fn what_is_refused_in_its_place_is_what_it_was() {
    let machine = judging(Machine::new().file(PART, "old\n"), 1);
    let before = machine.stat(PART);
    let error = machine.apply(tried_in_place("new\n")).unwrap_err();
    assert_eq!(error.to_string(), format!("the new content of {PART} is refused"));
    assert_eq!(machine.read("/seen").as_deref(), Some("new\n"));
    assert_eq!((machine.read(PART).as_deref(), machine.stat(PART), is_alone(&machine)), (Some("old\n"), before, true));
    let machine = judging(Machine::new().dir("/etc/nginx/conf.d"), 1);
    machine.apply(tried_in_place("new\n")).unwrap_err();
    assert_eq!((machine.read(PART), is_alone(&machine)), (None, true));
}

#[test]
fn what_is_refused_in_the_place_of_an_empty_directory_gives_that_back() {
    let tried = |host: &crate::Host| {
        let file = host.file(PART).content("new\n").replacing().validated_in_place_by(["nginx", "-t"]);
        Ok(file.present()?)
    };
    let machine = judging(Machine::new().dir(PART), 1);
    files::set_mode(machine.path(PART), 0o700).unwrap();
    assert!(machine.plan(tried).unwrap().changed());
    machine.apply(tried).unwrap_err();
    assert_eq!(machine.read("/seen").as_deref(), Some("new\n"));
    let found = machine.stat(PART).unwrap();
    assert_eq!((found.kind, found.mode, is_alone(&machine)), (Kind::Directory, 0o700, true));
    let machine = judging(Machine::new().dir(PART), 0);
    machine.apply(tried).unwrap();
    assert_eq!((machine.read(PART).as_deref(), is_alone(&machine)), (Some("new\n"), true));
}

#[test]
fn what_is_accepted_in_its_place_is_asked_for_once() {
    let machine = judging(Machine::new().dir("/etc/nginx/conf.d"), 0);
    let planned = machine.plan(tried_in_place("new\n")).unwrap();
    assert_eq!(machine.apply(tried_in_place("new\n")).unwrap(), planned);
    assert_eq!((machine.read(PART).as_deref(), is_alone(&machine)), (Some("new\n"), true));
    assert_eq!(machine.apply(tried_in_place("new\n")).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls(), ["nginx -t"]);
}

#[test]
fn what_a_killed_run_left_in_its_place_is_judged_by_the_next() {
    let left = |code| {
        let machine = judging(Machine::new().file(PART, "new\n"), code);
        files::set_mode(machine.path(PART), 0o640).unwrap();
        machine.file("/etc/nginx/conf.d/.shop.conf.before-check", "old\n")
    };
    let unchecked = changed("not checked yet: a run was killed before that");
    let machine = left(0);
    assert_eq!(machine.plan(tried_in_place("new\n")).unwrap(), unchecked);
    assert_eq!(machine.apply(tried_in_place("new\n")).unwrap(), unchecked);
    assert_eq!((machine.read(PART).as_deref(), is_alone(&machine)), (Some("new\n"), true));
    let machine = left(1);
    machine.apply(tried_in_place("newer\n")).unwrap_err();
    assert_eq!((machine.read(PART).as_deref(), is_alone(&machine)), (Some("old\n"), true));
    let machine = left(1);
    machine.apply(|host| Ok(host.file(PART).content("own\n").present()?)).unwrap();
    assert_eq!((machine.read(PART).as_deref(), is_alone(&machine)), (Some("own\n"), true));
}

#[test]
fn what_looks_at_new_content_may_not_hang() {
    let machine = Machine::new().dir("/etc").does("haproxy -c -f", |root, command| {
        let is_bounded = *command == command.clone().timeout(VALIDATION_BOUND);
        files::write(root.join("bounded"), is_bounded.to_string(), 0o644).unwrap();
    });
    let file =
        |host: &crate::Host| Ok(host.file("/etc/a").content("x").validated_by(["haproxy", "-c", "-f"]).present()?);
    machine.apply(file).unwrap();
    assert_eq!(machine.read("/bounded").as_deref(), Some("true"));
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
        host.directory("/srv/shop/deep").present()?;
        host.file("/srv/shop/deep/a").content("x\n").present()?;
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
fn what_a_killed_run_left_beside_a_file_goes_with_it() {
    let absent = |host: &crate::Host| Ok(host.file("/etc/motd").absent()?);
    let kept = changed("what was there before a run that was killed is still kept beside it");
    for machine in [
        Machine::new().file("/etc/.motd.before-check", "old"),
        Machine::new().dir("/etc/.motd.before-check"),
        Machine::new().file("/etc/.motd.before-check", "old").file("/etc/.motd.candidate", "new"),
    ] {
        assert_eq!(machine.plan(absent).unwrap(), kept);
        assert_eq!(machine.apply(absent).unwrap(), kept);
        assert_eq!(machine.apply(absent).unwrap(), Outcome::Unchanged);
        assert!(files::list(machine.path("/etc")).unwrap().is_empty());
    }
    let machine = Machine::new().file("/etc/motd", "new").file("/etc/.motd.before-check", "old");
    let twice = |host: &crate::Host| {
        absent(host)?;
        absent(host)
    };
    assert_eq!(machine.plan(twice).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.apply(twice).unwrap(), Outcome::Unchanged);
    assert!(files::list(machine.path("/etc")).unwrap().is_empty());
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
fn specs_of_what_is_no_file_or_a_long_one_say_so() {
    let long = "line\n".repeat(2000);
    let machine = Machine::new().file("/long", &long).dir("/dir");
    wb_core::system::Command::new("mkfifo").arg(machine.path("/fifo")).read().unwrap();
    files::link("long", machine.path("/link")).unwrap();
    files::link("none", machine.path("/dangling")).unwrap();
    let exists = |path: &'static str| machine.view(|host| host.file(path).exists()).map_err(|error| error.to_string());
    let expect = |path: &str, found: &str| Err(format!("expected the file {path}, found {found}"));
    assert_eq!((exists("/long"), exists("/link")), (Ok(()), Ok(())));
    assert_eq!(exists("/dangling"), expect("/dangling", "nothing there"));
    assert_eq!(exists("/dir"), expect("/dir", "a directory"));
    assert_eq!(exists("/fifo"), expect("/fifo", "a device, socket or pipe"));
    let absent =
        |path: &'static str| machine.view(|host| host.file(path).is_absent()).map_err(|error| error.to_string());
    let expect_none = |path: &str, found: &str| Err(format!("expected nothing at {path}, found {found}"));
    assert_eq!(absent("/none"), Ok(()));
    assert_eq!(absent("/long"), expect_none("/long", "a file"));
    assert_eq!(absent("/dangling"), expect_none("/dangling", "a symbolic link"));
    let contains = |path: &'static str| machine.view(|host| host.file(path).contains("x")).unwrap_err().to_string();
    assert_eq!(contains("/fifo"), format!("could not read {}", machine.path("/fifo").display()));
    let shown = format!("{}(1980 more lines)\n(10000 bytes in all)", "line\n".repeat(20));
    assert_eq!(contains("/link"), format!("expected `x` in /link, found:\n{shown}"));
}

#[test]
fn specs_show_nothing_of_private_files() {
    let machine = Machine::new().file("/secret", "swordfish\n");
    files::set_mode(machine.path("/secret"), 0o400).unwrap();
    files::link("secret", machine.path("/link")).unwrap();
    for path in ["/secret", "/link"] {
        machine.view(|host| host.file(path).contains("fish")).unwrap();
        let error = machine.view(|host| host.file(path).contains("x")).unwrap_err();
        let expect = format!("expected `x` in {path}, found 10 bytes without it; they are private, and not shown");
        assert_eq!(error.to_string(), expect);
    }
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

#[test]
fn a_file_that_no_memory_holds_is_not_read() {
    let machine = Machine::new().dir("/srv");
    wb_core::system::Command::new("truncate").args(["-s", "2G"]).arg(machine.path("/srv/huge")).read().unwrap();
    let error = machine.view(|host| Ok(host.file("/srv/huge").read()?)).unwrap_err().to_string();
    assert!(error.starts_with("/srv/huge has 2147483648 bytes, too many to be read at once\nhint: "), "{error}");
    assert_eq!(machine.view(|host| Ok(host.file("/srv/none").read()?)).unwrap(), None);
}

#[test]
fn a_path_through_a_file_names_that_file() {
    let machine = Machine::new().file("/etc/motd", "x");
    let check = |path: &str| {
        let present = |host: &crate::Host| Ok(host.file(path).content("x").present()?);
        let expect =
            format!("{path} can't be there: /etc/motd is no directory\nhint: `ls -ld /etc/motd` shows what it is");
        assert_eq!(machine.plan(present).unwrap_err().to_string(), expect);
        assert_eq!(machine.apply(present).unwrap_err().to_string(), expect);
    };
    check("/etc/motd/a");
    check("/etc/motd/a/b");
    assert_eq!(machine.apply(|host| Ok(host.file("/etc/motd/a").absent()?)).unwrap(), Outcome::Unchanged);
}

#[test]
fn a_path_through_links_that_lead_to_each_other_is_told() {
    let machine = Machine::new();
    machine.apply(|host| Ok(host.link("/a").to("b")?)).unwrap();
    machine.apply(|host| Ok(host.link("/b").to("a")?)).unwrap();
    let error = machine.apply(|host| Ok(host.file("/a/x").content("x").present()?)).unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(FileError::LinkLoop { .. })), "{error:?}");
    let error = machine.apply(|host| Ok(host.file("/a").through_links().content("x").present()?)).unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(FileError::LinkLoop { source: None, .. })), "{error:?}");
}

#[test]
fn what_the_system_refuses_has_its_kind() {
    let error = |kind: std::io::ErrorKind| {
        FileError::from(files::FileError { action: "write", path: "/srv/a".into(), source: kind.into() })
    };
    let full = error(std::io::ErrorKind::StorageFull);
    assert!(full.to_string().starts_with("the disk of /srv is full: "), "{full}");
    let read_only = error(std::io::ErrorKind::ReadOnlyFilesystem);
    assert!(read_only.to_string().starts_with("the file system of /srv is mounted read-only\nhint: "), "{read_only}");
    assert_eq!(error(std::io::ErrorKind::PermissionDenied).to_string(), "could not write /srv/a");
}

#[test]
fn a_link_is_in_the_way_is_replaced_or_is_followed() {
    let make = |say: &'static dyn Fn(crate::file::File<crate::Host<'_>>) -> Result<Outcome, FileError>| {
        let machine = Machine::new().file("/srv/real", "old\n");
        machine.apply(|host| Ok(host.link("/srv/a").to("real")?)).unwrap();
        let result = machine.apply(|host| Ok(say(host.file("/srv/a").content("new\n"))?));
        (machine, result)
    };
    let (machine, result) = make(&|file| file.present());
    assert!(result.unwrap_err().to_string().starts_with("/srv/a is to be a file, and is a symbolic link\nhint: "));
    assert_eq!(machine.read("/srv/real").as_deref(), Some("old\n"));
    let (machine, result) = make(&|file| file.replacing().present());
    assert_eq!(result.unwrap(), changed("replaces a symbolic link\n--- /dev/null\n+++ /srv/a\n@@ -0,0 +1 @@\n+new"));
    assert_eq!((machine.read("/srv/a"), machine.read("/srv/real")), (Some("new\n".into()), Some("old\n".into())));
    let (machine, result) = make(&|file| file.through_links().present());
    assert!(result.unwrap().changed());
    assert_eq!(machine.read("/srv/real").as_deref(), Some("new\n"));
    assert_eq!(machine.stat("/srv/a").unwrap().kind, Kind::Link);
}

#[test]
fn nobody_leads_root_to_what_is_not_theirs() {
    let machine = Machine::new().file("/etc/shadow", "old\n").dir("/home/anna");
    machine.apply(|host| Ok(host.link("/home/anna/a").to("../../etc/shadow")?)).unwrap();
    machine.apply(|host| Ok(host.link("/home/anna/etc").to("/etc")?)).unwrap();
    // Only root may.
    if ["a", "etc"].iter().any(|name| files::set_owner(machine.path("/home/anna").join(name), Some(7), None).is_err()) {
        return;
    }
    for path in ["/home/anna/a", "/home/anna/etc/shadow", "/home/anna/etc/new"] {
        let through = |host: &crate::Host| Ok(host.file(path).through_links().content("new\n").present()?);
        let edited = |host: &crate::Host| Ok(host.edit(path).line("new").or_create(0o644).present()?);
        for result in [machine.plan(through), machine.apply(through), machine.plan(edited), machine.apply(edited)] {
            let error = result.unwrap_err().to_string();
            assert!(
                error.starts_with("the symbolic link /home/anna/") && error.contains(" user 7,"),
                "{path}: {error}"
            );
        }
    }
    let directory = |host: &crate::Host| Ok(host.directory("/home/anna/etc").through_links().mode(0o777).present()?);
    assert!(machine.apply(directory).is_err());
    assert_eq!((machine.read("/etc/shadow").as_deref(), machine.read("/etc/new")), (Some("old\n"), None));
    assert_ne!(machine.stat("/etc").unwrap().mode, 0o777);
}

#[test]
fn a_directory_is_replaced_only_when_nothing_is_in_it() {
    let machine = Machine::new().dir("/srv/empty").file("/srv/full/kept", "x");
    let replace = |path: &str| machine.apply(|host| Ok(host.file(path).content("x").replacing().present()?));
    assert!(replace("/srv/empty").unwrap().changed());
    assert_eq!(machine.read("/srv/empty").as_deref(), Some("x"));
    let error = replace("/srv/full").unwrap_err().to_string();
    assert!(error.starts_with("/srv/full is to be a file, and is a directory with something in it\nhint: "), "{error}");
    assert!(machine.read("/srv/full/kept").is_some());
}

#[test]
fn an_empty_directory_is_there_again_where_nothing_could_take_its_place() {
    // No name is left for the file beside it that would take its place.
    let path = format!("/srv/{}", "a".repeat(250));
    let machine = Machine::new().dir(&path);
    files::set_mode(machine.path(&path), 0o2750).unwrap();
    machine.apply(|host| Ok(host.file(&path).content("x").replacing().present()?)).unwrap_err();
    let found = machine.stat(&path).unwrap();
    assert_eq!((found.kind, found.mode), (Kind::Directory, 0o2750));
}

#[test]
fn specs_see_modes_and_owners() {
    let machine = Machine::new().with_me().file("/etc/motd", "x");
    machine.view(|host| host.file("/etc/motd").has_mode(0o644)).unwrap();
    machine.view(|host| host.file("/etc/motd").has_owner("me")).unwrap();
    machine.view(|host| host.file("/etc/motd").has_group("us")).unwrap();
    let error = machine.view(|host| host.file("/etc/motd").has_mode(0o600)).unwrap_err();
    assert_eq!(error.to_string(), "expected /etc/motd with mode 0600, found 0644");
    let error = machine.view(|host| host.file("/etc/none").has_mode(0o600)).unwrap_err();
    assert_eq!(error.to_string(), "expected the file /etc/none, found nothing there");
}

/// Not every file system has such lists; that of temporary files mostly has.
fn has_lists(machine: &Machine) -> bool {
    let found = machine.apply(|host| Ok(host.file("/probe").acl("user:1:r--").present()?));
    found.is_ok()
}

#[test]
fn an_access_control_list_comes_with_its_file_and_stays() {
    let machine = Machine::new().file("/etc/passwd", "anna:x:2001:2001::/:/bin/sh\n");
    if !has_lists(&machine) {
        return;
    }
    let ensure = |host: &crate::Host| Ok(host.file("/log").mode(0o644).acl("user:anna:rw-").present()?);
    let planned = machine.plan(ensure).unwrap();
    assert_eq!(planned, changed("new, empty\nacl user:2001 none -> rw-\nacl mask none -> rw-"));
    assert_eq!(machine.apply(ensure).unwrap(), planned);
    assert_eq!(machine.stat("/log").unwrap().mode, 0o664);
    assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
    machine.apply(|host| Ok(host.file("/log").content("text").present()?)).unwrap();
    machine.view(|host| host.file("/log").has_acl("user:anna:rw-")).unwrap();
    assert!(machine.view(|host| host.file("/log").has_acl("user:anna:r--")).is_err());
    let none = |host: &crate::Host| Ok(host.file("/log").mode(0o644).exact_acl().present()?);
    assert_eq!(
        machine.apply(none).unwrap(),
        changed("mode 0664 -> 0644\nacl user:2001 rw- -> none\nacl mask rw- -> none")
    );
    assert_eq!((machine.apply(none).unwrap(), machine.stat("/log").unwrap().mode), (Outcome::Unchanged, 0o644));
}

#[test]
fn one_entry_goes_and_the_others_stay() {
    let machine = Machine::new().dir("/srv");
    if !has_lists(&machine) {
        return;
    }
    let entries =
        |host: &crate::Host| Ok(host.file("/log").mode(0o640).acl("user:1:rw-").acl("group:2:r--").present()?);
    machine.apply(entries).unwrap();
    let gone = |host: &crate::Host| Ok(host.file("/log").without_acl("user:1").present()?);
    let expect = changed("mode 0660 -> 0640\nacl user:1 rw- -> none\nacl mask rw- -> r--");
    assert_eq!(machine.plan(gone).unwrap(), expect);
    assert_eq!(machine.apply(gone).unwrap(), expect);
    assert_eq!(machine.apply(gone).unwrap(), Outcome::Unchanged);
    machine.view(|host| host.file("/log").has_acl("group:2:r--")).unwrap();
    machine.apply(|host| Ok(host.file("/log").content("new").without_acl("group:2").present()?)).unwrap();
    assert!(machine.view(|host| host.file("/log").has_acl("group:2:r--")).is_err());
    let both = |host: &crate::Host| {
        Ok(host.directory("/srv").acl("default:group:1:rwx").acl("default:group:2:rwx").acl("group:1:rwx").present()?)
    };
    machine.apply(both).unwrap();
    let one = |host: &crate::Host| Ok(host.directory("/srv").without_acl("default:group:1").present()?);
    assert!(machine.apply(one).unwrap().changed());
    assert_eq!(machine.apply(one).unwrap(), Outcome::Unchanged);
    for (entry, is_there) in [("default:group:1:rwx", false), ("default:group:2:rwx", true), ("group:1:rwx", true)] {
        assert_eq!(machine.view(|host| host.file("/srv").has_acl(entry)).is_ok(), is_there, "{entry}");
    }
}

#[test]
fn a_directory_has_a_list_for_what_is_made_in_it() {
    let machine = Machine::new();
    if !has_lists(&machine) {
        return;
    }
    let ensure = |host: &crate::Host| Ok(host.directory("/srv").mode(0o750).acl("default:group:33:r-x").present()?);
    assert!(machine.apply(ensure).unwrap().changed());
    assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.stat("/srv").unwrap().mode, 0o750);
    machine.apply(|host| Ok(host.directory("/srv").mode(0o750).exact_acl().present()?)).unwrap();
    assert!(machine.view(|host| host.file("/srv").has_acl("default:group:33:r-x")).is_err());
}

#[test]
fn a_file_that_is_replaced_gets_no_list_from_its_directory() {
    let machine = Machine::new().file("/srv/old", "old").file("/srv/exact", "old").file("/srv/site/index.html", "old");
    if !has_lists(&machine) {
        return;
    }
    for path in ["/srv", "/srv/site"] {
        machine.apply(|host| Ok(host.directory(path).acl("default:group:33:rwx").present()?)).unwrap();
    }
    let has = |path: &'static str| machine.view(|host| host.file(path).has_acl("group:33:rwx")).is_ok();
    machine.apply(|host| Ok(host.file("/srv/old").content("new").present()?)).unwrap();
    assert!(!has("/srv/old"));
    assert_eq!(machine.stat("/srv/old").unwrap().mode, 0o644);
    for path in ["/srv/exact", "/srv/none"] {
        let exact = |host: &crate::Host| Ok(host.file(path).content("new").mode(0o640).exact_acl().present()?);
        assert!(machine.apply(exact).unwrap().changed());
        assert!(!has(path));
        assert_eq!((machine.apply(exact).unwrap(), machine.stat(path).unwrap().mode), (Outcome::Unchanged, 0o640));
    }
    let site = crate::Assets::new("site", &[("index.html", b"new"), ("new.html", b"new")]);
    machine.apply(|host| Ok(host.directory("/srv/site").synced(site).present()?)).unwrap();
    assert!(!has("/srv/site/index.html"));
    // What is new gets it: that is what such a list is for.
    machine.apply(|host| Ok(host.file("/srv/new").content("new").present()?)).unwrap();
    assert!(has("/srv/new") && has("/srv/site/new.html"));
}

#[test]
fn what_is_said_of_rights_must_be_some() {
    let machine = Machine::new().dir("/etc").answer("getent", 2, "");
    let check = |acl: &str, capabilities: &str, expect: &str| {
        let error = machine
            .apply(|host| Ok(host.file("/etc/a").acl(acl).capabilities(capabilities).present()?))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(expect), "{error}");
        assert_eq!(machine.read("/etc/a"), None);
    };
    check("anna", "", "`anna` is no entry of an access control list, for /etc/a\nhint: write `user:NAME:r-x`");
    check(
        "user:1:r",
        "cap_bpff=ep",
        "`cap_bpff=ep` are no capabilities, for /etc/a: there is no capability `cap_bpff`; did",
    );
    check("user:anna:r", "", "there is no user `anna` on this host");
    let error =
        machine.apply(|host| Ok(host.file("/etc/a").without_acl("user:1:r").present()?)).unwrap_err().to_string();
    assert!(error.contains("for /etc/a\nhint: name what is to go without its rights"), "{error}");
    machine.plan(|host| Ok(host.file("/etc/a").acl("user:anna:r").present()?)).unwrap();
    assert_eq!(machine.said(), "? file /etc/a present (cannot know: there is no user `anna` yet)");
}

#[test]
fn capabilities_are_seen_where_somebody_asks() {
    let machine = Machine::new().file("/bin/shop", "x");
    machine.view(|host| host.file("/bin/shop").has_capabilities("")).unwrap();
    let error = machine.view(|host| host.file("/bin/shop").has_capabilities("cap_chown=ep")).unwrap_err();
    assert_eq!(error.to_string(), "expected /bin/shop with the capabilities cap_chown=ep, found none");
    let none = |host: &crate::Host| Ok(host.file("/bin/shop").capabilities("").present()?);
    assert_eq!(machine.apply(none).unwrap(), Outcome::Unchanged);
    let planned = machine.plan(|host| Ok(host.file("/bin/shop").capabilities("cap_chown=ep").present()?)).unwrap();
    assert_eq!(planned, changed("capabilities none -> cap_chown=ep"));
}

#[test]
fn capabilities_are_set_and_stay_with_the_owner() {
    let machine = Machine::new().with_me().file("/bin/shop", "x");
    let ensure = |host: &crate::Host| Ok(host.file("/bin/shop").mode(0o755).capabilities("cap_chown=ep").present()?);
    // Only root may, and not on every file system.
    if machine.apply(ensure).is_err() {
        return;
    }
    assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
    machine.view(|host| host.file("/bin/shop").has_capabilities("cap_chown=ep")).unwrap();
    machine.apply(|host| Ok(host.file("/bin/shop").owner("7").capabilities("cap_chown=ep").present()?)).unwrap();
    machine.view(|host| host.file("/bin/shop").has_capabilities("cap_chown=ep")).unwrap();
    machine.apply(|host| Ok(host.file("/bin/shop").content("new").present()?)).unwrap();
    machine.view(|host| host.file("/bin/shop").has_capabilities("")).unwrap();
}

#[test]
fn a_new_owner_leaves_set_id_bits_and_capabilities_of_what_was_roots() {
    let machine = Machine::new().file("/bin/roots", "x").file("/bin/annas", "x").file("/bin/able", "x");
    let at = |name: &str| machine.path("/bin").join(name);
    // Only root may.
    if files::set_owner(at("roots"), Some(0), Some(0)).is_err() || files::set_owner(at("annas"), Some(7), None).is_err()
    {
        return;
    }
    for name in ["roots", "annas"] {
        files::set_mode(at(name), 0o4755).unwrap();
    }
    let group = |name: &str| {
        let path = format!("/bin/{name}");
        machine.apply(|host| Ok(host.file(path).group("7").present()?)).unwrap()
    };
    assert_eq!(group("roots"), changed("group 0 -> 7"));
    assert_eq!((machine.stat("/bin/roots").unwrap().mode, group("roots")), (0o4755, Outcome::Unchanged));
    assert_eq!(group("annas"), changed("group 0 -> 7\nmode 4755 -> 0755"));
    assert_eq!((machine.stat("/bin/annas").unwrap().mode, group("annas")), (0o755, Outcome::Unchanged));
    // Not every file system has capabilities.
    if machine.apply(|host| Ok(host.file("/bin/able").capabilities("cap_chown=ep").present()?)).is_ok() {
        group("able");
        machine.view(|host| host.file("/bin/able").has_capabilities("cap_chown=ep")).unwrap();
    }
}

#[test]
fn a_program_of_roots_takes_its_place_anew_under_its_new_owner() {
    let names = ["one", "two", "plain", "noted"];
    let machine = names.iter().fold(Machine::new(), |machine, name| machine.file(&format!("/bin/{name}"), "x"));
    let at = |name: &str| machine.path("/bin").join(name);
    // Only root may.
    if files::set_owner(at("one"), Some(0), Some(7)).is_err() {
        return;
    }
    let check = |name: &str, mode: u32, is_new: bool| {
        let path = format!("/bin/{name}");
        files::set_owner(at(name), Some(0), Some(0)).unwrap();
        files::set_mode(at(name), mode).unwrap();
        let before = files::open(at(name)).unwrap();
        machine.apply(|host| Ok(host.file(&path).group("7").present()?)).unwrap();
        let found = machine.stat(&path).unwrap();
        assert_eq!((found.uid, found.gid, found.mode), (0, 7, mode), "{name}");
        assert_eq!(machine.read(&path).as_deref(), Some("x"));
        assert_eq!(files::leads_to(at(name), &before), !is_new, "{name}");
    };
    check("plain", 0o755, false);
    check("one", 0o4755, true);
    check("one", 0o2755, true);
    // Its other name would be one of the old one.
    files::hard_link(at("two"), at("also-two")).unwrap();
    check("two", 0o4755, false);
    // Not every file system has such attributes.
    if files::set_xattr(at("noted"), "user.note", b"hi").is_ok() {
        check("noted", 0o4755, false);
        assert!(files::xattr(at("noted"), "user.note").unwrap().is_some());
    }
    assert_eq!(files::list(machine.path("/bin")).unwrap().len(), 5);
}

#[test]
fn a_template_that_renders_to_nothing_is_an_error_and_leaves_the_old_file() {
    let machine = Machine::new().file("/etc/a", "old");
    let render = |text: &'static str| {
        machine.apply(move |host| Ok(host.file("/etc/a").template(Template::new("a.conf", text.into())).present()?))
    };
    let error = render("\n \n").unwrap_err().to_string();
    assert!(error.starts_with("the template `a.conf` renders to nothing, for /etc/a\nhint: "), "{error}");
    assert_eq!(machine.read("/etc/a").as_deref(), Some("old"));
    render("new\n").unwrap();
    assert_eq!(machine.read("/etc/a").as_deref(), Some("new\n"));
}
