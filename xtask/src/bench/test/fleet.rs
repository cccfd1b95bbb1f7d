//! A fleet with migrations like those of real servers: packages, configurations, users, daemons, and what daemons owe.

use std::path::Path;

use wb_core::system::files;

use super::super::{BenchError, target_dir};
use crate::fleet::Fleet;
use crate::scaffold::{Dependencies, LinkSource, Scaffold, SourceFile};
use crate::shell::Shell;

/// The first of them, without which there are no packages.
const FIRST: (&str, &str) = ("small_repository", include_str!("../../../templates/bench/links/repository.rs"));

/// One that takes next to no time.
const CONFIGURATION: &str = include_str!("../../../templates/bench/links/files.rs");

/// The others, in turns.
const KINDS: [(&str, &str); 5] = [
    ("small_package", include_str!("../../../templates/bench/links/package.rs")),
    ("configuration", CONFIGURATION),
    ("owner", include_str!("../../../templates/bench/links/user.rs")),
    ("daemon", include_str!("../../../templates/bench/links/service.rs")),
    ("configured_daemon", include_str!("../../../templates/bench/links/restart.rs")),
];

const HERD: &str = "[hosts.one]\nroles = [\"server\"]\n";

const ROLES: &str = "use wb_stdlib::prelude::*;\n\n/// Serves.\n#[role(max_out = 1)]\npub struct Server;\n\n\
                     impl Role for Server {}\n";

/// Makes it, with all but the last of so many migrations; cargo builds it where all benches are built.
pub(super) fn make(dir: &Path, links: usize, shell: &Shell) -> Result<Fleet, BenchError> {
    files::remove_tree(dir)?;
    let config = format!("[build]\ntarget-dir = \"{}\"\n", target_dir().join("test").display());
    let config = SourceFile { path: ".cargo/config.toml".into(), content: config.into() };
    let scaffold = Scaffold {
        herd: HERD.to_owned(),
        roles: ROLES.to_owned(),
        tests: String::new(),
        files: vec![config],
        links: (0..links - 1).map(|number| link(number, links)).collect(),
        ..Scaffold::new(dir, Dependencies::Paths)
    };
    let (quiet, _) = Shell::captured();
    let _progress = shell.begin(format!("a fleet for {links} migrations"));
    Ok(scaffold.create(&quiet)?)
}

/// The migration of this number, of so many, or the one after them.
pub(super) fn link(number: usize, links: usize) -> LinkSource {
    let kinds = KINDS.len();
    let place = number.checked_sub(1).map(|place| place % kinds);
    let (kind, text) = place.map_or(FIRST, |place| KINDS[place]);
    let other = match place {
        None => links / kinds + 1,
        Some(0) => number / kinds + 1,
        Some(_) => number - 1,
    };
    let name = format!("{kind}_{number}");
    let source = text.replace("NAME", &name).replace("OTHER", &other.to_string());
    LinkSource { name, source: source.replace("NUMBER", &number.to_string()), files: Vec::new() }
}

/// A migration that is being written.
pub(super) fn draft() -> LinkSource {
    let source = CONFIGURATION.replace("NAME", "draft").replace("NUMBER", "draft");
    LinkSource { name: "draft".to_owned(), source, files: Vec::new() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_migrations_of_all_kinds() {
        let links: Vec<LinkSource> = (0..=50).map(|number| link(number, 50)).collect();
        let names: BTreeSet<&str> = links.iter().map(|link| link.name.as_str()).collect();
        assert_eq!(names.len(), 51);
        let count = |kind: &str| names.iter().filter(|name| name.starts_with(kind)).count();
        assert_eq!(KINDS.map(|(kind, _)| count(kind)), [10; 5]);
        for LinkSource { name, source, .. } in links.iter().chain([&draft()]) {
            assert!(source.contains(&format!("fn {name}(host: &Host)")), "{source}");
            assert!(!["NAME", "NUMBER", "OTHER"].iter().any(|word| source.contains(word)), "{source}");
        }
    }

    #[test]
    fn each_package_is_in_the_repository() {
        for links in [1, 6, 50, 51, 54] {
            let packages = (1..=links).filter(|number| (number - 1) % 5 == 0).count();
            let repository = link(0, links).source;
            let made = repository.split_once("$(seq ").and_then(|(_, rest)| rest.split_once(')')).unwrap().0;
            assert_eq!(made.parse::<usize>().unwrap(), links / 5 + 1, "{links}");
            assert!(packages <= links / 5 + 1, "{links}");
        }
        assert!(link(46, 50).source.contains("\"wb-small-10\""));
        assert!(link(49, 50).source.contains("wb-daemon-49") && link(50, 50).source.contains("wb-daemon-49"));
    }
}
