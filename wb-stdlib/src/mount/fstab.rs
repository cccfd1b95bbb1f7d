//! The text of `/etc/fstab`. Lines that nobody speaks of stay byte for byte.

use std::borrow::Cow;

use crate::text_file::end_line;

/// A line of fstab(5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) filesystem: String,
    pub(crate) options: String,
    pub(crate) dump: u8,
    pub(crate) pass: u8,
}

impl Entry {
    /// Reads a line. A comment, an empty line, and what fstab(5) does not know are none.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        if line.starts_with('#') {
            return None;
        }
        let mut words = line.split_ascii_whitespace();
        let mut word = || words.next().map(unescaped);
        let (source, target, filesystem) = (word()?, word()?, word()?);
        let options = word().unwrap_or_else(|| "defaults".into());
        let mut number = || word().map_or(Some(0), |word| word.parse().ok());
        Some(Self { source, target, filesystem, options, dump: number()?, pass: number()? })
    }

    fn line(&self) -> String {
        let Self { source, target, filesystem, options, dump, pass } = self;
        let words = [source, target, filesystem, options].map(|word| escaped(word));
        format!("{} {dump} {pass}\n", words.join(" "))
    }
}

/// The entries of those lines that are `wanted`'s, or not.
pub(crate) fn entries(text: &str, is_it: impl Fn(&Entry) -> bool) -> Vec<Entry> {
    text.lines().filter_map(Entry::parse).filter(|entry| is_it(entry)).collect()
}

/// The text with this entry in place of the first that it is about, or at the end.
pub(crate) fn with_entry(text: &str, wanted: &Entry, is_it: impl Fn(&Entry) -> bool) -> String {
    let mut missing = true;
    let mut new = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match Entry::parse(line) {
            Some(found) if missing && is_it(&found) => {
                missing = false;
                if found == *wanted { new.push_str(line) } else { new.push_str(&wanted.line()) }
            }
            _ => new.push_str(line),
        }
    }
    if missing {
        end_line(&mut new);
        new.push_str(&wanted.line());
    }
    new
}

/// The text without the entries that it is about.
pub(crate) fn without(text: &str, is_it: impl Fn(&Entry) -> bool) -> String {
    let stays = |line: &&str| !Entry::parse(line).is_some_and(|entry| is_it(&entry));
    text.split_inclusive('\n').filter(stays).collect()
}

/// Blanks, tabs, line breaks and backslashes are written `\040` and so on, in octal, in fstab and in /proc alike.
pub(crate) fn unescaped(word: &str) -> String {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        match (first, after.get(..3).and_then(octal)) {
            (b'\\', Some(byte)) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn octal(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok()?;
    if digits.starts_with('+') { None } else { u8::from_str_radix(digits, 8).ok() }
}

pub(crate) fn escaped(word: &str) -> Cow<'_, str> {
    if !word.contains([' ', '\t', '\n', '\\', '#']) {
        return word.into();
    }
    let escape = |c: char| match c {
        ' ' | '\t' | '\n' | '\\' | '#' => format!("\\{:03o}", c as u32),
        c => c.to_string(),
    };
    word.chars().map(escape).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# /etc/fstab\nUUID=3e6b / ext4 errors=remount-ro 0 1\n\
                        /dev/sr0\t/media/my\\040disk udf user,noauto\n\
                        /swapfile none swap sw 0 0\n";

    fn data(options: &str) -> Entry {
        Entry {
            source: "LABEL=data".into(),
            target: "/srv/data".into(),
            filesystem: "ext4".into(),
            options: options.into(),
            dump: 0,
            pass: 2,
        }
    }

    fn at<'a>(target: &'a str) -> impl Fn(&Entry) -> bool + 'a {
        move |entry| entry.target == target
    }

    #[test]
    fn lines_are_read_with_what_they_leave_out() {
        let found = &entries(TEXT, at("/media/my disk"))[0];
        assert_eq!((found.source.as_str(), found.options.as_str(), found.pass), ("/dev/sr0", "user,noauto", 0));
        assert_eq!(entries(TEXT, at("/"))[0].pass, 1);
        let check = |line: &str| assert_eq!(Entry::parse(line), None, "{line}");
        check("# a b c");
        check("");
        check("a b");
        check("a b c d x 0");
    }

    #[test]
    fn an_entry_comes_changes_and_goes_and_the_rest_stays() {
        let first = with_entry(TEXT, &data("noatime"), at("/srv/data"));
        assert_eq!(first, format!("{TEXT}LABEL=data /srv/data ext4 noatime 0 2\n"));
        let second = with_entry(&format!("{first}# end"), &data("nofail"), at("/srv/data"));
        assert_eq!(second, format!("{TEXT}LABEL=data /srv/data ext4 nofail 0 2\n# end"));
        assert_eq!(with_entry(&second, &data("nofail"), at("/srv/data")), second);
        assert_eq!(without(&second, at("/srv/data")), format!("{TEXT}# end"));
        assert_eq!(without(TEXT, at("/srv/data")), TEXT);
    }

    #[test]
    fn a_line_that_says_the_same_stays_as_it_is_written() {
        let text = "LABEL=data\t/srv/data\text4\tnoatime\t0\t2\n";
        assert_eq!(with_entry(text, &data("noatime"), at("/srv/data")), text);
    }

    #[test]
    fn blanks_are_escaped_and_read_again() {
        let check = |plain: &str, written: &str| {
            assert_eq!(escaped(plain), written);
            assert_eq!(unescaped(written), plain);
        };
        check("/srv/data", "/srv/data");
        check("/srv/my data", "/srv/my\\040data");
        check("/srv/a\tb\nc\\d#", "/srv/a\\011b\\012c\\134d\\043");
        check("/srv/ä b", "/srv/ä\\040b");
        assert_eq!(unescaped("a\\04"), "a\\04");
        assert_eq!(unescaped("a\\999"), "a\\999");
        assert_eq!(unescaped("\\ä"), "\\ä");
    }
}
