//! Who says, once all was tested and passed, that this very runner was, and how: a deploy looks for it.
//!
//! Only a test of all that there is says so. It begins where all is committed, and so it is still once the runner is built: else
//! nobody knows of which commit that is. Whoever asks for a signature or a push is told at once where it could come to none.

use wb_core::chain::{Chain, Digest, Sha1, some_of};
use wb_core::registry::SigningKey;
use wb_core::runner::platform;
use wb_core::system::clock::{Clock as _, Real};

use super::outcome::Outcome;
use super::{Options, TestError};
use crate::attestation::{self, Attestation, AttestationError};
use crate::fleet::Fleet;
use crate::git::WorkTree;
use crate::operator::{self, Operator};
use crate::shell::Shell;
use crate::signing_key;

/// The witness of a test.
#[derive(Debug)]
pub(super) struct Witness<'a> {
    fleet: &'a Fleet,
    tree: WorkTree,
    /// The commit that is tested; none where something is not committed, or was not before the runner was built.
    source: Option<Sha1>,
    key: Option<SigningKey>,
    push: bool,
}

/// What was tested.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    /// The bytes of the runner.
    pub(super) runner: &'a [u8],
    /// The target triple that it was built for.
    pub(super) triple: &'a str,
    /// All links that it has.
    pub(super) chain: &'a Chain,
    /// What hosts were made of.
    pub(super) image: &'a str,
    /// Why no herd rolled, where none can.
    pub(super) no_roll: Option<&'a str>,
}

impl<'a> Witness<'a> {
    /// Looks at a fleet before it is tested.
    ///
    /// # Errors
    /// When there can be no word as it is asked for: something is not committed, there is no key or no remote, or nobody
    /// would believe what is to be pushed.
    pub(super) fn of(fleet: &'a Fleet, options: &Options) -> Result<Self, TestError> {
        let tree = fleet.work_tree().map_err(AttestationError::from)?;
        let dirty = tree.dirty().map_err(AttestationError::from)?;
        let source = dirty.is_empty().then(|| tree.head()).transpose().map_err(AttestationError::from)?;
        if source.is_none() && (options.key.is_some() || options.push) {
            return Err(TestError::Uncommitted { files: some_of(&dirty) });
        }
        let key = options.key.clone().map(|path| signing_key::find(Some(path), &tree)).transpose()?;
        let witness = Self { fleet, tree, source, key: key.map(SigningKey::new), push: options.push };
        let able = witness.may_push();
        witness.give_back()?;
        able?;
        Ok(witness)
    }

    /// Refuses what could be pushed to nobody's use, where something is to be pushed.
    fn may_push(&self) -> Result<(), AttestationError> {
        match self.operator()? {
            Some(operator) => attestation::refuse_unbelievable(&operator, self.key.as_ref()),
            None => Ok(()),
        }
    }

    /// Looks again, once the runner is built. What was edited or committed meanwhile may be in it.
    ///
    /// # Errors
    /// When git fails.
    pub(super) fn look_again(&mut self) -> Result<(), TestError> {
        let Some(source) = self.source else { return Ok(()) };
        let is_clean = self.tree.dirty().map_err(AttestationError::from)?.is_empty();
        let is_there = self.tree.head().map_err(AttestationError::from)? == source;
        self.source = Some(source).filter(|_| is_clean && is_there);
        Ok(())
    }

    /// Says it, of a test of all that there is, which passed.
    ///
    /// # Errors
    /// When it can't be written, or pushed.
    pub(super) fn attest(&self, subject: Subject<'_>, outcome: &Outcome, shell: &Shell) -> Result<(), TestError> {
        let Some(source) = self.source else {
            shell.note("nothing is attested: not all was committed before the runner was built");
            return Ok(());
        };
        let made = made(source, subject, outcome);
        let recorded = {
            let _progress = shell.begin("attesting what was tested");
            self.record(&made, subject.runner)
        };
        self.give_back()?;
        recorded?;
        let place = if self.push { "on the remote, with the runner" } else { "on this machine" };
        shell.note(format_args!("that the runner {} was tested is attested {place}", made.sha256.short()));
        Ok(())
    }

    fn record(&self, made: &Attestation, runner: &[u8]) -> Result<Sha1, AttestationError> {
        let operator = self.operator()?;
        attestation::record(operator.as_ref(), self.fleet, made, runner, self.key.as_ref(), self.push)
    }

    /// Who pushes, where somebody does.
    fn operator(&self) -> Result<Option<Operator>, AttestationError> {
        Ok(self.push.then(|| Operator::of(self.fleet)).transpose()?)
    }

    /// What root wrote into somebody's repository is theirs.
    fn give_back(&self) -> Result<(), AttestationError> {
        let place = operator::place(&self.tree)?;
        Ok(self.tree.give_back(place.parent().unwrap_or(&place))?)
    }
}

