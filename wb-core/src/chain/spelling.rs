//! Words in messages: which names there can be, the one that somebody probably meant, and lists that may be long.

/// Whether `text` can name a migration or a role: letters and digits of any script, `_` or `-`, at most 200 bytes. So it
/// means nothing in a ref, a path, a file of ours or a command line.
///
/// ```
/// use wb_core::chain::is_name;
/// assert!(is_name("install_nginx") && is_name("größe") && !is_name("") && !is_name("a/b") && !is_name("a\nb"));
/// ```
#[must_use]
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 200 && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

/// The candidate that is nearest to `word`, when it is near enough to be a slip of the fingers.
///
/// ```
/// use wb_core::chain::nearest;
/// assert_eq!(nearest("databse", ["web", "database"]), Some("database"));
/// assert_eq!(nearest("cache", ["web", "database"]), None);
/// ```
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distances = candidates.into_iter().map(|candidate| (distance(word, candidate), candidate));
    let (distance, candidate) = distances.min()?;
    (distance <= word.chars().count() / 3).then_some(candidate)
}

/// How many characters must be changed, added, removed or swapped with the next to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let is_swap = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
            let swapped = if is_swap { rows[i - 2][j - 2] + 1 } else { replaced };
            row.push(replaced.min(swapped).min(rows[i - 1][j] + 1).min(row[j - 1] + 1));
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

/// The first words, and how many more there are.
///
/// ```
/// use wb_core::chain::some_of;
/// assert_eq!(some_of(&["web1", "web2"].map(str::to_owned)), "web1, web2");
/// let many: Vec<String> = (1..=1000).map(|n| format!("web{n}")).collect();
/// assert_eq!(some_of(&many), "web1, web2, web3, web4, web5, web6, web7, web8 and 992 more");
/// ```
#[must_use]
pub fn some_of(words: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = words.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if words.len() > SHOWN { format!("{shown} and {} more", words.len() - SHOWN) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_meant() {
        let check = |word, expect| assert_eq!(nearest(word, ["web", "database", "load_balancer"]), expect, "{word}");
        check("web", Some("web"));
        check("wbe", Some("web"));
        check("wep", Some("web"));
        check("databases", Some("database"));
        check("loadbalancer", Some("load_balancer"));
        check("mail", None);
        check("x", None);
        check("", None);
    }
}
