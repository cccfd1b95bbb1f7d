//! Packages of the distribution, through its own manager: apt and dpkg, dnf, pacman, apk or zypper.
//!
//! Which of them a host has is told by its distribution; [`Packages::by`] says otherwise. Whether a package is there is
//! read from the manager's own files, where it has such (apt, pacman, apk), and costs no program then; rpm is asked with
//! one.
//!
//! There is one way to each manager. Nothing in it asks a question: files of `/etc` that were edited stay as they are.
//! A lock is waited for, a mirror that fails is asked again, and what a run left that was killed is mended first: each
//! for a bounded time.
//!
//! Which packages are held is read from files, and written there, but for apt: `versionlock.list` of dnf's plugin or
//! `versionlock.toml` of dnf 5, `IgnorePkg` in `/etc/pacman.conf`, `name=version` in `/etc/apk/world`,
//! `/etc/zypp/locks`. A package that is held, and is to have a version that somebody said, is free while it gets that; which
//! these are is written down before, so that a run that is killed in between leaves none of them free for good.

mod apk;
mod apt;
mod backend;
mod dnf;
mod dpkg;
mod error;
mod facts;
mod holds;
mod manager;
mod offer;
mod pacman;
mod pins;
mod rpm;
pub(crate) mod tool;
mod unneeded;
mod version;
mod wanted;
mod zypper;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use wb_core::context::Outcome;

use crate::ensure::{Difference, ensure};
use crate::look::Access as _;
use crate::{Host, Look, foresight};
pub(crate) use apt::Apt;
use backend::{Backend, Options, Target};
pub use error::PackageError;
pub use facts::PackageState;
use facts::{Facts, Found};
pub use manager::Manager;
use pins::Pins;
pub use unneeded::UnneededPackages;
use wanted::{Change, Wanted, Wish, unknown_yet};

/// From when on lists are too old to install from.
const LISTS_BOUND: Duration = Duration::from_secs(24 * 3600);
/// From when on lists are too old to say which version is the newest.
const LATEST_BOUND: Duration = Duration::from_secs(3600);

/// Some packages, to be installed or absent. [`Host::packages`] makes it.
#[must_use = "say what is to be so: `.installed()?` or `.absent()?`"]
pub struct Packages<'a> {
    host: Host<'a>,
    names: Vec<String>,
    version: Option<String>,
    versions: BTreeMap<String, String>,
    options: Options,
    manager: Option<Manager>,
}

impl<'a> Packages<'a> {
    pub(crate) fn new<N: Into<String>>(host: Host<'a>, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        let (version, versions, options) = (None, BTreeMap::new(), Options::default());
        Self { host, names, version, versions, options, manager: None }
    }

    /// Installs only what the packages need, not what they recommend.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn install_little(host: &Host) -> Result<()> {
    ///     let both = host.packages(["postgresql-15", "pgbouncer"]);
    ///     both.without_recommended().version_of("pgbouncer", "1.24.*").installed()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(install_little);
    /// ```
    pub fn without_recommended(mut self) -> Self {
        self.options.recommended = false;
        self
    }

    /// The version that all of them are to have: one, as the manager writes it (`1.22.1-9`), or a pattern in which `*`
    /// stands for anything (`1.22.*`). One without an epoch (`1:`) means every epoch.
    ///
    /// A package in another version gets the newest that is meant. Where that is older than what is installed, it is an
    /// error without [`Packages::may_downgrade`]. One that is [held](Packages::held) gets it, too, and stays held.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn pin_postgres(host: &Host) -> Result<()> {
    ///     host.packages(["postgresql-15"]).version("15.8-*").installed()?;
    ///     host.packages(["postgresql-15"]).held()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(pin_postgres);
    /// ```
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The version of one of them, as [`Packages::version`] has it for all.
    pub fn version_of(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.versions.insert(name.into(), version.into());
        self
    }

