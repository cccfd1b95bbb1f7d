//! Swap space: a file or a device, in use now and at each boot.

mod active;
mod content;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use wb_core::context::Outcome;
use wb_core::system::files::{self, FileError, Kind, Stat};
use wb_core::system::{Command, CommandError, System};

use crate::ensure::{Difference, ensure};
use crate::foresight::{self, Thing};
use crate::look::Access as _;
use crate::mount::fstab::{self, Entry};
use crate::mount::{FSTAB, write_fstab};
use crate::service::ServiceError;
use crate::text_file::{TextFile, TextFileError};
use crate::{Host, Look};
use content::{Content, content};

const SWAPS: &str = "/proc/swaps";
/// What stands for the priority that the kernel gives by itself. Each has another one, and all are below 0.
const UNSAID: i32 = -2;
/// Nobody but root may read what was in memory.
const MODE: u32 = 0o600;
const MIB: u64 = 1024 * 1024;
/// How long it may take to fill a file, or to bring all that is swapped out back into memory.
const BOUND: Duration = Duration::from_secs(3600);

/// What can go wrong with swap space. `/etc/fstab` is then as it was.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// No swap space can be there.
    #[error("`{}` can't be swapped to\nhint: paths are absolute, and lead through no `..`", .path.display())]
    BadPath {
        /// The path.
        path: PathBuf,
    },
    /// A file has a size.
    #[error(
        "there is no {}, and no size is said for it\n\
         hint: say it with `.size_mib(…)` before `.present()?`",
        .path.display()
    )]
    NoSize {
        /// The path.
        path: PathBuf,
    },
    /// A device that is not there.
    #[error("there is no device {}\nhint: `lsblk` on the host shows those that there are", .path.display())]
    NoDevice {
        /// The path.
        path: PathBuf,
    },
    /// Something else is there, which would be lost.
    #[error(
        "{} has something else than swap space, and stays\n\
         hint: `wipefs` on the host shows what; remove that first if nobody needs it",
        .path.display()
    )]
    Occupied {
        /// The path.
        path: PathBuf,
    },
    /// A program did not do it.
    #[error("could not {action} the swap space {}", .path.display())]
    Act {
        /// What was being done.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// Why.
        source: CommandError,
    },
    /// It ended well, and the kernel says otherwise.
    #[error("the kernel was to {action} the swap space {}, and that ended well, but it is not so", .path.display())]
    NotSo {
        /// What was done.
        action: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// systemd did not read fstab again.
    #[error("{FSTAB} is written, and systemd did not read it")]
    Reload(#[source] ServiceError),
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] TextFileError),
}

impl From<FileError> for SwapError {
    fn from(error: FileError) -> Self {
        Self::File(error.into())
    }
}

/// Swap space. [`Look::swap`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn swap_as_much_as_there_is_memory(host: &Host) -> Result<()> {
///     host.swap("/swapfile").size_mib(host.facts().memory_mib).present()?;
///     host.swap("/dev/disk/by-partlabel/swap").priority(10).present()?;
///     host.swap("/old-swapfile").absent()?;
///     Ok(())
/// }
///
/// fn it_swaps(host: &View) -> Result<()> {
///     host.swap("/swapfile").is_on()
/// }
/// # wb_stdlib::testing::web1().rehearse(swap_as_much_as_there_is_memory).asks(it_swaps);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct Swap<A> {
    access: A,
    path: PathBuf,
    size_mib: Option<u64>,
    priority: Option<u16>,
}

/// What is to be made before it can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Make {
    /// A file of so many bytes, in place of what is there.
    File(u64),
    /// A swap space on a device that has nothing.
    Space,
    /// Nobody else may read it.
    Private,
}

/// What there is.
#[derive(Debug)]
struct Facts {
    found: Option<Stat>,
    content: Option<Content>,
    /// Its priority, when it is in use.
    on: Option<i32>,
}

impl<A: Look> Swap<A> {
    pub(crate) fn new(access: A, path: &Path) -> Self {
        Self { access, path: path.to_owned(), size_mib: None, priority: None }
    }

    /// Checks that it is in use.
    ///
    /// # Errors
    /// When it is not.
    pub fn is_on(&self) -> Result<()> {
        self.check_path()?;
        anyhow::ensure!(self.on()?.is_some(), "expected the swap space {} in use, found it off", self.path.display());
        Ok(())
    }

    fn on(&self) -> Result<Option<i32>, SwapError> {
        let swaps = self.system().read_file(SWAPS)?.unwrap_or_default();
        Ok(active::priority(&String::from_utf8_lossy(&swaps), &self.real_path()))
    }

