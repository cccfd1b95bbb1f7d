use std::collections::BTreeSet;

use clap::Args;
use wb_core::chain::nearest;
use wb_core::system::quoted;

use super::change::{Options, Wish};
use super::check_roles;
use crate::commands::judge;
use crate::deploy::plan::shut;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::herd_file::with_roles;
use crate::known::Known;
use crate::members::{new_roles_mean, tagging, waits_for_nobody};
use crate::shell::Shell;

/// Give a host roles, or take them from it
///
/// A signed change, and an edit of herd.toml that is yours to commit. A host that gains a role goes back to before that
/// role's first migration and runs these, out of load, up to the tip; nothing runs twice. What a host did for a role that
/// it loses stays as it is.
#[derive(Debug, Args)]
pub(super) struct Tag {
    /// The host
    name: String,
    /// A role that it gets; may be given several times
    #[arg(long, value_name = "ROLE", required_unless_present = "remove")]
    add: Vec<String>,
    /// A role that it loses; may be given several times
    #[arg(long, value_name = "ROLE")]
    remove: Vec<String>,
    #[command(flatten)]
    options: Options,
}

impl Tag {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let roles = self.roles(&fleet)?;
        let Self { name, add, remove, options } = self;
        let changes = add.iter().map(|role| format!("+{role}")).chain(remove.iter().map(|role| format!("-{role}")));
        let whom = format!("{name} {}", changes.collect::<Vec<_>>().join(" "));
        let wish = Wish {
            commit: format!("Tag {whom}"),
            whom,
            // Another operator may have given it roles that are not in this herd.toml: these it keeps.
            next: &|known| {
                let after = tagging(&known.manifest, &name, &with(told(known, &name), &add, &remove));
                match shut(&after, &name) {
                    None => Ok(after),
                    Some(shut) => Err(judge::refusals(&[shut], &line(&name, &add, &remove))),
                }
            },
            meaning: &|known, after| {
                [new_roles_mean(known, after, &name), waits_for_nobody(&known.manifest, after)].concat()
            },
            edit: &|text| with_roles(text, &name, &roles),
            again: line(&name, &add, &remove),
        };
        options.carry_out(&fleet, &wish, shell)
    }

    /// What the host is to be: what herd.toml says, and what the command line says of that.
    fn roles(&self, fleet: &Fleet) -> Result<BTreeSet<String>, Failure> {
        let herd = fleet.herd().map_err(judge::fleet)?;
        let Some(entry) = herd.hosts.get(&self.name) else {
            let meant = nearest(&self.name, herd.hosts.keys().map(String::as_str));
            let hint = meant.map(|meant| line(meant, &self.add, &self.remove));
            let missing = Failure::usage(super::no_host(&self.name, meant));
            return Err(missing.hint(hint.unwrap_or_else(|| "cargo xtask host list".into())));
        };
        let instead = |wrong: &String, meant: &str| {
            let add: Vec<String> =
                self.add.iter().map(|r| if r == wrong { meant.to_owned() } else { r.clone() }).collect();
            line(&self.name, &add, &self.remove)
        };
        for role in &self.add {
            check_roles(fleet, [role], |meant| instead(role, meant))?;
        }
        if let Some(role) = self.remove.iter().find(|role| !entry.roles.contains(*role)) {
            let meant = nearest(role, entry.roles.iter().map(String::as_str));
            let hint = meant.map(|meant| line(&self.name, &self.add, &[meant.to_owned()]));
            let missing = format_args!("the host `{}` has no role `{role}`", self.name).to_string();
            return Err(Failure::usage(missing).hint(hint.unwrap_or_else(|| "cargo xtask host list".into())));
        }
        let both = self.add.iter().find(|role| self.remove.contains(role));
        if let Some(role) = both {
            return Err(Failure::usage(format_args!("the role `{role}` is to be added and removed")));
        }
        Ok(with(&entry.roles, &self.add, &self.remove))
    }
}

/// What the host is, as the herd was told; nothing where it was told of no such host.
fn told<'a>(known: &'a Known, name: &str) -> impl IntoIterator<Item = &'a String> {
    known.manifest.hosts.get(name).into_iter().flat_map(|host| &host.roles)
}

fn with<'a>(roles: impl IntoIterator<Item = &'a String>, add: &'a [String], remove: &[String]) -> BTreeSet<String> {
    let kept = roles.into_iter().filter(|role| !remove.contains(role));
    kept.chain(add).cloned().collect()
}

fn line(name: &str, add: &[String], remove: &[String]) -> String {
    let option = |name: &str, roles: &[String]| -> String {
        roles.iter().map(|role| format!(" --{name} {}", quoted(role))).collect()
    };
    format!("cargo xtask host tag {name}{}{}", option("add", add), option("remove", remove))
}
