use std::path::Path;

use wb_core::system::{Command, files};

use super::*;
use crate::machine::{Machine, changed};

const POLICY: &str = "nginx:\n  Installed: (none)\n  Candidate: 1.22.1-9\n";
const UNKNOWN: &str = "";
const INSTALL: &str = "install --no-remove -- nginx";
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
    for part in ["-y", "DPkg::Lock::Timeout=300", "--force-confdef", "--force-confold", INSTALL] {
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
fn lists_are_updated_first_where_there_are_none() {
    let check = |list: &str, expect: usize| {
        let machine = Machine::new()
            .file(&format!("var/lib/apt/lists/{list}"), "")
            .answers("dpkg-query", &[(1, ""), (0, "nginx\tamd64\tii \t1.22.1-9\n")])
            .answer("apt-cache policy nginx", 0, POLICY)
            .answer("apt-get", 0, "");
        let outcome = machine.apply(|host| Ok(host.packages(["nginx"]).installed()?)).unwrap();
        assert_eq!(outcome, changed("+ nginx 1.22.1-9"));
        assert_eq!(machine.calls().iter().filter(|line| line.contains(" update ")).count(), expect, "{list}");
    };
    check("lock", 1);
    check("_srv_shop_._Packages", 0);
    check("mirror.example.org_debian_dists_bookworm_InRelease", 0);
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
    let check = |name: &str, expect| assert_eq!(Manager::Apt.is_name(name), expect, "{name}");
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

/// dpkg itself, and these packages in these versions, by dpkg's own words for how they are.
fn status(packages: &[(&str, &str, &str)]) -> String {
    let dpkg = [("dpkg", "1.21.22", "install ok installed")];
    let stanza = |(name, version, status): &(&str, &str, &str)| {
        format!("Package: {name}\nStatus: {status}\nArchitecture: amd64\nVersion: {version}\n\n")
    };
    dpkg.iter().chain(packages).map(stanza).collect()
}

fn debian(packages: &[(&str, &str, &str)]) -> Machine {
    Machine::new().file("/var/lib/dpkg/status", &status(packages)).dir("/var/lib/dpkg/updates").file(FRESH, "")
}

const INSTALLED: &str = "install ok installed";
const TABLE: &str = "nginx:\n  Installed: 1.20.1-1\n  Candidate: 1.22.1-9\n  Version table:\n     1.22.1-9 500\n        \
                     500 http://mirror.example.org/debian bookworm/main amd64 Packages\n     1.22.0-1 500\n        500 \
                     http://mirror.example.org/debian bookworm/main amd64 Packages\n *** 1.20.1-1 100\n        100 \
                     /var/lib/dpkg/status\n     1.18.0-6 500\n        500 http://mirror.example.org/debian \
                     bullseye/main amd64 Packages\n";

fn acts(machine: &Machine) -> Vec<String> {
    let looks = |line: &String| {
        line.starts_with("apt-cache")
            || line.contains(" -s ")
            || line.ends_with(" -s")
            || line.starts_with("dpkg-query")
    };
    machine.calls().into_iter().filter(|line| !looks(line)).collect()
}

#[test]
fn what_the_status_file_tells_costs_no_program() {
    let machine = debian(&[("nginx", "1.22.1-9", INSTALLED)]);
    let unchanged = |act: fn(&Host) -> Result<Outcome>| assert_eq!(machine.apply(act).unwrap(), Outcome::Unchanged);
    unchanged(|host| Ok(host.packages(["nginx"]).installed()?));
    unchanged(|host| Ok(host.packages(["nginx"]).version("1.22.*").installed()?));
    unchanged(|host| Ok(host.packages(["nginx", "dpkg"]).version_of("nginx", "1.22.1-9").installed()?));
    unchanged(|host| Ok(host.packages(["apache2"]).absent()?));
    unchanged(|host| Ok(host.packages(["apache2"]).purged()?));
    unchanged(|host| Ok(host.packages(["nginx"]).unheld()?));
    machine.view(|host| host.package("nginx").has_version("1.22.*")).unwrap();
    machine.view(|host| host.package("apache2").is_absent()).unwrap();
    assert!(machine.view(|host| host.package("nginx").is_held()).is_err());
    assert_eq!(machine.calls(), [""; 0]);
}

#[test]
fn while_dpkg_is_at_work_it_is_asked() {
    let machine = debian(&[]).file("/var/lib/dpkg/updates/0003", "").answer("dpkg-query", 0, "nginx\tamd64\tii \t1\n");
    assert_eq!(machine.apply(|host| Ok(host.packages(["nginx"]).installed()?)).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls().len(), 1);
}

#[test]
fn a_package_gets_the_newest_version_that_is_meant() {
    let machine = debian(&[("nginx", "1.20.1-1", INSTALLED)]).answer("apt-cache policy nginx", 0, TABLE);
    let plan = |act: fn(&Host) -> Result<Outcome>, expect: &str| {
        assert_eq!(machine.plan(act).unwrap(), changed(expect));
    };
    plan(|host| Ok(host.packages(["nginx"]).version("1.22.0*").installed()?), "nginx 1.20.1-1 -> 1.22.0-1");
    assert_eq!(machine.said(), "+ package nginx 1.22.0* installed\n    nginx 1.20.1-1 -> 1.22.0-1");
    plan(|host| Ok(host.packages(["nginx"]).latest()?), "nginx 1.20.1-1 -> 1.22.1-9");
    plan(
        |host| Ok(host.packages(["nginx"]).version("1.18.*").may_downgrade().installed()?),
        "nginx 1.20.1-1 -> 1.18.0-6",
    );
    assert_eq!(acts(&machine), [""; 0]);
}

#[test]
fn a_version_is_told_to_apt_and_looked_for_afterwards() {
    let machine =
        debian(&[("nginx", "1.20.1-1", INSTALLED)]).answer("apt-cache policy nginx", 0, TABLE).answer("apt-get", 0, "");
    let pin = |host: &Host| Ok(host.packages(["nginx"]).version("1.18.*").may_downgrade().installed()?);
    let error = machine.apply(pin).unwrap_err().to_string();
    assert_eq!(error, "apt was to install the packages `nginx`, and ended well, but it is not so");
    let install = acts(&machine).pop().unwrap();
    assert!(install.ends_with("install --no-remove --allow-downgrades -- nginx=1.18.0-6"), "{install}");
}

#[test]
fn a_held_package_gets_the_version_that_is_said_and_stays_held() {
    let machine = debian(&[("nginx", "1.20.1-1", "hold ok installed")]).answer("apt-cache policy nginx", 0, TABLE);
    let machine = machine.answer("apt-mark", 0, "").does("apt-get", |root, _| {
        let now = status(&[("nginx", "1.22.1-9", INSTALLED)]);
        files::write(root.join("var/lib/dpkg/status"), now, 0o644).unwrap();
    });
    let pin = |host: &Host| Ok(host.packages(["nginx"]).version("1.22.*").installed()?);
    assert_eq!(machine.plan(pin).unwrap(), changed("nginx 1.20.1-1 -> 1.22.1-9"));
    assert_eq!(machine.apply(pin).unwrap(), changed("nginx 1.20.1-1 -> 1.22.1-9"));
    let acts = acts(&machine);
    assert!(acts[0].ends_with(" --allow-change-held-packages -- nginx=1.22.1-9"), "{acts:?}");
    assert_eq!(acts[1..], ["apt-mark hold -- nginx"]);
    assert_eq!(machine.read(LET_GO_BY_APT), None);
    let latest = debian(&[("nginx", "1.20.1-1", "hold ok installed")]).answer("apt-cache policy nginx", 0, TABLE);
    let latest = latest.answer("apt-get", 100, "E: Held packages were changed and -y was used without");
    let error = latest.apply(|host| Ok(host.packages(["nginx"]).latest()?)).unwrap_err().to_string();
    assert!(error.contains("would have to change a package that is held"), "nobody said a version: {error}");
}

const LET_GO_BY_APT: &str = "/etc/apt/let-go.kept-by-wildebeest";

/// A host whose apt had given a held nginx the version that was said when the run was killed.
fn killed_after_apt() -> Machine {
    let machine = debian(&[("nginx", "1.22.1-9", INSTALLED)]).file(LET_GO_BY_APT, "nginx\n");
    machine.answer("apt-cache policy nginx", 0, TABLE).does("apt-mark", |root, command| {
        let word = if command.line() == "apt-mark hold -- nginx" { "hold ok installed" } else { INSTALLED };
        files::write(root.join("var/lib/dpkg/status"), status(&[("nginx", "1.22.1-9", word)]), 0o644).unwrap();
    })
}

#[test]
fn what_a_killed_run_let_go_is_held_by_the_next() {
    let pin = |host: &Host| Ok(host.packages(["nginx"]).version("1.22.*").installed()?);
    let machine = killed_after_apt();
    assert_eq!(machine.plan(pin).unwrap(), changed("hold nginx"));
    assert_eq!(acts(&machine), [""; 0]);
    assert_eq!(machine.apply(pin).unwrap(), changed("hold nginx"));
    assert_eq!((acts(&machine), machine.read(LET_GO_BY_APT)), (vec!["apt-mark hold -- nginx".to_owned()], None));
    assert_eq!(machine.apply(pin).unwrap(), Outcome::Unchanged);
    machine.view(|host| host.package("nginx").is_held()).unwrap();
}

#[test]
fn what_a_killed_run_let_go_is_held_by_whatever_is_installed_next() {
    let machine = killed_after_apt();
    assert_eq!(machine.apply(|host| Ok(host.packages(["dpkg"]).installed()?)).unwrap(), changed("hold nginx"));
    machine.view(|host| host.package("nginx").is_held()).unwrap();
    // What has gone meanwhile is not held.
    let gone = debian(&[]).file(LET_GO_BY_APT, "nginx\n");
    assert_eq!(gone.apply(|host| Ok(host.packages(["dpkg"]).installed()?)).unwrap(), Outcome::Unchanged);
}

#[test]
fn what_a_killed_run_let_go_is_held_or_free_as_somebody_says() {
    let held = killed_after_apt();
    assert_eq!(held.apply(hold).unwrap(), changed("hold nginx"));
    assert_eq!((held.apply(hold).unwrap(), held.read(LET_GO_BY_APT)), (Outcome::Unchanged, None));
    let free = killed_after_apt();
    assert_eq!(free.apply(release).unwrap(), changed("release nginx"));
    assert_eq!((free.apply(release).unwrap(), free.read(LET_GO_BY_APT)), (Outcome::Unchanged, None));
}

#[test]
fn what_a_killed_run_let_go_gets_no_version_that_nobody_said() {
    let table = TABLE.replace("1.22.1-9", "1.23.0-1");
    let machine = killed_after_apt().answer("apt-cache policy nginx", 0, &table);
    let error = machine.apply(|host| Ok(host.packages(["nginx"]).latest()?)).unwrap_err().to_string();
    let expect = "the package `nginx` is held in 1.22.1-9, and would come to 1.23.0-1\nhint: ";
    assert!(error.starts_with(expect), "{error}");
}

#[test]
fn what_is_pinned_is_left_alone() {
    let machine = debian(&[("nginx", "1.22.1-9", "hold ok installed")]);
    let pin = |host: &Host| {
        let installed = host.packages(["nginx"]).version("1.22.*").installed()?;
        Ok((installed, host.packages(["nginx"]).held()?))
    };
    assert_eq!(machine.apply(pin).unwrap(), (Outcome::Unchanged, Outcome::Unchanged));
    assert_eq!(machine.calls(), [""; 0]);
}

#[test]
fn what_goes_back_must_be_allowed_to() {
    let machine = debian(&[("nginx", "1.20.1-1", INSTALLED)]).answer("apt-cache policy nginx", 0, TABLE);
    let pin = |host: &Host| Ok(host.packages(["nginx"]).version("1.18.*").installed()?);
    for error in [machine.apply(pin).unwrap_err(), machine.plan(pin).unwrap_err()] {
        let error = error.to_string();
        assert!(error.starts_with("the package `nginx` would go back from 1.20.1-1 to 1.18.0-6\nhint: "), "{error}");
    }
}

#[test]
fn a_version_that_no_repository_has_is_named_after_an_update() {
    let machine = debian(&[]).answer("apt-cache policy nginx", 0, TABLE).answer("apt-get", 0, "");
    let pin = |host: &Host| Ok(host.packages(["nginx"]).version("3.*").installed()?);
    assert!(matches!(machine.plan(pin).unwrap(), Outcome::Unknown { .. }));
    let expect = "no repository of this host has a version 3.* of the package `nginx`\nhint: there is 1.22.1-9, \
                  1.22.0-1, 1.18.0-6";
    assert_eq!(machine.apply(pin).unwrap_err().to_string(), expect);
    assert_eq!(machine.calls().iter().filter(|line| line.contains(" update ")).count(), 1);
}

#[test]
fn a_plan_cannot_know_the_latest_by_old_lists() {
    let machine = Machine::new()
        .file("/var/lib/dpkg/status", &status(&[("nginx", "1.22.1-9", INSTALLED)]))
        .answer("apt-cache policy nginx", 0, TABLE)
        .answer("apt-get", 0, "");
    let latest = |host: &Host| Ok(host.packages(["nginx"]).latest()?);
    assert!(matches!(machine.plan(latest).unwrap(), Outcome::Unknown { .. }));
    assert_eq!(machine.apply(latest).unwrap(), Outcome::Unchanged);
    assert_eq!(acts(&machine).len(), 1);
}

#[test]
fn a_removal_says_what_else_goes() {
    let machine = debian(&[("nginx-common", "1.22.1-9", INSTALLED), ("nginx", "1.22.1-9", INSTALLED)]).answer(
        "apt-get",
        0,
        "Remv nginx [1.22.1-9]\nRemv nginx-common [1.22.1-9]\n",
    );
    let absent = |host: &Host| Ok(host.packages(["nginx-common"]).absent()?);
    assert_eq!(machine.plan(absent).unwrap(), changed("- nginx\n- nginx-common"));
    assert_eq!(acts(&machine), [""; 0]);
}

#[test]
fn what_is_left_of_a_package_can_be_purged() {
    let machine =
        debian(&[("nginx", "1.22.1-9", "deinstall ok config-files")]).answer("apt-get", 0, "Purg nginx [1.22.1-9]\n");
    assert_eq!(machine.apply(|host| Ok(host.packages(["nginx"]).absent()?)).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.plan(|host| Ok(host.packages(["nginx"]).purged()?)).unwrap(), changed("- nginx"));
}

#[test]
fn a_package_is_held_once_it_is_there() {
    let machine = debian(&[("nginx", "1.22.1-9", INSTALLED), ("cron", "3.0", "hold ok installed")]);
    let machine = machine.answer("apt-mark", 0, "");
    assert_eq!(machine.apply(|host| Ok(host.packages(["cron"]).held()?)).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.plan(|host| Ok(host.packages(["nginx"]).held()?)).unwrap(), changed("hold nginx"));
    assert_eq!(machine.plan(|host| Ok(host.packages(["cron"]).unheld()?)).unwrap(), changed("release cron"));
    let held = |host: &Host| Ok(host.packages(["vim"]).held()?);
    assert!(matches!(machine.plan(held).unwrap(), Outcome::Unknown { .. }));
    let error = machine.apply(held).unwrap_err().to_string();
    assert!(error.starts_with("the package `vim` is not installed, so there is nothing to hold"), "{error}");
    let error = machine.apply(|host| Ok(host.packages(["nginx"]).held()?)).unwrap_err().to_string();
    assert_eq!(error, "apt was to hold the packages `nginx`, and ended well, but it is not so");
    assert_eq!(machine.calls(), ["apt-mark hold -- nginx"]);
}

#[test]
fn a_conflict_and_a_lock_are_told_in_the_words_of_apt() {
    let check = |said: &str, expect: &str| {
        let machine = debian(&[]).answer("apt-cache policy nginx", 0, TABLE).answer("apt-get", 100, said);
        let error = machine.apply(|host| Ok(host.packages(["nginx"]).installed()?)).unwrap_err().to_string();
        assert!(error.starts_with(expect), "{error}");
    };
    check(
        "Reading package lists...\nThe following packages have unmet dependencies:\n nginx : Conflicts: apache2\nE: \
         Unable to correct problems, you have held broken packages.",
        "could not install the packages `nginx`; apt says:\nThe following packages have unmet dependencies:\n nginx : \
         Conflicts: apache2\nE: Unable to correct",
    );
    check(
        "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 42 (apt-get)",
        "could not install the packages `nginx`: apt was locked for too long\nhint: ",
    );
    check("E: Held packages were changed and -y was used", "could not install the packages `nginx`: apt would have to");
}

#[test]
fn what_would_have_to_go_is_an_error_or_in_the_preview() {
    let said =
        "The following packages will be REMOVED:\n  apache2\nE: Packages need to be removed but remove is disabled.";
    let machine = debian(&[]).answer("apt-cache policy nginx", 0, TABLE).answer("apt-get", 100, said);
    let error = machine.apply(|host| Ok(host.packages(["nginx"]).installed()?)).unwrap_err().to_string();
    let expect = "could not install the packages `nginx`: others would have to go for them; apt says:\nThe following packages \
                  will be REMOVED:\n  apache2\n";
    assert!(error.starts_with(expect) && error.ends_with("hint: `.may_remove()` lets them go"), "{error}");
    let machine = debian(&[]).does("apt-get", |root, command| {
        if !command.line().contains(" -s ") {
            files::write(root.join("var/lib/dpkg/status"), status(&[("nginx", "1.22.1-9", INSTALLED)]), 0o644).unwrap();
        }
    });
    let machine = machine.answer("apt-get", 0, "Remv apache2 [2.4]\nInst nginx (1.22.1-9)\n");
    let machine = machine.answer("apt-cache policy nginx", 0, TABLE);
    let nginx = |host: &Host| Ok(host.packages(["nginx"]).may_remove().installed()?);
    assert_eq!(machine.plan(nginx).unwrap(), changed("+ nginx 1.22.1-9\n- apache2"));
    assert_eq!(machine.apply(nginx).unwrap(), changed("+ nginx 1.22.1-9\n- apache2"));
    assert!(acts(&machine)[0].ends_with(" install -- nginx"), "{:?}", machine.calls());
    assert_eq!(machine.apply(nginx).unwrap(), Outcome::Unchanged);
}

const LACKING: &str = "The following packages have unmet dependencies:\n shop : Depends: libshop but it is not \
                       installed\nE: Unmet dependencies. Try 'apt --fix-broken install' with no packages (or specify a \
                       solution).";

#[test]
fn a_plan_cannot_know_what_would_go_where_apt_does_not_say_it() {
    let machine =
        debian(&[("nginx", "1.22.1-9", INSTALLED)]).answer("apt-cache policy vim", 0, "vim:\n  Candidate: 9.0\n");
    let machine = machine.answer("apt-get", 100, LACKING);
    let unknown = |act: fn(&Host) -> Result<Outcome>| {
        let why = "apt can't say what would go: The following packages have unmet dependencies: shop : Depends: libshop but \
                   it is not installed E: Unmet dependencies. Try 'apt --fix-broken install' with no packages (or specify \
                   a solution).";
        assert_eq!(machine.plan(act).unwrap(), Outcome::Unknown { why: why.into() });
    };
    unknown(|host| Ok(host.packages(["nginx"]).absent()?));
    unknown(|host| Ok(host.packages(["nginx"]).purged()?));
    unknown(|host| Ok(host.packages(["vim"]).may_remove().installed()?));
    assert_eq!(acts(&machine), [""; 0], "a plan mends nothing");
    let held = debian(&[("nginx", "1.22.1-9", "hold ok installed")]);
    let held = held.answer("apt-get", 100, "E: Held packages were changed and -y was used.");
    let absent = |host: &Host| Ok(host.packages(["nginx"]).absent()?);
    let why = "apt can't say what would go: E: Held packages were changed and -y was used.";
    assert_eq!(held.plan(absent).unwrap(), Outcome::Unknown { why: why.into() });
    let locked = debian(&[("nginx", "1.22.1-9", INSTALLED)]).answer("apt-get", 100, "E: Could not get lock /x");
    let why = "apt can't say what would go: E: Could not get lock /x";
    assert_eq!(locked.plan(absent).unwrap(), Outcome::Unknown { why: why.into() });
    assert_eq!(locked.calls().len(), 1, "a plan waits for nobody");
    let error = held.apply(absent).unwrap_err().to_string();
    assert!(error.starts_with("could not remove the packages `nginx`: apt would have to change a package"), "{error}");
}

#[test]
fn what_lacks_others_is_completed_before_apt_is_asked_what_would_go() {
    let machine = debian(&[("nginx", "1.22.1-9", INSTALLED)]).does("apt-get", |root, command| {
        if command.line().ends_with(" remove -- nginx") {
            files::write(root.join("var/lib/dpkg/status"), status(&[]), 0o644).unwrap();
        }
    });
    let removal = "Remv shop [1.0]\nRemv nginx [1.22.1-9]\n";
    let machine = machine.answers("apt-get", &[(100, LACKING), (0, ""), (0, removal), (0, "")]);
    assert_eq!(machine.apply(|host| Ok(host.packages(["nginx"]).absent()?)).unwrap(), changed("- nginx\n- shop"));
    let acts = acts(&machine);
    assert!(acts[0].ends_with(" install --no-remove --fix-broken"), "{acts:?}");
    assert_eq!(acts.len(), 2, "{acts:?}");
}

#[test]
fn no_service_is_started_before_apt_is_asked_what_would_go() {
    let machine = debian(&[]).dir("/usr/sbin").answer("apt-cache policy nginx", 0, TABLE);
    let machine = machine.does("apt-get", |root, command| {
        if command.line().contains("--fix-broken") {
            let is_forbidden = files::exists(root.join("usr/sbin/policy-rc.d"));
            files::write(root.join("mended"), is_forbidden.to_string(), 0o644).unwrap();
        }
    });
    let machine = machine.answers("apt-get", &[(100, LACKING), (0, "")]);
    let nginx = |host: &Host| Ok(host.packages(["nginx"]).without_starting().may_remove().installed()?);
    machine.apply(nginx).unwrap_err(); // the status file stays as it is
    assert_eq!(machine.read("/mended").as_deref(), Some("true"), "{:?}", machine.calls());
    assert_eq!(machine.stat("/usr/sbin/policy-rc.d"), None);
}

#[test]
fn each_manager_says_what_else_would_go() {
    let check = |release: &str, tries: &str, code, said: &str| {
        let machine = trying(release, tries, code, said);
        assert_eq!(machine.plan(absent).unwrap(), changed("- nginx\n- shop"), "{:?}", machine.calls());
    };
    let table = "Removing:\n nginx noarch 1.20-1 @a 1 k\nRemoving dependent packages:\n shop noarch 1-1 @a 1 k\n";
    check(FEDORA, DNF_TRIES, 1, table);
    let told = "The following 2 packages are going to be REMOVED:\n  nginx shop\n";
    check(SUSE, ZYPPER_TRIES, 0, told);
    let purging = "(1/2) Purging nginx (1.24.0-r15)\n(2/2) Purging shop (1.0-r0)\nOK: 9 MiB in 3 packages\n";
    check(ALPINE, APK_TRIES, 0, purging);
}

const FEDORA: &str = "ID=fedora\n";
const SUSE: &str = "ID=sles\nID_LIKE=suse\n";
const ALPINE: &str = "ID=alpine\n";

const DNF_TRIES: &str =
    "dnf --assumeno --setopt=exit_on_lock=True remove --setopt=clean_requirements_on_remove=False -- nginx";
const ZYPPER_TRIES: &str = "zypper --non-interactive --no-color remove --dry-run -- nginx";
const APK_TRIES: &str = "apk --no-progress --wait 300 del --simulate -- nginx";

/// A host with one package, whose manager tries its removal so.
fn trying(release: &str, tries: &str, code: i32, said: &str) -> Machine {
    let machine = of(release).answer("rpm -q", 0, "nginx|1|1.20-1\n").answer(tries, code, said);
    machine.file("/lib/apk/db/installed", "P:nginx\nV:1.24.0-r15\n\n")
}

fn absent(host: &Host) -> Result<Outcome> {
    Ok(host.packages(["nginx"]).absent()?)
}

/// A dry run that ended so is unknown to a plan, and an error that starts so to who acts, in the words of the manager;
/// nothing is removed.
fn check_no_answer(manager: &str, release: &str, tries: &str, ended: (i32, &str), expect: &str) {
    let (code, said) = ended;
    let machine = trying(release, tries, code, said);
    let is_look = |line: &String| line.starts_with("rpm -q");
    let why = format!("{manager} can't say what would go: {}", said.split_whitespace().collect::<Vec<_>>().join(" "));
    assert_eq!(machine.plan(absent).unwrap(), Outcome::Unknown { why }, "{code}");
    let tried = machine.calls().into_iter().filter(|line| !is_look(line)).collect::<Vec<_>>();
    assert_eq!(tried, [tries], "a plan tries it once");
    let error = format!("{:#}", machine.apply(absent).unwrap_err());
    assert!(error.starts_with(expect) && error.contains(said.lines().next().unwrap()), "{error}");
    assert!(machine.calls().iter().all(|line| is_look(line) || line == tries), "{:?}", machine.calls());
}

#[test]
fn a_dry_run_of_dnf_that_failed_is_none_that_removes_nothing_else() {
    let check = |code, said: &str, expect: &str| check_no_answer("dnf", FEDORA, DNF_TRIES, (code, said), expect);
    let protected = "Error: \n Problem: The operation would result in removing the following protected packages: \
                     nginx\n";
    check(1, protected, "could not remove the packages `nginx`; dnf says:\n");
    let locked = "Failed to obtain the transaction lock (logged in as: root).\n";
    check(200, locked, "could not remove the packages `nginx`: dnf was locked for too long\n");
    let rights = "Error: This command has to be run with superuser privileges (under the root user on most \
                  systems).\n";
    check(1, rights, "could not remove the packages `nginx`: ");
    check(137, "Dependencies resolved.\n", "could not remove the packages `nginx`: ");
}

#[test]
fn what_dnf_says_without_a_question_is_its_answer() {
    let said = "No match for argument: nginx\nNo packages marked for removal.\nDependencies resolved.\nNothing to \
                do.\nComplete!\n";
    // rpm has it, and dnf does not: it is planned, and the act itself says what is wrong.
    assert_eq!(trying(FEDORA, DNF_TRIES, 0, said).plan(absent).unwrap(), changed("- nginx"));
}

#[test]
fn a_dry_run_of_apk_that_failed_is_none_that_removes_nothing_else() {
    let check = |code, said: &str, expect: &str| check_no_answer("apk", ALPINE, APK_TRIES, (code, said), expect);
    let stays = "World updated, but the following packages are not removed due to:\n  nginx: shop\n\nOK: 9 MiB in 3 \
                 packages\n";
    check(0, stays, "could not remove the packages `nginx`; apk says:\nWorld updated, but");
    check(0, "OK: 9 MiB in 3 packages\n", "could not remove the packages `nginx`; apk says:\nOK: 9 MiB");
    let locked = "ERROR: Unable to lock database: Resource temporarily unavailable\n";
    check(99, locked, "could not remove the packages `nginx`: apk was locked for too long\n");
    check(1, "ERROR: nginx: I/O error\n", "could not remove the packages `nginx`: ");
}

/// In the words of SLES 11.
const PROBLEM: &str = "Reading installed packages...\nResolving package dependencies...\n\nProblem: \
    shop-22.3-4.6.x86_64 requires nginx = 1.20-1, but this requirement cannot be provided\n Solution 1: \
    deinstallation of shop-22.3-4.6.x86_64\n Solution 2: do not ask to delete all solvables providing nginx\n\nChoose \
    from above solutions by number or cancel [1/2/C]: c\n";
const LOCKED_ZYPPER: &str = "System management is locked by the application with pid 15950 (zypper).\nClose this \
                             application before trying again.\n";

#[test]
fn a_dry_run_of_zypper_that_failed_is_none_that_removes_nothing_else() {
    let check = |code, said: &str, expect: &str| check_no_answer("zypper", SUSE, ZYPPER_TRIES, (code, said), expect);
    check(4, PROBLEM, "could not remove the packages `nginx`; zypper says:\n");
    check(7, LOCKED_ZYPPER, "could not remove the packages `nginx`: zypper was locked for too long\n");
    check(5, "Root privileges are required to uninstall packages.", "could not remove the packages `nginx`: ");
}

#[test]
fn what_zypper_says_beside_its_answer_keeps_nobody_from_it() {
    let check = |code, said: &str, expect: &str| {
        let machine = trying(SUSE, ZYPPER_TRIES, code, said);
        assert_eq!(machine.plan(absent).unwrap(), changed(expect), "{code} {said}");
    };
    let told = "The following 2 packages are going to be REMOVED:\n  nginx shop\n\n2 packages to remove.\n";
    check(102, told, "- nginx\n- shop");
    check(104, &format!("No provider of 'vim' is installed.\n{told}"), "- nginx\n- shop");
    // rpm has it, and zypper does not: it is planned, and the act itself says what is wrong.
    check(104, "No provider of 'nginx' is installed.\nResolving package dependencies...\nNothing to do.\n", "- nginx");
    check(106, told, "- nginx\n- shop");
}

#[test]
fn services_are_not_started_and_nothing_of_that_stays() {
    let nginx = |host: &Host| Ok(host.packages(["nginx"]).without_starting().installed()?);
    let machine = debian(&[]).dir("/usr/sbin").answer("apt-cache policy nginx", 0, TABLE).answer("apt-get", 100, "no");
    machine.apply(nginx).unwrap_err();
    assert_eq!(machine.stat("/usr/sbin/policy-rc.d"), None);
    // One that was killed before it could take it away.
    let script = "/usr/sbin/policy-rc.d.kept-by-wildebeest";
    let machine = debian(&[("nginx", "1.22.1-9", INSTALLED)]).file(script, "own");
    assert_eq!(machine.plan(nginx).unwrap(), changed("services of packages are started again"));
    assert!(machine.apply(nginx).unwrap().changed());
    assert_eq!(machine.read("/usr/sbin/policy-rc.d").as_deref(), Some("own"));
    assert_eq!(machine.apply(nginx).unwrap(), Outcome::Unchanged);
}

#[test]
fn services_are_not_started_when_an_interrupted_run_is_mended_either() {
    let check = |said: &str, mending: &'static str| {
        let look = move |root: &Path, command: &Command| {
            if command.line().contains(mending) {
                let is_forbidden = *command == command.clone().env("WILDEBEEST_STARTS_NOTHING", "1");
                files::write(root.join("mended"), is_forbidden.to_string(), 0o644).unwrap();
            }
        };
        let machine = debian(&[]).dir("/usr/sbin").answer("apt-cache policy nginx", 0, TABLE);
        let machine = machine.does("dpkg", look).does("apt-get", look).answers("apt-get", &[(100, said), (0, "")]);
        machine.apply(|host| Ok(host.packages(["nginx"]).without_starting().installed()?)).unwrap_err();
        assert_eq!(machine.read("/mended").as_deref(), Some("true"), "{mending}: {:?}", machine.calls());
    };
    check("E: dpkg was interrupted, you must manually run 'dpkg --configure -a'", "--configure -a");
    check("E: Unmet dependencies. Try 'apt --fix-broken install' with no packages", "--fix-broken");
}

#[test]
fn what_nobody_needs_goes_when_asked() {
    let machine = debian(&[]).answers("apt-get", &[(0, "Remv libx [1.0]\n"), (0, "")]);
    let absent = |host: &Host| Ok(host.unneeded_packages().absent()?);
    assert_eq!(machine.apply(absent).unwrap(), changed("- libx"));
    assert_eq!(machine.apply(absent).unwrap(), Outcome::Unchanged);
    assert_eq!(acts(&machine).len(), 1);
}

#[test]
fn what_nobody_needs_is_asked_for_through_the_hardened_way() {
    let interrupted = "E: dpkg was interrupted, you must manually run 'dpkg --configure -a'";
    let absent = |host: &Host| Ok(host.unneeded_packages().absent()?);
    let machine = debian(&[]).answers("apt-get", &[(100, interrupted), (0, "")]).answer("dpkg --force", 0, "");
    assert_eq!(machine.apply(absent).unwrap(), Outcome::Unchanged);
    assert_eq!(acts(&machine), ["dpkg --force-confdef --force-confold --configure -a"]);
    let planned = debian(&[]).answer("apt-get", 100, interrupted);
    let why = format!("apt can't say what would go: {interrupted}");
    assert_eq!(planned.plan(absent).unwrap(), Outcome::Unknown { why });
    assert_eq!(planned.calls().len(), 1, "a plan mends nothing");
    let failing = debian(&[]).answer("apt-get", 100, "E: something else");
    let error = failing.apply(absent).unwrap_err().to_string();
    assert_eq!(error, "could not remove the packages that nobody needs");
}

#[test]
fn what_pacman_can_not_say_is_not_that_all_is_needed() {
    let absent = |host: &Host| Ok(host.unneeded_packages().absent()?);
    let query = "pacman --noconfirm --noprogressbar --color never -Qdtq";
    let none = of("ID=arch\n").answer(query, 1, "");
    assert_eq!(none.apply(absent).unwrap(), Outcome::Unchanged);
    let failing = of("ID=arch\n").complains(query, &[(1, "error: failed to initialize alpm library:\n")]);
    let error = format!("{:#}", failing.apply(absent).unwrap_err());
    assert!(error.starts_with("could not look for the packages that nobody needs: "), "{error}");
    assert!(error.contains("failed to initialize alpm library"), "{error}");
}

#[test]
fn what_would_mean_something_else_is_refused() {
    let check = |act: fn(&Host) -> Result<Outcome>, expect: &str| {
        let error = debian(&[]).apply(act).unwrap_err().to_string();
        assert_eq!(error.lines().next(), Some(expect));
    };
    check(|host| Ok(host.packages(["nginx-"]).installed()?), "`nginx-` is no name of a package");
    check(|host| Ok(host.packages(["a b"]).absent()?), "`a b` is no name of a package");
    check(
        |host| Ok(host.packages(["nginx"]).version("1; rm").installed()?),
        "`1; rm` is no version of the package `nginx`",
    );
    check(
        |host| Ok(host.packages(["nginx"]).version_of("vim", "1").installed()?),
        "a version is wanted of `vim`, which is not among the packages",
    );
    check(
        |host| Ok(host.packages(["nginx"]).by(Manager::Dnf).without_starting().installed()?),
        "dnf can't be told to install without starting services",
    );
    check(
        |host| Ok(host.packages(["nginx"]).by(Manager::Dnf).may_remove().installed()?),
        "dnf can't be told to remove packages for others",
    );
}

fn of(release: &str) -> Machine {
    Machine::new().file("/etc/os-release", release)
}

#[test]
fn dnf_is_asked_on_fedora() {
    let machine = of("ID=fedora\n")
        .answers("rpm -q", &[(1, "package nginx is not installed\n"), (0, "nginx|1|1.20.1-16.el9\n")])
        .answer("dnf -y -q --setopt=exit_on_lock=True repoquery", 0, "nginx|1|1.20.1-16.el9\nnginx|1|1.20.1-14.el9\n")
        .answer("dnf -y -q --setopt=exit_on_lock=True install", 0, "");
    let nginx = |host: &Host| Ok(host.packages(["nginx"]).without_recommended().installed()?);
    assert_eq!(machine.apply(nginx).unwrap(), changed("+ nginx 1:1.20.1-16.el9"));
    let install = machine.calls().into_iter().find(|line| line.contains(" install ")).unwrap();
    assert!(install.ends_with("install --setopt=install_weak_deps=False -- nginx"), "{install}");
    assert_eq!(machine.apply(nginx).unwrap(), Outcome::Unchanged);
}

/// A host on which rpm knows of one nginx, and dnf of a newer one.
fn fedora() -> Machine {
    of("ID=fedora\n").answer("rpm -q", 0, "nginx|1|1.20-1\n").answer(
        "dnf -y -q --setopt=exit_on_lock=True repoquery",
        0,
        "nginx|1|1.20-1\nnginx|1|1.22-1\n",
    )
}

const VERSIONLOCK: &str = "/etc/dnf/plugins/versionlock.conf";
const LOCKS: &str = "/etc/dnf/plugins/versionlock.list";

fn with_versionlock(machine: Machine) -> Machine {
    machine.file(VERSIONLOCK, &format!("[main]\nenabled = 1\nlocklist = {LOCKS}\n"))
}

fn hold(host: &Host) -> Result<Outcome> {
    Ok(host.packages(["nginx"]).held()?)
}

fn release(host: &Host) -> Result<Outcome> {
    Ok(host.packages(["nginx"]).unheld()?)
}

#[test]
fn dnf_holds_by_its_plugin() {
    let bare = fedora();
    let why = "the plugin `versionlock` is not installed yet".into();
    assert_eq!(bare.plan(hold).unwrap(), Outcome::Unknown { why });
    let error = bare.apply(hold).unwrap_err().to_string();
    assert!(error.starts_with("dnf holds no packages without its plugin `versionlock`\nhint: "), "{error}");
    assert_eq!(bare.apply(release).unwrap(), Outcome::Unchanged);
    let machine = with_versionlock(fedora());
    assert_eq!(machine.plan(hold).unwrap(), changed("hold nginx"));
    assert_eq!(machine.read(LOCKS), None);
    assert_eq!(machine.apply(hold).unwrap(), changed("hold nginx"));
    assert_eq!(machine.read(LOCKS).as_deref(), Some("nginx-1:1.20-1.*\n"));
    assert_eq!(machine.apply(hold).unwrap(), Outcome::Unchanged);
    machine.view(|host| host.package("nginx").is_held()).unwrap();
    assert_eq!(machine.apply(release).unwrap(), changed("release nginx"));
    assert_eq!(machine.read(LOCKS).as_deref(), Some(""));
    assert!(machine.calls().iter().all(|line| line.starts_with("rpm -q")), "{:?}", machine.calls());
}

#[test]
fn dnf_of_version_5_holds_by_a_table_of_its_own() {
    let machine = fedora().dir("/usr/bin");
    files::link("dnf5", machine.path("/usr/bin/dnf")).unwrap();
    assert_eq!(machine.apply(hold).unwrap(), changed("hold nginx"));
    let table = machine.read("/etc/dnf/versionlock.toml").unwrap();
    assert!(table.contains("name = \"nginx\"") && table.contains("value = \"1:1.20-1\""), "{table}");
    assert_eq!(machine.apply(hold).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.apply(release).unwrap(), changed("release nginx"));
    assert_eq!(machine.apply(release).unwrap(), Outcome::Unchanged);
}

#[test]
fn what_is_held_gets_only_a_version_that_is_said() {
    let machine = with_versionlock(fedora()).file(LOCKS, "nginx-1:1.20-1.*\n");
    let latest = |host: &Host| Ok(host.packages(["nginx"]).latest()?);
    for error in [machine.apply(latest).unwrap_err(), machine.plan(latest).unwrap_err()] {
        let error = error.to_string();
        let expect = "the package `nginx` is held in 1:1.20-1, and would come to 1:1.22-1\nhint: ";
        assert!(error.starts_with(expect), "{error}");
    }
    let outcome = machine.plan(|host| {
        release(host)?;
        Ok(host.packages(["nginx"]).latest()?)
    });
    assert_eq!(outcome.unwrap(), changed("nginx 1:1.20-1 -> 1:1.22-1"));
}

#[test]
fn a_plan_knows_what_it_would_hold() {
    let machine = debian(&[("nginx", "1.22.1-9", INSTALLED)]);
    let twice = |host: &Host| {
        hold(host)?;
        hold(host)?;
        release(host)?;
        release(host)
    };
    machine.plan(twice).unwrap();
    let (held, free) = ("package nginx held", "package nginx unheld");
    let said = format!("+ {held}\n    hold nginx\n= {held}\n+ {free}\n    release nginx\n= {free}");
    assert_eq!(machine.said(), said);
    assert_eq!(machine.calls(), [""; 0]);
}

#[test]
fn a_plan_holds_once_what_a_killed_run_let_go() {
    let machine = killed_after_apt();
    let pin = |host: &Host| {
        host.packages(["dpkg"]).installed()?;
        host.packages(["nginx"]).version("1.22.*").installed()?;
        hold(host)
    };
    machine.plan(pin).unwrap();
    let planned = machine.said();
    machine.apply(pin).unwrap();
    assert_eq!(machine.said(), planned);
    let held = "+ package dpkg installed\n    hold nginx\n= package nginx 1.22.* installed\n= package nginx held";
    assert_eq!(planned, held);
}

#[test]
fn dnf_is_told_of_a_new_version_while_nothing_is_held() {
    let machine = with_versionlock(of("ID=fedora\n"))
        .file(LOCKS, "nginx-1:1.20-1.*\n")
        .answers("rpm -q", &[(0, "nginx|1|1.20-1\n"), (0, "nginx|1|1.20-1\n"), (0, "nginx|1|1.22-1\n")])
        .does("dnf", |root, command| {
            if command.line().contains(" upgrade ") {
                let locks = files::read(root.join("etc/dnf/plugins/versionlock.list")).unwrap();
                files::write(root.join("seen"), locks, 0o644).unwrap();
                let let_go = files::read(root.join("etc/dnf/let-go.kept-by-wildebeest")).unwrap();
                files::write(root.join("let-go"), let_go, 0o644).unwrap();
            }
        })
        .answer("dnf -y -q --setopt=exit_on_lock=True repoquery", 0, "nginx|1|1.20-1\nnginx|1|1.22-1\n");
    let pin = |host: &Host| Ok(host.packages(["nginx"]).version("1.22-*").installed()?);
    assert_eq!(machine.apply(pin).unwrap(), changed("nginx 1:1.20-1 -> 1:1.22-1"));
    assert_eq!(machine.read("/seen").as_deref(), Some(""));
    assert_eq!(machine.read("/let-go").as_deref(), Some("nginx\n"), "it is written down before");
    assert_eq!(machine.read(LET_GO_BY_DNF), None);
    assert_eq!(machine.read(LOCKS).as_deref(), Some("nginx-1:1.22-1.*\n"));
    assert_eq!(machine.apply(pin).unwrap(), Outcome::Unchanged);
}

const LET_GO_BY_DNF: &str = "/etc/dnf/let-go.kept-by-wildebeest";

#[test]
fn dnf_and_zypper_hold_again_what_a_killed_run_let_go() {
    let check = |machine: Machine, note: &str, locks: &str, expect: &str| {
        let machine = machine.file(note, "nginx\n");
        let pin = |host: &Host| Ok(host.packages(["nginx"]).version("1.20*").installed()?);
        assert_eq!(machine.plan(pin).unwrap(), changed("hold nginx"), "{note}");
        assert_eq!(machine.read(locks), None);
        assert_eq!(machine.apply(pin).unwrap(), changed("hold nginx"), "{note}");
        assert_eq!((machine.read(locks).as_deref(), machine.read(note)), (Some(expect), None));
        assert_eq!(machine.apply(pin).unwrap(), Outcome::Unchanged, "{note}");
        assert!(machine.calls().iter().all(|line| line.starts_with("rpm -q")), "{:?}", machine.calls());
    };
    check(with_versionlock(fedora()), LET_GO_BY_DNF, LOCKS, "nginx-1:1.20-1.*\n");
    let suse = of("ID=sles\n").answer("rpm -q", 0, "nginx|1|1.20-1\n");
    let stanza = "\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: nginx\n\n";
    check(suse, "/etc/zypp/let-go.kept-by-wildebeest", "/etc/zypp/locks", stanza);
}

#[test]
fn what_dnf_could_not_install_is_held_again() {
    let machine = with_versionlock(fedora()).file(LOCKS, "nginx-1:1.20-1.*\n");
    let machine = machine.answer("dnf -y -q --setopt=exit_on_lock=True upgrade", 1, "Error: no space");
    machine.apply(|host| Ok(host.packages(["nginx"]).version("1.22-*").installed()?)).unwrap_err();
    assert_eq!((machine.read(LOCKS).as_deref(), machine.read(LET_GO_BY_DNF)), (Some("nginx-1:1.20-1.*\n"), None));
}

#[test]
fn what_a_pattern_holds_can_not_be_let_go_and_leaves_no_note() {
    let machine = with_versionlock(fedora()).file(LOCKS, "nginx-1:1.20-1.*\nngin*-0:1.20-1.*\n");
    let error = machine.apply(|host| Ok(host.packages(["nginx"]).version("1.22-*").installed()?)).unwrap_err();
    assert!(error.to_string().starts_with("the package `nginx` is held by a pattern"), "{error:#}");
    assert_eq!(machine.read(LET_GO_BY_DNF), None);
}

#[test]
fn each_manager_holds_by_its_file_and_starts_no_program_for_that() {
    let check = |machine: Machine, path: &str, expect: &str| {
        assert_eq!(machine.plan(hold).unwrap(), changed("hold nginx"), "{path}");
        assert_eq!(machine.read(path), None);
        assert_eq!(machine.apply(hold).unwrap(), changed("hold nginx"), "{path}");
        assert_eq!(machine.read(path).as_deref(), Some(expect));
        assert_eq!(machine.apply(hold).unwrap(), Outcome::Unchanged, "{path}");
        assert_eq!(machine.apply(release).unwrap(), changed("release nginx"), "{path}");
        assert_eq!(machine.apply(release).unwrap(), Outcome::Unchanged, "{path}");
        assert!(machine.calls().iter().all(|line| line.starts_with("rpm -q")), "{:?}", machine.calls());
    };
    let arch = of("ID=arch\n").dir("/var/lib/pacman/local/nginx-1.24.0-1");
    check(arch, "/etc/pacman.conf", "[options]\nIgnorePkg = nginx\n");
    let alpine = of("ID=alpine\n").file("/lib/apk/db/installed", "P:nginx\nV:1.24.0-r15\n\n");
    check(alpine, "/etc/apk/world", "nginx=1.24.0-r15\n");
    let suse = of("ID=sles\n").answer("rpm -q", 0, "nginx|0|1.21.5-1.1\n");
    let stanza = "\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: nginx\n\n";
    check(suse, "/etc/zypp/locks", stanza);
}

#[test]
fn a_database_of_rpm_that_can_not_be_read_is_an_error() {
    let machine = of("ID=fedora\n").complains("rpm -q", &[(1, "error: cannot open Packages database in /var/lib/rpm")]);
    let error = machine.apply(|host| Ok(host.packages(["nginx"]).absent()?)).unwrap_err();
    assert_eq!(error.to_string(), "could not look for the packages `nginx`");
    assert!(format!("{error:#}").contains("cannot open Packages database"), "{error:#}");
}

#[test]
fn each_way_to_another_version_has_its_word_in_dnf() {
    let offers = "nginx|1|1.22-1\nvim|0|9.0-1\ncurl|0|7.1-1\n";
    let machine = of("ID=fedora\n")
        .answer("rpm -q", 1, "nginx|1|1.20-1\nvim|0|9.1-1\npackage curl is not installed\n")
        .answer("dnf", 0, "")
        .answer("dnf -y -q --setopt=exit_on_lock=True repoquery", 0, offers);
    let three = |host: &Host| {
        let packages = host.packages(["nginx", "vim", "curl"]).version("*").version_of("nginx", "1.22*");
        Ok(packages.version_of("vim", "9.0*").may_downgrade().installed()?)
    };
    machine.apply(three).unwrap_err(); // rpm says the same as before
    let words: Vec<String> = machine
        .calls()
        .iter()
        .filter(|line| line.contains(" -- ") && line.starts_with("dnf"))
        .filter(|line| !line.contains("repoquery"))
        .map(|line| line.split(' ').skip(4).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        words,
        [
            "install --setopt=install_weak_deps=True -- curl-7.1-1",
            "upgrade --setopt=install_weak_deps=True -- nginx-1:1.22-1",
            "downgrade --setopt=install_weak_deps=True -- vim-9.0-1",
        ]
    );
}

#[test]
fn pacman_is_asked_on_arch_and_what_is_there_costs_no_program() {
    let machine = of("ID=arch\n")
        .file("/var/lib/pacman/local/pacman-6.0.2-1/desc", "")
        .file("/var/lib/pacman/sync/core.db", "")
        .answer(
            "pacman --noconfirm --noprogressbar --color never -Si",
            0,
            "Name            : nginx\nVersion         : 1.24.0-1\n",
        );
    assert_eq!(machine.apply(|host| Ok(host.packages(["pacman"]).installed()?)).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls(), [""; 0]);
    assert_eq!(machine.plan(|host| Ok(host.packages(["nginx"]).installed()?)).unwrap(), changed("+ nginx 1.24.0-1"));
}

#[test]
fn apk_is_asked_on_alpine_and_what_is_there_costs_no_program() {
    let policy = "nginx policy:\n  1.24.0-r15:\n    https://dl-cdn.alpinelinux.org/alpine/v3.19/main\n";
    let machine = of("ID=alpine\n")
        .file("/lib/apk/db/installed", "P:musl\nV:1.2.4-r2\n\n")
        .file("/var/cache/apk/APKINDEX.b53994b4.tar.gz", "")
        .answer("apk --no-progress --wait 300 policy -- nginx", 0, policy);
    assert_eq!(machine.apply(|host| Ok(host.packages(["musl"]).installed()?)).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls(), [""; 0]);
    assert_eq!(machine.plan(|host| Ok(host.packages(["nginx"]).installed()?)).unwrap(), changed("+ nginx 1.24.0-r15"));
}

#[test]
fn zypper_is_asked_on_suse() {
    let xml = "<solvable status=\"not-installed\" name=\"nginx\" kind=\"package\" edition=\"1.21.5-1.1\" arch=\"x86_64\" \
               repository=\"Main\"/>";
    let machine = of("ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n")
        .answers("rpm -q", &[(1, "package nginx is not installed\n"), (0, "nginx|0|1.21.5-1.1\n")])
        .answer("zypper --non-interactive --no-color --xmlout search", 0, xml)
        .answer("zypper --non-interactive --no-color install", 102, "");
    let nginx = |host: &Host| Ok(host.packages(["nginx"]).version("1.21.*").installed()?);
    assert_eq!(machine.apply(nginx).unwrap(), changed("+ nginx 1.21.5-1.1"));
    let install = machine.calls().into_iter().find(|line| line.contains(" install ")).unwrap();
    assert!(install.ends_with("install --auto-agree-with-licenses --recommends -- nginx=1.21.5-1.1"), "{install}");
}

#[test]
fn a_plan_cannot_know_what_others_before_it_decide() {
    let machine =
        debian(&[("vim", "9.0", INSTALLED)]).answer("apt-cache policy nginx", 0, TABLE).answer("apt-get", 0, "");
    let outcome = machine.plan(|host| {
        host.apt_repository("nginx").uri("https://nginx.org").suite("bookworm").component("nginx").present()?;
        Ok(host.packages(["nginx"]).installed()?)
    });
    assert_eq!(outcome.unwrap(), Outcome::Unknown { why: "the repositories change before it".into() });
    let outcome = machine.plan(|host| {
        host.packages(["vim"]).absent()?;
        Ok(host.unneeded_packages().absent()?)
    });
    assert_eq!(outcome.unwrap(), Outcome::Unknown { why: "packages change before it".into() });
}

#[test]
fn a_plan_knows_what_it_would_install() {
    let machine = debian(&[]).answer("apt-cache policy nginx", 0, POLICY);
    machine
        .plan(|host| {
            host.packages(["nginx"]).installed()?;
            host.packages(["nginx"]).installed()?;
            host.packages(["nginx"]).held()?;
            host.packages(["nginx"]).version("1.22.*").installed()?;
            Ok(host.packages(["nginx"]).absent()?)
        })
        .unwrap();
    let why = "(cannot know: packages change before it)";
    let unknown = format!("? package nginx 1.22.* installed {why}\n? package nginx absent {why}");
    let known = "+ package nginx installed\n    + nginx 1.22.1-9\n= package nginx installed\n+ package nginx held\n    \
                 hold nginx";
    assert_eq!(machine.said(), format!("{known}\n{unknown}"));
}

#[test]
fn a_manager_that_is_not_there_yet_is_unknown_to_a_plan_and_an_error() {
    let machine = debian(&[]);
    let check = |manager, program: &str| {
        let act = |host: &Host| Ok(host.packages(["nginx"]).by(manager).installed()?);
        let why = format!("the program `{program}` is not installed yet");
        assert_eq!(machine.plan(act).unwrap(), Outcome::Unknown { why });
        let error = format!("{:#}", machine.apply(act).unwrap_err());
        assert!(error.contains(&format!("the program `{program}` is not installed")), "{error}");
    };
    check(Manager::Dnf, "rpm");
    check(Manager::Zypper, "rpm");
    check(Manager::Pacman, "pacman");
    check(Manager::Apk, "apk");
}

#[test]
fn what_lacks_others_is_completed_and_nothing_is_removed_for_it() {
    let broken = "E: Unmet dependencies. Try 'apt --fix-broken install' with no packages (or specify a solution).";
    let machine = debian(&[]).answer("apt-cache policy nginx", 0, TABLE).answers("apt-get", &[(100, broken), (0, "")]);
    machine.apply(|host| Ok(host.packages(["nginx"]).installed()?)).unwrap_err(); // the status file stays as it is
    let acts = acts(&machine);
    let ends: Vec<&str> =
        acts.iter().filter_map(|line| line.split_once("=--force-confold ")).map(|(_, end)| end).collect();
    assert_eq!(ends, [INSTALL, "install --no-remove --fix-broken", INSTALL]);
}

#[test]
fn a_lock_is_waited_for() {
    let locked = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 42 (apt-get)";
    let turns = [(100, locked), (100, locked), (0, "")];
    let machine = debian(&[]).answer("apt-cache policy nginx", 0, TABLE).answers("apt-get", &turns);
    let error = machine.apply(|host| Ok(host.packages(["nginx"]).installed()?)).unwrap_err();
    assert_eq!(error.to_string(), "apt was to install the packages `nginx`, and ended well, but it is not so");
    assert_eq!(acts(&machine).len(), 3);
}

#[test]
fn a_lock_that_is_never_released_is_an_error_of_its_own() {
    let locked = "error: failed to init transaction (unable to lock database)";
    let machine = of("ID=arch\n")
        .dir("/var/lib/pacman/local")
        .file("/var/lib/pacman/sync/core.db", "")
        .file("/var/lib/pacman/db.lck", "")
        .dir("/proc/7/fd")
        .answer("pacman", 1, locked)
        .answer(
            "pacman --noconfirm --noprogressbar --color never -Si",
            0,
            "Name            : nginx\nVersion         : 1.24.0-1\n",
        );
    files::link("/var/lib/pacman/db.lck", machine.path("/proc/7/fd/3")).unwrap();
    let error = machine.apply(|host| Ok(host.packages(["nginx"]).installed()?)).unwrap_err().to_string();
    assert!(error.starts_with("could not install the packages `nginx`: pacman was locked for too long"), "{error}");
    assert!(machine.stat("/var/lib/pacman/db.lck").is_some());
}
