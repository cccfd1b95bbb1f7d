//! What the source files say: the `mod` lines of `chain.rs`, the migrations of a file, the roles, the assets named.
//!
//! The macros and the verdict read attributes by the same code, so that they can't disagree.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Item, LitStr, Token};

use super::{Declared, Wait};

/// The modules that `chain.rs` declares, in its order. Modules with a body are its own affair.
#[must_use]
pub fn mod_lines(file: &syn::File) -> Vec<String> {
    let declared = file.items.iter().filter_map(|item| match item {
        Item::Mod(module) if module.content.is_none() => Some(module.ident.unraw().to_string()),
        _ => None,
    });
    declared.collect()
}

/// The functions with `#[migration]`.
#[must_use]
pub fn migrations(file: &syn::File) -> Vec<Declared> {
    let declared = file.items.iter().filter_map(|item| match item {
        Item::Fn(function) => {
            let attribute = function.attrs.iter().find(|attribute| is_named(attribute, "migration"))?;
            Some(declared(function.sig.ident.unraw().to_string(), attribute))
        }
        _ => None,
    });
    declared.collect()
}

fn declared(name: String, attribute: &Attribute) -> Declared {
    match attribute.parse_args::<MigrationArgs>() {
        Ok(args) => Declared { name, role: Some(args.role.value()), wait: args.wait.map(|wait| wait.value()) },
        Err(_) => Declared { name, role: None, wait: None },
    }
}

/// The names of the structs with `#[role]`.
#[must_use]
pub fn roles(file: &syn::File) -> BTreeSet<String> {
    let names = file.items.iter().filter_map(|item| match item {
        Item::Struct(item) => {
            let attribute = item.attrs.iter().find(|attribute| is_named(attribute, "role"))?;
            let given = attribute.parse_args::<RoleArgs>().ok().and_then(|args| args.name);
            Some(given.map_or_else(|| role_name(&item.ident.unraw().to_string()), |name| name.value()))
        }
        _ => None,
    });
    names.collect()
}

/// The role that a struct of this name is.
///
/// ```
/// assert_eq!(wb_core::chain::source::role_name("LoadBalancer"), "load_balancer");
/// ```
#[must_use]
pub fn role_name(ident: &str) -> String {
    let mut name = String::new();
    for (index, letter) in ident.char_indices() {
        if letter.is_uppercase() && index > 0 {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// The assets that code names, in `template!("name", …)` and `asset!("name")`, at any depth.
#[must_use]
pub fn assets(tokens: TokenStream) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        if let Some([TokenTree::Ident(name), TokenTree::Punct(bang)]) =
            index.checked_sub(2).map(|start| &tokens[start..index])
            && (name == "template" || name == "asset")
            && bang.as_char() == '!'
            && let Some(first) = group.stream().into_iter().next()
            && let Ok(asset) = syn::parse2::<LitStr>(first.into())
        {
            found.insert(asset.value());
        }
        found.extend(assets(group.stream()));
    }
    found
}

/// [`assets`] of a parsed file.
#[must_use]
pub fn assets_of_file(file: &syn::File) -> BTreeSet<String> {
    assets(file.to_token_stream())
}

fn is_named(attribute: &Attribute, name: &str) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == name)
}

/// The arguments of `#[migration(role = "…", wait = all("…"))]`.
pub struct MigrationArgs {
    /// Whose hosts run it.
    pub role: LitStr,
    /// What it waits for.
    pub wait: Option<WaitArg>,
}

/// `all("…")`.
pub struct WaitArg {
    /// Whose hosts it waits for.
    pub role: LitStr,
}

impl WaitArg {
    /// As data.
    #[must_use]
    pub fn value(&self) -> Wait {
        Wait::All { role: self.role.value() }
    }
}

impl Parse for MigrationArgs {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (mut role, mut wait) = (Slot::Missing, Slot::Missing);
        let (end, mut errors) = (input.span(), Errors::default());
        for argument in arguments(input)? {
            match argument.key.to_string().as_str() {
                "role" => argument.set(&mut role, &mut errors),
                "wait" => argument.set(&mut wait, &mut errors),
                _ => errors.add(argument.unknown(&["role", "wait"])),
            }
        }
        if matches!(role, Slot::Missing) {
            errors.add(syn::Error::new(end, "a migration belongs to a role: `#[migration(role = \"…\")]`"));
        }
        errors.none()?;
        let role = role.value().ok_or_else(|| syn::Error::new(end, "no role"))?;
        Ok(Self { role, wait: wait.value() })
    }
}

