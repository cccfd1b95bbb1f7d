//! The chain after a rebase, in the middle of one, and after history was rewritten: what the messages say is done, word
//! for word.

use std::path::Path;

use crate::support::{Scratch, said};
use wb_core::registry::resolve;
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

/// A fleet with a remote through which nothing was deployed.
fn fleet_with_remote(scratch: &Scratch) -> std::path::PathBuf {
    let fleet = scratch.fleet();
    let remote = scratch.path("fleet.git").display().to_string();
    scratch.git(&fleet, &["init", "--quiet", "--bare", &remote]);
    scratch.git(&fleet, &["remote", "add", "origin", &remote]);
    fleet
}

/// A fleet whose branches `main` and `other` each have two migrations of their own.
fn two_branches(scratch: &Scratch) -> std::path::PathBuf {
    let fleet = fleet_with_remote(scratch);
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
        for command in stopped {
            run(scratch, fleet, command);
        }
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
    scratch.git(&fleet, &["checkout", "--quiet", "--ours", "--", LOCK]);
    commit(&scratch, &fleet, "Merge other");

    let compiled = scratch.cargo(&fleet, &["check", "--bin", "wildebeest"]);
    assert_ne!(compiled.code, 0, "two branches that each added migrations do not build");
    let text = compiled.error_text();
    for name in ["install_cache", "tune_cache", "install_queue", "tune_queue"] {
        let subject = format!("Add the migration {name}");
        let sha1 = scratch.git(&fleet, &["log", "--format=%H", "--grep", &subject]);
        assert!(text.contains(&format!("`{name}` ({})", &sha1[..7])), "{name} in {text}");
    }
    let help = text.lines().find(|line| line.contains("help: `git rebase ")).unwrap();
    follow(&scratch, &fleet, help);

    assert_sound(&scratch, &fleet);
    let compiled = scratch.cargo(&fleet, &["check", "--bin", "wildebeest"]);
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
    let before = scratch.git(&fleet, &["diff"]);
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["rechain"])), @r"
    error: both sides of the merge introduce migrations, `install_cache`, `tune_cache` here and `install_queue`, `tune_queue` in 0000000: they diverge, and the chain has no order; nothing was written
    hint: git merge --abort
    hint: then `git rebase 0000000`; where it stops at src/chain.rs or chain.lock: `cargo xtask rechain`, `git add --update`, `git rebase --continue`; and at its end `cargo xtask rechain`
    exit code 1
    ");
    assert_eq!(scratch.git(&fleet, &["diff"]), before);
    commit(&scratch, &fleet, "Merge other");
    let before = scratch.git(&fleet, &["status", "--porcelain"]);
    let output = scratch.xtask(&fleet, &["rechain"]);
    assert_eq!(output.code, 1);
    insta::assert_snapshot!(self::said(&scratch, &output), @r"
    error: `install_queue` (0000000) and `install_cache` (0000000), `tune_cache` (0000000) diverge: neither commit is an ancestor of the other, so the chain has no order
    hint: `git rebase 0000000` puts `install_queue` after `tune_cache`; where it stops at src/chain.rs or chain.lock: `cargo xtask rechain`, `git add --update`, `git rebase --continue`; and at its end `cargo xtask rechain`
    error: `tune_queue` (0000000) and `install_cache` (0000000), `tune_cache` (0000000) diverge: neither commit is an ancestor of the other, so the chain has no order
    hint: `git rebase 0000000` puts `tune_queue` after `tune_cache`; where it stops at src/chain.rs or chain.lock: `cargo xtask rechain`, `git add --update`, `git rebase --continue`; and at its end `cargo xtask rechain`
    exit code 1
    ");
    assert_eq!(scratch.git(&fleet, &["status", "--porcelain"]), before);
}

#[test]
fn a_check_in_the_middle_of_a_conflict_tells_of_the_conflict() {
    let scratch = Scratch::new();
    let fleet = two_branches(&scratch);
    scratch.git(&fleet, &["checkout", "--quiet", "other"]);
    scratch.git_may_stop(&fleet, &["rebase", "--quiet", "main"]);
    let checked = said(&scratch, &scratch.xtask(&fleet, &["check"]));
    assert!(
        checked.contains("error: src/chain.rs can't be read: line 4, column 1: a merge or a rebase left"),
        "{checked}"
    );
    assert!(checked.contains("hint: `cargo xtask rechain` takes both sides\n"), "{checked}");
    assert!(!checked.contains("no `mod` line"), "{checked}");
    assert_eq!(scratch.xtask(&fleet, &["rechain"]).code, 0);
    assert_eq!(scratch.xtask(&fleet, &["check"]).code, 0);
}

