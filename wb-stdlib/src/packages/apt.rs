//! apt: the one way to it. It takes no answers from a terminal, waits for locks, mends an interrupted dpkg, and tries
//! again when a mirror fails: each for a bounded time.
//!
//! It is asked what repositories have (`apt-cache policy`) before it is told to install anything, also where nobody said
//! a version. For a name that one package provides and none has, `apt-get install` would take that package, and such a
//! name with a dot it takes for a pattern: packages that nobody named would be there before an error said so. And what
//! was done is told as a plan tells it, with versions.

mod policy;
mod starts;

use std::path::Path;
use std::time::Duration;

use wb_core::system::{Command, CommandError, Output, System, files};

use super::backend::{Backend, Lists, Options, Target};
use super::facts::Found;
use super::offer::Offers;
use super::tool::{self, Failure, Tool, Trouble, said, says};
use super::{Manager, PackageError, dpkg};
use starts::Starts;

const LISTS: &str = "/var/lib/apt/lists";

pub(crate) struct Apt<'a> {
    system: &'a System,
    options: Options,
}

impl<'a> Apt<'a> {
    pub(crate) fn new(system: &'a System, options: Options) -> Self {
        Self { system, options }
    }

    /// Updates the lists of the repositories in one file of sources, and no others. It succeeds when all of them were
    /// read, and what they are signed with is trusted.
    pub(crate) fn update_only(system: &'a System, sources: &Path) -> Result<(), CommandError> {
        // The other lists are as old afterwards as they were.
        let age = system.stat(LISTS).ok().flatten().map_or(0, |stat| stat.modified.as_secs());
        let options = [
            format!("Dir::Etc::SourceList={}", sources.display()),
            "Dir::Etc::SourceParts=-".to_owned(),
            "APT::Get::List-Cleanup=0".to_owned(),
            format!("APT::Update::Post-Invoke-Success::=touch -d @{age} {LISTS}"),
        ];
        let update = options.iter().fold(update(), |command, option| command.args(["-o", option]));
        Lister { system }.insist(&update).map(drop).map_err(|failure| failure.source)
    }

    fn act(&self, command: &Command, action: &'static str, names: &[String]) -> Result<(), PackageError> {
        self.insist(command).map(drop).map_err(|failure| failure.about(Manager::Apt, action, names))
    }

    /// The command that installs these packages, of which these facts were found, if it begins so.
    fn installation(&self, install: Command, targets: &[Target], found: &Found) -> Command {
        let words = targets.iter().map(|target| match &target.version {
            Some(version) => format!("{}={version}", target.name),
            None => target.name.clone(),
        });
        let options = [
            (!self.options.recommended, "--no-install-recommends"),
            (!self.options.may_remove, "--no-remove"),
            (self.options.may_downgrade, "--allow-downgrades"),
            (targets.iter().any(|target| target.is_pinned(found)), "--allow-change-held-packages"),
        ];
        let options = options.into_iter().filter(|(is_said, _)| *is_said).map(|(_, option)| option);
        install.args(self.options.release()).args(options).arg("--").args(words)
    }

    /// What would go, as a simulation says. Packages that lack others keep apt from an answer: they are completed
    /// first, as they would be for the act itself, but not for a plan.
    fn simulated(
        &self,
        simulation: &Command,
        action: &'static str,
        names: &[String],
    ) -> Result<Vec<String>, PackageError> {
        let about = |failure: Failure| failure.about(Manager::Apt, action, names);
        let said = match self.options.only_looks {
            true => self.once(simulation).map_err(about),
            false => self.as_to_starts(|| self.insist(simulation).map_err(about)),
        };
        said.map(|output| parse_removals(&output.text()))
    }

    fn install_now(&self, install: Command, names: &[String]) -> Result<(), PackageError> {
        let install = if self.options.starts { install } else { Starts::new(self.system).forbidden(install) };
        self.as_to_starts(|| self.act(&install, "install", names))
    }

    /// Acts, and sees to it that no service is started meanwhile, where that is wanted.
    fn as_to_starts<T>(&self, act: impl FnOnce() -> Result<T, PackageError>) -> Result<T, PackageError> {
        if self.options.starts {
            return act();
        }
        let starts = Starts::new(self.system);
        starts.forbid().map_err(|source| PackageError::Starts { source })?;
        let acted = act();
        starts.allow().map_err(|source| PackageError::Starts { source })?;
        acted
    }

    /// Whether it can read the sources in a directory beside its main file, and finds nothing against one in another.
    pub(crate) fn understands(system: &'a System, parts: &Path) -> Result<(), CommandError> {
        let option = format!("Dir::Etc::SourceParts={}", parts.display());
        system.read_command(&apt_get("indextargets").args(["-o", &option])).map(drop)
    }

