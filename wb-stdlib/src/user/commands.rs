//! The commands that change a user.

use wb_core::system::Command;

use super::difference::{Change, Facts};
use super::wanted::Wanted;

/// Makes the user, but no home: that is made as a whole, so that none is left half made.
pub(super) fn add(name: &str, facts: &Facts, wanted: &Wanted) -> Command {
    // useradd refuses to make a group that is there, and would put the user into none of that name by itself.
    let group = wanted.group.clone().or(facts.has_namesake.then(|| name.to_owned()));
    let groups = wanted.groups.as_ref().map(|groups| groups.names.join(",")).filter(|names| !names.is_empty());
    let expiry = wanted.expiry.as_ref().map(|expiry| expiry.argument().to_owned()).filter(|day| !day.is_empty());
    let options = [
        ("-u", wanted.uid.map(|uid| uid.to_string())),
        ("-g", group),
        ("-G", groups),
        ("-c", wanted.comment.clone()),
        ("-d", wanted.home.clone()),
        ("-s", wanted.shell.clone()),
        ("-e", expiry),
    ];
    let command = Command::new("useradd").arg("-M").args(wanted.system.then_some("-r"));
    with_options(command, options).args(["--", name])
}

/// Changes what one usermod can change, if any of the changes is such.
pub(super) fn modify(name: &str, changes: &[Change], wanted: &Wanted) -> Option<Command> {
    let options: Vec<_> = changes.iter().filter_map(|change| option(change, wanted)).collect();
    if options.is_empty() {
        return None;
    }
    Some(with_options(Command::new("usermod"), options).args(["--", name]))
}

fn option(change: &Change, wanted: &Wanted) -> Option<(&'static str, Option<String>)> {
    let some = |text: &String| Some(text.clone());
    Some(match change {
        Change::Uid { to, .. } => ("-u", Some(to.to_string())),
        Change::Group { to, .. } => ("-g", some(to)),
        Change::Groups { added, .. } => match &wanted.groups {
            Some(groups) if groups.only => ("-G", Some(groups.names.join(","))),
            _ => ("-aG", Some(added.join(","))),
        },
        Change::Comment { to, .. } => ("-c", some(to)),
        Change::Home { to, .. } => ("-d", some(to)),
        Change::Shell { to, .. } => ("-s", some(to)),
        Change::Expiry { .. } => ("-e", wanted.expiry.as_ref().map(|expiry| expiry.argument().to_owned())),
        Change::Locked(true) => ("-L", None),
        Change::Locked(false) => ("-U", None),
        Change::New | Change::Password(_) | Change::ShadowLine | Change::OwnGroup(_) | Change::NoHome(_) => {
            return None;
        }
    })
}

