//! Labels: the context that a file has, in an extended attribute.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use wb_core::context::{Operation, Outcome};
use wb_core::system::files::{self, Kind};
use wb_core::system::{Command, CommandError, System};

use super::context::{Context, Wanted};
use super::{SelinuxError, file_context, mode};
use crate::ensure::{Difference, ensure};
use crate::file::check_path;
use crate::{Host, Look};

const ATTRIBUTE: &str = "security.selinux";
/// A large tree takes a while.
const BOUND: Duration = Duration::from_secs(1800);
/// So many paths are told of in an outcome.
const MOST: usize = 20;

/// The label of what is at a path. [`Selinux::label`](super::Selinux::label) makes it.
///
/// A label that is set here lasts until the path is labelled anew. To say it for good, say a
/// [`FileContext`](super::FileContext), and let the path have that label.
#[must_use = "say what is to be so: `.restored()?`, `.restored_with_all_below()?` or `.set(\"a_type_t\")?`"]
pub struct Label<A> {
    access: A,
    path: PathBuf,
}

impl<A: Look> Label<A> {
    pub(super) fn new(access: A, path: &Path) -> Self {
        Self { access, path: path.to_owned() }
    }

    /// Checks that it is this type, as in `httpd_sys_content_t`, or this whole context. A link is not followed.
    ///
    /// # Errors
    /// When it is another one, there is nothing at the path, or SELinux is off.
    pub fn is(&self, context: &str) -> Result<()> {
        let (wanted, found) = (Wanted::of(context)?, self.found()?);
        let path = self.path.display();
        anyhow::ensure!(wanted.fits(&found), "expected {path} with the SELinux label {wanted}, found {found}");
        Ok(())
    }

    fn found(&self) -> Result<Context, SelinuxError> {
        self.looked_at()?;
        let label = self.system().xattr(&self.path, ATTRIBUTE)?;
        let context = label.and_then(|bytes| Context::parse(&String::from_utf8_lossy(&bytes)));
        context.ok_or_else(|| SelinuxError::NoLabel { path: self.path.clone() })
    }

