//! Redirections. They are followed here, and not by the client: which headers go along is ours to say.

use ureq::http::Uri;

use super::{Answer, HttpError, Request, shown, starts_with};

/// One question on a way from redirection to redirection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hop<'a> {
    pub(super) url: String,
    pub(super) method: &'a str,
    pub(super) body: Option<&'a [u8]>,
    /// Whether all so far were of one server. Who was led away is not trusted again.
    pub(super) is_at_home: bool,
}

impl<'a> Hop<'a> {
    pub(super) fn first(request: &Request<'a>) -> Self {
        Self { url: request.url.to_owned(), method: request.method, body: request.body, is_at_home: true }
    }

    /// Where the answer leads to; nothing where it does not.
    pub(super) fn next(&self, answer: &Answer) -> Result<Option<Self>, HttpError> {
        let reads = matches!(self.method, "GET" | "HEAD");
        match answer.status {
            301..=303 => {}
            307 | 308 if reads => {}
            // Nobody but who sent something may say that it is sent elsewhere.
            _ => return Ok(None),
        }
        let url = answer.url.clone();
        let nowhere = || HttpError::NoHttp { url: url.clone(), why: "it redirects, and does not say where".to_owned() };
        let to = resolved(&self.url, answer.header("location").ok_or_else(nowhere)?);
        if starts_with(&self.url, "https://") && !starts_with(&to, "https://") {
            return Err(HttpError::Downgrade { url, to: shown(&to) });
        }
        let (method, body) = if reads { (self.method, self.body) } else { ("GET", None) };
        let is_at_home = self.is_at_home && origin(&to).is_some() && origin(&to) == origin(&self.url);
        Ok(Some(Self { url: to, method, body, is_at_home }))
    }
}

/// Who answers a URL: scheme, host and port.
fn origin(url: &str) -> Option<(String, String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    Some((scheme, uri.host()?.to_ascii_lowercase(), port))
}

/// The URL that a reference means, seen from another URL, as RFC 3986 has it (5.2).
fn resolved(base: &str, reference: &str) -> String {
    let reference = reference.trim().split('#').next().unwrap_or_default();
    let is_scheme = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    if reference.split_once(':').is_some_and(|(before, _)| is_scheme(before)) {
        return reference.to_owned();
    }
    let (scheme, rest) = base.split_once("://").unwrap_or(("http", base));
    if reference.starts_with("//") {
        return format!("{scheme}:{reference}");
    }
    let (authority, whole) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let whole = whole.split('#').next().unwrap_or_default();
    let (path, query) = parts(whole);
    let (to, asked) = parts(reference);
    let (path, query) = match to {
        "" => (path.to_owned(), asked.or(query)),
        absolute if absolute.starts_with('/') => (absolute.to_owned(), asked),
        relative => (format!("{}/{relative}", path.rsplit_once('/').map_or("", |(directory, _)| directory)), asked),
    };
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{scheme}://{authority}{}{query}", without_dots(&path))
}

/// The path, and what follows its `?`.
fn parts(text: &str) -> (&str, Option<&str>) {
    text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)))
}

fn without_dots(path: &str) -> String {
    let (mut kept, last) = (Vec::new(), path.rsplit('/').next());
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => drop(kept.pop()),
            part => kept.push(part),
        }
    }
    if matches!(last, Some("." | "..")) {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved() {
        let check = |reference: &str, expect: &str| {
            assert_eq!(resolved("http://a.example:81/b/c/d?q#f", reference), expect, "{reference}");
        };
        check("https://b.example/x?y#z", "https://b.example/x?y");
        check("//b.example/x", "http://b.example/x");
        check("/x", "http://a.example:81/x");
        check("x", "http://a.example:81/b/c/x");
        check("./x", "http://a.example:81/b/c/x");
        check("../x?y=../z", "http://a.example:81/b/x?y=../z");
        check("../../../x", "http://a.example:81/x");
        check("..", "http://a.example:81/b/");
        check(".", "http://a.example:81/b/c/");
        check("?y", "http://a.example:81/b/c/d?y");
        check("", "http://a.example:81/b/c/d?q");
        check(" /x ", "http://a.example:81/x");
        check("x:y", "x:y");
        assert_eq!(resolved("http://a.example", "x"), "http://a.example/x");
        assert_eq!(resolved("http://a.example?q", "/x"), "http://a.example/x");
    }

    #[test]
    fn another_scheme_host_or_port_is_another_server() {
        let check =
            |one: &str, other: &str, expect: bool| assert_eq!(origin(one) == origin(other), expect, "{one} {other}");
        check("http://a.example/x", "http://A.example:80/y?z", true);
        check("https://a.example/x", "https://me:secret@a.example:443/", true);
        check("http://a.example/", "https://a.example/", false);
        check("http://a.example/", "http://a.example:8080/", false);
        check("http://a.example/", "http://b.a.example/", false);
        assert_eq!(origin("no url at all"), None);
    }
}
