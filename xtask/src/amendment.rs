//! An amendment: a landed migration that is edited for the hosts that have not completed it.
//!
//! Its attribute says why, and `chain.lock` what it says since. The author's text is kept but for the one argument.

use syn::ext::IdentExt as _;
use wb_core::chain::source::is_of_link;
use wb_core::chain::{Digest, Lock, Pin};

/// Why an attribute can't be written.
#[derive(Debug, thiserror::Error)]
pub enum AmendError {
    /// The file does not parse.
    #[error("the file does not parse")]
    Syntax(#[from] syn::Error),
    /// The file has no such function, or one without `#[migration(…)]` or `#[baseline(…)]`.
    #[error("there is no `#[migration(…)]` or `#[baseline(…)]` over `fn {name}`")]
    NoAttribute {
        /// The function.
        name: String,
    },
}

/// The source of the migration `name` with `amended = "why"` in its attribute.
///
/// ```
/// use wb_xtask::amendment::with_reason;
/// let text = "#[migration(role = \"web\")]\nfn a(host: &Host) -> Result<()> { Ok(()) }\n";
/// let amended = with_reason(text, "a", "a typo").unwrap();
/// assert!(amended.starts_with("#[migration(role = \"web\", amended = \"a typo\")]\n"));
/// ```
///
/// # Errors
/// When the text has no such migration.
pub fn with_reason(text: &str, name: &str, why: &str) -> Result<String, AmendError> {
    let offset = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let file = syn::parse_file(text)?;
    let arguments = arguments(&file, name).ok_or_else(|| AmendError::NoAttribute { name: name.to_owned() })?;
    let (range, new) = match reason(&arguments) {
        Some(range) => (range, format!("{why:?}")),
        None => {
            let end = arguments.clone().into_iter().last().map_or(0, |last| last.span().byte_range().end);
            let comma = if ends_with_comma(&arguments) { "" } else { "," };
            (end..end, format!("{comma} amended = {why:?}"))
        }
    };
    Ok(format!("{}{new}{}", &text[..range.start + offset], &text[range.end + offset..]))
}

/// The lock that says that this pin was amended to `now`; or, where that is what it landed with, no longer amended.
#[must_use]
pub fn amended(lock: &Lock, name: &str, now: Digest) -> Lock {
    let mut lock = lock.clone();
    let amend = |pin: &mut Pin| pin.amended = Some(now).filter(|now| *now != pin.digest);
    lock.pins.iter_mut().filter(|pin| pin.name == name).for_each(amend);
    lock
}

/// What stands in the brackets of the attribute over `fn name`.
fn arguments(file: &syn::File, name: &str) -> Option<proc_macro2::TokenStream> {
    let function = file.items.iter().find_map(|item| match item {
        syn::Item::Fn(function) if function.sig.ident.unraw() == name => Some(function),
        _ => None,
    })?;
    function.attrs.iter().find_map(|attribute| match &attribute.meta {
        syn::Meta::List(list) if is_of_link(attribute) => Some(list.tokens.clone()),
        _ => None,
    })
}

/// Where the string of `amended = "…"` stands.
fn reason(arguments: &proc_macro2::TokenStream) -> Option<std::ops::Range<usize>> {
    let tokens: Vec<_> = arguments.clone().into_iter().collect();
    let value = tokens.windows(3).find_map(|tokens| match tokens {
        [proc_macro2::TokenTree::Ident(key), _, value] if key == "amended" => Some(value),
        _ => None,
    })?;
    Some(value.span().byte_range())
}

fn ends_with_comma(arguments: &proc_macro2::TokenStream) -> bool {
    let last = arguments.clone().into_iter().last();
    matches!(last, Some(proc_macro2::TokenTree::Punct(punct)) if punct.as_char() == ',')
}

#[cfg(test)]
mod tests {
    use wb_core::chain::Sha1;

    use super::*;

    #[test]
    fn the_reason_is_written_into_the_attribute() {
        let check = |before: &str, after: &str| {
            let text = |attribute: &str| format!("// ö\n{attribute}\nfn a(host: &Host) {{ b( ) }}\n");
            assert_eq!(with_reason(&text(before), "a", "a \"typo\"").unwrap(), text(after));
            let marked = format!("\u{feff}{}", text(before));
            assert_eq!(with_reason(&marked, "a", "a \"typo\"").unwrap(), format!("\u{feff}{}", text(after)));
        };
        check("#[migration(role = \"web\")]", "#[migration(role = \"web\", amended = \"a \\\"typo\\\"\")]");
        check(
            "#[migration(\n    role = \"web\",\n)]",
            "#[migration(\n    role = \"web\", amended = \"a \\\"typo\\\"\"\n)]",
        );
        check(
            "#[migration(amended = \"x\", role = \"web\")]",
            "#[migration(amended = \"a \\\"typo\\\"\", role = \"web\")]",
        );
        check(
            "#[baseline(role = \"web\", replaces = \"1..2\")]",
            "#[baseline(role = \"web\", replaces = \"1..2\", amended = \"a \\\"typo\\\"\")]",
        );
        check(
            "/// A\n#[wb::migration( role=\"web\" )]",
            "/// A\n#[wb::migration( role=\"web\", amended = \"a \\\"typo\\\"\" )]",
        );
    }

    #[test]
    fn a_file_without_the_migration_is_refused() {
        let check = |text: &str, expect: &str| assert_eq!(with_reason(text, "a", "b").unwrap_err().to_string(), expect);
        check("fn a() {}", "there is no `#[migration(…)]` or `#[baseline(…)]` over `fn a`");
        check("#[migration]\nfn a() {}", "there is no `#[migration(…)]` or `#[baseline(…)]` over `fn a`");
        check("fn", "the file does not parse");
    }

    #[test]
    fn the_lock_says_what_it_was_amended_to() {
        let lock = Lock { pins: vec![Pin::new("a", Sha1::from_bytes([1; 20]), Digest::of(b"a"))], ..Lock::default() };
        let once = amended(&lock, "a", Digest::of(b"b"));
        assert_eq!(once.pins[0].amended, Some(Digest::of(b"b")));
        assert_eq!(amended(&once, "a", Digest::of(b"a")), lock, "taken back");
        assert_eq!(amended(&lock, "b", Digest::of(b"b")), lock);
    }
}
