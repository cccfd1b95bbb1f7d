//! Contexts: what SELinux knows a file by.

use std::fmt;

use super::SelinuxError;

/// `user:role:type:level`, as in `system_u:object_r:httpd_sys_content_t:s0`. A policy without levels leaves that out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) user: String,
    role: String,
    pub(super) kind: String,
    pub(super) level: Option<String>,
}

impl Context {
    /// Reads one; the kernel ends it with a zero byte.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim_end_matches('\0').splitn(4, ':').map(str::to_owned);
        let (user, role, kind, level) = (parts.next()?, parts.next()?, parts.next()?, parts.next());
        let is_level = |level: &String| level.split([':', ',', '-']).all(is_name);
        let is_whole = [&user, &role, &kind].into_iter().all(|part| is_name(part)) && level.iter().all(is_level);
        is_whole.then_some(Self { user, role, kind, level })
    }

    /// As the kernel takes it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        format!("{self}\0").into_bytes()
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, role, kind, level } = self;
        write!(f, "{user}:{role}:{kind}")?;
        level.iter().try_for_each(|level| write!(f, ":{level}"))
    }
}

/// A name in a policy, which no program takes for an option.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    text.starts_with(plain) && text.chars().all(|c| plain(c) || c == '-')
}

/// What a file is to be known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A type. All else stays as it is, which is what nearly everybody wants: policies are about types.
    Type(String),
    /// All of it.
    Whole(Context),
}

impl Wanted {
    /// Reads a type, or a whole context.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match Context::parse(text) {
            Some(context) => Some(Self::Whole(context)),
            None => is_name(text).then(|| Self::Type(text.to_owned())),
        }
    }

    /// [`Wanted::parse`], or an error.
    pub(super) fn of(text: &str) -> Result<Self, SelinuxError> {
        Self::parse(text).ok_or_else(|| SelinuxError::BadContext { text: text.to_owned() })
    }

    /// Whether a context is so.
    pub(super) fn fits(&self, found: &Context) -> bool {
        match self {
            Self::Type(kind) => *kind == found.kind,
            Self::Whole(context) => context == found,
        }
    }

    /// What a context becomes.
    pub(super) fn over(&self, found: &Context) -> Context {
        match self {
            Self::Type(kind) => Context { kind: kind.clone(), ..found.clone() },
            Self::Whole(context) => context.clone(),
        }
    }

    /// As much of what is found as is said of what is wanted.
    pub(super) fn seen(&self, found: &Context) -> String {
        match self {
            Self::Type(_) => found.kind.clone(),
            Self::Whole(_) => found.to_string(),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(kind) => f.write_str(kind),
            Self::Whole(context) => write!(f, "{context}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_has_three_parts_or_four() {
        let check = |text: &str, expect: Option<(&str, Option<&str>)>| {
            let found = Context::parse(text);
            let parts = found.as_ref().map(|context| (context.kind.as_str(), context.level.as_deref()));
            assert_eq!(parts, expect, "{text:?}");
            assert!(found.is_none_or(|context| context.to_string() == text.trim_end_matches('\0')), "{text:?}");
        };
        check("system_u:object_r:httpd_sys_content_t:s0", Some(("httpd_sys_content_t", Some("s0"))));
        check("unconfined_u:object_r:default_t:s0\0", Some(("default_t", Some("s0"))));
        check("system_u:object_r:container_file_t:s0:c297,c971", Some(("container_file_t", Some("s0:c297,c971"))));
        check("system_u:object_r:svirt_t:s0-s0:c0.c1023", Some(("svirt_t", Some("s0-s0:c0.c1023"))));
        check("root:object_r:user_home_t", Some(("user_home_t", None)));
        check("<<none>>", None);
        check("httpd_sys_content_t", None);
        check("a:b", None);
        check("a:b:", None);
        check("a:b:c d:s0", None);
        check("a:b:c:", None);
    }

    #[test]
    fn a_type_leaves_all_else() {
        let found = Context::parse("unconfined_u:object_r:default_t:s0:c1").unwrap();
        let wanted = Wanted::parse("httpd_sys_content_t").unwrap();
        assert!(!wanted.fits(&found));
        assert_eq!(wanted.over(&found).to_string(), "unconfined_u:object_r:httpd_sys_content_t:s0:c1");
        assert!(wanted.fits(&wanted.over(&found)));
        let whole = Wanted::parse("system_u:object_r:default_t:s0").unwrap();
        assert!(!whole.fits(&found) && whole.fits(&whole.over(&found)));
        assert_eq!((wanted.seen(&found), whole.seen(&found)), ("default_t".to_owned(), found.to_string()));
    }

    #[test]
    fn what_is_neither_a_type_nor_a_context_is_nothing() {
        for text in ["", "-t", "a b", "a:b", "httpd_t\n", "a:b:c:d e", ":::"] {
            assert_eq!(Wanted::parse(text), None, "{text:?}");
        }
    }
}
