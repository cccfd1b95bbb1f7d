use std::collections::BTreeSet;
use std::path::Path;

use clap::Args;
use wb_core::chain::{Link, Lock, Mistake, Sha1, Unmerged, in_repository};
use wb_core::registry::{Resolved, resolve, resolve_as};
use wb_core::system::files;

use super::judge;
use crate::chain_file::with_module;
use crate::diff;
use crate::failure::{Ended, Failure, NO};
use crate::fleet::Fleet;
use crate::git::{Merged, UnderWay, WorkTree, commit_line, path_in};
use crate::operator::{Operator, OperatorError};
use crate::rechain::conflict::{ConflictError, Text};
use crate::rechain::order::in_order;
use crate::rechain::{
    Moved, Squash, Upto, foreign_pins, importing, moved_pins, relocked, squashes, with_lost, without_lost,
};
use crate::shell::Shell;

/// Write order and pins anew, as history says
///
/// For the time after a rebase, and for the conflict in the middle of one: where git left the marks of two sides in
/// src/chain.rs or chain.lock, both are taken. The `mod` lines get the order of the commits, with the comments above
/// them, and pins name the commits that introduced their migrations. What is wrong with the chain itself is not written
/// away, but told: two branches that diverge are first to be rebased.
///
/// A pin moves to another commit only if no host can know the migration by the old one: it was never deployed, says the
/// remote. Where it can't be asked, or where there is no remote and the old commit was not made in this repository,
/// --force says so.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Rechain {
    /// Keep the sha1s of another history: after a squash, a rewrite, or a move to another repository
    #[arg(long)]
    imported: bool,
    /// Don't ask
    #[arg(long, requires = "imported")]
    yes: bool,
    /// Pin the newest migration too, before history is squashed or moves to another repository
    #[arg(long)]
    newest: bool,
    /// Move pins though the remote can't say what was deployed
    #[arg(long)]
    force: bool,
    /// Write nothing, and end with 1 if there is something to write
    #[arg(long, visible_alias = "check")]
    dry_run: bool,
}

const CHAIN: &str = "src/chain.rs";

const EXIT_CODES: &str = "\
Exit codes:
  0  the two files are as they should be, and the chain holds
  1  the chain has mistakes that this can't mend; or --dry-run, and there is something to write
  2  wrong usage
  3  a file, git or the remote failed";

/// The two files as they are, and how they should be.
struct Proposal {
    chain: (String, String),
    lock: (Option<String>, String),
    /// What is still wrong then.
    mistakes: Vec<Mistake>,
    /// What was wrong before.
    before: Vec<Mistake>,
    has_draft: bool,
    /// Where the crate lies in the repository.
    place: String,
}

impl Proposal {
    /// Whether it mends something, and brings nothing wrong to light but of files that something was wrong with.
    fn mends(&self, lasting: &[Mistake]) -> bool {
        let is_new = |mistake: &&Mistake| !self.before.contains(mistake);
        let about = |one: &Mistake, other: &Mistake| {
            one.file() == other.file() || one.link().is_some_and(|link| other.link() == Some(link))
        };
        lasting.is_empty()
            || self.before.iter().any(|mistake| !self.mistakes.contains(mistake))
                && lasting.iter().filter(is_new).all(|new| self.before.iter().any(|old| about(old, new)))
    }

    /// The command that commits what was written, where that differs from what is committed. The `mod` line of a draft
    /// goes with the draft.
    fn commit(&self, written: &[&str], dirty: &[String]) -> Option<String> {
        let files = written.iter().filter(|file| !(self.has_draft && **file == CHAIN));
        let files = files.map(|file| path_in(&self.place, file));
        let files: Vec<String> = files.filter(|path| dirty.contains(path)).collect();
        (!files.is_empty()).then(|| commit_line(&files, "Write the chain anew"))
    }
}

impl Rechain {
    pub(super) fn run(self, shell: &Shell) -> Ended {
        let fleet = Fleet::current().map_err(judge::fleet)?;
        let tree = fleet.work_tree()?;
        let under_way = tree.under_way()?;
        if under_way == Some(UnderWay::Merge) {
            refuse_two_sides(&tree.merged(&fleet.crate_dir)?)?;
        }
        let proposal = self.propose(&fleet, under_way, shell)?;
        let lasting = lasting(&proposal.mistakes, under_way);
        if under_way.is_none() && !proposal.mends(&lasting) {
            shell.note("nothing was written: that would mend nothing");
            return Err(judge::all_mistakes(&lasting));
        }
        let written = self.write(&fleet, &proposal, shell)?;
        if self.dry_run {
            judge::mistakes(&lasting)?;
            return Ok(if written.is_empty() { 0.into() } else { NO.into() });
        }
        let commit = proposal.commit(&written, &tree.dirty()?);
        if !lasting.is_empty() {
            commit.into_iter().for_each(|commit| shell.note(format_args!("commit what was written first: {commit}")));
            return Err(judge::all_mistakes(&lasting));
        }
        shell.print(next(under_way, &written, commit, proposal.has_draft));
        Ok(0.into())
    }

