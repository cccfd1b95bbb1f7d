//! Edits beside Ansible's `lineinfile`, `blockinfile`, `replace` and `ini_file`: one table of files, which
//! `tests/tests/edits.rs` reads without a host, and which two equal hosts go through, too.
//!
//! The table is `tests/inputs/edits/ansible.json`: the module, its arguments, the file before (`null` where there is none),
//! and the file after it, as ansible-core 2.19.14 and community.general 13.4.0 left it. Where `here` stands, edits give
//! that, and `why` says why; `null` means that they refuse.

use std::collections::BTreeMap;
use std::rc::Rc;

use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::{Map, Value};
use wb_core::context::{Context, HerdView, MemoryJournal, Mode, Outcome};
use wb_core::system::{System, files};
use wb_stdlib::edit::{Block, Edit, Line};
use wb_stdlib::{Host, Look as _};

use super::{Said, TOP};

/// A file, and what is to become of it.
#[derive(Debug, Clone, Deserialize)]
pub struct Row {
    /// What it is called: unique in the table.
    pub name: String,
    /// Ansible's module.
    pub module: String,
    /// Its arguments, but for the path.
    pub args: Map<String, Value>,
    /// The file before, where there is one.
    pub before: Option<String>,
    /// The file after Ansible's module.
    pub after: Option<String>,
    /// The file after the edit, where that differs on purpose; nothing in it where the edit is refused.
    #[serde(default, deserialize_with = "present")]
    pub here: Option<Option<String>>,
    /// Why it differs.
    pub why: Option<String>,
}

/// Tells a `null` from nothing.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// The table.
///
/// # Errors
/// When it is none.
pub fn table() -> Result<Vec<Row>> {
    Ok(serde_json::from_str(include_str!("../../../inputs/edits/ansible.json"))?)
}

/// Writes all files as they are before.
///
/// # Errors
/// When one can't be written.
pub fn prepare() -> Result<()> {
    files::create_dir(directory())?;
    for row in table()? {
        files::remove(row.path())?;
        if let Some(before) = &row.before {
            files::write(row.path(), before, 0o644)?;
        }
    }
    Ok(())
}

/// Runs all edits on this host, one after the other.
///
/// # Errors
/// When the table is none.
pub fn run() -> Result<BTreeMap<String, Said>> {
    let (system, mode) = (System::real(), Mode::Apply);
    let said = |row: &Row| match row.run(&system, &row.path(), mode) {
        Ok(outcome) => Said { changed: outcome.changed(), ..Said::default() },
        Err(error) => Said { failed: true, msg: format!("{error:#}"), ..Said::default() },
    };
    Ok(table()?.iter().map(|row| (row.name.clone(), said(row))).collect())
}

/// What stands in all files on this host by now.
///
/// # Errors
/// When one can't be read.
pub fn look() -> Result<BTreeMap<String, Option<String>>> {
    let text = |row: &Row| -> Result<Option<String>> {
        let content = files::read_optional(row.path())?;
        Ok(content.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    };
    table()?.iter().map(|row| Ok((row.name.clone(), text(row)?))).collect()
}

fn directory() -> String {
    format!("{TOP}/edits")
}

impl Row {
    /// Where its file is on a host.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/{}", directory(), self.name)
    }

    /// Whether the edit is refused, where Ansible does something.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.here == Some(None)
    }

    /// The file after the edit.
    #[must_use]
    pub fn expected(&self) -> Option<&str> {
        match &self.here {
            Some(Some(here)) => Some(here),
            Some(None) => self.before.as_deref(),
            None => self.after.as_deref(),
        }
    }

    /// Runs the edit of the file at a path.
    ///
    /// # Errors
    /// When it is refused.
    pub fn run(&self, system: &System, path: &str, mode: Mode) -> Result<Outcome> {
        let herd = HerdView { me: "web1".into(), members: Vec::new() };
        let context = Context::new(system, mode, &herd, Rc::new(MemoryJournal::default()));
        self.edit(&Host::new(&context), path)
    }

    /// What the module's arguments are here.
    fn edit(&self, host: &Host<'_>, path: &str) -> Result<Outcome> {
        let edit = host.edit(path);
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

    fn text(&self, name: &str) -> Option<&str> {
        self.args.get(name).and_then(Value::as_str)
    }

    fn is(&self, name: &str) -> bool {
        self.args.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    fn is_absent(&self) -> bool {
        self.text("state") == Some("absent")
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
        let is_shared = self.args.get("exclusive") == Some(&Value::Bool(false));
        let among_others = values.first().filter(|_| is_shared).cloned();
        Ok(match (self.is_absent(), among_others) {
            (true, _) => section.without_option(key),
            (false, _) if self.is("allow_no_value") => section.flag(key),
            (false, Some(value)) => section.repeated_option(key, value),
            (false, None) => section.options(key, values),
        }
        .present()?)
    }
}
