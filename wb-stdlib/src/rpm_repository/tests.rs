use super::*;
use crate::machine::{Machine, changed};
use crate::openpgp::fixtures::{FINGERPRINT, KEY};

const FILE: &str = "/etc/yum.repos.d/shop.repo";
const KEY_FILE: &str = "/etc/pki/rpm-gpg/shop.asc";
const TEXT: &str = "[shop]\nname=shop\nbaseurl=https://rpm.example.org/\nenabled=1\ngpgcheck=1\n\
                    gpgkey=file:///etc/pki/rpm-gpg/shop.asc\n";
const NO_KEYS: (i32, &str) = (1, "package gpg-pubkey is not installed\n");
const KEYS: (i32, &str) = (0, "97965a9a-53f35f0b\n");

fn fedora() -> Machine {
    Machine::new().file("/etc/os-release", "ID=fedora\n")
}

fn present(host: &Host) -> Result<Outcome> {
    Ok(host.rpm_repository("shop").uri("https://rpm.example.org/").key(KEY).present()?)
}

fn trusted(host: &Host) -> Result<Outcome> {
    Ok(host.rpm_repository("shop").uri("file:///srv/shop").trusted().present()?)
}

fn diff() -> String {
    let lines: Vec<String> = TEXT.lines().map(|line| format!("\n+ {line}")).collect();
    format!("+ {KEY_FILE}\n+ key {FINGERPRINT} of Shop <shop@example.org>\n{FILE}{}", lines.concat())
}

#[test]
fn a_repository_is_written_after_its_key_is_trusted() {
    let machine = fedora().answers("rpm -q", &[NO_KEYS, NO_KEYS, KEYS]).does("rpm --import", |root, _| {
        assert!(files::exists(root.join("etc/pki/rpm-gpg/shop.asc")), "the key comes first");
        assert!(!files::exists(root.join("etc/yum.repos.d/shop.repo")), "the file comes last");
    });
    let before = machine.snapshot();
    assert_eq!(machine.plan(present).unwrap(), changed(&diff()));
    assert_eq!(machine.snapshot(), before);
    assert_eq!(machine.apply(present).unwrap(), changed(&diff()));
    assert_eq!((machine.read(FILE).as_deref(), machine.read(KEY_FILE).as_deref()), (Some(TEXT), Some(KEY)));
    assert!(machine.calls().contains(&format!("rpm --import {KEY_FILE}")));
    let calls = machine.calls().len();
    assert_eq!(machine.apply(present).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls().len(), calls + 1);
    machine.view(|host| host.rpm_repository("shop").exists()).unwrap();
}

#[test]
fn without_a_key_it_costs_no_program() {
    let machine = fedora();
    assert!(machine.apply(trusted).unwrap().changed());
    assert_eq!(machine.apply(trusted).unwrap(), Outcome::Unchanged);
    assert!(machine.read(FILE).unwrap().contains("gpgcheck=0\n"));
    assert_eq!(machine.calls(), [""; 0]);
}

#[test]
fn a_change_shows_what_changes() {
    let machine = fedora().file(FILE, &TEXT.replace("enabled=1", "enabled=0")).file(KEY_FILE, "old\n");
    let machine = machine.answer("rpm -q", KEYS.0, KEYS.1);
    let diff = format!("{KEY_FILE}: another key\n{FILE}\n- enabled=0\n+ enabled=1");
    assert_eq!(machine.plan(present).unwrap(), changed(&diff));
    assert_eq!(machine.apply(present).unwrap(), changed(&diff));
    assert_eq!(machine.read(KEY_FILE).as_deref(), Some(KEY));
}

#[test]
fn a_key_that_rpm_does_not_take_leaves_no_repository() {
    let machine = fedora().answers("rpm -q", &[NO_KEYS]).answer("rpm --import", 1, "");
    let error = machine.apply(present).unwrap_err().to_string();
    assert_eq!(error, format!("could not import the keys {FINGERPRINT}"));
    assert_eq!(machine.read(FILE), None);
}

#[test]
fn it_can_be_absent() {
    let absent = |host: &Host| Ok(host.rpm_repository("shop").absent()?);
    let machine = fedora().file(FILE, TEXT).file(KEY_FILE, KEY);
    assert_eq!(machine.plan(absent).unwrap(), changed(&format!("- {FILE}\n- {KEY_FILE}")));
    assert!(machine.apply(absent).unwrap().changed());
    assert_eq!((machine.read(FILE), machine.read(KEY_FILE)), (None, None));
    assert_eq!(machine.apply(absent).unwrap(), Outcome::Unchanged);
    assert!(machine.view(|host| host.rpm_repository("shop").exists()).is_err());
}

#[test]
fn zypper_has_its_own_directory() {
    let machine = Machine::new().file("/etc/os-release", "ID=\"opensuse-leap\"\n");
    assert!(machine.apply(trusted).unwrap().changed());
    assert!(machine.read("/etc/zypp/repos.d/shop.repo").unwrap().contains("autorefresh=1\n"));
    let debian = Machine::new();
    let by_dnf =
        |host: &Host| Ok(host.rpm_repository("shop").by(Manager::Dnf).uri("file:///srv/shop").trusted().present()?);
    assert!(debian.apply(by_dnf).unwrap().changed());
    assert!(debian.read(FILE).is_some());
    let error = Machine::new().apply(trusted).unwrap_err().to_string();
    let expect = "the repository `shop` is one for dnf or zypper, and this host has apt\nhint: ";
    assert!(error.starts_with(expect), "{error}");
}

#[test]
fn a_repository_of_another_file_is_not_said_twice() {
    let machine = fedora().file("/etc/yum.repos.d/all.repo", "[base]\n[shop]\nenabled=0\n");
    assert!(machine.plan(trusted).unwrap().changed(), "something before it may remove the other");
    let error = machine.apply(trusted).unwrap_err().to_string();
    assert!(error.starts_with("there is a repository `shop` in /etc/yum.repos.d/all.repo, too\nhint: "), "{error}");
    assert_eq!(machine.read(FILE), None);
    let machine = fedora().file("/etc/yum.repos.d/all.repo.rpmsave", "[shop]\n");
    assert!(machine.apply(trusted).unwrap().changed());
}

#[test]
fn without_rpm_a_plan_cannot_know() {
    let why = "the program `rpm` is not installed yet".into();
    assert_eq!(fedora().plan(present).unwrap(), Outcome::Unknown { why });
    assert!(fedora().apply(present).is_err());
}

#[test]
fn a_name_is_one_of_a_file() {
    let check = |name: &str| {
        let error = fedora().apply(|host| Ok(host.rpm_repository(name).absent()?)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{name}` is no name of a repository")), "{error}");
    };
    check("");
    check("../x");
    check(".hidden");
    check("a b");
    check("a]\n[b");
    check("main");
}
