//! With real git, and real repositories in a directory of their own.

use std::rc::Rc;

use wb_core::context::{Context, HerdView, MemoryJournal, Mode};
use wb_core::system::{command, files};

use super::*;

struct Yard {
    dir: tempfile::TempDir,
    system: System,
}

impl Yard {
    /// A repository `shop` with a commit `v1`, which is a tag, and a newer one on `main`.
    fn new() -> Self {
        let system = System::new("/", command::Real, wb_core::system::clock::Stepping::default());
        let yard = Self { dir: tempfile::tempdir().unwrap(), system };
        files::create_dir(yard.path("shop")).unwrap();
        yard.git("init --quiet --initial-branch=main");
        yard.commit("one");
        yard.git("tag -a -m first v1");
        yard.commit("two");
        yard
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn url(&self) -> String {
        self.path("shop").display().to_string()
    }

    fn git(&self, line: &str) -> String {
        self.git_in("shop", line)
    }

    fn git_in(&self, name: &str, line: &str) -> String {
        let who = ["-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "commit.gpgsign=false"];
        let files = ["-c", "protocol.file.allow=always"];
        let git = wb_core::system::Command::new("git").args(who).args(files).args(line.split(' '));
        git.dir(self.path(name)).read().unwrap()
    }

    /// Gives the repository a submodule `lib`, whose file `f` says `1` in a commit `v3`, and `2` in the newest.
    fn add_submodule(&self) {
        files::create_dir(self.path("lib")).unwrap();
        self.git_in("lib", "init --quiet --initial-branch=main");
        for text in ["1", "2"] {
            files::write(self.path("lib/f"), text, 0o644).unwrap();
            self.git_in("lib", "add f");
            self.git_in("lib", "commit --quiet -m f");
        }
        self.git(&format!("submodule --quiet add {} lib", self.path("lib").display()));
        self.git_in("shop/lib", "checkout --quiet HEAD~1");
        self.git("commit --quiet -a -m old");
        self.git("tag v3");
        self.git_in("shop/lib", "checkout --quiet main");
        self.git("commit --quiet -a -m new");
    }

    fn commit(&self, text: &str) {
        files::write(self.path("shop/page"), text, 0o644).unwrap();
        self.git("add page");
        self.git("commit --quiet -m page");
    }

    fn id(&self, name: &str) -> String {
        self.git(&format!("rev-parse {name}^{{commit}}"))
    }

    fn run<T>(&self, mode: Mode, act: impl FnOnce(&Host) -> Result<T, GitError>) -> Result<(T, String), GitError> {
        let herd = HerdView::default();
        let context = Context::new(&self.system, mode, &herd, Rc::new(MemoryJournal::default()));
        let result = act(&Host::new(&context))?;
        let said = context.operations().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        Ok((result, said))
    }

    fn at(&self, wanted: &str) -> Result<Outcome, GitError> {
        self.run(Mode::Apply, |host| host.git(&self.url()).at(wanted).to(self.path("app")).present())
            .map(|(found, _)| found)
    }

    fn plan(&self, wanted: &str) -> Result<String, GitError> {
        let planned = self.run(Mode::Plan, |host| host.git(&self.url()).at(wanted).to(self.path("app")).present());
        planned.map(|(_, said)| said)
    }

    fn group(&self) -> u32 {
        files::stat(self.dir.path()).unwrap().unwrap().gid
    }

    fn page(&self) -> String {
        files::read_text(self.path("app/page")).unwrap()
    }
}

#[test]
fn a_commit_a_tag_and_a_branch_are_checked_out() {
    let yard = Yard::new();
    let (first, second) = (yard.id("v1"), yard.id("main"));
    assert!(yard.at("v1").unwrap().changed());
    assert_eq!(yard.page(), "one");
    assert_eq!(yard.at("v1").unwrap(), Outcome::Unchanged);
    assert_eq!(yard.at(&first).unwrap(), Outcome::Unchanged);
    let expect = format!("{} -> {}", &first[..12], &second[..12]);
    assert_eq!(yard.at("main").unwrap(), Outcome::Changed { diff: Some(expect) });
    assert_eq!((yard.page().as_str(), files::list(yard.dir.path()).unwrap().len()), ("two", 2));
    yard.at(&first).unwrap();
    assert_eq!(yard.page(), "one");
}

#[test]
fn a_branch_that_moved_on_is_followed() {
    let yard = Yard::new();
    yard.at("main").unwrap();
    yard.commit("three");
    assert!(yard.at("main").unwrap().changed());
    assert_eq!(yard.page(), "three");
}

#[test]
fn a_plan_clones_nothing() {
    let yard = Yard::new();
    let said = yard.plan("v1").unwrap();
    assert!(said.ends_with(&format!("new, at {}", &yard.id("v1")[..12])), "{said}");
    assert_eq!(files::list(yard.dir.path()).unwrap().len(), 1);
    yard.at("v1").unwrap();
    let before = files::stat(yard.path("app/.git/index")).unwrap();
    assert!(yard.plan("main").unwrap().starts_with("+ git "));
    assert_eq!((files::stat(yard.path("app/.git/index")).unwrap(), yard.page()), (before, "one".into()));
}

#[test]
fn a_full_id_that_is_checked_out_needs_no_remote() {
    let yard = Yard::new();
    let id = yard.id("v1");
    yard.at("v1").unwrap();
    files::rename(yard.path("shop"), yard.path("away")).unwrap();
    assert_eq!(yard.at(&id).unwrap(), Outcome::Unchanged);
    assert!(matches!(yard.at("v1").unwrap_err(), GitError::Git { action: "ask", .. }));
    assert!(yard.plan("v1").unwrap().starts_with("? git "));
}

#[test]
fn a_commit_on_no_branch_is_fetched_by_its_id() {
    let yard = Yard::new();
    let id = yard.id("main");
    yard.git("update-ref refs/kept/a main");
    yard.git("reset --quiet --hard v1");
    assert!(yard.at(&id).unwrap().changed());
    assert_eq!(yard.page(), "two");
}

#[test]
fn what_is_not_there_is_named() {
    let yard = Yard::new();
    let error = |wanted: &str| yard.at(wanted).unwrap_err().to_string();
    assert_eq!(error("v2"), format!("{} has neither a tag nor a branch `v2`", yard.url()));
    let none = "0123456789012345678901234567890123456789";
    assert_eq!(error(none), format!("{} has no commit {none}", yard.url()));
    assert!(error("0123456").contains("\nhint: give all 40 digits"));
    for bad in ["", "-x", "a b", "a..b", "HEAD~1", "a\nb"] {
        assert!(matches!(yard.at(bad).unwrap_err(), GitError::BadRevision { .. }), "{bad}");
    }
    assert!(!yard.path("app").exists());
    yard.git("branch v1 main");
    assert!(matches!(yard.at("v1").unwrap_err(), GitError::Ambiguous { .. }));
}

#[test]
fn changes_of_somebody_stay_unless_they_are_discarded() {
    let yard = Yard::new();
    yard.at("v1").unwrap();
    files::write(yard.path("app/page"), "changed", 0o644).unwrap();
    files::write(yard.path("app/upload"), "kept", 0o644).unwrap();
    for wanted in ["v1", "main"] {
        let error = yard.at(wanted).unwrap_err().to_string();
        let expect = format!("somebody changed files in {}: page\nhint: ", yard.path("app").display());
        assert!(error.starts_with(&expect), "{error}");
        assert!(yard.plan(wanted).is_err());
    }
    assert_eq!(yard.page(), "changed");
    let discard = || {
        let git = |host: &Host| host.git(&yard.url()).at("main").to(yard.path("app")).discarding_changes().present();
        yard.run(Mode::Apply, git).unwrap().0
    };
    let Outcome::Changed { diff: Some(diff) } = discard() else { panic!("nothing changed") };
    assert!(diff.ends_with("\nthrows away changes in page"), "{diff}");
    assert_eq!((yard.page().as_str(), files::read_text(yard.path("app/upload")).unwrap().as_str()), ("two", "kept"));
    assert_eq!(discard(), Outcome::Unchanged);
}

#[test]
fn a_submodule_is_as_wanted_where_it_is_asked_for_and_left_alone_elsewhere() {
    let yard = Yard::new();
    yard.add_submodule();
    fn git<'a>(yard: &Yard, host: &Host<'a>, wanted: &str) -> Checkout<'a> {
        host.git(&yard.url()).at(wanted).to(yard.path("app")).with_submodules()
    }
    let asked =
        |mode, wanted: &str| yard.run(mode, |host| git(&yard, host, wanted).present()).map(|(outcome, _)| outcome);
    let f = || files::read_text(yard.path("app/lib/f")).unwrap();
    let elsewhere = Outcome::Changed { diff: Some("submodules at other commits: lib".into()) };
    yard.at("v3").unwrap();
    assert_eq!(yard.at("v3").unwrap(), Outcome::Unchanged);
    assert_eq!(asked(Mode::Plan, "v3").unwrap(), elsewhere);
    // Git clones none by a path unless somebody allows that.
    yard.git_in("app", "submodule --quiet update --init");
    assert_eq!((asked(Mode::Apply, "v3").unwrap(), f().as_str()), (Outcome::Unchanged, "1"));
    yard.at("main").unwrap();
    assert_eq!((yard.at("main").unwrap(), f().as_str()), (Outcome::Unchanged, "1"));
    assert_eq!(asked(Mode::Apply, "main").unwrap(), elsewhere);
    assert_eq!((asked(Mode::Apply, "main").unwrap(), f().as_str()), (Outcome::Unchanged, "2"));
    files::write(yard.path("app/lib/f"), "mine", 0o644).unwrap();
    let Err(GitError::Changed { files, .. }) = asked(Mode::Apply, "main") else { panic!("changes are thrown away") };
    assert_eq!(files, ["lib/f"]);
    yard.run(Mode::Apply, |host| git(&yard, host, "main").discarding_changes().present()).unwrap();
    assert_eq!((asked(Mode::Apply, "main").unwrap(), f().as_str()), (Outcome::Unchanged, "2"));
}

