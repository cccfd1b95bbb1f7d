//! apk. What is installed it keeps in a file, so that a look starts no program. What it says is known from captured
//! outputs only: it could not be run.

mod world;

use wb_core::system::{Command, CommandError, Output, System, files};

use super::backend::{Backend, Lists, Options, Target};
use super::facts::{Facts, Found, found};
use super::offer::{Offers, offers};
use super::tool::{Tool, Trouble, quiet, said, says};
use super::{Manager, PackageError, holds, version};
use world::World;

const INSTALLED: &str = "/lib/apk/db/installed";
const LISTS: &str = "/var/cache/apk";
/// How long it waits for its lock by itself, in seconds.
const LOCK_SECONDS: &str = "300";

pub(super) struct Apk<'a> {
    system: &'a System,
    options: Options,
}

impl<'a> Apk<'a> {
    pub(super) fn new(system: &'a System, options: Options) -> Self {
        Self { system, options }
    }

    fn act(&self, command: &Command, action: &'static str, names: &[String]) -> Result<(), PackageError> {
        self.insist(command).map(drop).map_err(|failure| failure.about(Manager::Apk, action, names))
    }

    /// What kept it from telling what would go with these packages. One that others need it leaves where it is, and
    /// ends well.
    fn no_answer(&self, output: &Output, names: &[String]) -> Option<Trouble> {
        let going = parse_removals(&output.text());
        let all_go = names.iter().all(|name| going.contains(name));
        self.trouble(output).or((!all_go).then_some(Trouble::Unsolvable))
    }
}

impl Tool for Apk<'_> {
    fn system(&self) -> &System {
        self.system
    }

    fn trouble(&self, output: &Output) -> Option<Trouble> {
        (output.code != 0).then(|| trouble(&said(output)))
    }

    fn mend(&self, _: Trouble) -> Result<(), CommandError> {
        self.system.run(&apk().arg("fix")).map(drop)
    }

    fn update_lists(&self) -> Result<(), CommandError> {
        self.system.run(&apk().arg("update")).map(drop)
    }
}

impl Backend for Apk<'_> {
    fn manager(&self) -> Manager {
        Manager::Apk
    }

    fn facts(&self, names: &[String]) -> Result<Found, PackageError> {
        let read = |source| PackageError::Read { path: INSTALLED.into(), source };
        let content = self.system.read_file(INSTALLED).map_err(read)?.unwrap_or_default();
        let installed = parse_installed(&String::from_utf8_lossy(&content), names);
        let found = found(names, |name| installed.get(name).cloned().unwrap_or_default());
        holds::marked(self.system, &World, found)
    }

    fn offers(&self, names: &[String], _: bool) -> Result<Offers, PackageError> {
        let said = self.system.read_command(&apk().args(["policy", "--"]).args(names));
        said.map(|text| parse_offers(&text)).map_err(|source| PackageError::Look { names: names.to_vec(), source })
    }

    fn lists(&self) -> Lists {
        let is_list = |path: &std::path::PathBuf| path.to_string_lossy().contains("APKINDEX.");
        let has_lists = files::list(self.system.path(LISTS)).is_ok_and(|entries| entries.iter().any(is_list));
        match self.system.stat(LISTS) {
            Ok(Some(stat)) if has_lists => Lists::Aged(self.system.clock().now().saturating_sub(stat.modified)),
            _ => Lists::None,
        }
    }

    fn update(&self) -> Result<(), PackageError> {
        let updated = self.insist(&apk().arg("update"));
        updated.map(drop).map_err(|failure| PackageError::Update { source: failure.source })
    }

    /// An exact version becomes part of what apk is to keep to, as `name=version` in `/etc/apk/world`.
    fn install(&self, targets: &[Target], _: &Found) -> Result<(), PackageError> {
        let words = targets.iter().map(|target| match &target.version {
            Some(version) => format!("{}={version}", target.name),
            None => target.name.clone(),
        });
        self.act(&apk().args(["add", "--upgrade", "--"]).args(words), "install", &Target::names(targets))
    }

    fn removed(&self, names: &[String], _: bool) -> Result<Vec<String>, PackageError> {
        let removal = apk().args(["del", "--simulate", "--"]).args(names);
        let said = self.dry_run(&removal, self.options.only_looks, &|output| self.no_answer(output, names));
        said.map(|output| parse_removals(&output.text()))
            .map_err(|failure| failure.about(Manager::Apk, "remove", names))
    }

    fn remove(&self, names: &[String], purge: bool) -> Result<(), PackageError> {
        let purge = purge.then_some("--purge");
        self.act(&apk().arg("del").args(purge).arg("--").args(names), "remove", names)
    }

    fn hold(&self, names: &[String], held: bool) -> Result<(), PackageError> {
        holds::write(self.system, &World, &self.facts(names)?, held)
    }
}

/// Reads lines `(1/2) Purging nginx (1.24.0-r15)`.
fn parse_removals(text: &str) -> Vec<String> {
    let removals = text.lines().filter_map(|line| line.split_once(") Purging ")?.1.split(' ').next());
    removals.map(str::to_owned).collect()
}

fn apk() -> Command {
    quiet(Command::new("apk")).args(["--no-progress", "--wait", LOCK_SECONDS])
}

