//! Every way in which a chain can be wrong, said in words: what is wrong, and what to do.

use std::fmt;

use super::{CONFLICT, LockError, Sha1, WrongBaseline, nearest, some_of};
use crate::system::quoted as shell_word;

/// A link as messages name it: `` `install_nginx` (a1b2c3d) ``.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// The commit that introduced it; a draft has none.
    pub sha1: Option<Sha1>,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sha1 {
            Some(sha1) => write!(f, "`{}` ({})", self.name, sha1.short()),
            None => write!(f, "`{}` (draft)", self.name),
        }
    }
}

/// One thing that is wrong with a chain. Its [`Display`](fmt::Display) says what; [`Mistake::help`] what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// Links whose commits are on different branches.
    #[error(
        "{link} and {} diverge: neither commit is an ancestor of the other, so the chain has no order",
        list(others)
    )]
    Diverged {
        /// The later one, in the order of the `mod` lines.
        link: Named,
        /// The earlier ones.
        others: Vec<Named>,
        /// The commit of the last of them.
        onto: Option<Sha1>,
    },
    /// One commit introduced several.
    #[error("the commit {} introduces {} migrations: {}", sha1.short(), names.len(), quoted(names))]
    SharedCommit {
        /// The commit.
        sha1: Sha1,
        /// Their names, in the order of the `mod` lines.
        names: Vec<String>,
        /// Those of them that it only brought here, from another place or another history.
        arrived: Vec<String>,
        /// Whether it has no parent.
        is_root: bool,
        /// Where the crate lies in the repository.
        place: String,
    },
    /// A merge commit introduced one.
    #[error("the merge commit {} itself introduces `{name}`: no commit on either side has the file", sha1.short())]
    IntroducedByMerge {
        /// Its name.
        name: String,
        /// The merge.
        sha1: Sha1,
        /// Where the crate lies in the repository.
        place: String,
    },
    /// The file of a landed link is gone.
    #[error("{link} landed, and its file src/chain/{}.rs is gone: the chain would skip it", link.name)]
    Deleted {
        /// The link.
        link: Named,
        /// The commit of this history that has the file.
        seen: Option<Sha1>,
        /// Where the crate lies in the repository.
        place: String,
        /// Whether its `mod` line is gone too.
        unlisted: bool,
    },
    /// A landed link says something else now.
    #[error("{link} {}", edit_of(*edit, &parts(changed, &link.name)))]
    Edited {
        /// The link.
        link: Named,
        /// How it was edited.
        edit: Edit,
        /// What changed: `None` is the code, `Some` an asset. Empty where nobody can say.
        changed: Vec<Option<String>>,
        /// The commit of this history that has the file as it landed.
        seen: Option<Sha1>,
        /// Where the crate lies in the repository.
        place: String,
    },
    /// The `mod` lines have another order than the commits.
    #[error(
        "the `mod` lines of src/chain.rs are not in the order of the commits\n  written:   {}\n  committed: {}",
        list(written),
        list(committed)
    )]
    WrongOrder {
        /// As the `mod` lines have them, without what is right before and after.
        written: Vec<Named>,
        /// As the commits have them.
        committed: Vec<Named>,
    },
    /// No such role.
    #[error("there is no role `{role}`")]
    UnknownRole {
        /// The stem of the file that names it.
        file: String,
        /// What it names.
        role: String,
        /// The roles that there are.
        known: Vec<String>,
    },
    /// A wait for hosts to reach what is no earlier link.
    #[error("{link} waits for hosts to reach `{reached}`, {}", beyond(*place))]
    Reached {
        /// The link that waits.
        link: Named,
        /// What it names.
        reached: String,
        /// Where that stands.
        place: Beyond,
        /// The links that come before it.
        earlier: Vec<String>,
    },
    /// A file in `src/chain` that is not compiled.
    #[error("no `mod` line names {link}, so src/chain/{}.rs is not compiled", link.name)]
    NoModLine {
        /// The link.
        link: Named,
    },
    /// A `mod` line without a file.
    #[error("src/chain.rs names `{name}`, and there is no src/chain/{name}.rs")]
    NoFile {
        /// The name.
        name: String,
    },
    /// A file in `src/chain` without a migration.
    #[error("src/chain/{file}.rs has no migration")]
    NoMigration {
        /// The stem of the file.
        file: String,
    },
    /// A file with more than one.
    #[error("src/chain/{file}.rs has {} migrations: {}", names.len(), quoted(names))]
    SeveralMigrations {
        /// The stem of the file.
        file: String,
        /// The functions.
        names: Vec<String>,
    },
    /// The function is not named as its file.
    #[error("the migration in src/chain/{file}.rs is named `{function}`")]
    NameDiffers {
        /// The stem of the file.
        file: String,
        /// The function.
        function: String,
    },
    /// Several files are not committed.
    #[error("{} migrations are not committed yet: {}; one draft at a time", names.len(), quoted(names))]
    SeveralDrafts {
        /// Their names, in the order of the `mod` lines.
        names: Vec<String>,
    },
    /// A draft stands before a landed link.
    #[error("the draft `{name}` stands before {after}, which landed")]
    DraftNotLast {
        /// The draft.
        name: String,
        /// The last landed link.
        after: Named,
    },
    /// Two commits introduced the same name, neither before the other.
    #[error("{} and {} both introduce `{name}`: a name is never used twice", first.short(), second.short())]
    IntroducedTwice {
        /// The name.
        name: String,
        /// One commit.
        first: Sha1,
        /// The other.
        second: Sha1,
    },
    /// A shallow clone hides who introduced what.
    #[error("this clone is shallow, and nobody can say which commit introduced {}", quoted(names))]
    Shallow {
        /// The links that are not pinned.
        names: Vec<String>,
    },
    /// The lock names another commit than history.
    #[error("chain.lock pins `{name}` to {}, {}", pin.short(), disagreement(*found))]
    PinDisagrees {
        /// The link.
        name: String,
        /// What the lock says.
        pin: Sha1,
        /// What history says.
        found: Option<Sha1>,
        /// Whether the pinned commit is in this history.
        is_known: bool,
        /// Whether the commit that history says introduced others too, as a squash does.
        is_shared: bool,
    },
    /// The lock has another digest than the commit.
    #[error("chain.lock does not say what {link} landed with: its digest is not that of the commit")]
    DigestDisagrees {
        /// The link.
        link: Named,
        /// The commit of this history that has the file as it landed.
        seen: Option<Sha1>,
    },
    /// A `mod` line that may compile something else than the file of its name.
    #[error("the line `mod {name};` of src/chain.rs has the attribute `{attribute}`, which the chain does not follow")]
    Attribute {
        /// The link.
        name: String,
        /// The attribute.
        attribute: String,
    },
    /// A directory where only files of migrations may be.
    #[error("src/chain/{name} is a directory: no digest sees what lies in it")]
    Directory {
        /// Its name.
        name: String,
    },
    /// A migration with a part in another file.
    #[error("`mod {module};` in src/chain/{file}.rs takes code from another file, which no digest sees")]
    OtherFile {
        /// The stem of the file.
        file: String,
        /// The module.
        module: String,
    },
    /// A migration that includes another file.
    #[error("`{macro_name}!` in src/chain/{file}.rs takes in another file, which no digest sees")]
    Included {
        /// The stem of the file.
        file: String,
        /// The macro.
        macro_name: String,
    },
    /// A baseline says wrongly what it stands for.
    #[error("the baseline {link} says wrongly what it replaces: {wrong}")]
    Baseline {
        /// The baseline.
        link: Named,
        /// What is wrong.
        wrong: WrongBaseline,
    },
    /// The file of a link that a baseline stands for is gone, and its `mod` line is not.
    #[error("src/chain.rs names {link}, whose file is gone, as it may be, since a baseline stands for it")]
    StillListed {
        /// The link.
        link: Named,
    },
    /// The lock does not parse.
    #[error("chain.lock can't be read: {error}")]
    Lock {
        /// Where and why.
        error: LockError,
        /// Where the crate lies in the repository.
        place: String,
    },
    /// The repository can't be read.
    #[error("the git repository can't be read: {what}")]
    Repository {
        /// Why.
        what: String,
        /// What to do.
        help: String,
    },
    /// A source file can't be read or parsed.
    #[error("{file} can't be read: {what}")]
    Unreadable {
        /// The file, relative to the crate.
        file: String,
        /// Why.
        what: String,
    },
}

