//! Disks.

use wb_core::system::System;
use wb_core::system::files;

use super::text;

/// A block device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disk {
    /// Its name, as in `sda`; `/dev/sda` is its file.
    pub name: String,
    /// Its size, in bytes.
    pub size: u64,
    /// Whether it turns.
    pub is_rotational: bool,
    /// Whether it can be taken out.
    pub is_removable: bool,
    /// What its maker calls it; empty where it does not say, as of virtual ones.
    pub model: String,
}

/// The kernel counts in these, whatever a disk has.
const SECTOR: u64 = 512;

impl Disk {
    pub(super) fn all(system: &System) -> Vec<Self> {
        let listed = files::list(system.path("/sys/block")).unwrap_or_default();
        let names = listed.iter().filter_map(|path| path.file_name()?.to_str());
        let is_one = |name: &&str| !["loop", "ram", "zram"].iter().any(|kind| name.starts_with(kind));
        names.filter(is_one).map(|name| Self::of(system, name)).filter(|disk| disk.size > 0).collect()
    }

    fn of(system: &System, name: &str) -> Self {
        let said = |what: &str| text(system, &format!("/sys/block/{name}/{what}")).trim().to_owned();
        Self {
            name: name.to_owned(),
            size: said("size").parse::<u64>().unwrap_or(0).saturating_mul(SECTOR),
            is_rotational: said("queue/rotational") == "1",
            is_removable: said("removable") == "1",
            model: said("device/model"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Look as _;
    use crate::machine::Machine;

    #[test]
    fn disks_are_what_has_a_size_and_is_no_file_or_memory() {
        let machine = Machine::new()
            .file("/sys/block/sda/size", "976773168\n")
            .file("/sys/block/sda/queue/rotational", "1\n")
            .file("/sys/block/sda/removable", "0\n")
            .file("/sys/block/sda/device/model", "ST500DM002-1BD14\n")
            .file("/sys/block/vda/size", "41943040\n")
            .file("/sys/block/vda/queue/rotational", "0\n")
            .file("/sys/block/sr0/size", "0\n")
            .file("/sys/block/loop0/size", "1024\n");
        machine
            .view(|host| {
                let facts = host.facts();
                let shown: Vec<String> = facts
                    .disks()
                    .iter()
                    .map(|disk| format!("{} {} {} {:?}", disk.name, disk.size, disk.is_rotational, disk.model))
                    .collect();
                assert_eq!(shown, ["sda 500107862016 true \"ST500DM002-1BD14\"", "vda 21474836480 false \"\""]);
                Ok(())
            })
            .unwrap();
    }
}
