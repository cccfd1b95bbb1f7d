//! A git server that was put back to an older copy of itself, and what operators do about it.

use std::path::{Path, PathBuf};

use wb_core::chain::{Digest, Sha1};
use wb_core::change::{ChangeKind, Runner};
use wb_core::registry::{Mirror as _, NewCommit, RefName, RefUpdate};
use wb_core::system::files;

use crate::office::Office;
use crate::support::said;

/// A host that was held, and let go on: changes 1 to 3.
fn office() -> Office {
    let office = Office::new();
    office.scratch.xtask(&office.fleet, &["host", "add", "web1", "--role", "server"]);
    office.enroll("web1");
    office.admit("web1");
    office.signed(&["hold", "web1", "-m", "a look"]);
    office.signed(&["resume", "web1"]);
    office
}

/// Puts the remote's log back to an older change.
fn rewind(office: &Office, to: &str) {
    let remote = office.scratch.path("herd.git");
    office.scratch.git(&remote, &["update-ref", "refs/wildebeest/changes", to]);
}

/// Another operator, with a clone of the fleet, who has seen nothing of the herd yet.
struct Ben<'a> {
    office: &'a Office,
    fleet: PathBuf,
}

impl<'a> Ben<'a> {
    fn of(office: &'a Office) -> Self {
        let fleet = office.scratch.path("bens");
        office.scratch.git(&office.fleet, &["clone", "--quiet", ".", &fleet.display().to_string()]);
        let remote = office.scratch.path("herd.git").display().to_string();
        office.scratch.git(&fleet, &["remote", "set-url", "origin", &remote]);
        for file in ["migrations/allowed_signers", "migrations/herd.toml"] {
            files::copy(office.fleet.join(file), fleet.join(file)).unwrap();
        }
        Self { office, fleet }
    }

    fn xtask(&self, args: &[&str]) -> String {
        said(&self.office.scratch, &self.office.scratch.xtask(&self.fleet, args))
    }

    fn signed(&self, args: &[&str]) -> String {
        self.xtask(&[args, &["--key", &self.office.key.path().display().to_string()]].concat())
    }
}

