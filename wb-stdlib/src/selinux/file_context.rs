//! File contexts: by which label a path is to be known, whenever it is labelled anew.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use wb_core::context::{Mode, Outcome};
use wb_core::system::{Command, System};

use super::SelinuxError;
use super::context::{Context, Wanted};
use crate::ensure::{Difference, ensure};
use crate::{Host, Look};

/// What operations on them are called.
pub(super) const NAME: &str = "SELinux file context";
const CONFIGURATION: &str = "/etc/selinux/config";
/// The whole policy is built anew.
const BOUND: Duration = Duration::from_secs(600);

/// What a file context is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileKind {
    /// Whatever is at a path.
    #[default]
    Any,
    /// Regular files.
    File,
    /// Directories.
    Directory,
    /// Symbolic links.
    Link,
    /// Sockets.
    Socket,
    /// Named pipes.
    Pipe,
    /// Block devices.
    BlockDevice,
    /// Character devices.
    CharacterDevice,
}

impl FileKind {
    /// The option in a file of file contexts, and what `semanage fcontext -f` takes.
    const NAMES: [(Self, &'static str, &'static str); 7] = [
        (Self::File, "--", "f"),
        (Self::Directory, "-d", "d"),
        (Self::Link, "-l", "l"),
        (Self::Socket, "-s", "s"),
        (Self::Pipe, "-p", "p"),
        (Self::BlockDevice, "-b", "b"),
        (Self::CharacterDevice, "-c", "c"),
    ];

    fn of(option: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, name, _)| *name == option).map(|(kind, ..)| *kind)
    }

    fn letter(self) -> &'static str {
        Self::NAMES.iter().find(|(kind, ..)| *kind == self).map_or("a", |(.., letter)| letter)
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "all",
            Self::File => "files",
            Self::Directory => "directories",
            Self::Link => "links",
            Self::Socket => "sockets",
            Self::Pipe => "pipes",
            Self::BlockDevice => "block devices",
            Self::CharacterDevice => "character devices",
        })
    }
}

/// A line of a file of file contexts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    pattern: String,
    kind: FileKind,
    /// Nothing where it says `<<none>>`: what is there is not labelled.
    context: Option<Context>,
}

impl Rule {
    /// Reads `PATTERN [OPTION] CONTEXT`.
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (pattern, kind, context) = match fields[..] {
            [pattern, context] => (pattern, FileKind::Any, context),
            [pattern, option, context] => (pattern, FileKind::of(option)?, context),
            _ => return None,
        };
        let is_rule = !pattern.starts_with('#') && (context == "<<none>>" || Context::parse(context).is_some());
        is_rule.then(|| Self { pattern: pattern.to_owned(), kind, context: Context::parse(context) })
    }
}

/// What a file of file contexts says.
struct Rules(Vec<Rule>);

fn rules(bytes: &[u8]) -> Vec<Rule> {
    String::from_utf8_lossy(bytes).lines().filter_map(Rule::parse).collect()
}

/// The last one counts.
fn find(rules: &[Rule], pattern: &str, kind: FileKind) -> Option<Rule> {
    rules.iter().rfind(|rule| rule.pattern == pattern && rule.kind == kind).cloned()
}

/// What there is for a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Facts {
    /// There is no policy yet: a package brings it.
    NoPolicy,
    /// The host's own file says so.
    Local(Rule),
    /// The policy does.
    Policy(Rule),
    /// Nobody says anything of it.
    None,
}

impl Facts {
    fn rule(&self) -> Option<&Rule> {
        match self {
            Self::Local(rule) | Self::Policy(rule) => Some(rule),
            Self::NoPolicy | Self::None => None,
        }
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rule() {
            None => f.write_str("none"),
            Some(Rule { context: None, .. }) => f.write_str("<<none>>"),
            Some(Rule { context: Some(context), .. }) => write!(f, "{context}"),
        }
    }
}

/// How what there is differs from what is wanted; `None` is that the host's own file is to say nothing.
fn diff(facts: &Facts, wanted: Option<&Wanted>) -> Difference {
    let line = match (facts, wanted) {
        (Facts::NoPolicy, _) => return Difference::Unknown("there is no policy of SELinux yet".to_owned()),
        (Facts::Local(_), None) => format!("- {facts}"),
        (_, None) => return Difference::None,
        (_, Some(wanted)) => match facts.rule().map(|rule| &rule.context) {
            Some(Some(context)) if wanted.fits(context) => return Difference::None,
            Some(Some(context)) => format!("{} -> {wanted}", wanted.seen(context)),
            _ => format!("{facts} -> {wanted}"),
        },
    };
    Difference::Some(Some(line))
}

/// A file context. [`Selinux::file_context`](super::Selinux::file_context) makes it.
///
/// It says by which label paths are to be known, and labels nothing by itself: [`Label`](super::Label) does.
#[must_use = "say what is to be so: `.set(\"a_type_t\")?` or `.absent()?`"]
pub struct FileContext<A> {
    access: A,
    pattern: String,
    kind: FileKind,
}

