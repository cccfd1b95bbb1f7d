//! Git histories as drawings.
//!
//! A drawing has one line for each way through the history. A name is a commit; where it stands again, it is the same
//! commit, so branches and merges are drawn by repeating a name. HEAD is the last commit of the first line.
//!
//! ```text
//! c1 - *a - c2 - *b - m
//!           c2 - *d - m
//! ```
//!
//! `*a` is a commit that adds `src/chain/a.rs`. What else a commit does stands in brackets: `c3[+a,+b]` adds two files,
//! `c4[-a]` removes one, `c5[~a]` edits one. The tree of a merge has the files of all its parents.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use wb_core::chain::Sha1;
use wb_core::system::{Command, files};

/// A history that is not built yet: parents before children.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drawing {
    /// The commits.
    pub commits: Vec<Drawn>,
    /// HEAD, as a position in the commits.
    pub head: usize,
}

/// A commit of a drawing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drawn {
    /// Its name in the drawing.
    pub name: String,
    /// Its parents, as positions.
    pub parents: Vec<usize>,
    /// What it does.
    pub acts: Vec<Act>,
}

/// What a commit does to a file of `src/chain`, named by its stem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Adds it.
    Add(String),
    /// Removes it.
    Remove(String),
    /// Changes what it does.
    Edit(String),
    /// Makes it say what it said after so many edits, whether it was there or not.
    Put(String, usize),
}

/// The files of `src/chain` by stem, with how often each was edited.
pub type Tree = BTreeMap<String, usize>;

impl Drawing {
    /// Reads a drawing.
    ///
    /// # Panics
    /// When it is drawn wrong: a parent that stands below its child, an act that does not exist.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut drawing = Self::default();
        for (number, line) in text.lines().filter(|line| !line.trim().is_empty()).enumerate() {
            let mut parent = None;
            for word in line.split(" - ").map(str::trim) {
                parent = Some(drawing.commit(word, parent));
            }
            if number == 0 {
                drawing.head = parent.unwrap_or_default();
            }
        }
        drawing.sorted()
    }

    fn commit(&mut self, word: &str, parent: Option<usize>) -> usize {
        let drawn = Drawn::parse(word);
        let known = self.commits.iter().position(|commit| commit.name == drawn.name);
        let position = known.unwrap_or_else(|| {
            self.commits.push(drawn);
            self.commits.len() - 1
        });
        self.commits[position].parents.extend(parent);
        position
    }

    /// The same with parents before children.
    fn sorted(self) -> Self {
        let mut order: Vec<usize> = Vec::new();
        while order.len() < self.commits.len() {
            let is_next = |index: &usize| {
                !order.contains(index) && self.commits[*index].parents.iter().all(|parent| order.contains(parent))
            };
            let next = (0..self.commits.len()).find(is_next).expect("a drawing has no circles");
            order.push(next);
        }
        let place = |old: &usize| order.iter().position(|other| other == old).expect("every commit has a place");
        let commits = order.iter().map(|index| {
            let drawn = &self.commits[*index];
            Drawn { parents: drawn.parents.iter().map(place).collect(), ..drawn.clone() }
        });
        Self { commits: commits.collect(), head: place(&self.head) }
    }

    /// The tree of each commit.
    #[must_use]
    pub fn trees(&self) -> Vec<Tree> {
        let mut trees: Vec<Tree> = Vec::new();
        for commit in &self.commits {
            let mut tree: Tree = commit.parents.iter().rev().flat_map(|parent| trees[*parent].clone()).collect();
            commit.acts.iter().for_each(|act| act.apply(&mut tree));
            trees.push(tree);
        }
        trees
    }
}

impl Drawn {
    fn parse(word: &str) -> Self {
        let (name, acts) = word.strip_suffix(']').and_then(|word| word.split_once('[')).unwrap_or((word, ""));
        let added = name.strip_prefix('*').map(|name| Act::Add(name.to_owned()));
        let acts = acts.split(',').filter(|act| !act.is_empty()).map(Act::parse);
        Self {
            name: name.trim_start_matches('*').to_owned(),
            parents: Vec::new(),
            acts: added.into_iter().chain(acts).collect(),
        }
    }
}

impl Act {
    fn parse(text: &str) -> Self {
        let name = || text[1..].to_owned();
        match text.chars().next() {
            Some('+') => Self::Add(name()),
            Some('-') => Self::Remove(name()),
            Some('~') => Self::Edit(name()),
            _ => panic!("`{text}` is no act: write +name, -name or ~name"),
        }
    }

    fn apply(&self, tree: &mut Tree) {
        match self {
            Self::Add(name) => drop(tree.insert(name.clone(), 0)),
            Self::Remove(name) => drop(tree.remove(name)),
            Self::Edit(name) => *tree.entry(name.clone()).or_default() += 1,
            Self::Put(name, edits) => drop(tree.insert(name.clone(), *edits)),
        }
    }
}

/// A drawing as a real repository, with HEAD checked out.
#[derive(Debug)]
pub struct Repository {
    top: PathBuf,
    place: String,
    names: BTreeMap<String, Sha1>,
    /// Removes the directory in the end, where that is wanted.
    _temporary: Option<TempDir>,
}

impl Repository {
    /// Builds a drawing, with the crate at the top of the repository.
    #[must_use]
    pub fn drawn(text: &str) -> Self {
        Self::build(&Drawing::parse(text), "")
    }

    /// Builds a drawing, with the crate at `place` in the repository.
    ///
    /// # Panics
    /// When git can't do it.
    #[must_use]
    pub fn build(drawing: &Drawing, place: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let built = Self::build_in(dir.path(), drawing, place);
        Self { _temporary: Some(dir), ..built }
    }

