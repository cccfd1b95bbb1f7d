//! What a migration gets: the machine, the mode, the herd as data, and a record of what it did.
//!
//! The standard library wraps a [`Context`] in its `Host`; this module has only what both sides must agree on. The
//! macros register [`Migration`]s, [`Role`]s and [`Spec`]s here, with inventory.

mod attempt;
mod debt;
mod definition;
mod journal;
mod lookout;
mod operation;
mod settings;
mod verdicts;

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

pub use attempt::{Attempt, Place, Requirement, StepError, awaits_reboot};
pub use debt::{Debt, DebtAction, DebtError, Debts};
pub use definition::{Code, Links, MaxOut, Migration, Role, Run, Spec, StaticWait, StaticWho, Terms};
pub use inventory;
pub use journal::{Journal, JournalError, MemoryJournal, Step};
pub use lookout::{Everyone, Lookout, NoSuch, Sight};
pub use operation::{Operation, Outcome};
pub use settings::{Misfit, Settings, Table, Unfit, fits, unfit};
pub use verdicts::Verdicts;

use crate::change::Member;
use crate::system::System;

/// Whether operations act, or only look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Look first, act when needed.
    Apply,
    /// Only look, and say what would change.
    Plan,
}

/// The herd as the newest accepted change says it, seen from one host.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HerdView {
    /// The name of this host.
    pub me: String,
    /// All admitted hosts, this one included, sorted by name.
    pub members: Vec<Member>,
}

impl HerdView {
    /// This host.
    #[must_use]
    pub fn myself(&self) -> Option<&Member> {
        self.members.iter().find(|member| member.name == self.me)
    }
}

/// Who is told of each operation as soon as it is recorded.
pub type Heard<'a> = Rc<dyn Fn(&Operation) + 'a>;

/// What one run of a migration, a spec, or a role's `leave` and `rejoin` works with.
pub struct Context<'a> {
    system: &'a System,
    mode: Mode,
    herd: &'a HerdView,
    journal: Rc<dyn Journal>,
    attempt: Option<Rc<Attempt>>,
    lookout: Option<Rc<dyn Lookout + 'a>>,
    heard: Option<Heard<'a>>,
    operations: RefCell<Vec<Operation>>,
    known: RefCell<HashMap<TypeId, Rc<dyn Any>>>,
}

impl<'a> Context<'a> {
    /// A context with nothing done yet.
    #[must_use]
    pub fn new(system: &'a System, mode: Mode, herd: &'a HerdView, journal: Rc<dyn Journal>) -> Self {
        let (operations, known) = (RefCell::default(), RefCell::default());
        Self { system, mode, herd, journal, attempt: None, lookout: None, heard: None, operations, known }
    }

    /// This one, for a run of a link.
    #[must_use]
    pub fn of(self, attempt: Rc<Attempt>) -> Self {
        Self { attempt: Some(attempt), ..self }
    }

    /// This one, for code that may ask how far other hosts are.
    #[must_use]
    pub fn with_lookout(self, lookout: Rc<dyn Lookout + 'a>) -> Self {
        Self { lookout: Some(lookout), ..self }
    }

    /// This one, which tells of each operation as soon as it is recorded: of a run that is killed, all that is known.
    #[must_use]
    pub fn heard_by(self, heard: Heard<'a>) -> Self {
        Self { heard: Some(heard), ..self }
    }

    /// The machine.
    #[must_use]
    pub fn system(&self) -> &'a System {
        self.system
    }

    /// Whether to act.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The herd as data.
    #[must_use]
    pub fn herd(&self) -> &'a HerdView {
        self.herd
    }

    /// Actions that are owed, and where to write them down.
    #[must_use]
    pub fn debts(&self) -> &dyn Debts {
        self.journal.as_ref()
    }

    /// The run of a link that this is, where it is one.
    #[must_use]
    pub fn attempt(&self) -> Option<&Rc<Attempt>> {
        self.attempt.as_ref()
    }

    /// The way to ask how far other hosts are, where there is one.
    #[must_use]
    pub fn lookout(&self) -> Option<&dyn Lookout> {
        self.lookout.as_deref()
    }

    /// Says in the host's log, the end of which is in its report, what goes on amid a link.
    pub fn say(&self, line: &str) {
        if let Some(lookout) = &self.lookout {
            lookout.say(line);
        }
    }

    /// The one value of this type that belongs to this run: made when it is first asked for.
    #[must_use]
    pub fn known<T: Default + 'static>(&self) -> Rc<T> {
        let mut known = self.known.borrow_mut();
        let value = known.entry(TypeId::of::<T>()).or_insert_with(|| Rc::new(T::default()));
        Rc::clone(value).downcast().unwrap_or_default()
    }

    /// Lets `time` pass, in pieces so short that this process can end, or the time of the migration be over, in between.
    pub fn pause(&self, time: Duration) {
        const PIECE: Duration = Duration::from_secs(1);
        let mut left = time;
        loop {
            crate::system::ending::ending().boundary();
            self.system.must_be_in_time();
            if left.is_zero() {
                return;
            }
            let piece = left.min(PIECE);
            self.system.clock().sleep(piece);
            left -= piece;
        }
    }

    /// Remembers what an operation did, or would do. Does not come back when this process is to end, or the time of the
    /// migration is over: between two operations is where it may.
    pub fn record(&self, operation: Operation) {
        if let Some(heard) = &self.heard {
            heard(&operation);
        }
        self.operations.borrow_mut().push(operation);
        crate::system::ending::ending().boundary();
        self.system.must_be_in_time();
    }

    /// How many operations have changed something so far, or would have.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.operations.borrow().iter().filter(|operation| operation.outcome.changed()).count()
    }

    /// What was done so far, in order.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        self.operations.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Script;

    #[test]
    fn who_listens_hears_of_each_operation_at_once() {
        let (system, herd) = (System::fake("/nowhere", Script::new()), HerdView::default());
        let heard = RefCell::new(Vec::new());
        let hear = Rc::new(|operation: &Operation| heard.borrow_mut().push(operation.what.clone()));
        let context = Context::new(&system, Mode::Apply, &herd, Rc::new(MemoryJournal::default())).heard_by(hear);
        for what in ["one", "two"] {
            context.record(Operation { what: what.into(), outcome: Outcome::Unchanged });
            assert_eq!(heard.borrow().last().map(String::as_str), Some(what));
        }
        assert_eq!(context.operations().len(), 2);
    }
}
