//! Driving a host through its links: `wildebeest drill` on it, and what that says.

use std::time::Duration;

use serde::Serialize;
use wb_core::context::{Debt, DebtAction, Operation};
use wb_core::drill::{Answer, Ended, Said, Script};
use wb_core::system::fault;
use wb_core::system::{Command, CommandError, Output};

use super::TestError;
use super::diary::Diary;
use crate::sandbox::{Host, SandboxError, Touched};

/// Where hosts have the runner.
pub const RUNNER: &str = "/usr/local/bin/wildebeest";

/// Where they are told who they are.
const SCRIPT: &str = "/etc/wildebeest/drill.json";

/// How long one run of a link may take.
const BOUND: Duration = Duration::from_secs(60 * 60);

/// How often a link may reboot its host.
const BOOTS: usize = 5;

/// What a drill said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Heard {
    /// What the link did, or would do.
    pub operations: Vec<Operation>,
    /// How many crash points it had passed by the end of each.
    pub passed: Vec<u64>,
    /// What specs said.
    pub answers: Vec<Answer>,
    /// What came of it; nothing where it was cut short.
    pub ended: Option<Ended>,
    /// The exit code.
    pub code: i32,
    /// What else was written.
    pub log: String,
}

/// What a plan touched.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// These paths, seen from behind glass.
    Touched(Vec<Touched>),
    /// Nobody saw it.
    Nothing {
        /// Why not.
        why: String,
    },
}

/// A host that is driven.
#[derive(Debug, Clone, Copy)]
pub struct Driver<'a> {
    /// The host.
    pub host: &'a Host,
    /// What others call it.
    pub name: &'a str,
    /// The link that it is to go to at most; nothing: to the last.
    pub goal: Option<&'a str>,
    /// Where it is written down.
    pub diary: &'a Diary,
}

impl Heard {
    /// Reads all that a drill wrote. What is no line of its own is what the link printed.
    fn read(output: &Output) -> Self {
        let mut heard = Self { code: output.code, ..Self::default() };
        for line in output.text().lines() {
            match serde_json::from_str(line) {
                Ok(Said::Operation { operation, passed }) => {
                    heard.operations.push(operation);
                    heard.passed.push(passed);
                }
                Ok(Said::Spec(answer)) => heard.answers.push(answer),
                Ok(Said::Ended(ended)) => heard.ended = Some(ended),
                Err(_) => heard.log += &format!("{line}\n"),
            }
        }
        heard.log += &output.error_text();
        heard
    }

    /// Why it did not come to a good end.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        match &self.ended {
            Some(ended) => ended.error.clone(),
            None => Some(format!("it was cut short, with exit code {}: {}", self.code, self.log.trim())),
        }
    }

    /// Whether the link waits for a reboot.
    #[must_use]
    pub fn reboots(&self) -> bool {
        self.ended.as_ref().is_some_and(|ended| ended.reboot)
    }

    /// What it still owes at its end, which is nothing: a link pays what its changes made necessary.
    #[must_use]
    pub fn owes(&self) -> Option<String> {
        let owed = self.ended.as_ref().map(|ended| ended.owed.as_slice()).unwrap_or_default();
        let owed: Vec<String> = owed.iter().map(in_words).collect();
        (!owed.is_empty()).then(|| format!("it came to its end and still owes {}", owed.join(", ")))
    }

    /// As it is written down.
    fn told(&self) -> String {
        let operations = self.operations.iter().map(|operation| format!("{operation}\n"));
        let answers = self.answers.iter().map(|answer| {
            let said = answer.error.as_deref().unwrap_or("holds");
            format!("spec `{}`: {said}\n", answer.spec)
        });
        let error = self.error().map(|error| format!("error: {error}\n"));
        let log = Some(self.log.trim()).filter(|log| !log.is_empty()).map(|log| format!("{log}\n"));
        operations.chain(answers).chain(log).chain(error).collect()
    }
}

