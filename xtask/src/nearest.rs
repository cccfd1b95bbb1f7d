//! Did you mean …?

/// The one of `names` that `word` was most likely meant to be, if any is near enough.
#[must_use]
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = word.chars().count().div_ceil(3).max(1);
    let distances = names.into_iter().map(|name| (distance(word, name), name));
    distances.filter(|(distance, _)| *distance <= near).min().map(|(_, name)| name)
}

/// How many letters to insert, remove, replace or swap with their neighbour to come from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<usize>>()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let cheapest = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            let swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
            row.push(if swapped { cheapest.min(rows[i - 2][j - 2] + 1) } else { cheapest });
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_word() {
        let check = |word, expect| assert_eq!(nearest(word, ["database", "load_balancer", "web"]), expect, "{word}");
        check("databse", Some("database"));
        check("wbe", Some("web"));
        check("loadbalancer", Some("load_balancer"));
        check("cache", None);
        check("", None);
    }

    #[test]
    fn without_names_there_is_none() {
        assert_eq!(nearest("web", []), None);
    }
}
