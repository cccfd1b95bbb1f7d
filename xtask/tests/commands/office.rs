//! An operator's office: a fleet, a remote, and machines that enrol.

use std::path::PathBuf;
use std::time::Duration;

use crate::support::{Scratch, said};
use wb_core::change::{ChangeKind, Manifest};
use wb_core::registry::SigningKey;
use wb_core::runner::{Enrollment, Home, enroll};
use wb_core::system::{System, files};
use wb_xtask::fleet::Fleet;
use wb_xtask::operator::{Appended, Operator};

/// A fleet with a remote and a key that counts.
pub(crate) struct Office {
    pub(crate) scratch: Scratch,
    pub(crate) fleet: PathBuf,
    pub(crate) key: SigningKey,
}

impl Office {
    pub(crate) fn new() -> Self {
        let scratch = Scratch::new();
        let fleet = scratch.fleet();
        let key = scratch.allowed_key(&fleet);
        let remote = scratch.path("herd.git").display().to_string();
        scratch.git(&fleet, &["init", "--quiet", "--bare", &remote]);
        scratch.git(&fleet, &["remote", "add", "origin", &remote]);
        Self { scratch, fleet, key }
    }

    pub(crate) fn operator(&self) -> Operator {
        Operator::of(&Fleet::around(&self.fleet).unwrap()).unwrap()
    }

    pub(crate) fn xtask(&self, args: &[&str]) -> String {
        said(&self.scratch, &self.scratch.xtask(&self.fleet, args))
    }

    pub(crate) fn admit(&self, name: &str) -> String {
        self.xtask(&["host", "admit", name, "--key", &self.key.path().display().to_string()])
    }

    /// A command that signs.
    pub(crate) fn signed(&self, args: &[&str]) -> String {
        self.xtask(&[args, &["--key", &self.key.path().display().to_string()]].concat())
    }

    /// The commit that is checked out.
    pub(crate) fn checked_out(&self) -> String {
        self.scratch.git(&self.fleet, &["rev-parse", "HEAD"])
    }

    /// What the herd was told last.
    pub(crate) fn newest(&self) -> Manifest {
        let operator = self.operator();
        operator.fetch().unwrap();
        operator.newest().unwrap().unwrap().manifest
    }

    /// Tells the herd something that no command tells.
    pub(crate) fn tell(&self, delta: impl FnOnce(&mut Manifest)) {
        let operator = self.operator();
        operator.fetch().unwrap();
        let newest = operator.newest().unwrap();
        let before = newest.as_ref().map(|change| change.manifest.clone()).unwrap_or_default();
        let mut manifest = before.next(ChangeKind::Deploy);
        delta(&mut manifest);
        let told = operator.append(newest.as_ref(), &manifest, &self.key, Vec::new()).unwrap();
        assert!(matches!(told, Appended::Won(_)));
    }

    /// What is committed of the fleet, for another operator of the same herd, whose word counts too.
    pub(crate) fn clone_of_fleet(&self, name: &str) -> PathBuf {
        let clone = self.scratch.path(name);
        self.scratch.git(&self.fleet, &["clone", "--quiet", ".", &clone.display().to_string()]);
        let remote = self.scratch.path("herd.git").display().to_string();
        self.scratch.git(&clone, &["remote", "set-url", "origin", &remote]);
        let signers = "migrations/allowed_signers";
        files::copy(self.fleet.join(signers), clone.join(signers)).unwrap();
        clone
    }

    pub(crate) fn enroll(&self, name: &str) {
        let (home, wanted) = self.machine(&format!("machine-{name}"), name);
        enroll(&home, &wanted, &System::real()).unwrap();
    }

    /// A machine, and what it joins the herd with as `name`.
    pub(crate) fn machine(&self, machine: &str, name: &str) -> (Home, Enrollment) {
        let machine = self.scratch.path(machine);
        let wanted = Enrollment {
            name: name.into(),
            remote: self.scratch.path("herd.git").display().to_string(),
            allowed_signers: files::read_text(self.fleet.join("migrations/allowed_signers")).unwrap(),
            poll: Duration::from_secs(30),
            runner: machine.join("wildebeest"),
        };
        (Home::new(machine.join("etc"), machine.join("var")), wanted)
    }
}
