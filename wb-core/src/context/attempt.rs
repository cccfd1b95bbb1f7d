//! One run of a link, and what it need not do again.
//!
//! A link that was cut short runs again from its first line, on the same host, as often as that happens. What must not
//! happen twice is a *step*: its result is on disk before the link goes on, and the next run finds it there. A
//! precondition that held and a reboot that came are steps, too, of names that are theirs alone.
//!
//! A step is known by its link, its name, and how many of that name came before it in the run. So a step in a step
//! can't be: where the outer one is finished, nobody counts the inner one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::journal::{Journal, JournalError, Step};
use crate::chain::{Link, Sha1};

/// One run of a link.
pub struct Attempt {
    link: Link,
    boot_id: String,
    journal: Rc<dyn Journal>,
    counts: RefCell<BTreeMap<String, usize>>,
    within: RefCell<Option<String>>,
}

/// Where a run stands: at a step of this name, and which one.
pub struct Place {
    attempt: Rc<Attempt>,
    name: String,
    occurrence: usize,
}

/// Why a step can't be done, or not be found again.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// Specs, `leave` and `rejoin` have none.
    #[error("`{name}` is no step of a migration: only a migration that runs has steps, and can reboot its host")]
    Outside {
        /// The step.
        name: String,
    },
    /// A step in a step.
    #[error(
        "the step `{name}` stands within the step `{within}`: a step is kept as a whole, so it has none of its own"
    )]
    Nested {
        /// The inner one.
        name: String,
        /// The outer one.
        within: String,
    },
    /// A name that the journal has for something else.
    #[error("`{name}` is no name for a step: reboots and preconditions are kept under it")]
    Reserved {
        /// The name.
        name: String,
    },
    /// What it gave can't be stored and read again.
    #[error("what the step `{name}` of {link} gave, a `{wanted}`, can't be stored and read again")]
    Value {
        /// The step.
        name: String,
        /// Its link.
        link: String,
        /// The type that it gives.
        wanted: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// What it stored is of another type than what it gives now.
    #[error(
        "the step `{name}` of {link} stored {found}, which is no `{wanted}`; hint: let the step give what it gave \
         before, or amend the migration without keeping `{name}`, so that it runs again"
    )]
    Stored {
        /// The step.
        name: String,
        /// Its link.
        link: String,
        /// The stored value, in words.
        found: String,
        /// The type that it gives now.
        wanted: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// It could not be written down.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The kernel does not say which boot this is.
    #[error("can't tell this boot of the host from the next: /proc/sys/kernel/random/boot_id can't be read")]
    NoBootId,
    /// It is run while its host bears load.
    #[error(
        "{link} is run in load (`rolling = false`), where a reboot would take load away unasked; hint: without \
         `rolling = false` it is run out of load, and may reboot its host"
    )]
    InLoad {
        /// The link.
        link: String,
    },
    /// The host is about to reboot. The migration goes on after that.
    #[error("the host reboots: the migration goes on after that")]
    Rebooting,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Attempt>>> = const { RefCell::new(None) };
}

const REBOOT: &str = "reboot";
const REQUIREMENT: &str = "require!";

impl Attempt {
    /// A run of `link` in this boot.
    pub fn new(link: &Link, boot_id: impl Into<String>, journal: Rc<dyn Journal>) -> Rc<Self> {
        Rc::new(Self {
            link: link.clone(),
            boot_id: boot_id.into(),
            journal,
            counts: RefCell::default(),
            within: RefCell::default(),
        })
    }

    /// Runs `act` as this attempt: the preconditions in it are this link's.
    pub fn run<T>(self: &Rc<Self>, act: impl FnOnce() -> T) -> T {
        let before = CURRENT.replace(Some(Rc::clone(self)));
        let _reset = Reset(|| drop(CURRENT.replace(before.clone())));
        act()
    }

    /// The next step of this name.
    ///
    /// # Errors
    /// When no step can be here.
    pub fn step(self: &Rc<Self>, name: &str) -> Result<Place, StepError> {
        match name == REBOOT || name.starts_with(REQUIREMENT) {
            true => Err(StepError::Reserved { name: name.to_owned() }),
            false => self.place(name),
        }
    }

    /// Asks for a reboot; nothing more to ask for where it has come.
    ///
    /// # Errors
    /// [`StepError::Rebooting`], once it is written down that the host is to reboot; and when the link is run in load.
    pub fn reboot(self: &Rc<Self>) -> Result<(), StepError> {
        let place = self.reboots()?;
        if place.has_come()? {
            return Ok(());
        }
        place.finish(&self.boot_id)?;
        Err(StepError::Rebooting)
    }

    /// Whether the next reboot that is asked for has come. Only asks.
    ///
    /// # Errors
    /// When no reboot can be asked for here.
    pub fn has_rebooted(self: &Rc<Self>) -> Result<bool, StepError> {
        self.reboots()?.has_come()
    }

    /// Whether it has asked for a reboot that has not come.
    #[must_use]
    pub fn awaits_reboot(&self) -> bool {
        awaits_reboot(&self.journal.steps(), self.link.sha1, &self.boot_id)
    }

