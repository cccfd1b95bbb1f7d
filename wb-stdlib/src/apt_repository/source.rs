//! A repository as a stanza of sources.list(5), in the form of deb822.

use crate::repository::RepositoryMistake;

/// Where a repository is, and what is taken from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) uris: Vec<String>,
    pub(super) suites: Vec<String>,
    pub(super) components: Vec<String>,
    pub(super) architectures: Vec<String>,
    pub(super) has_sources: bool,
}

impl Source {
    /// Checks that all is said, and means what it says.
    pub(super) fn check(&self, name: &str) -> Result<(), RepositoryMistake> {
        let lacks = |what, hint| Err(RepositoryMistake::Lacks { name: name.to_owned(), what, hint });
        let is_flat = self.suites.iter().any(|suite| suite.ends_with('/'));
        let values: [(&'static str, &[String]); 4] = [
            ("address", &self.uris),
            ("suite", &self.suites),
            ("component", &self.components),
            ("architecture", &self.architectures),
        ];
        for (what, values) in values {
            if let Some(value) = values.iter().find(|value| !is_word(value)) {
                return Err(RepositoryMistake::BadValue { name: name.to_owned(), what, value: value.clone() });
            }
        }
        if let Some(uri) = self.uris.iter().find(|uri| !uri.contains(':')) {
            let (what, value) = ("address", uri.clone());
            return Err(RepositoryMistake::BadValue { name: name.to_owned(), what, value });
        }
        match (self.uris.is_empty(), self.suites.is_empty(), self.components.is_empty()) {
            (true, ..) => lacks("address", "`.uri(\"https://…\")`"),
            (_, true, _) => lacks("suite", "`.suite(\"bookworm\")`, or `.suite(\"./\")` where it has no suites"),
            (.., true) if !is_flat => lacks("component", "`.component(\"main\")`"),
            (.., false) if is_flat => {
                let (what, value) = ("component", self.components.join(" "));
                Err(RepositoryMistake::BadValue { name: name.to_owned(), what, value })
            }
            _ => Ok(()),
        }
    }

    /// The stanza, with these lines about its key.
    pub(super) fn stanza(&self, key: &str) -> String {
        let field = |name: &str, values: &[String]| match values {
            [] => String::new(),
            values => format!("{name}: {}\n", values.join(" ")),
        };
        [
            format!("Types: deb{}\n", if self.has_sources { " deb-src" } else { "" }),
            field("URIs", &self.uris),
            field("Suites", &self.suites),
            field("Components", &self.components),
            field("Architectures", &self.architectures),
            key.to_owned(),
        ]
        .concat()
    }
}

/// Whether it is one word to apt.
fn is_word(value: &str) -> bool {
    !value.is_empty() && !value.starts_with(['#', '-']) && value.chars().all(|c| !c.is_whitespace() && !c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source {
            uris: vec!["https://download.example.org/debian".into()],
            suites: vec!["bookworm".into()],
            components: vec!["main".into()],
            ..Source::default()
        }
    }

    #[test]
    fn a_stanza_has_what_was_said() {
        let expect = "Types: deb\nURIs: https://download.example.org/debian\nSuites: bookworm\nComponents: main\n";
        assert_eq!(source().stanza(""), expect);
        let all = Source {
            suites: vec!["bookworm".into(), "bookworm-updates".into()],
            architectures: vec!["amd64".into(), "arm64".into()],
            has_sources: true,
            ..source()
        };
        let expect = "Types: deb deb-src\nURIs: https://download.example.org/debian\nSuites: bookworm \
                      bookworm-updates\nComponents: main\nArchitectures: amd64 arm64\nTrusted: yes\n";
        assert_eq!(all.stanza("Trusted: yes\n"), expect);
    }

    #[test]
    fn what_would_mean_something_else_is_refused() {
        let check = |source: Source, expect: Option<&str>| {
            let error = source.check("shop").err().map(|error| error.to_string());
            assert_eq!(error.as_deref().and_then(|error| error.lines().next()), expect);
        };
        check(source(), None);
        check(Source { suites: vec!["./".into()], components: vec![], ..source() }, None);
        check(Source { uris: vec![], ..source() }, Some("the repository `shop` has no address"));
        check(Source { suites: vec![], ..source() }, Some("the repository `shop` has no suite"));
        check(Source { components: vec![], ..source() }, Some("the repository `shop` has no component"));
        let bad = |what, value| format!("the repository `shop` can't have the {what} `{value}`");
        check(Source { suites: vec!["./".into()], ..source() }, Some(&bad("component", "main")));
        check(Source { uris: vec!["/srv".into()], ..source() }, Some(&bad("address", "/srv")));
        check(Source { suites: vec!["a b".into()], ..source() }, Some(&bad("suite", "a b")));
        check(Source { components: vec!["-x".into()], ..source() }, Some(&bad("component", "-x")));
        let smuggled = Source { components: vec!["main\nTrusted: yes".into()], ..source() };
        check(smuggled, Some("the repository `shop` can't have the component `main"));
    }
}
