//! Operators and one herd, over a real bare repository: admission, lost races, and changes that do not count.

use std::collections::BTreeSet;
use std::path::Path;

use crate::office::Office;
use crate::support::Scratch;
use anyhow::Context as _;
use wb_core::agent::{Agent, Next};
use wb_core::chain::Digest;
use wb_core::change::Manifest;
use wb_core::context::{Code, MaxOut, Migration, Role, Spec, Terms};
use wb_core::runner::{Catalog, enroll, replace};
use wb_core::system::clock::Real;
use wb_core::system::{System, command, files};
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
    insta::assert_snapshot!(office.admit("wbe1"), @"
    error: herd.toml has no host `wbe1`, did you mean `web1`?
    hint: cargo xtask host add wbe1 --role ROLE
    exit code 2
    ");
    let only = "note: web1 stands in herd.toml only; next: on the machine: wildebeest enroll --name web1 …, then ";
    assert!(office.xtask(&["status"]).contains(only));
    office.enroll("web1");
    let status = office.xtask(&["status"]);
    assert!(status.contains("`web1` enrolled and waits; next: cargo xtask host admit web1") && !status.contains(only));
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
fn several_machines_are_admitted_and_who_did_not_enrol_keeps_nobody_back() {
    let office = Office::new();
    for name in ["web1", "web2", "web3"] {
        office.scratch.xtask(&office.fleet, &["host", "add", name, "--role", "server"]);
    }
    office.enroll("web1");
    office.enroll("web3");
    let unknown = office.signed(&["host", "admit", "web1", "db1"]);
    assert!(unknown.starts_with("error: herd.toml has no host `db1`") && unknown.ends_with("exit code 2"), "{unknown}");
    let several = office.signed(&["host", "admit", "web1", "web3", "--fingerprint", "SHA256:x"]);
    assert_eq!(several, "error: --fingerprint is of one machine, and several are named\nexit code 2");
    let admitted = office.signed(&["host", "admit", "web1", "web2", "web3"]);
    for said in ["\nchange 1 admit: web1, ", "\nchange 2 admit: web3, ", "error: no machine enrolled as `web2`\n"] {
        assert!(admitted.contains(said) && admitted.ends_with("exit code 1"), "{admitted}");
    }
    assert_eq!(office.newest().number, 2);
    office.enroll("web2");
    let admitted = office.signed(&["host", "admit", "web1", "web2", "-m", "a sale is coming"]);
    assert!(admitted.starts_with("`web1` is admitted already; its key is SHA256:"), "{admitted}");
    assert!(admitted.contains("\nadmitted `web2`, ") && admitted.ends_with("exit code 0"), "{admitted}");
    assert!(admitted.contains("\nchange 3 admit: web2: a sale is coming, signed by ana@localhost\n"), "{admitted}");
}

#[test]
fn another_machine_takes_the_place_of_a_lost_one_when_that_is_said() {
    let office = Office::new();
    office.scratch.xtask(&office.fleet, &["host", "add", "web1", "--role", "server"]);
    office.enroll("web1");
    office.admit("web1");
    let (home, wanted) = office.machine("another", "web1");
    replace(&home, &wanted, &System::real()).unwrap();
    let said = "another machine enrolled as `web1`; if that takes the place of a lost one: cargo xtask host admit web1 --replace";
    assert!(office.xtask(&["status"]).contains(said));
    let refused = office.admit("web1");
    assert!(
        refused.starts_with("error: `web1` is another machine, admitted before, with the key SHA256:"),
        "{refused}"
    );
    assert!(refused.contains("hint: if that one is lost: cargo xtask host admit web1 --replace"), "{refused}");
    let key = office.key.path().display().to_string();
    let replaced = office.xtask(&["host", "admit", "web1", "--replace", "--key", &key]);
    assert!(replaced.contains("\nchange 2 replace: web1, signed by ana@localhost\n"), "{replaced}");
    let again = office.xtask(&["host", "admit", "web1", "--replace", "--key", &key]);
    assert!(again.starts_with("`web1` is admitted already"), "{again}");
    let remote = office.scratch.path("herd.git");
    let reports = office.scratch.git(&remote, &["for-each-ref", "--format=%(refname)", "refs/wildebeest/report"]);
    assert_eq!(reports, format!("refs/wildebeest/report/{}", home.read_config().unwrap().uuid));
}

static PAGE: Migration = Migration {
    name: "page",
    role: "server",
    sha1: "3333333333333333333333333333333333333333",
    digest: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    index: 0,
    wait: None,
    replaces: None,
    terms: Terms::NONE,
    run: Some(Code::Bare(|_| anyhow::bail!("nginx -t says no"))),
};
static PAGE_SPEC: Spec = Spec::new("fleet::chain::page", "is_there", |context| {
    context.system().read_file("/page")?.context("expected a page, found none")?;
    Ok(())
});
static SERVER: Role =
    Role { name: "server", max_out: MaxOut::Hosts(1), leave: |_| Ok(()), rejoin: |_| Ok(()), ..Role::PLAIN };

/// Tells a herd of the one host `web1`, of which nobody knows more than that it enrolled, to run a migration that fails.
fn told_to_fail(office: &Office) -> Catalog {
    office.scratch.xtask(&office.fleet, &["host", "add", "web1", "--role", "server"]);
    let (home, wanted) = office.machine("machine-web1", "web1");
    enroll(&home, &wanted, &machine(office)).unwrap();
    office.admit("web1");
    let catalog = Catalog::new([&PAGE], [&SERVER], [&PAGE_SPEC]).unwrap();
    let operator = office.operator();
    operator.fetch().unwrap();
    let newest = operator.newest().unwrap().unwrap();
    let mut manifest = Manifest { number: 2, chain: catalog.chain().clone(), ..newest.manifest.clone() };
    (manifest.target, manifest.roles) = (Some(catalog.chain().links()[0].sha1), catalog.policies().clone());
    let told = operator.append(Some(&newest), &manifest, &office.key, Vec::new()).unwrap();
    assert!(matches!(told, Appended::Won(_)));
    catalog
}

/// The machine `web1`, in a root of its own.
fn machine(office: &Office) -> System {
    let root = office.scratch.path("machine-web1/root");
    files::create_dir(&root).unwrap();
    System::new(root, command::Real, Real)
}

/// Does what there is to do on `web1` now.
fn follow(office: &Office, catalog: &Catalog) {
    let ((home, _), system) = (office.machine("machine-web1", "web1"), machine(office));
    let mut agent = Agent::open(home, catalog, &system, Digest::of(b""), &|_| {}).unwrap();
    while agent.tick().unwrap() == Next::Again {}
}

/// Waits for the herd to be settled.
fn until_settled(office: &Office) -> String {
    let file = office.scratch.path("herd.prom").display().to_string();
    office.xtask(&["status", "--until-settled", "--every", "1s", "--timeout", "2m", "--prometheus", &file])
}

fn metrics(office: &Office) -> String {
    files::read_text(office.scratch.path("herd.prom")).unwrap()
}

#[test]
fn what_failed_is_retried_or_adopted_and_nothing_else_is() {
    let office = Office::new();
    let catalog = told_to_fail(&office);
    let key = office.key.path().display().to_string();
    let with_key = |args: &[&str]| office.xtask(&[args, &["--key", &key]].concat());
    insta::assert_snapshot!(with_key(&["retry", "wbe1"]), @"
    error: the herd has no host `wbe1`, did you mean `web1`?
    hint: cargo xtask retry web1
    exit code 2
    ");
    insta::assert_snapshot!(with_key(&["retry", "web1"]), @"
    error: nothing failed on `web1`, so there is nothing to try again; it says: waits to be admitted
    hint: cargo xtask status
    exit code 1
    ");
    follow(&office, &catalog);
    let status = office.xtask(&["status"]);
    insta::assert_snapshot!(&status[status.find("hint").unwrap()..], @"
    hint: mend the cause on web1, then cargo xtask retry web1
    hint: or mend the migration, then cargo xtask amend page --why '…', and cargo xtask deploy
    hint: or do by hand what it does, then cargo xtask adopt web1 --message '…'
    asking SCRATCH/herd.git …
    exit code 4
    ");
    let waited = until_settled(&office);
    assert!(
        waited.contains("Z web1 at the start of the chain, failed: `page` (0000000): nginx -t says no\n"),
        "{waited}"
    );
    assert!(waited.ends_with("exit code 4"), "it can't be settled: {waited}");
    assert!(metrics(&office).contains("wildebeest_host_failed{host=\"web1\"} 1\n"));
    insta::assert_snapshot!(with_key(&["retry", "web1", "-m", "the disk is larger now", "--dry-run"]), @"
    ~ host `web1`: tries again what failed
    nothing was told; next: cargo xtask retry web1 --message 'the disk is larger now' --key SCRATCH/key
    exit code 0
    ");
    insta::assert_snapshot!(with_key(&["retry", "web1", "-m", "the disk is larger now"]), @"
    ~ host `web1`: tries again what failed
    change 3 retry: web1: the disk is larger now, signed by ana@localhost
    next: cargo xtask status
    exit code 0
    ");
    follow(&office, &catalog);
    insta::assert_snapshot!(with_key(&["adopt", "web1", "-m", "by hand", "--link", "pgae"]), @"
    error: no migration `pgae` is deployed, did you mean `page`?
    hint: cargo xtask adopt web1 --link page --message 'by hand'
    exit code 2
    ");
    insta::assert_snapshot!(with_key(&["adopt", "web1", "-m", "by hand", "--dry-run"]), @"
    ~ host `web1`: `page` (0000000) was done by hand
    `web1` asks the specs of `page` (0000000), if it has any, and goes on after it, or stays failed; it says now: failed at `page` (0000000): nginx -t says no
    nothing was told; next: cargo xtask adopt web1 --message 'by hand' --key SCRATCH/key
    exit code 0
    ");
    insta::assert_snapshot!(with_key(&["adopt", "web1", "-m", "by hand"]), @"
    ~ host `web1`: `page` (0000000) was done by hand
    `web1` asks the specs of `page` (0000000), if it has any, and goes on after it, or stays failed; it says now: failed at `page` (0000000): nginx -t says no
    change 4 adopt: web1, `page` (0000000): by hand, signed by ana@localhost
    next: cargo xtask status
    exit code 0
    ");
    follow(&office, &catalog);
    assert!(office.xtask(&["status"]).contains("adopting it, as change 4 says, was refused: spec `is_there`: "));
    files::write(office.scratch.path("machine-web1/root/page"), "", 0o644).unwrap();
    insta::assert_snapshot!(with_key(&["adopt", "web1", "-m", "the page is there now", "--json"]), @r#"
    {
      "change": 5,
      "known": false,
      "dry_run": false,
      "difference": [
        "~ host `web1`: `page` (0000000) was done by hand"
      ],
      "meaning": [
        "`web1` asks the specs of `page` (0000000), if it has any, and goes on after it, or stays failed; it says now: failed at `page` (0000000): adopting it, as change 4 says, was refused: spec `is_there`: expected a page, found none"
      ]
    }
    exit code 0
    "#);
    follow(&office, &catalog);
    let status = office.xtask(&["status"]);
    assert!(status.contains("page, done by hand  0       up to date"), "{status}");
    let waited = until_settled(&office);
    assert!(waited.contains(": 1 of 1 hosts are at `page` (0000000)\n") && waited.ends_with("exit code 0"), "{waited}");
    assert!(metrics(&office).contains("wildebeest_settled 1\n"));
    insta::assert_snapshot!(with_key(&["adopt", "web1", "-m", "again"]), @"
    error: `web1` has no migration before it; it says: up to date
    hint: cargo xtask status
    exit code 1
    ");
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
    assert!(refused.contains("\nhint: cargo xtask changes recover\n"), "{refused}");
    office.xtask(&["changes", "recover"]);
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
