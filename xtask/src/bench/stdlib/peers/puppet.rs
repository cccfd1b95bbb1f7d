//! Puppet: Debian's, by `puppet apply`, with the modules of Debian for lines of files and for cron.

use wb_core::system::Output;

use super::install::Rest;
use super::wanted::{site, wanted};
use super::{BY_MEANING, Peer};

const MANIFEST: &str = include_str!("../../../../templates/bench/peers/site.pp");

pub(super) const PEER: Peer = Peer {
    name: "puppet",
    debs: &["puppet-agent", "puppet-module-puppetlabs-cron-core", "puppet-module-puppetlabs-stdlib"],
    rest: Rest::Nothing,
    afterwards: "service puppet stop >/dev/null 2>&1 || true",
    files,
    version: &["puppet", "--version"],
    run: &["puppet", "apply", "--detailed-exitcodes", "--modulepath=/usr/share/puppet/modules", "site.pp"],
    is_at_rest,
    manner: BY_MEANING,
};

fn files() -> Vec<(&'static str, String)> {
    vec![
        ("site.pp", MANIFEST.to_owned()),
        ("wanted.json", wanted()),
        ("site.conf.epp", site("<%= $site %>", "<%= $port %>")),
    ]
}

/// With detailed exit codes, 2 says that something changed.
fn is_at_rest(output: &Output) -> bool {
    output.code == 0
}

#[cfg(test)]
mod tests {
    use super::super::tests::check_rest;
    use super::*;

    #[test]
    fn its_exit_code_says_whether_it_changed_something() {
        check_rest(is_at_rest, 0, "Notice: Applied catalog in 1.20 seconds\n", true);
        check_rest(is_at_rest, 2, "", false);
        check_rest(is_at_rest, 6, "", false);
    }
}