    /// How long ago the lists were updated, if there are any.
    fn lists_age(&self) -> Option<Duration> {
        let entries = files::list(self.system.path(LISTS)).ok()?;
        entries.iter().find(|path| is_list(path))?;
        let modified = self.system.stat(LISTS).ok()??.modified;
        Some(self.system.clock().now().saturating_sub(modified))
    }
}

impl Tool for Apt<'_> {
    fn system(&self) -> &System {
        self.system
    }

    fn trouble(&self, output: &Output) -> Option<Trouble> {
        (output.code != 0).then(|| trouble(&said(output)))
    }

    fn mend(&self, trouble: Trouble) -> Result<(), CommandError> {
        let configure = quiet(Command::new("dpkg")).args(["--force-confdef", "--force-confold", "--configure", "-a"]);
        // What is broken is completed; nothing is removed for that.
        let complete = apt_get("install").args(["--no-remove", "--fix-broken"]);
        let command = if trouble == Trouble::Broken { complete } else { configure };
        // What a run that was cut short has unpacked is configured only now.
        let command = if self.options.starts { command } else { Starts::new(self.system).forbidden(command) };
        self.system.run(&command).map(drop)
    }

    fn update_lists(&self) -> Result<(), CommandError> {
        self.system.run(&update_all()).map(drop)
    }
}

impl Backend for Apt<'_> {
    fn manager(&self) -> Manager {
        Manager::Apt
    }

    fn facts(&self, names: &[String]) -> Result<Found, PackageError> {
        dpkg::facts(self.system, names)
    }

    fn offers(&self, names: &[String], _: bool) -> Result<Offers, PackageError> {
        let policy = quiet(Command::new("apt-cache")).args(self.options.release()).arg("policy").args(names);
        let said = self.system.read_command(&policy);
        let mut offers = said
            .map(|text| policy::parse(&text))
            .map_err(|source| PackageError::Look { names: names.to_vec(), source })?;
        // apt leaves the architecture out where it is the host's own.
        for name in names.iter().filter(|name| name.contains(':')) {
            let plain = name.split(':').next().and_then(|name| offers.get(name).cloned());
            if let Some(offer) = plain.filter(|_| !offers.contains_key(name)) {
                offers.insert(name.clone(), offer);
            }
        }
        Ok(offers)
    }

    fn lists(&self) -> Lists {
        self.lists_age().map_or(Lists::None, Lists::Aged)
    }

    fn update(&self) -> Result<(), PackageError> {
        let updated = Lister { system: self.system }.insist(&update_all());
        updated.map(drop).map_err(|failure| PackageError::Update { source: failure.source })
    }

    fn install(&self, targets: &[Target], found: &Found) -> Result<(), PackageError> {
        let install = self.installation(apt_get("install"), targets, found);
        self.install_now(install, &Target::names(targets))
    }

    fn displaced(&self, targets: &[Target], found: &Found) -> Result<Vec<String>, PackageError> {
        if !self.options.may_remove {
            return Ok(Vec::new());
        }
        let simulation = self.installation(apt_get("install").arg("-s"), targets, found);
        self.simulated(&simulation, "install", &Target::names(targets))
    }

    fn remove(&self, names: &[String], purge: bool) -> Result<(), PackageError> {
        let action = if purge { "purge" } else { "remove" };
        self.act(&apt_get(action).arg("--").args(names), action, names)
    }

    fn removed(&self, names: &[String], purge: bool) -> Result<Vec<String>, PackageError> {
        let action = if purge { "purge" } else { "remove" };
        self.simulated(&apt_get(action).args(["-s", "--"]).args(names), action, names)
    }

    fn hold(&self, names: &[String], held: bool) -> Result<(), PackageError> {
        let (word, action) = if held { ("hold", "hold") } else { ("unhold", "release") };
        self.act(&quiet(Command::new("apt-mark")).args([word, "--"]).args(names), action, names)
    }

    fn unneeded(&self) -> Result<Vec<String>, PackageError> {
        self.simulated(&apt_get("autoremove").arg("-s"), "remove", &[])
    }

    fn remove_unneeded(&self, names: &[String], purge: bool) -> Result<(), PackageError> {
        let options = if purge { &["--purge"][..] } else { &[][..] };
        self.act(&apt_get("autoremove").args(options), "remove", names)
    }

    fn leftover(&self) -> Result<Option<String>, PackageError> {
        if self.options.starts {
            return Ok(None);
        }
        let is_forbidden = Starts::new(self.system).is_forbidden().map_err(|source| PackageError::Starts { source })?;
        Ok(is_forbidden.then(|| "services of packages are started again".to_owned()))
    }

    fn tidy(&self) -> Result<(), PackageError> {
        Starts::new(self.system).allow().map_err(|source| PackageError::Starts { source })
    }
}

