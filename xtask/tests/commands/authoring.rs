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
    let compiled = scratch.cargo(&fleet, &["check", "--bin", "wildebeest"]);
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
    let compiled = scratch.cargo(&fleet, &["check", "--bin", "wildebeest"]);
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
    let compiled = scratch.cargo(&fleet, &["check", "--bin", "wildebeest"]);
    assert_eq!((compiled.code, compiled.error_text().contains("warning")), (0, false), "{}", compiled.error_text());
    let file = "migrations/src/chain/rotate_certs_2.rs";
    let formatted = scratch.hermetic("rustfmt", &fleet).args(["--edition", "2024", "--check", file]).run().unwrap();
    assert_eq!(formatted.code, 0, "{}", formatted.text());
}

/// Lands a migration of the role `server` with this code, whatever the chain comes to with it. It is run in load.
fn land_code(scratch: &Scratch, fleet: &Path, name: &str, code: &str) {
    land_code_with(scratch, fleet, name, ", rolling = false", code);
}

fn land_code_with(scratch: &Scratch, fleet: &Path, name: &str, terms: &str, code: &str) {
    let crate_dir = fleet.join("migrations/src");
    let text = format!(
        "//! Waits.\n\nuse wb_stdlib::prelude::*;\n\n/// Waits.\n#[migration(role = \"server\"{terms})]\n\
         fn {name}(host: &Host) -> Result<()> {{\n    {code}\n    Ok(())\n}}\n"
    );
    files::write(crate_dir.join(format!("chain/{name}.rs")), text, 0o644).unwrap();
    let chain = files::read_text(crate_dir.join("chain.rs")).unwrap();
    let chain = chain.replace("\nwb_stdlib::chain!", &format!("mod {name};\n\nwb_stdlib::chain!"));
    files::write(crate_dir.join("chain.rs"), chain, 0o644).unwrap();
    commit(scratch, fleet, name);
}

#[test]
fn waits_that_could_last_for_ever_are_shown_with_their_cycle() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let filled = "host.wait_until(all(\"server\").reached(\"fill\").within(Duration::from_mins(5)))?;";
    land_code(&scratch, &fleet, "drain", filled);
    let drained = "let drained = all(\"server\").reached(\"drain\");\n    host.wait_until(drained.within(Duration::from_mins(5)))?;";
    land_code(&scratch, &fleet, "fill", drained);
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["check"])), @r#"
    warning: src/chain/fill.rs computes what it waits for, so nobody can say whether others ever come there: where they don't, the migration fails after the time of `.within(…)`; write it in the migration, as `host.wait_until(all("web").reached("page").within(…))`
    error: `drain` (0000000) waits for hosts to reach `fill`, which comes after it: a migration waits for earlier ones only
    hint: name a migration that comes before this one, or leave `reached(…)` out to wait for the one right before
    error: a new herd waits for ever: `drain` (0000000) on a host of role server waits for another host of role server to be at or past `fill` (0000000), and `drain` (0000000) on another host of role server waits for a host of role server to be at or past `fill` (0000000)
    hint: let a migration wait only for migrations that come before it
    exit code 1
    "#);
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["check", "--json"])), @r#"
    [
      {
        "kind": "reached",
        "link": "drain",
        "sha1": "0000000000000000000000000000000000000000",
        "file": "src/chain/drain.rs",
        "message": "`drain` (0000000) waits for hosts to reach `fill`, which comes after it: a migration waits for earlier ones only",
        "help": "name a migration that comes before this one, or leave `reached(…)` out to wait for the one right before"
      },
      {
        "kind": "deadlock",
        "link": "drain",
        "sha1": "0000000000000000000000000000000000000000",
        "file": "src/chain/drain.rs",
        "message": "a new herd waits for ever: `drain` (0000000) on a host of role server waits for another host of role server to be at or past `fill` (0000000), and `drain` (0000000) on another host of role server waits for a host of role server to be at or past `fill` (0000000)",
        "help": "let a migration wait only for migrations that come before it"
      }
    ]
    warning: src/chain/fill.rs computes what it waits for, so nobody can say whether others ever come there: where they don't, the migration fails after the time of `.within(…)`; write it in the migration, as `host.wait_until(all("web").reached("page").within(…))`
    exit code 1
    "#);
}

#[test]
fn what_waits_out_of_load_for_what_nobody_can_tell_before_is_warned_of() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let wait = "Host::wait_until(host, all(\"server\").within(Duration::from_mins(5)))?;";
    land_code(&scratch, &fleet, "fill", wait);
    land_code_with(&scratch, &fleet, "drain", "", wait);
    let check = || said(&scratch, &scratch.xtask(&fleet, &["check"]));
    insta::assert_snapshot!(check(), @"
    the chain holds: 3 migrations up to `drain` (0000000)
    exit code 0
    ");
    let computed = "let others = all(\"server\");\n    host.wait_until(others.within(Duration::from_mins(5)))?;";
    land_code_with(&scratch, &fleet, "empty", "", computed);
    insta::assert_snapshot!(check(), @r#"
    the chain holds: 4 migrations up to `empty` (0000000)
    warning: src/chain/empty.rs computes what it waits for, so nobody can say whether others ever come there: where they don't, the migration fails after the time of `.within(…)`; write it in the migration, as `host.wait_until(all("web").reached("page").within(…))`
    warning: the code of `empty` (0000000) waits for others while its host is out of load: there it looks once, and fails where they have not come; let it wait before it begins, by `wait = …` in its attribute, or run in load, by `rolling = false`
    exit code 0
    "#);
}
