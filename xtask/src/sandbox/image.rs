//! The root file system that all hosts share: Debian 12 with sysvinit, made by mmdebstrap and kept in a cache.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use wb_core::system::{Clock as _, Command, clock, environment, files};

use super::{SandboxError, packages, while_doing};

/// A root file system to boot hosts from, and the packages that hosts downloaded. It never changes.
#[derive(Debug, Clone)]
pub struct Image {
    root: PathBuf,
    packages: PathBuf,
}

impl Image {
    /// Debian 12 with sysvinit, apt, git, ssh and cron. It is taken from `cache`, or built there (half a minute on an
    /// idle machine) when it is absent, its recipe changed, or its package lists are of another week. When it can't be
    /// built, one of an earlier week will do. `progress` hears of what takes long.
    ///
    /// # Errors
    /// When there is none and it can't be built.
    pub fn debian12(cache: &Path, progress: &dyn Fn(&str)) -> Result<Self, SandboxError> {
        let packages = cache.join(STORE);
        files::create_dir(&packages)?;
        let recipe = Recipe::of_this_machine()?;
        let wanted = Version { week: week(clock::Real.now()), key: recipe.key() };
        let root = cache.join(wanted.directory());
        let _lock = super::wait("another process to build the image", BUILD, || {
            files::try_lock(cache.join("lock")).transpose()
        })??;
        if files::exists(&root) {
            return Ok(Self { root, packages });
        }
        progress("building the Debian 12 image, once a week");
        let Err(error) = build(&recipe, cache, &root) else {
            remove_old(cache, &wanted);
            return Ok(Self { root, packages });
        };
        let older = older(cache, &wanted).ok_or(error)?;
        progress("it could not be built; taking that of an earlier week");
        Ok(Self { root: older, packages })
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
        let archives = self.packages.with_extension("new");
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
}

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

/// Where a cache has the packages that hosts downloaded.
const STORE: &str = "packages";

/// How long a build may take, downloads included.
const BUILD: Duration = Duration::from_secs(30 * 60);

const PACKAGES: [&str; 15] = [
    "sysvinit-core",
    "sysv-rc",
    "initscripts",
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

/// Has apt keep what it makes of its lists. Each host would make that at its first call, for seconds.
const READ_LISTS: [&str; 2] = ["apt-cache", "gencaches"];

/// The init is sysvinit and stays it, whatever a package recommends.
const PIN: &str = "Package: systemd-sysv\\nPin: release *\\nPin-Priority: -1\\n";

/// What an image is made from.
#[derive(Debug, PartialEq, Eq)]
struct Recipe {
    /// Files with apt sources of this machine that offer Debian 12; none: mmdebstrap's own choice.
    sources: Vec<(PathBuf, String)>,
    /// Files of this machine that a host needs to reach the same mirrors.
    trust: Vec<(PathBuf, String)>,
    /// apt's options for its way to the mirrors.
    options: Vec<String>,
}

impl Recipe {
    fn of_this_machine() -> Result<Self, SandboxError> {
        let mut sources = texts("/etc/apt/sources.list.d", &["list", "sources"])?;
        sources.extend(text(Path::new("/etc/apt/sources.list"))?);
        sources.retain(|(_, text)| offers_debian12(text));
        let mut trust = texts("/usr/local/share/ca-certificates", &["crt"])?;
        trust.extend(texts("/etc/apt/auth.conf.d", &["conf"])?);
        let dump = Command::new("apt-config").args(["dump", "--no-empty", "Acquire"]).run();
        let dump = dump.map(|output| output.text()).unwrap_or_default();
        let proxies = ["http", "https"].map(|scheme| (scheme, environment::var(&format!("{scheme}_proxy"))));
        let proxies = proxies.into_iter().filter_map(|(scheme, url)| Some(proxy_option(scheme, &url?)));
        Ok(Self { sources, trust, options: dump.lines().filter_map(reach_option).chain(proxies).collect() })
    }

    /// Names the recipe with all that goes into it.
    fn key(&self) -> String {
        let mut text = self.command(Path::new("/image")).line();
        text.extend([FINISH, PIN].into_iter().chain(READ_LISTS));
        text.extend(self.sources.iter().chain(&self.trust).map(|(_, content)| content.as_str()));
        Sha256::digest(text).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Builds it, as one process namespace: when this process is killed, the build is.
    fn command(&self, root: &Path) -> Command {
        let pin =
            format!("mkdir -p \"$1/etc/apt/preferences.d\"; printf '{PIN}' >\"$1/etc/apt/preferences.d/sysvinit\"");
        let uploads = self.trust.iter().map(|(path, _)| format!("--customize-hook=upload {0} {0}", path.display()));
        Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory"])
            .arg(format!("--include={}", PACKAGES.join(",")))
            .args(["--dpkgopt=force-unsafe-io", "--aptopt=Acquire::Languages \"none\"", "--skip=cleanup/apt/lists"])
            .args(self.options.iter().map(|option| format!("--aptopt={option}")))
            .arg(format!("--setup-hook={pin}"))
            .args(uploads)
            .arg(format!("--customize-hook={FINISH}"))
            .arg("bookworm")
            .arg(root)
            .args(self.sources.iter().map(|(path, _)| path))
            .timeout(BUILD)
    }
}

/// One build of the image: the package lists of `week`, the recipe `key`.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    week: u64,
    key: String,
}

impl Version {
    fn directory(&self) -> String {
        format!("debian12-{}-{}", self.week, self.key)
    }

    fn parse(directory: &Path) -> Option<Self> {
        let (week, key) = directory.file_name()?.to_str()?.strip_prefix("debian12-")?.split_once('-')?;
        Some(Self { week: week.parse().ok()?, key: key.to_owned() })
    }
}

fn build(recipe: &Recipe, cache: &Path, root: &Path) -> Result<(), SandboxError> {
    let unfinished = cache.join("unfinished");
    files::remove_tree(&unfinished)?;
    let command = recipe.command(&unfinished);
    command.read().map_err(while_doing("build the Debian 12 image"))?;
    // mmdebstrap removes that at its end. Hosts of an image without it are only slower.
    drop(Command::new("chroot").arg(&unfinished).args(READ_LISTS).timeout(BUILD).run());
    Ok(files::rename(unfinished, root)?)
}

fn versions(cache: &Path) -> Vec<(Version, PathBuf)> {
    let paths = files::list(cache).unwrap_or_default();
    paths.into_iter().filter_map(|path| Some((Version::parse(&path)?, path))).collect()
}

fn older(cache: &Path, wanted: &Version) -> Option<PathBuf> {
    let mut usable = versions(cache);
    usable.retain(|(version, _)| version.key == wanted.key);
    usable.into_iter().max_by_key(|(version, _)| version.week).map(|(_, path)| path)
}

/// Removes what no herd boots from any more: images of more than a week before.
fn remove_old(cache: &Path, wanted: &Version) {
    for (_, path) in versions(cache).into_iter().filter(|(version, _)| version.week + 1 < wanted.week) {
        drop(files::remove_tree(path));
    }
}

/// Removes all images of a cache, and gives their names.
pub(super) fn remove_all(cache: &Path) -> Result<Vec<String>, SandboxError> {
    let versions = versions(cache);
    for (_, path) in &versions {
        files::remove_tree(path)?;
    }
    Ok(versions.into_iter().map(|(version, _)| version.directory()).collect())
}

/// Removes the packages that hosts downloaded. True when there were any.
pub(super) fn remove_packages(cache: &Path) -> Result<bool, SandboxError> {
    Ok(files::remove_tree(cache.join(STORE))?)
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

/// Whether a file of apt sources, of either format, has only suites of Debian 12 signed by Debian.
fn offers_debian12(sources: &str) -> bool {
    let lines = || sources.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let suites: Vec<&str> = lines().flat_map(suites).collect();
    let ours = |suite: &&str| *suite == "bookworm" || suite.starts_with("bookworm-");
    let foreign_key = |line: &str| {
        let key = line.to_ascii_lowercase();
        key.contains("signed-by") && !key.contains("debian-archive")
    };
    !suites.is_empty() && suites.iter().all(ours) && !lines().any(foreign_key)
}

fn suites(line: &str) -> Vec<&str> {
    if let Some(suites) = line.strip_prefix("Suites:") {
        return suites.split_whitespace().collect();
    }
    let Some(entry) = line.strip_prefix("deb ") else { return Vec::new() };
    let entry = entry.trim_start();
    let entry = if entry.starts_with('[') { entry.split_once(']').map_or("", |(_, rest)| rest) } else { entry };
    entry.split_whitespace().nth(1).into_iter().collect()
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
            sources: vec![("/s".into(), "deb m bookworm main".into())],
            trust: vec![("/ca.crt".into(), "key".into())],
            options: vec![proxy_option("http", "http://proxy:3128")],
        }
    }

    #[test]
    fn the_command_has_all_of_the_recipe() {
        let line = recipe().command(Path::new("/image")).line();
        assert!(line.contains("--include=sysvinit-core,sysv-rc,"), "{line}");
        assert!(line.contains("'--customize-hook=upload /ca.crt /ca.crt'"), "{line}");
        assert!(line.contains(r#"'--aptopt=Acquire::http::Proxy "http://proxy:3128"'"#), "{line}");
        assert!(line.ends_with("bookworm /image /s"), "{line}");
    }

    #[test]
    fn the_key_follows_the_recipe() {
        let key = recipe().key();
        assert_eq!((key.len(), key.clone()), (12, recipe().key()));
        assert_ne!(key, Recipe { sources: Vec::new(), ..recipe() }.key());
        assert_ne!(key, Recipe { trust: vec![("/ca.crt".into(), "other".into())], ..recipe() }.key());
    }

    #[test]
    fn a_version_is_its_directory() {
        let version = Version { week: 2968, key: "abc".into() };
        assert_eq!(Version::parse(Path::new(&version.directory())), Some(version));
        assert_eq!(Version::parse(Path::new("/cache/unfinished")), None);
        assert_eq!(week(Duration::from_secs(7 * 24 * 60 * 60)), 1);
    }

    #[test]
    fn an_older_image_of_the_same_recipe_will_do() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["debian12-7-a", "debian12-8-a", "debian12-9-b", "unfinished"] {
            files::create_dir(dir.path().join(name)).unwrap();
        }
        let wanted = Version { week: 9, key: "a".into() };
        assert_eq!(older(dir.path(), &wanted), Some(dir.path().join("debian12-8-a")));
        remove_old(dir.path(), &wanted);
        assert!(!files::exists(dir.path().join("debian12-7-a")));
        assert!(files::exists(dir.path().join("debian12-8-a")));
    }

    #[test]
    fn only_images_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["debian12-7-a", "debian12-9-b", "layers", "packages"] {
            files::create_dir(dir.path().join(name)).unwrap();
        }
        assert_eq!(remove_all(dir.path()).unwrap(), ["debian12-7-a", "debian12-9-b"]);
        assert_eq!(files::list(dir.path()).unwrap().len(), 2);
        assert!(remove_packages(dir.path()).unwrap() && !remove_packages(dir.path()).unwrap());
    }

    #[test]
    fn sources_of_debian_12_are_taken_and_others_left() {
        assert!(offers_debian12("Types: deb\nURIs: m\nSuites: bookworm bookworm-updates\nComponents: main\n"));
        assert!(offers_debian12("# deb m sid main\ndeb [arch=amd64] m bookworm-security main\n"));
        assert!(!offers_debian12("deb m trixie main\n"));
        assert!(!offers_debian12("deb m cloud-sdk-bookworm main\n"));
        assert!(!offers_debian12("deb [signed-by=/k/other.gpg] m bookworm main\n"));
        assert!(!offers_debian12(""));
    }

    #[test]
    fn options_about_the_way_to_the_mirrors_are_taken() {
        assert_eq!(reach_option("Acquire::http::Proxy \"p\";").as_deref(), Some("Acquire::http::Proxy \"p\""));
        assert_eq!(reach_option("Acquire::Check-Date \"false\";").as_deref(), Some("Acquire::Check-Date \"false\""));
        assert_eq!(reach_option("Acquire::Languages \"none\";"), None);
        assert_eq!(reach_option(""), None);
    }
}
