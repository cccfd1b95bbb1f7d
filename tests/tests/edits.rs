//! Edits beside Ansible's: what `lineinfile`, `blockinfile`, `replace` and `ini_file` make of the files of a table, as
//! these modules themselves did it, is what edits make of them, but for deliberate differences, each with its reason.
//!
//! Ansible's side was captured from ansible-core 2.19.14 and community.general 13.4.0.
//!
//! The table is `tests/inputs/edits/ansible.json`: the module, its arguments, the file before (`null` where there is none),
//! and the file after it. Where `here` stands, edits give that, and `why` says why; `null` means that they refuse.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::path::Path;
use std::rc::Rc;

use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::{Map, Value};
use wb_core::context::{Context, HerdView, MemoryJournal, Mode, Outcome};
use wb_core::system::{Script, System, files};
use wb_stdlib::edit::{Block, Edit, Line};
use wb_stdlib::{Host, Look as _};

#[derive(Deserialize)]
struct Row {
    name: String,
    module: String,
    args: Map<String, Value>,
    before: Option<String>,
    after: Option<String>,
    #[serde(default, deserialize_with = "present")]
    here: Option<Option<String>>,
    why: Option<String>,
}

/// Tells a `null` from nothing.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

const FILE: &str = "/etc/edited";

impl Row {
    fn text(&self, name: &str) -> Option<&str> {
        self.args.get(name).and_then(Value::as_str)
    }

    fn is(&self, name: &str) -> bool {
        self.args.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    fn is_absent(&self) -> bool {
        self.text("state") == Some("absent")
    }

    /// What the module's arguments are here.
    fn edit(&self, host: &Host<'_>) -> Result<Outcome> {
        let edit = host.edit(FILE);
        // `ini_file` makes files unless it is told not to.
        let edit = if self.is("create") || self.module == "ini_file" { edit.or_create(0o644) } else { edit };
        match self.module.as_str() {
            "lineinfile" if self.is_absent() => match self.text("regexp") {
                Some(pattern) => Ok(edit.without_lines(pattern).present()?),
                None => Ok(edit.without_line(self.text("line").unwrap_or_default()).present()?),
            },
            "lineinfile" => Ok(self.line(edit.line(self.text("line").unwrap_or_default())).present()?),
            "blockinfile" if self.is_absent() => Ok(self.block(edit.without_block("")).present()?),
            "blockinfile" => Ok(self.block(edit.block("", self.text("block").unwrap_or_default())).present()?),
            "replace" => {
                let with = self.text("replace").unwrap_or_default().replace(r"\1", "${1}").replace(r"\2", "${2}");
                Ok(edit.replace(self.text("regexp").unwrap_or_default(), with).present()?)
            }
            "ini_file" => self.option(edit),
            other => bail!("no module {other}"),
        }
    }

    fn line<'a>(&self, line: Edit<Host<'a>, Line>) -> Edit<Host<'a>, Line> {
        let line = if let Some(pattern) = self.text("regexp") { line.matching(pattern) } else { line };
        let line = if self.is("firstmatch") { line.first() } else { line };
        match (self.text("insertafter"), self.text("insertbefore")) {
            (Some(pattern), _) => line.after(pattern),
            (None, Some("BOF")) => line.at_start(),
            (None, Some(pattern)) => line.before(pattern),
            (None, None) => line,
        }
    }

    fn block<'a>(&self, block: Edit<Host<'a>, Block>) -> Edit<Host<'a>, Block> {
        let marker = self.text("marker").unwrap_or("# {mark} ANSIBLE MANAGED BLOCK");
        let block = block.between(marker.replace("{mark}", "BEGIN"), marker.replace("{mark}", "END"));
        match (self.text("insertafter"), self.text("insertbefore")) {
            (Some(pattern), _) => block.after(pattern),
            (None, Some("BOF")) => block.at_start(),
            (None, Some(pattern)) => block.before(pattern),
            (None, None) => block,
        }
    }

    fn option(&self, edit: Edit<Host<'_>>) -> Result<Outcome> {
        let Some(key) = self.text("option") else {
            return Ok(edit.without_section(self.text("section").unwrap_or_default()).present()?);
        };
        let section = match self.text("section") {
            Some(name) => edit.section(name),
            None => edit.before_sections(),
        };
        let values: Vec<String> = match (self.text("value"), self.args.get("values")) {
            (Some(value), _) => vec![value.to_owned()],
            (None, Some(values)) => serde_json::from_value(values.clone())?,
            (None, None) => Vec::new(),
        };
        Ok(match (self.is_absent(), self.args.get("exclusive") == Some(&Value::Bool(false))) {
            (true, _) => section.without_option(key),
            (false, _) if self.is("allow_no_value") => section.flag(key),
            (false, true) => section.repeated_option(key, &values[0]),
            (false, false) => section.options(key, values),
        }
        .present()?)
    }

    fn run(&self, system: &System, mode: Mode) -> Result<Outcome> {
        let herd = HerdView { me: "web1".into(), members: Vec::new() };
        let context = Context::new(system, mode, &herd, Rc::new(MemoryJournal::default()));
        self.edit(&Host::new(&context))
    }

    fn check(&self) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(FILE.trim_start_matches('/'));
        files::create_dir(path.parent().unwrap()).unwrap();
        if let Some(before) = &self.before {
            files::write(&path, before, 0o644).unwrap();
        }
        let system = System::fake(root.path(), Script::new());
        let expect = self.here.clone().unwrap_or_else(|| self.after.clone());
        let (said, found) = (self.run(&system, Mode::Apply), text(&path));
        if self.here == Some(None) {
            assert!(said.is_err(), "{}: {found:?} is not refused", self.name);
            assert_eq!(found, self.before, "{}", self.name);
            return;
        }
        assert_eq!(found, expect, "{}: {said:?}", self.name);
        assert_eq!(said.unwrap().changed(), expect != self.before, "{}", self.name);
        assert_eq!(self.run(&system, Mode::Apply).unwrap(), Outcome::Unchanged, "{}", self.name);
    }
}

fn text(path: &Path) -> Option<String> {
    files::read_optional(path).unwrap().map(|bytes| String::from_utf8(bytes).unwrap())
}

fn table() -> Vec<Row> {
    serde_json::from_str(include_str!("../inputs/edits/ansible.json")).unwrap()
}

#[test]
fn edits_are_what_ansible_makes_of_the_same_files() {
    let table = table();
    assert!(table.len() > 80);
    table.iter().for_each(Row::check);
}

#[test]
fn each_difference_is_one_and_has_a_reason() {
    for row in table() {
        let differs = row.here.as_ref().is_some_and(|here| *here != row.after);
        assert_eq!((differs, row.why.is_some()), (row.here.is_some(), row.here.is_some()), "{}", row.name);
    }
}
