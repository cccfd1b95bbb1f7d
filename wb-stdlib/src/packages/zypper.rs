//! zypper. It renews its lists by itself. What it says was captured on SUSE; on Debian, its own zypper is run in tests.

mod locks;

use wb_core::system::{Command, CommandError, Output, System};

use super::backend::{Backend, Lists, Options, Target, let_go};
use super::facts::Found;
use super::offer::{Offers, offers};
use super::tool::{Tool, Trouble, quiet, said, says};
use super::{Manager, PackageError, holds, rpm, version};
use locks::Locks;

/// How long it waits for its lock by itself, in seconds.
const LOCK_SECONDS: &str = "300";
/// Its exit codes, as zypper(8) has them.
const SOLVER: i32 = 4;
const LOCKED: i32 = 7;
/// Nothing has a name that was asked for; of a removal, nothing that is installed.
const NOT_FOUND: i32 = 104;
/// A repository could not be brought up to date, and was left out.
const SKIPPED: i32 = 106;
/// Success, with something to be said: patches, a reboot or a restart is needed.
const TOLD: std::ops::RangeInclusive<i32> = 100..=103;

pub(super) struct Zypper<'a> {
    system: &'a System,
    options: Options,
}

impl<'a> Zypper<'a> {
    pub(super) fn new(system: &'a System, options: Options) -> Self {
        Self { system, options }
    }

    fn act(&self, command: &Command, action: &'static str, names: &[String]) -> Result<(), PackageError> {
        self.insist(command).map(drop).map_err(|failure| failure.about(Manager::Zypper, action, names))
    }

    fn install_all(&self, targets: &[Target]) -> Result<(), PackageError> {
        let words = targets.iter().map(|target| match &target.version {
            Some(version) => format!("{}={version}", target.name),
            None => target.name.clone(),
        });
        let recommends = if self.options.recommended { "--recommends" } else { "--no-recommends" };
        let older = self.options.may_downgrade.then_some("--oldpackage");
        let install = zypper().args(["install", "--auto-agree-with-licenses", recommends]).args(older);
        self.act(&install.arg("--").args(words), "install", &Target::names(targets))
    }

    /// What kept it from telling what would go. Neither a name that nothing installed has nor a repository that is out
    /// of reach does.
    fn no_answer(&self, output: &Output) -> Option<Trouble> {
        match output.code {
            NOT_FOUND | SKIPPED => None,
            _ => self.trouble(output),
        }
    }
}

impl Tool for Zypper<'_> {
    fn system(&self) -> &System {
        self.system
    }

    fn trouble(&self, output: &Output) -> Option<Trouble> {
        match output.code {
            0 => None,
            code if TOLD.contains(&code) => None,
            SOLVER => Some(Trouble::Unsolvable),
            LOCKED => Some(Trouble::Locked),
            _ => Some(trouble(&said(output))),
        }
    }

    fn mend(&self, _: Trouble) -> Result<(), CommandError> {
        Ok(())
    }

    fn update_lists(&self) -> Result<(), CommandError> {
        self.system.run(&zypper().arg("refresh")).map(drop)
    }
}

impl Backend for Zypper<'_> {
    fn manager(&self) -> Manager {
        Manager::Zypper
    }

    fn facts(&self, names: &[String]) -> Result<Found, PackageError> {
        holds::marked(self.system, &Locks, rpm::facts(self.system, names)?)
    }

    fn offers(&self, names: &[String], refreshed: bool) -> Result<Offers, PackageError> {
        let looked = |source| PackageError::Look { names: names.to_vec(), source };
        if refreshed {
            self.update_lists().map_err(looked)?;
        }
        let search = zypper().args(["--xmlout", "search", "-s", "--match-exact", "-t", "package", "--"]).args(names);
        match self.insist(&search) {
            Ok(output) => Ok(parse(&output.text())),
            Err(failure) if is_nothing(&failure.source) => Ok(Offers::new()),
            Err(failure) => Err(looked(failure.source)),
        }
    }

    fn lists(&self) -> Lists {
        Lists::RenewThemselves
    }

    fn update(&self) -> Result<(), PackageError> {
        let updated = self.insist(&zypper().arg("refresh"));
        updated.map(drop).map_err(|failure| PackageError::Update { source: failure.source })
    }

    fn install(&self, targets: &[Target], found: &Found) -> Result<(), PackageError> {
        let_go(self, targets, found)?;
        self.install_all(targets)
    }

    fn removed(&self, names: &[String], _: bool) -> Result<Vec<String>, PackageError> {
        let removal = zypper().args(["remove", "--dry-run", "--"]).args(names);
        let said = self.dry_run(&removal, self.options.only_looks, &|output| self.no_answer(output));
        said.map(|output| parse_removals(&output.text()))
            .map_err(|failure| failure.about(Manager::Zypper, "remove", names))
    }

    fn remove(&self, names: &[String], _: bool) -> Result<(), PackageError> {
        self.act(&zypper().args(["remove", "--"]).args(names), "remove", names)
    }

    fn hold(&self, names: &[String], held: bool) -> Result<(), PackageError> {
        holds::write(self.system, &Locks, &self.facts(names)?, held)
    }
}

fn zypper() -> Command {
    quiet(Command::new("zypper")).env("ZYPP_LOCK_TIMEOUT", LOCK_SECONDS).args(["--non-interactive", "--no-color"])
}

