//! The verdict on drawn histories, read from real repositories by the same way as `chain!()` and `cargo xtask check`.

use wb_core::chain::{Digest, Lock, Mistake, Pin};
use wb_core::registry::{resolve, resolve_strictly};
use wb_core::system::files;
use wb_tests::drawing::{Drawing, Repository, git, migration};
use wb_tests::repair;

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
    let help = resolve(repository.crate_dir()).unwrap().mistakes[0].help();
    repository.write_mods(&["a"]);
    for command in repair::commands(&help) {
        assert_eq!(repair::run(&repository, &command), 0, "{command}");
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
fn a_directory_of_assets_is_part_of_its_link_with_each_of_its_files() {
    for place in ["", "fleets/my fleet"] {
        let landed = || {
            let repository = Repository::build(&Drawing::parse("c1"), place);
            let text = migration("a", "web", 0).replace("(host, 0)", "(host, assets!(\"site\"))");
            repository.write("src/chain/a.rs", &text);
            repository.write("assets/site/index.html", "one");
            repository.write("assets/site/css/a b.css", "one");
            repository.write("assets/beside", "one");
            repository.write_mods(&["a"]);
            repository.commit("a");
            assert_eq!(resolve_strictly(repository.crate_dir()).unwrap().mistakes, []);
            repository
        };
        let check = |edit: &dyn Fn(&Repository), expect: &str| {
            let repository = landed();
            edit(&repository);
            mended(&repository, &format!("was edited after it landed ({expect})"), "a");
            pin(&repository);
            edit(&repository);
            assert!(verdict(&repository).contains("was edited after it landed"), "by the pin alone: {expect}");
        };
        check(&|repository| repository.write("assets/site/index.html", "two"), "assets/site/index.html");
        check(&|repository| repository.write("assets/site/new.html", "new"), "assets/site/");
        let gone = |repository: &Repository| {
            files::remove(repository.crate_dir().join("assets/site/css/a b.css")).unwrap();
        };
        check(&gone, "assets/site/");
        let repository = landed();
        repository.write("assets/beside", "two");
        repository.write("assets/site/index.html~", "left by an editor");
        assert_eq!(resolve_strictly(repository.crate_dir()).unwrap().mistakes, []);
    }
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

/// The last migration `d` waits for hosts to reach `name`.
fn waits_for(drawing: &str, mods: &[&str], name: &str) -> String {
    let repository = Repository::drawn(drawing);
    let wait = format!("\"web\", wait = all(\"web\", reached(\"{name}\"))");
    repository.write("src/chain/d.rs", &migration("d", "web", 0).replace("\"web\"", &wait));
    repository.write_mods(mods);
    text(&repository)
}

#[test]
fn a_migration_waits_for_earlier_ones_only() {
    let check = |name: &str, expect: &str| {
        assert_eq!(waits_for("c1 - *install_nginx - *b", &["install_nginx", "b", "d"], name), expect, "{name}");
    };
    let help =
        "name a migration that comes before this one, or leave `reached(…)` out to wait for the one right before";
    check("install_nginx", "");
    check("b", "");
    check("d", &format!("`d` (draft) waits for hosts to reach `d`, which is itself\nhelp: {help}"));
    check(
        "instal_nginx",
        &format!(
            "`d` (draft) waits for hosts to reach `instal_nginx`, which is no migration of the chain\n\
             help: did you mean `install_nginx`? {help}"
        ),
    );
    assert_eq!(
        waits_for("c1", &["d"], "a"),
        "`d` (draft) waits for hosts to reach `a`, which is no migration of the chain\n\
         help: leave the wait out: nothing comes before this migration"
    );
}

#[test]
fn what_lands_later_is_no_earlier_one() {
    let repository = Repository::drawn("c1 - *a - *b");
    let wait = "\"web\", wait = all(\"web\", reached(\"b\"))";
    repository.write("src/chain/a.rs", &migration("a", "web", 0).replace("\"web\"", wait));
    repository.write_mods(&["a", "b"]);
    assert!(text(&repository).contains("`a` (<a>) waits for hosts to reach `b`, which comes after it"));
}

#[test]
fn of_a_file_that_is_not_listed_only_that_is_said() {
    let said = waits_for("c1 - *a - *b", &["a", "d"], "b");
    assert!(said.starts_with("no `mod` line names `b` (<b>)") && !said.contains("waits for"), "{said}");
}

#[test]
fn waits_in_code_are_judged_too() {
    let repository = Repository::drawn("c1 - *a");
    let code = "host.wait_until(all(\"wbe\").reached(\"b\").within(Duration::from_mins(30)))?;";
    repository.write("src/chain/d.rs", &migration("d", "web", 0).replace("let _ = (host, 0);", code));
    repository.write_mods(&["a", "d"]);
    let said = text(&repository);
    assert!(said.contains("there is no role `wbe`\nhelp: did you mean `web`?"), "{said}");
    assert!(said.contains("`d` (draft) waits for hosts to reach `b`, which is no migration"), "{said}");
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
         if it was renamed, move the file back, or, where a commit renamed it, drop that: `git rebase --interactive <a>`"
    );
}

#[test]
fn a_worktree_has_the_same_chain() {
    let repository = Repository::drawn("c1 - *a");
    let other = tempfile::tempdir().unwrap();
    let path = other.path().join("tree");
    repository.git(&["worktree", "add", "--quiet", path.to_str().unwrap()]);
    files::write(path.join("src/chain.rs"), "mod a;", 0o644).unwrap();
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

    files::remove(shallow.join("chain.lock")).unwrap();
    let resolved = resolve(&shallow).unwrap();
    assert_eq!(resolved.mistakes, [Mistake::Shallow { names: vec!["a".into(), "b".into()] }]);
}

#[test]
fn without_a_repository_pins_are_the_chain() {
    let repository = pinned("c1 - *a - *b", &["a", "b"]);
    files::remove_tree(repository.top().join(".git")).unwrap();
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
    files::create_dir(repository.top().join("fleet")).unwrap();
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
    files::write(repository.top().join(".git/HEAD"), "nonsense", 0o644).unwrap();
    let verdict = verdict(&repository);
    assert!(verdict.contains("the git repository can't be read: "), "{verdict}");
}

/// What is wrong, and clean after the commands that its help names.
fn mended(repository: &Repository, wrong: &str, links: &str) {
    let resolved = resolve(repository.crate_dir()).expect("a crate");
    let [mistake] = resolved.mistakes.as_slice() else { panic!("{:?}", resolved.mistakes) };
    assert!(mistake.to_string().contains(wrong), "{mistake}");
    repair::follow(repository, &mistake.help());
    let resolved = resolve_strictly(repository.crate_dir()).expect("a crate");
    assert_eq!(resolved.mistakes, [], "{}", mistake.help());
    assert_eq!(resolved.links.iter().map(|link| link.name.as_str()).collect::<Vec<_>>().join(" "), links);
}

/// A drawn repository with everything of the crate committed.
fn committed(drawing: &str, mods: &[&str]) -> Repository {
    let repository = Repository::drawn(drawing);
    repository.write_mods(mods);
    repository.commit("the crate");
    repository
}

#[test]
fn a_divergence_is_mended() {
    mended(&committed("c1 - *a - m\n c1 - *b - m", &["a", "b"]), "`b` (", "a b");
}

#[test]
fn a_commit_with_two_migrations_is_split() {
    mended(&committed("c1 - c2[+a,+b,+d] - c3", &["a", "b", "d"]), "introduces 3 migrations", "a b d");
    mended(&committed("c1[+a,+b] - *d", &["a", "b", "d"]), "introduces 2 migrations", "a b d");
}

#[test]
fn a_merge_that_introduced_something_is_mended() {
    let repository = Repository::drawn("c1 - *a - m[+d]\n *a - c2 - m");
    repository.write_mods(&["a", "d"]);
    mended(&repository, "the merge commit", "a d");
}

#[test]
fn a_deleted_file_is_restored() {
    mended(&committed("c1 - *a - *b - c2[-a]", &["a", "b"]), "landed, and its file", "a b");
    mended(&committed("c1 - *a - *b - c2[-a]", &["b"]), "landed, and its file", "a b");
}

#[test]
fn a_commit_that_renamed_a_migration_is_dropped() {
    let repository = Repository::drawn("c1 - *a - c2[-a,+b]");
    repository.write_mods(&["b"]);
    let help = resolve(repository.crate_dir()).unwrap().mistakes[0].help();
    let drop = repair::commands(&help).pop().unwrap();
    assert_eq!(repository.with_names(&drop), "git rebase --interactive <a>");
    assert_eq!(repair::run_with(&repository, &drop, "drop"), 0);
    repository.write_mods(&["a"]);
    assert_eq!(verdict(&repository), "a <a>");
}

#[test]
fn an_edit_is_taken_back() {
    let repository = committed("c1 - *a - c2[~a]", &["a"]);
    let help = resolve(repository.crate_dir()).unwrap().mistakes[0].help();
    repair::run(&repository, &repair::commands(&help)[0]);
    assert_eq!(verdict(&repository), "a <a>");
}

#[test]
fn an_edit_is_kept_as_an_amendment() {
    let repository = committed("c1 - *a - *b - c2[~a]", &["a", "b"]);
    let help = resolve(repository.crate_dir()).unwrap().mistakes[0].help();
    repair::run(&repository, repair::commands(&help).last().unwrap());
    assert_eq!(resolve_strictly(repository.crate_dir()).unwrap().mistakes, []);
    let lock = resolve(repository.crate_dir()).unwrap().lock;
    assert_eq!(lock.pins.iter().map(|pin| pin.name.as_str()).collect::<Vec<_>>(), ["a"]);
    repository.commit("amended");
    assert_eq!(verdict(&repository), "a <a>, b <b>");
}

#[test]
fn an_amendment_is_what_attribute_and_lock_say_together() {
    let repository = pinned("c1 - *a", &["a"]);
    let amended = migration("a", "web", 7).replace("\"web\"", "\"web\", amended = \"why\"");
    repository.write("src/chain/a.rs", &amended);
    let marked = "a <a>\n`a` (<a>) is marked as amended, and chain.lock does not say to what (src/chain/a.rs)";
    assert_eq!(verdict(&repository), marked);
    let mut lock = resolve(repository.crate_dir()).unwrap().lock;
    lock.pins[0].amended = Some(resolve(repository.crate_dir()).unwrap().links[0].digest);
    repository.write("chain.lock", &lock.to_string());
    assert_eq!(verdict(&repository), "a <a>");

    repository.write("src/chain/a.rs", &amended.replace('7', "8"));
    assert_eq!(verdict(&repository), "a <a>\n`a` (<a>) was edited after its last amendment: chain.lock says otherwise");
    mended(&repository, "after its last amendment", "a");
    repository.write("src/chain/a.rs", &migration("a", "web", 7));
    assert!(verdict(&repository).contains("was edited after it landed"), "{}", verdict(&repository));
    repository.write("src/chain/a.rs", &migration("a", "web", 0));
    assert_eq!(verdict(&repository), "a <a>", "taken back");
}

#[test]
fn mod_lines_are_put_in_order_and_completed() {
    mended(&committed("c1 - *a - *b - *d", &["d", "a", "b"]), "not in the order", "a b d");
    mended(&committed("c1 - *a - *b - *d", &["a", "d"]), "no `mod` line names `b`", "a b d");
    let repository = Repository::drawn("c1 - *a");
    repository.write("src/chain/b.rs", &migration("b", "web", 0));
    repository.write_mods(&["b", "a"]);
    mended(&repository, "the draft `b` stands before", "a b");
}

#[test]
fn one_of_two_files_of_one_name_is_kept() {
    mended(&committed("c1 - c2[+a] - m\n c1 - c3[+a] - m", &["a"]), "both introduce `a`", "a");
    mended(&committed("c1 - c2[+a] - m\n c1 - c3[+a,~a] - m", &["a"]), "both introduce `a`", "a");
}

#[test]
fn a_lock_with_the_marks_of_a_merge_is_mended() {
    let repository = pinned("c1 - *a - *b", &["a", "b"]);
    repository.commit("lock");
    let lock = files::read_text(repository.top().join("chain.lock")).unwrap();
    let (start, end) = lock.rsplit_once("\n[[link]]").unwrap();
    repository.write("chain.lock", &format!("{start}<<<<<<< HEAD\n=======\n\n[[link]]{end}>>>>>>> other\n"));
    mended(&repository, "chain.lock can't be read", "a b");
    assert_eq!(files::read_text(repository.top().join("chain.lock")).unwrap(), lock);
}

#[test]
fn a_lock_that_is_none_is_restored() {
    let repository = pinned("c1 - *a", &["a"]);
    repository.commit("lock");
    repository.write("chain.lock", "nonsense");
    let help = resolve(repository.crate_dir()).unwrap().mistakes[0].help();
    repair::run(&repository, repair::commands(&help).last().unwrap());
    assert_eq!(verdict(&repository), "a <a>");
}

#[test]
fn a_pin_of_a_commit_that_a_rebase_moved_is_written_anew() {
    let repository = pinned("c1 - *a - *b", &["a", "b"]);
    repository.git(&["commit", "--quiet", "--amend", "--message", "b, again"]);
    let help = resolve(repository.crate_dir()).unwrap().mistakes[0].help();
    repair::run(&repository, &repair::commands(&help)[0]);
    assert_eq!(resolve_strictly(repository.crate_dir()).unwrap().mistakes, []);
}

#[test]
fn a_pin_of_a_wrong_commit_is_written_anew() {
    let repository = pinned("c1 - *a - c2", &["a"]);
    let lock = files::read_text(repository.top().join("chain.lock")).unwrap();
    repository
        .write("chain.lock", &lock.replace(&repository.sha1("a").to_string(), &repository.sha1("c2").to_string()));
    mended(&repository, "chain.lock pins `a` to", "a");
    assert_eq!(files::read_text(repository.top().join("chain.lock")).unwrap(), lock);
}

#[test]
fn a_forged_digest_is_found_by_a_strict_check_alone() {
    let repository = pinned("c1 - *a", &["a"]);
    repository.write("src/chain/a.rs", &migration("a", "web", 3));
    let mut lock = resolve(repository.crate_dir()).unwrap().lock;
    lock.pins[0].digest = resolve(repository.crate_dir()).unwrap().links[0].digest;
    repository.write("chain.lock", &lock.to_string());
    assert_eq!(verdict(&repository), "a <a>");
    let mistakes = resolve_strictly(repository.crate_dir()).unwrap().mistakes;
    assert!(matches!(mistakes.as_slice(), [Mistake::DigestDisagrees { .. }]), "{mistakes:?}");
    repair::follow(&repository, &mistakes[0].help());
    assert!(verdict(&repository).contains("`a` (<a>) was edited after it landed"), "{}", verdict(&repository));
}

#[test]
fn assets_that_were_checked_out_with_other_line_ends_are_told_from_edits() {
    for place in ["", "fleets/my fleet"] {
        let repository = Repository::build(&Drawing::parse("c1"), place);
        let text = migration("a", "web", 0).replace("(host, 0)", "(host, template!(\"a.conf\"))");
        repository.write("src/chain/a.rs", &text);
        repository.write("assets/a.conf", "one\ntwo\n");
        repository.write_mods(&["a"]);
        repository.commit("a");
        repository.git(&["config", "core.autocrlf", "true"]);
        repository.git(&["rm", "--quiet", "--cached", "-r", "."]);
        repository.git(&["reset", "--quiet", "--hard"]);
        let asset = repository.crate_dir().join("assets/a.conf");
        assert_eq!(files::read_text(asset).unwrap(), "one\r\ntwo\r\n");
        files::write(repository.top().join(".gitattributes"), "* text=auto eol=lf\n", 0o644).unwrap();
        mended(&repository, "has lines that end in CR LF", "a");
        pin(&repository);
        repository.write("assets/a.conf", "one\r\ntwo\r\n");
        assert!(verdict(&repository).contains("has lines that end in CR LF"), "by the pin alone");
    }
}

/// Clean after the command of a way that is not the first.
fn mended_otherwise(repository: &Repository, way: &str) {
    let help = resolve(repository.crate_dir()).unwrap().mistakes[0].help();
    repair::follow_way(repository, &help, way);
    assert_eq!(resolve_strictly(repository.crate_dir()).unwrap().mistakes, [], "{help}");
}

#[test]
fn second_ways_mend_too() {
    mended_otherwise(&committed("c1 - *a - *b - c2[~a]", &["a", "b"]), "cargo xtask amend");
    let repository = pinned("c1 - *a - *b", &["a", "b"]);
    repository.git(&["commit", "--quiet", "--amend", "--message", "b, again"]);
    let sha1 = repository.sha1("b");
    mended_otherwise(&repository, "cargo xtask rechain --imported");
    let links = resolve(repository.crate_dir()).unwrap().links;
    assert_eq!(links.last().unwrap().sha1, sha1, "hosts know it by that");
}

#[test]
fn a_baseline_is_amended_as_the_help_says() {
    let repository = committed("c1 - *a", &["a"]);
    let role = |attribute: &str, n| migration("b", "web", n).replace("#[migration(role = \"web\"", attribute);
    let sha1 = repository.sha1("a");
    let attribute = format!("#[baseline(role = \"web\", replaces = \"{sha1}..{sha1}\"");
    repository.write("src/chain/b.rs", &role(&attribute, 0));
    repository.write_mods(&["a", "b"]);
    repository.commit("b");
    assert_eq!(resolve(repository.crate_dir()).unwrap().mistakes, []);
    repository.write("src/chain/b.rs", &role(&attribute, 7));
    mended_otherwise(&repository, "cargo xtask amend");
}

#[test]
fn what_no_digest_sees_is_a_mistake() {
    let check = |body: &str, expect: &str| {
        let repository = Repository::drawn("c1");
        let text = migration("a", "web", 0)
            .replace("use wb_stdlib::prelude::*;", &format!("use wb_stdlib::prelude::*;\n{body}"));
        repository.write("src/chain/a.rs", &text);
        repository.write_mods(&["a"]);
        let verdict = verdict(&repository);
        assert_eq!(verdict.strip_prefix("a (draft)").unwrap_or(&verdict).trim(), expect, "{body}");
    };
    check("mod inner {}", "");
    check("mod inner;", "`mod inner;` in src/chain/a.rs takes code from another file, which no digest sees");
    check(
        "mod b { #[path = \"c.rs\"] mod c; }",
        "`mod c;` in src/chain/a.rs takes code from another file, which no digest sees",
    );
    let includes = |name: &str| format!("`{name}!` in src/chain/a.rs takes in another file, which no digest sees");
    check("const A: &str = include_str!(\"../b\");", &includes("include_str"));
    check("const A: &[u8] = core::include_bytes!(\"../b\");", &includes("include_bytes"));
    check("fn b() { include!(\"../b\") }", &includes("include"));
    check("use core::include_str as text;\nconst A: &str = text!(\"../b\");", &includes("include_str"));
    check("macro_rules! t { ($x:literal) => { template!($x) } }", &includes("template"));
    check("const B: &[u8] = asset!(\"b\");", "");
}

#[test]
fn an_asset_counts_by_whatever_name_its_macro_has() {
    let repository = Repository::drawn("c1");
    let text = migration("a", "web", 0).replace("(host, 0)", "(host, text!(\"a.conf\"))");
    repository.write("src/chain/a.rs", &format!("use wb_stdlib::{{asset as bytes, template as text}};\n{text}"));
    repository.write("assets/a.conf", "one");
    repository.write_mods(&["a"]);
    repository.commit("a");
    assert_eq!(resolve(repository.crate_dir()).unwrap().mistakes, []);
    repository.write("assets/a.conf", "two");
    assert!(verdict(&repository).contains("(assets/a.conf)"), "{}", verdict(&repository));
}

#[test]
fn attributes_of_mod_lines_and_directories_are_mistakes() {
    let check = |line: &str, expect: &str| {
        let repository = Repository::drawn("c1 - *a");
        repository.write_mods(&[]);
        repository.write("src/chain.rs", line);
        assert_eq!(verdict(&repository), format!("a <a>{expect}"), "{line}");
    };
    let attribute = |attribute| {
        format!("\nthe line `mod a;` of src/chain.rs has the attribute `{attribute}`, which the chain does not follow")
    };
    check("/// The first.\n#[allow(dead_code)]\npub mod a;", "");
    check("#[rustfmt::skip]\nmod a;", "");
    check("#[path = \"other.rs\"]\nmod a;", &attribute("#[path]"));
    check("#[cfg(test)]\nmod a;", &attribute("#[cfg]"));
    let repository = Repository::drawn("c1 - *a");
    repository.write("src/chain/shared/mod.rs", "");
    repository.write_mods(&["a"]);
    assert_eq!(verdict(&repository), "a <a>\nsrc/chain/shared is a directory: no digest sees what lies in it");
}

/// The history of a drawing, pinned to its end, and then replaced by other commits.
mod imported {
    use super::*;

    fn before() -> Repository {
        let repository = pinned("c1 - *a - *b", &["a", "b"]);
        repository.commit("lock");
        repository
    }

    fn squashed() -> Repository {
        let repository = before();
        repository.git(&["checkout", "--quiet", "--orphan", "squashed"]);
        repository.commit("all of it");
        repository
    }

    fn rewritten() -> Repository {
        let repository = before();
        repository.git(&["filter-branch", "--force", "--msg-filter", "sed s/^/rewritten-/", "--", "HEAD"]);
        repository
    }

    fn rewritten_from_the_middle_on() -> Repository {
        let repository = before();
        let from = format!("{}..HEAD", repository.sha1("a"));
        repository.git(&["filter-branch", "--force", "--msg-filter", "sed s/^/rewritten-/", "--", &from]);
        repository
    }

    fn copied_into_a_monorepo() -> Repository {
        let before = before();
        let monorepo = Repository::build(&Drawing::parse("m1 - m2"), "fleets/one");
        for file in ["src/chain.rs", "src/roles.rs", "src/chain/a.rs", "src/chain/b.rs", "chain.lock"] {
            monorepo.write(file, &files::read_text(before.top().join(file)).unwrap());
        }
        monorepo.commit("the fleet");
        monorepo
    }

    /// Says that the pins are of another history, as their help does.
    fn import(repository: &Repository) {
        let mistakes = resolve(repository.crate_dir()).unwrap().mistakes;
        let help = mistakes.iter().map(Mistake::help).find(|help| help.contains("--imported")).unwrap();
        let mut command = repair::commands(&help).into_iter().find(|command| command.ends_with("--imported")).unwrap();
        command.push_str(" --yes");
        repair::run(repository, &command);
    }

    fn pins(repository: &Repository) -> Vec<Pin> {
        resolve(repository.crate_dir()).unwrap().lock.pins
    }

    fn check(repository: &Repository) {
        let sha1s: Vec<_> = pins(repository).iter().map(|pin| pin.sha1).collect();
        for mistake in resolve(repository.crate_dir()).unwrap().mistakes {
            assert!(matches!(mistake, Mistake::PinDisagrees { is_known: false, .. }), "{mistake}");
        }
        import(repository);
        let resolved = resolve_strictly(repository.crate_dir()).unwrap();
        assert_eq!(resolved.mistakes, []);
        assert_eq!(resolved.links.iter().map(|link| link.sha1).collect::<Vec<_>>(), sha1s, "hosts know these");
        repository.commit("imported");
        repository.write("src/chain/d.rs", &migration("d", "web", 0));
        repository.write_mods(&["a", "b", "d"]);
        repository.commit("d");
        let resolved = resolve_strictly(repository.crate_dir()).unwrap();
        assert_eq!(resolved.mistakes, []);
        assert_eq!(resolved.links.iter().map(|link| link.name.as_str()).collect::<Vec<_>>(), ["a", "b", "d"]);
        check_order(repository);
        check_edit(repository);
        check_shallow(repository, &resolved.links);
    }

    fn check_order(repository: &Repository) {
        for mods in [["b", "a", "d"], ["d", "a", "b"], ["a", "d", "b"]] {
            repository.write_mods(&mods);
            let mistakes = resolve(repository.crate_dir()).unwrap().mistakes;
            assert!(matches!(mistakes.as_slice(), [Mistake::WrongOrder { .. }]), "{mods:?} {mistakes:?}");
        }
        repository.write_mods(&["a", "b", "d"]);
    }

    fn check_edit(repository: &Repository) {
        repository.write("src/chain/b.rs", &migration("b", "web", 5));
        let resolved = resolve(repository.crate_dir()).unwrap();
        assert!(matches!(resolved.mistakes.as_slice(), [Mistake::Edited { .. }]), "{:?}", resolved.mistakes);
        repair::run(repository, &repair::commands(&resolved.mistakes[0].help())[0]);
        assert_eq!(resolve(repository.crate_dir()).unwrap().mistakes, []);
    }

    fn check_shallow(repository: &Repository, links: &[wb_core::chain::Link]) {
        let before = pins(repository);
        pin(repository);
        assert_eq!(pins(repository)[..2], before[..], "what is imported stays so");
        repository.commit("lock");
        let dir = tempfile::tempdir().unwrap();
        let source = format!("file://{}", repository.top().display());
        git(dir.path()).args(["clone", "--quiet", "--depth", "1", &source, "shallow"]).read().unwrap();
        let place = repository.crate_dir().strip_prefix(repository.top()).unwrap().to_owned();
        let shallow = resolve(dir.path().join("shallow").join(place)).unwrap();
        assert_eq!((shallow.links.as_slice(), shallow.mistakes.as_slice()), (links, &[][..]));
    }

    #[test]
    fn a_squash_keeps_the_links() {
        check(&squashed());
    }

    #[test]
    fn a_rewritten_history_keeps_the_links() {
        check(&rewritten());
        check(&rewritten_from_the_middle_on());
    }

    #[test]
    fn a_fleet_moves_into_a_monorepo_and_keeps_its_links() {
        check(&copied_into_a_monorepo());
    }

    #[test]
    fn a_link_that_was_not_pinned_before_the_squash_is_told() {
        let repository = Repository::drawn("c1 - *a - *b");
        repository.write_mods(&["a", "b"]);
        pin(&repository);
        let lock = resolve(repository.crate_dir()).unwrap().lock;
        let first = Lock { pins: lock.pins[..1].to_vec(), ..lock };
        repository.write("chain.lock", &first.to_string());
        repository.git(&["checkout", "--quiet", "--orphan", "squashed"]);
        repository.commit("all of it");
        import(&repository);
        let mistakes = resolve(repository.crate_dir()).unwrap().mistakes;
        let [mistake] = mistakes.as_slice() else { panic!("{mistakes:?}") };
        assert!(mistake.help().starts_with("`b` came with migrations that are pinned elsewhere"), "{}", mistake.help());
    }

    #[test]
    fn an_amendment_moves_house_too() {
        let repository = before();
        let text = migration("a", "web", 7).replace("\"web\"", "\"web\", amended = \"why\"");
        repository.write("src/chain/a.rs", &text);
        repair::run(&repository, "cargo xtask amend a");
        repository.commit("amended");
        repository.git(&["checkout", "--quiet", "--orphan", "squashed"]);
        repository.commit("all of it");
        import(&repository);
        assert_eq!(resolve_strictly(repository.crate_dir()).unwrap().mistakes, []);
        let forged = pins(&repository).into_iter().map(|pin| Pin { amended: None, digest: Digest::of(b"x"), ..pin });
        let lock = Lock { pins: forged.collect(), ..Lock::default() };
        repository.write("chain.lock", &lock.to_string());
        assert!(!resolve_strictly(repository.crate_dir()).unwrap().mistakes.is_empty());
    }
}
