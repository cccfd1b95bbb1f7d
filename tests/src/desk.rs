//! An operator's desk beside a herd in one process: what `cargo xtask retry`, `adopt`, `deploy` and `status` call, on a
//! fleet that names the herd's remote.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Display;

use wb_core::chain::Sha1;
use wb_core::change::Manifest;
use wb_core::herd::{Herd, HostEntry};
use wb_core::registry::VerifiedChange;
use wb_core::runner::Catalog;
use wb_core::system::{Command, files};
use wb_xtask::adopt::{Word, adopting};
use wb_xtask::changes;
use wb_xtask::changes::outcome::HostOutcome;
use wb_xtask::changes::recover::{self, Choice};
use wb_xtask::deploy::aim::Aim;
use wb_xtask::deploy::plan::{Proposal, Refusal, plan, stuck};
use wb_xtask::fleet::{Fleet, HERD_FILE};
use wb_xtask::known::Known;
use wb_xtask::operator::{Operator, SIGNERS_FILE};
use wb_xtask::retry::retrying;
use wb_xtask::shell::Shell;
use wb_xtask::status::{self, HerdStatus};
use wb_xtask::tell::tell;

use crate::herd::TestHerd;

/// A desk. What it gives are the words that an operator would read.
pub struct Desk<'a> {
    herd: &'a TestHerd,
    operator: Operator,
    shell: Shell,
}

impl<'a> Desk<'a> {
    /// A fleet of its own for the operator of `herd`.
    ///
    /// # Panics
    /// When it can't be made.
    #[must_use]
    pub fn of(herd: &'a TestHerd) -> Self {
        let crate_dir = herd.place("fleet");
        files::create_dir(&crate_dir).expect("a directory");
        Command::new("git").args(["init", "--quiet"]).dir(&crate_dir).read().expect("git init");
        let text = format!("[herd]\nremote = {:?}\n", herd.remote().display().to_string());
        files::write(crate_dir.join(HERD_FILE), text, 0o644).expect("a herd");
        files::write(crate_dir.join(SIGNERS_FILE), herd.allowed_signers(), 0o644).expect("signers");
        let fleet = Fleet { crate_dir, package: "migrations".into(), binary: "wildebeest".into() };
        Self { herd, operator: Operator::of(&fleet).expect("an operator"), shell: Shell::captured().0 }
    }

    /// Asks hosts to try again.
    ///
    /// # Errors
    /// When that is refused, in words.
    pub fn retry(&self, hosts: &[&str]) -> Result<String, String> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        self.tell(|known| retrying(known, &hosts, None))
    }

    /// Says that a host's next link was done by hand.
    ///
    /// # Errors
    /// When that is refused, in words.
    pub fn adopt(&self, host: &str, link: Option<&str>) -> Result<String, String> {
        let word = Word { host: host.into(), link: link.map(str::to_owned), why: "done by hand".into() };
        self.tell(|known| adopting(known, &word))
    }

    /// Tells the herd what `next` makes of what is known of it.
    ///
    /// # Errors
    /// When that is refused, in words.
    pub fn tell<E: Display>(&self, next: impl Fn(&Known) -> Result<Manifest, E>) -> Result<String, String> {
        let known = Known::ask(&self.operator, &self.shell).map_err(|error| error.to_string())?;
        let told = tell(&self.operator, known, self.herd.key(), &self.shell, next, |_, _| Vec::new());
        told.map(|told| told.change().manifest.to_string()).map_err(|error| error.to_string())
    }

    /// Deploys all of a catalog, after a change of `herd.toml`, and gives the names of the hosts that stay failed.
    ///
    /// # Errors
    /// When that is refused, in words.
    pub fn deploy(
        &self,
        catalog: &Catalog,
        amended: &[Sha1],
        edit: impl Fn(&mut BTreeMap<String, HostEntry>),
    ) -> Result<Vec<String>, Box<dyn Error>> {
        let reports = self.herd.reports();
        let told = self.deploy_as(catalog, amended, &Aim::default(), edit)?;
        Ok(stuck(&told.manifest, &reports).into_iter().map(|stuck| stuck.host).collect())
    }

    /// As [`Desk::deploy`], with an aim, and gives the change.
    ///
    /// # Errors
    /// When that is refused, in words.
    pub fn deploy_as(
        &self,
        catalog: &Catalog,
        amended: &[Sha1],
        aim: &Aim,
        edit: impl Fn(&mut BTreeMap<String, HostEntry>),
    ) -> Result<Box<VerifiedChange>, Box<dyn Error>> {
        let amended: BTreeSet<Sha1> = amended.iter().copied().collect();
        let roles = catalog.policies();
        let next = |known: &Known| -> Result<Manifest, String> {
            let hosts = known.manifest.hosts.clone();
            let mut herd = Herd::default();
            herd.hosts.extend(hosts.into_iter().map(|(name, host)| {
                (name, HostEntry { roles: host.roles, address: host.address, settings: host.settings })
            }));
            edit(&mut herd.hosts);
            let proposal = Proposal {
                source: Sha1::ZERO,
                untested: false,
                chain: catalog.chain(),
                roles,
                herd: &herd,
                herd_text: "",
                remove: &BTreeSet::new(),
                amended: &amended,
                aim,
                has_baked: false,
            };
            Ok(plan(Some(&known.manifest), &proposal).map_err(|refusals| said(&refusals))?.0)
        };
        let known = Known::ask(&self.operator, &self.shell)?;
        let told = tell(&self.operator, known, self.herd.key(), &self.shell, next, |_, _| Vec::new());
        Ok(told.map_err(|error| error.to_string())?.change())
    }

    /// What came of a change on each host, without the times.
    ///
    /// # Panics
    /// When that can't be told.
    #[must_use]
    pub fn outcomes(&self, number: u64) -> Vec<String> {
        let known = Known::ask(&self.operator, &self.shell).expect("a herd");
        let full = changes::full(&self.operator, &known, number).expect("a change");
        let one = |host: &HostOutcome| {
            let told = if host.outcome.when() == "not told" { ", not told when" } else { "" };
            format!("{} {}{told}", host.host, host.outcome)
        };
        full.hosts.iter().map(one).collect()
    }

    /// Brings back what the remote has lost of the log, and gives that.
    ///
    /// # Errors
    /// When nothing is brought back, in words.
    pub fn recover(&self) -> Result<Vec<String>, String> {
        let recovery = recover::look(&self.operator, &Choice::default()).map_err(|error| error.to_string())?;
        recover::carry_out(&self.operator, &recovery).map_err(|error| error.to_string())?;
        Ok(recovery.lost.into_iter().map(|said| said.change).collect())
    }

    /// How far the herd is.
    ///
    /// # Panics
    /// When nobody can tell.
    #[must_use]
    pub fn status(&self) -> HerdStatus {
        status::of(&self.operator).expect("a status")
    }
}

fn said(refusals: &[Refusal]) -> String {
    refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
