//! What a link waits for. A wait means *at or past*: who has gone further counts too. It never asks for more hosts than
//! the herd has, so that a lone host waits for nobody.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::foreign::Foreign;

/// What a link waits for before a host may run it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// For whom.
    #[serde(flatten)]
    pub who: Who,
    /// The link that these are to be at or past, by its name; nothing: the link right before the one that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<String>,
    /// What it means to a host that catches up.
    #[serde(default, skip_serializing_if = "OnCatchup::is_wait")]
    pub on_catchup: OnCatchup,
    /// After how many seconds a wait is overdue: it goes on, and is said to be a trouble. Nothing: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overdue: Option<u64>,
}

/// For whom a link waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// All admitted hosts of a role but the one that waits.
    All {
        /// The role.
        role: String,
    },
    /// At least one of them.
    Any {
        /// The role.
        role: String,
    },
    /// At least so many of them, or all where there are fewer.
    Count {
        /// The role.
        role: String,
        /// How many.
        hosts: u32,
    },
    /// A wait of a kind that this runner does not know: to it, it never holds.
    #[serde(untagged)]
    Other(Foreign),
}

/// What a wait means to a host that catches up: one that was restored, on the links that it had announced before, and one
/// that was never in service, on the links that others of its role have behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnCatchup {
    /// The same as to every other host.
    #[default]
    Wait,
    /// Nothing: it goes on.
    Pass,
    /// That the link can't be run now: where the wait does not hold, the host stops before it until people act.
    Fail,
    /// A word that this runner does not know: it waits as every other host does.
    #[serde(other)]
    Other,
}

impl OnCatchup {
    /// Whether it is the usual one.
    #[must_use]
    pub fn is_wait(&self) -> bool {
        *self == Self::Wait
    }
}

impl Wait {
    /// For these, to be at or past the link before.
    #[must_use]
    pub fn new(who: Who) -> Self {
        Self { who, reached: None, on_catchup: OnCatchup::Wait, overdue: None }
    }

    /// For all hosts of a role, to be at or past the link before.
    #[must_use]
    pub fn all(role: impl Into<String>) -> Self {
        Self::new(Who::All { role: role.into() })
    }

    /// Whether this runner can say when it holds.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !matches!(self.who, Who::Other(_))
    }

    /// The role of those that it waits for; empty where nobody knows here.
    #[must_use]
    pub fn role(&self) -> &str {
        self.who.role()
    }
}

impl Who {
    /// The role of those that are waited for; empty where nobody knows here.
    #[must_use]
    pub fn role(&self) -> &str {
        match self {
            Self::All { role } | Self::Any { role } | Self::Count { role, .. } => role,
            Self::Other(_) => "",
        }
    }

    /// How many of `others`, the hosts of the role without the one that waits, must be there.
    ///
    /// ```
    /// use wb_core::chain::Who;
    /// let two = Who::Count { role: "web".into(), hosts: 2 };
    /// assert_eq!((two.needs(5), two.needs(1)), (2, 1));
    /// ```
    #[must_use]
    pub fn needs(&self, others: usize) -> usize {
        match self {
            Self::All { .. } => others,
            Self::Any { .. } => others.min(1),
            Self::Count { hosts, .. } => others.min(*hosts as usize),
            Self::Other(_) => usize::MAX,
        }
    }
}

impl fmt::Display for Wait {
    /// As it stands in the attribute: `all("database", reached("install_postgres"))`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, role) = match &self.who {
            Who::All { role } => ("all", role),
            Who::Any { role } => ("any", role),
            Who::Count { role, .. } => ("count", role),
            Who::Other(_) => return write!(f, "a wait that only a newer runner knows"),
        };
        write!(f, "{word}(\"{role}\"")?;
        if let Who::Count { hosts, .. } = self.who {
            write!(f, ", {hosts}")?;
        }
        if let Some(link) = &self.reached {
            write!(f, ", reached(\"{link}\")")?;
        }
        write!(f, ")")?;
        match self.on_catchup {
            OnCatchup::Wait | OnCatchup::Other => {}
            OnCatchup::Pass => write!(f, ", on_catchup = pass")?,
            OnCatchup::Fail => write!(f, ", on_catchup = fail")?,
        }
        match self.overdue {
            Some(seconds) => write!(f, ", overdue = \"{seconds}s\""),
            None => Ok(()),
        }
    }
}

