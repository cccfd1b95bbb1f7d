//! The root file systems that hosts share: a distribution with an init, made by mmdebstrap and kept in a cache.

mod sum;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum as _;
use sha2::{Digest as _, Sha256};
use wb_core::system::{Clock as _, Command, clock, environment, files};

use super::usage::{self, Usage};
use super::{Distribution, Init, SandboxError, lock_soon, packages, tools, while_doing};

/// A root file system to boot hosts from, and the packages that hosts downloaded. It never changes, and as long as
/// somebody has it, nobody removes what is in its cache.
#[derive(Debug, Clone)]
pub struct Image {
    root: PathBuf,
    packages: PathBuf,
    version: String,
    cache: PathBuf,
    _usage: Usage,
}

impl Image {
    /// Debian 12 with sysvinit: see [`Image::of`].
    ///
    /// # Errors
    /// As [`Image::of`].
    pub fn debian12(cache: &Path, progress: &dyn Fn(&str)) -> Result<Self, SandboxError> {
        Self::of(Distribution::Debian12, Init::Sysv, cache, progress)
    }

    /// A distribution with this init, and with apt, git, ssh and cron. It is taken from `cache`, or built there (half a
    /// minute on an idle machine) when it is absent or damaged, its recipe changed, or its package lists are of another
    /// week. When it can't be built, one of an earlier week will do. `progress` hears of what takes long.
    ///
    /// Sources of apt for it are, where there are any, those in `NAME.sources` or `NAME.list` in the cache, for instance
    /// `debian13.sources`; else those of this machine that offer it; else its own mirror.
    ///
    /// # Errors
    /// When there is none and it can't be built; [`SandboxError::NoSuchImage`] where there are no such hosts: an image has
    /// sysvinit or systemd, and Ubuntu's has systemd.
    pub fn of(
        distribution: Distribution,
        init: Init,
        cache: &Path,
        progress: &dyn Fn(&str),
    ) -> Result<Self, SandboxError> {
        let recipe = Recipe::of_this_machine(distribution, init, cache)?;
        let packages = cache.join(store(distribution));
        files::create_dir(&packages)?;
        let wanted = Version { label: recipe.label(), week: week(clock::Real.now()), key: recipe.key() };
        let free = || files::try_lock(cache.join(LOCK)).transpose();
        let _lock = super::wait("another process to build the image", BUILD, free)??;
        let version = recipe.have(cache, wanted, progress)?.directory();
        // Who removes images has that lock, too: so there is no moment in between.
        let usage = Usage::begin(cache)?;
        Ok(Self { root: cache.join(&version), packages, version, cache: cache.to_owned(), _usage: usage })
    }

    /// Whether it has all that it was built with: every name, kind, mode, owner and size. Where a file has another
    /// time, and once a day, the files are read, too. What apt notes there when it is asked for packages is passed over.
    ///
    /// # Errors
    /// [`SandboxError::Damaged`] where it has not; and when it can't be looked at.
    pub fn verify(&self) -> Result<(), SandboxError> {
        sum::verify(&self.root)
    }

    /// What tells it from every other one: what it is of, the week of its package lists, and a hash of its recipe.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where it is. Read only.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Downloads packages and all that they need beside the image: for hosts that have no way out themselves. Herds that
    /// start later have them in apt's archive directory, and their apt checks and installs them as ever.
    ///
    /// # Errors
    /// When this machine's own apt can't download them.
    pub fn download(&self, names: &[&str]) -> Result<(), SandboxError> {
        let archives = on_the_way(&self.packages);
        files::create_dir(archives.join("partial"))?;
        let downloaded = download(&self.root, &archives, names).read();
        downloaded.map_err(while_doing("download packages for the hosts"))?;
        packages::collect(&archives, &self.packages)?;
        files::remove_tree(archives)?;
        Ok(())
    }

    /// The directory of the packages that hosts downloaded.
    pub(super) fn packages(&self) -> &Path {
        &self.packages
    }

    /// The cache that it is in.
    pub(super) fn cache(&self) -> &Path {
        &self.cache
    }
}

/// The file whose lock has who makes or removes images.
const LOCK: &str = "lock";

