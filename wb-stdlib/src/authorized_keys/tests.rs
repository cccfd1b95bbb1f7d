use wb_core::system::files;

use super::*;
use crate::machine::{Machine, changed};

const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICcND7mvhy1ZxWiyqpEPx/8V+EKIGmUq3lP6Mqj05qxy anna@laptop";
const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHpTalzRgM5p8+ZWaRY/S1MJhJBTsv9wFbNgFg9CyhWypDNqlfGOJwByfptzt+SyMESdmPB5VS5l3LiJ6hUnEbI= bob";
const PATH: &str = "/home/me/.ssh/authorized_keys";

/// A host with the user me, who runs the tests.
fn machine() -> Machine {
    Machine::new().with_me().dir("/home/me").answer("getent", 2, "")
}

fn with_key(machine: Machine) -> Machine {
    machine.apply(|host| Ok(host.authorized_keys("me").key(ED25519).present()?)).unwrap();
    machine
}

#[test]
fn a_key_comes_with_its_file_and_directory() {
    let machine = machine();
    let ensure = |host: &Host| Ok(host.authorized_keys("me").key(ED25519).present()?);
    let expect = changed("+ ssh-ed25519 …Mqj05qxy anna@laptop");
    assert_eq!(machine.plan(ensure).unwrap(), expect);
    assert_eq!(machine.stat("/home/me/.ssh"), None);
    assert_eq!(machine.apply(ensure).unwrap(), expect);
    assert_eq!(machine.read(PATH), Some(format!("{ED25519}\n")));
    assert_eq!((machine.stat("/home/me/.ssh").unwrap().mode, machine.stat(PATH).unwrap().mode), (0o700, 0o600));
    assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls(), [""; 0]);
    assert_eq!(machine.said(), "= authorized_keys me present");
}

#[test]
fn other_keys_stay_unless_these_are_all() {
    let machine = with_key(machine());
    machine.apply(|host| Ok(host.authorized_keys("me").key(ECDSA).present()?)).unwrap();
    assert_eq!(machine.read(PATH), Some(format!("{ED25519}\n{ECDSA}\n")));
    let exactly = |host: &Host| Ok(host.authorized_keys("me").keys([ECDSA]).exactly()?);
    assert_eq!(machine.apply(exactly).unwrap(), changed("- ssh-ed25519 …Mqj05qxy anna@laptop"));
    assert_eq!(machine.read(PATH), Some(format!("{ECDSA}\n")));
    assert_eq!(machine.apply(exactly).unwrap(), Outcome::Unchanged);
}

#[test]
fn all_keys_go_only_where_that_is_said() {
    let machine = with_key(machine());
    let none = |host: &Host| Ok(host.authorized_keys("me").keys([""; 0]).exactly()?);
    for error in [machine.plan(none).unwrap_err(), machine.apply(none).unwrap_err()] {
        let error = error.to_string();
        assert!(error.starts_with("`me` is to have exactly these keys, and there are none\nhint: "), "{error}");
    }
    assert_eq!(machine.read(PATH), Some(format!("{ED25519}\n")));
    let nobody = machine.apply(|host| Ok(host.authorized_keys("me").even_none().exactly()?)).unwrap();
    assert_eq!((nobody.changed(), machine.read(PATH)), (true, Some(String::new())));
}

#[test]
fn a_key_goes() {
    let machine = with_key(machine());
    let ensure = |host: &Host| Ok(host.authorized_keys("me").key(ED25519).absent()?);
    assert_eq!(machine.apply(ensure).unwrap(), changed("- ssh-ed25519 …Mqj05qxy anna@laptop"));
    assert_eq!(machine.read(PATH), Some(String::new()));
    assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
}

#[test]
fn no_key_goes_where_there_are_none() {
    let machine = machine();
    let ensure = |host: &Host| Ok(host.authorized_keys("me").key(ED25519).absent()?);
    assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.stat("/home/me/.ssh"), None);
}

#[test]
fn options_change_in_place() {
    let machine = with_key(machine());
    let key = Key::new(ED25519).restrict().command("/usr/bin/backup");
    let expect = changed("- ssh-ed25519 …Mqj05qxy anna@laptop\n+ restrict command=… ssh-ed25519 …Mqj05qxy anna@laptop");
    assert_eq!(machine.apply(|host| Ok(host.authorized_keys("me").key(key).present()?)).unwrap(), expect);
    assert_eq!(machine.read(PATH), Some(format!("restrict,command=\"/usr/bin/backup\" {ED25519}\n")));
}

#[test]
fn modes_are_mended() {
    let machine = with_key(machine());
    files::set_mode(machine.path(PATH), 0o644).unwrap();
    files::set_mode(machine.path("/home/me/.ssh"), 0o777).unwrap();
    let outcome = machine.apply(|host| Ok(host.authorized_keys("me").key(ED25519).present()?)).unwrap();
    assert_eq!(outcome, changed(".ssh: mode 0777 -> 0700\nauthorized_keys: mode 0644 -> 0600"));
    assert_eq!((machine.stat("/home/me/.ssh").unwrap().mode, machine.stat(PATH).unwrap().mode), (0o700, 0o600));
}

