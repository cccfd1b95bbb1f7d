//! What is seen of a herd on sandboxes: diaries that migrations write, logs of agents, and what the operator's status
//! says.

use std::time::Duration;

use serde_json::Value;
use wb_core::system::{Output, files};

use crate::stage::{BOUND, Stage};

/// The herd's status at one moment.
#[derive(Debug)]
pub struct Status(Value);

/// Checks an exit code, and that all these words were said.
///
/// # Panics
/// When it is another, or they were not.
#[track_caller]
pub fn says(output: &Output, code: i32, words: &[&str]) {
    let said = format!("{}\n{}", output.text(), output.error_text());
    assert_eq!(output.code, code, "{said}");
    words.iter().for_each(|words| assert!(said.contains(words), "no `{words}` in\n{said}"));
}

impl Stage {
    /// The words of a host's diary; none while the host is down.
    #[must_use]
    pub fn diary(&self, host: &str) -> String {
        self.text(host, "srv/diary").trim_end().replace('\n', " ")
    }

    /// Waits until a diary consists of these words.
    pub fn diary_says(&self, host: &str, expect: &str) {
        self.wait(&format!("the diary of {host} to be `{expect}`"), || (self.diary(host) == expect).then_some(()));
    }

    /// Waits until the log of a host's agent has these words, and gives all of it.
    pub fn log_says(&self, host: &str, words: &str) -> String {
        let log = || Some(self.log(host)).filter(|log| log.contains(words));
        self.wait(&format!("`{words}` in the log of {host}"), log)
    }

    /// The log of a host's agent.
    #[must_use]
    pub fn log(&self, host: &str) -> String {
        self.text(host, "var/log/wildebeest.log")
    }

    fn text(&self, host: &str, path: &str) -> String {
        let text = self.host(host).root().ok().and_then(|root| files::read_text(root.join(path)).ok());
        text.unwrap_or_default()
    }

    /// What the operator sees.
    ///
    /// # Panics
    /// When the operator sees nothing.
    #[must_use]
    pub fn status(&self) -> Status {
        let output = self.operate(&["status", "--json"]);
        Status(serde_json::from_str(&output.text()).unwrap_or_else(|_| panic!("{}", output.error_text())))
    }

    /// Waits until what the operator sees gives a value.
    pub fn watch<T>(&self, what: &str, judge: impl FnMut(&Status) -> Option<T>) -> T {
        self.watch_within(BOUND, what, judge)
    }

    /// The same, for `bound` at most.
    pub fn watch_within<T>(&self, bound: Duration, what: &str, mut judge: impl FnMut(&Status) -> Option<T>) -> T {
        // The operator's command is a whole program, which takes its share of the machine.
        self.wait_so(bound, Duration::from_millis(500), what, || judge(&self.status()))
    }

    /// Tells the herd what the fleet says now.
    pub fn deploy(&self) {
        says(&self.operate(&["deploy", "--untested"]), 0, &[]);
    }

    /// Waits until these hosts are up to date.
    pub fn up_to_date(&self, hosts: &[&str]) {
        self.watch(&format!("{} to be up to date", hosts.join(", ")), |status| status.are_there(hosts).then_some(()));
    }
}

impl Status {
    /// What a host is doing, in a word, and what it waits for or what is wrong.
    ///
    /// # Panics
    /// When it is not in the herd.
    #[must_use]
    pub fn phase(&self, host: &str) -> (&str, &str) {
        let host = self.of(host);
        (host["phase"].as_str().unwrap_or_default(), host["detail"].as_str().unwrap_or_default())
    }

    /// Whether these hosts are at the target, and in load.
    #[must_use]
    pub fn are_there(&self, hosts: &[&str]) -> bool {
        hosts.iter().all(|host| self.phase(host).0 == "up to date" && self.of(host)["at_target"] == true)
    }

    /// The hosts that go first, and whether each one has passed.
    #[must_use]
    pub fn canaries(&self) -> Vec<(&str, bool)> {
        let hosts = self.0["canary"]["hosts"].as_object();
        hosts.into_iter().flatten().map(|(host, passed)| (host.as_str(), !passed.is_null())).collect()
    }

    /// Whether a host has accepted the newest change.
    #[must_use]
    pub fn has_heard(&self, host: &str) -> bool {
        self.of(host)["change"] == self.0["change"]
    }

    fn of(&self, host: &str) -> &Value {
        let hosts = self.0["hosts"].as_array().expect("hosts");
        hosts.iter().find(|entry| entry["name"] == host).expect("a host of that name")
    }
}
