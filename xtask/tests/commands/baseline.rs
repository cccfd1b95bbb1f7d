//! A baseline in a fleet of one's own: scaffolded, committed, and what it replaces deleted.

use crate::support::{Scratch, said};
use wb_core::system::{Command, files};

#[test]
fn what_a_baseline_replaces_may_go_and_the_runner_keeps_the_whole_chain() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let commit = |message: &str| {
        scratch.git(&fleet, &["add", "--all"]);
        scratch.git(&fleet, &["commit", "--quiet", "-m", message]);
    };
    scratch.xtask(&fleet, &["new", "install_nginx", "--role", "server"]);
    commit("Add the migration install_nginx");
    let made = scratch.xtask(&fleet, &["baseline", "server_as_of_june", "--role", "server"]);
    insta::assert_snapshot!(said(&scratch, &made), @"
    server_as_of_june stands for `base_packages` (0000000) to `install_nginx` (0000000); their files may go:
      src/chain/base_packages.rs, with `mod base_packages;`
      src/chain/install_nginx.rs, with `mod install_nginx;`
    next: write it, then git add --all && git commit -m 'Add the baseline server_as_of_june'
    wrote SCRATCH/fleet/migrations/src/chain/server_as_of_june.rs
    exit code 0
    ");
    commit("Add the baseline server_as_of_june");
    let green = "the chain holds: 3 migrations up to `server_as_of_june` (0000000)\nexit code 0";
    assert_eq!(said(&scratch, &scratch.xtask(&fleet, &["check"])), green);

    files::remove(fleet.join("migrations/src/chain/base_packages.rs")).unwrap();
    files::remove(fleet.join("migrations/src/chain/install_nginx.rs")).unwrap();
    let order = fleet.join("migrations/src/chain.rs");
    let text =
        files::read_text(&order).unwrap().replace("mod base_packages;\n", "").replace("mod install_nginx;\n", "");
    files::write(&order, text, 0o644).unwrap();
    assert_eq!(said(&scratch, &scratch.xtask(&fleet, &["check"])), green);
    commit("Remove what the baseline replaces");
    assert_eq!(said(&scratch, &scratch.xtask(&fleet, &["check"])), green);
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["chain"])), @"
    #  sha1     name               role    author      date        hosts  state
    1  0000000  base_packages      server  wildebeest  2001-09-09  -      replaced
    2  0000000  install_nginx      server  Test        2001-09-09  -      replaced
    3  0000000  server_as_of_june  server  Test        2001-09-09  -      landed, baseline
    exit code 0
    ");

    let built = scratch.cargo(&fleet, &["build", "--bin", "wildebeest"]);
    assert_eq!(built.code, 0, "{}", built.error_text());
    assert!(!built.error_text().contains("warning"), "{}", built.error_text());
    let nowhere = scratch.path("nowhere").display().to_string();
    let runner = Command::new(scratch.built("wildebeest")).args(["chain", "--state", &nowhere, "--config", &nowhere]);
    insta::assert_snapshot!(said(&scratch, &runner.run().unwrap()), @"
       1  0000000  base_packages                     server            code gone
       2  0000000  install_nginx                     server            code gone
       3  0000000  server_as_of_june                 server            baseline
    exit code 0
    ");
}

#[test]
fn what_baseline_refuses_changes_nothing() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let refused = |args: &[&str]| {
        let said = said(&scratch, &scratch.xtask(&fleet, &[&["baseline"], args].concat()));
        assert_eq!(scratch.git(&fleet, &["status", "--porcelain"]), "");
        said
    };
    insta::assert_snapshot!(refused(&["base", "--role", "sever"]), @"
    error: there is no role `sever`; the roles of src/roles.rs are `server`
    hint: cargo xtask baseline base --role server
    exit code 2
    ");
    insta::assert_snapshot!(refused(&["base_packages", "--role", "server"]), @"
    error: the name `base_packages` is taken: a name is never used twice
    hint: cargo xtask chain
    exit code 2
    ");
    insta::assert_snapshot!(refused(&["base", "--role", "server", "--replaces", "1234567..1234567"]), @"
    error: the range `0000000..0000000` is wrong: `0000000` is no link
    hint: cargo xtask baseline base --role server
    exit code 2
    ");
    insta::assert_snapshot!(refused(&["base", "--role", "server", "--replaces", "HEAD"]), @"
    error: invalid value 'HEAD' for '--replaces <FROM..TO>': `HEAD` is no range of links; write the sha1s of its first and its last link, as in `0000000..0000000`

    For more information, try '--help'.
    exit code 2
    ");
}
