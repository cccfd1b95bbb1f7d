//! The one way to apt. It takes no answers from a terminal, waits for locks, mends an interrupted dpkg, and tries
//! again when a mirror fails: each for a bounded time.

use std::collections::BTreeMap;
use std::time::Duration;

use wb_core::system::{Command, CommandError, Output, System, files};

use super::PackageError;
use super::dpkg::{FORMAT, PackageState, parse_states};

/// How long another program may hold dpkg's or apt's lock.
const LOCK_BOUND: Duration = Duration::from_secs(600);
/// How often the lock is asked for, where apt does not wait for it by itself.
const LOCK_PAUSE: Duration = Duration::from_secs(5);
/// How often a mirror is asked.
const MIRROR_TRIES: u32 = 4;
/// From when on apt's lists are stale.
const LISTS_BOUND: Duration = Duration::from_secs(24 * 3600);
/// How long one run of apt may take.
const RUN_BOUND: Duration = Duration::from_secs(3600);
const LISTS: &str = "/var/lib/apt/lists";

pub(super) struct Apt<'a> {
    system: &'a System,
}

impl<'a> Apt<'a> {
    pub(super) fn new(system: &'a System) -> Self {
        Self { system }
    }

    /// What there is of these packages. One that dpkg never heard of is not among them.
    pub(super) fn states(&self, names: &[String]) -> Result<BTreeMap<String, PackageState>, PackageError> {
        let query = quiet(Command::new("dpkg-query")).args(["-W", "-f", FORMAT]).args(names);
        // Its exit code is 1 when it knows one of them not, which is no failure here.
        match self.system.run(&query) {
            Ok(output) if output.code <= 1 => Ok(parse_states(&output.text())),
            Ok(output) => Err(failure(&query, &output)),
            Err(error) => Err(error),
        }
        .map_err(|source| PackageError::Look { names: names.to_vec(), source })
    }

    /// The versions that would be installed. A package that apt does not know, or that only others provide, has none.
    pub(super) fn candidates(&self, names: &[String]) -> Result<BTreeMap<String, String>, PackageError> {
        let policy = quiet(Command::new("apt-cache")).arg("policy").args(names);
        let said = self.system.read_command(&policy);
        said.map(|text| parse_candidates(&text)).map_err(|source| PackageError::Look { names: names.to_vec(), source })
    }

    pub(super) fn install(&self, names: &[String], recommended: bool) -> Result<(), PackageError> {
        self.make_known(names)?;
        let recommends = if recommended { &[][..] } else { &["--no-install-recommends"][..] };
        let install = apt_get("install").args(recommends).arg("--").args(names);
        self.insist(&install).map_err(|source| said_no(names, "install", source))
    }

    pub(super) fn remove(&self, names: &[String]) -> Result<(), PackageError> {
        let remove = apt_get("remove").arg("--").args(names);
        self.insist(&remove).map_err(|source| said_no(names, "remove", source))
    }

    /// Updates apt's lists when they are stale or don't know one of the packages.
    fn make_known(&self, names: &[String]) -> Result<(), PackageError> {
        let stale = lists_are_stale(self.lists_age());
        if !stale && self.first_unknown(names)?.is_none() {
            return Ok(());
        }
        let updated = self.insist(&update());
        match (self.first_unknown(names)?, updated) {
            (None, _) => Ok(()), // one repository may be down, and what is wanted is in the others
            (Some(_), Err(source)) => Err(PackageError::Update { source }),
            (Some(name), Ok(())) => Err(PackageError::NoSuchPackage { name }),
        }
    }

    fn first_unknown(&self, names: &[String]) -> Result<Option<String>, PackageError> {
        let candidates = self.candidates(names)?;
        Ok(names.iter().find(|name| !candidates.contains_key(*name)).cloned())
    }

