//! The scene of a test: a herd of sandboxes in which nobody rolls, with a host for each player.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use wb_core::change::Member;
use wb_core::drill::Script;

use super::TestError;
use super::cast::{Player, SUBNET};
use super::diary::Diary;
use super::drive::Driver;
use crate::at_once;
use crate::sandbox::{Herd, Host, Image};

/// What all scenes of a test have.
#[derive(Debug, Clone, Copy)]
pub struct Props<'a> {
    /// What hosts are made of.
    pub image: &'a Image,
    /// Who plays.
    pub company: &'a [&'a Player],
    /// All hosts that links are to see.
    pub members: &'a [Member],
    /// Packages that they will install, for a machine on which hosts don't reach the mirrors.
    pub stock: &'a [&'a str],
    /// The link that they are to go to at most; nothing: to the last.
    pub goal: Option<&'a str>,
}

/// Disks to begin with, by the names of players. Who has none begins with the image.
pub type Bases = BTreeMap<String, PathBuf>;

/// Hosts that are on, by the names of players.
#[derive(Debug)]
pub struct Scene<'a> {
    props: Props<'a>,
    runner: &'a [u8],
    diary: Diary,
    hosts: BTreeMap<String, Host>,
    /// Whether all hosts are as they were booted.
    is_new: AtomicBool,
    herd: Herd,
}

/// What links on this host are to see.
#[must_use]
pub fn script(name: &str, members: &[Member]) -> Script {
    Script { me: name.to_owned(), members: members.to_vec() }
}

impl<'a> Scene<'a> {
    /// Boots all players, each on its disk, and gives them the runner. `say` hears of what takes long.
    ///
    /// # Errors
    /// When the herd does not start, or a host does not boot.
    pub fn open(
        props: Props<'a>,
        runner: &'a [u8],
        bases: &Bases,
        place: &Path,
        diary: Diary,
        say: &dyn Fn(&str),
    ) -> Result<Self, TestError> {
        let herd = Herd::start_stocked(props.image, place, SUBNET.parse()?, props.stock, say)?;
        let booted = at_once::each(props.company, |player| boot(&herd, player, bases));
        let hosts = booted.into_iter().collect::<Result<BTreeMap<_, _>, TestError>>()?;
        let scene = Self { props, runner, diary, hosts, is_new: AtomicBool::new(true), herd };
        scene.introduce()?;
        let equipped = at_once::each(props.company, |player| scene.equip(player));
        equipped.into_iter().collect::<Result<(), TestError>>()?;
        Ok(scene)
    }

    /// Makes the host of a player a new one, on this disk or on the image.
    ///
    /// # Errors
    /// When it does not boot.
    pub fn reset(&self, player: &Player, base: Option<&Path>) -> Result<(), TestError> {
        let host = self.host(player)?;
        host.reset(base)?;
        // A disk that was kept has names, perhaps of another company: whoever boots here knows the same.
        self.herd.name_to(host, &self.hosts.values().collect::<Vec<_>>())?;
        self.equip(player)
    }

    /// The host of a player as all hosts were when this scene was opened, on the disk that it had then. Who comes first
    /// finds it so; for all others it is made a new one.
    ///
    /// # Errors
    /// As [`Scene::reset`].
    pub fn renewed<'d>(&'d self, player: &'d Player, base: Option<&Path>) -> Result<Driver<'d>, TestError> {
        if !self.is_new.swap(false, Ordering::Relaxed) {
            self.reset(player, base)?;
        }
        self.driver(player)
    }

    /// The host of a player, to be driven.
    ///
    /// # Errors
    /// When that one does not play.
    pub fn driver<'d>(&'d self, player: &'d Player) -> Result<Driver<'d>, TestError> {
        let Self { props, diary, .. } = self;
        Ok(Driver { host: self.host(player)?, name: &player.name, goal: props.goal, diary })
    }

    /// What was written down of the hosts.
    #[must_use]
    pub fn diary(&self) -> &Diary {
        &self.diary
    }

    /// Puts the packages that hosts downloaded where later herds find them.
    ///
    /// # Errors
    /// When the record of the herd can't be read.
    pub fn keep_packages(&self) -> Result<(), TestError> {
        Ok(self.herd.keep_packages()?)
    }

    /// Ends it, or leaves all hosts running.
    ///
    /// # Errors
    /// When the herd has ended already.
    pub fn close(self, keep: bool) -> Result<(), TestError> {
        match keep {
            true => Ok(self.herd.leave_running()?),
            false => Ok(()),
        }
    }

    fn host(&self, player: &Player) -> Result<&Host, TestError> {
        self.hosts.get(&player.name).ok_or_else(|| TestError::NoHost { name: player.name.clone() })
    }

    /// Lets all know each other by name.
    fn introduce(&self) -> Result<(), TestError> {
        Ok(self.herd.name_all(&self.hosts.values().collect::<Vec<_>>())?)
    }

    fn equip(&self, player: &Player) -> Result<(), TestError> {
        self.driver(player)?.equip(self.runner, &script(&player.name, self.props.members))
    }
}

fn boot(herd: &Herd, player: &Player, bases: &Bases) -> Result<(String, Host), TestError> {
    let base = bases.get(&player.name).map(PathBuf::as_path);
    Ok((player.name.clone(), herd.boot_on(&player.machine(), player.address, base)?))
}
