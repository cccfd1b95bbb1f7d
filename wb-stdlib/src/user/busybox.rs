//! The commands of BusyBox that change a user. It has none for much of what `usermod` changes.

use std::time::Duration;

use wb_core::system::files::{Attributes, FileError};
use wb_core::system::{Command, System};

use super::commands::with_options;
use super::day;
use super::difference::Change;
use super::wanted::{Expiry, Wanted};

const SHADOW: &str = "/etc/shadow";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Makes the user, but no home, and asks for no password. Without a group, one that is called like the user is made.
pub(super) fn add(name: &str, group: Option<String>, wanted: &Wanted) -> Command {
    let options = [
        ("-u", wanted.uid.map(|uid| uid.to_string())),
        ("-G", group),
        ("-g", wanted.comment.clone()),
        ("-h", wanted.home.clone()),
        ("-s", wanted.shell.clone()),
    ];
    let command = Command::new("adduser").args(["-D", "-H"]).args(wanted.system.then_some("-S"));
    with_options(command, options).args(["--", name])
}

/// Makes the group of a user of the system: BusyBox would put all of them into `nogroup`.
pub(super) fn system_group(name: &str) -> Command {
    Command::new("addgroup").args(["-S", "--", name])
}

/// Changes what BusyBox has programs for. `delgroup` takes no `--`, and names that begin with `-` are none.
pub(super) fn modify(name: &str, changes: &[Change]) -> Vec<Command> {
    changes.iter().flat_map(|change| commands(name, change)).collect()
}

fn commands(name: &str, change: &Change) -> Vec<Command> {
    match change {
        Change::OwnGroup(gid) => vec![Command::new("addgroup").args(["-g", &gid.to_string(), "--", name])],
        Change::Groups { added, removed } => {
            let added = added.iter().map(|group| Command::new("addgroup").args(["--", name, group]));
            let removed = removed.iter().map(|group| Command::new("delgroup").args([name, group]));
            added.chain(removed).collect()
        }
        Change::Locked(true) => vec![Command::new("passwd").args(["-l", "--", name])],
        Change::Locked(false) => vec![Command::new("passwd").args(["-u", "--", name])],
        _ => Vec::new(),
    }
}

/// The commands that take a user away, out of `groups` first: some versions would leave the name there.
pub(super) fn remove(name: &str, groups: &[String]) -> Vec<Command> {
    let out_of = groups.iter().map(|group| Command::new("delgroup").args([name, group]));
    out_of.chain([Command::new("deluser").arg(name)]).collect()
}

/// What BusyBox has no program for.
pub(super) fn beyond(changes: &[Change], wanted: &Wanted) -> Vec<String> {
    let is_beyond = |change: &&Change| {
        matches!(
            change,
            Change::Uid { .. }
                | Change::Group { .. }
                | Change::Comment { .. }
                | Change::Home { .. }
                | Change::Shell { .. }
                | Change::Expiry { .. }
        )
    };
    let expiry = wanted.expiry.as_ref().filter(|_| *changes == [Change::New]).and_then(Expiry::days);
    let expiry = expiry.map(|days| format!("expires {}", day::format(days)));
    changes.iter().filter(is_beyond).map(ToString::to_string).chain(expiry).collect()
}

/// Writes the line of a user who has none in `/etc/shadow`, as `adduser` does. The `chpasswd` of BusyBox would put the
/// password of such a user into `/etc/passwd`, where everybody can read it.
pub(super) fn write_shadow_line(system: &System, name: &str) -> Result<(), FileError> {
    let (found, text) = (system.stat(SHADOW)?, system.read_file(SHADOW)?.unwrap_or_default());
    let attributes = found.map_or(Attributes::mode(0o600), |stat| Attributes {
        mode: stat.mode,
        uid: Some(stat.uid),
        gid: Some(stat.gid),
    });
    let today = system.clock().now().as_secs() / DAY.as_secs();
    let end = if text.is_empty() || text.ends_with(b"\n") { "" } else { "\n" };
    let line = format!("{end}{name}:!:{today}:0:99999:7:::\n");
    system.write_file(SHADOW, [text, line.into_bytes()].concat(), attributes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::Secret;

    fn text(text: &str) -> String {
        text.to_owned()
    }

    #[test]
    fn a_user_is_made_with_all_that_is_wanted() {
        let wanted = Wanted {
            uid: Some(2001),
            comment: Some(text("Anna B.")),
            home: Some(text("/srv/anna")),
            shell: Some(text("/bin/ash")),
            system: true,
            ..Wanted::default()
        };
        let expect = "adduser -D -H -S -u 2001 -G staff -g 'Anna B.' -h /srv/anna -s /bin/ash -- anna";
        assert_eq!(add("anna", Some(text("staff")), &wanted).line(), expect);
        assert_eq!(add("anna", None, &Wanted::default()).line(), "adduser -D -H -- anna");
        assert_eq!(system_group("anna").line(), "addgroup -S -- anna");
    }

    #[test]
    fn each_change_that_has_a_program_is_a_command() {
        let changes = [
            Change::OwnGroup(2001),
            Change::Groups { added: vec![text("wheel"), text("adm")], removed: vec![text("games")] },
            Change::Locked(true),
            Change::Locked(false),
            Change::Password(Secret::new("$6$secret")),
            Change::Shell { from: text("/a"), to: text("/b") },
        ];
        let lines: Vec<String> = modify("anna", &changes).iter().map(Command::line).collect();
        let expect = [
            "addgroup -g 2001 -- anna",
            "addgroup -- anna wheel",
            "addgroup -- anna adm",
            "delgroup anna games",
            "passwd -l -- anna",
            "passwd -u -- anna",
        ];
        assert_eq!(lines, expect);
    }

    #[test]
    fn a_user_goes_out_of_all_groups_first() {
        let lines: Vec<String> = remove("anna", &[text("wheel")]).iter().map(Command::line).collect();
        assert_eq!(lines, ["delgroup anna wheel", "deluser anna"]);
    }

    #[test]
    fn what_has_no_program_is_named() {
        let changes = [
            Change::Shell { from: text("/a"), to: text("/b") },
            Change::Locked(true),
            Change::Uid { from: 1, to: 2 },
            Change::NoHome(text("/a")),
        ];
        assert_eq!(beyond(&changes, &Wanted::default()), ["shell /a -> /b", "uid 1 -> 2"]);
        let wanted = Wanted { expiry: Some(Expiry::On(text("2027-01-31"))), ..Wanted::default() };
        assert_eq!(beyond(&[Change::New], &wanted), ["expires 2027-01-31"]);
        let never = Wanted { expiry: Some(Expiry::Never), shell: Some(text("/b")), ..Wanted::default() };
        assert_eq!(beyond(&[Change::New], &never), [""; 0]);
    }
}
