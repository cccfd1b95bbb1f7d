//! `/etc/pacman.conf`: sections of options. Each is a repository, but for `[options]`, and the first repository that has
//! a package is the one that it comes from.

use std::ops::Range;

use crate::text_file::end_line;

pub(crate) const PATH: &str = "/etc/pacman.conf";

/// The name of the section that a line begins.
pub(crate) fn header(line: &str) -> Option<&str> {
    line.trim().strip_prefix('[')?.strip_suffix(']')
}

/// Whether there is a section of this name.
pub(crate) fn has_section(text: &str, name: &str) -> bool {
    text.lines().any(|line| header(line) == Some(name))
}

/// The text in which the section of this name has these options, and no others, and stands before another one where that
/// is said. Comments in it stay; of several sections of this name, which pacman refuses, the first does.
pub(crate) fn with_section(text: &str, name: &str, options: &[(&str, String)], before: Option<&str>) -> String {
    let text = once(text, name);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let Some(found) = section(&lines, name) else {
        return inserted(&lines, &block(name, &[], options), before);
    };
    let is_placed = before.and_then(|other| section(&lines, other)).is_none_or(|other| found.start < other.start);
    let has_options = options_of(&lines[found.clone()]) == said(options);
    let comments: Vec<&str> = lines[found.clone()].iter().copied().filter(|line| is_comment(line)).collect();
    let block = block(name, &comments, options);
    match (has_options, is_placed) {
        (true, true) => lines.concat(),
        (false, true) => [lines[..found.start].concat(), block, lines[found.end..].concat()].concat(),
        (_, false) => inserted(&without(&lines, &found), &block, before),
    }
}

/// The text that has no section of this name.
pub(crate) fn without_section(text: &str, name: &str) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    while let Some(found) = section(&lines, name) {
        lines = without(&lines, &found);
    }
    lines.concat()
}

/// The text in which only the first section of this name is left.
fn once(text: &str, name: &str) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let end = section(&lines, name).map_or(lines.len(), |found| found.end);
    lines[..end].concat() + &without_section(&lines[end..].concat(), name)
}

/// The lines of a section, from its header to its last option. What comes behind that belongs to the next one.
fn section(lines: &[&str], name: &str) -> Option<Range<usize>> {
    let start = lines.iter().position(|line| header(line) == Some(name))?;
    let next = lines[start + 1..].iter().position(|line| header(line).is_some());
    let next = next.map_or(lines.len(), |length| start + 1 + length);
    let last = lines[start..next].iter().rposition(|line| !is_comment(line) && !is_blank(line));
    Some(start..start + last.unwrap_or(0) + 1)
}

/// All lines but those of a section, and the empty ones behind it.
fn without<'t>(lines: &[&'t str], section: &Range<usize>) -> Vec<&'t str> {
    let after = lines[section.end..].iter().skip_while(|line| is_blank(line));
    lines[..section.start].iter().chain(after).copied().collect()
}

/// The text of lines with one more section: before another one and the comments on top of that, or at the end.
fn inserted(lines: &[&str], block: &str, before: Option<&str>) -> String {
    let Some(other) = before.and_then(|other| section(lines, other)) else {
        let mut text = lines.concat();
        end_line(&mut text);
        let gap = if text.is_empty() || text.ends_with("\n\n") { "" } else { "\n" };
        return [text.as_str(), gap, block].concat();
    };
    let comments = lines[..other.start].iter().rev().take_while(|line| is_comment(line)).count();
    let at = other.start - comments;
    [lines[..at].concat().as_str(), block, "\n", lines[at..].concat().as_str()].concat()
}

fn block(name: &str, comments: &[&str], options: &[(&str, String)]) -> String {
    let options: String = options.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    format!("[{name}]\n{}{options}", comments.concat())
}

/// The options of a section, each by its key and value.
fn options_of<'t>(section: &[&'t str]) -> Vec<(&'t str, &'t str)> {
    let options = section.iter().copied().skip(1).filter(|line| !is_comment(line) && !is_blank(line));
    let rows = options.map(|line| match line.split_once('=') {
        Some((key, value)) => (key.trim(), value.trim()),
        None => (line.trim(), ""),
    });
    rows.collect()
}

