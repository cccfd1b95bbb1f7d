//! What changes on a host whatever is done there: the kernel's own, what daemons note, and what looking leaves behind.

use std::path::Path;

/// Each with all below it.
const RESTLESS: [&str; 18] = [
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
    "/run/user",
    "/run/utmp",
    "/run/xtables.lock",
    "/var/cache/apt",
    "/var/cache/dnf",
    // What a runner notes of itself.
    "/var/lib/wb-operations",
    "/var/lib/wildebeest",
    "/var/log",
];

/// Whether nothing is to be made of a change at a path of a host.
#[must_use]
pub fn is_restless(path: &Path) -> bool {
    RESTLESS.iter().any(|restless| path.starts_with(restless))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_below_is_restless_and_not_what_begins_alike() {
        let check = |path: &str, expect| assert_eq!(is_restless(Path::new(path)), expect, "{path}");
        check("/var/log/apt/history.log", true);
        check("/run/utmp", true);
        check("/run/utmpx", false);
        check("/var/lib/wildebeest-shop", false);
        check("/etc/hosts", false);
    }
}
