//! Who comes in under a ruleset, as far as its text says it: by the chains that drop what no rule of theirs accepts.

use std::collections::BTreeMap;

use super::ruleset::{Part, Statement, named, parse, words};

/// What a chain says of itself, before its rules.
const HEADS: [&str; 3] = ["type", "policy", "comment"];
/// Verdicts of those who are led on, or let in.
const LEADS: [&str; 3] = ["accept", "jump", "goto"];
const REFUSALS: [&str; 2] = ["drop", "reject"];
/// What stands in a rule without choosing whom it is for.
const REMARKS: [&str; 8] = ["counter", "packets", "bytes", "log", "prefix", "level", "flags", "all"];
const STATES: [&str; 5] = ["new", "established", "related", "untracked", "invalid"];
/// Protocols that are not TCP.
const OTHERS: [&str; 9] = ["udp", "udplite", "icmp", "icmpv6", "igmp", "sctp", "dccp", "esp", "ah"];
/// A rule without a port that looks at one of these lets in nobody who comes over ssh.
const ASIDE: [&str; 4] = ["daddr", "pkttype", "fib", "sport"];

/// Whether nobody can reach this port of the host over TCP: a chain of input refuses what comes to it, for all that its own
/// rules and those of chains that it may lead to say. What stands in a file that is included is not seen.
pub(super) fn shuts(ruleset: &str, port: u16) -> bool {
    let statements = parse(ruleset);
    let (names, chains) = (names(&statements), chains(&statements));
    let lets_in = |parts: &Statement| Rule { parts, port, names: &names }.lets_in();
    chains.iter().filter(|chain| chain.is_for_input() && chain.refuses()).any(|chain| {
        let own = chain.rules.iter().take_while(|rule| !refuses_all(rule));
        let others = chains.iter().filter(|other| other.table == chain.table && !other.is_hooked());
        !own.chain(others.flat_map(|other| &other.rules)).any(lets_in)
    })
}

/// What stands for other words: `$ports`, `@ports`.
type Names = BTreeMap<String, Vec<String>>;

fn names(statements: &[Statement]) -> Names {
    let mut names = Names::new();
    for statement in statements {
        match words(statement)[..] {
            ["define" | "redefine", name, "=", ..] => {
                names.insert(format!("${name}"), flat(&statement[3..]));
            }
            ["set" | "map", name, ..] => names.entry(format!("@{name}")).or_default().extend(flat(statement)),
            ["add", "element" | "set" | "map", .., name] => {
                names.entry(format!("@{name}")).or_default().extend(flat(statement));
            }
            _ => {}
        }
        for block in statement.iter().filter_map(Part::block) {
            for (name, words) in self::names(block) {
                names.entry(name).or_default().extend(words);
            }
        }
    }
    names
}

/// All words, also those in blocks.
fn flat(parts: &[Part]) -> Vec<String> {
    let words = |part: &Part| match part {
        Part::Word(word) => vec![word.clone()],
        Part::Block(block) => block.iter().flat_map(|statement| flat(statement)).collect(),
    };
    parts.iter().flat_map(words).collect()
}

struct Chain {
    table: String,
    name: String,
    rules: Vec<Statement>,
}

impl Chain {
    fn says(&self, wanted: &[&str]) -> bool {
        self.rules.iter().any(|rule| words(rule).starts_with(wanted))
    }

    /// Whether the kernel asks it by itself.
    fn is_hooked(&self) -> bool {
        self.says(&["type"])
    }

    fn is_for_input(&self) -> bool {
        let hooks = |rule: &Statement| words(rule).windows(2).any(|pair| pair == ["hook", "input"]);
        let is_for_all = ["ip ", "inet "].iter().any(|family| self.table.starts_with(family));
        is_for_all && self.is_hooked() && self.rules.iter().any(hooks)
    }

    fn refuses(&self) -> bool {
        self.says(&["policy", "drop"]) || self.rules.iter().any(|rule| refuses_all(rule))
    }
}

