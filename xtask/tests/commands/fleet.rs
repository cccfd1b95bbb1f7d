//! A fleet of one's own: made, built, checked and extended by the real commands, with nothing of the user's around.

use crate::support::{Scratch, said};
use wb_core::system::files;

#[test]
fn a_new_fleet_compiles_and_its_chain_holds() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let subjects = scratch.git(&fleet, &["log", "--reverse", "--format=%an <%ae> %s"]);
    let author = "wildebeest <wildebeest@localhost>";
    assert_eq!(subjects, format!("{author} Start a fleet\n{author} Add the migration base_packages"));
    let compiled = scratch.cargo(&fleet, &["check", "--workspace"]);
    assert_eq!(compiled.code, 0, "{}", compiled.error_text());
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["check"])), @r"
    the chain holds: 1 migration, `base_packages` (0000000)
    exit code 0
    ");
    assert_eq!(scratch.git(&fleet, &["status", "--porcelain"]), "", "building and checking write nothing");
}

#[test]
fn a_new_migration_compiles_and_pins_those_before() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let made = scratch.xtask(&fleet, &["new", "install_nginx", "--role", "server"]);
    insta::assert_snapshot!(said(&scratch, &made), @r"
    next: write it, then git add --all && git commit -m 'Add the migration install_nginx'
    wrote SCRATCH/fleet/migrations/src/chain/install_nginx.rs
    exit code 0
    ");
    let source = files::read_text(fleet.join("migrations/src/chain/install_nginx.rs")).unwrap();
    assert!(source.trim_end().ends_with("Ok(())\n}"), "{source}");
    let compiled = scratch.cargo(&fleet, &["check", "--bin", "wildebeest"]);
    assert_eq!(compiled.code, 0, "{}", compiled.error_text());
    assert!(!compiled.error_text().contains("warning"), "{}", compiled.error_text());
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["chain"])), @r"
    #  sha1     name           role    author      date        hosts  state
    1  0000000  base_packages  server  wildebeest  2001-09-09  -      pinned
    2  -        install_nginx  server  -           -           -      draft
    exit code 0
    ");
    assert_eq!(scratch.git(&fleet, &["log", "--oneline"]).lines().count(), 2, "`new` commits nothing");
}

#[test]
fn the_chain_as_json_has_whole_sha1s() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let output = scratch.xtask(&fleet.join("migrations/src"), &["chain", "--json"]);
    let links: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let introduced = scratch.git(&fleet, &["rev-parse", "HEAD"]);
    assert_eq!((links[0]["sha1"].as_str(), links[0]["name"].as_str()), (Some(&*introduced), Some("base_packages")));
    assert_eq!((&links[0]["author"], &links[0]["date"]), (&"wildebeest".into(), &"2001-09-09T02:00:00Z".into()));
}

#[test]
fn what_new_refuses_changes_nothing() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let check = |name: &str, role: &str, expect: &str| {
        let output = scratch.xtask(&fleet, &["new", name, "--role", role]);
        assert_eq!((output.code, output.error_text().as_str()), (2, expect));
        assert_eq!(scratch.git(&fleet, &["status", "--porcelain"]), "");
    };
    let roles = "the roles of src/roles.rs are `server`";
    check("a", "sever", &format!("error: there is no role `sever`; {roles}\nhint: cargo xtask new a --role server"));
    let edit = format!("hint: vi {}", fleet.join("migrations/src/roles.rs").display());
    check("a", "cache", &format!("error: there is no role `cache`; {roles}\n{edit}"));
    check("fn", "server", "error: `fn` is no name for a migration: Rust keeps that word for itself");
    let characters = "use small letters, digits and `_`, as in `install_nginx`";
    let hint = "hint: cargo xtask new add_cache --role server";
    let expect = format!("error: `add-cache` is no name for a migration: {characters}\n{hint}");
    check("add-cache", "server", &expect);
}

