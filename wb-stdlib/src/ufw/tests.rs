use super::*;
use crate::machine::{Machine, changed};

const SSH_RULE: &str = "### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n";
const SSH_RULE_6: &str = "### tuple ### allow tcp 22 ::/0 any ::/0 in\n";
const DEFAULTS_FILE: &str = "# comment\nIPV6=yes\nDEFAULT_INPUT_POLICY=\"DROP\"\nDEFAULT_OUTPUT_POLICY=\"ACCEPT\"\n";

fn machine(enabled: &str, rules: &str, rules6: &str) -> Machine {
    Machine::new()
        .file("/etc/ufw/ufw.conf", &format!("# comment\nENABLED={enabled}\nLOGLEVEL=low\n"))
        .file("/etc/default/ufw", DEFAULTS_FILE)
        .file("/etc/ufw/user.rules", rules)
        .file("/etc/ufw/user6.rules", rules6)
        .file("/etc/ssh/sshd_config", "#Port 22\n")
        .answer("ufw", 0, "")
}

fn allow_ssh(host: &Host) -> Result<Outcome> {
    Ok(host.ufw().allow(22).over("tcp").present()?)
}

#[test]
fn a_rule_that_is_there_starts_no_program() {
    let machine = machine("yes", SSH_RULE, SSH_RULE_6);
    assert_eq!(machine.apply(allow_ssh).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls(), [""; 0]);
    assert_eq!(machine.said(), "= ufw allow in proto tcp from any to any port 22 present");
    machine.view(|host| host.ufw().is_enabled()).unwrap();
    machine.view(|host| host.ufw().allow(22).over("tcp").exists()).unwrap();
}

#[test]
fn a_missing_rule_is_told_to_ufw_and_looked_for() {
    let machine = machine("no", SSH_RULE, "");
    let error = machine.apply(allow_ssh).unwrap_err().to_string();
    assert!(error.starts_with("ufw was told, and ended well, but it is not so: "), "{error}");
    assert_eq!(machine.calls(), ["ufw allow in proto tcp from any to any port 22"]);
}

#[test]
fn a_plan_only_looks() {
    let machine = machine("no", "", "");
    let before = machine.snapshot();
    assert_eq!(machine.plan(allow_ssh).unwrap(), changed("+ allow in proto tcp from any to any port 22"));
    assert_eq!((machine.snapshot(), machine.calls().len()), (before, 0));
    let without = Machine::new();
    without.plan(allow_ssh).unwrap();
    assert!(without.said().ends_with("(cannot know: ufw is not installed yet)"), "{}", without.said());
    assert!(without.apply(allow_ssh).unwrap_err().to_string().starts_with("ufw is not installed"));
}

#[test]
fn what_a_killed_run_left_half_done_is_done() {
    let enable = |host: &Host| Ok(host.ufw().enabled()?);
    let enabled = machine("yes", SSH_RULE, SSH_RULE_6).file(UNFINISHED, "").answer("/lib/ufw/ufw-init", 0, "");
    let diff = "what its files say is loaded: an earlier run did not come to its end";
    assert_eq!(enabled.plan(enable).unwrap(), changed(diff));
    assert_eq!(enabled.apply(enable).unwrap(), changed(diff));
    assert_eq!(enabled.calls(), ["/lib/ufw/ufw-init force-reload"]);
    assert_eq!(enabled.apply(enable).unwrap(), Outcome::Unchanged);
    let disabled = machine("no", "", "").file(UNFINISHED, "").answer("/lib/ufw/ufw-init", 0, "");
    assert_eq!(disabled.apply(|host| Ok(host.ufw().disabled()?)).unwrap(), changed(diff));
    assert_eq!((disabled.calls(), disabled.read(UNFINISHED)), (vec!["/lib/ufw/ufw-init force-stop".to_owned()], None));
}

#[test]
fn while_ufw_is_told_that_is_written_down() {
    let tell = |enabled: &str| {
        let machine = machine(enabled, SSH_RULE, SSH_RULE_6).does("ufw deny", |root, _| {
            let is_down = files::exists(root.join("run/wildebeest/ufw"));
            files::write(root.join("is_down"), is_down.to_string(), 0o644).unwrap();
        });
        machine.apply(|host| Ok(host.ufw().deny(25).present()?)).unwrap_err();
        machine.read("/is_down").unwrap()
    };
    assert_eq!(tell("yes"), "true");
    // The kernel is not to have it.
    assert_eq!(tell("no"), "false");
}

#[test]
fn a_plan_mends_what_was_left_half_done_once() {
    let machine = machine("yes", SSH_RULE, SSH_RULE_6).file(UNFINISHED, "");
    machine.plan(|host| Ok((host.ufw().enabled()?, host.ufw().incoming(Policy::Deny)?))).unwrap();
    assert!(machine.said().ends_with("= ufw incoming denied"), "{}", machine.said());
}

#[test]
fn nobody_is_locked_out() {
    let enable = |host: &Host| Ok(host.ufw().enabled()?);
    let error = machine("no", "", "").apply(enable).unwrap_err().to_string();
    assert!(
        error.starts_with(
            "ufw would let nobody in over ssh: no rule that counts allows port 22, and incoming is denied"
        ),
        "{error}"
    );
    let machine_with = machine("no", SSH_RULE, SSH_RULE_6);
    let error = machine_with.apply(enable).unwrap_err().to_string();
    assert!(error.ends_with("it is not so: ufw enabled"), "{error}");
    assert_eq!(machine_with.calls(), ["ufw --force enable"]);
    let without = machine("no", "", "");
    without.plan(|host| Ok(host.ufw().even_without_ssh().enabled()?)).unwrap();
    let elsewhere = machine("no", SSH_RULE, "").file("/etc/ssh/sshd_config.d/port.conf", "Port 2222\n");
    assert!(elsewhere.plan(enable).unwrap_err().to_string().contains("allows port 2222"));
}

