//! Whether a host is as it should be. It shares no code with the standard library, and with the floor only what is wanted;
//! and it takes its time: it reads whole files, the rows of all accounts, dpkg's list and the links of all runlevels, and
//! looks at processes instead of asking for them.
//!
//! What the standard library did it compares to the last byte, and sees what else was left there. Other tools write comments
//! of their own into files of lines, and keep copies beside what they edit; with `by-meaning` it asks them for the same lines.

mod accounts;
mod dpkg;
mod links;
mod texts;

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::thread::sleep;
use std::time::Duration;

use crate::data;

const ROOT: u32 = 0;

/// Looks at all of it, and tells what is wrong.
pub fn check(what: &str, words: &[&str]) -> Result<(), String> {
    let mut judge = Judge { manner: Manner::of(words)?, wrong: Vec::new() };
    match what {
        "files" => judge.files(),
        "install" => judge.install(),
        "mixed" => judge.mixed(),
        _ => return Err(format!("there is nothing called {what}")),
    }
    judge.verdict()
}

/// How closely it looks.
#[derive(Clone, Copy, Default)]
struct Manner {
    /// In files of lines, comments, blanks and the order do not count, and copies may lie beside files.
    by_meaning: bool,
    /// A user may have any group.
    any_group: bool,
}

impl Manner {
    fn of(words: &[&str]) -> Result<Self, String> {
        let mut manner = Self::default();
        for word in words {
            match *word {
                "by-meaning" => manner.by_meaning = true,
                "any-group" => manner.any_group = true,
                _ => return Err(format!("nobody judges {word}")),
            }
        }
        Ok(manner)
    }
}

struct Judge {
    manner: Manner,
    wrong: Vec<String>,
}

impl Judge {
    fn files(&mut self) {
        let owner = self.uid_of("www-data");
        self.directory("/srv/wb-files", 0o755, ROOT);
        for number in 1..=data::FILES {
            let content = data::filled(&format!("site{number}"), 8000 + number);
            self.file(&data::numbered(number), &content, 0o640, owner);
        }
        self.entries("/srv/wb-files", (1..=data::FILES).map(|number| format!("{number}.conf")).collect());
    }

    fn install(&mut self) {
        self.packages(&data::SMALL);
        for number in 1..=data::SMALL.len() {
            self.file(&format!("/usr/share/wb-small/{number}"), &format!("{number}\n"), 0o644, ROOT);
        }
    }

    fn mixed(&mut self) {
        self.packages(&data::PACKAGES);
        self.accounts();
        self.trees();
        self.list();
        self.crontab();
        self.kernel();
        self.services();
    }

    fn packages(&mut self, names: &[&str]) {
        let status = self.read("/var/lib/dpkg/status");
        self.wrong.extend(dpkg::missing(&status, names).into_iter().map(|name| format!("{name} is not installed")));
    }

    fn accounts(&mut self) {
        let Manner { by_meaning, any_group } = self.manner;
        let [passwd, shadow, groups, gshadow] =
            ["passwd", "shadow", "group", "gshadow"].map(|table| self.read(&format!("/etc/{table}")));
        for number in data::twenty() {
            let ((group, gid), (user, uid)) = (data::group(number), data::user(number));
            self.row(&groups, &group, |row| accounts::group(row, &group, gid));
            self.row(&passwd, &user, |row| accounts::user(row, &user, uid, (!any_group).then_some(gid)));
            match by_meaning {
                true => self.row(&shadow, &user, accounts::lets_somebody_in),
                false => {
                    self.row(&shadow, &user, |row| accounts::without_password(row, &user));
                    self.row(&gshadow, &group, |row| accounts::group_without_password(row, &group));
                }
            }
            self.nothing(&format!("/home/{user}"));
        }
    }

    fn trees(&mut self) {
        for number in data::twenty() {
            let (directory, (user, uid)) = (data::directory(number), data::user(number));
            self.directory(&directory, 0o750, uid);
            let (path, text) = data::plain(number);
            self.file(&path, &text, 0o644, uid);
            let (path, port) = data::templated(number);
            self.file(&path, &data::filled(&user, port), 0o640, uid);
            self.entries(&directory, vec!["plain".to_owned(), "site.conf".to_owned()]);
        }
        self.entries("/srv/wb-bench", data::twenty().map(|number| number.to_string()).collect());
    }

    fn list(&mut self) {
        let wanted: String = data::twenty().map(|number| data::line(number) + "\n").collect();
        self.attributes(data::LINES_FILE, Metadata::is_file, 0o644, ROOT, Some(ROOT));
        let found = self.read(data::LINES_FILE);
        self.lines(data::LINES_FILE, &found, &wanted);
    }

    fn crontab(&mut self) {
        let entry = |number| {
            let (name, schedule, command) = data::cron(number);
            format!("# wildebeest: {name}\n{schedule} {command}\n")
        };
        let wanted: String = (1..=5).map(entry).collect();
        // crontab(1) gives it a group of its own.
        self.attributes(data::CRONTAB, Metadata::is_file, 0o600, ROOT, None);
        let found = self.read(data::CRONTAB);
        self.lines(data::CRONTAB, texts::below_header(&found), &wanted);
    }

