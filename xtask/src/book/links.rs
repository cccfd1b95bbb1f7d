//! The links between the pages of a book: each must lead to a page that is there, and to a heading that it has.
//!
//! Pages lie side by side, so a page is named by its file. Links to other places, and what stands in code, are not
//! looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The texts of all pages, by the names of their files.
pub(super) type Pages = BTreeMap<String, String>;

/// A link that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The page that it stands in.
    pub page: String,
    /// Counted from 1.
    pub line: usize,
    /// Where it leads.
    pub target: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "docs/src/{}:{}: {}", self.page, self.line, self.target)
    }
}

/// All links that lead nowhere, page by page.
pub(super) fn broken(pages: &Pages) -> Vec<Broken> {
    let places = places(pages);
    let links = pages.iter().flat_map(|(page, text)| links(page, text));
    links.filter(|link| !is_elsewhere(&link.target) && !places.contains(&whole(&link.page, &link.target))).collect()
}

/// Everything that can be linked to: `page.md`, and `page.md#heading`.
fn places(pages: &Pages) -> BTreeSet<String> {
    let headings = pages.iter().flat_map(|(page, text)| {
        let anchors = anchors(text);
        anchors.into_iter().map(move |anchor| format!("{page}#{anchor}"))
    });
    pages.keys().cloned().chain(headings).collect()
}

fn whole(page: &str, target: &str) -> String {
    if target.starts_with('#') { format!("{page}{target}") } else { target.to_owned() }
}

fn is_elsewhere(target: &str) -> bool {
    target.contains("://")
}

fn links(page: &str, text: &str) -> Vec<Broken> {
    let link = |line, target: &str| Broken { page: page.to_owned(), line, target: target.to_owned() };
    let lines = prose(text).into_iter().flat_map(|(number, line)| {
        let targets: Vec<Broken> = targets(&without_code(line)).map(|target| link(number, target)).collect();
        targets
    });
    lines.collect()
}

fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0))
}

/// The lines outside of fenced code, with their numbers.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((index + 1, line));
        }
    }
    lines
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// The headings as mdBook names them: small letters, digits and `_`, spaces as `-`, and a number from the second on.
fn anchors(text: &str) -> Vec<String> {
    let mut seen = BTreeMap::new();
    let headings = prose(text).into_iter().filter_map(|(_, line)| heading(line));
    let numbered = headings.map(|anchor| {
        let before = seen.entry(anchor.clone()).and_modify(|count| *count += 1).or_insert(0);
        if *before == 0 { anchor } else { format!("{anchor}-{before}") }
    });
    numbered.collect()
}

fn heading(line: &str) -> Option<String> {
    let text = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?.trim();
    let kept = |c: &char| c.is_alphanumeric() || c.is_whitespace() || matches!(c, '-' | '_');
    let spelled = |c: char| if c.is_whitespace() { '-' } else { c.to_ascii_lowercase() };
    Some(text.chars().filter(kept).map(spelled).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[&str]) {
        let other = "# Other\n\n## The `chain!()` macro: what it says\n\n## Twice\n\n## Twice\n";
        let pages = Pages::from([("a.md".into(), text.into()), ("b.md".into(), other.into())]);
        let broken: Vec<String> = broken(&pages).iter().map(ToString::to_string).collect();
        assert_eq!(broken, expect, "{text}");
    }

    #[test]
    fn a_link_leads_to_a_page() {
        check("[b](b.md)", &[]);
        check("\n[b](b.md), [c](c.md) and [d](d.md)", &["docs/src/a.md:2: c.md", "docs/src/a.md:2: d.md"]);
        check("[elsewhere](https://example.org/c.md)", &[]);
    }

    #[test]
    fn a_link_leads_to_a_heading() {
        check("[b](b.md#other)", &[]);
        check("[b](b.md#the-chain-macro-what-it-says)", &[]);
        check("[b](b.md#twice) [b](b.md#twice-1)", &[]);
        check("[b](b.md#twice-2)", &["docs/src/a.md:1: b.md#twice-2"]);
        check("# Here\n[here](#here) [there](#there)", &["docs/src/a.md:2: #there"]);
    }

    #[test]
    fn code_is_not_followed() {
        check("`[c](c.md)` and\n```text\n[c](c.md)\n# no heading\n```\n", &[]);
        check("```text\n# no heading\n```\n[h](#no-heading)\n", &["docs/src/a.md:4: #no-heading"]);
    }
}