impl<A: Look> FileContext<A> {
    pub(super) fn new(access: A, pattern: String) -> Self {
        Self { access, pattern, kind: FileKind::Any }
    }

    /// For paths of this kind alone. Without this, for all that is at such a path.
    pub fn only(mut self, kind: FileKind) -> Self {
        self.kind = kind;
        self
    }

    /// Checks that it is this type, as in `httpd_sys_content_t`, or this whole context; whether the host's own file says
    /// so or the policy.
    ///
    /// # Errors
    /// When it is another one, or there is none for this pattern.
    pub fn is(&self, context: &str) -> Result<()> {
        let (wanted, found) = (Wanted::of(context)?, self.facts()?);
        let is_so = diff(&found, Some(&wanted)) == Difference::None;
        anyhow::ensure!(is_so, "expected the SELinux file context of {} to be {wanted}, found {found}", self.pattern);
        Ok(())
    }

    fn facts(&self) -> Result<Facts, SelinuxError> {
        if !is_pattern(&self.pattern) {
            return Err(SelinuxError::BadPattern { pattern: self.pattern.clone() });
        }
        let (context, find) = (self.access.context(), |rules: &[Rule]| find(rules, &self.pattern, self.kind));
        let Some(directory) = directory(context.system())? else {
            return if context.mode() == Mode::Plan { Ok(Facts::NoPolicy) } else { Err(SelinuxError::NoPolicy) };
        };
        let rules_of = |name: &str| context.system().parsed(format!("{directory}/{name}"), |bytes| Rules(rules(bytes)));
        if let Some(rule) = rules_of("file_contexts.local")?.and_then(|local| find(&local.0)) {
            return Ok(Facts::Local(rule));
        }
        let policy = rules_of("file_contexts")?.and_then(|policy| find(&policy.0));
        Ok(policy.map_or(Facts::None, Facts::Policy))
    }
}

impl FileContext<Host<'_>> {
    /// It is this type, as in `httpd_sys_content_t`, or this whole context, `user:role:type:level`: in the host's own file,
    /// unless the policy says so already.
    ///
    /// # Errors
    /// When that is no type and no context, the policy does not know it, or there is no policy.
    pub fn set(self, context: impl AsRef<str>) -> Result<Outcome, SelinuxError> {
        let wanted = Wanted::of(context.as_ref())?;
        let what = format!("{} {wanted}", self.name());
        self.ensure(&what, Some(&wanted))
    }

    /// The host's own file says nothing of it. What the policy says stays.
    ///
    /// # Errors
    /// When there is no policy, or semanage fails.
    pub fn absent(self) -> Result<Outcome, SelinuxError> {
        let what = format!("{} absent", self.name());
        self.ensure(&what, None)
    }

    fn ensure(&self, what: &str, wanted: Option<&Wanted>) -> Result<Outcome, SelinuxError> {
        let facts = self.facts()?;
        ensure(self.access, what, diff(&facts, wanted), || {
            let told = self.access.system().read_command(&self.command(&facts, wanted));
            told.map_err(|source| SelinuxError::Refused { what: what.to_owned(), source })?;
            match diff(&self.facts()?, wanted) {
                Difference::None => Ok(()),
                _ => Err(SelinuxError::NotSo { what: what.to_owned() }),
            }
        })
    }

    /// Old versions of semanage add nothing that the policy has: they only change it.
    fn command(&self, facts: &Facts, wanted: Option<&Wanted>) -> Command {
        let act = match (wanted, facts.rule()) {
            (None, _) => "-d",
            (Some(_), Some(_)) => "-m",
            (Some(_), None) => "-a",
        };
        let semanage = Command::new("semanage").args(["fcontext", act]).args(wanted.map(values).unwrap_or_default());
        let semanage = semanage.args(["-f", self.kind.letter(), "--", &self.pattern]);
        semanage.env("LC_ALL", "C.UTF-8").timeout(BOUND)
    }

    fn name(&self) -> String {
        match self.kind {
            FileKind::Any => format!("{NAME} {}", self.pattern),
            kind => format!("{NAME} {} of {kind}", self.pattern),
        }
    }
}

/// The options of semanage that say a context. The role of a file is always the same.
fn values(wanted: &Wanted) -> Vec<&str> {
    match wanted {
        Wanted::Type(kind) => vec!["-t", kind],
        Wanted::Whole(context) => {
            let level = context.level.iter().flat_map(|level| ["-r", level.as_str()]);
            ["-s", &context.user, "-t", &context.kind].into_iter().chain(level).collect()
        }
    }
}

