//! Where sandboxes keep things when nobody says otherwise.

use std::path::{Path, PathBuf};

use wb_core::system::environment;
use wb_core::system::files::{self, Kind};

use super::{SandboxError, elevation};

/// Where root's herds have their disks. Nobody else can write beside it, or enter it.
const OF_ROOT: &str = "/var/lib/wildebeest-sandboxes";

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
        return Path::new(OF_ROOT).join(name);
    }
    cache_dir().join("scratch").join(name)
}

/// Makes a scratch directory, and refuses what somebody else put in its place.
pub(super) fn claim(scratch: &Path) -> Result<(), SandboxError> {
    if scratch.starts_with(OF_ROOT) {
        // Where it is there already, what it is decides, not who was first.
        drop(files::create_private_dir(OF_ROOT));
        refuse_foreign(Path::new(OF_ROOT))?;
        files::set_mode(OF_ROOT, 0o700)?;
    }
    make(scratch)?;
    refuse_foreign(scratch)
}

/// Makes a directory for what lasts, and refuses one that others can change; gives where it is. A link may lead to it, to
/// another disk for instance: nobody else can set one there.
pub(super) fn own(dir: &Path) -> Result<PathBuf, SandboxError> {
    make(dir)?;
    let dir = files::canonical(dir)?;
    refuse_foreign(&dir)?;
    Ok(dir)
}

/// Makes a directory where there is nothing. Nobody else may write it, whatever new directories are by themselves.
fn make(dir: &Path) -> Result<(), SandboxError> {
    if files::stat(dir)?.is_none() {
        files::create_dir(dir)?;
        files::set_mode(dir, 0o755)?;
    }
    Ok(())
}

fn refuse_foreign(dir: &Path) -> Result<(), SandboxError> {
    let ours = |stat: &files::Stat| {
        stat.kind == Kind::Directory && stat.uid == rustix::process::geteuid().as_raw() && stat.mode & 0o022 == 0
    };
    match files::stat(dir)?.is_some_and(|stat| ours(&stat)) {
        true => Ok(()),
        false => Err(SandboxError::Foreign { dir: dir.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_directory_is_ours_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let refused = |name: &str| claim(&path(name)).is_err();
        assert!(!refused("new/herd"));
        assert!(!refused("new/herd"), "it stays ours");
        files::link(path("new"), path("link")).unwrap();
        assert!(refused("link"));
        files::write(path("file"), "", 0o644).unwrap();
        assert!(refused("file"));
        files::create_private_dir(path("open")).unwrap();
        files::set_mode(path("open"), 0o777).unwrap();
        assert!(refused("open"));
    }
}
