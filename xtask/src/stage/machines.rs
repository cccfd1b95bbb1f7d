//! The machines of a stage: a git server and hosts that are on, before there is a fleet that they are of.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::StageError;
use crate::at_once;
use crate::sandbox::{GitServer, Herd, Host, Image, Subnet};
use crate::test::cast::Player;

/// What a stage is set with.
#[derive(Debug, Clone)]
pub struct Setting<'a> {
    /// Where its disks lie. Nobody else uses it once the machines are on.
    pub place: &'a Path,
    /// Its network.
    pub subnet: Subnet,
    /// What hosts are made of.
    pub image: &'a Image,
    /// Packages that hosts will install, for a machine on which they don't reach the mirrors.
    pub stock: &'a [&'a str],
    /// The hosts.
    pub players: &'a [Player],
    /// How often hosts look at the remote.
    pub poll: &'a str,
    /// Disks of a stage that was kept, by the names of machines; where there are none, all machines are new.
    pub bases: BTreeMap<String, PathBuf>,
}

/// Machines that are on. They are off when this is dropped.
#[derive(Debug)]
pub struct Machines {
    pub(super) hosts: BTreeMap<String, Host>,
    pub(super) server: GitServer,
    pub(super) poll: String,
    pub(super) are_new: bool,
    pub(super) herd: Herd,
}

/// What the git server's machine is called: as no host is.
pub(super) const SERVER: &str = "herd-git";

impl Machines {
    /// Boots them. `say` hears of what takes long.
    ///
    /// # Errors
    /// When others use the place, or a machine does not boot.
    pub fn boot(setting: &Setting<'_>, say: &dyn Fn(&str)) -> Result<Self, StageError> {
        let place = setting.place.join("herd");
        let herd = Herd::start_stocked(setting.image, &place, setting.subnet, setting.stock, say)?;
        let server = herd.git_server_on(SERVER, setting.server(), setting.base(SERVER))?;
        let (hosts, poll, are_new) = (setting.boot(&herd)?, setting.poll.to_owned(), setting.bases.is_empty());
        if are_new {
            herd.name_all(&hosts.values().collect::<Vec<_>>())?;
        }
        Ok(Self { hosts, server, poll, are_new, herd })
    }

    /// Where the herd lives, as its `herd.toml` says it.
    #[must_use]
    pub fn remote(&self) -> String {
        self.server.url()
    }
}

impl Setting<'_> {
    /// The address after the router's.
    fn server(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.subnet.gateway()) + 1)
    }

    fn base(&self, machine: &str) -> Option<&Path> {
        self.bases.get(machine).map(PathBuf::as_path)
    }

    fn boot(&self, herd: &Herd) -> Result<BTreeMap<String, Host>, StageError> {
        let boot = |player: &Player| -> Result<(String, Host), StageError> {
            let machine = player.machine();
            Ok((player.name.clone(), herd.boot_on(&machine, player.address, self.base(&machine))?))
        };
        at_once::each(self.players, boot).into_iter().collect()
    }
}
