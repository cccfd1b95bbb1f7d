//! The races of the standard library, run as few times as can be: that they still can be run, and that the floor, which
//! shares no code with it, finds what it did as it should be.

use wb_tests::alone::alone_with_quick_builds;
use wb_xtask::bench;
use wb_xtask::shell::Shell;

#[test]
fn the_standard_library_races() {
    alone_with_quick_builds("speed::the_standard_library_races", || {
        let applied = bench::stdlib(1, &Shell::standard()).unwrap();
        let kinds: Vec<&str> = applied.kinds.keys().map(String::as_str).collect();
        assert_eq!(kinds, ["files", "install", "mixed"]);
        for (kind, raced) in &applied.kinds {
            assert!(raced.floor_syscalls > 0 && raced.noop_syscalls > 0 && raced.first_ms > 0.0, "{kind}: {raced:?}");
        }
        assert!(applied.peak_mib > 0.0);
    });
}
