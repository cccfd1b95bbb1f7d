//! The book, played through: what it tells readers to run runs, and says what the book says.

use std::path::{Path, PathBuf};

use wb_core::system::{Command, files};
use wb_xtask::book::Book;

use crate::page::{Page, Step, is_said};
use crate::support::{Scratch, said};

#[test]
fn the_tutorial() {
    let reader = Reader::new("tutorial.md");
    reader.play("the opening", &reader.page.opening);
    reader.page.sections.iter().for_each(|section| reader.play(&section.title, &section.steps));
}

#[test]
fn the_cookbook() {
    let reader = Reader::new("cookbook.md");
    reader.play("the opening", &reader.page.opening);
    let kept = reader.keep();
    for section in reader.page.sections.iter().filter(|section| !section.steps.is_empty()) {
        reader.restore(&kept);
        reader.play(&section.title, &section.steps);
    }
}

#[test]
fn what_is_not_run_needs_a_host() {
    for name in ["tutorial.md", "cookbook.md"] {
        let text = files::read_text(docs().join("src").join(name)).unwrap();
        let kinds = text.lines().filter_map(|line| line.strip_prefix("```sh"));
        let other: Vec<&str> = kinds.filter(|kind| !matches!(*kind, ",run" | ",run,fails" | ",host")).collect();
        assert_eq!(other, [""; 0], "{name}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let book = Book { dir: docs(), target: PathBuf::new() };
    assert_eq!(book.follow_links().map_err(|error| error.to_string()), Ok(()));
}

#[test]
fn the_phases_are_those_of_the_code() {
    let book = Book { dir: docs(), target: PathBuf::new() };
    let stale = book.compare().map_err(|error| format!("{error}; hint: cargo xtask book --generate"));
    assert_eq!(stale, Ok(()));
}

#[test]
fn every_chapter_is_in_the_summary() {
    let summary = files::read_text(docs().join("src/SUMMARY.md")).unwrap();
    for page in files::list(docs().join("src")).unwrap() {
        let name = page.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name == "SUMMARY.md" || summary.contains(&format!("({name})")), "{name} is in no chapter");
    }
}

#[test]
fn a_fleet_has_no_book() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["book"])), @"
    error: there is no docs/book.toml in SCRATCH/fleet: the book is part of Wildebeest's own repository
    hint: git clone https://github.com/wildebeest/wildebeest && cd wildebeest && cargo xtask book
    exit code 3
    ");
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// Somebody who does what a page says, in a home of their own.
struct Reader {
    page: Page,
    name: &'static str,
    scratch: Scratch,
}

/// `cargo`, with the program under test as `cargo xtask`; a fleet that it makes uses the sources under test.
const CARGO: &str = r#"#!/bin/sh
case "$1 $2" in
    "xtask init") shift 2; exec "$XTASK" init --path-dependencies "$@" ;;
    "xtask "*) shift; exec "$XTASK" "$@" ;;
    *) PATH=${PATH#*:} exec cargo "$@" ;;
esac
"#;

impl Reader {
    fn new(name: &'static str) -> Self {
        let scratch = Scratch::new();
        files::create_dir(scratch.path("bin")).unwrap();
        files::write(scratch.path("bin/cargo"), CARGO, 0o755).unwrap();
        files::create_dir(scratch.path("home/wildebeest")).unwrap();
        let page = Page::parse(&files::read_text(docs().join("src").join(name)).unwrap());
        let reader = Self { page, name, scratch };
        reader.stand_in(&reader.scratch.path("home/wildebeest"));
        reader
    }

    fn play(&self, title: &str, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Write { path, text } => files::write(self.place().join(path), text, 0o644).unwrap(),
                Step::Run { line, script, fails, says } => {
                    let place = format!("docs/src/{}:{line}, in {title}", self.name);
                    self.run(script, *fails, says.as_deref(), &place);
                }
            }
        }
    }

    fn run(&self, script: &str, fails: bool, says: Option<&str>, place: &str) {
        let output = self.shell(script).run().unwrap();
        let text = output.text().replace(&self.scratch.path("home").display().to_string(), "/home/ana");
        assert_eq!(output.code != 0, fails, "{place}: exit code {}\n{text}", output.code);
        if let Some(says) = says {
            assert!(is_said(says, &text), "{place}: the book has\n\n{says}\nand it says\n\n{text}\n");
        }
    }

    /// Each script goes on where the one before it ended.
    fn shell(&self, script: &str) -> Command {
        let script = format!("exec 2>&1\nset -eu\ntrap 'pwd >\"$PLACE\"' EXIT\n{script}");
        let command = self.scratch.hermetic("sh", &self.place()).args(["-c", &script]);
        let who = ["AUTHOR", "COMMITTER"].into_iter().fold(command, |command, who| {
            let email = format!("GIT_{who}_EMAIL");
            command.env(format!("GIT_{who}_NAME"), "Ana").env(email, "ana@example.org")
        });
        let path = format!("{}:{}", self.scratch.path("bin").display(), crate::support::search_path());
        who.env("PATH", path)
            .env("XTASK", env!("CARGO_BIN_EXE_xtask"))
            .env("PLACE", self.scratch.path("place"))
            .env("CARGO_NET_OFFLINE", "true")
            .env("GIT_EDITOR", "true")
    }

    fn place(&self) -> PathBuf {
        files::read_text(self.scratch.path("place")).unwrap().trim_end().into()
    }

    fn stand_in(&self, dir: &Path) {
        files::write(self.scratch.path("place"), dir.display().to_string(), 0o644).unwrap();
    }

    /// Keeps the home as it is now; gives back where the reader stands.
    fn keep(&self) -> PathBuf {
        self.copy("home", "kept");
        self.place()
    }

    fn restore(&self, place: &Path) {
        files::remove_tree(self.scratch.path("home")).unwrap();
        self.copy("kept", "home");
        self.stand_in(place);
    }

    fn copy(&self, from: &str, to: &str) {
        let (from, to) = (self.scratch.path(from), self.scratch.path(to));
        Command::new("cp").arg("-a").arg(from).arg(to).read().unwrap();
    }
}