    /// Builds a drawing at `top`, in place of what is there, and leaves it there.
    ///
    /// # Panics
    /// When git can't do it.
    #[must_use]
    pub fn build_in(top: &Path, drawing: &Drawing, place: &str) -> Self {
        files::remove_tree(top).expect("what was there can go");
        files::create_dir(top).expect("a directory");
        let top = top.to_owned();
        let mut repository = Self { top, place: place.to_owned(), names: BTreeMap::new(), _temporary: None };
        repository.git(&["init", "--quiet", "--initial-branch", "main"]);
        let marks = repository.top.join(".git/marks");
        let import =
            git(&repository.top).arg("fast-import").arg("--quiet").arg(format!("--export-marks={}", marks.display()));
        import.stdin(repository.stream(drawing)).read().expect("git fast-import works");
        let marks = files::read_text(&marks).expect("fast-import writes marks");
        for (mark, sha1) in marks.lines().filter_map(|line| line.strip_prefix(':')?.split_once(' ')) {
            let position: usize = mark.parse().expect("a mark is a number");
            let name = drawing.commits[position - 1].name.clone();
            repository.names.insert(name, sha1.parse().expect("a commit has a sha1"));
        }
        let head = repository.names[&drawing.commits[drawing.head].name].to_string();
        repository.git(&["reset", "--quiet", "--hard", &head]);
        repository
    }

    fn stream(&self, drawing: &Drawing) -> String {
        let mut stream = String::new();
        for (index, (commit, tree)) in drawing.commits.iter().zip(drawing.trees()).enumerate() {
            let date = 1_000_000_000 + 60 * index;
            let name = &commit.name;
            stream += &format!("commit refs/drawn/{name}\nmark :{}\n", index + 1);
            stream += &format!("committer Drawn <drawn@example.org> {date} +0000\ndata {}\n{name}\n", name.len());
            for (number, parent) in commit.parents.iter().enumerate() {
                stream += &format!("{} :{}\n", if number == 0 { "from" } else { "merge" }, parent + 1);
            }
            stream += "deleteall\n";
            for (file, edits) in tree {
                let text = migration(&file, "web", edits);
                let path = self.in_repository(&format!("src/chain/{file}.rs"));
                stream += &format!("M 100644 inline {path}\ndata {}\n{text}\n", text.len());
            }
        }
        stream
    }

    fn in_repository(&self, file: &str) -> String {
        if self.place.is_empty() { file.to_owned() } else { format!("{}/{file}", self.place) }
    }

    /// The top of the repository.
    #[must_use]
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// The directory of the crate.
    #[must_use]
    pub fn crate_dir(&self) -> PathBuf {
        self.top.join(&self.place)
    }

    /// The sha1 of a commit of the drawing.
    ///
    /// # Panics
    /// When there is none of this name.
    #[must_use]
    pub fn sha1(&self, name: &str) -> Sha1 {
        self.names[name]
    }

    /// Writes a file of the crate.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.crate_dir().join(file);
        files::create_dir(path.parent().expect("a file lies in a directory")).expect("a directory");
        files::write(path, text, 0o644).expect("a file");
    }

    /// Writes `src/chain.rs` with these `mod` lines, and `src/roles.rs` with the role `web`.
    pub fn write_mods(&self, mods: &[&str]) {
        let lines: String = mods.iter().map(|name| format!("mod {name};\n")).collect();
        self.write("src/chain.rs", &format!("{lines}\nwb_stdlib::chain!();\n"));
        self.write(
            "src/roles.rs",
            "use wb_stdlib::prelude::*;\n\n#[role(max_out = 1)]\npub struct Web;\n\nimpl Role for Web {}\n",
        );
    }

    /// Commits all that differs.
    pub fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    }

    /// Runs git at the top of the repository.
    ///
    /// # Panics
    /// When it fails.
    pub fn git(&self, args: &[&str]) -> String {
        git(&self.top).args(args).read().expect("git works")
    }

    /// A text with the short sha1s of the drawing's commits replaced by their names, as in `<c1>`.
    #[must_use]
    pub fn with_names(&self, text: &str) -> String {
        let replace = |text: String, (name, sha1): (&String, &Sha1)| {
            text.replace(&sha1.to_string(), &format!("<{name}>")).replace(&sha1.short(), &format!("<{name}>"))
        };
        self.names.iter().fold(text.to_owned(), replace)
    }
}

/// The text of a migration, edited so many times.
#[must_use]
pub fn migration(name: &str, role: &str, edits: usize) -> String {
    format!(
        "use wb_stdlib::prelude::*;\n\n/// Does {name}.\n#[migration(role = \"{role}\")]\n\
         fn {name}(host: &Host) -> Result<()> {{\n    let _ = (host, {edits});\n    Ok(())\n}}\n"
    )
}

/// Git that sees nothing of this machine's configuration, with fixed dates.
#[must_use]
pub fn git(dir: &Path) -> Command {
    hermetic(Command::new("git"), dir)
}

/// A command in `dir` whose git sees nothing of this machine's configuration, with fixed dates.
#[must_use]
pub fn hermetic(command: Command, dir: &Path) -> Command {
    let command = command.dir(dir).env("HOME", dir);
    let command = command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    let command = command.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE");
    let date = "2001-09-09T02:00:00Z";
    let who = [("AUTHOR", date), ("COMMITTER", date)];
    who.iter().fold(command, |command, (who, date)| {
        let command =
            command.env(format!("GIT_{who}_NAME"), "Drawn").env(format!("GIT_{who}_EMAIL"), "drawn@example.org");
        command.env(format!("GIT_{who}_DATE"), date)
    })
}
