//! From a failure to a healthy herd with a runner that cargo built: each turn of the host is a process of its own, and the
//! operator's commands are the real ones. Only the deploy is made here, since a release build takes minutes.

use std::path::PathBuf;

use serde_json::Value;
use wb_core::change::Manifest;
use wb_core::system::{Output, files};

use crate::office::Office;
use crate::support::said;

const ROLE: &str = "\n/// Serves one page.\n#[role(max_out = 1)]\npub struct Page;\n\nimpl Role for Page {}\n";

const MIGRATION: &str = r#"use wb_stdlib::prelude::*;

/// It can't do what it should, as long as nobody mends it.
#[migration(role = "page")]
fn serve_page(host: &Host) -> Result<()> {
    host.file("PLACE/begun").content("").present()?;
    bail!("nginx -t says no")
}

#[spec]
fn the_page_is_there(host: &View) -> Result<()> {
    host.file("PLACE/page").exists()
}
"#;

/// A fleet whose one host fails at its one migration.
struct Site {
    office: Office,
    runner: PathBuf,
}

impl Site {
    fn new() -> Self {
        let site = Self::built();
        site.office.scratch.xtask(&site.office.fleet, &["host", "add", "page1", "--role", "page"]);
        site.office.enroll("page1");
        site.xtask(&["host", "admit", "page1"]);
        site.tell();
        site
    }

    /// With a runner whose name no other fleet has, since tests share what they build.
    fn built() -> Self {
        let office = Office::new();
        let (fleet, crate_dir) = (&office.fleet, office.fleet.join("migrations"));
        let edit = |file: &str, edit: &dyn Fn(String) -> String| {
            let path = crate_dir.join(file);
            files::write(&path, edit(files::read_text(&path).unwrap()), 0o644).unwrap();
        };
        edit("Cargo.toml", &|text| text.replace("name = \"wildebeest\"", "name = \"failing-runner\""));
        edit("src/roles.rs", &|text| text + ROLE);
        office.scratch.xtask(fleet, &["new", "serve_page", "--role", "page"]);
        let place = office.scratch.path("").display().to_string();
        edit("src/chain/serve_page.rs", &|_| MIGRATION.replace("PLACE/", &place));
        office.scratch.git(fleet, &["add", "--all"]);
        office.scratch.git(fleet, &["commit", "--quiet", "-m", "Add the migration serve_page"]);
        let built = office.scratch.cargo(fleet, &["build", "--bin", "failing-runner"]);
        assert_eq!(built.code, 0, "{}", built.error_text());
        let runner = office.scratch.path("wildebeest");
        files::copy(office.scratch.built("failing-runner"), &runner).unwrap();
        Self { office, runner }
    }

    /// Tells the herd what the runner has.
    fn tell(&self) {
        let says: Value = serde_json::from_str(&self.wildebeest("chain", &["--json"]).text()).unwrap();
        let operator = self.office.operator();
        operator.fetch().unwrap();
        let newest = operator.newest().unwrap().unwrap();
        let mut manifest = Manifest { number: 2, ..newest.manifest.clone() };
        manifest.chain = serde_json::from_value(says["chain"].clone()).unwrap();
        manifest.roles = serde_json::from_value(says["roles"].clone()).unwrap();
        manifest.target = manifest.chain.tip().map(|link| link.sha1);
        operator.append(Some(&newest), &manifest, &self.office.key, Vec::new()).unwrap();
    }

    fn xtask(&self, args: &[&str]) -> String {
        let key = self.office.key.path().display().to_string();
        self.office.xtask(&[args, &["--key", &key]].concat())
    }

    fn wildebeest(&self, command: &str, args: &[&str]) -> Output {
        let machine = self.office.scratch.path("machine-page1");
        let runner = self.office.scratch.hermetic(&self.runner.display().to_string(), &machine);
        let runner = runner.arg(command).arg("--config").arg(machine.join("etc"));
        runner.arg("--state").arg(machine.join("var")).args(args).run().unwrap()
    }

    /// One turn of the host: whether all is well after it, and how often it ran the migration.
    fn once(&self) -> (bool, usize) {
        let output = self.wildebeest("once", &[]);
        (output.code == 0, output.error_text().matches("runs `serve_page`").count())
    }
}

#[test]
fn a_host_fails_is_retried_and_adopts() {
    let site = Site::new();
    assert_eq!(site.once(), (false, 1));
    assert_eq!(site.once(), (false, 0), "what failed is not tried again");
    let status = site.office.xtask(&["status"]);
    assert!(status.contains("`serve_page` (0000000): nginx -t says no"), "{status}");
    let chain = site.wildebeest("chain", &[]).text();
    assert!(chain.lines().last().unwrap().ends_with("  failed"), "{chain}");
    let status = site.wildebeest("status", &[]).text();
    assert!(status.contains("\nphase    failed\n"), "{status}");
    let retried = site.xtask(&["retry", "page1"]);
    assert!(retried.contains("\nchange 3 retry: page1, signed by "), "{retried}");
    assert_eq!([site.once(), site.once()], [(false, 1), (false, 0)], "once for each retry");
    site.xtask(&["adopt", "page1", "--message", "by hand"]);
    assert_eq!(site.once(), (false, 0));
    let status = site.office.xtask(&["status"]);
    assert!(status.contains("was refused: spec `the_page_is_there`: "), "{status}");
    files::write(site.office.scratch.path("page"), "", 0o644).unwrap();
    assert_eq!(site.once(), (false, 0), "nobody said so again");
    site.xtask(&["adopt", "page1", "--message", "by hand, now really"]);
    assert_eq!(site.once(), (true, 0));
    let status = said(&site.office.scratch, &site.office.scratch.xtask(&site.office.fleet, &["status"]));
    assert!(status.ends_with("exit code 0") && status.contains("serve_page, done by hand"), "{status}");
    let verified = || said(&site.office.scratch, &site.wildebeest("verify", &[]));
    insta::assert_snapshot!(verified(), @"
    ok      `serve_page` (0000000)  the_page_is_there
    1 of 1 specs hold.
    exit code 0
    ");
    files::remove(site.office.scratch.path("page")).unwrap();
    insta::assert_snapshot!(verified(), @"
    failed  `serve_page` (0000000)  the_page_is_there: expected the file SCRATCH/page, found nothing there
    0 of 1 specs hold. Next: mend it here, or by a migration.
    exit code 1
    ");
    let chain = site.wildebeest("chain", &[]).text();
    assert!(chain.lines().last().unwrap().ends_with("done by hand"), "{chain}");
    let chain = site.office.xtask(&["chain"]);
    assert!(chain.contains("landed, done by hand on page1"), "{chain}");
    let remote = site.office.scratch.path("herd.git").display().to_string();
    let signers = site.office.fleet.join("migrations/allowed_signers").display().to_string();
    let runner = site.runner.display().to_string();
    let args = ["--name", "page1", "--remote", &remote, "--allowed-signers", &signers, "--runner", &runner];
    let enrolled = site.wildebeest("enroll", &args).text();
    assert!(enrolled.ends_with("\nIt is admitted. Next: `wildebeest install-service` here."), "{enrolled}");
}
