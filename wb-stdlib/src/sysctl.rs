//! Settings of the kernel: now, in `/proc/sys`, and at each boot, by a file of `/etc/sysctl.d`.

mod file;
mod key;

use std::io;
use std::path::PathBuf;

use anyhow::Result;
use wb_core::context::{Context, Outcome};
use wb_core::system::System;
use wb_core::system::files::{self, FileError, Kind};

use crate::ensure::{Difference, ensure};
use crate::foresight::{self, Thing};
use crate::look::Access as _;
use crate::text_file::{TextFile, TextFileError};
use crate::{Host, Look};
use key::{Key, normal};

/// The file of `/etc/sysctl.d` for what nobody said another for. It comes after most, so that it holds.
pub const FILE: &str = "99-wildebeest";

/// What can go wrong with a setting of the kernel.
#[derive(Debug, thiserror::Error)]
pub enum SysctlError {
    /// No setting can be called so.
    #[error(
        "`{}` is no key of a setting of the kernel\n\
         hint: `sysctl -aN` on the host shows those that there are",
        .key.escape_debug()
    )]
    BadKey {
        /// What was asked for.
        key: String,
    },
    /// Nobody said which value it is to have.
    #[error("no value is said for the setting `{key}`\nhint: say it with `.value(…)` before `.set()?`")]
    NoValue {
        /// The setting.
        key: String,
    },
    /// The value can't stand in a line.
    #[error("the value for `{key}` has a line break")]
    BadValue {
        /// The setting.
        key: String,
    },
    /// No file can be called so.
    #[error(
        "`{}` is no name of a file of /etc/sysctl.d\n\
         hint: give it without the directory and without `.conf`",
        .name.escape_debug()
    )]
    BadFile {
        /// What was asked for.
        name: String,
    },
    /// The kernel has no such setting.
    #[error(
        "this kernel has no setting `{key}`\n\
         hint: `sysctl -aN` on the host shows those that there are; some come with a \
         module: `host.kernel_module(…).loaded()?`"
    )]
    NoSuchKey {
        /// The setting.
        key: String,
    },
    /// It can't be written here.
    #[error(
        "the setting `{key}` can't be changed here\n\
         hint: in a container, most settings are those of the machine below it"
    )]
    ReadOnly {
        /// The setting.
        key: String,
        /// Why.
        source: FileError,
    },
    /// The kernel does not take the value.
    #[error("the kernel refuses `{value}` for `{key}`")]
    Refused {
        /// The setting.
        key: String,
        /// The value.
        value: String,
        /// Why.
        source: FileError,
    },
    /// The kernel took the value and shows another.
    #[error("the setting `{key}` is `{found}` after it was set to `{value}`, which the kernel took")]
    NotSo {
        /// The setting.
        key: String,
        /// The value.
        value: String,
        /// What it is.
        found: String,
    },
    /// It can't be seen.
    #[error("could not look at the setting `{key}`")]
    Look {
        /// The setting.
        key: String,
        /// Why.
        source: FileError,
    },
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] TextFileError),
}

impl From<FileError> for SysctlError {
    fn from(error: FileError) -> Self {
        Self::File(error.into())
    }
}

/// Settings of the kernel. [`Look::sysctl`] and [`Look::sysctls`] make it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn forward_packets(host: &Host) -> Result<()> {
///     host.sysctl("net.ipv4.ip_forward").value("1").set()?;
///     host.sysctls([("net.core.somaxconn", "4096"), ("net.ipv4.tcp_rmem", "4096 131072 6291456")])
///         .file("60-shop")
///         .set()?;
///     host.sysctl("net.netfilter.nf_conntrack_max").value("262144").only_at_boot().set()?;
///     host.sysctl("vm.swappiness").absent()?;
///     Ok(())
/// }
///
/// fn packets_are_forwarded(host: &View) -> Result<()> {
///     host.sysctl("net.ipv4.ip_forward").value("1").is_set()
/// }
/// # let host = wb_stdlib::testing::web1().file("/proc/sys/net/ipv4/ip_forward", "0\n");
/// # host.rehearse(forward_packets).asks(packets_are_forwarded);
/// ```
#[must_use = "say what is to be so: `.set()?` or `.absent()?`"]
pub struct Sysctl<A> {
    access: A,
    settings: Vec<(String, Option<String>)>,
    file: String,
    only_at_boot: bool,
}

