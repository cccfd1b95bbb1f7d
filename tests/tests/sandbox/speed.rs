//! The races of the standard library, run as few times as can be: that they still can be run, and that the judge, which
//! shares no code with it, finds what it did as it should be. And tests of a small fleet, as they are measured.

use wb_tests::alone::alone;
use wb_xtask::bench::{self, StdlibOptions, TestOptions};
use wb_xtask::shell::Shell;

#[test]
fn the_standard_library_races() {
    alone("speed::the_standard_library_races", || {
        let options = StdlibOptions { rounds: 1, ..StdlibOptions::default() };
        let mut kept = Vec::new();
        let keep = |applied: &bench::Applied| {
            kept.push(applied.clone());
            Ok(())
        };
        let applied = bench::stdlib(options, &Shell::standard(), keep).unwrap();
        assert_eq!(kept, std::slice::from_ref(&applied));
        let kinds: Vec<&str> = applied.kinds.keys().map(String::as_str).collect();
        assert_eq!(kinds, ["files", "install", "mixed"]);
        for (kind, raced) in &applied.kinds {
            let calls = [raced.floor_own_syscalls, raced.floor_syscalls, raced.noop_own_syscalls, raced.noop_syscalls];
            assert!(calls.iter().all(|count| *count > 0) && raced.first_ms > 0.0, "{kind}: {raced:?}");
            assert!(raced.first_peak_mib > 0.0 && raced.noop_peak_mib > 0.0, "{kind}: {raced:?}");
        }
        assert!(applied.kinds.values().all(|raced| raced.first_peak_mib.max(raced.noop_peak_mib) <= applied.peak_mib));
    });
}

/// Six links: one of each kind. The ratio of so few says nothing.
#[test]
fn tests_of_a_fleet_are_measured() {
    alone("speed::tests_of_a_fleet_are_measured", || {
        let measured = bench::test(TestOptions { links: 6, interrupt: 1 }, &Shell::standard()).unwrap();
        let json = serde_json::to_value(measured).unwrap();
        for key in ["scratch_seconds", "incremental_seconds", "link_seconds", "ratio", "try_seconds"] {
            assert!(json[key].as_f64().is_some_and(|number| number > 0.0), "{key}: {json}");
        }
        assert_eq!((measured.links, measured.interrupt), (6, 1));
    });
}
