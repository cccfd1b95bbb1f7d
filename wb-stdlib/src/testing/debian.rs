//! What makes a directory look like a bare Debian 12, and what its apt does.

use std::path::Path;

use wb_core::system::files;

use super::{must, put};

/// Directories that every host has.
pub(super) const DIRECTORIES: [&str; 9] =
    ["/etc/cron.d", "/etc/default", "/etc/init.d", "/home", "/root", "/srv", "/tmp", "/usr/local/bin", "/var/log"];

/// What stands in its files.
pub(super) const FILES: [(&str, &str); 10] = [
    ("/etc/os-release", OS_RELEASE),
    ("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n"),
    ("/etc/group", "root:x:0:\n"),
    ("/etc/shadow", "root:*:19701:0:99999:7:::\n"),
    ("/etc/hosts", "127.0.0.1\tlocalhost\n"),
    ("/proc/1/comm", "init\n"),
    ("/proc/meminfo", "MemTotal:        2097152 kB\nMemAvailable:    1572864 kB\n"),
    ("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n"),
    ("/sys/devices/system/cpu/online", "0-1\n"),
    (STATUS, "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.21.22\n\n"),
];

/// A list of a repository, which says that the lists are there.
pub(super) const LISTS: &str = "/var/lib/apt/lists/deb.example.org_debian_dists_bookworm_InRelease";

const STATUS: &str = "/var/lib/dpkg/status";
const OS_RELEASE: &str = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\n\
                          VERSION_ID=\"12\"\nVERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n";

/// Writes into dpkg's list, below `root`, that a package is installed in this version, and in no other.
pub(super) fn install(root: &Path, name: &str, version: &str) {
    let path = root.join(STATUS.trim_start_matches('/'));
    let list = must(files::read_optional(&path)).unwrap_or_default();
    let list = String::from_utf8_lossy(&list);
    let first = format!("Package: {name}\n");
    let stanza = format!("{first}Status: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n");
    let others = list.split_inclusive("\n\n").filter(|stanza| !stanza.starts_with(&first));
    put(&path, &others.chain([stanza.as_str()]).collect::<String>());
}

/// What `apt-cache policy` says of a package that a repository has in one version.
pub(super) fn policy(name: &str, version: &str) -> String {
    let place = "        500 http://deb.example.org/debian bookworm/main amd64 Packages";
    format!("{name}:\n  Installed: (none)\n  Candidate: {version}\n  Version table:\n     {version} 500\n{place}\n")
}

/// Whether a line of apt-get installs a package, and does not only say what would come of it.
pub(super) fn installs(line: &str, name: &str) -> bool {
    let Some((options, names)) = line.split_once(" install ").and_then(|(_, rest)| rest.split_once("-- ")) else {
        return false;
    };
    let is_meant = |word: &str| word.split('=').next() == Some(name);
    names.split(' ').any(is_meant) && !options.split(' ').any(|option| option == "-s")
}