    /// How long ago the lists were updated, if there are any.
    fn lists_age(&self) -> Option<Duration> {
        let entries = files::list(self.system.path(LISTS)).ok()?;
        let is_list = |path: &std::path::PathBuf| path.to_string_lossy().contains("_dists_");
        entries.iter().find(|path| is_list(path))?;
        let modified = self.system.stat(LISTS).ok()??.modified;
        Some(self.system.clock().now().saturating_sub(modified))
    }

    /// Runs apt-get until it succeeds, or its trouble is none that passes.
    fn insist(&self, command: &Command) -> Result<(), CommandError> {
        let start = self.system.clock().now();
        for tries in 1.. {
            let output = self.system.run(command)?;
            if output.code == 0 {
                break;
            }
            let waited = self.system.clock().now().saturating_sub(start);
            match remedy(trouble(&said(&output)), tries, waited) {
                Remedy::None => return Err(failure(command, &output)),
                Remedy::Wait(pause) => self.system.clock().sleep(pause),
                Remedy::Configure => self.configure()?,
                Remedy::Update(pause) => {
                    self.system.clock().sleep(pause);
                    drop(self.system.run(&update())?);
                }
            }
        }
        Ok(())
    }

    /// Finishes what an interrupted dpkg left. Whether that was all is for apt to say.
    fn configure(&self) -> Result<(), CommandError> {
        let options = ["--force-confdef", "--force-confold", "--configure", "-a"];
        self.system.run(&quiet(Command::new("dpkg")).args(options)).map(drop)
    }
}

/// An environment and a time limit in which nothing asks, pages or translates.
///
/// The locale has UTF-8: what packages make at their installation, a PostgreSQL cluster for one, takes its encoding
/// from there.
fn quiet(command: Command) -> Command {
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("DEBIAN_PRIORITY", "critical")
        .env("APT_LISTCHANGES_FRONTEND", "none")
        .env("NEEDRESTART_MODE", "a")
        .env("NEEDRESTART_SUSPEND", "1")
        .env("UCF_FORCE_CONFFOLD", "1")
        .env("LC_ALL", "C.UTF-8")
        .env("PAGER", "cat")
        .timeout(RUN_BOUND)
}

fn apt_get(action: &str) -> Command {
    quiet(Command::new("apt-get"))
        .args(["-y", "-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0", "-o", "Acquire::Retries=3"])
        .args(["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"])
        .arg(action)
}

/// Any failed repository is a failure; and the lists' age counts from now, also when none of them changed.
fn update() -> Command {
    let touch = format!("APT::Update::Post-Invoke-Success::=touch {LISTS}");
    apt_get("update").args(["-o", "APT::Update::Error-Mode=any", "-o", &touch])
}

/// What keeps apt from succeeding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// Somebody else uses apt or dpkg.
    Locked,
    /// dpkg was killed in the middle.
    Interrupted,
    /// A mirror did not deliver.
    Mirror,
    /// Nothing that passes.
    Other,
}

/// Reads the trouble out of what apt-get said; `LC_ALL` makes it English.
fn trouble(said: &str) -> Trouble {
    let says = |words: &[&str]| words.iter().any(|words| said.contains(words));
    if says(&["dpkg was interrupted", "dpkg --configure -a"]) {
        Trouble::Interrupted
    } else if says(&["Could not get lock", "Unable to acquire the dpkg frontend lock", "was locked by another process"])
    {
        Trouble::Locked
    } else if says(&["Failed to fetch", "Unable to fetch", "Temporary failure resolving", "Hash Sum mismatch"]) {
        Trouble::Mirror
    } else {
        Trouble::Other
    }
}

/// What to do before apt is asked once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remedy {
    None,
    Wait(Duration),
    Configure,
    Update(Duration),
}

fn remedy(trouble: Trouble, tries: u32, waited: Duration) -> Remedy {
    match trouble {
        Trouble::Locked if waited < LOCK_BOUND => Remedy::Wait(LOCK_PAUSE),
        Trouble::Interrupted if tries < 3 => Remedy::Configure,
        Trouble::Mirror if tries < MIRROR_TRIES => Remedy::Update(Duration::from_secs(5 * u64::from(tries))),
        _ => Remedy::None,
    }
}