    fn kernel(&mut self) {
        let wanted: String = data::SYSCTL.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        if !self.manner.by_meaning {
            self.attributes(data::SYSCTL_FILE, Metadata::is_file, 0o644, ROOT, Some(ROOT));
        }
        let found = self.read(data::SYSCTL_FILE);
        self.lines(data::SYSCTL_FILE, &found, &wanted);
        for (key, value) in data::SYSCTL {
            let found = self.read(&format!("/proc/sys/{}", key.replace('.', "/")));
            // The kernel puts a tab between two numbers.
            self.add(key, texts::difference(&found, &(value.replace(' ', "\t") + "\n")));
        }
    }

    fn services(&mut self) {
        for level in 0..=6 {
            let links = links_in(&format!("/etc/rc{level}.d"));
            let sign = if (2..=5).contains(&level) { 'S' } else { 'K' };
            for service in data::SERVICES {
                self.add(&format!("runlevel {level}"), links::wrong(&links, service, sign));
            }
        }
        for service in data::SERVICES {
            self.add(service, (!runs(service)).then(|| "it does not run".to_owned()));
        }
    }

    fn file(&mut self, path: &str, wanted: &str, mode: u32, uid: u32) {
        self.attributes(path, Metadata::is_file, mode, uid, Some(ROOT));
        let found = self.read(path);
        self.add(path, texts::difference(&found, wanted));
    }

    fn directory(&mut self, path: &str, mode: u32, uid: u32) {
        self.attributes(path, Metadata::is_dir, mode, uid, Some(ROOT));
    }

    /// That nothing else was left there: neither copies nor what is half written.
    fn entries(&mut self, directory: &str, mut wanted: Vec<String>) {
        if self.manner.by_meaning {
            return;
        }
        let mut found: Vec<String> = links_in(directory).into_iter().map(|(name, _)| name).collect();
        found.sort();
        wanted.sort();
        self.add(directory, (found != wanted).then(|| format!("in it are {}", found.join(" "))));
    }

    /// What it is, not what a link leads to. Nobody told other tools a group.
    fn attributes(&mut self, path: &str, is_kind: fn(&Metadata) -> bool, mode: u32, uid: u32, gid: Option<u32>) {
        let wrong = match fs::symlink_metadata(path) {
            Err(error) => Some(error.to_string()),
            Ok(found) if !is_kind(&found) => Some("it is of another kind".to_owned()),
            Ok(found) => {
                let gid = gid.filter(|_| !self.manner.by_meaning).unwrap_or_else(|| found.gid());
                let (is, right) = ((found.mode() & 0o7777, found.uid(), found.gid()), (mode, uid, gid));
                let said = |(mode, uid, gid): (u32, u32, u32)| format!("{mode:04o} {uid}:{gid}");
                (is != right).then(|| format!("it is {} and not {}", said(is), said(right)))
            }
        };
        self.add(path, wrong);
    }

    fn nothing(&mut self, path: &str) {
        self.add(path, fs::symlink_metadata(path).is_ok().then(|| "it is there".to_owned()));
    }

    fn lines(&mut self, path: &str, found: &str, wanted: &str) {
        let difference: fn(&str, &str) -> Option<String> =
            if self.manner.by_meaning { texts::difference_of_meaning } else { texts::difference };
        self.add(path, difference(found, wanted));
    }

    fn row(&mut self, table: &str, name: &str, wrong: impl FnOnce(&str) -> Option<String>) {
        self.add(name, accounts::row(table, name).map_or_else(Some, wrong));
    }

    fn uid_of(&mut self, user: &str) -> u32 {
        let passwd = self.read("/etc/passwd");
        let row = accounts::row(&passwd, user).unwrap_or_default();
        row.split(':').nth(2).and_then(|uid| uid.parse().ok()).unwrap_or(u32::MAX)
    }

    fn read(&mut self, path: &str) -> String {
        let failed = |error: std::io::Error| self.wrong.push(format!("{path}: {error}"));
        fs::read_to_string(path).map_err(failed).unwrap_or_default()
    }

    fn add(&mut self, what: &str, wrong: Option<String>) {
        self.wrong.extend(wrong.map(|wrong| format!("{what}: {wrong}")));
    }

    fn verdict(self) -> Result<(), String> {
        const TOLD: usize = 6;
        let told = self.wrong.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join("; ");
        match self.wrong.len() {
            0 => Ok(()),
            1..=TOLD => Err(told),
            all => Err(format!("{told}; and {} more", all - TOLD)),
        }
    }
}

/// What is in a directory, and where it leads, if it is a link.
fn links_in(directory: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let entry = |entry: fs::DirEntry| {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        (entry.file_name().to_string_lossy().into_owned(), target.to_string_lossy().into_owned())
    };
    entries.map(entry).collect()
}

/// Whether its pid file names a process of its program, which it becomes a moment after it is there.
fn runs(service: &str) -> bool {
    let is_so = || {
        let pid = fs::read_to_string(format!("/run/{service}.pid")).unwrap_or_default();
        fs::read(format!("/proc/{}/cmdline", pid.trim())).is_ok_and(|words| words == b"/bin/sleep\0infinity\0")
    };
    (0..20).any(|_| {
        let runs = is_so();
        if !runs {
            sleep(Duration::from_millis(50));
        }
        runs
    })
}
