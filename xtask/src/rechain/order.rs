//! The `mod` lines of `src/chain.rs`, each with the comment above it, brought into another order.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;

/// The module that a line declares.
#[must_use]
pub fn module(line: &str) -> Option<&str> {
    line.trim().strip_prefix("pub ").unwrap_or(line.trim()).strip_prefix("mod ")?.split(';').next().map(str::trim)
}

/// `text` with its `mod` lines in this order. Lines that the order does not name stay where they are, and so does
/// everything that is no `mod` line; a comment stays with the line below it.
///
/// # Errors
/// When the text is no Rust.
pub fn in_order(text: &str, order: &[String]) -> syn::Result<String> {
    let slots = slots(text)?;
    let places: BTreeMap<&str, usize> = order.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
    let mut ordered: Vec<&Slot> = slots.iter().filter(|slot| places.contains_key(slot.name.as_str())).collect();
    ordered.sort_by_key(|slot| places[slot.name.as_str()]);
    let mut ordered: VecDeque<&Slot> = ordered.into();
    let (mut written, mut end) = (String::new(), 0);
    for slot in &slots {
        let next = if places.contains_key(slot.name.as_str()) { ordered.pop_front() } else { None };
        written += &text[end..slot.range.start];
        written += &text[next.unwrap_or(slot).range.clone()];
        end = slot.range.end;
    }
    Ok(written + &text[end..])
}

/// A `mod` line, and where it stands with its comment.
struct Slot {
    name: String,
    range: Range<usize>,
}

fn slots(text: &str) -> syn::Result<Vec<Slot>> {
    let file = syn::parse_file(text)?;
    let offset = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let lines = file.items.iter().filter_map(|item| match item {
        syn::Item::Mod(module) if module.content.is_none() => {
            let range = module.span().byte_range();
            let (start, end) = (with_comment(text, range.start + offset), range.end + offset);
            Some(Slot { name: module.ident.unraw().to_string(), range: start..end })
        }
        _ => None,
    });
    Ok(lines.collect())
}

/// Where the comment begins that stands right above what begins at `start`.
fn with_comment(text: &str, start: usize) -> usize {
    let mut start = start;
    let line_start = text[..start].rfind('\n').map_or(0, |end| end + 1);
    if !text[line_start..start].trim().is_empty() {
        return start;
    }
    for line in text[..line_start].split_inclusive('\n').rev() {
        let comment = line.trim_start();
        if !comment.starts_with("//") || comment.starts_with("//!") {
            break;
        }
        start = text[..start].rfind(line).unwrap_or(start);
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, order: &str, expect: &str) {
        let order: Vec<String> = order.split_whitespace().map(str::to_owned).collect();
        assert_eq!(in_order(text, &order).unwrap(), expect);
    }

    #[test]
    fn lines_are_put_in_order() {
        check("mod b;\nmod a;\n\nchain!();\n", "a b", "mod a;\nmod b;\n\nchain!();\n");
        check("mod a;\nmod b;\n", "a b", "mod a;\nmod b;\n");
        check("pub mod b;\r\nmod r#a;\r\n", "a b", "mod r#a;\r\npub mod b;\r\n");
        check("\u{feff}mod b;\nmod a;\n", "a b", "\u{feff}mod a;\nmod b;\n");
    }

    #[test]
    fn a_comment_stays_with_the_line_below_it() {
        check(
            "//! The order.\n\n// First b.\n// Really.\nmod b;\n/// Then a.\nmod a;\n\n// The end.\nchain!();\n",
            "a b",
            "//! The order.\n\n/// Then a.\nmod a;\n// First b.\n// Really.\nmod b;\n\n// The end.\nchain!();\n",
        );
    }

    #[test]
    fn everything_else_stays_where_it_is() {
        check(
            "mod c;\nuse x::y;\nmod b;\nmod inner {}\nmod a;\n",
            "a b",
            "mod c;\nuse x::y;\nmod a;\nmod inner {}\nmod b;\n",
        );
        check("mod ö;\nmod b;\nmod a;\n", "a b ö", "mod a;\nmod b;\nmod ö;\n");
        check("mod b; mod a;\n", "a b", "mod a; mod b;\n");
    }

    #[test]
    fn what_is_no_rust_is_refused() {
        assert!(in_order("mod a\n", &[]).is_err());
    }
}
