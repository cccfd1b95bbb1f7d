//! Temporary directories and files.

use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use wb_core::system::System;
use wb_core::system::files::{self, Attributes, FileError, Lock};

use crate::Host;
use crate::owner::{self, OwnerError, User};

/// Where they are: on a disk, since what is in them may be large, and where only root makes names.
const BASE: &str = "/var/cache/wildebeest";

/// Why there is no temporary directory or file.
#[derive(Debug, thiserror::Error)]
pub enum TemporaryError {
    /// Its user is not there.
    #[error("could not make a temporary directory")]
    Owner(#[from] OwnerError),
    /// It can't be made.
    #[error("could not make a temporary directory")]
    File(#[from] FileError),
    /// A file is to have a name that is none, or leads elsewhere.
    #[error("`{name}` is no name of a temporary file\nhint: a name alone, as in `countries.csv`")]
    BadName {
        /// What was said.
        name: String,
    },
}

/// A directory that only its owner can enter, and that is gone, with all that is in it, when this value is: also after an
/// error or a panic. What a run leaves that is killed is removed by the next one that makes such a directory.
/// [`Host::temporary_dir`] makes it.
#[derive(Debug)]
#[must_use = "it is gone when this is"]
pub struct TemporaryDir {
    path: PathBuf,
    owner: Option<User>,
    place: Option<Place>,
}

/// A file that only root can read and write, in a [`TemporaryDir`] of its own, and gone with that when this value is.
/// [`Host::temporary_file`] makes it.
#[derive(Debug)]
#[must_use = "it is gone when this is"]
pub struct TemporaryFile {
    path: PathBuf,
    _dir: TemporaryDir,
}

/// Where it lies, as seen from this process.
#[derive(Debug)]
struct Place {
    base: PathBuf,
    path: PathBuf,
    lock: PathBuf,
    /// Held by who lives.
    _held: Lock,
}

impl Host<'_> {
    /// A directory for what is needed until the end of the migration, or of the block.
    ///
    /// A plan makes none; what is to be put there is then unknown.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn load_the_countries(host: &Host) -> Result<()> {
    ///     let dir = host.temporary_dir()?;
    ///     let table = dir.path().join("countries.csv");
    ///     host.file(&table).content("de,Germany\n").present()?;
    ///     host.command("shop-import").arg(table.display().to_string()).run()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(load_the_countries);
    /// ```
    ///
    /// # Errors
    /// When it can't be made.
    pub fn temporary_dir(&self) -> Result<TemporaryDir, TemporaryError> {
        self.temporary(None)
    }

    /// [`Host::temporary_dir`], for this user.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn build_the_shop(host: &Host) -> Result<()> {
    ///     let dir = host.temporary_dir_for("shop")?;
    ///     host.command("make -C /srv/shop").arg(format!("OUT={}", dir.path().display())).user("shop").run()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(build_the_shop);
    /// ```
    ///
    /// # Errors
    /// When there is no such user, or it can't be made.
    pub fn temporary_dir_for(&self, user: &str) -> Result<TemporaryDir, TemporaryError> {
        self.temporary(Some(user))
    }

    /// An empty file of this name, in a [`Host::temporary_dir`] of its own. [`Host::file`](crate::Look::file) gives it a content,
    /// which nobody else can read, and which no plan or report shows.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn load_the_countries(host: &Host) -> Result<()> {
    ///     let table = host.temporary_file("countries.csv")?;
    ///     host.file(table.path()).content("de,Germany\n").present()?;
    ///     host.command("shop-import").arg(table.path().display().to_string()).run()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(load_the_countries);
    /// ```
    ///
    /// # Errors
    /// When the name is none, or it can't be made.
    pub fn temporary_file(&self, name: &str) -> Result<TemporaryFile, TemporaryError> {
        let mut parts = Path::new(name).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name) {
            return Err(TemporaryError::BadName { name: name.to_owned() });
        }
        let dir = self.temporary_dir()?;
        let path = dir.path().join(name);
        if !self.plans() {
            self.system().write_file(&path, "", Attributes::mode(0o600))?;
        }
        Ok(TemporaryFile { path, _dir: dir })
    }

    fn temporary(&self, user: Option<&str>) -> Result<TemporaryDir, TemporaryError> {
        match self.plans() {
            true => Ok(TemporaryDir { path: Path::new(BASE).join("planned"), owner: None, place: None }),
            false => TemporaryDir::make(self.system(), user),
        }
    }
}

impl TemporaryDir {
    /// Where it is, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whose it is, where it is not root's.
    pub(crate) fn owner(&self) -> Option<User> {
        self.owner
    }

    /// Removes what a run left that was killed, where somebody would have made such a directory, and needs none any more.
    pub(crate) fn tidy(system: &System) -> Result<(), TemporaryError> {
        let base = system.path(BASE);
        if files::exists(&base) {
            sweep(&base)?;
            drop(files::remove_empty_dir(&base));
        }
        Ok(())
    }

