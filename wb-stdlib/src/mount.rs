//! File systems: in `/etc/fstab`, and mounted now.

pub(crate) mod fstab;
mod mounted;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use wb_core::context::Outcome;
use wb_core::system::files::{self, FileError, Kind};
use wb_core::system::{Command, CommandError, System};

use crate::ensure::{Difference, ensure};
use crate::file::KindWord;
use crate::foresight::{self, Thing};
use crate::look::Access as _;
use crate::service::{ServiceError, systemd};
use crate::text_file::{TextFile, TextFileError};
use crate::{Host, Look};
use fstab::Entry;
use mounted::Mounted;

pub(crate) const FSTAB: &str = "/etc/fstab";
const MOUNTINFO: &str = "/proc/self/mountinfo";
/// How long `mount` and `umount` may take: a server of NFS may be slow to answer.
const BOUND: Duration = Duration::from_secs(300);

/// What can go wrong with a mount. `/etc/fstab` is then as it was.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// Nothing can be mounted there.
    #[error("nothing can be mounted at `{}`\nhint: paths are absolute, and lead through no `..`", .path.display())]
    BadPath {
        /// The path.
        path: PathBuf,
    },
    /// Something is not said that must be.
    #[error(
        "the mount at {} has no {missing}\n\
         hint: say it with `.{missing}(…)` before `.present()?`",
        .path.display()
    )]
    Incomplete {
        /// The path.
        path: PathBuf,
        /// What is missing.
        missing: &'static str,
    },
    /// It would be read as something else.
    #[error("`{}` can't be the {what} of the mount at {}", .value.escape_debug(), .path.display())]
    BadValue {
        /// The path.
        path: PathBuf,
        /// What it was to be.
        what: &'static str,
        /// What was asked for.
        value: String,
    },
    /// Only directories are mounted on.
    #[error(
        "{} is {found}, and nothing can be mounted there\n\
         hint: give the path of a directory itself, not of a link",
        .path.display()
    )]
    NotADirectory {
        /// The path.
        path: PathBuf,
        /// What is there.
        found: KindWord,
    },
    /// Several lines are about the same place.
    #[error(
        "{FSTAB} has {lines} lines for {}, and which one is meant can't be known\n\
         hint: remove those that are not wanted",
        .path.display()
    )]
    Ambiguous {
        /// The path.
        path: PathBuf,
        /// How many.
        lines: usize,
    },
    /// Somebody uses it.
    #[error(
        "{} is in use, so it stays mounted\n\
         hint: `fuser -vm {}` on the host shows who uses it",
        .path.display(),
        .path.display()
    )]
    Busy {
        /// The path.
        path: PathBuf,
        /// What `umount` said.
        source: CommandError,
    },
    /// It was not done.
    #[error("could not {action} {}", .path.display())]
    Act {
        /// What was being done.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// Why.
        source: CommandError,
    },
    /// It ended well, and the kernel says otherwise.
    #[error("`{action}` was to change what is at {}, and ended well, but it is not so", .path.display())]
    NotSo {
        /// What was done.
        action: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// systemd did not read the file again.
    #[error("{FSTAB} is written, and systemd did not read it")]
    Reload(#[source] ServiceError),
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] TextFileError),
}

impl From<FileError> for MountError {
    fn from(error: FileError) -> Self {
        Self::File(error.into())
    }
}

/// What is mounted at a path. [`Look::mount`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn mount_the_data(host: &Host) -> Result<()> {
///     host.mount("/srv/data").source("LABEL=data").filesystem("ext4").options("noatime,nofail").pass(2).present()?;
///     host.mount("/").source("LABEL=root").filesystem("ext4").dump(1).pass(1).in_fstab()?;
///     host.mount("/srv/backup").source("nas.example.org:/backup").filesystem("nfs").options("ro,noauto").in_fstab()?;
///     host.mount("/mnt/old").absent()?;
///     host.mount("/mnt/usb").unmounted()?;
///     Ok(())
/// }
///
/// fn the_data_is_there(host: &View) -> Result<()> {
///     host.mount("/srv/data").is_mounted()
/// }
/// # wb_stdlib::testing::web1().rehearse(mount_the_data).asks(the_data_is_there);
/// ```
#[must_use = "say what is to be so: `.present()?`, `.in_fstab()?`, `.unmounted()?` or `.absent()?`"]
pub struct Mount<A> {
    access: A,
    path: PathBuf,
    source: Option<String>,
    filesystem: Option<String>,
    options: String,
    dump: u8,
    pass: u8,
}

