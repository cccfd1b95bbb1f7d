//! TOML.

use serde_json::{Map, Value, json};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike};

use super::Unfit;
use super::tree::{Format, not_table};
use super::way::{Step, way};

pub(super) const FORMAT: Format = Format { name: "TOML", read, edit };

fn read(text: &str) -> Result<Value, Unfit> {
    Ok(said_by_table(parsed(text)?.as_table()))
}

fn parsed(text: &str) -> Result<DocumentMut, Unfit> {
    let document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| Unfit::Syntax { format: "TOML", said: error.message().into() })?;
    if document.to_string() == text { Ok(document) } else { Err(Unfit::NotKept { format: "TOML" }) }
}

fn edit(text: &str, steps: &[Step], wanted: Option<&Value>) -> Result<String, Unfit> {
    let mut document = parsed(text)?;
    let Some((last, parents)) = steps.split_last() else { return Ok(text.to_owned()) };
    let mut at = document.as_item_mut();
    for (depth, step) in parents.iter().enumerate() {
        at = inside(at, step).ok_or_else(|| not_table(&steps[..depth]))?;
    }
    let wanted = wanted.map(written).transpose()?;
    match last {
        Step::Key(key) => put(at, key, wanted, steps)?,
        Step::Item(place) => replace(at.get_mut(*place), wanted, steps)?,
    }
    Ok(document.to_string())
}

/// Where a step leads from there. A table that a key leads to is made where there is none.
fn inside<'a>(at: &'a mut Item, step: &Step) -> Option<&'a mut Item> {
    let key = match step {
        Step::Key(key) => key,
        Step::Item(place) => return at.get_mut(*place),
    };
    let is_inline = at.is_inline_table();
    let table = at.as_table_like_mut()?;
    if !table.contains_key(key) {
        add(table, is_inline, key, new_table());
    }
    table.get_mut(key)
}

fn put(at: &mut Item, key: &str, wanted: Option<toml_edit::Value>, steps: &[Step]) -> Result<(), Unfit> {
    let is_inline = at.is_inline_table();
    let table = at.as_table_like_mut().ok_or_else(|| not_table(&steps[..steps.len() - 1]))?;
    match wanted {
        None => drop(table.remove(key)),
        wanted if table.contains_key(key) => replace(table.get_mut(key), wanted, steps)?,
        Some(value) => add(table, is_inline, key, Item::Value(value)),
    }
    Ok(())
}

/// Puts a value in the place of another, with what stands around that.
fn replace(old: Option<&mut Item>, wanted: Option<toml_edit::Value>, steps: &[Step]) -> Result<(), Unfit> {
    let not_value = || Unfit::NotValue { key: way(steps) };
    let (old, value) = old.and_then(Item::as_value_mut).zip(wanted).ok_or_else(not_value)?;
    let around = old.decor().clone();
    *old = value;
    *old.decor_mut() = around;
    Ok(())
}

/// A table that needs no header as long as there are only tables in it.
fn new_table() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

/// Adds to a table. What stands before the `}` of one in a line stays there.
fn add(table: &mut dyn TableLike, is_inline: bool, key: &str, item: Item) {
    let last = table.iter_mut().last().and_then(|(_, last)| last.as_value_mut()).filter(|_| is_inline);
    let before_end = last.map(|last| {
        let decor = last.decor_mut();
        let suffix = decor.suffix().and_then(|suffix| suffix.as_str()).unwrap_or_default().to_owned();
        decor.set_suffix("");
        suffix
    });
    table.insert(key, item);
    let added = table.get_mut(key).and_then(Item::as_value_mut);
    if let (Some(before_end), Some(added)) = (before_end, added) {
        added.decor_mut().set_suffix(before_end);
    }
}

fn written(value: &Value) -> Result<toml_edit::Value, Unfit> {
    Ok(match value {
        Value::Null => return Err(Unfit::BadText { what: "the value", why: "TOML has no null" }),
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => integer.into(),
            (None, Some(float)) if number.is_f64() => float.into(),
            _ => return Err(Unfit::BadText { what: "the value", why: "its number is too large for TOML" }),
        },
        Value::String(value) => value.as_str().into(),
        Value::Array(values) => values.iter().map(written).collect::<Result<Array, _>>()?.into(),
        Value::Object(object) => {
            let mut table = InlineTable::new();
            for (key, value) in object {
                table.insert(key, written(value)?);
            }
            table.into()
        }
    })
}

fn said_by_table(table: &dyn TableLike) -> Value {
    Value::Object(table.iter().map(|(key, item)| (key.to_owned(), said_by_item(item))).collect())
}

fn said_by_item(item: &Item) -> Value {
    match item {
        Item::None => Value::Null,
        Item::Value(value) => said(value),
        Item::Table(table) => said_by_table(table),
        Item::ArrayOfTables(tables) => tables.iter().map(|table| said_by_table(table)).collect(),
    }
}

