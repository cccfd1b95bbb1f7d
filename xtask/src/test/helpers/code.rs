//! The code of a crate outside of its chain: the rest of `src`, its build script, and the files that these take in.

use std::path::{Component, Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{Item, ItemMod, LitStr};
use wb_core::chain::{Digest, code_digest};
use wb_core::system::files::{self, FileError, Kind};

use super::{contents, line};

/// A file of Rust.
struct Code {
    path: PathBuf,
    text: String,
    /// What it says to a runner, where it is Rust.
    parsed: Option<syn::File>,
    /// Where its modules lie that are compiled for tests alone, without the `.rs`.
    tests: Vec<PathBuf>,
}

/// A line for each file that counts, by its path in the crate.
pub(super) fn of(crate_dir: &Path) -> Result<Vec<String>, FileError> {
    let all = outside(crate_dir)?.into_iter().map(Code::read).collect::<Result<Vec<Code>, FileError>>()?;
    let is_test = |code: &Code| all.iter().flat_map(|other| &other.tests).any(|module| code.is_in(module));
    let mut told = vec![line(crate_dir, &crate_dir.join("Cargo.toml"))?];
    for code in all.iter().filter(|code| !is_test(code)) {
        let name = code.path.strip_prefix(crate_dir).unwrap_or(&code.path);
        told.push(format!("{} {}", name.display(), code.digest()));
        for path in code.taken_in(crate_dir) {
            told.extend(told_of(crate_dir, &path)?);
        }
    }
    Ok(told)
}

/// All files of Rust that a runner may be compiled from, but for the chain's.
fn outside(crate_dir: &Path) -> Result<Vec<PathBuf>, FileError> {
    let (source, script) = (crate_dir.join("src"), crate_dir.join("build.rs"));
    let is_rust = |path: &Path| path.extension().is_some_and(|end| end == "rs");
    let is_of_chain = |path: &Path| path.starts_with("chain") || path == Path::new("chain.rs");
    let below = files::below(&source)?.into_iter().filter(|(_, kind)| *kind == Kind::File).map(|(path, _)| path);
    let rest = below.filter(|path| is_rust(path) && !is_of_chain(path)).map(|path| source.join(path));
    Ok(rest.chain(files::exists(&script).then_some(script)).collect())
}

impl Code {
    fn read(path: PathBuf) -> Result<Self, FileError> {
        let text = files::read_text(&path)?;
        let mut parsed = syn::parse_file(&text).ok();
        let items = parsed.iter().flat_map(|file| &file.items);
        let tests = items.filter_map(test_module).filter(|module| module.content.is_none());
        let tests = tests.map(|module| modules_of(&path).join(module.ident.to_string())).collect();
        // No runner has them, and they come with each new link.
        if let Some(file) = &mut parsed {
            file.items.retain(|item| test_module(item).is_none());
        }
        Ok(Self { path, text, parsed, tests })
    }

    /// Comments and layout change no code.
    fn digest(&self) -> Digest {
        self.parsed.clone().map_or_else(|| Digest::of(self.text.as_bytes()), code_digest)
    }

    fn is_in(&self, module: &Path) -> bool {
        self.path == module.with_extension("rs") || self.path.starts_with(module)
    }

    /// What the strings in it name of the crate: files, as `include_str!` and `asset!` take them in, and directories of
    /// assets. That a string may mean something else does no harm.
    fn taken_in(&self, crate_dir: &Path) -> Vec<PathBuf> {
        let (here, assets) = (self.path.parent().unwrap_or(crate_dir), crate_dir.join("assets"));
        let tokens = self.parsed.as_ref().map(syn::File::to_token_stream).unwrap_or_default();
        let words = strings(tokens).into_iter().filter(|word| !word.trim_matches(['/', '.']).is_empty());
        let paths = words.flat_map(|word| {
            let word = word.trim_start_matches('/');
            [here.join(word), crate_dir.join(word), assets.join(word)]
        });
        paths.filter(|path| is_file(path) || is_directory_in(&assets, path)).collect()
    }
}

/// The module that an item is, where it is compiled for tests alone.
fn test_module(item: &Item) -> Option<&ItemMod> {
    let Item::Mod(module) = item else { return None };
    let is_for_tests = |attribute: &syn::Attribute| {
        let condition = || attribute.parse_args::<syn::Path>();
        attribute.path().is_ident("cfg") && condition().is_ok_and(|condition| condition.is_ident("test"))
    };
    let is_elsewhere = module.attrs.iter().any(|attribute| attribute.path().is_ident("path"));
    Some(module).filter(|module| !is_elsewhere && module.attrs.iter().any(is_for_tests))
}

/// Where the modules of a file lie.
fn modules_of(path: &Path) -> PathBuf {
    let dir = path.parent().unwrap_or(path).to_owned();
    match path.file_stem().and_then(|stem| stem.to_str()) {
        Some("main" | "lib" | "mod") => dir,
        _ => path.with_extension(""),
    }
}

/// All strings in a piece of code.
fn strings(tokens: TokenStream) -> Vec<String> {
    let of = |token: TokenTree| match token {
        TokenTree::Group(group) => strings(group.stream()),
        other => syn::parse2::<LitStr>(other.into()).map(|text| text.value()).into_iter().collect(),
    };
    tokens.into_iter().flat_map(of).collect()
}

/// What can't be looked at is no file: a string may be anything.
fn is_file(path: &Path) -> bool {
    files::stat_of_end(path).is_ok_and(|stat| stat.is_some_and(|stat| stat.kind == Kind::File))
}

fn is_directory(path: &Path) -> bool {
    files::stat(path).is_ok_and(|stat| stat.is_some_and(|stat| stat.kind == Kind::Directory))
}

/// Whether it is one that no `..` leads to.
fn is_directory_in(top: &Path, path: &Path) -> bool {
    let is_name = |part: Component<'_>| matches!(part, Component::Normal(_));
    path.strip_prefix(top).is_ok_and(|below| below.components().all(is_name)) && is_directory(path)
}

/// A line for a file, or for each in a directory.
fn told_of(crate_dir: &Path, path: &Path) -> Result<Vec<String>, FileError> {
    if is_directory(path) { contents(path, None) } else { Ok(vec![line(crate_dir, path)?]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A crate, and what is told of it.
    struct Crate(tempfile::TempDir);

    impl Crate {
        fn new() -> Self {
            let new = Self(tempfile::tempdir().unwrap());
            new.put("Cargo.toml", "[package]\nname = \"migrations\"\n");
            new
        }

        fn put(&self, path: &str, text: &str) -> Vec<String> {
            let path = self.0.path().join(path);
            files::create_dir(path.parent().unwrap()).unwrap();
            files::write(path, text, 0o644).unwrap();
            files::create_dir(self.0.path().join("src")).unwrap();
            of(self.0.path()).unwrap()
        }
    }

    #[test]
    fn all_but_the_chain_counts() {
        let code = Crate::new();
        let first = code.put("src/pages/ready.rs", "fn ready() {}");
        assert_eq!(code.put("src/chain/a.rs", "fn a() {}"), first);
        assert_eq!(code.put("src/chain.rs", "mod a;"), first);
        assert_eq!(code.put("src/pages/ready.rs", "/// Says so.\nfn ready() {\n}\n"), first);
        let mut last = first;
        let texts = [
            ("src/pages/ready.rs", "fn ready() { f() }"),
            ("src/torn.rs", "fn ("),
            ("build.rs", "fn main() {}"),
            ("build.rs", "fn main() { f() }"),
            ("Cargo.toml", "[features]\n"),
        ];
        for (path, text) in texts {
            let next = code.put(path, text);
            assert_ne!(next, last, "{path}");
            last = next;
        }
    }

    #[test]
    fn tests_do_not_count() {
        let code = Crate::new();
        let tests = "#[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod more { fn a() {} }\n";
        let first = code.put("src/main.rs", &format!("mod pages;\n{tests}"));
        assert_eq!(code.put("src/tests.rs", "#[test]\nfn a() {}"), first);
        assert_eq!(code.put("src/tests/more.rs", "fn a() {}"), first);
        let pages = code.put("src/pages.rs", "#[cfg(test)]\nmod tests;");
        assert_eq!(code.put("src/pages/tests.rs", "fn a() {}"), pages);
        assert_ne!(code.put("src/pages/testing.rs", "fn a() {}"), pages);
        let without = code.put("src/main.rs", "mod pages;");
        assert_eq!(code.put("src/main.rs", "mod pages;\n#[cfg(test)]\nmod inner {}\n"), without);
    }

    #[test]
    fn files_that_are_taken_in_count() {
        let code = Crate::new();
        for path in ["assets/shop.conf", "assets/site/index.html", "src/text.txt", "data/list", "assets/other"] {
            code.put(path, "1");
        }
        let text = r#"const A: &[u8] = asset!("shop.conf");
            const B: Assets = assets!("site");
            const C: &str = include_str!("text.txt");
            const D: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/list");
            const E: [&str; 5] = ["/", "a\0b", "..", "src", "../src"];"#;
        let mut last = code.put("src/pages.rs", text);
        for path in ["assets/shop.conf", "assets/site/index.html", "src/text.txt", "data/list"] {
            let next = code.put(path, "2");
            assert_ne!(next, last, "{path}");
            last = next;
        }
        assert_eq!(code.put("assets/other", "2"), last);
    }
}
