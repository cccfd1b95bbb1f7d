//! What there is of an input, text by text: what is the same on two hosts is told in the same words.

use std::collections::BTreeMap;

use anyhow::Result;
use wb_core::system::{Command, files};

/// What there is, by what it is about.
pub type Found = BTreeMap<String, String>;

/// A line for each path, of six fields: the path from the top, what it is, mode, owners, number of names, target.
const FORMAT: &str = r"%P\t%y\t%m\t%u:%g\t%n\t%l\n";

/// What is at a path and all that is below it, with modes, owners and targets. Times and contents are not told.
pub(super) fn tree(top: &str, label: &str) -> Result<Found> {
    if !files::exists(top) {
        return Ok(Found::new());
    }
    let listed = Command::new("find").args([top, "-printf", FORMAT]).read()?;
    Ok(listed.lines().filter_map(|line| entry(line, label)).collect())
}

fn entry(line: &str, label: &str) -> Option<(String, String)> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [path, kind, mode, owners, names, target] = fields[..] else { return None };
    let path = if path.is_empty() { label.to_owned() } else { format!("{label}/{path}") };
    let what = match kind {
        "d" => format!("a directory, {mode} {owners}"),
        "f" => format!("a file, {mode} {owners}, of {names} names"),
        "l" => format!("a link of {owners} to {target}"),
        kind => format!("of kind {kind}, {mode} {owners}"),
    };
    Some((path, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_told() {
        let check = |line: &str, path: &str, what: &str| {
            assert_eq!(entry(line, "here"), Some((path.to_owned(), what.to_owned())));
        };
        check("\td\t755\troot:root\t2\t", "here", "a directory, 755 root:root");
        check("a/b\tf\t4755\tgames:root\t1\t", "here/a/b", "a file, 4755 games:root, of 1 names");
        check("c\tl\t777\troot:root\t1\t../x", "here/c", "a link of root:root to ../x");
        check("p\tp\t600\troot:root\t1\t", "here/p", "of kind p, 600 root:root");
        assert_eq!(entry("", "here"), None);
    }
}