/// Whether apt has that from a repository: what that says of itself, or its packages, compressed or not. One that is
/// trusted without a signature need not say anything of itself, and of it there are only these.
fn is_list(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with("Release") || name.contains("_Packages")
}

/// apt-get, while it updates lists: then success is that every list was read.
struct Lister<'a> {
    system: &'a System,
}

impl Tool for Lister<'_> {
    fn system(&self) -> &System {
        self.system
    }

    fn trouble(&self, output: &Output) -> Option<Trouble> {
        let said = said(output);
        let unread = ["Failed to fetch", "Some index files failed to download", "is not updated and the previous"];
        (output.code != 0 || says(&said, &unread)).then(|| trouble(&said))
    }

    fn mend(&self, _: Trouble) -> Result<(), CommandError> {
        Ok(())
    }

    fn update_lists(&self) -> Result<(), CommandError> {
        Ok(()) // that is what is tried again
    }
}

/// An environment and a time limit in which nothing asks, pages or translates.
pub(super) fn quiet(command: Command) -> Command {
    tool::quiet(command)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("DEBIAN_PRIORITY", "critical")
        .env("APT_LISTCHANGES_FRONTEND", "none")
        .env("NEEDRESTART_MODE", "a")
        .env("NEEDRESTART_SUSPEND", "1")
        .env("UCF_FORCE_CONFFOLD", "1")
}

fn apt_get(action: &str) -> Command {
    quiet(Command::new("apt-get"))
        .args(["-y", "-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0", "-o", "Acquire::Retries=3"])
        .args(["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"])
        .arg(action)
}

/// Any failed repository is a failure.
fn update() -> Command {
    apt_get("update").args(["-o", "APT::Update::Error-Mode=any"])
}

/// The lists' age counts from now, also when none of them changed.
fn update_all() -> Command {
    let touch = format!("APT::Update::Post-Invoke-Success::=touch {LISTS}");
    update().args(["-o", &touch])
}

/// Names have lower-case letters, and may have an architecture. A `-` at the end would ask for a removal, `=` for a
/// version, `/` for a release.
pub(super) fn is_name(name: &str) -> bool {
    let (name, architecture) = name.split_once(':').unwrap_or((name, "any"));
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(allowed)
        && name.chars().all(|c| allowed(c) || "+-.".contains(c))
        && !name.ends_with('-')
        && !architecture.is_empty()
        && architecture.chars().all(|c| allowed(c) || c == '-')
}

/// Reads the trouble out of what apt-get said; `LC_ALL` makes it English.
fn trouble(said: &str) -> Trouble {
    let table: [(Trouble, &[&str]); 7] = [
        (Trouble::Interrupted, &["dpkg was interrupted", "dpkg --configure -a"]),
        (
            Trouble::Locked,
            &[
                "Could not get lock",
                "Unable to acquire the dpkg frontend lock",
                "was locked by another process",
                "is locked by another process",
            ],
        ),
        (Trouble::Mirror, &["Failed to fetch", "Unable to fetch", "Temporary failure resolving", "Hash Sum mismatch"]),
        (Trouble::Held, &["Held packages were changed"]),
        (Trouble::Displacing, &["Packages need to be removed but remove is disabled"]),
        (Trouble::Broken, &["--fix-broken install", "apt-get -f install"]),
        (Trouble::Unsolvable, &["have unmet dependencies", "held broken packages", "Unable to correct problems"]),
    ];
    table.iter().find(|(_, words)| says(said, words)).map_or(Trouble::Other, |(trouble, _)| *trouble)
}

