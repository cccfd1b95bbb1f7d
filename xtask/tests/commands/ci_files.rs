//! The CI files of a new fleet, held against the schemas of those who read them. check-jsonschema has these in it.

use std::path::{Path, PathBuf};

use wb_core::system::{Command, CommandError, Output, environment, files};

use crate::support::Scratch;

const GITHUB: &str = "vendor.github-workflows";
const GITLAB: &str = "vendor.gitlab-ci";

#[test]
fn the_workflow_of_github_is_one() {
    check(GITHUB, &template("ci.yml"), true);
}

#[test]
fn the_pipeline_of_gitlab_is_one() {
    check(GITLAB, &template("gitlab-ci.yml"), true);
}

#[test]
fn what_is_none_is_refused() {
    let scratch = Scratch::new();
    for (schema, text) in [(GITHUB, "on: push\njobs:\n  check:\n    steps: 1\n"), (GITLAB, "check:\n  script: 1\n")] {
        let file = scratch.path("wrong.yml");
        files::write(&file, text, 0o644).unwrap();
        check(schema, &file, false);
    }
}

fn check(schema: &str, file: &Path, expect: bool) {
    let Some(said) = held_against(schema, file) else { return };
    assert_eq!(said.code == 0, expect, "{}\n{}", said.text(), said.error_text());
}

/// What check-jsonschema says; nothing where there is none. In CI nothing is skipped.
fn held_against(schema: &str, file: &Path) -> Option<Output> {
    match Command::new("check-jsonschema").args(["--builtin-schema", schema]).arg(file).run() {
        Ok(said) => Some(said),
        Err(CommandError::NotFound { .. }) => {
            assert_ne!(environment::var("CI").as_deref(), Some("true"), "pip install check-jsonschema, in a venv");
            eprintln!("SKIPPED {schema}: pip install check-jsonschema, in a venv that is in PATH");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn template(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("templates").join(name)
}
