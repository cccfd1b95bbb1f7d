//! Telling the herd one thing more: a change that is made of the newest one, signed, and appended if that still is the
//! newest. Who comes second is shown what was said meanwhile, and says its own of that, where it still comes to what was
//! shown before: nothing of either is lost, and nobody signs what they have not seen.

use std::fmt;

use wb_core::change::Manifest;
use wb_core::registry::{Mirror as _, RefName, RefUpdate, SigningKey, VerifiedChange};
use wb_core::system::clock::{Clock as _, Real};

use crate::deploy::difference::Difference;
use crate::known::Known;
use crate::operator::{Appended, Operator, OperatorError};
use crate::shell::Shell;

/// Why the herd was told nothing.
#[derive(Debug)]
pub enum NotTold<E> {
    /// It makes no sense, as the herd is.
    Refused(E),
    /// The remote, the log or the key.
    Operator(OperatorError),
}

impl<E: fmt::Display> fmt::Display for NotTold<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Operator(error) => error.fmt(f),
        }
    }
}

impl<E> From<OperatorError> for NotTold<E> {
    fn from(error: OperatorError) -> Self {
        Self::Operator(error)
    }
}

/// The herd is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// By this change.
    Now(Box<VerifiedChange>),
    /// By others, who were first and told all of it; this is the newest change.
    Before(Box<VerifiedChange>),
}

impl Told {
    /// The change by which the herd knows all of it, at the latest.
    #[must_use]
    pub fn change(self) -> Box<VerifiedChange> {
        let (Self::Now(change) | Self::Before(change)) = self;
        change
    }
}

/// Tells the herd what `next` makes of what is known of it, in this operator's name, signed with `key`. `shown` is what
/// the operator sees of that beforehand; where others are first and it would be something else, nothing is told.
///
/// # Errors
/// When `next` refuses, the change can't be appended, others are faster again and again, or have told what makes this
/// something else.
pub fn tell<E>(
    operator: &Operator,
    mut known: Known,
    key: &SigningKey,
    shell: &Shell,
    next: impl Fn(&Known) -> Result<Manifest, E>,
    shown: impl Fn(&Known, &Manifest) -> Vec<String>,
) -> Result<Told, NotTold<E>> {
    const TRIES: u32 = 5;
    operator.refuse_stranger(key)?;
    let mut first: Option<Vec<String>> = None;
    for _ in 0..TRIES {
        let mut manifest = next(&known).map_err(NotTold::Refused)?;
        if let Some(first) = &first {
            let is_nothing = Difference::between(&known.manifest, &manifest).is_empty();
            match known.newest.clone().filter(|_| is_nothing) {
                Some(newest) => return Ok(Told::Before(Box::new(newest))),
                None if *first != shown(&known, &manifest) => return Err(OperatorError::Otherwise.into()),
                None => {}
            }
        }
        first.get_or_insert_with(|| shown(&known, &manifest));
        manifest.author = operator.tree().identity().to_string();
        manifest.time = Real.now().as_secs();
        let traces = traces(operator, &known.manifest, &manifest)?;
        if let Appended::Won(change) = operator.append(known.newest.as_ref(), &manifest, key, traces)? {
            return Ok(Told::Now(change));
        }
        let before = known.newest;
        known = Known::ask(operator, shell)?;
        Meanwhile::since(operator, before.as_ref(), known.newest.as_ref()).iter().for_each(|said| shell.note(said));
    }
    Err(OperatorError::Overtaken { tries: TRIES }.into())
}

/// The refs that newly retired hosts have written, to be removed with the change that retires them. Such a host writes
/// on until it learns of it; once its refs are gone, its next write is lost, and it looks before it tries again.
///
/// # Errors
/// When the remote can't be asked.
pub fn traces(operator: &Operator, before: &Manifest, after: &Manifest) -> Result<Vec<RefUpdate>, OperatorError> {
    let new = after.retired.iter().filter(|retired| before.retirement(retired.uuid).is_none());
    let names: Vec<RefName> = new.flat_map(|gone| RefName::of_host(gone.uuid)).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    operator.registry().fetch(&names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let mut updates = Vec::new();
    for name in names {
        if let Some(there) = operator.registry().get(&name)? {
            updates.push(RefUpdate { name, expected: Some(there), new: None });
        }
    }
    Ok(updates)
}

/// What others told the herd while one was about to tell it something.
#[derive(Debug, Clone, PartialEq)]
pub struct Meanwhile {
    /// Their changes, oldest first.
    pub changes: Vec<VerifiedChange>,
    /// What all of them come to.
    pub difference: Difference,
}

impl Meanwhile {
    /// What was told after `before`, where anything was.
    #[must_use]
    pub fn since(
        operator: &Operator,
        before: Option<&VerifiedChange>,
        newest: Option<&VerifiedChange>,
    ) -> Option<Self> {
        let changes = operator.since(before, newest?.sha1);
        let none = Manifest::default();
        let difference = |last: &VerifiedChange| {
            Difference::between(before.map_or(&none, |before| &before.manifest), &last.manifest)
        };
        let difference = difference(changes.last()?);
        Some(Self { changes, difference })
    }
}

impl fmt::Display for Meanwhile {
    /// Who said what, and what is different by it, indented.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the herd was told something else meanwhile:")?;
        for VerifiedChange { manifest, signer, .. } in &self.changes {
            write!(f, "\n  change {manifest}, by {}, signed by {signer}", manifest.author)?;
        }
        self.difference.lines().iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}