pub(super) fn with_options(
    command: Command,
    options: impl IntoIterator<Item = (&'static str, Option<String>)>,
) -> Command {
    let takes_none = |option: &str| matches!(option, "-L" | "-U");
    options.into_iter().fold(command, |command, (option, value)| match value {
        Some(value) => command.args([option, &value]),
        None if takes_none(option) => command.arg(option),
        None => command,
    })
}

/// Writes a whole password field, which goes through standard input: command lines are seen by everybody.
pub(super) fn password(name: &str, changes: &[Change]) -> Option<Command> {
    let field = changes.iter().find_map(|change| match change {
        Change::Password(field) => Some(field.text()),
        Change::ShadowLine => Some("!"),
        _ => None,
    })?;
    Some(Command::new("chpasswd").arg("-e").stdin(format!("{name}:{field}\n")))
}

/// Makes the user's own group.
pub(super) fn own_group(name: &str, changes: &[Change]) -> Option<Command> {
    let gid = changes.iter().find_map(|change| match change {
        Change::OwnGroup(gid) => Some(gid.to_string()),
        _ => None,
    })?;
    Some(Command::new("groupadd").args(["-g", &gid, "--", name]))
}

#[cfg(test)]
mod tests {
    use super::super::wanted::Expiry;
    use super::*;
    use crate::owner::Secret;

    fn wanted() -> Wanted {
        let mut wanted = Wanted {
            uid: Some(2001),
            group: Some("staff".into()),
            comment: Some("Anna B.".into()),
            home: Some("/srv/anna".into()),
            shell: Some("/bin/bash".into()),
            system: true,
            expiry: Some(Expiry::On("2027-01-31".into())),
            ..Wanted::default()
        };
        wanted.set_groups(["adm", "sudo"], false);
        wanted
    }

    #[test]
    fn a_user_is_made_with_all_that_is_wanted() {
        let expect =
            "useradd -M -r -u 2001 -g staff -G adm,sudo -c 'Anna B.' -d /srv/anna -s /bin/bash -e 2027-01-31 -- anna";
        assert_eq!(add("anna", &Facts::default(), &wanted()).line(), expect);
        assert_eq!(add("anna", &Facts::default(), &Wanted::default()).line(), "useradd -M -- anna");
    }

    #[test]
    fn a_group_of_the_same_name_becomes_the_primary_one() {
        let facts = Facts { has_namesake: true, ..Facts::default() };
        assert_eq!(add("anna", &facts, &Wanted::default()).line(), "useradd -M -g anna -- anna");
        let wanted = Wanted { group: Some("staff".into()), ..Wanted::default() };
        assert_eq!(add("anna", &facts, &wanted).line(), "useradd -M -g staff -- anna");
    }

    #[test]
    fn one_usermod_changes_all_that_it_can() {
        let text = |text: &str| text.to_owned();
        let changes = [
            Change::Uid { from: 1, to: 2001 },
            Change::Group { from: text("a"), to: text("staff") },
            Change::Groups { added: vec![text("sudo")], removed: vec![] },
            Change::Comment { from: text("A"), to: text("") },
            Change::Home { from: text("/a"), to: text("/srv/anna") },
            Change::Shell { from: text("/a"), to: text("/bin/bash") },
            Change::Expiry { from: None, to: Some(20_849) },
            Change::Locked(true),
            Change::Password(Secret::new("$6$secret")),
            Change::NoHome(text("/srv/anna")),
        ];
        let expect = "usermod -u 2001 -g staff -aG sudo -c '' -d /srv/anna -s /bin/bash -e 2027-01-31 -L -- anna";
        assert_eq!(modify("anna", &changes, &wanted()).unwrap().line(), expect);
        assert_eq!(modify("anna", &changes[8..], &wanted()), None);
    }

    #[test]
    fn only_some_groups_are_said_as_a_whole() {
        let mut wanted = Wanted { expiry: Some(Expiry::Never), ..Wanted::default() };
        wanted.set_groups(["adm", "sudo"], true);
        let changes = [
            Change::Groups { added: vec!["sudo".into()], removed: vec!["games".into()] },
            Change::Expiry { from: Some(1), to: None },
        ];
        assert_eq!(modify("anna", &changes, &wanted).unwrap().line(), "usermod -G adm,sudo -e '' -- anna");
    }

    #[test]
    fn a_password_goes_through_standard_input() {
        let command = password("anna", &[Change::Password(Secret::new("$6$secret"))]).unwrap();
        assert_eq!((command.line().as_str(), command.input()), ("chpasswd -e", &b"anna:$6$secret\n"[..]));
        assert_eq!(password("anna", &[Change::ShadowLine]).unwrap().input(), b"anna:!\n");
        assert_eq!(password("anna", &[Change::Locked(true)]), None);
    }

    #[test]
    fn an_own_group_gets_the_number_that_waits_for_it() {
        assert_eq!(own_group("anna", &[Change::OwnGroup(2001)]).unwrap().line(), "groupadd -g 2001 -- anna");
        assert_eq!(own_group("anna", &[]), None);
    }
}