    pub(crate) fn make(system: &System, user: Option<&str>) -> Result<Self, TemporaryError> {
        let owner = user.map(|user| owner::user(system, user)).transpose()?;
        let base = system.path(BASE);
        files::create_dir(&base)?;
        files::set_mode(&base, 0o755)?;
        sweep(&base)?;
        let (name, held) = claim(&base)?;
        let place = Place { path: base.join(&name), lock: lock_of(&base, &name), base, _held: held };
        files::create_private_dir(&place.path)?;
        let made = Self { path: Path::new(BASE).join(&name), owner, place: Some(place) };
        if let (Some(user), Some(place)) = (owner, &made.place) {
            files::set_owner(&place.path, Some(user.uid), Some(user.gid))?;
        }
        Ok(made)
    }
}

impl TemporaryFile {
    /// Where it is, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TemporaryDir {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            drop(files::remove_tree(&place.path));
            drop(files::remove(&place.lock));
            // The last one takes the directory along that all of them are in.
            drop(files::remove_empty_dir(&place.base));
        }
    }
}

fn lock_of(base: &Path, name: &str) -> PathBuf {
    base.join(format!("{name}.lock"))
}

/// A name that nobody else has, with its lock.
fn claim(base: &Path) -> Result<(String, Lock), FileError> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    loop {
        let name = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        if files::exists(base.join(&name)) {
            continue;
        }
        if let Some(held) = files::try_lock(lock_of(base, &name))? {
            return Ok((name, held));
        }
    }
}

/// Removes what dead processes left: nobody holds its lock. The lock goes last, so that nothing is left without one.
fn sweep(base: &Path) -> Result<(), FileError> {
    for lock in files::list(base)? {
        let Some(name) = lock.file_name().and_then(|name| name.to_str()?.strip_suffix(".lock")) else { continue };
        if let Some(_held) = files::try_lock(&lock)? {
            files::remove_tree(base.join(name))?;
            files::remove(&lock)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Look as _;
    use crate::machine::Machine;

    #[test]
    fn a_directory_is_there_for_a_while() {
        let machine = Machine::new().with_me();
        let path = machine
            .apply(|host| {
                let dir = host.temporary_dir_for("me")?;
                let other = host.temporary_dir()?;
                assert_ne!(dir.path(), other.path());
                host.file(dir.path().join("a")).content("a").present()?;
                assert_eq!(machine.stat(dir.path()).unwrap().mode, 0o700);
                assert_eq!(machine.snapshot().values().filter(|content| *content == "a").count(), 1);
                Ok(dir.path().to_owned())
            })
            .unwrap();
        assert_eq!((machine.stat(&path), machine.stat(BASE)), (None, None));
    }

    #[test]
    fn it_goes_after_a_panic_too() {
        let machine = Machine::new();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            machine.apply(|host| {
                let _dir = host.temporary_dir()?;
                std::panic::resume_unwind(Box::new("cut short")) as Result<(), anyhow::Error>
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(machine.stat(BASE), None);
    }

    #[test]
    fn what_a_killed_run_left_is_removed_by_the_next() {
        let machine =
            Machine::new().file("/var/cache/wildebeest/1-0/a", "x").file("/var/cache/wildebeest/1-0.lock", "");
        machine
            .apply(|host| {
                let dir = host.temporary_dir()?;
                assert_eq!(machine.stat("/var/cache/wildebeest/1-0"), None);
                // What is in use stays.
                let _other = host.temporary_dir()?;
                assert!(machine.stat(dir.path()).is_some());
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_plan_makes_none() {
        let machine = Machine::new();
        machine
            .plan(|host| {
                let dir = host.temporary_dir()?;
                host.file(dir.path().join("a")).content("a").present()?;
                Ok(())
            })
            .unwrap();
        let expect = "? file /var/cache/wildebeest/planned/a present (cannot know: there is no directory \
                      /var/cache/wildebeest/planned yet)";
        assert_eq!((machine.said().as_str(), machine.stat("/var")), (expect, None));
    }

    #[test]
    fn a_file_is_there_for_a_while() {
        let machine = Machine::new();
        let write = |host: &Host| {
            let file = host.temporary_file("a.csv")?;
            host.file(file.path()).content("secret").present()?;
            assert_eq!(machine.stat(file.path()).map(|stat| stat.mode), (!host.plans()).then_some(0o600));
            Ok(file.path().to_owned())
        };
        let path = machine.apply(write).unwrap();
        assert!(path.ends_with("a.csv") && !machine.said().contains("secret"), "{}", machine.said());
        assert_eq!((machine.stat(&path), machine.stat(BASE)), (None, None));
        machine.plan(write).unwrap();
        assert_eq!(machine.stat(BASE), None);
    }

    #[test]
    fn a_file_has_a_name_alone() {
        let machine = Machine::new();
        for name in ["", ".", "..", "/", "a/b", "a/", "../a", "/etc/passwd"] {
            let error = machine.apply(|host| Ok(host.temporary_file(name).map(drop)?)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{name}` is no name of a temporary file\nhint: ")), "{error}");
        }
        assert_eq!(machine.stat("/var"), None);
    }

    #[test]
    fn a_user_that_is_not_there_is_an_error() {
        let machine = Machine::new().answer("getent", 2, "");
        let error = machine.apply(|host| Ok(host.temporary_dir_for("nobody2").map(drop)?)).unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "could not make a temporary directory: there is no user `nobody2` on this host"
        );
    }
}
