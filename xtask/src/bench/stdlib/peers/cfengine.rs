//! CFEngine: Debian's, by its agent alone and without its library, whose policies would have to be read each time.

use wb_core::system::Output;

use super::install::Rest;
use super::wanted::{site, wanted};
use super::{BY_MEANING, Peer, said};

const POLICY: &str = include_str!("../../../../templates/bench/peers/mixed.cf");

/// It wants a key for itself.
const KEY: &str = "test -e /var/lib/cfengine3/ppkeys/localhost.priv || cf-key >/dev/null\n\
                   service cfengine3 stop >/dev/null 2>&1 || true";

pub(super) const PEER: Peer = Peer {
    name: "cfengine",
    debs: &["cfengine3"],
    rest: Rest::Nothing,
    afterwards: KEY,
    files,
    version: &["cf-agent", "--version"],
    run: &["cf-agent", "--no-lock", "--inform", "--file", "/srv/peers/cfengine/mixed.cf"],
    is_at_rest,
    manner: BY_MEANING,
};

fn files() -> Vec<(&'static str, String)> {
    vec![
        ("mixed.cf", POLICY.to_owned()),
        ("wanted.json", wanted()),
        ("site.conf.mustache", site("{{site}}", "{{port}}")),
    ]
}

/// It informs of what it changes, and of nothing else; its exit code says nothing.
fn is_at_rest(output: &Output) -> bool {
    let tells = |line: &str| ["info:", "error:"].iter().any(|kind| line.trim_start().starts_with(kind));
    output.code == 0 && !said(output).lines().any(tells)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check_rest;
    use super::*;

    #[test]
    fn it_says_what_it_changes() {
        check_rest(is_at_rest, 0, "", true);
        check_rest(is_at_rest, 0, "    info: Created directory '/srv/wb-bench/1/.'\n", false);
        check_rest(is_at_rest, 0, "   error: Finished command related to promiser\n", false);
        check_rest(is_at_rest, 1, "", false);
    }
}
