//! Lines of `authorized_keys`, see sshd(8).

use std::fmt;

use base64ct::{Base64, Encoding as _};

/// A public key, with what its holder may do.
///
/// ```
/// use wb_stdlib::authorized_keys::Key;
///
/// # let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICcND7mvhy1ZxWiyqpEPx/8V+EKIGmUq3lP6Mqj05qxy backup";
/// let key = Key::new(line).restrict().from_hosts("192.0.2.0/24").command("/usr/bin/rrsync -ro /srv");
/// let tunnel = Key::new(line).restrict().option("port-forwarding").option("permitopen=\"localhost:5432\"");
///
/// assert!(tunnel.to_string().starts_with("restrict,port-forwarding,permitopen=\"localhost:5432\" ssh-ed25519 "));
/// assert!(key.to_string().starts_with("restrict,from=\"192.0.2.0/24\",command=\"/usr/bin/rrsync -ro /srv\" ssh-ed25519 "));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Key {
    options: Vec<String>,
    line: String,
}

impl Key {
    /// A key by its line: `ssh-ed25519 AAAA… anna@laptop`. Options may stand before it as they do in the file.
    pub fn new(line: impl Into<String>) -> Self {
        Self { options: Vec::new(), line: line.into() }
    }

    /// Its holder may do nothing but run commands: no terminal, no forwarding, no `~/.ssh/rc`.
    pub fn restrict(self) -> Self {
        self.option("restrict")
    }

    /// Whatever its holder wants to run, this is run: a line for the user's shell.
    pub fn command(self, line: &str) -> Self {
        self.quoted("command", line)
    }

    /// It counts only from these hosts: addresses, networks and patterns, with commas between them, as in
    /// `192.0.2.0/24,*.example.org`.
    pub fn from_hosts(self, patterns: &str) -> Self {
        self.quoted("from", patterns)
    }

    /// Another option of sshd(8), as it stands in the file: `no-pty`, `permitopen="localhost:5432"`.
    pub fn option(mut self, option: impl Into<String>) -> Self {
        self.options.push(option.into());
        self
    }

    fn quoted(self, name: &str, value: &str) -> Self {
        self.option(format!("{name}=\"{}\"", value.replace('"', "\\\"")))
    }

    pub(super) fn line(&self) -> Result<Line, &'static str> {
        let text = self.to_string();
        if text.contains("PRIVATE KEY") {
            return Err("it is a private key");
        }
        if text.contains(char::is_control) {
            return Err("it is more than one line, or has control characters");
        }
        let line = Line::parse(&text).ok_or("it has no type and key, or an option with a `\"` too many or too few")?;
        line.check()?;
        Ok(line)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.options.is_empty() {
            true => f.write_str(self.line.trim()),
            false => write!(f, "{}{}", self.options.join(","), Rest(self.line.trim())),
        }
    }
}

/// What follows options: the key, or more options that its line brings.
struct Rest<'a>(&'a str);

impl fmt::Display for Rest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.0.split_whitespace().next().is_some_and(is_type) { ' ' } else { ',' };
        write!(f, "{separator}{}", self.0)
    }
}

impl From<&str> for Key {
    fn from(line: &str) -> Self {
        Self::new(line)
    }
}

impl From<String> for Key {
    fn from(line: String) -> Self {
        Self::new(line)
    }
}

/// A line that is a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    options: String,
    kind: String,
    /// The key itself, in base64.
    key: String,
    comment: String,
}

impl Line {
    /// Reads `[options] type key [comment]`.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        let first = line.split_whitespace().next().filter(|first| !first.starts_with('#'))?;
        let (options, rest) = if is_type(first) { ("", line) } else { line.split_at(end_of_options(line)?) };
        let mut words = rest.split_whitespace();
        let kind = words.next().filter(|kind| is_type(kind))?.to_owned();
        let key = words.next()?.to_owned();
        let comment = words.collect::<Vec<_>>().join(" ");
        Some(Self { options: options.to_owned(), kind, key, comment })
    }

    /// Whether both are the same key, whatever its holder may do.
    pub(super) fn is_same_key(&self, other: &Self) -> bool {
        self.kind == other.kind && self.key == other.key
    }

    /// The key in short, for people: options may hold secrets, so that only their names are shown.
    pub(super) fn shown(&self) -> String {
        let end: String = self.key.chars().rev().take(8).collect::<Vec<_>>().into_iter().rev().collect();
        let names: Vec<String> = option_names(&self.options).into_iter().map(|name| format!("{name} ")).collect();
        format!("{}{} …{end} {}", names.concat(), self.kind, self.comment).trim_end().to_owned()
    }

    /// Whether the key is whole, and of the type that stands before it.
    fn check(&self) -> Result<(), &'static str> {
        let bytes = Base64::decode_vec(&self.key).map_err(|_| "what should be the key is no base64")?;
        let (kind, rest) = field(&bytes).ok_or("it is cut short")?;
        if kind != self.kind.as_bytes() {
            return Err("the key is of another type than stands before it");
        }
        // Certificates have numbers between their fields.
        if self.kind.contains("-cert-") || is_whole(rest) { Ok(()) } else { Err("it is cut short") }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [&self.options, &self.kind, &self.key, &self.comment];
        f.write_str(&words.into_iter().filter(|word| !word.is_empty()).cloned().collect::<Vec<_>>().join(" "))
    }
}

