//! A fleet with a fault for each check of `cargo xtask test`: exactly that check fails, and says by which migration, on
//! which host, and how. Mended, the same fleet passes.
//!
//! The settings of each host say which faults it has. What keeps a host from going on is planted in one host each, all in the
//! same walk; what is seen behind the walk, in all hosts of the next one. Only what waits for ever is seen without a host, and
//! before anything is compiled.

use std::collections::BTreeSet;

use wb_core::registry::resolve;
use wb_core::system::{Command, Output, files};
use wb_tests::alone::beside_others;
use wb_tests::stage::link;
use wb_xtask::chain_file;
use wb_xtask::fleet::Fleet;
use wb_xtask::sandbox::{Herd, scratch_dir};
use wb_xtask::scaffold::{Dependencies, Scaffold, SourceFile, add_link};
use wb_xtask::shell::{Canvas, Shell};
use wb_xtask::test::outcome::{Check, Outcome, Tested};
use wb_xtask::test::{self, Options, page};

/// A fault, which is called as its migration is: the source of that, the check that fails, and what it says.
struct Fault {
    link: &'static str,
    source: &'static str,
    fails: fn(&Check) -> bool,
    says: &'static [&'static str],
}

/// Those that keep their host from going on. Each has a host of its own.
static IN_THE_WALK: [Fault; 4] = [
    Fault {
        link: "count_visits",
        source: include_str!("../../fleet/planted/count_visits.rs"),
        fails: |check| *check == Check::Rerun,
        says: &["web1 (web) at `count_visits` (", "it was run once more, and changed something:", "/srv/visits"],
    },
    Fault {
        link: "tell_a_lie",
        source: include_str!("../../fleet/planted/tell_a_lie.rs"),
        fails: |check| *check == Check::Plan,
        says: &["web2 (second, web) at `tell_a_lie` (", "the plan said:", "nothing more", "+ file /srv/two present"],
    },
    Fault {
        link: "write_a_note",
        source: include_str!("../../fleet/planted/write_a_note.rs"),
        fails: |check| *check == Check::Plan,
        says: &["web3 (third, web) at `write_a_note` (", "the plan touched:", "+ /srv/note"],
    },
    Fault {
        link: "make_a_promise",
        source: include_str!("../../fleet/planted/make_a_promise.rs"),
        fails: |check| *check == Check::Spec("the_promise_is_kept".into()),
        says: &[
            "web4 (fourth, web) at `make_a_promise` (",
            "the spec `the_promise_is_kept` does not hold:",
            "/srv/never",
        ],
    },
];

/// Those that are seen once all hosts have gone all the way. The newest ones are killed, and the last one rolls.
static AFTER_THE_WALK: [Fault; 3] = [
    Fault {
        link: "as_of_june",
        source: include_str!("../../fleet/planted/as_of_june.rs"),
        fails: |check| *check == Check::Baseline,
        says: &["web1 (web) at `as_of_june` (", "- /srv/footer: file 0644 0:0"],
    },
    Fault {
        link: "lose_a_restart",
        source: include_str!("../../fleet/planted/lose_a_restart.rs"),
        fails: |check| matches!(check, Check::Interrupted(_)),
        says: &["web1 (web) at `lose_a_restart` (", "and the run after that never came to:", "touch /srv/restarted"],
    },
    Fault {
        link: "break_the_second",
        source: include_str!("../../fleet/planted/break_the_second.rs"),
        fails: |check| matches!(check, Check::Roll(_)),
        says: &["at `break_the_second` (", "web2: `break_the_second` (", "there is no way on from web2"],
    },
];

/// What differs between old hosts and new ones, and may.
const ALLOWED: &str = "/srv/sketch  # nobody reads it any more\n";

/// A migration that waits for what is behind all hosts.
const MEET: &str = include_str!("../../fleet/planted/meet.rs");

