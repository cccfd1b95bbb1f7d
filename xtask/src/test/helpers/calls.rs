//! Whether the code of a link calls anything that its digest does not see: what paths and imports in it begin with, and
//! which macros it calls, also inside of other macros. What could be of elsewhere is taken to be.

use std::collections::BTreeSet;

use proc_macro2::{Group, Ident, Spacing, TokenStream, TokenTree};

/// Crates whose version counts for all links.
const CRATES: &[&str] = &["alloc", "core", "std", "wb_stdlib"];

/// What else a path may begin with: types of the language, and attributes of its tools.
const WORDS: &[&str] = &[
    "Self",
    "bool",
    "char",
    "clippy",
    "diagnostic",
    "f32",
    "f64",
    "i128",
    "i16",
    "i32",
    "i64",
    "i8",
    "isize",
    "rustdoc",
    "rustfmt",
    "self",
    "str",
    "u128",
    "u16",
    "u32",
    "u64",
    "u8",
    "usize",
];

/// The macros of the language and of the prelude of migrations; and words before which a `!` is none of a macro.
const MACROS: &[&str] = &[
    "asset",
    "assert",
    "assert_eq",
    "assert_ne",
    "assets",
    "bail",
    "break",
    "cfg",
    "column",
    "concat",
    "dbg",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "else",
    "ensure",
    "env",
    "eprint",
    "eprintln",
    "file",
    "format",
    "format_args",
    "if",
    "in",
    "line",
    "match",
    "matches",
    "module_path",
    "option_env",
    "panic",
    "print",
    "println",
    "require",
    "return",
    "stringify",
    "template",
    "thread_local",
    "todo",
    "unimplemented",
    "unreachable",
    "vec",
    "while",
    "write",
    "writeln",
];

/// Whether the text of a link's file calls what its digest does not see: the rest of its crate, or crates of others.
#[must_use]
pub fn calls(text: &str) -> bool {
    let Ok(tokens) = text.parse::<TokenStream>() else { return true };
    let mut said = Said::default();
    said.read(&trees(tokens));
    said.calls_elsewhere()
}

/// What a text says, by the names in it.
#[derive(Debug, Default)]
struct Said {
    /// What paths and imports begin with.
    paths: BTreeSet<String>,
    /// The macros that it calls by their bare names.
    macros: BTreeSet<String>,
    /// Modules and macros of its own, and what it imports from crates that are known.
    own: BTreeSet<String>,
}

impl Said {
    fn calls_elsewhere(&self) -> bool {
        let is_path = |name: &str| CRATES.contains(&name) || WORDS.contains(&name) || is_type(name);
        let is_macro = |name: &str| MACROS.contains(&name);
        let path = self.paths.difference(&self.own).find(|name| !is_path(name.as_str()));
        path.or_else(|| self.macros.difference(&self.own).find(|name| !is_macro(name.as_str()))).is_some()
    }

    fn read(&mut self, mut left: &[TokenTree]) {
        while let [first, rest @ ..] = left {
            left = match first {
                TokenTree::Ident(name) => self.name(&plain(name), rest),
                TokenTree::Group(group) => {
                    self.read(&trees(group.stream()));
                    rest
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => rest,
            };
        }
    }

    /// A name, and what comes after it; gives what comes after all that belongs to it.
    fn name<'t>(&mut self, name: &str, rest: &'t [TokenTree]) -> &'t [TokenTree] {
        match (name, rest) {
            ("use", [next, ..]) if !is_punct(next, '<') => self.import(rest),
            ("mod", [TokenTree::Ident(own), rest @ ..]) | ("macro_rules", [_, TokenTree::Ident(own), rest @ ..]) => {
                self.own.insert(plain(own));
                rest
            }
            ("extern", [TokenTree::Ident(word), ..]) if plain(word) == "crate" => {
                self.paths.insert(plain(word));
                rest
            }
            (_, [bang, TokenTree::Group(_), ..]) if is_punct(bang, '!') => {
                self.macros.insert(name.to_owned());
                rest
            }
            _ => self.path(name, rest),
        }
    }

    /// A name that may be the first one of a path. After a method's or a function's `::` comes a `<`.
    fn path<'t>(&mut self, name: &str, rest: &'t [TokenTree]) -> &'t [TokenTree] {
        match after_colons(rest) {
            Some(more) if matches!(more, [TokenTree::Ident(_), ..]) => {
                self.paths.insert(name.to_owned());
                after_path(more)
            }
            _ => rest,
        }
    }

    /// What comes after `use`, up to its end; gives what comes after it.
    fn import<'t>(&mut self, tokens: &'t [TokenTree]) -> &'t [TokenTree] {
        let end = tokens.iter().position(|token| is_punct(token, ';')).unwrap_or(tokens.len());
        self.tree(&tokens[..end]);
        &tokens[end..]
    }

    /// A tree of imports.
    fn tree(&mut self, tokens: &[TokenTree]) {
        let tokens = after_colons(tokens).unwrap_or(tokens);
        match tokens {
            [TokenTree::Group(group), ..] => branches(group).iter().for_each(|tree| self.tree(tree)),
            [TokenTree::Ident(root), ..] => {
                let root = plain(root);
                if CRATES.contains(&root.as_str()) {
                    self.own.extend(leaves(tokens, &root));
                }
                self.paths.insert(root);
            }
            _ => {}
        }
    }
}

