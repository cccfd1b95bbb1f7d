//! Real hosts on this machine, of Debian or Ubuntu: a root file system with apt and a real init as process 1, each in
//! namespaces of its own, all plugged into a router that has a way out to the package mirrors.
//!
//! ```no_run
//! use wb_xtask::sandbox::{self, Herd, Image, ensure_tools, probe};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (cache, scratch) = (sandbox::cache_dir(), sandbox::scratch_dir("example"));
//! ensure_tools(&|line| eprintln!("{line}"))?;
//! assert!(probe(&scratch).possible());
//! let image = Image::debian12(&cache, &|line| eprintln!("{line}"))?;
//! let herd = Herd::start(&image, &scratch, "10.77.0.0/24".parse()?)?;
//! let web1 = herd.boot("web1", "10.77.0.11".parse()?)?;
//! web1.read(wb_core::system::Command::new("apt-get").args(["install", "-y", "nginx"]))?;
//! # Ok(())
//! # }
//! ```
//!
//! Who may make no namespaces, and may use podman or docker, has the whole command run in a container: see [`within`].
//!
//! Nothing of a herd has a name on the machine: one *keeper* process holds a process, a mount and a network namespace,
//! and everything else lives inside them. When the keeper ends, all of it is gone; the keeper ends when the process
//! that started the herd does, however that ends. Only the hosts' disks are left, in the scratch directory, and the
//! next start there removes them.

mod census;
mod clean;
mod container;
mod control_groups;
mod disk;
mod distribution;
mod elevation;
mod engine;
mod entry;
mod git_server;
mod glass;
mod herd;
mod host;
mod image;
mod init;
mod layers;
mod names;
mod network;
mod packages;
mod places;
mod probe;
mod process;
mod ready;
mod record;
pub mod restless;
mod subnet;
mod tools;
mod tree;
mod usage;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use census::{NoHost, Seen, SeenHost, census, named};
pub use clean::{Cleaned, Cleaning, clean};
pub use distribution::Distribution;
pub use elevation::{Elevation, elevate, elevation};
pub use engine::{Engine, EngineError, within, within_running};
pub use entry::{Entry, Kind};
pub use git_server::GitServer;
pub use glass::{Touch, Touched};
pub use herd::Herd;
pub use host::Host;
pub use image::Image;
pub use init::Init;
pub use layers::{Kept, Layer, Layers, Pruned};
pub use network::Network;
pub(crate) use places::tools_dir;
pub use places::{cache_dir, scratch_dir};
pub use probe::{Missing, Probe, probe, probe_bare};
pub use ready::{NotReady, ready};
pub use subnet::{Subnet, SubnetError};
pub use tools::{ensure_musl_compiler, ensure_ssh_server, ensure_tools};
pub use tree::Tree;
use wb_core::system::{CommandError, FileError, clock, files};

/// What went wrong with a sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A file of the machine.
    #[error(transparent)]
    File(#[from] FileError),
    /// A program of the machine, or one in a host.
    #[error("could not {doing}")]
    Command {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: CommandError,
    },
    /// The record of a herd, or of a layer.
    #[error("could not write the record {}", path.display())]
    Record {
        /// Where it lies.
        path: PathBuf,
        /// The encoder's error.
        source: serde_json::Error,
    },
    /// An image could not be built.
    #[error(
        "could not build the image of {what} from {from}; other sources of apt for it go into {}",
        sources.display()
    )]
    Image {
        /// What it is of.
        what: String,
        /// Where its packages come from.
        from: String,
        /// A file that is not there, and may say something else.
        sources: PathBuf,
        /// Why not, in the words of apt.
        source: Box<CommandError>,
    },
    /// There are no such hosts.
    #[error("there is no image of {distribution} with {init}")]
    NoSuchImage {
        /// The distribution.
        distribution: Distribution,
        /// The init.
        init: Init,
    },
    /// An image is not what it was built as.
    #[error("the image {} is damaged", path.display())]
    Damaged {
        /// Where it is.
        path: PathBuf,
    },
    /// A host has another init than it should.
    #[error("host {name} has {found} as process 1, and not {init}")]
    NoInit {
        /// Its name.
        name: String,
        /// What it should have.
        init: Init,
        /// What process 1 is called.
        found: String,
    },
    /// Another process uses this scratch directory.
    #[error("another herd is running in {}", scratch.display())]
    Busy {
        /// The directory.
        scratch: PathBuf,
    },
    /// Somebody else is at what is kept.
    #[error("another process is at what is kept in {}", dir.display())]
    InUse {
        /// Where that is.
        dir: PathBuf,
    },
    /// Something that others control is where disks would go.
    #[error("{} is no directory that only this user can change", dir.display())]
    Foreign {
        /// Where.
        dir: PathBuf,
    },
    /// An address outside the herd's network, or the router's.
    #[error("{address} is no address for a host in {subnet}")]
    Address {
        /// The address.
        address: std::net::Ipv4Addr,
        /// The network.
        subnet: Subnet,
    },
    /// A name that is no host name.
    #[error("`{0}` is no name for a host: letters, digits and hyphens, 63 at most")]
    Name(String),
    /// A key that can't name a layer.
    #[error("`{0}` names no layer: 32 hexadecimal digits do")]
    Key(String),
    /// Something did not happen within its time.
    #[error("waited {} s in vain for {what}{}", bound.as_secs(), said(log))]
    NotInTime {
        /// What was waited for.
        what: String,
        /// How long.
        bound: Duration,
        /// The end of its log, or nothing.
        log: String,
    },
    /// The host is switched off.
    #[error("host {name} is down")]
    Down {
        /// Its name.
        name: String,
    },
    /// The kernel can't put an overlay over the root of a host.
    #[error("host {name} can't be put behind glass: {why}")]
    NoGlass {
        /// Its name.
        name: String,
        /// What was said.
        why: String,
    },
    /// The herd's network.
    #[error("could not {doing}")]
    Network {
        /// What was being done.
        doing: String,
        /// The system's error.
        source: io::Error,
    },
    /// Programs that only an administrator can install.
    #[error("missing programs; run: {remedy}")]
    Tools {
        /// The command that installs them.
        remedy: String,
    },
}

/// How long one small step may take on a busy machine.
const STEP: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_millis(10);

fn wait<T>(what: &str, bound: Duration, ready: impl FnMut() -> Option<T>) -> Result<T, SandboxError> {
    let in_vain = || SandboxError::NotInTime { what: what.to_owned(), bound, log: String::new() };
    clock::wait_until(&clock::Real, bound, PAUSE, ready).ok_or_else(in_vain)
}

/// How long somebody who only looks may have a lock.
const LOOK: Duration = Duration::from_millis(200);

/// Takes the lock of a file; nothing where another process has it, and is not only looking.
fn lock_soon(path: &Path) -> Result<Option<files::Lock>, SandboxError> {
    let free = || files::try_lock(path).transpose();
    Ok(clock::wait_until(&clock::Real, LOOK, PAUSE, free).transpose()?)
}

fn while_doing(doing: impl Into<String>) -> impl FnOnce(CommandError) -> SandboxError {
    let doing = doing.into();
    move |source| SandboxError::Command { doing, source }
}

fn said(log: &str) -> String {
    if log.is_empty() { String::new() } else { format!("; its log ends: {log}") }
}