impl Driver<'_> {
    /// Gives the host a runner, and tells it who it is.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn equip(&self, runner: &[u8], script: &Script) -> Result<(), TestError> {
        self.host.put(SCRIPT, json(script), 0o600)?;
        Ok(self.host.put(RUNNER, runner, 0o755)?)
    }

    /// What a link would do, and what it touches by saying so.
    ///
    /// # Errors
    /// When it can't be asked.
    pub fn plan(&self, link: &str) -> Result<(Heard, Seen), TestError> {
        let words = ["plan", link];
        let (heard, seen) = match self.host.behind_glass(self.command(&words, None)) {
            Ok((output, touched)) => (Heard::read(&output), Seen::Touched(touched)),
            Err(SandboxError::NoGlass { why, .. }) => (self.ask(self.command(&words, None))?, Seen::Nothing { why }),
            Err(error) => return Err(error.into()),
        };
        Ok((self.answered(&words, heard)?, seen))
    }

    /// Runs a link, or takes it up, to its end: once, and again after each reboot that it asks for.
    ///
    /// # Errors
    /// When it can't be run. That it fails is no error.
    pub fn run(&self, link: &str) -> Result<Vec<Heard>, TestError> {
        self.run_under(link, &|_| None)
    }

    /// As [`Driver::run`], where `faults` says what befalls the process of each boot; the first one is 0. It may be cut
    /// short.
    ///
    /// # Errors
    /// As [`Driver::run`].
    pub fn run_under(
        &self,
        link: &str,
        faults: &dyn Fn(usize) -> Option<fault::Plan>,
    ) -> Result<Vec<Heard>, TestError> {
        let mut legs = vec![self.say(&["run", link], faults(0).as_ref())?];
        while legs.last().is_some_and(Heard::reboots) && legs.len() <= BOOTS {
            self.reboot()?;
            let leg = self.say(&["run", link], faults(legs.len()).as_ref())?;
            legs.push(leg);
        }
        Ok(legs)
    }

    /// Asks the specs that a link brought; where none is named, those of all that was done.
    ///
    /// # Errors
    /// When they can't be asked.
    pub fn specs(&self, link: Option<&str>) -> Result<Heard, TestError> {
        let words: Vec<&str> = ["specs"].into_iter().chain(link).collect();
        self.say(&words, None)
    }

    /// Says that a link was run.
    ///
    /// # Errors
    /// When it can't be said.
    pub fn done(&self, link: &str) -> Result<Heard, TestError> {
        self.say(&["done", link], None)
    }

    fn say(&self, words: &[&str], faults: Option<&fault::Plan>) -> Result<Heard, TestError> {
        let heard = self.ask(self.command(words, faults))?;
        self.answered(words, heard)
    }

    /// What takes too long is cut short.
    fn ask(&self, command: Command) -> Result<Heard, TestError> {
        match self.host.run(command) {
            Err(SandboxError::Command { source: late @ CommandError::TimedOut { .. }, .. }) => {
                Ok(Heard { log: late.to_string(), code: 124, ..Heard::default() })
            }
            output => Ok(Heard::read(&output?)),
        }
    }

    /// Who does not understand what is wanted, or may not do it, is no host that can be tested.
    fn answered(&self, words: &[&str], heard: Heard) -> Result<Heard, TestError> {
        self.diary.write(self.name, &format!("$ wildebeest drill {}\n{}\n", words.join(" "), heard.told()))?;
        if heard.ended.is_none() && [2, 3].contains(&heard.code) {
            let (host, asked) = (self.name.to_owned(), words.join(" "));
            return Err(TestError::Drill { host, asked, said: heard.log.trim().to_owned() });
        }
        Ok(heard)
    }

    fn command(&self, words: &[&str], faults: Option<&fault::Plan>) -> Command {
        let goal = self.goal.into_iter().flat_map(|goal| ["--goal", goal]);
        let command = Command::new(RUNNER).arg("drill").args(words).args(goal).timeout(BOUND);
        match faults {
            Some(faults) => command.arg("--faults").arg(json(faults)),
            None => command,
        }
    }

    fn reboot(&self) -> Result<(), TestError> {
        let before = self.host.boot_id()?;
        // It may end with the host.
        drop(self.host.run(Command::new("shutdown").args(["-r", "now"])));
        Ok(self.host.wait_for_reboot(&before)?)
    }
}

fn in_words(debt: &Debt) -> String {
    let action = match debt.action {
        DebtAction::Reload => "a reload",
        DebtAction::Restart => "a restart",
    };
    format!("{action} of {}", debt.service)
}

/// What has names for keys alone is always JSON.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(code: i32, stdout: &str, stderr: &str) -> Heard {
        Heard::read(&Output { code, stdout: stdout.into(), stderr: stderr.into() })
    }

    const OPERATION: &str = r#"{"operation":{"operation":{"what":"file /a present","outcome":"changed"},"passed":7}}"#;
    const SPEC: &str = r#"{"spec":{"link":"page","spec":"served","error":"404"}}"#;

    #[test]
    fn what_is_said_is_heard() {
        let ended = r#"{"ended":{"error":"1 of 1 specs do not hold","reboot":false}}"#;
        let heard = heard(1, &format!("{OPERATION}\nhello\n{SPEC}\n{ended}\n"), "waits\n");
        assert_eq!((heard.operations.len(), &heard.passed[..], heard.answers.len()), (1, &[7][..], 1));
        assert_eq!((heard.error().as_deref(), heard.reboots()), (Some("1 of 1 specs do not hold"), false));
        assert_eq!(
            heard.told(),
            "+ file /a present\nspec `served`: 404\nhello\nwaits\nerror: 1 of 1 specs do not hold\n"
        );
    }

    #[test]
    fn what_was_cut_short_has_no_end() {
        let heard = heard(137, &format!("{OPERATION}\n"), "");
        assert_eq!((heard.operations.len(), heard.ended.is_some()), (1, false));
        assert_eq!(heard.error().unwrap(), "it was cut short, with exit code 137: ");
    }

    #[test]
    fn who_ends_owes_nothing() {
        let check = |ended: &str, expect| assert_eq!(heard(0, ended, "").owes().as_deref(), expect, "{ended}");
        check("", None);
        check(r#"{"ended":{}}"#, None);
        let owed = r#"[{"action":"reload","service":"nginx"},{"action":"restart","service":"cron"}]"#;
        let says = "it came to its end and still owes a reload of nginx, a restart of cron";
        check(&format!(r#"{{"ended":{{"owed":{owed}}}}}"#), Some(says));
    }

    #[test]
    fn a_reboot_is_awaited() {
        let check = |ended: &str, expect| assert_eq!(heard(0, ended, "").reboots(), expect, "{ended}");
        check(r#"{"ended":{"reboot":true}}"#, true);
        check(r#"{"ended":{"reboot":false}}"#, false);
        check("", false);
    }
}
