//! One table for Ansible's modules and for the operations that stand for them here, so that both get the same to do, on
//! two hosts that are equal: see `tests/src/differential.rs`.
//!
//! Each input has a directory of its own, and a name of its own for its user, its crontab or its file, so that none
//! sees another. What there is of an input afterwards is told by the same code on both hosts.

mod apt_repository;
mod cron;
pub mod edits;
mod file;
mod found;
mod user;

use std::collections::BTreeMap;
use std::rc::Rc;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use wb_core::context::{Context, HerdView, MemoryJournal, Mode, Outcome};
use wb_core::system::System;
use wb_stdlib::Host;

pub use found::Found;

/// Where the inputs have their directories.
pub const TOP: &str = "/srv/differential";

/// A module of Ansible, and the inputs that are tried.
#[derive(Debug, Clone, Copy)]
pub struct Module {
    /// What it is called, in `ansible.builtin`.
    pub name: &'static str,
    /// Lines of shell that prepare a host for all of its inputs, in the directory that theirs are in.
    pub prepare: &'static str,
    /// Lines of shell that come before those of each input.
    pub each: &'static str,
    /// What is tried.
    pub inputs: &'static [Input],
    found: fn(&Own) -> Result<Found>,
}

/// Something to do, said to Ansible and to the standard library. What nobody says is as in [`Input::DEFAULT`].
#[derive(Debug, Clone, Copy)]
pub struct Input {
    /// What it is called: unique in its module, at most 30 letters.
    pub name: &'static str,
    /// Lines of shell that prepare a host, in the input's directory, which is `$HERE`; its name is `$NAME`.
    pub prepare: &'static str,
    /// The arguments of the module, as a mapping of YAML in which `HERE` and `NAME` stand for the same.
    pub task: &'static str,
    /// The operation.
    pub run: fn(&Host, &Own) -> Result<Outcome>,
    /// In what both differ on purpose.
    pub differs: Option<Differs>,
}

/// A deliberate difference.
#[derive(Debug, Clone, Copy)]
pub struct Differs {
    /// Where it shows, in the order of [`Part`].
    pub parts: &'static [Part],
    /// Its row in the chapter of the room: what it is about, what Ansible does, and what is done here.
    pub row: [&'static str; 3],
}

/// What is compared of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What is there afterwards.
    Tree,
    /// Whether the first run changed something, or failed.
    First,
    /// Whether a second run does.
    Second,
}

/// What an input has for itself.
#[derive(Debug, Clone, Copy)]
pub struct Own {
    module: &'static str,
    input: &'static str,
}

/// What came of one run of an input, as Ansible tells it, too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Whether something changed.
    pub changed: bool,
    /// Whether it failed.
    #[serde(default)]
    pub failed: bool,
    /// What was said of it.
    #[serde(default)]
    pub msg: String,
}

/// All modules that have inputs here. Those of edits are in a table of their own, [`edits`].
pub static MODULES: &[Module] = &[
    Module { name: "file", prepare: "", each: "", inputs: file::INPUTS, found: file::found },
    Module { name: "user", prepare: user::PREPARE, each: "", inputs: user::INPUTS, found: user::found },
    Module { name: "cron", prepare: "", each: cron::EACH, inputs: cron::INPUTS, found: cron::found },
    Module {
        name: "apt_repository",
        prepare: apt_repository::PREPARE,
        each: apt_repository::EACH,
        inputs: apt_repository::INPUTS,
        found: apt_repository::found,
    },
];

/// The module of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Module> {
    MODULES.iter().find(|module| module.name == name)
}

impl Module {
    /// Where its inputs have their directories.
    #[must_use]
    pub fn directory(&self) -> String {
        format!("{TOP}/{}", self.name)
    }

    /// What an input of it has for itself.
    #[must_use]
    pub fn own(&self, input: &Input) -> Own {
        Own { module: self.name, input: input.name }
    }

