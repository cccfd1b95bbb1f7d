//! pyinfra: PyPI's, in an environment of its own, on the host itself.

use wb_core::system::Output;

use super::install::{BACKPORTS, Rest};
use super::wanted::{site, wanted};
use super::{BY_MEANING, Peer, said};

const DEPLOY: &str = include_str!("../../../../templates/bench/peers/deploy.py");

const PROGRAM: &str = "/srv/peers/pyinfra/venv/bin/pyinfra";

pub(super) const PEER: Peer = Peer {
    name: "pyinfra",
    debs: &["python3", "python3-venv"],
    rest: Rest::Wheels { built: &[], ready: &["pyinfra~=3.0", BACKPORTS] },
    afterwards: "",
    files,
    version: &[PROGRAM, "--version"],
    run: &[PROGRAM, "-y", "@local", "deploy.py"],
    is_at_rest,
    manner: BY_MEANING,
};

fn files() -> Vec<(&'static str, String)> {
    vec![
        ("deploy.py", DEPLOY.to_owned()),
        ("wanted.json", wanted()),
        ("site.conf.j2", site("{{ site }}", "{{ port }}")),
    ]
}

/// The last line of its table, `Grand total  155  -  -  155`: hosts, with a change, with an error, without a change.
fn is_at_rest(output: &Output) -> bool {
    let said = said(output);
    let total = said.lines().rev().find_map(|line| line.split_once("Grand total")).map(|(_, numbers)| numbers);
    let mut numbers = total.unwrap_or_default().split_whitespace().skip(1);
    output.code == 0 && numbers.next() == Some("-") && numbers.next() == Some("-")
}

#[cfg(test)]
mod tests {
    use super::super::tests::check_rest;
    use super::*;

    #[test]
    fn its_total_says_whether_it_changed_something() {
        check_rest(is_at_rest, 0, "    Grand total     155     -     -     155\n", true);
        check_rest(is_at_rest, 0, "    Grand total     155     3     -     152\n", false);
        check_rest(is_at_rest, 0, "    Grand total     155     -     1     154\n", false);
        check_rest(is_at_rest, 1, "    Grand total     155     -     -     155\n", false);
        check_rest(is_at_rest, 0, "", false);
    }
}
