//! The git transport on real bare repositories: compare-and-swap, all or nothing, and what is no win.

use std::time::Duration;

use wb_core::Uuid;
use wb_core::chain::Sha1;
use wb_core::pool::Pool;
use wb_core::registry::{Mirror as _, Pushed, RefName, RefUpdate, Registry, RegistryError};
use wb_core::system::{Command, files};
use wb_tests::herd::registry;
use wb_tests::hook;

struct Remote {
    dir: tempfile::TempDir,
}

impl Remote {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Command::new("git").args(["init", "--quiet", "--bare"]).arg(dir.path().join("remote.git")).read().unwrap();
        Self { dir }
    }

    fn client(&self, name: &str) -> Registry {
        registry(self.dir.path(), name)
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("remote.git")
    }
}

fn pool() -> RefName {
    RefName::Out("web".into())
}

fn value(client: &Registry) -> Sha1 {
    let pool = Pool { nonce: Uuid::new_v4(), ..Pool::default() };
    client.write_pool("web", &pool, "web1", Duration::ZERO).unwrap()
}

fn push(client: &Registry, expected: Option<Sha1>, new: Sha1) -> Pushed {
    client.push(&[RefUpdate { name: pool(), expected, new: Some(new) }]).unwrap()
}

#[test]
fn of_two_who_create_a_ref_one_wins() {
    let remote = Remote::new();
    let (a, b) = (remote.client("a"), remote.client("b"));
    assert_eq!(push(&a, None, value(&a)), Pushed::Won);
    assert_eq!(push(&b, None, value(&b)), Pushed::Lost);
}

#[test]
fn of_two_who_know_the_same_value_one_wins() {
    let remote = Remote::new();
    let (a, b) = (remote.client("a"), remote.client("b"));
    let first = value(&a);
    push(&a, None, first);
    b.fetch(&[pool().to_string()]).unwrap();
    assert_eq!(push(&b, Some(first), value(&b)), Pushed::Won);
    assert_eq!(push(&a, Some(first), value(&a)), Pushed::Lost);
}

#[test]
fn a_race_of_many_has_one_winner() {
    let remote = Remote::new();
    let winners = std::thread::scope(|scope| {
        let race = |n: usize| {
            let remote = &remote;
            scope.spawn(move || {
                let client = remote.client(&format!("c{n}"));
                push(&client, None, value(&client)) == Pushed::Won
            })
        };
        let racers: Vec<_> = (0..8).map(race).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).filter(|won| *won).count()
    });
    assert_eq!(winners, 1);
}

#[test]
fn an_object_that_stands_there_already_is_no_win() {
    let remote = Remote::new();
    let (a, b) = (remote.client("a"), remote.client("b"));
    let same = |client: &Registry| client.write_pool("web", &Pool::default(), "web1", Duration::ZERO).unwrap();
    assert_eq!(same(&a), same(&b));
    assert_eq!(push(&a, None, same(&a)), Pushed::Won);
    assert_eq!(push(&b, None, same(&b)), Pushed::Lost);
}

#[test]
fn all_or_nothing() {
    let remote = Remote::new();
    let (a, b) = (remote.client("a"), remote.client("b"));
    push(&a, None, value(&a));
    let other = RefName::Out("database".into());
    let updates = [
        RefUpdate { name: other.clone(), expected: None, new: Some(value(&b)) },
        RefUpdate { name: pool(), expected: None, new: Some(value(&b)) },
    ];
    assert_eq!(b.push(&updates).unwrap(), Pushed::Lost);
    b.fetch(&["refs/wildebeest/".into()]).unwrap();
    assert_eq!(b.get(&other).unwrap(), None);
}

#[test]
fn a_ref_is_removed_by_whoever_knows_it() {
    let remote = Remote::new();
    let (a, b) = (remote.client("a"), remote.client("b"));
    let first = value(&a);
    push(&a, None, first);
    let remove = |expected| RefUpdate { name: pool(), expected, new: None };
    assert_eq!(b.push(&[remove(Some(value(&b)))]).unwrap(), Pushed::Lost);
    assert_eq!(b.push(&[remove(Some(first))]).unwrap(), Pushed::Won);
    a.fetch(&[pool().to_string()]).unwrap();
    assert_eq!(a.get(&pool()).unwrap(), None);
}

#[test]
fn a_winner_knows_what_it_wrote_without_a_fetch() {
    let remote = Remote::new();
    let a = remote.client("a");
    let first = value(&a);
    push(&a, None, first);
    assert_eq!(a.get(&pool()).unwrap(), Some(first));
}

