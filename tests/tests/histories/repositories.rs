//! Repositories of every kind that a fleet may lie in.

use std::path::{Path, PathBuf};

use wb_core::chain::{Link, Lock, Mistake, Sha1};
use wb_core::registry::{Resolved, resolve, resolve_strictly};
use wb_core::system::{Command, environment, files};
use wb_tests::drawing::{Drawing, Repository, git, migration};

fn names(resolved: &Resolved, sha1_of: impl Fn(&str) -> Sha1) -> String {
    let link = |link: &Link| match () {
        () if link.is_draft() => format!("{} (draft)", link.name),
        () if link.sha1 == sha1_of(&link.name) => link.name.clone(),
        () => format!("{} (another)", link.name),
    };
    let links = resolved.links.iter().map(link).collect::<Vec<_>>().join(" ");
    let mistakes = resolved.mistakes.iter().map(|mistake| format!("\n{mistake}"));
    mistakes.fold(links, |text, mistake| text + &mistake)
}

/// The verdict on a crate whose links have the sha1s of a drawing.
fn check_at(crate_dir: &Path, drawn: &Repository, expect: &str) {
    let resolved = resolve(crate_dir).expect("a crate");
    assert_eq!(names(&resolved, |name| drawn.sha1(name)), expect);
    let again = resolve(crate_dir).expect("a crate");
    assert_eq!(names(&again, |name| drawn.sha1(name)), expect, "with what was kept");
}

fn check(drawn: &Repository, expect: &str) {
    check_at(&drawn.crate_dir(), drawn, expect);
}

fn drawn() -> Repository {
    let repository = Repository::drawn("c1 - *a - c2 - *b");
    repository.write_mods(&["a", "b"]);
    repository
}

/// The same history in a repository that `git init` made with these arguments.
fn imported(args: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let (drawn, dir) = (drawn(), tempfile::tempdir().expect("a directory"));
    let top = dir.path().join("fleet");
    let run =
        |dir: &Path, args: &[&str]| git(dir).args(args).run().expect("git runs").success(&git(dir)).expect("git works");
    run(dir.path(), &[&["init", "--quiet", "--initial-branch=main"], args, &["fleet"]].concat());
    let stream = run(drawn.top(), &["fast-export", "HEAD"]).stdout;
    let stream = String::from_utf8(stream).expect("text").replace("commit HEAD", "commit refs/heads/main");
    git(&top).args(["fast-import", "--quiet", "--force"]).stdin(stream).read().expect("an import");
    run(&top, &["reset", "--quiet", "--hard", "main"]);
    for file in ["src/chain.rs", "src/roles.rs"] {
        files::copy(drawn.top().join(file), top.join(file)).expect("a copy");
    }
    (dir, top)
}

fn refused(crate_dir: &Path) -> (String, String) {
    let resolved = resolve(crate_dir).expect("a crate");
    let mistake = resolved.mistakes.iter().find(|mistake| matches!(mistake, Mistake::Repository { .. }));
    let mistake = mistake.unwrap_or_else(|| panic!("{:?}", resolved.mistakes));
    (mistake.to_string(), mistake.help())
}

#[test]
fn a_detached_head() {
    let drawn = drawn();
    drawn.git(&["checkout", "--quiet", "--detach"]);
    check(&drawn, "a b");
}

#[test]
fn a_linked_work_tree_at_another_commit() {
    let drawn = drawn();
    let dir = tempfile::tempdir().expect("a directory");
    let tree = dir.path().join("a tree");
    drawn.git(&["worktree", "add", "--quiet", "--detach", tree.to_str().expect("text"), "HEAD~1"]);
    check(&drawn, "a b");
    files::copy(drawn.top().join("src/roles.rs"), tree.join("src/roles.rs")).expect("a copy");
    files::write(tree.join("src/chain.rs"), "mod a;\n", 0o644).expect("a file");
    check_at(&tree, &drawn, "a");
    check(&drawn, "a b");
}

#[test]
fn a_submodule() {
    let (drawn, outer) = (drawn(), tempfile::tempdir().expect("a directory"));
    let run = |args: &[&str]| {
        git(outer.path()).args(["-c", "protocol.file.allow=always"]).args(args).read().expect("git works")
    };
    run(&["init", "--quiet"]);
    run(&["submodule", "--quiet", "add", drawn.top().to_str().expect("text"), "fleet"]);
    let fleet = outer.path().join("fleet");
    for file in ["src/chain.rs", "src/roles.rs"] {
        files::copy(drawn.top().join(file), fleet.join(file)).expect("a copy");
    }
    check_at(&fleet, &drawn, "a b");
}