/// How a landed link differs from what it should say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// Nobody says that it is meant.
    Plain,
    /// Its author says that it is amended, and the lock does not.
    Amended,
    /// It is not what the lock says that it was amended to.
    AfterAmendment,
    /// Only the lines of its assets end in another way.
    LineEnds,
}

/// Where a name stands that a link waits for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// Nowhere.
    Nowhere,
    /// It is the link itself.
    Itself,
    /// It comes after the link.
    Later,
}

impl Mistake {
    /// The stem of the file in `src/chain` that the mistake stands in. A mistake of no single link, or of one without a
    /// file, stands at `chain!()`.
    #[must_use]
    pub fn link(&self) -> Option<&str> {
        match self {
            Self::Diverged { link, .. }
            | Self::Edited { link, .. }
            | Self::DigestDisagrees { link, .. }
            | Self::Reached { link, .. }
            | Self::Baseline { link, .. } => Some(&link.name),
            Self::SharedCommit { names, .. } | Self::SeveralDrafts { names } => names.last().map(String::as_str),
            Self::NoMigration { file }
            | Self::SeveralMigrations { file, .. }
            | Self::NameDiffers { file, .. }
            | Self::OtherFile { file, .. }
            | Self::Included { file, .. }
            | Self::UnknownRole { file, .. } => Some(file),
            Self::IntroducedByMerge { name, .. }
            | Self::DraftNotLast { name, .. }
            | Self::IntroducedTwice { name, .. }
            | Self::PinDisagrees { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Whether the compiler says the same by itself.
    #[must_use]
    pub fn is_told_by_compiler(&self) -> bool {
        matches!(self, Self::NoFile { .. } | Self::Unreadable { .. })
    }

    /// What to do, with the command.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Diverged { link, others, onto } => diverged(link, others, *onto),
            Self::SharedCommit { sha1, names, arrived, is_root, place } => match arrived.as_slice() {
                [] => shared(*sha1, names, *is_root, place),
                _ => arrived_unpinned(names, arrived),
            },
            Self::IntroducedByMerge { name, sha1, place } => by_merge(name, *sha1, place),
            Self::Deleted { link, seen, place, unlisted } => deleted(link, *seen, place, *unlisted),
            Self::Edited { link, edit, changed, seen, place } => edited(link, *edit, changed, *seen, place),
            Self::WrongOrder { committed, .. } => {
                let order = lines(committed.iter().map(|link| link.name.as_str()));
                format!("`cargo xtask rechain` writes them in the order of the commits: {order}")
            }
            Self::UnknownRole { role, known, .. } => unknown_role(role, known),
            Self::Reached { reached, place, earlier, .. } => not_reached(reached, *place, earlier),
            Self::NoModLine { link: Named { name, sha1: Some(_) } } => {
                format!("`cargo xtask rechain` adds `mod {name};` to src/chain.rs, in the order of the commits")
            }
            Self::NoModLine { link: Named { name, sha1: None } } => {
                format!(
                    "`cargo xtask rechain` adds `mod {name};` to src/chain.rs below the other `mod` lines; or remove the file"
                )
            }
            Self::NoFile { name } => {
                format!("write it with `cargo xtask new {name} --role ROLE`, or remove the line `mod {name};`")
            }
            Self::NoMigration { file } => format!(
                "write `#[migration(role = \"…\")] fn {file}(host: &Host) -> Result<()>` in it, or move the file out of src/chain"
            ),
            Self::SeveralMigrations { .. } => "give each a file of its own, in a commit of its own".to_owned(),
            Self::NameDiffers { file, function } => {
                format!("name the function `{file}`, or the file src/chain/{function}.rs if it has not landed")
            }
            Self::SeveralDrafts { .. } => "commit each migration in a commit of its own, oldest first".to_owned(),
            Self::DraftNotLast { name, .. } => {
                format!("`cargo xtask rechain` moves the line `mod {name};` of src/chain.rs below all others")
            }
            Self::IntroducedTwice { first, second, name } => twice(name, *first, *second),
            Self::Shallow { .. } => {
                "run `git fetch --unshallow`; in CI, check out with the full history (`fetch-depth: 0`)".to_owned()
            }
            Self::PinDisagrees { name, pin, found, is_known, is_shared } => match found.filter(|_| *is_shared) {
                Some(found) => squashed(*pin, found),
                None => pin_disagrees(name, *pin, *found, *is_known),
            },
            Self::DigestDisagrees { link, seen } => {
                let commit = seen.or(link.sha1).map_or_else(|| "the commit".to_owned(), |sha1| sha1.short());
                format!(
                    "`cargo xtask rechain` writes the digest of {commit}; if the migration was edited, the build then says so"
                )
            }
            Self::Baseline { wrong, .. } => wrong.help(),
            Self::StillListed { link } => {
                format!("remove the line `mod {};` from src/chain.rs", link.name)
            }
            Self::Attribute { name, .. } => format!(
                "write `mod {name};` alone; which hosts run a migration is said by its role, or by `if` in the migration"
            ),
            Self::Directory { name } => format!(
                "keep each migration in one file, src/chain/NAME.rs; move what several share to a module of its own, \
                 src/{name}.rs beside src/chain.rs, and other files below assets/"
            ),
            Self::OtherFile { module, .. } => format!(
                "write the module in the same file, `mod {module} {{ … }}`, or outside of the chain as src/{module}.rs"
            ),
            Self::Included { .. } => {
                "move the file below assets/, and name it with `asset!(\"…\")` or `template!(\"…\")`".to_owned()
            }
            Self::Lock { place, .. } => format!(
                "if a merge or a rebase left its marks in it, `cargo xtask rechain` takes both sides; \
                 else restore it with `git checkout HEAD -- {}`",
                in_repository(place, "chain.lock")
            ),
            Self::Repository { help, .. } => help.clone(),
            Self::Unreadable { file, what } if what.ends_with(CONFLICT) => match file.as_str() {
                "src/chain.rs" => "`cargo xtask rechain` takes both sides".to_owned(),
                _ => "resolve the conflict in it, then run `cargo xtask check` again".to_owned(),
            },
            Self::Unreadable { .. } => "correct the file, then run `cargo xtask check` again".to_owned(),
        }
    }

    /// What kind of mistake it is, in a word for programs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Diverged { .. } => "diverged",
            Self::SharedCommit { .. } => "shared_commit",
            Self::IntroducedByMerge { .. } => "introduced_by_merge",
            Self::Deleted { .. } => "deleted",
            Self::Edited { .. } => "edited",
            Self::WrongOrder { .. } => "wrong_order",
            Self::UnknownRole { .. } => "unknown_role",
            Self::Reached { .. } => "reached",
            Self::NoModLine { .. } => "no_mod_line",
            Self::NoFile { .. } => "no_file",
            Self::NoMigration { .. } => "no_migration",
            Self::SeveralMigrations { .. } => "several_migrations",
            Self::NameDiffers { .. } => "name_differs",
            Self::SeveralDrafts { .. } => "several_drafts",
            Self::DraftNotLast { .. } => "draft_not_last",
            Self::IntroducedTwice { .. } => "introduced_twice",
            Self::Shallow { .. } => "shallow",
            Self::PinDisagrees { .. } => "pin_disagrees",
            Self::DigestDisagrees { .. } => "digest_disagrees",
            Self::Attribute { .. } => "attribute",
            Self::Directory { .. } => "directory",
            Self::OtherFile { .. } => "other_file",
            Self::Included { .. } => "included",
            Self::Baseline { .. } => "baseline",
            Self::StillListed { .. } => "still_listed",
            Self::Lock { .. } => "lock",
            Self::Repository { .. } => "repository",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// The file that it is about, relative to the crate.
    #[must_use]
    pub fn file(&self) -> String {
        match self {
            Self::Unreadable { file, .. } => file.clone(),
            Self::Deleted { link, .. } | Self::NoModLine { link } => format!("src/chain/{}.rs", link.name),
            Self::Directory { name } => format!("src/chain/{name}"),
            Self::Lock { .. } | Self::PinDisagrees { .. } | Self::DigestDisagrees { .. } => "chain.lock".to_owned(),
            other => other.link().map_or_else(|| "src/chain.rs".to_owned(), |name| format!("src/chain/{name}.rs")),
        }
    }

    /// The mistake and what to do: the text that the compiler shows.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{self}\nhelp: {}", self.help())
    }
}