    /// Lets a package go back to an older version, where that is the one that is wanted.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn go_back(host: &Host) -> Result<()> {
    ///     host.packages(["nginx"]).version("1.22.*").may_downgrade().installed()?;
    ///     host.packages(["postfix"]).may_remove().installed()?; // in place of `exim4`
    ///     host.packages(["git"]).from_release("bookworm-backports").installed()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(go_back);
    /// ```
    pub fn may_downgrade(mut self) -> Self {
        self.options.may_downgrade = true;
        self
    }

    /// Lets others go that can't be beside these, as another program for mail for `postfix`: the preview names them. Without
    /// this, that is an error. With apt only; the others never do that.
    pub fn may_remove(mut self) -> Self {
        self.options.may_remove = true;
        self
    }

    /// Services of the packages are not started by their installation: so that a configuration can be written first.
    /// They are enabled all the same, and start with the next boot at the latest. With apt only.
    ///
    /// It holds for this one run of apt, however that ends: what forbids the starts asks for a variable that nobody
    /// else has in their environment.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn install_nginx(host: &Host) -> Result<()> {
    ///     host.packages(["nginx"]).without_starting().installed()?;
    ///     host.file("/etc/nginx/sites-enabled/default").absent()?;
    ///     host.service("nginx").running()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(install_nginx);
    /// ```
    pub fn without_starting(mut self) -> Self {
        self.options.starts = false;
        self
    }

    /// Prefers versions of this release of the distribution, as in `bookworm-backports`. With apt only.
    pub fn from_release(mut self, release: impl Into<String>) -> Self {
        self.options.release = Some(release.into());
        self
    }

    /// Goes by another manager than the distribution's own.
    ///
    /// ```
    /// use wb_stdlib::packages::Manager;
    /// use wb_stdlib::prelude::*;
    ///
    /// fn go_by_apt(host: &Host) -> Result<()> {
    ///     host.packages(["curl"]).by(Manager::Apt).installed()?; // on a distribution that nobody here knows
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(go_by_apt);
    /// ```
    pub fn by(mut self, manager: Manager) -> Self {
        self.manager = Some(manager);
        self
    }

    /// They are installed, in whatever version, or in that of [`Packages::version`].
    ///
    /// The manager is asked only when one is missing. Its lists are updated first when they are older than a day, or
    /// don't know the package. It never asks questions: files of `/etc` that were edited stay as they are.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn install_nginx(host: &Host) -> Result<()> {
    ///     host.packages(["nginx", "ssl-cert"]).installed()?;
    ///     host.file("/etc/nginx/sites-enabled/default").absent()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(install_nginx);
    /// ```
    ///
    /// # Errors
    /// When there is no such package or version, packages conflict, others would have to go without
    /// [`Packages::may_remove`], or the manager fails for longer than its retries last.
    pub fn installed(self) -> Result<Outcome, PackageError> {
        self.ensure_there("installed", false)
    }

    /// They are installed, in the newest version that the repositories have; with [`Packages::version`], in the newest
    /// that is meant by it.
    ///
    /// The lists are updated first when they are older than an hour; a plan can't know then. Every run may find a newer
    /// version, so this suits what must follow security updates, and little else.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn renew_openssl(host: &Host) -> Result<()> {
    ///     host.packages(["openssl", "libssl3"]).latest()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(renew_openssl);
    /// ```
    ///
    /// # Errors
    /// As [`Packages::installed`], and when a repository can't be read.
    pub fn latest(self) -> Result<Outcome, PackageError> {
        self.ensure_there("latest", true)
    }

    /// They are not installed. What they wrote to `/etc` stays. What needs them goes, too, as the preview says; with pacman
    /// and apk, that is an error.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn drop_apache(host: &Host) -> Result<()> {
    ///     host.packages(["apache2"]).unheld()?;
    ///     host.packages(["apache2"]).absent()?;
    ///     host.packages(["apache2-doc"]).purged()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().package("apache2", "2.4.62-1").rehearse(drop_apache);
    /// ```
    ///
    /// # Errors
    /// When the manager does not say what would go with them, or fails for longer than its retries last.
    pub fn absent(self) -> Result<Outcome, PackageError> {
        self.ensure(Wanted::Absent)
    }