fn is_type(word: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-sha2-", "webauthn-sk-"].iter().any(|start| word.starts_with(start))
}

/// Where options end: at the first blank that no quotes are around.
fn end_of_options(line: &str) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (index, c) in line.char_indices() {
        match c {
            '"' if !is_escaped => is_quoted = !is_quoted,
            c if c.is_whitespace() && !is_quoted => return Some(index),
            _ => {}
        }
        is_escaped = c == '\\';
    }
    None
}

/// The names of options, as `command=…` for one that has a value.
fn option_names(options: &str) -> Vec<String> {
    let (mut names, mut left) = (Vec::new(), options);
    while !left.is_empty() {
        let end = end_of_option(left);
        let option = &left[..end];
        names.push(option.split_once('=').map_or_else(|| option.to_owned(), |(name, _)| format!("{name}=…")));
        left = left[end..].trim_start_matches(',');
    }
    names
}

fn end_of_option(options: &str) -> usize {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (index, c) in options.char_indices() {
        match c {
            '"' if !is_escaped => is_quoted = !is_quoted,
            ',' if !is_quoted => return index,
            _ => {}
        }
        is_escaped = c == '\\';
    }
    options.len()
}

/// The keys of a file.
pub(super) fn lines(text: &str) -> Vec<Line> {
    text.lines().filter_map(Line::parse).collect()
}

/// The text with these keys. One that is there keeps its place, and the comment where none was said; it stands there
/// once, since sshd would let its holder in by any line.
pub(super) fn with(text: &str, wanted: &[Line]) -> String {
    let mut left: Vec<Line> = Vec::new();
    for line in wanted {
        left.retain(|other| !other.is_same_key(line));
        left.push(line.clone());
    }
    let mut kept = Vec::new();
    for line in text.lines() {
        let Some(found) = Line::parse(line).filter(|found| wanted.iter().any(|wanted| wanted.is_same_key(found)))
        else {
            kept.push(line.to_owned());
            continue;
        };
        if let Some(index) = left.iter().position(|wanted| wanted.is_same_key(&found)) {
            let wanted = left.remove(index);
            let comment = if wanted.comment.is_empty() { found.comment.clone() } else { wanted.comment.clone() };
            let wanted = Line { comment, ..wanted };
            kept.push(if wanted == found { line.to_owned() } else { wanted.to_string() });
        }
    }
    kept.extend(left.iter().map(ToString::to_string));
    joined(&kept)
}

/// The text without these keys.
pub(super) fn without(text: &str, unwanted: &[Line]) -> String {
    let is_wanted = |line: &&str| {
        !Line::parse(line).is_some_and(|found| unwanted.iter().any(|unwanted| unwanted.is_same_key(&found)))
    };
    let kept: Vec<&str> = text.lines().filter(is_wanted).collect();
    if kept.len() == text.lines().count() { text.to_owned() } else { joined(&kept) }
}

fn joined<S: AsRef<str>>(lines: &[S]) -> String {
    lines.iter().map(|line| format!("{}\n", line.as_ref())).collect()
}

/// How the keys of two texts differ, a line for each that comes or goes.
pub(super) fn diff(old: &str, new: &str) -> Vec<String> {
    let (old, new) = (lines(old), lines(new));
    let gone = old.iter().filter(|line| !new.contains(line)).map(|line| format!("- {}", line.shown()));
    let come = new.iter().filter(|line| !old.contains(line)).map(|line| format!("+ {}", line.shown()));
    gone.chain(come).collect()
}

/// The first field of a key: its length in four bytes, and then so many.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

