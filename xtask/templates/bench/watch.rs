//! Any command, watched: how long it takes, and the most memory that it took, or a program that it started.

use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};

pub fn run(words: &[&str]) -> Result<(), String> {
    let (program, args) = words.split_first().ok_or("there is no command to watch")?;
    let start = Instant::now();
    let ended = Command::new(program).args(args).stdin(Stdio::null()).stdout(Stdio::null()).output();
    let milliseconds = start.elapsed().as_secs_f64() * 1000.0;
    let ended = ended.map_err(|error| format!("{program}: {error}"))?;
    if !ended.status.success() {
        return Err(format!("{}: {}: {}", words.join(" "), ended.status, String::from_utf8_lossy(&ended.stderr)));
    }
    // Of all processes that were waited for, by the command too, that of the largest.
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| error.to_string())?;
    println!("{{\"ms\":{milliseconds},\"peak_kib\":{}}}", usage.max_rss());
    Ok(())
}
