//! The tests of a workspace, in parts. Hosts on sandboxes have clients that do not wait, so that they come first; what
//! only computes takes what they leave. What measures has the machine for itself.
//!
//! Each program of tests has a slowest test, and while that one goes on alone, processors are idle. So what computes is
//! not one command but many, one for each program that takes long and one for all that are short, of which several run at
//! once. What takes longest begins first: where it begins last, it keeps one processor busy while all others have nothing
//! left to do.

use std::collections::BTreeSet;

use cargo_metadata::{Metadata, TargetKind};

/// The test programs that measure, or need all that the machine has.
const BENCH: &str = "bench";

/// The test programs whose hosts are sandboxes.
const SANDBOX: &str = "sandbox";

/// The test programs that compile fleets where this workspace is compiled. Cargo lets one in there at a time, so that
/// they would wait for each other; and some ask what is compiled anew. They are one command, one after the other. While one of
/// them compiles, the other lanes wait before their next command, since cargo looks there what is to be compiled.
const COMPILE: &[&str] = &["commands", "editor", "packages", "rebuild", "ui_chain", "ui_macros"];

/// What begins first, in this order, each by a word of its command: all that took ten seconds or more on two
/// processors, the longest first. It need not be exact: a name that is missing, or stands too late, costs some time,
/// and nothing else.
const LONGEST: &[&str] = &[
    "commands",
    "reproducible",
    "agents",
    "torture_remote",
    "self_update",
    "torture",
    "histories",
    "--lib",
    "--doc",
    "torture_herd",
    "durable",
];

/// Commands of cargo, as its arguments, in the order in which they begin.
pub(super) type Part = Vec<Vec<String>>;

/// What runs when.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Suite {
    /// What has the machine for itself.
    pub(super) alone: Part,
    /// What computes, beside the sandboxes, several commands at once.
    pub(super) computes: Part,
    /// What runs on sandboxes.
    pub(super) sandboxes: Part,
}

impl Suite {
    /// The tests of this workspace.
    #[must_use]
    pub(super) fn of(metadata: &Metadata) -> Self {
        let targets = metadata.workspace_packages().into_iter().flat_map(|package| &package.targets);
        let tests = targets.filter(|target| target.kind.contains(&TargetKind::Test));
        Self::parted(tests.map(|target| target.name.as_str()))
    }

    /// Programs of one name in several packages are one: cargo runs all of them by that name.
    fn parted<'a>(tests: impl Iterator<Item = &'a str>) -> Self {
        let (special, others): (BTreeSet<&str>, BTreeSet<&str>) =
            tests.partition(|name| [BENCH, SANDBOX].contains(name));
        let only = |name: &str| match special.contains(name) {
            true => vec![test(&["--test", name])],
            false => Vec::new(),
        };
        let computes = match special.is_empty() {
            true => vec![test(&[])],
            false => queue(others),
        };
        Self { alone: only(BENCH), computes, sandboxes: only(SANDBOX) }
    }
}

/// The commands for all tests that compute. Those that are not known to be long are one, which comes last: until cargo has
/// seen that there is nothing to compile, many of them would be over.
fn queue(tests: BTreeSet<&str>) -> Part {
    let (compile, others): (Vec<&str>, Vec<&str>) = tests.into_iter().partition(|name| COMPILE.contains(name));
    let (long, short): (Vec<&str>, Vec<&str>) = others.into_iter().partition(|name| LONGEST.contains(name));
    let together = [compile, short].into_iter().filter(|names| !names.is_empty());
    let programs = together.chain(long.into_iter().map(|name| vec![name]));
    let of_programs = programs.map(|names| names.into_iter().flat_map(|name| ["--test", name]).collect::<Vec<_>>());
    // Examples have no tests, and what is compiled of them as such would be compiled now.
    let others = [vec!["--lib", "--bins"], vec!["--doc"]];
    let mut commands: Vec<Vec<&str>> = others.into_iter().chain(of_programs).collect();
    commands.sort_by_key(|command| place(command));
    commands.iter().map(|command| test(command)).collect()
}

/// How early a command begins.
fn place(command: &[&str]) -> usize {
    LONGEST.iter().position(|long| command.contains(long)).unwrap_or(LONGEST.len())
}

/// What compiles all of it, so that no part does so while another one runs.
#[must_use]
pub(super) fn compile() -> Vec<String> {
    test(&["--no-run"])
}

/// All packages at once, always: what a package is compiled with depends on which others are compiled with it.
fn test(which: &[&str]) -> Vec<String> {
    let all = ["test", "--workspace", "--no-fail-fast"].into_iter().chain(which.iter().copied());
    all.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use wb_core::system::files;

    use super::*;

    #[test]
    fn each_test_program_runs_once_and_the_longest_begin() {
        let check = |tests: &[&str], expect: [&[&str]; 3]| {
            let Suite { alone, computes, sandboxes } = Suite::parted(tests.iter().copied());
            let lines = |part: Part| part.iter().map(|args| args.join(" ")).collect::<Vec<_>>();
            let all = |ends: &[&str]| {
                ends.iter().map(|end| format!("test --workspace --no-fail-fast{end}")).collect::<Vec<_>>()
            };
            assert_eq!([alone, computes, sandboxes].map(lines), expect.map(all));
        };
        check(&[], [&[], &[""], &[]]);
        check(&["histories", "agents"], [&[], &[""], &[]]);
        check(
            &["small", "histories", "sandbox", "another", "agents", "bench", "sandbox", "small"],
            [
                &[" --test bench"],
                &[" --test agents", " --test histories", " --lib --bins", " --doc", " --test another --test small"],
                &[" --test sandbox"],
            ],
        );
        check(
            &["sandbox", "reproducible", "rebuild", "commands"],
            [
                &[],
                &[" --test commands --test rebuild", " --test reproducible", " --lib --bins", " --doc"],
                &[" --test sandbox"],
            ],
        );
        check(&["sandbox"], [&[], &[" --lib --bins", " --doc"], &[" --test sandbox"]]);
    }

    /// A name that is gone would stand for nothing.
    #[test]
    fn what_is_named_here_is_there() {
        let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
        let places = [xtask.join("tests"), xtask.join("../tests/tests")];
        let is_there = |name: &str| {
            let sources = [format!("{name}.rs"), format!("{name}/main.rs")];
            places.iter().any(|place| sources.iter().any(|source| files::exists(place.join(source))))
        };
        let named = COMPILE.iter().chain(LONGEST).copied().filter(|name| !name.starts_with("--"));
        let gone: Vec<&str> = named.chain([BENCH, SANDBOX]).filter(|name| !is_there(name)).collect();
        assert_eq!(gone, [""; 0]);
    }
}
