//! The standard library on trial: each case of a room on two real hosts.
//!
//! On the first a plan is made, which touches nothing; then the case is run, and does what the plan said; then it is run
//! again, and changes nothing. On the second it is killed on its way, and run again, and the end is the same.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use wb_core::context::Operation;
use wb_core::system::clock::Stopwatch;
use wb_core::system::{Command, Output, environment, files};
use wb_operations::{Case, Init, Room};
use wb_xtask::build;
use wb_xtask::fleet::Fleet;
use wb_xtask::sandbox::{Herd, Host, Image, cache_dir, scratch_dir};
use wb_xtask::shell::Shell;
use wb_xtask::test::judge;

use crate::inits;
use crate::shared::once;

/// Where hosts have the program.
pub(crate) const PROGRAM: &str = "/usr/local/bin/wb-operations";

const TRACE: &str = "/var/lib/wb-operations-trace";

/// How long a case may take, on a busy machine.
pub(crate) const BOUND: Duration = Duration::from_secs(600);

/// A program that was built before, in place of the one that would be built.
const BUILT: &str = "WB_OPERATIONS";

/// Part of the names of those cases that are tried; otherwise all are.
const CHOSEN: &str = "WB_CASES";

/// Tries all cases of a room. Those of an init that this machine can't have are skipped, and the test says so; where
/// `CI` is `true`, it fails.
///
/// # Panics
/// When one of them does not do as it must: after the others were tried, with all that is wrong.
pub fn hold(room: &Room) {
    let shell = Shell::standard();
    let inits: BTreeSet<Init> = chosen(room).map(|case| case.init).collect();
    let (here, elsewhere): (Vec<Init>, Vec<Init>) = inits.into_iter().partition(|init| inits::can_be_had(*init));
    for init in elsewhere {
        // The process that this one runs in looks for lines that begin so.
        eprintln!("skipped: {}: hosts under {init:?}, which needs control groups of version 2", room.name);
    }
    if here.is_empty() {
        return;
    }
    let program = program(&shell);
    let herd = herd(room, &here, &shell);
    let mut wrong = Vec::new();
    for (init, number) in here.into_iter().zip(0..) {
        let pair = Pair::boot(&herd, room, init, number, &program);
        for case in chosen(room).filter(|case| case.init == init) {
            let watch = Stopwatch::start();
            let result = pair.hold(room, case);
            shell.note(format_args!("{}::{}: {:.1} s", room.name, case.name, watch.elapsed().as_secs_f64()));
            wrong.extend(result.err().map(|why| format!("{}::{}: {why}", room.name, case.name)));
        }
    }
    assert!(wrong.is_empty(), "{} of the room {} went wrong:\n{}", wrong.len(), room.name, wrong.join("\n\n"));
}

fn chosen(room: &Room) -> impl Iterator<Item = &'static Case> {
    let (name, chosen) = (room.name, environment::var(CHOSEN).unwrap_or_default());
    room.cases.iter().filter(move |case| format!("{name}::{}", case.name).contains(&chosen))
}

/// The program for the hosts, with what every room's cases do. All rooms of a run have the same.
pub(crate) fn program(shell: &Shell) -> Vec<u8> {
    let path = environment::var(BUILT).map_or_else(|| once("wb-operations", || built(shell)), Into::into);
    files::read(path).expect("a program for the hosts")
}

fn built(shell: &Shell) -> PathBuf {
    let fleet = Fleet {
        crate_dir: concat!(env!("CARGO_MANIFEST_DIR"), "/operations").into(),
        package: "wb-operations".into(),
        binary: "wb-operations".into(),
    };
    build::runner(&fleet, shell).expect("a program for the hosts").path
}

fn herd(room: &Room, inits: &[Init], shell: &Shell) -> Herd {
    let image = Image::debian12(&cache_dir(), &|line| shell.note(line)).expect("an image");
    let (subnet, place) = ("10.79.0.0/24".parse().expect("a subnet"), scratch_dir("test-operations").join(room.name));
    let of_inits = inits.iter().flat_map(|init| inits::packages(*init));
    let packages: BTreeSet<&str> = chosen(room).flat_map(|case| case.packages).chain(of_inits).copied().collect();
    let packages: Vec<&str> = packages.into_iter().collect();
    Herd::start_stocked(&image, &place, subnet, &packages, &|line| shell.note(line)).expect("a herd")
}

/// Two hosts that are equal before a case.
struct Pair {
    first: Host,
    second: Host,
}

impl Pair {
    fn boot(herd: &Herd, room: &Room, init: Init, number: u8, program: &[u8]) -> Self {
        let packages: BTreeSet<&str> =
            chosen(room).filter(|case| case.init == init).flat_map(|case| case.packages).copied().collect();
        let packages: Vec<&str> = packages.into_iter().collect();
        let host = |name: &str, last| {
            let name = format!("{name}{number}");
            let host = herd.boot(&name, Ipv4Addr::new(10, 79, 0, last)).expect("a host");
            inits::change(&host, init);
            if !packages.is_empty() {
                install(&host, &packages);
            }
            host.put(PROGRAM, program, 0o755).expect("the program");
            host
        };
        let mut hosts = crate::stage::each([("planned", 10 + number), ("killed", 30 + number)], |(n, l)| host(n, l));
        let (second, first) = (hosts.pop(), hosts.pop());
        Self { first: first.expect("a host"), second: second.expect("a host") }
    }

