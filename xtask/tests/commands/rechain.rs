//! The chain after a rebase, in the middle of one, and after history was rewritten: what the messages say is done, word
//! for word.

use std::path::Path;

use crate::support::{Scratch, said};
use wb_core::system::files;

const CHAIN: &str = "migrations/src/chain.rs";
const LOCK: &str = "migrations/chain.lock";

/// Writes a migration and commits it.
fn add(scratch: &Scratch, fleet: &Path, name: &str) {
    let made = scratch.xtask(fleet, &["new", name, "--role", "server"]);
    assert_eq!(made.code, 0, "{}", made.error_text());
    commit(scratch, fleet, &format!("Add the migration {name}"));
}

fn commit(scratch: &Scratch, fleet: &Path, message: &str) {
    scratch.git(fleet, &["add", "--all"]);
    scratch.git(fleet, &["commit", "--quiet", "--message", message]);
}

/// A fleet whose branches `main` and `other` each have two migrations of their own.
fn two_branches(scratch: &Scratch) -> std::path::PathBuf {
    let fleet = scratch.fleet();
    scratch.git(&fleet, &["branch", "other"]);
    add(scratch, &fleet, "install_cache");
    add(scratch, &fleet, "tune_cache");
    scratch.git(&fleet, &["checkout", "--quiet", "other"]);
    add(scratch, &fleet, "install_queue");
    add(scratch, &fleet, "tune_queue");
    scratch.git(&fleet, &["checkout", "--quiet", "main"]);
    fleet
}

/// Takes both sides, as somebody with an editor does who thinks of nothing.
fn without_marks(text: &str) -> String {
    let is_mark = |line: &&str| ["<<<<<<<", "=======", ">>>>>>>"].iter().any(|mark| line.starts_with(mark));
    text.lines().filter(|line| !is_mark(line)).map(|line| format!("{line}\n")).collect()
}

/// The commands in a help, in their order.
fn commands(help: &str) -> Vec<Vec<String>> {
    let quoted = help.split('`').skip(1).step_by(2);
    let commands = quoted.filter(|text| text.starts_with("git ") || text.starts_with("cargo xtask "));
    commands.map(|command| command.split(' ').map(str::to_owned).collect()).collect()
}

fn run(scratch: &Scratch, fleet: &Path, command: &[String]) -> i32 {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["git", args @ ..] => scratch.git_may_stop(fleet, args).code,
        ["cargo", "xtask", args @ ..] => scratch.xtask(fleet, args).code,
        other => panic!("{other:?} is no command"),
    }
}

fn is_rebasing(fleet: &Path) -> bool {
    files::exists(fleet.join(".git/rebase-merge"))
}

/// Does what the help of a divergence says: a rebase, three commands wherever that stops, and one at its end.
fn follow(scratch: &Scratch, fleet: &Path, help: &str) {
    let commands = commands(help);
    let [rebase, stopped @ .., end] = commands.as_slice() else { panic!("{help}") };
    run(scratch, fleet, rebase);
    for _ in 0..9 {
        if !is_rebasing(fleet) {
            break;
        }
        stopped.iter().for_each(|command| drop(run(scratch, fleet, command)));
    }
    assert!(!is_rebasing(fleet), "{}", scratch.git(fleet, &["status"]));
    assert_eq!(run(scratch, fleet, end), 0);
}

fn assert_sound(scratch: &Scratch, fleet: &Path) {
    let checked = scratch.xtask(fleet, &["check"]);
    assert_eq!(checked.code, 0, "{}", checked.error_text());
    assert_eq!(scratch.git(fleet, &["status", "--porcelain"]), "");
}

#[test]
fn two_branches_that_each_add_migrations_are_mended_as_the_compiler_says() {
    let scratch = Scratch::new();
    let fleet = two_branches(&scratch);
    assert_eq!(scratch.git_may_stop(&fleet, &["merge", "--quiet", "other"]).code, 1, "a conflict");
    let chain = files::read_text(fleet.join(CHAIN)).unwrap();
    assert!(chain.contains("<<<<<<<"), "{chain}");
    files::write(fleet.join(CHAIN), without_marks(&chain), 0o644).unwrap();
    let lock = files::read_text(fleet.join(LOCK)).unwrap();
    assert!(lock.contains("<<<<<<<"), "{lock}");
    assert_eq!(scratch.xtask(&fleet, &["rechain"]).code, 0);
    commit(&scratch, &fleet, "Merge other");

    let compiled = scratch.cargo(&fleet, &["check", "--package", "migrations"]);
    assert_ne!(compiled.code, 0, "two branches that each added migrations do not build");
    let text = compiled.error_text();
    let short = |name: &str| {
        let path = format!("migrations/src/chain/{name}.rs");
        scratch.git(
            &fleet,
            &[
                "log",
                "--diff-filter=A",
                "--abbrev=7",
                "--format=%h",
                "-m",
                "--first-parent",
                "other",
                "main",
                "--",
                &path,
            ],
        )
    };
    let _ = short;
    for name in ["install_cache", "tune_cache", "install_queue", "tune_queue"] {
        let subject = format!("Add the migration {name}");
        let sha1 = scratch.git(&fleet, &["log", "--format=%H", "--grep", &subject]);
        assert!(text.contains(&format!("`{name}` ({})", &sha1[..7])), "{name} in {text}");
    }
    let help = text.lines().find(|line| line.contains("help: `git rebase ")).unwrap();
    follow(&scratch, &fleet, help);

    assert_sound(&scratch, &fleet);
    let compiled = scratch.cargo(&fleet, &["check", "--package", "migrations"]);
    assert_eq!(compiled.code, 0, "{}", compiled.error_text());
    let said = said(&scratch, &scratch.xtask(&fleet, &["chain"]));
    for name in ["install_cache", "tune_cache", "install_queue", "tune_queue"] {
        assert!(said.contains(name), "{said}");
    }
}

