//! `runner!()`.

use proc_macro2::TokenStream;
use quote::quote;

pub(crate) fn expand(input: &TokenStream) -> TokenStream {
    let error = takes_nothing(input, "runner!()");
    quote! {
        #error
        fn main() -> ::std::process::ExitCode {
            ::wb_stdlib::__private::main()
        }
    }
}

/// The error of a macro without arguments that got some.
pub(crate) fn takes_nothing(input: &TokenStream, name: &str) -> Option<TokenStream> {
    let error = || syn::Error::new_spanned(input, format!("`{name}` takes no arguments")).to_compile_error();
    (!input.is_empty()).then(error)
}
