//! Layers: disks of hosts that were kept, for hosts that boot on them later.
//!
//! A layer is all that a host had over its image, and needs no other one: a host boots on it at once, and any of them
//! can go. What the layer before has just so is one file with two names, so that a layer takes the room and the time of
//! what is new in it.

mod name;
mod order;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wb_core::system::clock::{Clock as _, Real};
use wb_core::system::{Command, CommandError, files};

use super::process::Process;
use super::record::boot;
use super::{Host, STEP, SandboxError, lock_soon, places, usage, while_doing};
use crate::at_once;
use name::{HERD, Name};
use order::{Limits, Removed};

/// The layers of a cache. Several processes may use them at once.
#[derive(Debug, Clone)]
pub struct Layers {
    dir: PathBuf,
    cache: PathBuf,
}

/// A disk of a host that was kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// What names it: a hash of all that made it what it is.
    pub key: String,
    /// The directory to boot on.
    pub root: PathBuf,
    /// What was said of it when it was kept.
    pub about: Value,
}

/// What is known of a layer, or of the layer of a herd.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Kept {
    /// What names it. That of a herd begins with `herd-`.
    pub key: String,
    /// The layer that it was kept after, and may share files with.
    pub before: Option<String>,
    /// How much of the disk it takes, beside that one.
    pub bytes: u64,
    /// When it was kept: seconds since 1970, UTC.
    pub made: u64,
    /// When it was used last.
    pub used: u64,
    /// What was said of it when it was kept.
    pub about: Value,
}

/// What pruning did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// How many layers it removed.
    pub layers: usize,
    /// How many bytes that made free.
    pub bytes: u64,
}

/// The file that is there once all others are.
const RECORD: &str = "layer.json";
/// Its time is that of the last use.
const USED: &str = "used";
/// Has the boot of the machine in which the layer was made, until all of it is on the disk.
const UNSETTLED: &str = "unsettled";
const UPPER: &str = "upper";
/// The file whose lock has who changes which layers there are.
const LOCK: &str = "lock";

/// Layers of another version are not read.
const VERSION: u32 = 1;

/// After so many seconds nobody is at what is not whole.
const ABANDONED: u64 = 24 * 60 * 60;

/// So many disks are copied at once.
const COPIES: usize = 4;

/// How long copying a disk may take.
const COPY: Duration = Duration::from_secs(10 * 60);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Record {
    version: u32,
    before: Option<String>,
    bytes: u64,
    made: u64,
    about: Value,
}

/// What the record of each version has.
#[derive(Debug, Deserialize)]
struct MadeBy {
    version: u32,
}

impl Layers {
    /// Those of this cache. Their directory may be a link to one on another disk, with other things in it, which stay.
    ///
    /// # Errors
    /// When their directory can't be made, or others than this user can change it.
    pub fn open(cache: &Path) -> Result<Self, SandboxError> {
        Ok(Self { dir: places::own(&cache.join("layers"))?, cache: cache.to_owned() })
    }

