//! A network that does not bring what was sent: a server of git's own protocol, and somebody between it and the host.
#![expect(
    clippy::disallowed_methods,
    reason = "what stands between a host and its server listens, and is no part of either"
)]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use wb_core::system::Command;
use wb_core::system::clock::{Real, wait_until};
use wb_core::system::command::Child;

use super::super::TortureError;
use super::super::chance::Chance;

/// A server that lets everybody fetch and push. It ends with this value.
#[derive(Debug)]
pub struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Serves all repositories under `dir`.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(dir: &Path) -> Result<Self, TortureError> {
        let port = TcpListener::bind(HERE).and_then(|listener| listener.local_addr()).map_err(not_up)?.port();
        // What `git daemon` starts goes on when that is killed.
        let programs = Command::new("git").arg("--exec-path").read().map_err(TortureError::Command)?;
        let daemon = Command::new(Path::new(&programs).join("git-daemon"));
        let daemon = daemon.args(["--export-all", "--reuseaddr", "--listen=127.0.0.1"]);
        let daemon = daemon.args(["--enable=receive-pack", &format!("--port={port}")]);
        let daemon = daemon.arg(format!("--base-path={}", dir.display())).arg(dir);
        let child = daemon.start(Some(&dir.join("daemon.log"))).map_err(TortureError::Command)?;
        let server = Self { child, port };
        let up = || TcpStream::connect(("127.0.0.1", port)).ok();
        match wait_until(&Real, Duration::from_secs(10), Duration::from_millis(20), up) {
            Some(_) => Ok(server),
            None => Err(not_up(std::io::ErrorKind::TimedOut.into())),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill();
    }
}

const HERE: &str = "127.0.0.1:0";

fn not_up(source: std::io::Error) -> TortureError {
    TortureError::Wire { source }
}

/// Somebody in between. It stays as long as this process.
#[derive(Debug)]
pub struct Wire {
    port: u16,
}

/// Who hears nothing for so long hangs up: a number that was changed may let both sides wait for each other.
const SILENCE: Duration = Duration::from_secs(1);

impl Wire {
    /// Somebody between this machine and the server at `port`, who follows their chance.
    ///
    /// # Errors
    /// When nobody can listen here.
    pub fn to(port: u16, seed: u64) -> Result<Self, TortureError> {
        let listener = TcpListener::bind(HERE).map_err(not_up)?;
        let own = listener.local_addr().map_err(not_up)?.port();
        std::thread::spawn(move || {
            let mut chance = Chance(seed);
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { return };
                drop(connect(&near, &far, &mut chance));
            }
        });
        Ok(Self { port: own })
    }

    /// Where to call.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn connect(near: &TcpStream, far: &TcpStream, chance: &mut Chance) -> std::io::Result<()> {
    near.set_read_timeout(Some(SILENCE))?;
    far.set_read_timeout(Some(SILENCE))?;
    // Every third connection is left alone.
    let edits = if chance.one_in(3) { Vec::new() } else { edits(chance) };
    let (mut from_near, mut to_far) = (near.try_clone()?, far.try_clone()?);
    let (mut from_far, mut to_near) = (far.try_clone()?, near.try_clone()?);
    std::thread::spawn(move || carry(&mut from_near, &mut to_far, Vec::new()));
    std::thread::spawn(move || carry(&mut from_far, &mut to_near, edits));
    Ok(())
}

/// What happens to a stream, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edit {
    at: usize,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Flip(u8),
    Drop(usize),
    Insert(&'static [u8]),
    HangUp,
}

/// Lines of git's protocol, and what looks like some.
const LINES: [&[u8]; 8] =
    [b"0000", b"0001", b"ffff", b"0003", b"0008NAK\n", b"000dpackfile\n", b"0009\x02oops", b"000fERR no luck"];

fn edits(chance: &mut Chance) -> Vec<Edit> {
    let mut all: Vec<Edit> = (0..=chance.below(3))
        .map(|_| {
            let what = match chance.below(6) {
                0 => What::HangUp,
                1 => What::Drop(1 + chance.below(40)),
                2 => What::Insert(chance.of(&LINES).unwrap_or_default()),
                _ => What::Flip(1 << chance.below(8)),
            };
            let spread = [64, 512, 4_096][chance.below(3)];
            Edit { at: chance.below(spread), what }
        })
        .collect();
    all.sort_by_key(|edit| edit.at);
    all
}

/// Brings what comes from one to the other until one of them hangs up.
fn carry(from: &mut TcpStream, to: &mut TcpStream, mut edits: Vec<Edit>) {
    let (mut buffer, mut at) = ([0; 4096], 0);
    loop {
        let many = match from.read(&mut buffer) {
            Ok(many) if many > 0 => many,
            _ => break,
        };
        let (bytes, goes_on) = edited(&buffer[..many], at, &mut edits);
        at += many;
        if to.write_all(&bytes).is_err() || !goes_on {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Write));
    drop(from.shutdown(Shutdown::Read));
}

/// What becomes of the bytes that stand at `at` of a stream, and whether it goes on after them.
fn edited(bytes: &[u8], at: usize, edits: &mut Vec<Edit>) -> (Vec<u8>, bool) {
    let (mut out, mut skip) = (Vec::new(), 0);
    for (index, byte) in bytes.iter().enumerate() {
        let mut byte = *byte;
        while edits.first().is_some_and(|edit| edit.at <= at + index) {
            match edits.remove(0).what {
                What::Flip(bit) => byte ^= bit,
                What::Drop(many) => skip += many,
                What::Insert(line) => out.extend(line),
                What::HangUp => return (out, false),
            }
        }
        match skip {
            0 => out.push(byte),
            _ => skip -= 1,
        }
    }
    (out, true)
}

#[cfg(test)]
mod tests {
    use wb_core::system::files;

    use super::*;

    /// Its port may be somebody else's a moment later; its directory is its own.
    #[test]
    fn nothing_of_a_server_is_left_when_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let served = format!("--base-path={}", dir.path().display());
        let serves = |process: &Path| {
            let words = files::read(process.join("cmdline")).unwrap_or_default();
            words.split(|byte| *byte == 0).any(|word| word == served.as_bytes())
        };
        let is_served = || files::list("/proc").unwrap().iter().any(|process| serves(process));
        let server = Server::start(dir.path()).unwrap();
        assert!(is_served());
        drop(server);
        let ended = || (!is_served()).then_some(());
        assert_eq!(wait_until(&Real, Duration::from_secs(10), Duration::from_millis(20), ended), Some(()));
    }

    #[test]
    fn a_stream_is_changed_where_it_is_to_be() {
        let check = |what: What, expect: &[u8], goes_on: bool| {
            let mut edits = vec![Edit { at: 12, what }];
            assert_eq!(edited(b"abcd", 10, &mut edits), (expect.to_vec(), goes_on));
        };
        check(What::Flip(1), b"abbd", true);
        check(What::Drop(1), b"abd", true);
        check(What::Insert(b"0000"), b"ab0000cd", true);
        check(What::HangUp, b"ab", false);
        assert_eq!(edited(b"abcd", 0, &mut vec![Edit { at: 12, what: What::HangUp }]), (b"abcd".to_vec(), true));
    }
}