#[test]
fn a_checkout_that_was_cut_short_is_ended() {
    let yard = Yard::new();
    yard.at("v1").unwrap();
    // As a kill leaves it: the intent, a lock, and a file that is of neither commit.
    files::write(yard.path("app/.git/wildebeest-checkout"), yard.id("main"), 0o644).unwrap();
    files::write(yard.path("app/.git/index.lock"), "", 0o644).unwrap();
    files::write(yard.path("app/page"), "tw", 0o644).unwrap();
    assert!(yard.at("main").unwrap().changed());
    assert_eq!(yard.page(), "two");
    assert_eq!(yard.at("main").unwrap(), Outcome::Unchanged);
}

#[test]
fn a_clone_that_was_cut_short_begins_anew() {
    let yard = Yard::new();
    files::create_dir(yard.path(".app.cloning/.git")).unwrap();
    yard.at("v1").unwrap();
    assert_eq!((yard.page().as_str(), files::list(yard.dir.path()).unwrap().len()), ("one", 2));
}

#[test]
fn the_remote_may_move() {
    let yard = Yard::new();
    yard.at("v1").unwrap();
    files::rename(yard.path("shop"), yard.path("moved")).unwrap();
    let url = yard.path("moved").display().to_string();
    let moved = |mode| yard.run(mode, |host| host.git(&url).at("v1").to(yard.path("app")).present()).unwrap().0;
    let expect = Outcome::Changed { diff: Some(format!("remote {} -> {url}", yard.url())) };
    assert_eq!(
        (moved(Mode::Plan), moved(Mode::Apply), moved(Mode::Apply)),
        (expect.clone(), expect, Outcome::Unchanged)
    );
}

