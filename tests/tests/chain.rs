//! The verdict on drawn histories, read from real repositories by the same way as `chain!()` and `cargo xtask check`.

use wb_core::chain::{Lock, Mistake};
use wb_core::registry::resolve;
use wb_tests::drawing::{Repository, git, migration};

/// The links in order and then what is wrong, with the names of the drawing in place of sha1s.
fn verdict(repository: &Repository) -> String {
    let resolved = resolve(repository.crate_dir()).expect("a crate");
    let links = resolved.links.iter().map(|link| match link.is_draft() {
        true => format!("{} (draft)", link.name),
        false => format!("{} <{}>", link.name, link.sha1),
    });
    let mistakes = resolved.mistakes.iter().map(Mistake::to_string);
    let lines: Vec<String> = [links.collect::<Vec<_>>().join(", ")].into_iter().chain(mistakes).collect();
    repository.with_names(&lines.join("\n")).replace("<<", "<").replace(">>", ">")
}

fn check(drawing: &str, mods: &[&str], expect: &str) {
    let repository = Repository::drawn(drawing);
    repository.write_mods(mods);
    assert_eq!(verdict(&repository), expect, "{drawing}");
}

/// The text that the compiler shows, of the one mistake there is.
fn text(repository: &Repository) -> String {
    let resolved = resolve(repository.crate_dir()).expect("a crate");
    let texts: Vec<String> = resolved.mistakes.iter().map(Mistake::text).collect();
    repository.with_names(&texts.join("\n"))
}

#[test]
fn a_link_is_the_commit_that_introduced_its_file() {
    check("c1 - *a - c2 - *b - c3", &["a", "b"], "a <a>, b <b>");
    check("*a", &["a"], "a <a>");
    check("c1[+a] - c2[+b]", &["a", "b"], "a <c1>, b <c2>");
}

#[test]
fn a_chain_may_be_empty() {
    check("c1 - c2", &[], "");
}

#[test]
fn an_unrelated_merge_is_fine() {
    check(
        "c1 - *a - c2 - m - *b
              *a - c3 - m",
        &["a", "b"],
        "a <a>, b <b>",
    );
}

#[test]
fn a_migration_of_a_merged_branch_is_fine_while_nothing_diverges() {
    check(
        "c1 - *a - c2 - m - *d
              *a - *b - m",
        &["a", "b", "d"],
        "a <a>, b <b>, d <d>",
    );
}

#[test]
fn two_sides_of_a_merge_diverge() {
    check(
        "c1 - *a - m
         c1 - *b - m",
        &["a", "b"],
        "a <a>, b <b>\n\
         `b` (<b>) and `a` (<a>) diverge: neither commit is an ancestor of the other, so the chain has no order",
    );
}

#[test]
fn every_later_link_names_all_that_it_diverges_from() {
    check(
        "c1 - *a - *b - m - *e
         c1 - *d - m",
        &["a", "b", "d", "e"],
        "a <a>, b <b>, d <d>, e <e>\n\
         `d` (<d>) and `a` (<a>), `b` (<b>) diverge: neither commit is an ancestor of the other, so the chain has no order",
    );
}

#[test]
fn a_rebase_as_the_help_says_puts_an_end_to_a_divergence() {
    let repository = Repository::drawn(
        "c1 - *a - m
         c1 - *b - m",
    );
    repository.write_mods(&["a", "b"]);
    let help = resolve(repository.crate_dir()).unwrap().mistakes[0].help();
    let command = help.split('`').nth(1).unwrap();
    assert_eq!(repository.with_names(command), "git rebase <a>");
    let args: Vec<&str> = command.split(' ').skip(1).collect();
    repository.git(&args);
    assert!(verdict(&repository).starts_with("a <a>, b <"), "{}", verdict(&repository));
    assert_eq!(resolve(repository.crate_dir()).unwrap().mistakes, []);
}

#[test]
fn one_commit_introduces_one_migration() {
    check("c1 - c2[+a,+b]", &["a", "b"], "a <c2>, b <c2>\nthe commit <c2> introduces 2 migrations: `a`, `b`");
}

#[test]
fn a_merge_introduces_nothing() {
    check(
        "c1 - c2 - m[+a]
         c1 - c3 - m[+a]",
        &["a"],
        "a <m>\nthe merge commit <m> itself introduces `a`: no commit on either side has the file",
    );
}