#[test]
fn a_plan_knows_the_way_in_that_it_would_make() {
    let machine = machine("no", "", "");
    let plan = |host: &Host| {
        host.ufw().limit(22).over("tcp").present()?;
        Ok(host.ufw().enabled()?)
    };
    assert_eq!(machine.plan(plan).unwrap(), changed("disabled -> enabled"));
    assert!(opens("ufw allow in from any to any present", 22));
    assert!(!opens("ufw deny in proto tcp from any to any port 22 present", 22));
    assert!(!opens("ufw allow in proto udp from any to any port 22 present", 22));
    assert!(!opens("ufw allow in from any to any app Nginx Full present", 22));
}

#[test]
fn the_last_way_in_stays_open() {
    let remove = |host: &Host| Ok(host.ufw().allow(22).over("tcp").absent()?);
    let error = machine("yes", SSH_RULE, SSH_RULE_6).apply(remove).unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(UfwError::LocksOut { port: 22, .. })), "{error}");
    let other = format!("{SSH_RULE}### tuple ### allow any any 0.0.0.0/0 any 192.0.2.0/24 in\n");
    let machine = machine("yes", &other, SSH_RULE_6);
    assert_eq!(machine.plan(remove).unwrap(), changed("- allow in proto tcp from any to any port 22"));
}

#[test]
fn a_rule_that_shuts_the_last_way_in_is_refused() {
    let check = |rules: &str, deny: for<'a> fn(&Ufw<Host<'a>>) -> Rule<Host<'a>>, expect: bool| {
        let outcome = machine("yes", rules, SSH_RULE_6).plan(|host| Ok(deny(&host.ufw()).present()?));
        match outcome {
            Ok(outcome) => assert!(expect && outcome.changed()),
            Err(error) => assert!(!expect && matches!(error.downcast_ref(), Some(UfwError::LocksOut { port: 22, .. }))),
        }
    };
    check(SSH_RULE, |ufw| ufw.deny(22).over("tcp"), false);
    check(SSH_RULE, |ufw| ufw.reject("any").first(), false);
    check(SSH_RULE, |ufw| ufw.deny("any"), true);
    check(SSH_RULE, |ufw| ufw.deny(22), true);
    check(SSH_RULE, |ufw| ufw.deny(22).over("udp").first(), true);
    check(SSH_RULE, |ufw| ufw.deny("any").from("198.51.100.7").first(), true);
    check(SSH_RULE, |ufw| ufw.deny(22).over("tcp").from("2001:db8::/32").first(), true);
    check(SSH_RULE, |ufw| ufw.clone().even_without_ssh().deny(22).over("tcp"), true);
    // Nobody could come in before it either.
    check("", |ufw| ufw.deny("any").first(), true);
}

#[test]
fn a_policy_that_allows_does_not_count_for_what_a_rule_denies() {
    let denied = "### tuple ### deny tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n";
    let defaults = DEFAULTS_FILE.replace("DROP", "ACCEPT");
    let open = |enabled: &str, rules: &str| machine(enabled, rules, "").file("/etc/default/ufw", &defaults);
    let error = open("no", denied).plan(|host| Ok(host.ufw().enabled()?)).unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(UfwError::LocksOut { .. })), "{error}");
    open("no", "").plan(|host| Ok(host.ufw().enabled()?)).unwrap();
    let error = open("yes", "").plan(|host| Ok(host.ufw().deny(22).over("tcp").present()?)).unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(UfwError::LocksOut { .. })), "{error}");
}

#[test]
fn policies_are_set() {
    let machine = machine("yes", "", "");
    assert_eq!(machine.apply(|host| Ok(host.ufw().incoming(Policy::Deny)?)).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.plan(|host| Ok(host.ufw().outgoing(Policy::Reject)?)).unwrap(), changed("allow -> reject"));
    let error = machine.plan(|host| Ok(host.ufw().incoming(Policy::Reject)?)).unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(UfwError::LocksOut { .. })), "{error}");
    assert_eq!(machine.plan(|host| Ok(host.ufw().disabled()?)).unwrap(), changed("enabled -> disabled"));
}

#[test]
fn what_is_no_rule_reaches_no_ufw() {
    let machine = machine("yes", "", "");
    let check = |rule: for<'a> fn(&Ufw<Host<'a>>) -> Rule<Host<'a>>| {
        let error = machine.apply(|host| Ok(rule(&host.ufw()).present()?)).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(UfwError::BadRule { .. })), "{error}");
    };
    check(|ufw| ufw.allow("ssh; reboot"));
    check(|ufw| ufw.allow(0));
    check(|ufw| ufw.allow(22).over("carrier pigeon"));
    check(|ufw| ufw.allow(22).from("web1"));
    check(|ufw| ufw.allow(22).on("-x"));
    check(|ufw| ufw.allow_application(""));
    assert_eq!(machine.calls(), [""; 0]);
}
