use clap::Args;
use wb_core::chain::nearest;
use wb_core::change::Manifest;
use wb_core::herd::{Herd, is_name};

use super::change::{Options, Wish};
use crate::commands::judge;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::herd_file::{EditError, with_name};
use crate::known::Known;
use crate::members::renaming;
use crate::shell::Shell;

/// Call a host by another name
///
/// A signed change, and an edit of herd.toml that is yours to commit. The machine stays who it is: it runs nothing
/// because of this, and takes the name over at its next poll.
#[derive(Debug, Args)]
pub(super) struct Rename {
    /// What it is called now
    old: String,
    /// What it shall be called
    new: String,
    #[command(flatten)]
    options: Options,
}

impl Rename {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let Self { old, new, options } = self;
        if !is_name(&new) {
            return Err(Failure::usage(EditError::Name(new)));
        }
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let herd = fleet.herd().map_err(judge::fleet)?;
        let wish = Wish {
            whom: format!("{old} to {new}"),
            commit: format!("Call {old} {new}"),
            next: &|known| renamed(known, &herd, &old, &new),
            meaning: &|_, _| Vec::new(),
            edit: &|text| if herd.hosts.contains_key(&old) { with_name(text, &old, &new) } else { Ok(text.to_owned()) },
            again: format!("cargo xtask host rename {old} {new}"),
        };
        options.carry_out(&fleet, &wish, shell)
    }
}

fn renamed(known: &Known, herd: &Herd, old: &str, new: &str) -> Result<Manifest, Failure> {
    let hosts = &known.manifest.hosts;
    let (told, written) = (hosts.contains_key(old), herd.hosts.contains_key(old));
    if !told && !written {
        let there = hosts.keys().chain(herd.hosts.keys()).map(String::as_str);
        let meant = nearest(old, there);
        let hint = meant.map(|meant| format!("cargo xtask host rename {meant} {new}"));
        return Err(Failure::usage(super::no_host(old, meant)).hint(hint.unwrap_or("cargo xtask host list".into())));
    }
    // One of both may have the new name already: herd.toml was edited by hand, or the command was cut short.
    if (told && hosts.contains_key(new)) || (written && herd.hosts.contains_key(new)) {
        return Err(Failure::usage(EditError::Taken(new.to_owned())).hint("cargo xtask host list"));
    }
    Ok(renaming(&known.manifest, old, new))
}