/// A setting as it is wanted, and as it is now.
struct Setting {
    name: String,
    key: Key,
    wanted: String,
    /// Nothing where the kernel has no such setting.
    live: Option<String>,
}

impl<A: Look> Sysctl<A> {
    pub(crate) fn new(access: A, settings: Vec<(String, Option<String>)>) -> Self {
        Self { access, settings, file: FILE.into(), only_at_boot: false }
    }

    /// Its value. Blanks between numbers are all the same.
    pub fn value(mut self, value: impl Into<String>) -> Self {
        let value = value.into();
        for (_, unsaid) in self.settings.iter_mut().filter(|(_, said)| said.is_none()) {
            *unsaid = Some(value.clone());
        }
        self
    }

    /// The file of `/etc/sysctl.d` that has them, without `.conf`. Without this, [`FILE`]. Files are read in the order
    /// of their names, and what the last one says of a setting holds.
    pub fn file(mut self, name: impl Into<String>) -> Self {
        self.file = name.into();
        self
    }

    /// Checks that the kernel has these values now.
    ///
    /// # Errors
    /// When it has others, or has no such settings.
    pub fn is_set(&self) -> Result<()> {
        for Setting { name, wanted, live, .. } in self.settings()? {
            let Some(live) = live else { return Err(SysctlError::NoSuchKey { key: name }.into()) };
            anyhow::ensure!(live == wanted, "expected the setting `{name}` to be `{wanted}`, found `{live}`");
        }
        Ok(())
    }

    fn settings(&self) -> Result<Vec<Setting>, SysctlError> {
        let settings = self.keys()?.into_iter().zip(&self.settings);
        settings.map(|((name, key), (_, value))| self.setting(name, key, value.as_deref())).collect()
    }

    fn keys(&self) -> Result<Vec<(&str, Key)>, SysctlError> {
        let parsed = |name: &str| Key::parse(name).ok_or_else(|| SysctlError::BadKey { key: name.to_owned() });
        self.settings.iter().map(|(name, _)| Ok((name.as_str(), parsed(name)?))).collect()
    }

    fn setting(&self, name: &str, key: Key, value: Option<&str>) -> Result<Setting, SysctlError> {
        let value = value.ok_or_else(|| SysctlError::NoValue { key: name.to_owned() })?;
        if value.contains(['\n', '\r', '\0']) {
            return Err(SysctlError::BadValue { key: name.to_owned() });
        }
        let live = if self.only_at_boot { None } else { live(self.system(), name, &key)? };
        Ok(Setting { name: name.to_owned(), key, wanted: normal(value), live })
    }

    fn path(&self) -> Result<PathBuf, SysctlError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        match !self.file.is_empty() && !self.file.starts_with('.') && self.file.chars().all(plain) {
            true => Ok(PathBuf::from("/etc/sysctl.d").join(format!("{}.conf", self.file))),
            false => Err(SysctlError::BadFile { name: self.file.clone() }),
        }
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl Sysctl<Host<'_>> {
    /// Leaves the value of now alone, and the kernel unasked: for settings that come with a module which is not loaded
    /// yet.
    pub fn only_at_boot(mut self) -> Self {
        self.only_at_boot = true;
        self
    }

    /// They have these values, now and after each boot.
    ///
    /// The kernel is told first, and the file written when it took all of them: where it refuses one, those before it
    /// get their old values back.
    ///
    /// # Errors
    /// When a key is none, or the kernel refuses a value or does not let it be changed here.
    pub fn set(self) -> Result<Outcome, SysctlError> {
        let (context, file) = (self.access.context(), self.by_now()?);
        let settings = self.settings()?.into_iter().map(|setting| setting.by_now(context));
        let settings = settings.collect::<Result<Vec<Setting>, SysctlError>>()?;
        let what = self.what("set");
        if let Some(Setting { name, .. }) = settings.iter().find(|setting| self.is_missing(setting)) {
            let why = format!("this kernel has no setting `{name}` yet");
            return match self.access.plans() {
                true => ensure(self.access, &what, Difference::Unknown(why), || Ok(())),
                false => Err(SysctlError::NoSuchKey { key: name.clone() }),
            };
        }
        let text = settings.iter().fold(file.text().to_owned(), |text, setting| with_setting(&text, setting));
        let lines = settings.iter().filter_map(Setting::diff).chain(file.diff(&text));
        file.foresee(context, &text)?;
        settings.iter().for_each(|setting| setting.foresee(context));
        ensure(self.access, &what, file.known(Difference::of_lines(lines)), || {
            self.tell(&settings)?;
            Ok(file.write(&text)?)
        })
    }

