use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use wb_core::chain::{Link, Pin, Sha1, Wait};
use wb_core::registry::resolve;

use super::judge;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::shell::Shell;
use crate::table::Table;

/// Show the chain, oldest migration first
///
/// With mistakes in the chain it shows what there is, tells the mistakes, and ends with exit code 1. Nothing is written.
#[derive(Debug, Args)]
pub(super) struct Chain {
    /// Print JSON, with full sha1s
    #[arg(long)]
    json: bool,
}

/// A link in the list.
#[derive(Debug, Serialize)]
struct Listed {
    position: usize,
    sha1: Option<Sha1>,
    name: String,
    role: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait: Option<Wait>,
    state: &'static str,
}

impl Chain {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let resolved = resolve(&fleet.crate_dir)?;
        let pins = resolved.lock.by_name();
        let links = resolved.links.iter().enumerate();
        let listed: Vec<Listed> = links.map(|(index, link)| Listed::of(index + 1, link, &pins)).collect();
        match self.json {
            true => shell.print_json(&listed),
            false => shell.print_text(table(&listed)),
        }
        judge::mistakes(&resolved.mistakes)
    }
}

impl Listed {
    fn of(position: usize, link: &Link, pins: &BTreeMap<&str, &Pin>) -> Self {
        let state = match (link.is_draft(), pins.contains_key(link.name.as_str())) {
            (true, _) => "draft",
            (false, false) => "landed",
            (false, true) => "pinned",
        };
        let sha1 = (!link.is_draft()).then_some(link.sha1);
        Self { position, sha1, name: link.name.clone(), role: link.role.clone(), wait: link.wait.clone(), state }
    }
}

fn table(links: &[Listed]) -> Table {
    let mut table = Table::new(&["#", "sha1", "name", "role", "state"]);
    for link in links {
        table.row([
            link.position.to_string(),
            link.sha1.map_or_else(|| "-".to_owned(), |sha1| sha1.short()),
            link.name.clone(),
            link.role.clone(),
            link.state.to_owned(),
        ]);
    }
    table
}