/// Whether this can be the pattern of a file context. One that is not of absolute paths would match files everywhere.
fn is_pattern(text: &str) -> bool {
    text.starts_with('/') && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Where the file contexts of the policy are that the host uses, where it has one.
fn directory(system: &System) -> Result<Option<String>, SelinuxError> {
    let text = system.read_file(CONFIGURATION)?.unwrap_or_default();
    let Some(policy) = policy(&String::from_utf8_lossy(&text)).map(str::to_owned) else { return Ok(None) };
    let directory = format!("/etc/selinux/{policy}/contexts/files");
    Ok(system.stat(&directory)?.map(|_| directory))
}

/// What the line `SELINUXTYPE=` says.
fn policy(text: &str) -> Option<&str> {
    let value = text.lines().rev().find_map(|line| line.trim_start().strip_prefix("SELINUXTYPE="))?.trim();
    let is_name = value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    (is_name && !value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of Fedora 40 and RHEL 9: the host's own, and some of the policy.
    const LOCAL: &str = "# This file is auto-generated by libsemanage\n# Do not edit directly.\n\n\
                         /srv/shop(/.*)?    system_u:object_r:httpd_sys_content_t:s0\n\
                         /srv/shop/run -s system_u:object_r:httpd_var_run_t:s0\n/srv/mnt(/.*)?    <<none>>\n";
    const POLICY: &str = "/.*\tsystem_u:object_r:default_t:s0\n/[^/]+\t--\tsystem_u:object_r:etc_runtime_t:s0\n\
                          /proc/.*\t<<none>>\n/var/www(/.*)?\tsystem_u:object_r:httpd_sys_content_t:s0\n\
                          /dev/[shmxv]d[^/]*\t-b\tsystem_u:object_r:fixed_disk_device_t:s0\n";

    fn rule(text: &str, pattern: &str, kind: FileKind) -> Option<Option<String>> {
        let context = |rule: Rule| rule.context.map(|context| context.kind);
        find(&rules(text.as_bytes()), pattern, kind).map(context)
    }

    #[test]
    fn each_line_is_a_pattern_a_kind_and_a_context() {
        let check = |text: &str, pattern: &str, kind, expect: Option<Option<&str>>| {
            assert_eq!(rule(text, pattern, kind), expect.map(|kind| kind.map(str::to_owned)), "{pattern}");
        };
        check(LOCAL, "/srv/shop(/.*)?", FileKind::Any, Some(Some("httpd_sys_content_t")));
        check(LOCAL, "/srv/shop(/.*)?", FileKind::File, None);
        check(LOCAL, "/srv/shop/run", FileKind::Socket, Some(Some("httpd_var_run_t")));
        check(LOCAL, "/srv/mnt(/.*)?", FileKind::Any, Some(None));
        check(LOCAL, "#", FileKind::Any, None);
        check(POLICY, "/[^/]+", FileKind::File, Some(Some("etc_runtime_t")));
        check(POLICY, "/dev/[shmxv]d[^/]*", FileKind::BlockDevice, Some(Some("fixed_disk_device_t")));
        check(POLICY, "/proc/.*", FileKind::Any, Some(None));
        check("/a a:b:c_t:s0\n/a a:b:d_t:s0\n", "/a", FileKind::Any, Some(Some("d_t")));
        check("/a -x a:b:c_t:s0\n/a nonsense\n/a\n", "/a", FileKind::Any, None);
    }

    #[test]
    fn what_differs_is_told_as_it_was_said() {
        let local = |context: &str| {
            let (pattern, kind) = ("/a".to_owned(), FileKind::Any);
            Facts::Local(Rule { pattern, kind, context: Context::parse(context) })
        };
        let check = |facts: &Facts, wanted: Option<&str>, expect: Option<&str>| {
            let wanted = wanted.map(|text| Wanted::parse(text).unwrap());
            let expect = expect.map_or(Difference::None, |line| Difference::Some(Some(line.to_owned())));
            assert_eq!(diff(facts, wanted.as_ref()), expect, "{facts}");
        };
        check(&Facts::None, Some("c_t"), Some("none -> c_t"));
        check(&Facts::None, None, None);
        check(&local("a:b:c_t:s0"), Some("c_t"), None);
        check(&local("a:b:d_t:s0"), Some("c_t"), Some("d_t -> c_t"));
        check(&local("a:b:c_t:s0"), Some("a:b:c_t:s1"), Some("a:b:c_t:s0 -> a:b:c_t:s1"));
        check(&local("<<none>>"), Some("c_t"), Some("<<none>> -> c_t"));
        check(&local("a:b:c_t:s0"), None, Some("- a:b:c_t:s0"));
        assert!(matches!(diff(&Facts::NoPolicy, None), Difference::Unknown(_)));
    }

    #[test]
    fn the_configuration_names_the_policy() {
        let check = |text: &str, expect: Option<&str>| assert_eq!(policy(text), expect, "{text}");
        check("SELINUX=enforcing\n# SELINUXTYPE= can take one of\nSELINUXTYPE=targeted\n", Some("targeted"));
        check("SELINUXTYPE=mls \n", Some("mls"));
        check("SELINUXTYPE=../x\n", None);
        check("SELINUX=disabled\n", None);
    }

    #[test]
    fn patterns_are_of_absolute_paths() {
        let check = |text: &str, expect| assert_eq!(is_pattern(text), expect, "{text:?}");
        check("/srv/shop(/.*)?", true);
        check("(/.*)?", false);
        check("/srv/my shop", false);
        check("-d", false);
        check("/a\n/b", false);
        check("", false);
    }
}
