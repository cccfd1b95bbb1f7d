//! Where sandboxes keep things when nobody says otherwise.

use std::path::PathBuf;

use wb_core::system::environment;

use super::elevation;

/// The directory for what is dear to make and safe to delete: images and packages.
#[must_use]
pub fn cache_dir() -> PathBuf {
    let own = || {
        let home = || environment::var("HOME").map(|home| PathBuf::from(home).join(".cache"));
        environment::var("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)
    };
    let ordinary_user = elevation::in_user_namespace() || !rustix::process::geteuid().is_root();
    let base = if ordinary_user { own() } else { Some("/var/cache".into()) };
    base.unwrap_or_else(environment::temp_dir).join("wildebeest")
}

/// The directory for the disks of one herd; `name` keeps herds that run at once apart.
#[must_use]
pub fn scratch_dir(name: &str) -> PathBuf {
    // The users of a machine are kept apart by a part of their cache's path, which names their home.
    if cache_dir().starts_with("/var/cache") {
        return PathBuf::from("/var/tmp/wildebeest").join(name);
    }
    cache_dir().join("scratch").join(name)
}
