use std::path::PathBuf;

use clap::Args;
use wb_core::chain::{Link, Mistake, nearest};
use wb_core::registry::{Resolved, resolve_strictly};
use wb_core::system::{files, quoted};

use super::judge;
use crate::amendment::{self, AmendError};
use crate::diff;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::git::{commit_line, path_in};
use crate::rechain::{Upto, relocked};
use crate::shell::Shell;

/// Keep an edit of a landed migration, for hosts that have not completed it
///
/// Hosts that completed it never see the edit; those that have not run the migration as it is now, and those that failed
/// at it try it again with the next deploy. Edit the file first: this writes why into its attribute, `amended = "…"`, and
/// the digest of what it says now into chain.lock. What all hosts need goes into a new migration instead.
#[derive(Debug, Args)]
pub(super) struct Amend {
    /// The migration
    name: String,
    /// Why it is edited; else what the attribute says already
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
}

impl Amend {
    pub(super) fn run(self, shell: &Shell) -> Result<(), Failure> {
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let before = resolve_strictly(&fleet.crate_dir)?;
        let link = self.landed(&before)?;
        judge::mistakes(&others(&before.mistakes))?;
        let is_amended = before.lock.by_name().get(self.name.as_str()).is_some_and(|pin| pin.amended.is_some());
        let is_edited = before.mistakes.iter().any(|mistake| is_edit(mistake, &self.name));
        if !is_edited && self.why.is_none() && !is_amended {
            return Err(self.not_edited(&fleet, &link));
        }
        if is_edited || self.why.is_some() {
            self.write_reason(&fleet, is_edited || is_amended, &link)?;
        }
        self.write_lock(&fleet, &link, shell)
    }

    /// The link, which must have landed.
    fn landed(&self, resolved: &Resolved) -> Result<Link, Failure> {
        match resolved.links.iter().find(|link| link.name == self.name) {
            Some(link) if link.is_draft() => {
                Err(Failure::usage(format_args!("{link} has not landed: just edit it")).hint("cargo xtask check"))
            }
            Some(link) => Ok(link.clone()),
            None => {
                let landed = resolved.links.iter().filter(|link| !link.is_draft()).map(|link| link.name.as_str());
                let meant = nearest(&self.name, landed);
                let hint = meant.map_or("cargo xtask chain".to_owned(), |name| format!("cargo xtask amend {name}"));
                Err(Failure::usage(format_args!("there is no migration `{}`", self.name)).hint(hint))
            }
        }
    }

    fn not_edited(&self, fleet: &Fleet, link: &Link) -> Failure {
        let what = format!("{link} says what it landed with: there is nothing to amend");
        Failure::usage(what).hint(format_args!("vi {}", quoted(&self.path(fleet).to_string_lossy())))
    }

    fn path(&self, fleet: &Fleet) -> PathBuf {
        fleet.crate_dir.join("src/chain").join(&self.name).with_extension("rs")
    }

    fn write_reason(&self, fleet: &Fleet, is_edited: bool, link: &Link) -> Result<(), Failure> {
        if !is_edited {
            return Err(self.not_edited(fleet, link));
        }
        let path = self.path(fleet);
        let text = files::read_text(&path)?;
        let declared = resolve_strictly(&fleet.crate_dir)?.written.files.remove(&self.name);
        let has_reason = declared.is_some_and(|file| file.migrations.iter().any(|one| one.amended.is_some()));
        let text = match &self.why {
            Some(why) if why.trim().is_empty() => return Err(Failure::usage("--why says nothing")),
            Some(why) => amendment::with_reason(&text, &self.name, why).map_err(|error| judged(&error))?,
            None if has_reason => return Ok(()),
            None => {
                let hint = format!("cargo xtask amend {} --why '…'", self.name);
                return Err(Failure::usage("nobody says why it is amended").hint(hint));
            }
        };
        Ok(files::write(path, text, 0o644)?)
    }

