//! What every file of a host is like: so that a plan can be seen to touch nothing.

use std::path::Path;

use wb_core::system::files::{self, Kind};

/// What changes whatever is planned: the kernel's own, what daemons note, and what looking leaves behind. All else in
/// `/run` and `/var/cache` is looked at.
const RESTLESS: [&str; 16] = [
    "/proc",
    "/sys",
    "/dev",
    "/run/lock",
    "/run/log",
    "/run/openrc",
    "/run/runit",
    "/run/runlevel",
    "/run/systemd",
    "/run/ufw.lock",
    "/run/utmp",
    "/run/xtables.lock",
    "/var/cache/apt",
    "/var/cache/dnf",
    "/var/lib/wb-operations",
    "/var/log",
];

/// What a mode and an owner do not tell of who may do what.
const ATTRIBUTES: [&str; 4] =
    ["security.capability", "security.selinux", "system.posix_acl_access", "system.posix_acl_default"];

/// A line for each path below `/`, sorted, with what tells it from itself after a change.
///
/// # Errors
/// When a directory can't be read.
pub fn take(restless: &[&str]) -> Result<Vec<String>, files::FileError> {
    let restless: Vec<&str> = RESTLESS.iter().chain(restless).copied().collect();
    let is_restless = |path: &Path| restless.iter().any(|passed_over| path.as_os_str() == *passed_over);
    // What is passed over may come and go, which is a change of the directory that it is in.
    let holds_restless = |path: &Path| restless.iter().any(|passed_over| Path::new(passed_over).parent() == Some(path));
    let (mut lines, mut left) = (Vec::new(), files::list("/")?);
    while let Some(path) = left.pop() {
        if is_restless(&path) {
            continue;
        }
        let Some(stat) = files::stat(&path)? else { continue };
        let stamp = match stat.kind {
            Kind::Link => format!("{:?}{}", files::read_link(&path)?, attributes(&path)?),
            Kind::Directory if holds_restless(&path) => attributes(&path)?,
            // The kernel stamps whatever changes, attributes too.
            _ => format!("{:?}", files::fingerprint(&path)?),
        };
        let owner = format!("{}:{}", stat.uid, stat.gid);
        lines.push(format!("{} {:?} {:o} {owner} {stamp}", path.display(), stat.kind, stat.mode));
        if stat.kind == Kind::Directory {
            left.extend(files::list(&path)?);
        }
    }
    lines.sort();
    Ok(lines)
}

fn attributes(path: &Path) -> Result<String, files::FileError> {
    let mut said = String::new();
    for name in ATTRIBUTES {
        if let Some(value) = files::xattr(path, name)? {
            said += &format!(" {name}={value:02x?}");
        }
    }
    Ok(said)
}
