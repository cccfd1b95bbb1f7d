use super::*;
use crate::machine::Machine;

const PUBLIC: &str = "<zone>\n  <service name=\"ssh\"/>\n  <port port=\"8080\" protocol=\"tcp\"/>\n</zone>\n";
const RULES: &str = "<zone>\n  <rule><accept/></rule>\n</zone>\n";
const RULE: &str = r#"rule family="ipv4" source address="192.0.2.0/24" accept"#;

fn machine(zone: &str) -> Machine {
    Machine::new()
        .file("/etc/firewalld/firewalld.conf", "# x\nDefaultZone=public\n")
        .file("/usr/lib/firewalld/zones/public.xml", zone)
}

fn ensure_http(host: &Host) -> Result<Outcome> {
    Ok(host.firewalld().default_zone()?.service("http").present()?)
}

#[test]
fn what_a_zone_has_starts_no_program() {
    let machine = machine(PUBLIC);
    let act = |host: &Host| {
        let zone = host.firewalld().default_zone()?;
        zone.service("ssh").present()?;
        zone.port("8080/tcp").present()?;
        zone.source("192.0.2.0/24").absent()?;
        Ok(zone.rich_rule(RULE).absent()?)
    };
    assert_eq!(machine.apply(act).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls(), [""; 0]);
    assert!(machine.said().starts_with("= firewalld service ssh in the zone public present\n"), "{}", machine.said());
}

#[test]
fn the_running_firewall_is_told_first_and_then_its_file() {
    let machine = machine(PUBLIC).answer("firewall-cmd", 0, "running");
    let error = machine.apply(ensure_http).unwrap_err().to_string();
    assert!(error.starts_with("firewalld was told, and ended well, but it is not so"), "{error}");
    let add = "firewall-cmd --zone=public --add-service=http";
    assert_eq!(machine.calls(), ["firewall-cmd --state", add, &format!("{add} --permanent")]);
}

#[test]
fn one_that_does_not_run_has_its_file_written() {
    let machine =
        machine(PUBLIC).answer("firewall-cmd --state", 252, "not running").answer("firewall-offline-cmd", 0, "success");
    machine.apply(|host| Ok(host.firewalld().zone("public").port("8080/tcp").absent()?)).unwrap_err();
    assert_eq!(machine.calls(), ["firewall-cmd --state", "firewall-offline-cmd --zone=public --remove-port=8080/tcp"]);
}

#[test]
fn a_rich_rule_is_asked_for() {
    let machine = machine(RULES).answers("firewall-cmd", &[(0, "running"), (0, "yes")]);
    assert_eq!(
        machine.apply(|host| Ok(host.firewalld().zone("public").rich_rule(RULE).present()?)).unwrap(),
        Outcome::Unchanged
    );
    assert!(machine.calls()[1].ends_with("--permanent"), "{:?}", machine.calls());
    let without = self::machine(RULES).answers("firewall-cmd", &[(0, "running"), (1, "no")]);
    assert!(without.plan(|host| Ok(host.firewalld().zone("public").rich_rule(RULE).present()?)).unwrap().changed());
}

#[test]
fn what_masquerades_and_forwards_is_told_and_read() {
    let act = |host: &Host| {
        let public = host.firewalld().zone("public");
        public.masquerade().present()?;
        Ok(public.forward_port("port=80:proto=tcp:toport=8080").present()?)
    };
    let there = "<zone>\n  <masquerade/>\n  <forward-port port=\"80\" protocol=\"tcp\" to-port=\"8080\"/>\n</zone>\n";
    assert_eq!(machine(there).apply(act).unwrap(), Outcome::Unchanged);
    let machine = machine(PUBLIC);
    assert!(machine.plan(act).unwrap().changed());
    assert!(machine.said().starts_with("+ firewalld masquerade in the zone public present\n"), "{}", machine.said());
    let machine = machine.answer("firewall-cmd --state", 252, "").answer("firewall-offline-cmd", 0, "success");
    machine.apply(|host| Ok(host.firewalld().zone("public").masquerade().present()?)).unwrap_err();
    assert_eq!(machine.calls()[1], "firewall-offline-cmd --zone=public --add-masquerade");
    let port = "port=80:proto=tcp:toport=8080";
    machine.apply(|host| Ok(host.firewalld().zone("public").forward_port(port).present()?)).unwrap_err();
    assert_eq!(machine.calls()[3], format!("firewall-offline-cmd --zone=public --add-forward-port={port}"));
}