impl<A: Look> Mount<A> {
    pub(crate) fn new(access: A, path: &Path) -> Self {
        // Without a slash at the end, as the kernel shows it.
        let path = path.components().collect();
        Self { access, path, source: None, filesystem: None, options: "defaults".into(), dump: 0, pass: 0 }
    }

    /// Checks that something is mounted there.
    ///
    /// # Errors
    /// When nothing is.
    pub fn is_mounted(&self) -> Result<()> {
        let path = self.path.display();
        anyhow::ensure!(self.mounted()?.is_some(), "expected something mounted at {path}, found nothing");
        Ok(())
    }

    fn mounted(&self) -> Result<Option<Mounted>, MountError> {
        Ok(mounted::at(&self.mountinfo()?, &self.real_path()?))
    }

    fn mountinfo(&self) -> Result<String, MountError> {
        let text = self.system().read_file(MOUNTINFO)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// The path as the kernel shows it: without links on the way.
    fn real_path(&self) -> Result<String, MountError> {
        let plain = self.target()?;
        let real = self.system().real_path(plain).unwrap_or_else(|_| plain.into());
        Ok(real.to_string_lossy().into_owned())
    }

    /// The path as it stands in fstab.
    fn target(&self) -> Result<&str, MountError> {
        let bad = || MountError::BadPath { path: self.path.clone() };
        let is_plain = !self.path.components().any(|part| part == std::path::Component::ParentDir);
        self.path.to_str().filter(|path| is_plain && path.starts_with('/')).ok_or_else(bad)
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

/// What is done to what is mounted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Mount,
    Remount,
    /// Something else is there.
    Replace,
    Unmount,
}

impl Act {
    fn word(self) -> &'static str {
        match self {
            Self::Mount | Self::Replace => "mount",
            Self::Remount => "remount",
            Self::Unmount => "unmount",
        }
    }
}

/// What is to be done so that this is mounted. `before` is what fstab said of it, and `same_source` whether what is
/// mounted is what is wanted.
fn diff(mounted: Option<&Mounted>, before: Option<&Entry>, wanted: &Entry, same_source: bool) -> Option<Act> {
    let Some(mounted) = mounted else { return Some(Act::Mount) };
    if !same_source || !is_filesystem(&mounted.filesystem, &wanted.filesystem) {
        return Some(Act::Replace);
    }
    let other_options = before.is_some_and(|before| before.options != wanted.options);
    (other_options || !has_options(mounted, &wanted.options)).then_some(Act::Remount)
}

/// Whether a directory is to be seen at a second place.
fn is_bind(wanted: &Entry) -> bool {
    wanted.options.split(',').any(|option| matches!(option, "bind" | "rbind"))
}

fn has_options(mounted: &Mounted, options: &str) -> bool {
    options.split(',').all(|option| mounted.has(option) != Some(false))
}

/// Whether the kernel's name of a file system is what fstab calls it. What a plan would mount as `auto`, the kernel knows.
fn is_filesystem(found: &str, wanted: &str) -> bool {
    matches!(wanted, "auto" | "none") || found == "auto" || found.starts_with(wanted) || found.starts_with("fuse")
}

impl Mount<Host<'_>> {
    /// What is mounted: `UUID=…`, `LABEL=…`, the path of a device or, with the option `bind`, of a directory, or what
    /// the file system takes, as in `nas:/export`.
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Its type: `ext4`, `xfs`, `nfs`, `tmpfs`; `none` with the option `bind`.
    pub fn filesystem(mut self, name: impl Into<String>) -> Self {
        self.filesystem = Some(name.into());
        self
    }

    /// Its options, with commas between them. Without this, `defaults`.
    pub fn options(mut self, options: impl Into<String>) -> Self {
        self.options = options.into();
        self
    }

    /// Whether dump(8) saves it: 0, if this is not said, or 1.
    pub fn dump(mut self, number: u8) -> Self {
        self.dump = number;
        self
    }

    /// In which turn fsck(8) looks at it at boot: 1 for `/`, 2 for others, and 0, if this is not said, for never.
    pub fn pass(mut self, number: u8) -> Self {
        self.pass = number;
        self
    }

