//! A machine for the tests of the rooms: a fake host without a file, whose migrations are closures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Mutex;

use anyhow::Result;
use wb_core::chain::{Digest, Link, Sha1};
use wb_core::change::Member;
use wb_core::context::{Attempt, Context, Debt, DebtAction, Debts as _, Lookout, MemoryJournal, Mode, Outcome};
use wb_core::system::command::{Command, Output};
use wb_core::system::files;

use crate::testing::FakeHost;
use crate::{Host, View};

pub(crate) struct Machine {
    host: FakeHost,
    pub(crate) journal: Rc<MemoryJournal>,
    boot: String,
    in_load: bool,
    others: Option<Rc<dyn Lookout>>,
    said: Mutex<String>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let host = FakeHost::bare("web1");
        let journal = Rc::clone(&host.journal);
        Self { host, journal, boot: "boot".into(), in_load: false, others: None, said: Mutex::default() }
    }

    /// A command whose line starts so gives this, each time.
    pub(crate) fn answer(self, start: &str, code: i32, stdout: &str) -> Self {
        Self { host: self.host.answer(start, code, stdout), ..self }
    }

    /// A command whose line starts so gives these in turn, and the last from then on.
    pub(crate) fn answers(self, start: &str, turns: &[(i32, &str)]) -> Self {
        Self { host: self.host.answers(start, turns), ..self }
    }

    /// A command whose line starts so gives these bytes, each time.
    pub(crate) fn answer_bytes(self, start: &str, stdout: Vec<u8>) -> Self {
        self.host.commands.answer(start, vec![Output { code: 0, stdout, stderr: vec![] }]);
        self
    }

    /// A command whose line starts so does this, with where the root is, and ends well.
    pub(crate) fn does(self, start: &str, effect: impl Fn(&Path, &Command) + Send + 'static) -> Self {
        Self { host: self.host.plays(start, effect), ..self }
    }

    pub(crate) fn file(self, path: &str, content: &str) -> Self {
        Self { host: self.host.file(path, content), ..self }
    }

    pub(crate) fn dir(self, path: &str) -> Self {
        Self { host: self.host.directory(path), ..self }
    }

    pub(crate) fn member(mut self, name: &str, role: &str, address: Option<&str>) -> Self {
        let member = Member {
            name: name.into(),
            roles: [role.into()].into(),
            address: address.map(Into::into),
            ..Member::default()
        };
        self.host.herd.members.push(member);
        self
    }

    pub(crate) fn settings(self, name: &str, settings: &str) -> Self {
        Self { host: self.host.settings_of(name, settings), ..self }
    }

    pub(crate) fn owing(self, action: DebtAction, service: &str) -> Self {
        self.journal.owe(Debt { action, service: service.into() }).unwrap();
        self
    }

    pub(crate) fn apply<T>(&self, act: impl FnOnce(&Host) -> Result<T>) -> Result<T> {
        self.with(Mode::Apply, |context| act(&Host::new(context)))
    }

    pub(crate) fn plan<T>(&self, act: impl FnOnce(&Host) -> Result<T>) -> Result<T> {
        self.with(Mode::Plan, |context| act(&Host::new(context)))
    }

    pub(crate) fn view<T>(&self, look: impl FnOnce(&View) -> Result<T>) -> Result<T> {
        self.with(Mode::Apply, |context| look(&View::new(context)))
    }

    /// Runs a migration.
    pub(crate) fn run<T>(&self, act: impl FnOnce(&Host) -> Result<T>) -> Result<T> {
        self.attempt(Mode::Apply, act)
    }

    /// Runs a migration in plan mode.
    pub(crate) fn rehearse<T>(&self, act: impl FnOnce(&Host) -> Result<T>) -> Result<T> {
        self.attempt(Mode::Plan, act)
    }

    /// This machine in another boot.
    pub(crate) fn in_boot(self, boot: &str) -> Self {
        Self { boot: boot.into(), ..self }
    }

    /// This machine in the next boot.
    pub(crate) fn rebooted(self) -> Self {
        let next = format!("{}, once more", self.boot);
        self.in_boot(&next)
    }

    /// This machine, whose migrations are run in load.
    pub(crate) fn in_load(self) -> Self {
        Self { in_load: true, ..self }
    }

    /// This machine among others, which it sees so.
    pub(crate) fn among(self, others: Rc<dyn Lookout>) -> Self {
        Self { others: Some(others), ..self }
    }

    fn attempt<T>(&self, mode: Mode, act: impl FnOnce(&Host) -> Result<T>) -> Result<T> {
        let link = Link::new("link", Sha1::from_bytes([1; 20]), "web", Digest::of(b"link"));
        let link = Link { in_load: self.in_load, ..link };
        let attempt = Attempt::new(&link, self.boot.as_str(), self.host.own_journal());
        let context = self.context(mode).of(Rc::clone(&attempt));
        let context = match &self.others {
            Some(others) => context.with_lookout(Rc::clone(others)),
            None => context,
        };
        self.listening(&context, |context| attempt.run(|| act(&Host::new(context))))
    }

    pub(crate) fn with<T>(&self, mode: Mode, act: impl FnOnce(&Context<'_>) -> Result<T>) -> Result<T> {
        self.listening(&self.context(mode), act)
    }

    fn context(&self, mode: Mode) -> Context<'_> {
        Context::new(&self.host.system, mode, &self.host.herd, self.host.own_journal())
    }

    fn listening<'c, T>(&self, context: &'c Context<'c>, act: impl FnOnce(&'c Context<'c>) -> Result<T>) -> Result<T> {
        let result = act(context);
        let lines: Vec<String> = context.operations().iter().map(ToString::to_string).collect();
        *self.said.lock().unwrap() = lines.join("\n");
        result
    }

    /// The operations of the last run.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// The lines of all commands so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.host.calls()
    }

    /// What all commands so far have in this variable, where they have it.
    pub(crate) fn variables(&self, name: &str) -> Vec<String> {
        let calls = self.host.commands.calls();
        let values = calls.iter().filter_map(|command| command.variable(name));
        values.map(|value| value.to_string_lossy().into_owned()).collect()
    }

    /// A command whose line starts so ends like this in turn, and says so on standard error.
    pub(crate) fn complains(self, start: &str, turns: &[(i32, &str)]) -> Self {
        let output = |(code, stderr): &(i32, &str)| Output { code: *code, stdout: vec![], stderr: (*stderr).into() };
        self.host.commands.answer(start, turns.iter().map(output).collect());
        self
    }

    /// What all commands read on standard input so far.
    pub(crate) fn inputs(&self) -> Vec<String> {
        let calls = self.host.commands.calls();
        let inputs = calls.iter().map(|command| String::from_utf8_lossy(command.input()).into_owned());
        inputs.filter(|input| !input.is_empty()).collect()
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.host.path(path)
    }

    pub(crate) fn read(&self, path: &str) -> Option<String> {
        self.host.read(path)
    }

    pub(crate) fn stat(&self, path: impl AsRef<Path>) -> Option<files::Stat> {
        self.host.system.stat(path).unwrap()
    }

    /// `/etc/passwd` and `/etc/group` with one user `me`, who runs the tests: files can be given to them.
    pub(crate) fn with_me(self) -> Self {
        let me = self.stat("/").unwrap();
        let (uid, gid) = (me.uid, me.gid);
        self.file("/etc/passwd", &format!("root:x:0:0:root:/root:/bin/bash\nme:x:{uid}:{gid}::/home/me:/bin/sh\n"))
            .file("/etc/group", &format!("root:x:0:\nus:x:{gid}:me\n"))
    }

    /// The content of all files below the root, by path.
    pub(crate) fn snapshot(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut left = vec![self.path("/")];
        while let Some(path) = left.pop() {
            match files::stat(&path).unwrap().unwrap().kind {
                files::Kind::Directory => left.extend(files::list(&path).unwrap()),
                files::Kind::File => {
                    let content = String::from_utf8_lossy(&files::read(&path).unwrap()).into_owned();
                    drop(found.insert(path.display().to_string(), content));
                }
                _ => drop(found.insert(path.display().to_string(), String::new())),
            }
        }
        found
    }
}