fn diverged(link: &Named, others: &[Named], onto: Option<Sha1>) -> String {
    let Some(other) = others.last() else { return String::new() };
    let sha1 = onto.or(other.sha1).map_or_else(|| "BRANCH".to_owned(), |sha1| sha1.short());
    format!(
        "`git rebase {sha1}` puts `{}` after `{}`; where it stops at src/chain.rs or chain.lock: `cargo xtask rechain`, \
         `git add --update`, `git rebase --continue`; and at its end `cargo xtask rechain`",
        link.name, other.name
    )
}

fn shared(sha1: Sha1, names: &[String], is_root: bool, place: &str) -> String {
    let sha1 = sha1.short();
    let base = if is_root { "--root".to_owned() } else { format!("{sha1}^") };
    let files: Vec<String> = names.iter().skip(1).map(|name| file_of(place, name)).collect();
    let commits = names.iter().skip(1).map(|name| {
        format!("`git add {}` and `git commit --message 'Add the migration {name}'`", file_of(place, name))
    });
    format!(
        "split the commit: `git rebase --interactive {base}`, and write edit in place of pick before {sha1}; where it \
         stops, `git rm --cached {}` and `git commit --amend --no-edit`, then {}; then `git rebase --continue`",
        files.join(" "),
        commits.collect::<Vec<_>>().join(", then ")
    )
}

