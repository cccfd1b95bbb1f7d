//! Values in files of nested keys: TOML, JSON, YAML.
//!
//! Each format is edited by a crate that keeps what it does not touch. What comes out is read again, and is only taken
//! when it says what the old text said, but for the one value.

use serde::Serialize;
use serde_json::{Map, Value};

use super::lines::end_of_lines;
use super::way::{Step, part, steps, way};
use super::{Change, Unfit};

type EditText = fn(&str, &[Step], Option<&Value>) -> Result<String, Unfit>;

/// What this room knows of a format.
#[derive(Clone, Copy)]
pub(super) struct Format {
    pub(super) name: &'static str,
    /// What a text says, as an object.
    pub(super) read: fn(&str) -> Result<Value, Unfit>,
    /// The text with another value at the end of the steps, or with none. That it has another one already is known, and
    /// that what the steps before lead to is what the next one needs: of a key an object or nothing, of an item a list that
    /// has it.
    pub(super) edit: EditText,
}

/// A value that is to be at a path, or is not to be there.
pub(super) struct Tree {
    format: Format,
    path: String,
    wanted: Option<Result<Value, serde_json::Error>>,
}

impl Tree {
    pub(super) fn new(format: Format, path: String, value: impl Serialize) -> Self {
        Self { format, path, wanted: Some(serde_json::to_value(value)) }
    }

    pub(super) fn gone(format: Format, path: String) -> Self {
        Self { format, path, wanted: None }
    }

    fn edited(&self, text: &str) -> Result<Option<String>, Unfit> {
        let steps = steps(&self.path)?;
        let wanted = match &self.wanted {
            Some(Ok(value)) => Some(value),
            Some(Err(_)) => return Err(Unfit::BadText { what: "the value", why: "it is no value of JSON" }),
            None => None,
        };
        let before = (self.format.read)(text)?;
        let mut after = before.clone();
        put(&mut after, &steps, wanted)?;
        if after == before {
            return Ok(None);
        }
        let edited = (self.format.edit)(text, &steps, wanted)?;
        if without_empty((self.format.read)(&edited)?) != without_empty(after) {
            return Err(self.not_kept());
        }
        Ok(Some(edited))
    }

    fn not_kept(&self) -> Unfit {
        Unfit::NotKept { format: self.format.name }
    }
}

impl Change for Tree {
    fn change(&self, text: &[u8]) -> Result<Option<Vec<u8>>, Unfit> {
        let text = std::str::from_utf8(text).map_err(|_| Unfit::NotUtf8)?;
        if end_of_lines(text.as_bytes()) == b"\n" {
            return Ok(self.edited(text)?.map(String::into_bytes));
        }
        // None of the crates writes new lines with CRLF in all places.
        let plain = text.replace("\r\n", "\n");
        if plain.replace('\n', "\r\n") != text {
            return Err(self.not_kept());
        }
        Ok(self.edited(&plain)?.map(|edited| edited.replace('\n', "\r\n").into_bytes()))
    }

    fn name(&self) -> String {
        let with = if self.wanted.is_some() { "the" } else { "without the" };
        format!("{with} value `{}`", self.path)
    }
}

/// Puts a value there, or nothing.
fn put(tree: &mut Value, steps: &[Step], wanted: Option<&Value>) -> Result<(), Unfit> {
    let Some((last, parents)) = steps.split_last() else { return Ok(()) };
    let mut at = tree;
    for (depth, step) in parents.iter().enumerate() {
        // What is not there has nothing in it that could go.
        if wanted.is_none() && leads_nowhere(at, step) {
            return Ok(());
        }
        at = match step {
            Step::Key(key) => object(at, &steps[..depth])?.entry(key.clone()).or_insert(Value::Null),
            Step::Item(place) => item(at, *place, &steps[..=depth])?,
        };
    }
    match (last, wanted) {
        (Step::Key(key), Some(value)) => drop(object(at, parents)?.insert(key.clone(), value.clone())),
        (Step::Key(key), None) => drop(object(at, parents)?.remove(key)),
        (Step::Item(place), Some(value)) => *item(at, *place, steps)? = value.clone(),
        (Step::Item(_), None) => return Err(Unfit::NoPlace { item: way(steps) }),
    }
    Ok(())
}

