//! How long each test program took, and how many there were. The programs say only how long, and cargo, elsewhere, says
//! which it runs, in the same order.

/// What is not worth a line, in seconds.
const SHORT: f64 = 5.0;

/// How long programs took, by their names.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Times(Vec<(String, f64)>);

impl Times {
    /// Of what cargo said on standard error, and of the closing lines of the programs that it ran. Where one has none, since
    /// it was killed, or more than one, as tests of documentation may have, nobody knows which is whose.
    pub(super) fn of<'a>(cargo: &str, closing: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<&str> = cargo.lines().filter_map(name).collect();
        let seconds: Vec<f64> = closing.into_iter().filter_map(seconds).collect();
        match names.len() == seconds.len() {
            true => Self(names.into_iter().map(str::to_owned).zip(seconds).collect()),
            false => Self::default(),
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// A line for each program that took long, the slowest one first.
    pub(super) fn lines(mut self) -> Vec<String> {
        self.0.retain(|(_, seconds)| *seconds >= SHORT);
        self.0.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        self.0.into_iter().map(|(name, seconds)| format!("tests of {name}: {seconds:.0} s")).collect()
    }
}

/// How many programs cargo ran, as it says on standard error; those that it makes of the examples of a crate count as one.
pub(super) fn programs(cargo: &str) -> usize {
    let is_one = |line: &&str| name(line).is_some() || line.trim_start().starts_with("Doc-tests ");
    cargo.lines().filter(is_one).count()
}

/// `     Running tests/chain.rs (target/debug/deps/chain-0123456789abcdef)` to `chain`.
fn name(line: &str) -> Option<&str> {
    let (_, program) = line.trim_start().strip_prefix("Running ")?.strip_suffix(')')?.rsplit_once('/')?;
    program.rsplit_once('-').map(|(name, _)| name)
}

/// `test result: ok. 3 passed; …; finished in 0.01s` to `0.01`.
fn seconds(line: &str) -> Option<f64> {
    line.strip_prefix("test result: ")?.rsplit_once("finished in ")?.1.strip_suffix('s')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARGO: &str = "   Compiling wb-core v0.1.0 (/w/wb-core)\n    Finished `test` profile in 0.31s\n     \
                         Running unittests src/lib.rs (target/debug/deps/wb_core-0123456789abcdef)\n     \
                         Running tests/chain.rs (target/debug/deps/chain-fedcba9876543210)\n     \
                         Running tests/herd.rs (/other/target/debug/deps/herd-0123456789abcdef)\n";

    fn check(closing: &[&str], expect: &[&str]) {
        let closing: Vec<String> = closing
            .iter()
            .map(|seconds| format!("test result: ok. 1 passed; 0 failed; 0 ignored; finished in {seconds}s"))
            .collect();
        assert_eq!(Times::of(CARGO, closing.iter().map(String::as_str)).lines(), expect, "{closing:?}");
    }

    #[test]
    fn programs_are_counted() {
        let check = |cargo: &str, expect: usize| assert_eq!(programs(cargo), expect, "{cargo}");
        check(CARGO, 3);
        check("   Doc-tests wb_core\n   Doc-tests wb_stdlib\n", 2);
        check("error: test failed, to rerun pass `--test chain`\n", 0);
    }

    #[test]
    fn each_program_has_its_time() {
        check(&["7.26", "0.01", "202.94"], &["tests of herd: 203 s", "tests of wb_core: 7 s"]);
        check(&["7.26", "0.01"], &[]);
        check(&["7.26", "0.01", "202.94", "8.00"], &[]);
    }
}
