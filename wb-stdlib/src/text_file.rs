//! Small text files of the system that are edited in part, such as `/etc/hosts`: what others wrote in them stays.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use similar::{ChangeTag, TextDiff};
use wb_core::context::{Context, Mode};
use wb_core::system::System;
use wb_core::system::files::{self, Attributes, Cause, FileError, Kind, Stat};

use crate::ensure::Difference;
use crate::file::KindWord;
use crate::foresight::{self, Thing};

/// The largest file that is edited, in bytes. Lists of blocked hosts, in `/etc/hosts`, have some MiB.
const LARGEST: u64 = 16 * 1024 * 1024;
/// The mode of a file that was not there.
const NEW_MODE: u32 = 0o644;

/// What can go wrong with a text file that is to be edited. It is then as it was.
#[derive(Debug, thiserror::Error)]
pub enum TextFileError {
    /// Something else is there.
    #[error("{} is to be a file, and is {found}", .path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What is there.
        found: KindWord,
    },
    /// It is too large for what it should be.
    #[error("{} has {size} bytes, too many for a file of its kind, so it is not edited", .path.display())]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
    /// It is no text.
    #[error(
        "{} is no text in UTF-8, so it is not edited: byte {at} begins no character\nhint: `iconv -f latin1 -t utf8` \
         makes it one, if it is old", .path.display()
    )]
    NotText {
        /// The path.
        path: PathBuf,
        /// Where, in bytes from its start.
        at: usize,
    },
    /// The disk is full.
    #[error(
        "could not {} {}: its disk is full, and what is there was left as it was\nhint: see `df -h {}` and `df -i {}`",
        .0.action, .0.path.display(), place(.0).display(), place(.0).display()
    )]
    Full(#[source] FileError),
    /// The file system is mounted read-only.
    #[error(
        "could not {} {}: its file system is mounted read-only\nhint: see `findmnt -T {}` and `dmesg`",
        .0.action, .0.path.display(), place(.0).display()
    )]
    ReadOnly(#[source] FileError),
    /// Symbolic links lead to each other.
    #[error(
        "{} leads through symbolic links that lead to each other\nhint: `namei -l {}` shows them",
        .0.path.display(), .0.path.display()
    )]
    LinkLoop(#[source] FileError),
    /// The file system failed otherwise.
    #[error(transparent)]
    System(FileError),
}

impl From<FileError> for TextFileError {
    fn from(source: FileError) -> Self {
        match source.cause() {
            Cause::LinkLoop => Self::LinkLoop(source),
            Cause::Full => Self::Full(source),
            Cause::ReadOnly => Self::ReadOnly(source),
            Cause::ThroughFile | Cause::Other => Self::System(source),
        }
    }
}

/// Where a path lies: what is not there yet has no file system that anybody could ask for.
fn place(error: &FileError) -> &Path {
    error.path.parent().unwrap_or(&error.path)
}

/// A text file as it was found, or would be by now in a plan. One that is not there has no text.
#[derive(Debug, Clone)]
pub(crate) struct TextFile {
    path: PathBuf,
    /// Where it lies, as seen from this process.
    real: PathBuf,
    found: Option<Stat>,
    text: Option<Arc<Utf8>>,
    /// Why nobody knows yet what is in it.
    unknown: Option<String>,
}

/// A text, or where it is none.
#[derive(Debug)]
struct Utf8(Result<String, usize>);

impl Utf8 {
    fn of(bytes: &[u8]) -> Self {
        Self(std::str::from_utf8(bytes).map(str::to_owned).map_err(|error| error.valid_up_to()))
    }
}

impl TextFile {
    /// The file at `path`, or what a link there leads to: that is edited, and the link stays.
    pub(crate) fn read(system: &System, path: impl AsRef<Path>) -> Result<Self, TextFileError> {
        let path = path.as_ref().to_owned();
        let real = system.path(&path);
        let (real, found) = match files::stat(&real)? {
            Some(Stat { kind: Kind::Link, .. }) => {
                let target = behind(&real)?;
                let found = files::stat(&target)?;
                (target, found)
            }
            found => (real, found),
        };
        check(&path, found)?;
        let text = system.parsed(&path, Utf8::of)?;
        Self { path, real, found, text, unknown: None }.checked()
    }

