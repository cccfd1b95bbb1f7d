//! Valid texts, made wrong: bytes are changed, words and numbers take each other's places, and parts of a JSON value
//! become others, so that what comes out is mostly wrong in a way that its reader looks at closely.

use serde_json::Value;

use super::super::chance::Chance;

/// One to four steps away from `text`. `other` is another text of its kind, to take parts from.
#[must_use]
pub fn mutated(text: &[u8], other: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..=chance.below(4) {
        text = match chance.below(4) {
            0 => bytes(text, chance),
            1 => pieces(&text, other, chance),
            _ => value(&text, other, chance).unwrap_or_else(|| words(&text, chance)),
        };
    }
    text
}

/// What stands at the edge of what a reader expects.
const WORDS: [&str; 40] = [
    "",
    "0",
    "-1",
    "1",
    "255",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e999",
    "-0.0",
    "1.7976931348623157e308",
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "\"\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\u{feff}",
    "\0",
    "\n\n",
    "\r\n",
    "\t",
    "\u{1b}[2J",
    "../../etc/passwd",
    "*",
    "--upload-pack=false",
    "0000000000000000000000000000000000000000",
    "00000000-0000-0000-0000-000000000000",
    "gpgsig -----BEGIN SSH SIGNATURE-----",
    "refs/wildebeest/changes",
    "refs/wildebeest/out/",
    "nan",
    "1979-05-27T07:32:00Z",
    "'''",
    "\u{202e}",
];

/// The names of things that other things refer to.
const KEYS: [&str; 8] = ["number", "chain", "target", "hosts", "roles", "phase", "doing", "format"];

fn bytes(mut text: Vec<u8>, chance: &mut Chance) -> Vec<u8> {
    let at = chance.below(text.len());
    let end = text.len().min(at + 1 + chance.below(16));
    match chance.below(5) {
        0 if !text.is_empty() => text[at] ^= 1 << chance.below(8),
        1 if !text.is_empty() => text[at] = chance.next().to_le_bytes()[0],
        2 => drop(text.drain(at..end)),
        3 => {
            let copy = text[at..end].to_vec();
            text.splice(at..at, copy);
        }
        _ => text.truncate(at),
    }
    text
}

/// A long part of another text in the place of one of this.
fn pieces(text: &[u8], other: &[u8], chance: &mut Chance) -> Vec<u8> {
    let part = |all: &[u8], chance: &mut Chance| {
        let from = chance.below(all.len() + 1);
        from..from + chance.below(all.len() + 1 - from)
    };
    let (gone, taken) = (part(text, chance), part(other, chance));
    match chance.below(16) {
        0 => [&text[..gone.end], &text[gone.start..]].concat(),
        1 => [text, &b"[".repeat(10_000)].concat(),
        _ => [&text[..gone.start], &other[taken], &text[gone.end..]].concat(),
    }
}

/// A word in the place of another one, or beside it.
fn words(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'-' || *byte >= 128;
    let at = chance.below(text.len());
    let start = text[..at].iter().rposition(|byte| !is_part(byte)).map_or(0, |index| index + 1);
    let end = text[at..].iter().position(|byte| !is_part(byte)).map_or(text.len(), |index| at + index);
    let word = chance.of(&WORDS).unwrap_or_default().as_bytes();
    match chance.below(3) {
        0 => [&text[..start], word, &text[start..]].concat(),
        1 if start < end => [&text[..start], &text[end..]].concat(),
        _ => [&text[..start], word, &text[end.max(start)..]].concat(),
    }
}

/// A part of a JSON value in the place of another one. Nothing where the text has no such value.
fn value(text: &[u8], other: &[u8], chance: &mut Chance) -> Option<Vec<u8>> {
    let start = text.iter().position(|byte| *byte == b'{' || *byte == b'[')?;
    let mut whole: Value = serde_json::from_slice(&text[start..]).ok()?;
    let places = places(&whole);
    let place = places.get(chance.below(places.len()))?;
    let other: Value = other.get(start..).and_then(|other| serde_json::from_slice(other).ok()).unwrap_or_default();
    let there = whole.pointer_mut(place)?;
    match (chance.below(4), other.pointer(place)) {
        (0 | 1, Some(alike)) => *there = alike.clone(),
        (2, _) => change(there, part(&other, chance).unwrap_or_default(), chance),
        _ => change(there, odd(chance), chance),
    }
    Some([&text[..start], whole.to_string().as_bytes(), b"\n"].concat())
}