    /// The layer of this key, which is used from now on.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<Layer> {
        let about = self.use_now(key)?.about;
        Some(Layer { key: key.to_owned(), root: self.dir.join(key).join(UPPER), about })
    }

    /// Keeps the disk of a host that is on, and stands still meanwhile. `before` is the layer that it was booted on, or
    /// the one that was kept of it last. The key is a hash of 32 digits, before which `twin-` may stand.
    ///
    /// # Errors
    /// When the host is down, or its disk can't be copied, or the key is none.
    pub fn keep(
        &self,
        host: &Host,
        key: &str,
        before: Option<&Layer>,
        about: &impl Serialize,
    ) -> Result<Layer, SandboxError> {
        let root_before = before.map(|before| before.root.as_path()).filter(|root| files::exists(root));
        let shared = root_before.map(|root| Shared { root, what: may_have_two_names });
        let record = Record::new(before.map(|before| before.key.clone()), self.said(key, about)?);
        let record = self.make(key, record, |new| {
            let root = new.join(UPPER);
            host.frozen(|| copy(host, &root, shared))??;
            own_bytes(&root, root_before)
        })?;
        Ok(Layer { key: key.to_owned(), root: self.dir.join(key).join(UPPER), about: record.about })
    }

    /// Keeps the disks of all these hosts as they are at one moment: all stand still until the last one is copied.
    ///
    /// # Errors
    /// When one of them is down, or its disk can't be copied, or the key is none.
    pub fn keep_herd(&self, key: &str, hosts: &[&Host], about: &impl Serialize) -> Result<(), SandboxError> {
        let name = format!("{HERD}{key}");
        let record = Record::new(None, self.said(&name, about)?);
        self.make(&name, record, |new| {
            all_frozen(hosts, &mut || copy_all(hosts, new))?;
            own_bytes(new, None)
        })?;
        Ok(())
    }

    /// The directories to boot on of the hosts of a herd, by name.
    #[must_use]
    pub fn find_herd(&self, key: &str) -> Option<BTreeMap<String, PathBuf>> {
        let name = format!("{HERD}{key}");
        self.use_now(&name)?;
        let dirs = files::list(self.dir.join(name)).ok()?.into_iter().filter(|dir| files::exists(dir.join(UPPER)));
        Some(dirs.filter_map(|dir| Some((dir.file_name()?.to_str()?.to_owned(), dir.join(UPPER)))).collect())
    }

    /// Does without a layer from now on: nobody finds it any more, and another one can be kept under its key. Hosts that
    /// run on it run on, but can't boot on it again. Its room is free after the next [`Layers::prune`] at which no herd
    /// runs.
    ///
    /// # Errors
    /// When it can't be taken out of its place, or another process is at it for too long.
    pub fn forget(&self, key: &str) -> Result<(), SandboxError> {
        if !name::is_of_layer(key) || !files::exists(self.dir.join(key)) {
            return Ok(());
        }
        let free = || files::try_lock(self.dir.join(LOCK)).transpose();
        let _lock = super::wait("another process that chooses among layers", STEP, free)??;
        self.tell(&order::heirs(self.list()?, key))?;
        self.retire(key).map(drop)
    }

    /// All that are whole.
    ///
    /// # Errors
    /// When their directory can't be read.
    pub fn list(&self) -> Result<Vec<Kept>, SandboxError> {
        Ok(self.names()?.iter().filter_map(|name| self.kept(name)).collect())
    }

    /// Removes what was not used for longer than `older`, and then what was not used for longest, until all others take
    /// `most` bytes together. Those in `keep` stay, and what was used within the last six hours. What was forgotten goes
    /// once no herd runs. It removes nothing where another process is at it.
    ///
    /// # Errors
    /// When something can't be removed.
    pub fn prune(&self, older: Duration, most: u64, keep: &BTreeSet<String>) -> Result<Pruned, SandboxError> {
        // That may take its time, and nobody is to wait for the lock meanwhile.
        self.settle()?;
        let Some(lock) = lock_soon(&self.dir.join(LOCK))? else { return Ok(Pruned::default()) };
        let now = Real.now().as_secs();
        let order = order::order(self.list()?, Limits { now, older: older.as_secs(), most, spared: keep });
        self.tell(&order.changed)?;
        let (mut pruned, mut gone) = (Pruned::default(), Vec::new());
        for removed in &order.removed {
            if let Some(path) = self.retire_unused(removed)? {
                gone.push(path);
                pruned = Pruned { layers: pruned.layers + 1, bytes: pruned.bytes + removed.freed };
            }
        }
        gone.extend(self.rests(now)?);
        // From here on nobody comes to any of them.
        drop(lock);
        for path in gone {
            files::remove_tree(path)?;
        }
        Ok(pruned)
    }

    /// Removes all of them, and what others left who were cut short. No host may have booted on any.
    ///
    /// # Errors
    /// When one can't be removed; [`SandboxError::InUse`] where another process is at it.
    pub fn clear(&self) -> Result<Pruned, SandboxError> {
        let in_use = || SandboxError::InUse { dir: self.dir.clone() };
        let _lock = lock_soon(&self.dir.join(LOCK))?.ok_or_else(in_use)?;
        let kept = self.list()?;
        let is_in_the_making = |name: &Name<'_>| matches!(name, Name::New { by } if Process::of(*by).is_some());
        for path in files::list(&self.dir)? {
            if Name::of(&path).is_some_and(|name| !is_in_the_making(&name)) {
                drop(files::remove(path.join(RECORD)));
                files::remove_tree(path)?;
            }
        }
        Ok(Pruned { layers: kept.len(), bytes: kept.iter().map(|layer| layer.bytes).sum() })
    }

    fn said(&self, name: &str, about: &impl Serialize) -> Result<Value, SandboxError> {
        let path = self.dir.join(name).join(RECORD);
        serde_json::to_value(about).map_err(|source| SandboxError::Record { path, source })
    }

    /// Makes a layer beside its place, which it gets once it is whole. `fill` says how many bytes it takes.
    fn make(
        &self,
        name: &str,
        mut record: Record,
        fill: impl FnOnce(&Path) -> Result<u64, SandboxError>,
    ) -> Result<Record, SandboxError> {
        if !name::is_of_layer(name) {
            return Err(SandboxError::Key(name.to_owned()));
        }
        let new = self.dir.join(name::new(name));
        files::remove_tree(&new)?;
        files::create_dir(&new)?;
        let made = fill(&new).and_then(|bytes| {
            record.bytes = bytes;
            files::replace(new.join(UNSETTLED), boot()?)?;
            files::replace(new.join(USED), "")?;
            record.write(&new)?;
            self.place(&new, name)
        });
        if made.is_err() {
            drop(files::remove_tree(&new));
        }
        made.map(|()| record)
    }

    /// Gives a layer its place. A whole one that somebody else made meanwhile stays there.
    fn place(&self, new: &Path, name: &str) -> Result<(), SandboxError> {
        let place = self.dir.join(name);
        // Nothing takes the place of a directory that has something in it.
        if files::rename(new, &place).is_ok() {
            return Ok(());
        }
        if self.read(name).is_some() {
            files::remove_tree(new)?;
            return Ok(());
        }
        self.retire(name)?;
        Ok(files::rename(new, place)?)
    }

    /// Writes down what layers have that others shared. That comes before those go: what is counted twice goes too early,
    /// and what is not counted never goes.
    fn tell(&self, heirs: &[Kept]) -> Result<(), SandboxError> {
        heirs.iter().try_for_each(|heir| Record::of(heir).write(&self.dir.join(&heir.key)))
    }

    /// Takes a layer out of its place, whatever is there, so that nobody finds it any more; gives where it is now, for
    /// those who have booted on it. Nothing where there is none.
    fn retire(&self, name: &str) -> Result<Option<PathBuf>, SandboxError> {
        let gone = self.dir.join(name::gone(name));
        match files::rename(self.dir.join(name), &gone) {
            Ok(()) => Ok(Some(gone)),
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Retires a layer, unless somebody has come to use it.
    fn retire_unused(&self, removed: &Removed) -> Result<Option<PathBuf>, SandboxError> {
        let Some(gone) = self.retire(&removed.key)? else { return Ok(None) };
        // Whoever finds a layer notes that, and nobody can find this one any more.
        if used(&gone)?.is_none_or(|used| used <= removed.used) {
            return Ok(Some(gone));
        }
        files::rename(gone, self.dir.join(&removed.key))?;
        Ok(None)
    }

    fn use_now(&self, name: &str) -> Option<Record> {
        let record = self.read(name)?;
        // A use that can't be noted is forgotten, and no reason to do without a layer, unless that has gone meanwhile.
        let is_noted = files::replace(self.dir.join(name).join(USED), "").is_ok();
        (is_noted || self.read(name).is_some()).then_some(record)
    }

    /// The record of a layer that is whole: not one that may not have been on the disk when the machine went down.
    fn read(&self, name: &str) -> Option<Record> {
        let dir = self.dir.join(Some(name).filter(|name| name::is_of_layer(name))?);
        let record: Record = serde_json::from_slice(&files::read_optional(dir.join(RECORD)).ok()??).ok()?;
        let unsettled = files::read_optional(dir.join(UNSETTLED)).ok()?;
        let is_whole = unsettled.is_none_or(|made_in| boot().is_ok_and(|now| now.as_bytes() == made_in));
        (record.version == VERSION && is_whole).then_some(record)
    }

    fn kept(&self, name: &str) -> Option<Kept> {
        let Record { before, bytes, made, about, .. } = self.read(name)?;
        let used = used(&self.dir.join(name)).ok()??;
        Some(Kept { key: name.to_owned(), before, bytes, made, used, about })
    }

    /// The names of all that are in their places.
    fn names(&self) -> Result<Vec<String>, SandboxError> {
        let paths = files::list(&self.dir)?;
        let layer = |path: &PathBuf| match Name::of(path)? {
            Name::Layer(name) => Some(name.to_owned()),
            Name::New { .. } | Name::Gone => None,
        };
        Ok(paths.iter().filter_map(layer).collect())
    }

    /// Brings to the disk what was made since the machine started.
    fn settle(&self) -> Result<(), SandboxError> {
        let marks = self.names()?.into_iter().map(|name| self.dir.join(name).join(UNSETTLED));
        let boot = boot()?;
        let marks: Vec<PathBuf> = marks.filter(|mark| files::read_text(mark).is_ok_and(|then| then == boot)).collect();
        if marks.is_empty() {
            return Ok(());
        }
        let sync = Command::new("sync").arg("--file-system").arg(&self.dir);
        sync.read().map_err(while_doing("bring layers to the disk"))?;
        for mark in marks {
            files::remove(mark)?;
        }
        Ok(())
    }

    /// What is not whole and was left by somebody who is gone, and what has lost its place and no host runs on.
    fn rests(&self, now: u64) -> Result<Vec<PathBuf>, SandboxError> {
        let (no_herds, mut rests) = (usage::has_no_herds(&self.cache)?, Vec::new());
        for path in files::list(&self.dir)? {
            let Some(stat) = files::stat(&path)?.filter(|stat| stat.kind == files::Kind::Directory) else { continue };
            let is_old = stat.modified.as_secs() + ABANDONED < now;
            let is_rest = match Name::of(&path) {
                Some(Name::Layer(name)) => is_old && self.is_torn(name),
                Some(Name::New { .. }) => is_old,
                Some(Name::Gone) => is_old || no_herds,
                None => false,
            };
            if is_rest {
                rests.push(path);
            }
        }
        Ok(rests)
    }

    /// Whether it is not whole. What a newer Wildebeest has made is, whatever that may be.
    fn is_torn(&self, name: &str) -> bool {
        let record = files::read_optional(self.dir.join(name).join(RECORD)).ok().flatten();
        let made_by = record.and_then(|record| serde_json::from_slice::<MadeBy>(&record).ok());
        self.read(name).is_none() && made_by.is_none_or(|made_by| made_by.version <= VERSION)
    }
}

/// When a layer was used last.
fn used(layer: &Path) -> Result<Option<u64>, SandboxError> {
    Ok(files::stat(layer.join(USED))?.map(|stat| stat.modified.as_secs()))
}

impl Kept {
    /// The key by which it was kept.
    fn key_given(&self) -> &str {
        self.key.strip_prefix(HERD).unwrap_or(&self.key)
    }
}

impl Record {
    fn new(before: Option<String>, about: Value) -> Self {
        Self { version: VERSION, before, bytes: 0, made: Real.now().as_secs(), about }
    }

    fn of(kept: &Kept) -> Self {
        let Kept { before, bytes, made, about, .. } = kept.clone();
        Self { version: VERSION, before, bytes, made, about }
    }

    fn write(&self, dir: &Path) -> Result<(), SandboxError> {
        let path = dir.join(RECORD);
        let text =
            serde_json::to_vec_pretty(self).map_err(|source| SandboxError::Record { path: path.clone(), source })?;
        Ok(files::write(path, text, 0o644)?)
    }
}

/// A disk whose files a layer may share, and which of them.
#[derive(Debug, Clone, Copy)]
struct Shared<'a> {
    root: &'a Path,
    what: fn(&Path) -> bool,
}