/// What is no wait.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no wait: write `all(\"role\")`, `any(\"role\")` or `count(\"role\", 2)`, each perhaps with `, reached(\"migration\")` in it"
)]
pub struct NoWait(String);

impl FromStr for Wait {
    type Err = NoWait;

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, NoWait> {
        read(text).ok_or_else(|| NoWait(text.to_owned()))
    }
}

fn read(text: &str) -> Option<Wait> {
    let (word, rest) = text.split_once("(\"")?;
    let (role, rest) = rest.split_once('"')?;
    let (inside, after) = match rest.split_once("\"))") {
        Some((inside, after)) => (inside, after),
        None => rest.split_once(')')?,
    };
    let (count, reached) = match inside.split_once(", reached(\"") {
        Some((count, link)) => (count, Some(link.to_owned())),
        None => (inside, None),
    };
    let role = role.to_owned();
    let who = match (word, count.strip_prefix(", ")) {
        ("all", None) if count.is_empty() => Who::All { role },
        ("any", None) if count.is_empty() => Who::Any { role },
        ("count", Some(hosts)) => Who::Count { role, hosts: hosts.parse().ok()? },
        _ => return None,
    };
    let mut wait = Wait { reached, ..Wait::new(who) };
    for part in after.split(", ").filter(|part| !part.is_empty()) {
        match part.split_once(" = ")? {
            ("on_catchup", "pass") => wait.on_catchup = OnCatchup::Pass,
            ("on_catchup", "fail") => wait.on_catchup = OnCatchup::Fail,
            ("overdue", time) => wait.overdue = Some(time.trim_matches('"').strip_suffix('s')?.parse().ok()?),
            _ => return None,
        }
    }
    Some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits() -> Vec<Wait> {
        let role = || "web".to_owned();
        let reached = Some("install_nginx".to_owned());
        vec![
            Wait::all("web"),
            Wait::new(Who::Any { role: role() }),
            Wait { reached: reached.clone(), ..Wait::new(Who::Count { role: role(), hosts: 2 }) },
            Wait { reached, on_catchup: OnCatchup::Pass, overdue: Some(90), ..Wait::all("web") },
            Wait { on_catchup: OnCatchup::Fail, ..Wait::all("web") },
        ]
    }

    #[test]
    fn a_wait_is_said_as_it_is_written() {
        let said: Vec<String> = waits().iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        all("web")
        any("web")
        count("web", 2, reached("install_nginx"))
        all("web", reached("install_nginx")), on_catchup = pass, overdue = "90s"
        all("web"), on_catchup = fail
        "#);
    }

    #[test]
    fn what_is_said_is_read_back_and_nothing_else_is() {
        for wait in waits() {
            assert_eq!(wait.to_string().parse(), Ok(wait));
        }
        for text in
            ["web", "some(\"web\")", "all(web)", "count(\"web\")", "count(\"web\", many)", "all(\"web\") or so", ""]
        {
            assert!(text.parse::<Wait>().is_err(), "{text}");
        }
    }

    #[test]
    fn json_keeps_it_and_reads_older_manifests() {
        for wait in waits() {
            let json = serde_json::to_string(&wait).unwrap();
            assert_eq!(serde_json::from_str::<Wait>(&json).unwrap(), wait, "{json}");
        }
        let old: Wait = serde_json::from_str(r#"{"all":{"role":"web"}}"#).unwrap();
        assert_eq!(old, Wait::all("web"));
        assert_eq!(serde_json::to_string(&old).unwrap(), r#"{"all":{"role":"web"}}"#);
    }

    #[test]
    fn no_more_hosts_are_needed_than_there_are() {
        let check = |wait: &str, others, expect| {
            assert_eq!(wait.parse::<Wait>().unwrap().who.needs(others), expect, "{wait} of {others}");
        };
        check("all(\"web\")", 3, 3);
        check("any(\"web\")", 3, 1);
        check("any(\"web\")", 0, 0);
        check("count(\"web\", 2)", 3, 2);
        check("count(\"web\", 2)", 1, 1);
    }
}