/// This machine's apt, with the lists, the sources and the installed packages of the image.
fn download(image: &Path, archives: &Path, names: &[&str]) -> Command {
    let option = |name: &str, path: &Path| format!("{name}={}", path.display());
    let options = [
        option("Dir", image),
        option("Dir::State::status", &image.join("var/lib/dpkg/status")),
        option("Dir::Cache::archives", archives),
        "Dir::Cache::pkgcache=".to_owned(),
        "Dir::Cache::srcpkgcache=".to_owned(),
        "APT::Sandbox::User=root".to_owned(),
    ];
    let command = options.iter().fold(Command::new("apt-get"), |command, option| command.args(["-o", option]));
    command.args(["install", "--download-only", "--yes", "-qq"]).args(names).timeout(BUILD)
}

/// Where a cache has the packages that hosts of a distribution downloaded.
fn store(distribution: Distribution) -> String {
    match distribution {
        Distribution::Debian12 => STORE.to_owned(),
        _ => format!("{STORE}-{}", distribution.label()),
    }
}

const STORE: &str = "packages";

/// Where packages lie that this machine is downloading for a store.
fn on_the_way(store: &Path) -> PathBuf {
    store.with_extension("new")
}

/// How long a build may take, downloads included.
const BUILD: Duration = Duration::from_secs(30 * 60);

const SYSV: &[&str] = &["sysvinit-core", "sysv-rc", "initscripts"];
const SYSTEMD: &[&str] = &["systemd", "systemd-sysv"];

const PACKAGES: &[&str] = &[
    "apt",
    "git",
    "openssh-client",
    "openssh-server",
    "ca-certificates",
    "iproute2",
    "iputils-ping",
    "procps",
    "psmisc",
    "netbase",
    "curl",
    "cron",
];

const FINISH: &str = include_str!("image.sh");
const FINISH_SYSV: &str = include_str!("image/sysv.sh");
const FINISH_SYSTEMD: &str = include_str!("image/systemd.sh");

/// Has apt keep what it makes of its lists. Each host would make that at its first call, for seconds.
const READ_LISTS: [&str; 2] = ["apt-cache", "gencaches"];

/// Where the init is sysvinit, it stays that, whatever a package recommends.
const PIN: &str = "Package: systemd-sysv\\nPin: release *\\nPin-Priority: -1\\n";

/// What an image is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Recipe {
    distribution: Distribution,
    /// Whether its init is systemd, and not sysvinit.
    is_systemd: bool,
    /// Files with apt sources that offer the distribution; none: its own mirror.
    sources: Vec<(PathBuf, String)>,
    /// Where other sources would be looked for.
    other_sources: PathBuf,
    /// Files of this machine that a host needs to reach the same mirrors.
    trust: Vec<(PathBuf, String)>,
    /// apt's options for its way to the mirrors.
    options: Vec<String>,
}

impl Recipe {
    fn of_this_machine(distribution: Distribution, init: Init, cache: &Path) -> Result<Self, SandboxError> {
        let is_systemd = match init {
            Init::Systemd => true,
            Init::Sysv if distribution.has_sysvinit() => false,
            _ => return Err(SandboxError::NoSuchImage { distribution, init }),
        };
        let other_sources = cache.join(format!("{}.sources", distribution.label()));
        let mut trust = texts("/usr/local/share/ca-certificates", &["crt"])?;
        trust.extend(texts("/etc/apt/auth.conf.d", &["conf"])?);
        let dump = Command::new("apt-config").args(["dump", "--no-empty", "Acquire"]).run();
        let dump = dump.map(|output| output.text()).unwrap_or_default();
        let proxies = ["http", "https"].map(|scheme| (scheme, environment::var(&format!("{scheme}_proxy"))));
        let proxies = proxies.into_iter().filter_map(|(scheme, url)| Some(proxy_option(scheme, &url?)));
        let options = dump.lines().filter_map(reach_option).chain(proxies).collect();
        let sources = sources(distribution, &other_sources)?;
        Ok(Self { distribution, is_systemd, sources, other_sources, trust, options })
    }

    /// What it is called by people.
    fn name(&self) -> String {
        match self.is_systemd && self.distribution.has_sysvinit() {
            true => format!("{} with systemd", self.distribution),
            false => self.distribution.to_string(),
        }
    }

    /// What it is called in a path.
    fn label(&self) -> String {
        label(self.distribution, if self.is_systemd { Init::Systemd } else { Init::Sysv })
    }