fn without_ssh(host: &Host, zone: &str) -> Result<Outcome> {
    Ok(host.firewalld().zone(zone).service("ssh").absent()?)
}

#[test]
fn the_last_way_in_over_ssh_goes_only_where_that_is_said() {
    let machine = machine(PUBLIC)
        .file("/etc/ssh/sshd_config", "")
        .file("/usr/lib/firewalld/zones/dmz.xml", PUBLIC)
        .file("/usr/lib/firewalld/zones/home.xml", &PUBLIC.replace("<zone>", "<zone>\n  <interface name=\"eth1\"/>"));
    for error in [
        machine.plan(|host| without_ssh(host, "public")).unwrap_err(),
        machine.apply(|host| without_ssh(host, "public")).unwrap_err(),
        machine.plan(|host| without_ssh(host, "home")).unwrap_err(),
    ] {
        let expect = "nobody could come in over ssh any more: nothing would be left in the zone `";
        assert!(error.to_string().starts_with(expect), "{error}");
    }
    let goes = |act: fn(&Host) -> Result<Outcome>| assert!(machine.plan(act).unwrap().changed());
    goes(|host| without_ssh(host, "dmz"));
    goes(|host| Ok(host.firewalld().zone("public").port("8080/tcp").absent()?));
    goes(|host| Ok(host.firewalld().even_without_ssh().zone("public").service("ssh").absent()?));
    goes(|host| {
        host.firewalld().zone("public").port("22/tcp").present()?;
        without_ssh(host, "public")
    });
    assert_eq!(machine.calls(), [""; 0]);
}

/// A host with an sshd, whose default zone is `public`, and other zones.
fn with_zones(public: &str, others: &[(&str, &str)]) -> Machine {
    let machine = machine(public).file("/etc/ssh/sshd_config", "");
    others.iter().fold(machine, |machine, (name, zone)| {
        machine.file(&format!("/etc/firewalld/zones/{name}.xml"), &format!("<zone>{zone}</zone>"))
    })
}

fn locks_out(machine: &Machine, act: fn(&Host) -> Result<Outcome>) {
    for result in [machine.plan(act), machine.apply(act)] {
        let error = result.unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(FirewalldError::LocksOut { .. })), "{error:#}");
    }
}

fn would_change(machine: &Machine, act: fn(&Host) -> Result<Outcome>) {
    assert!(machine.plan(act).unwrap().changed(), "{}", machine.said());
}

const SHUT: &str = "<zone></zone>\n";
const ADMINS: &str = "<source address=\"192.0.2.0/24\"/><service name=\"ssh\"/>";
const ADMINS_RULE: &str = "rule family=\"ipv4\" source address=\"192.0.2.0/24\" service name=\"ssh\" accept";
const ADMINS_RULE_IN_XML: &str =
    "<rule family=\"ipv4\"><source address=\"192.0.2.0/24\"/><service name=\"ssh\"/><accept/></rule>";

#[test]
fn whom_a_zone_is_for_come_in_over_ssh_as_long_as_it_says_so() {
    let no_source = |host: &Host| Ok(host.firewalld().zone("admins").source("192.0.2.0/24").absent()?);
    let only = with_zones(SHUT, &[("admins", ADMINS)]);
    locks_out(&only, no_source);
    locks_out(&only, |host| without_ssh(host, "admins"));
    let both = with_zones(PUBLIC, &[("admins", ADMINS)]);
    would_change(&both, no_source);
    would_change(&both, |host| without_ssh(host, "admins"));
    would_change(&both, |host| without_ssh(host, "public"));
    let more = with_zones(SHUT, &[("admins", &format!("{ADMINS}<source address=\"198.51.100.7\"/>"))]);
    would_change(&more, no_source);
}

#[test]
fn who_may_all_is_not_taken_for_who_comes_in_over_ssh() {
    let containers = "<source address=\"10.42.0.0/16\"/><rule><accept/></rule>";
    locks_out(&with_zones(PUBLIC, &[("containers", containers)]), |host| without_ssh(host, "public"));
    let trusted = with_zones(PUBLIC, &[])
        .file("/etc/firewalld/zones/trusted.xml", "<zone target=\"ACCEPT\"><source address=\"10.42.0.0/16\"/></zone>");
    locks_out(&trusted, |host| without_ssh(host, "public"));
}

