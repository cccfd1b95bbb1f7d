//! Hosts that leave the herd, get another name or other roles, over a real bare repository.

use crate::office::Office;
use wb_core::registry::RefName;
use wb_core::system::files;

const ROLES: &str = "use wb_stdlib::prelude::*;\n\n/// Runs services.\n#[role(max_out = 1)]\npub struct Server;\n\
                     \nimpl Role for Server {}\n\n/// Keeps data.\n#[role(max_out = 1)]\npub struct Database;\n\
                     \nimpl Role for Database {}\n";

/// Two servers, of which the second is admitted.
fn office() -> Office {
    let office = Office::new();
    files::write(office.fleet.join("migrations/src/roles.rs"), ROLES, 0o644).unwrap();
    for name in ["web1", "web2"] {
        office.scratch.xtask(&office.fleet, &["host", "add", name, "--role", "server"]);
    }
    office.enroll("web2");
    office.admit("web2");
    office
}

fn herd_toml(office: &Office) -> String {
    let text = files::read_text(office.fleet.join("migrations/herd.toml")).unwrap();
    text.split_once("[hosts").map(|(_, hosts)| format!("[hosts{hosts}")).unwrap_or_default()
}

#[test]
fn a_host_is_retired() {
    let office = office();
    insta::assert_snapshot!(office.signed(&["host", "retire", "wbe2"]), @"
    error: the herd has no host `wbe2`, did you mean `web2`?
    hint: cargo xtask host retire web2
    exit code 2
    ");
    insta::assert_snapshot!(office.signed(&["host", "retire", "web2", "--dry-run"]), @"
    - host `web2`
    nothing was told or written; next: cargo xtask host retire web2 --key SCRATCH/key
    exit code 0
    ");
    insta::assert_snapshot!(office.signed(&["host", "retire", "web2", "-m", "its disk died"]), @"
    - host `web2`
    change 2 retire: web2: its disk died, signed by ana@localhost
    next: git commit --message 'Retire web2' -- SCRATCH/fleet/migrations/herd.toml
    edited SCRATCH/fleet/migrations/herd.toml
    exit code 0
    ");
    assert_eq!(herd_toml(&office), "[hosts.web1]\nroles = [\"server\"]\n");
    let manifest = office.newest();
    assert_eq!((manifest.hosts.len(), manifest.retired.len(), &*manifest.retired[0].name), (0, 1, "web2"));
    let refs = office.scratch.git(&office.fleet, &["ls-remote", "origin"]);
    assert!(!refs.contains("refs/wildebeest/report/"), "{refs}");
    insta::assert_snapshot!(office.signed(&["host", "retire", "web2"]), @"
    error: the herd has no host `web2`, did you mean `web1`?
    hint: cargo xtask host retire web1
    exit code 2
    ");
    insta::assert_snapshot!(office.signed(&["host", "retire", "web1", "--dry-run"]), @"
    the herd knows nothing of `web1`, and is told nothing: only herd.toml changes
    nothing was told or written; next: cargo xtask host retire web1 --key SCRATCH/key
    exit code 0
    ");
    insta::assert_snapshot!(office.signed(&["host", "retire", "web1"]), @"
    the herd knows nothing of `web1`, and is told nothing: only herd.toml changes
    next: git commit --message 'Retire web1' -- SCRATCH/fleet/migrations/herd.toml
    edited SCRATCH/fleet/migrations/herd.toml
    exit code 0
    ");
}

#[test]
fn a_host_is_renamed() {
    let office = office();
    insta::assert_snapshot!(office.signed(&["host", "rename", "web2", "web1"]), @"
    error: the name `web1` is taken
    hint: cargo xtask host list
    exit code 2
    ");
    insta::assert_snapshot!(office.signed(&["host", "rename", "web2", "my shop"]), @"
    error: `my shop` is no host name: use letters, digits, `-` and `_`, a letter or digit first, at most 63 of them
    exit code 2
    ");
    insta::assert_snapshot!(office.signed(&["host", "rename", "wbe2", "shop1"]), @"
    error: the herd has no host `wbe2`, did you mean `web2`?
    hint: cargo xtask host rename web2 shop1
    exit code 2
    ");
    insta::assert_snapshot!(office.signed(&["host", "rename", "web2", "shop1"]), @"
    ~ host `web2`: called `shop1`
    change 2 rename: web2 to shop1, signed by ana@localhost
    next: git commit --message 'Call web2 shop1' -- SCRATCH/fleet/migrations/herd.toml
    edited SCRATCH/fleet/migrations/herd.toml
    exit code 0
    ");
    assert_eq!(herd_toml(&office), "[hosts.web1]\nroles = [\"server\"]\n\n[hosts.shop1]\nroles = [\"server\"]\n");
    let manifest = office.newest();
    let operator = office.operator();
    operator.fetch().unwrap();
    assert!(operator.reports(&manifest).unwrap().contains_key("shop1"));
    insta::assert_snapshot!(office.signed(&["host", "rename", "web1", "web3", "--json"]), @r#"
    {
      "change": null,
      "known": false,
      "dry_run": false,
      "difference": [],
      "meaning": [],
      "herd_toml": true
    }
    exit code 0
    "#);
}

#[test]
fn a_host_gets_and_loses_roles() {
    let office = office();
    insta::assert_snapshot!(office.signed(&["host", "tag", "web2", "--add", "databse"]), @"
    error: there is no role `databse`; the roles of src/roles.rs are `database`, `server`
    hint: cargo xtask host tag web2 --add database
    exit code 2
    ");
    insta::assert_snapshot!(office.signed(&["host", "tag", "web2", "--remove", "database"]), @"
    error: the host `web2` has no role `database`
    hint: cargo xtask host list
    exit code 2
    ");
    insta::assert_snapshot!(office.signed(&["host", "tag", "web3", "--add", "database"]), @"
    error: the herd has no host `web3`, did you mean `web1`?
    hint: cargo xtask host tag web1 --add database
    exit code 2
    ");
    insta::assert_snapshot!(office.signed(&["host", "tag", "web2"]), @"
    error: the following required arguments were not provided:
      --add <ROLE>

    Usage: cargo xtask host tag --key <FILE> --add <ROLE> <NAME>

    For more information, try '--help'.
    exit code 2
    ");
    insta::assert_snapshot!(office.signed(&["host", "tag", "web2", "--add", "database"]), @"
    ~ host `web2`: roles server to database+server
    `web2` has no migration of role `database` to run yet
    change 2 tag: web2 +database, signed by ana@localhost
    next: git commit --message 'Tag web2 +database' -- SCRATCH/fleet/migrations/herd.toml
    edited SCRATCH/fleet/migrations/herd.toml
    exit code 0
    ");
    assert!(herd_toml(&office).ends_with("[hosts.web2]\nroles = [\"server\", \"database\"]\n"));
    assert_eq!(office.newest().hosts["web2"].roles, ["database".to_owned(), "server".to_owned()].into());
    insta::assert_snapshot!(office.signed(&["host", "tag", "web2", "--add", "database"]), @"
    nothing to do: it is so already
    exit code 0
    ");
    insta::assert_snapshot!(office.signed(&["host", "tag", "web2", "--remove", "server", "--json"]), @r#"
    {
      "change": 3,
      "known": false,
      "dry_run": false,
      "difference": [
        "~ host `web2`: roles database+server to database"
      ],
      "meaning": [
        "`web2` passes the migrations of role `server` over from now on; what they did there stays"
      ],
      "herd_toml": true
    }
    exit code 0
    "#);
}

#[test]
fn a_herd_without_a_remote_is_edited_too() {
    let office = Office::new();
    office.scratch.git(&office.fleet, &["remote", "remove", "origin"]);
    office.xtask(&["host", "add", "web1", "--role", "server"]);
    assert!(office.xtask(&["host", "rename", "web1", "web2"]).ends_with("exit code 0"));
    assert_eq!(herd_toml(&office), "[hosts.web2]\nroles = [\"server\"]\n");
    assert!(office.xtask(&["host", "retire", "web2"]).ends_with("exit code 0"));
    assert_eq!(herd_toml(&office), "");
}

#[test]
fn an_address_is_looked_at() {
    let office = Office::new();
    let args = ["host", "add", "web1", "--role", "server", "--address", "web1:80"];
    insta::assert_snapshot!(office.xtask(&args), @"
    error: `web1:80` is no address: write an IP address or a host name, without a port
    exit code 2
    ");
}

#[test]
fn a_retired_machine_is_no_newcomer() {
    let office = office();
    let name = RefName::Report(office.newest().hosts["web2"].identity.as_ref().unwrap().uuid).to_string();
    let report = office.scratch.git(&office.fleet.join("../herd.git"), &["rev-parse", &name]);
    office.signed(&["host", "retire", "web2"]);
    office.scratch.git(&office.fleet.join("../herd.git"), &["update-ref", &name, report.trim()]);
    let status = office.xtask(&["status"]);
    assert!(!status.contains("web2"), "{status}");
    assert!(office.xtask(&["status", "--json"]).contains("\"retired\": [\n    \"web2\"\n  ]"));
}
