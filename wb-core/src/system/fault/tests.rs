//! What is left on the disk after a fault, with real files.
#![cfg(feature = "faults")]

use std::collections::BTreeSet;
use std::path::Path;

use super::{Bug, Fault, Injected, Jump, Kind, POINTS, Plan, Subject, When, during, passed};
use crate::system::clock::Clock as _;
use crate::system::files::Attributes;
use crate::system::{FileError, Held, files};

use super::armed::{Died, dying};

const SEEDS: u64 = 40;

fn falls(seed: u64, fault: Fault, hit: u64) -> Plan {
    Plan { seed, faults: vec![Injected { fault, at: When::Hit(hit) }], ..Plan::default() }
}

/// What stands in `a` after a power cut at each passage of `act`, with many seeds, where `old` stood there before.
fn after_cuts(bugs: &[Bug], act: impl Fn(&Path) -> Result<(), FileError>) -> BTreeSet<Option<String>> {
    let mut left = BTreeSet::new();
    for seed in 0..SEEDS {
        for hit in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a");
            files::write(&path, "old", 0o644).unwrap();
            let plan = Plan { bugs: bugs.to_vec(), ..falls(seed, Fault::PowerCut, hit) };
            let ended = dying(plan, || act(&path));
            if let Ok(ended) = ended {
                ended.unwrap();
                break;
            }
            let found = files::read_optional(&path).unwrap();
            left.insert(found.map(|bytes| String::from_utf8(bytes).unwrap()));
        }
    }
    left
}

fn set(texts: &[&str]) -> BTreeSet<Option<String>> {
    texts.iter().map(|text| Some((*text).to_owned())).collect()
}

/// Passes one more point, at which the power can fail after `write` has come back.
fn write_and_go_on(path: &Path) -> Result<(), FileError> {
    files::write(path, "new content", 0o644)?;
    files::create_dir(path.with_file_name("later"))
}

#[test]
fn a_write_survives_every_cut_as_old_or_new() {
    assert_eq!(after_cuts(&[], write_and_go_on), set(&["old", "new content"]));
}

#[test]
fn who_was_told_that_it_is_written_finds_it() {
    for seed in 0..SEEDS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let at = When::Point { point: super::point::number(Subject::Any, Kind::Make), nth: 0 };
        let plan = Plan { seed, faults: vec![Injected { fault: Fault::PowerCut, at }], ..Plan::default() };
        assert_eq!(dying(plan, || write_and_go_on(&path)).unwrap_err(), Died);
        assert_eq!(files::read_text(&path).unwrap(), "new content");
    }
}

#[test]
fn without_the_fsync_of_the_file_the_new_one_may_be_torn() {
    let left = after_cuts(&[Bug::MissingFsync], write_and_go_on);
    let torn =
        |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() < 11 && "new content".starts_with(&**text));
    let zeros = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() == 11 && text.ends_with('\0'));
    assert!(left.contains(&Some(String::new())), "{left:?}");
    assert!(left.iter().any(torn) && left.iter().any(zeros), "{left:?}");
    assert!(left.is_superset(&set(&["old", "new content"])), "{left:?}");
}

#[test]
fn without_the_fsync_of_the_directory_the_old_one_may_come_back() {
    let bugs = [Bug::MissingDirSync];
    let late = |seed| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        files::write(&path, "old", 0o644).unwrap();
        let at = When::Point { point: super::point::number(Subject::Any, Kind::Make), nth: 0 };
        let faults = vec![Injected { fault: Fault::PowerCut, at }];
        dying(Plan { seed, faults, bugs: bugs.to_vec(), ..Plan::default() }, || write_and_go_on(&path)).unwrap_err();
        files::read_text(&path).unwrap()
    };
    let left: BTreeSet<String> = (0..SEEDS).map(late).collect();
    assert_eq!(left, BTreeSet::from(["old".to_owned(), "new content".to_owned()]));
}

#[test]
fn what_is_replaced_without_an_fsync_may_be_torn() {
    let left = after_cuts(&[], |path| {
        files::replace(path, "new content")?;
        files::create_dir(path.with_file_name("later"))
    });
    assert!(left.is_superset(&set(&["old", "", "new content"])), "{left:?}");
}

#[test]
fn of_what_was_added_a_part_may_be_lost_and_nothing_before_it() {
    let left = after_cuts(&[], |path| {
        let mut file = files::open_to_append(path, 0o644)?;
        files::append(&mut file, path, ", more")?;
        files::append(&mut file, path, ", and more")
    });
    assert!(left.iter().flatten().all(|text| text.starts_with("old")), "{left:?}");
    assert!(left.is_superset(&set(&["old", "old, more"])), "{left:?}");
}

#[test]
fn what_was_removed_stays_so_once_that_came_back() {
    let left = after_cuts(&[], |path| {
        files::remove(path)?;
        files::create_dir(path.with_file_name("later"))
    });
    assert_eq!(left, BTreeSet::from([None, Some("old".to_owned())]));
    for seed in 0..SEEDS {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        files::create_dir(tree.join("below")).unwrap();
        files::write(tree.join("below/a"), "old", 0o644).unwrap();
        let cut = dying(falls(seed, Fault::PowerCut, 2), || {
            files::remove_tree(&tree).unwrap();
            files::create_dir(dir.path().join("later")).unwrap();
        });
        assert_eq!((cut, files::exists(&tree)), (Err(Died), false));
    }
}

