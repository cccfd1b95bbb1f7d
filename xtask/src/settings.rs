//! Whether the settings of a herd fit the code that reads them: the runner knows the types, so it is asked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use wb_core::context::Unfit;
use wb_core::system::files::{self, Kind};
use wb_core::system::{Command, CommandError};

/// Why nobody knows whether the settings fit.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The runner does not start, or finds a mistake of another kind.
    #[error("the runner that was built does not check the settings of {}", herd.display())]
    Runner {
        /// The file.
        herd: PathBuf,
        /// Why.
        source: CommandError,
    },
    /// The runner says something else.
    #[error("the runner that was built says something else than which settings do not fit")]
    Says {
        /// What does not parse.
        source: serde_json::Error,
    },
}

/// The settings of the file `herd` that do not fit the code of the runner at `runner`.
///
/// # Errors
/// When the runner does not say.
pub fn unfit(runner: &Path, herd: &Path) -> Result<Vec<Unfit>, SettingsError> {
    let command = Command::new(runner).arg("check-herd").arg(herd).timeout(Duration::from_secs(60));
    let said = command.read().map_err(|source| SettingsError::Runner { herd: herd.to_owned(), source })?;
    serde_json::from_str(&said).map_err(|source| SettingsError::Says { source })
}

/// Whether a crate has types of settings: only then a runner has anything to say about a herd.
#[must_use]
pub fn are_typed(crate_dir: &Path) -> bool {
    let sources = files::below(crate_dir.join("src")).unwrap_or_default();
    let rust =
        sources.iter().filter(|(path, kind)| *kind == Kind::File && path.extension().is_some_and(|end| end == "rs"));
    rust.filter_map(|(path, _)| files::read_text(crate_dir.join("src").join(path)).ok()).any(|text| has_type(&text))
}

fn has_type(text: &str) -> bool {
    text.lines().any(|line| {
        let attribute = line.trim_start().strip_prefix("#[").unwrap_or_default();
        let name = attribute.split(['(', ']']).next().unwrap_or_default();
        name.rsplit("::").next() == Some("settings")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_settings_are_seen() {
        let check = |text: &str, expect| assert_eq!(has_type(text), expect, "{text}");
        check("#[settings(role = \"web\")]\nstruct A {}", true);
        check("mod a {\n    #[wb_stdlib::settings]\n    struct A {}\n}", true);
        check("// #[settings]", false);
        check("#[setting]\nfn settings() {}", false);
        check("", false);
    }

    #[test]
    fn a_crate_is_read_with_all_its_modules() {
        let dir = tempfile::tempdir().unwrap();
        files::create_dir(dir.path().join("src/hosts")).unwrap();
        files::write(dir.path().join("src/main.rs"), "mod hosts;", 0o644).unwrap();
        assert!(!are_typed(dir.path()));
        files::write(dir.path().join("src/hosts/network.rs"), "#[settings]\nstruct Network {}", 0o644).unwrap();
        assert!(are_typed(dir.path()));
    }
}
