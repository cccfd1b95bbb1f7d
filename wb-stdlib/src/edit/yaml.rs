//! YAML.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};
use yaml_edit::{Document, Mapping, ScalarType, ScalarValue, Sequence, YamlFile, YamlNode, YamlValue};

use super::Unfit;
use super::tree::{Format, nested};
use super::way::{Step, way};

pub(super) const FORMAT: Format = Format { name: "YAML", read, edit };

fn read(text: &str) -> Result<Value, Unfit> {
    let said = match document(&parsed(text)?)? {
        None => Value::Null,
        Some(document) => said(YamlValue::from_document(&document).map_err(|error| syntax(&error))?),
    };
    Ok(if said.is_null() { Value::Object(Map::new()) } else { said })
}

fn parsed(text: &str) -> Result<YamlFile, Unfit> {
    let file = YamlFile::parse(text).to_result().map_err(|error| syntax(&error))?;
    if file.to_string() == text { Ok(file) } else { Err(Unfit::NotKept { format: "YAML" }) }
}

fn syntax(error: &dyn std::fmt::Display) -> Unfit {
    Unfit::Syntax { format: "YAML", said: error.to_string() }
}

fn document(file: &YamlFile) -> Result<Option<Document>, Unfit> {
    match file.documents().count() {
        0 | 1 => Ok(file.document()),
        times => Err(Unfit::Repeated { what: "a document of YAML".into(), times }),
    }
}

fn edit(text: &str, steps: &[Step], wanted: Option<&Value>) -> Result<String, Unfit> {
    let file = parsed(text)?;
    let new = |steps: &[Step]| wanted.map(|value| nested(steps, written(value), below));
    match (document(&file)?.and_then(|document| Inner::of_document(&document)), steps) {
        (Some(root), _) => edit_below(root, steps, new)?,
        (None, [Step::Key(first), rest @ ..]) => drop(new(rest).map(|value| file.set(first.as_str(), value))),
        (None, _) => {}
    }
    Ok(file.to_string())
}

fn edit_below(root: Inner, steps: &[Step], new: impl Fn(&[Step]) -> Option<YamlValue>) -> Result<(), Unfit> {
    let mut at = root;
    for (depth, step) in steps.iter().enumerate() {
        let rest = &steps[depth + 1..];
        let there = at.get(step);
        if there.as_ref().is_some_and(|there| there.is_alias()) {
            return Err(Unfit::NotTable { what: format!("`{}`, an alias,", way(&steps[..=depth])) });
        }
        match there.and_then(|there| Inner::of(&there)).filter(|_| !rest.is_empty()) {
            Some(inner) => at = inner,
            None => {
                at.put(step, new(rest));
                break;
            }
        }
    }
    Ok(())
}

/// What has something in it.
enum Inner {
    Mapping(Mapping),
    Sequence(Sequence),
}

impl Inner {
    fn of_document(document: &Document) -> Option<Self> {
        document.as_mapping().map(Self::Mapping).or_else(|| document.as_sequence().map(Self::Sequence))
    }

    /// What has a tag has something else in it than its text says.
    fn of(node: &YamlNode) -> Option<Self> {
        match node {
            YamlNode::Mapping(mapping) => Some(Self::Mapping(mapping.clone())),
            YamlNode::Sequence(sequence) => Some(Self::Sequence(sequence.clone())),
            YamlNode::Scalar(_) | YamlNode::Alias(_) | YamlNode::TaggedNode(_) => None,
        }
    }

    fn get(&self, step: &Step) -> Option<YamlNode> {
        match (self, step) {
            (Self::Mapping(mapping), Step::Key(key)) => mapping.get(key.as_str()),
            (Self::Sequence(sequence), Step::Item(place)) => sequence.get(*place),
            _ => None,
        }
    }

    /// Puts a value there, or nothing. What can't be is seen when the text is read again.
    fn put(&self, step: &Step, value: Option<YamlValue>) {
        match (self, step, value) {
            (Self::Mapping(mapping), Step::Key(key), Some(value)) => mapping.set(key.as_str(), value),
            (Self::Mapping(mapping), Step::Key(key), None) => drop(mapping.remove(key.as_str())),
            (Self::Sequence(sequence), Step::Item(place), Some(value)) => drop(sequence.set(*place, value)),
            _ => {}
        }
    }
}

