//! The arguments of `#[spec(…)]`.

use syn::LitStr;
use syn::parse::{Parse, ParseStream};

use super::{Errors, Slot, arguments};

/// The arguments of `#[spec(role = "…")]`.
pub struct SpecArgs {
    /// On whose hosts it is to hold; nothing: it is of the migration in whose file it stands.
    pub role: Option<LitStr>,
}

const KNOWN: [&str; 1] = ["role"];

impl Parse for SpecArgs {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (mut role, mut errors) = (Slot::Missing, Errors::default());
        for argument in arguments(input)? {
            match argument.key.to_string().as_str() {
                "role" => argument.set(&mut role, &mut errors),
                _ => errors.add(argument.unknown(&KNOWN)),
            }
        }
        errors.none()?;
        Ok(Self { role: role.value() })
    }
}
