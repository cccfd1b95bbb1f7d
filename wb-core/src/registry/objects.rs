//! Local objects: reading and writing commits with git2. No ref is moved here, and nothing crosses a network.
#![expect(clippy::disallowed_methods, reason = "this is one of the few places that open repositories")]

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{ConfigLevel, FileMode, ObjectType, Oid, Repository, Signature, Time};

use super::commit::Commit;
use super::signature::{SignatureError, SigningKey};
use crate::chain::Sha1;
use crate::system::fault::{self, Kind, Subject};
use crate::system::{FileError, files};

/// The objects of one local repository.
pub struct Objects {
    repository: Repository,
}

/// The largest file that is read out of a commit other than a runner, in bytes.
const LARGEST_TEXT: usize = 8 << 20;

/// The largest commit that is read, in bytes: a report is one, with all that it says in its message.
const LARGEST_COMMIT: usize = 1 << 20;

/// The largest file that is read out of a commit, in bytes: a runner.
const LARGEST_FILE: usize = 256 << 20;

/// The bits of a mode that tell what something is, and what they are for a file.
const FILE_TYPE: i32 = 0o170_000;
const REGULAR: i32 = 0o100_000;

/// A commit to be written, its tree made of files at its top.
#[derive(Debug, Clone, Default)]
pub struct NewCommit {
    /// Subject, empty line, body.
    pub message: String,
    /// The files by name.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The commit before it; none for an orphan.
    pub parent: Option<Sha1>,
    /// Name and address of whoever decided it.
    pub author: (String, String),
    /// Since 1970, UTC.
    pub time: Duration,
}

