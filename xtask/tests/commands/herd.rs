//! Operators and one herd, over a real bare repository: admission, lost races, and changes that do not count.

use std::collections::BTreeSet;
use std::path::Path;

use crate::office::Office;
use crate::support::Scratch;
use wb_core::change::Manifest;
use wb_core::system::files;
use wb_xtask::operator::{Appended, OperatorError};

fn change(number: u64, message: &str) -> Manifest {
    Manifest { number, message: message.into(), author: "Ana <ana@localhost>".into(), ..Manifest::default() }
}

#[test]
fn a_machine_is_admitted_once_it_enrolled() {
    let office = Office::new();
    office.scratch.xtask(&office.fleet, &["host", "add", "web1", "--role", "server"]);
    let early = office.admit("web1");
    assert!(early.starts_with("error: no machine enrolled as `web1`\nhint: wildebeest enroll --name web1 "), "{early}");
    office.enroll("web1");
    assert!(office.xtask(&["status"]).contains("`web1` enrolled and waits; next: cargo xtask host admit web1"));
    let admitted = office.admit("web1");
    assert!(admitted.starts_with("admitted `web1`, whose key is SHA256:"), "{admitted}");
    assert!(admitted.contains("\nchange 1 admit: web1, signed by ana@localhost\n"), "{admitted}");
    assert!(office.admit("web1").starts_with("`web1` is admitted already; its key is SHA256:"));
    let chain = office.xtask(&["chain"]);
    assert!(chain.contains("  0/1    landed\nnote: hosts as of "), "{chain}");
    let listed = office.xtask(&["host", "list"]);
    assert!(listed.contains("web1  server           admitted  SHA256:"), "{listed}");
}

#[test]
fn a_host_is_asked_to_try_again() {
    let office = Office::new();
    office.scratch.xtask(&office.fleet, &["host", "add", "web1", "--role", "server"]);
    office.enroll("web1");
    office.admit("web1");
    let key = office.key.path().display().to_string();
    let retry = |host: &str| office.xtask(&["retry", host, "--key", &key]);
    insta::assert_snapshot!(retry("wbe1"), @"
    error: the herd has no host `wbe1`, did you mean `web1`?
    hint: cargo xtask status
    exit code 2
    ");
    insta::assert_snapshot!(retry("web1"), @"
    change 2 retry: web1, signed by ana@localhost
    next: cargo xtask status
    exit code 0
    ");
    let operator = office.operator();
    operator.fetch().unwrap();
    assert_eq!(operator.newest().unwrap().unwrap().manifest.hosts["web1"].retry, 2);
}

#[test]
fn a_host_that_is_not_in_the_herd_is_not_admitted() {
    let office = Office::new();
    office.enroll("web9");
    insta::assert_snapshot!(office.admit("web9"), @r"
    error: herd.toml has no host `web9`
    hint: cargo xtask host add web9 --role ROLE
    exit code 2
    ");
}

#[test]
fn of_two_operators_one_is_first_and_nothing_is_lost() {
    let office = Office::new();
    let (ana, ben) = (office.operator(), office.operator());
    let won = ana.append(None, &change(1, "ana's"), &office.key, Vec::new()).unwrap();
    assert!(matches!(won, Appended::Won(_)));
    assert_eq!(ben.append(None, &change(1, "ben's"), &office.key, Vec::new()).unwrap(), Appended::Lost);
    ben.fetch().unwrap();
    let newest = ben.newest().unwrap().unwrap();
    assert_eq!(newest.manifest.message, "ana's");
    let second = ben.append(Some(&newest), &change(2, "ben's"), &office.key, Vec::new()).unwrap();
    assert!(matches!(second, Appended::Won(_)));
}

#[test]
fn a_log_that_the_remote_has_lost_is_not_begun_anew() {
    let office = Office::new();
    office.scratch.xtask(&office.fleet, &["host", "add", "web1", "--role", "server"]);
    office.enroll("web1");
    assert!(office.admit("web1").starts_with("admitted"));
    let remote = office.scratch.path("herd.git");
    office.scratch.git(&remote, &["update-ref", "-d", "refs/wildebeest/changes"]);
    let refused = office.admit("web1");
    let lost = "error: the remote has lost change 1, which was seen from here before: the log of changes was rewound\n";
    assert!(refused.starts_with(lost), "{refused}");
    let hint = refused.lines().find_map(|line| line.strip_prefix("hint: git -C ")).unwrap();
    assert!(hint.starts_with("SCRATCH/fleet/.git/wildebeest/herd.git push SCRATCH/herd.git "), "{hint}");
    let kept = office.fleet.join(".git/wildebeest/herd.git");
    let commit = office.scratch.git(&kept, &["for-each-ref", "--format=%(objectname)", "refs/kept/changes"]);
    let url = remote.display().to_string();
    office.scratch.git(&kept, &["push", "--quiet", &url, &format!("{commit}:refs/wildebeest/changes")]);
    assert!(office.admit("web1").starts_with("`web1` is admitted already"), "the hint mends it");
}

#[test]
fn a_key_that_is_not_on_the_list_changes_nothing() {
    let office = Office::new();
    files::write(office.fleet.join("migrations/allowed_signers"), "", 0o644).unwrap();
    let refused = office.operator().append(None, &change(1, "mallory's"), &office.key, Vec::new()).unwrap_err();
    assert!(matches!(refused, OperatorError::KeyNotAllowed { .. }), "{refused}");
    assert!(office.operator().refuse_stranger(&office.key).is_err());
    assert_eq!(refs(&office.scratch, &office.fleet), BTreeSet::new());
}

#[test]
fn a_change_that_nobody_signed_does_not_count() {
    let office = Office::new();
    office.scratch.git(&office.fleet, &["push", "--quiet", "origin", "HEAD:refs/wildebeest/changes"]);
    insta::assert_snapshot!(office.xtask(&["status"]), @"
    asking SCRATCH/herd.git …
    error: the newest change on the remote does not count
      caused by: the commit 0000000 is not signed
    hint: git log -p -- '*allowed_signers'
    exit code 1
    ");
}

#[test]
fn a_remote_that_is_not_there_is_named() {
    let office = Office::new();
    files::remove_tree(office.scratch.path("herd.git")).unwrap();
    let text = office.xtask(&["status"]);
    assert!(text.contains("error: could not reach the remote SCRATCH/herd.git\n"), "{text}");
    assert!(text.ends_with("hint: git ls-remote SCRATCH/herd.git\nexit code 3"), "{text}");
}

fn refs(scratch: &Scratch, fleet: &Path) -> BTreeSet<String> {
    scratch.git(fleet, &["ls-remote", "origin"]).lines().map(str::to_owned).collect()
}
