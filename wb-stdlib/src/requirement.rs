//! Preconditions.

use wb_core::context::StepError;

/// A precondition that does not hold, or whose holding can't be written down. [`require!`](crate::require) makes it.
#[derive(Debug, thiserror::Error)]
pub enum Unmet {
    /// It does not hold.
    #[error("required: {what}")]
    Required {
        /// What it says.
        what: String,
    },
    /// It holds, and the next start would not know.
    #[error(transparent)]
    Journal(#[from] StepError),
}

impl Unmet {
    #[doc(hidden)]
    #[must_use]
    pub fn new(what: String) -> Self {
        Self::Required { what }
    }
}

/// Stops a migration before it does anything, when its precondition does not hold.
///
/// It is asked when the migration starts. Where it has held, that is written down, and a migration that was cut short
/// goes on without asking again: what it has done itself does not count. One that failed and is tried again starts anew,
/// and its preconditions with it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn install_postgres(host: &Host) -> Result<()> {
///     let memory = host.facts().memory_mib;
///     require!(memory >= 2048, "2048 MiB of memory; {} has {memory}", host.name());
///     Ok(())
/// }
/// # wb_stdlib::testing::web1().finds(install_postgres);
/// ```
#[macro_export]
macro_rules! require {
    ($condition:expr $(,)?) => {
        $crate::require!($condition, "{}", ::core::stringify!($condition))
    };
    ($condition:expr, $($what:tt)+) => {
        let requirement = $crate::__private::Requirement::next(::core::stringify!($condition));
        if !requirement.has_held() {
            if !$condition {
                let unmet = $crate::Unmet::new(::std::format!($($what)+));
                return ::core::result::Result::Err(::core::convert::From::from(unmet));
            }
            if let ::core::result::Result::Err(error) = requirement.holds() {
                return ::core::result::Result::Err(::core::convert::From::from($crate::Unmet::from(error)));
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use wb_core::context::Journal as _;

    use crate::machine::Machine;

    fn check(memory: u32) -> anyhow::Result<()> {
        crate::require!(memory >= 2048, "2048 MiB of memory, there are {memory}");
        crate::require!(memory != 4096);
        Ok(())
    }

    #[test]
    fn what_is_required_is_said() {
        assert!(check(2048).is_ok());
        assert_eq!(check(1024).unwrap_err().to_string(), "required: 2048 MiB of memory, there are 1024");
        assert_eq!(check(4096).unwrap_err().to_string(), "required: memory != 4096");
    }

    #[test]
    fn what_held_once_is_not_asked_again() {
        let (machine, asked) = (Machine::new(), Cell::new(0));
        let migration = || {
            crate::require!(asked.replace(asked.get() + 1) == 0, "the first time");
            anyhow::Ok(())
        };
        machine.run(|_| migration()).unwrap();
        machine.run(|_| migration()).unwrap();
        assert_eq!(asked.get(), 1);
        migration().unwrap_err();
    }

    #[test]
    fn what_was_not_reached_is_asked_by_the_next_run() {
        let machine = Machine::new();
        let migration = |goes_on: bool, holds: bool| {
            crate::require!(holds, "the first");
            anyhow::ensure!(goes_on, "cut short");
            crate::require!(!holds, "the second");
            Ok(())
        };
        machine.run(|_| migration(false, true)).unwrap_err();
        assert_eq!(machine.run(|_| migration(true, true)).unwrap_err().to_string(), "required: the second");
        machine.run(|_| migration(true, false)).unwrap();
        assert_eq!(machine.journal.steps().len(), 2);
    }

    #[test]
    fn within_a_step_it_is_asked_whenever_the_step_runs() {
        let (machine, asked) = (Machine::new(), Rc::new(Cell::new(0)));
        for _ in 0..2 {
            let asked = Rc::clone(&asked);
            let failed = machine.run(|host| {
                host.step("all", |_| {
                    crate::require!(asked.replace(asked.get() + 1) < 9);
                    anyhow::bail!("cut short") as anyhow::Result<()>
                })
            });
            failed.unwrap_err();
        }
        assert_eq!((asked.get(), machine.journal.steps().len()), (2, 0));
    }
}
