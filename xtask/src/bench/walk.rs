//! The walk, against `git log` on the same history.

use std::path::{Path, PathBuf};

use serde::Serialize;
use wb_core::registry::{Walker, resolve};
use wb_core::system::files;

use super::{BenchError, MIGRATION, ROLES, chain_file, median, source, timed};
use crate::git::{WorkTree, git};
use crate::shell::Shell;

/// What was measured on one history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Walked {
    /// How many links it has.
    pub links: usize,
    /// How many commits.
    pub commits: usize,
    /// `git log --diff-filter=A` of the chain's files.
    pub git_log_seconds: f64,
    /// The walk with what was kept at the commit before the newest link, which is not pinned.
    pub warm_seconds: f64,
    /// The walk with nothing kept and nothing pinned.
    pub cold_seconds: f64,
}

pub(super) fn measure(
    dir: &Path,
    links: usize,
    commits: usize,
    rounds: usize,
    shell: &Shell,
) -> Result<Walked, BenchError> {
    let progress = shell.begin_steps(format!("a history of {links} links in {commits} commits"), rounds as u64);
    let history = History::make(dir, links, commits)?;
    let (mut log, mut warm, mut cold) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        log.push(timed(|| history.git_log())?);
        history.restore()?;
        warm.push(history.walk()?);
        history.forget()?;
        cold.push(history.walk()?);
        progress.reached(round as u64 + 1);
    }
    let (git_log_seconds, warm_seconds, cold_seconds) = (median(log), median(warm), median(cold));
    Ok(Walked { links, commits, git_log_seconds, warm_seconds, cold_seconds })
}

/// A repository with a long chain.
struct History {
    dir: PathBuf,
    /// What a walk kept at the commit before the last.
    kept: Vec<(PathBuf, Vec<u8>)>,
    walker: Walker,
}

impl History {
    fn make(dir: &Path, links: usize, commits: usize) -> Result<Self, BenchError> {
        files::create_dir(dir)?;
        let tree = WorkTree::create(dir).map_err(|error| wrong(dir, &error))?;
        let (before, newest) = (links.saturating_sub(1), links.saturating_sub(1));
        let failed = |action| move |source| BenchError::Command { action, source };
        let import = git(dir).args(["fast-import", "--quiet"]).stdin(stream(before, commits.saturating_sub(1)));
        import.read().map_err(failed("import a history"))?;
        git(dir).args(["reset", "--quiet", "--hard", "main"]).read().map_err(failed("check a history out"))?;
        check(dir)?;
        let kept = files::list(memory(dir))?.into_iter();
        let kept = kept.map(|path| Ok((path.clone(), files::read(path)?))).collect::<Result<_, BenchError>>()?;
        files::write(dir.join(format!("src/chain/m{newest:05}.rs")), source(newest, MIGRATION), 0o644)?;
        files::write(dir.join("src/chain.rs"), chain_file(links), 0o644)?;
        tree.commit_all("newest").map_err(|error| wrong(dir, &error))?;
        check(dir)?;
        Ok(Self { dir: dir.to_owned(), kept, walker: Walker::new(dir)? })
    }

    fn git_log(&self) -> Result<(), BenchError> {
        let log = ["log", "--diff-filter=A", "--name-only", "--format=%H", "--", "src/chain"];
        let read = git(&self.dir).args(log).read().map(drop);
        read.map_err(|source| BenchError::Command { action: "run git log", source })
    }

    fn walk(&self) -> Result<f64, BenchError> {
        timed(|| match self.walker.walk().commits.len() {
            0 => Err(BenchError::Wrong { dir: self.dir.clone(), what: "it has no commits".into() }),
            _ => Ok(()),
        })
    }

    fn restore(&self) -> Result<(), BenchError> {
        self.forget()?;
        files::create_dir(memory(&self.dir))?;
        Ok(self.kept.iter().try_for_each(|(path, bytes)| files::replace(path, bytes))?)
    }

    fn forget(&self) -> Result<(), BenchError> {
        files::remove_tree(memory(&self.dir))?;
        Ok(())
    }
}

fn memory(dir: &Path) -> PathBuf {
    dir.join(".git/wildebeest")
}

/// A wrong chain would be measured for nothing.
fn check(dir: &Path) -> Result<(), BenchError> {
    match resolve(dir)?.mistakes.first() {
        Some(mistake) => Err(wrong(dir, mistake)),
        None => Ok(()),
    }
}

fn wrong(dir: &Path, what: &impl std::fmt::Display) -> BenchError {
    BenchError::Wrong { dir: dir.to_owned(), what: what.to_string() }
}

/// So many links, evenly among so many commits; the others touch a thousand other files.
fn stream(links: usize, commits: usize) -> String {
    let mut stream = String::new();
    for index in 0..commits {
        let text = format!("{index}\n");
        let path = format!("other/d{}/f{}", index % 50, index % 1000);
        stream +=
            &format!("commit refs/heads/main\ncommitter B <b@example.org> {} +0000\n", 1_000_000_000 + 60 * index);
        stream += &format!("data 2\nc\n{}", file(&path, &text));
        let (old, new) = (links * index / commits, links * (index + 1) / commits);
        for number in old..new {
            stream += &file(&format!("src/chain/m{number:05}.rs"), &source(number, MIGRATION));
        }
        if index + 1 == commits {
            stream += &file("src/chain.rs", &chain_file(links));
            stream += &file("src/roles.rs", ROLES);
        }
    }
    stream
}

fn file(path: &str, text: &str) -> String {
    format!("M 100644 inline {path}\ndata {}\n{text}\n", text.len())
}