    /// No line of the file gives them values. What they are now stays until the next boot.
    ///
    /// # Errors
    /// When a key is none, or the file can't be written.
    pub fn absent(self) -> Result<Outcome, SysctlError> {
        let (file, keys) = (self.by_now()?, self.keys()?);
        let without = |text: String, (name, key): &(&str, Key)| file::with_value(&text, name, key, None);
        let text = keys.iter().fold(file.text().to_owned(), without);
        file.foresee(self.access.context(), &text)?;
        ensure(self.access, &self.what("absent"), file.difference(&text), || Ok(file.write(&text)?))
    }

    fn what(&self, state: &str) -> String {
        let names: Vec<&str> = self.settings.iter().map(|(name, _)| name.as_str()).collect();
        let several = if names.len() == 1 { "" } else { "s" };
        format!("sysctl{several} {} {state}", names.join(", "))
    }

    /// The file as it is, or would be by now in a plan.
    fn by_now(&self) -> Result<TextFile, SysctlError> {
        Ok(TextFile::by_now(self.access.context(), self.path()?)?)
    }

    fn is_missing(&self, setting: &Setting) -> bool {
        setting.live.is_none() && !self.only_at_boot
    }

    fn tell(&self, settings: &[Setting]) -> Result<(), SysctlError> {
        let differing: Vec<&Setting> = settings.iter().filter(|setting| setting.differs()).collect();
        for (told, setting) in differing.iter().enumerate() {
            if let Err(error) = setting.tell(self.system(), &setting.wanted) {
                for before in &differing[..told] {
                    before.tell(self.system(), before.live.as_deref().unwrap_or_default())?;
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Setting {
    /// It, with the value that the kernel would have by now in a plan.
    fn by_now(self, context: &Context<'_>) -> Result<Self, SysctlError> {
        let path = self.key.path();
        if self.live.is_none() || foresight::is_as_found(context, &path) {
            return Ok(self);
        }
        let found = foresight::read(context, &path);
        let found = found.map_err(|source| SysctlError::Look { key: self.name.clone(), source })?;
        Ok(Self { live: found.map(|bytes| normal(&String::from_utf8_lossy(&bytes))), ..self })
    }

    /// Lets operations that come later in a plan see its value.
    fn foresee(&self, context: &Context<'_>) {
        if self.differs() {
            let stat = foresight::new_stat(Kind::File, 0o644);
            foresight::put(context, &self.key.path(), Thing::File(stat, self.wanted.clone().into()));
        }
    }

    fn differs(&self) -> bool {
        self.live.as_ref().is_some_and(|live| *live != self.wanted)
    }

    fn diff(&self) -> Option<String> {
        let live = self.live.as_ref().filter(|_| self.differs())?;
        Some(format!("{}: {live} -> {}", self.name, self.wanted))
    }

    /// Tells the kernel, and asks what it made of it.
    fn tell(&self, system: &System, value: &str) -> Result<(), SysctlError> {
        let key = || self.name.clone();
        let told = files::tell(system.path(self.key.path()), format!("{value}\n"));
        told.map_err(|source| match source.source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                SysctlError::ReadOnly { key: key(), source }
            }
            _ => SysctlError::Refused { key: key(), value: value.to_owned(), source },
        })?;
        let found = live(system, &self.name, &self.key)?.unwrap_or_default();
        match found == value {
            true => Ok(()),
            false => Err(SysctlError::NotSo { key: key(), value: value.to_owned(), found }),
        }
    }
}

fn with_setting(text: &str, setting: &Setting) -> String {
    match file::value(text, &setting.key) {
        Some(value) if value == setting.wanted => text.to_owned(),
        _ => file::with_value(text, &setting.name, &setting.key, Some(&setting.wanted)),
    }
}

/// What the kernel has now, or nothing where it has no such setting.
fn live(system: &System, name: &str, key: &Key) -> Result<Option<String>, SysctlError> {
    let found = system.read_file(key.path());
    let found = found.map_err(|source| SysctlError::Look { key: name.to_owned(), source })?;
    Ok(found.map(|bytes| normal(&String::from_utf8_lossy(&bytes))))
}

#[cfg(test)]
mod tests;