    fn propose(&self, fleet: &Fleet, under_way: Option<UnderWay>, shell: &Shell) -> Result<Proposal, Failure> {
        let dir = &fleet.crate_dir;
        let chain_text = files::read_text(dir.join("src/chain.rs"))?;
        let lock_text = files::read_optional(dir.join("chain.lock"))?;
        let lock_text = lock_text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let (chain, lock) = both_sides(dir, &chain_text, lock_text.as_deref())?;
        let before = resolve_as(dir, &chain, &lock)?.mistakes;
        let lock = self.with_imports(dir, &chain, lock, shell)?;
        let (chain, resolved) = complete(dir, chain, &lock)?;
        judge::mistakes(&without_order(&resolved.mistakes))?;
        let moved = moved_pins(&resolved);
        refuse_squashed(&squashes(&resolved, &moved))?;
        let is_merging = under_way == Some(UnderWay::Merge);
        self.refuse_known(fleet, &still_here(&moved, is_merging), shell)?;
        let (chain, resolved) = complete(dir, chain, &without_lost(&lock, &moved))?;
        let new_chain = ordered(&chain, &resolved);
        let settled = relocked(&resolved, if self.newest { Upto::Newest } else { Upto::LastPin });
        let found = resolve_as(dir, &new_chain, &settled)?;
        let new_lock = if is_merging { with_lost(settled, &lock, &moved) } else { settled };
        let has_none = lock_text.is_none() && new_lock.pins.is_empty();
        Ok(Proposal {
            chain: (chain_text, new_chain),
            lock: (lock_text, if has_none { String::new() } else { new_lock.to_string() }),
            mistakes: found.mistakes,
            before,
            place: found.written.place,
            has_draft: found.links.last().is_some_and(Link::is_draft),
        })
    }

    /// The lock with the pins of another history marked, if that is what was asked for.
    fn with_imports(&self, crate_dir: &Path, chain: &str, lock: Lock, shell: &Shell) -> Result<Lock, Failure> {
        if !self.imported {
            return Ok(lock);
        }
        let foreign = foreign_pins(&resolve_as(crate_dir, chain, &lock)?);
        if foreign.is_empty() {
            return Ok(lock);
        }
        for Moved { name, from, to } in &foreign {
            let here =
                to.map_or_else(|| "not in this history".to_owned(), |to| format!("in this history {}", to.short()));
            shell.print(format_args!("`{name}` ({}), {here}", from.short()));
        }
        if !self.yes && !self.dry_run {
            match shell.confirm("hosts know these migrations by the first sha1: keep it?") {
                Some(true) => {}
                Some(false) => return Err(Failure::refused("nothing was written")),
                None => {
                    let what = "there is no terminal to ask at whether these sha1s shall stay";
                    return Err(Failure::usage(what).hint("cargo xtask rechain --imported --yes"));
                }
            }
        }
        Ok(importing(&lock, &foreign))
    }

    /// Refuses to move a pin that a host may know.
    fn refuse_known(&self, fleet: &Fleet, moved: &[Moved], shell: &Shell) -> Result<(), Failure> {
        if moved.is_empty() || self.force {
            return Ok(());
        }
        let Some(log) = Log::of(fleet).map_err(|failure| failure.hint("cargo xtask rechain --force"))? else {
            return refuse_strange(&fleet.work_tree()?, moved, shell);
        };
        let known: Vec<&Moved> = moved.iter().filter(|moved| log.sha1s.contains(&moved.from)).collect();
        if known.is_empty() {
            moved.iter().for_each(|moved| shell.note(told(moved, &log)));
            return Ok(());
        }
        Err(Failure::all(known.into_iter().map(|Moved { name, from, .. }| {
            let what = format!("`{name}` was deployed as {}: hosts know it by that sha1", from.short());
            Failure::refused(what).hint("cargo xtask rechain --imported")
        })))
    }