#[test]
fn each_fault_fails_in_its_own_check() {
    beside_others("planted::each_fault_fails_in_its_own_check", || {
        let shell = Shell::standard();
        let fleet = begin(&shell);
        a_wait_for_ever_is_found(&fleet);
        for fault in IN_THE_WALK.iter().chain(&AFTER_THE_WALK[1..]) {
            add_link(&fleet, &link(fault.link, fault.source)).unwrap();
        }
        hosts_that_fail_can_be_looked_at(&fleet, &shell);
        let after = AFTER_THE_WALK.each_ref();
        planted(&fleet, herd(&after), &after, &whole(), &shell);
        mended(&fleet, &shell);
        files::remove_tree(scratch_dir("test-planted")).unwrap();
    });
}

/// A fleet with a page, and a baseline that stands for it.
fn begin(shell: &Shell) -> Fleet {
    let dir = scratch_dir("test-planted");
    files::remove_tree(&dir).unwrap();
    let allowed = SourceFile { path: "baselines/as_of_june.allow".into(), content: ALLOWED.into() };
    let scaffold = Scaffold {
        herd: herd(&[]),
        roles: include_str!("../../fleet/planted/roles.rs").to_owned(),
        tests: String::new(),
        files: vec![allowed],
        links: vec![link("write_page", include_str!("../../fleet/planted/write_page.rs"))],
        ..Scaffold::new(&dir, Dependencies::Paths)
    };
    let fleet = scaffold.create(shell).unwrap();
    let page = resolve(&fleet.crate_dir).unwrap().links[0].sha1.short();
    let baseline = AFTER_THE_WALK[0].source.replace("FROM..TO", &format!("{page}..{page}"));
    add_link(&fleet, &link("as_of_june", &baseline)).unwrap();
    fleet
}

/// Two web servers with these faults.
fn herd(faults: &[&Fault]) -> String {
    let faults: Vec<&str> = faults.iter().map(|fault| fault.link).collect();
    ["web1", "web2"].map(|name| host(name, &["web"], &faults)).concat()
}

/// A web server for each fault that keeps its host from going on, and no two of a kind: of these one would stand for both.
fn herd_of_each() -> String {
    let hosts: [(&str, &[&str]); 4] =
        [("web1", &["web"]), ("web2", &["web", "second"]), ("web3", &["web", "third"]), ("web4", &["web", "fourth"])];
    hosts.iter().zip(&IN_THE_WALK).map(|((name, roles), fault)| host(name, roles, &[fault.link])).collect()
}

fn host(name: &str, roles: &[&str], faults: &[&str]) -> String {
    format!("[hosts.{name}]\nroles = {roles:?}\nsettings = {{ planted = {faults:?} }}\n\n")
}

/// A draft waits until the others have it behind them, as they do. It lands when it waits for what they have.
fn a_wait_for_ever_is_found(fleet: &Fleet) {
    let for_ever = MEET.replace("reached(\"as_of_june\")", "reached(\"meet\")");
    let draft = chain_file::add(&fleet.crate_dir, "meet", None, &for_ever).unwrap();
    let said = operate(fleet, &["test"]);
    let page = said.text();
    assert_eq!((said.code, page.lines().last()), (1, Some("0 passed, 1 failed")), "{page}{}", said.error_text());
    let waits = |one: &str, other: &str| {
        format!("`meet` (draft) on {one} waits for {other} to have `meet` (draft) itself behind it")
    };
    let says = format!("a new herd waits for ever: {}, and {}", waits("web1", "web2"), waits("web2", "web1"));
    assert!(page.contains("test chain ... FAILED") && page.contains(&says), "{page}");
    files::write(draft, MEET, 0o644).unwrap();
    fleet.work_tree().unwrap().commit_all("Add the migration meet").unwrap();
}

/// Each host fails by its own fault alone. Who asks for it finds them as they were then; their logs, and what build servers
/// read, lie there as ever.
fn hosts_that_fail_can_be_looked_at(fleet: &Fleet, shell: &Shell) {
    let options = Options { keep: true, ..walk() };
    let found = planted(fleet, herd_of_each(), &IN_THE_WALK.each_ref(), &options, shell);
    assert_eq!(found.tally().failed, 4, "{}", shown(&found));
    let names = ["web1", "web2", "web3", "web4"];
    assert_eq!(found.kept, names.map(|name| format!("cargo xtask sandbox enter test/{name}")));
    let entered = operate(fleet, &["sandbox", "enter", "test/web1", "--", "cat", "/srv/visits"]);
    assert_eq!((entered.code, entered.text().as_str()), (0, "visit\nvisit"), "{}", entered.error_text());
    assert!(Herd::stop(&scratch_dir("test")).unwrap());
    let log = &found.logs["web1"].path;
    assert!(files::read_text(log).unwrap().contains("$ wildebeest drill run count_visits\n"));
    let junit = files::read_text(log.parent().unwrap().with_file_name("junit.xml")).unwrap();
    let case = "<testcase classname=\"web1\" name=\"count_visits::rerun\" time=";
    let failure = "<failure message=\"it was run once more, and changed something:\">";
    assert!(junit.contains(case) && junit.contains(failure), "{junit}");
}

