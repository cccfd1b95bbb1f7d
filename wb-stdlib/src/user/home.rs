//! Homes. A new one is made beside its place and then renamed, so that there is none or a whole one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use wb_core::system::files::{self, Attributes, FileError, Kind};
use wb_core::system::{Command, CommandError, System};

use crate::owner::Account;

/// What a new home begins with, where nothing else is said.
const SKELETON: &str = "/etc/skel";
/// Where homes are, where nothing else is said.
const BASE: &str = "/home";
/// The mode of a home, where nothing else is said.
const NEW_MODE: u32 = 0o755;
/// How long it may take to label a new home: little is in it.
const LABEL_BOUND: Duration = Duration::from_secs(60);

/// Makes the home of a user, out of the host's skeleton of homes.
pub(super) fn make(system: &System, account: &Account) -> Result<(), FileError> {
    let home = system.path(&account.home);
    let unfinished = unfinished(&home);
    files::remove_tree(&unfinished)?; // of a run that was cut short
    files::create_dir(home.parent().unwrap_or(&home))?;
    files::create_private_dir(&unfinished)?;
    let skeleton = system.path(skeleton(system)?);
    if let Some(Kind::Directory) = files::stat(&skeleton)?.map(|stat| stat.kind) {
        copy(&skeleton, &unfinished, account)?;
    }
    give(&unfinished, account, new_mode(system)?)?;
    files::rename(&unfinished, &home)
}

/// Labels a new home where SELinux is used: it was made by somebody else than useradd.
pub(super) fn label(system: &System, home: &str) -> Result<(), CommandError> {
    if !matches!(system.stat("/sys/fs/selinux/enforce"), Ok(Some(_))) {
        return Ok(());
    }
    let restorecon = Command::new("restorecon").args(["-R", "--", home]).env("LC_ALL", "C.UTF-8").timeout(LABEL_BOUND);
    system.read_command(&restorecon).map(drop)
}

/// Where a new user of this name gets a home, where nothing else is said.
pub(super) fn default_of(system: &System, name: &str) -> Result<PathBuf, FileError> {
    let defaults = text(system, "/etc/default/useradd")?;
    Ok(Path::new(value(&defaults, "HOME", '=').unwrap_or(BASE)).join(name))
}

/// The mode of new homes.
pub(super) fn new_mode(system: &System) -> Result<u32, FileError> {
    Ok(mode(&text(system, "/etc/login.defs")?))
}

/// Whether new homes come with something about keys in them.
pub(super) fn has_keys(system: &System) -> Result<bool, FileError> {
    Ok(system.stat(Path::new(&skeleton(system)?).join(".ssh"))?.is_some())
}

/// Whether useradd makes a group of the same name for each new user.
pub(super) fn has_own_groups(system: &System) -> Result<bool, FileError> {
    let definitions = text(system, "/etc/login.defs")?;
    Ok(value(&definitions, "USERGROUPS_ENAB", ' ').is_some_and(|value| value.eq_ignore_ascii_case("yes")))
}

fn skeleton(system: &System) -> Result<String, FileError> {
    let defaults = text(system, "/etc/default/useradd")?;
    Ok(value(&defaults, "SKEL", '=').unwrap_or(SKELETON).to_owned())
}

fn unfinished(home: &Path) -> PathBuf {
    let name = home.file_name().unwrap_or_default().to_string_lossy();
    home.with_file_name(format!(".{name}.new"))
}

fn copy(from: &Path, to: &Path, account: &Account) -> Result<(), FileError> {
    for path in files::list(from)? {
        let Some(stat) = files::stat(&path)? else { continue };
        let target = to.join(path.file_name().unwrap_or_default());
        let (uid, gid) = (Some(account.uid), Some(account.gid));
        match stat.kind {
            Kind::File => files::prepare_with(&target, files::read(&path)?, Attributes { mode: stat.mode, uid, gid })?,
            Kind::Link => {
                files::link(files::read_link(&path)?, &target)?;
                files::set_owner(&target, uid, gid)?;
            }
            Kind::Directory => {
                files::create_private_dir(&target)?;
                copy(&path, &target, account)?;
                give(&target, account, stat.mode)?;
            }
            Kind::Other => {}
        }
    }
    Ok(())
}

/// The owner comes first: until the mode is set nobody else can enter.
fn give(directory: &Path, account: &Account, mode: u32) -> Result<(), FileError> {
    files::set_owner(directory, Some(account.uid), Some(account.gid))?;
    files::set_mode(directory, mode)
}

fn text(system: &System, path: &str) -> Result<String, FileError> {
    let bytes = system.read_file(path)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The mode of new homes, as login.defs(5) has it.
fn mode(definitions: &str) -> u32 {
    let octal = |name: &str| value(definitions, name, ' ').and_then(|text| u32::from_str_radix(text, 8).ok());
    let home_mode = octal("HOME_MODE").or_else(|| octal("UMASK").map(|mask| 0o777 & !mask));
    home_mode.map_or(NEW_MODE, |mode| mode & 0o7777)
}

/// The value behind a name and a separator, or blanks, in a line that is no comment.
fn value<'a>(text: &'a str, name: &str, separator: char) -> Option<&'a str> {
    let is_between = |c: char| c == separator || c.is_whitespace();
    let values = text.lines().filter_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix(is_between));
    values.map(|value| value.trim_matches(|c: char| c.is_whitespace() || c == '"')).rfind(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;

    /// Lines of Debian 12, Ubuntu 22.04 and Rocky 9.
    #[test]
    fn the_mode_of_homes_is_read_from_login_defs() {
        let check = |text: &str, expect: u32| assert_eq!(mode(text), expect, "{text}");
        check("#UMASK 077\nUMASK\t\t022\n#HOME_MODE\t0700\nUID_MIN\t\t\t 1000\n", 0o755);
        check("UMASK\t\t022\nHOME_MODE\t0750\n", 0o750);
        check("UMASK 027\n", 0o750);
        check("UMASK           022\nHOME_MODE       0700\n", 0o700);
        check("HOME_MODES 0700\n", NEW_MODE);
        check("HOME_MODE wide\n", NEW_MODE);
        check("", NEW_MODE);
    }

    #[test]
    fn the_skeleton_is_read_from_the_defaults_of_useradd() {
        let text = "# SKEL=/etc/other\nSHELL=/bin/sh\nSKEL=/etc/people\n";
        assert_eq!(value(text, "SKEL", '='), Some("/etc/people"));
        assert_eq!(value("SHELL=/bin/sh\n", "SKEL", '='), None);
    }

    #[test]
    fn a_home_is_labelled_where_selinux_is_used_and_that_may_not_hang() {
        let machine =
            Machine::new().file("/sys/fs/selinux/enforce", "1").does("restorecon -R -- /home/anna", |root, command| {
                let is_bounded = *command == command.clone().timeout(LABEL_BOUND);
                files::write(root.join("bounded"), is_bounded.to_string(), 0o644).unwrap();
            });
        machine.apply(|host| Ok(label(host.system(), "/home/anna")?)).unwrap();
        assert_eq!(machine.read("/bounded").as_deref(), Some("true"));
    }

    #[test]
    fn a_home_that_is_not_done_lies_beside_its_place() {
        assert_eq!(unfinished(Path::new("/home/anna")), Path::new("/home/.anna.new"));
    }
}
