//! Downloads: files from a web server that are what they are said to be.

mod error;
mod fetch;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use wb_core::context::{DebtAction, Outcome};
use wb_core::system::files::{Kind, Stat};
use wb_core::system::http::shown;

pub use error::DownloadError;

use crate::Host;
use crate::ensure::{Difference, ensure};
use crate::file::{FileError, KindWord, Resolved, Wanted, check_path, missing_parent};
use crate::foresight::{self, Thing};
use crate::look::Access as _;
use crate::owed::Owes;
use crate::service::Service;
use crate::sha256::Sha256;

/// The mode of a file that nobody said a mode for.
const NEW_MODE: u32 = 0o644;

/// How long a download may take as a whole, with all its tries, that nobody said a time for.
pub const BOUND: Duration = Duration::from_hours(1);

/// Where to download from. [`Host::download`] makes it.
#[must_use = "say what it is: `.sha256(\"…\")`"]
pub struct Source<'a> {
    host: Host<'a>,
    url: String,
}

/// What to download. [`Source::sha256`] makes it.
#[must_use = "say where it goes: `.to(\"/opt/x.tar.gz\")`"]
pub struct Known<'a> {
    source: Source<'a>,
    sha256: String,
}

/// A file from a web server. [`Known::to`] makes it.
///
/// It is fetched only when the file is not there, or is another one, which is told by its sha256 alone. What comes is
/// written beside the file, piece by piece, and takes its place when it is whole and has the right sha256. A connection
/// that breaks off is tried again, for as long as [`Download::within`] says; then, and also when the migration is cut short
/// and starts again, it goes on where it was.
#[must_use = "say what is to be so: `.present()?`"]
pub struct Download<'a> {
    host: Host<'a>,
    url: String,
    sha256: String,
    path: PathBuf,
    wanted: Wanted,
    owes: Owes,
    headers: Vec<(String, String)>,
    trusted: Option<PathBuf>,
    proxy: Option<String>,
    bound: Duration,
}

impl<'a> Host<'a> {
    /// A file of a web server, by its URL in `http` or `https`. Its sha256 must be known: there is no way without it.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn install_the_shop(host: &Host) -> Result<()> {
    ///     host.download("https://releases.example.org/shop-1.2.tar.gz")
    ///         .sha256("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    ///         .to("/opt/shop-1.2.tar.gz")
    ///         .mode(0o640)
    ///         .present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(install_the_shop);
    /// ```
    ///
    /// ```compile_fail
    /// use wb_stdlib::prelude::*;
    ///
    /// fn install_anything(host: &Host) -> Result<()> {
    ///     host.download("https://releases.example.org/shop-1.2.tar.gz").to("/opt/shop.tar.gz").present()?;
    ///     Ok(())
    /// }
    /// ```
    pub fn download(&self, url: &str) -> Source<'a> {
        Source { host: *self, url: url.to_owned() }
    }
}

impl<'a> Source<'a> {
    /// The SHA-256 of what is there, in 64 hex digits, as `sha256sum` prints it.
    pub fn sha256(self, digits: &str) -> Known<'a> {
        Known { source: self, sha256: digits.to_owned() }
    }
}

impl<'a> Known<'a> {
    /// The file that it becomes, by its absolute path.
    pub fn to(self, path: impl AsRef<Path>) -> Download<'a> {
        let (Source { host, url }, path) = (self.source, path.as_ref().to_owned());
        let (wanted, owes, headers) = (Wanted::default(), Owes::default(), Vec::new());
        Download {
            host,
            url,
            sha256: self.sha256,
            path,
            wanted,
            owes,
            headers,
            trusted: None,
            proxy: None,
            bound: BOUND,
        }
    }
}

