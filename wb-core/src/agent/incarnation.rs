//! Which machine this is, and which boot of it.

use crate::chain::Digest;
use crate::report::Incarnation;
use crate::system::files;

/// Reads what tells this machine from a copy of its disk, and this boot from the one before. What can't be read is
/// left empty.
#[must_use]
pub fn read() -> Incarnation {
    let text = |path: &str| files::read_text(path).map(|text| text.trim().to_owned()).unwrap_or_default();
    let parts = ["/etc/machine-id", "/sys/class/dmi/id/product_uuid", "/sys/class/dmi/id/board_serial"];
    let known: Vec<String> = parts.iter().map(|path| text(path)).collect();
    Incarnation {
        fingerprint: Digest::of(known.join("\n").as_bytes()).short(),
        boot_id: text("/proc/sys/kernel/random/boot_id"),
    }
}
