//! Why a web server gave no answer.

use std::io;

use super::shown;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// It is none that can be asked.
    #[error("`{url}` is no address that can be asked\nhint: it starts with `http://` or `https://`")]
    BadUrl {
        /// What was to be asked.
        url: String,
    },
    /// A header that can't be sent.
    #[error("the header `{name}` has characters that no header has")]
    BadHeader {
        /// Its name.
        name: String,
    },
    /// It is no proxy.
    #[error("`{proxy}` is no proxy that can be asked\nhint: it looks like `http://proxy.example.org:3128`")]
    BadProxy {
        /// What was given.
        proxy: String,
    },
    /// The host trusts nobody.
    #[error(
        "could not ask {url}: this host trusts no certificates\nhint: `host.packages([\"ca-certificates\"]).installed()?` \
         brings them"
    )]
    NoRoots {
        /// What was to be asked.
        url: String,
    },
    /// The name has no address.
    #[error("could not ask {url}: its name has no address")]
    NoAddress {
        /// What was to be asked.
        url: String,
    },
    /// The server can't be reached, or breaks off.
    #[error("could not ask {url}")]
    Broken {
        /// What was asked.
        url: String,
        /// Why.
        source: io::Error,
    },
    /// The server does not go on.
    #[error("{url} did not answer in time: {what}")]
    TooLate {
        /// What was asked.
        url: String,
        /// What took too long.
        what: String,
    },
    /// The server could not show who it is.
    #[error(
        "{url} can't be trusted\nhint: where its certificate is signed by an authority of your own, say so: \
         `.trusting(\"/etc/ssl/own-ca.pem\")`, or add that one to what the host trusts"
    )]
    Untrusted {
        /// What was asked.
        url: String,
        /// Why.
        source: io::Error,
    },
    /// What came is no TLS, or none that both sides know.
    #[error("{url} does not speak TLS as is expected of it")]
    NoTls {
        /// What was asked.
        url: String,
        /// Why.
        source: io::Error,
    },
    /// What came is no answer of HTTP.
    #[error("{url} does not answer in HTTP: {why}")]
    NoHttp {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// It leads on and on.
    #[error("{url} redirects too often")]
    RedirectLoop {
        /// What was asked.
        url: String,
    },
    /// It leads to where nobody knows who answers.
    #[error("{url} redirects to {to}, which is not encrypted; that is not followed")]
    Downgrade {
        /// What was asked.
        url: String,
        /// Where it leads.
        to: String,
    },
    /// The proxy lets nobody through.
    #[error("the proxy does not lead to {url}: {why}")]
    Proxy {
        /// What was asked.
        url: String,
        /// What the proxy says.
        why: String,
    },
    /// It is longer than anybody expects.
    #[error("what {url} answers is longer than {longest} bytes")]
    TooLong {
        /// What was asked.
        url: String,
        /// How long it may be.
        longest: usize,
    },
    /// Something else.
    #[error("could not ask {url}: {why}")]
    Other {
        /// What was asked.
        url: String,
        /// Why.
        why: String,
    },
}

impl HttpError {
    pub(super) fn of(error: ureq::Error, url: &str) -> Self {
        use ureq::Error;
        let url = url.to_owned();
        match error {
            Error::Io(source) => Self::of_io(source, url),
            Error::Rustls(error) => Self::of_io(io::Error::other(error), url),
            Error::Timeout(what) => Self::TooLate { url, what: format!("{what}") },
            Error::HostNotFound => Self::NoAddress { url },
            Error::BadUri(_) | Error::Http(_) => Self::BadUrl { url },
            Error::Protocol(why) => Self::NoHttp { url, why: why.to_string() },
            Error::LargeResponseHeader(..) => Self::NoHttp { url, why: "its header is too long".to_owned() },
            Error::TooManyRedirects => Self::RedirectLoop { url },
            Error::RequireHttpsOnly(to) => Self::Downgrade { url, to: shown(&to) },
            Error::ConnectProxyFailed(why) => Self::Proxy { url, why },
            Error::ConnectionFailed => Self::Broken { url, source: io::ErrorKind::NotConnected.into() },
            other => Self::Other { url, why: other.to_string() },
        }
    }

    fn of_io(source: io::Error, url: String) -> Self {
        use rustls::Error;
        match source.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(Error::InvalidCertificate(_) | Error::NoCertificatesPresented) => Self::Untrusted { url, source },
            Some(_) => Self::NoTls { url, source },
            None => Self::Broken { url, source },
        }
    }

    /// Whether it may be otherwise in a moment.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::NoAddress { .. } | Self::Broken { .. } | Self::TooLate { .. } | Self::Proxy { .. })
    }
}
