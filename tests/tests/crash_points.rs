//! The list of crash points is complete: whatever changes the machine, in the code that a host runs, passes one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use wb_core::system::fault::{self, Fault, Injected, POINTS, Plan, When};
use wb_core::system::{Command, environment, files};

/// Functions that change a disk or start a program, by the end of their path.
const FUNCTIONS: [&str; 37] = [
    "fs::write",
    "fs::rename",
    "fs::copy",
    "fs::create_dir",
    "fs::create_dir_all",
    "fs::remove_file",
    "fs::remove_dir",
    "fs::remove_dir_all",
    "fs::hard_link",
    "fs::soft_link",
    "fs::symlink",
    "fs::set_permissions",
    "fs::chown",
    "fs::lchown",
    "fs::fchown",
    "fs::chownat",
    "fs::renameat",
    "fs::unlink",
    "fs::unlinkat",
    "fs::mkdir",
    "fs::mkdirat",
    "fs::chmod",
    "fs::fchmod",
    "fs::ftruncate",
    "fs::fsync",
    "fs::syncfs",
    "fs::setxattr",
    "fs::fsetxattr",
    "fs::fremovexattr",
    "symlink",
    "lchown",
    "fchown",
    "File::create",
    "File::create_new",
    "File::options",
    "OpenOptions::new",
    "DirBuilder::new",
];

/// Methods that do so, whatever they are called on.
const METHODS: [&str; 6] = ["sync_all", "sync_data", "set_len", "set_permissions", "set_times", "exec"];

/// Methods of duct, by which programs start.
const STARTS: [&str; 3] = ["start", "reader", "spawn"];

/// They open for reading only.
const READS: [&str; 2] = ["open_itself", "open_without_waiting"];

const SEAM: [&str; 2] = ["wb-core/src/system/disk.rs", "wb-core/src/system/command.rs"];

/// What a function calls.
#[derive(Debug, Default, Clone)]
struct Calls {
    changes: BTreeSet<String>,
    hooked: bool,
    all: BTreeSet<String>,
}

struct Reader {
    starts: bool,
    functions: BTreeMap<String, Calls>,
    within: Vec<String>,
}

impl Reader {
    fn of(path: &str, text: &str) -> BTreeMap<String, Calls> {
        let mut reader =
            Self { starts: path.ends_with("system/command.rs"), functions: BTreeMap::new(), within: vec![] };
        reader.visit_file(&syn::parse_file(text).expect("Rust"));
        reader.functions
    }

    fn calls(&mut self) -> &mut Calls {
        let name = self.within.last().cloned().unwrap_or_default();
        self.functions.entry(name).or_default()
    }

    fn function(&mut self, name: &syn::Ident, read: impl FnOnce(&mut Self)) {
        self.within.push(name.to_string());
        read(self);
        self.within.pop();
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    let words = |attribute: &syn::Attribute| matches!(&attribute.meta, syn::Meta::List(list) if list.tokens.to_string() == "test");
    attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("test") || (attribute.path().is_ident("cfg") && words(attribute)))
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.function(&function.sig.ident, |reader| visit::visit_item_fn(reader, function));
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.function(&function.sig.ident, |reader| visit::visit_impl_item_fn(reader, function));
    }

    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        let words: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let end = |count: usize| words[words.len().saturating_sub(count)..].join("::");
        let calls = self.calls();
        calls.changes.extend(
            FUNCTIONS
                .iter()
                .filter(|name| [end(1), end(2)].contains(&(**name).to_owned()))
                .map(|name| (*name).to_owned()),
        );
        calls.hooked |= ["fault::pass", "fault::strike"].contains(&end(2).as_str());
        calls.all.insert(end(1));
        visit::visit_expr_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let (name, starts) = (call.method.to_string(), self.starts);
        let calls = self.calls();
        calls.all.insert(name.clone());
        if METHODS.contains(&name.as_str()) || (starts && call.args.is_empty() && STARTS.contains(&name.as_str())) {
            calls.changes.insert(name);
        }
        visit::visit_expr_method_call(self, call);
    }
}

