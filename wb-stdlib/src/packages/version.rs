//! Versions: which of two is newer, as each manager orders them, and which a pattern means.

use std::cmp::Ordering;

/// Orders two versions.
pub(super) type Order = fn(&str, &str) -> Ordering;

/// Whether `pattern`, in which `*` stands for anything, means `version`. One without an epoch means every epoch.
pub(super) fn matches(pattern: &str, version: &str) -> bool {
    let version = match (pattern.contains(':'), version.split_once(':')) {
        (false, Some((_, rest))) => rest,
        _ => version,
    };
    means(pattern, version)
}

/// Whether `pattern`, in which `*` stands for anything, means all of `text`.
pub(super) fn means(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let (first, mut left) = (parts.next().unwrap_or_default(), text);
    let Some(rest) = left.strip_prefix(first) else { return false };
    left = rest;
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return left.is_empty() };
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(last)
}

/// Whether it can be a version, or a pattern of versions, to every manager.
pub(super) fn is_pattern(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".+:~^_*-".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '*') && text.chars().all(allowed)
}

/// As deb-version(7) says.
pub(super) fn dpkg(a: &str, b: &str) -> Ordering {
    let (epoch_a, version_a, revision_a) = parts(a);
    let (epoch_b, version_b, revision_b) = parts(b);
    dpkg_part(epoch_a, epoch_b)
        .then_with(|| dpkg_part(version_a, version_b))
        .then_with(|| dpkg_part(revision_a.unwrap_or_default(), revision_b.unwrap_or_default()))
}

/// As rpm orders epoch, version and release.
pub(super) fn rpm(a: &str, b: &str) -> Ordering {
    in_parts(a, b, rpm_part)
}

/// As vercmp(8) of pacman does.
pub(super) fn pacman(a: &str, b: &str) -> Ordering {
    in_parts(a, b, pacman_part)
}

/// As apk does: `1.2.3a_rc4-r5`.
pub(super) fn apk(a: &str, b: &str) -> Ordering {
    apk_key(a).cmp(&apk_key(b))
}

/// `epoch:version-release`, of which the first and the last may not be there.
fn parts(version: &str) -> (&str, &str, Option<&str>) {
    let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
    match rest.rsplit_once('-') {
        Some((version, release)) => (epoch, version, Some(release)),
        None => (epoch, rest, None),
    }
}

/// Two releases count only where both versions have one.
fn in_parts(a: &str, b: &str, order: Order) -> Ordering {
    let (epoch_a, version_a, release_a) = parts(a);
    let (epoch_b, version_b, release_b) = parts(b);
    order(epoch_a, epoch_b).then_with(|| order(version_a, version_b)).then_with(|| match (release_a, release_b) {
        (Some(a), Some(b)) => order(a, b),
        _ => Ordering::Equal,
    })
}

/// Parts without digits and numbers, in turn.
fn dpkg_part(mut a: &str, mut b: &str) -> Ordering {
    while !(a.is_empty() && b.is_empty()) {
        let (text_a, text_b) = (take(&mut a, |c| !c.is_ascii_digit()), take(&mut b, |c| !c.is_ascii_digit()));
        let ordering = dpkg_text(text_a, text_b).then_with(|| numbers(digits(&mut a), digits(&mut b)));
        if ordering.is_ne() {
            return ordering;
        }
    }
    Ordering::Equal
}

/// `~` comes before the end, the end before letters, and letters before all else.
fn dpkg_text(a: &str, b: &str) -> Ordering {
    let weight = |c: Option<char>| match c {
        Some('~') => -1,
        None => 0,
        Some(c) if c.is_ascii_alphabetic() => i64::from(u32::from(c)),
        Some(c) => i64::from(u32::from(c)) + 256,
    };
    let length = a.chars().count().max(b.chars().count());
    let nth = |text: &str, at| weight(text.chars().nth(at));
    (0..length).map(|at| nth(a, at).cmp(&nth(b, at))).find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
}

