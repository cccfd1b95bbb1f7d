//! The host of the races.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use wb_core::system::{Command, files};

use super::super::BenchError;
use super::Times;
use crate::build;
use crate::fleet::Fleet;
use crate::sandbox::{Herd, Host, Image, cache_dir, ensure_tools, scratch_dir};
use crate::scaffold::{profiles, sources};
use crate::shell::Shell;

pub(super) const PROGRAM: &str = "/usr/local/bin/wb-bench";

/// The sources of the program, which is a crate of its own.
const SOURCES: [(&str, &str); 13] = [
    ("src/main.rs", include_str!("../../../templates/bench/main.rs")),
    ("src/data.rs", include_str!("../../../templates/bench/data.rs")),
    ("src/floor.rs", include_str!("../../../templates/bench/floor.rs")),
    ("src/judge.rs", include_str!("../../../templates/bench/judge.rs")),
    ("src/judge/accounts.rs", include_str!("../../../templates/bench/judge/accounts.rs")),
    ("src/judge/dpkg.rs", include_str!("../../../templates/bench/judge/dpkg.rs")),
    ("src/judge/links.rs", include_str!("../../../templates/bench/judge/links.rs")),
    ("src/judge/texts.rs", include_str!("../../../templates/bench/judge/texts.rs")),
    ("src/programs.rs", include_str!("../../../templates/bench/programs.rs")),
    ("src/race.rs", include_str!("../../../templates/bench/race.rs")),
    ("src/wanted.rs", include_str!("../../../templates/bench/wanted.rs")),
    ("src/watch.rs", include_str!("../../../templates/bench/watch.rs")),
    ("assets/site.conf", include_str!("../../../templates/bench/assets/site.conf")),
];

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 80, 0, 11);
const SUBNET: &str = "10.80.0.0/24";

/// What hosts install to be prepared.
pub(super) const STOCK: [&str; 2] = ["cron", "strace"];

/// How long all rounds of one kind may take, or one run of a peer.
pub(super) const BOUND: Duration = Duration::from_secs(1800);

const APT: &str = "DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends";

/// Brings the host to where the races begin.
const PREPARE: &str = include_str!("prepare.sh");

/// A host with the program on it.
pub(super) struct Racetrack {
    host: Host,
    _herd: Herd,
}

/// How many system calls something makes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Calls {
    /// With those of all programs that it starts.
    pub(super) all: u64,
    /// Without them.
    pub(super) own: u64,
}

impl Racetrack {
    /// With these packages beside those that all hosts install.
    pub(super) fn open(program: &[u8], packages: &[&str], shell: &Shell) -> Result<Self, BenchError> {
        let image = image(shell)?;
        let (place, subnet) = (scratch_dir("bench-stdlib"), SUBNET.parse()?);
        let stock = [STOCK.as_slice(), packages].concat();
        let herd = Herd::start_stocked(&image, &place, subnet, &stock, &|line| shell.note(line))?;
        let host = herd.boot("bench", ADDRESS)?;
        if !packages.is_empty() {
            install(&host, packages)?;
        }
        prepare(&host, program)?;
        Ok(Self { host, _herd: herd })
    }

    /// Races, and gives all times.
    pub(super) fn race(&self, kind: &str, rounds: usize) -> Result<Times, BenchError> {
        let said = self.read(&[PROGRAM, "race", kind, &rounds.to_string()])?;
        Ok(serde_json::from_str(&said)?)
    }

    /// How many system calls one way makes when all is as it should be.
    pub(super) fn system_calls(&self, way: &str, kind: &str) -> Result<Calls, BenchError> {
        let count = |options: &[&str]| {
            let calls = self.strace(options, way, kind)?;
            total(&calls).ok_or(BenchError::Unread { said: calls })
        };
        Ok(Calls { all: count(&["-f"])?, own: count(&[])? })
    }

