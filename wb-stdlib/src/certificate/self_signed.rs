//! Certificates that a host makes for itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wb_core::calendar;
use wb_core::context::{DebtAction, Outcome};
use wb_core::system::files::Attributes;

use super::x509::X509;
use super::{CertificateError, DAY, first, openssl, private_key};
use crate::Host;
use crate::ensure::{Difference, ensure};
use crate::file::{FileError, Wanted, missing_parent};
use crate::look::Access as _;
use crate::owed::Owes;
use crate::service::Service;

/// How long it is valid, and how long before its end it is made anew, in days, if nobody said otherwise.
const DAYS: u32 = 365;
const BEFORE: u32 = 30;

/// A certificate that the host makes for itself. [`Certificate::self_signed`](super::Certificate::self_signed) makes it.
///
/// Its key, of the curve P-256, is made once, and stays when the certificate is renewed. It is renewed when this runs and
/// there are fewer days left than it is to have, or its names are others: let a spec ask `.is_valid_for(…)`, and apply a
/// `#[reusable]` migration when that fails.
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

    /// For so many days from when it is made; otherwise for 365.
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

    /// There is such a certificate, with its key, for long enough.
    ///
    /// # Errors
    /// When a name is none, `openssl` is missing, or a file can't be written.
    pub fn present(self) -> Result<Outcome, CertificateError> {
        self.check()?;
        let what = format!("certificate {} self-signed", self.path.display());
        if let Some(why) = self.unknown()? {
            return ensure(self.host, &what, Difference::Unknown(why), || Ok(()));
        }
        let key = self.host.system().read_file(&self.key_path)?;
        let reason = self.reason(key.as_deref())?;
        if reason.is_some() {
            let owe = |source| FileError::Owe { path: self.path.clone(), source };
            self.owes.write_down(self.host.context()).map_err(owe)?;
        }
        let difference = reason.map_or(Difference::None, |reason| Difference::Some(Some(reason)));
        ensure(self.host, &what, difference, || self.make(key.as_deref()))
    }

    /// The key stays for ever, and so comes first.
    fn make(&self, key: Option<&[u8]>) -> Result<(), CertificateError> {
        let system = self.host.system();
        let resolved = self.wanted.resolve(system).map_err(FileError::from)?;
        let attributes = |mode| Attributes { mode, uid: resolved.uid, gid: resolved.gid };
        if key.and_then(private_key).is_none() {
            let mode = if self.wanted.group.is_some() { 0o640 } else { 0o600 };
            system.write_file(&self.key_path, openssl::new_key(system)?, attributes(mode))?;
        }
        let certificate = openssl::new_certificate(system, &self.key_path, &self.names, self.days)?;
        system.write_file(&self.path, certificate, attributes(0o644))?;
        match self.reason(system.read_file(&self.key_path)?.as_deref())? {
            None => Ok(()),
            Some(left) => Err(CertificateError::NotSo { path: self.path.clone(), left }),
        }
    }

    /// Why it is to be made.
    fn reason(&self, key: Option<&[u8]>) -> Result<Option<String>, CertificateError> {
        let system = self.host.system();
        let found = system.read_file(&self.path)?.and_then(|content| first(&content));
        let Some(key) = key.and_then(private_key) else { return Ok(Some("new key and certificate".into())) };
        let names: BTreeSet<String> = self.names.iter().cloned().collect();
        Ok(reason(found.as_ref(), &key, &names, system.clock().now().as_secs(), self.before))
    }

    fn unknown(&self) -> Result<Option<String>, CertificateError> {
        for path in [&self.path, &self.key_path] {
            if let Some(why) = missing_parent(self.host, path)? {
                return Ok(Some(why));
            }
        }
        if self.host.plans() { Ok(self.wanted.missing_owner(self.host.system())?) } else { Ok(None) }
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

fn reason(found: Option<&X509>, key: &[u8], names: &BTreeSet<String>, now: u64, before: u32) -> Option<String> {
    let Some(found) = found else { return Some("new certificate".into()) };
    let listed = |names: &BTreeSet<String>| names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    if found.names != *names {
        return Some(format!("names {} -> {}", listed(&found.names), listed(names)));
    }
    if !found.is_in(key) {
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
    use super::super::fixtures::{CERTIFICATE, KEY, RSA_KEY};
    use super::*;

    #[test]
    fn it_is_made_for_a_reason() {
        let parsed = first(CERTIFICATE.as_bytes()).unwrap();
        let names: BTreeSet<String> = ["192.0.2.7", "shop.example.org"].map(str::to_owned).into();
        let key = private_key(KEY.as_bytes()).unwrap();
        let end = parsed.not_after;
        let check = |found: Option<&X509>, key: &[u8], names: &BTreeSet<String>, now: u64, expect: Option<&str>| {
            assert_eq!(reason(found, key, names, now, 30).as_deref(), expect);
        };
        check(Some(&parsed), &key, &names, end - 30 * DAY, None);
        check(Some(&parsed), &key, &names, end - 30 * DAY + 1, Some("it expires at 2027-11-29T08:03:23Z"));
        check(None, &key, &names, 0, Some("new certificate"));
        let other = private_key(RSA_KEY.as_bytes()).unwrap();
        check(Some(&parsed), &other, &names, 0, Some("its key is another one"));
        let fewer: BTreeSet<String> = ["shop.example.org".to_owned()].into();
        check(Some(&parsed), &key, &fewer, 0, Some("names 192.0.2.7, shop.example.org -> shop.example.org"));
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