/// Where every file must have one name: cron and Postfix, for two, take no file that has a second one.
const ONE_NAME: [&str; 5] = ["etc", "home", "root", "var/lib/postfix", "var/spool"];

fn may_have_two_names(path: &Path) -> bool {
    !ONE_NAME.iter().any(|top| path.starts_with(top))
}

/// What two hosts have of packages is the same to the nanosecond, and to the byte.
fn is_of_packages(path: &Path) -> bool {
    path.starts_with("usr")
}

fn all_frozen(hosts: &[&Host], act: &mut dyn FnMut() -> Result<(), SandboxError>) -> Result<(), SandboxError> {
    match hosts.split_first() {
        Some((first, rest)) => first.frozen(|| all_frozen(rest, act))?,
        None => act(),
    }
}

/// The first disk is copied by itself: the others share files with it.
fn copy_all(hosts: &[&Host], new: &Path) -> Result<(), SandboxError> {
    let Some((first, rest)) = hosts.split_first() else { return Ok(()) };
    let root = |host: &Host| new.join(host.name()).join(UPPER);
    let root_of_first = root(first);
    copy(first, &root_of_first, None)?;
    let shared = Shared { root: &root_of_first, what: is_of_packages };
    let copied = at_once::at_most(COPIES, rest, |host| copy(host, &root(host), Some(shared)));
    copied.into_iter().collect()
}

