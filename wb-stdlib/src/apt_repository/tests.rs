use super::*;
use crate::machine::{Machine, changed};

const KEY: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQINBFit\n-----END PGP PUBLIC KEY BLOCK-----\n";
const SOURCE: &str = "/etc/apt/sources.list.d/shop.sources";
const STANZA: &str = "Types: deb\nURIs: https://deb.example.org\nSuites: bookworm\nComponents: main\n\
                      Signed-By: /etc/apt/keyrings/shop.asc\n";
const DIFF: &str = "+ /etc/apt/keyrings/shop.asc\n--- /dev/null\n+++ /etc/apt/sources.list.d/shop.sources\n\
                    @@ -0,0 +1,5 @@\n+Types: deb\n+URIs: https://deb.example.org\n+Suites: bookworm\n+Components: main\n\
                    +Signed-By: /etc/apt/keyrings/shop.asc";

fn machine() -> Machine {
    Machine::new().dir("/etc/apt/sources.list.d")
}

fn present(host: &Host) -> Result<Outcome> {
    let shop = host.apt_repository("shop").uri("https://deb.example.org").suite("bookworm").component("main");
    Ok(shop.key(KEY).present()?)
}

#[test]
fn a_repository_is_written_after_apt_read_it() {
    let machine = machine().answer("apt-get", 0, "");
    assert_eq!(machine.apply(present).unwrap(), changed(DIFF));
    assert_eq!(machine.read(SOURCE).as_deref(), Some(STANZA));
    assert_eq!(machine.read("/etc/apt/keyrings/shop.asc").as_deref(), Some(KEY));
    let update = &machine.calls()[0];
    for part in
        ["Dir::Etc::SourceList=/etc/apt/.shop.trial/shop.sources", "SourceParts=-", "List-Cleanup=0", " update "]
    {
        assert!(update.contains(part), "{update}");
    }
    let reading = &machine.calls()[1];
    assert!(
        reading.contains("SourceParts=/etc/apt/.shop.trial/parts") && reading.contains(" indextargets"),
        "{reading}"
    );
    assert_eq!(machine.stat("/etc/apt/.shop.trial"), None);
}

#[test]
fn one_that_is_there_costs_no_program() {
    let machine = machine().answer("apt-get", 0, "");
    machine.apply(present).unwrap();
    assert_eq!(machine.apply(present).unwrap(), Outcome::Unchanged);
    assert_eq!(machine.calls().len(), 2);
    machine.view(|host| host.apt_repository("shop").exists()).unwrap();
}

#[test]
fn a_plan_writes_nothing() {
    let machine = machine();
    let before = machine.snapshot();
    assert_eq!(machine.plan(present).unwrap(), changed(DIFF));
    assert_eq!((machine.snapshot(), machine.calls().len()), (before, 0));
}

#[test]
fn what_apt_refuses_leaves_all_as_it_was() {
    let machine = machine()
        .file(SOURCE, "Types: deb\nURIs: https://old.example.org\nSuites: bookworm\nComponents: main\n")
        .file("/etc/apt/keyrings/shop.asc", "old")
        .answer("apt-get", 100, "E: The repository 'https://deb.example.org bookworm Release' is not signed.");
    let before = machine.snapshot();
    let error = machine.apply(present).unwrap_err();
    assert_eq!(error.to_string(), "apt does not take the repository `shop`, so it was left as it was");
    assert!(format!("{error:#}").contains("is not signed"), "{error:#}");
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn lists_that_apt_ignores_are_refused_too() {
    let machine = machine().answer("apt-get", 0, "W: Failed to fetch https://deb.example.org/dists/bookworm/InRelease");
    assert!(machine.apply(present).is_err());
    assert_eq!(machine.stat(SOURCE), None);
}

#[test]
fn a_change_shows_what_changes() {
    let machine = machine()
        .file(SOURCE, &STANZA.replace("bookworm", "bullseye"))
        .file("/etc/apt/keyrings/shop.asc", "old")
        .answer("apt-get", 0, "");
    let Outcome::Changed { diff: Some(diff) } = machine.apply(present).unwrap() else { panic!("it did not change") };
    assert!(diff.starts_with("/etc/apt/keyrings/shop.asc: another key\n--- "), "{diff}");
    assert!(diff.contains("-Suites: bullseye\n+Suites: bookworm"), "{diff}");
}

#[test]
fn it_can_be_absent() {
    let machine = machine().answer("apt-get", 0, "");
    let absent = |host: &Host| Ok(host.apt_repository("shop").absent()?);
    machine.apply(present).unwrap();
    assert!(machine.apply(absent).unwrap().changed());
    assert_eq!(machine.snapshot().len(), 0);
    assert_eq!(machine.apply(absent).unwrap(), Outcome::Unchanged);
    assert!(machine.view(|host| host.apt_repository("shop").exists()).is_err());
}

#[test]
fn a_name_is_one_of_a_file() {
    let check = |name: &str| {
        let error = machine().apply(|host| Ok(host.apt_repository(name).absent()?)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{name}` is no name of a repository")), "{error}");
    };
    check("");
    check("../x");
    check(".hidden");
    check("a b");
    check("a\nb");
}

#[test]
fn a_directory_in_its_place_stays() {
    let machine = machine().dir(SOURCE);
    let error = machine.apply(present).unwrap_err().to_string();
    assert!(error.starts_with("/etc/apt/sources.list.d/shop.sources is to be a file"), "{error}");
}

#[test]
fn what_stands_against_another_file_is_refused() {
    let said = "E: Conflicting values set for option Signed-By regarding source https://deb.example.org/ bookworm: \
                /etc/apt/keyrings/shop.asc != /x/other.gpg\nE: The list of sources could not be read.";
    let machine = machine()
        .file("/etc/apt/sources.list.d/old.list", "deb [signed-by=/x/other.gpg] https://deb.example.org bookworm main")
        .answers("apt-get", &[(0, ""), (100, said)]);
    let before = machine.snapshot();
    let error = format!("{:#}", machine.apply(present).unwrap_err());
    assert!(error.contains("Conflicting values set for option Signed-By"), "{error}");
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn a_trial_that_was_cut_short_is_begun_anew() {
    let machine = machine()
        .file("/etc/apt/sources.list.d/old.list", "")
        .file("/etc/apt/.shop.trial/parts/old.list", "")
        .answer("apt-get", 0, "");
    assert!(machine.apply(present).unwrap().changed());
    assert_eq!(machine.stat("/etc/apt/.shop.trial"), None);
}