/// Of the links of one commit some are pinned in another history or at another place, and one is not.
fn arrived_unpinned(names: &[String], arrived: &[String]) -> String {
    let others: Vec<String> = names.iter().filter(|name| !arrived.contains(name)).cloned().collect();
    format!(
        "{} came with migrations that are pinned elsewhere, and chain.lock does not pin it: if it landed there too, \
         `cargo xtask rechain --newest` there, and come again with that chain.lock; if it is new, give it a commit of its own",
        quoted(&others)
    )
}

fn twice(name: &str, first: Sha1, second: Sha1) -> String {
    let (first, second) = (first.short(), second.short());
    format!(
        "keep one of the two: `git rebase {first}`, and where it stops at {second}, `git rebase --skip`; \
         to keep both, give `{name}` another name in {second} before that"
    )
}

fn pin_disagrees(name: &str, pin: Sha1, found: Option<Sha1>, is_known: bool) -> String {
    let imported = || {
        format!(
            "if this history was squashed, rewritten or moved here, and hosts know `{name}` by {}: \
             `cargo xtask rechain --imported`",
            pin.short()
        )
    };
    match found {
        Some(found) if is_known => format!("`cargo xtask rechain` pins {}", found.short()),
        None if is_known => format!("`cargo xtask rechain` removes the pin; restore `{name}` if it landed"),
        Some(_) => format!("if a rebase moved it before it was deployed: `cargo xtask rechain`; {}", imported()),
        None => format!("if it was never deployed: `cargo xtask rechain` removes the pin; {}", imported()),
    }
}

