//! The program by which a host is measured: it brings the host to a state with the standard library, checks by hand that
//! it is so (the floor), judges each byte of it, or runs just the programs that must run anyway; it lets these race, and
//! watches other commands.

mod data;
mod floor;
mod judge;
mod programs;
mod race;
mod wanted;
mod watch;

use std::process::ExitCode;

use anyhow::Error;

const USAGE: &str = "apply WHAT | peak WHAT | floor WHAT | judge WHAT [by-meaning] [any-group] | programs WHAT | \
                     reset WHAT | race WHAT ROUNDS | watch COMMAND WORDS";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["apply", what] => wanted::apply(what),
        ["floor", what] => floor::check(what).map_err(Error::msg),
        ["judge", what, words @ ..] => judge::check(what, words).map_err(Error::msg),
        ["programs", what] => programs::run(what).map_err(Error::msg),
        ["reset", what] => race::reset(what).map_err(Error::msg),
        ["peak", what] => wanted::apply(what).and_then(|()| race::peak().map_err(Error::msg)),
        ["race", what, rounds] => race::run(what, rounds.parse().unwrap_or(1)).map_err(Error::msg),
        ["watch", command @ ..] => watch::run(command).map_err(Error::msg),
        _ => Err(anyhow::anyhow!("{USAGE}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
