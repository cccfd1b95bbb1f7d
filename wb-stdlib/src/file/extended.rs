//! What a mode can't say: access control lists and capabilities.

use std::path::Path;

use wb_core::context::Context;
use wb_core::system::files::{self, Stat, Xattr};
use wb_core::system::{Held, System};

use super::acl::{self, ACCESS, Acl, DEFAULT, Who, Whose};
use super::capability::{self, Capabilities};
use super::{FileError, Resolved};
use crate::foresight;
use crate::owner::{self, OwnerError};

/// SELinux is there, and every file has a label.
const SELINUX: &str = "/sys/fs/selinux/enforce";
const LABEL: &str = "security.selinux";

/// What is wanted, as people say it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Extended {
    pub(crate) acl: Vec<String>,
    pub(crate) without_acl: Vec<String>,
    pub(crate) exact_acl: bool,
    pub(crate) capabilities: Option<String>,
}

/// What is wanted, as the kernel has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    wanted: Vec<Setting>,
    lines: Vec<String>,
}

/// One extended attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Setting {
    name: &'static str,
    /// Nothing where it is to be away.
    value: Option<Vec<u8>>,
    is_so: bool,
}

/// Something of a path's own list, and of the one that new files begin with.
#[derive(Debug)]
struct OfLists<T> {
    own: Vec<T>,
    default: Vec<T>,
}

impl<T> OfLists<T> {
    const fn new() -> Self {
        Self { own: Vec::new(), default: Vec::new() }
    }

    fn add(&mut self, is_default: bool, one: T) {
        if is_default { self.default.push(one) } else { self.own.push(one) }
    }
}

impl Extended {
    fn wants_acl(&self) -> bool {
        self.exact_acl || !self.acl.is_empty() || !self.without_acl.is_empty()
    }

    /// Looks at what is there, as far as something is wanted of it. The mode that is wanted becomes the one that a path
    /// with such a list shows.
    pub(crate) fn settle(
        &self,
        system: &System,
        path: &Path,
        found: Option<Stat>,
        resolved: &mut Resolved,
        new_mode: u32,
    ) -> Result<Settled, FileError> {
        let mut settled = Settled::default();
        if self.wants_acl() {
            self.settle_acl(system, path, found, resolved, new_mode, &mut settled)?;
        }
        if let Some(text) = &self.capabilities {
            let wanted = Capabilities::parse(text).map_err(|why| FileError::BadCapabilities {
                path: path.to_owned(),
                text: text.clone(),
                why,
            })?;
            let bytes = if found.is_some() { system.xattr(path, capability::NAME)? } else { None };
            let now = bytes.as_deref().and_then(Capabilities::from_bytes).unwrap_or_default();
            settled.lines.extend((now != wanted).then(|| format!("capabilities {now} -> {wanted}")));
            let value = (!wanted.is_none()).then(|| wanted.bytes());
            settled.wanted.push(Setting { name: capability::NAME, value, is_so: now == wanted });
        }
        Ok(settled)
    }

    fn settle_acl(
        &self,
        system: &System,
        path: &Path,
        found: Option<Stat>,
        resolved: &mut Resolved,
        new_mode: u32,
        settled: &mut Settled,
    ) -> Result<(), FileError> {
        let (said, gone) = (self.entries(system, path)?, self.gone(system, path)?);
        let mode = found.map_or_else(|| resolved.mode.unwrap_or(new_mode), |stat| stat.mode);
        let read = |name| if found.is_some() { system.xattr(path, name) } else { Ok(None) };
        let stored = |bytes: Option<Vec<u8>>| bytes.as_deref().and_then(Acl::parse).filter(Acl::is_extended);
        let now = stored(read(ACCESS)?).unwrap_or_else(|| Acl::of_mode(mode));
        let base = resolved.mode.map_or_else(|| now.clone(), |mode| now.clone().with_mode(mode));
        let base = base.without(&gone.own);
        let only_goes = self.acl.is_empty() && !self.exact_acl;
        let wanted = if only_goes { base } else { base.with(&said.own, self.exact_acl) };
        resolved.mode = Some(resolved.mode.unwrap_or(mode) & 0o7000 | wanted.mode());
        settled.add(ACCESS, &now, &wanted, "acl");
        if self.exact_acl || !said.default.is_empty() || !gone.default.is_empty() {
            let now = read(DEFAULT)?.as_deref().and_then(Acl::parse).filter(|acl| *acl != Acl::default());
            let base = now.clone().unwrap_or_else(|| wanted.with(&[], true)).without(&gone.default);
            let wanted = match said.default.is_empty() {
                false => base.with(&said.default, self.exact_acl),
                true if now.is_some() && !self.exact_acl => base,
                true => Acl::default(),
            };
            settled.add(DEFAULT, &now.unwrap_or_default(), &wanted, "default acl");
        }
        Ok(())
    }

