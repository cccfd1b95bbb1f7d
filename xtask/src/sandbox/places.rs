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
    let base = if is_root() { Some("/var/cache".into()) } else { own_cache(environment::var) };
    base.unwrap_or_else(environment::temp_dir).join("wildebeest")
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root() && !elevation::in_user_namespace()
}

/// Where an ordinary user keeps what is dear to make. As the rules for the variable have it, a relative path is none.
fn own_cache(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let named = variable("XDG_CACHE_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    named.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")))
}

/// The directory for programs that are compiled on this machine once, made where it is not there. Nobody else can enter it:
/// what lies in it is run, and whoever compiles it asks nobody whether others may change that.
///
/// # Errors
/// When it can't be made, or others can change it.
pub(crate) fn tools_dir() -> Result<PathBuf, SandboxError> {
    let dir = own(&cache_dir().join("tools"))?;
    files::set_mode(&dir, 0o700)?;
    Ok(dir)
}

/// The directory for the disks of one herd; `name` keeps herds that run at once apart.
#[must_use]
pub fn scratch_dir(name: &str) -> PathBuf {
    // The users of a machine are kept apart by a part of their cache's path, which names their home.
    let base = if is_root() { PathBuf::from(OF_ROOT) } else { cache_dir().join("scratch") };
    base.join(name)
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

/// Makes a directory for what lasts, and refuses one that others can change; gives where it is. A link may lead to it,
/// to another disk for instance: nobody else can set one there.
pub(super) fn own(dir: &Path) -> Result<PathBuf, SandboxError> {
    make(dir)?;
    let dir = files::canonical(dir)?;
    refuse_foreign(&dir)?;
    Ok(dir)
}

/// Makes a directory where there is nothing. Nobody else may change it, whatever is usual for new ones.
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
    fn a_user_has_a_cache_where_the_environment_says() {
        let check = |named: Option<&str>, home: Option<&str>, expect: Option<&str>| {
            let variable = |name: &str| match name {
                "HOME" => home.map(str::to_owned),
                _ => named.map(str::to_owned),
            };
            assert_eq!(own_cache(variable), expect.map(PathBuf::from), "{named:?} {home:?}");
        };
        check(None, Some("/home/a"), Some("/home/a/.cache"));
        check(Some("/cache"), Some("/home/a"), Some("/cache"));
        check(Some("cache"), Some("/home/a"), Some("/home/a/.cache"));
        check(None, None, None);
    }

    #[test]
    fn a_directory_that_is_made_is_nobody_elses_to_change() {
        let dir = tempfile::tempdir().unwrap();
        let place = own(&dir.path().join("a/b")).unwrap();
        assert_eq!(files::stat(&place).unwrap().map(|stat| stat.mode), Some(0o755));
        files::set_mode(&place, 0o775).unwrap();
        assert!(own(&place).is_err());
    }

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