/// Of migrations that one commit introduces, that commit can be the sha1 of one only.
fn squashed(pin: Sha1, found: Sha1) -> String {
    let (pin, found) = (pin.short(), found.short());
    format!(
        "{found} introduces several migrations, as after a squash or a move: `cargo xtask rechain --imported` keeps {pin} \
         and the other sha1s that hosts know; if no host ran them, split {found}, then `cargo xtask rechain`"
    )
}

fn by_merge(name: &str, sha1: Sha1, place: &str) -> String {
    let (sha1, file) = (sha1.short(), file_of(place, name));
    format!(
        "`git rebase {sha1}^` puts one branch after the other, without the merge; \
         then take the file out of it with `git checkout {sha1} -- {file}`, its `mod` line comes with `cargo xtask rechain`, \
         and commit both by themselves"
    )
}

fn deleted(link: &Named, seen: Option<Sha1>, place: &str, unlisted: bool) -> String {
    let file = file_of(place, &link.name);
    let restore = match seen {
        Some(sha1) => format!("restore it with `git checkout {} -- {file}`", sha1.short()),
        None => format!("restore {file}"),
    };
    let line = if unlisted { ", and its `mod` line with `cargo xtask rechain`" } else { "" };
    let renamed = seen
        .map(|sha1| format!("; if it was renamed, move the file back, or, where a commit renamed it, drop that: `git rebase --interactive {}`", sha1.short()));
    format!("{restore}{line}{}", renamed.unwrap_or_default())
}