impl Download<'_> {
    /// Whose it is, by name or number. Without this, a new file is root's.
    pub fn owner(mut self, user: impl Into<String>) -> Self {
        self.wanted.owner = Some(user.into());
        self
    }

    /// Its group, by name or number.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.wanted.group = Some(group.into());
        self
    }

    /// Its permission bits, as in `0o755`, up to `0o7777`. Without this, a new file has `0o644`.
    pub fn mode(mut self, mode: u32) -> Self {
        self.wanted.mode = Some(mode);
        self
    }

    /// Adds a header to the request, such as a token. What it says stands in no message, and goes to no other scheme, host
    /// or port, wherever the server redirects.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn fetch_a_plugin(host: &Host, token: &str) -> Result<()> {
    ///     host.download("https://releases.example.org/plugin-3.zip")
    ///         .sha256("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    ///         .to("/srv/shop/plugin.zip")
    ///         .owner("shop")
    ///         .group("shop")
    ///         .header("Authorization", &format!("Bearer {token}"))
    ///         .trusting("/etc/ssl/example-root.pem")
    ///         .proxy("http://proxy.example.org:3128")
    ///         .within(Duration::from_mins(10))
    ///         .reloads(&host.service("nginx"))
    ///         .restarts(&host.service("shop"))
    ///         .present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(|host| fetch_a_plugin(host, "a token"));
    /// ```
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Trusts the certificates in this file of the host, by its absolute path, in PEM, beside those that the host
    /// trusts.
    pub fn trusting(mut self, path: impl AsRef<Path>) -> Self {
        self.trusted = Some(path.as_ref().to_owned());
        self
    }

    /// Asks through this proxy, as in `http://proxy.example.org:3128`; otherwise through that of the runner's environment.
    pub fn proxy(mut self, url: &str) -> Self {
        self.proxy = Some(url.to_owned());
        self
    }

    /// How long it may take as a whole, with all its tries; otherwise [`BOUND`]. It never gets more than what is left of
    /// the migration's own `timeout`.
    pub fn within(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }

    /// When it changes, the service is reloaded, as with [`File::reloads`](crate::file::File::reloads).
    pub fn reloads(mut self, service: &Service<Host<'_>>) -> Self {
        self.owes.add(DebtAction::Reload, service);
        self
    }

    /// When it changes, the service is restarted, as with [`File::restarts`](crate::file::File::restarts).
    pub fn restarts(mut self, service: &Service<Host<'_>>) -> Self {
        self.owes.add(DebtAction::Restart, service);
        self
    }

    /// It is there, with this content, owner, group and mode.
    ///
    /// A plan asks no server: it tells by the file that is there.
    ///
    /// # Errors
    /// When it can't be had from there, it is not what it is said to be, something else is at its path, the directory or
    /// the owner is not there, or it can't be written; the old file is then as it was.
    pub fn present(self) -> Result<Outcome, DownloadError> {
        let what = format!("download {} present", self.path.display());
        let bad = || DownloadError::BadSum { url: shown(&self.url), given: self.sha256.clone() };
        let sum = Sha256::parse(&self.sha256).ok_or_else(bad)?;
        let found = self.found()?;
        if let Some(why) = self.unknown(found)? {
            return ensure(self.host, &what, Difference::Unknown(why), || Ok(()));
        }
        let resolved = self.wanted.resolve(self.host.context()).map_err(FileError::from)?;
        let there = found.map(|_| Sha256::of_file(self.host.system(), &self.path)).transpose()?.flatten();
        let difference = self.difference(found, there, sum, &resolved);
        self.write_debts_down(&difference)?;
        if self.host.plans() && difference != Difference::None {
            self.foresee(found.filter(|_| there == Some(sum)), resolved.stat(Kind::File, found, NEW_MODE));
        }
        ensure(self.host, &what, difference, || match there == Some(sum) {
            true => Ok(resolved.set(self.host.system(), &self.path)?),
            false => self.fetch(sum, resolved.over(found, NEW_MODE)),
        })
    }

    fn found(&self) -> Result<Option<Stat>, DownloadError> {
        check_path(&self.path)?;
        match foresight::stat(self.host.context(), &self.path)? {
            Some(stat) if stat.kind != Kind::File => {
                let (path, found) = (self.path.clone(), KindWord(stat.kind));
                Err(FileError::InTheWay { path, wanted: "a file", found }.into())
            }
            found => Ok(found),
        }
    }

    /// What a plan can't know yet.
    fn unknown(&self, found: Option<Stat>) -> Result<Option<String>, FileError> {
        if found.is_none()
            && let Some(why) = missing_parent(self.host, &self.path)?
        {
            return Ok(Some(why));
        }
        if !self.host.plans() {
            return Ok(None);
        }
        let content = foresight::replaced(self.host.context(), &self.path);
        Ok(self.wanted.missing_owner(self.host.context(), found)?.or(content))
    }

    /// Lets operations that come later in a plan see the file as it would be: what is in it is known only then, unless that is
    /// `kept`.
    fn foresee(&self, kept: Option<Stat>, stat: Stat) {
        let context = self.host.context();
        match kept {
            Some(kept) => foresight::dress(context, &self.path, Stat { size: kept.size, ..stat }),
            None => foresight::put(context, &self.path, Thing::Later(stat)),
        }
    }

    fn difference(&self, found: Option<Stat>, there: Option<Sha256>, sum: Sha256, resolved: &Resolved) -> Difference {
        let content = match there {
            None => Some(format!("new, from {}", shown(&self.url))),
            Some(there) if there != sum => {
                Some(format!("sha256 {} -> {}, from {}", there.short(), sum.short(), shown(&self.url)))
            }
            Some(_) => None,
        };
        let lines: Vec<String> = content.into_iter().chain(resolved.diff(found)).collect();
        if lines.is_empty() { Difference::None } else { Difference::Some(Some(lines.join("\n"))) }
    }

    fn write_debts_down(&self, difference: &Difference) -> Result<(), FileError> {
        match difference {
            Difference::Some(_) => self.owes.write_down(self.host.context()),
            Difference::None | Difference::Unknown(_) => Ok(()),
        }
        .map_err(|source| FileError::Owe { path: self.path.clone(), source })
    }
}
