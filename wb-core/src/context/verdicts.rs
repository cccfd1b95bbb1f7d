//! What `chain!()` has to say about single links and roles, as a constant that the migrations' files ask.

/// Texts by the name that they are about: first those of links, then those of roles.
///
/// It is a constant, and not a function that `chain!()` writes: when a migration is added, the compiler sees that its
/// value is the same, and asks nobody again.
#[derive(Debug, Clone, Copy)]
pub struct Verdicts {
    /// Functions in the chain, each with what is wrong with it.
    pub links: &'static [(&'static str, &'static str)],
    /// Roles that there are not.
    pub roles: &'static [(&'static str, &'static str)],
}

impl Verdicts {
    /// Nothing is wrong.
    pub const NONE: Self = Self { links: &[], roles: &[] };

    /// Stops the compiler at the caller, where something is wrong with this link.
    ///
    /// # Panics
    /// With the text.
    #[track_caller]
    pub const fn link(&self, name: &str) {
        refuse(self.links, name);
    }

    /// Stops the compiler at the caller, where there is no such role.
    ///
    /// # Panics
    /// With the text.
    #[track_caller]
    pub const fn role(&self, name: &str) {
        refuse(self.roles, name);
    }
}

#[track_caller]
const fn refuse(texts: &[(&str, &str)], name: &str) {
    let mut index = 0;
    while index < texts.len() {
        if is_same(texts[index].0.as_bytes(), name.as_bytes()) {
            panic!("{}", texts[index].1);
        }
        index += 1;
    }
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut index = 0;
    while index < one.len() && index < other.len() && one[index] == other[index] {
        index += 1;
    }
    index == one.len() && index == other.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRONG: Verdicts = Verdicts { links: &[("a", "wrong")], roles: &[("web", "no such role")] };

    #[test]
    fn only_the_named_are_refused() {
        WRONG.link("ab");
        WRONG.link("");
        WRONG.link("web");
        WRONG.role("a");
        Verdicts::NONE.link("a");
    }

    #[test]
    #[should_panic(expected = "wrong")]
    fn a_wrong_link_is_refused() {
        WRONG.link("a");
    }

    #[test]
    #[should_panic(expected = "no such role")]
    fn an_unknown_role_is_refused() {
        WRONG.role("web");
    }
}
