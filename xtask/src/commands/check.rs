use clap::Args;
use wb_core::chain::Link;
use wb_core::registry::{Resolved, resolve};
use wb_core::system::files;

use super::judge;
use crate::deploy::plan::unknown_roles;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::shell::Shell;

/// Check the chain, strictly
///
/// The order of the migrations against git, their files against what landed, the roles, and the hosts of herd.toml: the
/// same check that every build makes. All mistakes are told at once, each with what to do. Nothing is written.
#[derive(Debug, Args)]
pub(super) struct Check {}

impl Check {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let resolved = resolve(&fleet.crate_dir)?;
        judge::mistakes(&resolved.mistakes)?;
        check_herd(&fleet, &resolved)?;
        shell.print(summary(&resolved.links));
        Ok(())
    }
}

fn check_herd(fleet: &Fleet, resolved: &Resolved) -> Result<(), Failure> {
    let herd = fleet.herd().map_err(judge::fleet)?;
    let text = files::read_text(fleet.herd_path())?;
    let roles = resolved.written.roles.clone().unwrap_or_default();
    match unknown_roles(&herd, &text, &roles) {
        unknown if unknown.is_empty() => Ok(()),
        unknown => Err(judge::refusals(&unknown)),
    }
}

fn summary(links: &[Link]) -> String {
    let mut landed = links.iter().filter(|link| !link.is_draft());
    let count = landed.clone().count();
    let holds = match landed.next_back() {
        None => "the chain is empty".to_owned(),
        Some(tip) if count == 1 => format!("the chain holds: 1 migration, {tip}"),
        Some(tip) => format!("the chain holds: {count} migrations up to {tip}"),
    };
    match links.last().filter(|link| link.is_draft()) {
        None => holds,
        Some(draft) => format!("{holds}; {draft} is not committed yet"),
    }
}

#[cfg(test)]
mod tests {
    use wb_core::chain::{Digest, Sha1};

    use super::*;

    #[test]
    fn the_summary_counts_what_landed() {
        let link = |name: &str, n| Link::new(name, Sha1::from_bytes([n; 20]), "web", Digest::of(b""));
        let check = |links: &[Link], expect: &str| assert_eq!(summary(links), expect);
        check(&[], "the chain is empty");
        check(&[link("a", 1)], "the chain holds: 1 migration, `a` (0101010)");
        let all = [link("a", 1), link("b", 2), link("c", 0)];
        check(&all[..2], "the chain holds: 2 migrations up to `b` (0202020)");
        check(&all, "the chain holds: 2 migrations up to `b` (0202020); `c` (draft) is not committed yet");
        check(&all[2..], "the chain is empty; `c` (draft) is not committed yet");
    }
}
