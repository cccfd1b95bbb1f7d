//! A rebuild after one more migration, against that of a crate with the same functions and no macros.

use std::path::{Path, PathBuf};

use serde::Serialize;
use wb_core::system::files;

use super::{BenchError, MIGRATION, ROLES, chain_file, median, mod_lines, source, timed};
use crate::fleet::cargo;
use crate::git::{WorkTree, git};
use crate::scaffold::{dev_profile, sources};
use crate::shell::Shell;

/// What was measured of the two crates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rebuild {
    /// How many migrations, and how many functions, the crates had at first.
    pub migrations: usize,
    /// `cargo build` after one migration was added and committed.
    pub chain_seconds: f64,
    /// `cargo build` after one function was added.
    pub plain_seconds: f64,
}

pub(super) fn measure(
    scratch: &Path,
    migrations: usize,
    rounds: usize,
    target_dir: &Path,
    shell: &Shell,
) -> Result<Rebuild, BenchError> {
    let progress = shell.begin_steps(format!("two crates of {migrations} migrations"), rounds as u64);
    let mut crates = [Crate::make(scratch, target_dir, Kind::Chain)?, Crate::make(scratch, target_dir, Kind::Plain)?];
    for made in &mut crates {
        made.grow(migrations)?;
        made.build()?;
    }
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        for (made, times) in crates.iter_mut().zip(&mut times) {
            made.grow(made.functions + 1)?;
            times.push(timed(|| made.build())?);
        }
        progress.reached(round as u64 + 1);
    }
    let [chain_seconds, plain_seconds] = times.map(median);
    Ok(Rebuild { migrations, chain_seconds, plain_seconds })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Chain,
    /// The functions stand in a list that somebody wrote.
    Plain,
}

struct Crate {
    dir: PathBuf,
    target_dir: PathBuf,
    kind: Kind,
    functions: usize,
}

impl Crate {
    fn make(scratch: &Path, target_dir: &Path, kind: Kind) -> Result<Self, BenchError> {
        let name = if kind == Kind::Chain { "bench-chain" } else { "bench-plain" };
        let made = Self { dir: scratch.join(name), target_dir: target_dir.to_owned(), kind, functions: 0 };
        files::create_dir(made.dir.join("src/chain"))?;
        made.write("Cargo.toml", &manifest(name, kind, &sources()))?;
        if let Some(lock) = files::read_optional(sources().join("Cargo.lock"))? {
            files::write(made.dir.join("Cargo.lock"), lock, 0o644)?;
        }
        made.write("src/roles.rs", ROLES)?;
        match kind {
            Kind::Chain => {
                made.write("build.rs", "fn main() {\n    wb_core::registry::track();\n}\n")?;
                made.write("src/main.rs", "mod chain;\nmod roles;\n\nwb_stdlib::runner!();\n")?;
            }
            Kind::Plain => made.write("src/main.rs", PLAIN_MAIN)?,
        }
        WorkTree::create(&made.dir).map_err(|error| made.wrong(&error))?;
        Ok(made)
    }

    fn write(&self, file: &str, text: &str) -> Result<(), BenchError> {
        Ok(files::write(self.dir.join(file), text, 0o644)?)
    }

    /// Adds functions until there are so many; in the crate with a chain each by a commit.
    fn grow(&mut self, functions: usize) -> Result<(), BenchError> {
        let added = self.functions..functions;
        let new = added.map(|number| (format!("src/chain/m{number:05}.rs"), source(number, self.kind.attribute())));
        let new: Vec<(String, String)> = new.collect();
        if self.kind == Kind::Chain {
            let import = git(&self.dir).args(["fast-import", "--quiet"]).stdin(stream(&new, self.functions > 0));
            import.read().map_err(|source| BenchError::Command { action: "commit migrations", source })?;
        }
        new.iter().try_for_each(|(file, text)| self.write(file, text))?;
        self.functions = functions;
        self.write("src/chain.rs", &self.kind.chain_file(functions))
    }

    fn build(&self) -> Result<(), BenchError> {
        let build = cargo().dir(&self.dir).args(["build", "--quiet", "--offline"]);
        let build = build.env("CARGO_TARGET_DIR", &self.target_dir).env_remove("RUSTFLAGS");
        build.read().map(drop).map_err(|source| BenchError::Command { action: "build a crate", source })
    }

    fn wrong(&self, what: &impl std::fmt::Display) -> BenchError {
        BenchError::Wrong { dir: self.dir.clone(), what: what.to_string() }
    }
}

impl Kind {
    fn attribute(self) -> &'static str {
        match self {
            Self::Chain => MIGRATION,
            Self::Plain => "pub(crate) ",
        }
    }

    fn chain_file(self, functions: usize) -> String {
        match self {
            Self::Chain => chain_file(functions),
            Self::Plain => {
                let list: String = (0..functions).map(|number| format!("    m{number:05}::m{number:05},\n")).collect();
                mod_lines(functions)
                    + "\nuse wb_stdlib::prelude::*;\n\npub(crate) static ALL: &[fn(&Host) -> Result<()>] = &[\n"
                    + &list
                    + "];\n"
            }
        }
    }
}

const PLAIN_MAIN: &str = "mod chain;\nmod roles;\n\nfn main() -> std::process::ExitCode {\n    \
                          std::hint::black_box(chain::ALL);\n    wb_stdlib::__private::main()\n}\n";

fn manifest(name: &str, kind: Kind, wildebeest: &Path) -> String {
    let wildebeest = wildebeest.display();
    let build = match kind {
        Kind::Chain => format!(
            "\n[build-dependencies]\nwb-core = {{ path = \"{wildebeest}/wb-core\", default-features = false }}\n"
        ),
        Kind::Plain => String::new(),
    };
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         wb-stdlib = {{ path = \"{wildebeest}/wb-stdlib\" }}\n{build}\n{}",
        dev_profile()
    )
}

fn stream(files: &[(String, String)], is_continued: bool) -> String {
    let mut stream = String::new();
    for (number, (file, text)) in files.iter().enumerate() {
        stream += "commit refs/heads/main\ncommitter B <b@example.org> 1000000000 +0000\ndata 2\nc\n";
        if number == 0 && is_continued {
            stream += "from refs/heads/main^0\n";
        }
        stream += &format!("M 100644 inline {file}\ndata {}\n{text}\n", text.len());
    }
    stream
}
