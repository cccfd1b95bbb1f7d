//! What a text for `nft -f` says, and of which tables.

/// The families of tables; `ip` where none is said.
const FAMILIES: [&str; 6] = ["ip", "ip6", "inet", "arp", "bridge", "netdev"];

/// A part of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Without blanks, or in quotes, which it keeps.
    Word(String),
    /// What stands between brackets.
    Block(Vec<Statement>),
}

/// What ends with its line, or with a `;`.
pub(super) type Statement = Vec<Part>;

/// The statements of a text, without comments. Commas count as blanks.
pub(super) fn parse(text: &str) -> Vec<Statement> {
    let mut reader = Reader { open: vec![vec![Statement::new()]], word: String::new() };
    let (mut is_text, mut is_comment) = (false, false);
    for c in text.replace("\\\n", " ").chars() {
        match c {
            '\n' => {
                (is_text, is_comment) = (false, false);
                reader.end_statement();
            }
            _ if is_comment => {}
            '"' => {
                is_text = !is_text;
                reader.word.push(c);
            }
            _ if is_text => reader.word.push(c),
            '#' => is_comment = true,
            ';' => reader.end_statement(),
            '{' => reader.open(),
            '}' => reader.close(),
            ',' => reader.end_word(),
            c if c.is_whitespace() => reader.end_word(),
            c => reader.word.push(c),
        }
    }
    reader.end()
}

/// The blocks that are open, the outermost first, each with its statements so far, of which the last is not at its end.
struct Reader {
    open: Vec<Vec<Statement>>,
    word: String,
}

impl Reader {
    fn push(&mut self, part: Part) {
        self.open.last_mut().and_then(|block| block.last_mut()).expect("there is always one").push(part);
    }

    fn end_word(&mut self) {
        if !self.word.is_empty() {
            let word = std::mem::take(&mut self.word);
            self.push(Part::Word(word));
        }
    }

    fn end_statement(&mut self) {
        self.end_word();
        self.open.last_mut().expect("there is always one").push(Statement::new());
    }

    fn open(&mut self) {
        self.end_word();
        self.open.push(vec![Statement::new()]);
    }

    fn close(&mut self) {
        self.end_word();
        if self.open.len() > 1 {
            let block = self.open.pop().map(whole);
            self.push(Part::Block(block.unwrap_or_default()));
        }
    }

    fn end(mut self) -> Vec<Statement> {
        while self.open.len() > 1 {
            self.close();
        }
        self.end_word();
        self.open.pop().map(whole).unwrap_or_default()
    }
}

/// The statements that say something.
fn whole(mut block: Vec<Statement>) -> Vec<Statement> {
    block.retain(|statement| !statement.is_empty());
    block
}

impl Part {
    pub(super) fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            Self::Block(_) => None,
        }
    }

    pub(super) fn block(&self) -> Option<&[Statement]> {
        match self {
            Self::Word(_) => None,
            Self::Block(block) => Some(block),
        }
    }
}

/// The words that a statement begins with.
pub(super) fn words(statement: &[Part]) -> Vec<&str> {
    statement.iter().map_while(Part::word).collect()
}

/// The table that these words begin with, as in `inet filter`, and the words behind it.
pub(super) fn named<'a, 'w>(words: &'a [&'w str]) -> Option<(String, &'a [&'w str])> {
    match words {
        [family, name, rest @ ..] if FAMILIES.contains(family) => Some((format!("{family} {name}"), rest)),
        [name, rest @ ..] => Some((format!("ip {name}"), rest)),
        [] => None,
    }
}

