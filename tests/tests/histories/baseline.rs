//! Baselines in drawn histories: what they replace, which files may go, and what is wrong.

use wb_core::chain::{Mistake, Range};
use wb_core::registry::resolve;
use wb_core::system::files;
use wb_tests::drawing::{Repository, migration};

/// A repository with these links, the baseline `base` for a range that is not committed yet, and the marks of what it
/// replaces in the lock, as `cargo xtask baseline` writes them.
fn baselined(drawing: &str, mods: &[&str], from: &str, to: &str) -> Repository {
    let repository = Repository::drawn(drawing);
    repository.write_mods(mods);
    let resolved = resolve(repository.crate_dir()).unwrap();
    assert_eq!(resolved.mistakes, []);
    let place = |name: &str| resolved.links.iter().position(|link| link.name == name).unwrap();
    let replaced = &resolved.links[place(from)..=place(to)];
    repository.write("chain.lock", &resolved.lock.pinning(&resolved.links).letting_go(replaced).to_string());
    write_baseline(&repository, from, to);
    repository.write_mods(&[mods, &["base"]].concat());
    repository
}

fn write_baseline(repository: &Repository, from: &str, to: &str) {
    let ends = format!("{}..{}", repository.sha1(from).short(), repository.sha1(to).short());
    repository.write("src/chain/base.rs", &baseline("base", &ends));
}

fn baseline(name: &str, replaces: &str) -> String {
    let attribute = format!("#[baseline(role = \"web\", replaces = \"{replaces}\")]");
    migration(name, "web", 0).replace("#[migration(role = \"web\")]", &attribute)
}

fn commit(repository: &Repository, message: &str) {
    repository.git(&["add", "--all", "."]);
    repository.git(&["commit", "--quiet", "--message", message]);
}

fn remove(repository: &Repository, names: &[&str]) {
    for name in names {
        files::remove(repository.crate_dir().join(format!("src/chain/{name}.rs"))).unwrap();
    }
}