    /// What is at the path, where SELinux is on.
    fn looked_at(&self) -> Result<Kind, SelinuxError> {
        check_path(&self.path)?;
        mode::current(self.system())?;
        let found = self.system().stat(&self.path)?;
        found.map(|stat| stat.kind).ok_or_else(|| SelinuxError::NoPath { path: self.path.clone() })
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl Label<Host<'_>> {
    /// It is this type, as in `httpd_sys_content_t`, or this whole context, `user:role:type:level`, until the path is
    /// labelled anew. Of a directory, what is in it is left alone.
    ///
    /// # Errors
    /// When that is no type and no context, the policy does not know it, a link or nothing is at the path, its file system
    /// has no labels, or SELinux is off.
    pub fn set(self, context: impl AsRef<str>) -> Result<Outcome, SelinuxError> {
        let wanted = Wanted::of(context.as_ref())?;
        let what = format!("SELinux label {} {wanted}", self.path.display());
        if let Some(missing) = self.missing()? {
            return ensure(self.access, &what, Difference::Unknown(missing), || Ok(()));
        }
        if self.looked_at()? == Kind::Link {
            return Err(SelinuxError::IsLink { path: self.path });
        }
        let found = self.found()?;
        ensure(self.access, &what, diff(&found, &wanted), || {
            self.write(&wanted.over(&found))?;
            if wanted.fits(&self.found()?) { Ok(()) } else { Err(SelinuxError::NotSo { what: what.clone() }) }
        })
    }

    /// It is the one that the file contexts of the host and of its policy say: `restorecon`. Only the type counts, and a
    /// type that the policy lets be chosen by hand (`customizable_types`) stays.
    ///
    /// What it is now is asked of `restorecon`, which knows the patterns: so this is one of the few operations that start
    /// a program also where nothing is to be done.
    ///
    /// # Errors
    /// When there is nothing at the path, SELinux is off, or restorecon fails.
    pub fn restored(self) -> Result<Outcome, SelinuxError> {
        self.restore(false)
    }

    /// It, and that of all that is below the path, is the one that the file contexts say, as with [`Label::restored`].
    ///
    /// # Errors
    /// When there is nothing at the path, SELinux is off, or restorecon fails.
    pub fn restored_with_all_below(self) -> Result<Outcome, SelinuxError> {
        self.restore(true)
    }

    fn restore(self, below: bool) -> Result<Outcome, SelinuxError> {
        let all = if below { " and of all below" } else { "" };
        let what = format!("SELinux label of {}{all} restored", self.path.display());
        let difference = match self.missing()?.or_else(|| self.unsettled()) {
            Some(why) => Difference::Unknown(why),
            None => match self.misplaced(below) {
                Err(CommandError::NotFound { program, .. }) if self.access.plans() => {
                    Difference::Unknown(format!("there is no program `{program}` yet"))
                }
                lines => told(lines.map_err(|source| SelinuxError::Refused { what: what.clone(), source })?),
            },
        };
        ensure(self.access, &what, difference, || {
            let refused = |source| SelinuxError::Refused { what: what.clone(), source };
            self.restorecon("-v", below).map_err(refused)?;
            let left = self.misplaced(below).map_err(refused)?;
            if left.is_empty() { Ok(()) } else { Err(SelinuxError::NotSo { what: what.clone() }) }
        })
    }

    /// What is not there yet, in a plan.
    fn missing(&self) -> Result<Option<String>, SelinuxError> {
        match self.looked_at() {
            Err(SelinuxError::NoPath { path }) if self.access.plans() => {
                Ok(Some(format!("there is nothing at {} yet", path.display())))
            }
            looked => looked.map(|_| None),
        }
    }

    /// What keeps a plan from knowing which label the path will have: operations before this one would change it.
    fn unsettled(&self) -> Option<String> {
        let path = self.path.display().to_string();
        let concerns = |operation: &&Operation| {
            operation.outcome.changed()
                && (operation.what.starts_with(file_context::NAME) || operation.what.contains(&path))
        };
        let operations = self.access.plans().then(|| crate::look::Access::context(&self.access).operations())?;
        operations.iter().find(concerns).map(|operation| format!("`{}` comes before", operation.what))
    }

    /// What would get another label, a line for each.
    fn misplaced(&self, below: bool) -> Result<Vec<String>, CommandError> {
        self.restorecon("-nv", below).map(|said| changes(&said))
    }

    fn restorecon(&self, options: &str, below: bool) -> Result<String, CommandError> {
        let restorecon = Command::new("restorecon").arg(options).args(below.then_some("-R")).arg("--").arg(&self.path);
        self.system().read_command(&restorecon.env("LC_ALL", "C.UTF-8").timeout(BOUND))
    }

    fn write(&self, context: &Context) -> Result<(), SelinuxError> {
        let set = files::set_xattr(self.system().path(&self.path), ATTRIBUTE, &context.bytes());
        set.map_err(|source| match source.source.kind() {
            ErrorKind::InvalidInput => {
                SelinuxError::UnknownContext { path: self.path.clone(), context: context.to_string(), source }
            }
            ErrorKind::Unsupported => SelinuxError::NoLabel { path: self.path.clone() },
            _ => source.into(),
        })
    }
}

fn diff(found: &Context, wanted: &Wanted) -> Difference {
    if wanted.fits(found) {
        return Difference::None;
    }
    Difference::Some(Some(format!("{} -> {wanted}", wanted.seen(found))))
}

/// The first ones, and how many more there are.
fn told(mut lines: Vec<String>) -> Difference {
    let more = lines.len().saturating_sub(MOST);
    lines.truncate(MOST);
    lines.extend((more > 0).then(|| format!("and {more} more")));
    Difference::of_lines(lines)
}

/// What `restorecon -nv` says that it would do. What it leaves alone is no change; what is not understood is one, and
/// stands as it was said.
fn changes(said: &str) -> Vec<String> {
    let left_alone = |line: &&str| !line.contains(" not reset as customized by admin to ");
    let mut lines: Vec<String> = said
        .lines()
        .filter(|line| !line.trim().is_empty())
        .filter(left_alone)
        .map(|line| change(line).unwrap_or_else(|| line.to_owned()))
        .collect();
    lines.sort();
    lines
}

/// Reads `Would relabel PATH from CONTEXT to CONTEXT`, and `restorecon reset PATH context CONTEXT->CONTEXT` of versions
/// before 2.6.
fn change(line: &str) -> Option<String> {
    let (path, from, to) = match line.strip_prefix("Would relabel ") {
        Some(rest) => {
            let (rest, to) = rest.rsplit_once(" to ")?;
            let (path, from) = rest.rsplit_once(" from ")?;
            (path, from, to)
        }
        None => {
            let (path, contexts) = line.strip_prefix("restorecon reset ")?.rsplit_once(" context ")?;
            let (from, to) = contexts.split_once("->")?;
            (path, from, to)
        }
    };
    Some(format!("{path}: {from} -> {to}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_restorecon_would_do_is_read() {
        let check = |said: &str, expect: &[&str]| assert_eq!(changes(said), expect, "{said}");
        check("", &[]);
        // Of RHEL 9 and Fedora.
        check(
            "Would relabel /srv/shop from unconfined_u:object_r:default_t:s0 to unconfined_u:object_r:httpd_sys_content_t:s0\n\
             Would relabel /srv/shop/from here to there from a:b:c:s0 to a:b:d:s0\n",
            &[
                "/srv/shop/from here to there: a:b:c:s0 -> a:b:d:s0",
                "/srv/shop: unconfined_u:object_r:default_t:s0 -> unconfined_u:object_r:httpd_sys_content_t:s0",
            ],
        );
        check("/srv/x not reset as customized by admin to system_u:object_r:container_file_t:s0:c297,c971\n", &[]);
        // Of CentOS 7.
        check(
            "restorecon reset /srv/shop context unconfined_u:object_r:default_t:s0->unconfined_u:object_r:httpd_sys_content_t:s0\n",
            &["/srv/shop: unconfined_u:object_r:default_t:s0 -> unconfined_u:object_r:httpd_sys_content_t:s0"],
        );
        check("something else\n", &["something else"]);
    }

    #[test]
    fn many_changes_are_told_in_short() {
        let lines = |count: usize| (0..count).map(|number| format!("/{number}")).collect::<Vec<_>>();
        assert_eq!(told(lines(0)), Difference::None);
        assert_eq!(told(lines(2)), Difference::Some(Some("/0\n/1".into())));
        let Difference::Some(Some(text)) = told(lines(25)) else { panic!("no difference") };
        assert_eq!((text.lines().count(), text.lines().last()), (21, Some("and 5 more")));
    }

    #[test]
    fn what_differs_is_told_as_it_was_said() {
        let found = Context::parse("system_u:object_r:default_t:s0").unwrap();
        let check = |wanted: &str, expect: Option<&str>| {
            let expect = expect.map_or(Difference::None, |line| Difference::Some(Some(line.to_owned())));
            assert_eq!(diff(&found, &Wanted::parse(wanted).unwrap()), expect, "{wanted}");
        };
        check("default_t", None);
        check("var_t", Some("default_t -> var_t"));
        check(
            "system_u:object_r:default_t:s1",
            Some("system_u:object_r:default_t:s0 -> system_u:object_r:default_t:s1"),
        );
    }
}