#[test]
fn what_is_in_the_way_stays() {
    let yard = Yard::new();
    files::create_dir(yard.path("app")).unwrap();
    files::write(yard.path("app/kept"), "kept", 0o644).unwrap();
    assert!(matches!(yard.at("v1").unwrap_err(), GitError::NoClone { .. }));
    files::remove(yard.path("app/kept")).unwrap();
    assert!(yard.at("v1").unwrap().changed());
    let file = yard.run(Mode::Apply, |host| host.git(&yard.url()).at("v1").to(yard.path("app/page")).present());
    assert!(matches!(file.unwrap_err(), GitError::File(FileError::InTheWay { .. })));
}

#[test]
fn a_prepared_directory_keeps_its_mode_and_group() {
    let yard = Yard::new();
    files::create_dir(yard.path("app")).unwrap();
    // Only root may.
    let group = files::set_owner(yard.path("app"), None, Some(7)).map_or(yard.group(), |()| 7);
    files::set_mode(yard.path("app"), 0o2750).unwrap();
    yard.at("v1").unwrap();
    let stat = files::stat(yard.path("app")).unwrap().unwrap();
    assert_eq!((stat.mode, stat.gid, yard.page().as_str()), (0o2750, group, "one"));
    assert_eq!(files::stat(yard.path("app/page")).unwrap().unwrap().gid, group);
    assert_eq!(yard.at("v1").unwrap(), Outcome::Unchanged);
}

#[test]
fn a_secret_has_no_place_in_a_url() {
    let yard = Yard::new();
    let check = |url: &str, shown: &str| {
        let error = yard.run(Mode::Plan, |host| host.git(url).at("v1").to("/x").present()).unwrap_err();
        assert!(matches!(error, GitError::BadUrl { .. }), "{url}");
        assert!(
            error.to_string().starts_with(&format!("`{shown}` is no repository that is cloned here\nhint: ")),
            "{error}"
        );
    };
    check("https://me:secret@a/b.git", "https://a/b.git");
    check("https://ghp_token@a/b.git", "https://a/b.git");
    check("HTTP://ghp_token@a", "HTTP://a");
    check("https::https://token@a/b.git", "https::https://a/b.git");
    check("ssh://me:secret@a/b.git", "ssh://a/b.git");
    check("--upload-pack=x", "--upload-pack=x");
    let fine = ["git@a:b.git", "ssh://git@a/b.git", "git+ssh://git@a/b.git", "https://a/b@c", "https://a/?b@c", "/a@b"];
    fine.iter().for_each(|url| assert!(!has_secret(url), "{url}"));
}

#[test]
fn a_clone_of_somebody_else_is_left_alone() {
    let check = |user: Option<u32>, facts: Facts, is_ours: bool| {
        let yard = Yard::new();
        let checked = yard.run(Mode::Plan, |host| {
            let checkout = host.git("/a").at("v1").to("/b");
            user.into_iter().fold(checkout, |checkout, user| checkout.user(user.to_string())).must_be_ours(&facts)
        });
        assert_eq!(checked.is_ok(), is_ours);
    };
    let clone = |owner| Facts { is_there: true, is_clone: true, owner: Some(owner), ..Facts::default() };
    check(Some(1000), clone(1000), true);
    check(Some(1000), clone(1001), false);
    check(None, clone(4_000_000_000), false);
}
