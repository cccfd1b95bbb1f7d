//! What tests and tries of a chain are made with, whatever is asked of it then: what its runner says, who plays, what hosts
//! are made of, and what was kept of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use wb_core::chain::{Chain, Digest, Link};
use wb_core::change::{Member, RolePolicy};
use wb_core::herd::Herd;
use wb_core::system::Command;
use wb_core::system::files::{self, FileError};

use super::cast::{self, Player};
use super::key::{self, Ground, Ran};
use super::walk::Part;
use super::{TestError, drive, helpers, scene, stock};
use crate::sandbox::{Image, Layers, cache_dir};

/// All of it.
#[derive(Debug)]
pub struct Rehearsal {
    /// What the runner says.
    pub says: Says,
    /// What hosts are made of.
    pub image: Image,
    /// Where disks are kept.
    pub layers: Layers,
    /// A host for each set of roles.
    pub players: Vec<Player>,
    /// The same, as migrations see them.
    pub members: Vec<Member>,
    stock: BTreeSet<String>,
    helpers: BTreeMap<String, Digest>,
    wildebeest: String,
}

/// Layers that nobody used for so long go.
const OLD: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// All layers take at most so many bytes.
const MOST: u64 = 20 << 30;

/// What `wildebeest chain --json` says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Says {
    /// All links.
    pub chain: Chain,
    /// Why links may change something when they are run once more, by their names.
    #[serde(default)]
    pub reruns: BTreeMap<String, String>,
    /// How the hosts of each role take turns.
    #[serde(default)]
    pub roles: BTreeMap<String, RolePolicy>,
}

impl Rehearsal {
    /// That of a crate, for hosts like those of this herd.
    ///
    /// # Errors
    /// When the crate, or the cache, can't be read.
    pub fn of(crate_dir: &Path, herd: &Herd, says: Says, image: Image) -> Result<Self, TestError> {
        let players = cast::cast(herd, says.chain.links());
        let members = players.iter().map(Player::member).collect();
        let stock = sources(crate_dir)?.iter().flat_map(|text| stock::named(text)).collect();
        let (layers, helpers) = (Layers::open(&cache_dir())?, helpers(crate_dir, says.chain.links())?);
        Ok(Self { says, image, layers, players, members, stock, helpers, wildebeest: key::makers(crate_dir)? })
    }

    /// The packages that the chain names.
    #[must_use]
    pub fn stock(&self) -> Vec<&str> {
        self.stock.iter().map(String::as_str).collect()
    }

    /// What players do on the way to `goal`, which are new hosts, and what their disks are kept under.
    #[must_use]
    pub fn parts<'a>(&self, company: &[&'a Player], goal: Option<&Link>) -> Vec<Part<'a>> {
        let helpers = |link: &Link| self.helpers.get(&link.name).copied();
        let part = |player: &'a Player| {
            let script = drive::json(&scene::script(&player.name, &self.members));
            Part::of(player, &self.says.chain, goal, &self.ground(&script), &helpers)
        };
        company.iter().copied().map(part).collect()
    }

    /// Removes layers that nobody used for long, and those beyond what all may take, but for those of these parts.
    ///
    /// # Errors
    /// When something can't be removed.
    pub fn prune(&self, parts: &[Part<'_>]) -> Result<(), TestError> {
        let used = parts.iter().flat_map(|part| part.keys.iter().cloned()).collect();
        self.layers.prune(OLD, MOST, &used)?;
        Ok(())
    }

    /// What the disks of a whole herd are kept under after each link, where `script` says which herd that is.
    #[must_use]
    pub fn keys_of_herd(&self, script: &str) -> Vec<String> {
        let links = self.says.chain.links().iter();
        let ran = links.map(|link| Ran { link, here: true, helpers: self.helpers.get(&link.name).copied() });
        key::keys(&self.ground(script), &ran.collect::<Vec<_>>())
    }

    fn ground<'a>(&'a self, script: &'a str) -> Ground<'a> {
        Ground { image: self.image.version(), wildebeest: &self.wildebeest, script }
    }
}

impl Says {
    /// What this runner says.
    ///
    /// # Errors
    /// When it does not start, or says something else.
    pub fn of(runner: &Path) -> Result<Self, TestError> {
        // A directory that is not there keeps the record of the machine that builds out of it.
        let nowhere = runner.with_extension("no-record");
        let command = Command::new(runner).args(["chain", "--json"]).arg("--state").arg(&nowhere);
        let command = command.arg("--config").arg(&nowhere).timeout(Duration::from_secs(60));
        let said = command.read().map_err(|source| TestError::RunnerFails { source })?;
        serde_json::from_str(&said).map_err(|source| TestError::RunnerSays { source })
    }
}

/// The texts of all files of Rust of a crate.
fn sources(crate_dir: &Path) -> Result<Vec<String>, FileError> {
    let source = crate_dir.join("src");
    let paths = files::below(&source)?.into_iter().map(|(path, _)| path);
    let rust = paths.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    rust.map(|path| files::read_text(source.join(path))).collect()
}

/// What the rest of the crate says, and the crates beside it, for the links that call any of that.
fn helpers(crate_dir: &Path, links: &[Link]) -> Result<BTreeMap<String, Digest>, TestError> {
    let mut calling = Vec::new();
    for link in links.iter().filter(|link| !link.gone) {
        let text = files::read_text(crate_dir.join(format!("src/chain/{}.rs", link.name)))?;
        if helpers::calls(&text) {
            calling.push(link.name.clone());
        }
    }
    if calling.is_empty() {
        return Ok(BTreeMap::new());
    }
    let all = helpers::digest(crate_dir)?;
    Ok(calling.into_iter().map(|name| (name, all)).collect())
}

#[cfg(test)]
mod tests {
    use wb_core::chain::Sha1;

    use super::*;

    #[test]
    fn the_rest_of_the_crate_counts_for_those_who_call_it() {
        let dir = tempfile::tempdir().unwrap();
        files::create_dir(dir.path().join("src/chain")).unwrap();
        let write = |path: &str, text: &str| files::write(dir.path().join(path), text, 0o644).unwrap();
        write("Cargo.toml", "[package]\nname = \"migrations\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n");
        write("src/main.rs", "mod pages;\n");
        write("src/pages.rs", "pub fn page() {}\n");
        write("src/chain/calls.rs", "fn calls(host: &Host) { crate::pages::page(); }\n");
        write("src/chain/alone.rs", "use wb_stdlib::prelude::*;\nfn alone(host: &Host) {}\n");
        let link = |(name, n): (&str, u8)| Link::new(name, Sha1::from_bytes([n; 20]), "web", Digest::of(&[n]));
        let gone = Link { gone: true, ..link(("gone", 3)) };
        let links = [link(("calls", 1)), link(("alone", 2)), gone];
        let found = |links: &[Link]| helpers(dir.path(), links).unwrap();
        let before = found(&links);
        assert_eq!(before.keys().collect::<Vec<_>>(), ["calls"]);
        write("src/pages.rs", "pub fn page() -> u8 { 1 }\n");
        assert_ne!(found(&links), before);
        assert_eq!(found(&links[1..]), BTreeMap::new());
        assert_eq!(sources(dir.path()).unwrap().len(), 4);
    }
}
