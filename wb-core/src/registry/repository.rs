//! The repository that a crate lies in, as far as it can be read.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::reader;
use crate::chain::{Reach, Sha1};
use crate::system::{Command, CommandError, Output, files};

/// A repository with a work tree, and where the crate lies in it.
#[derive(Debug)]
pub(super) struct Repository {
    /// The top of the work tree.
    pub(super) top: PathBuf,
    /// Where the crate lies: `fleet/migrations`, or nothing at the top.
    pub(super) place: String,
    /// What all work trees share.
    pub(super) common_dir: PathBuf,
    /// What belongs to this work tree alone.
    pub(super) git_dir: PathBuf,
    /// The commit that is checked out; none before the first.
    pub(super) head: Option<Sha1>,
    /// The commits where a shallow clone was cut.
    pub(super) cuts: HashSet<String>,
}

impl Repository {
    /// The repository that has `crate_dir` in its work tree, or nothing where there is none.
    pub(super) fn around(crate_dir: &Path) -> Result<Option<Self>, Reach> {
        let ask = ["rev-parse", "--show-object-format", "--path-format=absolute", "--git-common-dir", "--git-dir"];
        let command = reader::git(crate_dir).args(ask).args(["--show-toplevel", "--show-prefix", "HEAD"]);
        let output = match command.run() {
            Ok(output) => output,
            Err(error) if has_git_dir(crate_dir) => return Err(not_run(&error)),
            Err(_) => return Ok(None),
        };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        match said.lines().collect::<Vec<_>>().as_slice() {
            // A line for each question: a path with a line break in it would pass for the answer to the next.
            [_, _, _, _, _, _, _, ..] => Err(broken_lines()),
            ["sha1", common_dir, git_dir, top, prefix, head @ ..] => Ok(Some(Self {
                top: PathBuf::from(top),
                place: prefix.trim_end_matches('/').to_owned(),
                git_dir: PathBuf::from(git_dir),
                head: head_commit(crate_dir, head)?,
                cuts: cuts(Path::new(common_dir)),
                common_dir: PathBuf::from(common_dir),
            })),
            [format, _, _, _, ..] if *format != "sha1" => Err(other_ids(format)),
            _ if has_git_dir(crate_dir) => Err(refused(&output)),
            _ => Ok(None),
        }
    }

    /// `git`, at the top of the work tree.
    pub(super) fn git(&self) -> Command {
        reader::git(&self.top)
    }

    /// A path in the repository of something in the crate when it lay at `place`.
    pub(super) fn path(place: &str, file: &str) -> String {
        if place.is_empty() { file.to_owned() } else { format!("{place}/{file}") }
    }
}

/// Whether anybody would expect a repository here.
fn has_git_dir(crate_dir: &Path) -> bool {
    crate_dir.ancestors().any(|dir| files::exists(dir.join(".git")))
}

fn head_commit(crate_dir: &Path, said: &[&str]) -> Result<Option<Sha1>, Reach> {
    if let [head] = said
        && let Ok(head) = head.parse()
    {
        return Ok(Some(head));
    }
    let output = reader::git(crate_dir).args(["log", "-1", "--format=%H"]).run().map_err(|error| not_run(&error))?;
    match output.error_text().contains("does not have any commits yet") {
        true => Ok(None),
        false => Err(refused(&output)),
    }
}

fn cuts(common_dir: &Path) -> HashSet<String> {
    let cuts = files::read_optional(common_dir.join("shallow")).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&cuts).lines().map(str::to_owned).collect()
}

/// The mistake of a repository that can't be read because git can't be run, or fails.
pub(super) fn not_run(error: &CommandError) -> Reach {
    let help = match error {
        CommandError::NotFound { .. } => {
            "install git; where there is none, as in a container, leave `.git` away too: then `chain.lock` is the chain"
        }
        _ => FSCK,
    };
    Reach::Unreadable { what: error.to_string(), help: help.to_owned() }
}

const FSCK: &str = "see what `git status` and `git fsck` say";

/// What git said when it refused, and what to do: git names the command itself where the owner is another one.
fn refused(output: &Output) -> Reach {
    let said = output.error_text();
    let what = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("git says nothing");
    let what = what.trim_start_matches("fatal: ").to_owned();
    let trust = said.lines().map(str::trim).find(|line| line.starts_with("git config --global --add safe.directory"));
    let help = match trust {
        Some(command) => format!("it belongs to another user: run `{command}`, or give it to yourself with `chown`"),
        None => FSCK.to_owned(),
    };
    Reach::Unreadable { what, help }
}

fn broken_lines() -> Reach {
    Reach::Unreadable {
        what: "there is a line break in its path, or in that of the crate".to_owned(),
        help: "rename that directory: `pwd` shows it".to_owned(),
    }
}

fn other_ids(format: &str) -> Reach {
    Reach::Unreadable {
        what: format!("its ids are {format}, and a link is known by a sha1"),
        help: "make one with sha1 ids of it: `git init --object-format=sha1 NEW`, then \
               `git fast-export --all --signed-tags=strip | git -C NEW fast-import`"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(said: &str, expect: &str) {
        let output = Output { code: 128, stdout: Vec::new(), stderr: said.into() };
        let Reach::Unreadable { what, help } = refused(&output) else { panic!("{said}") };
        assert_eq!(format!("{what}; {help}"), expect);
    }

    #[test]
    fn what_git_refuses_and_what_to_do() {
        check(
            "fatal: detected dubious ownership in repository at '/a b'\nTo add an exception for this directory, call:\n\
             \n\tgit config --global --add safe.directory '/a b'\n",
            "detected dubious ownership in repository at '/a b'; it belongs to another user: run \
             `git config --global --add safe.directory '/a b'`, or give it to yourself with `chown`",
        );
        check("fatal: bad object HEAD", "bad object HEAD; see what `git status` and `git fsck` say");
        check("", "git says nothing; see what `git status` and `git fsck` say");
    }
}
