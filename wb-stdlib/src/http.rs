//! Asking a web server.

use std::time::Duration;

use anyhow::Result;
use wb_core::system::clock;
use wb_core::system::socket::{self, SocketError};

use crate::Look;

/// How long the expected answer may take to come: a service that was just reloaded may still be on its way.
const BOUND: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);
/// How long one answer may take.
const ANSWER_BOUND: Duration = Duration::from_secs(5);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// It is none that can be asked.
    #[error("`{url}` is no address that can be asked here\nhint: it starts with `http://`; TLS is not spoken")]
    BadUrl {
        /// What was to be asked.
        url: String,
    },
    /// Nobody answered.
    #[error("could not get {url}")]
    Ask {
        /// What was asked.
        url: String,
        /// Why.
        source: SocketError,
    },
    /// What came is no answer of HTTP.
    #[error("{url} does not answer in HTTP")]
    NoHttp {
        /// What was asked.
        url: String,
    },
}

/// A GET request. [`Look::http`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn the_page_is_served(host: &View) -> Result<()> {
///     host.http("http://127.0.0.1/").header("Host", "shop.example.org").with_body("Welcome").answers(200)
/// }
/// # let _ = the_page_is_served as fn(&View) -> Result<()>;
/// ```
#[must_use = "say what is expected: `.answers(200)`"]
pub struct Request<A> {
    access: A,
    url: String,
    headers: String,
    body: String,
}

impl<A: Look> Request<A> {
    pub(crate) fn new(access: A, url: &str) -> Self {
        Self { access, url: url.to_owned(), headers: String::new(), body: String::new() }
    }

    /// Adds a header to the request.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let line: String = format!("{name}: {value}").chars().filter(|c| !c.is_control()).collect();
        self.headers += &format!("{line}\r\n");
        self
    }

    /// Expects this text in the body of the answer.
    pub fn with_body(mut self, text: &str) -> Self {
        text.clone_into(&mut self.body);
        self
    }

    /// Checks that the answer has this status, and what else was expected. Waits for that for up to 10 seconds.
    ///
    /// # Errors
    /// When it does not: with what was expected and what was found.
    pub fn answers(&self, status: u16) -> Result<()> {
        let clock = self.access.context().system().clock();
        let mut found = self.get();
        let expected = |found: &Result<Answer, HttpError>| found.as_ref().is_ok_and(|answer| self.fits(answer, status));
        clock::wait_until(clock, BOUND, PAUSE, || {
            if !expected(&found) {
                found = self.get();
            }
            (expected(&found) || matches!(found, Err(HttpError::BadUrl { .. }))).then_some(())
        });
        let answer = found?;
        anyhow::ensure!(self.fits(&answer, status), "expected {}, found {answer}", self.expectation(status));
        Ok(())
    }

    /// Sends the request, and gives the answer, whatever it is. Redirections are not followed.
    ///
    /// # Errors
    /// When there is none.
    pub fn get(&self) -> Result<Answer, HttpError> {
        let bad = || HttpError::BadUrl { url: self.url.clone() };
        let target = Target::parse(&self.url).ok_or_else(bad)?;
        let question = target.request(&self.headers);
        let said = socket::ask(&target.address, question.as_bytes(), ANSWER_BOUND);
        let said = said.map_err(|source| HttpError::Ask { url: self.url.clone(), source })?;
        Answer::parse(&said).ok_or_else(|| HttpError::NoHttp { url: self.url.clone() })
    }

    fn fits(&self, answer: &Answer, status: u16) -> bool {
        answer.status == status && answer.body.contains(&self.body)
    }

    fn expectation(&self, status: u16) -> String {
        match self.body.is_empty() {
            true => format!("{} to answer {status}", self.url),
            false => format!("{} to answer {status} with `{}`", self.url, self.body),
        }
    }
}

/// What a web server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status, as in 200.
    pub status: u16,
    /// Its body, as text.
    pub body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.strip_prefix("HTTP/")?.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, body: body.to_owned() })
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body: String = self.body.chars().take(500).collect();
        write!(f, "{} with `{}`", self.status, body.trim_end())
    }
}

/// Whom to ask for what.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    address: String,
    host: String,
    path: String,
}

impl Target {
    fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("http://").filter(|rest| !rest.contains(|c: char| c.is_control() || c == ' '))?;
        let (host, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let address = if has_port { host.to_owned() } else { format!("{host}:80") };
        (!host.is_empty()).then(|| Self { address, host: host.to_owned(), path: path.to_owned() })
    }

    /// In HTTP/1.0 the answer ends with the connection.
    fn request(&self, headers: &str) -> String {
        let named = headers.to_ascii_lowercase();
        let host = match named.starts_with("host:") || named.contains("\nhost:") {
            true => String::new(),
            false => format!("Host: {}\r\n", self.host),
        };
        format!("GET {} HTTP/1.0\r\n{host}{headers}\r\n", self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Machine, serve};

    #[test]
    fn urls_say_whom_to_ask_for_what() {
        let check = |url: &str, address: &str, path: &str| {
            let target = Target::parse(url).unwrap();
            assert_eq!((target.address.as_str(), target.path.as_str()), (address, path));
        };
        check("http://127.0.0.1", "127.0.0.1:80", "/");
        check("http://127.0.0.1:8080/health?a=b", "127.0.0.1:8080", "/health?a=b");
        check("http://[::1]:8080/", "[::1]:8080", "/");
        check("http://[::1]/", "[::1]:80", "/");
        assert_eq!(Target::parse("https://127.0.0.1/"), None);
        assert_eq!(Target::parse("http://a/b c"), None);
        assert_eq!(Target::parse("http:///"), None);
    }

    #[test]
    fn an_answer_is_read() {
        let answer = Answer::parse(b"HTTP/1.1 404 Not Found\r\nServer: nginx\r\n\r\nnothing").unwrap();
        assert_eq!(answer, Answer { status: 404, body: "nothing".into() });
        assert_eq!(Answer::parse(b"SSH-2.0-OpenSSH_9.2p1\r\n"), None);
    }

    #[test]
    fn a_request_has_one_host_header() {
        let target = Target::parse("http://127.0.0.1:81/a").unwrap();
        assert_eq!(target.request(""), "GET /a HTTP/1.0\r\nHost: 127.0.0.1:81\r\n\r\n");
        assert_eq!(target.request("Host: shop\r\n"), "GET /a HTTP/1.0\r\nHost: shop\r\n\r\n");
    }

    #[test]
    fn specs_wait_for_the_page_and_say_what_they_found() {
        let page = |body: &'static str| move |_: &str| format!("HTTP/1.0 200 OK\r\n\r\n{body}");
        let url = format!("http://{}/", serve(page("old page")));
        let machine = Machine::new();
        machine.view(|host| host.http(&url).answers(200)).unwrap();
        machine.view(|host| host.http(&url).with_body("old").answers(200)).unwrap();
        let error = machine.view(|host| host.http(&url).with_body("new").answers(200)).unwrap_err();
        assert_eq!(error.to_string(), format!("expected {url} to answer 200 with `new`, found 200 with `old page`"));
    }

    #[test]
    fn what_cannot_be_asked_is_said() {
        let error = Machine::new().view(|host| host.http("https://127.0.0.1/").answers(200)).unwrap_err().to_string();
        assert!(error.starts_with("`https://127.0.0.1/` is no address that can be asked here\nhint: "), "{error}");
        let url = "http://127.0.0.1:1/";
        let error = Machine::new().view(|host| host.http(url).answers(200)).unwrap_err();
        assert_eq!(error.to_string(), "could not get http://127.0.0.1:1/");
    }
}
