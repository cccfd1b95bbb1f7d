//! A deploy that comes second. Building a runner takes minutes, in which somebody else may tell the herd something. So a
//! stand-in plays cargo here: it lets Ben have his word, and gives a runner that nobody compiled. And a deploy that only
//! asks, one of what was tested elsewhere, and what a change says of tests.

use std::path::PathBuf;

use serde_json::{Value, json};
use wb_core::chain::{Chain, Digest, Sha1};
use wb_core::change::{RolePolicy, Runner};
use wb_core::context::MaxOut;
use wb_core::registry::{Mirror as _, Pushed, RefName, RefUpdate, SigningKey, generate, public_key, resolve_strictly};
use wb_core::runner::platform;
use wb_core::system::{Command, Output, files};
use wb_xtask::attestation::{self, Attestation};
use wb_xtask::fleet::Fleet;
use wb_xtask::operator::TESTERS_FILE;

use crate::office::Office;
use crate::support::{said, search_path};

/// An office with one host, and Ben, who works for the same herd.
struct Workshop {
    office: Office,
    bens: PathBuf,
}

impl Workshop {
    fn new() -> Self {
        let office = Office::new();
        office.scratch.xtask(&office.fleet, &["host", "add", "web1", "--role", "server"]);
        office.enroll("web1");
        office.admit("web1");
        office.scratch.git(&office.fleet, &["add", "--all"]);
        office.scratch.git(&office.fleet, &["commit", "--quiet", "-m", "One host"]);
        let workshop = Self { bens: office.clone_of_fleet("bens"), office };
        workshop.equip();
        workshop
    }

    /// A runner that says what the fleet says, and the message by which cargo gives it.
    fn equip(&self) {
        let resolved = resolve_strictly(self.office.fleet.join("migrations")).unwrap();
        let (chain, server) = (Chain::new(resolved.links).unwrap(), RolePolicy::new(MaxOut::Hosts(1)));
        let says = json!({ "platform": platform(), "chain": chain, "roles": { "server": server } });
        self.put("says.json", &says.to_string());
        let says = self.path("says.json");
        self.put("runner", &format!("#!/bin/sh\ncase $1 in\nchain) cat '{says}' ;;\n*) echo '[]' ;;\nesac\n"));
        let target = json!({
            "kind": ["bin"], "crate_types": ["bin"], "name": "wildebeest", "src_path": "/f/main.rs", "edition": "2024",
        });
        let profile = json!({ "opt_level": "3", "debug_assertions": false, "overflow_checks": false, "test": false });
        let message = json!({
            "reason": "compiler-artifact", "package_id": "p", "manifest_path": "/f/Cargo.toml", "target": target,
            "profile": profile, "features": [], "filenames": [], "executable": self.path("runner"), "fresh": true,
        });
        self.put("built.json", &message.to_string());
        // Where the libraries for musl are missing, nothing is installed for this.
        self.put("bin/rustup", "#!/bin/sh\n");
    }

    /// One more migration, committed, and the runner that has it.
    fn goes_on(&self, name: &str) {
        let (scratch, fleet) = (&self.office.scratch, &self.office.fleet);
        let made = scratch.xtask(fleet, &["new", name, "--role", "server"]);
        assert_eq!(made.code, 0, "{}", made.error_text());
        scratch.git(fleet, &["add", "--all"]);
        scratch.git(fleet, &["commit", "--quiet", "-m", name]);
        self.equip();
    }

    /// What becomes of Ana's deploy where Ben says this while her runner is built; nothing: he is silent.
    fn deploy(&self, args: &[&str], ben: &str) -> Output {
        self.deploy_with_any_key(&[args, &["--key", &self.path("key")]].concat(), ben)
    }

    fn deploy_with_any_key(&self, args: &[&str], ben: &str) -> Output {
        self.ana(ben).arg("deploy").args(args).run().unwrap()
    }

    /// Ana's command line, and the stand-in for cargo, which lets Ben say this.
    fn ana(&self, ben: &str) -> Command {
        let (xtask, key, bens) = (env!("CARGO_BIN_EXE_xtask"), self.path("key"), self.bens.display());
        match ben {
            "" => self.ana_amid("true"),
            ben => self.ana_amid(&format!("cd '{bens}' && '{xtask}' {ben} --key '{key}' >&2")),
        }
    }

