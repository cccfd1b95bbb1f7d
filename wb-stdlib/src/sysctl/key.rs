//! Names and values of the kernel's settings.

use std::path::PathBuf;

/// The key of a setting, by its path below `/proc/sys`. `net.ipv4.ip_forward` and `net/ipv4/ip_forward` are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key(String);

impl Key {
    /// Reads a key as sysctl(8) does: its first separator, a dot or a slash, says which of the two separates, and the
    /// other one is part of a name then, as in `net.ipv4.conf.eth0/100.rp_filter`. Nothing where it leads nowhere.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let swap = |c: char| match c {
            '.' => '/',
            '/' => '.',
            c => c,
        };
        let dots = text.find(['.', '/']).is_some_and(|at| text[at..].starts_with('.'));
        let path: String = if dots { text.chars().map(swap).collect() } else { text.to_owned() };
        let is_name = |name: &str| {
            !matches!(name, "" | "." | "..") && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:@+".contains(c))
        };
        path.split('/').all(is_name).then_some(Self(path))
    }

    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from("/proc/sys").join(&self.0)
    }
}

/// A value with one blank wherever there are blanks: the kernel shows tabs where people write blanks.
pub(super) fn normal(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_and_slashes_lead_to_the_same_file() {
        let check = |text: &str, expect: Option<&str>| {
            let path = Key::parse(text).map(|key| key.path().display().to_string());
            assert_eq!(path, expect.map(|path| format!("/proc/sys/{path}")), "{text}");
        };
        check("net.ipv4.ip_forward", Some("net/ipv4/ip_forward"));
        check("net/ipv4/ip_forward", Some("net/ipv4/ip_forward"));
        check("net.ipv4.conf.eth0/100.rp_filter", Some("net/ipv4/conf/eth0.100/rp_filter"));
        check("net/ipv4/conf/eth0.100/rp_filter", Some("net/ipv4/conf/eth0.100/rp_filter"));
        check("", None);
        check("/etc/passwd", None);
        check("../etc/passwd", None);
        check("kernel/../../etc/passwd", None);
        check("kernel.//.x", None);
        check("kernel.a b", None);
        check("kernel.a=b", None);
        check("net.ipv4.conf.*.rp_filter", None);
        check("-kernel.x\n", None);
    }

    #[test]
    fn blanks_of_values_are_all_the_same() {
        assert_eq!(normal("4096\t87380\t6291456\n"), "4096 87380 6291456");
        assert_eq!(normal(" 1 "), "1");
        assert_eq!(normal("\n"), "");
    }
}
