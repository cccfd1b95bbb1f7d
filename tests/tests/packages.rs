//! The crates as they would be on crates.io: packaged, unpacked, and a fleet that is built from these.
//!
//! Cargo itself sees, as it packages them, that each finds those before it under the version that it asks for. All else
//! that the fleet needs is compiled already, for this very program.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use wb_core::system::{Command, environment, files};
use wb_xtask::fleet;
use wb_xtask::scaffold::{Dependencies, Scaffold};
use wb_xtask::shell::Shell;

const CRATES: [&str; 4] = ["wb-core", "wb-macros", "wb-stdlib", "wb-xtask"];

#[test]
fn a_fleet_builds_from_the_published_crates() {
    let unpacked = unpack(&package(&target().join("packages")));
    let scratch = tempfile::tempdir().unwrap();
    let patches = CRATES.map(|name| format!("{name} = {{ path = {:?} }}\n", unpacked.join(versioned(name))));
    files::create_dir(scratch.path().join(".cargo")).unwrap();
    let config = format!("[patch.crates-io]\n{}", patches.concat());
    files::write(scratch.path().join(".cargo/config.toml"), config, 0o644).unwrap();
    let (shell, said) = Shell::captured();
    let fleet = scratch.path().join("fleet");
    let made = Scaffold::new(&fleet, Dependencies::Published).create(&shell);
    assert!(made.is_ok(), "{made:?}\n{}", said.text());
    let manifest = files::read_text(fleet.join("Cargo.toml")).unwrap();
    assert!(!manifest.contains("path =") && !manifest.contains("git ="), "{manifest}");
    let check = cargo().dir(&fleet).env("CARGO_TARGET_DIR", target());
    let checked = check.args(["check", "--workspace", "--all-targets", "--offline", "--locked"]).run().unwrap();
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

/// Packages all crates; gives where the archives lie.
fn package(place: &Path) -> PathBuf {
    let packages = CRATES.into_iter().flat_map(|name| ["--package", name]);
    let command = cargo().args(["package", "--offline", "--no-verify", "--allow-dirty"]).args(packages);
    let packaged = command.env("CARGO_TARGET_DIR", place).run().unwrap();
    assert_eq!(packaged.code, 0, "{}", packaged.error_text());
    assert!(!packaged.error_text().contains("warning"), "the packages lack something:\n{}", packaged.error_text());
    place.join("package")
}

/// Unpacks the archives, beside them. Files are as new as they are here: archives have all of the same day, by which cargo
/// takes what changed for what it compiled before.
fn unpack(packages: &Path) -> PathBuf {
    let sources = packages.join("sources");
    files::remove_tree(&sources).unwrap();
    files::create_dir(&sources).unwrap();
    for name in CRATES {
        let archive = packages.join(format!("{}.crate", versioned(name)));
        Command::new("tar").arg("-xzmf").arg(archive).arg("-C").arg(&sources).read().unwrap();
    }
    sources
}

fn versioned(name: &str) -> String {
    format!("{name}-{}", env!("CARGO_PKG_VERSION"))
}

fn cargo() -> Command {
    fleet::cargo().env_remove("RUSTFLAGS")
}

/// The directory that cargo builds in: this program lies in `<target>/debug/deps`.
fn target() -> PathBuf {
    environment::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned()
}
