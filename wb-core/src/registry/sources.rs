//! The source files of a crate, read and parsed.

use std::collections::BTreeMap;
use std::path::Path;

use crate::chain::source::{assets_of_file, migrations, mod_lines, roles};
use crate::chain::{Content, Digest, Lock, LockError, Source, Unreadable, Written, code_digest};
use crate::system::files::{self, FileError};

/// What `src/chain.rs`, `src/chain/*.rs` and `src/roles.rs` of a crate say.
pub(super) fn read(crate_dir: &Path) -> Written {
    let mut written = Written::default();
    let chain = read_file(crate_dir, "src/chain.rs", &mut written.unreadable);
    written.mods = chain.map(|file| mod_lines(&file)).unwrap_or_default();
    for (name, file) in chain_files(crate_dir, &mut written.unreadable) {
        let asset = |asset: &str| files::read_optional(crate_dir.join("assets").join(asset)).ok().flatten();
        written.files.insert(name, source(file, asset));
    }
    let before = written.unreadable.len();
    let declared = read_file(crate_dir, "src/roles.rs", &mut written.unreadable);
    let parsed = written.unreadable.len() == before;
    written.roles = parsed.then(|| declared.map(|file| roles(&file)).unwrap_or_default());
    written
}

/// What a parsed file says, with the assets that it names.
pub(super) fn source(file: syn::File, asset: impl Fn(&str) -> Option<Vec<u8>>) -> Source {
    let assets = assets_of_file(&file);
    let assets = assets.into_iter().map(|name| {
        let digest = asset(&name).map(|bytes| Digest::of(&bytes));
        (name, digest)
    });
    let (migrations, assets) = (migrations(&file), assets.collect());
    Source { migrations, content: Content { code: code_digest(file), assets } }
}

/// Parses source text, wherever its lines were broken.
pub(super) fn parse(text: &[u8]) -> Result<syn::File, String> {
    let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8".to_owned())?;
    syn::parse_file(&text.replace("\r\n", "\n")).map_err(|error| {
        let start = error.span().start();
        format!("line {}, column {}: {error}", start.line, start.column + 1)
    })
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

fn chain_files(crate_dir: &Path, unreadable: &mut Vec<Unreadable>) -> BTreeMap<String, syn::File> {
    let paths = files::list(crate_dir.join("src/chain")).unwrap_or_default();
    let names = paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let names: Vec<String> = names.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    let file = |name: String| {
        let file = read_file(crate_dir, &format!("src/chain/{name}.rs"), unreadable)?;
        Some((name, file))
    };
    names.into_iter().filter_map(file).collect()
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