    /// Shows what changes, and writes it. The files that do.
    fn write(&self, fleet: &Fleet, proposal: &Proposal, shell: &Shell) -> Result<Vec<&'static str>, Failure> {
        let Proposal { chain: (chain, new_chain), lock: (lock, new_lock), .. } = proposal;
        let both = [(CHAIN, Some(chain.as_str()), new_chain), ("chain.lock", lock.as_deref(), new_lock)];
        let mut written = Vec::new();
        for (file, old, new) in both {
            let Some(diff) = diff::unified(file, old, new) else { continue };
            shell.print_diff(&diff);
            written.push(file);
            if !self.dry_run {
                let path = fleet.crate_dir.join(file);
                files::write(&path, new, 0o644)?;
                shell.done("wrote", path.display());
            }
        }
        Ok(written)
    }
}

/// Refuses to pin one commit for several migrations: no lock can.
fn refuse_squashed(squashes: &[Squash]) -> Result<(), Failure> {
    if squashes.is_empty() {
        return Ok(());
    }
    Err(Failure::all(squashes.iter().map(|Squash { sha1, names }| {
        let (short, names) = (sha1.short(), names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>());
        let what = format!(
            "pins of {} would all move to {short}, which looks like a squash; one commit is the sha1 of one migration \
             only, so nothing was written",
            names.join(", ")
        );
        let split =
            format!("if no host ran them, split {short} with `git rebase --interactive`, then `cargo xtask rechain`");
        Failure::refused(what).hint("cargo xtask rechain --imported").hint(split)
    })))
}

/// Both files without the marks of a conflict.
fn both_sides(crate_dir: &Path, chain: &str, lock: Option<&str>) -> Result<(String, Lock), Failure> {
    let lock = Text::parse(lock.unwrap_or_default());
    let lock = if lock == Text::parse("") { Ok(Lock::default()) } else { lock.lock() };
    let lock = lock.map_err(|error| unreadable(crate_dir, error))?;
    Ok((Text::parse(chain).chain(), lock))
}

/// A `chain.lock` of which nothing can be made, with the command that restores it.
fn unreadable(crate_dir: &Path, error: ConflictError) -> Failure {
    let place = match resolve(crate_dir) {
        Ok(resolved) => resolved.written.place,
        Err(error) => return error.into(),
    };
    let restore = format!("git checkout HEAD -- {}", in_repository(&place, "chain.lock"));
    match error {
        ConflictError::Lock(error) => Failure::refused(Mistake::Lock { error, place }).hint(restore),
        ConflictError::Unmerged(Unmerged::Amended { name }) => {
            let what = format!("chain.lock can't be read: {}", Unmerged::Amended { name: name.clone() });
            Failure::refused(what).hint(format_args!("{restore} && cargo xtask amend {name}"))
        }
        ConflictError::Unmerged(error) => {
            Failure::refused(format_args!("chain.lock can't be read: {error}")).hint(restore)
        }
    }
}

/// The `mod` lines in the order of the links. A text that does not parse has no links, and was told of before.
fn ordered(chain: &str, resolved: &Resolved) -> String {
    let order: Vec<String> = resolved.links.iter().map(|link| link.name.clone()).collect();
    in_order(chain, &order).unwrap_or_else(|_| chain.to_owned())
}

/// The pins that are to move now. In the middle of a merge the commits of the other side are not lost, but to come.
fn still_here(moved: &[Moved], is_merging: bool) -> Vec<Moved> {
    moved.iter().filter(|moved| moved.to.is_some() || !is_merging).cloned().collect()
}

/// The text with `mod` lines for all files, and the verdict on it.
fn complete(crate_dir: &Path, chain: String, lock: &Lock) -> Result<(String, Resolved), Failure> {
    let resolved = resolve_as(crate_dir, &chain, lock)?;
    let missing = resolved.mistakes.iter().filter_map(|mistake| match mistake {
        Mistake::NoModLine { link } => Some(link.name.clone()),
        _ => None,
    });
    let missing: Vec<String> = missing.collect();
    if missing.is_empty() {
        return Ok((chain, resolved));
    }
    let chain = missing.iter().fold(chain, |chain, name| with_module(&chain, name));
    let resolved = resolve_as(crate_dir, &chain, lock)?;
    Ok((chain, resolved))
}

/// Mistakes after which there is no order to write.
fn without_order(mistakes: &[Mistake]) -> Vec<Mistake> {
    let has_no_order = |mistake: &&Mistake| {
        let about_order_file = matches!(mistake, Mistake::Unreadable { file, .. } if file == "src/chain.rs");
        about_order_file
            || matches!(mistake, Mistake::Diverged { .. } | Mistake::Repository { .. } | Mistake::Shallow { .. })
    };
    mistakes.iter().filter(has_no_order).cloned().collect()
}

