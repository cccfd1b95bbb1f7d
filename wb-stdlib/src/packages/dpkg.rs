//! What dpkg knows: its status file, and dpkg-query where that file is not all of it.

use wb_core::system::{CommandError, System, files};

use super::PackageError;
use super::apt::quiet;
use super::facts::{Facts, Found, PackageState, found};
use wb_core::system::Command;

const STATUS: &str = "/var/lib/dpkg/status";
/// What dpkg has done and not yet written into its status file, while it runs and after it was killed.
const JOURNAL: &str = "/var/lib/dpkg/updates";
/// The format that [`parse_lines`] reads, for `dpkg-query -f`.
const FORMAT: &str = "${Package}\t${Architecture}\t${db:Status-Abbrev}\t${Version}\n";

/// What there is of these packages. It starts no program unless dpkg is in the middle of something.
pub(super) fn facts(system: &System, names: &[String]) -> Result<Found, PackageError> {
    let looked = |source| PackageError::Read { path: STATUS.into(), source };
    if !has_journal(system)
        && let Some(status) = system.parsed(STATUS, Status::parse).map_err(looked)?
    {
        return Ok(found(names, |name| status.facts(name)));
    }
    query(system, names)
}

/// Whether dpkg itself is a package of this host, as it is where it installs the others.
pub(super) fn is_native(system: &System) -> bool {
    matches!(system.parsed(STATUS, Status::parse), Ok(Some(status)) if status.native().is_some())
}

/// Whether dpkg runs, or was cut short. Where that can't be seen, dpkg-query says why.
fn has_journal(system: &System) -> bool {
    let digits = |path: &std::path::PathBuf| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit))
    };
    match files::list(system.path(JOURNAL)) {
        Ok(entries) => entries.iter().any(digits),
        Err(error) => error.source.kind() != std::io::ErrorKind::NotFound,
    }
}

fn query(system: &System, names: &[String]) -> Result<Found, PackageError> {
    let query = quiet(Command::new("dpkg-query")).args(["-W", "-f", FORMAT]).args(names);
    // Its exit code is 1 when it knows one of them not, which is no failure here.
    let said = match system.run(&query) {
        Ok(output) if output.code <= 1 => Ok(output.text()),
        Ok(output) => Err(super::tool::failure(&query, &output)),
        Err(error) => Err(error),
    };
    let failed = |source: CommandError| PackageError::Look { names: names.to_vec(), source };
    said.map(|text| parse_lines(&text)).map(|status| found(names, |name| status.facts(name))).map_err(failed)
}

/// What dpkg says of all packages: one text with all that is of use here, and where in it each package stands.
#[derive(Debug, Default)]
pub(super) struct Status {
    text: String,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: usize,
    name: usize,
    architecture: usize,
    version: usize,
    held: bool,
    stage: Stage,
}

/// How far a package is on its way into the host, and out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Absent,
    /// Only files of `/etc` are left.
    Left,
    Unfinished,
    Installed,
}

/// The fields of one package, as they come.
#[derive(Default)]
struct Stanza<'a> {
    name: &'a str,
    architecture: &'a str,
    version: &'a str,
    status: &'a str,
}

impl Status {
    /// Reads `/var/lib/dpkg/status`: stanzas of fields, with empty lines between them.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut status = Self::default();
        let mut stanza = Stanza::default();
        for line in text.lines().chain([""]) {
            // Most lines are of no use here, and known by their first byte.
            match line.as_bytes().first() {
                None => status.add_stanza(&std::mem::take(&mut stanza)),
                Some(b'P' | b'S' | b'A' | b'V') => stanza.read(line),
                Some(_) => {}
            }
        }
        status.sorted()
    }

    fn add_stanza(&mut self, stanza: &Stanza<'_>) {
        let mut words = stanza.status.split(' ');
        let (wish, stage) = (words.next(), words.nth(1));
        let stage = match stage {
            Some("installed" | "triggers-awaited" | "triggers-pending") => Stage::Installed,
            Some("config-files") => Stage::Left,
            Some("not-installed") | None => Stage::Absent,
            Some(_) => Stage::Unfinished,
        };
        self.add(stanza, wish == Some("hold"), stage);
    }

    fn add(&mut self, stanza: &Stanza<'_>, held: bool, stage: Stage) {
        if stanza.name.is_empty() {
            return;
        }
        let start = self.text.len();
        let (name, architecture, version) = (stanza.name.len(), stanza.architecture.len(), stanza.version.len());
        for part in [stanza.name, stanza.architecture, stanza.version] {
            self.text.push_str(part);
        }
        self.entries.push(Entry { start, name, architecture, version, held, stage });
    }

    fn sorted(mut self) -> Self {
        let text = &self.text;
        self.entries.sort_by_key(|entry| entry.name(text));
        self
    }

    /// Those of a name, one for each architecture.
    fn named(&self, name: &str) -> &[Entry] {
        let start = self.entries.partition_point(|entry| entry.name(&self.text) < name);
        let length = self.entries[start..].partition_point(|entry| entry.name(&self.text) == name);
        &self.entries[start..start + length]
    }

    /// The architecture of dpkg itself.
    fn native(&self) -> Option<&str> {
        let dpkg = self.named("dpkg").iter().find(|entry| entry.stage == Stage::Installed)?;
        Some(dpkg.architecture(&self.text))
    }

    /// What there is of a package by its name, or by `name:architecture`. Of many architectures, one that is installed.
    fn facts(&self, name: &str) -> Facts {
        let (name, architecture) = name.split_once(':').unwrap_or((name, "any"));
        let is_meant = |entry: &&Entry| match entry.architecture(&self.text) {
            _ if architecture == "any" => true,
            "all" => self.native() == Some(architecture),
            found => found == architecture,
        };
        let found = self.named(name).iter().filter(is_meant).max_by_key(|entry| entry.stage as u8);
        found.map(|entry| self.facts_of(entry)).unwrap_or_default()
    }

    fn facts_of(&self, entry: &Entry) -> Facts {
        let state = match entry.stage {
            Stage::Absent | Stage::Left => PackageState::Absent,
            Stage::Unfinished => PackageState::Unfinished,
            Stage::Installed => PackageState::Installed { version: entry.version(&self.text).to_owned() },
        };
        Facts { state, held: entry.held, left: entry.stage == Stage::Left, ..Facts::default() }
    }
}

