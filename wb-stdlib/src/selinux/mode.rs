//! Whether SELinux enforces.

use std::fmt;
use std::time::Duration;

use wb_core::context::Outcome;
use wb_core::system::files::Attributes;
use wb_core::system::{Command, System};

use super::SelinuxError;
use crate::Host;
use crate::ensure::{Difference, ensure};

const ENFORCE: &str = "/sys/fs/selinux/enforce";
const CONFIGURATION: &str = "/etc/selinux/config";
const BOUND: Duration = Duration::from_secs(60);

/// What SELinux does about what its policy does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It refuses it.
    Enforcing,
    /// It writes it to the log, and lets it pass.
    Permissive,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enforcing => "enforcing",
            Self::Permissive => "permissive",
        })
    }
}

/// As the kernel says it.
pub(super) fn current(system: &System) -> Result<Mode, SelinuxError> {
    let said = system.read_file(ENFORCE)?.ok_or(SelinuxError::Off)?;
    Ok(if said.starts_with(b"1") { Mode::Enforcing } else { Mode::Permissive })
}

/// Now first: as long as the file says something else, both are done again.
pub(super) fn ensure_mode(host: Host<'_>, mode: Mode) -> Result<Outcome, SelinuxError> {
    let (system, what) = (host.system(), format!("SELinux {mode}"));
    let now = current(system)?;
    let text = system.read_file(CONFIGURATION)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let no_mode = || SelinuxError::NoMode { path: CONFIGURATION.into() };
    let (configured, changed) = with_mode(&text, mode).ok_or_else(no_mode)?;
    let mut lines = Vec::new();
    if now != mode {
        lines.push(format!("now: {now} -> {mode}"));
    }
    if changed != text {
        lines.push(format!("for each start: {configured} -> {mode}"));
    }
    let difference = if lines.is_empty() { Difference::None } else { Difference::Some(Some(lines.join("\n"))) };
    ensure(host, &what, difference, || {
        if now != mode {
            let word = if mode == Mode::Enforcing { "1" } else { "0" };
            let said = system.read_command(&Command::new("setenforce").arg(word).timeout(BOUND));
            said.map_err(|source| SelinuxError::Refused { what: what.clone(), source })?;
        }
        if changed != text {
            let stat = system.stat(CONFIGURATION)?;
            let attributes = stat.map_or(Attributes::mode(0o644), |stat| Attributes {
                mode: stat.mode,
                uid: Some(stat.uid),
                gid: Some(stat.gid),
            });
            system.write_file(CONFIGURATION, &changed, attributes)?;
        }
        if current(system)? == mode { Ok(()) } else { Err(SelinuxError::NotSo { what: what.clone() }) }
    })
}

/// What the line `SELINUX=` says, and the text with this mode in it.
fn with_mode(text: &str, mode: Mode) -> Option<(String, String)> {
    let line = text.lines().rfind(|line| line.trim_start().starts_with("SELINUX="))?;
    let value = line.trim().strip_prefix("SELINUX=")?.trim().to_owned();
    if value == mode.to_string() {
        return Some((value, text.to_owned()));
    }
    let lines: Vec<String> = text
        .lines()
        .map(|one| if std::ptr::eq(one, line) { format!("SELINUX={mode}") } else { one.to_owned() })
        .collect();
    let end = if text.ends_with('\n') { "\n" } else { "" };
    Some((value, lines.join("\n") + end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_the_mode() {
        let check = |text: &str, expect: Option<(&str, &str)>| {
            let expect = expect.map(|(value, text)| (value.to_owned(), text.to_owned()));
            assert_eq!(with_mode(text, Mode::Enforcing), expect, "{text}");
        };
        let text = "# SELINUX= can take one of\nSELINUX=permissive\nSELINUXTYPE=targeted\n";
        check(text, Some(("permissive", "# SELINUX= can take one of\nSELINUX=enforcing\nSELINUXTYPE=targeted\n")));
        check("SELINUX=enforcing\n", Some(("enforcing", "SELINUX=enforcing\n")));
        check("SELINUX=disabled", Some(("disabled", "SELINUX=enforcing")));
        check("SELINUXTYPE=targeted\n", None);
    }
}