    /// It is mounted now, with these options, and at each boot. The directory is made where there is none.
    ///
    /// It is mounted first, and fstab written when that went well: a line that can't be mounted could keep a host from
    /// booting. Where options changed it is remounted, and where something else is mounted that is unmounted, unless it
    /// is in use.
    ///
    /// # Errors
    /// When it can't be mounted, what is there is in use, or fstab can't be edited.
    pub fn present(self) -> Result<Outcome, MountError> {
        let (wanted, fstab, mountinfo) = (self.wanted()?, self.fstab()?, self.mountinfo_by_now()?);
        let what = self.what("present");
        let (before, mounted) = (self.entry(&fstab)?, mounted::at(&mountinfo, &self.real_path()?));
        let same_source = self.is_source(&mountinfo, mounted.as_ref(), &wanted);
        let act = diff(mounted.as_ref(), before.as_ref(), &wanted, same_source);
        if act.is_some()
            && let Some(why) = self.unknown(&wanted)?
        {
            return ensure(self.access, &what, Difference::Unknown(why), || Ok(()));
        }
        let text = fstab::with_entry(fstab.text(), &wanted, self.is_ours());
        let difference = difference(act, mounted.as_ref(), &wanted, &fstab, &text);
        fstab.foresee(self.access.context(), &text)?;
        self.foresee(act, &mountinfo, mounted.as_ref(), Some(&wanted))?;
        ensure(self.access, &what, difference, || {
            act.map_or(Ok(()), |act| self.act(act, &wanted, mounted.as_ref()))?;
            self.write(&fstab, &text)
        })
    }

    /// fstab has it, with these options. What is mounted now stays.
    ///
    /// # Errors
    /// When fstab can't be edited.
    pub fn in_fstab(self) -> Result<Outcome, MountError> {
        let (wanted, fstab) = (self.wanted()?, self.fstab()?);
        self.entry(&fstab)?;
        let text = fstab::with_entry(fstab.text(), &wanted, self.is_ours());
        fstab.foresee(self.access.context(), &text)?;
        ensure(self.access, &self.what("in fstab"), difference(None, None, &wanted, &fstab, &text), || {
            self.write(&fstab, &text)
        })
    }

    /// Nothing is mounted there now. fstab stays as it is.
    ///
    /// # Errors
    /// When it is in use.
    pub fn unmounted(self) -> Result<Outcome, MountError> {
        let (mountinfo, target) = (self.mountinfo_by_now()?, self.real_path()?);
        let mounted = mounted::at(&mountinfo, &target);
        let difference = match &mounted {
            None => Difference::None,
            Some(mounted) => Difference::Some(Some(unmount_line(mounted))),
        };
        self.foresee(mounted.as_ref().map(|_| Act::Unmount), &mountinfo, mounted.as_ref(), None)?;
        ensure(self.access, &self.what("unmounted"), difference, || self.unmount())
    }

    /// Nothing is mounted there, now and at each boot. The directory stays.
    ///
    /// # Errors
    /// When it is in use, or fstab can't be edited.
    pub fn absent(self) -> Result<Outcome, MountError> {
        let (fstab, mountinfo) = (self.fstab()?, self.mountinfo_by_now()?);
        let mounted = mounted::at(&mountinfo, &self.real_path()?);
        let text = fstab::without(fstab.text(), self.is_ours());
        fstab.foresee(self.access.context(), &text)?;
        self.foresee(mounted.as_ref().map(|_| Act::Unmount), &mountinfo, mounted.as_ref(), None)?;
        let lines = mounted.as_ref().map(unmount_line).into_iter().chain(fstab.diff(&text));
        ensure(self.access, &self.what("absent"), fstab.known(Difference::of_lines(lines)), || {
            mounted.as_ref().map_or(Ok(()), |_| self.unmount())?;
            self.write(&fstab, &text)
        })
    }

    fn what(&self, state: &str) -> String {
        format!("mount {} {state}", self.path.display())
    }

    /// What fstab says, or would by now in a plan.
    fn fstab(&self) -> Result<TextFile, MountError> {
        Ok(TextFile::by_now(self.access.context(), FSTAB)?)
    }

    fn wanted(&self) -> Result<Entry, MountError> {
        let missing = |missing| MountError::Incomplete { path: self.path.clone(), missing };
        let source = self.checked("source", self.source.as_deref().ok_or_else(|| missing("source"))?)?;
        let filesystem = self.filesystem.as_deref().ok_or_else(|| missing("filesystem"))?;
        Ok(Entry {
            source,
            target: self.target()?.to_owned(),
            filesystem: self.checked("filesystem", filesystem)?,
            options: self.checked("options", &self.options)?,
            dump: self.dump,
            pass: self.pass,
        })
    }