/// Makes a directory of all that a host has over its image, as overlayfs wants it.
fn copy(host: &Host, to: &Path, shared: Option<Shared<'_>>) -> Result<(), SandboxError> {
    let disk = host.disk()?;
    let changes = disk.changes()?;
    files::create_dir(to)?;
    let (common, own): (Vec<&Path>, Vec<&Path>) =
        changes.there.iter().map(PathBuf::as_path).partition(|path| shared.is_some_and(|shared| (shared.what)(path)));
    let keeping = || format!("keep the disk of host {}", host.name());
    transfer(&disk.root, to, &common, shared.map(|shared| shared.root)).map_err(while_doing(keeping()))?;
    transfer(&disk.root, to, &own, None).map_err(while_doing(keeping()))?;
    hide(to, changes.gone.iter().map(PathBuf::as_path)).map_err(while_doing(keeping()))
}

/// Copies paths with all that there is to them. What `shared` has just so gets a second name.
fn transfer(from: &Path, to: &Path, paths: &[&Path], shared: Option<&Path>) -> Result<(), CommandError> {
    if paths.is_empty() {
        return Ok(());
    }
    // Times count to the nanosecond: many a migration runs within a second of the one before.
    let all_of_it = ["-aHAX", "--numeric-ids", "--modify-window=-1", "--from0", "--files-from=-"];
    let shared = shared.map(|root| format!("--link-dest={}", root.display()));
    let rsync = Command::new("rsync").args(all_of_it).args(shared);
    let rsync = rsync.args([from, to].map(|dir| format!("{}/", dir.display())));
    rsync.stdin(listed(paths.iter().copied())).timeout(COPY).read().map(drop)
}