#[test]
fn in_the_middle_of_a_rebase_both_sides_are_taken() {
    let scratch = Scratch::new();
    let fleet = two_branches(&scratch);
    scratch.git(&fleet, &["checkout", "--quiet", "other"]);
    assert_eq!(scratch.git_may_stop(&fleet, &["rebase", "--quiet", "main"]).code, 1, "a conflict");
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["rechain", "--dry-run"])), @r#"
    --- src/chain.rs
    +++ src/chain.rs
    @@ -1,11 +1,8 @@
     //! The order of the migrations, oldest first. `cargo xtask new` adds to it.
     
     mod base_packages;
    -<<<<<<< HEAD
     mod install_cache;
     mod tune_cache;
    -=======
     mod install_queue;
    ->>>>>>> 0000000 (Add the migration install_queue)
     
     wb_stdlib::chain!();
    --- chain.lock
    +++ chain.lock
    @@ -7,11 +7,8 @@
     name = "base_packages"
     sha1 = "0000000000000000000000000000000000000000"
     digest = "e828ab5003a32e68953bbfeda59585918e849a2ca4273df5e64ad7c670dee361"
    -<<<<<<< HEAD
     
     [[link]]
     name = "install_cache"
     sha1 = "0000000000000000000000000000000000000000"
     digest = "e2db1790cd200143b7d644bac71723f5adcd2a2c800b95cb25423793679674c7"
    -=======
    ->>>>>>> 0000000 (Add the migration install_queue)
    exit code 1
    "#);
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["rechain"])), @r#"
    --- src/chain.rs
    +++ src/chain.rs
    @@ -1,11 +1,8 @@
     //! The order of the migrations, oldest first. `cargo xtask new` adds to it.
     
     mod base_packages;
    -<<<<<<< HEAD
     mod install_cache;
     mod tune_cache;
    -=======
     mod install_queue;
    ->>>>>>> 0000000 (Add the migration install_queue)
     
     wb_stdlib::chain!();
    --- chain.lock
    +++ chain.lock
    @@ -7,11 +7,8 @@
     name = "base_packages"
     sha1 = "0000000000000000000000000000000000000000"
     digest = "e828ab5003a32e68953bbfeda59585918e849a2ca4273df5e64ad7c670dee361"
    -<<<<<<< HEAD
     
     [[link]]
     name = "install_cache"
     sha1 = "0000000000000000000000000000000000000000"
     digest = "e2db1790cd200143b7d644bac71723f5adcd2a2c800b95cb25423793679674c7"
    -=======
    ->>>>>>> 0000000 (Add the migration install_queue)
    next: git add --update && git rebase --continue
    wrote SCRATCH/fleet/migrations/src/chain.rs
    wrote SCRATCH/fleet/migrations/chain.lock
    exit code 0
    "#);
    scratch.git(&fleet, &["add", "--update"]);
    assert_eq!(scratch.git_may_stop(&fleet, &["rebase", "--continue"]).code, 1, "the lock too");
    assert!(files::read_text(fleet.join(LOCK)).unwrap().contains("<<<<<<<"));
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["rechain"])), @r#"
    --- chain.lock
    +++ chain.lock
    @@ -9,12 +9,16 @@
     digest = "e828ab5003a32e68953bbfeda59585918e849a2ca4273df5e64ad7c670dee361"
     
     [[link]]
    -<<<<<<< HEAD
     name = "install_cache"
     sha1 = "0000000000000000000000000000000000000000"
     digest = "e2db1790cd200143b7d644bac71723f5adcd2a2c800b95cb25423793679674c7"
    -=======
    +
    +[[link]]
    +name = "tune_cache"
    +sha1 = "0000000000000000000000000000000000000000"
    +digest = "a68cf2e9dee6a7d8a522f76bafb55e1fbd5b3c0231e4a4769cdedf865d55fd5e"
    +
    +[[link]]
     name = "install_queue"
    -sha1 = "0000000000000000000000000000000000000000"
    +sha1 = "0000000000000000000000000000000000000000"
     digest = "4199a37c46a28cc0db4eaf3e1d2d86c4dc52b1779e8dbb5f122d10b176caffb3"
    ->>>>>>> 0000000 (Add the migration tune_queue)
    next: git add --update && git rebase --continue
    note: `install_queue` moved from 0000000 to 0000000; nothing was ever deployed through SCRATCH/fleet.git
    wrote SCRATCH/fleet/migrations/chain.lock
    exit code 0
    "#);
    scratch.git(&fleet, &["add", "--update"]);
    scratch.git(&fleet, &["rebase", "--continue"]);
    assert_sound(&scratch, &fleet);
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["rechain"])), @r"
    nothing to do
    exit code 0
    ");
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
    let made_here = scratch.xtask(&fleet, &["rechain", "--dry-run"]);
    assert!(made_here.error_text().contains("without a remote nothing was deployed from here"), "{made_here:?}");
    scratch.git(&fleet, &["reflog", "expire", "--expire=now", "--all"]);
    scratch.git(&fleet, &["update-ref", "-d", "ORIG_HEAD"]);
    scratch.git(&fleet, &["gc", "--quiet", "--prune=now"]);
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["rechain"])), @r"
    error: there is no remote to ask, so nobody can say whether a host knows `base_packages` (0000000), `install_cache` (0000000) by the old sha1; nothing was written
    hint: if none was ever deployed, `cargo xtask rechain --force` moves the pins
    hint: if hosts know them, `cargo xtask rechain --imported` keeps the old sha1s
    exit code 1
    ");
    assert_eq!(scratch.git(&fleet, &["status", "--porcelain"]), "");
    let output = scratch.xtask(&fleet, &["rechain", "--force"]);
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
    let checked = scratch.xtask(&fleet, &["check"]);
    let help = checked.error_text().lines().find(|line| line.starts_with("hint: ")).unwrap().to_owned();
    assert_eq!(checked.code, 1);
    assert_eq!(commands(&help)[0], ["cargo", "xtask", "rechain", "--imported"], "{help}");
    for args in [&["rechain"][..], &["rechain", "--force"]] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, args)), @r"
            error: pins of `base_packages`, `install_cache`, `tune_cache` would all move to 0000000, which looks like a squash; one commit is the sha1 of one migration only, so nothing was written
            hint: cargo xtask rechain --imported
            hint: if no host ran them, split 0000000 with `git rebase --interactive`, then `cargo xtask rechain`
            exit code 1
            ");
        }
        assert_eq!(scratch.git(&fleet, &["status", "--porcelain"]), "");
    }
    let asked = scratch.xtask(&fleet, &["rechain", "--imported"]);
    insta::assert_snapshot!(said(&scratch, &asked), @r"
    `base_packages` (0000000), in this history 0000000
    `install_cache` (0000000), in this history 0000000
    `tune_cache` (0000000), in this history 0000000
    error: there is no terminal to ask at whether these sha1s shall stay
    hint: cargo xtask rechain --imported --yes
    exit code 2
    ");
    let kept = scratch.xtask(&fleet, &["rechain", "--imported", "--yes"]);
    insta::assert_snapshot!(said(&scratch, &kept), @r#"
    `base_packages` (0000000), in this history 0000000
    `install_cache` (0000000), in this history 0000000
    `tune_cache` (0000000), in this history 0000000
    --- chain.lock
    +++ chain.lock
    @@ -7,13 +7,16 @@
     name = "base_packages"
     sha1 = "0000000000000000000000000000000000000000"
     digest = "e828ab5003a32e68953bbfeda59585918e849a2ca4273df5e64ad7c670dee361"
    +imported = true
     
     [[link]]
     name = "install_cache"
     sha1 = "0000000000000000000000000000000000000000"
     digest = "e2db1790cd200143b7d644bac71723f5adcd2a2c800b95cb25423793679674c7"
    +imported = true
     
     [[link]]
     name = "tune_cache"
     sha1 = "0000000000000000000000000000000000000000"
     digest = "a68cf2e9dee6a7d8a522f76bafb55e1fbd5b3c0231e4a4769cdedf865d55fd5e"
    +imported = true
    next: git add :/migrations/chain.lock && git commit -m 'Write the chain anew' -- :/migrations/chain.lock
    wrote SCRATCH/fleet/migrations/chain.lock
    exit code 0
    "#);
    commit(&scratch, &fleet, "Keep the sha1s");
    assert_sound(&scratch, &fleet);
    assert_eq!(
        scratch.xtask(&fleet, &["chain", "--json"]).text().replace("imported", "landed"),
        sha1s.replace("pinned", "landed")
    );
    let compiled = scratch.cargo(&fleet, &["check", "--bin", "wildebeest"]);
    assert_eq!(compiled.code, 0, "{}", compiled.error_text());
    add(&scratch, &fleet, "install_queue");
    assert_sound(&scratch, &fleet);
}

#[test]
fn what_was_written_is_committed_without_the_draft() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    add(&scratch, &fleet, "install_cache");
    let committed = files::read_text(fleet.join(LOCK)).unwrap();
    assert_eq!(scratch.xtask(&fleet, &["new", "tune_cache", "--role", "server"]).code, 0);
    let next = |expect: &str| {
        let output = scratch.xtask(&fleet, &["rechain"]);
        assert_eq!((output.code, output.text().lines().last()), (0, Some(expect)), "{}", output.error_text());
    };
    next("nothing to do");
    let lock = files::read_text(fleet.join(LOCK)).unwrap();
    assert_ne!(lock, committed, "new pins what is before the draft");
    files::write(fleet.join(LOCK), lock.replace("digest = \"e", "digest = \"f"), 0o644).unwrap();
    let commit = "git add :/migrations/chain.lock && git commit -m 'Write the chain anew' -- :/migrations/chain.lock";
    next(&format!("next: {commit}"));
    scratch.git(&fleet, &["add", "--all"]);
    scratch.git(&fleet, &["commit", "--quiet", "-m", "Write the chain anew", "--", LOCK]);
    let chain = files::read_text(fleet.join(CHAIN)).unwrap();
    files::write(fleet.join(CHAIN), chain.replace("mod base_packages;\n", ""), 0o644).unwrap();
    next("next: commit the draft, and src/chain.rs with it");
    files::remove(fleet.join("migrations/src/chain/tune_cache.rs")).unwrap();
    scratch.git(&fleet, &["reset", "--quiet", "--hard"]);
    let chain = files::read_text(fleet.join(CHAIN)).unwrap();
    files::write(fleet.join(CHAIN), chain.replace("mod base_packages;\n", ""), 0o644).unwrap();
    next("nothing to commit: both files are as they were committed");
}

