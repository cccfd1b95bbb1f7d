//! What tests in processes of their own share. Who needs it first in a run makes it, while others wait; these take it
//! then. Cargo, which would see in each of them that there is nothing to compile, takes its time for that, too.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use wb_core::system::clock::{Clock as _, Real, wait_until};
use wb_core::system::{environment, files};

/// Set in processes of tests: of which run they are. What was made in an earlier one may be of other sources.
pub(crate) const RUN: &str = "WB_TEST_RUN";

/// The run of the tests that this process starts.
pub(crate) static THIS_RUN: LazyLock<String> =
    LazyLock::new(|| format!("{} {}", std::process::id(), Real.now().as_nanos()));

/// Longer than anybody takes to make it with nothing compiled.
const BOUND: Duration = Duration::from_secs(900);

const PAUSE: Duration = Duration::from_millis(50);

/// The file that `make` gives, which it is asked for once in a run: where that lies, a note of this name says, which lies
/// where runners are built. A process that is of no run makes it anew.
pub(crate) fn once(name: &str, make: impl FnOnce() -> PathBuf) -> PathBuf {
    match (environment::var(RUN), environment::var("CARGO_TARGET_DIR")) {
        (Some(run), Some(target)) => once_in(&run, Path::new(&target), name, make),
        _ => make(),
    }
}

fn once_in(run: &str, dir: &Path, name: &str, make: impl FnOnce() -> PathBuf) -> PathBuf {
    files::create_dir(dir).expect("a directory");
    let turn = dir.join(format!("{name}.turn"));
    let free = || files::try_lock(&turn).expect("a lock");
    let _turn = wait_until(&Real, BOUND, PAUSE, free).expect("its maker comes to an end");
    let note = dir.join(format!("{name}.made"));
    let said = files::read_optional(&note).expect("a note").unwrap_or_default();
    if let Some(made) = noted(run, &String::from_utf8_lossy(&said)) {
        return made;
    }
    let made = make();
    files::write(&note, format!("{run}\n{}", made.display()), 0o644).expect("a note");
    made
}

/// What a note names, if it is one of this run.
fn noted(run: &str, note: &str) -> Option<PathBuf> {
    let (of, made) = note.split_once('\n')?;
    (of == run).then(|| made.into())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn it_is_made_once_in_each_run() {
        let dir = tempfile::tempdir().expect("a directory");
        let times = Cell::new(0);
        let check = |run: &str, name: &str, expect: &str| {
            let make = || {
                times.set(times.get() + 1);
                PathBuf::from(format!("/{}", times.get()))
            };
            assert_eq!(once_in(run, &dir.path().join("runners"), name, make), Path::new(expect), "{run} {name}");
        };
        check("7 1", "program", "/1");
        check("7 1", "program", "/1");
        check("7 1", "other", "/2");
        check("7 2", "program", "/3");
        check("7 2", "program", "/3");
        check("7 1", "program", "/4");
    }

    #[test]
    fn only_notes_of_this_run_count() {
        let check = |note: &str, expect: Option<&str>| {
            assert_eq!(noted("7 1", note), expect.map(PathBuf::from), "{note}");
        };
        check("7 1\n/target/program", Some("/target/program"));
        check("7 2\n/target/program", None);
        check("7 1", None);
        check("", None);
    }

    #[test]
    fn all_that_are_at_it_at_once_have_the_same() {
        let dir = tempfile::tempdir().expect("a directory");
        let make = |number: u32| once_in("7 1", dir.path(), "program", || PathBuf::from(format!("/{number}")));
        let made = crate::stage::each(0..4, make);
        assert!(made.iter().all(|path| *path == made[0]), "{made:?}");
    }
}
