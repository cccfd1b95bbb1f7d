//! Just the programs that must run to bring a host there, one after another, each started the plain way: nothing that
//! could be done without a program, and none of them twice.
//!
//! Whether a service runs only its script knows, so each is asked before its start, and not through the shell of
//! `service`. Whether the start came to anything is not asked.

use std::process::{Command, Stdio};

use crate::data;

pub fn run(what: &str) -> Result<(), String> {
    for words in commands(what)? {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env("DEBIAN_FRONTEND", "noninteractive");
        let ended = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !ended.as_ref().is_ok_and(|status| is_well(&words, status.code())) {
            return Err(format!("{}: {ended:?}", words.join(" ")));
        }
    }
    Ok(())
}

/// Whether a command ended as it is to. A script that is asked before its start says, as LSB has it, that nothing runs.
fn is_well(words: &[String], code: Option<i32>) -> bool {
    let asks = words.last().is_some_and(|word| word == "status");
    code.is_some_and(|code| if asks { (1..=3).contains(&code) } else { code == 0 })
}

fn commands(what: &str) -> Result<Vec<Vec<String>>, String> {
    match what {
        "files" => Ok(Vec::new()),
        "install" => Ok(vec![split(&format!("apt-get install -y -q {}", data::SMALL.join(" ")))]),
        "mixed" => Ok(mixed()),
        _ => Err(format!("there is nothing called {what}")),
    }
}

fn mixed() -> Vec<Vec<String>> {
    let groups = data::twenty().map(data::group).map(|(name, gid)| split(&format!("groupadd -g {gid} {name}")));
    let users = data::twenty().map(|number| {
        let ((user, uid), (group, _)) = (data::user(number), data::group(number));
        split(&format!("useradd -u {uid} -g {group} -s /bin/sh -M {user}"))
    });
    let services = data::SERVICES.iter().flat_map(|service| {
        let script = format!("/etc/init.d/{service}");
        [format!("update-rc.d {service} defaults"), format!("{script} status"), format!("{script} start")]
    });
    groups.chain(users).chain(services.map(|line| split(&line))).collect()
}

fn split(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}