/// The chains that are left at the end of a ruleset.
fn chains(statements: &[Statement]) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    for statement in statements {
        let words = words(statement);
        let block = statement.iter().find_map(Part::block).unwrap_or_default();
        match words[..] {
            ["flush", "ruleset", ..] => chains.clear(),
            ["delete" | "destroy", "table", ref rest @ ..] => {
                let gone = named(rest).map(|(table, _)| table);
                chains.retain(|chain| Some(&chain.table) != gone.as_ref());
            }
            ["table", ref rest @ ..] | ["add" | "create", "table", ref rest @ ..] => {
                let of_table = block.iter().map(|inner| (self::words(inner), inner));
                for (words, inner) in of_table.filter(|(words, _)| words.first() == Some(&"chain")) {
                    let rules = inner.iter().find_map(Part::block).unwrap_or_default();
                    add(&mut chains, &[rest, &words[1..]].concat(), rules);
                }
            }
            ["chain", ref rest @ ..] | ["add" | "create", "chain", ref rest @ ..] => add(&mut chains, rest, block),
            ["add" | "insert", "rule", ref rest @ ..] => {
                let behind = named(rest).map_or(0, |(_, behind)| behind.len().saturating_sub(1));
                let rule = statement[words.len() - behind..].to_vec();
                add(&mut chains, &rest[..rest.len() - behind], &[rule]);
            }
            _ => {}
        }
    }
    chains
}

/// Adds rules to the chain that these words name, with its table.
fn add(chains: &mut Vec<Chain>, words: &[&str], rules: &[Statement]) {
    let Some((table, &[name])) = named(words) else { return };
    match chains.iter_mut().find(|chain| chain.table == table && chain.name == name) {
        Some(chain) => chain.rules.extend_from_slice(rules),
        None => chains.push(Chain { table, name: name.to_owned(), rules: rules.to_vec() }),
    }
}

/// Whether a rule refuses whatever comes to it.
fn refuses_all(rule: &[Part]) -> bool {
    let is_remark = |word: &&&str| REMARKS.contains(*word) || word.starts_with('"') || word.parse::<u64>().is_ok();
    words(rule).iter().find(|word| !is_remark(word)).is_some_and(|word| REFUSALS.contains(word))
}

/// A rule, and what it is asked about.
struct Rule<'a> {
    parts: &'a [Part],
    port: u16,
    names: &'a Names,
}

impl Rule<'_> {
    /// Whether it lets somebody reach the port over TCP, or a map in it leads on with who does.
    fn lets_in(&self) -> bool {
        let has = |these: &[&str]| self.parts.iter().filter_map(Part::word).any(|word| these.contains(&word));
        !HEADS.contains(&self.word(0))
            && has(&["accept", "vmap"])
            && (has(&["dport"]) || !has(&ASIDE))
            && (0..self.parts.len()).all(|at| self.fits(at))
    }

    /// Whether somebody who comes over TCP, to the port, is still meant with this word.
    fn fits(&self, at: usize) -> bool {
        let (is_not, is_map) = (self.word(at + 1) == "!=", self.word(at + 1) == "vmap");
        let value = self.value(at + 1 + usize::from(is_not || is_map));
        let has = |is_it: &dyn Fn(&str) -> bool| match is_map {
            true => leads_on(&value, is_it),
            false => value.iter().any(|word| is_it(word)) != is_not,
        };
        match self.word(at) {
            "dport" => has(&|word| is_port(word, self.port)),
            "state" => has(&|word| word == "new"),
            "l4proto" | "protocol" | "nexthdr" => has(&|word| ["tcp", "6"].contains(&word)),
            "iif" | "iifname" => is_not || has(&|word| word.trim_matches('"') != "lo"),
            other => !OTHERS.contains(&other),
        }
    }

    fn word(&self, at: usize) -> &str {
        self.parts.get(at).and_then(Part::word).unwrap_or_default()
    }

    /// The words of a value: one, or those in brackets, or several states.
    fn value(&self, at: usize) -> Vec<String> {
        let states =
            self.parts.iter().skip(at).take_while(|part| part.word().is_some_and(|word| STATES.contains(&word)));
        let said = flat(self.parts.get(at..at + states.count().max(1)).unwrap_or_default());
        let known = |word: &String| self.names.get(word).cloned().unwrap_or_else(|| vec![word.clone()]);
        // What a name stands for may have names in it.
        said.iter().flat_map(known).collect::<Vec<_>>().iter().flat_map(known).collect()
    }
}

/// Whether a map like `22 : accept, 80 : jump web` accepts what has such a key, or leads on with it.
fn leads_on(map: &[String], is_key: &dyn Fn(&str) -> bool) -> bool {
    let text = map.join(" ").replace(':', " : ");
    let words: Vec<&str> = text.split_whitespace().collect();
    words.windows(3).any(|three| three[1] == ":" && is_key(three[0]) && LEADS.contains(&three[2]))
}

