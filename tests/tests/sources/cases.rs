//! No operation is without a case: what the standard library gives an outcome for is called in `tests/operations/src`,
//! where real hosts run it. The texts alone tell, by room and name: a call is a statement, with those of its variables,
//! that has the word which leads to the room, and the name: `host.mount(`, and `.absent(`.

use std::collections::BTreeMap;
use std::path::Path;

use wb_core::system::files;

/// Those without a case, by how they begin, and why.
const LEFT: [(&str, &str); 1] = [("selinux", "no kernel of hosts on sandboxes has it")];

/// The words that lead to rooms, where these are not their names.
const WORDS: [(&str, &str); 10] = [
    ("cron", "cron"),
    ("cron", "crontab"),
    ("directory/recursive", "recursively"),
    ("hosts", "hosts_entry"),
    ("http/guarded", "unless"),
    ("keepalived", "track_file"),
    ("nginx", "nginx_upstream"),
    ("packages/unneeded", "unneeded_packages"),
    ("postgres/grant", "privileges"),
    ("waiting", "wait_up_to"),
];

/// The Rust files below a directory of this repository: their paths from there, without `.rs`, and their texts.
fn sources(directory: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(directory);
    let below = files::below(&root).expect("a directory").into_iter();
    let named = below.filter_map(|(path, _)| Some((path.to_str()?.strip_suffix(".rs")?.to_owned(), root.join(path))));
    named.map(|(name, path)| (name, files::read_text(path).expect("a text"))).collect()
}

/// The names of the operations of a file.
fn operations(text: &str) -> impl Iterator<Item = &str> {
    let gives_one = |line: &&str| line.contains("-> Result<Outcome,") || line.contains("-> Result<Sent,");
    let public = text.lines().filter(gives_one).filter_map(|line| line.trim_start().strip_prefix("pub fn "));
    public.filter_map(|function| function.split(['(', '<']).next())
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether a variable is asked for something, or called.
fn uses(statement: &str, variable: &str) -> bool {
    statement.match_indices(variable).any(|(at, _)| {
        let (before, after) = (&statement[..at], &statement[at + variable.len()..]);
        !before.ends_with(|c: char| is_of_name(c) || c == '.') && after.starts_with(['.', '('])
    })
}

/// The statements of a text, each behind those that its variables come from.
fn statements(text: &str) -> Vec<String> {
    let mut lets: BTreeMap<&str, String> = BTreeMap::new();
    let mut statements = Vec::new();
    for statement in text.split(';') {
        let used = lets.iter().filter(|(variable, _)| uses(statement, variable));
        let whole = used.map(|(_, before)| before.as_str()).chain([statement]).collect::<String>();
        let pattern = statement.split_once("let ").and_then(|(_, rest)| rest.split_once(" ="));
        let variables = pattern.into_iter().flat_map(|(pattern, _)| pattern.split(|c: char| !is_of_name(c)));
        lets.extend(variables.filter(|variable| !variable.is_empty()).map(|variable| (variable, whole.clone())));
        statements.push(whole);
    }
    statements
}

/// Whether a statement calls an operation of a file of the library.
fn calls(statement: &str, file: &str, name: &str) -> bool {
    let (room, own) = file.split_once('/').map_or(("host", file), |(_, own)| ("", own));
    let mut words: Vec<&str> = WORDS.iter().filter(|(known, _)| *known == file).map(|(_, word)| *word).collect();
    if words.is_empty() {
        words.push(own);
    }
    let leads = words.iter().any(|word| statement.contains(&format!("{room}.{word}(")));
    leads && statement.contains(&format!(".{name}("))
}

#[test]
fn every_operation_has_a_case() {
    // Databases have users of their own, and so on: they are looked for in their own cases, and nothing else is.
    let world = |path: &str| ["mysql", "postgres"].into_iter().find(|world| path.split('/').next() == Some(*world));
    let cases = sources("tests/operations/src");
    let cases: Vec<_> = cases.iter().map(|(path, text)| (world(path), statements(text))).collect();
    let (mut found, mut uncalled) = (0, Vec::new());
    for (file, text) in sources("wb-stdlib/src") {
        for name in operations(&text) {
            let mut own = cases.iter().filter(|(of, _)| *of == world(&file)).flat_map(|(_, statements)| statements);
            found += 1;
            if !own.any(|statement| calls(statement, &file, name)) {
                uncalled.push(format!("{file}.{name}"));
            }
        }
    }
    assert!(found > 100, "{found} operations were found");
    let (left, missing): (Vec<_>, Vec<_>) =
        uncalled.into_iter().partition(|name| LEFT.iter().any(|(start, _)| name.starts_with(start)));
    assert!(missing.is_empty(), "in no case: {missing:?}");
    for (start, why) in LEFT {
        assert!(left.iter().any(|name| name.starts_with(start)), "{start} has its cases: nobody need say that {why}");
    }
}

#[test]
fn calls_are_found_behind_variables() {
    let check = |text: &str, file: &str, name: &str, expect: bool| {
        let found = statements(text).iter().any(|statement| calls(statement, file, name));
        assert_eq!(found, expect, "{file}.{name} in {text}");
    };
    check("host.user(1).absent()?;", "user", "absent", true);
    check("host.user(1).absent()?;", "group", "absent", false);
    check("host.git(1).user(2).present()?;", "user", "present", false);
    check("let (a, of) = (1, || host.user(1)); fails(of().absent());", "user", "absent", true);
    check("let db = host.mysql(); let anna = db.user(1); anna.absent()?;", "mysql/user", "absent", true);
    check("let anna = host.user(1); annabel.absent()?;", "user", "absent", false);
}
