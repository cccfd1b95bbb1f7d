//! What a drill is told and what it says: `wildebeest drill` runs one link on a machine that belongs to no herd, for
//! `cargo xtask test`, and says each thing as a line of JSON as soon as it has happened. So also of a run that was
//! killed it is known how far it came.

use serde::{Deserialize, Serialize};

use crate::change::Member;
use crate::context::{Debt, HerdView, Operation};

/// The herd as links are to see it. It lies in the host's configuration, as `drill.json`; where it does not, nobody
/// drills.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// The name of this host, which is one of the members.
    pub me: String,
    /// All hosts.
    pub members: Vec<Member>,
}

impl From<Script> for HerdView {
    fn from(Script { me, mut members }: Script) -> Self {
        members.sort_by(|one, other| one.name.cmp(&other.name));
        Self { me, members }
    }
}

/// A line of what a drill says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// The link did this, or would do it.
    Operation {
        /// What.
        operation: Operation,
        /// How many crash points the process had passed by then; those since the operation before are its own. Always 0
        /// in a runner without crash points.
        passed: u64,
    },
    /// A spec was asked.
    Spec(Answer),
    /// The last line: all of it was done, whatever came of it.
    Ended(Ended),
}

/// What a spec said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The name of the link in whose file it stands; nothing where that is no link's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The role that it is of; nothing: it is the link's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The spec's name.
    pub spec: String,
    /// Why it does not hold, with its causes; nothing: it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What came of a drill.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Why the link failed, or which specs do not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Of a plan: why nothing is known of what comes after its operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<String>,
    /// Whether the link waits for a reboot that it asked for. It goes on when it is run in the next boot.
    #[serde(default)]
    pub reboot: bool,
    /// What is still owed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owed: Vec<Debt>,
    /// The names of the steps that the link has finished, in the order in which it did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::de::DeserializeOwned;

    use super::*;
    use crate::context::{DebtAction, Outcome};

    fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, expect: &str) {
        assert_eq!(serde_json::to_string(value).unwrap(), expect);
        assert_eq!(serde_json::from_str::<T>(expect).unwrap(), *value);
    }

    #[test]
    fn what_is_said_is_read_back() {
        let operation =
            |outcome| Said::Operation { operation: Operation { what: "file /a present".into(), outcome }, passed: 7 };
        check(
            &operation(Outcome::Changed { diff: Some("-1\n+2".into()) }),
            r#"{"operation":{"operation":{"what":"file /a present","outcome":"changed","diff":"-1\n+2"},"passed":7}}"#,
        );
        check(
            &operation(Outcome::Unchanged),
            r#"{"operation":{"operation":{"what":"file /a present","outcome":"unchanged"},"passed":7}}"#,
        );
        let answer = Answer { link: Some("page".into()), role: None, spec: "served".into(), error: Some("404".into()) };
        check(&Said::Spec(answer), r#"{"spec":{"link":"page","spec":"served","error":"404"}}"#);
        check(&Said::Ended(Ended::default()), r#"{"ended":{"reboot":false}}"#);
        let owed = vec![Debt { action: DebtAction::Reload, service: "nginx".into() }];
        let ended = Ended { error: Some("no".into()), reboot: true, owed, steps: vec!["initdb".into()], ends: None };
        let owed = r#"[{"action":"reload","service":"nginx"}]"#;
        check(
            &Said::Ended(ended),
            &format!(r#"{{"ended":{{"error":"no","reboot":true,"owed":{owed},"steps":["initdb"]}}}}"#),
        );
    }

    #[test]
    fn a_script_says_what_links_see() {
        let text = r#"{"me": "web1", "members": [{"name": "web1", "roles": ["web"]}, {"name": "db1", "roles": []}]}"#;
        let script: Script = serde_json::from_str(text).unwrap();
        let herd = HerdView::from(script);
        assert_eq!(herd.members.iter().map(|member| member.name.as_str()).collect::<Vec<_>>(), ["db1", "web1"]);
        assert_eq!(herd.myself().map(|member| member.roles.len()), Some(1));
    }
}
