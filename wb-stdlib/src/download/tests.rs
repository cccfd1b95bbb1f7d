use std::sync::{Arc, Mutex};

use super::*;
use crate::Look as _;
use crate::machine::{Machine, changed, serve_http};

const CONTENT: &str = "what is to be downloaded, all of it";

fn sum(text: &str) -> String {
    Sha256::of(text.as_bytes()).to_string()
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// An answer that breaks off after so many bytes.
fn cut(body: &str, after: usize) -> Vec<u8> {
    let mut answer = ok(body);
    answer.truncate(answer.len() - body.len() + after);
    answer
}

fn part(body: &str, from: usize) -> Vec<u8> {
    let (rest, all) = (&body[from..], body.len());
    format!(
        "HTTP/1.1 206 Partial\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{}/{all}\r\n\r\n{rest}",
        rest.len(),
        all - 1
    )
    .into_bytes()
}

/// A server that gives these answers in turn, and the last from then on; its URL, and where each request wanted to begin.
fn server(answers: Vec<Vec<u8>>) -> (String, Arc<Mutex<Vec<Option<usize>>>>) {
    let asked: Arc<Mutex<Vec<Option<usize>>>> = Arc::default();
    let (seen, mut answers) = (Arc::clone(&asked), answers);
    let address = serve_http(move |head| {
        let range = head.split_once("range: bytes=").and_then(|(_, rest)| rest.split('-').next()?.parse().ok());
        seen.lock().unwrap().push(range);
        if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
    });
    (format!("http://{address}/x.tar"), asked)
}

fn fetch(machine: &Machine, url: &str) -> anyhow::Result<Outcome> {
    machine.apply(|host| Ok(host.download(url).sha256(&sum(CONTENT)).to("/opt/x.tar").present()?))
}

fn error(machine: &Machine, url: &str) -> String {
    format!("{:#}", fetch(machine, url).unwrap_err())
}

/// The files below `/opt`.
fn files(machine: &Machine) -> Vec<String> {
    let root = machine.path("/opt").display().to_string();
    machine.snapshot().into_keys().filter_map(|path| path.strip_prefix(&root).map(str::to_owned)).collect()
}

#[test]
fn a_download_may_take_without_end() {
    let (machine, (url, _)) = (Machine::new().dir("/opt"), server(vec![cut(CONTENT, 5), part(CONTENT, 5)]));
    let endless =
        |host: &Host| Ok(host.download(&url).sha256(&sum(CONTENT)).to("/opt/x.tar").within(Duration::MAX).present()?);
    assert!(machine.apply(endless).unwrap().changed());
}

#[test]
fn what_is_not_there_is_downloaded_once() {
    let machine = Machine::new().dir("/opt").with_me();
    let (url, asked) = server(vec![ok(CONTENT)]);
    let ensure = || {
        machine.apply(|host| {
            let download = host.download(&url).sha256(&sum(CONTENT)).to("/opt/x.tar");
            Ok(download.owner("me").group("us").mode(0o750).present()?)
        })
    };
    assert_eq!(ensure().unwrap(), changed(&format!("new, from {url}")));
    assert_eq!(
        (machine.read("/opt/x.tar").as_deref(), machine.stat("/opt/x.tar").unwrap().mode),
        (Some(CONTENT), 0o750)
    );
    assert_eq!(ensure().unwrap(), Outcome::Unchanged);
    assert_eq!((files(&machine), asked.lock().unwrap().len()), (vec!["/x.tar".to_owned()], 1));
}

#[test]
fn another_content_is_replaced_and_a_mode_alone_needs_no_server() {
    let machine = Machine::new().file("/opt/x.tar", "old");
    let (url, asked) = server(vec![ok(CONTENT)]);
    let expect = format!("sha256 {} -> {}, from {url}", &sum("old")[..12], &sum(CONTENT)[..12]);
    assert_eq!(fetch(&machine, &url).unwrap(), changed(&expect));
    assert_eq!(machine.read("/opt/x.tar").as_deref(), Some(CONTENT));
    let outcome = machine
        .apply(|host| Ok(host.download(&url).sha256(&sum(CONTENT)).to("/opt/x.tar").mode(0o600).present()?))
        .unwrap();
    assert_eq!((outcome, asked.lock().unwrap().len()), (changed("mode 0644 -> 0600"), 1));
}

#[test]
fn a_plan_asks_nobody() {
    let machine = Machine::new().dir("/opt");
    let before = machine.snapshot();
    let plan = |path: &'static str| {
        machine.plan(move |host| {
            Ok(host.download("http://127.0.0.1:1/?key=swordfish").sha256(&sum(CONTENT)).to(path).present()?)
        })
    };
    assert_eq!(plan("/opt/x.tar").unwrap(), changed("new, from http://127.0.0.1:1/?…"));
    plan("/srv/x.tar").unwrap();
    assert_eq!(machine.said(), "? download /srv/x.tar present (cannot know: there is no directory /srv yet)");
    assert_eq!(machine.snapshot(), before);
}