/// The functions that change something and pass no point: neither themselves, nor in what they hand it to, nor
/// everybody who calls them.
fn unhooked(functions: &BTreeMap<String, Calls>) -> Vec<&str> {
    let hooked = |name: &String| functions.get(name).is_some_and(|calls| calls.hooked);
    let covered = |name: &String, calls: &Calls| {
        let mut callers = functions.values().filter(|caller| caller.all.contains(name)).peekable();
        hooked(name)
            || calls.all.iter().any(hooked)
            || (callers.peek().is_some() && callers.all(|caller| caller.hooked))
    };
    functions
        .iter()
        .filter(|(name, calls)| !READS.contains(&name.as_str()) && !calls.changes.is_empty() && !covered(name, calls))
        .map(|(name, _)| name.as_str())
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let below = files::list(dir).expect("a directory").into_iter();
    let is_dir =
        |path: &Path| files::stat(path).expect("a file").is_some_and(|stat| stat.kind == files::Kind::Directory);
    below
        .flat_map(|path| if is_dir(&path) { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .collect()
}

#[test]
fn all_that_changes_the_machine_passes_a_point() {
    for path in SEAM {
        let functions = Reader::of(path, &files::read_text(root().join(path)).unwrap());
        assert!(functions.values().any(|calls| !calls.changes.is_empty()), "{path} changes nothing");
        assert_eq!(unhooked(&functions), Vec::<&str>::new(), "in {path}");
    }
}

#[test]
fn nothing_else_changes_the_machine() {
    // The fault layer itself, and the one call whose hook is inside of it.
    let exempt = |path: &str| SEAM.contains(&path) || path.contains("system/fault/") || path.ends_with("/tests.rs");
    for dir in ["wb-core/src", "wb-stdlib/src"] {
        for file in sources(&root().join(dir)) {
            let path = file.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            let functions = Reader::of(&path, &files::read_text(&file).unwrap());
            let changes: BTreeSet<_> = functions.values().flat_map(|calls| calls.changes.clone()).collect();
            let allowed =
                if path.ends_with("runner/serve.rs") { BTreeSet::from(["exec".to_owned()]) } else { BTreeSet::new() };
            assert!(exempt(&path) || changes.is_subset(&allowed), "{path}: {changes:?}; use wb_core::system::files");
        }
    }
}

#[test]
fn a_call_without_a_point_is_found() {
    let check =
        |text: &str, expect: &[&str]| assert_eq!(unhooked(&Reader::of("system/command.rs", text)), expect, "{text}");
    check("fn a(p: &Path) { fault::pass(Kind::Remove)?; fs::remove_file(p) }", &[]);
    check("fn a(p: &Path) { fs::remove_file(p) }", &["a"]);
    check("fn a(f: &File) { f.sync_all() }", &["a"]);
    check("fn a(f: &File) { f.sync_all() } fn b(f: &File) { fault::pass(Kind::Sync)?; a(f) }", &[]);
    check(
        "fn a(f: &File) { f.sync_all() } fn b(f: &File) { fault::pass(Kind::Sync)?; a(f) } fn c(f: &File) { a(f) }",
        &["a"],
    );
    check("fn a(e: duct::Expression) { e.start() }", &["a"]);
    check("#[cfg(test)] mod tests { fn a(p: &Path) { fs::remove_file(p) } }", &[]);
}

/// What the process does that the tests below arm and start; in any other process, nothing.
#[test]
fn act_under_a_plan() {
    let (Some(plan), Some(dir)) = (environment::var("CRASH_PLAN"), environment::var("CRASH_DIR")) else { return };
    fault::arm(serde_json::from_str(&plan).unwrap());
    let dir = Path::new(&dir);
    files::replace(dir.join("unsynced"), "new").unwrap();
    files::write(dir.join("synced"), "new", 0o644).unwrap();
    let line = format!("echo $$ >{0}/pid.new; mv {0}/pid.new {0}/pid; exec sleep 600", dir.display());
    drop(Command::shell(line).run());
}

/// Runs it, until it dies at `at` by `fault`: of that it can't come back.
fn die(fault: Fault, at: When, seed: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a child");
    files::write(dir.path().join("unsynced"), "old", 0o644).expect("a child");
    let plan = Plan { seed, faults: vec![Injected { fault, at }], ..Plan::default() };
    let this = Command::new(environment::current_exe().expect("a child")).args(["--exact", "act_under_a_plan"]);
    let this = this.env("CRASH_PLAN", serde_json::to_string(&plan).expect("a child")).env("CRASH_DIR", dir.path());
    assert_eq!(this.run().expect("a child").code, 128 + 9);
    dir
}

fn point(name: &str, nth: u64) -> When {
    When::Point { point: POINTS.iter().position(|point| point.name == name).expect("a child"), nth }
}

#[test]
fn a_process_is_killed_at_the_point_of_its_plan() {
    let dir = die(Fault::Kill, point("migration: rename", 1), 0);
    let check = |name: &str, expect: Option<&str>| {
        let found = files::read_optional(dir.path().join(name)).unwrap();
        assert_eq!(found.as_deref(), expect.map(str::as_bytes), "{name}");
    };
    check("unsynced", Some("new"));
    check("synced", None);
}

#[test]
fn a_power_cut_takes_what_is_not_safe_and_ends_the_commands_too() {
    let mut left = BTreeSet::new();
    for seed in 0..12 {
        let dir = die(Fault::PowerCut, point("any other: runs", 0), seed);
        assert_eq!(files::read_text(dir.path().join("synced")).unwrap(), "new");
        left.insert(files::read_text(dir.path().join("unsynced")).unwrap());
        let runs =
            |pid: &str| files::read_text(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("sleep"));
        let pid = files::read_optional(dir.path().join("pid")).unwrap().unwrap_or_default();
        assert!(!runs(String::from_utf8_lossy(&pid).trim()));
    }
    assert!(left.len() > 1 && left.contains("new"), "{left:?}");
}
