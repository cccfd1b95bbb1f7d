//! The files of a new fleet. Each is a file under `templates/`, embedded.

use std::path::Path;

use toml_edit::{DocumentMut, Item, value};

use super::{Scaffold, toolchain};

/// The crate of migrations, in a fleet.
pub(super) const CRATE: &str = "migrations";

pub(super) const HERD: &str = include_str!("../../templates/herd.toml");
pub(super) const ROLES: &str = include_str!("../../templates/roles.rs");
pub(super) const SIGNERS: &str = include_str!("../../templates/allowed_signers");
pub(super) const TESTS: &str = include_str!("../../templates/migrations_test.rs");
pub(super) const FIRST_LINK: &str = include_str!("../../templates/base_packages.rs");

const WORKSPACE: &str = include_str!("../../templates/workspace.toml");
const TOOLCHAIN: &str = include_str!("../../templates/toolchain.toml");

const FIXED: [(&str, &str); 16] = [
    (".cargo/config.toml", include_str!("../../templates/alias.toml")),
    (".gitattributes", include_str!("../../templates/gitattributes")),
    (".github/workflows/ci.yml", include_str!("../../templates/ci.yml")),
    (".gitignore", include_str!("../../templates/gitignore")),
    (".gitlab-ci.yml", include_str!("../../templates/gitlab-ci.yml")),
    ("README.md", include_str!("../../templates/fleet.md")),
    ("rustfmt.toml", include_str!("../../templates/rustfmt.toml")),
    ("migrations/Cargo.toml", include_str!("../../templates/migrations.toml")),
    ("migrations/assets/README.md", include_str!("../../templates/assets.md")),
    ("migrations/build.rs", include_str!("../../templates/build.rs")),
    ("migrations/src/chain.rs", include_str!("../../templates/chain.rs")),
    ("migrations/src/main.rs", include_str!("../../templates/main.rs")),
    ("migrations/tests/runner.rs", include_str!("../../templates/runner_test.rs")),
    ("xtask/Cargo.toml", include_str!("../../templates/xtask.toml")),
    ("xtask/src/main.rs", include_str!("../../templates/xtask.rs")),
    ("xtask/tests/check.rs", include_str!("../../templates/check_test.rs")),
];

/// All files of `scaffold` but its migrations, by their path in the fleet. `wildebeest` is where its crates lie, if they
/// are not those of crates.io.
pub(super) fn files(scaffold: &Scaffold, wildebeest: Option<&Path>) -> Vec<(&'static str, Vec<u8>)> {
    let mut files: Vec<(&str, Vec<u8>)> = FIXED.iter().map(|(path, text)| (*path, text.as_bytes().to_vec())).collect();
    files.extend([
        ("Cargo.toml", workspace(wildebeest.map(|place| relative(place, &scaffold.dir)).as_deref()).into_bytes()),
        ("rust-toolchain.toml", toolchain_file().into_bytes()),
        ("migrations/allowed_signers", scaffold.signers.clone().into_bytes()),
        ("migrations/herd.toml", scaffold.herd.clone().into_bytes()),
        ("migrations/src/roles.rs", scaffold.roles.clone().into_bytes()),
        ("migrations/src/tests.rs", scaffold.tests.clone().into_bytes()),
    ]);
    files
}

/// A path in the fleet stays as it is when the fleet moves.
fn relative(wildebeest: &Path, fleet: &Path) -> String {
    wildebeest.strip_prefix(fleet).unwrap_or(wildebeest).display().to_string()
}

fn workspace(wildebeest: Option<&str>) -> String {
    with_value(WORKSPACE, |document| {
        for (name, crate_dir) in [("wb-core", "wb-core"), ("wb-stdlib", "wb-stdlib"), ("wb-xtask", "xtask")] {
            let dependency = &mut document["workspace"]["dependencies"][name];
            match wildebeest {
                Some(place) => dependency["path"] = value(format!("{place}/{crate_dir}")),
                None => of_crates_io(dependency),
            }
        }
    })
}

/// The version of this program: all crates of Wildebeest have the same.
fn of_crates_io(dependency: &mut Item) {
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    let has_more = dependency.as_inline_table().is_some_and(|table| table.len() > 1);
    if !has_more {
        *dependency = value(VERSION);
    } else if let Some(path) = dependency.as_inline_table_mut() {
        path.remove("path");
        let others: Vec<_> = path.iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
        *path = std::iter::once(("version".to_owned(), VERSION.into())).chain(others).collect();
    }
}

/// The profile of a fleet's everyday builds, as it stands in its `Cargo.toml`.
#[must_use]
pub fn dev_profile() -> &'static str {
    let from = WORKSPACE.find("[profile.dev]").unwrap_or_default();
    let to = WORKSPACE.find("# What hosts run").unwrap_or(WORKSPACE.len());
    &WORKSPACE[from..to]
}

/// How a fleet is compiled: as [`dev_profile`], and for hosts.
pub(crate) fn profiles() -> &'static str {
    let from = WORKSPACE.find("[profile.dev]").unwrap_or_default();
    &WORKSPACE[from..]
}