    /// [`TextFile::read`], with what operations before would have done to it in a plan.
    pub(crate) fn by_now(context: &Context<'_>, path: impl AsRef<Path>) -> Result<Self, TextFileError> {
        let (system, path) = (context.system(), path.as_ref());
        if context.mode() == Mode::Apply {
            return Self::read(system, path);
        }
        let at = end(context, path);
        if foresight::is_as_found(context, &at) {
            let file = Self::read(system, &at)?;
            return Ok(Self { path: path.to_owned(), ..file });
        }
        let found = foresight::stat(context, &at)?;
        check(path, found)?;
        let text = foresight::read(context, &at)?.map(|bytes| Arc::new(Utf8::of(&bytes)));
        let unknown = foresight::unknown_in(context, &at);
        Self { path: path.to_owned(), real: system.path(&at), found, text, unknown }.checked()
    }

    fn checked(self) -> Result<Self, TextFileError> {
        match self.text.as_deref() {
            Some(Utf8(Err(at))) => Err(TextFileError::NotText { path: self.path.clone(), at: *at }),
            _ => Ok(self),
        }
    }

    pub(crate) fn is_there(&self) -> bool {
        self.found.is_some()
    }

    pub(crate) fn text(&self) -> &str {
        match self.text.as_deref() {
            Some(Utf8(Ok(text))) => text,
            _ => "",
        }
    }

    /// How it differs from `wanted`: its path, and the lines that differ. What is around these and above them is not
    /// told: another operation of the same plan may change that, and what is done must be what the plan said.
    pub(crate) fn diff(&self, wanted: &str) -> Option<String> {
        if self.text() == wanted {
            return None;
        }
        Some(format!("{}\n{}", self.path.display(), changed_lines(self.text(), wanted)))
    }

    /// [`TextFile::diff`], where that is all that can differ.
    pub(crate) fn difference(&self, wanted: &str) -> Difference {
        self.known(self.diff(wanted).map_or(Difference::None, |diff| Difference::Some(Some(diff))))
    }

    /// What differs by what it says, unless nobody knows that yet.
    pub(crate) fn known(&self, difference: Difference) -> Difference {
        self.unknown.clone().map_or(difference, Difference::Unknown)
    }

    /// Lets operations that come later in a plan see it with this text.
    pub(crate) fn foresee(&self, context: &Context<'_>, text: &str) -> Result<(), FileError> {
        if context.mode() == Mode::Apply || self.unknown.is_some() || self.text() == text {
            return Ok(());
        }
        let found = self.found.unwrap_or_else(|| foresight::new_stat(Kind::File, NEW_MODE));
        let stat = Stat { size: text.len() as u64, ..found };
        foresight::make_directory(context, &end(context, &self.path), Thing::File(stat, text.into()))
    }

    /// Lets operations that come later in a plan see that it is gone.
    pub(crate) fn foresee_gone(&self, context: &Context<'_>) {
        if self.is_there() {
            foresight::put(context, &self.path, Thing::Nothing);
        }
    }

    /// Replaces the text, and keeps owner and mode. The directory is made where there is none.
    pub(crate) fn write(&self, text: &str) -> Result<(), FileError> {
        if self.text() == text {
            return Ok(());
        }
        if let Some(parent) = self.real.parent() {
            files::create_dir(parent)?;
        }
        files::write_with(&self.real, text, attributes(self.found))
    }
}

/// Where a path leads by links that there would be by now in a plan.
fn end(context: &Context<'_>, path: &Path) -> PathBuf {
    let (system, at) = (context.system(), foresight::end(context, path).unwrap_or_else(|| path.to_owned()));
    match system.stat(&at) {
        Ok(Some(Stat { kind: Kind::Link, .. })) if foresight::is_as_found(context, &at) => {
            system.real_path(&at).unwrap_or(at)
        }
        _ => at,
    }
}

/// Whether that is what can be edited.
fn check(path: &Path, found: Option<Stat>) -> Result<(), TextFileError> {
    let path = || path.to_owned();
    match found {
        Some(Stat { kind: Kind::File, size, .. }) if size > LARGEST => {
            Err(TextFileError::TooLarge { path: path(), size })
        }
        None | Some(Stat { kind: Kind::File, .. }) => Ok(()),
        Some(stat) => Err(TextFileError::NotAFile { path: path(), found: KindWord(stat.kind) }),
    }
}

/// Where a link leads, also where nothing is yet.
fn behind(link: &Path) -> Result<PathBuf, FileError> {
    match files::canonical(link) {
        Err(error) if error.source.kind() == ErrorKind::NotFound => {
            Ok(link.parent().unwrap_or(link).join(files::read_link(link)?))
        }
        resolved => resolved,
    }
}

fn attributes(found: Option<Stat>) -> Attributes {
    match found {
        Some(stat) => Attributes { mode: stat.mode, uid: Some(stat.uid), gid: Some(stat.gid) },
        None => Attributes::mode(NEW_MODE),
    }
}