#[test]
fn mistakes_in_the_chain_are_all_told() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    files::remove(fleet.join("migrations/src/chain/base_packages.rs")).unwrap();
    files::write(fleet.join("migrations/src/chain/stray.rs"), "", 0o644).unwrap();
    let output = scratch.xtask(&fleet, &["check"]);
    let text = said(&scratch, &output);
    assert_eq!(output.code, 1, "{text}");
    assert!(
        text.contains("`base_packages` (0000000) landed, and its file src/chain/base_packages.rs is gone"),
        "{text}"
    );
    assert!(text.contains("stray"), "{text}");
}

#[test]
fn a_directory_with_something_in_it_is_refused() {
    let scratch = Scratch::new();
    files::create_dir(scratch.path("full")).unwrap();
    files::write(scratch.path("full/mine"), "precious", 0o644).unwrap();
    let output = scratch.xtask(&scratch.path("home"), &["init", "../full"]);
    insta::assert_snapshot!(said(&scratch, &output), @r"
    error: ../full exists and is not empty
    hint: cargo xtask init ANOTHER_DIR
    exit code 2
    ");
    assert_eq!(files::list(scratch.path("full")).unwrap(), [scratch.path("full/mine")]);
}

#[test]
fn a_place_with_a_space_is_quoted_in_what_to_run_next() {
    let scratch = Scratch::new();
    let output = scratch.xtask(&scratch.path("home"), &["init", "../my fleet", "--path-dependencies"]);
    assert_eq!(output.code, 0, "{}", output.error_text());
    assert_eq!(output.text(), "next: cd '../my fleet' && cargo xtask host add NAME --role server");
    let told = "\nnote: the first command in the fleet compiles for some minutes, and says nothing meanwhile";
    assert!(output.error_text().ends_with(told), "{}", output.error_text());
    assert_eq!(scratch.xtask(&scratch.path("my fleet"), &["check"]).code, 0);
}

#[test]
fn a_fleet_inside_another_repository_is_one_that_somebody_wants() {
    let scratch = Scratch::new();
    let outer = scratch.path("outer");
    files::create_dir(&outer).unwrap();
    scratch.git(&outer, &["init", "--quiet"]);
    let init = |args: &[&str]| scratch.xtask(&outer, &[&["init", "--path-dependencies"], args].concat());
    insta::assert_snapshot!(said(&scratch, &init(&["infra/fleet"])), @r"
    error: infra/fleet lies in the repository SCRATCH/outer, and a fleet is a repository of its own
    hint: cargo xtask init ANOTHER_DIR
    hint: cargo xtask init infra/fleet --nested
    exit code 2
    ");
    assert!(!files::exists(outer.join("infra")), "nothing was made");
    assert_eq!(init(&["infra/fleet", "--nested"]).code, 0);
    assert_eq!(scratch.xtask(&outer.join("infra/fleet"), &["check"]).code, 0);
    files::write(outer.join(".gitignore"), "/scratch\n", 0o644).unwrap();
    assert_eq!(init(&["scratch/fleet"]).code, 0, "what the other one ignores is none of it");
}

#[test]
fn a_fleet_tests_itself() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let tested = scratch.cargo(&fleet, &["test", "--workspace"]);
    assert_eq!(tested.code, 0, "{}\n{}", tested.text(), tested.error_text());
    for test in [
        "every_migration_is_in_the_runner",
        "the_chain_holds_and_the_herd_fits",
        "tests::base_packages_installs_what_is_missing_and_that_once",
        "tests::a_git_that_does_not_answer_is_noticed",
    ] {
        assert!(tested.text().contains(&format!("test {test} ... ok")), "{}", tested.text());
    }
    files::write(fleet.join("migrations/herd.toml"), "[hosts.web1]\nroles = ['sever']\n", 0o644).unwrap();
    let tested = scratch.cargo(&fleet, &["test", "--package", "xtask"]);
    assert!(tested.code != 0 && tested.text().contains("has the role `sever`"), "{}", tested.text());
}

#[test]
fn a_runner_that_is_built_by_itself_has_no_crash_points() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let features = |which: &[&str]| {
        let tree = ["tree", "--edges", "normal", "--prefix", "none", "--format", "{p} {f}"];
        let said = scratch.cargo(&fleet, &[&tree, which].concat());
        assert_eq!(said.code, 0, "{}", said.error_text());
        let of_core = said.text().lines().filter(|line| line.starts_with("wb-core ")).collect::<Vec<_>>().join("\n");
        assert!(of_core.contains("runtime"), "{}", said.text());
        of_core
    };
    let (alone, with_all_else) = (features(&["--package", "migrations"]), features(&["--workspace"]));
    assert!(!alone.contains("faults"), "{alone}");
    assert!(with_all_else.contains("faults"), "the book says why the package is named: {with_all_else}");
}