    /// They are not installed, and of what they wrote to `/etc` nothing is left. Where a manager keeps no such files
    /// (dnf, zypper), this is [`Packages::absent`].
    ///
    /// # Errors
    /// As [`Packages::absent`].
    pub fn purged(self) -> Result<Outcome, PackageError> {
        self.ensure(Wanted::Purged)
    }

    /// They stay in the versions that they have, whatever is upgraded.
    ///
    /// dnf 4 does that by its plugin `versionlock`, which must be there.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn keep_the_kernel(host: &Host) -> Result<()> {
    ///     host.packages(["python3-dnf-plugin-versionlock"]).installed()?;
    ///     host.packages(["kernel-core"]).held()?;
    ///     Ok(())
    /// }
    /// # let said = "package python3-dnf-plugin-versionlock is not installed\nkernel-core|0|6.8.5-301.fc40\n";
    /// # wb_stdlib::testing::fedora().answer("rpm", 0, said).rehearse(keep_the_kernel);
    /// ```
    ///
    /// # Errors
    /// When one is not installed, dnf has no such plugin, or the manager does not do it.
    pub fn held(self) -> Result<Outcome, PackageError> {
        self.ensure(Wanted::Held)
    }

    /// They may be upgraded.
    ///
    /// # Errors
    /// When the manager does not do it, or a pattern holds one, which may hold others, too.
    pub fn unheld(self) -> Result<Outcome, PackageError> {
        self.ensure(Wanted::Unheld)
    }

    fn ensure(self, wanted: Wanted) -> Result<Outcome, PackageError> {
        let backend = self.backend()?;
        let what = self.what(&self.names, &wanted.to_string());
        let pins = Pins::of(self.host.system(), backend.manager());
        let found = match self.or_unknown(backend.as_ref(), backend.facts(&self.names))? {
            Ok(found) => self.by_now(pins.marked(found)?),
            Err(why) => return ensure(self.host, &what, Difference::Unknown(why), || Ok(())),
        };
        if let Some(why) = self.changed_before(wanted) {
            return ensure(self.host, &what, Difference::Unknown(why), || Ok(()));
        }
        let differing = wanted.differing(&found);
        let difference = self.difference(backend.as_ref(), &found, &differing, wanted)?;
        if matches!(difference, Difference::Some(_)) {
            match wanted {
                Wanted::Absent | Wanted::Purged => foresight::packages(self.host.context(), &differing, false),
                Wanted::Held | Wanted::Unheld => {
                    foresight::holds(self.host.context(), &differing, wanted == Wanted::Held);
                }
            }
        }
        ensure(self.host, &what, difference, || {
            achieve(backend.as_ref(), &differing, wanted)?;
            pins.strike(&differing)
        })
    }

    fn difference(
        &self,
        backend: &dyn Backend,
        found: &Found,
        differing: &[String],
        wanted: Wanted,
    ) -> Result<Difference, PackageError> {
        if differing.is_empty() {
            return Ok(Difference::None);
        }
        let lines = match wanted {
            Wanted::Absent | Wanted::Purged => match self.going(backend, differing, wanted == Wanted::Purged)? {
                Ok(going) => prefixed("- ", &going),
                Err(why) => return Ok(Difference::Unknown(why)),
            },
            Wanted::Held => match differing.iter().find(|name| found[*name].version().is_none() && !self.comes(name)) {
                Some(name) if self.host.plans() => {
                    return Ok(Difference::Unknown(format!("the package `{name}` is not installed yet")));
                }
                Some(name) => return Err(PackageError::NotInstalled { name: name.clone() }),
                None => match self.or_unknown(backend, backend.can_hold())? {
                    Ok(()) => prefixed("hold ", differing),
                    Err(why) => return Ok(Difference::Unknown(why)),
                },
            },
            Wanted::Unheld => prefixed("release ", differing),
        };
        Ok(Difference::Some(Some(lines)))
    }

