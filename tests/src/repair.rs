//! Doing what the help of a mistake says, word for word.
//!
//! Commands stand in backquotes. Where a rebase stops, the commands up to its `--continue` or `--skip` are run again until
//! it ends. Where a help knows several ways, the first one is gone, or another by the command that it is known by.

use std::path::{Path, PathBuf};

use wb_core::system::{Command, environment, files};

use crate::drawing::{Repository, hermetic};

/// The commands that a help names, in their order.
#[must_use]
pub fn commands(help: &str) -> Vec<String> {
    let quoted = help.split('`').skip(1).step_by(2);
    let is_command = |text: &&str| ["git ", "cargo xtask ", "rm "].iter().any(|program| text.starts_with(program));
    quoted.filter(is_command).map(str::to_owned).collect()
}

/// The ways that a help knows, the first one first.
fn ways(help: &str) -> Vec<&str> {
    let ends = ["; if ", "; or, ", "; else ", "; to keep "];
    let mut starts: Vec<usize> = ends.iter().flat_map(|end| help.match_indices(end)).map(|(start, _)| start).collect();
    starts.extend([0, help.len()]);
    starts.sort_unstable();
    starts.windows(2).map(|pair| &help[pair[0]..pair[1]]).collect()
}

/// Runs the commands of the first way that a help knows.
///
/// # Panics
/// When a rebase does not end.
pub fn follow(repository: &Repository, help: &str) {
    go(repository, &commands(ways(help)[0]));
}

/// Runs the commands of that way after the first which has a command that begins so. What asks is answered with yes.
///
/// # Panics
/// When the help knows no such way.
pub fn follow_way(repository: &Repository, help: &str, command: &str) {
    let found = ways(help).into_iter().skip(1).map(commands).find(|way| way.iter().any(|one| one.starts_with(command)));
    let way = found.unwrap_or_else(|| panic!("no way with `{command}`: {help}"));
    let sure = |line: &String| if line.ends_with("--imported") { format!("{line} --yes") } else { line.clone() };
    go(repository, &way.iter().map(sure).collect::<Vec<_>>());
}

fn go(repository: &Repository, commands: &[String]) {
    let mut rest = commands;
    while let Some((command, after)) = rest.split_first() {
        run(repository, command);
        let end = after.iter().position(|command| command.ends_with(" --continue") || command.ends_with(" --skip"));
        rest = match end.filter(|_| command.starts_with("git rebase ")) {
            Some(end) => {
                while_stopped(repository, &after[..=end]);
                &after[end + 1..]
            }
            None => after,
        };
    }
}

fn while_stopped(repository: &Repository, commands: &[String]) {
    let is_stopped = || files::exists(repository.top().join(".git/rebase-merge"));
    for _ in 0..9 {
        if !is_stopped() {
            return;
        }
        for command in commands {
            run(repository, command);
        }
    }
    assert!(!is_stopped(), "{}", repository.git(&["status"]));
}

/// Runs a command in the crate, and gives its exit code. Of an interactive rebase the first commit is edited.
pub fn run(repository: &Repository, command: &str) -> i32 {
    run_with(repository, command, "edit")
}

/// As [`run`], with another word before the first commit of an interactive rebase.
///
/// # Panics
/// When the command can't be started.
pub fn run_with(repository: &Repository, command: &str, word: &str) -> i32 {
    make_fleet(repository);
    make_remote(repository);
    let line = command.replace("cargo xtask", &operator().display().to_string());
    let home = environment::var("HOME").unwrap_or_default();
    let tools = |name: &str, dir: &str| environment::var(name).unwrap_or_else(|| format!("{home}/{dir}"));
    let shell = hermetic(Command::shell(line), &repository.crate_dir());
    let shell =
        shell.env("CARGO_HOME", tools("CARGO_HOME", ".cargo")).env("RUSTUP_HOME", tools("RUSTUP_HOME", ".rustup"));
    let shell = shell.env("GIT_EDITOR", "true").env("GIT_SEQUENCE_EDITOR", format!("sed -i '1s/^pick/{word}/'"));
    let output = shell.run().expect("a shell runs");
    eprintln!("$ {command}\n{}{}", output.text(), output.error_text());
    output.code
}

/// A remote through which nothing was deployed.
fn make_remote(repository: &Repository) {
    let remote = repository.git(&["rev-parse", "--path-format=absolute", "--git-path", "herd.git"]);
    if !files::exists(remote.trim()) {
        repository.git(&["init", "--quiet", "--bare", remote.trim()]);
        repository.git(&["remote", "add", "origin", remote.trim()]);
    }
}

/// What the operator's commands know a fleet by. Git does not see these files.
fn make_fleet(repository: &Repository) {
    let crate_dir = repository.crate_dir();
    if files::exists(crate_dir.join("herd.toml")) {
        return;
    }
    repository.write("Cargo.toml", "[package]\nname = \"drawn\"\nedition = \"2024\"\n\n[workspace]\n");
    repository.write("herd.toml", "");
    repository.write("src/main.rs", "fn main() {}\n");
    let exclude = repository.top().join(".git/info/exclude");
    files::write(exclude, "Cargo.toml\nCargo.lock\nherd.toml\nmain.rs\n", 0o644).expect("a file");
}

/// The operator's commands: this program lies in `<target>/debug/deps`.
fn operator() -> PathBuf {
    let exe = environment::current_exe().expect("this program has a file");
    exe.ancestors().nth(2).unwrap_or(Path::new("")).join("wb-operator")
}
