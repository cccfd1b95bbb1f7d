//! Races, in turns: the first time, the programs that must run anyway beside all of it; then, when nothing is left to do,
//! the floor beside the standard library. Each is a process of its own, timed from its start to its end, and what the
//! library did is judged each time, outside of that.

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{data, floor, judge};

pub fn run(what: &str, rounds: usize) -> Result<(), String> {
    let [programs, first] = take_turns(["programs", "apply"], what, rounds, reset)?;
    timed("apply", what)?; // The programs alone may have been the last.
    let [floor, noop] = take_turns(["floor", "apply"], what, rounds, |_| Ok(()))?;
    println!("{{\"programs\":{programs:?},\"first\":{first:?},\"floor\":{floor:?},\"noop\":{noop:?}}}");
    Ok(())
}

/// The times of two ways, of which each is the first in every other round.
fn take_turns(
    ways: [&str; 2],
    what: &str,
    rounds: usize,
    before: fn(&str) -> Result<(), String>,
) -> Result<[Vec<f64>; 2], String> {
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        for turn in [round % 2, 1 - round % 2] {
            before(what)?;
            times[turn].push(timed(ways[turn], what)?);
            if ways[turn] == "apply" {
                judge::check(what, &[])?;
            }
        }
    }
    Ok(times)
}

/// Prints the most memory that this process took, in KiB.
pub fn peak() -> Result<(), String> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    println!("{}", line.trim().trim_end_matches(" kB"));
    Ok(())
}

/// How many milliseconds a process of this program takes.
fn timed(act: &str, what: &str) -> Result<f64, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let start = Instant::now();
    let ended = Command::new(this).args([act, what]).stdin(Stdio::null()).stdout(Stdio::null()).output();
    let milliseconds = start.elapsed().as_secs_f64() * 1000.0;
    let ended = ended.map_err(|error| error.to_string())?;
    match ended.status.success() {
        true => Ok(milliseconds),
        false => Err(format!("{act} {what}: {}", String::from_utf8_lossy(&ended.stderr))),
    }
}

/// Takes all of it away, so that there is a first time again.
pub fn reset(what: &str) -> Result<(), String> {
    let lines = match what {
        "files" => "rm -rf /srv/wb-files".to_owned(),
        "install" => format!("apt-get purge -y -q {} >/dev/null", data::SMALL.join(" ")),
        _ => mixed(),
    };
    let ended = Command::new("/bin/sh").args(["-c", &lines]).stdout(Stdio::null()).output();
    let ended = ended.map_err(|error| error.to_string())?;
    if !ended.status.success() {
        return Err(String::from_utf8_lossy(&ended.stderr).into_owned());
    }
    match floor::check(what) {
        Ok(()) => Err(format!("{what} is still there")),
        Err(_) => Ok(()),
    }
}

fn mixed() -> String {
    let mut lines = "exec 2>/dev/null\n".to_owned();
    for number in data::twenty() {
        lines += &format!("userdel {}; groupdel {}\n", data::user(number).0, data::group(number).0);
    }
    for service in data::SERVICES {
        lines += &format!("service {service} stop; update-rc.d {service} remove\n");
    }
    for (key, _) in data::SYSCTL {
        lines += &format!("cat /srv/wb-before/{key} >/proc/sys/{}\n", key.replace('.', "/"));
    }
    lines + &format!("rm -rf /srv/wb-bench {} {}; crontab -r\ntrue\n", data::LINES_FILE, data::SYSCTL_FILE)
}