fn edited(link: &Named, edit: Edit, changed: &[Option<String>], seen: Option<Sha1>, place: &str) -> String {
    let file = |part: &Option<String>| match part {
        Some(asset) => in_repository(place, &format!("assets/{asset}")),
        None => file_of(place, &link.name),
    };
    let files = match changed {
        [] => file(&None),
        changed => changed.iter().map(file).collect::<Vec<_>>().join(" "),
    };
    let sha1 = seen.or(link.sha1).map_or_else(|| "COMMIT".to_owned(), |sha1| sha1.short());
    let directories: Vec<String> =
        changed.iter().filter(|part| part.as_ref().is_some_and(|asset| asset.ends_with('/'))).map(file).collect();
    let checkout = match directories.as_slice() {
        [] => format!("`git checkout {sha1} -- {files}`"),
        // A checkout takes no file away that was added to a directory.
        directories => format!(
            "`git restore --source={sha1} --staged --worktree -- {files}` and `git clean --quiet --force -- {}`",
            directories.join(" ")
        ),
    };
    let name = &link.name;
    match edit {
        Edit::Plain => format!(
            "take the edit back with {checkout}, and write it as a new migration: `cargo xtask new NAME --role ROLE`; \
             or, if it is for hosts that have not completed `{name}`, keep it: `cargo xtask amend {name} --why \"…\"`"
        ),
        Edit::Amended | Edit::AfterAmendment => format!(
            "`cargo xtask amend {name}` shows the edit, and writes down what the migration says now; hosts that completed it \
             never see that"
        ),
        Edit::LineEnds => format!(
            "write `* text=auto eol=lf` into .gitattributes at the top of the repository, \
             and check the files out again: `git rm --cached --quiet {files}`, {checkout}"
        ),
    }
}

fn edit_of(edit: Edit, parts: &str) -> String {
    match edit {
        Edit::Plain => {
            format!("was edited after it landed ({parts}): hosts that completed it never see the edit")
        }
        Edit::Amended => format!("is marked as amended, and chain.lock does not say to what ({parts})"),
        Edit::AfterAmendment => "was edited after its last amendment: chain.lock says otherwise".to_owned(),
        Edit::LineEnds => format!("has lines that end in CR LF, and landed with LF ({parts})"),
    }
}

fn file_of(place: &str, name: &str) -> String {
    in_repository(place, &format!("src/chain/{name}.rs"))
}