#[test]
fn a_merge_that_introduced_something_is_undone_as_the_help_says() {
    let repository = Repository::drawn(
        "c1 - *a - m[+d]
         c1 - c2 - m",
    );
    repository.write_mods(&["a", "d"]);
    for command in resolve(repository.crate_dir()).unwrap().mistakes[0].help().split('`').skip(1).step_by(2) {
        repository.git(&command.split(' ').skip(1).collect::<Vec<_>>());
    }
    repository.git(&["commit", "--quiet", "--message", "d"]);
    assert_eq!(resolve(repository.crate_dir()).unwrap().mistakes, []);
    assert!(verdict(&repository).starts_with("a <a>, d <"), "{}", verdict(&repository));
}

#[test]
fn a_landed_file_stays() {
    check(
        "c1 - *a - *b - c2[-a]",
        &["b"],
        "b <b>\n`a` (<a>) landed, and its file src/chain/a.rs is gone: the chain would skip it",
    );
}

#[test]
fn a_file_is_restored_as_the_help_says() {
    let repository = Repository::drawn("c1 - *a - *b - c2[-a]");
    repository.write_mods(&["a", "b"]);
    let help = resolve(repository.crate_dir()).unwrap().mistakes[0].help();
    let args: Vec<&str> = help.split('`').nth(1).unwrap().split(' ').skip(1).collect();
    repository.git(&args);
    assert_eq!(verdict(&repository), "a <a>, b <b>");
    repository.git(&["commit", "--quiet", "--message", "a again"]);
    assert_eq!(verdict(&repository), "a <a>, b <b>");
}

#[test]
fn a_file_that_came_back_is_what_it_was_at_first() {
    check("c1 - *a - *b - c2[-a] - c3[+a]", &["a", "b"], "a <a>, b <b>");
}

#[test]
fn a_renamed_file_is_another_link() {
    check(
        "c1 - *a - c2[-a,+b]",
        &["b"],
        "b <c2>\n`a` (<a>) landed, and its file src/chain/a.rs is gone: the chain would skip it",
    );
}

#[test]
fn a_name_is_used_once() {
    check(
        "c1 - c2[+a] - m
         c1 - c3[+a] - m",
        &["a"],
        "a <c2>\n<c2> and <c3> both introduce `a`: a name is never used twice",
    );
}

#[test]
fn a_landed_file_is_not_edited() {
    check(
        "c1 - *a - *b - c2[~a]",
        &["a", "b"],
        "a <a>, b <b>\n`a` (<a>) was edited after it landed (src/chain/a.rs): hosts that completed it never see the edit",
    );
}

#[test]
fn an_edit_that_is_not_committed_counts_too() {
    let repository = Repository::drawn("c1 - *a");
    repository.write_mods(&["a"]);
    repository.write("src/chain/a.rs", &migration("a", "web", 7));
    assert_eq!(resolve(repository.crate_dir()).unwrap().mistakes.len(), 1);
}

#[test]
fn another_layout_is_no_edit() {
    let repository = Repository::drawn("c1 - *a");
    repository.write_mods(&["a"]);
    let text = migration("a", "web", 0).replace("/// Does a.", "// Does it.").replace("(host, 0)", "(\n host,\n0,)\n");
    repository.write("src/chain/a.rs", &text.replace('\n', "\r\n"));
    assert_eq!(verdict(&repository), "a <a>");
}

#[test]
fn an_asset_is_part_of_its_link() {
    let repository = Repository::drawn("c1");
    let text = migration("a", "web", 0).replace("(host, 0)", "(host, template!(\"a.conf\"))");
    repository.write("src/chain/a.rs", &text);
    repository.write("assets/a.conf", "one");
    repository.write_mods(&["a"]);
    repository.git(&["add", "."]);
    repository.git(&["commit", "--quiet", "--message", "a"]);
    assert_eq!(resolve(repository.crate_dir()).unwrap().mistakes, []);
    repository.write("assets/a.conf", "two");
    let mistakes = resolve(repository.crate_dir()).unwrap().mistakes;
    assert!(mistakes[0].to_string().contains("was edited after it landed (assets/a.conf)"), "{mistakes:?}");
    assert!(mistakes[0].help().contains("-- :/assets/a.conf`"), "{mistakes:?}");
}

#[test]
fn mod_lines_have_the_order_of_the_commits() {
    check(
        "c1 - *a - *b - *d - *e",
        &["a", "d", "b", "e"],
        "a <a>, b <b>, d <d>, e <e>\n\
         the `mod` lines of src/chain.rs are not in the order of the commits\n  \
           written:   `d` (<d>), `b` (<b>)\n  \
           committed: `b` (<b>), `d` (<d>)",
    );
}

#[test]
fn every_file_has_a_mod_line_and_every_mod_line_a_file() {
    check(
        "c1 - *a - *b",
        &["a", "x"],
        "a <a>\n\
         src/chain.rs names `x`, and there is no src/chain/x.rs\n\
         no `mod` line names `b` (<b>), so src/chain/b.rs is not compiled",
    );
}