/// Marks as gone what the image has at these paths.
fn hide<'a>(top: &Path, gone: impl Iterator<Item = &'a Path>) -> Result<(), CommandError> {
    const HIDE: &str = r#"for path; do mknod "$path" c 0 0; done"#;
    let list = listed(gone);
    if list.is_empty() {
        return Ok(());
    }
    Command::new("xargs").args(["-0", "sh", "-ec", HIDE, "hide"]).stdin(list).dir(top).read().map(drop)
}

/// Paths as a list that may have any name in it.
fn listed<'a>(paths: impl Iterator<Item = &'a Path>) -> Vec<u8> {
    paths.flat_map(|path| [&b"./"[..], path.as_os_str().as_bytes(), &b"\0"[..]].concat()).collect()
}

/// How much of the disk a layer takes beside the one before it.
fn own_bytes(layer: &Path, before: Option<&Path>) -> Result<u64, SandboxError> {
    let du = Command::new("du").args(["--summarize", "--block-size=1"]).args(before).arg(layer);
    let said = du.read().map_err(while_doing("measure a layer"))?;
    let last = said.lines().last().and_then(|line| line.split_whitespace().next()?.parse().ok());
    Ok(last.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn layers() -> (tempfile::TempDir, Layers) {
        let dir = tempfile::tempdir().unwrap();
        let layers = Layers::open(dir.path()).unwrap();
        (dir, layers)
    }

    /// A key that begins with these digits.
    fn key(digits: &str) -> String {
        format!("{digits:0<32}")
    }

    /// A layer that was said to be what its key begins with.
    fn make(layers: &Layers, digits: &str, before: Option<&str>) {
        let record = Record::new(before.map(key), Value::from(digits));
        let made = layers.make(&key(digits), record, |new| {
            files::create_dir(new.join(UPPER))?;
            Ok(5)
        });
        made.unwrap();
    }

    fn find(layers: &Layers, digits: &str) -> Option<Layer> {
        layers.find(&key(digits))
    }

    /// What all layers were said to be.
    fn all(layers: &Layers) -> Vec<Value> {
        layers.list().unwrap().into_iter().map(|kept| kept.about).collect()
    }

    /// As if it had been used, or made, last in 1970.
    fn age(path: &Path) {
        Command::new("touch").args(["--date", "@1000"]).arg(path).read().unwrap();
    }

    #[test]
    fn a_layer_is_found_once_it_is_whole() {
        let (_dir, layers) = layers();
        make(&layers, "a", None);
        let found = find(&layers, "a").unwrap();
        assert_eq!((found.about, files::exists(found.root)), (Value::from("a"), true));
        files::create_dir(layers.dir.join(key("7")).join(UPPER)).unwrap();
        assert_eq!((find(&layers, "7"), find(&layers, "0")), (None, None));
        assert_eq!(all(&layers), ["a"]);
        let failed = layers.make(&key("b"), Record::new(None, Value::Null), |_| Err(SandboxError::Name("b".into())));
        assert!(failed.is_err());
        assert_eq!(files::list(&layers.dir).unwrap().len(), 2, "nothing is left of it");
        let others = files::try_lock(layers.dir.join(LOCK)).unwrap();
        assert!(matches!(layers.clear(), Err(SandboxError::InUse { .. })));
        drop(others);
        assert_eq!(layers.clear().unwrap(), Pruned { layers: 1, bytes: 5 });
        assert_eq!(files::list(&layers.dir).unwrap(), [layers.dir.join(LOCK)]);
    }

    #[test]
    fn a_key_leads_nowhere_else() {
        let (dir, layers) = layers();
        make(&layers, "a", None);
        let upwards = format!("../layers/{}", key("a"));
        for key in ["", "..", "photos", upwards.as_str(), "A0000000000000000000000000000000"] {
            assert_eq!((layers.find(key), layers.find_herd(key)), (None, None), "{key}");
            let made = layers.make(key, Record::new(None, Value::Null), |_| Ok(5));
            assert!(matches!(made, Err(SandboxError::Key(_))), "{key}");
        }
        assert_eq!(files::list(dir.path()).unwrap().len(), 1);
    }

    #[test]
    fn what_is_of_others_stays() {
        let (dir, layers) = layers();
        make(&layers, "a", None);
        files::create_dir(dir.path().join("disk/photos")).unwrap();
        files::link("../disk/photos", layers.dir.join("photos")).unwrap();
        let made_by_a_newer_one = layers.dir.join(key("b"));
        files::create_dir(&made_by_a_newer_one).unwrap();
        files::write(made_by_a_newer_one.join(RECORD), r#"{"version":2,"what":"else"}"#, 0o644).unwrap();
        let torn = layers.dir.join(key("c"));
        let left = layers.dir.join(format!("{}.4000000.1.new", key("d")));
        let in_the_making = layers.dir.join(name::new(&key("e")));
        for path in [&torn, &left, &in_the_making] {
            files::create_dir(path).unwrap();
        }
        let there = || files::list(&layers.dir).unwrap();
        let photos = layers.dir.join("photos");
        let lock = layers.dir.join(LOCK);
        [&made_by_a_newer_one, &torn, &left, &photos].into_iter().for_each(|path| age(path));
        layers.prune(Duration::from_secs(60), 100, &BTreeSet::new()).unwrap();
        assert_eq!(
            there(),
            [&layers.dir.join(key("a")), &made_by_a_newer_one, &in_the_making, &lock, &photos].map(PathBuf::clone)
        );
        layers.clear().unwrap();
        assert_eq!(there(), [in_the_making, lock, photos]);
    }

    #[test]
    fn layers_may_lie_on_another_disk_but_not_where_others_can_change_them() {
        let dir = tempfile::tempdir().unwrap();
        files::create_dir(dir.path().join("disk")).unwrap();
        files::set_mode(dir.path().join("disk"), 0o755).unwrap();
        files::link("disk", dir.path().join("layers")).unwrap();
        assert_eq!(Layers::open(dir.path()).unwrap().dir, files::canonical(dir.path().join("disk")).unwrap());
        files::set_mode(dir.path().join("disk"), 0o777).unwrap();
        assert!(matches!(Layers::open(dir.path()), Err(SandboxError::Foreign { .. })));
    }

    #[test]
    fn what_an_earlier_boot_may_have_torn_is_made_again() {
        let (_dir, layers) = layers();
        make(&layers, "a", None);
        let mark = layers.dir.join(key("a")).join(UNSETTLED);
        assert_eq!(files::read_text(&mark).unwrap(), boot().unwrap());
        files::write(&mark, "another boot", 0o644).unwrap();
        assert_eq!(find(&layers, "a"), None);
        make(&layers, "a", None);
        assert!(find(&layers, "a").is_some());
        layers.prune(Duration::from_secs(60), 100, &BTreeSet::new()).unwrap();
        assert!(!files::exists(mark) && find(&layers, "a").is_some());
    }

    #[test]
    fn pruning_removes_and_tells_heirs() {
        let (_dir, layers) = layers();
        make(&layers, "a", None);
        make(&layers, "b", Some("a"));
        make(&layers, "c", None);
        ["a", "c"].into_iter().for_each(|digits| age(&layers.dir.join(key(digits)).join(USED)));
        let spared = BTreeSet::from([key("c")]);
        let pruned = layers.prune(Duration::from_secs(60), 100, &spared).unwrap();
        assert_eq!(pruned, Pruned { layers: 1, bytes: 0 });
        let kept = layers.list().unwrap();
        assert_eq!(all(&layers), ["b", "c"]);
        assert_eq!((kept[0].before.as_deref(), kept[0].bytes), (None, 10));
    }

    #[test]
    fn what_came_to_be_used_while_it_was_chosen_stays() {
        let (_dir, layers) = layers();
        make(&layers, "a", None);
        make(&layers, "b", None);
        ["a", "b"].into_iter().for_each(|digits| age(&layers.dir.join(key(digits)).join(USED)));
        let removed = |digits: &str| Removed { key: key(digits), used: 1000, freed: 5 };
        assert!(find(&layers, "a").is_some());
        assert_eq!(layers.retire_unused(&removed("a")).unwrap(), None);
        let gone = layers.retire_unused(&removed("b")).unwrap().unwrap();
        assert!(files::exists(gone.join(UPPER)), "who has booted on it has it still");
        assert_eq!(layers.retire_unused(&removed("b")).unwrap(), None);
        assert_eq!(all(&layers), ["a"]);
        assert!(find(&layers, "a").is_some() && find(&layers, "b").is_none());
    }

    /// Makes a layer in which a file has this content.
    fn make_with(layers: &Layers, digits: &str, content: &str) {
        let fill = |new: &Path| -> Result<u64, SandboxError> {
            files::create_dir(new.join(UPPER))?;
            files::write(new.join(UPPER).join("file"), content, 0o644)?;
            Ok(5)
        };
        layers.make(&key(digits), Record::new(None, Value::Null), fill).unwrap();
    }

    #[test]
    fn a_layer_that_is_forgotten_makes_place_for_another_one() {
        let (dir, layers) = layers();
        let content = || find(&layers, "a").map(|layer| files::read_text(layer.root.join("file")).unwrap());
        layers.forget(&key("a")).unwrap();
        make_with(&layers, "a", "1");
        make_with(&layers, "a", "2");
        assert_eq!(content().as_deref(), Some("1"), "a whole one stays");
        let keeper = usage::tests::keep(dir.path());
        layers.forget(&key("a")).unwrap();
        layers.forget(&key("a")).unwrap();
        assert_eq!(content(), None);
        make_with(&layers, "a", "2");
        assert_eq!(content().as_deref(), Some("2"));
        let count = || {
            layers.prune(Duration::from_secs(60), 100, &BTreeSet::new()).unwrap();
            files::list(&layers.dir).unwrap().len()
        };
        assert_eq!(count(), 3, "the lock, the new one, and the old one, on which a host may run");
        drop(keeper);
        assert_eq!((count(), content().as_deref()), (2, Some("2")));
        layers.forget("../layers").unwrap();
    }

    #[test]
    fn what_a_layer_shared_counts_when_it_is_forgotten() {
        let (_dir, layers) = layers();
        make(&layers, "a", None);
        make(&layers, "b", Some("a"));
        layers.forget(&key("a")).unwrap();
        let kept = layers.list().unwrap();
        assert_eq!((kept.len(), kept[0].before.as_deref(), kept[0].bytes), (1, None, 10));
    }

    #[test]
    fn the_same_layer_may_be_made_by_several_at_once() {
        let (_dir, layers) = layers();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| make(&layers, "a", None));
            }
        });
        assert_eq!(all(&layers), ["a"]);
        assert_eq!(files::list(&layers.dir).unwrap().len(), 1, "nothing is left of the others");
        let half = layers.dir.join(key("b"));
        files::create_dir(half.join(UPPER)).unwrap();
        make(&layers, "b", None);
        assert_eq!(all(&layers), ["a", "b"]);
    }

    #[test]
    fn the_layer_of_a_herd_has_its_hosts() {
        let (_dir, layers) = layers();
        let (name, record) = (format!("{HERD}{}", key("a")), Record::new(None, Value::Null));
        let fill = |new: &Path| -> Result<u64, SandboxError> {
            for host in ["web1", "git"] {
                files::create_dir(new.join(host).join(UPPER))?;
            }
            Ok(5)
        };
        layers.make(&name, record, fill).unwrap();
        let found = layers.find_herd(&key("a")).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["git", "web1"]);
        assert_eq!(found["git"], layers.dir.join(name).join("git/upper"));
        assert_eq!(layers.find_herd(&key("b")), None);
    }

    #[test]
    fn names_of_all_kinds_are_listed() {
        let paths = ["etc/a b", "#x\n"].map(Path::new);
        assert_eq!(listed(paths.into_iter()), b"./etc/a b\0./#x\n\0");
        assert!(may_have_two_names(Path::new("usr/bin/x")) && !may_have_two_names(Path::new("etc/cron.d/x")));
    }
}
