use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A stream of a server's.
trait Stream: std::io::Read + std::io::Write {}
impl<S: std::io::Read + std::io::Write> Stream for S {}

/// A server that gives these answers in turn, one to each connection, and the last from then on; its address.
fn serve_with(answers: &[&str], wrap: impl Fn(std::net::TcpStream) -> Box<dyn Stream> + Send + 'static) -> String {
    #[expect(clippy::disallowed_methods, reason = "the other side, for tests")]
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let port = address.rsplit_once(':').unwrap().1.to_owned();
    let own = |answer: &&str| answer.replace("ADDRESS", &address).replace("PORT", &port);
    let answers: Vec<String> = answers.iter().map(own).collect();
    std::thread::spawn(move || {
        for (turn, stream) in listener.incoming().enumerate() {
            let mut stream = wrap(stream.unwrap());
            let asked = asked(stream.as_mut());
            let answer = &answers[turn.min(answers.len() - 1)];
            let echo = String::from_utf8_lossy(&asked).replace("\r\n", "|");
            drop(stream.write_all(answer.replace("ECHO", &echo).as_bytes()));
            drop(stream.flush());
        }
    });
    address
}

/// All of a request: what is left unread when a connection is closed resets it.
fn asked(stream: &mut dyn Stream) -> Vec<u8> {
    let (mut asked, mut byte) = (Vec::new(), [0]);
    while !asked.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
        asked.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&asked).to_ascii_lowercase();
    let length = head.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next()?.parse().ok());
    drop(stream.read_exact(&mut vec![0; length.unwrap_or(0)]));
    asked
}

fn serve(answers: &[&str]) -> String {
    serve_with(answers, |stream| Box::new(stream))
}

/// A server whose name is `localhost`, and the certificate of its authority.
fn serve_tls(answers: &[&str]) -> (String, Roots) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into());
    let config = Arc::new(config.unwrap());
    let roots = Roots(vec![Certificate::from_der(authority.der()).to_owned()]);
    let address = serve_with(answers, move |stream| {
        Box::new(StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream))
    });
    (address.replace("127.0.0.1", "localhost"), roots)
}

fn request<'a>(url: &'a str, roots: &'a Roots) -> Request<'a> {
    Request {
        method: "GET",
        url,
        headers: &[],
        neutral: &[],
        body: None,
        bound: 20 * SECOND,
        silence: 5 * SECOND,
        redirects: 0,
        proxy: None,
        roots,
    }
}

fn get(url: &str) -> Result<String, HttpError> {
    body(&request(url, &Roots::default()))
}

fn body(request: &Request<'_>) -> Result<String, HttpError> {
    Ok(String::from_utf8(ask(request)?.whole(1000)?).unwrap())
}

#[test]
fn an_answer_has_status_headers_and_body() {
    let url = format!("http://{}/x?y", serve(&["HTTP/1.1 404 No\r\nContent-Length: 2\r\nX-Y: z\r\n\r\nab"]));
    let mut answer = ask(&request(&url, &Roots::default())).unwrap();
    assert_eq!((answer.status, answer.header("x-y"), answer.header("a")), (404, Some("z"), None));
    assert!(answer.headers().any(|header| header == ("x-y", "z")));
    assert_eq!(answer.whole(2).unwrap(), b"ab");
}

#[test]
fn what_is_asked_arrives() {
    let url = format!("http://{}/x", serve(&["HTTP/1.0 200 OK\r\n\r\nECHO"]));
    let (headers, roots) = ([("X-Key".to_owned(), "a b".to_owned())], Roots::default());
    let said =
        body(&Request { method: "PUT", headers: &headers, body: Some(b"hello"), ..request(&url, &roots) }).unwrap();
    assert!(said.starts_with("PUT /x HTTP/1.1|"), "{said}");
    assert!(said.contains("|x-key: a b|") && said.contains("|content-length: 5|"), "{said}");
    let bad = [("X-Key".to_owned(), "a\r\nb".to_owned())];
    let error = ask(&Request { headers: &bad, ..request(&url, &roots) }).unwrap_err();
    assert_eq!(error.to_string(), "the header `x-key` has characters that no header has");
}

#[test]
fn a_body_that_is_too_long_is_refused() {
    let url = format!("http://{}/", serve(&["HTTP/1.0 200 OK\r\n\r\nabc"]));
    let error = ask(&request(&url, &Roots::default())).unwrap().whole(2).unwrap_err();
    assert_eq!(error.to_string(), format!("what {url} answers is longer than 2 bytes"));
}

