//! What is mounted, as `/proc/self/mountinfo` has it.

use std::path::{Path, PathBuf};

use super::fstab::{escaped, unescaped};
use crate::text_file::end_line;

/// A file system at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mounted {
    pub(crate) target: String,
    pub(crate) filesystem: String,
    pub(crate) source: String,
    /// The number of the file system, and which of its directories is seen: all of it, or what was bound.
    device: String,
    root: PathBuf,
    /// Of this place, and of the file system wherever it is mounted.
    options: Vec<String>,
}

impl Mounted {
    /// Reads a line like `36 35 98:0 /sub /srv rw,noatime shared:1 - ext4 /dev/sda1 rw,errors=continue`; see
    /// proc_pid_mountinfo(5).
    fn parse(line: &str) -> Option<Self> {
        let (own, shared) = line.split_once(" - ")?;
        let own: Vec<&str> = own.split(' ').collect();
        let mut shared = shared.split(' ');
        let (filesystem, source) = (shared.next()?, shared.next()?);
        let options = [own.get(5)?, shared.next().unwrap_or_default()];
        Some(Self {
            target: unescaped(own.get(4)?),
            filesystem: filesystem.to_owned(),
            source: unescaped(source),
            device: (*own.get(2)?).to_owned(),
            root: unescaped(own.get(3)?).into(),
            options: options.iter().flat_map(|options| options.split(',')).map(unescaped).collect(),
        })
    }

    /// A file system of its own. Which number it would have nobody knows before: its place stands for that.
    pub(super) fn new(target: &str, filesystem: &str, source: &str, options: &str) -> Self {
        Self {
            target: target.to_owned(),
            filesystem: filesystem.to_owned(),
            source: source.to_owned(),
            device: escaped(target).into_owned(),
            root: "/".into(),
            options: words(options),
        }
    }

    /// The directory at `path`, which has no links on the way, bound to `target`.
    pub(super) fn bound(mountinfo: &str, path: &Path, target: &str, options: &str) -> Option<Self> {
        let around = around(mountinfo, path)?;
        let root = around.root.join(path.strip_prefix(&around.target).unwrap_or(path));
        Some(Self { target: target.to_owned(), root, options: words(options), ..around })
    }

    /// It, once it is remounted.
    pub(super) fn with_options(self, options: &str) -> Self {
        Self { options: words(options), ..self }
    }

    /// The line that would show it.
    fn line(&self) -> String {
        let (root, options) = (self.root.to_string_lossy(), self.options.join(","));
        let words = [&*root, self.target.as_str(), options.as_str()].map(|word| escaped(word).into_owned()).join(" ");
        format!("0 0 {} {words} - {} {} rw\n", self.device, self.filesystem, escaped(&self.source))
    }

    /// Whether it shows the directory at `path`, which has no links on the way: as that is seen now.
    pub(super) fn shows(&self, mountinfo: &str, path: &Path) -> bool {
        let Some(around) = around(mountinfo, path) else { return true };
        let below = path.strip_prefix(&around.target).unwrap_or(path);
        self.device == around.device && self.root == around.root.join(below)
    }

    /// Where what it shows is to be seen elsewhere, so that it could be bound from there.
    pub(super) fn origin(&self, mountinfo: &str) -> Option<PathBuf> {
        let mut others = mountinfo.lines().filter_map(Self::parse).filter(|other| other.target != self.target);
        others.find_map(|other| {
            let below = self.root.strip_prefix(&other.root).ok().filter(|_| other.device == self.device)?;
            Some(Path::new(&other.target).join(below))
        })
    }

    /// What mounts it again.
    pub(super) fn options(&self) -> String {
        self.options.join(",")
    }

    /// Whether it has an option of which the kernel shows that it has it. Nothing where that is not to be seen.
    pub(super) fn has(&self, option: &str) -> Option<bool> {
        let shows = |option: &str| self.options.iter().any(|own| own == option);
        match option {
            "ro" | "nosuid" | "nodev" | "noexec" | "noatime" | "nodiratime" | "sync" | "dirsync" => Some(shows(option)),
            "rw" => Some(!shows("ro")),
            "suid" => Some(!shows("nosuid")),
            "dev" => Some(!shows("nodev")),
            "exec" => Some(!shows("noexec")),
            "async" => Some(!shows("sync")),
            _ => None,
        }
    }
}

/// What is mounted at `target`: of those above each other, the topmost.
pub(crate) fn at(mountinfo: &str, target: &str) -> Option<Mounted> {
    mountinfo.lines().filter_map(Mounted::parse).rfind(|mounted| mounted.target == target)
}

/// What the kernel would show with `mounted` above all else.
pub(super) fn with(mountinfo: &str, mounted: &Mounted) -> String {
    let mut text = mountinfo.to_owned();
    end_line(&mut text);
    text + &mounted.line()
}