    /// Ana's command line, and the stand-in for cargo, while whose builds this happens.
    fn ana_amid(&self, happens: &str) -> Command {
        let (path, built) = (search_path(), self.path("built.json"));
        let cargo = format!("PATH='{path}'\n[ \"$1\" = build ] || exec cargo \"$@\"\n{{ {happens}; }} || exit 9\n");
        self.put("bin/cargo", &format!("#!/bin/sh\n{cargo}cat '{built}'\n"));
        let ana = self.office.scratch.hermetic(env!("CARGO_BIN_EXE_xtask"), &self.office.fleet);
        ana.env("PATH", format!("{}:{path}", self.path("bin")))
    }

    /// Ana's deploy where there is neither cargo nor a compiler, but what git needs.
    fn deploy_without_compiler(&self, args: &[&str]) -> String {
        files::create_dir(self.path("tools")).unwrap();
        for tool in ["cat", "git", "sh", "ssh-keygen"] {
            let place = self.path(&format!("tools/{tool}"));
            if !files::exists(&place) {
                files::link(Command::shell(format!("command -v {tool}")).read().unwrap(), &place).unwrap();
            }
        }
        let ana = self.office.scratch.hermetic(env!("CARGO_BIN_EXE_xtask"), &self.office.fleet);
        let ana = ana.env("PATH", self.path("tools")).arg("deploy").args(args).args(["--key", &self.path("key")]);
        said(&self.office.scratch, &ana.run().unwrap())
    }

    /// Attests that the runner was tested, at this time.
    fn attest(&self, time: u64, key: Option<&SigningKey>, push: bool) -> Sha1 {
        let runner = files::read(self.path("runner")).unwrap();
        self.attest_another(&platform(), &runner, time, key, push)
    }

    /// Attests that these bytes were tested for that platform.
    fn attest_another(&self, platform: &str, runner: &[u8], time: u64, key: Option<&SigningKey>, push: bool) -> Sha1 {
        let (fleet, operator) = (Fleet::around(&self.office.fleet).unwrap(), self.office.operator());
        let chain = Chain::new(resolve_strictly(&fleet.crate_dir).unwrap().links).unwrap();
        let made = Attestation {
            sha256: Digest::of(runner),
            platform: platform.to_owned(),
            triple: "x86_64-unknown-linux-musl".into(),
            source: fleet.work_tree().unwrap().head().unwrap(),
            tip: chain.tip().map(|link| link.sha1),
            chain,
            runner: None,
            image: "debian12".into(),
            wildebeest: "0.1.0".into(),
            time,
            no_roll: None,
            results: Vec::new(),
        };
        attestation::record(Some(&operator), &fleet, &made, runner, key, push).unwrap()
    }

    /// Attests it as somebody does whose word counts for nobody, and who may push all the same.
    fn pretend(&self) {
        let (commit, operator) = (self.attest(1_000_000_000, None, false), self.office.operator());
        self.forget();
        let sha256 = Digest::of(&files::read(self.path("runner")).unwrap());
        let name = RefName::Tested { platform: platform(), sha256 };
        let pushed = operator.registry().push(&[RefUpdate { name, expected: None, new: Some(commit) }]).unwrap();
        assert_eq!(pushed, Pushed::Won);
    }

    /// Forgets what was tested on this machine.
    fn forget(&self) {
        let kept = format!("refs/kept/tested/{}/", platform());
        let herd = self.office.fleet.join(".git/wildebeest/herd.git");
        let names = self.office.scratch.git(&herd, &["for-each-ref", "--format=%(refname)", &kept]);
        names.lines().for_each(|name| drop(self.office.scratch.git(&herd, &["update-ref", "-d", name])));
    }

    /// A key for tests that the fleet knows, by a commit.
    fn tester(&self) -> SigningKey {
        let (key, office) = (generate(&self.office.scratch.path("ci"), "ci").unwrap(), &self.office);
        let line = format!("ci@localhost {}\n", public_key(key.path()).unwrap());
        files::write(office.fleet.join("migrations").join(TESTERS_FILE), line, 0o644).unwrap();
        office.scratch.git(&office.fleet, &["add", "--all"]);
        office.scratch.git(&office.fleet, &["commit", "--quiet", "-m", "CI may test"]);
        key
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.office.scratch.path(name);
        files::create_dir(path.parent().unwrap()).unwrap();
        files::write(path, text, 0o755).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.office.scratch.path(name).display().to_string()
    }

