//! What names a layer: a hash of all that made the disk what it is. Whatever is another one then, the layer is not found,
//! and the links are run anew.
//!
//! Links find other hosts as far as they are themselves, so that those count that other hosts have run, too. Who of the
//! hosts was there does not: a test of one role begins on the layers of a test of all, and the other way round.

use std::path::Path;

use wb_core::chain::{Digest, Link, code_digest};
use wb_core::system::Command;
use wb_core::system::files::{self, FileError, Kind};

use crate::scaffold;

/// What hosts begin with.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// The version of the image.
    pub image: &'a str,
    /// The version of Wildebeest: see [`wildebeest`].
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

/// The version of Wildebeest that this program was compiled from: where its sources lie in a repository, with all that is
/// written in them.
#[must_use]
pub fn wildebeest() -> String {
    let git = |words: &[&str]| {
        let crates = ["wb-core", "wb-macros", "wb-stdlib"];
        let said = Command::new("git").dir(scaffold::sources()).args(words).arg("--").args(crates).read();
        said.unwrap_or_default()
    };
    let sources = hash(&[&git(&["ls-files", "--stage"]), &git(&["diff", "HEAD"])]);
    format!("{} {sources}", env!("CARGO_PKG_VERSION"))
}

/// What a crate says outside of its chain, with the versions of the crates that it uses: for links that call it.
///
/// # Errors
/// When it can't be read.
pub fn helpers(crate_dir: &Path) -> Result<Digest, FileError> {
    let source = crate_dir.join("src");
    let mut told = Vec::new();
    for (path, kind) in files::below(&source)? {
        let is_code = kind == Kind::File && path.extension().is_some_and(|end| end == "rs");
        if is_code && !path.starts_with("chain") && path != Path::new("chain.rs") {
            told.push(format!("{} {}", path.display(), digest_of(&files::read_text(source.join(&path))?)));
        }
    }
    let lock = crate_dir.ancestors().find_map(|dir| files::read_optional(dir.join("Cargo.lock")).ok().flatten());
    told.push(lock.map(|lock| Digest::of(&lock).to_string()).unwrap_or_default());
    Ok(Digest::of(told.join("\n").as_bytes()))
}

/// Comments and layout change no code.
fn digest_of(text: &str) -> Digest {
    syn::parse_file(text).map_or_else(|_| Digest::of(text.as_bytes()), code_digest)
}

/// Whether the text of a link's file calls what its digest does not see: the rest of its crate, or crates of others.
#[must_use]
pub fn calls_helpers(text: &str) -> bool {
    const SEEN: [&str; 4] = ["wb_stdlib", "std", "core", "alloc"];
    let uses = text.lines().filter_map(|line| line.trim_start().strip_prefix("use "));
    let mut roots = uses.map(|used| used.split([':', ';', ' ', '{']).next().unwrap_or_default());
    text.contains("crate::") || text.contains("super::") || roots.any(|root| !SEEN.contains(&root))
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
    fn what_a_link_calls_is_seen() {
        let check = |text: &str, expect| assert_eq!(calls_helpers(text), expect, "{text}");
        check("use wb_stdlib::prelude::*;\nuse std::fs;\nfn a() {}", false);
        check("use wb_stdlib::prelude::*;\nuse crate::roles::Web;", true);
        check("fn a() { crate::ready() }", true);
        check("fn a() { super::ready() }", true);
        check("    use {serde_json::json};", true);
        check("use anyhow::Result;", true);
        check("use wb_stdlib_more::a;", true);
        check("/// use it\nfn used() {}", false);
    }

    #[test]
    fn helpers_are_all_but_the_chain() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            files::create_dir(path.parent().unwrap()).unwrap();
            files::write(path, text, 0o644).unwrap();
            helpers(dir.path()).unwrap()
        };
        let first = write("src/pages/ready.rs", "fn ready() {}");
        assert_eq!(write("src/chain/a.rs", "fn a() {}"), first);
        assert_eq!(write("src/chain.rs", "mod a;"), first);
        assert_eq!(write("src/pages/ready.rs", "/// Says so.\nfn ready() {\n}\n"), first);
        let other = write("src/pages/ready.rs", "fn ready() { f() }");
        assert_ne!(other, first);
        assert_ne!(write("Cargo.lock", "version = 4"), other);
        assert_ne!(write("src/torn.rs", "fn ("), other);
    }
}
