//! What dpkg(1) knows of packages, in its own list: a paragraph for each.

use std::collections::HashSet;

/// Those names of which it does not say that they are wanted, whole and installed.
pub fn missing<'a>(status: &str, names: &[&'a str]) -> Vec<&'a str> {
    let is_there = |paragraph: &&str| field(paragraph, "Status") == Some("install ok installed");
    let installed: HashSet<&str> =
        status.split("\n\n").filter(is_there).filter_map(|paragraph| field(paragraph, "Package")).collect();
    names.iter().copied().filter(|name| !installed.contains(name)).collect()
}

fn field<'a>(paragraph: &'a str, name: &str) -> Option<&'a str> {
    paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_half_there_is_missing() {
        let status = "Package: a\nStatus: install ok installed\nVersion: 1\nDescription: b\n of\n Package: c\n\n\
                      Package: b\nStatus: deinstall ok config-files\n\nPackage: c\nStatus: install ok half-configured\n\n\
                      Package: d\nEssential: yes\nStatus: install ok installed\n";
        assert_eq!(missing(status, &["a", "d"]), [""; 0]);
        assert_eq!(missing(status, &["a", "b", "c", "d", "e"]), ["b", "c", "e"]);
        assert_eq!(missing("", &["a"]), ["a"]);
    }
}
