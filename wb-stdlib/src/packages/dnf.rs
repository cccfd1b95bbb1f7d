//! dnf, of version 4 and 5. It renews its lists by itself when they expire.

mod versionlock;

use wb_core::system::{Command, CommandError, Output, System, files};

use super::backend::{Backend, Lists, Options, Target, let_go};
use super::facts::Found;
use super::offer::{Offers, offers};
use super::tool::{Tool, Trouble, quiet, said, says};
use super::{Manager, PackageError, holds, rpm, version};
use versionlock::Versionlock;

/// The format that [`parse`] reads.
const FORMAT: &str = "%{name}|%{epoch}|%{version}-%{release}\n";
/// dnf 4's exit code when somebody else has its lock.
const LOCKED: i32 = 200;
/// Its exit code when it said no to its own question, and when it failed.
const REFUSED: i32 = 1;

pub(super) struct Dnf<'a> {
    system: &'a System,
    options: Options,
}

impl<'a> Dnf<'a> {
    pub(super) fn new(system: &'a System, options: Options) -> Self {
        Self { system, options }
    }

    fn dnf(&self) -> Command {
        self.dnf_with(&["-y", "-q"])
    }

    fn dnf_with(&self, options: &[&str]) -> Command {
        let dnf = quiet(Command::new("dnf")).args(options);
        // Version 4 would wait for ever, and 5 does not know the option.
        if self.is_5() { dnf } else { dnf.arg("--setopt=exit_on_lock=True") }
    }

    fn is_5(&self) -> bool {
        files::read_link(self.system.path("/usr/bin/dnf")).is_ok_and(|to| to.ends_with("dnf5"))
    }

    fn versionlock(&self) -> Result<Option<Versionlock>, PackageError> {
        Versionlock::of(self.system, self.is_5())
    }

    /// Where it is written down what is held.
    fn holds(&self) -> Result<Versionlock, PackageError> {
        let (plugin, package) = ("versionlock", "python3-dnf-plugin-versionlock");
        self.versionlock()?.ok_or(PackageError::NoPlugin { manager: Manager::Dnf, plugin, package })
    }

    fn act(&self, command: &Command, action: &'static str, names: &[String]) -> Result<(), PackageError> {
        self.insist(command).map(drop).map_err(|failure| failure.about(Manager::Dnf, action, names))
    }

    /// Each has its word: what is new, what comes to a newer version, and what goes back to an older one.
    fn install_all(&self, targets: &[Target], found: &Found) -> Result<(), PackageError> {
        let (older, newer): (Vec<&Target>, Vec<&Target>) =
            targets.iter().partition(|target| target.is_older(found, version::rpm));
        let (upgraded, new): (Vec<&Target>, Vec<&Target>) =
            newer.into_iter().partition(|target| target.is_there(found));
        self.install_some(&new, "install")?;
        self.install_some(&upgraded, "upgrade")?;
        self.install_some(&older, "downgrade")
    }

    fn install_some(&self, targets: &[&Target], action: &'static str) -> Result<(), PackageError> {
        if targets.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
        let words = targets.iter().map(|target| match &target.version {
            Some(version) => format!("{}-{version}", target.name),
            None => target.name.clone(),
        });
        let weak = format!("--setopt=install_weak_deps={}", if self.options.recommended { "True" } else { "False" });
        self.act(&self.dnf().args([action, &weak, "--"]).args(words), action, &names)
    }

    /// What kept it from telling what would go. The table of that stands before its question; where it failed there is
    /// none.
    fn no_answer(&self, output: &Output) -> Option<Trouble> {
        match output.code {
            REFUSED if !parse_removals(&output.text()).is_empty() => None,
            _ => self.trouble(output),
        }
    }
}

impl Tool for Dnf<'_> {
    fn system(&self) -> &System {
        self.system
    }

    fn trouble(&self, output: &Output) -> Option<Trouble> {
        match output.code {
            0 => None,
            LOCKED => Some(Trouble::Locked),
            _ => Some(trouble(&said(output))),
        }
    }

    fn mend(&self, _: Trouble) -> Result<(), CommandError> {
        Ok(())
    }

    fn update_lists(&self) -> Result<(), CommandError> {
        self.system.run(&self.dnf().args(["makecache", "--refresh"])).map(drop)
    }
}