#[test]
fn a_file_that_is_not_committed_is_a_draft() {
    let repository = Repository::drawn("c1 - *a");
    repository.write("src/chain/b.rs", &migration("b", "web", 0));
    repository.write_mods(&["a", "b"]);
    assert_eq!(verdict(&repository), "a <a>, b (draft)");
    repository.write_mods(&["b", "a"]);
    assert_eq!(verdict(&repository), "a <a>, b (draft)\nthe draft `b` stands before `a` (<a>), which landed");
}

#[test]
fn there_is_one_draft_at_a_time() {
    let repository = Repository::drawn("c1 - *a");
    repository.write("src/chain/b.rs", &migration("b", "web", 0));
    repository.write("src/chain/d.rs", &migration("d", "web", 0));
    repository.write_mods(&["a", "d", "b"]);
    assert_eq!(
        verdict(&repository),
        "a <a>, d (draft), b (draft)\n2 migrations are not committed yet: `d`, `b`; one draft at a time"
    );
}

#[test]
fn a_file_holds_one_migration_of_its_name() {
    let repository = Repository::drawn("c1");
    repository.write("src/chain/none.rs", "");
    assert_eq!(
        verdict(&repository),
        "\nno `mod` line names `none` (draft), so src/chain/none.rs is not compiled\nsrc/chain/none.rs has no migration"
    );
    repository.write_mods(&["none"]);
    repository.write("src/chain/none.rs", &migration("other", "web", 0));
    assert_eq!(verdict(&repository), "\nthe migration in src/chain/none.rs is named `other`");
    repository.write("src/chain/none.rs", &(migration("none", "web", 0) + &migration("other", "web", 0)));
    assert_eq!(verdict(&repository), "\nsrc/chain/none.rs has 2 migrations: `none`, `other`");
}

#[test]
fn roles_must_be_there() {
    let repository = Repository::drawn("c1");
    repository.write("src/chain/a.rs", &migration("a", "web", 0).replace("\"web\"", "\"web\", wait = all(\"wbe\")"));
    repository.write_mods(&["a"]);
    assert_eq!(
        text(&repository),
        "there is no role `wbe`\nhelp: did you mean `web`? the roles of src/roles.rs are `web`"
    );
    repository.write("src/roles.rs", "");
    assert!(text(&repository).contains("src/roles.rs has no role yet"));
}

#[test]
fn a_file_that_does_not_parse_is_named_with_its_place() {
    let repository = Repository::drawn("c1");
    repository.write_mods(&["a"]);
    repository.write("src/chain/a.rs", "fn a() {\n    let = 1;\n}\n");
    let verdict = verdict(&repository);
    assert!(verdict.starts_with("\nsrc/chain/a.rs can't be read: line 2, column 9: expected "), "{verdict}");
}

#[test]
fn a_file_that_never_had_a_migration_may_go() {
    let repository = Repository::drawn("c1 - *a");
    repository.write("src/chain/helper.rs", "pub fn help() {}");
    repository.git(&["add", "."]);
    repository.git(&["commit", "--quiet", "--message", "helper"]);
    repository.git(&["rm", "--quiet", "src/chain/helper.rs"]);
    repository.git(&["commit", "--quiet", "--message", "no helper"]);
    repository.write_mods(&["a"]);
    assert_eq!(verdict(&repository), "a <a>");
}

#[test]
fn a_crate_may_lie_anywhere_in_its_repository() {
    let drawing = wb_tests::drawing::Drawing::parse("c1 - *a - *b - c2[-a]");
    let repository = Repository::build(&drawing, "fleets/one/migrations");
    repository.write_mods(&["a", "b"]);
    assert_eq!(
        text(&repository),
        "`a` (<a>) landed, and its file src/chain/a.rs is gone: the chain would skip it\n\
         help: restore it with `git checkout <a> -- :/fleets/one/migrations/src/chain/a.rs`; \
         a landed migration keeps its name, so if the file was renamed, the new one goes"
    );
}

#[test]
fn a_worktree_has_the_same_chain() {
    let repository = Repository::drawn("c1 - *a");
    let other = tempfile::tempdir().unwrap();
    let path = other.path().join("tree");
    repository.git(&["worktree", "add", "--quiet", path.to_str().unwrap()]);
    wb_core::system::files::write(path.join("src/chain.rs"), "mod a;", 0o644).unwrap();
    let resolved = resolve(&path).unwrap();
    assert_eq!(resolved.links[0].sha1, repository.sha1("a"));
}

/// Pins what is landed, as `cargo xtask new` does.
fn pin(repository: &Repository) {
    let resolved = resolve(repository.crate_dir()).expect("a crate");
    repository.write("chain.lock", &resolved.lock.pinning(&resolved.links).to_string());
}

