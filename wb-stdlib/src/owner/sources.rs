//! Where a host looks for users and groups, as nsswitch.conf(5) says.

use wb_core::system::System;

const FILE: &str = "/etc/nsswitch.conf";

/// Whether the host's own file is the only source of `passwd` or `group`: who is not in it is nowhere. Where nothing is
/// said, there are those that the C library has by itself, which may be more.
pub(super) fn is_own_file_alone(system: &System, database: &str) -> bool {
    matches!(system.parsed(FILE, Switch::of), Ok(Some(switch)) if switch.has_files_alone(database))
}

/// The text of the file.
struct Switch(String);

impl Switch {
    fn of(bytes: &[u8]) -> Self {
        Self(String::from_utf8_lossy(bytes).into_owned())
    }

    /// A database may be there twice, and which line holds differs from one C library to the next: each has to say so.
    fn has_files_alone(&self, database: &str) -> bool {
        let mut lines = self.0.lines().filter_map(|line| sources(line, database)).peekable();
        lines.peek().is_some() && lines.all(|sources| sources.split_whitespace().eq(["files"]))
    }
}

/// What stands behind the name of the database in a line of it.
fn sources<'a>(line: &'a str, database: &str) -> Option<&'a str> {
    let line = line.split_once('#').map_or(line, |(line, _)| line);
    line.trim_start().strip_prefix(database)?.trim_start().strip_prefix(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_file_is_alone_where_each_line_names_no_other_source() {
        let check = |text: &str, expect: bool| {
            assert_eq!(Switch(text.to_owned()).has_files_alone("passwd"), expect, "{text:?}");
        };
        check("# Debian 12\n\npasswd:         files\ngroup:          files systemd\n", true);
        check("passwd: files # no LDAP any more\n", true);
        check("passwd:files\n", true);
        check("\tpasswd :\tfiles\n", true);
        check("passwd: files files\n", false);
        check("passwd: Files\n", false);
        check("passwd: files systemd\n", false);
        check("passwd: sss files\n", false);
        check("passwd: compat\npasswd_compat: files\n", false);
        check("passwd: files [NOTFOUND=return] ldap\n", false);
        check("passwd: files\npasswd: files ldap\n", false);
        check("group: files\n", false);
        check("passwd_compat: files\n", false);
        check("# passwd: files\n", false);
        check("passwd:\n", false);
        check("", false);
    }
}
