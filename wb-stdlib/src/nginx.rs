//! nginx as a balancer: taking servers out of an upstream, and putting them back.
//!
//! nginx has no way in for other hosts, and does not look after its servers by itself, so this is for who shares a host
//! with it. From another host, a [health file](crate::health_file) is the way: the chapter on balancers says how nginx
//! is told to look at it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use wb_core::context::{Debt, DebtAction, DebtError, Outcome};
use wb_core::system::files::{self, Attributes, Kind, Stat};
use wb_core::system::{Command, CommandError, System, clock};

use crate::ensure::{Difference, ensure};
use crate::file::{FileError, KindWord, check_path};
use crate::look::Access as _;
use crate::service::{Action, ServiceError};
use crate::{Host, Look, owed, processes};

const SERVICE: &str = "nginx";
const TEST_BOUND: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);
/// The longest file that is edited, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// What can go wrong with an upstream.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// There is no such file.
    #[error("there is no file {} with an upstream", .path.display())]
    NoFile {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It is no text, or longer than any upstream.
    #[error("{} is no text with an upstream", .path.display())]
    NoText {
        /// The file.
        path: PathBuf,
    },
    /// It has no such server.
    #[error(
        "there is no line `server {server} …;` in {}; its servers are {known}\nhint: each server has a line of its own, and \
         is called as it stands there", .path.display()
    )]
    NoSuchServer {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        server: String,
        /// Its servers.
        known: String,
    },
    /// nginx refused its configuration. The file is as it was.
    #[error("nginx refuses its configuration with {} as it is to be; the file is as it was", .path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What `nginx -t` said.
        source: CommandError,
    },
    /// What it served before took longer than the bound.
    #[error("nginx still serves what it began before it was reloaded, {} s ago", bound.as_secs())]
    StillBusy {
        /// How long was waited.
        bound: Duration,
    },
    /// What the change makes necessary can't be written down, or struck.
    #[error("could not write down that nginx must read {}", .path.display())]
    Owe {
        /// The file.
        path: PathBuf,
        /// Why.
        source: DebtError,
    },
    /// nginx could not be reloaded.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Its path.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file system failed.
    #[error(transparent)]
    System(#[from] files::FileError),
}

/// A file with upstreams of nginx, in which each server has a line. [`Look::nginx_upstream`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn take_the_blue_one_out(host: &Host) -> Result<()> {
///     let shop = host.nginx_upstream("/etc/nginx/conf.d/shop.conf").drained_within(Duration::from_secs(30));
///     shop.down("127.0.0.1:8001")?;
///     host.service("shop-blue").restarted()?;
///     shop.up("127.0.0.1:8001")?;
///     Ok(())
/// }
///
/// fn the_blue_one_is_in(host: &View) -> Result<()> {
///     host.nginx_upstream("/etc/nginx/conf.d/shop.conf").is_up("127.0.0.1:8001")
/// }
/// # let shop = "upstream shop {\n    server 127.0.0.1:8001;\n}\n";
/// # let host = wb_stdlib::testing::web1().file("/etc/nginx/conf.d/shop.conf", shop);
/// # host.rehearse(take_the_blue_one_out).sees(the_blue_one_is_in);
/// ```
#[must_use = "say what is to be so: `.up(server)?` or `.down(server)?`"]
pub struct Upstream<A> {
    access: A,
    path: PathBuf,
    drain: Option<Duration>,
}

impl<A: Look> Upstream<A> {
    pub(crate) fn new(access: A, path: &Path) -> Self {
        Self { access, path: path.to_owned(), drain: None }
    }

    /// After a reload, waits up to so long for nginx to end what it served before. Otherwise nobody waits.
    pub fn drained_within(mut self, bound: Duration) -> Self {
        self.drain = Some(bound);
        self
    }

    /// Checks that a server, as in `127.0.0.1:8001`, gets requests as far as this file says.
    ///
    /// # Errors
    /// When it is marked `down`, or there is no such server.
    pub fn is_up(&self, server: &str) -> Result<()> {
        let (text, _) = self.read()?;
        let is_up = self.marked(&text, server, false)? == text;
        anyhow::ensure!(is_up, "expected the server {server} to be up in {}, found it down", self.path.display());
        Ok(())
    }

    fn read(&self) -> Result<(String, Stat), UpstreamError> {
        check_path(&self.path)?;
        let none = || UpstreamError::NoFile { path: self.path.clone() };
        let no_text = || UpstreamError::NoText { path: self.path.clone() };
        let stat = self.system().stat(&self.path)?.ok_or_else(none)?;
        if stat.kind != Kind::File {
            let (path, found) = (self.path.clone(), KindWord(stat.kind));
            return Err(FileError::InTheWay { path, wanted: "a file", found }.into());
        }
        if stat.size > LONGEST {
            return Err(no_text());
        }
        let bytes = self.system().read_file(&self.path)?.ok_or_else(none)?;
        Ok((String::from_utf8(bytes).map_err(|_| no_text())?, stat))
    }

