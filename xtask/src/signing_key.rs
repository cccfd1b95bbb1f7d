//! The SSH key that changes are signed with.

use std::path::{Path, PathBuf};

use wb_core::system::{environment, files};

use crate::git::WorkTree;

/// There is no key to sign with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The one that was named is not there.
    #[error("there is no signing key at {}", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// None was named, and none was found.
    #[error("there is no SSH key to sign changes with: looked for {}", looked.join(", "))]
    None {
        /// Where.
        looked: Vec<String>,
    },
}

/// What is known of keys on this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Named on the command line.
    pub named: Option<PathBuf>,
    /// `gpg.format` and `user.signingkey` of git.
    pub configured: Option<(String, String)>,
    /// The home directory.
    pub home: Option<PathBuf>,
}

impl Known {
    /// What git and the environment say.
    #[must_use]
    pub fn look(named: Option<PathBuf>, tree: &WorkTree) -> Self {
        let configured = tree.config("gpg.format").zip(tree.config("user.signingkey"));
        Self { named, configured, home: environment::var("HOME").map(PathBuf::from) }
    }

    /// The first key that is there: the one named, the one that git signs with, one of ssh's own.
    ///
    /// # Errors
    /// When there is none, or the one named is not there.
    pub fn key(&self, is_file: impl Fn(&Path) -> bool) -> Result<PathBuf, KeyError> {
        if let Some(path) = &self.named {
            return is_file(path).then(|| path.clone()).ok_or_else(|| KeyError::Missing { path: path.clone() });
        }
        let candidates = self.candidates();
        let looked = || candidates.iter().map(|path| path.display().to_string()).collect();
        candidates.iter().find(|path| is_file(path)).cloned().ok_or_else(|| KeyError::None { looked: looked() })
    }

    fn candidates(&self) -> Vec<PathBuf> {
        let home = self.home.clone().unwrap_or_else(|| "/root".into());
        let configured = self.configured.iter().filter(|(format, _)| format == "ssh");
        let configured = configured.map(|(_, key)| match key.strip_prefix("~/") {
            Some(rest) => home.join(rest),
            None => PathBuf::from(key),
        });
        let own = ["id_ed25519", "id_ecdsa", "id_rsa"].map(|name| home.join(".ssh").join(name));
        configured.chain(own).collect()
    }
}

/// The key to sign with, on this machine.
///
/// # Errors
/// As [`Known::key`].
pub fn find(named: Option<PathBuf>, tree: &WorkTree) -> Result<PathBuf, KeyError> {
    Known::look(named, tree).key(|path| files::exists(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(known: &Known, there: &[&str], expect: &str) {
        let key = known.key(|path| there.iter().any(|file| Path::new(file) == path));
        assert_eq!(key.map_or_else(|error| error.to_string(), |path| path.display().to_string()), expect);
    }

    fn known(named: Option<&str>, format: &str, key: &str) -> Known {
        Known {
            named: named.map(PathBuf::from),
            configured: Some((format.to_owned(), key.to_owned())),
            home: Some("/home/ana".into()),
        }
    }

    #[test]
    fn the_nearest_key_is_taken() {
        let own = "/home/ana/.ssh/id_ed25519";
        check(&known(Some("/k"), "ssh", "/c"), &["/k", "/c", own], "/k");
        check(&known(None, "ssh", "/c"), &["/c", own], "/c");
        check(&known(None, "ssh", "~/c"), &["/home/ana/c"], "/home/ana/c");
        check(&known(None, "openpgp", "/c"), &["/c", own], own);
    }

    #[test]
    fn a_missing_key_is_said_with_where_it_was_looked_for() {
        check(&known(Some("/k"), "ssh", "/c"), &["/c"], "there is no signing key at /k");
        let looked = "/home/ana/.ssh/id_ed25519, /home/ana/.ssh/id_ecdsa, /home/ana/.ssh/id_rsa";
        check(
            &Known { home: Some("/home/ana".into()), ..Known::default() },
            &[],
            &format!("there is no SSH key to sign changes with: looked for {looked}"),
        );
    }
}
