//! Packages that hosts downloaded, kept for later herds. It only saves time: apt in a host checks and installs them as
//! if it had downloaded them itself.

use std::ffi::OsStr;
use std::path::Path;

use wb_core::system::files;

use super::SandboxError;

/// Where apt keeps what it downloaded, below a host's root.
const ARCHIVES: &str = "var/cache/apt/archives";

/// Makes a layer for hosts at `layer` that has the packages in `store`: as links, because a layer must not change
/// under a host.
pub(super) fn lay_out(store: &Path, layer: &Path) -> Result<(), SandboxError> {
    let archives = layer.join(ARCHIVES);
    files::create_dir(&archives)?;
    files::list(store)?.iter().try_for_each(|package| share(package, &archives))
}

/// Puts what the hosts in `hosts` downloaded into `store`. What can't be kept is no matter.
pub(super) fn keep(hosts: &Path, store: &Path) {
    for host in files::list(hosts).unwrap_or_default() {
        let downloaded = files::list(host.join("upper").join(ARCHIVES)).unwrap_or_default();
        for package in downloaded.iter().filter(|file| file.extension() == Some(OsStr::new("deb"))) {
            drop(share(package, store));
        }
    }
}

/// Puts the packages in `archives`, where an apt downloaded them, into `store`.
pub(super) fn collect(archives: &Path, store: &Path) -> Result<(), SandboxError> {
    let downloaded = files::list(archives)?.into_iter().filter(|file| file.extension() == Some(OsStr::new("deb")));
    downloaded.into_iter().try_for_each(|package| share(&package, store))
}

/// Gives a file a second name in another directory, or copies it where that is on another file system.
fn share(file: &Path, dir: &Path) -> Result<(), SandboxError> {
    let to = dir.join(file.file_name().unwrap_or_default());
    if files::exists(&to) || files::hard_link(file, &to).is_ok() {
        return Ok(());
    }
    Ok(files::copy(file, to)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_host_downloaded_the_next_one_finds() {
        let dir = tempfile::tempdir().unwrap();
        let [hosts, store, layer] = ["hosts", "store", "layer"].map(|name| dir.path().join(name));
        let archives = hosts.join("web1/upper").join(ARCHIVES);
        for new in [&archives, &store] {
            files::create_dir(new).unwrap();
        }
        for name in ["a.deb", "lock"] {
            files::write(archives.join(name), name, 0o644).unwrap();
        }
        keep(&hosts, &store);
        keep(&hosts, &store);
        lay_out(&store, &layer).unwrap();
        let found = files::list(layer.join(ARCHIVES)).unwrap();
        assert_eq!(found, [layer.join(ARCHIVES).join("a.deb")]);
        assert_eq!(files::read_text(&found[0]).unwrap(), "a.deb");
    }
}