/// What hosts were told of.
struct Log {
    /// Through which remote.
    url: String,
    /// Whether anything was ever deployed.
    is_empty: bool,
    /// The migrations.
    sha1s: BTreeSet<Sha1>,
}

impl Log {
    /// The log of changes as the remote has it, where there is a remote.
    fn of(fleet: &Fleet) -> Result<Option<Self>, Failure> {
        let operator = match Operator::of(fleet) {
            Err(OperatorError::NoRemote) => return Ok(None),
            operator => operator.map_err(judge::operator)?,
        };
        operator.fetch().map_err(judge::operator)?;
        let newest = operator.newest().map_err(judge::operator)?;
        let links = newest.iter().flat_map(|newest| newest.manifest.chain.links());
        let sha1s = links.map(|link| link.sha1).collect();
        Ok(Some(Self { url: operator.registry().url().to_owned(), is_empty: newest.is_none(), sha1s }))
    }
}

/// Without a remote nothing was deployed from here. But what was made elsewhere may have been.
fn refuse_strange(tree: &WorkTree, moved: &[Moved], shell: &Shell) -> Result<(), Failure> {
    let strange: Vec<&Moved> = moved.iter().filter(|moved| !tree.has_commit(moved.from)).collect();
    if !strange.is_empty() {
        return Err(nobody_to_ask(&strange));
    }
    moved.iter().for_each(|moved| shell.note(moved_since(moved, "without a remote nothing was deployed from here")));
    Ok(())
}

fn nobody_to_ask(moved: &[&Moved]) -> Failure {
    let names: Vec<String> =
        moved.iter().map(|Moved { name, from, .. }| format!("`{name}` ({})", from.short())).collect();
    let what = format!(
        "there is no remote to ask, so nobody can say whether a host knows {} by the old sha1; nothing was written",
        names.join(", ")
    );
    let force = "if none was ever deployed, `cargo xtask rechain --force` moves the pins";
    let keep = "if hosts know them, `cargo xtask rechain --imported` keeps the old sha1s";
    Failure::refused(what).hint(force).hint(keep)
}

fn told(moved: &Moved, log: &Log) -> String {
    let why = match log.is_empty {
        true => format!("nothing was ever deployed through {}", log.url),
        false => format!("it was never deployed, says {}", log.url),
    };
    moved_since(moved, &why)
}

fn moved_since(Moved { name, from, to }: &Moved, why: &str) -> String {
    match to {
        Some(to) => format!("`{name}` moved from {} to {}; {why}", from.short(), to.short()),
        None => format!("`{name}` ({}) is not committed any more; {why}", from.short()),
    }
}

/// The mistakes that the next commit does not end by itself: in the middle of a merge or a rebase, migrations of the
/// other side are not in the history of HEAD yet.
fn lasting(mistakes: &[Mistake], under_way: Option<UnderWay>) -> Vec<Mistake> {
    let is_passing = |mistake: &Mistake| {
        matches!(mistake, Mistake::SeveralDrafts { .. } | Mistake::PinDisagrees { found: None, .. })
    };
    mistakes.iter().filter(|mistake| under_way.is_none() || !is_passing(mistake)).cloned().collect()
}

/// What to do now.
fn next(under_way: Option<UnderWay>, written: &[&str], commit: Option<String>, has_draft: bool) -> String {
    match (under_way, commit) {
        (Some(UnderWay::Rebase), _) => "next: git add --update && git rebase --continue".to_owned(),
        (Some(UnderWay::Merge), _) => "next: git add --update && git commit".to_owned(),
        (None, Some(commit)) => format!("next: {commit}"),
        (None, None) if written.is_empty() => "nothing to do".to_owned(),
        (None, None) if has_draft => "next: commit the draft, and src/chain.rs with it".to_owned(),
        (None, None) => "nothing to commit: both files are as they were committed".to_owned(),
    }
}

/// Refuses a merge whose sides both introduce migrations: no order that could be written would be one of commits.
fn refuse_two_sides(merged: &Merged) -> Result<(), Failure> {
    if merged.ours.is_empty() || merged.theirs.is_empty() {
        return Ok(());
    }
    let quoted = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let what = format!(
        "both sides of the merge introduce migrations, {} here and {} in {}: they diverge, and the chain has no order; \
         nothing was written",
        quoted(&merged.ours),
        quoted(&merged.theirs),
        merged.other.short()
    );
    let rebase = format!(
        "then `git rebase {}`; where it stops at src/chain.rs or chain.lock: `cargo xtask rechain`, `git add --update`, \
         `git rebase --continue`; and at its end `cargo xtask rechain`",
        merged.other.short()
    );
    Err(Failure::refused(what).hint("git merge --abort").hint(rebase))
}