impl Objects {
    /// The objects of the repository at `path`, which belongs to whoever runs this.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(path: &Path) -> Result<Self, ObjectError> {
        let open = Repository::open(path);
        let repository = open.map_err(|source| ObjectError::Open { path: path.to_owned(), source })?;
        Ok(Self { repository })
    }

    /// The objects of the repository at `path`, of which nothing that is written here is lost when the power fails: no
    /// object and no ref takes its name before its content is on the disk. The `git` command is told so with each call
    /// (`core.fsync`); libgit2 knows the older name of that setting only, about which git complains, so that it stands
    /// in a file that git does not read.
    ///
    /// # Errors
    /// When there is no repository, or that file can't be written.
    pub fn open_safe(path: &Path) -> Result<Self, ObjectError> {
        let settings = path.join("libgit2.config");
        if !files::exists(&settings) {
            files::write(&settings, "[core]\n\tfsyncObjectFiles = true\n", 0o644)?;
        }
        let objects = Self::open(path)?;
        let configured = objects.repository.config().and_then(|mut config| {
            config.add_file(&settings, ConfigLevel::App, false)?;
            objects.repository.set_config(&config)
        });
        configured.map_err(|source| ObjectError::Open { path: path.to_owned(), source })?;
        Ok(objects)
    }

    /// Reads a commit.
    ///
    /// # Errors
    /// When it is not there, or is no commit that can be read.
    pub fn read(&self, sha1: Sha1) -> Result<Commit, ObjectError> {
        let broken = |source| ObjectError::Read { commit: sha1, source };
        let odb = self.repository.odb().map_err(broken)?;
        let (size, kind) = odb.read_header(oid(sha1)).map_err(broken)?;
        if kind != ObjectType::Commit {
            return Err(ObjectError::Malformed { commit: sha1, what: "is none, but another object" });
        }
        if size > LARGEST_COMMIT {
            return Err(ObjectError::Large { commit: sha1 });
        }
        Commit::parse(sha1, odb.read(oid(sha1)).map_err(broken)?.data())
    }

    /// A text file at the top of a commit's tree, or nothing where there is none of that name.
    ///
    /// # Errors
    /// When it can't be read, is no UTF-8, or is larger than 8 MiB.
    pub fn text(&self, commit: &Commit, name: &str) -> Result<Option<String>, ObjectError> {
        let Some(bytes) = self.bounded(commit, name, LARGEST_TEXT)? else { return Ok(None) };
        let wrong = |what| ObjectError::File { commit: commit.sha1, name: name.to_owned(), what };
        String::from_utf8(bytes).map(Some).map_err(|_| wrong("is not UTF-8"))
    }

    /// A file at the top of a commit's tree, or nothing where there is none of that name.
    ///
    /// # Errors
    /// When it can't be read, or is larger than 256 MiB.
    pub fn file(&self, commit: &Commit, name: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        self.bounded(commit, name, LARGEST_FILE)
    }

    /// Whether a commit's tree is one file of this name, and nothing else.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn has_only(&self, commit: &Commit, name: &str) -> Result<bool, ObjectError> {
        let tree = self.repository.find_tree(oid(commit.tree()));
        let tree = tree.map_err(|source| ObjectError::Read { commit: commit.sha1, source })?;
        Ok(tree.len() == 1 && tree.get_name(name).is_some_and(|entry| entry.filemode() & FILE_TYPE == REGULAR))
    }

    /// The size is looked at before the content: a small pack may hold a very large file.
    fn bounded(&self, commit: &Commit, name: &str, largest: usize) -> Result<Option<Vec<u8>>, ObjectError> {
        let broken = |source| ObjectError::Read { commit: commit.sha1, source };
        let tree = self.repository.find_tree(oid(commit.tree())).map_err(broken)?;
        let Some(entry) = tree.get_name(name) else { return Ok(None) };
        if entry.filemode() & FILE_TYPE != REGULAR {
            return Err(ObjectError::File { commit: commit.sha1, name: name.to_owned(), what: "is no file" });
        }
        let (size, _) = self.repository.odb().and_then(|odb| odb.read_header(entry.id())).map_err(broken)?;
        if size > largest {
            return Err(ObjectError::File { commit: commit.sha1, name: name.to_owned(), what: "is too large" });
        }
        let blob = self.repository.find_blob(entry.id()).map_err(broken)?;
        Ok(Some(blob.content().to_vec()))
    }

    /// Writes a commit, signed when there is a key, and moves no ref.
    ///
    /// # Errors
    /// When an object can't be written, or the key does not sign.
    pub fn write(&self, new: &NewCommit, key: Option<&SigningKey>) -> Result<Sha1, ObjectError> {
        let _during = fault::during(Subject::Objects);
        fault::pass(Kind::Write).map_err(|error| not_written(&error))?;
        let text = self.commit_text(new).map_err(|source| ObjectError::Write { source })?;
        let oid = match key {
            None => self.repository.odb().and_then(|odb| odb.write(ObjectType::Commit, text.as_bytes())),
            Some(key) => {
                let signature = key.sign(text.as_bytes()).map_err(ObjectError::Sign)?;
                self.repository.commit_signed(&text, &signature, Some("gpgsig"))
            }
        };
        from_oid(oid.map_err(|source| ObjectError::Write { source })?).ok_or(ObjectError::NotSha1)
    }

    /// Whether `newer` is `older` or has it among its ancestors.
    ///
    /// # Errors
    /// When one of them is not there.
    pub fn descends(&self, newer: Sha1, older: Sha1) -> Result<bool, ObjectError> {
        let descends = self.repository.graph_descendant_of(oid(newer), oid(older));
        Ok(newer == older || descends.map_err(|source| ObjectError::Read { commit: newer, source })?)
    }

    /// Whether the commit is here.
    #[must_use]
    pub fn contains(&self, sha1: Sha1) -> bool {
        self.repository.find_commit(oid(sha1)).is_ok()
    }

    /// The local refs whose names start with `start`, and where they point. What is broken is left out.
    pub(super) fn refs(&self, start: &str) -> Result<Vec<(String, Sha1)>, ObjectError> {
        let listed = |source| ObjectError::Refs { source };
        let found = self.repository.references_glob(&format!("{start}*")).map_err(listed)?;
        Ok(found
            .flatten()
            .filter_map(|reference| Some((reference.name().ok()?.to_owned(), target(&reference)?)))
            .collect())
    }

    /// Where one local ref points, where there is one that is not broken.
    pub(super) fn reference(&self, name: &str) -> Option<Sha1> {
        self.repository.find_reference(name).ok().and_then(|reference| target(&reference))
    }

    /// Points a local ref to an object, or removes it.
    pub(super) fn point(&self, name: &str, object: Option<Sha1>) -> Result<(), ObjectError> {
        let _during = fault::during(Subject::Refs);
        fault::pass(Kind::Write).map_err(|error| not_written(&error))?;
        let pointed = match object {
            Some(object) => self.repository.reference(name, oid(object), true, "seen").map(drop),
            None => match self.repository.find_reference(name) {
                Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(()),
                found => found.and_then(|mut reference| reference.delete()),
            },
        };
        pointed.map_err(|source| ObjectError::Write { source })
    }

    fn commit_text(&self, new: &NewCommit) -> Result<String, git2::Error> {
        let mut tree = self.repository.treebuilder(None)?;
        for (name, content) in &new.files {
            tree.insert(name, self.repository.blob(content)?, FileMode::Blob.into())?;
        }
        let tree = self.repository.find_tree(tree.write()?)?;
        let seconds = i64::try_from(new.time.as_secs()).unwrap_or(i64::MAX);
        let author = Signature::new(&new.author.0, &new.author.1, &Time::new(seconds, 0))?;
        let parent = new.parent.map(|sha1| self.repository.find_commit(oid(sha1))).transpose()?;
        let parents: Vec<_> = parent.iter().collect();
        let text = self.repository.commit_create_buffer(&author, &author, &new.message, &tree, &parents)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects").field("path", &self.repository.path()).finish()
    }
}