    /// The text with that server as wanted.
    fn marked(&self, text: &str, server: &str, down: bool) -> Result<String, UpstreamError> {
        mark(text, server, down).ok_or_else(|| UpstreamError::NoSuchServer {
            path: self.path.clone(),
            server: server.to_owned(),
            known: listed(text),
        })
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl Upstream<Host<'_>> {
    /// The server, as its line in the file names it, gets no new requests.
    ///
    /// # Errors
    /// When there is no such server, or nginx refuses the change or the reload.
    pub fn down(&self, server: &str) -> Result<Outcome, UpstreamError> {
        self.set(server, true)
    }

    /// The server gets requests.
    ///
    /// # Errors
    /// As [`Upstream::down`].
    pub fn up(&self, server: &str) -> Result<Outcome, UpstreamError> {
        self.set(server, false)
    }

    fn set(&self, server: &str, down: bool) -> Result<Outcome, UpstreamError> {
        let word = if down { "down" } else { "up" };
        let what = format!("server {server} {word} in {}", self.path.display());
        let (text, stat) = match self.read() {
            Err(UpstreamError::NoFile { .. }) if self.access.plans() => {
                let why = format!("there is no file {} yet", self.path.display());
                return ensure(self.access, &what, Difference::Unknown(why), || Ok(()));
            }
            read => read?,
        };
        let wanted = self.marked(&text, server, down)?;
        let difference = match (wanted == text, self.is_owed()) {
            (false, _) => Difference::Some(Some(format!("it was {}", if down { "up" } else { "down" }))),
            (true, true) => Difference::Some(Some("nginx has not read that yet".into())),
            (true, false) => Difference::None,
        };
        let outcome = ensure(self.access, &what, difference, || self.change(&text, &wanted, stat))?;
        if outcome.changed() {
            self.reload()?;
        }
        self.wait_for_the_old()?;
        Ok(outcome)
    }

    /// The reload is owed before the file changes, so that nobody forgets it after a crash.
    fn change(&self, old: &str, new: &str, stat: Stat) -> Result<(), UpstreamError> {
        let owe = |source| UpstreamError::Owe { path: self.path.clone(), source };
        let attributes = Attributes { mode: stat.mode, uid: Some(stat.uid), gid: Some(stat.gid) };
        let was_owed = self.is_owed();
        self.access.context().debts().owe(debt()).map_err(owe)?;
        if new != old {
            self.system().write_file(&self.path, new, attributes)?;
        }
        let test = Command::new("nginx").arg("-t").env("LC_ALL", "C.UTF-8").timeout(TEST_BOUND);
        if let Err(source) = self.system().read_command(&test) {
            if new != old {
                self.system().write_file(&self.path, old, attributes)?;
            }
            if !was_owed {
                owed::strike(self.access, Action::Reload, SERVICE).map_err(owe)?;
            }
            return Err(UpstreamError::Refused { path: self.path.clone(), source });
        }
        Ok(())
    }

    /// A stopped nginx reads the file when it starts.
    fn reload(&self) -> Result<(), UpstreamError> {
        self.access.service(SERVICE).reloaded()?;
        let owe = |source| UpstreamError::Owe { path: self.path.clone(), source };
        if self.access.plans() { Ok(()) } else { owed::strike(self.access, Action::Reload, SERVICE).map_err(owe) }
    }

    fn is_owed(&self) -> bool {
        self.access.context().debts().owed().contains(&debt())
    }

    /// Workers from before a reload end when their last request has.
    fn wait_for_the_old(&self) -> Result<(), UpstreamError> {
        let Some(bound) = self.drain.filter(|_| !self.access.plans()) else { return Ok(()) };
        let ended = clock::wait_until(self.system().clock(), bound, PAUSE, || match shuts_down(self.system()) {
            Ok(true) => None,
            Ok(false) => Some(Ok(())),
            Err(error) => Some(Err(error.into())),
        });
        ended.unwrap_or(Err(UpstreamError::StillBusy { bound }))
    }
}

fn debt() -> Debt {
    Debt { action: DebtAction::Reload, service: SERVICE.into() }
}

fn shuts_down(system: &System) -> Result<bool, files::FileError> {
    let mut workers = processes::all(system)?.filter(|process| process.is("nginx"));
    Ok(workers.any(|worker| worker.line(system).starts_with("nginx: worker process is shutting down")))
}

/// The text with `server` marked `down`, or not; nothing when it has no line for that server.
fn mark(text: &str, server: &str, down: bool) -> Option<String> {
    let mut is_there = false;
    let line = |line: &str| match parameters(line) {
        Some((name, parameters)) if name == server => {
            is_there = true;
            marked(line, parameters, down)
        }
        _ => line.to_owned(),
    };
    let marked: String = text.split_inclusive('\n').map(line).collect();
    is_there.then_some(marked)
}

/// The server of a line `server 127.0.0.1:8001 weight=2;`, and its parameters.
fn parameters(line: &str) -> Option<(&str, &str)> {
    let rest = line.trim_start().strip_prefix("server")?;
    let (directive, _) = rest.strip_prefix([' ', '\t'])?.split_once(';')?;
    let directive = directive.trim();
    // `server {` is another thing, and so is `server_name`.
    (!directive.contains('{')).then(|| directive.split_once([' ', '\t']).unwrap_or((directive, "")))
}

fn marked(line: &str, parameters: &str, down: bool) -> String {
    let is_down = parameters.split_whitespace().any(|word| word == "down");
    let (before, after) = line.split_once(';').unwrap_or((line, ""));
    match (is_down, down) {
        (false, true) => format!("{} down;{after}", before.trim_end()),
        (true, false) => format!("{};{after}", without_down(before)),
        _ => line.to_owned(),
    }
}

/// A directive without its word `down`, and without the blanks before it.
fn without_down(directive: &str) -> String {
    let mut kept = String::new();
    for piece in pieces(directive) {
        if piece.trim_start() != "down" {
            kept += piece;
        }
    }
    kept
}

/// Words, each with the blanks before it.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.len() - rest.trim_start().len();
        let end = rest[word..].find([' ', '\t']).map_or(rest.len(), |length| word + length);
        pieces.push(&rest[..end]);
        rest = &rest[end..];
    }
    pieces
}

fn listed(text: &str) -> String {
    let servers: Vec<String> =
        text.lines().filter_map(|line| parameters(line).map(|(server, _)| format!("`{server}`"))).collect();
    if servers.is_empty() { "none".to_owned() } else { servers.join(", ") }
}

#[cfg(test)]
mod tests;