fn below(key: String, value: YamlValue) -> YamlValue {
    YamlValue::from_mapping(BTreeMap::from([(key, value)]))
}

fn written(value: &Value) -> YamlValue {
    match value {
        Value::Null => ScalarValue::null().into(),
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => ScalarValue::parse(number.to_string()).into(),
        Value::String(text) if is_plain(text) => ScalarValue::plain(text.as_str()).into(),
        Value::String(text) => ScalarValue::double_quoted(text.as_str()).into(),
        Value::Array(values) => YamlValue::Sequence(values.iter().map(written).collect()),
        Value::Object(object) => {
            YamlValue::Mapping(object.iter().map(|(key, value)| (key.clone(), written(value))).collect())
        }
    }
}

/// Whether all versions of YAML read this as the string that it is, without quotes.
fn is_plain(text: &str) -> bool {
    const OTHERS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b" _-./:@+%".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && text.bytes().all(is_usual)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !OTHERS.iter().any(|other| text.eq_ignore_ascii_case(other))
}

/// What has no form in JSON is an object that nobody writes.
fn said(value: YamlValue) -> Value {
    let odd = |kind: &str, value: Value| Value::Object(Map::from_iter([(format!("\0{kind}"), value)]));
    let pairs = |pairs: Vec<(String, YamlValue)>| -> Value {
        pairs.into_iter().map(|(key, value)| Value::Array(vec![key.into(), said(value)])).collect()
    };
    match value {
        YamlValue::Scalar(scalar) => said_by_scalar(&scalar),
        YamlValue::Sequence(values) => values.into_iter().map(said).collect(),
        YamlValue::Mapping(mapping) => mapping.into_iter().map(|(key, value)| (key, said(value))).collect(),
        YamlValue::Set(members) => odd("set", members.into_iter().collect()),
        YamlValue::OrderedMapping(mapping) => odd("ordered", pairs(mapping)),
        YamlValue::Pairs(all) => odd("pairs", pairs(all)),
        YamlValue::Tagged(tag, value) => odd(&tag, said(*value)),
    }
}