/// The names of the links, those that are gone in parentheses, and then what is wrong.
fn verdict(repository: &Repository) -> String {
    let resolved = resolve(repository.crate_dir()).unwrap();
    let names =
        resolved.links.iter().map(|link| if link.gone { format!("({})", link.name) } else { link.name.clone() });
    let names = names.collect::<Vec<_>>().join(" ");
    let mistakes = resolved.mistakes.iter().map(Mistake::text);
    repository.with_names(&[names].into_iter().chain(mistakes).collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_baseline_knows_the_links_that_it_stands_for() {
    let repository = baselined("*a - *b - *d", &["a", "b", "d"], "a", "d");
    assert_eq!(verdict(&repository), "a b d base");
    let range = Some(Range { from: repository.sha1("a"), to: repository.sha1("d") });
    assert_eq!(resolve(repository.crate_dir()).unwrap().links[3].replaces, range);
    commit(&repository, "base");
    assert_eq!(resolve(repository.crate_dir()).unwrap().links[3].replaces, range);
}

#[test]
fn files_that_a_baseline_stands_for_may_go_with_it_or_later() {
    let repository = baselined("*a - *b - *d", &["a", "b", "d"], "a", "d");
    remove(&repository, &["a"]);
    repository.write_mods(&["b", "d", "base"]);
    assert_eq!(verdict(&repository), "(a) b d base");
    commit(&repository, "base, without a");
    assert_eq!(verdict(&repository), "(a) b d base");
    remove(&repository, &["b", "d"]);
    repository.write_mods(&["base"]);
    assert_eq!(verdict(&repository), "(a) (b) (d) base");
    commit(&repository, "without b and d");
    assert_eq!(verdict(&repository), "(a) (b) (d) base");
    repository.write("src/chain/e.rs", &migration("e", "web", 0));
    repository.write_mods(&["base", "e"]);
    assert_eq!(verdict(&repository), "(a) (b) (d) base e");
}

#[test]
fn what_is_gone_keeps_its_digest_its_role_and_its_wait() {
    let repository = baselined("*a - *b", &["a", "b"], "a", "b");
    let before = resolve(repository.crate_dir()).unwrap().links;
    let lock = files::read_text(repository.crate_dir().join("chain.lock")).unwrap();
    let waiting = lock.replacen("gone = { role = \"web\" }", "gone = { role = \"web\", wait = \"web\" }", 1);
    repository.write("chain.lock", &waiting);
    remove(&repository, &["a", "b"]);
    repository.write_mods(&["base"]);
    let now = resolve(repository.crate_dir()).unwrap().links;
    for (before, now) in before.iter().zip(&now).take(2) {
        assert_eq!((&before.sha1, &before.role, before.digest), (&now.sha1, &now.role, now.digest));
    }
    assert!(now[0].wait.is_some() && now[1].wait.is_none());
}

#[test]
fn what_no_baseline_stands_for_is_deleted() {
    let repository = baselined("*a - *b", &["a", "b"], "a", "b");
    remove(&repository, &["a", "base"]);
    repository.write_mods(&["b"]);
    let verdict = verdict(&repository);
    let expect = "(a) b\n`a` (<a>) landed, and its file src/chain/a.rs is gone: the chain would skip it\n\
                  help: restore it with `git checkout <a> -- :/src/chain/a.rs`, and its `mod` line with";
    assert!(verdict.starts_with(expect), "{verdict}");
}

#[test]
fn what_is_not_marked_is_deleted_too() {
    let repository = baselined("*a - *b", &["a", "b"], "b", "b");
    remove(&repository, &["a"]);
    repository.write_mods(&["b", "base"]);
    assert!(verdict(&repository).contains("`a` (<a>) landed, and its file src/chain/a.rs is gone"));
}

#[test]
fn a_file_goes_with_its_mod_line() {
    let repository = baselined("*a - *b", &["a", "b"], "a", "b");
    remove(&repository, &["a"]);
    assert_eq!(
        verdict(&repository),
        "(a) b base\nsrc/chain.rs names `a` (<a>), whose file is gone, as it may be, since a baseline stands for it\n\
         help: remove the line `mod a;` from src/chain.rs"
    );
}

#[test]
fn a_file_that_came_back_is_a_link_with_code_again() {
    let repository = baselined("*a - *b", &["a", "b"], "a", "b");
    remove(&repository, &["a"]);
    repository.write_mods(&["b", "base"]);
    commit(&repository, "base, without a");
    repository.write("src/chain/a.rs", &migration("a", "web", 0));
    repository.write_mods(&["a", "b", "base"]);
    assert_eq!(verdict(&repository), "a b base");
    repository.write("src/chain/a.rs", &migration("a", "web", 1));
    assert!(verdict(&repository).contains("`a` (<a>) was edited after it landed"), "{}", verdict(&repository));
}

#[test]
fn a_wrong_range_is_told_at_the_baseline_and_nothing_else_is() {
    let repository = baselined("*a - *b - *d", &["a", "b", "d"], "a", "d");
    remove(&repository, &["a"]);
    repository.write_mods(&["b", "d", "base"]);
    write_baseline(&repository, "a", "b");
    assert_eq!(
        verdict(&repository),
        "(a) b d base\nthe baseline `base` (draft) says wrongly what it replaces: it ends before `d` (<d>), which new hosts \
         would then run without what came before it\nhelp: write `replaces = \"<a>..<d>\"`, which is from `a` (<a>) to \
         `d` (<d>)"
    );
    assert_eq!(resolve(repository.crate_dir()).unwrap().mistakes[0].link(), Some("base"));
}

#[test]
fn a_baseline_is_not_edited_after_it_landed() {
    let repository = baselined("*a - *b", &["a", "b"], "a", "b");
    commit(&repository, "base");
    write_baseline(&repository, "b", "b");
    assert!(
        verdict(&repository).contains("was edited after it landed (src/chain/base.rs)"),
        "{}",
        verdict(&repository)
    );
}

#[test]
fn a_baseline_that_another_one_stands_for_may_go_with_what_it_replaced() {
    let repository = baselined("*a - *b", &["a", "b"], "a", "b");
    remove(&repository, &["a", "b"]);
    repository.write_mods(&["base"]);
    commit(&repository, "base");
    let resolved = resolve(repository.crate_dir()).unwrap();
    let lock = resolved.lock.pinning(&resolved.links).letting_go(&resolved.links);
    repository.write("chain.lock", &lock.to_string());
    let ends = format!("{}..{}", resolved.links[0].sha1, resolved.links[2].sha1);
    repository.write("src/chain/next.rs", &baseline("next", &ends));
    remove(&repository, &["base"]);
    repository.write_mods(&["next"]);
    assert_eq!(verdict(&repository), "(a) (b) (base) next");
    let now = resolve(repository.crate_dir()).unwrap();
    assert_eq!(now.links[2].replaces, resolved.links[2].replaces);
    commit(&repository, "next");
    assert_eq!(verdict(&repository), "(a) (b) (base) next");
}

#[test]
fn a_branch_that_never_saw_the_baseline_still_diverges() {
    let repository = baselined("*a - *b", &["a", "b"], "a", "b");
    repository.git(&["checkout", "--quiet", "-b", "other"]);
    repository.git(&["checkout", "--quiet", "main"]);
    remove(&repository, &["a", "b"]);
    repository.write_mods(&["base"]);
    commit(&repository, "base");
    repository.git(&["checkout", "--quiet", "other"]);
    repository.write("src/chain/late.rs", &migration("late", "web", 0));
    repository.git(&["add", "src/chain/late.rs"]);
    repository.git(&["commit", "--quiet", "--message", "late"]);
    repository.git(&["checkout", "--quiet", "main"]);
    repository.git(&["merge", "--quiet", "other", "--message", "merge"]);
    repository.write_mods(&["base", "late"]);
    let verdict = verdict(&repository);
    assert!(verdict.contains(" diverge: neither commit is an ancestor of the other"), "{verdict}");
    assert!(verdict.contains("puts `late` after `base`"), "{verdict}");
}

#[test]
fn a_shallow_clone_without_the_files_has_the_whole_chain() {
    let repository = baselined("*a - *b", &["a", "b"], "a", "b");
    remove(&repository, &["a", "b"]);
    repository.write_mods(&["base"]);
    commit(&repository, "base");
    let resolved = resolve(repository.crate_dir()).unwrap();
    repository.write("chain.lock", &resolved.lock.pinning(&resolved.links).to_string());
    commit(&repository, "pin");
    let dir = tempfile::tempdir().unwrap();
    let source = format!("file://{}", repository.top().display());
    wb_tests::drawing::git(dir.path()).args(["clone", "--quiet", "--depth", "1", &source, "shallow"]).read().unwrap();
    let shallow = resolve(dir.path().join("shallow")).unwrap();
    assert_eq!((shallow.mistakes, shallow.links), (Vec::new(), resolved.links));
}
