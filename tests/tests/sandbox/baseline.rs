//! A baseline that does not come to what it stands for: the test of its fleet says by which path, and a reviewed list lets
//! it be.

use std::collections::BTreeSet;

use wb_core::registry::resolve;
use wb_core::system::files;
use wb_tests::alone::alone_with_quick_builds;
use wb_tests::stage::link;
use wb_xtask::fleet::Fleet;
use wb_xtask::sandbox::{Distribution, Init, scratch_dir};
use wb_xtask::scaffold::{Dependencies, LinkSource, Scaffold, add_link};
use wb_xtask::shell::{Canvas, Shell};
use wb_xtask::test::outcome::{Check, Outcome, Verdict};
use wb_xtask::test::{self, Options, page};

const HERD: &str = "[hosts.web1]\nroles = [\"web\"]\n";

const BASELINE: &str = r#"use wb_stdlib::prelude::*;

/// A web server as it was in June, but for a file.
#[baseline(role = "web", replaces = "FROM..TO")]
fn as_of_june(host: &Host) -> Result<()> {
    host.file("/srv/one").content("1\n").mode(0o644).present()?;
    Ok(())
}
"#;

#[test]
fn a_baseline_that_drifts_is_found() {
    alone_with_quick_builds("baseline::a_baseline_that_drifts_is_found", || {
        let shell = Shell::standard();
        let fleet = fleet(&shell);
        let replaced = resolve(&fleet.crate_dir).unwrap().links;
        let [from, to] = [&replaced[0], &replaced[1]].map(|link| link.sha1.short());
        add_link(&fleet, &link("as_of_june", &BASELINE.replace("FROM", &from).replace("TO", &to))).unwrap();

        let outcome = tested(&fleet, &shell);
        let page = page::page(&outcome, &Canvas::default());
        let failed: Vec<_> = outcome.failures().map(|tested| (tested.host.as_str(), &tested.check)).collect();
        assert_eq!(failed, [("web1", &Check::Baseline)], "{page}");
        for words in ["web1 (web) at `as_of_june` (", "  - /srv/two: file 0644 0:0"] {
            assert!(page.contains(words), "{page}");
        }

        files::create_dir(fleet.crate_dir.join("baselines")).unwrap();
        let list = fleet.crate_dir.join("baselines/as_of_june.allow");
        files::write(list, "/srv/two  # nobody reads it any more\n", 0o644).unwrap();
        let outcome = tested(&fleet, &shell);
        let page = page::page(&outcome, &Canvas::default());
        let proved = outcome.tested.iter().find(|tested| tested.check == Check::Baseline);
        assert!(proved.is_some_and(|tested| tested.verdict == Verdict::Passed), "{page}");
        assert_eq!(outcome.tally().failed, 0, "{page}");
    });
}

fn fleet(shell: &Shell) -> Fleet {
    let dir = scratch_dir("test-baseline-fleet");
    files::remove_tree(&dir).unwrap();
    let scaffold = Scaffold {
        herd: HERD.to_owned(),
        roles: include_str!("../../fleet/roles.rs").to_owned(),
        tests: String::new(),
        links: vec![file("one", 1), file("two", 2)],
        ..Scaffold::new(&dir, Dependencies::Paths)
    };
    scaffold.create(shell).unwrap()
}

/// A migration that makes a file.
fn file(name: &str, number: u8) -> LinkSource {
    let source = format!(
        "use wb_stdlib::prelude::*;\n\n/// A file is there.\n#[migration(role = \"web\")]\n\
         fn write_{name}(host: &Host) -> Result<()> {{\n    \
         host.file(\"/srv/{name}\").content(\"{number}\\n\").mode(0o644).present()?;\n    Ok(())\n}}\n"
    );
    link(&format!("write_{name}"), &source)
}

fn tested(fleet: &Fleet, shell: &Shell) -> Outcome {
    let options = Options {
        roles: BTreeSet::new(),
        migrations: BTreeSet::new(),
        jobs: 2,
        from_scratch: false,
        keep: false,
        interrupt: 0,
        every_point: false,
        no_roll: true,
        image: Distribution::Debian12,
        init: Init::Sysv,
        junit: None,
        json: None,
        key: None,
        push: false,
    };
    test::run(fleet, &options, shell).unwrap()
}
