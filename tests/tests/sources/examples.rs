//! The documentation of the standard library shows all that it has: each public function of a room is called in an
//! example of that room that is compiled. It is read as text, so a name counts for all functions of a room that have
//! it.
//!
//! What an example writes down is run, too, in lines that readers do not see: a migration is planned on a fake host,
//! and a spec is asked of one (`wb_stdlib::testing::web1`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use wb_core::system::files;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../wb-stdlib/src");

/// What stands behind the three backticks of an example that is compiled as it is.
const COMPILED: [&str; 2] = ["", "standalone_crate"];

/// Rooms that are doors to all others: what they have is shown where it leads to.
const DOORS: [&str; 2] = ["host", "look"];

/// What no example calls, by its room, with the reason.
const EXCEPTIONS: [(&str, &str, &str); 12] = [
    ("__private", "spec", "what `#[spec]` writes calls it"),
    ("__private", "gate", "what `#[role]` writes calls it"),
    ("__private", "leave", "what `#[role]` writes calls it"),
    ("__private", "rejoin", "what `#[role]` writes calls it"),
    ("requirement", "new", "what `require!` writes calls it"),
    ("testing", "web1", "examples are run by it"),
    ("testing", "fedora", "examples are run by it"),
    ("testing", "planned", "examples are run by it"),
    ("testing", "rehearse", "examples are run by it"),
    ("testing", "finds", "examples are run by it"),
    ("testing", "asks", "examples are run by it"),
    ("testing", "sees", "examples are run by it"),
];

const ASKS_THE_NETWORK: &str = "it asks a server whose address stands in it";

/// What examples write down and nothing runs, by its room, with the reason.
const UNRUN: [(&str, &str, &str); 12] = [
    ("alerts", "what_fires", ASKS_THE_NETWORK),
    ("haproxy", "leave", ASKS_THE_NETWORK),
    ("haproxy", "rejoin", ASKS_THE_NETWORK),
    ("http", "add_a_source", ASKS_THE_NETWORK),
    ("http", "kind_of_the_answer", ASKS_THE_NETWORK),
    ("http", "make_the_index", ASKS_THE_NETWORK),
    ("http", "newest_version", ASKS_THE_NETWORK),
    ("http", "the_page_is_served", ASKS_THE_NETWORK),
    ("http", "the_shop_answers", ASKS_THE_NETWORK),
    ("lib", "the_page_is_served", ASKS_THE_NETWORK),
    ("testing", "nginx_is_installed_once", "it is a test of a chain, and there is none here"),
    ("waiting", "wait_for_the_shop", ASKS_THE_NETWORK),
];

/// What a room has, and what it shows of that.
#[derive(Default)]
struct Room {
    functions: Vec<String>,
    examples: String,
    unrun: BTreeSet<String>,
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
        room.unrun.extend(blocks(&text).iter().flat_map(|block| unrun(block)).map(str::to_owned));
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

/// The lines of each example that is compiled, those that readers do not see among them.
fn blocks(text: &str) -> Vec<Vec<&str>> {
    let (mut blocks, mut fence) = (Vec::<Vec<&str>>::new(), None);
    for line in text.lines() {
        let line = line.trim_start();
        let Some(line) = line.strip_prefix("///").or(line.strip_prefix("//!")) else { continue };
        let line = line.strip_prefix(' ').unwrap_or(line);
        match (line.trim_start().strip_prefix("```"), fence) {
            (Some(kind), None) => {
                fence = Some(COMPILED.contains(&kind));
                blocks.push(Vec::new());
            }
            (Some(_), Some(_)) => fence = None,
            (None, Some(true)) => blocks.last_mut().unwrap().push(line),
            _ => {}
        }
    }
    blocks
}

/// What readers see of the examples that are compiled: no line that begins with `#` and a blank.
fn examples(text: &str) -> String {
    let lines = blocks(text).concat();
    let shown = lines.iter().map(|line| line.trim_start()).filter(|line| !line.starts_with("# "));
    shown.map(|line| format!("{line}\n")).collect()
}

/// The functions of an example that get a host or a view of one, and that no line runs which readers do not see; and
/// those that such a line only takes for functions.
fn unrun<'t>(block: &[&'t str]) -> Vec<&'t str> {
    let hidden: Vec<&str> = block.iter().copied().filter_map(|line| line.strip_prefix("# ")).collect();
    let runs = |line: &str, name: &str| !line.contains(COERCED) && words(line).any(|word| word == name);
    let is_run = |name: &str| hidden.iter().any(|line| runs(line, name));
    let mut unrun: Vec<&str> = declared(block).into_iter().filter(|name| !is_run(name)).collect();
    for line in &hidden {
        let mut taken: Vec<&str> = line.split(COERCED).collect();
        taken.pop();
        unrun.extend(taken.into_iter().filter_map(|before| words(before).last()));
    }
    unrun
}

/// What a function is followed by that is only taken for one.
const COERCED: &str = " as fn(";

/// The functions that get a host or a view of one, but for those with a macro before them, which gives them to others.
fn declared<'t>(block: &[&'t str]) -> Vec<&'t str> {
    let is_plain = |at: usize| at == 0 || !block[at - 1].starts_with("#[");
    let plain = block.iter().copied().enumerate().filter(|(at, _)| is_plain(*at));
    plain.filter_map(|(_, line)| of_host(line)).collect()
}

/// The name of a function that gets a host or a view of one, from the line that begins it.
fn of_host(line: &str) -> Option<&str> {
    let (name, parameters) = line.strip_prefix("fn ")?.split_once('(')?;
    parameters.starts_with("host: &").then_some(name)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
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
fn what_an_example_writes_down_is_run() {
    for (name, room) in rooms() {
        let known = UNRUN.iter().filter(|(of, ..)| *of == name).map(|(_, function, _)| (*function).to_owned());
        let known: BTreeSet<String> = known.collect();
        assert_eq!(room.unrun, known, "what is not run of {name}, and what is known not to be");
    }
}

#[test]
fn what_is_known_not_to_be_run_is_there() {
    let rooms = rooms();
    for (name, function, why) in UNRUN {
        assert!(rooms[name].unrun.contains(function), "{function} of {name} is run, or is not there: {why}");
    }
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
fn what_is_run_is_named_in_a_line_that_nobody_sees() {
    let check = |block: &[&str], expect: &[&str]| assert_eq!(unrun(block), expect, "{block:?}");
    check(&["fn one(host: &Host) -> Result<()> {", "}", "# web1().rehearse(one);"], &[]);
    check(&["fn one(host: &View) -> Result<()> {", "}", "# web1().asks(another_one);"], &["one"]);
    check(&["fn one(host: &Host) {}", "fn two(host: &Host) {", "    one(host);", "# web1().rehearse(two);"], &["one"]);
    check(&["fn one() {", "}", "#[spec]", "fn two(host: &View) {", "    fn three(host: &View) {}"], &[]);
    check(&["# let (_, _) = (one as fn(&Host), two as fn(&View));"], &["one", "two"]);
    check(&["fn one(host: &Host) {", "}", "# let _ = one as fn(&Host);"], &["one", "one"]);
}

#[test]
fn a_call_is_no_declaration_and_no_other_name() {
    let check = |text: &str, expect: bool| assert_eq!(is_called(text, "user"), expect, "{text}");
    check("host.user(\"anna\").present()?;", true);
    check("let anna = user::<String>(host);", true);
    check("fn user(host: &Host) {}", false);
    check("host.super_user(1).users(2).user;", false);
}
