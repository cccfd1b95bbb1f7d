//! SELinux: its mode, and booleans of its policy.
//!
//! What there is is read from files of the kernel and of the policy's store, so that what is as wanted starts no program.
//! These operations were tested on captured files and outputs of Fedora and Red Hat, not on a host that enforces.

mod boolean;
mod mode;

use std::path::PathBuf;

use wb_core::context::Outcome;
use wb_core::system::CommandError;
use wb_core::system::files::FileError;

use crate::{Host, Look};
pub use boolean::Boolean;
pub use mode::Mode;

/// What can go wrong with SELinux.
#[derive(Debug, thiserror::Error)]
pub enum SelinuxError {
    /// The kernel does not have it, or it is off.
    #[error(
        "SELinux is not on: there is no /sys/fs/selinux\nhint: a host whose files have no labels is to be relabelled first, \
         see fixfiles(8); then `SELINUX=permissive` in /etc/selinux/config and a reboot put it on"
    )]
    Off,
    /// No such boolean.
    #[error("SELinux's policy has no boolean `{}`\nhint: `getsebool -a` on the host shows those that there are", name.escape_debug())]
    NoSuchBoolean {
        /// What was asked for.
        name: String,
    },
    /// It refused.
    #[error(
        "SELinux was not changed: {what}\nhint: `setsebool` and `setenforce` are in the packages `policycoreutils` and `libselinux-utils`"
    )]
    Refused {
        /// What was wanted.
        what: String,
        /// Why.
        source: CommandError,
    },
    /// Its configuration does not say a mode.
    #[error("{} has no line `SELINUX=…`", .path.display())]
    NoMode {
        /// The file.
        path: PathBuf,
    },
    /// It ended well, and it is not so.
    #[error("SELinux was told, and all ended well, but it is not so: {what}")]
    NotSo {
        /// What was wanted.
        what: String,
    },
    /// Its files can't be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// SELinux. [`Look::selinux`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
/// use wb_stdlib::selinux::Mode;
///
/// fn let_nginx_connect(host: &Host) -> Result<()> {
///     let selinux = host.selinux();
///     selinux.boolean("httpd_can_network_connect").on()?;
///     selinux.mode(Mode::Enforcing)?;
///     Ok(())
/// }
///
/// fn it_enforces(host: &View) -> Result<()> {
///     host.selinux().is(Mode::Enforcing)?;
///     host.selinux().boolean("httpd_can_network_connect").is_on()
/// }
/// # let (_, _) = (let_nginx_connect as fn(&Host) -> Result<()>, it_enforces as fn(&View) -> Result<()>);
/// ```
#[must_use]
#[derive(Clone, Copy)]
pub struct Selinux<A> {
    access: A,
}

impl<A: Look> Selinux<A> {
    pub(crate) fn new(access: A) -> Self {
        Self { access }
    }

    /// A boolean of the policy, as in `httpd_can_network_connect`.
    pub fn boolean(&self, name: impl Into<String>) -> Boolean<A> {
        Boolean::new(self.access, name.into())
    }

    /// Checks that it is in this mode now.
    ///
    /// # Errors
    /// When it is in the other one, or off.
    pub fn is(&self, mode: Mode) -> anyhow::Result<()> {
        let found = mode::current(self.access.context().system())?;
        anyhow::ensure!(found == mode, "expected SELinux to be {mode}, found it {found}");
        Ok(())
    }
}

impl Selinux<Host<'_>> {
    /// It is in this mode, now and after each start.
    ///
    /// # Errors
    /// When it is off: to put it on wants all files to be labelled first, and a reboot.
    pub fn mode(&self, mode: Mode) -> Result<Outcome, SelinuxError> {
        mode::ensure_mode(self.access, mode)
    }
}

#[cfg(test)]
mod tests;