    /// What was found, with what operations before would have held or released in a plan.
    fn by_now(&self, mut found: Found) -> Found {
        for (name, facts) in &mut found {
            if let Some(held) = foresight::is_held(self.host.context(), name) {
                (facts.held, facts.loose) = (held, false);
            }
        }
        found
    }

    /// Whether an operation before installs a package that is not there.
    fn comes(&self, name: &str) -> bool {
        foresight::has_package(self.host.context(), name) == Some(true)
    }

    /// Why a plan can't know how packages differ that an operation before installs or removes; but what it installs can be held.
    fn changed_before(&self, wanted: Wanted) -> Option<String> {
        let is_unknown = |name: &String| match foresight::has_package(self.host.context(), name) {
            Some(comes) => !comes || wanted != Wanted::Held,
            None => false,
        };
        self.names.iter().any(is_unknown).then(changed_before)
    }

    /// The wishes that are not met; or, in a plan, why that can't be known.
    fn lacking(&self, wishes: &[Wish], found: &Found, latest: bool) -> Result<Vec<Wish>, String> {
        let mut lacking = Vec::new();
        for wish in wishes {
            match foresight::has_package(self.host.context(), &wish.name) {
                Some(true) if !latest && wish.version.is_none() => {}
                Some(_) => return Err(changed_before()),
                None if latest || !wish.is_met(found) => lacking.push(wish.clone()),
                None => {}
            }
        }
        Ok(lacking)
    }

    /// Packages that are removed, and what goes with them; or, in a plan, why that can't be known.
    fn going(
        &self,
        backend: &dyn Backend,
        removed: &[String],
        purge: bool,
    ) -> Result<Result<Vec<String>, String>, PackageError> {
        let going = self.or_unknown(backend, backend.removed(removed, purge))?;
        Ok(going.map(|mut going| {
            going.extend(removed.iter().cloned());
            going.sort();
            going.dedup();
            going
        }))
    }

    fn ensure_there(self, word: &str, latest: bool) -> Result<Outcome, PackageError> {
        let backend = self.backend()?;
        let wishes = self.wishes()?;
        let named: Vec<String> = wishes.iter().map(Wish::to_string).collect();
        let what = self.what(&named, word);
        let pins = Pins::of(self.host.system(), backend.manager());
        let found = match self.or_unknown(backend.as_ref(), backend.facts(&self.names))? {
            Ok(found) => self.by_now(pins.marked(found)?),
            Err(why) => return ensure(self.host, &what, Difference::Unknown(why), || Ok(())),
        };
        let lacking = match self.lacking(&wishes, &found, latest) {
            Ok(lacking) => lacking,
            Err(why) => return ensure(self.host, &what, Difference::Unknown(why), || Ok(())),
        };
        let change = Change { manager: backend.manager(), found: &found, may_downgrade: self.options.may_downgrade };
        let targets = match self.targets(backend.as_ref(), &change, &lacking, latest)? {
            Ok(targets) => targets,
            Err(why) => return ensure(self.host, &what, Difference::Unknown(why), || Ok(())),
        };
        if let Some(why) = self.held_back(&change, &targets)? {
            return ensure(self.host, &what, Difference::Unknown(why), || Ok(()));
        }
        let difference = self.installation(backend.as_ref(), &pins, &change, &targets)?;
        if matches!(difference, Difference::Some(_)) {
            let new = targets.iter().filter(|target| target.from(&found).is_none());
            foresight::packages(self.host.context(), new.map(|target| &target.name), true);
        }
        ensure(self.host, &what, difference, || {
            install(backend.as_ref(), &pins, &targets, &found)?;
            check_installed(backend.as_ref(), &targets, latest)
        })
    }