#[test]
fn a_remote_that_is_not_there_is_named() {
    let remote = Remote::new();
    let a = remote.client("a");
    files::remove_tree(remote.path()).unwrap();
    let error = a.fetch(&["refs/wildebeest/".into()]).unwrap_err();
    assert!(error.to_string().starts_with("could not reach the remote /"), "{error}");
    let update = RefUpdate { name: pool(), expected: None, new: Some(value(&a)) };
    assert!(matches!(a.push(&[update]).unwrap_err(), RegistryError::Unreachable { .. }));
}

#[test]
fn a_server_that_refuses_is_quoted() {
    let remote = Remote::new();
    let a = remote.client("a");
    hook::hang(&remote.path(), "update", "exit 1");
    let update = RefUpdate { name: pool(), expected: None, new: Some(value(&a)) };
    let error = a.push(&[update]).unwrap_err();
    assert!(error.to_string().contains("hook declined"), "{error}");
}

/// Git says so in the words of a lost race.
#[test]
fn a_server_that_can_not_write_is_no_lost_race() {
    let remote = Remote::new();
    let a = remote.client("a");
    files::create_dir(remote.path().join("refs/wildebeest/out")).unwrap();
    files::write(remote.path().join("refs/wildebeest/out/web.lock"), "", 0o644).unwrap();
    let update = RefUpdate { name: pool(), expected: None, new: Some(value(&a)) };
    let error = a.push(&[update]).unwrap_err();
    assert!(matches!(error, RegistryError::Refused { .. }), "{error}");
}

/// The server takes the push, and the connection breaks before it says so.
#[test]
fn after_a_broken_connection_the_outcome_is_read_back() {
    let remote = Remote::new();
    let a = remote.client("a");
    hook::hang(&remote.path(), "post-receive", "kill -9 $PPID");
    let first = value(&a);
    assert_eq!(push(&a, None, first), Pushed::Won);
    assert_eq!(a.get(&pool()).unwrap(), Some(first));
}

mod a_host_s_copy {
    use wb_core::registry::{Access, Mirror as _, Registry};
    use wb_core::system::files;

    use super::{Remote, pool, push, value};

    /// A host's copy of a remote with a pool, and what was done to it.
    fn damaged(damage: impl Fn(&std::path::Path)) -> (Remote, Registry, std::path::PathBuf) {
        let remote = Remote::new();
        let client = remote.client("a");
        push(&client, None, value(&client));
        let path = remote.dir.path().join("host/herd.git");
        let access = Access::Host { key: remote.dir.path().join("host_key"), connections: None };
        let host = Registry::open(&path, &remote.path().display().to_string(), access).unwrap().mending().unwrap();
        host.fetch(&[pool().to_string()]).unwrap();
        let next = value(&client);
        push(&client, client.get(&pool()).unwrap(), next);
        damage(&path);
        (remote, host, path)
    }

    fn check(damage: impl Fn(&std::path::Path)) {
        let (remote, host, path) = damaged(damage);
        host.fetch(&[pool().to_string()]).unwrap();
        let client = remote.client("b");
        client.fetch(&[pool().to_string()]).unwrap();
        assert_eq!(host.get(&pool()).unwrap(), client.get(&pool()).unwrap());
        assert!(host.objects().contains(host.get(&pool()).unwrap().unwrap()));
        assert!(files::exists(path.with_extension("broken")) && !files::exists(path.with_extension("new")));
    }

    #[test]
    fn is_made_anew_when_a_lock_was_left_behind() {
        check(|path| files::write(path.join("refs/seen/out/web.lock"), "", 0o644).unwrap());
    }

    #[test]
    fn is_made_anew_when_its_packed_refs_are_torn() {
        check(|path| files::write(path.join("packed-refs"), "# pack-refs with: peeled\n0123", 0o644).unwrap());
    }

    #[test]
    fn stays_when_the_remote_does_not_give_all_of_it() {
        let (remote, host, path) = damaged(|path| files::write(path.join("packed-refs"), "0123", 0o644).unwrap());
        files::remove_tree(remote.path().join("objects")).unwrap();
        host.fetch(&[pool().to_string()]).unwrap_err();
        assert!(!files::exists(path.with_extension("broken")));
    }

    #[test]
    fn stays_when_the_remote_is_away() {
        let (remote, host, path) = damaged(|_| {});
        files::remove_tree(remote.path()).unwrap();
        host.fetch(&[pool().to_string()]).unwrap_err();
        assert!(!files::exists(path.with_extension("broken")) && !files::exists(path.with_extension("new")));
    }
}
