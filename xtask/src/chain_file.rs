//! `src/chain.rs` and the files of the migrations beside it, as an operator's tool changes them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wb_core::chain::Mistake;
use wb_core::registry::{Resolved, resolve};
use wb_core::system::files::{self, FileError};

use crate::rechain::order::module;

/// Why a migration was not added.
#[derive(Debug, thiserror::Error)]
pub enum ChainFileError {
    /// No migration can have that name.
    #[error("`{name}` is no name for a migration: {why}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is or was such a migration.
    #[error("the name `{name}` is taken: a name is never used twice")]
    Taken {
        /// The name.
        name: String,
    },
    /// No such role.
    #[error("there is no role `{role}`; the roles of src/roles.rs are {}", quoted(known))]
    UnknownRole {
        /// The role.
        role: String,
        /// The roles that there are.
        known: BTreeSet<String>,
    },
    /// There is a migration that is not committed yet, and a chain has one at most.
    #[error("the migration `{draft}` is not committed yet: one draft at a time")]
    Draft {
        /// Its name.
        draft: String,
    },
    /// The chain has mistakes, so nothing can be pinned.
    #[error("the chain has mistakes")]
    Mistakes(Vec<Mistake>),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Adds the migration `name` for `role` to the crate in `crate_dir`: its file, its `mod` line, and the pins of the links
/// before it. A role of nobody is not looked at.
///
/// # Errors
/// When the name is none or taken, there is no such role, the chain has mistakes or a draft, or a file can't be written.
pub fn add(crate_dir: &Path, name: &str, role: Option<&str>, source: &str) -> Result<PathBuf, ChainFileError> {
    check_name(name)?;
    let resolved = resolve(crate_dir)?;
    check_fits(&resolved, name, role)?;
    let path = crate_dir.join("src/chain").join(name).with_extension("rs");
    let order = crate_dir.join("src/chain.rs");
    files::create_dir(crate_dir.join("src/chain"))?;
    files::write(&path, source, 0o644)?;
    files::write(&order, with_module(&files::read_text(&order)?, name), 0o644)?;
    files::write(crate_dir.join("chain.lock"), resolved.lock.pinning(&resolved.links).to_string(), 0o644)?;
    Ok(path)
}

/// Whether a migration of this name and role could be added.
///
/// # Errors
/// When the name is taken, there is no such role, or the chain has mistakes or a draft.
pub fn check_fits(resolved: &Resolved, name: &str, role: Option<&str>) -> Result<(), ChainFileError> {
    let known = resolved.written.roles.clone().unwrap_or_default();
    if let Some(role) = role.filter(|role| !known.contains(*role)) {
        return Err(ChainFileError::UnknownRole { role: role.to_owned(), known });
    }
    let written = &resolved.written;
    if written.files.contains_key(name)
        || written.mods.iter().any(|m| m == name)
        || resolved.lock.by_name().contains_key(name)
    {
        return Err(ChainFileError::Taken { name: name.to_owned() });
    }
    if !resolved.mistakes.is_empty() {
        return Err(ChainFileError::Mistakes(resolved.mistakes.clone()));
    }
    match resolved.links.last().filter(|link| link.is_draft()) {
        Some(draft) => Err(ChainFileError::Draft { draft: draft.name.clone() }),
        None => Ok(()),
    }
}

/// Whether a migration can be called `name`: it names a function, a file and a module.
///
/// # Errors
/// When it can't, with the reason.
pub fn check_name(name: &str) -> Result<(), ChainFileError> {
    let no = |why| Err(ChainFileError::Name { name: name.to_owned(), why });
    match name {
        "" => no("it is empty"),
        _ if name.len() > 63 => no("it is longer than 63 letters"),
        _ if !name.starts_with(|c: char| c.is_ascii_lowercase()) => no("it does not start with a small letter"),
        _ if !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') => {
            no("use small letters, digits and `_`, as in `install_nginx`")
        }
        _ if KEYWORDS.contains(&name) => no("Rust keeps that word for itself"),
        "chain" | "wb_stdlib" => no("the module would hide another one of that name"),
        _ => Ok(()),
    }
}