fn rpm_part(mut a: &str, mut b: &str) -> Ordering {
    let separates = |c: char| !c.is_ascii_alphanumeric() && c != '~' && c != '^';
    loop {
        (a, b) = (a.trim_start_matches(separates), b.trim_start_matches(separates));
        match (a.strip_prefix('~'), b.strip_prefix('~')) {
            (Some(rest_a), Some(rest_b)) => (a, b) = (rest_a, rest_b),
            (Some(_), None) => return Ordering::Less,
            (None, Some(_)) => return Ordering::Greater,
            (None, None) => match (a.strip_prefix('^'), b.strip_prefix('^')) {
                (Some(rest_a), Some(rest_b)) => (a, b) = (rest_a, rest_b),
                (Some(_), None) => return if b.is_empty() { Ordering::Greater } else { Ordering::Less },
                (None, Some(_)) => return if a.is_empty() { Ordering::Less } else { Ordering::Greater },
                (None, None) if a.is_empty() || b.is_empty() => return a.len().min(1).cmp(&b.len().min(1)),
                (None, None) => match segments(&mut a, &mut b) {
                    Ordering::Equal => {}
                    ordering => return ordering,
                },
            },
        }
    }
}

fn pacman_part(mut a: &str, mut b: &str) -> Ordering {
    let separates = |c: char| !c.is_ascii_alphanumeric();
    while !(a.is_empty() || b.is_empty()) {
        let (between_a, between_b) = (take(&mut a, separates), take(&mut b, separates));
        if a.is_empty() || b.is_empty() {
            break;
        }
        let ordering = between_a.len().cmp(&between_b.len()).then_with(|| segments(&mut a, &mut b));
        if ordering.is_ne() {
            return ordering;
        }
    }
    pacman_ends(a, b)
}

/// Letters that are left never beat nothing: `1.0rc` comes before `1.0`.
fn pacman_ends(a: &str, b: &str) -> Ordering {
    let is_letter = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic());
    match (a.is_empty(), b.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) if !is_letter(b) => Ordering::Less,
        _ if is_letter(a) => Ordering::Less,
        _ => Ordering::Greater,
    }
}

/// The next number or word of both, neither of which is at its end. A number is newer than a word.
fn segments(a: &mut &str, b: &mut &str) -> Ordering {
    let starts_with_digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    match (starts_with_digit(a), starts_with_digit(b)) {
        (true, true) => numbers(digits(a), digits(b)),
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let (word_a, word_b) = (take(a, |c| c.is_ascii_alphabetic()), take(b, |c| c.is_ascii_alphabetic()));
            word_a.cmp(word_b)
        }
    }
}

/// Numbers of any length; nothing is 0.
fn numbers(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn digits<'a>(text: &mut &'a str) -> &'a str {
    take(text, |c| c.is_ascii_digit())
}

/// The start of a text, as far as its characters are such; the text goes on after it.
fn take<'a>(text: &mut &'a str, is_such: impl Fn(char) -> bool) -> &'a str {
    let end = text.find(|c| !is_such(c)).unwrap_or(text.len());
    let (taken, rest) = text.split_at(end);
    *text = rest;
    taken
}

/// What comes before the version without a suffix, and what after it.
const APK_SUFFIXES: [(&str, i64); 9] =
    [("alpha", -4), ("beta", -3), ("pre", -2), ("rc", -1), ("cvs", 1), ("svn", 2), ("git", 3), ("hg", 4), ("p", 5)];

