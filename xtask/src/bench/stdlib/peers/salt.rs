//! Salt: PyPI's, in an environment of its own, by `salt-call` without a master.

use wb_core::system::Output;

use super::install::{BACKPORTS, Rest};
use super::wanted::{site, wanted};
use super::{BY_MEANING, Peer, said};

const STATE: &str = include_str!("../../../../templates/bench/peers/mixed.sls");
const SETTINGS: &str = include_str!("../../../../templates/bench/peers/minion");

const PROGRAM: &str = "/srv/peers/salt/venv/bin/salt-call";

/// What its minion imports. The versions that Salt itself pins are older than some of the wheels that there still are.
const IMPORTED: [&str; 19] = [
    BACKPORTS,
    "aiohttp",
    "cryptography",
    "distro",
    "importlib-metadata",
    "jinja2",
    "jmespath",
    "looseversion",
    "markupsafe",
    "msgpack",
    "packaging",
    "psutil",
    "pycryptodomex",
    "python-dateutil",
    "pyyaml",
    "pyzmq",
    "requests",
    "setuptools<81",
    "tornado",
];

pub(super) const PEER: Peer = Peer {
    name: "salt",
    debs: &["python3", "python3-venv"],
    rest: Rest::Wheels { built: &["salt~=3007.0"], ready: &IMPORTED },
    afterwards: "",
    files,
    version: &[PROGRAM, "--version"],
    run: &[
        PROGRAM,
        "--config-dir=/srv/peers/salt",
        "--local",
        "--retcode-passthrough",
        "--no-color",
        "state.apply",
        "mixed",
    ],
    is_at_rest,
    manner: BY_MEANING,
};

fn files() -> Vec<(&'static str, String)> {
    vec![
        ("minion", SETTINGS.to_owned()),
        ("states/mixed.sls", STATE.to_owned()),
        ("states/wanted.json", wanted()),
        ("states/site.conf.j2", site("{{ site }}", "{{ port }}")),
    ]
}

/// Its summary: `Succeeded: 137`, or `Succeeded: 137 (changed=3)`.
fn is_at_rest(output: &Output) -> bool {
    let said = said(output);
    let summary = said.lines().find(|line| line.starts_with("Succeeded:"));
    output.code == 0 && summary.is_some_and(|line| !line.contains("changed="))
}

#[cfg(test)]
mod tests {
    use super::super::tests::check_rest;
    use super::*;

    #[test]
    fn its_summary_says_whether_it_changed_something() {
        let summary = |succeeded: &str| format!("Summary for local\n------\nSucceeded: {succeeded}\nFailed:      0\n");
        check_rest(is_at_rest, 0, &summary("137"), true);
        check_rest(is_at_rest, 0, &summary("137 (changed=3)"), false);
        check_rest(is_at_rest, 2, &summary("137"), false);
        check_rest(is_at_rest, 0, "", false);
    }
}