fn said<'o>(options: &'o [(&str, String)]) -> Vec<(&'o str, &'o str)> {
    options.iter().map(|(key, value)| (*key, value.as_str())).collect()
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPTURED: &str = "[options]\nHoldPkg     = pacman glibc\nArchitecture = auto\n\n# The testing repositories\n\
                            #[core-testing]\n#Include = /etc/pacman.d/mirrorlist\n\n# What all hosts have\n[core]\n\
                            Include = /etc/pacman.d/mirrorlist\n\n[extra]\nInclude = /etc/pacman.d/mirrorlist\n";

    fn options() -> Vec<(&'static str, String)> {
        vec![("SigLevel", "Never".into()), ("Server", "file:///srv/shop".into())]
    }

    const SHOP: &str = "[shop]\nSigLevel = Never\nServer = file:///srv/shop\n";

    fn check(text: &str, before: Option<&str>, expect: &str) {
        let with = with_section(text, "shop", &options(), before);
        assert_eq!(with, expect, "before {before:?}");
        assert_eq!(with_section(&with, "shop", &options(), before), expect, "a second time");
        assert!(has_section(&with, "shop"));
        assert!(!has_section(&without_section(&with, "shop"), "shop"));
    }

    #[test]
    fn a_new_section_goes_to_the_end_or_before_another() {
        check(CAPTURED, None, &format!("{CAPTURED}\n{SHOP}"));
        check("", None, SHOP);
        check("[core]", None, &format!("[core]\n\n{SHOP}"));
        let before = CAPTURED.replace("# What all hosts have\n", &format!("{SHOP}\n# What all hosts have\n"));
        check(CAPTURED, Some("core"), &before);
        let before = CAPTURED.replace("[extra]\n", &format!("{SHOP}\n[extra]\n"));
        check(CAPTURED, Some("extra"), &before);
    }

    #[test]
    fn one_that_is_there_gets_its_options() {
        let text = "[core]\nServer = x\n\n[shop]\n# ours\nInclude = /etc/pacman.d/old\nServer=y\n\n# next\n[extra]\n";
        let expect = "[core]\nServer = x\n\n[shop]\n# ours\nSigLevel = Never\nServer = file:///srv/shop\n\n\
                      # next\n[extra]\n";
        check(text, None, expect);
        check(text, Some("extra"), expect);
        let same = "[shop]\n SigLevel=Never\nServer  = file:///srv/shop";
        check(same, None, same);
    }

    #[test]
    fn one_that_is_behind_another_is_moved() {
        let text = format!("[core]\nServer = x\n\n{SHOP}\n[extra]\nServer = y\n");
        check(&text, Some("extra"), &text);
        check(&text, Some("core"), &format!("{SHOP}\n[core]\nServer = x\n\n[extra]\nServer = y\n"));
    }

    #[test]
    fn a_section_goes_without_what_is_around_it() {
        let check = |text: &str, expect: &str| assert_eq!(without_section(text, "shop"), expect, "{text}");
        check(CAPTURED, CAPTURED);
        check(&format!("[core]\nServer = x\n\n{SHOP}\n# next\n[extra]\n"), "[core]\nServer = x\n\n# next\n[extra]\n");
        check(&format!("# all\n{SHOP}"), "# all\n");
        check("[shop]", "");
        check(&format!("{SHOP}\n[core]\nServer = x\n\n{SHOP}\n[shop]\n"), "[core]\nServer = x\n\n");
    }

    #[test]
    fn of_several_of_one_name_the_first_stays() {
        let rest = "\n[core]\nServer = x\n\n";
        check(&format!("{SHOP}{rest}{SHOP}\n[shop]\nServer = y\n"), None, &format!("{SHOP}{rest}"));
        let old = "[shop]\n# ours\nServer = y\n";
        let expect = "[shop]\n# ours\nSigLevel = Never\nServer = file:///srv/shop\n";
        check(&format!("{old}{rest}{SHOP}"), None, &format!("{expect}{rest}"));
        let behind = format!("[core]\nServer = x\n\n{SHOP}\n{SHOP}");
        check(&behind, Some("core"), &format!("{SHOP}\n[core]\nServer = x\n\n"));
    }
}