fn unknown_role(role: &str, known: &[String]) -> String {
    if known.is_empty() {
        return "src/roles.rs has no role yet; write `#[role(max_out = 1)] pub struct …;` there".to_owned();
    }
    let meant = nearest(role, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`? "));
    format!("{}the roles of src/roles.rs are {}", meant.unwrap_or_default(), quoted(known))
}

fn beyond(place: Beyond) -> &'static str {
    match place {
        Beyond::Nowhere => "which is no migration of the chain",
        Beyond::Itself => "which is itself",
        Beyond::Later => "which comes after it: a migration waits for earlier ones only",
    }
}

fn not_reached(reached: &str, place: Beyond, earlier: &[String]) -> String {
    let meant = nearest(reached, earlier.iter().map(String::as_str)).filter(|_| place == Beyond::Nowhere);
    let meant = meant.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    match earlier {
        [] => "leave the wait out: nothing comes before this migration".to_owned(),
        _ => format!(
            "{meant}name a migration that comes before this one, or leave `reached(…)` out to wait for the one right before"
        ),
    }
}

fn disagreement(found: Option<Sha1>) -> String {
    match found {
        Some(found) => format!("and history says that {} introduced it", found.short()),
        None => "and that commit is not in this history".to_owned(),
    }
}

/// A file of the crate at `place`, as git and a shell take it from anywhere in the repository.
#[must_use]
pub fn in_repository(place: &str, file: &str) -> String {
    let path = if place.is_empty() { format!(":/{file}") } else { format!(":/{place}/{file}") };
    shell_word(&path)
}

fn parts(changed: &[Option<String>], name: &str) -> String {
    let file = |part: &Option<String>| match part {
        Some(asset) => format!("assets/{asset}"),
        None => format!("src/chain/{name}.rs"),
    };
    match changed {
        [] => "its code or an asset of it".to_owned(),
        changed => changed.iter().map(file).collect::<Vec<_>>().join(", "),
    }
}

fn lines<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`mod {name};`")).collect::<Vec<_>>().join(" ")
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    some_of(&names)
}

fn list(links: &[Named]) -> String {
    let links: Vec<String> = links.iter().map(Named::to_string).collect();
    some_of(&links)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, n: u8) -> Named {
        Named { name: name.into(), sha1: (n > 0).then(|| sha1(n)) }
    }

    fn sha1(n: u8) -> Sha1 {
        Sha1::from_bytes([n; 20])
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn one_of_each_kind() -> Vec<Mistake> {
        let (name, place) = (|| "install_nginx".to_owned(), || "fleet".to_owned());
        vec![
            Mistake::Diverged {
                link: named("add_queue", 3),
                others: vec![named("add_cache", 1), named("tune_cache", 2)],
                onto: Some(sha1(2)),
            },
            shared_commit(&[], false),
            shared_commit(&[], true),
            shared_commit(&["add_cache"], false),
            Mistake::IntroducedByMerge { name: name(), sha1: sha1(1), place: place() },
            deleted(Some(sha1(1)), &place(), true),
            deleted(Some(sha1(2)), "", false),
            deleted(None, "", false),
            edited(Edit::Plain, &[None, Some("nginx.conf")], &place()),
            edited(Edit::Plain, &[], ""),
            edited(Edit::Amended, &[None], ""),
            edited(Edit::AfterAmendment, &[None], ""),
            edited(Edit::LineEnds, &[Some("nginx.conf"), Some("mime.types")], &place()),
            Mistake::WrongOrder {
                written: vec![named("add_queue", 2), named("add_cache", 1)],
                committed: vec![named("add_cache", 1), named("add_queue", 2)],
            },
            Mistake::UnknownRole { file: name(), role: "databse".into(), known: names(&["database", "web"]) },
            Mistake::UnknownRole { file: name(), role: "web".into(), known: vec![] },
            not_reached("instal_postgres", Beyond::Nowhere, &["base_packages", "install_postgres"]),
            not_reached("tune_postgres", Beyond::Later, &["base_packages", "install_postgres"]),
            not_reached("install_nginx", Beyond::Itself, &[]),
            Mistake::NoModLine { link: named("install_nginx", 1) },
            Mistake::NoModLine { link: named("install_nginx", 0) },
            Mistake::NoFile { name: name() },
            Mistake::NoMigration { file: name() },
            Mistake::SeveralMigrations { file: name(), names: names(&["install_nginx", "install_haproxy"]) },
            Mistake::NameDiffers { file: name(), function: "install_ngnix".into() },
            Mistake::SeveralDrafts { names: names(&["add_cache", "add_queue"]) },
            Mistake::DraftNotLast { name: name(), after: named("add_queue", 2) },
            Mistake::IntroducedTwice { name: name(), first: sha1(1), second: sha1(2) },
            Mistake::Shallow { names: names(&["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]) },
            Mistake::PinDisagrees {
                name: name(),
                pin: sha1(1),
                found: Some(sha1(2)),
                is_known: true,
                is_shared: false,
            },
            Mistake::PinDisagrees {
                name: name(),
                pin: sha1(1),
                found: Some(sha1(2)),
                is_known: false,
                is_shared: false,
            },
            Mistake::PinDisagrees { name: name(), pin: sha1(1), found: None, is_known: true, is_shared: false },
            Mistake::PinDisagrees { name: name(), pin: sha1(1), found: None, is_known: false, is_shared: false },
            Mistake::PinDisagrees {
                name: name(),
                pin: sha1(1),
                found: Some(sha1(2)),
                is_known: false,
                is_shared: true,
            },
            Mistake::DigestDisagrees { link: named("install_nginx", 1), seen: Some(sha1(2)) },
            Mistake::Attribute { name: name(), attribute: "#[cfg(test)]".into() },
            Mistake::Directory { name: "shared".into() },
            Mistake::OtherFile { file: name(), module: "inner".into() },
            Mistake::Included { file: name(), macro_name: "include_str".into() },
            Mistake::Baseline {
                link: named("install_web", 0),
                wrong: WrongBaseline::LeavesOut { from: named("install_nginx", 1), link: named("tune_nginx", 2) },
            },
            Mistake::StillListed { link: named("install_nginx", 1) },
            Mistake::Lock {
                error: LockError { line: 7, column: 1, what: "unknown field `nam`".into() },
                place: place(),
            },
            Mistake::Repository { what: "it is owned by somebody else".into(), help: "chown it".into() },
            Mistake::Unreadable { file: "src/chain/a.rs".into(), what: "line 2, column 9: expected `;`".into() },
            Mistake::Unreadable { file: "src/chain/a.rs".into(), what: format!("line 2, column 1: {CONFLICT}") },
            Mistake::Unreadable { file: "src/chain.rs".into(), what: format!("line 2, column 1: {CONFLICT}") },
        ]
    }

    fn not_reached(reached: &str, place: Beyond, earlier: &[&str]) -> Mistake {
        Mistake::Reached { link: named("install_nginx", 3), reached: reached.into(), place, earlier: names(earlier) }
    }

    fn shared_commit(arrived: &[&str], is_root: bool) -> Mistake {
        let (names, arrived) = (names(&["add_cache", "add_queue"]), names(arrived));
        Mistake::SharedCommit { sha1: sha1(1), names, arrived, is_root, place: String::new() }
    }

    fn deleted(seen: Option<Sha1>, place: &str, unlisted: bool) -> Mistake {
        Mistake::Deleted { link: named("install_nginx", 1), seen, place: place.into(), unlisted }
    }

    fn edited(edit: Edit, changed: &[Option<&str>], place: &str) -> Mistake {
        let changed = changed.iter().map(|part| part.map(str::to_owned)).collect();
        Mistake::Edited { link: named("install_nginx", 1), edit, changed, seen: Some(sha1(1)), place: place.into() }
    }

    #[test]
    fn every_mistake_says_what_is_wrong_and_what_to_do() {
        let texts: Vec<String> = one_of_each_kind().iter().map(Mistake::text).collect();
        insta::assert_snapshot!(texts.join("\n\n"));
    }

    #[test]
    fn a_place_is_one_word_of_a_shell() {
        let check = |place: &str, expect: &str| assert_eq!(in_repository(place, "chain.lock"), expect);
        check("", ":/chain.lock");
        check("fleets/one", ":/fleets/one/chain.lock");
        check("my fleet", "':/my fleet/chain.lock'");
        check("it's", r"':/it'\''s/chain.lock'");
        let help = edited(Edit::Plain, &[None], "my fleet").help();
        assert!(help.contains("-- ':/my fleet/src/chain/install_nginx.rs'`"), "{help}");
    }

    #[test]
    fn the_compiler_has_the_whole_text_in_two_parts() {
        for mistake in one_of_each_kind() {
            let text = mistake.text();
            assert_eq!(text.matches("\nhelp: ").count(), 1, "{text}");
            assert!(!text.ends_with(['.', ' ', '\n']), "{text}");
        }
    }
}