/// The name that is meant by one that is none, where its words make one: `install_nginx` by `install-nginx`.
#[must_use]
pub fn mended_name(name: &str) -> Option<String> {
    if !name.is_ascii() {
        return None;
    }
    let mut spaced = String::new();
    for (letter, before) in name.chars().zip(std::iter::once(' ').chain(name.chars())) {
        let is_hump = letter.is_ascii_uppercase() && before.is_ascii_lowercase();
        spaced.extend(is_hump.then_some(' '));
        spaced.push(if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { ' ' });
    }
    let mended = spaced.split_whitespace().collect::<Vec<_>>().join("_");
    (mended != name && check_name(&mended).is_ok()).then_some(mended)
}

const KEYWORDS: [&str; 51] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

fn quoted(names: &BTreeSet<String>) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// `text`, that of `src/chain.rs`, with one more `mod` line: after the last one, or else before the first line that calls
/// a macro, or at the end. All other lines stay as they are, and the new one ends as the first of them does.
pub fn with_module(text: &str, name: &str) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let end = if lines.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };
    let last = lines.iter().rposition(|line| module(line).is_some());
    let call = lines.iter().position(|line| line.contains("chain!"));
    let (at, gap) = match (last, call) {
        (Some(last), _) => (last + 1, ""),
        (None, Some(call)) => (call, end),
        (None, None) => (lines.len(), ""),
    };
    let (before, after) = (lines[..at].concat(), lines[at..].concat());
    let open = if before.is_empty() || before.ends_with('\n') { "" } else { end };
    format!("{before}{open}mod {name};{end}{gap}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_goes_after_the_last_one() {
        let check = |text: &str, expect: &str| assert_eq!(with_module(text, "new"), expect);
        check("mod a;\nmod b;\n\nchain!();\n", "mod a;\nmod b;\nmod new;\n\nchain!();\n");
        check("//! Order.\n\nwb_stdlib::chain!();\n", "//! Order.\n\nmod new;\n\nwb_stdlib::chain!();\n");
        check("", "mod new;\n");
        check("mod a;", "mod a;\nmod new;\n");
        check("mod a;\r\n\r\nchain!();\r\n", "mod a;\r\nmod new;\r\n\r\nchain!();\r\n");
        check("//! Order.\r\n\r\nchain!();", "//! Order.\r\n\r\nmod new;\r\n\r\nchain!();");
    }

    #[test]
    fn a_name_is_one_that_rust_takes() {
        let check = |name: &str, expect: &str| {
            let said = check_name(name).map_or_else(|error| error.to_string(), |()| "fine".into());
            assert_eq!(said, expect);
        };
        check("install_nginx", "fine");
        check("v2", "fine");
        check("", "`` is no name for a migration: it is empty");
        check("2nd", "`2nd` is no name for a migration: it does not start with a small letter");
        check("loop", "`loop` is no name for a migration: Rust keeps that word for itself");
        let characters = "use small letters, digits and `_`, as in `install_nginx`";
        check("install-nginx", &format!("`install-nginx` is no name for a migration: {characters}"));
        check("a/../b", &format!("`a/../b` is no name for a migration: {characters}"));
    }

    #[test]
    fn words_that_are_no_name_make_one() {
        let check = |name: &str, expect: Option<&str>| assert_eq!(mended_name(name).as_deref(), expect, "{name}");
        check("install-nginx", Some("install_nginx"));
        check("Install nginx", Some("install_nginx"));
        check("installNginx", Some("install_nginx"));
        check("add_HTTP2", Some("add_http2"));
        check("/etc/motd", Some("etc_motd"));
        check("2nd", None);
        check("loop", None);
        check("-", None);
        check("größe", None);
    }
}
