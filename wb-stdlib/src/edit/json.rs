//! JSON, with or without comments.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstObject, CstRootNode};
use serde_json::{Map, Value};

use super::Unfit;
use super::tree::{Format, nested, not_table};

pub(super) const FORMAT: Format = Format { name: "JSON", read, edit };

fn read(text: &str) -> Result<Value, Unfit> {
    let root = parsed(text)?;
    match root.value() {
        None => Ok(Value::Object(Map::new())),
        Some(_) => {
            root.to_serde_value().ok_or_else(|| Unfit::Syntax { format: "JSON", said: "it has no value".into() })
        }
    }
}

fn parsed(text: &str) -> Result<CstRootNode, Unfit> {
    // Programs that read comments and trailing commas are many; the rest is not JSON to any of them.
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let syntax = |error: jsonc_parser::errors::ParseError| Unfit::Syntax { format: "JSON", said: error.to_string() };
    let root = CstRootNode::parse(text, &options).map_err(syntax)?;
    if root.to_string() == text { Ok(root) } else { Err(Unfit::NotKept { format: "JSON" }) }
}

fn edit(text: &str, keys: &[String], wanted: Option<&Value>) -> Result<String, Unfit> {
    let root = parsed(text)?;
    let mut object: CstObject = root.object_value_or_create().ok_or_else(|| not_table(&[]))?;
    for (depth, key) in keys.iter().enumerate() {
        let rest = &keys[depth + 1..];
        let value =
            || wanted.map(|value| nested(rest, written(value), |key, value| CstInputValue::Object(vec![(key, value)])));
        match (object.get(key), value()) {
            (None, Some(value)) => drop(object.append(key, value)),
            (None, None) => {}
            (Some(property), _) if !rest.is_empty() && property.object_value().is_some() => {
                object = property.object_value().ok_or_else(|| not_table(&keys[..=depth]))?;
                continue;
            }
            (Some(property), Some(value)) => property.set_value(value),
            (Some(property), None) => property.remove(),
        }
        break;
    }
    Ok(root.to_string())
}

fn written(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(*value),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(value) => CstInputValue::String(value.clone()),
        Value::Array(values) => CstInputValue::Array(values.iter().map(written).collect()),
        Value::Object(object) => {
            CstInputValue::Object(object.iter().map(|(key, value)| (key.clone(), written(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::edit::Change as _;
    use crate::edit::tree::Tree;
    use crate::edit::tree::tests::edited;

    fn check(text: &str, path: &str, wanted: Option<Value>, expect: Option<&str>) {
        assert_eq!(edited(FORMAT, text, path, wanted).as_deref(), expect, "{path} in {text:?}");
    }

    #[test]
    fn values_change_and_the_rest_stays() {
        let text = "{\n  // one\n  \"a\": 1, /* two */\n  \"b\" : { \"c\":[1,2] },\n}\n";
        check(text, "a", Some(json!(2)), Some(&text.replace("\"a\": 1", "\"a\": 2")));
        check(text, "a", Some(json!(1)), None);
        check(text, "b.c", Some(json!([1, 2])), None);
        check(text, "b.c", Some(json!("x\"y")), Some(&text.replace("[1,2]", "\"x\\\"y\"")));
        check("{\r\n\t\"a\": 1\r\n}", "a", Some(json!(null)), Some("{\r\n\t\"a\": null\r\n}"));
    }

    #[test]
    fn new_values_go_to_the_end_of_their_object() {
        check("", "a.b", Some(json!(1)), Some("{\n  \"a\": {\n    \"b\": 1\n  }\n}\n"));
        check("{}\n", "a", Some(json!(true)), Some("{\n  \"a\": true\n}\n"));
        check("{\n\t\"a\": 1\n}\n", "b", Some(json!(2)), Some("{\n\t\"a\": 1,\n\t\"b\": 2\n}\n"));
        check(
            "{\n  \"a\": {\n    \"b\": 1\n  }\n}\n",
            "a.c",
            Some(json!([])),
            Some("{\n  \"a\": {\n    \"b\": 1,\n    \"c\": []\n  }\n}\n"),
        );
        check("{\n  \"a\": null\n}\n", "a.b", Some(json!(1)), Some("{\n  \"a\": {\n    \"b\": 1\n  }\n}\n"));
    }

    #[test]
    fn values_go() {
        check("{\n  \"a\": 1,\n  \"b\": 2\n}\n", "a", None, Some("{\n  \"b\": 2\n}\n"));
        check("{\n  \"a\": 1,\n  \"b\": 2\n}\n", "b", None, Some("{\n  \"a\": 1\n}\n"));
        check("{}", "a.b", None, None);
        check("", "a", None, None);
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let check = |text: &str, expect: &str| {
            let error = Tree::new(FORMAT, "a".into(), 1).change(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expect), "{error}");
        };
        check("{", "it is no JSON: ");
        check("{a: 1}", "it is no JSON: ");
        check("[1]", "the whole of it is there, and has no keys in it");
        check("{\"a\": 2, \"a\": 3}", "this JSON can't be edited without changing what nobody named");
        check(&"[".repeat(100_000), "it is no JSON: ");
    }
}
