//! What is true of all edits of all texts.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::line::Gone;
use super::lines::Lines;
use super::row::Row;
use super::tree::{Format, Tree};
use super::variable::Variable;
use super::{Block, Change, Directive, Edit, Line, Section, Settled, json, toml, yaml};
use crate::machine::Machine;

/// Lines as they stand in files of all kinds, odd ones among them.
const LINES: [&[u8]; 36] = [
    b"",
    b"  ",
    b"# comment",
    b"; comment",
    b"a",
    b"a = 1",
    b"a=2",
    b"  a = 3",
    b"#a = 1",
    b"; a = 1",
    b"b",
    b"b=1",
    b"\tb = x y",
    b"[s]",
    b"[t]",
    b" [s] # s",
    b"[s",
    b"a 1",
    b"A\t2",
    b"#a 1",
    b"# a 1",
    b"Match all",
    b"Host x",
    b"export a=1",
    b"a='1' # c",
    b"a=\"x y\"",
    b"b=$a",
    b"# BEGIN wildebeest: n",
    b"# END wildebeest: n",
    b"caf\xe9",
    b"\xff\xfe",
    b"  deeper",
    b"a: 1",
    b"- a",
    b"{",
    b"}",
];

/// Texts of such lines, with LF or CRLF, with or without an end.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let lines = prop::collection::vec(select(LINES.to_vec()), 0..12);
    (lines, any::<bool>(), any::<bool>()).prop_map(|(lines, is_crlf, is_ended)| {
        let end: &[u8] = if is_crlf { b"\r\n" } else { b"\n" };
        let mut text = lines.join(end);
        if is_ended && !lines.is_empty() {
            text.extend_from_slice(end);
        }
        text
    })
}

/// All edits of one kind of file, by number: as a host says them.
fn edits<'a>(host: crate::Host<'a>, which: usize, word: &str) -> Edit<crate::Host<'a>> {
    let edit = Edit::new(host, std::path::Path::new("/etc/a"));
    match which {
        0 => edit.line(word).then(Settled),
        1 => edit.line(word).matching("^a").then(Settled),
        2 => edit.line(word).matching("^.b").first().only().then(Settled),
        3 => edit.line(word).after("^#").then(Settled),
        4 => edit.line(word).before("a").at_start().then(Settled),
        5 => edit.without_line(word).without_lines("^b"),
        6 => edit.block("n", format!("{word}\n{word}")).then(Settled),
        7 => edit.without_block("n").then(Settled),
        8 => edit.replace("^a.*", word),
        9 => edit.section("s").option("a", word).flag("b").then(Settled),
        10 => edit.section("s").options("a", [word, "2"]).repeated_option("b", word).without_option("c").then(Settled),
        11 => edit.before_sections().option("a", word).without_option("b").then(Settled),
        12 => edit.without_section("s"),
        13 => edit.variable("a", word).without_variable("b"),
        14 => edit.directive("a", word).then(Settled),
        15 => edit.directives("a", [word, "2"]).under("Match all").without_directive("b").then(Settled),
        16 => edit.toml("a.b", word).without_toml("b"),
        17 => edit.json("a.b", word).without_json("b"),
        18 => edit.yaml("a.b", word).without_yaml("b"),
        19 => edit.toml("a[0].b", word),
        20 => edit.json("a[0].b", word),
        _ => edit.yaml("a[0]", word),
    }
}

/// The text after a change, which a second one leaves as it is.
fn settled(change: &dyn Change, text: &[u8]) -> Result<Vec<u8>, TestCaseError> {
    let once = change.change(text).ok().flatten().unwrap_or_else(|| text.to_vec());
    let again = change.change(&once).ok().flatten();
    prop_assert!(again.is_none(), "{} of {:?}: {:?}", change.name(), once.escape_ascii().to_string(), again);
    Ok(once)
}

