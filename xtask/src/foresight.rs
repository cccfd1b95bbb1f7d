//! Foresight: what the sources say of the chain before anything is compiled.
//!
//! Whoever names what there is not hears of it at once, and not after minutes of building. What only the compiler or
//! the runner can tell is left to them: whoever asks here asks once more when there is a runner.

use wb_core::chain::Link;
use wb_core::registry::Resolved;

/// The links that a runner of these sources will have. Nothing where the compiler has to say first what is wrong: the
/// chain has mistakes, or the attribute of a migration can't be read, so that nobody knows whose hosts run it.
#[must_use]
pub fn links(resolved: &Resolved) -> Option<&[Link]> {
    let is_sure = resolved.mistakes.is_empty() && resolved.links.iter().all(|link| !link.role.is_empty());
    is_sure.then_some(resolved.links.as_slice())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use wb_core::chain::{Digest, Lock, Mistake, Reach, Sha1, Written};

    use super::*;

    #[test]
    fn what_only_the_compiler_can_tell_is_left_to_it() {
        let check = |roles: &[&str], mistakes: &[Mistake], expect: Option<usize>| {
            let sha1 = |n: u8| Sha1::from_bytes([n; 20]);
            let link = |(role, n): (&&str, u8)| Link::new(format!("a{n}"), sha1(n), *role, Digest::of(b""));
            let resolved = Resolved {
                crate_dir: PathBuf::new(),
                links: roles.iter().zip(1..).map(link).collect(),
                mistakes: mistakes.to_vec(),
                written: Written::default(),
                reach: Reach::default(),
                landed: BTreeMap::new(),
                lock: Lock::default(),
            };
            assert_eq!(links(&resolved).map(<[Link]>::len), expect, "{roles:?} {mistakes:?}");
        };
        check(&[], &[], Some(0));
        check(&["web", "database"], &[], Some(2));
        check(&["web", ""], &[], None);
        check(&["web"], &[Mistake::NoFile { name: "page".into() }], None);
    }
}
