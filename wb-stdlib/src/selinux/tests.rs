use anyhow::Result;

use super::*;
use crate::machine::{Machine, changed};

const STORE: &str = "/var/lib/selinux/targeted/active/booleans.local";
const CONFIGURATION: &str = "# comment\nSELINUX=permissive\nSELINUXTYPE=targeted\n";

fn machine() -> Machine {
    Machine::new()
        .file("/sys/fs/selinux/enforce", "1")
        .file("/sys/fs/selinux/booleans/nis_enabled", "0 0")
        .file("/sys/fs/selinux/booleans/httpd_can_network_connect", "1 1")
        .file("/etc/selinux/config", CONFIGURATION)
}

fn connect(host: &Host) -> Result<Outcome> {
    Ok(host.selinux().boolean("httpd_can_network_connect").on()?)
}

#[test]
fn a_boolean_that_is_so_starts_no_program() {
    let machine = machine().file(STORE, "httpd_can_network_connect=1\n");
    assert_eq!(machine.apply(connect).unwrap(), Outcome::Unchanged);
    assert_eq!((machine.calls().len(), machine.said().as_str()), (0, "= SELinux boolean httpd_can_network_connect on"));
    machine.view(|host| host.selinux().boolean("httpd_can_network_connect").is_on()).unwrap();
    machine.view(|host| host.selinux().boolean("nis_enabled").is_on()).unwrap_err();
}

#[test]
fn a_boolean_is_set_for_good() {
    let machine = machine().file(STORE, "httpd_can_network_connect=0\n").answer("setsebool", 0, "");
    assert_eq!(machine.plan(connect).unwrap(), changed("for each start: off -> on"));
    assert_eq!(machine.calls(), [""; 0]);
    machine.apply(connect).unwrap();
    assert_eq!(machine.calls(), ["setsebool -P httpd_can_network_connect on"]);
    let error = machine.apply(|host| Ok(host.selinux().boolean("nis_enabled").on()?)).unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(SelinuxError::NotSo { .. })), "{error}");
}

#[test]
fn a_mode_is_set_now_and_for_each_start() {
    let machine = machine().answer("setenforce", 0, "");
    let outcome = machine.apply(|host| Ok(host.selinux().mode(Mode::Enforcing)?)).unwrap();
    assert_eq!(outcome, changed("for each start: permissive -> enforcing"));
    let expect = CONFIGURATION.replace("SELINUX=permissive", "SELINUX=enforcing");
    assert_eq!((machine.read("/etc/selinux/config"), machine.calls().len()), (Some(expect), 0));
    assert_eq!(machine.apply(|host| Ok(host.selinux().mode(Mode::Enforcing)?)).unwrap(), Outcome::Unchanged);
    let plan = machine.plan(|host| Ok(host.selinux().mode(Mode::Permissive)?)).unwrap();
    assert_eq!(plan, changed("now: enforcing -> permissive\nfor each start: enforcing -> permissive"));
    machine.view(|host| host.selinux().is(Mode::Enforcing)).unwrap();
    machine.view(|host| host.selinux().is(Mode::Permissive)).unwrap_err();
}

#[test]
fn where_it_is_off_nothing_is_set() {
    let machine = Machine::new();
    let error = machine.apply(connect).unwrap_err().to_string();
    assert!(error.starts_with("SELinux is not on: there is no /sys/fs/selinux\nhint: "), "{error}");
    assert!(machine.apply(|host| Ok(host.selinux().mode(Mode::Enforcing)?)).is_err());
}

#[test]
fn a_boolean_that_is_none_is_named() {
    let machine = machine();
    for name in ["no_such", "../enforce", "", "-P"] {
        let error = machine.apply(|host| Ok(host.selinux().boolean(name).on()?)).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(SelinuxError::NoSuchBoolean { .. })), "{error}");
    }
    machine.plan(|host| Ok(host.selinux().boolean("brought_later").on()?)).unwrap();
    assert!(machine.said().starts_with("? SELinux boolean brought_later on"), "{}", machine.said());
}