    fn checked(&self, what: &'static str, value: &str) -> Result<String, MountError> {
        let is_bad = value.is_empty() || value.starts_with(['-', '#']) || value.contains(char::is_control);
        let has_blanks = what != "source" && value.contains(' ');
        match is_bad || has_blanks {
            true => Err(MountError::BadValue { path: self.path.clone(), what, value: value.to_owned() }),
            false => Ok(value.to_owned()),
        }
    }

    /// Whether a line of fstab is about this path.
    fn is_ours(&self) -> impl Fn(&Entry) -> bool + '_ {
        |entry| Path::new(&entry.target).components().eq(self.path.components())
    }

    /// What fstab says of it.
    fn entry(&self, fstab: &TextFile) -> Result<Option<Entry>, MountError> {
        let mut entries = fstab::entries(fstab.text(), self.is_ours());
        match entries.len() {
            0 | 1 => Ok(entries.pop()),
            lines => Err(MountError::Ambiguous { path: self.path.clone(), lines }),
        }
    }

    /// What the kernel shows, or would by now in a plan.
    fn mountinfo_by_now(&self) -> Result<String, MountError> {
        let text = foresight::read(self.access.context(), Path::new(MOUNTINFO))?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Lets operations that come later in a plan see what would be mounted by then.
    fn foresee(
        &self,
        act: Option<Act>,
        mountinfo: &str,
        mounted: Option<&Mounted>,
        wanted: Option<&Entry>,
    ) -> Result<(), MountError> {
        let Some(act) = act.filter(|_| self.access.plans()) else { return Ok(()) };
        let target = self.real_path()?;
        let mut text = if act == Act::Mount { mountinfo.to_owned() } else { mounted::without(mountinfo, &target) };
        if let Some(wanted) = wanted {
            let remounted = mounted.filter(|_| act == Act::Remount).cloned();
            let by_then = match remounted {
                Some(mounted) => mounted.with_options(&wanted.options),
                None => self.as_mounted(&text, wanted, &target),
            };
            text = mounted::with(&text, &by_then);
        }
        let shown = Thing::File(foresight::new_stat(Kind::File, 0o444), text.into_bytes());
        foresight::put(self.access.context(), Path::new(MOUNTINFO), shown);
        Ok(())
    }

    /// What the kernel would show of this once it is mounted.
    fn as_mounted(&self, mountinfo: &str, wanted: &Entry, target: &str) -> Mounted {
        let real = |path: &Path| self.system().real_path(path).unwrap_or_else(|_| path.to_owned());
        if is_bind(wanted)
            && let Some(bound) = Mounted::bound(mountinfo, &real(Path::new(&wanted.source)), target, &wanted.options)
        {
            return bound;
        }
        let device = device(&wanted.source).map(|device| real(&device).to_string_lossy().into_owned());
        let source = device.as_deref().unwrap_or(&wanted.source);
        Mounted::new(target, &wanted.filesystem, source, &wanted.options)
    }

    /// Whether what is mounted comes from the wanted source, as far as that can be told.
    fn is_source(&self, mountinfo: &str, mounted: Option<&Mounted>, wanted: &Entry) -> bool {
        let Some(mounted) = mounted else { return true };
        if is_bind(wanted) {
            let Ok(source) = self.system().real_path(&wanted.source) else { return true };
            return mounted.shows(mountinfo, &source);
        }
        let real = |path: &Path| files::canonical(self.system().path(path)).ok();
        match device(&wanted.source) {
            Some(device) => {
                let both = real(&device).zip(real(Path::new(&mounted.source)));
                both.is_none_or(|(wanted, found)| wanted == found)
            }
            None => !wanted.source.contains(':') || wanted.source == mounted.source,
        }
    }

    /// What a plan can't know: a device may come yet.
    fn unknown(&self, wanted: &Entry) -> Result<Option<String>, MountError> {
        let Some(device) = device(&wanted.source).filter(|_| self.access.plans()) else { return Ok(None) };
        let missing = self.system().stat(&device)?.is_none();
        Ok(missing.then(|| format!("there is no {} yet", device.display())))
    }

    fn act(&self, act: Act, wanted: &Entry, before: Option<&Mounted>) -> Result<(), MountError> {
        let back = before.filter(|_| act == Act::Replace).map(|before| self.back(wanted, before)).transpose()?;
        if back.is_some() {
            self.unmount()?;
        }
        let done = self.make_directory().and_then(|()| self.mount(act, wanted));
        // Where nothing else can be mounted, what was there comes back.
        if let (Err(_), Some(back)) = (&done, back) {
            drop(self.run(act, &back));
        }
        done
    }

    /// What mounts again what is there before this is mounted.
    fn back(&self, wanted: &Entry, before: &Mounted) -> Result<Command, MountError> {
        let origin = if is_bind(wanted) { before.origin(&self.mountinfo()?) } else { None };
        Ok(match origin.as_deref().and_then(Path::to_str) {
            Some(origin) => self.mount_command("none", "bind", origin),
            None => self.mount_command(&before.filesystem, &before.options(), &before.source),
        })
    }

    fn mount(&self, act: Act, wanted: &Entry) -> Result<(), MountError> {
        let options = if act == Act::Remount { format!("remount,{}", wanted.options) } else { wanted.options.clone() };
        self.run(act, &self.mount_command(&wanted.filesystem, &options, &wanted.source))?;
        let is_so = self.mounted()?.is_some_and(|mounted| has_options(&mounted, &wanted.options));
        if is_so { Ok(()) } else { Err(MountError::NotSo { action: act.word(), path: self.path.clone() }) }
    }

    fn mount_command(&self, filesystem: &str, options: &str, source: &str) -> Command {
        command("mount").args(["-t", filesystem, "-o", options, "--", source]).arg(&self.path)
    }

    fn unmount(&self) -> Result<(), MountError> {
        let path = || self.path.clone();
        self.run(Act::Unmount, &command("umount").arg("--").arg(self.target()?)).map_err(|error| match error {
            MountError::Act { source: source @ CommandError::Failed { .. }, .. }
                if source.to_string().contains("busy") =>
            {
                MountError::Busy { path: path(), source }
            }
            error => error,
        })?;
        match self.mounted()? {
            None => Ok(()),
            Some(_) => Err(MountError::NotSo { action: Act::Unmount.word(), path: path() }),
        }
    }

    fn run(&self, act: Act, command: &Command) -> Result<(), MountError> {
        let failed = |source| MountError::Act { action: act.word(), path: self.path.clone(), source };
        self.system().read_command(command).map(drop).map_err(failed)
    }

    fn make_directory(&self) -> Result<(), MountError> {
        match self.system().stat(&self.path)?.map(|stat| stat.kind) {
            Some(Kind::Directory) => Ok(()),
            None => Ok(files::create_dir(self.system().path(&self.path))?),
            Some(kind) => Err(MountError::NotADirectory { path: self.path.clone(), found: KindWord(kind) }),
        }
    }

    fn write(&self, fstab: &TextFile, text: &str) -> Result<(), MountError> {
        write_fstab(self.system(), fstab, text, MountError::Reload)
    }
}

