//! Every way in which a chain can be wrong, said in words: what is wrong, and what to do.

use std::fmt;

use super::{LockError, Sha1, nearest};

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
        /// All links in an order that a rebase would make.
        order: Vec<String>,
    },
    /// One commit introduced several.
    #[error("the commit {} introduces {} migrations: {}", sha1.short(), names.len(), quoted(names))]
    SharedCommit {
        /// The commit.
        sha1: Sha1,
        /// Their names, in the order of the `mod` lines.
        names: Vec<String>,
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
        /// Where the crate lies in the repository.
        place: String,
        /// Whether its `mod` line is gone too.
        unlisted: bool,
    },
    /// A landed link says something else now.
    #[error("{link} was edited after it landed ({}): hosts that completed it never see the edit", parts(changed, &link.name))]
    Edited {
        /// The link.
        link: Named,
        /// What changed: `None` is the code, `Some` an asset. Empty where nobody can say.
        changed: Vec<Option<String>>,
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
    },
    /// The lock does not parse.
    #[error("chain.lock can't be read: {error}")]
    Lock {
        /// Where and why.
        error: LockError,
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

impl Mistake {
    /// The stem of the file in `src/chain` that the mistake stands in. A mistake of no single link, or of one without a
    /// file, stands at `chain!()`.
    #[must_use]
    pub fn link(&self) -> Option<&str> {
        match self {
            Self::Diverged { link, .. } | Self::Edited { link, .. } => Some(&link.name),
            Self::SharedCommit { names, .. } | Self::SeveralDrafts { names } => names.last().map(String::as_str),
            Self::NoMigration { file }
            | Self::SeveralMigrations { file, .. }
            | Self::NameDiffers { file, .. }
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
            Self::Diverged { link, others, order } => diverged(link, others, order),
            Self::SharedCommit { sha1, .. } => shared(*sha1),
            Self::IntroducedByMerge { name, sha1, place } => by_merge(name, *sha1, place),
            Self::Deleted { link, place, unlisted } => deleted(link, place, *unlisted),
            Self::Edited { link, changed, place } => edited(link, changed, place),
            Self::WrongOrder { committed, .. } => {
                format!(
                    "write them in this order, oldest first: {}",
                    lines(committed.iter().map(|link| link.name.as_str()))
                )
            }
            Self::UnknownRole { role, known, .. } => unknown_role(role, known),
            Self::NoModLine { link: Named { name, sha1: Some(_) } } => {
                format!("add `mod {name};` to src/chain.rs, in the order of the commits")
            }
            Self::NoModLine { link: Named { name, sha1: None } } => {
                format!("add `mod {name};` to src/chain.rs below the other `mod` lines, or remove the file")
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
            Self::DraftNotLast { name, .. } => format!("move the line `mod {name};` of src/chain.rs below all others"),
            Self::IntroducedTwice { first, second, name } => format!(
                "keep one of the two: rebase one branch onto the other (`git rebase {}`), and drop `{name}` from {} or give it another name there",
                first.short(),
                second.short()
            ),
            Self::Shallow { .. } => {
                "run `git fetch --unshallow`; in CI, check out with the full history (`fetch-depth: 0`)".to_owned()
            }
            Self::PinDisagrees { name, pin, .. } => format!(
                "see what became of that commit with `git log -1 {}` and `git log --diff-filter=A -- '*src/chain/{name}.rs'`; \
                 if history was rewritten before any host was there, remove the pin of `{name}` from chain.lock",
                pin.short()
            ),
            Self::Lock { .. } => {
                "restore it with `git checkout HEAD -- chain.lock`, beside the crate's Cargo.toml".to_owned()
            }
            Self::Repository { help, .. } => help.clone(),
            Self::Unreadable { .. } => "correct the file, then run `cargo xtask check` again".to_owned(),
        }
    }

    /// The mistake and what to do: the text that the compiler shows.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{self}\nhelp: {}", self.help())
    }
}

fn diverged(link: &Named, others: &[Named], order: &[String]) -> String {
    let Some(onto) = others.last() else { return String::new() };
    let sha1 = onto.sha1.map_or_else(|| "BRANCH".to_owned(), |sha1| sha1.short());
    let lines = lines(order.iter().map(String::as_str));
    format!(
        "`git rebase {sha1}` puts `{}` after `{}`; the `mod` lines of src/chain.rs are then, in this order: {lines}",
        link.name, onto.name
    )
}

fn shared(sha1: Sha1) -> String {
    let sha1 = sha1.short();
    format!(
        "split the commit, so that each migration has one of its own: `git rebase --interactive {sha1}^`, \
         mark {sha1} with `edit`, then `git reset HEAD^`, commit file by file, and `git rebase --continue`"
    )
}

fn by_merge(name: &str, sha1: Sha1, place: &str) -> String {
    let (sha1, file) = (sha1.short(), in_repository(place, &format!("src/chain/{name}.rs")));
    format!(
        "`git rebase {sha1}^` puts one branch after the other, without the merge; \
         then take the file out of it with `git checkout {sha1} -- {file}`, and commit it by itself"
    )
}

fn deleted(link: &Named, place: &str, unlisted: bool) -> String {
    let file = in_repository(place, &format!("src/chain/{}.rs", link.name));
    let line = if unlisted { format!(", and its line `mod {};` in src/chain.rs", link.name) } else { String::new() };
    match link.sha1 {
        Some(sha1) => format!("restore it with `git checkout {} -- {file}`{line}", sha1.short()),
        None => format!("restore {file}{line}"),
    }
}

fn edited(link: &Named, changed: &[Option<String>], place: &str) -> String {
    let file = |part: &Option<String>| match part {
        Some(asset) => in_repository(place, &format!("assets/{asset}")),
        None => in_repository(place, &format!("src/chain/{}.rs", link.name)),
    };
    let files = match changed {
        [] => file(&None),
        changed => changed.iter().map(file).collect::<Vec<_>>().join(" "),
    };
    let sha1 = link.sha1.map_or_else(|| "COMMIT".to_owned(), |sha1| sha1.short());
    format!(
        "take the edit back with `git checkout {sha1} -- {files}`, and write it as a new migration: `cargo xtask new NAME --role ROLE`"
    )
}

fn unknown_role(role: &str, known: &[String]) -> String {
    if known.is_empty() {
        return "src/roles.rs has no role yet; write `#[role(max_out = 1)] pub struct …;` there".to_owned();
    }
    let meant = nearest(role, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`? "));
    format!("{}the roles of src/roles.rs are {}", meant.unwrap_or_default(), quoted(known))
}

fn disagreement(found: Option<Sha1>) -> String {
    match found {
        Some(found) => format!("and history says that {} introduced it", found.short()),
        None => "and that commit is not in this history".to_owned(),
    }
}

fn in_repository(place: &str, file: &str) -> String {
    if place.is_empty() { format!(":/{file}") } else { format!(":/{place}/{file}") }
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
    join(&names)
}

fn list(links: &[Named]) -> String {
    let links: Vec<String> = links.iter().map(Named::to_string).collect();
    join(&links)
}

/// The first words, and how many more there are.
fn join(words: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = words.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if words.len() > SHOWN { format!("{shown} and {} more", words.len() - SHOWN) } else { shown }
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
                order: names(&["add_cache", "tune_cache", "add_queue"]),
            },
            Mistake::SharedCommit { sha1: sha1(1), names: names(&["add_cache", "add_queue"]) },
            Mistake::IntroducedByMerge { name: name(), sha1: sha1(1), place: place() },
            Mistake::Deleted { link: named("install_nginx", 1), place: place(), unlisted: true },
            Mistake::Deleted { link: named("install_nginx", 1), place: String::new(), unlisted: false },
            Mistake::Edited {
                link: named("install_nginx", 1),
                changed: vec![None, Some("nginx.conf".into())],
                place: place(),
            },
            Mistake::Edited { link: named("install_nginx", 1), changed: vec![], place: String::new() },
            Mistake::WrongOrder {
                written: vec![named("add_queue", 2), named("add_cache", 1)],
                committed: vec![named("add_cache", 1), named("add_queue", 2)],
            },
            Mistake::UnknownRole { file: name(), role: "databse".into(), known: names(&["database", "web"]) },
            Mistake::UnknownRole { file: name(), role: "web".into(), known: vec![] },
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
            Mistake::PinDisagrees { name: name(), pin: sha1(1), found: Some(sha1(2)) },
            Mistake::PinDisagrees { name: name(), pin: sha1(1), found: None },
            Mistake::Lock { error: LockError { line: 7, column: 1, what: "unknown field `nam`".into() } },
            Mistake::Repository { what: "it is owned by somebody else".into(), help: "chown it".into() },
            Mistake::Unreadable { file: "src/chain/a.rs".into(), what: "line 2, column 9: expected `;`".into() },
        ]
    }

    #[test]
    fn every_mistake_says_what_is_wrong_and_what_to_do() {
        let texts: Vec<String> = one_of_each_kind().iter().map(Mistake::text).collect();
        insta::assert_snapshot!(texts.join("\n\n"));
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
