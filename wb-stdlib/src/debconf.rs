//! Answers to the questions that packages of Debian ask when they are installed.

mod database;

use std::time::Duration;

use anyhow::Result;
use wb_core::context::Outcome;
use wb_core::system::files::FileError;
use wb_core::system::{Command, CommandError, Output, System};

use crate::ensure::{Difference, ensure};
use crate::packages::tool::{Tool, Trouble, quiet, said, says};
use crate::{Host, Look};
use database::Database;

/// Where the answers are, but for those to questions of the type `password`.
const ANSWERS: &str = "/var/cache/debconf/config.dat";
const PASSWORDS: &str = "/var/cache/debconf/passwords.dat";
/// The types of questions, as debconf-set-selections(1) knows them.
const TYPES: [&str; 8] = ["string", "boolean", "select", "multiselect", "note", "text", "title", PASSWORD];
const PASSWORD: &str = "password";
/// How long one run of debconf may take.
const RUN_BOUND: Duration = Duration::from_secs(120);

/// What can go wrong with answers.
#[derive(Debug, thiserror::Error)]
pub enum DebconfError {
    /// It is no name of a package or a question.
    #[error("`{name}` is no {what}\nhint: `debconf-show PACKAGE` on a host that has the package lists its questions")]
    BadName {
        /// What it should be: `package` or `question`.
        what: &'static str,
        /// What was said.
        name: String,
    },
    /// There are no questions of that type.
    #[error("the question `{question}` can't be of the type `{found}`\nhint: types are {}", TYPES.join(", "))]
    BadType {
        /// The question.
        question: String,
        /// What was said.
        found: String,
    },
    /// The answer can't be told to debconf as it is.
    #[error("the answer to `{question}` {why}")]
    BadAnswer {
        /// The question.
        question: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The answers that there are can't be read.
    #[error("could not see the answers for the package `{package}`")]
    Read {
        /// The package.
        package: String,
        /// Why.
        source: FileError,
    },
    /// debconf did not take the answers.
    #[error("could not set the answers for the package `{package}`")]
    Set {
        /// The package.
        package: String,
        /// Why.
        source: CommandError,
    },
    /// debconf took the answers, and does not have them.
    #[error("debconf was given the answer to `{question}`, and does not have it")]
    NotSo {
        /// The question.
        question: String,
    },
}

/// Answers to the questions of a package. [`Look::debconf`] makes it.
///
/// Say them before the package is installed: it asks no questions then, and takes them. A package that is there already
/// takes them with `dpkg-reconfigure`.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn install_postfix(host: &Host) -> Result<()> {
///     host.debconf("postfix")
///         .answer("postfix/main_mailer_type", "select", "Internet Site")
///         .answer("postfix/mailname", "string", "shop.example.org")
///         .set()?;
///     host.packages(["postfix"]).installed()?;
///     Ok(())
/// }
///
/// fn the_mail_name(host: &View) -> Result<String> {
///     host.debconf("postfix").value("postfix/mailname")?.context("nobody gave postfix a name")
/// }
/// # wb_stdlib::testing::web1().rehearse(install_postfix).asks(the_mail_name);
/// ```
#[must_use = "answers are said by `.set()?`"]
pub struct Debconf<A> {
    access: A,
    package: String,
    answers: Vec<Answer>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    question: String,
    kind: String,
    value: String,
}

impl<A: Look> Debconf<A> {
    pub(crate) fn new(access: A, package: &str) -> Self {
        Self { access, package: package.to_owned(), answers: Vec::new() }
    }

    /// The answer to a question, as in `postfix/mailname`, where somebody gave one. Not to one of the type `password`.
    ///
    /// # Errors
    /// When the answers can't be read.
    pub fn value(&self, question: &str) -> Result<Option<String>, DebconfError> {
        Ok(self.database(ANSWERS)?.find(question).and_then(|found| found.value).map(str::to_owned))
    }

