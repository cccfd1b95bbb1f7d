//! `#[spec]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemFn;
use syn::ext::IdentExt as _;
use wb_core::chain::source::Errors;

use crate::migration::beside;
use crate::signature::Shape;

const SHAPE: Shape = Shape { what: "a spec", host: "View" };

pub(crate) fn expand(args: &TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    if !args.is_empty() {
        errors.add(syn::Error::new_spanned(args, "`#[spec]` takes no arguments"));
    }
    let Some(function) = errors.check(syn::parse2::<ItemFn>(item.clone())) else {
        return beside(errors, item);
    };
    SHAPE.check(&function.sig, &mut errors);
    match errors.none() {
        Ok(()) => expand_function(&function),
        Err(error) => {
            let error = error.to_compile_error();
            quote!(#error #[allow(dead_code)] #item)
        }
    }
}

fn expand_function(function: &ItemFn) -> TokenStream {
    let ident = &function.sig.ident;
    let name = ident.unraw().to_string();
    quote! {
        #function

        ::wb_stdlib::__private::inventory::submit! {
            ::wb_stdlib::__private::Spec {
                module: ::core::module_path!(),
                name: #name,
                check: |context| ::wb_stdlib::__private::spec(context, #ident),
            }
        }
    }
}