/// The lines that are none of an edit's own, without their ends.
fn others(text: &[u8], is_own: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
    Lines::of(text).bodies().filter(|body| !is_own(body)).map(<[u8]>::to_vec).collect()
}

fn key_of(line: &[u8]) -> Option<Vec<u8>> {
    match Row::of(line) {
        Row::Option { key, .. } => Some(key.to_vec()),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn to_edit_twice_is_to_edit_once(
        text in texts(), which in 0usize..22, word in select(vec!["a", "a = 1", "x y", "$1", "é"])
    ) {
        let machine = Machine::new();
        let outcome = machine.apply(|host| {
            let edit = edits(*host, which, word);
            let Ok(once) = edit.edited(&text) else { return Ok(None) };
            let once = once.unwrap_or_else(|| text.clone());
            Ok(Some((edit.edited(&once)?, once)))
        });
        if let Some((again, once)) = outcome.unwrap() {
            prop_assert!(again.is_none(), "{which}: {:?} -> {:?}", once.escape_ascii().to_string(), again);
        }
    }

    #[test]
    fn a_line_changes_one_line_at_most(
        text in texts(), has_pattern in any::<bool>(), word in select(vec!["a", "a=2", "z"])
    ) {
        let line = Line::new(word.to_owned());
        let line = if has_pattern { line.looking_for("^a") } else { line };
        let after = settled(&line, &text)?;
        let (old, new) = (others(&text, |_| false), others(&after, |_| false));
        let common = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
        let (old, new) = (&old[common..], &new[common..]);
        prop_assert!(new.first().is_none_or(|line| line == word.as_bytes()));
        prop_assert!(new.is_empty() || old.ends_with(&new[1..]) && old.len() <= new.len());
    }

    #[test]
    fn lines_that_are_not_named_stay(text in texts()) {
        let after = settled(&Gone::Exact("a".into()), &text)?;
        prop_assert_eq!(others(&text, |body| body == b"a"), others(&after, |_| false));
    }

    #[test]
    fn what_is_outside_of_a_block_stays(text in texts()) {
        let put = Block::new("m".into(), Some("x\ny".into()));
        let with = settled(&put, &text)?;
        let without = settled(&Block::new("m".into(), None), &with)?;
        prop_assert_eq!(others(&text, |_| false), others(&without, |_| false));
    }

    #[test]
    fn options_that_are_not_named_stay(text in texts(), value in select(vec!["1", "x y", ""])) {
        let is_own = |body: &[u8]| key_of(body).is_some_and(|key| key == b"a") || body.is_empty() || body == b"[s]";
        let section = Section::new(Some("s".into())).with("a", value);
        // Where what stands behind would become a part of the value, an edit is refused: a second one would take it away.
        let twice = section.change(&text).ok().flatten().map(|once| section.change(&once));
        prop_assume!(!matches!(twice, Some(Ok(Some(_)))));
        let after = settled(&section, &text)?;
        let goes_on = |body: &[u8]| body == b"  deeper" || body.starts_with(b"\tb") || body.starts_with(b"  a");
        let own = |body: &[u8]| is_own(body) || goes_on(body);
        prop_assert_eq!(others(&text, own), others(&after, own));
    }

    #[test]
    fn variables_that_are_not_named_stay(text in texts(), value in select(vec!["1", "x y", "it's \"$x\""])) {
        let after = settled(&Variable::new("a".into(), Some(value.into())), &text)?;
        let is_own = |body: &[u8]| body.starts_with(b"a=") || body.starts_with(b"export a=");
        prop_assert_eq!(others(&text, is_own), others(&after, is_own));
        let gone = settled(&Variable::new("a".into(), None), &text)?;
        prop_assert_eq!(others(&text, is_own), others(&gone, is_own));
    }

    #[test]
    fn directives_that_are_not_named_stay(
        text in texts(), values in prop::collection::vec(select(vec!["1", "x y"]), 0..3)
    ) {
        let values = values.into_iter().map(Into::into).collect();
        let after = settled(&Directive::new("a".into(), values), &text)?;
        let is_own = |body: &[u8]| {
            let text = body.trim_ascii_start().to_ascii_lowercase();
            text == b"a" || [&b"a="[..], b"a ", b"a\t"].iter().any(|start| text.starts_with(start))
        };
        prop_assert_eq!(others(&text, is_own), others(&after, is_own));
    }
}

/// Paths, one of which is in the other.
const PATHS: [&str; 8] = ["a", "b", "a.b", "a.c", "b.c.d", r#""x.y".z"#, "d[0].m", "d[0].n"];

fn values() -> impl Strategy<Value = Value> {
    let texts = ["x", "no", "", "1", "two words", "a: b", "é", "\"q\"", "back\\slash", "# x", "- y"];
    let leaf = prop_oneof![
        any::<i32>().prop_map(|number| json!(number)),
        any::<bool>().prop_map(|value| json!(value)),
        select(texts.to_vec()).prop_map(|text| json!(text)),
        Just(json!(1.5)),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(select(vec!["k", "l", "m.n"]), inner, 1..3).prop_map(|map| json!(map)),
        ]
    })
}