    /// What the remote has of what Ana would have told: her runners.
    fn runners(&self) -> usize {
        let office = &self.office;
        office.scratch.git(&office.fleet, &["ls-remote", "origin", "refs/wildebeest/runners/*"]).lines().count()
    }
}

#[test]
fn a_deploy_that_comes_second_tells_nothing_and_shows_what_the_first_one_told() {
    let workshop = Workshop::new();
    let output = workshop.deploy(&["--json", "--untested"], "hold --message 'a sale'");
    let second: Value = serde_json::from_str(&output.text()).unwrap();
    assert_eq!((output.code, &second["overtaken"], &second["change"]), (1, &true.into(), &Value::Null));
    assert_eq!((&second["known"], &second["dry_run"]), (&false.into(), &false.into()));
    assert_eq!(second["difference"], json!(["+ hold of the herd: a sale"]), "what Ben told, and not what Ana would");

    let text = said(&workshop.office.scratch, &workshop.deploy(&["--untested"], "hold web1 --message 'a look'"));
    assert!(text.starts_with("+ migration `base_packages` (0000000) for role `server`, 1 host\n"), "{text}");
    let end = "\n\
        note: the herd was told something else meanwhile:\n  \
          change 3 hold: web1: a look, by wildebeest <wildebeest@localhost>, signed by ana@localhost\n    \
            + hold of web1: a look\n\
        error: somebody else told the herd something first, and nothing of this deploy was told\n\
        hint: git pull --rebase && cargo xtask deploy --untested --key SCRATCH/key\n\
        exit code 1";
    assert!(text.ends_with(end), "{text}");
    let newest = workshop.office.newest();
    assert_eq!((newest.number, newest.holds.len(), newest.chain.links().len()), (3, 2, 0), "all of it is Ben's");
    assert_eq!(workshop.runners(), 0, "and nothing of Ana's lies about");

    let text = said(&workshop.office.scratch, &workshop.deploy(&["--untested"], ""));
    assert!(text.contains("\nchange 4 deploy: ") && text.ends_with("exit code 0"), "the hint mends it: {text}");
    let newest = workshop.office.newest();
    let held: Vec<String> = newest.holds.iter().map(|hold| hold.whom.to_string()).collect();
    assert_eq!((held, newest.chain.links().len(), workshop.runners()), (vec!["the herd".into(), "web1".into()], 1, 1));
}

#[test]
fn what_changes_while_the_runner_is_built_may_be_in_it() {
    let workshop = Workshop::new();
    let (fleet, key) = (workshop.path("fleet"), workshop.path("key"));
    let deploy = |amid: &str| {
        let ana = workshop.ana_amid(amid).args(["deploy", "--untested", "--key", &key]);
        said(&workshop.office.scratch, &ana.run().unwrap())
    };
    let text = deploy(&format!(": >'{fleet}/more'"));
    let edited = "error: files differ from the commit that would be deployed: more\nhint: git status\nexit code 1";
    assert!(text.ends_with(edited), "{text}");
    let git = "git -c user.name=Ana -c user.email=ana@localhost";
    let commit = format!("cd '{fleet}' && {git} add more && {git} commit --quiet -m More >&2");
    files::remove(format!("{fleet}/more")).unwrap();
    let text = deploy(&format!(": >'{fleet}/more' && {commit}"));
    let moved = "error: 0000000 was checked out when the build of the runner began, and 0000000 when it ended\n\
        hint: cargo xtask deploy --untested --key SCRATCH/key\n\
        exit code 1";
    assert!(text.ends_with(moved), "{text}");
    assert_eq!((workshop.office.newest().number, workshop.runners()), (1, 0), "nothing was told");
    let text = deploy("true");
    assert!(text.contains("\nchange 2 deploy: ") && text.ends_with("exit code 0"), "the hint mends it: {text}");
}