    /// The path as the kernel shows it: without links.
    fn real_path(&self) -> String {
        let real = self.system().real_path(&self.path).unwrap_or_else(|_| self.path.clone());
        real.to_string_lossy().into_owned()
    }

    fn check_path(&self) -> Result<(), SwapError> {
        let is_plain = !self.path.components().any(|part| part == std::path::Component::ParentDir);
        let is_text = self.path.to_str().is_some_and(|path| path.len() > 1 && !path.contains(char::is_control));
        let is_good = self.path.is_absolute() && is_plain && is_text;
        if is_good { Ok(()) } else { Err(SwapError::BadPath { path: self.path.clone() }) }
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl Swap<Host<'_>> {
    /// The size of a file, in MiB. A file of another size is made anew. A device has the size that it has.
    pub fn size_mib(mut self, size: u64) -> Self {
        self.size_mib = Some(size);
        self
    }

    /// Which space is filled first: the one of the greatest number, up to 32767. Without this, the kernel says.
    pub fn priority(mut self, priority: u16) -> Self {
        self.priority = Some(priority.min(32767));
        self
    }

    /// It is there, in use now and at each boot.
    ///
    /// A file is made beside its place and gets there when it is whole. A device that has something else, and a file
    /// that is none of swap space, are left alone.
    ///
    /// # Errors
    /// When something else is there, the disk is full, or the kernel does not take it. On btrfs, make the file by hand:
    /// it must not be copied on write.
    pub fn present(self) -> Result<Outcome, SwapError> {
        self.check_path()?;
        let what = self.what("present");
        let facts = match self.by_now()? {
            Ok(facts) => facts,
            Err(why) => return ensure(self.access, &what, Difference::Unknown(why), || Ok(())),
        };
        if facts.found.is_none() && self.path.starts_with("/dev") {
            let why = format!("there is no {} yet", self.path.display());
            return match self.access.plans() {
                true => ensure(self.access, &what, Difference::Unknown(why), || Ok(())),
                false => Err(SwapError::NoDevice { path: self.path.clone() }),
            };
        }
        let make = self.make(&facts)?;
        let starts = self.starts(&facts, make);
        let fstab = TextFile::by_now(self.access.context(), FSTAB)?;
        let text = fstab::with_entry(fstab.text(), &self.entry(), self.is_ours());
        let lines = self.lines(&facts, make, starts, &fstab, &text);
        fstab.foresee(self.access.context(), &text)?;
        self.foresee(&facts, make, starts)?;
        ensure(self.access, &what, fstab.known(Difference::of_lines(lines)), || {
            if let Some(Make::File(size)) = make {
                self.make_file(size)?;
            }
            if starts && facts.on.is_some() {
                self.turn_off().inspect_err(|_| drop(files::remove(self.system().path(self.beside()))))?;
            }
            make.map_or(Ok(()), |make| self.made(make))?;
            if starts {
                self.turn_on()?;
            }
            self.write(&fstab, &text)
        })
    }

    /// It is not in use, now or at a boot, and a file is gone. On a device it stays.
    ///
    /// # Errors
    /// When memory has no room for what is swapped out, or there is a file of something else.
    pub fn absent(self) -> Result<Outcome, SwapError> {
        self.check_path()?;
        let what = self.what("absent");
        let facts = match self.by_now()? {
            Ok(facts) => facts,
            Err(why) => return ensure(self.access, &what, Difference::Unknown(why), || Ok(())),
        };
        let is_file = facts.found.is_some_and(|stat| stat.kind == Kind::File);
        if is_file && facts.content != Some(Content::Swap) {
            return Err(self.occupied());
        }
        let fstab = TextFile::by_now(self.access.context(), FSTAB)?;
        let text = fstab::without(fstab.text(), self.is_ours());
        let off = facts.on.map(|_| "turn it off".to_owned());
        let removed = is_file.then(|| format!("remove {}", self.path.display()));
        let lines = off.into_iter().chain(fstab.diff(&text)).chain(removed);
        fstab.foresee(self.access.context(), &text)?;
        self.foresee_gone(&facts, is_file)?;
        ensure(self.access, &what, fstab.known(Difference::of_lines(lines)), || {
            if facts.on.is_some() {
                self.turn_off()?;
            }
            self.write(&fstab, &text)?;
            if is_file { Ok(files::remove(self.system().path(&self.path)).map(drop)?) } else { Ok(()) }
        })
    }

    fn what(&self, state: &str) -> String {
        format!("swap {} {state}", self.path.display())
    }

    /// What there is, or would be by now in a plan. Gives why, where nobody knows that.
    fn by_now(&self) -> Result<Result<Facts, String>, SwapError> {
        let context = self.access.context();
        let on = active::priority(&self.swaps_by_now()?, &self.real_path());
        if foresight::is_as_found(context, &self.path) {
            return Ok(Ok(self.facts(on)?));
        }
        if on.is_none()
            && let Some(why) = foresight::replaced(context, &self.path)
        {
            return Ok(Err(why));
        }
        let found = foresight::stat(context, &self.path)?;
        // What is there by then and not in use has only got another owner or mode.
        let content = match found {
            Some(_) if on.is_none() => Some(content(&self.system().path(&self.path))?),
            found => found.map(|_| Content::Swap),
        };
        Ok(Ok(Facts { found, content, on }))
    }

    fn swaps_by_now(&self) -> Result<String, SwapError> {
        let swaps = foresight::read(self.access.context(), Path::new(SWAPS))?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&swaps).into_owned())
    }

    /// Lets operations that come later in a plan see it in use.
    fn foresee(&self, facts: &Facts, make: Option<Make>, starts: bool) -> Result<(), SwapError> {
        if !self.access.plans() {
            return Ok(());
        }
        let found = facts.found.unwrap_or_else(|| foresight::new_stat(Kind::File, MODE));
        let made = match make {
            Some(Make::File(size)) => Some(Stat { kind: Kind::File, mode: MODE, size, ..found }),
            Some(Make::Private) => Some(Stat { mode: MODE, ..found }),
            Some(Make::Space) | None => None,
        };
        if let Some(stat) = made {
            foresight::put(self.access.context(), &self.path, Thing::Later(stat));
        }
        if starts {
            let priority = self.priority.map_or(UNSAID, i32::from);
            self.show(active::with(&self.swaps_by_now()?, &self.real_path(), priority));
        }
        Ok(())
    }

    /// Lets them see that it is gone.
    fn foresee_gone(&self, facts: &Facts, is_file: bool) -> Result<(), SwapError> {
        if !self.access.plans() {
            return Ok(());
        }
        if facts.on.is_some() {
            self.show(active::without(&self.swaps_by_now()?, &self.real_path()));
        }
        if is_file {
            foresight::put(self.access.context(), &self.path, Thing::Nothing);
        }
        Ok(())
    }

    fn show(&self, swaps: String) {
        let shown = Thing::File(foresight::new_stat(Kind::File, 0o444), swaps.into_bytes());
        foresight::put(self.access.context(), Path::new(SWAPS), shown);
    }

    fn facts(&self, on: Option<i32>) -> Result<Facts, SwapError> {
        let real = self.system().path(&self.path);
        let found = match files::stat(&real)? {
            Some(Stat { kind: Kind::Link, .. }) => files::stat(files::canonical(&real)?)?,
            found => found,
        };
        // What is in use is a swap space, and its file may be large: nobody needs to look into it.
        let content = match found {
            Some(_) if on.is_some() => Some(Content::Swap),
            Some(_) => Some(content(&real)?),
            None => None,
        };
        Ok(Facts { found, content, on })
    }

    fn make(&self, facts: &Facts) -> Result<Option<Make>, SwapError> {
        let size = self.size_mib.map(|size| size.saturating_mul(MIB));
        let no_size = || SwapError::NoSize { path: self.path.clone() };
        match (facts.found, facts.content) {
            (None, _) => Ok(Some(Make::File(size.filter(|size| *size > 0).ok_or_else(no_size)?))),
            (Some(Stat { kind: Kind::File, size: found, mode, .. }), Some(Content::Swap)) => match size {
                Some(size) if size != found => Ok(Some(Make::File(size))),
                _ => Ok((mode != MODE).then_some(Make::Private)),
            },
            // A power cut may have left a file whose first page never reached the disk.
            (Some(Stat { kind: Kind::File, size: found, .. }), Some(Content::Nothing)) => {
                Ok(Some(Make::File(size.unwrap_or(found))))
            }
            (Some(Stat { kind: Kind::Other, .. }), Some(Content::Swap)) => Ok(None),
            (Some(Stat { kind: Kind::Other, .. }), Some(Content::Nothing)) => Ok(Some(Make::Space)),
            _ => Err(self.occupied()),
        }
    }

    /// Whether it is to be turned on, anew if it is on.
    fn starts(&self, facts: &Facts, make: Option<Make>) -> bool {
        let other_priority = self.priority.is_some_and(|wanted| facts.on != Some(i32::from(wanted)));
        facts.on.is_none() || other_priority || matches!(make, Some(Make::File(_)))
    }

    fn lines(&self, facts: &Facts, make: Option<Make>, starts: bool, fstab: &TextFile, text: &str) -> Vec<String> {
        let made = make.map(|make| match (make, facts.found) {
            (Make::File(size), Some(found)) => format!("{} MiB -> {} MiB", found.size / MIB, size / MIB),
            (Make::File(size), None) => format!("new, {} MiB", size / MIB),
            (Make::Space, _) => "make a swap space".into(),
            (Make::Private, found) => format!("mode {:04o} -> {MODE:04o}", found.map_or(0, |stat| stat.mode)),
        });
        let on = starts.then(|| match self.priority {
            Some(priority) => format!("turn it on, with priority {priority}"),
            None => "turn it on".into(),
        });
        made.into_iter().chain(on).chain(fstab.diff(text)).collect()
    }

    fn made(&self, make: Make) -> Result<(), SwapError> {
        let path = self.system().path(&self.path);
        match make {
            Make::Private => Ok(files::set_mode(path, MODE)?),
            Make::Space => self.run("make", &command("mkswap").arg("--").arg(&self.path)),
            Make::File(_) => Ok(files::rename(self.system().path(self.beside()), path)?),
        }
    }

    fn beside(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path.with_file_name(format!(".{name}.new"))
    }

    /// Fills a file beside its place, to be moved there: a file at its place is always a whole one, and one that is in use
    /// stays so until there is another.
    fn make_file(&self, size: u64) -> Result<(), SwapError> {
        let new = self.beside();
        let real = self.system().path(&new);
        files::write(&real, "", MODE)?;
        let made = self.fill(&new, size).and_then(|()| self.run("make", &command("mkswap").arg("--").arg(&new)));
        if made.is_err() {
            drop(files::remove(&real));
        }
        made?;
        Ok(files::settle(&real)?)
    }

    /// Not every file system can give a file its room without writing it.
    fn fill(&self, new: &Path, size: u64) -> Result<(), SwapError> {
        let fallocate = command("fallocate").arg("-l").arg(size.to_string()).arg("--").arg(new);
        match self.run("fill", &fallocate) {
            Err(SwapError::Act { source: CommandError::NotFound { .. }, .. }) => {}
            Err(SwapError::Act { source, .. }) if source.to_string().contains("not supported") => {}
            filled => return filled,
        }
        let output = format!("of={}", new.display());
        let count = format!("count={}", size / MIB);
        self.run("fill", &command("dd").args(["if=/dev/zero", &output, "bs=1M", &count, "conv=notrunc"]))
    }

    fn turn_on(&self) -> Result<(), SwapError> {
        let priority: Vec<String> = self.priority.iter().flat_map(|number| ["-p".into(), number.to_string()]).collect();
        self.run("turn on", &command("swapon").args(priority).arg("--").arg(&self.path))?;
        self.look(true, "turn on")
    }

    fn turn_off(&self) -> Result<(), SwapError> {
        self.run("turn off", &command("swapoff").arg("--").arg(&self.path))?;
        self.look(false, "turn off")
    }

    fn look(&self, on: bool, action: &'static str) -> Result<(), SwapError> {
        let is_so = self.on()?.is_some() == on;
        if is_so { Ok(()) } else { Err(SwapError::NotSo { action, path: self.path.clone() }) }
    }

    fn run(&self, action: &'static str, command: &Command) -> Result<(), SwapError> {
        let failed = |source| SwapError::Act { action, path: self.path.clone(), source };
        self.system().read_command(command).map(drop).map_err(failed)
    }

    fn entry(&self) -> Entry {
        let options = self.priority.map_or("sw".into(), |priority| format!("sw,pri={priority}"));
        let source = self.path.to_string_lossy().into_owned();
        Entry { source, target: "none".into(), filesystem: "swap".into(), options, dump: 0, pass: 0 }
    }

    fn is_ours(&self) -> impl Fn(&Entry) -> bool + '_ {
        |entry| entry.filesystem == "swap" && Path::new(&entry.source) == self.path
    }

    fn write(&self, fstab: &TextFile, text: &str) -> Result<(), SwapError> {
        write_fstab(self.system(), fstab, text, SwapError::Reload)
    }

    fn occupied(&self) -> SwapError {
        SwapError::Occupied { path: self.path.clone() }
    }
}

fn command(program: &str) -> Command {
    Command::new(program).env("LC_ALL", "C.UTF-8").timeout(BOUND)
}

#[cfg(test)]
mod tests;