/// Sets values one after the other, in a file that has comments, and looks after each for what was set, for the
/// comments, and for the rest.
fn check_tree(format: Format, start: &str, comments: &[&str], sets: &[(&str, Value)]) -> Result<(), TestCaseError> {
    let mut text = start.to_owned();
    for (path, value) in sets {
        let tree = Tree::new(format, (*path).into(), value);
        let Ok(changed) = tree.change(text.as_bytes()) else { continue };
        let Some(changed) = changed else { continue };
        text = String::from_utf8(changed).expect("text");
        prop_assert!(matches!(tree.change(text.as_bytes()), Ok(None)), "{path} = {value} in {text}");
        for comment in comments {
            prop_assert!(text.contains(comment), "{path} = {value} lost `{comment}` in {text}");
        }
    }
    Ok(())
}

fn sets() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    prop::collection::vec((select(PATHS.to_vec()), values()), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn toml_keeps_comments_and_other_values(sets in sets()) {
        let start = "# top\nk = 1 # of k\n\n# of b\n[b]\nl = 'x'  # of l\n\n[b.c]\n# end of c\n\n[[d]]\nm = 1\n# end\n";
        check_tree(toml::FORMAT, start, &["# top\n", " # of k\n", "# of b\n", "  # of l\n", "# end\n"], &sets)?;
    }

    #[test]
    fn json_keeps_comments_and_other_values(sets in sets()) {
        let start = "// top\n{\n  // of k\n  \"k\": 1, // one\n  \"b\": {\n    \"l\": [1,  2] // two\n  },\n  \"d\": [\n    \
                     // of m\n    { \"m\": 1 }\n  ]\n}\n// end\n";
        check_tree(json::FORMAT, start, &["// top\n", "// of k\n", "// one\n", "// of m\n", "// end\n"], &sets)?;
    }

    #[test]
    fn yaml_keeps_comments_and_other_values(sets in sets()) {
        let start = "# top\n---\nk: 1 # of k\n# of b\nb:\n    l:   'x'  # of l\n\n# of d\nd:\n- m: 1\n# end\n";
        check_tree(yaml::FORMAT, start, &["# top\n", " # of k\n", "# of b\n", "# of d\n", "# end\n"], &sets)?;
    }

    #[test]
    fn nothing_panics(
        bytes in prop::collection::vec(select(b"ab:=#-[]{}'\"\\ \t\n\r,|&*!?>%@`$(;\xe9".to_vec()), 0..60),
        which in 0usize..22
    ) {
        let machine = Machine::new();
        machine
            .apply(|host| {
                drop(edits(*host, which, "x y").edited(&bytes));
                Ok(())
            })
            .unwrap();
    }
}
