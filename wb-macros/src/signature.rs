//! The shape of the functions that migrations and specs are.

use quote::ToTokens;
use syn::{FnArg, ReturnType, Signature, Type};
use wb_core::chain::source::Errors;

/// `fn name(host: &Host) -> Result<()>`, with the type that stands for the host.
pub(crate) struct Shape {
    /// What such a function is called: `a migration`.
    pub(crate) what: &'static str,
    /// `Host` or `View`.
    pub(crate) host: &'static str,
}

impl Shape {
    /// Adds an error for each way in which `signature` has another shape.
    pub(crate) fn check(&self, signature: &Signature, errors: &mut Errors) {
        let usage = format!("`fn {}(host: &{}) -> Result<()>`", signature.ident, self.host);
        self.check_as(signature, &usage, errors);
    }

    /// As [`Shape::check`], for a function that takes one more argument of its own, or none.
    pub(crate) fn check_with_args(&self, signature: &Signature, errors: &mut Errors) {
        let usage = format!("`fn {}(host: &{}, args: Args) -> Result<()>`", signature.ident, self.host);
        let mut without = signature.clone();
        without.inputs = match signature.inputs.len() {
            2 => signature.inputs.iter().take(1).cloned().collect(),
            _ => signature.inputs.clone(),
        };
        self.check_as(&without, &usage, errors);
    }

    fn check_as(&self, signature: &Signature, usage: &str, errors: &mut Errors) {
        let mut wrong = |tokens: &dyn ToTokens, why: String| {
            errors.add(syn::Error::new_spanned(tokens.to_token_stream(), format!("{why}: {usage}")));
        };
        if let Some(token) = &signature.asyncness {
            wrong(token, format!("{} is not async", self.what));
        }
        if !signature.generics.params.is_empty() {
            wrong(&signature.generics, format!("{} has no generic parameters", self.what));
        }
        match signature.inputs.iter().collect::<Vec<_>>().as_slice() {
            [FnArg::Typed(input)] if is_reference_to(&input.ty, self.host) => {}
            [FnArg::Typed(input)] => wrong(&input.ty, format!("{} takes a `&{}`", self.what, self.host)),
            [] => wrong(&signature.ident, format!("{} takes a `&{}`", self.what, self.host)),
            _ => wrong(&signature.inputs, format!("{} takes one `&{}`", self.what, self.host)),
        }
        match &signature.output {
            ReturnType::Type(_, output) if ends_in(output, "Result") => {}
            ReturnType::Type(_, output) => wrong(output, format!("{} gives a `Result<()>`", self.what)),
            ReturnType::Default => wrong(&signature.ident, format!("{} gives a `Result<()>`", self.what)),
        }
    }
}

fn is_reference_to(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Reference(reference) if reference.mutability.is_none() && ends_in(&reference.elem, name))
}

fn ends_in(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == name))
}
