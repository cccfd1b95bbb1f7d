use std::collections::BTreeSet;

use clap::Args;
use wb_core::chain::nearest;

use super::change::{Options, Wish};
use crate::canary::settled;
use crate::commands::judge;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::herd_file::without_host;
use crate::known::Known;
use crate::members::{retiring, waits_for_nobody};
use crate::outlook::waiting_for;
use crate::shell::Shell;

/// Take hosts out of the herd, dead or alive
///
/// A signed change, and an edit of herd.toml that is yours to commit. Nobody waits for a retired host any more, its
/// places in pools are free, and its refs are removed. Its machine, if it lives, stops where it is and undoes nothing;
/// `wildebeest enroll` makes it a new host. The identity never comes back, the name may.
#[derive(Debug, Args)]
pub(super) struct Retire {
    /// The hosts that leave
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    options: Options,
}

impl Retire {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let herd = fleet.herd().map_err(judge::fleet)?;
        let leaving: BTreeSet<String> = self.names.iter().cloned().collect();
        let written: BTreeSet<String> = herd.hosts.into_keys().collect();
        let wish = Wish {
            whom: self.names.join(", "),
            commit: format!("Retire {}", self.names.join(", ")),
            next: &|known| {
                refuse_unknown(&leaving, &written, known)?;
                Ok(retiring(&settled(known, &leaving), &leaving))
            },
            meaning: &|known, after| {
                let untold = untold(&leaving, known);
                [untold, waiting_for(known, &leaving), waits_for_nobody(&known.manifest, after)].concat()
            },
            edit: &|text| leaving.iter().try_fold(text.to_owned(), |text, name| without_host(&text, name)),
            again: format!("cargo xtask host retire {}", self.names.join(" ")),
        };
        self.options.carry_out(&fleet, &wish, shell)
    }
}

fn refuse_unknown(leaving: &BTreeSet<String>, written: &BTreeSet<String>, known: &Known) -> Result<(), Failure> {
    let there: BTreeSet<&String> = written.iter().chain(known.manifest.hosts.keys()).collect();
    let unknown = leaving.iter().filter(|name| !there.contains(name)).map(|name| {
        let meant = nearest(name, there.iter().map(|name| name.as_str()));
        let hint = meant.map_or("cargo xtask host list".to_owned(), |meant| format!("cargo xtask host retire {meant}"));
        Failure::usage(super::no_host(name, meant)).hint(hint)
    });
    let unknown: Vec<Failure> = unknown.collect();
    if unknown.is_empty() { Ok(()) } else { Err(Failure::all(unknown)) }
}

/// Those of whom the herd was told nothing: they stand in herd.toml only.
fn untold(leaving: &BTreeSet<String>, known: &Known) -> Vec<String> {
    let untold = leaving.iter().filter(|name| !known.manifest.hosts.contains_key(*name));
    let line = |name| format!("the herd knows nothing of `{name}`, and is told nothing: only herd.toml changes");
    untold.map(line).collect()
}
