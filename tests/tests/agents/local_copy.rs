//! A host's own copy of the refs: what a crash leaves in it, and who may mend it.

use std::path::PathBuf;

use wb_core::agent::{Agent, AgentError, Next};
use wb_core::context::{MaxOut, Role};
use wb_core::registry::RegistryError;
use wb_core::runner::{Catalog, HomeError};
use wb_core::system::{Command, files};
use wb_tests::herd::{TestHerd, runner};

static WEB: Role =
    Role { name: "web", max_out: MaxOut::Hosts(1), leave: |_| Ok(()), rejoin: |_| Ok(()), ..Role::PLAIN };

fn catalog() -> Catalog {
    Catalog::new([], [&WEB], []).unwrap()
}

/// A herd of `web1`, which has not seen the newest change yet.
fn herd() -> TestHerd {
    let herd = TestHerd::new();
    herd.add(&[("web1", &["web"])]);
    herd.settle(&["web1"], &catalog(), 9);
    herd.deploy(&catalog());
    herd
}

fn copy(herd: &TestHerd, path: &str) -> PathBuf {
    herd.home("web1").state().join("herd.git").join(path)
}

/// What an agent of `web1` finds that is opened beside another one.
fn beside<T>(herd: &TestHerd, act: impl FnOnce(Result<Agent<'_>, AgentError>) -> T) -> T {
    let (catalog, system) = (catalog(), herd.system("web1"));
    act(Agent::open_beside(herd.home("web1"), &catalog, &system, runner(), &|_| {}))
}

fn accepts_the_newest(herd: &TestHerd) {
    assert_eq!(herd.tick("web1", &catalog()).unwrap(), Next::Poll);
    assert_eq!(herd.record("web1").accepted, herd.newest().map(|change| change.sha1));
}

#[test]
fn a_lock_that_a_crash_left_on_what_is_kept_is_removed() {
    let herd = herd();
    files::write(copy(&herd, "refs/kept/accepted.lock"), "", 0o644).unwrap();
    accepts_the_newest(&herd);
}

#[test]
fn a_lock_that_a_crash_left_on_what_is_fetched_is_mended_by_who_has_the_copy_alone() {
    let herd = herd();
    files::write(copy(&herd, "refs/seen/changes.lock"), "", 0o644).unwrap();
    files::write(copy(&herd, "marker"), "", 0o644).unwrap();
    let error = beside(&herd, |agent| agent.unwrap().has_news().unwrap_err());
    assert!(matches!(error, AgentError::Registry(RegistryError::Local { .. })), "{error}");
    assert!(files::exists(copy(&herd, "marker")) && !files::exists(copy(&herd, "").with_extension("broken")));
    accepts_the_newest(&herd);
    assert!(!files::exists(copy(&herd, "marker")), "it was made anew");
}

#[test]
fn who_only_looks_leaves_a_broken_copy_alone() {
    let herd = herd();
    files::write(copy(&herd, "refs/seen/changes"), "", 0o644).unwrap();
    let error = beside(&herd, |agent| agent.map(drop).unwrap_err());
    assert!(matches!(error, AgentError::Home(HomeError::Registry(RegistryError::Broken { .. }))), "{error}");
    assert!(files::exists(copy(&herd, "refs/seen/changes")));
    accepts_the_newest(&herd);
}

#[test]
fn a_disk_that_takes_nothing_is_not_told_as_a_remote_that_is_away() {
    let herd = herd();
    let repository = copy(&herd, "");
    let mount = |args: &[&str]| Command::new("mount").args(args).arg(&repository).read().is_ok();
    if !mount(&["--bind", &repository.display().to_string()]) {
        return eprintln!("skipped: only root can mount");
    }
    assert!(mount(&["-o", "remount,ro,bind"]));
    let error = herd.tick("web1", &catalog());
    Command::new("umount").arg(&repository).read().unwrap();
    let error = error.unwrap_err();
    assert!(matches!(error, AgentError::Registry(RegistryError::Local { .. })), "{error}");
    assert!(herd.notices("web1", &catalog()).away.is_none());
    accepts_the_newest(&herd);
}
