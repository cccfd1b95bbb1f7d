//! Questions to other programs: one connection, one question, one answer.
#![expect(clippy::disallowed_methods, reason = "this is the seam that the rest must use")]

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// The longest answer that is read, in bytes.
pub const LONGEST_ANSWER: usize = 16 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} {address}")]
pub struct SocketError {
    /// What was being done.
    pub action: &'static str,
    /// With whom, as `host:port`.
    pub address: String,
    /// The system's error.
    pub source: io::Error,
}

/// Connects to `address` (`192.0.2.1:80`, `[2001:db8::1]:80`, `name:80`), sends `question`, and reads until the other
/// side closes. All of it together takes at most `timeout`.
///
/// # Errors
/// When the address is none, nobody listens there, the answer is longer than [`LONGEST_ANSWER`], or the time is up.
pub fn ask(address: &str, question: &[u8], timeout: Duration) -> Result<Vec<u8>, SocketError> {
    let end = Instant::now() + timeout;
    let mut stream = connect(address, timeout).map_err(failed("connect to", address))?;
    send(&mut stream, question, end).map_err(failed("send to", address))?;
    receive(&mut stream, end).map_err(failed("read the answer of", address))
}

/// As [`ask`], but of a program of this machine, by the path of its socket.
///
/// # Errors
/// When nobody listens there, or the time is up.
pub fn ask_local(path: &Path, question: &[u8], timeout: Duration) -> Result<Vec<u8>, SocketError> {
    let address = path.display().to_string();
    let mut stream = UnixStream::connect(path).map_err(failed("connect to", &address))?;
    let mut answer = Vec::new();
    let asked = stream
        .set_write_timeout(Some(timeout))
        .and_then(|()| stream.set_read_timeout(Some(timeout)))
        .and_then(|()| stream.write_all(question))
        .and_then(|()| stream.take(LONGEST_ANSWER as u64).read_to_end(&mut answer));
    asked.map(|_| answer).map_err(failed("ask", &address))
}

/// Sends one message to a program of this machine that reads datagrams, by the path of its socket, or by its name in the
/// abstract namespace, which begins with `@`.
///
/// # Errors
/// When nobody listens there.
pub fn tell(address: &str, message: &[u8]) -> Result<(), SocketError> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let to = match address.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(address),
    };
    let told = to.and_then(|to| UnixDatagram::unbound()?.send_to_addr(message, &to));
    told.map(drop).map_err(failed("tell", address))
}

/// Opens a connection that stays open, within `timeout`: for who asks many questions, such as a load generator.
///
/// # Errors
/// When nobody listens there, or the time is up.
pub fn open(to: SocketAddr, timeout: Duration) -> Result<TcpStream, SocketError> {
    TcpStream::connect_timeout(&to, timeout).map_err(failed("connect to", &to.to_string()))
}

/// Connects to `address`, as [`ask`] does, and hangs up.
///
/// # Errors
/// When nobody listens there, or the time is up.
pub fn reach(address: &str, timeout: Duration) -> Result<(), SocketError> {
    connect(address, timeout).map(drop).map_err(failed("connect to", address))
}

/// `host` and `port` as one address; an IPv6 address gets its brackets.
///
/// ```
/// use wb_core::system::socket::address;
/// assert_eq!(address("192.0.2.1", 80), "192.0.2.1:80");
/// assert_eq!(address("2001:db8::1", 80), "[2001:db8::1]:80");
/// ```
#[must_use]
pub fn address(host: &str, port: u16) -> String {
    match host.contains(':') && !host.starts_with('[') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

fn connect(address: &str, timeout: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for candidate in address.to_socket_addrs()?.collect::<Vec<SocketAddr>>() {
        match TcpStream::connect_timeout(&candidate, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn send(stream: &mut TcpStream, question: &[u8], end: Instant) -> io::Result<()> {
    stream.set_write_timeout(Some(left_until(end)?))?;
    stream.write_all(question)
}

fn receive(stream: &mut TcpStream, end: Instant) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        stream.set_read_timeout(Some(left_until(end)?))?;
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(answer),
            Ok(length) => answer.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(too_late()),
            Err(error) => return Err(error),
        }
        if answer.len() > LONGEST_ANSWER {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the answer is too long"));
        }
    }
}

fn left_until(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(too_late()) } else { Ok(left) }
}

fn too_late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the time is up")
}

fn failed(action: &'static str, address: &str) -> impl FnOnce(io::Error) -> SocketError {
    let address = address.to_owned();
    move |source| SocketError { action, address, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const SECOND: Duration = Duration::from_secs(1);

    fn listener() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (listener, address)
    }

    #[test]
    fn a_question_gets_its_answer() {
        let (listener, address) = listener();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut question = [0; 4];
            stream.read_exact(&mut question).unwrap();
            stream.write_all(&[question.as_slice(), b"pong"].concat()).unwrap();
        });
        assert_eq!(ask(&address, b"ping", SECOND).unwrap(), b"pingpong");
        server.join().unwrap();
    }

    #[test]
    fn who_listens_is_told() {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::net::{SocketAddr, UnixDatagram};
        let check = |listener: UnixDatagram, address: &str| {
            tell(address, b"READY=1").unwrap();
            let mut heard = [0; 7];
            listener.recv(&mut heard).unwrap();
            assert_eq!(&heard, b"READY=1");
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        check(UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap());
        let name = format!("wildebeest-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        check(UnixDatagram::bind_addr(&address).unwrap(), &format!("@{name}"));
        assert!(tell("/nowhere/socket", b"").is_err());
    }

    #[test]
    fn who_does_not_answer_is_named() {
        let (listener, address) = listener();
        let error = ask(&address, b"ping", Duration::from_millis(30)).unwrap_err();
        assert_eq!(error.to_string(), format!("could not read the answer of {address}"));
        drop(listener);
        let error = ask(&address, b"ping", SECOND).unwrap_err();
        assert_eq!(error.to_string(), format!("could not connect to {address}"));
    }
}
