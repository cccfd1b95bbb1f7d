//! Inputs by the thousand, each following from a seed and its place.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wb_core::system::clock::{Clock as _, Real};

use super::super::chance::Chance;
use super::draw::Draw;
use super::examination::{Fate, Untrue, examine, valid};
use super::kind::Kind;
use super::mutation::mutated;

/// How many inputs of a kind were given, and how many of them were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Given {
    /// All of them.
    pub given: usize,
    /// Those that were taken for what they claim to be.
    pub accepted: usize,
}

/// The kinds of input, and how many there were of each.
pub type Counts = BTreeMap<String, Given>;

/// An input that something is wrong with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// Its kind.
    pub kind: Kind,
    /// The input.
    pub input: Vec<u8>,
    /// What is wrong.
    pub what: String,
}

/// No input is worked at for so long, unless there is no end to it.
const LONGEST: Duration = Duration::from_secs(10);

/// How many inputs come from one valid value; the first is that value itself.
const LITTER: usize = 8;

/// Gives so many inputs of a kind; `begins` is told of each one before it is given.
#[must_use]
pub fn give(kind: Kind, seed: u64, many: usize, begins: &dyn Fn(Kind, &[u8])) -> (Given, Vec<Bad>) {
    let mut draw = Draw(Chance(seed ^ (kind as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let (mut given, mut bad) = (Given::default(), Vec::new());
    let (mut base, mut other) = (Vec::new(), Vec::new());
    for place in 0..many {
        let is_new = place % LITTER == 0;
        if is_new {
            let drawn = caught(|| valid(kind, &mut draw)).unwrap_or_else(|what| {
                bad.push(Bad { kind, input: Vec::new(), what });
                Vec::new()
            });
            other = std::mem::replace(&mut base, drawn);
        }
        let input = if is_new { base.clone() } else { mutated(&base, &other, &mut draw.0) };
        begins(kind, &input);
        given.given += 1;
        match look_at(kind, &input) {
            Ok(fate) => given.accepted += usize::from(fate == Fate::Accepted),
            Err(what) => bad.push(Bad { kind, input, what }),
        }
    }
    (given, bad)
}

/// Gives one input.
///
/// # Errors
/// What is wrong with what came of it: a panic, a lie, or that it took too long.
pub fn look_at(kind: Kind, input: &[u8]) -> Result<Fate, Untrue> {
    let begun = Real.passed();
    let fate = caught(|| examine(kind, input))?;
    let took = Real.passed().saturating_sub(begun);
    if took > LONGEST { Err(format!("it took {} s", took.as_secs())) } else { Ok(fate) }
}

/// What `act` says, where it does not panic.
///
/// # Errors
/// What it says, or with what words it panicked.
pub fn caught<T>(act: impl FnOnce() -> Result<T, Untrue>) -> Result<T, Untrue> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| Err(format!("it panicked: {}", words(panic.as_ref()))))
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_of_each_kind_are_read_and_a_few_refused() {
        for kind in Kind::ALL {
            let (given, bad) = give(kind, 1, 200, &|_, _| {});
            assert_eq!(bad, [], "{kind}");
            assert!(given.given == 200 && given.accepted > 20 && given.accepted < 200, "{kind}: {given:?}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_inputs() {
        let inputs = |seed| {
            let all = std::cell::RefCell::new(Vec::new());
            drop(give(Kind::Report, seed, 50, &|_, input| all.borrow_mut().push(input.to_vec())));
            all.into_inner()
        };
        assert_eq!(inputs(7), inputs(7));
        assert_ne!(inputs(7), inputs(8));
    }

    #[test]
    fn what_panics_is_told_with_its_words() {
        let said = caught(|| -> Result<(), Untrue> { panic!("at the {}", "disco") });
        assert_eq!(said, Err("it panicked: at the disco".to_owned()));
    }
}