/// Whether there is a field, and nothing but fields.
fn is_whole(bytes: &[u8]) -> bool {
    let mut left = Some(bytes);
    while let Some(bytes) = left {
        match field(bytes) {
            Some((_, [])) => return true,
            Some((_, rest)) => left = Some(rest),
            None => left = None,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by ssh-keygen of OpenSSH 9.2, and thrown away.
    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICcND7mvhy1ZxWiyqpEPx/8V+EKIGmUq3lP6Mqj05qxy";
    const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDRcr3xaEpOc1ALUMeYS+8oaja845jCGBqNKs1NGvsDd35iliANXNXYoaKuXSzdwuAQA1lpywRUV1MNqgQHUnaNTa9KsAbxrDeBm2S3BmjglPF/Dl2JAyHSTzzBtEV2cq8RaFk4zzu2XXZq0L1/4y+rFc5N5aQJEW8gouqXoRPx0w==";
    const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHpTalzRgM5p8+ZWaRY/S1MJhJBTsv9wFbNgFg9CyhWypDNqlfGOJwByfptzt+SyMESdmPB5VS5l3LiJ6hUnEbI=";

    fn line(key: &str) -> Line {
        Key::new(key).line().unwrap()
    }

    fn refused(key: &Key) -> &'static str {
        key.line().unwrap_err()
    }

    #[test]
    fn keys_of_all_types_are_keys() {
        for key in [ED25519, RSA, ECDSA] {
            assert_eq!(line(key).to_string(), key);
            assert_eq!(line(&format!("  {key}   anna@laptop ")).to_string(), format!("{key} anna@laptop"));
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert_eq!(refused(&"".into()), "it has no type and key, or an option with a `\"` too many or too few");
        assert_eq!(
            refused(&"# a comment".into()),
            "it has no type and key, or an option with a `\"` too many or too few"
        );
        assert_eq!(refused(&format!("command=\"x {ED25519}").into()), refused(&"".into()));
        assert_eq!(refused(&"-----BEGIN OPENSSH PRIVATE KEY-----".into()), "it is a private key");
        assert_eq!(refused(&format!("{ED25519}\n{RSA}").into()), "it is more than one line, or has control characters");
        assert_eq!(refused(&Key::new(&ED25519[..ED25519.len() - 4])), "it is cut short");
        assert_eq!(refused(&"ssh-ed25519 AAAA".into()), "it is cut short");
        assert_eq!(refused(&"ssh-ed25519 not-base-64!".into()), "what should be the key is no base64");
        assert_eq!(
            refused(&ED25519.replace("ssh-ed25519", "ssh-rsa").into()),
            "the key is of another type than stands before it"
        );
    }

    #[test]
    fn options_stand_before_the_key() {
        let key = Key::new(ED25519).restrict().option("pty").command("echo \"hello there\"");
        let text = format!("restrict,pty,command=\"echo \\\"hello there\\\"\" {ED25519}");
        assert_eq!(key.to_string(), text);
        let found = key.line().unwrap();
        assert_eq!((found.to_string(), found.is_same_key(&line(ED25519))), (text, true));
        let more = Key::new(format!("no-pty {ED25519}")).restrict();
        assert_eq!(more.line().unwrap().to_string(), format!("restrict,no-pty {ED25519}"));
    }

    #[test]
    fn values_of_options_are_not_shown() {
        let key = Key::new(format!("{ED25519} anna")).restrict().option("environment=\"TOKEN=a,b\"").option("no-pty");
        assert_eq!(key.line().unwrap().shown(), "restrict environment=… no-pty ssh-ed25519 …Mqj05qxy anna");
    }

    #[test]
    fn keys_are_added_at_the_end_and_changed_in_their_place() {
        let text = format!("# ours\n{RSA} old\n\nno-pty {ED25519} anna\nstrange line");
        let check = |wanted: &[Line], expect: &str| assert_eq!(with(&text, wanted), expect);
        check(&[line(RSA)], &format!("{text}\n"));
        check(&[line(ECDSA)], &format!("{text}\n{ECDSA}\n"));
        check(&[line(ED25519)], &format!("# ours\n{RSA} old\n\n{ED25519} anna\nstrange line\n"));
        check(&[line(&format!("{RSA} new"))], &format!("# ours\n{RSA} new\n\nno-pty {ED25519} anna\nstrange line\n"));
        assert_eq!(
            with("", &[line(RSA), line(ECDSA), line(&format!("{RSA} twice"))]),
            format!("{ECDSA}\n{RSA} twice\n")
        );
    }

    #[test]
    fn a_key_stands_there_once() {
        let text = format!("from=\"192.0.2.1\" {RSA}\n{ED25519}\n{RSA} without any bounds\n");
        let wanted = Key::new(RSA).from_hosts("192.0.2.1").line().unwrap();
        assert_eq!(with(&text, &[wanted]), format!("from=\"192.0.2.1\" {RSA}\n{ED25519}\n"));
    }

    #[test]
    fn keys_go_with_all_their_lines() {
        let text = format!("# ours\n{RSA} a\n{ED25519}\nno-pty {RSA}\n");
        assert_eq!(without(&text, &[line(RSA)]), format!("# ours\n{ED25519}\n"));
        assert_eq!(without(&text, &[line(ECDSA)]), text);
        assert_eq!(without("no line break", &[line(ECDSA)]), "no line break");
    }

    #[test]
    fn what_comes_and_goes_is_a_line_each() {
        let old = format!("{RSA} bob\n{ED25519} anna\n");
        let new = format!("{ED25519} anna\nno-pty {ECDSA}\n");
        assert_eq!(diff(&old, &new), ["- ssh-rsa …oRPx0w== bob", "+ no-pty ecdsa-sha2-nistp256 …6hUnEbI="]);
        assert_eq!(diff(&old, &old), [""; 0]);
    }
}