impl Backend for Dnf<'_> {
    fn manager(&self) -> Manager {
        Manager::Dnf
    }

    fn facts(&self, names: &[String]) -> Result<Found, PackageError> {
        let found = rpm::facts(self.system, names)?;
        match self.versionlock()? {
            Some(versionlock) => holds::marked(self.system, &versionlock, found),
            None => Ok(found),
        }
    }

    fn offers(&self, names: &[String], refreshed: bool) -> Result<Offers, PackageError> {
        let refresh = refreshed.then_some("--refresh");
        let query = self.dnf().args(["repoquery", "--available", "--qf", FORMAT]).args(refresh).arg("--").args(names);
        let said = self.insist(&query).map(|output| output.text());
        said.map(|text| parse(&text))
            .map_err(|failure| PackageError::Look { names: names.to_vec(), source: failure.source })
    }

    fn lists(&self) -> Lists {
        Lists::RenewThemselves
    }

    fn update(&self) -> Result<(), PackageError> {
        let updated = self.insist(&self.dnf().args(["makecache", "--refresh"]));
        updated.map(drop).map_err(|failure| PackageError::Update { source: failure.source })
    }

    fn install(&self, targets: &[Target], found: &Found) -> Result<(), PackageError> {
        let_go(self, targets, found)?;
        self.install_all(targets, found)
    }

    fn remove(&self, names: &[String], _: bool) -> Result<(), PackageError> {
        self.act(&removal(self.dnf(), names), "remove", names)
    }

    fn removed(&self, names: &[String], _: bool) -> Result<Vec<String>, PackageError> {
        let removal = removal(self.dnf_with(&["--assumeno"]), names);
        let said = self.dry_run(&removal, self.options.only_looks, &|output| self.no_answer(output));
        said.map(|output| parse_removals(&output.text()))
            .map_err(|failure| failure.about(Manager::Dnf, "remove", names))
    }

    fn can_hold(&self) -> Result<(), PackageError> {
        self.holds().map(drop)
    }

    fn hold(&self, names: &[String], held: bool) -> Result<(), PackageError> {
        holds::write(self.system, &self.holds()?, &self.facts(names)?, held)
    }

    fn unneeded(&self) -> Result<Vec<String>, PackageError> {
        let query = self.dnf().args(["repoquery", "--installed", "--unneeded", "--qf", "%{name}\n"]);
        let said = self.insist(&query).map(|output| output.text());
        said.map(|text| text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
            .map_err(|failure| PackageError::Look { names: Vec::new(), source: failure.source })
    }

    fn remove_unneeded(&self, names: &[String], _: bool) -> Result<(), PackageError> {
        self.act(&self.dnf().arg("autoremove"), "remove", names)
    }
}

fn removal(dnf: Command, names: &[String]) -> Command {
    dnf.args(["remove", "--setopt=clean_requirements_on_remove=False", "--"]).args(names)
}

/// Reads the tables `Removing:` and `Removing dependent packages:` of a transaction. A long name stands in a line alone, and
/// what belongs to it in the next one, further in.
fn parse_removals(text: &str) -> Vec<String> {
    let mut is_removal = false;
    let mut names = Vec::new();
    for line in text.lines() {
        match line.strip_prefix(' ') {
            None => is_removal = line.starts_with("Removing"),
            Some(row) if is_removal && !row.starts_with(' ') => names.extend(row.split(' ').next().map(str::to_owned)),
            Some(_) => {}
        }
    }
    names
}

/// Reads lines `nginx|1|1.20.1-14.el9_2.1`.
fn parse(text: &str) -> Offers {
    let lines = text.lines().filter_map(|line| match line.split('|').collect::<Vec<_>>()[..] {
        [name, epoch, rest] => Some((name, rpm::version(epoch, rest))),
        _ => None,
    });
    offers(lines, version::rpm)
}