    /// The entries that are to be there.
    fn entries(&self, system: &System, path: &Path) -> Result<OfLists<(Whose, u16)>, FileError> {
        let mut said = OfLists::new();
        for text in &self.acl {
            let spec = acl::parse(text).map_err(|why| bad_acl(path, text, why))?;
            said.add(spec.is_default, (whose(system, spec.who)?, spec.rights));
        }
        Ok(said)
    }

    /// Whose entries are to go.
    fn gone(&self, system: &System, path: &Path) -> Result<OfLists<Whose>, FileError> {
        let mut gone = OfLists::new();
        for text in &self.without_acl {
            let (is_default, who) = acl::parse_name(text).map_err(|why| bad_acl(path, text, why))?;
            gone.add(is_default, whose(system, who)?);
        }
        Ok(gone)
    }

    /// Why nobody knows yet what is to change of it: for plans. Operations before may change what there is, and bring whom it
    /// names.
    pub(crate) fn unknown(&self, context: &Context<'_>, path: &Path) -> Result<Option<String>, FileError> {
        match self.missing_owner(context.system())? {
            None if *self != Self::default() => Ok(foresight::touched(context, path)),
            missing => Ok(missing),
        }
    }

    /// Who is not there yet.
    fn missing_owner(&self, system: &System) -> Result<Option<String>, FileError> {
        let said = self.acl.iter().filter_map(|text| Some(acl::parse(text).ok()?.who));
        let gone = self.without_acl.iter().filter_map(|text| Some(acl::parse_name(text).ok()?.1));
        for who in said.chain(gone) {
            match whose(system, who) {
                Err(OwnerError::Nobody { kind, name }) => return Ok(Some(format!("there is no {kind} `{name}` yet"))),
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
        }
        Ok(None)
    }
}

impl Settled {
    fn add(&mut self, name: &'static str, now: &Acl, wanted: &Acl, what: &str) {
        let lines = wanted.diff(now, what);
        // What the mode says of it stands in the line about the mode.
        let named =
            |line: &String| ["user:", "group:", "mask"].iter().any(|kind| line[what.len() + 1..].starts_with(kind));
        self.lines.extend(lines.iter().filter(|line| named(line)).cloned());
        // What new files begin with may say no more than a mode could, and is said all the same.
        let is_list = wanted.is_extended() || name == DEFAULT && *wanted != Acl::default();
        let value = is_list.then(|| wanted.bytes());
        self.wanted.push(Setting { name, value, is_so: lines.is_empty() });
    }

    /// A line for each that is not as wanted.
    pub(crate) fn diff(&self) -> &[String] {
        &self.lines
    }

    /// Sets those that are wanted; all of them where an owner was set before, since that clears some.
    pub(crate) fn set(&self, system: &System, path: &Path, all: bool) -> Result<(), FileError> {
        let at = system.path(path);
        for Setting { name, value, .. } in self.wanted.iter().filter(|setting| all || !setting.is_so) {
            let set = match value {
                Some(value) => files::set_xattr(&at, name, value),
                None => match files::remove_xattr(&at, name) {
                    // Where there can be none, none is there.
                    Err(error) if error.source.kind() == std::io::ErrorKind::Unsupported => Ok(()),
                    removed => removed,
                },
            };
            set.map_err(|error| unsupported(error, name))?;
        }
        Ok(())
    }