#[test]
fn who_only_asks_hears_that_there_is_no_key() {
    let workshop = Workshop::new();
    let text = said(&workshop.office.scratch, &workshop.deploy_with_any_key(&["--dry-run", "--untested"], ""));
    let none = "warning: there is no SSH key to sign changes with: looked for SCRATCH/home/.ssh/id_ed25519, \
                SCRATCH/home/.ssh/id_ecdsa, SCRATCH/home/.ssh/id_rsa; the deploy itself needs one: \
                ssh-keygen -t ed25519 -f ~/.ssh/id_ed25519\n";
    assert!(text.contains("\nnothing was told; next: cargo xtask deploy --untested\n"), "{text}");
    assert!(text.contains(none) && text.ends_with("exit code 0"), "{text}");
    let text = said(&workshop.office.scratch, &workshop.deploy(&["--dry-run", "--untested"], ""));
    assert!(!text.contains("to sign changes with") && text.ends_with("exit code 0"), "{text}");
}

#[test]
fn how_far_and_who_goes_first_is_told_as_it_was_said() {
    let workshop = Workshop::new();
    workshop.goes_on("second_page");
    let told = |args: &[&str]| {
        let deployed = workshop.deploy(&[args, &["--untested"]].concat(), "");
        assert_eq!(deployed.code, 0, "{}", deployed.error_text());
        workshop.office.newest()
    };
    let until = told(&["--until", "base_packages"]);
    let [first, second] = until.chain.links() else { panic!("{:?}", until.chain) };
    assert_eq!((until.target, &until.canary), (Some(first.sha1), &None), "everyone goes, and no further");

    let role = told(&["--role", "server", "--bake", "30m"]);
    let canary = role.canary.unwrap();
    assert_eq!((canary.hosts, canary.target, canary.bake), (["web1".to_owned()].into(), second.sha1, Some(1800)));
    assert_eq!((canary.change, role.target), (role.number, Some(first.sha1)), "everyone else stays");

    let all = told(&[]);
    assert_eq!((all.target, all.canary), (Some(second.sha1), None));
}

#[test]
fn a_runner_is_built_for_who_has_no_host_yet() {
    let workshop = Workshop::new();
    let out = workshop.path("copied");
    let built = workshop.ana("").args(["build", "--out", &out]).run().unwrap();
    let bytes = files::read(workshop.path("runner")).unwrap();
    assert_eq!((built.code, built.text()), (0, format!("{}  {out}", Digest::of(&bytes))), "{}", built.error_text());
    assert_eq!(files::read(&out).unwrap(), bytes);
    assert_eq!(files::stat(&out).unwrap().unwrap().mode, 0o755);
    let built = workshop.ana("").args(["build", "--json"]).run().unwrap();
    let said: Value = serde_json::from_str(&built.text()).unwrap();
    assert_eq!(said["runner"], json!(workshop.path("runner")));
    assert_eq!(said["sha256"], json!(Digest::of(&bytes)));
}

#[test]
fn what_was_tested_elsewhere_is_deployed_without_a_compiler() {
    let workshop = Workshop::new();
    let from_ci = || workshop.deploy_without_compiler(&["--from-ci"]);
    let chain = "with the chain up to `base_packages` (0000000)";
    let none = |more: &str| {
        let none = format!("error: no tested runner for {} is on the remote {chain}", platform());
        format!("{none}{more}hint: cargo xtask deploy --key SCRATCH/key\n")
    };
    let text = from_ci();
    assert!(text.contains(&none("\n")) && text.ends_with("exit code 1"), "{text}");
    workshop.pretend();
    let strange = "; one is attested by nobody who counts\nhint: git log -p -- '*allowed_testers'\n";
    let text = from_ci();
    assert!(text.contains(&none(strange)), "who may push has no authority: {text}");

    let ci = workshop.tester();
    workshop.attest(1_000_000_000, Some(&ci), true);
    let later = workshop.office.checked_out();
    workshop.office.scratch.git(&workshop.office.fleet, &["commit", "--quiet", "--allow-empty", "-m", "More"]);
    let text = from_ci();
    let tested = "was tested at 2001-09-09T01:46:40Z, 0 checks, attested by ci@localhost\n";
    assert!(text.contains(tested) && text.contains("\nchange 2 deploy: ") && text.ends_with("exit code 0"), "{text}");
    assert!(text.contains("note: the runner is of the commit 0000000, and 0000000 is checked out: "), "{text}");
    let newest = workshop.office.newest();
    let runner = Digest::of(&files::read(workshop.path("runner")).unwrap());
    assert_eq!(newest.runners[&platform()].sha256, runner, "it is that very runner");
    assert_eq!(newest.source.map(|commit| commit.to_string()), Some(later), "and not what is checked out");
    assert!(!newest.untested);
    let left = files::list(workshop.office.fleet.join(".git/wildebeest")).unwrap();
    assert!(left.iter().all(|path| !path.to_string_lossy().contains("runner-")), "{left:?}");
}