/// What apt said of packages that can't be together: from where it begins to say so.
pub(super) fn conflict(said: &str) -> String {
    let begins = |line: &&str| {
        let starts = ["The following packages will be REMOVED", "REMOVING:", "E:"];
        line.contains("unmet dependencies") || starts.iter().any(|start| line.starts_with(start))
    };
    let lines: Vec<&str> = said.lines().skip_while(|line| !begins(line)).filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

/// Reads what a simulation would remove: `Remv nginx [1.22.1-9]`, or `Purg` for its files in `/etc`, too.
fn parse_removals(text: &str) -> Vec<String> {
    let removal = |line: &str| {
        let rest = line.strip_prefix("Remv ").or(line.strip_prefix("Purg "))?;
        rest.split(' ').next().map(str::to_owned)
    };
    let mut names: Vec<String> = text.lines().filter_map(removal).collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_read_from_what_apt_says() {
        let check = |said: &str, expect| assert_eq!(trouble(said), expect, "{said}");
        check(
            "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.",
            Trouble::Interrupted,
        );
        check("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 42 (apt-get)", Trouble::Locked);
        check("E: Could not get lock /var/lib/apt/lists/lock. It is held by process 42 (apt-get)", Trouble::Locked);
        check("dpkg: error: dpkg frontend lock was locked by another process with pid 42", Trouble::Locked);
        check(
            "E: Failed to fetch http://mirror.example.org/debian/x.deb  404  Not Found [IP: ::1 80]",
            Trouble::Mirror,
        );
        check("W: Temporary failure resolving 'mirror.example.org'", Trouble::Mirror);
        check("E: Sub-process /usr/bin/dpkg returned an error code (1)", Trouble::Other);
        check("E: Held packages were changed and -y was used without --allow-change-held-packages.", Trouble::Held);
        check(
            "E: Unmet dependencies. Try 'apt --fix-broken install' with no packages (or specify a solution).",
            Trouble::Broken,
        );
        check(UNSOLVABLE, Trouble::Unsolvable);
    }

    /// apt 2.6.1 of Debian 12.
    const UNSOLVABLE: &str = "Reading package lists...\nBuilding dependency tree...\nSome packages could not be \
        installed. This may mean that you have\nrequested an impossible situation or if you are using the unstable\n\
        distribution that some required packages have not yet been created\nor been moved out of Incoming.\n\
        The following information may help to resolve the situation:\n\nThe following packages have unmet \
        dependencies:\n second : Conflicts: first but 2.0 is to be installed\n\nE: Unable to correct problems, you have \
        held broken packages.";

    #[test]
    fn a_conflict_is_told_in_the_words_of_apt() {
        let expect = "The following packages have unmet dependencies:\n second : Conflicts: first but 2.0 is to be \
                      installed\nE: Unable to correct problems, you have held broken packages.";
        assert_eq!(conflict(UNSOLVABLE), expect);
        assert_eq!(conflict(""), "");
    }

    #[test]
    fn what_would_have_to_go_is_told_in_the_words_of_apt() {
        let said = "Building dependency tree...\nThe following packages will be REMOVED:\n  exim4-base exim4-daemon-light\n\
            The following NEW packages will be installed:\n  postfix\n0 upgraded, 1 newly installed, 2 to remove and 0 \
            not upgraded.\nE: Packages need to be removed but remove is disabled.";
        assert_eq!(trouble(said), Trouble::Displacing);
        let told = conflict(said);
        assert!(
            told.starts_with("The following packages will be REMOVED:\n  exim4-base exim4-daemon-light\n"),
            "{told}"
        );
    }

    #[test]
    fn lists_that_were_not_read_are_no_success() {
        let check = |code, said: &str, expect| {
            let output = Output { code, stdout: said.into(), stderr: Vec::new() };
            assert_eq!(Lister { system: &System::real() }.trouble(&output), expect, "{said}");
        };
        check(0, "Hit:1 http://mirror.example.org/debian bookworm InRelease\nReading package lists...", None);
        check(0, "W: Failed to fetch http://mirror.example.org/x/InRelease  Connection failed", Some(Trouble::Mirror));
        check(100, "E: The repository 'file:/srv/x ./ Release' is not signed.", Some(Trouble::Other));
        check(
            0,
            "Ign:1 file:/srv/x ./ InRelease\nGet:2 file:/srv/x ./ Release [150 B]\nReading package lists...",
            None,
        );
    }

    #[test]
    fn a_repository_has_a_list_also_where_it_says_nothing_of_itself() {
        let check = |name: &str, expect| assert_eq!(is_list(&Path::new(LISTS).join(name)), expect, "{name}");
        check("mirror.example.org_debian_dists_bookworm_InRelease", true);
        check("_srv_shop_._Release", true);
        check("_srv_shop_._Packages", true);
        check("_srv_shop_._Packages.lz4", true);
        check("_srv_shop_._Release.gpg", false);
        check("_srv_shop_._Translation-en", false);
        check("auxfiles", false);
        check("lock", false);
    }

    #[test]
    fn removals_are_read_from_a_simulation() {
        let said = "Reading state information...\nThe following packages will be REMOVED:\n  nginx* nginx-common*\n\
                    Purg nginx [1.22.1-9]\nRemv nginx-common [1.22.1-9] [nginx:amd64 ]\n";
        assert_eq!(parse_removals(said), ["nginx", "nginx-common"]);
        assert_eq!(parse_removals("The following packages will be REMOVED:\n  first*\nPurg first\n"), ["first"]);
        assert_eq!(parse_removals("0 upgraded, 0 newly installed"), [""; 0]);
    }
}