/// These faults are found in the hosts that have them, and nothing else is.
fn planted(fleet: &Fleet, herd: String, faults: &[&Fault], options: &Options, shell: &Shell) -> Outcome {
    let found = tested(fleet, herd, options, shell);
    faults.iter().for_each(|fault| is_found(fault, &found));
    let link = |failed: &Tested| failed.link.as_ref().map(|link| link.name.clone()).unwrap_or_default();
    let failing: BTreeSet<String> = found.failures().map(link).collect();
    let expect: BTreeSet<String> = faults.iter().map(|fault| fault.link.to_owned()).collect();
    assert_eq!(failing, expect, "{}", shown(&found));
    found
}

/// Of the fault's migration that check fails, and no other.
fn is_found(fault: &Fault, outcome: &Outcome) {
    let is_of_it = |failed: &&Tested| failed.link.as_ref().is_some_and(|link| link.name == fault.link);
    let failed = outcome.failures().filter(is_of_it).cloned().collect();
    let failed = Outcome { tested: failed, ..Outcome::default() };
    let page = shown(&failed);
    let are_its_own = failed.tested.iter().all(|failed| (fault.fails)(&failed.check));
    assert!(!failed.tested.is_empty() && are_its_own, "{}:\n{page}", fault.link);
    fault.says.iter().for_each(|words| assert!(page.contains(words), "no {words} of {}:\n{page}", fault.link));
}

/// The same fleet without any fault passes, and is not run a second time.
fn mended(fleet: &Fleet, shell: &Shell) {
    let outcome = tested(fleet, herd(&[]), &whole(), shell);
    let page = shown(&outcome);
    let has = |is_it: fn(&Check) -> bool| outcome.tested.iter().any(|tested| is_it(&tested.check));
    assert!(outcome.came_through() && outcome.tally().passed > 30, "{page}");
    assert!(has(|check| matches!(check, Check::Interrupted(_))) && has(|check| *check == Check::Baseline), "{page}");
    assert!(page.contains("\ntest web1::meet::rerun ... ignored, it does nothing\n"), "{page}");

    let said = operate(fleet, &["test", "--interrupt", "0", "--no-roll"]);
    let page = said.text();
    let well = page.lines().last().is_some_and(|line| line.ends_with(" passed, 0 failed"));
    assert!(said.code == 0 && well, "{page}{}", said.error_text());
    let of_links = page.lines().filter(|line| line.starts_with("test web1::") && !line.contains("::baseline "));
    let is_old = |line: &str| line.ends_with("ok (layer)") || line.contains(" ... ignored, ");
    assert!(of_links.clone().count() > 20 && of_links.clone().all(is_old), "the second time nothing is run:\n{page}");
}

/// One of the operator's commands.
fn operate(fleet: &Fleet, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wb-operator")).args(args).dir(&fleet.crate_dir).run().unwrap()
}

fn tested(fleet: &Fleet, herd: String, options: &Options, shell: &Shell) -> Outcome {
    files::write(fleet.herd_path(), herd, 0o644).unwrap();
    fleet.work_tree().unwrap().commit_all("Other faults").unwrap();
    test::run(fleet, options, shell).unwrap()
}

/// Without kills and roll.
fn walk() -> Options {
    Options { interrupt: 0, no_roll: true, ..whole() }
}

/// All of it; the two newest migrations are killed.
fn whole() -> Options {
    Options { jobs: 2, interrupt: 2, ..Options::default() }
}

fn shown(outcome: &Outcome) -> String {
    page::page(outcome, &Canvas::default())
}