#[test]
fn who_drops_a_connection_is_passing_and_who_talks_something_else_is_not() {
    let dropped = get(&format!("http://{}/", serve(&[""]))).unwrap_err();
    assert!(matches!(dropped, HttpError::Broken { .. }) && dropped.is_passing(), "{dropped}");
    let cut = get(&format!("http://{}/", serve(&["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"]))).unwrap_err();
    assert!(matches!(cut, HttpError::Broken { .. }), "{cut}");
    let garbage = get(&format!("http://{}/", serve(&["SSH-2.0-OpenSSH_9.2p1\r\n\r\n"]))).unwrap_err();
    assert!(matches!(garbage, HttpError::NoHttp { .. }) && !garbage.is_passing(), "{garbage}");
    let nobody = get("http://127.0.0.1:1/").unwrap_err();
    assert!(nobody.is_passing(), "{nobody}");
}

#[test]
fn redirections_are_followed_as_far_as_is_said() {
    let moved = "HTTP/1.1 302 Found\r\nLocation: http://ADDRESS/next\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let roots = Roots::default();
    let url = format!("http://{}/", serve(&[moved, "HTTP/1.0 200 OK\r\n\r\nthere"]));
    assert_eq!(body(&Request { redirects: 3, ..request(&url, &roots) }).unwrap(), "there");
    let url = format!("http://{}/", serve(&[moved]));
    assert_eq!(ask(&request(&url, &roots)).unwrap().status, 302);
    let error = ask(&Request { redirects: 3, ..request(&url, &roots) }).unwrap_err();
    assert_eq!(error.to_string(), format!("{url} redirects too often"));
}