/// Nothing is read or written through a link that a user has made.
#[test]
fn root_is_not_led_astray() {
    let present = |machine: &Machine| machine.apply(|host| Ok(host.authorized_keys("me").key(ED25519).present()?));
    let check = |machine: Machine, link: &str, to: &str| {
        files::link(to, machine.path(link)).unwrap();
        let before = machine.snapshot();
        let error = format!("{:#}", present(&machine).unwrap_err());
        assert!(error.starts_with("could not work on the keys of `me`\nhint: root follows no links"), "{error}");
        assert!(machine.plan(|host| Ok(host.authorized_keys("me").key(ED25519).present()?)).is_err());
        assert_eq!(machine.snapshot(), before);
    };
    check(machine().file("/root/secret", "x"), "/home/me/.ssh", "../../root");
    check(machine().file("/root/secret", "x").dir("/home/me/.ssh"), PATH, "../../../root/secret");
    check(machine().dir("/home/me/.ssh"), PATH, "nowhere");
    let machine = machine().file("/root/secret", "x").dir("/home/me/.ssh");
    files::hard_link(machine.path("/root/secret"), machine.path(PATH)).unwrap();
    assert!(
        format!("{:#}", present(&machine).unwrap_err())
            .ends_with("it has other names, too, and may be somebody else's")
    );
    assert_eq!(machine.read("/root/secret").as_deref(), Some("x"));
}

#[test]
fn what_is_in_the_way_stays() {
    let machine = machine().file("/home/me/.ssh", "kept");
    assert!(machine.apply(|host| Ok(host.authorized_keys("me").key(ED25519).present()?)).is_err());
    assert_eq!(machine.read("/home/me/.ssh").as_deref(), Some("kept"));
    let machine = super::tests::machine().dir(PATH);
    assert!(machine.apply(|host| Ok(host.authorized_keys("me").key(ED25519).present()?)).is_err());
}

#[test]
fn who_is_not_there_is_an_error_and_unknown_in_a_plan() {
    let machine = machine();
    let ensure = |host: &Host| Ok(host.authorized_keys("bob").key(ED25519).present()?);
    let error = machine.apply(ensure).unwrap_err().to_string();
    assert!(error.starts_with("there is no user `bob` whose keys these could be\nhint: "), "{error}");
    machine.plan(ensure).unwrap();
    assert_eq!(machine.said(), "? authorized_keys bob present (cannot know: there is no home of `bob` yet)");
    files::remove_tree(machine.path("/home/me")).unwrap();
    let error = machine.apply(|host| Ok(host.authorized_keys("me").key(ED25519).present()?)).unwrap_err().to_string();
    assert!(error.starts_with("the user `me` has no home at /home/me\nhint: "), "{error}");
}

#[test]
fn what_is_no_key_is_refused_and_not_shown() {
    let machine = machine();
    let private = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA";
    let error = machine.apply(|host| Ok(host.authorized_keys("me").key(private).present()?)).unwrap_err().to_string();
    assert!(error.starts_with("one of the keys for `me` is none: it is a private key\nhint: "), "{error}");
    assert!(!error.contains("b3Bl"), "{error}");
    assert_eq!(machine.stat("/home/me/.ssh"), None);
}

#[test]
fn a_file_that_is_no_text_is_not_edited_but_can_be_replaced() {
    let machine = machine().dir("/home/me/.ssh");
    files::write(machine.path(PATH), b"\xff\xfe\n", 0o600).unwrap();
    files::set_mode(machine.path("/home/me/.ssh"), 0o700).unwrap();
    let error = machine.apply(|host| Ok(host.authorized_keys("me").key(ED25519).present()?)).unwrap_err().to_string();
    assert!(error.starts_with("the keys of `me` are no UTF-8 text"), "{error}");
    assert!(machine.apply(|host| Ok(host.authorized_keys("me").key(ED25519).exactly()?)).unwrap().changed());
    assert_eq!(machine.read(PATH), Some(format!("{ED25519}\n")));
}

#[test]
fn a_huge_file_is_refused() {
    let machine = machine().file(PATH, &"#\n".repeat(600_000));
    let error = machine.apply(|host| Ok(host.authorized_keys("me").key(ED25519).present()?)).unwrap_err();
    assert!(format!("{error:#}").ends_with("it is too large"), "{error:#}");
}

#[test]
fn specs_say_what_they_found() {
    let machine = with_key(machine());
    machine.view(|host| host.authorized_keys("me").has(ED25519)).unwrap();
    machine.view(|host| host.authorized_keys("me").lacks(ECDSA)).unwrap();
    let error = machine.view(|host| host.authorized_keys("me").has(ECDSA)).unwrap_err().to_string();
    let expect = "expected the key ecdsa-sha2-nistp256 …6hUnEbI= bob among those of `me`, found it not there";
    assert_eq!(error, expect);
    assert!(machine.view(|host| host.authorized_keys("me").lacks(ED25519)).is_err());
}
