//! Sandboxes in a container: what is asked of podman and docker, by a stand-in that writes it down.

use std::path::{Path, PathBuf};

use wb_core::system::{Output, files};

use crate::support::{Scratch, search_path};

/// It has no image, and a container where somebody says so. What is run in that ends with 7.
const STAND_IN: &str = r#"#!/bin/sh
echo "$1 $2" >>"$NOTES/asked"
case $1 in
ps) [ ! -e "$NOTES/silent" ] || { echo "no daemon" >&2; exit 125; } ;;
container) [ -e "$NOTES/up" ] && echo true ;;
image) exit 1 ;;
build) cat >"$NOTES/recipe" ;;
run) printf '%s\n' "$@" >"$NOTES/run" ;;
exec) printf '%s\n' "$@" >"$NOTES/exec"; exit 7 ;;
esac
"#;

struct Stage {
    scratch: Scratch,
    fleet: PathBuf,
    notes: PathBuf,
}

impl Stage {
    fn new() -> Self {
        let scratch = Scratch::new();
        let (fleet, notes) = (scratch.fleet(), scratch.path("notes"));
        for dir in [&notes, &scratch.path("bin")] {
            files::create_dir(dir).unwrap();
        }
        for program in ["podman", "docker"] {
            files::write(scratch.path("bin").join(program), STAND_IN, 0o755).unwrap();
        }
        Self { scratch, fleet, notes }
    }

    fn run(&self, args: &[&str], inside: bool) -> Output {
        drop(files::remove(self.notes.join("asked")));
        let path = format!("{}:{}", self.scratch.path("bin").display(), search_path());
        let command = self.scratch.hermetic(env!("CARGO_BIN_EXE_xtask"), &self.fleet).args(args);
        let command = command.env("PATH", path).env("NOTES", &self.notes);
        let command = if inside { command.env("WILDEBEEST_CONTAINER", "docker") } else { command };
        command.run().unwrap()
    }

    /// What was asked, in order.
    fn asked(&self) -> Vec<String> {
        lines(&self.notes.join("asked"))
    }
}

fn lines(path: &Path) -> Vec<String> {
    let text = files::read_optional(path).unwrap().unwrap_or_default();
    String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_same_command_runs_in_a_container_that_is_made_for_it() {
    let stage = Stage::new();
    let output = stage.run(&["sandbox", "list", "--layers", "--engine", "docker"], false);
    assert_eq!(output.code, 7, "{output:?}");
    assert!(output.error_text().contains("building an image of docker.io/library/debian:12-slim"), "{output:?}");
    let expect = [
        "ps --quiet",
        "container inspect",
        "image inspect",
        "build --tag",
        "container rm",
        "run --detach",
        "exec --interactive",
    ];
    assert_eq!(stage.asked(), expect);
    assert!(lines(&stage.notes.join("recipe"))[0].starts_with("FROM docker.io/"));
    let (run, exec) = (lines(&stage.notes.join("run")), lines(&stage.notes.join("exec")));
    let fleet = files::canonical(&stage.fleet).unwrap().display().to_string();
    assert!(run.contains(&"--privileged".to_owned()) && run.contains(&format!("{fleet}:{fleet}")), "{run:?}");
    assert!(exec.ends_with(&["begin", "sandbox", "list", "--layers", "--engine", "docker"].map(str::to_owned)));
}

#[test]
fn who_only_looks_makes_no_container() {
    let stage = Stage::new();
    let check = |args: &[&str], code, said: &str| {
        let output = stage.run(&[args, &["--engine", "podman"]].concat(), false);
        assert_eq!((output.code, output.text().as_str()), (code, said), "{output:?}");
        assert_eq!(stage.asked(), ["ps --quiet", "container inspect"]);
    };
    check(&["sandbox", "list"], 0, "There is no sandbox on this machine.");
    check(&["sandbox", "clean"], 0, "Nothing was left.");
    check(&["sandbox", "enter", "web1"], 2, "");
    files::write(stage.notes.join("up"), "", 0o644).unwrap();
    for args in [&["sandbox", "list"][..], &["sandbox", "clean"], &["sandbox", "enter", "web1"]] {
        let output = stage.run(&[args, &["--engine", "podman"]].concat(), false);
        assert_eq!(output.code, 7, "{output:?}");
        assert_eq!(stage.asked(), ["ps --quiet", "container inspect", "exec --interactive"]);
    }
}

#[test]
fn an_engine_that_does_not_answer_is_told_and_one_around_it_is_not_asked() {
    let stage = Stage::new();
    stage.run(&["sandbox", "list", "--engine", "docker"], true);
    assert_eq!(stage.asked(), [""; 0]);
    files::write(stage.notes.join("silent"), "", 0o644).unwrap();
    let output = stage.run(&["test", "--engine", "docker"], false);
    assert_eq!((output.code, output.text().as_str()), (3, ""));
    let said = output.error_text();
    assert!(said.starts_with("error: docker can't be used here\n") && said.contains("no daemon"), "{said}");
}