    /// What `strace -c` counts of one way, with more options.
    pub(super) fn strace(&self, options: &[&str], way: &str, kind: &str) -> Result<String, BenchError> {
        let strace = ["strace", "-c", "-o", "/tmp/calls"];
        self.read(&[strace.as_slice(), options, [PROGRAM, way, kind].as_slice()].concat())?;
        self.read(&["cat", "/tmp/calls"])
    }

    /// What callgrind sees of the standard library: as it writes it, and as people read it.
    pub(super) fn callgrind(&self, kind: &str) -> Result<[String; 2], BenchError> {
        const SEEN: &str = "/tmp/callgrind.out";
        let to = format!("--callgrind-out-file={SEEN}");
        self.read(&["valgrind", "--quiet", "--tool=callgrind", &to, PROGRAM, "apply", kind])?;
        Ok([self.read(&["cat", SEEN])?, self.read(&["callgrind_annotate", SEEN])?])
    }

    /// Brings it to where nothing is left to do.
    pub(super) fn apply(&self, kind: &str) -> Result<(), BenchError> {
        self.read(&[PROGRAM, "apply", kind])?;
        Ok(())
    }

    /// The most memory that the process of the standard library takes, in MiB: the first time, and when nothing is left to
    /// do.
    pub(super) fn peaks_mib(&self, kind: &str) -> Result<[f64; 2], BenchError> {
        self.read(&[PROGRAM, "reset", kind])?;
        let first = self.peak_mib(kind)?;
        self.read(&[PROGRAM, "judge", kind])?;
        Ok([first, self.peak_mib(kind)?])
    }

    fn peak_mib(&self, kind: &str) -> Result<f64, BenchError> {
        let said = self.read(&[PROGRAM, "peak", kind])?;
        let kib: f64 = said.trim().parse().map_err(|_| BenchError::Unread { said })?;
        Ok(kib / 1024.0)
    }

    fn read(&self, words: &[&str]) -> Result<String, BenchError> {
        let (program, args) = words.split_first().unwrap_or((&PROGRAM, &[]));
        Ok(self.host.read(Command::new(program).args(args).timeout(BOUND))?)
    }
}

/// What hosts are booted from.
pub(super) fn image(shell: &Shell) -> Result<Image, BenchError> {
    ensure_tools(&|line| shell.note(line))?;
    Ok(Image::debian12(&cache_dir(), &|line| shell.note(line))?)
}

/// Installs packages on a host whose apt still knows Debian's.
pub(super) fn install(host: &Host, packages: &[&str]) -> Result<(), BenchError> {
    host.read(Command::shell(format!("{APT} {}", packages.join(" "))).timeout(BOUND))?;
    Ok(())
}

/// Puts the program on a host, and brings that to where the races begin. From then on its apt knows no others than the
/// small packages.
pub(super) fn prepare(host: &Host, program: &[u8]) -> Result<(), BenchError> {
    host.put(PROGRAM, program, 0o755)?;
    host.read(Command::shell(PREPARE).timeout(BOUND))?;
    Ok(())
}

/// The sum that `strace -c` gives in its last line: `100.00    0.012345           3      4567        12 total`.
fn total(calls: &str) -> Option<u64> {
    let line = calls.lines().find(|line| line.ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

/// Whether a program has its symbols, which those of runners have not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbols {
    Kept,
    Stripped,
}

impl Symbols {
    /// What is built at the same time has another place.
    fn place(self) -> &'static str {
        match self {
            Self::Kept => "stdlib-with-symbols",
            Self::Stripped => "stdlib",
        }
    }
}

/// Builds the program as a runner is built. Its sources have a place that stays the same: all crates are compiled to name that
/// place alike, so that at another one all of them would be compiled once more.
pub(super) fn program(target_dir: &Path, symbols: Symbols, shell: &Shell) -> Result<Vec<u8>, BenchError> {
    let dir = &target_dir.join(symbols.place());
    for (path, text) in SOURCES {
        files::create_dir(dir.join(path).parent().unwrap_or(dir))?;
        files::write(dir.join(path), text, 0o644)?;
    }
    files::write(dir.join("Cargo.toml"), manifest(&sources(), symbols), 0o644)?;
    if let Some(lock) = files::read_optional(sources().join("Cargo.lock"))? {
        files::write(dir.join("Cargo.lock"), lock, 0o644)?;
    }
    files::create_dir(dir.join(".cargo"))?;
    let config = format!("[build]\ntarget-dir = \"{}\"\n", target_dir.display());
    files::write(dir.join(".cargo/config.toml"), config, 0o644)?;
    let fleet = Fleet { crate_dir: dir.to_owned(), package: "wb-bench".into(), binary: "wb-bench".into() };
    Ok(files::read(build::runner(&fleet, shell)?.path)?)
}

