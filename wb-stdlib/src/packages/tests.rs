use super::*;
use crate::machine::{Machine, changed};

const POLICY: &str = "nginx:\n  Installed: (none)\n  Candidate: 1.22.1-9\n";
const UNKNOWN: &str = "";
const FRESH: &str = "var/lib/apt/lists/mirror.example.org_debian_dists_bookworm_InRelease";

#[test]
fn installed_packages_cost_one_look() {
    let machine = Machine::new().answer("dpkg-query", 0, "nginx\tamd64\tii \t1.22.1-9\n");
    let outcome = machine.apply(|host| Ok(host.packages(["nginx"]).installed()?)).unwrap();
    assert_eq!(outcome, Outcome::Unchanged);
    assert_eq!(machine.calls().len(), 1);
    assert_eq!(machine.said(), "= package nginx installed");
}

#[test]
fn a_missing_package_is_installed_through_the_hardened_way() {
    let machine = Machine::new()
        .file(FRESH, "")
        .answers("dpkg-query", &[(1, ""), (0, "nginx\tamd64\tii \t1.22.1-9\n")])
        .answer("apt-cache policy nginx", 0, POLICY)
        .answer("apt-get", 0, "");
    let outcome = machine.apply(|host| Ok(host.packages(["nginx"]).installed()?)).unwrap();
    assert_eq!(outcome, changed("+ nginx 1.22.1-9"));
    let install = machine.calls().into_iter().find(|line| line.starts_with("apt-get")).unwrap();
    for part in ["-y", "DPkg::Lock::Timeout=300", "--force-confdef", "--force-confold", "install -- nginx"] {
        assert!(install.contains(part), "{install}");
    }
}

#[test]
fn a_plan_only_looks() {
    let machine =
        Machine::new().answer("dpkg-query", 1, "").answer("apt-cache policy nginx", 0, POLICY).file(FRESH, "");
    let outcome = machine.plan(|host| Ok(host.packages(["nginx"]).installed()?)).unwrap();
    assert_eq!(outcome, changed("+ nginx 1.22.1-9"));
    assert!(!machine.calls().iter().any(|line| line.starts_with("apt-get")));
}

#[test]
fn a_plan_cannot_know_a_package_that_apt_does_not_know() {
    let machine = Machine::new().answer("dpkg-query", 1, "").answer("apt-cache", 0, UNKNOWN);
    let outcome = machine.plan(|host| Ok(host.packages(["nginx"]).installed()?)).unwrap();
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
}

#[test]
fn a_package_that_does_not_exist_is_named_after_an_update() {
    let machine = Machine::new()
        .file(FRESH, "")
        .answer("dpkg-query", 1, "")
        .answer("apt-cache", 0, UNKNOWN)
        .answer("apt-get", 0, "");
    let error = machine.apply(|host| Ok(host.packages(["ngnix"]).installed()?)).unwrap_err().to_string();
    assert!(error.starts_with("there is no package `ngnix` in the repositories of this host\nhint: "), "{error}");
    assert_eq!(machine.calls().iter().filter(|line| line.contains(" update ")).count(), 1);
}

#[test]
fn an_interrupted_dpkg_is_mended() {
    let machine = Machine::new()
        .file(FRESH, "")
        .answers("dpkg-query", &[(0, "nginx\tamd64\tiF \t1\n"), (0, "nginx\tamd64\tii \t1\n")])
        .answer("apt-cache", 0, POLICY)
        .answers("apt-get", &[(100, "E: dpkg was interrupted, you must manually run 'dpkg --configure -a'"), (0, "")])
        .answer("dpkg --force", 0, "");
    assert!(machine.apply(|host| Ok(host.packages(["nginx"]).installed()?)).unwrap().changed());
    let configure = "dpkg --force-confdef --force-confold --configure -a";
    assert_eq!(machine.calls().iter().filter(|line| *line == configure).count(), 1);
}

#[test]
fn what_apt_did_not_do_is_an_error() {
    let machine =
        Machine::new().file(FRESH, "").answer("dpkg-query", 0, "nginx\tamd64\tii \t1\n").answer("apt-get", 0, "");
    let error = machine.apply(|host| Ok(host.packages(["nginx"]).absent()?)).unwrap_err();
    assert_eq!(error.to_string(), "apt was to remove the packages `nginx`, and ended well, but it is not so");
}

#[test]
fn only_names_are_names() {
    let check = |name: &str, expect| assert_eq!(is_name(name), expect, "{name}");
    check("g++", true);
    check("libc6:i386", true);
    check("python3.11", true);
    check("nginx-", false);
    check("-y", false);
    check("nginx=1.2", false);
    check("Nginx", false);
    check("", false);
    check("nginx:", false);
}