impl Entry {
    fn name<'a>(&self, text: &'a str) -> &'a str {
        &text[self.start..][..self.name]
    }

    fn architecture<'a>(&self, text: &'a str) -> &'a str {
        &text[self.start + self.name..][..self.architecture]
    }

    fn version<'a>(&self, text: &'a str) -> &'a str {
        &text[self.start + self.name + self.architecture..][..self.version]
    }
}

impl<'a> Stanza<'a> {
    fn read(&mut self, line: &'a str) {
        match line.split_once(": ") {
            Some(("Package", value)) => self.name = value,
            Some(("Architecture", value)) => self.architecture = value,
            Some(("Version", value)) => self.version = value,
            Some(("Status", value)) => self.status = value,
            _ => {}
        }
    }
}

/// Reads lines like `bash⇥amd64⇥ii ⇥5.2.15-2+b8`. The letters are what is wanted and what there is: see dpkg-query(1).
fn parse_lines(text: &str) -> Status {
    let mut status = Status::default();
    for line in text.lines() {
        let [name, architecture, abbreviation, version] = line.split('\t').collect::<Vec<_>>()[..] else { continue };
        let mut letters = abbreviation.chars();
        let (wish, stage) = (letters.next(), letters.next());
        let stage = match stage {
            Some('i' | 'W' | 't') => Stage::Installed,
            Some('c') => Stage::Left,
            Some('n') | None => Stage::Absent,
            Some(_) => Stage::Unfinished,
        };
        status.add(&Stanza { name, architecture, version, status: "" }, wish == Some('h'), stage);
    }
    status.sorted()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPTURED: &str = include_str!("captured/dpkg-status");

    fn check(status: &Status, name: &str, expect: &str) {
        assert_eq!(status.facts(name).state.to_string(), expect, "{name}");
    }

    #[test]
    fn states_are_read_from_what_dpkg_query_says() {
        let text = "bash\tamd64\tii \t5.2.15-2+b8\nlibc6\tamd64\tii \t2.36-9\nlibc6\ti386\trc \t2.30-1\n\
                    nginx\tamd64\tiF \t1.22.1-9\nvim\tamd64\tun \t\ncron\tamd64\thi \t3.0\n";
        let status = parse_lines(text);
        check(&status, "bash", "installed in version 5.2.15-2+b8");
        check(&status, "libc6", "installed in version 2.36-9");
        check(&status, "libc6:i386", "absent");
        check(&status, "nginx", "half installed");
        check(&status, "vim", "absent");
        check(&status, "cron", "installed in version 3.0");
        check(&status, "emacs", "absent");
        assert!(status.facts("cron").held && !status.facts("bash").held);
        assert!(status.facts("libc6:i386").left && !status.facts("vim").left);
    }

    #[test]
    fn states_are_read_from_the_status_file() {
        let status = Status::parse(CAPTURED.as_bytes());
        check(&status, "adduser", "installed in version 3.134");
        check(&status, "adduser:amd64", "installed in version 3.134");
        check(&status, "libc6", "installed in version 2.36-9+deb12u13");
        check(&status, "libc6:amd64", "installed in version 2.36-9+deb12u13");
        check(&status, "libc6:i386", "half installed");
        check(&status, "libc6:arm64", "absent");
        check(&status, "man-db", "installed in version 2.11.2-2");
        check(&status, "rsyslog", "absent");
        check(&status, "nano", "installed in version 7.2-1+deb12u1");
        check(&status, "postfix", "absent");
        check(&status, "libc", "absent");
        assert!(status.facts("nano").held && !status.facts("adduser").held);
        assert!(status.facts("rsyslog").left && !status.facts("postfix").left);
        assert_eq!(status.native(), Some("amd64"));
    }

    #[test]
    fn a_status_file_may_be_anything() {
        let check = |bytes: &[u8]| assert_eq!(Status::parse(bytes).facts("nginx"), Facts::default());
        check(b"");
        check(b"\n\n\n");
        check(b"Package: nginx");
        check(b"Status: install ok installed\nVersion: 1\n");
        check(b"\xff\xfe\0Package: nginx\nStatus: install");
    }
}
