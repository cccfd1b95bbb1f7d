//! The crates as they would be on crates.io: packaged, served by a registry on this disk in place of crates.io, and a
//! fleet that is built from there.
//!
//! What else the crates need, the registry has from cargo's own store, which holds what this very program was compiled
//! with. Of crates for other platforms it may hold no more than that they exist, and more is not needed. So nothing here
//! needs a network.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use wb_core::system::{Command, environment, files};
use wb_xtask::scaffold::{Dependencies, Scaffold};
use wb_xtask::shell::Shell;

const CRATES: [&str; 4] = ["wb-core", "wb-macros", "wb-stdlib", "wb-xtask"];

#[test]
fn a_fleet_builds_from_the_published_crates() {
    let place = target().join("packages");
    let registry = registry(&package(&place), &place.join("registry"));
    let scratch = tempfile::tempdir().unwrap();
    let source =
        format!("[source.crates-io]\nreplace-with = \"here\"\n\n[source.here]\nlocal-registry = {registry:?}\n");
    files::create_dir(scratch.path().join(".cargo")).unwrap();
    files::write(scratch.path().join(".cargo/config.toml"), source, 0o644).unwrap();
    let (shell, said) = Shell::captured();
    let fleet = scratch.path().join("fleet");
    let made = Scaffold::new(&fleet, Dependencies::Published).create(&shell);
    assert!(made.is_ok(), "{made:?}\n{}", said.text());
    let manifest = files::read_text(fleet.join("Cargo.toml")).unwrap();
    assert!(!manifest.contains("path =") && !manifest.contains("git ="), "{manifest}");

    // A version never changes on crates.io, so cargo would look neither at another text nor compile it.
    let home = place.join("home");
    files::remove_tree(home.join("registry/src")).unwrap();
    let cargo = |args: &[&str]| {
        let cargo = cargo().dir(&fleet).env("CARGO_HOME", &home).env("CARGO_TARGET_DIR", place.join("target"));
        cargo.args(args).args(["--offline", "--locked"]).run().unwrap()
    };
    let forget: Vec<&str> =
        std::iter::once("clean").chain(CRATES.into_iter().flat_map(|name| ["--package", name])).collect();
    cargo(&forget);
    let checked = cargo(&["check", "--workspace", "--all-targets"]);
    assert_eq!(checked.code, 0, "{}", checked.error_text());
    assert!(!checked.error_text().contains("warning"), "{}", checked.error_text());
}

#[test]
fn packages_hold_what_they_need_and_no_more() {
    for name in CRATES {
        let listed =
            cargo().args(["package", "--list", "--allow-dirty", "--offline", "--package", name]).read().unwrap();
        let belongs = |file: &str| {
            let made_by_cargo = ["Cargo.toml", "Cargo.toml.orig", "Cargo.lock", ".cargo_vcs_info.json", "README.md"];
            let places = ["src/", "templates/", "examples/", "tests/"];
            made_by_cargo.contains(&file)
                || places.iter().any(|place| file.starts_with(place)) && !file.contains(".snap")
        };
        let junk: Vec<&str> = listed.lines().filter(|file| !belongs(file)).collect();
        assert_eq!(junk, Vec::<&str>::new(), "{name}");
        assert!(listed.contains("README.md") && listed.contains("src/lib.rs"), "{name}: {listed}");
    }
}

/// Packages all crates; gives the registry that cargo itself makes of them, so that each finds those before it.
fn package(place: &Path) -> PathBuf {
    let packages = CRATES.into_iter().flat_map(|name| ["--package", name]);
    let command = cargo().args(["package", "--offline", "--no-verify", "--allow-dirty"]).args(packages);
    let packaged = command.env("CARGO_TARGET_DIR", place).run().unwrap();
    assert_eq!(packaged.code, 0, "{}", packaged.error_text());
    assert!(!packaged.error_text().contains("warning"), "the packages lack something:\n{}", packaged.error_text());
    place.join("package/tmp-registry")
}

/// A registry of `own` crates, and of all that the lock of this workspace has from crates.io.
fn registry(own: &Path, at: &Path) -> PathBuf {
    files::remove_tree(at).unwrap();
    for name in CRATES {
        let entry = index_path(name);
        write(&at.join("index").join(&entry), &files::read(own.join("index").join(&entry)).unwrap());
        let file = format!("{name}-{}.crate", env!("CARGO_PKG_VERSION"));
        files::copy(own.join(&file), at.join(&file)).unwrap();
    }
    let store = Store::of_cargo();
    for (name, version) in locked() {
        store.serve(&name, &version, at);
    }
    at.to_owned()
}

/// Cargo's own store of what it knows of crates.io, and has from there.
struct Store {
    index: Vec<PathBuf>,
    crates: Vec<PathBuf>,
}

impl Store {
    fn of_cargo() -> Self {
        let home = environment::var("HOME").map(|home| format!("{home}/.cargo"));
        let home = PathBuf::from(environment::var("CARGO_HOME").or(home).unwrap());
        let registries = |what: &str| files::list(home.join("registry").join(what)).unwrap();
        Self { index: registries("index"), crates: registries("cache") }
    }

    fn serve(&self, name: &str, version: &str, at: &Path) {
        let path = index_path(name);
        let known = self.index.iter().find_map(|dir| files::read_optional(dir.join(".cache").join(&path)).unwrap());
        let entry = entry(&known.unwrap_or_default(), version);
        let before = files::read_optional(at.join("index").join(&path)).unwrap().unwrap_or_default();
        write(&at.join("index").join(&path), &[before, entry.into_bytes()].concat());
        let file = format!("{name}-{version}.crate");
        if let Some(there) = self.crates.iter().map(|dir| dir.join(&file)).find(|path| files::exists(path)) {
            files::link(there, at.join(&file)).unwrap();
        }
    }
}

/// The line for one version, from a file of versions and lines with zeros between them.
fn entry(known: &[u8], version: &str) -> String {
    let lines = known.split(|byte| *byte == 0).filter(|line| line.starts_with(b"{"));
    let mut lines = lines.filter_map(|line| Some((serde_json::from_slice::<Value>(line).ok()?, line)));
    let found = lines.find(|(line, _)| line["vers"] == version);
    found.map(|(_, line)| format!("{}\n", String::from_utf8_lossy(line))).unwrap_or_default()
}

/// Where an index has a crate.
fn index_path(name: &str) -> PathBuf {
    match name.len() {
        length @ 1..=2 => Path::new(&length.to_string()).join(name),
        3 => Path::new("3").join(&name[..1]).join(name),
        _ => Path::new(&name[..2]).join(&name[2..4]).join(name),
    }
}

/// What the lock of this workspace has from crates.io.
fn locked() -> Vec<(String, String)> {
    let text = files::read_text(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
    let value = |package: &str, key: &str| {
        let mut lines = package.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
        lines.next().map(|value| value.trim_matches('"').to_owned())
    };
    let foreign = text.split("[[package]]").filter(|package| package.contains("source = \"registry+"));
    foreign.map(|package| (value(package, "name").unwrap(), value(package, "version").unwrap())).collect()
}

fn write(path: &Path, content: &[u8]) {
    files::create_dir(path.parent().unwrap()).unwrap();
    files::write(path, content, 0o644).unwrap();
}

fn cargo() -> Command {
    Command::new(environment::var("CARGO").unwrap_or_else(|| "cargo".to_owned())).env_remove("RUSTFLAGS")
}

/// The directory that cargo builds in: this program lies in `<target>/debug/deps`.
fn target() -> PathBuf {
    environment::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned()
}