fn lists_are_stale(age: Option<Duration>) -> bool {
    age.is_none_or(|age| age > LISTS_BOUND)
}

/// Reads `apt-cache policy`: a line `name:` for each package it knows, and `  Candidate: version` below it.
fn parse_candidates(text: &str) -> BTreeMap<String, String> {
    let mut candidates = BTreeMap::new();
    let mut package = "";
    for line in text.lines() {
        if let Some(version) = line.strip_prefix("  Candidate: ") {
            if version != "(none)" {
                candidates.insert(package.to_owned(), version.to_owned());
            }
        } else if let Some(name) = line.strip_suffix(':').filter(|name| !name.starts_with(' ')) {
            package = name;
        }
    }
    candidates
}

fn said(output: &Output) -> String {
    format!("{}\n{}", output.text(), output.error_text())
}

fn failure(command: &Command, output: &Output) -> CommandError {
    match output.clone().success(command) {
        Err(error) => error,
        Ok(_) => CommandError::Failed { line: command.line(), code: output.code, said: said(output) },
    }
}

fn said_no(names: &[String], action: &'static str, source: CommandError) -> PackageError {
    PackageError::Apt { action, names: names.to_vec(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_read_from_what_apt_says() {
        let check = |said: &str, expect| assert_eq!(trouble(said), expect, "{said}");
        check(
            "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.",
            Trouble::Interrupted,
        );
        check("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 42 (apt-get)", Trouble::Locked);
        check("E: Could not get lock /var/lib/apt/lists/lock. It is held by process 42 (apt-get)", Trouble::Locked);
        check("dpkg: error: dpkg frontend lock was locked by another process with pid 42", Trouble::Locked);
        check(
            "E: Failed to fetch http://mirror.example.org/debian/x.deb  404  Not Found [IP: ::1 80]",
            Trouble::Mirror,
        );
        check("W: Temporary failure resolving 'mirror.example.org'", Trouble::Mirror);
        check("E: Sub-process /usr/bin/dpkg returned an error code (1)", Trouble::Other);
    }

    #[test]
    fn every_remedy_has_its_bound() {
        let seconds = Duration::from_secs;
        assert_eq!(remedy(Trouble::Locked, 90, seconds(599)), Remedy::Wait(LOCK_PAUSE));
        assert_eq!(remedy(Trouble::Locked, 2, seconds(600)), Remedy::None);
        assert_eq!(remedy(Trouble::Interrupted, 2, seconds(0)), Remedy::Configure);
        assert_eq!(remedy(Trouble::Interrupted, 3, seconds(0)), Remedy::None);
        assert_eq!(remedy(Trouble::Mirror, 3, seconds(0)), Remedy::Update(seconds(15)));
        assert_eq!(remedy(Trouble::Mirror, 4, seconds(0)), Remedy::None);
        assert_eq!(remedy(Trouble::Other, 1, seconds(0)), Remedy::None);
    }

    #[test]
    fn lists_are_stale_after_a_day_or_when_there_are_none() {
        assert!(lists_are_stale(None));
        assert!(lists_are_stale(Some(LISTS_BOUND + Duration::from_secs(1))));
        assert!(!lists_are_stale(Some(LISTS_BOUND)));
    }

    #[test]
    fn candidates_are_read_from_what_apt_cache_says() {
        let text = "nginx:\n  Installed: (none)\n  Candidate: 1.22.1-9+deb12u11\n  Version table:\n     \
                    1.22.1-9+deb12u11 500\n        500 http://mirror.example.org/debian-security bookworm-security/main \
                    amd64 Packages\nmail-transport-agent:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n";
        let candidates = parse_candidates(text);
        assert_eq!(candidates.into_iter().collect::<Vec<_>>(), [("nginx".into(), "1.22.1-9+deb12u11".into())]);
    }
}
