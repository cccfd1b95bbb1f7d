//! Who changes the files of users and groups on a host.

use std::path::Path;

use wb_core::system::{System, files};

/// Where distributions keep such programs.
const DIRECTORIES: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// The programs that change users and groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Programs {
    /// `useradd` and its companions, of nearly all distributions.
    Shadow,
    /// `adduser` and its companions, which are BusyBox: Alpine has no others, until somebody installs its package `shadow`.
    BusyBox,
}

impl Programs {
    /// Those of this host. An `adduser` is BusyBox's where there is no `useradd`: Debian's would need that.
    pub(crate) fn of(system: &System) -> Self {
        let has = |name: &str| {
            DIRECTORIES.iter().any(|directory| files::exists(system.path(Path::new(directory).join(name))))
        };
        if !has("useradd") && has("adduser") { Self::BusyBox } else { Self::Shadow }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Access as _;
    use crate::machine::Machine;

    #[test]
    fn a_host_with_adduser_alone_has_busybox() {
        let check = |paths: &[&str], expect: Programs| {
            let machine = paths.iter().fold(Machine::new(), |machine, path| machine.file(path, ""));
            let found = machine.view(|host| Ok(Programs::of(host.context().system()))).unwrap();
            assert_eq!(found, expect, "{paths:?}");
        };
        check(&["/usr/sbin/adduser"], Programs::BusyBox);
        check(&["/usr/sbin/adduser", "/usr/sbin/useradd"], Programs::Shadow);
        check(&["/usr/sbin/adduser", "/usr/bin/useradd"], Programs::Shadow);
        check(&["/sbin/useradd"], Programs::Shadow);
        check(&[], Programs::Shadow);
    }
}