/// The lines that differ, each after its sign.
pub(crate) fn changed_lines(old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    let line = |sign: &str, value: &str| Some(format!("{sign} {}", value.trim_end_matches('\n')));
    let lines = diff.iter_all_changes().filter_map(|change| match change.tag() {
        ChangeTag::Equal => None,
        ChangeTag::Delete => line("-", change.value()),
        ChangeTag::Insert => line("+", change.value()),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Ends the last line, where that is not so.
pub(crate) fn end_line(text: &mut String) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Look as _;
    use crate::look::Access as _;
    use crate::machine::Machine;

    fn read(machine: &Machine, path: &str) -> Result<TextFile, TextFileError> {
        let mut found = None;
        machine
            .view(|host| {
                found = Some(TextFile::read(host.context().system(), path));
                Ok(())
            })
            .unwrap();
        found.unwrap()
    }

    fn write(machine: &Machine, path: &str, text: &str) {
        machine.apply(|host| Ok(TextFile::read(host.system(), path)?.write(text)?)).unwrap();
    }

    #[test]
    fn a_file_keeps_its_mode_and_a_new_one_gets_its_directory() {
        let machine = Machine::new().file("/etc/hosts", "old\n");
        files::set_mode(machine.path("/etc/hosts"), 0o640).unwrap();
        write(&machine, "/etc/hosts", "new\n");
        assert_eq!(machine.stat("/etc/hosts").unwrap().mode, 0o640);
        write(&machine, "/etc/sysctl.d/a.conf", "a = 1\n");
        assert_eq!(machine.read("/etc/sysctl.d/a.conf").as_deref(), Some("a = 1\n"));
    }

    #[test]
    fn what_a_link_leads_to_is_edited() {
        let machine = Machine::new().file("/etc/locale.conf", "old\n").dir("/etc/default");
        files::link("../locale.conf", machine.path("/etc/default/locale")).unwrap();
        write(&machine, "/etc/default/locale", "new\n");
        assert_eq!(machine.read("/etc/locale.conf").as_deref(), Some("new\n"));
        assert_eq!(machine.stat("/etc/default/locale").unwrap().kind, Kind::Link);
        files::remove(machine.path("/etc/locale.conf")).unwrap();
        write(&machine, "/etc/default/locale", "anew\n");
        assert_eq!(machine.read("/etc/locale.conf").as_deref(), Some("anew\n"));
    }

    #[test]
    fn what_can_not_be_edited_is_said() {
        let machine = Machine::new().dir("/etc/hosts").dir("/a");
        let check = |path: &str, expect: &str| {
            let error = read(&machine, path).unwrap_err().to_string();
            assert!(error.starts_with(expect), "{error}");
        };
        check("/etc/hosts", "/etc/hosts is to be a file, and is a directory");
        files::write(machine.path("/a/bytes"), b"ab\xff", 0o644).unwrap();
        check("/a/bytes", "/a/bytes is no text in UTF-8, so it is not edited: byte 2 begins no character\nhint: ");
        files::write(machine.path("/a/large"), vec![b'x'; 17 << 20], 0o644).unwrap();
        check("/a/large", "/a/large has 17825792 bytes, too many for a file of its kind");
        files::link("loop", machine.path("/a/loop")).unwrap();
        let looped = read(&machine, "/a/loop").unwrap_err();
        assert!(matches!(looped, TextFileError::LinkLoop(_)), "{looped:?}");
        let said = looped.to_string();
        assert!(said.contains("/a/loop leads through symbolic links that lead to each other\nhint: "), "{said}");
    }

    /// What a room says of a file that the system refuses to write.
    fn refused<E: From<FileError> + std::fmt::Display>(kind: ErrorKind) -> E {
        FileError { action: "write", path: "/etc/hosts".into(), source: kind.into() }.into()
    }

    #[test]
    fn a_full_disk_and_a_read_only_one_are_told_by_each_room() {
        let check = |full: String, read_only: String| {
            let expect = "could not write /etc/hosts: its disk is full, and what is there was left as it was\nhint: see \
                          `df -h /etc` and `df -i /etc`";
            assert_eq!(full, expect);
            let expect = "could not write /etc/hosts: its file system is mounted read-only\nhint: see `findmnt -T /etc` \
                          and `dmesg`";
            assert_eq!(read_only, expect);
        };
        fn both<E: From<FileError> + std::fmt::Display>() -> (String, String) {
            let said = |kind| refused::<E>(kind).to_string();
            (said(ErrorKind::StorageFull), said(ErrorKind::ReadOnlyFilesystem))
        }
        let rooms = [
            both::<TextFileError>(),
            both::<crate::hosts::HostsError>(),
            both::<crate::mount::MountError>(),
            both::<crate::swap::SwapError>(),
            both::<crate::cron::CronError>(),
            both::<crate::sysctl::SysctlError>(),
            both::<crate::kernel_module::ModuleError>(),
            both::<crate::locale::LocaleError>(),
            both::<crate::timezone::TimezoneError>(),
            both::<crate::hostname::HostnameError>(),
        ];
        rooms.into_iter().for_each(|(full, read_only)| check(full, read_only));
        let typed: crate::hosts::HostsError = refused(ErrorKind::QuotaExceeded);
        assert!(matches!(typed, crate::hosts::HostsError::File(TextFileError::Full(_))), "{typed:?}");
        assert_eq!(refused::<TextFileError>(ErrorKind::PermissionDenied).to_string(), "could not write /etc/hosts");
    }

    #[test]
    fn units_certificates_and_checkouts_tell_it_as_files_do() {
        use crate::file::FileError as Typed;
        let unit: crate::unit::UnitError = refused(ErrorKind::StorageFull);
        assert!(matches!(unit, crate::unit::UnitError::File(Typed::Full { .. })), "{unit:?}");
        let certificate: crate::certificate::CertificateError = refused(ErrorKind::ReadOnlyFilesystem);
        let is_typed = matches!(certificate, crate::certificate::CertificateError::File(Typed::ReadOnly { .. }));
        assert!(is_typed, "{certificate:?}");
        let checkout: crate::git::GitError = refused(ErrorKind::StorageFull);
        assert!(matches!(checkout, crate::git::GitError::File(Typed::Full { .. })), "{checkout:?}");
    }

    fn edit(host: &crate::Host) -> anyhow::Result<()> {
        Ok(TextFile::by_now(host.context(), "/etc/default/locale")?.foresee(host.context(), "new\n")?)
    }

    fn make(host: &crate::Host) -> anyhow::Result<()> {
        Ok(TextFile::by_now(host.context(), "/etc/sysctl.d/a.conf")?.foresee(host.context(), "a\n")?)
    }

    fn remove(host: &crate::Host) -> anyhow::Result<()> {
        host.file("/etc/locale.conf").absent()?;
        Ok(())
    }

    #[test]
    fn a_plan_sees_what_operations_before_would_have_written() {
        let machine = Machine::new().file("/etc/locale.conf", "old\n").dir("/etc/default");
        files::link("../locale.conf", machine.path("/etc/default/locale")).unwrap();
        let check = |before: fn(&crate::Host) -> anyhow::Result<()>, path: &str, text: &str, expect: Option<&str>| {
            let seen = machine.plan(|host| {
                before(host)?;
                let file = TextFile::by_now(host.context(), path)?;
                Ok((file.text().to_owned(), file.diff("new\n")))
            });
            assert_eq!(seen.unwrap(), (text.to_owned(), expect.map(str::to_owned)), "{path}");
        };
        check(edit, "/etc/default/locale", "new\n", None);
        check(edit, "/etc/locale.conf", "new\n", None);
        check(make, "/etc/sysctl.d/a.conf", "a\n", Some("/etc/sysctl.d/a.conf\n- a\n+ new"));
        check(remove, "/etc/locale.conf", "", Some("/etc/locale.conf\n+ new"));
        assert_eq!((machine.read("/etc/locale.conf").as_deref(), machine.stat("/etc/sysctl.d")), (Some("old\n"), None));
    }

    #[test]
    fn a_plan_can_not_know_what_only_comes_then() {
        let made = Machine::new().dir("/etc").plan(|host| {
            host.command("make it").creates("/etc/made").run()?;
            Ok(TextFile::by_now(host.context(), "/etc/made")?.difference("new\n"))
        });
        let why = "what is in /etc/made is known only when it is there";
        assert_eq!(made.unwrap(), Difference::Unknown(why.into()));
    }

    #[test]
    fn differences_are_shown_by_lines() {
        let machine = Machine::new().file("/etc/hosts", "a\nb\n");
        let file = read(&machine, "/etc/hosts").unwrap();
        assert_eq!(file.diff("a\nb\n"), None);
        assert_eq!(file.diff("a\nc\n").unwrap(), "/etc/hosts\n- b\n+ c");
        assert_eq!(read(&machine, "/etc/new").unwrap().diff("a\n").unwrap(), "/etc/new\n+ a");
    }
}