    /// What would change by installing these, and by what a run left undone that was cut short.
    fn installation(
        &self,
        backend: &dyn Backend,
        pins: &Pins<'_>,
        change: &Change<'_>,
        targets: &[Target],
    ) -> Result<Difference, PackageError> {
        let context = self.host.context();
        let displaced = match targets.is_empty() {
            true => Ok(Vec::new()),
            false => self.or_unknown(backend, backend.displaced(targets, change.found))?,
        };
        let displaced = match displaced {
            Ok(displaced) => displaced.into_iter().map(|name| format!("- {name}")),
            Err(why) => return Ok(Difference::Unknown(why)),
        };
        let owed = pins.owed(backend)?.into_iter().filter(|name| foresight::is_held(context, name).is_none());
        let owed: Vec<String> = owed.collect();
        foresight::holds(context, &owed, true);
        let installed = (!targets.is_empty()).then(|| change.lines(targets)).into_iter();
        let left = backend.leftover()?.into_iter().chain(owed.iter().map(|name| format!("hold {name}")));
        Ok(Difference::of_lines(installed.chain(displaced).chain(left)))
    }

    /// A package that is held gets no version that nobody said: apt says so itself, of what it holds. In a plan, why that
    /// can't be known.
    fn held_back(&self, change: &Change<'_>, targets: &[Target]) -> Result<Option<String>, PackageError> {
        let is_kept = |target: &&Target| match change.manager {
            Manager::Apt => target.is_to_stay(change.found) && !target.is_held(change.found),
            _ => target.is_to_stay(change.found),
        };
        let mut kept = targets.iter().filter(|target| target.version.is_none()).filter(is_kept);
        match kept.find_map(|target| Some((target, target.from(change.found)?))) {
            None => Ok(None),
            Some(_) if self.host.plans() && self.host.would_change("package") => Ok(Some(changed_before())),
            Some((target, from)) => {
                let (name, found, wanted) = (target.name.clone(), from.to_owned(), target.to.clone());
                Err(PackageError::StaysHeld { name, found, wanted })
            }
        }
    }

    /// What is to be installed for the wishes that are not met; or, in a plan, why that can't be known.
    fn targets(
        &self,
        backend: &dyn Backend,
        change: &Change<'_>,
        lacking: &[Wish],
        latest: bool,
    ) -> Result<Result<Vec<Target>, String>, PackageError> {
        if lacking.is_empty() {
            return Ok(Ok(Vec::new()));
        }
        if !self.host.plans() {
            return offered(backend, change, lacking, latest).map(Ok);
        }
        if ["apt", "rpm", "pacman", "apk"].iter().any(|kind| self.host.would_change(&format!("{kind} repository "))) {
            return Ok(Err("the repositories change before it".into()));
        }
        let targets = backend.offers(&names(lacking), latest).and_then(|offers| change.targets(lacking, &offers));
        let targets = self.or_unknown(backend, targets)?;
        let is_old = latest && backend.lists().are_older_than(LATEST_BOUND);
        Ok(targets.and_then(|targets| match is_old {
            true => Err(format!("the lists are older than an hour; `{}` tells", backend.manager().update())),
            false => Ok(targets),
        }))
    }

    /// In a plan, what is an error only until something before it was done is not known yet.
    fn or_unknown<T>(
        &self,
        backend: &dyn Backend,
        result: Result<T, PackageError>,
    ) -> Result<Result<T, String>, PackageError> {
        match result {
            Ok(value) => Ok(Ok(value)),
            Err(error) => match unknown_yet(backend.manager(), &error).filter(|_| self.host.plans()) {
                Some(why) => Ok(Err(why)),
                None => Err(error),
            },
        }
    }

