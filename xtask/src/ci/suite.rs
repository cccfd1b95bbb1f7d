//! The tests of a workspace, in parts that run at once: hosts on sandboxes mostly wait for each other and for the network,
//! and what only computes fills the time meanwhile.

use cargo_metadata::{Metadata, TargetKind};

/// The name of the test programs whose hosts are sandboxes.
const SANDBOX: &str = "sandbox";

/// Commands of cargo, one after the other.
pub(super) type Part = Vec<Vec<String>>;

/// What runs at once, as arguments of cargo: first what fills the time, then what waits, if there is such a thing.
#[must_use]
pub(super) fn parts(metadata: &Metadata) -> (Part, Part) {
    let targets = metadata.workspace_packages().into_iter().flat_map(|package| &package.targets);
    let tests = targets.filter(|target| target.kind.contains(&TargetKind::Test));
    parted(tests.map(|target| target.name.as_str()))
}

/// What compiles all of it, so that no part does so while another one runs.
#[must_use]
pub(super) fn compile() -> Vec<String> {
    test(&["--no-run"])
}

fn parted<'a>(tests: impl Iterator<Item = &'a str>) -> (Part, Part) {
    let (sandboxes, others): (Vec<&str>, Vec<&str>) = tests.partition(|name| *name == SANDBOX);
    if sandboxes.is_empty() {
        return (vec![test(&[])], Vec::new());
    }
    let named = others.iter().flat_map(|name| ["--test", name]);
    let quick = ["--lib", "--bins", "--examples"].into_iter().chain(named).collect::<Vec<_>>();
    (vec![test(&quick), test(&["--doc"])], vec![test(&["--test", SANDBOX])])
}

/// All packages at once, always: what a package is compiled with depends on which others are compiled with it.
fn test(which: &[&str]) -> Vec<String> {
    let all = ["test", "--workspace", "--no-fail-fast"].into_iter().chain(which.iter().copied());
    all.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_runs_beside_what_computes_and_nothing_runs_twice_or_never() {
        let check = |tests: &[&str], quick: &[&str], waits: &[&str]| {
            let lines = |part: Part| part.iter().map(|args| args.join(" ")).collect::<Vec<_>>();
            let (first, second) = parted(tests.iter().copied());
            assert_eq!((lines(first), lines(second)), (lines_of(quick), lines_of(waits)));
        };
        check(&[], &[""], &[]);
        check(&["chain", "herd"], &[""], &[]);
        check(
            &["chain", "sandbox", "herd", "sandbox"],
            &[" --lib --bins --examples --test chain --test herd", " --doc"],
            &[" --test sandbox"],
        );
        check(&["sandbox"], &[" --lib --bins --examples", " --doc"], &[" --test sandbox"]);
    }

    fn lines_of(ends: &[&str]) -> Vec<String> {
        ends.iter().map(|end| format!("test --workspace --no-fail-fast{end}")).collect()
    }
}