#[test]
fn a_connection_that_breaks_off_goes_on_where_it_was() {
    let machine = Machine::new().dir("/opt");
    let (url, asked) = server(vec![cut(CONTENT, 7), Vec::new(), part(CONTENT, 7)]);
    fetch(&machine, &url).unwrap();
    assert_eq!(machine.read("/opt/x.tar").as_deref(), Some(CONTENT));
    assert_eq!(*asked.lock().unwrap(), [None, Some(7), Some(7)]);
}

#[test]
fn a_server_that_knows_no_ranges_begins_anew() {
    let machine = Machine::new().dir("/opt");
    let (url, asked) = server(vec![cut(CONTENT, 7), ok(CONTENT)]);
    fetch(&machine, &url).unwrap();
    assert_eq!(machine.read("/opt/x.tar").as_deref(), Some(CONTENT));
    assert_eq!(*asked.lock().unwrap(), [None, Some(7)]);
}

/// The part that a run left that was killed.
fn left(content: &str) -> Machine {
    Machine::new().file(&format!("/opt/.x.tar.{}.part", &sum(CONTENT)[..12]), content)
}

#[test]
fn what_a_run_left_that_was_killed_is_gone_on_with() {
    let (url, asked) = server(vec![part(CONTENT, 9)]);
    fetch(&left(&CONTENT[..9]), &url).unwrap();
    assert_eq!(*asked.lock().unwrap(), [Some(9)]);
}

#[test]
fn what_was_whole_already_asks_nobody() {
    let machine = left(CONTENT);
    fetch(&machine, "http://127.0.0.1:1/").unwrap();
    assert_eq!(files(&machine), ["/x.tar"]);
}

#[test]
fn a_part_of_something_else_begins_anew() {
    let check = |answers: Vec<Vec<u8>>| {
        let machine = left("something else");
        let (url, _) = server(answers);
        fetch(&machine, &url).unwrap();
        assert_eq!((machine.read("/opt/x.tar").as_deref(), files(&machine).len()), (Some(CONTENT), 1));
    };
    check(vec![part(CONTENT, 14), ok(CONTENT)]);
    check(vec![b"HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n".to_vec(), ok(CONTENT)]);
    check(vec![part(CONTENT, 3), ok(CONTENT)]);
}

#[test]
fn parts_of_older_downloads_go() {
    let machine = Machine::new().file("/opt/.x.tar.0123456789ab.part", "old").file("/opt/.x.tar.note", "kept");
    let (url, _) = server(vec![ok(CONTENT)]);
    fetch(&machine, &url).unwrap();
    assert_eq!(files(&machine), ["/.x.tar.note", "/x.tar"]);
}

