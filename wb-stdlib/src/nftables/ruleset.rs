//! What a text for `nft -f` says of tables.

/// The families of tables; `ip` where none is said.
const FAMILIES: [&str; 6] = ["ip", "ip6", "inet", "arp", "bridge", "netdev"];

/// The tables that a ruleset makes, each once, as in `inet filter`.
pub(super) fn tables(ruleset: &str) -> Vec<String> {
    let mut tables = Vec::new();
    for statement in statements(ruleset) {
        let words: Vec<&str> = statement.split_whitespace().collect();
        let words = match words[..] {
            ["add" | "create", ref rest @ ..] => rest,
            ref all => all,
        };
        let table = match *words {
            ["table", family, name, ..] if FAMILIES.contains(&family) => format!("{family} {name}"),
            ["table", name, ..] => format!("ip {name}"),
            _ => continue,
        };
        if !tables.contains(&table) {
            tables.push(table);
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
    statements(ruleset).iter().any(|statement| {
        let words: Vec<&str> = statement.split_whitespace().collect();
        matches!(words[..], ["flush", "ruleset", ..] | ["flush" | "delete" | "destroy", "table", ..])
    })
}

/// The beginnings of the statements that stand outside of all brackets, without comments and texts.
fn statements(ruleset: &str) -> Vec<String> {
    let mut statements = vec![String::new()];
    let (mut depth, mut is_text, mut is_comment) = (0_u32, false, false);
    for c in ruleset.replace("\\\n", " ").chars() {
        match c {
            '\n' => (is_comment, is_text) = (false, false),
            _ if is_comment => continue,
            '"' => is_text = !is_text,
            _ if is_text => continue,
            '#' => is_comment = true,
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match c {
            '\n' | ';' | '}' if depth == 0 => statements.push(String::new()),
            '{' | '}' | '#' => {}
            c if depth == 0 && !is_comment => statements.last_mut().expect("there is always one").push(c),
            _ => {}
        }
    }
    statements.retain(|statement| !statement.trim().is_empty());
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Debian 12 installs it.
    const DEBIAN: &str = "#!/usr/sbin/nft -f\n\nflush ruleset\n\ntable inet filter {\n\tchain input {\n\t\ttype filter hook \
                          input priority filter;\n\t}\n\tchain forward {\n\t\ttype filter hook forward priority \
                          filter;\n\t}\n}\n";

    #[test]
    fn tables_are_found_outside_of_brackets() {
        let check = |ruleset: &str, expect: &[&str]| assert_eq!(tables(ruleset), expect, "{ruleset}");
        check(DEBIAN, &["inet filter"]);
        check("table x\ndelete table x\ntable x {\n}", &["ip x"]);
        check("add table ip6 a; create table inet b { chain c { } }; table ip d {}", &["ip6 a", "inet b", "ip d"]);
        check("# table inet no\ntable inet yes { comment \"table inet { no\"\n }\n", &["inet yes"]);
        check("define x = { 22, 80 }\ntable inet filter \\\n{ }", &["inet filter"]);
        check("flush ruleset", &[]);
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
