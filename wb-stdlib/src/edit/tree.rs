//! Values in files of nested keys: TOML, JSON, YAML.
//!
//! Each format is edited by a crate that keeps what it does not touch. What comes out is read again, and is only taken
//! when it says what the old text said, but for the one value.

use serde::Serialize;
use serde_json::{Map, Value};

use super::lines::end_of_lines;
use super::{Change, Unfit};

type EditText = fn(&str, &[String], Option<&Value>) -> Result<String, Unfit>;

/// What this room knows of a format.
#[derive(Clone, Copy)]
pub(super) struct Format {
    pub(super) name: &'static str,
    /// What a text says, as an object.
    pub(super) read: fn(&str) -> Result<Value, Unfit>,
    /// The text with another value at the end of the keys, or with none. That it has another one already is known, and
    /// that what the keys before lead to is an object or nothing.
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
        let keys = keys(&self.path)?;
        let wanted = match &self.wanted {
            Some(Ok(value)) => Some(value),
            Some(Err(_)) => return Err(Unfit::BadText { what: "the value", why: "it is no value of JSON" }),
            None => None,
        };
        let before = (self.format.read)(text)?;
        let mut after = before.clone();
        put(&mut after, &keys, wanted)?;
        if after == before {
            return Ok(None);
        }
        let edited = (self.format.edit)(text, &keys, wanted)?;
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

/// The keys of a path as in TOML: with dots between them, and quoted where they have dots of their own.
fn keys(path: &str) -> Result<Vec<String>, Unfit> {
    let keys = toml_edit::Key::parse(path).map_err(|_| Unfit::BadKeys { path: path.to_owned() })?;
    Ok(keys.iter().map(|key| key.get().to_owned()).collect())
}

/// Puts a value there, or nothing.
fn put(tree: &mut Value, keys: &[String], wanted: Option<&Value>) -> Result<(), Unfit> {
    let mut at = tree;
    for (depth, key) in keys.iter().enumerate() {
        if at.is_null() {
            *at = Value::Object(Map::new());
        }
        let Value::Object(object) = at else { return Err(not_table(&keys[..depth])) };
        match (depth + 1 == keys.len(), wanted) {
            (true, Some(value)) => drop(object.insert(key.clone(), value.clone())),
            (true, None) => drop(object.remove(key)),
            (false, None) if !object.contains_key(key) => return Ok(()),
            _ => {}
        }
        if depth + 1 == keys.len() {
            return Ok(());
        }
        at = object.entry(key.clone()).or_insert(Value::Null);
    }
    Ok(())
}

/// A value without objects that have nothing in them: some formats can't say these.
fn without_empty(value: Value) -> Value {
    let Value::Object(object) = value else { return value };
    let kept = object.into_iter().map(|(key, value)| (key, without_empty(value)));
    Value::Object(kept.filter(|(_, value)| !is_empty(value)).collect())
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

/// What these keys lead to has no keys.
pub(super) fn not_table(keys: &[String]) -> Unfit {
    let what = if keys.is_empty() { "the whole of it".into() } else { format!("`{}`", keys.join(".")) };
    Unfit::NotTable { what }
}

/// A value below keys.
pub(super) fn nested<T>(keys: &[String], value: T, object: impl Fn(String, T) -> T) -> T {
    keys.iter().rev().fold(value, |value, key| object(key.clone(), value))
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
    fn paths_are_keys_of_toml() {
        let check = |path: &str, expect: &[&str]| assert_eq!(keys(path).unwrap(), expect);
        check("a", &["a"]);
        check("a.b-c.1", &["a", "b-c", "1"]);
        check(r#"plugins."io.x".y"#, &["plugins", "io.x", "y"]);
        check("'a b'", &["a b"]);
        assert!(keys("").is_err() && keys("a..b").is_err() && keys("a b").is_err() && keys("a\n").is_err());
    }

    #[test]
    fn what_has_no_keys_is_not_replaced_by_something_that_has() {
        let check = |path: &str, text: &str, expect: &str| {
            let error = Tree::new(json::FORMAT, path.into(), 1).change(text.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), expect);
        };
        check("a.b.c", r#"{"a": {"b": 1}}"#, "`a.b` is there, and has no keys in it");
        check("a.b", r#"{"a": [1]}"#, "`a` is there, and has no keys in it");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let error = Tree::new(yaml::FORMAT, "a".into(), 1).change(b"a: \xff\n").unwrap_err();
        assert_eq!(error.to_string(), "it is not UTF-8");
    }
}
