//! Just the programs that must run to bring a host there, one after another, each started the plain way: nothing that
//! could be done without a program, and none of them twice.

use std::process::{Command, Stdio};

use crate::data;

pub fn run(what: &str) -> Result<(), String> {
    for words in commands(what)? {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env("DEBIAN_FRONTEND", "noninteractive");
        let ended = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !ended.as_ref().is_ok_and(|status| status.success()) {
            return Err(format!("{}: {ended:?}", words.join(" ")));
        }
    }
    Ok(())
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
    let services = data::SERVICES
        .iter()
        .flat_map(|service| [format!("update-rc.d {service} defaults"), format!("/etc/init.d/{service} start")]);
    groups.chain(users).chain(services.map(|line| split(&line))).collect()
}

fn split(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}