#[test]
fn something_else_is_refused_and_nothing_of_it_is_kept() {
    let machine = Machine::new().file("/opt/x.tar", "old");
    let (url, asked) = server(vec![ok("something else")]);
    let (found, wanted) = (sum("something else"), sum(CONTENT));
    let expect =
        format!("{url} is not what it is said to be: it has the sha256 {found}, and {wanted} was expected\nhint: ");
    assert!(error(&machine, &url).starts_with(&expect));
    assert_eq!((machine.read("/opt/x.tar").as_deref(), files(&machine).len()), (Some("old"), 1));
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[test]
fn what_fills_the_disk_goes() {
    let machine = left("half");
    let place = machine.path(&format!("/opt/{}", files(&machine)[0]));
    machine
        .apply(|host| {
            let download = host.download("http://localhost/x.tar").sha256(&sum(CONTENT)).to("/opt/x.tar");
            let full = std::io::ErrorKind::StorageFull.into();
            let full = wb_core::system::files::FileError { action: "write", path: place.clone(), source: full };
            let error = download.give_up(full.into(), &place).to_string();
            assert!(error.starts_with("there is no room for /opt/x.tar"), "{error}");
            Ok(())
        })
        .unwrap();
    assert_eq!(files(&machine), [""; 0]);
}

#[test]
fn a_server_that_says_no_is_asked_once() {
    let (url, asked) = server(vec![b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n".to_vec()]);
    assert_eq!(error(&Machine::new().dir("/opt"), &url), format!("{url} was answered with the status 404"));
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[test]
fn a_server_that_has_too_much_to_do_is_asked_again() {
    let busy = || b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_vec();
    let (url, asked) = server(vec![busy(), busy(), ok(CONTENT)]);
    fetch(&Machine::new().dir("/opt"), &url).unwrap();
    assert_eq!(asked.lock().unwrap().len(), 3);
}

#[test]
fn tries_come_to_an_end_and_what_there_is_stays() {
    let machine = Machine::new().dir("/opt");
    let (url, asked) = server(vec![cut(CONTENT, 4), Vec::new()]);
    let expect = format!("{url} could not be downloaded within 3600 s: 5 tries, 4 bytes so far: could not ask {url}: ");
    let found = error(&machine, &url);
    assert!(found.starts_with(&expect), "{found}");
    assert_eq!(asked.lock().unwrap().len(), 5);
    assert_eq!(files(&machine), [format!("/.x.tar.{}.part", &sum(CONTENT)[..12])]);
}

#[test]
fn the_time_is_bounded() {
    let (url, asked) = server(vec![Vec::new()]);
    let machine = Machine::new().dir("/opt");
    let within = machine.apply(|host| {
        let download = host.download(&url).sha256(&sum(CONTENT)).to("/opt/x.tar");
        Ok(download.within(Duration::from_secs(2)).present()?)
    });
    assert!(within.unwrap_err().to_string().contains("within 2 s: 2 tries"));
    assert_eq!(asked.lock().unwrap().len(), 2);
}

#[test]
fn garbage_and_loops_are_errors_at_once() {
    let machine = Machine::new().dir("/opt");
    let (url, asked) = server(vec![b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec()]);
    assert!(error(&machine, &url).contains("does not answer in HTTP"));
    assert_eq!(asked.lock().unwrap().len(), 1);
    let (url, _) = server(vec![b"HTTP/1.1 302 Found\r\nLocation: /x.tar\r\nContent-Length: 0\r\n\r\n".to_vec()]);
    assert_eq!(error(&machine, &url), format!("{url} redirects too often"));
    assert!(error(&machine, "file:///etc/passwd").starts_with("`file:///etc/passwd` is no address that can be asked"));
}

#[test]
fn a_token_stays_with_its_server_and_a_part_is_gone_on_with_elsewhere() {
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let mut answers = vec![cut(CONTENT, 4), part(CONTENT, 4)];
    let seen = Arc::clone(&heads);
    let mirror = serve_http(move |head| {
        seen.lock().unwrap().push(head.to_owned());
        answers.remove(0)
    });
    let moved = format!("HTTP/1.1 302 Found\r\nLocation: http://{mirror}/x.tar\r\nContent-Length: 0\r\n\r\n");
    let tokens: Arc<Mutex<u32>> = Arc::default();
    let counted = Arc::clone(&tokens);
    let first = serve_http(move |head| {
        *counted.lock().unwrap() += u32::from(head.contains("\r\nx-token: secret\r\n"));
        moved.clone().into_bytes()
    });
    let machine = Machine::new().dir("/opt");
    machine
        .apply(|host| {
            let download = host.download(&format!("http://{first}/x.tar")).sha256(&sum(CONTENT)).to("/opt/x.tar");
            Ok(download.header("X-Token", "secret").present()?)
        })
        .unwrap();
    let heads = heads.lock().unwrap();
    assert!(heads.iter().all(|head| !head.contains("secret")), "{heads:?}");
    assert!(heads[1].contains("\r\nrange: bytes=4-\r\n"), "{heads:?}");
    assert_eq!((heads.len(), *tokens.lock().unwrap(), machine.read("/opt/x.tar").as_deref()), (2, 2, Some(CONTENT)));
}

#[test]
fn what_is_no_sum_is_refused_in_a_plan_too() {
    let machine = Machine::new().dir("/opt");
    let plan = machine.plan(|host| Ok(host.download("http://a/x").sha256("abc").to("/opt/x.tar").present()?));
    let expect = "`abc`, which http://a/x is to have, is no SHA-256\nhint: `sha256sum FILE` prints its 64 digits";
    assert_eq!(plan.unwrap_err().to_string(), expect);
}

#[test]
fn what_is_in_the_way_is_not_replaced() {
    let machine = Machine::new().dir("/opt/x.tar");
    assert!(
        error(&machine, "http://127.0.0.1:1/").starts_with("/opt/x.tar is to be a file, and is a directory\nhint: ")
    );
    assert!(
        error(&Machine::new(), "http://127.0.0.1:1/").starts_with("there is no directory /opt for /opt/x.tar\nhint: ")
    );
}

#[test]
fn the_debt_is_written_down_before_the_file_changes() {
    use wb_core::context::Debts as _;
    let machine = Machine::new().dir("/opt");
    let failed = machine.apply(|host| {
        let shop = host.service("shop");
        Ok(host.download("file:///x").sha256(&sum(CONTENT)).to("/opt/x.tar").restarts(&shop).present()?)
    });
    assert!(failed.is_err());
    assert_eq!(machine.journal.owed().len(), 1);
}
