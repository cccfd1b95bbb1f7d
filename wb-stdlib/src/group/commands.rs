//! The commands that change a group: those of shadow-utils, and those of BusyBox.

use wb_core::system::Command;

use super::{Change, Members, Wanted};
use crate::account::Programs;

/// Makes the group.
pub(super) fn add(name: &str, wanted: &Wanted, programs: Programs) -> Command {
    let (program, system) = match programs {
        Programs::Shadow => ("groupadd", "-r"),
        Programs::BusyBox => ("addgroup", "-S"),
    };
    let gid = wanted.gid.map(|gid| ["-g".to_owned(), gid.to_string()]);
    let command = Command::new(program).args(wanted.system.then_some(system)).args(gid.into_iter().flatten());
    command.args(["--", name])
}

/// Makes one change.
pub(super) fn change(name: &str, change: &Change, wanted: &Wanted, programs: Programs) -> Vec<Command> {
    match programs {
        Programs::Shadow => of_shadow(name, change, wanted),
        Programs::BusyBox => of_busybox(name, change),
    }
}

/// One command for all members where nobody else may be in it, and else one for each who is added.
fn of_shadow(name: &str, change: &Change, wanted: &Wanted) -> Vec<Command> {
    let gpasswd = |option: &str, value: &str| Command::new("gpasswd").args([option, value, "--", name]);
    match (change, &wanted.members) {
        (Change::New, _) => Vec::new(),
        (Change::Gid { to, .. }, _) => vec![Command::new("groupmod").args(["-g", &to.to_string(), "--", name])],
        (Change::Members { .. }, Some(Members { names, only: true })) => vec![gpasswd("-M", &names.join(","))],
        (Change::Members { added, .. }, _) => added.iter().map(|member| gpasswd("-a", member)).collect(),
    }
}

/// One command for each member. `delgroup` takes no `--`, and names that begin with `-` are none.
fn of_busybox(name: &str, change: &Change) -> Vec<Command> {
    let Change::Members { added, removed } = change else { return Vec::new() };
    let added = added.iter().map(|member| Command::new("addgroup").args(["--", member, name]));
    let removed = removed.iter().map(|member| Command::new("delgroup").args([member, name]));
    added.chain(removed).collect()
}

/// Takes the group away.
pub(super) fn remove(name: &str, programs: Programs) -> Command {
    match programs {
        Programs::Shadow => Command::new("groupdel").args(["--", name]),
        Programs::BusyBox => Command::new("delgroup").arg(name),
    }
}

/// What BusyBox has no program for.
pub(super) fn beyond_busybox(changes: &[Change]) -> Vec<String> {
    changes.iter().filter(|change| matches!(change, Change::Gid { .. })).map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(commands: &[Command]) -> Vec<String> {
        commands.iter().map(Command::line).collect()
    }

    #[test]
    fn both_make_a_group_and_remove_it() {
        let wanted = Wanted { gid: Some(3000), system: true, ..Wanted::default() };
        let check = |programs, added: &str, removed: &str| {
            assert_eq!(add("shop", &wanted, programs).line(), added);
            assert_eq!(remove("shop", programs).line(), removed);
        };
        check(Programs::Shadow, "groupadd -r -g 3000 -- shop", "groupdel -- shop");
        check(Programs::BusyBox, "addgroup -S -g 3000 -- shop", "delgroup shop");
        assert_eq!(add("shop", &Wanted::default(), Programs::BusyBox).line(), "addgroup -- shop");
    }

    #[test]
    fn members_come_and_go_one_by_one_with_busybox() {
        let text = |text: &str| text.to_owned();
        let members = Change::Members { added: vec![text("anna"), text("bob")], removed: vec![text("carl")] };
        let names = vec![text("anna"), text("bob")];
        let wanted = Wanted { members: Some(Members { names, only: true }), ..Wanted::default() };
        let check = |programs, expect: &[&str]| {
            assert_eq!(lines(&change("shop", &members, &wanted, programs)), expect);
        };
        check(Programs::Shadow, &["gpasswd -M anna,bob -- shop"]);
        check(Programs::BusyBox, &["addgroup -- anna shop", "addgroup -- bob shop", "delgroup carl shop"]);
    }

    #[test]
    fn a_number_is_beyond_busybox() {
        let changes = [Change::Gid { from: 1, to: 2 }, Change::New];
        assert_eq!(beyond_busybox(&changes), ["gid 1 -> 2"]);
        assert!(change("shop", &changes[0], &Wanted::default(), Programs::BusyBox).is_empty());
    }
}
