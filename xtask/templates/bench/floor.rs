//! The same checks by hand, with the fewest system calls: each path is touched once, and no program is started but
//! `service X status`, where that is asked for. It shares no code with the standard library, so it also judges what that
//! has done, byte for byte.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};

use crate::data;

type Result<T> = std::result::Result<T, String>;

pub fn check(what: &str) -> Result<()> {
    match what {
        "files" => files(),
        "mixed" => mixed(),
        "install" => packages(&data::SMALL),
        _ => Err(format!("there is nothing called {what}")),
    }
}

fn files() -> Result<()> {
    let owner = numbers("/etc/passwd")?.get("www-data").copied().ok_or("no www-data")?;
    (1..=data::FILES).try_for_each(|number| {
        let content = data::filled(&format!("site{number}"), 8000 + number);
        file(&data::numbered(number), &content, owner, 0o640)
    })
}

fn mixed() -> Result<()> {
    packages(&data::PACKAGES)?;
    let (groups, users) = (numbers("/etc/group")?, numbers("/etc/passwd")?);
    for number in data::twenty() {
        let (group, user) = (data::group(number), data::user(number));
        expect(groups.get(&group.0) == Some(&group.1), &group.0)?;
        expect(users.get(&user.0) == Some(&user.1), &user.0)?;
        let directory = data::directory(number);
        let found = fs::symlink_metadata(&directory).map_err(|error| format!("{directory}: {error}"))?;
        expect(found.is_dir() && found.uid() == user.1 && found.mode() & 0o7777 == 0o750, &directory)?;
        let (path, content) = data::plain(number);
        file(&path, &content, user.1, 0o644)?;
        let (path, port) = data::templated(number);
        file(&path, &data::filled(&user.0, port), user.1, 0o640)?;
    }
    lines(&read(data::LINES_FILE)?, data::twenty().map(data::line), data::LINES_FILE)?;
    lines(&read(data::CRONTAB)?, (1..=5).map(|n| format!("{} {}", data::cron(n).1, data::cron(n).2)), data::CRONTAB)?;
    sysctl()?;
    services()
}

/// Reads dpkg's list once.
fn packages(names: &[&str]) -> Result<()> {
    let status = read("/var/lib/dpkg/status")?;
    let mut installed = Vec::with_capacity(names.len());
    let mut name = "";
    for line in status.lines() {
        if let Some(package) = line.strip_prefix("Package: ") {
            name = package;
        } else if line.strip_prefix("Status: ").is_some_and(|status| status.ends_with(" installed"))
            && names.contains(&name)
        {
            installed.push(name);
        }
    }
    names.iter().try_for_each(|name| expect(installed.contains(name), name))
}

/// The names of passwd(5) or group(5), and their numbers.
fn numbers(path: &str) -> Result<HashMap<String, u32>> {
    let entry = |line: &str| {
        let mut fields = line.split(':');
        Some((fields.next()?.to_owned(), fields.nth(1)?.parse().ok()?))
    };
    Ok(read(path)?.lines().filter_map(entry).collect())
}

fn file(path: &str, content: &str, owner: u32, mode: u32) -> Result<()> {
    let failed = |error: std::io::Error| format!("{path}: {error}");
    let mut file = File::open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    expect(found.is_file() && found.uid() == owner && found.mode() & 0o7777 == mode, path)?;
    let mut bytes = vec![0; content.len() + 1];
    let length = file.read(&mut bytes).map_err(failed)?;
    expect(bytes[..length] == *content.as_bytes(), path)
}

fn lines(text: &str, mut wanted: impl Iterator<Item = String>, path: &str) -> Result<()> {
    let there: Vec<&str> = text.lines().collect();
    wanted.try_for_each(|line| expect(there.contains(&line.as_str()), &format!("{line} in {path}")))
}

/// The file is compared as sysctl(8) reads it, for which blanks do not count: not all tools write as many.
fn sysctl() -> Result<()> {
    let file = read(data::SYSCTL_FILE)?;
    data::SYSCTL.iter().try_for_each(|(key, value)| {
        let is_wanted = |found: &str| found.split_whitespace().eq(value.split_whitespace());
        let mut settings = file.lines().filter_map(|line| line.split_once('='));
        let is_kept = settings.any(|(name, found)| name.trim() == *key && is_wanted(found));
        expect(is_kept, &format!("{key} in {}", data::SYSCTL_FILE))?;
        expect(is_wanted(&read(&format!("/proc/sys/{}", key.replace('.', "/")))?), key)
    })
}

fn services() -> Result<()> {
    let runlevel = fs::read_dir("/etc/rc2.d").map_err(|error| error.to_string())?;
    let names: Vec<String> =
        runlevel.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    data::SERVICES.iter().try_for_each(|service| {
        let starts = |name: &String| name.starts_with('S') && name.get(3..) == Some(*service);
        expect(names.iter().any(starts), service)?;
        let mut status = Command::new("service");
        status.args([service, "status"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        expect(status.status().is_ok_and(|status| status.success()), service)
    })
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}

fn expect(holds: bool, what: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(format!("{what} is not as wanted")) }
}
