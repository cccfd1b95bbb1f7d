//! Which herds of sandboxes there are on this machine, and which of their hosts are on: for people, who did not start
//! them from their shell.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wb_core::chain::nearest;
use wb_core::system::{Command, environment, files};

use super::process::Process;
use super::record::Record;
use super::{SandboxError, host, scratch_dir};
use crate::named::did_you_mean;

/// A herd that is here, or what is left of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// What it is called: the path of its scratch directory, from where all have theirs.
    pub herd: String,
    /// Its scratch directory.
    pub place: PathBuf,
    /// Whether it runs. Otherwise only disks are left of it.
    pub running: bool,
    /// Whether a process holds it, and ends it some day.
    pub busy: bool,
    /// Its hosts, by name.
    pub hosts: Vec<SeenHost>,
}

/// A host of a herd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeenHost {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// The command line that gives a person a shell in it, while it is on.
    pub shell: Option<String>,
    #[serde(skip)]
    init: Option<Process>,
}

/// Why there is no host of a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoHost {
    /// No herd has one.
    #[error("no sandbox has a host `{name}`{}", did_you_mean(meant.as_deref()))]
    Unknown {
        /// The name.
        name: String,
        /// The name that was perhaps meant.
        meant: Option<String>,
    },
    /// Several herds have one.
    #[error("several sandboxes have a host `{name}`: {}", all.join(", "))]
    Several {
        /// The name.
        name: String,
        /// The names that are of one only.
        all: Vec<String>,
    },
    /// It is switched off.
    #[error("host `{name}` is off")]
    Off {
        /// The name.
        name: String,
    },
}

/// What is written down of a host that is switched on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Switched {
    pub(super) name: String,
    pub(super) address: Ipv4Addr,
    /// The process of the machine that the host hangs on.
    pub(super) outer: Process,
}

const SUFFIX: &str = ".host.json";

/// Looks at all herds that have their scratch directory where herds have them by default.
#[must_use]
pub fn census() -> Vec<Seen> {
    below(&scratch_dir(""))
}

/// The host that a person means by `web1`, or by `demo/web1`.
///
/// # Errors
/// When there is none, several are meant, or it is off.
pub fn named<'a>(census: &'a [Seen], name: &str) -> Result<&'a SeenHost, NoHost> {
    let all = census.iter().flat_map(|seen| seen.hosts.iter().map(move |host| (seen.full_name(host), host)));
    let all: Vec<(String, &SeenHost)> = all.collect();
    let meant: Vec<&(String, &SeenHost)> =
        all.iter().filter(|(full, host)| full == name || host.name == name).collect();
    match meant.as_slice() {
        [found] if found.1.init.is_some() => Ok(found.1),
        [_] => Err(NoHost::Off { name: name.to_owned() }),
        [] => {
            let names = all.iter().flat_map(|(full, host)| [full.as_str(), host.name.as_str()]);
            Err(NoHost::Unknown { name: name.to_owned(), meant: nearest(name, names).map(str::to_owned) })
        }
        several => {
            let all = several.iter().map(|(full, _)| full.clone()).collect();
            Err(NoHost::Several { name: name.to_owned(), all })
        }
    }
}

fn below(base: &Path) -> Vec<Seen> {
    let inside = |dir: &Path| files::list(dir).unwrap_or_default();
    // A herd is in the directory of who started it, or in one of several there.
    let places = inside(base).into_iter().flat_map(|dir| [vec![dir.clone()], inside(&dir)].concat());
    places.filter_map(|place| Seen::at(base, place)).collect()
}

impl Seen {
    fn at(base: &Path, place: PathBuf) -> Option<Self> {
        let record = Record::read(&place).ok()??;
        let hosts = files::list(place.join("hosts")).unwrap_or_default();
        let hosts = hosts.iter().filter_map(|path| Switched::read(path)).map(SeenHost::of).collect();
        let lock = place.join("lock");
        let busy = files::exists(&lock) && matches!(files::try_lock(lock), Ok(None));
        Some(Self { herd: herd_name(base, &place), running: record.is_running(), busy, hosts, place })
    }

    /// What names a host of it among those of all herds.
    #[must_use]
    pub fn full_name(&self, host: &SeenHost) -> String {
        format!("{}/{}", self.herd, host.name)
    }
}

impl SeenHost {
    fn of(switched: Switched) -> Self {
        let Switched { name, address, outer } = switched;
        let init = outer.alive().then(|| host::init_below(outer)).flatten();
        let shell = init.map(|init| host::shell_line(init, is_another_user_namespace(init)));
        Self { name, address, shell, init }
    }

