//! SELinux: its mode, booleans of its policy, and by which labels files are known.
//!
//! What there is is read from files of the kernel and of the policy's store, so that what is as wanted starts no program;
//! only which labels paths are to have is asked of `restorecon`, which knows the patterns.
//! These operations were tested on files and outputs of Fedora and Red Hat, not on a host that enforces.

mod boolean;
mod context;
mod file_context;
mod label;
mod mode;

use std::path::{Path, PathBuf};

use wb_core::context::Outcome;
use wb_core::system::CommandError;
use wb_core::system::files::FileError;

use crate::{Host, Look};
pub use boolean::Boolean;
pub use file_context::{FileContext, FileKind};
pub use label::Label;
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
        "SELinux was not changed: {what}\nhint: `setsebool` and `restorecon` are in the package `policycoreutils`, `setenforce` in \
         `libselinux-utils`, `semanage` in `policycoreutils-python-utils`"
    )]
    Refused {
        /// What was wanted.
        what: String,
        /// Why.
        source: CommandError,
    },
    /// What a file is to be known by is neither a type nor a context.
    #[error(
        "`{}` is no type of SELinux, and no context\nhint: a type is like `httpd_sys_content_t`, a context like \
         `system_u:object_r:httpd_sys_content_t:s0`", text.escape_debug()
    )]
    BadContext {
        /// What was said.
        text: String,
    },
    /// It would match files everywhere, or none.
    #[error(
        "`{}` is no pattern of a file context\nhint: it is a regular expression for absolute paths, without blanks, like \
         `/srv/shop(/.*)?`", pattern.escape_debug()
    )]
    BadPattern {
        /// What was said.
        pattern: String,
    },
    /// There is no policy that could say how files are labelled.
    #[error(
        "there is no policy of SELinux on this host\nhint: `host.packages([\"selinux-policy-targeted\"]).installed()?` brings one, \
         and /etc/selinux/config names it, as `SELINUXTYPE=targeted`"
    )]
    NoPolicy,
    /// Nothing is at the path that is to be labelled.
    #[error("there is nothing at {}, so it has no label\nhint: `host.file(…)` or `host.directory(…)` makes it", .path.display())]
    NoPath {
        /// The path.
        path: PathBuf,
    },
    /// A link is at the path that is to be labelled.
    #[error("{0} is a symbolic link, and its label is not set\nhint: say the path that it leads to: `readlink -f {0}`", .path.display())]
    IsLink {
        /// The path.
        path: PathBuf,
    },
    /// Its file system has no labels.
    #[error("{0} has no label of its own\nhint: its file system may have none, see `findmnt -T {0}`", .path.display())]
    NoLabel {
        /// The path.
        path: PathBuf,
    },
    /// The policy does not know it.
    #[error("the policy of SELinux knows no label {context}, for {}\nhint: `seinfo -t` shows the types that there are", .path.display())]
    UnknownContext {
        /// The path.
        path: PathBuf,
        /// What it was to be.
        context: String,
        /// The system's error.
        source: FileError,
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
    /// The path is none.
    #[error(transparent)]
    Path(#[from] crate::file::FileError),
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
///     selinux.boolean("httpd_can_sendmail").off()?;
///     selinux.mode(Mode::Enforcing)?;
///     Ok(())
/// }
///
/// fn let_nginx_read_the_shop(host: &Host) -> Result<()> {
///     host.selinux().file_context("/srv/shop(/.*)?").set("httpd_sys_content_t")?;
///     host.selinux().label("/srv/shop").restored_with_all_below()?;
///     host.selinux().label("/etc/shop.conf").restored()?;
///     Ok(())
/// }
///
/// fn it_enforces(host: &View) -> Result<()> {
///     host.selinux().is(Mode::Enforcing)?;
///     host.selinux().file_context("/srv/shop(/.*)?").is("httpd_sys_content_t")?;
///     host.selinux().label("/srv/shop/index.html").is("httpd_sys_content_t")?;
///     host.selinux().boolean("httpd_can_network_connect").is_on()
/// }
/// # let host = wb_stdlib::testing::fedora();
/// # host.rehearse(let_nginx_connect).rehearse(let_nginx_read_the_shop).asks(it_enforces);
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

    /// By which label the paths are to be known that match a regular expression, as in `/srv/shop(/.*)?`.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    /// use wb_stdlib::selinux::FileKind;
    ///
    /// fn say_how_the_shop_is_labelled(host: &Host) -> Result<()> {
    ///     host.selinux().file_context("/srv/shop(/.*)?").set("httpd_sys_content_t")?;
    ///     host.selinux().file_context("/srv/shop/run").only(FileKind::Socket).set("httpd_var_run_t")?;
    ///     host.selinux().file_context("/srv/old-shop(/.*)?").absent()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::fedora().rehearse(say_how_the_shop_is_labelled);
    /// ```
    pub fn file_context(&self, pattern: impl Into<String>) -> FileContext<A> {
        FileContext::new(self.access, pattern.into())
    }

    /// The label of what is at `path`, which is absolute.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn label_the_shop(host: &Host) -> Result<()> {
    ///     host.selinux().label("/srv/shop").restored_with_all_below()?;
    ///     host.selinux().label("/srv/shop/uploads").set("httpd_sys_rw_content_t")?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::fedora().rehearse(label_the_shop);
    /// ```
    pub fn label(&self, path: impl AsRef<Path>) -> Label<A> {
        Label::new(self.access, path.as_ref())
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