/// Numbers, the letter after them, suffixes with their numbers and an end, and the build.
fn apk_key(version: &str) -> impl Ord {
    let (version, build) = version.rsplit_once("-r").unwrap_or((version, "0"));
    let mut suffixes = version.split('_');
    let plain = suffixes.next().unwrap_or_default();
    let letter = plain.chars().last().filter(char::is_ascii_alphabetic);
    let plain = plain.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let numbers: Vec<u64> = plain.split('.').map(|number| number.parse().unwrap_or(0)).collect();
    let weigh = |suffix: &str| {
        let (name, number) = suffix.split_at(suffix.find(|c: char| c.is_ascii_digit()).unwrap_or(suffix.len()));
        let weight = APK_SUFFIXES.iter().find(|(known, _)| *known == name).map_or(0, |(_, weight)| *weight);
        (weight, number.parse::<u64>().unwrap_or(0))
    };
    let suffixes: Vec<(i64, u64)> = suffixes.map(weigh).chain([(0, 0)]).collect();
    (numbers, letter, suffixes, build.parse::<u64>().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(order: Order, ascending: &[&str]) {
        for (place, a) in ascending.iter().enumerate() {
            for (other, b) in ascending.iter().enumerate() {
                assert_eq!(order(a, b), place.cmp(&other), "{a} {b}");
            }
        }
    }

    #[test]
    fn a_pattern_means_versions() {
        let check = |pattern: &str, version: &str, expect| assert_eq!(matches(pattern, version), expect, "{pattern}");
        check("1.22.1-9", "1.22.1-9", true);
        check("1.22.1", "1.22.1-9", false);
        check("1.22.*", "1.22.1-9", true);
        check("1.22.*", "1.220.1", false);
        check("9.2*", "1:9.2p1-2", true);
        check("1:9.2*", "1:9.2p1-2", true);
        check("2:9.2*", "1:9.2p1-2", false);
        check("*+deb12u*", "1.22.1-9+deb12u3", true);
        check("*-9", "1.22.1-9+deb12u3", false);
        check("*", "7", true);
        check("1*1", "1", false);
        check("", "1", false);
    }

    #[test]
    fn versions_of_dpkg_are_ordered() {
        check(
            dpkg,
            &["1.0~~", "1.0~rc1-1", "1.0-0", "1.0-1", "1.0-1+b1", "1.0a", "1.0+1", "1.0.1", "1.2", "1.10", "1:0"],
        );
        assert_eq!(dpkg("1.0", "0:1.0-0"), Ordering::Equal);
        assert_eq!(dpkg("2.36-9+deb12u9", "2.36-9+deb12u13"), Ordering::Less);
        assert_eq!(dpkg("1.02", "1.2"), Ordering::Equal);
    }

    #[test]
    fn versions_of_rpm_are_ordered() {
        check(rpm, &["1.0~rc1-1", "1.0-1", "1.0-2.el9", "1.0^git1-1", "1.0.a-1", "1.0.1-1", "1.10-1", "1:0.1-1"]);
        assert_eq!(rpm("1.20.1", "1.20.1-14.el9"), Ordering::Equal);
        assert_eq!(rpm("0:1.0-1", "1.0-1"), Ordering::Equal);
        assert_eq!(rpm("1_0-1", "1.0-1"), Ordering::Equal);
    }

    #[test]
    fn versions_of_pacman_are_ordered() {
        check(pacman, &["1.0a", "1.0beta", "1.0p", "1.0rc", "1.0", "1.0.a", "1.0.1", "1.1", "1:0"]);
        assert_eq!(pacman("6.0.2-1", "6.0.2-2"), Ordering::Less);
        assert_eq!(pacman("6.0.2", "6.0.2-2"), Ordering::Equal);
    }

    #[test]
    fn versions_of_apk_are_ordered() {
        check(
            apk,
            &["1.0_alpha2", "1.0_rc1-r3", "1.0-r0", "1.0-r10", "1.0_git20230101", "1.0_p1", "1.0a", "1.0.1", "1.10"],
        );
    }

    #[test]
    fn patterns_are_harmless() {
        let check = |text: &str, expect| assert_eq!(is_pattern(text), expect, "{text}");
        check("1.22.*", true);
        check("2:9.0.1378-2+deb12u2", true);
        check("1.0~rc1^git", true);
        check("*", true);
        check("", false);
        check("-y", false);
        check("1 2", false);
        check("1;rm", false);
        check("1\n2", false);
    }
}
