//! The table `versionlock.toml` of dnf 5: packages, each with conditions that its versions must meet.

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, TableLike, Value, value};

use crate::packages::version;

/// A file that is none holds nothing; dnf says of it what is wrong.
pub(super) fn has(text: &str, name: &str) -> bool {
    let Ok(document) = parsed(text) else { return false };
    let packages = document.get("packages").and_then(Item::as_array_of_tables);
    let mut tables = packages.into_iter().flat_map(ArrayOfTables::iter);
    tables.any(|package| held(package).is_some_and(|pattern| version::means(pattern, name)))
}

pub(super) fn with(text: &str, name: &str, version: &str) -> Result<String, String> {
    let mut document = parsed(&without(text, name)?)?;
    if !document.contains_key("version") {
        document.insert("version", value("1.0"));
    }
    let mut conditions = ArrayOfTables::new();
    conditions.push(table(&[("key", "evr"), ("comparator", "="), ("value", version)]));
    let mut package = table(&[("name", name)]);
    package.insert("conditions", Item::ArrayOfTables(conditions));
    packages(&mut document)?.push(package);
    Ok(document.to_string())
}

pub(super) fn without(text: &str, name: &str) -> Result<String, String> {
    let mut document = parsed(text)?;
    let Some(packages) = document.get_mut("packages").and_then(Item::as_array_of_tables_mut) else {
        return Ok(text.to_owned());
    };
    if !packages.iter().any(|package| held(package) == Some(name)) {
        return Ok(text.to_owned());
    }
    packages.retain(|package| held(package) != Some(name));
    Ok(document.to_string())
}

fn parsed(text: &str) -> Result<DocumentMut, String> {
    text.parse::<DocumentMut>().map_err(|error| error.message().to_owned())
}

/// The list of packages, which is made where there is none, or an empty one of another form.
fn packages(document: &mut DocumentMut) -> Result<&mut ArrayOfTables, String> {
    if document.get("packages").and_then(Item::as_array).is_some_and(Array::is_empty) {
        document.remove("packages");
    }
    let packages = document.entry("packages").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    packages.as_array_of_tables_mut().ok_or_else(|| "its `packages` are no tables".to_owned())
}

fn table(rows: &[(&str, &str)]) -> Table {
    let mut table = Table::new();
    for (key, said) in rows {
        table.insert(key, value(*said));
    }
    table
}

/// The name, or the pattern of names, that a package keeps in one version; nothing where it allows several.
fn held(package: &Table) -> Option<&str> {
    let is_exact = |condition: &dyn TableLike| {
        let said = |key: &str| condition.get(key).and_then(Item::as_str);
        said("key") == Some("evr") && said("comparator") == Some("=")
    };
    let is_held = match package.get("conditions")? {
        Item::ArrayOfTables(tables) => tables.iter().any(|table| is_exact(table)),
        Item::Value(Value::Array(values)) => {
            values.iter().filter_map(Value::as_inline_table).any(|table| is_exact(table))
        }
        _ => false,
    };
    package.get("name").and_then(Item::as_str).filter(|_| is_held)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the manual of dnf 5.
    const CAPTURED: &str = r#"version = "1.0"

# keep package bash on version 0:5.2.15-5.fc39
[[packages]]
name = "bash"               # name of the package
comment = "description"     # optional description of the entry
[[packages.conditions]]     # conditions for the package "bash"
key = "evr"
comparator = "="
value = "0:5.2.15-5.fc39"

[[packages]]
name = "iftop"
[[packages.conditions]]
key = "evr"
comparator = "!="
value = "0:1.0-0.31.pre4.fc39"

[[packages]]
name = "*nvidia*"
[[packages.conditions]]
key = "evr"
comparator = ">="
value = "3:570"
"#;

    #[test]
    fn an_exact_version_holds() {
        let check = |text: &str, name: &str, expect| assert_eq!(has(text, name), expect, "{name}");
        check(CAPTURED, "bash", true);
        check(CAPTURED, "iftop", false);
        check(CAPTURED, "xorg-x11-drv-nvidia", false);
        check("version = '1.0'\npackages = []\n", "bash", false);
        let inline = "[[packages]]\nname = 'php*'\nconditions = [{ key = 'evr', comparator = '=', value = '8-1' }]\n";
        check(inline, "php-fpm", true);
        check("packages = [", "bash", false);
        check("", "bash", false);
    }

    #[test]
    fn a_package_is_added_and_taken_away() {
        let check = |text: &str| {
            let held = with(text, "nginx", "1:1.26-1.fc42").unwrap();
            assert!(has(&held, "nginx") && held.contains("value = \"1:1.26-1.fc42\""), "{held}");
            assert!(held.starts_with("version = \"1.0\""), "{held}");
            assert_eq!(has(&held, "bash"), has(text, "bash"), "{held}");
            let newer = with(&held, "nginx", "1:1.28-1.fc42").unwrap();
            assert!(has(&newer, "nginx") && !newer.contains("1.26"), "{newer}");
            let free = without(&newer, "nginx").unwrap();
            assert!(!has(&free, "nginx"), "{free}");
            assert_eq!(without(&free, "nginx").unwrap(), free);
        };
        check("");
        check("version = \"1.0\"\npackages = []\n");
        check(CAPTURED);
        assert_eq!(without(CAPTURED, "iftop").unwrap(), CAPTURED);
        assert!(without(CAPTURED, "bash").unwrap().contains("name = \"iftop\""));
    }

    #[test]
    fn a_table_that_is_none_is_not_written() {
        assert!(with("packages = [", "nginx", "1-1").is_err());
        assert_eq!(with("packages = 1\n", "nginx", "1-1").unwrap_err(), "its `packages` are no tables");
    }
}
