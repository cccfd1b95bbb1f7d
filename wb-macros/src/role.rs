//! `#[role(max_out = …, name = "…")]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt as _;
use syn::{ItemStruct, Lit};
use wb_core::chain::source::{Errors, RoleArgs, role_name};

use crate::editor;
use crate::migration::beside;

pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = errors.check(syn::parse2::<RoleArgs>(args));
    let role = errors.check(syn::parse2::<ItemStruct>(item.clone()));
    let max_out = args.as_ref().and_then(|args| errors.check(max_out(&args.max_out)));
    let role = role.and_then(|role| errors.check(without_generics(role)));
    let name = match (&args, &role) {
        (Some(args), Some(role)) => errors.check(name(args, role)),
        _ => None,
    };
    let declared = match (&role, &name) {
        (Some(role), Some(name)) if editor::is_here() => editor::named_role(role, name),
        _ => item.clone(),
    };
    let registered = match (&role, &name, &max_out) {
        (Some(role), Some(name), Some(max_out)) => register(role, name, max_out),
        _ => TokenStream::new(),
    };
    beside(errors, quote!(#declared #registered))
}

fn without_generics(role: ItemStruct) -> syn::Result<ItemStruct> {
    if role.generics.params.is_empty() {
        return Ok(role);
    }
    Err(syn::Error::new_spanned(&role.generics, "a role has no generic parameters"))
}

fn register(role: &ItemStruct, name: &str, max_out: &TokenStream) -> TokenStream {
    let ident = &role.ident;
    quote! {
        ::wb_stdlib::__private::inventory::submit! {
            ::wb_stdlib::__private::RoleDefinition {
                name: #name,
                max_out: #max_out,
                gate: ::wb_stdlib::__private::gate::<#ident>,
                leave: ::wb_stdlib::__private::leave::<#ident>,
                rejoin: ::wb_stdlib::__private::rejoin::<#ident>,
                ..::wb_stdlib::__private::RoleDefinition::PLAIN
            }
        }
    }
}

fn max_out(lit: &Lit) -> syn::Result<TokenStream> {
    let wrong =
        || syn::Error::new_spanned(lit, "write a share (`\"25%\"`, from 1 to 100) or a number of hosts (`1` or more)");
    match lit {
        Lit::Int(hosts) => {
            let hosts: u32 = hosts.base10_parse().ok().filter(|hosts| *hosts > 0).ok_or_else(wrong)?;
            Ok(quote!(::wb_stdlib::__private::MaxOut::Hosts(#hosts)))
        }
        Lit::Str(share) => {
            let share = share.value().strip_suffix('%').and_then(|share| share.trim().parse::<u32>().ok());
            let share = share.filter(|share| (1..=100).contains(share)).ok_or_else(wrong)?;
            Ok(quote!(::wb_stdlib::__private::MaxOut::Percent(#share)))
        }
        _ => Err(wrong()),
    }
}

fn name(args: &RoleArgs, role: &ItemStruct) -> syn::Result<String> {
    let Some(given) = &args.name else { return Ok(role_name(&role.ident.unraw().to_string())) };
    let name = given.value();
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_plain) {
        return Ok(name);
    }
    Err(syn::Error::new_spanned(given, "a role's name has lower case letters, digits and `_`, a letter first"))
}
