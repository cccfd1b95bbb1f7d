//! What a link runs beside its own file: other code of its crate, and crates of others. The digest of a link does not
//! see that, and who wants to know whether a link is still the same must.
//!
//! Two questions are asked. Whether a link calls anything of it stands in its tokens. What that is then is not followed
//! from call to call: all of it counts.

mod calls;
mod code;
mod crates;

use std::path::Path;

use wb_core::chain::Digest;
use wb_core::system::files;

use super::TestError;
use crate::fleet;

pub use calls::calls;

/// What a crate says outside of its chain, with the crates beside it that its runner is compiled from. Those from
/// elsewhere count for all links.
///
/// # Errors
/// When something of it can't be read.
pub fn digest(crate_dir: &Path) -> Result<Digest, TestError> {
    let crate_dir = files::canonical(crate_dir)?;
    let crates = crates::of(&crate_dir, &|dir| Ok(fleet::metadata(dir)?))?;
    let mut told = code::of(&crate_dir)?;
    for dir in crates.iter().filter(|dir| **dir != crate_dir) {
        told.push(dir.file_name().unwrap_or_default().to_string_lossy().into_owned());
        told.extend(contents(dir, Some(&crate_dir))?);
    }
    Ok(Digest::of(told.join("\n").as_bytes()))
}

/// A line for each file below a directory: its path from there, and a digest of it. What lies in `without` is passed
/// over, and what compilers and editors put there.
pub(super) fn contents(top: &Path, without: Option<&Path>) -> Result<Vec<String>, files::FileError> {
    let (mut told, mut left) = (Vec::new(), vec![top.to_owned()]);
    while let Some(dir) = left.pop() {
        for path in files::list(&dir)? {
            let is_there = |stat: &files::Stat| stat.kind != files::Kind::Other && !is_by_the_way(&path);
            // A link counts as the file that it leads to. One to a directory could lead to one above it.
            match files::stat(&path)?.filter(is_there).map(|stat| stat.kind) {
                Some(files::Kind::Directory) if without != Some(path.as_path()) => left.push(path),
                Some(files::Kind::File) => told.push(line(top, &path)?),
                Some(files::Kind::Link) if leads_to_file(&path)? => told.push(line(top, &path)?),
                _ => {}
            }
        }
    }
    told.sort();
    Ok(told)
}

fn line(top: &Path, path: &Path) -> Result<String, files::FileError> {
    let name = path.strip_prefix(top).unwrap_or(path);
    Ok(format!("{} {}", name.display(), Digest::of(&files::read(path)?)))
}

fn is_by_the_way(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name == "target" || name.starts_with('.') || name.ends_with('~')
}

fn leads_to_file(link: &Path) -> Result<bool, files::FileError> {
    Ok(files::stat_of_end(link)?.is_some_and(|stat| stat.kind == files::Kind::File))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(dir: &Path, path: &str, text: &str) {
        let path = dir.join(path);
        files::create_dir(path.parent().unwrap()).unwrap();
        files::write(path, text, 0o644).unwrap();
    }

    #[test]
    fn a_directory_is_told_by_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let names = |without: Option<&str>| -> Vec<String> {
            let without = without.map(|name| dir.path().join(name));
            let told = contents(dir.path(), without.as_deref()).unwrap();
            told.iter().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
        };
        for path in ["src/lib.rs", "assets/a", "target/debug/x", ".git/HEAD", "src/lib.rs~", "own/src/main.rs"] {
            put(dir.path(), path, "x");
        }
        files::link("assets/a", dir.path().join("link")).unwrap();
        files::link("..", dir.path().join("src/up")).unwrap();
        files::link("nowhere", dir.path().join("dangling")).unwrap();
        assert_eq!(names(None), ["assets/a", "link", "own/src/main.rs", "src/lib.rs"]);
        assert_eq!(names(Some("own")), ["assets/a", "link", "src/lib.rs"]);
        let before = contents(dir.path(), None).unwrap();
        put(dir.path(), "assets/a", "y");
        assert_ne!(contents(dir.path(), None).unwrap(), before);
    }

    #[test]
    fn crates_beside_it_count() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("migrations");
        put(dir.path(), "Cargo.toml", "[workspace]\nmembers = [\"migrations\"]\nresolver = \"3\"\n");
        let package = |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
        let depends = "[dependencies]\nshop = { path = \"../shop\" }\n";
        put(&own, "Cargo.toml", &format!("{}{depends}", package("migrations")));
        put(&own, "src/main.rs", "mod chain;");
        put(&own, "src/chain/a.rs", "fn a() {}");
        put(dir.path(), "shop/Cargo.toml", &package("shop"));
        put(dir.path(), "shop/src/lib.rs", "pub fn go() {}");
        put(dir.path(), "other/src/lib.rs", "pub fn go() {}");
        let after = |path: &str, text: &str| {
            put(dir.path(), path, text);
            digest(&own).unwrap()
        };
        let before = digest(&own).unwrap();
        assert_eq!(after("migrations/src/chain/a.rs", "fn a() { b() }"), before);
        assert_eq!(after("other/src/lib.rs", "pub fn went() {}"), before);
        let another = after("shop/src/lib.rs", "pub fn went() {}");
        assert_ne!(another, before);
        assert_ne!(after("migrations/src/main.rs", "mod chain;\nmod pages;"), another);
    }
}
