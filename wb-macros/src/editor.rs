//! What editors get, and the compiler does not: a way from the name of a role to the role.
//!
//! rust-analyzer takes a token of the source for every token that has its span. So `#[role]` gives the struct a second
//! name, made of the role's, and `#[migration]` imports that name, with the span of the string that names the role. What
//! rust-analyzer finds behind the string then is the struct: to jump to, to read about, and to look for uses of. A role
//! that there is not is an import that can't be resolved, at the string.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{ItemStruct, LitStr, Visibility, parse_quote};
use wb_core::system::environment;

/// Whether an editor expands the macros. rust-analyzer sets this for the process that it runs them in.
pub(crate) fn is_here() -> bool {
    environment::var("RUST_ANALYZER_INTERNALS_DO_NOT_USE").is_some()
}

/// The struct of a role, with its second name. A private one becomes visible where migrations are.
pub(crate) fn named_role(role: &ItemStruct, name: &str) -> TokenStream {
    let mut role = role.clone();
    if matches!(role.vis, Visibility::Inherited) {
        role.vis = parse_quote!(pub(crate));
    }
    let (ident, alias) = (&role.ident, format_ident!("__wb_role_{name}"));
    quote!(#role #[doc(hidden)] #[allow(unused_imports)] pub(crate) use self::#ident as #alias;)
}

/// The import of a role that stands at the role's string.
pub(crate) fn find_role(role: &LitStr) -> Option<TokenStream> {
    let mut alias = syn::parse_str::<Ident>(&format!("__wb_role_{}", role.value())).ok()?;
    alias.set_span(role.span());
    Some(quote!(#[allow(unused_imports)] use crate::roles::#alias as _;))
}