    fn database(&self, path: &str) -> Result<Database, DebconfError> {
        let content = self.system().read_file(path);
        let content = content.map_err(|source| DebconfError::Read { package: self.package.clone(), source })?;
        Ok(Database::new(&content.unwrap_or_default()))
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl Debconf<Host<'_>> {
    /// The answer to a question, with the question's type: `string`, `boolean`, `select`, `multiselect`, `password`,
    /// `note`, `text` or `title`. One of the type `password` is never shown.
    pub fn answer(mut self, question: impl Into<String>, kind: impl Into<String>, value: impl Into<String>) -> Self {
        self.answers.push(Answer { question: question.into(), kind: kind.into(), value: value.into() });
        self
    }

    /// debconf has these answers, and does not ask these questions any more.
    ///
    /// # Errors
    /// When one is no answer, or debconf does not take it.
    pub fn set(self) -> Result<Outcome, DebconfError> {
        self.check()?;
        let differing = self.differing()?;
        let lines: Vec<String> = differing.iter().map(|(_, line)| line.clone()).collect();
        let difference = if lines.is_empty() { Difference::None } else { Difference::Some(Some(lines.join("\n"))) };
        let what = format!("debconf answers of {} set", self.package);
        ensure(self.access, &what, difference, || {
            self.tell(differing.iter().map(|(answer, _)| *answer))?;
            match self.differing()?.first() {
                None => Ok(()),
                Some((answer, _)) => Err(DebconfError::NotSo { question: answer.question.clone() }),
            }
        })
    }

    fn check(&self) -> Result<(), DebconfError> {
        if !is_word(&self.package) {
            return Err(DebconfError::BadName { what: "package", name: self.package.clone() });
        }
        self.answers.iter().try_for_each(Answer::check)
    }

    /// The answers that debconf does not have, each with how it will change.
    fn differing(&self) -> Result<Vec<(&Answer, String)>, DebconfError> {
        let answers = self.database(ANSWERS)?;
        let has_passwords = self.answers.iter().any(Answer::is_secret);
        let passwords = if has_passwords { self.database(PASSWORDS)? } else { Database::new(b"") };
        let differing = self.answers.iter().filter_map(|answer| {
            let found = if answer.is_secret() { &passwords } else { &answers };
            answer.difference(found).map(|line| (answer, line))
        });
        Ok(differing.collect())
    }

    fn tell<'b>(&self, answers: impl Iterator<Item = &'b Answer>) -> Result<(), DebconfError> {
        let line = |answer: &Answer| format!("{} {} {} {}\n", self.package, answer.question, answer.kind, answer.value);
        let command = quiet(Command::new("debconf-set-selections"))
            .env("DEBIAN_FRONTEND", "noninteractive")
            .timeout(RUN_BOUND)
            .stdin(answers.map(line).collect::<String>());
        let told = Selections { system: self.system() }.insist(&command);
        told.map(drop).map_err(|failure| DebconfError::Set { package: self.package.clone(), source: failure.source })
    }
}

/// debconf-set-selections, which waits for nobody by itself.
struct Selections<'a> {
    system: &'a System,
}

impl Tool for Selections<'_> {
    fn system(&self) -> &System {
        self.system
    }

    fn trouble(&self, output: &Output) -> Option<Trouble> {
        match says(&said(output), &["is locked by another process"]) {
            true => Some(Trouble::Locked),
            false => (output.code != 0).then_some(Trouble::Other),
        }
    }

    fn mend(&self, _: Trouble) -> Result<(), CommandError> {
        Ok(())
    }

    fn update_lists(&self) -> Result<(), CommandError> {
        Ok(())
    }
}

impl Answer {
    fn check(&self) -> Result<(), DebconfError> {
        let question = self.question.clone();
        if !is_word(&question) || question.starts_with('#') {
            return Err(DebconfError::BadName { what: "question", name: question });
        }
        if !TYPES.contains(&self.kind.as_str()) {
            return Err(DebconfError::BadType { question, found: self.kind.clone() });
        }
        match () {
            () if self.value.contains(['\n', '\r']) => {
                Err(DebconfError::BadAnswer { question, why: "has a line break, which debconf can't be told" })
            }
            () if self.value.ends_with('\\') => Err(DebconfError::BadAnswer {
                question,
                why: "ends with a backslash, which debconf reads as something else",
            }),
            () => Ok(()),
        }
    }

    fn is_secret(&self) -> bool {
        self.kind == PASSWORD
    }

    /// How debconf has it otherwise.
    fn difference(&self, database: &Database) -> Option<String> {
        let found = database.find(&self.question);
        let value = found.and_then(|found| found.value);
        let question = &self.question;
        match value == Some(self.value.as_str()) {
            true if found.is_some_and(|found| found.is_seen) => None,
            true => Some(format!("{question}: is not asked any more")),
            false if self.is_secret() => Some(format!("{question}: another password, which is not shown")),
            false => Some(match value {
                Some(value) => format!("{question}: {value} -> {}", self.value),
                None => format!("{question}: {}", self.value),
            }),
        }
    }
}

