//! A remote that somebody has who means no good: what a host does about what it finds there.

use wb_core::Uuid;
use wb_core::change::Manifest;
use wb_core::context::{MaxOut, Migration, Role};
use wb_core::pool::{Claim, Pool};
use wb_core::registry::{Mirror, ObjectError, Objects, RefName, RefUpdate};
use wb_core::runner::Catalog;
use wb_core::system::{Command, files};
use wb_tests::herd::TestHerd;
use wb_tests::links::{migration, write};

static WEB: Role = Role {
    name: "web",
    max_out: MaxOut::Hosts(1),
    leave: |context| write(context, "leave"),
    rejoin: |context| match context.system().read_file("/stuck")? {
        Some(_) => anyhow::bail!("stuck"),
        None => write(context, "rejoin"),
    },
    ..Role::PLAIN
};
static FIRST: Migration =
    migration("first", "web", 0, "1111111111111111111111111111111111111111", |context| write(context, "first"));
static SECOND: Migration =
    migration("second", "web", 1, "2222222222222222222222222222222222222222", |context| write(context, "second"));

fn catalog(links: &[&'static Migration]) -> Catalog {
    Catalog::new(links.iter().copied(), [&WEB], []).unwrap()
}

/// A herd of `web1`, in service at `first`.
fn herd() -> TestHerd {
    let herd = TestHerd::new();
    herd.add(&[("web1", &["web"])]);
    herd.deploy(&catalog(&[&FIRST]));
    herd.settle(&["web1"], &catalog(&[&FIRST]), 20);
    assert_eq!(herd.written("web1"), "first rejoin");
    herd
}

fn git(herd: &TestHerd, args: &[&str]) -> String {
    Command::new("git").arg("-C").arg(herd.remote()).args(args).read().unwrap()
}

/// Every name that a ref can have stands for a role, for whoever can push.
#[test]
fn a_pool_of_a_role_that_nobody_knows_moves_no_host() {
    let herd = herd();
    let uuid = herd.home("web1").read_config().unwrap().uuid;
    let claim = Claim { host: "web1".into(), uuid, nonce: Uuid::new_v4(), since: 0 };
    let pool = Pool { holders: vec![claim], ..Pool::default() };
    let new = herd.operator().write_pool("other", &pool, "x", std::time::Duration::ZERO).unwrap();
    let update = |role: &str| RefUpdate { name: RefName::Out(role.into()), expected: None, new: Some(new) };
    herd.operator().push(&[update("other")]).unwrap();
    herd.settle(&["web1"], &catalog(&[&FIRST]), 9);
    assert_eq!(herd.written("web1"), "first rejoin");
    git(&herd, &["update-ref", "-d", "refs/wildebeest/out/web"]);
    herd.operator().fetch(&["refs/wildebeest/".into()]).unwrap();
    herd.operator().push(&[update("web")]).unwrap();
    herd.settle(&["web1"], &catalog(&[&FIRST]), 9);
    assert_eq!(herd.written("web1"), "first rejoin rejoin", "a role's own pool is believed");
}

#[test]
fn who_needs_a_place_in_a_pool_that_is_none_stops_and_says_so() {
    let (herd, both) = (herd(), catalog(&[&FIRST, &SECOND]));
    let settled = |expect: &str| {
        herd.settle(&["web1"], &both, 9);
        let said = herd.said(&["web1"]).remove(0);
        assert!(said.starts_with(expect), "{said}");
        said
    };
    let (blob, pool) = (git(&herd, &["hash-object", "-w", "HEAD"]), "refs/wildebeest/out/web");
    let changes = git(&herd, &["rev-parse", "refs/wildebeest/changes"]);
    git(&herd, &["update-ref", pool, changes.trim()]);
    settled("web1 up to date");
    herd.deploy(&both);
    let said = settled("web1 stopped: the pool of web can't be read: `message` in the commit ");
    assert!(said.ends_with(" is no pool; hint: an operator mends it: `cargo xtask status` says how"), "{said}");
    git(&herd, &["update-ref", pool, blob.trim()]);
    let said = settled("web1 stopped: the pool of web can't be read: the commit ");
    assert!(said.contains(" is none, but another object; hint: "), "{said}");
    git(&herd, &["update-ref", "-d", pool]);
    settled("web1 up to date");
    assert_eq!((herd.written("web1"), herd.out("web").len()), ("first rejoin leave second rejoin".to_owned(), 0));
}

#[test]
fn who_comes_back_into_load_and_finds_no_pool_gives_its_place_back_once_there_is_one() {
    let (herd, both) = (herd(), catalog(&[&FIRST, &SECOND]));
    let stuck = herd.root("web1").join("stuck");
    files::write(&stuck, "", 0o644).unwrap();
    herd.deploy(&both);
    herd.settle(&["web1"], &both, 9);
    let (pool, changes) = ("refs/wildebeest/out/web", git(&herd, &["rev-parse", "refs/wildebeest/changes"]));
    git(&herd, &["update-ref", pool, changes.trim()]);
    files::remove(&stuck).unwrap();
    let errors: Vec<String> =
        (0..9).filter_map(|_| herd.tick("web1", &both).err()).map(|error| error.to_string()).collect();
    assert_eq!(errors.last().map(String::as_str), Some("the pool of web can't be read"));
    assert_eq!(herd.written("web1"), "first rejoin leave second rejoin");
    git(&herd, &["update-ref", "-d", pool]);
    herd.settle(&["web1"], &both, 9);
    assert_eq!((herd.said(&["web1"]), herd.out("web").len()), (vec!["web1 up to date".to_owned()], 0));
}

/// A file system has no file that is a directory too, so that no repository can have both of these refs; a server can.
#[test]
fn refs_that_no_repository_can_have_keep_nobody_out_of_load() {
    let (herd, both) = (herd(), catalog(&[&FIRST, &SECOND]));
    let stuck = herd.root("web1").join("stuck");
    files::write(&stuck, "", 0o644).unwrap();
    herd.deploy(&both);
    herd.settle(&["web1"], &both, 9);
    assert_eq!(herd.said(&["web1"]), ["web1 can't rejoin: rejoin of role web: stuck"]);
    git(&herd, &["pack-refs", "--all"]);
    let packed = herd.remote().join("packed-refs");
    let lines = files::read_text(&packed).unwrap();
    let line = lines.lines().find(|line| line.ends_with(" refs/wildebeest/changes")).unwrap();
    files::write(&packed, lines.replace(line, &format!("{line}\n{line}/x")), 0o644).unwrap();
    files::remove(&stuck).unwrap();
    let looked = herd.with_agent("web1", &both, |agent| agent.has_news()).unwrap_err();
    assert!(looked.to_string().starts_with("could not reach the remote "), "{looked}");
    drop(herd.tick("web1", &both));
    assert_eq!(herd.written("web1"), "first rejoin leave second rejoin");
    files::write(&packed, lines, 0o644).unwrap();
    herd.settle(&["web1"], &both, 9);
    assert_eq!((herd.said(&["web1"]), herd.out("web").len()), (vec!["web1 up to date".to_owned()], 0));
}

#[test]
fn a_copy_that_is_made_anew_keeps_what_was_accepted() {
    let herd = herd();
    let accepted = herd.record("web1").accepted.unwrap();
    files::write(herd.home("web1").state().join("herd.git/refs/seen/changes.lock"), "", 0o644).unwrap();
    git(&herd, &["update-ref", "-d", "refs/wildebeest/changes"]);
    drop(herd.tick("web1", &catalog(&[&FIRST])));
    assert!(files::exists(herd.home("web1").state().join("herd.broken")), "it was not made anew");
    let known = herd.with_agent("web1", &catalog(&[&FIRST]), |agent| agent.change().map(|change| change.sha1));
    assert_eq!(known, Some(accepted));
}

/// An object says of itself how large it is, and a small pack may hold a very large one.
#[test]
fn what_is_too_large_is_not_read() {
    let herd = herd();
    let objects = Objects::open(&herd.remote()).unwrap();
    let check = |size: usize, expect: &str| {
        let blob = Command::new("git").arg("-C").arg(herd.remote()).args(["hash-object", "-w", "--stdin"]);
        let blob = blob.stdin(vec![b' '; size]).read().unwrap();
        let tree = Command::new("git").arg("-C").arg(herd.remote()).arg("mktree");
        let tree = tree.stdin(format!("100644 blob {blob}\tmanifest.json\n")).read().unwrap();
        let commit = git(&herd, &["-c", "user.name=x", "-c", "user.email=x@x", "commit-tree", "-m", "x", &tree]);
        let commit = objects.read(commit.parse().unwrap()).unwrap();
        let said = match objects.text(&commit, "manifest.json") {
            Ok(text) => text.unwrap_or_default().len().to_string(),
            Err(ObjectError::File { what, .. }) => what.to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(said, expect);
    };
    check(Manifest::LARGEST, "8388608");
    check(Manifest::LARGEST + 1, "is too large");
}
