//! The CI files of a new fleet, held against the schemas of those who read them. check-jsonschema has these in it; where
//! it is not installed, only their outline is looked at.

use std::path::{Path, PathBuf};

use wb_core::system::{Command, CommandError, Output, environment, files};

use crate::support::{Scratch, target_dir};

const GITHUB: &str = "vendor.github-workflows";
const GITLAB: &str = "vendor.gitlab-ci";

#[test]
fn each_has_the_parts_that_its_reader_looks_for() {
    let check = |name: &str, above: &[&str], expect: &[&str]| {
        let text = files::read_text(template(name)).unwrap();
        assert_eq!(keys(&text, above), expect, "{name} {above:?}");
    };
    check("ci.yml", &[], &["name", "on", "jobs"]);
    check("ci.yml", &["jobs"], &["check", "test"]);
    for job in ["check", "test"] {
        check("ci.yml", &["jobs", job], &["runs-on", "steps"]);
    }
    check("gitlab-ci.yml", &[], &["workflow", "default", "variables", "check", "test"]);
    check("gitlab-ci.yml", &["check"], &["cache", "script"]);
    check("gitlab-ci.yml", &["test"], &["cache", "before_script", "script", "after_script", "artifacts"]);
}

#[test]
fn each_is_what_its_schema_says_and_what_is_not_is_refused() {
    let scratch = Scratch::new();
    for (schema, name, wrong) in [
        (GITHUB, "ci.yml", "on: push\njobs:\n  check:\n    steps: 1\n"),
        (GITLAB, "gitlab-ci.yml", "check:\n  script: 1\n"),
    ] {
        let file = scratch.path("wrong.yml");
        files::write(&file, wrong, 0o644).unwrap();
        for (file, expect) in [(template(name), true), (file, false)] {
            let Some(said) = held_against(schema, &file) else { return };
            assert_eq!(said.code == 0, expect, "{name}: {}\n{}", said.text(), said.error_text());
        }
    }
}

/// What check-jsonschema says; nothing where there is none. In CI nothing is skipped.
fn held_against(schema: &str, file: &Path) -> Option<Output> {
    // Where CI installs it.
    let installed = target_dir().join("check-jsonschema/bin/check-jsonschema");
    let program = if files::exists(&installed) { installed } else { "check-jsonschema".into() };
    match Command::new(program).args(["--builtin-schema", schema]).arg(file).run() {
        Ok(said) => Some(said),
        Err(CommandError::NotFound { .. }) => {
            assert_ne!(environment::var("CI").as_deref(), Some("true"), "pip install check-jsonschema, in a venv");
            eprintln!("SKIPPED the schemas of CI files: pip install check-jsonschema, in a venv that is in PATH");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// The keys right below a key of a YAML text, whose lines are set in by two spaces for each key above.
fn keys<'a>(text: &'a str, above: &[&str]) -> Vec<&'a str> {
    let (mut at, mut found) = (Vec::<&str>::new(), Vec::new());
    for line in text.lines() {
        let word = line.trim_start();
        let depth = (line.len() - word.len()) / 2;
        let key = word.split_once(':').filter(|_| !word.starts_with(['#', '-']));
        let Some((key, _)) = key else { continue };
        at.truncate(depth);
        if at.as_slice() == above {
            found.push(key);
        }
        at.push(key);
    }
    found
}

fn template(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("templates").join(name)
}