fn is_nothing(error: &CommandError) -> bool {
    matches!(error, CommandError::Failed { code: NOT_FOUND, .. })
}

/// Reads `<solvable status="not-installed" name="nginx" kind="package" edition="1.21.5-1.1" … repository="Main"/>`.
fn parse(xml: &str) -> Offers {
    let solvables = xml.split("<solvable ").skip(1).filter_map(|rest| {
        let tag = rest.split('>').next()?;
        let is_here = attribute(tag, "repository") == Some("(System Packages)");
        let is_package = attribute(tag, "kind") == Some("package");
        let (name, edition) = (attribute(tag, "name")?, attribute(tag, "edition")?);
        (is_package && !is_here).then(|| (name, edition.to_owned()))
    });
    offers(solvables, version::rpm)
}

/// Reads the lines below `The following 2 packages are going to be REMOVED:`, which are further in.
fn parse_removals(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| !line.ends_with("going to be REMOVED:")).skip(1);
    lines.take_while(|line| line.starts_with("  ")).flat_map(str::split_whitespace).map(str::to_owned).collect()
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

fn trouble(said: &str) -> Trouble {
    let table: [(Trouble, &[&str]); 3] = [
        (Trouble::Locked, &["System management is locked by the application"]),
        (Trouble::Mirror, &["Download (curl) error", "Valid metadata not found", "Timeout exceeded", "Can't provide"]),
        (Trouble::Unsolvable, &["conflicts with", "nothing provides", "Problem:"]),
    ];
    table.iter().find(|(_, words)| says(said, words)).map_or(Trouble::Other, |(trouble, _)| *trouble)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// openSUSE Tumbleweed.
    const CAPTURED: &str = r#"<?xml version='1.0'?>
<stream>
<message type="info">Loading repository data...</message>
<search-result version="0.0">
<solvable-list>
<solvable status="installed" name="kernel-default" kind="package" edition="7.2.0-1.1" arch="x86_64" repository="(System Packages)"/>
<solvable status="other-version" name="kernel-default" kind="package" edition="7.2.6-1.1" arch="x86_64" repository="openSUSE-Tumbleweed-Oss"/>
<solvable status="not-installed" name="kernel-default" kind="srcpackage" edition="7.2.7-1.1" arch="nosrc" repository="openSUSE-Tumbleweed-Oss"/>
<solvable status="installed" name="gzip" kind="package" edition="1.14-3.1" arch="aarch64" repository="Main Repository (OSS)"/>
</solvable-list>
</search-result>
</stream>
"#;

    #[test]
    fn offers_are_read_from_what_zypper_says() {
        let offers = parse(CAPTURED);
        assert_eq!(offers["kernel-default"].versions, ["7.2.6-1.1"]);
        assert_eq!(offers["gzip"].candidate, "1.14-3.1");
        assert_eq!(offers.len(), 2);
        assert!(parse("<solvable name=\"").is_empty());
    }

    #[test]
    fn removals_are_read_from_a_dry_run() {
        let said = "Reading installed packages...\nResolving package dependencies...\n\nThe following 3 packages are going \
                    to be REMOVED:\n  nginx nginx-source\n  shop\n\n3 packages to remove.\n";
        assert_eq!(parse_removals(said), ["nginx", "nginx-source", "shop"]);
        let one = "The following package is going to be REMOVED:\n  nginx\n\n1 package to remove.\n";
        assert_eq!(parse_removals(one), ["nginx"]);
        assert_eq!(parse_removals("'nginx' not found in package names.\nNothing to do.\n"), [""; 0]);
    }

    #[test]
    fn trouble_is_read_from_exit_codes_first() {
        let system = System::real();
        let check = |code, said: &str, expect| {
            let output = Output { code, stdout: said.into(), stderr: Vec::new() };
            assert_eq!(Zypper::new(&system, Options::default()).trouble(&output), expect, "{code} {said}");
        };
        check(0, "", None);
        check(102, "Reboot is suggested", None);
        check(4, "Problem: nothing provides 'x'", Some(Trouble::Unsolvable));
        check(7, "System management is locked by the application with pid 15950 (zypper).", Some(Trouble::Locked));
        check(8, "Download (curl) error for 'http://x': Timeout was reached", Some(Trouble::Mirror));
        check(104, "'ngnix' not found in package names.", Some(Trouble::Other));
    }

    #[test]
    fn a_dry_run_that_came_to_no_end_is_no_answer() {
        let system = System::real();
        let zypper = Zypper::new(&system, Options::default());
        let check = |code, said: &str, expect| {
            let output = Output { code, stdout: said.into(), stderr: Vec::new() };
            assert_eq!(zypper.no_answer(&output), expect, "{code} {said}");
        };
        check(0, "The following package is going to be REMOVED:\n  nginx\n\n1 package to remove.\n", None);
        check(102, "", None);
        check(104, "No provider of 'nginx' is installed.\nResolving package dependencies...\nNothing to do.\n", None);
        check(106, "Some of the repositories have not been refreshed because of an error.", None);
        check(4, "Problem: This request will break your system!", Some(Trouble::Unsolvable));
        check(5, "Root privileges are required to uninstall packages.", Some(Trouble::Other));
        check(7, "System management is locked by the application with pid 15950 (zypper).", Some(Trouble::Locked));
        check(105, "", Some(Trouble::Other));
        check(137, "Reading installed packages...\n", Some(Trouble::Other));
    }
}