    fn backend(&self) -> Result<Box<dyn Backend + 'a>, PackageError> {
        let system = self.host.system();
        let manager = self.manager.unwrap_or_else(|| Manager::of(system));
        check_names(manager, &self.names)?;
        if manager != Manager::Apt {
            let only_apt = |what| PackageError::NotSupported { manager, what };
            match (&self.options.release, self.options.starts, self.options.may_remove) {
                (Some(_), ..) => return Err(only_apt("prefer a release")),
                (None, false, _) => return Err(only_apt("install without starting services")),
                (None, true, true) => return Err(only_apt("remove packages for others")),
                (None, true, false) => {}
            }
        }
        let options = Options { only_looks: self.host.plans(), ..self.options.clone() };
        Ok(manager.backend(system, options))
    }

    fn wishes(&self) -> Result<Vec<Wish>, PackageError> {
        if let Some(name) = self.versions.keys().find(|name| !self.names.contains(name)) {
            return Err(PackageError::NotAmong { name: name.clone() });
        }
        self.names.iter().map(|name| self.wish(name)).collect()
    }

    fn wish(&self, name: &str) -> Result<Wish, PackageError> {
        let version = self.versions.get(name).or(self.version.as_ref()).cloned();
        match version.iter().find(|version| !version::is_pattern(version)) {
            Some(version) => Err(PackageError::BadVersion { name: name.to_owned(), version: version.clone() }),
            None => Ok(Wish { name: name.to_owned(), version }),
        }
    }

    fn what(&self, named: &[String], word: &str) -> String {
        format!("package{} {} {word}", if named.len() == 1 { "" } else { "s" }, named.join(", "))
    }
}

/// What is to be installed, by lists that are new enough and know all of it.
fn offered(
    backend: &dyn Backend,
    change: &Change<'_>,
    lacking: &[Wish],
    latest: bool,
) -> Result<Vec<Target>, PackageError> {
    let bound = if latest { LATEST_BOUND } else { LISTS_BOUND };
    let look = || change.targets(lacking, &backend.offers(&names(lacking), latest)?);
    if !backend.lists().are_older_than(bound) {
        match look() {
            Err(PackageError::NoSuchPackage { .. } | PackageError::NoSuchVersion { .. }) => {}
            targets => return targets,
        }
    }
    let updated = backend.update();
    match (look(), updated) {
        // One repository may be down, and what is wanted is in the others.
        (Ok(targets), Err(_)) if !latest => Ok(targets),
        (_, Err(error)) => Err(error),
        (targets, Ok(())) => targets,
    }
}

/// Installs what there is to be installed, and does what a run left undone that was cut short. What is held stays so, however
/// that ends.
fn install(backend: &dyn Backend, pins: &Pins<'_>, targets: &[Target], found: &Found) -> Result<(), PackageError> {
    if targets.is_empty() {
        backend.tidy()?;
        return pins.hold_again(backend);
    }
    pins.let_go(Target::pinned(targets, found))?;
    let installed = backend.install(targets, found);
    let held = pins.hold_again(backend);
    installed.and(held)
}

fn check_installed(backend: &dyn Backend, targets: &[Target], latest: bool) -> Result<(), PackageError> {
    if targets.is_empty() {
        return Ok(());
    }
    let found = backend.facts(&Target::names(targets))?;
    let is_so = |target: &&Target| match target.from(&found) {
        Some(version) => version == target.to || (target.version.is_none() && !latest),
        None => false,
    };
    let left: Vec<String> = targets.iter().filter(|target| !is_so(target)).map(|target| target.name.clone()).collect();
    if left.is_empty() { Ok(()) } else { Err(not_so(backend, "install", left)) }
}

fn achieve(backend: &dyn Backend, names: &[String], wanted: Wanted) -> Result<(), PackageError> {
    match wanted {
        Wanted::Absent | Wanted::Purged => backend.remove(names, wanted == Wanted::Purged)?,
        Wanted::Held | Wanted::Unheld => backend.hold(names, wanted == Wanted::Held)?,
    }
    let left = wanted.differing(&backend.facts(names)?);
    if left.is_empty() { Ok(()) } else { Err(not_so(backend, wanted.action(), left)) }
}

fn changed_before() -> String {
    "packages change before it".to_owned()
}

fn not_so(backend: &dyn Backend, action: &'static str, names: Vec<String>) -> PackageError {
    PackageError::NotSo { manager: backend.manager(), action, names }
}

fn names(wishes: &[Wish]) -> Vec<String> {
    wishes.iter().map(|wish| wish.name.clone()).collect()
}

fn prefixed(prefix: &str, names: &[String]) -> String {
    names.iter().map(|name| format!("{prefix}{name}")).collect::<Vec<_>>().join("\n")
}

