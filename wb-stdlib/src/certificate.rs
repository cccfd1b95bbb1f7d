//! Certificates with their keys: placed as a pair that fits, or made by the host for itself, and looked at before they expire.

mod error;
#[cfg(test)]
pub(crate) mod fixtures;
mod openssl;
mod pair;
mod self_signed;
mod x509;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use wb_core::calendar;
use wb_core::system::System;

use crate::pem;
use crate::{Host, Look};
pub use error::CertificateError;
pub use pair::Pair;
pub use self_signed::SelfSigned;
use x509::X509;

const DAY: u64 = 24 * 3600;
/// The largest file that is looked at, in bytes. Bundles of all authorities have less than a MiB.
const LARGEST: u64 = 16 * 1024 * 1024;

/// A certificate, in PEM. [`Look::certificate`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn serve_as_the_shop(host: &Host, certificate: &str, key: &str) -> Result<()> {
///     let nginx = host.service("nginx");
///     host.certificate("/etc/ssl/shop.pem")
///         .pair(certificate, "/etc/ssl/private/shop.key", key)
///         .reloads(&nginx)
///         .present()?;
///     host.certificate("/etc/ssl/internal.pem")
///         .self_signed("/etc/ssl/private/internal.key", ["internal.example.org", "192.0.2.7"])
///         .days(365)
///         .renewed_before(30)
///         .reloads(&nginx)
///         .present()?;
///     Ok(())
/// }
///
/// fn it_lasts(host: &View) -> Result<()> {
///     host.certificate("/etc/ssl/shop.pem").is_valid_for(Duration::from_secs(14 * 24 * 3600))
/// }
/// # use wb_stdlib::testing::{samples::{CERTIFICATE, KEY}, web1};
/// # let host = web1().file("/etc/ssl/shop.pem", CERTIFICATE);
/// # host.rehearse(|host| serve_as_the_shop(host, CERTIFICATE, KEY)).sees(it_lasts);
/// ```
#[must_use]
pub struct Certificate<A> {
    access: A,
    path: PathBuf,
}

impl<A: Look> Certificate<A> {
    pub(crate) fn new(access: A, path: &Path) -> Self {
        Self { access, path: path.to_owned() }
    }

    /// When it expires, in seconds since 1970, UTC.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn it_is_the_shops(host: &View) -> Result<u64> {
    ///     let shop = host.certificate("/etc/ssl/shop.pem");
    ///     shop.is_for("shop.example.org")?;
    ///     Ok(shop.expires()?)
    /// }
    /// # let host = wb_stdlib::testing::web1().file("/etc/ssl/shop.pem", wb_stdlib::testing::samples::CERTIFICATE);
    /// # assert!(host.sees(it_is_the_shops) > 0);
    /// ```
    ///
    /// # Errors
    /// When there is no such file, or no certificate is in it.
    pub fn expires(&self) -> Result<u64, CertificateError> {
        Ok(self.parsed()?.not_after)
    }

    /// Checks that it is valid for so long from now.
    ///
    /// # Errors
    /// When it expires before that, or there is none.
    pub fn is_valid_for(&self, time: Duration) -> Result<()> {
        let (not_after, now) = (self.expires()?, self.system().clock().now());
        let until = now.saturating_add(time).as_secs();
        anyhow::ensure!(
            not_after >= until,
            "expected the certificate {} to be valid until {}, found that it expires at {}",
            self.path.display(),
            calendar::moment(until),
            calendar::moment(not_after)
        );
        Ok(())
    }

    /// Checks that it is for this name: a DNS name, or an address.
    ///
    /// # Errors
    /// When it is not, or there is none.
    pub fn is_for(&self, name: &str) -> Result<()> {
        let found = self.parsed()?.names;
        let path = self.path.display();
        let names = found.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        anyhow::ensure!(
            found.contains(&name.to_lowercase()),
            "expected the certificate {path} for {name}, found {names}"
        );
        Ok(())
    }

    fn parsed(&self) -> Result<X509, CertificateError> {
        crate::file::check_path(&self.path)?;
        let none = || CertificateError::NoCertificate { path: self.path.clone() };
        if self.system().stat_of_end(&self.path)?.is_none_or(|stat| stat.size > LARGEST) {
            return Err(none());
        }
        let content = self.system().read_file(&self.path)?.ok_or_else(none)?;
        first(&content).ok_or_else(none)
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl<'a> Certificate<Host<'a>> {
    /// This certificate, with those that signed it after it, and its key, both in PEM. The key is at a path of its own.
    pub fn pair(
        self,
        certificate: impl Into<Vec<u8>>,
        key_path: impl AsRef<Path>,
        key: impl Into<Vec<u8>>,
    ) -> Pair<'a> {
        Pair::new(self.access, self.path, certificate.into(), key_path.as_ref(), key.into())
    }

    /// One that the host makes for itself, for these DNS names and addresses, with its key at a path of its own.
    pub fn self_signed<N: Into<String>>(
        self,
        key_path: impl AsRef<Path>,
        names: impl IntoIterator<Item = N>,
    ) -> SelfSigned<'a> {
        SelfSigned::new(self.access, self.path, key_path.as_ref(), names)
    }
}

/// The first certificate of a text: that of who shows it.
fn first(pem: &[u8]) -> Option<X509> {
    let blocks = pem::blocks(pem);
    let block = blocks.iter().find(|block| block.label == "CERTIFICATE")?;
    X509::parse(&block.bytes()?)
}

/// The private key of a text, in DER.
fn private_key(pem: &[u8]) -> Option<Vec<u8>> {
    let blocks = pem::blocks(pem);
    let is_open = |label: &str| label.ends_with("PRIVATE KEY") && !label.starts_with("ENCRYPTED");
    blocks.iter().find(|block| is_open(&block.label))?.bytes()
}

#[cfg(test)]
mod tests;
