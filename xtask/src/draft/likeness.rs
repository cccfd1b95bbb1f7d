//! A migration that begins as a copy of another one.
//!
//! The text is edited in place, by the places of its tokens, so that comments and layout stay.

use std::collections::BTreeSet;
use std::ops::Range;

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::{Attribute, Item, ItemFn, LitStr, MetaList};
use wb_core::chain::source::assets;

/// The text of a new migration that is like another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Likeness {
    /// The text of its file.
    pub text: String,
    /// Its role.
    pub role: String,
    /// The assets that it names, and shares with the other one therefore.
    pub assets: BTreeSet<String>,
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum LikenessError {
    /// The other file can't be parsed.
    #[error("src/chain/{name}.rs can't be copied: line {}, column {}: {source}", source.span().start().line, source.span().start().column + 1)]
    Syntax {
        /// The other migration.
        name: String,
        /// The mistake.
        source: syn::Error,
    },
    /// The other file has no migration.
    #[error("src/chain/{name}.rs can't be copied: it has no function with `#[migration(role = \"…\")]`")]
    NoMigration {
        /// The other name.
        name: String,
    },
}

impl Likeness {
    /// A copy of `text`, the file of the migration `other`, under the name `name`, for `role` where one is given. The
    /// first line of its documentation says that it is like `origin`. What only holds for the other one, as that it was
    /// amended, is left out.
    ///
    /// # Errors
    /// When `text` does not parse, or has no migration.
    pub fn of(text: &str, other: &str, origin: &str, name: &str, role: Option<&str>) -> Result<Self, LikenessError> {
        let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        let file = syn::parse_file(&text).map_err(|source| LikenessError::Syntax { name: other.to_owned(), source })?;
        let none = || LikenessError::NoMigration { name: other.to_owned() };
        let (function, attribute) = file.items.iter().find_map(migration).ok_or_else(none)?;
        let kept = own_role(&text, attribute).ok_or_else(none)?;
        let edits = [
            Edit { place: function.sig.ident.span().byte_range(), text: name.to_owned() },
            arguments(&text, attribute, role),
            documentation(&text, function, origin),
        ];
        Ok(Self { text: edited(&text, edits), role: role.map_or(kept, str::to_owned), assets: assets(&file) })
    }
}

struct Edit {
    place: Range<usize>,
    text: String,
}

fn edited<const N: usize>(text: &str, mut edits: [Edit; N]) -> String {
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.place.start));
    edits.into_iter().fold(text.to_owned(), |mut text, edit| {
        text.replace_range(edit.place, &edit.text);
        text
    })
}

fn migration(item: &Item) -> Option<(&ItemFn, &MetaList)> {
    let Item::Fn(function) = item else { return None };
    let is_migration =
        |attribute: &&Attribute| attribute.path().segments.last().is_some_and(|segment| segment.ident == "migration");
    let attribute = function.attrs.iter().find(is_migration)?;
    Some((function, attribute.meta.require_list().ok()?))
}

fn own_role(text: &str, attribute: &MetaList) -> Option<String> {
    let role = split(&attribute.tokens).into_iter().find(|(key, _)| key == "role");
    let (_, value) = text[role?.1].split_once('=')?;
    syn::parse_str::<LitStr>(value).ok().map(|role| role.value())
}

/// The arguments with another role, and without those that tell of the other migration alone.
fn arguments(text: &str, attribute: &MetaList, role: Option<&str>) -> Edit {
    let place = attribute.tokens.span().byte_range();
    let kept = split(&attribute.tokens).into_iter().filter_map(|(key, place)| match (key.as_str(), role) {
        ("amended" | "keeps", _) => None,
        ("role", Some(role)) => Some(format!("role = \"{role}\"")),
        _ => Some(text[place].to_owned()),
    });
    Edit { place, text: kept.collect::<Vec<_>>().join(", ") }
}

/// The arguments of an attribute: the first word of each, and where it stands.
fn split(tokens: &TokenStream) -> Vec<(String, Range<usize>)> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let place = |argument: &[TokenTree]| {
        let (first, last) = (argument.first()?, argument.last()?);
        Some((first.to_string(), first.span().byte_range().start..last.span().byte_range().end))
    };
    tokens.split(is_comma).filter_map(place).collect()
}

/// `/// Like …: what the other one does.`
fn documentation(text: &str, function: &ItemFn, origin: &str) -> Edit {
    let comments = function.attrs.iter().filter(|attribute| attribute.path().is_ident("doc"));
    let mut starts = comments.map(|attribute| attribute.span().byte_range().start);
    match starts.find(|start| text[*start..].starts_with("///")) {
        Some(start) => Edit { place: start..start + 3, text: format!("/// Like {origin}:") },
        None => {
            let start = function.span().byte_range().start;
            Edit { place: start..start, text: format!("/// Like {origin}.\n") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: &str = r#"use wb_stdlib::prelude::*;

// A comment that stays.

/// nginx, quiet.
///
/// Since it talks too much.
#[migration(role = "web", amended = "a, b", wait = all("database"))]
fn install_nginx(host: &Host) -> Result<()> {
    host.file("/etc/a").template(template!("a.conf", b = 1)).present()?;
    Ok(())
}

#[spec]
fn nginx_runs(host: &View) -> Result<()> {
    host.port(80).is_listening()
}
"#;

    fn like(text: &str, role: Option<&str>) -> Result<Likeness, LikenessError> {
        Likeness::of(text, "install_nginx", "`install_nginx` (a1b2c3d)", "install_nginx_2", role)
    }

    #[test]
    fn a_copy_has_its_own_name_and_says_whose_it_is() {
        let copy = like(OTHER, None).unwrap();
        insta::assert_snapshot!(copy.text);
        assert_eq!((copy.role.as_str(), copy.assets), ("web", ["a.conf".to_owned()].into()));
    }

    #[test]
    fn a_copy_may_be_of_another_role() {
        let copy = like(&OTHER.replace('\n', "\r\n"), Some("cache")).unwrap();
        assert!(copy.text.contains("#[migration(role = \"cache\", wait = all(\"database\"))]\nfn"), "{}", copy.text);
        assert_eq!(copy.role, "cache");
    }

    #[test]
    fn without_documentation_there_is_some_now() {
        let text = "#[wb_stdlib::migration(role = \"web\",)]\nfn install_nginx(_: &Host) -> Result<()> { é() }\n";
        let expect = "/// Like `install_nginx` (a1b2c3d).\n#[wb_stdlib::migration(role = \"web\")]\n\
                      fn install_nginx_2(_: &Host) -> Result<()> { é() }\n";
        assert_eq!(like(text, None).unwrap().text, expect);
    }

    #[test]
    fn what_is_no_migration_is_not_copied() {
        let check = |text: &str, expect: &str| assert_eq!(like(text, None).unwrap_err().to_string(), expect);
        let start = "src/chain/install_nginx.rs can't be copied";
        let none = format!("{start}: it has no function with `#[migration(role = \"…\")]`");
        check("fn install_nginx() {}", &none);
        check("#[migration]\nfn install_nginx() {}", &none);
        check("fn {", &format!("{start}: line 1, column 4: cannot parse string into token stream"));
    }
}
