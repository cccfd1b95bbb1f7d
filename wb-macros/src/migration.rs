//! `#[migration(role = "…", wait = all("…"))]`.
//!
//! Reads neither git nor files, so that editors expand it without false errors. What only `chain!()` knows comes back
//! through two `const` calls: of a link's mistakes at the name of the function, of an unknown role at its string. So the
//! compiler shows them in the migration's own file.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{ItemFn, LitStr};
use wb_core::chain::source::{Errors, MigrationArgs};

use crate::editor;
use crate::signature::Shape;

const SHAPE: Shape = Shape { what: "a migration", host: "Host" };

pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = errors.check(syn::parse2::<MigrationArgs>(args));
    declare(&SHAPE, args.as_ref(), errors, item)
}

/// Declares the link that a function of this shape is.
pub(crate) fn declare(
    shape: &Shape,
    args: Option<&MigrationArgs>,
    mut errors: Errors,
    item: TokenStream,
) -> TokenStream {
    let Some(function) = errors.check(syn::parse2::<ItemFn>(item.clone())) else {
        return beside(errors, item);
    };
    shape.check(&function.sig, &mut errors);
    match errors.none() {
        Ok(()) => expand_function(args, &function, true),
        Err(error) => {
            let (error, expanded) = (error.to_compile_error(), expand_function(args, &function, false));
            quote!(#error #expanded)
        }
    }
}

/// The constant by which `chain!()` finds the migration of a module.
pub(crate) fn constant(function: &Ident) -> Ident {
    format_ident!("__WB_MIGRATION_{}", function.unraw())
}

/// The errors, and what the user wrote.
pub(crate) fn beside(errors: Errors, item: TokenStream) -> TokenStream {
    match errors.none() {
        Ok(()) => item,
        Err(error) => {
            let error = error.to_compile_error();
            quote!(#error #item)
        }
    }
}

fn expand_function(args: Option<&MigrationArgs>, function: &ItemFn, is_sound: bool) -> TokenStream {
    let ident = &function.sig.ident;
    let (constant, name) = (constant(ident), ident.unraw().to_string());
    let role = args.map_or_else(String::new, |args| args.role.value());
    let wait = match args.and_then(|args| args.wait.as_ref()) {
        Some(wait) => {
            let role = &wait.role;
            quote!(::core::option::Option::Some(::wb_stdlib::__private::StaticWait::All(#role)))
        }
        None => quote!(::core::option::Option::None),
    };
    let run = if is_sound {
        quote!(|context| ::wb_stdlib::__private::run(context, #ident))
    } else {
        quote!(|_| ::core::result::Result::Ok(()))
    };
    let roles =
        args.into_iter().flat_map(|args| std::iter::once(&args.role).chain(args.wait.as_ref().map(|w| &w.role)));
    let (link_call, role_calls) = (link_call(ident, &name), roles.map(role_call));
    quote! {
        #function

        #[doc(hidden)]
        #[allow(dead_code, non_upper_case_globals)]
        pub(crate) const #constant: ::wb_stdlib::__private::Migration = ::wb_stdlib::__private::Migration {
            name: #name,
            role: #role,
            wait: #wait,
            replaces: ::core::option::Option::None,
            run: ::core::option::Option::Some(#run),
            sha1: "",
            digest: "",
            index: 0,
        };
        #link_call
        #(#role_calls)*
    }
}

fn link_call(ident: &Ident, name: &str) -> TokenStream {
    quote_spanned!(ident.span()=> const _: () = super::__wb_link(#name);)
}

fn role_call(role: &LitStr) -> TokenStream {
    if editor::is_here() {
        return editor::find_role(role).unwrap_or_default();
    }
    quote_spanned!(role.span()=> const _: () = super::__wb_role(#role);)
}
