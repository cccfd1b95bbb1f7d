use std::sync::{Arc, Mutex};

use super::*;
use crate::machine::{Machine, changed, serve};

const HEADER: &str = "# pxname,svname,qcur,scur,status\n";

/// Plays HAProxy with one server `web/web1`: each look takes one session away, and `ready` is up two looks later.
fn play(status: &str, sessions: u64) -> (String, Arc<Mutex<Vec<String>>>) {
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let (seen, mut status, mut sessions, mut looks) = (log.clone(), status.to_owned(), sessions, 0);
    let address = serve(move |command| match command {
        "show stat" => {
            looks += 1;
            let row = format!("{HEADER}web,web1,0,{sessions},{status}\nweb,BACKEND,0,0,UP\n\n");
            if status.starts_with("DRAIN") {
                sessions = sessions.saturating_sub(1);
            }
            if status == "DOWN" && looks >= 3 {
                status = "UP".into();
            }
            row
        }
        other => {
            seen.lock().unwrap().push(other.to_owned());
            status = if other.ends_with("drain") { "DRAIN".into() } else { "DOWN".into() };
            "\n".into()
        }
    });
    (address, log)
}

fn drain(machine: &Machine, address: &str) -> anyhow::Result<Outcome> {
    machine.apply(|host| Ok(host.haproxy(address).drain("web", "web1")?))
}

#[test]
fn a_server_is_drained_until_its_last_session_has_ended() {
    let (address, log) = play("UP", 3);
    let outcome = drain(&Machine::new(), &address).unwrap();
    assert_eq!(outcome, changed("it was UP with 3 sessions"));
    assert_eq!(*log.lock().unwrap(), ["set server web/web1 state drain"]);
}

#[test]
fn a_drained_server_is_left_alone() {
    let (address, log) = play("DRAIN", 0);
    assert_eq!(drain(&Machine::new(), &address).unwrap(), Outcome::Unchanged);
    assert_eq!(log.lock().unwrap().len(), 0);
}

#[test]
fn sessions_that_do_not_end_are_an_error() {
    let (address, _) = play("UP", 100_000);
    let error = drain(&Machine::new(), &address).unwrap_err().to_string();
    assert!(error.starts_with("the server `web/web1` still has 99"), "{error}");
    assert!(
        error.ends_with(&format!("sessions at the HAProxy at {address}, 60 s after it was told to drain")),
        "{error}"
    );
}

#[test]
fn a_server_is_ready_when_it_is_seen_up() {
    let (address, log) = play("DRAIN", 0);
    let ready = || Machine::new().apply(|host| Ok(host.haproxy(&address).ready("web", "web1")?));
    assert_eq!(ready().unwrap(), changed("it was DRAIN with 0 sessions"));
    assert_eq!(ready().unwrap(), Outcome::Unchanged);
    assert_eq!(*log.lock().unwrap(), ["set server web/web1 state ready"]);
}

#[test]
fn a_server_that_does_not_come_up_is_an_error() {
    let address = serve(|command| match command {
        "show stat" => format!("{HEADER}web,web1,0,0,DOWN\n"),
        _ => "\n".into(),
    });
    let error = Machine::new().apply(|host| Ok(host.haproxy(&address).ready("web", "web1")?)).unwrap_err();
    let expect = format!(
        "the server `web/web1` is DOWN at the HAProxy at {address}, 60 s after it was made ready; expected it UP"
    );
    assert_eq!(error.to_string(), expect);
}

#[test]
fn a_plan_tells_the_balancer_nothing() {
    let (address, log) = play("UP", 2);
    let outcome = Machine::new().plan(|host| Ok(host.haproxy(&address).drain("web", "web1")?)).unwrap();
    assert_eq!(outcome, changed("it was UP with 2 sessions"));
    assert_eq!(log.lock().unwrap().len(), 0);
}

#[test]
fn an_unknown_server_is_an_error_that_names_the_known() {
    let (address, _) = play("UP", 0);
    let error = Machine::new().apply(|host| Ok(host.haproxy(&address).drain("web", "web9\nshutdown")?)).unwrap_err();
    let expect =
        format!("the HAProxy at {address} knows no server `web/web9\nshutdown`; those that it knows are `web/web1`");
    assert_eq!(error.to_string(), expect);
}

#[test]
fn a_refusal_is_quoted() {
    let address = serve(|command| match command {
        "show stat" => format!("{HEADER}web,web1,0,0,UP\n"),
        _ => "Permission denied\n\n".into(),
    });
    let error = drain(&Machine::new(), &address).unwrap_err().to_string();
    assert!(error.ends_with("refused `set server web/web1 state drain`: Permission denied"), "{error}");
}

#[test]
fn who_does_not_answer_as_haproxy_is_named() {
    let machine = Machine::new().member("lb1", "load_balancer", Some("127.0.0.1"));
    let error = machine
        .apply(|host| {
            let balancers = host.balancers("load_balancer")?;
            assert_eq!(balancers.len(), 1);
            assert_eq!(balancers[0].name, "of `lb1` (127.0.0.1:9999)");
            Ok(host.haproxy("127.0.0.1:1").drain("web", "web1")?)
        })
        .unwrap_err();
    assert_eq!(error.to_string(), "could not ask the HAProxy at 127.0.0.1:1");
    let closed = serve(|_| String::new());
    let error = drain(&machine, &closed).unwrap_err().to_string();
    assert!(error.starts_with(&format!("the HAProxy at {closed} does not show its servers\nhint: ")), "{error}");
}

#[test]
fn a_balancer_without_an_address_is_named() {
    let machine = Machine::new().member("lb1", "load_balancer", None);
    let error = machine.apply(|host| Ok(host.balancers("load_balancer")?.len())).unwrap_err().to_string();
    assert!(error.starts_with("the host `lb1` has no address"), "{error}");
}

#[test]
fn on_its_own_host_it_is_asked_by_its_socket() {
    use std::io::{Read as _, Write as _};
    let machine = Machine::new().dir("/run/haproxy");
    let listener = std::os::unix::net::UnixListener::bind(machine.path("/run/haproxy/admin.sock")).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut question = [0; 10];
        stream.read_exact(&mut question).unwrap();
        stream.write_all(format!("{HEADER}web,web1,0,0,UP\n\n").as_bytes()).unwrap();
    });
    let ready = machine.apply(|host| Ok(host.haproxy("/run/haproxy/admin.sock").ready("web", "web1")?));
    assert_eq!(ready.unwrap(), Outcome::Unchanged);
}
