//! Writing migrations: names that are taken, copies, and what the chain says of them.

use std::path::Path;

use crate::support::{Scratch, said};
use wb_core::system::files;

fn commit(scratch: &Scratch, fleet: &Path, message: &str) {
    scratch.git(fleet, &["add", "--all"]);
    scratch.git(fleet, &["commit", "--quiet", "--message", message]);
}

fn land(scratch: &Scratch, fleet: &Path, name: &str) {
    let made = scratch.xtask(fleet, &["new", name, "--role", "server"]);
    assert_eq!(made.code, 0, "{}", made.error_text());
    commit(scratch, fleet, name);
}

#[test]
fn a_name_of_history_is_refused_with_its_commit() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    land(&scratch, &fleet, "install_nginx");
    files::remove(fleet.join("migrations/src/chain/install_nginx.rs")).unwrap();
    commit(&scratch, &fleet, "Remove it, wrongly");
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["new", "install_nginx", "--role", "server"])), @r"
    error: the name `install_nginx` is taken: Test introduced `install_nginx` (0000000) on 2001-09-09, and a name is never used twice
    hint: git show 0000000
    hint: cargo xtask new install_nginx_2 --role server
    exit code 2
    ");
    assert_eq!(scratch.git(&fleet, &["status", "--porcelain"]), "");
}

#[test]
fn a_name_of_another_branch_is_told() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    scratch.git(&fleet, &["checkout", "--quiet", "-b", "cache"]);
    land(&scratch, &fleet, "add_cache");
    scratch.git(&fleet, &["checkout", "--quiet", "main"]);
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["new", "add_cache", "--role", "server"])), @r"
    next: write it, then git add --all && git commit -m 'Add the migration add_cache'
    wrote SCRATCH/fleet/migrations/src/chain/add_cache.rs
    warning: the branch `cache` has a `add_cache` too, which Test added in 0000000: only one of them can land
    exit code 0
    ");
}

#[test]
fn a_copy_begins_with_the_body_and_the_assets_of_another() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let file = fleet.join("migrations/src/chain/base_packages.rs");
    scratch.xtask(&fleet, &["new", "greet", "--role", "server"]);
    let body = files::read_text(fleet.join("migrations/src/chain/greet.rs")).unwrap();
    let body = body.replace("let _ = host; //", "host.file(\"/etc/motd\").content(asset!(\"motd\")).present()?; //");
    files::write(fleet.join("migrations/src/chain/greet.rs"), body, 0o644).unwrap();
    files::write(fleet.join("migrations/assets/motd"), "Hello\n", 0o644).unwrap();
    commit(&scratch, &fleet, "greet");
    let like = |name: &str, other: &str| said(&scratch, &scratch.xtask(&fleet, &["new", name, "--like", other]));
    insta::assert_snapshot!(like("greet_again", "gret"), @r"
    error: there is no migration `gret` to be like
    hint: cargo xtask new greet_again --like greet
    exit code 2
    ");
    insta::assert_snapshot!(like("greet_again", "greet"), @r"
    next: write it, then git add --all && git commit -m 'Add the migration greet_again'
    wrote SCRATCH/fleet/migrations/src/chain/greet_again.rs
    note: it uses assets/motd, a part of `greet` (0000000); to say something else there, copy it to another name first, and name that
    exit code 0
    ");
    let copy = files::read_text(fleet.join("migrations/src/chain/greet_again.rs")).unwrap();
    assert!(copy.contains("/// Like `greet` (") && copy.contains("fn greet_again(host: &Host)"), "{copy}");
    let compiled = scratch.cargo(&fleet, &["check", "--package", "migrations"]);
    assert_eq!((compiled.code, compiled.error_text().contains("warning")), (0, false), "{}", compiled.error_text());
    files::remove(fleet.join("migrations/src/chain/greet_again.rs")).unwrap();
    scratch.git(&fleet, &["checkout", "--quiet", "."]);
    assert!(like("packages_again", "base_packages").ends_with("exit code 0"), "an older link, {}", file.display());
}

#[test]
fn the_chain_says_how_old_its_word_of_the_hosts_is() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    scratch.git(scratch.path("home").as_path(), &["init", "--quiet", "--bare", "../herd.git"]);
    scratch.git(&fleet, &["remote", "add", "origin", "../herd.git"]);
    let chain = |args: &[&str]| said(&scratch, &scratch.xtask(&fleet, &[&["chain"], args].concat()));
    insta::assert_snapshot!(chain(&[]), @r"
    #  sha1     name           role    author      date        hosts  state
    1  0000000  base_packages  server  wildebeest  2001-09-09  -      landed
    note: nobody asked the remote yet how far hosts are: cargo xtask chain --fetch
    exit code 0
    ");
    let fetched = chain(&["--fetch"]);
    assert!(fetched.contains("asking SCRATCH") && fetched.ends_with("exit code 0"), "{fetched}");
    let after = chain(&[]);
    assert!(after.contains("note: hosts as of ") && after.contains("s ago; cargo xtask chain --fetch asks"), "{after}");
    scratch.git(&fleet, &["remote", "set-url", "origin", "/no/such/repository"]);
    assert!(chain(&["--fetch"]).ends_with("hint: git ls-remote /no/such/repository\nexit code 3"));
}