/// What the kernel would show without the topmost of what is at `target`.
pub(super) fn without(mountinfo: &str, target: &str) -> String {
    let lines: Vec<&str> = mountinfo.lines().collect();
    let is_there = |line: &&str| Mounted::parse(line).is_some_and(|mounted| mounted.target == target);
    let gone = lines.iter().rposition(is_there);
    let left = lines.iter().enumerate().filter(|(at, _)| Some(*at) != gone);
    left.map(|(_, line)| format!("{line}\n")).collect()
}

fn words(options: &str) -> Vec<String> {
    options.split(',').map(str::to_owned).collect()
}

/// The file system that a path lies in: of those at one place, the topmost.
fn around(mountinfo: &str, path: &Path) -> Option<Mounted> {
    let around = mountinfo.lines().filter_map(Mounted::parse).filter(|mounted| path.starts_with(&mounted.target));
    around.max_by_key(|mounted| Path::new(&mounted.target).components().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "\
22 27 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:12 - proc proc rw
27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
40 27 254:17 / /srv/my\\040data ro,noatime shared:20 master:2 - xfs /dev/vdb1 rw,attr2
41 27 0:33 / /mnt rw,relatime - nfs4 nas:/export rw,vers=4.2
42 27 0:34 / /mnt rw,relatime - tmpfs my\\040tmpfs rw,size=65536k
";

    #[test]
    fn mounts_are_read_from_what_the_kernel_shows() {
        let data = at(DEBIAN, "/srv/my data").unwrap();
        assert_eq!((data.source.as_str(), data.filesystem.as_str()), ("/dev/vdb1", "xfs"));
        assert_eq!(at(DEBIAN, "/").unwrap().filesystem, "ext4");
        assert_eq!(at(DEBIAN, "/srv"), None);
        assert_eq!(at("nonsense\n - \n", "/"), None);
    }

    #[test]
    fn what_would_be_mounted_is_shown_as_the_kernel_does() {
        let usb = Mounted::new("/mnt/my usb", "vfat", "/dev/sda1", "ro,noexec");
        let text = with(DEBIAN, &usb);
        assert_eq!(at(&text, "/mnt/my usb").map(|shown| shown.has("ro")), Some(Some(true)));
        assert_eq!(at(&text, "/mnt/my usb").map(|shown| shown.source), Some("/dev/sda1".into()));
        let bound = Mounted::bound(&text, Path::new("/mnt/my usb/a"), "/srv/a", "bind").unwrap();
        let text = with(&text, &bound);
        let shown = at(&text, "/srv/a").unwrap();
        assert_eq!((shown.filesystem.as_str(), shown.shows(&text, Path::new("/mnt/my usb/a"))), ("vfat", true));
        assert!(!shown.shows(&text, Path::new("/mnt/my usb/b")));
        assert_eq!(at(&without(DEBIAN, "/mnt"), "/mnt").unwrap().filesystem, "nfs4", "the topmost goes");
        assert_eq!(without(DEBIAN, "/none"), DEBIAN);
    }

    #[test]
    fn what_is_bound_is_known_by_its_device_and_its_place_there() {
        let text = format!(
            "{DEBIAN}50 27 254:1 /srv/source /srv/bound rw - ext4 /dev/vda1 rw\n51 27 254:17 /a /srv/of\\040data rw - xfs \
             /dev/vdb1 rw\n"
        );
        let check = |target: &str, source: &str, expect| {
            assert_eq!(at(&text, target).unwrap().shows(&text, Path::new(source)), expect, "{target} {source}");
        };
        check("/srv/bound", "/srv/source", true);
        check("/srv/bound", "/srv/other", false);
        check("/srv/bound", "/srv/my data/srv/source", false);
        check("/srv/of data", "/srv/my data/a", true);
        check("/srv/of data", "/srv/my data", false);
        check("/srv/of data", "/a", false);
        let origin = |target: &str| at(&text, target).unwrap().origin(&text);
        assert_eq!(origin("/srv/bound"), Some("/srv/source".into()));
        assert_eq!(origin("/srv/of data"), Some("/srv/my data/a".into()));
        assert_eq!(origin("/proc"), None);
    }

    #[test]
    fn the_topmost_is_what_is_seen() {
        assert_eq!(at(DEBIAN, "/mnt").unwrap().source, "my tmpfs");
    }

    #[test]
    fn some_options_are_shown() {
        let data = at(DEBIAN, "/srv/my data").unwrap();
        let check = |option: &str, expect: Option<bool>| assert_eq!(data.has(option), expect, "{option}");
        check("ro", Some(true));
        check("rw", Some(false));
        check("noatime", Some(true));
        check("noexec", Some(false));
        check("exec", Some(true));
        check("nofail", None);
        check("defaults", None);
    }
}
