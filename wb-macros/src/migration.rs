//! `#[migration(role = "…", wait = all("…"))]`.
//!
//! Reads neither git nor files, so that editors expand it without false errors. What only `chain!()` knows comes back
//! through `const` calls: of a link's mistakes at the name of the function, of an unknown role at its string. So the
//! compiler shows them in the migration's own file.
//!
//! A crate may have a thousand migrations, and each build expands all of them: the body of the function is passed on
//! unread.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, LitStr, Signature, Visibility};
use wb_core::chain::source::{Errors, MigrationArgs, WaitArg};
use wb_core::chain::{OnCatchup, Wait, Who};

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
    args.and_then(|args| errors.check(args.check()));
    let Some(head) = errors.check(syn::parse2::<Head>(without_body(item.clone()))) else {
        return beside(errors, item);
    };
    shape.check(&head.0, &mut errors);
    match errors.none() {
        Ok(()) => expand_function(args, &head.0.ident, &item, true),
        Err(error) => {
            let (error, expanded) = (error.to_compile_error(), expand_function(args, &head.0.ident, &item, false));
            quote!(#error #expanded)
        }
    }
}

/// A function up to its body.
struct Head(Signature);

impl Parse for Head {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        input.parse().map(Self)
    }
}

fn without_body(item: TokenStream) -> TokenStream {
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    tokens.pop_if(|last| matches!(last, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace));
    tokens.into_iter().collect()
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

fn expand_function(args: Option<&MigrationArgs>, ident: &Ident, item: &TokenStream, is_sound: bool) -> TokenStream {
    let (constant, name) = (constant(ident), ident.unraw().to_string());
    let role = args.map_or_else(String::new, |args| args.role.value());
    let waits = args.and_then(|args| args.wait.as_ref()).map(WaitArg::value);
    let wait = wait(waits.as_ref());
    let terms = args.map_or_else(|| quote!(::wb_stdlib::__private::Terms::NONE), terms);
    let run = if is_sound {
        quote!(::wb_stdlib::__private::Code::Wrapped(&::wb_stdlib::__private::OfHost(#ident)))
    } else {
        quote!(::wb_stdlib::__private::Code::Bare(|_| ::core::result::Result::Ok(())))
    };
    let roles =
        args.into_iter().flat_map(|args| std::iter::once(&args.role).chain(args.wait.as_ref().map(|w| &w.role)));
    let (link_call, role_calls) = (link_call(ident, &name), roles.map(role_call));
    quote! {
        #item

        #[doc(hidden)]
        #[allow(dead_code, non_upper_case_globals)]
        pub(crate) const #constant: ::wb_stdlib::__private::Migration = ::wb_stdlib::__private::Migration {
            name: #name,
            role: #role,
            wait: #wait,
            replaces: ::core::option::Option::None,
            terms: #terms,
            run: ::core::option::Option::Some(#run),
            sha1: "",
            digest: "",
            index: 0,
        };
        #link_call
        #(#role_calls)*
    }
}

/// A wait that may be none, as a constant.
pub(crate) fn wait(wait: Option<&Wait>) -> TokenStream {
    let wait = wait.map(static_wait);
    option(wait.as_ref())
}

/// A wait, as a constant.
pub(crate) fn static_wait(Wait { who, reached, on_catchup, overdue }: &Wait) -> TokenStream {
    let who = match who {
        Who::All { role } => quote!(All(#role)),
        Who::Any { role } => quote!(Any(#role)),
        Who::Count { role, hosts } => quote!(Count(#role, #hosts)),
        Who::Other(_) => return quote!(::core::compile_error!("no attribute says this")),
    };
    let on_catchup = match on_catchup {
        OnCatchup::Wait | OnCatchup::Other => quote!(Wait),
        OnCatchup::Pass => quote!(Pass),
        OnCatchup::Fail => quote!(Fail),
    };
    let (reached, overdue) = (option(reached.as_ref()), option(overdue.as_ref()));
    quote! {
        ::wb_stdlib::__private::StaticWait {
            who: ::wb_stdlib::__private::StaticWho::#who,
            reached: #reached,
            on_catchup: ::wb_stdlib::__private::OnCatchup::#on_catchup,
            overdue: #overdue,
        }
    }
}

fn option(value: Option<&impl quote::ToTokens>) -> TokenStream {
    value.map_or_else(|| quote!(::core::option::Option::None), |value| quote!(::core::option::Option::Some(#value)))
}

fn terms(args: &MigrationArgs) -> TokenStream {
    let keeps = &args.keeps;
    let timeout = match args.timeout.as_ref().map(|timeout| timeout.0.as_secs()) {
        Some(seconds) => {
            quote!(::core::option::Option::Some(::core::time::Duration::from_secs(#seconds)))
        }
        None => quote!(::core::option::Option::None),
    };
    let (in_load, rerun) = (args.in_load, option(args.rerun.as_ref().map(|rerun| &rerun.0)));
    quote! {
        ::wb_stdlib::__private::Terms {
            keeps: &[#(#keeps),*],
            timeout: #timeout,
            in_load: #in_load,
            inside: &[],
            rerun: #rerun,
        }
    }
}

fn link_call(ident: &Ident, name: &str) -> TokenStream {
    quote_spanned!(ident.span()=> const _: () = super::__WB_VERDICTS.link(#name);)
}

fn role_call(role: &LitStr) -> TokenStream {
    if editor::is_here() {
        return editor::find_role(role).unwrap_or_default();
    }
    quote_spanned!(role.span()=> const _: () = super::__WB_VERDICTS.role(#role);)
}
