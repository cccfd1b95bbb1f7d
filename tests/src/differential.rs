//! Ansible beside the standard library: the same inputs on two hosts that are equal, and what came of them.
//!
//! On one of them a playbook has a task for each input; on the other, the program of `wb-operations` runs the operation
//! that stands for it. Both say of each input whether it changed something. Then it is looked at what there is, by the
//! same program on both, and all is run once more. Whatever differs then is wrong, or is on purpose and has its row in
//! the book.

mod edits;
mod playbook;
mod verdict;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::de::DeserializeOwned;
use wb_core::system::Command;
use wb_core::system::clock::Stopwatch;
use wb_operations::differential::{Found, MODULES, Module, Said};
use wb_xtask::sandbox::{Herd, Host, Image, cache_dir, scratch_dir};
use wb_xtask::shell::Shell;

use crate::stage::each;
use crate::trial::{self, BOUND, PROGRAM};
use verdict::Ran;

/// Both hosts have all of it, so that they are equal. `ansible-` keeps away the collections that are recommended beside
/// `ansible-core`: they are large, and nothing here is of them.
const PACKAGES: [&str; 4] = ["ansible-core", "ansible-", "python3-apt", "gnupg"];

/// From then on apt has no lists but those of the inputs: with Debian's among them, each new one would take it seconds.
const FORGET_MIRRORS: &str = "rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*";

/// Runs all inputs of all modules.
///
/// # Panics
/// When both do not do the same and it is not documented, or do the same though a difference is documented: after all
/// were compared, with everything that is wrong.
pub fn hold() {
    let (shell, mut watch) = (Shell::standard(), Stopwatch::start());
    let mut done = |what: &str| {
        shell.note(format_args!("{what}: {:.1} s", watch.elapsed().as_secs_f64()));
        watch = Stopwatch::start();
    };
    let program = trial::program(&shell);
    done("the program");
    let herd = herd(&shell);
    let sites = both([Worker::Here, Worker::Ansible], |worker| Site::boot(&herd, worker, &program));
    done("two equal hosts, with Ansible");
    prepare(&sites);
    done("what the inputs begin with");
    let mut wrong: Vec<String> = each(MODULES, |module| compare(module, &sites)).concat();
    done("all inputs, twice");
    wrong.extend(edits::complaints(&sites));
    done("all edits");
    assert!(wrong.is_empty(), "{} inputs differ otherwise than is documented:\n{}", wrong.len(), wrong.join("\n\n"));
}

fn herd(shell: &Shell) -> Herd {
    let image = Image::debian12(&cache_dir(), &|line| shell.note(line)).expect("an image");
    let (subnet, place) = ("10.79.0.0/24".parse().expect("a subnet"), scratch_dir("test-differential"));
    Herd::start_stocked(&image, &place, subnet, &PACKAGES, &|line| shell.note(line)).expect("a herd")
}

/// Brings both hosts to where the inputs begin.
fn prepare(sites: &[Site; 2]) {
    let [here, ansible] = both(sites.each_ref(), |site| {
        MODULES.iter().for_each(|module| site.prepare(module));
        MODULES.iter().map(|module| site.look(module)).collect::<Vec<_>>()
    });
    assert_eq!(here, ansible, "two hosts that are not equal before anything was done");
}

/// What is wrong about the inputs of a module.
fn compare(module: &Module, sites: &[Site; 2]) -> Vec<String> {
    let [here, ansible] = both(sites.each_ref(), |site| site.work(module));
    verdict::complaints(module, &here, &ansible)
}

/// Does something with two items at once.
fn both<T: Send, R: Send>(items: [T; 2], act: impl Fn(T) -> R + Sync) -> [R; 2] {
    each(items, act).try_into().unwrap_or_else(|_| panic!("two results of two items"))
}

/// Who works on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worker {
    /// The program of `wb-operations`.
    Here,
    Ansible,
}