    /// What becomes a command in it, at the terminal of this process: a shell where nothing is named. Nothing where the
    /// host is off.
    #[must_use]
    pub fn enter(&self, command: &[String]) -> Option<Command> {
        let init = self.init?;
        let command = match command.split_first() {
            Some((program, args)) => Command::new(program).args(args),
            None => Command::new("bash").arg("-l"),
        };
        let terminal = environment::var("TERM").unwrap_or_else(|| "dumb".to_owned());
        Some(host::by_hand(init, is_another_user_namespace(init), command.env("TERM", terminal)))
    }
}

impl Switched {
    /// Writes it among the disks of a herd.
    pub(super) fn write(&self, hosts: &Path) -> Result<(), SandboxError> {
        let path = hosts.join(format!("{}{SUFFIX}", self.name));
        let text = serde_json::to_vec(self).map_err(|source| SandboxError::Record { path: path.clone(), source })?;
        Ok(files::replace(path, text)?)
    }

    fn read(path: &Path) -> Option<Self> {
        let is_one = path.file_name()?.to_str()?.ends_with(SUFFIX);
        let content = files::read_optional(path).ok()?.filter(|_| is_one)?;
        serde_json::from_slice(&content).ok()
    }
}

/// Most herds are in a directory `herd` of who started them.
fn herd_name(base: &Path, place: &Path) -> String {
    let path = place.strip_prefix(base).unwrap_or(place).display().to_string();
    path.strip_suffix("/herd").unwrap_or(&path).to_owned()
}

/// Whether who enters it must enter its user namespace, too.
fn is_another_user_namespace(init: Process) -> bool {
    let namespace = |path: PathBuf| files::read_link(path).ok();
    namespace(init.proc("ns/user")) != namespace("/proc/self/ns/user".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, last: u8, init: Option<Process>) -> SeenHost {
        SeenHost { name: name.into(), address: Ipv4Addr::new(10, 77, 0, last), shell: None, init }
    }

    fn seen(herd: &str, hosts: Vec<SeenHost>) -> Seen {
        Seen { herd: herd.into(), place: Path::new("/scratch").join(herd), running: true, busy: false, hosts }
    }

    fn this() -> Process {
        Process::of(std::process::id()).unwrap()
    }

    #[test]
    fn herds_are_found_where_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| dir.path().join(name);
        for (name, keeper) in [("demo/herd", this()), ("old", Process { pid: 4_000_000, started: 7 })] {
            files::create_dir(place(name).join("hosts/web1")).unwrap();
            Record::new(keeper, Path::new("/none")).unwrap().write(&place(name)).unwrap();
        }
        files::create_dir(place("nothing/here")).unwrap();
        for (name, last) in [("web2", 12), ("web1", 11)] {
            let switched = Switched { name: name.into(), address: Ipv4Addr::new(10, 77, 0, last), outer: this() };
            switched.write(&place("demo/herd/hosts")).unwrap();
        }
        let _held = files::try_lock(place("demo/herd/lock")).unwrap();
        let demo = Seen {
            place: place("demo/herd"),
            busy: true,
            ..seen("demo", vec![host("web1", 11, None), host("web2", 12, None)])
        };
        let old = Seen { place: place("old"), running: false, ..seen("old", Vec::new()) };
        assert_eq!(below(dir.path()), [demo, old]);
    }

    #[test]
    fn a_host_is_named_alone_or_with_its_herd() {
        let on = Some(this());
        let census = [
            seen("demo", vec![host("web1", 11, on), host("web2", 12, None)]),
            seen("test/a", vec![host("web1", 21, on), host("db1", 22, on)]),
        ];
        let last = |name: &str| named(&census, name).map(|host| host.address.octets()[3]).map_err(|e| e.to_string());
        assert_eq!(last("db1"), Ok(22));
        assert_eq!((last("demo/web1"), last("test/a/web1")), (Ok(11), Ok(21)));
        assert_eq!(last("web1"), Err("several sandboxes have a host `web1`: demo/web1, test/a/web1".into()));
        assert_eq!(last("web2"), Err("host `web2` is off".into()));
        assert_eq!(last("bd1"), Err("no sandbox has a host `bd1`, did you mean `db1`?".into()));
        assert_eq!(last("mail"), Err("no sandbox has a host `mail`".into()));
    }
}
