//! Which machine this is, and which boot of it.

use std::time::Duration;

use crate::chain::Digest;
use crate::report::Incarnation;
use crate::system::System;

/// Reads what tells this machine from a copy of its disk, and this boot from the one before. What can't be read is
/// left empty.
#[must_use]
pub fn read(system: &System) -> Incarnation {
    let text = |path: &str| read_text(system, path);
    let parts = ["/etc/machine-id", "/sys/class/dmi/id/product_uuid", "/sys/class/dmi/id/board_serial"];
    let known = parts.map(text);
    Incarnation {
        fingerprint: Digest::of(known.join("\n").as_bytes()).short(),
        boot_id: text("/proc/sys/kernel/random/boot_id"),
    }
}

/// How long this boot lasts already, sleep included: a clock that nobody sets.
#[must_use]
pub fn uptime(system: &System) -> Duration {
    let text = read_text(system, "/proc/uptime");
    let seconds = text.split_whitespace().next().and_then(|seconds| seconds.parse().ok());
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or_default()
}

fn read_text(system: &System, path: &str) -> String {
    let bytes = system.read_file(path).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Script;
    use crate::system::files::{self, Attributes};

    #[test]
    fn a_machine_is_told_by_its_parts_and_a_boot_by_its_id() {
        let dir = tempfile::tempdir().unwrap();
        let system = System::fake(dir.path(), Script::new());
        for parent in ["etc", "proc/sys/kernel/random"] {
            files::create_dir(dir.path().join(parent)).unwrap();
        }
        let put = |path: &str, text: &str| system.write_file(path, text, Attributes::mode(0o644)).unwrap();
        let none = read(&system);
        assert_eq!((none.boot_id.as_str(), uptime(&system)), ("", Duration::ZERO));
        put("/etc/machine-id", "abc\n");
        put("/proc/sys/kernel/random/boot_id", "def\n");
        put("/proc/uptime", "35.25 60.00\n");
        let some = read(&system);
        assert_ne!(some.fingerprint, none.fingerprint);
        assert_eq!((some.boot_id.as_str(), uptime(&system)), ("def", Duration::from_millis(35_250)));
    }
}
