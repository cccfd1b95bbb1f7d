//! What the compiler says of a wrong chain, word for word.

use wb_core::chain::Lock;
use wb_core::registry::resolve;
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
fn unknown_roles_of_waits() {
    let Some(fleet) = Fleet::drawn("unknown_awaited", "c1", &["install_nginx"]) else { return };
    let text = migration("install_nginx", "web", 0)
        .replace("\"web\"", "\"web\", wait = count(\"wbe\", 2)")
        .replace("let _ = (host, 0);", "host.wait_until(all(\"databse\").within(Duration::from_mins(30)))?;");
    fleet.repository.write("src/chain/install_nginx.rs", &text);
    insta::assert_snapshot!("unknown_awaited", fleet.said());
}

#[test]
fn a_wait_for_what_is_no_earlier_migration() {
    let Some(fleet) = Fleet::drawn("reached", "c1 - *install_postgres", &["install_postgres", "page"]) else { return };
    let wait = "\"web\", wait = all(\"web\", reached(\"instal_postgres\")), overdue = \"30m\"";
    fleet.repository.write("src/chain/page.rs", &migration("page", "web", 0).replace("\"web\"", wait));
    insta::assert_snapshot!("reached", fleet.said());
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

/// Pins all that landed, and lets `change` write something else into the lock.
fn lock(fleet: &Fleet, change: impl Fn(&mut Lock)) {
    let resolved = resolve(fleet.repository.crate_dir()).expect("a crate");
    let mut lock = resolved.lock.pinning(&resolved.links);
    change(&mut lock);
    fleet.repository.write("chain.lock", &lock.to_string());
}

#[test]
fn two_in_the_first_commit() {
    check("two_in_the_first_commit", "c1[+add_cache,+add_queue]", &["add_cache", "add_queue"]);
}

#[test]
fn introduced_twice() {
    check(
        "introduced_twice",
        "c1 - c2[+add_cache] - m
         c1 - c3[+add_cache] - m",
        &["add_cache"],
    );
}

#[test]
fn renamed() {
    check("renamed", "c1 - *add_cache - c2[-add_cache,+add_big_cache]", &["add_big_cache"]);
}

#[test]
fn files_that_are_wrong() {
    let Some(fleet) = Fleet::drawn("wrong_files", "c1 - *a", &["a", "none", "two", "named", "gone"]) else { return };
    let two = migration("two", "web", 0) + &migration("three", "web", 0).replace("use wb_stdlib::prelude::*;", "");
    fleet.repository.write("src/chain/none.rs", "");
    fleet.repository.write("src/chain/two.rs", &two);
    fleet.repository.write("src/chain/named.rs", &migration("other", "web", 0));
    insta::assert_snapshot!("wrong_files", fleet.said());
}

#[test]
fn a_stray_file_that_is_not_committed() {
    let Some(fleet) = Fleet::drawn("stray_file", "c1 - *a", &["a"]) else { return };
    fleet.repository.write("src/chain/b.rs", &migration("b", "web", 0));
    insta::assert_snapshot!("stray_file", fleet.said());
}

#[test]
fn several_drafts() {
    let Some(fleet) = Fleet::drawn("several_drafts", "c1 - *a", &["a", "b", "d"]) else { return };
    fleet.repository.write("src/chain/b.rs", &migration("b", "web", 0));
    fleet.repository.write("src/chain/d.rs", &migration("d", "web", 0));
    insta::assert_snapshot!("several_drafts", fleet.said());
}

#[test]
fn a_pin_and_history_disagree() {
    let Some(fleet) = Fleet::drawn("pin_disagrees", "c1 - *a - *b - c2", &["a", "b"]) else { return };
    let elsewhere = "0123456789012345678901234567890123456789".parse().expect("a sha1");
    lock(&fleet, |lock| {
        lock.pins[0].sha1 = fleet.repository.sha1("c2");
        lock.pins[1].sha1 = elsewhere;
    });
    insta::assert_snapshot!("pin_disagrees", fleet.said());
    lock(&fleet, |_| {});
    assert_eq!(fleet.said(), "");
    lock(&fleet, |lock| (lock.pins[1].sha1, lock.pins[1].imported) = (elsewhere, true));
    assert_eq!(fleet.said(), "", "an imported link needs no commit here");
}

#[test]
fn imported_links_have_the_order_of_the_lock() {
    let Some(fleet) = Fleet::drawn("imported_order", "c1[+a,+b,+d]", &["b", "a", "d"]) else { return };
    let text: String =
        ["a", "b", "d"].iter().enumerate().fold("version = 1\ndigest = 1\n".to_owned(), |text, (n, name)| {
            let digest = resolve(fleet.repository.crate_dir()).expect("a crate").links;
            let digest = digest.iter().find(|link| link.name == *name).expect("a link").digest;
            let sha1 = format!("{}", n + 1).repeat(40);
            text + &format!("[[link]]\nname = \"{name}\"\nsha1 = \"{sha1}\"\ndigest = \"{digest}\"\nimported = true\n")
        });
    fleet.repository.write("chain.lock", &text);
    insta::assert_snapshot!("imported_order", fleet.said());
}

#[test]
fn a_lock_that_does_not_parse() {
    let Some(fleet) = Fleet::drawn("broken_lock", "c1 - *a - c2[~a]", &["a"]) else { return };
    fleet.repository.write("chain.lock", "version = 1\n<<<<<<< HEAD\ndigest = 1\n");
    insta::assert_snapshot!("broken_lock", fleet.said());
}

#[test]
fn amended() {
    let Some(fleet) = Fleet::drawn("amended", "c1 - *a", &["a"]) else { return };
    lock(&fleet, |_| {});
    let text = migration("a", "web", 1).replace("\"web\"", "\"web\", amended = \"it forgot the cache\"");
    fleet.repository.write("src/chain/a.rs", &text);
    insta::assert_snapshot!("amended", fleet.said());
    let now = resolve(fleet.repository.crate_dir()).expect("a crate").links[0].digest;
    lock(&fleet, |lock| lock.pins[0].amended = Some(now));
    assert_eq!(fleet.said(), "");
    fleet.repository.write("src/chain/a.rs", &text.replace(", 1)", ", 2)"));
    insta::assert_snapshot!("edited_after_amendment", fleet.said());
    fleet.repository.write("src/chain/a.rs", &text.replace("it forgot the cache", " "));
    insta::assert_snapshot!("amended_without_reason", fleet.said());
}

#[test]
fn what_no_digest_sees() {
    let Some(fleet) = Fleet::drawn("no_digest", "c1 - *a", &["a", "b"]) else { return };
    let text = "#[path = \"../inner.rs\"]\nmod inner;\nconst TEXT: &str = include_str!(\"../text\");\n";
    let text = format!("{text}{}", migration("b", "web", 0).replace("(host, 0)", "(host, TEXT, inner::N)"));
    fleet.repository.write("src/chain/b.rs", &text);
    fleet.repository.write("src/inner.rs", "pub(crate) const N: u8 = 1;\n");
    fleet.repository.write("src/text", "text");
    fleet.repository.write("src/chain/shared/mod.rs", "");
    fleet.repository.write(
        "src/chain.rs",
        "mod a;\n#[allow(dead_code)]\nmod b;\n#[cfg(test)]\nmod shared;\n\nwb_stdlib::chain!();\n",
    );
    insta::assert_snapshot!("no_digest", fleet.said());
}

#[test]
fn lines_that_end_otherwise() {
    let Some(fleet) = Fleet::drawn("line_ends", "c1", &["a"]) else { return };
    let text = migration("a", "web", 0).replace("(host, 0)", "(host, asset!(\"a.conf\"))");
    fleet.repository.write("src/chain/a.rs", &text);
    fleet.repository.write("assets/a.conf", "one\ntwo\n");
    fleet.repository.git(&["add", "src/chain", "assets"]);
    fleet.repository.git(&["commit", "--quiet", "--message", "a"]);
    lock(&fleet, |_| {});
    fleet.repository.write("assets/a.conf", "one\r\ntwo\r\n");
    let said = fleet.said();
    let sha1 = fleet.repository.git(&["rev-parse", "HEAD"]);
    insta::assert_snapshot!("line_ends", said.replace(&sha1[..7], "<a>"));
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
