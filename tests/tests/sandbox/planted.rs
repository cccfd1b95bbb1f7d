//! A fleet with a fault for each check of `cargo xtask test`: exactly that check fails, and says on which host, by which
//! migration, and how. Mended, the same fleet passes.

use std::collections::BTreeSet;

use wb_core::system::files;
use wb_tests::alone::alone_with_quick_builds;
use wb_tests::stage::link;
use wb_xtask::fleet::Fleet;
use wb_xtask::sandbox::{Distribution, Init, scratch_dir};
use wb_xtask::scaffold::{Dependencies, Scaffold};
use wb_xtask::shell::{Canvas, Shell};
use wb_xtask::test::outcome::{Check, Outcome};
use wb_xtask::test::{self, Options, page};

/// A fault: the role of the host that has it, the migration, its source, the check that fails, and what that says.
struct Fault {
    role: &'static str,
    link: &'static str,
    source: &'static str,
    fails: fn(&Check) -> bool,
    says: &'static str,
}

const FAULTS: [Fault; 5] = [
    Fault {
        role: "again",
        link: "count_visits",
        source: include_str!("../../fleet/planted/count_visits.rs"),
        fails: |check| *check == Check::Rerun,
        says: "/srv/visits",
    },
    Fault {
        role: "liar",
        link: "tell_a_lie",
        source: include_str!("../../fleet/planted/tell_a_lie.rs"),
        fails: |check| *check == Check::Plan,
        says: "/srv/two",
    },
    Fault {
        role: "writer",
        link: "write_a_note",
        source: include_str!("../../fleet/planted/write_a_note.rs"),
        fails: |check| *check == Check::Plan,
        says: "+ /srv/note",
    },
    Fault {
        role: "promiser",
        link: "make_a_promise",
        source: include_str!("../../fleet/planted/make_a_promise.rs"),
        fails: |check| *check == Check::Spec("the_promise_is_kept".into()),
        says: "/srv/never",
    },
    // The newest one: it alone is killed.
    Fault {
        role: "loser",
        link: "lose_a_restart",
        source: include_str!("../../fleet/planted/lose_a_restart.rs"),
        fails: |check| matches!(check, Check::Interrupted(_)),
        says: "touch /srv/restarted",
    },
];

/// Two migrations, their roles, and what they wait for: each for a host to be past the other.
const DEADLOCK: [(&str, &str, &str); 2] =
    [("drain", "again", "all(\"liar\").reached(\"fill\")"), ("fill", "liar", "all(\"again\").reached(\"drain\")")];

fn herd(planted: bool) -> String {
    let host = |fault: &Fault| {
        let role = fault.role;
        format!("[hosts.{role}1]\nroles = [\"{role}\"]\nsettings = {{ planted = {planted} }}\n\n")
    };
    FAULTS.iter().map(host).collect()
}

fn fleet(shell: &Shell) -> Fleet {
    let dir = scratch_dir("test-planted");
    files::remove_tree(&dir).unwrap();
    let scaffold = Scaffold {
        herd: herd(true),
        roles: include_str!("../../fleet/planted/roles.rs").to_owned(),
        links: FAULTS.iter().map(|fault| link(fault.link, fault.source)).collect(),
        ..Scaffold::new(&dir, Dependencies::Paths)
    };
    scaffold.create(shell).unwrap()
}

fn tested(fleet: &Fleet, shell: &Shell) -> Outcome {
    let options = Options {
        roles: BTreeSet::new(),
        migrations: BTreeSet::new(),
        jobs: 2,
        from_scratch: false,
        keep: false,
        interrupt: 1,
        every_point: false,
        no_roll: true,
        image: Distribution::Debian12,
        init: Init::Sysv,
        junit: None,
        json: None,
        key: None,
        push: false,
    };
    test::run(fleet, &options, shell).unwrap()
}

#[test]
fn each_fault_fails_in_its_own_check() {
    alone_with_quick_builds("planted::each_fault_fails_in_its_own_check", || {
        let shell = Shell::standard();
        let fleet = fleet(&shell);
        let outcome = tested(&fleet, &shell);
        FAULTS.iter().for_each(|fault| is_found(fault, &outcome));
        let failing: BTreeSet<&str> = outcome.failures().map(|tested| tested.host.as_str()).collect();
        assert_eq!(failing.len(), FAULTS.len(), "{failing:?}");

        files::write(fleet.herd_path(), herd(false), 0o644).unwrap();
        let outcome = tested(&fleet, &shell);
        let page = page::page(&outcome, &Canvas::default());
        let killed = outcome.tested.iter().filter(|tested| matches!(tested.check, Check::Interrupted(_))).count();
        assert!(outcome.tally().failed == 0 && outcome.tally().passed > 15 && killed > 0, "{page}");

        let outcome = tested(&fleet, &shell);
        let page = page::page(&outcome, &Canvas::default());
        let links = outcome.tested.iter().filter(|tested| tested.link.is_some());
        assert!(outcome.tally().failed == 0 && links.clone().count() > 15, "{page}");
        assert!(links.clone().all(|tested| tested.from_layer), "the second time nothing is run:\n{page}");

        DEADLOCK.iter().for_each(|(name, role, wait)| land(&fleet, name, role, wait));
        let outcome = tested(&fleet, &shell);
        let page = page::page(&outcome, &Canvas::default());
        assert_eq!((outcome.tally().failed, outcome.tested.len()), (1, 1), "{page}");
        let says = ["test chain ... FAILED", "waits for ever", "`drain`", "again1", "liar1"];
        assert!(says.iter().all(|words| page.contains(words)), "{page}");
    });
}

/// Of a fault's host that check fails, and no other, and what is said of it names host, migration and difference.
fn is_found(fault: &Fault, outcome: &Outcome) {
    let host = format!("{}1", fault.role);
    let of_host = Outcome {
        tested: outcome.tested.iter().filter(|tested| tested.host == host).cloned().collect(),
        ..Outcome::default()
    };
    let page = page::page(&of_host, &Canvas::default());
    let failing: Vec<&Check> = of_host.failures().map(|tested| &tested.check).collect();
    assert!(!failing.is_empty() && failing.iter().all(|check| (fault.fails)(check)), "{host}: {failing:?}\n{page}");
    let heading = format!("{host} ({}) at `{}` (", fault.role, fault.link);
    assert!(page.contains(&heading) && page.contains(fault.says), "{host}\n{page}");
}

/// Adds a migration that waits amid its code, whatever the chain comes to with it.
fn land(fleet: &Fleet, name: &str, role: &str, wait: &str) {
    let (source, chain) = (fleet.crate_dir.join("src/chain"), fleet.crate_dir.join("src/chain.rs"));
    let text = format!(
        "use wb_stdlib::prelude::*;\n\n/// Waits.\n#[migration(role = \"{role}\", rolling = false)]\n\
         fn {name}(host: &Host) -> Result<()> {{\n    \
         host.wait_until({wait}.within(Duration::from_mins(5)))?;\n    Ok(())\n}}\n"
    );
    files::write(source.join(format!("{name}.rs")), text, 0o644).unwrap();
    let mods = files::read_text(&chain).unwrap();
    let mods = mods.replace("\nwb_stdlib::chain!", &format!("mod {name};\n\nwb_stdlib::chain!"));
    files::write(&chain, mods, 0o644).unwrap();
    fleet.work_tree().unwrap().commit_all(name).unwrap();
}