impl Host<'_> {
    /// Whether an operation before this one, of which `what` is the start, would change something, or may.
    fn would_change(&self, what: &str) -> bool {
        let operations = self.context().operations();
        operations.iter().any(|operation| operation.what.starts_with(what) && operation.outcome != Outcome::Unchanged)
    }
}

/// One package, to be looked at. [`Look::package`] makes it.
#[must_use]
pub struct Package<A> {
    access: A,
    name: String,
    manager: Option<Manager>,
}

impl<A: Look> Package<A> {
    pub(crate) fn new(access: A, name: &str) -> Self {
        Self { access, name: name.to_owned(), manager: None }
    }

    /// Goes by another manager than the distribution's own.
    pub fn by(mut self, manager: Manager) -> Self {
        self.manager = Some(manager);
        self
    }

    /// Whether it is installed, and in which version.
    ///
    /// ```
    /// use wb_stdlib::packages::{Manager, PackageState};
    /// use wb_stdlib::prelude::*;
    ///
    /// fn version_of_nginx(host: &View) -> Result<String> {
    ///     host.package("apache2").is_absent()?;
    ///     host.package("nginx").is_installed()?;
    ///     match host.package("nginx").by(Manager::Apt).state()? {
    ///         PackageState::Installed { version } => Ok(version),
    ///         state => bail!("expected nginx to be installed, found it {state}"),
    ///     }
    /// }
    /// # assert_eq!(wb_stdlib::testing::web1().package("nginx", "1.22.1-9").sees(version_of_nginx), "1.22.1-9");
    /// ```
    ///
    /// # Errors
    /// When its manager does not say.
    pub fn state(&self) -> Result<PackageState, PackageError> {
        self.facts().map(|facts| facts.state)
    }

    /// Checks that it is installed.
    ///
    /// # Errors
    /// When it is not, or its manager does not say.
    pub fn is_installed(&self) -> Result<()> {
        match self.state()? {
            PackageState::Installed { .. } => Ok(()),
            found => anyhow::bail!("expected the package `{}` to be installed, found it {found}", self.name),
        }
    }

    /// Checks that it is not installed.
    ///
    /// # Errors
    /// When it is, or its manager does not say.
    pub fn is_absent(&self) -> Result<()> {
        match self.state()? {
            PackageState::Absent => Ok(()),
            found => anyhow::bail!("expected the package `{}` to be absent, found it {found}", self.name),
        }
    }

    /// Checks that it is installed in this version, or in one that the pattern means, as in `1.22.*`.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn postgres_is_pinned(host: &View) -> Result<()> {
    ///     host.package("postgresql-15").has_version("15.8-*")?;
    ///     host.package("postgresql-15").is_held()
    /// }
    /// # wb_stdlib::testing::web1().asks(postgres_is_pinned);
    /// ```
    ///
    /// # Errors
    /// When it is in another, or not installed, or its manager does not say.
    pub fn has_version(&self, version: &str) -> Result<()> {
        let found = self.state()?;
        let is_so = matches!(&found, PackageState::Installed { version: found } if version::matches(version, found));
        anyhow::ensure!(is_so, "expected the package `{}` in version {version}, found it {found}", self.name);
        Ok(())
    }

    /// Checks that it stays in its version, whatever is upgraded.
    ///
    /// # Errors
    /// When it may be upgraded, or its manager does not say.
    pub fn is_held(&self) -> Result<()> {
        anyhow::ensure!(self.facts()?.held, "expected the package `{}` to be held, found it free", self.name);
        Ok(())
    }

    fn facts(&self) -> Result<Facts, PackageError> {
        let (system, names) = (self.access.context().system(), [self.name.clone()]);
        let manager = self.manager.unwrap_or_else(|| Manager::of(system));
        check_names(manager, &names)?;
        let mut found: Found = manager.backend(system, Options::default()).facts(&names)?;
        Ok(found.remove(&self.name).unwrap_or_default())
    }
}

fn check_names(manager: Manager, names: &[String]) -> Result<(), PackageError> {
    match names.iter().find(|name| !manager.is_name(name)) {
        Some(name) => Err(PackageError::BadName { name: name.clone() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
