//! The runner of a herd that is measured, built as a deploy builds one: of a fleet with a role and links that write a
//! file each.

use std::path::Path;

use wb_core::system::files;

use super::super::BenchError;
use super::hosts::PLACE;
use crate::build::{self, Built};
use crate::scaffold::{Dependencies, LinkSource, Scaffold};
use crate::shell::Shell;

/// Builds it in `dir`, with what cargo needs besides it in `target_dir`, where it stays for the next time.
pub(super) fn build(dir: &Path, target_dir: &Path, links: usize, shell: &Shell) -> Result<Built, BenchError> {
    let fleet = Scaffold {
        roles: super::super::ROLES.to_owned(),
        tests: String::new(),
        links: (0..links).map(link).collect(),
        ..Scaffold::new(dir, Dependencies::Paths)
    };
    let fleet = fleet.create(&Shell::captured().0).map_err(BenchError::Fleet)?;
    let config = dir.join(".cargo/config.toml");
    let text = files::read_text(&config)? + &format!("\n[build]\ntarget-dir = \"{}\"\n", target_dir.display());
    files::write(&config, text, 0o644)?;
    build::runner(&fleet, shell).map_err(BenchError::Build)
}

fn link(number: usize) -> LinkSource {
    let name = format!("page{number}");
    let source = format!(
        "use wb_stdlib::prelude::*;\n\n/// Writes page {number}.\n#[migration(role = \"web\")]\n\
         fn {name}(host: &Host) -> Result<()> {{\n    let place = std::env::var(\"{PLACE}\")?;\n    \
         host.file(format!(\"{{place}}/{name}\")).content(\"page {number}\\n\").present()?;\n    Ok(())\n}}\n"
    );
    LinkSource { name, source, files: Vec::new() }
}
