use wb_core::system::files;

use super::*;
use crate::machine::{Machine, changed};

const PASSWD: &str =
    "root:x:0:0:root:/root:/bin/bash\nanna:x:2001:2001::/home/anna:/bin/sh\ncarl:x:2002:100::/home/carl:/bin/sh\n";
const GROUP: &str = "root:x:0:\nusers:x:100:\nanna:x:2001:\nshop:x:3000:anna\n";

fn machine() -> Machine {
    Machine::new().file("/etc/passwd", PASSWD).file("/etc/group", GROUP).answer("getent", 2, "")
}

/// A program that leaves `/etc/group` like this.
fn writes(machine: Machine, start: &str, group: &'static str) -> Machine {
    machine.does(start, move |root, _| files::write(root.join("etc/group"), group, 0o644).unwrap())
}

fn acts(machine: &Machine) -> Vec<String> {
    machine.calls().into_iter().filter(|line| !line.starts_with("getent")).collect()
}

#[test]
fn a_group_that_is_as_wanted_costs_no_program() {
    let machine = machine();
    let ensure = |host: &Host| Ok(host.group("shop").gid(3000).members(["anna"]).present()?);
    assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.plan(ensure).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.apply(|host| Ok(host.group("games").absent()?)).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls(), [""; 0]);
}

#[test]
fn a_new_group_is_made_and_then_gets_its_members() {
    let machine = writes(machine(), "groupadd", "root:x:0:\nnew:x:3001:\n");
    let machine = writes(machine, "gpasswd -a carl", "root:x:0:\nnew:x:3001:anna,carl\n");
    let machine = machine.answer("gpasswd -a anna", 0, "");
    let ensure = |host: &Host| Ok(host.group("new").gid(3001).system().members(["anna", "carl"]).present()?);
    let expect = changed("new\ngid 3001\nmembers anna, carl");
    assert_eq!(machine.plan(ensure).unwrap(), expect);
    assert_eq!(acts(&machine), [""; 0]);
    assert_eq!(machine.apply(ensure).unwrap(), expect);
    assert_eq!(acts(&machine), ["groupadd -r -g 3001 -- new", "gpasswd -a anna -- new", "gpasswd -a carl -- new"]);
    assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
}

#[test]
fn a_new_group_costs_one_program_where_there_are_no_other_sources() {
    let machine = machine().file("/etc/nsswitch.conf", "passwd: files\ngroup: files\n");
    let machine = writes(machine, "groupadd", "root:x:0:\nnew:x:3001:\n");
    machine.apply(|host| Ok(host.group("new").gid(3001).present()?)).unwrap();
    assert_eq!(machine.calls(), ["groupadd -g 3001 -- new"]);
}

#[test]
fn only_these_members_are_said_at_once() {
    let machine = writes(machine(), "gpasswd", "shop:x:3000:carl\n");
    let ensure = |host: &Host| Ok(host.group("shop").only_members(["carl"]).present()?);
    assert_eq!(machine.apply(ensure).unwrap(), changed("members +carl -anna"));
    assert_eq!(acts(&machine), ["gpasswd -M carl -- shop"]);
    let machine = writes(super::tests::machine(), "gpasswd", "shop:x:3000:\n");
    let nobody = machine.apply(|host| Ok(host.group("shop").only_members([""; 0]).present()?)).unwrap();
    assert_eq!((nobody, acts(&machine)), (changed("members -anna"), vec!["gpasswd -M '' -- shop".into()]));
}

#[test]
fn a_number_changes_alone() {
    let machine = writes(machine(), "groupmod", "shop:x:3001:anna\n");
    let outcome = machine.apply(|host| Ok(host.group("shop").gid(3001).present()?)).unwrap();
    assert_eq!(outcome, changed("gid 3000 -> 3001"));
    assert_eq!(acts(&machine), ["groupmod -g 3001 -- shop"]);
}