/// What has no form in JSON is an object that nobody writes.
fn said(value: &toml_edit::Value) -> Value {
    let odd = |kind: &str, text: String| Value::Object(Map::from_iter([(format!("\0{kind}"), text.into())]));
    match value {
        toml_edit::Value::String(value) => value.value().as_str().into(),
        toml_edit::Value::Integer(value) => (*value.value()).into(),
        toml_edit::Value::Float(value) if value.value().is_finite() => json!(*value.value()),
        toml_edit::Value::Float(value) => odd("float", value.value().to_string()),
        toml_edit::Value::Boolean(value) => (*value.value()).into(),
        toml_edit::Value::Datetime(value) => odd("datetime", value.value().to_string()),
        toml_edit::Value::Array(values) => values.iter().map(said).collect(),
        toml_edit::Value::InlineTable(table) => said_by_table(table),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::tree::tests::edited;

    fn check(text: &str, path: &str, wanted: Option<Value>, expect: Option<&str>) {
        assert_eq!(edited(FORMAT, text, path, wanted).as_deref(), expect, "{path} in {text:?}");
    }

    #[test]
    fn values_change_and_comments_stay() {
        let text = "# top\na = 1 # one\n\n[t]\n# of b\nb   =   'x'   # two\n";
        check(text, "a", Some(json!(2)), Some(&text.replace("= 1", "= 2")));
        check(text, "t.b", Some(json!("y")), Some(&text.replace("'x'", "\"y\"")));
        check(text, "t.b", Some(json!("x")), None);
        check("a = [\n  1, # one\n]\n", "a", Some(json!([1])), None);
        check("a = 1\r\nb = 2\r\n", "a", Some(json!(3)), Some("a = 3\r\nb = 2\r\n"));
    }

    #[test]
    fn new_values_go_to_the_end_of_their_table() {
        check("", "a", Some(json!(true)), Some("a = true\n"));
        check("a = 1\n\n[t]\nb = 1\n\n[u]\n", "t.c", Some(json!(2)), Some("a = 1\n\n[t]\nb = 1\nc = 2\n\n[u]\n"));
        check("[t]\nb = 1\n", "x.y.z", Some(json!(1.5)), Some("[t]\nb = 1\n\n[x.y]\nz = 1.5\n"));
        check("t = { a = 1 }\n", "t.b", Some(json!(2)), Some("t = { a = 1, b = 2 }\n"));
        check("t = {}\n", "t.b.c", Some(json!(2)), Some("t = { b = { c = 2 } }\n"));
        check("t.a = 1\n", "t.b", Some(json!(2)), Some("t.a = 1\nt.b = 2\n"));
        check("", "a", Some(json!({"b": [1, "x"]})), Some("a = { b = [1, \"x\"] }\n"));
    }

    #[test]
    fn items_of_lists_change_in_their_place() {
        check("a = [ 1,  2 ] # two\n", "a[1]", Some(json!("x")), Some("a = [ 1,  \"x\" ] # two\n"));
        check("a = [1, [2, 3]]\n", "a[1][0]", Some(json!(4)), Some("a = [1, [4, 3]]\n"));
        check("a = [{ b = 1 }]\n", "a[0].b", Some(json!(2)), Some("a = [{ b = 2 }]\n"));
        check("a = [{ b = 1 }]\n", "a[0].c", Some(json!(2)), Some("a = [{ b = 1, c = 2 }]\n"));
        check("a = [1]\n", "a[0]", Some(json!(1)), None);
    }

    #[test]
    fn tables_of_lists_change_in_their_place() {
        let text = "# top\n[[servers]]\nname = 'a' # one\nport = 80\n\n# of b\n[[servers]]\nname = 'b'\nport = 81 # two\n\n\
                    [end]\n";
        check(text, "servers[1].port", Some(json!(8081)), Some(&text.replace("81 #", "8081 #")));
        check(text, "servers[0].port", None, Some(&text.replace("port = 80\n", "")));
        check(text, "servers[0].tls", Some(json!(true)), Some(&text.replace("80\n", "80\ntls = true\n")));
        let with_table = text.replace("port = 80\n", "port = 80\n\n[servers.tls]\ncert = \"c\"\n");
        check(text, "servers[0].tls.cert", Some(json!("c")), Some(&with_table));
    }

    #[test]
    fn values_go() {
        check("a = 1\nb = 2\n", "a", None, Some("b = 2\n"));
        check("[t]\na = 1\n[u]\nb = 2\n", "t", None, Some("[u]\nb = 2\n"));
        check("a = 1\n", "b.c", None, None);
    }

    #[test]
    fn what_is_no_toml_is_refused() {
        let check = |text: &str, wanted: Value, expect: &str| {
            let error =
                crate::edit::Change::change(&crate::edit::tree::Tree::new(FORMAT, "a".into(), wanted), text.as_bytes());
            let error = error.unwrap_err().to_string();
            assert!(error.starts_with(expect), "{error}");
        };
        check("a = \n", json!(1), "it is no TOML: ");
        check("", json!(null), "the value can't be written: TOML has no null");
        check("", json!(u64::MAX), "the value can't be written: its number is too large for TOML");
        check("[a]\nb = 1\n", json!(1), "`a` is a table: name the values in it");
        let whole = crate::edit::tree::Tree::new(FORMAT, "a[0]".into(), json!({"b": 2}));
        let error = crate::edit::Change::change(&whole, b"[[a]]\nb = 1\n").unwrap_err();
        assert_eq!(error.to_string(), "`a[0]` is a table: name the values in it");
    }
}
