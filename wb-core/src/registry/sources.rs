//! The source files of a crate, read and parsed.
//!
//! To parse is dear. What a file of `src/chain` says is kept by the digest of its bytes, so that a build parses only
//! what changed since the last one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::parsed::{Parsed, ParsedFiles};
use super::repository::Repository;
use crate::chain::source::{assets, is_asset, migrations, mod_attributes, mod_lines, outside, roles, waits_inside};
use crate::chain::{
    CONFLICT, Content, Digest, Inside, Lock, LockError, Sha1, Source, Unreadable, Written, code_digest,
};
use crate::system::files::{self, FileError, Kind};

/// What the files of a crate say.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) written: Written,
    /// The ids that git gives to the files of `src/chain` as they are now.
    pub(super) blobs: BTreeMap<String, Sha1>,
}

/// Reads `src/chain.rs`, `src/chain/*.rs` and `src/roles.rs` of a crate, with what the last build in its repository knew.
/// Another text may be read in place of that of `src/chain.rs`.
pub(super) fn read(crate_dir: &Path, repository: Option<&Repository>, chain: Option<&str>) -> Sources {
    let mut sources = Sources::default();
    let Sources { written, blobs } = &mut sources;
    if let Some(file) = read_chain(crate_dir, chain, &mut written.unreadable) {
        (written.mods, written.attributes) = (mod_lines(&file), mod_attributes(&file));
    }
    written.directories = directories(crate_dir);
    let mut known = ParsedFiles::recall(repository);
    for (name, bytes) in chain_files(crate_dir, &mut written.unreadable) {
        match known.look_up(&bytes, parsed) {
            Ok(parsed) => {
                blobs.insert(name.clone(), parsed.blob);
                written.files.insert(name, with_assets(parsed, crate_dir));
            }
            Err(what) => written.unreadable.push(Unreadable { file: format!("src/chain/{name}.rs"), what }),
        }
    }
    known.keep(repository);
    let before = written.unreadable.len();
    let declared = read_file(crate_dir, "src/roles.rs", &mut written.unreadable);
    let is_parsed = written.unreadable.len() == before;
    written.roles = is_parsed.then(|| declared.map(|file| roles(&file)).unwrap_or_default());
    sources
}

/// The Rust files under `src`, but for those of the chain, whose code waits for other hosts; of what can't be read or parsed
/// the compiler tells.
#[must_use]
pub fn waits_elsewhere(crate_dir: &Path) -> Vec<String> {
    let chain = crate_dir.join("src/chain");
    let mut dirs = vec![crate_dir.join("src")];
    let mut found = Vec::new();
    while let Some(dir) = dirs.pop() {
        for path in files::list(&dir).unwrap_or_default() {
            let is_dir = files::stat(&path).is_ok_and(|stat| stat.is_some_and(|stat| stat.kind == Kind::Directory));
            if is_dir && path != chain {
                dirs.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") && waits(&path) {
                found.push(path.strip_prefix(crate_dir).unwrap_or(&path).display().to_string());
            }
        }
    }
    found
}

fn waits(path: &Path) -> bool {
    let text = files::read(path).ok().filter(|text| text.windows(10).any(|word| word == b"wait_until"));
    let file = text.and_then(|text| parse(&text).ok());
    file.is_some_and(|file| waits_inside(&file) != Inside::default())
}

/// What a parsed file says; of the assets that it names, the names.
pub(super) fn source(file: syn::File) -> Source {
    let (migrations, assets, outside) = (migrations(&file), assets(&file), outside(&file));
    let inside = waits_inside(&file);
    let assets = assets.into_iter().map(|name| (name, None)).collect();
    Source { migrations, content: Content { code: code_digest(file), assets }, with_unix_lines: None, outside, inside }
}

/// Parses source text, wherever its lines were broken.
pub(super) fn parse(text: &[u8]) -> Result<syn::File, String> {
    let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8".to_owned())?;
    syn::parse_file(&text.replace("\r\n", "\n")).map_err(|error| conflict(text).unwrap_or_else(|| at(&error)))
}

fn at(error: &syn::Error) -> String {
    let start = error.span().start();
    format!("line {}, column {}: {error}", start.line, start.column + 1)
}

/// Where a merge or a rebase stopped in a text that is no Rust.
fn conflict(text: &str) -> Option<String> {
    let line = text.lines().position(|line| line.starts_with("<<<<<<< "))?;
    text.lines().any(|line| line.starts_with(">>>>>>> ")).then(|| format!("line {}, column 1: {CONFLICT}", line + 1))
}