fn toolchain_file() -> String {
    with_value(TOOLCHAIN, |document| {
        if let Some(channel) = toolchain() {
            document["toolchain"]["channel"] = value(channel);
        }
    })
}

fn with_value(template: &str, edit: impl FnOnce(&mut DocumentMut)) -> String {
    let mut document: DocumentMut = template.parse().unwrap_or_default();
    edit(&mut document);
    document.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dependencies_are_where_wildebeest_is() {
        let text = workspace(Some("/opt/wildebeest"));
        assert!(text.contains(r#"wb-core = { path = "/opt/wildebeest/wb-core", default-features = false }"#), "{text}");
        assert!(text.contains(r#"wb-xtask = { path = "/opt/wildebeest/xtask" }"#), "{text}");
    }

    #[test]
    fn published_crates_are_named_by_their_version() {
        let (text, version) = (workspace(None), env!("CARGO_PKG_VERSION"));
        assert!(text.contains(&format!("wb-stdlib = \"{version}\"\nwb-xtask = \"{version}\"\n")), "{text}");
        let core = format!("wb-core = {{ version = \"{version}\", default-features = false }}\n");
        assert!(text.contains(&core), "{text}");
    }

    #[test]
    fn the_everyday_profile_is_toml_of_its_own() {
        let profile = dev_profile();
        let document: DocumentMut = profile.parse().unwrap();
        assert_eq!(document["profile"]["dev"]["package"]["syn@3"]["opt-level"].as_integer(), Some(1), "{profile}");
        assert!(document["profile"].get("release").is_none(), "{profile}");
    }

    /// What a fleet shares with this workspace is compiled once.
    #[test]
    fn fleets_are_compiled_as_this_workspace_is() {
        let here = include_str!("../../../Cargo.toml");
        assert!(
            here.contains(dev_profile()),
            "the profile `dev` of Cargo.toml is not that of templates/workspace.toml"
        );
    }

    /// What runners share in tests is compiled once, too.
    #[test]
    fn runners_are_compiled_as_those_of_this_workspace_are() {
        let release = |text: &str| {
            let document: DocumentMut = text.parse().unwrap();
            let profile = &document["profile"]["release"];
            let package = |name: &str| profile["package"][name]["opt-level"].as_integer();
            let packages = ["curve25519-dalek", "sha2"].map(package);
            let count = profile["package"].as_table().map(|all| all.len());
            let words = ["lto", "codegen-units", "strip"].map(|word| profile[word].to_string().trim().to_owned());
            (packages, count, profile.as_table().map(|all| all.len()), words)
        };
        assert_eq!(release(include_str!("../../../Cargo.toml")), release(WORKSPACE));
    }

    /// What optimises a whole program begins anew with each change.
    #[test]
    fn runners_are_optimised_crate_by_crate() {
        let document: DocumentMut = profiles().parse().unwrap();
        let release = &document["profile"]["release"];
        assert_eq!((release["lto"].as_str(), release["codegen-units"].as_integer()), (Some("off"), Some(16)));
        assert_eq!(release["strip"].as_bool(), Some(true));
    }

    #[test]
    fn a_vendored_copy_is_named_relative_to_the_fleet() {
        assert_eq!(relative(Path::new("/fleet/vendor/wildebeest"), Path::new("/fleet")), "vendor/wildebeest");
        assert_eq!(relative(Path::new("/opt/wildebeest"), Path::new("/fleet")), "/opt/wildebeest");
    }

    #[test]
    fn both_ci_files_run_the_same() {
        let commands = |path: &str| {
            let text = FIXED.iter().find(|(known, _)| *known == path).unwrap().1;
            let words = text.lines().filter_map(|line| line.trim().strip_prefix("- "));
            // On GitHub a host needs sudo.
            words.filter_map(|line| Some(line[line.find("cargo ")?..].to_owned())).collect::<Vec<_>>()
        };
        let github = commands(".github/workflows/ci.yml");
        for command in ["cargo xtask check", "cargo xtask test --junit target/junit.xml $ATTEST"] {
            assert!(github.contains(&command.to_owned()), "{github:?}");
        }
        assert_eq!(commands(".gitlab-ci.yml"), github);
    }

    /// Built beside the operator's commands, it would get the crash points that these ask for.
    #[test]
    fn nobody_is_told_to_build_the_runner_with_all_else() {
        let readme = include_str!("../../../README.md");
        let told = FIXED.iter().map(|(_, text)| *text).chain([readme, include_str!("../../../docs/src/herd.md")]);
        let builds: Vec<&str> = told.flat_map(|text| text.split("cargo build --release").skip(1)).collect();
        assert!(builds.len() >= 2, "{builds:?}");
        for after in builds {
            assert!(after.starts_with(" --package migrations"), "cargo build --release{after}");
        }
    }

    #[test]
    fn templates_that_are_toml_parse() {
        let toml = FIXED.iter().filter(|(path, _)| path.ends_with(".toml")).map(|(_, text)| *text);
        for text in toml.chain([WORKSPACE, TOOLCHAIN, HERD]) {
            assert!(text.parse::<DocumentMut>().is_ok(), "{text}");
        }
    }
}