fn manifest(wildebeest: &Path, symbols: Symbols) -> String {
    let wildebeest = wildebeest.display();
    let profiles = match symbols {
        Symbols::Kept => profiles().replace("strip = true", "strip = false\ndebug = \"line-tables-only\""),
        Symbols::Stripped => profiles().to_owned(),
    };
    // With the features that the runner of a fleet comes to: where many runners are built, all but the program is there.
    format!(
        "[package]\nname = \"wb-bench\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         anyhow = \"1\"\nwb-core = {{ path = \"{wildebeest}/wb-core\", default-features = false }}\n\
         wb-stdlib = {{ path = \"{wildebeest}/wb-stdlib\" }}\n\
         nix = {{ version = \"0.32\", default-features = false, features = [\"net\", \"resource\"] }}\n\n{profiles}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str) -> &'static str {
        SOURCES.iter().find(|(name, _)| *name == path).map(|(_, text)| *text).unwrap()
    }

    #[test]
    fn the_floor_and_the_judge_know_nothing_of_the_library() {
        let all = SOURCES.iter().filter(|(path, _)| path.contains("floor") || path.contains("judge"));
        let texts: Vec<&str> = all.map(|(_, text)| *text).collect();
        assert_eq!(texts.len(), 6);
        assert!(!texts.iter().any(|text| text.contains("wb_") || text.contains("crate::wanted")));
    }

    #[test]
    fn the_floor_starts_nothing_but_service_status() {
        let starts: Vec<&str> = source("src/floor.rs").lines().filter(|line| line.contains("Command::new")).collect();
        assert_eq!(starts.len(), 1);
        assert!(starts[0].contains(r#"Command::new("/usr/sbin/service").args([service, "status"])"#), "{starts:?}");
        let judge = SOURCES.iter().filter(|(path, _)| path.contains("judge"));
        assert_eq!(judge.filter(|(_, text)| text.contains("Command")).count(), 0);
    }

    #[test]
    fn the_programs_ask_each_script_once_and_before_its_start() {
        let programs = source("src/programs.rs");
        let at = |word: &str| programs.find(&format!("{{script}} {word}\"")).unwrap();
        assert!(at("status") < at("start"));
        assert_eq!(programs.matches(" status\"").count(), 1);
        assert_eq!(programs.matches("Command::new").count(), 1);
    }

    #[test]
    fn who_looks_inside_sees_names() {
        let check = |symbols, expect: &str| {
            let manifest = manifest(Path::new("/wildebeest"), symbols);
            assert!(manifest.contains("wb-stdlib = { path = \"/wildebeest/wb-stdlib\" }\n"), "{manifest}");
            let release = manifest.split_once("[profile.release]\n").unwrap().1;
            assert!(release.contains(expect), "{manifest}");
        };
        check(Symbols::Stripped, "strip = true\n");
        check(Symbols::Kept, "strip = false\ndebug = \"line-tables-only\"\n");
    }

    #[test]
    fn the_sum_of_calls_is_in_the_last_line() {
        let calls = "% time     seconds  usecs/call     calls    errors syscall\n------ ----------- ----------- --------- --------- \
                     ----------------\n 50.00    0.000010           1        10         2 openat\n------ ----------- ----------- \
                     --------- --------- ----------------\n100.00    0.000020           1        31         2 total\n";
        assert_eq!(total(calls), Some(31));
        assert_eq!(total("strace: nothing"), None);
    }
}