    /// Names the recipe with all that goes into it.
    fn key(&self) -> String {
        let mut text = self.command(Path::new("/image")).line();
        text.extend(READ_LISTS);
        text.extend(self.sources.iter().chain(&self.trust).map(|(_, content)| content.as_str()));
        Sha256::digest(text).iter().take(KEY_DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The image that is wanted, which is built where it is absent; or else that of an earlier week.
    fn have(&self, cache: &Path, wanted: Version, progress: &dyn Fn(&str)) -> Result<Version, SandboxError> {
        if !is_there(&cache.join(wanted.directory()), progress)? {
            progress(&format!("building the {} image, once a week", self.name()));
            if let Err(error) = self.build(cache, &wanted, progress) {
                let mut older = older(cache, &wanted).into_iter();
                let found = older.find(|older| sum::verify(&cache.join(older.directory())).is_ok()).ok_or(error)?;
                progress("it could not be built; taking that of an earlier week");
                return Ok(found);
            }
        }
        // What can't be removed now is removed another time.
        drop(remove_old(cache, &wanted));
        Ok(wanted)
    }

    /// Builds it in its place.
    fn build(&self, cache: &Path, wanted: &Version, progress: &dyn Fn(&str)) -> Result<(), SandboxError> {
        if self.sources.is_empty() {
            tools::ensure_keyring(self.distribution.keyring(), progress)?;
        }
        let (unfinished, root) = (cache.join(UNFINISHED), cache.join(wanted.directory()));
        files::remove_tree(&unfinished)?;
        self.command(&unfinished).read().map_err(|source| SandboxError::Image {
            what: self.name(),
            from: self.mirrors().join(", "),
            sources: self.other_sources.clone(),
            source: Box::new(source),
        })?;
        // mmdebstrap removes that at its end. Hosts of an image without it are only slower.
        drop(Command::new("chroot").arg(&unfinished).args(READ_LISTS).timeout(BUILD).run());
        // Whoever finds the image finds what is in it.
        sum::write(&root, &unfinished)?;
        Ok(files::rename(unfinished, root)?)
    }

    /// Builds it, as one process namespace: when this process is killed, the build is.
    fn command(&self, root: &Path) -> Command {
        let packages = if self.is_systemd { SYSTEMD } else { SYSV };
        let uploads = self.trust.iter().map(|(path, _)| format!("--customize-hook=upload {0} {0}", path.display()));
        let finish = if self.is_systemd { FINISH_SYSTEMD } else { FINISH_SYSV };
        Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory"])
            .arg(format!("--include={}", [packages, PACKAGES].concat().join(",")))
            .args(["--dpkgopt=force-unsafe-io", "--aptopt=Acquire::Languages \"none\"", "--skip=cleanup/apt/lists"])
            .args(self.options.iter().map(|option| format!("--aptopt={option}")))
            .args((!self.is_systemd).then(pin))
            .args(uploads)
            .args([finish, FINISH].map(|script| format!("--customize-hook={script}")))
            .arg(self.distribution.suite())
            .arg(root)
            .args(self.mirrors())
            .timeout(BUILD)
    }

    /// Where its packages come from, as mmdebstrap takes it: files, or lines of such a file.
    fn mirrors(&self) -> Vec<String> {
        match self.sources.is_empty() {
            true => self.distribution.sources(),
            false => self.sources.iter().map(|(path, _)| path.display().to_string()).collect(),
        }
    }
}

/// Keeps the init from being replaced.
fn pin() -> String {
    let file = "\"$1/etc/apt/preferences.d/sysvinit\"";
    format!("--setup-hook=mkdir -p \"$1/etc/apt/preferences.d\"; printf '{PIN}' >{file}")
}

/// Files with sources of apt: what somebody wrote for this, or what this machine has.
fn sources(distribution: Distribution, written: &Path) -> Result<Vec<(PathBuf, String)>, SandboxError> {
    let written = [text(written)?, text(&written.with_extension("list"))?];
    if written.iter().any(Option::is_some) {
        return Ok(written.into_iter().flatten().collect());
    }
    let mut sources = texts("/etc/apt/sources.list.d", &["list", "sources"])?;
    sources.extend(text(Path::new("/etc/apt/sources.list"))?);
    sources.retain(|(_, text)| distribution.is_offered_by(text));
    Ok(sources)
}

/// One build of an image: of what it is, the package lists of `week`, the recipe `key`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    label: String,
    week: u64,
    key: String,
}

impl Version {
    fn directory(&self) -> String {
        format!("{}-{}-{}", self.label, self.week, self.key)
    }