/// Why an object could not be read or written, or does not count.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// There is no repository.
    #[error("could not open the git repository {}", path.display())]
    Open {
        /// Where.
        path: PathBuf,
        /// Why.
        source: git2::Error,
    },
    /// The local refs could not be listed.
    #[error("could not list the refs of the local repository")]
    Refs {
        /// Why.
        source: git2::Error,
    },
    /// Its settings can't be written.
    #[error(transparent)]
    Settings(#[from] FileError),
    /// A commit is missing or broken.
    #[error("could not read the commit {}", commit.short())]
    Read {
        /// Which.
        commit: Sha1,
        /// Why.
        source: git2::Error,
    },
    /// It is no commit, or one that git does not write so.
    #[error("the commit {} {what}", commit.short())]
    Malformed {
        /// Which.
        commit: Sha1,
        /// What is wrong.
        what: &'static str,
    },
    /// A commit is larger than any of ours.
    #[error("the commit {} is larger than 1 MiB", commit.short())]
    Large {
        /// Which.
        commit: Sha1,
    },
    /// A file of a commit is not what it should be.
    #[error("`{name}` in the commit {} {what}", commit.short())]
    File {
        /// In which commit.
        commit: Sha1,
        /// Which file.
        name: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A commit could not be written.
    #[error("could not write a commit")]
    Write {
        /// Why.
        source: git2::Error,
    },
    /// A commit could not be signed.
    #[error("could not sign a commit")]
    Sign(#[source] SignatureError),
    /// A commit that must be signed is not.
    #[error("the commit {} is not signed", commit.short())]
    Unsigned {
        /// Which.
        commit: Sha1,
    },
    /// A commit is signed, but not by anybody who is allowed.
    #[error("the commit {} does not count", commit.short())]
    Signature {
        /// Which.
        commit: Sha1,
        /// Why.
        source: SignatureError,
    },
    /// The repository uses another hash than sha1.
    #[error("the repository does not use sha1")]
    NotSha1,
}

impl ObjectError {
    /// Whether the object is here, and is not what it should be, whoever reads it.
    #[must_use]
    pub fn is_of_content(&self) -> bool {
        matches!(self, Self::Malformed { .. } | Self::Large { .. } | Self::File { .. })
    }
}

fn target(reference: &git2::Reference<'_>) -> Option<Sha1> {
    reference.target().and_then(from_oid)
}

fn not_written(error: &io::Error) -> ObjectError {
    ObjectError::Write { source: git2::Error::from_str(&error.to_string()) }
}

pub(super) fn oid(sha1: Sha1) -> Oid {
    // Twenty bytes always make an oid; the zero oid is found nowhere.
    Oid::from_bytes(sha1.as_bytes()).unwrap_or(Oid::ZERO_SHA1)
}

pub(super) fn from_oid(oid: Oid) -> Option<Sha1> {
    oid.as_bytes().try_into().ok().map(Sha1::from_bytes)
}

#[cfg(test)]
mod tests {
    use super::super::git::{Access, Git};
    use super::*;

    #[test]
    fn a_file_is_alone_in_its_tree_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let git = Git::new(Access::Operator { ssh_command: None });
        git.local(dir.path()).args(["init", "--quiet", "--bare"]).read().unwrap();
        let objects = Objects::open(dir.path()).unwrap();
        let check = |names: &[&str], expect| {
            let files = names.iter().map(|name| ((*name).to_owned(), b"text".to_vec())).collect();
            let new = NewCommit { files, author: ("a".into(), "a@b".into()), ..NewCommit::default() };
            let commit = objects.read(objects.write(&new, None).unwrap()).unwrap();
            assert_eq!(objects.has_only(&commit, "word").unwrap(), expect, "{names:?}");
        };
        check(&["word"], true);
        check(&["word", "more"], false);
        check(&["more"], false);
        check(&[], false);
    }

    #[test]
    fn what_is_written_safely_is_so_by_a_setting_that_git_does_not_see() {
        let dir = tempfile::tempdir().unwrap();
        let git = Git::new(Access::Operator { ssh_command: None });
        git.local(dir.path()).args(["init", "--quiet", "--bare"]).read().unwrap();
        for _ in 0..2 {
            let objects = Objects::open_safe(dir.path()).unwrap();
            assert!(objects.repository.config().unwrap().get_bool("core.fsyncObjectFiles").unwrap());
            objects.write(&NewCommit { author: ("a".into(), "a@b".into()), ..NewCommit::default() }, None).unwrap();
        }
        let listed = git.local(dir.path()).args(["count-objects"]).run().unwrap();
        assert_eq!((listed.text().split(',').next(), listed.error_text()), (Some("2 objects"), String::new()));
    }
}
