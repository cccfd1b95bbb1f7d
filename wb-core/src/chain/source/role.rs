//! The arguments of `#[role(…)]`.

use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{LitInt, LitStr, Token, bracketed};

use super::{Errors, Slot, arguments};

/// The arguments of `#[role(max_out = …, max_failed = 2, windows = ["Sat,Sun 22:00-04:00"], name = "…")]`.
pub struct RoleArgs {
    /// How many of its hosts may be out of load.
    pub max_out: syn::Lit,
    /// How many of them may fail at a link before no other begins it.
    pub max_failed: Option<LitInt>,
    /// When its hosts may leave load.
    pub windows: Option<Windows>,
    /// Its name, where it is not that of the struct.
    pub name: Option<LitStr>,
}

/// `["Sat,Sun 22:00-04:00", "daily 02:00-03:00"]`.
pub struct Windows {
    /// What stands in the brackets.
    pub texts: Vec<LitStr>,
    /// The brackets.
    pub brackets: syn::token::Bracket,
}

const KNOWN: [&str; 4] = ["max_out", "max_failed", "windows", "name"];

impl Parse for RoleArgs {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (mut max_out, mut max_failed, mut windows, mut name) =
            (Slot::Missing, Slot::Missing, Slot::Missing, Slot::Missing);
        let (end, mut errors) = (input.span(), Errors::default());
        for argument in arguments(input)? {
            match argument.key.to_string().as_str() {
                "max_out" => argument.set(&mut max_out, &mut errors),
                "max_failed" => argument.set(&mut max_failed, &mut errors),
                "windows" => argument.set(&mut windows, &mut errors),
                "name" => argument.set(&mut name, &mut errors),
                _ => errors.add(argument.unknown(&KNOWN)),
            }
        }
        if matches!(max_out, Slot::Missing) {
            let what =
                "how many hosts of the role may be out of load at once? `#[role(max_out = \"25%\")]`, or a number";
            errors.add(syn::Error::new(end, what));
        }
        errors.none()?;
        let max_out = max_out.value().ok_or_else(|| syn::Error::new(end, "no max_out"))?;
        Ok(Self { max_out, max_failed: max_failed.value(), windows: windows.value(), name: name.value() })
    }
}

impl Parse for Windows {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let content;
        let brackets = bracketed!(content in input);
        let texts = Punctuated::<LitStr, Token![,]>::parse_terminated(&content)?;
        Ok(Self { texts: texts.into_iter().collect(), brackets })
    }
}
