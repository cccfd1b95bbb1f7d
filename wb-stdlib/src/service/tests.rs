use super::*;
use crate::machine::{Machine, changed};

const NGINX: &str = "/etc/init.d/nginx";

fn sysv(statuses: &[(i32, &str)]) -> Machine {
    Machine::new().file(NGINX, "#!/bin/sh\n").answer(NGINX, 0, "").answers("/etc/init.d/nginx status", statuses)
}

#[test]
fn a_running_service_is_left_alone() {
    let machine = sysv(&[(0, "")]);
    assert_eq!(machine.apply(|host| Ok(host.service("nginx").running()?)).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls(), ["/etc/init.d/nginx status"]);
}

#[test]
fn a_stopped_service_is_started_and_looked_at_until_it_runs() {
    let machine = sysv(&[(3, ""), (3, ""), (3, ""), (0, "")]);
    let outcome = machine.apply(|host| Ok(host.service("nginx").running()?)).unwrap();
    assert_eq!(outcome, changed("start (it was stopped)"));
    assert_eq!(machine.calls()[..2], ["/etc/init.d/nginx status", "/etc/init.d/nginx start"]);
}

#[test]
fn a_service_that_does_not_stay_up_is_an_error() {
    let machine = sysv(&[(3, "")]);
    let error = machine.apply(|host| Ok(host.service("nginx").running()?)).unwrap_err();
    assert_eq!(error.to_string(), "the service `nginx` is stopped after `start`, which ended well");
}

#[test]
fn a_script_that_does_not_say_is_started_and_believed() {
    let machine = sysv(&[(4, "")]);
    let outcome = machine.apply(|host| Ok(host.service("nginx").running()?)).unwrap();
    assert_eq!(outcome, changed("start (it was in an unknown state)"));
}

#[test]
fn links_of_the_runlevels_say_what_is_enabled() {
    let machine = sysv(&[(0, "")]).file("/etc/rc2.d/S01nginx", "");
    assert_eq!(machine.apply(|host| Ok(host.service("nginx").enabled()?)).unwrap(), Outcome::Unchanged);
    machine.view(|host| host.service("nginx").is_enabled()).unwrap();
    let machine = sysv(&[(0, "")]).file("/etc/rc2.d/K01nginx", "");
    let error = machine.view(|host| host.service("nginx").is_enabled()).unwrap_err();
    assert_eq!(error.to_string(), "expected the service `nginx` to be enabled, found it disabled");
}

#[test]
fn a_service_is_enabled_through_update_rc_d() {
    let machine = sysv(&[(0, "")]).answer("update-rc.d", 0, "");
    let error = machine.apply(|host| Ok(host.service("nginx").enabled()?)).unwrap_err();
    assert_eq!(error.to_string(), "the service `nginx` is disabled after `enable`, which ended well");
    let calls: Vec<String> = machine.calls().into_iter().filter(|line| line.starts_with("update")).collect();
    assert_eq!(calls, ["update-rc.d nginx defaults", "update-rc.d nginx enable"]);
}

#[test]
fn systemd_is_asked_where_it_runs() {
    let show = "systemctl --no-ask-password --no-pager show";
    let machine = Machine::new().dir("/run/systemd/system").answer("systemctl", 0, "").answers(
        show,
        &[(0, "LoadState=loaded\nActiveState=inactive\n"), (0, "LoadState=loaded\nActiveState=active\n")],
    );
    let outcome = machine.apply(|host| Ok(host.service("nginx").running()?)).unwrap();
    assert_eq!(outcome, changed("start (it was stopped)"));
    assert!(machine.calls().contains(&"systemctl --no-ask-password --no-pager start -- nginx".to_owned()));
}

#[test]
fn a_missing_service_is_an_error_and_unknown_in_a_plan() {
    let machine = Machine::new();
    let error = machine.apply(|host| Ok(host.service("ngnix").running()?)).unwrap_err().to_string();
    assert_eq!(
        error,
        "there is no service `ngnix` on this host\nhint: `ls /etc/init.d` on the host shows those that there are"
    );
    machine.plan(|host| Ok(host.service("nginx").running()?)).unwrap();
    assert_eq!(machine.said(), "? service nginx running (cannot know: there is no service `nginx` yet)");
}

#[test]
fn a_plan_starts_nothing() {
    let machine = sysv(&[(3, "")]);
    let outcome = machine.plan(|host| Ok(host.service("nginx").running()?)).unwrap();
    assert_eq!(outcome, changed("start (it was stopped)"));
    assert_eq!(machine.calls(), ["/etc/init.d/nginx status"]);
}

#[test]
fn a_stopped_service_needs_no_reload() {
    let machine = sysv(&[(3, "")]);
    assert_eq!(machine.apply(|host| Ok(host.service("nginx").reloaded()?)).unwrap(), Outcome::Unchanged);
}

#[test]
fn a_name_with_a_slash_names_no_service() {
    let error = Machine::new().view(|host| host.service("../../bin/sh").is_running()).unwrap_err();
    assert_eq!(error.to_string(), "`../../bin/sh` is no name of a service");
}

#[test]
fn a_spec_says_what_it_found() {
    let error = sysv(&[(3, "")]).view(|host| host.service("nginx").is_running()).unwrap_err();
    assert_eq!(error.to_string(), "expected the service `nginx` to be running, found it stopped");
}
