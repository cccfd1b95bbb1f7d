//! Questions to web servers, in HTTP/1.1, with TLS where the URL says so.
//!
//! Certificates are trusted that the host trusts: its own store, which its packages and its operators keep. A store that
//! is compiled in would grow old in the runner, and know nothing of a company's own authority. A connection that began with
//! TLS never goes on without. Of what a URL has, its password and its query stand in no message.

mod error;
mod hop;
#[cfg(test)]
mod tests;

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::{self, HeaderMap};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::{Agent, Body, Proxy};

pub use error::HttpError;

use super::System;
use super::clock::{Clock as _, Real};
use super::files::FileError;
use hop::Hop;

/// How long a server may take to be reached.
const CONNECT: Duration = Duration::from_secs(20);
/// The longest bound that a clock can have the end of: a century.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
/// How large what is kept of a connection may get, in bytes.
const BUFFER: usize = 32 << 10;

/// A question.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// `GET`, `POST` and the like.
    pub method: &'a str,
    /// Where to, as in `https://example.org/x`.
    pub url: &'a str,
    /// Names and values, for the server of the URL alone: to another scheme, host or port, none of them goes along.
    pub headers: &'a [(String, String)],
    /// Names and values that say nothing of who asks, such as `Range`: they go along wherever a server redirects.
    pub neutral: &'a [(String, String)],
    /// What is sent, where something is.
    pub body: Option<&'a [u8]>,
    /// How long all of it may take, the answer's body included.
    pub bound: Duration,
    /// How long the server may be silent.
    pub silence: Duration,
    /// How many redirections are followed. With none, they are ordinary answers.
    pub redirects: u32,
    /// The proxy, as in `http://proxy:3128`; otherwise that of the environment (`ALL_PROXY`, `HTTPS_PROXY`, `HTTP_PROXY`,
    /// `NO_PROXY`), if there is one, and none for this host itself.
    pub proxy: Option<&'a str>,
    /// Whom to trust.
    pub roots: &'a Roots,
}

/// Certificates that are trusted.
#[derive(Debug, Clone, Default)]
pub struct Roots(Vec<Certificate<'static>>);

/// Where distributions keep all that a host trusts, in one file.
const STORES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

impl Roots {
    /// Those of a text in PEM. What is no certificate is left out.
    #[must_use]
    pub fn parse(pem: &[u8]) -> Self {
        let certificates = parse_pem(pem).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        });
        Self(certificates.collect())
    }

    /// Those that a host trusts; none where it has no store.
    ///
    /// # Errors
    /// When its store is there and can't be read.
    pub fn of(system: &System) -> Result<Self, FileError> {
        for store in STORES {
            if let Some(pem) = system.read_file(store)? {
                return Ok(Self::parse(&pem));
            }
        }
        Ok(Self::default())
    }

    /// These and others.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a server answers. Its body is still on its way.
#[derive(Debug)]
pub struct Answer {
    /// As in 200.
    pub status: u16,
    headers: HeaderMap,
    body: Body,
    url: String,
}

impl Answer {
    /// A header, whatever the case of its name, where it is plain text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All headers that are plain text, their names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
    }

    /// The next bytes of its body; none at its end.
    ///
    /// # Errors
    /// When the connection breaks off, or the time is up.
    pub fn read(&mut self, piece: &mut [u8]) -> Result<usize, HttpError> {
        let read = self.body.as_reader().read(piece);
        read.map_err(|error| HttpError::of(error.into(), &self.url))
    }

    /// Its body, up to so many bytes.
    ///
    /// # Errors
    /// When it is longer, the connection breaks off, or the time is up.
    pub fn whole(&mut self, longest: usize) -> Result<Vec<u8>, HttpError> {
        let (mut whole, mut piece) = (Vec::new(), vec![0; 8192]);
        loop {
            match self.read(&mut piece)? {
                0 => return Ok(whole),
                length => whole.extend_from_slice(&piece[..length]),
            }
            if whole.len() > longest {
                return Err(HttpError::TooLong { url: self.url.clone(), longest });
            }
        }
    }
}

