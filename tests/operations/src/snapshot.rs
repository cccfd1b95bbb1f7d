//! What every file of a host is like: so that a plan can be seen to touch nothing.

use std::path::Path;

use wb_core::system::files::{self, Kind};

/// What changes whatever is planned: the kernel's own, what daemons note, and what looking leaves behind.
const RESTLESS: [&str; 7] = ["/proc", "/sys", "/dev", "/run", "/var/log", "/var/cache", "/var/lib/wb-operations"];

/// A line for each path below `/`, sorted, with what tells it from itself after a change.
///
/// # Errors
/// When a directory can't be read.
pub fn take(restless: &[&str]) -> Result<Vec<String>, files::FileError> {
    let skipped = |path: &Path| RESTLESS.iter().chain(restless).any(|skipped| path == Path::new(skipped));
    let (mut lines, mut left) = (Vec::new(), files::list("/")?);
    while let Some(path) = left.pop() {
        let Some(stat) = files::stat(&path)?.filter(|_| !skipped(&path)) else { continue };
        let stamp = match stat.kind {
            Kind::Link => format!("{:?}", files::read_link(&path)?),
            _ => format!("{:?}", files::fingerprint(&path)?),
        };
        lines.push(format!("{} {:?} {:o} {}:{} {stamp}", path.display(), stat.kind, stat.mode, stat.uid, stat.gid));
        if stat.kind == Kind::Directory {
            left.extend(files::list(&path)?);
        }
    }
    lines.sort();
    Ok(lines)
}
