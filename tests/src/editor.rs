//! rust-analyzer, asked as editors ask it.
#![expect(clippy::disallowed_methods, reason = "an editor talks to a program that runs on; others run to their end")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};
use wb_core::system::{Command, environment, files};
use wb_xtask::fleet::PACKAGE_VARIABLES;

/// Whether rust-analyzer is installed. Where it must be, as on CI, it is an error that it is not.
///
/// # Panics
/// On CI, when it is not.
#[must_use]
pub fn is_installed(case: &str) -> bool {
    // rustup has a stand-in for components that are not installed: it is there, and fails.
    let installed = Command::new("rust-analyzer").arg("--version").run().is_ok_and(|output| output.code == 0);
    assert!(installed || environment::var("CI").as_deref() != Some("true"), "rustup component add rust-analyzer");
    if !installed {
        eprintln!("SKIPPED {case}: rustup component add rust-analyzer");
    }
    installed
}

/// An editor with a workspace open.
pub struct Editor {
    server: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    asked: u64,
    opened: BTreeSet<PathBuf>,
}

impl Editor {
    /// Opens the workspace `root`, and waits until all of it is loaded.
    ///
    /// The registry may be asked: an editor that is new on a machine wants the sources of the standard library, and what
    /// these are made of.
    ///
    /// # Panics
    /// When rust-analyzer can't be started, or ends.
    #[must_use]
    pub fn open(root: &Path, target: &Path) -> Self {
        let mut command = std::process::Command::new("rust-analyzer");
        command.current_dir(root).env("CARGO_TARGET_DIR", target);
        for name in PACKAGE_VARIABLES {
            command.env_remove(name);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = command.spawn().expect("rust-analyzer starts");
        let (to, from) = (server.stdin.take().expect("an input"), server.stdout.take().expect("an output"));
        let mut editor = Self { server, to, from: BufReader::new(from), asked: 0, opened: BTreeSet::new() };
        let capabilities = json!({ "experimental": { "serverStatusNotification": true } });
        let diagnostics = json!({ "experimental": { "enable": true } });
        let options = json!({ "checkOnSave": false, "cachePriming": { "enable": false }, "diagnostics": diagnostics });
        let root = uri(root);
        editor.ask(
            "initialize",
            &json!({ "processId": null, "rootUri": root, "capabilities": capabilities, "initializationOptions": options }),
        );
        editor.tell("initialized", &json!({}));
        editor.wait_until_loaded();
        editor
    }

    /// The errors in these files, as they are now: each as `second.rs:5: expected u32, found &str`, counted from 1.
    ///
    /// # Panics
    /// When a file can't be read, or rust-analyzer ends.
    pub fn errors(&mut self, files: &[PathBuf]) -> Vec<String> {
        files.iter().for_each(|file| self.show(file));
        files.iter().flat_map(|file| self.errors_of(file)).collect()
    }

    fn errors_of(&mut self, file: &Path) -> Vec<String> {
        let asked = json!({ "textDocument": { "uri": uri(file) } });
        let mut found = self.ask("textDocument/diagnostic", &asked);
        let found: Vec<Diagnostic> = serde_json::from_value(found["items"].take()).expect("diagnostics");
        let name = file.file_name().unwrap_or_default().display().to_string();
        let errors = found.iter().filter(|found| found.severity == ERROR);
        errors.map(|error| format!("{name}:{}: {}", error.range.start.line + 1, error.message)).collect()
    }

    /// Where the text `word` in a file is defined, as `roles.rs:7`, counted from 1.
    ///
    /// # Panics
    /// When the file has no such text.
    pub fn definitions(&mut self, file: &Path, word: &str) -> Vec<String> {
        let text = files::read_text(file).expect("a file");
        let before = &text[..text.find(word).expect("the word") + 1];
        let column = before.chars().count() - before.rfind('\n').map_or(0, |end| before[..=end].chars().count());
        let position = json!({ "line": before.matches('\n').count(), "character": column });
        self.show(file);
        let asked = json!({ "textDocument": { "uri": uri(file) }, "position": position });
        let found = self.ask("textDocument/definition", &asked);
        let places = found.as_array().cloned().unwrap_or_default();
        places.iter().map(place).collect()
    }

    /// Shows what a file has now.
    fn show(&mut self, file: &Path) {
        let text = files::read_text(file).expect("a file");
        if self.opened.insert(file.to_owned()) {
            let open = json!({ "uri": uri(file), "languageId": "rust", "version": 1, "text": text });
            self.tell("textDocument/didOpen", &json!({ "textDocument": open }));
        } else {
            self.asked += 1;
            let changed = json!({ "uri": uri(file), "version": self.asked });
            self.tell(
                "textDocument/didChange",
                &json!({ "textDocument": changed, "contentChanges": [{ "text": text }] }),
            );
        }
    }

    fn wait_until_loaded(&mut self) {
        loop {
            let message = self.receive();
            if message["method"] == "experimental/serverStatus" && message["params"]["quiescent"] == true {
                return;
            }
        }
    }

    fn tell(&mut self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let mut message = self.receive();
            if message["id"] == id && message.get("method").is_none() {
                match message["error"]["code"].as_i64() {
                    None => return message["result"].take(),
                    Some(MOVED_ON) => return self.ask(method, params),
                    Some(_) => panic!("rust-analyzer does not answer {method}: {}", message["error"]),
                }
            }
        }
    }

    /// The next message; what the server asks of us gets an empty answer.
    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.from.read_line(&mut line).expect("a line") > 0, "rust-analyzer ended");
            match line.trim().split_once(": ") {
                Some(("Content-Length", value)) => length = value.parse().expect("a length"),
                Some(_) => {}
                None => break,
            }
        }
        let mut bytes = vec![0; length];
        self.from.read_exact(&mut bytes).expect("a message");
        let message: Value = serde_json::from_slice(&bytes).expect("JSON");
        if let (Some(id), Some(_)) = (message.get("id"), message.get("method")) {
            self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": null }));
        }
        message
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.to, "Content-Length: {}\r\n\r\n{text}", text.len()).expect("it listens");
        self.to.flush().expect("it listens");
    }
}

/// How the protocol says that a file changed meanwhile.
const MOVED_ON: i64 = -32801;

/// What the protocol calls an error.
const ERROR: u64 = 1;

#[derive(Deserialize)]
struct Diagnostic {
    severity: u64,
    message: String,
    range: Range,
}

#[derive(Deserialize)]
struct Range {
    start: Position,
}

#[derive(Deserialize)]
struct Position {
    line: u64,
}

impl Drop for Editor {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn place(found: &Value) -> String {
    let file = found["uri"].as_str().and_then(|uri| uri.rsplit('/').next()).unwrap_or_default();
    format!("{file}:{}", found["range"]["start"]["line"].as_u64().unwrap_or_default() + 1)
}
