//! What names a layer: a hash of all that made the disk what it is. Whatever is another one then, the layer is not
//! found, and the links are run anew.
//!
//! Links find other hosts as far as they are themselves, so that those count that other hosts have run, too. Who of the
//! hosts was there does not: a test of one role begins on the layers of a test of all, and the other way round.

use std::path::Path;

use wb_core::chain::{Digest, Link};
use wb_core::system::files::{self, FileError};
use wb_core::system::{Command, environment};

use super::TestError;
use super::helpers::contents;
use crate::build::BuildError;
use crate::scaffold;

/// What hosts begin with.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// The version of the image.
    pub image: &'a str,
    /// Wildebeest, and what else runners are made by: see [`makers`].
    pub wildebeest: &'a str,
    /// What the host knows of itself and the others.
    pub script: &'a str,
}

/// A link that new hosts run, and what it calls.
#[derive(Debug, Clone, Copy)]
pub struct Ran<'a> {
    /// The link.
    pub link: &'a Link,
    /// Whether this host runs it, and not others alone.
    pub here: bool,
    /// What the rest of the crate says, where the link calls it.
    pub helpers: Option<Digest>,
}

/// The digits of a key.
const DIGITS: usize = 32;

/// The keys of the layers after each link that a host runs, where hosts run these, one after the other.
#[must_use]
pub fn keys(ground: &Ground<'_>, ran: &[Ran<'_>]) -> Vec<String> {
    let first = hash(&["layer 3", ground.image, ground.wildebeest, ground.script]);
    let next = |before: &mut String, ran: &Ran<'_>| {
        let helpers = ran.helpers.map(|digest| digest.to_string()).unwrap_or_default();
        let (place, link) = (if ran.here { "here" } else { "elsewhere" }, ran.link);
        *before = hash(&[before.as_str(), place, &link.sha1.to_string(), &link.digest.to_string(), &helpers]);
        Some(ran.here.then(|| before[..DIGITS].to_owned()))
    };
    ran.iter().scan(first, next).flatten().collect()
}

/// No two lists of words look alike.
fn hash(words: &[&str]) -> String {
    let text: String = words.iter().map(|word| format!("{}:{word}\n", word.len())).collect();
    Digest::of(text.as_bytes()).to_string()
}

/// What makes runners besides the code of a fleet: Wildebeest, the crates of others, and the compiler.
///
/// # Errors
/// When something of it can't be read, or the compiler can't be asked.
pub fn makers(crate_dir: &Path) -> Result<String, TestError> {
    let lock = crate_dir.ancestors().map(|dir| dir.join("Cargo.lock")).find(|path| files::exists(path));
    let lock = lock.map(files::read).transpose()?.map(|lock| Digest::of(&lock).to_string());
    let wildebeest = wildebeest(&scaffold::sources())?;
    let made = hash(&[&wildebeest, &lock.unwrap_or_default(), &compiler(crate_dir)?]);
    Ok(format!("{} {made}", env!("CARGO_PKG_VERSION")))
}

/// What is written in the sources that this program was compiled from. Those that came from a registry lie elsewhere,
/// and are named by their version.
fn wildebeest(sources: &Path) -> Result<String, FileError> {
    let mut told = Vec::new();
    for name in ["wb-core", "wb-macros", "wb-stdlib"] {
        let dir = sources.join(name);
        if files::exists(&dir) {
            told.push(name.to_owned());
            told.extend(contents(&dir, None)?);
        }
    }
    Ok(told.join("\n"))
}

/// Which one compiles that crate.
fn compiler(crate_dir: &Path) -> Result<String, BuildError> {
    let rustc = Command::new(environment::var("RUSTC").unwrap_or_else(|| "rustc".to_owned()));
    let said = rustc.args(["--version", "--verbose"]).dir(crate_dir).read();
    said.map_err(|source| BuildError::Rustc { source })
}

#[cfg(test)]
mod tests {
    use wb_core::chain::Sha1;

    use super::*;

    fn link(n: u8) -> Link {
        Link::new(format!("m{n}"), Sha1::from_bytes([n; 20]), "web", Digest::of(&[n]))
    }