    fn hold(&self, room: &Room, case: &Case) -> Result<(), String> {
        match on_the_first(&self.first, room, case)? {
            0 => Err("it passes no point at which it could be killed: let it write a file in between".to_owned()),
            passages => on_the_second(&self.second, room, case, passages),
        }
    }
}

/// Has apt install what these words say. The lists of the image are a week old at most, and mirrors mostly have what they name.
pub(crate) fn install(host: &Host, words: &[&str]) {
    let install = Command::new("apt-get").args(["install", "-y", "-q"]).args(words);
    let install = install.env("DEBIAN_FRONTEND", "noninteractive").timeout(BOUND);
    if host.read(install.clone()).is_err() {
        host.read(Command::shell("apt-get update -q").timeout(BOUND)).expect("lists of packages");
        host.read(install).expect("installed packages");
    }
}

/// How many points it passed at which it could have been killed.
fn on_the_first(host: &Host, room: &Room, case: &Case) -> Result<u64, String> {
    shell(host, "prepare", case.prepare)?;
    let before = told(host, room, case, &["snapshot"])?;
    let planned = operations(&told(host, room, case, &["plan"])?)?;
    judge::untouched(&before, &told(host, room, case, &["snapshot"])?).map_err(|touched| touched.to_string())?;
    shell(host, "forget the last trace", &format!("rm -f {TRACE}"))?;
    let done = operations(&told(host, room, case, &["apply", "trace", TRACE])?)?;
    foreseen(case, &planned, &done)?;
    let passages = shell(host, "count the passages", &format!("wc -l <{TRACE}"))?;
    nothing_more(host, room, case)?;
    shell(host, "check", case.check)?;
    passages.trim().parse().map_err(|_| format!("no trace: {passages}"))
}

fn on_the_second(host: &Host, room: &Room, case: &Case, passages: u64) -> Result<(), String> {
    // What is refused passes other points each time: then it is killed earlier.
    let mut killed = [passages / 2, passages / 4, 1].into_iter().map(|nth| kill(host, room, case, nth));
    if killed.find(|killed| *killed != Ok(false)).transpose()?.is_none() {
        return Err(format!("it was to be killed at passage {} of {passages}, and was not", passages / 2));
    }
    told(host, room, case, &["apply"]).map_err(|why| format!("after it was killed: {why}"))?;
    nothing_more(host, room, case).map_err(|why| format!("after it was killed: {why}"))?;
    shell(host, "check", case.check).map(drop).map_err(|why| format!("after it was killed: {why}"))
}

/// Whether it was killed on its way, at the passage of this number.
fn kill(host: &Host, room: &Room, case: &Case, nth: u64) -> Result<bool, String> {
    shell(host, "prepare", case.prepare)?;
    Ok(tell(host, room, case, &["apply", "kill", &nth.to_string()])?.code != 0)
}

/// It is run once more, and changes nothing.
fn nothing_more(host: &Host, room: &Room, case: &Case) -> Result<(), String> {
    let again = operations(&told(host, room, case, &["apply"])?)?;
    if case.rerun.is_some() { Ok(()) } else { judge::again(&again).map_err(|changes| changes.to_string()) }
}

/// What was done is what the plan said, but for what it could not know.
fn foreseen(case: &Case, planned: &[Operation], done: &[Operation]) -> Result<(), String> {
    let excused = |unknown: &Operation| case.unforeseen.iter().any(|start| unknown.what.starts_with(start));
    let notes = judge::plan(planned, None, done, &excused).map_err(|difference| difference.to_string())?;
    if notes.is_empty() { Ok(()) } else { Err(notes.join("\n")) }
}

fn operations(json: &str) -> Result<Vec<Operation>, String> {
    serde_json::from_str(json).map_err(|error| format!("{error}: {json}"))
}

fn told(host: &Host, room: &Room, case: &Case, words: &[&str]) -> Result<String, String> {
    let output = tell(host, room, case, words)?;
    match output.code {
        0 => Ok(output.text()),
        _ => Err(format!("{}: {}", words.join(" "), output.error_text())),
    }
}

fn tell(host: &Host, room: &Room, case: &Case, words: &[&str]) -> Result<Output, String> {
    let (act, rest) = words.split_first().ok_or("nothing to tell")?;
    let name = format!("{}::{}", room.name, case.name);
    let command = Command::new(PROGRAM).args([*act, &name]).args(rest).timeout(BOUND);
    host.run(command).map_err(|error| format!("{}: {error}", words.join(" ")))
}

/// What lines of shell say on a host, of which none may fail.
pub(crate) fn shell(host: &Host, what: &str, lines: &str) -> Result<String, String> {
    // What it did is only read where it failed.
    let output = host.run(Command::shell(format!("set -ex\n{lines}")).timeout(BOUND));
    let output = output.map_err(|error| format!("{what}: {error}"))?;
    match output.code {
        0 => Ok(output.text()),
        code => Err(format!("{what} ended with {code}:\n{}\n{}", output.text(), output.error_text())),
    }
}
