//! Preconditions.

/// A precondition that does not hold. [`require!`](crate::require) makes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("required: {what}")]
pub struct Unmet {
    what: String,
}

impl Unmet {
    #[doc(hidden)]
    #[must_use]
    pub fn new(what: String) -> Self {
        Self { what }
    }
}

/// Stops a migration before it does anything, when its precondition does not hold.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn install_postgres(host: &Host) -> Result<()> {
///     let memory = host.facts().memory_mib;
///     require!(memory >= 2048, "2048 MiB of memory; {} has {memory}", host.name());
///     Ok(())
/// }
/// # let _ = install_postgres as fn(&Host) -> Result<()>;
/// ```
#[macro_export]
macro_rules! require {
    ($condition:expr $(,)?) => {
        $crate::require!($condition, "{}", ::core::stringify!($condition))
    };
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            return ::core::result::Result::Err(::core::convert::From::from($crate::Unmet::new(::std::format!($($what)+))));
        }
    };
}

#[cfg(test)]
mod tests {
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
}
