//! A repository as a section of a `.repo` file: see dnf.conf(5).

use super::key::Key;
use crate::repository::RepositoryMistake;

/// Who reads the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    Dnf,
    Zypper,
}

impl Reader {
    pub(super) fn directory(self) -> &'static str {
        match self {
            Self::Dnf => "/etc/yum.repos.d",
            Self::Zypper => "/etc/zypp/repos.d",
        }
    }
}

/// Where a repository is, and how packages are taken from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) title: Option<String>,
    pub(super) uris: Vec<String>,
    pub(super) mirror_list: Option<String>,
    pub(super) has_signed_lists: bool,
    pub(super) priority: Option<u32>,
    pub(super) is_disabled: bool,
    /// What else is said of it.
    pub(super) options: Vec<(String, String)>,
}

/// The options that have words of their own.
const OWN: [&str; 9] =
    ["name", "baseurl", "mirrorlist", "enabled", "autorefresh", "gpgcheck", "repo_gpgcheck", "gpgkey", "priority"];

impl Section {
    /// Checks that all is said, and means what it says.
    pub(super) fn check(&self, name: &str) -> Result<(), RepositoryMistake> {
        let bad = |what, value: &str| {
            Err(RepositoryMistake::BadValue { name: name.to_owned(), what, value: value.to_owned() })
        };
        if let Some(uri) = self.uris.iter().chain(&self.mirror_list).find(|uri| !is_uri(uri)) {
            return bad("address", uri);
        }
        if let Some(title) = self.title.iter().find(|title| !is_line(title)) {
            return bad("title", title);
        }
        if let Some((key, _)) = self.options.iter().find(|(key, _)| !is_key(key)) {
            return bad("option", key);
        }
        if let Some((_, value)) = self.options.iter().find(|(_, value)| !is_line(value)) {
            return bad("value of an option", value);
        }
        if self.uris.is_empty() && self.mirror_list.is_none() {
            let (what, hint) = ("address", "`.uri(\"https://…\")` or `.mirror_list(\"https://…\")`");
            return Err(RepositoryMistake::Lacks { name: name.to_owned(), what, hint });
        }
        Ok(())
    }

    /// The file of a repository of this name.
    pub(super) fn text(&self, name: &str, reader: Reader, key: &Key) -> String {
        let yes = |is_so: bool| String::from(if is_so { "1" } else { "0" });
        // zypper would read its lists once, and never again.
        let refreshed = (reader == Reader::Zypper).then(|| yes(true));
        // Where nothing is said, zypper asks whether lists may be unsigned, and none are read where nobody answers.
        let says_of_lists = self.has_signed_lists || (reader == Reader::Zypper && *key != Key::Trusted);
        let rows = [
            ("name", Some(self.title.clone().unwrap_or_else(|| name.to_owned()))),
            ("baseurl", (!self.uris.is_empty()).then(|| self.uris.join("\n        "))),
            ("mirrorlist", self.mirror_list.clone()),
            ("enabled", Some(yes(!self.is_disabled))),
            ("autorefresh", refreshed),
            ("gpgcheck", Some(yes(*key != Key::Trusted))),
            ("repo_gpgcheck", says_of_lists.then(|| yes(self.has_signed_lists))),
            ("gpgkey", key.uri(name)),
            ("priority", self.priority.map(|priority| priority.to_string())),
        ];
        let rows = rows.into_iter().filter_map(|(key, value)| Some(format!("{key}={}\n", value?)));
        let others = self.options.iter().map(|(key, value)| format!("{key}={value}\n"));
        format!("[{name}]\n{}", rows.chain(others).collect::<String>())
    }
}

/// Whether a file has a repository of this name.
pub(super) fn has_section(text: &str, name: &str) -> bool {
    text.lines().any(|line| line.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) == Some(name))
}

fn is_uri(text: &str) -> bool {
    let is_word = text.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != ',');
    let is_scheme = |scheme: &str| !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric());
    is_word && text.split_once(":/").is_some_and(|(scheme, _)| is_scheme(scheme))
}

