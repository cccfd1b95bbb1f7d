//! Control groups: systemd has its services in some, below one that its host gets from `init.sh`. They
//! outlive the processes in them, and so are removed after the herd.

use std::path::Path;

use wb_core::system::files::{self, Kind};

/// Removes those of the hosts with their disks in `hosts`, once no process is left in them.
pub(super) fn remove(hosts: &Path) {
    let mounts = files::read_text("/proc/mounts").unwrap_or_default();
    let Some(root) = root(&mounts) else { return };
    let ours = name_of(hosts);
    for group in files::list(root).unwrap_or_default() {
        if group.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&ours)) {
            remove_tree(&group);
        }
    }
}

/// The start of the names of groups of hosts.
fn name_of(hosts: &Path) -> String {
    format!("wildebeest{}-", hosts.display().to_string().replace('/', "-"))
}

/// Where the second version of control groups is mounted.
fn root(mounts: &str) -> Option<&str> {
    let words = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    words.into_iter().find(|words| words.get(2) == Some(&"cgroup2")).map(|words| words[1])
}

/// Only the directories are real, and go from the bottom.
fn remove_tree(group: &Path) {
    let is_group = |path: &&Path| matches!(files::stat(path), Ok(Some(stat)) if stat.kind == Kind::Directory);
    let inside = files::list(group).unwrap_or_default();
    inside.iter().map(AsRef::as_ref).filter(is_group).for_each(remove_tree);
    drop(files::remove_empty_dir(group));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_by_the_disks_of_their_hosts() {
        assert_eq!(name_of(Path::new("/var/lib/x/hosts")), "wildebeest-var-lib-x-hosts-");
        let mounts = "tmpfs /run tmpfs rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n";
        assert_eq!(root(mounts), Some("/sys/fs/cgroup/unified"));
        assert_eq!(root("tmpfs /run tmpfs rw 0 0\n"), None);
    }
}