/// Asks, and gives the answer, whatever its status is. Where that is a redirection, which is to be followed, it is the one
/// at its end; what was sent with another method than GET is sent to nobody else.
///
/// # Errors
/// When there is none.
pub fn ask(request: &Request<'_>) -> Result<Answer, HttpError> {
    let end = Real.passed().saturating_add(request.bound);
    let mut hop = Hop::first(request);
    for _ in 0..=request.redirects {
        let answer = ask_once(request, &hop, end.saturating_sub(Real.passed()))?;
        if request.redirects == 0 {
            return Ok(answer);
        }
        match hop.next(&answer)? {
            Some(next) => hop = next,
            None => return Ok(answer),
        }
    }
    Err(HttpError::RedirectLoop { url: shown(request.url) })
}

/// Messages name the URL of the request, wherever that has led.
fn ask_once(request: &Request<'_>, hop: &Hop<'_>, bound: Duration) -> Result<Answer, HttpError> {
    let url = shown(request.url);
    let is_https = starts_with(&hop.url, "https://");
    if !is_https && !starts_with(&hop.url, "http://") {
        return Err(HttpError::BadUrl { url: shown(&hop.url) });
    }
    if is_https && request.roots.is_empty() {
        return Err(HttpError::NoRoots { url: shown(&hop.url) });
    }
    if bound.is_zero() {
        return Err(HttpError::TooLate { url, what: "it redirects for too long".to_owned() });
    }
    let agent: Agent = config(request, hop, bound)?.into();
    let built = build(request, hop)?;
    let answer = match hop.body {
        Some(body) => agent.run(built.map(|()| body)),
        None => agent.run(built),
    };
    let (parts, body) = answer.map_err(|error| HttpError::of(error, &url))?.into_parts();
    Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body, url })
}

fn build(request: &Request<'_>, hop: &Hop<'_>) -> Result<http::Request<()>, HttpError> {
    let bad = |name: &str| HttpError::BadHeader { name: name.to_owned() };
    let mut built = http::Request::builder().method(hop.method).uri(&hop.url);
    let own = if hop.is_at_home { request.headers } else { &[] };
    for (name, value) in own.iter().chain(request.neutral) {
        let name = http::HeaderName::try_from(name.as_str()).map_err(|_| bad(name))?;
        let value = http::HeaderValue::try_from(value.as_str()).map_err(|_| bad(name.as_str()))?;
        built = built.header(name, value);
    }
    built.body(()).map_err(|_| HttpError::BadUrl { url: shown(&hop.url) })
}

fn config(request: &Request<'_>, hop: &Hop<'_>, bound: Duration) -> Result<Config, HttpError> {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::Specific(Arc::new(request.roots.0.clone())))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .https_only(starts_with(&hop.url, "https://"))
        .tls_config(tls.build())
        .max_redirects(0)
        .max_idle_connections(0)
        .max_idle_connections_per_host(0)
        .user_agent(concat!("wildebeest/", env!("CARGO_PKG_VERSION")))
        .input_buffer_size(BUFFER)
        .output_buffer_size(BUFFER)
        .timeout_global(Some(bound.min(FOREVER)))
        .timeout_connect(Some(bound.min(CONNECT)))
        .timeout_per_read(Some(request.silence.min(FOREVER)))
        .timeout_per_write(Some(request.silence.min(FOREVER)));
    let Some(proxy) = request.proxy else {
        // Whoever set the environment rarely thought of this host itself.
        return Ok(if is_here(&hop.url) { config.proxy(None).build() } else { config.build() });
    };
    let proxy = Proxy::new(proxy).map_err(|_| HttpError::BadProxy { proxy: shown(proxy) })?;
    Ok(config.proxy(Some(proxy)).build())
}

/// Whether a URL is of this host itself.
fn is_here(url: &str) -> bool {
    let shown = shown(url);
    let authority = shown.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

fn starts_with(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// A URL for messages: without what may be a secret.
///
/// ```
/// use wb_core::system::http::shown;
/// assert_eq!(shown("https://me:secret@example.org/x?key=secret#a"), "https://example.org/x?…");
/// assert_eq!(shown("http://example.org/a@b"), "http://example.org/a@b");
/// ```
#[must_use]
pub fn shown(url: &str) -> String {
    let plain: String = url.chars().filter(|c| !c.is_control()).collect();
    let (scheme, rest) = plain.split_once("://").map_or(("", plain.as_str()), |(scheme, rest)| (scheme, rest));
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (path, is_cut) = match path.find(['?', '#']) {
        Some(at) => (&path[..at], path[at..].starts_with('?')),
        None => (path, false),
    };
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    format!("{scheme}{host}{path}{}", if is_cut { "?…" } else { "" })
}