#[test]
fn a_divergence_is_told_and_nothing_is_written() {
    let scratch = Scratch::new();
    let fleet = two_branches(&scratch);
    scratch.git_may_stop(&fleet, &["merge", "--quiet", "other"]);
    let merging = scratch.xtask(&fleet, &["rechain"]);
    let text = merging.error_text();
    assert!(text.contains("if both sides added migrations, they diverge: git merge --abort"), "{text}");
    commit(&scratch, &fleet, "Merge other");
    let before = scratch.git(&fleet, &["status", "--porcelain"]);
    let output = scratch.xtask(&fleet, &["rechain"]);
    assert_eq!(output.code, 1);
    insta::assert_snapshot!(self::said(&scratch, &output), @"");
    assert_eq!(scratch.git(&fleet, &["status", "--porcelain"]), before);
}

#[test]
fn in_the_middle_of_a_rebase_both_sides_are_taken() {
    let scratch = Scratch::new();
    let fleet = two_branches(&scratch);
    scratch.git(&fleet, &["checkout", "--quiet", "other"]);
    assert_eq!(scratch.git_may_stop(&fleet, &["rebase", "--quiet", "main"]).code, 1, "a conflict");
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["rechain", "--dry-run"])), @"");
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["rechain"])), @"");
    scratch.git(&fleet, &["add", "--update"]);
    assert_eq!(scratch.git_may_stop(&fleet, &["rebase", "--continue"]).code, 1, "the lock too");
    assert!(files::read_text(fleet.join(LOCK)).unwrap().contains("<<<<<<<"));
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["rechain"])), @"");
    scratch.git(&fleet, &["add", "--update"]);
    scratch.git(&fleet, &["rebase", "--continue"]);
    assert_sound(&scratch, &fleet);
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["rechain"])), @"");
}

#[test]
fn a_pin_that_was_deployed_moves_nowhere() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    add(&scratch, &fleet, "install_cache");
    add(&scratch, &fleet, "tune_cache");
    scratch.git(&fleet, &["remote", "add", "origin", "/no/such/repository"]);
    scratch.git(&fleet, &["rebase", "--quiet", "--force-rebase", "--root"]);
    let output = scratch.xtask(&fleet, &["rechain"]);
    assert_eq!(output.code, 3, "{}", output.error_text());
    assert!(output.error_text().contains("hint: cargo xtask rechain --force"), "{}", output.error_text());
    assert_eq!(scratch.git(&fleet, &["status", "--porcelain"]), "");
    scratch.git(&fleet, &["remote", "remove", "origin"]);
    let output = scratch.xtask(&fleet, &["rechain"]);
    assert_eq!(output.code, 0, "{}", output.error_text());
    assert_eq!(scratch.xtask(&fleet, &["check"]).code, 0);
}

#[test]
fn a_squashed_history_keeps_its_sha1s() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    add(&scratch, &fleet, "install_cache");
    add(&scratch, &fleet, "tune_cache");
    let sha1s = scratch.xtask(&fleet, &["chain", "--json"]).text();
    assert_eq!(scratch.xtask(&fleet, &["rechain", "--newest"]).code, 0);
    scratch.git(&fleet, &["checkout", "--quiet", "--orphan", "squashed"]);
    commit(&scratch, &fleet, "Everything");
    assert_eq!(scratch.xtask(&fleet, &["check"]).code, 1);
    let asked = scratch.xtask(&fleet, &["rechain", "--imported"]);
    insta::assert_snapshot!(said(&scratch, &asked), @"");
    let kept = scratch.xtask(&fleet, &["rechain", "--imported", "--yes"]);
    insta::assert_snapshot!(said(&scratch, &kept), @"");
    commit(&scratch, &fleet, "Keep the sha1s");
    assert_sound(&scratch, &fleet);
    assert_eq!(
        scratch.xtask(&fleet, &["chain", "--json"]).text().replace("pinned", "landed"),
        sha1s.replace("pinned", "landed")
    );
    let compiled = scratch.cargo(&fleet, &["check", "--package", "migrations"]);
    assert_eq!(compiled.code, 0, "{}", compiled.error_text());
    add(&scratch, &fleet, "install_queue");
    assert_sound(&scratch, &fleet);
}