    /// That of a directory of a cache. One that can't be called so is none of ours, whatever else it may be.
    fn parse(directory: &str) -> Option<Self> {
        let (rest, key) = directory.rsplit_once('-')?;
        let (label, week) = rest.rsplit_once('-')?;
        let is_ours = key.len() == KEY_DIGITS && key.bytes().all(|byte| byte.is_ascii_hexdigit()) && is_label(label);
        let version = Self { label: label.to_owned(), week: week.parse().ok()?, key: key.to_owned() };
        Some(version).filter(|version| is_ours && version.directory() == directory)
    }
}

/// The digits of the key of a recipe.
const KEY_DIGITS: usize = 12;

/// What an image is called in a path.
fn label(distribution: Distribution, init: Init) -> String {
    format!("{}-{}", distribution.label(), init.label())
}

/// Whether images are called so, or were when there was one kind of them only.
fn is_label(name: &str) -> bool {
    let of = |distribution: &Distribution| [Init::Sysv, Init::Systemd].map(|init| label(*distribution, init));
    name == Distribution::Debian12.label() || Distribution::value_variants().iter().flat_map(of).any(|one| one == name)
}

fn versions(cache: &Path) -> Vec<Version> {
    names(cache).iter().filter_map(|name| Version::parse(name)).collect()
}

/// What there is in a cache.
fn names(cache: &Path) -> Vec<String> {
    let paths = files::list(cache).unwrap_or_default();
    paths.iter().filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect()
}

/// Those of the same recipe, the newest first.
fn older(cache: &Path, wanted: &Version) -> Vec<Version> {
    let mut usable = versions(cache);
    usable.retain(|version| (&version.label, &version.key) == (&wanted.label, &wanted.key));
    usable.sort_by_key(|version| std::cmp::Reverse(version.week));
    usable
}

/// Whether an image is there, and whole. One that is damaged is set aside: hosts may have booted from it.
fn is_there(root: &Path, progress: &dyn Fn(&str)) -> Result<bool, SandboxError> {
    if !files::exists(root) {
        return Ok(false);
    }
    match sum::verify(root) {
        Ok(()) => Ok(true),
        Err(error @ SandboxError::Damaged { .. }) => {
            progress(&error.to_string());
            set_aside(root)?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn set_aside(root: &Path) -> Result<(), SandboxError> {
    let name = root.file_name().unwrap_or_default().to_string_lossy();
    let aside = root.with_file_name(format!("{DAMAGED}{name}.{}", clock::Real.now().as_secs()));
    Ok(files::rename(root, aside)?)
}

/// Removes what no herd boots from any more, images of more than a week before and rests, once nobody uses the cache. Who
/// calls it has the lock of that.
fn remove_old(cache: &Path, wanted: &Version) -> Result<(), SandboxError> {
    let (mut old, rests) = (versions(cache), rests(cache));
    old.retain(|version| version.week + 1 < wanted.week);
    if old.is_empty() && rests.is_empty() {
        return Ok(());
    }
    let Some(_alone) = usage::alone(cache)? else { return Ok(()) };
    old.iter().try_for_each(|version| remove(&cache.join(version.directory())))?;
    remove_rests(&rests)
}

/// An image without what it was built with is damaged: so one that is half removed is none.
fn remove(root: &Path) -> Result<(), SandboxError> {
    sum::remove(root)?;
    files::remove_tree(root)?;
    Ok(())
}

/// Where an image is built.
const UNFINISHED: &str = "unfinished";

/// How the name of an image begins that was set aside. A number comes after it.
const DAMAGED: &str = "damaged-";

/// What images leave that are none: one that was set aside, a build that was cut short, what an image was built with that is
/// not there.
fn rests(cache: &Path) -> Vec<PathBuf> {
    let is_rest = |name: &str| {
        let aside = || Version::parse(name.strip_prefix(DAMAGED)?.rsplit_once('.')?.0);
        let built = || Version::parse(sum::image_of(name)?);
        let is_of_none = |version: Version| !files::exists(cache.join(version.directory()));
        name == UNFINISHED || aside().is_some() || built().is_some_and(is_of_none)
    };
    let names = names(cache).into_iter().filter(|name| is_rest(name.as_str()));
    names.map(|name| cache.join(name)).collect()
}

fn remove_rests(rests: &[PathBuf]) -> Result<(), SandboxError> {
    for path in rests {
        match files::stat(path)?.map(|stat| stat.kind) {
            Some(files::Kind::Directory) => files::remove_tree(path)?,
            _ => files::remove(path)?,
        };
    }
    Ok(())
}

/// The right to remove images and what else hosts boot from: nobody makes one, and nobody uses one. Nothing where
/// somebody does.
pub(super) fn alone(cache: &Path) -> Result<Option<(files::Lock, usage::Alone)>, SandboxError> {
    let Some(lock) = lock_soon(&cache.join(LOCK))? else { return Ok(None) };
    Ok(usage::alone(cache)?.map(|alone| (lock, alone)))
}

/// Removes all images of a cache with their rests, and gives their versions. Who calls it is [`alone`].
pub(super) fn remove_all(cache: &Path) -> Result<Vec<String>, SandboxError> {
    let versions: Vec<String> = versions(cache).iter().map(Version::directory).collect();
    versions.iter().try_for_each(|version| remove(&cache.join(version)))?;
    remove_rests(&rests(cache))?;
    Ok(versions)
}

/// Removes the packages that hosts downloaded. True when there were any.
pub(super) fn remove_packages(cache: &Path) -> Result<bool, SandboxError> {
    let mut any = false;
    for distribution in Distribution::value_variants() {
        let packages = cache.join(store(*distribution));
        files::remove_tree(on_the_way(&packages))?;
        any |= files::remove_tree(packages)?;
    }
    Ok(any)
}

fn week(now: Duration) -> u64 {
    now.as_secs() / (7 * 24 * 60 * 60)
}

fn texts(dir: &str, extensions: &[&str]) -> Result<Vec<(PathBuf, String)>, SandboxError> {
    let wanted = |path: &PathBuf| path.extension().is_some_and(|found| extensions.iter().any(|one| found == *one));
    let paths = files::list(dir).unwrap_or_default().into_iter().filter(wanted);
    let read = paths.map(|path| text(&path)).collect::<Result<Vec<_>, _>>()?;
    Ok(read.into_iter().flatten().collect())
}

fn text(path: &Path) -> Result<Option<(PathBuf, String)>, SandboxError> {
    let bytes = files::read_optional(path)?;
    Ok(bytes.map(|bytes| (path.to_owned(), String::from_utf8_lossy(&bytes).into_owned())))
}

/// A line of `apt-config dump` that says how mirrors are reached, as an option.
fn reach_option(line: &str) -> Option<String> {
    let name = line.split_whitespace().next()?;
    let reach = ["Proxy", "Verify-Peer", "Verify-Host", "Check-Valid-Until", "Check-Date"];
    let wanted = reach.iter().any(|part| name.split("::").any(|word| word == *part));
    wanted.then(|| line.trim_end_matches(';').to_owned())
}

fn proxy_option(scheme: &str, url: &str) -> String {
    format!("Acquire::{scheme}::Proxy \"{url}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe() -> Recipe {
        Recipe {
            distribution: Distribution::Debian12,
            is_systemd: false,
            sources: vec![("/s".into(), "deb m bookworm main".into())],
            other_sources: "/cache/debian12.sources".into(),
            trust: vec![("/ca.crt".into(), "key".into())],
            options: vec![proxy_option("http", "http://proxy:3128")],
        }
    }

    fn line(recipe: &Recipe) -> String {
        recipe.command(Path::new("/image")).line()
    }

    #[test]
    fn the_command_has_all_of_the_recipe() {
        let line = line(&recipe());
        assert!(line.contains("--include=sysvinit-core,sysv-rc,"), "{line}");
        assert!(line.contains("preferences.d/sysvinit") && line.contains("inittab"), "{line}");
        assert!(line.contains("'--customize-hook=upload /ca.crt /ca.crt'"), "{line}");
        assert!(line.contains(r#"'--aptopt=Acquire::http::Proxy "http://proxy:3128"'"#), "{line}");
        assert!(line.ends_with("bookworm /image /s"), "{line}");
    }

    #[test]
    fn another_distribution_comes_from_its_own_mirror_with_systemd() {
        let distribution = Distribution::Ubuntu2404;
        let line = line(&Recipe { distribution, is_systemd: true, sources: Vec::new(), ..recipe() });
        assert!(line.contains("--include=systemd,systemd-sysv,apt,"), "{line}");
        assert!(!line.contains("sysvinit") && line.contains("booted.service"), "{line}");
        assert!(line.contains(" noble /image 'deb [signed-by="), "{line}");
        assert!(line.ends_with(" noble-security main universe'"), "{line}");
    }

    #[test]
    fn the_key_follows_the_recipe() {
        let key = recipe().key();
        assert_eq!((key.len(), key.clone()), (12, recipe().key()));
        assert_ne!(key, Recipe { sources: Vec::new(), ..recipe() }.key());
        assert_ne!(key, Recipe { is_systemd: true, ..recipe() }.key());
        assert_ne!(key, Recipe { trust: vec![("/ca.crt".into(), "other".into())], ..recipe() }.key());
    }

    #[test]
    fn an_image_is_called_by_what_it_is_of() {
        let check = |distribution, is_systemd, name: &str, label: &str| {
            let recipe = Recipe { distribution, is_systemd, ..recipe() };
            assert_eq!((recipe.name().as_str(), recipe.label().as_str()), (name, label));
        };
        check(Distribution::Debian12, false, "Debian 12", "debian12-sysv");
        check(Distribution::Debian13, true, "Debian 13 with systemd", "debian13-systemd");
        check(Distribution::Ubuntu2404, true, "Ubuntu 24.04", "ubuntu2404-systemd");
    }

    #[test]
    fn some_images_there_are_not() {
        let none = |distribution, init| Recipe::of_this_machine(distribution, init, Path::new("/none")).err();
        let said = none(Distribution::Ubuntu2404, Init::Sysv).map(|error| error.to_string());
        assert_eq!(said.as_deref(), Some("there is no image of Ubuntu 24.04 with sysvinit"));
        assert!(none(Distribution::Debian12, Init::Runit).is_some());
        assert!(none(Distribution::Debian13, Init::Sysv).is_none());
        assert!(Distribution::value_variants().iter().all(|one| none(*one, one.init()).is_none()));
    }

    #[test]
    fn sources_that_were_written_for_it_come_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("debian13.sources");
        files::write(path.with_extension("list"), "deb [trusted=yes] http://mirror trixie main", 0o644).unwrap();
        let found = sources(Distribution::Debian13, &path).unwrap();
        assert_eq!(found.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>(), [path.with_extension("list")]);
    }

    const A: &str = "aaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbb";

    fn version(week: u64) -> Version {
        Version { label: "debian12-sysv".into(), week, key: A.into() }
    }

    #[test]
    fn a_version_is_its_directory() {
        assert_eq!(Version::parse(&version(2968).directory()), Some(version(2968)));
        assert!(Version::parse(&format!("ubuntu2404-systemd-2968-{B}")).is_some());
        assert!(Version::parse(&format!("debian12-2968-{B}")).is_some(), "so they were called once");
        assert_eq!(week(Duration::from_secs(7 * 24 * 60 * 60)), 1);
    }

    #[test]
    fn what_is_called_otherwise_is_no_image() {
        let sum = format!("debian12-sysv-2968-{A}.sum");
        let others = ["unfinished", "packages-debian13", "notes-2024-", "backup-7-abc", "debian12-sysv-7-abc", &sum];
        let longer = [format!("notes-7-{A}"), format!("debian12-sysv-+7-{A}"), format!("debian12-openrc-7-{A}")];
        for other in others.into_iter().chain(longer.iter().map(String::as_str)) {
            assert_eq!(Version::parse(other), None, "{other}");
        }
    }

    #[test]
    fn an_older_image_of_the_same_recipe_will_do() {
        let dir = tempfile::tempdir().unwrap();
        let others = [format!("debian12-sysv-9-{B}"), format!("debian13-sysv-9-{A}"), "unfinished".to_owned()];
        for name in [version(7).directory(), version(8).directory()].into_iter().chain(others) {
            files::create_dir(dir.path().join(name)).unwrap();
        }
        let weeks = || older(dir.path(), &version(9)).iter().map(|version| version.week).collect::<Vec<_>>();
        assert_eq!(weeks(), [8, 7]);
        let usage = Usage::begin(dir.path()).unwrap();
        remove_old(dir.path(), &version(9)).unwrap();
        assert_eq!(weeks(), [8, 7], "somebody may boot from them");
        drop(usage);
        remove_old(dir.path(), &version(9)).unwrap();
        assert_eq!(weeks(), [8]);
    }

    #[test]
    fn what_is_missing_in_an_image_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join(version(9).directory());
        let at = |path: &str| root.join(path);
        for path in ["usr/bin", "var/lib/dpkg"] {
            files::create_dir(at(path)).unwrap();
        }
        files::write(at("usr/bin/x"), "x", 0o755).unwrap();
        assert!(sum::verify(&root).is_err(), "nobody said what it was built with");
        sum::write(&root, &root).unwrap();
        sum::verify(&root).unwrap();
        files::write(at("var/lib/dpkg/lock-frontend"), "", 0o644).unwrap();
        sum::verify(&root).unwrap();
        files::write(at("usr/bin/x"), "", 0o755).unwrap();
        assert!(matches!(sum::verify(&root), Err(SandboxError::Damaged { .. })));
        assert!(!is_there(&root, &|_| ()).unwrap() && !files::exists(&root));
        let aside = rests(dir.path()).into_iter().find(|rest| files::exists(rest.join("usr/bin/x")));
        assert!(aside.is_some(), "who has booted from it has it still");
        let usage = Usage::begin(dir.path()).unwrap();
        remove_old(dir.path(), &version(9)).unwrap();
        assert!(aside.is_some_and(files::exists));
        drop(usage);
        remove_old(dir.path(), &version(9)).unwrap();
        assert!(rests(dir.path()).is_empty() && versions(dir.path()).is_empty());
    }

    #[test]
    fn what_was_cut_short_is_a_rest() {
        let dir = tempfile::tempdir().unwrap();
        let (there, orphan) = (version(9).directory(), format!("debian12-sysv-8-{A}.sum"));
        let (built, aside) = (format!("{there}.sum"), format!("damaged-debian13-systemd-7-{B}.1700000000"));
        let read = format!("debian12-sysv-8-{A}.read");
        for name in [UNFINISHED, "damaged-disk.1", "layers", &there, &aside] {
            files::create_dir(dir.path().join(name)).unwrap();
        }
        for name in ["lock", "music.sum", &orphan, &read, &built] {
            files::write(dir.path().join(name), "", 0o644).unwrap();
        }
        let expect = [aside.as_str(), read.as_str(), orphan.as_str(), UNFINISHED].map(|name| dir.path().join(name));
        assert_eq!(rests(dir.path()), expect);
        remove_rests(&expect).unwrap();
        assert_eq!(names(dir.path()), ["damaged-disk.1", &there, &built, "layers", "lock", "music.sum"]);
    }

    #[test]
    fn only_images_and_packages_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let images = [format!("debian12-7-{A}"), format!("debian12-sysv-9-{B}")];
        let packages = ["packages", "packages-debian13", "packages-debian13.new"];
        let others = ["backup-7-abc", "layers", "packages-old", "packages.sources"];
        for name in images.iter().map(String::as_str).chain(packages).chain(others) {
            files::create_dir(dir.path().join(name)).unwrap();
        }
        let image = dir.path().join(&images[1]);
        sum::write(&image, &image).unwrap();
        assert_eq!(remove_all(dir.path()).unwrap(), images);
        assert!(remove_packages(dir.path()).unwrap() && !remove_packages(dir.path()).unwrap());
        assert_eq!(names(dir.path()), others);
    }

    #[test]
    fn options_about_the_way_to_the_mirrors_are_taken() {
        assert_eq!(reach_option("Acquire::http::Proxy \"p\";").as_deref(), Some("Acquire::http::Proxy \"p\""));
        assert_eq!(reach_option("Acquire::Check-Date \"false\";").as_deref(), Some("Acquire::Check-Date \"false\""));
        assert_eq!(reach_option("Acquire::Languages \"none\";"), None);
        assert_eq!(reach_option(""), None);
    }
}
