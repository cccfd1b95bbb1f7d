//! The names of the refs that a herd lives in.

use std::fmt;

use uuid::Uuid;

use crate::chain::Digest;

/// A ref under `refs/wildebeest/`.
///
/// ```
/// use wb_core::registry::RefName;
/// assert_eq!(RefName::Out("web".into()).to_string(), "refs/wildebeest/out/web");
/// assert_eq!("refs/wildebeest/out/web".parse(), Ok(RefName::Out("web".into())));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefName {
    /// The log of changes.
    Changes,
    /// A runner binary for a platform.
    Runner {
        /// As in `x86_64-linux`.
        platform: String,
        /// Which one.
        id: String,
    },
    /// A word about a runner: that it was tested. Operators ask for it, hosts never do.
    Tested {
        /// As in `x86_64-linux`.
        platform: String,
        /// Of the runner's bytes.
        sha256: Digest,
    },
    /// The picture of a host's state.
    State(Uuid),
    /// A host's signed report.
    Report(Uuid),
    /// Where a host failed last, its report of that; where it failed before and goes on, the one in which it said so.
    Failed(Uuid),
    /// A role's pool: who is out of load.
    Out(String),
}

/// What the names of all refs of a herd start with.
pub const ROOT: &str = "refs/wildebeest/";

impl RefName {
    /// Those that a host alone writes.
    #[must_use]
    pub fn of_host(uuid: Uuid) -> [Self; 3] {
        [Self::Report(uuid), Self::State(uuid), Self::Failed(uuid)]
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changes => write!(f, "{ROOT}changes"),
            Self::Runner { platform, id } => write!(f, "{ROOT}runners/{platform}/{id}"),
            Self::Tested { platform, sha256 } => write!(f, "{ROOT}tested/{platform}/{sha256}"),
            Self::State(uuid) => write!(f, "{ROOT}state/{uuid}"),
            Self::Report(uuid) => write!(f, "{ROOT}report/{uuid}"),
            Self::Failed(uuid) => write!(f, "{ROOT}failed/{uuid}"),
            Self::Out(role) => write!(f, "{ROOT}out/{role}"),
        }
    }
}

impl std::str::FromStr for RefName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        // A uuid can be written in many ways, and only one of them is its host's.
        parse(text).filter(|name| name.to_string() == text).ok_or(())
    }
}

fn parse(text: &str) -> Option<RefName> {
    let parts: Vec<&str> = text.strip_prefix(ROOT)?.split('/').collect();
    match parts[..] {
        ["changes"] => Some(RefName::Changes),
        ["runners", platform, id] => Some(RefName::Runner { platform: platform.into(), id: id.into() }),
        ["tested", platform, sha256] => {
            Some(RefName::Tested { platform: platform.into(), sha256: sha256.parse().ok()? })
        }
        ["state", uuid] => uuid.parse().map(RefName::State).ok(),
        ["report", uuid] => uuid.parse().map(RefName::Report).ok(),
        ["failed", uuid] => uuid.parse().map(RefName::Failed).ok(),
        ["out", role] => Some(RefName::Out(role.into())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let uuid = Uuid::from_u128(7);
        let runner = RefName::Runner { platform: "x86_64-linux".into(), id: "abc".into() };
        let tested = RefName::Tested { platform: "x86_64-linux".into(), sha256: Digest::of(b"runner") };
        let others = [RefName::Changes, RefName::Out("web".into()), runner, tested];
        for name in RefName::of_host(uuid).into_iter().chain(others) {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
    }

    #[test]
    fn other_refs_are_none_of_ours() {
        let others = ["refs/heads/main", "refs/wildebeest/state/web1", "refs/wildebeest/out/a/b", "refs/wildebeest/"];
        for text in others.into_iter().chain(["refs/wildebeest/tested/x86_64-linux/abc"]) {
            assert_eq!(text.parse::<RefName>(), Err(()), "{text}");
        }
    }

    #[test]
    fn a_uuid_is_written_in_one_way_only() {
        let check = |uuid: &str, expect: bool| {
            assert_eq!(format!("refs/wildebeest/report/{uuid}").parse::<RefName>().is_ok(), expect, "{uuid}");
        };
        check("67e55044-10b1-426f-9247-bb680e5fe0c8", true);
        check("67E55044-10B1-426F-9247-BB680E5FE0C8", false);
        check("67e5504410b1426f9247bb680e5fe0c8", false);
    }
}