fn pinned(drawing: &str, mods: &[&str]) -> Repository {
    let repository = Repository::drawn(drawing);
    repository.write_mods(mods);
    pin(&repository);
    repository
}

#[test]
fn a_shallow_clone_needs_pins() {
    let repository = pinned("c1 - *a - c2 - *b", &["a", "b"]);
    repository.git(&["add", "."]);
    repository.git(&["commit", "--quiet", "--message", "lock"]);
    let dir = tempfile::tempdir().unwrap();
    let source = format!("file://{}", repository.top().display());
    git(dir.path()).args(["clone", "--quiet", "--depth", "1", &source, "shallow"]).read().unwrap();
    let shallow = dir.path().join("shallow");
    let resolved = resolve(&shallow).unwrap();
    assert_eq!(resolved.mistakes, []);
    assert_eq!(resolved.links[1].sha1, repository.sha1("b"));

    wb_core::system::files::remove(shallow.join("chain.lock")).unwrap();
    let resolved = resolve(&shallow).unwrap();
    assert_eq!(resolved.mistakes, [Mistake::Shallow { names: vec!["a".into(), "b".into()] }]);
}

#[test]
fn without_a_repository_pins_are_the_chain() {
    let repository = pinned("c1 - *a - *b", &["a", "b"]);
    wb_core::system::files::remove_tree(repository.top().join(".git")).unwrap();
    assert_eq!(verdict(&repository), "a <a>, b <b>");
    repository.write_mods(&["b", "a"]);
    assert!(verdict(&repository).contains("not in the order of the commits"), "{}", verdict(&repository));
}

#[test]
fn a_pin_that_history_does_not_know_disagrees() {
    let repository = pinned("c1 - *a - *b", &["a", "b"]);
    repository.git(&["commit", "--quiet", "--amend", "--message", "b, again"]);
    let text = text(&repository);
    assert!(text.starts_with("chain.lock pins `b` to <b>, and history says that "), "{text}");
}

#[test]
fn a_pin_of_another_commit_disagrees() {
    let repository = pinned("c1 - *a - c2", &["a"]);
    let lock = Lock::default().pinning(&resolve(repository.crate_dir()).unwrap().links).to_string();
    let moved = lock.replace(&repository.sha1("a").to_string(), &repository.sha1("c2").to_string());
    repository.write("chain.lock", &moved);
    assert_eq!(verdict(&repository), "a <a>\nchain.lock pins `a` to <c2>, and history says that <a> introduced it");
}

#[test]
fn a_pinned_link_is_compared_with_its_pin() {
    let repository = pinned("c1 - *a", &["a"]);
    repository.write("src/chain/a.rs", &migration("a", "web", 3));
    assert_eq!(
        verdict(&repository),
        "a <a>\n`a` (<a>) was edited after it landed (src/chain/a.rs): hosts that completed it never see the edit"
    );
}

#[test]
fn a_crate_that_moved_keeps_its_pinned_links() {
    let repository = pinned("c1 - *a - *b", &["a", "b"]);
    repository.git(&["add", "."]);
    repository.git(&["commit", "--quiet", "--message", "lock"]);
    wb_core::system::files::create_dir(repository.top().join("fleet")).unwrap();
    repository.git(&["mv", "src", "chain.lock", "fleet"]);
    repository.git(&["commit", "--quiet", "--message", "moved"]);
    let resolved = resolve(repository.top().join("fleet")).unwrap();
    assert_eq!(resolved.mistakes, []);
    assert_eq!(
        resolved.links.iter().map(|link| link.sha1).collect::<Vec<_>>(),
        ["a", "b"].map(|name| repository.sha1(name))
    );
}

#[test]
fn a_lock_that_does_not_parse_is_said_and_history_judged_all_the_same() {
    let repository = Repository::drawn("c1 - *a - c2[~a]");
    repository.write_mods(&["a"]);
    repository.write("chain.lock", "version = 1\n<<<<<<< HEAD\n");
    let verdict = verdict(&repository);
    assert!(verdict.starts_with("a <a>\nchain.lock can't be read: line 2, column 9: "), "{verdict}");
    assert!(verdict.contains("`a` (<a>) was edited"), "{verdict}");
}

#[test]
fn a_repository_that_cannot_be_read_is_no_panic() {
    let repository = Repository::drawn("c1 - *a");
    repository.write_mods(&["a"]);
    wb_core::system::files::write(repository.top().join(".git/HEAD"), "nonsense", 0o644).unwrap();
    let verdict = verdict(&repository);
    assert!(verdict.contains("the git repository can't be read: "), "{verdict}");
}