/// Whether it is one line of a value.
fn is_line(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && !text.chars().any(char::is_control)
}

fn is_key(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(allowed) && !OWN.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section() -> Section {
        Section { uris: vec!["https://rpm.example.org/$releasever/".into()], ..Section::default() }
    }

    #[test]
    fn a_section_has_what_was_said() {
        let check = |section: Section, reader, key: &Key, expect: &str| {
            assert_eq!(section.text("shop", reader, key), expect);
        };
        let least = "[shop]\nname=shop\nbaseurl=https://rpm.example.org/$releasever/\nenabled=1\ngpgcheck=1\n";
        check(section(), Reader::Dnf, &Key::None, least);
        let of_zypper = least.replace("gpgcheck=1\n", "autorefresh=1\ngpgcheck=1\nrepo_gpgcheck=0\n");
        check(section(), Reader::Zypper, &Key::None, &of_zypper);
        let signed = Section { has_signed_lists: true, ..section() };
        check(signed, Reader::Zypper, &Key::None, &of_zypper.replace("repo_gpgcheck=0", "repo_gpgcheck=1"));
        let trusted = least.replace("gpgcheck=1", "gpgcheck=0");
        check(section(), Reader::Dnf, &Key::Trusted, &trusted);
        let trusted = trusted.replace("gpgcheck", "autorefresh=1\ngpgcheck");
        check(section(), Reader::Zypper, &Key::Trusted, &trusted);
        let all = Section {
            title: Some("The shop's packages".into()),
            uris: vec!["https://a.example.org/".into(), "https://b.example.org/".into()],
            mirror_list: Some("https://example.org/mirrors?arch=$basearch".into()),
            has_signed_lists: true,
            priority: Some(10),
            is_disabled: true,
            options: vec![("module_hotfixes".into(), "1".into())],
        };
        let expect = "[shop]\nname=The shop's packages\n\
                      baseurl=https://a.example.org/\n        https://b.example.org/\n\
                      mirrorlist=https://example.org/mirrors?arch=$basearch\nenabled=0\ngpgcheck=1\nrepo_gpgcheck=1\n\
                      gpgkey=file:///etc/pki/rpm-gpg/k\npriority=10\nmodule_hotfixes=1\n";
        check(all, Reader::Dnf, &Key::Known("/etc/pki/rpm-gpg/k".into()), expect);
    }

    #[test]
    fn what_would_mean_something_else_is_refused() {
        let check = |section: Section, expect: Option<&str>| {
            let error = section.check("shop").err().map(|error| error.to_string());
            assert_eq!(error.as_deref().and_then(|error| error.lines().next()), expect);
        };
        let bad = |what, value| format!("the repository `shop` can't have the {what} `{value}`");
        let with = |key: &str, value: &str| Section { options: vec![(key.into(), value.into())], ..section() };
        check(section(), None);
        check(with("module_hotfixes", "1"), None);
        check(Section { uris: vec!["file:///srv/x".into()], ..section() }, None);
        check(Section::default(), Some("the repository `shop` has no address"));
        check(Section { uris: vec!["/srv".into()], ..section() }, Some(&bad("address", "/srv")));
        check(Section { uris: vec!["https://a b".into()], ..section() }, Some(&bad("address", "https://a b")));
        check(Section { title: Some(String::new()), ..section() }, Some(&bad("title", "")));
        check(with("gpgcheck", "0"), Some(&bad("option", "gpgcheck")));
        check(with("a=b", "0"), Some(&bad("option", "a=b")));
        check(with("a", "b\nc"), Some("the repository `shop` can't have the value of an option `b"));
    }

    #[test]
    fn a_section_is_found_by_its_name() {
        let text = "# [a]\n[b]\nname=[c]\n [d]\n";
        let check = |name: &str, expect| assert_eq!(has_section(text, name), expect, "{name}");
        check("a", false);
        check("b", true);
        check("c", false);
        check("d", true);
    }
}
