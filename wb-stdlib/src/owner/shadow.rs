//! Lines of shadow(5).

use std::fmt;

/// What stands for a password. It is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The password of a user, and how long the account lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shadow {
    name: String,
    /// A hash, or what no password has as its hash: `*`, `!`. With a `!` before it, it is locked.
    pub(crate) password: Secret,
    /// The first day on which the account is no longer open, in days since 1970.
    pub(crate) expires: Option<u32>,
}

impl Shadow {
    /// Reads `name:password:changed:min:max:warn:inactive:expires:`.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?.to_owned();
        let password = Secret::new(fields.next()?);
        let expires = fields.nth(5).and_then(|days| days.parse().ok());
        Some(Self { name, password, expires })
    }

    /// Whether a `!` keeps the password from being used.
    pub(crate) fn is_locked(&self) -> bool {
        self.password.text().starts_with('!')
    }

    /// The password without its lock.
    pub(crate) fn unlocked(&self) -> &str {
        self.password.text().trim_start_matches('!')
    }
}

/// What is known of the users' passwords.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shadows(Vec<Shadow>);

impl Shadows {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        Self(String::from_utf8_lossy(bytes).lines().filter_map(Shadow::parse).collect())
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Shadow> {
        self.0.iter().find(|shadow| shadow.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"root:*:19701:0:99999:7:::
anna:$6$salt$hash:20786:0:99999:7::20849:
bob:!$6$salt$hash:20786:0:99999:7:::
carl:!:20786::::::
dora:!!:19000:0:99999:7:::
emil:$y$j9T$salt$hash:20786:0:99999:7::-1:
";

    #[test]
    fn each_line_is_a_password() {
        let shadows = Shadows::parse(TEXT);
        let check = |name: &str, unlocked: &str, is_locked: bool, expires: Option<u32>| {
            let shadow = shadows.named(name).unwrap();
            assert_eq!(
                (shadow.unlocked(), shadow.is_locked(), shadow.expires),
                (unlocked, is_locked, expires),
                "{name}"
            );
        };
        check("root", "*", false, None);
        check("anna", "$6$salt$hash", false, Some(20849));
        check("bob", "$6$salt$hash", true, None);
        check("carl", "", true, None);
        check("dora", "", true, None);
        check("emil", "$y$j9T$salt$hash", false, None);
        assert_eq!(shadows.named("fritz"), None);
    }

    #[test]
    fn a_password_is_not_shown() {
        let shadows = Shadows::parse(TEXT);
        assert!(!format!("{shadows:?}").contains("salt"));
    }
}
