//! The crates on this disk that a crate is compiled with: what it depends on by path, and what these depend on.
//!
//! Cargo is asked for the members of a workspace alone, which needs neither a network nor what others have published. A
//! crate of another workspace is asked for by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, Package};
use toml::{Table, Value};
use wb_core::system::files::{self, FileError};

use crate::test::TestError;

/// The directories of all of them, that of the crate itself among them. `ask` has cargo tell of a workspace.
pub(super) fn of(
    crate_dir: &Path,
    ask: &dyn Fn(&Path) -> Result<Metadata, TestError>,
) -> Result<BTreeSet<PathBuf>, TestError> {
    let (mut found, mut known) = (BTreeSet::new(), BTreeMap::<PathBuf, Vec<PathBuf>>::new());
    let mut left = vec![crate_dir.to_owned()];
    while let Some(dir) = left.pop() {
        if !found.insert(dir.clone()) {
            continue;
        }
        if !known.contains_key(&dir) {
            let metadata = ask(&dir)?;
            left.extend(patches(metadata.workspace_root.as_std_path())?);
            for package in &metadata.packages {
                known.insert(place(package)?, neighbours(package)?);
            }
        }
        left.extend(known.get(&dir).into_iter().flatten().cloned());
    }
    Ok(found)
}

fn place(package: &Package) -> Result<PathBuf, FileError> {
    files::canonical(package.manifest_path.as_std_path().parent().unwrap_or(Path::new("/")))
}

/// What a package depends on by path, but for its tests.
fn neighbours(package: &Package) -> Result<Vec<PathBuf>, FileError> {
    let counting = package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
    let paths = counting.filter_map(|dependency| dependency.path.as_ref());
    paths.map(|path| files::canonical(path.as_std_path())).collect()
}

/// The directories of the crates that a workspace puts in the place of published ones.
fn patches(root: &Path) -> Result<Vec<PathBuf>, FileError> {
    let text = files::read_text(root.join("Cargo.toml"))?;
    // Cargo has read it.
    let manifest: Table = toml::from_str(&text).unwrap_or_default();
    let sources = manifest.get("patch").and_then(Value::as_table).into_iter().flat_map(|patched| patched.values());
    let crates = sources.filter_map(Value::as_table).flat_map(|source| source.values());
    let paths = crates.filter_map(|patch| patch.get("path")?.as_str());
    paths.map(|path| files::canonical(root.join(path))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What cargo says of a package that depends on these paths: dependencies are of a kind.
    fn package(dir: &Path, name: &str, dependencies: &[(&str, Option<&str>)]) -> Value {
        let dependency = |(path, kind): &(&str, Option<&str>)| {
            json!({ "name": path, "source": null, "req": "*", "kind": kind, "rename": null, "optional": false,
                "uses_default_features": true, "features": [], "target": null, "registry": null,
                "path": dir.join(path) })
        };
        json!({ "name": name, "version": "0.1.0", "id": format!("path+file://{name}"), "license": null,
            "license_file": null, "description": null, "source": null, "targets": [], "features": {},
            "manifest_path": dir.join(name).join("Cargo.toml"), "metadata": null, "publish": null, "authors": [],
            "categories": [], "keywords": [], "readme": null, "repository": null, "homepage": null,
            "documentation": null, "edition": "2024", "links": null, "default_run": null, "rust_version": null,
            "dependencies": dependencies.iter().map(dependency).collect::<Vec<_>>() })
    }

    fn workspace(dir: &Path, packages: &[Value]) -> Metadata {
        let said = json!({ "packages": packages, "workspace_members": [], "resolve": null, "target_directory": "/t",
            "version": 1, "workspace_root": dir, "metadata": null });
        serde_json::from_value(said).unwrap()
    }

    #[test]
    fn crates_by_path_are_found_from_one_to_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let top = files::canonical(dir.path()).unwrap();
        for name in ["migrations", "shop", "build", "far", "farther", "tests", "patched", "other"] {
            files::create_dir(top.join(name)).unwrap();
        }
        let patch = "[patch.crates-io]\nregex = { path = \"patched\" }\nserde = { git = \"x\" }\n";
        files::write(top.join("Cargo.toml"), patch, 0o644).unwrap();
        for name in ["far", "patched"] {
            files::write(top.join(name).join("Cargo.toml"), "", 0o644).unwrap();
        }
        let members = [
            package(&top, "migrations", &[("shop", None), ("build", Some("build")), ("tests", Some("dev"))]),
            package(&top, "shop", &[("far", None)]),
            package(&top, "build", &[("shop", None)]),
            package(&top, "other", &[("tests", None)]),
        ];
        let ask = |asked: &Path| -> Result<Metadata, TestError> {
            Ok(match asked.file_name().and_then(|name| name.to_str()) {
                Some("far") => workspace(asked, &[package(&top, "far", &[("farther", None)])]),
                Some("farther") => workspace(&top.join("far"), &[package(&top, "farther", &[])]),
                Some("patched") => workspace(asked, &[package(&top, "patched", &[])]),
                _ => workspace(&top, &members),
            })
        };
        let found = of(&top.join("migrations"), &ask).unwrap();
        let names: Vec<_> = found.iter().filter_map(|dir| dir.file_name()?.to_str()).collect();
        assert_eq!(names, ["build", "far", "farther", "migrations", "patched", "shop"]);
    }
}