fn is_word(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(['-', '#']) && name.chars().all(|c| !c.is_whitespace() && !c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Machine, changed};

    const NONE: &str = "Name: man-db/install-setuid\nTemplate: man-db/install-setuid\nValue: false\nOwners: man-db\n\
                        Flags: seen\n\n";
    const ALL: &str = "Name: postfix/mailname\nTemplate: postfix/mailname\nValue: shop.example.org\nOwners: postfix\n\
                       Flags: seen\n\n";

    fn set(host: &Host) -> Result<Outcome> {
        Ok(host.debconf("postfix").answer("postfix/mailname", "string", "shop.example.org").set()?)
    }

    #[test]
    fn answers_that_debconf_has_cost_no_program() {
        let machine = Machine::new().file(ANSWERS, &format!("{NONE}{ALL}"));
        assert_eq!(machine.apply(set).unwrap(), Outcome::Unchanged);
        assert_eq!(machine.calls(), [""; 0]);
        let value = machine.view(|host| Ok(host.debconf("postfix").value("postfix/mailname")?)).unwrap();
        assert_eq!(value.as_deref(), Some("shop.example.org"));
    }

    #[test]
    fn a_plan_says_what_it_would_answer() {
        let machine = Machine::new();
        assert_eq!(machine.plan(set).unwrap(), changed("postfix/mailname: shop.example.org"));
        assert_eq!(machine.calls(), [""; 0]);
        let machine = Machine::new().file(ANSWERS, &ALL.replace("shop", "old"));
        assert_eq!(machine.plan(set).unwrap(), changed("postfix/mailname: old.example.org -> shop.example.org"));
        let machine = Machine::new().file(ANSWERS, &ALL.replace("Flags: seen\n", ""));
        assert_eq!(machine.plan(set).unwrap(), changed("postfix/mailname: is not asked any more"));
    }

    #[test]
    fn what_debconf_did_not_take_is_an_error() {
        let machine = Machine::new().answer("debconf-set-selections", 0, "");
        let error = machine.apply(set).unwrap_err();
        assert_eq!(error.to_string(), "debconf was given the answer to `postfix/mailname`, and does not have it");
        assert_eq!(machine.calls(), ["debconf-set-selections"]);
    }

    #[test]
    fn a_lock_is_waited_for() {
        let locked = "debconf: DbDriver \"config\": /var/cache/debconf/config.dat is locked by another process: Resource \
                      temporarily unavailable";
        let machine = Machine::new().answer("debconf-set-selections", 1, locked);
        let error = format!("{:#}", machine.apply(set).unwrap_err());
        assert!(error.contains("is locked by another process"), "{error}");
        assert_eq!(machine.calls().len(), 121, "each five seconds, for ten minutes");
    }

    #[test]
    fn a_password_is_shown_nowhere() {
        let machine = Machine::new().answer("debconf-set-selections", 0, "");
        let set = |host: &Host| Ok(host.debconf("slapd").answer("slapd/password1", "password", "geheim").set()?);
        assert_eq!(machine.plan(set).unwrap(), changed("slapd/password1: another password, which is not shown"));
        let error = machine.apply(set).unwrap_err();
        assert!(!format!("{error:#} {:?} {}", machine.calls(), machine.said()).contains("geheim"));
        let there = Machine::new().file(PASSWORDS, "Name: slapd/password1\nValue: geheim\nFlags: seen\n\n");
        assert_eq!(there.apply(set).unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn what_debconf_would_read_as_something_else_is_refused() {
        let check = |package: &str, question: &str, kind: &str, value: &str, expect: &str| {
            let machine = Machine::new();
            let error = machine.apply(|host| Ok(host.debconf(package).answer(question, kind, value).set()?));
            let error = error.unwrap_err().to_string();
            assert_eq!(error.lines().next(), Some(expect));
        };
        check("a b", "q", "string", "x", "`a b` is no package");
        check("a", "q r", "string", "x", "`q r` is no question");
        check("a", "#q", "string", "x", "`#q` is no question");
        check("a", "q", "strin", "x", "the question `q` can't be of the type `strin`");
        check(
            "a",
            "q",
            "string",
            "x\na q2 string y",
            "the answer to `q` has a line break, which debconf can't be told",
        );
        let backslash = "the answer to `q` ends with a backslash, which debconf reads as something else";
        check("a", "q", "string", "x\\", backslash);
    }
}
