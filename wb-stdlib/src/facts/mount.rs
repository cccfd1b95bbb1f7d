//! What is mounted.

use std::path::Path;

/// A file system, where it is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mount {
    /// Where it is, as in `/srv`.
    pub point: String,
    /// What is mounted, as in `/dev/sda1`, `tmpfs` or `server:/export`.
    pub source: String,
    /// Its kind, as in `ext4`.
    pub file_system: String,
    /// On what terms, as in `noexec`: those of this place, then those of the file system.
    pub options: Vec<String>,
}

impl Mount {
    /// Whether it is mounted on these terms, as in `noexec`.
    #[must_use]
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|found| found == option)
    }

    /// Whether nothing can be written there.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.has("ro")
    }
}

/// Reads `/proc/self/mountinfo`, see proc_pid_mountinfo(5).
pub(super) fn parse(text: &str) -> Vec<Mount> {
    text.lines().filter_map(parse_line).collect()
}

/// `36 35 98:0 /root /point rw,noatime optional:1 - ext4 /dev/sda1 rw,errors=continue`.
fn parse_line(line: &str) -> Option<Mount> {
    let (place, file_system) = line.split_once(" - ")?;
    let (mut place, mut file_system) = (place.split(' ').skip(4), file_system.split(' '));
    let (point, terms) = (unescaped(place.next()?), place.next()?);
    let (kind, source) = (unescaped(file_system.next()?), unescaped(file_system.next()?));
    let mut options: Vec<String> = terms.split(',').map(str::to_owned).collect();
    for option in file_system.next().unwrap_or_default().split(',').filter(|option| !option.is_empty()) {
        if !options.iter().any(|known| known == option) {
            options.push(option.to_owned());
        }
    }
    Some(Mount { point, source, file_system: kind, options })
}

/// The mount that a path lies in: the innermost, and of those at one place the last, which hides the others.
pub(super) fn of<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    let around = mounts.iter().filter(|mount| path.starts_with(&mount.point));
    around.max_by_key(|mount| Path::new(&mount.point).components().count())
}

/// A path as the kernel writes it into a line: blanks and the like as `\\040`.
pub(crate) fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits =
            after.get(..3).filter(|digits| *first == b'\\' && digits.iter().all(|d| (b'0'..=b'7').contains(d)));
        let octal = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match octal {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPTURED: &str = "\
22 27 0:20 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
95 27 254:17 / /srv/my\\040data ro,noatime shared:48 - xfs /dev/vdb1 rw,attr2
96 27 0:44 / /srv/my\\040data rw - tmpfs tmpfs rw,size=1024k
110 27 0:50 /export /mnt rw,relatime master:1 propagate_from:2 - nfs4 server:/export rw,vers=4.2
";

    #[test]
    fn mounts_are_read_line_by_line() {
        let mounts = parse(CAPTURED);
        let shown: Vec<String> = mounts.iter().map(|m| format!("{}|{}|{}", m.point, m.source, m.file_system)).collect();
        let expect = [
            "/sys|sysfs|sysfs",
            "/|/dev/vda1|ext4",
            "/srv/my data|/dev/vdb1|xfs",
            "/srv/my data|tmpfs|tmpfs",
            "/mnt|server:/export|nfs4",
        ];
        assert_eq!(shown, expect);
        assert!(mounts[2].is_read_only() && mounts[2].has("noatime") && !mounts[3].is_read_only());
        assert_eq!(mounts[1].options, ["rw", "relatime", "errors=remount-ro"]);
        assert_eq!(parse("nonsense\n36 35 - \n"), []);
    }

    #[test]
    fn a_path_lies_in_the_innermost_mount() {
        let mounts = parse(CAPTURED);
        let check =
            |path: &str, expect: &str| assert_eq!(of(&mounts, Path::new(path)).unwrap().source, expect, "{path}");
        check("/etc/passwd", "/dev/vda1");
        check("/srv/my data/a", "tmpfs");
        check("/srv/my database", "/dev/vda1");
        check("/mnt", "server:/export");
    }

    #[test]
    fn blanks_in_paths_are_read() {
        assert_eq!(unescaped("a\\040b\\011c\\134d\\9\\04"), "a b\tc\\d\\9\\04");
    }
}
