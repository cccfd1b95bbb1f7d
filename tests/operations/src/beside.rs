//! What goes on beside a case: another apt, and a mirror. Each is this program once more, in a process that the lines start
//! which prepare the case: `wb-operations beside NAME apt`, `wb-operations beside NAME mirror DIRECTORY`. Once it has
//! begun, there is a file `/srv/NAME-ready`.

use std::io::{self, BufRead, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::fs::{FlockOperation, fcntl_lock};
use wb_core::system::clock::{Clock as _, Real, wait_until};
use wb_core::system::files;

/// What whoever installs something holds: by fcntl(2), not by flock(2).
const LOCK: &str = "/var/lib/dpkg/lock-frontend";
/// For how long it is held, until somebody else comes, and from then on.
const UNASKED: Duration = Duration::from_secs(600);
const ASKED: Duration = Duration::from_secs(3);
/// Where the mirror listens, and for how long it waits for one before it to go.
const MIRROR: &str = "127.0.0.1:8503";
const TAKEN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// Goes on as these words say, beside a case that calls what is its own so.
///
/// # Errors
/// When they say nothing that there is, or it can't begin.
pub fn go_on(name: &str, words: &[&str]) -> Result<()> {
    match words {
        ["apt"] => hold_the_lock(name),
        ["mirror", directory] => deliver(name, Path::new(directory)),
        _ => bail!("nothing goes on beside a case that is called `{}`", words.join(" ")),
    }
}

/// Holds dpkg's lock until another apt has waited for it for a while. `/srv/NAME-free` says that it did.
fn hold_the_lock(name: &str) -> Result<()> {
    let lock = files::open_to_append(LOCK, 0o640)?;
    fcntl_lock(&lock, FlockOperation::LockExclusive).context("could not take dpkg's lock")?;
    say(name, "ready")?;
    wait_until(&Real, UNASKED, PAUSE, || runs("apt-get").then_some(())).context("nobody else came for dpkg's lock")?;
    Real.sleep(ASKED);
    // The lock goes with its file, at the end.
    say(name, "free")
}

/// Whether a program of this name runs.
fn runs(name: &str) -> bool {
    let processes = files::list("/proc").unwrap_or_default();
    processes.iter().any(|process| files::read_text(process.join("comm")).is_ok_and(|comm| comm.trim_end() == name))
}

/// Is a mirror of a directory. `/srv/NAME-log` has a line for each answer.
fn deliver(name: &str, directory: &Path) -> Result<()> {
    #[expect(clippy::disallowed_methods, reason = "the mirror of a host, on that host")]
    let listener = wait_until(&Real, TAKEN, PAUSE, || TcpListener::bind(MIRROR).ok());
    let listener = listener.with_context(|| format!("could not listen at {MIRROR}"))?;
    let path = place(name, "log");
    let mut log = files::open_to_append(&path, 0o644)?;
    say(name, "ready")?;
    let mut health = Health::Well;
    for stream in listener.incoming() {
        let answered = stream.map_err(Into::into).and_then(|stream| answer(stream, directory, &mut health));
        // Who hangs up gets no answer.
        if let Ok(line) = answered {
            files::append(&mut log, &path, line)?;
        }
    }
    Ok(())
}

/// Answers one request, and says in a line how.
fn answer(mut stream: TcpStream, directory: &Path, health: &mut Health) -> Result<String> {
    let path = asked_for(BufReader::new(&stream))?;
    let (status, content) = match (health.delivers(&path), files::read_optional(directory.join(&path))?) {
        (false, _) => ("503 Service Unavailable", Vec::new()),
        (true, None) => ("404 Not Found", Vec::new()),
        (true, Some(content)) => ("200 OK", content),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len());
    stream.write_all(&[head.into_bytes(), content].concat())?;
    Ok(format!("{status} {path}\n"))
}

/// The path that a request is for, once its head is read.
fn asked_for(request: impl BufRead) -> io::Result<String> {
    let is_end = |line: &io::Result<String>| line.as_ref().is_ok_and(String::is_empty);
    let head: Vec<String> = request.lines().take_while(|line| !is_end(line)).collect::<io::Result<_>>()?;
    let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    Ok(path.trim_start_matches('/').to_owned())
}

/// How a mirror is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Well,
    /// Somebody has asked for a package.
    Ill,
    /// Somebody has asked for its lists after that.
    WellAgain,
}

impl Health {
    /// Whether it delivers this now. How often apt asks by itself does not matter: who is ill stays so until the lists are
    /// asked for.
    fn delivers(&mut self, path: &str) -> bool {
        let is_package = path.ends_with(".deb");
        *self = match (*self, is_package) {
            (Self::Well, true) => Self::Ill,
            (Self::Ill, false) => Self::WellAgain,
            (same, _) => same,
        };
        !is_package || *self == Self::WellAgain
    }
}

fn say(name: &str, word: &str) -> Result<()> {
    Ok(files::write(place(name, word), "", 0o644)?)
}

fn place(name: &str, word: &str) -> PathBuf {
    format!("/srv/{name}-{word}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_delivers_packages_once_its_lists_were_asked_for_again() {
        let mut health = Health::Well;
        let asked = ["./InRelease", "./a.deb", "./a.deb", "./InRelease", "./a.deb", "./Packages", "./b.deb"];
        assert_eq!(asked.map(|path| health.delivers(path)), [true, false, false, true, true, true, true]);
    }

    #[test]
    fn a_request_says_what_it_is_for() {
        let check = |request: &str, expect: &str| assert_eq!(asked_for(request.as_bytes()).unwrap(), expect);
        check("GET /./a.deb HTTP/1.1\r\nHost: 127.0.0.1:8503\r\n\r\nGET /next HTTP/1.1\r\n\r\n", "./a.deb");
        check("GET / HTTP/1.0\r\n", "");
        check("", "");
    }

    #[test]
    fn only_what_there_is_goes_on() {
        let error = go_on("wbr", &["dnf", "lock"]).unwrap_err().to_string();
        assert_eq!(error, "nothing goes on beside a case that is called `dnf lock`");
    }
}