#[test]
fn formatter_and_linter_reach_every_migration() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let format = || scratch.hermetic("cargo", &fleet).args(["fmt", "--check"]).run().unwrap();
    let clippy = ["clippy", "--offline", "--all-targets", "--", "--deny", "warnings"];
    let lint = || scratch.hermetic("cargo", &fleet).args(clippy).run().unwrap();
    assert_eq!(format().code, 0, "{}", format().text());
    assert_eq!(lint().code, 0, "{}", lint().error_text());
    scratch.xtask(&fleet, &["new", "install_nginx", "--role", "server"]);
    let file = fleet.join("migrations/src/chain/install_nginx.rs");
    let text = files::read_text(&file).unwrap();
    assert_eq!((format().code, lint().code), (0, 0), "what `new` writes is in order");
    files::write(&file, text.replace("    Ok(())", "  return Ok(());"), 0o644).unwrap();
    assert!(format().code != 0 && format().text().contains("chain/install_nginx.rs"), "{}", format().text());
    let linted = lint();
    assert!(linted.code != 0 && linted.error_text().contains("src/chain/install_nginx.rs"), "{}", linted.error_text());
    assert!(linted.error_text().contains("unneeded `return`"), "{}", linted.error_text());
}

#[test]
fn a_fleet_may_carry_wildebeest_with_it() {
    let scratch = Scratch::new();
    let made = scratch.xtask(&scratch.path("home"), &["init", "../fleet"]);
    assert_eq!(made.code, 0, "{}", made.error_text());
    let fleet = scratch.path("fleet");
    let metadata = scratch.cargo(
        &fleet,
        &["metadata", "--locked", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"],
    );
    assert_eq!(metadata.code, 0, "{}", metadata.error_text());
    let text = metadata.text();
    assert!(text.contains(&format!("{}/vendor/wildebeest/wb-core", fleet.display())), "it builds from its own copy");
    assert_eq!(scratch.git(&fleet, &["status", "--porcelain"]), "");
    assert_eq!(scratch.xtask(&fleet, &["check"]).code, 0);
    let compiled = scratch.cargo(&fleet, &["check", "--quiet", "--workspace", "--locked"]);
    assert_eq!(compiled.code, 0, "{}", compiled.error_text());
}

#[test]
fn a_host_is_written_into_the_herd() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let add = |args: &[&str]| said(&scratch, &scratch.xtask(&fleet, &[&["host", "add"], args].concat()));
    insta::assert_snapshot!(add(&["web1", "--role", "server", "--address", "192.0.2.1"]), @r"
    next: git commit --message 'Add the host web1' -- SCRATCH/fleet/migrations/herd.toml
    then copy allowed_signers and the runner to the machine, and run there:
      wildebeest enroll --name web1 --remote URL --allowed-signers allowed_signers
    added `web1` to SCRATCH/fleet/migrations/herd.toml
    exit code 0
    ");
    insta::assert_snapshot!(add(&["web1", "--role", "server"]), @r"
    error: the name `web1` is taken
    hint: cargo xtask host list
    exit code 2
    ");
    insta::assert_snapshot!(add(&["web2", "--role", "srever"]), @"
    error: there is no role `srever`; the roles of src/roles.rs are `server`
    hint: cargo xtask host add web2 --role server
    exit code 2
    ");
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["host", "list"])), @r"
    name  roles   address    machine   key
    web1  server  192.0.2.1  none yet
    note: there is no remote yet, so no machine can have enrolled
    exit code 0
    ");
}

#[test]
fn what_is_not_committed_is_not_deployed() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let deploy = || said(&scratch, &scratch.xtask(&fleet, &["deploy"]));
    scratch.xtask(&fleet, &["new", "install_nginx", "--role", "server"]);
    insta::assert_snapshot!(deploy(), @r"
    error: the migration `install_nginx` (draft) is not committed
    hint: git add --all && git commit -m 'Add the migration install_nginx'
    error: files differ from the commit that would be deployed: migrations/chain.lock, migrations/src/chain.rs, migrations/src/chain/install_nginx.rs
    hint: git status
    exit code 1
    ");
    scratch.git(&fleet, &["add", "--all"]);
    scratch.git(&fleet, &["commit", "--quiet", "-m", "Add the migration install_nginx"]);
    insta::assert_snapshot!(deploy(), @r"
    error: there is no remote: herd.toml names none, and the repository has no `origin`
    hint: git remote add origin URL
    exit code 3
    ");
    scratch.git(&fleet, &["remote", "add", "origin", "/no/such/repository"]);
    insta::assert_snapshot!(deploy(), @"
    error: there is no SSH key to sign changes with: looked for SCRATCH/home/.ssh/id_ed25519, SCRATCH/home/.ssh/id_ecdsa, SCRATCH/home/.ssh/id_rsa
    hint: ssh-keygen -t ed25519 -f ~/.ssh/id_ed25519
    exit code 3
    ");
}

#[test]
fn a_herd_with_a_typo_is_refused_once_with_its_place() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let check = |herd: &str, expect: &str| {
        files::write(fleet.join("migrations/herd.toml"), herd, 0o644).unwrap();
        let output = scratch.xtask(&fleet, &["check"]);
        assert_eq!(output.code, 1);
        let said = output.error_text();
        assert!(said.contains(&format!("error: herd.toml, {expect}")), "{said}");
        assert_eq!((said.matches("error: ").count(), said.matches("hint: vi +").count()), (1, 1), "{said}");
    };
    let host = |text: &str| format!("[hosts.web1]\nroles = ['server']\n{text}\n");
    check(&host("adress = 'a'"), "line 3, column 1: unknown field `adress`");
    check(&host("address = 192.0.2.11"), "line 3, column ");
    check(&host("address = '192.0.2.311'"), "line 3, column 11: `192.0.2.311` is no address: write an IP address or a");
    check("[hosts.web1]\nrols = ['server']\n", "line 2, column 1: unknown field `rols`");
    check("[herd]\nremoet = 'a'\n", "line 2, column 1: unknown field `remoet`");
    check("[hurd]\n", "line 1, column ");
    check("[hosts.web1]\nroles = ['sever']\n", "line 2, column 10: the host `web1` has the role `sever`");
}

#[test]
fn programs_hear_of_a_typo_in_the_herd_too() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    files::write(fleet.join("migrations/herd.toml"), "[herd]\nremoet = 'a'\n", 0o644).unwrap();
    let output = scratch.xtask(&fleet, &["check", "--json"]);
    assert_eq!((output.code, output.text().matches("\"kind\": \"herd\"").count()), (1, 1), "{}", output.text());
    assert!(output.text().contains("\"message\": \"herd.toml, line 2, column 1: unknown field `remoet`"));
    let add = said(&scratch, &scratch.xtask(&fleet, &["host", "add", "web1", "--role", "server"]));
    assert!(add.starts_with("error: herd.toml, line 2, column 1: unknown field `remoet`"), "{add}");
    assert!(add.ends_with("hint: vi +2 SCRATCH/fleet/migrations/herd.toml\nexit code 1"), "{add}");
}

#[test]
fn outside_of_a_fleet_there_is_no_fleet() {
    let scratch = Scratch::new();
    let output = scratch.xtask(&scratch.path("home"), &["status"]);
    let text = said(&scratch, &output);
    assert!(text.starts_with("error: SCRATCH/home is in no cargo workspace that cargo reads\n"), "{text}");
    assert!(text.ends_with("hint: cargo xtask init DIR\nexit code 3"), "{text}");
}
