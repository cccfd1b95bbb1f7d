//! Unit tests of migrations: each is run by its name on a fake host, which is files in a directory, and commands that say
//! what they were told to. What a real host makes of a migration, they don't know.

use wb_stdlib::prelude::*;
use wb_stdlib::testing::{FakeHost, changed};

#[test]
fn base_packages_installs_what_is_missing_and_that_once() -> Result<()> {
    let host = FakeHost::new("web1", &["server"]).package("ca-certificates", "20230311").offers("git", "1:2.39.5");
    assert_eq!(changed(&host.plan("base_packages")?), ["packages ca-certificates, git installed"]);
    host.run("base_packages")?;
    let calls = host.calls();
    assert!(calls.iter().any(|line| line.starts_with("apt-get ") && line.ends_with(" -- git")), "{calls:?}");
    assert_eq!(changed(&host.run("base_packages")?), [""; 0]);
    Ok(())
}

#[test]
fn a_git_that_does_not_answer_is_noticed() -> Result<()> {
    let host = FakeHost::new("web1", &["server"]).answers("git --version", &[(0, "git version 2.39.5"), (1, "")]);
    host.spec("base_packages", "git_answers")?;
    assert!(host.spec("base_packages", "git_answers").is_err());
    Ok(())
}