impl Parse for WaitArg {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let word: syn::Ident = input.parse()?;
        if word != "all" {
            return Err(syn::Error::new(
                word.span(),
                format!("`{word}` is nothing to wait for; write `all(\"role\")`"),
            ));
        }
        let content;
        syn::parenthesized!(content in input);
        let role = content.parse()?;
        comma(&content)?;
        Ok(Self { role })
    }
}

/// The arguments of `#[role(max_out = …, name = "…")]`.
pub struct RoleArgs {
    /// How many of its hosts may be out of load.
    pub max_out: syn::Lit,
    /// Its name, where it is not that of the struct.
    pub name: Option<LitStr>,
}

impl Parse for RoleArgs {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (mut max_out, mut name) = (Slot::Missing, Slot::Missing);
        let (end, mut errors) = (input.span(), Errors::default());
        for argument in arguments(input)? {
            match argument.key.to_string().as_str() {
                "max_out" => argument.set(&mut max_out, &mut errors),
                "name" => argument.set(&mut name, &mut errors),
                _ => errors.add(argument.unknown(&["max_out", "name"])),
            }
        }
        if matches!(max_out, Slot::Missing) {
            let what =
                "how many hosts of the role may be out of load at once? `#[role(max_out = \"25%\")]`, or a number";
            errors.add(syn::Error::new(end, what));
        }
        errors.none()?;
        let max_out = max_out.value().ok_or_else(|| syn::Error::new(end, "no max_out"))?;
        Ok(Self { max_out, name: name.value() })
    }
}

/// All errors of one parse.
#[derive(Debug, Default)]
pub struct Errors(Option<syn::Error>);

impl Errors {
    /// One more.
    pub fn add(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// The value, or nothing and one error more.
    pub fn check<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    /// # Errors
    /// All that were added.
    pub fn none(self) -> syn::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// `key = value`. The value is parsed by itself, so that a wrong one does not hide the arguments after it.
struct Argument {
    key: syn::Ident,
    value: TokenStream,
}

/// A value that may be given once.
enum Slot<T> {
    Missing,
    Wrong,
    Given(T),
}

impl<T> Slot<T> {
    fn value(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Missing | Self::Wrong => None,
        }
    }
}

fn arguments(input: ParseStream<'_>) -> syn::Result<Vec<Argument>> {
    let mut arguments = Vec::new();
    while !input.is_empty() {
        let key = syn::Ident::parse_any(input)?;
        input.parse::<Token![=]>()?;
        let mut value = Vec::<TokenTree>::new();
        while !input.is_empty() && !input.peek(Token![,]) {
            value.push(input.parse()?);
        }
        arguments.push(Argument { key, value: value.into_iter().collect() });
        comma(input)?;
    }
    Ok(arguments)
}

impl Argument {
    fn set<T: Parse>(self, slot: &mut Slot<T>, errors: &mut Errors) {
        let key = &self.key;
        if !matches!(slot, Slot::Missing) {
            errors.add(syn::Error::new(key.span(), format!("`{key}` is given twice")));
        }
        let value = match self.value.is_empty() {
            true => Err(syn::Error::new(key.span(), format!("`{key}` has no value"))),
            false => syn::parse2(self.value),
        };
        *slot = match errors.check(value) {
            Some(value) => Slot::Given(value),
            None => Slot::Wrong,
        };
    }

    fn unknown(&self, known: &[&'static str]) -> syn::Error {
        let word = self.key.to_string();
        let meant = super::nearest(&word, known.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
        let known = known.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ");
        let what = format!("unknown argument `{word}`{}\nknown: {known}", meant.unwrap_or_default());
        syn::Error::new(self.key.span(), what)
    }
}

fn comma(input: ParseStream<'_>) -> syn::Result<()> {
    if input.is_empty() { Ok(()) } else { input.parse::<Token![,]>().map(drop) }
}