#[test]
fn a_log_is_brought_back_from_memory() {
    let office = office();
    insta::assert_snapshot!(office.xtask(&["changes", "recover"]), @"
    nothing is lost: the log ends with change 3 resume: web1, by wildebeest <wildebeest@localhost> (0000000); next: cargo xtask status
    exit code 0
    ");
    rewind(&office, "refs/wildebeest/changes~2");
    insta::assert_snapshot!(office.signed(&["hold", "web1", "-m", "again"]), @"
    error: the remote has lost change 3, which was seen from here before: the log of changes was rewound
    hint: cargo xtask changes recover
    exit code 1
    ");
    insta::assert_snapshot!(office.xtask(&["changes", "recover", "--dry-run"]), @"
    + change 2 hold: web1: a look, by wildebeest <wildebeest@localhost> (0000000), known to this machine
    + change 3 resume: web1, by wildebeest <wildebeest@localhost> (0000000), known to this machine
    nothing was changed; next: cargo xtask changes recover
    exit code 0
    ");
    insta::assert_snapshot!(office.xtask(&["changes", "recover"]), @"
    + change 2 hold: web1: a look, by wildebeest <wildebeest@localhost> (0000000), known to this machine
    + change 3 resume: web1, by wildebeest <wildebeest@localhost> (0000000), known to this machine
    brought back: the log ends with change 3 resume: web1, by wildebeest <wildebeest@localhost> (0000000); next: cargo xtask status
    exit code 0
    ");
    assert_eq!((office.newest().number, office.newest().kind), (3, ChangeKind::Resume));
    rewind(&office, &Sha1::ZERO.to_string());
    insta::assert_snapshot!(office.xtask(&["changes", "recover", "--json"]), @r#"
    {
      "newest": {
        "commit": "0000000000000000000000000000000000000000",
        "change": "3 resume: web1",
        "author": "wildebeest <wildebeest@localhost>"
      },
      "lost": [
        {
          "commit": "0000000000000000000000000000000000000000",
          "change": "1 admit: web1",
          "author": "wildebeest <wildebeest@localhost>"
        },
        {
          "commit": "0000000000000000000000000000000000000000",
          "change": "2 hold: web1: a look",
          "author": "wildebeest <wildebeest@localhost>"
        },
        {
          "commit": "0000000000000000000000000000000000000000",
          "change": "3 resume: web1",
          "author": "wildebeest <wildebeest@localhost>"
        }
      ],
      "witnesses": [
        "this machine"
      ],
      "runners": {},
      "nowhere": []
    }
    exit code 0
    "#);
    let ben = Ben::of(&office);
    assert!(ben.signed(&["hold", "web1", "-m", "by ben"]).contains("\nchange 4 hold: web1: by ben"));
}

#[test]
fn a_log_that_forked_is_shown_and_one_side_may_be_kept() {
    let office = office();
    let ben = Ben::of(&office);
    rewind(&office, "refs/wildebeest/changes~1");
    assert!(ben.signed(&["hold", "-m", "by ben"]).contains("\nchange 3 hold: the herd: by ben"));
    insta::assert_snapshot!(office.xtask(&["changes", "recover"]), @"
    the log that this machine knows:
      3 resume: web1, by wildebeest <wildebeest@localhost> (0000000)
    the log that the remote has:
      3 hold: the herd: by ben, by wildebeest <wildebeest@localhost> (0000000)
    error: the log of changes has forked after 2 hold: web1: a look, by wildebeest <wildebeest@localhost> (0000000): whoever follows one side refuses the other
    hint: cargo xtask changes recover --keep 0000000 --dry-run
    hint: cargo xtask changes recover --keep 0000000 --dry-run
    exit code 1
    ");
    let tip =
        |fleet: &Path, name: &str| office.scratch.git(&fleet.join(".git/wildebeest/herd.git"), &["rev-parse", name]);
    let bens = tip(&ben.fleet, "refs/seen/changes");
    insta::assert_snapshot!(office.xtask(&["changes", "recover", "--keep", &bens, "--dry-run"]).replace(&bens, "0"), @"
    - change 3 resume: web1, by wildebeest <wildebeest@localhost> (0000000): say it again
    nothing was changed; next: cargo xtask changes recover --keep 0000000000000000000000000000000000000000
    exit code 0
    ");
    insta::assert_snapshot!(office.xtask(&["changes", "recover", "--keep", &bens]), @"
    - change 3 resume: web1, by wildebeest <wildebeest@localhost> (0000000): say it again
    brought back: the log ends with change 3 hold: the herd: by ben, by wildebeest <wildebeest@localhost> (0000000); next: cargo xtask status
    exit code 0
    ");
    let again = office.signed(&["resume", "web1"]);
    assert!(again.contains("\nchange 4 resume: web1"), "{again}");
}

#[test]
fn what_nobody_signed_is_dropped_when_that_is_said() {
    let office = office();
    let remote = office.scratch.path("herd.git");
    let tree = office.scratch.git(&remote, &["rev-parse", "refs/wildebeest/changes^{tree}"]);
    let args = ["commit-tree", "-p", "refs/wildebeest/changes", "-m", "mallory was here", &tree];
    let commit = office.scratch.git(&remote, &args);
    rewind(&office, &commit);
    insta::assert_snapshot!(office.xtask(&["changes", "recover"]), @"
    error: the log that the remote has can't be judged here: 3 of its changes count, and the next one does not
      caused by: the commit 0000000 is not signed
    hint: git log -p -- '*allowed_signers'
    hint: cargo xtask changes recover --drop-unsigned
    exit code 1
    ");
    insta::assert_snapshot!(office.xtask(&["changes", "recover", "--drop-unsigned"]), @"
    - 0000000, which nobody signed whose word counts
    brought back: the log ends with change 3 resume: web1, by wildebeest <wildebeest@localhost> (0000000); next: cargo xtask status
    exit code 0
    ");
    assert_eq!(office.newest().number, 3);
}

#[test]
fn runners_are_brought_back_where_they_are() {
    let office = office();
    let operator = office.operator();
    let content = b"a runner".to_vec();
    let new = NewCommit {
        message: "runner".into(),
        files: [("wildebeest".to_owned(), content.clone())].into(),
        author: ("m".into(), "m@x".into()),
        ..NewCommit::default()
    };
    let commit = operator.registry().objects().write(&new, None).unwrap();
    let name = RefName::Runner { platform: "x86_64-linux".into(), id: commit.to_string() };
    operator.registry().push(&[RefUpdate { name: name.clone(), expected: None, new: Some(commit) }]).unwrap();
    office.tell(|manifest| {
        manifest.message = "a runner".into();
        let runner = Runner { sha256: Digest::of(&content), commit, reference: name.to_string() };
        manifest.runners.insert("x86_64-linux".into(), runner);
    });
    let ben = Ben::of(&office);
    office.scratch.git(&office.scratch.path("herd.git"), &["update-ref", "-d", &name.to_string()]);
    insta::assert_snapshot!(ben.xtask(&["changes", "recover"]), @"
    nothing can be brought back from here: the log ends with change 4 deploy: a runner, by wildebeest <wildebeest@localhost> (0000000); next: cargo xtask deploy
    warning: the runner for x86_64-linux, 0000000, is neither on the remote nor here: hosts that have it go on, and others wait for a deploy
    exit code 0
    ");
    insta::assert_snapshot!(office.xtask(&["changes", "recover"]), @"
    + runner for x86_64-linux: 0000000
    brought back: the log ends with change 4 deploy: a runner, by wildebeest <wildebeest@localhost> (0000000); next: cargo xtask status
    exit code 0
    ");
    insta::assert_snapshot!(ben.xtask(&["changes", "recover"]), @"
    nothing is lost: the log ends with change 4 deploy: a runner, by wildebeest <wildebeest@localhost> (0000000); next: cargo xtask status
    exit code 0
    ");
}
