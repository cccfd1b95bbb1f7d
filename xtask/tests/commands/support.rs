//! A scratch place with nothing of the user's in it: an own home, no git configuration, no ssh agent.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use tempfile::TempDir;
use wb_core::registry::{SigningKey, generate};
use wb_core::system::{Command, Output, environment, files};

/// A temporary directory, and the operator's commands as they run there.
pub(crate) struct Scratch {
    dir: TempDir,
    /// Where the fleet was made that its own one is a copy of.
    made: OnceLock<Arc<TempDir>>,
}

/// A new fleet, which is there for as long as any test has a copy of it: to make one takes longer than to copy it.
static MADE: Mutex<Weak<TempDir>> = Mutex::new(Weak::new());

impl Scratch {
    pub(crate) fn new() -> Self {
        let scratch = Self { dir: tempfile::tempdir().unwrap(), made: OnceLock::new() };
        files::create_dir(scratch.path("home")).unwrap();
        scratch
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The fleet `fleet`, a new one, with the sources under test as its dependencies. Its files are as new as it is: by
    /// their times cargo tells it from others of its name.
    pub(crate) fn fleet(&self) -> PathBuf {
        let (made, fleet) = (self.made.get_or_init(|| self.made()).path().join("fleet"), self.path("fleet"));
        Command::new("cp").arg("-R").args([&made, &fleet]).read().unwrap();
        assert_eq!(self.git(&fleet, &["status", "--porcelain"]), "", "git has seen the new files");
        fleet
    }

    fn made(&self) -> Arc<TempDir> {
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        made.upgrade().unwrap_or_else(|| {
            let dir = Arc::new(tempfile::tempdir().unwrap());
            let output = self.xtask(dir.path(), &["init", "fleet", "--path-dependencies"]);
            assert_eq!(output.code, 0, "{}", output.error_text());
            *made = Arc::downgrade(&dir);
            dir
        })
    }

    /// Runs the operator's command line in `dir`.
    pub(crate) fn xtask(&self, dir: &Path, args: &[&str]) -> Output {
        self.hermetic(env!("CARGO_BIN_EXE_xtask"), dir).args(args).run().unwrap()
    }

    /// Runs git in `dir`, and expects it to succeed.
    pub(crate) fn git(&self, dir: &Path, args: &[&str]) -> String {
        self.identified(dir).args(args).read().unwrap()
    }

    /// Runs git in `dir`, which may stop for a conflict.
    pub(crate) fn git_may_stop(&self, dir: &Path, args: &[&str]) -> Output {
        self.identified(dir).args(args).run().unwrap()
    }

    fn identified(&self, dir: &Path) -> Command {
        let identity = ["-c", "user.name=Test", "-c", "user.email=test@localhost", "-c", "core.editor=true"];
        self.hermetic("git", dir).args(identity)
    }

    /// Runs cargo in `dir`, without a network. What is compiled of a fleet is best named by its target: where it is named by its
    /// package, all that the fleet's crates share is compiled once more, with features for that one alone.
    pub(crate) fn cargo(&self, dir: &Path, args: &[&str]) -> Output {
        self.hermetic("cargo", dir).args(args).arg("--offline").run().unwrap()
    }

    /// A program that cargo built.
    pub(crate) fn built(&self, name: &str) -> PathBuf {
        target_dir().join("debug").join(name)
    }

    /// A key whose changes the fleet's hosts would take.
    pub(crate) fn allowed_key(&self, fleet: &Path) -> SigningKey {
        let key = generate(&self.path("key"), "test").unwrap();
        let public = files::read_text(self.path("key.pub")).unwrap();
        let line = format!("ana@localhost namespaces=\"git\" {public}");
        files::write(fleet.join("migrations/allowed_signers"), line, 0o644).unwrap();
        key
    }

    /// Runs a program in `dir` that sees nothing of the user's.
    pub(crate) fn hermetic(&self, program: &str, dir: &Path) -> Command {
        let home = environment::var("HOME").unwrap_or_default();
        let tools = |name: &str, dir: &str| environment::var(name).unwrap_or_else(|| format!("{home}/{dir}"));
        let command = Command::new(program)
            .dir(dir)
            .env_clear()
            .env("PATH", search_path())
            .env("HOME", self.path("home"))
            .env("CARGO_HOME", tools("CARGO_HOME", ".cargo"))
            .env("RUSTUP_HOME", tools("RUSTUP_HOME", ".rustup"))
            .env("CARGO_TARGET_DIR", target_dir())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_AUTHOR_DATE", "2001-09-09T02:00:00Z");
        // Which toolchain it is, and what all tests compile with: they share what is compiled.
        let kept = ["RUSTUP_TOOLCHAIN", "CARGO_INCREMENTAL", "CARGO_PROFILE_DEV_DEBUG"].into_iter();
        let kept = kept.filter_map(|name| Some((name, environment::var(name)?)));
        kept.fold(command, |command, (name, value)| command.env(name, value))
    }
}

/// Both streams and the exit code, with what differs from run to run replaced.
pub(crate) fn said(scratch: &Scratch, output: &Output) -> String {
    let text = format!("{}{}exit code {}", end(&output.text()), end(&output.error_text()), output.code);
    let text = text.replace(&scratch.dir.path().display().to_string(), "SCRATCH");
    text.split_inclusive(|c: char| !c.is_ascii_hexdigit()).map(masked).collect()
}

/// Where programs are looked for.
pub(crate) fn search_path() -> String {
    environment::var("PATH").unwrap_or_default()
}

fn end(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{text}\n") }
}

/// Sha1s, short or long, stand in parentheses, in columns or in quotes.
fn masked(word: &str) -> String {
    let digits = word.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
    let is_sha1 = matches!(digits.len(), 7 | 40) && digits != "ed25519";
    if is_sha1 { word.replace(digits, &"0".repeat(digits.len())) } else { word.to_owned() }
}

/// Where the program under test was built: what it shares with a fleet is compiled already.
pub(crate) fn target_dir() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_xtask"));
    program.parent().and_then(Path::parent).unwrap_or(program).to_owned()
}
