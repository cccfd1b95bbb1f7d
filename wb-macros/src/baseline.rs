//! `#[baseline(role = "…", replaces = "FROM..TO")]`.
//!
//! A baseline is declared as a migration is. What it replaces is judged by `chain!()`, which knows the links, and which
//! registers those whose files are gone without code, so that they keep their places.

use proc_macro2::TokenStream;
use quote::quote;
use wb_core::chain::source::{BaselineArgs, Errors};
use wb_core::chain::{Link, Range};

use crate::migration::{declare, wait};
use crate::signature::Shape;

const SHAPE: Shape = Shape { what: "a baseline", host: "Host" };

pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = errors.check(syn::parse2::<BaselineArgs>(args));
    declare(&SHAPE, args.as_ref().map(|args| &args.link), errors, item)
}

/// What a link stands for, as a constant.
pub(crate) fn replaces(link: &Link) -> TokenStream {
    match link.replaces {
        Some(Range { from, to }) => {
            let (from, to) = (from.to_string(), to.to_string());
            quote!(::core::option::Option::Some((#from, #to)))
        }
        None => quote!(::core::option::Option::None),
    }
}

/// A link whose code is gone, as a constant that has no place yet.
pub(crate) fn gone(link: &Link) -> TokenStream {
    let (name, role) = (&link.name, &link.role);
    let (wait, in_load) = (wait(link.wait.as_ref()), link.in_load);
    quote! {
        ::wb_stdlib::__private::Migration {
            name: #name,
            role: #role,
            wait: #wait,
            replaces: ::core::option::Option::None,
            terms: ::wb_stdlib::__private::Terms { in_load: #in_load, ..::wb_stdlib::__private::Terms::NONE },
            run: ::core::option::Option::None,
            sha1: "",
            digest: "",
            index: 0,
        }
    }
}
