use clap::Args;
use wb_core::chain::Link;
use wb_core::registry::Resolved;
use wb_core::system::quoted;

use super::judge;
use crate::chain_file::check_name;
use crate::draft::{self, DraftError, Likeness, Names};
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::shell::Shell;

/// Write a new migration
///
/// A file under src/chain whose body compiles and does nothing, or is that of another migration, its line in
/// src/chain.rs, and in chain.lock the pins of the migrations before it. A name that history has is refused, also when
/// its file is gone. Nothing is committed.
#[derive(Debug, Args)]
pub(super) struct New {
    /// What it does, as the name of a function: install_nginx
    name: String,
    /// Whose hosts run it
    #[arg(long, required_unless_present = "like")]
    role: Option<String>,
    /// Begin with a copy of this migration, for its role where none is given
    #[arg(long, value_name = "MIGRATION")]
    like: Option<String>,
}

impl New {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let fleet = Fleet::current().map_err(judge::fleet)?;
        self.write(&fleet, shell).map_err(|error| judge::draft(error, &fleet, &self.line()))
    }

    /// The command line, for hints that differ in one word.
    fn line(&self) -> String {
        let options = judge::option("role", self.role.as_ref()) + &judge::option("like", self.like.as_ref());
        format!("cargo xtask new {}{options}", quoted(&self.name))
    }

    fn write(&self, fleet: &Fleet, shell: &Shell) -> Result<(), DraftError> {
        check_name(&self.name)?;
        let before = draft::before(fleet)?;
        let names = Names::of(&before)?;
        names.refuse_used(&self.name)?;
        let role = self.role.as_deref();
        let like = |other: &String| draft::like(other, &self.name, role, &before, &names);
        let copy = self.like.as_ref().map(like).transpose()?;
        let (role, text) = match &copy {
            Some(copy) => (copy.role.as_str(), copy.text.clone()),
            None => (role.unwrap_or_default(), draft::blank(&self.name, role.unwrap_or_default())),
        };
        let path = draft::write(fleet, &names, &self.name, role, &text)?;
        shell.done("wrote", path.display());
        warn_of_branch(&names, &self.name, shell);
        copy.iter().for_each(|copy| explain_assets(copy, &before, shell));
        shell.print(format_args!("next: write it, then {}", judge::commit(&self.name)));
        Ok(())
    }
}

/// A branch may be given up, or be another attempt at the same thing: that is for people to know.
pub(super) fn warn_of_branch(names: &Names, name: &str, shell: &Shell) {
    let Some(other) = names.elsewhere(name) else { return };
    let (branch, sha1) = (&other.found_by, other.byline.sha1.short());
    shell.warn(format_args!(
        "the branch `{branch}` has a `{name}` too, which {} added in {sha1}: only one of them can land",
        other.byline.author
    ));
}

/// An asset is part of every link that names it, so a copy begins with the very same.
fn explain_assets(copy: &Likeness, before: &Resolved, shell: &Shell) {
    for asset in &copy.assets {
        let others: Vec<String> =
            before.links.iter().filter(|link| names(before, link, asset)).map(Link::to_string).collect();
        let other = if others.is_empty() { String::new() } else { format!(", a part of {}", others.join(", ")) };
        shell.note(format_args!(
            "it uses assets/{asset}{other}; to say something else there, copy it to another name first, and name that"
        ));
    }
}

fn names(before: &Resolved, link: &Link, asset: &str) -> bool {
    before.written.files.get(&link.name).is_some_and(|source| source.content.assets.contains_key(asset))
}