    fn write_lock(&self, fleet: &Fleet, link: &Link, shell: &Shell) -> Result<(), Failure> {
        let now = resolve_strictly(&fleet.crate_dir)?;
        let digest = now.links.iter().find(|now| now.name == self.name).map_or(link.digest, |now| now.digest);
        let lock = amendment::amended(&relocked(&now, Upto::Link(&self.name)), &self.name, digest);
        show(fleet, &now, &self.name, shell)?;
        let path = fleet.crate_dir.join("chain.lock");
        if lock == now.lock {
            shell.print(format_args!("nothing to do: chain.lock says so already of {link}"));
            return Ok(());
        }
        files::write(&path, lock.to_string(), 0o644)?;
        shell.done("wrote", path.display());
        match lock.by_name().get(self.name.as_str()).is_some_and(|pin| pin.amended.is_some()) {
            true => shell.note(format_args!(
                "hosts that completed {link} never see this; those that have not run it as it is now, and those that \
                 failed at it try again with the next deploy"
            )),
            false => shell.note(format_args!("{link} says again what it landed with, and counts as amended no more")),
        }
        let message = format!("Amend the migration {}", self.name);
        match to_commit(fleet, &now, &self.name)?.as_slice() {
            [] => shell.print("nothing to commit: all is as it was committed"),
            files => shell.print(format_args!("next: {} && cargo xtask deploy", commit_line(files, &message))),
        }
        Ok(())
    }
}

/// The files of an amendment that differ from what is committed: a draft beside them is none of it.
fn to_commit(fleet: &Fleet, resolved: &Resolved, name: &str) -> Result<Vec<String>, Failure> {
    let dirty = fleet.work_tree()?.dirty()?;
    let files = files_of(resolved, name).into_iter().chain(["chain.lock".to_owned()]);
    let mut files: Vec<String> =
        files.map(|file| path_in(&resolved.written.place, &file)).filter(|file| dirty.contains(file)).collect();
    // What is gone from a directory of assets stands in no list any more.
    let directories = assets_of(resolved, name).filter(|asset| asset.ends_with('/'));
    let directories: Vec<String> =
        directories.map(|directory| path_in(&resolved.written.place, &format!("assets/{directory}"))).collect();
    let is_gone =
        |file: &String| directories.iter().any(|directory| file.starts_with(directory)) && !files.contains(file);
    let gone: Vec<String> = dirty.iter().filter(|file| is_gone(file)).cloned().collect();
    files.extend(gone);
    Ok(files)
}

fn assets_of<'a>(resolved: &'a Resolved, name: &str) -> impl Iterator<Item = &'a String> + use<'a> {
    resolved.written.files.get(name).map(|file| file.content.assets.keys()).into_iter().flatten()
}

/// The file of a migration, and its assets.
fn files_of(resolved: &Resolved, name: &str) -> Vec<String> {
    let assets = assets_of(resolved, name).filter(|asset| !asset.ends_with('/'));
    let assets = assets.map(|asset| format!("assets/{asset}"));
    std::iter::once(format!("src/chain/{name}.rs")).chain(assets).collect()
}

fn is_edit(mistake: &Mistake, name: &str) -> bool {
    matches!(mistake, Mistake::Edited { link, .. } if link.name == name)
}

/// Mistakes that have nothing to do with edits: with those the place of a link is not certain.
fn others(mistakes: &[Mistake]) -> Vec<Mistake> {
    mistakes.iter().filter(|mistake| !matches!(mistake, Mistake::Edited { .. })).cloned().collect()
}

/// Shows how the file and its assets differ from what they were in the commit that introduced them.
fn show(fleet: &Fleet, resolved: &Resolved, name: &str, shell: &Shell) -> Result<(), Failure> {
    let Some(commit) = resolved.landed.get(name).and_then(|landed| landed.seen) else {
        shell.note("what it landed with is not in this history, so there is no difference to show");
        return Ok(());
    };
    let tree = fleet.work_tree()?;
    for file in files_of(resolved, name) {
        let old = tree.content(commit, &path_in(&resolved.written.place, &file));
        let new = files::read_optional(fleet.crate_dir.join(&file))?.unwrap_or_default();
        if let Some(diff) = diff::of_bytes(&file, old.as_deref(), &new) {
            shell.print_diff(&diff);
        }
    }
    Ok(())
}

fn judged(error: &AmendError) -> Failure {
    Failure::refused(error).hint("cargo xtask check")
}