#[test]
fn a_rich_rule_is_a_way_in_over_ssh() {
    let no_rule = |host: &Host| Ok(host.firewalld().zone("public").rich_rule(ADMINS_RULE).absent()?);
    let only = with_zones(&format!("<zone>{ADMINS_RULE_IN_XML}</zone>"), &[]);
    locks_out(&only.answer("firewall-cmd", 0, "running"), no_rule);
    let both = with_zones(&format!("<zone><service name=\"ssh\"/>{ADMINS_RULE_IN_XML}</zone>"), &[]);
    let both = both.answer("firewall-cmd", 0, "running");
    would_change(&both, no_rule);
    would_change(&both, |host| without_ssh(host, "public"));
}

const NOBODY: &str = "rule service name=\"ssh\" drop";

#[test]
fn what_shuts_everybody_out_is_refused() {
    let machine = with_zones(PUBLIC, &[("drop", "")]);
    locks_out(&machine, |host| Ok(host.firewalld().zone("public").rich_rule(NOBODY).present()?));
    locks_out(&machine, |host| Ok(host.firewalld().zone("drop").source("0.0.0.0/0").present()?));
    would_change(&machine, |host| Ok(host.firewalld().zone("drop").source("203.0.113.0/24").present()?));
    would_change(&machine, |host| {
        let rule = "rule family=\"ipv4\" source address=\"203.0.113.0/24\" service name=\"ssh\" drop";
        Ok(host.firewalld().zone("public").rich_rule(rule).present()?)
    });
    let knowingly = |host: &Host| {
        let public = host.firewalld().even_without_ssh().zone("public");
        Ok(public.rich_rule(NOBODY).present()?)
    };
    would_change(&machine, knowingly);
    assert_eq!(machine.calls(), [""; 0]);
}

#[test]
fn a_plan_knows_what_would_be_there_by_then() {
    let machine = with_zones(PUBLIC, &[("admins", "<service name=\"ssh\"/>")]);
    would_change(&machine, |host| {
        host.firewalld().zone("public").rich_rule(ADMINS_RULE).present()?;
        without_ssh(host, "public")
    });
    would_change(&machine, |host| {
        host.firewalld().zone("admins").source("192.0.2.0/24").present()?;
        without_ssh(host, "public")
    });
    let twice = machine.plan(|host| {
        let public = host.firewalld().zone("public");
        public.rich_rule(ADMINS_RULE).present()?;
        public.service("http").present()?;
        public.masquerade().present()?;
        assert!(!public.rich_rule(ADMINS_RULE).present()?.changed());
        assert!(!public.masquerade().present()?.changed());
        assert!(!public.service("http").present()?.changed());
        Ok(public.service("http").absent()?)
    });
    assert!(twice.unwrap().changed());
    assert_eq!(machine.calls(), [""; 0]);
}

#[test]
fn a_plan_cannot_know_what_a_package_would_bring() {
    let machine = Machine::new();
    machine.plan(ensure_http).unwrap();
    assert!(machine.said().contains("(cannot know: firewalld is not installed"), "{}", machine.said());
    assert!(matches!(machine.apply(ensure_http).unwrap_err().downcast_ref(), Some(FirewalldError::NotInstalled)));
}

#[test]
fn what_is_no_name_reaches_no_firewalld() {
    let machine = machine(PUBLIC);
    let check = |element: fn(&Firewalld<Host<'_>>) -> Result<Outcome, FirewalldError>| {
        let error = machine.apply(|host| Ok(element(&host.firewalld())?)).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(FirewalldError::BadName { .. })), "{error}");
    };
    check(|firewalld| firewalld.zone("../x").service("ssh").present());
    check(|firewalld| firewalld.zone("public").service("-x").present());
    check(|firewalld| firewalld.zone("public").port("8080").present());
    check(|firewalld| firewalld.zone("public").port("0/tcp").present());
    check(|firewalld| firewalld.zone("public").source("web1").present());
    check(|firewalld| firewalld.zone("public").rich_rule("accept").present());
    check(|firewalld| firewalld.zone("public").forward_port("80/tcp").present());
    check(|firewalld| firewalld.zone("public").forward_port("port=80:proto=tcp:toaddr=192.0.2.7:toport=80").present());
    let error = machine.apply(|host| Ok(host.firewalld().zone("other").service("ssh").present()?)).unwrap_err();
    assert!(error.to_string().starts_with("firewalld has no zone `other`\nhint: "), "{error}");
}
