//! A fleet of its own in a repository of its own, built by cargo, to see what the compiler says.
//!
//! The words are those of one compiler: with another minor version than [`RUSTC`] there is no fleet, and the case is
//! skipped and says so.

use std::path::PathBuf;

use wb_core::system::{Command, environment, files};
use wb_xtask::fleet::cargo;
use wb_xtask::scaffold::dev_profile;

use crate::drawing::Repository;

/// The compiler whose words the snapshots have.
pub const RUSTC: &str = "rustc 1.95.";

const PACKAGE: &str = "ui-fleet";

/// A fleet in a temporary directory. It is built where this workspace is, and what both need is compiled once.
#[derive(Debug)]
pub struct Fleet {
    /// Its files and its history.
    pub repository: Repository,
    package: String,
}

impl Fleet {
    /// The fleet of a drawing, with these `mod` lines.
    ///
    /// # Panics
    /// When it can't be made.
    #[must_use]
    pub fn drawn(case: &str, drawing: &str, mods: &[&str]) -> Option<Self> {
        let version = Command::new("rustc").arg("--version").read().expect("rustc runs");
        if !version.starts_with(RUSTC) {
            eprintln!("SKIPPED {case}: its words are those of {RUSTC}*, and this is {version}");
            return None;
        }
        let repository = Repository::drawn(drawing);
        let workspace = files::canonical(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).expect("the workspace");
        repository.write("Cargo.toml", &manifest(PACKAGE, &workspace.display().to_string()));
        repository.write("Cargo.lock", &files::read_text(workspace.join("Cargo.lock")).expect("a lock"));
        repository.write("build.rs", "fn main() {\n    wb_core::registry::track();\n}\n");
        repository.write("src/main.rs", "mod chain;\nmod roles;\n\nwb_stdlib::runner!();\n");
        repository.write_mods(mods);
        Some(Self { repository, package: PACKAGE.to_owned() })
    }

    /// The same under a name of its own, for who asks what is compiled again: cargo mistakes fleets of one name for one
    /// another, wherever they lie.
    #[must_use]
    pub fn apart(self, package: &str) -> Self {
        let path = self.repository.top().join("Cargo.toml");
        let text = files::read_text(path).expect("a manifest");
        self.repository.write("Cargo.toml", &text.replacen(PACKAGE, package, 1));
        Self { package: package.to_owned(), ..self }
    }

    /// A fleet that consists of one source file.
    #[must_use]
    pub fn of_source(case: &str, text: &str) -> Option<Self> {
        let fleet = Self::drawn(case, "c1", &[])?;
        fleet.repository.write("src/main.rs", text);
        Some(fleet)
    }

    /// What the compiler says, with the drawing's names for its commits.
    ///
    /// # Panics
    /// When cargo does not come as far as the compiler.
    #[must_use]
    pub fn said(&self) -> String {
        self.said_with(&[])
    }

    /// The same, with these variables.
    ///
    /// # Panics
    /// When cargo does not come as far as the compiler.
    #[must_use]
    pub fn said_with(&self, variables: &[(&str, PathBuf)]) -> String {
        let messages = self.check(variables);
        let rendered = messages.iter().filter_map(|message| Some(message["message"]["rendered"].as_str()?.to_owned()));
        let said = rendered.filter(|text| !text.starts_with("error: aborting")).collect::<Vec<_>>().concat();
        self.repository.with_names(&of_the_case(&said))
    }

    /// Whether there is anything to compile.
    ///
    /// # Panics
    /// When cargo does not come as far as the compiler.
    #[must_use]
    pub fn compiles(&self) -> bool {
        let messages = self.check(&[]);
        messages.iter().any(|message| self.is_own(message) && message["fresh"] == false)
    }

    /// The variables that the compiler named as what the build depended on, as `NAME=value`.
    ///
    /// # Panics
    /// When there is no build.
    #[must_use]
    pub fn named(&self) -> Vec<String> {
        let messages = self.check(&[]);
        let mut own = messages.iter().filter(|message| self.is_own(message));
        let file = own.find_map(|message| message["filenames"][0].as_str()).expect("a build");
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let text = files::read_text(stem.replace("/deps/lib", "/deps/") + ".d").expect("what it depended on");
        text.lines().filter_map(|line| Some(line.strip_prefix("# env-dep:")?.to_owned())).collect()
    }

    /// Whether a message of cargo is about what the fleet itself was compiled to.
    fn is_own(&self, message: &serde_json::Value) -> bool {
        message["reason"] == "compiler-artifact" && message["target"]["name"] == self.package.as_str()
    }

    /// The messages of `cargo check`.
    fn check(&self, variables: &[(&str, PathBuf)]) -> Vec<serde_json::Value> {
        let command = cargo().args(["check", "--offline", "--quiet", "--message-format=json"]);
        let command = command.dir(self.repository.top());
        let command = command.env("CARGO_TARGET_DIR", target()).env_remove("RUSTFLAGS");
        let command = variables.iter().fold(command, |command, (name, value)| command.env(name, value));
        let output = command.run().expect("cargo runs");
        let messages: Vec<serde_json::Value> =
            output.text().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let is_said = messages.iter().any(|message| message["message"]["rendered"].is_string());
        assert!(is_said || output.code == 0, "{}", output.error_text());
        messages
    }
}

/// The words without hints at `rustc --explain` and without the place of this workspace.
fn of_the_case(said: &str) -> String {
    let is_hint = |line: &&str| line.starts_with("For more information about") || line.starts_with("Some errors have");
    let lines: Vec<&str> = said.lines().filter(|line| !is_hint(line)).collect();
    let workspace = files::canonical(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).expect("the workspace");
    lines.join("\n").trim_end().replace(&workspace.display().to_string(), "<workspace>")
}

/// Where the crates of Wildebeest are is what fleets of `cargo xtask init` name, and `wb-xtask` is for its features: so most of
/// what is needed is compiled already, and the rest for the tests of the commands, too.
fn manifest(package: &str, workspace: &str) -> String {
    format!(
        "[package]\nname = \"{package}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\nwb-stdlib = {{ path = \"{workspace}/wb-stdlib\" }}\n\
         wb-xtask = {{ path = \"{workspace}/xtask\" }}\n\n\
         [build-dependencies]\nwb-core = {{ path = \"{workspace}/wb-core\", default-features = false }}\n\n{}",
        dev_profile()
    )
}

/// The directory that cargo builds in: this program lies in `<target>/debug/deps`.
fn target() -> PathBuf {
    let exe = environment::current_exe().expect("this program has a file");
    exe.ancestors().nth(3).expect("cargo's target directory").to_owned()
}
