//! The documentation of the standard library shows all that it has: each public function of a room is called in an
//! example of that room that is compiled. It is read as text, so a name counts for all functions of a room that have
//! it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use wb_core::system::files;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../wb-stdlib/src");

/// What stands behind the three backticks of an example that is compiled as it is.
const COMPILED: [&str; 2] = ["", "standalone_crate"];

/// Rooms that are doors to all others: what they have is shown where it leads to.
const DOORS: [&str; 2] = ["host", "look"];

/// What no example calls, by its room, with the reason.
const EXCEPTIONS: [(&str, &str, &str); 5] = [
    ("__private", "spec", "what `#[spec]` writes calls it"),
    ("__private", "gate", "what `#[role]` writes calls it"),
    ("__private", "leave", "what `#[role]` writes calls it"),
    ("__private", "rejoin", "what `#[role]` writes calls it"),
    ("requirement", "new", "what `require!` writes calls it"),
];

/// What a room has, and what it shows of that.
#[derive(Default)]
struct Room {
    functions: Vec<String>,
    examples: String,
}

/// A room is a file, and the folder of its name.
fn rooms() -> BTreeMap<String, Room> {
    let mut rooms = BTreeMap::<String, Room>::new();
    for (path, _) in files::below(SOURCE).unwrap() {
        if path.extension().is_none_or(|end| end != "rs") {
            continue;
        }
        let text = files::read_text(Path::new(SOURCE).join(&path)).unwrap();
        let name = path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        let room = rooms.entry(name.to_owned()).or_default();
        room.functions.extend(functions(&text, name == "look").map(str::to_owned));
        room.examples += &examples(&text);
    }
    rooms
}

/// The names of public functions. Those of a public trait have no word of their own for it.
fn functions(text: &str, is_trait: bool) -> impl Iterator<Item = &str> {
    let code = text.split("\nmod tests {").next().unwrap_or_default();
    code.lines().filter_map(move |line| {
        let line = line.trim_start();
        let declared = line.strip_prefix("pub fn ").or(line.strip_prefix("pub const fn "));
        let declared = declared.or(line.strip_prefix("fn ").filter(|_| is_trait))?;
        declared.split(['(', '<']).next()
    })
}

/// What readers see of the examples that are compiled: no line that begins with `#` and a blank.
fn examples(text: &str) -> String {
    let (mut shown, mut fence) = (String::new(), None);
    for line in text.lines() {
        let line = line.trim_start();
        let Some(line) = line.strip_prefix("///").or(line.strip_prefix("//!")) else { continue };
        let line = line.trim_start();
        match (line.strip_prefix("```"), fence) {
            (Some(kind), None) => fence = Some(COMPILED.contains(&kind)),
            (Some(_), Some(_)) => fence = None,
            (None, Some(true)) if !line.starts_with("# ") => shown = shown + line + "\n",
            _ => {}
        }
    }
    shown
}

/// Whether a function of this name is called there, and not only declared.
fn is_called(examples: &str, name: &str) -> bool {
    examples.match_indices(name).any(|(at, _)| {
        let (before, after) = (&examples[..at], &examples[at + name.len()..]);
        let is_whole = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        is_whole && !before.ends_with("fn ") && (after.starts_with('(') || after.starts_with("::<"))
    })
}

#[test]
fn each_public_function_is_called_in_an_example_of_its_room() {
    let rooms = rooms();
    let everywhere: String = rooms.values().map(|room| room.examples.as_str()).collect();
    let mut missing = Vec::new();
    for (name, room) in &rooms {
        let shown = if DOORS.contains(&name.as_str()) { &everywhere } else { &room.examples };
        let is_exception = |function: &str| EXCEPTIONS.iter().any(|(room, but, _)| room == name && *but == function);
        let is_missing = |function: &&String| !is_called(shown, function) && !is_exception(function);
        missing.extend(room.functions.iter().filter(is_missing).map(|function| format!("{name}: {function}")));
    }
    assert!(missing.is_empty(), "no example calls {missing:#?}");
}

#[test]
fn rooms_are_found() {
    let rooms = rooms();
    assert!(rooms["file"].functions.contains(&"validated_by".to_owned()));
    assert!(rooms["look"].functions.contains(&"settings".to_owned()));
    assert!(rooms["unit"].examples.contains(".not_made_up_for()"));
}

#[test]
fn an_exception_is_one() {
    let rooms = rooms();
    for (name, function, why) in EXCEPTIONS {
        let room = &rooms[name];
        assert!(room.functions.iter().any(|known| known == function), "{name} has no {function}: {why}");
        assert!(!is_called(&room.examples, function), "{function} of {name} is called: {why}");
    }
}

#[test]
fn an_example_is_what_is_compiled_and_seen() {
    let check = |text: &str, expect: &str| assert_eq!(examples(text), expect, "{text}");
    check("//! ```\n//! one();\n//! ```", "one();\n");
    check("    /// Text.\n    /// ```\n    ///     one();\n    /// ```\n    /// two();", "one();\n");
    check("/// ```\n/// # hidden();\n/// #[spec]\n/// ```", "#[spec]\n");
    check("/// ```text\n/// one();\n/// ```\n/// ```standalone_crate\n/// two();\n/// ```", "two();\n");
    check("/// ```compile_fail\n/// one();\n/// ```\nfn code() {}", "");
}

#[test]
fn a_call_is_no_declaration_and_no_other_name() {
    let check = |text: &str, expect: bool| assert_eq!(is_called(text, "user"), expect, "{text}");
    check("host.user(\"anna\").present()?;", true);
    check("let anna = user::<String>(host);", true);
    check("fn user(host: &Host) {}", false);
    check("host.super_user(1).users(2).user;", false);
}