#[test]
fn a_crate_deep_in_a_repository_with_odd_names() {
    let place = "Our servers/fleet *[a]/migrations";
    let repository = Repository::build(&Drawing::parse("c1 - *a - *b"), place);
    repository.write_mods(&["a", "b"]);
    let odd = <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(b"other-\xff\nname".to_vec());
    files::write(repository.top().join(odd), "x", 0o644).expect("a file");
    repository.git(&["add", "."]);
    repository.git(&["commit", "--quiet", "--message", "odd"]);
    check(&repository, "a b");
}

#[test]
fn a_path_with_a_line_break_is_refused() {
    let repository = drawn();
    moved(&repository, "", "our\nfleet");
    let (text, _) = refused(&repository.top().join("our\nfleet"));
    assert!(text.contains("there is a line break in its path"), "{text}");
    let (drawn, dir) = (drawn(), tempfile::tempdir().expect("a directory"));
    let top = dir.path().join("two\nlines");
    files::rename(drawn.top(), &top).expect("a move");
    let (text, _) = refused(&top);
    assert!(text.contains("there is a line break in its path"), "{text}");
}

#[test]
fn another_chain_in_the_repository_is_another_chain() {
    let repository = drawn();
    let other = repository.top().join("other/src/chain");
    files::create_dir(&other).expect("a directory");
    files::write(other.join("a.rs"), migration("a", "web", 7), 0o644).expect("a file");
    repository.git(&["add", "."]);
    repository.git(&["commit", "--quiet", "--message", "another"]);
    check(&repository, "a b");
}

#[test]
fn no_commit_yet() {
    let dir = tempfile::tempdir().expect("a directory");
    git(dir.path()).args(["init", "--quiet"]).read().expect("a repository");
    files::create_dir(dir.path().join("src/chain")).expect("a directory");
    files::copy(drawn().top().join("src/roles.rs"), dir.path().join("src/roles.rs")).expect("a copy");
    files::write(dir.path().join("src/chain.rs"), "mod a;\n", 0o644).expect("a file");
    files::write(dir.path().join("src/chain/a.rs"), migration("a", "web", 0), 0o644).expect("a file");
    check_at(dir.path(), &drawn(), "a (draft)");
}

#[test]
fn refs_in_the_reftable_format() {
    let (_dir, top) = imported(&["--ref-format=reftable"]);
    let resolved = resolve(&top).expect("a crate");
    assert_eq!((resolved.links.len(), resolved.mistakes), (2, vec![]));
}

#[test]
fn ids_that_are_sha256() {
    let (_dir, top) = imported(&["--object-format=sha256"]);
    let (text, help) = refused(&top);
    assert_eq!(text, "the git repository can't be read: its ids are sha256, and a link is known by a sha1");
    assert!(help.contains("git init --object-format=sha1"), "{help}");
}

#[test]
fn a_broken_head() {
    let repository = drawn();
    files::write(repository.top().join(".git/HEAD"), "nonsense", 0o644).expect("a file");
    let (text, help) = refused(repository.top());
    assert!(text.starts_with("the git repository can't be read: not a git repository"), "{text}");
    assert!(help.contains("`git fsck`"), "{help}");
    files::write(repository.top().join(".git/HEAD"), "ref: refs/heads/main\n", 0o644).expect("a file");
    files::write(repository.top().join(".git/refs/heads/main"), "1".repeat(40) + "\n", 0o644).expect("a file");
    refused(repository.top());
}

#[test]
fn a_bare_repository_has_no_work_tree() {
    let dir = tempfile::tempdir().expect("a directory");
    git(dir.path()).args(["init", "--quiet", "--bare"]).read().expect("a repository");
    assert_eq!(resolve(dir.path()).expect("a directory").mistakes, []);
}

/// Runs this test again by itself with these variables, and has it look at `crate_dir`.
fn elsewhere(test: &str, crate_dir: &Path, variables: &[(&str, &str)]) {
    let this = environment::current_exe().expect("this program");
    let command = Command::new(this).args(["--exact", test, "--nocapture"]).env("WB_CRATE_DIR", crate_dir);
    let command = variables.iter().fold(command, |command, (name, value)| command.env(name, value));
    let said = command.read().expect("the test in another process");
    // Under a name that is none, no test would fail.
    assert!(said.contains("test result: ok. 1 passed"), "{said}");
}

