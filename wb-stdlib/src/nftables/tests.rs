use super::*;
use crate::machine::{Machine, changed};

const RULES: &str = "flush ruleset\ntable inet filter { }\n";
const LISTED: &str = "table inet filter\n";

fn load(host: &Host) -> Result<Outcome> {
    Ok(host.nftables().ruleset(RULES).loaded()?)
}

/// The lines of acts, without what only looks.
fn acts(machine: &Machine) -> Vec<String> {
    machine.calls().into_iter().filter(|line| !line.starts_with("nft list")).collect()
}

#[test]
fn new_rules_are_checked_loaded_and_written() {
    let machine = Machine::new().dir("/etc").answer("nft", 0, "").answers("nft list tables", &[(0, ""), (0, LISTED)]);
    let diff = "--- /dev/null\n+++ /etc/nftables.conf\n@@ -0,0 +1,2 @@\n+flush ruleset\n+table inet filter { }";
    assert_eq!(machine.apply(load).unwrap(), changed(diff));
    assert_eq!(acts(&machine), ["nft -c -f -", "nft -f -"]);
    assert_eq!(machine.read("/etc/nftables.conf").as_deref(), Some(RULES));
    assert_eq!(machine.apply(load).unwrap(), Outcome::Unchanged);
}

#[test]
fn the_rules_stand_where_the_service_reads_them() {
    let check = |release: &str, path: &str| {
        let machine = Machine::new().file("/etc/os-release", release).dir("/etc/sysconfig").answer("nft", 0, "");
        let machine = machine.answers("nft list tables", &[(0, ""), (0, LISTED)]);
        machine.apply(load).unwrap();
        assert_eq!(machine.read(path).as_deref(), Some(RULES), "{release}");
    };
    check("ID=debian\n", "/etc/nftables.conf");
    check("ID=ubuntu\nID_LIKE=debian\n", "/etc/nftables.conf");
    check("ID=arch\n", "/etc/nftables.conf");
    check("ID=alpine\n", "/etc/nftables.nft");
    check("ID=fedora\n", "/etc/sysconfig/nftables.conf");
    check("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "/etc/sysconfig/nftables.conf");
}

#[test]
fn rules_that_were_not_loaded_are() {
    let machine = Machine::new().file("/etc/nftables.conf", RULES).answer("nft", 0, "");
    let machine = machine.answers("nft list tables", &[(0, ""), (0, LISTED)]);
    assert_eq!(machine.apply(load).unwrap(), changed("table inet filter is not loaded"));
    assert_eq!(acts(&machine), ["nft -c -f -", "nft -f -"]);
}

#[test]
fn a_table_that_is_taken_away_is_not_looked_for() {
    let machine = Machine::new().dir("/etc").answer("nft", 0, "").answers("nft list tables", &[(0, ""), (0, LISTED)]);
    let rules =
        "table inet old; delete table inet old\ntable inet filter; delete table inet filter\ntable inet filter { }\n";
    let load = |host: &Host| Ok(host.nftables().ruleset(rules).loaded()?);
    assert!(machine.apply(load).unwrap().changed());
    assert_eq!(machine.apply(load).unwrap(), Outcome::Unchanged);
}

#[test]
fn refused_rules_leave_the_old_ones() {
    let machine = Machine::new().file("/etc/nftables.conf", "old\n").answer("nft list tables", 0, "");
    let machine = machine.answer("nft -c", 1, "/dev/stdin:2:1-3: Error: syntax error");
    let before = machine.snapshot();
    let error = machine.apply(load).unwrap_err();
    assert_eq!(error.to_string(), "the ruleset for /etc/nftables.conf is refused");
    assert_eq!((machine.snapshot(), acts(&machine)), (before, vec!["nft -c -f -".to_owned()]));
}

#[test]
fn a_plan_only_looks() {
    let machine = Machine::new().file("/etc/nftables.conf", "old\n").answer("nft list tables", 0, "");
    let before = machine.snapshot();
    assert!(machine.plan(load).unwrap().changed());
    assert_eq!((machine.snapshot(), acts(&machine).len()), (before, 0));
    let without = Machine::new();
    without.plan(load).unwrap();
    assert_eq!(without.said(), "? nftables /etc/nftables.conf loaded (cannot know: there is no `nft` yet)");
    let error = without.apply(load).unwrap_err().to_string();
    assert!(error.starts_with("could not ask `nft`"), "{error}");
}

#[test]
fn rules_that_cut_the_host_off_are_taken_back() {
    let machine =
        Machine::new().file("/etc/nftables.conf", "old\n").file("/etc/.nftables.conf.before", "table ip old { }");
    let machine = machine.answer("nft", 0, "").answer("nft list tables", 0, LISTED);
    let error = machine
        .apply(|host| Ok(host.nftables().ruleset(RULES).keeps_reaching("127.0.0.1:1").loaded()?))
        .unwrap_err()
        .to_string();
    assert_eq!(error, "under the new rules 127.0.0.1:1 can't be reached, so the old ones were loaded again");
    assert_eq!(acts(&machine), ["nft -c -f -", "nft -f -", "nft -f -"]);
    assert_eq!(machine.read("/etc/nftables.conf").as_deref(), Some("old\n"));
    assert_eq!(machine.read("/etc/.nftables.conf.before"), None);
}

#[test]
fn old_rules_that_can_not_be_loaded_again_are_named() {
    let machine =
        Machine::new().file("/etc/nftables.conf", "old\n").file("/etc/.nftables.conf.before", "table ip old { }");
    let machine = machine.answer("nft", 0, "").answer("nft list tables", 0, LISTED);
    let machine = machine.answers("nft -f", &[(0, ""), (1, "")]);
    let error = machine
        .apply(|host| Ok(host.nftables().ruleset(RULES).keeps_reaching("127.0.0.1:1").loaded()?))
        .unwrap_err()
        .to_string();
    let expect = "under the new rules 127.0.0.1:1 can't be reached, and the old ones could not be loaded again\nhint: they \
                  stand in /etc/.nftables.conf.before: ";
    assert!(error.starts_with(expect), "{error}");
    assert!(machine.read("/etc/.nftables.conf.before").is_some());
}

#[test]
fn new_rules_wait_for_a_way_back() {
    let address = crate::machine::serve(|_| String::new());
    let machine = Machine::new().dir("/etc").answer("nft", 0, "").answer("nft list ruleset", 0, "table ip x { xt }\n");
    let machine = machine.answers("nft -c", &[(0, ""), (1, "")]);
    let error = machine.apply(|host| Ok(host.nftables().ruleset(RULES).keeps_reaching(&address).loaded()?));
    assert!(matches!(error.unwrap_err().downcast_ref(), Some(NftablesError::NoWayBack(_))));
    assert_eq!(acts(&machine), ["nft -c -f -", "nft -c -f -"]);
    assert_eq!(machine.inputs()[1], "flush ruleset\ntable ip x { xt }");
    assert_eq!((machine.read("/etc/.nftables.conf.before"), machine.read("/etc/nftables.conf")), (None, None));
}

#[test]
fn nobody_is_locked_out() {
    const SHUT: &str = "flush ruleset\ntable inet f { chain i { type filter hook input priority 0; policy drop; } }\n";
    let machine = || Machine::new().dir("/etc").answer("nft list tables", 0, "").answer("nft", 0, "");
    let with_sshd = || machine().file("/etc/ssh/sshd_config", "Port 2222\n");
    let shut = |host: &Host| Ok(host.nftables().ruleset(SHUT).loaded()?);
    for error in [with_sshd().plan(shut).unwrap_err(), with_sshd().apply(shut).unwrap_err()] {
        assert!(matches!(error.downcast_ref(), Some(NftablesError::LocksOut { port: 2222 })), "{error}");
    }
    assert!(machine().plan(shut).unwrap().changed());
    let even = |host: &Host| Ok(host.nftables().ruleset(SHUT).even_without_ssh().loaded()?);
    assert!(with_sshd().plan(even).unwrap().changed());
    let open = SHUT.replace("drop;", "drop; tcp dport 2222 accept;");
    assert!(with_sshd().plan(|host| Ok(host.nftables().ruleset(&open).loaded()?)).unwrap().changed());
}

#[test]
fn who_is_out_of_reach_already_stops_it() {
    let machine = Machine::new().dir("/etc").answer("nft", 0, "").answer("nft list tables", 0, "");
    let error = machine.apply(|host| Ok(host.nftables().ruleset(RULES).keeps_reaching("127.0.0.1:1").loaded()?));
    assert!(error.unwrap_err().to_string().starts_with("127.0.0.1:1 can't be reached, already before"));
    assert_eq!(acts(&machine), ["nft -c -f -"]);
}

#[test]
fn a_server_that_is_still_reached_lets_the_rules_stand() {
    let address = crate::machine::serve(|_| String::new());
    let machine = Machine::new().dir("/etc").answer("nft", 0, "").answers("nft list tables", &[(0, ""), (0, LISTED)]);
    machine.apply(|host| Ok(host.nftables().ruleset(RULES).keeps_reaching(&address).loaded()?)).unwrap();
    assert_eq!(machine.read("/etc/nftables.conf").as_deref(), Some(RULES));
    assert_eq!(machine.read("/etc/.nftables.conf.before"), None);
}

#[test]
fn a_template_that_renders_to_nothing_is_no_ruleset() {
    let blank = |host: &Host| {
        let rules = crate::Template::new("rules.nft", "\n".into());
        Ok(host.nftables().path("/etc/nftables.conf").template(rules).loaded()?)
    };
    let machine = Machine::new();
    let error = machine.apply(blank).unwrap_err().to_string();
    assert!(error.starts_with("the ruleset for /etc/nftables.conf says nothing\nhint: "), "{error}");
    assert_eq!(machine.calls(), [""; 0]);
}

#[test]
fn rules_that_only_add_are_refused() {
    let add = |host: &Host| Ok(host.nftables().ruleset("table inet filter { }").loaded()?);
    let error = Machine::new().apply(add).unwrap_err().to_string();
    assert!(error.starts_with("the ruleset takes away nothing"), "{error}");
    let nothing = Machine::new().apply(|host| Ok(host.nftables().loaded()?)).unwrap_err();
    assert!(matches!(nothing.downcast_ref(), Some(NftablesError::NoRuleset)), "{nothing}");
}

#[test]
fn what_is_in_the_way_is_not_replaced() {
    let machine = Machine::new().dir("/etc/nftables.conf").answer("nft", 0, "");
    assert!(matches!(machine.apply(load).unwrap_err().downcast_ref(), Some(NftablesError::InTheWay { .. })));
}

#[test]
fn specs_say_what_they_found() {
    let machine = Machine::new().answer("nft list tables", 0, LISTED);
    machine.view(|host| host.nftables().has_table("inet filter")).unwrap();
    let error = machine.view(|host| host.nftables().has_table("ip nat")).unwrap_err();
    assert_eq!(error.to_string(), "expected the nftables table ip nat, found inet filter");
}
