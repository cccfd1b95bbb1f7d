//! The program that a host gets.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::{Context as _, Result, bail};
use wb_core::chain::{Digest, Link, Sha1};
use wb_core::change::Member;
use wb_core::context::{Attempt, Context, HerdView, Journal, Mode, Operation, Run as _};
use wb_core::system::fault::{Fault, Injected, Plan, When, arm};
use wb_core::system::{System, environment};
use wb_operations::differential::edits;
use wb_operations::journal::FileJournal;
use wb_operations::{Case, beside, differential, find, snapshot};
use wb_stdlib::__private::OfHost;

const JOURNAL: &str = "/var/lib/wb-operations/journal.json";

const USAGE: &str = "wb-operations plan CASE | apply CASE [kill N | trace FILE] | snapshot CASE | \
                     differential run MODULE | differential look MODULE | differential prepare edits | \
                     beside NAME apt | beside NAME mirror DIRECTORY";

fn main() -> ExitCode {
    match run() {
        Ok(said) => {
            drop(writeln!(std::io::stdout(), "{said}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            drop(writeln!(std::io::stderr(), "{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String> {
    let words: Vec<String> = environment::args().iter().skip(1).map(|word| word.to_string_lossy().into()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let ["beside", name, rest @ ..] = words.as_slice() {
        return beside::go_on(name, rest).map(|()| String::new());
    }
    if let ["differential", act, module] = words.as_slice() {
        return beside_ansible(act, module);
    }
    let [act, name, rest @ ..] = words.as_slice() else { bail!(USAGE) };
    let case = find(name).with_context(|| format!("there is no case `{name}`"))?;
    match (*act, rest) {
        ("snapshot", []) => Ok(snapshot::take(case.restless)?.join("\n")),
        ("plan", []) => operations(case, Mode::Plan),
        ("apply", []) => operations(case, Mode::Apply),
        ("apply", ["kill", nth]) => {
            let at = When::Hit(nth.parse()?);
            arm(Plan { faults: vec![Injected { fault: Fault::Kill, at }], ..Plan::default() });
            operations(case, Mode::Apply)
        }
        ("apply", ["trace", path]) => {
            arm(Plan { trace: Some(path.into()), ..Plan::default() });
            operations(case, Mode::Apply)
        }
        _ => bail!(USAGE),
    }
}

/// What the operations of a case say, in JSON.
fn operations(case: &Case, mode: Mode) -> Result<String> {
    let journal: Rc<dyn Journal> = match mode {
        Mode::Plan => Rc::new(wb_core::context::MemoryJournal::default()),
        Mode::Apply => Rc::new(FileJournal::open(Path::new(JOURNAL))?),
    };
    let system = System::real();
    let herd = herd();
    let link = Link::new(case.name, Sha1::from_bytes([1; 20]), "web", Digest::of(case.name.as_bytes()));
    let attempt = Attempt::new(&link, "boot", Rc::clone(&journal));
    let context = Context::new(&system, mode, &herd, journal).of(Rc::clone(&attempt));
    attempt.run(|| OfHost(case.run).run(&context))?;
    let operations: Vec<Operation> = context.operations();
    Ok(serde_json::to_string(&operations)?)
}

/// What came of the inputs of one of Ansible's modules, or what there is of them, in JSON.
fn beside_ansible(act: &str, module: &str) -> Result<String> {
    if module == "edits" {
        return edits_beside_ansible(act);
    }
    let module = differential::find(module).with_context(|| format!("there are no inputs of `{module}`"))?;
    match act {
        "run" => Ok(serde_json::to_string(&module.run())?),
        "look" => Ok(serde_json::to_string(&module.look()?)?),
        _ => bail!(USAGE),
    }
}

/// The same, for the table of edits.
fn edits_beside_ansible(act: &str) -> Result<String> {
    match act {
        "prepare" => edits::prepare().map(|()| "null".to_owned()),
        "run" => Ok(serde_json::to_string(&edits::run()?)?),
        "look" => Ok(serde_json::to_string(&edits::look()?)?),
        _ => bail!(USAGE),
    }
}

/// This host, and another one of its role.
fn herd() -> HerdView {
    let member = |name: &str, address: &str| Member {
        name: name.into(),
        roles: ["web".to_owned()].into(),
        address: Some(address.into()),
        ..Member::default()
    };
    HerdView { me: "web1".into(), members: vec![member("web1", "192.0.2.11"), member("web2", "192.0.2.12")] }
}
