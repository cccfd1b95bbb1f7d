//! What passes between a herd and its git server: a gate on the way that lets everything through, and counts it.
#![expect(clippy::disallowed_methods, reason = "it listens in the place of a git server, on the loopback address")]

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::nice;
use wb_core::system::clock::{Real, wait_until};
use wb_core::system::socket;

use super::server::AHEAD;

/// What passed so far. Bytes are those of both directions, as they were on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Traffic {
    /// Connections that asked for `git-upload-pack`.
    pub(super) fetches: u64,
    /// Connections that asked for `git-receive-pack`.
    pub(super) pushes: u64,
    /// Connections that git is not to be seen in: those of ssh.
    pub(super) sessions: u64,
    /// Connections that the server closed before it said who it is.
    pub(super) dropped: u64,
    /// The bytes of fetches.
    pub(super) fetched: u64,
    /// The bytes of pushes.
    pub(super) pushed: u64,
    /// The bytes of all else.
    pub(super) other: u64,
}

/// The gate. It closes when it is dropped; what is under way goes on.
#[derive(Debug)]
pub(super) struct Toll {
    port: u16,
    ledger: Arc<Ledger>,
    closed: Arc<AtomicBool>,
}

impl Toll {
    /// A gate before the server at this port of the loopback address.
    pub(super) fn before(server: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let (ledger, closed) = (Arc::<Ledger>::default(), Arc::<AtomicBool>::default());
        let (of_gate, is_closed) = (Arc::clone(&ledger), Arc::clone(&closed));
        std::thread::spawn(move || {
            // Whoever it starts is as far ahead of the hosts as the server is.
            nice(-AHEAD).unwrap_or_default();
            for client in listener.incoming().map_while(Result::ok) {
                if is_closed.load(Ordering::Relaxed) {
                    return;
                }
                let ledger = Arc::clone(&of_gate);
                std::thread::spawn(move || pass(&client, server, &ledger));
            }
        });
        Ok(Self { port, ledger, closed })
    }

    /// Where it listens.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// What passed so far.
    pub(super) fn traffic(&self) -> Traffic {
        let [fetches, pushes, sessions, dropped] = self.ledger.connections.each_ref().map(read);
        let [fetched, pushed, other] = self.ledger.bytes.each_ref().map(read);
        Traffic { fetches, pushes, sessions, dropped, fetched, pushed, other }
    }
}

impl Drop for Toll {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        drop(socket::open(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)), PATIENCE));
    }
}

/// How long the server may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(60);

/// How soon a server that accepts nobody at the moment is asked again.
const AGAIN: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
struct Ledger {
    connections: [AtomicU64; 4],
    bytes: [AtomicU64; 3],
    /// Who has it opens a connection to the server.
    door: Mutex<()>,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Fetch,
    Push,
    Session,
}

const DROPPED: usize = 3;

/// Of `git-receive-pack ` behind four digits. What ssh says first is a line.
const LONGEST_NAME: usize = 21;

impl Kind {
    /// By what the client says first: git's own protocol names the service behind four digits.
    fn of(first: &[u8]) -> Self {
        match first.get(4..).unwrap_or_default() {
            asks if asks.starts_with(b"git-upload-pack ") => Self::Fetch,
            asks if asks.starts_with(b"git-receive-pack ") => Self::Push,
            _ => Self::Session,
        }
    }
}

/// Lets one connection through. The first word is the client's, in git's protocol and in ssh's.
fn pass(client: &TcpStream, server: u16, ledger: &Ledger) {
    let Some(first) = first_word(client) else { return };
    let kind = Kind::of(&first);
    add(&ledger.connections[kind as usize], 1);
    let Some(server) = open(server, &ledger.door) else { return add(&ledger.connections[DROPPED], 1) };
    let bytes = &ledger.bytes[kind as usize];
    // Git writes little by little.
    drop(client.set_nodelay(true).and_then(|()| server.set_nodelay(true)));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Before it passes: whoever has the answer finds it counted.
            add(bytes, first.len() as u64);
            if (&server).write_all(&first).is_ok() {
                carry(client, &server, bytes);
            }
            drop(server.shutdown(Shutdown::Write));
        });
        let answer = carry(&server, client, bytes);
        if kind == Kind::Session && !answer.starts_with(b"SSH-") {
            add(&ledger.connections[DROPPED], 1);
        }
        // Who has its answer would not know that nobody listens any more.
        drop(client.shutdown(Shutdown::Both));
    });
}

/// A connection to the server, one after another. Git's daemon lets five wait until it accepts them; who comes sixth at
/// the same time is forgotten, and learns of it after a minute.
fn open(server: u16, door: &Mutex<()>) -> Option<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server));
    let _alone = door.lock().unwrap_or_else(PoisonError::into_inner);
    wait_until(&Real, PATIENCE, Duration::from_millis(5), || socket::open(address, AGAIN).ok())
}

/// As much of what a client says first as tells what it wants, or all of it.
fn first_word(mut client: &TcpStream) -> Option<Vec<u8>> {
    let (mut word, mut chunk) = (Vec::new(), [0; 4096]);
    while word.len() < LONGEST_NAME && !word.ends_with(b"\n") {
        match client.read(&mut chunk).ok()? {
            0 => break,
            length => word.extend_from_slice(&chunk[..length]),
        }
    }
    (!word.is_empty()).then_some(word)
}

/// Carries bytes until there are no more; gives the first of them.
fn carry(mut from: &TcpStream, mut to: &TcpStream, bytes: &AtomicU64) -> Vec<u8> {
    let (mut chunk, mut first) = (vec![0; 1 << 16], Vec::new());
    while let Ok(length @ 1..) = from.read(&mut chunk) {
        add(bytes, length as u64);
        if first.is_empty() {
            first.extend_from_slice(&chunk[..length.min(16)]);
        }
        if to.write_all(&chunk[..length]).is_err() {
            break;
        }
    }
    first
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Traffic {
    /// What passed since.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            fetches: self.fetches - before.fetches,
            pushes: self.pushes - before.pushes,
            sessions: self.sessions - before.sessions,
            dropped: self.dropped - before.dropped,
            fetched: self.fetched - before.fetched,
            pushed: self.pushed - before.pushed,
            other: self.other - before.other,
        }
    }

    /// All bytes.
    pub(super) fn bytes(self) -> u64 {
        self.fetched + self.pushed + self.other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers one connection with `answer`, and hangs up.
    fn server(answer: &'static [u8]) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(stream.read(&mut [0; 64]).unwrap() > 0);
            stream.write_all(answer).unwrap();
        });
        port
    }

    fn check(question: &[u8], answer: &'static [u8], expect: Traffic) {
        let toll = Toll::before(server(answer)).unwrap();
        let said = socket::ask(&format!("127.0.0.1:{}", toll.port()), question, PATIENCE).unwrap();
        assert_eq!((said, toll.traffic()), (answer.to_vec(), expect));
    }

    #[test]
    fn what_passes_is_counted_by_what_it_is_for() {
        let none = Traffic::default();
        check(b"002egit-upload-pack /x", b"refs", Traffic { fetches: 1, fetched: 26, ..none });
        check(b"002egit-receive-pack /x", b"refs", Traffic { pushes: 1, pushed: 27, ..none });
        check(b"SSH-2.0-ssh\r\n", b"SSH-2.0-x", Traffic { sessions: 1, other: 22, ..none });
        check(b"SSH-2.0-ssh\r\n", b"", Traffic { sessions: 1, dropped: 1, other: 13, ..none });
    }
}
