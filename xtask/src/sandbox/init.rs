//! What runs as process 1 of a host.

use std::fmt;

use clap::ValueEnum;
use wb_core::system::Command;

use super::{Host, SandboxError};

/// An init.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Init {
    /// Debian's sysvinit
    Sysv,
    /// systemd
    Systemd,
    /// sysvinit, with OpenRC for the services
    #[value(name = "openrc")]
    OpenRc,
    /// runit
    Runit,
}

impl Init {
    /// The packages that it comes in, where an image with sysvinit does not have it.
    #[must_use]
    pub fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Sysv => &[],
            Self::Systemd => &["systemd"],
            Self::OpenRc => &["openrc"],
            Self::Runit => &["runit-init"],
        }
    }

    /// Whether this machine can have hosts with it: systemd has each service in a control group of version 2.
    #[must_use]
    pub fn can_be_had(self) -> bool {
        let trial = "groups=$(grep -m 1 ' cgroup2 ' /proc/mounts | cut -d ' ' -f 2)
            [ -n \"$groups\" ] && mkdir \"$groups/wildebeest-trial\" && rmdir \"$groups/wildebeest-trial\"";
        self != Self::Systemd || Command::shell(trial).run().is_ok_and(|output| output.code == 0)
    }

    /// What it is called in a path and on a command line.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Sysv => "sysv",
            Self::Systemd => "systemd",
            Self::OpenRc => "openrc",
            Self::Runit => "runit",
        }
    }

    /// What process 1 is called.
    fn process(self) -> &'static str {
        match self {
            Self::Sysv | Self::OpenRc => "init",
            Self::Systemd => "systemd",
            Self::Runit => "runit",
        }
    }

    /// Lines of shell that bring a host with sysvinit to boot with it the next time.
    fn prepare(self) -> Option<&'static str> {
        match self {
            Self::Sysv => None,
            Self::Systemd => Some(SYSTEMD),
            Self::OpenRc => Some("apt-get install -y --no-install-recommends openrc"),
            Self::Runit => Some(RUNIT),
        }
    }
}

const SYSTEMD: &str = "apt-get install -y --no-install-recommends systemd
    ln -sf /lib/systemd/systemd /sbin/init
    cd /etc/systemd/system
    echo '[Unit]\nAfter=multi-user.target\n[Service]\nType=oneshot\nExecStart=touch /run/booted' >booted.service
    ln -s ../booted.service multi-user.target.wants/";

/// Its boot ends before its services begin, and a host is up with them; but one whose services do not come up, or that has
/// none, is up after twenty seconds all the same, and who looks at it sees why.
const RUNIT: &str = "apt-get install -y --no-install-recommends runit-init
    cd /etc/runit; mkdir boot-run shutdown-run; touch native.boot.run; rm -r runsvdir/default/getty*
    echo 'until sv status /etc/service/* && [ ! -e /etc/service/ssh -o -s /run/sshd.pid ]; do sleep 0.1; done' >services-up
    echo 'setsid sh -c \"timeout 20 sh /etc/runit/services-up; touch /run/booted\" >/dev/null 2>&1 &' >boot-run/booted.sh";

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sysv => "sysvinit",
            Self::Systemd => "systemd",
            Self::OpenRc => "OpenRC",
            Self::Runit => "runit",
        })
    }
}

impl Host {
    /// Turns a host that has sysvinit into one with this init, and boots it so. What it installs is in
    /// [`Init::packages`].
    ///
    /// # Errors
    /// When it can't be installed, or the host does not boot with it.
    pub fn change_init(&self, init: Init) -> Result<(), SandboxError> {
        let Some(prepare) = init.prepare() else { return Ok(()) };
        self.read(Command::shell(format!("set -e; export DEBIAN_FRONTEND=noninteractive; {prepare}")))?;
        self.kill()?;
        self.start()?;
        let found = self.read(Command::new("cat").arg("/proc/1/comm"))?;
        match found == init.process() {
            true => Ok(()),
            false => Err(SandboxError::NoInit { name: self.name().to_owned(), init, found }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_label_is_what_a_command_line_calls_it() {
        for one in Init::value_variants() {
            assert_eq!(one.to_possible_value().unwrap().get_name(), one.label());
        }
    }
}
