//! What the compiler says of a wrong chain, word for word.

use wb_core::system::files;
use wb_tests::drawing::{git, migration};
use wb_tests::fleet::Fleet;

fn check(case: &str, drawing: &str, mods: &[&str]) {
    let Some(fleet) = Fleet::drawn(case, drawing, mods) else { return };
    insta::assert_snapshot!(case, fleet.said());
}

#[test]
fn a_right_chain_compiles_without_a_word() {
    let Some(fleet) = Fleet::drawn("right", "c1 - *a - c2 - *b", &["a", "b"]) else { return };
    assert_eq!(fleet.said(), "");
}

#[test]
fn diverged() {
    check(
        "diverged",
        "c1 - *add_cache - m
         c1 - *add_queue - m",
        &["add_cache", "add_queue"],
    );
}

#[test]
fn two_in_one_commit() {
    check("two_in_one_commit", "c1 - *a - c2[+add_cache,+add_queue]", &["a", "add_cache", "add_queue"]);
}

#[test]
fn introduced_by_a_merge() {
    check(
        "introduced_by_a_merge",
        "c1 - c2 - m[+add_cache]
         c1 - c3 - m",
        &["add_cache"],
    );
}

#[test]
fn deleted() {
    check("deleted", "c1 - *base_packages - *install_nginx - c2[-base_packages]", &["install_nginx"]);
}

#[test]
fn deleted_and_still_listed() {
    check(
        "deleted_and_still_listed",
        "c1 - *base_packages - *install_nginx - c2[-base_packages]",
        &["base_packages", "install_nginx"],
    );
}

#[test]
fn a_wrong_range_of_a_baseline() {
    let Some(fleet) =
        Fleet::drawn("wrong_baseline", "*base_packages - *install_nginx", &["base_packages", "install_nginx"])
    else {
        return;
    };
    let first = fleet.repository.sha1("base_packages").short();
    let attribute = format!("#[baseline(role = \"web\", replaces = \"{first}..{first}\")]");
    let text = migration("web_as_of_june", "web", 0).replace("#[migration(role = \"web\")]", &attribute);
    fleet.repository.write("src/chain/web_as_of_june.rs", &text);
    fleet.repository.write_mods(&["base_packages", "install_nginx", "web_as_of_june"]);
    insta::assert_snapshot!("wrong_baseline", fleet.said());
}

#[test]
fn edited() {
    check("edited", "c1 - *base_packages - *install_nginx - c2[~install_nginx]", &["base_packages", "install_nginx"]);
}

#[test]
fn wrong_order() {
    check("wrong_order", "c1 - *a - *b - *d - *e", &["a", "d", "b", "e"]);
}

#[test]
fn not_listed() {
    check("not_listed", "c1 - *a - *b", &["a"]);
}

#[test]
fn unknown_role() {
    let Some(fleet) = Fleet::drawn("unknown_role", "c1", &["install_nginx"]) else { return };
    let text = migration("install_nginx", "web", 0).replace("\"web\"", "\"wbe\", wait = all(\"database\")");
    fleet.repository.write("src/chain/install_nginx.rs", &text);
    insta::assert_snapshot!("unknown_role", fleet.said());
}

#[test]
fn several_mistakes_come_at_once() {
    check("several_mistakes", "c1 - *a - *b - c2[-a] - c3[~b,+d,+e]", &["e", "d", "b"]);
}

#[test]
fn a_draft_is_the_last() {
    let Some(fleet) = Fleet::drawn("draft_not_last", "c1 - *a", &["b", "a"]) else { return };
    fleet.repository.write("src/chain/b.rs", &migration("b", "web", 0));
    insta::assert_snapshot!("draft_not_last", fleet.said());
}

#[test]
fn a_shallow_clone() {
    let Some(fleet) = Fleet::drawn("shallow", "c1 - *a - *b", &["a", "b"]) else { return };
    let source = tempfile::tempdir().expect("a directory");
    git(source.path())
        .args(["clone", "--quiet", "--bare"])
        .arg(fleet.repository.top())
        .arg("bare")
        .read()
        .expect("a clone");
    files::remove_tree(fleet.repository.top().join(".git")).expect("no repository");
    let url = format!("file://{}/bare", source.path().display());
    fleet.repository.git(&["init", "--quiet"]);
    fleet.repository.git(&["fetch", "--quiet", "--depth", "1", &url, "main"]);
    fleet.repository.git(&["update-ref", "HEAD", "FETCH_HEAD"]);
    insta::assert_snapshot!("shallow", fleet.said());
}

#[test]
fn no_build_script() {
    let Some(fleet) = Fleet::drawn("no_build_script", "c1 - *a", &["a"]) else { return };
    files::remove(fleet.repository.top().join("build.rs")).expect("no build script");
    insta::assert_snapshot!("no_build_script", fleet.said());
}

#[test]
fn a_template_and_its_values() {
    let Some(fleet) = Fleet::drawn("template", "c1", &["a"]) else { return };
    fleet.repository.write("assets/a.conf", "one {{ memory }}\ntwo {{ cpus }} {{ memory }}\n");
    fleet.repository.write("assets/broken.conf", "one\n{{ memory\n");
    let uses = "template!(\"a.conf\", memory = 1, cups = 2), template!(\"b.conf\"), template!(\"broken.conf\"), asset!(\"../a\")";
    fleet
        .repository
        .write("src/chain/a.rs", &migration("a", "web", 0).replace("(host, 0)", &format!("(host, {uses})")));
    insta::assert_snapshot!("template", fleet.said());
}

#[test]
fn cargo_sees_what_changed() {
    let Some(fleet) = Fleet::drawn("changes", "c1 - *a", &["a"]) else { return };
    assert_eq!(fleet.said(), "");
    fleet.repository.write("src/chain/b.rs", &migration("b", "web", 0));
    assert!(fleet.said().contains("no `mod` line names `b` (draft)"), "a new file");
    fleet.repository.write_mods(&["a", "b"]);
    assert_eq!(fleet.said(), "");
    fleet.repository.git(&["add", "."]);
    fleet.repository.git(&["commit", "--quiet", "--message", "b"]);
    assert_eq!(fleet.said(), "");
    fleet.repository.write("src/chain/b.rs", &migration("b", "web", 1));
    assert!(fleet.said().contains("`b` ("), "an edit of what landed");
    fleet.repository.git(&["commit", "--quiet", "--amend", "--all", "--message", "b, better"]);
    assert_eq!(fleet.said(), "", "an amend makes it the introduction");
}