pub(crate) fn changed(diff: &str) -> Outcome {
    Outcome::Changed { diff: Some(diff.into()) }
}

/// The head of a request, in lower case. Its body is read, too: what is left unread when a connection is closed resets it.
fn read_request(reader: &mut impl std::io::BufRead) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap_or(0) > 0 {}
    head.make_ascii_lowercase();
    let length = head.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next()?.parse().ok());
    drop(reader.read_exact(&mut vec![0; length.unwrap_or(0)]));
    head
}

/// A web server on a port of its own that answers the head of each request, in lower case, with these bytes, and closes;
/// where it listens.
pub(crate) fn serve_http(mut answer: impl FnMut(&str) -> Vec<u8> + Send + 'static) -> String {
    use std::io::{BufReader, Write as _};
    #[expect(clippy::disallowed_methods, reason = "the other side of a request, for tests")]
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let head = read_request(&mut reader);
            drop(reader.get_mut().write_all(&answer(&head)));
        }
    });
    address
}

/// A server on a port of its own that answers each connection's line; where it listens.
pub(crate) fn serve(mut answer: impl FnMut(&str) -> String + Send + 'static) -> String {
    use std::io::{BufRead as _, BufReader, Write as _};
    #[expect(clippy::disallowed_methods, reason = "the other side of the socket helper, for tests")]
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line.contains(" HTTP/") {
                drop(read_request(&mut reader));
            }
            while !reader.buffer().is_empty() {
                let length = reader.buffer().len();
                reader.consume(length);
            }
            drop(reader.get_mut().write_all(answer(line.trim_end()).as_bytes()));
        }
    });
    address
}
