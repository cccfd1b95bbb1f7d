//! Certificates that a host makes for itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wb_core::calendar;
use wb_core::context::{DebtAction, Outcome};
use wb_core::system::CommandError;
use wb_core::system::files::{Kind, Stat};

use super::x509::X509;
use super::{CertificateError, DAY, first, openssl, private_key};
use crate::Host;
use crate::ensure::{Difference, ensure};
use crate::file::{FileError, Resolved, Wanted, missing_parent};
use crate::foresight::{self, Thing};
use crate::look::Access as _;
use crate::owed::Owes;
use crate::service::Service;

/// How long it is valid, and how long before its end it is made anew, in days, if nobody said otherwise.
const DAYS: u32 = 365;
const BEFORE: u32 = 30;

const MODE: u32 = 0o644;
const MODE_OF_KEY: u32 = 0o600;
/// Of a key that others of its group may read.
const MODE_FOR_GROUP: u32 = 0o640;

/// A certificate that the host makes for itself. [`Certificate::self_signed`](super::Certificate::self_signed) makes it.
///
/// Its key, of the curve P-256, is made once, and stays when the certificate is renewed, as does one that was there before, of
/// whatever kind. It is renewed when this runs and there are fewer days left than it is to have, or its names are others: let
/// a spec ask `.is_valid_for(…)`, and apply a `#[reusable]` migration when that fails.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn speak_tls_inside(host: &Host) -> Result<()> {
///     host.certificate("/etc/ssl/internal.pem")
///         .self_signed("/etc/ssl/private/internal.key", [host.name(), "192.0.2.7"])
///         .days(90)
///         .renewed_before(20)
///         .owner("shop")
///         .group("ssl-cert")
///         .reloads(&host.service("nginx"))
///         .restarts(&host.service("shop"))
///         .present()?;
///     Ok(())
/// }
/// # wb_stdlib::testing::web1().rehearse(speak_tls_inside);
/// ```
#[must_use = "say what is to be so: `.present()?`"]
pub struct SelfSigned<'a> {
    host: Host<'a>,
    path: PathBuf,
    key_path: PathBuf,
    names: Vec<String>,
    days: u32,
    before: u32,
    wanted: Wanted,
    owes: Owes,
}

impl<'a> SelfSigned<'a> {
    pub(super) fn new<N: Into<String>>(
        host: Host<'a>,
        path: PathBuf,
        key_path: &Path,
        names: impl IntoIterator<Item = N>,
    ) -> Self {
        let names: Vec<String> = names.into_iter().map(|name| plain(&name.into())).collect();
        let (wanted, owes) = (Wanted::default(), Owes::default());
        Self { host, path, key_path: key_path.to_owned(), names, days: DAYS, before: BEFORE, wanted, owes }
    }

    /// For so many days from when it is made, more than those of [`SelfSigned::renewed_before`]; otherwise for 365.
    pub fn days(mut self, days: u32) -> Self {
        self.days = days;
        self
    }

    /// It is made anew when fewer days than this are left; otherwise 30.
    pub fn renewed_before(mut self, days: u32) -> Self {
        self.before = days;
        self
    }

    /// Whose both are, by name or number; otherwise root's.
    pub fn owner(mut self, user: impl Into<String>) -> Self {
        self.wanted.owner = Some(user.into());
        self
    }

