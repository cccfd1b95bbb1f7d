//! A herd that rolls in a test of a fleet: over real git, with the runner that was built, and where one host falls.

use std::collections::BTreeSet;
use std::path::Path;

use wb_core::system::files;
use wb_tests::alone::beside_others;
use wb_tests::stage::link;
use wb_xtask::build;
use wb_xtask::fleet::Fleet;
use wb_xtask::sandbox::{Image, cache_dir, scratch_dir};
use wb_xtask::scaffold::{Dependencies, Scaffold, add_link};
use wb_xtask::shell::Shell;
use wb_xtask::test::crowd::crowd;
use wb_xtask::test::diary::Diary;
use wb_xtask::test::outcome::{Check, Tested, Verdict};
use wb_xtask::test::rehearsal::{Rehearsal, Says};
use wb_xtask::test::roll::Roll;
use wb_xtask::test::{Event, TestError};

const HERD: &str = "[hosts.web1]\nroles = ['web']\n[hosts.web2]\nroles = ['web']\n";

/// Fails on the second of the hosts alone.
const FALLS: &str = r#"use wb_stdlib::prelude::*;

/// The diary has a last word, but on one host.
#[migration(role = "web")]
fn fall(host: &Host) -> Result<()> {
    host.shell("echo fall >>/srv/diary").run()?;
    ensure!(host.name() != "web2", "there is no way on from {}", host.name());
    Ok(())
}
"#;

#[test]
fn a_herd_rolls_in_a_test() {
    beside_others("roll::a_herd_rolls_in_a_test", || {
        let scratch = scratch_dir("test-a-roll");
        let fleet = fleet(&scratch.join("source"));
        let told = roll(&fleet, &scratch).unwrap();
        assert_eq!(failures(&told), [""; 0], "{told:?}");
        let names: BTreeSet<String> = told.iter().map(Tested::name).collect();
        for name in ["begin::roll: all come there", "go_on::roll: all come there", "roll: places of web"] {
            assert!(names.contains(name), "no {name} in {names:?}");
        }
        for host in ["web1", "web2", "web1-2"] {
            for check in ["roll: each migration runs once", "roll: specs hold"] {
                assert!(names.contains(&format!("{host}::{check}")), "no {check} of {host} in {names:?}");
            }
        }

        // The next one begins with that herd, whose hosts are in service: the first one that falls lets no other go on.
        add_link(&fleet, &link("fall", FALLS)).unwrap();
        let told = roll(&fleet, &scratch).unwrap();
        assert_eq!(told.iter().map(Tested::name).collect::<Vec<_>>(), ["fall::roll: all come there"]);
        let failed = failures(&told);
        let [said] = failed[..] else { panic!("{told:?}") };
        assert!(said.starts_with("a host fails, and the others go no further:\n  web2: `fall` ("), "{said}");
        assert!(said.contains("there is no way on from web2"), "{said}");
        files::remove_tree(&scratch).unwrap();
    });
}

/// One whose hosts leave load and come back.
fn fleet(dir: &Path) -> Fleet {
    files::remove_tree(dir).unwrap();
    let links = [("begin", include_str!("../../fleet/begin.rs")), ("go_on", include_str!("../../fleet/go_on.rs"))];
    let scaffold = Scaffold {
        herd: HERD.to_owned(),
        roles: include_str!("../../fleet/roles.rs").to_owned(),
        tests: String::new(),
        links: links.map(|(name, source)| link(name, source)).to_vec(),
        ..Scaffold::new(dir, Dependencies::Paths)
    };
    scaffold.create(&Shell::standard()).unwrap()
}

fn roll(fleet: &Fleet, scratch: &Path) -> Result<Vec<Tested>, TestError> {
    let shell = Shell::standard();
    let (runner, herd) = (build::runner(fleet, &shell)?.path, fleet.herd()?);
    let (says, image) = (Says::of(&runner)?, Image::debian12(&cache_dir(), &|line| shell.note(line))?);
    let players = crowd(&herd, says.chain.links(), &says.roles);
    let rehearsal = Rehearsal::of(&fleet.crate_dir, &herd, says, image)?;
    let (diary, (told, events)) = (Diary::begin(&scratch.join("logs"))?, std::sync::mpsc::channel());
    let roll = Roll {
        fleet,
        runner: &runner,
        rehearsal: &rehearsal,
        players: &players,
        from_scratch: false,
        keep: false,
        place: scratch,
        diary: &diary,
        told: &told,
    };
    roll.open(&|| true)?.map_or(Ok(()), |opened| roll.hold(opened))?;
    let tested = |event: Event| match event {
        Event::Tested(tested) => Some(*tested),
        Event::Note(note) | Event::Kept(note) => {
            shell.note(note);
            None
        }
    };
    let tested: Vec<Tested> = events.try_iter().filter_map(tested).collect();
    assert!(tested.iter().all(|tested| matches!(tested.check, Check::Roll(_))), "{tested:?}");
    Ok(tested)
}

fn failures(told: &[Tested]) -> Vec<&str> {
    let failed = told.iter().filter_map(|tested| match &tested.verdict {
        Verdict::Failed { what, .. } => Some(what.as_str()),
        _ => None,
    });
    failed.collect()
}