/// An answer that leads elsewhere.
fn moved(status: u16, to: &str) -> String {
    format!("HTTP/1.1 {status} Moved\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

const ECHO: &str = "HTTP/1.0 200 OK\r\n\r\nECHO";

#[test]
fn headers_stay_with_the_server_that_they_are_for() {
    let roots = Roots::default();
    let headers = ["Authorization", "Cookie", "X-Key", "Host"].map(|name| (name.to_owned(), "secret".to_owned()));
    let neutral = [("Range".to_owned(), "bytes=7-".to_owned())];
    let said = |url: &str| {
        body(&Request { redirects: 3, headers: &headers, neutral: &neutral, ..request(url, &roots) }).unwrap()
    };
    let kept = said(&format!("http://{}/", serve(&[&moved(302, "http://ADDRESS/next"), ECHO])));
    assert!(kept.starts_with("GET /next HTTP/1.1|"), "{kept}");
    assert_eq!(kept.matches("secret").count(), 4, "{kept}");
    let elsewhere = serve(&[ECHO]);
    let left = said(&format!("http://{}/", serve(&[&moved(302, &format!("http://{elsewhere}/next"))])));
    assert!(left.starts_with("GET /next HTTP/1.1|") && left.contains(&format!("|host: {elsewhere}|")), "{left}");
    assert!(!left.contains("secret") && left.contains("|range: bytes=7-|"), "{left}");
}

#[test]
fn who_was_led_away_is_not_trusted_when_led_back() {
    let (roots, headers) = (Roots::default(), [("X-Key".to_owned(), "secret".to_owned())]);
    let back = serve(&[&moved(302, "http://localhost:PORT/away"), &moved(302, "http://ADDRESS/back"), ECHO]);
    let said =
        body(&Request { redirects: 3, headers: &headers, ..request(&format!("http://{back}/"), &roots) }).unwrap();
    assert!(said.starts_with("GET /back HTTP/1.1|") && !said.contains("secret"), "{said}");
}

#[test]
fn what_is_sent_is_sent_to_nobody_else() {
    let roots = Roots::default();
    let elsewhere = serve(&[ECHO]);
    let sent = |status: u16| {
        let url = format!("http://{}/", serve(&[&moved(status, &format!("http://{elsewhere}/next"))]));
        let mut answer =
            ask(&Request { method: "POST", body: Some(b"secret"), redirects: 3, ..request(&url, &roots) }).unwrap();
        (answer.status, String::from_utf8(answer.whole(1000).unwrap()).unwrap())
    };
    let (status, said) = sent(303);
    assert!(status == 200 && said.starts_with("GET /next HTTP/1.1|") && !said.contains("content-length"), "{said}");
    assert_eq!(sent(307), (307, String::new()));
}

#[test]
fn a_redirection_to_nowhere_is_an_error() {
    let roots = Roots::default();
    let check = |answer: &str, expect: &str| {
        let url = format!("http://{}/", serve(&[answer]));
        let error = ask(&Request { redirects: 3, ..request(&url, &roots) }).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    check("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "it redirects, and does not say where");
    check(&moved(302, "ftp://a.example/x"), "`ftp://a.example/x` is no address that can be asked");
    check(&moved(302, "https://a.example/x"), "could not ask https://a.example/x: this host trusts no certificates");
}

#[test]
fn who_is_silent_is_not_waited_for() {
    #[expect(clippy::disallowed_methods, reason = "the other side, for tests")]
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let roots = Roots::default();
    let error = ask(&Request { silence: Duration::from_millis(30), ..request(&url, &roots) }).unwrap_err();
    assert!(matches!(error, HttpError::TooLate { .. }) && error.is_passing(), "{error}");
}

#[test]
fn tls_is_spoken_with_whom_the_host_trusts() {
    let (address, roots) = serve_tls(&["HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"]);
    let url = format!("https://{address}/");
    assert_eq!(body(&request(&url, &roots)).unwrap(), "secret");
    let (_, others) = serve_tls(&[""]);
    let error = ask(&request(&url, &others)).unwrap_err();
    assert!(matches!(error, HttpError::Untrusted { .. }) && !error.is_passing(), "{error:?}");
    let error = ask(&request(&url, &Roots::default())).unwrap_err();
    assert!(matches!(error, HttpError::NoRoots { .. }), "{error}");
    let by_number = url.replace("localhost", "127.0.0.1");
    assert!(matches!(ask(&request(&by_number, &roots)).unwrap_err(), HttpError::Untrusted { .. }));
}

#[test]
fn who_speaks_no_tls_is_named() {
    let (_, roots) = serve_tls(&[""]);
    let plain = serve_with(&[""], |mut stream| {
        stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n").unwrap();
        Box::new(stream)
    });
    let url = format!("https://{}/", plain.replace("127.0.0.1", "localhost"));
    let error = ask(&request(&url, &roots)).unwrap_err();
    assert!(matches!(error, HttpError::NoTls { .. }) && !error.is_passing(), "{error:?}");
}

#[test]
fn what_began_with_tls_does_not_go_on_without() {
    let plain = serve(&["HTTP/1.0 200 OK\r\n\r\nplain"]);
    let moved = format!("HTTP/1.1 302 Found\r\nLocation: http://{plain}/a?key=b\r\nContent-Length: 0\r\n\r\n");
    let (address, roots) = serve_tls(&[&moved]);
    let url = format!("https://{address}/");
    let error = ask(&Request { redirects: 3, ..request(&url, &roots) }).unwrap_err();
    let expect = format!("{url} redirects to http://{plain}/a?…, which is not encrypted; that is not followed");
    assert_eq!(error.to_string(), expect);
}

#[test]
fn a_proxy_is_asked_for_the_way_to_the_server() {
    let proxy = format!("http://{}", serve(&["HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"]));
    let roots = Roots::default();
    let error = ask(&Request { proxy: Some(&proxy), ..request("http://nowhere.invalid/x", &roots) }).unwrap_err();
    assert!(matches!(error, HttpError::Proxy { .. }), "{error:?}");
    let error = ask(&Request { proxy: Some("::"), ..request("http://nowhere.invalid/", &roots) }).unwrap_err();
    assert!(matches!(error, HttpError::BadProxy { .. }), "{error}");
}

#[test]
fn this_host_itself_is_known() {
    let check = |url: &str, expect| assert_eq!(is_here(url), expect, "{url}");
    check("http://localhost:80/a", true);
    check("https://me:secret@127.0.0.1/", true);
    check("http://[::1]:8080", true);
    check("http://192.0.2.1/localhost", false);
    check("http://localhost.example.org/", false);
    check("", false);
}

#[test]
fn what_is_no_url_is_refused() {
    for url in ["", "ftp://a/", "http://", "http:// /", "file:///etc/passwd", "http://a b/"] {
        let error = get(url).unwrap_err();
        assert!(matches!(error, HttpError::BadUrl { .. }), "{url}: {error:?}");
    }
}

#[test]
fn a_host_trusts_what_its_store_has() {
    let root = tempfile::tempdir().unwrap();
    let system = System::fake(root.path(), super::super::Script::new());
    assert!(Roots::of(&system).unwrap().is_empty());
    let store = root.path().join("etc/pki/tls/certs/ca-bundle.crt");
    super::super::files::create_dir(store.parent().unwrap()).unwrap();
    let pem = "# a comment\n-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\nno certificate\n";
    super::super::files::write(&store, pem, 0o644).unwrap();
    assert_eq!(Roots::of(&system).unwrap().0.len(), 1);
    assert_eq!(Roots::of(&system).unwrap().and(Roots::parse(pem.as_bytes())).0.len(), 2);
}