    /// A group that may read the key, too, as in `ssl-cert`; otherwise nobody but its owner may.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.wanted.group = Some(group.into());
        self
    }

    /// When it is made, the service is reloaded at the end of the migration.
    pub fn reloads(mut self, service: &Service<Host<'a>>) -> Self {
        self.owes.add(DebtAction::Reload, service);
        self
    }

    /// When it is made, the service is restarted at the end of the migration.
    pub fn restarts(mut self, service: &Service<Host<'a>>) -> Self {
        self.owes.add(DebtAction::Restart, service);
        self
    }

    /// There is such a certificate, with its key, for long enough, and both are whose they are to be.
    ///
    /// # Errors
    /// When a name is none, `openssl` is missing, or a file can't be written, and when there is a key that can't be read: it is
    /// not replaced.
    pub fn present(self) -> Result<Outcome, CertificateError> {
        self.check()?;
        let what = format!("certificate {} self-signed", self.path.display());
        if let Some(why) = self.unknown()? {
            return ensure(self.host, &what, Difference::Unknown(why), || Ok(()));
        }
        let found = self.found()?;
        let difference = Difference::of_lines(found.lines());
        if difference != Difference::None {
            let owe = |source| FileError::Owe { path: self.path.clone(), source };
            self.owes.write_down(self.host.context()).map_err(owe)?;
        }
        self.foresee(&found)?;
        ensure(self.host, &what, difference, || self.make(&found))
    }

    /// The key stays for ever, and so comes first.
    fn make(&self, found: &Found) -> Result<(), CertificateError> {
        let system = self.host.system();
        let (key, certificate) = self.resolved()?;
        if !found.has_key {
            system.write_file(&self.key_path, openssl::new_key(system)?, key.over(None, MODE_OF_KEY))?;
        } else if !found.of_key.is_empty() {
            key.set(system, &self.key_path)?;
        }
        if found.reason.is_some() {
            let new = openssl::new_certificate(system, &self.key_path, &self.names, self.days)?;
            system.write_file(&self.path, new, certificate.over(system.stat(&self.path)?, MODE))?;
        } else if !found.of_certificate.is_empty() {
            certificate.set(system, &self.path)?;
        }
        match self.found()?.lines() {
            left if left.is_empty() => Ok(()),
            left => Err(CertificateError::NotSo { path: self.path.clone(), left: left.join("\n") }),
        }
    }

    /// Owner, group and mode of the key, and of the certificate.
    fn resolved(&self) -> Result<(Resolved, Resolved), CertificateError> {
        let of_owner = self.wanted.resolve(self.host.context()).map_err(FileError::from)?;
        let key_mode = if self.wanted.group.is_some() { MODE_FOR_GROUP } else { MODE_OF_KEY };
        let with = |mode| Resolved { mode: Some(mode), ..of_owner };
        Ok((with(key_mode), with(MODE)))
    }

    /// Lets operations that come later in a plan see both files. What will be in them, nobody knows before.
    fn foresee(&self, found: &Found) -> Result<(), CertificateError> {
        if !self.host.plans() {
            return Ok(());
        }
        let (context, (key, certificate)) = (self.host.context(), self.resolved()?);
        let files = [
            (&self.key_path, key, !found.has_key, !found.of_key.is_empty()),
            (&self.path, certificate, found.reason.is_some(), !found.of_certificate.is_empty()),
        ];
        for (path, wanted, is_new, differs) in files {
            let there = file(foresight::stat(context, path)?);
            let stat = wanted.stat(Kind::File, there, MODE_OF_KEY);
            match (is_new, differs) {
                (true, _) => foresight::put(context, path, Thing::Later(stat)),
                (false, true) => foresight::dress(context, path, stat),
                (false, false) => {}
            }
        }
        Ok(())
    }

    fn found(&self) -> Result<Found, CertificateError> {
        let context = self.host.context();
        let key = foresight::read(context, &self.key_path)?;
        let of_file = |wanted: Resolved, path: &Path, name: &str| -> Result<Vec<String>, CertificateError> {
            let lines = wanted.diff(file(foresight::stat(context, path)?));
            Ok(lines.into_iter().map(|line| format!("{name}: {line}")).collect())
        };
        let (of_key, of_certificate) = self.resolved()?;
        Ok(Found {
            has_key: key.is_some(),
            reason: self.reason(key.as_deref())?,
            of_key: of_file(of_key, &self.key_path, "key")?,
            of_certificate: of_file(of_certificate, &self.path, "certificate")?,
        })
    }

    /// Why it is to be made.
    fn reason(&self, key: Option<&[u8]>) -> Result<Option<String>, CertificateError> {
        let Some(key) = key else { return Ok(Some("new key and certificate".into())) };
        let der = private_key(key).ok_or_else(|| CertificateError::UnusableKey { path: self.key_path.clone() })?;
        let found = foresight::read(self.host.context(), &self.path)?.and_then(|content| first(&content));
        let is_its_key = match &found {
            Some(found) => found.is_in(&der) || self.is_public_half(&found.public_key, key)?,
            None => false,
        };
        let names: BTreeSet<String> = self.names.iter().cloned().collect();
        let now = self.host.system().clock().now().as_secs();
        Ok(reason(found.as_ref(), is_its_key, &names, now, self.before))
    }

    /// Asks openssl: some keys, such as those of Ed25519, do not say their public half. A plan takes them for what they should
    /// be where there is no openssl yet.
    fn is_public_half(&self, public: &[u8], key: &[u8]) -> Result<bool, CertificateError> {
        match openssl::public_key(self.host.system(), key) {
            Err(CertificateError::OpenSsl { source: CommandError::NotFound { .. }, .. }) if self.host.plans() => {
                Ok(true)
            }
            found => Ok(found? == public),
        }
    }

    fn unknown(&self) -> Result<Option<String>, CertificateError> {
        for path in [&self.path, &self.key_path] {
            if let Some(why) = missing_parent(self.host, path)? {
                return Ok(Some(why));
            }
            let context = self.host.context();
            let found = if self.host.plans() { foresight::stat(context, path)? } else { continue };
            let unknown = foresight::unknown_in(context, path);
            if let Some(why) = self.wanted.missing_owner(context, found)?.or(unknown) {
                return Ok(Some(why));
            }
        }
        Ok(None)
    }

    fn check(&self) -> Result<(), CertificateError> {
        crate::file::check_path(&self.path)?;
        crate::file::check_path(&self.key_path)?;
        if self.before >= self.days {
            return Err(CertificateError::BadDays { days: self.days, before: self.before });
        }
        match self.names.iter().find(|name| !is_name(name)) {
            Some(name) => Err(CertificateError::BadName { name: name.clone() }),
            None if self.names.is_empty() => Err(CertificateError::BadName { name: String::new() }),
            None => Ok(()),
        }
    }
}

