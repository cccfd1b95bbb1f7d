//! A fleet as its files say it: for a machine without cargo, where nothing is to be built.

use std::path::{Path, PathBuf};

use toml::{Table, Value};
use wb_core::system::files;

use super::Fleet;
use crate::glob;

/// The fleet that `dir` is in, if it is in one.
pub(super) fn around(dir: &Path) -> Option<Fleet> {
    dir.ancestors().find_map(in_workspace)
}

/// The crate at the top of a workspace, or else the first of its members, that has a herd.
fn in_workspace(top: &Path) -> Option<Fleet> {
    let manifest = manifest(top)?;
    let members = manifest.get("workspace").and_then(|workspace| workspace.get("members")).and_then(Value::as_array);
    let members = members.into_iter().flatten().filter_map(Value::as_str).flat_map(|member| glob::below(top, member));
    std::iter::once(top.to_owned()).chain(members).find_map(of_crate)
}

fn of_crate(crate_dir: PathBuf) -> Option<Fleet> {
    let manifest = manifest(&crate_dir)?;
    let package = name_of(manifest.get("package")?)?;
    let binaries = manifest.get("bin").and_then(Value::as_array);
    let binary = binaries.and_then(|binaries| name_of(binaries.first()?)).unwrap_or_else(|| package.clone());
    let fleet = Fleet { crate_dir, package, binary };
    files::exists(fleet.herd_path()).then_some(fleet)
}

fn name_of(what: &Value) -> Option<String> {
    what.get("name")?.as_str().map(str::to_owned)
}

fn manifest(dir: &Path) -> Option<Table> {
    toml::from_str(&files::read_text(dir.join("Cargo.toml")).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::HERD_FILE;

    #[test]
    fn a_fleet_is_found_from_everywhere_in_it() {
        let scratch = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = scratch.path().join(path);
            files::create_dir(path.parent().unwrap()).unwrap();
            files::write(path, text, 0o644).unwrap();
        };
        put("fleet/Cargo.toml", "[workspace]\nmembers = [\"xtask\", \"gone\", \"migrations\"]\n");
        put("fleet/xtask/Cargo.toml", "[package]\nname = \"xtask\"\n");
        put("fleet/migrations/Cargo.toml", "[package]\nname = \"m\"\n[[bin]]\nname = \"wildebeest\"\n");
        put(&format!("fleet/migrations/{HERD_FILE}"), "");
        put("fleet/migrations/src/main.rs", "");
        put("lone/Cargo.toml", "[package]\nname = \"lone\"\n");
        put(&format!("lone/{HERD_FILE}"), "");
        put("none/Cargo.toml", "[workspace]\nmembers = []\n");
        put("many/Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n");
        put("many/crates/a/Cargo.toml", "[package]\nname = \"a\"\n");
        put("many/crates/b/Cargo.toml", "[package]\nname = \"b\"\n");
        put(&format!("many/crates/b/{HERD_FILE}"), "");
        let check = |dir: &str, expect: Option<[&str; 3]>| {
            let found = around(&scratch.path().join(dir));
            let expect = expect.map(|[crate_dir, package, binary]| Fleet {
                crate_dir: scratch.path().join(crate_dir),
                package: package.into(),
                binary: binary.into(),
            });
            assert_eq!(found, expect, "{dir}");
        };
        let fleet = ["fleet/migrations", "m", "wildebeest"];
        for dir in ["fleet", "fleet/xtask", "fleet/migrations", "fleet/migrations/src"] {
            check(dir, Some(fleet));
        }
        check("lone", Some(["lone", "lone", "lone"]));
        check("many/crates/a", Some(["many/crates/b", "b", "b"]));
        check("none", None);
        check("", None);
    }
}
