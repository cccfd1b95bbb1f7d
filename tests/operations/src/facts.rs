//! Facts: each is compared with what the host's own programs say.

use wb_stdlib::facts::{Init as FirstProcess, Interface};
use wb_stdlib::prelude::*;

use crate::{Case, Init};

/// Writes down what the facts say, for the shell to compare.
fn write_down(host: &Host) -> Result<()> {
    let facts = host.facts();
    let (space, root) = (facts.space("/").unwrap_or_default(), facts.mount_of("/"));
    let lines = [
        said("distribution", &facts.distribution.id),
        said("codename", &facts.distribution.codename),
        said("kernel", &facts.kernel),
        said("hostname", &facts.hostname),
        said("cpus", facts.cpus),
        said("memory", facts.memory_mib),
        said("root", root.map_or("", |mount| mount.file_system.as_str())),
        said("blocks", space.total / 1024),
        said("address", facts.primary_address().map(|address| address.to_string()).unwrap_or_default()),
        said("gateway", facts.gateway().map(|gateway| gateway.address.to_string()).unwrap_or_default()),
        said("user", facts.user_id().unwrap_or(u32::MAX)),
        said("machine_id", facts.machine_id()),
        said("virtualization", facts.virtualization()),
    ];
    let devices = devices(host);
    host.file("/srv/facts").content(lines.into_iter().chain(devices).collect::<String>()).present()?;
    times_are_now(host)
}

/// An assignment of shell.
fn said(name: &str, value: impl std::fmt::Display) -> String {
    format!("{name}='{value}'\n")
}

/// What it has, of some of which there may be several: a line for each.
fn devices(host: &Host) -> [String; 7] {
    let facts = host.facts();
    [
        said("disks", sorted(facts.disks().iter().map(|disk| format!("{} {}", disk.name, disk.size)))),
        said("model", &facts.processors().model),
        said("sockets", facts.processors().sockets),
        said("swap", facts.memory().swap_mib),
        said("up", sorted(facts.interfaces().iter().filter(|one| one.is_up).map(|one| one.name.clone()))),
        said("hardware", sorted(facts.interfaces().iter().filter_map(hardware))),
        said("addresses", sorted(facts.interfaces().iter().flat_map(addresses))),
    ]
}

fn hardware(interface: &Interface) -> Option<String> {
    interface.hardware.as_ref().map(|hardware| format!("{} {hardware}", interface.name))
}

fn addresses(interface: &Interface) -> Vec<String> {
    interface.addresses.iter().map(|address| format!("{} {}/{}", interface.name, address.ip, address.prefix)).collect()
}

fn sorted(lines: impl Iterator<Item = String>) -> String {
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines.join("\n")
}

/// What is another time each time is compared at once.
fn times_are_now(host: &Host) -> Result<()> {
    let (up, booted) = (host.facts().uptime().as_secs(), host.facts().booted_at().as_secs());
    let said = seconds(host, "cut -d . -f 1 /proc/uptime")?;
    ensure!(up.abs_diff(said) <= 5, "it is up for {up} s, and by its own word for {said} s");
    let said = seconds(host, "date -d \"$(uptime -s)\" +%s")?;
    ensure!(booted.abs_diff(said) <= 5, "it booted at {booted}, and by its own word at {said}");
    Ok(())
}

fn seconds(host: &Host, line: &str) -> Result<u64> {
    Ok(host.shell(line).output()?.text().trim().parse()?)
}

const COMPARE: &str = r#". /etc/os-release; . /srv/facts; export LC_ALL=C
    [ "$distribution" = "$ID" ]; [ "$codename" = "$VERSION_CODENAME" ]
    [ "$kernel" = "$(uname -r)" ]; [ "$hostname" = "$(uname -n)" ]
    [ "$cpus" = "$(getconf _NPROCESSORS_ONLN)" ]
    [ "$memory" = "$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)" ]
    [ "$swap" = "$(awk 'NR > 1 { sum += $3 } END { print int(sum / 1024) }' /proc/swaps)" ]
    [ "$root" = "$(stat -fc %T / | sed 's/overlayfs/overlay/')" ]
    [ "$blocks" = "$(df -k --output=size / | tail -n 1 | tr -d ' ')" ]
    # What is made of several disks is shown beside them by one, and below them by the other.
    [ "$(echo "$disks" | grep -v -e ^dm- -e ^md)" = "$(lsblk -bdno KNAME,SIZE |
        awk '$2 > 0 && !/^(loop|z?ram|dm-|md)/ { print $1, $2 }' | sort)" ]
    # Not every processor says what it is, nor which chip it is on.
    [ -z "$model" ] || [ "$model" = "$(lscpu | sed -n 's/^ *Model name: *//p')" ]
    [ "$sockets" = 0 ] || [ "$sockets" = "$(lscpu -p=SOCKET | grep -v '^#' | sort -u | wc -l)" ]
    [ "$up" = "$(ip -o link show up | awk '{ sub(/[:@].*/, "", $2); print $2 }' | sort)" ]
    [ "$hardware" = "$(ip -o link | sed -n 's/^[0-9]*: \([^:@]*\).* link\/ether \([0-9a-f:]*\) .*/\1 \2/p' | sort)" ]
    [ "$addresses" = "$(ip -o addr | awk '{ print $2, $4 }' | sort)" ]
    [ "$address" = "$(ip -4 -o route get 192.0.2.1 | sed 's/.* src \([0-9.]*\).*/\1/')" ]
    [ "$gateway" = "$(ip -4 route show default | sed 's/.*via \([0-9.]*\).*/\1/')" ]
    [ "$user" = 0 ]; [ "$machine_id" = "$(cat /etc/machine-id)" ]
    [ "$virtualization" = "$(tr '\0' '\n' </proc/1/environ | sed -n 's/^container=//p')" ]"#;

pub(crate) static CASES: &[Case] = &[
    Case { name: "as_programs_say", packages: &["iproute2"], run: write_down, check: COMPARE, ..Case::DEFAULT },
    Case {
        name: "under_systemd",
        init: Init::Systemd,
        run: |host| {
            ensure!(*host.facts().init() == FirstProcess::Systemd, "process 1 is {:?}", host.facts().init());
            host.file("/srv/container").content(host.facts().virtualization().to_string()).present()?;
            Ok(())
        },
        check: "[ \"$(cat /srv/container)\" = wildebeest ]; systemd-detect-virt --container",
        ..Case::DEFAULT
    },
];