/// Reads stanzas of lines `P:name` and `V:version`, for these names.
fn parse_installed(text: &str, names: &[String]) -> Found {
    let (mut installed, mut name) = (Found::new(), "");
    for line in text.lines() {
        match line.split_once(':') {
            Some(("P", value)) => name = value,
            Some(("V", value)) if names.iter().any(|wanted| wanted == name) => {
                installed.insert(name.to_owned(), Facts::installed(value));
            }
            Some(_) | None => {}
        }
    }
    installed
}

/// Reads `nginx policy:`, below it `  1.24.0-r7:`, and below that the places that have this version. A place with a tag,
/// `@edge https://…`, counts only for who asks for the tag.
fn parse_offers(text: &str) -> Offers {
    let (mut found, mut name, mut version): (Vec<(&str, String)>, &str, &str) = (Vec::new(), "", "");
    for line in text.lines() {
        if let Some(policy) = line.strip_suffix(" policy:") {
            name = policy;
        } else if let Some(place) = line.strip_prefix("    ") {
            if !place.starts_with('@') && !place.ends_with("apk/db/installed") {
                found.push((name, version.to_owned()));
            }
        } else if let Some(row) = line.trim_start().strip_suffix(':') {
            version = row;
        }
    }
    offers(found, version::apk)
}

fn trouble(said: &str) -> Trouble {
    let table: [(Trouble, &[&str]); 3] = [
        (Trouble::Locked, &["Unable to lock database", "temporarily unavailable"]),
        (Trouble::Mirror, &["temporary error (try again later)", "network error", "DNS lookup error", "IO ERROR"]),
        (Trouble::Unsolvable, &["unable to select packages", "unsatisfiable constraints"]),
    ];
    table.iter().find(|(_, words)| says(said, words)).map_or(Trouble::Other, |(trouble, _)| *trouble)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_read_from_its_file() {
        let text = "C:Q1p/Tm5f3rVzR7mVbD8ePWqLLzrVI=\nP:musl\nV:1.2.4-r2\nA:x86_64\nS:396543\nT:the musl c library\n\
                    F:lib\nR:ld-musl-x86_64.so.1\na:0:0:755\n\nP:nginx\nV:1.24.0-r15\nA:x86_64\np:cmd:nginx=1.24.0-r15\n\n";
        let names = ["nginx", "musl", "busybox"].map(str::to_owned);
        let installed = parse_installed(text, &names);
        assert_eq!(installed["nginx"], Facts::installed("1.24.0-r15"));
        assert_eq!(installed["musl"], Facts::installed("1.2.4-r2"));
        assert_eq!(installed.len(), 2);
        assert!(parse_installed("V:1\nP:nginx\n\n", &names).is_empty());
    }

    #[test]
    fn offers_are_read_from_what_apk_says() {
        let text = "busybox policy:\n  1.37.0-r14:\n    @old https://dl-cdn.alpinelinux.org/alpine/v3.21/main\n  \
                    1.37.0-r31:\n    lib/apk/db/installed\n    https://dl-cdn.alpinelinux.org/alpine/v3.24/main\n  \
                    1.38.0-r7:\n    @edge https://dl-cdn.alpinelinux.org/alpine/edge/main\nown policy:\n  1.0-r0:\n    \
                    lib/apk/db/installed\n";
        let offers = parse_offers(text);
        assert_eq!(offers["busybox"].versions, ["1.37.0-r31"]);
        assert_eq!(offers.len(), 1);
    }

    #[test]
    fn a_dry_run_that_does_not_tell_all_is_no_answer() {
        let system = System::real();
        let apk = Apk::new(&system, Options::default());
        let check = |code, said: &str, expect| {
            let output = Output { code, stdout: said.into(), stderr: Vec::new() };
            assert_eq!(apk.no_answer(&output, &["nginx".to_owned()]), expect, "{code} {said}");
        };
        check(0, "(1/1) Purging nginx (1.24.0-r15)\nOK: 9 MiB in 3 packages\n", None);
        check(0, "( 1/12) Purging shop (1.0-r0)\n( 2/12) Purging nginx (1.24.0-r15)\n", None);
        let stays = "World updated, but the following packages are not removed due to:\n  nginx: shop\n\n\
                     (1/1) Purging pcre (8.45-r3)\nOK: 9 MiB in 3 packages\n";
        check(0, stays, Some(Trouble::Unsolvable));
        check(0, "OK: 9 MiB in 3 packages\n", Some(Trouble::Unsolvable));
        check(1, "ERROR: unable to select packages:\n  shop-1.0-r0:\n", Some(Trouble::Unsolvable));
        check(99, "ERROR: Unable to lock database: Resource temporarily unavailable\n", Some(Trouble::Locked));
        check(137, "(1/1) Purging nginx (1.24.0-r15)\n", Some(Trouble::Other));
    }

    #[test]
    fn trouble_is_read_from_what_apk_says() {
        let check = |said: &str, expect| assert_eq!(trouble(said), expect, "{said}");
        check("ERROR: Unable to lock database: Resource temporarily unavailable", Trouble::Locked);
        check(
            "WARNING: fetching https://dl-cdn.alpinelinux.org/alpine/v3.21/main: temporary error (try again later)\n\
             ERROR: unable to select packages: git (no such package)",
            Trouble::Mirror,
        );
        check(
            "ERROR: unable to select packages:\n  nanop (no such package):\n    required by: world[nanop]",
            Trouble::Unsolvable,
        );
    }
}