#[test]
fn a_draft_gets_its_mod_line_too() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    assert_eq!(scratch.xtask(&fleet, &["new", "install_cache", "--role", "server"]).code, 0);
    let chain = files::read_text(fleet.join(CHAIN)).unwrap();
    files::write(fleet.join(CHAIN), chain.replace("mod install_cache;\n", ""), 0o644).unwrap();
    let output = scratch.xtask(&fleet, &["rechain"]);
    assert_eq!(output.code, 0, "{}", output.error_text());
    assert_eq!(files::read_text(fleet.join(CHAIN)).unwrap(), chain);
}

#[test]
fn what_mends_nothing_is_not_written() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    add(&scratch, &fleet, "install_cache");
    files::remove(fleet.join("migrations/src/chain/base_packages.rs")).unwrap();
    let output = scratch.xtask(&fleet, &["rechain"]);
    assert_eq!(output.code, 1);
    assert!(output.error_text().contains("nothing was written"), "{}", output.error_text());
    let chain = files::read_text(fleet.join(CHAIN)).unwrap();
    files::write(fleet.join(CHAIN), chain.replace("mod install_cache;\n", ""), 0o644).unwrap();
    scratch.git(&fleet, &["add", CHAIN]);
    scratch.git(&fleet, &["commit", "--quiet", "-m", "Lose a line", "--", CHAIN]);
    let output = scratch.xtask(&fleet, &["rechain"]);
    assert_eq!(output.code, 1);
    assert!(
        output.error_text().contains("commit what was written first: git add :/migrations/src/chain.rs"),
        "{}",
        output.error_text()
    );
}

