//! Tables in plain text: columns aligned by spaces, for terminals, files and mail alike.

use std::fmt;

use crate::shell::{Canvas, Tone};

/// Rows under a heading. Every row has as many cells as the heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    heading: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    cells: Vec<String>,
    tone: Tone,
    note: String,
}

/// How far a note stands in from its row, where it has a line of its own.
const INDENT: usize = 6;

/// How many lines of a terminal a note may take.
const NOTE_LINES: usize = 4;

impl Table {
    /// A table with these columns and no rows yet.
    #[must_use]
    pub fn new(heading: &[&str]) -> Self {
        Self { heading: heading.iter().map(|cell| (*cell).to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row; cells that are missing are empty, and those beyond the last column are left out.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.row_with(Tone::Plain, cells, "");
    }

    /// Adds a row of this tone, and what there is to say of it, which stands after it, or below where there is no room.
    pub fn row_with(&mut self, tone: Tone, cells: impl IntoIterator<Item = String>, note: &str) {
        let mut cells: Vec<String> = cells.into_iter().map(|cell| one_line(&cell)).collect();
        cells.resize(self.heading.len(), String::new());
        self.rows.push(Row { cells, tone, note: one_line(note) });
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many letters its widest line has, without notes.
    #[must_use]
    pub fn width(&self) -> usize {
        self.widths().iter().map(|width| width + 2).sum::<usize>().saturating_sub(2)
    }

    /// As lines for this place.
    #[must_use]
    pub fn lines(&self, canvas: &Canvas) -> Vec<String> {
        let widths = self.widths();
        let aligned = |cells: &[String]| {
            let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            cells.collect::<Vec<_>>().join("  ")
        };
        let notes = self.rows.iter().map(|row| row.note.chars().count());
        let is_roomy = canvas.width.is_none_or(|width| self.width() + 2 + notes.max().unwrap_or(0) <= width);
        let row = |row: &Row| {
            let line = aligned(&row.cells);
            match is_roomy {
                true => vec![canvas.paint(row.tone, format!("{line}  {}", row.note).trim_end())],
                false => {
                    let below = wrapped(&row.note, canvas.width.unwrap_or(usize::MAX).saturating_sub(INDENT));
                    let below = below.into_iter().map(|line| format!("{:INDENT$}{line}", ""));
                    std::iter::once(canvas.paint(row.tone, line.trim_end())).chain(below).collect()
                }
            }
        };
        std::iter::once(aligned(&self.heading).trim_end().to_owned()).chain(self.rows.iter().flat_map(row)).collect()
    }

    fn widths(&self) -> Vec<usize> {
        let lines = || std::iter::once(&self.heading).chain(self.rows.iter().map(|row| &row.cells));
        let width = |column: usize| lines().map(|row| row[column].chars().count()).max().unwrap_or(0);
        (0..self.heading.len()).map(width).collect()
    }
}

impl fmt::Display for Table {
    /// One line for each row, the heading first, without spaces at the ends.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines(&Canvas::default()).iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// What a host reports may hold anything; in a table it stays on its line and can't move the cursor.
#[must_use]
pub fn one_line(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

/// Text in lines of at most this width, cut between words where that is possible, and after some lines.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let (mut lines, width) = (Vec::<String>::new(), width.max(1));
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let room = lines.last().map_or(0, |line| width.saturating_sub(line.chars().count()));
        let mut letters = word.chars().peekable();
        match lines.last_mut() {
            Some(line) if word.chars().count() < room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => {
                while letters.peek().is_some() {
                    lines.push(letters.by_ref().take(width).collect());
                }
            }
        }
    }
    if lines.len() > NOTE_LINES {
        lines.truncate(NOTE_LINES);
        lines[NOTE_LINES - 1] = lines[NOTE_LINES - 1].chars().take(width.saturating_sub(2)).collect::<String>() + " …";
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[&[&str]], expect: &str) {
        let mut table = Table::new(&["name", "state"]);
        for row in rows {
            table.row(row.iter().map(|cell| (*cell).to_owned()));
        }
        assert_eq!(table.to_string(), expect);
    }

    #[test]
    fn columns_are_aligned() {
        check(&[], "name  state\n");
        check(&[&["web1", "ok"], &["database", "failed"]], "name      state\nweb1      ok\ndatabase  failed\n");
    }

    #[test]
    fn rows_fit_the_heading() {
        check(&[&["web1"]], "name  state\nweb1\n");
        check(&[&["web1", "ok", "more"]], "name  state\nweb1  ok\n");
    }

    #[test]
    fn a_cell_stays_on_its_line() {
        check(&[&["web1", "no\nspace\x1b[2J"]], "name  state\nweb1  no space [2J\n");
    }

    #[test]
    fn letters_are_counted_not_bytes() {
        check(&[&["wéb", "ok"], &["web1", "ok"]], "name  state\nwéb   ok\nweb1  ok\n");
    }

    #[test]
    fn notes_stand_after_their_rows_where_there_is_room_and_else_below() {
        let mut table = Table::new(&["name", "phase"]);
        table.row_with(Tone::Bad, ["web1", "failed"].map(str::to_owned), "nginx -t\nsays no");
        table.row_with(Tone::Good, ["web2", "up to date"].map(str::to_owned), "");
        let check = |width, expect: &str| {
            let canvas = Canvas { width, ..Canvas::default() };
            assert_eq!(table.lines(&canvas).join("\n"), expect);
        };
        let beside = "name  phase\nweb1  failed      nginx -t says no\nweb2  up to date";
        check(None, beside);
        check(Some(34), beside);
        check(Some(33), "name  phase\nweb1  failed\n      nginx -t says no\nweb2  up to date");
        check(Some(16), "name  phase\nweb1  failed\n      nginx -t\n      says no\nweb2  up to date");
    }

    #[test]
    fn the_tone_of_a_row_is_seen_in_colour_only() {
        let mut table = Table::new(&["name"]);
        table.row_with(Tone::Bad, ["web1".to_owned()], "no luck");
        let canvas = Canvas { colour: true, ..Canvas::default() };
        assert_eq!(table.lines(&canvas)[1], "\x1b[1;31mweb1  no luck\x1b[0m");
    }

    #[test]
    fn long_notes_are_wrapped_and_cut() {
        let check = |text: &str, width, expect: &[&str]| assert_eq!(wrapped(text, width), expect, "{text}");
        check("", 10, &[]);
        check("a bb ccc", 10, &["a bb ccc"]);
        check("a bb ccc", 4, &["a bb", "ccc"]);
        check("a bbbbbb c", 4, &["a", "bbbb", "bb c"]);
        check("aa bb cc dd ee", 2, &["aa", "bb", "cc", " …"]);
        check("aaaaa", 0, &["a", "a", "a", " …"]);
    }
}
