//! Who tells the tortured host what to do: signed changes, written straight into the remote.

use std::path::{Path, PathBuf};

use wb_core::Uuid;
use wb_core::chain::{Digest, Sha1};
use wb_core::change::{Adoption, ChangeKind, HostManifest, Identity, Manifest, Runner};
use wb_core::pool::{Claim, Pool};
use wb_core::registry::{Access, AllowedSigners, ChangeLog, Git, NewCommit, Objects, RefName, SigningKey};
use wb_core::runner::platform;
use wb_core::system::files;

use super::TortureError;
use super::links::{Generation, ROLE};
use super::stage::{HOST, script};

/// The operator of a herd of one.
#[derive(Debug, Clone)]
pub struct Operator {
    remote: PathBuf,
    key: SigningKey,
    allowed: AllowedSigners,
}

/// The name of a runner that fails its self-check.
pub const BAD: &str = "bad";

/// The name of a runner that passes its self-check, and dies before its first poll.
pub const CRASHING: &str = "crashing";

/// The commits that hold the runners, in the order of [`Generation::ALL`].
pub type Runners = [Sha1; 3];

impl Operator {
    /// Who has this key, at this remote.
    #[must_use]
    pub fn new(remote: &Path, key: SigningKey, allowed: AllowedSigners) -> Self {
        Self { remote: remote.to_owned(), key, allowed }
    }

    /// The same one at another remote.
    #[must_use]
    pub fn at(&self, remote: &Path) -> Self {
        Self { remote: remote.to_owned(), ..self.clone() }
    }

    /// Another one, whose changes count nowhere.
    #[must_use]
    pub fn with_key(&self, key: SigningKey) -> Self {
        Self { key, ..self.clone() }
    }

    /// Whose changes count.
    #[must_use]
    pub fn allowed_signers(&self) -> &str {
        self.allowed.text()
    }

    /// Puts the runners of all generations on the remote.
    ///
    /// # Errors
    /// When one can't be written.
    pub fn upload(&self) -> Result<Runners, TortureError> {
        let [first, second, third] = Generation::ALL;
        Ok([self.upload_one(first)?, self.upload_one(second)?, self.upload_one(third)?])
    }

    fn upload_one(&self, generation: Generation) -> Result<Sha1, TortureError> {
        self.upload_file(&script(generation.name()), &reference(generation))
    }

    /// The commits of the runners that are on the remote.
    ///
    /// # Errors
    /// When one is not.
    pub fn uploaded(&self) -> Result<Runners, TortureError> {
        let ask = self.git().arg("rev-parse").args(Generation::ALL.map(reference));
        let said = ask.read().map_err(TortureError::Command)?;
        let commits: Vec<Sha1> = said.lines().filter_map(|line| line.parse().ok()).collect();
        commits.try_into().map_err(|_| TortureError::NoRound)
    }

