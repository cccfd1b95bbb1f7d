//! What is done to a host, and what it promises, as the table in the book.

use super::mischief::{Mischief, Promise};

/// The table, in Markdown.
#[must_use]
pub fn table() -> String {
    let head = "| what happens | what the host does | what people do |\n| --- | --- | --- |\n".to_owned();
    let falls = FALLS.iter().map(|(what, does, people)| format!("| {what} | {does} | {people} |\n"));
    falls.chain(Mischief::ALL.into_iter().map(row)).fold(head, |table, row| table + &row)
}

/// What happens at the points themselves.
const FALLS: [(&str, &str, &str); 4] = [
    ("it is killed at any point", "the next start goes on where this one fell", "nothing"),
    (
        "the power fails at any point, and what no fsync made safe is lost, whole or in part",
        "the next start goes on where the disk says",
        "nothing",
    ),
    (
        "the disk is full at any write; no process can be started; a push has no answer",
        "it says so and tries again; a link that meets it fails",
        "make room; where a link failed, `cargo xtask retry`",
    ),
    (
        "the disk is broken at any write, fsync or rename",
        "it says so and tries again; a link that meets it fails",
        "mend the disk; where a link failed, `cargo xtask retry`",
    ),
];

fn row(mischief: Mischief) -> String {
    let says = |words: &[&str]| words.iter().map(|word| format!("“{word}”")).collect::<Vec<_>>().join(" or ");
    let (does, people) = match mischief.promise() {
        Promise::GoesOn => ("goes on as if nothing had happened".to_owned(), "nothing"),
        Promise::Waits(words) => (
            format!("goes on as far as it can, then waits and says {}", says(words)),
            "put it right; the host then goes on",
        ),
        Promise::Refuses(words) => (
            format!("keeps the runner that it has, and says {} with a hint", says(words)),
            "deploy a right one; the host then goes on",
        ),
        Promise::Stops(words) => (
            format!("stops, changes nothing, and says {} with a hint", says(words)),
            "put it right; the host then goes on",
        ),
    };
    format!("| {} | {does} | {people} |\n", mischief.text())
}

#[cfg(test)]
mod tests {
    use wb_core::system::files;

    use super::*;

    #[test]
    fn the_book_has_the_table() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src/survives.md");
        let text = files::read_text(page).unwrap();
        assert!(text.contains(&table()), "write it there: `cargo xtask torture table`");
    }

    #[test]
    fn names_are_there_once() {
        let names: std::collections::BTreeSet<&str> = Mischief::ALL.into_iter().map(Mischief::name).collect();
        assert_eq!(names.len(), Mischief::ALL.len());
    }
}