#[test]
fn an_amendment_is_kept_and_told() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let amend = |args: &[&str]| said(&scratch, &scratch.xtask(&fleet, &[&["amend"], args].concat()));
    insta::assert_snapshot!(amend(&["base_package"]), @r"
    error: there is no migration `base_package`
    hint: cargo xtask amend base_packages
    exit code 2
    ");
    insta::assert_snapshot!(amend(&["base_packages", "--why", "no git"]), @r"
    error: `base_packages` (0000000) says what it landed with: there is nothing to amend
    hint: vi SCRATCH/fleet/migrations/src/chain/base_packages.rs
    exit code 2
    ");
    let file = fleet.join("migrations/src/chain/base_packages.rs");
    let text = files::read_text(&file).unwrap();
    files::write(&file, text.replace("\"ca-certificates\", \"git\"", "\"git\""), 0o644).unwrap();
    assert_ne!(scratch.cargo(&fleet, &["check", "--bin", "wildebeest"]).code, 0);
    insta::assert_snapshot!(amend(&["base_packages"]), @r"
    error: nobody says why it is amended
    hint: cargo xtask amend base_packages --why '…'
    exit code 2
    ");
    insta::assert_snapshot!(amend(&["base_packages", "--why", "certificates come with git"]), @r#"
    --- src/chain/base_packages.rs
    +++ src/chain/base_packages.rs
    @@ -1,9 +1,9 @@
     use wb_stdlib::prelude::*;
     
     /// What every server of ours has.
    -#[migration(role = "server")]
    +#[migration(role = "server", amended = "certificates come with git")]
     fn base_packages(host: &Host) -> Result<()> {
    -    host.packages(["ca-certificates", "git"]).installed()?;
    +    host.packages(["git"]).installed()?;
         Ok(())
     }
     
    next: git add :/migrations/src/chain/base_packages.rs :/migrations/chain.lock && git commit -m 'Amend the migration base_packages' -- :/migrations/src/chain/base_packages.rs :/migrations/chain.lock && cargo xtask deploy
    wrote SCRATCH/fleet/migrations/chain.lock
    note: hosts that completed `base_packages` (0000000) never see this; those that have not run it as it is now, and those that failed at it try again with the next deploy
    exit code 0
    "#);
    let compiled = scratch.cargo(&fleet, &["check", "--bin", "wildebeest"]);
    assert_eq!(compiled.code, 0, "{}", compiled.error_text());
    commit(&scratch, &fleet, "Amend");
    assert_sound(&scratch, &fleet);
    insta::assert_snapshot!(amend(&["base_packages"]), @r#"
    --- src/chain/base_packages.rs
    +++ src/chain/base_packages.rs
    @@ -1,9 +1,9 @@
     use wb_stdlib::prelude::*;
     
     /// What every server of ours has.
    -#[migration(role = "server")]
    +#[migration(role = "server", amended = "certificates come with git")]
     fn base_packages(host: &Host) -> Result<()> {
    -    host.packages(["ca-certificates", "git"]).installed()?;
    +    host.packages(["git"]).installed()?;
         Ok(())
     }
     
    nothing to do: chain.lock says so already of `base_packages` (0000000)
    exit code 0
    "#);
    let amended = files::read_text(&file).unwrap();
    files::write(&file, amended.replace("Ok(())", "let _ = 1; Ok(())"), 0o644).unwrap();
    assert_eq!(scratch.xtask(&fleet, &["check"]).code, 1, "an edit after the amendment");
    assert_eq!(scratch.xtask(&fleet, &["amend", "base_packages"]).code, 0);
    assert_eq!(scratch.xtask(&fleet, &["check"]).code, 0);
    files::write(&file, text, 0o644).unwrap();
    assert_eq!(scratch.xtask(&fleet, &["check"]).code, 0, "taken back");
    insta::assert_snapshot!(amend(&["base_packages"]), @r"
    next: git add :/migrations/src/chain/base_packages.rs :/migrations/chain.lock && git commit -m 'Amend the migration base_packages' -- :/migrations/src/chain/base_packages.rs :/migrations/chain.lock && cargo xtask deploy
    wrote SCRATCH/fleet/migrations/chain.lock
    note: `base_packages` (0000000) says again what it landed with, and counts as amended no more
    exit code 0
    ");
    scratch.xtask(&fleet, &["new", "install_cache", "--role", "server"]);
    insta::assert_snapshot!(amend(&["install_cache"]), @r"
    error: `install_cache` (draft) has not landed: just edit it
    hint: cargo xtask check
    exit code 2
    ");
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
    let forged = resolve(fleet.join("migrations")).unwrap().links[0].digest.to_string();
    files::write(fleet.join(LOCK), lock.replace(digest, &forged), 0o644).unwrap();
    let compiled = scratch.cargo(&fleet, &["check", "--bin", "wildebeest"]);
    assert_eq!(compiled.code, 0, "a build believes the pin: {}", compiled.error_text());
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["check"])), @r"
    error: chain.lock does not say what `base_packages` (0000000) landed with: its digest is not that of the commit
    hint: `cargo xtask rechain` writes the digest of 0000000; if the migration was edited, the build then says so
    exit code 1
    ");
    assert_eq!(scratch.xtask(&fleet, &["rechain"]).code, 1, "the edit is told now");
    assert_eq!(files::read_text(fleet.join(LOCK)).unwrap(), lock);
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
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["check"])), @r"
    the chain holds: 1 migration, `base_packages` (0000000)
    warning: there is no git repository here: links are compared with chain.lock alone
    exit code 0
    ");
}
