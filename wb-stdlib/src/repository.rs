//! What repositories of apt, of dnf and zypper, and of pacman have in common: how what is said of one can be wrong.

/// What is wrong with what was said of a repository.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryMistake {
    /// Something that a repository must have was not said.
    #[error("the repository `{name}` has no {what}\nhint: {hint}")]
    Lacks {
        /// The repository.
        name: String,
        /// What it lacks.
        what: &'static str,
        /// How to say it.
        hint: &'static str,
    },
    /// Something was said that would mean something else in the file that it is written to.
    #[error("the repository `{name}` can't have the {what} `{value}`")]
    BadValue {
        /// The repository.
        name: String,
        /// What it is about.
        what: &'static str,
        /// What was said.
        value: String,
    },
    /// The key is none.
    #[error("the key of the repository `{name}` is {found}\nhint: `gpg --armor --export KEY` writes one that is")]
    BadKey {
        /// The repository.
        name: String,
        /// What it is.
        found: &'static str,
    },
}
