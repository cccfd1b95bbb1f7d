//! The macros of Wildebeest. They are documented where users meet them: on the re-exports of `wb-stdlib`.
//!
//! Each macro is a function from tokens to tokens in a module of its own, in four steps: parse (`syn`), model (a struct
//! of what was said), check (all errors at once, each at the guilty tokens), expand (`quote!`). A macro never panics, and
//! still emits the user's item beside its errors, so that one mistake is one error. Only `chain!()` reads git.

mod baseline;
mod chain;
mod editor;
mod migration;
mod reusable;
mod role;
mod runner;
mod settings;
mod signature;
mod spec;
mod template;

use proc_macro::TokenStream;

/// Declares a migration.
#[proc_macro_attribute]
pub fn migration(args: TokenStream, item: TokenStream) -> TokenStream {
    migration::expand(args.into(), item.into()).into()
}

/// Declares a migration that stands for earlier ones.
#[proc_macro_attribute]
pub fn baseline(args: TokenStream, item: TokenStream) -> TokenStream {
    baseline::expand(args.into(), item.into()).into()
}

/// Declares a role.
#[proc_macro_attribute]
pub fn role(args: TokenStream, item: TokenStream) -> TokenStream {
    role::expand(args.into(), &item.into()).into()
}

/// Declares a check that is true after a migration, or on all hosts of a role.
#[proc_macro_attribute]
pub fn spec(args: TokenStream, item: TokenStream) -> TokenStream {
    spec::expand(args.into(), item.into()).into()
}

/// Declares the body of many migrations.
#[proc_macro_attribute]
pub fn reusable(args: TokenStream, item: TokenStream) -> TokenStream {
    reusable::expand(&args.into(), item.into()).into()
}

/// Fills an asset in.
#[proc_macro]
pub fn template(input: TokenStream) -> TokenStream {
    template::expand(input.into()).into()
}

/// Gives the bytes of an asset.
#[proc_macro]
pub fn asset(input: TokenStream) -> TokenStream {
    template::expand_asset(input.into()).into()
}

/// Gives all files of a directory of assets.
#[proc_macro]
pub fn assets(input: TokenStream) -> TokenStream {
    template::expand_assets(input.into()).into()
}

/// Declares the type of a table of settings.
#[proc_macro_attribute]
pub fn settings(args: TokenStream, item: TokenStream) -> TokenStream {
    settings::expand(args.into(), &item.into()).into()
}

/// Registers the links of the chain, each in its place, and checks them against git.
#[proc_macro]
pub fn chain(input: TokenStream) -> TokenStream {
    chain::expand(&input.into()).into()
}

/// Defines the `main` of a runner.
#[proc_macro]
pub fn runner(input: TokenStream) -> TokenStream {
    runner::expand(&input.into()).into()
}
