//! `#[reusable]`: a body for many links, and none of the chain by itself.
//!
//! The function stays what it is. Only its shape is checked, since `cargo xtask apply` counts on it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{FnArg, ItemFn, Type, Visibility};
use wb_core::chain::source::Errors;

use crate::migration::beside;
use crate::signature::Shape;

const SHAPE: Shape = Shape { what: "a reusable", host: "Host" };

pub(crate) fn expand(args: &TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    if !args.is_empty() {
        let what = "`#[reusable]` takes no arguments: what differs from link to link is a field of the function's own";
        errors.add(syn::Error::new_spanned(args, what));
    }
    let Some(function) = errors.check(syn::parse2::<ItemFn>(item.clone())) else {
        return beside(errors, item);
    };
    check(&function, &mut errors);
    // Until the first link applies it, nobody calls it.
    beside(errors, quote!(#[allow(dead_code)] #item))
}

fn check(function: &ItemFn, errors: &mut Errors) {
    SHAPE.check_with_args(&function.sig, errors);
    if matches!(function.vis, Visibility::Inherited) {
        let name = &function.sig.ident;
        let what = format!("links under src/chain call a reusable: `pub fn {name}`");
        errors.add(syn::Error::new_spanned(function.sig.fn_token, what));
    }
    if function.sig.inputs.len() == 2
        && let Some(FnArg::Typed(args)) = function.sig.inputs.get(1)
        && !matches!(&*args.ty, Type::Path(_))
    {
        let what = "a reusable takes its arguments as one struct with named fields, by value";
        errors.add(syn::Error::new_spanned(&args.ty, what));
    }
}
