//! Whether this machine can have sandboxes.

use std::fmt;
use std::path::Path;

use wb_core::system::{Command, files};

use super::{elevation, places, tools};

/// What this machine lacks for sandboxes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Probe {
    /// All that is missing.
    pub missing: Vec<Missing>,
}

impl Probe {
    /// Whether herds can run here, be it without a way out to the package mirrors.
    #[must_use]
    pub fn possible(&self) -> bool {
        !self.missing.iter().any(|missing| missing.essential)
    }
}

/// One thing that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What it is.
    pub what: &'static str,
    /// How that was seen.
    pub why: String,
    /// What to do about it.
    pub remedy: String,
    /// Whether there are no sandboxes without it. Without the others, hosts can't download packages: they get those
    /// that earlier herds downloaded.
    pub essential: bool,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.what, self.why, self.remedy)
    }
}

/// Looks for everything that sandboxes with their disks under `scratch` need. It tries each thing for real, in
/// namespaces that end at once, and changes nothing but the scratch directory, which it makes.
#[must_use]
pub fn probe(scratch: &Path) -> Probe {
    let (bare, beyond) = (probe_bare(scratch), probe_beyond());
    Probe { missing: bare.missing.into_iter().chain(beyond.missing).collect() }
}

/// As [`probe`], but only for what no program that can be installed mends: namespaces, mounts, overlays.
#[must_use]
pub fn probe_bare(scratch: &Path) -> Probe {
    let trials = TRIALS.iter().take(BARE).filter_map(Trial::run);
    let disk = (!can_overlay(scratch) && !can_overlay_on_tmpfs(scratch)).then(|| Missing {
        what: "overlayfs",
        why: format!("it can't be mounted in {}, nor on a tmpfs there", scratch.display()),
        remedy: "load the kernel's overlay module, or name another scratch directory".into(),
        essential: true,
    });
    Probe { missing: trials.chain(disk).collect() }
}

/// As [`probe`], but only for what [`probe_bare`] does not look for: programs, and what they are to do.
pub(super) fn probe_beyond() -> Probe {
    let tools = tools::missing().into_iter().map(|tool| Missing {
        what: tool.program,
        why: "the program is not installed".into(),
        remedy: format!("run: {}", tools::remedy(&[tool.package])),
        essential: true,
    });
    let trials = TRIALS.iter().skip(BARE).filter_map(Trial::run);
    Probe { missing: tools.chain(trials).collect() }
}

/// Whether hosts can have their disks in `scratch` itself.
pub(super) fn can_overlay(scratch: &Path) -> bool {
    try_overlay(scratch, ":")
}

fn can_overlay_on_tmpfs(scratch: &Path) -> bool {
    try_overlay(scratch, "mount -t tmpfs tmpfs .")
}

fn try_overlay(scratch: &Path, before: &str) -> bool {
    let trial = scratch.join("trial");
    if places::claim(scratch).is_err() || files::create_dir(&trial).is_err() {
        return false;
    }
    let options = if elevation::in_user_namespace() { ",userxattr" } else { "" };
    let script = format!(
        "cd \"$1\"; {before}; mkdir -p lower upper work root
        mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work{options} root; touch root/file"
    );
    let command = Command::new("unshare").args(["--mount", "--propagation", "private", "sh", "-ec", &script, "trial"]);
    let worked = command.arg(&trial).read().is_ok();
    drop(files::remove_tree(trial));
    worked
}

/// Something to try in namespaces of its own.
struct Trial {
    what: &'static str,
    script: &'static str,
    remedy: &'static str,
    essential: bool,
}

/// So many of the trials need no program that is not on every machine.
const BARE: usize = 2;

const TRIALS: [Trial; 5] = [
    Trial {
        what: "namespaces",
        script: ":",
        remedy: "run as root, on a machine or in a container that may make them",
        essential: true,
    },
    Trial {
        what: "mounts",
        script: "mount -t tmpfs tmpfs /mnt && mount -t proc proc /proc && mount -t devpts -o newinstance devpts /mnt",
        remedy: "run as root, on a machine or in a container that may mount",
        essential: true,
    },
    Trial {
        what: "virtual network",
        script: "ip link add herd0 type bridge && ip link add veth0 type veth peer name veth1 \
            && ip link set veth0 master herd0",
        remedy: "load the kernel modules bridge and veth",
        essential: true,
    },
    Trial {
        what: "way out to the package mirrors: tun device",
        script: "ip tuntap add tap0 mode tap",
        remedy: "load the kernel module tun; for who is not root, run as root: chmod 0666 /dev/net/tun",
        essential: false,
    },
    Trial {
        what: "way out to the package mirrors: address translation",
        script: "echo 1 >/proc/sys/net/ipv4/ip_forward; iptables -w -t nat -A POSTROUTING -o tap0 -j MASQUERADE",
        remedy: "load the kernel modules ip_tables and iptable_nat, or nf_tables and nft_masq",
        essential: false,
    },
];

impl Trial {
    fn run(&self) -> Option<Missing> {
        let unshare = ["--mount", "--net", "--pid", "--fork", "--uts", "--ipc", "--cgroup", "--propagation", "private"];
        let command = Command::new("unshare").args(unshare).args(["sh", "-ec", self.script]);
        let why = match command.run() {
            Ok(output) if output.code == 0 => return None,
            Ok(output) => output.error_text().replace('\n', "; "),
            Err(error) => error.to_string(),
        };
        Some(Missing { what: self.what, why, remedy: self.remedy.to_owned(), essential: self.essential })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_thing_reads_as_one_line() {
        let missing = Missing {
            what: "ip",
            why: "the program is not installed".into(),
            remedy: "run: x".into(),
            essential: true,
        };
        assert_eq!(missing.to_string(), "ip: the program is not installed; run: x");
        assert!(!Probe { missing: vec![missing.clone()] }.possible());
        assert!(Probe { missing: vec![Missing { essential: false, ..missing }] }.possible());
    }

    #[test]
    fn a_trial_that_fails_says_why_and_what_to_do() {
        let trial = Trial { what: "a", script: "echo no >&2; exit 1", remedy: "b", essential: false };
        let missing = trial.run().unwrap();
        assert_eq!(missing, Missing { what: "a", why: "no".into(), remedy: "b".into(), essential: false });
    }
}