/// The tables that there are at the end of a ruleset, each once, as in `inet filter`.
pub(super) fn tables(ruleset: &str) -> Vec<String> {
    let mut tables: Vec<String> = Vec::new();
    for statement in parse(ruleset) {
        let words = words(&statement);
        match words[..] {
            ["flush", "ruleset", family] => tables.retain(|table| !table.starts_with(&format!("{family} "))),
            ["flush", "ruleset"] => tables.clear(),
            ["delete" | "destroy", "table", ref rest @ ..] => {
                let gone = named(rest).map(|(table, _)| table);
                tables.retain(|table| Some(table) != gone.as_ref());
            }
            ["table", ref rest @ ..] | ["add" | "create", "table", ref rest @ ..] => {
                let made = named(rest).map(|(table, _)| table);
                if let Some(made) = made.filter(|made| !tables.contains(made)) {
                    tables.push(made);
                }
            }
            _ => {}
        }
    }
    tables
}

/// The tables that `nft list tables` lists: lines like `table inet filter`.
pub(super) fn listed(said: &str) -> Vec<String> {
    said.lines().filter_map(|line| line.trim().strip_prefix("table ")).map(str::to_owned).collect()
}

/// Whether a ruleset takes away something of what was loaded before.
pub(super) fn starts_anew(ruleset: &str) -> bool {
    parse(ruleset).iter().any(|statement| {
        matches!(words(statement)[..], ["flush", "ruleset", ..] | ["flush" | "delete" | "destroy", "table", ..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Debian 12 installs it.
    const DEBIAN: &str = "#!/usr/sbin/nft -f\n\nflush ruleset\n\ntable inet filter {\n\tchain input {\n\t\ttype filter hook \
                          input priority filter;\n\t}\n\tchain forward {\n\t\ttype filter hook forward priority \
                          filter;\n\t}\n}\n";

    fn shown(block: &[Statement]) -> String {
        let part = |part: &Part| match part {
            Part::Word(word) => word.clone(),
            Part::Block(block) => format!("{{{}}}", shown(block)),
        };
        let statement = |statement: &Statement| statement.iter().map(part).collect::<Vec<_>>().join(" ");
        block.iter().map(statement).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_text_is_read_into_statements() {
        let check = |text: &str, expect: &str| assert_eq!(shown(&parse(text)), expect, "{text}");
        check("a b; c # d\ne", "a b; c; e");
        check("a { b 1,2\n3 } c", "a {b 1 2; 3} c");
        check("log prefix \"a; { b\" drop", "log prefix \"a; { b\" drop");
        check("a \\\n b", "a b");
        check("a { b {", "a {b {}}");
        check("} a", "a");
    }

    #[test]
    fn tables_are_found_outside_of_brackets() {
        let check = |ruleset: &str, expect: &[&str]| assert_eq!(tables(ruleset), expect, "{ruleset}");
        check(DEBIAN, &["inet filter"]);
        check("table x\ndelete table x\ntable x {\n}", &["ip x"]);
        check("add table ip6 a; create table inet b { chain c { } }; table ip d {}", &["ip6 a", "inet b", "ip d"]);
        check("# table inet no\ntable inet yes { comment \"table inet { no\"\n }\n", &["inet yes"]);
        check("define x = { 22, 80 }\ntable inet filter \\\n{ }", &["inet filter"]);
        check("flush ruleset", &[]);
        check("table inet old; delete table inet old; table inet new { }", &["inet new"]);
        check("table inet old { }\ndestroy table inet old", &[]);
        check("table inet a { }\ntable ip b { }\nflush ruleset inet\ntable inet c { }", &["ip b", "inet c"]);
        check("table inet a { }\nflush ruleset; table ip b { }", &["ip b"]);
        check("}}} \"", &[]);
    }

    #[test]
    fn loaded_tables_are_listed() {
        assert_eq!(listed("table inet filter\ntable ip nat\n"), ["inet filter", "ip nat"]);
        assert_eq!(listed(""), [""; 0]);
    }

    #[test]
    fn what_only_adds_is_told_from_what_starts_anew() {
        let check = |ruleset: &str, expect| assert_eq!(starts_anew(ruleset), expect, "{ruleset}");
        check(DEBIAN, true);
        check("table inet x; delete table inet x; table inet x {}", true);
        check("destroy table inet x\ntable inet x {}", true);
        check("table inet filter { chain a { } }", false);
        check("# flush ruleset\ntable inet x { }", false);
        check("", false);
    }
}