/// Types are not called as crates and modules are. Who has one imports it, or has it from the prelude.
fn is_type(name: &str) -> bool {
    name.starts_with(|first: char| first.is_uppercase())
}

/// The names that a tree of imports brings, which is below this one.
fn leaves(tokens: &[TokenTree], above: &str) -> Vec<String> {
    match tokens {
        [TokenTree::Group(group), ..] => branches(group).iter().flat_map(|tree| leaves(tree, above)).collect(),
        [TokenTree::Ident(name), rest @ ..] => match after_colons(rest) {
            Some(rest) => leaves(rest, &plain(name)),
            None => {
                // The last one counts: `fs as files`.
                let leaf = tokens.iter().rev().find_map(ident);
                leaf.map(|leaf| if leaf == "self" { above.to_owned() } else { leaf }).into_iter().collect()
            }
        },
        _ => Vec::new(),
    }
}

/// What stands between the commas in braces.
fn branches(group: &Group) -> Vec<Vec<TokenTree>> {
    trees(group.stream()).split(|token| is_punct(token, ',')).map(<[TokenTree]>::to_vec).collect()
}

/// What comes after `::`, where that comes first.
fn after_colons(tokens: &[TokenTree]) -> Option<&[TokenTree]> {
    match tokens {
        [TokenTree::Punct(first), second, rest @ ..] => {
            let is_pair = first.as_char() == ':' && first.spacing() == Spacing::Joint && is_punct(second, ':');
            is_pair.then_some(rest)
        }
        _ => None,
    }
}

/// What comes after the names of a path, but for the first ones.
fn after_path(mut tokens: &[TokenTree]) -> &[TokenTree] {
    while let [TokenTree::Ident(_), rest @ ..] = tokens {
        match after_colons(rest) {
            Some(more) => tokens = more,
            None => return rest,
        }
    }
    tokens
}

fn trees(tokens: TokenStream) -> Vec<TokenTree> {
    tokens.into_iter().collect()
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

fn ident(token: &TokenTree) -> Option<String> {
    match token {
        TokenTree::Ident(name) => Some(plain(name)),
        _ => None,
    }
}

/// `r#type` is called `type`.
fn plain(name: &Ident) -> String {
    let name = name.to_string();
    name.strip_prefix("r#").map_or_else(|| name.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: bool) {
        assert_eq!(calls(text), expect, "{text}");
    }

    #[test]
    fn a_link_that_keeps_to_itself_calls_nothing() {
        check("use wb_stdlib::prelude::*;\nuse std::fs;\nfn a() {}", false);
        check("/// use it\nfn used() {}", false);
        check("use wb_stdlib::{command::Command, prelude::*};\npub(crate) fn a() {}", false);
        check("use std::{fs, io::{self, Read as _}, net::IpAddr as Address};\nfn a() { fs::read(io::stdin()) }", false);
        check("use std::fs as files;\nfn a() { files::read(\"x\") }", false);
        check("fn a() { std::fs::read(\"x\"); ::std::mem::drop(1); u32::from_str_radix(\"1\", 2) }", false);
        check("fn a(host: &Host) { host.settings::<Network>()?.names().collect::<Vec<_>>() }", false);
        check("fn a() { Vec::<u8>::new(); <u8 as Into<u16>>::into(1); Duration::from_secs(1) }", false);
        check("mod inner { pub fn go() {} }\nfn a() { inner::go() }", false);
        check("macro_rules! twice { ($a:expr) => { ($a, $a) } }\nfn a() { twice!(1) }", false);
        check("#[allow(clippy::pedantic)]\nfn a() { if !(b || c) { return !(d) } assert!(e != f, \"{}\", g) }", false);
        check("fn a() -> impl Fn() + use<'_> { require!(true, \"b\"); asset!(\"c\") }", false);
    }

    #[test]
    fn what_a_link_calls_is_seen() {
        check("use wb_stdlib::prelude::*;\nuse crate::roles::Web;", true);
        check("fn a() { crate::ready() }", true);
        check("fn a() { super::ready() }", true);
        check("fn a() { shop_ops::go() }", true);
        check("fn a() { ::shop_ops::go() }", true);
        check("fn a(n: u8) -> ::shop_ops::Thing { n > ::shop_ops::MOST }", true);
        check("    use {serde_json::json};", true);
        check("use {std::fs, {serde_json::json}};", true);
        check("use anyhow::Result;", true);
        check("pub use shop_ops as ops;", true);
        check("use ::shop_ops;", true);
        check("use wb_stdlib_more::a;", true);
        check("fn a() { use shop_ops::go; go() }", true);
        check("fn a() { format!(\"{}\", shop_ops::name()) }", true);
        check("macro_rules! b { () => { shop_ops::go() } }", true);
        check("#[derive(serde::Serialize)]\nstruct A;", true);
        check("fn a() { ready!(now) }", true);
        check("extern crate shop_ops;", true);
        check("use std::command;\nfn a() { fs::read(\"x\") }", true);
        check("fn a( {", true);
    }
}