    /// Puts a file on the remote as a runner.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn upload_file(&self, content: &str, reference: &str) -> Result<Sha1, TortureError> {
        let files = [(wb_core::agent::RUNNER_FILE.to_owned(), content.as_bytes().to_vec())].into();
        let author = ("ada".to_owned(), "ada@example.org".to_owned());
        let commit = Objects::open(&self.remote)?.write(&NewCommit { files, author, ..NewCommit::default() }, None)?;
        self.point(reference, commit)?;
        Ok(commit)
    }

    /// The key that this one signs with.
    #[must_use]
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Deploys a generation, and makes of the host what it was, whatever changes before said of it.
    ///
    /// # Errors
    /// When the change can't be written.
    pub fn put_right(&self, generation: Generation, commit: Sha1, identity: Identity) -> Result<Sha1, TortureError> {
        let catalog = generation.catalog()?;
        let sha256 = Digest::of(script(generation.name()).as_bytes());
        let roles = [ROLE.to_owned()].into();
        self.append(ChangeKind::Deploy, |manifest| {
            manifest.chain = catalog.chain().clone();
            manifest.target = catalog.chain().tip().map(|link| link.sha1);
            manifest.roles = catalog.policies().clone();
            manifest.runners = [(platform(), Runner { sha256, commit, reference: reference(generation) })].into();
            manifest.full_runners.clear();
            manifest.retired.clear();
            let host = HostManifest { roles, identity: Some(identity), ..HostManifest::default() };
            manifest.hosts = [(HOST.to_owned(), host)].into();
        })
    }

    /// Admits the host.
    ///
    /// # Errors
    /// When the change can't be written.
    pub fn admit(&self, identity: Identity) -> Result<Sha1, TortureError> {
        self.append(ChangeKind::Admit, |manifest| {
            let host =
                HostManifest { roles: [ROLE.to_owned()].into(), identity: Some(identity), ..HostManifest::default() };
            manifest.hosts.insert(HOST.to_owned(), host);
        })
    }

    /// Deploys a generation.
    ///
    /// # Errors
    /// When the change can't be written.
    pub fn deploy(&self, generation: Generation, commit: Sha1) -> Result<Sha1, TortureError> {
        let sha256 = Digest::of(script(generation.name()).as_bytes());
        self.deploy_as(generation, Runner { sha256, commit, reference: reference(generation) })
    }

    /// Deploys a generation's chain with that runner.
    ///
    /// # Errors
    /// When the change can't be written.
    pub fn deploy_as(&self, generation: Generation, runner: Runner) -> Result<Sha1, TortureError> {
        let catalog = generation.catalog()?;
        self.append(ChangeKind::Deploy, |manifest| {
            manifest.chain = catalog.chain().clone();
            manifest.target = catalog.chain().tip().map(|link| link.sha1);
            manifest.roles = catalog.policies().clone();
            manifest.runners.insert(platform(), runner);
        })
    }

    /// Deploys a generation with a file as its runner that has another sha256 than the change says.
    ///
    /// # Errors
    /// When the change can't be written.
    pub fn deploy_another(&self, generation: Generation) -> Result<Sha1, TortureError> {
        let reference = format!("{}-another", reference(generation));
        let commit = self.upload_file(&script("unverified"), &reference)?;
        let sha256 = Digest::of(script(generation.name()).as_bytes());
        self.deploy_as(generation, Runner { sha256, commit, reference })
    }

    /// Deploys a generation with a runner that is for another machine.
    ///
    /// # Errors
    /// When the change can't be written.
    pub fn deploy_foreign(&self, generation: Generation) -> Result<Sha1, TortureError> {
        let (content, reference) = (program_for_s390x(), format!("{}-foreign", reference(generation)));
        let commit = self.upload_file(&content, &reference)?;
        self.deploy_as(generation, Runner { sha256: Digest::of(content.as_bytes()), commit, reference })
    }

    /// Deploys a runner that no change which counts has named.
    ///
    /// # Errors
    /// When the change can't be written.
    pub fn deploy_forged(&self) -> Result<Sha1, TortureError> {
        let generation = Generation::Third;
        let (content, reference) = (script("forged"), format!("{}-forged", reference(generation)));
        let commit = self.upload_file(&content, &reference)?;
        self.deploy_as(generation, Runner { sha256: Digest::of(content.as_bytes()), commit, reference })
    }

    /// Deploys another runner for a generation's chain: [`BAD`] or [`CRASHING`].
    ///
    /// # Errors
    /// When the change can't be written.
    pub fn deploy_bad(&self, generation: Generation, name: &str) -> Result<Sha1, TortureError> {
        let (content, reference) = (script(name), format!("{}-{name}", reference(generation)));
        let commit = self.upload_file(&content, &reference)?;
        self.deploy_as(generation, Runner { sha256: Digest::of(content.as_bytes()), commit, reference })
    }

    /// Writes that this host is out into the pool.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn list_as_out(&self, uuid: Uuid) -> Result<(), TortureError> {
        let claim = Claim { host: HOST.to_owned(), uuid, nonce: Uuid::new_v4(), since: 0 };
        let pool = Pool { holders: vec![claim], nonce: Uuid::new_v4(), ..Pool::default() };
        let commit = self.write_pool(&pool)?;
        self.point(&RefName::Out(ROLE.to_owned()).to_string(), commit)
    }

    /// Lets the next push of the pool lose against another one.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn race(&self) -> Result<(), TortureError> {
        let commit = self.write_pool(&Pool { nonce: Uuid::new_v4(), ..Pool::default() })?;
        let (remote, pool) = (self.remote.display(), RefName::Out(ROLE.to_owned()));
        let hook = format!(
            "#!/bin/sh\ngrep -q {pool} || exit 0\n[ -e {remote}/raced ] && exit 0\ntouch {remote}/raced\n\
             env -i PATH=\"$PATH\" git --git-dir {remote} update-ref {pool} {commit}\n"
        );
        Ok(files::write(self.remote.join("hooks/pre-receive"), hook, 0o755)?)
    }

    /// Makes a new herd of the remote: only the runners stay.
    ///
    /// # Errors
    /// When a ref can't be removed.
    pub fn start_over(&self) -> Result<(), TortureError> {
        let list = self.git().args(["for-each-ref", "--format=%(refname)", "refs/wildebeest/"]);
        let listed = list.read().map_err(TortureError::Command)?;
        for reference in listed.lines().filter(|reference| !reference.contains("/runners/")) {
            self.git().args(["update-ref", "-d", reference]).read().map_err(TortureError::Command)?;
        }
        Ok(())
    }

    fn write_pool(&self, pool: &Pool) -> Result<Sha1, TortureError> {
        let author = (HOST.to_owned(), "web1@example.org".to_owned());
        let new = NewCommit { message: pool.message(ROLE), author, ..NewCommit::default() };
        Ok(Objects::open(&self.remote)?.write(&new, None)?)
    }

    /// Asks the host to try again.
    ///
    /// # Errors
    /// When the change can't be written.
    pub fn retry(&self) -> Result<Sha1, TortureError> {
        self.append(ChangeKind::Retry, |manifest| {
            let number = manifest.number;
            if let Some(host) = manifest.hosts.get_mut(HOST) {
                host.retry = number;
            }
        })
    }

    /// Says that the host's next link was done by hand.
    ///
    /// # Errors
    /// When the change can't be written.
    pub fn adopt(&self, link: Sha1) -> Result<Sha1, TortureError> {
        self.append(ChangeKind::Adopt, |manifest| {
            let adoption = Adoption { change: manifest.number, link };
            if let Some(host) = manifest.hosts.get_mut(HOST) {
                host.adopt = Some(adoption);
            }
        })
    }

    /// Whether a change counts: it is signed by who is allowed.
    ///
    /// # Errors
    /// When the remote can't be read.
    pub fn counts(&self, change: Sha1) -> Result<bool, TortureError> {
        let objects = Objects::open(&self.remote)?;
        Ok(ChangeLog::new(&objects, &self.allowed).read(change).is_ok())
    }

    /// The newest change that there is.
    ///
    /// # Errors
    /// When the remote can't be read.
    pub fn tip(&self) -> Result<Option<Sha1>, TortureError> {
        let ask = ["rev-parse", "--quiet", "--verify"];
        let said = self.git().args(ask).arg(RefName::Changes.to_string()).run().map_err(TortureError::Command)?;
        Ok(said.text().parse().ok())
    }

    /// Makes a ref of the remote point to a commit.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn point(&self, reference: &str, commit: Sha1) -> Result<(), TortureError> {
        let command = self.git().args(["update-ref", reference]).arg(commit.to_string());
        command.read().map(drop).map_err(TortureError::Command)
    }

    fn append(&self, kind: ChangeKind, delta: impl FnOnce(&mut Manifest)) -> Result<Sha1, TortureError> {
        let objects = Objects::open(&self.remote)?;
        let log = ChangeLog::new(&objects, &self.allowed);
        let newest = self.tip()?.map(|tip| log.recall(tip)).transpose()?;
        let mut manifest = newest.as_ref().map(|change| change.manifest.clone()).unwrap_or_default();
        manifest.number += 1;
        manifest.kind = kind;
        manifest.author = "Ada <ada@example.org>".into();
        delta(&mut manifest);
        let commit = log.write(newest.as_ref(), &manifest, &self.key)?;
        self.point(&RefName::Changes.to_string(), commit)?;
        Ok(commit)
    }

    fn git(&self) -> wb_core::system::Command {
        Git::new(Access::Operator { ssh_command: None }).local(&self.remote)
    }
}

/// The first bytes of a program, as ELF has them.
fn program_for_s390x() -> String {
    let header = [0x7f, b'E', b'L', b'F', 2, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 22];
    header.into_iter().map(char::from).collect()
}

/// The ref of a generation's runner.
#[must_use]
pub fn reference(generation: Generation) -> String {
    RefName::Runner { platform: platform(), id: generation.name().to_owned() }.to_string()
}