/// Whether a word is this port, or a range with it.
fn is_port(word: &str, port: u16) -> bool {
    let number = |text: &str| if text == "ssh" { Some(22) } else { text.parse::<u16>().ok() };
    match word.split_once('-').map(|(first, last)| (number(first), number(last))) {
        Some((Some(first), Some(last))) => (first..=last).contains(&port),
        _ => number(word) == Some(port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: &str, expect: bool) {
        let ruleset = format!(
            "flush ruleset\ndefine SSH = 22\ndefine ALL = {{ 80, $SSH }}\ntable inet filter {{\n\
             \tset open {{ type inet_service; flags interval; elements = {{ 20-30, 80 }} }}\n\
             \tchain input {{\n\t\ttype filter hook input priority filter; policy drop;\n\
             \t\tct state vmap {{ established : accept, related : accept, invalid : drop }}\n\t\tiif lo accept\n\
             \t\tmeta l4proto {{ icmp, ipv6-icmp }} accept\n\t\t{rules}\n\t}}\n\
             \tchain output {{ type filter hook output priority filter; tcp dport 22 accept; }}\n}}\n"
        );
        assert_eq!(shuts(&ruleset, 22), !expect, "{rules}");
    }

    #[test]
    fn a_rule_for_the_port_lets_in() {
        check("", false);
        check("tcp dport 22 accept", true);
        check("tcp dport ssh ct state new limit rate 10/minute accept", true);
        check("tcp dport { 80, 443 } accept", false);
        check("tcp dport { 80,\n 22, 443 } counter accept comment \"drop\"", true);
        check("tcp dport 20-30 accept", true);
        check("tcp dport != 25 accept", true);
        check("tcp dport != { 22, 25 } accept", false);
        check("tcp dport $SSH accept", true);
        check("tcp dport $ALL accept", true);
        check("tcp dport @open accept", true);
        check("tcp dport @other accept", false);
        check("tcp dport vmap { 80 : drop, 22 : jump ssh }", true);
        check("tcp dport vmap { 22: drop, 80: accept }", false);
        check("meta l4proto tcp th dport 22 accept", true);
        check("meta l4proto { tcp, udp } th dport 22 accept", true);
    }

    #[test]
    fn what_is_not_for_who_comes_over_ssh_lets_nobody_in() {
        check("udp dport 22 accept", false);
        check("tcp dport 22 drop", false);
        check("tcp dport 22 ct state established accept", false);
        check("iifname \"lo\" tcp dport 22 accept", false);
        check("ip daddr 224.0.0.251 accept", false);
        check("meta pkttype multicast accept", false);
        check("# tcp dport 22 accept", false);
        check("drop\ntcp dport 22 accept", false);
    }

    #[test]
    fn a_rule_for_all_ports_lets_in() {
        check("accept", true);
        check("ip saddr 192.0.2.0/24 accept", true);
        check("iifname \"wg0\" accept", true);
        check("iifname != \"eth0\" counter accept", true);
        check("ip saddr 192.0.2.0/24 log prefix \"x\" reject", false);
    }

    #[test]
    fn chains_lead_to_others_of_their_table() {
        let input = "chain input { type filter hook input priority 0; policy drop; jump services; }";
        let with = |other: &str| format!("table inet filter {{ {input}\n{other} }}\n");
        assert!(shuts(&with(""), 22));
        assert!(!shuts(&with("chain services { tcp dport 22 accept; }"), 22));
        assert!(shuts(&(with("") + "table inet other { chain services { tcp dport 22 accept; } }"), 22));
        assert!(!shuts(&(with("") + "add rule inet filter services tcp dport 22 accept"), 22));
        assert!(!shuts(&(with("") + "delete table inet filter"), 22));
        assert!(!shuts(&(with("") + "flush ruleset"), 22));
    }

    #[test]
    fn only_what_drops_input_shuts() {
        let check =
            |chain: &str, expect| assert_eq!(shuts(&format!("table ip f {{ {chain} }}"), 22), expect, "{chain}");
        check("chain a { type filter hook input priority 0; policy accept; }", false);
        check("chain a { type filter hook input priority 0; tcp dport 80 accept; counter drop; }", true);
        check("chain a { type filter hook input priority 0; reject with icmpx type port-unreachable; }", true);
        check("chain a { type filter hook forward priority 0; policy drop; }", false);
        check("chain a { drop; }", false);
        check("", false);
        assert!(!shuts("table ip6 f { chain a { type filter hook input priority 0; policy drop; } }", 22));
        let added = "add table ip f\nadd chain ip f a { type filter hook input priority 0; policy drop; }\n";
        assert!(shuts(added, 22) && !shuts(&format!("{added}add rule f a tcp dport 22 accept"), 22));
    }
}