fn file(found: Option<Stat>) -> Option<Stat> {
    found.filter(|stat| stat.kind == Kind::File)
}

/// What there is, as far as it differs.
struct Found {
    has_key: bool,
    /// Why a certificate is to be made.
    reason: Option<String>,
    /// What differs of owner, group and mode.
    of_key: Vec<String>,
    of_certificate: Vec<String>,
}

impl Found {
    /// What is made has its owner, group and mode from the start.
    fn lines(&self) -> Vec<String> {
        let of_certificate: &[String] = if self.reason.is_some() { &[] } else { &self.of_certificate };
        self.reason.iter().chain(&self.of_key).chain(of_certificate).cloned().collect()
    }
}

fn reason(found: Option<&X509>, is_its_key: bool, names: &BTreeSet<String>, now: u64, before: u32) -> Option<String> {
    let Some(found) = found else { return Some("new certificate".into()) };
    let listed = |names: &BTreeSet<String>| names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    if found.names != *names {
        return Some(format!("names {} -> {}", listed(&found.names), listed(names)));
    }
    if !is_its_key {
        return Some("its key is another one".into());
    }
    let ends = found.not_after < now + u64::from(before) * DAY;
    ends.then(|| format!("it expires at {}", calendar::moment(found.not_after)))
}

/// As it stands in a certificate.
fn plain(name: &str) -> String {
    match name.parse::<std::net::IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => name.to_lowercase(),
    }
}

fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let labels = name.strip_prefix("*.").unwrap_or(name);
    name.parse::<std::net::IpAddr>().is_ok()
        || name.len() <= 253 && !name.starts_with('-') && labels.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::CERTIFICATE;
    use super::*;

    #[test]
    fn it_is_made_for_a_reason() {
        let parsed = first(CERTIFICATE.as_bytes()).unwrap();
        let names: BTreeSet<String> = ["192.0.2.7", "shop.example.org"].map(str::to_owned).into();
        let end = parsed.not_after;
        let check = |found: Option<&X509>, its_key: bool, names: &BTreeSet<String>, now: u64, expect: Option<&str>| {
            assert_eq!(reason(found, its_key, names, now, 30).as_deref(), expect);
        };
        check(Some(&parsed), true, &names, end - 30 * DAY, None);
        check(Some(&parsed), true, &names, end - 30 * DAY + 1, Some("it expires at 2027-11-29T08:03:23Z"));
        check(None, true, &names, 0, Some("new certificate"));
        check(Some(&parsed), false, &names, 0, Some("its key is another one"));
        let fewer: BTreeSet<String> = ["shop.example.org".to_owned()].into();
        check(Some(&parsed), true, &fewer, 0, Some("names 192.0.2.7, shop.example.org -> shop.example.org"));
    }

    #[test]
    fn only_names_are_names() {
        let check = |name: &str, expect| assert_eq!(is_name(name), expect, "{name}");
        check("shop.example.org", true);
        check("*.example.org", true);
        check("localhost", true);
        check("2001:db8::1", true);
        check("a, IP:192.0.2.1", false);
        check("a\n[other]", false);
        check("", false);
        check("a..b", false);
        check("-a", false);
        check("a.*.b", false);
    }
}
