//! `#[settings(role = "web", name = "network")]`: the type of a table of `herd.toml`, and `#[settings(part)]`: the type of
//! something in one.
//!
//! The type gets serde's `Deserialize`, which refuses keys that it does not have. A table is registered, so that the runner
//! can check a whole herd before anything happens. That the role is there is checked here: `src/roles.rs` lies in the
//! crate that is being compiled, which is compiled again whenever it changes.

use std::collections::BTreeSet;
use std::path::Path;

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{Fields, Ident, Item, ItemStruct, LitStr, Token};
use wb_core::chain::nearest;
use wb_core::chain::source::{Errors, role_name, roles};
use wb_core::system::{environment, files};

use crate::migration::beside;

pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = errors.check(syn::parse2::<Args>(args));
    let parsed = errors.check(syn::parse2::<Item>(item.clone()));
    let (Some(args), Some(parsed)) = (args, parsed) else { return beside(errors, item.clone()) };
    if args.is_part {
        let derived = derived(&parsed, item, &mut errors);
        return beside(errors, derived);
    }
    let table = match &parsed {
        Item::Struct(table) => errors.check(is_table(table)).map(|()| table),
        other => {
            errors.add(syn::Error::new_spanned(other, "a table of settings is a struct with named fields"));
            None
        }
    };
    let name = table.and_then(|table| errors.check(name(&args, table)));
    if let Some(role) = &args.role {
        errors.check(check_role(role));
    }
    let derived = derived(&parsed, item, &mut errors);
    let registered = table.zip(name).map(|(table, name)| register(table, &name, args.role.as_ref()));
    beside(errors, quote!(#derived #registered))
}

/// What stands in the brackets.
#[derive(Default)]
struct Args {
    is_part: bool,
    role: Option<LitStr>,
    name: Option<LitStr>,
}

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut args = Self::default();
        while !input.is_empty() {
            let key = input.call(Ident::parse_any)?;
            let twice = || syn::Error::new(key.span(), format!("`{key}` is given twice"));
            match key.to_string().as_str() {
                "part" if !args.is_part => args.is_part = true,
                "role" if args.role.is_none() => args.role = Some(value(input)?),
                "name" if args.name.is_none() => args.name = Some(value(input)?),
                "part" | "role" | "name" => return Err(twice()),
                _ => {
                    let what = format!("unknown argument `{key}`\nknown: `role`, `name`, `part`");
                    return Err(syn::Error::new(key.span(), what));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        match (args.is_part, args.role.as_ref().or(args.name.as_ref())) {
            (true, Some(other)) => {
                let what = "a part of a table has no role and no name of its own: `#[settings(part)]`";
                Err(syn::Error::new(other.span(), what))
            }
            _ => Ok(args),
        }
    }
}

fn value(input: ParseStream<'_>) -> syn::Result<LitStr> {
    input.parse::<Token![=]>()?;
    input.parse()
}

fn is_table(table: &ItemStruct) -> syn::Result<()> {
    if !table.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(&table.generics, "a table of settings has no generic parameters"));
    }
    match &table.fields {
        Fields::Named(_) => Ok(()),
        _ => Err(syn::Error::new_spanned(table, "a table of settings is a struct with named fields")),
    }
}

/// `NetworkSettings` is the table `network`.
fn name(args: &Args, table: &ItemStruct) -> syn::Result<String> {
    let is_key = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match &args.name {
        Some(given) if given.value().is_empty() || !given.value().chars().all(is_key) => {
            Err(syn::Error::new(given.span(), "a table's name has letters, digits, `_` and `-`"))
        }
        Some(given) => Ok(given.value()),
        None => {
            let name = role_name(&table.ident.unraw().to_string());
            Ok(name.strip_suffix("_settings").unwrap_or(&name).to_owned())
        }
    }
}

/// Whether the crate has this role. Where nobody says which crate this is, or it has no roles, as in tests, any role
/// will do.
pub(crate) fn check_role(role: &LitStr) -> syn::Result<()> {
    let Some(known) = known_roles() else { return Ok(()) };
    if known.contains(&role.value()) {
        return Ok(());
    }
    let meant =
        nearest(&role.value(), known.iter().map(String::as_str)).map(|near| format!("; did you mean `{near}`?"));
    let known: Vec<String> = known.iter().map(|role| format!("`{role}`")).collect();
    let what = format!(
        "there is no role `{}`{}\nthe roles of src/roles.rs are {}",
        role.value(),
        meant.unwrap_or_default(),
        known.join(", ")
    );
    Err(syn::Error::new(role.span(), what))
}

fn known_roles() -> Option<BTreeSet<String>> {
    let crate_dir = environment::var("CARGO_MANIFEST_DIR")?;
    let text = files::read_text(Path::new(&crate_dir).join("src/roles.rs")).ok()?;
    Some(roles(&syn::parse_file(&text).ok()?))
}

/// The type with `Deserialize`. What is misspelt is no key of it.
fn derived(parsed: &Item, item: &TokenStream, errors: &mut Errors) -> TokenStream {
    let is_struct = match parsed {
        Item::Struct(_) => true,
        Item::Enum(_) => false,
        other => {
            errors.add(syn::Error::new_spanned(other, "settings are structs and enums"));
            return item.clone();
        }
    };
    let deny = is_struct.then(|| quote!(deny_unknown_fields,));
    quote! {
        #[derive(::wb_stdlib::__private::serde::Deserialize)]
        #[serde(#deny crate = "::wb_stdlib::__private::serde")]
        #item
    }
}

fn register(table: &ItemStruct, name: &str, role: Option<&LitStr>) -> TokenStream {
    let ident = &table.ident;
    let role =
        role.map_or_else(|| quote!(::core::option::Option::None), |role| quote!(::core::option::Option::Some(#role)));
    quote! {
        impl ::wb_stdlib::herd::Settings for #ident {
            const TABLE: &'static str = #name;
        }
        ::wb_stdlib::__private::inventory::submit! {
            ::wb_stdlib::__private::SettingsDefinition {
                table: #name,
                role: #role,
                fits: ::wb_stdlib::__private::fits::<#ident>,
            }
        }
    }
}