fn trouble(said: &str) -> Trouble {
    let table: [(Trouble, &[&str]); 3] = [
        (Trouble::Locked, &["transaction lock", "Waiting for process with pid", ".rpm.lock"]),
        (
            Trouble::Mirror,
            &[
                "Failed to download metadata",
                "Errors during downloading metadata",
                "Cannot download",
                "Error downloading packages",
                "Curl error",
                "All mirrors were tried",
            ],
        ),
        (Trouble::Unsolvable, &["Problem:", "Problem 1:", "conflicting requests", "nothing provides"]),
    ];
    table.iter().find(|(_, words)| says(said, words)).map_or(Trouble::Other, |(trouble, _)| *trouble)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_read_from_what_dnf_says() {
        let offers = parse("nginx|1|1.20.1-14.el9_2.1\nnginx|1|1.20.1-16.el9\n\nbash|0|5.1.8-9.el9\nLast metadata\n");
        assert_eq!(offers["nginx"].candidate, "1:1.20.1-16.el9");
        assert_eq!(offers["nginx"].versions, ["1:1.20.1-16.el9", "1:1.20.1-14.el9_2.1"]);
        assert_eq!(offers["bash"].candidate, "5.1.8-9.el9");
        assert_eq!(offers.len(), 2);
    }

    #[test]
    fn removals_are_read_from_a_transaction() {
        let four = "Dependencies resolved.\n================\n Package      Arch    Version   Repository  Size\n\
                    ================\nRemoving:\n wbn-gone     noarch  1.0-1     @wb         0  \n\
                    Removing dependent packages:\n a-package-with-a-name-that-is-rather-long\n              noarch  \
                    1.0-1     @wb         0  \n\nTransaction Summary\n================\nRemove  2 Packages\n\n\
                    Freed space: 0  \nOperation aborted.\n";
        assert_eq!(parse_removals(four), ["wbn-gone", "a-package-with-a-name-that-is-rather-long"]);
        let five = "Package    Arch   Version  Repository  Size\nRemoving:\n nginx     x86_64 1:1.26-1 fedora 168.2 KiB\n\
                    Removing dependent packages:\n nginx-mod x86_64 1.0-1 fedora 10.0 KiB\n\nTransaction Summary:\n \
                    Removing:           2 packages\n";
        assert_eq!(parse_removals(five), ["nginx", "nginx-mod"]);
        assert_eq!(parse_removals("No match for argument: nginx\nNothing to do.\n"), [""; 0]);
    }

    #[test]
    fn a_dry_run_that_came_to_no_end_is_no_answer() {
        let system = System::real();
        let dnf = Dnf::new(&system, Options::default());
        let check = |code, said: &str, expect| {
            let output = Output { code, stdout: said.into(), stderr: Vec::new() };
            assert_eq!(dnf.no_answer(&output), expect, "{code} {said}");
        };
        check(1, "Removing:\n nginx x86_64 1:1.26-1 fedora 168.2 KiB\n\nOperation aborted by the user.\n", None);
        check(0, "No match for argument: nginx\nNo packages marked for removal.\nNothing to do.\nComplete!\n", None);
        let protected = "Error: \n Problem: The operation would result in removing the following protected packages: \
                         dnf\n";
        check(1, protected, Some(Trouble::Unsolvable));
        let rights = "Error: This command has to be run with superuser privileges (under the root user on most \
                      systems).";
        check(1, rights, Some(Trouble::Other));
        check(1, "", Some(Trouble::Other));
        check(200, "", Some(Trouble::Locked));
        check(137, "Removing:\n nginx x86_64 1:1.26-1 fedora 168.2 KiB\n", Some(Trouble::Other));
    }

    #[test]
    fn trouble_is_read_from_what_dnf_says() {
        let check = |said: &str, expect| assert_eq!(trouble(said), expect, "{said}");
        check(
            "Error: Failed to download metadata for repo 'appstream': Cannot prepare internal mirrorlist",
            Trouble::Mirror,
        );
        check("Error: Error downloading packages:\n  Cannot download x.rpm: All mirrors were tried", Trouble::Mirror);
        check("Waiting for process with pid 4242 to finish.", Trouble::Locked);
        check("Failed to obtain rpm transaction lock. Another transaction is in progress.", Trouble::Locked);
        check(
            "Error: \n Problem: package second-1.0-1.noarch conflicts with first provided by first-1.0",
            Trouble::Unsolvable,
        );
        check("Error: Unable to find a match: ngnix", Trouble::Other);
    }
}