#[test]
fn no_git_on_this_machine() {
    if let Some(dir) = environment::var("WB_CRATE_DIR").map(PathBuf::from) {
        let (text, help) = refused(&dir);
        assert_eq!(text, "the git repository can't be read: the program `git` is not installed");
        assert!(help.starts_with("install git"), "{help}");
        files::remove_tree(dir.join(".git")).expect("no repository");
        assert_eq!(resolve(&dir).expect("a crate").mistakes, Vec::new(), "without a repository the pins are the chain");
        return;
    }
    let drawn = drawn();
    let lock = Lock::default().pinning(&resolve(drawn.top()).expect("a crate").links).to_string();
    drawn.write("chain.lock", &lock);
    elsewhere("repositories::no_git_on_this_machine", drawn.top(), &[("PATH", "/nowhere")]);
}

#[test]
fn the_repository_of_another_user() {
    if let Some(dir) = environment::var("WB_CRATE_DIR").map(PathBuf::from) {
        let (text, help) = refused(&dir);
        assert!(text.contains("dubious ownership"), "{text}");
        assert!(help.contains(&format!("`git config --global --add safe.directory {}`", dir.display())), "{help}");
        return;
    }
    let (drawn, home) = (drawn(), tempfile::tempdir().expect("a directory"));
    let home = home.path().to_str().expect("text");
    // Git's own way to test this.
    let variables = [("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1"), ("HOME", home), ("XDG_CONFIG_HOME", home)];
    elsewhere("repositories::the_repository_of_another_user", drawn.top(), &variables);
}

#[test]
fn a_configuration_that_changes_what_git_says() {
    let repository = drawn();
    for (key, value) in [
        ("log.showSignature", "true"),
        ("log.follow", "true"),
        ("log.showRoot", "false"),
        ("log.diffMerges", "off"),
        ("diff.renames", "copies"),
        ("diff.noprefix", "true"),
        ("diff.relative", "true"),
        ("color.ui", "always"),
        ("log.decorate", "full"),
        ("format.pretty", "oneline"),
        ("core.quotePath", "true"),
        ("i18n.logOutputEncoding", "UTF-16"),
    ] {
        repository.git(&["config", key, value]);
    }
    repository.git(&["replace", "--graft", "HEAD"]);
    check(&repository, "a b");
}

fn moved(repository: &Repository, from: &str, to: &str) {
    let to = repository.top().join(to);
    files::create_dir(&to).expect("a directory");
    let from = repository.top().join(from);
    for name in ["src", "chain.lock"].iter().filter(|name| files::exists(from.join(name))) {
        files::rename(from.join(name), to.join(name)).expect("a move");
    }
    committed(repository, "move");
}

fn committed(repository: &Repository, message: &str) {
    repository.git(&["add", "--all"]);
    repository.git(&["commit", "--quiet", "--message", message]);
}

#[test]
fn a_crate_that_moved_without_a_lock() {
    let repository = drawn();
    moved(&repository, "", "fleet");
    check_at(&repository.top().join("fleet"), &repository, "a b");
}

#[test]
fn a_crate_that_moved_twice_and_came_back() {
    let repository = drawn();
    moved(&repository, "", "one");
    moved(&repository, "one", "two/three");
    check_at(&repository.top().join("two/three"), &repository, "a b");
    moved(&repository, "two/three", "");
    check(&repository, "a b");
}

#[test]
fn a_crate_that_moved_goes_on() {
    let repository = drawn();
    moved(&repository, "", "fleet");
    let fleet = repository.top().join("fleet");
    files::write(fleet.join("src/chain/d.rs"), migration("d", "web", 0), 0o644).expect("a file");
    files::write(fleet.join("src/chain.rs"), "mod a;\nmod b;\nmod d;\n", 0o644).expect("a file");
    check_at(&fleet, &repository, "a b d (draft)");
    committed(&repository, "d");
    let head: Sha1 = repository.git(&["rev-parse", "HEAD"]).parse().expect("a sha1");
    let resolved = resolve(&fleet).expect("a crate");
    assert_eq!(names(&resolved, |name| if name == "d" { head } else { repository.sha1(name) }), "a b d");
}

#[test]
fn a_moved_link_is_compared_with_what_landed() {
    let repository = drawn();
    moved(&repository, "", "fleet");
    let fleet = repository.top().join("fleet");
    files::write(fleet.join("src/chain/a.rs"), migration("a", "web", 3), 0o644).expect("a file");
    let mistake = resolve(&fleet).expect("a crate").mistakes.remove(0);
    assert!(mistake.to_string().contains("was edited after it landed"), "{mistake}");
    let (moved, help) = (repository.git(&["rev-parse", "HEAD"]), mistake.help());
    let command = help.split('`').nth(1).expect("a command");
    assert_eq!(
        command,
        format!("git checkout {} -- :/fleet/src/chain/a.rs", &moved[..7]),
        "where the file lay by then"
    );
    repository.git(&command.split(' ').skip(1).collect::<Vec<_>>());
    check_at(&fleet, &repository, "a b");
}