#[test]
fn an_amendment_is_kept_and_told() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let amend = |args: &[&str]| said(&scratch, &scratch.xtask(&fleet, &[&["amend"], args].concat()));
    insta::assert_snapshot!(amend(&["base_package"]), @"");
    insta::assert_snapshot!(amend(&["base_packages", "--why", "no git"]), @"");
    let file = fleet.join("migrations/src/chain/base_packages.rs");
    let text = files::read_text(&file).unwrap();
    files::write(&file, text.replace("\"ca-certificates\", \"git\"", "\"git\""), 0o644).unwrap();
    assert_ne!(scratch.cargo(&fleet, &["check", "--package", "migrations"]).code, 0);
    insta::assert_snapshot!(amend(&["base_packages"]), @"");
    insta::assert_snapshot!(amend(&["base_packages", "--why", "certificates come with git"]), @"");
    let compiled = scratch.cargo(&fleet, &["check", "--package", "migrations"]);
    assert_eq!(compiled.code, 0, "{}", compiled.error_text());
    commit(&scratch, &fleet, "Amend");
    assert_sound(&scratch, &fleet);
    insta::assert_snapshot!(amend(&["base_packages"]), @"");
    let amended = files::read_text(&file).unwrap();
    files::write(&file, amended.replace("Ok(())", "let _ = 1; Ok(())"), 0o644).unwrap();
    assert_eq!(scratch.xtask(&fleet, &["check"]).code, 1, "an edit after the amendment");
    assert_eq!(scratch.xtask(&fleet, &["amend", "base_packages"]).code, 0);
    assert_eq!(scratch.xtask(&fleet, &["check"]).code, 0);
    files::write(&file, text, 0o644).unwrap();
    assert_eq!(scratch.xtask(&fleet, &["check"]).code, 0, "taken back");
    insta::assert_snapshot!(amend(&["base_packages"]), @"");
    scratch.xtask(&fleet, &["new", "install_cache", "--role", "server"]);
    insta::assert_snapshot!(amend(&["install_cache"]), @"");
}

#[test]
fn a_forged_pin_is_found_and_mended() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    add(&scratch, &fleet, "install_cache");
    let file = fleet.join("migrations/src/chain/base_packages.rs");
    let text = files::read_text(&file).unwrap();
    let lock = files::read_text(fleet.join(LOCK)).unwrap();
    files::write(&file, text.replace(", \"git\"", ""), 0o644).unwrap();
    let digest = lock.lines().find_map(|line| line.strip_prefix("digest = \"")).unwrap().trim_end_matches('"');
    let forged = forged_digest(&scratch, &fleet);
    files::write(fleet.join(LOCK), lock.replace(digest, &forged), 0o644).unwrap();
    let compiled = scratch.cargo(&fleet, &["check", "--package", "migrations"]);
    assert_eq!(compiled.code, 0, "a build believes the pin: {}", compiled.error_text());
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["check"])), @"");
    assert_eq!(scratch.xtask(&fleet, &["rechain"]).code, 1, "the edit is told now");
    assert_eq!(files::read_text(fleet.join(LOCK)).unwrap(), lock);
}

/// The digest of what the first migration says now.
fn forged_digest(scratch: &Scratch, fleet: &Path) -> String {
    let resolved = wb_core::registry::resolve(fleet.join("migrations")).unwrap();
    let _ = scratch;
    resolved.links[0].digest.to_string()
}

#[test]
fn mistakes_are_data_too() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let mistakes = || -> serde_json::Value {
        let output = scratch.xtask(&fleet, &["check", "--json"]);
        let mistakes: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.code, i32::from(mistakes != serde_json::json!([])));
        mistakes
    };
    assert_eq!(mistakes(), serde_json::json!([]));
    let file = fleet.join("migrations/src/chain/base_packages.rs");
    let text = files::read_text(&file).unwrap();
    files::write(&file, text.replace("\"server\"", "\"sever\""), 0o644).unwrap();
    let sha1 = scratch.git(&fleet, &["rev-parse", "HEAD"]);
    let found = mistakes();
    assert_eq!(found[0]["kind"], "edited");
    assert_eq!((found[0]["link"].as_str(), found[0]["sha1"].as_str()), (Some("base_packages"), Some(&*sha1)));
    assert_eq!(
        (found[1]["kind"].as_str(), found[1]["file"].as_str()),
        (Some("unknown_role"), Some("src/chain/base_packages.rs"))
    );
    let output = scratch.xtask(&fleet, &["check"]);
    assert!(
        output.error_text().contains("src/chain/base_packages.rs: there is no role `sever`"),
        "{}",
        output.error_text()
    );
}

#[test]
fn without_history_only_the_lock_is_compared_and_check_says_so() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    assert_eq!(scratch.xtask(&fleet, &["rechain", "--newest"]).code, 0);
    files::remove_tree(fleet.join(".git")).unwrap();
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["check"])), @"");
}
