//! Ansible: Debian's, with the collections that come with it, on the host itself, in one play with loops.

use wb_core::system::Output;

use super::install::Rest;
use super::wanted::{site, wanted};
use super::{BY_MEANING, Peer, said};

const PLAYBOOK: &str = include_str!("../../../../templates/bench/peers/playbook.yml");
const SETTINGS: &str = include_str!("../../../../templates/bench/peers/ansible.cfg");

pub(super) const PEER: Peer = Peer {
    name: "ansible",
    debs: &["ansible", "python3-apt"],
    rest: Rest::Nothing,
    afterwards: "",
    files,
    version: &["ansible-playbook", "--version"],
    run: &["ansible-playbook", "playbook.yml"],
    is_at_rest,
    manner: BY_MEANING,
};

fn files() -> Vec<(&'static str, String)> {
    vec![
        ("playbook.yml", PLAYBOOK.to_owned()),
        ("ansible.cfg", SETTINGS.to_owned()),
        ("wanted.json", wanted()),
        ("site.conf.j2", site("{{ item.user }}", "{{ item.port }}")),
    ]
}

/// Its recap: `localhost : ok=10 changed=0 unreachable=0 failed=0 …`.
fn is_at_rest(output: &Output) -> bool {
    let is_recap = |line: &&str| line.starts_with("localhost ") && line.contains(" ok=");
    let said = said(output);
    let recap = said.lines().rfind(is_recap).unwrap_or_default();
    output.code == 0 && recap.split_whitespace().any(|word| word == "changed=0")
}

#[cfg(test)]
mod tests {
    use super::super::tests::check_rest;
    use super::*;

    #[test]
    fn its_recap_says_whether_it_changed_something() {
        let recap = |changed: u32| format!("PLAY RECAP ***\nlocalhost     : ok=10   changed={changed}    failed=0\n");
        check_rest(is_at_rest, 0, &recap(0), true);
        check_rest(is_at_rest, 0, &recap(3), false);
        check_rest(is_at_rest, 0, &recap(10), false);
        check_rest(is_at_rest, 2, &recap(0), false);
        check_rest(is_at_rest, 0, "", false);
    }
}