/// A host, and who works there.
struct Site {
    host: Host,
    worker: Worker,
}

impl Site {
    fn boot(herd: &Herd, worker: Worker, program: &[u8]) -> Self {
        let (name, last) = match worker {
            Worker::Here => ("here", 10),
            Worker::Ansible => ("ansible", 11),
        };
        let host = herd.boot(name, Ipv4Addr::new(10, 79, 0, last)).expect("a host");
        trial::install(&host, &[&["--no-install-recommends"][..], &PACKAGES].concat());
        host.read(Command::shell(FORGET_MIRRORS)).expect("no more mirrors");
        host.put(PROGRAM, program, 0o755).expect("the program");
        Self { host, worker }
    }

    fn prepare(&self, module: &Module) {
        let what = format!("prepare the inputs of {}", module.name);
        let prepared = trial::shell(&self.host, &what, &playbook::preparation(module));
        prepared.unwrap_or_else(|why| panic!("{why}"));
    }

    fn work(&self, module: &Module) -> Ran {
        let first = self.run(module);
        let found = self.look(module);
        Ran { first, found, second: self.run(module) }
    }

    fn run(&self, module: &Module) -> BTreeMap<String, Said> {
        let said: BTreeMap<String, Said> = match self.worker {
            Worker::Here => self.tell("run", module),
            Worker::Ansible => self.play(module),
        };
        assert_eq!(said.len(), module.inputs.len(), "not all inputs of {} were run", module.name);
        said
    }

    fn look(&self, module: &Module) -> BTreeMap<String, Found> {
        self.tell("look", module)
    }

    fn tell<T: DeserializeOwned>(&self, act: &str, module: &Module) -> T {
        self.ask(act, module.name)
    }

    fn ask<T: DeserializeOwned>(&self, act: &str, of: &str) -> T {
        let said = self.host.read(Command::new(PROGRAM).args(["differential", act, of]).timeout(BOUND));
        serde_json::from_str(&said.expect("what the program says")).expect("JSON of the program")
    }

    fn play(&self, module: &Module) -> BTreeMap<String, Said> {
        let path = format!("{}.yml", module.directory());
        self.host.put(&path, playbook::playbook(module), 0o644).expect("a playbook");
        let play = Command::new("ansible-playbook").args(["-i", "localhost,", &path]);
        self.host.read(quiet(play)).expect("a playbook that runs to its end");
        let said = self.host.read(Command::new("cat").arg(playbook::written_to(module)));
        serde_json::from_str(&said.expect("what came of the tasks")).expect("JSON of Ansible")
    }
}

/// A playbook, within a time limit.
fn quiet(play: Command) -> Command {
    play.timeout(BOUND).env("ANSIBLE_PIPELINING", "1").env("ANSIBLE_NOCOLOR", "1")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The chapter of the room that does what a module does.
    fn chapter(module: &str) -> &'static str {
        match module {
            "file" => include_str!("../../docs/src/files.md"),
            "user" => include_str!("../../docs/src/users.md"),
            "cron" => include_str!("../../docs/src/machine.md"),
            "apt_repository" => include_str!("../../docs/src/packages.md"),
            other => panic!("no chapter for {other}"),
        }
    }

    /// The rows of the table below the heading about a module.
    fn rows(module: &str) -> BTreeSet<String> {
        let heading = format!("## Beside Ansible's `{module}`");
        let section = chapter(module).lines().skip_while(|line| *line != heading).skip(1);
        let section = section.take_while(|line| !line.starts_with("## "));
        let lines = section.filter(|line| line.starts_with("| ") && !line.starts_with("| |") && !line.contains("---"));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn each_difference_has_its_row_in_the_book_and_each_row_is_one() {
        for module in MODULES {
            let differences = module.inputs.iter().filter_map(|input| input.differs);
            let expect: BTreeSet<String> = differences.map(|differs| differs.line()).collect();
            assert_eq!(rows(module.name), expect, "{}", module.name);
        }
    }
}