#[test]
fn a_deploy_that_begins_and_ends_amid_another_takes_nothing_from_it() {
    let workshop = Workshop::new();
    let ci = workshop.tester();
    let [says, met, fleet] = ["says.json", "met", "fleet"].map(|name| workshop.path(name));
    let other = format!("'{}' deploy --from-ci --dry-run >'{met}' 2>&1", env!("CARGO_BIN_EXE_xtask"));
    let once = format!("[ -e '{met}' ] || {{ : >'{met}'; cd '{fleet}' && {other}; }}");
    workshop.put("runner", &format!("#!/bin/sh\ncase $1 in\nchain) {once}; cat '{says}' ;;\n*) echo '[]' ;;\nesac\n"));
    workshop.attest(1_000_000_000, Some(&ci), true);
    let text = workshop.deploy_without_compiler(&["--from-ci"]);
    let other = files::read_text(&met).unwrap();
    assert!(other.contains("nothing was told; next: cargo xtask deploy --from-ci\n"), "{other}");
    assert!(text.contains("\nchange 2 deploy: ") && text.ends_with("exit code 0"), "{text}");
}

#[test]
fn a_change_says_whether_a_test_attests_its_runner() {
    let workshop = Workshop::new();
    let deploy = |args: &[&str]| said(&workshop.office.scratch, &workshop.deploy(args, ""));
    let text = deploy(&[]);
    let refused = "error: no test attests the runner 0000000\n\
        hint: cargo xtask test\n\
        hint: cargo xtask deploy --key SCRATCH/key --untested\n\
        exit code 1";
    assert!(text.ends_with(refused), "{text}");
    workshop.pretend();
    let text = deploy(&["--dry-run"]);
    assert!(text.contains("; what the remote has on it is signed by nobody in allowed_testers or "), "{text}");
    assert_eq!((workshop.office.newest().number, workshop.runners()), (1, 0), "nothing was told");
    let text = deploy(&["--untested"]);
    assert!(text.contains("+ untested: no test attests the runner\n") && text.ends_with("exit code 0"), "{text}");
    assert!(workshop.office.newest().untested);
    assert!(workshop.office.xtask(&["status"]).contains("untested: a runner was deployed that no test attests\n"));
    assert!(workshop.office.xtask(&["changes", "2"]).starts_with("change 2 deploy, untested: "));
    workshop.attest(1_000_000_000, None, false);
    let text = deploy(&["--untested"]);
    assert!(text.contains("- untested: a test attests the runner now\n"), "it was tested all the same: {text}");
    assert!(text.contains(", attested by this machine\n") && !workshop.office.newest().untested, "{text}");
    assert!(deploy(&[]).contains("nothing new: the herd knows all of it since change 3\n"));
    let both = deploy(&["--untested", "--from-ci"]);
    assert!(both.contains("cannot be used with") && both.ends_with("exit code 2"), "{both}");
}

#[test]
fn a_runner_of_another_platform_that_stays_is_as_untested_as_it_was() {
    let workshop = Workshop::new();
    let deploy = |args: &[&str]| said(&workshop.office.scratch, &workshop.deploy(args, ""));
    assert!(deploy(&["--untested"]).ends_with("exit code 0"));
    workshop.office.tell(|manifest| {
        let another = Runner { sha256: Digest::of(b"another"), ..manifest.runners[&platform()].clone() };
        manifest.runners.insert("another".into(), another);
    });
    workshop.attest(1_000_000_000, None, false);
    let text = deploy(&[]);
    assert!(text.contains("nothing new: the herd knows all of it since change 3\n"), "one stays: {text}");
    workshop.attest_another("another", b"another", 1_000_000_000, None, false);
    let text = deploy(&[]);
    assert!(text.contains("- untested: a test attests the runner now\n") && text.ends_with("exit code 0"), "{text}");
    assert!(!workshop.office.newest().untested);
}