    /// The next reboot. The same link is refused it on all hosts, also where it would harm nobody: what is tested on one is
    /// what happens on the next.
    fn reboots(self: &Rc<Self>) -> Result<Place, StepError> {
        match self.link.in_load {
            true => Err(StepError::InLoad { link: self.link.to_string() }),
            false => self.place(REBOOT),
        }
    }

    fn place(self: &Rc<Self>, name: &str) -> Result<Place, StepError> {
        if let Some(within) = self.within.borrow().clone() {
            return Err(StepError::Nested { name: name.to_owned(), within });
        }
        let mut counts = self.counts.borrow_mut();
        let count = counts.entry(name.to_owned()).or_default();
        *count += 1;
        Ok(Place { attempt: Rc::clone(self), name: name.to_owned(), occurrence: *count - 1 })
    }
}

impl Place {
    /// What the step gave when it was finished, in an earlier run.
    ///
    /// # Errors
    /// When it is no `T`.
    pub fn found<T: DeserializeOwned>(&self) -> Result<Option<T>, StepError> {
        let Some(step) = self.stored() else { return Ok(None) };
        serde_json::from_value(step.value.clone()).map(Some).map_err(|source| StepError::Stored {
            name: self.name.clone(),
            link: self.attempt.link.to_string(),
            found: in_words(&step.value),
            wanted: std::any::type_name::<T>(),
            source,
        })
    }

    /// Does the step. In it there are no others.
    pub fn act<T>(&self, act: impl FnOnce() -> T) -> T {
        self.attempt.within.replace(Some(self.name.clone()));
        let _reset = Reset(|| drop(self.attempt.within.take()));
        act()
    }

    /// Writes down what the step gave, and gives it as every later run will find it.
    ///
    /// # Errors
    /// When it can't be stored, or not be read again.
    pub fn finish<T: Serialize + DeserializeOwned>(&self, value: &T) -> Result<T, StepError> {
        let (value, found) = there_and_back(value).map_err(|source| StepError::Value {
            name: self.name.clone(),
            link: self.attempt.link.to_string(),
            wanted: std::any::type_name::<T>(),
            source,
        })?;
        let Link { sha1: link, digest, .. } = self.attempt.link;
        let step = Step { link, digest, name: self.name.clone(), occurrence: self.occurrence, value };
        self.attempt.journal.finish(step)?;
        Ok(found)
    }

    /// A reboot is finished when the boot is not the one that it was asked in.
    fn has_come(&self) -> Result<bool, StepError> {
        if self.attempt.boot_id.is_empty() {
            return Err(StepError::NoBootId);
        }
        Ok(self.found::<String>()?.is_some_and(|asked_in| asked_in != self.attempt.boot_id))
    }

    fn stored(&self) -> Option<Step> {
        let mut steps = self.attempt.journal.steps().into_iter();
        let key = (self.attempt.link.sha1, &self.name, self.occurrence);
        steps.find(|step| (step.link, &step.name, step.occurrence) == key)
    }
}

/// A precondition, at its place in the run that this thread is in.
pub struct Requirement(Option<Place>);

impl Requirement {
    /// The one with this text. Outside of links, and within steps, which are done as a whole, nobody remembers it.
    #[must_use]
    pub fn next(text: &str) -> Self {
        let attempt = CURRENT.with_borrow(Clone::clone);
        Self(attempt.and_then(|attempt| attempt.place(&format!("{REQUIREMENT}({text})")).ok()))
    }

    /// Whether it has held since the link was started: then it is not asked again.
    #[must_use]
    pub fn has_held(&self) -> bool {
        self.0.as_ref().is_some_and(|place| place.stored().is_some())
    }

    /// It holds.
    ///
    /// # Errors
    /// When that can't be written down.
    pub fn holds(&self) -> Result<(), StepError> {
        self.0.as_ref().map_or(Ok(()), |place| place.finish(&()))
    }
}

/// Whether a link has asked for a reboot that has not come in this boot.
#[must_use]
pub fn awaits_reboot(steps: &[Step], link: Sha1, boot_id: &str) -> bool {
    steps.iter().any(|step| step.link == link && step.name == REBOOT && step.value == boot_id)
}

impl Step {
    /// Whether it is a precondition that held. A link that failed and is tried again starts anew: they count again.
    #[must_use]
    pub fn is_requirement(&self) -> bool {
        self.name.starts_with(REQUIREMENT)
    }
}

fn there_and_back<T: Serialize + DeserializeOwned>(value: &T) -> Result<(Value, T), serde_json::Error> {
    let stored = serde_json::to_value(value)?;
    Ok((stored.clone(), serde_json::from_value(stored)?))
}

/// What kind of value it is. The value itself may be a secret.
fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "nothing (null)".to_owned(),
        Value::Bool(_) => "a truth value".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(_) => "a text".to_owned(),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(fields) => {
            let names: Vec<String> = fields.keys().map(|name| format!("`{name}`")).collect();
            format!("a table with {}", names.join(", "))
        }
    }
}

/// Calls it when dropped, also while a panic unwinds.
struct Reset<F: FnMut()>(F);

impl<F: FnMut()> Drop for Reset<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
