//! Hosts whose init is not the image's own.

use wb_core::system::Command;
use wb_operations::Init;
use wb_xtask::sandbox::Host;

/// Turns a host into one with this init, and boots it so. What it installs is in [`packages`].
///
/// # Panics
/// When that fails.
pub fn change(host: &Host, init: Init) {
    if init == Init::Sysv {
        return;
    }
    let line = format!("set -e; export DEBIAN_FRONTEND=noninteractive; {}", prepare(init));
    host.read(Command::shell(line)).expect("another init");
    host.kill().expect("a host that is off");
    host.start().expect("a host that boots");
    let first = host.read(Command::shell("cat /proc/1/comm")).expect("the name of process 1");
    assert_eq!(first, process(init), "{}", host.name());
}

/// What process 1 is called.
#[must_use]
pub fn process(init: Init) -> &'static str {
    match init {
        Init::Sysv | Init::OpenRc => "init",
        Init::Systemd => "systemd",
        Init::Runit => "runit",
    }
}

/// The packages that an init comes in.
#[must_use]
pub fn packages(init: Init) -> &'static [&'static str] {
    match init {
        Init::Sysv => &[],
        Init::Systemd => &["systemd"],
        Init::OpenRc => &["openrc"],
        Init::Runit => &["runit-init"],
    }
}

/// Whether this machine can have hosts with it.
#[must_use]
pub fn can_be_had(init: Init) -> bool {
    let trial = "groups=$(grep -m 1 ' cgroup2 ' /proc/mounts | cut -d ' ' -f 2)
        [ -n \"$groups\" ] && mkdir \"$groups/wildebeest-trial\" && rmdir \"$groups/wildebeest-trial\"";
    init != Init::Systemd || Command::shell(trial).run().is_ok_and(|output| output.code == 0)
}

fn prepare(init: Init) -> &'static str {
    match init {
        Init::Sysv => "true",
        Init::Systemd => {
            "apt-get install -y --no-install-recommends systemd
            ln -sf /lib/systemd/systemd /sbin/init
            cd /etc/systemd/system
            echo '[Unit]\nAfter=multi-user.target\n[Service]\nType=oneshot\nExecStart=touch /run/booted' >booted.service
            ln -s ../booted.service multi-user.target.wants/"
        }
        Init::OpenRc => "apt-get install -y --no-install-recommends openrc",
        Init::Runit => {
            "apt-get install -y --no-install-recommends runit-init
            cd /etc/runit; mkdir boot-run shutdown-run; touch native.boot.run; rm -r runsvdir/default/getty*
            echo 'touch /run/booted' >boot-run/booted.sh"
        }
    }
}