fn leads_nowhere(at: &Value, step: &Step) -> bool {
    let found = match (at, step) {
        (Value::Object(object), Step::Key(key)) => object.get(key),
        (Value::Array(items), Step::Item(place)) => items.get(*place),
        _ => return false,
    };
    found.is_none_or(Value::is_null)
}

/// What is to have keys, at the end of these steps.
fn object<'a>(at: &'a mut Value, steps: &[Step]) -> Result<&'a mut Map<String, Value>, Unfit> {
    if at.is_null() {
        *at = Value::Object(Map::new());
    }
    at.as_object_mut().ok_or_else(|| not_table(steps))
}

/// The item of a list to which these steps lead.
fn item<'a>(list: &'a mut Value, place: usize, steps: &[Step]) -> Result<&'a mut Value, Unfit> {
    let above = part(&steps[..steps.len() - 1]);
    let found = match list.as_array() {
        Some(items) => format!("items in {above}: {}, counted from 0", items.len()),
        None => format!("{above} is no list"),
    };
    let no_item = || Unfit::NoItem { item: way(steps), found };
    list.as_array_mut().and_then(|items| items.get_mut(place)).ok_or_else(no_item)
}

/// A value without objects that have nothing in them: some formats can't say these.
fn without_empty(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.into_iter().map(|(key, value)| (key, without_empty(value)));
            Value::Object(kept.filter(|(_, value)| !is_empty(value)).collect())
        }
        Value::Array(items) => items.into_iter().map(without_empty).collect(),
        value => value,
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

/// What these steps lead to has no keys.
pub(super) fn not_table(steps: &[Step]) -> Unfit {
    Unfit::NotTable { what: part(steps) }
}

/// A value below keys. A list that has an item is there already.
pub(super) fn nested<T>(steps: &[Step], value: T, object: impl Fn(String, T) -> T) -> T {
    steps.iter().rev().fold(value, |value, step| match step {
        Step::Key(key) => object(key.clone(), value),
        Step::Item(_) => value,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::edit::{json, yaml};

    /// What an edit of a text gives.
    pub(in crate::edit) fn edited(format: Format, text: &str, path: &str, wanted: Option<Value>) -> Option<String> {
        let tree = match wanted {
            Some(value) => Tree::new(format, path.into(), value),
            None => Tree::gone(format, path.into()),
        };
        tree.change(text.as_bytes()).unwrap().map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn what_has_no_keys_is_not_replaced_by_something_that_has() {
        let check = |path: &str, text: &str, expect: &str| {
            let error = Tree::new(json::FORMAT, path.into(), 1).change(text.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), expect);
        };
        check("a.b.c", r#"{"a": {"b": 1}}"#, "`a.b` is there, and has no keys in it");
        check("a.b", r#"{"a": [1]}"#, "`a` is there, and has no keys in it");
        check("a[0].b", r#"{"a": [1]}"#, "`a[0]` is there, and has no keys in it");
    }

    #[test]
    fn items_that_are_not_there_are_named() {
        let check = |path: &str, text: &str, expect: &str| {
            let error = Tree::new(json::FORMAT, path.into(), 1).change(text.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), expect);
        };
        check("a[2].b", r#"{"a": [1, 2]}"#, "there is no `a[2]`: items in `a`: 2, counted from 0");
        check("a[0]", r#"{"a": {"0": 1}}"#, "there is no `a[0]`: `a` is no list");
        check("a.b[0].c", "{}", "there is no `a.b[0]`: `a.b` is no list");
        check("[0].a", "{}", "there is no `[0]`: the whole of it is no list");
    }

    #[test]
    fn what_is_in_an_item_goes_and_the_item_does_not() {
        let gone = |path: &str| edited(json::FORMAT, r#"{"a": [{"b": 1}]}"#, path, None);
        assert_eq!((gone("a[1].b"), gone("c[0].b"), gone("a[0].c.d")), (None, None, None));
        let error = Tree::gone(json::FORMAT, "a[0]".into()).change(br#"{"a": [1]}"#).unwrap_err().to_string();
        assert!(error.starts_with("`a[0]` can't go by its place: "), "{error}");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let error = Tree::new(yaml::FORMAT, "a".into(), 1).change(b"a: \xff\n").unwrap_err();
        assert_eq!(error.to_string(), "it is not UTF-8");
    }
}
