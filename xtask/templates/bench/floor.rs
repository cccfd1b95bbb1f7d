//! The same checks by hand, with the fewest system calls: each path is touched once, and no program is started but
//! `service X status`, where that is asked for. It shares no code with the standard library.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use crate::data;

type Result<T> = std::result::Result<T, String>;

/// More than most files that are read as a whole have.
const ROOM: usize = 16 << 10;
/// More than dpkg's list has on a small server.
const ROOM_FOR_PACKAGES: usize = 1 << 20;

pub fn check(what: &str) -> Result<()> {
    match what {
        "files" => files(),
        "mixed" => mixed(),
        "install" => packages(&data::SMALL),
        _ => Err(format!("there is nothing called {what}")),
    }
}

fn files() -> Result<()> {
    let passwd = read("/etc/passwd", ROOM)?;
    let row = rows(&passwd).get("www-data").copied().ok_or("no www-data")?;
    let owner: u32 = row.split(':').nth(1).and_then(|uid| uid.parse().ok()).ok_or("no number of www-data")?;
    (1..=data::FILES).try_for_each(|number| {
        let content = data::filled(&format!("site{number}"), 8000 + number);
        file(&data::numbered(number), &content, owner, 0o640)
    })
}

fn mixed() -> Result<()> {
    packages(&data::PACKAGES)?;
    let (groups, users) = (read("/etc/group", ROOM)?, read("/etc/passwd", ROOM)?);
    let (groups, users) = (rows(&groups), rows(&users));
    for number in data::twenty() {
        person(number, &groups, &users)?;
    }
    lines(&read(data::LINES_FILE, ROOM)?, data::twenty().map(data::line), data::LINES_FILE)?;
    let entries = (1..=5).map(data::cron).map(|(_, schedule, command)| format!("{schedule} {command}"));
    lines(&read(data::CRONTAB, ROOM)?, entries, data::CRONTAB)?;
    sysctl()?;
    services()
}

/// A group, a user of it, a directory of the user's, and two files in that.
fn person(number: usize, groups: &BTreeMap<&str, &str>, users: &BTreeMap<&str, &str>) -> Result<()> {
    let ((group, gid), (user, uid)) = (data::group(number), data::user(number));
    expect(groups.get(group.as_str()) == Some(&format!("x:{gid}:").as_str()), &group)?;
    let row = format!("x:{uid}:{gid}::/home/{user}:/bin/sh");
    expect(users.get(user.as_str()) == Some(&row.as_str()), &user)?;
    let directory = data::directory(number);
    let found = fs::symlink_metadata(&directory).map_err(|error| format!("{directory}: {error}"))?;
    expect(found.is_dir() && found.uid() == uid && found.mode() & 0o7777 == 0o750, &directory)?;
    let (path, content) = data::plain(number);
    file(&path, &content, uid, 0o644)?;
    let (path, port) = data::templated(number);
    file(&path, &data::filled(&user, port), uid, 0o640)
}

/// Reads dpkg's list once.
fn packages(names: &[&str]) -> Result<()> {
    let status = read("/var/lib/dpkg/status", ROOM_FOR_PACKAGES)?;
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

/// The names of passwd(5) or group(5), and what stands after them. A hash map would ask the kernel for a random number.
fn rows(table: &str) -> BTreeMap<&str, &str> {
    table.lines().filter_map(|row| row.split_once(':')).collect()
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

fn sysctl() -> Result<()> {
    let settings = data::SYSCTL.iter().map(|(key, value)| format!("{key} = {value}"));
    lines(&read(data::SYSCTL_FILE, ROOM)?, settings, data::SYSCTL_FILE)?;
    data::SYSCTL.iter().try_for_each(|(key, value)| {
        let found = read(&format!("/proc/sys/{}", key.replace('.', "/")), ROOM)?;
        expect(found.split_whitespace().eq(value.split_whitespace()), key)
    })
}

/// Its streams are theirs, so that none has to be opened.
fn services() -> Result<()> {
    let runlevel = fs::read_dir("/etc/rc2.d").map_err(|error| error.to_string())?;
    let names: Vec<String> =
        runlevel.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    data::SERVICES.iter().try_for_each(|service| {
        let starts = |name: &String| name.starts_with('S') && name.get(3..) == Some(*service);
        expect(names.iter().any(starts), service)?;
        let status = Command::new("/usr/sbin/service").args([service, "status"]).status();
        expect(status.is_ok_and(|status| status.success()), service)
    })
}

/// Opens, reads and closes. What gives less than there is room for is at its end.
fn read(path: &str, room: usize) -> Result<String> {
    let failed = |error: std::io::Error| format!("{path}: {error}");
    let mut file = File::open(path).map_err(failed)?;
    let (mut bytes, mut length) = (vec![0; room], 0);
    loop {
        length += file.read(&mut bytes[length..]).map_err(failed)?;
        if length < bytes.len() {
            break;
        }
        bytes.resize(2 * length, 0);
    }
    bytes.truncate(length);
    String::from_utf8(bytes).map_err(|error| format!("{path}: {error}"))
}

fn expect(holds: bool, what: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(format!("{what} is not as wanted")) }
}