    const GROUND: Ground<'static> = Ground { image: "debian12", wildebeest: "0.1.0", script: "{}" };

    /// The keys after these links, which call no helpers.
    fn after(ground: &Ground<'_>, links: &[Link]) -> Vec<String> {
        let ran: Vec<Ran<'_>> = links.iter().map(|link| Ran { link, here: true, helpers: None }).collect();
        keys(ground, &ran)
    }

    #[test]
    fn a_key_goes_by_all_that_came_before() {
        let [one, two, three] = [1, 2, 3].map(link);
        let whole = after(&GROUND, &[one.clone(), two.clone(), three.clone()]);
        assert!(whole.iter().all(|key| key.len() == DIGITS) && whole[0] != whole[1], "{whole:?}");
        assert_eq!(after(&GROUND, &[one.clone(), two.clone()]), whole[..2]);
        let check = |links: &[Link], same: usize| {
            let others = after(&GROUND, links);
            let equal = others.iter().zip(&whole).filter(|(one, other)| one == other).count();
            assert_eq!(equal, same, "{links:?}");
        };
        check(&[one.clone(), three.clone(), two.clone()], 1);
        check(&[two.clone(), three.clone()], 0);
        check(&[one.clone(), Link { digest: Digest::of(b"edited"), ..two.clone() }, three.clone()], 1);
        check(&[one.clone(), Link { sha1: Sha1::ZERO, ..two.clone() }], 1);
        check(&[one, Link { in_load: true, ..two }, three], 3);
    }

    #[test]
    fn a_key_goes_by_what_hosts_begin_with() {
        let check = |ground: Ground<'_>| {
            assert_ne!(after(&ground, &[link(1)]), after(&GROUND, &[link(1)]), "{ground:?}");
        };
        check(Ground { image: "debian13", ..GROUND });
        check(Ground { wildebeest: "0.1.1", ..GROUND });
        check(Ground { script: "{ }", ..GROUND });
        check(Ground { image: "debian12\n5:0.1.0", wildebeest: "", ..GROUND });
        let link = link(1);
        let with = |helpers| keys(&GROUND, &[Ran { link: &link, here: true, helpers }]);
        assert_ne!(with(Some(Digest::of(b"helper"))), with(None));
    }

    #[test]
    fn a_key_goes_by_what_others_ran_before() {
        let links = [1, 2, 3].map(link);
        let run = |here: [bool; 3], second: &Link| {
            let links = [&links[0], second, &links[2]];
            let ran = links.into_iter().zip(here).map(|(link, here)| Ran { link, here, helpers: None });
            keys(&GROUND, &ran.collect::<Vec<_>>())
        };
        let others_second = [true, false, true];
        let edited = Link { digest: Digest::of(b"edited"), ..links[1].clone() };
        let (before, after) = (run(others_second, &links[1]), run(others_second, &edited));
        assert_eq!((before.len(), &before[0]), (2, &after[0]));
        assert_ne!(before[1], after[1]);
        assert_ne!(before[1], run([true; 3], &links[1])[2]);
    }

    #[test]
    fn an_operation_that_is_another_one_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            files::create_dir(path.parent().unwrap()).unwrap();
            files::write(path, text, 0o644).unwrap();
            wildebeest(dir.path()).unwrap()
        };
        assert_eq!(wildebeest(dir.path()).unwrap(), "", "of a registry");
        let first = write("wb-stdlib/src/file.rs", "fn a() {}");
        assert_eq!(write("xtask/src/lib.rs", "fn a() {}"), first);
        assert_ne!(write("wb-stdlib/src/file.rs", "fn a() { b() }"), first);
        assert!(wildebeest(&scaffold::sources()).is_ok_and(|told| told.contains("src/lib.rs ")));
    }

    #[test]
    fn what_makes_a_runner_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let made = |lock: &str| {
            files::write(dir.path().join("Cargo.lock"), lock, 0o644).unwrap();
            makers(dir.path()).unwrap()
        };
        let first = made("version = 4");
        assert!(first.starts_with(concat!(env!("CARGO_PKG_VERSION"), " ")), "{first}");
        assert_eq!(made("version = 4"), first);
        assert_ne!(made("version = 5"), first);
    }
}
