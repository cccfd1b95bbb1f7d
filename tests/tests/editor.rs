//! What an editor says of a fleet, by rust-analyzer.

use std::path::PathBuf;

use tempfile::TempDir;
use wb_core::system::{environment, files};
use wb_tests::editor::{self, Editor};
use wb_xtask::scaffold::{Dependencies, Scaffold};
use wb_xtask::shell::Shell;

const CERTIFICATES: &str = r#"use wb_stdlib::prelude::*;

pub struct RotateArgs {
    pub days: u32,
}

/// A new certificate.
#[reusable]
pub fn rotate_certs(host: &Host, args: RotateArgs) -> Result<()> {
    host.file("/etc/days").content(args.days.to_string()).present()?;
    Ok(())
}
"#;

const SECOND: &str = r#"use wb_stdlib::prelude::*;

/// Of all that a migration can say, a little.
#[migration(role = "load_balancer", wait = all("www"))]
fn second(host: &Host) -> Result<()> {
    require!(host.facts().memory_mib > 0, "memory");
    host.file("/etc/motd").template(template!("motd", name = host.name())).present()?;
    host.file("/etc/issue").content(asset!("issue")).present()?;
    let args = crate::certificates::RotateArgs { days: 30 };
    crate::certificates::rotate_certs(host, args)
}

#[spec]
fn greets(host: &View) -> Result<()> {
    host.file("/etc/motd").contains(host.name())
}
"#;

const ROLES: &str = r#"
/// Takes requests.
#[role(max_out = 1)]
struct LoadBalancer;

impl Role for LoadBalancer {}

/// Serves pages.
#[role(max_out = "25%", name = "www")]
pub struct Web;

impl Role for Web {}
"#;

/// A fleet that uses what there is to use, with a draft.
struct Fleet {
    dir: TempDir,
}

impl Fleet {
    fn new() -> Self {
        let fleet = Self { dir: tempfile::tempdir().expect("a directory") };
        Scaffold::new(fleet.path(""), Dependencies::Paths).create(&Shell::captured().0).expect("a fleet");
        fleet.write("certificates.rs", CERTIFICATES);
        fleet.write("chain/second.rs", SECOND);
        fleet.edit("chain.rs", "mod base_packages;", "mod base_packages;\nmod second;");
        fleet.edit("main.rs", "mod chain;", "mod certificates;\nmod chain;");
        let roles = files::read_text(fleet.path("migrations/src/roles.rs")).expect("roles");
        fleet.write("roles.rs", &format!("{roles}{ROLES}"));
        fleet.write("../assets/motd", "{{ name }}\n");
        fleet.write("../assets/issue", "Welcome\n");
        fleet
    }

    fn path(&self, file: &str) -> PathBuf {
        files::canonical(self.dir.path()).expect("a directory").join("fleet").join(file)
    }

    fn write(&self, file: &str, text: &str) {
        files::write(self.path("migrations/src").join(file), text, 0o644).expect("a file");
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let text = files::read_text(self.path("migrations/src").join(file)).expect("a file");
        self.write(file, &text.replace(from, to));
    }

    fn files(&self) -> Vec<PathBuf> {
        let sources = |dir: &str| files::list(self.path(dir)).expect("a directory");
        let all = [sources("migrations/src"), sources("migrations/src/chain"), sources("xtask/src")].concat();
        all.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")).collect()
    }
}

/// The directory that cargo builds in: this program lies in `<target>/debug/deps`.
fn target() -> PathBuf {
    let program = environment::current_exe().expect("this program has a file");
    program.ancestors().nth(3).expect("cargo's target directory").to_owned()
}

/// One editor for all: to load a fleet takes it long.
#[test]
fn an_editor_knows_a_fleet() {
    if !editor::is_installed("an_editor_knows_a_fleet") {
        return;
    }
    let fleet = Fleet::new();
    let mut editor = Editor::open(&fleet.path(""), &target());
    names_of_roles_lead_to_roles(&fleet, &mut editor);
    errors_are_the_real_ones(&fleet, &mut editor);
}

fn names_of_roles_lead_to_roles(fleet: &Fleet, editor: &mut Editor) {
    let mut check = |file: &str, word: &str, expect: &str| {
        assert_eq!(editor.definitions(&fleet.path("migrations/src/chain").join(file), word), [expect], "{word}");
    };
    check("base_packages.rs", "\"server\"", "roles.rs:7");
    check("second.rs", "\"load_balancer\"", "roles.rs:13");
    check("second.rs", "\"www\"", "roles.rs:19");
}

fn errors_are_the_real_ones(fleet: &Fleet, editor: &mut Editor) {
    assert_eq!(editor.errors(&fleet.files()), Vec::<String>::new());
    fleet.edit("chain/second.rs", ".content(asset!", ".contents(asset!");
    fleet.edit("chain/second.rs", "days: 30", "days: host.name()");
    fleet.edit("chain/base_packages.rs", "\"server\"", "\"sever\"");
    let mut errors = editor.errors(&fleet.files());
    errors.sort();
    insta::assert_snapshot!(errors.join("\n"));
}
