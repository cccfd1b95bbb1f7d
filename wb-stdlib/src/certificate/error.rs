//! What can go wrong with certificates.

use std::path::PathBuf;

use wb_core::system::{CommandError, files};

use crate::file::FileError;

/// What can go wrong with certificates.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// There is none.
    #[error("there is no certificate in {}", .path.display())]
    NoCertificate {
        /// Where.
        path: PathBuf,
    },
    /// It is no certificate.
    #[error("what was given for {} begins with no certificate in PEM", .path.display())]
    BadCertificate {
        /// Where it was to be.
        path: PathBuf,
    },
    /// It is no key, or nobody can use it without a password.
    #[error("what was given for {} has no private key in PEM, or one with a password\nhint: `openssl pkey -in …` takes a password away", .path.display())]
    BadKey {
        /// Where it was to be.
        path: PathBuf,
    },
    /// There is a key already that nobody can use without a password, or none in PEM.
    #[error(
        "what is in {} is no private key in PEM, or one with a password, and is not replaced\nhint: `openssl pkey -in …` \
         takes a password away and writes PEM; where nobody needs it, remove the file, and a new key is made", .path.display()
    )]
    UnusableKey {
        /// Where it is.
        path: PathBuf,
    },
    /// They are no pair.
    #[error("the key for {} does not belong to the certificate for {}", .key.display(), .certificate.display())]
    NoPair {
        /// Where the certificate was to be.
        certificate: PathBuf,
        /// Where the key was to be.
        key: PathBuf,
    },
    /// It is nothing that a certificate could be for.
    #[error("`{}` is no name for a certificate\nhint: names are like `shop.example.org`, `*.example.org`, `192.0.2.7`, and there is at least one", name.escape_debug())]
    BadName {
        /// What was asked for.
        name: String,
    },
    /// It would be renewed each time.
    #[error("a certificate of {days} days that is renewed {before} days before its end would always be renewed")]
    BadDays {
        /// How long it is valid.
        days: u32,
        /// How long before its end it is renewed.
        before: u32,
    },
    /// openssl did not do it.
    #[error("could not {action} with `openssl`\nhint: it is in the package `openssl`")]
    OpenSsl {
        /// What.
        action: &'static str,
        /// Why.
        source: CommandError,
    },
    /// It was made, and is not as it was to be.
    #[error("the certificate {} was made, and is not as it was to be: {left}", .path.display())]
    NotSo {
        /// Where.
        path: PathBuf,
        /// What differs.
        left: String,
    },
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<files::FileError> for CertificateError {
    fn from(error: files::FileError) -> Self {
        Self::File(error.into())
    }
}
