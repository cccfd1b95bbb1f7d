//! Where what came of an input differs between two hosts, and whether that is what is documented.

use std::collections::{BTreeMap, BTreeSet};

use wb_operations::differential::{Differs, Found, Module, Part, Said};

/// What came of the inputs of a module on a host.
#[derive(Debug, Clone, Default)]
pub(super) struct Ran {
    pub(super) first: BTreeMap<String, Said>,
    pub(super) found: BTreeMap<String, Found>,
    pub(super) second: BTreeMap<String, Said>,
}

/// What came of one of them.
#[derive(Debug, Clone, Default)]
struct Came {
    first: Said,
    found: Found,
    second: Said,
}

impl Ran {
    fn of(&self, name: &str) -> Came {
        let said = |run: &BTreeMap<String, Said>| run.get(name).cloned().unwrap_or_default();
        let found = self.found.get(name).cloned().unwrap_or_default();
        Came { first: said(&self.first), found, second: said(&self.second) }
    }
}

/// What is wrong about the inputs of a module: differences that are not documented, and documented ones that are none.
pub(super) fn complaints(module: &Module, here: &Ran, ansible: &Ran) -> Vec<String> {
    let complaints = module.inputs.iter().filter_map(|input| {
        let name = format!("{}::{}", module.name, input.name);
        complaint(&name, input.differs, &here.of(input.name), &ansible.of(input.name))
    });
    complaints.collect()
}

fn complaint(name: &str, differs: Option<Differs>, here: &Came, ansible: &Came) -> Option<String> {
    let (found, documented) = (differing(here, ansible), differs.map_or(&[] as &[Part], |differs| differs.parts));
    if found == documented {
        return None;
    }
    let mut lines = vec![
        format!("{name} differs in {found:?}, and what is documented is {documented:?}"),
        run("first", &here.first, &ansible.first),
        run("second", &here.second, &ansible.second),
    ];
    lines.extend(trees(&here.found, &ansible.found));
    Some(lines.join("\n"))
}

/// In what both differ. What is said of a failure is everybody's own matter.
fn differing(here: &Came, ansible: &Came) -> Vec<Part> {
    let parts = [
        (Part::Tree, here.found != ansible.found),
        (Part::First, here.first.word() != ansible.first.word()),
        (Part::Second, here.second.word() != ansible.second.word()),
    ];
    parts.into_iter().filter(|(_, differs)| *differs).map(|(part, _)| part).collect()
}

fn run(which: &str, here: &Said, ansible: &Said) -> String {
    let told = |said: &Said| match said.msg.as_str() {
        "" => said.word().to_owned(),
        msg => format!("{} ({msg})", said.word()),
    };
    format!("    the {which} run: Ansible {}, here {}", told(ansible), told(here))
}

fn trees(here: &Found, ansible: &Found) -> Vec<String> {
    let about: BTreeSet<&String> = here.keys().chain(ansible.keys()).collect();
    let differing = about.into_iter().filter(|what| here.get(*what) != ansible.get(*what));
    let told = |found: &Found, what: &String| found.get(what).map_or("nothing".to_owned(), |text| format!("{text:?}"));
    differing.map(|what| format!("    {what}: Ansible {}, here {}", told(ansible, what), told(here, what))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(first: &str, found: &[(&str, &str)], second: &str) -> Came {
        let said = |word: &str| Said {
            changed: word == "changed",
            failed: word == "failed",
            msg: if word == "failed" { "no such user".to_owned() } else { String::new() },
        };
        let found = found.iter().map(|(what, text)| ((*what).to_owned(), (*text).to_owned())).collect();
        Came { first: said(first), found, second: said(second) }
    }

    const TREE: Differs = Differs { parts: &[Part::Tree], row: ["a", "b", "c"] };

    fn check(differs: Option<Differs>, here: &Came, ansible: &Came, expect: Option<&str>) {
        assert_eq!(complaint("file::a", differs, here, ansible).as_deref(), expect);
    }

    #[test]
    fn what_is_the_same_is_no_matter_and_what_is_documented_is_none() {
        let one = came("changed", &[("here/a", "a file")], "unchanged");
        let other = came("changed", &[("here/a", "a directory")], "unchanged");
        check(None, &one, &one, None);
        check(Some(TREE), &one, &other, None);
        check(None, &came("failed", &[], "failed"), &came("failed", &[], "failed"), None);
    }

    #[test]
    fn what_differs_is_told() {
        let here = came("failed", &[("here/a", "a file")], "unchanged");
        let ansible = came("changed", &[("here/b", "a link")], "unchanged");
        let expect = "file::a differs in [Tree, First], and what is documented is [Tree]\n    \
                      the first run: Ansible changed, here failed (no such user)\n    \
                      the second run: Ansible unchanged, here unchanged\n    \
                      here/a: Ansible nothing, here \"a file\"\n    here/b: Ansible \"a link\", here nothing";
        check(Some(TREE), &here, &ansible, Some(expect));
    }

    #[test]
    fn a_difference_that_is_none_any_more_is_told() {
        let same = came("unchanged", &[], "unchanged");
        let expect = "file::a differs in [], and what is documented is [Tree]\n    \
                      the first run: Ansible unchanged, here unchanged\n    \
                      the second run: Ansible unchanged, here unchanged";
        check(Some(TREE), &same, &same, Some(expect));
    }
}