#[test]
fn a_number_that_is_taken_says_by_whom() {
    let machine = machine();
    let ensure = |host: &Host| Ok(host.group("new").gid(3000).present()?);
    let error = machine.apply(ensure).unwrap_err().to_string();
    let expect = "the group `new` is to have the number 3000, which is taken by `shop`";
    assert_eq!(error.lines().next(), Some(expect));
    machine.plan(ensure).unwrap();
    assert_eq!(machine.said(), format!("? group new present (cannot know: {expect})"));
}

#[test]
fn a_member_who_is_not_there_is_an_error_and_unknown_in_a_plan() {
    let machine = machine();
    let ensure = |host: &Host| Ok(host.group("shop").members(["dora"]).present()?);
    let error = machine.apply(ensure).unwrap_err().to_string();
    let expect = "there is no user `dora` for the group `shop`";
    assert_eq!(error, format!("{expect}\nhint: `host.user(\"dora\").present()?` makes it"));
    machine.plan(ensure).unwrap();
    assert_eq!(machine.said(), format!("? group shop present (cannot know: {expect})"));
}

#[test]
fn a_plan_knows_the_user_that_it_would_make() {
    let machine = machine();
    let outcome = machine.plan(|host| {
        host.user("dora").present()?;
        Ok(host.group("shop").members(["dora"]).present()?)
    });
    assert_eq!(outcome.unwrap(), changed("members +dora"));
}

#[test]
fn a_member_of_another_source_can_be_in_a_group_of_this_host() {
    let machine = machine().answer("getent passwd -- dora", 0, "dora:*:5001:5001::/home/dora:/bin/sh\n");
    let machine = writes(machine, "gpasswd", "shop:x:3000:anna,dora\n");
    let outcome = machine.apply(|host| Ok(host.group("shop").members(["dora"]).present()?)).unwrap();
    assert_eq!(outcome, changed("members +dora"));
}

#[test]
fn a_group_of_another_source_is_respected() {
    let machine = machine().answer("getent group -- staff", 0, "staff:*:5000:anna\n");
    let present = machine.apply(|host| Ok(host.group("staff").gid(5000).members(["anna"]).present()?)).unwrap();
    assert_eq!(present, Outcome::Unchanged);
    let error = machine.apply(|host| Ok(host.group("staff").members(["carl"]).present()?)).unwrap_err().to_string();
    let expect = "the group `staff` comes from elsewhere (LDAP, say), so this can't be changed here: members +carl";
    assert_eq!(error.lines().next(), Some(expect));
    assert_eq!(acts(&machine), [""; 0]);
}

#[test]
fn a_group_goes_unless_somebody_has_it_as_the_primary_one() {
    let machine = writes(machine(), "groupdel", "root:x:0:\n");
    let error = machine.apply(|host| Ok(host.group("users").absent()?)).unwrap_err().to_string();
    assert!(error.starts_with("the group `users` is the primary group of the user `carl`"), "{error}");
    assert!(matches!(machine.plan(|host| Ok(host.group("users").absent()?)).unwrap(), Outcome::Unknown { .. }));
    assert_eq!(machine.apply(|host| Ok(host.group("shop").absent()?)).unwrap(), changed("- shop, gid 3000"));
    assert_eq!(acts(&machine), ["groupdel -- shop"]);
}

#[test]
fn what_a_program_did_not_do_is_an_error() {
    let machine = machine().answer("groupmod", 0, "").answer("groupdel", 0, "");
    let error = machine.apply(|host| Ok(host.group("shop").gid(3001).present()?)).unwrap_err();
    let expect = "the group `shop` is not as wanted, though all that was to change it ended well: gid 3000 -> 3001";
    assert_eq!(error.to_string(), expect);
    let error = machine.apply(|host| Ok(host.group("shop").absent()?)).unwrap_err().to_string();
    assert!(error.ends_with("it is still there"), "{error}");
}