fn made(source: Sha1, subject: Subject<'_>, outcome: &Outcome) -> Attestation {
    let Subject { runner, triple, chain, image, no_roll } = subject;
    Attestation {
        sha256: Digest::of(runner),
        platform: platform(),
        triple: triple.to_owned(),
        source,
        chain: chain.clone(),
        tip: chain.tip().map(|link| link.sha1),
        runner: None,
        image: image.to_owned(),
        wildebeest: env!("CARGO_PKG_VERSION").to_owned(),
        time: Real.now().as_secs(),
        no_roll: no_roll.map(str::to_owned),
        results: outcome.told(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use wb_core::registry::{generate, public_key};
    use wb_core::system::files;

    use super::super::tests::options;
    use super::*;

    fn fleet(dir: &Path) -> Fleet {
        WorkTree::create(dir).unwrap();
        files::write(dir.join("herd.toml"), "", 0o644).unwrap();
        Fleet { crate_dir: dir.to_owned(), package: "migrations".into(), binary: "wildebeest".into() }
    }

    /// What is said when a test is to begin.
    fn said(fleet: &Fleet, options: &Options) -> String {
        Witness::of(fleet, options).map_or_else(|error| error.to_string(), |_| "well".to_owned())
    }

    #[test]
    fn what_is_asked_for_must_be_possible() {
        let dir = tempfile::tempdir().unwrap();
        let fleet = fleet(dir.path());
        let (push, key) = (Options { push: true, ..options(&[]) }, Options { key: Some("/k".into()), ..options(&[]) });
        let uncommitted = "files are not committed yet: herd.toml; what was tested would be of no commit";
        assert_eq!(said(&fleet, &options(&[])), "well");
        assert_eq!([said(&fleet, &push), said(&fleet, &key)], [uncommitted, uncommitted]);
        fleet.work_tree().unwrap().commit_all("A herd").unwrap();
        assert_eq!(said(&fleet, &options(&[])), "well");
        let no_remote = "there is no remote: herd.toml names none, and the repository has no `origin`";
        assert_eq!([said(&fleet, &push), said(&fleet, &key)], [no_remote, "there is no signing key at /k"]);
    }

    #[test]
    fn what_nobody_would_believe_is_not_to_be_pushed() {
        let (dir, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let fleet = fleet(dir.path());
        let tree = fleet.work_tree().unwrap();
        tree.set_config("remote.origin.url", "/nowhere").unwrap();
        tree.commit_all("A herd").unwrap();
        let key = generate(&keys.path().join("ci"), "ci").unwrap();
        let push = |key: Option<&SigningKey>| {
            said(&fleet, &Options { push: true, key: key.map(|key| key.path().to_owned()), ..options(&[]) })
        };
        assert_eq!(push(None), "what is pushed for others to believe has to be signed, and there is no key");
        let (path, list) = (key.path().display(), dir.path().join("allowed_testers"));
        let strange = format!("the key {path} is neither in {} nor in allowed_signers", list.display());
        assert_eq!(push(Some(&key)), format!("{strange}: nobody would believe what it attests"));
        files::write(list, format!("ci@localhost {}\n", public_key(key.path()).unwrap()), 0o644).unwrap();
        tree.commit_all("CI may test").unwrap();
        assert_eq!(push(Some(&key)), "well");
    }

    #[test]
    fn this_machine_keeps_what_is_attested() {
        let dir = tempfile::tempdir().unwrap();
        let fleet = fleet(dir.path());
        let (chain, (shell, captured)) = (Chain::new(Vec::new()).unwrap(), Shell::captured());
        let subject = Subject { runner: b"runner", triple: "t", chain: &chain, image: "debian12", no_roll: None };
        let attest = || {
            let mut witness = Witness::of(&fleet, &options(&[])).unwrap();
            witness.look_again().unwrap();
            witness.attest(subject, &Outcome::default(), &shell).unwrap();
        };
        attest();
        assert!(!files::exists(dir.path().join(".git/wildebeest")), "something is not committed");
        fleet.work_tree().unwrap().commit_all("A herd").unwrap();
        attest();
        let sha256 = Digest::of(b"runner");
        let kept = format!(".git/wildebeest/herd.git/refs/kept/tested/{}/{sha256}", platform());
        assert!(files::exists(dir.path().join(kept)));
        let expect = format!(
            "note: nothing is attested: not all was committed before the runner was built\n\
             attesting what was tested …\n\
             note: that the runner {} was tested is attested on this machine\n",
            sha256.short()
        );
        assert_eq!(captured.text(), expect);
    }

    #[test]
    fn what_changes_while_the_runner_is_built_may_be_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let fleet = fleet(dir.path());
        let tree = fleet.work_tree().unwrap();
        tree.commit_all("A herd").unwrap();
        let begun = || Witness::of(&fleet, &options(&[])).unwrap();
        let (mut same, mut edited, mut committed) = (begun(), begun(), begun());
        same.look_again().unwrap();
        assert_eq!(same.source, Some(tree.head().unwrap()));
        files::write(dir.path().join("more"), "", 0o644).unwrap();
        edited.look_again().unwrap();
        assert_eq!(edited.source, None, "it is in no commit");
        tree.commit_all("More").unwrap();
        committed.look_again().unwrap();
        assert_eq!(committed.source, None, "it may be of the one commit or of the other");
    }
}