/// Writes fstab, where it is to change. systemd makes units of it, and would go by the old ones: that it reads it again is
/// owed before, so that another run lets it where this one is cut short.
pub(crate) fn write_fstab<E: From<FileError>>(
    system: &System,
    fstab: &TextFile,
    text: &str,
    not_read: fn(ServiceError) -> E,
) -> Result<(), E> {
    if fstab.text() == text {
        return Ok(());
    }
    systemd::owe_reload(system)?;
    fstab.write(text)?;
    systemd::pay_reload(system).map_err(not_read)
}

fn difference(act: Option<Act>, mounted: Option<&Mounted>, wanted: &Entry, fstab: &TextFile, text: &str) -> Difference {
    let mount = format!("mount {} ({}, {})", wanted.source, wanted.filesystem, wanted.options);
    let acts = match act {
        None => Vec::new(),
        Some(Act::Remount) => vec![format!("remount with {}", wanted.options)],
        Some(Act::Mount) => vec![mount],
        Some(Act::Replace | Act::Unmount) => mounted.map(unmount_line).into_iter().chain([mount]).collect(),
    };
    fstab.known(Difference::of_lines(acts.into_iter().chain(fstab.diff(text))))
}

fn unmount_line(mounted: &Mounted) -> String {
    format!("unmount {} ({})", mounted.source, mounted.filesystem)
}

fn command(program: &str) -> Command {
    Command::new(program).env("LC_ALL", "C.UTF-8").timeout(BOUND)
}

/// The path of the device that a source names.
fn device(source: &str) -> Option<PathBuf> {
    let Some((tag, value)) = source.split_once('=') else {
        return source.starts_with("/dev/").then(|| source.into());
    };
    let by = match tag {
        "UUID" => "by-uuid",
        "LABEL" => "by-label",
        "PARTUUID" => "by-partuuid",
        "PARTLABEL" => "by-partlabel",
        _ => return None,
    };
    Some(Path::new("/dev/disk").join(by).join(value.trim_matches('"')))
}

#[cfg(test)]
mod tests;
