//! `#[spec]` and `#[spec(role = "…")]`.
//!
//! A spec of a role may stand anywhere in the crate, also where nobody can ask `chain!()` for its verdict. So that
//! there is such a role is checked as for settings: `src/roles.rs` is read.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt as _;
use syn::{ItemFn, LitStr};
use wb_core::chain::source::{Errors, SpecArgs};

use crate::editor;
use crate::migration::beside;
use crate::settings::check_role;
use crate::signature::Shape;

const SHAPE: Shape = Shape { what: "a spec", host: "View" };

pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let role = errors.check(syn::parse2::<SpecArgs>(args)).and_then(|args| args.role);
    let way = role.as_ref().and_then(|role| way_to(role, &mut errors));
    let Some(function) = errors.check(syn::parse2::<ItemFn>(item.clone())) else {
        return beside(errors, item);
    };
    SHAPE.check(&function.sig, &mut errors);
    match errors.none() {
        Ok(()) => expand_function(&function, role.as_ref(), way.as_ref()),
        Err(error) => {
            let error = error.to_compile_error();
            quote!(#error #[allow(dead_code)] #item)
        }
    }
}

/// What leads an editor from the string to the role. For the compiler, that there is one is checked here.
fn way_to(role: &LitStr, errors: &mut Errors) -> Option<TokenStream> {
    if editor::is_here() {
        return editor::find_role(role);
    }
    errors.check(check_role(role));
    None
}

fn expand_function(function: &ItemFn, role: Option<&LitStr>, way: Option<&TokenStream>) -> TokenStream {
    let ident = &function.sig.ident;
    let name = ident.unraw().to_string();
    let of_role = role.map(|role| quote!(.of_role(#role)));
    quote! {
        #function
        #way

        ::wb_stdlib::__private::inventory::submit! {
            ::wb_stdlib::__private::Spec::new(
                ::core::module_path!(),
                #name,
                |context| ::wb_stdlib::__private::spec(context, #ident),
            ) #of_role
        }
    }
}