#[test]
fn two_crates_that_moved_at_once() {
    let repository = drawn();
    let other = repository.top().join("other/src/chain");
    files::create_dir(&other).expect("a directory");
    files::write(other.join("a.rs"), migration("a", "web", 7), 0o644).expect("a file");
    committed(&repository, "another");
    files::create_dir(repository.top().join("moved")).expect("a directory");
    files::rename(repository.top().join("other"), repository.top().join("moved/other")).expect("a move");
    moved(&repository, "", "moved/fleet");
    check_at(&repository.top().join("moved/fleet"), &repository, "a b");
}

#[test]
fn a_file_that_moved_to_another_chain_is_no_move_of_the_crate() {
    let repository = Repository::drawn("c1 - *a - *b - *c");
    let other = repository.top().join("other");
    files::create_dir(other.join("src/chain")).expect("a directory");
    repository.write_mods(&["a", "b"]);
    for file in ["src/chain.rs", "src/roles.rs"] {
        files::copy(repository.top().join(file), other.join(file)).expect("a copy");
    }
    repository.git(&["mv", "src/chain/c.rs", "other/src/chain/c.rs"]);
    files::write(other.join("src/chain.rs"), "mod c;\n", 0o644).expect("a file");
    committed(&repository, "another begins");
    let head: Sha1 = repository.git(&["rev-parse", "HEAD"]).parse().expect("a sha1");
    assert_eq!(names(&resolve(&other).expect("a crate"), |_| head), "c");
}

#[test]
fn a_copy_is_no_move() {
    let repository = drawn();
    let fleet = repository.top().join("fleet");
    files::create_dir(fleet.join("src/chain")).expect("a directory");
    for file in ["src/chain.rs", "src/roles.rs", "src/chain/a.rs", "src/chain/b.rs"] {
        files::copy(repository.top().join(file), fleet.join(file)).expect("a copy");
    }
    committed(&repository, "copy");
    let resolved = resolve(&fleet).expect("a crate");
    assert!(matches!(resolved.mistakes.as_slice(), [Mistake::SharedCommit { .. }]), "{:?}", resolved.mistakes);
}

#[test]
fn what_landed_is_told_of_pinned_links_too_where_somebody_asks() {
    let repository = drawn();
    repository.write("assets/a.conf", "one");
    let with_asset = migration("d", "web", 0).replace("(host, 0)", "(host, asset!(\"a.conf\"))");
    repository.write("src/chain/d.rs", &with_asset);
    repository.write_mods(&["a", "b", "d"]);
    committed(&repository, "d");
    let lock = Lock::default().pinning(&resolve(repository.top()).expect("a crate").links);
    repository.write("chain.lock", &lock.to_string());
    repository.write("assets/a.conf", "two");
    let landed = |resolved: &Resolved| {
        resolved.landed.iter().filter_map(|(name, landed)| Some((name.clone(), landed.digest?))).collect::<Vec<_>>()
    };
    let all = landed(&resolve_strictly(repository.top()).expect("a crate"));
    let pinned: Vec<_> = lock.pins.iter().map(|pin| (pin.name.clone(), pin.digest)).collect();
    assert_eq!(all, pinned);
    assert_eq!(landed(&resolve(repository.top()).expect("a crate")), pinned[2..], "only what is in doubt");
}

#[test]
fn pins_that_were_swapped_and_put_back_hold_again() {
    let repository = drawn();
    let lock = Lock::default().pinning(&resolve(repository.top()).expect("a crate").links);
    let fleet = repository.top().join("fleet");
    files::create_dir(fleet.join("src/chain")).expect("a directory");
    for file in ["src/chain.rs", "src/roles.rs", "src/chain/a.rs", "src/chain/b.rs"] {
        files::copy(repository.top().join(file), fleet.join(file)).expect("a copy");
    }
    committed(&repository, "copy");
    repository.git(&["rm", "--quiet", "-r", "src"]);
    committed(&repository, "remove what was copied");
    let mut swapped = lock.clone();
    (swapped.pins[0].sha1, swapped.pins[1].sha1) = (lock.pins[1].sha1, lock.pins[0].sha1);
    let verdict = |lock: &Lock| {
        files::write(fleet.join("chain.lock"), lock.to_string(), 0o644).expect("a lock");
        resolve(&fleet).expect("a crate").mistakes
    };
    let disagree = verdict(&swapped);
    assert!(disagree.iter().any(|mistake| matches!(mistake, Mistake::PinDisagrees { .. })), "{disagree:?}");
    assert_eq!(verdict(&lock), [], "as they were");
}