#[test]
fn names_that_are_none_are_refused_before_anything_runs() {
    let machine = machine();
    let check = |name: &'static str, member: &'static str, expect: &str| {
        let error = machine.apply(move |host| Ok(host.group(name).members([member]).present()?)).unwrap_err();
        assert!(error.to_string().starts_with(expect), "{error}");
    };
    check("-r", "anna", "\"-r\" is no name of a group\nhint: ");
    check("a:b", "anna", "\"a:b\" is no name of a group");
    check("shop", "an,na", "\"an,na\" is no name of a user");
    assert_eq!(machine.calls(), [""; 0]);
}

#[test]
fn specs_say_what_they_found() {
    let machine = machine();
    machine.view(|host| host.group("shop").exists()).unwrap();
    machine.view(|host| host.group("shop").has_gid(3000)).unwrap();
    machine.view(|host| host.group("shop").has_member("anna")).unwrap();
    machine.view(|host| host.group("users").has_member("carl")).unwrap();
    machine.view(|host| host.group("games").is_absent()).unwrap();
    let error = |look: fn(&crate::View) -> Result<()>| machine.view(look).unwrap_err().to_string();
    assert_eq!(error(|host| host.group("games").exists()), "expected the group `games`, found none of that name");
    assert_eq!(error(|host| host.group("shop").is_absent()), "expected no group `shop`, found one");
    assert_eq!(error(|host| host.group("shop").has_gid(1)), "expected the group `shop` to have the gid 1, found 3000");
    assert_eq!(error(|host| host.group("shop").has_member("carl")), "expected `carl` in the group `shop`, found anna");
}

/// Alpine without its package `shadow`.
fn alpine() -> Machine {
    machine().file("/usr/sbin/adduser", "").file("/usr/sbin/addgroup", "")
}

#[test]
fn busybox_makes_groups_and_removes_them() {
    let machine = writes(alpine(), "addgroup -S", "root:x:0:\nnew:x:101:\n");
    let machine = writes(machine, "addgroup -- anna", "root:x:0:\nnew:x:101:anna\n");
    let machine = writes(machine, "delgroup new", "root:x:0:\n");
    let ensure = |host: &Host| Ok(host.group("new").system().members(["anna"]).present()?);
    let expect = changed("new\nmembers anna");
    assert_eq!(machine.plan(ensure).unwrap(), expect);
    assert_eq!(acts(&machine), [""; 0]);
    assert_eq!(machine.apply(ensure).unwrap(), expect);
    assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
    machine.apply(|host| Ok(host.group("new").absent()?)).unwrap();
    assert_eq!(acts(&machine), ["addgroup -S -- new", "addgroup -- anna new", "delgroup new"]);
}

#[test]
fn busybox_lets_members_go() {
    let machine = writes(alpine(), "delgroup anna shop", "shop:x:3000:carl\n").answer("addgroup -- carl shop", 0, "");
    let outcome = machine.apply(|host| Ok(host.group("shop").only_members(["carl"]).present()?)).unwrap();
    assert_eq!(outcome, changed("members +carl -anna"));
    assert_eq!(acts(&machine), ["addgroup -- carl shop", "delgroup anna shop"]);
}

#[test]
fn busybox_has_no_program_for_another_number() {
    let machine = alpine();
    let ensure = |host: &Host| Ok(host.group("shop").gid(3001).present()?);
    let error = machine.apply(ensure).unwrap_err().to_string();
    let expect = "BusyBox has no program that could change this of the group `shop`: gid 3000 -> 3001";
    assert_eq!(error.lines().next(), Some(expect));
    assert!(error.contains("\nhint: the package `shadow` has one"), "{error}");
    machine.plan(ensure).unwrap();
    assert_eq!(machine.said(), format!("? group shop present (cannot know: {expect})"));
    assert_eq!(acts(&machine), [""; 0]);
}