    /// The attributes of a file that takes the place of another: those that are wanted, and, where nobody said anything
    /// of them, the list and the label that the old one had. Where it had no list, the new one has none either, whatever
    /// list its directory gives to new files.
    pub(crate) fn over(&self, system: &System, path: &Path, found: Option<Stat>) -> Result<Vec<Xattr>, FileError> {
        // The only one that a new file may have from its directory is its own list.
        let counts = |setting: &&Setting| setting.value.is_some() || setting.name == ACCESS;
        let wanted = self.wanted.iter().filter(counts);
        let wanted = wanted.map(|setting| Xattr { name: setting.name, value: setting.value.clone(), is_vital: true });
        let mut xattrs: Vec<Xattr> = wanted.collect();
        if found.is_none() {
            return Ok(xattrs);
        }
        let has_labels = system.stat(SELINUX)?.is_some();
        let kept = [(ACCESS, true), (LABEL, false)].into_iter().filter(|(name, _)| *name != LABEL || has_labels);
        for (name, is_vital) in kept.filter(|(name, _)| !self.wanted.iter().any(|setting| setting.name == *name)) {
            let value = system.xattr(path, name)?;
            xattrs.extend((value.is_some() || name == ACCESS).then_some(Xattr { name, value, is_vital }));
        }
        Ok(xattrs)
    }
}

/// Gives a new directory the access control lists and the label of the one whose place it is to take.
pub(crate) fn take_over(system: &System, from: &Path, to: &Path) -> Result<(), FileError> {
    let has_labels = system.stat(SELINUX)?.is_some();
    for name in [ACCESS, DEFAULT, LABEL].into_iter().filter(|name| *name != LABEL || has_labels) {
        let taken = match system.xattr(from, name)? {
            Some(value) => files::set_xattr(system.path(to), name, &value),
            None => files::remove_xattr(system.path(to), name),
        };
        match taken {
            Err(error) if error.source.kind() == std::io::ErrorKind::Unsupported => {}
            taken => taken?,
        }
    }
    Ok(())
}

/// The extended attributes of a program, for the copy that is to take its place. Nothing where there must be none: it has
/// other names, or attributes that nobody here knows.
pub(super) fn of_program(system: &System, held: &Held) -> Result<Option<Vec<Xattr>>, files::FileError> {
    let known = [ACCESS, capability::NAME, LABEL];
    if !held.has_one_name()? || held.xattr_names()?.iter().any(|name| !known.contains(&name.as_str())) {
        return Ok(None);
    }
    let has_labels = system.stat(SELINUX)?.is_some();
    let mut xattrs = Vec::new();
    for name in known.into_iter().filter(|name| *name != LABEL || has_labels) {
        let value = held.xattr(name)?;
        // Where it has no list, the copy gets none either, whatever list its directory gives to new files.
        xattrs.extend((value.is_some() || name == ACCESS).then_some(Xattr { name, value, is_vital: name != LABEL }));
    }
    Ok(Some(xattrs))
}

/// A file system without such attributes is named as that.
pub(super) fn unsupported(error: files::FileError, name: &str) -> FileError {
    let what = if name == capability::NAME { "capabilities" } else { "access control lists" };
    match error.source.kind() {
        std::io::ErrorKind::Unsupported => FileError::Without { path: error.path.clone(), what, source: error },
        _ => error.into(),
    }
}

fn bad_acl(path: &Path, entry: &str, why: &'static str) -> FileError {
    FileError::BadAcl { path: path.to_owned(), entry: entry.to_owned(), why }
}

fn whose(system: &System, who: Who<'_>) -> Result<Whose, OwnerError> {
    Ok(match who {
        Who::User(name) => Whose::User(owner::user(system, name)?.uid),
        Who::Group(name) => Whose::Group(owner::group(system, name)?),
        Who::Mask => Whose::Mask,
    })
}

/// Whether a path has this entry in its own list, or in the one that new files begin with.
pub(super) fn has_acl(system: &System, path: &Path, text: &str) -> Result<bool, FileError> {
    let spec = acl::parse(text).map_err(|why| bad_acl(path, text, why))?;
    let bytes = system.xattr(path, if spec.is_default { DEFAULT } else { ACCESS })?;
    let whose = whose(system, spec.who)?;
    Ok(bytes.as_deref().and_then(Acl::parse).is_some_and(|acl| acl.has(whose, spec.rights)))
}

/// The capabilities that a file has, as getcap(8) shows them, and whether they are these.
pub(super) fn has_capabilities(system: &System, path: &Path, text: &str) -> Result<Result<(), String>, FileError> {
    let wanted = Capabilities::parse(text).map_err(|why| FileError::BadCapabilities {
        path: path.to_owned(),
        text: text.to_owned(),
        why,
    })?;
    let bytes = system.xattr(path, capability::NAME)?;
    let found = bytes.as_deref().and_then(Capabilities::from_bytes).unwrap_or_default();
    Ok(if found == wanted { Ok(()) } else { Err(found.to_string()) })
}
