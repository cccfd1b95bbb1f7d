//! dpkg's list of diversions.

use std::fmt;
use std::path::{Path, PathBuf};

/// A file's diversion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where it goes.
    pub(super) to: PathBuf,
    /// Whose file stays; without one, nobody's.
    pub(super) package: Option<String>,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.package {
            Some(package) => write!(f, "to {} by {package}", self.to.display()),
            None => write!(f, "to {}, locally", self.to.display()),
        }
    }
}

/// All diversions.
pub(super) struct Table(String);

impl Table {
    pub(super) fn new(content: &[u8]) -> Self {
        Self(String::from_utf8_lossy(content).into_owned())
    }

    /// Reads three lines for each: the path, where it goes, and a package, or `:` for a local one.
    pub(super) fn find(&self, path: &Path) -> Option<Entry> {
        let mut lines = self.0.lines();
        while let (Some(from), Some(to), Some(package)) = (lines.next(), lines.next(), lines.next()) {
            if Path::new(from) == path {
                let package = (package != ":").then(|| package.to_owned());
                return Some(Entry { to: to.into(), package });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diversions_are_found_by_their_paths() {
        let table = Table::new(
            b"/usr/bin/pg_config\n/usr/bin/pg_config.libpq-dev\npostgresql-common\n/usr/bin/psql\n/usr/bin/psql.real\n:\n\
              /bin/sh\n/bin/sh.distrib\ndash\n/cut/short\n",
        );
        let check = |path: &str, expect: Option<&str>| {
            let found = table.find(Path::new(path)).map(|entry| entry.to_string());
            assert_eq!(found.as_deref(), expect, "{path}");
        };
        check("/usr/bin/pg_config", Some("to /usr/bin/pg_config.libpq-dev by postgresql-common"));
        check("/usr/bin/psql", Some("to /usr/bin/psql.real, locally"));
        check("/bin/sh", Some("to /bin/sh.distrib by dash"));
        check("/usr/bin/psql.real", None);
        check("/cut/short", None);
    }
}