/// The lock of a crate; an empty one where there is none.
pub(super) fn lock(crate_dir: &Path) -> Result<Lock, LockError> {
    let unreadable = |what: String| LockError { line: 1, column: 1, what };
    match files::read_optional(crate_dir.join("chain.lock")) {
        Ok(None) => Ok(Lock::default()),
        Ok(Some(bytes)) => {
            Lock::parse(std::str::from_utf8(&bytes).map_err(|_| unreadable("it is not UTF-8".to_owned()))?)
        }
        Err(error) => Err(unreadable(said(&error))),
    }
}

fn parsed(bytes: &[u8]) -> Result<Parsed, String> {
    Ok(Parsed { blob: blob_id(bytes), source: source(parse(bytes)?) })
}

/// The id that git gives to a file's content, with its lines broken as they are in a repository.
fn blob_id(bytes: &[u8]) -> Sha1 {
    use sha1::Digest as _;
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let hasher = sha1::Sha1::new().chain_update(format!("blob {}\0", text.len())).chain_update(text);
    Sha1::from_bytes(hasher.finalize().into())
}

fn with_assets(parsed: Parsed, crate_dir: &Path) -> Source {
    let mut source = parsed.source;
    let directories: Vec<String> = source.content.assets.keys().filter(|name| name.ends_with('/')).cloned().collect();
    for directory in directories {
        let files = files::below(crate_dir.join("assets").join(&directory)).unwrap_or_default();
        let files = files.iter().filter(|(_, kind)| *kind == Kind::File).map(|(path, _)| path.to_string_lossy());
        let files = files.filter(|path| is_asset(name_of(path)));
        source.content.assets.extend(files.map(|path| (format!("{directory}{path}"), None)));
    }
    let mut unix = source.content.clone();
    for (name, digest) in &mut source.content.assets {
        let bytes = files::read_optional(crate_dir.join("assets").join(name)).ok().flatten();
        *digest = bytes.as_deref().map(Digest::of);
        unix.assets.insert(name.clone(), bytes.map(|bytes| Digest::of(&with_unix_lines(&bytes))));
    }
    source.with_unix_lines = (unix != source.content).then_some(unix);
    source
}

/// The last part of a path.
pub(super) fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn with_unix_lines(bytes: &[u8]) -> Vec<u8> {
    let is_kept = |(index, byte): &(usize, &u8)| **byte != b'\r' || bytes.get(index + 1) != Some(&b'\n');
    bytes.iter().enumerate().filter(is_kept).map(|(_, byte)| *byte).collect()
}

fn read_chain(crate_dir: &Path, text: Option<&str>, unreadable: &mut Vec<Unreadable>) -> Option<syn::File> {
    const CHAIN: &str = "src/chain.rs";
    let Some(text) = text else { return read_file(crate_dir, CHAIN, unreadable) };
    parse(text.as_bytes()).map_err(|what| unreadable.push(Unreadable { file: CHAIN.to_owned(), what })).ok()
}

/// Directories that an editor or a tool keeps for itself are no part of the chain.
fn directories(crate_dir: &Path) -> Vec<String> {
    let paths = files::list(crate_dir.join("src/chain")).unwrap_or_default();
    let is_directory = |path: &&PathBuf| files::list(path).is_ok();
    let names = paths.iter().filter(|path| path.extension().is_none()).filter(is_directory);
    let names = names.filter_map(|path| path.file_name()?.to_str());
    names.filter(|name| !name.starts_with('.')).map(str::to_owned).collect()
}

fn chain_files(crate_dir: &Path, unreadable: &mut Vec<Unreadable>) -> BTreeMap<String, Vec<u8>> {
    let paths = files::list(crate_dir.join("src/chain")).unwrap_or_default();
    let names = paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let names: Vec<String> = names.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    let mut found = BTreeMap::new();
    for name in names {
        let file = format!("src/chain/{name}.rs");
        match files::read(crate_dir.join(&file)) {
            Ok(bytes) => drop(found.insert(name, bytes)),
            Err(error) => unreadable.push(Unreadable { file, what: said(&error) }),
        }
    }
    found
}

fn read_file(crate_dir: &Path, file: &str, unreadable: &mut Vec<Unreadable>) -> Option<syn::File> {
    let bytes = files::read_optional(crate_dir.join(file)).map_err(|error| said(&error)).transpose()?;
    match bytes.and_then(|bytes| parse(&bytes)) {
        Ok(parsed) => Some(parsed),
        Err(what) => {
            unreadable.push(Unreadable { file: file.to_owned(), what });
            None
        }
    }
}

fn said(error: &FileError) -> String {
    format!("{error}: {}", error.source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_id_that_git_gives_it() {
        let check =
            |text: &str| assert_eq!(blob_id(text.as_bytes()).to_string(), "78981922613b2afb6025042ff6bd878ac1994e85");
        check("a\n");
        check("a\r\n");
    }
}
