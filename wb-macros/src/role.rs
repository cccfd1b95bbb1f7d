//! `#[role(max_out = …, max_failed = 2, windows = ["Sat,Sun 22:00-04:00"], name = "…")]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt as _;
use syn::{ItemStruct, Lit, LitInt, LitStr};
use wb_core::chain::source::{Errors, RoleArgs, Windows, role_name};
use wb_core::window::Window;

use crate::editor;
use crate::migration::beside;

pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = errors.check(syn::parse2::<RoleArgs>(args));
    let role = errors.check(syn::parse2::<ItemStruct>(item.clone()));
    let turns = args.as_ref().and_then(|args| turns(args, &mut errors));
    let role = role.and_then(|role| errors.check(without_generics(role)));
    let name = match (&args, &role) {
        (Some(args), Some(role)) => errors.check(name(args, role)),
        _ => None,
    };
    let declared = match (&role, &name) {
        (Some(role), Some(name)) if editor::is_here() => editor::named_role(role, name),
        _ => item.clone(),
    };
    let registered = match (&role, &name, &turns) {
        (Some(role), Some(name), Some(turns)) => register(role, name, turns),
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

fn register(role: &ItemStruct, name: &str, turns: &TokenStream) -> TokenStream {
    let ident = &role.ident;
    quote! {
        ::wb_stdlib::__private::inventory::submit! {
            ::wb_stdlib::__private::RoleDefinition {
                name: #name,
                #turns
                gate: ::wb_stdlib::__private::gate::<#ident>,
                leave: ::wb_stdlib::__private::leave::<#ident>,
                rejoin: ::wb_stdlib::__private::rejoin::<#ident>,
            }
        }
    }
}

/// How the hosts of the role take turns, as fields of its definition.
fn turns(args: &RoleArgs, errors: &mut Errors) -> Option<TokenStream> {
    let max_out = errors.check(max_out(&args.max_out));
    let max_failed = args.max_failed.as_ref().map(|lit| errors.check(max_failed(lit)));
    let windows = args.windows.as_ref().map(|windows| windows_of(windows, errors));
    let (max_out, max_failed, windows) =
        (max_out?, max_failed.unwrap_or_else(|| Some(quote!(1)))?, windows.unwrap_or_else(|| Some(Vec::new()))?);
    Some(quote!(max_out: #max_out, max_failed: #max_failed, windows: &[#(#windows),*],))
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

fn max_failed(lit: &LitInt) -> syn::Result<TokenStream> {
    let wrong = || {
        let what =
            "how many hosts may fail at a migration before no other begins it? `1` (which it is by itself) or more";
        syn::Error::new_spanned(lit, what)
    };
    let hosts: u32 = lit.base10_parse().ok().filter(|hosts| *hosts > 0).ok_or_else(wrong)?;
    Ok(quote!(#hosts))
}

/// The windows, where each is one.
fn windows_of(windows: &Windows, errors: &mut Errors) -> Option<Vec<LitStr>> {
    if windows.texts.is_empty() {
        let what = "with no window at all no host would ever leave load; leave `windows` out if any time is right";
        errors.add(syn::Error::new(windows.brackets.span.join(), what));
        return None;
    }
    let read = |text: &LitStr| text.value().parse::<Window>().map_err(|error| syn::Error::new(text.span(), error));
    let right: Vec<bool> = windows.texts.iter().map(|text| errors.check(read(text)).is_some()).collect();
    right.into_iter().all(|right| right).then(|| windows.texts.clone())
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
