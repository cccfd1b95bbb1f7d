//! rash: crates.io's, compiled on this machine.
//!
//! It knows no owners of files, so these are looked at, and given where they are not right. Of a user whose group is
//! said, it claims each time to have changed it; so no groups of users are said. It writes a crontab with a mode that cron
//! passes over; so that is told, too.

use wb_core::system::Output;

use super::install::Rest;
use super::wanted::{Job, jobs, site};
use super::{Peer, data, said};

pub(super) const PEER: Peer = Peer {
    name: "rash",
    debs: &[],
    rest: Rest::Crate { name: "rash_core", version: "3.0.0", program: "rash" },
    afterwards: "",
    files,
    version: &["rash", "--version"],
    run: &["rash", "mixed.rh"],
    is_at_rest,
    manner: &["by-meaning", "any-group"],
};

const TEMPLATE: &str = "/srv/peers/rash/site.conf.j2";

fn files() -> Vec<(&'static str, String)> {
    vec![("mixed.rh", script()), ("site.conf.j2", site("{{ site }}", "{{ port }}"))]
}

/// It says `changed` of each task that changed something.
fn is_at_rest(output: &Output) -> bool {
    output.code == 0 && !said(output).contains("changed")
}

/// A task for each thing.
fn script() -> String {
    let packages = format!("- apt: {{name: {:?}}}\n", data::PACKAGES);
    let people = data::twenty().map(person);
    let lines = data::twenty().map(line);
    let services = data::SERVICES.into_iter().map(service);
    let mode = format!("- file: {{path: {}, mode: \"0600\"}}\n", data::CRONTAB);
    let jobs = jobs().map(|job| entry(&job)).chain([mode]);
    let settings = data::SYSCTL.into_iter().map(|(key, value)| setting(key, value));
    std::iter::once(packages).chain(people).chain(lines).chain(services).chain(jobs).chain(settings).collect()
}

fn person(number: usize) -> String {
    let ((group, gid), (user, uid)) = (data::group(number), data::user(number));
    let ((plain, text), (site, port)) = (data::plain(number), data::templated(number));
    let directory = data::directory(number);
    [
        format!("- group: {{name: {group}, gid: {gid}}}\n"),
        format!("- user: {{name: {user}, uid: {uid}, shell: /bin/sh, create_home: false}}\n"),
        format!("- file: {{path: {directory}, state: directory, mode: \"0750\"}}\n"),
        owned(&directory, &user, uid),
        format!("- copy: {{dest: {plain}, content: {text:?}, mode: \"0644\"}}\n"),
        owned(&plain, &user, uid),
        format!("- template: {{src: {TEMPLATE}, dest: {site}, mode: \"0640\"}}\n"),
        format!("  vars: {{site: {user}, port: {port}}}\n"),
        owned(&site, &user, uid),
    ]
    .concat()
}

fn owned(path: &str, user: &str, uid: u32) -> String {
    format!(
        "- stat: {{path: {path}, get_checksum: false, get_md5: false, get_attributes: false}}\n  register: found\n\
         - command: chown {user} {path}\n  when: found.stat.uid != {uid}\n"
    )
}

fn line(number: usize) -> String {
    format!("- lineinfile: {{path: {}, line: {:?}}}\n", data::LINES_FILE, data::line(number))
}

fn service(name: &str) -> String {
    format!("- service: {{name: {name}, enabled: true, state: started, use: sysvinit}}\n")
}

fn entry(job: &Job) -> String {
    let [minute, hour, day, month, weekday] = &job.schedule;
    format!(
        "- cron: {{name: {:?}, job: {:?}, minute: {minute:?}, hour: {hour:?}, day: {day:?}, month: {month:?}, \
         weekday: {weekday:?}}}\n",
        job.name, job.command
    )
}

/// The kernel puts a tab between two numbers, and rash takes that for another value than one with a blank.
fn setting(key: &str, value: &str) -> String {
    let value = value.replace(' ', "\t");
    format!("- sysctl: {{name: {key}, value: {value:?}, sysctl_file: {}}}\n", data::SYSCTL_FILE)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check_rest;
    use super::*;

    #[test]
    fn each_task_says_whether_it_changed_something() {
        check_rest(is_at_rest, 0, "TASK [mixed.rh:task] ****\nok: /etc/wb-bench.conf\n", true);
        check_rest(is_at_rest, 0, "\x1b[33mchanged: /etc/wb-bench.conf\x1b[0m\n", false);
        check_rest(is_at_rest, 1, "ok: /etc/wb-bench.conf\n", false);
    }

    #[test]
    fn there_is_a_task_for_each_thing_and_one_for_the_mode_of_the_crontab() {
        let script = script();
        let count = |module: &str| script.matches(&format!("- {module}: ")).count();
        let modules = ["apt", "group", "user", "file", "copy", "template", "lineinfile", "service", "cron", "sysctl"];
        assert_eq!(modules.map(count), [1, 20, 20, 21, 20, 20, 20, 5, 5, 5]);
        assert_eq!(count("stat"), 60);
    }

    #[test]
    fn texts_stay_on_their_line() {
        let copied = "- copy: {dest: /srv/wb-bench/2/plain, content: \"# 2\\nanswer = 42\\n\", mode: \"0644\"}\n";
        assert!(person(2).contains(copied));
        assert!(setting("a.b", "1 2").contains("value: \"1\\t2\""));
    }
}