fn said_by_scalar(scalar: &ScalarValue) -> Value {
    let text = || Value::String(scalar.value().to_owned());
    let value = match scalar.scalar_type() {
        ScalarType::Null => Value::Null,
        ScalarType::Boolean => scalar.to_bool().map_or_else(text, Value::Bool),
        ScalarType::Integer => match (scalar.to_i64(), scalar.value().parse::<u64>()) {
            (Some(number), _) => number.into(),
            (None, Ok(number)) => number.into(),
            (None, Err(_)) => Value::Array(vec![text()]),
        },
        ScalarType::Float => {
            scalar.to_f64().and_then(Number::from_f64).map_or_else(|| Value::Array(vec![text()]), Value::Number)
        }
        _ => text(),
    };
    match scalar.tag() {
        Some(tag) => Value::Object(Map::from_iter([(format!("\0{tag}"), value)])),
        None => value,
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

    const NETPLAN: &str = "# of the installer\nnetwork:\n  version: 2\n  ethernets:\n    # the uplink\n    eth0:\n      \
                           dhcp4: true # for now\n      addresses: [192.0.2.7/24]\n  # end\nother: |\n  network:\n    x: 1\n";

    #[test]
    fn values_change_and_comments_stay() {
        check(NETPLAN, "network.ethernets.eth0.dhcp4", Some(json!(true)), None);
        check(NETPLAN, "network.ethernets.eth0.dhcp4", Some(json!(false)), Some(&NETPLAN.replace("true #", "false #")));
        check(NETPLAN, "network.ethernets.eth0.addresses", Some(json!(["192.0.2.7/24"])), None);
        check("a: 'x'\nb: 1\n", "a", Some(json!("x")), None);
        check("a: 1\r\nb: 2\r\n", "b", Some(json!("c")), Some("a: 1\r\nb: c\r\n"));
    }

    #[test]
    fn new_values_go_to_the_end_of_their_mapping() {
        check("", "a.b", Some(json!(1)), Some("a:\n  b: 1\n"));
        check("a:\n  b: 1\nc: 2\n", "a.d", Some(json!("x")), Some("a:\n  b: 1\n  d: x\nc: 2\n"));
        check(
            "a:\n    b: 1\n",
            "a.c.d",
            Some(json!([1, "y"])),
            Some("a:\n    b: 1\n    c:\n      d:\n        - 1\n        - \"y\"\n"),
        );
        check("a:\nb: 1\n", "a.c", Some(json!(1)), Some("a:\n  c: 1\nb: 1\n"));
        check("a: {b: 1}\n", "a.c", Some(json!(2)), Some("a: {b: 1, c: 2}\n"));
        check("# only a comment\n", "a", Some(json!(1)), Some("# only a comment\na: 1\n"));
    }

    #[test]
    fn items_of_lists_change_in_their_place() {
        check("a: [1, 2] # two\n", "a[1]", Some(json!(3)), Some("a: [1, 3] # two\n"));
        check("a:\n- x\n- v # why\n", "a[1]", Some(json!("w")), Some("a:\n- x\n- w # why\n"));
        check("a:\n- x\n- v # why\n", "a[1]", Some(json!("v")), None);
        check("a: [{b: 1}, {b: 2}]\n", "a[0].b", Some(json!(3)), Some("a: [{b: 3}, {b: 2}]\n"));
        check("- a: 1\n- a: 2\n", "[1].a", Some(json!(3)), Some("- a: 1\n- a: 3\n"));
        check("a: [[1, 2]]\n", "a[0][1]", Some(json!(3)), Some("a: [[1, 3]]\n"));
    }

    #[test]
    fn mappings_of_lists_change_in_their_place() {
        let text = "# top\nservers:\n  # of a\n  - name: a\n    port: 80 # one\n  - name: b\n    port: 81\nend: 1\n";
        check(text, "servers[0].port", Some(json!(8080)), Some(&text.replace("80 #", "8080 #")));
        check(text, "servers[1].port", Some(json!(8081)), Some(&text.replace("port: 81", "port: 8081")));
        let with_more = text.replace("81\n", "81\n    tls:\n      cert: c\n");
        check(text, "servers[1].tls.cert", Some(json!("c")), Some(&with_more));
        check(text, "servers[1].port", None, Some(&text.replace("    port: 81\n", "")));
        check(text, "servers[0].port", Some(json!(80)), None);
    }

    #[test]
    fn values_go() {
        check("a: 1\nb: 2\n", "a", None, Some("b: 2\n"));
        check("a:\n  b: 1\n  c: 2\n", "a.b", None, Some("a:\n  c: 2\n"));
        check("a: 1\n", "b.c", None, None);
    }

    #[test]
    fn strings_are_quoted_where_some_yaml_would_read_something_else() {
        let check = |text: &str, expect: bool| assert_eq!(is_plain(text), expect, "{text}");
        check("nginx:1.2", true);
        check("/srv/shop", true);
        check("two words", true);
        for text in
            ["no", "Yes", "y", "", "0755", "1.5", "12:30", "a: b", "a #b", "#a", "- a", "a:", "*a", "~", "\u{e9}"]
        {
            check(text, false);
        }
    }

    #[test]
    fn what_can_not_be_kept_is_refused() {
        let check = |text: &str, path: &str, expect: &str| {
            let error = Tree::new(FORMAT, path.into(), 1).change(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expect), "{error}");
        };
        check("a: [1\n", "b", "it is no YAML: ");
        check("a: 1\n---\nb: 1\n", "a", "a document of YAML is there 2 times");
        check("- 1\n", "a", "the whole of it is there, and has no keys in it");
        check("x: &x\n  b: 2\na: *x\n", "a.b", "`a`, an alias, is there, and has no keys in it");
        check("x: &x\n  b: 2\na:\n  - *x\n", "a[0].b", "`a[0]`, an alias, is there, and has no keys in it");
        check(&"[".repeat(100_000), "a", "it is no YAML: ");
    }
}
