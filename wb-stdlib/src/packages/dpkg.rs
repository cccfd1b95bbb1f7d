//! What dpkg knows.

use std::collections::BTreeMap;
use std::fmt;

/// What there is of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackageState {
    /// Nothing, or only files of `/etc` that it left behind.
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

/// The format that [`parse_states`] reads, for `dpkg-query -f`.
pub(super) const FORMAT: &str = "${Package}\t${Architecture}\t${db:Status-Abbrev}\t${Version}\n";

/// Reads lines like `bash⇥amd64⇥ii ⇥5.2.15-2+b8`. A package goes by its name, and by `name:architecture` too.
pub(super) fn parse_states(text: &str) -> BTreeMap<String, PackageState> {
    let mut states = BTreeMap::new();
    for line in text.lines() {
        let [name, architecture, abbreviation, version] = line.split('\t').collect::<Vec<_>>()[..] else { continue };
        let state = state(abbreviation, version);
        states.insert(format!("{name}:{architecture}"), state.clone());
        if !matches!(states.get(name), Some(PackageState::Installed { .. })) {
            states.insert(name.to_owned(), state);
        }
    }
    states
}

/// The second letter of an abbreviation is what there is: see dpkg-query(1).
fn state(abbreviation: &str, version: &str) -> PackageState {
    match abbreviation.chars().nth(1) {
        Some('i' | 'W' | 't') => PackageState::Installed { version: version.to_owned() },
        Some('n' | 'c') | None => PackageState::Absent,
        Some(_) => PackageState::Unfinished,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_from_what_dpkg_query_says() {
        let text = "bash\tamd64\tii \t5.2.15-2+b8\nlibc6\tamd64\tii \t2.36-9\nlibc6\ti386\trc \t2.30-1\n\
                    nginx\tamd64\tiF \t1.22.1-9\nvim\tamd64\tun \t\ncron\tamd64\thi \t3.0\n";
        let states = parse_states(text);
        let check = |name: &str, expect: &str| assert_eq!(states[name].to_string(), expect, "{name}");
        check("bash", "installed in version 5.2.15-2+b8");
        check("libc6", "installed in version 2.36-9");
        check("libc6:i386", "absent");
        check("nginx", "half installed");
        check("vim", "absent");
        check("cron", "installed in version 3.0");
        assert_eq!(states.get("emacs"), None);
    }
}