#[test]
fn a_link_that_is_gone_stays_one_whatever_else_had_its_name() {
    let repository = drawn();
    for text in [&migration("d", "web", 0), "// Words only.\n"] {
        repository.write("src/chain/d.rs", text);
        committed(&repository, "d");
        repository.git(&["rm", "--quiet", "src/chain/d.rs"]);
        committed(&repository, "no d");
        let mistakes = resolve(repository.top()).expect("a crate").mistakes;
        assert!(matches!(mistakes.as_slice(), [Mistake::Deleted { link, .. }] if link.name == "d"), "{mistakes:?}");
    }
}

#[test]
fn a_file_that_was_none_before_becomes_a_link_with_its_migration() {
    let repository = drawn();
    repository.write("src/chain/d.rs", "pub fn help() {}\n");
    committed(&repository, "d helps");
    repository.git(&["rm", "--quiet", "src/chain/d.rs"]);
    committed(&repository, "no d");
    check(&repository, "a b");
    repository.write("src/chain/d.rs", &migration("d", "web", 0));
    repository.write_mods(&["a", "b", "d"]);
    committed(&repository, "d");
    let head: Sha1 = repository.git(&["rev-parse", "HEAD"]).parse().expect("a sha1");
    let resolved = resolve(repository.top()).expect("a crate");
    assert_eq!(names(&resolved, |name| if name == "d" { head } else { repository.sha1(name) }), "a b d");
}

#[test]
fn an_asset_under_a_filter_is_compared_as_it_is_checked_out() {
    let repository = drawn();
    repository.git(&["config", "filter.loud.smudge", "tr a-z A-Z"]);
    repository.git(&["config", "filter.loud.clean", "tr A-Z a-z"]);
    files::write(repository.top().join(".gitattributes"), "assets/* filter=loud\n", 0o644).expect("a file");
    repository.write("assets/a.conf", "ONE");
    let with_asset = migration("d", "web", 0).replace("(host, 0)", "(host, asset!(\"a.conf\"))");
    repository.write("src/chain/d.rs", &with_asset);
    repository.write_mods(&["a", "b", "d"]);
    committed(&repository, "d");
    assert_eq!(resolve(repository.top()).expect("a crate").mistakes, []);
    repository.write("assets/a.conf", "TWO");
    let mistakes = resolve(repository.top()).expect("a crate").mistakes;
    assert!(matches!(mistakes.as_slice(), [Mistake::Edited { .. }]), "{mistakes:?}");
}

#[test]
fn a_broken_memory_is_forgotten() {
    let repository = drawn();
    check(&repository, "a b");
    let kept = || files::list(repository.top().join(".git/wildebeest")).expect("what was kept");
    assert_eq!(kept().len(), 2);
    for path in kept() {
        let text = files::read(&path).expect("a file");
        files::write(&path, &text[..text.len() / 2], 0o644).expect("a file");
    }
    check(&repository, "a b");
}

#[test]
fn what_was_kept_serves_a_history_that_goes_on_and_no_other() {
    let repository = drawn();
    check(&repository, "a b");
    repository.write("src/chain/d.rs", &migration("d", "web", 0));
    repository.write_mods(&["a", "b", "d"]);
    committed(&repository, "d");
    let sha1_of_head = || repository.git(&["rev-parse", "HEAD"]).parse::<Sha1>().expect("a sha1");
    let verdict = |d: Sha1| {
        names(&resolve(repository.top()).expect("a crate"), |name| if name == "d" { d } else { repository.sha1(name) })
    };
    assert_eq!(verdict(sha1_of_head()), "a b d");
    repository.git(&["commit", "--quiet", "--amend", "--message", "d, again"]);
    assert_eq!(verdict(sha1_of_head()), "a b d");
    let d = sha1_of_head();
    repository.git(&["reset", "--quiet", "--soft", "HEAD~1"]);
    assert_eq!(verdict(d), "a b d (draft)");
    repository.git(&["commit", "--quiet", "--message", "d, once more"]);
    repository.git(&["checkout", "--quiet", "-b", "side", "HEAD~2"]);
    repository.git(&["checkout", "--quiet", "main"]);
    assert_eq!(verdict(sha1_of_head()), "a b d");
    let d = sha1_of_head();
    repository.git(&["merge", "--quiet", "--no-ff", "--strategy=ours", "side", "--message", "merge"]);
    assert_eq!(verdict(d), "a b d");
}
