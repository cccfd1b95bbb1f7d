//! The tests of a workspace, in parts. What measures has the machine for itself. Hosts on sandboxes have clients that do not
//! wait, so that they come first; what only computes takes what they leave.

use cargo_metadata::{Metadata, TargetKind};

/// The test programs that measure, or need all that the machine has.
const BENCH: &str = "bench";

/// The test programs whose hosts are sandboxes.
const SANDBOX: &str = "sandbox";

/// Commands of cargo, as its arguments: one after the other.
pub(super) type Part = Vec<Vec<String>>;

/// What runs when.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Suite {
    /// What runs first, and alone.
    pub(super) alone: Part,
    /// What computes, beside the sandboxes.
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

    fn parted<'a>(tests: impl Iterator<Item = &'a str>) -> Self {
        let (special, others): (Vec<&str>, Vec<&str>) = tests.partition(|name| [BENCH, SANDBOX].contains(name));
        let only = |name: &str| match special.contains(&name) {
            true => vec![test(&["--test", name])],
            false => Vec::new(),
        };
        let named = others.iter().flat_map(|name| ["--test", name]);
        let all_others = ["--lib", "--bins", "--examples"].into_iter().chain(named).collect::<Vec<_>>();
        let computes = match special.is_empty() {
            true => vec![test(&[])],
            false => vec![test(&all_others), test(&["--doc"])],
        };
        Self { alone: only(BENCH), computes, sandboxes: only(SANDBOX) }
    }
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
    use super::*;

    #[test]
    fn each_test_program_runs_once() {
        let check = |tests: &[&str], expect: [&[&str]; 3]| {
            let Suite { alone, computes, sandboxes } = Suite::parted(tests.iter().copied());
            let lines = |part: Part| part.iter().map(|args| args.join(" ")).collect::<Vec<_>>();
            let all = |ends: &[&str]| {
                ends.iter().map(|end| format!("test --workspace --no-fail-fast{end}")).collect::<Vec<_>>()
            };
            assert_eq!([alone, computes, sandboxes].map(lines), expect.map(all));
        };
        check(&[], [&[], &[""], &[]]);
        check(&["chain", "herd"], [&[], &[""], &[]]);
        check(
            &["chain", "sandbox", "herd", "bench", "sandbox"],
            [
                &[" --test bench"],
                &[" --lib --bins --examples --test chain --test herd", " --doc"],
                &[" --test sandbox"],
            ],
        );
        check(&["sandbox"], [&[], &[" --lib --bins --examples", " --doc"], &[" --test sandbox"]]);
    }
}
