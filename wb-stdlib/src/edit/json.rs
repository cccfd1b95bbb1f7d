//! JSON, with or without comments.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstContainerNode, CstInputValue, CstLeafNode, CstNode, CstObject, CstRootNode};
use serde_json::{Map, Value};

use super::Unfit;
use super::tree::{Format, nested, not_table};
use super::way::Step;

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

fn edit(text: &str, steps: &[Step], wanted: Option<&Value>) -> Result<String, Unfit> {
    let root = parsed(text)?;
    let top = root.value().or_else(|| root.object_value_or_create().and_then(|_| root.value()));
    let mut at = top.ok_or_else(|| not_table(&[]))?;
    for (depth, step) in steps.iter().enumerate() {
        let rest = &steps[depth + 1..];
        let there = inside(&at, step);
        match there.clone().filter(|there| !rest.is_empty() && has_insides(there)) {
            Some(inner) => at = inner,
            None => {
                let object = |key, value| CstInputValue::Object(vec![(key, value)]);
                let value = wanted.map(|value| nested(rest, written(value), object));
                put(&at, step, there, value).ok_or_else(|| not_table(&steps[..depth]))?;
                break;
            }
        }
    }
    Ok(root.to_string())
}

fn has_insides(node: &CstNode) -> bool {
    node.as_object().is_some() || node.as_array().is_some()
}

/// Where a step leads from there.
fn inside(at: &CstNode, step: &Step) -> Option<CstNode> {
    match step {
        Step::Key(key) => at.as_object()?.get(key)?.value(),
        Step::Item(place) => at.as_array()?.elements().into_iter().nth(*place),
    }
}

/// Puts a value there, or nothing; nothing comes of it where there can be none.
fn put(at: &CstNode, step: &Step, there: Option<CstNode>, value: Option<CstInputValue>) -> Option<()> {
    match step {
        Step::Key(key) => put_in_object(&at.as_object()?, key, value),
        Step::Item(_) => return replace(there?, value?),
    }
    Some(())
}

fn put_in_object(object: &CstObject, key: &str, value: Option<CstInputValue>) {
    match (object.get(key), value) {
        (None, Some(value)) => drop(object.append(key, value)),
        (None, None) => {}
        (Some(property), Some(value)) => property.set_value(value),
        (Some(property), None) => property.remove(),
    }
}

fn replace(old: CstNode, value: CstInputValue) -> Option<()> {
    match old {
        CstNode::Container(CstContainerNode::Object(old)) => drop(old.replace_with(value)),
        CstNode::Container(CstContainerNode::Array(old)) => drop(old.replace_with(value)),
        CstNode::Leaf(CstLeafNode::BooleanLit(old)) => drop(old.replace_with(value)),
        CstNode::Leaf(CstLeafNode::NullKeyword(old)) => drop(old.replace_with(value)),
        CstNode::Leaf(CstLeafNode::NumberLit(old)) => drop(old.replace_with(value)),
        CstNode::Leaf(CstLeafNode::StringLit(old)) => drop(old.replace_with(value)),
        _ => return None,
    }
    Some(())
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
    fn items_of_lists_change_in_their_place() {
        let text = "{\n  \"a\": [\n    // one\n    { \"b\": 1 },\n    2, /* two */\n    [true, \"x\"],\n  ]\n}\n";
        check(text, "a[0].b", Some(json!(3)), Some(&text.replace("\"b\": 1", "\"b\": 3")));
        check(text, "a[1]", Some(json!("y")), Some(&text.replace("2, /*", "\"y\", /*")));
        check(text, "a[2][0]", Some(json!(false)), Some(&text.replace("true", "false")));
        check(text, "a[1]", Some(json!(2)), None);
        check("[{\"a\": 1, \"b\": 2}]\n", "[0].b", Some(json!(3)), Some("[{\"a\": 1, \"b\": 3}]\n"));
        check("{\"a\": [null]}", "a[0].b", None, None);
        let filled = edited(FORMAT, "{\"a\": [null, 2]}", "a[0].b", Some(json!(1))).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&filled).unwrap(), json!({"a": [{"b": 1}, 2]}));
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