    /// Runs all of its inputs on this host, one after the other.
    #[must_use]
    pub fn run(&self) -> BTreeMap<&'static str, Said> {
        self.inputs.iter().map(|input| (input.name, said(input, &self.own(input)))).collect()
    }

    /// What there is of each of its inputs on this host.
    ///
    /// # Errors
    /// When something can't be looked at.
    pub fn look(&self) -> Result<BTreeMap<&'static str, Found>> {
        self.inputs.iter().map(|input| Ok((input.name, (self.found)(&self.own(input))?))).collect()
    }
}

/// Each input is a run by itself, as each task of Ansible is.
fn said(input: &Input, own: &Own) -> Said {
    let (system, herd) = (System::real(), HerdView { me: "web1".into(), members: Vec::new() });
    let context = Context::new(&system, Mode::Apply, &herd, Rc::new(MemoryJournal::default()));
    match (input.run)(&Host::new(&context), own) {
        Ok(_) => Said { changed: context.changes() > 0, ..Said::default() },
        Err(error) => Said { failed: true, msg: format!("{error:#}"), ..Said::default() },
    }
}

impl Input {
    /// An input that does nothing.
    pub const DEFAULT: Self =
        Self { name: "", prepare: "", task: "{}", run: |_, _| Ok(Outcome::Unchanged), differs: None };
}

impl Differs {
    const fn new(parts: &'static [Part], row: [&'static str; 3]) -> Self {
        Self { parts, row }
    }

    /// Its line in the chapter.
    #[must_use]
    pub fn line(&self) -> String {
        format!("| {} |", self.row.join(" | "))
    }
}

impl Own {
    /// Its directory.
    #[must_use]
    pub fn directory(&self) -> String {
        format!("{TOP}/{}/{}", self.module, self.input)
    }

    /// A path in its directory.
    #[must_use]
    pub fn path(&self, below: &str) -> String {
        format!("{}/{below}", self.directory())
    }

    /// The name of its user, of the user whose crontab it has, or of its file.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{:.1}_{}", self.module, self.input)
    }

    /// A text in which `HERE` stands for its directory, and `NAME` for its name.
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        text.replace("HERE", &self.directory()).replace("NAME", &self.name())
    }
}

impl Said {
    /// What came of it, in a word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match (self.failed, self.changed) {
            (true, _) => "failed",
            (false, true) => "changed",
            (false, false) => "unchanged",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn an_input_has_a_name_that_a_user_can_have_and_no_other_has() {
        for module in MODULES {
            let names: BTreeSet<&str> = module.inputs.iter().map(|input| input.name).collect();
            assert_eq!(names.len(), module.inputs.len(), "{}", module.name);
            let plain = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(names.iter().all(|name| name.len() <= 30 && name.chars().all(plain)), "{names:?}");
        }
    }

    #[test]
    fn parts_are_said_in_their_order() {
        let differences = MODULES.iter().flat_map(|module| module.inputs).filter_map(|input| input.differs);
        for differs in differences {
            assert!(!differs.parts.is_empty() && differs.parts.is_sorted(), "{differs:?}");
        }
    }

    #[test]
    fn texts_are_filled_with_what_an_input_has() {
        let own = Own { module: "file", input: "touched" };
        assert_eq!(
            own.fill("{ path: HERE/a, name: NAME }"),
            "{ path: /srv/differential/file/touched/a, name: f_touched }"
        );
        assert_eq!(own.path("a"), "/srv/differential/file/touched/a");
    }

    #[test]
    fn what_came_of_it_is_a_word() {
        let check = |json: &str, expect: &str| {
            assert_eq!(serde_json::from_str::<Said>(json).unwrap().word(), expect, "{json}");
        };
        check(r#"{"changed": true}"#, "changed");
        check(r#"{"changed": false, "failed": false, "msg": ""}"#, "unchanged");
        check(r#"{"changed": false, "failed": true, "msg": "no such user"}"#, "failed");
    }
}
