//! What there is of a package on this host.

use std::collections::BTreeMap;
use std::fmt;

/// What there is of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PackageState {
    /// Nothing, or only files of `/etc` that it left behind.
    #[default]
    Absent,
    /// Its installation was cut short.
    Unfinished,
    /// All of it.
    Installed {
        /// In this version.
        version: String,
    },
}

impl fmt::Display for PackageState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("absent"),
            Self::Unfinished => f.write_str("half installed"),
            Self::Installed { version } => write!(f, "installed in version {version}"),
        }
    }
}

/// All that is known of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) state: PackageState,
    /// Whether it is to stay as it is.
    pub(super) held: bool,
    /// Whether a run was cut short that had let it go, and would have held it again.
    pub(super) loose: bool,
    /// Whether files of `/etc` are left of it.
    pub(super) left: bool,
}

impl Facts {
    pub(super) fn installed(version: &str) -> Self {
        Self { state: PackageState::Installed { version: version.to_owned() }, ..Self::default() }
    }

    /// The version that is installed.
    pub(super) fn version(&self) -> Option<&str> {
        match &self.state {
            PackageState::Installed { version } => Some(version),
            PackageState::Absent | PackageState::Unfinished => None,
        }
    }
}

/// Facts by the name that was asked for.
pub(super) type Found = BTreeMap<String, Facts>;

/// The facts of these names, each looked up so.
pub(super) fn found(names: &[String], look_up: impl Fn(&str) -> Facts) -> Found {
    names.iter().map(|name| (name.clone(), look_up(name))).collect()
}