#[test]
fn a_tree_comes_back_whole_when_the_cut_comes_first() {
    let came_back = |seed| {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        files::create_dir(tree.join("below")).unwrap();
        files::write(tree.join("below/a"), "old", 0o640).unwrap();
        dying(falls(seed, Fault::PowerCut, 1), || files::remove_tree(&tree)).unwrap_err();
        let there = files::exists(&tree);
        assert!(!there || files::read_text(tree.join("below/a")).unwrap() == "old");
        there
    };
    assert_eq!((0..SEEDS).map(came_back).collect::<BTreeSet<_>>(), BTreeSet::from([false, true]));
}

#[test]
fn links_and_modes_are_safe_once_they_came_back() {
    for seed in 0..SEEDS {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("a"), dir.path().join("link"));
        files::write(&path, "old", 0o600).unwrap();
        let cut = dying(falls(seed, Fault::PowerCut, 4), || {
            files::link("a", &link).unwrap();
            files::set_mode(&path, 0o640).unwrap();
            files::create_dir(dir.path().join("later")).unwrap();
        });
        assert_eq!(cut, Err(Died));
        assert_eq!(files::read_link(&link).unwrap(), Path::new("a"));
        assert_eq!(files::stat(&path).unwrap().unwrap().mode, 0o640);
    }
}

#[test]
fn a_kill_takes_nothing_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    // Write, fsync, rename have passed; the fsync of the directory is the fourth.
    let killed = dying(falls(0, Fault::Kill, 3), || files::write(&path, "new", 0o644));
    assert_eq!((killed.unwrap_err(), files::read_text(&path).unwrap()), (Died, "new".into()));
}

#[test]
fn a_program_whose_copy_takes_its_place_has_its_set_id_bits_at_every_moment() {
    for fault in [Fault::Kill, Fault::PowerCut] {
        for hit in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a");
            files::write(&path, "program", 0o4755).unwrap();
            let held = Held::below(dir.path(), "a").unwrap().unwrap();
            let ended = dying(falls(hit, fault, hit), || held.replace(Attributes::mode(0o4750), &[]));
            let mode = files::stat(&path).unwrap().unwrap().mode;
            assert_eq!(files::read_text(&path).unwrap(), "program", "{fault:?} at {hit}");
            assert!([0o4755, 0o4750].contains(&mode), "{fault:?} at {hit}: {mode:o}");
            if let Ok(ended) = ended {
                ended.unwrap();
                assert!(hit > 5 && mode == 0o4750, "{fault:?}: it passed {hit} points");
                break;
            }
        }
    }
}

#[test]
fn a_full_disk_fails_that_one_operation_and_leaves_the_old() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    files::write(&path, "old", 0o644).unwrap();
    let check = |fault, hit, expect| {
        let twice = dying(falls(7, fault, hit), || (files::write(&path, "new", 0o644), files::list(dir.path())));
        let (written, listed) = twice.unwrap();
        assert_eq!(written.unwrap_err().source.kind(), expect);
        assert_eq!(listed.unwrap(), std::slice::from_ref(&path));
    };
    for hit in 0..3 {
        check(Fault::NoSpace, hit, std::io::ErrorKind::StorageFull);
        assert_eq!(files::read_text(&path).unwrap(), "old");
    }
}

#[test]
fn passages_are_traced_with_their_subject() {
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    let plan = Plan { trace: Some(trace.clone()), ..Plan::default() };
    dying(plan, || {
        let _record = during(Subject::LinkStarts);
        files::write(dir.path().join("a"), "", 0o600).unwrap();
        {
            let _migration = during(Subject::Migration);
            files::remove(dir.path().join("a")).unwrap();
        }
        files::remove(dir.path().join("b")).unwrap();
    })
    .unwrap();
    let lines = files::read_text(trace).unwrap();
    let names: Vec<&str> = lines.lines().filter_map(|line| Some(line.split_once(' ')?.1)).collect();
    let expect = [
        "record, link starts: write",
        "record, link starts: fsync",
        "record, link starts: rename",
        "record, link starts: fsync of the directory",
        "migration: remove",
        "migration: fsync of the directory",
        "migration: remove",
    ];
    assert_eq!(names, expect);
    for line in lines.lines() {
        let (number, name) = line.split_once(' ').unwrap();
        assert_eq!(POINTS[number.parse::<usize>().unwrap()].name, name);
    }
}

#[test]
fn the_clock_jumps_when_the_plan_says() {
    let dir = tempfile::tempdir().unwrap();
    let plan =
        Plan { clock: vec![Jump { hits: 1, seconds: -3600 }, Jump { hits: 5, seconds: 7200 }], ..Plan::default() };
    let real = || crate::system::clock::Real.now().as_secs().cast_signed();
    let off = || (super::Jumping.now().as_secs().cast_signed() - real() + 30).div_euclid(60) * 60;
    let seen = dying(plan, || {
        let before = off();
        files::write(dir.path().join("a"), "", 0o600).unwrap();
        let between = off();
        files::write(dir.path().join("a"), "", 0o600).unwrap();
        (before, between, off())
    });
    assert_eq!(seen.unwrap(), (0, -3600, 3600));
}

#[test]
fn who_is_armed_knows_how_many_points_it_has_passed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    let write = || files::write(&path, "new", 0o644).unwrap();
    let before_and_after = || (passed(), write(), passed());
    let (before, (), points) = dying(Plan::default(), before_and_after).unwrap();
    assert!(before == 0 && points > 3, "{points}");
    assert_eq!(dying(falls(0, Fault::Kill, points), write), Ok(()), "it does not come so far");
    assert_eq!(dying(falls(0, Fault::Kill, points - 1), write), Err(Died));
    assert_eq!(passed(), 0);
}