fn part(whole: &Value, chance: &mut Chance) -> Option<Value> {
    let places = places(whole);
    whole.pointer(places.get(chance.below(places.len()))?).cloned()
}

/// Where there are values in a value, as JSON pointers; its own place is the first.
fn places(whole: &Value) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut under = |key: &str, inner: &Value| all.extend(places(inner).iter().map(|place| format!("/{key}{place}")));
    match whole {
        Value::Array(items) => items.iter().enumerate().for_each(|(at, item)| under(&at.to_string(), item)),
        Value::Object(fields) => {
            fields.iter().for_each(|(key, item)| under(&key.replace('~', "~0").replace('/', "~1"), item));
        }
        _ => {}
    }
    all
}

fn change(place: &mut Value, part: Value, chance: &mut Chance) {
    match place {
        Value::Array(items) if !chance.one_in(3) => {
            let at = chance.below(items.len() + 1);
            match chance.below(4) {
                0 if at < items.len() => drop(items.remove(at)),
                1 if at < items.len() => items.push(items[at].clone()),
                2 if at < items.len() => items.swap(at, 0),
                _ => items.insert(at, part),
            }
        }
        Value::Object(fields) if !chance.one_in(3) => {
            let names: Vec<String> = fields.keys().cloned().collect();
            let name = names.get(chance.below(names.len())).cloned().unwrap_or_default();
            match chance.below(3) {
                0 => drop(fields.remove(&name)),
                1 => drop(fields.insert(name, part)),
                _ => drop(fields.insert(chance.of(&KEYS).unwrap_or_default().to_owned(), part)),
            }
        }
        Value::String(text) if !chance.one_in(4) => {
            *text = String::from_utf8_lossy(&words(text.as_bytes(), chance)).into_owned();
        }
        Value::Number(number) if chance.one_in(2) => {
            let edges =
                [0, 1, u64::from(u32::MAX), i64::MAX.unsigned_abs(), u64::MAX, number.as_u64().unwrap_or(2) ^ 1];
            *place = Value::from(chance.of(&edges).unwrap_or_default());
        }
        place => *place = part,
    }
}

fn odd(chance: &mut Chance) -> Value {
    let word = chance.of(&WORDS).unwrap_or_default();
    match chance.below(12) {
        0 => (0..100).fold(Value::Null, |inner, _| Value::Array(vec![inner])),
        1 => Value::String("x".repeat(1 << chance.below(14))),
        2 => Value::from(chance.next()),
        _ => serde_json::from_str(word).unwrap_or_else(|_| Value::String(word.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_chance_gives_the_same_text() {
        let again = || mutated(b"{\"a\": [1, 2]}", b"[true]", &mut Chance(7));
        assert_eq!(again(), again());
    }

    #[test]
    fn an_empty_text_is_a_text() {
        for seed in 0..500 {
            drop(mutated(b"", b"", &mut Chance(seed)));
        }
    }

    #[test]
    fn every_part_of_a_value_has_its_place() {
        let whole: Value = serde_json::from_str(r#"{"a/b": [1, {"~": 2}], "c": 3}"#).unwrap();
        let parts: Vec<String> = places(&whole).iter().map(|place| whole.pointer(place).unwrap().to_string()).collect();
        assert_eq!(parts[1..], ["[1,{\"~\":2}]", "1", "{\"~\":2}", "2", "3"]);
    }

    #[test]
    fn most_mutations_of_a_value_are_values() {
        let valid = |seed| {
            let text = mutated(br#"{"a": [1, {"b": 2}], "c": "three"}"#, b"[4]", &mut Chance(seed));
            serde_json::from_slice::<Value>(&text).is_ok()
        };
        assert!((0..1_000).filter(|seed| valid(*seed)).count() > 300);
    }
}
