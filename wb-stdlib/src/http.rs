//! Asking web servers, and telling them something behind a guard.

mod error;
mod guarded;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wb_core::system::System;
use wb_core::system::http::{self, Roots, shown};

pub use error::HttpError;
pub use guarded::{Guarded, Sent};

use crate::{Host, Look};

/// How long the expected answer may take to come: a service that was just reloaded may still be on its way.
const BOUND: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);
/// How long one answer may take that nobody said a timeout for.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes.
const LONGEST: usize = 16 << 20;

/// A request. [`Look::http`] makes it.
///
/// TLS is spoken where the URL says `https`, with whom the host trusts. Who only looks, asks with GET:
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn the_page_is_served(host: &View) -> Result<()> {
///     host.http("http://127.0.0.1/").header("Host", "shop.example.org").with_body("Welcome").answers(200)
/// }
///
/// fn newest_version(host: &Host) -> Result<String> {
///     #[derive(serde::Deserialize)]
///     struct Release {
///         version: String,
///     }
///     Ok(host.http("https://releases.example.org/shop.json").get()?.json::<Release>()?.version)
/// }
/// # let (_, _) = (the_page_is_served as fn(&View) -> Result<()>, newest_version as fn(&Host) -> Result<String>);
/// ```
///
/// What changes something on the other side says first how to see that it is not needed: see [`Request::unless`].
#[must_use = "say what is expected, `.answers(200)`, or ask: `.get()?`"]
pub struct Request<A> {
    access: A,
    url: String,
    headers: Vec<(String, String)>,
    sent: Option<Result<Vec<u8>, serde_json::Error>>,
    body: String,
    statuses: Vec<u16>,
    timeout: Duration,
    redirects: u32,
    trusted: Option<PathBuf>,
    proxy: Option<String>,
}

impl<A: Look> Request<A> {
    pub(crate) fn new(access: A, url: &str) -> Self {
        Self {
            access,
            url: url.to_owned(),
            headers: Vec::new(),
            sent: None,
            body: String::new(),
            statuses: Vec::new(),
            timeout: TIMEOUT,
            redirects: 0,
            trusted: None,
            proxy: None,
        }
    }

    /// Adds a header to the request, as in `"Accept", "text/html"`. What it says stands in no message, and goes to no
    /// other scheme, host or port, wherever the server redirects.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Expects this text in the body of the answer, as it is: it is no pattern.
    pub fn with_body(mut self, text: &str) -> Self {
        text.clone_into(&mut self.body);
        self
    }

    /// Expects one of these statuses, as in `[404]`, where it is a guard or is to change something; otherwise any from
    /// 200 to 299.
    pub fn expects(mut self, statuses: impl IntoIterator<Item = u16>) -> Self {
        self.statuses = statuses.into_iter().collect();
        self
    }

    /// Waits so long for one answer; otherwise for [`TIMEOUT`].
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn the_shop_answers(host: &View) -> Result<()> {
    ///     host.http("https://shop.example.org/")
    ///         .timeout(Duration::from_secs(20))
    ///         .following_redirects()
    ///         .trusting("/etc/ssl/example-root.pem")
    ///         .proxy("http://proxy.example.org:3128")
    ///         .answers(200)
    /// }
    /// # let _ = the_shop_answers as fn(&View) -> Result<()>;
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Follows up to 10 redirections; otherwise they are answers. None leads from `https` to `http`. What was sent is sent
    /// to nobody else: a redirection of it is followed with GET, or, where it asks for the same again (307, 308), not at all.
    pub fn following_redirects(mut self) -> Self {
        self.redirects = 10;
        self
    }

    /// Trusts the certificates in this file of the host, by its absolute path, in PEM, too.
    pub fn trusting(mut self, path: impl AsRef<Path>) -> Self {
        self.trusted = Some(path.as_ref().to_owned());
        self
    }

    /// Asks through this proxy, as in `http://proxy.example.org:3128`; otherwise through that of the runner's environment,
    /// but for this host itself.
    pub fn proxy(mut self, url: &str) -> Self {
        self.proxy = Some(url.to_owned());
        self
    }

    /// Checks that the answer has this status, as in 200, and what else was expected. Waits for that for up to 10
    /// seconds.
    ///
    /// # Errors
    /// When it does not: with what was expected and what was found.
    pub fn answers(&self, status: u16) -> Result<()> {
        let clock = self.system().clock();
        let end = clock.passed() + BOUND;
        loop {
            let found = self.get();
            match &found {
                Ok(answer) if self.fits(answer, &[status]) => return Ok(()),
                Err(error) if error.is_final() => {}
                _ if clock.passed() < end => {
                    clock.sleep(PAUSE);
                    continue;
                }
                _ => {}
            }
            let expected = self.expectation(status);
            match found {
                Ok(answer) => anyhow::bail!("expected {expected}, found {answer}"),
                Err(error) if error.is_final() => return Err(error.into()),
                Err(error) => {
                    return Err(anyhow::Error::new(error).context(format!("expected {expected}, found no answer")));
                }
            }
        }
    }

    /// Asks with GET, and gives the answer, whatever its status is.
    ///
    /// # Errors
    /// When there is none in time, or it is longer than 16 MiB.
    pub fn get(&self) -> Result<Answer, HttpError> {
        self.ask("GET", None)
    }

    /// [`Request::get`], and waits for the answer for `most`, where that is less than its own timeout.
    pub(crate) fn get_within(&self, most: Duration) -> Result<Answer, HttpError> {
        self.ask_within("GET", None, most)
    }

    fn ask(&self, method: &str, body: Option<&[u8]>) -> Result<Answer, HttpError> {
        self.ask_within(method, body, self.timeout)
    }

    fn ask_within(&self, method: &str, body: Option<&[u8]>, most: Duration) -> Result<Answer, HttpError> {
        self.system().must_be_in_time();
        let roots = self.roots()?;
        let most = most.min(self.timeout);
        let bound = self.system().left().map_or(most, |left| left.min(most));
        let mut answer = http::ask(&http::Request {
            method,
            url: &self.url,
            headers: &self.headers,
            neutral: &[],
            body,
            bound,
            silence: bound,
            redirects: self.redirects,
            proxy: self.proxy.as_deref(),
            roots: &roots,
        })?;
        let headers = answer.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let body = String::from_utf8_lossy(&answer.whole(LONGEST)?).into_owned();
        Ok(Answer { status: answer.status, body, headers, url: shown(&self.url) })
    }

    /// Reading them takes a moment, so it is done where they can matter.
    fn roots(&self) -> Result<Roots, HttpError> {
        if self.redirects == 0 && !self.url.to_ascii_lowercase().starts_with("https:") {
            return Ok(Roots::default());
        }
        roots(self.system(), self.trusted.as_deref())
    }

    /// Whether what is expected is so.
    fn holds(&self) -> Result<bool, HttpError> {
        Ok(self.fits(&self.get()?, &self.statuses))
    }

    pub(crate) fn fits(&self, answer: &Answer, statuses: &[u16]) -> bool {
        is_expected(answer.status, statuses) && answer.body.contains(&self.body)
    }

    pub(crate) fn expectation(&self, status: u16) -> String {
        let url = shown(&self.url);
        match self.body.is_empty() {
            true => format!("{url} to answer {status}"),
            false => format!("{url} to answer {status} with `{}`", self.body),
        }
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl<'a> Request<Host<'a>> {
    /// What is sent, text or bytes, as it is; what kind of text that is, a header says. GET sends nothing.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn make_the_index(host: &Host) -> Result<()> {
    ///     let (index, replicas) = ("http://127.0.0.1:9200/shop", "http://127.0.0.1:9200/shop/_settings");
    ///     let json = |url: &str, text: &str| host.http(url).header("Content-Type", "application/json").body(text);
    ///     json(index, "{}").unless(host.http(index)).put()?;
    ///     host.command("shop fill-index").unless(host.command("shop index-is-full")).run()?;
    ///     json(replicas, r#"{"number_of_replicas": 2}"#)
    ///         .unless(host.http(replicas).with_body(r#""number_of_replicas":"2""#))
    ///         .patch()?;
    ///     Ok(())
    /// }
    /// # let _ = make_the_index as fn(&Host) -> Result<()>;
    /// ```
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.sent = Some(Ok(bytes.into()));
        self
    }

    /// What is sent, as JSON, with the header that says so. A value that JSON can't say is an error when it is to be
    /// sent.
    pub fn json(mut self, value: &impl Serialize) -> Self {
        self.sent = Some(serde_json::to_vec(value));
        self.header("Content-Type", "application/json")
    }

    /// It changes something, and is sent only when what `look` expects is not so. Only then there are
    /// [`Guarded::post`], [`Guarded::put`], [`Guarded::patch`] and [`Guarded::delete`].
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn add_a_source(host: &Host) -> Result<()> {
    ///     #[derive(serde::Serialize)]
    ///     struct Source<'a> {
    ///         name: &'a str,
    ///         url: &'a str,
    ///     }
    ///     let grafana = "http://127.0.0.1:3000/api/datasources";
    ///     host.http(grafana)
    ///         .json(&Source { name: "shop", url: "http://prometheus:9090" })
    ///         .unless(host.http(&format!("{grafana}/name/shop")))
    ///         .post()?;
    ///     host.http(&format!("{grafana}/name/old"))
    ///         .unless(host.http(&format!("{grafana}/name/old")).expects([404]))
    ///         .delete()?;
    ///     Ok(())
    /// }
    /// # let _ = add_a_source as fn(&Host) -> Result<()>;
    /// ```
    pub fn unless(self, look: Self) -> Guarded<'a> {
        Guarded::new(self, look)
    }
}

/// Whom to trust: the host's own store, and a file beside it.
pub(crate) fn roots(system: &System, trusted: Option<&Path>) -> Result<Roots, HttpError> {
    let own = Roots::of(system).map_err(HttpError::Trust)?;
    let Some(path) = trusted else { return Ok(own) };
    let pem = system.read_file(path).map_err(HttpError::Trust)?;
    let others = pem.map(|pem| Roots::parse(&pem)).filter(|roots| !roots.is_empty());
    others.map(|others| own.and(others)).ok_or_else(|| HttpError::NoCertificate { path: path.to_owned() })
}

fn is_expected(status: u16, statuses: &[u16]) -> bool {
    if statuses.is_empty() { (200..300).contains(&status) } else { statuses.contains(&status) }
}

/// What a web server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status, as in 200.
    pub status: u16,
    /// Its body, as text.
    pub body: String,
    headers: Vec<(String, String)>,
    url: String,
}

impl Answer {
    /// A header, whatever the case of its name.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn kind_of_the_answer(host: &View) -> Result<String> {
    ///     let answer = host.http("http://127.0.0.1/").get()?;
    ///     ensure!(answer.status == 200, "found {answer}");
    ///     Ok(answer.header("content-type").unwrap_or_default().to_owned())
    /// }
    /// # let _ = kind_of_the_answer as fn(&View) -> Result<String>;
    /// ```
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Its body, read as JSON.
    ///
    /// # Errors
    /// When it is none, or of another type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, HttpError> {
        serde_json::from_str(&self.body).map_err(|source| HttpError::NoJson { url: self.url.clone(), source })
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body: String = self.body.chars().take(500).collect();
        write!(f, "{} with `{}`", self.status, body.trim_end())
    }
}
