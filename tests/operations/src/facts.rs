//! Facts: each is compared with what the host's own programs say.

use wb_stdlib::facts::Init as FirstProcess;
use wb_stdlib::prelude::*;

use crate::{Case, Init};

/// Writes down what the facts say, for the shell to compare.
fn write_down(host: &Host) -> Result<()> {
    let facts = host.facts();
    let root = facts.mount_of("/");
    let space = facts.space("/").unwrap_or_default();
    let lines = [
        format!("distribution={}", facts.distribution.id),
        format!("codename={}", facts.distribution.codename),
        format!("kernel={}", facts.kernel),
        format!("hostname={}", facts.hostname),
        format!("cpus={}", facts.cpus),
        format!("memory={}", facts.memory_mib),
        format!("root={}", root.map_or("", |mount| mount.file_system.as_str())),
        format!("blocks={}", space.total / 1024),
        format!("address={}", facts.primary_address().map(|address| address.to_string()).unwrap_or_default()),
        format!("gateway={}", facts.gateway().map(|gateway| gateway.address.to_string()).unwrap_or_default()),
        format!("user={}", facts.user_id().unwrap_or(u32::MAX)),
        format!("systemd={}", *facts.init() == FirstProcess::Systemd),
    ];
    host.file("/srv/facts").content(lines.join("\n") + "\n").present()?;
    Ok(())
}

const COMPARE: &str = ". /etc/os-release; . /srv/facts
    [ \"$distribution\" = \"$ID\" ] && [ \"$codename\" = \"$VERSION_CODENAME\" ]
    [ \"$kernel\" = \"$(uname -r)\" ] && [ \"$hostname\" = \"$(uname -n)\" ]
    [ \"$cpus\" = \"$(getconf _NPROCESSORS_ONLN)\" ]
    [ \"$memory\" = \"$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)\" ]
    [ \"$root\" = \"$(stat -fc %T / | sed 's/overlayfs/overlay/')\" ]
    [ \"$blocks\" = \"$(df -k --output=size / | tail -n 1 | tr -d ' ')\" ]
    [ \"$address\" = \"$(ip -4 -o route get 192.0.2.1 | sed 's/.* src \\([0-9.]*\\).*/\\1/')\" ]
    [ \"$gateway\" = \"$(ip -4 route show default | sed 's/.*via \\([0-9.]*\\).*/\\1/')\" ]
    [ \"$user\" = 0 ]";

pub(crate) static CASES: &[Case] = &[
    Case { name: "as_programs_say", packages: &["iproute2"], run: write_down, check: COMPARE, ..Case::DEFAULT },
    Case {
        name: "under_systemd",
        init: Init::Systemd,
        run: write_down,
        check: "grep -qx systemd=true /srv/facts",
        ..Case::DEFAULT
    },
];
