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

const CERTIFICATES: &str = r#"use wb_stdlib::prelude::*;

pub struct RotateArgs {
    pub directory: String,
    pub days: u32,
    pub note: Option<String>,
}

/// A new key and a certificate for it.
#[reusable]
pub fn rotate_certs(host: &Host, args: RotateArgs) -> Result<()> {
    host.file(format!("{}/days", args.directory)).content(args.days.to_string()).present()?;
    host.file(format!("{}/note", args.directory)).content(args.note.unwrap_or_default()).present()?;
    Ok(())
}
"#;

#[test]
fn each_application_is_a_link_of_its_own() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let apply = |args: &[&str]| said(&scratch, &scratch.xtask(&fleet, &[&["apply"], args].concat()));
    insta::assert_snapshot!(apply(&[]), @r"
    no function of the crate has `#[reusable]`
    exit code 0
    ");
    files::write(fleet.join("migrations/src/certificates.rs"), CERTIFICATES, 0o644).unwrap();
    files::write(
        fleet.join("migrations/src/main.rs"),
        "mod certificates;\nmod chain;\nmod roles;\n\nwb_stdlib::runner!();\n",
        0o644,
    )
    .unwrap();
    commit(&scratch, &fleet, "A reusable");
    insta::assert_snapshot!(apply(&[]), @r"
    name          fields
    rotate_certs  directory: String, days: u32, note: Option<String>  A new key and a certificate for it.
    exit code 0
    ");
    insta::assert_snapshot!(apply(&["rotate_cert", "--role", "server"]), @r"
    error: there is no `#[reusable]` function `rotate_cert` in a module of the crate: there are `rotate_certs`
    hint: cargo xtask apply rotate_certs --role server
    exit code 2
    ");
    insta::assert_snapshot!(apply(&["rotate_certs", "--role", "server", "--", "dayz=soon", "days=soon"]), @r"
    error: there is no field `dayz`; did you mean `days`?
    error: `directory` has no value: it takes String
    error: `days` takes u32, and `soon` is none: invalid digit found in string
    hint: cargo xtask apply rotate_certs --role server -- directory=<String> days=<u32> [note=<Option<String>>]
    exit code 2
    ");
    insta::assert_snapshot!(apply(&["rotate_certs", "--role", "sever", "--", "directory=/etc/ssl", "days=30"]), @r"
    error: there is no role `sever`; the roles of src/roles.rs are `server`
    hint: cargo xtask apply rotate_certs --role server
    exit code 2
    ");
    assert_eq!(scratch.git(&fleet, &["status", "--porcelain"]), "", "what is refused changes nothing");
    let compiled = scratch.cargo(&fleet, &["check", "--package", "migrations"]);
    assert_eq!((compiled.code, compiled.error_text().contains("warning")), (0, false), "{}", compiled.error_text());
    insta::assert_snapshot!(apply(&["rotate_certs", "--role", "server", "--", "directory=/etc/ssl", "days=30"]), @r"
    next: look at it, then git add --all && git commit -m 'Add the migration rotate_certs_1'
    wrote SCRATCH/fleet/migrations/src/chain/rotate_certs_1.rs
    exit code 0
    ");
    commit(&scratch, &fleet, "rotate_certs_1");
    apply(&["rotate_certs", "--role", "server", "--", "directory=/etc/ssl", "days=90", "note=a \"b\""]);
    let written = files::read_text(fleet.join("migrations/src/chain/rotate_certs_2.rs")).unwrap();
    insta::assert_snapshot!("application", written);
    let compiled = scratch.cargo(&fleet, &["check", "--package", "migrations"]);
    assert_eq!((compiled.code, compiled.error_text().contains("warning")), (0, false), "{}", compiled.error_text());
    let file = "migrations/src/chain/rotate_certs_2.rs";
    let formatted = scratch.hermetic("rustfmt", &fleet).args(["--edition", "2024", "--check", file]).run().unwrap();
    assert_eq!(formatted.code, 0, "{}", formatted.text());
}

fn write_code(fleet: &Path, name: &str, code: &str) {
    let path = fleet.join("migrations/src/chain").join(format!("{name}.rs"));
    let text = files::read_text(&path).unwrap();
    files::write(path, text.replace("let _ = host;", code), 0o644).unwrap();
}

#[test]
fn waits_that_could_last_for_ever_are_shown_with_their_cycle() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    for (name, code) in [
        ("drain", "host.wait_until(all(\"server\").reached(\"fill\").within(Duration::from_mins(5)))?;"),
        ("fill", "let drained = all(\"server\").reached(\"drain\"); host.wait_until(drained)?;"),
    ] {
        scratch.xtask(&fleet, &["new", name, "--role", "server"]);
        write_code(&fleet, name, code);
        commit(&scratch, &fleet, name);
    }
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["check"])), @"");
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["check", "--json"])), @"");
}
