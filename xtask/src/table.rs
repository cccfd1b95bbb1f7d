//! Tables in plain text: columns aligned by spaces, for terminals, files and mail alike.

use std::fmt;

/// Rows under a heading. Every row has as many cells as the heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    heading: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns and no rows yet.
    #[must_use]
    pub fn new(heading: &[&str]) -> Self {
        Self { heading: heading.iter().map(|cell| (*cell).to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row; cells that are missing are empty, and those beyond the last column are left out.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut row: Vec<String> = cells.into_iter().map(|cell| one_line(&cell)).collect();
        row.resize(self.heading.len(), String::new());
        self.rows.push(row);
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn widths(&self) -> Vec<usize> {
        let lines = || std::iter::once(&self.heading).chain(&self.rows);
        let width = |column: usize| lines().map(|row| row[column].chars().count()).max().unwrap_or(0);
        (0..self.heading.len()).map(width).collect()
    }
}

impl fmt::Display for Table {
    /// One line for each row, the heading first, without spaces at the ends.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for row in std::iter::once(&self.heading).chain(&self.rows) {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// What a host reports may hold anything; in a table it stays on its line and can't move the cursor.
fn one_line(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
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
}
